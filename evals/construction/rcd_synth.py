"""Drawn pairs as records: exact masks of what changed, no downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ...core.masks import Mask
from ...synth import KINDS, draw_pair
from ...synth.scene import SynthPair
from ..datasets.record import Record
from .synth_source import SYNTH

CHANGED = ("building", "road")
"""Labels whose change is told apart; the rest is change of any type."""


def synth_pairs(
    n: int,
    *,
    seed: int,
    size_wh: tuple[int, int] = (512, 512),
    root: str | Path | None = None,
    unchanged_every: int = 8,
) -> Iterator[Record]:
    """Records of `n` drawn pairs, kinds in turn; the same arguments give the same records.

    Args:
        n: how many pairs.
        seed: of the first one; the others follow.
        size_wh: px.
        root: folder that the pictures are written to as PNG; None writes nothing.
        unchanged_every: each pair of so many shows the same twice, in another light.
    """
    for number in range(n):
        changes = 0 if number % unchanged_every == unchanged_every - 1 else 14
        kind = KINDS[number % len(KINDS)]
        pair = draw_pair(kind, seed=seed + number, size_wh=size_wh, changes=changes)
        name = f"{kind.replace(' ', '_')}_{seed + number}_{size_wh[0]}x{size_wh[1]}"
        folder = Path() if root is None else Path(root)
        paths = folder / f"{name}_before.png", folder / f"{name}_after.png"
        if root is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path, scene in zip(paths, (pair.before, pair.after), strict=True):
                path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(scene.image_rgb[..., ::-1]))[1].tobytes())
        yield pair_record(pair, name, paths)


def pair_record(pair: SynthPair, name: str, paths: tuple[Path, Path]) -> Record:
    """A drawn pair as a record."""
    before = pair.before
    changed = {label: Mask.from_array(pair.change.mask(label=label)) for label in CHANGED}
    return Record(
        id=name,
        image=paths[0],
        after=paths[1],
        size_wh=before.size_wh,
        family=f"synth-pair:{before.kind.replace(' ', '_')}-{before.seed}",
        source=SYNTH,
        is_exhaustive=True,
        classes=CHANGED,
        gsd_m=before.gsd_m,
        changed={**changed, "any": Mask.from_array(pair.change.mask())},
    )
