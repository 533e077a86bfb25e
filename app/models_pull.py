"""`surveyor models pull`: fetches a model, shows how far it is, and says what to write next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..tools.models.hub import FolderReport, Pulled


def pull_and_tell(id: str, revision: str | None, to: Path | None, *, debug: bool = False) -> None:
    """Fetches the model and prints where it is.

    Raises:
        typer.Exit: with 2 or 1 when it cannot be had, after the steps to copy it by hand were told on stderr; with 1
            when what the hub holds is not whole.
    """
    from rich.text import Text

    from ..core.errors import ToolFailed, UsageError
    from ..core.progress import listening
    from ..tools.models.hub import HubDown, NotPulled, pull
    from .exits import exit_code_for
    from .progress_bar import shown_progress
    from .screen import talk

    console = talk()
    try:
        with shown_progress() as listener, listening(listener):
            pulled = pull(id, revision=revision, to=to)
    except (NotPulled, HubDown) as error:
        plain = UsageError(error.reason) if isinstance(error, NotPulled) else ToolFailed(error.reason)
        code = exit_code_for(plain.with_traceback(error.__traceback__), debug=debug)
        for line in error.by_hand.lines():
            console.print(Text(line), soft_wrap=True)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        console.print(Text("whole files are kept; the same command fetches the rest", style="dim"))
        raise
    if pulled.note:
        console.print(Text(f"note: {pulled.note}", style="yellow"), soft_wrap=True)
    _print(id, to, pulled)
    if pulled.report.faults:
        console.print(Text(f"what the hub holds is not whole: {'; '.join(pulled.report.faults)}", style="red"))
        raise typer.Exit(1)


def _print(id: str, to: Path | None, pulled: Pulled) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..tools.models.hub import QWEN_VL, SAM2, SAM2_NATIVE, spec_for
    from .screen import data

    report = pulled.report
    state = f" at {pulled.commit[:12]}" if pulled.commit else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("model", Text(f"{id}{state}"))
    table.add_row("folder", Text(str(pulled.folder)))
    table.add_row("holds", Text(folder_in_words(report)))
    readable = report.kind in (*QWEN_VL, *SAM2, SAM2_NATIVE) or report.architecture.endswith("ForCausalLM")
    if readable:
        source = str(to) if to is not None else id
        if report.path.is_file():
            source = str(report.path)
        spec = spec_for(report.kind, source)
        table.add_row("try it", Text(f"surveyor models check {spec}"))
        table.add_row("use it", Text(f'surveyor ask IMAGE "QUERY" --models {spec}'))
    else:
        table.add_row("use it", Text(f"no backend of surveyor reads a {report.kind!r} model (see: surveyor models)"))
    data().print(table)


def folder_in_words(report: FolderReport) -> str:
    """ "qwen2_vl (Qwen2VLForConditionalGeneration), 2 files, 4.42 GB, 2.21 B parameters, bfloat16"."""
    parts = [report.kind or "unknown kind"]
    if report.architecture:
        parts[0] += f" ({report.architecture})"
    if report.base is not None:
        parts[0] += f" of {report.base}"
    parts.append(f"{len(report.weights)} file{'' if len(report.weights) == 1 else 's'}")
    parts.append(size_in_words(report.size_bytes))
    if report.parameters is not None:
        parts.append(f"{count_in_words(report.parameters)} parameters")
        parts.append(" and ".join(report.types))
    return ", ".join(parts)


def size_in_words(size_bytes: float) -> str:
    """ "4.42 GB".

    Example:
        >>> size_in_words(4_881_416)
        '4.9 MB'
    """
    if abs(size_bytes) >= 1e9:
        return f"{size_bytes / 1e9:.2f} GB"
    return f"{size_bytes / 1e6:.1f} MB" if abs(size_bytes) >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def count_in_words(count: int) -> str:
    """ "2.21 B".

    Example:
        >>> count_in_words(1_218_304)
        '1.2 M'
    """
    if count >= 1e9:
        return f"{count / 1e9:.2f} B"
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count:,}"
