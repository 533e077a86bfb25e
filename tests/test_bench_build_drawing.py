"""Drawing many masks and outlines at once gives, pixel by pixel and point by point, what drawing each alone gives."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from surveyor.core.masks import Mask, masks_from_polygons
from surveyor.evals.bench.execute import outline_of
from surveyor.evals.report.drawing import masks_of, outlines_of

SHAPE_HW = (90, 300)


def polygons(rng: np.random.Generator, n: int, reach: float) -> list[shapely.Polygon]:
    """Polygons of all sorts: with corners on pixel centres, with holes, reaching out of the scene, nowhere in it."""
    found: list[shapely.Polygon] = []
    for _ in range(n):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        points = rng.uniform(-20, 120, 2) + np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.2, reach)
        grid = rng.choice([1.0, 2.0, 64.0])
        shape = shapely.make_valid(shapely.Polygon(np.round(points * grid) / grid))
        if rng.random() < 0.3:
            shape = shape.buffer(4).difference(shape.buffer(1))
        found += [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and not part.is_empty]
    return found


@pytest.mark.parametrize("seed", range(30))
def test_masks_drawn_together_are_those_drawn_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = polygons(rng, int(rng.integers(1, 20)), 12)
    alone = [Mask.from_polygon(one, SHAPE_HW) for one in some]
    assert masks_from_polygons(some, SHAPE_HW) == alone
    wide = [shapely.box(3, 5, 290, 80), *some]
    assert masks_of(wide, SHAPE_HW[::-1]) == [Mask.from_polygon(wide[0], SHAPE_HW), *alone]


def test_no_polygons_give_no_masks() -> None:
    assert masks_from_polygons([], SHAPE_HW) == [] == masks_of([], SHAPE_HW[::-1])


@pytest.mark.parametrize("density", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_outlines_found_together_are_those_found_alone(density: float) -> None:
    rng = np.random.default_rng(int(10 * density))
    for _ in range(30):
        masks = [
            Mask.from_array(rng.random(rng.integers(1, 14, 2)) < density, (int(x), int(y)), SHAPE_HW)
            for x, y in rng.integers(0, 70, (int(rng.integers(1, 9)), 2))
        ]
        masks.append(Mask.from_array(np.ones((3, 200)), (5, 5), SHAPE_HW))
        for mask, outline in zip(masks, outlines_of(masks), strict=True):
            alone = outline_of(mask)
            assert (outline is None) == (alone is None) == (not mask.crop.size)
            assert outline is None or np.array_equal(outline, alone)
