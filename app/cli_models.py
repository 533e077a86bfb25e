"""`surveyor models`: which models are installed and what each knows; with --tools, what a plan may call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def models(
    tools: Annotated[bool, typer.Option("--tools", help="List the tools that a plan may call instead.")] = False,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.py]", help="With --tools: list those of this file too.")
    ] = None,
) -> None:
    """List the models that are installed and what each knows."""
    from ..core.errors import UsageError

    if file is not None and not tools:
        raise UsageError(f"{str(file)!r} holds tools; list them with --tools")
    if tools:
        _print_tools(file)
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


def _print_tools(file: Path | None) -> None:
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from ..tools.toolbox import Toolbox, installed_tools, tools_of_file
    from .screen import data

    console = data()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("tool", "inputs", "arguments", "gives", "what it does"):
        table.add_column(heading, overflow="fold")
    known = list(Toolbox.of(() if file is None else tools_of_file(file)))
    for tool in known:
        inputs = [*tool.inputs, *(["references by their words"] if tool.references else [])]
        table.add_row(tool.name, ", ".join(inputs), ", ".join(tool.args.model_fields), tool.gives, Text(tool.doc))
    console.print(table)
    for tool in (tool for tool in known if tool.origin != "surveyor"):
        console.print(f"\n[bold]{tool.name}[/bold]  [dim]{escape(tool.origin)}[/dim]", soft_wrap=True)
        console.print(Padding(Text(tool.about), (0, 0, 0, 2), expand=False))
    for name, trouble in installed_tools().items():
        if isinstance(trouble, str):
            console.print(Text(f"\n{name} cannot be used: {trouble}", style="red"), soft_wrap=True)
