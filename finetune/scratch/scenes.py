"""Drawn scenes and pairs for training from scratch: drawn once, kept in a file, turned and mirrored without loss.

Drawing takes 15 to 80 ms a scene of 224 px, as long as a training step on it: so a few thousand are drawn once and
each is shown in all eight turns and mirrorings. No torch here: drawing runs in processes of its own.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ...core.geometry import box_to_corners, length_width_px
from ...core.progress import report
from ...synth import KINDS, OBJECT_LABELS, SynthObject, draw_pair, draw_scene

LABELS = tuple(label for label in OBJECT_LABELS if label != "tree crown")
"""What is asked for: trees are too many and too alike to tell one by one."""
ROUND = ("storage tank",)
_FINEST = {"airport": 0.5, "harbour": 0.4, "river": 0.35, "sports": 0.3, "tank farm": 0.4, "housing": 0.18, "mixed": 0.4}  # fmt: skip  # noqa: E501
_ATTEMPTS, _FURTHER = 6, 10_000_000  # at a pair with a change that can be seen
_ZOOM = 2.0  # from finest to coarsest ground sample distance of a kind


@dataclass(frozen=True)
class Drawing:
    """Which scenes are drawn.

    Attributes:
        side: px, width and height.
        scenes, pairs: how many.
        seed: of the first; a held-out set has seeds of its own.
        kinds: in turn.
        most_changes: a pair has four to this many more; a fifth of the pairs are unchanged.
        drawers: processes.
    """

    side: int = 224
    scenes: int = 1000
    pairs: int = 300
    seed: int = 0
    kinds: tuple[str, ...] = KINDS
    most_changes: int = 8
    drawers: int = 1


@dataclass(frozen=True)
class Listed:
    """Which of a scene's things are asked for; others count neither way when replies are scored.

    Attributes:
        least_px: geometric mean of the oriented box's sides.
        least_visible: share of a thing that lies inside the image.
        most: things of one class in a scene; classes with more of them are not asked for there.
    """

    least_px: float = 16.0
    least_visible: float = 0.5
    most: int = 6

    def holds(self, thing: SynthObject) -> bool:
        """Whether the thing is large and whole enough."""
        return thing.visible_fraction >= self.least_visible and size_px(thing) >= self.least_px


@dataclass(frozen=True, eq=False)
class Seen:
    """A drawn scene, or two dates of one place, as a model is shown it.

    Attributes:
        id: unique in a set; says how it was turned.
        images: (H, W, 3) uint8, one or two.
        things: the objects of each image.
        changed: what appeared or disappeared; empty for a scene.
        gsd_m: metres per pixel.
    """

    id: str
    images: tuple[np.ndarray, ...]
    things: tuple[tuple[SynthObject, ...], ...]
    changed: tuple[SynthObject, ...]
    gsd_m: float

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.images[0].shape[1], self.images[0].shape[0]


def corners_of(thing: SynthObject) -> np.ndarray:
    """(4, 2) px: the thing's oriented box; of round things, whose angle means nothing, the upright one."""
    return box_to_corners(thing.box_px) if thing.label in ROUND else thing.corners_px


def size_px(thing: SynthObject) -> float:
    """Geometric mean of the sides of the thing's oriented box."""
    length, width = length_width_px(thing.corners_px)
    return float(np.sqrt(length * width))


def turned(seen: Seen, turn: int) -> Seen:
    """The scene turned by quarters, and mirrored from 4 on; pixels and outlines agree exactly.

    Args:
        seen: a square scene.
        turn: 0 to 7; 0 leaves it as it is.

    Raises:
        ValueError: there is no such turn, or the scene is not square.
    """
    side = seen.size_wh[0]
    if not 0 <= turn < 8 or seen.size_wh != (side, side):
        raise ValueError(f"turn is {turn!r} of a scene of {seen.size_wh!r} px, expected 0 to 7 and a square")
    if turn == 0:
        return seen

    def points(xy: np.ndarray) -> np.ndarray:
        x, y = xy[:, 0], xy[:, 1]
        if turn >= 4:
            x = side - x
        for _ in range(turn % 4):
            x, y = y, side - x
        moved = np.stack([x, y], axis=1)
        return moved[::-1].copy() if turn >= 4 else moved

    def pixels(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4))

    def things(some: Iterable[SynthObject]) -> tuple[SynthObject, ...]:
        moved = tuple(replace(each, polygon_px=points(each.polygon_px)) for each in some)
        for one, other in zip(moved, some, strict=True):  # its cached property: the rectangle turns with the outline
            one.__dict__["corners_px"] = _from_top(points(other.corners_px))
        return moved

    return Seen(
        f"{seen.id}/{turn}", tuple(pixels(image) for image in seen.images), tuple(things(each) for each in seen.things),
        things(seen.changed), seen.gsd_m,
    )  # fmt: skip


