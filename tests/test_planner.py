"""Plans: golden files for typical requests, and properties over generated ones.

After a wanted change: `SURVEYOR_UPDATE_GOLDENS=1 pytest tests/test_planner.py`, then review the
diff of tests/data/plans.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from strategies import requests
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan, references
from surveyor.core.conditions import Request, conjuncts
from surveyor.core.plan import Plan
from surveyor.core.wording import words

GOLDENS = Path(__file__).parent / "data" / "plans"
QUERIES = {
    "all": "detect all planes",
    "east_bank": "detect all planes on the east bank of the river",
    "two_hops": "cars beside the building nearest to the bridge",
    "conjunction": "white storage tanks larger than 300 m2 and not near the road",
    "superlative": "the two largest ships in the harbour",
    "except": "all planes except the largest",
    "union": "planes longer than 40 m and ships",
    "between": "trees between the road and the river",
    "same_class": "planes next to each other",
    "count": "how many vehicles are on the bridge?",
    "exists": "are there more than five planes?",
    "compare": "are there more ships in the harbour than storage tanks?",
    "times_as_many": "are there at least twice as many ships as tanks?",
    "average": "ships longer than the average of ships near the quay",
    "central": "cars near the most central building",
    "measure": "what is the length of the longest ship in feet?",
    "several": "count the tanks and segment the largest one",
    "shared": "planes near the river and houses near the river; count the planes near the river",
    "question": "is the largest plane longer than 40 m?",
}


@pytest.mark.parametrize("name", QUERIES)
def test_golden(name: str) -> None:
    query = QUERIES[name]
    text = make_plan(parse(query), query).to_yaml()
    path = GOLDENS / f"{name}.yaml"
    if os.environ.get("SURVEYOR_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert Plan.from_yaml(text) == make_plan(parse(query), query)


def test_no_golden_is_orphaned() -> None:
    assert {path.stem for path in GOLDENS.glob("*.yaml")} == set(QUERIES)


@settings(max_examples=100, deadline=None)
@given(requests())
def test_plans_are_sound(request: Request) -> None:
    plan = make_plan(request)
    levels = plan.levels()
    assert len(plan.outputs) == len(request.outputs)
    assert {step.id for level in levels for step in level} == {step.id for step in plan.steps}
    assert all(step.instruction for step in plan.steps)
    assert {step.id for step in levels[0]} == {step.id for step in plan.steps if step.tool == "ground"}
    calls = [(step.tool, tuple(sorted(step.inputs.items())), repr(step.args)) for step in plan.steps]
    assert len(set(calls)) == len(calls)
    used = {source for step in plan.steps for source in step.inputs.values()} | set(plan.outputs)
    assert used == {step.id for step in plan.steps}


@settings(max_examples=100, deadline=None)
@given(requests())
def test_every_reference_is_an_input_by_its_words(request: Request) -> None:
    plan = make_plan(request)
    inputs = [set(step.inputs) - {"candidates"} for step in plan.steps if step.tool in ("select", "pick")]
    for output in request.outputs:
        for condition in (*conjuncts(output.target.where), *output.target.picks):
            assert {words(reference) for reference in references(condition)} in inputs


def test_independent_groundings_wait_for_nothing() -> None:
    levels = make_plan(parse("planes near the river and left of the road")).levels()
    assert [step.id for step in levels[0]] == ["find_planes", "find_rivers", "find_roads"]


def test_sub_instructions_are_the_papers() -> None:
    plan = make_plan(parse("detect all planes on the east bank of the river"))
    assert [step.instruction for step in plan.steps] == [
        "detect all planes",
        "detect all rivers",
        "select those on the east side of the river",
    ]


def test_what_is_segmented_is_measured_by_its_masks() -> None:
    plan = make_plan(parse("segment the largest tank and measure its area"))
    masks = next(step for step in plan.steps if step.tool == "segment")
    measured = next(step for step in plan.steps if step.tool == "measure")
    assert measured.inputs["candidates"] == masks.id
    alone = make_plan(parse("measure the area of the largest tank"))
    assert not any(step.tool == "segment" for step in alone.steps)
