"""Tools that users add: what makes a function a tool, how a bad one is refused, and where it shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import surveyor
from pydantic import Field
from surveyor import (
    CandidateSet,
    Count,
    Graph,
    Measurement,
    Measurements,
    Plan,
    Region,
    Scene,
    Text,
    Truth,
    UsageError,
)
from surveyor.core.conditions import Quantity
from surveyor.core.errors import ToolFailed
from surveyor.tools import toolbox as toolbox_module
from surveyor.tools.custom import tool_of
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models
from surveyor.tools.registry import TOOLS, Context
from surveyor.tools.toolbox import GROUP, Toolbox, installed_tools, tool_schemas, tools_of_file, tools_text

IMAGE = np.zeros((100, 100, 3), np.uint8)


@surveyor.tool
def upper(scene: Scene, things: CandidateSet, share: Annotated[float, Field(gt=0, le=1)] = 0.5) -> CandidateSet:
    """Keeps those in the upper part. The rest stays, with a verdict.

    Args:
        things: the set.
        share: how much of the height
            belongs to it.
    """
    limit = scene.size_wh[1] * share
    return CandidateSet(
        tuple(c.judged(f"in the upper {share:g}", bool(c.region.center_px[1] < limit), "by its centre") for c in things)
    )


@surveyor.tool
def seats(planes: CandidateSet, each: int = 180) -> Count:
    """Counts seats."""
    return Count(len(planes.kept) * each)


@surveyor.tool(name="roof-slope")
def slope(things: CandidateSet) -> Measurements:
    """Measures slopes."""
    return Measurements(tuple(Measurement(r.id, "orientation", 12.0, "deg") for r in things.regions))


@surveyor.tool
def full(things: CandidateSet, other: CandidateSet) -> Truth:
    """Tells whether there is one for each."""
    return Truth(len(things.kept) >= len(other.kept), "one for each")


@surveyor.tool
def title(word: Literal["a", "b"] = "a", size: Quantity | None = None) -> Text:
    """Says a word."""
    return Text(f"word {word}")


@surveyor.tool
def broken(things: CandidateSet) -> Count:
    """Divides by nothing."""
    return Count(1 // 0)


@surveyor.tool
def liar(things: CandidateSet) -> Count:
    """Promises a count."""
    return len(things)  # type: ignore[return-value]


@surveyor.tool
def doubled(things: CandidateSet) -> CandidateSet:
    """Gives all twice."""
    return CandidateSet((*things, *things))


MINE = [upper, seats, slope, full, title, broken, liar, doubled]


def models() -> Models:
    """Two planes, one above the other, and a ship."""
    boxes = {"p1": ("plane", 10, 10, 50, 40), "p2": ("plane", 10, 60, 50, 90), "s1": ("ship", 70, 10, 90, 20)}
    regions = [
        Region(name, label, [[x, y], [X, y], [X, Y], [x, Y]], [x, y, X, Y])  # type: ignore[arg-type]
        for name, (label, x, y, X, Y) in boxes.items()
    ]
    return Models(FakeGrounder(regions), FakeSegmenter())


# ---- from a function to a tool -----------------------------------------------------------------------------------


def test_a_function_becomes_a_tool_and_stays_a_function() -> None:
    made = tool_of(upper)
    assert (made.name, made.inputs, made.gives) == ("upper", ("things",), "CandidateSet")
    assert made.doc == "Keeps those in the upper part."
    assert "The rest stays" in made.about
    assert made.args.model_fields["share"].description == "how much of the height belongs to it."
    assert list(made.args.model_fields) == ["share"]
    assert upper(Scene.from_array(IMAGE), CandidateSet()) == CandidateSet()
    assert tool_of(upper) is made and tool_of(made) is made
    assert tool_of(slope).name == "roof-slope"


def no_types(a, *more, copy: int = 1, things: CandidateSet = None):  # type: ignore[no-untyped-def,assignment]
    pass


def no_return(things: CandidateSet) -> int:
    """Gives a plain number."""
    return 1


def no_text(things: CandidateSet, pixels: np.ndarray) -> Count:
    """Takes pixels."""
    return Count(1)


def bad_default(things: CandidateSet, n: int = "q") -> Count:  # type: ignore[assignment]
    """Has a default of another type."""
    return Count(n)


def two_scenes(one: Scene, two: Scene) -> Count:
    """Takes two scenes."""
    return Count(1)


def unknown_type(things: Nowhere) -> Count:  # type: ignore[name-defined] # noqa: F821
    """Names a type that is not there."""
    return Count(1)


def no_doc(things: CandidateSet) -> Count:
    return Count(1)


def count(things: CandidateSet) -> Count:
    """Takes the name of one of ours."""
    return Count(1)


async def later(things: CandidateSet) -> Count:
    """Is asynchronous."""
    return Count(1)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (
            no_types,
            ["no docstring", "'a' has no type", "'*more'", "'copy'", "'things' takes no default", "returns one"],
        ),
        (no_return, ["returns one of CandidateSet, Count, Truth, Measurements, Text, not int"]),
        (no_text, ["'pixels' is ndarray, which a plan cannot hold"]),
        (bad_default, ["the default of 'n'", "'q'"]),
        (two_scenes, ["takes Scene more than once: one, two"]),
        (unknown_type, ["annotations cannot be read", "Nowhere"]),
        (no_doc, ["no docstring"]),
        (count, ["one of surveyor's own"]),
        (later, ["asynchronous"]),
        (lambda: None, ["'<lambda>'"]),
        (3, ["not 3"]),
        (Count, ["is a function"]),
    ],
    ids=lambda value: getattr(value, "__name__", None) if callable(value) else "",
)
def test_bad_functions_are_refused(function: Callable[..., Count], says: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        surveyor.tool(function)
    for text in says:
        assert text in str(caught.value)
    assert "docs/scripting.md" in str(caught.value) and "\n" not in str(caught.value)


# ---- which tools a run knows -------------------------------------------------------------------------------------


def test_nothing_is_registered_for_others() -> None:
    assert Toolbox.of(MINE)("upper") is tool_of(upper)
    with pytest.raises(UsageError, match="there is no tool 'upper'"):
        Toolbox.of()("upper")
    with pytest.raises(UsageError, match="did you mean 'count'"):
        Toolbox.of()("cuont")
    assert {tool.name for tool in TOOLS}.isdisjoint({"upper", "seats"})


def test_two_tools_of_one_name_are_refused() -> None:
    @surveyor.tool(name="upper")
    def other(things: CandidateSet) -> Count:
        """Another."""
        return Count(0)

    with pytest.raises(UsageError, match="two tools are called 'upper'"):
        Toolbox.of([upper, other])
    assert len(Toolbox.of([upper, upper]).given) == 1


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What three installed packages offer: a tool, one that cannot be imported, and one of another name."""
    here = "test_custom_tools"
    offered = EntryPoints(
        [
            EntryPoint("seats", f"{here}:seats", GROUP),
            EntryPoint("absent", "no_such_package:tool", GROUP),
            EntryPoint("other", f"{here}:upper", GROUP),
            EntryPoint("count", f"{here}:seats", GROUP),
        ]
    )
    monkeypatch.setitem(sys.modules, here, sys.modules[__name__])
    monkeypatch.setattr(toolbox_module, "entry_points", lambda **wanted: offered.select(**wanted))


