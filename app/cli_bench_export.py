"""`surveyor bench export`: a benchmark for other people's harnesses."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

Form = Annotated[str, typer.Argument(metavar="lmms", help="The harness: lmms for lmms-eval.", show_default=False)]
ItemsFile = Annotated[
    Path, typer.Argument(metavar="ITEMS", help="Items file of bench build (crec, cres, rcd).", show_default=False)
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Gets the task: YAML, functions, items, images.", show_default=False)
]
Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the images. Default: that of ITEMS, else this one.")
]
Dialect = Annotated[
    str, typer.Option(metavar="NAME", help="How the model is asked to write boxes: native, qwen2-vl, qwen3-vl.")
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Of the task; by default surveyor_crec and the like.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Only the first N items.")]

EPILOG = "Example:  [bold]surveyor bench export lmms items.jsonl --out lmms-tasks/crec[/bold]"


def export(
    form: Form,
    items: ItemsFile,
    out: Out,
    data: Data = None,
    dialect: Dialect = "native",
    name: Name = None,
    limit: Limit = None,
) -> None:
    """Write a benchmark as a task of lmms-eval, in a folder for its --include_path."""
    from ..core.errors import UsageError
    from ..core.progress import listening
    from ..evals.plugins.lmms_export import export_lmms
    from .progress_bar import shown_progress
    from .screen import talk

    if form != "lmms":
        raise UsageError(f"there is no export for {form!r}, expected lmms; inspect_ai reads the items file itself")
    with shown_progress() as listener, listening(listener):
        done = export_lmms(items, out, data=data, dialect=dialect, name=name, limit=limit)
    told = f"{done.items:,} items with {done.images:,} images in {out}; run it with"
    command = f"  lmms-eval --include_path {shlex.quote(str(out))} --tasks {done.name} --model ..."
    for line in (told, command):  # a path may hold what looks like markup
        talk().print(line, style="dim", markup=False, soft_wrap=True, highlight=False)
