"""Instruction records over drawn scenes, to try `surveyor train sft` on: made in seconds, and nobody's data.

    python -m surveyor.finetune.sft.example FOLDER

Writes pictures, train.jsonl and val.jsonl: detection, boxes with key points, region captions, counts and changes. The
scenes of val have seeds of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...core.geometry import farthest_points_in_polygon
from ...synth import draw_pair, draw_scene
from ..records.files import Provenance, write_records
from ..records.record import Instruction, Marked, Picture, with_messages

SIZE_WH = (168, 112)
KINDS = (("airport", "airplane"), ("tank farm", "storage tank"), ("river", "bridge"), ("harbour", "ship"))
"""Kind of a drawn scene, and what is asked for."""


def example_records(folder: Path, scenes: int, seed: int, split: str) -> Iterator[Instruction]:
    """Records over `scenes` drawn scenes and a fourth as many pairs; their pictures are written to the folder."""
    for number in range(scenes):
        kind, label = KINDS[number % len(KINDS)]
        drawn = draw_scene(kind, seed + number, SIZE_WH)
        name = f"{split}-{number:04d}"
        base = {"pictures": (_written(folder, name, drawn.image_rgb),), **_origin(name, split)}
        things = [each for each in drawn.objects if each.label == label]
        corners = [Marked(kind="obb", points=_points(each.corners_px), label=label) for each in things]
        prompts = [
            Marked(kind="box", points=_points(np.reshape(each.box_px, (2, 2))),
                   keypoints=_points(farthest_points_in_polygon(each.polygon_px, 3)))
            for each in things
        ]  # fmt: skip
        yield _record(f"{name}-det", task="det", phrase=label, regions=tuple(corners), **base)
        yield _record(f"{name}-res", task="res", phrase=label, regions=tuple(prompts), **base)
        yield _record(f"{name}-count", task="count", phrase=label, reply=str(len(things)), **base)
        if corners:
            yield _record(f"{name}-region", task="region", regions=(corners[0],), reply=label, **base)
    for number in range(scenes // 4):
        yield _change(folder, f"{split}-pair-{number:04d}", seed + number, split)


def _change(folder: Path, name: str, seed: int, split: str) -> Instruction:
    pair = draw_pair("housing", seed, SIZE_WH, changes=2)
    pictures = tuple(
        _written(folder, f"{name}-{when}", scene.image_rgb)
        for when, scene in (("before", pair.before), ("after", pair.after))
    )
    new = [each for each in pair.change.regions if each.label == "building"]
    regions = tuple(Marked(kind="polygon", points=_points(each.polygon_px)) for each in new)
    return _record(name, task="rcd", phrase="building", pictures=pictures, regions=regions, **_origin(name, split))


def _origin(family: str, split: str) -> dict[str, Any]:
    return {"family": family, "split": split, "source": "drawn scenes (surveyor.synth)", "licence": "Apache-2.0"}


def _record(id: str, **given: Any) -> Instruction:
    return with_messages(Instruction(id=id, **given))


def _points(points: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)


def _written(folder: Path, name: str, rgb: np.ndarray) -> Picture:
    cv2.imwrite(str(folder / f"{name}.png"), rgb[..., ::-1])
    return Picture(path=f"{name}.png", size_wh=(rgb.shape[1], rgb.shape[0]))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=80)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for split, scenes, seed in (("train", given.scenes, 0), ("val", max(4, given.scenes // 5), 10_000)):
        command = f"python -m surveyor.finetune.sft.example FOLDER --scenes {given.scenes}"
        meta = write_records(
            given.folder / f"{split}.jsonl",
            example_records(given.folder, scenes, seed, split),
            Provenance(command, seed),
        )
        print(f"{given.folder / f'{split}.jsonl'}: {meta.records} records")


if __name__ == "__main__":
    main()
