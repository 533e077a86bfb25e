"""Saying what regions show with a vision model behind OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ....core.codec import Pointed
from ....core.protocols import Description
from ..views import zoomed
from .vision import Vision, vision_at

if TYPE_CHECKING:
    from ....core.regions import Region
    from ....core.scene import Scene

_CROP_PX = 448
_CONTEXT = 3.0  # side of a crop in long sides of the region


class RemoteDescriber(Vision):
    """A describer that speaks freely. Each region is shown in a crop with its surroundings, several at once."""

    @classmethod
    def at(cls, argument: str) -> RemoteDescriber:
        """The model of a spec's "MODEL@URL[,URL...][?setting=value&...]". Raises UsageError."""
        return cls(*vision_at(argument, "describer"))

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """One description per region, in order. Reports progress as "asking the server".

        Raises:
            ModelOutputError: an empty reply, after `reasks` more tries.
            UsageError, ToolFailed, Cancelled, BudgetExceeded: see `RemoteGrounder.ground`.
        """
        if not regions:
            return ()
        return tuple(self.in_parallel([partial(self._one, scene, region) for region in regions], "asking the server"))

    def _one(self, scene: Scene, region: Region) -> Description:
        view = zoomed(region.box_px, scene.size_wh, min(_CROP_PX, self.settings.tile_px), _CONTEXT)
        sent, shown = self.shown(scene, view)
        if "obb" in self.tasks.dialect.kinds:
            pointed = Pointed("obb", shown.from_scene(region.corners_px))
        else:
            pointed = Pointed("box", shown.from_scene(region.box_px.reshape(2, 2)))
        said, _ = self.ask([sent], self.tasks.describe(pointed, shown.size_wh))
        return Description(said)
