"""Which runs of a report make a waterfall together, and the waterfall as plain data."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ..scores.bootstrap import DRAWS, differences
from .report_words import telling
from .scoring import Run
from .waterfall import PLAYERS, Parts, Waterfall, waterfall

PART_WORDS = {"RCD": {"boxes": "changed parts (oracle boxes)"}}
"""Task -> what a part is called there."""


def order_of(task: str, runs: Sequence[Run]) -> tuple[str, ...]:
    """The parts of a task that the truth can stand for: those known, else those that the runs name."""
    if task in PLAYERS:
        return PLAYERS[task]
    seen = {part for run in runs for part in run.settings.how.oracle}
    return tuple(sorted(seen, key=lambda part: (part != "parser", part)))


def is_ablation(full: Run, other: Run) -> bool:
    """Whether a run differs from a full one only in what the truth answers.

    Items, rules (`--bands`, `--timeout`) and, for what both ask, the parser and the models must be the same. The
    program may be another: that is noted where it is.
    """
    one, two = full.settings, other.settings
    if two.how.baseline is not None or {item.id for item in full.items} != {item.id for item in other.items}:
        return False
    if (one.how.bands, one.how.timeout_s) != (two.how.bands, two.how.timeout_s):
        return False
    if one.how.reads and two.how.reads and one.how.parser != two.how.parser:
        return False
    written = [_roles(each.models) for each in (one, two)]
    return all(
        one.versions[role] == two.versions[role] and written[0].get(role) == written[1].get(role)
        for role in one.versions.keys() & two.versions.keys()
    )


def waterfalls(runs: Sequence[Run], names: Sequence[str], *, draws: int = DRAWS) -> list[dict[str, Any]]:
    """One for each full run and each telling metric of the first track."""
    task = runs[0].header.task
    order = order_of(task, runs)
    if not order:
        return []
    found = []
    for full, name in zip(runs, names, strict=True):
        if full.settings.how.mode != "full":
            continue
        by_parts: dict[Parts, tuple[Run, str]] = {}
        for run, run_name in [(full, name), *zip(runs, names, strict=True)]:
            if run is full or is_ablation(full, run):
                parts = frozenset(run.settings.how.oracle) & frozenset(order)
                if run is full or parts:
                    by_parts.setdefault(parts, (run, run_name))
        found += [each for metric in _metrics(full) if (each := _data(full, name, by_parts, order, metric, draws))]
    return found


def _metrics(run: Run) -> tuple[str, ...]:
    track, table = next(iter(run.tables.items()))
    return telling(track, list(table.values()))


def _data(
    full: Run, name: str, by_parts: dict[Parts, tuple[Run, str]], order: tuple[str, ...], metric: str, draws: int
) -> dict[str, Any] | None:
    values = {parts: run.main.values()[metric] for parts, (run, _) in by_parts.items()}
    figures = {parts: value for parts, value in values.items() if value is not None}
    if frozenset() not in figures:
        return None
    fall = waterfall(figures, order)
    programs = {run.settings.program for run, _ in by_parts.values()}
    unfinished = [run_name for run, run_name in by_parts.values() if run.missing]
    return {
        "run": name,
        "metric": metric,
        "order": list(order),
        "names": PART_WORDS.get(full.header.task, {}),
        "full": fall.full,
        "shares": _shares(fall, by_parts, metric, draws),
        "unsplit": list(fall.unsplit),
        "average": None if fall.average is None else dict(fall.average),
        "alone": dict(fall.alone),
        "runs": {" and ".join(sorted(parts)) or "full": run_name for parts, (_, run_name) in by_parts.items()},
        "missing": [
            {"parts": list(parts), "command": command_of(full, parts, f"{full.folders[0]}-oracle-{'-'.join(parts)}")}
            for parts in fall.missing
        ],
        "notes": [f"unfinished: {', '.join(unfinished)}"] * bool(unfinished)
        + ["the runs were made by different states of the program"] * (len(programs) > 1),
    }


def _shares(fall: Waterfall, by_parts: dict[Parts, tuple[Run, str]], metric: str, draws: int) -> list[dict[str, Any]]:
    """The steps with their intervals, on the same draws of families; what is left has none of its own."""
    shares = []
    done: tuple[str, ...] = ()
    for share in fall.shares:
        low = high = None
        if share.parts:
            before, after = by_parts[frozenset(done)][0], by_parts[frozenset((*done, *share.parts))][0]
            gap = differences(after.main, before.main, draws=draws)[metric]
            low, high = gap.low, gap.high
            done += share.parts
        figures = {"start": share.start, "stop": share.stop, "value": share.value}
        shares.append({"parts": list(share.parts), **figures, "low": low, "high": high})
    return shares


def command_of(run: Run, oracle: Sequence[str], out: str) -> str:
    """The command that makes an ablation of a run."""
    settings = run.settings
    words = ["surveyor", "bench", "run", str(run.items_path), "--data", str(run.root)]
    words += ["--models", settings.models] if settings.models not in ("", "objects") else []
    words += ["--oracle", ",".join(oracle)]
    words += ["--parser", settings.how.parser] if settings.how.parser != "auto" else []
    words += ["--bands", settings.how.bands] if settings.how.bands != "crisp" else []
    words += ["--timeout", f"{settings.how.timeout_s:g}"] if settings.how.timeout_s is not None else []
    words += ["--limit", str(settings.limit)] if settings.limit is not None else []
    return shlex.join([*words, "--out", out])


def _roles(spec: str) -> dict[str, str]:
    """Role -> what was written for it."""
    entries = [part.partition("=") for part in re.split(r",\s*(?=\w+\s*=)", spec.strip()) if part]
    return {role.strip(): value.strip() for role, _, value in entries}
