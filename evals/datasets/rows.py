"""Lists of objects inside JSON files, checked as they are taken out: damage has the name of a file and a place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .reading import damaged, field_of, short
from .record import label_words

Row = Mapping[str, Any]
TOP = "the outermost object"


def rows_of(entry: Row, name: str, path: Path, where: str = TOP, *, may_lack: bool = False) -> list[Row]:
    """`entry[name]`, a list of objects.

    Args:
        entry: an object of the file.
        name: of the list in it.
        path: of the file.
        where: the entry's place in it.
        may_lack: no such list, or null, is an empty one.

    Raises:
        UsageError: no list, or something in it is no object; names the file and the place.
    """
    if may_lack and entry.get(name) is None:
        return []
    rows: list[Row] = field_of(entry, name, list, path, where)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            place = f"{name}[{index}]" if where == TOP else f"{where}, {name}[{index}]"
            raise damaged(path, f"{short(row)} is no object", "an object", place)
    return rows


def id_of(entry: Row, name: str, path: Path, where: str) -> int | str:
    """`entry[name]`, a number or a text. Raises UsageError where it is neither; names the file and the place."""
    found: int | str = field_of(entry, name, (int, str), path, where)
    return found


def category_names(content: Row, path: Path) -> dict[int | str, str]:
    """Category id -> class of a COCO file; the order of its list means nothing."""
    found = {}
    for index, entry in enumerate(rows_of(content, "categories", path)):
        where = f"categories[{index}]"
        found[id_of(entry, "id", path, where)] = label_words(field_of(entry, "name", str, path, where))
    return found
