"""`surveyor explain`: why an answer that was written to a folder is what it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

EXAMPLE = """Example:  [bold]surveyor explain out airplane-3 --picture why.png[/bold]"""
SIGNS = {
    r"<- none left after this|\bnear miss\b": "red",
    r"(?<= )(?:no|out)(?= |$)": "red",
    r"(?<= )(?:yes|in)(?= |$)": "green",
    r"(?<= )(?:\?|unknown)(?= |$)|^note: .*": "yellow",
}
HEADINGS = r"^(?:Steps|Conditions|Candidates|Near misses|Unknown|Second look)\b.*$"


def explain(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A folder that ask or run wrote (--out), or its trace.json.", show_default=False
        ),
    ],
    region: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One candidate, e.g. airplane-3.", show_default=False)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw what was kept and dropped, with reasons (.png, .jpg)."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Why a written answer is what it is: steps, candidates by conditions with values, near misses, unknowns."""
    from ..agent.saved import explain_saved
    from .screen import data, talk

    explanation = explain_saved(place, region)
    drawn = None if picture is None else explanation.draw(picture)
    if json_:
        sys.stdout.write(json.dumps(explanation.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        data().print(_coloured(explanation.text), soft_wrap=True)
    sys.stdout.flush()
    if drawn is not None:
        talk().print(f"wrote {drawn}", style="dim", soft_wrap=True)


def _coloured(text: str) -> Text:
    """The text with colours for a terminal; elsewhere they are left out by the console."""
    from rich.text import Text

    shown = Text()
    for number, line in enumerate(text.splitlines()):
        part = Text(line, style="bold" if number == 0 else "")
        for pattern, style in SIGNS.items() if number else ():
            part.highlight_regex(pattern, style)
        part.highlight_regex(HEADINGS, "bold")
        shown.append_text(part).append("\n")
    shown.rstrip()
    return shown
