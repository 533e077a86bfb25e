"""The closed vocabulary of the grammar: which fixed phrases mean what. Everything else may name a class."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import Attribute, Comparison, Direction, Unit
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
    | {"or more": ("", ">="), "or over": ("", ">="), "or above": ("", ">="), "and above": ("", ">=")}
    | {"or less": ("", "<="), "or under": ("", "<="), "or below": ("", "<="), "or fewer": ("", "<=")}
)
MEASURED: PhraseTable[str] = PhraseTable(
    {
        **dict.fromkeys(("long", "in length"), "length"),
        **dict.fromkeys(("wide", "in width", "across", "broad"), "width"),
        **dict.fromkeys(("in area", "in size", "large", "big"), "size"),
        "in perimeter": "perimeter",
    }
)
ATTRIBUTES: PhraseTable[Attribute] = PhraseTable(
    {
        **dict.fromkeys(("length", "lengths"), "length"),
        **dict.fromkeys(("width", "widths", "breadth"), "width"),
        **dict.fromkeys(("area", "areas", "size", "sizes", "surface area", "surface", "footprint"), "area"),
        **dict.fromkeys(("perimeter", "perimeters", "circumference"), "perimeter"),
        **dict.fromkeys(("aspect ratio", "aspect ratios", "aspect"), "aspect"),
        **dict.fromkeys(("orientation", "orientations"), "orientation"),
    }
)

# ---- adjectives and ranks ------------------------------------------------------------------------------------

SIZES = PhraseTable(
    {
        **dict.fromkeys(("large", "big", "huge", "giant", "large sized"), "large"),
        **dict.fromkeys(("small", "little", "tiny", "small sized"), "small"),
    }
)
SHAPES = PhraseTable({"elongated": "elongated", "square": "square", "square shaped": "square"})
COLOURS = PhraseTable(
    {c: c for c in ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "grey", "black")}
    | {"gray": "grey", "violet": "purple"}
    | {
        f"{c} {w}": c
        for c in ("red", "yellow", "green", "blue", "brown", "white", "black")
        for w in ("coloured", "colored")
    }
)
_LINES = {
    "horizontal": ("horizontal", "horizontally", "east west", "west east", "east to west", "west to east"),
    "vertical": ("vertical", "vertically", "north south", "south north", "north to south", "south to north"),
    "diagonal": ("diagonal", "diagonally"),
}
_TURNED = ("oriented", "orientated", "aligned", "running", "laid out", "positioned")
ORIENTATIONS = PhraseTable(
    {form: line for line, forms in _LINES.items() for form in forms if not form.endswith("ly") and " to " not in form}
    | {f"{verb} {form}": line for verb in _TURNED for line, forms in _LINES.items() for form in forms}
    | {f"{form} {verb}": line for verb in _TURNED for line, forms in _LINES.items() for form in forms}
    | {f"with a {line} orientation": line for line in _LINES}
    | {f"with {line} orientation": line for line in _LINES}
)
Rank = tuple[Literal["area", "length", "width", "aspect", "distance", "x", "y", "score"], Literal["max", "min"]]
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
        "most confident": ("score", "max"),
        "least confident": ("score", "min"),
        **dict.fromkeys(("leftmost", "left most", "westernmost", "most western", "furthest left"), ("x", "min")),
        **dict.fromkeys(("farthest left", "far left most", "most westerly", "westmost"), ("x", "min")),
        **dict.fromkeys(("rightmost", "right most", "easternmost", "most eastern", "furthest right"), ("x", "max")),
        **dict.fromkeys(("farthest right", "most easterly", "eastmost"), ("x", "max")),
        **dict.fromkeys(("topmost", "top most", "northernmost", "most northern", "uppermost"), ("y", "min")),
        **dict.fromkeys(("highest up", "most northerly", "northmost", "furthest north"), ("y", "min")),
        **dict.fromkeys(("bottommost", "bottom most", "southernmost", "most southern", "lowermost"), ("y", "max")),
        **dict.fromkeys(("lowest down", "most southerly", "southmost", "furthest south"), ("y", "max")),
        **dict.fromkeys(("furthest west", "farthest west"), ("x", "min")),
        **dict.fromkeys(("furthest east", "farthest east"), ("x", "max")),
        **{f"{w} most": ("x", "min") for w in ("western", "west")},
        **{f"{w} most": ("x", "max") for w in ("eastern", "east")},
        **{f"{w} most": ("y", "min") for w in ("northern", "north", "upper")},
        **{f"{w} most": ("y", "max") for w in ("southern", "south", "lower")},
        "farthest north": ("y", "min"),
        "farthest south": ("y", "max"),
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
            ("near", "near to", "close to", "close by", "in the vicinity of", "around", "not far from", "nearby"),
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
        ("in a row", "in a line", "in line", "in rows", "in lines", "aligned", "lined up", "in one row", "in one line"),
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
        "lie lies stand stands sit sits seen visible".split(),
        True,
    )
)
VIEWPOINT = PhraseTable(
    dict.fromkeys(
        ("behind", "in front of", "opposite", "this side of", "on this side of", "on the other side of"), True
    )
)

# ---- requests ------------------------------------------------------------------------------------------------

_DETECT = (
    "detect find show locate highlight list identify select mark get display spot return search point give "
    "pick localize localise".split()
)
VERBS: PhraseTable[str] = PhraseTable(
    dict.fromkeys(_DETECT, "detect")
    | {f"{verb} {me}": "detect" for verb in ("show", "give", "get", "find", "tell", "list") for me in ("me", "us")}
    | dict.fromkeys(
        ("look for", "search for", "point out", "point to", "pick out", "point at", "i am looking for"), "detect"
    )
    | dict.fromkeys(
        ("i want", "i want to see", "i would like to see", "i need", "let me see", "draw boxes around"), "detect"
    )
    | dict.fromkeys(("give me the location of", "give me the locations of", "the location of"), "detect")
    | dict.fromkeys(("where is", "where are", "what are", "what is"), "detect")
    | dict.fromkeys(
        ("segment", "outline", "mask", "extract", "delineate", "trace", "cut out", "segment out", "mask out"), "segment"
    )
    | {
        f"{verb} {shape} {of}": "segment"
        for verb in (
            "draw",
            "extract",
            "get",
            "give",
            "give me",
            "show",
            "show me",
            "trace",
            "return",
            "create",
            "find",
        )
        for shape in (
            "masks",
            "a mask",
            "the mask",
            "the masks",
            "outlines",
            "the outline",
            "the outlines",
            "the contours",
        )
        for of in ("of", "for")
    }
    | dict.fromkeys(("where can i find", "where can we find", "where do you see", "where can i see"), "detect")
    | dict.fromkeys(("count", "count up", "tally"), "count")
    | dict.fromkeys(("number of", "the number of", "total number of", "the total number of"), "count")
    | {
        f"{verb} the number of": "count"
        for verb in ("give", "give me", "tell me", "what is", "count", "determine", "find")
    }
    | dict.fromkeys(("measure", "calculate", "compute", "determine", "estimate"), "measure")
    | dict.fromkeys(("describe", "tell me about", "give a description of", "give me a description of"), "describe")
)
_OPENINGS = """could you|can you|would you|will you|could we|i want you to|i would like you to|i want to|
i would like to|i am trying to|let us|help me|help me to|could you tell me|can you tell me|tell me|
do you know|hello|hi|hey|ok|also|then|now|next|just|thank you|thanks"""
OPENINGS = PhraseTable(dict.fromkeys((phrase.strip() for phrase in _OPENINGS.split("|")), True))
EVERYTHING = frozenset("object objects thing things everything anything something item items".split())
VAGUE = {
    "long": "say 'longer than 40 m', 'elongated' or 'the longest'",
    "short": "say 'shorter than 40 m' or 'the shortest'",
    "wide": "say 'wider than 10 m' or 'the widest'",
    "narrow": "say 'narrower than 10 m' or 'the narrowest'",
    "tall": "heights cannot be seen from above; lengths, widths and areas can",
    "taller": "heights cannot be seen from above; say 'longer than 40 m'",
    "tallest": "heights cannot be seen from above; say 'largest' or 'longest'",
    "highest": "heights cannot be seen from above; say 'topmost' or 'largest'",
    "medium": "say 'between 20 and 40 m long' or 'large' or 'small'",
    "facing": "headings cannot be told; say 'horizontal', 'vertical' or 'diagonal'",
    "pointing": "headings cannot be told; say 'horizontal', 'vertical' or 'diagonal'",
    "heading": "headings cannot be told; say 'horizontal', 'vertical' or 'diagonal'",
    "parallel": "say 'horizontal', 'vertical', 'diagonal' or 'in a row'",
    "perpendicular": "say 'horizontal', 'vertical' or 'diagonal'",
    "distance": "distances cannot be measured yet; 'within 50 m of' and 'nearest to' are understood",
    "far": "say 'far from the river', 'more than 50 m from the river' or 'leftmost'",
    "wingspan": "say 'width' or 'length'",
    "diameter": "say 'length' or 'width'",
    "radius": "say 'length' or 'width'",
    "height": "heights cannot be seen from above; lengths, widths and areas can",
    "average": "only each one can be measured: 'measure the length of all planes'",
    "mean": "only each one can be measured: 'measure the length of all planes'",
    "total": "only each one can be measured: 'measure the area of all tanks'",
}
_FUNCTION_WORDS = """a an the this that these those which who whose what where when why how if whether because while is
    are was were be been am do does did have has had having can could would will shall should may might must not no nor
    neither either and or but except excluding than then as of at by for from in inside into on onto off out over under
    to towards toward up down with without within between among amongst during since until near it its they them their
    he she his her you your me my we us our i there here all every each any both some several many much few most more
    less fewer least other others another such only own same so too very really quite just also even else apart besides
    instead about around across against through per via versus vs one ones two three four five six seven eight nine ten
    eleven twelve twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen half first second
    third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth last""".split()
# Words of the grammar that may also stand inside a class name, but not begin it ("shopping centre", "toll area").
NOUN_TAILS = frozenset(
    """center centre corner side edge border boundary half quadrant quarter bank shore image picture area areas surface
    footprint square green orange mark count list mask trace point spot stand stands top crossing display""".split()
)
_TABLES = (
    PLACES, AMOUNTS, APPROXIMATE, COMPARATIVES, OR_MORE, MEASURED, ATTRIBUTES, SIZES, SHAPES, COLOURS, ORIENTATIONS,
    SUPERLATIVES, RELATIONS, UPRIGHT, IN_A_ROW, IMAGE, STANDING, VERBS, OPENINGS, VIEWPOINT,
)  # fmt: skip
_OPEN = """running shaped sized vicinity proximity neighbourhood neighborhood location locations description masks boxes
    outlines view frame map screen scene aerial line lines row rows laid built standing lying sitting footprint
    excess minimum maximum total surface photo aspect ratio ratios"""
_OTHERS = """corner corners edge edges border borders boundary margin half quadrant quarter centre center middle central
    bank shore closer nearer farther further touching measuring exceeding type class side"""
RESERVED = (frozenset(word for table in _TABLES for word in table.words()) - frozenset(_OPEN.split())) | frozenset(
    [*_FUNCTION_WORDS, *VAGUE, *_OTHERS.split()]
)
UNIT_SYMBOLS = frozenset(text for text in UNITS.entries if len(text) <= 3 or text[-1] == "2")
# What a misspelt word is compared with: words that carry meaning in the grammar.
CONSTRUCTIONS = frozenset(word for table in _TABLES if table not in (OPENINGS, STANDING) for word in table.words()) | {
    "except",
    "corner",
    "between",
    "which",
    "where",
    "without",
}
ADJECTIVES: PhraseTable[str] = PhraseTable(
    {**SIZES.entries, **SHAPES.entries, **COLOURS.entries, **ORIENTATIONS.entries}
)
