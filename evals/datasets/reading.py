"""What all readers share: files opened with errors that name file and line, walks in a fixed order, counted losses.

Anything wrong with a dataset's files is a `UsageError` that names the file, the place in it and what was expected;
single entries that the dataset itself got wrong are left out and counted by reason in a tally.
"""

from __future__ import annotations

import json
import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from ...core.errors import UsageError
from .record import Tally

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


# ---- folders ----------------------------------------------------------------------------------------------------


def root_folder(root: str | Path, dataset: str, layout: Sequence[str]) -> Path:
    """The dataset's folder. Raises UsageError where there is none, telling what it should hold."""
    path = Path(root)
    if not path.is_dir():
        what = "is a file" if path.is_file() else "does not exist"
        raise UsageError(f"{str(path)!r} {what}; expected the folder of {dataset} with: {'; '.join(layout)}")
    return path


def existing(root: Path, names: Sequence[str], dataset: str) -> Path:
    """The first of `names` (files or folders, relative to `root`) that is there; UsageError that lists them if none is.

    Example:
        >>> existing(Path("/"), ["no such thing", "."], "x").as_posix()
        '/'
    """
    for name in names:
        if (root / name).exists():
            return root / name
    wanted = repr(names[0]) + (f" (or {', '.join(map(repr, names[1:]))})" if len(names) > 1 else "")
    raise UsageError(f"{str(root)!r} is no complete copy of {dataset}: it lacks {wanted}")


