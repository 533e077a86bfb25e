"""What a line of a conversation can mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..core.conditions import Request, Selection


@dataclass(frozen=True)
class Ask:
    """A request to run.

    Args:
        request: what to run.
        image: number of the image to run it on.
        edits: the turn it builds on, None for an independent one.
        about: the set that is talked about afterwards, where it is not what the request asks for: that of a yes/no
            question is the set it was asked of.
        also_on: further images to run it on ("in both images").
        notes: what a careful reader should know of how the line was read.
        before: number of the image that shows the earlier date, where the line names one.
    """

    request: Request
    image: int
    edits: int | None = None
    about: Selection | None = None
    also_on: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    before: int | None = None


@dataclass(frozen=True)
class Why:
    """Why regions are in an answer or not.

    Args:
        turn: the answer.
        ids: of the regions; none: why the answer is what it is.
        request: asks for what the regions are (not), where no answer did: it is run to tell.
    """

    turn: int
    ids: tuple[str, ...] = ()
    request: Request | None = None


@dataclass(frozen=True)
class Like:
    """What else is like this region of that turn."""

    turn: int
    id: str


@dataclass(frozen=True)
class Undo:
    """Forget the last answer."""


@dataclass(frozen=True)
class GoTo:
    """New requests are about this image from now on."""

    image: int


@dataclass(frozen=True)
class Courtesy:
    """Words that ask for nothing: a greeting, thanks, or that all is well."""

    kind: Literal["greeting", "thanks", "fine"]


Meaning = Ask | Why | Like | Undo | GoTo | Courtesy
