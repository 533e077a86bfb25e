"""The second look: what descriptions say of what was asked, plans with it, the describers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan
from surveyor.agent.verifying import with_verification
from surveyor.app.cli import main
from surveyor.core.errors import ModelOutputError, ToolFailed, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.protocols import Description
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.evals.detection import Truth
from surveyor.evals.verify import Judged, auc, hits_of, report
from surveyor.tools.models.compact.describer import CompactDescriber, View, crop_of, turned, turned_box
from surveyor.tools.models.compact.detector import Detection
from surveyor.tools.models.fakes import FakeDescriber
from surveyor.tools.models.merging import Raw
from surveyor.tools.registry import Context, tool_named
from surveyor.tools.verify import agrees, verify

SCENE = Scene.from_array(np.zeros((100, 200, 3), np.uint8), name="scene.png")
CLASSES = ("airplane", "ship", "storage_tank", "vehicle")


def region(label: str = "airplane", score: float | None = 0.9, box=(20, 20, 60, 40)) -> Region:
    xyxy = np.array(box, dtype=float)
    return Region(f"{label}-1", label, box_to_corners(xyxy), xyxy, score)


@pytest.mark.parametrize(
    ("said", "asked", "verdict"),
    [
        (Description("airplane", "airplane", 0.9, CLASSES), ("planes",), True),
        (Description("storage tank", "storage_tank", 0.9, CLASSES), ("planes",), False),
        (Description("vehicle", "vehicle", 0.9, CLASSES), ("trucks",), True),  # the nearest broader class it has
        (Description("vehicle", "vehicle", 0.9, CLASSES), ("large vehicle", "trucks"), True),
        (Description("nothing it knows", None, None, CLASSES), ("planes",), False),
        (Description("nothing it knows", None, None, CLASSES), ("bridges",), None),  # it has no bridges to name
        (Description("A white jet on an apron."), ("planes",), True),
        (Description("Two oil tanks beside a road."), ("planes",), False),
        (Description("Something bright."), ("planes",), None),
        (Description(""), ("planes",), None),
    ],
)
def test_descriptions_lead_back_or_not(said, asked, verdict):
    assert agrees(said, asked) is verdict


def test_verdicts_lower_the_confidence_and_drop_nothing():
    ship = region("ship", 0.5, (100, 50, 140, 60))
    bare = region("vehicle", None, (150, 50, 160, 60))
    rejected = Candidate(region(), {"in the left half": False})
    told = {
        "airplane": Description("ship", "ship", 0.75, CLASSES),
        "ship": Description("a large ship"),
        "vehicle": Description("nothing it knows", None, None, CLASSES),
    }
    candidates = CandidateSet((rejected, Candidate(ship), Candidate(bare)))
    found = verify(
        SCENE, candidates, ["planes", "ships", "cars"], describer=FakeDescriber(lambda each: told[each.label])
    )
    first, second, third = (candidate.verified for candidate in found)
    assert (first.verdict, first.reason, first.confidence) == (False, "described as ship (0.75)", 0.9 * 0.25)
    assert (second.verdict, second.reason, second.confidence) == (True, "described as a large ship", 0.5)
    assert (third.verdict, third.confidence) == (False, None)  # no score stays no score
    assert [candidate.status for candidate in found] == [False, True, True]
    assert [candidate.region.score for candidate in found] == [0.9, 0.5, None]


def test_the_describer_is_asked_once_and_not_told_the_label():
    describer = FakeDescriber()
    verify(SCENE, CandidateSet((Candidate(region()), Candidate(region("ship")))), ["planes"], describer=describer)
    assert describer.calls == [("scene.png", "airplane-1", "ship-1")]
    assert verify(SCENE, CandidateSet(), ["planes"], describer=describer) == CandidateSet()
    assert describer.call_count == 1


def test_describers_that_fail_are_told():
    one = CandidateSet((Candidate(region()),))

    class Short(FakeDescriber):
        def describe(self, scene, regions):
            return ()

    with pytest.raises(ToolFailed, match="gave 0 descriptions of 1 regions"):
        verify(SCENE, one, ["planes"], describer=Short())
    with pytest.raises(ModelOutputError):
        verify(SCENE, one, ["planes"], describer=FakeDescriber(failure=ModelOutputError("not readable", raw="?")))
    context = Context(scene=SCENE, grounder=None, segmenter=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--models describer=compact"):
        tool_named("verify").call(context, {"candidates": one}, {"phrases": ["plane"]})


# ---- the plan -----------------------------------------------------------------------------------------------------


def test_each_grounding_is_followed_by_a_second_look():
    plan = make_plan(parse("planes longer than 40 m near the largest ship"))
    verified = with_verification(plan)
    tools = [step.tool for step in verified.steps]
    assert tools == ["ground", "verify", "select", "ground", "verify", "pick", "select"]
    second = verified.step("verify_planes")
    assert (second.inputs, second.args) == ({"candidates": "find_planes"}, {"phrases": ["plane"]})
    takers = [source for step in verified.steps if step.tool != "verify" for source in step.inputs.values()]
    assert not any(source.startswith("find_") for source in takers)
    assert with_verification(verified) == verified
    verified.levels()


def test_a_grounding_that_is_the_answer_is_verified_too():
    assert with_verification(make_plan(parse("detect all planes"))).outputs == ("verify_planes",)


# ---- the embedded describer ---------------------------------------------------------------------------------------


def test_crops_show_the_region_at_one_size_inside_the_scene():
    # long side 40 px shown at 80: scale 2; three long sides round the centre (100, 50): x 40..160, y clipped to 0..100
    assert crop_of(np.array([80.0, 40, 120, 60]), (200, 100), View(80)) == ((40, 0, 160, 100), (240, 200))
    # at most 3 network px a scene px; at least 160 network px round it: 160 / 3 = 53.3 px
    window, size = crop_of(np.array([99.0, 49, 101, 51]), (200, 100), View(80))
    assert (window, size) == ((73, 23, 127, 77), (162, 162))


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_turn_with_the_pixels(quarters, mirrored):
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[5:10, 20:40] = 255
    view = View(64, quarters=quarters, mirrored=mirrored)
    ys, xs = np.nonzero(turned(pixels, view)[..., 0])
    box = turned_box(np.array([20.0, 5, 40, 10]), (50, 30), view)
    assert box.tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


class OneThing:
    """A detector that sees bright pixels as a ship of a given raw score, and counts its looks."""

    all_classes = CLASSES
    classes = CLASSES[:3]
    digest = "0"

    def __init__(self, score: float) -> None:
        self.score, self.looks = score, 0

    def calibrate(self, scores, labels):
        return scores

    def look(self, rgb, wanted):
        self.looks += 1
        assert wanted.tolist() == [True, True, True, False]
        ys, xs = np.nonzero(rgb[..., 0] > 127)
        if not len(xs):
            return Raw.empty()
        box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], float)
        return Raw(np.array([self.score]), np.array([1]), box, box_to_corners(box[0])[None], np.zeros(1, bool))


def described(score: float, box) -> Description:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[20:40, 20:60] = 255
    describer = CompactDescriber(OneThing(score))  # type: ignore[arg-type]
    (said,) = describer.describe(Scene.from_array(pixels), [region(box=box)])
    assert describer._detector.looks == 2  # two views
    return said


def test_the_compact_describer_names_what_it_sees_at_the_region():
    said = described(0.7, (20, 20, 60, 40))
    assert (said.text, said.label, said.score, said.names) == ("ship", "ship", pytest.approx(0.7), CLASSES[:3])
    assert described(0.1, (20, 20, 60, 40)) == Description("nothing it knows", names=CLASSES[:3])
    assert described(0.7, (140, 60, 180, 80)).label is None  # the ship is elsewhere


# ---- the measure --------------------------------------------------------------------------------------------------


def test_right_and_wrong_detections_follow_the_rule_of_detection():
    def at(x: float, score: float, label: str = "ship") -> Detection:
        box = np.array([x, 0.0, x + 10, 10])
        return Detection(label, score, box_to_corners(box), box)

    box = np.array([[0.0, 0, 10, 10]])
    truth = Truth("a.png", ("ship",), box, box_to_corners(box[0])[None])
    # the better of two on one object is right; another class and another place are wrong; 2 px off: IoU 80 / 120
    found = [at(1, 0.5), at(2, 0.6), at(0, 0.9, "airplane"), at(50, 0.8)]
    assert hits_of([truth], [found]) == [[False, True, False, False]]


def test_the_report_counts_and_ranks():
    def one(right: bool, score: float, verdict: bool) -> Judged:
        return Judged("ship", right, score, score, score if verdict else score / 2, verdict)

    judged = [one(True, 0.9, True), one(True, 0.5, True), one(False, 0.6, False), one(False, 0.4, True)]
    told = report(judged)
    assert (told["right"], told["wrong"]) == (2, 2)
    assert (told["right flagged"]["n"], told["wrong flagged"]["share"]) == (0, 0.5)
    assert told["auc score"] == 0.75  # 0.9 beats both, 0.5 beats 0.4 of two
    assert told["auc confidence"] == 1.0  # the wrong ones are 0.3 and 0.4
    assert np.isnan(auc([0.5], [True]))


def test_the_oracle_describer_reads_annotation():
    from surveyor.tools.models.oracle import OracleGrounder
    from surveyor.tools.models.oracle_describer import OracleDescriber

    path = Path(__file__).parent / "data/oracle_scenes/airport.json"
    scene = Scene.from_array(np.zeros((400, 400, 3), np.uint8), name="airport.jpg")
    (first, *_) = OracleGrounder(path).ground(scene, "plane")
    away = Region("airplane-x", "airplane", first.corners_px + 5000, first.box_px + 5000)
    as_ship = Region("ship-x", "ship", first.corners_px, first.box_px)
    said = OracleDescriber(path).describe(scene, [first, as_ship, away])
    assert [each.label for each in said] == ["airplane", "airplane", None]
    assert said[2].text == "nothing annotated" and "airplane" in said[2].names
    found = verify(
        scene, CandidateSet((Candidate(first), Candidate(as_ship))), ["plane", "ship"], describer=OracleDescriber(path)
    )
    assert [candidate.verified.verdict for candidate in found] == [True, False]


def test_verify_on_the_command_line(capsys):
    folder = Path(__file__).parent / "data/oracle_scenes"
    oracle = f"oracle:{folder / 'airport.json'}"
    call = ["ask", str(folder / "airport.jpg"), "planes", "--models", f"grounder={oracle},describer={oracle}", "--json"]
    assert main([*call, "--verify", "--no-cache"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["regions"] and all(each["verified"]["verdict"] for each in told["regions"])
    assert [step["tool"] for step in told["plan"]["steps"]] == ["ground", "verify"]
    assert told["models"]["describer"] == oracle
    assert main([*call[:-1], "--verify", "--no-cache"]) == 0
    assert "verified" in capsys.readouterr().out
    assert main([*call, "--no-cache"]) == 0
    assert "verified" not in json.loads(capsys.readouterr().out)["regions"][0]
