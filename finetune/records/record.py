"""What a vision-language model is taught with: one instruction and its reply over one image or a pair, as plain data.

One JSON object a line. `messages` is what a trainer reads: `<image>` stands for each image in turn, and the words are
those that the model will be asked with later (`surveyor.tools.models.tasks`), in the native dialect. Everything
else is what the messages were made from, so that a record can be augmented, turned round (`augment.cyclic`), written
in another dialect or checked: points are px of the image (of its crop), before they are rounded to any grid.
GeoRSMLLM section III-A: one representation for detection, segmentation and change.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from ...core.codec import Pointed
from ...core.conditions import Node
from ...core.errors import UsageError
from ...tools.models.grounded import is_tagged, phrases_of, written
from ...tools.models.tasks import Asking, Tasks

SCHEMA_VERSION = 1
IMAGE = "<image>"
Task = Literal["det", "rec", "res", "rcd", "region", "caption", "vqa", "count", "scene", "geoloc", "pal", "ggl", "gcg"]
TASKS: tuple[Task, ...] = get_args(Task)
POINTING: tuple[Task, ...] = ("det", "rec", "res", "rcd", "pal", "ggl")
"""Tasks whose reply is a set of points; of the others it is words, with points behind the phrases of `gcg`."""
XY = tuple[float, float]


class Picture(Node):
    """Which pixels are shown.

    Attributes:
        path: of the file, relative to the folder of images that goes with the records, or absolute.
        size_wh: px of what is shown: of the crop where there is one.
        crop_xyxy: x0, y0, x1, y1 in the file's px; None for the whole file.
    """

    path: str = Field(min_length=1)
    size_wh: tuple[int, int]
    crop_xyxy: tuple[int, int, int, int] | None = None


class Marked(Node):
    """One region, px of the picture.

    Attributes:
        kind: "obb" (four corners, canonical), "box" (upper left, lower right) or "polygon" (ring, open).
        points: of that kind.
        keypoints: points inside a box, for the tasks that prompt a mask model; () without.
        holes: rings cut out of a polygon. The dialects cannot say holes: what has them is dropped when converted, or
            told with its outer ring, whichever is asked for (FORMATS section 8).
        rle: COCO run-length encoding of its pixels; None where only points are known.
        label: class; None where not told.
        is_upright: an "obb" that is nothing but the corners of an annotated upright box: how the thing lies is not
            known, so it must never teach that.
    """

    kind: Literal["obb", "box", "polygon"]
    points: tuple[XY, ...] = Field(min_length=2)
    keypoints: tuple[XY, ...] = ()
    holes: tuple[tuple[XY, ...], ...] = ()
    rle: dict[str, Any] | None = None
    label: str | None = None
    is_upright: bool = False

    @property
    def pointed(self) -> Pointed:
        """As the dialects write it."""
        keypoints = np.array(self.keypoints, dtype=np.float64) if self.keypoints else None
        return Pointed(self.kind, np.array(self.points, dtype=np.float64), keypoints, self.label)


class Message(Node):
    """One turn."""

    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class Instruction(Node):
    """One record.

    Attributes:
        id: unique in its file.
        task: `det` everything of a class, `rec` what an expression names, `res` the same as box and key points, `rcd`
            change as closed polygons over two pictures, `region` a region's caption, `caption`, `vqa`, `count`,
            `scene`, `geoloc`; `pal` given regions told more closely by the picture, `ggl` given regions told more
            coarsely without one (GeoGround section 3.2; `finetune.augment.pal` makes both); `gcg` a caption whose
            phrases point (GeoPixel section 4).
        pictures: one; two (before, after) for `rcd` and a `region` that changed; none for `ggl`.
        phrase: what is asked for (pointing tasks, `count`), or the question (`vqa`); "" where nothing is.
        regions: what is right (pointing tasks; none is an answer), or what is asked about (`region`: exactly one); of
            `gcg` those of the first phrase, then those of the second, ...
        grounded: how many regions each phrase of the reply has (`gcg`).
        given: what is told beforehand (`pal`, `ggl`): one for each of `regions`, in that order.
        asked: the kind of what is asked for (`pal`, `ggl`, `gcg`); None for other tasks.
        grid_wh: px in which given and regions lie where no picture tells it (`ggl`): a square, so that a rectangle
            stays one on the grid; None for other tasks.
        wording: which of the ways to ask (`Tasks.wording`); 0 are the words of inference.
        reply: what is right in words; "" for pointing tasks, which say their regions; of `gcg` with `<p>phrases</p>`,
            and without points.
        choices: for `scene`, the classes to choose from.
        messages: user and assistant, in the native dialect.
        family: leakage family: records of one family stay on one side of a split (FORMATS section 0.3).
        split: as published; None where there is none.
        source: dataset. licence: of the dataset, as its authors state it.
        gsd_m: ground sample distance; None where not told.
        made: what was done, oldest first: "dota 1.5", "cyclic: rec to region", "flip: left-right".
    """

    id: str = Field(min_length=1)
    task: Task
    pictures: tuple[Picture, ...] = Field(default=(), max_length=2)
    phrase: str = ""
    regions: tuple[Marked, ...] = ()
    grounded: tuple[int, ...] = ()
    given: tuple[Marked, ...] = ()
    asked: Literal["box", "obb", "keypoints", "polygon"] | None = None
    grid_wh: tuple[int, int] | None = None
    wording: int = Field(default=0, ge=0)
    reply: str = ""
    choices: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    family: str = Field(min_length=1)
    split: str | None = None
    source: str = ""
    licence: str = ""
    gsd_m: float | None = None
    made: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _parts_fit(self) -> Instruction:
        faults = []
        if len(self.pictures) not in {"rcd": (2,), "ggl": (0,), "region": (1, 2)}.get(self.task, (1,)):
            faults.append("two pictures go with 'rcd', one or two with 'region', none with 'ggl', one with other tasks")
        if (self.grid_wh is not None) != (self.task == "ggl"):
            faults.append("a grid's size goes with 'ggl', which has no picture")
        hybrid = self.task in ("pal", "ggl")
        if (self.asked is not None) != (hybrid or self.task == "gcg") or bool(self.given) != hybrid:
            faults.append("given regions go with 'pal' and 'ggl', the kind that is asked for with these and 'gcg'")
        if hybrid and len(self.given) != len(self.regions):
            faults.append(f"{len(self.given)} given regions and {len(self.regions)} that are right")
        if bool(self.reply) == (self.task in POINTING):
            faults.append("a reply in words goes with the tasks that say no points, and they need one")
        if self.task != "ggl" and bool(self.phrase) != (self.task in (*POINTING, "count", "vqa")):
            faults.append("a phrase goes with det, rec, res, rcd, pal, count and vqa")
        if self.task == "region" and len(self.regions) != 1:
            faults.append("'region' asks about exactly one region")
        if self.task == "gcg" or self.grounded:
            faults += self._grounded_faults()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _grounded_faults(self) -> list[str]:
        if self.task != "gcg" or not self.grounded or not is_tagged(self.reply):
            return ["phrases with regions go with 'gcg', as <p>phrase</p> in a reply without other brackets"]
        phrases = len(phrases_of(self.reply))
        if len(self.grounded) != phrases or min(self.grounded) < 1 or sum(self.grounded) != len(self.regions):
            return [f"{phrases} phrases, {self.grounded!r} regions of them, and {len(self.regions)} regions in all"]
        return []

    @property
    def regions_of_phrases(self) -> tuple[tuple[Marked, ...], ...]:
        """Of `gcg`: the regions of each phrase."""
        following = iter(self.regions)
        return tuple(tuple(islice(following, count)) for count in self.grounded)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Px in which the points lie: of the (later) picture, or of the grid where there is none."""
        if self.pictures:
            return self.pictures[-1].size_wh
        return self.grid_wh or (1, 1)  # a grid is there: checked above


