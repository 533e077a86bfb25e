"""Answers in words: what was found, what left nothing over, and why each region was kept or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.conditions import And, Compare, Condition, Node, Not, Pick, Relation, Request, Selection, walk
from ..core.lexicon import is_broader, plural
from ..core.plan import Plan, Step
from ..core.regions import CandidateSet
from ..core.scene import Scene
from ..core.wording import selecting, words
from ..core.wording_tables import SUMMARIES
from ..tools.registry import TOOLS, PickArguments, SelectArguments
from ..tools.values import Count, Measurement, Measurements, Truth
from .graph import Results
from .summary import verdict_word

if TYPE_CHECKING:
    from .answer import Answer
    from .explanation import Explanation

_OWN = frozenset(tool.name for tool in TOOLS)
SHOWN = 6
"""How many regions or values a sentence names one by one."""


def explain(answer: Answer, region_id: str | None = None) -> Explanation:
    """Why the answer is what it is, or why one region is in it or not; short for `answer.explain(region_id)`.

    Raises:
        UsageError: no candidate has that id.
    """
    return answer.explain(region_id)


def say(step: Step, plan: Plan, scene: Scene, results: Results, candidates: CandidateSet) -> str:
    """The result of an output step in one or two sentences."""
    value = results.values.get(step.id)
    observation = results.observations.get(step.id)
    if value is None:
        why = "it was not run" if observation is None else observation.failure or observation.because or "no result"
        return f"No answer to {step.instruction or step.id!r}: {why}."
    if isinstance(value, CandidateSet) and not value.kept and value.undecided:
        n = len(value.undecided)
        return f"Unknown: {n} of {len(value)} could not be decided, and no other fits."
    if isinstance(value, CandidateSet):
        done = "Segmented" if step.tool == "segment" and value.kept else "Found"
        found = f"{done} {_amount(step, plan, len(value.kept))}{_names(value)}."
        return found + _reason_for_none(value, plan, results, step)
    if isinstance(value, Count) and step.args.get("per"):
        return f"{_of_groups(value, str(step.args['per']))}: {_amount(step, plan, len(candidates.kept))}."
    if isinstance(value, Count):
        more = f", and {value.undecided} that could not be decided" if value.undecided else ""
        if step.tool not in _OWN:  # a tool of the user's may count anything
            return f"{(step.instruction or step.tool).capitalize()}: {value.n}{more}."
        amount = _amount(step, plan, value.n).capitalize()
        amount = amount if amount[:1].isdigit() or not value.n else f"{value.n}: {amount[0].lower()}{amount[1:]}"
        return f"{amount}{more}.{_reason_for_none(candidates, plan, results, step)}"
    if isinstance(value, Truth):
        lead = verdict_word(value.verdict).capitalize()
        if step.tool not in _OWN:
            return f"{lead}: {value.reason}."
        return f"{lead}: {_for_each(step, plan, results) or _counted(step, plan, results) or value.reason}."
    if isinstance(value, Measurements):
        return _measured(value, step, plan)
    return value.text


def _amount(step: Step, plan: Plan, n: int) -> str:
    """ "3 planes longer than 40 m", "no planes longer than 40 m"."""
    selection = selection_of(step, plan)
    if selection is None:
        return f"{n or 'no'} region{'' if n == 1 else 's'}"
    if selection.picks:
        return words(selection) if n else f"nothing to call {words(selection)}"
    if n == 1:
        return f"1 {words(selection.model_copy(update={'expected': 1})).removeprefix('the ').removeprefix('one ')}"
    return f"{n or 'no'} {words(selection.model_copy(update={'expected': None}))}"


def _of_groups(value: Count, form: str) -> str:
    more = f", and {value.undecided} that could not be decided" if value.undecided else ""
    return f"{value.n or 'No'} {form}{'' if value.n == 1 else 's'}{more}"


def _for_each(step: Step, plan: Plan, results: Results) -> str:
    """What is behind "are all planes white?": "2 of 5 planes are not white"; '' for other questions."""
    test = step.args.get("test", {})
    last = plan.step(step.inputs["candidates"]) if (test.get("op"), test.get("n")) == ("==", 0) else step
    condition = SelectArguments.model_validate(last.args).condition if last.tool == "select" else None
    before = results.values.get(last.inputs["candidates"]) if condition is not None else None
    after = results.values.get(last.id)
    if not (isinstance(condition, Not) and isinstance(before, CandidateSet) and isinstance(after, CandidateSet)):
        return ""
    number, against = len(before.open), len(after.kept)
    if not number or after.undecided:
        return ""
    what = selecting(condition.condition).removeprefix("select ").removeprefix("those ").removeprefix("that are ")
    named = _amount(plan.step(last.inputs["candidates"]), plan, number)
    if against:
        share = named if against == number else f"{against} of {named}"
        return f"{share} {'is' if against == 1 else 'are'} not {what}"
    return f"{'all ' if number > 1 else ''}{named} {'is' if number == 1 else 'are'} {what}"


def _counted(step: Step, plan: Plan, results: Results) -> str:
    """The numbers behind a yes or no."""
    parts = []
    for name in ("candidates", "a", "b"):
        if name in step.inputs:
            source = plan.step(step.inputs[name])
            found = results.values[source.id]
            assert isinstance(found, CandidateSet)
            unsure = f" (and {len(found.undecided)} undecided)" if found.undecided else ""
            parts.append(f"{_amount(source, plan, len(found.kept))}{unsure}")
    return " and ".join(parts)


def _names(value: CandidateSet) -> str:
    ids = [c.region.id for c in value.kept]
    return (
        "" if not ids else ": " + ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
    )


def _measured(value: Measurements, step: Step, plan: Plan) -> str:
    if value.overall is not None:
        return _summarised(value, value.overall, step, plan)
    if not value.items:
        return f"Found {_amount(step, plan, 0)}, so there is nothing to measure."
    attribute = value.items[0].attribute
    known = [item for item in value.items if item.value is not None]
    if not known:
        return f"The {attribute} of {_amount(step, plan, len(value.items))} is unknown."
    shown = ", ".join(f"{item.region_id} {_number(item.value)} {item.unit}".rstrip() for item in known[:SHOWN])
    if len(known) == 1 and len(value.items) == 1:
        return f"The {attribute} of {shown.replace(' ', ' is ', 1)}."
    numbers = [item.value for item in known if item.value is not None]
    spread = f"{_number(min(numbers))} to {_number(max(numbers))} {known[0].unit}".rstrip()
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"The {attribute} of {_amount(step, plan, len(value.items))}: {spread} ({shown}{more})."


def _summarised(value: Measurements, overall: Measurement, step: Step, plan: Plan) -> str:
    told = f"The {SUMMARIES[value.summary]} {overall.attribute}" if value.summary else overall.attribute
    of = f"{told} of {_amount(step, plan, len(value.items))}"
    if overall.value is None:
        return f"{of} is unknown."
    return f"{of} is {_number(overall.value)} {overall.unit}".rstrip() + "."


def _number(value: float | None) -> str:
    assert value is not None
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _reason_for_none(value: CandidateSet, plan: Plan, results: Results, step: Step) -> str:
    """What left nothing over, when nothing is kept."""
    if value.kept:
        return ""
    if not len(value):
        return " Nothing of that kind was found in the image."
    looked = f" {len(value)} {'was' if len(value) == 1 else 'were'} looked at;"
    for each in _chain(step, plan):
        observation = results.observations.get(each.id)
        if observation is not None and observation.emptied_by:
            return f"{looked} {observation.emptied_by!r} left none."
    return f"{looked} {len(value.undecided)} could not be decided." if value.undecided else f"{looked} none fits."


# ---- the selection that a chain of steps stands for --------------------------------------------------------------


def selection_of(step: Step, plan: Plan) -> Selection | None:
    """The selection that leads to a step's set, read back from the plan; None where the chain has no plain wording."""
    phrases: tuple[str, ...] = ()
    conditions: list[Condition] = []
    picks: list[Pick] = []
    for each in _chain(step, plan):
        if each.tool == "ground":
            phrases = tuple(each.args["phrases"])
        elif each.tool == "select":
            if picks:
                return None
            conditions.append(SelectArguments.model_validate(each.args).condition)
        elif each.tool == "pick":
            picks.append(PickArguments.model_validate(each.args).pick)
        elif each.tool not in _OWN:
            return None  # a tool of the user's: what it leaves has no plain wording
    if not phrases:
        return None
    where = None if not conditions else conditions[0] if len(conditions) == 1 else And(conditions=tuple(conditions))
    return Selection(phrases=phrases, where=where, picks=tuple(picks))


