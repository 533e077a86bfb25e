"""Drawn scenes as training samples: the same shape as annotated photos, with exact outlines."""

from __future__ import annotations

import numpy as np

from ...synth import KINDS, draw_scene
from .data import Sample, hull_of
from .model import CLASSES

SIDES = (512, 640, 768)


def synth_samples(count: int, seed: int) -> list[Sample]:
    """`count` scenes, the kinds in turn, sizes and ground sample distances varied."""
    rng = np.random.default_rng([seed, 77])
    samples = []
    for i in range(count):
        size = (int(rng.choice(SIDES)), int(rng.choice(SIDES)))
        scene = draw_scene(KINDS[i % len(KINDS)], seed=100_000 + seed * 10_000 + i, size_wh=size)
        things = [(t, t.label.replace(" ", "_")) for t in (*scene.objects, *scene.areas)]
        known = [(t, CLASSES.index(name)) for t, name in things if name in CLASSES]
        hulls = [hull_of(t.polygon_px) for t, _ in known]
        labels = np.array([c for _, c in known], int)
        samples.append(Sample(f"{scene.kind}-{scene.seed}", "synth", scene.image_rgb, labels, hulls, CLASSES))
    return samples
