"""A report as markdown: for an issue, a pull request or a README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .report_words import FEW, METRIC_WORDS, figure, limits, ranged, reason_lines

Json = Mapping[str, Any]
_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_MOST_REJECTED = 8


def markdown_report(content: Json, pictures: Mapping[str, str]) -> str:
    """The report as text.

    Args:
        content: of `report_data`.
        pictures: name of a picture -> its address, relative to the report.
    """
    lines = ["# Benchmark report", "", f"surveyor {content['surveyor']}. {READING}"]
    if content["command"]:
        lines += ["", *_code(content["command"])]
    lines += [line for note in content["pictures_left_out"] for line in ("", f"**{text(note)}**")]
    lines += [""] + [f"- {text(summary(section))}" for section in content["sections"]]
    for section in content["sections"]:
        lines += ["", *_section(section, pictures)]
    return "\n".join(lines).rstrip() + "\n"


READING = (
    "Figures are per cent unless their name says otherwise; in brackets the 95 % interval over source images "
    "(1,000 bootstrap draws). Items that were not answered count as wrong."
)


def text(words: Any) -> str:
    """Words that markdown and HTML leave as they are.

    Example:
        >>> text("a|b <script> *x*")
        'a\\\\|b &lt;script&gt; \\\\*x\\\\*'
    """
    line = " ".join(str(words).split())
    return _SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def code(words: Any) -> str:
    """Words as a code span, which no backtick in them can end.

    Example:
        >>> code("a `b`"), code("a\\nb")
        ('`` a `b` ``', '`a b`')
    """
    line = " ".join(str(words).split())
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}" if len(ticks) > 1 else f"`{line}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A markdown table; the cells are markdown already."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *body] if body else []


def _section(section: Json, pictures: Mapping[str, str]) -> list[str]:
    names = [text(run["name"]) for run in section["runs"]]
    lines = [f"## {text(section['title'])}", ""]
    lines += [f"> **{text(run['name'])}: {text(note)}**\n>" for run in section["runs"] for note in run["notes"]]
    lines += ["", *_asked(section), "", "### Runs", "", *_runs(section["runs"])]
    for track in section["tracks"]:
        lines += ["", f"### Scores: {text(track['name'])}", "", *_scores(track, names), *_differences(track, names)]
    for title, key in (("The parser", "parser"), ("Twins", "twins")):
        rows = [(_metric(row), *(ranged(each, row["name"]) for each in row["runs"])) for row in section[key]]
        lines += ["", f"### {title}", "", *table(["", *names], rows)] if rows else []
    lines += _waterfalls(section["waterfalls"])
    lines += [line for each in section["unused"] for line in ("", f"> **{text(unused_words(each))}**")]
    rows = [(text(row["kind"]), *(f"{n:,}" if n else "" for n in row["runs"])) for row in section["failures"]]
    lines += ["", "### How answers went wrong", "", *table(["items", *names], rows)] if rows else []
    lines += _reasons(section)
    lines += ["", "### By kind", "", *_tags(section["tracks"][0], names)] if section["tracks"][0]["tags"] else []
    lines += _worst(section["worst"], pictures)
    return [*lines, "", *_published(section["published"], names)]


def summary(section: Json) -> str:
    """One line of a section: its title and what its runs reach."""
    track = section["tracks"][0] if section["tracks"] else {"metrics": []}
    if not track["metrics"]:
        return str(section["title"])
    row = track["metrics"][0]
    reached = [
        f"{run['name']} {figure(each['value'], row['name']) if each else '–'}"
        for run, each in zip(section["runs"], row["runs"], strict=True)
    ]
    return f"{section['title']}: {row['words'] or row['name']}: {', '.join(reached)}"


def _asked(section: Json) -> list[str]:
    header = section["items"]["header"]
    sources = "; ".join(f"{text(name)} (licence: {text(licence)})" for name, licence in header["sources"].items())
    lines = [
        f"- Items: {code(section['items']['file'])}, {header['admitted']:,} in the file, seed {header['seed']}, "
        f"SHA-256 `{section['items']['digest'][:16]}`",
        f"- Sources: {sources or 'none stated'}",
    ]
    lines += [f"- Made by: {code(header['command'])}"] if header["command"] else []
    rejected = sorted(header["rejected"].items(), key=lambda each: -each[1])
    told = [f"{n:,} {text(reason)}" for reason, n in rejected[:_MOST_REJECTED]]
    told += [f"{len(rejected) - _MOST_REJECTED} more reasons"] if len(rejected) > _MOST_REJECTED else []
    return [*lines, f"- Not admitted: {'; '.join(told)}"] if told else lines


def run_columns(runs: Sequence[Json]) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """What is the same in all runs (name, words), and what tells them apart (name, words a run); plain words."""
    columns = [
        ("mode", [run["mode"] for run in runs]),
        ("answers", [", ".join(f"{n:,} {status}" for status, n in run["statuses"].items()) or "none" for run in runs]),
        ("items", [f"{run['items']:,} on {run['families']:,} image families" for run in runs]),
        ("models", [", ".join(f"{role} {name}" for role, name in run["versions"].items()) or "none" for run in runs]),
        ("parser", [run["parser"] or "not asked" for run in runs]),
        ("rules", [_rules(run) for run in runs]),
        ("program", [f"{run['surveyor']}, {run['program'][:10] or 'not noted'}" for run in runs]),
        ("seconds an item", [_pace(run) for run in runs]),
        ("folder", [", ".join(run["folders"]) for run in runs]),
    ]
    alike = {name for name, cells in columns if len(runs) > 1 and len(set(cells)) == 1}
    shared = [(name, cells[0]) for name, cells in columns if name in alike and cells[0]]
    return shared, [(name, cells) for name, cells in columns if name not in alike]


def _rules(run: Json) -> str:
    told = [run["bands"]]
    told += [f"timeout {run['timeout_s']:g} s"] if run["timeout_s"] is not None else []
    return ", ".join([*told, *([f"first {run['limit']:,} items"] if run["limit"] is not None else [])])


def _pace(run: Json) -> str:
    answered = run["items"] - run["missing"]
    return f"{run['seconds'] / answered:.3g}" if answered else ""


def _runs(runs: Sequence[Json]) -> list[str]:
    shared, columns = run_columns(runs)
    rows = [(text(run["name"]), *(text(cells[i]) for _, cells in columns)) for i, run in enumerate(runs)]
    alike = "; ".join(f"{name}: {text(words)}" for name, words in shared)
    return [*table(["", *(name for name, _ in columns)], rows), *(["", f"In all of them: {alike}."] if alike else [])]


def _metric(row: Json) -> str:
    words = row.get("words") or METRIC_WORDS.get(row["name"], "")
    return f"{text(words)} (`{row['name']}`)" if words else f"`{row['name']}`"


def _scores(track: Json, names: Sequence[str]) -> list[str]:
    shown = [row for row in track["metrics"] if row["name"] in track["headlines"]]
    return table(["", *names], [(_metric(row), *(ranged(each, row["name"]) for each in row["runs"])) for row in shown])


def _differences(track: Json, names: Sequence[str]) -> list[str]:
    if not any(track["differences"]):
        return []
    rows = []
    for metric in track["headlines"]:
        cells = [difference_words(each, metric) for each in track["differences"]]
        rows.append((code(metric), *(f"**{cell}**" if clear else cell for cell, clear in cells)))
    return ["", f"Difference from {names[0]}, on the items of both (**clear**: the interval leaves out 0):", "", *table(["", *names[1:]], rows)]  # fmt: skip  # noqa: E501


def difference_words(found: Json | None, metric: str) -> tuple[str, bool]:
    """A difference as it is shown, and whether its interval leaves out 0."""
    each = None if found is None else found["metrics"].get(metric)
    if each is None or each["value"] is None:
        return "–", False
    told = figure(each["value"], metric, signed=True)
    if each["low"] is None:
        return told, False
    drawn = limits(each["low"], each["high"], metric, signed=True)
    return f"{told} ({drawn}){' ●' if each['clear'] else ''}", each["clear"]


def share_name(share: Json, fall: Json) -> str:
    """What a step of a waterfall is called."""
    parts, unsplit = ([fall["names"].get(part, part) for part in of] for of in (share["parts"], fall["unsplit"]))
    if parts:
        return " and ".join(parts)
    return f"left: reasoning, {' and '.join(unsplit)} not told apart" if unsplit else "left: reasoning"


def unused_words(unused: Json) -> str:
    """Why a run is in no waterfall."""
    return f"{unused['run']} is not part of the split: {unused['why']}."


def out_of_turn(fall: Json) -> list[tuple[str, str]]:
    """Parts that are no step of their own, since an earlier one lacks its run: name, points that each earns alone."""
    steps = [share["parts"] for share in fall["shares"]]
    return [
        (fall["names"].get(part, part), figure(points)) for part, points in fall["alone"].items() if [part] not in steps
    ]


def _waterfalls(found: Sequence[Json]) -> list[str]:
    lines: list[str] = []
    for fall in found:
        words = METRIC_WORDS.get(fall["metric"], fall["metric"])
        lines += ["", f"### Where the errors are: {text(fall['run'])}, {text(words)}", ""]
        rows = [("full run", "", figure(fall["full"]), "", "")]
        for share in fall["shares"]:
            part = share["parts"][0] if len(share["parts"]) == 1 else ""
            limits = ranged(share) if share["low"] is not None else figure(share["value"])
            alone = figure(fall["alone"].get(part)) if part in fall["alone"] else ""
            average = figure(fall["average"][part]) if fall["average"] and part else ""
            rows.append((text(share_name(share, fall)), limits, figure(share["stop"]), alone, average))
        rows += [(text(f"{name} alone"), "", "", points, "") for name, points in out_of_turn(fall)]
        header = ["replaced by the truth", "points", "reached", "alone", "average over orders"]
        lines += [*table(header, rows), *(f"\n{text(note)}." for note in fall["notes"])]
    return [*lines, *_missing(found)]


def _missing(found: Sequence[Json]) -> list[str]:
    """The commands of the runs that are not here, once each."""
    commands = dict.fromkeys(each["command"] for fall in found for each in fall["missing"])
    return ["", "Runs that would complete this:", "", *_code(*commands)] if commands else []


def reasons_by_run(section: Json) -> list[tuple[str, list[str]]]:
    """Run -> why its items have no answer; runs where all have one are left out."""
    names = dict.fromkeys(each["run"] for each in section["reasons"])
    return [(name, reason_lines([each for each in section["reasons"] if each["run"] == name])) for name in names]


def _reasons(section: Json) -> list[str]:
    found = reasons_by_run(section)
    lines = ["", "Why items have no answer:", ""] if found else []
    return lines + [f"- {text(name)}: {text(line)}" for name, told in found for line in told]


FEW_ITEMS = f"fewer than {FEW} items: such a figure says little"


def is_few(row: Json) -> bool:
    """Whether a row of the table by kind is of so few items that its figures say little."""
    return max(row["items"]) < FEW


def _tags(track: Json, names: Sequence[str]) -> list[str]:
    metric = next(iter(track["tags"][0]["values"]))
    rows = []
    for row in track["tags"]:
        told = text(row["tag"] + (f" ({row['words']})" if row["words"] else ""))
        count = f"{max(row['items']):,}{' †' if is_few(row) else ''}"
        rows.append((told, count, *(figure(value, metric) for value in row["values"][metric])))
    few = ["", f"† {FEW_ITEMS}."] if any(map(is_few, track["tags"])) else []
    return [f"`{metric}`", "", *table(["", "items", *names], rows), *few]


def _worst(found: Sequence[Json], pictures: Mapping[str, str]) -> list[str]:
    lines = ["", "### Some of the worst", ""] if found else []
    for each in found:
        score = "" if each["score"] is None else f", {figure(each['score'])}"
        lines += [f"**{text(each['asked'])}** ({text(each['id'])}, {text(each['run'])}: {text(each['kind'])}{score})", ""]  # fmt: skip  # noqa: E501
        lines += [f"- right: {text(each['truth'])}; answered: {text(each['answer'])}"]
        lines += [f"- understood as: {text(each['understood'])}"] if each["understood"] else []
        lines += [f"- said: {text(each['said'])}"] if each["said"] else []
        if each.get("picture") in pictures:
            lines += ["", f"![{text(each['id'])}]({pictures[each['picture']]})"]
        lines += [""]
    return lines


def _published(found: Json, names: Sequence[str]) -> list[str]:
    lines = ["### Published figures", ""]
    if found["note"]:
        return [*lines, text(found["note"])]
    ours = [
        (f"{name} (measured here)", *(figure(each[metric]) for metric in found["metrics"]))
        for name, each in zip(names, found["ours"], strict=True)
    ]
    theirs = [
        (f"*{text(', '.join(filter(None, (row['model'], row['note']))))}: published, not measured here*",
         *(f"{row['figures'][metric]:g}" if metric in row["figures"] else "–" for metric in found["metrics"]))
        for row in found["rows"]
    ]  # fmt: skip
    return [*lines, *table(["", *found["metrics"]], [*ours, *theirs])]


def _code(*commands: str) -> list[str]:
    """Commands as an indented block, each on a line of its own."""
    return [f"    {' '.join(command.split())}" for command in commands]
