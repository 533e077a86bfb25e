"""`surveyor data`: instruction records for fine-tuning: made, looked at, divided and handed to trainers."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .cli_data_annotate import EPILOG as ANNOTATE_EPILOG
from .cli_data_annotate import annotate
from .cli_data_augment import EPILOG as AUGMENT_EPILOG
from .cli_data_augment import augment
from .cli_data_export import EPILOG as EXPORT_EPILOG
from .cli_data_export import export
from .cli_data_look import SHOW_EPILOG, STATS_EPILOG, show, stats
from .cli_data_split import EPILOG as SPLIT_EPILOG
from .cli_data_split import split as split_command

if TYPE_CHECKING:
    from ..evals.datasets.record import Record
    from .progress_bar import Told

data = typer.Typer(no_args_is_help=True, help="Instruction records for fine-tuning: convert, look, split, export.")

EPILOG = """Examples:

[bold]surveyor data convert dota DOTA --split train --out dota.jsonl[/bold]

[bold]surveyor data convert pairs LEVIR -o classes=building --tasks rcd --out rcd.jsonl[/bold]"""


@data.callback()
def about() -> None:
    """Instruction records for fine-tuning: one JSON object a line, made from datasets."""


def pairs_of(values: list[str] | None) -> dict[str, str]:
    """KEY=VALUE words as a mapping. Raises UsageError for one that is none."""
    from ..core.errors import UsageError

    found = {}
    for text in values or ():
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"the option {text!r} cannot be read; expected KEY=VALUE, e.g. version=1.5")
        found[key] = value
    return found


@data.command(epilog=EPILOG)
def convert(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A dataset (see: surveyor bench datasets), or geotiff: a folder of georeferenced images.",
            show_default=False,
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it lies.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE.jsonl", help="The records.", show_default=False)],
    split: Annotated[str | None, typer.Option(metavar="NAME", help="One published part. Default: all.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="An option of the reader; can be given again."),
    ] = None,
    tasks: Annotated[
        str, typer.Option(metavar="TASKS", help="By commas: det, rec, res, rcd, region, caption, ... Default: all.")
    ] = "",
    window: Annotated[int, typer.Option(metavar="PX", help="Larger images are cut to such windows; 0: never.")] = 1024,
    overlap: Annotated[int, typer.Option(metavar="PX", help="What neighbouring windows share at least.")] = 200,
    negatives: Annotated[
        float, typer.Option(metavar="SHARE", help='Share of records whose answer is "none" (or 0), of known classes.')
    ] = 0.2,
    doubtful: Annotated[
        str,
        typer.Option(
            metavar="few|drop|keep",
            help="Objects of which a window shows 5 to 70 %: left out with their record unless they are few.",
        ),
    ] = "few",
    difficult: Annotated[
        str, typer.Option(metavar="keep|drop", help="Objects that the annotators marked as difficult.")
    ] = "keep",
    holes: Annotated[
        str, typer.Option(metavar="drop|outer", help="Polygons with holes above 5 %: drop the record, or fill them.")
    ] = "drop",
    most: Annotated[int, typer.Option(metavar="N", help="Most regions of one reply; else windows are quartered.")] = 50,
    key_points: Annotated[int, typer.Option(metavar="N", help="Key points of a box.")] = 3,
    epsilon: Annotated[float, typer.Option(metavar="PX", help="Polygons are thinned by at most so much.")] = 1.0,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of the data, where the reader cannot know it.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="FAMILY", help="A leakage family (or record id) to leave out; can be given again."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
) -> None:
    """Turn a dataset into instruction records.

    What is left out is counted by reason. The same command gives the
    same file; one that was killed leaves nothing and is run again.
    """
    from ..finetune.convert.convert import convert as records_of
    from ..finetune.convert.convert import images_of
    from ..finetune.convert.making import CONVERTED, Options
    from ..finetune.records.files import Provenance, write_records
    from .progress_bar import shown_rate

    options = Options(
        tasks=tuple(task.strip() for task in tasks.split(",") if task.strip()) or CONVERTED,
        window=window, overlap=overlap, negatives=negatives, doubtful=cast(Any, doubtful), most=most,
        difficult=cast(Any, difficult), holes=cast(Any, holes), key_points=key_points, epsilon_px=epsilon, seed=seed,
    )  # fmt: skip
    dropped: Counter[str] = Counter()
    provenance = Provenance(command_line(), seed, images_of(folder), dropped)
    given = pairs_of(option)
    with shown_rate("converting") as tell_rate:
        records = records_of(
            name, folder, options, dropped, split=split, reader_options=given, licence=licence,
            without=frozenset(without or ()), listener=_Converting(tell_rate),
        )  # fmt: skip
        meta = write_records(out, records, provenance)
    tell(out, meta.tasks, meta.families, meta.dropped)


def command_line() -> str:
    """What was typed, for the file beside the records."""
    return " ".join(["surveyor", *sys.argv[1:]])


def tell(out: Path, tasks: Mapping[str, int], families: int, dropped: Mapping[str, int]) -> None:
    """Says what was written and what was left out."""
    from rich.table import Table

    from .screen import talk

    screen = talk()
    told = ", ".join(f"{task} {count:,}" for task, count in tasks.items()) or "nothing in it can be converted"
    screen.print(f"{out}: {sum(tasks.values()):,} records ({told}) of {families:,} families", soft_wrap=True)
    if dropped:
        table = Table("left out", "why", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.columns[0].justify = "right"
        for reason, count in sorted(dropped.items(), key=lambda each: (-each[1], each[0])):
            table.add_row(f"{count:,}", reason, style="yellow")
        screen.print(table)


class _Converting:
    """Counts images as they are done, for a line with the rate."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self.tell, self.images, self.objects = tell, 0, 0

    def __call__(self, record: Record) -> None:
        """An image is done."""
        self.images, self.objects = self.images + 1, self.objects + len(record.things) + len(record.said)
        self.tell(self.told)

    def told(self, seconds: float) -> str:
        """How far it is."""
        rates = f"{self.objects / seconds:,.0f}/s, {self.images / seconds:,.1f} images/s"
        return f"{self.images:,} images, {self.objects:,} objects and texts ({rates})"


data.command(epilog=STATS_EPILOG)(stats)
data.command(epilog=SHOW_EPILOG)(show)
data.command("split", epilog=SPLIT_EPILOG)(split_command)
data.command(epilog=EXPORT_EPILOG)(export)
data.command(epilog=AUGMENT_EPILOG)(augment)
data.command(epilog=ANNOTATE_EPILOG)(annotate)
