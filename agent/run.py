"""The front door: ask a question of an image, see its plan, run a plan that a person wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.budget import Budget, Meter, metering
from ..core.conditions import Request
from ..core.errors import UnknownPhrase, UsageError
from ..core.lexicon import is_broader, plural
from ..core.plan import Plan
from ..core.progress import Listener, listening
from ..core.questions import Answerer
from ..core.scene import Scene
from ..core.trace import Observation
from ..tools.bands import CRISP, Bands
from ..tools.custom import ToolLike
from ..tools.models.spec import Models, load_models
from ..tools.toolbox import Toolbox
from .answer import Answer
from .class_names import adopt_class_names
from .graph_call import Call, Listeners, answer_of, answers_with, call_of, finish, resumed
from .graph_choices import OnAmbiguous
from .graph_events import Event, OnEvent, streamed
from .output import check_output_dir
from .pairs import check_dates, over_pair, saved_before
from .parsers import parse_request
from .planner import make_plan
from .store import Store
from .store_runs import RunRecord, Runs, runs_place
from .verifying import with_verification

ImageLike = str | Path | Scene | NDArray[np.uint8]


def plan(query: str, *, parser: str = "auto", models: str | Models | None = None) -> Plan:
    """The steps that answer a request; `Plan.to_yaml` makes a file to edit, `run` runs it.

    Args:
        query: the request in English.
        parser: `auto`, `grammar` or `llm`, as in `ask`.
        models: as in `ask`; only the language model is used.

    Raises:
        QueryError: words that were not understood, with their place; nothing is dropped in silence.

    Example:
        >>> from surveyor import plan
        >>> plan("detect all planes on the east bank of the river").steps[0].instruction
        'detect all planes'
    """
    chat = None if models is None else _loaded(models).chat
    read = parse_request(query, parser, chat)
    return make_plan(read.request, query).model_copy(update={"notes": read.record().notes})


def ask(
    image: ImageLike,
    query: str,
    *,
    parser: str = "auto",
    models: str | Models | None = None,
    gsd: float | None = None,
    after: ImageLike | None = None,
    align: bool = True,
    out: str | Path | None = None,
    bands: Bands = CRISP,
    max_seconds: float | None = None,
    max_model_calls: int | None = None,
    max_tokens: int | None = None,
    watch: Callable[[Observation], None] | None = None,
    progress: Listener | None = None,
    on_event: OnEvent | None = None,
    tools: Iterable[ToolLike] = (),
    cache: bool | str | Path | Store = True,
    cancel: threading.Event | None = None,
    run_id: str | None = None,
    on_ambiguous: OnAmbiguous = "all",
    confirm_tiles: int | None = None,
    answer: Answerer | None = None,
    verify: bool = False,
) -> Answer:
    """The answer to a request about one image, or about two dates of one place.

    Args:
        image: path of a PNG, JPEG, TIFF or GeoTIFF; or an open `Scene`; or an RGB array (H, W, 3) uint8. With `after`,
            the earlier date.
        query: the request in English, e.g. "segment the planes north of the two largest storage tanks".
        parser: what reads the query: `grammar`, `llm` (the chat model in `models`), or `auto`: the grammar when it
            understands every word, else the language model when there is one.
        models: backends by role, e.g. "grounder=oracle:instances.json"; None takes the embedded models.
        gsd: ground sample distance in metres per pixel; goes before what the file says.
        after: the later date of the same place, for questions about changes ("which buildings are new?"). Regions are
            then told in its pixels; docs/change.md.
        align: with `after`, undo misregistration, and refuse images that don't match; False takes them as they lie.
        out: folder for overlay.png, regions.geojson, regions.gpkg (georeferenced scenes) and trace.json; of two dates
            also swipe.html and changes.png or changes.tif.
        bands: how borderline geometry is judged: `CRISP` (default) or `STRICT` (benchmark rules).
        max_seconds, max_model_calls, max_tokens: the run stops when one is used up; what was done is kept.
        watch: called with each step's observation as it is made.
        progress: called as progress(what, done, total) during long work.
        on_event: called with each `Event`; `stream` makes an iterator of them.
        tools: tools of your own (functions decorated with `surveyor.tool`) that steps may name.
        cache: whether results of earlier runs are used and new ones kept, in the user's cache folder or
            $SURVEYOR_CACHE; a folder keeps them there. Models that tell no `version` are always asked.
        cancel: set this event from any thread to stop the run; what was done is kept.
        run_id: a name under which the run is kept step by step, so that `resume` can take it up after anything.
        on_ambiguous: when the words speak of one thing ("the river") and several are found: `all` (any of them counts),
            `largest`, `nearest` (to what is asked for), `ask`, or `error`.
        confirm_tiles: asks before a step that looks at more than this many tiles of 1,024 px.
        answer: answers questions of the run; without it the run waits (see `NeedsAnswer`), which needs a `run_id`.
        verify: has a describer say what each found region is; a mismatch is told and lowers the confidence, and
            drops nothing (docs/explain.md).

    Raises:
        UsageError: input that can't be used: unreadable image, request not understood, phrase unknown to the grounder.
        NeedsAnswer: the run waits for an answer, to be given by `resume`.

    Example:
        >>> import surveyor
        >>> scene = surveyor.draw_scene("harbour", seed=3)
        >>> answer = surveyor.ask(scene.image_rgb, "how many ships are there?")
        >>> answer.count == len(answer.regions)
        True
    """
    started = time.perf_counter()
    _check_out(out)
    budget = Budget(max_seconds, max_model_calls, max_tokens)
    cancel = cancel or threading.Event()
    with metering(Meter(budget, cancel.is_set)):
        loaded = _loaded(models)
        read = parse_request(query, parser, loaded.chat)
        request = adopt_class_names(read.request, loaded.grounder.knows())
        steps = make_plan(request, query)
        steps = with_verification(steps) if verify else steps
        parsed = time.perf_counter() - started
        call = _call(
            steps, request, image, loaded, models, gsd, after, align,
            toolbox=Toolbox.of(tools), bands=bands, out=_path(out), budget=budget, cache=cache, cancel=cancel,
            run_id=run_id or "", answer=answer, confirm_tiles=confirm_tiles, parsing=read.record(),
            listeners=Listeners(watch, progress, on_event),
        )  # fmt: skip
        opened = time.perf_counter() - started - parsed
        return _finished(call, answer_of(call, on_ambiguous), started, parse=parsed, open=opened)


def run(
    plan: Plan | str | Path,
    image: ImageLike,
    *,
    models: str | Models | None = None,
    gsd: float | None = None,
    after: ImageLike | None = None,
    align: bool = True,
    out: str | Path | None = None,
    bands: Bands = CRISP,
    max_seconds: float | None = None,
    max_model_calls: int | None = None,
    max_tokens: int | None = None,
    watch: Callable[[Observation], None] | None = None,
    progress: Listener | None = None,
    on_event: OnEvent | None = None,
    tools: Iterable[ToolLike] = (),
    request: Request | None = None,
    cache: bool | str | Path | Store = True,
    cancel: threading.Event | None = None,
    run_id: str | None = None,
    on_ambiguous: OnAmbiguous = "all",
    confirm_tiles: int | None = None,
    answer: Answerer | None = None,
    verify: bool = False,
) -> Answer:
    """The answer of a plan that a person wrote or edited (a `Plan`, or the path of its YAML). Arguments as in `ask`.

    `request` is the typed tree that the plan was made from, where there is one: what the wording promises is checked.
    """
    started = time.perf_counter()
    _check_out(out)
    if not isinstance(plan, Plan):
        plan = Plan.from_yaml(_read_text(Path(plan)))
    plan = with_verification(plan) if verify else plan
    call = _call(
        plan, request, image, _loaded(models), models, gsd, after, align,
        toolbox=Toolbox.of(tools), bands=bands, out=_path(out),
        budget=Budget(max_seconds, max_model_calls, max_tokens), cache=cache, cancel=cancel or threading.Event(),
        run_id=run_id or "", answer=answer, confirm_tiles=confirm_tiles,
        listeners=Listeners(watch, progress, on_event),
    )  # fmt: skip
    return _finished(call, answer_of(call, on_ambiguous), started)


def stream(image: ImageLike, query: str, **more: Any) -> Iterator[Event]:
    """The events of `ask`, as they come; the last one has the answer. Arguments as in `ask`, but `on_event`.

    Leaving the loop early stops the run; what was done is kept.

    Example:
        >>> import surveyor
        >>> scene = surveyor.draw_scene("harbour", seed=3)
        >>> [event.kind for event in surveyor.stream(scene.image_rgb, "how many ships are there?", cache=False)][-1]
        'answered'
    """

    def work(on_event: OnEvent, cancel: threading.Event) -> Answer:
        return ask(image, query, on_event=on_event, **{"cancel": cancel, **more})

    return streamed(work, more.get("cancel"))


def resume(
    run_id: str,
    *,
    answer: str | Answerer | None = None,
    image: ImageLike | None = None,
    models: str | Models | None = None,
    out: str | Path | None = None,
    bands: Bands | None = None,
    max_seconds: float | None = None,
    max_model_calls: int | None = None,
    max_tokens: int | None = None,
    watch: Callable[[Observation], None] | None = None,
    progress: Listener | None = None,
    on_event: OnEvent | None = None,
    tools: Iterable[ToolLike] = (),
    cancel: threading.Event | None = None,
) -> Answer:
    """The answer of a run that was kept under a name (`ask(..., run_id=...)`), taken up where it stood.

    Steps that were done are not done again. A run that is done gives its answer again; one that failed tries again.
    Budgets count anew and are those given here.

    Args:
        run_id: its name; `surveyor.runs()` lists them.
        answer: to the question for which it waits: one of the question's options, or a function of the question.
        image: needed only when the run was asked of pixels in memory.
        models: needed only when they were given as objects.
        tools: needed only when the run had tools of your own.

    Raises:
        UsageError: no such run, another process is at it, the image has changed, or the answer is none of the options.
        NeedsAnswer: it waits again.
    """
    started = time.perf_counter()
    runs = Runs(runs_place())
    record = runs.get(run_id)
    with runs.at_work(run_id):
        record = runs.get(run_id)
        saved = record.call
        if models is None and saved["models"] == "":
            raise UsageError(f"the run {run_id!r} was given its models as objects; give them: resume(..., models=...)")
        place = _path(out) or _path(saved["out"])
        _check_out(place)
        scene, loaded, pair = _scene_of(record, image), _loaded(saved["models"] if models is None else models), None
        if saved.get("pair") is not None:
            loaded, pair = over_pair(loaded, saved_before(saved["pair"], run_id), scene, align=saved["pair"]["aligned"])
            scene = pair.after
        call = call_of(
            record,
            scene,
            loaded,
            bands,
            pair=pair,
            toolbox=Toolbox.of(tools),
            out=place,
            budget=Budget(max_seconds, max_model_calls, max_tokens),
            cache=bool(saved["cache"]),
            cancel=cancel or threading.Event(),
            answer=answer if callable(answer) else None,
            answers=answers_with(record, answer if isinstance(answer, str) else None),
            listeners=Listeners(watch, progress, on_event),
        )
        return _finished(call, resumed(call, runs, record), started)


def runs(limit: int | None = None) -> list[RunRecord]:
    """The runs that were kept, newest first: name, status, question, image, what was said."""
    return Runs(runs_place()).all(limit)


def _call(
    plan: Plan,
    request: Request | None,
    image: ImageLike,
    loaded: Models,
    models: str | Models | None,
    gsd: float | None,
    after: ImageLike | None,
    align: bool,
    **more: Any,
) -> Call:
    dates = check_dates(plan, after is not None, loaded.grounder)
    spec = "" if isinstance(models, Models) else models
    if after is None:
        broader = _check_phrases(plan, loaded)
        scene, notes = _with_known_gsd(open_scene(image, gsd), loaded)
        return Call(plan, request, scene, loaded, spec, notes=(*plan.notes, *broader, *notes), **more)
    scenes = [_with_known_gsd(open_scene(each, gsd), loaded) for each in (image, after)]
    with listening(more["listeners"].progress):
        loaded, pair = over_pair(loaded, scenes[0][0], scenes[1][0], align=align)
    notes = (*plan.notes, *dates, *_check_phrases(plan, loaded), *scenes[0][1], *scenes[1][1], *pair.notes)
    return Call(plan, request, pair.after, loaded, spec, pair=pair, notes=tuple(dict.fromkeys(notes)), **more)


def _with_known_gsd(scene: Scene, models: Models) -> tuple[Scene, tuple[str, ...]]:
    """The scene with the ground sample distance that the grounder knows, where neither file nor user gave one."""
    tell = getattr(models.grounder, "gsd_m", None)
    known = tell(scene) if tell is not None and scene.gsd_m is None else None
    if known is None:
        return scene, ()
    return scene.with_gsd(known), (f"ground sample distance {known:.3g} m from the annotation",)


def _finished(call: Call, answer: Answer, started: float, **timings: float) -> Answer:
    answer.timings.update(timings, total=time.perf_counter() - started)
    return finish(call, answer)


def _scene_of(record: RunRecord, image: ImageLike | None) -> Scene:
    """The scene of a kept run."""
    saved = record.call
    if image is None and not record.image:
        raise UsageError(f"the run {record.run_id!r} was asked of pixels in memory; give them: resume(..., image=...)")
    scene = Scene.open(record.image, bands=saved["image_bands"]) if image is None else open_scene(image)
    gsd = saved["gsd_xy_m"]
    return scene if gsd is None or scene.gsd_xy_m == tuple(gsd) else scene.with_gsd(gsd[0])


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)


def _loaded(models: str | Models | None) -> Models:
    return models if isinstance(models, Models) else load_models(models)


def _check_phrases(plan: Plan, models: Models) -> tuple[str, ...]:
    """Tells an unknown phrase before any pixel is read, with its place in the query; notes on broader classes taken."""
    notes: list[str] = []
    for step in plan.steps:
        for phrase in step.args.get("phrases", ()) if step.tool == "ground" else ():
            try:
                names = [repr(name) for name in models.grounder.resolve(str(phrase)) if is_broader(str(phrase), name)]
            except UnknownPhrase as error:
                error.place_in(plan.query or "")
                raise
            if names:
                taken = f"{' and '.join(names)} was taken, which is broader"
                notes.append(f"{plural(str(phrase))} are not told apart by the grounder: {taken}")
    return tuple(dict.fromkeys(notes))


def open_scene(image: ImageLike, gsd: float | None = None) -> Scene:
    """The scene of a path, an RGB array or a scene (whose ground sample distance `gsd` replaces when given)."""
    if isinstance(image, Scene):
        return image if gsd is None else image.with_gsd(gsd)
    if isinstance(image, np.ndarray):
        return Scene.from_array(image, gsd_m=gsd)
    if isinstance(image, str | Path):
        return Scene.open(image, gsd_m=gsd)
    raise UsageError(f"image must be a path, a Scene or an RGB array, not {type(image).__name__}")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no plan file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the plan file {str(path)!r} cannot be read: {error}") from None


def _check_out(out: str | Path | None) -> None:
    """Tells trouble with the output folder before any work is done."""
    if out is not None:
        check_output_dir(Path(out))
