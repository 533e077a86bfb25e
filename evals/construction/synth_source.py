"""Drawn scenes as records: exact outlines of everything, no downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ...synth import AREA_LABELS, KINDS, OBJECT_LABELS, draw_scene
from ...synth.scene import SynthScene
from ..datasets.record import Record, Source, Thing

SYNTH = Source("surveyor.synth", "Apache-2.0", "drawn by this program")


def synth_records(
    n: int, *, seed: int, size_wh: tuple[int, int] = (900, 900), root: str | Path | None = None
) -> Iterator[Record]:
    """Records of `n` drawn scenes, kinds in turn; the same arguments give the same records.

    Args:
        n: how many scenes.
        seed: of the first one; the others follow.
        size_wh: px.
        root: folder that the pictures are written to as PNG; None writes nothing.
    """
    for number in range(n):
        scene = draw_scene(KINDS[number % len(KINDS)], seed=seed + number, size_wh=size_wh)
        name = f"{scene.kind.replace(' ', '_')}_{scene.seed}_{size_wh[0]}x{size_wh[1]}"
        path = Path(f"{name}.png") if root is None else Path(root) / f"{name}.png"
        if root is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(scene.image_rgb[..., ::-1]))[1].tobytes())
        yield to_record(scene, name, path)


def to_record(scene: SynthScene, name: str, path: Path) -> Record:
    """A drawn scene as a record."""
    things = tuple(
        Thing(
            id=thing.id,
            label=thing.label,
            box_px=thing.box_px,
            corners_px=thing.corners_px,
            polygon_px=thing.polygon_px,
            attributes={"visible_fraction": repr(float(thing.visible_fraction))}
            | ({"colour": thing.colour} if thing.colour else {}),
        )
        for thing in (*scene.objects, *scene.areas)
    )
    return Record(
        id=name,
        image=path,
        size_wh=scene.size_wh,
        family=f"synth:{scene.kind.replace(' ', '_')}-{scene.seed}",
        source=SYNTH,
        things=things,
        is_exhaustive=True,
        classes=(*OBJECT_LABELS, *AREA_LABELS),
        gsd_m=scene.gsd_m,
    )
