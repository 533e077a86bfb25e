"""Runs a plan as a LangGraph. The only file that imports langgraph.

Each step is a node; a node waits for the nodes its inputs come from, so independent groundings run side by side on
threads. The graph's state holds only step names and statuses; results (regions, masks) stay in the run's `Results`,
because pixels in the state cost milliseconds a step (docs/architecture.md).
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from ..core.errors import BudgetExceeded, ModelOutputError, ToolFailed, UsageError
from ..core.plan import Plan, Step
from ..core.regions import CandidateSet
from ..core.trace import Observation
from ..tools.registry import Context, Tool, tool_named
from ..tools.values import Value
from .summary import summarize, to_json

ATTEMPTS = 2
"""How often a step whose model text could not be read is tried in all."""

FILTERS = frozenset({"select", "pick", "segment"})
"""Tools that are not run when no candidate is left: they hand the set on as it is."""

Watcher = Callable[[Observation], None]


class _State(TypedDict):
    statuses: Annotated[dict[str, str], operator.or_]


@dataclass
class Results:
    """What the steps of one run left: observations for the trace, values for the steps that follow."""

    values: dict[str, Value] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)

    def in_order(self, plan: Plan) -> tuple[Observation, ...]:
        """Observations in the plan's order; a step never reached is told as skipped."""
        return tuple(
            self.observations.get(
                step.id,
                Observation(
                    step=step.id,
                    tool=step.tool,
                    instruction=step.instruction,
                    status="skipped",
                    because="the run stopped before it",
                ),
            )
            for step in plan.steps
        )


def execute(
    plan: Plan,
    context: Context,
    *,
    watch: Watcher | None = None,
    max_seconds: float | None = None,
    tools: Callable[[str], Tool] = tool_named,
) -> Results:
    """The results of all steps of a plan.

    Args:
        plan: checked here: unknown tools, arguments that don't fit and circles are told before anything runs.
        context: the scene and the models.
        watch: called with each observation as it is made, from the step's thread.
        max_seconds: no step starts after this; those left are `skipped`, what was done is kept.
        tools: finds a tool by name.

    Raises:
        UsageError: the plan cannot run (all faults on one line), or a tool found its input unusable.
    """
    from langgraph.graph import END, START, StateGraph

    plan.levels()
    calls = _checked_tools(plan, tools)
    results = Results()
    deadline = None if max_seconds is None else time.monotonic() + max_seconds

    def node_of(step: Step) -> Any:  # langgraph's overloads accept no plain Callable type
        tool = calls[step.id]

        def node(_state: _State) -> dict[str, Any]:
            observation = _perform(step, tool, context, results, deadline)
            results.observations[step.id] = observation
            if watch is not None:
                watch(observation)
            return {"statuses": {step.id: observation.status}}

        return node

    graph = StateGraph(_State)
    used = {source for step in plan.steps for source in step.inputs.values()}
    for step in plan.steps:
        graph.add_node(step.id, node_of(step))
    for step in plan.steps:
        sources = sorted(set(step.inputs.values()))
        if sources:
            graph.add_edge(sources, step.id)
        else:
            graph.add_edge(START, step.id)
        if step.id not in used:
            graph.add_edge(step.id, END)
    graph.compile().invoke({"statuses": {}}, {"recursion_limit": len(plan.steps) + 5})
    return results


def _checked_tools(plan: Plan, tools: Callable[[str], Tool]) -> dict[str, Tool]:
    """The tool of each step. Raises UsageError with the faults of all steps."""
    calls, faults = {}, []
    for step in plan.steps:
        try:
            calls[step.id] = tools(step.tool)
            calls[step.id].checked(step.inputs, step.args)
        except UsageError as error:
            faults.append(f"step {step.id!r}: {error}")
    if faults:
        raise UsageError("the plan cannot run: " + "; ".join(faults))
    return calls


def _perform(step: Step, tool: Tool, context: Context, results: Results, deadline: float | None) -> Observation:
    """One step: skipped, failed, empty or done. Leaves its value in `results`."""

    def observed(status: Any, **more: Any) -> Observation:
        return Observation(step=step.id, tool=step.tool, instruction=step.instruction, status=status, **more)

    inputs: dict[str, Value] = {}
    for name, source in step.inputs.items():
        if source not in results.values:
            return observed("skipped", because=f"step {source!r} left no result")
        inputs[name] = results.values[source]
    before = inputs.get("candidates")
    if step.tool in FILTERS and isinstance(before, CandidateSet) and not before.open:
        results.values[step.id] = before
        cause = _emptied_by(step, results)
        return observed("skipped", because=cause or "no candidate was left")
    started = time.perf_counter()
    try:
        value = _call(step, tool, context, inputs, deadline)
    except BudgetExceeded as error:
        return observed("skipped", because=str(error))
    except ModelOutputError as error:
        return observed("failed", failure=str(error), raw=error.raw, seconds=time.perf_counter() - started)
    except ToolFailed as error:
        return observed("failed", failure=str(error), seconds=time.perf_counter() - started)
    seconds = time.perf_counter() - started
    results.values[step.id] = value
    gone = isinstance(value, CandidateSet) and not value.open
    emptied = step.instruction if gone and isinstance(before, CandidateSet) and before.open else None
    return observed(
        "empty" if gone else "done",
        summary=summarize(value),
        result=to_json(value),
        emptied_by=emptied,
        seconds=seconds,
    )


def _call(step: Step, tool: Tool, context: Context, inputs: Mapping[str, Value], deadline: float | None) -> Value:
    """The tool's value; unreadable model text is asked for again, `ATTEMPTS` times in all."""
    if deadline is not None and time.monotonic() > deadline:
        raise BudgetExceeded("the run's time was used up before it")
    for _ in range(ATTEMPTS - 1):
        with suppress(ModelOutputError):
            return tool.call(context, inputs, step.args)
    return tool.call(context, inputs, step.args)


def _emptied_by(step: Step, results: Results) -> str | None:
    """Why the set that reaches this step is empty: the words of the step that emptied it, or that found nothing."""
    observation = results.observations[step.inputs["candidates"]]
    if observation.status == "skipped":
        return observation.because
    if observation.emptied_by:
        return f"no candidate was left after {observation.emptied_by!r}"
    return f"{observation.instruction!r} found nothing"
