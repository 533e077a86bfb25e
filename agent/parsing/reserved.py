"""Words of the grammar, which cannot name a class, and words that say too little, with what to say instead."""

from __future__ import annotations

from .tokens import PhraseTable
from .verbs import OPENINGS, VERBS
from .vocabulary import (
    AMOUNTS,
    APPROXIMATE,
    ATTRIBUTES,
    CHANGES,
    COLOURS,
    COMPARATIVES,
    IMAGE,
    IN_A_ROW,
    MEASURED,
    OF_TWO,
    OR_MORE,
    ORIENTATIONS,
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    STANDING,
    SUPERLATIVES,
    UNITS,
    UPRIGHT,
    VIEWPOINT,
)

APPEARANCES = frozenset(
    """oldest newest fastest slowest cheapest busiest nicest best worst deepest heaviest lightest prettiest
    suspicious dangerous beautiful nice ugly pretty interesting important unusual strange weird illegal expensive cheap
    old modern ancient fast slow famous""".split()
)
UNSEEN = APPEARANCES | frozenset(
    "taller percentage percent share proportion fraction sort sorted rank ranked minus negative".split()
)
VAGUE = {word: f"say 'the {word} of the two' or '{word} than 40 m'" for word in OF_TWO.entries} | {
    **dict.fromkeys(APPEARANCES, "only what the image shows can be asked: sizes, places, colours, neighbours"),
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
    "parallel": "parallel to what? Say 'parallel to the runway', or 'horizontal'",
    "perpendicular": "perpendicular to what? Say 'perpendicular to the runway', or 'vertical'",
    "far": "say 'far from the river', 'more than 50 m from the river' or 'leftmost'",
    "wingspan": "say 'width' or 'length'",
    "radius": "say 'length' or 'width'",
    "height": "heights cannot be seen from above; lengths, widths and areas can",
    **dict.fromkeys(("sort", "sorted", "rank", "ranked"), "lists are not ordered; ask for 'the five longest ships'"),
    **dict.fromkeys(("colour", "color"), "ask 'is it white?', or for the white ones; colours are not measured"),
    "most": "say how many, e.g. 'are more than five planes white?'",
    "many": "say how many, e.g. 'more than five planes'",
    "few": "say how many, e.g. 'fewer than five planes'",
    "non": "say what they are instead, e.g. 'that are not white'",
    **dict.fromkeys(("percentage", "percent", "share", "proportion", "fraction"), "say 'the total area of the trees'"),
    "unchanged": "what stayed cannot be asked for, what changed can",
    **dict.fromkeys(("before", "previously", "formerly"), "say 'in the first image' of a date, 'near' of a place"),
    **dict.fromkeys(("newly", "recently"), "say 'new' of two images, e.g. 'new trees'"),
    **dict.fromkeys(("happened", "happens"), "of two images, ask 'what changed?'"),
    "minus": "a rank or a size cannot be negative",
    "negative": "a rank or a size cannot be negative",
}
_FUNCTION_WORDS = """a an the this that these those which who whose what where when why how if whether because while is
    are was were be been am do does did have has had having can could would will shall should may
    might must not no nor neither either and or but except excluding than then themselves itself
    alone as of at by for from in inside into on onto off out over under to towards toward up down
    with without within between among amongst during since until near it its they them their he
    she his her you your me my we us our i there here all every each any both some several many
    much few most more less fewer least other others another such only own same so too very really
    quite just also even else apart besides instead about around across against through per via
    versus vs one ones two three four five six seven eight nine ten eleven twelve twenty thirty
    forty fifty sixty seventy eighty ninety hundred thousand million dozen half first second third
    fourth fifth sixth seventh eighth ninth tenth eleventh twelfth last""".split()
# Words of the grammar that may also stand inside a class name, but not begin it ("shopping centre", "toll area").
NOUN_TAILS = frozenset(
    """center centre corner side edge border boundary half quadrant quarter bank shore image picture area areas surface
    footprint square green orange mark count list mask trace point spot stand stands top crossing display
    edges corners sides borders boundaries halves quadrants quarters banks shores centres centers""".split()
)
_TABLES = (
    PLACES, AMOUNTS, APPROXIMATE, COMPARATIVES, OR_MORE, MEASURED, ATTRIBUTES, SIZES, SHAPES, COLOURS, ORIENTATIONS,
    SUPERLATIVES, RELATIONS, UPRIGHT, IN_A_ROW, IMAGE, STANDING, VERBS, OPENINGS, VIEWPOINT, CHANGES,
)  # fmt: skip
_OPEN = """contour contours polygon polygons helpful great nice good lovely useful kind possible task running
    shaped sized vicinity proximity neighbourhood neighborhood location locations description masks
    boxes outlines box bounding shape view frame map screen scene aerial line lines row rows laid built
    standing lying sitting footprint excess minimum maximum total surface photo roof roofs ground floor
    satellite kind aspect ratio ratios"""
_OTHERS = """provided twice thrice times same corner corners edge edges border borders boundary margin half quadrant
    quarter centre center middle central average mean median total combined distance distances bank
    shore closer nearer farther further touching marked highlighted circled outlined segmented counted
    keep check nothing none separately individually firstly secondly thirdly finally lastly afterwards leave
    leaving ignore ignoring omit omitting exclude disregard include skip skipping disregarding measuring
    exceeding exceeds exceed type class side covering occupying non outnumber outnumbers outnumbered
    together"""
RESERVED = (frozenset(word for table in _TABLES for word in table.words()) - frozenset(_OPEN.split())) | frozenset(
    [*_FUNCTION_WORDS, *VAGUE, *_OTHERS.split()]
)
# What things do: such a word begins a name at most ("sailing boat"), and a noun is never followed by it.
DOING = frozenset(
    """carrying flying sailing driving leaving entering arriving going transporting towing pulling pushing
    burning sinking looking moving holding""".split()
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
    {**SIZES.entries, **SHAPES.entries, **COLOURS.entries, **ORIENTATIONS.entries, **CHANGES.entries}
)