def _chain(step: Step, plan: Plan) -> list[Step]:
    """The step and those above it along `candidates`, first one first."""
    chain = [step]
    while "candidates" in chain[0].inputs:
        chain.insert(0, plan.step(chain[0].inputs["candidates"]))
    return chain


# ---- notes -------------------------------------------------------------------------------------------------------


def notes_on(plan: Plan, request: Request | None, scene: Scene, results: Results) -> tuple[str, ...]:
    """What a careful reader should know: missing metres, other numbers than the wording promised, close calls."""
    notes = [*_missing_metres(plan, scene), *_not_north_up(scene), *_unexpected_targets(plan, request, results)]
    notes += _unexpected_references(plan, results)
    notes += _broader_classes(plan, results)
    close = {
        c.region.id
        for value in results.values.values()
        if isinstance(value, CandidateSet)
        for c in value
        if c.borderline
    }
    if close:
        shown = ", ".join(sorted(close)[:SHOWN]) + (" …" if len(close) > SHOWN else "")
        notes.append(f"{len(close)} close {'call' if len(close) == 1 else 'calls'} (borderline): {shown}")
    notes += _doubted(results)
    return tuple(dict.fromkeys(notes))


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


def _broader_classes(plan: Plan, results: Results) -> Iterator[str]:
    """Phrases that the grounder could only answer with a broader class."""
    for step in plan.steps:
        value = results.values.get(step.id)
        if step.tool != "ground" or not isinstance(value, CandidateSet):
            continue
        labels = sorted({c.region.label for c in value})
        for phrase in step.args.get("phrases", ()):
            names = [label for label in labels if is_broader(str(phrase), label)]
            if names:
                shown = " and ".join(repr(name) for name in names)
                yield f"{plural(str(phrase))} are not told apart by the grounder: {shown} was taken, which is broader"


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
    for step in plan.steps:
        for node in _conditions(Plan(steps=(step,), outputs=(step.id,))):
            if isinstance(node, Selection) and (source := step.inputs.get(words(node))):
                value = results.values.get(source)
                if isinstance(value, CandidateSet) and not node.picks:
                    yield from _mismatch(node, value, reference=True)


def _mismatch(selection: Selection, value: CandidateSet, reference: bool = False) -> Iterator[str]:
    expected, found = selection.expected, len(value.kept)
    if expected is None or expected == found:
        return
    effect = "any of them counts" if reference and found else "so no relation to it can hold" if reference else ""
    yield f"the request says {words(selection)!r}; found {found}" + (f" ({effect})" if effect else "")
