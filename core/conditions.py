"""The typed condition tree: what a request means, as data that can be read, edited, tested and run again.

The taxonomy follows GeoRSMLLM section II-C (described object tasks) and III-B (condition parser). A tree is plain
pydantic data (frozen, unknown keys refused): JSON and YAML in and out. Geometry lives in `surveyor.tools.judge`;
wording in `surveyor.core.wording`.

A verdict is `True`, `False` or `None` (unknown), combined by Kleene's strong three-valued logic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

N = TypeVar("N", bound="Node")
Verdict = bool | None
Comparison = Literal[">", ">=", "<", "<=", "=="]
Direction = Literal["left", "right", "above", "below", "above left", "above right", "below left", "below right"]
Attribute = Literal["length", "width", "area", "perimeter", "aspect", "orientation", "distance"]
Summary = Literal["total", "mean", "median", "least", "greatest"]

LENGTH_UNITS_M = {"m": 1.0, "cm": 0.01, "km": 1000.0, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344}
AREA_UNITS_M2 = {
    "m2": 1.0,
    "km2": 1e6,
    "ha": 1e4,
    "acre": 4046.8564224,
    "ft2": 0.3048**2,
    "yd2": 0.9144**2,
    "mi2": 1609.344**2,
}
Unit = Literal["px", "m", "cm", "km", "ft", "yd", "mi", "px2", "m2", "km2", "ha", "acre", "ft2", "yd2", "mi2"]


def kleene_and(verdicts: Iterable[Verdict]) -> Verdict:
    """False if any is false, else unknown if any is unknown, else true (true for none at all)."""
    seen = list(verdicts)
    return False if False in seen else (None if None in seen else True)


def kleene_or(verdicts: Iterable[Verdict]) -> Verdict:
    """True if any is true, else unknown if any is unknown, else false (false for none at all)."""
    seen = list(verdicts)
    return True if True in seen else (None if None in seen else False)


def kleene_not(verdict: Verdict) -> Verdict:
    """The opposite; unknown stays unknown."""
    return None if verdict is None else not verdict


class Node(BaseModel):
    """Base of every node: immutable, and a key that isn't known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Quantity(Node):
    """A number with its unit; lengths and distances in px or metric units, areas in px2 or metric units."""

    value: float = Field(ge=0, allow_inf_nan=False)
    unit: Unit

    @property
    def is_area(self) -> bool:
        """Whether the unit measures an area."""
        return self.unit == "px2" or self.unit in AREA_UNITS_M2

    @property
    def is_metric(self) -> bool:
        """Whether ground units are meant, so that a ground sample distance is needed."""
        return self.unit not in ("px", "px2")

    @property
    def base_value(self) -> float:
        """The value in m or m2, or in px or px2 for pixel units."""
        return self.value * (LENGTH_UNITS_M | AREA_UNITS_M2).get(self.unit, 1.0)


class CountTest(Node):
    """A test of how many: "more than five" is (">", 5)."""

    op: Comparison
    n: int = Field(ge=0)


# ---- conditions on one candidate ----------------------------------------------------------------------------


class ClassIs(Node):
    """The candidate was found under this phrase (for "planes left of X or ships")."""

    kind: Literal["class"] = "class"
    phrase: str = Field(min_length=1)


class Compare(Node):
    """A measured attribute against a quantity: "longer than 40 m", "area of at least 2 ha"."""

    kind: Literal["compare"] = "compare"
    attribute: Literal["length", "width", "area", "perimeter"]
    op: Comparison
    quantity: Quantity

    @model_validator(mode="after")
    def _unit_fits(self) -> Compare:
        if self.quantity.is_area != (self.attribute == "area"):
            raise ValueError(f"{self.attribute} cannot be compared with {self.quantity.value:g} {self.quantity.unit}")
        return self


class Among(Node):
    """One of these regions, by id: "plane-3". Ids hold for one image and one grounder (a conversation's memory)."""

    kind: Literal["among"] = "among"
    ids: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


class Aspect(Node):
    """Long side / short side of the oriented box against a number: "aspect ratio above 3", "twice as long as wide"."""

    kind: Literal["aspect"] = "aspect"
    op: Comparison
    ratio: float = Field(ge=0, allow_inf_nan=False)


class SizeWord(Node):
    """ "large", "small": against the other candidates of its class in the scene."""

    kind: Literal["size"] = "size"
    word: Literal["large", "small"]


