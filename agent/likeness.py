"""What else is like this one: the same class, nearly the same length and width, and the same colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.conditions import Among, And, Colour, Compare, Condition, Not, Output, Quantity, Request, Selection
from ..core.regions import Region
from ..core.scene import Scene
from ..tools.bands import CRISP
from ..tools.judge_colour import COLOURS, colour_bins, region_pixels
from ..tools.measure import sizes

NEAR = 1.25
"""How many times longer, or shorter, may count as alike."""


@dataclass(frozen=True)
class Likeness:
    """The request for what is like a region, and what was compared, in words."""

    request: Request
    notes: tuple[str, ...]


def likeness(scene: Scene, region: Region) -> Likeness:
    """The request for others like a region.

    Alike are: regions of its class, whose length and width are each between 1 / 1.25 and 1.25 times its own (in px, so
    that no scale is needed), and whose dominant colour has the same name where its own can be told.

    Args:
        scene: the image the region is of; pixels are read for the colour.
        region: what others shall be like.
    """
    size = sizes(scene, region)
    parts: list[Condition] = [Not(condition=Among(ids=(region.id,)))]
    told = [f"class {region.label}"]
    for attribute, value in (("length", size.length_px), ("width", size.width_px)):
        low, high = round(value / NEAR, 1), round(value * NEAR, 1)
        parts += [
            Compare(attribute=attribute, op=">=", quantity=Quantity(value=low, unit="px")),  # type: ignore[arg-type]
            Compare(attribute=attribute, op="<=", quantity=Quantity(value=high, unit="px")),  # type: ignore[arg-type]
        ]
        told.append(f"{attribute} {low:g} to {high:g} px (its own: {value:.1f} px)")
    colour = _colour(scene, region)
    if colour is None:
        told.append("not the colour, which cannot be told")
    else:
        parts.append(Colour(word=colour))  # type: ignore[arg-type]
        told.append(f"colour {colour}")
    target = Selection(phrases=(region.label,), where=And(conditions=tuple(parts)))
    return Likeness(
        Request(outputs=(Output(verb="detect", target=target),)), (f"compared with {region.id}: {', '.join(told)}",)
    )


def _colour(scene: Scene, region: Region) -> str | None:
    pixels = region_pixels(scene, region)
    if len(pixels) < CRISP.colour_pixels:
        return None
    middle = np.median(pixels, axis=0).round().astype(np.uint8)
    return COLOURS[int(colour_bins(middle[None])[0])]
