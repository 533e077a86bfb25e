"""`surveyor bench score` and `surveyor bench report`: what the answers of a run are worth."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

RunDirs = Annotated[
    list[Path],
    typer.Argument(metavar="DIR...", help="Folder of bench run; those of the shards of one run.", show_default=False),
]
ManyRuns = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Folders of bench run, the main run first.", show_default=False)
]
ItemsNow = Annotated[
    list[Path] | None, typer.Option("--items", metavar="FILE", help="Where the items file is now, if it was moved.")
]
DataNow = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Where the images are now, if moved.")]
By = Annotated[str, typer.Option("--by", metavar="tags", help="A table by kind of condition, answers, hops, class.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print scores.json instead of tables.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Gets the report.", show_default=False)]
Worst = Annotated[int, typer.Option("--worst", metavar="N", help="How many failures to show; 0 for none.")]

SCORE_EPILOG = "Example:  [bold]surveyor bench score runs/compact --by tags[/bold]"
REPORT_EPILOG = "Example:  [bold]surveyor bench report runs/full runs/oracle-boxes --out report[/bold]"


def score(dirs: RunDirs, items: ItemsNow = None, by: By = "", as_json: AsJson = False) -> None:
    """Score a run: figures with 95 % intervals, also of one that is not finished. Writes scores.json into its folder.

    Shards of one run are scored together; to put runs side by side use bench report.
    """
    from ..core.errors import UsageError
    from ..evals.report.scoring import SCORES_FILE, score_run, scores, write_scores
    from .screen import data, talk

    if by not in ("", "tags"):
        raise UsageError(f"--by is {by!r}, expected tags")
    run = score_run(list(dirs), items or ())
    found = scores(run)
    try:
        write_scores(run, found)
    except OSError as error:  # a folder that one may only read: the figures are shown all the same
        told = f"{SCORES_FILE} is not written: {error.strerror}: {error.filename}"
        talk().print(told, style="yellow", markup=False, soft_wrap=True)
    if not as_json:
        _print_scores(found, data(), by_tags=bool(by))
        return
    print(json.dumps(found, indent=1, ensure_ascii=False))
    for note in found["notes"]:
        talk().print(note, style="bold red", markup=False, soft_wrap=True)


def report(dirs: ManyRuns, out: Out, items: ItemsNow = None, images: DataNow = None, worst: Worst = 12) -> None:
    """Put runs side by side: report.html (one file to mail), report.md and report.json.

    The others are compared with the first run, item by item; those with --oracle
    show where its errors come from. Other items get a section of their own.
    """
    from ..core.progress import listening
    from ..evals.report.report import write_report
    from .progress_bar import shown_progress
    from .screen import data, talk

    command = shlex.join(["surveyor", "bench", "report", *map(str, dirs), "--out", str(out)])
    with shown_progress() as listener, listening(listener):
        made = write_report(dirs, out, items=items or (), data=images, most_worst=worst, command=command)
    for file in made.files:
        data().print(str(file), markup=False, soft_wrap=True)
    for note in made.left_out:
        talk().print(note, style="yellow", markup=False, soft_wrap=True)
    for note in made.notes:
        talk().print(note, style="bold red", markup=False, soft_wrap=True)


def _print_scores(found: dict[str, Any], screen: Any, *, by_tags: bool) -> None:
    from rich.text import Text

    from ..evals.report.report_words import FEW, reason_lines

    whole = not screen.is_terminal
    screen.print(Text(_headline(found), style="bold"), soft_wrap=whole)
    screen.print(Text(_statuses(found)), soft_wrap=whole)
    for line in reason_lines(found["reasons"]):
        screen.print(Text(f"  {line}", style="yellow"), soft_wrap=whole)
    for note in found["notes"]:
        screen.print(Text(note, style="bold red"), soft_wrap=whole)
    tables = [_metrics_table(name, track["metrics"]) for name, track in found["tracks"].items()]
    for table in [*tables, *_side_tables(found), *(_tag_tables(found) if by_tags else [])]:
        screen.print()
        screen.print(table)
    if by_tags and any(row["items"] < FEW for row in found["tags"]):
        screen.print(Text(f"\n† fewer than {FEW} items: such a figure says little", style="dim"), soft_wrap=whole)


def _headline(found: dict[str, Any]) -> str:
    from ..evals.report.report_words import version_words

    told = ", ".join(f"{role} {version_words(version)}" for role, version in found["settings"]["versions"].items())
    images = "1 image" if found["families"] == 1 else f"{found['families']:,} families of images"
    return f"{found['name']}: {found['task']}, {found['mode']}{f' ({told})' if told else ''}; {found['items']:,} item{'' if found['items'] == 1 else 's'} on {images}"  # fmt: skip  # noqa: E501


def _statuses(found: dict[str, Any]) -> str:
    ordered = sorted(found["statuses"].items(), key=lambda each: (each[0] != "answered", each[0]))
    return ", ".join(f"{n:,} {status}" for status, n in ordered) or "no items"


def _metrics_table(track: str, metrics: dict[str, Any]) -> Table:
    from ..evals.report.report_words import METRIC_WORDS, figure, headlines

    table = _table(track, "%", "95 %", "")
    for name in headlines(track, list(metrics)):
        table.add_row(name, figure(metrics[name]["value"], name), _limits(metrics[name], name), METRIC_WORDS.get(name, ""))  # fmt: skip  # noqa: E501
    return table


def _side_tables(found: dict[str, Any]) -> list[Table]:
    """The parser and the twins, where there is something to say."""
    from ..evals.report.report_words import METRIC_WORDS, figure

    tables = []
    for title, key, names in (
        ("parser", "parser", ("exact", "dropped", "understood")),
        ("twins", "contrast", ("contrast", "one_right")),
    ):
        metrics = found[key]
        if metrics is None:
            continue
        count = metrics["items" if key == "parser" else "pairs"]["value"]
        table = _table(f"{title} ({int(count):,} {'read' if key == 'parser' else 'pairs'})", "%", "95 %", "")
        for name in names:
            table.add_row(name, figure(metrics[name]["value"]), _limits(metrics[name], name), METRIC_WORDS[name])
        tables.append(table)
    return tables


def _tag_tables(found: dict[str, Any]) -> list[Table]:
    from rich.markup import escape

    from ..evals.report.report_words import FEW, figure, tag_words, telling

    track, first = next(iter(found["tracks"].items()))
    metrics = telling(track, list(first["metrics"]))
    tables: list[Table] = []
    group = None
    for row in found["tags"]:
        if row["group"] != group:
            group = row["group"]
            tables.append(_table(escape(f"{track} by {group}"), "items", *metrics, "", right=len(metrics) + 1))
        values = row["tracks"][track]
        figures = (figure(values[name], name) for name in metrics)
        few = row["items"] < FEW
        count = f"{row['items']:,}{' †' if few else ''}"
        words = escape(tag_words(row["tag"]))
        tables[-1].add_row(escape(row["tag"]), count, *figures, words, style="dim" if few else None)
    return tables


def _limits(metric: dict[str, Any], name: str) -> str:
    from ..evals.report.report_words import limits

    return "" if metric["low"] is None else limits(metric["low"], metric["high"], name)


def _table(title: str, *columns: str, right: int = 2) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(title, overflow="fold", style="cyan")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i < right else "left", no_wrap=i < right, overflow="fold")
    return table
