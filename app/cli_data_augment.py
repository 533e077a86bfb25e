"""`surveyor data augment`: more records from records, each as true as what it was made from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..finetune.augment.cyclic import RoundTrip

EPILOG = """Examples:

[bold]surveyor data augment train.jsonl --out more.jsonl --cyclic --pal --ggl[/bold]

[bold]surveyor data augment train.jsonl --out turned.jsonl --flip --rotate --only-new[/bold]

[bold]surveyor data augment train.jsonl --out sure.jsonl --cyclic --check grounder=compact[/bold]"""


def augment(
    records: Annotated[Path, typer.Argument(metavar="RECORDS.jsonl", help="What to start from.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE.jsonl", help="Where to write.", show_default=False)],
    cyclic: Annotated[bool, typer.Option("--cyclic", help="Captions from referring records, and back.")] = False,
    pal: Annotated[bool, typer.Option("--pal", help="Prompt-assisted: box to oriented box, outline, points.")] = False,
    ggl: Annotated[bool, typer.Option("--ggl", help="Geometry-guided: outline to boxes, without a picture.")] = False,
    flip: Annotated[bool, typer.Option("--flip", help="A mirrored copy; words of direction turn too.")] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help="A copy turned by 90, 180 or 270 degrees.")] = False,
    tilt: Annotated[
        float, typer.Option(metavar="DEG", help="A copy tilted by at most so much, without place words.")
    ] = 0.0,
    colours: Annotated[bool, typer.Option("--colours", help="A copy under other light, without colour words.")] = False,
    paste: Annotated[bool, typer.Option("--paste", help="Objects of other pictures of the same split.")] = False,
    tile: Annotated[int, typer.Option(metavar="PX", help="Tiles of larger pictures; 0 for none.")] = 0,
    overlap: Annotated[int, typer.Option(metavar="PX", help="What neighbouring tiles share at least.")] = 128,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
    only_new: Annotated[bool, typer.Option("--only-new", help="Leave the records themselves out.")] = False,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where pictures lie. Default: as told.")] = None,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="MODELS", help="Models that must lead a caption back to its region: grounder=..., describer=..."
        ),
    ] = None,
    least_iou: Annotated[float, typer.Option("--iou", metavar="IOU", help="How near they must come.")] = 0.5,
) -> None:
    """Make more records of records: cyclic referring, other kinds of regions, changed pictures.

    New pictures are written beside the records, to a folder of their name. What cannot be made truthfully is left out
    and counted. The same command gives the same files.
    """
    from ..core.progress import listening
    from ..finetune.augment.augment import Ways, augmented
    from ..finetune.augment.pictures import Pictures
    from ..finetune.records.files import Provenance, images_folder, read_meta, write_records
    from .cli_data import command_line, tell
    from .progress_bar import shown_progress

    if out.resolve() == records.resolve():
        from ..core.errors import UsageError

        raise UsageError(f"the new records would overwrite {str(records)!r}; give another --out")
    ways = Ways(
        cyclic=cyclic, pal=pal, ggl=ggl, flip=flip, rotate=rotate, tilt=tilt, colours=colours, paste=paste, tile=tile,
        overlap=overlap, seed=seed, keep=not only_new, round_trip=_round_trip(check, least_iou),
    )  # fmt: skip
    left_out: Counter[str] = Counter()
    meta = read_meta(records)
    pictures = Pictures(images_folder(records, images), out)
    before = (meta.sha256,) if meta else ()
    provenance = Provenance(command_line(), seed, out.parent, left_out, before)
    with shown_progress() as listener, listening(listener):
        made = write_records(out, augmented(records, ways, pictures, left_out), provenance)
    tell(out, made.tasks, made.families, made.dropped)


def _round_trip(models: str | None, least_iou: float) -> RoundTrip | None:
    """The models that check captions, None where none are named."""
    from ..core.errors import UsageError

    if not 0 < least_iou <= 1:
        raise UsageError(f"the IoU is {least_iou!r}, expected more than 0 and at most 1")
    if models is None:
        return None
    from ..finetune.augment.cyclic import RoundTrip
    from ..tools.models.spec import load_models

    loaded = load_models(models)
    describer = loaded.describer if "describer=" in models else None
    return RoundTrip(loaded.grounder, describer, least_iou)
