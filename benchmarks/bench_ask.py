"""Whole requests with the embedded models: warm time on a 1000 x 700 photo, and a huge GeoTIFF's time and peak memory.

    python benchmarks/bench_ask.py              # the photo-sized part only, seconds
    python benchmarks/bench_ask.py --huge       # and a drawn 10,000 x 10,000 GeoTIFF, minutes

Bars: warm ask on 1000 x 700 at most 1.5 s on two cores; the huge scene at most 1.5 GB of memory, with progress.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import surveyor

REPEATS = 5
QUERIES = (
    "how many vehicles are there?",
    "detect the planes longer than 30 m north of the largest building",
    "segment the planes longer than 10 m in the left half",
)
HUGE_PX = 10_000


def photo_sized() -> None:
    """Warm times of three requests on a drawn airport."""
    scene = surveyor.draw_scene("airport", seed=3, size_wh=(1000, 700))
    print(f"{'request on 1000 x 700 (warm)':<62}{'best s':>8}{'median s':>10}{'bar':>6}")
    for query in QUERIES:
        surveyor.ask(scene.image_rgb, query, gsd=scene.gsd_m, cache=False)
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            surveyor.ask(scene.image_rgb, query, gsd=scene.gsd_m, cache=False)
            times.append(time.perf_counter() - start)
        print(f"{query:<62}{min(times):>8.2f}{float(np.median(times)):>10.2f}{1.5:>6}")


def huge() -> None:
    """A child process asks of a GeoTIFF of 10,000 x 10,000 px made of drawn tiles; its peak memory is the figure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "huge.tif"
        write_huge(path)
        code = f"""
import resource, time, surveyor
reports = []
start = time.perf_counter()
answer = surveyor.ask({str(path)!r}, "planes longer than 20 m", cache=False, progress=lambda *r: reports.append(r))
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - start, peak_mb, len(reports), answer.count)
"""
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, peak_mb, reports, count = done.stdout.split()
    print(f"\n{HUGE_PX} x {HUGE_PX} GeoTIFF: {float(seconds):.0f} s, peak {float(peak_mb):.0f} MB (bar 1536),", end=" ")
    print(f"{reports} progress reports, {count} found")


def write_huge(path: Path) -> None:
    """A tiled GeoTIFF, 0.5 m a pixel, of drawn 500 px scenes, written row by row."""
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    tile = 500
    scenes = [surveyor.draw_scene("airport", seed=k, size_wh=(tile, tile), gsd_m=0.5).image_rgb for k in range(8)]
    profile = {
        "driver": "GTiff",
        "width": HUGE_PX,
        "height": HUGE_PX,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32633",
    }
    profile |= {
        "transform": from_origin(400_000, 5_800_000, 0.5, 0.5),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
    }
    with rasterio.open(path, "w", **profile) as out:
        for y in range(0, HUGE_PX, tile):
            row = np.concatenate([scenes[(x + y) // tile % len(scenes)] for x in range(0, HUGE_PX, tile)], axis=1)
            out.write(row.transpose(2, 0, 1), window=Window(0, y, HUGE_PX, tile))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--huge", action="store_true", help="also the 10,000 x 10,000 GeoTIFF (minutes)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    photo_sized()
    if options.huge:
        huge()
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
