"""Images as they are spoken of: "between these two images" says nothing more, "in the first image" a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .change_vocabulary import SETS, SINGLE, SPEAKING, TELLING, ends, find, is_name, name_start, only_name, texts_of
from .tokens import Token

SEVERAL = [f"{word}s" for word in (*SINGLE, "acquisition")]
_OF_BOTH = ("these", "the", "those", "both", "this", "my", "two", "2", "given", "of")
_SINCE = [said.split() for said in ("since", "compared to", "compared with", "relative to", "from", "between")]
_MEANTIME = [
    said.split()
    for said in (
        "between before and after", "from before to after", "before and after", "in the meantime", "since then",
        "over time",
    )
]  # fmt: skip
_BETWEEN_THEM = [said.split() for said in ("between them", "between the two", "between these two", "between both")]
EARLIER = "earlier first before old older previous former initial pre".split()
LATER = "later second after new newer latest recent current last post".split()


def without_images(tokens: list[Token], *, shown: bool = False) -> list[Token]:
    """Without words that only tell that there are two images: "between these two images", "since the first one".

    Args:
        shown: whether "between them" must be the images; else it is where no two things were named before it.
    """
    at = 0
    while at < len(tokens):
        them = shown or (at > 0 and tokens[at - 1].text in SPEAKING and only_name(tokens[:at]) is not None)
        length = _pair_length(texts_of(tokens[at:]), them=them)
        if length:
            tokens = [*tokens[:at], *tokens[at + length :]]
        else:
            at += 1
    return tokens


def _pair_length(texts: list[str], *, them: bool) -> int:
    """How many words from here on only tell that there are two images; 0 for none.

    Args:
        them: whether "them" and "the two" are the images.
    """
    within = texts[0] in ("between", "across", "in", "over", "from", "within", "using")
    at = int(within)
    while texts[at : at + 1] and texts[at] in _OF_BOTH:
        at += 1
    if texts[at : at + 1] and texts[at] in SEVERAL and (within or {"two", "2", "both", "these"} & set(texts[:at])):
        return at + 1
    for lead in _SINCE:
        length = len(lead)
        one = _one_image(texts[length:], EARLIER) if texts[:length] == lead else 0
        if not one:
            continue
        length += one
        if texts[length : length + 1] in (["to"], ["and"]):
            other = _one_image(texts[length + 1 :], LATER)
            length += 1 + other if other and ends(texts[length + 1 + other :]) else 0
            return length if ends(texts[length:]) else 0
        return length if ends(texts[length:]) and lead not in (["from"], ["between"]) else 0
    said = [*_MEANTIME, *(_BETWEEN_THEM if them else ())]
    return next((len(each) for each in said if texts[: len(each)] == each and ends(texts[len(each) :])), 0)


def _one_image(texts: list[str], which: Sequence[str]) -> int:
    """The length of "the first image", "the earlier one", "the first"; 0 where no such words come."""
    at = int(texts[:1] in (["the"], ["that"], ["this"], ["my"]))
    if not texts[at : at + 1] or texts[at] not in which:
        return 0
    return at + 1 + (texts[at + 1 : at + 2] != [] and texts[at + 1] in ("one", *SINGLE))


def of_dates(tokens: list[Token], *, drop_later: bool = True, one_name: bool = False) -> list[Token]:
    """ "the river in the first image" as "the earlier river"; "in the second image" falls away: it is looked at.

    Args:
        drop_later: without, the second image stays, to be refused: where no change is spoken of, it may be any image.
        one_name: whether "in the first image" stays, to be refused, behind a second name ("ships in the harbour in the
            first image"): where nothing changed, all of it may be meant.
    """
    at = 0
    while at < len(tokens):
        texts = texts_of(tokens[at:])
        earlier, later = (_one_image(texts[1:], which) for which in (EARLIER, LATER))
        named = bool(earlier or later) and texts[earlier or later] in SINGLE
        if texts[0] not in ("in", "on", "at", "of", "from") or not named or (later and not drop_later):
            at += 1
            continue
        start = _noun_before(tokens, at)
        if start is None and not at and earlier and tokens[1 + earlier : 2 + earlier] and one_name:
            start = only_name(tokens[1 + earlier :])
            if start is not None:
                rest = [token for token in tokens[1 + earlier :] if token.text != ","]
                return [*rest[:start], replace(rest[start], text="earlier"), *rest[start:]]
        if earlier and (start is None or (one_name and any(is_name(tokens, place) for place in range(start)))):
            at += 1
            continue
        stop = at + 1 + (earlier or later)
        if not at and texts_of(tokens[stop : stop + 1]) == [","]:  # "in the second image, which ..."
            stop += 1
        tokens = [*tokens[:at], *tokens[stop:]]
        if earlier and start is not None:
            tokens = [*tokens[:start], replace(tokens[start], text="earlier"), *tokens[start:]]
            for past, present in (("were there", "are there"), ("was there", "is there")):
                if (found := find(tokens, past)) is not None:
                    tokens = [*tokens[:found], replace(tokens[found], text=present.split()[0]), *tokens[found + 1 :]]
    return tokens


def _noun_before(tokens: Sequence[Token], at: int) -> int | None:
    """Where the name that ends before a place begins ("is", "are" and "there" may stand between); None for none."""
    while at and tokens[at - 1].text in ("is", "are", "there", "that", "which", "was", "were", "visible"):
        at -= 1
    start = name_start(tokens, at)
    if start == at:
        return None
    first = start
    while first and tokens[first - 1].text in ("and", "or", ",") and name_start(tokens, first - 1) < first - 1:
        first = name_start(tokens, first - 1)
    head = first - (first > 0 and tokens[first - 1].text in SETS)
    leads = not head or tokens[head - 1].text in TELLING
    return first if leads else start  # "find planes and ships in the first image": both are
