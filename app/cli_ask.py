"""`surveyor ask`: the main job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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

if TYPE_CHECKING:
    from ..agent.answer import Answer
    from ..agent.series import Series

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
After = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LATER",
        help="Image of the same place at a later date: ask what is new, gone or changed. Several make a series.",
    ),
]
NoAlign = Annotated[bool, typer.Option("--no-align", help="Take both dates as they lie, without co-registration.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write overlay, vectors and trace here.")]
Parser = Annotated[
    str,
    typer.Option(
        metavar="auto|grammar|llm", help="What reads the question; llm needs a chat model: --models chat=hf:FOLDER."
    ),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Look at each found region again; tells where it seems to be another thing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text and table.")]


def ask(
    image: Image,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, in English.", show_default=False)],
    parser: Parser = "auto",
    models: Models = None,
    gsd: Gsd = None,
    after: After = None,
    no_align: NoAlign = False,
    out: Out = None,
    verify: Verify = False,
    json_: Json = False,
    run_id: RunId = None,
    no_cache: NoCache = False,
    max_seconds: MaxSeconds = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    on_ambiguous: OnAmbiguous = "all",
    confirm: Confirm = None,
) -> None:
    """Answer a question about an image: the answer, and every candidate with a verdict per condition.

    Two dates of one place:  surveyor ask 2019.tif "which buildings are new?" --after 2024.tif --out changes
    """
    from ..agent.run import ask as ask_scene
    from ..agent.run import resume
    from .progress_bar import shown_progress

    with kept_run(run_id) as name, shown_progress() as listener:
        more = running(name, no_cache, max_seconds, max_calls, max_tokens, on_ambiguous, confirm) | {
            "verify": verify, "parser": parser, "models": models, "gsd": gsd, "align": not no_align, "out": out,
            "progress": listener,
        }  # fmt: skip
        if after and len(after) > 1:
            from ..agent.series import ask_series

            finish_series(ask_series([image, *after], query, **more), out, as_json=json_)
            return
        answer = answered(
            lambda: ask_scene(image, query, after=after[0] if after else None, **more),
            lambda run, reply: resume(run, answer=reply, progress=listener),
        )
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


def finish_series(series: Series, out: Path | None, *, as_json: bool) -> None:
    """Prints what came and went from date to date; leaves with exit code 1 when a pair failed."""
    from .answer_table import print_series
    from .screen import data, talk

    if as_json:
        sys.stdout.write(json.dumps(series.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        print_series(series.to_dict(), data())
    sys.stdout.flush()
    if out is not None:
        told = f"wrote index.html, series.geojson and a folder for each pair in {out}/"
        talk().print(told, style="dim", soft_wrap=True)
    failed = [answer.failure for answer in series.answers if answer.failure]
    if failed:
        from .exits import RUN_FAILED

        talk().print(f"failed: {failed[0]}", style="bold red", soft_wrap=True)
        raise typer.Exit(RUN_FAILED)
