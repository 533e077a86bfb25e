"""Pictures inside the terminal, where it can: the protocols of kitty and of iTerm2, and sixel."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

Protocol = Literal["kitty", "iterm", "sixel"]
_WIDTH_PX = 900
_KITTY_PIECE = 4096


def protocol_of(environment: Mapping[str, str] | None = None) -> Protocol | None:
    """How this terminal shows pictures, by what it says of itself; None when it says nothing of the kind.

    >>> protocol_of({"TERM": "xterm-kitty"}), protocol_of({"TERM_PROGRAM": "iTerm.app"}), protocol_of({"TERM": "xterm"})
    ('kitty', 'iterm', None)
    """
    said = os.environ if environment is None else environment
    term, program = said.get("TERM", ""), said.get("TERM_PROGRAM", "")
    if said.get("TMUX") or term.startswith(("screen", "tmux")):
        return None  # needs wrapping that differs from version to version
    if "kitty" in term or "KITTY_WINDOW_ID" in said or program == "ghostty" or term == "xterm-ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty") or "ITERM_SESSION_ID" in said:
        return "iterm"
    return "sixel" if term.startswith(("foot", "mlterm", "contour")) or "sixel" in term else None


def picture_text(path: Path, protocol: Protocol) -> str:
    """The picture as the terminal's control sequence, at most 900 px wide; ends with a line break."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        return ""
    if bgr.shape[1] > _WIDTH_PX:
        size = (_WIDTH_PX, max(1, round(bgr.shape[0] * _WIDTH_PX / bgr.shape[1])))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA))
    if protocol == "sixel":
        return _sixel(np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8)) + "\n"
    png = base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode()
    if protocol == "iterm":
        return f"\x1b]1337;File=inline=1;preserveAspectRatio=1:{png}\a\n"
    pieces = [png[at : at + _KITTY_PIECE] for at in range(0, len(png), _KITTY_PIECE)]
    parts = []
    for index, piece in enumerate(pieces):
        head = "a=T,f=100," if index == 0 else ""
        parts.append(f"\x1b_G{head}m={int(index < len(pieces) - 1)};{piece}\x1b\\")
    return "".join(parts) + "\n"


def _sixel(rgb: np.ndarray) -> str:
    """Sixel data of (H, W, 3) uint8 in the 216 colours of a 6 x 6 x 6 cube."""
    cube = (rgb.astype(np.uint16) * 5 + 127) // 255
    index = (cube[..., 0] * 36 + cube[..., 1] * 6 + cube[..., 2]).astype(np.uint8)
    used = np.unique(index)
    colours = "".join(f"#{c};2;{c // 36 * 20};{c // 6 % 6 * 20};{c % 6 * 20}" for c in used.tolist())
    bits = np.array([1, 2, 4, 8, 16, 32], dtype=np.uint8)
    bands = []
    for top in range(0, len(index), 6):
        band = index[top : top + 6]
        rows = []
        for colour in np.unique(band).tolist():
            codes = ((band == colour) * bits[: len(band), None]).sum(axis=0, dtype=np.uint8) + 63
            rows.append(f"#{colour}" + _packed(codes))
        bands.append("$".join(rows))
    return f'\x1bPq"1;1;{index.shape[1]};{index.shape[0]}{colours}' + "-".join(bands) + "\x1b\\"


def _packed(codes: np.ndarray) -> str:
    """Runs of one sixel as "!count"."""
    ends = np.flatnonzero(np.diff(codes)) + 1
    starts = np.concatenate([[0], ends])
    lengths = np.diff(np.concatenate([starts, [len(codes)]]))
    return "".join(
        f"!{n}{chr(code)}" if n > 3 else chr(code) * n
        for code, n in zip(codes[starts].tolist(), lengths.tolist(), strict=True)
    )
