"""A kept conversation as files to hand on: JSON for programs, Markdown with the pictures for people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..core.wording import words
from .sessions import Session, Turn

VERSION = 1


def session_json(session: Session) -> dict[str, Any]:
    """A session as JSON types: images, turns with their requests, answers and regions' ids."""
    return {
        "version": VERSION,
        "name": session.name,
        "created": session.created,
        "updated": session.updated,
        "images": [vars(image) for image in session.images],
        "turns": [_turn_json(turn) for turn in session.turns],
    }


def _turn_json(turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "text": turn.text,
        "image": turn.image,
        "edits": turn.edits,
        "understood": words(turn.request),
        "request": turn.request.model_dump(mode="json", exclude_none=True),
        "answer": turn.answer,
        "kept": list(turn.kept),
        "others": list(turn.others),
        "labels": dict(turn.labels),
        "about": None if turn.about is None else words(turn.about),
        "chosen": dict(turn.chosen),
        "notes": list(turn.notes),
        "created": turn.created,
        "undone": turn.undone,
    }


def export(session: Session, folder: Path) -> tuple[Path, ...]:
    """Writes session.json, session.md and the pictures of the answers.

    Args:
        session: from `Sessions.load`.
        folder: made when it is not there; files of an earlier export are replaced.

    Returns:
        The files written.

    Raises:
        UsageError: the folder cannot be written to.
    """
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        written = []
        for turn in session.turns:
            picture = None if turn.folder is None else turn.folder / "overlay.png"
            if picture is not None and picture.exists():
                written.append(Path(shutil.copyfile(picture, folder / _picture(turn))))
        text = json.dumps(session_json(session), indent=1, ensure_ascii=False)
        (folder / "session.json").write_text(text + "\n", encoding="utf-8")
        (folder / "session.md").write_text(_markdown(session, folder), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{str(folder)!r} cannot be written to ({error.strerror}); name another folder") from None
    return (folder / "session.json", folder / "session.md", *written)


def _picture(turn: Turn) -> str:
    return f"pictures/{turn.number:04d}.png"


def _markdown(session: Session, folder: Path) -> str:
    lines = [f"# {_plain(session.name)}", "", f"{session.created} to {session.updated} (UTC).", ""]
    for number, image in enumerate(session.images, start=1):
        scale = "" if image.gsd_m is None else f", {image.gsd_m:g} m a pixel"
        lines.append(f"{number}. {_plain(image.name)}{scale}, SHA-256 {image.digest}")
    for turn in session.turns:
        lines += ["", f"## {turn.number}. {_plain(turn.text)}{' (undone)' if turn.undone else ''}", ""]
        if len(session.images) > 1:
            lines += [f"Image {turn.image}, {_plain(session.images[turn.image - 1].name)}.", ""]
        lines += [f"Read as: {_plain(words(turn.request))}", "", _plain(turn.answer)]
        lines += [f"\n- {_plain(note)}" for note in turn.notes]
        if (folder / _picture(turn)).exists():
            lines += ["", f"![answer {turn.number}]({_picture(turn)})"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text of people on one line, with what Markdown would take for its own signs escaped."""
    line = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|!" else char for char in line)
