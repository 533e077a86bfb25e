"""`surveyor convert-boxes`: a file of one model's boxes as a file of another's."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..core.codec import Dialect

EPILOG = (
    "Examples:  [bold]surveyor convert-boxes replies.txt --from geochat --to native --size 1024x1024[/bold]  ·  "
    "[bold]surveyor convert-boxes records.jsonl --from fit-rs --to qwen2.5-vl --field answer --out new.jsonl[/bold]"
)
_TOLD = 10
_EVERY = 500  # lines between two reports of progress
_LINES = (".jsonl", ".ndjson")

In = Annotated[
    Path,
    typer.Argument(
        metavar="IN", show_default=False,
        help="JSON lines (.jsonl: records with a text and the image's size), else plain text, one reply a line.",
    ),
]  # fmt: skip
From = Annotated[str, typer.Option("--from", metavar="DIALECT", help="What IN is written in.", show_default=False)]
To = Annotated[str, typer.Option("--to", metavar="DIALECT", help="What to write.", show_default=False)]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write. Default: stdout.")]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="WxH", help="The image's size in pixels, where a record does not tell it.", show_default=False
    ),
]
Field = Annotated[str, typer.Option(metavar="NAME", help="The field of a record that holds the text.")]
Strict = Annotated[bool, typer.Option("--strict", help="Words round the boxes are an error, not left out.")]
Skip = Annotated[bool, typer.Option("--skip-unreadable", help="Leave unreadable lines out instead of failing.")]


def convert_boxes(
    in_: In,
    from_: From,
    to: To,
    out: Out = None,
    size: Size = None,
    field: Field = "text",
    strict: Strict = False,
    skip_unreadable: Skip = False,
) -> None:
    """Rewrite boxes, oriented boxes and masks from one model's way of writing them into another's.

    Dialects: native, qwen2-vl, qwen2.5-vl, qwen3-vl, geochat, geochat-ccw, vrsbench, vrsbench-obb1, vrsbench-obb2,
    fit-rs, geoground, geoground-16, geoground-24, geoground-le90, falcon.

    What each looks like and cannot say is in docs/dialects.md. What gets lost (a turned box in a dialect of upright
    ones) is counted and told on stderr. Lines that cannot be read are told by number; then nothing is written and the
    exit code is 1, unless --skip-unreadable.

    In records the size is taken from size_wh, or width and height; other fields are kept as they are.
    """
    from ..core.codec import dialect
    from ..core.errors import SurveyorError
    from ..core.progress import listening
    from .progress_bar import shown_progress

    job = _Job(dialect(from_), dialect(to), field, _size(size), strict)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as made:
        with shown_progress() as listener, listening(listener):
            for text in job.lines(in_):
                made.write(text + "\n")
        _tell(job, skip_unreadable)
        if job.unreadable and not skip_unreadable:
            raise SurveyorError(
                f"{job.unreadable:,} of {job.read + job.unreadable:,} lines of {in_} could not be read as {from_!r}, "
                "so nothing was written; check --from, or leave them out with --skip-unreadable"
            )
        made.seek(0)
        _deliver(made, out)


@dataclasses.dataclass
class _Job:
    """One file's conversion and its counts."""

    source: Dialect
    target: Dialect
    field: str
    size_wh: tuple[int, int] | None
    strict: bool
    read: int = 0
    objects: int = 0
    unreadable: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    losses: Counter[str] = dataclasses.field(default_factory=Counter)

    def lines(self, path: Path) -> Iterator[str]:
        """The converted lines; faults are noted with the number of their line."""
        from ..core.errors import ModelOutputError, UsageError
        from ..core.progress import report

        records, size = path.suffix.lower() in _LINES, self.size_wh
        if not records and size is None:
            raise UsageError(f"{str(path)!r} has no records that tell the image's size; give it: --size WIDTHxHEIGHT")
        total, done = path.stat().st_size, 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                done += len(line)
                if number % _EVERY == 0:
                    report("converting", done, max(total, done))
                if records and not line.strip():
                    continue
                try:
                    text = line.decode("utf-8").rstrip("\r\n")
                    made = self._record(text) if records or size is None else self._text(text, size)
                except (ModelOutputError, UsageError, ValueError) as error:
                    self.unreadable += 1
                    if len(self.faults) < _TOLD:
                        self.faults.append(f"line {number:,}: {' '.join(str(error).split())[:200]}")
                    continue
                self.read += 1
                yield made

    def _record(self, line: str) -> str:
        from ..core.errors import UsageError

        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get(self.field), str):
            raise UsageError(f"no record with a text in its field {self.field!r}; name another one by --field")
        size = _size_of(record) or self.size_wh
        if size is None:
            raise UsageError("the record tells no image size, expected size_wh, or width and height; or give --size")
        record[self.field] = self._text(record[self.field], size, may_break=True)
        return json.dumps(record, ensure_ascii=False)

    def _text(self, text: str, size_wh: tuple[int, int], may_break: bool = False) -> str:
        from ..core.dialects.converting import converted

        done = converted(text, size_wh, self.source, self.target, strict=self.strict)
        self.objects += done.objects
        self.losses += done.losses
        return done.text if may_break else done.text.replace("\n", " ")  # the native reader takes either


def _tell(job: _Job, skips: bool) -> None:
    from .screen import talk

    for fault in job.faults:
        talk().print(fault, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if job.unreadable > len(job.faults):
        talk().print(f"... and {job.unreadable - len(job.faults):,} more", style="yellow", highlight=False)
    told = f"{job.objects:,} objects in {job.read:,} texts: {job.source.name} -> {job.target.name}"
    left_out = f"; {job.unreadable:,} unreadable lines left out" if skips and job.unreadable else ""
    talk().print(told + left_out, style="dim", markup=False, highlight=False, soft_wrap=True)
    for loss, count in job.losses.most_common():
        talk().print(f"  {count:,} x {loss}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _deliver(made: IO[str], out: Path | None) -> None:
    from ..evals.bench.writing import write_whole

    if out is None:
        shutil.copyfileobj(made, sys.stdout)
    else:
        write_whole(out, (line.encode("utf-8") for line in made))


def _size(text: str | None) -> tuple[int, int] | None:
    import re

    from ..core.errors import UsageError

    if text is None:
        return None
    found = re.fullmatch(r"\s*([1-9]\d{0,6})\s*[xX×,]\s*([1-9]\d{0,6})\s*", text, re.ASCII)
    if found is None:
        raise UsageError(f"--size is {text!r}, expected WIDTHxHEIGHT in pixels, such as 1024x768")
    return int(found[1]), int(found[2])


def _size_of(record: dict[str, Any]) -> tuple[int, int] | None:
    from ..core.errors import UsageError

    told = record["size_wh"] if "size_wh" in record else [record.get("width"), record.get("height")]
    if told == [None, None]:
        return None
    if not (isinstance(told, list) and len(told) == 2 and all(isinstance(n, int) and n > 0 for n in told)):
        raise UsageError(f"the record's image size is {told!r}, expected two whole numbers above 0: width, height")
    return told[0], told[1]
