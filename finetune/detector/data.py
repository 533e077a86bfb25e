"""Annotated images of several sources in one shape, held in memory, and the train/development/held-out split.

Every source labels only some classes; `labelled` names those that it labels exhaustively. Splits go by whole image,
and by place where several images show one place.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .model import CLASSES

TEN = CLASSES[:10]
DEV_IMAGES = 40
DOTA_NAMES = {
    "plane": "airplane", "ship": "ship", "storage-tank": "storage_tank", "baseball-diamond": "baseball_diamond",
    "tennis-court": "tennis_court", "basketball-court": "basketball_court", "ground-track-field": "ground_track_field",
    "harbor": "harbor", "bridge": "bridge", "large-vehicle": "vehicle", "small-vehicle": "vehicle",
}  # fmt: skip
HELD_OUT = {  # whole images or places kept for reporting
    "aerial_cars": "DJI_0762",  # one of three places
    "xbd": "hurricane-harvey_00000006_pre_disaster",
    "deepforest": "SOAP_061",
}


@dataclass
class Sample:
    """One image with its objects.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (M,) indices into `CLASSES`.
        hulls: per object the convex hull (K, 2) float32 of its outline, full-image pixels.
        oriented: False where outlines are only axis-aligned boxes of objects that are not (no oriented loss).
        rigid: the image is turned by quarter turns only (outlines are boxes and would grow otherwise).
    """

    name: str
    source: str
    image: np.ndarray
    labels: np.ndarray
    hulls: list[np.ndarray]
    labelled: tuple[str, ...] = TEN
    oriented: bool = True
    rigid: bool = False


def read_rgb(path: Path) -> np.ndarray:
    """The image as (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"cannot read an image from {str(path)!r}")
    return np.ascontiguousarray(image[..., ::-1])


def hull_of(points: np.ndarray) -> np.ndarray:
    """Convex hull (K, 2) float32, clockwise or not, of (N, 2) points."""
    return cv2.convexHull(np.asarray(points, np.float32).reshape(-1, 1, 2)).reshape(-1, 2)


