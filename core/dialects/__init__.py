"""How other models write regions as text. Which dialect a checkpoint speaks is declared, never guessed.

One file a family, each headed by its convention (grid, what the numbers mean, order of corners, reading of angles) and
its source; docs/dialects.md has them side by side. The native dialect is in `core.codec`, and so are `dialect(name)`,
which finds one, and `register`, which adds one.

Where the authors published the script that writes their text, ours writes the same digits, truncation included; where
they did not, numbers are rounded half up. Nothing is repaired: a text is read, or it raises `ModelOutputError`.
"""

from __future__ import annotations

from ..codec import Dialect
from .falcon import Falcon
from .fitrs import FitRs
from .geochat import GEOCHAT, GEOCHAT_CCW, VRSBENCH, VRSBENCH_OBB1, VRSBENCH_OBB2
from .geoground import LE90, GeoGround
from .qwen import QwenJson, QwenTokens

STOCK: tuple[Dialect, ...] = (
    QwenTokens(),
    QwenJson("qwen2.5-vl", None),
    QwenJson("qwen3-vl", 1000),
    GEOCHAT,
    GEOCHAT_CCW,
    VRSBENCH,
    VRSBENCH_OBB1,
    VRSBENCH_OBB2,
    FitRs(),
    GeoGround(),
    GeoGround("geoground-16", cells=16),
    GeoGround("geoground-24", cells=24),
    GeoGround("geoground-le90", turned=LE90),
    Falcon(),
)

__all__ = ["STOCK", "Falcon", "FitRs", "GeoGround", "QwenJson", "QwenTokens"]
