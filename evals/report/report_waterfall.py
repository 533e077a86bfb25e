"""Which runs of a report make a waterfall together, and the waterfall as plain data."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ...tools.models.spec import DEFAULTS
from ..scores.bootstrap import DRAWS, differences
from .report_words import telling, version_words
from .scoring import Run
from .waterfall import PLAYERS, Parts, Waterfall, waterfall

PART_WORDS = {"RCD": {"boxes": "changed parts (oracle boxes)"}}
"""Task -> what a part is called there."""
Named = Sequence[tuple[Run, str]]


def order_of(task: str, runs: Sequence[Run]) -> tuple[str, ...]:
    """The parts of a task that the truth can stand for: those known, else those that the runs name."""
    if task in PLAYERS:
        return PLAYERS[task]
    seen = {part for run in runs for part in run.settings.how.oracle}
    return tuple(sorted(seen, key=lambda part: (part != "parser", part)))


def is_ablation(full: Run, other: Run) -> bool:
    """Whether a run differs from a full one only in what the truth answers; see `why_not`."""
    return other.settings.how.baseline is None and not why_not(full, other)


def why_not(full: Run, other: Run) -> str:
    """Why a run cannot stand beside a full one in a waterfall, in words; "" where it can.

    Items, rules (`--bands`, `--timeout`, `--through`) and, for what both ask, the parser and the models must be the
    same. Models are compared by name and version, however `--models` was written; by what was written where a model has
    no version (one behind a server). The program may be another: that is noted where it is.
    """
    one, two = full.settings, other.settings
    if {item.id for item in full.items} != {item.id for item in other.items}:
        return f"it was asked {len(other.items):,} items, the full run {len(full.items):,}: they are not the same"
    reads = one.how.reads and two.how.reads
    rules: list[tuple[str, object, object]] = [
        ("--bands", one.how.bands, two.how.bands),
        ("--timeout", _number(one.how.timeout_s), _number(two.how.timeout_s)),
        ("--through", one.how.through, two.how.through),
        *([("--parser", one.how.parser, two.how.parser)] if reads else []),
    ]
    for option, wanted, given in rules:
        if wanted != given:
            return f"it ran with {option} {given}, the full run with {option} {wanted}"
    for role in sorted(one.versions.keys() & two.versions.keys()):
        wanted, given = one.versions[role], two.versions[role]
        if wanted != given:
            return f"its {role} is {_version(given)}, that of the full run {_version(wanted)}"
        written = [_written(each.models, role) for each in (one, two)]
        if not _has_version(wanted) and written[0] != written[1]:
            return f"its {role} is {role}={written[1]}, that of the full run {role}={written[0]}"
    return ""


def unused_runs(runs: Sequence[Run], names: Sequence[str]) -> list[dict[str, str]]:
    """The runs with `--oracle` that no waterfall is made of, and why; plain data."""
    order = order_of(runs[0].header.task, runs)
    named = list(zip(runs, names, strict=True))
    full = [(run, name) for run, name in named if run.settings.how.mode == "full"]
    used = {id(run) for one, name in full for run in _told(_by_parts(one, name, named, order), order)}
    found = []
    for run, name in named:
        if not run.settings.how.oracle or run.settings.how.baseline is not None or id(run) in used:
            continue
        told = [(_unused(one, one_name, run, named, order), one_name) for one, one_name in full]
        whys = [f"{why} ({one_name})" if len(full) > 1 else why for why, one_name in told]
        none = "there is no full run of these items: one without --oracle, --baseline and --through agent"
        found.append({"run": name, "why": "; ".join(whys) or none})
    return found


def _unused(full: Run, name: str, other: Run, named: Named, order: tuple[str, ...]) -> str:
    why = why_not(full, other)
    if why:
        return why
    parts = frozenset(other.settings.how.oracle) & frozenset(order)
    if not parts:
        return f"{full.header.task} makes no use of --oracle {','.join(other.settings.how.oracle)}"
    first, first_name = _by_parts(full, name, named, order)[parts]
    if first is not other:
        return f"{first_name} has the same parts answered by the truth"
    return f"the steps go {', '.join(order)}, and the average over orders needs the runs of all combinations"


def _told(by_parts: dict[Parts, tuple[Run, str]], order: tuple[str, ...]) -> list[Run]:
    """The runs whose figures are shown: steps of the order, single parts; all where there is every combination."""
    if len(by_parts) == 2 ** len(order):
        return [run for run, _ in by_parts.values()]
    steps = [frozenset(order[:k]) for k in range(len(order) + 1)]
    return [run for parts, (run, _) in by_parts.items() if len(parts) < 2 or parts in steps]


def waterfalls(runs: Sequence[Run], names: Sequence[str], *, draws: int = DRAWS) -> list[dict[str, Any]]:
    """One for each full run and each telling metric of the first track."""
    task = runs[0].header.task
    order = order_of(task, runs)
    if not order:
        return []
    found = []
    named = list(zip(runs, names, strict=True))
    for full, name in named:
        if full.settings.how.mode != "full":
            continue
        by_parts = _by_parts(full, name, named, order)
        found += [each for metric in _metrics(full) if (each := _data(full, name, by_parts, order, metric, draws))]
    return found


def _by_parts(full: Run, name: str, named: Named, order: tuple[str, ...]) -> dict[Parts, tuple[Run, str]]:
    """Parts answered by the truth -> the run, the full one under the empty set; of several the first."""
    by_parts: dict[Parts, tuple[Run, str]] = {frozenset(): (full, name)}
    for run, run_name in named:
        parts = frozenset(run.settings.how.oracle) & frozenset(order)
        if parts and is_ablation(full, run):
            by_parts.setdefault(parts, (run, run_name))
    return by_parts


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


def _has_version(name_and_version: str) -> bool:
    return " " in name_and_version


def _version(name_and_version: str) -> str:
    return version_words(name_and_version) + ("" if _has_version(name_and_version) else " (no version)")


def _written(spec: str, role: str) -> str:
    """What was written for a role; the built-in model's name where nothing was."""
    entries = [part.partition("=") for part in re.split(r",\s*(?=\w+\s*=)", spec.strip()) if part]
    return {name.strip(): value.strip() for name, _, value in entries}.get(role) or DEFAULTS.get(role, "")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
