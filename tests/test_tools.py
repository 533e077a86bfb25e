"""The tools one by one: grounding, masks, measures, counts, descriptions, the registry."""

from dataclasses import dataclass

import numpy as np
import pytest
from scenes_by_hand import SHIP, box, kept, outlined, scene, together, turned, undecided
from surveyor.core.budget import Meter, metering
from surveyor.core.conditions import Compare, CountTest, Not, Pick, Position, Quantity, Relation
from surveyor.core.errors import ToolFailed, UsageError
from surveyor.core.masks import Mask
from surveyor.core.protocols import MaskResult
from surveyor.core.regions import CandidateSet
from surveyor.tools import (
    TOOLS,
    Context,
    Count,
    Measurement,
    Measurements,
    check,
    compare,
    count,
    describe,
    ground,
    measure,
    relate,
    segment,
    select,
    sizes,
    tool_named,
)
from surveyor.tools.references import needed_references


@dataclass
class Listed:
    """A grounder that answers from a table."""

    table: dict
    name: str = "listed"

    def knows(self):
        return tuple(self.table)

    def resolve(self, phrase):
        return (phrase,)

    def ground(self, scene, phrase):
        return tuple(self.table[phrase])


@dataclass
class Filled:
    """A segmenter that fills the box, or gives other masks that a test wants."""

    masks: list | None = None
    name: str = "filled"
    prompts: tuple = ()

    def segment(self, scene, prompts):
        self.prompts = tuple(prompts)
        masks = self.masks
        if masks is None:
            masks = [Mask.from_polygon(prompt.corners_px, scene.shape_hw) for prompt in prompts]
        return tuple(MaskResult(mask) for mask in masks)


# ---- ground ------------------------------------------------------------------------------------------------


def test_ground_merges_phrases_without_doubles():
    car, truck, plane = (
        box("v-1", 0, 0, 40, 20, "vehicle"),
        box("v-2", 100, 0, 140, 20, "vehicle"),
        box("p-1", 0, 0, 40, 20),
    )
    again = box("v-7", 1, 0, 40, 20, "vehicle")  # IoU 39 / 40 with the car
    half = box("v-8", 0, 0, 20, 20, "vehicle")  # IoU .5
    found = ground(
        scene(),
        ["car", "vehicle", "plane"],
        grounder=Listed({"car": [car], "vehicle": [again, truck, half], "plane": [plane]}),
    )
    assert [c.region.id for c in found] == ["v-1", "v-2", "v-8", "p-1"]
    assert all(not c.verdicts and c.status is True for c in found)


def test_ground_makes_ids_unique():
    table = {"plane": [box("", 0, 0, 10, 10), box("plane-1", 20, 0, 30, 10), box("plane-1", 40, 0, 50, 10)]}
    ids = [c.region.id for c in ground(scene(), ["plane"], grounder=Listed(table))]
    assert ids == ["plane-2", "plane-1", "plane-3"]


def test_ground_of_nothing():
    assert len(ground(scene(), ["plane"], grounder=Listed({"plane": []}))) == 0
    with pytest.raises(UsageError, match="at least one phrase"):
        ground(scene(), [], grounder=Listed({}))


# ---- segment -----------------------------------------------------------------------------------------------


def test_segment_gives_masks_and_outlines_to_open_candidates():
    made = select(
        scene(), kept(box("a", 10, 10, 30, 20), box("b", 800, 10, 830, 30)), Position(frame="half", place="left")
    )
    done = segment(scene(), made, segmenter=Filled())
    assert done.candidates[0].region.mask.area_px == 200
    assert done.candidates[0].region.polygon_px.min(axis=0).tolist() == [10, 10]
    assert done.candidates[1].region.mask is None
    assert done.candidates[0].verdicts == made.candidates[0].verdicts


def test_segment_prompts_with_points_inside_a_known_outline():
    segmenter = Filled()
    ell = outlined("a", [(0, 0), (100, 0), (100, 10), (10, 10), (10, 100), (0, 100)])
    segment(scene(), kept(ell, box("b", 0, 0, 9, 9)), segmenter=segmenter)
    first, second = segmenter.prompts
    assert len(first.points_px) == len(first.point_labels) == 3
    assert all(x <= 10 or y <= 10 for x, y in first.points_px)
    assert len(second.points_px) == 0


