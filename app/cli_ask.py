"""`surveyor ask`: the main job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..agent.answer import Answer

Image = Annotated[
    str, typer.Argument(metavar="IMAGE", help="PNG, JPEG, TIFF or GeoTIFF seen from above.", show_default=False)
]
Models = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", help="role=backend, by commas: grounder=compact,segmenter=compact (see: surveyor models)."
    ),
]
Gsd = Annotated[float | None, typer.Option(metavar="M", help="Metres a pixel, where the file does not say.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write overlay, vectors and trace here.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text and table.")]


def ask(
    image: Image,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, in English.", show_default=False)],
    models: Models = None,
    gsd: Gsd = None,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Answer a question about an image: the answer, and every candidate with a verdict per condition."""
    from ..agent.run import ask as ask_scene
    from .progress_bar import shown_progress

    with shown_progress() as listener:
        answer = ask_scene(image, query, models=models, gsd=gsd, out=out, progress=listener)
    finish(answer, out, as_json=json_)


def finish(answer: Answer, out: Path | None, *, as_json: bool) -> None:
    """Prints the answer, names the files written; leaves with exit code 1 when the run failed."""
    from .answer_table import print_answer
    from .screen import data, talk

    if as_json:
        sys.stdout.write(json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        emptied = [o.emptied_by for o in answer.observations if o.emptied_by]
        print_answer(answer.to_dict(), data(), emptied_by=emptied)
    sys.stdout.flush()
    if out is not None:
        from ..agent.output import written

        names = ", ".join(path.name for path in written(out))
        talk().print(f"wrote {names} in {out}/", style="dim", soft_wrap=True)
    if answer.failure:
        from .exits import RUN_FAILED

        talk().print(f"failed: {answer.failure}", style="bold red", soft_wrap=True)
        raise typer.Exit(RUN_FAILED)
