"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Writes a file beside its place, has the disk keep it, and moves it there; what was there stays until then.

    Args:
        path: of the file; its folder exists.
        pieces: of its content, in order. What they raise is handed on, and nothing is left behind.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> write_whole(path, [b"one ", b"two"])
        >>> path.read_text()
        'one two'
    """
    beside = Path(path).with_name(f"{Path(path).name}.new")
    try:
        with beside.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