def test_segment_keeps_an_outline_that_fits_and_a_region_whose_mask_is_empty():
    exact = outlined("a", [(0, 0), (100, 0), (0, 100)])
    fitting = Mask.from_polygon(exact.polygon_px, (1000, 1000))
    assert segment(scene(), kept(exact), segmenter=Filled([fitting])).candidates[
        0
    ].region.polygon_px is exact.polygon_px or (
        segment(scene(), kept(exact), segmenter=Filled([fitting])).candidates[0].region.polygon_px.tolist()
        == exact.polygon_px.tolist()
    )
    empty = Mask.from_array(np.zeros((1000, 1000)))
    assert segment(scene(), kept(exact), segmenter=Filled([empty])).candidates[0].region is exact
    assert len(segment(scene(), kept(), segmenter=Filled())) == 0


def test_segment_outline_is_smooth_and_keeps_the_area():
    disc = np.hypot(*(np.indices((200, 200)) - 99.5)) < 60
    region = (
        segment(scene(200, 200), kept(box("a", 40, 40, 160, 160)), segmenter=Filled([Mask.from_array(disc)]))
        .candidates[0]
        .region
    )
    assert len(region.polygon_px) < 100
    from surveyor.core.geometry import polygon_area

    assert polygon_area(region.polygon_px) == pytest.approx(disc.sum(), rel=0.03)


def test_segment_tells_a_wrong_number_of_masks():
    with pytest.raises(ToolFailed, match="0 masks for 1 prompts"):
        segment(scene(), kept(box("a", 0, 0, 9, 9)), segmenter=Filled([]))


# ---- measure -----------------------------------------------------------------------------------------------


def test_measure_picks_metres_when_it_can():
    made = kept(turned("a", 100, 100, 80, 20, 30))
    [in_px] = measure(scene(), made, "length").items
    [in_m] = measure(scene(gsd_m=0.5), made, "length").items
    assert (in_px.value, in_px.unit) == (pytest.approx(80), "px")
    assert (in_m.value, in_m.unit) == (pytest.approx(40), "m")
    [area] = measure(scene(gsd_m=0.5), made, "area").items
    assert (area.value, area.unit) == (pytest.approx(80 * 20 * 0.25), "m2")


def test_measure_in_the_unit_asked_for():
    made = kept(box("a", 0, 0, 200, 100))
    assert measure(scene(gsd_m=0.5), made, "width", "ft").items[0].value == pytest.approx(50 / 0.3048)
    assert measure(scene(gsd_m=0.5), made, "area", "ha").items[0].value == pytest.approx(0.5)
    assert measure(scene(gsd_m=0.5), made, "perimeter", "px").items[0].value == 600
    assert measure(scene(), made, "length", "m") == Measurements((Measurement("a", "length", None, "m"),))
    assert measure(scene(), kept(), "length", "m") == Measurements()


def test_measure_aspect_and_orientation():
    made = kept(turned("a", 100, 100, 80, 20, 30), box("b", 0, 0, 10, 10))
    assert [m.value for m in measure(scene(), made, "aspect").items] == [pytest.approx(4), pytest.approx(1)]
    first, second = measure(scene(), made, "orientation").items
    assert (first.value, first.unit, second.value) == (pytest.approx(30), "deg", None)


@pytest.mark.parametrize(
    ("attribute", "unit"), [("area", "m"), ("length", "ha"), ("orientation", "m"), ("aspect", "px")]
)
def test_measure_refuses_units_that_do_not_fit(attribute, unit):
    with pytest.raises(UsageError, match=f"{unit!r}"):
        measure(scene(), kept(), attribute, unit)


def test_measure_takes_only_what_is_kept():
    made = together(kept(box("a", 0, 0, 10, 20)), undecided(box("b", 0, 0, 10, 30)))
    assert [m.region_id for m in measure(scene(), made, "length").items] == ["a"]


def test_area_prefers_the_mask_then_the_outline():
    from dataclasses import replace

    triangle = outlined("a", [(0, 0), (100, 0), (0, 100)])
    assert sizes(scene(), triangle).area_px == 5000
    masked = replace(triangle, mask=Mask.from_array(np.ones((10, 10)), shape_hw=(1000, 1000)))
    assert sizes(scene(gsd_m=2.0), masked).area_m2 == 400
    assert sizes(scene(), box("a", 0, 0, 10, 20)).length_m is None


# ---- count, check, compare ---------------------------------------------------------------------------------

TWO_OR_THREE = together(kept(box("a", 0, 0, 1, 1), box("b", 0, 0, 1, 1)), undecided(box("c", 0, 0, 1, 1)))


def test_count_keeps_the_undecided_apart():
    assert count(TWO_OR_THREE) == Count(2, 1)
    assert count(CandidateSet()) == Count(0)


