"""`--help` that ends with the tools there are, those of installed packages included."""

from __future__ import annotations

import typer
from typer.core import TyperCommand


class ToolsHelp(TyperCommand):
    """A command whose help names the tools that a plan may call; they are looked up when help is asked for."""

    def format_help(self, ctx: typer.Context, formatter: object) -> None:  # type: ignore[override]
        """Writes the help, tools last."""
        from ..tools.toolbox import Toolbox

        names = ", ".join(tool.name for tool in Toolbox.of())
        self.epilog = f"Tools that a plan may call: {names}. More on each: surveyor models --tools"
        super().format_help(ctx, formatter)  # type: ignore[arg-type]