def box_hull(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def read_nwpu(root: Path, split: str) -> list[Sample]:
    data = json.loads((root / "nwpu_vhr10" / f"{split}.json").read_text())
    names = {c["id"]: c["name"] for c in data["categories"]}
    by_image: dict[int, list] = {}
    for a in data["annotations"]:
        by_image.setdefault(a["image_id"], []).append(a)
    samples = []
    for im in sorted(data["images"], key=lambda i: i["file_name"]):
        objects = by_image.get(im["id"], [])
        hulls = [hull_of(np.concatenate([np.reshape(p, (-1, 2)) for p in a["segmentation"]])) for a in objects]
        labels = np.array([CLASSES.index(names[a["category_id"]]) for a in objects], int)
        image = read_rgb(root / "nwpu_vhr10" / "images" / im["file_name"])
        samples.append(Sample(im["file_name"], "nwpu", image, labels, hulls))
    return samples


def split_dev(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """(train, development): 40 images, chosen greedily so that each class keeps its share, rare classes first."""
    counts = np.array([np.bincount(s.labels, minlength=len(CLASSES)) for s in samples])
    quota = counts.sum(0) * DEV_IMAGES / len(samples)
    rng = np.random.default_rng(7)
    order = rng.permutation(len(samples))
    have = np.zeros(len(CLASSES))
    dev: list[int] = []
    while len(dev) < DEV_IMAGES:
        need = np.clip(quota - have, 0, None) / np.maximum(quota, 1e-9)
        rest = [i for i in order if i not in dev]
        gain = [
            (np.minimum(counts[i], np.clip(quota - have, 0, None)) / np.maximum(quota, 1e-9)).sum()
            - 0.5 * (np.clip(counts[i] + have - quota, 0, None) / np.maximum(quota, 1)).sum()
            for i in rest
        ]
        if need.sum() <= 0:
            break
        pick = rest[int(np.argmax(gain))]
        dev.append(pick)
        have += counts[pick]
    chosen = set(dev)
    return [s for i, s in enumerate(samples) if i not in chosen], [samples[i] for i in dev]


def read_cars(root: Path, shrink: float = 0.5) -> list[Sample]:
    """DJI frames, resized, with axis-aligned boxes of vehicles (cars, trucks, buses; cyclists left out)."""
    samples = []
    for path in sorted((root / "aerial_cars").glob("*.jpg")):
        rows = [r.split() for r in path.with_suffix(".txt").read_text().splitlines() if r.strip()]
        image = read_rgb(path)
        h, w = image.shape[:2]
        hulls = []
        for kind, cx, cy, bw, bh in rows:
            if kind != "4":
                x, y, a, b = float(cx) * w, float(cy) * h, float(bw) * w / 2, float(bh) * h / 2
                hulls.append(box_hull(x - a, y - b, x + a, y + b))
        if shrink != 1:
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        labels = np.full(len(hulls), CLASSES.index("vehicle"))
        samples.append(Sample(path.stem, "aerial_cars", image, labels, [x * shrink for x in hulls], ("vehicle",), False, True))  # fmt: skip  # noqa: E501
    return samples


def mask_hulls(mask: np.ndarray, least_area: float = 60.0) -> list[np.ndarray]:
    """Hulls of the connected components of a mask, in pixel-corner coordinates."""
    contours, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    grown = [np.concatenate([c[:, 0] + d for d in ([0, 0], [1, 0], [0, 1], [1, 1])]) for c in contours]
    return [hull_of(g) for c, g in zip(contours, grown, strict=True) if cv2.contourArea(c) >= least_area]


def read_mask(path: Path) -> np.ndarray:
    """The first channel (H, W) of a mask image. Raises FileNotFoundError when it can't be read."""
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise FileNotFoundError(f"cannot read the mask {path}")
    return mask if mask.ndim == 2 else mask[..., 0]


def read_buildings(root: Path) -> list[Sample]:
    """WHU (train and val folders) and the pre-disaster images of xBD; outlines are mask components."""
    pairs = [(p, p.parents[1] / "label" / p.name, f"whu_{p.parents[1].name}") for p in sorted((root / "whu_building").glob("*/image/*.tif"))]  # fmt: skip  # noqa: E501
    xbd = root / "change" / "xbd"
    pairs += [(p, xbd / "masks" / p.name, "xbd") for p in sorted((xbd / "images").glob("*_pre_disaster.png"))]
    samples = []
    for path, mask_path, source in pairs:
        hulls = mask_hulls(read_mask(mask_path))
        labels = np.full(len(hulls), CLASSES.index("building"))
        samples.append(Sample(path.stem, source, read_rgb(path), labels, hulls, ("building",)))
    return samples


def read_trees(root: Path) -> list[Sample]:
    """NEON crowns as boxes. Crowns are round, so the box serves as the oriented box too."""
    folder, samples = root / "deepforest", []
    for name, table in (("OSBS_029.tif", "OSBS_029.csv"), ("2019_YELL_2_541000_4977000_image_crop.png", None), ("SOAP_061.png", "testfile_multi.csv")):  # fmt: skip  # noqa: E501
        if table:
            rows = [r for r in csv.DictReader((folder / table).open()) if r["image_path"] == name]
            boxes = [[float(r[k]) for k in ("xmin", "ymin", "xmax", "ymax")] for r in rows]
        else:
            import xml.etree.ElementTree as ET

            tree = ET.parse((folder / name).with_suffix(".xml"))
            boxes = [
                [float(b.findtext(k, "nan")) for k in ("xmin", "ymin", "xmax", "ymax")] for b in tree.iter("bndbox")
            ]
        hulls = [box_hull(*b) for b in boxes]
        labels = np.full(len(hulls), CLASSES.index("tree_crown"))
        image = read_rgb(folder / name)
        samples.append(Sample(Path(name).stem, "deepforest", image, labels, hulls, ("tree_crown",), True, True))
    return samples


def read_dota(root: Path) -> list[Sample]:
    samples = []
    for path in sorted((root / "dota_devkit" / "labelTxt").glob("*.txt")):
        hulls, labels = [], []
        for line in path.read_text().splitlines():
            parts = line.split()
            if len(parts) >= 9 and parts[8] in DOTA_NAMES:
                hulls.append(hull_of(np.reshape([float(v) for v in parts[:8]], (4, 2))))
                labels.append(CLASSES.index(DOTA_NAMES[parts[8]]))
        image = read_rgb(root / "dota_devkit" / "images" / f"{path.stem}.png")
        samples.append(Sample(path.stem, "dota", image, np.array(labels, int), hulls))
    return samples


def training_samples(root: Path) -> tuple[list[Sample], list[Sample]]:
    """(train, development) over all sources; development holds NWPU images only, for calibration and selection."""
    train, dev = split_dev(read_nwpu(root, "train"))
    others = read_cars(root) + read_buildings(root) + read_trees(root) + read_dota(root)
    kept = [s for s in others if not is_held_out(s)]
    return train + kept, dev


def is_held_out(sample: Sample) -> bool:
    """True for images of the other sources that are kept for reporting."""
    if sample.source in ("whu_val", "whu_test"):
        return True
    return sample.source in HELD_OUT and sample.name.startswith(HELD_OUT[sample.source])
