"""`surveyor data split`: records divided by leakage family, and the check that a division does not leak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """Examples:

[bold]surveyor data split dota.jsonl isaid.jsonl --out split --val 0.1 --test 0.1[/bold]

[bold]surveyor data split --check train.jsonl val.jsonl[/bold]"""


def split(
    records: Annotated[list[Path], typer.Argument(metavar="RECORDS...", help="Files of records.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for train.jsonl, val.jsonl and test.jsonl.")
    ] = None,
    val: Annotated[float, typer.Option(metavar="SHARE", help="Share of the families.")] = 0.1,
    test: Annotated[float, typer.Option(metavar="SHARE", help="Share of the families.")] = 0.1,
    seed: Annotated[int, typer.Option(metavar="N", help="Of chance; a family's side depends on it alone.")] = 0,
    ignore_published: Annotated[
        bool, typer.Option("--ignore-published", help="Divide published parts anew, too.")
    ] = False,
    leaking: Annotated[
        str, typer.Option(metavar="refuse|drop", help="Families in several published parts: refuse, or keep one side.")
    ] = "refuse",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: tell which families the given files share.")
    ] = False,
) -> None:
    """Divide records so that no leakage family stands on two sides.

    Published parts are kept; what has none falls to a side by its
    family's name, for all datasets alike.
    """
    from ..core.errors import UsageError
    from ..finetune.records.split import SplitLeaks, leaks, split_records
    from .cli_data import command_line
    from .screen import talk

    if check:
        if found := leaks(records):
            raise SplitLeaks(str(found))
        talk().print(f"no family and no image is in two of the {len(records)} files", soft_wrap=True)
        return
    if out is None:
        raise UsageError("there is no folder to write to; give --out DIR, or --check to compare files")
    written = split_records(
        records, out, val=val, test=test, seed=seed, ignore_published=ignore_published, leaking=leaking,
        command=command_line(),
    )  # fmt: skip
    total = sum(meta.records for meta in written.values()) or 1
    for side, meta in written.items():
        told = (
            f"{out / side}.jsonl: {meta.records:,} records ({meta.records / total:.0%}) of {meta.families:,} families"
        )
        lost = "".join(f"; {count:,} left out: {reason}" for reason, count in meta.dropped.items())
        talk().print(told + lost, soft_wrap=True)
