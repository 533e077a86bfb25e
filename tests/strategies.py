"""Hypothesis strategies over the condition tree: requests that English can say (what `words` renders, `parse` reads).

What is left out is what nobody can say in one sentence: the same condition twice, a conjunction inside a conjunction,
"all" of one thing, a promise of how many beside a superlative, and conditions that exclude each other.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from surveyor.agent.parsing.checks import exclude_each_other
from surveyor.core.conditions import (
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
    Output,
    Pick,
    Position,
    Provided,
    Quantity,
    Relation,
    Request,
    Selection,
    Shape,
    SizeWord,
    conjuncts,
)

PHRASES = [
    "plane",
    "ship",
    "storage tank",
    "tennis court",
    "bus",
    "ferry",
    "building",
    "river",
    "harbour",
    "swimming pool",
]
LENGTH_UNITS = ["px", "m", "cm", "km", "ft", "yd", "mi"]
AREA_UNITS = ["px2", "m2", "km2", "ha", "acre", "ft2", "yd2", "mi2"]
DIRECTIONS = ["left", "right", "above", "below", "above left", "above right", "below left", "below right"]
RELATIONS = (
    "toward further side near within beyond inside contains overlaps adjacent between surrounded aligned "
    "parallel perpendicular flanking same_side other_side".split()
)
OPS = [">", ">=", "<", "<=", "=="]
PLACES = {
    "cell": ["top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"],
    "half": ["top", "bottom", "left", "right"],
    "quadrant": ["top left", "top right", "bottom left", "bottom right"],
    "edge": ["top", "bottom", "left", "right", "any"],
}


def _values() -> st.SearchStrategy[float]:
    return st.integers(0, 5_000_000).map(lambda n: n / 1000) | st.integers(0, 2000).map(float)


def quantities(units: list[str]) -> st.SearchStrategy[Quantity]:
    """A number with one of the units."""
    return st.builds(Quantity, value=_values(), unit=st.sampled_from(units))


def comparisons() -> st.SearchStrategy[Compare]:
    """Measured conditions."""
    ops = st.sampled_from(OPS)
    lengths = st.builds(
        Compare,
        attribute=st.sampled_from(["length", "width", "perimeter"]),
        op=ops,
        quantity=quantities(LENGTH_UNITS),
    )
    areas = st.builds(Compare, attribute=st.just("area"), op=ops, quantity=quantities(AREA_UNITS))
    aspects = st.builds(Aspect, op=ops, ratio=st.integers(0, 200).map(lambda n: n / 10))
    return lengths | areas | aspects


def tests(least: int = 0) -> st.SearchStrategy[CountTest]:
    """How many: "at least one" of a reference has words of its own."""
    found = st.builds(CountTest, op=st.sampled_from(OPS), n=st.integers(least, 30))
    return found.filter(lambda test: (test.op, test.n) != (">=", 1))


def groups() -> st.SearchStrategy[Group]:
    """Groups and rows of so many."""
    form = st.sampled_from(["group", "row"])
    told = st.builds(Group, form=form, test=tests())
    return (
        told
        | st.builds(Group, form=form, which=st.sampled_from(["largest", "smallest"]))
        | st.just(Group(form="group"))
    )


def factors() -> st.SearchStrategy[float]:
    """So many times as long, so many times as many."""
    return st.just(1.0) | st.integers(1, 90).map(lambda n: n / 10)


@st.composite
def likenesses(draw: st.DrawFn, depth: int) -> CompareWith:
    """Comparisons with another region."""
    reference = draw(selections(depth - 1))
    single = (reference.picks[-1].count if reference.picks else reference.expected) == 1
    return CompareWith(
        attribute=draw(st.sampled_from(["length", "width", "area", "aspect"])),
        op=draw(st.sampled_from(OPS)),  # type: ignore[arg-type]
        reference=reference,
        factor=draw(factors()),
        quantifier=draw(st.sampled_from(["any", "mean"] if single else ["any", "all", "mean"])),  # type: ignore[arg-type]
    )


def adjectives() -> st.SearchStrategy[Condition]:
    """Conditions that may stand before the noun."""
    return st.one_of(
        st.builds(SizeWord, word=st.sampled_from(["large", "small"])),
        st.builds(Shape, word=st.sampled_from(["elongated", "square"])),
        st.builds(Orientation, word=st.sampled_from(["horizontal", "vertical", "diagonal"])),
        st.builds(Colour, word=st.sampled_from(["red", "orange", "white", "grey", "black", "green"])),
    )


def positions() -> st.SearchStrategy[Position]:
    """Places in the image."""
    pairs = [(frame, place) for frame, places in PLACES.items() for place in places]
    return st.sampled_from(pairs).map(lambda pair: Position(frame=pair[0], place=pair[1]))  # type: ignore[arg-type]


def boxes_of_image() -> st.SearchStrategy[InBox]:
    """Boxes said in numbers."""
    spans = st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True).map(sorted)
    units = st.sampled_from(["thousandths", "px"])
    return st.builds(lambda x, y, unit: InBox(xyxy=(x[0], y[0], x[1], y[1]), unit=unit), spans, spans, units)


def unary() -> st.SearchStrategy[Condition]:
    """Conditions on a thing alone."""
    return st.one_of(comparisons(), adjectives(), positions(), boxes_of_image(), groups())


@st.composite
def relations(draw: st.DrawFn, depth: int) -> Relation:
    """Relations to a selection of at most that depth."""
    kind = draw(st.sampled_from(RELATIONS))
    parts: dict[str, Any] = {"relation": kind}
    if kind == "aligned":
        return Relation(**parts)
    if kind in ("toward", "further", "side"):
        parts["direction"] = draw(st.sampled_from(DIRECTIONS))
    if kind in ("within", "beyond"):
        parts["distance"] = draw(quantities(LENGTH_UNITS))
    reference = draw(selections(depth - 1))
    if kind in ("same_side", "other_side"):
        return Relation(**parts, reference=reference, second=draw(st.none() | selections(depth - 1)))
    if kind == "between":
        single = len(reference.phrases) == 1
        reference = reference if single else Selection(phrases=reference.phrases[:1])
        if draw(st.booleans()) or reference.expected == 1 or reference.picks:
            other = draw(selections(depth - 1))
            parts["second"] = other if len(other.phrases) == 1 else Selection(phrases=other.phrases[:1])
        return Relation(**parts, reference=reference)
    if draw(st.integers(0, 3)) == 0:
        return Relation(**parts, reference=reference, amount=draw(tests()))
    if kind == "beyond":
        parts["quantifier"] = (
            "all" if reference.expected == 1 or reference.picks else draw(st.sampled_from(["any", "all"]))
        )
    elif reference.expected != 1 and not reference.picks:
        parts["quantifier"] = draw(st.sampled_from(["any", "all"]))
    return Relation(**parts, reference=reference)


@st.composite
def picks(draw: st.DrawFn, depth: int) -> Pick:
    """Superlatives and ordinals."""
    by = draw(st.sampled_from(["area", "length", "width", "aspect", "distance", "x", "y", "centre", "score"]))
    reference = draw(selections(depth - 1)) if by == "distance" else None
    return Pick(
        by=by,  # type: ignore[arg-type]
        order=draw(st.sampled_from(["max", "min"])),
        first=draw(st.integers(1, 4) | st.integers(1, 25)),
        count=draw(st.integers(1, 3) | st.integers(1, 25)),
        reference=reference,
    )


def _possible(condition: Condition | None) -> bool:
    parts = conjuncts(condition)
    return not any(exclude_each_other(a, b) for i, a in enumerate(parts) for b in parts[i + 1 :])


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> Condition:
    """Any condition of at most that depth."""
    kinds = ["unary", "unary", "class"] + (
        ["relation", "relation", "not", "and", "or", "pick", "likeness", "provided"] if depth > 0 else []
    )
    kind = draw(st.sampled_from(kinds))
    if kind == "unary":
        return draw(unary())
    if kind == "class":
        return ClassIs(phrase=draw(st.sampled_from(PHRASES)))
    if kind == "relation":
        return draw(relations(depth))
    if kind == "likeness":
        return draw(likenesses(depth))
    if kind == "provided":
        return Provided(reference=draw(selections(depth - 1)), test=draw(tests()))
    if kind == "not":
        return Not(condition=draw(conditions(depth - 1)))
    if kind == "pick":
        return draw(picks(depth))
    joined: type[And] | type[Or] = And if kind == "and" else Or
    parts = draw(st.lists(conditions(depth - 1), min_size=2, max_size=3, unique=True))
    flat = [part for part in parts if not isinstance(part, joined)]
    if len(flat) < 2:
        return flat[0] if flat else draw(unary())
    made = joined(conditions=tuple(flat))
    return made if joined is Or or _possible(made) else flat[0]


@st.composite
def selections(draw: st.DrawFn, depth: int = 2) -> Selection:
    """Sets of at most that depth."""
    phrases = draw(
        st.lists(st.sampled_from(PHRASES), min_size=1, max_size=3 if draw(st.booleans()) else 1, unique=True)
    )
    where = draw(st.none() | conditions(depth).filter(_possible)) if depth > 0 else draw(st.none() | adjectives())
    if len(phrases) == 1 and Not(condition=ClassIs(phrase=phrases[0])) in conjuncts(where):
        where = None  # "planes that are not of type plane"
    ranks = tuple(draw(st.lists(picks(depth), max_size=2))) if depth > 0 and draw(st.booleans()) else ()
    expected = None if ranks else draw(st.none() | st.integers(1, 13))
    return Selection(phrases=tuple(phrases), where=where, picks=ranks, expected=expected)


@st.composite
def outputs(draw: st.DrawFn, depth: int = 2) -> Output:
    """One thing asked for."""
    verb = draw(st.sampled_from(["detect", "segment", "count", "measure", "describe", "exists", "compare"]))
    target = draw(selections(depth))
    parts: dict[str, Any] = {"verb": verb}
    if verb == "measure":
        attribute = draw(st.sampled_from(["length", "width", "area", "perimeter", "aspect", "orientation", "distance"]))
        units = {"area": AREA_UNITS, "aspect": [], "orientation": []}.get(attribute, LENGTH_UNITS)
        parts |= {"attribute": attribute, "unit": draw(st.none() | st.sampled_from(units)) if units else None}
        if attribute == "distance":
            parts["reference"] = draw(selections(depth - 1))
        if attribute != "orientation":
            parts["summary"] = draw(st.sampled_from([None, None, "total", "mean", "median", "least", "greatest"]))
    if verb == "count":
        parts["per"] = draw(st.sampled_from([None, None, "group", "row"]))
    if verb == "exists" and draw(st.booleans()):
        parts["test"] = CountTest(op=draw(st.sampled_from(OPS)), n=draw(st.integers(0, 30)))  # type: ignore[arg-type]
        target = target.model_copy(update={"expected": None})
    if verb == "compare":
        parts |= {"op": draw(st.none() | st.sampled_from(OPS)), "other": draw(selections(depth))}
        if parts["op"] is not None:
            parts["factor"] = draw(factors())
    return Output(**parts, target=target)


def requests(depth: int = 2) -> st.SearchStrategy[Request]:
    """Whole requests, of one to three outputs."""
    return st.lists(outputs(depth), min_size=1, max_size=3).map(lambda found: Request(outputs=tuple(found)))
