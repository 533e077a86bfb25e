"""JSON as some datasets write it: comments, single quotes, bare keys, commas before a bracket (a part of JSON5).

VRSBench's authors read their annotations with json5; some files are not strict JSON.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .reading import damaged, read_text, short

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<quoted>'(?:[^'\\]|\\.)*')"""
    r"""|(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[\]}]))"""
    r"""|(?P<key>[A-Za-z_$][\w$]*(?=\s*:))"""
    r"""|(?P<number>[+]?(?:\d+\.(?!\d)|\.\d+|\d+(?:\.\d+)?)(?:[eE][+-]?\d+)?)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:\r\n|(.))", re.DOTALL)


def loads(text: str) -> Any:
    """The value of a JSON text, strict or loose.

    Raises:
        json.JSONDecodeError: neither; the place is that of the strict reading where nothing is loose, else of the
            rewritten text, whose lines are those of the original.

    Example:
        >>> loads("{'a': [1, .5,], /* note */ b: \\"it's, ]\\",}")
        {'a': [1, 0.5], 'b': "it's, ]"}
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return json.loads(_TOKEN.sub(_strict, text), strict=False)


def read_loose_json(path: Path, expected: str, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """As `read_json`, for files that may be loose. Raises UsageError with file, line and column."""
    try:
        value = loads(read_text(path, expected))
    except json.JSONDecodeError as error:
        raise damaged(path, error.msg, expected, f"line {error.lineno}, column {error.colno}") from None
    if not isinstance(value, kind):
        raise damaged(path, f"its outermost value is {short(value)}", expected)
    return value


def _strict(found: re.Match[str]) -> str:
    kind, text = found.lastgroup, found[0]
    if kind == "text":
        return _ESCAPE.sub(_escape, text)
    if kind == "quoted":
        return json.dumps(json.loads('"' + _ESCAPE.sub(_escape, text[1:-1]).replace('"', '\\"') + '"', strict=False))
    if kind == "comment":
        return "\n" * text.count("\n")
    if kind == "comma":
        return ""
    if kind == "key":
        return json.dumps(text)
    text = text.lstrip("+")
    text = f"0{text}" if text.startswith(".") else text
    return re.sub(r"\.(?!\d)", ".0", text)


def _escape(found: re.Match[str]) -> str:
    """An escape that JSON has, or the character that a JSON5 escape stands for."""
    char = found[1]
    if char in (None, "\n"):  # a line that goes on
        return ""
    if char in '"\\/bfnrtu':
        return found[0] if char != '"' else '\\"'
    return char
