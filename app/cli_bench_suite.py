"""`surveyor bench suite`: a whole benchmark in one call."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_ask import Models

if TYPE_CHECKING:
    from rich.table import Table

    from ..evals.suites import Did

EPILOG = (
    "Examples:  [bold]surveyor bench suite mini --out out/mini[/bold]   "
    "[bold]surveyor bench suite shared --data ../shared/data --out out/shared[/bold]"
)
Name = Annotated[
    str,
    typer.Argument(
        metavar="mini|shared",
        help="mini draws its images; shared uses the annotated ones of --data.",
        show_default=False,
    ),
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Gets items, runs and the report; goes on there.", show_default=False)
]
Data = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder with nwpu_vhr10/, dota_devkit/, change/.")]
Only = Annotated[str, typer.Option(metavar="PARTS", help="Parts of the suite, by commas.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="At most N items of each part.")]
Workers = Annotated[int, typer.Option(metavar="N", help="How many items at once.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Every ablation looks at every image anew.")]


def suite(
    name: Name,
    out: Out,
    data: Data = None,
    models: Models = None,
    only: Only = "",
    limit: Limit = None,
    workers: Workers = 1,
    no_cache: NoCache = False,
) -> None:
    """Build CREC, CRES and RCD items, put them to the models and to every ablation, score them, write a report."""
    from ..core.progress import listening, noting
    from ..evals.report.report import write_report
    from ..evals.suites import run_suite
    from .exits import INTERRUPTED
    from .progress_bar import shown_progress
    from .screen import data as to_stdout
    from .screen import talk

    notes: list[str] = []
    command = shlex.join(sys.argv) if Path(sys.argv[0]).name == "surveyor" else ""
    try:
        with noting(notes), shown_progress() as listener:
            did = run_suite(
                name,
                out,
                data=data,
                models=models,
                only=[part.strip() for part in only.split(",") if part.strip()],
                limit=limit,
                workers=workers,
                cache=not no_cache,
                progress=listener,
            )
            for text in notes:
                talk().print(text, style="yellow", markup=False, soft_wrap=True)
            with listening(listener):
                folders = [folder for each in did for folder in each.folders.values()]
                made = write_report(folders, Path(out) / "report", command=command)
    except KeyboardInterrupt:
        told = f"interrupted: what was answered is kept in {out}/; the same command goes on"
        talk().print(told, style="yellow", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    for each in did:
        to_stdout().print(_table(each))
    for file in made.files:
        to_stdout().print(str(file), markup=False, soft_wrap=True)


def _table(did: Did) -> Table:
    """One part: a row a run, with the metrics that tell most."""
    from rich.markup import escape
    from rich.table import Table

    from ..evals.report.report_words import METRIC_WORDS, figure, telling
    from ..evals.report.scoring import score_run
    from ..evals.scores.bootstrap import intervals

    runs = {mode: score_run(folder) for mode, folder in did.folders.items()}
    track, first = next(iter(next(iter(runs.values())).tables.items()))
    metrics = telling(track, list(first.values()))
    title = f"{did.part.name}: {did.part.task} on {did.part.about}, {did.header.admitted:,} items"
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=title, title_justify="left"
    )
    table.add_column("run", style="cyan")
    for metric in metrics:
        table.add_column(METRIC_WORDS.get(metric, metric), justify="right")
    table.add_column("")
    for mode, run in runs.items():
        figures = intervals(run.tables[track])
        shown = []
        for metric in metrics:
            found = figures[metric]
            limits = "" if found.low is None else f" ({figure(found.low)}–{figure(found.high)})"
            shown.append(f"{figure(found.value, metric)}{limits}")
        wrong = [f"{n:,} {status}" for status, n in run.tables[track].counts().items() if status != "answered"]
        table.add_row(escape(mode), *shown, ", ".join(wrong))
    return table
