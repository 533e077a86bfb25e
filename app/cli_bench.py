"""`surveyor bench`: conditional benchmarks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_ask import Parser
from .cli_bench_datasets import EPILOG as DATASETS_EPILOG
from .cli_bench_datasets import datasets
from .cli_bench_export import EPILOG as EXPORT_EPILOG
from .cli_bench_export import export
from .cli_bench_inspect import EPILOG as INSPECT_EPILOG
from .cli_bench_inspect import inspect
from .cli_bench_report import REPORT_EPILOG, SCORE_EPILOG, report, score
from .cli_bench_suite import EPILOG as SUITE_EPILOG
from .cli_bench_suite import suite

if TYPE_CHECKING:
    from ..evals.bench.predict import How
    from ..evals.bench.runner import Ran, Standing

bench = typer.Typer(no_args_is_help=True, help="Benchmarks: conditional questions, and those of the field.")

ItemsFile = Annotated[
    Path, typer.Argument(metavar="ITEMS", help="Items file: one JSON object a line.", show_default=False)
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of the run; an unfinished run there goes on.", show_default=False)
]
Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the images. Default: that of ITEMS, else this one.")
]
Models = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="role=backend, by commas (see: surveyor models). Default: the built-in grounder=compact, "
        "segmenter=compact and change=compact.",
    ),
]
Oracle = Annotated[
    str, typer.Option(metavar="PARTS", help="Parts answered by the truth, by commas: parser, boxes, masks.")
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Instead of the agent: whole-class, no-condition, centre, largest; region-blind, no-change (RCD).",
    ),
]
Bands = Annotated[str, typer.Option(metavar="crisp|strict", help="How borderline geometry is judged.")]
Timeout = Annotated[float | None, typer.Option(metavar="S", help="Seconds that an item may take.")]
Through = Annotated[
    str,
    typer.Option(metavar="grounder|agent", help="What rec and res expressions are put to; the field: a grounder."),
]
Workers = Annotated[int, typer.Option(metavar="N", help="How many items at once: threads, or actors with --ray.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Only the first N items.")]
Shard = Annotated[str, typer.Option(metavar="K/N", help="Only part K of N, from 1/N to N/N.")]
Retry = Annotated[
    str, typer.Option(metavar="STATUSES", help="Ask again where it went wrong, by commas: failed,timeout.")
]
Ray = Annotated[
    str | None, typer.Option(metavar="auto|ADDRESS", help="Answer on a Ray cluster; auto starts one where none is.")
]
WorkerGpus = Annotated[float, typer.Option(metavar="N", help="GPUs that each actor holds, with --ray.")]
Cache = Annotated[bool, typer.Option("--cache", help="Use and keep results of single steps, as surveyor ask does.")]

BUILD_EXAMPLES = """Examples:

[bold]surveyor bench build crec --source synth:scenes --n 100 --out items.jsonl[/bold]

