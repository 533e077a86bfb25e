"""Rules on where in the image a candidate lies (P1-P3). North is up."""

from __future__ import annotations

import numpy as np

from ..core.conditions import Position
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings


def judge_position(case: Case, condition: Position) -> Findings:
    """Cells of a 3x3 grid, halves, quadrants, edges.

    The centre of the oriented box decides. With a gap, it must lie clear of the cell's or half's border, and in a cell
    lie three quarters of the box. Exactly on a border: unknown. Edge: the outline reaches the border; with a gap, fails
    from 5 % of the image's side away; crisp, holds up to 2.5 %.
    """
    if condition.frame == "edge":
        return _judge_edge(case, condition)
    places = case.layout.centers / case.size_wh
    codes = np.full(len(places), TRUE, dtype=np.int8)
    for axis, (low, high) in enumerate(_bounds(condition)):
        margin = case.bands.cell_margin if condition.frame == "cell" else case.bands.half_margin
        codes = np.minimum(codes, _between(places[:, axis], low, high, margin))
    if condition.frame == "cell" and case.bands.cell_share > 0:
        codes = np.where((codes == TRUE) & (_share_in(case, condition) < case.bands.cell_share), UNKNOWN, codes)

    def why(index: int) -> str:
        x, y = places[index]
        return f"its centre is at {100 * x:.1f} % from the left and {100 * y:.1f} % from the top"

    return Findings(codes.astype(np.int8), why)


def _bounds(condition: Position) -> tuple[tuple[float, float], tuple[float, float]]:
    """The place's range across and down, in shares of the image."""
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


def _share_in(case: Case, condition: Position) -> np.ndarray:
    """Share of each upright box's area that lies in the cell."""
    width, height = case.size_wh
    (left, right), (top, bottom) = _bounds(condition)
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
