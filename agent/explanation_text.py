"""An explanation in plain text: tables of fixed width, for terminals, logs and chats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .explanation import FATES, Cell, Explanation, Row

MOST_ROWS = 40
MOST_NEAR = 8
MOST_VALUE = 22
"""Longest value in a table's cell."""
SIGNS = {"yes": "yes", "no": "no", "unknown": "?", "not asked": "."}
_LEFT = "<- none left after this"


def all_text(explanation: Explanation, most_rows: int = MOST_ROWS) -> str:
    """Steps, conditions, candidates, near misses and unknowns; at most so many candidates."""
    parts = [[explanation.answer], [f"note: {note}" for note in explanation.notes]]
    parts += [_steps(explanation), _conditions(explanation), _candidates(explanation, most_rows)]
    parts += [_near_misses(explanation), _unknowns(explanation), _second_looks(explanation.rows)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def region_text(explanation: Explanation, row: Row) -> str:
    """All about one region: its fate, a line per condition, what a second look said."""
    region = row.region
    score = "" if region.score is None else f", score {region.score:.2f}"
    lines = [f"{region.id} ({region.label}{score}, {row.size}) {_fate(row)}"]
    if region.change is not None:
        direction = region.change.direction or "in a direction that is not known"
        lines.append(f"  changed: {direction}" + (f" ({region.change.reason})" if region.change.reason else ""))
    width = max((len(cell.verdict) for cell in row.cells), default=0)
    for cell in row.cells:
        lines.append(f"  {cell.verdict.ljust(width)}  {_told(cell)}")
    if not row.cells:
        lines.append("  no condition was asked of it")
    lines += [f"  {line}" for line in _second_look(row)]
    for column in explanation.columns:
        cell = next(each for each in row.cells if each.letter == column.letter)
        if cell.verdict == "unknown" and column.remedy:
            lines.append(f"  to know {column.condition!r}: {column.remedy}")
    return "\n".join(lines)


def _fate(row: Row) -> str:
    near = row.near_miss
    if near is None:
        verb = "is" if row.status != "undecided" else "is left"
        return f"{verb} {FATES[row.status]}:"
    by = f", {near.reading.off}" if near.reading is not None else ""
    return f"is not in the answer, for one reason ({near.condition!r}{by}):"


def _told(cell: Cell) -> str:
    """The condition with its value, reason and what would settle it."""
    if cell.reading is None:
        told = cell.condition + (f": {cell.reason}" if cell.reason else "")
    else:
        told = f"{cell.condition}: {cell.reading.text}"
        told += f", {cell.reading.off}" if cell.verdict == "no" else ""
    told += f"; yes {cell.would_hold}" if cell.would_hold else ""
    return told + ("; a close call" if cell.close else "")


# ---- the parts ----------------------------------------------------------------------------------------------------


def _steps(explanation: Explanation) -> list[str]:
    rows = [[step.instruction, f"{step.outcome}  {_LEFT if step.emptied else ''}"] for step in explanation.steps]
    return ["Steps", *_table(rows)]


def _conditions(explanation: Explanation) -> list[str]:
    if not explanation.columns:
        return []
    rows = [
        [each.letter, each.condition, str(each.yes), str(each.no), str(each.unknown), _LEFT if each.emptied else ""]
        for each in explanation.columns
    ]
    return ["Conditions", *_table([["", "", "yes", "no", "unknown", ""], *rows], right=(2, 3, 4))]


def _candidates(explanation: Explanation, most_rows: int) -> list[str]:
    shown = explanation.rows[:most_rows]
    verified = any(row.second_look is not None for row in explanation.rows)
    if not shown or not (explanation.columns or verified):
        return []
    scored = any(row.region.score is not None for row in explanation.rows)
    head = [
        "",
        "",
        *(["score"] if scored else []),
        *(column.letter for column in explanation.columns),
        *(["verified"] if verified else []),
    ]
    rows = [head]
    for row in shown:
        cells = [_short(cell) for cell in row.cells]
        second = "" if row.second_look is None else SIGNS[row.second_look.verdict]
        score = "" if row.region.score is None else f"{row.region.score:.2f}"
        rows.append(
            [row.region.id, _fate_word(row), *([score] if scored else []), *cells, *([second] if verified else [])]
        )
    lines = ["Candidates (~ close call, . not asked)", *_table(rows)]
    hidden = len(explanation.rows) - len(shown)
    return [*lines, f"  and {hidden} more"] if hidden else lines


def _fate_word(row: Row) -> str:
    return {"kept": "in", "undecided": "unknown", "rejected": "near miss" if row.near_miss else "out"}[row.status]


def _short(cell: Cell) -> str:
    value = cell.value if len(cell.value) <= MOST_VALUE else ""
    return f"{SIGNS[cell.verdict]} {value}".rstrip() + (" ~" if cell.close else "")


def _near_misses(explanation: Explanation) -> list[str]:
    near = explanation.near_misses
    if not near:
        return []
    rows = []
    for row in near[:MOST_NEAR]:
        cell = row.near_miss
        assert cell is not None
        off = "" if cell.reading is None else cell.reading.off
        rows.append([row.region.id, cell.text, off])
    more = [f"  and {len(near) - MOST_NEAR} more"] if len(near) > MOST_NEAR else []
    return [f"Near misses: {len(near)} rejected by one condition, and by little", *_table(rows), *more]


def _unknowns(explanation: Explanation) -> list[str]:
    lines = []
    for column in explanation.columns:
        if not column.unknown:
            continue
        lines.append(f"  {column.letter}  {column.condition}: {column.unknown} unknown. To know: {column.remedy}")
        cells = [(row.region.id, row.cells[_place(row, column.letter)]) for row in explanation.rows]
        would = [f"{name} {cell.would_hold}" for name, cell in cells if cell.would_hold]
        if would:
            lines.append(f"     yes for {', '.join(would[:4])}{', …' if len(would) > 4 else ''}")
    return ["Unknown", *lines] if lines else []


def _place(row: Row, name: str) -> int:
    return next(index for index, cell in enumerate(row.cells) if cell.letter == name)


def _second_looks(rows: Sequence[Row]) -> list[str]:
    doubted = [row for row in rows if row.second_look is not None and row.second_look.verdict != "yes"]
    table = [[row.region.id, *_second_look(row)] for row in doubted[:MOST_NEAR]]
    more = [f"  and {len(doubted) - MOST_NEAR} more"] if len(doubted) > MOST_NEAR else []
    return ["Second look: not what they were found as, or unknown", *_table(table), *more] if table else []


def _second_look(row: Row) -> Iterator[str]:
    second = row.second_look
    if second is None:
        return
    score = row.region.score
    lowered = second.verdict == "no" and score is not None and second.confidence is not None
    told = f"; confidence {score:.2f} -> {second.confidence:.2f}" if lowered else ""
    yield f"verified: {second.verdict}, {second.reason}{told}"


def _table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """The rows in columns two apart, indented by two."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines
