"""Models for tests of runs: they find the same few things, count their calls, and tell a version."""

from __future__ import annotations

from typing import Any

import numpy as np
from scenes_by_hand import box
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

QUERY = "how many ships are longer than 10 m?"
RIVERS = "ships near the river"
THINGS = (
    box("ship-1", 0, 0, 40, 10, "ship"),
    box("ship-2", 100, 0, 160, 20, "ship"),
    box("ship-3", 300, 200, 320, 210, "ship"),
    box("river-1", 0, 30, 400, 60, "river"),
    box("river-2", 0, 220, 280, 300, "river"),
    box("plane-1", 300, 300, 340, 330, "plane"),
)


class Counting(FakeGrounder):
    """Finds THINGS, counts its calls, and tells a version, so that its results are kept."""

    def __init__(self, version: str | None = "1", **more: Any) -> None:
        super().__init__(THINGS, **more)
        if version is not None:
            self.version = version

    @property
    def asked(self) -> list[str]:
        return [str(call[1]) for call in self.calls]


def models(version: str | None = "1", **more: Any) -> Models:
    segmenter = FakeSegmenter()
    segmenter.version = "boxes"  # type: ignore[attr-defined]
    return Models(Counting(version, **more), segmenter)


def asked(made: Models) -> list[str]:
    assert isinstance(made.grounder, Counting)
    return made.grounder.asked


def small_scene() -> Scene:
    """A scene in which THINGS may lie."""
    return Scene.from_array(np.arange(400 * 400 * 3, dtype=np.uint8).reshape(400, 400, 3), gsd_m=0.5, name="here")
