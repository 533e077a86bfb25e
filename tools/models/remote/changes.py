"""Finding what changed between two scenes with a vision model behind OpenAI-compatible servers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ....core.errors import UsageError
from ....core.regions import Region
from ..merging import merge_regions
from ..views import Seen, View
from .vision import Vision, checked_phrase, vision_at

if TYPE_CHECKING:
    from ....core.scene import Scene


class RemoteChanges(Vision):
    """A change detector: each view of the place is shown before and after, in one message."""

    @classmethod
    def at(cls, argument: str) -> RemoteChanges:
        """The model of a spec's "MODEL@URL[,URL...][?setting=value&...]". Raises UsageError."""
        return cls(*vision_at(argument, "change"))

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Changed regions that the phrase names: polygons, or boxes from stock models.

        Args:
            before: the earlier scene.
            after: the later one, of the same size and place.
            phrase: what to look for.

        Raises:
            UsageError: scenes of different sizes, an empty phrase; see also `RemoteGrounder.ground`.
            ToolFailed, ModelOutputError, Cancelled, BudgetExceeded: see `RemoteGrounder.ground`.
        """
        said = checked_phrase(phrase)
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"the scenes have {before.size_wh!r} and {after.size_wh!r} px, expected one size; co-register them"
            )
        views = self.settings.views_of(after.size_wh)
        jobs = [partial(self._look, before, after, said, view) for view in views]
        return merge_regions([seen for each in self.in_parallel(jobs, "asking the server") for seen in each])

    def _look(self, before: Scene, after: Scene, phrase: str, view: View) -> list[Seen]:
        earlier, _ = self.shown(before, view)
        later, shown = self.shown(after, view)  # what is said refers to this one
        asking = self.tasks.change(phrase, shown.size_wh)
        objects, reply = self.ask([earlier, later], asking, self.regions_schema(phrase))
        return [Seen(region, shown) for region in self.regions(objects, reply, shown, phrase)]
