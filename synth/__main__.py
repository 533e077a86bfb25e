"""`python -m surveyor.synth --kind airport --seed 3 --out DIR`: writes scene.png and scene.json (COCO)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.errors import SurveyorError, UsageError
from .draw import KINDS, draw_pair, draw_scene
from .scene import SynthPair, SynthScene


def write_scene(scene: SynthScene, folder: Path, stem: str = "scene") -> None:
    """Write STEM.png and STEM.json (COCO) into the folder.

    Raises:
        UsageError: the folder cannot be written.
    """
    _write_image(folder / f"{stem}.png", scene.image_rgb[..., ::-1])
    _write_json(folder / f"{stem}.json", scene.to_coco(f"{stem}.png"))


def write_pair(pair: SynthPair, folder: Path) -> None:
    """Write before and after as scenes, change.png (0 none, 1 appeared, 2 disappeared, times 127) and change.json.

    Raises:
        UsageError: the folder cannot be written.
    """
    write_scene(pair.before, folder, "before")
    write_scene(pair.after, folder, "after")
    code = pair.change.mask("appeared") * np.uint8(127)
    code[pair.change.mask("disappeared")] = 254
    _write_image(folder / "change.png", code)
    changes = [
        {"type": c.type, "label": c.label, "name": c.thing.id, "polygon_px": c.polygon_px.tolist()}
        for c in pair.change.regions
    ]
    _write_json(folder / "change.json", {"before": "before.png", "after": "after.png", "changes": changes})


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    packed = cv2.imencode(".png", image)[1].tobytes()
    try:
        path.write_bytes(packed)
    except OSError as fault:
        raise UsageError(f"cannot write {str(path)!r}: {fault.strerror}; choose another --out folder") from fault


def _write_json(path: Path, record: dict[str, object]) -> None:
    try:
        path.write_text(json.dumps(record), encoding="utf-8")
    except OSError as fault:
        raise UsageError(f"cannot write {str(path)!r}: {fault.strerror}; choose another --out folder") from fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line asks for; 0, or 2 for a bad argument."""
    parser = argparse.ArgumentParser(prog="python -m surveyor.synth", description="Draw a labelled aerial scene.")
    parser.add_argument("--kind", default="airport", help=f"one of: {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(512, 512), metavar=("W", "H"), help="pixels")
    parser.add_argument("--gsd", type=float, default=None, help="metres per pixel; the kind chooses by default")
    parser.add_argument("--pair", action="store_true", help="write before.*, after.*, change.* instead of scene.*")
    parser.add_argument("--out", type=Path, required=True, help="folder; made when missing")
    given = parser.parse_args(arguments)
    try:
        size_wh = (given.size[0], given.size[1])
        drawn = (draw_pair if given.pair else draw_scene)(given.kind, given.seed, size_wh, given.gsd)
        try:
            given.out.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise UsageError(f"cannot make the folder {str(given.out)!r}: {fault.strerror}") from fault
        if isinstance(drawn, SynthPair):
            write_pair(drawn, given.out)
        else:
            write_scene(drawn, given.out)
    except SurveyorError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
