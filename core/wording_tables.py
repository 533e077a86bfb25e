"""The fixed phrases of the canonical English in `surveyor.core.wording`."""

from __future__ import annotations

from .conditions import Comparison, Direction, Summary

SIDES: dict[Direction, str] = {
    "left": "west",
    "right": "east",
    "above": "north",
    "below": "south",
    "above left": "north-west",
    "above right": "north-east",
    "below left": "south-west",
    "below right": "south-east",
}
TOWARD: dict[Direction, str] = {
    "left": "left of",
    "right": "right of",
    "above": "above",
    "below": "below",
    "above left": "to the upper left of",
    "above right": "to the upper right of",
    "below left": "to the lower left of",
    "below right": "to the lower right of",
}
FURTHER: dict[Direction, str] = {
    "left": "further left than",
    "right": "further right than",
    "above": "further up than",
    "below": "further down than",
    "above left": "further to the upper left than",
    "above right": "further to the upper right than",
    "below left": "further to the lower left than",
    "below right": "further to the lower right than",
}
PLAIN_RELATIONS = {
    "near": "near",
    "inside": "inside",
    "contains": "containing",
    "overlaps": "overlapping",
    "adjacent": "next to",
    "surrounded": "surrounded by",
    "parallel": "parallel to",
    "perpendicular": "perpendicular to",
    "flanking": "on either side of",
}
# One is on these rather than inside them, by the last word of the name.
SURFACES = frozenset(
    """bridge overpass road street highway runway taxiway apron track court field diamond roof helipad roundabout river
    lake sea water pier quay railway lawn grass lot park""".split()
)
CELLS = {
    "top": "top centre",
    "bottom": "bottom centre",
    "left": "left centre",
    "right": "right centre",
    "center": "centre",
}
SUPERLATIVES: dict[tuple[str, str], str] = {
    ("area", "max"): "largest",
    ("area", "min"): "smallest",
    ("length", "max"): "longest",
    ("length", "min"): "shortest",
    ("width", "max"): "widest",
    ("width", "min"): "narrowest",
    ("aspect", "max"): "most elongated",
    ("aspect", "min"): "least elongated",
    ("score", "max"): "most confident",
    ("score", "min"): "least confident",
    ("x", "min"): "leftmost",
    ("x", "max"): "rightmost",
    ("y", "min"): "topmost",
    ("y", "max"): "bottommost",
    ("centre", "min"): "most central",
    ("centre", "max"): "least central",
    ("distance", "min"): "nearest",
    ("distance", "max"): "farthest",
}
FROM = {("x", "min"): "left", ("x", "max"): "right", ("y", "min"): "top", ("y", "max"): "bottom"}
AMOUNTS: dict[Comparison, str] = {
    ">": "more than",
    ">=": "at least",
    "<": "fewer than",
    "<=": "at most",
    "==": "exactly",
}
MORE_THAN: dict[Comparison, str] = {
    ">": "more {} than {}",
    "<": "fewer {} than {}",
    "==": "exactly as many {} as {}",
    ">=": "at least as many {} as {}",
    "<=": "at most as many {} as {}",
}
SIMPLE_COMPARISONS: dict[tuple[str, str], str] = {
    ("length", ">"): "longer than {}",
    ("length", "<"): "shorter than {}",
    ("width", ">"): "wider than {}",
    ("width", "<"): "narrower than {}",
    ("area", ">"): "larger than {}",
    ("area", "<"): "smaller than {}",
}
COMPARATIVES: dict[tuple[str, str], str] = {
    ("length", ">"): "longer than",
    ("length", "<"): "shorter than",
    ("width", ">"): "wider than",
    ("width", "<"): "narrower than",
    ("area", ">"): "larger than",
    ("area", "<"): "smaller than",
    ("aspect", ">"): "more elongated than",
    ("aspect", "<"): "less elongated than",
}
EQUATIVES = {"length": "as long as", "width": "as wide as", "area": "as large as", "aspect": "as elongated as"}
SUMMARIES: dict[Summary, str] = {
    "total": "total",
    "mean": "average",
    "median": "median",
    "least": "minimum",
    "greatest": "maximum",
}
IMAGE_CENTRE = "the centre of the image"
