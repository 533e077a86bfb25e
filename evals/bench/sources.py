"""What `surveyor bench build --source` names: a dataset on disk, or scenes that are drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ...core.errors import UsageError
from ...tools.models.options import check_names, number_of, split_options
from ..datasets.record import Record, Tally
from ..datasets.registry import READERS, reader_named
from .build import build
from .items import Header, write_items
from .synth_source import synth_records

_SYNTH = "synth"
_SCENES, _SIDE_PX = 24, 900


def build_file(
    task: Literal["CREC", "CRES"],
    sources: Sequence[str],
    out: str | Path,
    *,
    n: int,
    seed: int,
    part: Literal["dev", "test"] | None = None,
    command: str | None = None,
) -> tuple[Header, Path]:
    """Writes an items file.

    Args:
        task: "CREC" or "CRES".
        sources: NAME:FOLDER[?KEY=VALUE&...] with the name of a reader and its options ("split" among them), or
            synth:FOLDER[?scenes=24&seed=0&side=900], which draws pictures into the folder.
        out: the file; its folder must exist.
        n: how many items.
        seed: of everything random.
        part: one side of the split by family.
        command: for the header.

    Returns:
        The header, and the folder that the images' paths are relative to: the one of all sources.

    Raises:
        UsageError: no such reader, option or dataset, or nothing there that items can be made of.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {str(out.parent)!r} for the items; make it first")
    if not sources:
        raise UsageError(f"no source is given; expected {_expected()}")
    found = [_source(text) for text in sources]
    root = Path(os.path.commonpath([folder for folder, _ in found]))
    root = root.parent if root.is_file() else root
    records = (record for _, each in found for record in each)
    header, items = build(records, task=task, n=n, seed=seed, part=part, root=str(root), command=command)
    write_items(out, header, items)
    return header, root


def _source(text: str) -> tuple[Path, Iterator[Record]]:
    """The folder (or file) of a source, and its records."""
    name, colon, rest = text.partition(":")
    place, options = split_options(rest)
    if not colon or not place:
        raise UsageError(f"the source {text!r} names no folder; expected {_expected()}")
    folder = Path(place).resolve()
    if name == _SYNTH:
        check_names(options, ("scenes", "seed", "side"), "the source 'synth'")
        scenes, side = number_of(options, "scenes", _SCENES), number_of(options, "side", _SIDE_PX, least=256)
        return folder, synth_records(
            scenes, seed=number_of(options, "seed", 0, least=0), size_wh=(side, side), root=folder
        )
    reader = reader_named(name)
    check_names(options, ("split", *reader.options), f"the reader {name!r}")
    tally: Tally = Counter()
    return folder, reader.read(folder, tally=tally, **options)


def _expected() -> str:
    return f"NAME:FOLDER with a name of: {', '.join((_SYNTH, *(reader.name for reader in READERS)))}"
