"""Wordings of a request that the project's parser reads back as the same tree (FORMATS.md 7.4, round trip)."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...agent.class_names import adopt_class_names
from ...agent.parser import parse
from ...core.conditions import Output, Request, Selection
from ...core.errors import QueryError
from ...core.inflection import plural
from ...core.wording import words

_TRIES, _LEAST, _MOST, _MOST_WORDS = 6, 2, 3, 24
_NOT_TYPE = re.compile(r"not of type ([a-z ]+?)(?=$|\?| and | or )")
# {0}: the words of the selection; {1}: the same with "all" before it unless it is definite; {2}: "where is {0}".
_ASKED = {
    "detect": ("detect {1}", "find {1}", "locate {1}", "show me {1}", "{0}", "{1}", "{2}?", "please find {1}",
               "mark {1}", "can you find {1}?", "I am looking for {0}", "point out {1}"),
    "segment": ("segment {1}", "outline {1}", "segment {0}", "give me the masks of {1}", "please segment {1}",
                "draw the outlines of {1}", "mask {1}", "show me the outlines of {1}"),
}  # fmt: skip
# Canonical English that nobody speaks. North is not up in every image: sides are told by left and right.
_SPOKEN = (("on the east side", "on the right side"), ("on the west side", "on the left side"),
           ("on the north side", "on the upper side"), ("on the south side", "on the lower side"),
           ("in the right centre", "in the centre right"), ("in the left centre", "in the centre left"),
           ("exactly as ", "as "))  # fmt: skip
# Other words for the same; each is only kept where the parser agrees.
_SAME = (
    ("in the top left corner", "in the upper left corner"),
    ("in the top right corner", "in the upper right corner"),
    ("in the bottom left corner", "in the lower left corner"),
    ("in the bottom right corner", "in the lower right corner"), ("in the top half", "in the upper half"),
    ("in the bottom half", "in the lower half"), ("in the centre", "in the middle"),
    ("in the left half", "on the left"), ("in the right half", "on the right"), ("in the top half", "at the top"),
    ("at the edge of the image", "touching the border of the image"), (" left of ", " to the left of "),
    (" right of ", " to the right of "), (" next to ", " beside "), (" near ", " close to "),
    (" containing ", " with "), (" inside ", " in "), ("farthest from", "furthest from"),
    ("nearest to", "closest to"), ("largest", "biggest"), ("larger than", "bigger than"),
    (" that are ", " which are "), ("square ", "square-shaped "), ("at least 2 times as", "at least twice as"),
    ("that are not near", "far from"), ("that are not inside", "outside"), ("topmost", "uppermost"),
    ("leftmost", "left-most"), ("rightmost", "right-most"), ("most central", "closest to the centre of the image"),
)  # fmt: skip


@dataclass(frozen=True)
class Wordings:
    """How a request is asked.

    Attributes:
        expression: the main wording. paraphrases: others. template: of the main wording.
    """

    expression: str
    paraphrases: tuple[str, ...]
    template: str


def request_for(task: str, selection: Selection) -> Request:
    """The request of an item: boxes for CREC, masks for CRES."""
    return Request(outputs=(Output(verb="segment" if task == "CRES" else "detect", target=selection),))


def wordings(request: Request, rng: random.Random) -> Wordings | None:
    """Wordings that mean the request and nothing else, without brackets; None where there are fewer than two."""
    output = request.outputs[0]
    body = spoken(words(output.target))
    body = body.replace(f"the average of {plural(output.target.phrases[0])}", "average")
    everything = body if body.startswith("the ") else f"all {body}"
    single = (output.target.picks[-1].count if output.target.picks else output.target.expected) == 1
    where = f"where {'is' if single else 'are'} {'' if body.startswith('the ') else 'the '}{body}"
    templates = _ASKED[output.verb]
    if single:
        templates = tuple(each.replace("masks", "mask").replace("outlines", "outline") for each in templates)
    chosen = [templates[0], *rng.sample(templates[1:], len(templates) - 1)][:_TRIES]
    fits = [(old, new) for old, new in _SAME if old in f" {body} "]
    kept: list[tuple[str, str]] = []
    for number, template in enumerate(chosen):
        old, new = rng.choice(fits) if fits and number % 2 else ("", "")
        varied = template.format(*(_swapped(each, old, new) for each in (body, everything, where)))
        plain = _NOT_TYPE.sub(
            lambda found: f"not {an(found[1]) if single else plural(found[1])}",
            varied.replace("(", "").replace(")", ""),
        )
        if all(plain != text for _, text in kept) and _reads_well(plain) and means(plain, request):
            kept.append((template, plain))
        if len(kept) == _MOST:
            break
    if len(kept) < _LEAST:
        return None
    main = rng.randrange(len(kept))
    template, expression = kept[main]
    return Wordings(expression, tuple(text for n, (_, text) in enumerate(kept) if n != main), template)


def an(noun: str) -> str:
    """The noun with its article.

    Example:
        >>> an("airplane"), an("ship")
        ('an airplane', 'a ship')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def spoken(canonical: str) -> str:
    """Canonical English (`surveyor.core.wording`) without compass words and the like.

    Example:
        >>> spoken("select those on the east side of the river")
        'select those on the right side of the river'
    """
    for written, said in _SPOKEN:
        canonical = canonical.replace(written, said)
    return canonical


def is_read_alike(request: Request, *known: Sequence[str]) -> bool:
    """Whether the request stays the same for a grounder with these class names.

    "Large vehicles" are not the large ones of all vehicles where "large vehicle" is a class.

    Example:
        >>> request = parse("detect all large vehicles")
        >>> is_read_alike(request, ["vehicle", "ship"]), is_read_alike(request, ["vehicle"], ["large vehicle"])
        (True, False)
    """
    return all(adopt_class_names(request, classes) == request for classes in known)


def means(text: str, request: Request) -> bool:
    """Whether the parser reads a wording as that request."""
    try:
        return parse(text) == request
    except QueryError:
        return False


def _swapped(text: str, old: str, new: str) -> str:
    return text if not old else f" {text} ".replace(old, new, 1).strip()


def _reads_well(text: str) -> bool:
    """Short enough, and without words that only the canonical English needs."""
    return len(text.split()) <= _MOST_WORDS and "of type" not in text and "the one " not in text


@lru_cache(maxsize=4096)
def spoken_name(label: str) -> str | None:
    """What the parser calls a class when it is told its label; None where it reads something else."""
    try:
        output = parse(f"detect all {plural(label)}").outputs[0]
        one = parse(f"detect the {label}").outputs[0]
    except QueryError:
        return None
    target = output.target
    same = target.phrases == one.target.phrases and target.where is None and len(target.phrases) == 1
    return target.phrases[0] if same else None
