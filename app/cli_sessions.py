"""`surveyor sessions`: the conversations that are kept: list, show, export, delete."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

sessions = typer.Typer(
    help="List, show, export and delete the conversations that `surveyor chat` keeps.",
    epilog="Example:  surveyor sessions export airport --out airport",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the session.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@sessions.callback()
def every(context: typer.Context) -> None:
    """List, show, export and delete the conversations that `surveyor chat` keeps."""
    if context.invoked_subcommand is None:
        list_()


@sessions.command("list")
def list_(json_: Json = False) -> None:
    """List the sessions, latest first."""
    from ..agent.chat_commands import sessions_text
    from ..agent.sessions import Sessions

    kept = Sessions()
    if not json_:
        sys.stdout.write(sessions_text(kept) + "\n")
        return
    found = [kept.load(name) for name in kept.names()]
    told = [
        {
            "name": each.name,
            "turns": len(each.turns),
            "images": [image.name for image in each.images],
            "created": each.created,
            "updated": each.updated,
        }
        for each in found
    ]
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")


@sessions.command("show")
def show(name: Name, json_: Json = False) -> None:
    """Show what was asked and answered.

    Example:  surveyor sessions show airport
    """
    from ..agent.session_export import session_json
    from ..agent.sessions import Sessions

    session = Sessions().load(name)
    if json_:
        sys.stdout.write(json.dumps(session_json(session), ensure_ascii=False) + "\n")
        return
    for number, image in enumerate(session.images, start=1):
        sys.stdout.write(f"image {number}: {image.path}\n")
    for turn in session.turns:
        undone = " (undone)" if turn.undone else ""
        where = f"[image {turn.image}] " if len(session.images) > 1 else ""
        sys.stdout.write(f"{turn.number}. {where}{turn.text}{undone}\n   {turn.answer}\n")
        if turn.folder is not None and (turn.folder / "overlay.png").exists():
            sys.stdout.write(f"   {turn.folder / 'overlay.png'}\n")


@sessions.command("export")
def export(
    name: Name,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; a folder NAME when left out.")] = None,
) -> None:
    """Write a session as JSON, and as Markdown with its pictures.

    Example:  surveyor sessions export airport --out airport
    """
    from ..agent.session_export import export as write
    from ..agent.sessions import Sessions
    from .screen import talk

    written = write(Sessions().load(name), out or Path(name))
    pictures = len(written) - 2
    told = f"wrote session.json, session.md and {pictures} picture{'' if pictures == 1 else 's'} in {out or name}/"
    talk().print(told, style="dim", markup=False, soft_wrap=True)


@sessions.command("delete")
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Of the sessions.", show_default=False)],
) -> None:
    """Forget sessions and remove their files.

    Example:  surveyor sessions delete airport
    """
    from ..agent.sessions import Sessions
    from .screen import talk

    kept = Sessions()
    for name in names:
        kept.load(name)  # all of them are there, or none is deleted
    for name in names:
        kept.delete(name)
        talk().print(f"deleted {name}", style="dim", markup=False)
