"""A report as one HTML file: its style and pictures are inside, nothing is fetched, no script runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .report_markdown import (
    FEW_ITEMS,
    READING,
    difference_words,
    is_few,
    out_of_turn,
    reasons_by_run,
    run_columns,
    share_name,
    summary,
    unused_words,
)
from .report_style import CSS
from .report_words import METRIC_WORDS, figure, is_share, ranged

Json = Mapping[str, Any]
_MOST_COLOURS = 4


def html_report(content: Json, pictures: Mapping[str, str]) -> str:
    """The report as a page.

    Args:
        content: of `report_data`.
        pictures: name of a picture -> its address: a data URI, or a path relative to the page.
    """
    sections = content["sections"]
    parts = [f"<h1>Benchmark report</h1><p class='soft'>surveyor {_text(content['surveyor'])}. {_text(READING)}</p>"]
    parts += [f"<pre class='folded'>{_text(content['command'])}</pre>"] if content["command"] else []
    parts += [f"<p class='loud'>{_text(note)}</p>" for note in content["pictures_left_out"]]
    links = (
        f"<li><a href='#s{i}'>{_text(each['title'])}</a>{_text(summary(each).removeprefix(each['title']))}</li>"
        for i, each in enumerate(sections, start=1)
    )
    parts.append(f"<ul>{''.join(links)}</ul>")
    parts += [_section(section, f"s{i}", pictures) for i, section in enumerate(sections, start=1)]
    title = "Benchmark report: " + ", ".join(each["title"] for each in sections)
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{_text(title)}</title><style>{CSS}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _text(words: Any) -> str:
    """Words as they stand, never markup."""
    return escape(str(words), quote=True)


def _cell(html: str, kind: str = "", style: str = "") -> str:
    marks = (f" class='{kind}'" if kind else "") + (f" style='{style}'" if style else "")
    return f"<td{marks}>{html}</td>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls on narrow screens; header cells are HTML, rows are whole `<td>` cells."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in header)
    body = "".join(row[0] if len(row) == 1 else f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<div class='wide'><table class='{kind}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


# ---- a section ------------------------------------------------------------------------------------------------


def _section(section: Json, anchor: str, pictures: Mapping[str, str]) -> str:
    names = [_text(run["name"]) for run in section["runs"]]
    parts = [f"<h2 id='{anchor}'>{_text(section['title'])}</h2>"]
    parts += [
        f"<p class='loud'>{_text(run['name'])}: {_text(note)}</p>" for run in section["runs"] for note in run["notes"]
    ]
    parts += [_asked(section), "<h3>Runs</h3>", _runs(section["runs"], names)]
    for track in section["tracks"]:
        parts += [f"<h3>Scores: {_text(track['name'])}</h3>", _scores(track, names), _differences(track, names)]
        parts.append(_all_metrics(track, names))
    for title, key in (("The parser", "parser"), ("Twins", "twins")):
        if section[key]:
            parts += [f"<h3>{title}</h3>", _table(["", *names], (_figures(row) for row in section[key]))]
    parts += [_waterfall(fall) for fall in section["waterfalls"]]
    parts += [f"<p class='loud'>{_text(unused_words(each))}</p>" for each in section["unused"]]
    parts.append(_missing(section["waterfalls"]))
    if section["failures"]:
        rows = [
            [_cell(_text(row["kind"])), *(_cell(f"{n:,}" if n else "") for n in row["runs"])]
            for row in section["failures"]
        ]
        parts += ["<h3>How answers went wrong</h3>", _table(["items", *names], rows)]
    for name, told in reasons_by_run(section):
        lines = "".join(f"<li>{_text(line)}</li>" for line in told)
        parts.append(f"<p>Why items of {_text(name)} have no answer:</p><ul>{lines}</ul>")
    parts.append(_tags(section["tracks"][0], names))
    if section["worst"]:
        cards = "".join(_card(each, pictures) for each in section["worst"])
        parts.append(f"<h3>Some of the worst</h3><div class='cards'>{cards}</div>")
    return "\n".join([*parts, _published(section["published"], names)])


def _asked(section: Json) -> str:
    items, header = section["items"], section["items"]["header"]
    sources = "; ".join(f"{name} (licence: {licence})" for name, licence in header["sources"].items())
    rows = [
        ("items", f"{items['file']}: {header['admitted']:,} in the file, seed {header['seed']}"),
        ("SHA-256", items["digest"]),
        ("made by", header["command"] or "not noted"),
        ("sources", sources or "none stated"),
    ]
    told = "".join(f"<dt>{_text(name)}</dt><dd>{_text(words)}</dd>" for name, words in rows)
    rejected = sorted(header["rejected"].items(), key=lambda each: -each[1])
    total = sum(header["rejected"].values())
    lines = "".join(f"<li>{n:,} {_text(reason)}</li>" for reason, n in rejected)
    more = f"<details><summary>{total:,} proposals were not admitted</summary><ul>{lines}</ul></details>"
    return f"<dl>{told}</dl>{more if rejected else ''}"


def _runs(runs: Sequence[Json], names: Sequence[str]) -> str:
    shared, columns = run_columns(runs)
    rows = [[_cell(name), *(_cell(_text(cells[i])) for _, cells in columns)] for i, name in enumerate(names)]
    alike = "".join(f"<dt>{_text(name)}</dt><dd>{_text(words)}</dd>" for name, words in shared)
    told = f"<p class='soft'>In all of them:</p><dl>{alike}</dl>" if alike else ""
    return _table(["", *(_text(name) for name, _ in columns)], rows, "words") + told


def _metric(row: Json) -> str:
    words = row.get("words") or METRIC_WORDS.get(row["name"], "")
    return f"{_text(words)} <code>{_text(row['name'])}</code>" if words else f"<code>{_text(row['name'])}</code>"


def _figures(row: Json) -> list[str]:
    """A row of figures, each with its limits below it."""
    cells = [_cell(_metric(row))]
    for each in row["runs"]:
        told, _, limits = ranged(each, row["name"]).partition(" (")
        cells.append(_cell(_text(told) + (f"<small>{_text(limits.rstrip(')'))}</small>" if limits else ""), "fig"))
    return cells


def _scores(track: Json, names: Sequence[str]) -> str:
    shown = [row for row in track["metrics"] if row["name"] in track["headlines"]]
    return _table(["", *names], (_figures(row) for row in shown))


def _all_metrics(track: Json, names: Sequence[str]) -> str:
    rest = [row for row in track["metrics"] if row["name"] not in track["headlines"]]
    if not rest:
        return ""
    return f"<details><summary>{len(rest)} more metrics</summary>{_table(['', *names], (_figures(row) for row in rest))}</details>"  # fmt: skip  # noqa: E501


def _differences(track: Json, names: Sequence[str]) -> str:
    if not any(track["differences"]):
        return ""
    rows = []
    for metric in track["headlines"]:
        cells = [_cell(f"<code>{_text(metric)}</code>")]
        for found in track["differences"]:
            told, clear = difference_words(found, metric)
            kind = ("down" if told.startswith("-") else "up") if clear else ""
            value, _, limits = told.partition(" (")
            small = f"<small>{_text(limits.replace(')', ''))}</small>" if limits else ""
            cells.append(_cell(f"<span class='{kind}'>{_text(value)}</span>{small}", "fig"))
        rows.append(cells)
    shared = {each["shared"] for each in track["differences"] if each is not None}
    told = f"{min(shared):,}" if len(shared) == 1 else f"{min(shared):,} to {max(shared):,}"
    return (
        f"<details open><summary>Difference from {names[0]}</summary><p class='soft'>On the {told} items that both "
        "have, in points, with the paired 95 % interval; ● and colour: it leaves out 0.</p>"
        + _table(["", *names[1:]], rows)
        + "</details>"
    )


def _tags(track: Json, names: Sequence[str]) -> str:
    """One table with a band a group; the first group is open for all to see, and so are the others: it is one table."""
    if not track["tags"]:
        return ""
    metric = next(iter(track["tags"][0]["values"]))
    rows: list[list[str]] = []
    group = None
    for row in track["tags"]:
        if row["group"] != group:
            group = row["group"]
            rows.append([f"<tr class='group'><td colspan='{len(names) + 2}'>{_text(group)}</td></tr>"])
        words = f" <span class='soft'>{_text(row['words'])}</span>" if row["words"] else ""
        cells = [_cell(_text(row["tag"]) + words), _cell(f"{max(row['items']):,}")]
        cells += [_heat(value, metric) for value in row["values"][metric]]
        rows.append([f"<tr class='few'>{''.join(cells)}</tr>"] if is_few(row) else cells)
    words = METRIC_WORDS.get(metric, metric)
    few = f"; grey: {FEW_ITEMS}" if any(map(is_few, track["tags"])) else ""
    return f"<h3>By kind</h3><p class='soft'>{_text(words + few)}</p>" + _table(["", "items", *names], rows)


def _heat(value: float | None, metric: str) -> str:
    if value is None or not is_share(metric):
        return _cell(_text(figure(value, metric)))
    return _cell(_text(figure(value, metric)), "heat", f"--v:{100 * min(max(value, 0.0), 1.0):.1f}%")


# ---- the waterfall --------------------------------------------------------------------------------------------

_ROW_PX, _LABEL_PX, _BAR_PX, _FIGURE_PX = 30, 230, 480, 190


def _waterfall(fall: Json) -> str:
    words = METRIC_WORDS.get(fall["metric"], fall["metric"])
    rows = []
    for share in fall["shares"]:
        part = share["parts"][0] if len(share["parts"]) == 1 else ""
        limits = ranged(share) if share["low"] is not None else figure(share["value"])
        cells = [share_name(share, fall), limits, figure(share["stop"])]
        cells.append(figure(fall["alone"][part]) if part in fall["alone"] else "")
        cells.append(figure(fall["average"][part]) if fall["average"] and part else "")
        rows.append([_cell(_text(cell)) for cell in cells])
    rows += [
        [_cell(_text(cell)) for cell in (f"{name} alone", "", "", points, "")] for name, points in out_of_turn(fall)
    ]
    gap = figure(1 - fall["full"])
    notes = "".join(f"<p class='soft'>{_text(note)}</p>" for note in fall["notes"])
    return (
        f"<h3>Where the errors are: {_text(fall['run'])}, {_text(words)}</h3>"
        f"<p>{gap} of 100 points are missing. Each step answers one more part by the truth; a step in red lost "
        "points.</p>"
        + _bars(fall)
        + _table(["replaced by the truth", "points", "reached", "alone", "average over orders"], rows)
        + notes
    )


def _bars(fall: Json) -> str:
    """The steps as bars from 0 to 100, drawn in SVG with the page's own colours."""
    steps = [("full run", 0.0, fall["full"], "var(--c0)")]
    for i, share in enumerate(fall["shares"]):
        colour = f"var(--c{min(i + 1, _MOST_COLOURS)})" if share["parts"] else "var(--c5)"
        colour = "var(--bad)" if share["value"] < 0 else colour
        steps.append((share_name(share, fall), share["start"], share["stop"], colour))
    height = _ROW_PX * len(steps) + 24
    width = _LABEL_PX + _BAR_PX + _FIGURE_PX
    drawn = []
    for tick in (0, 25, 50, 75, 100):
        x = _LABEL_PX + _BAR_PX * tick / 100
        drawn.append(f"<line class='axis' x1='{x}' x2='{x}' y1='0' y2='{height - 20}'/>")
        drawn.append(f"<text class='soft' x='{x}' y='{height - 6}' text-anchor='middle'>{tick}</text>")
    for i, (name, start, stop, colour) in enumerate(steps):
        y = i * _ROW_PX
        x0, x1 = sorted(_LABEL_PX + _BAR_PX * min(max(each, 0.0), 1.0) for each in (start, stop))
        drawn.append(f"<text x='0' y='{y + 19}'>{_text(_short(name))}</text>")
        drawn.append(f"<rect x='{x0:.1f}' y='{y + 5}' width='{max(x1 - x0, 1.5):.1f}' height='{_ROW_PX - 10}' rx='2' fill='{colour}'/>")  # fmt: skip  # noqa: E501
        value = figure(stop - start, signed=i > 0)
        drawn.append(f"<text x='{_LABEL_PX + _BAR_PX + 12}' y='{y + 19}'>{value}</text>")
    label = "; ".join(f"{name} {figure(stop - start, signed=i > 0)}" for i, (name, start, stop, _) in enumerate(steps))
    return f"<svg role='img' aria-label='{_text(label)}' viewBox='0 0 {width} {height}' width='{width}'>{''.join(drawn)}</svg>"  # fmt: skip  # noqa: E501


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _missing(falls: Sequence[Json]) -> str:
    commands = dict.fromkeys(each["command"] for fall in falls for each in fall["missing"])
    if not commands:
        return ""
    lines = _text("\n".join(commands))
    return f"<details><summary>{len(commands)} runs would complete the split</summary><pre>{lines}</pre></details>"


