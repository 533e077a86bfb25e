"""The classical change detector: what it must find and what it must not call change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.progress import noting
from surveyor.core.scene import Scene
from surveyor.synth import draw_pair
from surveyor.tools.models.change_vectors import ChangeVectors
from surveyor.tools.models.spec import load_models

SIDE = 160


def ground(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(90 + rng.normal(0, 6, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def scene(pixels: np.ndarray) -> Scene:
    return Scene.from_array(pixels, name="pair.png")


def built(box: tuple[int, int, int, int], seed: int = 1, colour: int = 230) -> np.ndarray:
    pixels = ground(seed)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = colour
    return pixels


def test_the_same_image_twice_has_not_changed() -> None:
    assert ChangeVectors().changes(scene(ground()), scene(ground()), "change") == ()


def test_noise_haze_and_contrast_are_no_change() -> None:
    hazy = np.clip(ground(1).astype(float) * 0.8 + 40, 0, 255).astype(np.uint8)
    assert ChangeVectors().changes(scene(ground(0)), scene(hazy), "change") == ()


def test_a_new_roof_is_found_where_it_stands() -> None:
    (found,) = ChangeVectors().changes(scene(ground()), scene(built((40, 60, 90, 100))), "change")
    assert found.mask is not None and found.score is None and found.source == "cva"
    assert np.abs(found.box_px - [40, 60, 90, 100]).max() <= 4
    wanted = np.zeros((SIDE, SIDE), dtype=bool)
    wanted[60:100, 40:90] = True
    shared = found.mask.to_array() & wanted
    assert shared.sum() / (found.mask.to_array() | wanted).sum() > 0.85
    assert found.polygon_px is not None and len(found.polygon_px) >= 4


@given(st.integers(0, 100), st.integers(0, 100), st.integers(30, 55), st.integers(30, 55))
@settings(max_examples=20, deadline=None)
def test_before_and_after_turned_round_give_the_same_pixels(x: int, y: int, w: int, h: int) -> None:
    first, second = ground(), built((x, y, min(x + w, SIDE), min(y + h, SIDE)))
    model = ChangeVectors()
    assert (model.changed(first, second) == model.changed(second, first)).mean() > 0.99
    assert model.changed(first, second).any()


def test_patches_come_largest_first_and_specks_not_at_all() -> None:
    after = built((100, 100, 150, 150))
    after[20:50, 20:50] = 230
    after[80:84, 20:24] = 230
    found = ChangeVectors().changes(scene(ground()), scene(after), "change")
    assert [region.id for region in found] == ["change-1", "change-2"]
    assert found[0].box_px[0] > 90 and found[1].box_px[0] < 30


def test_it_says_that_it_cannot_tell_what_changed() -> None:
    said: list[str] = []
    with noting(said):
        (found,) = ChangeVectors().changes(scene(ground()), scene(built((40, 60, 90, 100))), "building")
    assert found.label == "building" and "not what" in said[0]
    said.clear()
    with noting(said):
        ChangeVectors().changes(scene(ground()), scene(ground()), "changed area")
    assert said == []


def test_unequal_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"160 x 160.*160 x 159.*one grid"):
        ChangeVectors().changes(scene(ground()), scene(ground()[:-1]), "change")


def test_drawn_pairs_in_other_light_give_what_changed_and_much_else() -> None:
    shared = wanted = given = 0
    for seed in range(4):
        pair = draw_pair("housing", seed=seed, size_wh=(384, 384), changes=4)
        found, truth = ChangeVectors().changed(pair.before.image_rgb, pair.after.image_rgb), pair.change.mask()
        shared, wanted, given = shared + (found & truth).sum(), wanted + truth.sum(), given + found.sum()
    assert shared / wanted > 0.5
    assert shared / given < 0.5  # a reference, not a model: docs/results.md


def test_it_is_a_backend_of_its_role() -> None:
    change = load_models("change=cva").change
    assert isinstance(change, ChangeVectors)
    with pytest.raises(UsageError, match="takes no argument"):
        load_models("change=cva:x")
