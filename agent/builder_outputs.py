"""What can be asked of sets in the builder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

from ..core.conditions import Attribute, CountTest, Output, Quantity, Selection, Summary, Unit
from ..core.errors import UsageError
from . import builder_terms as terms
from .builder_values import positive, word_of

if TYPE_CHECKING:
    from .builder import Graph
    from .builder_sets import RegionSet


@dataclass(frozen=True)
class Wanted:
    """One thing to ask for, made by `Graph.segment`, `Graph.count` and so on; hand it to `Graph.answer`."""

    graph: Graph = field(compare=False, repr=False)
    output: Output | str

    def __repr__(self) -> str:
        return f"Wanted({self.graph.words_of(self.output)!r})"


class Asking:
    """The methods of a `Graph` that make something to ask for."""

    def _selection(self, target: RegionSet | str) -> Selection:
        raise NotImplementedError

    def _output(self, verb: str, target: RegionSet | str, **more: Any) -> Wanted:
        return Wanted(cast("Graph", self), terms.checked(Output, verb=verb, target=self._selection(target), **more))

    def detect(self, target: RegionSet | str) -> Wanted:
        """The boxes of a set.

        Example:
            >>> from surveyor import Graph
            >>> g = Graph()
            >>> g.detect(g.ground("plane"))
            Wanted('detect all planes')
        """
        return self._output("detect", target)

    def segment(self, target: RegionSet | str) -> Wanted:
        """The masks of a set.

        Example:
            >>> from surveyor import Graph
            >>> Graph().segment("the largest ship")
            Wanted('segment the largest ship')
        """
        return self._output("segment", target)

    def count(self, target: RegionSet | str, per: str | None = None) -> Wanted:
        """How many there are; `per="group"` or `per="row"` counts those of them.

        Example:
            >>> from surveyor import Graph
            >>> Graph().count("red cars")
            Wanted('count all red cars')
        """
        return self._output("count", target, per=None if per is None else word_of(per, ("group", "row"), "'per'"))

    def measure(
        self,
        target: RegionSet | str,
        attribute: Attribute,
        unit: Unit | None = None,
        *,
        to: RegionSet | str | None = None,
        summary: Summary | None = None,
    ) -> Wanted:
        """An attribute of each region of a set.

        Args:
            attribute: "length", "width", "area", "perimeter", "aspect", "orientation", "distance" (`to` a set).
            unit: "m", "ft", "ha" and so on; metres when not given and known, else pixels.
            summary: one number for the set: "total", "mean", "median", "least", "greatest".

        Example:
            >>> from surveyor import Graph
            >>> Graph().measure("the longest ship", "length", "ft")
            Wanted('measure the length of the longest ship in ft')
        """
        known = cast("Attribute", word_of(attribute, get_args(Attribute), "an attribute"))
        meant = None if unit is None else terms.quantity(0, unit).unit
        if meant is not None:
            _check_unit(known, meant)
        if (known == "distance") != (to is not None):
            raise UsageError(
                "a distance needs what it is measured to: g.measure(planes, 'distance', to='the runway')"
                if to is None
                else f"'to' goes with the attribute 'distance', not with {known!r}"
            )
        more: dict[str, Any] = {} if to is None else {"reference": self._selection(to)}
        if summary is not None:
            more["summary"] = word_of(summary, get_args(Summary), "a summary")
        return self._output("measure", target, attribute=known, unit=meant, **more)

    def describe(self, target: RegionSet | str) -> Wanted:
        """What a set shows, in words.

        Example:
            >>> from surveyor import Graph
            >>> Graph().describe("the two largest ships")
            Wanted('describe the two largest ships')
        """
        return self._output("describe", target)

    def exists(self, target: RegionSet | str, test: str | CountTest | None = None) -> Wanted:
        """Whether there are any, or so many: "more than 5", "at least two", "== 3", "no".

        Example:
            >>> from surveyor import Graph
            >>> Graph().exists("ships near the pier", "more than 5")
            Wanted('check whether there are more than five ships near the pier')
        """
        return self._output("exists", target, test=None if test is None else terms.count_test(test))

    def compare(self, first: RegionSet | str, op: str | None, second: RegionSet | str, *, times: float = 1.0) -> Wanted:
        """Whether there are more (">"), fewer, as many of one set as of another; `op=None` tells the difference.

        Args:
            times: so many times as many: "at least twice as many" is (">=", times=2).

        Example:
            >>> from surveyor import Graph
            >>> g = Graph()
            >>> g.compare("ships", ">", "tanks")
            Wanted('check whether there are more ships than tanks')
            >>> g.compare("ships", "at least", "tanks", times=2)
            Wanted('check whether there are at least 2 times as many ships as tanks')
        """
        meant = None if op is None else terms.comparison(op)
        factor = positive(times, "'times'", "g.compare('ships', '>=', 'tanks', times=2)")
        if meant is None and factor != 1:
            raise UsageError("'times' goes with a comparison, as in g.compare('ships', '>=', 'tanks', times=2)")
        return self._output("compare", first, op=meant, factor=factor, other=self._selection(second))


def _check_unit(attribute: Attribute, unit: Unit) -> None:
    """Raises UsageError where the attribute is not measured in that unit."""
    is_area = Quantity(value=0, unit=unit).is_area
    if attribute in ("aspect", "orientation") or is_area != (attribute == "area"):
        raise UsageError(f"{attribute} is not measured in {unit!r}")
