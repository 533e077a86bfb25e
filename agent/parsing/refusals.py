"""What nothing in two images tells, refused by name before the grammar would take it for something else."""

from __future__ import annotations

import re

from ...core import lexicon
from .cursor import Cursor
from .reserved import RESERVED
from .vocabulary import UNITS

_OF_YEARS = ("in", "since", "between", "from", "before", "after", "until", "by", "during", "to")
_ENDS = (".", "?", "!", ";", ":")
_YEAR = re.compile("(19|20)[0-9][0-9]")
_THINGS = ("eed", "bed", "sled", "moped", "watershed")  # how what is no participle may end
_PARTICIPLES = ("fallen", "sunk", "grown", "shrunk", "burnt", "become", "risen")


def refuse_years(cursor: Cursor) -> None:
    """Refuses "since 2019" and "between 2019 and 2021", but not "between 2000 and 2100 m2".

    Raises:
        QueryError: years are spoken of; nothing tells which of the images they belong to.
    """
    tokens = cursor.tokens
    for at, token in enumerate(tokens[1:], 1):
        if not _YEAR.fullmatch(token.text) or tokens[at - 1].text not in _OF_YEARS:
            continue
        stop = at + 1
        if stop + 1 < len(tokens) and tokens[stop].text in ("and", "to") and tokens[stop + 1].kind == "number":
            stop += 2
        counts = stop < len(tokens) and (tokens[stop].text in ("-", ",") or tokens[stop].text not in RESERVED)
        ends = stop == len(tokens) or tokens[stop].text in _ENDS
        if ends or not (counts or cursor.sees_at(stop, UNITS)):
            said = "years are not known; say 'new', 'gone' or 'changed' of two images, without a year"
            cursor.refuse(said, at - 1, stop)


def refuse_happenings(cursor: Cursor) -> None:
    """Refuses "have collapsed" and "have moved", which are no things that houses have.

    Raises:
        QueryError: a verb that no condition stands for.
    """
    tokens = cursor.tokens
    for at, token in enumerate(tokens[1:], 1):
        happened = (token.text.endswith("ed") and not token.text.endswith(_THINGS)) or token.text in _PARTICIPLES
        if tokens[at - 1].text not in ("have", "has", "had") or not happened or token.text in RESERVED:
            continue
        ends = at + 1 == len(tokens) or tokens[at + 1].kind == "symbol" or tokens[at + 1].text in RESERVED
        if ends and token.text != "shed" and lexicon.concept(token.text) is None:
            said = f"{token.text!r} cannot be told; of two images, 'new', 'gone', 'altered' and 'changed' can"
            cursor.refuse(said, at - 1, at + 1)
