"""`surveyor models`: which models there are, fetching one, trying one; with --tools, what a plan may call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup


class _ListsByDefault(TyperGroup):
    """`surveyor models …` is `surveyor models list …` where no command is named."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Puts `list` in front, refuses a word that is no command."""
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            if first and not first.startswith("-") and not first.endswith(".py"):
                from ..core.errors import UsageError

                raise UsageError(f"there is no command {first!r}; expected: list, pull ID, or check SPEC")
            args = ["list", *args]
        return super().parse_args(ctx, args)


Tools = Annotated[bool, typer.Option("--tools", help="List the tools that a plan may call instead.")]
models = typer.Typer(
    help="List models, fetch one from the hub (pull), try one (check).",
    epilog=(
        "Examples:  [bold]surveyor models[/bold]  ·  [bold]surveyor models check grounder=compact[/bold]  ·  "
        "needs the hub: surveyor models pull Qwen/Qwen2-VL-2B-Instruct"
    ),
    cls=_ListsByDefault,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@models.callback()
def every(tools: Tools = False) -> None:
    """List models and what each knows; fetch one from the hub (pull); load one and put it to a test (check).

    Without a command: list.
    """


@models.command("list", epilog="Example:  [bold]surveyor models list --tools[/bold]")
def list_(
    tools: Tools = False,
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


@models.command(
    "pull",
    epilog=(
        "Examples, which need the hub:  [bold]surveyor models pull Qwen/Qwen2-VL-2B-Instruct[/bold]  ·  "
        "[bold]surveyor models pull facebook/sam2.1-hiera-tiny --to models/sam2-tiny[/bold]"
    ),
)
def pull(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="Name on the Hugging Face hub: OWNER/NAME.")],
    revision: Annotated[
        str | None, typer.Option(metavar="R", help="Branch, tag or commit. Default: the newest state.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write to, to be copied elsewhere. Default: the cache.")
    ] = None,
) -> None:
    """Fetch a model from the Hugging Face hub.

    Only what is needed to load it: settings, tokenizer, safetensors.
    The same command goes on where one was cut off, file by file. Without
    a connection it names the files to copy by hand, and where to.
    """
    from .models_pull import pull_and_tell

    pull_and_tell(id, revision, to, debug=bool(context.find_root().params.get("debug")))


@models.command(
    "check",
    epilog=(
        "Examples:  [bold]surveyor models check grounder=compact,segmenter=compact[/bold]  ·  with a checkpoint:  "
        "[bold]surveyor models check grounder=qwen2vl:models/Qwen2-VL-2B-Instruct[/bold]"
    ),
)
def check(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="As for --models: role=backend, several with commas.")],
) -> None:
    """Load models and ask each something of a drawn image whose right answer is known.

    Looks through the checkpoint's files first, then tells load time,
    memory, speed, and whether the model's coordinates mean what they are
    declared to mean. Exit code 1: it loads, but the request failed.
    """
    from .models_check import check_and_tell

    check_and_tell(spec)


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
