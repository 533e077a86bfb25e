"""The bars of `core`, both sides in one run, minima compared.

    python benchmarks/bench_core.py [--size 20000] [--skip-geotiff]

Prints one row a bar: our time, the other side's time, the ratio, what must hold. Neighbours on the machine change times
many times over, so the single-threaded rows count CPU time; the GeoTIFF part, which uses two threads, counts wall time.
It writes a file of about size^2 * 3 bytes to a temporary folder.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from surveyor.core.geometry import rotated_iou_matrix
from surveyor.core.masks import Mask

WINDOW = 1024


def alternately(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> tuple[float, float, Any, Any]:
    """Least CPU seconds of each side, run in turns so that a neighbour slows both; and their last results."""
    best_ours = best_theirs = float("inf")
    result_ours = result_theirs = None
    gc.disable()
    for _ in range(repeats):
        start = time.process_time()
        result_ours = ours()
        middle = time.process_time()
        result_theirs = theirs()
        stop = time.process_time()
        best_ours, best_theirs = min(best_ours, middle - start), min(best_theirs, stop - middle)
    gc.enable()
    return best_ours, best_theirs, result_ours, result_theirs


def row(what: str, against: str, ours: float, theirs: float, bar: float, note: str = "") -> None:
    """One line of the table."""
    ratio = theirs / ours
    verdict = "holds" if ratio >= bar else "MISSED"
    times = f"{ours * 1e3:>10.2f} {theirs * 1e3:>10.2f} {ratio:>7.1f}x {bar:>5}x"
    print(f"{what:<34} {against:<34} {times} {verdict:<6} {note}")


def dense_boxes(count: int, seed: int) -> np.ndarray:
    """(count, 4, 2) oriented boxes of 30-150 px in a scene of 2000 px."""
    rng = np.random.default_rng(seed)
    centre, half, angle = (
        rng.uniform(0, 2000, (count, 2)),
        rng.uniform(15, 75, (count, 2)),
        rng.uniform(0, np.pi, count),
    )
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1) * half[:, :1]
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=1) * half[:, 1:]
    return np.stack(
        [centre - along - across, centre + along - across, centre + along + across, centre - along + across], 1
    )


def shapely_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The same matrix by an STRtree with predicate and shapely's intersection."""
    first, second = (np.asarray(shapely.polygons(quads)) for quads in (a, b))
    i, j = shapely.STRtree(second).query(first, predicate="intersects")
    inter = shapely.area(shapely.intersection(first[i], second[j]))
    matrix = np.zeros((len(a), len(b)))
    matrix[i, j] = inter / (shapely.area(first[i]) + shapely.area(second[j]) - inter)
    return matrix


def bench_iou() -> None:
    """Rotated IoU, dense 2000 x 2000."""
    a, b = dense_boxes(2000, 0), dense_boxes(2000, 1)
    ours, theirs, x, y = alternately(lambda: rotated_iou_matrix(a, b), lambda: shapely_iou(a, b), 7)
    note = f"{np.count_nonzero(y)} overlapping pairs, largest difference {np.abs(x - y).max():.1e}"
    row("rotated IoU, dense 2000^2", "shapely STRtree intersects", ours, theirs, 2, note)


def bench_rle() -> None:
    """Mask to RLE, 4096 x 4096 in C order."""
    from pycocotools import mask as coco_mask

    noise = np.random.default_rng(0).random((256, 256))
    pixels = cv2.resize(cv2.GaussianBlur(noise, (9, 9), 2), (4096, 4096)) > 0.5
    mask = Mask.from_array(pixels)
    array = pixels.astype(np.uint8)
    ours, theirs, x, y = alternately(mask.to_rle, lambda: coco_mask.encode(np.asfortranarray(array)), 7)
    same = "same text" if x["counts"] == y["counts"].decode() else "DIFFERENT text"
    row("mask -> RLE, 4096^2", "pycocotools, asfortranarray", ours, theirs, 4, same)


def bench_polygons() -> None:
    """Mask to polygons at three sizes, and the error of going from polygon to mask."""
    from rasterio import features

    def theirs_of(masks: list[np.ndarray]) -> list[list[Any]]:
        return [[shapely.geometry.shape(g) for g, _ in features.shapes(m, mask=m.view(bool))] for m in masks]

    for size, count, repeats in ((10, 200, 5), (100, 100, 5), (2000, 2, 3)):
        discs = [polygon_like_disc(size, seed) for seed in range(count)]
        masks = [Mask.from_polygon(disc, canvas_hw(size)) for disc in discs]
        arrays = [m.to_array().astype(np.uint8) for m in masks]
        ours, theirs, x, y = alternately(
            partial(lambda masks: [m.to_polygons() for m in masks], masks), partial(theirs_of, arrays), repeats
        )
        pixels = sum(m.area_px for m in masks)
        lost = abs(sum(p.area for ps in x for p in ps) / pixels - 1)
        theirs_lost = abs(sum(p.area for ps in y for p in ps) / pixels - 1)
        filled = pixels / sum(shapely.Polygon(disc).area for disc in discs) - 1
        note = f"area error {lost:.2%} (theirs {theirs_lost:.2%}); polygon -> mask {filled:+.2%}"
        note += f", cv2.fillPoly {fill_poly(discs, size):+.2%}"
        row(f"mask -> polygon, {count} of {size} px", "rasterio.features.shapes", ours, theirs, 1, note)


