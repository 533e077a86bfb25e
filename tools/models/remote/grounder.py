"""Finding what a phrase names with a vision model behind OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ....core.errors import ModelOutputError
from ....core.regions import Region
from ..merging import merge_seen
from ..second_look import second_look
from ..views import Seen, View
from .vision import Vision, checked_phrase, vision_at

if TYPE_CHECKING:
    from ....core.scene import Scene

_CROP_PX = 448


class RemoteGrounder(Vision):
    """A grounder that takes any phrase. Views of a large scene are asked about in parallel.

    Scores are exp of the mean log-probability of the tokens that write a region (uncalibrated), None where the server
    gives no log-probabilities.

    Example:
        >>> RemoteGrounder.at("surveyor@http://gpu1:8000/v1,http://gpu2:8000/v1").resolve("white plane")
        ('white plane',)
    """

    @classmethod
    def at(cls, argument: str) -> RemoteGrounder:
        """The model of a spec's "MODEL@URL[,URL...][?setting=value&...]". Raises UsageError."""
        return cls(*vision_at(argument, "grounder"))

    def knows(self) -> tuple[str, ...] | None:
        """None: any phrase may be asked."""
        return None

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The phrase itself."""
        return (checked_phrase(phrase),)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """All regions that the phrase names, best first. Reports progress as "asking the server".

        Raises:
            UsageError: an empty phrase; the server refuses the key, the model's name or the request.
            ToolFailed: the servers stay busy or fail.
            ModelOutputError: a view's reply could not be read, after `reasks` more tries.
            Cancelled, BudgetExceeded: the run stops here.
        """
        said = checked_phrase(phrase)
        views = self.settings.views_of(scene.size_wh)
        jobs = [partial(self._look, scene, said, view) for view in views]
        found = merge_seen([seen for each in self.in_parallel(jobs, "asking the server") for seen in each])
        if self.settings.second_look:
            again = partial(self._look_again, scene, said)
            found = second_look(found, again, small_px=self.settings.second_look, long_px=min(_CROP_PX, self.settings.tile_px)).found  # fmt: skip  # noqa: E501
        return tuple(seen.region for seen in found)

    def _look(self, scene: Scene, phrase: str, view: View) -> list[Seen]:
        sent, shown = self.shown(scene, view)
        task = self.tasks.segment if self.settings.ground == "seg" else self.tasks.detect
        objects, reply = self.ask([sent], task(phrase, shown.size_wh), self.regions_schema(phrase))
        return [Seen(region, shown) for region in self.regions(objects, reply, shown, phrase)]

    def _look_again(self, scene: Scene, phrase: str, views: Sequence[View]) -> list[list[Region] | None]:
        return self.in_parallel([partial(self._crop, scene, phrase, view) for view in views], "looking again")

    def _crop(self, scene: Scene, phrase: str, view: View) -> list[Region] | None:
        try:
            return [seen.region for seen in self._look(scene, phrase, view)]
        except ModelOutputError:
            return None
