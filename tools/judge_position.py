"""Rules on where in the image a candidate lies (P1-P3, and boxes said in numbers). North is up."""

from __future__ import annotations

import numpy as np

from ..core.conditions import InBox, Position
from ..core.errors import UsageError
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings


def judge_position(case: Case, condition: Position | InBox) -> Findings:
    """Cells of a 3x3 grid, halves, quadrants, edges; boxes said in numbers.

    The centre of the oriented box decides. With a gap, it must lie clear of the border of the cell, half or box, and in
    a cell or box lie three quarters of the oriented box's upright one. Exactly on a border: unknown. Edge: the outline
    reaches the border; with a gap, fails from 5 % of the image's side away; crisp, holds up to 2.5 %.

    Raises:
        UsageError: a box that lies outside the image.
    """
    if isinstance(condition, Position) and condition.frame == "edge":
        return _judge_edge(case, condition)
    is_part = isinstance(condition, InBox) or condition.frame == "cell"
    places = case.layout.centers / case.size_wh
    codes = np.full(len(places), TRUE, dtype=np.int8)
    for axis, (low, high) in enumerate(place_bounds(condition, case.scene.size_wh)):
        margin = case.bands.cell_margin if is_part else case.bands.half_margin
        codes = np.minimum(codes, _between(places[:, axis], low, high, margin))
    if is_part and case.bands.cell_share > 0:
        codes = np.where((codes == TRUE) & (_share_in(case, condition) < case.bands.cell_share), UNKNOWN, codes)

    def why(index: int) -> str:
        x, y = places[index]
        return f"its centre is at {100 * x:.1f} % from the left and {100 * y:.1f} % from the top"

    return Findings(codes.astype(np.int8), why)


def place_bounds(
    condition: Position | InBox, size_wh: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A place's range across and down, in shares of the image; of any place but an edge.

    Raises:
        UsageError: a box in px that lies outside the image.
    """
    if isinstance(condition, InBox):
        left, top, right, bottom = condition.to_px(size_wh)
        width, height = size_wh
        if left >= width or top >= height:
            raise UsageError(
                f"the box {list(condition.xyxy)} px lies outside the image of {width} x {height} px; "
                "give left, top, right, bottom inside it"
            )
        return (left / width, right / width), (top / height, bottom / height)
    parts = condition.place.split()
    if condition.frame == "cell":
        thirds = {"left": 0, "top": 0, "right": 2, "bottom": 2}
        column = next((thirds[part] for part in parts if part in ("left", "right")), 1)
        row = next((thirds[part] for part in parts if part in ("top", "bottom")), 1)
        return (column / 3, (column + 1) / 3), (row / 3, (row + 1) / 3)
    whole = (0.0, 1.0)
    halves = {"left": (0.0, 0.5), "top": (0.0, 0.5), "right": (0.5, 1.0), "bottom": (0.5, 1.0)}
    across = next((halves[part] for part in parts if part in ("left", "right")), whole)
    down = next((halves[part] for part in parts if part in ("top", "bottom")), whole)
    return across, down


def _between(places: np.ndarray, low: float, high: float, margin: float) -> np.ndarray:
    """Codes of low < place < high; the image's own borders bound nothing. Unknown on a border or within its margin."""
    codes = np.full(len(places), TRUE, dtype=np.int8)
    for inward in ([places - low] if low > 0 else []) + ([high - places] if high < 1 else []):
        depth = np.round(inward, 12)
        clear = depth >= margin if margin > 0 else depth > 0
        beyond = depth <= -margin if margin > 0 else depth < 0
        codes = np.minimum(codes, np.where(clear, TRUE, np.where(beyond, FALSE, UNKNOWN)))
    return codes


def _share_in(case: Case, condition: Position | InBox) -> np.ndarray:
    """Share of each upright box's area that lies in the cell or box."""
    width, height = case.size_wh
    (left, right), (top, bottom) = place_bounds(condition, case.scene.size_wh)
    boxes = np.stack([region.box_px for region in case.layout.regions]) if len(case.layout) else np.zeros((0, 4))
    low = np.maximum(boxes[:, :2], [left * width, top * height])
    high = np.minimum(boxes[:, 2:], [right * width, bottom * height])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    inside = np.clip(high - low, 0, None).prod(axis=1)
    return np.divide(inside, area, out=np.ones_like(area), where=area > 0)


def _judge_edge(case: Case, condition: Position) -> Findings:
    width, height = case.size_wh
    boxes = case.layout.boxes
    gaps = {
        "left": boxes[:, 0] / width,
        "top": boxes[:, 1] / height,
        "right": (width - boxes[:, 2]) / width,
        "bottom": (height - boxes[:, 3]) / height,
    }
    away = np.min(list(gaps.values()), axis=0) if condition.place == "any" else gaps[condition.place]
    codes = case.bands.edge.codes(away)
    side = "nearest" if condition.place == "any" else condition.place
    return Findings(codes, lambda index: f"it ends {100 * max(0.0, away[index]):.1f} % away from the {side} edge")
