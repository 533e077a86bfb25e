"""Items of the tasks that the field publishes, from the records of any dataset reader.

What a record says decides what can be asked of it: an expression makes a REC or RES item, a question with its answer a
VQA item, captions a CAPTION item (GCG where its phrases have masks), a class of scene a SCENE item. Plain change
detection needs no type of its own: it is the RCD item "segment all changed buildings" on a whole pair.

Nothing is improved on the way. Expressions that fit several things are asked as they stand, with the tag "ambiguous",
so that figures can be compared with published ones and read without these items, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from ... import __version__
from ...core.errors import UsageError
from ..bench.items import FIELD_TASKS, AnyItem, Header, header_line, item_line
from ..bench.writing import write_whole
from ..datasets.record import Record, Tally
from .field_changes import change_items
from .field_expressions import rec_items, res_items
from .field_making import Making
from .field_texts import caption_items, gcg_items, scene_items, vqa_items

TASKS = (*FIELD_TASKS, "CHANGE")
_CHUNK = 2**20  # bytes
_MAKERS: dict[str, Callable[[Making, Record], Iterator[AnyItem]]] = {
    "REC": rec_items,
    "RES": res_items,
    "GCG": gcg_items,
    "VQA": vqa_items,
    "CAPTION": caption_items,
    "SCENE": scene_items,
    "CHANGE": change_items,
}
_NEEDS = {
    "REC": "expressions with boxes",
    "RES": "expressions with masks, or maps of classes",
    "GCG": "captions whose phrases have masks",
    "VQA": "questions with answers",
    "CAPTION": "captions",
    "SCENE": "classes of scenes",
    "CHANGE": "pairs with masks of what changed",
}


def field_items(
    records: Iterable[Record],
    task: str,
    *,
    n: int | None = None,
    root: str | Path | None = None,
    command: str | None = None,
    disjoint: Mapping[str, Collection[str]] | None = None,
    tally: Tally | None = None,
) -> tuple[Header, list[AnyItem]]:
    """Items of one of the field's tasks, in the order of the records.

    Args:
        records: of any reader.
        task: "REC", "RES", "GCG", "VQA", "CAPTION", "SCENE"; or "CHANGE", whose items are of task RCD.
        n: only the first so many; None for all.
        root: folder that image paths become relative to.
        command: how this was called, for the header.
        disjoint: dataset -> ids of the records that a protocol without shared images keeps (DIOR-RSVG); its items get
            the tag "image-disjoint" or "image-shared".
        tally: what the reader left out; what is left out here is counted in it, too, and stands in the header.

    Returns:
        The header and the items.

    Raises:
        UsageError: no such task, or no item of it in the records.

    Example:
        >>> from surveyor.evals.datasets.record import Said, Source
        >>> said = Said("q1", "question", "Is there a ship?", "yes", type="presence")
        >>> record = Record("a", Path("a.png"), (8, 6), "demo:a", Source("demo", "none"), said=(said,))
        >>> header, items = field_items([record], "VQA")
        >>> items[0].text, items[0].answers
        ('Is there a ship?', ('yes',))
    """
    making = _Build(task, n, root, disjoint, tally)
    items = list(making.items(records))
    header = making.header(len(items), command)
    if header.options:
        items = [item.model_copy(update={"options": header.options[item.kind]}) for item in items]  # type: ignore[union-attr]
    return header, items


def write_field_items(path: str | Path, records: Iterable[Record], task: str, **more: Any) -> Header:
    """Writes the file of `field_items` and hands back its header; holds one record at a time.

    Args:
        path: the file; it is there as a whole or not at all.
        records: of any reader.
        task: as in `field_items`.
        **more: `n`, `root`, `command`, `disjoint`, `tally` as in `field_items`.

    Raises:
        UsageError: as `field_items`.
    """
    out = Path(path)
    command = more.pop("command", None)
    making = _Build(task, **({"n": None, "root": None, "disjoint": None, "tally": None} | more))
    body = out.with_name(f"{out.name}.body")
    try:
        count = 0
        with body.open("w", encoding="utf-8") as file:
            for item in making.items(records):
                file.write(item_line(item))
                count += 1
        header = making.header(count, command)  # which stands before them, and tells what came of all records
        with body.open("rb") as rest:
            write_whole(out, chain([header_line(header).encode()], iter(lambda: rest.read(_CHUNK), b"")))
    finally:
        body.unlink(missing_ok=True)
    return header


class _Build(Making):
    """One build with its number of items and its header; arguments as of `field_items`."""

    def __init__(
        self,
        task: str,
        n: int | None,
        root: str | Path | None,
        disjoint: Mapping[str, Collection[str]] | None,
        tally: Tally | None,
    ) -> None:
        if task not in TASKS:
            raise UsageError(f"the task is {task!r}, expected one of: {', '.join(TASKS)}")
        if n is not None and n < 1:
            raise UsageError(f"n is {n!r}, expected 1 or more; leave it out for all items")
        super().__init__(task, root, disjoint, tally)
        self.n = n

    def items(self, records: Iterable[Record]) -> Iterator[AnyItem]:
        """The items; of scenes all records are read, since all classes are to choose from."""
        made = 0
        make = _MAKERS[self.task]
        for record in records:
            for item in make(self, record):
                if self.n is None or made < self.n:
                    made += 1
                    self.sources[record.source.name] = record.source.licence
                    yield item
            if made == self.n and self.task != "SCENE":
                return

    def header(self, count: int, command: str | None) -> Header:
        """The header of that many items. Raises UsageError for none."""
        if not count:
            told = ", ".join(f"{reason} ({times})" for reason, times in self.tally.items()) or "there are no such records"  # fmt: skip  # noqa: E501
            raise UsageError(f"no {self.task} item can be made: {told}; it takes {_NEEDS[self.task]}")
        return Header(
            task="RCD" if self.task == "CHANGE" else self.task,  # type: ignore[arg-type]
            command=command or f"field_items(task={self.task!r}, n={self.n})",
            seed=0,
            sources=self.sources,
            admitted=count,
            rejected=dict(sorted(self.tally.items())),
            surveyor=__version__,
            options={kind: tuple(sorted(names)) for kind, names in self.classes.items()},
        )
