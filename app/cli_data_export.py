"""`surveyor data export`: records for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Example:  [bold]surveyor data export split/train.jsonl split/val.jsonl --to llama-factory --out lf[/bold]"


def export(
    records: Annotated[list[Path], typer.Argument(metavar="RECORDS...", help="Files of records.", show_default=False)],
    to: Annotated[str, typer.Option(metavar="ms-swift|llama-factory|trl", help="The trainer.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the export.", show_default=False)],
    image_format: Annotated[str, typer.Option(metavar="jpg|png", help="Of images that have to be written.")] = "jpg",
    copy: Annotated[bool, typer.Option("--copy", help="Write every image, not only crops and odd files.")] = False,
) -> None:
    """Write records as another trainer reads them; crops become image files."""
    from ..core.progress import listening
    from ..finetune.records.exports import export as write
    from .progress_bar import shown_progress
    from .screen import talk

    with shown_progress() as listener, listening(listener):
        done = write(records, to, out, image_format=image_format, copy=copy)
    files = ", ".join(map(str, done.files))
    talk().print(f"{done.records:,} records, {done.written:,} new images: {files}", soft_wrap=True, markup=False)
