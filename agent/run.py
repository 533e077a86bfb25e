"""The front door: ask a question of an image, see its plan, run a plan that a person wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..core.conditions import Request
from ..core.errors import UnknownPhrase, UsageError
from ..core.plan import Plan
from ..core.progress import Listener, listening
from ..core.scene import Scene
from ..core.trace import Observation, SceneRecord, Trace
from ..tools.bands import CRISP, Bands
from ..tools.custom import ToolLike
from ..tools.models.spec import Models, load_models
from ..tools.registry import Context
from ..tools.toolbox import Toolbox
from .answer import Answer, Part, candidates_behind, data_inputs
from .class_names import adopt_class_names
from .explain import notes_on, say
from .graph import Results, execute
from .output import check_output_dir, write_outputs
from .parsers import parse_request
from .planner import make_plan

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
    return make_plan(parse_request(query, parser, chat).request, query)


def ask(
    image: ImageLike,
    query: str,
    *,
    parser: str = "auto",
    models: str | Models | None = None,
    gsd: float | None = None,
    out: str | Path | None = None,
    bands: Bands = CRISP,
    max_seconds: float | None = None,
    watch: Callable[[Observation], None] | None = None,
    progress: Listener | None = None,
    tools: Iterable[ToolLike] = (),
) -> Answer:
    """The answer to a request about one image.

    Args:
        image: path of a PNG, JPEG, TIFF or GeoTIFF; or an open `Scene`; or an RGB array (H, W, 3) uint8.
        query: the request in English, e.g. "segment the planes north of the two largest storage tanks".
        parser: what reads the request: `grammar`; `llm`, the chat model of `models`; or `auto`, the grammar when it
            understands every word, else the chat model when there is one.
        models: backends by role, e.g. "grounder=oracle:instances.json"; None takes the embedded models.
        gsd: ground sample distance in metres per pixel; goes before what the file says.
        out: folder for overlay.png, regions.geojson, regions.gpkg (georeferenced scenes) and trace.json.
        bands: how borderline geometry is judged: `CRISP` (default) or `STRICT` (benchmark rules).
        max_seconds: no step starts later than this; what was done is kept.
        watch: called with each step's observation as it is made.
        progress: called as progress(what, done, total) during long work.
        tools: tools of your own (functions decorated with `surveyor.tool`) that steps may name.

    Raises:
        UsageError: input that can't be used: unreadable image, request not understood, phrase unknown to the grounder.

    Example:
        >>> import surveyor
        >>> scene = surveyor.draw_scene("harbour", seed=3)
        >>> answer = surveyor.ask(scene.image_rgb, "how many ships are there?")
        >>> answer.count == len(answer.regions)
        True
    """
    started = time.perf_counter()
    _check_out(out)
    loaded = _loaded(models)
    found = parse_request(query, parser, loaded.chat)
    request = adopt_class_names(found.request, loaded.grounder.knows())
    steps = make_plan(request, query)
    parsed = time.perf_counter() - started
    answer = _answer(steps, request, image, loaded, gsd, bands, max_seconds, watch, progress, Toolbox.of(tools))
    answer.timings["parse"] = parsed
    answer = replace(answer, trace=answer.trace.model_copy(update={"parsing": found.record()}))
    return _finish(answer, started, out)


def run(
    plan: Plan | str | Path,
    image: ImageLike,
    *,
    models: str | Models | None = None,
    gsd: float | None = None,
    out: str | Path | None = None,
    bands: Bands = CRISP,
    max_seconds: float | None = None,
    watch: Callable[[Observation], None] | None = None,
    progress: Listener | None = None,
    tools: Iterable[ToolLike] = (),
    request: Request | None = None,
) -> Answer:
    """The answer of a plan that a person wrote or edited (a `Plan`, or the path of its YAML). Arguments as in `ask`.

    `request` is the typed tree that the plan was made from, where there is one: what the wording promises is checked.
    """
    started = time.perf_counter()
    _check_out(out)
    if not isinstance(plan, Plan):
        plan = Plan.from_yaml(_read_text(Path(plan)))
    toolbox = Toolbox.of(tools)
    answer = _answer(plan, request, image, _loaded(models), gsd, bands, max_seconds, watch, progress, toolbox)
    return _finish(answer, started, out)


def _answer(
    plan: Plan,
    request: Request | None,
    image: ImageLike,
    models: Models,
    gsd: float | None,
    bands: Bands,
    max_seconds: float | None,
    watch: Callable[[Observation], None] | None,
    progress: Listener | None,
    toolbox: Toolbox,
) -> Answer:
    _check_phrases(plan, models)
    opening = time.perf_counter()
    scene = open_scene(image, gsd)
    context = Context(scene=scene, grounder=models.grounder, segmenter=models.segmenter, bands=bands)
    opened = time.perf_counter()
    with listening(progress):
        results = execute(plan, context, watch=watch, max_seconds=max_seconds, tools=toolbox)
    timings = {"open": opened - opening, "steps": time.perf_counter() - opened}
    return _compose(plan, request, scene, models.names() | toolbox.used_by(plan), results, timings)


def _loaded(models: str | Models | None) -> Models:
    return models if isinstance(models, Models) else load_models(models)


def _compose(
    plan: Plan,
    request: Request | None,
    scene: Scene,
    models: dict[str, str],
    results: Results,
    timings: dict[str, float],
) -> Answer:
    observations = results.in_order(plan)
    parts = tuple(_part(step_id, plan, scene, results) for step_id in plan.outputs)
    notes = notes_on(plan, request, scene, results)
    failures = _failures(plan, observations)
    text = " ".join(part.text for part in parts)
    trace = Trace(
        surveyor=__version__,
        query=plan.query,
        request=None if request is None else request.model_dump(mode="json"),
        scene=_scene_record(scene),
        models=models,
        plan=plan,
        observations=observations,
        failure=failures,
    )
    return Answer(
        query=plan.query,
        text=text,
        parts=parts,
        plan=plan,
        observations=observations,
        trace=trace,
        scene=scene,
        notes=notes,
        references=_references(plan, results),
        failure=failures,
        timings=timings,
    )


def _part(step_id: str, plan: Plan, scene: Scene, results: Results) -> Part:
    step = plan.step(step_id)
    candidates = candidates_behind(step, plan, results)
    value = results.values.get(step_id)
    return Part(step, say(step, plan, scene, results, candidates), candidates, value)


def _failures(plan: Plan, observations: Sequence[Observation]) -> str | None:
    """One line when an output has no value, else None. A step that failed without hurting an output is no failure."""
    missing = [o for o in observations if o.step in plan.outputs and o.status in ("failed", "skipped") and not o.result]
    broken = [o for o in observations if o.status == "failed"]
    stopped = [o for o in missing if o.status == "skipped" and o.because and "time was used up" in o.because]
    if not missing or not (broken or stopped):
        return None
    reasons = [f"{o.instruction or o.step}: {o.failure}" for o in broken] or [o.because or "" for o in stopped]
    return "; ".join(reasons)


def _references(plan: Plan, results: Results) -> tuple[Any, ...]:
    """The sets that relations of the plan refer to, for drawing."""
    names = {source for step in plan.steps for name, source in step.inputs.items() if name not in data_inputs(step)}
    return tuple(results.values[name] for name in sorted(names) if name in results.values)


def _scene_record(scene: Scene) -> SceneRecord:
    return SceneRecord(
        name=scene.name,
        path=None if scene.path is None else str(scene.path),
        size_wh=(int(scene.size_wh[0]), int(scene.size_wh[1])),
        gsd_m=scene.gsd_m,
        crs=None if scene.crs is None else str(scene.crs),
        digest=scene.digest,
    )


def _check_phrases(plan: Plan, models: Models) -> None:
    """Tells an unknown phrase before any pixel is read, with its place in the query."""
    for step in plan.steps:
        for phrase in step.args.get("phrases", ()) if step.tool == "ground" else ():
            try:
                models.grounder.resolve(str(phrase))
            except UnknownPhrase as error:
                query = plan.query or ""
                start = query.lower().find(str(phrase).lower())
                error.query = query
                error.spans = ((start, start + len(str(phrase))),) if start >= 0 else ()
                raise


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


def _finish(answer: Answer, started: float, out: str | Path | None) -> Answer:
    answer.timings["total"] = time.perf_counter() - started
    if out is not None:
        write_outputs(answer, answer.scene, Path(out))
    return answer
