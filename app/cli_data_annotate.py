"""`surveyor data annotate`: descriptions whose phrases have masks, from boxes or masks of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..finetune.annotate.views import View
    from .progress_bar import Told

EPILOG = """Examples:

[bold]surveyor data annotate coco:MINE.json --out mine.jsonl --pictures marks[/bold]

[bold]surveyor data annotate dota:DOTA --split train --out dota.jsonl --describer openai:MODEL@URL --chat hf:DIR[/bold]

[bold]surveyor data annotate records.jsonl --out described.jsonl[/bold]"""


def annotate(
    given: Annotated[
        str,
        typer.Argument(
            metavar="DATASET:FOLDER|RECORDS.jsonl",
            help="What is annotated (see: surveyor bench datasets), or records of det and res.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE.jsonl", help="The records; FILE.geopixeld lies beside.", show_default=False)
    ],
    describer: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="What looks at pictures: qwen2vl:DIR, openai:MODEL@URL. Default: rules."),
    ] = None,
    chat: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="What rewrites the texts: hf:DIR, openai:MODEL@URL. Default: none."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the pictures with their markers there.")
    ] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="One published part. Default: all.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="An option of the reader; can be given again."),
    ] = None,
    window: Annotated[int, typer.Option(metavar="PX", help="Larger images are cut to such windows; 0: never.")] = 800,
    overlap: Annotated[int, typer.Option(metavar="PX", help="What neighbouring windows share at least.")] = 200,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where pictures of records lie.")] = None,
    least_area: Annotated[
        float, typer.Option(metavar="SHARE", help="Of the picture, that an object described by itself takes up.")
    ] = 0.0015,
    most: Annotated[int, typer.Option(metavar="N", help="Most objects described one by one in a picture.")] = 8,
    per_question: Annotated[int, typer.Option(metavar="N", help="Marked objects that one question asks about.")] = 1,
    tries: Annotated[int, typer.Option(metavar="N", help="How often a model is asked before it is done without.")] = 3,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the wording of sentences by rule.")] = 0,
) -> None:
    """Describe pictures so that each phrase has its mask.

    The scene, its large objects one by one, the others in groups, joined
    to one text: GeoPixelD's layout in FILE.geopixeld, captions of
    pictures and regions in FILE.jsonl. Needs no model: rules write what
    no model is given for. Killed, it goes on where it was.
    """
    from ..finetune.annotate.annotate import Choice
    from ..finetune.annotate.files import Outputs, annotate_files
    from ..finetune.annotate.models import Helpers
    from ..finetune.annotate.views import Wanted, views_of
    from .cli_data import command_line, pairs_of, tell
    from .progress_bar import shown_rate
    from .screen import talk

    choice = Choice(least_area, most, per_question, seed)
    wanted = Wanted(split, pairs_of(option), window, overlap, images)
    helpers = Helpers.of(describer, chat, tries)
    tally: Counter[str] = Counter()
    outputs = Outputs(out, pictures)
    with shown_rate("annotating") as tell_rate:
        meta = annotate_files(
            views_of(given, wanted, tally), outputs, helpers, choice, command_line(), tally, _Annotating(tell_rate)
        )
    tell(out, meta.tasks, meta.families, meta.dropped)
    talk().print(f"{outputs.tree}: {meta.tasks.get('caption', 0):,} grounded conversations", soft_wrap=True)


class _Annotating:
    """Counts pictures as they are done, for a line with the rate."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self.tell, self.fresh, self.before = tell, 0, 0

    def __call__(self, view: View, was_done: bool) -> None:
        """A picture is done, or was done before."""
        self.fresh, self.before = self.fresh + (not was_done), self.before + was_done
        self.tell(lambda seconds: f"{self._pictures(seconds)}, {view.stem}")

    def _pictures(self, seconds: float) -> str:
        before = f"{self.before:,} done before, " if self.before else ""
        return f"{self.fresh + self.before:,} pictures ({before}{self.fresh / seconds:,.2f}/s)"
