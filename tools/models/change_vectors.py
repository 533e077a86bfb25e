"""Change vector analysis: the classical change detector, as a reference that anything learned must beat.

Malila (1980): a pixel has changed where its colour has moved far. Here: both images are smoothed, the later one is
brought to the earlier one's brightness and contrast, the distance of the two colours is held against Otsu's threshold,
and specks are cleaned away. It looks at colour alone, so it cannot tell what has changed, and shadows, seasons and a
shift of a few pixels count as change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.geometry import min_area_rect
from ...core.masks import Mask
from ...core.progress import note
from ...core.regions import Region

if TYPE_CHECKING:
    from ...core.scene import Scene

_MOST_PX = 64_000_000  # both images are held whole, as float32, several times
_LAB_STEPS = 2.0  # of the histogram, in one unit of CIELAB


@dataclass(frozen=True)
class ChangeVectors:
    """A change detector that needs no weights. Scores are None.

    The constants were set on twelve pairs (LEVIR-CD 2, FOTBCD 6, DSIFN 4); docs/results.md tells them.

    Attributes:
        blur_px: standard deviation of the smoothing.
        least_distance: CIELAB distance below which nothing counts as change, whatever Otsu's threshold is: an
            unchanged pair has no two kinds of pixels to be told apart.
        open_px: radius of the disc that a changed patch must hold.
        close_px: radius of the disc that closes gaps.
        least_px: area of the smallest patch.
    """

    blur_px: float = 3.0
    least_distance: float = 15.0
    open_px: int = 3
    close_px: int = 4
    least_px: int = 300

    name = "cva"
    version = "1"

    def knows(self) -> None:
        """None: it takes any phrase, and passes it over."""
        return

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Patches that changed, largest first, each with its mask, labelled with the phrase whatever they are.

        Args:
            before: earlier scene.
            after: later one, of the same size, on the same ground.
            phrase: what is asked for; passed over, which is noted unless it asks for any change.

        Raises:
            UsageError: the scenes differ in size, or are larger than 64 million pixels.
        """
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"{before.name!r} has {before.size_wh[0]} x {before.size_wh[1]} px and {after.name!r} "
                f"{after.size_wh[0]} x {after.size_wh[1]}; bring both to one grid first"
            )
        if before.size_wh[0] * before.size_wh[1] > _MOST_PX:
            raise UsageError(f"{before.name!r} has more than {_MOST_PX:,} px, which change=cva cannot hold; cut it")
        if phrase.split()[-1:] not in (["area"], ["change"], ["areas"], ["changes"]):
            note(f"change=cva sees that something changed, not what: any change is taken for {phrase!r}")
        changed = self.changed(before.read(), after.read())
        _, parts, boxes, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=8)
        order = sorted(range(1, len(boxes)), key=lambda part: -int(boxes[part, cv2.CC_STAT_AREA]))
        found = []
        for number, part in enumerate(order, start=1):
            x, y, w, h = (int(value) for value in boxes[part, :4])
            mask = Mask.from_array(parts[y : y + h, x : x + w] == part, (x, y), before.shape_hw)
            outline = np.asarray(max(mask.to_polygons(), key=lambda each: each.area).exterior.coords)[:-1]
            box = np.array([x, y, x + w, y + h], dtype=np.float64)
            label = f"change-{number}"
            found.append(Region(label, phrase, min_area_rect(outline), box, None, outline, mask, source=self.name))
        return tuple(found)

    def changed(self, before_rgb: np.ndarray, after_rgb: np.ndarray) -> np.ndarray:
        """Which pixels changed.

        Args:
            before_rgb: (H, W, 3) uint8.
            after_rgb: likewise, of the same size.

        Returns:
            (H, W) bool.
        """
        first, second = (self._smoothed(image) for image in (before_rgb, after_rgb))
        distance = np.linalg.norm(first - _matched(second, first), axis=2)
        steps = np.clip(distance * _LAB_STEPS, 0, 255).astype(np.uint8)
        threshold = cv2.threshold(steps, 0, 255, cv2.THRESH_OTSU)[0] / _LAB_STEPS
        found = (distance > max(threshold, self.least_distance)).astype(np.uint8)
        found = cv2.morphologyEx(found, cv2.MORPH_OPEN, _disc(self.open_px))
        found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, _disc(self.close_px))
        _, parts, boxes, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        keep = boxes[:, cv2.CC_STAT_AREA] >= self.least_px
        keep[0] = False
        return np.asarray(keep[parts])

    def _smoothed(self, image_rgb: np.ndarray) -> np.ndarray:
        lab = cv2.cvtColor(image_rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        return np.asarray(cv2.GaussianBlur(lab, (0, 0), self.blur_px))


def _matched(image: np.ndarray, model: np.ndarray) -> np.ndarray:
    """The image with the model's median and spread in each channel: light and haze differ from day to day."""
    middle, wanted = (np.median(each, axis=(0, 1)) for each in (image, model))
    spread = np.median(np.abs(image - middle), axis=(0, 1)) + 1e-3
    factor = np.clip((np.median(np.abs(model - wanted), axis=(0, 1)) + 1e-3) / spread, 0.5, 2.0)
    return np.asarray((image - middle) * factor + wanted)


def _disc(radius_px: int) -> np.ndarray:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1)))
