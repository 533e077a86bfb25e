"""GeoChat: the files of its benchmark and its instructions (Kuckreja et al. 2024).

What to know of its files (FORMATS 1.7).
- GeoChat-Bench has one jsonl file a task; the tasks are told from the file names. Objects of `referring.jsonl` are
  polygons in px of the source image (600, 800 or 1024 px for FAST, SIOR, SOTA). Image ids have no extension.
- Box strings are turned rectangles (`box_strings`); which way they turn is contradictory in the authors' code, so it
  is an option. `turn_of` tells it from pairs of a string and a polygon.
- Bad records occur: coordinates beyond 100, boxes without width, expressions with braces in them. They are left out
  and counted by reason.
- SOTA, SIOR and FAST are DOTA, DIOR and FAIR1M: records belong to their leakage families.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .box_strings import TURNS, BadBox, box_numbers, geochat_corners
from .families import mixed_family
from .quads import outlined
from .reading import (
    IMAGE_SUFFIXES,
    checked_choice,
    checked_split,
    damaged,
    existing,
    fresh_id,
    image_of,
    image_size,
    leave_out,
    plain_text,
    read_json,
    read_jsonl,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Said, Source, Tally, Thing, label_words
from .scenes import UCMERCED_CLASSES

LAYOUT = (
    "referring.jsonl, region_captioning.jsonl, lrben.jsonl, hrben.jsonl, UCmerced.jsonl, aid.jsonl (any of them)",
    "images/ (or the images option)",
)
INSTRUCT_LAYOUT = ("GeoChat_Instruct.json", "final_images_llava/ (or the images option)")
EXPECTED = "GeoChat-Bench: one JSON object a line"
INSTRUCT_EXPECTED = "a list of objects with 'id', 'image' and 'conversations'"
SOURCE = Source("GeoChat-Bench", "not stated", "Kuckreja et al. 2024")
INSTRUCT = Source("GeoChat-Instruct", "not stated", "Kuckreja et al. 2024")
SIDES_PX = {"FAST": 600, "SIOR": 800, "SOTA": 1024}
TASKS = ("referring", "region", "question", "scene")
_TASK_OF = (  # what the name of a file holds; the first that fits
    (r"refer|ground", "referring"),
    (r"region|caption", "region"),
    (r"[lh]rben|vqa", "question"),
    (r"ucm|aid|scene", "scene"),
)
_PHRASE = re.compile(r"<p>\s*(.*?)\s*</p>", re.DOTALL)
_TAG = re.compile(r"^\s*\[(\w+)\]\s*")


@dataclass
class _Entries:
    """What is gathered for one image."""

    size_wh: tuple[int, int] | None
    things: list[Thing] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)

    def fresh(self, id: str) -> str:
        return fresh_id(id, {one.id for one in self.said})


# ---- GeoChat-Bench ----------------------------------------------------------------------------------------------


def read_geochat(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    task: str | None = None,
    turn: str = "clockwise",
    images: str | None = None,
) -> Iterator[Record]:
    """One record per file and image, files by name, images in the order in which they are first met.

    Args:
        root: the folder of the jsonl files.
        split: "test" or None, which is the same.
        tally: counts bad records and files of no known task, by reason.
        task: "referring", "region", "question" or "scene"; None for all.
        turn: which way angles of box strings go: "clockwise" or "counter-clockwise".
        images: folder of the images; by default `images` in the root, else the root.

    Raises:
        UsageError: no jsonl file of that task, or a line that is no JSON object.
    """
    base = root_folder(root, "GeoChat-Bench", LAYOUT)
    checked_split(split, ("test",), "GeoChat-Bench")
    checked_choice("turn", turn, TURNS)
    checked_choice("task", task or TASKS[0], TASKS)
    folder = Path(images) if images else (base / "images" if (base / "images").is_dir() else base)
    files = {file: _task_of(file) for file in sorted_files(base, (".jsonl",), EXPECTED)}
    known = {file: kind for file, kind in files.items() if kind is not None}
    for file in files:
        if file not in known:
            leave_out(tally, f"file of no known task: {file.name}")
    chosen = {file: kind for file, kind in known.items() if task in (None, kind)}
    if not chosen:
        named = ", ".join(file.name for file in files)
        raise UsageError(
            f"{str(base)!r} has no jsonl file of {f'task {task!r}' if task else 'a known task'}; it has {named}"
        )
    for file, kind in chosen.items():
        yield from _bench_file(file, kind, folder, turn, tally)


def _task_of(file: Path) -> str | None:
    return next((task for pattern, task in _TASK_OF if re.search(pattern, file.stem.lower())), None)


def _bench_file(file: Path, kind: str, folder: Path, turn: str, tally: Tally | None) -> Iterator[Record]:
    of_image: dict[str, _Entries] = {}
    for number, entry in read_jsonl(file, EXPECTED):
        name = _image_name(entry, kind)
        if not name:
            leave_out(tally, "record without an image")
            continue
        if name not in of_image:
            of_image[name] = _Entries(_size(entry.get("dataset"), folder, name))
        try:
            _bench_entry(entry, kind, f"{entry.get('question_id', number)}", of_image[name], turn)
        except BadBox as error:
            leave_out(tally, str(error))
    for name, entries in of_image.items():
        if entries.said:
            family = (
                mixed_family(name, "geochat") if kind in ("referring", "region") else _other_family(file.stem, name)
            )
            yield _record(f"{file.stem}/{name}", _image(folder, name), family, entries, SOURCE, "test")


def _other_family(file: str, name: str) -> str:
    """The family of a question's or a scene's image, as the readers of the sets that they are taken from tell it."""
    file, path = file.lower(), Path(name)
    if "ucm" in file and path.parent.name.lower() in UCMERCED_CLASSES and (digits := re.sub(r"\D", "", path.stem)):
        return f"ucmerced:{UCMERCED_CLASSES.index(path.parent.name.lower()) * 100 + int(digits)}"
    of_file = (("ucm", "ucmerced"), ("aid", "aid"), ("lrben", "rsvqa-lr"), ("hrben", "rsvqa-hr"))
    return f"{next((family for part, family in of_file if part in file), file)}:{path.stem}"


def _image_name(entry: Mapping[str, Any], kind: str) -> str:
    """The image's name; of scenes the question id, "CLASS/FILE"."""
    names = ("question_id", "image") if kind == "scene" else ("image_id", "image")
    return next((text for name in names if (text := plain_text(entry.get(name)))), "")


