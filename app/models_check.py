"""`surveyor models check`: looks through a checkpoint, loads the model, asks it something, tells the outcome."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from ..core.errors import UsageError
from .models_pull import count_in_words, folder_in_words, size_in_words
from .models_smoke import Finding, try_model

_ORDER = ("class", "parameters", "dtype", "device", "dialect", "coordinates", "tokens/s")
_DECLARED = "coordinates"


@dataclass
class Outcome:
    """What is told of one model: rows of (name, value), then findings."""

    usage: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the request failed, or contradicted what the model declares."""
        return any(finding.state == "bad" for finding in self.findings)


def check_and_tell(spec: str) -> None:
    """Checks each model that the spec names and prints a table for each.

    Raises:
        UsageError: the spec or a checkpoint is at fault; nothing was loaded.
        typer.Exit: with 1 when a request failed.
    """
    from ..core.progress import listening
    from ..tools.models.spec import load_models
    from .progress_bar import shown_progress

    entries = _entries(spec)
    checkpoints = {role: _checkpoint_rows(backend, argument) for role, (backend, argument) in entries.items()}
    models = load_models(spec)
    failed = False
    for role, (backend, argument) in entries.items():
        outcome = Outcome(f"{role}={backend}" + (f":{argument}" if argument else ""), checkpoints[role])
        with shown_progress() as listener, listening(listener):
            examine(role, getattr(models, role), outcome)
        _print(outcome)
        failed = failed or outcome.failed
    if failed:
        raise typer.Exit(1)


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


def _entries(spec: str) -> dict[str, tuple[str, str]]:
    """Role -> (backend, argument) of a spec; what is wrong in it otherwise, `load_models` tells."""
    entries: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip(" ,") for part in re.split(r",\s*(?=\w+\s*=)", spec))):
        role, _, value = (part.strip() for part in entry.partition("="))
        backend, _, argument = value.partition(":")
        entries[role] = (backend, argument)
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
