"""The builder: the same plan as for the same request in words, faults told when it is built, YAML there and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import surveyor
from hypothesis import given, settings
from strategies import requests, selections
from surveyor import Graph, RegionSet, UsageError
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan
from surveyor.core.conditions import Colour, Condition, Relation, Request, Selection
from surveyor.core.regions import Region
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

Build = Callable[[Graph], Any]

# what is built, and the same in words
PAIRS: dict[str, tuple[Build, str]] = {
    "ground": (lambda g: g.ground("plane"), "detect all planes"),
    "several classes": (lambda g: g.ground("planes", "Storage Tank"), "planes and storage tanks"),
    "promised": (lambda g: g.the("storage tank", 2), "the two storage tanks"),
    "formula": (lambda g: g.ground("plane").where("length > 40 m"), "planes longer than 40 m"),
    "typed": (lambda g: g.ground("plane").where(Colour(word="red")), "red planes"),
    "comparative": (lambda g: g.ground("plane").longer_than("40 m"), "planes longer than 40 m"),
    "amount": (lambda g: g.ground("plane").compare("width", "<=", "100 ft"), "planes at most 100 ft wide"),
    "area": (lambda g: g.ground("lake").larger_than("2.5 ha"), "lakes larger than 2.5 ha"),
    "range": (
        lambda g: g.ground("ship").where("20 m < length <= 40 m"),
        "ships longer than 20 m and at most 40 m long",
    ),
    "aspect": (lambda g: g.ground("ship").compare("aspect", ">", 3), "ships with an aspect ratio of more than 3"),
    "bigger than a set": (lambda g: g.ground("ship").longer_than("the bridge"), "ships longer than the bridge"),
    "bigger than average": (lambda g: g.ground("ship").larger_than("average"), "ships larger than average"),
    "average of a set": (
        lambda g: g.ground("ship").longer_than(g.ground("ship").near("the quay"), average=True),
        "ships longer than the average of ships near the quay",
    ),
    "average in words": (
        lambda g: g.ground("ship").narrower_than("the average of ships near the quay", times=0.5),
        "ships less than half as wide as the average of ships near the quay",
    ),
    "average as a condition": (lambda g: g.ground("ship").where("larger than average"), "ships larger than average"),
    "another as a condition": (
        lambda g: g.ground("ship").where("longer than the one nearest to the quay"),
        "ships longer than the one nearest to the quay",
    ),
    "objects as a condition": (lambda g: g.ground("ship").where("near objects"), "ships near objects"),
    "colour": (lambda g: g.ground("storage tank").coloured("white"), "white storage tanks"),
    "size": (lambda g: g.ground("ship").sized("large"), "large ships"),
    "shape": (lambda g: g.ground("building").shaped("square"), "square buildings"),
    "orientation": (lambda g: g.ground("plane").oriented("horizontal"), "horizontal planes"),
    "cell": (lambda g: g.ground("plane").at("top left"), "planes in the top left corner"),
    "half": (lambda g: g.ground("plane").at("top", "half"), "planes in the northern half"),
    "edge": (lambda g: g.ground("plane").at("any", "edge"), "planes at the edge of the image"),
    "row": (lambda g: g.ground("plane").in_a_row(), "planes in a row"),
    "left": (lambda g: g.ground("plane").left_of("the runway"), "planes left of the runway"),
    "east": (lambda g: g.ground("plane").east_of("the runway"), "planes to the east of the runway"),
    "north-west": (lambda g: g.ground("plane").toward("NW", "the tower"), "planes north-west of the tower"),
    "further": (lambda g: g.ground("ship").further("left", "the pier"), "ships further left than the pier"),
    "bank": (
        lambda g: g.ground("plane").side_of(g.the("river"), "east"),
        "detect all planes on the east bank of the river",
    ),
    "near": (lambda g: g.ground("plane").near("the hangar"), "planes near the hangar"),
    "near each": (lambda g: g.ground("plane").near(g.ground("hangar"), each=True), "planes near all hangars"),
    "within": (lambda g: g.ground("house").within("50 m", g.the("river")), "houses within 50 m of the river"),
    "beyond": (lambda g: g.ground("house").beyond("0.1 km", "roads"), "houses more than 0.1 km from roads"),
    "inside": (lambda g: g.ground("ship").inside("the harbour"), "ships in the harbour"),
    "containing": (lambda g: g.ground("harbour").containing("ships"), "harbours containing ships"),
    "overlapping": (lambda g: g.ground("bridge").overlapping("the river"), "bridges crossing the river"),
    "between": (lambda g: g.ground("tree").between("the road", "the river"), "trees between the road and the river"),
    "surrounded": (lambda g: g.ground("house").surrounded_by("trees"), "houses surrounded by trees"),
    "two hops": (
        lambda g: g.ground("car").next_to(g.ground("building").nearest_to(g.the("bridge"))),
        "cars beside the building nearest to the bridge",
    ),
    "largest": (lambda g: g.ground("ship").largest(2), "the two largest ships"),
    "ordinal": (lambda g: g.ground("storage tank").nth(3, "left"), "the third storage tank from the left"),
    "second largest": (lambda g: g.ground("ship").nth(2, "largest"), "the second largest ship"),
    "central": (lambda g: g.ground("car").most_central(2), "the two most central cars"),
    "least central": (lambda g: g.ground("car").nth(2, "least central"), "the second least central car"),
    "farthest": (lambda g: g.ground("house").farthest_from("the road", 2), "the two houses farthest from the road"),
    "pick of a pick": (
        lambda g: g.ground("plane").leftmost(3).largest(),
        "the largest of the three leftmost planes",
    ),
    "except": (
        lambda g: g.ground("plane").excluding(g.ground("plane").largest()),
        "all planes except the largest",
    ),
    "except a class": (
        lambda g: g.ground("plane", "ship") - g.ground("ship").near("the river"),
        "planes and ships that are not (of type ship and near the river)",
    ),
    "union": (
        lambda g: g.ground("plane").where("length > 40 m") | g.ground("ship"),
        "planes longer than 40 m, and ships",
    ),
    "either": (
        lambda g: g.ground("plane").near("the river") | g.ground("plane").near("the road"),
        "planes near the river or near the road",
    ),
    "or in words": (lambda g: g.ground("plane").where("red or white"), "planes that are red or white"),
    "not": (lambda g: g.ground("plane").where("not near the river"), "planes not near the river"),
    "conjunction": (
        lambda g: g.ground("storage tank").where("white", "area > 300 m2").excluding("near the road"),
        "white storage tanks larger than 300 m2 and not near the road",
    ),
    "in words": (lambda g: g.find("the two largest ships in the harbour"), "the two largest ships in the harbour"),
    "segment": (lambda g: g.segment(g.ground("plane").largest()), "segment the largest plane"),
    "count": (lambda g: g.count(g.ground("ship").inside("the harbour")), "how many ships are in the harbour?"),
    "count rows": (lambda g: g.count("planes", per="row"), "count the rows among all planes"),
    "measure": (
        lambda g: g.measure("the longest ship", "length", "ft"),
        "what is the length of the longest ship in feet?",
    ),
    "measure all": (lambda g: g.measure(g.ground("lake"), "area", summary="total"), "the total area of the lakes"),
    "distance": (
        lambda g: g.measure("the largest ship", "distance", to=g.the("pier")),
        "how far is the largest ship from the pier?",
    ),
    "describe": (lambda g: g.describe(g.ground("harbour")), "describe the harbours"),
    "exists": (lambda g: g.exists(g.ground("plane")), "are there any planes?"),
    "exists five": (lambda g: g.exists("planes", "more than five"), "are there more than five planes?"),
    "compare": (lambda g: g.compare("ships", ">", g.ground("tank")), "are there more ships than tanks?"),
    "so many times as many": (
        lambda g: g.compare(g.ground("ship"), "at least", "tanks", times=2),
        "are there at least twice as many ships as tanks?",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_plan_is_that_of_the_request_in_words(name: str) -> None:
    build, query = PAIRS[name]
    graph = Graph()
    graph.answer(build(graph))
    assert graph.request == parse(query)
    own, wanted = graph.plan(), make_plan(parse(query))
    assert (own.steps, own.outputs) == (wanted.steps, wanted.outputs)
    assert own == surveyor.plan(graph.words)
    assert Graph.from_yaml(graph.to_yaml()).plan() == own


def test_the_example_of_the_issue() -> None:
    g = Graph()
    planes = g.ground("plane")
    river = g.ground("river")
    g.answer(g.segment(planes.side_of(river, "east").where("length > 40 m")))
    assert g.plan() == surveyor.plan("segment all planes on the east side of rivers and longer than 40 m")


def test_several_outputs_share_their_steps() -> None:
    g = Graph()
    tanks = g.ground("tank")
    g.answer(g.count(tanks), g.segment(tanks.largest()))
    assert g.request == parse("count the tanks and segment the largest one")
    assert [step.tool for step in g.plan().steps] == ["ground", "count", "pick", "segment"]


@settings(max_examples=60, deadline=None)
@given(requests())
def test_any_request_goes_through_yaml(request: Request) -> None:
    graph = Graph()
    graph.outputs = request.outputs
    back = Graph.from_yaml(graph.to_yaml())
    assert back.request == request
    assert back.plan().steps == make_plan(request).steps


@settings(max_examples=60, deadline=None)
@given(selections(1))
def test_a_set_in_words_is_the_set(selection: Selection) -> None:
    found = RegionSet(Graph(), selection)
    assert found.graph.find(found.words).selection == selection


def test_a_condition_after_a_rank_is_asked_of_those_ranks() -> None:
    g = Graph()
    asked = g.ground("plane").largest(2).where("in the top half")
    assert asked.words == "planes that are among the two largest and in the top half"
    boxes = [(10, 60, 60, 90), (10, 10, 50, 40), (70, 10, 80, 20)]  # the smallest is in the top half as well
    regions = [
        Region(f"p{k}", "plane", [[x, y], [X, y], [X, Y], [x, Y]], [x, y, X, Y])  # type: ignore[arg-type]
        for k, (x, y, X, Y) in enumerate(boxes)
    ]
    models = Models(FakeGrounder(regions), FakeSegmenter())
    answer = g.answer(asked).run(np.zeros((100, 100, 3), np.uint8), models=models)
    assert [c.region.id for c in answer.regions] == ["p1"]


FAULTS: dict[str, tuple[Build, str]] = {
    "typo in a formula": (lambda g: g.ground("plane").where("lenght > 40 m"), "did you mean 'length'"),
    "unit": (lambda g: g.ground("plane").where("width > 40 m2"), "use m, ft or px"),
    "no unit": (lambda g: g.ground("plane").longer_than("40"), "Say '40 m' or '40 px'"),
    "unknown unit": (lambda g: g.ground("plane").longer_than("40 bananas"), "units are: px, m,"),
    "area for a length": (lambda g: g.ground("plane").within("40 m2", of="the river"), "needs a length, not an area"),
    "direction": (
        lambda g: g.ground("plane").side_of("the river", "eest"),
        "'north-west', 'left' or 'above', not 'eest'",
    ),
    "colour": (lambda g: g.ground("plane").coloured("pink"), "red, orange, yellow"),
    "contradiction": (lambda g: g.ground("plane").where("red").where("blue"), "both 'red' and 'blue'"),
    "place": (lambda g: g.ground("plane").at("center", "half"), "'bottom', 'left', 'right', 'top'"),
    "rank": (lambda g: g.ground("plane").nth(2, "larget"), "did you mean 'largest'"),
    "rank 0": (
        lambda g: g.ground("plane").largest(0),
        "how many to take is a whole number from 1 on, as in largest(2), not 0",
    ),
    "instruction": (lambda g: g.compute("count", "planes", instruction=3), "an instruction is text"),
    "graph of a number": (lambda g: Graph.from_yaml(3), "a graph is text"),  # type: ignore[arg-type]
    "graph of nothing": (lambda g: Graph.from_yaml(""), "it is no mapping"),
    "query of a number": (lambda g: Graph.from_words(3), "a query is text"),  # type: ignore[arg-type]
    "rank of nothing": (lambda g: g.ground("plane").nth(0, "left"), "the rank is a whole number from 1 on"),
    "half of one": (lambda g: g.ground("plane").largest(2.5), "not 2.5"),
    "a number as text": (lambda g: g.ground("plane").largest("2"), "not '2'"),
    "no number": (lambda g: g.ground("plane").longer_than("the bridge", times=float("nan")), "above 0, as in"),
    "no text": (lambda g: g.ground("plane").coloured(None), "a colour is one of red,"),
    "not yes or no": (lambda g: g.ground("plane").near("the river", each="all"), "True or False, not 'all'"),
    "union with words": (lambda g: g.ground("plane") | "ships", "a union is of sets"),
    "without a number": (lambda g: g.ground("plane") - 3, "typed node, not 3"),
    "infinite box": (lambda g: g.box(0, 0, float("inf"), 9), "four numbers in pixels"),
    "bare amount": (lambda g: g.ground("plane").longer_than(40), "Say '40 m' or '40 px'"),
    "no ids": (lambda g: g.ground("plane").of_ids(), "text such as 'plane-3'"),
    "summary": (lambda g: g.measure("planes", "length", summary="avg"), "total, mean, median"),
    "per": (lambda g: g.count("planes", per="rows"), "did you mean 'row'"),
    "quantifier in words": (lambda g: g.ground("plane").near("all ships"), "each=True"),
    "amount in words": (lambda g: g.ground("plane").near("at least two ships"), "amount="),
    "not a set": (lambda g: g.ground("plane").near(3), "words such as 'the river', not 3"),
    "question as a set": (lambda g: g.find("how many planes are there?"), "noun phrase"),
    "no class": (lambda g: g.ground(), "at least one class name"),
    "empty class": (lambda g: g.ground(" "), "'plane' or 'storage tank'"),
    "more than a class": (lambda g: g.ground("planes near the river"), "g.find('planes near the river')"),
    "no condition": (lambda g: g.ground("plane").where(""), "the condition is empty"),
    "another noun": (lambda g: g.ground("plane").where("red; count the ships"), "a condition is e.g."),
    "not a condition": (lambda g: g.ground("plane").where(3), "typed node, not 3"),
    "nothing left": (lambda g: g.ground("plane") - g.ground("plane"), "leaves nothing"),
    "attribute": (lambda g: g.measure("planes", "lenght"), "did you mean 'length'"),
    "unit of an attribute": (lambda g: g.measure("planes", "length", "ha"), "length is not measured in 'ha'"),
    "distance to what": (lambda g: g.measure("planes", "distance"), "g.measure(planes, 'distance', to='the runway')"),
    "test": (lambda g: g.exists("planes", "lots"), "'more than 5', 'at least two'"),
    "comparison": (lambda g: g.compare("planes", "><", "ships"), "one of >, >=, <, <=, =="),
    "no answer": (lambda g: g.answer(), "at least one thing"),
    "answer to what": (lambda g: g.answer("planes"), "not 'planes'"),
    "no plan yet": (lambda g: g.plan(), "nothing is asked for yet"),
    "box": (lambda g: g.box(5, 5, 1, 9), "x0 < x1"),
    "times of a difference": (lambda g: g.compare("planes", None, "ships", times=2), "goes with a comparison"),
    "no times": (lambda g: g.compare("planes", ">", "ships", times=0), "above 0, as in g.compare('ships', '>='"),
    "each of an average": (
        lambda g: g.ground("plane").longer_than("average", each=True),
        "an average is one number",
    ),
    "average of an amount": (lambda g: g.ground("plane").longer_than("40 m", average=True), "go with another set"),
    "half central": (lambda g: g.ground("plane").most_central(0.5), "whole number from 1 on"),
    "times without a set": (lambda g: g.ground("plane").longer_than("40 m", times=2), "go with another set"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told_when_built(name: str) -> None:
    build, says = FAULTS[name]
    with pytest.raises(UsageError) as caught:
        build(Graph())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value) and "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("length > 40 m and frobnicating", "frobnicating"),
        ("10 m < length < 40", "40"),
        ("red and area > 3 banana", "3"),
    ],
)
def test_a_fault_in_a_formula_points_at_the_words(text: str, word: str) -> None:
    with pytest.raises(surveyor.QueryError) as caught:
        Graph().ground("plane").where(text)
    assert caught.value.query == text
    start, stop = caught.value.spans[0]
    assert word in text[start:stop]


def test_every_relation_has_a_method() -> None:
    g = Graph()
    planes, other = g.ground("plane"), g.the("river")
    built = [
        planes.toward("left", other), planes.further("left", other), planes.side_of(other, "left"), planes.near(other),
        planes.within("5 m", other), planes.beyond("5 m", other), planes.inside(other), planes.containing(other),
        planes.overlapping(other), planes.next_to(other), planes.between(other, other), planes.surrounded_by(other),
        planes.in_a_row(), planes.parallel_to(other), planes.perpendicular_to(other), planes.flanking(other),
        planes.same_side_of(other), planes.other_side_of(other, seen_from="the tower"),
    ]  # fmt: skip
    relations = {each.selection.where.relation for each in built if isinstance(each.selection.where, Relation)}
    assert relations == set(get_args(Relation.model_fields["relation"].annotation))


def test_every_kind_of_condition_has_a_method() -> None:
    g = Graph()
    planes, other = g.ground("plane"), g.the("river")
    built = [
        planes.of_class("ship"), planes.of_ids("plane-1"), planes.compare("length", ">", "4 m"),
        planes.compare("aspect", ">", 3), planes.sized("large"), planes.shaped("square"), planes.oriented("vertical"),
        g.changes("plane").changed("new"), planes.coloured("red"), planes.at("top"), planes.in_box(0, 0, 500, 500),
        planes.near(other), planes.longer_than(other),
        planes.in_a_group("at least 3"), planes.provided(other), planes.largest().where("red"),
        planes.near(other) | planes.where("red"), planes.excluding("red"), planes.where("red", "in the top half"),
    ]  # fmt: skip
    nodes = {type(node) for each in built for node in (each.selection.where,)}
    nodes |= {type(part) for each in built for part in getattr(each.selection.where, "conditions", ())}
    missing = {kind.__name__ for kind in get_args(get_args(Condition)[0])} - {kind.__name__ for kind in nodes}
    assert not missing


def test_answer_replaces_and_keeps_each_output_once() -> None:
    g = Graph()
    g.answer(g.count("planes"), g.count("planes"))
    assert len(g.outputs) == 1
    g.answer(g.ground("ship"))
    assert g.words == "detect all ships"


def test_names_of_classes_that_look_like_adjectives() -> None:
    g = Graph()
    assert g.ground("large vehicle").selection.phrases == ("large vehicle",)
    asked = g.answer(g.ground("vehicle").sized("large"))
    assert asked.plan(["large-vehicle", "small-vehicle"]).steps[0].args["phrases"] == ["large vehicle"]
    assert asked.plan().steps[0].args["phrases"] == ["vehicle"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps: []\noutputs: []", "this is a plan"),
        ("outputs:\n- verb: fly\n", "outputs.0"),
        ("- a", "the graph has faults"),
        ("{", "not readable YAML"),
        ("outputs: []", "asks for nothing"),
        ("outputs: [gap]", "no call 'gap'"),
        ("version: 9\noutputs: [gap]", "version 9"),
    ],
)
def test_damaged_yaml_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Graph.from_yaml(text)


def test_what_people_see() -> None:
    g = Graph()
    assert repr(g) == "Graph('nothing asked for yet')"
    assert repr(g.ground("plane").where("red")) == "RegionSet('red planes')"
    assert repr(g.count("planes")) == "Wanted('count all planes')"
    g.answer(g.find("planes near the river"))
    assert "select those near the river" in g._repr_html_()
    assert "detect all planes" in g.ground("plane")._repr_html_()
    drawn = g.draw()
    assert drawn.startswith("flowchart TD\n")
    assert 'find_rivers -- "the river" --> select_1' in drawn


def test_an_unknown_class_is_an_error_of_the_run() -> None:
    g = Graph()
    g.answer(g.ground("glacier"))
    models = Models(FakeGrounder(labels=("plane",)), FakeSegmenter())
    with pytest.raises(surveyor.UnknownPhrase, match="plane"):
        g.run(np.zeros((10, 10, 3), np.uint8), models=models)
