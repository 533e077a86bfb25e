"""Which replies can be read, as lark grammars for llguidance: one a task and dialect, any number of objects.

A grammar cannot say that a polygon's last point is its first; the reader of polygons closes them (`Dialect.decode`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...core.errors import UsageError
from ...core.frames import SizeWH

_GRID = """
pt: "(" NUM "," NUM ")"
NUM: /1000|[1-9][0-9]{0,2}|0/
"""
_NATIVE = {
    "obb": 'obj: "[" pt "," pt "," pt "," pt "]"',
    "box": 'obj: "[" pt "," pt "]"',
    "keypoints": 'obj: "[" pt "," pt "] keypoints [" pt ("," pt){0,15} "]"',
    "polygon": 'obj: "[" pt "," pt ("," pt)+ "]"',
}


def regions_grammar(dialect: str, kind: str, label: str, size_wh: SizeWH, count: int | None = None) -> str | None:
    """Lines of objects, or the dialect's "none".

    Args:
        dialect: name of the dialect.
        kind: "obb", "box", "keypoints" (a box with key points) or "polygon".
        label: what the objects are called, in dialects that write names.
        size_wh: of the image as the model sees it, for dialects that write pixels.
        count: exactly so many objects, in the native dialect; None for any number.

    Returns:
        Lark text; None for a dialect of somebody else (replies are then only checked).

    Raises:
        UsageError: a kind that there is no grammar for.
    """
    _check_kind(kind)
    if dialect == "native" and count is not None:
        more = "" if count == 1 else f' ("\\n" obj){{{count - 1}}}'
        return f"start: obj{more}\n{_NATIVE[kind]}{_GRID}"
    if dialect == "native":
        return f'start: "none" | obj ("\\n" obj)*\n{_NATIVE[kind]}{_GRID}'
    if dialect == "qwen2-vl":
        name = f"<|object_ref_start|> {_literal(label)} <|object_ref_end|>"
        return f'start: "none" | obj+\nobj: {name} <|box_start|> pt "," pt <|box_end|>{_GRID}'
    if dialect in ("qwen2.5-vl", "qwen3-vl"):
        x, y = (int(size_wh[0]), int(size_wh[1])) if dialect == "qwen2.5-vl" else (1000, 1000)
        numbers = "\n".join(_whole_number(axis, most) for axis, most in (("x", x), ("y", y)))
        tail = _literal(f'], "label": {json.dumps(label, ensure_ascii=False)}}}')
        return (
            'start: "```json\\n" list "\\n```" | list\n'
            'list: "[]" | "[" gap? obj ("," gap obj)* "\\n"? "]"\n'
            'gap: "\\n\\t" | "\\n" | " "\n'
            f'obj: "{{\\"bbox_2d\\": [" x ", " y ", " x ", " y {tail}\n{numbers}\n'
        )
    return None


def grounded_grammar(kind: str) -> str:
    """Words in which phrases are followed by their objects: `A <p>ship</p> [(1,2),...] lies there.`

    Raises:
        UsageError: a kind that there is no grammar for.
    """
    _check_kind(kind)
    return (
        "start: WORDS | WORDS? (phrase WORDS?)+\n"
        'phrase: "<p>" WORDS "</p>" (" " obj)+\n'
        f"WORDS: /[^<>\\[\\]\\n]+/\n{_NATIVE[kind]}{_GRID}"
    )


def subset_grammar(lines: Sequence[str]) -> str:
    """Some of the given lines, each at most as often as the model likes, or "none"."""
    return f'start: "none" | line ("\\n" line)*\nline: {" | ".join(_literal(line) for line in lines)}\n'


def choice_grammar(names: Sequence[str]) -> str:
    """Exactly one of the names."""
    return f"start: {' | '.join(_literal(name) for name in names)}\n"


def count_grammar() -> str:
    """A number of things."""
    return "start: NUM\nNUM: /0|[1-9][0-9]{0,4}/\n"


def place_grammar() -> str:
    """`[city, (latitude, longitude)]` in degrees."""
    return (
        'start: "[" CITY ", (" LAT ", " LON ")]"\n'
        "CITY: /[A-Za-z\\u00C0-\\u024F][A-Za-z\\u00C0-\\u024F .'-]{0,39}/\n"
        "LAT: /-?([0-9]|[1-8][0-9])\\.[0-9]{2,4}|-?90\\.00/\n"
        "LON: /-?([0-9]|[1-9][0-9]|1[0-7][0-9])\\.[0-9]{2,4}|-?180\\.00/\n"
    )


def _check_kind(kind: str) -> None:
    if kind not in _NATIVE:
        raise UsageError(f"there is no grammar for {kind!r}, expected one of: {', '.join(_NATIVE)}")


def _whole_number(name: str, most: int) -> str:
    return f'{name}: %json {{"type": "integer", "minimum": 0, "maximum": {most}}}'


def _literal(text: str) -> str:
    """A lark string; special tokens of a tokenizer that stand in it (`<|box_start|>`) are left to be named."""
    parts, rest = [], text
    while "<|" in rest and "|>" in rest.split("<|", 1)[1]:
        before, after = rest.split("<|", 1)
        token, rest = after.split("|>", 1)
        if before:
            parts.append(json.dumps(before, ensure_ascii=False))
        parts.append(f"<|{token}|>")
    if rest or not parts:
        parts.append(json.dumps(rest, ensure_ascii=False))
    return " ".join(parts)
