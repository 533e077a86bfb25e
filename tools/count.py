"""Counting, with what is undecided kept apart: a verdict is unknown when the undecided ones could turn it."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from typing import Literal

from ..core.conditions import Comparison, CountTest, Verdict, kleene_and
from ..core.regions import CandidateSet
from .bands import CRISP, Bands
from .judge_group import find_groups
from .layout import Layout
from .rows import rows_apart
from .values import Count, Text, Truth

_OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq}
_IN_WORDS = {">": "more than", ">=": "at least", "<": "fewer than", "<=": "at most", "==": "exactly"}
_BETWEEN = {
    ">": "more than",
    ">=": "at least as many as",
    "<": "fewer than",
    "<=": "at most as many as",
    "==": "as many as",
}


def count(candidates: CandidateSet) -> Count:
    """How many are kept, and how many are undecided.

    Example:
        >>> count(CandidateSet())
        Count(n=0, undecided=0)
    """
    return Count(len(candidates.kept), len(candidates.undecided))


def count_groups(candidates: CandidateSet, form: Literal["group", "row"], bands: Bands = CRISP) -> Count:
    """How many groups or rows the kept candidates form; `undecided` how many more there are with the undecided ones.

    Rows that share a member (those along and across a grid) are not both counted: the longest goes first.
    """
    numbers = []
    for chosen in (candidates.kept, candidates.open):
        layout = Layout([c.region for c in chosen])
        if form == "row":
            found = rows_apart(layout, bands.row_off.true, bands.row_spread.true)
        else:
            found = find_groups(layout, bands.group_reach)
        numbers.append(len(found))
    return Count(numbers[0], max(0, numbers[1] - numbers[0]))


def difference(a: CandidateSet, b: CandidateSet, names: tuple[str, str]) -> Text:
    """Both numbers and what lies between them, in words.

    Example:
        >>> difference(CandidateSet(), CandidateSet(), ("ships", "tanks")).text
        'ships: 0, tanks: 0; as many of both.'
    """
    first, second = count(a), count(b)
    both = f"{names[0]}: {_number(first)}, {names[1]}: {_number(second)}"
    if first.undecided or second.undecided:
        return Text(f"{both}.")
    if first.n == second.n:
        return Text(f"{both}; as many of both.")
    return Text(f"{both}; {abs(first.n - second.n)} more of the {'first' if first.n > second.n else 'second'}.")


def check(candidates: CandidateSet, test: CountTest, asked: Collection[str] = ()) -> Truth:
    """Whether the number kept passes the test; unknown when the undecided ones could turn the answer.

    Args:
        candidates: may be empty.
        test: how many there have to be.
        asked: the words of the conditions that the question is about. The others make up the set that it takes for
            granted ("are all ships white?" takes ships for granted); of a set that is not there nothing can be
            said, so that the answer is unknown, neither a vacuous yes nor a no.

    Example:
        >>> check(CandidateSet(), CountTest(op=">=", n=1))
        Truth(verdict=False, reason='there are 0, and at least 1 was asked')
        >>> check(CandidateSet(), CountTest(op="==", n=0), asked=["not white"])
        Truth(verdict=None, reason='nothing was found that the question could be about')
    """
    found = count(candidates)
    holds = _OPERATORS[test.op]
    verdict = _agreed({bool(holds(n, test.n)) for n in range(found.n, found.at_most + 1)})
    if asked and not found.at_most:
        meant = [_without(candidate.verdicts, asked) for candidate in candidates]
        if True not in meant and None not in meant:
            return Truth(None, "nothing was found that the question could be about")
        if True not in meant and verdict:
            return Truth(None, f"of the {meant.count(None)} that the question may be about none is certain")
    verb = "is" if found.n == 1 and not found.undecided else "are"
    wanted = f"{_IN_WORDS[test.op]} {test.n} {'was' if test.n == 1 else 'were'} asked"
    return Truth(verdict, f"there {verb} {_number(found)}, and {wanted}")


def _without(verdicts: Mapping[str, Verdict], asked: Collection[str]) -> Verdict:
    """Whether a candidate belongs to the set that a question takes for granted."""
    return kleene_and(verdict for name, verdict in verdicts.items() if name not in asked)


def compare(a: CandidateSet | Count, b: CandidateSet | Count, op: Comparison, factor: float = 1.0) -> Truth:
    """Whether `a` op `factor` times `b` holds for the numbers kept; unknown when the undecided ones could turn it.

    Example:
        >>> compare(Count(3), Count(2, undecided=1), ">").verdict is None
        True
        >>> compare(Count(6), Count(3), ">=", 2).reason
        '6 is at least 2 times as many as 3'
    """
    first, second = (part if isinstance(part, Count) else count(part) for part in (a, b))
    holds = _OPERATORS[op]
    firsts = (first.n, first.at_most)
    outcomes = {bool(holds(n, _times(factor, m))) for n in firsts for m in (second.n, second.at_most)}
    wanted = (_times(factor, m) for m in range(second.n, second.at_most + 1)) if op == "==" else ()
    if any(first.n <= number <= first.at_most and number.is_integer() for number in wanted):
        outcomes.add(True)
    verdict = _agreed(outcomes)
    said = {True: "is", False: "is not", None: "may or may not be"}[verdict]
    between = _BETWEEN[op] if factor == 1 else f"{_IN_WORDS[op]} {factor:g} times as many as"
    return Truth(verdict, f"{_number(first)} {said} {between} {_number(second)}")


def _times(factor: float, number: int) -> float:
    """Their product without rounding in the last digits: 1.1 x 50 is 55, not 55.00000000000001."""
    return float(f"{factor * number:.12g}")


def _agreed(outcomes: set[bool]) -> Verdict:
    return outcomes.pop() if len(outcomes) == 1 else None


def _number(found: Count) -> str:
    return f"{found.n} to {found.at_most}" if found.undecided else str(found.n)
