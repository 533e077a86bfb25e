"""`surveyor run`: a plan that a person wrote or edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_ask import Gsd, Image, Json, Models, NoAlign, Out, Verify, finish
from .run_options import (
    Confirm,
    MaxCalls,
    MaxSeconds,
    MaxTokens,
    NoCache,
    OnAmbiguous,
    RunId,
    answered,
    kept_run,
    running,
)

ToolsFile = Annotated[
    Path | None,
    typer.Option("--tools", metavar="FILE.py", help="Tools of your own that the plan names (docs/scripting.md)."),
]


Later = Annotated[
    str | None, typer.Option(metavar="LATER", help="Image of the same place at a later date, for plans about changes.")
]


def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan in YAML or JSON (see: surveyor plan --yaml).")],
    image: Image,
    models: Models = None,
    gsd: Gsd = None,
    after: Later = None,
    no_align: NoAlign = False,
    out: Out = None,
    verify: Verify = False,
    json_: Json = False,
    tools: ToolsFile = None,
    run_id: RunId = None,
    no_cache: NoCache = False,
    max_seconds: MaxSeconds = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    on_ambiguous: OnAmbiguous = "all",
    confirm: Confirm = None,
) -> None:
    """Run a plan that you wrote or edited on an image."""
    from ..agent.run import resume
    from ..agent.run import run as run_plan
    from ..tools.toolbox import tools_of_file
    from .progress_bar import shown_progress

    own = () if tools is None else tools_of_file(tools)
    with kept_run(run_id) as name, shown_progress() as listener:
        more = running(name, no_cache, max_seconds, max_calls, max_tokens, on_ambiguous, confirm) | {
            "verify": verify, "models": models, "gsd": gsd, "after": after, "align": not no_align, "out": out,
            "progress": listener, "tools": own,
        }  # fmt: skip
        answer = answered(
            lambda: run_plan(plan, image, **more),
            lambda run, reply: resume(run, answer=reply, progress=listener, tools=own),
        )
    finish(answer, out, as_json=json_)