# ---- failures and published figures ---------------------------------------------------------------------------


def _card(failure: Json, pictures: Mapping[str, str]) -> str:
    score = "" if failure["score"] is None else f" <span class='tag'>{figure(failure['score'])}</span>"
    lines = [
        f"<h4>{_text(failure['asked'])}</h4>",
        f"<p><span class='tag kind'>{_text(failure['kind'])}</span>{score} "
        f"<span class='soft'>{_text(failure['id'])}, {_text(failure['run'])}</span></p>",
    ]
    address = pictures.get(failure.get("picture") or "")
    if address is not None:
        lines.append(f"<img loading='lazy' alt='{_text(failure['asked'])}' src='{_text(address)}'>")
    lines.append(f"<p>right: {_text(failure['truth'])}; answered: {_text(failure['answer'])}</p>")
    if failure["understood"]:
        lines.append(f"<p>understood as: {_text(failure['understood'])}</p>")
    if failure["said"]:
        lines.append(f"<p class='soft'>said: {_text(failure['said'])}</p>")
    others = [f"{_text(each['run'])} {figure(each['score'])}" for each in failure["others"] if each["score"] is not None]  # fmt: skip  # noqa: E501
    lines += [f"<details><summary>the other runs</summary><p>{', '.join(others)}</p></details>"] if others else []
    lines.append(f"<p class='soft'>{_text(', '.join(failure['tags']))}</p>")
    kind = "card pair" if failure["is_pair"] else "card"
    return f"<div class='{kind}'>{''.join(lines)}</div>"


def _published(found: Json, names: Sequence[str]) -> str:
    if found["note"]:
        return f"<h3>Published figures</h3><p>{_text(found['note'])}</p>"
    rows = [
        [_cell(f"{name} <span class='soft'>measured here</span>"), *(_cell(figure(each[m])) for m in found["metrics"])]
        for name, each in zip(names, found["ours"], strict=True)
    ]
    for row in found["rows"]:
        told = _text(", ".join(filter(None, (row["model"], row["note"]))))
        figures = "".join(
            _cell(f"{row['figures'][metric]:g}" if metric in row["figures"] else "–") for metric in found["metrics"]
        )
        rows.append([f"<tr class='paper'><td>{told}: published, not measured here</td>{figures}</tr>"])
    return f"<h3>Published figures</h3>{_table(['', *map(_text, found['metrics'])], rows)}"
