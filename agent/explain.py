"""Answers in words: what was found and measured, what left nothing over, and why each region was kept or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.plan import Plan, Step
from ..core.regions import CandidateSet
from ..core.scene import Scene
from ..core.wording import words
from ..core.wording_tables import SUMMARIES
from ..tools.values import Count, Measurement, Measurements, Truth
from .explain_chain import (
    OWN,
    SHOWN,
    amount,
    chain_of,
    condition_of,
    holds,
    is_just_called,
    named,
    one_called,
    one_of,
    plainly,
    selection_of,
)
from .explain_none import none_found, why_none
from .explain_truth import say_truth
from .graph import Results
from .parsing.noun import conjunction

if TYPE_CHECKING:
    from .answer import Answer
    from .explanation import Explanation


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
        return f"No answer to {step.instruction or step.id!r}: {why.rstrip('.')}."
    if isinstance(value, CandidateSet) and not value.kept and value.undecided:
        return _undecided(value, step, plan)
    if isinstance(value, CandidateSet):
        if not value.kept:
            return _none(f"Found {amount(step, plan, 0)}", step, plan, scene, results)
        done = "Segmented" if step.tool == "segment" else "Found"
        selection = selection_of(step, plan)
        if selection is not None and is_just_called(selection):
            return f"{done} {named(value.kept)}."
        if one_called(selection):
            return f"{done} {_one_called(step, plan)}."
        return f"{done} {amount(step, plan, len(value.kept))}: {named(value.kept)}."
    if isinstance(value, Count) and step.args.get("per"):
        groups = _of_groups(value, str(step.args["per"]))
        why = "" if candidates.open else why_none(step, plan, scene, results)
        return f"{groups}; {why}." if why else f"{groups} among {amount(step, plan, len(candidates.kept))}."
    if isinstance(value, Count):
        if not value.n and candidates.undecided and step.tool in OWN:
            return _undecided(candidates, step, plan)
        return _counted(value, step, plan, scene, results)
    if isinstance(value, Truth):
        return say_truth(value, step, plan, scene, results)
    if isinstance(value, Measurements):
        return _measured(value, step, plan, scene, results)
    if step.tool == "describe" and not candidates.open:
        return _none(f"Found {amount(step, plan, 0)}", step, plan, scene, results)
    return value.text


def _one_called(step: Step, plan: Plan) -> str:
    """ "ship-9, which is white"."""
    chain = [condition for each in chain_of(step, plan) if (condition := condition_of(each)) is not None]
    told = conjunction(chain[1:])
    assert told is not None
    return f"{one_called(selection_of(step, plan))}, which {holds(1, told)}"


def _undecided(found: CandidateSet, step: Step, plan: Plan) -> str:
    """ "Unknown: for 3 of 10 ships it cannot be told whether they are longer than 30 m; no other fits."."""
    open_ = found.undecided
    asked = [condition for each in chain_of(step, plan) if (condition := condition_of(each)) is not None]
    unknown = [c for c in asked if any(one.verdicts.get(words(c), False) is None for one in open_)]
    told = amount(chain_of(step, plan)[0], plan, len(found))
    if not unknown:  # a tool of the user's left it open
        return f"Unknown: {len(open_)} of {told} could not be decided, and no other fits."
    told_of = conjunction(unknown)
    assert told_of is not None
    it, rest = "it" if len(open_) == 1 else "they", len(found) > len(open_)
    whom, others = (f"{len(open_)} of {told}", "; no other fits") if rest else (told, "")
    return f"Unknown: for {whom} it cannot be told whether {it} {holds(len(open_), told_of)}{others}."


def _none(lead: str, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "Found no planes longer than 40 m; the longest of 12 planes, plane-3, is 38.2 m long."."""
    why = why_none(step, plan, scene, results)
    if why == f"{lead.removeprefix('Found ').lower()} were found":
        return f"{why[0].upper()}{why[1:]}."
    if why and one_called(selection_of(step, plan)):
        return f"None: {why}."
    return f"{lead}; {why}." if why else f"{lead}."


