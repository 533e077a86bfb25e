"""`surveyor bench datasets`: which datasets can be read, how their folders look, and what a copy holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..evals.datasets.counting import Counts
    from ..evals.datasets.record import Reader

EPILOG = (
    "Examples:  [bold]surveyor bench datasets dota[/bold]  ·  "
    "[bold]surveyor bench datasets 'coco:val.json?exhaustive=yes'[/bold]"
)
Source = Annotated[
    str,
    typer.Argument(
        metavar="[NAME[:FOLDER]]", help="A dataset; with its folder, what that copy holds.", show_default=False
    ),
]
_MOST = 12


def datasets(source: Source = "") -> None:
    """List the datasets that can be read; show the layout and the options of one; count what a copy on disk holds."""
    from .screen import data

    if not source:
        _list()
    elif ":" in source:
        _count(source)
    else:
        from ..evals.datasets.registry import reader_named

        data().print(_layout(reader_named(source)), markup=False, soft_wrap=True)


def _list() -> None:
    from rich.table import Table

    from ..evals.datasets.registry import READERS
    from .screen import data

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("name", "what", "options", "licence"):
        table.add_column(name, style="cyan" if name == "name" else None, no_wrap=name == "name", overflow="fold")
    for reader in READERS:
        options = ", ".join(("split", *reader.options))
        table.add_row(reader.name, reader.about, options, reader.source.licence)
    data().print(table)


def _layout(reader: Reader) -> str:
    """What a person needs to know to point at a copy."""
    cite = f" ({reader.source.cite})" if reader.source.cite else ""
    lines = [f"{reader.name}: {reader.about}", f"{reader.source.name}{cite}; licence: {reader.source.licence}", ""]
    lines += [
        "files",
        *(f"  {line}" for line in reader.layout),
        "",
        "options, written ?KEY=VALUE&KEY=VALUE behind the folder",
    ]
    lines += ["  split: one of the published parts (default: all)"]
    lines += [f"  {name}: {meaning}" for name, meaning in reader.options.items()]
    return "\n".join([*lines, "", f"what a copy holds:  surveyor bench datasets {reader.name}:FOLDER"])


def _count(source: str) -> None:
    from collections import Counter

    from ..core.progress import listening
    from ..evals.construction.sources import records_of
    from ..evals.datasets.counting import count_records
    from .progress_bar import shown_progress
    from .screen import data, talk

    tally: Counter[str] = Counter()
    with shown_progress() as listener, listening(listener):
        counted = count_records(records_of(source, tally))
    if not counted:
        talk().print("there is nothing in it", style="yellow")
    for split, counts in counted.items():
        data().print(_told(split, counts), markup=False, soft_wrap=True)
    for reason, count in sorted(tally.items(), key=lambda each: -each[1]):
        talk().print(f"{count:,} left out: {reason}", style="yellow", markup=False, soft_wrap=True)


def _told(split: str, counts: Counts) -> str:
    """One split in some lines."""
    first = f"{split}: {counts.records:,} records of {counts.families:,} families"
    first += f", {counts.exhaustive:,} labelled exhaustively" if counts.exhaustive else ", none labelled exhaustively"
    lines = [first + (f"; {counts.missing:,} without their image" if counts.missing else "")]
    for what, found in (("objects", counts.things), ("texts", counts.said), ("changed in pairs", counts.changed)):
        if found:
            shown = ", ".join(f"{name} {n:,}" for name, n in found.most_common(_MOST))
            more = f", {len(found) - _MOST:,} more" if len(found) > _MOST else ""
            lines.append(f"  {what}: {sum(found.values()):,} ({shown}{more})")
    return "\n".join(lines)
