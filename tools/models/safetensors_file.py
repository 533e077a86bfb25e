"""The header of a safetensors file, read without torch: which tensors there are, and whether the file is whole.

Format: 8 bytes with the length of the header (little-endian), the header as JSON, then the tensors without gaps
(safetensors 0.8, README, "Format").
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import UsageError

BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "F64": 64, "I64": 64, "U64": 64, "C64": 64,
}  # fmt: skip
"""Bits of one number of each type."""
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8"}
_MAX_HEADER_BYTES = 100_000_000
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: its shape, and its type as safetensors calls it ("BF16")."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Name -> tensor of a whole file; nothing but its header is read.

    Raises:
        UsageError: the file is no safetensors file, damaged, or shorter or longer than its header says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if _is_pointer(start + file.read(len(_LFS_POINTER))):
            raise UsageError(f"{path.name} is a Git LFS pointer of {size} bytes, not the file; run: git lfs pull")
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            raise UsageError(_no_header(path, size, start, length))
        file.seek(8)
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise UsageError(f"{path.name} is damaged: its header is no JSON") from None
    tensors, spans = _read_entries(path, header)
    _check_spans(path, spans, size - 8 - length)
    return tensors


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves where its content was not fetched."""
    with path.open("rb") as file:
        return _is_pointer(file.read(len(_LFS_POINTER)))


def numbers_by_type(tensors: Iterable[Tensor]) -> dict[str, int]:
    """Type ("bfloat16") -> how many numbers are of it, the most frequent first.

    Example:
        >>> numbers_by_type([Tensor((2, 3), "BF16"), Tensor((4,), "F32")])
        {'bfloat16': 6, 'float32': 4}
    """
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[NAMES.get(tensor.dtype, tensor.dtype.lower())] += tensor.count
    return dict(counts.most_common())


def _is_pointer(head: bytes) -> bool:
    return head.startswith(_LFS_POINTER)


def _no_header(path: Path, size: int, start: bytes, length: int) -> str:
    if size == 0:
        return f"{path.name} is empty"
    if start[:1] == b"<":
        return f"{path.name} is a page of HTML, not weights: what was saved is the hub's page about the file"
    if len(start) < 8 or length <= _MAX_HEADER_BYTES:
        return f"{path.name} is cut off inside its header ({size:,} bytes)"
    return f"{path.name} is damaged or no safetensors file: its first 8 bytes are no length"


def _read_entries(path: Path, header: Any) -> tuple[dict[str, Tensor], list[tuple[int, int, str]]]:
    if not isinstance(header, dict):
        raise UsageError(f"{path.name} is damaged: its header is no JSON object")
    tensors: dict[str, Tensor] = {}
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = entry["dtype"], tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
            if not whole or dtype not in BITS:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"{path.name} is damaged: the header's entry {name!r} is {str(entry)[:80]!r}") from None
        tensors[name] = Tensor(shape, dtype)
        if (end - begin) * 8 != tensors[name].count * BITS[dtype]:
            raise UsageError(f"{path.name} is damaged: {name!r} has {end - begin} bytes for {dtype} {list(shape)}")
        spans.append((begin, end, name))
    if not tensors:
        raise UsageError(f"{path.name} holds no tensors")
    return tensors, spans


def _check_spans(path: Path, spans: list[tuple[int, int, str]], there: int) -> None:
    at = 0
    for begin, end, name in sorted(spans):
        if begin != at:
            raise UsageError(f"{path.name} is damaged: {name!r} begins at byte {begin}, expected {at}")
        at = end
    if there < at:
        raise UsageError(f"{path.name} is cut off: {at - there:,} of {at:,} bytes of its tensors are missing")
    if there > at:
        raise UsageError(f"{path.name} is damaged: {there - at:,} bytes follow its last tensor")
