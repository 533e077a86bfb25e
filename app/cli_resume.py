"""`surveyor resume` and `surveyor runs`: take up a run where it stood; see which there are."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_ask import Json, Models, Out, finish
from .cli_run import ToolsFile
from .run_options import MaxCalls, MaxSeconds, MaxTokens, answered

if TYPE_CHECKING:
    from ..agent.answer import Answer
    from ..agent.store_runs import RunRecord

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its name, see: surveyor runs.", show_default=False)]


def resume(
    run_id: RunName,
    answer: Annotated[
        str | None, typer.Option(metavar="ANSWER", help="To the question for which the run waits.")
    ] = None,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="Where the image is now, if it moved.")] = None,
    models: Models = None,
    out: Out = None,
    json_: Json = False,
    tools: ToolsFile = None,
    max_seconds: MaxSeconds = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
) -> None:
    """Take up a run where it stood: after Ctrl-C, a crash, a used-up budget or a question.

    Example:  surveyor resume 20260131-142530-9f3a1c --answer river-2
    """
    from ..agent.run import resume as resume_run
    from ..tools.toolbox import tools_of_file
    from .progress_bar import shown_progress

    def again(name: str, reply: str | None) -> Answer:
        with shown_progress() as listener:
            return resume_run(
                name,
                answer=reply,
                image=image,
                models=models,
                out=out,
                max_seconds=max_seconds,
                max_model_calls=max_calls,
                max_tokens=max_tokens,
                progress=listener,
                tools=() if tools is None else tools_of_file(tools),
            )

    found = answered(lambda: again(run_id, answer), again)
    finish(found, _place_of(run_id) if out is None else out, as_json=json_)


def runs(
    limit: Annotated[int, typer.Option(metavar="N", help="How many, newest first.")] = 20,
    delete: Annotated[str | None, typer.Option(metavar="RUN", help="Forget a run.")] = None,
    json_: Json = False,
) -> None:
    """List the runs that were kept: what was asked, how it ended, what waits for an answer.

    Example:  surveyor runs --limit 5
    """
    from ..agent.graph_call import forget
    from ..agent.store_runs import Runs, runs_place

    kept = Runs(runs_place())
    if delete is not None:
        forget(kept, delete)
        return
    found = kept.all(limit)
    alive = {record.run_id for record in found if record.status == "running" and kept.is_at_work(record.run_id)}
    if json_:
        sys.stdout.write(json.dumps([_as_json(record, alive) for record in found], ensure_ascii=False) + "\n")
    else:
        _print(found, alive)


def _place_of(run_id: str) -> Path | None:
    """The folder that the run wrote to, if any."""
    from ..agent.store_runs import Runs, runs_place

    place = Runs(runs_place()).get(run_id).call["out"]
    return None if place is None else Path(place)


def _status(record: RunRecord, alive: set[str]) -> str:
    """What a person is told; a run that nobody is at any more was killed."""
    return "killed" if record.status == "running" and record.run_id not in alive else record.status


def _as_json(record: RunRecord, alive: set[str]) -> dict[str, Any]:
    return {
        "run": record.run_id,
        "status": _status(record, alive),
        "made": record.made,
        "changed": record.changed,
        "query": record.query,
        "image": record.image,
        "question": record.question,
        "said": record.said,
    }


_STYLES = {
    "done": "green",
    "failed": "red",
    "killed": "red",
    "waiting": "yellow",
    "stopped": "yellow",
    "running": "cyan",
}


def _ago(made: float) -> str:
    """ "5 min ago"."""
    seconds = max(0.0, time.time() - made)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _print(found: list[RunRecord], alive: set[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from .screen import data, talk

    if not found:
        talk().print("no run was kept yet", style="dim")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("run", "when", "status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("asked, and what was said", overflow="fold")
    for record in found:
        status = _status(record, alive)
        asked = Text(f"{record.query or 'a plan'}  ({Path(record.image).name or 'pixels in memory'})")
        if record.said:
            asked.append(f"\n{record.said[:77] + '...' if len(record.said) > 80 else record.said}", style="dim")
        table.add_row(record.run_id, _ago(record.made), Text(status, style=_STYLES[status]), asked)
    data().print(table)
    if any(_status(record, alive) not in ("done", "running") for record in found):
        talk().print("go on with one: surveyor resume RUN", style="dim")
