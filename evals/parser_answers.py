"""What a condition tree answers on drawn scenes, through the oracle grounder: two trees can be compared by effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from ..agent.answer import Part
from ..agent.planner import make_plan
from ..agent.run import run
from ..core.conditions import Output, Request
from ..core.errors import UnknownPhrase
from ..core.scene import Scene
from ..synth import AREA_LABELS, OBJECT_LABELS, draw_scene
from ..tools.models.spec import Models, load_models
from ..tools.values import Count, Measurements, Truth
from .parser_canonical import phrase_key

LABELS = (*OBJECT_LABELS, *AREA_LABELS)
Effect = tuple[Any, ...]


@dataclass(frozen=True)
class Drawn:
    """A drawn scene with models that read its annotation."""

    scene: Scene
    models: Models


@dataclass(frozen=True)
class Gallery:
    """Drawn scenes of each kind, made when first asked for. Use `gallery()`.

    Args:
        folder: where images and annotations are written.
        seeds: of the scenes of a kind.
    """

    folder: Path
    seeds: tuple[int, ...]

    def scenes(self, kind: str) -> Iterator[Drawn]:
        """The scenes of a kind, one a seed."""
        for seed in self.seeds:
            yield _drawn(self.folder, kind, seed)


@contextmanager
def gallery(scenes: int) -> Iterator[Gallery]:
    """A gallery in a temporary folder, with so many scenes of each kind."""
    with TemporaryDirectory() as folder:
        yield Gallery(Path(folder), tuple(range(scenes)))


@cache
def _drawn(folder: Path, kind: str, seed: int) -> Drawn:
    drawn = draw_scene(kind, seed)
    name = f"{kind.replace(' ', '_')}_{seed}"
    image, annotation = folder / f"{name}.png", folder / f"{name}.json"
    cv2.imwrite(str(image), drawn.image_rgb[:, :, ::-1])
    annotation.write_text(json.dumps(drawn.to_coco(image.name)), encoding="utf-8")
    models = load_models(f"grounder=oracle:{annotation},segmenter=oracle:{annotation}")
    return Drawn(Scene.open(image, gsd_m=drawn.gsd_m), models)


def effect(request: Request, drawn: Drawn) -> Effect:
    """What a tree answers on one scene: per output the verb, the regions in and undecided, the number, verdict, values.

    A class that the scene's annotation does not list gives ("unknown", the class).
    """
    try:
        answer = run(make_plan(request), drawn.scene, models=drawn.models, cache=False)
    except UnknownPhrase as error:
        return ("unknown", phrase_key(error.phrase))
    assert_done(answer.failure)
    parts = zip(request.outputs, answer.parts, strict=True)
    return tuple(_part_effect(output, part) for output, part in parts)


def assert_done(failure: str | None) -> None:
    """Raises RuntimeError when a run failed: the oracle gives no reason to."""
    if failure is not None:
        raise RuntimeError(f"a run on a drawn scene failed: {failure}")


def _part_effect(output: Output, part: Part) -> Effect:
    verb = output.verb
    kept = tuple(sorted(c.region.id for c in part.candidates.kept))
    open_ = tuple(sorted(c.region.id for c in part.candidates.undecided))
    match part.value:
        case Count(n=n, undecided=more) if output.per is not None:
            return (verb, n, more)  # the number of groups is the answer, whatever stands alone
        case Count(n=n, undecided=more):
            return (verb, kept, open_, n, more)
        case Truth(verdict=verdict):
            return (verb, verdict)
        case Measurements() as found:
            items = sorted((m.region_id, m.attribute, m.unit, _rounded(m.value)) for m in found.items)
            overall = found.overall
            whole = None if overall is None else (found.summary, overall.unit, _rounded(overall.value))
            return (verb, tuple(items), whole)
        case _:
            return (verb, kept, open_)


def _rounded(value: float | None) -> float:
    return -1.0 if value is None else round(value, 6)


def is_telling(effect: Effect) -> bool:
    """Whether an answer could have been another one: some region is in it, or a verdict, a number, a value."""
    return effect[0] != "unknown" and any(any(bool(value) for value in part[1:]) for part in effect)
