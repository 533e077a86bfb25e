"""Drawn scenes turned over, shifted, enlarged and shuffled: requests must give the same regions through the oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan
from surveyor.agent.run import run
from surveyor.core.scene import Scene
from surveyor.synth import draw_scene
from surveyor.tools.models.spec import load_models

Points = Callable[[np.ndarray], np.ndarray]
SCENES = (("airport", 2), ("harbour", 3), ("river", 1), ("tank farm", 4))
REQUESTS = {
    "airport": (
        "planes longer than 30 m",
        "planes left of the terminal",
        "planes longer than the shortest plane",
        "planes parallel to the runway",
        "planes on the north side of the runway",
        "planes on the same side of the runway as the largest building",
        "the second plane from the left",
        "planes in the top half or not near the runway",
        "planes larger than average",
        "the two most central planes",
    ),
    "harbour": (
        "ships in a group of at least three",
        "the largest ship on the left",
        "ships larger than all cars",
        "ships within 40 m of at least two ships",
        "how many ships are in the bottom right quadrant?",
        "the three ships nearest to the largest building",
        "how far are the ships from the largest building?",
        "are there at least twice as many cars as ships?",
        "ships shorter than the average of ships near the quay",
    ),
    "river": (
        "houses on the east bank of the river",
        "buildings on both sides of the river",
        "buildings on this side of the river",
        "trees further up than the river",
        "are there more buildings north of the river than south of it?",
        "buildings between the river and roads",
    ),
    "tank farm": (
        "storage tanks in a row",
        "storage tanks surrounded by at least two storage tanks",
        "tanks larger than the two smallest tanks",
        "tanks above and to the left of the largest tank",
        "total area of the tanks that are not small",
        "tanks if there are more than two tanks in the left half",
    ),
}
WHERE = re.compile(r"\b(top|bottom|left|right|quadrant|half|this side|central)\b")
SWAPS = (
    {"left": "right", "west": "east"},
    {"top": "bottom", "north": "south", "above": "below", "up": "down"},
)
CASES = [(kind, seed, query) for kind, seed in SCENES for query in REQUESTS[kind]]


def found(tmp_path: Path, coco: dict[str, Any], size_wh: tuple[int, int], gsd_m: float, query: str) -> Any:
    """Ids, numbers and verdict of the answer, whatever their order."""
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(coco), encoding="utf-8")
    scene = Scene.from_array(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), gsd_m=gsd_m, name="scene")
    answer = run(make_plan(parse(query)), scene, models=load_models(f"grounder=oracle:{path}"))
    values = sorted((m.region_id, round(m.value or -1.0, 4)) for m in answer.values)
    undecided = sorted(c.region.id for c in answer.rejected if c.status is None)
    return sorted(c.region.id for c in answer.regions), undecided, answer.count, answer.verdict, values


def changed(coco: dict[str, Any], points: Points) -> dict[str, Any]:
    """The annotation with every outline changed."""
    records = []
    for record in coco["annotations"]:
        ring = points(np.array(record["segmentation"][0]).reshape(-1, 2))
        (x0, y0), (x1, y1) = ring.min(axis=0), ring.max(axis=0)
        box = [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]
        records.append(record | {"segmentation": [ring.ravel().tolist()], "bbox": box})
    return coco | {"annotations": records}


def mirrored_words(query: str, axis: int) -> str:
    swap = SWAPS[axis] | {value: key for key, value in SWAPS[axis].items()}
    return " ".join(swap.get(word, word) for word in query.split())


@pytest.mark.parametrize(("kind", "seed", "query"), CASES, ids=[case[2] for case in CASES])
def test_the_same_scene_seen_otherwise(tmp_path: Path, kind: str, seed: int, query: str) -> None:
    drawn = draw_scene(kind, seed)
    coco, (width, height), gsd = drawn.to_coco("scene.png"), drawn.size_wh, drawn.gsd_m
    here = found(tmp_path, coco, (width, height), gsd, query)
    sizes = np.array([width, height], dtype=float)
    for axis in (0, 1):

        def mirror(ring: np.ndarray, axis: int = axis) -> np.ndarray:
            turned = ring.copy()
            turned[:, axis] = sizes[axis] - turned[:, axis]
            return turned

        there = found(tmp_path, changed(coco, mirror), (width, height), gsd, mirrored_words(query, axis))
        assert there == here, f"mirrored along axis {axis}"
    large = found(tmp_path, changed(coco, lambda ring: ring * 2), (2 * width, 2 * height), gsd / 2, query)
    assert large == here, "enlarged"
    shuffled = coco | {"annotations": coco["annotations"][::-1]}
    assert found(tmp_path, shuffled, (width, height), gsd, query) == here, "shuffled"
    if not WHERE.search(query):
        moved = changed(coco, lambda ring: ring + np.array([40.0, 70.0]))
        assert found(tmp_path, moved, (width + 40, height + 70), gsd, query) == here, "shifted"


def test_the_requests_are_not_all_empty(tmp_path: Path) -> None:
    answers = []
    for kind, seed, query in CASES:
        drawn = draw_scene(kind, seed)
        answers.append(found(tmp_path, drawn.to_coco("scene.png"), drawn.size_wh, drawn.gsd_m, query))
    assert sum(bool(regions) for regions, *_ in answers) > len(answers) / 2
