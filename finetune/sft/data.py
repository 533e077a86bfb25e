"""Which records a run learns from, where they stand, and in which order they come: decided before it begins.

Records are read once to be checked and measured, then one at a time when their turn comes: a million of them take some
50 MB. The order is a function of the settings alone, so a run that was killed goes on with the next record.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ...core.errors import UsageError
from ...core.progress import report
from ..records.files import images_folder, read_records
from ..records.record import TASKS, Instruction

HELD_OUT = ("test", "val", "dev")
"""Published splits that begin so are not trained on."""
_WINDOW = 50  # global batches among which records of equal length are sought
_CHUNK = 8  # batches of about equal length side by side: as many GPUs wait little for each other
Measure = Callable[[Instruction], tuple[int, int]]
"""Tokens of a record in all, and of its reply."""


@dataclass(frozen=True)
class Source:
    """One dataset among the records: its licence as told, how many records and families."""

    licence: str
    records: int
    families: int


@dataclass(frozen=True, eq=False)
class Lines:
    """Records in files, measured; none of them in memory.

    Attributes:
        files: of the records. images: folder of the pictures of each file.
        file, start, number: (N,) index of the file, byte where the line begins, and its number from 1.
        task: (N,) index in `TASKS`.
        tokens, replied: (N,) tokens in all, and of the replies.
        left_out: reason -> how many.
        sources: dataset -> what is told of it.
        families: leakage families of all records.
        digest: of the files' bytes.
    """

    files: tuple[Path, ...]
    images: tuple[Path, ...]
    file: np.ndarray
    start: np.ndarray
    number: np.ndarray
    task: np.ndarray
    tokens: np.ndarray
    replied: np.ndarray
    left_out: dict[str, int]
    sources: dict[str, Source]
    families: frozenset[str]
    digest: str

    def __len__(self) -> int:
        return len(self.file)

    def read(self, index: int) -> Instruction:
        """The record. Raises UsageError where the file has changed since it was measured."""
        try:
            with self.files[self.file[index]].open("rb") as lines:
                lines.seek(int(self.start[index]))
                return Instruction.model_validate_json(lines.readline())
        except (OSError, ValidationError) as error:
            raise UsageError(f"{self.where(index)} has changed since it was checked ({type(error).__name__})") from None

    def where(self, index: int) -> str:
        """File and line, for messages."""
        return f"{str(self.files[self.file[index]])!r} line {self.number[index]}"

    def folder(self, index: int) -> Path:
        """Of the record's images."""
        return self.images[self.file[index]]

    def tasks(self) -> dict[str, int]:
        """Task -> how many records."""
        counted = Counter(self.task.tolist())
        return {task: counted[place] for place, task in enumerate(TASKS) if counted[place]}


@dataclass
class _Gathered:
    columns: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in ("file", "start", "number", "task", "tokens", "replied")}
    )
    left_out: Counter[str] = field(default_factory=Counter)
    licences: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    families: dict[str, set[str]] = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    known: set[Path] = field(default_factory=set)


def look_through(
    paths: Sequence[str], measure: Measure, *, images: str | None = None, most_tokens: int = 2**31,
    training: bool = False, allow_splits: Sequence[str] = (), skip_tasks: Sequence[str] = (),
) -> Lines:  # fmt: skip
    """Every record of the files checked and measured.

    Args:
        paths: of the files.
        measure: gives a record's tokens.
        images: folder of all pictures; None as told beside each file.
        most_tokens: longer records are left out and counted.
        training: records published for validation or tests are refused.
        allow_splits: of those, the ones that are not.
        skip_tasks: are left out and counted.

    Raises:
        UsageError: a file or picture that is not there, a damaged line, an id twice, a record that may not be trained
            on, or none at all; with file and line.
    """
    files = tuple(Path(path) for path in paths)
    found, folders, digest = _Gathered(), [], hashlib.sha256()
    for place, path in enumerate(files):
        starts = _starts(path, digest)
        folders.append(images_folder(path, images))
        for (number, start), record in zip(starts, read_records(path), strict=True):
            where = f"{str(path)!r} line {number}"
            if len(found.columns["file"]) % 200 == 0:
                report(f"checking {path.name}", number, starts[-1][0])
            _check(record, where, found, training, allow_splits)
            if record.task in skip_tasks:
                found.left_out["task with weight 0"] += 1
                continue
            _check_pictures(record, where, folders[-1], found)
            try:
                tokens, replied = measure(record)
            except UsageError as error:
                raise UsageError(f"{where}: {error}") from None
            if tokens > most_tokens:
                found.left_out[f"longer than max_length, {most_tokens}"] += 1
                continue
            row = (place, start, number, TASKS.index(record.task), tokens, replied)
            for column, value in zip(found.columns.values(), row, strict=True):
                column.append(value)
            _count(record, found)
    _tell_missing(found, images)
    if not found.columns["file"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items()) or "the files are empty"
        raise UsageError(f"no records are left of {', '.join(map(repr, paths))}: {reasons}")
    sources = {
        name: Source(found.licences[name], count, len(found.families[name])) for name, count in found.counts.items()
    }
    every = frozenset().union(*found.families.values())
    columns = {name: np.array(values, dtype=np.int64) for name, values in found.columns.items()}
    return Lines(files, tuple(folders), **columns, left_out=dict(found.left_out), sources=sources, families=every,
                 digest=digest.hexdigest())  # fmt: skip


def _starts(path: Path, digest: hashlib._Hash) -> list[tuple[int, int]]:
    """Number and first byte of each line that holds something."""
    found, place = [], 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                digest.update(line)
                if line.strip():
                    found.append((number, place))
                place += len(line)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected a file of records") from None
    return found


