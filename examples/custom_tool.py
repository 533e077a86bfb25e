"""A tool of one's own, used with the builder: planes that stand alone, and how many seats they have.

    python examples/custom_tool.py

A tool is a typed function with a docstring. Candidate sets are its inputs, literals its arguments. A tool that filters
gives every candidate one more verdict and drops none, so that the answer can say why each was kept or not.

The same file serves the command line: `surveyor run PLAN.yaml IMAGE --tools examples/custom_tool.py`.
"""

from __future__ import annotations

from typing import Annotated

import shapely
import surveyor
from pydantic import Field
from surveyor import Candidate, CandidateSet, Count, Scene


@surveyor.tool
def isolated(scene: Scene, things: CandidateSet, gap_m: Annotated[float, Field(gt=0)] = 20.0) -> CandidateSet:
    """Keeps those that stand at least `gap_m` from all others.

    Args:
        gap_m: least distance to the nearest other, in metres.
    """
    outlines = [shapely.Polygon(candidate.region.outline_px) for candidate in things]
    judged: list[Candidate] = []
    for k, candidate in enumerate(things):
        others = [outline for j, outline in enumerate(outlines) if j != k and things.candidates[j].status is not False]
        gap_px = min((outlines[k].distance(other) for other in others), default=float("inf"))
        # unknown is not false: without metres nobody can tell
        verdict = None if scene.gsd_m is None else gap_px * scene.gsd_m >= gap_m
        reason = f"{gap_px:.0f} px from the nearest other"
        judged.append(candidate.judged(f"at least {gap_m:g} m from all others", verdict, reason))
    return CandidateSet(tuple(judged))


@surveyor.tool
def seats(planes: CandidateSet, each: int = 180) -> Count:
    """Counts the seats of the planes that are kept.

    Args:
        each: how many seats a plane has.
    """
    return Count(len(planes.kept) * each, undecided=len(planes.undecided) * each)


def main() -> None:
    """Asks for planes that stand alone in the northern half, and their seats."""
    scene = surveyor.draw_scene("airport", seed=7)
    g = surveyor.Graph(tools=[isolated, seats])
    alone = g.use("isolated", g.ground("plane"), gap_m=10, name="isolated plane")
    g.answer(alone.where("in the top half"), g.compute("seats", alone, each=150))
    for step in g.plan().steps:
        print(f"{step.tool:>9}: {step.instruction}")
    answer = g.run(scene.image_rgb, gsd=scene.gsd_m)
    print(answer.text)
    print(answer.trace.models)


if __name__ == "__main__":
    main()
