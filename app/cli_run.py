"""`surveyor run`: a plan that a person wrote or edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_ask import Gsd, Image, Json, Models, Out, finish


def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan in YAML or JSON (see: surveyor plan --yaml).")],
    image: Image,
    models: Models = None,
    gsd: Gsd = None,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Run a plan that you wrote or edited on an image."""
    from ..agent.run import run as run_plan
    from .progress_bar import shown_progress

    with shown_progress() as listener:
        answer = run_plan(plan, image, models=models, gsd=gsd, out=out, progress=listener)
    finish(answer, out, as_json=json_)
