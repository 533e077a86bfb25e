"""Relation edges among N oriented boxes: surveyor's STRtree rules against plain numpy over all N x N pairs.

    python benchmarks/bench_relate.py

Both sides find the same edges ("near": polygon distance up to two lengths of the object) on the same scenes of constant
density, and the run fails when their edges differ. The plain side computes all upright-box gaps with numpy, in blocks
that fit the cache, and measures the polygons of what is left with shapely, as surveyor does. Times are the
processor's, best of several runs. Held: at 2,000 boxes at least 10 x faster, and from 2,000 to 20,000 boxes at most
15 x the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import shapely
from surveyor.core.geometry import box_to_corners, corners_to_box
from surveyor.core.regions import Region
from surveyor.tools.bands import CRISP
from surveyor.tools.layout import Layout
from surveyor.tools.pairs import near_pairs

_BLOCK = 512


def scattered(number: int, seed: int = 0) -> list[Region]:
    """`number` oriented boxes, 10 to 40 px long, about four neighbours each at any number."""
    rng = np.random.default_rng(seed)
    side = 80.0 * np.sqrt(number)
    centers, angles = rng.uniform(0, side, (number, 2)), rng.uniform(0, np.pi, number)
    lengths, widths = rng.uniform(10, 40, number), rng.uniform(8, 20, number)
    half = np.stack([lengths, widths], axis=1)[:, None] / 2
    upright = box_to_corners(np.array([-1.0, -1.0, 1.0, 1.0])) * half
    turn = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], axis=1).reshape(-1, 2, 2)
    corners = centers[:, None] + upright @ turn.transpose(0, 2, 1)
    return [Region(f"p{i}", "plane", c, corners_to_box(c)) for i, c in enumerate(corners)]


def with_tree(regions: list[Region]) -> np.ndarray:
    """Edges by surveyor, from bare regions (arrays and shapes are built inside)."""
    layout = Layout(regions)
    found = near_pairs(layout, layout, CRISP)
    return np.stack([found.rows, found.columns], axis=1)[found.rows != found.columns]


def all_pairs(regions: list[Region]) -> np.ndarray:
    """The same edges by numpy over all pairs."""
    layout = Layout(regions)
    boxes, shapes, reach = layout.boxes, layout.shapes, 2.0 * layout.sizes
    edges = []
    for start in range(0, len(boxes), _BLOCK):
        part = boxes[start : start + _BLOCK]
        gap_x = np.maximum(part[:, None, 0] - boxes[None, :, 2], boxes[None, :, 0] - part[:, None, 2])
        gap_y = np.maximum(part[:, None, 1] - boxes[None, :, 3], boxes[None, :, 1] - part[:, None, 3])
        rows, columns = np.nonzero(np.hypot(np.clip(gap_x, 0, None), np.clip(gap_y, 0, None)) <= reach[None])
        rows = rows + start
        held = (shapely.distance(shapes[rows], shapes[columns]) <= reach[columns]) & (rows != columns)
        edges.append(np.stack([rows[held], columns[held]], axis=1))
    return np.concatenate(edges)


def best_ms(call: Callable[[], np.ndarray], repeats: int) -> float:
    """Shortest processor time of a call (both sides use one thread)."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def main() -> int:
    """Prints the table; 1 when a bar is missed or the edges differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--skip-large", action="store_true", help="leave out 20,000 boxes on the plain side")
    args = parser.parse_args()
    print(f"{'boxes':>7} {'edges':>8} {'surveyor ms':>12} {'numpy N x N ms':>15} {'ratio':>7}")
    ours, ratio = {}, {}
    for number in (200, 2_000, 20_000):
        regions = scattered(number)
        edges = with_tree(regions)
        ours[number] = best_ms(lambda regions=regions: with_tree(regions), args.repeats)  # type: ignore[misc]
        if number == 20_000 and args.skip_large:
            print(f"{number:>7,} {len(edges):>8,} {ours[number]:>12.1f} {'-':>15} {'-':>7}")
            continue
        plain_edges = all_pairs(regions)
        if sorted(map(tuple, edges.tolist())) != sorted(map(tuple, plain_edges.tolist())):
            print("the two sides found different edges", file=sys.stderr)
            return 1
        plain = best_ms(lambda regions=regions: all_pairs(regions), 1 if number > 2_000 else args.repeats)  # type: ignore[misc]
        ratio[number] = plain / ours[number]
        print(f"{number:>7,} {len(edges):>8,} {ours[number]:>12.1f} {plain:>15.1f} {ratio[number]:>7.1f}")
    growth = ours[20_000] / ours[2_000]
    print(f"2,000 boxes: {ratio[2_000]:.1f} x faster (bar 10); 2,000 -> 20,000: {growth:.1f} x the time (bar 15)")
    return 0 if ratio[2_000] >= 10 and growth <= 15 else 1


if __name__ == "__main__":
    raise SystemExit(main())
