"""`surveyor` on the command line. stdout is data, stderr is talk; exit codes in docs/usage.md.

Each subcommand is a file of its own; what they call loads when they run, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .cli_ask import ask
from .cli_bench import bench
from .cli_chat import chat
from .cli_convert_boxes import EPILOG as CONVERT_BOXES
from .cli_convert_boxes import convert_boxes
from .cli_data import data
from .cli_doctor import doctor
from .cli_explain import EXAMPLE, explain
from .cli_models import models
from .cli_plan import plan
from .cli_resume import resume, runs
from .cli_run import run
from .cli_sessions import sessions
from .cli_train import train
from .exits import exit_code_for
from .tools_help import ToolsHelp

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Example:  [bold]surveyor ask photo.jpg "planes longer than 30 m" --gsd 0.3 --out out[/bold]',
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"surveyor {__version__}")
        raise typer.Exit


@app.callback()
def surveyor(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of any error.")] = False,
) -> None:
    """Ask multi-condition questions of aerial and satellite images; get an answer that can be audited."""


app.command()(ask)
app.command()(chat)
app.add_typer(sessions, name="sessions")
app.command(epilog=EXAMPLE)(explain)
app.command()(plan)
app.command(cls=ToolsHelp)(run)
app.command()(resume)
app.command()(runs)
app.add_typer(models, name="models")
app.add_typer(bench, name="bench")
app.command(epilog=CONVERT_BOXES)(convert_boxes)
app.add_typer(train, name="train")
app.add_typer(data, name="data")
app.command()(doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0 done, 1 failed, 2 usage error, 3 waiting, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    debug = "--debug" in arguments  # the parser empties the list
    command = typer.main.get_command(app)
    try:
        with command.make_context("surveyor", arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as leave:
        return leave.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_for(error, debug=debug)


if __name__ == "__main__":
    sys.exit(main())
