"""The store: results of steps on disk, named by what they are, and found by what they were made from.

Two kinds of files, both written whole under another name and then renamed, so that any number of processes can use one
store: `objects/ab/<digest>` holds JSON under the digest of its own text, `found/ab/<key>` tells the digest of the value
that a step had. Every file starts with a digest of the rest; a file that does not fit it (a damaged disk, an edit) is
removed and its value made again. The store is bounded: those not used for longest go first.

The store never stops a run. What cannot be written (disk full, read-only) is told once, in `Store.trouble`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..core.regions import CandidateSet, Region
from ..tools.values import Value
from .store_values import VALUES_VERSION, regions_from_json, regions_to_json, value_from_json, value_to_json

MAX_BYTES = 2 * 2**30
_SWEEP_EVERY_S = 3600.0
_SHARED = 64
"""How many lists of regions are kept in memory, so that the steps of a chain share them when they are read."""


@dataclass(frozen=True)
class Made:
    """What the store tells of a step that was made before.

    Args:
        value: digest of its value.
        seconds: how long the tool took.
        faults: of earlier tries (see `Observation.faults`).
        notes: of models (see `Observation.notes`).
        run: the mark of the run that made it.
    """

    value: str
    seconds: float = 0.0
    faults: tuple[str, ...] = ()
    run: str = ""
    notes: tuple[str, ...] = ()


class Store:
    """Results of steps in a folder. Safe to share between threads and processes.

    Args:
        folder: where; made when something is first written.
        max_bytes: how much it may hold; checked once an hour and after each twentieth of it written.

    Attributes:
        trouble: why something could not be written; None when all went well.

    Example:
        >>> from surveyor.tools.values import Count
        >>> store = Store(Path("results"))
        >>> store.value(store.put_value(Count(3)))
        Count(n=3, undecided=0)
    """

    def __init__(self, folder: str | Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.trouble: str | None = None
        self._lock = threading.Lock()
        self._written = 0
        self._read: OrderedDict[str, tuple[Region, ...]] = OrderedDict()
        self._put: OrderedDict[tuple[int, ...], tuple[str, tuple[Region, ...]]] = OrderedDict()

    # ---- what was made before

    def look_up(self, key: str) -> Made | None:
        """What a step with this key (see `digest_of`) gave; None when it is not known."""
        data = self._read_json(self._place("found", key))
        if data is None or data.get("version") != VALUES_VERSION:
            return None
        return Made(data["value"], data["seconds"], tuple(data["faults"]), data["run"], tuple(data.get("notes", ())))

    def remember(self, key: str, made: Made) -> None:
        """Tells later runs what a step with this key gave."""
        data = {name: getattr(made, name) for name in ("value", "seconds", "run")}
        told = {"faults": list(made.faults), "notes": list(made.notes)}
        self._write_json(self._place("found", key), {"version": VALUES_VERSION, **data, **told})

    # ---- values

    def put_value(self, value: Value) -> str:
        """Writes a value; returns its digest, which equal values share."""
        data = {"version": VALUES_VERSION, **value_to_json(value)}
        if isinstance(value, CandidateSet):
            data["regions"] = self._put_regions(tuple(candidate.region for candidate in value))
        return self.put_json(data)

    def value(self, digest: str) -> Value | None:
        """The value of that digest; None when it is not there, damaged, or of another version."""
        data = self.json(digest)
        if data is None or data.pop("version", None) != VALUES_VERSION:
            return None
        regions: tuple[Region, ...] | None = ()
        if "regions" in data:
            regions = self._regions(data.pop("regions"))
        if regions is None:
            return None
        try:
            return value_from_json(data, regions)
        except (KeyError, ValueError, TypeError):
            return None

    def put_json(self, data: Any) -> str:
        """Writes any JSON; returns its digest."""
        text = _text(data)
        digest = hashlib.sha256(text).hexdigest()
        self._write(self._place("objects", digest), text)
        return digest

    def json(self, digest: str) -> Any:
        """The JSON of that digest; None when it is not there or damaged."""
        return self._read_json(self._place("objects", digest))

    def _put_regions(self, regions: tuple[Region, ...]) -> str:
        which = tuple(map(id, regions))
        with self._lock:
            if which in self._put:
                return self._put[which][0]
        digest = self.put_json(regions_to_json(regions))
        self._share(digest, regions)
        return digest

    def _regions(self, digest: str) -> tuple[Region, ...] | None:
        with self._lock:
            if digest in self._read:
                return self._read[digest]
        data = self.json(digest)
        if data is None:
            return None
        try:
            regions = regions_from_json(data)
        except (UsageError, KeyError, ValueError, TypeError):
            return None
        return self._share(digest, regions)

    def _share(self, digest: str, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        """The regions to use for a digest, kept in memory; those that another thread has put there first, if any."""
        with self._lock:
            regions = self._read.setdefault(digest, regions)
            self._put[tuple(map(id, regions))] = (digest, regions)  # holding the regions keeps their identities
            if len(self._read) > _SHARED:
                self._read.popitem(last=False)
            while len(self._put) > _SHARED:
                self._put.popitem(last=False)
        return regions

    # ---- files

    def _place(self, kind: str, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            raise UsageError(f"a digest has 64 hexadecimal digits, not {name!r}")
        return self.folder / kind / name[:2] / name

    def _read_json(self, path: Path) -> Any:
        text = self._checked(path)
        return None if text is None else json.loads(text)

    def _checked(self, path: Path) -> bytes | None:
        """The text of a file; None when there is none. A damaged file is removed."""
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.trouble = f"{path}: {error.strerror or error}"
            return None
        try:
            text = zlib.decompress(body)
        except zlib.error:
            text = b""
        digest = hashlib.sha256(text).hexdigest()
        if head.decode("ascii", "replace") == digest and (path.parent.parent.name == "found" or path.name == digest):
            return text
        with suppress(OSError):
            path.unlink()
        return None

    def _write_json(self, path: Path, data: Any) -> None:
        self._write(path, _text(data), anew=True)

    def _write(self, path: Path, text: bytes, *, anew: bool = False) -> None:
        try:
            if not anew and path.exists() and self._checked(path) is not None:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            body = hashlib.sha256(text).hexdigest().encode() + b"\n" + zlib.compress(text, 1)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
                file.write(body)
            Path(file.name).replace(path)
        except OSError as error:
            self.trouble = f"{path}: {error.strerror or error}"
            return
        with self._lock:
            self._written += len(body)

    # ---- size

    def trim(self) -> None:
        """Removes what was not used for longest, when the store may have grown beyond its bound."""
        stamp = self.folder / "swept"
        with suppress(OSError):
            recent = stamp.exists() and time.time() - stamp.stat().st_mtime < _SWEEP_EVERY_S
            if not self.folder.exists() or (recent and self._written < self.max_bytes / 20):
                return
            stamp.touch()
            self._written = 0
            self._sweep()

    def size(self) -> tuple[int, int]:
        """(bytes, files) of the store."""
        files = list(self._files())
        return sum(size for _, size, _ in files), len(files)

    def clear(self) -> None:
        """Removes all results."""
        with self._lock:
            self._read.clear()
            self._put.clear()
        for _, _, path in list(self._files()):
            with suppress(OSError):
                path.unlink()

    def _sweep(self) -> None:
        files = sorted(self._files(), key=lambda file: file[0])
        total = sum(size for _, size, _ in files)
        least = self.max_bytes if total <= self.max_bytes else 0.9 * self.max_bytes
        for _, size, path in files:
            if total <= least:
                return
            with suppress(OSError):
                path.unlink()
                total -= size

    def _files(self) -> Sequence[tuple[float, int, Path]]:
        """(last used, bytes, path) of each file of ours."""
        found = []
        for kind in ("objects", "found"):
            for path in (self.folder / kind).glob("??/*"):
                with suppress(OSError):
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        return found


def digest_of(parts: Mapping[str, Any]) -> str:
    """A name for what a step is made from: 64 hexadecimal digits over the JSON of `parts`.

    Example:
        >>> digest_of({"tool": "count"}) == digest_of({"tool": "count"})
        True
    """
    return hashlib.sha256(_text(parts)).hexdigest()


def _text(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def cache_folder() -> Path | None:
    """Where results are kept: $SURVEYOR_CACHE, else the user's cache folder; None for "off"."""
    given = os.environ.get("SURVEYOR_CACHE", "").strip()
    if given.lower() in ("off", "0", "no"):
        return None
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("surveyor", appauthor=False)


def open_store(wanted: bool | str | Path | Store = True) -> Store | None:
    """The store to use: the default one for True, none for False, or the one in a folder.

    Raises:
        UsageError: $SURVEYOR_CACHE_MB is no number above 0.
    """
    if isinstance(wanted, Store):
        return wanted
    folder = (cache_folder() if wanted else None) if isinstance(wanted, bool) else Path(wanted)
    return None if folder is None else _store(folder, _max_bytes())


@cache
def _store(folder: Path, max_bytes: int) -> Store:
    return Store(folder, max_bytes=max_bytes)


def _max_bytes() -> int:
    given = os.environ.get("SURVEYOR_CACHE_MB", "").strip()
    if not given:
        return MAX_BYTES
    try:
        megabytes = float(given)
    except ValueError:
        megabytes = 0.0
    if not megabytes > 0:
        raise UsageError(f"SURVEYOR_CACHE_MB is {given!r}, expected megabytes above 0, such as 2000")
    return int(megabytes * 2**20)
