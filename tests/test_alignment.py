"""Co-registration: drawn pairs and real ones, moved by known amounts; unrelated ones are told from them."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surveyor.core.align_match import correlation, edge_maps, padded_shape, spectra
from surveyor.core.alignment import Alignment, estimate
from surveyor.core.scene import Scene
from surveyor.synth import KINDS, draw_pair

CHANGE = Path(__file__).resolve().parents[2] / "shared" / "data" / "change"
here_only = pytest.mark.skipif(not CHANGE.is_dir(), reason="needs ../shared/data/change")
MARGIN = 40


def euclidean(size: int, shift_xy: tuple[float, float], turn_deg: float) -> np.ndarray:
    """(2, 3): a turn about the middle of a square and a shift."""
    angle, middle = math.radians(turn_deg), np.array([size / 2, size / 2])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.column_stack([turn, middle - turn @ middle + shift_xy])


def moved(image: np.ndarray, size: int, matrix: np.ndarray) -> np.ndarray:
    """The middle `size` px of a larger image, which at matrix(p) shows what lies at p of the unmoved middle."""
    corner = (image.shape[0] - size) / 2
    back = cv2.invertAffineTransform(matrix)
    back[:, 2] += corner + back[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(image, back, (size, size), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)


def farthest(matrix: np.ndarray, other: np.ndarray, size: int) -> float:
    """px by which two matrices differ at most over the image."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], dtype=np.float64)
    return float(np.linalg.norm(corners @ (matrix - other).T, axis=1).max())


def drawn(kind: str, seed: int, size: int, matrix: np.ndarray) -> tuple[Scene, Scene]:
    """A drawn pair whose earlier date was moved."""
    pair = draw_pair(kind, seed, (size + 2 * MARGIN, size + 2 * MARGIN))
    later = pair.after.image_rgb[MARGIN : MARGIN + size, MARGIN : MARGIN + size]
    return Scene.from_array(moved(pair.before.image_rgb, size, matrix)), Scene.from_array(later)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(KINDS),
    st.integers(0, 10_000),
    st.tuples(st.floats(-12, 12), st.floats(-12, 12)),
    st.floats(-2, 2),
)
def test_a_moved_drawn_pair_is_brought_back(kind: str, seed: int, shift: tuple[float, float], turn: float) -> None:
    truth = euclidean(512, shift, turn)
    found = estimate(*drawn(kind, seed, 512, truth))
    assert found.matched and found.textured
    assert farthest(found.matrix, truth, 512) < 1.0
    assert found.quality > 0.5


def test_a_large_image_is_made_exact_below_its_thumbnail() -> None:
    truth = euclidean(1024, (30.0, -21.5), 1.3)
    pair = draw_pair("housing", 5, (1104, 1104))
    later = Scene.from_array(pair.after.image_rgb[40:1064, 40:1064])
    found = estimate(Scene.from_array(moved(pair.before.image_rgb, 1024, truth)), later)
    assert farthest(found.matrix, truth, 1024) < 0.5


def test_the_turn_is_told_with_its_sign_and_at_its_limits() -> None:
    for turn in (-4.5, 4.5):
        truth = euclidean(320, (0.0, 0.0), turn)
        found = estimate(*drawn("mixed", 3, 320, truth))
        assert found.turn_deg == pytest.approx(turn, abs=0.2)


@pytest.mark.parametrize("kinds", [("airport", "housing"), ("river", "river"), ("harbour", "tank farm")])
def test_unrelated_drawn_scenes_do_not_match(kinds: tuple[str, str]) -> None:
    first = draw_pair(kinds[0], 21, (320, 320)).before
    second = draw_pair(kinds[1], 22, (320, 320)).after
    found = estimate(Scene.from_array(first.image_rgb), Scene.from_array(second.image_rgb))
    assert not found.matched
    assert found.quality < 0.19


def test_nothing_to_see_is_no_refusal() -> None:
    noise = np.random.default_rng(0).normal(128, 3, (2, 128, 128, 1)).repeat(3, axis=3).astype(np.uint8)
    found = estimate(Scene.from_array(noise[0]), Scene.from_array(noise[1]))
    assert found.matched and not found.textured
    assert np.array_equal(found.matrix, np.eye(2, 3))