def sorted_files(folder: Path, suffixes: Sequence[str], expected: str, *, deep: bool = False) -> list[Path]:
    """The folder's files with one of these suffixes (any case), in the order of their path as text.

    File systems list in any order; datasets that count objects over a walk depend on this one.

    Args:
        folder: to look in; hidden files are skipped.
        suffixes: lower-case with the dot, (".xml",).
        expected: what should be there, for the error: "VOC annotations (.xml)".
        deep: look in folders below, too.

    Raises:
        UsageError: no such folder, or none of these files in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is no folder; expected {expected} in it")
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        found += [
            f"{parent}{os.sep}{name}"
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122 (speed)
        ]
    if not found:
        raise UsageError(f"the folder {str(folder)!r} holds no {' or '.join(suffixes)} file; expected {expected}")
    return [Path(name) for name in sorted(found)]


def image_of(folder: Path, stem: str, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> Path | None:
    """The image of that name in the folder, whatever its suffix; None when there is none."""
    for suffix in suffixes:
        for name in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
            if (folder / name).is_file():
                return folder / name
    return None


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) px as a `Scene` has it, from the header only. Raises UsageError: missing or unreadable."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"cannot read the image {str(path)!r}: {error.strerror or error}") from None
    return _image_size(path, stamp)


@lru_cache(maxsize=4096)
def _image_size(path: Path, _stamp: int) -> tuple[int, int]:
    from ...core.scene import Scene

    try:
        with path.open("rb") as file:
            head = file.read(24)
            if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":  # most sets are PNG or JPEG
                return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
            found = _jpeg_size(file) if head[:2] == b"\xff\xd8" else None
    except OSError as error:
        raise UsageError(f"cannot read the image {str(path)!r}: {error.strerror or error}") from None
    return found or Scene.open(path).size_wh


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Size by a JPEG's frame header; None where it may be turned by EXIF, or is not plain (then it is decoded)."""
    file.seek(2)
    while True:
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF:
            return None
        kind, length = marker[1], int.from_bytes(marker[2:], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            frame = file.read(5)  # precision, height, width
            size = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
            return None if 0 in size else size
        body = file.read(length - 2) if kind == 0xE1 else b""
        if body.startswith(b"Exif"):
            return None
        if kind != 0xE1:
            file.seek(length - 2, 1)


def checked_split(split: str | None, known: Sequence[str], dataset: str) -> str | None:
    """The split as given. Raises UsageError for one that the dataset does not have."""
    if split is not None and split not in known:
        has = f"it has {', '.join(known)}" if known else "it has no splits"
        raise UsageError(f"{dataset} has no split {split!r}; {has}; leave it out for all of them")
    return split


def checked_choice(name: str, value: str, known: Sequence[str]) -> str:
    """The option's value as given. Raises UsageError for one that is not known."""
    if value not in known:
        raise UsageError(f"{name}={value!r} is not known; expected one of {', '.join(known)}")
    return value


# ---- files ------------------------------------------------------------------------------------------------------


def damaged(path: Path, what: str, expected: str, where: str = "") -> UsageError:
    """The error of a file that cannot be used: 'x.json' is damaged at line 3: WHAT; expected EXPECTED."""
    return UsageError(f"{str(path)!r} is damaged{f' at {where}' if where else ''}: {what}; expected {expected}")


def short(value: object, limit: int = 80) -> str:
    """The value as Python writes it, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def read_text(path: Path, expected: str) -> str:
    """The file's text (UTF-8, with or without mark). Raises UsageError: missing, unreadable or not text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected {expected}") from None
    except UnicodeDecodeError as error:
        raise damaged(path, "not UTF-8 text", expected, f"byte {error.start}") from None


def read_lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, stripped line) of a text file; empty lines are skipped."""
    for number, line in enumerate(read_text(path, expected).splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def read_json(path: Path, expected: str, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """The content of a JSON file.

    Args:
        path: the file.
        expected: what it should be, for errors: "COCO instances: an object with 'images' and 'annotations'".
        kind: dict, list or both: what the outermost value must be.

    Raises:
        UsageError: missing, not JSON (with line and column) or of another kind.
    """
    text = read_text(path, expected)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(path, error.msg, expected, f"line {error.lineno}, column {error.colno}") from None
    if not isinstance(value, kind):
        raise damaged(path, f"its outermost value is {short(value)}", expected)
    return value


def read_jsonl(path: Path, expected: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of a file with one JSON object a line, read as it is consumed.

    Raises:
        UsageError: missing, or a line that is no JSON object; names file and line. A JSON array in place of lines is
            told apart.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except json.JSONDecodeError as error:
                    hint = " (is it one JSON array?)" if number == 1 and line.lstrip().startswith("[") else ""
                    raise damaged(path, f"{error.msg}{hint}", expected, f"line {number}") from None
                if not isinstance(value, dict):
                    raise damaged(path, f"{short(value)} is no object", expected, f"line {number}")
                yield number, value
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected {expected}") from None
    except UnicodeDecodeError as error:
        raise damaged(path, f"not UTF-8 text ({error.reason})", expected) from None


def read_xml(path: Path, expected: str) -> ET.Element:
    """The outermost element of an XML file. Raises UsageError: missing, or not XML (with line and column)."""
    text = read_text(path, expected)
    try:
        return ET.fromstring(text.encode())
    except ET.ParseError as error:
        line, column = error.position
        raise damaged(path, "not well-formed XML", expected, f"line {line}, column {column}") from None


# ---- values -----------------------------------------------------------------------------------------------------


def field_of(entry: Mapping[str, Any], name: str, kind: type | tuple[type, ...], path: Path, where: str) -> Any:
    """`entry[name]`. Raises UsageError where it is missing or of another kind; `where` is "line 3" or "item 7"."""
    value = entry.get(name) if isinstance(entry, Mapping) else None
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kinds):
        named = " or ".join(k.__name__ for k in kinds)
        what = f"no {name!r}" if value is None else f"{name!r} is {short(value)}"
        raise damaged(path, f"{what} in {short(entry)}", f"{name!r} as {named}", where)
    return value


def floats(values: Any, count: int | None = None) -> list[float] | None:
    """The values as finite floats; None where they are no numbers, not finite or not `count` of them.

    Example:
        >>> floats(["1", 2.5], 2), floats([1, "x"]), floats([1, float("nan")]), floats([1], 2)
        ([1.0, 2.5], None, None, None)
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        return None
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        return None
    return found


def plain_text(value: Any) -> str:
    """Text or a number as text without outer spaces; "" for anything else (None, a list, true).

    Example:
        >>> plain_text(" a "), plain_text(3), plain_text(None), plain_text(["a"])
        ('a', '3', '', '')
    """
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def leave_out(tally: Tally | None, reason: str, times: int = 1) -> None:
    """Counts entries that were left out, where a tally is kept."""
    if tally is not None:
        tally[reason] += times


def fresh_id(id: str, used: Collection[str]) -> str:
    """The id, or the first of "ID#2", "ID#3", ... that is not in use: some files give one id to several entries.

    Example:
        >>> fresh_id("7", {"6"}), fresh_id("7", {"7", "7#2"})
        ('7', '7#3')
    """
    return id if id not in used else next(new for k in count(2) if (new := f"{id}#{k}") not in used)
