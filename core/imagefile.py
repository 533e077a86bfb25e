"""What can be said of an image file before any pixel is decoded: is it one, is it whole, which way is up."""

from __future__ import annotations

import difflib
import os
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from .errors import UsageError

READABLE = "PNG, JPEG, TIFF, GeoTIFF, JPEG 2000, WebP or BMP"
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".webp", ".bmp"}
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"BM": "BMP",
}
_ORIENTATION_TAG = 274
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+:/{1,2}(?!/)[^/\\]|^/vsi", re.IGNORECASE)


def check_image_path(path: str | Path) -> Path:
    """The path of a file that can be opened.

    Raises:
        UsageError: an address instead of a path, no such file, a folder, an empty file, or no permission to read it.
    """
    text = str(path)
    if _ADDRESS.match(text):
        raise UsageError(
            f"{text!r} is an address, expected a file on this machine; download the image first and give its path"
        )
    place = Path(text).expanduser()
    try:
        if place.is_dir():
            raise UsageError(f"{text!r} is a folder, expected an image file; {_images_in(place)}")
        if not place.exists():
            raise UsageError(f"there is no file {text!r}{_nearest(place)}")
        if not place.is_file():
            raise UsageError(f"{text!r} is a device or pipe, expected an image file; save the image to a file first")
        size = place.stat().st_size
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"the path {text[:200]!r} cannot be used ({error.__class__.__name__}); check its spelling"
        ) from None
    if not os.access(place, os.R_OK):
        raise UsageError(f"no permission to read {text!r}; change its permissions (chmod +r) or run as its owner")
    if size == 0:
        raise UsageError(f"{text!r} is empty (0 bytes); copy or download the image again")
    return place


def driver_of(path: Path) -> str:
    """The GDAL driver for a file, by its first bytes; its suffix may lie.

    GDAL is never left to choose: it would also open text files that point at other files or at the network.

    Raises:
        UsageError: none of the kinds that can be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, driver in _MAGIC.items():
        if head.startswith(magic):
            return driver
    raise UsageError(f"{str(path)!r} is not an image (it begins with {head!r}); expected {READABLE}")


def check_png(path: Path) -> int:
    """Walks through a PNG's chunks and gives its EXIF orientation (1 when it has none).

    libpng as GDAL calls it returns made-up pixels for a file that was cut short, so that is found out here.

    Raises:
        UsageError: the file is cut short or a chunk's check sum is wrong.
    """
    orientation, size = 1, path.stat().st_size
    with path.open("rb") as file:
        file.seek(8)
        while True:
            head = file.read(8)
            length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
            if not kind or file.tell() + length + 4 > size:
                raise UsageError(f"{str(path)!r} is a PNG file that is cut short; copy or download it again")
            body = file.read(length)
            if zlib.crc32(kind + body) != struct.unpack(">I", file.read(4))[0]:
                raise UsageError(
                    f"{str(path)!r} is a damaged PNG file (check sum of {kind!r}); copy or download it again"
                )
            if kind == b"eXIf":
                orientation = _orientation_in_tiff(body)
            if kind == b"IEND":
                return orientation


def tiff_orientation(path: Path) -> int:
    """The orientation tag of a TIFF's first directory, 1 to 8; 1 when there is none or it lies far into the file."""
    with path.open("rb") as file:
        return _orientation_of(file)


def _orientation_in_tiff(data: bytes) -> int:
    from io import BytesIO

    return _orientation_of(BytesIO(data))


def _orientation_of(file: BinaryIO) -> int:
    head = file.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        return 1
    file.seek(struct.unpack(order + "I", head[4:])[0])
    count_bytes = file.read(2)
    count = struct.unpack(order + "H", count_bytes)[0] if len(count_bytes) == 2 else 0
    for _ in range(count):
        entry = file.read(12)
        if len(entry) < 12:
            break
        tag, kind, _length, value = struct.unpack(order + "HHIH", entry[:10])
        if tag == _ORIENTATION_TAG and kind == 3 and 1 <= value <= 8:
            return int(value)
    return 1


def _images_in(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in _SUFFIXES)
    except OSError:
        names = []
    return f"give one of its images, such as {names[0]!r}" if names else f"and it holds no {READABLE}"


def _nearest(place: Path) -> str:
    try:
        names = [entry.name for _, entry in zip(range(2000), place.parent.iterdir(), strict=False)]
    except OSError:
        return f": the folder {str(place.parent)!r} does not exist"
    close = difflib.get_close_matches(place.name, names, n=1)
    return f"; did you mean {str(place.parent / close[0])!r}?" if close else "; check the path"
