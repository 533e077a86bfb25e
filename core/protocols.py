"""The small doors to models. Implementations are stateless by contract: the graph calls them from several threads.

A model may have a `version` (text): a digest of its weights and settings. Only results of models that tell one are kept
for later runs (`agent.store`), since nobody could tell otherwise when they are out of date.
"""

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
        coarse: a first, rough mask of it in the same scene, to be made exact (GeoGround's Text-Mask + SAM); None where
            there is none. Models that can't use one ignore it: the built-in one, the oracle and the fakes do.
        label: class of the region; over two dates it tells what changed, and of which date a thing is.
    """

    box_px: FloatArray
    corners_px: FloatArray | None = None
    points_px: FloatArray | None = None
    point_labels: Sequence[int] = ()
    coarse: Mask | None = None
    label: str = ""


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

    # A grounder may also have ground_all(scene, phrases) -> list of what `ground` gives for each, if it is quicker so,
    # and with_threshold(score) -> the same grounder that gives whatever is at least so sure.
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

    def knows(self) -> tuple[str, ...] | None:
        """The things whose change it finds by name, or None when any phrase may be asked."""
        ...

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """What changed of the things that the phrase names ("building"); "change" asks for whatever it can find.

        Args:
            before: the earlier date.
            after: the later date, of the same size, on the same ground (`core.pair.open_pair`).
            phrase: a noun phrase.

        Returns:
            Regions in px of both, with polygons or masks, labelled with the phrase; `Region.change` tells the
            direction where it is known. Empty when it looked and found none.

        Raises:
            UnknownPhrase: not among what it knows.
            UsageError: the scenes differ in size.
            ModelOutputError: the model's reply could not be read.
        """
        ...


@dataclass(frozen=True)
class Description:
    """What a describer sees.

    Args:
        text: a phrase or a sentence for people: "airplane", "a white aircraft on an apron".
        label: the class that it names, where the describer has a list of classes; None when it names none of them,
            or speaks freely.
        score: how sure it is of the label, 0..1; None when it gives no number.
        names: the classes it could have named; None when it speaks freely.
    """

    text: str
    label: str | None = None
    score: float | None = None
    names: tuple[str, ...] | None = None


@runtime_checkable
class Describer(Protocol):
    """Says what regions show. It is not told what they were found as."""

    name: str

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """One description per region, in order.

        Raises:
            ModelOutputError: the model's reply could not be read.
        """
        ...


@dataclass(frozen=True)
class Place:
    """Where on Earth an image was taken: degrees, north and east positive."""

    city: str
    latitude: float
    longitude: float


@runtime_checkable
class SceneReader(Protocol):
    """A vision-language model that can be asked about a whole scene in words. Each raises ModelOutputError."""

    name: str

    def select(self, scene: Scene, regions: Sequence[Region], condition: str) -> tuple[Region, ...]:
        """Those of the regions that satisfy a condition in words."""
        ...

    def answer(self, scene: Scene, question: str) -> str:
        """A short answer to a question."""
        ...

    def caption(self, scene: Scene) -> str:
        """A description."""
        ...

    def classify(self, scene: Scene, classes: Sequence[str]) -> str:
        """One of the classes, of which there are at least two."""
        ...

    def locate(self, scene: Scene) -> Place:
        """Where on Earth it is."""
        ...


@runtime_checkable
class ChatModel(Protocol):
    """A language model behind one call."""

    name: str

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The reply's text; JSON that fits `schema` where one is given."""
        ...
