"""What is put to a vision-language model and what comes back, whatever runs it: a checkpoint here, or a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ...core.errors import ModelOutputError, ToolFailed
from ...core.frames import SizeWH
from .tasks import FREE, Asking, Tasks

Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as the model is to see it.

    Attributes:
        key: a name for the pixels: pictures of equal keys and sizes are the same.
        size_wh: width and height in px at which the model sees it, from `Answerer.seen_size`.
        read: gives the pixels, (H, W, 3) uint8 of any size; asked only when they are needed.
    """

    key: str
    size_wh: tuple[int, int]
    read: Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False)
class Prompt:
    """Pictures and what is asked about them."""

    pictures: tuple[Picture, ...]
    asking: Asking[Any]


@dataclass(frozen=True, eq=False)
class Reply:
    """A model's text.

    Attributes:
        text: without the token that ends it.
        ended: the model ended it itself; False when the tokens were used up.
        forced: a grammar was made to close it because the tokens were used up: it can be read, but may lack the rest.
        guided: the text was held to the asking's grammar.
        logprobs: (T,) natural logarithm of the model's probability of each token, NaN for one that it was not asked
            about; None when it does not tell.
        stops: (T,) how many characters of the text are written after each token; None when that cannot be told.
    """

    text: str
    ended: bool = True
    forced: bool = False
    guided: bool = False
    logprobs: np.ndarray | None = None
    stops: np.ndarray | None = None

    def score(self, span: tuple[int, int] | None = None) -> float | None:
        """The geometric mean of the probabilities of the tokens that wrote a part of the text: not calibrated.

        Args:
            span: first and last + 1 character; None is all of the text.

        Returns:
            0..1, or None when the part's tokens cannot be told.
        """
        if self.logprobs is None or (span is not None and self.stops is None):
            return None
        chosen = self.logprobs
        if span is not None and self.stops is not None:
            starts = np.concatenate([[0], self.stops[:-1]])
            chosen = self.logprobs[(starts < span[1]) & (self.stops > span[0])]
        chosen = chosen[~np.isnan(chosen)]
        return float(np.exp(min(0.0, float(chosen.mean())))) if len(chosen) else None


class OutOfMemory(ToolFailed):
    """There is no room even for one picture of this size; a smaller one may fit. `why` says it in two words."""

    def __init__(self, message: str, why: str = "memory ran out") -> None:
        super().__init__(message)
        self.why = why


class Answerer(Protocol):
    """What answers prompts: a checkpoint in memory, or a server."""

    @property
    def tasks(self) -> Tasks:
        """What to say to it."""
        ...

    @property
    def at_once(self) -> int:
        """How many prompts are worth giving in one call."""
        ...

    @property
    def version(self) -> str | None:
        """A digest of weights and settings; None where nobody can tell when the weights change."""
        ...

    def seen_size(self, size_wh: SizeWH, shrink: float = 1.0) -> tuple[int, int]:
        """At which size in px the model sees an image of that size, with a share of the pixels it may have."""
        ...

    @property
    def most_pixels(self) -> int:
        """Most pixels of an image as the model sees it."""
        ...

    def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
        """One reply a prompt, in order. Raises OutOfMemory when not even one fits."""
        ...


def meaning(asking: Asking[Read], reply: Reply) -> Read:
    """What a reply means. Free text that was cut short keeps what there is, with a mark of omission.

    Raises:
        ModelOutputError: unreadable, or a list of objects that was cut off.
    """
    if asking.task in FREE and not reply.ended:
        asking.read(reply.text)  # which tells empty from cut short
        return asking.read(f"{reply.text.rstrip()} …")
    if not reply.ended and not reply.forced:
        raise ModelOutputError("the reply was cut off because its tokens were used up", reply.text)
    return (asking.read if reply.guided else asking.lenient)(reply.text)
