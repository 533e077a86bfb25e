"""Relations of a set in the builder to other sets. One line a relation."""

from __future__ import annotations

from typing import Any, Self

from ..core.conditions import Condition, CountTest, Provided, Quantity, Relation, Selection
from . import builder_terms as terms
from .builder_values import yes_or_no


class Related:
    """The methods of a `RegionSet` that relate it to another set.

    In all of them the other set is a `RegionSet` or words ("the river", "the two largest ships"). Of several regions
    there, one has to satisfy the relation; with `each=True` every one; with `amount="at least 2"` so many.
    """

    def _and(self, *conditions: Condition) -> Self:
        raise NotImplementedError

    def _reference(self, other: Any) -> Selection:
        raise NotImplementedError

    def _related(
        self, relation: str, other: Any, each: bool = False, amount: str | CountTest | None = None, **more: Any
    ) -> Self:
        quantifier = "all" if yes_or_no(each, "'each'") else "any"
        fields = {"reference": self._reference(other), "quantifier": quantifier, **more}
        if amount is not None:
            fields["amount"] = terms.count_test(amount)
        return self._and(terms.checked(Relation, relation=relation, **fields))

    # ---- directions ----

    def toward(self, direction: str, of: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those in a direction from the other: "left", "north", "upper right", "south-west".

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").toward("north-east", of="the tower").words
            'planes to the upper right of the tower'
        """
        return self._related("toward", of, each, amount, direction=terms.direction(direction))

    def left_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those left (west) of the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").left_of("the runway").words
            'planes left of the runway'
        """
        return self.toward("left", other, each=each, amount=amount)

    def right_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those right (east) of the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").right_of("ships", each=True).words
            'planes right of all ships'
        """
        return self.toward("right", other, each=each, amount=amount)

    def above(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those above (north of) the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").above("the runway").words
            'planes above the runway'
        """
        return self.toward("above", other, each=each, amount=amount)

    def below(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those below (south of) the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").below("the runway").words
            'planes below the runway'
        """
        return self.toward("below", other, each=each, amount=amount)

    def west_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those west of the other; north is up, so the same as `left_of`.

        Example:
            >>> from surveyor import Graph
            >>> g = Graph()
            >>> g.ground("plane").west_of("the runway") == g.ground("plane").left_of("the runway")
            True
        """
        return self.left_of(other, each=each, amount=amount)

    def east_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those east of the other; the same as `right_of`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").east_of("the runway").words
            'planes right of the runway'
        """
        return self.right_of(other, each=each, amount=amount)

    def north_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those north of the other; the same as `above`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").north_of("the runway").words
            'planes above the runway'
        """
        return self.above(other, each=each, amount=amount)

    def south_of(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those south of the other; the same as `below`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").south_of("the runway").words
            'planes below the runway'
        """
        return self.below(other, each=each, amount=amount)

    def further(self, direction: str, than: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those further in a direction than the other, wherever they stand across it.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").further("left", than="the pier").words
            'ships further left than the pier'
        """
        return self._related("further", than, each, amount, direction=terms.direction(direction))

    # ---- sides of long things ----

    def side_of(self, other: Any, direction: str, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those on a side or bank of a long thing.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").side_of("the river", "east").words
            'planes on the east side of the river'
        """
        return self._related("side", other, each, amount, direction=terms.direction(direction))

    def same_side_of(self, other: Any, *, seen_from: Any = None, each: bool = False) -> Self:
        """Those on the side of a long thing where another set stands, or the centre of the image ("this side").

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").same_side_of("the runway", seen_from="the tower").selection.where.relation
            'same_side'
        """
        return self._related("same_side", other, each, second=self._second(seen_from))

    def other_side_of(self, other: Any, *, seen_from: Any = None, each: bool = False) -> Self:
        """Those on the other side of a long thing than another set, or than the centre of the image.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").other_side_of("the runway").selection.where.relation
            'other_side'
        """
        return self._related("other_side", other, each, second=self._second(seen_from))

    def flanking(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those beside a long thing, on whichever of its sides.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("tree").flanking("the road").selection.where.relation
            'flanking'
        """
        return self._related("flanking", other, each, amount)

    # ---- nearness ----

    def near(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those within two sizes of the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").near("the hangar").words
            'planes near the hangar'
        """
        return self._related("near", other, each, amount)

    def within(
        self, distance: str | Quantity, of: Any, *, each: bool = False, amount: str | CountTest | None = None
    ) -> Self:
        """Those at most so far from the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("house").within("50 m", of="the river").words
            'houses within 50 m of the river'
        """
        return self._related("within", of, each, amount, distance=terms.quantity(distance))

    def beyond(
        self, distance: str | Quantity, of: Any, *, each: bool = True, amount: str | CountTest | None = None
    ) -> Self:
        """Those farther than that from every region of the other (`each=False`: from at least one).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("house").beyond("50 m", of="the river").words
            'houses more than 50 m from the river'
        """
        each = yes_or_no(each, "'each'") and amount is None
        return self._related("beyond", of, each, amount, distance=terms.quantity(distance))

    def next_to(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those touching the other or right beside it.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("car").next_to("the building nearest to the bridge").words
            'cars next to the building nearest to the bridge'
        """
        return self._related("adjacent", other, each, amount)

    # ---- places ----

    def inside(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those inside or on the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").inside("the harbour").words
            'ships inside the harbour'
        """
        return self._related("inside", other, each, amount)

    def containing(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those that contain a region of the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("harbour").containing("ships").words
            'harbours containing ships'
        """
        return self._related("contains", other, each, amount)

    def overlapping(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those that overlap or cross the other.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("bridge").overlapping("the river").words
            'bridges overlapping the river'
        """
        return self._related("overlaps", other, each, amount)

    def between(self, first: Any, second: Any = None) -> Self:
        """Those between two things: a region of each set, or two regions of one set.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("tree").between("the road", "the river").words
            'trees between the road and the river'
        """
        return self._related("between", first, second=self._second(second))

    def surrounded_by(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those with regions of the other all round.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("house").surrounded_by("trees").words
            'houses surrounded by trees'
        """
        return self._related("surrounded", other, each, amount)

    def parallel_to(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those whose long axis runs as the other's does.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").parallel_to("the pier").selection.where.relation
            'parallel'
        """
        return self._related("parallel", other, each, amount)

    def perpendicular_to(self, other: Any, *, each: bool = False, amount: str | CountTest | None = None) -> Self:
        """Those whose long axis crosses the direction of the other's.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").perpendicular_to("the pier").selection.where.relation
            'perpendicular'
        """
        return self._related("perpendicular", other, each, amount)

    def provided(self, other: Any, test: str | CountTest = "at least 1") -> Self:
        """All of them if there are so many of the other, else none ("if there are more than 5 ships").

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").provided("ships", "more than 5").selection.where.test.n
            5
        """
        return self._and(Provided(reference=self._reference(other), test=terms.count_test(test)))

    def _second(self, other: Any) -> Selection | None:
        return None if other is None else self._reference(other)
