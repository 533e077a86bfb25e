"""`surveyor models check`: looks through a checkpoint, loads the model, asks it something, tells the outcome."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import typer

from ..core.errors import MissingDependency, SurveyorError, ToolFailed, UsageError
from .models_pull import count_in_words, folder_in_words, size_in_words
from .models_smoke import Finding, try_model

_ORDER = ("class", "parameters", "dtype", "device", "dialect", "coordinates", "tokens/s")
_DECLARED = "coordinates"


@dataclass(frozen=True)
class Entry:
    """One model of a spec: `text` is "role=backend:argument"."""

    text: str
    role: str
    backend: str
    argument: str


@dataclass
class Outcome:
    """What is told of one model: rows of (name, value), then findings; `stopped` is what ended its check early."""

    usage: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    stopped: Exception | None = None

    @property
    def failed(self) -> bool:
        """Whether the request failed, or contradicted what the model declares."""
        return any(finding.state == "bad" for finding in self.findings)


def check_and_tell(spec: str) -> None:
    """Checks each model that the spec names and prints a table for each; one that cannot be checked stops no other.

    Raises:
        UsageError, MissingDependency, ToolFailed: the only model cannot be checked, and why; of several, which cannot
            (why is printed with each), of the kind with the highest exit code.
        typer.Exit: with 1 when a request failed.
    """
    from ..core.progress import listening
    from .progress_bar import shown_progress

    entries = _entries(spec)
    outcomes = {role: Outcome(each.text) for role, each in entries.items()}
    models: dict[str, Any] = {}
    for role, each in entries.items():
        with _stopping(outcomes[role], alone=len(entries) == 1):
            models[role] = _made(each, outcomes[role])
    for role, outcome in outcomes.items():
        if role in models:
            with _stopping(outcome, alone=len(entries) == 1), shown_progress() as listener, listening(listener):
                examine(role, models[role], outcome)
        _print(outcome)
    stopped = {role: outcome.stopped for role, outcome in outcomes.items() if outcome.stopped is not None}
    if stopped:
        _raise_worst(stopped, len(outcomes))
    if any(outcome.failed for outcome in outcomes.values()):
        raise typer.Exit(1)


def _made(entry: Entry, outcome: Outcome) -> Any:
    """The model, not loaded yet, after a look through its checkpoint's files."""
    from ..tools.models.spec import load_models

    outcome.rows += _checkpoint_rows(entry.backend, entry.argument)
    return getattr(load_models(entry.text), entry.role)


@contextmanager
def _stopping(outcome: Outcome, *, alone: bool) -> Iterator[None]:
    """Puts an error that ends the check of this model into its outcome; of the only model, it goes on as it is."""
    try:
        yield
    except (SurveyorError, OSError, MemoryError) as error:
        if alone:
            raise
        outcome.stopped = error
        outcome.findings.append(Finding("bad", "not checked", str(error) or "out of memory"))


def _raise_worst(stopped: Mapping[str, Exception], count: int) -> NoReturn:
    usage = [error for error in stopped.values() if isinstance(error, (UsageError, MissingDependency))]
    text = f"{len(stopped)} of {count} models could not be checked: {', '.join(stopped)}; why is told with each"
    if usage:
        raise UsageError(text) from usage[0]
    raise ToolFailed(text) from next(iter(stopped.values()))


def examine(role: str, model: Any, outcome: Outcome) -> None:
    """Loads the model, asks it, and adds what is to be told to the outcome."""
    from ..core.budget import Meter, metering
    from ..core.progress import noting

    before, on_gpu = memory_bytes(), gpu_bytes()
    notes: list[str] = []
    with noting(notes), metering(Meter()) as meter:
        started = time.perf_counter()
        load = getattr(model, "load", None)
        if callable(load):
            load()
        loaded = time.perf_counter()
        outcome.findings += try_model(role, model, lambda: _report_of(model).get(_DECLARED))
        asked = time.perf_counter()
    report = _report_of(model)
    outcome.rows.append(("class", report.get("class") or type(model).__name__))
    outcome.rows += [(name, report[name]) for name in _ORDER[1:-1] if report.get(name)]
    if callable(load):
        outcome.rows.append(("load", f"{loaded - started:.1f} s"))
    outcome.rows.append(("request" if callable(load) else "load and request", f"{asked - loaded:.1f} s"))
    outcome.rows += _memory_rows(before, on_gpu)
    if report.get(_ORDER[-1]):
        outcome.rows.append((_ORDER[-1], report[_ORDER[-1]]))
    elif meter.tokens:
        outcome.rows.append(("tokens", f"{meter.tokens:,} read and written"))
    outcome.rows += [(name, value) for name, value in report.items() if name not in _ORDER and value]
    outcome.findings += [Finding("doubt", "note", note) for note in notes]


