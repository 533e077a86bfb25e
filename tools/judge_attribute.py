"""Rules on a candidate's own measures: comparisons, size words, shape, orientation (A1-A3)."""

from __future__ import annotations

import numpy as np

from ..core.conditions import Aspect, Compare, Orientation, Shape, SizeWord
from ..core.wording import words
from .bands import Band
from .findings import UNKNOWN, Case, Findings
from .pairs import compared


def judge_comparison(case: Case, condition: Compare) -> Findings:
    """A measure against a quantity. Ground units without ground sample distance: unknown.

    With a gap, 10 % to either side of the quantity is unknown. "==" holds within 10 % (with a gap: within 5 %, fails
    from 15 %).
    """
    quantity = condition.quantity
    scale = case.gsd_xy_m if quantity.is_metric else (1.0, 1.0)
    if scale is None:
        return case.all(UNKNOWN, f"{words(quantity)} cannot be compared: the ground sample distance is not known")
    values = case.layout.scaled(scale).values(condition.attribute)
    asked = quantity.base_value
    per_unit = quantity.base_value / quantity.value if quantity.value else 1.0

    def why(index: int) -> str:
        return f"{condition.attribute} is {values[index] / per_unit:.4g} {quantity.unit}"

    return Findings(compared(values, asked, condition.op, case.bands), why)


def judge_aspect(case: Case, condition: Aspect) -> Findings:
    """Long side / short side of the oriented box against a number; bands as in `judge_comparison`."""
    aspects = case.layout.aspects
    codes = compared(aspects, condition.ratio, condition.op, case.bands)
    return Findings(codes, lambda index: f"long side / short side is {aspects[index]:.2f}")


def judge_size(case: Case, condition: SizeWord) -> Findings:
    """ "large", "small" against the class (A1), by sqrt(area) s and its quantiles p in the class.

    Large: s >= 1.1 p75, not large: s <= p60; small: s <= 0.9 p25, not small: s >= p40. A class with fewer than
    `bands.size_least` candidates gives no measure: unknown. All candidates of the class count, kept or not.
    """
    bands, layout = case.bands, case.layout
    sizes = np.sqrt(layout.areas)
    labels = np.array([region.label for region in layout.regions], dtype=object)
    codes = np.full(len(layout), UNKNOWN, dtype=np.int8)
    limits: dict[str, tuple[float, int]] = {}
    for label in dict.fromkeys(labels.tolist()):
        of_class = labels == label
        near, far = np.quantile(
            sizes[of_class], bands.large_quantiles if condition.word == "large" else bands.small_quantiles
        )
        factor = bands.size_factor[0 if condition.word == "large" else 1]
        band = bands.band(near * factor, far, rising=condition.word == "large")
        limits[label] = (band.true, int(of_class.sum()))
        if of_class.sum() >= bands.size_least:
            codes[of_class] = band.codes(sizes[of_class])

    def why(index: int) -> str:
        label = labels[index]
        limit, number = limits[label]
        if number < bands.size_least:
            return f"there are too few of the class {label!r} ({number}) to say what is {condition.word}"
        side = "from" if condition.word == "large" else "up to"
        return f"area is {sizes[index] ** 2:.4g} px2, {condition.word} {side} {limit**2:.4g} px2 among {number}"

    return Findings(codes, why)


def judge_shape(case: Case, condition: Shape) -> Findings:
    """Long side / short side of the oriented box: elongated >= 3, not <= 2; square <= 1.2, not >= 1.5 (A2)."""
    aspects = case.layout.aspects
    band = case.bands.elongated if condition.word == "elongated" else case.bands.square
    return Findings(band.codes(aspects), lambda index: f"long side / short side is {aspects[index]:.2f}")


def judge_orientation(case: Case, condition: Orientation) -> Findings:
    """Angle of the long axis to the horizontal, 0..90 degrees (A3).

    Horizontal <= 15, not >= 30; vertical >= 75, not <= 60; diagonal 35 to 55, not below 25 or above 65. Below the
    aspect `bands.axis_aspect` (1.5; crisp 1.2) a box has no direction: unknown.
    """
    axes, aspects, bands = case.layout.axes, case.layout.aspects, case.bands
    angles = np.degrees(np.arctan2(np.abs(axes[:, 1]), np.abs(axes[:, 0])))
    rules: dict[str, tuple[Band, np.ndarray]] = {
        "horizontal": (bands.horizontal, angles),
        "vertical": (bands.vertical, angles),
        "diagonal": (bands.diagonal, np.abs(angles - 45.0)),
    }
    band, values = rules[condition.word]
    nearly_square = aspects < bands.axis_aspect
    codes = np.where(nearly_square, UNKNOWN, band.codes(values)).astype(np.int8)

    def why(index: int) -> str:
        if nearly_square[index]:
            return f"its sides are nearly equal (ratio {aspects[index]:.2f}), so it has no direction"
        return f"its long axis stands at {angles[index]:.0f} degrees to the horizontal"

    return Findings(codes, why)
