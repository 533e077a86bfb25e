"""From an exception to one clear line on stderr and an exit code, by who must act."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from ..core.errors import MissingDependency, QueryError, SurveyorError, UsageError

RUN_FAILED = 1
USAGE = 2
WAITING = 3
INTERRUPTED = 130
READER_LEFT = 141
"""As shells report a program that wrote to a closed pipe."""


def exit_code_for(error: BaseException, *, debug: bool = False) -> int:
    """Tells the error on stderr and returns the exit code."""
    if isinstance(error, BrokenPipeError):
        _forget_stdout()
        return READER_LEFT
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        run_id = getattr(error, "run_id", None)
        on = f"what was done is kept; go on with: surveyor resume {run_id}" if run_id else "nothing more was written"
        _tell(f"interrupted: {on}", style="yellow")
        return INTERRUPTED
    if debug:
        traceback.print_exception(error)
    if isinstance(error, QueryError):
        _tell(f"error: {error}", style="red")
        _tell_pointer(error)
        return USAGE
    if isinstance(error, (UsageError, MissingDependency)):
        _tell(f"error: {error}", style="red")
        return USAGE
    if isinstance(error, SurveyorError):
        _tell(f"failed: {error}", style="red")
        return RUN_FAILED
    if isinstance(error, OSError):
        return _tell_system_error(error)
    if isinstance(error, MemoryError):
        _tell("failed: out of memory; close other programs or cut the image into parts", style="red")
        return RUN_FAILED
    if hasattr(error, "format_message"):  # the option parser's own errors
        command = getattr(getattr(error, "ctx", None), "command_path", "surveyor")
        _tell(f"error: {error.format_message()} (see: {command} --help)", style="red")
        return USAGE
    kind = f"{type(error).__name__}: {error}"
    _tell(f"a bug in surveyor: {kind}. Please report it with the output of: surveyor --debug …", style="red")
    return RUN_FAILED


def _tell_system_error(error: OSError) -> int:
    place = f"{error.filename}: " if error.filename else ""
    _tell(f"failed: {place}{error.strerror or _one_line(str(error))}", style="red")
    return RUN_FAILED


def _tell_pointer(error: QueryError) -> None:
    """The query with the words in trouble underlined, cut to the width of the terminal around the first of them."""
    from .screen import query_with_carets, talk

    if error.spans:
        talk().print(query_with_carets(error.query, error.spans, talk().width), soft_wrap=True)


def _tell(line: str, *, style: str) -> None:
    from rich.text import Text

    from .screen import talk

    head, colon, rest = _one_line(line).partition(":")
    talk().print(Text.assemble((head + colon, f"bold {style}"), rest), soft_wrap=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _forget_stdout() -> None:
    """Nothing more can be written there; keeps the interpreter from complaining when it closes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
