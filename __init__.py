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
    from .agent.chat import Conversation
    from .agent.explain import explain
    from .agent.graph_events import Event
    from .agent.run import ask, plan, resume, run, runs, stream
    from .agent.series import Series, ask_series
    from .core.errors import (
        BudgetExceeded,
        MissingDependency,
        ModelOutputError,
        NeedsAnswer,
        QueryError,
        SurveyorError,
        ToolFailed,
        UnknownPhrase,
        UsageError,
    )
    from .core.pair import ScenePair, open_pair
    from .core.plan import Plan
    from .core.questions import Question
    from .core.regions import Candidate, CandidateSet, Change, Region
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
    ".agent.chat": ("Conversation",),
    ".agent.explain": ("explain",),
    ".agent.graph_events": ("Event",),
    ".agent.run": ("ask", "plan", "resume", "run", "runs", "stream"),
    ".agent.series": ("Series", "ask_series"),
    ".core.errors": (
        "BudgetExceeded",
        "MissingDependency",
        "ModelOutputError",
        "NeedsAnswer",
        "QueryError",
        "SurveyorError",
        "ToolFailed",
        "UnknownPhrase",
        "UsageError",
    ),
    ".core.pair": ("ScenePair", "open_pair"),
    ".core.plan": ("Plan",),
    ".core.questions": ("Question",),
    ".core.regions": ("Candidate", "CandidateSet", "Change", "Region"),
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
    "Change",
    "Conversation",
    "Count",
    "Event",
    "Graph",
    "Measurement",
    "Measurements",
    "MissingDependency",
    "ModelOutputError",
    "NeedsAnswer",
    "Plan",
    "QueryError",
    "Question",
    "Region",
    "RegionSet",
    "Scene",
    "ScenePair",
    "Series",
    "SurveyorError",
    "Text",
    "ToolFailed",
    "Trace",
    "Truth",
    "UnknownPhrase",
    "UsageError",
    "ask",
    "ask_series",
    "draw_scene",
    "explain",
    "open_pair",
    "plan",
    "resume",
    "run",
    "runs",
    "stream",
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