[bold]surveyor bench build rec --source 'dior_rsvg:DIOR_RSVG?split=test' --out items.jsonl[/bold]"""
_LINE_EVERY_S = 10.0
_MOST_REASONS = 5


@bench.callback()
def about() -> None:
    """Benchmarks: conditional questions and those of the field. Build items, answer them, score the answers."""


@bench.command(epilog=BUILD_EXAMPLES)
def build(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="Conditional: crec (boxes), cres (masks), rcd (change). As published: rec, res, gcg, vqa, caption, "
            "scene, change.",
            show_default=False,
        ),
    ],
    source: Annotated[
        list[str],
        typer.Option(
            metavar="NAME:FOLDER",
            help="Dataset and its options (?split=test&KEY=VALUE); synth draws one.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The items file.", show_default=False)],
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            help="How many items. Default: 1000 conditional ones; all published ones (a number: the first).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
    part: Annotated[
        str | None,
        typer.Option(metavar="dev|test", help="Only one side of the split by image family (conditional items)."),
    ] = None,
    colours: Annotated[
        bool, typer.Option("--colours", help="Ask for colours too (cres; read from the pixels).")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(metavar="N", help="Processes that share a build of 500 and more (crec, cres); the same items."),
    ] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an items file of other items; runs on those cannot go on.")
    ] = False,
) -> None:
    """Build items from annotated images: conditions whose answer is certain, with their twins that have none; or the
    questions that a published dataset asks, as they stand."""
    from ..core.errors import UsageError
    from ..core.progress import listening, noting
    from ..evals.construction.sources import CONDITIONAL, DEFAULT_N, TASKS, build_file
    from .progress_bar import shown_progress

    if task.upper() not in TASKS:
        raise UsageError(f"the task is {task!r}, expected one of: {', '.join(TASKS).lower()}")
    if part not in (None, "dev", "test"):
        raise UsageError(f"--part is {part!r}, expected dev or test")
    words = [f"--source {each}" for each in source] + ([f"--part {part}"] if part else [])
    words += ["--colours"] if colours else []
    n = DEFAULT_N if n is None and task.upper() in CONDITIONAL else n
    words += [f"--n {n}"] if n is not None else []
    command = f"surveyor bench build {task.lower()} {' '.join(words)} --seed {seed}"
    notes: list[str] = []
    with (
        _in_place_of(out, command, overwrite) as fresh,
        shown_progress() as listener,
        listening(listener),
        noting(notes),
    ):
        header, root = build_file(
            task.upper(),
            source,
            fresh,
            n=n,
            seed=seed,
            part=part,  # type: ignore[arg-type]
            colours=colours,
            workers=workers,
            command=command,
        )
    few = f" of {n:,}" if n is not None and header.admitted < n else ""
    _say(f"{header.admitted:,}{few} items in {out}; their images are in {root}")
    for text in notes:
        _say(text, "yellow")
    for reason, count in sorted(header.rejected.items(), key=lambda each: -each[1])[:_MOST_REASONS]:
        _say(f"  {count:,} not admitted: {reason}")


@contextmanager
def _in_place_of(out: Path, command: str, overwrite: bool) -> Iterator[Path]:
    """A file beside `out` that takes its place at the end, where that is free, the same, or may be overwritten.

    Raises:
        UsageError: `out` holds something else; told before anything is built where its header shows it.
    """
    from ..core.errors import SurveyorError, UsageError
    from ..evals.bench.items import read_header

    other = "runs on its items could not go on or be scored any more; give another --out, or --overwrite"
    if out.is_dir():
        raise UsageError(f"--out is {str(out)!r}, a folder; expected a file, for example {str(out / 'items.jsonl')!r}")
    if out.exists() and not overwrite:
        try:
            built_by = read_header(out).command
        except SurveyorError:
            raise UsageError(f"{str(out)!r} is there and no items file; give another --out, or --overwrite") from None
        if built_by != command:
            raise UsageError(f"{str(out)!r} was built by another command ({built_by}); {other}")
    fresh = out.with_name(f"{out.name}.fresh")
    try:
        yield fresh
        if out.exists() and not overwrite and out.read_bytes() != fresh.read_bytes():
            raise UsageError(f"{str(out)!r} holds other items than this command builds now; {other}")
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


@bench.command(epilog="Example:  [bold]surveyor bench run items.jsonl --oracle parser,boxes --out runs/oracle[/bold]")
def run(
    items: ItemsFile,
    out: Out,
    models: Models = None,
    data: Data = None,
    oracle: Oracle = "",
    baseline: Baseline = None,
    parser: Parser = "auto",
    bands: Bands = "crisp",
    timeout: Timeout = None,
    through: Through = "grounder",
    workers: Workers = 1,
    limit: Limit = None,
    shard: Shard = "1/1",
    retry: Retry = "",
    ray: Ray = None,
    worker_gpus: WorkerGpus = 0.0,
    cache: Cache = False,
) -> None:
    """Answer the items of a benchmark; goes on where an earlier call stopped."""
    from ..core.progress import noting
    from ..evals.bench.runner import run as run_items
    from .exits import INTERRUPTED, RUN_FAILED

    how = _how(oracle, baseline, parser, bands, timeout, through)
    try:
        with _shown() as listener, noting(_Aloud()):
            ran = run_items(
                items,
                out,
                models=models,
                how=how,
                root=data,
                workers=workers,
                limit=limit,
                shard=_shard(shard),
                retry=_listed(retry),
                ray=ray,
                worker_gpus=worker_gpus,
                cache=cache,
                progress=listener,
            )
    except KeyboardInterrupt:
        told = f"interrupted: what was answered is kept in {out}/; the same command goes on"
        _say(told, "yellow")
        raise typer.Exit(INTERRUPTED) from None
    _say(_told(ran, how, out))
    _say_why(ran, out)
    if ran.total and ran.statuses.get("failed", 0) == ran.done:
        told = f"failed: every item; see what they say in {out}/predictions.jsonl"
        _say(told, "bold red")
        raise typer.Exit(RUN_FAILED)


def _how(oracle: str, baseline: str | None, parser: str, bands: str, timeout: float | None, through: str) -> How:
    from ..evals.bench.predict import how_of

    return how_of(
        {"oracle": _listed(oracle), "baseline": baseline, "parser": parser, "bands": bands, "timeout_s": timeout,
         "through": through}
    )  # fmt: skip


class _Aloud(list[str]):
    """Notes that are said when they come."""

    def append(self, text: str) -> None:
        super().append(text)
        _say(text, "yellow")


def _say_why(ran: Ran, out: Path) -> None:
    """Why items have no answer, where some have none."""
    from ..evals.bench.predictions import reasons
    from ..evals.bench.store import read_predictions
    from ..evals.report.report_words import reason_lines

    if _wrong(ran.statuses):
        for line in reason_lines(reasons(read_predictions(out))):
            _say(f"  {line}")


def _say(text: str, style: str = "dim") -> None:
    """Says a line. Paths and names stand as they are: what looks like markup in them is none."""
    from .screen import talk

    talk().print(text, style=style, markup=False, soft_wrap=True)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _shard(text: str) -> tuple[int, int]:
    from ..core.errors import UsageError

    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None:
        raise UsageError(f"--shard is {text!r}, expected K/N, for example 1/4")
    return int(found[1]), int(found[2])


# ---- what is shown --------------------------------------------------------------------------------------------


@contextmanager
def _shown() -> Iterator[Callable[[Standing], None]]:
    """Gives a listener that shows how far the run is: one line that is renewed on a terminal, else one now and then."""
    from rich.live import Live
    from rich.text import Text

    from .screen import talk

    screen = talk()
    if screen.is_terminal:
        with Live(Text(""), console=screen, transient=True, refresh_per_second=4) as live:
            yield lambda standing: live.update(Text(_line(standing), no_wrap=True, overflow="ellipsis"))
        return
    last = time.monotonic()

    def listener(standing: Standing) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_S and standing.done < standing.total:
            screen.print(_line(standing), markup=False, soft_wrap=True)
            last = time.monotonic()

    yield listener


def _line(standing: Standing) -> str:
    """One line: "1,240 of 10,000 items, 35.2 a second, 4 min left, 3 failed"."""
    parts = [f"{standing.done:,} of {standing.total:,} items"]
    if standing.rate is not None and standing.left_s is not None:
        parts += [f"{standing.rate:.3g} a second", f"{_duration(standing.left_s)} left"]
    return ", ".join([*parts, *_wrong(standing.statuses)])


def _wrong(statuses: object) -> list[str]:
    counts = dict(statuses)  # type: ignore[call-overload]
    return [f"{counts[name]:,} {name}" for name in ("unreadable", "failed", "refused", "timeout") if counts.get(name)]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _told(ran: Ran, how: How, out: Path) -> str:
    rate = f" in {_duration(ran.seconds)} ({ran.new / max(ran.seconds, 1e-6):.3g} a second)" if ran.new else ""
    new = f"{ran.new:,} new{rate}" if ran.new else "nothing was left to do"
    return f"{how.mode}: " + "; ".join([f"{ran.done:,} of {ran.total:,} items in {out}/", new, *_wrong(ran.statuses)])


bench.command(epilog=SCORE_EPILOG)(score)
bench.command(epilog=REPORT_EPILOG)(report)
bench.command(epilog=INSPECT_EPILOG)(inspect)
bench.command(epilog=EXPORT_EPILOG)(export)
bench.command(epilog=SUITE_EPILOG)(suite)
bench.command(epilog=DATASETS_EPILOG)(datasets)
