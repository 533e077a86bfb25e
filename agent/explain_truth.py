"""Answers to yes/no questions in words: what was found of what the question takes for granted, and what decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..core.conditions import Among, Condition, Not, Pick, Provided, Relation, Selection, Verdict, kleene_and
from ..core.plan import Plan, Step
from ..core.regions import Candidate, CandidateSet
from ..core.scene import Scene
from ..core.wording import words
from ..tools.values import Truth
from .answer import regions_json
from .explain_chain import (
    OWN,
    amount,
    called_in,
    chain_of,
    condition_of,
    fails,
    holds,
    is_just_called,
    listed,
    named,
    none_of,
    of_every,
    one_called,
    one_of,
    plainly,
    said_of,
    selection_of,
)
from .explain_none import instead_of, none_found, why_none
from .graph import Results
from .parsing.noun import conjunction
from .readings import Reading
from .summary import verdict_word


def say_truth(value: Truth, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "Yes: all 5 planes are white.", "Unknown: no ships were found, so whether all are white cannot be told."."""
    lead = verdict_word(value.verdict).capitalize()
    if step.tool not in OWN:
        return f"{lead}: {value.reason}."
    if step.tool == "check":
        told = _asked_of_a_set(value, step, plan, scene, results) or _there_are(step, plan, scene, results)
    else:
        told = " and ".join(_counted(plan.step(step.inputs[name]), plan, results) for name in ("a", "b"))
    return f"{lead}: {told}."


