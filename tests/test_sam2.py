"""SAM-2: windows, prompts and masks with a stand-in for the network; transformers' model where torch is installed."""

from __future__ import annotations

import json
import math
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from surveyor.core.budget import Meter, metering
from surveyor.core.errors import Cancelled, MissingDependency, ToolFailed, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.progress import listening, noting
from surveyor.core.protocols import MaskPrompt, MaskResult, Segmenter
from surveyor.core.scene import Scene
from surveyor.tools.models.sam2 import Sam2Segmenter, sam2_segmenter
from surveyor.tools.models.sam2.checkpoint import HubName, source_of
from surveyor.tools.models.sam2.cues import cue_of, place
from surveyor.tools.models.sam2.engines import Batch
from surveyor.tools.models.sam2.segmenter import Sam2Options
from surveyor.tools.models.sam2.upscale import enlarged
from surveyor.tools.models.sam2.windows import SLACK, STRETCH, window_for

MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]
local = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
SIZE = 64
HUB = {"model_type": "sam2", "prompt_encoder_config": {"image_size": SIZE}}


class Bright:
    """Stands for the network: what is bright inside the box (or within 6 px of the first point), exactly as placed."""

    size = SIZE

    def __init__(self, room: int = 1000) -> None:
        self.encodes = 0
        self.shapes: list[tuple[int, ...]] = []
        self.batches: list[tuple[Batch, bool]] = []
        self.room = room
        self._busy = threading.Lock()

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        assert self._busy.acquire(blocking=False), "two threads at once"
        self.encodes += 1
        self.shapes.append(pixels.shape)
        small = cv2.resize(pixels[:, :, 0], (self.size // 4, self.size // 4), interpolation=cv2.INTER_AREA)
        self._busy.release()
        return small.astype(np.float32) - 128

    def decode(self, features: np.ndarray, batch: Batch, many: bool) -> tuple[np.ndarray, np.ndarray]:
        if len(batch.points) > self.room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        self.batches.append((batch, many))
        at = np.arange(self.size // 4) * 4 + 1.5  # centres of cells, where whole numbers are centres of pixels
        logits = np.full((len(batch.points), 3 if many else 1, len(at), len(at)), -1.0, np.float32)
        for row in range(len(logits)):
            first = batch.points[row][0] if batch.boxes is None else None
            x0, y0, x1, y1 = batch.boxes[row] if first is None else (*(first - 6), *(first + 6))  # type: ignore[index, misc]
            inside = ((at >= x0) & (at <= x1))[None, :] & ((at >= y0) & (at <= y1))[:, None]
            logits[row, -1] = np.where(inside, features, -128)
        quality = np.linspace(0.2, 1.3, logits.shape[1], dtype=np.float32)[None].repeat(len(logits), 0)
        return logits, quality if many else quality * 0 + 0.7


def write_safetensors(path: Path, cut: int = 0) -> None:
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    data = struct.pack("<Q", len(head)) + head + b"\0" * 8
    path.write_bytes(data[: len(data) - cut])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a checkpoint of the hub from outside."""
    place = tmp_path / "hub"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(HUB))
    write_safetensors(place / "model.safetensors")
    return place


def stubbed(folder: Path, options: str = "", room: int = 1000) -> tuple[Sam2Segmenter, Bright]:
    segmenter = Sam2Segmenter.at(f"{folder}{options}")
    engine = Bright(room)
    segmenter._engine = engine
    return segmenter, engine


def drawn(size_wh: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Scene:
    pixels = np.full((size_wh[1], size_wh[0], 3), 60, np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 250
    return Scene.from_array(pixels)


def box_prompt(*box: float) -> MaskPrompt:
    return MaskPrompt(np.array(box, dtype=np.float64))


def same(one: tuple[MaskResult, ...], other: tuple[MaskResult, ...]) -> bool:
    return [(r.mask, r.score) for r in one] == [(r.mask, r.score) for r in other]


# ---- checkpoints and settings


def _no_config(place: Path) -> None:
    (place / "config.json").unlink()


def _shards(place: Path) -> None:
    (place / "model.safetensors").rename(place / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (_no_config, "has no config.json"),
    "a native file beside": (lambda p: (_no_config(p), (p / "a.pt").touch()), "name the file: .*a.pt"),
    "config is a list": (lambda p: (p / "config.json").write_text("[1]"), "holds no JSON object"),
    "config is garbage": (lambda p: (p / "config.json").write_text("{"), "cannot be read"),
    "another model": (lambda p: (p / "config.json").write_text('{"model_type": "qwen2_vl"}'), "type 'qwen2_vl'"),
    "no weights": (lambda p: (p / "model.safetensors").unlink(), "has no model.safetensors"),
    "a missing shard": (_shards, "model-00002-of-00002.safetensors' is missing"),
    "empty index": (
        lambda p: ((p / "model.safetensors").unlink(), (p / "model.safetensors.index.json").write_text("{}")),
        "names no weights",
    ),
    "empty weights": (lambda p: (p / "model.safetensors").write_bytes(b""), "is damaged"),
    "cut weights": (lambda p: write_safetensors(p / "model.safetensors", cut=3), "bytes, expected"),
    "cut head": (lambda p: write_safetensors(p / "model.safetensors", cut=30), "is damaged"),
    "a pointer": (lambda p: (p / "model.safetensors").write_text("version https://git-lfs"), "Git LFS pointer"),
    "garbled head": (
        lambda p: (p / "model.safetensors").write_bytes(struct.pack("<Q", 4) + b"{]}!"),
        "list of weights cannot be read",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_folder_is_told_when_it_is_named(name: str, folder: Path) -> None:
    spoil, message = SPOILT[name]
    spoil(folder)
    with pytest.raises(UsageError, match=message):
        sam2_segmenter(str(folder))


ARGUMENTS = {
    "": "there is no SAM-2 checkpoint at ''",
    "./nowhere": "there is no SAM-2 checkpoint",
    "word": "there is no SAM-2 checkpoint",
    "a/b/c": "there is no SAM-2 checkpoint",
    "{tmp}/none.pt": "there is no SAM-2 checkpoint file",
    "{tmp}/text.txt": "is no SAM-2 checkpoint",
    "{tmp}/text.pt": "does not start as a zip file",
    "{tmp}/zip.pt": "its config must be given",
    "{tmp}/zip.pt?config=nowhere.yaml": "no config file 'nowhere.yaml'",
    "{folder}?config=configs/x.yaml": "belongs to a .pt file",
    "{folder}?size=3": "has no setting 'size'",
    "{folder}?batch=0": "whole number from 1",
    "{folder}?cache=-1": "whole number from 0",
    "{folder}?window=63": "whole number from 64",
    "{folder}?device=tpu": "expected cpu, cuda or cuda:1",
    "{folder}?device=cuda:x": "expected cpu, cuda or cuda:1",
    "{folder}?dtype=int8": "expected one of: float32",
    "{folder}?multimask=maybe": "neither true nor false",
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_bad_argument_is_told(argument: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "text.pt").write_text("x")
    (tmp_path / "zip.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=ARGUMENTS[argument]):
        sam2_segmenter(argument.format(folder=folder, tmp=tmp_path))


def test_arguments_that_are_right(folder: Path, tmp_path: Path) -> None:
    made = sam2_segmenter(f"{folder}?device=cuda:1&dtype=float16&batch=3&cache=0&window=512&multimask=no&keypoints=0")
    assert isinstance(made, Sam2Segmenter) and isinstance(made, Segmenter)
    assert made.options == Sam2Options("cuda:1", "float16", 3, 0, 512, False, 0)
    assert made.name == f"sam2:{folder}"
    assert source_of("facebook/sam2.1-hiera-tiny@v1.0", None) == HubName("facebook/sam2.1-hiera-tiny", "v1.0")
    assert source_of("facebook/sam2.1-hiera-tiny", None) == HubName("facebook/sam2.1-hiera-tiny", None)
    (tmp_path / "sam2.1_hiera_base_plus.pt").write_bytes(b"PK\x03\x04")
    found = source_of(str(tmp_path / "sam2.1_hiera_base_plus.pt"), None)
    assert found.config == "configs/sam2.1/sam2.1_hiera_b+.yaml"  # type: ignore[union-attr]


def test_version_follows_weights_and_the_settings_that_matter(folder: Path) -> None:
    version = Sam2Segmenter.at(str(folder)).version
    assert version == Sam2Segmenter.at(f"{folder}?batch=2&cache=1").version
    assert version != Sam2Segmenter.at(f"{folder}?window=512").version
    assert version != Sam2Segmenter.at(f"{folder}?multimask=false").version
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert version != Sam2Segmenter.at(str(folder)).version


@pytest.mark.skipif(not MISSING, reason="torch and transformers are installed")
def test_missing_packages_are_told_with_the_command(folder: Path) -> None:
    with pytest.raises(MissingDependency, match=r'pip install "surveyor\[sam2-hf\]"'):
        sam2_segmenter(str(folder)).segment(drawn((20, 20)), [box_prompt(1, 1, 9, 9)])


# ---- windows


@settings(max_examples=300)
@given(st.integers(2, 9000), st.integers(2, 9000), st.integers(64, 1024), st.data())
def test_window_shows_the_prompt_whole(width: int, height: int, side: int, data: st.DataObject) -> None:
    x0, y0 = data.draw(st.floats(0, width - 1)), data.draw(st.floats(0, height - 1))
    need = np.array([x0, y0, data.draw(st.floats(x0, width)), data.draw(st.floats(y0, height))])
    window = window_for(need, (width, height), side)
    assert (window[:2] <= need[:2]).all() and (need[2:] <= window[2:]).all()
    w, h = window[2] - window[0], window[3] - window[1]
    assert max(w, h) <= STRETCH * min(w, h) + 1
    assert window[0] >= 0 and window[1] >= 0
    assert window[2] <= max(width, math.ceil(h / STRETCH)) and window[3] <= max(height, math.ceil(w / STRETCH))
    if (need[2:] - need[:2]).max() <= side / 2 - 1:
        assert max(w, h) <= SLACK * side, "small prompts are seen in the scene's own pixels"


def test_whole_scene_is_one_window_up_to_the_slack() -> None:
    need = np.array([5.0, 5, 9, 9])
    assert window_for(need, (1280, 720), 1024) == (0, 0, 1280, 720)
    assert window_for(need, (1281, 720), 1024) == (0, 0, 1024, 720)
    assert window_for(need, (1000, 3), 1024) == (0, 0, 1000, 500), "200:1 is shown with black beside it"


def test_few_windows_cover_a_scene() -> None:
    grid = [np.array([x, y, x + 60.0, y + 60.0]) for x in range(0, 3940, 60) for y in range(0, 3940, 60)]
    assert len({window_for(need, (4000, 4000), 1024) for need in grid}) == 25


# ---- prompts


BAD_PROMPTS = {
    "NaN box": (MaskPrompt(np.array([np.nan, 0, 1, 1])), "prompt 0 has the box"),
    "inside out": (MaskPrompt(np.array([5.0, 0, 1, 1])), "prompt 0 has the box"),
    "three numbers": (MaskPrompt(np.array([5.0, 0, 1])), "prompt 0 has the box"),
    "points without labels": (MaskPrompt(np.array([0.0, 0, 9, 9]), None, np.ones((2, 2))), "2 points and 0 labels"),
    "labels without points": (MaskPrompt(np.array([0.0, 0, 9, 9]), None, None, (1,)), "0 points and 1 labels"),
    "other labels": (MaskPrompt(np.array([0.0, 0, 9, 9]), None, np.ones((1, 2)), (2,)), r"the labels \[2\]"),
    "infinite point": (MaskPrompt(np.array([0.0, 0, 9, 9]), None, np.array([[np.inf, 1]]), (1,)), "expected finite"),
    "points of three": (MaskPrompt(np.array([0.0, 0, 9, 9]), None, np.ones((1, 3)), (1,)), r"shape \(1, 3\)"),
    "NaN corners": (MaskPrompt(np.array([0.0, 0, 9, 9]), np.full((4, 2), np.nan)), "finite"),
    "mask of another scene": (
        MaskPrompt(np.array([0.0, 0, 9, 9]), coarse=Mask.from_array(np.ones((3, 3)), (0, 0), (7, 7))),
        r"scene \(7, 7\)",
    ),
}


@pytest.mark.parametrize("name", BAD_PROMPTS)
def test_bad_prompt_is_told(name: str, folder: Path) -> None:
    prompt, message = BAD_PROMPTS[name]
    segmenter, engine = stubbed(folder)
    with pytest.raises(UsageError, match=message):
        segmenter.segment(drawn((60, 50)), [prompt])
    assert engine.encodes == 0


DIAMOND = np.array([[50.0, 10], [90, 50], [50, 90], [10, 50]])


def test_turned_box_becomes_its_enclosing_box_and_points_inside() -> None:
    cue = cue_of(MaskPrompt(np.array([20.0, 20, 80, 80]), DIAMOND), 0, (100, 100), 3)
    assert cue is not None and cue.box is not None
    assert cue.box.tolist() == [10, 10, 90, 90]
    assert cue.labels.tolist() == [1, 1, 1]
    assert (np.abs(cue.points - 50).sum(axis=1) < 40).all(), "inside the diamond"
    gaps = np.linalg.norm(cue.points[:, None] - cue.points[None], axis=2)[np.triu_indices(3, 1)]
    assert gaps.min() > 10


def test_upright_box_and_given_points_stay_as_they_are() -> None:
    box = np.array([20.0, 20, 80, 60])
    upright = cue_of(MaskPrompt(box, box_to_corners(box)), 0, (100, 100), 3)
    assert upright is not None and len(upright.points) == 0
    given_points = np.array([[50.0, 50], [12, 12]])
    cue = cue_of(MaskPrompt(box, DIAMOND, given_points, (1, 0)), 0, (100, 100), 3)
    assert cue is not None and cue.points.tolist() == given_points.tolist() and cue.labels.tolist() == [1, 0]
    only_outside = cue_of(MaskPrompt(box, DIAMOND, given_points[1:], (0,)), 0, (100, 100), 2)
    assert only_outside is not None and only_outside.labels.tolist() == [0, 1, 1]
    none = cue_of(MaskPrompt(box, DIAMOND), 0, (100, 100), 0)
    assert none is not None and len(none.points) == 0


@pytest.mark.parametrize(
    "prompt",
    [
        box_prompt(500, 500, 520, 520),
        box_prompt(100, 0, 120, 20),
        box_prompt(-20, 0, 0, 20),
        box_prompt(200, 200, 200, 200),
        MaskPrompt(np.array([200.0, 200, 200, 200]), None, np.array([[5.0, 5]]), (0,)),
    ],
    ids=["far", "touching right", "touching left", "point", "point, only another thing inside"],
)
def test_prompt_beyond_the_scene_has_an_empty_mask_and_no_score(prompt: MaskPrompt, folder: Path) -> None:
    segmenter, engine = stubbed(folder)
    (result,) = segmenter.segment(drawn((100, 100), (0, 0, 100, 100)), [prompt])
    assert result.mask.area_px == 0 and result.mask.shape_hw == (100, 100) and result.score is None
    assert engine.encodes == 0


def test_box_over_the_edge_is_cut_and_points_outside_are_dropped() -> None:
    prompt = MaskPrompt(np.array([-10.0, 20, 30, 130]), None, np.array([[-5.0, 40], [9, 40], [200, 200]]), (1, 1, 0))
    cue = cue_of(prompt, 0, (100, 100), 3)
    assert cue is not None and cue.box is not None and cue.box.tolist() == [0, 20, 30, 100]
    assert cue.points.tolist() == [[9, 40], [200, 200]]
    assert place(cue, (0, 0, 100, 100), SIZE).labels.tolist() == [1], "what is not the object, and not seen"


def test_placed_prompts_count_from_centres_of_pixels() -> None:
    cue = cue_of(MaskPrompt(np.array([100.0, 200, 300, 300]), None, np.array([[150.5, 250.5]]), (1,)), 0, (400, 400), 0)
    assert cue is not None
    placed = place(cue, (100, 200, 300, 300), SIZE)
    assert placed.box is not None and placed.box.tolist() == [-0.5, -0.5, SIZE - 0.5, SIZE - 0.5]
    # 50.5 of 200 px is 16.16 of 64, 50.5 of 100 px is 32.32; less the half pixel that SAM-2 adds
    np.testing.assert_allclose(placed.points, [[15.66, 31.82]], atol=1e-5)


def test_rough_mask_becomes_logits_of_the_share_of_each_cell() -> None:
    # 64 x 64 window, 16 cells of 4 px: columns 0-1 covered, column 2 by half (2 of 4 px), rows 4-7
    rough = Mask.from_array(np.ones((16, 10)), (100, 116), (400, 400))
    cue = cue_of(MaskPrompt(np.array([100.0, 110, 140, 140]), coarse=rough), 0, (400, 400), 0)
    assert cue is not None
    logits = place(cue, (100, 100, 164, 164), SIZE).coarse
    assert logits is not None and logits.shape == (16, 16) and logits.dtype == np.float32
    np.testing.assert_allclose(logits[4:8, :4], np.tile([10, 10, 0, -10], (4, 1)), atol=1e-4)
    assert (logits[:4] == -10).all() and (logits[8:] == -10).all()


@settings(max_examples=60)
@given(st.integers(20, 300), st.integers(20, 300), st.integers(0, 200), st.integers(0, 200), st.integers(0, 99))
def test_rough_masks_keep_their_area(width: int, height: int, x: int, y: int, seed: int) -> None:
    assume(x < width and y < height)
    pixels = np.random.default_rng(seed).random((30, 40)) < 0.5
    mask = Mask.from_array(pixels, (x, y), (height, width))
    assume(mask.area_px > 0)
    cue = cue_of(MaskPrompt(np.array([0.0, 0, width, height]), coarse=mask), 0, (width, height), 0)
    assert cue is not None
    logits = place(cue, (0, 0, width, height), SIZE).coarse
    assert logits is not None
    share = (logits + 10) / 20
    assert share.sum() * (width * height / 256) == pytest.approx(mask.area_px, rel=1e-4)


# ---- masks out of logits


@settings(max_examples=200)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(1, 400), st.integers(1, 400), st.integers(0, 10**6))
def test_enlarged_is_the_plain_bilinear_one(rows: int, columns: int, width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(-1.5, 1, (rows, columns))).astype(np.float32)
    mask, (x, y) = enlarged(logits, (width, height))
    whole = np.zeros((height, width), dtype=bool)
    whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    at_x = np.clip((np.arange(width) + 0.5) * columns / width - 0.5, 0, columns - 1)
    at_y = np.clip((np.arange(height) + 0.5) * rows / height - 0.5, 0, rows - 1)
    across = np.stack([np.interp(at_x, np.arange(columns), line) for line in logits])
    plain = np.stack([np.interp(at_y, np.arange(rows), line) for line in across.T], axis=1)
    sure = np.abs(plain) > 1e-5
    assert (whole == (plain > 0))[sure].all()


def test_enlarged_in_strips_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(0).normal(0, 1, (16, 16)).astype(np.float32)
    whole, offset = enlarged(logits, (301, 203))
    monkeypatch.setattr("surveyor.tools.models.sam2.upscale._STRIP_PX", 1000)
    strips, again = enlarged(logits, (301, 203))
    assert offset == again and np.array_equal(whole, strips)


# ---- the segmenter round a stand-in


def test_masks_lie_where_the_objects_are_in_every_window(folder: Path) -> None:
    small = [(40 + 90 * i, 30 + 70 * i, 64 + 90 * i, 46 + 70 * i) for i in range(7)]
    big = (250, 20, 590, 290)  # larger than a window
    scene = drawn((640, 560), *small, big)
    segmenter, engine = stubbed(folder)
    results = segmenter.segment(scene, [box_prompt(*box) for box in (*small, big)])
    for result, (x0, y0, x1, y1) in zip(results, (*small, big), strict=True):
        truth = Mask.from_array(np.ones((y1 - y0, x1 - x0)), (x0, y0), scene.shape_hw)
        assert result.mask.iou(truth) >= 0.65
        found = result.mask.box_px
        assert found is not None and np.abs(found[:2] + found[2:] - (x0 + x1, y0 + y1)).max() <= 6, "centre within 3 px"
        assert result.score == pytest.approx(0.7)
    assert engine.encodes > 3
    assert all(max(shape) <= 2 * SIZE for shape in engine.shapes), "never more than twice the encoder's input"


def test_a_window_of_a_large_scene_is_as_a_scene_of_its_own(folder: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)
    segmenter, _ = stubbed(folder)
    prompt = MaskPrompt(np.array([106.0, 110, 116, 118]), None, np.array([[107.0, 100]]), (0,))
    window = window_for(cue_of(prompt, 0, (300, 300), 3).need, (300, 300), SIZE)  # type: ignore[union-attr]
    x, y = window[:2]
    assert x > 0 and y > 0 and window[2] - x == SIZE == window[3] - y
    (there,) = segmenter.segment(Scene.from_array(pixels), [prompt])
    moved = MaskPrompt(prompt.box_px - (x, y, x, y), None, prompt.points_px - (x, y), (0,))  # type: ignore[operator]
    (here,) = segmenter.segment(Scene.from_array(pixels[y : y + SIZE, x : x + SIZE]), [moved])
    assert there.mask.area_px > 0
    assert np.array_equal(there.mask.crop, here.mask.crop)
    assert there.mask.offset_xy == (here.mask.offset_xy[0] + x, here.mask.offset_xy[1] + y)


def test_what_else_is_asked_changes_nothing(folder: Path) -> None:
    rng = np.random.default_rng(2)
    scene = Scene.from_array(rng.integers(0, 255, (400, 500, 3)).astype(np.uint8))
    corners = rng.uniform(0, 360, (30, 2))
    prompts = [MaskPrompt(np.concatenate([c, c + rng.uniform(0.5, 60, 2)])) for c in corners]
    prompts += [MaskPrompt(p.box_px, None, p.box_px[None, :2] + 0.3, (1,)) for p in prompts[:6]]
    segmenter, _ = stubbed(folder, "?batch=4&cache=2")
    together = segmenter.segment(scene, prompts)
    assert same(together, segmenter.segment(scene, prompts[::-1])[::-1])
    assert same(together, tuple(segmenter.segment(scene, [prompt])[0] for prompt in prompts))


def test_image_is_encoded_once_and_few_are_kept(folder: Path) -> None:
    scene, other = drawn((60, 60), (10, 10, 20, 20)), drawn((60, 60), (30, 30, 50, 50))
    prompts = [box_prompt(10, 10, 20 + i, 20) for i in range(40)]
    segmenter, engine = stubbed(folder, "?cache=1")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: segmenter.segment(scene, prompts), range(4)))
    assert all(same(found[0], again) for again in found)
    assert engine.encodes == 1
    again = Scene.from_array(scene.read())
    segmenter.segment(again, prompts[:1])
    assert engine.encodes == 1, "the same pixels"
    segmenter.segment(other, prompts[:1])
    segmenter.segment(scene, prompts[:1])
    assert engine.encodes == 3, "one is kept"
    none, engine = stubbed(folder, "?cache=0")
    for _ in range(2):
        none.segment(scene, prompts)
    assert engine.encodes == 2


def test_prompts_are_batched_by_kind(folder: Path) -> None:
    scene = drawn((60, 60), (10, 10, 40, 40))
    rough = Mask.from_array(np.ones((4, 4)), (10, 10), (60, 60))
    prompts = [
        box_prompt(10, 10, 40, 40),
        MaskPrompt(np.array([10.0, 10, 40, 40]), None, np.array([[20.0, 20]]), (1,)),
        box_prompt(12, 12, 40, 40),
        MaskPrompt(np.array([10.0, 10, 40, 40]), coarse=rough),
        box_prompt(20, 20, 20, 20),
        MaskPrompt(np.array([20.0, 20, 20, 20]), None, np.array([[20.0, 20], [30, 30]]), (1, 1)),
    ]
    segmenter, engine = stubbed(folder)
    results = segmenter.segment(scene, prompts)
    told = [
        (b.boxes is not None, b.points.shape[1], b.coarse is not None, len(b.points), many)
        for b, many in engine.batches
    ]
    assert told == [
        (True, 0, False, 2, False),
        (True, 1, False, 1, False),
        (True, 0, True, 1, False),
        (False, 1, False, 1, True),  # a single point: whole or part? best of three
        (False, 2, False, 1, False),
    ]
    assert results[4].score == 1.0, "a predicted IoU above 1 is cut"
    assert results[4].mask.area_px > 0, "the best of three is the third"
    for setting in (True, False):
        segmenter, engine = stubbed(folder, f"?multimask={setting}".lower())
        segmenter.segment(scene, prompts)
        assert {many for _, many in engine.batches} == {setting}


def test_no_prompts_and_progress(folder: Path) -> None:
    segmenter, engine = stubbed(folder)
    assert segmenter.segment(drawn((60, 60)), []) == () and engine.encodes == 0
    told: list[tuple[int, int]] = []
    with listening(lambda what, done, total: told.append((done, total))):
        segmenter.segment(drawn((60, 60)), [box_prompt(1, 1, 9, 9), box_prompt(99, 99, 100, 100)])
    assert told == [(0, 1), (1, 1)]


def test_cancelled_between_masks(folder: Path) -> None:
    segmenter, engine = stubbed(folder, "?batch=1")
    with pytest.raises(Cancelled), metering(Meter(cancelled=lambda: len(engine.batches) == 2)):
        segmenter.segment(drawn((60, 60)), [box_prompt(1, 1, 9, 9)] * 5)
    assert len(engine.batches) == 2


def test_overflow_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, engine = stubbed(folder)
    monkeypatch.setattr(
        engine, "decode", lambda *_: (np.zeros((1, 1, 16, 16), np.float32), np.full((1, 1), np.nan, np.float32))
    )
    with pytest.raises(ToolFailed, match="overflowed; use dtype=bfloat16"):
        segmenter.segment(drawn((60, 60)), [box_prompt(1, 1, 9, 9)])


# ---- transformers' model, small and random, and one that learnt what a box is


BOXES = ((20, 15, 60, 35), (70, 50, 90, 70), (10, 50, 30, 70))


def three_bright(width: int = 120, height: int = 90) -> Scene:
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[::7] = 100
    for x0, y0, x1, y1 in BOXES:
        pixels[y0:y1, x0:x1] = 230
    return Scene.from_array(pixels)


def noise(width: int, height: int, seed: int = 0) -> Scene:
    return Scene.from_array(np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8))


PROMPTS = [
    box_prompt(20, 15, 60, 35),
    MaskPrompt(np.array([20.0, 15, 60, 35]), None, np.array([[40.0, 25], [65, 40]]), (1, 0)),
    box_prompt(40, 25, 40, 25),
    MaskPrompt(np.array([20.0, 15, 60, 35]), coarse=Mask.from_array(np.ones((9, 9)), (22, 18), (90, 120))),
    MaskPrompt(np.array([10.0, 10, 90, 90]), DIAMOND),
    box_prompt(500, 500, 520, 520),
]


class TestTransformers:
    pytestmark = local

    @pytest.fixture(scope="class")
    def random_hub(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        from surveyor.finetune.scratch.sam2 import make_sam2_hub

        return make_sam2_hub(tmp_path_factory.mktemp("sam2"), seed=0, size=128)

    @pytest.fixture(scope="class")
    def learnt(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        import torch
        from surveyor.finetune.scratch.sam2 import make_sam2_hub, train_on_boxes

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        folder = make_sam2_hub(tmp_path_factory.mktemp("learnt"), seed=0, size=64)
        reached = train_on_boxes(folder, seed=0)
        torch.set_num_threads(threads)
        assert reached["iou"] >= 0.5
        return folder

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_gives_one_mask_a_prompt_whatever_the_order(self, random_hub: Path, dtype: str) -> None:
        segmenter = sam2_segmenter(f"{random_hub}?device=cpu&dtype={dtype}")
        scene = noise(120, 90)
        results = segmenter.segment(scene, PROMPTS)
        assert len(results) == len(PROMPTS)
        assert all(result.mask.shape_hw == (90, 120) for result in results)
        assert all(result.score is not None and 0 <= result.score <= 1 for result in results[:-1])
        assert any(result.mask.area_px for result in results)
        for one, other in zip(results, segmenter.segment(scene, PROMPTS[::-1])[::-1], strict=True):
            assert one.mask.iou(other.mask) >= 0.99 or one.mask.area_px == other.mask.area_px == 0
        with ThreadPoolExecutor(3) as pool:
            assert all(
                same(results, again) for again in pool.map(lambda _: segmenter.segment(scene, PROMPTS), range(3))
            )

    def test_every_kind_of_prompt_changes_the_logits(self, random_hub: Path) -> None:
        segmenter = Sam2Segmenter.at(f"{random_hub}?device=cpu")
        scene, engine = noise(128, 128), segmenter._loaded()
        features = engine.encode(scene.read())
        none = np.zeros((1, 0, 2), np.float32)
        box = np.array([[10, 10, 60, 60]], np.float32)
        spot = np.array([[[30, 30]]], np.float32)
        rough = np.full((1, 32, 32), -10, np.float32)
        batches = [
            Batch(box, none, np.zeros((1, 0), np.int64), None),
            Batch(box + 5, none, np.zeros((1, 0), np.int64), None),
            Batch(box, spot, np.ones((1, 1), np.int64), None),
            Batch(box, spot, np.zeros((1, 1), np.int64), None),
            Batch(box, none, np.zeros((1, 0), np.int64), rough),
            Batch(box, none, np.zeros((1, 0), np.int64), -rough),
            Batch(None, spot, np.ones((1, 1), np.int64), None),
        ]
        found = [engine.decode(features, batch, False)[0] for batch in batches]
        for i, one in enumerate(found):
            assert one.shape == (1, 1, 32, 32) and one.dtype == np.float32
            assert all(np.abs(one - other).max() > 1e-4 for other in found[:i])
        assert engine.decode(features, batches[0], True)[0].shape == (1, 3, 32, 32)

    def test_many_prompts_at_once_are_as_one_by_one(self, random_hub: Path) -> None:
        engine = Sam2Segmenter.at(f"{random_hub}?device=cpu")._loaded()
        features = engine.encode(noise(128, 128).read())
        rng = np.random.default_rng(0)
        boxes = rng.uniform((0, 0, 60, 60), (60, 60, 120, 120), (5, 4))
        points = rng.uniform(0, 128, (5, 2, 2)).astype(np.float32)
        rough = rng.uniform(-10, 10, (5, 32, 32)).astype(np.float32)
        labels = np.array([[1, 0]] * 5)
        for with_rough in (False, True):
            batch = Batch(boxes.astype(np.float32), points, labels, rough if with_rough else None)
            logits, quality = engine.decode(features, batch, False)
            for i in range(5):
                part = Batch(
                    batch.boxes[i : i + 1],  # type: ignore[index]
                    points[i : i + 1],
                    labels[i : i + 1],
                    rough[i : i + 1] if with_rough else None,
                )
                alone, score = engine.decode(features, part, False)
                np.testing.assert_allclose(logits[i], alone[0], atol=1e-4)
                np.testing.assert_allclose(quality[i], score[0], atol=1e-5)

    def test_enlarged_is_torchs_own(self) -> None:
        import torch

        logits = np.random.default_rng(3).normal(0, 1, (32, 32)).astype(np.float32)
        for size_wh in ((120, 90), (32, 32), (20, 300), (1000, 1000)):
            plain = torch.nn.functional.interpolate(
                torch.from_numpy(logits)[None, None], size_wh[::-1], mode="bilinear", align_corners=False
            )[0, 0].numpy()
            mask, (x, y) = enlarged(logits, size_wh)
            whole = np.zeros(size_wh[::-1], dtype=bool)
            whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
            assert (whole == (plain > 0))[np.abs(plain) > 1e-5].all()

    def test_memory_running_out_makes_smaller_batches(self, folder: Path) -> None:
        scene = drawn((60, 60), (10, 10, 40, 40))
        prompts = [box_prompt(10, 10, 30 + i, 40) for i in range(10)]
        segmenter, engine = stubbed(folder, "?batch=8", room=3)
        notes: list[str] = []
        with noting(notes):
            results = segmenter.segment(scene, prompts)
        assert notes == [
            "memory ran out: SAM-2 takes 4 prompts at once instead of 8",
            "memory ran out: SAM-2 takes 2 prompts at once instead of 4",
        ]
        assert [len(batch.points) for batch, _ in engine.batches] == [2] * 5
        assert same(results, stubbed(folder)[0].segment(scene, prompts))
        segmenter, _ = stubbed(folder, room=0)
        with pytest.raises(ToolFailed, match="memory does not suffice for one prompt"):
            segmenter.segment(scene, prompts)

    def test_memory_running_out_while_encoding_drops_what_is_kept(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        segmenter, engine = stubbed(folder)
        segmenter.segment(drawn((60, 60), (1, 1, 30, 30)), [box_prompt(1, 1, 30, 30)])
        whole, failures = engine.encode, iter([True, False])

        def encode(pixels: np.ndarray) -> Any:
            if next(failures, True):
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return whole(pixels)

        monkeypatch.setattr(engine, "encode", encode)
        notes: list[str] = []
        with noting(notes):
            segmenter.segment(drawn((60, 60), (9, 9, 30, 30)), [box_prompt(1, 1, 30, 30)])
        assert notes == ["memory ran out: SAM-2's kept images were dropped"]
        with pytest.raises(ToolFailed, match="memory does not suffice for one image"):
            segmenter.segment(drawn((60, 60), (19, 19, 30, 30)), [box_prompt(1, 1, 30, 30)])

    def test_another_error_of_the_library_is_not_hidden(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        segmenter, engine = stubbed(folder)

        def decode(*_: object) -> Any:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        monkeypatch.setattr(engine, "decode", decode)
        with pytest.raises(RuntimeError, match="mat1 and mat2"):
            segmenter.segment(drawn((60, 60)), [box_prompt(1, 1, 30, 30)])

    def test_checkpoint_that_lacks_weights_or_has_others_is_told(self, random_hub: Path, tmp_path: Path) -> None:
        import shutil

        from safetensors.torch import load_file, save_file

        shutil.copytree(random_hub, tmp_path / "lacking")
        weights = load_file(random_hub / "model.safetensors")
        less = {key: value for key, value in weights.items() if not key.startswith("mask_decoder.conv_s")}
        save_file(less, tmp_path / "lacking" / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(UsageError, match=r"lacks weights .* mask_decoder.conv_s0.bias, .* and 1 more"):
            sam2_segmenter(f"{tmp_path / 'lacking'}?device=cpu").segment(noise(60, 60), PROMPTS[:1])
        weights["mask_decoder.mask_tokens.weight"] = weights["mask_decoder.mask_tokens.weight"][:, :8].clone()
        save_file(weights, tmp_path / "lacking" / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(UsageError, match="cannot be loaded"):
            sam2_segmenter(f"{tmp_path / 'lacking'}?device=cpu").segment(noise(60, 60), PROMPTS[:1])

    def test_folder_with_the_config_alone_is_told(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="lacks weights that the model needs"):
            sam2_segmenter(f"{folder}?device=cpu").segment(noise(60, 60), PROMPTS[:1])

    def test_preparation_that_does_not_fit_is_told(self, random_hub: Path, tmp_path: Path) -> None:
        import shutil

        place = tmp_path / "other"
        shutil.copytree(random_hub, place)
        settings_file = place / "preprocessor_config.json"
        said = json.loads(settings_file.read_text())
        for change, message in (
            ({"size": {"height": 256, "width": 256}}, "its model takes 128 x 128"),
            ({"size": {"shortest_edge": 128}}, "its model takes 128 x 128"),
            ({"resample": 1}, "resample=1"),
        ):
            settings_file.write_text(json.dumps(said | change))
            with pytest.raises(UsageError, match=message):
                sam2_segmenter(f"{place}?device=cpu").segment(noise(60, 60), PROMPTS[:1])

    def test_device_and_dtype_that_are_not_there(self, random_hub: Path) -> None:
        import torch

        with pytest.raises(UsageError, match="float16' is for GPUs"):
            sam2_segmenter(f"{random_hub}?device=cpu&dtype=float16").segment(noise(60, 60), PROMPTS[:1])
        beyond = f"cuda:{torch.cuda.device_count()}" if torch.cuda.is_available() else "cuda"
        with pytest.raises(UsageError, match="torch sees"):
            sam2_segmenter(f"{random_hub}?device={beyond}").segment(noise(60, 60), PROMPTS[:1])

    def test_model_of_the_hub_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        segmenter = sam2_segmenter("nobody/no-such-sam2")
        with pytest.raises(UsageError, match=r"'nobody/no-such-sam2' cannot be fetched .* copy config.json"):
            segmenter.segment(noise(60, 60), PROMPTS[:1])

    def test_video_checkpoint_holds_the_image_model(self, random_hub: Path, tmp_path: Path) -> None:
        from transformers import Sam2Model, Sam2VideoConfig, Sam2VideoModel

        image = Sam2Model.from_pretrained(random_hub)
        parts = {name: getattr(image.config, name) for name in ("vision_config", "prompt_encoder_config")}
        video = Sam2VideoModel(
            Sam2VideoConfig(
                **parts,
                mask_decoder_config=image.config.mask_decoder_config,
                memory_attention_hidden_size=64,
                memory_attention_rope_feat_sizes=[8, 8],
                memory_encoder_hidden_size=64,
                memory_encoder_output_channels=16,
                mask_downsampler_embed_dim=64,
                memory_fuser_embed_dim=64,
                image_size=128,
            )
        )
        missing, _ = video.load_state_dict(image.state_dict(), strict=False)
        assert not [key for key in missing if key.startswith(("vision_encoder", "mask_decoder", "prompt_encoder"))]
        video.save_pretrained(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "sam2_video"
        scene = noise(120, 90)
        one = sam2_segmenter(f"{random_hub}?device=cpu").segment(scene, PROMPTS)
        assert same(one, sam2_segmenter(f"{tmp_path}?device=cpu").segment(scene, PROMPTS))

    def test_learnt_one_finds_plain_rectangles(self, learnt: Path) -> None:
        scene = three_bright()
        segmenter = sam2_segmenter(f"{learnt}?device=cpu")
        for result, box in zip(segmenter.segment(scene, [box_prompt(*box) for box in BOXES]), BOXES, strict=True):
            found = result.mask.box_px
            assert found is not None
            overlap = np.minimum(found[2:], box[2:]) - np.maximum(found[:2], box[:2])
            assert overlap.prod() >= 0.7 * result.mask.area_px
            assert result.mask.area_px >= 0.6 * (box[2] - box[0]) * (box[3] - box[1])

    def test_learnt_one_finds_them_anywhere_in_a_large_scene(self, learnt: Path) -> None:
        segmenter = sam2_segmenter(f"{learnt}?device=cpu")
        for at in ((7, 11), (200, 340), (351, 402)):
            box = (*at, at[0] + 24, at[1] + 16)
            (result,) = segmenter.segment(drawn((400, 430), box), [box_prompt(*box)])
            truth = Mask.from_array(np.ones((16, 24)), at, (430, 400))
            assert result.mask.iou(truth) >= 0.5
