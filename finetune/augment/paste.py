"""Copy-paste over records: objects go with their pixels to free places of other pictures.

Ghiasi et al. 2021, "Simple Copy-Paste", section 3.

Detection and counting records of the class are told anew; those of classes that have nothing to do with it stay true;
relations, captions, answers and counts of broader classes may not, and are left out. Giver and taker are of one
published split, or the pictures of one family would stand on both sides of a later one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ...core import lexicon
from ...core.errors import UnknownPhrase
from ...core.geometry import corners_to_box, min_area_rect
from ...core.masks import Mask
from ..pixels import blend_mask
from ..records.points import as_xy
from ..records.record import Instruction, Marked, Picture, asking_of
from .cyclic import key_of
from .images import changed
from .marks import LeftOut, ordered_as
from .pictures import Pictures

MOST_PASTED = 4
MOST_DONORS = 400
"""Objects of one class that are kept to be pasted."""
LEAST_SIDE, MOST_SHARE = 8.0, 0.35
"""A donor's shorter side in px, and its longer side as a share of the picture that it goes to."""
GAP = 4.0
"""Px between a pasted object and any that was there."""
_TRIES = 25
_SCALES = (0.8, 1.25)


@dataclass(frozen=True, eq=False)
class Donor:
    """An object to be pasted: where it lies, and of which class, split and scale."""

    picture: Picture
    region: Marked
    phrase: str
    gsd_m: float | None
    source: str


