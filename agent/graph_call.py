"""One call of the front door, from its arguments to the answer: store, budget, record of the run, resume."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.budget import Budget
from ..core.conditions import Request
from ..core.errors import NeedsAnswer, UsageError
from ..core.pair import ScenePair
from ..core.plan import Plan, Step
from ..core.progress import Listener, listening
from ..core.questions import Answerer, Question
from ..core.scene import Scene
from ..core.trace import Observation, ParseRecord
from ..tools.bands import CRISP, STRICT, Bands
from ..tools.models.spec import Models
from ..tools.registry import Context
from ..tools.toolbox import Toolbox
from .answer import Answer
from .graph import Results, Running, execute
from .graph_answer import compose
from .graph_checkpoints import checkpoints
from .graph_choices import OnAmbiguous, with_choices
from .graph_events import Event, OnEvent
from .graph_keys import program_digest
from .output import write_outputs
from .pairs import before_record, saved_pair
from .store import Store, open_store
from .store_runs import RunRecord, Runs, is_postgres, runs_place


@dataclass(frozen=True)
class Listeners:
    """Who is told what while a run is at work. All may be called from several threads."""

    watch: Callable[[Observation], None] | None = None
    progress: Listener | None = None
    on_event: OnEvent | None = None


@dataclass(frozen=True)
class Call:
    """All that one run needs; see `run.ask` for what each is.

    Args:
        spec: the models as they were written, None for the embedded ones; "" when they were given as objects.
        notes: what was taken for granted before the run, for the answer's notes.
        pair: both dates, of which `scene` is the later one; None for one image. The models look at both.
    """

    plan: Plan
    request: Request | None
    scene: Scene
    models: Models
    spec: str | None = None
    toolbox: Toolbox = field(default_factory=Toolbox)
    bands: Bands = CRISP
    out: Path | None = None
    budget: Budget = field(default_factory=Budget)
    cache: bool | str | Path | Store = True
    cancel: threading.Event = field(default_factory=threading.Event)
    run_id: str = ""
    mark: str = ""
    answer: Answerer | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    confirm_tiles: int | None = None
    parsing: ParseRecord | None = None
    notes: tuple[str, ...] = ()
    pair: ScenePair | None = None
    listeners: Listeners = field(default_factory=Listeners)

    @property
    def context(self) -> Context:
        """What the tools get: the scene, and each model that the context has a place for."""
        places = {place.name for place in fields(Context)}
        models = {role: model for role, model in vars(self.models).items() if role in places}
        return Context(scene=self.scene, bands=self.bands, **models)


def answer_of(call: Call, on_ambiguous: OnAmbiguous = "all") -> Answer:
    """The answer of a new run.

    Raises:
        UsageError: the plan cannot run, or a question may come up that nobody could answer.
        NeedsAnswer: the run waits for an answer.
    """
    call = replace(call, plan=with_choices(call.plan, on_ambiguous))
    if not call.run_id:
        if call.answer is None and (on_ambiguous == "ask" or call.confirm_tiles is not None):
            raise UsageError(
                "a question may come up that nobody could answer: give answer= (a function of the question), "
                "or run_id=, so that the run can wait for its answer"
            )
        return _answered(call, *_execute(call, None))
    runs = Runs(runs_place())
    with runs.at_work(call.run_id):
        now = time.time()
        call = replace(call, mark=f"{call.run_id} {now!r}")
        path = "" if call.scene.path is None else str(call.scene.path.resolve())
        query = call.plan.query or ""
        runs.add(RunRecord(call.run_id, "running", query, path, now, now, _saved(call)))
        for old in runs.too_old():
            forget(runs, old)
        return _recorded(call, runs)


def resumed(call: Call, runs: Runs, record: RunRecord) -> Answer:
    """The answer of a run that is taken up again; `call` is made from its record. The caller holds the run's lock."""
    made_with = {name: record.call[name] for name in ("program", "versions")}
    stale = made_with != {"program": program_digest(), "versions": _versions(call.models)}
    if stale or record.status == "failed":  # begins again; what still holds is found in the store
        with checkpoints(runs.place) as saver:
            saver.delete_thread(call.run_id)
        runs.change(call.run_id, call={**record.call, **_saved(call)})
    return _recorded(call, runs)