def _bench_entry(entry: Mapping[str, Any], kind: str, id: str, into: _Entries, turn: str) -> None:
    """Adds what the entry says. Raises BadBox with the reason for which it is bad."""
    id = into.fresh(id)
    if kind == "scene":
        if "/" not in plain_text(entry.get("question_id")):
            raise BadBox("scene without a class folder in its question_id")
        into.said.append(Said(id, "scene", "", label_words(entry["question_id"].split("/")[-2])))
        return
    text = plain_text(entry.get("question", entry.get("text")))
    if not text:
        raise BadBox("record without a question")
    type = plain_text(entry.get("type"))
    truth = entry.get("ground_truth", entry.get("answer"))
    if kind == "question":
        into.said.append(Said(id, "question", text, plain_text(truth) or None, type=type))
        return
    if truth in (None, "", []):
        raise BadBox("record without a ground truth")
    attributes = {key: str(entry[key]) for key in ("size_group", "dataset") if entry.get(key)}
    if kind == "region":
        if not plain_text(truth):
            raise BadBox("record without a ground truth")
        things = _turned(text, id, into.size_wh, turn, attributes)
        said = Said(id, "region", plain_text(truth), type=type, things=tuple(thing.id for thing in things))
    else:
        if "{" in text or "}" in text:
            raise BadBox("expression with braces")
        things = _polygons(truth, id, into.size_wh, turn, attributes)
        ids = tuple(thing.id for thing in things)
        said = Said(id, "refer" if type in ("ref", "") else "dialog", text, type=type, things=ids)
    into.things.extend(things)
    into.said.append(said)


def _polygons(
    truth: Any, id: str, size_wh: tuple[int, int] | None, turn: str, attributes: Mapping[str, str]
) -> list[Thing]:
    """Things of a ground truth: polygons in px, as pairs or flat, one or several; or a box string."""
    if isinstance(truth, str):
        return _turned(truth, id, size_wh, turn, attributes)
    if not isinstance(truth, Sequence):
        raise BadBox("ground truth that is no polygon")
    flat = all(isinstance(value, int | float) for value in truth)
    one = not flat and all(isinstance(part, Sequence) and len(part) == 2 for part in truth) and len(truth) > 2
    try:
        things = [
            outlined(f"{id}.{k}", "", part, attributes) for k, part in enumerate([truth] if flat or one else truth)
        ]
    except ValueError:
        raise BadBox("ground truth that is no polygon") from None
    if None in things:
        raise BadBox("box without area")
    return [thing for thing in things if thing is not None]


def _turned(
    text: str, id: str, size_wh: tuple[int, int] | None, turn: str, attributes: Mapping[str, str]
) -> list[Thing]:
    """Things of the box strings in a text. Raises BadBox: none, a bad one, or an image of unknown size."""
    boxes = box_numbers(text)
    if not boxes:
        raise BadBox("no box where one is due")
    if size_wh is None:
        raise BadBox("box string on an image of unknown size")
    things = [outlined(f"{id}.{k}", "", geochat_corners(box, size_wh, turn), attributes) for k, box in enumerate(boxes)]
    return [thing for thing in things if thing is not None]


def _size(dataset: Any, folder: Path, name: str) -> tuple[int, int] | None:
    """As the source says (FAST, SIOR, SOTA), else as the image says; None without either."""
    side = SIDES_PX.get(str(dataset))
    if side is not None:
        return side, side
    path = _image(folder, name)
    return image_size(path) if path.is_file() else None


