"""Whether what "it", "them" or "its" stand for is the same in the tree as where the query first names it.

"Segment the longest ship and measure its width" names one set once and uses it twice. Word by word, a tree with "the
longest ship" in only one of the two places has said everything; here the places are held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ..core.conditions import ClassIs, CountTest, Node, Provided, Request, Selection, conjuncts, walk
from ..core.wording import words
from .coverage_reading import Mention, mentions, tokens_of
from .coverage_words import Meanings, is_strict
from .parsing.tokens import Token

_THEM = frozenset("it its them their they one".split())
_OBJECTS = frozenset("it its them one".split())
_BEFORE = frozenset("of to near on in under over from by inside beside around along than".split())
_STOPS = frozenset("; . ? ! , and then".split())
_OWNING = frozenset("with that which whose have has having where without if".split())
_ENDS = frozenset(("", *"; . ? !".split()))


def lost_references(request: Request, tokens: list[Token], asked: list[Mention]) -> Iterator[tuple[int, int]]:
    """The places of the pronouns whose set the tree tells otherwise than what they stand for."""
    places = _pronouns(tokens, asked)
    sets = [node for node in walk(request) if isinstance(node, Selection)]
    if not places:
        yield from _divided(request, asked)
        return
    compared = [{id(o.target), id(o.other)} for o in request.outputs if o.other is not None]
    exceptions = {id(o.target) for o in request.outputs if o.test == CountTest(op="==", n=0)}  # "are all planes ...?"
    for first, second in combinations(sets, 2):
        if {id(first), id(second)} in compared or exceptions & {id(first), id(second)}:
            continue
        if first.phrases != second.phrases or any(node is second for node in walk(first)) or _named(asked, sets, first):
            continue
        lost = [part for part in _conditions(first) if part not in _conditions(second)]
        more = [part for part in _conditions(second) if part not in _conditions(first)]
        place = _standing_for(first, places, tokens, asked)
        clause = tokens[_clause_start(tokens, place)].start
        after = {meaning for m in asked if m.start >= clause for one in m.alternatives for meaning in one}
        if lost or any(not _is_said(part, second, after) for part in more):
            yield tokens[place].start, tokens[place].stop
            return
    standing = _standing(tokens, asked)
    if len(standing) > sum(len(same) - 1 for same in _alike(sets)):
        yield tokens[standing[-1]].start, tokens[standing[-1]].stop


def _pronouns(tokens: list[Token], asked: list[Mention]) -> list[int]:
    """Places of words that stand for a thing named before, and of "how many there are"."""
    named = min((m.stop for m in asked if _is_thing(m)), default=None)
    found = []
    for place, token in enumerate(tokens):
        if named is None or token.start < named:
            continue
        after = [other.text for other in tokens[place + 1 : place + 5]] + [""]
        number = after[0] if token.text == "many" and tokens[place - 1].text == "how" else None
        there = number is not None and after[:2] in (["there", "are"], ["are", "there"]) and after[2] in _ENDS
        number_of_things = token.text == "one" and after[0] not in _STOPS | {""}
        if there or (token.text in _THEM and not number_of_things):
            found.append(place)
    return found


def _is_thing(mention: Mention) -> bool:
    return any(meaning.startswith(("class:", "word:")) for meaning in mention.alternatives[0])


def _clause_start(tokens: list[Token], place: int) -> int:
    while place > 0 and tokens[place - 1].text not in _STOPS:
        place -= 1
    return place


def _standing_for(one: Selection, places: list[int], tokens: list[Token], asked: list[Mention]) -> int:
    """The first pronoun of a clause behind the one that names these things; else the first pronoun."""
    names = _names(one)
    named = min((m.start for m in asked if names & m.alternatives[0]), default=0)
    return next((place for place in places if tokens[_clause_start(tokens, place)].start > named), places[0])


def _names(one: Selection) -> Meanings:
    """What the bare things are called."""
    return _meanings(one.model_copy(update={"where": None, "picks": (), "expected": None}))


def _named(asked: list[Mention], sets: list[Selection], one: Selection) -> bool:
    """Whether the query names the things as often as the tree does, so that no pronoun stands for them."""
    names = _names(one)
    said = min(sum(name in m.alternatives[0] for m in asked) for name in names) if names else 0
    return said >= sum(other.phrases == one.phrases for other in sets)


def _meanings(node: Node) -> Meanings:
    return frozenset[str]().union(*(one for m in mentions(tokens_of(words(node))) for one in m.alternatives))


def _conditions(node: Selection) -> list[Node]:
    """What the things must satisfy, but for the condition on the whole request."""
    return [part for part in (*conjuncts(node.where), *node.picks) if not isinstance(part, ClassIs | Provided)]


def _is_said(part: Node, of: Selection, after: set[str]) -> bool:
    """Whether the words from the pronoun's clause on speak of this condition."""
    told = _meanings(part) - _names(of)
    return bool(({meaning for meaning in told if is_strict(meaning)} or told) & after)


def _divided(request: Request, asked: list[Mention]) -> Iterator[tuple[int, int]]:
    """ "The length and the width of the planes on the apron": said once, it is one set."""
    sets = [node for node in walk(request) if isinstance(node, Selection)]
    for first, second in combinations((o for o in request.outputs if o.verb == "measure"), 2):
        same = first.target.phrases == second.target.phrases and first.attribute != second.attribute
        if same and first.target != second.target and not _named(asked, sets, first.target):
            yield asked[-1].start, asked[-1].stop
            return
    for one, other in combinations([node.reference for node in walk(request) if isinstance(node, Provided)], 2):
        if one.phrases == other.phrases and one != other and not _named(asked, sets, one):  # "if ..., otherwise ..."
            yield asked[-1].start, asked[-1].stop
            return


def _standing(tokens: list[Token], asked: list[Mention]) -> list[int]:
    """The pronouns behind a thing of another clause ("and the planes near it"): each stands for a set of the tree."""
    found = []
    for place in _pronouns(tokens, asked):
        start = _clause_start(tokens, place)
        before = tokens[:place]
        stop = before[-1].stop if before else 0
        things = [m for m in asked if _is_thing(m) and tokens[start].start <= m.start and m.stop <= stop]
        owned = any(token.text in _OWNING for token in before)
        which = [token.text for token in before[-2:]] == ["which", "of"]
        theirs = tokens[place].text in _OBJECTS and (tokens[place].text == "its" or before[-1].text in _BEFORE)
        if which or (start and things and not owned and theirs):
            found.append(place)
    return found


def _alike(sets: list[Selection]) -> list[list[Selection]]:
    """The selections by what they look for."""
    return [[one for one in sets if one.phrases == phrases] for phrases in dict.fromkeys(one.phrases for one in sets)]
