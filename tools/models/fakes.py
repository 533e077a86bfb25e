"""Test doubles for every model door: they answer what they were given, count their calls, wait and fail on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...core.geometry import box_to_corners
from ...core.lexicon import resolve
from ...core.masks import Mask
from ...core.protocols import Description, MaskPrompt, MaskResult
from ...core.regions import Region

if TYPE_CHECKING:
    from ...core.scene import Scene


class _Double:
    """Counts calls from any number of threads; waits and fails as it was told.

    Args:
        delay_s: how long each call takes.
        failure: raised by calls; None never fails.
        failures: how many of the first calls raise; None means all of them.
    """

    name = "fake"

    def __init__(self, delay_s: float = 0.0, failure: Exception | None = None, failures: int | None = None) -> None:
        self._delay_s, self._failure, self._failures = delay_s, failure, failures
        self._lock = threading.Lock()
        self._running = 0
        self.calls: list[tuple[object, ...]] = []
        self.most_at_once = 0

    @property
    def call_count(self) -> int:
        """How many calls were made, failed ones included."""
        return len(self.calls)

    def _called(self, *what: object) -> None:
        with self._lock:
            self.calls.append(what)
            number = len(self.calls)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        time.sleep(self._delay_s)
        with self._lock:
            self._running -= 1
        if self._failure is not None and (self._failures is None or number <= self._failures):
            raise self._failure


class FakeGrounder(_Double):
    """A grounder that finds the regions it was given, by their labels.

    Args:
        regions: what is in every scene, in order; best first is up to the caller.
        labels: the classes it knows; by default those of the regions.
        open_vocabulary: it knows every phrase, and finds the regions whose label the phrase resolves to.
    """

    def __init__(
        self,
        regions: Sequence[Region] = (),
        labels: Sequence[str] | None = None,
        *,
        open_vocabulary: bool = False,
        delay_s: float = 0.0,
        failure: Exception | None = None,
        failures: int | None = None,
    ) -> None:
        super().__init__(delay_s, failure, failures)
        self._regions = tuple(replace(region, source=region.source or self.name) for region in regions)
        self._labels = tuple(dict.fromkeys(labels if labels is not None else [r.label for r in regions]))
        self._open = open_vocabulary

    def knows(self) -> tuple[str, ...] | None:
        """The labels, or None with an open vocabulary."""
        return None if self._open else self._labels

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The labels the phrase stands for; the phrase itself with an open vocabulary."""
        return (phrase,) if self._open else resolve(phrase, self._labels)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """The given regions of the phrase's classes."""
        wanted = set(self.resolve(phrase))
        self._called(scene.name, phrase)
        return tuple(region for region in self._regions if region.label in wanted)


class FakeSegmenter(_Double):
    """A segmenter whose masks are the prompts' oriented boxes (upright ones where no corners are given), filled in.

    Args:
        score: given with each mask.
    """

    def __init__(
        self,
        score: float | None = None,
        *,
        delay_s: float = 0.0,
        failure: Exception | None = None,
        failures: int | None = None,
    ) -> None:
        super().__init__(delay_s, failure, failures)
        self._score = score

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One filled box per prompt, in order."""
        self._called(scene.name, len(prompts))
        width, height = scene.size_wh
        return tuple(
            MaskResult(
                Mask.from_polygon(
                    box_to_corners(prompt.box_px) if prompt.corners_px is None else prompt.corners_px, (height, width)
                ),
                self._score,
            )
            for prompt in prompts
        )


class FakeChangeDetector(_Double):
    """A change detector that finds the regions it was given, whatever the pair of scenes; labels select by phrase.

    "change" asks for all of them.
    """

    def __init__(
        self,
        regions: Sequence[Region] = (),
        *,
        delay_s: float = 0.0,
        failure: Exception | None = None,
        failures: int | None = None,
    ) -> None:
        super().__init__(delay_s, failure, failures)
        self._regions = tuple(regions)

    def knows(self) -> tuple[str, ...]:
        """The labels of the given regions."""
        return tuple(dict.fromkeys(region.label for region in self._regions))

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """The given regions whose label the phrase stands for."""
        wanted = self.knows() if phrase == "change" else resolve(phrase, self.knows())
        self._called(before.name, after.name, phrase)
        return tuple(replace(region, source=self.name) for region in self._regions if region.label in wanted)


NOTHING_TO_ADD = Description("Nothing to add.")


class FakeDescriber(_Double):
    """A describer that says what it was given: the same of every region, or what a function says of each."""

    def __init__(
        self,
        saying: Description | Callable[[Region], Description] = NOTHING_TO_ADD,
        *,
        delay_s: float = 0.0,
        failure: Exception | None = None,
        failures: int | None = None,
    ) -> None:
        super().__init__(delay_s, failure, failures)
        self._saying = saying

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """What was given, once a region."""
        self._called(scene.name, *(region.id for region in regions))
        saying = self._saying
        return tuple(saying if isinstance(saying, Description) else saying(region) for region in regions)


class FakeChatModel(_Double):
    """A language model that gives the replies it was given, one a call, and the last one from then on."""

    def __init__(
        self,
        replies: Sequence[str] = ("",),
        *,
        delay_s: float = 0.0,
        failure: Exception | None = None,
        failures: int | None = None,
    ) -> None:
        super().__init__(delay_s, failure, failures)
        self._replies = tuple(replies)

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The next reply."""
        self._called(tuple(message.get("content", "") for message in messages), schema)
        return self._replies[min(self.call_count, len(self._replies)) - 1]
