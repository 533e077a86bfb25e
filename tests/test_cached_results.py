"""Results of earlier runs: what is used again, and what looks again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import surveyor
from counting import QUERY, asked, models, small_scene
from surveyor import ask
from surveyor.agent.graph_call import forget
from surveyor.agent.store_runs import Runs, runs_place
from surveyor.core.scene import Scene
from surveyor.tools.bands import STRICT

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scene() -> Scene:
    return small_scene()


def cached(answer: surveyor.Answer) -> dict[str, bool]:
    return {o.step: o.cached for o in answer.observations}


# ---- results of earlier runs ----------------------------------------------------------------------------------------


def test_editing_one_condition_runs_only_what_depends_on_it(scene: Scene) -> None:
    made = models()
    first = ask(scene, "segment the ships longer than 10 m near the river", models=made)
    assert sorted(asked(made)) == ["river", "ship"] and not any(cached(first).values())
    same = ask(scene, "segment the ships longer than 10 m near the river", models=made)
    assert all(cached(same).values()) and same.text == first.text and len(asked(made)) == 2
    assert same.regions[0].region.mask is not None
    edited = ask(scene, "segment the ships longer than 10 m near the plane", models=made)
    assert asked(made)[2:] == ["plane"]
    assert cached(edited) == {
        "find_ships": True, "select_1": True, "find_planes": False, "select_2": False, "segment_1": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: (s, {"models": models("2")}), id="another-model-version"),
        pytest.param(lambda s: (Scene.from_array(s.read() + 1, gsd_m=0.5, name="here"), {}), id="other-pixels"),
        pytest.param(lambda s: (s, {"cache": False}), id="no-cache"),
    ],
)
def test_what_looks_again(change: Callable[[Scene], tuple[Scene, dict[str, Any]]], scene: Scene) -> None:
    ask(scene, QUERY, models=models())
    other, more = change(scene)
    made = more.pop("models", models())
    answer = ask(other, QUERY, models=made, **more)
    assert asked(made) == ["ship"] and not cached(answer)["find_ships"]


@pytest.mark.parametrize("more", [{"gsd": 0.7}, {"bands": STRICT}], ids=["gsd", "bands"])
def test_scale_and_bands_count(more: dict[str, Any], scene: Scene) -> None:
    ask(scene, QUERY, models=models())
    assert not cached(ask(scene, QUERY, models=models(), **more))["select_1"]


def test_a_model_without_a_version_is_always_asked(scene: Scene) -> None:
    made = models(None)
    for _ in range(2):
        answer = ask(scene, QUERY, models=made)
    assert asked(made) == ["ship", "ship"]
    assert cached(answer) == {"find_ships": False, "select_1": True, "count_1": True}, "what was found is the same"


def test_bands_of_the_file_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (40, 40, 3), dtype=np.uint8))
    made = models()
    for bands in (None, (3, 2, 1), None):
        ask(Scene.open(tmp_path / "a.png", bands=bands), "ships", models=made)
    assert asked(made) == ["ship", "ship"]


def test_a_damaged_store_is_made_again(scene: Scene) -> None:
    made = models()
    first = ask(scene, QUERY, models=made)
    for path in Path(os.environ["SURVEYOR_CACHE"]).glob("*/??/*"):
        path.write_bytes(path.read_bytes()[:-4])
    surveyor.agent.store._store.cache_clear()  # type: ignore[attr-defined]
    again = ask(scene, QUERY, models=made)
    assert again.text == first.text and asked(made) == ["ship", "ship"]
    assert all(cached(ask(scene, QUERY, models=made)).values())


def test_a_store_that_cannot_be_written_is_a_note(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = ask(scene, QUERY, models=models(), cache=tmp_path / "file")
    assert answer.count == 2 and answer.notes[-1].startswith("results could not be kept for later runs: ")


def test_no_cache_means_none_of_an_earlier_run_of_the_same_name(scene: Scene) -> None:
    made = models()
    for _ in range(2):
        answer = ask(scene, QUERY, models=made, run_id="again", cache=False)
        forget(Runs(runs_place()), "again")
    assert asked(made) == ["ship", "ship"] and not any(cached(answer).values())
