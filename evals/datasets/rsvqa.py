"""RSVQA, low and high resolution (Lobry et al. 2020): questions about Sentinel-2 and USGS images.

What to know of its files (FORMATS 5). Texts are in the master lists (all_questions.json; USGSquestions.json) and
joined by id. A split file is as long as its master list and holds stubs {"id": 7, "active": false} for what does not
belong to it; the others may be stubs, too, so only `active` is taken from it, and texts only where there is no master
list. High resolution has two test sets: "test" and "test_phili" (another city). Counts and areas are scored in ranges:
`ranges="yes"` gives them as answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...core.errors import UsageError
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    existing,
    field_of,
    image_of,
    leave_out,
    read_json,
    root_folder,
    short,
)
from .record import Reader, Record, Said, Source, Tally
from .rows import Row, rows_of


@dataclass(frozen=True)
class _Kind:
    """How the files of one resolution are named."""

    source: Source
    masters: tuple[str, ...]
    prefix: str
    splits: tuple[str, ...]
    images: tuple[str, ...]
    family: str
    gsd_m: float

    @property
    def layout(self) -> tuple[str, ...]:
        """The files it expects."""
        parts = ",".join(self.splits)
        return (
            f"{self.masters[0].format('{questions,answers}')}",
            f"{self.prefix}_split_{{{parts}}}_questions.json",
            f"{self.images[0]}/ID.tif",
        )


_CITE = "Lobry et al. 2020, RSVQA"
LR = _Kind(
    Source("RSVQA low resolution", "CC BY 4.0", _CITE),
    ("all_{}.json", "LR_{}.json"),
    "LR",
    ("train", "val", "test"),
    ("Images_LR", "data", "images"),
    "rsvqa-lr",
    10.0,
)
HR = _Kind(
    Source("RSVQA high resolution", "CC BY 4.0", _CITE),
    ("USGS{}.json", "USGS_{}.json", "all_{}.json"),
    "USGS",
    ("train", "val", "test", "test_phili"),
    ("Data", "data", "images"),
    "rsvqa-hr",
    0.15,
)


def answer_range(answer: str) -> str:
    """A count or an area (in m2) as the range that RSVQA scores; other answers as they are.

    Example:
        >>> answer_range("0"), answer_range("7"), answer_range("1500"), answer_range("12m2"), answer_range("yes")
        ('0', 'between 0 and 10', 'more than 1000', 'between 10m2 and 100m2', 'yes')
    """
    unit = "m2" if answer.endswith("m2") else ""
    number = answer.removesuffix("m2").strip()
    if not number.isdecimal():
        return answer
    value = int(number)
    if value == 0:
        return f"0{unit}"
    for low, high in ((0, 10), (10, 100), (100, 1000)):
        if value <= high:
            return f"between {low}{unit} and {high}{unit}"
    return f"more than 1000{unit}"


def read_questions(
    kind: _Kind,
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    ranges: str = "no",
) -> Iterator[Record]:
    """One record per image that a split asks about, splits first, then image ids; see `Reader.read`.

    Args:
        kind: low or high resolution.
        root: folder of the dataset.
        split: as published; all that are there by default.
        tally: counts what is left out.
        ranges: "yes" gives counts and areas as the ranges that are scored (low resolution: counts; high: areas).
    """
    folder = root_folder(root, kind.source.name, kind.layout)
    checked_split(split, kind.splits, kind.source.name)
    checked_choice("ranges", ranges, ("no", "yes"))
    wanted = [split] if split is not None else list(kind.splits)
    files = [(part, folder / f"{kind.prefix}_split_{part}_questions.json") for part in wanted]
    there = [(part, path) for part, path in files if path.is_file()]
    if not there:
        existing(folder, [path.name for _, path in files], kind.source.name)
    images = existing(folder, kind.images, kind.source.name)
    questions, answers = _master(folder, kind, "questions"), _master(folder, kind, "answers")
    for part, path in there:
        rows = _active(path, questions)
        texts = answers
        if texts is None:
            texts = _active(path.with_name(path.name.replace("_questions", "_answers")), None, "answers")
        yield from _records(kind, part, path, rows, texts, images, tally, ranges == "yes")


def _records(
    kind: _Kind,
    part: str,
    path: Path,
    rows: Mapping[int, Row],
    answers: Mapping[int, Row],
    images: Path,
    tally: Tally | None,
    in_ranges: bool,
) -> Iterator[Record]:
    by_image: dict[int, list[Said]] = {}
    for number, row in rows.items():
        where = f"question {number}"
        text = " ".join(field_of(row, "question", str, path, where).split())
        kind_of = field_of(row, "type", str, path, where)
        answer = _answer(row, answers, path, where)
        if answer is None:
            leave_out(tally, "question without answer")
            continue
        if in_ranges and (kind_of == "area" or (kind_of == "count" and kind is LR)):
            answer = answer_range(answer)
        said = Said(str(number), "question", text, answer=answer, type=kind_of)
        by_image.setdefault(field_of(row, "img_id", int, path, where), []).append(said)
    for image_id, asked in sorted(by_image.items()):
        image = image_of(images, str(image_id), (".tif", ".tiff", ".png", ".jpg"))
        if image is None:
            raise damaged(path, f"{str(images / str(image_id))!r} (.tif) is missing", "an image for every question")
        yield Record(
            id=f"{part}/{image_id}",
            image=image,
            size_wh=None,
            family=f"{kind.family}:{image_id}",
            source=kind.source,
            split=part,
            said=tuple(asked),
            gsd_m=kind.gsd_m,
        )


def _answer(row: Row, answers: Mapping[int, Row], path: Path, where: str) -> str | None:
    """The first answer that counts; None when there is none."""
    for number in field_of(row, "answers_ids", list, path, where):
        if not isinstance(number, int):
            raise damaged(path, f"{short(number)} is no id of an answer", "whole numbers in 'answers_ids'", where)
        answer = answers.get(number, {})
        if answer.get("active", True) and str(answer.get("answer", "")).strip():
            return " ".join(str(answer["answer"]).split())
    return None


def _master(folder: Path, kind: _Kind, what: str) -> dict[int, Row] | None:
    """Id -> row of a master list; None where there is none."""
    for name in kind.masters:
        path = folder / name.format(what)
        if path.is_file():
            return dict(_rows(path, what))
    return None


def _active(path: Path, master: Mapping[int, Row] | None, what: str = "questions") -> dict[int, Row]:
    """Id -> row of a split, in order of the file: of the master list where there is one."""
    found = {}
    for number, row in _rows(path, what):
        if not row.get("active", False):
            continue
        if master is None:
            if len(row) <= 2:
                raise UsageError(
                    f"{str(path)!r} tells which {what} belong to the split but not their text; expected the master "
                    f"list of {what} (all_{what}.json or USGS{what}.json) beside it"
                )
            found[number] = row
        elif number not in master:
            raise damaged(path, f"there are no {what} with id {number} in the master list", "ids of the master list")
        else:
            found[number] = master[number]
    return found


def _rows(path: Path, what: str) -> Iterator[tuple[int, Row]]:
    expected = f"an object with {what!r}: [{{'id', 'active', ...}}]"
    content = read_json(path, expected, dict)
    for index, row in enumerate(rows_of(content, what, path)):
        yield field_of(row, "id", int, path, f"{what}[{index}]"), row


def _reader(name: str, about: str, kind: _Kind) -> Reader:
    return Reader(
        name=name,
        about=about,
        layout=kind.layout,
        read=partial(read_questions, kind),
        source=kind.source,
        options={"ranges": "yes: counts (low resolution) and areas (high) as the ranges that are scored (default: no)"},
    )


READERS = (
    _reader("rsvqa-lr", "questions about 772 Sentinel-2 images, 10 m", LR),
    _reader("rsvqa-hr", "questions about 10,659 USGS images, 0.15 m", HR),
)
