"""`surveyor data stats` and `surveyor data show`: what a file of records holds, as tables and as pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..finetune.records.stats import Stats

STATS_EPILOG = "Example:  [bold]surveyor data stats records.jsonl[/bold]"
SHOW_EPILOG = "Examples:  [bold]surveyor data show records.jsonl --out look.html --task res --n 12[/bold]"
Records = Annotated[Path, typer.Argument(metavar="RECORDS", help="A file of records.", show_default=False)]
_MOST = 12


def stats(
    records: Records,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, with every class.")] = False,
) -> None:
    """Tell what a file of records holds: tasks, classes, families, lengths, points a record."""
    import json

    from ..finetune.records.files import read_meta, read_records
    from ..finetune.records.stats import stats_of
    from .screen import data

    found = stats_of(read_records(records))
    if json_:
        data().print_json(json.dumps(found.to_dict()))
        return
    _print(found)
    meta = read_meta(records)
    if meta is not None and meta.dropped:
        left = sum(meta.dropped.values())
        why = f"{len(meta.dropped)} reason{'s' if len(meta.dropped) > 1 else ''}"
        data().print(f"left out when it was made: {left:,} for {why}", soft_wrap=True)


def _print(found: Stats) -> None:
    from rich.table import Table

    from .screen import data

    screen = data()
    screen.print(f"{found.records:,} records, {found.images:,} pictures, {found.families:,} families", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")  # 80 columns hold it
    names = ("task", "records", "none", "regions", "points", "95 %", "letters", "95 %", "most", "phrases", "crops")
    for name in names:
        table.add_column(name, justify="left" if name == "task" else "right", style="cyan" if name == "task" else None)
    for name, task in sorted(found.tasks.items()):
        points, reply = task.points, task.reply
        none = f"{task.none / task.records:.0%}" if task.none else ""
        has = [points.quantile(0.5), points.quantile(0.95)] if points.counts else ["", ""]
        row = [name, task.records, none, task.regions or "", *has, *(reply.quantile(share) for share in (0.5, 0.95, 1)), len(task.phrases) or "", task.crops or ""]  # fmt: skip  # noqa: E501
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    screen.print(table)
    screen.print("points and letters: median, 95 % and most of a reply", style="dim", soft_wrap=True)
    for what in ("classes", "sizes", "kinds", "splits", "sources", "licences"):
        counts: Counter[str] = getattr(found, what)
        if counts and set(counts) != {""}:
            told = ", ".join(f"{name or 'none'} {count:,}" for name, count in counts.most_common(_MOST))
            more = f", {len(counts) - _MOST:,} more" if len(counts) > _MOST else ""
            screen.print(f"{what}: {told}{more}", soft_wrap=True, markup=False)


def show(
    records: Records,
    out: Annotated[Path, typer.Option(metavar="FILE", help="A page (.html) or a sheet (.png).", show_default=False)],
    n: Annotated[int, typer.Option("--n", metavar="N", help="How many, of each task equally many.")] = 24,
    task: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="Only records of this task; can be given again.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the images. Default: as told beside the records.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which of them.")] = 0,
) -> None:
    """Draw records: what each reply says, read back from its text, over its picture, with the messages."""
    from ..core.errors import UsageError
    from ..finetune.records.files import images_folder, read_records
    from ..finetune.records.pages import sampled, write_page
    from ..finetune.records.record import TASKS
    from .screen import talk

    if strange := [each for each in task or () if each not in TASKS]:
        raise UsageError(f"there is no task {strange[0]!r}; expected one of: {', '.join(TASKS)}")
    chosen = sampled(read_records(records), n, tasks=tuple(task or ()), seed=seed)
    faults = write_page(chosen, images_folder(records, images), out)
    talk().print(f"{len(chosen)} records; open {out}", style="dim", markup=False, soft_wrap=True)
    for fault in faults[:5]:
        talk().print(f"could not be drawn: {fault}", style="yellow", markup=False, soft_wrap=True)
