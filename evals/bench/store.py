"""The files of a run: `run.json` (its settings) and `predictions.jsonl` (one line an item, as they come).

A line is written as soon as its item is answered, so a killed process loses only what was still being answered; a power
cut loses what was written in the last second. A half line at the end is cut off when the run goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pydantic import ValidationError

from ... import __version__
from ...core.conditions import Node
from ...core.errors import UsageError
from .items import line_faults
from .predict import OPTIONS, How
from .predictions import Prediction
from .writing import write_whole

RUN_FORMAT = 1
RUN_FILE = "run.json"
PREDICTIONS_FILE = "predictions.jsonl"
_SYNC_LINES, _SYNC_S = 32, 1.0
_UNSHOWN = {"items": "another items file", "program": "a changed program (code or prompts)"}
"""What is named where it differs, since its digest tells nobody anything."""


class Settings(Node):
    """What decides a run's predictions. A run goes on only with the same.

    Attributes:
        items: SHA-256 of the items file.
        models: as they were written; "" for the built-in ones.
        versions: role -> name and version, of the models that are asked.
        how: what answers.
        limit: only so many of the file's first items; None for all.
        shard: which part of how many, from 1.
        surveyor: version of the program.
        program: digest of the code that results depend on.
    """

    items: str
    models: str
    versions: dict[str, str]
    how: How
    limit: int | None = None
    shard: tuple[int, int] = (1, 1)
    surveyor: str = __version__
    program: str = ""

    def differences(self, other: Settings) -> list[str]:
        """What is not the same, in words: "another items file", "--limit: 10, now 20"."""
        mine, theirs = self._named(), other._named()
        names = [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]
        return [
            name if name in _UNSHOWN.values() else f"{name}: {_short(mine.get(name))}, now {_short(theirs.get(name))}"
            for name in names
        ]

    def _named(self) -> dict[str, Any]:
        """What is compared, as a user calls it."""
        found: dict[str, Any] = {_UNSHOWN["items"]: self.items, "--models": self.models}
        found |= {f"version of the {role}": version for role, version in self.versions.items()}
        found |= {OPTIONS[name]: value for name, value in self.how.model_dump(mode="json").items()}
        found |= {"--limit": self.limit, "--shard": f"{self.shard[0]}/{self.shard[1]}"}
        return found | {"version of surveyor": self.surveyor, _UNSHOWN["program"]: self.program}


class About(Node):
    """What a reader of the run should know and what may differ when it goes on.

    Attributes:
        task: of the items.
        items: path of the items file, absolute.
        root: folder of the images, absolute.
        wanted: how many items the run answers.
        started: seconds since 1970.
    """

    task: str
    items: str
    root: str
    wanted: int
    started: float


class RunFile(Node):
    """The content of `run.json`."""

    format: int = RUN_FORMAT
    settings: Settings
    about: About


def read_run(out_dir: str | Path) -> RunFile:
    """What `run.json` says. Raises UsageError where it is missing or damaged."""
    path = Path(out_dir) / RUN_FILE
    try:
        return RunFile.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{str(out_dir)!r} is no run: {RUN_FILE} cannot be read ({error.strerror or error})") from None
    except (ValidationError, UnicodeDecodeError) as error:
        told = line_faults(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"{str(path)!r} is damaged or of another version: {told}; start in a new folder") from None


def read_predictions(out_dir: str | Path) -> Iterator[Prediction]:
    """The predictions of a run, or of a file of them. A half line at the end is left out.

    Raises:
        UsageError: a missing or damaged file, or two predictions of one item; says which line.
    """
    path = Path(out_dir)
    path = path / PREDICTIONS_FILE if path.is_dir() else path
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read the predictions {str(path)!r}: {error.strerror or error}") from None
    with file:
        for _, prediction in _lines(file, path):
            yield prediction


def _lines(file: IO[bytes], path: Path) -> Iterator[tuple[bytes, Prediction]]:
    """Each whole line with its prediction; the file is left behind the last of them."""
    seen: set[str] = set()
    for number, line in enumerate(iter(file.readline, b""), start=1):
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            return
        try:
            prediction = Prediction.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(f"{str(path)!r} is damaged at line {number}: {line_faults(error)}") from None
        if prediction.id in seen:
            raise UsageError(f"{str(path)!r} is damaged at line {number}: a second answer to {prediction.id!r}")
        seen.add(prediction.id)
        yield line, prediction


class Predictions:
    """The predictions of a run at work. One process at a time; use it in a `with` block.

    Args:
        out_dir: folder of the run; made where it is not there.
        settings: of this call.
        about: of this call; the first one is kept.
        retry: statuses whose items are to be asked again: their lines go when the first new answer comes.

    Attributes:
        done: ids that are answered.
        statuses: status -> how many.

    Raises:
        UsageError: the folder holds a run of other settings, is damaged, or another process is at it.
    """

    def __init__(self, out_dir: str | Path, settings: Settings, about: About, retry: Collection[str] = ()) -> None:
        self._folder = Path(out_dir)
        self._path = self._folder / PREDICTIONS_FILE
        self.done: set[str] = set()
        self.statuses: Counter[str] = Counter()
        self._unsynced, self._synced = 0, time.monotonic()
        self._rest: list[bytes] | None = None
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(parents=True, exist_ok=True)
        if not self._folder.is_dir():
            raise UsageError(f"{str(self._folder)!r} is a file; give a folder for the run")
        self._lock = _locked(self._folder)
        try:
            self._check(settings, about)
            self._file = self._taken_up(retry)
        except BaseException:
            self._lock.close()
            raise

    def _check(self, settings: Settings, about: About) -> None:
        if not (self._folder / RUN_FILE).exists():
            if self._path.exists():
                raise UsageError(f"{str(self._folder)!r} holds predictions without {RUN_FILE}; give another folder")
            text = json.dumps(RunFile(settings=settings, about=about).model_dump(mode="json"), indent=1)
            write_whole(self._folder / RUN_FILE, [text.encode(), b"\n"])
            return
        differences = read_run(self._folder).settings.differences(settings)
        if differences:
            raise UsageError(
                f"{str(self._folder)!r} was begun with other settings: {'; '.join(differences)}. "
                "Go on with the same, or give another folder"
            )

    def _taken_up(self, retry: Collection[str]) -> IO[bytes]:
        """The file, open at its end without a half line; its ids are noted, but for those to be asked again."""
        self._path.touch()
        kept: list[bytes] = []
        dropped = False
        with self._path.open("rb+") as file:
            for line, prediction in _lines(file, self._path):
                if prediction.status in retry:
                    dropped = True
                    continue
                self.done.add(prediction.id)
                self.statuses[prediction.status] += 1
                if retry:
                    kept.append(line)
            file.truncate()
        self._rest = kept if dropped else None
        return self._path.open("ab", buffering=0)

    def add(self, prediction: Prediction) -> bool:
        """Writes one line; False where the item has its answer already."""
        if prediction.id in self.done:
            return False
        if self._rest is not None:
            self._file.close()
            write_whole(self._path, self._rest)
            self._file, self._rest = self._path.open("ab", buffering=0), None
        line = memoryview(prediction.model_dump_json(exclude_defaults=True).encode() + b"\n")
        while line:
            line = line[self._file.write(line) :]
        self.done.add(prediction.id)
        self.statuses[prediction.status] += 1
        self._unsynced += 1
        if self._unsynced >= _SYNC_LINES or time.monotonic() - self._synced >= _SYNC_S:
            self.sync()
        return True

    def sync(self) -> None:
        """Has the disk keep what was written."""
        os.fsync(self._file.fileno())
        self._unsynced, self._synced = 0, time.monotonic()

    def __enter__(self) -> Predictions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        try:
            self.sync()
        finally:
            self._file.close()
            self._lock.close()


def _locked(folder: Path) -> IO[bytes]:
    """The folder's lock; a process that dies lets go of it."""
    file = (folder / "lock").open("ab")
    try:
        import fcntl
    except ImportError:  # Windows: two processes in one folder are the user's care
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(f"another process is at the run in {str(folder)!r}; wait for it, or give another folder") from None  # fmt: skip  # noqa: E501
    return file


def _short(value: Any) -> str:
    text = "none" if value in (None, [], "") else ",".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"