def memory_bytes() -> tuple[int, int] | None:
    """What this process holds in memory now and held at most, bytes; None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return _peak_only()
    told = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS:", "VmHWM:"))}
    return (told["VmRSS"], told["VmHWM"]) if len(told) == 2 else None


def gpu_bytes() -> int | None:
    """What torch holds on all GPUs, bytes; None where torch was not loaded or there is no GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return sum(int(torch.cuda.memory_allocated(number)) for number in range(torch.cuda.device_count()))


def _peak_only() -> tuple[int, int] | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, peak


def _memory_rows(before: tuple[int, int] | None, on_gpu: int | None) -> list[tuple[str, str]]:
    rows = []
    now = memory_bytes()
    if before is not None and now is not None:
        told = f"{size_in_words(before[0])} before, {size_in_words(now[0])} now, {size_in_words(now[1])} at most"
        rows.append(("memory", told))
    gpu = gpu_bytes()
    if gpu is not None:
        rows.append(("GPU memory", f"{size_in_words(on_gpu or 0)} before, {size_in_words(gpu)} now"))
    return rows


def _report_of(model: Any) -> Mapping[str, str]:
    report = getattr(model, "check_report", None)
    return {str(key): str(value) for key, value in report().items()} if callable(report) else {}


def _entries(spec: str) -> dict[str, Entry]:
    """The entries of a spec by role; what is wrong in one, `load_models` tells."""
    entries: dict[str, Entry] = {}
    for text in filter(None, (part.strip(" ,") for part in re.split(r",\s*(?=\w+\s*=)", spec))):
        role, _, value = (part.strip() for part in text.partition("="))
        if role in entries:
            raise UsageError(f"the role {role!r} is given twice in {spec!r}; give it once")
        backend, _, argument = value.partition(":")
        entries[role] = Entry(text, role, backend, argument)
    if not entries:
        raise UsageError(f"{spec!r} names no model; expected role=backend, for example grounder=compact")
    return entries


def _checkpoint_rows(backend: str, argument: str) -> list[tuple[str, str]]:
    """What the checkpoint's files tell, for backends that load one. Raises UsageError with all that is wrong there."""
    from ..tools.models.hub import ADAPTER, QWEN_VL, SAM2, SAM2_NATIVE, check_adapter, check_folder, locate
    from ..tools.models.options import split_options
    from ..tools.models.qwen2vl.settings import Checkpoint

    kinds = {"qwen2vl": QWEN_VL, "sam2": (*SAM2, SAM2_NATIVE), "hf": ()}.get(backend)
    source, _ = split_options(argument)
    if kinds is None or not source:
        return []
    adapters: dict[str, str] = {}
    if backend == "qwen2vl":
        if not Path(source).expanduser().is_dir():
            for part in (part for part in source.split("+") if Path(part).expanduser().is_file()):
                check_folder(part).demand(*kinds)  # tells that it is a file, and of which folder
        named = Checkpoint.of(source)
        path, adapters = locate(named.source, named.revision), named.adapters
    elif (path := Path(source).expanduser()).exists():
        if backend == "hf" and path.is_file():
            return []  # GGUF: a form of its own
    elif backend == "hf":
        return []  # a name on the hub: fetched when the model loads
    else:
        name, _, revision = source.partition("@")
        path = locate(name, revision or None)
    held = check_folder(path).demand(*kinds)
    rows = [("checkpoint", str(held.path)), ("holds", folder_in_words(held))]
    for task, folder in adapters.items():
        trained = check_folder(folder).demand(ADAPTER)
        check_adapter(trained, held)
        told = f"{folder}: {count_in_words(trained.parameters or 0)} parameters"
        rows.append(("adapter", f"{told}, for {task}" if task else told))
    return rows


def _print(outcome: Outcome) -> None:
    from rich.table import Table
    from rich.text import Text

    from .answer_table import FANCY
    from .screen import can_show, data

    console = data()
    fancy = can_show(console, "✓✗")
    signs = {
        "fine": (FANCY[True][0] if fancy else "ok", "green"),
        "doubt": ("?", "yellow"),
        "bad": (FANCY[False][0] if fancy else "BAD", "bold red"),
    }
    console.print(Text(outcome.usage, style="bold"), soft_wrap=True)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=3)
    table.add_column(width=17)
    table.add_column(overflow="fold")
    for name, value in outcome.rows:
        declared = " (declared)" if name == _DECLARED else ""
        table.add_row("", Text(name), Text(f"{value}{declared}"))
    for finding in outcome.findings:
        sign, style = signs[finding.state]
        table.add_row(Text(sign, style=style), Text(finding.what), Text(finding.text, style=style))
    console.print(table)
    console.print()
