"""FIT-RS, FIT-RSFG and FIT-RSRC: fine-grained tasks on patches of STAR (Luo et al. 2024, SkySenseGPT).

What to know of its files (FORMATS 1.9). All are jsonl; the task is told from the file's name. Boxes are centre, sides
and a whole angle (`box_strings.fitrs_corners`), on patches of 512 px.
- A detection lists at most 20 boxes and then says that the rest is not listed: its type is "detection, incomplete",
  and nobody may take its boxes for all of them. "I'm sorry, ..." is a detection that finds nothing ("detection, none").
- Objects marked as difficult were dropped: no record is exhaustive.
- FIT-RSRC asks one question in several orders of its options, under one question id; it counts when all are answered
  right. Such questions have the ids "ID", "ID#2", "ID#3".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .box_strings import BadBox, box_numbers, fitrs_corners
from .families import mixed_family
from .quads import outlined
from .reading import (
    checked_choice,
    checked_split,
    fresh_id,
    image_of,
    leave_out,
    plain_text,
    read_jsonl,
    root_folder,
    sorted_files,
)
from .record import Reader, Record, Said, Source, Tally, Thing

PATCH_PX = 512
LAYOUT = (
    "test_FITRS_{image_caption,region_caption,imageclassify,vqa,complex_comprehension}_eval.jsonl,"
    " FIT-RSRC_Questions_2k.jsonl or others (any of them, also in folders below)",
    "imgv2_split_512_100_vaild/ (or the images option)",
)
EXPECTED = "FIT-RS: one JSON object a line, with 'image', 'question' (or 'text') and 'ground_truth' (or 'answer')"
SOURCE = Source("FIT-RS", "Apache-2.0 (as its project page says)", "Luo et al. 2024")
TASKS = ("caption", "region", "scene", "question", "dialog", "choice", "detection")
_TASK_OF = (
    *(("image_caption", "caption"), ("region_caption", "region"), ("imageclassify", "scene"), ("vqa", "question")),
    *(("complex", "dialog"), ("rsrc", "choice"), ("detect", "detection")),
)
_DETECTION = re.compile(r"^\s*\[detection\]\s*")
_NOTHING = re.compile(r"does not contain any given objects", re.IGNORECASE)
_CUT = re.compile(r"remaining objects are not listed", re.IGNORECASE)


def read_fitrs(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    task: str | None = None,
    images: str | None = None,
) -> Iterator[Record]:
    """One record per file and image, files by path, images in the order in which they are first met.

    Args:
        root: the folder of the jsonl files.
        split: "test" for files whose name starts with "test" and FIT-RSRC, "train" for others; None for all.
        tally: counts bad records and files of no known task, by reason.
        task: "caption", "region", "scene", "question", "dialog", "choice" or "detection"; None for all.
        images: folder of the images; by default `imgv2_split_512_100_vaild` in the root.

    Raises:
        UsageError: no jsonl file of that task, or a line that is no JSON object.
    """
    base = root_folder(root, "FIT-RS", LAYOUT)
    checked_split(split, ("train", "test"), "FIT-RS")
    checked_choice("task", task or TASKS[0], TASKS)
    folder = Path(images) if images else base / "imgv2_split_512_100_vaild"
    files = {file: _task_of(file) for file in sorted_files(base, (".jsonl",), EXPECTED, deep=True)}
    known = {file: kind for file, kind in files.items() if kind is not None}
    for file in files:
        if file not in known:
            leave_out(tally, f"file of no known task: {file.name}")
    chosen = {file: kind for file, kind in known.items() if task in (None, kind) and split in (None, _split(file))}
    if not chosen:
        named = ", ".join(file.name for file in files)
        wanted = " and ".join(f"{name} {value!r}" for name, value in (("task", task), ("split", split)) if value)
        raise UsageError(f"{str(base)!r} has no jsonl file of {wanted or 'a known task'}; it has {named}")
    for file, kind in chosen.items():
        yield from _file(file, kind, folder, tally)


def _task_of(file: Path) -> str | None:
    return next((task for part, task in _TASK_OF if part in file.stem.lower()), None)


def _split(file: Path) -> str:
    name = file.stem.lower()
    return "test" if name.startswith("test") or "rsrc" in name else "train"


def _file(file: Path, kind: str, folder: Path, tally: Tally | None) -> Iterator[Record]:
    of_image: dict[str, tuple[list[Thing], list[Said], str]] = {}
    used: set[str] = set()  # a question's orders are told apart over the whole file
    for number, entry in read_jsonl(file, EXPECTED):
        name = plain_text(entry.get("image")) or plain_text(entry.get("image_id"))
        if not name:
            leave_out(tally, "record without an image")
            continue
        things, said, _ = of_image.setdefault(name, ([], [], plain_text(entry.get("source"))))
        id = fresh_id(str(entry.get("question_id", entry.get("id", number))), used)
        used.add(id)
        try:
            found, one = _entry(entry, kind, id)
        except BadBox as error:
            leave_out(tally, str(error))
            continue
        things.extend(found)
        said.append(one)
    for name, (things, said, origin) in of_image.items():
        if said:
            yield Record(
                id=f"{file.stem}/{Path(name).stem}",
                image=_image(folder, name),
                size_wh=(PATCH_PX, PATCH_PX),
                family=star_family(name, origin),
                source=SOURCE,
                split=_split(file),
                things=tuple(things),
                said=tuple(said),
            )


def star_family(name: str, origin: str = "") -> str:
    """The STAR scene that a patch was cut from; of patches of other sources (the detection extra) theirs.

    Example:
        >>> star_family("0012__512__0___412.png"), star_family("P0224__512__0___0.png", "DOTA")
        ('star:12', 'dota:P0224')
    """
    stem = Path(name).stem
    if origin and "star" not in origin.lower():
        return mixed_family(name, re.sub(r"\W+", "", origin.lower()))
    number = re.match(r"\D*(\d+)", stem)
    return f"star:{int(number[1])}" if number else f"star:{stem}"


def _image(folder: Path, name: str) -> Path:
    path = folder / name
    return path if path.is_file() else image_of(path.parent, path.stem) or path


def _entry(entry: Mapping[str, Any], kind: str, id: str) -> tuple[list[Thing], Said]:
    """What the entry says. Raises BadBox with the reason for which it is bad."""
    text = plain_text(entry.get("question", entry.get("text"))).replace("<image>", "").strip()
    answer = plain_text(entry.get("ground_truth", entry.get("answer")))
    if not answer:
        raise BadBox("record without a ground truth")
    if not text and kind not in ("caption", "scene"):
        raise BadBox("record without a question")
    type = plain_text(entry.get("category"))
    if kind == "caption":
        return [], Said(id, "caption", answer, type=type)
    if kind == "scene":
        return [], Said(id, "scene", "", answer, type=type)
    tag = _DETECTION.match(text)
    if kind == "detection" or tag:
        return _detection(text[tag.end() :] if tag else text, answer, id)
    things = _things(text, id)
    ids = tuple(thing.id for thing in things)
    if kind == "region":
        if not things:
            raise BadBox("no box where one is due")
        return things, Said(id, "region", answer, things=ids, type=type)
    return things, Said(id, "dialog" if kind == "dialog" else "question", text, answer, ids, type=type)


def _detection(text: str, answer: str, id: str) -> tuple[list[Thing], Said]:
    if _NOTHING.search(answer):
        return [], Said(id, "dialog", text, answer, type="detection, none")
    things = _things(answer, id)
    if not things:
        raise BadBox("no box where one is due")
    type = "detection, incomplete" if _CUT.search(answer) else "detection"
    return things, Said(id, "dialog", text, answer, tuple(thing.id for thing in things), type=type)


def _things(text: str, id: str) -> list[Thing]:
    corners = (fitrs_corners(numbers, PATCH_PX) for numbers in box_numbers(text))
    found = [outlined(f"{id}.{index}", "", quad) for index, quad in enumerate(corners)]
    return [thing for thing in found if thing is not None]


READERS = (
    Reader(
        "fitrs",
        "FIT-RS, FIT-RSFG and FIT-RSRC: captions, regions, questions, relations and detections in text",
        LAYOUT,
        read_fitrs,
        SOURCE,
        {
            "task": f"{', '.join(TASKS)} (default: all)",
            "images": "folder of the images (default: imgv2_split_512_100_vaild/)",
        },
    ),
)
