"""Files of instruction records: plain JSON lines, with what they were made from in a file beside them.

`records.jsonl` holds one `Instruction` a line and nothing else, which is what trainers read. `records.meta.json` says
how it was made, where its images lie, what was left out and why, and the digest of the lines. Neither holds a time of
day: the same command over the same data writes the same bytes.

A file is written beside its place and moved there when it is whole. Whoever is killed in the middle leaves
`records.jsonl.part`, which nothing reads; the same command again starts over and ends with the same file.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from ... import __version__
from ...core.conditions import Node
from ...core.errors import UsageError
from .record import SCHEMA_VERSION, Instruction

EXPECTED = "one instruction record a line, as `surveyor data convert` writes them"


@dataclass(frozen=True)
class Provenance:
    """How records come to be; `write_records` adds what it counts.

    Attributes:
        command: what made them, as typed.
        seed: of everything random in it.
        images: folder that relative paths of pictures start from; None: the folder of the records.
        dropped: reason -> how many records were left out; read when the last record is written, so it may still fill.
        before: sha256 of the record files that these were made from.
    """

    command: str
    seed: int = 0
    images: Path | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    before: tuple[str, ...] = ()


class Meta(Node):
    """The file beside the records. Attributes as in `Provenance`; `images` is relative to the records' folder."""

    schema_version: int
    surveyor: str
    command: str
    seed: int
    images: str
    records: int
    tasks: dict[str, int]
    families: int
    licences: dict[str, str]
    dropped: dict[str, int]
    before: tuple[str, ...] = ()
    sha256: str


def meta_path(path: str | Path) -> Path:
    """The file beside the records that tells of them.

    Example:
        >>> meta_path("out/train.jsonl").as_posix()
        'out/train.meta.json'
    """
    path = Path(path)
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.meta.json")


def read_meta(path: str | Path) -> Meta | None:
    """What is told of the records in `path`; None where no such file lies beside them.

    Raises:
        UsageError: damaged, or of another schema.
    """
    beside = meta_path(path)
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        meta = Meta.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its first character"
        raise UsageError(f"{str(beside)!r} is damaged at {where}: {first['msg']}; convert the records again") from None
    if meta.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"{str(beside)!r} tells of records of schema {meta.schema_version}, this version reads {SCHEMA_VERSION}; "
            "convert the data again"
        )
    return meta


def images_folder(path: str | Path, given: str | Path | None = None) -> Path:
    """Where the pictures of the records in `path` lie: the folder given, else the one told, else that of the file."""
    if given is not None:
        return Path(given)
    meta = read_meta(path)
    return Path(path).parent / (meta.images if meta else "")


def read_records(path: str | Path) -> Iterator[Instruction]:
    """The records of a file, one at a time.

    Raises:
        UsageError: no such file, or a line that is no record; names the file, the line and what is wrong.
    """
    path = Path(path)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _record(line, path, number)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected {EXPECTED}") from None


def _record(line: bytes, path: Path, number: int) -> Instruction:
    try:
        return Instruction.model_validate_json(line)
    except ValidationError as error:
        faults = error.errors()
        where = ".".join(map(str, faults[0]["loc"]))
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UsageError(
            f"{str(path)!r} is damaged at line {number}{f', {where}' if where else ''}: {faults[0]['msg']}{more}; "
            f"expected {EXPECTED}"
        ) from None


def write_records(path: str | Path, records: Iterable[Instruction], provenance: Provenance) -> Meta:
    """Writes records as they come, in bounded memory, and what is told of them beside; gives back the latter.

    Args:
        path: ends in ".jsonl"; its folder is made. What was there stays until the new file is whole.
        records: each with its messages.
        provenance: how they come to be.

    Raises:
        UsageError: another suffix, or a record without messages. What `records` raises is handed on; either way
            nothing new is left behind.

    Example:
        >>> import tempfile
        >>> from surveyor.finetune.records.record import Picture, with_messages
        >>> one = Instruction(id="1", task="caption", pictures=(Picture(path="a.png", size_wh=(9, 9)),), reply="A bay.",
        ...                   family="a")
        >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
        >>> write_records(path, [with_messages(one)], Provenance("by hand")).tasks
        {'caption': 1}
        >>> next(read_records(path)).reply
        'A bay.'
    """
    path = Path(path)
    if path.suffix != ".jsonl":
        raise UsageError(f"records are written to {str(path)!r}; expected a name that ends in .jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    counted, part = _Counted(), path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            for record in records:
                if not record.messages:
                    raise UsageError(f"record {record.id!r} has no messages; write them with with_messages")
                line = record.model_dump_json().encode() + b"\n"
                counted.add(record, line)
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        meta = counted.meta(provenance, path)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    beside = meta_path(path)
    fresh = beside.with_name(f"{beside.name}.part")
    fresh.write_text(meta.model_dump_json(indent=1) + "\n", encoding="utf-8")
    fresh.replace(beside)
    return meta


class _Counted:
    """What passes by on its way to a file."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.tasks: Counter[str] = Counter()
        self.families: set[int] = set()  # hashes: a family's name takes ten times as much
        self.licences: dict[str, str] = {}

    def add(self, record: Instruction, line: bytes) -> None:
        self.digest.update(line)
        self.tasks[record.task] += 1
        self.families.add(hash(record.family))
        if record.source:
            self.licences[record.source] = record.licence

    def meta(self, provenance: Provenance, path: Path) -> Meta:
        images = provenance.images or path.parent
        try:
            told = os.path.relpath(images.resolve(), path.parent.resolve())
        except ValueError:  # another drive
            told = str(images.resolve())
        return Meta(
            schema_version=SCHEMA_VERSION,
            surveyor=__version__,
            command=provenance.command,
            seed=provenance.seed,
            images=Path(told).as_posix(),
            records=sum(self.tasks.values()),
            tasks=dict(sorted(self.tasks.items())),
            families=len(self.families),
            licences=dict(sorted(self.licences.items())),
            dropped=dict(sorted(provenance.dropped.items())),
            before=provenance.before,
            sha256=self.digest.hexdigest(),
        )