def forget(runs: Runs, run_id: str) -> None:
    """Removes a run and its checkpoints. Raises UsageError when there is none, or a process is at it."""
    runs.get(run_id)
    with runs.at_work(run_id), checkpoints(runs.place) as saver:
        saver.delete_thread(run_id)
        runs.remove(run_id)


def _recorded(call: Call, runs: Runs) -> Answer:
    """Runs it with checkpoints, and notes how it ended."""
    runs.change(call.run_id, status="running", answers=dict(call.answers), question=None)
    try:
        with checkpoints(runs.place) as saver:
            results, seconds = _execute(call, saver)
        answer = _answered(call, results, seconds)
    except NeedsAnswer as wait:
        runs.change(call.run_id, status="waiting", question=wait.question.to_dict(), said=str(wait.question))
        _tell(call, Event("asked", call.run_id, question=wait.question))
        raise
    except KeyboardInterrupt:
        runs.change(call.run_id, status="stopped", said="interrupted")
        raise
    except Exception as error:
        runs.change(call.run_id, status="failed", said=f"{error}")
        raise
    status = "stopped" if results.stopped else "failed" if answer.failure else "done"
    runs.change(call.run_id, status=status, said=results.stopped or answer.failure or answer.text)
    return answer


def _store_of(call: Call) -> Store | None:
    """Where results go. A run that is kept needs a place for them even when nothing is to be cached."""
    store = open_store(call.cache)
    return store if store is not None or not call.run_id else open_store() or Store(_values_folder())


def _execute(call: Call, saver: Any) -> tuple[Results, float]:
    """The results, and the seconds that the steps took."""
    started = time.perf_counter()
    store = _store_of(call)
    running = Running(
        store=store,
        look_up=call.cache is not False,
        budget=call.budget,
        cancel=call.cancel,
        run_id=call.run_id,
        mark=call.mark,
        saver=saver,
        ask=call.answer,
        answers=call.answers,
        confirm_tiles=call.confirm_tiles,
        started=lambda step: _tell(call, Event("started", call.run_id, step=step)),
    )
    _tell(call, Event("planned", call.run_id, plan=call.plan))
    with listening(_progress_of(call)):
        results = execute(call.plan, call.context, watch=_watch_of(call), tools=call.toolbox, running=running)
    if store is not None:
        store.trim()
        results.trouble, store.trouble = store.trouble, None
    return results, time.perf_counter() - started


def _values_folder() -> Path:
    """Where values of recorded runs go when there is no cache."""
    from platformdirs import user_state_path

    place = runs_place()
    return user_state_path("surveyor", appauthor=False) / "values" if is_postgres(place) else Path(f"{place}.values")


def _answered(call: Call, results: Results, steps_s: float) -> Answer:
    names = call.models.names() | call.toolbox.used_by(call.plan)
    answer = compose(
        call.plan,
        call.request,
        call.scene,
        names,
        results,
        {"steps": steps_s},
        run_id=call.run_id or None,
        parsing=call.parsing,
    )
    lost = () if results.trouble is None else (f"results could not be kept for later runs: {results.trouble}",)
    told = [note for step in results.in_order(call.plan) for note in step.notes]
    if call.pair is not None:
        before = before_record(call.pair, answer.trace.scene)
        answer = replace(answer, pair=call.pair, trace=answer.trace.model_copy(update={"before": before}))
    return replace(answer, notes=tuple(dict.fromkeys((*call.notes, *answer.notes, *told, *lost))))


def finish(call: Call, answer: Answer) -> Answer:
    """Writes the answer's files, if a folder was asked for, and tells that it is there."""
    if call.out is not None:
        write_outputs(answer, answer.scene, call.out)
    _tell(call, Event("answered", call.run_id, answer=answer))
    return answer


