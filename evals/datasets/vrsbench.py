"""VRSBench: expressions, captions and questions on patches of DOTA v2 and DIOR (Li et al. 2024).

What to know of its files (FORMATS 1.6).
- Annotations are one JSON file an image, of which some are not strict JSON. `obj_corner` holds four corners as
  fractions of the 512 px patch, not clipped. `obj_coord` is rounded to 5 px and is not used.
- Patches of DIOR have upright corners in the main release; such things get no oriented box. (A second release has
  DIOR-R's corners.)
- The files `VRSBench_EVAL_*.json` are what models are scored on. Their box strings are truncated to hundredths of the
  patch: things are taken from `obj_corner` and keep the string as attribute `ground_truth`. The authors' metrics
  read a key `is_unique` where the file says `unique`.
- Questions' types are spelled in several ways; `scored_type` maps them as the authors' evaluation does.
- Objects are not annotated exhaustively.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.geometry import box_to_corners
from .box_strings import BadBox, box_numbers
from .dior import dior_label
from .families import mixed_family
from .loose_json import read_loose_json
from .quads import outlined
from .reading import (
    checked_split,
    damaged,
    existing,
    field_of,
    floats,
    fresh_id,
    image_of,
    leave_out,
    plain_text,
    read_json,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Said, Source, Tally, Thing

PATCH_PX = 512
LAYOUT = ("Annotations_{train,val}/P1419_0005.json", "Images_{train,val}/P1419_0005.png")
EVAL_LAYOUT = ("VRSBench_EVAL_{referring,vqa,Cap}.json (one or more)", "Images_val/P1419_0005.png")
EXPECTED = "a VRSBench annotation: an object with 'image', 'caption', 'objects' and 'qa_pairs'"
EVAL_EXPECTED = "a list of objects with 'image_id', 'question' and 'ground_truth'"
SOURCE = Source("VRSBench", "CC BY 4.0 (as its dataset card says)", "Li et al. 2024")
EVAL_FILES = {
    "refer": "VRSBench_EVAL_referring.json",
    "question": "VRSBench_EVAL_vqa.json",
    "caption": "VRSBench_EVAL_Cap.json",
}
_KEPT = ("is_unique", "obj_position", "obj_rel_position", "obj_size", "obj_rel_size", "flag")
_FAR = 2.0  # no corner of a fraction lies so far out: it is in px


def scored_type(name: str) -> str:
    """The type under which the authors' evaluation counts a question.

    Example:
        >>> scored_type("Rural or Urban"), scored_type("object quantity ")
        ('scene type', 'object quantity')
    """
    plain = name.strip().lower()
    return "scene type" if plain in ("image", "rural or urban") else plain


def read_vrsbench(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per annotation file, in the order of the file names; see `Reader.read`.

    Args:
        root: the dataset's folder.
        split: "train" or "val"; None for all that are there.
        tally: counts what is left out: objects without corners or without area, questions without text or answer.

    Raises:
        UsageError: no annotations, or a file that is not JSON even when read loosely.
    """
    base = root_folder(root, "VRSBench", LAYOUT)
    checked_split(split, ("train", "val"), "VRSBench")
    names = [name for name in ("train", "val") if (base / f"Annotations_{name}").is_dir()]
    for name in [split] if split else names or ["val"]:
        folder = existing(base, (f"Annotations_{name}",), "VRSBench")
        for file in sorted_files(folder, (".json",), EXPECTED):
            yield _annotation(file, base / f"Images_{name}", name, tally)


def _annotation(file: Path, images: Path, split: str, tally: Tally | None) -> Record:
    data = read_loose_json(file, EXPECTED, dict)
    things: list[Thing] = []
    said: list[Said] = []
    if caption := plain_text(data.get("caption")):
        said.append(Said("caption", "caption", caption))
    family = mixed_family(file.stem, "vrsbench")
    for index, entry in enumerate(_listed(file, data, "objects")):
        attributes = {key: str(entry[key]) for key in _KEPT if entry.get(key) not in (None, "")}
        id = fresh_id(f"{entry.get('obj_id', index)}", {thing.id for thing in things})
        thing = _thing(id, entry, family, attributes, tally)
        if thing is None:
            continue
        things.append(thing)
        if sentence := plain_text(entry.get("referring_sentence")):
            said.append(Said(f"refer-{thing.id}", "refer", sentence, things=(thing.id,)))
    for index, entry in enumerate(_listed(file, data, "qa_pairs")):
        question, answer = (plain_text(entry.get(key)) for key in ("question", "answer"))
        if not question or not answer:
            leave_out(tally, "question without text or answer")
            continue
        said.append(Said(f"question-{index}", "question", question, answer, type=plain_text(entry.get("type"))))
    return _record(plain_text(data.get("image")) or f"{file.stem}.png", images, split, tuple(things), tuple(said))


