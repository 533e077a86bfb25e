"""For LangGraph's own tools (Studio, `langgraph dev`): a factory that `langgraph.json` names.

The graph of a query's plan, one node a step. The query stands in the configuration, since it decides which nodes there
are; the image in the input. Nodes share nothing but the store, so that the tools may run, stop and replay them freely.
"""

from __future__ import annotations

import operator
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypedDict

from ..core.errors import UsageError
from ..core.plan import Plan, Step
from ..core.scene import Scene
from ..tools.models.spec import Models, load_models
from ..tools.registry import tool_named
from .answer import candidates_behind
from .explain import say
from .graph import compile_plan, pause
from .graph_call import Call
from .graph_step import Job
from .run import plan as plan_of
from .store import Store, open_store

EXAMPLE = "count the planes longer than 30 m that are near the largest building"


class StudioState(TypedDict, total=False):
    """What the tools show: the image to look at, then a status, a digest and, for outputs, a sentence per step."""

    image: str
    gsd: float | None
    statuses: Annotated[dict[str, str], operator.or_]
    records: Annotated[dict[str, str], operator.or_]
    answer: Annotated[dict[str, str], operator.or_]


def make_graph(config: Mapping[str, Any] | None = None) -> Any:
    """The compiled LangGraph of a query's plan.

    Args:
        config: LangGraph's; `configurable` may hold `query` (an example otherwise), `models` (a spec as for
            `--models`) and `on_ambiguous`.

    Raises:
        QueryError: the query was not understood.

    Example:
        >>> graph = make_graph({"configurable": {"query": "how many ships are near the largest ship?"}})
        >>> [name for name in graph.nodes if not name.startswith("__")]
        ['find_ships', 'pick_1', 'select_1', 'count_1']
    """
    from .graph_choices import with_choices

    given = dict((config or {}).get("configurable") or {})
    made = with_choices(plan_of(given.get("query") or EXAMPLE), given.get("on_ambiguous") or "all")

    def perform(step: Step, state: Mapping[str, Any]) -> dict[str, Any]:
        return _perform(made, step, state, given.get("models"))

    return compile_plan(made, perform, state=StudioState)


def _perform(plan: Plan, step: Step, state: Mapping[str, Any], models: str | None) -> dict[str, Any]:
    if not state.get("image"):
        raise UsageError('the input lacks the image; give {"image": "path/of/photo.tif"}')
    path = Path(state["image"])
    scene = _scene(path, state.get("gsd"), path.stat().st_mtime_ns if path.exists() else 0)
    store = open_store() or Store(Path(tempfile.gettempdir()) / "surveyor-studio")
    context = Call(plan, None, scene, _models(models)).context
    tools = {each.id: tool_named(each.tool) for each in plan.steps}
    job = Job(plan, context, tools, store=store, ask=pause)
    job.adopt(state.get("records") or {})
    observation = job.perform(step)
    added: dict[str, Any] = {"statuses": {step.id: observation.status}, "records": {step.id: job.record_of(step)}}
    if step.id in plan.outputs:
        behind = candidates_behind(step, plan, job.results)
        added["answer"] = {step.id: say(step, plan, scene, job.results, behind)}
    return added


@lru_cache(maxsize=4)
def _scene(path: Path, gsd: float | None, _stamp: int) -> Scene:
    return Scene.open(path, gsd_m=gsd)


@lru_cache(maxsize=4)
def _models(spec: str | None) -> Models:
    return load_models(spec)