class Shape(Node):
    """ "elongated" or "square-shaped", by the sides of the oriented box."""

    kind: Literal["shape"] = "shape"
    word: Literal["elongated", "square"]


class Orientation(Node):
    """Direction of the long axis: horizontal (= east-west), vertical (= north-south), diagonal."""

    kind: Literal["orientation"] = "orientation"
    word: Literal["horizontal", "vertical", "diagonal"]


class Colour(Node):
    """The dominant colour of the candidate's pixels."""

    kind: Literal["colour"] = "colour"
    word: Literal["red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "grey", "black"]


class Changed(Node):
    """How the candidate differs between two dates: it was not there before, is no longer there, or is there and looks
    different; "changed" for any of these."""

    kind: Literal["changed"] = "changed"
    word: Literal["new", "gone", "altered", "changed"]


class Position(Node):
    """Where in the image: 3x3 cells, halves, quadrants, edges (touching the border). North is up."""

    kind: Literal["position"] = "position"
    frame: Literal["cell", "half", "quadrant", "edge"]
    place: Literal[
        "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right", "any"
    ]

    @model_validator(mode="after")
    def _place_fits(self) -> Position:
        sides = {"top", "bottom", "left", "right"}
        corners = {"top left", "top right", "bottom left", "bottom right"}
        allowed = {
            "cell": sides | corners | {"center"},
            "half": sides,
            "quadrant": corners,
            "edge": sides | {"any"},
        }[self.frame]
        if self.place not in allowed:
            raise ValueError(f"a {self.frame} is one of {sorted(allowed)}, not {self.place!r}")
        return self


class InBox(Node):
    """Inside a box of the image, said in numbers: "in the box [100, 200, 400, 500]".

    Args:
        xyxy: left, top, right, bottom. GeoRSMLLM's grid (section III-A): thousandths of the image's width and height;
            or px, from the upper left corner.
        unit: which of both.
    """

    kind: Literal["box"] = "box"
    xyxy: tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt, NonNegativeInt]
    unit: Literal["thousandths", "px"] = "thousandths"

    @model_validator(mode="after")
    def _is_box(self) -> InBox:
        left, top, right, bottom = self.xyxy
        if left >= right or top >= bottom:
            raise ValueError(f"a box is left, top, right, bottom, with left < right and top < bottom, not {self.xyxy}")
        if self.unit == "thousandths" and max(self.xyxy) > 1000:
            raise ValueError(f"a box is in thousandths of the image (0 to 1000), or in px, not {self.xyxy}")
        return self

    def to_px(self, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
        """The box in px of an image of that size; may reach beyond it where it is said in px.

        Example:
            >>> InBox(xyxy=(100, 0, 500, 1000)).to_px((2000, 100))
            (200.0, 0.0, 1000.0, 100.0)
        """
        left, top, right, bottom = self.xyxy
        across, down = (1.0, 1.0) if self.unit == "px" else (size_wh[0] / 1000, size_wh[1] / 1000)
        return left * across, top * down, right * across, bottom * down


UNCOUNTED = ("aligned", "between", "same_side", "other_side")
"""Relations that no number of reference regions goes with."""


class Relation(Node):
    """A relation to the regions of another selection (or, for "aligned", to the others of its own class).

    Args:
        relation: `toward`: bearing from the reference (needs direction); `further`: half-plane "further left than";
            `side`: on that side or bank of a long reference (needs direction); `near`: within two sizes of the
            reference, a size being the root of its box's area (else all would be near a long river); `within`,
            `beyond`: polygon distance against `distance`; `inside`, `contains`, `overlaps`, `adjacent`; `between`:
            reference and second; `surrounded`: by the reference regions; `aligned`: part of a row of three or more;
            `parallel`, `perpendicular`: the long axes of both; `flanking`: beside a long reference, on whichever of
            its sides; `same_side`, `other_side`: of a long reference, as seen from `second` (None: from the centre of
            the image, which is what "this side of the runway" is taken for).
        quantifier: with several reference regions, whether one (`any`) or each (`all`) must satisfy it.
        amount: how many of the reference regions must satisfy it ("near at least two ships"), in place of a
            quantifier; for `surrounded`, how many stand round it.
    """

    kind: Literal["relation"] = "relation"
    relation: Literal[
        "toward",
        "further",
        "side",
        "near",
        "within",
        "beyond",
        "inside",
        "contains",
        "overlaps",
        "adjacent",
        "between",
        "surrounded",
        "aligned",
        "parallel",
        "perpendicular",
        "flanking",
        "same_side",
        "other_side",
    ]
    reference: Selection | None = None
    second: Selection | None = None
    direction: Direction | None = None
    distance: Quantity | None = None
    quantifier: Literal["any", "all"] = "any"
    amount: CountTest | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Relation:
        faults = []
        if (self.reference is None) != (self.relation == "aligned"):
            faults.append("needs a reference" if self.reference is None else "takes no reference")
        if (self.direction is not None) != (self.relation in ("toward", "further", "side")):
            faults.append("needs a direction" if self.direction is None else "takes no direction")
        if (self.distance is not None) != (self.relation in ("within", "beyond")):
            faults.append("needs a distance" if self.distance is None else "takes no distance")
        if self.distance is not None and self.distance.is_area:
            faults.append("needs a length, not an area")
        if self.second is not None and self.relation not in ("between", "same_side", "other_side"):
            faults.append("takes no second reference")
        if self.amount is not None and (self.relation in UNCOUNTED or self.quantifier == "all"):
            faults.append("takes no amount" + (" beside 'all'" if self.quantifier == "all" else ""))
        if faults:
            raise ValueError(f"relation {self.relation!r} {' and '.join(faults)}")
        return self


class CompareWith(Node):
    """A measure against that of another region: "longer than the bridge", "at least twice as wide as the road".

    Args:
        op: how the measure compares with `factor` times that of the reference.
        quantifier: with several reference regions, whether one (`any`) or each (`all`) must satisfy it; `mean` holds
            it against the mean of their measures ("larger than average": of its own class, itself among them).
    """

    kind: Literal["compare_with"] = "compare_with"
    attribute: Literal["length", "width", "area", "aspect"]
    op: Comparison
    reference: Selection
    factor: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    quantifier: Literal["any", "all", "mean"] = "any"


class Group(Node):
    """Part of a group (regions of its class close together) or a row of so many.

    Args:
        form: `group`: two or more, each within 1.5 median lengths of another; `row`: three or more in a line.
        test: how many belong to it ("in a group of at least three"); None for any number.
        which: the group of the most, or of the fewest members, among all groups.
    """

    kind: Literal["group"] = "group"
    form: Literal["group", "row"]
    test: CountTest | None = None
    which: Literal["largest", "smallest"] | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Group:
        if self.form == "row" and self.test is None and self.which is None:
            raise ValueError("a row of any number is the relation 'aligned'")
        if self.test is not None and self.which is not None:
            raise ValueError("a group is told by a number or by 'which', not by both")
        return self


class Provided(Node):
    """The same verdict for every candidate: whether another set passes a test of how many ("if there are ...")."""

    kind: Literal["provided"] = "provided"
    reference: Selection
    test: CountTest


class Pick(Node):
    """Those at given ranks when the set is ordered: superlatives ("two largest") and ordinals ("third from left").

    Args:
        by: what orders the set; `distance` is the polygon distance to the nearest region of `reference`;
            `x` and `y` are the centre's; `centre` is the distance of the centre from the centre of the image.
        order: `max` starts at the largest value, `min` at the smallest.
        first: rank of the first one taken, from 1.
        count: how many ranks are taken.
    """

    kind: Literal["pick"] = "pick"
    by: Literal["area", "length", "width", "aspect", "distance", "x", "y", "centre", "score"]
    order: Literal["max", "min"]
    first: PositiveInt = 1
    count: PositiveInt = 1
    reference: Selection | None = None

    @model_validator(mode="after")
    def _reference_fits(self) -> Pick:
        if (self.reference is not None) != (self.by == "distance"):
            raise ValueError("a pick by distance needs a reference, and no other pick takes one")
        return self


class And(Node):
    """All of them (Kleene)."""

    kind: Literal["and"] = "and"
    conditions: tuple[Condition, ...] = Field(min_length=2)


class Or(Node):
    """At least one of them (Kleene)."""

    kind: Literal["or"] = "or"
    conditions: tuple[Condition, ...] = Field(min_length=2)


class Not(Node):
    """Not that (Kleene). A `Pick` inside looks at the whole set: "tanks except the largest"."""

    kind: Literal["not"] = "not"
    condition: Condition


Condition = Annotated[
    ClassIs
    | Among
    | Compare
    | Aspect
    | SizeWord
    | Shape
    | Orientation
    | Colour
    | Changed
    | Position
    | InBox
    | Relation
    | CompareWith
    | Group
    | Provided
    | Pick
    | And
    | Or
    | Not,
    Field(discriminator="kind"),
]


class Selection(Node):
    """A set of regions: everything found under any of the phrases, kept where `where` holds, then picked in turn.

    Args:
        phrases: what to look for, e.g. ("plane",); several form a union.
        where: the condition each must satisfy; None keeps all.
        picks: applied one after the other to those that are left ("the largest of the three left-most").
        expected: how many the wording promises ("the plane": 1, "the two planes": 2), None when open. Checked, and
            said in the answer when the scene has another number; never used to drop anything.
    """

    phrases: tuple[str, ...] = Field(min_length=1)
    where: Condition | None = None
    picks: tuple[Pick, ...] = ()
    expected: PositiveInt | None = None


class Output(Node):
    """One thing the request asks for.

    Args:
        verb: `detect` boxes, `segment` masks, `count` a number, `measure` an attribute, `describe` words,
            `exists` yes/no (by `test`, default at least one), `compare` two sets' counts (target `op` `factor` times
            other; without `op` it tells both numbers and their difference).
        attribute: for `measure`; a `distance` is that to the nearest region of `reference`.
        unit: for `measure`, the unit asked for; None picks metres when known, else pixels.
        summary: for `measure`, one number for the whole set ("the total area", "the average length").
        per: for `count`, counts groups or rows of the set instead of regions.
    """

    verb: Literal["detect", "segment", "count", "measure", "describe", "exists", "compare"]
    target: Selection
    attribute: Attribute | None = None
    unit: Unit | None = None
    test: CountTest | None = None
    op: Comparison | None = None
    factor: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    other: Selection | None = None
    reference: Selection | None = None
    summary: Summary | None = None
    per: Literal["group", "row"] | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Output:
        faults = []
        if (self.attribute is not None) != (self.verb == "measure"):
            faults.append("an attribute goes with 'measure'")
        if self.unit is not None and self.verb != "measure":
            faults.append("a unit goes with 'measure'")
        if self.test is not None and self.verb != "exists":
            faults.append("a count test goes with 'exists'")
        if (self.other is not None) != (self.verb == "compare") or (self.op is not None and self.verb != "compare"):
            faults.append("op and other go with 'compare'")
        if self.factor != 1 and self.op is None:
            faults.append("a factor goes with 'compare' and an op")
        if (self.reference is not None) != (self.attribute == "distance"):
            faults.append("a reference goes with the attribute 'distance'")
        if self.summary is not None and (self.verb != "measure" or self.attribute == "orientation"):
            faults.append("a summary goes with 'measure', and not with orientations")
        if self.per is not None and self.verb != "count":
            faults.append("groups and rows are counted with 'count'")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Request(Node):
    """The meaning of one query: one output or several."""

    outputs: tuple[Output, ...] = Field(min_length=1)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in reading order."""
    for value in vars(node).values():  # pydantic keeps fields there, in their order
        if isinstance(value, tuple):
            for item in value:
                if isinstance(item, Node):
                    yield item
        elif isinstance(value, Node):
            yield value


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def with_selections(node: N, change: Callable[[Selection], Selection]) -> N:
    """The tree with every selection put through a function, inner ones first."""
    changes: dict[str, object] = {}
    for name, value in vars(node).items():
        if isinstance(value, Node):
            changes[name] = with_selections(value, change)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[name] = tuple(with_selections(item, change) for item in value)
    node = node.model_copy(update=changes) if changes else node
    return change(node) if isinstance(node, Selection) else node  # type: ignore[return-value]


def conjuncts(condition: Condition | None) -> tuple[Condition, ...]:
    """The parts that must all hold: () for None, the flattened parts of an `And`, else the condition itself."""
    if condition is None:
        return ()
    if isinstance(condition, And):
        return tuple(part for inner in condition.conditions for part in conjuncts(inner))
    return (condition,)


def all_of(conditions: Iterable[Condition]) -> Condition | None:
    """What holds where all of them do: None for none, a single one as it is, else an `And`; undoes `conjuncts`."""
    parts = tuple(conditions)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(conditions=parts)


for _model in (Relation, CompareWith, Provided, Pick, And, Or, Not, Selection, Output, Request):
    _model.model_rebuild()
