"""Grounded conversations on disk: GeoPixelD's own layout, which `surveyor bench` and `data convert geopixeld` read.

    OUT.jsonl                        instruction records: a caption a picture, with and without points, one an object
    OUT.meta.json                    how they were made, what was counted (see record_files)
    OUT.geopixeld/GeoPixelD.json     conversations as their trainer reads them
    OUT.geopixeld/train/NAME.json    description with phrases, their outlines; NAME.png beside it
    OUT.geopixeld/annotate.json      command, models, digests of the prompts, counts, licences

Pictures are worked on one after the other. Each that is done leaves a line in OUT.jsonl.annotated: whoever is killed
and runs the same command again asks no model twice, and ends with the files that an undisturbed run would have written
(models that answer the same question the same way provided).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ... import __version__
from ...core.errors import SurveyorError, UsageError
from ...core.masks import Mask
from ...core.scene import Scene
from ...evals.datasets.record import Tally
from ...prompts import load
from ..records.files import Meta, Provenance, write_records
from ..records.record import Instruction, Marked, Picture, with_messages
from .annotate import PROMPTS, Annotated, Choice, annotate
from .models import Helpers
from .pointing import oriented, pointing_caption
from .set_of_marks import shown
from .views import SHAPES, View

SCHEMA = 1
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
Listener = Callable[[View, bool], None]
"""Is told of each picture that is done, and whether it was done before."""


@dataclass(frozen=True)
class Outputs:
    """Where files go.

    Args:
        out: instruction records, ".jsonl".
        pictures: folder for the pictures with markers; None for none.
    """

    out: Path
    pictures: Path | None = None

    @property
    def tree(self) -> Path:
        """The folder in GeoPixelD's layout."""
        return self.out.with_name(f"{self.out.name.removesuffix('.jsonl')}.geopixeld")

    @property
    def journal(self) -> Path:
        """What is done so far."""
        return self.out.with_name(f"{self.out.name}.annotated")


def parts_of(mask: Mask) -> list[list[list[int]]]:
    """Rings of whole px that `cv2.fillPoly` fills to exactly these pixels when it fills them one by one.

    GeoPixelD's outlines know no holes, so what has one is cut in two through it.

    Example:
        >>> parts_of(Mask.from_array(np.ones((2, 3)), (10, 20), (50, 50)))
        [[[10, 20], [10, 21], [12, 21], [12, 20]]]
    """
    if not mask.area_px:
        return []
    found, waiting = [], [(mask.crop.astype(np.uint8), *mask.offset_xy)]
    while waiting:
        pixels, left, top = waiting.pop()
        rings, tree = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[:2]
        holes = [number for number in range(len(rings)) if tree[0][number][3] >= 0]
        if not holes:
            found += [[[int(x) + left, int(y) + top] for x, y in ring.reshape(-1, 2)] for ring in rings]
            continue
        x, _, width, _ = cv2.boundingRect(rings[holes[0]])
        middle = min(max(1, x + width // 2), pixels.shape[1] - 1)
        waiting += [(pixels[:, middle:], left + middle, top), (pixels[:, :middle], left, top)]
    return found


def annotate_files(
    views: Iterator[View],
    outputs: Outputs,
    helpers: Helpers,
    choice: Choice,
    command: str,
    tally: Tally,
    listener: Listener | None = None,
) -> Meta:
    """Annotates views and writes all files; gives back what is told of the records.

    Args:
        views: in a fixed order.
        outputs: where.
        helpers: the models.
        choice: which objects are described by themselves.
        command: as typed.
        tally: what was left out or asked in vain; fills as the views are read.
        listener: is told of each picture.

    Raises:
        UsageError: the records' name does not end in .jsonl, or a picture cannot be read.
    """
    if outputs.out.suffix != ".jsonl":
        raise UsageError(f"records are written to {str(outputs.out)!r}; expected a name that ends in .jsonl")
    if outputs.tree.exists() and not (outputs.journal.exists() or (outputs.tree / "annotate.json").is_file()):
        raise UsageError(f"{str(outputs.tree)!r} is there and was not written by this command; give another --out")
    outputs.out.parent.mkdir(parents=True, exist_ok=True)
    run = _Run(outputs, helpers, choice, tally, listener)
    provenance = Provenance(command, choice.seed, outputs.out.parent, tally)
    meta = write_records(outputs.out, run.records(views), provenance)
    run.finish(meta, command)
    return meta


class _Run:
    """One run over all views; its journal holds what is done."""

    def __init__(
        self, outputs: Outputs, helpers: Helpers, choice: Choice, tally: Tally, listener: Listener | None
    ) -> None:
        self._outputs, self._helpers, self._choice = outputs, helpers, choice
        self._tally, self._listener = tally, listener
        self._settings = _settings(helpers, choice)
        self._done = _read_journal(outputs.journal)
        self._written: list[tuple[str, str]] = []  # part and stem, in order
        self._taken: set[tuple[str, str]] = set()
        self._by: Counter[str] = Counter()

    def records(self, views: Iterator[View]) -> Iterator[Instruction]:
        with self._outputs.journal.open("ab") as journal:
            for view in views:
                name = (_part(view), view.stem)
                if name in self._taken:
                    raise UsageError(
                        f"two pictures would be written as {'/'.join(name)!r}; annotate them apart, by --split"
                    )
                key = _key(view, self._settings)
                was_done = key in self._done and self._is_there(view)
                line = self._line_of(key) if was_done else self._annotated(view, key)
                if not was_done:
                    journal.write(json.dumps(line).encode() + b"\n")
                    journal.flush()
                self._taken.add(name)
                self._written.append(name)
                self._tally.update(line["counted"])
                self._by.update(line["by"])
                yield from (Instruction.model_validate(record) for record in line["records"])
                if self._listener is not None:
                    self._listener(view, was_done)

    def _is_there(self, view: View) -> bool:
        folder = self._outputs.tree / _part(view)
        drawn = self._outputs.pictures
        return (
            (folder / f"{view.stem}.json").is_file()
            and (folder / f"{view.stem}.png").is_file()
            and (drawn is None or (drawn / f"{view.stem}.png").is_file())
        )

    def _line_of(self, key: str) -> dict[str, Any]:
        with self._outputs.journal.open("rb") as file:
            file.seek(self._done[key])
            return dict(json.loads(file.readline()))

    def _annotated(self, view: View, key: str) -> dict[str, Any]:
        counted: Tally = Counter()
        pixels = Scene.open(view.image).read(view.window)
        if (pixels.shape[1], pixels.shape[0]) != view.size_wh:
            raise UsageError(f"{str(view.image)!r} has no window {view.window!r}; the annotation is of another image")
        made = annotate(view, pixels, self._helpers, self._choice, counted)
        folder = self._outputs.tree / _part(view)
        _write_png(folder / f"{view.stem}.png", pixels)
        _write_json(folder / f"{view.stem}.json", _entry(view, made))
        if self._outputs.pictures is not None:
            _write_png(self._outputs.pictures / f"{view.stem}.png", shown(pixels, made.marks))
        path = f"{self._outputs.tree.name}/{_part(view)}/{view.stem}.png"
        records = [record.model_dump(mode="json") for record in _instructions(view, made, path, self._helpers)]
        by = [f"{step}: {name}" for step, name in made.by.items()]
        return {"key": key, "records": records, "counted": dict(counted), "by": by}

    def finish(self, meta: Meta, command: str) -> None:
        """The files of the whole tree; the journal is no longer needed."""
        tree, question = self._outputs.tree, load("annotate_question").render()
        lines = []
        for number, (part, stem) in enumerate(self._written):
            entry = json.loads((tree / part / f"{stem}.json").read_text(encoding="utf-8"))
            place = f"data/GeoPixelD/{part}/{stem}"  # as the authors' loader has it
            said = [{"from": "human", "value": question}, {"from": "bot", "value": entry["gcg_description"]}]
            lines.append({"id": number, "conversations": said, "image": f"{place}.png", "polygons": f"{place}.json"})
        self._tidy()
        _write_json(tree / "GeoPixelD.json", lines)
        _write_json(tree / "annotate.json", {
            "schema_version": SCHEMA,
            "surveyor": __version__,
            "command": command,
            **self._settings,
            "pictures": len(self._written),
            "said_by": dict(sorted(self._by.items())),
            "counted": meta.dropped,
            "licences": meta.licences,
            "records_sha256": meta.sha256,
        })  # fmt: skip
        self._outputs.journal.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Takes out what an earlier run left in the tree: readers take every file that is there."""
        for folder in (self._outputs.tree / "train", self._outputs.tree / "test"):
            for path in sorted(folder.glob("*.json")):
                if (folder.name, path.stem) not in self._taken:
                    path.unlink()
                    path.with_suffix(".png").unlink(missing_ok=True)


# ---- one picture ------------------------------------------------------------------------------------------------


def _entry(view: View, made: Annotated) -> dict[str, Any]:
    """What GeoPixelD holds of a picture, and behind it what it does not tell: where it is from and what is sure."""
    outlines = [[ring for member in phrase.members for ring in parts_of(view.items[member].mask)] for phrase in made.phrases]  # fmt: skip  # noqa: E501
    shapes = [min((view.items[i].shape for i in phrase.members), key=SHAPES.index) for phrase in made.phrases]
    return {
        "id": view.stem,
        "img": f"data/GeoPixelD/{_part(view)}/{view.stem}.png",
        "gcg_description": made.text,
        "polygons": outlines,
        "labels": [view.items[phrase.members[0]].label for phrase in made.phrases],
        "counts": [len(phrase.members) for phrase in made.phrases],
        "shapes": shapes,
        "said_by": made.by,
        "family": view.family,
        "source": view.source,
        "licence": view.licence,
        "split": view.split,
    }


def _instructions(view: View, made: Annotated, path: str, helpers: Helpers) -> list[Instruction]:
    """The description as a caption, with and without points, and each object's own sentence as that of its region."""
    picture = Picture(path=path, size_wh=view.size_wh)
    names = ", ".join(helpers.names().values()) or "rules"

    def make(task: str, key: str, reply: str, regions: tuple[Marked, ...] = (), **more: Any) -> Instruction | None:
        try:
            return with_messages(
                Instruction(
                    id=f"annotate/{_part(view)}/{view.stem}/{task}/{key}",
                    task=task,  # type: ignore[arg-type]
                    pictures=(picture,),
                    reply=reply,
                    regions=regions,
                    family=view.family,
                    split=view.split,
                    source=view.source,
                    licence=view.licence,
                    gsd_m=view.gsd_m,
                    made=(f"annotate: {names}",),
                    **more,
                )
            )
        except SurveyorError:  # a region that the grid cannot tell
            return None

    found = [make("caption", "0", made.plain)]
    if (told := pointing_caption(view, made)) is not None:
        found.append(make("gcg", "0", told.reply, told.regions, grounded=told.counts, asked=told.kind))
    for index, said in made.objects.items():
        found.append(make("region", str(index), said, (oriented(view.items[index]),)))
    return [record for record in found if record is not None]


def _part(view: View) -> str:
    """GeoPixelD's folder: what is not for training must not look like it."""
    return "train" if view.split in (None, "train") else "test"


# ---- files ------------------------------------------------------------------------------------------------------


def _settings(helpers: Helpers, choice: Choice) -> dict[str, Any]:
    prompts = {name: load(f"annotate_{name}").digest() for name in PROMPTS}
    return {"models": helpers.names(), "tries": helpers.tries, **asdict(choice), "prompts": prompts}


def _key(view: View, settings: dict[str, Any]) -> str:
    """A name for all that a picture's description is made from."""
    stat = view.image.stat()
    digest = hashlib.sha256(json.dumps([SCHEMA, __version__, settings], sort_keys=True).encode())
    facts = [view.stem, str(view.window), view.family, view.source, view.licence, view.split, view.gsd_m]
    digest.update(repr([*facts, stat.st_size, stat.st_mtime_ns]).encode())
    for item in view.items:
        digest.update(repr((item.label, item.shape, item.is_whole, item.mask.offset_xy, item.mask.shape_hw)).encode())
        digest.update(item.mask.crop.tobytes() + item.corners_px.tobytes())
    return digest.hexdigest()


def _read_journal(path: Path) -> dict[str, int]:
    """Key -> where its line begins; a line that was not finished is cut off."""
    found: dict[str, int] = {}
    if not path.is_file():
        return found
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                found[json.loads(line)["key"]] = whole
            except (ValueError, KeyError, TypeError):
                break
            whole += len(line)
    with path.open("r+b") as file:
        file.truncate(whole)
    return found


def _write_png(path: Path, pixels: np.ndarray) -> None:
    _write(path, cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _FAST)[1].tobytes())


def _write_json(path: Path, content: Any) -> None:
    _write(path, (json.dumps(content) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
