"""A line and its answer as a turn of a conversation and as a reply to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..core.conditions import Among, Node, Request, Selection, conjuncts, walk
from ..core.errors import UsageError
from ..core.questions import Question
from ..core.wording import words
from .answer import Answer
from .followup_edits import distinct_targets
from .followup_meanings import Ask
from .parsing.noun import conjunction
from .sessions import Turn, now

N = TypeVar("N", bound=Node)

SAVED_AS = {
    ".png": "overlay.png",
    ".geojson": "regions.geojson",
    ".gpkg": "regions.gpkg",
    ".json": "trace.json",
    ".html": "swipe.html",
    ".tif": "changes.tif",
}


@dataclass(frozen=True)
class Reply:
    """What a line was answered with.

    Args:
        kind: `answer`: a request was run; `answers`: on several images; `why`: an answer was explained; `undone`;
            `image`: another image is in use; `told`: what a command asked for, or a courtesy.
        text: the answer in words; for `answer` one or two sentences on one line.
        turn: the turn that was made, explained or undone.
        answer: the whole answer, when a request was run.
        picture: the overlay, when the conversation is kept.
        notes: what a careful reader should know.
        understood: the request in plain words.
        parts: of `answers`, the reply for each image.
    """

    kind: Literal["answer", "answers", "why", "undone", "image", "told"]
    text: str
    turn: Turn | None = None
    answer: Answer | None = None
    picture: Path | None = None
    notes: tuple[str, ...] = ()
    understood: str = ""
    parts: tuple[Reply, ...] = ()

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
            **({"parts": [part.to_dict() for part in self.parts]} if self.parts else {}),
        }


def notes_by_image(notes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The notes of answers on several images, each with those that it is of.

    Example:
        >>> notes_by_image({"image 1": ("it is dark",), "image 2": ("it is dark", "1 close call")})
        ('image 1, image 2: it is dark', 'image 2: 1 close call')
    """
    places: dict[str, list[str]] = {}
    for image, told in notes.items():
        for note in dict.fromkeys(told):
            places.setdefault(note, []).append(image)
    return tuple(f"{', '.join(images)}: {note}" for note, images in places.items())


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
    number: int, text: str, meaning: Ask, image: int, request: Request, answer: Answer, notes: tuple[str, ...],
    folder: Path | None, earlier: Turn | None, before: int | None = None,
) -> Turn:  # fmt: skip
    """The turn that an answered line makes.

    Args:
        meaning: of the line.
        image, request: what was run.
        before: number of the image of the earlier date, if there are two.
        earlier: the turn that it builds on, where it looked at the same image.
    """
    listed = answer.rejected  # in the order of the table
    labels = {c.region.id: c.region.label for found in answer.references for c in found.kept}
    labels |= {c.region.id: c.region.label for c in (*answer.regions, *listed)}
    return Turn(
        number=number, text=text, image=image, request=request, edits=meaning.edits,
        answer=answer.text if not answer.failure else f"{answer.text} Failed: {answer.failure}",
        kept=tuple(c.region.id for c in answer.regions), others=tuple(c.region.id for c in listed), labels=labels,
        notes=(*notes, *answer.notes), folder=folder, created=now(), about=meaning.about, before=before,
        about_ids=() if meaning.about is None else ids_of(meaning.about, answer, earlier),
    )  # fmt: skip


def ids_of(about: Selection, answer: Answer, earlier: Turn | None) -> tuple[str, ...]:
    """The regions of the set that a question was asked of: those of the turn before, else by their verdicts."""
    if earlier is not None:
        if earlier.about == about:
            return earlier.about_ids
        if earlier.about is None and distinct_targets(earlier.request) == (about,):
            return earlier.kept
    wanted = [words(part) for part in (*conjuncts(about.where), *about.picks)]
    seen = {c.region.id: c for part in answer.parts for c in part.candidates}
    return tuple(name for name, c in seen.items() if all(c.verdicts.get(key) is True for key in wanted))


def chosen_in(question: Question, request: Request) -> str | None:
    """The words of a request that a question asks about ("the river"); None for another kind of question."""
    if question.kind != "which":
        return None
    said = [words(each) for each in walk(request) if isinstance(each, Selection) and each.expected == 1]
    return next((name for name in said if repr(name) in question.text), None)


def with_chosen(request: Request, chosen: Mapping[str, str]) -> Request:
    """The request with what was said to be meant: "the river" is "river-2" from then on."""
    return _with_chosen(request, chosen) if chosen else request


def _with_chosen(node: N, chosen: Mapping[str, str]) -> N:
    changes: dict[str, object] = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        if isinstance(value, Node):
            changes[name] = _with_chosen(value, chosen)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[name] = tuple(_with_chosen(item, chosen) for item in value)
    if isinstance(node, Selection) and node.expected == 1 and not node.picks and words(node) in chosen:
        changes["where"] = conjunction([*conjuncts(node.where), Among(ids=(chosen[words(node)],))])
    return node.model_copy(update=changes)


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
            needs = {".html": "two dates", ".tif": "two dates with map coordinates"}.get(path.suffix.lower())
            raise UsageError(f"this answer has no {name}, which needs {needs or 'an image with map coordinates'}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, path)
