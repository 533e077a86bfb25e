"""How fast a large DOTA-like tree becomes instruction records, and in how much memory.

    python benchmarks/bench_convert.py                    # 100,000 objects
    python benchmarks/bench_convert.py --objects 20000 --runs 1

Draws a tree of labelTxt files with images of 2000 to 4000 px (empty pictures: converting reads only their headers),
then runs `surveyor data convert dota` on it in a process of its own, as a user would. Rates are of the wall clock and
of the processor, best of the runs; the peak is that process's resident memory, and the same for a tenth of the tree
shows whether it grows with the data. Aimed at: 2,000 objects a second, in bounded memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("plane", "ship", "storage-tank", "small-vehicle", "large-vehicle", "harbor", "tennis-court", "bridge")
_WEIGHTS = np.array([3, 15, 4, 45, 15, 3, 2, 1]) / 88
_LENGTHS_PX = {"plane": 60, "ship": 50, "storage-tank": 35, "small-vehicle": 18, "large-vehicle": 40, "harbor": 120, "tennis-court": 60, "bridge": 150}  # fmt: skip  # noqa: E501
_RUN = """
import json, resource, sys, time
from surveyor.app.cli import main
began, spent = time.perf_counter(), time.process_time()
code = main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([code, time.perf_counter() - began, time.process_time() - spent, peak]))
"""


@cache
def empty_picture(width: int, height: int) -> bytes:
    """A black PNG."""
    return bytes(cv2.imencode(".png", np.zeros((height, width), np.uint8))[1].tobytes())


def draw_tree(root: Path, objects: int, seed: int = 0) -> int:
    """Writes labelTxt files and empty images with that many objects; gives the number of images."""
    rng = np.random.default_rng(seed)
    (root / "train/images").mkdir(parents=True)
    (root / "train/labelTxt").mkdir()
    written, images = 0, 0
    while written < objects:
        width, height = (int(side) for side in rng.choice([2000, 3000, 4000], 2))
        count = min(objects - written, int(rng.lognormal(4.6, 1.0)) + 1)
        labels = rng.choice(CLASSES, count, p=_WEIGHTS)
        lines = ["imagesource:GoogleEarth", "gsd:0.3"]
        for label in labels:
            long = _LENGTHS_PX[label] * rng.uniform(0.7, 1.4)
            wide, angle = long * rng.uniform(0.3, 0.9), rng.uniform(0, np.pi)
            u = np.array([np.cos(angle), np.sin(angle)]) * long / 2
            v = np.array([-np.sin(angle), np.cos(angle)]) * wide / 2
            centre = rng.uniform((0, 0), (width, height))
            corners = np.array([centre - u - v, centre + u - v, centre + u + v, centre - u + v])
            lines.append(" ".join(f"{value:.1f}" for value in corners.reshape(-1)) + f" {label} 0")
        (root / f"train/labelTxt/P{images:04}.txt").write_text("\n".join(lines) + "\n")
        (root / f"train/images/P{images:04}.png").write_bytes(empty_picture(width, height))
        written, images = written + count, images + 1
    return images


def convert(root: Path, out: Path, more: list[str]) -> tuple[float, float, float]:
    """(seconds of the clock, seconds of the processor, peak MB) of a conversion."""
    words = ["data", "convert", "dota", str(root), "--out", str(out), *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words], capture_output=True, text=True, check=True, env=environment
    )
    code, clock, processor, peak_kb = json.loads(done.stdout.splitlines()[-1])
    if code != 0:
        raise RuntimeError(done.stderr)
    return clock, processor, peak_kb / 1024


def main() -> int:
    """Prints a line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("more", nargs="*", help="further options of surveyor data convert, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for objects in (given.objects // 10, given.objects):
            root, out = Path(folder) / str(objects), Path(folder) / f"{objects}.jsonl"
            began = time.perf_counter()
            images = draw_tree(root, objects)
            drawn = time.perf_counter() - began
            runs = [convert(root, out, given.more) for _ in range(given.runs)]
            clock, processor, peak = (min(values) for values in zip(*runs, strict=True))
            meta = json.loads(out.with_suffix(".meta.json").read_text())
            print(
                f"{objects:,} objects in {images:,} images (drawn in {drawn:.0f} s): {objects / clock:,.0f} objects/s "
                f"({objects / processor:,.0f} of the processor), peak {peak:,.0f} MB; "
                f"{meta['records']:,} records, {out.stat().st_size / 1e6:,.0f} MB"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
