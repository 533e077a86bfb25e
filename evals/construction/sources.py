"""What `surveyor bench build --source` names: a dataset on disk, or scenes that are drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from ...core.errors import UsageError
from ...tools.models.options import check_names, number_of, split_options
from ..bench.items import Header, write_items
from ..datasets.reading import image_size
from ..datasets.record import Record, Tally
from ..datasets.registry import READERS, reader_named
from .builder import build
from .field_items import TASKS as OF_THE_FIELD
from .field_items import write_field_items
from .synth_source import synth_records

CONDITIONAL = ("CREC", "CRES", "RCD")
TASKS = (*CONDITIONAL, *OF_THE_FIELD)
"""What items can be built of: the conditional benchmarks', and those of the field, which are taken as published."""
DEFAULT_N = 1000
_SYNTH = "synth"
_SCENES, _SIDE_PX = 24, 900


def build_file(
    task: str,
    sources: Sequence[str],
    out: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    part: Literal["dev", "test"] | None = None,
    colours: bool = False,
    workers: int = 1,
    command: str | None = None,
) -> tuple[Header, Path]:
    """Writes an items file.

    Args:
        task: one of `TASKS`.
        sources: NAME:FOLDER[?KEY=VALUE&...] with the name of a reader and its options ("split" among them), or
            synth:FOLDER[?scenes=24&seed=0&side=900], which draws pictures into the folder (pairs for RCD and CHANGE).
        out: the file; its folder must exist.
        n: how many items; None for 1,000 of the conditional benchmarks and for all of the field's, of which a number
            takes the first.
        seed: of everything random; nothing is in the field's items.
        part: one side of the split by family; conditional benchmarks alone.
        colours: CRES alone: ask for colours too, read from the pixels.
        workers: CREC and CRES alone: processes that share the work; the items are the same for any number.
        command: for the header.

    Returns:
        The header, and the folder that the images' paths are relative to: the one of all sources.

    Raises:
        UsageError: no such reader, option or dataset, or nothing there that items can be made of.
    """
    if task not in TASKS:
        raise UsageError(f"the task is {task.lower()!r}, expected one of: {', '.join(TASKS).lower()}")
    if colours and task != "CRES":
        raise UsageError(f"colours are read inside masks, which {task} items have not; ask for cres")
    if workers != 1 and task not in ("CREC", "CRES"):
        raise UsageError(f"workers is {workers!r}, but one process builds {task} items; only crec and cres are shared")
    if part is not None and task not in CONDITIONAL:
        raise UsageError(f"part is {part!r}, but the field's items keep their published splits; write ?split=test behind the folder")  # fmt: skip  # noqa: E501
    out = Path(out)
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {str(out.parent)!r} for the items; make it first")
    if not sources:
        raise UsageError(f"no source is given; expected {_expected()}")
    tally: Tally = Counter()
    found = [_source(text, task, tally) for text in sources]
    root = Path(os.path.commonpath([each.folder for each in found]))
    root = root.parent if root.is_file() else root
    records: Iterator[Record] = (record for each in found for record in each.records)
    if task in OF_THE_FIELD:
        disjoint = {each.dataset: each.disjoint for each in found if each.disjoint is not None}
        more = {"n": n, "root": root, "command": command, "disjoint": disjoint, "tally": tally}
        return write_field_items(out, records, task, **more), root
    plenty, records = DEFAULT_N if n is None else n, map(sized, records)
    if task == "RCD":
        from .rcd_builder import build_rcd

        header, items = build_rcd(records, n=plenty, seed=seed, part=part, root=str(root), command=command)
    else:
        of = cast(Literal["CREC", "CRES"], task)
        more = {"part": part, "root": str(root), "command": command, "colours": colours, "workers": workers}
        header, items = build(records, task=of, n=plenty, seed=seed, **more)  # type: ignore[arg-type]
    write_items(out, header, items)
    return header, root


def records_of(text: str, tally: Tally) -> Iterator[Record]:
    """The records that a source (NAME:FOLDER[?KEY=VALUE&...]) names; what is left out is counted in `tally`.

    Raises:
        UsageError: as `build_file`.
    """
    return _source(text, "CREC", tally).records


def sized(record: Record) -> Record:
    """The record with its image's size, which some readers leave to whoever needs it (DOTA)."""
    if record.size_wh is not None:
        return record
    return replace(record, size_wh=image_size(record.image))


@dataclass(frozen=True)
class _Found:
    """A source on disk.

    Attributes:
        folder: or file.
        records: of it.
        disjoint: ids of the records that the reader's protocol without shared images keeps; None where it has none.
        dataset: as its records call it.
    """

    folder: Path
    records: Iterator[Record]
    disjoint: frozenset[str] | None = None
    dataset: str = ""


def _source(text: str, task: str, tally: Tally) -> _Found:
    """What a source names; its records are read when they are asked for."""
    name, colon, rest = text.partition(":")
    place, options = split_options(rest)
    if not colon or not place:
        raise UsageError(f"the source {text!r} names no folder; expected {_expected()}")
    folder = Path(place).resolve()
    if name == _SYNTH:
        check_names(options, ("scenes", "seed", "side"), "the source 'synth'")
        scenes, side = number_of(options, "scenes", _SCENES), number_of(options, "side", _SIDE_PX, least=256)
        first = number_of(options, "seed", 0, least=0)
        if task in ("RCD", "CHANGE"):
            from .rcd_synth import synth_pairs

            return _Found(folder, synth_pairs(scenes, seed=first, size_wh=(side, side), root=folder))
        return _Found(folder, synth_records(scenes, seed=first, size_wh=(side, side), root=folder))
    reader = reader_named(name)
    check_names(options, ("split", *reader.options), f"the reader {name!r}")
    disjoint = None
    if task in OF_THE_FIELD and "protocol" in reader.options and "protocol" not in options:
        disjoint = frozenset(record.id for record in reader.read(folder, protocol="images", **options))
    return _Found(folder, reader.read(folder, tally=tally, **options), disjoint, reader.source.name)


def _expected() -> str:
    return f"NAME:FOLDER with a name of: {', '.join((_SYNTH, *(reader.name for reader in READERS)))}"
