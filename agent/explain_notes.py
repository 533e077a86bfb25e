"""Notes to an answer: what a careful reader should know besides the sentence."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.conditions import Compare, Node, Provided, Relation, Request, Selection, walk
from ..core.plan import Plan, Step
from ..core.regions import Candidate, CandidateSet
from ..core.scene import Scene
from ..core.wording import words
from ..tools.registry import PickArguments, SelectArguments
from .contradictions import contradictions_in
from .explain_chain import SHOWN, named
from .explain_none import none_found
from .explaining import conditions_of, needs_gsd, remedy_of
from .graph import Results


def notes_on(plan: Plan, request: Request | None, scene: Scene, results: Results) -> tuple[str, ...]:
    """What a careful reader should know: missing metres, other numbers than the wording promised, close calls."""
    notes = [
        f"{first!r} and {second!r} exclude each other: nothing can meet both"
        for first, second in contradictions_in(plan)
    ]
    notes += [*_missing_metres(plan, scene), *_not_north_up(scene), *_unexpected_targets(plan, request, results)]
    notes += _unexpected_references(plan, results)
    close = {c.region.id for value in _last_sets(plan, results) for c in value if _is_close(c)}
    if close:
        shown = ", ".join(sorted(close)[:SHOWN]) + (" …" if len(close) > SHOWN else "")
        notes.append(f"{len(close)} close {'call' if len(close) == 1 else 'calls'} (borderline): {shown}")
    notes += _unknown(plan, scene, results)
    notes += _doubted(results)
    return tuple(dict.fromkeys(notes))


def _last_sets(plan: Plan, results: Results) -> Iterator[CandidateSet]:
    """The sets that no later step narrows down."""
    narrowed = {step.inputs.get("candidates") for step in plan.steps if _gives_a_set(step, results)}
    for name, value in results.values.items():
        if isinstance(value, CandidateSet) and name not in narrowed:
            yield value


def _gives_a_set(step: Step, results: Results) -> bool:
    return isinstance(results.values.get(step.id), CandidateSet)


def _is_close(candidate: Candidate) -> bool:
    """Whether its fate hangs on close calls: it is in, or only they keep it out."""
    against = {name for name, verdict in candidate.verdicts.items() if verdict is False}
    return bool(candidate.borderline) and against <= candidate.borderline


def _unknown(plan: Plan, scene: Scene, results: Results) -> Iterator[str]:
    """What would make known what is unknown; missing metres are told by themselves."""
    conditions = conditions_of(plan)
    for value in _last_sets(plan, results):
        for name, condition in conditions.items():
            open_ = [c for c in value.undecided if c.verdicts.get(name, False) is None]
            if open_ and not needs_gsd(condition, scene):
                remedy = remedy_of(condition, scene, open_[0].reasons.get(name, ""))
                yield f"{name!r} is unknown for {named(open_)}. To know: {remedy}"


def _doubted(results: Results) -> Iterator[str]:
    """What a second look described as something else; nothing is dropped for it."""
    sets = [value for value in results.values.values() if isinstance(value, CandidateSet)]
    seen = {c.region.id: c.verified for value in sets for c in value if c.verified is not None}
    doubted = [f"{name} ({second.reason})" for name, second in seen.items() if second.verdict is False]
    if doubted:
        shown = ", ".join(doubted[:SHOWN]) + (" …" if len(doubted) > SHOWN else "")
        are = "was" if len(doubted) == 1 else "were"
        yield f"{len(doubted)} of {len(seen)} {are} something else on a second look, and stay: {shown}"


def _conditions(plan: Plan) -> Iterator[Node]:
    for step in plan.steps:
        if step.tool == "select":
            yield from walk(SelectArguments.model_validate(step.args).condition)
        elif step.tool == "pick":
            yield from walk(PickArguments.model_validate(step.args).pick)


def _missing_metres(plan: Plan, scene: Scene) -> Iterator[str]:
    if scene.gsd_m is not None:
        return
    asked = [step.args.get("unit") for step in plan.steps if step.tool == "measure"]
    metric = [words(node) for node in _conditions(plan) if _is_metric(node)]
    quoted = [repr(text) for text in metric]
    quoted += [f"a size in {unit}" for unit in asked if unit not in (None, "px", "px2")]
    if quoted:
        yield f"{quoted[0]} needs the size of a pixel on the ground, which the image doesn't tell: give --gsd"


def _not_north_up(scene: Scene) -> Iterator[str]:
    if scene.north_up is False:
        yield "north is not up in this image: directions such as 'north of' and 'top' are those of the picture"


def _is_metric(node: Node) -> bool:
    if isinstance(node, Compare):
        return node.quantity.is_metric
    return isinstance(node, Relation) and node.distance is not None and node.distance.is_metric


def _unexpected_targets(plan: Plan, request: Request | None, results: Results) -> Iterator[str]:
    outputs = () if request is None else request.outputs
    for output, step_id in zip(outputs, plan.outputs, strict=False):
        step = plan.step(step_id)
        source = step if isinstance(results.values.get(step_id), CandidateSet) else None
        if source is None and "candidates" in step.inputs:
            source = plan.step(step.inputs["candidates"])
        value = None if source is None else results.values.get(source.id)
        if isinstance(value, CandidateSet) and not output.target.picks:
            yield from _mismatch(output.target, value)


def _unexpected_references(plan: Plan, results: Results) -> Iterator[str]:
    asked = any(step.args.get("asked") for step in plan.steps if step.tool == "check")
    for step in plan.steps:
        nodes = tuple(_conditions(Plan(steps=(step,), outputs=(step.id,))))
        provided = [node.reference for node in nodes if isinstance(node, Provided)]
        for node in nodes:
            if isinstance(node, Selection) and (source := step.inputs.get(words(node))):
                value = results.values.get(source)
                if not isinstance(value, CandidateSet) or node in provided:
                    continue
                observation = results.observations.get(step.id)
                if node.expected is None and not value.open:
                    if observation is not None and observation.emptied_by and not asked:
                        continue  # the sentence says so
                    yield f"{none_found(plan.step(source), plan, results)}, so no relation to them can hold"
                elif not node.picks:
                    yield from _mismatch(node, value, reference=True)


def _mismatch(selection: Selection, value: CandidateSet, reference: bool = False) -> Iterator[str]:
    expected, found = selection.expected, len(value.kept)
    if expected is None or expected == found:
        return
    effect = "any of them counts" if reference and found else "so no relation to it can hold" if reference else ""
    yield f"the request says {words(selection)!r}; found {found}" + (f" ({effect})" if effect else "")
