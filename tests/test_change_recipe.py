"""The change detector's recipe: what is a change in a composed pair, what is kept apart, exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed")

from surveyor.core.errors import UsageError  # noqa: E402
from surveyor.evals.datasets.held_out import CHANGE_HELD_OUT, is_held_out  # noqa: E402
from surveyor.finetune.change.compose import Crop, composed, crop_of, same_place  # noqa: E402
from surveyor.finetune.change.data import UNKNOWN, PairSample, Patch, Tile, cut_buildings, draw_pairs  # noqa: E402
from surveyor.finetune.change.model import ChangeNet, change_loss  # noqa: E402
from surveyor.finetune.recipe import read_recipe  # noqa: E402

pytestmark = pytest.mark.torch
SHARED = Path(__file__).parents[2] / "shared" / "data"
CONFIG = Path(__file__).parents[1] / "finetune" / "configs" / "change.yaml"
SIDE = 96


def flat(level: int, side: int = 160) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def tile(built: int = 0) -> Tile:
    return Tile(flat(90), np.full((160, 160), built, np.uint8), 0.5)


def house() -> Patch:
    return Patch(flat(230, 30), np.ones((30, 30), np.uint8), 0.5)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_pasted_into_one_date_changed_and_what_stands_at_both_did_not(seed: int) -> None:
    crop = composed(tile(), [house()], [], SIDE, np.random.default_rng(seed))
    one_only = (crop.built[0] == 1) != (crop.built[1] == 1)
    known = (crop.built != UNKNOWN).all(axis=0)
    assert np.array_equal(crop.changed[known] == 1, one_only[known])


def test_pasted_buildings_are_seen_where_they_are_said_to_be() -> None:
    """The pixels themselves tell: a patch is much lighter than the ground in whatever light."""
    seen = 0
    for seed in range(20):
        crop = composed(tile(), [house()], [], SIDE, np.random.default_rng(seed))
        for image, built in zip(crop.images, crop.built, strict=True):
            inside, outside = built == 1, built == 0
            if inside.sum() > 200 and outside.sum() > 200:
                seen += 1
                assert image[inside].mean() > image[outside].mean() + 15
    assert seen > 10


def test_things_that_are_no_buildings_are_no_change() -> None:
    crops = [composed(tile(), [house()], [house()], SIDE, np.random.default_rng(seed)) for seed in range(8)]
    plain = [composed(tile(), [house()], [], SIDE, np.random.default_rng(seed)) for seed in range(8)]
    assert all(np.array_equal(a.changed, b.changed) for a, b in zip(crops, plain, strict=True))
    assert any(not np.array_equal(a.images, b.images) for a, b in zip(crops, plain, strict=True))


def test_over_ground_whose_buildings_nobody_labelled_a_pasted_one_still_changed() -> None:
    crops = [composed(tile(UNKNOWN), [house()], [], SIDE, np.random.default_rng(seed)) for seed in range(12)]
    assert any((crop.changed == 1).any() for crop in crops)
    assert all(set(np.unique(crop.built)) <= {1, UNKNOWN} for crop in crops)


def test_crops_of_pairs_keep_images_and_masks_together() -> None:
    (pair,) = draw_pairs(1, 7, side=160)
    crop = crop_of(pair, SIDE, np.random.default_rng(3))
    again = crop_of(pair, SIDE, np.random.default_rng(3))
    assert all(np.array_equal(getattr(crop, name), getattr(again, name)) for name in ("images", "changed", "built"))
    one_only = (crop.built[0] == 1) != (crop.built[1] == 1)
    known = (crop.built != UNKNOWN).all(axis=0) & (crop.changed != UNKNOWN)
    assert (one_only == (crop.changed == 1))[known].mean() > 0.97  # outlines of neighbours may overlap by a pixel
    nothing = same_place(pair, SIDE, np.random.default_rng(3))
    assert not nothing.changed.any() and np.array_equal(*nothing.built)
    assert not np.array_equal(*nothing.images)  # but lit otherwise


def test_buildings_are_cut_out_whole() -> None:
    built = np.zeros((100, 100), np.uint8)
    built[20:50, 30:60] = 1
    built[0:30, 80:100] = 1  # at the border: a part
    image = np.repeat((built * 200)[..., None], 3, axis=2).astype(np.uint8)
    (patch,) = cut_buildings([Tile(image, built, 0.3)])
    assert patch.mask.shape == (34, 34) and patch.mask.sum() == 900
    assert (patch.image[patch.mask == 1] == 200).all() and (patch.image[patch.mask == 0] == 0).all()
    assert cut_buildings([Tile(image, np.full_like(built, UNKNOWN), 0.3)]) == []


def test_unknown_pixels_teach_nothing() -> None:
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    changed, built = torch.full((1, 4, 4), UNKNOWN, dtype=torch.uint8), torch.full((1, 2, 4, 4), UNKNOWN, dtype=torch.uint8)  # fmt: skip  # noqa: E501
    changed[0, 0, 0] = 1
    loss, _ = change_loss(logits, changed, built)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 0, 0] < 0 and logits.grad.count_nonzero() == 1


def test_the_network_takes_both_dates_alike_and_tells_a_pixel_each() -> None:
    net = ChangeNet(16).eval()
    before, after = torch.rand(2, 1, 3, 64, 96) * 255
    with torch.no_grad():
        told, turned = net(before, after), net(after, before)
    assert told.shape == (1, 3, 64, 96)
    assert torch.allclose(told[:, 0], turned[:, 0], atol=1e-4)  # a change has no direction
    assert torch.allclose(told[:, 1], turned[:, 2], atol=1e-4)


def test_pairs_kept_for_reporting_are_never_read() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    from surveyor.finetune.change.data import read_pairs, read_tiles

    read = read_pairs(SHARED)
    assert {pair.source for pair in read} == {"fotbcd", "levir", "xbd"} and len(read) >= 10
    assert not [pair.name for pair in read if pair.source != "xbd" and is_held_out(pair.source, pair.name)]
    assert not [pair.name for pair in read if any(pair.name.startswith(each) for each in CHANGE_HELD_OUT["xbd"])]
    kept = sorted((SHARED / "change/xbd/images").glob("*00000006*"))
    assert kept
    held = cv2.imread(str(kept[0]))[..., ::-1]
    assert not [one for one in read_tiles(SHARED) if one.image.shape == held.shape and np.array_equal(one.image, held)]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from surveyor.finetune.change import train as recipe

    pairs = [PairSample(f"p{n}", source, *rest) for n, source in enumerate(("fotbcd", "levir", "xbd")) for rest in [_parts(n)]]  # fmt: skip  # noqa: E501
    monkeypatch.setattr(recipe, "read_pairs", lambda root: pairs)
    monkeypatch.setattr(recipe, "read_tiles", lambda root, pairs: [tile()])
    monkeypatch.setattr(recipe, "cut_buildings", lambda tiles: [house()])
    monkeypatch.setattr(recipe, "cut_other_things", lambda root: [])
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text()) | {
        "init": None, "width": 8, "side": 64, "batch": 2, "steps": 4, "bf16": False, "drawn": 1, "dev": ["p0"],
        "warmup": 1, "log_every": 2, "eval_every": 4, "save_every": 2, "shares": {"levir": 1, "composed": 1, "same": 1},
    }  # fmt: skip
    whole = recipe.train(config | {"out": str(tmp_path / "whole")})
    part = recipe.Training(config | {"out": str(tmp_path / "part")})
    part.net.train()
    part.advance()
    part.advance()
    part.save()
    rest = recipe.train(config | {"out": str(tmp_path / "part")})
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, rest.net.state_dict()[name]), name
    assert "'dev': {'all':" in capsys.readouterr().out
    with pytest.raises(UsageError, match="dev names"):
        recipe.Training(config | {"dev": ["nowhere"], "out": str(tmp_path / "x")})
    with pytest.raises(UsageError, match="unknown key 'stpes'"):
        read_recipe(CONFIG, ["stpes=3"])


def _parts(number: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(number)
    images = (rng.integers(0, 255, (96, 96, 3), np.uint8), rng.integers(0, 255, (96, 96, 3), np.uint8))
    mask = np.zeros((96, 96), np.uint8)
    mask[10:40, 10:40] = 1
    nobody = np.full_like(mask, UNKNOWN)
    return images, mask, (nobody, nobody), 0.5


def test_crop_is_plain_data() -> None:
    crop = same_place(PairSample("p", "levir", *_parts(1)), 64, np.random.default_rng(0))
    assert isinstance(crop, Crop) and crop.images.shape == (2, 64, 64, 3) and crop.built.shape == (2, 64, 64)
