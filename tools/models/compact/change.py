"""The embedded change detector: buildings that came or went between two dates. numpy, OpenCV, onnxruntime, no torch.

A siamese network (finetune/change) says for each place whether a building came or went, and whether one stands there
at either date. Places that changed become regions; the two building maps inside a region tell the direction.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from ....core.errors import UsageError
from ....core.geometry import min_area_rect
from ....core.lexicon import normalise, resolve
from ....core.masks import Mask
from ....core.progress import note
from ....core.regions import Change, Region
from .change_maps import MARGIN, MULTIPLE, STEPS, ChangeMaps, apart, connected, look, viewed
from .session import session

if TYPE_CHECKING:
    from ....core.scene import Scene

WEIGHTS = Path(__file__).parent / "weights" / "change.onnx"
KNOWN = ("building",)
ANY_CHANGE = "change"
_RAGGED = 0.75  # of its oriented box; a single roof covers more


@dataclass(frozen=True)
class Limits:
    """What turns the network's maps into regions; docs/change.md tells what they were chosen by.

    Attributes:
        gsd_m: metres a pixel at which the network looks, once each; finer scenes are averaged to it, coarser ones left.
            The first is the finest.
        coarse_m: metres a pixel above which buildings are too small to be looked for.
        changed: probability from which on a pixel has changed.
        sure: probability that a region's surest pixels must reach (the highest tenth of them).
        least_m2: area of the smallest region.
        least_px: likewise in network px where metres are not known.
        depth: how far the probability must fall between two peaks of a connected part for them to be two buildings.
        absent: mean probability of a building in a region, below which none stands there.
        present: likewise, from which on one does.
    """

    gsd_m: tuple[float, ...] = (0.4, 0.6)
    coarse_m: float = 1.0
    changed: float = 0.4
    sure: float = 0.5
    least_m2: float = 20.0
    least_px: int = 150
    depth: float = 0.15
    absent: float = 0.3
    present: float = 0.5


class CompactChange:
    """Finds buildings that came, went or were altered between two dates. Thread-safe; weights load on first use.

    Args:
        weights: the ONNX file.
        threads: for one network pass.
        limits: what turns maps into regions.
        tile: side of a tile in network px; a multiple of 32 above 256; None for one that suits the size.

    Raises:
        UsageError: the file is missing, or a tile of another side.
    """

    name = "compact"

    def __init__(
        self, weights: Path | None = None, threads: int = 2, limits: Limits | None = None, tile: int | None = None
    ) -> None:
        self.weights = weights or WEIGHTS
        self.threads, self.limits, self.tile = threads, limits or Limits(), tile
        if not self.weights.exists():
            raise UsageError(f"the change detector's file {str(self.weights)!r} is missing; reinstall surveyor")
        if tile is not None and (tile <= 2 * MARGIN or tile % MULTIPLE):
            raise UsageError(f"a tile of {tile!r} px; expected a multiple of {MULTIPLE} above {2 * MARGIN}")

    @cached_property
    def version(self) -> str:
        """A digest of the weights, and the limits."""
        return f"{hashlib.sha256(self.weights.read_bytes()).hexdigest()} {self.limits}"

    def knows(self) -> tuple[str, ...]:
        """Buildings."""
        return KNOWN

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Buildings that changed, largest first, each with its mask; see `ChangeDetector.changes`.

        The score is the mean probability of change over the region. `Region.change` holds how likely a building stands
        there at each date, and the direction where the two tell it.

        Raises:
            UnknownPhrase: the phrase names no buildings.
            UsageError: the scenes differ in size.
        """
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"{before.name!r} has {before.size_wh[0]} x {before.size_wh[1]} px and {after.name!r} "
                f"{after.size_wh[0]} x {after.size_wh[1]}; bring both to one grid first (core.pair.open_pair)"
            )
        if normalise(phrase) == ANY_CHANGE:
            note("change=compact looks for buildings only: other change is not found; change=cva sees any change")
        else:
            resolve(phrase, KNOWN, advice="change=cva sees that something changed, whatever it is.")
        return self._regions(self.maps(before, after), before, after, phrase)

    def maps(self, before: Scene, after: Scene) -> ChangeMaps:
        """What the network says of each place of two scenes of one size."""
        scales = self._scales(after.gsd_m or before.gsd_m)
        return look(before, after, scales[0], viewed(self._run, [scale / scales[0] for scale in scales]), self.tile)

    def _scales(self, gsd_m: float | None) -> list[float]:
        """Network px a scene px for each look, finest first; notes what weakens the result."""
        if gsd_m is None:
            note("the ground size of a pixel is not known: change=compact looks at the pixels as they are; it is made for 0.2 to 0.7 m (--gsd)")  # fmt: skip  # noqa: E501
            return [1.0]
        if gsd_m > self.limits.coarse_m:
            raise UsageError(
                f"at {gsd_m:.3g} m a pixel buildings are too small for change=compact, which is made for 0.2 to 0.7 m; "
                "--models change=cva sees changes of colour at any size"
            )
        return list(dict.fromkeys(min(1.0, gsd_m / each) for each in self.limits.gsd_m))

    def _run(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        (logits,) = session(self.weights, self.threads, hoards=False).run(None, {"before": before, "after": after})
        np.negative(logits, out=logits)
        np.exp(np.clip(logits, -30, 30, out=logits), out=logits)
        logits += 1
        return np.asarray(np.reciprocal(logits, out=logits))

    # ---- regions

    def _regions(self, maps: ChangeMaps, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        limits, gsd = self.limits, after.gsd_m or before.gsd_m
        least = limits.least_px if gsd is None else limits.least_m2 / gsd**2 * math.prod(maps.scale_xy)
        parts = [
            (here, part)
            for here, inside in connected(maps.changed >= round(limits.changed * STEPS), least)
            for part in apart(maps.changed[here], inside, least, limits.depth)
        ]
        found: list[Region] = []
        for here, inside in sorted(parts, key=lambda part: -int(part[1].sum())):
            sure = maps.changed[here][inside]
            if np.percentile(sure, 90) < limits.sure * STEPS:
                continue
            mask = _in_scene(maps, here, inside, limits.changed, before, after)
            if mask is None:
                continue
            built = [float(each[here][inside].mean()) / STEPS for each in maps.built]
            outline = np.asarray(max(mask.to_polygons(), key=lambda each: each.area).exterior.coords)[:-1]
            box = mask.box_px
            assert box is not None
            found.append(
                Region(
                    f"change-{len(found) + 1}", phrase, min_area_rect(outline), box, float(sure.mean()) / STEPS,
                    outline, mask, source=self.name, change=self._told(*built),
                )
            )  # fmt: skip
        ragged = sum(_fill(region) < _RAGGED for region in found)
        if ragged:
            told = "changed places are no plain shape: each may be several buildings side by side"
            note(f"{ragged} of {len(found)} {told}")
        return tuple(found)

    def _told(self, before: float, after: float) -> Change:
        """What the two building maps say of a region that changed."""
        limits = self.limits
        direction: Literal["new", "gone", "altered"] | None = None
        if before < limits.absent and after >= limits.present:
            direction = "new"
        elif after < limits.absent and before >= limits.present:
            direction = "gone"
        elif min(before, after) >= limits.present:
            direction = "altered"
        return Change(direction, before, after, f"built: {before:.0%} before, {after:.0%} after".replace("%", " %"))


def _fill(region: Region) -> float:
    """Share (0..1) of its oriented box that a region covers."""
    sides = np.linalg.norm(np.diff(region.corners_px[:3], axis=0), axis=1)
    return 1.0 if region.mask is None else region.mask.area_px / max(1.0, float(sides.prod()))


def _in_scene(
    maps: ChangeMaps, here: tuple[slice, slice], inside: np.ndarray, least: float, before: Scene, after: Scene
) -> Mask | None:
    """The mask in scene px of one part of the maps, without what either date does not hold; None where nothing is left.

    Args:
        here: rows and columns of the part.
        inside: (h, w) bool within them.
        least: probability at which its outline is drawn.
    """
    rows, columns = here
    (scale_x, scale_y), (height, width) = maps.scale_xy, after.shape_hw
    own = np.where(inside, maps.changed[here], 0).astype(np.uint8)
    x0, y0 = math.floor(columns.start / scale_x), math.floor(rows.start / scale_y)
    x1, y1 = min(width, math.ceil(columns.stop / scale_x)), min(height, math.ceil(rows.stop / scale_y))
    if (x1 - x0, y1 - y0) == (own.shape[1], own.shape[0]):
        shown = own
    else:  # scene px centres, in px of the part
        x = ((np.arange(x0, x1, dtype=np.float32) + 0.5) * scale_x - columns.start - 0.5).astype(np.float32)
        y = ((np.arange(y0, y1, dtype=np.float32) + 0.5) * scale_y - rows.start - 0.5).astype(np.float32)
        grid = np.meshgrid(x, y)
        shown = np.asarray(
            cv2.remap(own, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    window = (x0, y0, x1, y1)
    kept = (shown >= round(least * STEPS)) & before.valid(window) & after.valid(window)
    return Mask.from_array(kept, (x0, y0), after.shape_hw) if kept.any() else None
