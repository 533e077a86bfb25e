"""`surveyor bench inspect`: items of a benchmark as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Example:  [bold]surveyor bench inspect items.jsonl --n 24 --out look[/bold]"


def inspect(
    items: Annotated[
        Path, typer.Argument(metavar="ITEMS", help="Items file: one JSON object a line.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pages go.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the images. Default: that of the run or of ITEMS.")
    ] = None,
    n: Annotated[int, typer.Option("--n", metavar="N", help="How many items, random ones of all kinds.")] = 24,
    seed: Annotated[int, typer.Option(metavar="S", help="Which of them.")] = 0,
    kind: Annotated[
        str | None, typer.Option(metavar="TAG", help="Only items with this tag, e.g. R2 or Z:class.")
    ] = None,
    id_: Annotated[list[str] | None, typer.Option("--id", metavar="ID", help="This item; can be given again.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of a run: draw its answers too.")] = None,
) -> None:
    """Show items as pictures: a contact sheet, and a page to go through and judge them."""
    from ..core.progress import listening
    from ..evals.report.inspecting import PAGE_FILE
    from ..evals.report.inspecting import inspect as write_page
    from .progress_bar import shown_progress
    from .screen import talk

    with shown_progress() as listener, listening(listener):
        done = write_page(items, out, root=data, n=n, seed=seed, kind=kind, ids=tuple(id_ or ()), run=run)
    told = f"{len(done.shown):,} of {done.total:,} items; open {done.folder / PAGE_FILE}"
    talk().print(f"{told}, or look at {', '.join(map(str, done.sheets))}", style="dim", markup=False, soft_wrap=True)
    if done.missing:
        talk().print(
            f"{len(done.missing):,} of them could not be drawn, their pages say why: {', '.join(done.missing[:5])}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
