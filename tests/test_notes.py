"""What models say aloud while they work reaches the answer's notes, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import surveyor
from surveyor.core.geometry import box_to_corners
from surveyor.core.progress import note, noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

BOX = np.array([10.0, 10, 40, 30])


class Talking(FakeGrounder):
    """A grounder that has something to say at each call."""

    def ground(self, scene: Any, phrase: str) -> tuple[Region, ...]:
        note("memory ran out: smaller views")
        note(f"looked for {phrase}")
        return super().ground(scene, phrase)


def test_notes_of_models_reach_the_answer_once() -> None:
    scene = Scene.from_array(np.zeros((80, 100, 3), np.uint8))
    grounder = Talking([Region("plane-1", "plane", box_to_corners(BOX), BOX)], open_vocabulary=True)
    answer = surveyor.ask(scene, "planes near the hangar", models=Models(grounder, FakeSegmenter()))
    assert answer.notes.count("memory ran out: smaller views") == 1
    assert {"looked for plane", "looked for hangar"} <= set(answer.notes)
    assert "memory ran out: smaller views" in answer.to_dict()["notes"]
    by_step = {step.instruction: step.notes for step in answer.trace.observations}
    assert by_step["detect all planes"] == ("memory ran out: smaller views", "looked for plane")


def test_notes_are_told_again_with_a_cached_result(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    cv2.imwrite(str(path), np.zeros((80, 100, 3), np.uint8))
    answers = []
    for _ in range(2):
        grounder = Talking([Region("plane-1", "plane", box_to_corners(BOX), BOX)], open_vocabulary=True)
        grounder.version = "1"  # type: ignore[attr-defined]
        answers.append(surveyor.ask(path, "planes", models=Models(grounder, FakeSegmenter()), cache=True))
    assert [answer.trace.observations[0].cached for answer in answers] == [False, True]
    assert answers[0].notes == answers[1].notes != ()


def test_notes_without_a_listener_are_dropped_and_blocks_do_not_mix() -> None:
    note("nobody listens")
    outer: list[str] = []
    inner: list[str] = []
    with noting(outer):
        note("one")
        with noting(inner):
            note("two")
        note("one")
    assert (outer, inner) == (["one"], ["two"])
