"""Draws a labelled aerial scene: a GeoTIFF with a place on the map, and its true annotation beside it (COCO).

    python examples/draw_scene.py out/scene.tif --kind airport --seed 7

Ask of it with the embedded models, or with the truth instead of a detector:

    surveyor ask out/scene.tif "planes longer than 40 m" --out out
    surveyor ask out/scene.tif "planes west of the runway" --models grounder=oracle:out/scene.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import rasterio
from affine import Affine
from surveyor.synth import KINDS, draw_scene


def main() -> None:
    """Reads the command line and writes the two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the GeoTIFF to write; the annotation gets the same name and .json")
    parser.add_argument("--kind", choices=KINDS, default="airport")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", default="1024x1024", help="width x height in pixels, such as 1000x700")
    args = parser.parse_args()
    width, height = (int(side) for side in args.size.split("x"))
    scene = draw_scene(args.kind, seed=args.seed, size_wh=(width, height))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": "EPSG:32633", "transform": Affine(scene.gsd_m, 0, 500_000, 0, -scene.gsd_m, 5_400_000)}
    shape = {"width": width, "height": height, "count": 3, "dtype": "uint8"}
    with rasterio.open(args.out, "w", driver="GTiff", compress="deflate", **shape, **place) as file:
        file.write(scene.image_rgb.transpose(2, 0, 1))
    truth = args.out.with_suffix(".json")
    truth.write_text(json.dumps(scene.to_coco(args.out.name)), encoding="utf-8")
    print(f"drew {args.out} ({args.kind}, {scene.gsd_m:.2f} m a pixel) and {truth}")


if __name__ == "__main__":
    main()
