"""Records divided into train, val and test so that no leakage family stands on two sides, and the check of that.

Which side a family falls to is a matter of its name and the seed alone: however many records or datasets there are,
and in whatever order, a scene of DOTA is on one side for DOTA, iSAID and VRSBench alike. Published parts are kept:
what a dataset calls test is never trained on.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import SurveyorError, UsageError
from .files import Meta, Provenance, images_folder, read_meta, read_records, write_records
from .record import Instruction

SIDES = ("train", "val", "test")
_TEST = ("test", "hold", "holdout")
_VAL = ("val", "valid", "validation", "dev")
_SHOWN = 5


class SplitLeaks(SurveyorError):
    """Families or images on two sides of a split."""


@dataclass(frozen=True)
class Leaks:
    """What several files of records share.

    Attributes:
        families: family -> the files it is in (two or more).
        images: path of an image -> the same; told where families are not, which say as much.
    """

    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.families or self.images)

    def __str__(self) -> str:
        parts = []
        for what, found in (("families", self.families), ("images", self.images)):
            if found:
                told = "; ".join(f"{name} in {' and '.join(files)}" for name, files in list(found.items())[:_SHOWN])
                more = f"; {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
                parts.append(f"{len(found):,} {what} on several sides: {told}{more}")
        return ". ".join(parts)


def leaks(paths: Sequence[str | Path]) -> Leaks:
    """Families and images that several of the files have.

    Args:
        paths: files of records, at least two.

    Raises:
        UsageError: fewer files, or one that is damaged.
    """
    if len(paths) < 2:
        raise UsageError("one file leaks nowhere; give two or more, e.g. train.jsonl val.jsonl")
    families: dict[str, dict[str, None]] = {}
    images: dict[str, dict[str, None]] = {}
    for path in map(Path, paths):
        folder = images_folder(path).resolve()
        for record in read_records(path):
            families.setdefault(record.family, {})[str(path)] = None
            for picture in record.pictures:
                images.setdefault(os.path.normpath(folder / picture.path), {})[str(path)] = None
    shared = [{name: tuple(files) for name, files in each.items() if len(files) > 1} for each in (families, images)]
    return Leaks(shared[0]) if shared[0] else Leaks({}, shared[1])


def side_of_family(family: str, seed: int, val: float, test: float) -> str:
    """The side that chance gives a family: its name and the seed decide, nothing else.

    Example:
        >>> [side_of_family(f"dota:P{n:04}", 0, 0.2, 0.2) for n in range(5)]
        ['train', 'train', 'train', 'train', 'test']
    """
    digest = hashlib.sha256(f"{seed}/{family}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "test" if place < test else "val" if place < test + val else "train"


def published_side(split: str | None) -> str | None:
    """The side that a published part belongs to; None where none is told.

    Example:
        >>> [published_side(name) for name in ("train", "tier3", "test_phili", "hold", "validation", None)]
        ['train', 'train', 'test', 'test', 'val', None]
    """
    if split is None:
        return None
    word = split.lower().replace("-", "_").split("_")[0]
    return "test" if word in _TEST else "val" if word in _VAL else "train"


def split_records(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    ignore_published: bool = False,
    leaking: str = "refuse",
    command: str = "",
) -> dict[str, Meta]:
    """Writes train.jsonl, val.jsonl and test.jsonl into a folder.

    Families with a published part stay in it; a published "train" gives val families by chance where no val is
    published (and test likewise). Families without one are divided by chance.

    Args:
        paths: files of records, read twice.
        out: folder; the files in it are replaced.
        val, test: shares of the families, as chance has it; a part of share 0 that nothing is published for is not
            written.
        seed: of chance.
        ignore_published: divide everything by chance.
        leaking: families with records in several published parts: "refuse", or "drop" those of train (then of val).
        command: for the files beside.

    Returns:
        side -> what was written.

    Raises:
        UsageError: shares that leave nothing to train on, or a part that no family fell to.
        SplitLeaks: a published split leaks; names the families.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise UsageError(f"the shares are val {val!r} and test {test!r}; expected 0 or more, together less than 1")
    if leaking not in ("refuse", "drop"):
        raise UsageError(f"leaking is {leaking!r}, expected refuse or drop")
    published = _published(paths)
    if ignore_published:
        published = dict.fromkeys(published, frozenset())
    torn = {family: sides for family, sides in published.items() if len(sides) > 1}
    if torn and leaking == "refuse":
        told = Leaks({family: tuple(f"{side!r}" for side in SIDES if side in sides) for family, sides in torn.items()})
        raise SplitLeaks(
            f"the published split leaks: {told}. Drop them from train with --leaking drop, or divide anew with "
            "--ignore-published"
        )
    has = {side for sides in published.values() for side in sides}
    shares = {"val": val, "test": test}
    of_train = {side: 0.0 if side in has else share for side, share in shares.items()}
    sides = {family: _side(family, found, seed, of_train if found else shares) for family, found in published.items()}
    wanted = [side for side in SIDES if side == "train" or side in has or shares[side]]
    if empty := [side for side in wanted if side not in sides.values()]:
        raise UsageError(
            f"no family of {len(sides)} fell to {empty[0]!r}; take another --seed or a larger share, or give more "
            "families"
        )
    before = tuple(meta.sha256 for path in paths if (meta := read_meta(path)))
    images, written = _common_images(paths), {}
    for side in wanted:
        lost: Counter[str] = Counter()

        def of_side(wanted_side: str = side, lost: Counter[str] = lost) -> Iterator[Instruction]:
            for record, folder in _placed(paths):
                mine = sides[record.family]
                if mine != wanted_side:
                    continue
                if record.family in torn and published_side(record.split) != mine:
                    lost["family that is published in several parts"] += 1
                    continue
                yield _moved(record, folder, images)

        written[side] = write_records(
            Path(out) / f"{side}.jsonl", of_side(), Provenance(command, seed, images, lost, before)
        )
    return written


def _placed(paths: Sequence[str | Path]) -> Iterator[tuple[Instruction, Path]]:
    """Each record with the folder of its images."""
    for path in paths:
        folder = images_folder(path)
        for record in read_records(path):
            yield record, folder


def _published(paths: Sequence[str | Path]) -> dict[str, frozenset[str]]:
    """Family -> the published sides of its records, which may be none."""
    found: dict[str, frozenset[str]] = {}
    for record, _ in _placed(paths):
        side = published_side(record.split)
        found[record.family] = found.get(record.family, frozenset()) | ({side} if side else frozenset())
    return found


def _side(family: str, published: Collection[str], seed: int, shares: Mapping[str, float]) -> str:
    """Test goes before val, and val before train, where a family is in several."""
    side = max(published, key=SIDES.index, default="train")
    return side_of_family(family, seed, shares["val"], shares["test"]) if side == "train" else side


def _common_images(paths: Sequence[str | Path]) -> Path:
    """The folder that holds the images of all files."""
    return Path(os.path.commonpath([images_folder(path).resolve() for path in paths]))


def _moved(record: Instruction, folder: Path, images: Path) -> Instruction:
    """The record with its pictures' paths relative to another folder."""
    if folder.resolve() == images:
        return record
    pictures = tuple(
        picture.model_copy(update={"path": Path(os.path.relpath(folder.resolve() / picture.path, images)).as_posix()})
        for picture in record.pictures
    )
    return record.model_copy(update={"pictures": pictures})
