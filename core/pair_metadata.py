"""What an image file's head says of its making: bands, depth, and when the picture was taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .raster import head_of

_TAKEN = ("ACQUISITIONDATETIME", "ACQUISITION_DATETIME", "ACQUISITION_DATE", "ACQUISITIONDATE", "DATE_ACQUIRED")
_PHOTOGRAPHED = ("EXIF_DATETIMEORIGINAL", "EXIF_DATETIMEDIGITIZED")
_WRITTEN = ("TIFFTAG_DATETIME", "EXIF_DATETIME")
_DATE = re.compile(
    r"\s*(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})"
    r"(?:[T ]+(\d{2}):?(\d{2})(?::?(\d{2}))?)?(?:\.\d+)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?\s*"
)


@dataclass(frozen=True)
class Head:
    """A file's head.

    Attributes:
        bands: how many.
        dtype: type of their values: "uint8", "uint16", ...
        taken: when, by the clock in the metadata; None where nothing tells.
        tag: the metadata entry that told; None where nothing does.
    """

    bands: int
    dtype: str
    taken: datetime | None = None
    tag: str | None = None

    @property
    def kind(self) -> str:
        """Bands and type in words: "3 bands of uint8"."""
        return f"{self.bands} band{'' if self.bands == 1 else 's'} of {self.dtype}"


def read_head(path: Path) -> Head:
    """Bands, depth and date of a file.

    The date is the acquisition's where the file names one (GDAL's IMAGERY domain and usual names), else the EXIF time
    of the photograph, else the time at which the file was written (TIFFTAG_DATETIME), which processing may have set.

    Raises:
        UsageError: no image, or damaged.
    """
    bands, dtype, tags = head_of(path)
    named = {key.upper(): value for key, value in tags.items()}
    for key in (*_TAKEN, *_PHOTOGRAPHED, *_WRITTEN):
        taken = parsed_date(named[key]) if key in named else None
        if taken is not None:
            return Head(bands, dtype, taken, key)
    return Head(bands, dtype)


def parsed_date(text: str) -> datetime | None:
    """A date, with its time where there is one; None for anything else. Time zones are passed over.

    Example:
        >>> parsed_date("2020:08:31 10:22:11"), parsed_date("20200831"), parsed_date("soon")
        (datetime.datetime(2020, 8, 31, 10, 22, 11), datetime.datetime(2020, 8, 31, 0, 0), None)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
