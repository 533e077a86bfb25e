"""The LangGraph backend against a plain topological interpreter, and what the graph does around the tools."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.agent.graph import execute
from surveyor.core.errors import ModelOutputError, ToolFailed, UsageError
from surveyor.core.plan import Plan, Step
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.tools.registry import Context


def region(name: str, x: float = 0.0) -> Region:
    return Region(name, "plane", [[x, 0], [x + 9, 0], [x + 9, 4], [x, 4]], [x, 0, x + 9, 4])


@dataclass
class Stub:
    """A tool under any name: joins what its inputs hold and records that it ran."""

    name: str
    calls: list[str] = field(default_factory=list)
    raises: list[Exception] = field(default_factory=list)
    wait: threading.Barrier | None = None
    keep: bool = True

    def checked(self, inputs: Any, args: Any) -> None:
        if "fault" in args:
            raise UsageError(f"bad argument {args['fault']!r}")

    def call(self, context: Context, inputs: dict[str, CandidateSet], args: dict[str, Any]) -> CandidateSet:
        self.calls.append(args.get("tag", ""))
        if self.wait is not None:
            self.wait.wait(timeout=5)
        if self.raises:
            raise self.raises.pop(0)
        members = {c.region.id: c for value in inputs.values() for c in value}
        members[args["tag"]] = Candidate(region(args["tag"]))
        return CandidateSet(tuple(c if self.keep else c.judged("x", False) for c in members.values()))


CONTEXT = Context(scene=Scene.from_array(np.zeros((8, 8, 3), np.uint8)), grounder=None, segmenter=None)  # type: ignore[arg-type]


def steps(*rows: tuple[str, str, tuple[str, ...]]) -> tuple[Step, ...]:
    return tuple(
        Step(
            id=name,
            tool=tool,
            inputs={("candidates", "b", "c", "d")[k]: s for k, s in enumerate(sources)},
            args={"tag": name},
        )
        for name, tool, sources in rows
    )


def interpret(plan: Plan, tool: Stub) -> dict[str, CandidateSet]:
    """The oracle: steps in topological order, no graph library."""
    values: dict[str, CandidateSet] = {}
    for level in plan.levels():
        for step in level:
            values[step.id] = tool.call(CONTEXT, {k: values[s] for k, s in step.inputs.items()}, step.args)
    return values


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    n = draw(st.integers(1, 9))
    names = [f"s{k}" for k in range(n)]
    rows = [
        (name, "any", tuple(draw(st.sets(st.sampled_from(names[:k]), max_size=3)) if k else ()))
        for k, name in enumerate(names)
    ]
    shuffled = draw(st.permutations(steps(*rows)))
    return Plan(steps=tuple(shuffled), outputs=(names[-1],))


@settings(max_examples=60, deadline=None)
@given(plans())
def test_graph_equals_reference_interpreter(plan: Plan) -> None:
    ran = Stub("any")
    results = execute(plan, CONTEXT, tools=lambda _: ran)  # type: ignore[arg-type,return-value]
    expected = interpret(plan, Stub("any"))
    assert {k: [c.region.id for c in v] for k, v in results.values.items()} == {
        k: [c.region.id for c in v] for k, v in expected.items()
    }
    assert sorted(ran.calls) == sorted(s.id for s in plan.steps)
    assert [o.step for o in results.in_order(plan)] == [s.id for s in plan.steps]


def test_independent_groundings_run_side_by_side() -> None:
    both = Stub("ground", wait=threading.Barrier(2))
    plan = Plan(steps=steps(("a", "ground", ()), ("b", "ground", ())), outputs=("a", "b"))
    results = execute(plan, CONTEXT, tools=lambda _: both)  # type: ignore[arg-type,return-value]
    assert set(results.values) == {"a", "b"}


def test_empty_set_short_circuits_and_names_the_condition() -> None:
    tools = {
        "ground": Stub("ground"),
        "select": Stub("select", keep=False),
        "pick": Stub("pick"),
        "count": Stub("count"),
    }
    rows = steps(("a", "ground", ()), ("b", "select", ("a",)), ("c", "pick", ("b",)), ("d", "count", ("c",)))
    rows = tuple(s.model_copy(update={"instruction": "select those on the moon"}) if s.id == "b" else s for s in rows)
    results = execute(Plan(steps=rows, outputs=("d",)), CONTEXT, tools=tools.__getitem__)  # type: ignore[arg-type]
    assert tools["pick"].calls == []
    assert results.observations["b"].emptied_by == "select those on the moon"
    assert results.observations["c"].status == "skipped"
    assert "select those on the moon" in (results.observations["c"].because or "")
    assert tools["count"].calls == ["d"], "a count of nothing is still a count"


def test_failure_is_kept_and_what_needs_it_is_skipped() -> None:
    tools = {"ground": Stub("ground", raises=[ToolFailed("the tile server is down")]), "count": Stub("count")}
    plan = Plan(steps=steps(("a", "ground", ()), ("b", "count", ("a",))), outputs=("b",))
    results = execute(plan, CONTEXT, tools=tools.__getitem__)  # type: ignore[arg-type]
    assert [o.status for o in results.in_order(plan)] == ["failed", "skipped"]
    assert results.observations["a"].failure == "the tile server is down"


@pytest.mark.parametrize(
    ("replies", "status"), [(1, "done"), (2, "failed")], ids=["second-try-works", "twice-unreadable"]
)
def test_unreadable_model_text_is_asked_again_once_and_kept(replies: int, status: str) -> None:
    tool = Stub("ground", raises=[ModelOutputError("no box in the reply", raw="blah") for _ in range(replies)])
    plan = Plan(steps=steps(("a", "ground", ())), outputs=("a",))
    results = execute(plan, CONTEXT, tools=lambda _: tool)  # type: ignore[arg-type,return-value]
    assert results.observations["a"].status == status
    assert results.observations["a"].raw == (None if status == "done" else "blah")


def test_usage_error_goes_to_the_caller() -> None:
    tool = Stub("ground", raises=[UsageError("unknown phrase")])
    with pytest.raises(UsageError, match="unknown phrase"):
        execute(Plan(steps=steps(("a", "ground", ())), outputs=("a",)), CONTEXT, tools=lambda _: tool)  # type: ignore[arg-type,return-value]


def test_all_faults_of_a_plan_are_told_before_anything_runs() -> None:
    tool = Stub("ground")
    bad = tuple(Step(id=name, tool="ground", args={"tag": name, "fault": name}) for name in "ab")
    with pytest.raises(UsageError, match=r"step 'a': .*step 'b': "):
        execute(Plan(steps=bad, outputs=("a",)), CONTEXT, tools=lambda _: tool)  # type: ignore[arg-type,return-value]
    assert tool.calls == []


def test_time_budget_keeps_what_was_done() -> None:
    class Slow(Stub):
        def call(self, context: Context, inputs: Any, args: Any) -> CandidateSet:
            time.sleep(0.8)
            return super().call(context, inputs, args)

    tool = Slow("ground")
    plan = Plan(steps=steps(("a", "ground", ()), ("b", "count", ("a",))), outputs=("b",))
    results = execute(plan, CONTEXT, tools=lambda _: tool, max_seconds=0.5)  # type: ignore[arg-type,return-value]
    assert [o.status for o in results.in_order(plan)] == ["done", "skipped"]
    assert "time was used up" in (results.in_order(plan)[1].because or "")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param((("a", "x", ("b",)), ("b", "x", ("a",))), "circle", id="cycle"),
        pytest.param((("a", "x", ("zz",)),), "'zz'", id="input-from-nowhere"),
        pytest.param((("a", "x", ()), ("a", "x", ())), "two steps", id="same-id-twice"),
    ],
)
def test_structural_faults(rows: Any, message: str) -> None:
    plan = Plan(steps=steps(*rows), outputs=("a",))
    with pytest.raises(UsageError, match=message):
        plan.levels()


def test_plan_survives_yaml() -> None:
    plan = Plan(query="planes", steps=steps(("a", "ground", ()), ("b", "count", ("a",))), outputs=("b",))
    assert Plan.from_yaml(plan.to_yaml()) == plan


@pytest.mark.parametrize("text", ["", "[]", "steps: 3", "a: [", "version: 9\nsteps: []\noutputs: []", "\x00"], ids=repr)
def test_unreadable_plan_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        Plan.from_yaml(text)
