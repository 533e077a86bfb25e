"""Co-registration of two dates: how far off, which real pairs are taken, whether unrelated ones are refused, seconds.

    python benchmarks/bench_pair.py                            # drawn pairs moved by up to 12 px and 2 degrees
    python benchmarks/bench_pair.py --data ../shared/data      # real pairs, as they are and mixed up
    python benchmarks/bench_pair.py --data ... --held-out      # those that no limit was set on

Errors are of the worst of 25 points spread over the image, in px. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import cv2
import numpy as np
from surveyor.core.alignment import estimate
from surveyor.core.scene import Scene
from surveyor.evals.datasets.held_out import is_held_out
from surveyor.synth import KINDS, draw_pair

SOURCES = ("levir", "fotbcd", "dsifn", "xbd")
Pair = tuple[str, str, np.ndarray, np.ndarray]
Moved = tuple[np.ndarray, np.ndarray]


def moved(image: np.ndarray, side: int, shift_px: tuple[float, float], turn_deg: float) -> Moved:
    """The middle of an image, turned and shifted; and the (2, 3) matrix from the unmoved middle's px to these."""
    margin, middle, turn = (image.shape[0] - side) / 2, np.array([side / 2, side / 2]), math.radians(turn_deg)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    matrix = np.column_stack([rotation, middle - rotation @ middle + shift_px])
    back = cv2.invertAffineTransform(matrix)
    back[:, 2] += margin + back[:, :2] @ [0.5, 0.5] - 0.5  # cv2 counts from the middle of the first pixel
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, back, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT), matrix


def worst_px(one: np.ndarray, other: np.ndarray, side: int) -> float:
    """How far apart two matrices put the worst of 25 points."""
    points = np.stack(np.meshgrid(np.linspace(0, side, 5), np.linspace(0, side, 5)), axis=-1).reshape(-1, 2)
    gap = points @ (one[:, :2] - other[:, :2]).T + one[:, 2] - other[:, 2]
    return float(np.linalg.norm(gap, axis=1).max())


def drawn(side: int, seeds: int) -> None:
    """Prints errors, peaks and seconds of drawn pairs whose earlier date was moved."""
    rng = np.random.default_rng(0)
    errors, peaks, spent = [], [], []
    for kind in KINDS:
        for seed in range(seeds):
            pair = draw_pair(kind, 100 + seed, (side + 80, side + 80))
            shift = (float(rng.uniform(-12, 12)), float(rng.uniform(-12, 12)))
            before, matrix = moved(pair.before.image_rgb, side, shift, float(rng.uniform(-2, 2)))
            after = np.ascontiguousarray(pair.after.image_rgb[40 : 40 + side, 40 : 40 + side])
            begun = time.process_time()
            found = estimate(Scene.from_array(before), Scene.from_array(after))
            spent.append(time.process_time() - begun)
            errors.append(worst_px(matrix, found.matrix, side))
            peaks.append(found.peak)
    off = f"{np.median(errors):.2f} px in the median, {max(errors):.2f} at most"
    print(f"{len(errors)} drawn pairs of {side} px: off by {off}; peaks of {min(peaks):.1f} and more;")
    print(f"{np.median(spent):.2f} s in the median, {max(spent):.2f} at most")


def real_pairs(data: Path, held_out: bool) -> list[Pair]:
    """Source, name, before and after of the pairs of `change/`."""
    found = []
    for source in SOURCES:
        folder = data / "change" / source
        files = sorted((folder / "A").glob("*.png")) or sorted((folder / "images").glob("*_pre_disaster.png"))
        for path in files:
            name = path.stem.removesuffix("_pre_disaster")
            after = path.parents[1] / "B" / path.name
            if source == "xbd":
                after = path.with_name(f"{name}_post_disaster.png")
            if is_held_out(source, name) is held_out:
                found.append((source, name, _rgb(path), _rgb(after)))
    return found


def real(pairs: list[Pair]) -> None:
    """Prints what is found of each pair, and how many mixed-up pairs of one source and size are taken."""
    for source, name, before, after in pairs:
        found = estimate(Scene.from_array(before), Scene.from_array(after))
        shift = np.hypot(*found.moved_px((after.shape[1], after.shape[0])))
        told = f"{shift:.1f} px, {found.turn_deg:.2f} degrees" if found.matched else "refused"
        print(f"{source:7s} {name:28s} peak {found.peak:5.1f}  quality {found.quality:.2f}  {told}")
    peaks, taken = [], 0
    for source, name, before, _ in pairs:
        for other, same, _, after in pairs:
            if source == other and name != same and before.shape == after.shape:
                found = estimate(Scene.from_array(before), Scene.from_array(after))
                peaks.append(found.peak)
                taken += found.matched
    print(f"{len(peaks)} unrelated pairs: {taken} taken; peaks of at most {max(peaks, default=0):.2f}")


def _rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(cv2.imread(str(path)))[..., ::-1])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with change/: real pairs instead of drawn ones")
    parser.add_argument("--held-out", action="store_true", help="the pairs that are kept apart")
    parser.add_argument("--side", type=int, default=512, help="px of drawn pairs (default: 512)")
    parser.add_argument("--seeds", type=int, default=2, help="drawn pairs of each kind (default: 2)")
    told = parser.parse_args()
    cv2.setNumThreads(1)
    if told.data:
        real(real_pairs(told.data, told.held_out))
    else:
        drawn(told.side, told.seeds)


if __name__ == "__main__":
    main()