def _from_top(corners: np.ndarray) -> np.ndarray:
    """Clockwise corners that begin with the top-most, then left-most."""
    return np.roll(corners, -int(np.lexsort((corners[:, 0], corners[:, 1]))[0]), axis=0)


def lit(seen: Seen, rng: np.random.Generator) -> Seen:
    """The scene in slightly other light: gain 0.85 to 1.15 and offset up to 12 of 255, a little of each a channel."""
    images = []
    for image in seen.images:
        gain = rng.uniform(0.85, 1.15) * rng.uniform(0.97, 1.03, 3)
        offset = rng.uniform(-12, 12) + rng.uniform(-3, 3, 3)
        table = np.clip(np.arange(256)[:, None] * gain + offset + 0.5, 0, 255).astype(np.uint8)
        images.append(np.stack([table[image[..., channel], channel] for channel in range(3)], axis=-1))
    return replace(seen, images=tuple(images))


def drawn(what: Drawing, cache: Path) -> tuple[list[Seen], list[Seen]]:
    """The scenes and the pairs, from the cache where they lie there.

    Args:
        what: which.
        cache: folder; made where it is missing. Each set is one file, named by a digest of what is drawn.
    """
    told = {name: value for name, value in asdict(what).items() if name != "drawers"}
    what_is_kept = json.dumps([told, _FINEST, _ZOOM, Seen.__module__], sort_keys=True)
    digest = hashlib.sha256(what_is_kept.encode()).hexdigest()[:12]
    path = cache / f"drawn-{digest}.pkl"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        orders = [(what, number, False) for number in range(what.scenes)]
        orders += [(what, number, True) for number in range(what.pairs)]
        made = list(_all_drawn(orders, what.drawers))
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps(made, protocol=5))
        part.replace(path)
    made = pickle.loads(path.read_bytes())  # our own file
    return made[: what.scenes], made[what.scenes :]


def _all_drawn(orders: Sequence[tuple[Drawing, int, bool]], drawers: int) -> Iterator[Seen]:
    if drawers <= 1:
        for number, order in enumerate(orders):
            report("drawing scenes", number, len(orders))
            yield _drawn_one(order)
        return
    with ProcessPoolExecutor(drawers, mp_context=get_context("spawn")) as pool:
        for number, seen in enumerate(pool.map(_drawn_one, orders, chunksize=16)):
            report("drawing scenes", number, len(orders))
            yield seen


def _drawn_one(order: tuple[Drawing, int, bool]) -> Seen:
    what, number, is_pair = order
    kind, seed, size = what.kinds[number % len(what.kinds)], what.seed + number, (what.side, what.side)
    rng = np.random.default_rng([seed, 11, is_pair])
    gsd = round(float(_FINEST[kind] * _ZOOM ** rng.uniform(0, 1)), 3)
    if not is_pair:
        scene = draw_scene(kind, seed, size, gsd)
        return Seen(f"{kind}-{seed}", (scene.image_rgb,), (_known(scene.objects),), (), gsd)
    unchanged = rng.random() < 0.2
    for attempt in range(_ATTEMPTS):  # most things that change are small: until one is large enough to be told
        changes = 0 if unchanged else int(rng.integers(4, 4 + what.most_changes))
        pair = draw_pair(kind, seed + attempt * _FURTHER, size, gsd, changes)
        changed = _known(change.thing for change in pair.change.regions)
        if unchanged or any(Listed().holds(thing) for thing in changed):
            break
    things = (_known(pair.before.objects), _known(pair.after.objects))
    name = f"{kind}-{seed + attempt * _FURTHER}-pair"
    return Seen(name, (pair.before.image_rgb, pair.after.image_rgb), things, changed, gsd)


def _known(things: Iterable[Any]) -> tuple[SynthObject, ...]:
    """Those of `LABELS`, without what they have worked out."""
    return tuple(
        SynthObject(each.id, each.label, np.asarray(each.polygon_px), each.colour, each.visible_fraction)
        for each in things
        if each.label in LABELS
    )
