"""A plan as people see it: a table in a notebook, a diagram in Mermaid."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plan import Plan

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


def table_html(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small HTML table; every text is escaped, nothing is loaded from elsewhere.

    Example:
        >>> "&lt;b&gt;" in table_html(["id"], [["<b>"]])
        True
    """
    head = "".join(f'<th style="{_CELL}">{html.escape(text)}</th>' for text in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(text)}</td>' for text in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def steps_html(plan: Plan) -> str:
    """The steps of a plan as an HTML table: number, what is done, tool, which steps it takes its inputs from."""
    number = {step.id: n for n, step in enumerate(plan.steps, start=1)}
    rows = [
        (
            f"{number[step.id]}{' *' if step.id in plan.outputs else ''}",
            step.instruction or step.id,
            step.tool,
            ", ".join(str(n) for n in sorted({number[source] for source in step.inputs.values() if source in number})),
        )
        for step in plan.steps
    ]
    title = f"<p><b>{html.escape(plan.query)}</b></p>" if plan.query else ""
    return f"{title}{table_html(('step', 'what is done', 'tool', 'from'), rows)}<p>* an answer</p>"


def mermaid(plan: Plan) -> str:
    """The plan as a flowchart in Mermaid's language, which GitHub, GitLab and many editors draw.

    Example:
        >>> from surveyor import plan
        >>> print(mermaid(plan("red planes")))
        flowchart TD
            find_planes(["detect all planes"])
            select_1["select those that are red"]
            find_planes --> select_1
            classDef answer stroke-width:3px
            class select_1 answer
    """
    lines = ["flowchart TD"]
    names = {step.id: _safe(step.id) for step in plan.steps}
    for step in plan.steps:
        text = _label(step.instruction or step.id)
        lines.append(f'    {names[step.id]}(["{text}"])' if not step.inputs else f'    {names[step.id]}["{text}"]')
    for step in plan.steps:
        for name, source in step.inputs.items():
            arrow = "-->" if name == "candidates" else f'-- "{_label(name)}" -->'
            lines.append(f"    {names[source]} {arrow} {names[step.id]}")
    answers = ",".join(dict.fromkeys(names[key] for key in plan.outputs))
    return "\n".join([*lines, "    classDef answer stroke-width:3px", f"    class {answers} answer"])


def _safe(step_id: str) -> str:
    """A node's name: "end" and the like are words of the language."""
    return step_id.replace("-", "_") if step_id.lower() not in _WORDS else f"{step_id}_"


def _label(text: str) -> str:
    escaped = "".join(_MARKS.get(char, char) for char in text)
    return " ".join(escaped.split())


_WORDS = frozenset("end graph flowchart subgraph class classdef click style linkstyle default direction".split())
_MARKS = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "#": "#35;", "`": "#96;"}
