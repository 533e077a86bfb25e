"""Instruction records (`finetune.records`) as rows for training: real pictures beside the drawn ones.

Records about the same picture stand together, so that it is read once for several questions. Pictures are read when
they are shown, not kept: a few thousand would fill the memory. Regions are listed by image token, as in `shown`. A
picture on which a source that labels several classes was asked for a class (`det`) has dense targets too, and is shown
turned and mirrored with those questions: without the targets a vision tower learns almost nothing from replies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...core.errors import UsageError
from ...synth import SynthObject
from ...tools.models.sizes import smart_resize
from ..records.files import images_folder
from ..records.files import read_records as records_in
from ..records.record import Instruction, Picture, asking_of, reply_of
from .scenes import Seen, lit, turned
from .shown import LETTERS, Question, Shown, detect_of, in_order, token_of
from .tiny import CELL

NAMES = {
    "plane": "airplane", "large vehicle": "vehicle", "small vehicle": "vehicle", "car": "vehicle", "harbour": "harbor",
    "ground-track-field": "ground track field", "oil tank": "storage tank",
}  # fmt: skip
"""What datasets call a class -> its name among dense targets."""
LEAST_CLASSES = 5
"""A source that labels fewer says too little about what is not there: no dense targets."""
_TURNED = 0.5  # share of rows that are turned, where they can be


@dataclass(frozen=True, eq=False)
class Photo:
    """What is known of one picture or pair.

    Attributes:
        files: of the pictures.
        records: about them; at least one.
        size_wh: px at which the model sees each.
        is_dense: whether `det` records tell all that its source labels there.
    """

    files: tuple[Path, ...]
    records: tuple[Instruction, ...]
    size_wh: tuple[int, int]
    is_dense: bool = False

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """As the records tell them."""
        return self.records[0].pictures

    def row(self, rng: np.random.Generator, questions: int = 3, turns: bool = True) -> Shown:
        """The picture with some questions, chosen and changed by chance.

        Args:
            rng: decides.
            questions: at most.
            turns: whether it is shown turned, mirrored and in other light.

        Raises:
            UsageError: a file cannot be read.
        """
        seen = self.seen()
        shown, turn = seen, 0
        if turns and seen.images:
            square = seen.size_wh[0] == seen.size_wh[1]
            turn = int(rng.integers(8)) if square and self.is_dense and rng.random() < _TURNED else 0
            shown = lit(turned(seen, turn) if turn else seen, rng)
        asked: dict[str, Question] = {}
        letters = LETTERS
        counts = Counter(record.task for record in self.records)
        chance = np.array([1 / counts[record.task] / len(counts) for record in self.records])
        for at in rng.choice(len(chance), len(chance), replace=False, p=chance).tolist():  # each task as often
            question = self._question(at, shown, is_turned=turn > 0)
            if question is None or (asked and len(question.reply) > letters):
                continue
            if asked.setdefault(question.asking.text, question) is question:
                letters -= len(question.reply)
            if len(asked) == questions:
                break
        return Shown(shown.images, tuple(asked.values()), shown if self.is_dense else None)

    def seen(self) -> Seen:
        """The pixels, and what its `det` records tell, in px as the model sees it."""
        images = tuple(_pixels(path, told, self.size_wh) for path, told in zip(self.files, self.pictures, strict=True))
        things = tuple(thing for at, record in enumerate(self.records) for thing in self._things(at, record))
        gsd = self.records[0].gsd_m or 1.0  # nothing asks for it here
        return Seen(self.records[0].id, images, (things,) * len(images), (), gsd)

    def _things(self, at: int, record: Instruction) -> list[SynthObject]:
        """Of a `det` record; their ids begin with its place, so that they are known again when they were turned."""
        if record.task != "det":
            return []
        scale = np.array(self.size_wh) / record.size_wh
        label = NAMES.get(record.phrase, record.phrase)
        return [
            SynthObject(f"{at}/{number}", label, region.pointed.points_px * scale, None, 1.0)
            for number, region in enumerate(record.regions)
        ]

    def _question(self, at: int, seen: Seen, *, is_turned: bool) -> Question | None:
        record = self.records[at]
        if _tells_boxes(record):
            things = [thing for thing in seen.things[-1] if thing.id.startswith(f"{at}/")]
            return detect_of(record.phrase, in_order(things), seen.size_wh)
        if is_turned:
            return None
        if record.task in ("det", "rec", "res", "rcd"):
            record = _by_token(record, self.size_wh)
        return Question("records", asking_of(record), reply_of(record))


def read_photos(paths: Path | Sequence[Path], max_pixels: int) -> list[Photo]:
    """The records of JSONL files, by picture, in the order of the files.

    Args:
        paths: the files; their images lie where each says, else beside it.
        max_pixels: of an image as the model sees it.

    Raises:
        UsageError: a line is no record, or a file that it names is not there.
    """
    photos: dict[str, list[Instruction]] = {}
    folders: dict[str, Path] = {}
    asked: dict[str, set[str]] = {}
    known: set[Path] = set()
    for path in [paths] if isinstance(paths, Path) else paths:
        folder = images_folder(path)
        for record in records_in(path):
            for each in record.pictures:
                if folder / each.path not in known and not (folder / each.path).is_file():
                    raise UsageError(f"the image {each.path!r} of record {record.id!r} cannot be read: it is not in {str(folder)!r}")  # fmt: skip  # noqa: E501
                known.add(folder / each.path)
            shows = [f"{folder / each.path}{each.crop_xyxy}" for each in record.pictures] or [record.id]
            photos.setdefault(" ".join(shows), []).append(record)
            folders[record.id] = folder
            if record.task == "det":
                asked.setdefault(record.source, set()).add(record.phrase)
    several = {source for source, classes in asked.items() if len(classes) >= LEAST_CLASSES}
    return [_photo(records, folders[records[0].id], max_pixels, several) for records in photos.values()]


def _photo(records: Sequence[Instruction], folder: Path, max_pixels: int, several: set[str]) -> Photo:
    first = records[0]
    size = smart_resize(first.size_wh, CELL, 4 * CELL**2, max_pixels) if first.pictures else (CELL, CELL)
    is_dense = len(first.pictures) == 1 and any(_tells_boxes(each) and each.source in several for each in records)
    return Photo(tuple(folder / each.path for each in first.pictures), tuple(records), size, is_dense)


def _tells_boxes(record: Instruction) -> bool:
    return record.task == "det" and record.wording == 0


def _pixels(path: Path, told: Picture, size_wh: tuple[int, int]) -> np.ndarray:
    try:
        with Image.open(path) as file:
            image = (file if told.crop_xyxy is None else file.crop(told.crop_xyxy)).convert("RGB")
    except OSError as error:
        raise UsageError(f"the image {str(path)!r} cannot be read: {error}") from None
    return np.asarray(image if image.size == size_wh else image.resize(size_wh, Image.Resampling.BICUBIC))


def _by_token(record: Instruction, size_wh: tuple[int, int]) -> Instruction:
    """The record with its regions in the order of image tokens."""
    scale = np.array(size_wh) / record.size_wh
    regions = sorted(record.regions, key=lambda each: token_of(each.pointed.points_px.mean(axis=0) * scale))
    return record.model_copy(update={"regions": tuple(regions)})
