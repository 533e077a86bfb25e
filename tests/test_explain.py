"""Explanations of answers on scenes drawn by hand: every value, margin and table is worked out beside the test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.answer import Answer
from surveyor.agent.explanation import Explanation
from surveyor.agent.overlay import KEPT, NEAR, OUT, UNDECIDED
from surveyor.agent.readings import Reading, deciding_gsd, reading_of, short_reason
from surveyor.agent.saved import explain_saved
from surveyor.agent.why_picture import colour_of, draw_why, tag_texts
from surveyor.app.cli import main
from surveyor.core.conditions import Aspect, Compare, Not, Position, Quantity, Relation, Selection
from surveyor.core.errors import UsageError
from surveyor.core.protocols import Description
from surveyor.core.regions import Region
from surveyor.tools.models.fakes import FakeDescriber, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

# x0, y0, x1, y1 in a scene of 200 x 100 px. At 0.5 m a pixel the lengths are 30, 19, 10 and 21 m.
BOXES = {
    "plane-1": (10, 10, 70, 30),
    "plane-2": (120, 10, 158, 20),
    "plane-3": (20, 60, 40, 70),
    "plane-4": (130, 60, 172, 80),
    "ship-1": (90, 0, 96, 100),
}


def regions() -> list[Region]:
    return [
        Region(name, name.split("-")[0], [[x, y], [X, y], [X, Y], [x, Y]], [x, y, X, Y], score)  # type: ignore[arg-type]
        for (name, (x, y, X, Y)), score in zip(BOXES.items(), (0.9, 0.8, 0.7, 0.6, None), strict=True)
    ]


def asked(query: str, gsd: float | None = 0.5, image: object = None, **more: object) -> Answer:
    image = np.full((100, 200, 3), 90, np.uint8) if image is None else image
    models = Models(FakeGrounder(regions()), FakeSegmenter(), more.pop("describer", None))  # type: ignore[arg-type]
    return surveyor.ask(image, query, models=models, gsd=gsd, cache=False, **more)  # type: ignore[arg-type]


# ---- the numbers behind verdicts ----------------------------------------------------------------------------------

REGION = {"corners_px": [[60, 10], [70, 10], [70, 20], [60, 20]], "length_px": 60.0, "width_px": 20.0, "length_m": 30.0,
          "width_m": 10.0, "area_px": 1200.0, "area_m2": 300.0}  # fmt: skip


def compare(attribute: str, op: str, value: float, unit: str) -> Compare:
    return Compare(attribute=attribute, op=op, quantity=Quantity(value=value, unit=unit))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "reason", "text", "off"),
    [
        # 40 - 30 = 10 m, a quarter of 40
        (compare("length", ">", 40, "m"), "", "length 30 m > 40 m", "10 m short (25 %)"),
        # 30 m / 0.3048 = 98.425 ft
        (compare("length", "<", 90, "ft"), "", "length 98.4 ft < 90 ft", "8.43 ft over (9.4 %)"),
        # 300 m2 = 0.03 ha
        (compare("area", ">", 0.1, "ha"), "", "area 0.03 ha > 0.1 ha", "0.07 ha short (70 %)"),
        (compare("width", ">=", 25, "px"), "", "width 20 px >= 25 px", "5 px short (20 %)"),
        (compare("perimeter", ">", 100, "m"), "perimeter is 80 m", "perimeter 80 m > 100 m",
         "20 m short (20 %)"),
        (Aspect(op=">", ratio=4), "", "length / width 3 > 4", "1 short (25 %)"),
        # the centre is (65, 15) of 100 x 100
        (Position(frame="half", place="left"), "", "centre from the left 65 % < 50 %", "15 % over"),
        (Position(frame="half", place="top"), "", "centre from the top 15 % < 50 %", "35 % short"),
        (Position(frame="cell", place="bottom right"), "", "centre from the top 15 % > 66.7 %", "51.7 % short"),
        (Not(condition=Position(frame="half", place="left")), "", "centre from the left 65 % >= 50 %", "15 % over"),
        (Relation(relation="within", reference=Selection(phrases=("ship",)), distance=Quantity(value=20, unit="m")),
         "25 m from ship-1, the nearest of 3", "distance 25 m <= 20 m", "5 m over (25 %)"),
    ],
)  # fmt: skip
def test_a_reading_has_value_limit_and_margin(condition, reason, text, off):
    reading = reading_of(condition, REGION, reason, (100, 100))
    assert (reading.text, reading.off) == (text, off)


def test_what_no_single_number_decides_has_no_reading():
    near = Relation(relation="near", reference=Selection(phrases=("ship",)))
    assert reading_of(near, REGION, "12 px from ship-1, the nearest of 1", (100, 100)) is None
    assert reading_of(Position(frame="edge", place="any"), REGION, "", (100, 100)) is None
    assert reading_of(None, REGION, "", (100, 100)) is None
    unknown = {**REGION, "length_m": None}
    longer = compare("length", ">", 45, "m")
    assert (
        reading_of(longer, unknown, "45 m cannot be compared: the ground sample distance is not known", (9, 9)) is None
    )


def test_a_pixel_size_that_would_decide():
    # 45 m over 60 px; 0.27 ha = 2700 m2 over 1200 px2: sqrt(2.25)
    assert deciding_gsd(compare("length", ">", 45, "m"), REGION) == 0.75
    assert deciding_gsd(compare("area", "<", 0.27, "ha"), REGION) == 1.5
    assert deciding_gsd(compare("length", ">", 45, "px"), REGION) is None


def test_short_reasons():
    assert short_reason("its median pixel is grey, as are 62 % of its pixels") == "grey"
    assert short_reason("in a row of 5") == "5"
    assert short_reason("long side / short side is 2.31") == "2.31"
    assert short_reason("there are no ships to relate to") == ""


def test_an_infinite_share_is_not_told():
    assert Reading("length", 3.0, "m", ">", 0.0).off == "3 m over"
    assert Reading("length", 3.0, "m", ">", 0.0).to_dict()["share_off"] is None


# ---- whole answers ------------------------------------------------------------------------------------------------

# 30 m and 21 m are longer than 20 m; 19 m misses by 1 m (5 %) and 10 m by half of it, which is no near miss.
# The centres lie at 20, 69.5, 15 and 75.5 % from the left.
ALL = """\
Found 1 plane that is longer than 20 m and in the left half: plane-1.

