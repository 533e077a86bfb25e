"""What the change detector learns from: real pairs with masks, drawn pairs, and tiles that pairs are composed of.

Masks are (H, W) uint8: 0 no, 1 yes, `UNKNOWN` where nobody said. Pairs and images that are kept for reporting
(`evals.datasets.held_out`) are never read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...evals.datasets.held_out import CHANGE_HELD_OUT, is_held_out
from ...synth import draw_pair
from ..detector.data import read_rgb

UNKNOWN = 255
FOTBCD_GSD_M, LEVIR_GSD_M, XBD_GSD_M, WHU_GSD_M = 0.2, 0.5, 0.5, 0.3
NOT_BUILDINGS = ("airplane", "ship", "vehicle", "storage tank", "tennis court", "basketball court")
_LEAST_PATCH_PX = 120  # area of a building worth pasting


@dataclass(frozen=True, eq=False)
class PairSample:
    """Two dates of one place.

    Attributes:
        name: of the pair in its source.
        source: "fotbcd", "levir", "xbd" or "synth".
        images: before and after, (H, W, 3) uint8 RGB.
        changed: mask of the buildings that appeared or disappeared.
        built: masks of the buildings of each date.
        gsd_m: metres a pixel.
    """

    name: str
    source: str
    images: tuple[np.ndarray, np.ndarray]
    changed: np.ndarray
    built: tuple[np.ndarray, np.ndarray]
    gsd_m: float


@dataclass(frozen=True, eq=False)
class Tile:
    """One date of a place, for composed pairs.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        built: mask of its buildings; UNKNOWN everywhere where they are not labelled.
    """

    image: np.ndarray
    built: np.ndarray
    gsd_m: float


@dataclass(frozen=True, eq=False)
class Patch:
    """A thing cut out: (h, w, 3) uint8 RGB and its (h, w) uint8 mask of 0 and 1."""

    image: np.ndarray
    mask: np.ndarray
    gsd_m: float


def read_pairs(root: Path) -> list[PairSample]:
    """Labelled pairs of FOTBCD and LEVIR-CD, and xBD's, whose buildings all stand at both dates.

    In the FOTBCD and LEVIR-CD pairs that may be trained on, all that changed are buildings that were put up (looked at
    by eye), so the change is known as a building of the later date, too.

    Args:
        root: the data folder, with `change/`.
    """
    found = []
    for source, gsd in (("fotbcd", FOTBCD_GSD_M), ("levir", LEVIR_GSD_M)):
        for path in sorted((root / "change" / source / "A").glob("*.png")):
            if is_held_out(source, path.stem):
                continue
            images = (read_rgb(path), read_rgb(path.parents[1] / "B" / path.name))
            changed = (_grey(path.parents[1] / "label" / path.name) > 127).astype(np.uint8)
            built = (np.where(changed, 0, UNKNOWN).astype(np.uint8), np.where(changed, 1, UNKNOWN).astype(np.uint8))
            found.append(PairSample(path.stem, source, images, changed, built, gsd))
    for before, after, built in _xbd(root):
        still = np.where((built[0] > 0) == (built[1] > 0), 0, UNKNOWN).astype(np.uint8)
        found.append(PairSample(before.stem, "xbd", (read_rgb(before), read_rgb(after)), still, built, XBD_GSD_M))
    return found


def _xbd(root: Path) -> list[tuple[Path, Path, tuple[np.ndarray, np.ndarray]]]:
    found = []
    for before in sorted((root / "change" / "xbd" / "images").glob("*_pre_disaster.png")):
        if any(before.stem.startswith(each) for each in CHANGE_HELD_OUT["xbd"]):
            continue
        after = before.with_name(before.name.replace("_pre_", "_post_"))
        masks = tuple((_grey(before.parents[1] / "masks" / path.name) > 0).astype(np.uint8) for path in (before, after))
        found.append((before, after, (masks[0], masks[1])))
    return found


def draw_pairs(count: int, seed: int, side: int = 384, kinds: Sequence[str] = ("housing", "mixed")) -> list[PairSample]:
    """Drawn pairs whose changed buildings are known exactly; every fourth has no change at all."""
    found = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        gsd = float(rng.uniform(0.2, 0.6))
        changes = 0 if number % 4 == 3 else int(rng.integers(3, 12))
        pair = draw_pair(kinds[number % len(kinds)], seed + number, (side, side), gsd, changes)
        built = tuple(
            np.any(
                [scene.mask(thing) for thing in scene.labelled("building")] or [np.zeros((side, side), bool)], axis=0
            )
            for scene in (pair.before, pair.after)
        )
        changed = pair.change.mask(label="building").astype(np.uint8)
        masks = (built[0].astype(np.uint8), built[1].astype(np.uint8))
        images = (pair.before.image_rgb, pair.after.image_rgb)
        found.append(PairSample(f"synth-{seed + number}", "synth", images, changed, masks, gsd))
    return found


def read_tiles(root: Path, pairs: Sequence[PairSample] = ()) -> list[Tile]:
    """Places to compose pairs on: WHU's and xBD's with their buildings, NWPU's training photographs without.

    Args:
        root: the data folder.
        pairs: each of their dates is such a place, too, with the buildings that are known of it.
    """
    found = [
        Tile(image, built, pair.gsd_m) for pair in pairs for image, built in zip(pair.images, pair.built, strict=True)
    ]
    for path in sorted((root / "whu_building" / "train" / "image").glob("*.tif")):
        built = (_grey(path.parents[1] / "label" / path.name) > 0).astype(np.uint8)
        found.append(Tile(read_rgb(path), built, WHU_GSD_M))
    for before, after, masks in _xbd(root):
        found += [Tile(read_rgb(path), mask, XBD_GSD_M) for path, mask in zip((before, after), masks, strict=True)]
    data = json.loads((root / "nwpu_vhr10" / "train.json").read_text("utf-8"))
    for each in sorted(data["images"], key=lambda image: image["file_name"]):
        image = read_rgb(root / "nwpu_vhr10" / "images" / each["file_name"])
        if min(image.shape[:2]) >= 400:
            found.append(Tile(image, np.full(image.shape[:2], UNKNOWN, np.uint8), 0.6))
    return found


def cut_buildings(tiles: Sequence[Tile]) -> list[Patch]:
    """Every labelled building of the tiles that lies wholly inside, with a rim of two px."""
    found = []
    for tile in tiles:
        if not (tile.built == 1).any():
            continue
        count, parts, boxes, _ = cv2.connectedComponentsWithStats((tile.built == 1).astype(np.uint8), connectivity=4)
        height, width = tile.built.shape
        for part in range(1, count):
            x, y, w, h, area = (int(value) for value in boxes[part])
            if area < _LEAST_PATCH_PX or x < 3 or y < 3 or x + w > width - 3 or y + h > height - 3:
                continue
            here = (slice(y - 2, y + h + 2), slice(x - 2, x + w + 2))
            found.append(Patch(tile.image[here].copy(), (parts[here] == part).astype(np.uint8), tile.gsd_m))
    return found


def cut_other_things(root: Path, most: int = 400) -> list[Patch]:
    """Things of NWPU's training photographs that are no buildings, by their outlines: they come and go unlabelled."""
    data = json.loads((root / "nwpu_vhr10" / "train.json").read_text("utf-8"))
    names = {each["id"]: each["name"].replace("_", " ") for each in data["categories"]}
    files = {each["id"]: each["file_name"] for each in data["images"]}
    wanted = [each for each in data["annotations"] if names[each["category_id"]] in NOT_BUILDINGS]
    images: dict[str, np.ndarray] = {}
    found = []
    for each in wanted[:: max(1, len(wanted) // most)]:
        name = files[each["image_id"]]
        if name not in images:
            images[name] = read_rgb(root / "nwpu_vhr10" / "images" / name)
        rings = [np.reshape(ring, (-1, 2)).round().astype(np.int32) for ring in each["segmentation"]]
        x, y, w, h = cv2.boundingRect(np.concatenate(rings))
        mask = np.zeros((h + 4, w + 4), np.uint8)
        cv2.fillPoly(mask, [ring - (x - 2, y - 2) for ring in rings], 1)
        image = cv2.copyMakeBorder(images[name], 2, 2, 2, 2, cv2.BORDER_REPLICATE)[y : y + h + 4, x : x + w + 4]
        if image.shape[:2] == mask.shape and min(mask.shape) >= 8:
            found.append(Patch(image.copy(), mask, 0.6))
    return found


def _grey(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f"cannot read a mask from {str(path)!r}")
    return np.asarray(image)