def _image(folder: Path, name: str) -> Path:
    """The image's path; names without extension are PNG unless another is there."""
    path = folder / name
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return path
    return image_of(path.parent, path.name) or path.with_name(f"{path.name}.png")


def _record(id: str, image: Path, family: str, entries: _Entries, source: Source, split: str) -> Record:
    return Record(
        id=id,
        image=image,
        size_wh=entries.size_wh,
        family=family,
        source=source,
        split=split,
        things=tuple(entries.things),
        said=tuple(entries.said),
    )


# ---- GeoChat-Instruct -------------------------------------------------------------------------------------------


def read_geochat_instruct(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    turn: str = "clockwise",
    images: str | None = None,
) -> Iterator[Record]:
    """One record per entry, in the order of the file: "[refer]" turns as expressions, "[identify]" as regions.

    Args:
        root: the folder of GeoChat_Instruct.json, or the file.
        split: "train" or None, which is the same.
        tally: counts turns that are left out, by reason.
        turn: which way angles go: "clockwise" or "counter-clockwise".
        images: folder of the images; by default `final_images_llava` beside the file.

    Raises:
        UsageError: no such file, or an entry without conversations.
    """
    checked_split(split, ("train",), "GeoChat-Instruct")
    checked_choice("turn", turn, TURNS)
    path = Path(root)
    if not path.is_file():
        path = existing(root_folder(root, "GeoChat-Instruct", INSTRUCT_LAYOUT), ("GeoChat_Instruct.json",), "GeoChat")
    folder = Path(images) if images else path.parent / "final_images_llava"
    for index, entry in enumerate(read_json(path, INSTRUCT_EXPECTED, list)):
        turns = entry.get("conversations") if isinstance(entry, dict) else None
        if not isinstance(turns, list) or not all(isinstance(one, dict) for one in turns):
            raise damaged(path, short(entry), INSTRUCT_EXPECTED, f"entry {index}")
        name = plain_text(entry.get("image")) or plain_text(entry.get("id"))
        if not name:
            leave_out(tally, "record without an image")
            continue
        entries = _Entries(_instruct_size(folder, name))
        for number, (asked, told) in enumerate(zip(turns[::2], turns[1::2], strict=False)):
            try:
                _instruct_turn(
                    plain_text(asked.get("value")), plain_text(told.get("value")), f"{number}", entries, turn
                )
            except BadBox as error:
                leave_out(tally, str(error))
        if entries.said:
            yield _record(f"{index}", _image(folder, name), mixed_family(name, "geochat"), entries, INSTRUCT, "train")


def _instruct_size(folder: Path, name: str) -> tuple[int, int] | None:
    """The image's own size; where it is not there, the side of the source that its name tells (FORMATS 1.7)."""
    found = _size(None, folder, name)
    side = {"dota": "SOTA", "fair1m": "FAST", "dior": "SIOR"}.get(mixed_family(name, "").split(":")[0])
    return found or ((SIDES_PX[side], SIDES_PX[side]) if side else None)


def _instruct_turn(asked: str, told: str, id: str, into: _Entries, turn: str) -> None:
    asked, told = asked.replace("<image>", "").strip(), told.strip()
    tag = _TAG.match(asked)
    kind = tag[1].lower() if tag else ""
    text = asked[tag.end() :] if tag else asked
    if kind == "refer":
        phrase = _PHRASE.search(text)
        expression = phrase[1] if phrase else text
        if "{" in expression or "}" in expression:
            raise BadBox("expression with braces")
        things = _turned(told, id, into.size_wh, turn, {})
        said = Said(id, "refer", expression, things=tuple(thing.id for thing in things), type=kind)
    elif kind == "identify":
        things = _turned(text, id, into.size_wh, turn, {})
        words = " ".join(_PHRASE.sub(r"\1", told).split())
        said = Said(id, "region", words, things=tuple(thing.id for thing in things), type=kind)
    else:
        things = _turned(told, id, into.size_wh, turn, {}) if kind == "grounding" else []
        said = Said(id, "dialog", text, told, tuple(thing.id for thing in things), type=kind)
    into.things.extend(things)
    into.said.append(said)


_TURN = "clockwise or counter-clockwise: which way angles of box strings go (default: clockwise)"
READERS = (
    Reader(
        "geochat",
        "GeoChat-Bench: expressions, region captions, questions and scenes, one jsonl file a task",
        LAYOUT,
        read_geochat,
        SOURCE,
        {
            "task": f"{', '.join(TASKS)} (default: all)",
            "turn": _TURN,
            "images": "folder of the images (default: images/)",
        },
    ),
    Reader(
        "geochat_instruct",
        "GeoChat-Instruct: instructions with turned boxes in text",
        INSTRUCT_LAYOUT,
        read_geochat_instruct,
        INSTRUCT,
        {"turn": _TURN, "images": "folder of the images (default: final_images_llava/)"},
    ),
)
