"""Readings of a line that refers back: its pronouns as a stand-in noun, and what it could be on the set before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..core.errors import QueryError
from ..core.inflection import plural
from .followup_patterns import AMOUNT_BEFORE, BEFORE_ONE, EXCEPT, LEAD, MANY, ONE, ONES, PLACE, SINGLE, THEIRS
from .followup_text import Patched
from .parsing.tokens import tokenize
from .parsing.verbs import VERBS

_QUESTIONS = ("how", "which", "what", "where", "is", "are", "does", "do", "any", "why")


def begins_request(text: str) -> bool:
    """Whether a verb or a question word stands in front."""
    try:
        tokens = tokenize(text)
    except QueryError:
        return False
    if tokens[0].text == "in":  # "in which direction", not "in the bottom half"
        return len(tokens) > 1 and tokens[1].text in ("which", "what")
    return VERBS.match(tokens, 0) is not None or tokens[0].text in _QUESTIONS


def bare(patched: Patched) -> Patched:
    """Without "and", "now", "only" in front and the question mark behind."""
    lead = LEAD.match(patched.text)
    return (patched.cut(lead.end()) if lead else patched).stripped(" \t\n,;:?.!")


def with_pronouns(
    patched: Patched, noun: str, ids: tuple[str, ...], *, single: bool = False, where: str = ""
) -> Patched:
    """The text with "them", "it", "their length", "the red ones" said of the noun.

    Args:
        noun: the stand-in for the set, in the singular.
        ids: of the set; "it" needs one.
        single: the words of the set say that it is one, whatever is known of its ids.
        where: what a line about the set has to add where its image is not in use.

    Raises:
        QueryError: "it" where there are several, or none.
    """

    def one(match: re.Match[str]) -> str:
        if len(ids) != 1 and not single:
            some = ", ".join(ids[:4]) + (" …" if len(ids) > 4 else "")
            instead = f"{patched.text[: match.start()]}{ids[0] if ids else ''}{patched.text[match.end() :]}{where}"
            which = f"{match[0]!r} could be any of {len(ids)}; name one of {some}: say e.g. '{instead.strip()}'"
            told = which if ids else f"{match[0]!r} stands for nothing: the last answer holds nothing; name the thing"
            raise patched.refused(told, match.start(), match.end())
        return f"the {noun}"

    found = _attributes_turned(patched, noun).sub(MANY, lambda _: f"the {plural(noun)}")
    return with_ones(found.sub(SINGLE, one), noun)


def with_ones(patched: Patched, noun: str) -> Patched:
    """The text with "ones" and "the red one" as the noun; "more than one plane" stays."""

    def one(match: re.Match[str]) -> str | None:
        before = match.string[: match.start()]
        if not BEFORE_ONE.search(before) or AMOUNT_BEFORE.search(before):
            return None
        return f"a {noun}" if re.search(r"\bthere\s$", before, re.IGNORECASE) else noun

    return patched.sub(ONES, plural(noun)).sub(ONE, one)


def _attributes_turned(patched: Patched, noun: str) -> Patched:
    """ "their length" as "the length of those"."""
    match = THEIRS.search(patched.text)
    if match is None:
        return patched
    owner = plural(noun) if match["whose"].lower() == "their" else noun
    turned = patched.replaced(match.end("what"), match.end("what"), f" of the {owner}")
    return turned.replaced(match.start("whose"), match.end("whose"), "the")


def places_on(patched: Patched, noun: str) -> Iterator[Patched]:
    """A place without its preposition ("what about the bottom half?"), said of the noun."""
    if PLACE.fullmatch(patched.text):
        for preposition in ("in", "on", "at"):
            yield patched.replaced(0, 0, f"the {plural(noun)} {preposition} ")


def readings_on(patched: Patched, noun: str) -> Iterator[Patched]:
    """What a text without a noun could be, said of the noun; the nearest first.

    "the largest" is the largest of those, "longer than 50 m" those longer than 50 m, "red" those that are red. What
    compares says itself of what.
    """
    many, short = plural(noun), bare(patched)
    text = short.text.lower()
    yield short
    if text.startswith("compare"):
        return
    of = re.match(rf"(?:is|does)\s+the\s+(?:\w+\s+)?\w+est(\s+of\s+the\s+{many})\b", text)
    if of is not None:  # "is the longest of them near the river?"
        yield short.replaced(of.start(1), of.end(1), f" {noun}")
    if text.startswith("how many"):
        yield from _how_many(short, many)
        return
    if match := re.match(r"(?:which|what)(?=\s+(?:is|are|has|have|lies?|touch|touches)\b)", text):
        yield short.replaced(match.end(), match.end(), f" of the {many}")
    if match := re.match(r"(?:(?:is|are)\s+)?(?:there\s+)?(?:any|some|all|none)\b(?:\s+of\s+the\s+\w+)?", text):
        yield short.replaced(match.end(), match.end(), f" {many}")
        if not text.startswith(("is", "are")):
            yield short.replaced(match.end(), match.end(), f" {many}").replaced(0, 0, "are there ")
    at = _after_verb(short)
    yield short.replaced(len(short.text), len(short.text), f" of the {many}")
    if match := EXCEPT.match(short.text[at:]):
        yield short.replaced(at, at + match.end(), f"the {many} except ")
    article = re.match(r"(?:the\s+)?", short.text[at:], re.IGNORECASE)
    for start in dict.fromkeys((at, at + (article.end() if article else 0))):
        yield short.replaced(at, start, f"the {many} ")
        yield short.replaced(at, start, f"the {many} that are ")
    yield from places_on(short.cut(at), noun)


def _how_many(short: Patched, many: str) -> Iterator[Patched]:
    head = len("how many")
    if short.text[head:].strip().lower() in ("", "are there", "there are", "are they", "are left", "remain"):
        yield short.replaced(head, len(short.text), f" {many} are there")
    yield short.replaced(head, head, f" {many}")


def _after_verb(patched: Patched) -> int:
    """The offset after the verb in front, 0 without one."""
    try:
        tokens = tokenize(patched.text)
    except QueryError:
        return 0
    found = VERBS.match(tokens, 0)
    if found is None:
        return 0
    end = tokens[found[1] - 1].stop
    return end + (len(patched.text[end:]) - len(patched.text[end:].lstrip()))
