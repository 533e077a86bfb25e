"""What a step of a plan can do: plain typed functions, usable alone from Python. `TOOLS` is what a plan can name."""

from .bands import CRISP, STRICT, Bands
from .count import check, compare, count
from .describe import describe
from .ground import ground
from .judge import judge
from .measure import measure, sizes
from .pick import pick
from .registry import TOOLS, Context, Tool, tool_named
from .relate import relate
from .segment import segment
from .select import select
from .values import Count, Measurement, Measurements, Text, Truth, Value

__all__ = [
    "CRISP",
    "STRICT",
    "TOOLS",
    "Bands",
    "Context",
    "Count",
    "Measurement",
    "Measurements",
    "Text",
    "Tool",
    "Truth",
    "Value",
    "check",
    "compare",
    "count",
    "describe",
    "ground",
    "judge",
    "measure",
    "pick",
    "relate",
    "segment",
    "select",
    "sizes",
    "tool_named",
]
