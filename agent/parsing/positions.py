"""Places in the image: "in the top left corner", "in the northern half", "touching the border", boxes in numbers."""

from __future__ import annotations

from ...core.conditions import And, Condition, Direction, Or, Position
from .boxes import BoxReader
from .checks import exclude_each_other
from .vocabulary import IMAGE, PLACE_OF, PLACES

_PREPOSITIONS = ("in", "at", "on", "to", "towards", "toward", "along", "within", "inside", "near", "by", "touching")
_EDGES = ("edge", "border", "boundary", "margin", "edges", "borders", "rim")
_HALVES = ("half", "part", "side", "area", "region", "section", "portion", "zone", "halves", "sides", "parts")
_QUARTERS = ("quadrant", "quarter", "quadrants", "quarters")
_MIDDLE = ("middle", "centre", "center", "central")
_CORNERS: tuple[Direction, ...] = ("above left", "above right", "below left", "below right")
_TOUCHING = (
    "touching",
    "touches",
    "touch",
    "cut off by",
    "cut by",
    "cut off at",
    "truncated by",
    "at",
    "on",
    "along",
    "in",
    "against",
    "that touch",
)


class PositionReader(BoxReader):
    """Reads where in the image something lies."""

    def skip_image(self) -> bool:
        """Moves over "of the image", "in this picture"; whether it did."""
        start = self.at
        if self.take("here", "in here", "over here"):
            return True
        self.take("of", "in", "on", "from", "across", "within")
        if self.take_from(IMAGE) is None:
            self.at = start
            return False
        return True

    def position(self) -> Condition | None:
        """A place in the image; None (nothing read) when the words name something else."""
        start = self.at
        found = self.box_of_image() or self._edge() or self._middle() or self._corner() or self._places()
        if found is None:
            self.at = start
            return None
        return self.noted(found, start)

    def _ends_well(self) -> bool:
        """Whether the place is one of the image and not of a thing ("the edge of the runway")."""
        self.skip_image()
        return not self.sees("of")

    def _edge(self) -> Condition | None:
        start = self.at
        if self.take(*_TOUCHING) is not None:
            self.take("the", "an", "any", "a")
            self.take("image", "picture", "photo", "frame")
            if self.take(*_EDGES) is not None:
                if self._ends_well():
                    return Position(frame="edge", place="any")
                self.refuse("the edge of a thing cannot be asked; say 'next to' or 'overlapping'", start, self.at)
            if self.tokens[start].text in ("cut", "truncated"):
                place = self.take_from(PLACES)
                if place is not None and " " not in place and self.take(*_EDGES) and self._ends_well():
                    return Position(frame="edge", place=PLACE_OF[place])  # type: ignore[arg-type]
        self.at = start
        if self.take("near", "close to", "by") and self.take("the", "an") and self.peek_from(PLACES):
            self.take_from(PLACES)
        if self.at > start and self.sees(*_EDGES):
            self.refuse("near an edge is open; say 'touching the edge' or 'in the left half'", start, self.at + 1)
        self.at = start
        return None

    def _middle(self) -> Condition | None:
        start = self.at
        if self.take("in", "at", "near", "around", "towards", "within", "inside", "on") is None:
            return None
        self.take("the")
        self.take("very")
        place: Direction | None = None
        if self.take(*_MIDDLE):
            place = self.take_from(PLACES)
        else:
            place = self.take_from(PLACES)
            if place is None or not self.take(*_MIDDLE):
                self.at = start
                return None
        self.take("part", "area", "region", "cell", "section", "portion")
        if not self._ends_well():
            self.refuse(
                "the middle of a thing cannot be asked; say 'inside' or 'in the centre of the image'", start, self.at
            )
        if place is not None and " " in place:
            self.refuse("a cell is one of 3x3: 'top left corner', 'top centre', 'centre' ...", start, self.at)
        return Position(frame="cell", place="center" if place is None else PLACE_OF[place])  # type: ignore[arg-type]

    def _corner(self) -> Condition | None:
        start = self.at
        if self.take("in", "at", "near", "on") is not None:
            self.take("a", "the", "any", "one of the")
            self.take("image", "four")
            if self.take("corner", "corners") and self._ends_well():
                return _either([_cell(corner) for corner in _CORNERS])
        self.at = start
        return None

    def _places(self) -> Condition | None:
        """ "in the top left or bottom right corner", "on the left", "along the bottom edge"."""
        start = self.at
        if self.take(*_PREPOSITIONS) is None:
            return None
        self.take("the")
        self.take("image")
        places = self._place_list()
        if not places or self.text(-1) in ("above", "below"):
            self.at = start
            return None
        self.take("hand")
        noun = self.take("corner", "corners", *_EDGES, *_HALVES, *_QUARTERS, "third") or ""
        if not self._ends_well() or (not noun and self._names_a_side()):
            self.at = start
            return None
        if len(places) == 1 and " " in places[0] and self._says_and(start):
            if not noun:  # "on the left and top" names no corner
                return self._placed(places[0], "part", start)
            if noun in _EDGES:  # "the top and left edges"
                places = [side for side in ("above", "below", "left", "right") if side in places[0].split()]
        found = [self._placed(place, noun, start) for place in places]
        return _joined(found + (self._more_places() if noun else []), self._says_and(start))

    def _says_and(self, start: int) -> bool:
        words = [token.text for token in self.tokens[start : self.at]]
        return "and" in words and "or" not in words

    def _more_places(self) -> list[Condition]:
        """ "(in the left half) or the right half"."""
        found: list[Condition] = []
        while True:
            start = self.at
            self.take("or the", "or", "and the", "and")
            place = self.take_from(PLACES) if self.at > start else None
            noun = self.take("corner", *_EDGES, *_HALVES, *_QUARTERS) if place else None
            if place is None or noun is None or not self._ends_well():
                self.at = start
                return found
            found.append(self._placed(place, noun, start))

    def _names_a_side(self) -> bool:
        """Whether "bank" or the like goes on after the place ("the east bank of the river")."""
        return self.sees(
            "bank", "shore", "flank", "end", "most", "of", "and above", "and below", "or above", "or below"
        )

    def _place_list(self) -> list[Direction]:
        places: list[Direction] = []
        while True:
            place = self.take_from(PLACES)
            if place is None:
                return places
            places.append(place)
            back = self.at
            repeated = self.take("or", "and") is not None and self.text() in ("in", "at", "on")
            self.skip("in", "at", "on", "the")
            if self.at == back or self.peek_from(PLACES) is None or (repeated and self._other_kind_follows()):
                self.at = back
                return places
            if self._relation_follows() and repeated:
                self.at = back
                return places
            if self._relation_follows():  # "to the left or right of the road" is no place in the image
                self.at = back
                return [] if self.text(-3) in ("to", "on") or self.text(-2) in ("to", "on") else places

    def _other_kind_follows(self) -> bool:
        """Whether the place ahead is no half: "(on the left and) at the top edge" is two conditions."""
        back = self.at
        self.take_from(PLACES)
        self.take("hand")
        found = self.sees("corner", "corners", *_EDGES, *_QUARTERS, "third", *_MIDDLE)
        self.at = back
        return found

    def place_alone(self) -> Condition | None:
        """ "the left", without "on"; None (nothing read) when something else comes."""
        start = self.at
        self.take("the")
        place = self.take_from(PLACES)
        if place is None or not self._ends_well():
            self.at = start
            return None
        return self.noted(self._placed(place, self.take(*_HALVES) or "", start), start)

    def _relation_follows(self) -> bool:
        """Whether "north of the river" comes next rather than a second place."""
        back = self.at
        self.take_from(PLACES)
        self.take("corner", "half", "side", "edge", "bank")
        follows = self.sees("of") and not self.skip_image()
        self.at = back
        return follows

    def _placed(self, place: Direction, noun: str, start: int) -> Condition:
        diagonal = " " in place
        name = PLACE_OF[place]
        if noun in _EDGES:
            if diagonal:
                self.refuse("an edge is the top, bottom, left or right one", start, self.at)
            return Position(frame="edge", place=name)  # type: ignore[arg-type]
        if noun in ("corner", "corners") and not diagonal:
            self.refuse(f"which corner? Say 'top left corner', or 'in the {name} half'", start, self.at)
        if noun == "third":
            if diagonal:
                self.refuse("say 'top left corner' or 'left third'", start, self.at)
            cells = {"top": ("top left", "top", "top right"), "bottom": ("bottom left", "bottom", "bottom right")}
            cells |= {"left": ("top left", "left", "bottom left"), "right": ("top right", "right", "bottom right")}
            return Or(conditions=tuple(Position(frame="cell", place=cell) for cell in cells[name]))  # type: ignore[arg-type]
        if diagonal:
            whole = noun in _HALVES or noun in _QUARTERS
            return Position(frame="quadrant" if whole else "cell", place=name)  # type: ignore[arg-type]
        if noun in _QUARTERS:
            self.refuse(f"a quadrant is e.g. the 'top left' one; or say 'in the {name} half'", start, self.at)
        return Position(frame="half", place=name)  # type: ignore[arg-type]


def _cell(place: Direction) -> Condition:
    return Position(frame="cell", place=PLACE_OF[place])  # type: ignore[arg-type]


def _joined(places: list[Condition], both: bool) -> Condition:
    """ "On the right and at the top" is both; "on the left and on the right" can only be either."""
    places = list(dict.fromkeys(places))
    edges = any(isinstance(place, Position) and place.frame == "edge" for place in places)
    apart = any(exclude_each_other(a, b) for index, a in enumerate(places) for b in places[index + 1 :])
    return And(conditions=tuple(places)) if both and len(places) > 1 and not (edges or apart) else _either(places)


def _either(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else Or(conditions=tuple(conditions))
