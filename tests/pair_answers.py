"""Answers about two dates, made by hand: regions with a change, on drawn or given pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from surveyor.agent.answer import Answer, Part
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.pair import ScenePair, open_pair
from surveyor.core.plan import Plan, Step
from surveyor.core.regions import Candidate, CandidateSet, Change, Region
from surveyor.core.scene import Scene
from surveyor.core.trace import SceneRecord, Trace
from surveyor.synth import draw_pair

WORDS = "new"


def boxed(id_: str, xyxy: Sequence[float], change: Change | None = None, **more: Any) -> Region:
    box = np.array(xyxy, dtype=float)
    label = more.pop("label", f"changed {id_.split('-')[0]}" if change else id_.split("-")[0])
    return Region(id_, label, box_to_corners(box), box, source="test", change=change, **more)


def masked(id_: str, mask: Mask, change: Change | None = None, **more: Any) -> Region:
    assert mask.box_px is not None
    return boxed(id_, mask.box_px, change, mask=mask, **more)


def record(scene: Scene) -> SceneRecord:
    crs = None if scene.crs is None else str(scene.crs)
    path = None if scene.path is None else str(scene.path)
    return SceneRecord(
        name=scene.name, path=path, size_wh=scene.size_wh, gsd_m=scene.gsd_m, crs=crs, digest=scene.digest
    )


def answer_of(
    pair: ScenePair,
    *candidates: Candidate,
    references: tuple[CandidateSet, ...] = (),
    query: str = "which buildings are new?",
    text: str | None = None,
) -> Answer:
    """An answer about a pair, with these candidates."""
    step = Step(id="ground", tool="ground", args={"phrases": ["changed building"]}, instruction="detect the changes")
    plan = Plan(query=query, steps=(step,), outputs=("ground",))
    trace = Trace(
        surveyor="0", query=query, scene=record(pair.after), before=record(pair.given), models={}, plan=plan,
        observations=(),
    )  # fmt: skip
    found = CandidateSet(candidates)
    text = text if text is not None else f"Found {len(found.kept)} changed buildings."
    part = Part(step, text, found, found)
    return Answer(query, text, (part,), plan, (), trace, pair.after, pair.notes, references, pair=pair)


def kept(region: Region) -> Candidate:
    return Candidate(region, {WORDS: True}, {WORDS: "built before: 4 %, after: 93 %"})


def drawn(
    kind: str = "housing", seed: int = 7, size_wh: tuple[int, int] = (320, 320), gsd_m: float | None = None
) -> Answer:
    """What changed in a drawn pair, as its drawing tells; every third direction is left open."""
    pair = draw_pair(kind, seed, size_wh, gsd_m)
    scenes = (
        Scene.from_array(date.image_rgb, gsd_m=date.gsd_m, name=f"{name}.png")
        for name, date in (("before", pair.before), ("after", pair.after))
    )
    found = []
    for number, change in enumerate(pair.change.regions):
        mask = Mask.from_polygon(shapely.Polygon(change.polygon_px).buffer(0), pair.change.shape_hw)
        if not mask.area_px:
            continue
        direction = (None, "new" if change.type == "appeared" else "gone")[number % 3 != 2]
        told = Change(direction, 0.04, 0.93, "built: 4 % before, 93 % after")  # type: ignore[arg-type]
        found.append(kept(masked(f"{change.label}-{number + 1}", mask, told, score=0.83)))
    return answer_of(open_pair(*scenes), *found, query="what changed?", text=f"Found {len(found)} changes.")


def of_files(before: Path, after: Path, *candidates: Candidate, **more: Any) -> Answer:
    return answer_of(open_pair(before, after), *candidates, **more)
