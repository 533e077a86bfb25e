"""A line and its answer as a turn of a conversation and as a reply to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.conditions import Among, Request, walk
from ..core.errors import UsageError
from ..core.wording import words
from .answer import Answer
from .sessions import Turn, now

SAVED_AS = {".png": "overlay.png", ".geojson": "regions.geojson", ".gpkg": "regions.gpkg", ".json": "trace.json"}


@dataclass(frozen=True)
class Reply:
    """What a line was answered with.

    Args:
        kind: `answer`: a request was run; `why`: an answer was explained; `undone`; `image`: another image is in use;
            `told`: what a command asked for.
        text: the answer in words; for `answer` one or two sentences on one line.
        turn: the turn that was made, explained or undone.
        answer: the whole answer, when a request was run.
        picture: the overlay, when the conversation is kept.
        notes: what a careful reader should know.
        understood: the request in plain words.
    """

    kind: Literal["answer", "why", "undone", "image", "told"]
    text: str
    turn: Turn | None = None
    answer: Answer | None = None
    picture: Path | None = None
    notes: tuple[str, ...] = ()
    understood: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The reply as JSON types."""
        return {
            "kind": self.kind,
            "text": self.text,
            "turn": None if self.turn is None else self.turn.number,
            "image": None if self.turn is None else self.turn.image,
            "understood": self.understood,
            "picture": None if self.picture is None else str(self.picture),
            "notes": list(self.notes),
            "answer": None if self.answer is None else self.answer.to_dict(),
        }


def places_of(phrase: str, text: str) -> tuple[tuple[int, int], ...]:
    start = text.lower().find(phrase.lower())
    return ((start, start + len(phrase)),) if start >= 0 else ()


def names_regions(request: Request) -> bool:
    """Whether the request is about regions or boxes that the words alone do not tell."""
    return any(isinstance(node, Among) for node in walk(request))


def query_text(text: str, request: Request, *, refers: bool) -> str:
    """What is written over the picture and into the trace: the line, and what it stands for."""
    line = " ".join(text.split())
    return f"{line} ({words(request)})" if refers else line


def query_of(turn: Turn) -> str:
    return query_text(turn.text, turn.request, refers=turn.edits is not None or names_regions(turn.request))


def turn_of(
    number: int, text: str, image: int, request: Request, edits: int | None, answer: Answer,
    notes: tuple[str, ...], folder: Path | None,
) -> Turn:  # fmt: skip
    listed = [*answer.rejected]
    listed.sort(key=lambda c: list(c.verdicts.values()).count(False))  # as the table shows them
    labels = {c.region.id: c.region.label for found in answer.references for c in found.kept}
    labels |= {c.region.id: c.region.label for c in (*answer.regions, *listed)}
    return Turn(
        number=number, text=text, image=image, request=request, edits=edits,
        answer=answer.text if not answer.failure else f"{answer.text} Failed: {answer.failure}",
        kept=tuple(c.region.id for c in answer.regions), others=tuple(c.region.id for c in listed), labels=labels,
        notes=(*notes, *answer.notes), folder=folder, created=now(),
    )  # fmt: skip


def save_files(turn: Turn, path: Path, answer: Callable[[], Answer]) -> None:
    """Copies the files of an answer: the one that the path's ending names, or all of them into a folder.

    Args:
        turn: whose folder has them, where the conversation is kept.
        path: ends in .png, .geojson, .gpkg or .json, or is a folder.
        answer: makes the answer, for a turn without files.

    Raises:
        UsageError: no such kind of file, or this answer has none.
    """
    from .output import write_outputs

    name = SAVED_AS.get(path.suffix.lower())
    if path.suffix and name is None:
        kinds = ", ".join((*SAVED_AS, ".yaml"))
        raise UsageError(f"{path.suffix!r} is no kind of file that can be saved: {kinds}; or name a folder")
    with tempfile.TemporaryDirectory() as place:
        folder = turn.folder
        if folder is None or not folder.exists():
            folder, made = Path(place), answer()
            write_outputs(made, made.scene, folder)
        if name is None:
            shutil.copytree(folder, path, dirs_exist_ok=True)
        elif not (folder / name).exists():
            raise UsageError(f"this answer has no {name} (regions.gpkg needs an image with map coordinates)")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, path)
