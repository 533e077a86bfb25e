"""Ranks of a set in the builder: superlatives and ordinals. One line a rank."""

from __future__ import annotations

from typing import Any, Self

from ..core.conditions import Pick, Selection
from . import builder_terms as terms
from .builder_values import whole


class Ranked:
    """The methods of a `RegionSet` that take some of its ordered regions."""

    def _picked(self, *picks: Pick) -> Self:
        raise NotImplementedError

    def _reference(self, other: Any) -> Selection:
        raise NotImplementedError

    def ranked(self, word: str, n: int = 1, *, first: int = 1) -> Self:
        """`n` ranks of the ordered set, from rank `first` on.

        Args:
            word: a superlative ("largest", "narrowest", "most elongated", "leftmost", "most confident") or the side
                to count from ("left").

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").ranked("longest", 2, first=2).words
            'the second to third longest ships'
        """
        return self._picked(terms.rank(word, first, n))

    def nth(self, rank: int, word: str) -> Self:
        """The one at that rank: `nth(2, "largest")`, `nth(3, "left")`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").nth(3, "left").words
            'the third plane from the left'
        """
        return self.ranked(word, first=whole(rank, "the rank", "nth(2, 'largest')"))

    def largest(self, n: int = 1) -> Self:
        """The `n` of the largest area.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").largest(2).words
            'the two largest ships'
        """
        return self.ranked("largest", n)

    def smallest(self, n: int = 1) -> Self:
        """The `n` of the smallest area.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").smallest().words
            'the smallest ship'
        """
        return self.ranked("smallest", n)

    def longest(self, n: int = 1) -> Self:
        """The `n` longest.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("bridge").longest().words
            'the longest bridge'
        """
        return self.ranked("longest", n)

    def shortest(self, n: int = 1) -> Self:
        """The `n` shortest.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("bridge").shortest(3).words
            'the three shortest bridges'
        """
        return self.ranked("shortest", n)

    def leftmost(self, n: int = 1) -> Self:
        """The `n` farthest to the left (west).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").leftmost().words
            'the leftmost plane'
        """
        return self.ranked("leftmost", n)

    def rightmost(self, n: int = 1) -> Self:
        """The `n` farthest to the right (east).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").rightmost().words
            'the rightmost plane'
        """
        return self.ranked("rightmost", n)

    def topmost(self, n: int = 1) -> Self:
        """The `n` farthest up (north).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").topmost().words
            'the topmost plane'
        """
        return self.ranked("topmost", n)

    def bottommost(self, n: int = 1) -> Self:
        """The `n` farthest down (south).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").bottommost().words
            'the bottommost plane'
        """
        return self.ranked("bottommost", n)

    def most_central(self, n: int = 1) -> Self:
        """The `n` closest to the centre of the image; `ranked("least central")` are those farthest from it.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("car").most_central(2).words
            'the two most central cars'
        """
        return self.ranked("most central", n)

    def nearest_to(self, other: Any, n: int = 1, *, first: int = 1) -> Self:
        """The `n` nearest to the regions of another set (a `RegionSet`, or words such as "the bridge").

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("building").nearest_to("the bridge").words
            'the building nearest to the bridge'
        """
        return self._picked(terms.rank("nearest", first, n, self._reference(other)))

    def farthest_from(self, other: Any, n: int = 1, *, first: int = 1) -> Self:
        """The `n` farthest from the regions of another set.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("house").farthest_from("the road", 2).words
            'the two houses farthest from the road'
        """
        return self._picked(terms.rank("farthest", first, n, self._reference(other)))
