"""Leakage families: which ground an image shows, told from its name (FORMATS section 0.3).

DOTA's images come back as iSAID, VRSBench, GeoPixelD and GeoChat images, DIOR's as DIOR-RSVG, RRSIS-D and others;
records of one family must stay on one side of a split whatever dataset they come from.
"""

from __future__ import annotations

import re

_DOTA = re.compile(r"P(\d{4,5})(?!\d)", re.IGNORECASE)
_DIOR = re.compile(r"(\d{5})(?!\d)")
_FAIR1M = re.compile(r"train[_-]?(\d+)(?!\d)", re.IGNORECASE)


def dota_family(name: str) -> str | None:
    """The DOTA scene an image is (a part of); None for names of another kind.

    Example:
        >>> dota_family("P0224_0_800_0_800.png"), dota_family("P0706__1__0___200.png"), dota_family("00914_0003.png")
        ('dota:P0224', 'dota:P0706', None)
    """
    found = _DOTA.match(_stem(name))
    return f"dota:P{found[1]}" if found else None


def dior_family(name: str) -> str | None:
    """The DIOR image an image is (a part of); None for names of another kind.

    Example:
        >>> dior_family("00914_0003.png"), dior_family("JPEGImages/00011.jpg"), dior_family("P0224.png")
        ('dior:00914', 'dior:00011', None)
    """
    found = _DIOR.match(_stem(name))
    return f"dior:{found[1]}" if found else None


def fair1m_family(name: str) -> str | None:
    """The FAIR1M scene of a GeoChat image ("train_2956_0001.png": scene 2956); None for names of another kind.

    Example:
        >>> fair1m_family("train_2956_0001.png"), fair1m_family("2956.tif")
        ('fair1m:2956', None)
    """
    found = _FAIR1M.match(_stem(name))
    return f"fair1m:{int(found[1])}" if found else None


def mixed_family(name: str, dataset: str) -> str:
    """The family of an image in a set made of DOTA, DIOR and FAIR1M images (VRSBench, GeoChat), else its own name.

    Example:
        >>> mixed_family("P1419_0005.png", "vrsbench"), mixed_family("x/y.tif", "geochat")
        ('dota:P1419', 'geochat:y')
    """
    return dota_family(name) or dior_family(name) or fair1m_family(name) or f"{dataset}:{_stem(name)}"


def _stem(name: str) -> str:
    return re.sub(r"\.(png|jpe?g|tiff?|bmp|gif|txt|xml|json)$", "", re.split(r"[\\/]", name)[-1], flags=re.IGNORECASE)
