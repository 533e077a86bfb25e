"""Labelled aerial scenes, drawn: for tests, demos, benchmarks and augmentation. numpy and OpenCV only."""

from .draw import KINDS, draw_pair, draw_scene
from .scene import AREA_LABELS, OBJECT_LABELS, Change, ChangeSet, Relation, SynthObject, SynthPair, SynthScene, raster

__all__ = [
    "AREA_LABELS",
    "KINDS",
    "OBJECT_LABELS",
    "Change",
    "ChangeSet",
    "Relation",
    "SynthObject",
    "SynthPair",
    "SynthScene",
    "draw_pair",
    "draw_scene",
    "raster",
]