def _check(record: Instruction, where: str, found: _Gathered, training: bool, allowed: Sequence[str]) -> None:
    if not record.messages:
        raise UsageError(f"{where}: the record {record.id!r} has no messages; convert the data again")
    own = hash(record.id)
    if own in found.ids:
        raise UsageError(f"{where}: the id {record.id!r} is there twice; expected each record once")
    found.ids.add(own)
    split = (record.split or "").lower()
    if training and split.startswith(HELD_OUT) and record.split not in allowed:
        raise UsageError(
            f"{where}: the record {record.id!r} was published for {record.split!r}, which is not trained on; take it "
            f"out (surveyor data split), or say allow_splits: [{record.split}]"
        )


def _check_pictures(record: Instruction, where: str, folder: Path, found: _Gathered) -> None:
    for picture in record.pictures:
        path = folder / picture.path
        if path in found.known:
            continue
        if path.is_file():
            found.known.add(path)
        else:
            found.missing.setdefault(str(path), where)


def _tell_missing(found: _Gathered, images: str | None) -> None:
    if not found.missing:
        return
    first = "; ".join(f"{path!r} ({where})" for path, where in list(found.missing.items())[:3])
    count, say = len(found.missing), "" if images else "; say where they lie with images: FOLDER"
    raise UsageError(f"{count} image{'s are' if count > 1 else ' is'} missing: {first}{' ...' * (count > 3)}{say}")


def _count(record: Instruction, found: _Gathered) -> None:
    source = record.source or "not told"
    found.licences.setdefault(source, record.licence or "not told")
    found.counts[source] += 1
    found.families.setdefault(source, set()).add(record.family)


def check_apart(train: Lines, val: Lines) -> None:
    """Raises UsageError where a leakage family is on both sides."""
    shared = sorted(train.families & val.families)
    if shared:
        raise UsageError(
            f"{len(shared)} leakage families are both in train and in val (first {shared[0]!r}): scores would tell of "
            "memory; divide the records by family (surveyor data split)"
        )


# ---- order


def steps_of(lines: Lines, weights: dict[str, float], epochs: float, steps: int | None, global_batch: int) -> int:
    """How many steps a run takes: `steps`, or as many as `epochs` fill, rounded up."""
    return steps or max(1, math.ceil(epochs * seen_an_epoch(lines, weights) / global_batch - 1e-9))


def seen_an_epoch(lines: Lines, weights: dict[str, float]) -> float:
    """How many records are seen an epoch: each as often as its task weighs."""
    return float(_weights(lines, weights).sum())


def order(
    lines: Lines, weights: dict[str, float], *, steps: int, global_batch: int, batch: int, seed: int, group: bool
) -> np.ndarray:
    """(steps x global_batch,) index of the record that is seen at each place.

    Epochs follow each other, each in an order of its own; a weight of 2.5 shows each record of a task twice and half of
    them, drawn anew, a third time. With `group`, records of 50 steps are sorted by length, cut into pieces of up to
    eight batches, and the pieces mixed: a batch holds little padding, and a step still holds several lengths. The
    longest record of the first 50 steps comes first: memory runs out at once, or hardly ever.
    """
    each = _weights(lines, weights)
    if each.sum() < 1:
        raise UsageError("task_weights leave less than one record an epoch; raise them")
    wanted, held = steps * global_batch, 0
    parts: list[np.ndarray] = []
    while held < wanted:
        parts.append(_epoch(each, np.random.default_rng((seed, len(parts)))))
        held += len(parts[-1])
    drawn = np.concatenate(parts)[:wanted]
    if not group:
        return drawn
    rng = np.random.default_rng((seed, 2**31))
    piece = batch * math.gcd(global_batch // batch, _CHUNK)
    out = []
    for start in range(0, wanted, _WINDOW * global_batch):
        window = drawn[start : start + _WINDOW * global_batch]
        window = window[np.argsort(lines.tokens[window], kind="stable")].reshape(-1, piece)
        mixed = rng.permutation(len(window))
        if start == 0:
            at = int(np.flatnonzero(mixed == len(window) - 1)[0])
            mixed[[0, at]] = mixed[[at, 0]]
        out.append(window[mixed].ravel())
    return np.concatenate(out)


def padding_share(lines: Lines, drawn: np.ndarray, batch: int) -> float:
    """Which share of the tokens that the model reads is padding."""
    lengths = lines.tokens[drawn].reshape(-1, batch)
    return float(1 - lengths.sum() / (lengths.max(axis=1).sum() * batch))


def chosen_in_turn(lines: Lines, count: int, seed: int) -> list[int]:
    """Up to `count` records, the tasks in turn, the same for the same seed."""
    rng = np.random.default_rng((seed, 2**30))
    queues = [rng.permutation(np.flatnonzero(lines.task == task)).tolist() for task in np.unique(lines.task)]
    found: list[int] = []
    while len(found) < count and any(queues):
        found += [queue.pop() for queue in queues if queue]
    return sorted(found[:count])


def _weights(lines: Lines, weights: dict[str, float]) -> np.ndarray:
    return np.array([weights.get(task, 1.0) for task in TASKS])[lines.task]


def _epoch(each: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of one epoch, mixed."""
    whole = np.floor(each).astype(np.int64)
    shown = [np.repeat(np.arange(len(each)), whole)]
    for part in np.unique(each - whole):
        alike = np.flatnonzero(each - whole == part)
        shown.append(rng.permutation(alike)[: int(part * len(alike) + rng.random())])
    return rng.permutation(np.concatenate(shown))