@pytest.mark.parametrize(
    ("op", "n", "expected"),
    [(">", 1, True), (">", 2, None), (">", 3, False), (">=", 3, None), ("<", 3, None), ("<", 4, True), ("<=", 1, False),
     ("==", 2, None), ("==", 1, False), ("==", 4, False)],
)  # fmt: skip
def test_check_is_unknown_when_the_undecided_could_turn_it(op, n, expected):
    truth = check(TWO_OR_THREE, CountTest(op=op, n=n))
    assert truth.verdict is expected
    assert "2 to 3" in truth.reason


@pytest.mark.parametrize(
    ("a", "b", "op", "expected"),
    [
        (Count(0), Count(0), "==", True),
        (Count(3), Count(2), ">", True),
        (Count(2, 1), Count(2), ">", None),
        (Count(2, 1), Count(2), ">=", True),
        (Count(0, 9), Count(4), "==", None),
        (Count(0, 2), Count(4, 3), "==", False),
        (Count(1, 1), Count(4, 3), "<", True),
        (Count(1, 1), Count(4, 3), ">=", False),
    ],
)
def test_compare(a, b, op, expected):
    assert compare(a, b, op).verdict is expected


# ---- describe ----------------------------------------------------------------------------------------------


def test_describe_nothing():
    assert describe(scene(), kept()).text == "Nothing was found."
    none = select(scene(), kept(box("a", 0, 0, 9, 9), box("b", 0, 0, 9, 9)), Position(frame="half", place="right"))
    assert describe(scene(), none).text == "None fits; two planes were looked at."
    assert "one could not be decided" in describe(scene(), undecided(box("a", 0, 0, 9, 9))).text


def test_describe_one():
    made = kept(turned("a", 100, 100, 80, 20, 90), box("b", 400, 90, 440, 110, "ship"))
    one = select(scene(gsd_m=0.5), made, Compare(attribute="length", op=">", quantity=Quantity(value=30, unit="m")))
    text = describe(scene(gsd_m=0.5), one).text
    assert text == (
        "A plane, 40 m long and 10 m wide, in the top left of the image. Its long side runs north-south. "
        "The nearest ship is 145 m away, to the right."
    )


def test_describe_several():
    row = kept(*(turned(f"p{i}", 100 + 60 * i, 900, 40 + 40 * (i == 2), 20, 0) for i in range(3)))
    assert describe(scene(), row).text == (
        "Three planes, 40 to 80 px long, in the bottom left of the image. Their long sides run east-west. "
        "The largest one, p2, is 80 px long."
    )
    mixed = together(row, kept(box("s", 490, 490, 520, 510, "ship")))
    assert describe(scene(), mixed).text == (
        "Three planes and a ship. The planes are 40 to 80 px long, in the bottom left of the image. "
        "The ship is 30 px long and 20 px wide, in the centre of the image."
    )


# ---- relate ------------------------------------------------------------------------------------------------


def test_relate_gives_a_graph_of_relations():
    planes, ships = (
        kept(box("p-1", 0, 0, 20, 20), box("p-2", 500, 500, 520, 520)),
        kept(box("s-1", 25, 0, 45, 20, "ship")),
    )
    graph = relate(scene(), planes, ships, ("near", "adjacent", "inside"))
    assert set(graph.edges(keys=True)) == {("p-1", "s-1", "near"), ("p-1", "s-1", "adjacent")}
    assert graph.edges["p-1", "s-1", "near"] == {"verdict": True, "value": 5.0, "direction": "left"}
    assert graph.nodes["s-1"] == {"label": "ship"}
    assert not relate(scene(), planes, planes, ("overlaps",)).edges
    reach = Quantity(value=4, unit="m")
    assert len(relate(scene(gsd_m=0.5), planes, ships, ("within",), within=reach).edges) == 1
    with pytest.raises(UsageError, match="gsd_m"):
        relate(scene(), planes, ships, ("within",), within=reach)
    with pytest.raises(UsageError, match="'beside'"):
        relate(scene(), planes, ships, ("beside",))


# ---- registry ----------------------------------------------------------------------------------------------


def context(**more):
    return Context(scene=scene(), grounder=Listed({"plane": [box("p-1", 0, 0, 9, 9)]}), segmenter=Filled(), **more)


def test_segment_gives_a_known_outline_as_a_rough_mask():
    segmenter = Filled()
    ring = np.array([[10.0, 10], [40, 12], [38, 30]])
    segment(scene(), kept(outlined("p-1", ring), box("p-2", 50, 50, 60, 60)), segmenter=segmenter)
    with_outline, without = segmenter.prompts
    assert with_outline.coarse == Mask.from_polygon(ring, scene().shape_hw) and without.coarse is None


