"""The closed vocabulary of the grammar: which fixed phrases mean what. Everything else may name a class."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import Attribute, Comparison, Direction, Summary, Unit
from .tokens import PhraseTable

_VERTICAL: dict[str, Direction] = {
    **dict.fromkeys(("top", "upper", "north", "northern"), "above"),
    **dict.fromkeys(("bottom", "lower", "south", "southern"), "below"),
}
_HORIZONTAL: dict[str, Direction] = {
    **dict.fromkeys(("left", "west", "western"), "left"),
    **dict.fromkeys(("right", "east", "eastern"), "right"),
}


def _diagonals() -> dict[str, Direction]:
    found: dict[str, Direction] = {}
    for up, vertical in {**_VERTICAL, "above": "above", "below": "below"}.items():
        for side, horizontal in _HORIZONTAL.items():
            both: Direction = f"{vertical} {horizontal}"  # type: ignore[assignment]
            for text in (f"{up} {side}", f"{side} {up}", f"{up} and {side}", f"{side} and {up}"):
                found[text] = both
    for short, up in (("north", "above"), ("south", "below")):
        for side, horizontal in (("west", "left"), ("east", "right")):
            both = f"{up} {horizontal}"  # type: ignore[assignment]
            found |= {f"{short}{side}": both, f"{short}{side}ern": both, short[0] + side[0]: both}
    return found


DIAGONALS = _diagonals()
PLACES: PhraseTable[Direction] = PhraseTable({**_VERTICAL, **_HORIZONTAL, **DIAGONALS})
PLACE_OF: dict[Direction, str] = {
    "left": "left",
    "right": "right",
    "above": "top",
    "below": "bottom",
    "above left": "top left",
    "above right": "top right",
    "below left": "bottom left",
    "below right": "bottom right",
}

# ---- quantities ----------------------------------------------------------------------------------------------

UNITS: PhraseTable[Unit] = PhraseTable(
    {
        **dict.fromkeys(("px", "pixel", "pixels", "pix"), "px"),
        **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), "m"),
        **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), "cm"),
        **dict.fromkeys(("km", "kms", "kilometre", "kilometres", "kilometer", "kilometers"), "km"),
        **dict.fromkeys(("ft", "foot", "feet"), "ft"),
        **dict.fromkeys(("yd", "yds", "yard", "yards"), "yd"),
        **dict.fromkeys(("mi", "mile", "miles"), "mi"),
        **dict.fromkeys(("px2", "sq px", "square px", "square pixel", "square pixels"), "px2"),
        **dict.fromkeys(
            ("m2", "sqm", "sq m", "square m", "square metre", "square metres", "square meter", "square meters"), "m2"
        ),
        **dict.fromkeys(("sq metre", "sq metres", "sq meter", "sq meters"), "m2"),
        **dict.fromkeys(
            ("km2", "sqkm", "sq km", "square km", "square kilometres", "square kilometers", "square kilometre"), "km2"
        ),
        **dict.fromkeys(("ha", "hectare", "hectares"), "ha"),
        **dict.fromkeys(("acre", "acres"), "acre"),
        **dict.fromkeys(("ft2", "sqft", "sq ft", "square ft", "square foot", "square feet", "sq feet"), "ft2"),
        **dict.fromkeys(("yd2", "sq yd", "square yard", "square yards"), "yd2"),
        **dict.fromkeys(("mi2", "sq mi", "square mile", "square miles"), "mi2"),
    }
)
AMOUNTS: PhraseTable[Comparison] = PhraseTable(
    {
        **dict.fromkeys(
            ("more than", "greater than", "over", "above", "exceeding", "in excess of", "upwards of", ">"), ">"
        ),
        **dict.fromkeys(
            (
                "at least",
                "no less than",
                "not less than",
                "no fewer than",
                "not fewer than",
                "a minimum of",
                "minimum",
                "no smaller than",
                ">=",
            ),
            ">=",
        ),
        **dict.fromkeys(("less than", "fewer than", "under", "below", "<"), "<"),
        **dict.fromkeys(
            (
                "at most",
                "no more than",
                "not more than",
                "up to",
                "a maximum of",
                "maximum",
                "no greater than",
                "not exceeding",
                "<=",
            ),
            "<=",
        ),
        **dict.fromkeys(("exactly", "precisely", "=", "equal to"), "=="),
    }
)
APPROXIMATE = PhraseTable(dict.fromkeys(("about", "around", "roughly", "approximately", "circa", "almost"), True))
_COMPARATIVES: dict[str, tuple[str, Comparison]] = {
    "longer": ("length", ">"),
    "shorter": ("length", "<"),
    "more elongated": ("aspect", ">"),
    "less elongated": ("aspect", "<"),
    "wider": ("width", ">"),
    "broader": ("width", ">"),
    "narrower": ("width", "<"),
    "thinner": ("width", "<"),
    **dict.fromkeys(("larger", "bigger", "greater"), ("size", ">")),
    "smaller": ("size", "<"),
}
_FLIPPED: dict[Comparison, Comparison] = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "=="}
COMPARATIVES: PhraseTable[tuple[str, Comparison]] = PhraseTable(
    {f"{word} than": found for word, found in _COMPARATIVES.items()}
    | {f"no {word} than": (found[0], _FLIPPED[found[1]]) for word, found in _COMPARATIVES.items()}
)
OR_MORE: PhraseTable[tuple[str, Comparison]] = PhraseTable(
    {f"or {word}": (found[0], ">=" if found[1] == ">" else "<=") for word, found in _COMPARATIVES.items()}
    | {"+": ("", ">="), "plus": ("", ">=")}
    | {"or more": ("", ">="), "or over": ("", ">="), "or above": ("", ">="), "and above": ("", ">=")}
    | {"or less": ("", "<="), "or under": ("", "<="), "or below": ("", "<="), "or fewer": ("", "<=")}
)
MEASURED: PhraseTable[str] = PhraseTable(
    {
        **dict.fromkeys(("long", "in length", "in diameter", "length"), "length"),
        **dict.fromkeys(("wide", "in width", "across", "broad", "width"), "width"),
        **dict.fromkeys(("in area", "in size", "large", "big"), "size"),
        "in perimeter": "perimeter",
    }
)
ATTRIBUTES: PhraseTable[Attribute] = PhraseTable(
    {
        **dict.fromkeys(("length", "lengths", "long side", "longer side", "longest side"), "length"),
        **dict.fromkeys(("diameter", "diameters"), "length"),  # of round things: both sides of their box
        **dict.fromkeys(("width", "widths", "breadth", "short side", "shorter side", "shortest side"), "width"),
        **dict.fromkeys(("area", "areas", "size", "sizes", "surface area", "surface", "footprint"), "area"),
        **dict.fromkeys(
            ("roof area", "roof areas", "ground area", "floor area", "surface areas", "footprints"), "area"
        ),
        **dict.fromkeys(("perimeter", "perimeters", "circumference"), "perimeter"),
        **dict.fromkeys(("aspect ratio", "aspect ratios", "aspect"), "aspect"),
        **dict.fromkeys(("orientation", "orientations"), "orientation"),
    }
)
SUMMARIES: PhraseTable[Summary] = PhraseTable(
    {
        **dict.fromkeys(("total", "combined", "overall", "summed", "sum of the", "sum of"), "total"),
        **dict.fromkeys(("average", "mean", "typical"), "mean"),
        "median": "median",
        **dict.fromkeys(("minimum", "minimal", "smallest", "least", "shortest", "lowest"), "least"),
        **dict.fromkeys(("maximum", "maximal", "largest", "greatest", "biggest", "longest", "highest"), "greatest"),
    }
)

# ---- adjectives and ranks ------------------------------------------------------------------------------------

SIZES = PhraseTable(
    {
        **dict.fromkeys(("large", "big", "huge", "giant", "large sized"), "large"),
        **dict.fromkeys(("small", "little", "tiny", "small sized"), "small"),
    }
)
CHANGES: PhraseTable[str] = PhraseTable({word: word for word in ("new", "gone", "altered")})
SHAPES = PhraseTable({"elongated": "elongated", "square": "square", "square shaped": "square"})
COLOURS = PhraseTable(
    {c: c for c in ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "grey", "black")}
    | {"gray": "grey", "violet": "purple"}
    | {
        f"{c} {w}": c
        for c in ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "grey", "black")
        for w in ("coloured", "colored", "roofed")
    }
    | {f"gray {w}": "grey" for w in ("coloured", "colored", "roofed")}
)
LINES = {
    "horizontal": ("horizontal", "horizontally", "east west", "west east", "east to west", "west to east"),
    "vertical": ("vertical", "vertically", "north south", "south north", "north to south", "south to north"),
    "diagonal": ("diagonal", "diagonally"),
}
_TURNED = (
    "oriented",
    "orientated",
    "aligned",
    "running",
    "laid out",
    "positioned",
    "parked",
    "lying",
    "standing",
    "moored",
)
ORIENTATIONS = PhraseTable(
    {form: line for line, forms in LINES.items() for form in forms if not form.endswith("ly") and " to " not in form}
    | {f"{verb} {form}": line for verb in _TURNED for line, forms in LINES.items() for form in forms}
    | {f"{form} {verb}": line for verb in _TURNED for line, forms in LINES.items() for form in forms}
    | {f"{verb} {form}": line for verb in ("facing", "pointing") for line, forms in LINES.items() for form in forms[2:]}
    | {f"with a {line} orientation": line for line in LINES}
    | {f"with {line} orientation": line for line in LINES}
)
Rank = tuple[
    Literal["area", "length", "width", "aspect", "distance", "x", "y", "centre", "score"], Literal["max", "min"]
]
FARTHEST = ("furthest", "farthest")
_ENDS: dict[str, Rank] = {
    **dict.fromkeys(("left", "west"), ("x", "min")),
    **dict.fromkeys(("right", "east"), ("x", "max")),
    **dict.fromkeys(("north", "top"), ("y", "min")),
    **dict.fromkeys(("south", "bottom"), ("y", "max")),
}
_FARTHEST_TO = {
    f"{far} {to}{side}": rank
    for far in FARTHEST
    for side, rank in _ENDS.items()
    for to in ("", "to the ", "towards the ")
}
# "the larger of the two planes" is the largest
OF_TWO: PhraseTable[Rank] = PhraseTable(
    {
        **dict.fromkeys(("larger", "bigger", "greater"), ("area", "max")),
        "smaller": ("area", "min"),
        "longer": ("length", "max"),
        "shorter": ("length", "min"),
        **dict.fromkeys(("wider", "broader"), ("width", "max")),
        **dict.fromkeys(("narrower", "thinner"), ("width", "min")),
    }
)
SUPERLATIVES: PhraseTable[Rank] = PhraseTable(
    {
        **dict.fromkeys(("largest", "biggest", "greatest"), ("area", "max")),
        "smallest": ("area", "min"),
        "tiniest": ("area", "min"),
        "longest": ("length", "max"),
        "shortest": ("length", "min"),
        "widest": ("width", "max"),
        "broadest": ("width", "max"),
        "narrowest": ("width", "min"),
        "thinnest": ("width", "min"),
        "most elongated": ("aspect", "max"),
        "least elongated": ("aspect", "min"),
        "most central": ("centre", "min"),
        "least central": ("centre", "max"),
        "most confident": ("score", "max"),
        "least confident": ("score", "min"),
        **dict.fromkeys(("leftmost", "left most", "westernmost", "most western", "far left most"), ("x", "min")),
        **dict.fromkeys(("most westerly", "westmost"), ("x", "min")),
        **dict.fromkeys(("rightmost", "right most", "easternmost", "most eastern"), ("x", "max")),
        **dict.fromkeys(("most easterly", "eastmost"), ("x", "max")),
        **dict.fromkeys(("topmost", "top most", "northernmost", "most northern", "uppermost"), ("y", "min")),
        **dict.fromkeys(("highest up", "most northerly", "northmost"), ("y", "min")),
        **dict.fromkeys(("bottommost", "bottom most", "southernmost", "most southern", "lowermost"), ("y", "max")),
        **dict.fromkeys(("lowest down", "most southerly", "southmost"), ("y", "max")),
        **_FARTHEST_TO,
        **{f"{w} most": ("x", "min") for w in ("western", "west")},
        **{f"{w} most": ("x", "max") for w in ("eastern", "east")},
        **{f"{w} most": ("y", "min") for w in ("northern", "north", "upper")},
        **{f"{w} most": ("y", "max") for w in ("southern", "south", "lower")},
        **dict.fromkeys(("nearest", "closest"), ("distance", "min")),
        **dict.fromkeys(
            ("farthest", "furthest", "most distant", "farthest away", "furthest away"), ("distance", "max")
        ),
    }
)
FROM_SIDE: dict[Direction, Rank] = {
    "left": ("x", "min"),
    "right": ("x", "max"),
    "above": ("y", "min"),
    "below": ("y", "max"),
}

# ---- relations -----------------------------------------------------------------------------------------------

RELATIONS: PhraseTable[str] = PhraseTable(
    {
        **dict.fromkeys(
            ("near", "near to", "close to", "close by", "in the vicinity of", "around", "not far from", "nearby", "at"),
            "near",
        ),
        **dict.fromkeys(
            ("in the neighbourhood of", "in the neighborhood of", "in proximity to", "not far away from"), "near"
        ),
        **dict.fromkeys(("far from", "far away from", "away from"), "not near"),
        **dict.fromkeys(
            ("next to", "adjacent to", "beside", "adjoining", "alongside", "along", "by", "bordering", "abutting"),
            "adjacent",
        ),
        **dict.fromkeys(("right next to", "directly next to", "immediately next to", "right beside"), "adjacent"),
        **dict.fromkeys(("touching", "touch", "touches", "at the side of", "side by side with"), "adjacent"),
        **dict.fromkeys(("inside", "inside of", "within", "in", "on", "on top of", "contained in"), "inside"),
        **dict.fromkeys(("outside", "outside of"), "not inside"),
        **dict.fromkeys(("containing", "contain", "contains"), "contains"),
        **dict.fromkeys(("overlapping", "overlapping with", "overlap", "overlaps", "overlap with"), "overlaps"),
        **dict.fromkeys(("crossing", "cross", "crosses", "intersecting", "over", "across", "spanning"), "overlaps"),
        **dict.fromkeys(("surrounded by", "enclosed by", "encircled by", "ringed by"), "surrounded"),
        **dict.fromkeys(("between", "in between"), "between"),
        **{f"running {along}": "adjacent" for along in ("along", "alongside", "next to", "beside")},
        **{f"running {over}": "overlaps" for over in ("across", "over")},
        **{
            f"{go} {over}": "overlaps"
            for go in ("go", "goes", "going", "pass", "passes", "passing", "lead", "leads", "leading", "run", "runs")
            for over in ("across", "over")
        },
        **dict.fromkeys(("crossed by", "cut by", "intersected by", "spanned by"), "overlaps"),
        **dict.fromkeys(("running parallel to", "running parallel with"), "parallel"),
        **dict.fromkeys(("running perpendicular to", "running at right angles to"), "perpendicular"),
        **dict.fromkeys(("running between",), "between"),
        **dict.fromkeys(("parallel to", "parallel with", "in parallel to", "aligned with", "in line with"), "parallel"),
        **dict.fromkeys(
            ("perpendicular to", "at right angles to", "at a right angle to", "at 90 degrees to"), "perpendicular"
        ),
        **{
            f"{on} {both}side{s} of": "flanking"
            for on in ("on", "along", "at", "to")
            for both, s in (("both ", "s"), ("either ", ""), ("the two ", "s"), ("each ", ""))
        },
        **dict.fromkeys(("flanking", "lining"), "flanking"),
    }
)
UPRIGHT: PhraseTable[Direction] = PhraseTable(
    {
        **dict.fromkeys(("above", "directly above"), "above"),
        **dict.fromkeys(("below", "directly below", "beneath", "underneath", "under"), "below"),
    }
)
IN_A_ROW = PhraseTable(
    dict.fromkeys(
        (
            "aligned with each other",
            "lined up with each other",
            "in line with each other",
            "in a row",
            "in a line",
            "in line",
            "in rows",
            "in lines",
            "aligned",
            "lined up",
            "in one row",
            "in one line",
        ),
        True,
    )
    | {
        f"{verb} in a {line}": True
        for verb in ("arranged", "standing", "parked", "lined up")
        for line in ("row", "line")
    }
)
IMAGE = PhraseTable(
    {
        f"{article} {noun}": True
        for article in ("the", "this")
        for noun in (
            "image",
            "picture",
            "photo",
            "photograph",
            "scene",
            "frame",
            "screen",
            "map",
            "view",
            "aerial photo",
        )
    }
)
STANDING = PhraseTable(
    dict.fromkeys(
        "located situated positioned placed found lying standing sitting parked moored docked anchored berthed built "
        "stacked stored waiting "
        "lie lies stand stands sit sits seen visible".split(),
        True,
    )
)
VIEWPOINT = PhraseTable(dict.fromkeys(("behind", "in front of", "opposite"), True))
# "on this side of the river": as seen from the centre of the image; "... from the church": from there
SIDES_OF_VIEW: PhraseTable[str] = PhraseTable(
    {
        f"{on}{the} {side} {of}": kind
        for on in ("on ", "at ", "to ", "")
        for kind, sides in {
            "same_side": ("the same", "this", "the near", "our"),
            "other_side": ("the other", "the far", "the opposite", "the opposing", "that"),
        }.items()
        for the in sides
        for side in ("side", "bank", "shore")
        for of in ("of",)
    }
    | {"across from": "across"}
)
GROUPS: PhraseTable[str] = PhraseTable(
    {
        **dict.fromkeys(("group", "groups", "cluster", "clusters", "bunch", "clump", "clumps"), "group"),
        **dict.fromkeys(("row", "rows", "line", "lines"), "row"),
        **dict.fromkeys(("pair", "pairs"), "pair"),
    }
)
