"""Why nothing is in the answer, in a clause: what was not found, or the condition that none met and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ..core.conditions import Aspect, Colour, Compare, Condition, Not, Pick, Provided, Relation
from ..core.plan import Plan, Step
from ..core.regions import Candidate, CandidateSet
from ..core.scene import Scene
from ..core.wording import words
from ..core.wording_tables import SUPERLATIVES
from ..tools.references import needed_references
from .answer import regions_json
from .explain_chain import amount, chain_of, condition_of, fails, is_just_called, none_of, of_every, selection_of
from .graph import Results
from .readings import Reading, reading_of, short_reason


def why_none(step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "the longest of 12 planes is 38.2 m long", "no ships were found", "none of 5 ships near the quay is red".

    Args:
        step: a step whose set keeps nothing, or one that works on that set.
    """
    chain = [each for each in chain_of(step, plan) if isinstance(results.values.get(each.id), CandidateSet)]
    if not chain:
        return ""
    first = _set(chain[0], results)
    if not len(first):
        return f"{amount(chain[0], plan, 0)} were found"
    for before, each in pairwise(chain):
        left = _set(each, results)
        if left.open or not _set(before, results).open:
            continue
        condition = condition_of(each)
        if condition is None or selection_of(before, plan) is None:
            break
        missing = _missing(each, condition, plan, results)
        if missing and not isinstance(condition, Provided):
            return " and ".join(none_found(source, plan, results) for source in missing)
        names = {c.region.id for c in _set(before, results).open}
        return _none_met(condition, [c for c in left if c.region.id in names], before, plan, scene)
    unsure = len(_set(chain[-1], results).undecided)
    looked = f"{amount(chain[0], plan, len(first))} {'was' if len(first) == 1 else 'were'} looked at"
    return f"{looked}, {unsure} could not be decided" if unsure else f"{looked}; none fits"


def none_found(step: Step, plan: Plan, results: Results) -> str:
    """ "no ships were found", "no ships near the quay were found among 14 ships", "there are only 4 planes".

    Args:
        step: whose set has nothing that is kept or undecided.
    """
    chain = [each for each in chain_of(step, plan) if isinstance(results.values.get(each.id), CandidateSet)]
    number = len(_set(chain[0], results))
    if not number:
        return f"{amount(chain[0], plan, 0)} were found"
    for before, each in pairwise(chain):
        if _set(each, results).open:
            continue
        condition = condition_of(each)
        if not isinstance(condition, Pick):
            return f"{amount(each, plan, 0)} were found among {amount(chain[0], plan, number)}"
        missing = _missing(each, condition, plan, results)
        if missing:
            return none_found(missing[0], plan, results)
        left = len(_set(before, results).open)
        return f"there {_are(left)} only {amount(before, plan, left)}"
    return f"{amount(step, plan, 0)} were found"


def _missing(step: Step, condition: Condition, plan: Plan, results: Results) -> list[Step]:
    """The steps whose sets a condition refers to, where nothing is in them."""
    sources = [plan.step(step.inputs[name]) for name in needed_references(condition) if name in step.inputs]
    return [source for source in sources if not _set(source, results).open]


def _set(step: Step, results: Results) -> CandidateSet:
    value = results.values[step.id]
    assert isinstance(value, CandidateSet)
    return value


def _none_met(condition: Condition, judged: Sequence[Candidate], before: Step, plan: Plan, scene: Scene) -> str:
    """That none of those judged meets the condition; the nearest of them where a number tells which it is."""
    told = amount(before, plan, len(judged))
    if isinstance(condition, Pick):
        reason = judged[0].reasons.get(words(condition), "")
        return reason if reason.startswith("there are no") else f"there {_are(len(judged))} only {told}"
    if isinstance(condition, Provided):
        return f"it does not hold that {words(condition).removeprefix('provided ')}"
    selection = selection_of(before, plan)
    one = len(judged) == 1
    only = "" if not one else told if selection and is_just_called(selection) else f"the only {told.removeprefix('1 ')}"
    best = _nearest(condition, judged, scene)
    if best is not None:
        candidate, reading = best
        who = candidate.region.id
        lead = f"{only or f'the {_superlative(reading)} of {told}'}, {who}," if only != who else who
        return f"{lead} {_measures(condition, reading)}"
    if only:
        called = selection is not None and is_just_called(selection)
        lead = only if called else f"{only}, {judged[0].region.id},"
        instead = instead_of(judged[0], condition, scene)
        if instead and not called:
            return f"{lead} {instead.removeprefix('; it ')}"
        return f"{lead} {fails(1, condition)}{instead}"
    if isinstance(condition, Not):
        return f"{of_every(told)} {fails(len(judged), condition)}"
    return none_of(len(judged), told, condition)


def instead_of(candidate: Candidate, condition: Condition, scene: Scene) -> str:
    """What a region is that does not meet a condition, where that can be told: "; it is grey", "; it is 18 m long"."""
    judged = candidate.reasons.get(words(condition)) or candidate.reasons.get(words(Not(condition=condition)), "")
    if isinstance(condition, Colour):
        seen = short_reason(judged)
        return f"; it is {seen}" if seen.isalpha() and seen != condition.word else ""
    best = _nearest(condition, [replace(candidate, reasons={words(condition): judged})], scene)
    return "" if best is None else f"; it {_measures(condition, best[1])}"


def _measures(condition: Condition, reading: Reading) -> str:
    """ "is 38.2 m long", "has an area of 50 m2"."""
    if isinstance(condition, Relation):
        return f"is {reading.short} away"
    if reading.measure in ("length", "width"):
        return f"is {reading.short} {'long' if reading.measure == 'length' else 'wide'}"
    measure = "aspect ratio" if isinstance(condition, Aspect) else reading.measure
    return f"has {'an' if measure[0] == 'a' else 'a'} {measure} of {reading.short}"


def _nearest(condition: Condition, judged: Sequence[Candidate], scene: Scene) -> tuple[Candidate, Reading] | None:
    """The candidate that misses a comparison or a distance by least; None for other conditions, or without numbers."""
    measured = isinstance(condition, Compare | Aspect)
    measured = measured or (isinstance(condition, Relation) and condition.distance is not None)
    if not measured:
        return None
    size_wh = (int(scene.size_wh[0]), int(scene.size_wh[1]))
    found = []
    for candidate, region in zip(judged, regions_json(judged, scene), strict=True):
        reading = reading_of(condition, region, candidate.reasons.get(words(condition), ""), size_wh)
        if reading is None:
            return None
        found.append((candidate, reading))
    return min(found, key=lambda pair: pair[1].share_off)


def _superlative(reading: Reading) -> str:
    """ "longest" where more than a length was asked for, "nearest" where less than a distance was."""
    order = "max" if reading.op in (">", ">=") else "min"
    by = "aspect" if reading.measure == "length / width" else reading.measure
    return "closest" if reading.op == "==" else SUPERLATIVES.get((by, order), "closest")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