def _counted(value: Count, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    more = f", and {value.undecided} that could not be decided" if value.undecided else ""
    if step.tool not in OWN:  # a tool of the user's may count anything
        return f"{(step.instruction or step.tool).capitalize()}: {value.n}{more}."
    told = amount(step, plan, value.n)
    if not value.n and not value.undecided:
        return _none(f"{told[0].upper()}{told[1:]}", step, plan, scene, results)
    if value.n and one_called(selection_of(step, plan)):
        return f"{value.n}: {_one_called(step, plan)}{more}."
    if value.n and not told[0].isdigit():
        return f"{value.n}: {told}{more}."
    return f"{told[0].upper()}{told[1:]}{more}."


def _of_groups(value: Count, form: str) -> str:
    more = f", and {value.undecided} that could not be decided" if value.undecided else ""
    return f"{value.n or 'No'} {form}{'' if value.n == 1 else 's'}{more}"


# ---- measurements ------------------------------------------------------------------------------------------------


def _measured(value: Measurements, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    if not value.items:
        return _none(f"Found {amount(step, plan, 0)}", step, plan, scene, results)
    to, without = _measured_to(step, plan, results)
    if value.overall is not None:
        return _summarised(value, value.overall, step, plan, to, without)
    attribute = value.items[0].attribute
    known = [item for item in value.items if item.value is not None]
    if not known:
        selection = selection_of(step, plan)
        alone = len(value.items) == 1 and selection is not None and not selection.picks
        whose = value.items[0].region_id if alone else amount(step, plan, len(value.items))
        return f"The {attribute} {_from(to)} {whose}{to} is unknown{without}."
    if len(value.items) == 1:
        return _measured_one(known[0], attribute, step, plan, to)
    several = len({item.to for item in known}) > 1
    shown = ", ".join(
        f"{item.region_id} {_with_unit(item)}{f' to {item.to}' if several else ''}" for item in known[:SHOWN]
    )
    numbers = [item.value for item in known if item.value is not None]
    least, most = _number(min(numbers)), _number(max(numbers))
    spread = f"{least if least == most else f'{least} to {most}'} {known[0].unit}".rstrip()
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"The {attribute} {_from(to)} {amount(step, plan, len(value.items))}{to}: {spread} ({shown}{more})."


def _summarised(value: Measurements, overall: Measurement, step: Step, plan: Plan, to: str, without: str) -> str:
    told = f"The {SUMMARIES[value.summary]} {overall.attribute}" if value.summary else overall.attribute
    of = f"{told} {_from(to)} {amount(step, plan, len(value.items))}{to}"
    return f"{of} is unknown{without}." if overall.value is None else f"{of} is {_with_unit(overall)}."


def _from(to: str) -> str:
    return "from" if to else "of"


def _measured_one(one: Measurement, attribute: str, step: Step, plan: Plan, to: str) -> str:
    selection = selection_of(step, plan)
    which = f"{plainly(selection)}, {one.region_id}," if selection and selection.picks else one.region_id
    if one.to:
        to = f"{to}, {one.to}," if to != f" to {one.to}" else to
    touching = " (they touch or overlap)" if one.to and not one.value else ""
    return f"The {attribute} {_from(to)} {which}{to} is {_with_unit(one)}{touching}."


def _measured_to(step: Step, plan: Plan, results: Results) -> tuple[str, str]:
    """What distances are measured to, " to the nearest building", and why they are unknown where nothing is there."""
    if "reference" not in step.inputs:
        return "", ""
    source = plan.step(step.inputs["reference"])
    found, selection = results.values.get(source.id), selection_of(source, plan)
    if selection is None or not isinstance(found, CandidateSet):
        return " to the nearest region", ""
    same = source.id == step.inputs["candidates"]
    if selection.picks:
        one = selection.picks[-1].count == 1
        told = plainly(selection) if one else f"the nearest of {plainly(selection)}"
    elif len(found.kept) == 1 and not same:
        told = found.kept[0].region.id
    else:
        told = f"the nearest {'other ' if same else ''}{one_of(selection)}"
    if found.kept:
        return f" to {told}", ": there is no other" if same and len(found.kept) == 1 else ""
    return f" to {told}", ": which they are is undecided" if found.open else f": {none_found(source, plan, results)}"


def _with_unit(item: Measurement) -> str:
    return f"{_number(item.value)} {item.unit}".rstrip()


def _number(value: float | None) -> str:
    assert value is not None
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