@dataclass
class Donors:
    """Objects that may be pasted, by split and class; of more than `MOST_DONORS` an even choice."""

    found: dict[str, dict[str, list[Donor]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    seen: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    seed: int = 0

    @classmethod
    def of(cls, records: Iterable[Instruction], seed: int) -> Donors:
        """Of all records of a file."""
        found = cls(seed=seed)
        for record in records:
            found.add(record)
        return found

    def add(self, record: Instruction) -> None:
        """Keeps the objects of a detection or segmentation record of a class."""
        if record.task not in ("det", "res") or record.split is None or len(record.pictures) != 1:
            return
        if not lexicon.concept(record.phrase):
            return
        key = key_of(record.phrase)
        for region in record.regions:
            if not _is_whole(region, record.size_wh) or (region.kind == "box" and region.rle is None):
                continue
            kept, number = self.found[record.split][key], self.seen[record.split, key]
            self.seen[record.split, key] += 1
            donor = Donor(record.pictures[0], region, record.phrase, record.gsd_m, record.source)
            if len(kept) < MOST_DONORS:
                kept.append(donor)
            elif (place := int(np.random.default_rng([self.seed, number]).integers(number + 1))) < MOST_DONORS:
                kept[place] = donor


def pasted(records: Sequence[Instruction], donors: Donors, seed: int, pictures: Pictures) -> Iterator[Instruction | str]:  # fmt: skip  # noqa: E501
    """The records of one picture after objects were pasted into it; for each that is not told, the reason.

    Args:
        records: all of one picture, rebased; every known object of it counts as taken ground.
        donors: what there is to paste.
        seed: with the picture it decides what is pasted where.
        pictures: where pixels come from and go to.

    Raises:
        LeftOut: nothing can be pasted here.
    """
    first = records[0]
    if len(first.pictures) != 1:
        raise LeftOut("pasting needs one picture")
    if first.split is None:
        raise LeftOut("no split told: divide the records first, then paste")
    known = donors.found.get(first.split, {})
    choices = {
        key: found
        for key in sorted({key_of(each.phrase) for each in records if each.task == "det"})
        if (found := [each for each in known.get(key, ()) if each.picture != first.pictures[0]])
    }
    if not choices:
        raise LeftOut("no detection of a class that other pictures have objects of")
    rng = np.random.default_rng([seed, *first.pictures[0].path.encode(), *(first.pictures[0].crop_xyxy or ())])
    key = list(choices)[rng.integers(len(choices))]
    choice = choices[key]
    image = pictures.read(first.pictures[0]).copy()
    taken = [_box(region) for each in records for region in (*each.regions, *each.given)]
    new: list[Marked] = []
    for _ in range(int(rng.integers(1, MOST_PASTED + 1))):
        donor = choice[rng.integers(len(choice))]
        region = _paste(rng, image, taken, donor, pictures, first.gsd_m)
        if region is not None:
            new.append(region)
    if not new:
        raise LeftOut("no free place for an object")
    shown = (pictures.write(image),)
    what = f"paste {len(new)} {key.replace(' ', '_')}"
    for record in records:
        parts = _told(record, key, new)
        if isinstance(parts, str):
            yield parts
        else:
            yield changed(record, what, pictures=shown, **parts)


def _told(record: Instruction, key: str, new: Sequence[Marked]) -> dict[str, object] | str:
    """What a record says after objects of the class were added, or why it says nothing."""
    if record.task not in ("det", "count"):
        return f"'{record.task}' may not be true beside pasted objects"
    own = key_of(record.phrase)
    if own != key:
        known = lexicon.concept(record.phrase) is not None
        return {} if known and not _related(own, key) else "a class that may include pasted objects"
    if record.task == "count":
        return {"reply": str(int(asking_of(record).read(record.reply)) + len(new))}
    if any(each.kind != "obb" for each in record.regions):
        return "regions that are no oriented boxes"
    return {"regions": ordered_as(record, (*record.regions, *new))}


def _related(a: str, b: str) -> bool:
    for one, other in ((a, b), (b, a)):
        try:
            if lexicon.resolve(one, [other]):
                return True
        except UnknownPhrase:
            continue
    return False


def _paste(rng: np.random.Generator, image: np.ndarray, taken: list[np.ndarray], donor: Donor, pictures: Pictures, gsd_m: float | None) -> Marked | None:  # fmt: skip  # noqa: E501
    """Puts one object into a free place; the image and `taken` are changed. None where there is none."""
    ring = _ring(donor.region)
    scale = float(np.exp(rng.uniform(*np.log(_SCALES))))
    if gsd_m and donor.gsd_m:
        scale *= donor.gsd_m / gsd_m
    turn, mirrored = rng.uniform(0, 2 * math.pi), bool(rng.random() < 0.5)
    if donor.region.is_upright:  # whoever turned it by less would tell a box that nobody drew
        turn = round(turn / (math.pi / 2)) * math.pi / 2
    c, s = math.cos(turn) * scale, math.sin(turn) * scale
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    extent = np.ptp(ring @ linear.T, axis=0)
    size = np.array(image.shape[1::-1], dtype=np.float64)
    if not 0.25 <= scale <= 4 or extent.max() > MOST_SHARE * size.max() or (extent + 2 * GAP >= size).any():
        return None
    if extent.min() < LEAST_SIDE:
        return None
    for _ in range(_TRIES):
        low = rng.uniform(GAP, size - extent - GAP)
        box = np.concatenate([low, low + extent])
        if all((box[:2] > other[2:] + GAP).any() or (box[2:] < other[:2] - GAP).any() for other in taken):
            break
    else:
        return None
    shift = low - (ring @ linear.T).min(axis=0)
    matrix = np.hstack([linear, shift[:, None]])
    mask = _blend(image, donor, matrix, box, pictures)
    if mask is not None and not mask.area_px:
        return None
    taken.append(box)
    rle = mask.to_rle() if mask is not None else None
    told = donor.region
    points = as_xy(min_area_rect(ring @ linear.T + shift))
    return Marked(kind="obb", points=points, rle=rle, label=told.label, is_upright=told.is_upright)


def _blend(image: np.ndarray, donor: Donor, matrix: np.ndarray, box: np.ndarray, pictures: Pictures) -> Mask | None:
    """Warps the object into the image; its mask there, None where the donor has none."""
    height, width = image.shape[:2]
    rim = max(3, int(np.ptp(box.reshape(2, 2), axis=0).max() * 0.05)) | 1
    x0, y0 = np.maximum(np.floor(box[:2]).astype(int) - 2 * rim, 0).tolist()
    x1, y1 = np.minimum(np.ceil(box[2:]).astype(int) + 2 * rim, (width, height)).tolist()
    m = matrix.copy()
    m[:, 2] -= (x0, y0)
    ring = _ring(donor.region) @ m[:, :2].T + m[:, 2]
    m[:, 2] += m[:, :2] @ [0.5, 0.5] - 0.5  # the matrix speaks of pixel corners, cv2 of centres
    size = (x1 - x0, y1 - y0)
    patch = cv2.warpAffine(pictures.read(donor.picture), m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    window = image[y0:y1, x0:x1]
    if donor.region.rle is None:
        alpha = np.zeros(size[::-1], np.uint8)
        cv2.fillConvexPoly(alpha, np.round(ring).astype(np.int32), 255)
        blend_mask(window, patch, alpha, rim)
        return None
    pixels = Mask.from_rle(donor.region.rle).to_array().astype(np.uint8) * 255
    alpha = (cv2.warpAffine(pixels, m, size, flags=cv2.INTER_LINEAR) > 127).astype(np.uint8) * 255
    blend_mask(window, patch, alpha, 3)
    return Mask.from_array(alpha > 0, (x0, y0), (height, width))


def _ring(region: Marked) -> np.ndarray:
    """The oriented box's corners; of an upright box the least rectangle round its mask."""
    if region.kind == "box" and region.rle is not None:
        shapes = Mask.from_rle(region.rle).to_polygons()
        return min_area_rect(np.concatenate([np.asarray(shape.exterior.coords) for shape in shapes]))
    return np.array(region.points)


def _box(region: Marked) -> np.ndarray:
    return corners_to_box(np.array(region.points))


def _is_whole(region: Marked, size_wh: tuple[int, int]) -> bool:
    """Not cut by the picture's edge, and not tiny."""
    box = _box(region)
    inside = bool((box[:2] >= 2).all() and (box[2:] <= np.array(size_wh) - 2).all())
    return inside and float(np.ptp(box.reshape(2, 2), axis=0).min()) >= LEAST_SIDE
