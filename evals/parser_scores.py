"""How one request of the parser benchmark went: read it, compare the tree, compare the answer, judge the refusal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..agent.class_names import adopt_class_names
from ..agent.parsers import parse_request
from ..core.conditions import ClassIs, Request, Selection, walk
from ..core.errors import QueryError, UnknownPhrase, UsageError
from ..core.lexicon import resolve
from ..core.protocols import ChatModel
from ..core.wording import words
from .parser_answers import LABELS, Gallery, effect, is_telling
from .parser_canonical import canonical, condition_count, phrase_key
from .parser_requests import Item

Outcome = Literal[
    "exact tree", "same answer", "wrong", "answered", "refused rightly", "refused for other words", "not understood"
]
UNDERSTOOD: tuple[Outcome, ...] = ("exact tree", "same answer", "wrong", "answered")
"""Outcomes of requests for which a tree was made: "answered" is one that should have been refused."""
RIGHT: tuple[Outcome, ...] = ("exact tree", "same answer")


@dataclass(frozen=True)
class Result:
    """What became of a request.

    Args:
        outcome: `exact tree`: one of the gold trees after levelling; `same answer`: another tree that answers the same
            on every drawn scene, at least one of which tells; `wrong`: neither; `answered`: a tree where a refusal was
            due; `refused rightly`: names the words that the item asks for; `refused for other words`;
            `not understood`: a refusal of a request that has a meaning.
        dropped: a tree with fewer conditions than any gold tree, or one that holds none of the words to be refused.
        said: the tree in words, or the error.
        points: a refusal marks some of the words of the query.
    """

    item: Item
    outcome: Outcome
    dropped: bool
    said: str
    points: bool
    seconds: float

    @property
    def understood(self) -> bool:
        """Whether a tree was made."""
        return self.outcome in UNDERSTOOD

    @property
    def is_right(self) -> bool:
        """Whether this is what a careful reader would have done."""
        return self.outcome in (*RIGHT, "refused rightly")


def score(item: Item, scenes: Gallery, parser: str = "grammar", chat: ChatModel | None = None) -> Result:
    """The result of one request; other errors than a refusal are bugs and are raised.

    Args:
        scenes: where answers are compared when trees differ.
    """
    started = time.perf_counter()
    try:
        request = parse_request(item.query, parser, chat).request
    except UsageError as error:
        seconds = time.perf_counter() - started
        return _refused(item, error, seconds)
    seconds = time.perf_counter() - started
    request = adopt_class_names(request, LABELS)
    try:
        _check_classes(item, request)
    except UnknownPhrase as error:
        return _refused(item, error, seconds)
    return _understood(item, request, scenes, seconds)


def _understood(item: Item, request: Request, scenes: Gallery, seconds: float) -> Result:
    said = words(request)
    tree, golds = canonical(request), [canonical(gold) for gold in item.golds]
    outcome: Outcome
    if tree in golds:
        return Result(item, "exact tree", False, said, False, seconds)
    if golds:
        outcome = "same answer" if _same_answer(request, item, scenes) else "wrong"
        dropped = condition_count(tree) < min(map(condition_count, golds))
    else:
        outcome = "answered"
        dropped = not any(part.lower() in said.lower() for part in item.refuse)
    return Result(item, outcome, dropped, said, False, seconds)


def _same_answer(request: Request, item: Item, scenes: Gallery) -> bool:
    """Whether the answers are those of one gold tree on every scene, and say something on one of them."""
    drawn = list(scenes.scenes(item.scene))
    found = [effect(request, scene) for scene in drawn]
    if not any(map(is_telling, found)):
        return False
    return any(all(effect(gold, scene) == own for scene, own in zip(drawn, found, strict=True)) for gold in item.golds)


def _refused(item: Item, error: UsageError, seconds: float) -> Result:
    outcome: Outcome
    if item.refuse and names_words(item, error):
        outcome = "refused rightly"
    else:
        outcome = "not understood" if item.golds else "refused for other words"
    points = isinstance(error, QueryError) and bool(error.spans)
    return Result(item, outcome, False, f"{type(error).__name__}: {error}", points, seconds)


def names_words(item: Item, error: UsageError) -> bool:
    """Whether an error names the words in trouble: at least half of a place that it marks is theirs.

    An error that marks no place names the words when its message quotes them.
    """
    message, query = str(error).lower(), item.query.lower()
    spans = error.spans if isinstance(error, QueryError) else ()
    if not spans:
        return any(f"'{part.lower()}'" in message for part in item.refuse)
    theirs = {place for part in item.refuse for place in _places(query, part.lower())}
    return any(2 * sum(place in theirs for place in range(a, b)) >= b - a > 0 for a, b in spans)


def _places(query: str, part: str) -> Iterator[int]:
    start = query.find(part)
    while start >= 0:
        yield from range(start, start + len(part))
        start = query.find(part, start + 1)


def _check_classes(item: Item, request: Request) -> None:
    """As `ask` does before it looks: a class that nobody drew is told; one that the gold tree names too is let pass."""
    meant = {phrase_key(phrase) for gold in item.golds for phrase in phrases_of(gold)}
    for phrase in phrases_of(request):
        try:
            if phrase_key(phrase) not in meant:
                resolve(phrase, LABELS)
        except UnknownPhrase as error:
            error.place_in(item.query)
            raise


def phrases_of(request: Request) -> Iterable[str]:
    """Every class phrase of a tree, in reading order."""
    for node in walk(request):
        if isinstance(node, Selection):
            yield from node.phrases
        elif isinstance(node, ClassIs):
            yield node.phrase