def _there_are(step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "2 white planes: plane-1, plane-2"; "no white planes; none of 4 planes is white"; "no ships were found"."""
    source = plan.step(step.inputs["candidates"])
    about = _of_those_called(step, source, plan, scene, results)
    if about:
        return about
    found, told = _set(source, results), _counted(source, plan, results)
    if found.open:
        return f"{told}: {named(found.kept)}" if found.kept else told
    why = why_none(source, plan, scene, results)
    return f"{told}; {why}" if len(found) else why


def _counted(source: Step, plan: Plan, results: Results) -> str:
    found = _set(source, results)
    unsure = f" (and {len(found.undecided)} undecided)" if found.undecided else ""
    return f"{amount(source, plan, len(found.kept))}{unsure}"


def _set(step: Step, results: Results) -> CandidateSet:
    value = results.values[step.id]
    assert isinstance(value, CandidateSet)
    return value


# ---- questions that take a set for granted -----------------------------------------------------------------------


def _asked_of_a_set(value: Truth, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """The answer about that set; '' for questions that take nothing for granted."""
    asked: tuple[str, ...] = tuple(step.args.get("asked", ()))
    if not asked or "candidates" not in step.inputs:
        return ""
    chain = chain_of(plan.step(step.inputs["candidates"]), plan)
    judged = [(each, condition) for each in chain if (condition := condition_of(each)) is not None]
    conditions = [condition for _, condition in judged if words(condition) in asked]
    before = [each for each in chain if each not in [step for step, c in judged if words(c) in asked]]
    if not conditions or not before or selection_of(before[-1], plan) is None:
        return ""  # a plan that was edited by hand
    meant, last = before[-1], _set(chain[-1], results)
    belongs = {c.region.id: _without(c, asked) for c in last}
    sure = [c for c in last if belongs[c.region.id] is True]
    maybe = [c for c in last if belongs[c.region.id] is None]
    if step.args.get("test") == {"op": "==", "n": 0}:
        negated = conditions[-1]
        if not isinstance(negated, Not):
            return ""
        told = _of_all(value.verdict, meant, plan, scene, results, last, sure, maybe, negated.condition)
        return _each_other(told, value.verdict, selection_of(meant, plan), negated.condition)
    if len(conditions) == 1 and isinstance(conditions[0], Among) and value.verdict is not None and not maybe:
        if len(sure) == 1:
            return _is_it(conditions[0].ids[0], value.verdict, meant, plan, scene, sure[0])
        return _are_they(conditions[0].ids, meant, plan, results)
    return _of_one(value.verdict, meant, plan, scene, results, last, sure, maybe, conditions)


def _without(candidate: Candidate, asked: Collection[str]) -> Verdict:
    return kleene_and(verdict for name, verdict in candidate.verdicts.items() if name not in asked)


def _of_all(
    verdict: Verdict,
    meant: Step,
    plan: Plan,
    scene: Scene,
    results: Results,
    last: CandidateSet,
    sure: Sequence[Candidate],
    maybe: Sequence[Candidate],
    asked: Condition,
) -> str:
    """ "2 of 5 planes are not white: plane-1, plane-2"."""
    if not sure and not maybe:
        return f"{none_found(meant, plan, results)}, so whether all {holds(2, asked)} cannot be told"
    number = len(sure) + len(maybe)
    if len(sure) == 1 and not maybe and verdict is not None and (lead := _only(sure[0], meant, plan)):
        instead = "" if verdict else instead_of(sure[0], asked, scene)
        return f"{lead} {holds(1, asked) if verdict else fails(1, asked)}{instead}"
    picked = _is_picked(meant, plan)  # its words name those that it is about, as in "the two largest planes"
    all_of_them = f"{'up to ' if maybe and not picked else ''}{amount(meant, plan, number)}"
    every = all_of_them if number == 1 or picked or maybe else of_every(all_of_them)
    several = number > 1 and not picked and not maybe
    if verdict is True:
        if several and isinstance(asked, Not):
            return none_of(number, all_of_them, asked.condition)
        return f"{every} {holds(number, asked)}"
    against, open_ = last.kept, last.undecided
    if verdict is False:
        if len(against) == number > 1 and isinstance(asked, Not):
            return f"{every} {fails(number, asked)}"
        if len(against) == number > 1 and not picked:
            return none_of(number, all_of_them, asked)
        share = all_of_them if len(against) == number else f"{len(against)} of {all_of_them}"
        if not all_of_them[0].isdigit() and not picked and not maybe:  # regions that the question names
            share = listed([c.region.id for c in against])
        lead = f"{share} {fails(len(against), asked)}"
        if open_:
            return f"{lead} ({named(against)}), and {len(open_)} could not be decided"
        return lead if share == listed([c.region.id for c in against]) else f"{lead}: {named(against)}"
    if maybe:
        also = "" if open_ else f"; {'it' if number == 1 else 'each of them'} would be {said_of(asked)}"
        return f"{_which(meant, plan, maybe)}{also}"
    rest = number - len(open_)
    others = (
        ""
        if not rest
        else f"; the other {rest} {holds(rest, asked)}"
        if rest > 1
        else f"; the other one {holds(1, asked)}"
    )
    it = "it" if len(open_) == 1 else "they"
    whom = all_of_them if not rest else f"{len(open_)} of {all_of_them}"
    return f"for {whom} it cannot be told whether {it} {holds(len(open_), asked)}: {named(open_)}{others}"


def _is_it(who: str, verdict: Verdict, meant: Step, plan: Plan, scene: Scene, found: Candidate) -> str:
    """ "ship-9 is not the largest ship; ship-13 is (2,480 m2)"."""
    selection = selection_of(meant, plan)
    assert selection is not None
    if verdict is True:
        return f"{who} is {plainly(selection)}"
    by = selection.picks[-1].by if selection.picks else ""
    size = _size_by(found, by, scene)
    return f"{who} is not {plainly(selection)}; {found.region.id} is{f' ({size})' if size else ''}"


def _size_by(found: Candidate, by: str, scene: Scene) -> str:
    """The size that a rank goes by: "2,480 m2"; '' for other ranks."""
    if by not in ("area", "length", "width"):
        return ""
    known, square = regions_json([found], scene)[0], "2" if by == "area" else ""
    metres = known[f"{by}_m{square}"]
    return Reading(
        by, known[f"{by}_px"] if metres is None else metres, f"{'px' if metres is None else 'm'}{square}", ">", 0
    ).short


def _of_those_called(step: Step, source: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """The answer about regions that the question names by their ids, or the only one; '' for other questions."""
    chain = [each for each in chain_of(source, plan) if isinstance(results.values.get(each.id), CandidateSet)]
    last, selection = _set(chain[-1], results), selection_of(source, plan)
    judged = [condition for each in chain if (condition := condition_of(each)) is not None]
    if selection is None:
        return ""
    if len(judged) > 1 and isinstance(judged[-1], Among) and isinstance(judged[-2], Pick):
        return _are_they(judged[-1].ids, chain[-2], plan, results)
    if step.args.get("test") != {"op": ">=", "n": 1}:
        return ""
    one = next((c for c in last if c.region.id == one_called(selection)), None)
    if one is not None:
        return _about(one, one.region.id, judged[1:], scene)
    if len(last) == 1 and judged and not any(isinstance(each, Pick | Provided | Among) for each in judged):
        (alone,) = last
        return _about(alone, _only(alone, chain[0], plan), judged, scene)
    if called_in(selection) and not is_just_called(selection) and not selection.picks and not last.open:
        return why_none(source, plan, scene, results)
    return ""


def _about(one: Candidate, lead: str, conditions: Sequence[Condition], scene: Scene) -> str:
    """The answer about one region, which the lead names."""
    if one.status is None:
        unknown = [condition for condition in conditions if one.verdicts.get(words(condition)) is None]
        return f"whether {lead} {_said(one, unknown, scene)} cannot be told"
    return f"{lead} {_said(one, conditions, scene)}"


def _only(one: Candidate, meant: Step, plan: Plan) -> str:
    """ "plane-1, the only plane,"; '' where the words say which it is."""
    selection = selection_of(meant, plan)
    if selection is None or selection.picks or called_in(selection):
        return ""
    return f"{one.region.id}, the only {one_of(selection)},"


def _said(one: Candidate, conditions: Sequence[Condition], scene: Scene) -> str:
    """What decides for one region: "is not white; it is grey", "is white and near quays"."""
    verdicts = [one.verdicts.get(words(condition)) for condition in conditions]
    failed = [condition for condition, verdict in zip(conditions, verdicts, strict=True) if verdict is False]
    if failed:
        told = ", nor ".join([fails(1, failed[0]), *map(said_of, failed[1:])])
        return told + (instead_of(one, failed[0], scene) if len(failed) == 1 else "")
    return " and ".join([holds(1, conditions[0]), *map(said_of, conditions[1:])])


def _are_they(ids: Sequence[str], meant: Step, plan: Plan, results: Results) -> str:
    """ "ship-9 and ship-13 are the two largest ships", "ship-9 is not among the two largest ships, which are ..."."""
    selection, found = selection_of(meant, plan), _set(meant, results)
    if selection is None or found.undecided or not found.kept:
        return ""
    top, which = [c.region.id for c in found.kept], plainly(selection)
    outside = [name for name in ids if name not in top]
    among = "among " if len(outside or ids) < len(top) or (outside and len(top) > 1) else ""
    if outside:
        whom = f", which {_are(len(top))} {listed(top)}"
        return f"{listed(outside)} {_are(len(outside))} not {among}{which}{whom}"
    return f"{listed(ids)} {_are(len(ids))} {among}{which}"


def _each_other(told: str, verdict: Verdict, meant: Selection | None, asked: Condition) -> str:
    """ "the two largest ships are near each other", where the words relate a set to itself."""
    if meant is None or not isinstance(asked, Relation) or asked.reference is None or asked.quantifier == "all":
        return told
    if asked.reference.model_copy(update={"expected": None}) != meant:
        return told
    name = words(asked.reference)
    head, found, tail = told.rpartition(f"({name})" if f"({name})" in told else name)
    plain = meant.where is None and not meant.picks
    other = f"other {name}" if plain else "each other" if verdict is True else "another of them"
    return f"{head}{other}{tail}" if found else told


def _of_one(
    verdict: Verdict,
    meant: Step,
    plan: Plan,
    scene: Scene,
    results: Results,
    last: CandidateSet,
    sure: Sequence[Candidate],
    maybe: Sequence[Candidate],
    conditions: Sequence[Condition],
) -> str:
    """ "plane-9, the largest plane, is not white"."""
    selection = selection_of(meant, plan)
    assert selection is not None
    which, whole = plainly(selection), conjunction(list(conditions))
    assert whole is not None
    if not sure and not maybe:
        return f"{none_found(meant, plan, results)}, so whether {which} {holds(1, whole)} cannot be told"
    if len(sure) == 1 and not maybe:
        (one,) = sure
        lead = f"{one.region.id}, {which},"
        if verdict is None:
            unknown = [c for c in conditions if one.verdicts.get(words(c)) is None]
            return f"whether {lead} {_said(one, unknown, scene)} cannot be told"
        return f"{lead} {_said(one, conditions, scene)}"
    if verdict is True:
        return f"{named(last.kept)}, {which}, {holds(len(last.kept), whole)}"
    if verdict is None:
        return _which(meant, plan, [*sure, *maybe])
    if len(sure) + len(maybe) == 1:
        return f"{maybe[0].region.id}, which may be {which}, {fails(1, whole)}"
    return f"whichever of {named([*sure, *maybe])} is {which}, it {fails(1, whole)}"


def _which(meant: Step, plan: Plan, maybe: Sequence[Candidate]) -> str:
    """ "which of plane-1, plane-2 is the largest plane cannot be told"."""
    selection = selection_of(meant, plan)
    assert selection is not None
    if selection.picks and len(maybe) > 1:
        return f"which of {named(maybe)} {_are(selection.picks[-1].count)} {plainly(selection)} cannot be told"
    told = plainly(selection) if selection.picks else f"{'' if len(maybe) > 1 else 'one of the '}{plainly(selection)}"
    return f"whether {named(maybe)} {_are(len(maybe))} {told} cannot be told"


def _is_picked(step: Step, plan: Plan) -> bool:
    selection = selection_of(step, plan)
    return selection is not None and bool(selection.picks)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
