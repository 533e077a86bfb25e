"""Ask multi-condition questions of aerial and satellite images, and get an answer that can be audited.

    >>> import surveyor
    >>> [step.instruction for step in surveyor.plan("planes longer than 40 m").steps]
    ['detect all planes', 'select those longer than 40 m']

Public names load on first use, so that `import surveyor` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent.answer import Answer
    from .agent.builder import Graph
    from .agent.builder_sets import RegionSet
    from .agent.explain import explain
    from .agent.run import ask, plan, run
    from .core.errors import (
        BudgetExceeded,
        MissingDependency,
        ModelOutputError,
        QueryError,
        SurveyorError,
        ToolFailed,
        UnknownPhrase,
        UsageError,
    )
    from .core.plan import Plan
    from .core.regions import Candidate, CandidateSet, Region
    from .core.scene import Scene
    from .core.trace import Trace
    from .synth import draw_scene
    from .tools.custom import tool
    from .tools.values import Count, Measurement, Measurements, Text, Truth

__version__ = "0.1.0"

_HOMES = {
    ".agent.answer": ("Answer",),
    ".agent.builder": ("Graph",),
    ".agent.builder_sets": ("RegionSet",),
    ".agent.explain": ("explain",),
    ".agent.run": ("ask", "plan", "run"),
    ".core.errors": (
        "BudgetExceeded",
        "MissingDependency",
        "ModelOutputError",
        "QueryError",
        "SurveyorError",
        "ToolFailed",
        "UnknownPhrase",
        "UsageError",
    ),
    ".core.plan": ("Plan",),
    ".core.regions": ("Candidate", "CandidateSet", "Region"),
    ".core.scene": ("Scene",),
    ".core.trace": ("Trace",),
    ".synth": ("draw_scene",),
    ".tools.custom": ("tool",),
    ".tools.values": ("Count", "Measurement", "Measurements", "Text", "Truth"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "BudgetExceeded",
    "Candidate",
    "CandidateSet",
    "Count",
    "Graph",
    "Measurement",
    "Measurements",
    "MissingDependency",
    "ModelOutputError",
    "Plan",
    "QueryError",
    "Region",
    "RegionSet",
    "Scene",
    "SurveyorError",
    "Text",
    "ToolFailed",
    "Trace",
    "Truth",
    "UnknownPhrase",
    "UsageError",
    "ask",
    "draw_scene",
    "explain",
    "plan",
    "run",
    "tool",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'surveyor' has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