@pytest.mark.usefixtures("packages")
def test_installed_packages_offer_tools() -> None:
    assert Toolbox.of()("seats") is tool_of(seats)
    assert Toolbox.of()("count").origin == "surveyor"
    with pytest.raises(UsageError, match="cannot be loaded: ModuleNotFoundError"):
        Toolbox.of()("absent")
    with pytest.raises(UsageError, match="holds the tool 'upper'"):
        Toolbox.of()("other")
    found = installed_tools()
    assert {name for name, tool in found.items() if not isinstance(tool, str)} == {"seats"}
    assert [tool.name for tool in Toolbox.of()][-1] == "seats"
    plan = Plan.from_yaml(
        "steps: [{id: p, tool: ground, args: {phrases: [plane]}}, {id: n, tool: seats, inputs: {planes: p}}]\n"
        "outputs: [n]"
    )
    assert surveyor.run(plan, IMAGE, models=models()).count == 360


def test_tools_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import surveyor\n\n\n@surveyor.tool\ndef one(things: surveyor.CandidateSet) -> surveyor.Count:\n"
        "    '''Counts one.'''\n    return surveyor.Count(1)\n"
    )
    assert [tool.name for tool in tools_of_file(path)] == ["one"]
    path.write_text("x = 1")
    with pytest.raises(UsageError, match="has no tool"):
        tools_of_file(path)
    path.write_text("1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        tools_of_file(path)
    with pytest.raises(UsageError, match="cannot be loaded"):
        tools_of_file(tmp_path / "absent.py")


def test_tools_are_told_to_people_and_models() -> None:
    text = tools_text(Toolbox.of([upper]))
    assert "upper(things, share) -> CandidateSet: Keeps those in the upper part." in text
    assert "  share: how much of the height belongs to it. (default 0.5)" in text
    schema = tool_schemas(Toolbox.of([upper]).given)[0]
    assert schema["inputs"] == ["things"]
    assert schema["arguments"]["properties"]["share"]["maximum"] == 1


# ---- in plans, answers and traces --------------------------------------------------------------------------------


def test_a_set_that_a_tool_makes_can_be_gone_on_with() -> None:
    g = Graph(tools=MINE)
    high = g.use("upper", g.ground("plane"), share=0.5, name="high plane")
    g.answer(g.ground("ship").near(high), high.where("in the left half"))
    plan = g.plan()
    assert [step.tool for step in plan.steps] == ["ground", "ground", "upper", "select", "select"]
    assert plan.step("upper_1").instruction == "use upper on all planes, with share 0.5"
    assert plan.step("select_1").inputs == {"candidates": "find_ships", "high planes": "upper_1"}
    assert g.words == "detect all ships near high planes; detect all high planes in the left half"
    assert g.request is None
    answer = g.run(IMAGE, models=models())
    assert {c.region.id for c in answer.regions} == {"s1", "p1"}
    below = next(c for c in answer.rejected if c.region.id == "p2")
    assert dict(below.verdicts) == {"in the upper 0.5": False, "in the left half": True}
    assert answer.trace.models["tool upper"] == tool_of(upper).origin
    assert any(observation.tool == "upper" for observation in answer.trace.observations)
    assert Graph.from_yaml(g.to_yaml(), tools=MINE).plan() == plan
    assert Plan.from_yaml(plan.to_yaml()) == plan


def test_all_kinds_of_values() -> None:
    g = Graph()
    planes, ships = g.ground("plane"), g.ground("ship")
    g.answer(
        g.compute(seats, planes.topmost(), each=100),
        g.compute(slope, things=planes),
        g.compute(full, planes, ships),
        g.compute(title, word="b", size={"value": 3, "unit": "m"}),
    )
    answer = g.run(IMAGE, models=models())
    assert answer.text.startswith("Use seats on the topmost plane, with each 100: 100.")
    assert "Yes: one for each." in answer.text and "word b" in answer.text
    assert [item.value for item in answer.values] == [12.0, 12.0]
    assert {c.region.id for c in answer.parts[2].candidates} == {"p1", "p2", "s1"}
    assert answer.failure is None


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (broken, r"the tool 'broken' raised ZeroDivisionError: .* \(test_custom_tools.py, line \d+\)"),
        (liar, "the tool 'liar' gave int, and promised Count"),
    ],
)
def test_a_tool_that_fails_is_a_failed_step(function: Callable[..., Count], says: str) -> None:
    g = Graph()
    g.answer(g.compute(function, g.ground("plane")), g.count(g.ground("ship")))
    answer = g.run(IMAGE, models=models())
    assert answer.failure is not None
    with pytest.raises(ToolFailed, match=says):
        raise ToolFailed(answer.failure)
    assert "1 ship" in answer.text


