"""Runs a plan as a LangGraph.

Each step is a node; a node waits for the nodes its inputs come from, so independent groundings run side by side on
threads. The graph's state holds only names, statuses and digests; results (regions, masks) stay in the run's `Results`
and in the store, because pixels in the state cost milliseconds a step (docs/architecture.md).
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict, TypeVar

from ..core.budget import Budget, Meter, metering
from ..core.errors import NeedsAnswer, UsageError
from ..core.plan import Plan, Step
from ..core.questions import Answerer, Question
from ..core.trace import Observation
from ..tools.registry import Context, Tool, tool_named
from .graph_step import ATTEMPTS, FILTERS, Job, Lost, Results, Stopped
from .store import Store

__all__ = ["ATTEMPTS", "FILTERS", "Results", "Running", "Watcher", "compile_plan", "execute", "pause"]

Watcher = Callable[[Observation], None]
T = TypeVar("T")


class _State(TypedDict, total=False):
    statuses: Annotated[dict[str, str], operator.or_]
    records: Annotated[dict[str, str], operator.or_]


@dataclass(frozen=True)
class Running:
    """How a run is kept, bounded and stopped. The default keeps nothing and has no bounds.

    Args:
        store: where results go; None keeps them in memory only.
        look_up: whether results of earlier runs are taken from the store.
        budget: time, model calls and tokens.
        cancel: set it (from any thread) to stop the run.
        run_id: of a run that can be resumed; needs `store` and `saver`.
        mark: tells the run from an earlier one of the same name; "" takes the name alone.
        saver: LangGraph's checkpointer.
        ask: answers questions of steps.
        answers: given before, by step.
        confirm_tiles: see `graph_step.Job`.
        started: called with each step before it runs.
    """

    store: Store | None = None
    look_up: bool = True
    budget: Budget = field(default_factory=Budget)
    cancel: threading.Event = field(default_factory=threading.Event)
    run_id: str = ""
    mark: str = ""
    saver: Any = None
    ask: Answerer | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    confirm_tiles: int | None = None
    started: Callable[[Step], None] | None = None


def execute(
    plan: Plan,
    context: Context,
    *,
    watch: Watcher | None = None,
    max_seconds: float | None = None,
    tools: Callable[[str], Tool] = tool_named,
    running: Running | None = None,
) -> Results:
    """The results of all steps of a plan.

    Args:
        plan: checked here: unknown tools, arguments that don't fit and circles are told before anything runs.
        context: the scene and the models.
        watch: called with each observation as it is made, from the step's thread.
        max_seconds: short for a `running` with that budget.
        tools: finds a tool by name.
        running: how the run is kept and bounded. With a `run_id` that has a checkpoint, the run goes on from there.

    Raises:
        UsageError: the plan cannot run (all faults on one line), or a tool found its input unusable.
        NeedsAnswer: a step waits for an answer, and the run can be resumed.
        KeyboardInterrupt: Ctrl-C; steps that were done are kept in the store and the checkpoint.
    """
    plan.levels()
    running = running or Running(budget=Budget(max_seconds=max_seconds))
    calls = _checked_tools(plan, tools)
    meter = Meter(running.budget, running.cancel.is_set)

    def job() -> Job:
        return Job(
            plan,
            context,
            calls,
            store=running.store,
            look_up=running.look_up,
            ask=running.ask or (pause if running.run_id else None),
            answers=dict(running.answers),
            confirm_tiles=running.confirm_tiles,
            mark=running.mark or running.run_id,
            started=running.started,
        )

    def work() -> Results:
        with metering(meter):
            try:
                return _run(job(), running, watch)
            except Lost:  # evicted from the store or damaged there: what is left of it is found by its key
                running.saver.delete_thread(running.run_id)
                return _run(job(), running, watch)

    return _stoppable(work, running.cancel)


def compile_plan(
    plan: Plan, perform: Callable[[Step, Mapping[str, Any]], dict[str, Any]], *, saver: Any = None, state: type = _State
) -> Any:
    """The plan as a compiled LangGraph.

    Args:
        plan: a valid one.
        perform: called with a step and the state when the steps it depends on are done; returns what it adds to the
            state.
        saver: a LangGraph checkpointer; None keeps no checkpoints.
        state: the schema of the state.
    """
    from langgraph.graph import END, START, StateGraph

    def node_of(step: Step) -> Any:  # langgraph's overloads accept no plain Callable type
        def node(state: dict[str, Any]) -> dict[str, Any]:
            return perform(step, state)

        return node

    graph: Any = StateGraph(state)
    used = {source for step in plan.steps for source in step.inputs.values()}
    for step in plan.steps:
        graph.add_node(step.id, node_of(step))
    for step in plan.steps:
        sources = sorted(set(step.inputs.values()))
        graph.add_edge(sources or START, step.id)
        if step.id not in used:
            graph.add_edge(step.id, END)
    return graph.compile(checkpointer=saver)


def _run(job: Job, running: Running, watch: Watcher | None) -> Results:
    at_work = [
        (job, watch)
    ]  # emptied at the end: LangGraph leaves its nodes in a circle that would keep the scene's pixels

    kept = bool(running.run_id)

    def perform(step: Step, state: Mapping[str, Any]) -> dict[str, Any]:
        job, watch = at_work[0]
        job.adopt(state.get("records") or {})
        observation = job.perform(step)
        if watch is not None:
            watch(observation)
        added: dict[str, Any] = {"statuses": {step.id: observation.status}}
        if kept:
            added["records"] = {step.id: job.record_of(step)}
        return added

    graph = compile_plan(job.plan, perform, saver=running.saver if running.run_id else None)
    config: dict[str, Any] = {"recursion_limit": len(job.plan.steps) + 5}
    extra: dict[str, Any] = {}
    start: dict[str, Any] | None = {"statuses": {}, "records": {}}
    if running.run_id:
        config["configurable"] = {"thread_id": running.run_id}
        extra["durability"] = "sync"
        if graph.get_state(config).values:
            start = None  # LangGraph goes on from its checkpoint
    try:
        state = graph.invoke(start, config, **extra)
    except Stopped:
        return job.results
    finally:
        at_work.clear()
    if state and state.get("__interrupt__"):
        raise NeedsAnswer(Question.from_dict(state["__interrupt__"][0].value), running.run_id)
    job.adopt((state or {}).get("records") or {})
    return job.results


def pause(question: Question) -> str:
    """Lets the run wait for the answer: LangGraph keeps its checkpoint and leaves the graph."""
    from langgraph.types import interrupt

    return str(interrupt(question.to_dict()))


def _stoppable(work: Callable[[], T], cancel: threading.Event) -> T:
    """The work's result. Ctrl-C sets `cancel`, waits for the steps at work to notice, and goes on as KeyboardInterrupt.

    Python raises KeyboardInterrupt in the main thread only, and LangGraph would then wait for its own threads to end.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="surveyor") as pool:
        future = pool.submit(copy_context().run, work)
        try:
            return future.result()
        except KeyboardInterrupt:
            cancel.set()
            raise


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
