"""Draws one place at two dates: two GeoTIFFs with the dates in their metadata, and the true annotation of both (COCO).

    python examples/draw_pair.py out/before.tif out/after.tif --kind housing --seed 5

Ask what changed:

    surveyor ask out/before.tif "which buildings are new?" --after out/after.tif --out out

or of the truth, which any grounder can take the place of:

    surveyor ask out/before.tif "which buildings near a road are new?" --after out/after.tif \
        --models grounder=oracle:out/after.json,segmenter=oracle:out/after.json,change=compare
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from surveyor.synth import KINDS, draw_pair

DATES = ("2019:06:01 10:30:00", "2024:06:03 10:40:00")


def main() -> None:
    """Reads the command line and writes the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the GeoTIFF of the earlier date")
    parser.add_argument("after", type=Path, help="that of the later one; the annotation gets the same name and .json")
    parser.add_argument("--kind", choices=KINDS, default="housing")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--size", default="640x512", help="width x height in pixels, such as 1000x700")
    parser.add_argument("--changes", type=int, default=8, help="how many things come or go")
    args = parser.parse_args()
    width, height = (int(side) for side in args.size.split("x"))
    pair = draw_pair(args.kind, args.seed, (width, height), 0.3, args.changes)
    place = {"crs": "EPSG:32633", "transform": Affine(0.3, 0, 500_000, 0, -0.3, 5_400_000)}
    shape = {"width": width, "height": height, "count": 3, "dtype": "uint8"}
    for path, scene, date in zip((args.before, args.after), (pair.before, pair.after), DATES, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(path, "w", driver="GTiff", compress="deflate", **shape, **place) as file:
            file.write(scene.image_rgb.transpose(2, 0, 1))
            file.update_tags(TIFFTAG_DATETIME=date)
    truth = args.after.with_suffix(".json")
    first, second = pair.before.to_coco(args.before.name), pair.after.to_coco(args.after.name)
    truth.write_text(json.dumps(joined(first, second)), encoding="utf-8")
    print(f"drew {args.before} and {args.after} ({args.kind}, 0.3 m a pixel), and {truth}")


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One COCO file of two images, with ids that differ."""
    names = {each["id"]: each["name"] for each in second["categories"]}
    known = {each["name"]: each["id"] for each in first["categories"]}
    for name in names.values():
        known.setdefault(name, len(known) + 1)
    images, annotations = list(first["images"]), list(first["annotations"])
    for image in second["images"]:
        images.append({**image, "id": image["id"] + 1})
    for number, each in enumerate(second["annotations"], start=1 + max((a["id"] for a in annotations), default=0)):
        kind = known[names[each["category_id"]]]
        annotations.append({**each, "id": number, "image_id": each["image_id"] + 1, "category_id": kind})
    categories = [{"id": number, "name": name} for name, number in known.items()]
    return {**first, "images": images, "annotations": annotations, "categories": categories}


if __name__ == "__main__":
    main()
