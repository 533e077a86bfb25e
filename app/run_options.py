"""Options of commands that run something, and what happens around a kept run: questions, Ctrl-C, how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..agent.answer import Answer
    from ..core.errors import NeedsAnswer

_PANEL = "Running"
RunId = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the run (see: surveyor runs). Default: time.", rich_help_panel=_PANEL),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Use no results of earlier runs.", rich_help_panel=_PANEL)]
MaxSeconds = Annotated[
    float | None, typer.Option(metavar="S", help="Stop after this time; keep what was done.", rich_help_panel=_PANEL)
]
MaxCalls = Annotated[
    int | None, typer.Option(metavar="N", help="Stop when models were asked this often.", rich_help_panel=_PANEL)
]
MaxTokens = Annotated[
    int | None,
    typer.Option(metavar="N", help="Stop when language models used so many tokens.", rich_help_panel=_PANEL),
]
OnAmbiguous = Annotated[
    str,
    typer.Option(
        metavar="all|largest|nearest|ask|error",
        help="When 'the river' could be any of several: count any, take one, ask, or refuse.",
        rich_help_panel=_PANEL,
    ),
]
Confirm = Annotated[
    int | None,
    typer.Option(metavar="TILES", help="Ask before looking at more tiles of 1,024 px.", rich_help_panel=_PANEL),
]


@contextmanager
def kept_run(name: str | None) -> Iterator[str | None]:
    """The name under which the command's run is kept; None when there is no place to keep it and none was asked for.

    Ctrl-C leaves the block with the name on the exception, so that the last line can tell how to go on.
    """
    from ..agent.store_runs import Runs, new_run_id, runs_place
    from ..core.errors import MissingDependency, UsageError

    runs = Runs(runs_place())
    try:
        runs.check()
    except (UsageError, MissingDependency) as error:
        if name is not None:
            raise
        from .screen import talk

        talk().print(f"the run is not kept: {error}", style="dim", soft_wrap=True)
        yield None
        return
    run_id = name or new_run_id()
    try:
        yield run_id
    except KeyboardInterrupt as stop:
        if runs.knows(run_id):
            stop.run_id = run_id  # type: ignore[attr-defined]
        raise


def answered(work: Callable[[], Answer], resume: Callable[[str, str], Answer]) -> Answer:
    """The work's answer. Questions on the way are put to the person at the terminal.

    Args:
        work: may raise `NeedsAnswer`.
        resume: called with the run's name and the reply.
    """
    from ..core.errors import NeedsAnswer

    while True:
        try:
            return work()
        except NeedsAnswer as wait:
            reply, run_id = _reply(wait), wait.run_id

            def work(run_id: str = run_id, reply: str = reply) -> Answer:
                return resume(run_id, reply)


def _reply(wait: NeedsAnswer) -> str:
    from .exits import WAITING
    from .screen import talk

    question = wait.question
    talk().print(question.text, style="bold", soft_wrap=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        talk().print(f"answers: {', '.join(question.options)}", soft_wrap=True)
        talk().print(f"the run waits; answer with: surveyor resume {wait.run_id} --answer ANSWER", soft_wrap=True)
        raise typer.Exit(WAITING)
    for number, option in enumerate(question.options, start=1):
        talk().print(f"  {number}  {option}")
    while True:
        given = str(typer.prompt("which", err=True)).strip()
        if given in question.options:
            return given
        if given.isdigit() and 1 <= int(given) <= len(question.options):
            return question.options[int(given) - 1]
        talk().print(f"one of: {', '.join(question.options)}; or its number")


def running(
    run_id: str | None,
    no_cache: bool,
    max_seconds: float | None,
    max_calls: int | None,
    max_tokens: int | None,
    on_ambiguous: str,
    confirm: int | None,
) -> dict[str, Any]:
    """The options as arguments of `agent.run.ask` and `run`."""
    return {
        "run_id": run_id,
        "cache": not no_cache,
        "max_seconds": max_seconds,
        "max_model_calls": max_calls,
        "max_tokens": max_tokens,
        "on_ambiguous": on_ambiguous,
        "confirm_tiles": confirm,
    }
