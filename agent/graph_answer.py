"""From the results of a run to its answer: parts, notes, what went wrong, the trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import __version__
from ..core.conditions import Request
from ..core.plan import Plan
from ..core.regions import CandidateSet
from ..core.scene import Scene
from ..core.trace import Observation, ParseRecord, SceneRecord, Trace
from ..core.wording import words
from .answer import Answer, Part, candidates_behind, data_inputs
from .explain import say
from .explain_notes import notes_on
from .graph_step import Results


def compose(
    plan: Plan,
    request: Request | None,
    scene: Scene,
    models: Mapping[str, str],
    results: Results,
    timings: dict[str, float],
    *,
    run_id: str | None = None,
    parsing: ParseRecord | None = None,
) -> Answer:
    """The answer of a run, with its trace.

    Args:
        models: role -> name, for the trace.
        results: of `graph.execute`; steps may be missing.
        timings: seconds by stage; kept in the answer, to be added to.
    """
    observations = results.in_order(plan)
    parts = tuple(_part(step_id, plan, scene, results) for step_id in plan.outputs)
    failure = _failure(plan, observations)
    trace = Trace(
        surveyor=__version__,
        run_id=run_id,
        query=plan.query,
        request=None if request is None else request.model_dump(mode="json"),
        parsing=parsing,
        scene=_scene_record(scene),
        models=dict(models),
        plan=plan,
        observations=observations,
        failure=failure,
    )
    return Answer(
        query=plan.query,
        text=" ".join(part.text for part in parts),
        parts=parts,
        plan=plan,
        observations=observations,
        trace=trace,
        scene=scene,
        notes=(*_reading(parsing, request), *notes_on(plan, request, scene, results), *_choices(plan, results)),
        references=_references(plan, results),
        failure=failure,
        timings=timings,
    )


def _reading(parsing: ParseRecord | None, request: Request | None) -> tuple[str, ...]:
    """That a language model read the question, and as what; for the grammar, which words it left aside."""
    if parsing is None or parsing.model is None or request is None:
        return () if parsing is None else parsing.notes
    respelt = "".join(f", {wrong!r} as {right!r}" for wrong, right in parsing.respelt)
    return (f"The question was read by {parsing.model} as: {words(request)}{respelt}.", *parsing.notes)


def _part(step_id: str, plan: Plan, scene: Scene, results: Results) -> Part:
    step = plan.step(step_id)
    candidates = candidates_behind(step, plan, results)
    return Part(step, say(step, plan, scene, results, candidates), candidates, results.values.get(step_id))


def _failure(plan: Plan, observations: Sequence[Observation]) -> str | None:
    """One line when an output has no value, else None. A step that failed without hurting an output is no failure."""
    missing = [o for o in observations if o.step in plan.outputs and o.status in ("failed", "skipped") and not o.result]
    broken = [o for o in observations if o.status == "failed"]
    stopped = [o.because for o in observations if o.status == "skipped" and (o.because or "").startswith("the run")]
    declined = [f"{o.instruction or o.step}: {o.because}" for o in observations if o.because == DECLINED]
    if not missing or not (broken or stopped or declined):
        return None
    reasons = [f"{o.instruction or o.step}: {o.failure}" for o in broken] or [str(why) for why in stopped] or declined
    return "; ".join(dict.fromkeys(reasons))


DECLINED = "the answer was not to do it"


def _choices(plan: Plan, results: Results) -> Iterator[str]:
    """Which of several things was taken for one that the words speak of."""
    for step in plan.steps:
        source = step.inputs.get("candidates")
        before, after = results.values.get(source or ""), results.values.get(step.id)
        if not step.id.startswith("choose_") or not isinstance(before, CandidateSet):
            continue
        if isinstance(after, CandidateSet) and len(before.kept) > 1 and len(after.kept) == 1:
            yield f"{step.instruction}: {after.kept[0].region.id} of {len(before.kept)}"


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
