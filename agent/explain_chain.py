"""A chain of steps read back as what it asks for: its conditions, the selection, an amount of it in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.conditions import Among, And, Condition, Node, Not, Or, Pick, Provided, Selection, all_of, conjuncts, walk
from ..core.plan import Plan, Step
from ..core.regions import Candidate
from ..core.wording import selecting, words
from ..tools.registry import TOOLS, PickArguments, SelectArguments
from .parsing.noun import conjunction

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
    return Selection(phrases=phrases, where=all_of(conditions), picks=tuple(picks))


def amount(step: Step, plan: Plan, n: int) -> str:
    """ "3 planes longer than 40 m", "no planes longer than 40 m"; of regions asked for by id "ship-3 and ship-4"."""
    selection = selection_of(step, plan)
    if selection is None:
        return f"{n or 'no'} region{'' if n == 1 else 's'}"
    ids = called_in(selection)
    if ids and n and is_just_called(selection):
        return listed(ids) if n == len(ids) else f"{n} of {listed(ids)}"
    if selection.picks:
        return plainly(selection) if n else f"nothing to call {plainly(selection)}"
    if n == 1:
        return f"1 {one_of(selection)}"
    return f"{n or 'no'} {plainly(selection.model_copy(update={'expected': None}))}"


def one_of(selection: Selection) -> str:
    """The selection in the singular, without article: "plane longer than 40 m"."""
    return plainly(selection.model_copy(update={"expected": 1})).removeprefix("the ").removeprefix("one ")


def plainly(node: Node) -> str:
    """The words of a node as they are said to people: regions asked for by id go by their ids alone.

    Example:
        >>> largest = Pick(by="area", order="max")
        >>> plainly(Selection(phrases=("ship",), where=Among(ids=("ship-3", "ship-4")), picks=(largest,)))
        'the largest ship among ship-3 and ship-4'
    """
    if isinstance(node, Selection) and (ids := called_in(node)):
        rest = conjunction(list(conjuncts(node.where)[1:]))
        others = node.model_copy(update={"where": rest})
        return f"{plainly(others)} among {listed(ids)}" if len(ids) > 1 else _with_ids(words(node), node)
    return _with_ids(words(node), node)


def _with_ids(text: str, node: Node) -> str:
    """ "within 100 m of the plane called plane-3" as "within 100 m of plane-3"."""
    for each in walk(node):
        if isinstance(each, Selection) and is_just_called(each) and len(ids := called_in(each)) == 1:
            text = text.replace(words(each), ids[0])
    return text


def called_in(selection: Selection) -> tuple[str, ...]:
    """The ids of the regions that a selection is of, where they are asked for by id; else ()."""
    first = (*conjuncts(selection.where), None)[0]
    return first.ids if isinstance(first, Among) else ()


def one_called(selection: Selection | None) -> str:
    """The id of the one region that a selection with further conditions is of; '' for other selections.

    Example:
        >>> from surveyor.core.conditions import Colour
        >>> one_called(Selection(phrases=("ship",), where=And(conditions=(Among(ids=("s-1",)), Colour(word="red")))))
        's-1'
    """
    if selection is None or selection.picks or is_just_called(selection):
        return ""
    ids = called_in(selection)
    return ids[0] if len(ids) == 1 else ""


def is_just_called(selection: Selection) -> bool:
    """Whether regions are asked for by id and by nothing else."""
    return isinstance(selection.where, Among) and not selection.picks


def listed(ids: Sequence[str]) -> str:
    """ "ship-3", "ship-3 and ship-4", "ship-3, ship-4, ship-5 and 2 more"."""
    if len(ids) > SHOWN:
        return f"{', '.join(ids[:SHOWN])} and {len(ids) - SHOWN} more"
    return " and ".join([", ".join(ids[:-1]), ids[-1]] if len(ids) > 1 else ids)


# ---- what is said of regions -------------------------------------------------------------------------------------


def said_of(condition: Condition) -> str:
    """What a condition says of its regions, after "is" or "are": "white", "not near the river", "the largest"."""
    if isinstance(condition, Not) and isinstance(condition.condition, Not):
        return said_of(condition.condition.condition)
    if isinstance(condition, Pick | Provided):
        return plainly(condition)
    text = selecting(condition).removeprefix("select ").removeprefix("those ").removeprefix("that are ")
    return _with_ids(text, condition)


def holds(number: int, condition: Condition) -> str:
    """That a condition holds of one or several, with its verb: "is white", "do not have an aspect ratio of ...".

    Example:
        >>> from surveyor.core.conditions import Colour
        >>> white = Colour(word="white")
        >>> holds(1, Not(condition=white)), fails(1, Not(condition=white))
        ('is not white', 'is white')
    """
    if isinstance(condition, Not):
        return fails(number, condition.condition)
    return be(number, said_of(condition))


def fails(number: int, condition: Condition) -> str:
    """That a condition does not hold of one or several: "is not white", "are neither red nor white"."""
    if isinstance(condition, Not):
        return holds(number, condition.condition)
    if isinstance(condition, Or | And):
        parts = [said_of(part) for part in condition.conditions]
        if all(part.partition(" ")[0] not in (*_VERBS, "not") for part in parts):
            are = "is" if number == 1 else "are"
            if isinstance(condition, Or):
                return f"{are} neither {' nor '.join(parts)}"
            return f"{are} not {'both ' if len(parts) == 2 else ''}{' and '.join(parts)}"
    return be(number, said_of(condition), negated=True)


def of_every(told: str) -> str:
    """ "all 3 ships", "both ships", "ship-3 and ship-4"; told is from `amount`, of several."""
    if told.startswith("2 "):
        return f"both {told[2:]}"
    return f"all {told}" if told[0].isdigit() else told


def none_of(number: int, told: str, condition: Condition) -> str:
    """ "none of 3 ships is white", "neither ship-3 nor ship-4 is white"; told is from `amount`, of several."""
    if number == 2 and not told[0].isdigit() and not told.startswith("the "):
        return f"neither {told.replace(' and ', ' nor ')} {holds(1, condition)}"
    return f"none of {told} {holds(1, condition)}"


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
