"""The front of the room: one scene, or two dates of one place."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from ..core.errors import UsageError
from .airport import lay_airport
from .grounds import lay_grounds
from .harbour import lay_harbour
from .housing import lay_housing
from .look import Look, draw_look
from .mixed import lay_mixed
from .river import lay_river
from .roads import spur
from .scene import Change, ChangeSet, SynthObject, SynthPair, SynthScene
from .site import Item, Site
from .tankfarm import lay_tankfarm

_KINDS: dict[str, tuple[Callable[[Site], None], float, float]] = {  # layout, ground sample distance from and to
    "airport": (lay_airport, 0.6, 1.0),
    "harbour": (lay_harbour, 0.5, 0.9),
    "river": (lay_river, 0.5, 0.8),
    "sports": (lay_grounds, 0.35, 0.6),
    "tank farm": (lay_tankfarm, 0.5, 0.8),
    "housing": (lay_housing, 0.2, 0.36),
    "mixed": (lay_mixed, 0.55, 0.9),
}
KINDS: tuple[str, ...] = tuple(_KINDS)
_CHANGEABLE = ("building", "vehicle", "ship", "airplane", "storage tank", "container stack", "tree crown")


def lay(kind: str, seed: int, size_wh: tuple[int, int], gsd_m: float | None) -> tuple[Site, np.random.Generator]:
    """The laid-out place of a scene, and the random stream its light comes from (see `draw_scene`)."""
    if kind not in _KINDS:
        raise UsageError(f"unknown kind of scene {kind!r}; expected one of {', '.join(KINDS)}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed is {seed!r}; expected a whole number >= 0")
    w, h = size_wh
    if not (64 <= w <= 8192 and 64 <= h <= 8192):
        raise UsageError(f"size_wh is {size_wh!r}; expected a width and a height of 64 to 8192 px")
    if gsd_m is not None and not 0.05 <= gsd_m <= 5:
        raise UsageError(f"gsd_m is {gsd_m!r}; expected 0.05 to 5 metres per pixel, or None to let the kind choose")
    layout, finest, coarsest = _KINDS[kind]
    place, light = (np.random.default_rng([seed, KINDS_SALT[kind], n]) for n in (0, 1))
    gsd = round(float(place.uniform(finest, coarsest)), 3) if gsd_m is None else float(gsd_m)
    site = Site(kind, place, (int(w), int(h)), gsd)
    layout(site)
    return site, light


KINDS_SALT = {kind: sum(ord(c) * 31**i for i, c in enumerate(kind)) % 1_000_003 for kind in _KINDS}


def _scene(site: Site, seed: int, look: Look, light: np.random.Generator, hidden: Collection[str] = ()) -> SynthScene:
    noise_xy = (int(light.integers(1024)), int(light.integers(1024)))
    image = site.draw(look, hidden, noise_xy)
    shown = [item for item in site.items if item.parts and item.id not in hidden]
    return SynthScene(
        kind=site.kind,
        seed=int(seed),
        image_rgb=image,
        gsd_m=site.gsd_m,
        objects=tuple(part for item in shown if not item.is_area for part in item.parts),
        areas=tuple(part for item in shown if item.is_area for part in item.parts),
    )


def draw_scene(kind: str, seed: int, size_wh: tuple[int, int] = (512, 512), gsd_m: float | None = None) -> SynthScene:
    """One labelled aerial scene; the same arguments give the same bytes.

    Args:
        kind: one of `KINDS`.
        seed: whole number >= 0.
        size_wh: width and height, 64 to 8192 px.
        gsd_m: metres per pixel, 0.05 to 5; None lets the kind choose a fitting one.

    Returns:
        The scene with every object's exact outline.

    Raises:
        UsageError: unknown kind, or a value out of range.

    Example:
        >>> scene = draw_scene("airport", seed=3, size_wh=(256, 256))
        >>> scene.image_rgb.shape, scene.labelled("runway")[0].id
        ((256, 256, 3), 'runway 1')
    """
    site, light = lay(kind, seed, size_wh, gsd_m)
    return _scene(site, seed, draw_look(light), light)


def draw_pair(
    kind: str, seed: int, size_wh: tuple[int, int] = (512, 512), gsd_m: float | None = None, changes: int | None = None
) -> SynthPair:
    """Two dates of one place in different light (and often another season), and what changed.

    Args:
        kind, seed, size_wh, gsd_m: as for `draw_scene`.
        changes: how many things appear or disappear at most; 0 for an unchanged pair; None for 3 to 14.

    Returns:
        The pair; `change` is exactly the difference between the two sets of objects.

    Raises:
        UsageError: unknown kind, or a value out of range.

    Example:
        >>> pair = draw_pair("housing", seed=1, size_wh=(128, 128), changes=0)
        >>> bool(pair.change.mask().any())
        False
    """
    if changes is not None and (isinstance(changes, bool) or not isinstance(changes, int) or changes < 0):
        raise UsageError(f"changes is {changes!r}; expected a whole number >= 0, or None")
    site, light = lay(kind, seed, size_wh, gsd_m)
    pick = np.random.default_rng([seed, KINDS_SALT[kind], 2])
    road = spur(site) if changes is None or changes > 2 else None
    gone, new = _choose(site, pick, int(pick.integers(3, 15)) if changes is None else changes, road)
    first, second = draw_look(light), draw_look(light)
    before = _scene(site, seed, first, light, hidden={item.id for item in new})
    after = _scene(site, seed, second, light, hidden={item.id for item in gone})
    regions = [Change("disappeared", part) for item in gone for part in item.parts]
    regions += [Change("appeared", part) for item in new for part in item.parts]
    return SynthPair(before, after, ChangeSet(tuple(regions), (int(size_wh[1]), int(size_wh[0]))))


def _choose(site: Site, rng: np.random.Generator, count: int, road: Item | None) -> tuple[list[Item], list[Item]]:
    """Things that stand only before, and things that stand only after; labels are drawn evenly, then a thing."""
    by_label: dict[str, list[Item]] = {}
    for item in site.items:
        if item.label in _CHANGEABLE:
            by_label.setdefault(str(item.label), []).append(item)
    gone: list[Item] = []
    new: list[Item] = []
    if road is not None:
        (new if rng.random() < 0.75 else gone).append(road)
    while by_label and len(gone) + len(new) < count:
        label = sorted(by_label)[rng.integers(len(by_label))]
        things = by_label[label]
        item = things.pop(int(rng.integers(len(things))))
        if not things:
            del by_label[label]
        (new if rng.random() < 0.55 else gone).append(item)
    return gone, new


__all__ = ["KINDS", "SynthObject", "draw_pair", "draw_scene"]