Steps
  detect all planes              4 found
  select those longer than 20 m  2 of 4 left
  select those in the left half  1 of 4 left

Conditions
                       yes  no  unknown
  A  longer than 20 m    2   2        0
  B  in the left half    2   2        0

Candidates (~ close call, . not asked)
                score  A           B
  plane-1  in   0.90   yes 30 m    yes 20 %
  plane-4  out  0.60   yes 21 m ~  no 75.5 %
  plane-3  out  0.70   no 10 m     yes 15 %
  plane-2  out  0.80   no 19 m ~   no 69.5 %"""


def test_the_whole_text():
    assert asked("planes longer than 20 m in the left half").explain().text == ALL


EMPTIED = """\
Found no planes longer than 31 m and in the left half; the longest of 4 planes, plane-1, is 30 m long.

note: 1 close call (borderline): plane-1

Steps
  detect all planes              4 found
  select those longer than 31 m  0 of 4 left  <- none left after this
  select those in the left half  not run: no candidate was left after 'select those longer than 31 m'

Conditions
                       yes  no  unknown
  A  longer than 31 m    0   4        0  <- none left after this

Candidates (~ close call, . not asked)
                      score  A
  plane-1  near miss  0.90   no 30 m ~
  plane-4  out        0.60   no 21 m
  plane-2  out        0.80   no 19 m
  plane-3  out        0.70   no 10 m

