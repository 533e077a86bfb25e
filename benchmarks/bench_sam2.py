"""The bar of SAM-2, both sides in one run, minima compared: N masks on one image against one encode and N decodes.

    python benchmarks/bench_sam2.py [--prompts 16] [--size 1024] [--repeats 2] [--skip-memory]

A random checkpoint of the size of SAM-2.1 "tiny" (39 M parameters) is made in a temporary folder; weights don't change
times. Single-threaded, CPU seconds, since neighbours on the machine change wall times. The memory row segments objects
all over a 4,000 px scene in a process of its own and compares its peak with that of the loaded model.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from surveyor.core.protocols import MaskPrompt
from surveyor.core.scene import Scene
from surveyor.finetune.scratch.sam2 import make_sam2_hub
from surveyor.tools.models.sam2 import Sam2Segmenter

TINY = {"width": 96, "hidden": 256}


def scene_of(size: int) -> Scene:
    """Noise that does not compress."""
    return Scene.from_array(np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8))


def boxes_in(size: int, count: int, side: int = 80) -> np.ndarray:
    """(count, 4) px, spread evenly."""
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, size - side, (count, 2))
    return np.concatenate([corners, corners + side], axis=1)


def alternately(sides: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Least CPU seconds of each side, run in turns."""
    best = [float("inf")] * len(sides)
    for _ in range(repeats):
        for i, side in enumerate(sides):
            start = time.process_time()
            side()
            best[i] = min(best[i], time.process_time() - start)
    return best


def row(what: str, against: str, ours: float, theirs: float, most: float) -> None:
    """One line of the table; `most` is how much longer ours may take."""
    verdict = "holds" if ours <= most * theirs else "MISSED"
    print(f"{what:<42} {against:<38} {ours:>8.2f} {theirs:>8.2f} {ours / theirs:>6.2f}x  <= {most:<4} {verdict}")


def bench_masks(folder: Path, size: int, count: int, repeats: int) -> None:
    """N masks of one image, cold and with the image in the cache, against the library called by hand."""
    import torch

    scene, boxes = scene_of(size), boxes_in(size, count)
    prompts = [MaskPrompt(box) for box in boxes]
    segmenter = Sam2Segmenter.at(f"{folder}?device=cpu")
    engine: Any = segmenter._loaded()
    parts: dict[str, float] = {}

    def ours() -> None:
        segmenter._kept.clear()
        segmenter.segment(scene, prompts)

    def again() -> None:
        segmenter.segment(scene, prompts)

    def by_hand(with_encode: bool = True) -> None:
        with torch.inference_mode():
            start = time.process_time()
            if with_encode:
                image = engine.preprocessing.to_tensor(scene.read(), torch.device("cpu"))
                by_hand.kept = engine.model.get_image_embeddings(image)  # type: ignore[attr-defined]
                parts["encode"] = time.process_time() - start
            kept = list(by_hand.kept)  # type: ignore[attr-defined]
            start = time.process_time()
            for box in boxes:
                asked = torch.tensor(box - 0.5, dtype=torch.float32)[None, None]
                out = engine.model(image_embeddings=kept, input_boxes=asked, multimask_output=False)
                whole = torch.nn.functional.interpolate(out.pred_masks[0], (size, size), mode="bilinear")
                (whole > 0).numpy()
            parts["decode"] = (time.process_time() - start) / count

    cold, hand, warm, decodes = alternately([ours, by_hand, again, lambda: by_hand(False)], repeats)
    row(f"{count} masks on one image, {size} px", f"encode once + {count} decodes", cold, hand, 1.1)
    row(f"{count} masks on a known image", f"{count} decodes", warm, decodes, 1.1)
    print(f"    by hand: encode {parts['encode']:.2f} s, decode {parts['decode'] * 1e3:.0f} ms a prompt")


def peak_mb() -> float:
    """Of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_child(folder: Path, size: int) -> None:
    """Child process: prints its peak with the model loaded, after one small image, and after a 4,000 px scene."""
    segmenter = Sam2Segmenter.at(f"{folder}?device=cpu")
    segmenter._loaded()
    loaded = peak_mb()
    segmenter.segment(scene_of(size), [MaskPrompt(boxes_in(size, 1)[0])])
    small = peak_mb()
    segmenter.segment(scene_of(4000), [MaskPrompt(box) for box in boxes_in(4000, 12)])
    print(loaded, small, peak_mb())


def bench_memory(folder: Path, size: int) -> None:
    """Peak memory of a large scene above that of a small one."""
    command = [sys.executable, __file__, "--child", str(folder), "--size", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded, small, large = (float(word) for word in done.stdout.split())
    verdict = "holds" if large - loaded <= 1024 else "MISSED"
    print(
        f"peak memory: model loaded {loaded:.0f} MB, one image +{small - loaded:.0f} MB, 12 masks on a 4,000 px scene "
        f"+{large - loaded:.0f} MB  <= 1024 {verdict}"
    )


def main() -> None:
    """Makes the checkpoint and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError:
        print("SKIPPED: needs torch and transformers")
        return
    torch.set_num_threads(1)
    if given.child:
        memory_child(given.child, given.size)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = make_sam2_hub(place, size=given.size, **TINY)
        print(f"{'what':<42} {'against':<38} {'ours s':>8} {'theirs':>8} {'ratio':>7}  {'bar':<7}")
        bench_masks(folder, given.size, given.prompts, given.repeats)
        if not given.skip_memory:
            bench_memory(folder, given.size)


if __name__ == "__main__":
    main()