# ---- telling -----------------------------------------------------------------------------------------------------


def _tell(call: Call, event: Event) -> None:
    if call.listeners.on_event is not None:
        call.listeners.on_event(event)


def _watch_of(call: Call) -> Callable[[Observation], None]:
    steps: dict[str, Step] = {step.id: step for step in call.plan.steps}

    def watch(observation: Observation) -> None:
        if call.listeners.watch is not None:
            call.listeners.watch(observation)
        _tell(call, Event("finished", call.run_id, step=steps[observation.step], observation=observation))

    return watch


def _progress_of(call: Call) -> Listener | None:
    listener, on_event = call.listeners.progress, call.listeners.on_event
    if on_event is None:
        return listener

    def both(what: str, done: int, total: int) -> None:
        if listener is not None:
            listener(what, done, total)
        on_event(Event("progress", call.run_id, what=what, done=done, total=total))

    return both


# ---- what is kept of a call --------------------------------------------------------------------------------------


def _saved(call: Call) -> dict[str, Any]:
    """What `resume` needs, as JSON types."""
    scene, names = call.scene, {CRISP: "crisp", STRICT: "strict"}
    return {
        "surveyor": __version__,
        "program": program_digest(),
        "plan": call.plan.model_dump(mode="json"),
        "request": None if call.request is None else call.request.model_dump(mode="json"),
        "parsing": None if call.parsing is None else call.parsing.model_dump(mode="json"),
        "digest": scene.digest,
        "pair": saved_pair(call.pair),
        "notes": list(call.notes),
        "gsd_xy_m": None if scene.gsd_xy_m is None else list(scene.gsd_xy_m),
        "image_bands": None if scene.bands is None else list(scene.bands),
        "models": call.spec,
        "versions": _versions(call.models),
        "bands": next((name for bands, name in names.items() if bands == call.bands), ""),
        "out": None if call.out is None else str(call.out.resolve()),
        "cache": call.cache is not False,
        "confirm_tiles": call.confirm_tiles,
        "budget": vars(call.budget),
    }


def _versions(models: Models) -> dict[str, str]:
    roles = {role: getattr(models, role) for role in vars(models) if getattr(models, role) is not None}
    return {role: f"{model.name} {getattr(model, 'version', '')}".strip() for role, model in roles.items()}


def call_of(record: RunRecord, scene: Scene, models: Models, bands: Bands | None, **more: Any) -> Call:
    """The call that a record was made from, with what the caller gives anew.

    Raises:
        UsageError: the image is another one, or the run had ambiguity bands of its own that were not given.
    """
    saved = record.call
    if scene.digest != saved["digest"]:
        raise UsageError(
            f"the image of the run {record.run_id!r} has changed since ({record.image or scene.name}); ask again"
        )
    known = {"crisp": CRISP, "strict": STRICT}.get(saved["bands"])
    if bands is None and known is None:
        raise UsageError(f"the run {record.run_id!r} had bands of its own; give them: resume(..., bands=...)")
    return Call(
        plan=Plan.model_validate(saved["plan"]),
        request=None if saved["request"] is None else Request.model_validate(saved["request"]),
        parsing=None if saved["parsing"] is None else ParseRecord.model_validate(saved["parsing"]),
        scene=scene,
        notes=tuple(saved.get("notes", ())),
        models=models,
        spec=saved["models"],
        bands=bands or known or CRISP,
        run_id=record.run_id,
        mark=f"{record.run_id} {record.made!r}",
        confirm_tiles=saved["confirm_tiles"],
        **more,
    )


def answers_with(record: RunRecord, answer: str | None) -> dict[str, str]:
    """The record's answers and the new one. Raises UsageError when it answers nothing, or is none of the options."""
    if answer is None:
        return record.answers
    if record.question is None:
        raise UsageError(f"the run {record.run_id!r} has asked nothing; resume it without an answer")
    question = Question.from_dict(record.question)
    return {**record.answers, question.step: question.checked(answer)}