Near misses: 1 rejected by one condition, and by little
  plane-1  length 30 m > 31 m: no  1 m short (3.2 %)"""


def test_what_emptied_the_set_and_near_misses():
    explanation = asked("planes longer than 31 m in the left half").explain()
    assert explanation.text == EMPTIED
    assert explanation.emptied_by == ("longer than 31 m",)
    assert [row.region.id for row in explanation.near_misses] == ["plane-1"]


def test_what_was_unknown_and_what_would_tell():
    explanation = asked("planes longer than 30 m", gsd=None).explain()
    assert explanation.columns[0].remedy == "give --gsd, the metres that a pixel covers on the ground"
    cell = explanation.row("plane-1").cells[0]
    assert (cell.verdict, cell.value, cell.would_hold) == ("unknown", "60 px", "from --gsd 0.5 on")  # 30 m / 60 px
    assert "yes for plane-1 from --gsd 0.5 on" in explanation.text
    turned = asked("are all planes longer than 30 m?", gsd=None).explain().row("plane-1").cells[0]
    assert (turned.condition, turned.value, turned.would_hold) == ("not longer than 30 m", "60 px", "up to --gsd 0.5")
    assert asked("planes longer than 30 m", gsd=0.51).explain().row("plane-1").status == "kept"
    assert asked("planes longer than 30 m", gsd=0.49).explain().row("plane-1").status == "rejected"


def test_one_region_alone():
    answer = asked("planes longer than 31 m in the left half")
    assert answer.explain("plane-1").text == (
        "plane-1 (plane, score 0.90, 30.0 × 10.0 m) is not in the answer, for one reason "
        "('longer than 31 m', 1 m short (3.2 %)):\n"
        "  no  longer than 31 m: length 30 m > 31 m, 1 m short (3.2 %); a close call"
    )
    assert str(surveyor.explain(answer, "plane-1")) == answer.explain("plane-1").text
    assert len(answer.explain("plane-1").to_dict()["candidates"]) == 1
    with pytest.raises(UsageError, match="no region 'plane-9' was looked at; the regions are plane-1"):
        answer.explain("plane-9")


def test_what_conditions_refer_to_is_no_candidate():
    # plane-1 ends at x = 70, 20 px = 10 m from the ship; plane-2 begins at 120, 24 px = 12 m from it
    answer = asked("planes within 11 m of a ship")
    explanation = answer.explain()
    assert [region.id for region in explanation.references] == ["ship-1"]
    assert explanation.row("plane-2").cells[0].text == "distance 12 m <= 11 m: no"
    assert explanation.row("plane-2").near_miss is not None  # 1 m over 11 m
    with pytest.raises(UsageError, match="'ship-1' is no candidate: conditions refer to it"):
        answer.explain("ship-1")
    assert [each["id"] for each in answer.to_dict()["references"]] == ["ship-1"]


def test_ranks_and_size_words_have_readings():
    # by length: plane-1 60, plane-4 42, plane-2 38, plane-3 20 px
    explanation = asked("the longest plane").explain()
    assert [row.region.id for row in explanation.rows] == ["plane-1", "plane-4", "plane-2", "plane-3"]
    assert [row.cells[0].value for row in explanation.rows] == [f"rank {k} of 4" for k in (1, 2, 3, 4)]
    assert [row.region.id for row in explanation.near_misses] == ["plane-4"]
    assert explanation.rows[1].cells[0].text == "rank 2 <= 1: no"
    assert "1 rank behind" in explanation.text
    # areas 1200, 840, 380, 200 px2
    large = asked("large planes").explain().row("plane-3").cells[0]
    assert large.reading is not None and (large.reading.value, large.reading.op) == (200, ">=")


def test_two_sets_compared_need_no_table():
    text = asked("are there more planes than ships?").explain().text
    assert "yes" in text.lower() and "Candidates" not in text


def test_it_is_data():
    told = asked("planes longer than 31 m in the left half").explain().to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    (cell,) = [cell for cell in told["candidates"][0]["conditions"] if cell["letter"] == "A"]
    assert cell["reading"] == {
        "measure": "length", "value": 30.0, "unit": "m", "op": ">", "limit": 31.0, "off": -1.0, "share_off": 0.0323,
    }  # fmt: skip
    assert (told["emptied_by"], told["near_misses"]) == (["longer than 31 m"], ["plane-1"])


def test_an_answer_without_candidates_is_explained():
    models = Models(FakeGrounder([], ["plane"]), FakeSegmenter())
    answer = surveyor.ask(np.zeros((50, 50, 3), np.uint8), "planes", models=models, cache=False)
    text = answer.explain().text
    assert "nothing found" in text and "Candidates" not in text
    with pytest.raises(UsageError, match="no region was found"):
        answer.explain("plane-1")


# ---- the picture --------------------------------------------------------------------------------------------------


def test_the_picture_tells_fates_apart(tmp_path: Path):
    explanation = asked("planes longer than 31 m").explain()
    assert [colour_of(row) for row in explanation.rows] == [NEAR, OUT, OUT, OUT]
    assert tag_texts(explanation.rows[0])[0] == "plane-1: 30 m, not longer than 31 m"
    assert tag_texts(explanation.rows[0])[-2:] == ("1: A 30 m", "1: A")
    kept = asked("planes longer than 25 m", gsd=0.5).explain()
    assert colour_of(kept.rows[0]) == KEPT
    unknown = asked("planes longer than 25 m", gsd=None).explain()
    assert {colour_of(row) for row in unknown.rows} == {UNDECIDED}
    picture = draw_why(explanation)
    for colour in (NEAR, OUT):
        assert (np.abs(picture.astype(int) - np.array(colour)).sum(axis=2) < 12).any()
    assert explanation.draw(tmp_path / "why.png") == tmp_path / "why.png"
    assert cv2.imread(str(tmp_path / "why.png")).shape == picture.shape
    asked("planes longer than 31 m").explain("plane-1").draw(tmp_path / "why.jpg")
    with pytest.raises(UsageError, match=r"ends in .png or .jpg"):
        explanation.draw(tmp_path / "why.doc")


# ---- from a folder ------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> SimpleNamespace:
    image, out = tmp_path / "photo.png", tmp_path / "out"
    cv2.imwrite(str(image), np.full((100, 200, 3), 90, np.uint8))
    answer = asked("planes longer than 31 m in the left half", image=image, out=out)
    return SimpleNamespace(image=image, out=out, answer=answer)


def same(one: Explanation, other: Explanation) -> bool:
    return one.text == other.text and one.to_dict() == other.to_dict()


def test_a_saved_answer_is_explained_as_it_was(saved: SimpleNamespace):
    assert same(explain_saved(saved.out), saved.answer.explain())
    assert same(explain_saved(saved.out / "trace.json", "plane-2"), saved.answer.explain("plane-2"))
    picture = explain_saved(saved.out).draw(saved.out / "why.png")
    saved.answer.explain().draw(saved.out / "live.png")
    assert picture.read_bytes() == (saved.out / "live.png").read_bytes()


def test_an_image_that_moved_or_changed_is_told(saved: SimpleNamespace):
    saved.image.rename(saved.image.with_name("elsewhere.png"))
    with pytest.raises(UsageError, match=r"photo.png' is no longer there"):
        explain_saved(saved.out).draw(saved.out / "why.png")
    cv2.imwrite(str(saved.image), np.full((100, 200, 3), 91, np.uint8))
    with pytest.raises(UsageError, match=r"photo.png' has changed since the answer was made"):
        explain_saved(saved.out).draw(saved.out / "why.png")
    assert same(explain_saved(saved.out), saved.answer.explain())  # the text needs no image


def test_folders_without_an_answer_are_told(tmp_path: Path, saved: SimpleNamespace):
    with pytest.raises(UsageError, match="there is no trace"):
        explain_saved(tmp_path)
    trace = json.loads((saved.out / "trace.json").read_text())
    (tmp_path / "trace.json").write_text(json.dumps({**trace, "answer": None}))
    with pytest.raises(UsageError, match="holds no answer"):
        explain_saved(tmp_path)
    del trace["answer"]["regions"]
    (tmp_path / "trace.json").write_text(json.dumps(trace))
    with pytest.raises(UsageError, match="is damaged"):
        explain_saved(tmp_path)


def test_the_command(saved: SimpleNamespace, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", str(saved.out)]) == 0
    assert capsys.readouterr().out.rstrip("\n") == EMPTIED
    assert main(["explain", str(saved.out), "plane-1", "--json", "--picture", str(saved.out / "why.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["region"], told["candidates"][0]["near_miss"]) == ("plane-1", "A")
    assert (saved.out / "why.png").exists()
    assert main(["explain", str(saved.out), "plane-99"]) == 2
    assert "plane-99" in capsys.readouterr().err


# ---- with a second look -------------------------------------------------------------------------------------------


def test_a_second_look_is_shown_and_drops_nothing():
    describer = FakeDescriber(
        lambda region: (
            Description("storage tank", "storage tank", 0.8, ("plane", "storage tank"))
            if region.id == "plane-4"
            else Description("plane", "plane", 0.9, ("plane", "storage tank"))
        )
    )
    answer = asked("planes longer than 20 m", describer=describer, verify=True)
    assert [c.region.id for c in answer.regions] == ["plane-1", "plane-4"]
    row = answer.explain().row("plane-4")
    assert (row.status, row.second_look.verdict) == ("kept", "no")
    assert row.second_look.confidence == pytest.approx(0.6 * (1 - 0.8), abs=1e-4)
    assert "plane-4  verified: no, described as storage tank (0.80); confidence 0.60 -> 0.12" in answer.explain().text
    assert any("1 of 4 was something else on a second look" in note for note in answer.notes)
    told = next(each for each in answer.to_dict()["regions"] if each["id"] == "plane-4")
    assert told["verified"] == {"verdict": False, "reason": "described as storage tank (0.80)"}
    assert (told["score"], told["confidence"]) == (0.6, 0.12)


# ---- the document -------------------------------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[1] / "docs/explain.md"


def test_the_document_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (code,) = [body for name, body in blocks if name == "python"]
    (output,) = [body for name, body in blocks if name == "text"]
    exec(compile(code, str(PAGE), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == output
    lines = [line[2:].split() for name, body in blocks if name == "console" for line in body.splitlines()]
    assert [main(line[1:]) for line in lines] == [0, 0, 0]
    assert Path("why.png").exists()


def test_the_sentences_of_the_document_are_those_that_are_said(tmp_path: Path):
    scene = surveyor.draw_scene("airport", seed=7, size_wh=(640, 640))
    cv2.imwrite(str(tmp_path / "scene.png"), scene.image_rgb[..., ::-1])
    (tmp_path / "scene.json").write_text(json.dumps(scene.to_coco("scene.png")))
    rows = re.findall(r"^\| `([^`]+)`([^|]*) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 8
    for query, remark, text in rows:
        gsd = None if "no metres" in remark else scene.gsd_m
        models = f"grounder=oracle:{tmp_path / 'scene.json'}"
        assert surveyor.ask(tmp_path / "scene.png", query, models=models, gsd=gsd).text == text
