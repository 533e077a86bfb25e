"""What every dataset is read into: an image or a pair, what is annotated on it, and what is said about it.

Coordinates are full-image px as float64 (top-left corner of the top-left pixel at (0, 0)); labels are lower-case words
with spaces ("storage tank"). A record belongs to a leakage family: records of one family show the same ground and must
stay on one side of a split (FORMATS section 0.3: DOTA, iSAID, VRSBench and GeoPixelD share images).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...core.masks import Mask
from ...core.regions import FloatArray

Tally = Counter[str]
"""Reason -> how many entries were left out for it: "box without area", "coordinate beyond the grid"."""


@dataclass(frozen=True)
class Source:
    """Where records come from.

    Args:
        name: of the dataset and its version: "DOTA v1.5".
        licence: as its authors state it; "not stated" where they don't.
        cite: who made it, in short.
    """

    name: str
    licence: str
    cite: str = ""


@dataclass(frozen=True, eq=False)
class Thing:
    """One annotated object.

    Attributes:
        id: unique in its record.
        label: class name, lower-case words with spaces.
        box_px: (4,) x0, y0, x1, y1; as annotated, else round the corners or the outline. May reach beyond the image.
        corners_px: (4, 2) oriented box in canonical order; None where only upright boxes are annotated.
        polygon_px: (N, 2) outline, open; None where none is annotated.
        mask: pixels; None where none are annotated.
        is_difficult: the annotators marked it as such (DOTA): neither right nor wrong in scores.
        attributes: what else is annotated, as text.
    """

    id: str
    label: str
    box_px: FloatArray
    corners_px: FloatArray | None = None
    polygon_px: FloatArray | None = None
    mask: Mask | None = None
    is_difficult: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Said:
    """One text that goes with the image.

    Attributes:
        id: unique in its record.
        kind: "refer" (an expression for things), "caption" (of the image), "region" (of things), "question" (with its
            answer), "scene" (a class of scene as the answer), "dialog" (an instruction with its answer).
        text: the expression, caption or question; "" for a scene class.
        answer: what is right; None for kinds that have none.
        things: ids of what it speaks of; empty where that is not annotated.
        mask: the pixels it speaks of, where they are no single things.
        type: of a question, as the dataset calls it; "" otherwise.
    """

    id: str
    kind: str
    text: str
    answer: str | None = None
    things: tuple[str, ...] = ()
    mask: Mask | None = None
    type: str = ""


@dataclass(frozen=True, eq=False)
class Record:
    """One image, or a pair before/after, with all that is annotated.

    Attributes:
        id: unique in its dataset.
        image: path of the image (of the earlier one of a pair).
        size_wh: px; None where only opening the image would tell.
        family: leakage family: "dota:P0706", "levir:train_12".
        source: the dataset.
        split: as published ("train", "val", "test"); None where there is none.
        after: path of the later image; None for single images.
        things: annotated objects.
        said: texts.
        is_exhaustive: every object of the classes in `classes` is annotated, so that "none" is a fact.
        classes: labels that are annotated wherever they occur; empty where that is not so.
        gsd_m: ground sample distance in metres; None where not told.
        changed: class -> pixels that changed, for pairs ("building", "road", "any").
        regions: class -> pixels, for semantic maps (land cover).
        ignored: pixels that are not annotated; None where all are.
    """

    id: str
    image: Path
    size_wh: tuple[int, int] | None
    family: str
    source: Source
    split: str | None = None
    after: Path | None = None
    things: tuple[Thing, ...] = ()
    said: tuple[Said, ...] = ()
    is_exhaustive: bool = False
    classes: tuple[str, ...] = ()
    gsd_m: float | None = None
    changed: Mapping[str, Mask] = field(default_factory=dict)
    regions: Mapping[str, Mask] = field(default_factory=dict)
    ignored: Mask | None = None


Read = Callable[..., Iterator[Record]]


@dataclass(frozen=True)
class Reader:
    """One dataset's reader.

    Attributes:
        name: as on the command line: "dota".
        about: one line for people.
        layout: the files it expects under the root, one line each.
        read: `read(root, *, split=None, tally=None, **options)` yields records in a fixed order; `tally` counts what is
            left out and why. Raises UsageError that names the file and what was expected.
        source: name and licence.
        options: names of further keyword arguments, with what they mean.
    """

    name: str
    about: str
    layout: tuple[str, ...]
    read: Read
    source: Source
    options: Mapping[str, str] = field(default_factory=dict)


def label_words(name: str) -> str:
    """A dataset's class name as lower-case words.

    Example:
        >>> label_words("Ground_Track_Field"), label_words("Expressway-Service-area"), label_words("BareLand")
        ('ground track field', 'expressway service area', 'bare land')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    return " ".join(re.sub(r"[-_\s]+", " ", spaced).lower().split())
