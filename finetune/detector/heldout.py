"""Writes the images of the other sources that took no part in training as COCO folders, one a source, for scoring.

    python -m surveyor.finetune.detector.heldout ../shared/data runs/heldout
    python -m surveyor.evals.detection --data runs/heldout/buildings --split heldout

NWPU's own held-out images are its val.json and need no rewriting. Vehicles of the DJI frames are at full resolution.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .data import Sample, is_held_out, read_buildings, read_cars, read_trees
from .model import CLASSES


def write_coco(samples: list[Sample], folder: Path) -> None:
    """`folder/images/*.png` and `folder/heldout.json` (COCO instances; outlines are convex hulls)."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, s in enumerate(samples, start=1):
        name = f"{s.source}_{s.name}.png"
        cv2.imwrite(str(folder / "images" / name), np.ascontiguousarray(s.image[..., ::-1]))
        images.append({"id": number, "file_name": name, "width": s.image.shape[1], "height": s.image.shape[0]})
        for hull, label in zip(s.hulls, s.labels, strict=True):
            (x0, y0), (x1, y1) = hull.min(0).tolist(), hull.max(0).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(cv2.contourArea(hull)),
                    "iscrowd": 0,
                    "segmentation": [hull.reshape(-1).tolist()],
                }
            )
    used = sorted({a["category_id"] for a in annotations})
    categories = [{"id": k, "name": CLASSES[k - 1]} for k in used]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "heldout.json").write_text(json.dumps(content))
    print(f"{folder}: {len(images)} images, {len(annotations)} objects")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.detector.heldout DATA OUT")
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    sources = {"vehicles": read_cars(root, shrink=1.0), "buildings": read_buildings(root), "trees": read_trees(root)}
    for name, found in sources.items():
        write_coco([s for s in found if is_held_out(s)], out / name)