def test_every_tool_runs_from_plain_data():
    planes = tool_named("ground").call(context(), {}, {"phrases": ["plane"]})
    left = {"kind": "position", "frame": "half", "place": "left"}
    inputs = {"candidates": planes}
    assert len(tool_named("select").call(context(), inputs, {"condition": left}).kept) == 1
    assert len(tool_named("pick").call(context(), inputs, {"pick": {"by": "area", "order": "max"}}).kept) == 1
    assert tool_named("segment").call(context(), inputs, {}).regions[0].mask is not None
    assert tool_named("measure").call(context(), inputs, {"attribute": "width"}).items[0].value == 9
    assert tool_named("count").call(context(), inputs, {}) == Count(1)
    assert tool_named("check").call(context(), inputs, {"test": {"op": ">=", "n": 1}}).verdict is True
    assert tool_named("compare").call(context(), {"a": planes, "b": planes}, {"op": "=="}).verdict is True
    apart = tool_named("distance").call(context(), inputs | {"reference": kept(box("s", 12, 0, 30, 9, "ship"))}, {})
    assert [item.attribute for item in apart.items] == ["distance"]
    both = tool_named("difference").call(context(), {"a": planes, "b": planes}, {"names": ["planes", "aircraft"]})
    assert both.text == "planes: 1, aircraft: 1; as many of both."
    assert "plane" in tool_named("describe").call(context(), inputs, {}).text
    assert {tool.name for tool in TOOLS} == {
        "ground", "given", "verify", "select", "pick", "segment", "measure", "distance", "count", "check", "compare",
        "difference", "describe", "choose", "judge", "answer", "caption", "classify", "locate",
    }  # fmt: skip


def test_references_reach_select_by_their_words():
    near = Relation(relation="near", reference=SHIP).model_dump(mode="json")
    ships = kept(box("s", 12, 0, 30, 9, "ship"))
    found = tool_named("select").call(
        context(), {"candidates": kept(box("p", 0, 0, 9, 9)), "ships": ships}, {"condition": near}
    )
    assert found.candidates[0].verdicts == {"near ships": True}
    assert list(needed_references(Not(condition=Relation(relation="near", reference=SHIP)))) == ["ships"]
    assert list(needed_references(Pick(by="area", order="max"))) == []


@pytest.mark.parametrize(
    ("tool", "inputs", "args", "said"),
    [
        ("ground", (), {}, "phrases: Field required"),
        ("ground", (), {"phrases": []}, "phrases"),
        ("ground", ("candidates",), {"phrases": ["plane"], "limit": 3}, "takes no input 'candidates'.*limit"),
        ("select", (), {}, "needs the input 'candidates'.*condition"),
        ("select", ("candidates",), {"condition": {"kind": "colour", "word": "pink"}}, "pink"),
        (
            "select",
            ("candidates",),
            {"condition": Relation(relation="near", reference=SHIP).model_dump()},
            "input 'ships'",
        ),
        ("compare", ("a",), {"op": "?"}, "needs the input 'b'.*op"),
        ("measure", ("candidates",), {"attribute": "weight"}, "attribute"),
    ],
)
def test_wrong_steps_are_told_with_all_their_faults(tool, inputs, args, said):
    with pytest.raises(UsageError, match=rf"the tool '{tool}' cannot run: .*{said}"):
        tool_named(tool).checked(dict.fromkeys(inputs, "s0"), args)


def test_an_unknown_tool_lists_the_names():
    with pytest.raises(UsageError, match="no tool 'zoom'; the tools are: ground, "):
        tool_named("zoom")


def test_inputs_must_be_candidate_sets():
    with pytest.raises(UsageError, match="'candidates' must be a set of candidates, not Count"):
        tool_named("count").call(context(), {"candidates": Count(3)}, {})


def test_ground_asks_a_grounder_that_looks_for_several_phrases_at_once_only_once():
    table = {"plane": [box("plane-1", 10, 10, 30, 20)], "ship": [box("ship-1", 50, 50, 80, 60)]}
    asked = []

    class Together(Listed):
        def ground_all(self, scene, phrases):
            asked.append(tuple(phrases))
            return [tuple(self.table[phrase]) for phrase in phrases]

        def ground(self, scene, phrase):
            asked.append(phrase)
            return super().ground(scene, phrase)

    meter = Meter()
    with metering(meter):
        found = ground(scene(), ["plane", "ship", "plane"], grounder=Together(table))
    assert [c.region.id for c in found] == ["plane-1", "ship-1"]
    assert asked == [("plane", "ship")] and meter.calls == 2
    assert [c.region.id for c in ground(scene(), ["ship"], grounder=Together(table))] == ["ship-1"]
    assert asked[1:] == ["ship"]