def _listed(file: Path, data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = data.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise damaged(file, f"{key!r} is {short(entries)}", EXPECTED)
    return entries


def _thing(
    id: str, entry: Mapping[str, Any], family: str, attributes: Mapping[str, str], tally: Tally | None
) -> Thing | None:
    corners = floats(entry.get("obj_corner"), 8)
    if corners is None:
        leave_out(tally, "object without four corners")
        return None
    if max(map(abs, corners)) > _FAR:
        leave_out(tally, "corners that are no fractions of the patch")
        return None
    quad = np.array(corners).reshape(4, 2) * PATCH_PX
    thing = outlined(id, dior_label(plain_text(entry.get("obj_cls"))), quad, attributes)
    if thing is None:
        leave_out(tally, "box without area")
    elif family.startswith("dior:") and _is_upright(quad):
        return Thing(thing.id, thing.label, thing.box_px, attributes=attributes)
    return thing


def _is_upright(quad: np.ndarray) -> bool:
    return all(len(np.unique(quad[:, axis].round(6))) == 2 for axis in (0, 1))


def _record(
    name: str, images: Path, split: str | None, things: tuple[Thing, ...], said: tuple[Said, ...], prefix: str = ""
) -> Record:
    stem = Path(name).stem
    return Record(
        id=f"{prefix or split}/{stem}",
        image=image_of(images, stem) or images / f"{stem}.png",
        size_wh=(PATCH_PX, PATCH_PX),
        family=mixed_family(stem, "vrsbench"),
        source=SOURCE,
        split=split,
        things=things,
        said=said,
    )


# ---- the files models are scored on -----------------------------------------------------------------------------


def read_vrsbench_eval(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per image of the evaluation files, in the order in which they first name it; see `Reader.read`.

    Args:
        root: the folder of the VRSBench_EVAL files.
        split: "val" or None, which is the same.
        tally: counts what is left out: boxes that cannot be read or have no area.

    Raises:
        UsageError: none of the files, or one that is damaged; names the item.
    """
    base = root_folder(root, "VRSBench's evaluation files", EVAL_LAYOUT)
    checked_split(split, ("val",), "VRSBench's evaluation")
    here = {kind: base / name for kind, name in EVAL_FILES.items() if (base / name).is_file()}
    if not here:
        existing(base, tuple(EVAL_FILES.values()), "VRSBench's evaluation files")
    of_image: dict[str, tuple[list[Thing], list[Said]]] = {}
    for kind, path in here.items():
        for index, entry in enumerate(read_json(path, EVAL_EXPECTED, list)):
            name = field_of(entry, "image_id", str, path, f"item {index}")
            things, said = of_image.setdefault(name, ([], []))
            _eval_item(path, index, entry, kind, (things, said), tally)
    images = base / "Images_val"
    for name, (things, said) in of_image.items():
        yield _record(name, images, "val", tuple(things), tuple(said), prefix="eval")


def _eval_item(
    path: Path,
    index: int,
    entry: Mapping[str, Any],
    kind: str,
    into: tuple[list[Thing], list[Said]],
    tally: Tally | None,
) -> None:
    things, said = into
    where = f"item {index}"
    id = fresh_id(f"{kind}-{entry.get('question_id', index)}", {one.id for one in said})
    text = field_of(entry, "question", str, path, where).strip()
    truth = field_of(entry, "ground_truth", (str, int, float), path, where)
    if kind == "refer":
        thing = _eval_thing(id, entry, str(truth), tally)
        if thing is not None:
            things.append(thing)
            said.append(Said(id, kind, text, things=(id,)))
    elif kind == "caption":
        said.append(Said(id, kind, str(truth).strip()))
    else:
        said.append(Said(id, kind, text, str(truth).strip(), type=plain_text(entry.get("type"))))


def _eval_thing(id: str, entry: Mapping[str, Any], truth: str, tally: Tally | None) -> Thing | None:
    kept = ("unique", "size_group", "obb_v1", "obb_v2")
    attributes = {"ground_truth": truth} | {key: str(entry[key]) for key in kept if entry.get(key) not in (None, "")}
    if "obj_corner" in entry:
        return _thing(id, entry, mixed_family(str(entry["image_id"]), "vrsbench"), attributes, tally)
    try:
        boxes = box_numbers(truth)
    except BadBox as error:
        leave_out(tally, str(error))
        return None
    if len(boxes) != 1 or len(boxes[0]) != 4:
        leave_out(tally, "ground truth that is not one upright box")
        return None
    quad = box_to_corners(np.array(boxes[0]) / 100 * PATCH_PX)
    thing = outlined(id, dior_label(plain_text(entry.get("obj_cls"))), quad, attributes)
    if thing is None or boxes[0][2] <= boxes[0][0] or boxes[0][3] <= boxes[0][1]:
        leave_out(tally, "box without area")
        return None
    return Thing(id, thing.label, thing.box_px, attributes=attributes)


READERS = (
    Reader(
        "vrsbench",
        "VRSBench's annotations: objects with expressions, a caption and questions an image",
        LAYOUT,
        read_vrsbench,
        SOURCE,
    ),
    Reader(
        "vrsbench_eval",
        "VRSBench's evaluation files: what published models are scored on",
        EVAL_LAYOUT,
        read_vrsbench_eval,
        SOURCE,
    ),
)
