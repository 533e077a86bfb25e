"""The tables behind `turning`: words of direction with the way they point, and words that only look like some."""

from __future__ import annotations

Vector = tuple[int, int]
"""x to the right, y down."""
_COMPASS_POINTS: dict[Vector, str] = {(-1, 0): "west", (1, 0): "east", (0, -1): "north", (0, 1): "south"}


def _compass() -> dict[str, dict[Vector, str]]:
    tables = {}
    for ending in ("", "ern", "erly", "ernmost", "most", "ward", "wards", "bound"):
        table = {vector: f"{name}{ending}" for vector, name in _COMPASS_POINTS.items()}
        table |= {(x, y): f"{_COMPASS_POINTS[0, y]}{_COMPASS_POINTS[x, 0]}{ending}" for x in (-1, 1) for y in (-1, 1)}
        tables[f"compass{ending}"] = table
    return tables


SCREEN_TABLES: dict[str, dict[Vector, str]] = {
    "screen": {(-1, 0): "left", (1, 0): "right", (0, -1): "top", (0, 1): "bottom"},
    "upper": {(-1, 0): "left", (1, 0): "right", (0, -1): "upper", (0, 1): "lower"},
    "most": {(-1, 0): "leftmost", (1, 0): "rightmost", (0, -1): "topmost", (0, 1): "bottommost"},
    "uppermost": {(-1, 0): "leftmost", (1, 0): "rightmost", (0, -1): "uppermost", (0, 1): "lowermost"},
    "ward": {(-1, 0): "leftward", (1, 0): "rightward", (0, -1): "upward", (0, 1): "downward"},
    "wards": {(-1, 0): "leftwards", (1, 0): "rightwards", (0, -1): "upwards", (0, 1): "downwards"},
}
TABLES = {**SCREEN_TABLES, **_compass()}
"""Name of a table -> direction -> word. A turned word comes from the table of the word itself."""
SINGLE: dict[str, tuple[str, Vector, str]] = {}
"""Word -> its table, its direction, and whether it is of the "screen" or of the "compass"."""
for _name, _table in reversed(TABLES.items()):
    _kind = "screen" if _name in SCREEN_TABLES else "compass"
    SINGLE.update({_word: (_name, _vector, _kind) for _vector, _word in _table.items()})
SCREEN = ("left", "right", "top", "bottom", "upper", "lower")
SIDEWAYS = ("left", "right")
OPPOSED: dict[str, Vector] = {"above": (0, -1), "below": (0, 1)}
UP_AND_DOWN: dict[Vector, str] = {(0, -1): "above", (0, 1): "below"}
ABBREVIATED: dict[str, Vector] = {"nw": (-1, -1), "ne": (1, -1), "sw": (-1, 1), "se": (1, 1)}

IMAGES = frozenset("image picture photo photograph scene frame screen map view".split())
PLACES = frozenset(
    """half halves side sides corner corners part parts edge edges border borders boundary margin margins rim third
    thirds quadrant quadrants quarter quarters area areas region regions section sections portion portions zone cell
    cells bank banks shore shores flank end ends hand centre center middle most of one ones than corner""".split()
)
"""What a direction stands before when it names a place."""
BEFORE_A_PLACE = frozenset(
    """the far extreme very upper lower top bottom centre center middle central from to at on toward towards image mid
    furthest farthest further farther its this""".split()
)
NO_SIDE_AFTER = ("the", "far", "top", "bottom", "upper", "lower", "-", "further", "farther")
"""What "left of" does not follow where it is a relation."""
FLOORS = frozenset("deck decks floor floors level levels storey storeys story stories speed turn turns lane".split())
"""What "upper" and "right" say of a thing itself."""
KEPT = tuple(
    tuple(phrase.split())
    for phrase in sorted(
        """on top of|right angle|right angles|at a right angle|right next to|right beside|right near|right by|right at
        right behind|right between|right inside|right in|right on|lined up|up to|made up of|made up|built up
        built - up|piled up|parked up|tied up|set up|under construction|upwards of|left over|right of way
        broken down|run - down|close up|top view|from above|seen from above|viewed from above|down - looking""".replace(
            "\n", "|"
        ).split("|"),
        key=lambda phrase: -len(phrase.split()),
    )
    if phrase.split()
)
"""Phrases that say no direction in the picture."""
AFTER_A_SIDE = ("in", "on", "at", "by", "near", "beside", "between", "inside", "behind")
"""Words that "the right" may come before: then it is a side, where "right in" alone is none."""
REFUSED = frozenset(
    """clockwise anticlockwise counterclockwise facing faces face heading headed heads pointing points pointed bearing
    azimuth angle angles degree degrees oclock behind front rear ahead backwards forwards backward forward camera viewer
    observer up down under underneath beneath upside sideways lengthwise crosswise upper-most nose tail aft starboard
    uphill downhill upstairs downstairs lefthand righthand lefty axis latitude longitude noon sunrise sunset rotated
    mirrored flipped tilted slanted northing easting nnw nne ssw sse wnw ene wsw ese compass arrow arrows""".split()
)
"""Words that say a direction which cannot be turned safely, or may do so."""
LETTERS = frozenset(
    """letter letters lettering text texts word words written writing inscription inscribed logo logos sign signs slogan
    numeral numerals digit digits reads spelling spells""".split()
)
"""What a mirror would make wrong."""
NUMBERS = frozenset(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty fifty
    sixty seventy eighty ninety hundred a average""".split()
)
UNITS = frozenset(
    """m metre metres meter meters cm km kilometre kilometres kilometer kilometers ft foot feet yd yard yards mi mile
    miles px pixel pixels ha hectare hectares acre acres m2 km2 sqm more less long wide area""".split()
)
