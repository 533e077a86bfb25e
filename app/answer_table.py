"""An answer for people: the sentence, how many each condition let through, and a verdict per candidate.

Works on the object that `--json` prints, so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..agent.change_words import share_text
from ..agent.explaining import size_text
from ..agent.explanation import letter
from .screen import can_show

MOST_ROWS = 15
"""Candidates shown; the others are counted."""
FANCY = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow"), "unasked": ("·", "dim")}
PLAIN = {True: ("y", "green"), False: ("n", "red"), None: ("?", "yellow"), "unasked": (".", "dim")}
ROW_STYLE = {"kept": "", "undecided": "yellow", "rejected": "dim"}


def print_answer(
    answer: dict[str, Any], console: Console, *, emptied_by: Sequence[str] = (), most_rows: int = MOST_ROWS
) -> None:
    """Prints an answer.

    Args:
        answer: as `Answer.to_dict` gives it.
        console: where to; colour and width are its own.
        emptied_by: the conditions after which no candidate was left.
        most_rows: how many candidates to list, in the answer's order: those in it, undecided ones, near misses, others.
    """
    whole_lines = not console.is_terminal  # for grep and logs
    console.print(Text(answer["answer"], style="bold"), soft_wrap=whole_lines)
    for note in answer.get("notes", ()):
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=whole_lines)
    everyone = [*answer["regions"], *answer["rejected"]]
    if not everyone:
        return
    conditions = list(dict.fromkeys(words for region in everyone for words in region["verdicts"]))
    signs = FANCY if can_show(console, "✓✗·²×…") else PLAIN
    console.print()
    if conditions:
        console.print(_conditions_table(conditions, everyone, signs, emptied_by))
        console.print()
    console.print(_candidates_table(conditions, everyone[:most_rows], signs))
    hidden = everyone[most_rows:]
    if hidden:
        console.print(Text(f"  and {_tally(hidden)} not shown (--json and trace.json have all)", style="dim"))


def print_series(series: dict[str, Any], console: Console) -> None:
    """Prints what came and went from date to date.

    Args:
        series: as `Series.to_dict` gives it.
        console: where to; colour and width are its own.
    """
    rows = series["rows"]
    metric = any(row["new_m2"] is not None for row in rows)
    undirected = any(row["undirected"] for row in rows)
    names = ["new", "gone", "altered", *(["undirected"] if undirected else [])]
    table = Table(box=box.SIMPLE_HEAD if can_show(console, "─") else None, pad_edge=False, show_edge=False)
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    for name in (*(name if name != "undirected" else "?" for name in names), *(["new m2", "gone m2"] * metric)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unknown", justify="right", no_wrap=True)
    for row in rows:
        cells = [_figure(row[name]) for name in (*names, *(["new_m2", "gone_m2"] * metric))]
        table.add_row(escape(row["from"]), escape(row["to"]), *cells, share_text(row["unknown"]))
    console.print(table)
    whole_lines = not console.is_terminal
    for number, pair in enumerate(series["pairs"], 1):
        console.print(Text(f"{number}. {pair['answer']}"), soft_wrap=whole_lines)
        for note in pair.get("notes", ()):
            console.print(Text(f"   note: {note}", style="yellow"), soft_wrap=whole_lines)


def _figure(value: float | None) -> str:
    """A count or an area; "-" where the run failed or the scale is not known."""
    return "-" if value is None else f"{value:,.0f}"


def _conditions_table(
    conditions: Sequence[str],
    everyone: Sequence[dict[str, Any]],
    signs: dict[Any, tuple[str, str]],
    emptied: Sequence[str],
) -> Table:
    """One row a condition: its letter, its words, how many candidates were judged how."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold cyan")
    table.add_column(overflow="fold")
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    for index, words in enumerate(conditions):
        verdicts = [region["verdicts"][words] for region in everyone if words in region["verdicts"]]
        cells = []
        for verdict in (True, False, None):
            n, (sign, style) = verdicts.count(verdict), signs[verdict]
            cells.append(Text(f"{n} {sign}", style=style) if n else Text(""))
        text = Text(words)
        if any(words in step for step in emptied):
            text.append("  <- none left after this", style="bold red")
        table.add_row(letter(index), text, *cells)
    return table


def _candidates_table(
    conditions: Sequence[str], shown: Sequence[dict[str, Any]], signs: dict[Any, tuple[str, str]]
) -> Table:
    lines = box.SIMPLE_HEAD if signs is FANCY else None
    table = Table(box=lines, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True)
    table.add_column("label", overflow="fold", min_width=6)
    changed = any("change" in region for region in shown)
    if changed:
        table.add_column("change", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("size", justify="right", no_wrap=True)
    if conditions:
        names = "".join(f"{letter(index):<2}" for index in range(len(conditions)))
        table.add_column(names.rstrip(), no_wrap=True, header_style="bold cyan")
    verified = any("verified" in region for region in shown)
    if verified:
        table.add_column("verified", overflow="fold")
    times = "×" if signs is FANCY else "x"
    for region in shown:
        score = "" if region["score"] is None else f"{region['score']:.2f}"
        change = [_change(region)] if changed else []
        cells = [escape(region["id"]), escape(region["label"]), *change, score, size_text(region, times)]
        verdicts = [_verdicts(region, conditions, signs)] if conditions else []
        second = [_second_look(region)] if verified else []
        table.add_row(*cells, *verdicts, *second, style=ROW_STYLE[region["status"]])
    return table


def _change(region: dict[str, Any]) -> str:
    """ "new", "gone", "altered"; "?" where the direction is not known, nothing for a thing of one date."""
    return (region["change"]["direction"] or "?") if region.get("change") else ""


def _second_look(region: dict[str, Any]) -> Text:
    """What the region was described as when looked at again, and the confidence where that lowered it."""
    seen = region.get("verified")
    if seen is None:
        return Text("")
    word, style = {True: ("yes", "green"), False: ("no", "red"), None: ("unknown", "yellow")}[seen["verdict"]]
    if seen["verdict"] is True:
        return Text(word, style=style)
    lowered = seen["verdict"] is False and region.get("confidence") is not None
    return Text(
        f"{word}: {seen['reason'].removeprefix('described as ')}"
        + (f" -> {region['confidence']:.2f}" if lowered else ""),
        style=style,
    )


def _verdicts(region: dict[str, Any], conditions: Sequence[str], signs: dict[Any, tuple[str, str]]) -> Text:
    """One sign a condition, below its letter; "~" behind it marks a close call."""
    line = Text()
    for index, words in enumerate(conditions):
        sign, style = signs[region["verdicts"].get(words, "unasked")]
        line.append(sign, style=style)
        mark = "~" if words in region.get("borderline", ()) else " "
        line.append(mark.ljust(max(1, len(letter(index)) - 1)), style="yellow")
    return line


def _tally(regions: Sequence[dict[str, Any]]) -> str:
    counts = [(sum(r["status"] == status for r in regions), status) for status in ROW_STYLE]
    return ", ".join(f"{n} {status}" for n, status in counts if n)
