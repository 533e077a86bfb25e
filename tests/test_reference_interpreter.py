"""The graph against the reference interpreter, on random plans of real tools over a drawn scene."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_interpreter import interpret
from strategies import PHRASES, requests
from surveyor import draw_scene
from surveyor.agent.graph import Running, execute
from surveyor.agent.planner import make_plan
from surveyor.agent.store import Store
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.lexicon import resolve
from surveyor.core.plan import Plan, Step
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.oracle import read_annotations
from surveyor.tools.registry import Context
from surveyor.tools.values import Value

SEEN = ["plane", "ship", "building", "river", "vehicle", "tree crown"]


@cache
def context(folder: Path) -> Context:
    """A drawn scene with its annotation as the grounder; the same names and versions in every test of the folder."""
    scene = draw_scene("mixed", seed=3)
    data = scene.to_coco("mixed.png")
    (folder / "mixed.json").write_text(json.dumps(data))
    found = read_annotations(folder / "mixed.json").objects("mixed.png")
    labels = list(dict.fromkeys(item.region.label for item in found))
    for phrase in PHRASES:
        try:
            resolve(phrase, labels)
        except UnknownPhrase:
            labels.append(phrase)  # known, and not there
    grounder = FakeGrounder([item.region for item in found], labels=labels)
    grounder.version = "drawn"  # type: ignore[attr-defined]
    segmenter = FakeSegmenter()
    segmenter.version = "boxes"  # type: ignore[attr-defined]
    return Context(Scene.from_array(scene.image_rgb, gsd_m=scene.gsd_m, name="mixed.png"), grounder, segmenter)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn")


@st.composite
def tangled(draw: st.DrawFn) -> Plan:
    """Plans of real tools that no request makes: chains that branch, join and end anywhere."""
    steps = [
        Step(id=f"g{n}", tool="ground", args={"phrases": [draw(st.sampled_from(SEEN))]})
        for n in range(draw(st.integers(1, 3)))
    ]
    for number in range(draw(st.integers(1, 8))):
        sets = [step.id for step in steps if step.tool in ("ground", "select", "pick", "segment")]
        source, other = draw(st.sampled_from(sets)), draw(st.sampled_from(sets))
        tool, args, inputs = draw(st.sampled_from(KINDS))
        inputs = {name: other if name in ("b", "rivers") else source for name in inputs}
        steps.append(Step(id=f"s{number}", tool=tool, inputs=inputs, args=args, instruction=f"{tool} {number}"))
    outputs = draw(st.lists(st.sampled_from([step.id for step in steps]), min_size=1, max_size=3, unique=True))
    return Plan(steps=tuple(draw(st.permutations(steps))), outputs=tuple(outputs))


_LONG = {"kind": "compare", "attribute": "length", "op": ">", "quantity": {"value": 20, "unit": "px"}}
_NEAR = {"kind": "relation", "relation": "near", "reference": {"phrases": ["river"]}}
_LARGER = {"kind": "compare_with", "attribute": "area", "op": ">", "reference": {"phrases": ["river"]}}
KINDS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("select", {"condition": _LONG}, ("candidates",)),
    ("select", {"condition": {"kind": "position", "frame": "half", "place": "left"}}, ("candidates",)),
    ("select", {"condition": {"kind": "not", "condition": _LONG}}, ("candidates",)),
    ("select", {"condition": _NEAR}, ("candidates", "rivers")),
    ("select", {"condition": _LARGER | {"quantifier": "mean"}}, ("candidates", "rivers")),
    ("pick", {"pick": {"by": "area", "order": "max"}}, ("candidates",)),
    ("pick", {"pick": {"by": "centre", "order": "min", "count": 2}}, ("candidates",)),
    ("pick", {"pick": {"by": "x", "order": "min", "first": 3}}, ("candidates",)),
    ("segment", {}, ("candidates",)),
    ("count", {}, ("candidates",)),
    ("measure", {"attribute": "length"}, ("candidates",)),
    ("describe", {}, ("candidates",)),
    ("check", {"test": {"op": ">", "n": 1}}, ("candidates",)),
    ("compare", {"op": ">"}, ("a", "b")),
    ("compare", {"op": "<=", "factor": 1.5}, ("a", "b")),
]


def shown(values: dict[str, Value]) -> dict[str, str]:
    """Values as text: verdicts, reasons, masks and all."""
    from surveyor.agent.store_values import regions_to_json, value_to_json
    from surveyor.core.regions import CandidateSet

    return {
        name: json.dumps(
            [value_to_json(v), regions_to_json([c.region for c in v]) if isinstance(v, CandidateSet) else 0]
        )
        for name, v in values.items()
    }


def agrees(plan: Plan, context: Context, running: Running | None = None) -> None:
    try:
        values, statuses = interpret(plan, context)
    except UsageError as error:
        with pytest.raises(UsageError) as told:
            execute(plan, context, running=running)
        assert str(error) in str(told.value)
        return
    results = execute(plan, context, running=running)
    assert {step: o.status for step, o in results.observations.items()} == statuses
    assert shown(results.values) == shown(values)


@settings(max_examples=30, deadline=None)
@given(plan=tangled())
def test_graph_means_what_the_interpreter_means(plan: Plan, folder: Path) -> None:
    agrees(plan, context(folder))


@settings(max_examples=15, deadline=None)
@given(request=requests(depth=1))
def test_plans_of_requests_too(request: Any, folder: Path) -> None:
    agrees(make_plan(request), context(folder))


@settings(max_examples=15, deadline=None)
@given(plan=tangled())
def test_and_with_what_earlier_plans_left_in_the_store(plan: Plan, folder: Path) -> None:
    agrees(plan, context(folder), Running(store=Store(folder / "store")))
