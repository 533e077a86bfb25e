"""Zero-match twins (FORMATS.md 7.4): a question that differs from a good one in one condition and has no answer."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ...core.conditions import (
    And,
    Aspect,
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    Condition,
    CountTest,
    Group,
    InBox,
    Not,
    Or,
    Orientation,
    Pick,
    Position,
    Quantity,
    Relation,
    Selection,
    Shape,
    SizeWord,
    all_of,
    conjuncts,
    walk,
)
from .atoms import COLOURS
from .compose import says_too_much
from .sites import CELLS, DIRECTIONS, ROUND, Site
from .views import View

_PLACES = {
    "cell": CELLS,
    "half": ("left", "right", "top", "bottom"),
    "quadrant": tuple(each for each in CELLS if " " in each),
    "edge": ("left", "right", "top", "bottom"),
}
_LAST_IN = {("x", "min"): "left", ("x", "max"): "right", ("y", "min"): "above", ("y", "max"): "below"}
"""What orders a class -> the direction in which nothing of it lies beyond the first."""
_SHRUNK, _GROWN = (2.0, 3.0, 4.0), (1.5, 2.0, 3.0)
_LAST = 8  # nobody counts further: "the eighth parking lot from the top"


def twins(site: Site, selection: Selection, absent: tuple[str, ...], rng: random.Random) -> Iterator[tuple[str, Selection]]:  # fmt: skip  # noqa: E501
    """Mutations of one condition, in random order, with what is wrong: "Z:class", "Z:relation", ...

    Args:
        site: of the positive item.
        selection: of the positive item.
        absent: names of classes that the scene has none of, though scenes like it do.
    """
    found: list[tuple[str, Selection]] = []
    others = list(absent)
    rng.shuffle(others)
    bound = any(
        isinstance(each, ClassIs | Group) or getattr(each, "quantifier", "") == "mean" for each in walk(selection)
    )
    for name in others[:2] if not bound else ():
        found.append(("Z:class", selection.model_copy(update={"phrases": (name,)})))
    parts = conjuncts(selection.where)
    for place, part in enumerate(parts):
        for kind, other in _mutated(part, site, rng):
            changed = (*parts[:place], other, *parts[place + 1 :])
            found.append((kind, selection.model_copy(update={"where": all_of(changed)})))
    for place, pick in enumerate(selection.picks):
        if pick.by in ("x", "y", "area", "length") and pick.count == 1:
            number = len(site.layout)
            for first in sorted({number + 1, number + 2} - {pick.first}):
                later = pick.model_copy(update={"first": first})
                picks = (*selection.picks[:place], later, *selection.picks[place + 1 :])
                if first <= _LAST:
                    found.append(("Z:ordinal", selection.model_copy(update={"picks": picks})))
    rng.shuffle(found)
    yield from (each for each in found if not is_impossible(site.view, each[1]) and not _says_twice(each[1]))


def is_impossible(view: View, selection: Selection) -> bool:
    """Whether no scene could answer it: "further up than the topmost", "larger than the largest" of the same class."""
    heads = set(view.certain.labels(selection.phrases))
    return any(heads and _is_beyond_last(view, heads, part) for part in conjuncts(selection.where))


def _is_beyond_last(view: View, heads: set[str], part: Condition) -> bool:
    """Whether a thing of these classes would have to be beyond the last of them in its own direction."""
    if not isinstance(part, Relation | CompareWith) or part.reference is None:
        return False
    last = part.reference
    if last.where is not None or len(last.picks) != 1 or last.picks[0].first != 1 or last.picks[0].count != 1:
        return False
    if not heads <= set(view.certain.labels(last.phrases)):
        return False
    pick = last.picks[0]
    if isinstance(part, Relation):
        return _LAST_IN.get((pick.by, pick.order), "none") in (part.direction or "").split()
    if pick.by != part.attribute or part.quantifier == "mean":
        return False
    if pick.order == "max":
        return part.op in (">", ">=") and part.factor >= 1
    return part.op in ("<", "<=") and part.factor <= 1


def _says_twice(selection: Selection) -> bool:
    parts = conjuncts(selection.where)
    return any(says_too_much(one, other) for place, one in enumerate(parts) for other in parts[place + 1 :])


def _mutated(condition: Condition, site: Site, rng: random.Random) -> Iterator[tuple[str, Condition]]:
    match condition:
        case Or():
            return
        case And():
            return
        case Not():
            yield "Z:negation", condition.condition
        case SizeWord():
            yield "Z:attribute", SizeWord(word="small" if condition.word == "large" else "large")
        case Colour():
            for colour in rng.sample(COLOURS, len(COLOURS)):
                if colour != condition.word:
                    yield "Z:attribute", Colour(word=colour)
        case Shape():
            yield "Z:attribute", Shape(word="square" if condition.word == "elongated" else "elongated")
        case Orientation():
            for word in ("horizontal", "vertical", "diagonal"):
                if word != condition.word:
                    yield "Z:attribute", Orientation(word=word)
        case Aspect():
            yield "Z:attribute", Aspect(op=">", ratio=rng.choice([5.0, 6.0, 8.0]))
        case Compare():
            up = condition.op in (">", ">=")
            for factor in _GROWN if up else _SHRUNK:
                value = condition.quantity.value * factor if up else condition.quantity.value / factor
                yield "Z:attribute", condition.model_copy(update={"quantity": _said(value, condition.quantity)})
        case Position():
            for place in rng.sample(_PLACES[condition.frame], len(_PLACES[condition.frame])):
                if place != condition.place:
                    yield "Z:position", Position(frame=condition.frame, place=place)  # type: ignore[arg-type]
        case InBox():
            for _ in range(4):
                yield "Z:position", _moved(condition, rng)
        case Group():
            if condition.test is not None:
                for n in rng.sample(range(3, 10), 3):
                    if n != condition.test.n:
                        yield "Z:count", condition.model_copy(update={"test": CountTest(op=condition.test.op, n=n)})
        case CompareWith():
            if condition.factor == 1 and condition.op in (">", "<"):
                yield "Z:relation", condition.model_copy(update={"op": "<" if condition.op == ">" else ">"})
            elif condition.op == ">=":
                yield "Z:relation", condition.model_copy(update={"factor": condition.factor + rng.choice([1.0, 2.0])})
        case Relation():
            yield from _related_otherwise(condition, site, rng)
        case _:
            return


def _moved(box: InBox, rng: random.Random) -> InBox:
    """A box of the same size elsewhere."""
    left, top, right, bottom = box.xyxy
    x, y = (rng.randrange(0, 1001 - side, 50) for side in (right - left, bottom - top))
    return InBox(xyxy=(x, y, x + right - left, y + bottom - top))


def _related_otherwise(relation: Relation, site: Site, rng: random.Random) -> Iterator[tuple[str, Condition]]:
    told = relation.reference.picks if relation.reference is not None else ()
    if relation.direction is not None and not any(pick.by in ("x", "y") for pick in told):  # left of the leftmost
        known = DIRECTIONS if relation.relation == "toward" else DIRECTIONS[:4]
        for direction in rng.sample(known, len(known)):
            if direction != relation.direction:
                yield "Z:relation", relation.model_copy(update={"direction": direction})
    if relation.distance is not None:
        for factor in _GROWN if relation.relation == "beyond" else _SHRUNK:
            up = relation.relation == "beyond"
            value = relation.distance.value * factor if up else relation.distance.value / factor
            yield "Z:relation", relation.model_copy(update={"distance": _said(value, relation.distance)})
    if relation.amount is not None:
        for n in rng.sample(range(2, 9), 3):
            if n != relation.amount.n:
                amount = CountTest(op=relation.amount.op, n=n)
                yield "Z:count", relation.model_copy(update={"amount": amount})
    if relation.reference is not None and relation.reference.expected == 1 and relation.second is None:
        others = [each for each in site.referents if each.selection != relation.reference and each.hops == 1]
        for other in rng.sample(others, min(2, len(others))):
            yield "Z:relation", relation.model_copy(update={"reference": other.selection})


def _said(value: float, like: Quantity) -> Quantity:
    """The quantity, a little more or less, so that a person would say it.

    Example:
        >>> [_said(value, Quantity(value=1, unit="m")).value for value in (16.7, 37.5, 620)]
        [15.0, 40.0, 600.0]
    """
    near = min(ROUND, key=lambda each: abs(each - value))
    return Quantity(value=near, unit=like.unit)


def pick_count(selection: Selection) -> int | None:
    """How many the last rank takes; None without ranks."""
    last: Pick | None = selection.picks[-1] if selection.picks else None
    return None if last is None else last.count
