"""`surveyor models`: which models are installed and what each knows; with --tools, what a plan may call."""

from __future__ import annotations

from typing import Annotated

import typer


def models(
    tools: Annotated[bool, typer.Option("--tools", help="List the tools that a plan may call instead.")] = False,
) -> None:
    """List the models that are installed and what each knows."""
    if tools:
        _print_tools()
    else:
        _print_models()


def _print_models() -> None:
    from rich.padding import Padding
    from rich.text import Text

    from ..tools.models.spec import describe_backends, open_vocabulary_advice
    from .screen import data

    console = data()
    for report in describe_backends():
        head = Text(report.usage, style="bold")
        if report.is_default:
            head.append("  (default)", style="not bold green")
        console.print(head, soft_wrap=True)
        console.print(Padding(Text(report.about), (0, 0, 0, 2), expand=False))
        if report.knows is not None:
            console.print(Padding(Text(f"knows: {', '.join(report.knows)}"), (0, 0, 0, 2), expand=False))
        if report.trouble is not None:
            console.print(Padding(Text(f"cannot be used: {report.trouble}", style="red"), (0, 0, 0, 2), expand=False))
        console.print()
    console.print(Text(f"Synonyms and plurals work too. {open_vocabulary_advice()}", style="dim"))


def _print_tools() -> None:
    from rich.table import Table

    from ..tools.registry import TOOLS
    from .screen import data

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("tool", "inputs", "arguments", "gives", "what it does"):
        table.add_column(heading, overflow="fold")
    for tool in TOOLS:
        inputs = [*tool.inputs, *(["references by their words"] if tool.references else [])]
        table.add_row(tool.name, ", ".join(inputs), ", ".join(tool.args.model_fields), tool.gives, tool.doc)
    data().print(table)
