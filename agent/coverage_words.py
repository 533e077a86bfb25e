"""Which words carry which meaning, for the coverage check: the grammar's vocabulary, and more words people use.

A meaning is a short name ("colour:red", "op:>", "at:left"). Only its equality counts: the same table is used on a query
and on the canonical words of a tree. A phrase has alternatives, each a set of meanings that must all be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from .parsing.tokens import PhraseTable
from .parsing.verbs import OPENINGS, VERBS
from .parsing.vocabulary import (
    AMOUNTS,
    ATTRIBUTES,
    COLOURS,
    COMPARATIVES,
    FROM_SIDE,
    IMAGE,
    IN_A_ROW,
    LINES,
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
)

Meanings = frozenset[str]
Alternatives = tuple[Meanings, ...]
NOTHING: Alternatives = (frozenset(),)
"""Of a word that says nothing of its own: an article, "please"."""
ANY_VERB = "verb:any"
EVERY = frozenset("all every each both".split())
FLIPPED = {">": "<=", "<": ">=", ">=": "<", "<=": ">"}

EXCLUDING = (
    "excluding", "exclude", "except", "except for", "except the", "leave out", "leaving out", "ignore", "ignoring",
    "disregard", "disregarding", "omit", "omitting", "skip", "skipping", "not counting", "not including",
    "do not include", "do not count", "never mind", "aside from", "bar", "with the exception of",
    "with the exclusion of", "apart from", "other than", "excepting", "minus",
)  # fmt: skip
"""What takes some out again."""

_NEUTRAL = """
    a an the this that these those which who whose what where when is are was were be been being am do does did
    has have had having of at by for from in into on onto to with and as than then there here it its they them
    their he she i we you me my our us your so too also please just now only own same such one ones other others
    each every all any some will would can could shall should may might must well very quite side shore
    part area region zone portion section end place spot space location locations position scene image picture
    photo photograph frame view map screen aerial satellite type kind class sort kinds types classes made up out
    off down about how whether while let see look looking want need like tell thanks thank hello hi hey ok first
    marked display visible seen situated measured measures measuring stretch stretches stretching span spans
    whole entire individual particular given another respectively separately tucked towards toward currently im got get
    gets sized shaped coloured colored painted colour color colours colors orientation oriented orientated
    running laid standing arranged lined lie lies lying value values number list mark single but either bit
    surface wise direction directions extent amount among finally firstly secondly thirdly lastly""".split()
# More words than the grammar reads, for the trees of language models: phrase -> alternatives, meanings joined by "+".
_MORE = {
    "hugging | fronting | flush with | up against | abreast of | skirting | attached to": "adjacent",
    "lining | flanking | either side of | both sides of": "flanking adjacent",
    "in the vicinity | nearby | a short way from | not far off | proximate to | a stone's throw from": "near",
    "close": "near",
    "within reach of": "near",
    "remote from | well away from | distant from": "not+near",
    "exceeding | exceeds | exceed | surpassing | surpass | topping | in excess of | beyond | past": "op:> beyond",
    "longer": "op:>+attr:length op:>=+attr:length sup:length:max",
    "shorter": "op:<+attr:length op:<=+attr:length sup:length:min",
    "wider | broader": "op:>+attr:width op:>=+attr:width",
    "narrower | thinner": "op:<+attr:width op:<=+attr:width",
    "larger | bigger | greater": "op:>+attr:area op:>+attr:length op:>+attr:width op:>=+attr:area op:> op:>=",
    "smaller | lesser": "op:<+attr:area op:<+attr:length op:<+attr:width op:<=+attr:area op:<",
    "more": "op:> op:>= comparing",
    "fewer | less": "op:< op:<=",
    "as many": "op:== op:>= op:<=",
    "minimum": "op:>= sum:minimum",
    "maximum": "op:<= sum:maximum",
    "at minimum | no shorter than | no narrower than": "op:>=",
    "at maximum | at the most | tops": "op:<=",
    "about | around | roughly | approximately | circa": "op:== near",
    "around": "near op:== surrounded",
    "over": "op:> overlaps at:above",
    "above": "at:above op:>",
    "below": "at:below op:<",
    "under": "at:below op:< overlaps",
    "within": "within inside op:<= op:< near half quadrant",
    "inside | enclosed in | in the interior of": "inside",
    "between": "between op:>=+op:<=",
    "between two | in between two": "between",
    "near | close to": "near",
    "next to | beside | along | alongside | adjacent to | touching | bordering | at the side of": "adjacent edge near",
    "across": "overlaps attr:width other_side",
    "outside | outside of": "not+inside not",
    "away from | away": "not+near beyond within op:> op:>= op:< op:<= sup:distance:max",
    "farther than | further than": "further beyond op:>",
    "no farther than | no further than": "within op:<=",
    "in a radius of | within a radius of": "within",
    "at a distance of | distance | distances": "within op:> op:>= op:< op:<= attr:distance",
    "covering | covered by | covers | cover | taking up | occupying": "attr:area overlaps contains",
    "far | far from | far away": "not+near beyond op:> sup:distance:max",
    "without | lacking": "not+contains not",
    "any two | every two | each two": "- number:2",
    "nor": "not number:0 or",
    "not | no | none | neither | except | excluding | apart from | other than | but for | never": "not number:0",
    "but the | but those | but not | bar the | save for": "not",
    "isn't | aren't | non": "not",
    "or": "or comparing",
    "both": "number:2",
    "not both | but not both": "xor+not",
    "couple | pair | pair of | couple of | twice | double": "number:2",
    "thrice | triple": "number:3",
    "corner | corners": "corner quadrant",
    "quadrant | quarter": "quadrant",
    "half": "half number:0.5",
    "cut off by | cut off at | cut by | cut off": "edge overlaps",
    "edge | edges | border | borders | boundary | margin | rim": "edge",
    "near the centre | near the center | near the middle": "centre",
    "close to the centre | close to the center | close to the middle": "centre",
    "centre | center | middle | central | centrally": "centre",
    "how many": "verb:count",
    "how much": "verb:count verb:measure",
    "how long": "verb:measure+attr:length",
    "how wide | how broad": "verb:measure+attr:width",
    "how large | how big": "verb:measure+attr:area",
    "how far | how far apart": "verb:measure+attr:distance",
    "enumerate | tally up": "verb:count",
    "add up | tot up | sum up": "verb:count sum:total",
    "pinpoint | spotting | single out | pick | box | fetch | retrieve | reveal | present | pull up | report": ANY_VERB,
    "as long as wide | as long as they are wide | as long as it is wide": "attr:aspect",
    "times as long as wide | times longer than wide | times as long as they are wide": "attr:aspect",
    "times": " ",
    "not as long as | not so long as": "op:<+attr:length not+op:>=+attr:length",
    "not as wide as | not so wide as": "op:<+attr:width not+op:>=+attr:width",
    "not as large as | not as big as": "op:<+attr:area not+op:>=+attr:area",
    "far side | far bank | other side | opposite side | opposite": "other_side",
    "this side | same side": "same_side",
    "row | rows": "row",
    "group | groups | cluster | clusters | clustered | bunch | bunches | grouped": "group",
    "isolated | lone | solitary | by themselves | by itself": "not+group",
    "on their own | on its own | all alone | standing alone | alone": "not+group",
    "blocks of | block of": "group",
    "lines of | line of | a line of": "row",
    "pairs | pairs of": "number:2+group number:2",
    "together | in degrees | nothing else | roughly | directly": " ",
    "as polygons | as masks | as boxes | as outlines | hand | plus | much | run | runs": " ",
    "at least one of": "- any_of",
    "at least one": "- any_of",
    "contain | contains": "contains verb:exists",
    "which direction | what direction | which way": "verb:measure+attr:orientation",
    "total | combined | overall | summed": "sum:total",
    "in total | altogether": "sum:total counting",
    "average | mean | typical": "sum:mean",
    "what is in | what is at | what is on | what can be seen": f"verb:describe {ANY_VERB}",
    "provided | provided there are | provided there is | in case there are": "provided",
    "if | if there are | if there is | only if": "provided verb:exists",
    "say something about | look like | looks like": "verb:describe",
    "check whether | check if | verify that | verify whether | confirm that": "verb:exists",
    "is it the case that | is it correct that | is it right that": "verb:exists",
    "is it true that | tell me if | let me know if | see if": "verb:exists",
    "silhouette of | silhouettes of | contour of | contours of | shape of": "verb:segment",
    "sizeable | massive | enormous | vast | sizable": "size:large",
    "compact | minuscule": "size:small",
    "largest in area": "sup:area:max",
    "further | farther": "further beyond op:> sup:distance:max",
    "last | final": "sup",
    "in": "- inside",
    "on": "- inside overlaps edge",
    "at": "- inside adjacent near edge",
    "as the centre of the image | from the centre of the image": " ",
    "as large as | as big as | same size as": "attr:area",
    "as long as | same length as": "attr:length",
    "as wide as | same width as": "attr:width",
    "of": "- inside",
    "by": "- adjacent near",
    "with | having | has | have": "- contains inside",
    "any | some | either | one of | a | an": "- any_of",
    "from at least one of": "any_of",
    "enclosing | holding | housing | hosting": "contains",
    "difference between the number of | the difference between the number of": "verb:compare",
    "more numerous | most numerous": "verb:compare op:>",
    "which is longer | which is wider": "verb:measure",
    "outnumber | outnumbers": "op:> comparing",
    "outnumbered by": "op:<",
    "number of | the number of": "verb:count numbers",
    "equal to | the same as": "op:==",
    "the same number of | same number of | equal number of | an equal number of": "op:==",
    "yes or no | yes / no | yes , no | true or false": "- verb:exists",
    "otherwise | else | if not": "otherwise",
    "closer than": "within",
    "keep only | only keep": " ",
    "layer with | layer of": " ",
    "number )": "verb:count",
    "greater than": "op:>+attr:area op:>+attr:length op:>+attr:width op:>",
    "run past | runs past | running past": "adjacent",
    "long narrow | long thin | long and narrow": "shape:elongated",
    "up and down": "orientation:vertical",
    "in case": "provided",
    "all told | all in all": "sum:total counting",
    "which colour | what colour | which color | what color": "verb:describe",
    "everything that is a | everything that is an | anything that is a | anything that is an": "- class:object",
    "on all sides | from all sides | on every side": "surrounded",
    "outlined | segmented | masked | delineated": "verb:segment",
    "counted": "verb:count",
    "compare the number of | compare the numbers of | compare": "verb:compare",
    "how many more | how many fewer": "verb:compare verb:exists",
    "with the number of | than the number of": " ",
}
_PICKED = {("x", "min"): "left", ("x", "max"): "right", ("y", "min"): "above", ("y", "max"): "below"}
STRICT = (
    "class:",
    "word:",
    "number:",
    "box:",
    "colour:",
    "size:",
    "shape:",
    "orientation:",
    "at:",
    "sup:",
    "verb:",
    "row",
    "rank:",
    "not",
)
"""Meanings of which each mention in a query needs one of its own in the tree."""


def is_strict(meaning: str) -> bool:
    """Whether each mention in a query needs one of its own in the tree; a loose one need only be there."""
    return meaning.startswith(STRICT)


@cache
def phrases() -> PhraseTable[tuple[Alternatives, ...]]:
    """Phrase -> what it asks for; several demands where one phrase names several things ("upper left")."""
    table: dict[str, tuple[Alternatives, ...]] = {}
    _add(table, dict.fromkeys(_NEUTRAL, NOTHING))
    _add(table, {phrase: NOTHING for source in (OPENINGS, STANDING, IMAGE) for phrase in source.entries})
    _add(table, {phrase: either(f"attr:{attribute}") for phrase, attribute in ATTRIBUTES.entries.items()})
    _add(table, {phrase: _measured(attribute) for phrase, attribute in MEASURED.entries.items()})
    _add(table, {phrase: _amount(op) for phrase, op in AMOUNTS.entries.items()})
    _add(table, {phrase: _compared(*found) for phrase, found in COMPARATIVES.entries.items()})
    _add(table, {phrase: _compared(*found) for phrase, found in OR_MORE.entries.items()})
    _add(table, {phrase: _related(name) for phrase, name in RELATIONS.entries.items() if phrase not in _NEUTRAL})
    _add(table, {phrase: either(f"colour:{word}") for phrase, word in COLOURS.entries.items()})
    _add(table, {phrase: either(f"size:{word}") for phrase, word in SIZES.entries.items()})
    _add(
        table,
        {phrase: either(f"size:{word}", "attr:area") for phrase, word in SIZES.entries.items() if word == "large"},
    )
    _add(table, {phrase: either(f"shape:{word}") for phrase, word in SHAPES.entries.items()})
    _add(table, {phrase: either(f"orientation:{word}") for phrase, word in ORIENTATIONS.entries.items()})
    _add(table, {phrase: either("row") for phrase in IN_A_ROW.entries})
    _add(table, {phrase: _verb(name) for phrase, name in VERBS.entries.items()})
    for phrase, (by, order) in SUPERLATIVES.entries.items():
        table[phrase] = superlative(by, order)
    for near, order in (("nearest", "min"), ("closest", "min"), ("farthest", "max"), ("furthest", "max")):
        for middle in ("centre", "center", "middle"):
            both = "from" if order == "max" else "to"
            table |= {f"{near} {both} {the}{middle}": superlative("centre", order) for the in ("the ", "")}
    for word, (by, order) in OF_TWO.entries.items():
        table |= {f"{word} of the {two}": superlative(by, order) for two in ("two", "2")}
    for most, order in (
        ("greatest", "max"),
        ("largest", "max"),
        ("biggest", "max"),
        ("smallest", "min"),
        ("least", "min"),
        ("shortest", "min"),
        ("longest", "max"),
    ):
        table |= {f"{most} {noun}": superlative(by, order) for noun, by in ATTRIBUTES.entries.items()}
        bound = "sum:maximum" if order == "max" else "sum:minimum"
        table[f"{most} distance"] = ((*superlative("distance", order)[0], frozenset([bound, "attr:distance"])),)
    for line, alternatives in _MORE.items():
        _add(table, {phrase.strip(): _listed(alternatives) for phrase in line.split("|")})
    for phrase, direction in PLACES.entries.items():
        table[phrase] = tuple(either(f"at:{side}") for side in direction.split())
        for third in ("third", "thirds"):
            table[f"{phrase} {third}"] = _third(direction)
    for phrase in ("above", "below", "under"):
        table[phrase] = (_listed(_MORE[phrase]),)
    _add(table, dict.fromkeys(EXCLUDING, either("not")))
    _add(
        table, {f"{verb} {line}ly": either(f"orientation:{line}") for verb in ("pointing", "facing") for line in LINES}
    )
    medium = (either("not"), either("size:large"), either("not"), either("size:small"))
    table |= dict.fromkeys(("medium", "medium sized", "mid sized"), medium)
    for near in ("nearest", "closest"):
        for side, direction in PLACES.entries.items():
            if direction in FROM_SIDE:
                rank = superlative(*FROM_SIDE[direction])
                table |= {f"{near} to the {side} {edge}": rank for edge in ("edge", "border", "side", "margin")}
                table |= {f"{near} to the {side} of {image}": rank for image in IMAGE.entries}
    for line, forms in LINES.items():
        for form in (*forms, *(("up and down",) if line == "vertical" else ())):
            for axis in ("long side", "longer side", "longest side", "long axis"):
                along = either(f"orientation:{line}")
                _add(table, {f"{axis} {runs} {form}": along for runs in ("runs", "points", "is")})
    return PhraseTable(table)


def _add(table: dict[str, tuple[Alternatives, ...]], more: dict[str, Alternatives]) -> None:
    table |= {phrase: (alternatives,) for phrase, alternatives in more.items()}


def either(*meanings: str) -> Alternatives:
    """Any one of these meanings."""
    return tuple(frozenset([meaning]) for meaning in meanings)


def optional(*meanings: str) -> Alternatives:
    """These meanings or none of them."""
    return (frozenset(), *either(*meanings))


def _listed(text: str) -> Alternatives:
    """Alternatives by spaces, "+" between meanings that go together; "-" is nothing at all."""
    return tuple(frozenset(part.split("+")) if part != "-" else frozenset() for part in text.split()) or NOTHING


def _measured(attribute: str) -> Alternatives:
    return either("attr:area", "attr:length") if attribute == "size" else either(f"attr:{attribute}")


def _amount(op: str) -> Alternatives:
    plain = frozenset([f"op:{op}"])
    return (plain, frozenset([f"op:{FLIPPED[op]}", "not"])) if op in FLIPPED else (plain,)


def _compared(attribute: str, op: str) -> Alternatives:
    names = ("area", "length", "width") if attribute == "size" else (attribute,) if attribute else ()
    measures: Iterable[Meanings] = [frozenset([f"attr:{name}"]) for name in names] or [frozenset()]
    return tuple(amount | measure for measure in measures for amount in _amount(op))


def _related(name: str) -> Alternatives:
    return (frozenset(name.split(" ")),)


def _verb(name: str) -> Alternatives:
    return either(ANY_VERB if name == "detect" else f"verb:{name}")


def superlative(by: str, order: str) -> tuple[Alternatives, ...]:
    """What the first by this measure is: a superlative, or a side and any superlative."""
    side = _PICKED.get((by, order))
    return (either(f"at:{side}"), either("sup")) if side else (either(f"sup:{by}:{order}"),)


def _third(direction: str) -> tuple[Alternatives, ...]:
    """A third is three cells; all three must be told."""
    across = ("above", "below") if direction in ("left", "right") else ("left", "right")
    return (either(f"at:{direction}"), (frozenset(["centre", *(f"at:{side}" for side in across)]),))
