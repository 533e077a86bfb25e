"""What all converters share: what is asked for, records made and checked one by one, and what is left out counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import floor
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import ValidationError

from ...core.codec import PointCodec
from ...core.errors import SurveyorError, UsageError
from ...evals.datasets.reading import leave_out
from ...evals.datasets.record import Record, Tally
from ..records.record import POINTING, TASKS, Instruction, Picture, asking_of, with_messages
from ..records.windows import XYXY

CONVERTED = tuple(task for task in TASKS if task not in ("pal", "ggl"))
"""Tasks that converters make; the others are made from records (`finetune.augment.pal`)."""
_STEPS = PointCodec().steps


@dataclass(frozen=True)
class Options:
    """How a dataset is converted.

    Args:
        tasks: which records are made.
        window: side of the windows that larger images are cut to, px; 0 for none.
        overlap: what neighbouring windows share at least, px.
        negatives: share of "none" (and "0") among the records of a task, as far as the data has them.
        doubtful: objects that a window's edge cuts so that they are in doubt. "few": a record is left out when they are
            more than a quarter of its objects, or when it is a count; else they are told by the part that is shown.
            "drop" leaves out every record that has any, "keep" none.
        difficult: objects that the annotators marked as difficult: "keep" them as others, or "drop" the record.
        holes: polygons whose hole matters: "drop" the record, or tell the "outer" ring.
        most: regions of one reply; a view that has more is cut to quarters, as far as that helps.
        key_points: inside a box.
        epsilon_px: how far a thinned polygon may lie from the edges of its pixels; less where its IoU wants it.
        seed: of which absent classes are asked for.

    Raises:
        UsageError: a value that means nothing; all faults at once.
    """

    tasks: tuple[str, ...] = CONVERTED
    window: int = 1024
    overlap: int = 200
    negatives: float = 0.2
    doubtful: Literal["few", "drop", "keep"] = "few"
    difficult: Literal["drop", "keep"] = "keep"
    holes: Literal["drop", "outer"] = "drop"
    most: int = 50
    key_points: int = 3
    epsilon_px: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        faults = [f"there is no task {task!r} to convert to" for task in self.tasks if task not in CONVERTED]
        if faults or not self.tasks:
            faults.append(f"expected some of {', '.join(CONVERTED)}")
        if self.window and not self.window >= 64:
            faults.append(f"windows are {self.window!r} px, expected 64 or more, or 0 for none")
        if self.window and not 0 <= self.overlap <= self.window // 2:
            faults.append(f"the overlap is {self.overlap!r} px, expected 0 to half a window ({self.window // 2})")
        if not 0 <= self.negatives < 1:
            faults.append(f"the share of negatives is {self.negatives!r}, expected 0 or more and less than 1")
        for name, known in (
            ("doubtful", ("few", "drop", "keep")),
            ("difficult", ("drop", "keep")),
            ("holes", ("drop", "outer")),
        ):
            if getattr(self, name) not in known:
                faults.append(f"{name} is {getattr(self, name)!r}, expected {' or '.join(known)}")
        if self.most < 1 or not 1 <= self.key_points <= 16:
            faults.append(f"{self.most!r} regions and {self.key_points!r} key points, expected 1 or more and 1 to 16")
        if not 0 <= self.epsilon_px <= 8:
            faults.append(f"polygons are thinned by {self.epsilon_px!r} px, expected 0 to 8")
        if faults:
            raise UsageError("; ".join(faults))


@dataclass
class Maker:
    """Makes records of one dataset, checks each, and counts what is left out.

    Attributes:
        name: of the reader: the beginning of every id.
        images: folder that the pictures' paths are relative to.
        options: see there.
        dropped: reason -> count.
        choices: gives group of scenes (see `texts.scene_group`) -> its classes, in alphabetical order.
    """

    name: str
    images: Path
    options: Options
    dropped: Tally
    choices: Callable[[], Mapping[str, Sequence[str]]] = dict
    _due: dict[str, float] = field(default_factory=dict)

    def wants(self, *tasks: str) -> bool:
        """Whether one of the tasks is asked for."""
        return any(task in self.options.tasks for task in tasks)

    def drop(self, what: str, reason: str, times: int = 1) -> None:
        """Counts what is left out."""
        leave_out(self.dropped, f"{what}: {reason}", times)

    def random(self, *key: object) -> Random:
        """Chance that depends on the seed and the key alone, not on what came before."""
        return Random("/".join(map(str, (self.options.seed, self.name, *key))))

    def negatives(self, task: str, positives: int, most: int) -> int:
        """How many "none" records are due beside so many others, at most `most`; what isn't given stays due.

        So the share is met over the whole file although single images have no absent class to ask for.
        """
        share = self.options.negatives
        due = self._due.get(task, 0.5 if share else 0.0) + positives * share / (1 - share)
        given = min(int(due), most)
        self._due[task] = due - given
        return given

    def make(
        self, record: Record, task: str, key: str, window: XYXY, size_wh: tuple[int, int], **parts: Any
    ) -> list[Instruction]:
        """The one record, or none with its reason counted.

        Args:
            record: what it is made from.
            task: see `Instruction`.
            key: tells it from others of the same task, image and window.
            window: what is shown of the image.
            size_wh: of the whole image.
            parts: phrase, regions, reply, choices.
        """
        x0, y0, x1, y1 = window
        is_whole = window == (0, 0, *size_wh)
        paths = [record.image] if task != "rcd" or record.after is None else [record.image, record.after]
        crop = None if is_whole else window
        pictures = tuple(Picture(path=self._path(path), size_wh=(x1 - x0, y1 - y0), crop_xyxy=crop) for path in paths)
        place = "" if is_whole else f"@{x0},{y0},{x1},{y1}"
        try:
            made = with_messages(
                Instruction(
                    id=f"{self.name}/{record.id}{place}/{task}/{key}",
                    task=task,  # type: ignore[arg-type]
                    pictures=pictures,
                    family=record.family,
                    split=record.split,
                    source=record.source.name,
                    licence=record.source.licence,
                    gsd_m=record.gsd_m,
                    made=(f"convert {self.name}",),
                    **parts,
                )
            )
        except ValidationError as error:
            return self._lost(task, error.errors()[0]["msg"])
        except UsageError as error:
            return self._lost(task, str(error).split(";")[0])
        if task in POINTING or task == "gcg":
            return [made] if _on_grid(made) else self._lost(task, "region smaller than a step of the grid")
        try:
            asking_of(made).read(made.messages[-1].content)
        except SurveyorError:
            return self._lost(task, "reply that cannot be read back")
        return [made]

    def _lost(self, task: str, reason: str) -> list[Instruction]:
        self.drop(task, reason)
        return []

    def _path(self, path: Path) -> str:
        return _relative(os.fspath(path), os.fspath(self.images))


def _on_grid(record: Instruction) -> bool:
    """Whether no region loses its area, or a box a side, when its points are rounded to the dialect's grid.

    Reading the text back would tell the same (tests do so for every kind of record) and takes as long as all the rest.
    """
    across, down = (_STEPS / side for side in record.size_wh)
    for region in record.regions:
        grid = [(floor(x * across + 0.5), floor(y * down + 0.5)) for x, y in region.points]
        if region.kind == "box":
            (x0, y0), (x1, y1) = grid
            if x1 <= x0 or y1 <= y0:
                return False
        elif sum(x * v - u * y for (x, y), (u, v) in zip(grid, (*grid[1:], grid[0]), strict=True)) == 0:
            return False
    return True


@lru_cache(maxsize=64)
def _relative(path: str, folder: str) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