def test_a_set_with_one_id_twice_is_refused() -> None:
    context = Context(scene=Scene.from_array(IMAGE), grounder=models().grounder, segmenter=models().segmenter)
    planes = Toolbox.of()("ground").call(context, {}, {"phrases": ["plane"]})
    with pytest.raises(ToolFailed, match="same id: 'p1', 'p2'"):
        tool_of(doubled).call(context, {"things": planes}, {})


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda g: g.use("nothing", g.ground("plane")), "there is no tool 'nothing'"),
        (lambda g: g.use("upper"), "needs the input 'things'"),
        (lambda g: g.use("upper", "planes", "ships"), "takes 1 set, not 2"),
        (lambda g: g.use("upper", "planes", things="ships"), "'things' twice"),
        (lambda g: g.use("upper", "planes", share=3), "less than or equal to 1"),
        (lambda g: g.use("upper", "planes", part=3), "part: Extra inputs"),
        (lambda g: g.use("seats", "planes"), "gives Count, not a set"),
        (lambda g: g.use("select", "planes"), ".where"),
        (lambda g: g.use("upper", "planes") | g.ground("ship"), "comes from a tool"),
        (lambda g: Graph().answer(g.use("upper", "planes")), "of another Graph"),
    ],
)
def test_calls_are_checked_when_built(build: Callable[[Graph], object], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(Graph(tools=MINE))
    assert says in str(caught.value)


def test_a_plan_with_a_tool_that_the_run_does_not_know() -> None:
    g = Graph(tools=MINE)
    g.answer(g.compute("seats", "planes"))
    with pytest.raises(UsageError, match=r"tools=\[...\]"):
        surveyor.run(g.plan(), IMAGE, models=models())
    assert surveyor.run(g.plan(), IMAGE, models=models(), tools=MINE).count == 360


def test_light_to_import() -> None:
    heavy = ("torch", "langgraph", "onnxruntime")
    code = f"import sys, surveyor; surveyor.Graph; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