def polygon_like_disc(size: int, seed: int) -> np.ndarray:
    """A wobbly ring about `size` px across, centred off the pixel grid."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, max(24, size), endpoint=False)
    radius = size / 2 * (1 + 0.1 * np.sin(5 * angle + rng.uniform(0, 6)))
    centre = canvas_hw(size)[0] / 2 + rng.uniform(-0.5, 0.5, 2)
    return centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def canvas_hw(size: int) -> tuple[int, int]:
    """Room for an object of that size."""
    return int(1.2 * size) + 4, int(1.2 * size) + 4


def fill_poly(discs: list[np.ndarray], size: int) -> float:
    """Relative area error of cv2.fillPoly with fixed-point corners."""
    filled = 0
    for disc in discs:
        canvas = np.zeros(canvas_hw(size), np.uint8)
        cv2.fillPoly(canvas, [np.round((disc - 0.5) * 16).astype(np.int32)], 1, shift=4)
        filled += int(canvas.sum())
    return filled / sum(shapely.Polygon(disc).area for disc in discs) - 1


def write_geotiff(path: Path, size: int) -> None:
    """A tiled, compressed GeoTIFF whose content neither repeats nor compresses to nothing."""
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    rng = np.random.default_rng(0)
    base = cv2.resize(
        rng.integers(0, 255, (300, 300, 3)).astype(np.uint8), (WINDOW, WINDOW), interpolation=cv2.INTER_CUBIC
    )
    base = np.minimum(base, 249) + rng.integers(0, 6, base.shape).astype(np.uint8)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8", "tiled": True}
    profile |= {"blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1, "interleave": "pixel"}
    place = {"crs": "EPSG:32611", "transform": Affine(0.5, 0, 430_000, 0, -0.5, 3_770_000)}
    with rasterio.open(path, "w", **profile, **place) as file:
        for y in range(0, size, WINDOW):
            for x in range(0, size, WINDOW):
                width, height = min(WINDOW, size - x), min(WINDOW, size - y)
                tile = np.moveaxis(np.roll(base, (x // 7, y // 5), axis=(0, 1)), 2, 0)[:, :height, :width]
                file.write(tile, window=Window(x, y, width, height))


def pass_over(path: Path, how: str) -> None:
    """Child process: reads all pixels once and prints seconds, the process's peak in MB and a sum over the pixels."""
    import resource

    if how == "whole":
        import rasterio

        start = time.perf_counter()
        with rasterio.open(path) as file:
            total = int(np.ascontiguousarray(np.moveaxis(file.read(), 0, -1))[::64, ::64].sum(dtype=np.int64))
    else:
        from surveyor.core.scene import Scene

        start = time.perf_counter()
        scene = Scene.open(path)
        width, height = scene.size_wh
        boxes = [
            (x, y, min(x + WINDOW, width), min(y + WINDOW, height))
            for y in range(0, height, WINDOW)
            for x in range(0, width, WINDOW)
        ]
        with ThreadPoolExecutor(2) as pool:
            total = sum(pool.map(lambda box: int(scene.read(box)[::64, ::64].sum(dtype=np.int64)), boxes))
    seconds = time.perf_counter() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, total)


def bench_geotiff(size: int, repeats: int = 3) -> None:
    """A pass by windows on two threads against reading the whole file into (H, W, 3)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        write_geotiff(path, size)
        found: dict[str, list[list[float]]] = {"windows": [], "whole": []}
        for _ in range(repeats):
            for how, rows in found.items():
                command = [sys.executable, __file__, "--child", how, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                rows.append([float(v) for v in done.stdout.split()])
    ours, theirs = (min(r[0] for r in found[how]) for how in ("windows", "whole"))
    peak, their_peak = (min(r[1] for r in found[how]) for how in ("windows", "whole"))
    same = "same pixels" if found["windows"][0][2] == found["whole"][0][2] else "DIFFERENT pixels"
    speed = size * size * 3 / 1e6
    note = f"{speed / ours:.0f} against {speed / theirs:.0f} MB/s, {same}"
    row(f"GeoTIFF {size}^2, windows, 2 threads", "rasterio read() to (H, W, 3)", ours, theirs, 1.5, note)
    ratio = their_peak / peak
    holds = "holds" if ratio >= 8 else "MISSED"
    print(f"{'  its peak memory, MB':<69} {peak:>10.0f} {their_peak:>10.0f} {ratio:>7.1f}x {8:>5}x {holds}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=20_000, help="side of the GeoTIFF in px")
    parser.add_argument("--skip-geotiff", action="store_true", help="leave out the part that needs 1 GB of disk")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        pass_over(Path(options.child[1]), options.child[0])
        return
    print(f"{'what':<34} {'against':<34} {'ours ms':>10} {'theirs ms':>10} {'ratio':>8} {'bar':>6}")
    bench_iou()
    bench_rle()
    bench_polygons()
    if not options.skip_geotiff:
        bench_geotiff(options.size)


if __name__ == "__main__":
    main()
