"""The small doors to models. Implementations are stateless by contract: the graph calls them from several threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .regions import FloatArray, Region

if TYPE_CHECKING:
    from .masks import Mask
    from .scene import Scene


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """What to segment: a box, optionally with points inside (1) or outside (0) the thing. Full-scene pixels.

    Args:
        box_px: (4,) x0, y0, x1, y1.
        corners_px: (4, 2) oriented box where known; models that can't use it ignore it.
        points_px: (K, 2), may be empty.
        point_labels: (K,) 1 inside, 0 outside.
    """

    box_px: FloatArray
    corners_px: FloatArray | None = None
    points_px: FloatArray | None = None
    point_labels: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class MaskResult:
    """A mask with the model's own estimate of its IoU (None when it gives none)."""

    mask: Mask
    score: float | None = None


@runtime_checkable
class Grounder(Protocol):
    """Finds what a phrase names."""

    name: str

    def knows(self) -> tuple[str, ...] | None:
        """The class names it can find, or None when any phrase may be asked (open vocabulary)."""
        ...

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The class names the phrase stands for (several for a super-class; the phrase itself if open vocabulary).

        Raises:
            UnknownPhrase: not among those it knows.
        """
        ...

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """All regions that the phrase names, best first; empty when it looked and found none.

        Raises:
            UnknownPhrase: the caller must ask something else.
            ModelOutputError: the model's reply could not be read.
        """
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Turns boxes and points into masks."""

    name: str

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One result per prompt, in order."""
        ...


@runtime_checkable
class ChangeDetector(Protocol):
    """Finds what changed between two co-registered scenes."""

    name: str

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Changed regions (with polygons) that the phrase names."""
        ...


@runtime_checkable
class Describer(Protocol):
    """Says what a region shows."""

    name: str

    def describe(self, scene: Scene, region: Region | None) -> str:
        """One sentence about the region, or about the scene for None."""
        ...


@runtime_checkable
class ChatModel(Protocol):
    """A language model behind one call."""

    name: str

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The reply's text; JSON that fits `schema` where one is given."""
        ...
