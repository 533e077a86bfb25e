"""Joining the sets of several outputs, and the words of an answer."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import surveyor
from surveyor.agent.answer import _unique
from surveyor.core.masks import Mask
from surveyor.core.regions import Candidate, Region
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models


def test_a_region_of_two_sets_keeps_its_best_fate_and_its_mask() -> None:
    corners = np.array([[0, 0], [4, 0], [4, 2], [0, 2]], dtype=float)
    plain = Region("a", "plane", corners, np.array([0, 0, 4, 2]))
    masked = Region("a", "plane", corners, np.array([0, 0, 4, 2]), mask=Mask.from_array(np.ones((2, 4))))
    kept = Candidate(masked, {"in the left half": True})
    assert _unique([kept, Candidate(plain, {"in the right half": False})]) == (kept,)
    (both,) = _unique([kept, Candidate(plain, {"in the top half": True})])
    assert dict(both.verdicts) == {"in the left half": True, "in the top half": True}
    assert both.region.mask is not None


def _scene_of(*boxes: tuple[float, float, float, float]) -> tuple[np.ndarray, Models]:
    """A black image with a tank in each box, and models that know them."""
    regions = [
        Region(f"t{k}", "storage tank", [[x, y], [X, y], [X, Y], [x, Y]], [x, y, X, Y])  # type: ignore[arg-type]
        for k, (x, y, X, Y) in enumerate(boxes)
    ]
    return np.zeros((100, 100, 3), np.uint8), Models(FakeGrounder(regions), FakeSegmenter())


def test_both_sides_of_a_comparison_are_in_the_answer() -> None:
    image, models = _scene_of((5, 5, 15, 15), (80, 5, 90, 15), (80, 40, 90, 50))
    answer = surveyor.ask(image, "are there more tanks on the left than on the right?", models=models)
    assert answer.verdict is False
    assert len(answer.regions) == 3
    assert answer.rejected == ()


def test_undecided_is_not_told_as_nothing_found() -> None:
    image, models = _scene_of((5, 5, 15, 15))
    answer = surveyor.ask(image, "tanks longer than 20 m", models=models)
    assert answer.text == "Unknown: for 1 tank it cannot be told whether it is longer than 20 m."
    assert any("--gsd" in note for note in answer.notes)


def test_a_picture_whose_top_is_not_north_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    image, models = _scene_of((5, 5, 15, 15))
    monkeypatch.setattr(Scene, "north_up", property(lambda self: False))
    answer = surveyor.ask(image, "tanks in the northern half", models=models)
    assert any("north is not up" in note for note in answer.notes)


def test_a_forgotten_answer_leaves_no_pixels_behind() -> None:
    # LangGraph leaves its nodes in a circle; a scene held by it stayed until the next collection, 100s of MB a request
    gc.collect()
    gc.disable()
    try:
        image, models = _scene_of((5, 5, 15, 15), (80, 5, 90, 15))
        scene = Scene.from_array(image)
        seen = weakref.ref(scene)
        answer = surveyor.ask(scene, "are there more tanks on the left than on the right?", models=models, cache=False)
        del scene, answer
        assert seen() is None
    finally:
        gc.enable()


def test_embedded_models_share_one_session() -> None:
    from surveyor.tools.models.compact import detector, session

    weights = detector.Detector().weights
    assert session.session(weights, 1) is session.session(weights, 1)


def test_a_broader_class_is_told_where_nothing_was_found_too() -> None:
    scene = Scene.from_array(np.zeros((64, 64, 3), dtype=np.uint8))
    models = Models(FakeGrounder([], labels=("vehicle",)), FakeSegmenter())
    answer = surveyor.ask(scene, "trucks", models=models)
    assert "trucks are not told apart by the grounder: 'vehicle' was taken, which is broader" in answer.notes
    assert not any("told apart" in note for note in surveyor.ask(scene, "vehicles", models=models).notes)
