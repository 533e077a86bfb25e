"""A chain of steps read back as what it asks for: its conditions, the selection, an amount of it in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.conditions import And, Condition, Pick, Provided, Selection
from ..core.plan import Plan, Step
from ..core.regions import Candidate
from ..core.wording import selecting, words
from ..tools.registry import TOOLS, PickArguments, SelectArguments

OWN = frozenset(tool.name for tool in TOOLS)
SHOWN = 6
"""How many regions or values a sentence names one by one."""


def chain_of(step: Step, plan: Plan) -> list[Step]:
    """The step and those above it along `candidates`, first one first."""
    chain = [step]
    while "candidates" in chain[0].inputs:
        chain.insert(0, plan.step(chain[0].inputs["candidates"]))
    return chain


def condition_of(step: Step) -> Condition | None:
    """The condition that a step judges; its words are the key of the verdicts. None for other steps."""
    if step.tool == "select":
        return SelectArguments.model_validate(step.args).condition
    if step.tool == "pick":
        return PickArguments.model_validate(step.args).pick
    return None


def selection_of(step: Step, plan: Plan) -> Selection | None:
    """The selection that leads to a step's set, read back from the plan; None where the chain has no plain wording.

    A superlative that is the last of the conditions is a pick, whichever kind of step applies it.
    """
    phrases: tuple[str, ...] = ()
    conditions: list[Condition] = []
    picks: list[Pick] = []
    for each in chain_of(step, plan):
        condition = condition_of(each)
        if each.tool == "ground":
            phrases = tuple(each.args["phrases"])
        elif each.tool == "pick" and isinstance(condition, Pick):
            picks.append(condition)
        elif condition is not None:
            if picks:
                return None
            conditions.append(condition)
        elif each.tool not in OWN:
            return None  # a tool of the user's: what it leaves has no plain wording
    if not phrases:
        return None
    if not picks and conditions and isinstance(last := conditions[-1], Pick):
        conditions, picks = conditions[:-1], [last]
    where = None if not conditions else conditions[0] if len(conditions) == 1 else And(conditions=tuple(conditions))
    return Selection(phrases=phrases, where=where, picks=tuple(picks))


def amount(step: Step, plan: Plan, n: int) -> str:
    """ "3 planes longer than 40 m", "no planes longer than 40 m"."""
    selection = selection_of(step, plan)
    if selection is None:
        return f"{n or 'no'} region{'' if n == 1 else 's'}"
    if selection.picks:
        return words(selection) if n else f"nothing to call {words(selection)}"
    if n == 1:
        return f"1 {one_of(selection)}"
    return f"{n or 'no'} {words(selection.model_copy(update={'expected': None}))}"


def one_of(selection: Selection) -> str:
    """The selection in the singular, without article: "plane longer than 40 m"."""
    return words(selection.model_copy(update={"expected": 1})).removeprefix("the ").removeprefix("one ")


def said_of(condition: Condition) -> str:
    """What a condition says of its regions, after "is" or "are": "white", "not near the river", "the largest"."""
    if isinstance(condition, Pick | Provided):
        return words(condition)
    return selecting(condition).removeprefix("select ").removeprefix("those ").removeprefix("that are ")


_VERBS = {"with": ("has", "have"), "containing": ("contains", "contain"), "overlapping": ("overlaps", "overlap")}


def be(number: int, said: str, *, negated: bool = False) -> str:
    """What is said of one or several, with its verb: "is white", "do not have an aspect ratio of more than 3".

    Args:
        said: from `said_of`.

    Example:
        >>> be(2, "white"), be(1, "with a perimeter of more than 9 m", negated=True)
        ('are white', 'does not have a perimeter of more than 9 m')
    """
    lead, _, rest = said.partition(" ")
    if lead not in _VERBS:
        return f"{'is' if number == 1 else 'are'} {'not ' if negated else ''}{said}"
    one, many = _VERBS[lead]
    if negated:
        return f"{'does' if number == 1 else 'do'} not {many} {rest}"
    return f"{one if number == 1 else many} {rest}"


def named(candidates: Sequence[Candidate]) -> str:
    """Their ids, the first few: "plane-1, plane-2 and 3 more"."""
    ids = [candidate.region.id for candidate in candidates]
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