def test_holes_do_not_attract() -> None:
    """The same frame of nodata round both dates lies at no shift; the ground inside lies 6 px off."""
    truth = euclidean(320, (6.0, -4.0), 0.0)
    before, after = (each.read() for each in drawn("sports", 2, 320, truth))
    frame = np.zeros((320, 320, 1), np.uint8)
    frame[50:-50, 50:-50] = 255
    found = estimate(
        *(Scene.from_array(np.concatenate([each * (frame > 0), frame], axis=2)) for each in (before, after))
    )
    assert farthest(found.matrix, truth, 320) < 0.5


def test_wherever_the_arrays_lie_in_memory_the_estimate_is_the_same() -> None:
    """Rounding that depends on addresses decides peaks of nearly one height, and so pixels of the answer."""
    pair, held, found = drawn("housing", 3, 256, euclidean(256, (3.4, -2.2), 0.8)), [], set()
    for size in np.random.default_rng(0).integers(1, 200_000, 12).tolist():
        held.append(bytearray(size))
        found.add(estimate(*pair).matrix.tobytes())
    assert len(found) == 1


def test_a_correlation_peak_lies_where_the_shift_is() -> None:
    dots = np.random.default_rng(1).integers(0, 255, (100, 100)).astype(np.float32)
    whole = np.ones((80, 80), bool)
    first, second = edge_maps(dots[10:90, 10:90], whole), edge_maps(dots[13:93, 5:85], whole)
    shape = padded_shape((80, 80), 9)
    surface = correlation(spectra(first, shape), spectra(second, shape), 9)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    assert (row - 9, column - 9) == (3, -5)  # first(p + d) = second(p): 3 rows down, 5 columns to the left


def test_quality_is_what_chance_does_not_explain() -> None:
    where = np.eye(2, 3)
    assert Alignment(where, True, peak=47.0).quality == pytest.approx(0.9)  # 1 - 4.7 / 47
    assert Alignment(where, False, peak=3.0).quality == 0.0
    assert Alignment(where, True).quality == 0.0


def _real(source: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    folder = CHANGE / source
    first, second = (cv2.imread(str(folder / date / f"{name}.png")) for date in "AB")
    return cv2.cvtColor(first, cv2.COLOR_BGR2RGB), cv2.cvtColor(second, cv2.COLOR_BGR2RGB)


@here_only
@pytest.mark.parametrize(
    ("source", "name"),
    [("levir", "train_36_0512_0512"), ("fotbcd", "val_142"), ("fotbcd", "val_104"), ("dsifn", "1_1")],
)
def test_a_real_pair_moved_further_is_found_where_it_was_moved(source: str, name: str) -> None:
    first, second = _real(source, name)
    size = first.shape[0]
    further = euclidean(size, (7.3, -9.1), 1.4)
    alpha = np.full((size, size, 1), 255, np.uint8)
    there = moved(np.concatenate([first, alpha], axis=2), size, further)
    there[..., 3] = np.where(there[..., 3] == 255, 255, 0)
    plain = estimate(Scene.from_array(first), Scene.from_array(second))
    found = estimate(Scene.from_array(there), Scene.from_array(second))
    expected = np.vstack([further, [0, 0, 1]]) @ np.vstack([plain.matrix, [0, 0, 1]])
    assert plain.matched and plain.moved_px((size, size))[1] < 4
    assert farthest(found.matrix, expected[:2], size) < 1.0


@here_only
@pytest.mark.parametrize(
    ("source", "first", "second"),
    [
        ("levir", "train_36_0512_0512", "train_386_0512_0768"),
        ("fotbcd", "val_142", "val_104"),
        ("fotbcd", "train_976", "val_142"),
        ("dsifn", "0_2", "1_1"),
        ("dsifn", "6_3", "5_3"),
    ],
)
def test_an_unrelated_real_pair_does_not_match(source: str, first: str, second: str) -> None:
    before, after = _real(source, first)[0], _real(source, second)[1]
    assert not estimate(Scene.from_array(before), Scene.from_array(after)).matched
