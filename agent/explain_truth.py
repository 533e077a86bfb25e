"""Answers to yes/no questions in words: what was found of what the question takes for granted, and what decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..core.conditions import Condition, Not, Verdict, kleene_and
from ..core.plan import Plan, Step
from ..core.regions import Candidate, CandidateSet
from ..core.scene import Scene
from ..core.wording import words
from ..tools.values import Truth
from .explain_chain import OWN, amount, be, chain_of, condition_of, named, said_of, selection_of
from .explain_none import none_found, why_none
from .graph import Results
from .summary import verdict_word


def say_truth(value: Truth, step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "Yes: all 5 planes are white.", "Unknown: no ships were found, so whether all are white cannot be told."."""
    lead = verdict_word(value.verdict).capitalize()
    if step.tool not in OWN:
        return f"{lead}: {value.reason}."
    if step.tool == "check":
        told = _asked_of_a_set(value, step, plan, results) or _there_are(step, plan, scene, results)
    else:
        told = " and ".join(_counted(plan.step(step.inputs[name]), plan, results) for name in ("a", "b"))
    return f"{lead}: {told}."


def _there_are(step: Step, plan: Plan, scene: Scene, results: Results) -> str:
    """ "2 white planes: plane-1, plane-2"; "no white planes; none of 4 planes is white"; "no ships were found"."""
    source = plan.step(step.inputs["candidates"])
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


def _asked_of_a_set(value: Truth, step: Step, plan: Plan, results: Results) -> str:
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
        return _of_all(value.verdict, meant, plan, results, last, sure, maybe, said_of(negated.condition))
    return _of_one(value.verdict, meant, plan, results, last, sure, maybe, conditions)


def _without(candidate: Candidate, asked: Collection[str]) -> Verdict:
    return kleene_and(verdict for name, verdict in candidate.verdicts.items() if name not in asked)


def _of_all(
    verdict: Verdict,
    meant: Step,
    plan: Plan,
    results: Results,
    last: CandidateSet,
    sure: Sequence[Candidate],
    maybe: Sequence[Candidate],
    what: str,
) -> str:
    """ "2 of 5 planes are not white: plane-1, plane-2"."""
    if not sure and not maybe:
        return f"{none_found(meant, plan, results)}, so whether all {be(2, what)} cannot be told"
    number = len(sure) + len(maybe)
    picked = _is_picked(meant, plan)
    all_of_them = f"{'up to ' if maybe and not picked else ''}{amount(meant, plan, number)}"
    if verdict is True:
        return f"{'' if number == 1 or picked or maybe else 'all '}{all_of_them} {be(number, what)}"
    against, open_ = last.kept, last.undecided
    if verdict is False:
        if len(against) == number > 1 and not picked:
            return f"none of {all_of_them} {be(1, what)}"
        share = all_of_them if len(against) == number else f"{len(against)} of {all_of_them}"
        lead = f"{share} {be(len(against), what, negated=True)}"
        if open_:
            return f"{lead} ({named(against)}), and {len(open_)} could not be decided"
        return f"{lead}: {named(against)}"
    if maybe:
        also = "" if open_ else f"; {'it' if number == 1 else 'each of them'} would be {what}"
        return f"{_which(meant, plan, maybe)}{also}"
    rest = number - len(open_)
    others = (
        "" if not rest else f"; the other {rest} {be(rest, what)}" if rest > 1 else f"; the other one {be(1, what)}"
    )
    it = "it" if len(open_) == 1 else "they"
    whom = all_of_them if not rest else f"{len(open_)} of {all_of_them}"
    return f"for {whom} it cannot be told whether {it} {be(len(open_), what)}: {named(open_)}{others}"


def _of_one(
    verdict: Verdict,
    meant: Step,
    plan: Plan,
    results: Results,
    last: CandidateSet,
    sure: Sequence[Candidate],
    maybe: Sequence[Candidate],
    conditions: Sequence[Condition],
) -> str:
    """ "plane-9, the largest plane, is not white"."""
    selection = selection_of(meant, plan)
    assert selection is not None
    what = " and ".join(said_of(condition) for condition in conditions)
    if not sure and not maybe:
        return f"{none_found(meant, plan, results)}, so whether {words(selection)} {be(1, what)} cannot be told"
    if len(sure) == 1 and not maybe:
        (one,) = sure
        failed = [said_of(c) for c in conditions if one.verdicts.get(words(c)) is False]
        lead = f"{one.region.id}, {words(selection)},"
        if verdict is None:
            unknown = [said_of(c) for c in conditions if one.verdicts.get(words(c)) is None]
            return f"whether {lead} {be(1, ' and '.join(unknown))} cannot be told"
        return f"{lead} {be(1, ', nor '.join(failed), negated=True) if failed else be(1, what)}"
    if verdict is True:
        return f"{named(last.kept)}, {words(selection)}, {be(len(last.kept), what)}"
    if verdict is None:
        return _which(meant, plan, [*sure, *maybe])
    if len(sure) + len(maybe) == 1:
        return f"{maybe[0].region.id}, which may be {words(selection)}, {be(1, what, negated=True)}"
    return f"whichever of {named([*sure, *maybe])} is {words(selection)}, it {be(1, what, negated=True)}"


def _which(meant: Step, plan: Plan, maybe: Sequence[Candidate]) -> str:
    """ "which of plane-1, plane-2 is the largest plane cannot be told"."""
    selection = selection_of(meant, plan)
    assert selection is not None
    if selection.picks and len(maybe) > 1:
        return f"which of {named(maybe)} {_are(selection.picks[-1].count)} {words(selection)} cannot be told"
    told = words(selection) if selection.picks else f"{'' if len(maybe) > 1 else 'one of the '}{words(selection)}"
    return f"whether {named(maybe)} {_are(len(maybe))} {told} cannot be told"


def _is_picked(step: Step, plan: Plan) -> bool:
    selection = selection_of(step, plan)
    return selection is not None and bool(selection.picks)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
