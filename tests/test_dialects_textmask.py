"""Text-Mask: the grid survives its text, pixels survive max-pooling, and real masks are measured."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from surveyor.core.codec import Pointed, dialect
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.masks import Mask
from surveyor.core.textmask import TextMask

SETTINGS = settings(deadline=None, max_examples=80)
NWPU = Path(__file__).resolve().parents[2] / "shared/data/nwpu_vhr10/val.json"
grids = st.integers(2, 40).flatmap(lambda n: arrays.arrays(bool, (n, n)))


def test_many_grids_come_back_from_their_text():
    rng = np.random.default_rng(3)
    for cells in (16, 24, 32):
        shares = rng.uniform(0, 1, (500, 1, 1))
        for grid in rng.random((500, cells, cells)) < shares:
            text = TextMask(grid).to_text()
            assert text.count(";") == cells - 1
            assert (TextMask.from_text(text).cells == grid).all()


@SETTINGS
@given(grids)
def test_a_grid_comes_back_from_text_and_from_pixels(grid):
    made = TextMask(grid)
    assert (TextMask.from_text(made.to_text()).cells == grid).all()
    plain = ";\n".join(", ".join(str(int(v)) for v in row) for row in grid) + ";"
    assert (TextMask.from_text(plain).cells == grid).all()
    for size in ((len(grid), len(grid)), (101, 77), (640, 40)):
        assert (TextMask.from_mask(made.to_mask(size), len(grid)).cells == grid).all()


@SETTINGS
@given(arrays.arrays(bool, st.tuples(st.integers(1, 60), st.integers(1, 60))), st.sampled_from([2, 7, 16, 24, 32]))
def test_no_pixel_is_lost(pixels, cells):
    mask = Mask.from_array(pixels)
    pooled = TextMask.from_mask(mask, cells)
    assert pooled.cells.any() == pixels.any()
    if min(pixels.shape) >= cells:
        again = pooled.to_mask(pixels.shape[::-1])
        assert again.intersection_px(mask) == mask.area_px
    expected = np.zeros((cells, cells), dtype=bool)
    for row, column in np.argwhere(pixels):
        expected[int((row + 0.5) * cells / pixels.shape[0]), int((column + 0.5) * cells / pixels.shape[1])] = True
    assert (pooled.cells == expected).all()


def test_written_form():
    grid = np.zeros((4, 4), dtype=bool)
    grid[1, 1:3] = grid[2] = True
    text = TextMask(grid).to_text()
    assert text == "0*4;0*1,1*2,0*1;1*4;0*4"
    (item,) = dialect("geoground").decode(f"<seg>{text}</seg>", (8, 8))
    assert item.kind == "mask" and item.mask.area_px == 24 and item.mask.shape_hw == (8, 8)
    assert sorted(map(tuple, item.points_px.tolist())) == [(0, 4), (0, 6), (2, 2), (6, 2), (8, 4), (8, 6)]


def test_holes_and_parts_survive():
    pixels = np.zeros((64, 64), dtype=bool)
    pixels[8:32, 8:32], pixels[16:24, 16:24], pixels[48:56, 40:60] = True, False, True
    mask = Mask.from_array(pixels)
    text = dialect("geoground").encode([Pointed("mask", np.zeros((3, 2)), mask=mask)], (64, 64))
    (item,) = dialect("geoground").decode(text, (64, 64))
    assert item.mask == mask and len(item.mask.to_polygons()) == 2
    assert item.points_px.min(axis=0).tolist() == [8, 8] and item.points_px.max(axis=0).tolist() == [60, 56]


def test_a_grid_without_cells_is_an_explicit_none():
    assert dialect("geoground").decode("<seg>0*2;0*2</seg>", (10, 10)) == []
    for text in ("<seg>0*2;0*2</seg><seg>0*2;0*2</seg>", "<box>[[1,2,3,4]]</box><seg>0*2;0*2</seg>"):
        with pytest.raises(ModelOutputError, match="empty mask"):
            dialect("geoground").decode(text, (10, 10))


@pytest.mark.parametrize("cells", [16, 24, 32])
def test_every_size_is_read_and_one_is_written(cells):
    name = "geoground" if cells == 32 else f"geoground-{cells}"
    polygon = Pointed("polygon", np.array([[10.0, 10], [90, 20], [50, 80]]))
    text = dialect(name).encode([polygon], (100, 100))
    assert text.count(";") == cells - 1
    for other in ("geoground", "geoground-16", "geoground-24", "geoground-le90"):
        (item,) = dialect(other).decode(text, (100, 100))
        assert item.kind == "mask" and item.mask.iou(Mask.from_polygon(polygon.points_px, (100, 100))) > 0.6


def test_what_cannot_be_written():
    size = (100, 100)
    empty = Mask.from_array(np.zeros((100, 100)))
    other = Mask.from_array(np.ones((50, 100)))
    for mask in (empty, other):
        with pytest.raises(UsageError):
            dialect("geoground").encode([Pointed("mask", np.zeros((3, 2)), mask=mask)], size)
    for cells in (np.zeros((3, 4)), np.zeros((1, 1)), np.zeros(4), np.zeros((600, 600))):
        with pytest.raises(UsageError):
            TextMask(cells)
    speck = Pointed("polygon", np.array([[50.6, 50.6], [50.9, 50.6], [50.9, 50.9]]))  # between the centres of pixels
    (item,) = dialect("geoground").decode(dialect("geoground").encode([speck], size), size)
    assert (item.points_px.min(axis=0) <= 50.6).all() and (item.points_px.max(axis=0) >= 50.9).all()
    with pytest.raises(UsageError):
        TextMask(np.eye(3)).to_mask((0.2, 5))


@pytest.mark.skipif(not NWPU.exists(), reason="the NWPU VHR-10 masks are not here")
def test_real_masks():
    """What a perfect model could reach: IoU of 200 instance masks of NWPU VHR-10 (docs/dialects.md has all 3,591)."""
    shares = real_ious(real_masks(NWPU)[:200])
    means = {cells: float(np.mean(values)) for cells, values in shares.items()}
    assert means[16] < means[24] < means[32]
    assert means[16] > 0.1 and means[32] < 0.5


def real_masks(path: Path) -> list[Mask]:
    data = json.loads(path.read_text())
    shapes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    outlines = [[np.array(ring, dtype=float).reshape(-1, 2) for ring in each["segmentation"]] for each in data["annotations"]]  # fmt: skip  # noqa: E501
    return [
        Mask.from_polygon(rings, shapes[each["image_id"]])
        for rings, each in zip(outlines, data["annotations"], strict=True)
    ]


def real_ious(masks: list[Mask]) -> dict[int, np.ndarray]:
    """IoU of each mask with itself after Text-Mask, by grid."""
    return {
        cells: np.array([TextMask.from_mask(m, cells).to_mask(m.shape_hw[::-1]).iou(m) for m in masks])
        for cells in (16, 24, 32)
    }


def main(paths: list[str]) -> None:
    """The numbers in docs/dialects.md."""
    masks = [mask for path in paths for mask in real_masks(Path(path))]
    side = np.array([math.sqrt(mask.area_px / math.prod(mask.shape_hw)) for mask in masks])
    for cells, shares in real_ious(masks).items():
        length = np.mean([len(TextMask.from_mask(mask, cells).to_text()) for mask in masks])
        told = f"mean {shares.mean():.3f}  median {np.median(shares):.3f}  >= 0.5: {np.mean(shares >= 0.5):.3f}"
        sizes = f"below 5 % of the side {shares[side < 0.05].mean():.2f}, above 20 % {shares[side > 0.2].mean():.2f}"
        print(f"{cells} cells: n {len(shares)}  {told}  {sizes}  characters {length:.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
