"""Makes more records of records: turned round, told in other kinds, over changed pictures. Truth first.

Every way is a function of one record (`cyclic`, `pal`, `images`) or of one picture's records (`paste`);
this file runs those that are asked for over a file, in one order, with one seed, and counts what is left out.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ...core.errors import UsageError
from ...core.progress import report
from ...core.scene import Scene
from ..records.files import read_meta, read_records
from ..records.record import Instruction, Picture, with_messages
from .cyclic import Phrases, RoundTrip, cycled
from .images import recoloured_record, tiles_of, tilted_record, turned_record
from .marks import LeftOut
from .pal import Tilts, assisted, guided
from .paste import Donors, pasted
from .pictures import Pictures
from .turning import Name, Turn

_FLIPS: tuple[Name, ...] = ("left-right", "up-down")
_ROTATIONS: tuple[Name, ...] = ("quarter", "half", "three-quarters")


@dataclass(frozen=True)
class Ways:
    """What to make of each record, beside the record itself.

    Attributes:
        cyclic: captions from referring records and referring records from captions.
        pal, ggl: prompt-assisted and geometry-guided records.
        flip: one mirrored copy, left-right or up-down.
        rotate: one copy turned by 90, 180 or 270 degrees.
        tilt: one copy tilted by at most so many degrees, 0..45; 0 for none.
        colours: one copy under other light.
        paste: one copy of each picture with objects of others pasted in.
        tile: side of tiles in px that larger pictures are cut to; 0 for none.
        overlap: of tiles, px.
        seed: of everything random: what a record gives depends on it, the record and its picture alone.
        keep: the records themselves come out too.
        round_trip: models that captions of `cyclic` must survive.

    Raises:
        UsageError: nothing to make, or a number out of its range.
    """

    cyclic: bool = False
    pal: bool = False
    ggl: bool = False
    flip: bool = False
    rotate: bool = False
    tilt: float = 0.0
    colours: bool = False
    paste: bool = False
    tile: int = 0
    overlap: int = 128
    seed: int = 0
    keep: bool = True
    round_trip: RoundTrip | None = None

    def __post_init__(self) -> None:
        chosen = (self.cyclic, self.pal, self.ggl, self.flip, self.rotate, self.tilt, self.colours, self.paste, self.tile)  # fmt: skip  # noqa: E501
        if not any(chosen):
            raise UsageError(
                "no way to augment is chosen; give some of --cyclic, --pal, --ggl, --flip, --rotate, --tilt, "
                "--colours, --paste, --tile"
            )
        if not 0 <= self.tilt <= 45:
            raise UsageError(f"pictures are tilted by {self.tilt!r} degrees, expected 0 to 45")
        if self.tile and (self.tile < 64 or not 0 <= self.overlap <= self.tile // 2):
            raise UsageError(
                f"tiles of {self.tile!r} px overlap by {self.overlap!r}, expected 64 or more and at most half of that"
            )
        if self.seed < 0:
            raise UsageError(f"the seed is {self.seed!r}, expected 0 or more")
        if self.round_trip is not None and not self.cyclic:
            raise UsageError("models check the captions of --cyclic alone; give it too")


def augmented(path: Path, ways: Ways, pictures: Pictures, left_out: Counter[str]) -> Iterator[Instruction]:
    """The records of a file and what is made of them, in its order.

    Args:
        path: read once or, where records must be held against each other, twice.
        ways: what to make.
        pictures: where pixels come from and go to.
        left_out: filled with "way: reason" -> count.

    Raises:
        UsageError: no such file, damaged, or a picture that is missing or damaged.
    """
    maker = _Maker(ways, pictures, left_out)
    meta = read_meta(path)
    total = meta.records if meta else 0
    if ways.cyclic or ways.pal or ways.ggl or ways.paste:
        total = maker.look(_rebased(path, pictures))
    done = 0
    for _, group in groupby(_rebased(path, pictures), key=lambda record: record.pictures):
        together: list[Instruction] = []
        for record in group:
            report("augmenting", done, max(total, done + 1))
            done += 1
            if ways.keep:
                yield with_messages(record)
            yield from maker.made_of(record)
            if ways.paste:
                together.append(record)
        if together:
            yield from maker.pasted(together)
    report("augmenting", done, done)


def _rebased(path: Path, pictures: Pictures) -> Iterator[Instruction]:
    """The records, the paths of their pictures told from the folder of the new ones."""
    for record in read_records(path):
        shown = tuple(pictures.rebased(each) for each in record.pictures)
        yield record.model_copy(update={"pictures": shown})


class _Maker:
    """Runs the ways over records and counts."""

    def __init__(self, ways: Ways, pictures: Pictures, left_out: Counter[str]) -> None:
        self.ways, self.pictures, self.left_out = ways, pictures, left_out
        self.phrases, self.tilts, self.donors = Phrases(), Tilts(), Donors(seed=ways.seed)
        self.scattered: set[tuple[Picture, ...]] = set()

    def look(self, records: Iterable[Instruction]) -> int:
        """Notes what a record alone does not tell; how many there are."""
        count, before = 0, None
        seen: set[tuple[Picture, ...]] = set()
        for record in records:
            count += 1
            if self.ways.cyclic:
                self.phrases.add(record)
            if self.ways.pal or self.ways.ggl:
                self.tilts.add(record)
            if self.ways.paste:
                self.donors.add(record)
                if record.pictures != before and record.pictures in seen:
                    self.scattered.add(record.pictures)
                seen.add(record.pictures)
                before = record.pictures
        return count

    def made_of(self, record: Instruction) -> Iterator[Instruction]:
        """What one record gives."""
        ways, pictures = self.ways, self.pictures
        if ways.tile:
            yield from self.run("tile", lambda: tiles_of(record, ways.tile, ways.overlap))
        if ways.cyclic:
            yield from self.run("cyclic", lambda: cycled(record, self.phrases, ways.seed, ways.round_trip, self.scene(record)))  # fmt: skip  # noqa: E501
        if ways.pal:
            yield from self.run("pal", lambda: assisted(record, self.tilts, ways.seed))
        if ways.ggl:
            yield from self.run("ggl", lambda: guided(record, self.tilts, ways.seed))
        rng = self.chance(record)
        flip, rotation = _FLIPS[rng.integers(2)], _ROTATIONS[rng.integers(3)]
        degrees, light = float(np.round(rng.uniform(-ways.tilt, ways.tilt), 2)), int(rng.integers(2**31))
        if ways.flip:
            yield from self.run("flip", lambda: [turned_record(record, Turn(flip), pictures)])
        if ways.rotate:
            yield from self.run("rotate", lambda: [turned_record(record, Turn(rotation), pictures)])
        if ways.tilt:
            yield from self.run("tilt", lambda: [tilted_record(record, degrees, pictures)])
        if ways.colours:
            yield from self.run("colours", lambda: [recoloured_record(record, (light,), pictures)])

    def pasted(self, records: list[Instruction]) -> Iterator[Instruction]:
        """What the records of one picture give together."""
        if records[0].pictures in self.scattered:
            self.left_out["paste: records of one picture stand apart in the file"] += len(records)
            return
        yield from self.run("paste", lambda: pasted(records, self.donors, self.ways.seed, self.pictures), len(records))

    def run(self, way: str, make: Callable[[], Iterable[Instruction | str]], records: int = 1) -> Iterator[Instruction]:
        """What a way makes; what it does not is counted."""
        try:
            for made in make():
                if isinstance(made, str):
                    self.left_out[f"{way}: {made}"] += 1
                else:
                    yield made
        except LeftOut as error:
            self.left_out[f"{way}: {error}"] += records

    def chance(self, record: Instruction) -> np.random.Generator:
        """One chance for all records of a picture, so that they share the changed one."""
        told = "|".join(f"{each.path} {each.crop_xyxy}" for each in record.pictures) or record.id
        return np.random.default_rng([self.ways.seed, zlib.crc32(told.encode())])

    def scene(self, record: Instruction) -> Scene | None:
        """The record's picture for models; None where none asks for it."""
        if self.ways.round_trip is None or len(record.pictures) != 1:
            return None
        pixels = self.pictures.read(record.pictures[0])
        return Scene.from_array(pixels, gsd_m=record.gsd_m, name=Path(record.pictures[0].path).name)