def asking_of(record: Instruction, dialect: str = "native") -> Asking[Any]:
    """What the model is asked, and how its reply is read; in px of the picture (of the later one for pairs).

    Raises:
        UsageError: the dialect cannot ask that, or no classes to choose from.
    """
    tasks, size = Tasks(dialect, record.wording), record.size_wh
    match record.task:
        case "det" | "rec":
            return tasks.detect(record.phrase, size)
        case "res":
            return tasks.segment(record.phrase, size)
        case "rcd":
            return tasks.change(record.phrase, size)
        case "region":
            return tasks.describe(record.regions[0].pointed, size, is_pair=len(record.pictures) == 2)
        case "caption":
            return tasks.caption()
        case "vqa":
            return tasks.answer(record.phrase)
        case "count":
            return tasks.count(record.phrase)
        case "scene":
            return tasks.classify(record.choices)
        case "geoloc":
            return tasks.locate()
        case "gcg":
            return tasks.caption_grounded(record.asked or "obb", size)
        case "pal" | "ggl":
            given, asked = [each.pointed for each in record.given], record.asked or "box"
            if record.task == "ggl":
                return tasks.convert(given, asked, size)
            return tasks.refine(given, asked, record.phrase, size)


def reply_of(record: Instruction, dialect: str = "native") -> str:
    """What is right, as the model should write it: points in the dialect's words ("none" for no regions), or words."""
    how = Tasks(dialect).dialect
    if record.task == "gcg":
        told = [[each.pointed for each in regions] for regions in record.regions_of_phrases]
        return written(record.reply, told, how, record.size_wh)
    if record.task not in POINTING:
        return record.reply
    return how.encode([each.pointed for each in record.regions], record.size_wh)


def with_messages(record: Instruction, dialect: str = "native") -> Instruction:
    """The record with its messages written anew from what it holds; call it after every change.

    Example:
        >>> box = Marked(kind="box", points=((10, 20), (60, 70)), keypoints=((35, 45),))
        >>> pool = Instruction(id="1", task="res", pictures=(Picture(path="a.png", size_wh=(100, 100)),),
        ...                    phrase="swimming pool", regions=(box,), family="a")
        >>> [message.content for message in with_messages(pool).messages][1]
        '[(100,200),(600,700)] keypoints [(350,450)]'
    """
    asked = (IMAGE * len(record.pictures) + "\n" + asking_of(record, dialect).text).lstrip("\n")
    reply = reply_of(record, dialect)
    messages = (Message(role="user", content=asked), Message(role="assistant", content=reply))
    return record.model_copy(update={"messages": messages})


def check_reads_back(records: Iterable[Instruction]) -> None:
    """Every reply is read by what reads the model's replies. Raises UsageError that names the record."""
    for record in records:
        if not record.messages:
            raise UsageError(f"record {record.id!r} has no messages; write them with with_messages")
        try:
            asking_of(record).read(record.messages[-1].content)
        except Exception as error:
            raise UsageError(f"the reply of record {record.id!r} cannot be read back: {error}") from error
