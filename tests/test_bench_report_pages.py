"""`surveyor bench report`: the pages, what they escape, what they compare, what they show of failures."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from bench_runs import items_file, run_folder
from score_items import REQUEST, answer, make_item, no_answer, painted, square
from surveyor.agent.parser import parse
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.evals.bench.items import FIELD_TASKS, FieldItem, Image
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.report.published import NONE_PUBLISHED, PUBLISHED, published
from surveyor.evals.report.report import gathered, report_data, write_report
from surveyor.evals.report.report_html import html_report
from surveyor.evals.report.report_markdown import markdown_report, text
from surveyor.evals.report.report_worst import failures, kind_of, kinds, worst
from surveyor.evals.report.scoring import score_run

Capture = pytest.CaptureFixture[str]
A, B, C = square(0), square(30), square(60)
EVIL = "<script>alert('x')</script> & | planes"


class Page(HTMLParser):
    """Reads a page: its tags and text; a tag that is not closed, or closed twice, is an error."""

    VOID = ("meta", "img", "line", "rect", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture
def items(tmp_path: Path) -> Path:
    found = [
        make_item(
            f"i{k}", [A] if k % 2 else [], others=[B], tags=(("P1", "P2")[k % 2], f"hops:{k % 3}"), family=f"f{k}"
        )
        for k in range(8)
    ]
    found[1] = found[1].model_copy(update={"expression": EVIL})
    return items_file(tmp_path / "data", found, rejected={"a condition changes nothing": 7})


def a_run(folder: Path, items: Path, right: int, **settings: Any) -> Path:
    """Of eight items the first `right` are right; the others have a box elsewhere."""
    given = [
        answer(f"i{k}", ([A] if k % 2 else []) if k < right else [C], said=EVIL if k == 1 else "") for k in range(8)
    ]
    return run_folder(folder, items, given, **settings)


# ---- the pages ------------------------------------------------------------------------------------------------


def test_a_report_of_several_runs(items: Path, tmp_path: Path, capsys: Capture) -> None:
    dirs = [
        a_run(tmp_path / "full", items, 4, versions={"grounder": "g 1"}),
        a_run(tmp_path / "boxes", items, 8, how={"oracle": ("boxes",)}),
        a_run(tmp_path / "largest", items, 0, how={"baseline": "largest"}),
    ]
    assert main(["bench", "report", *map(str, dirs), "--out", str(tmp_path / "report")]) == 0
    told = capsys.readouterr()
    assert told.out.split() == [str(tmp_path / "report" / name) for name in ("report.html", "report.md", "report.json")]
    page = Page((tmp_path / "report" / "report.html").read_text())
    for words in (
        "CREC: items.jsonl", "by hand", "hand (licence: CC0)", "7 proposals were not admitted",
        "oracle boxes", "baseline largest", "Difference from full", "Where the errors are: full, F1, mean over items",
        "50.0 of 100 points are missing", "By kind", "Some of the worst", NONE_PUBLISHED["CREC"],
    ):  # fmt: skip
        assert words in page.text, words
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [run["name"] for run in content["sections"][0]["runs"]] == ["full", "boxes", "largest"]
    assert f"surveyor bench report {dirs[0]}" in content["command"]


def test_a_page_needs_nothing_from_elsewhere_and_has_no_script(items: Path, tmp_path: Path) -> None:
    write_report([a_run(tmp_path / "full", items, 0)], tmp_path / "report")
    page = Page((tmp_path / "report" / "report.html").read_text())
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object"}
    addresses = [value for _, marks in page.tags for name, value in marks.items() if name in ("src", "href", "srcset")]
    assert addresses and all(str(each).startswith(("data:image/jpeg;base64,", "#s")) for each in addresses)
    assert not [name for _, marks in page.tags for name in marks if name.startswith("on")]


def test_what_was_asked_and_said_is_never_markup(items: Path, tmp_path: Path) -> None:
    write_report([a_run(tmp_path / "<b>full</b>", items, 0)], tmp_path / "report", command="report '<i>'")
    html = (tmp_path / "report" / "report.html").read_text()
    assert "<script" not in html and "<b>full" not in html and "<i>" not in html
    assert EVIL in Page(html).text
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in markdown and "&lt;script&gt;" in markdown


def test_backticks_and_new_lines_do_not_leave_their_code(tmp_path: Path) -> None:
    evil = "build ``it` <script>alert(1)</script>\n\n<img src=x>"
    items = items_file(tmp_path / "data", [make_item("i0", [A])], "it`<b>ems.jsonl", command=evil)
    folder = run_folder(tmp_path / "run", items, [answer("i0", [])])
    lines = markdown_report(report_data(gathered([folder]), command="report 'a\n<img src=y>'"), {}).splitlines()
    assert "- Made by: ``` build ``it` <script>alert(1)</script> <img src=x> ```" in lines
    assert any(line.startswith(f"- Items: `` {items} ``, 1 in the file") for line in lines)
    assert "    report 'a <img src=y>'" in lines
    assert not [line for line in lines if line.lstrip().startswith("<")]


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(items: Path, tmp_path: Path) -> None:
    dirs = [a_run(tmp_path / "a|b", items, 3), a_run(tmp_path / "b", items, 5)]
    lines = markdown_report(report_data(gathered(dirs)), {}).splitlines()
    width = None
    for line in lines:
        cells = len(re.findall(r"(?<!\\)\|", line))
        if not line.startswith("|"):
            width = None
        else:
            assert width in (None, cells), line
            width = cells
    assert any("a\\|b" in line for line in lines)


def test_text_of_markdown() -> None:
    assert text("a\nb") == "a b" and text("<b>&") == "&lt;b&gt;&amp;" and text("![x](y)") == "!\\[x\\](y)"


# ---- figures --------------------------------------------------------------------------------------------------


def test_differences_are_paired_and_clear_ones_are_marked(items: Path, tmp_path: Path) -> None:
    dirs = [a_run(tmp_path / "a", items, 0), a_run(tmp_path / "b", items, 8), a_run(tmp_path / "c", items, 1)]
    content = report_data(gathered(dirs))
    better, near = (each["metrics"]["set_acc@0.5"] for each in content["sections"][0]["tracks"][0]["differences"])
    assert better["value"] == 1.0 and (better["low"], better["high"]) == (1.0, 1.0) and better["clear"]
    assert near["value"] == 0.125 and near["low"] == 0.0 and not near["clear"]
    assert "+100.0 (+100.0 to +100.0) ●" in markdown_report(content, {})
    assert "class='up'>+100.0" in html_report(content, {})


def test_only_items_of_both_runs_are_compared(items: Path, tmp_path: Path) -> None:
    dirs = [a_run(tmp_path / "a", items, 4)]
    dirs.append(run_folder(tmp_path / "b", items, [answer(f"i{k}", [A] if k % 2 else []) for k in range(6)], limit=6))
    found = report_data(gathered(dirs))["sections"][0]["tracks"][0]["differences"][0]
    assert found["shared"] == 6
    assert found["metrics"]["set_acc@0.5"]["value"] == pytest.approx(1 - 4 / 6)


def test_runs_without_a_common_item_are_not_compared(items: Path, tmp_path: Path) -> None:
    dirs = [run_folder(tmp_path / f"p{k}", items, [], shard=(k, 2), program=str(k)) for k in (1, 2)]
    content = report_data(gathered(dirs))
    assert content["sections"][0]["tracks"][0]["differences"] == [None]
    assert "Difference from" not in markdown_report(content, {}) + html_report(content, {})


def test_shards_become_one_run_and_unfinished_ones_are_loud(items: Path, tmp_path: Path) -> None:
    parts = [run_folder(tmp_path / f"p{k}", items, [answer(f"i{k - 1}", [])], shard=(k, 2)) for k in (1, 2)]
    runs = gathered([*parts, a_run(tmp_path / "full", items, 8)])
    assert [len(run.folders) for run in runs] == [2, 1]
    content = report_data(runs)
    loud = "UNFINISHED: 6 of 8 items have no answer yet and count as wrong"
    assert loud in markdown_report(content, {}) and loud in Page(html_report(content, {})).text
    assert content["sections"][0]["runs"][0]["statuses"] == {"answered": 2, "missing": 6}


def test_runs_of_other_items_have_sections_of_their_own(items: Path, tmp_path: Path) -> None:
    pixels = painted("x", A).regions[0].rle
    masks = items_file(tmp_path / "data", [make_item("m", [A], task="CRES")], "masks.jsonl")
    change = items_file(tmp_path / "data", [make_item("c", task="RCD", answer_rle=pixels)], "change.jsonl")
    image = Image(path="x.png", size_wh=(100, 100), family="f")
    asked = FieldItem(id="q", task="VQA", image=image, text="Any ship?", answers=("yes",), type="presence")
    questions = items_file(tmp_path / "data", [asked], "questions.jsonl")
    dirs = [
        a_run(tmp_path / "boxes", items, 4),
        run_folder(tmp_path / "masks", masks, [painted("m", C)]),
        run_folder(tmp_path / "change", change, [Prediction(id="c")]),
        run_folder(tmp_path / "questions", questions, [Prediction(id="q", said="No, none.")]),
    ]
    made = write_report(dirs, tmp_path / "report")
    assert made.pictures == 4 + 3 and made.left_out == () and made.notes == ()
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [each["task"] for each in content["sections"]] == ["CREC", "CRES", "RCD", "VQA"]
    assert [each["worst"][0]["kind"] for each in content["sections"][1:]] == ["another place", "nothing found", "wrong"]
    assert content["sections"][3]["worst"][0]["answer"] == "No, none."
    page = Page((tmp_path / "report" / "report.html").read_text())
    assert {marks.get("href") for _, marks in page.tags} >= {"#s1", "#s2", "#s3", "#s4"}


def test_runs_of_one_name_are_told_apart_by_the_folder_above(items: Path, tmp_path: Path) -> None:
    dirs = [a_run(tmp_path / each / "run", items, 4) for each in ("a", "b")]
    names = [run["name"] for run in report_data(gathered(dirs))["sections"][0]["runs"]]
    assert names == ["a/run", "b/run"]


def test_a_run_twice_or_none_is_refused(items: Path, tmp_path: Path) -> None:
    folder = a_run(tmp_path / "run", items, 4)
    with pytest.raises(UsageError, match="is given twice"):
        gathered([folder, tmp_path / "run" / ".." / "run"])
    with pytest.raises(UsageError, match="no run is given"):
        gathered([])
    with pytest.raises(UsageError, match="is a file; give a folder"):
        write_report([folder], items)
    with pytest.raises(UsageError, match="worst is -1, expected 0 or more"):
        write_report([folder], tmp_path / "report", most_worst=-1)


# ---- failures -------------------------------------------------------------------------------------------------


def test_pictures_are_inside_the_page_and_beside_the_markdown(items: Path, tmp_path: Path) -> None:
    folder = a_run(tmp_path / "full", items, 5)
    made = write_report([folder], tmp_path / "report", most_worst=2)
    names = sorted(path.name for path in (tmp_path / "report" / "pictures").iterdir())
    assert made.pictures == 2 and len(names) == 2
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert all(f"](pictures/{name})" in markdown for name in names)
    assert (tmp_path / "report" / "report.html").read_text().count("src='data:image/jpeg;base64,") == 2
    write_report([folder], tmp_path / "report", most_worst=0)
    assert not list((tmp_path / "report" / "pictures").iterdir())  # those of the earlier report are gone
    assert "Some of the worst" not in (tmp_path / "report" / "report.html").read_text()


def test_pictures_that_no_report_made_stay(items: Path, tmp_path: Path) -> None:
    folder, out = a_run(tmp_path / "full", items, 5), tmp_path / "report"
    (out / "pictures").mkdir(parents=True)
    own = [out / "pictures" / name for name in ("01-holiday.jpg", "01-i5.jpg.txt", "100-old.jpg")]
    for path in own:
        path.write_bytes(b"mine")
    write_report([folder], out, most_worst=1)
    content = json.loads((out / "report.json").read_text())
    (made,) = set((out / "pictures").iterdir()) - set(own)
    content["sections"][0]["worst"] += [{"picture": "100-old.jpg"}, {"picture": "../report.md"}, {"picture": None}]
    (out / "report.json").write_text(json.dumps(content))
    write_report([folder], out, most_worst=0)
    assert not made.exists() and not own[2].exists()  # also one with a number of three digits
    assert own[0].read_bytes() == b"mine" and own[1].exists() and (out / "report.md").exists()
    (out / "report.json").write_text('["something else"]')
    write_report([folder], out, most_worst=0)
    assert own[0].exists()


def test_missing_images_are_left_out_and_said(items: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = a_run(tmp_path / "full", items, 5)
    (items.parent / "x.png").rename(tmp_path / "x.png")
    assert main(["bench", "report", str(folder), "--out", str(tmp_path / "report")]) == 0
    assert "3 pictures left out" in " ".join(capsys.readouterr().err.split())
    assert "3 pictures left out" in (tmp_path / "report" / "report.md").read_text()
    assert "<img" not in (tmp_path / "report" / "report.html").read_text()
    moved = ["--data", str(tmp_path)]
    assert main(["bench", "report", str(folder), "--out", str(tmp_path / "report"), *moved]) == 0
    assert (tmp_path / "report" / "report.html").read_text().count("<img") == 3


def test_ways_of_going_wrong() -> None:
    box = {"targets": 1.0, "tp@0.5": 0.0, "fp@0.5": 0.0, "fn@0.5": 1.0}
    assert kind_of("answered", box) == "nothing found"
    assert kind_of("answered", box | {"fp@0.5": 1.0}) == "others found"
    assert kind_of("answered", box | {"tp@0.5": 1.0}) == "too little"
    assert kind_of("answered", box | {"tp@0.5": 1.0, "fp@0.5": 1.0}) == "too much and too little"
    assert kind_of("answered", box | {"zeros": 1.0, "fp@0.5": 1.0}) == "found where nothing is right"
    assert kind_of("answered", box, is_misread=True) == "misread"
    assert kind_of("refused", box, is_misread=True) == "refused"
    mask = {"targets": 1.0, "target_answered": 1.0}
    assert kind_of("answered", mask | {"iou": 0.3}) == "IoU below 0.5"
    assert kind_of("answered", mask | {"iou": 0.0}) == "another place"
    assert kind_of("answered", {"targets": 1.0, "target_answered": 0.0, "iou": 0.0}) == "nothing found"
    assert kind_of("none", {}) == "nothing found" and kind_of("answered", {"strict": 0.0}) == "wrong"


def test_failures_take_turns_by_kind_and_missing_ones_are_not_shown(tmp_path: Path) -> None:
    items = items_file(tmp_path, [make_item(f"i{k}", [A], tags=("P1",) if k < 3 else ("R2",)) for k in range(8)])
    other = parse("all planes").model_dump(mode="json")
    same = REQUEST.model_dump(mode="json")
    given = [answer(f"i{k}", [C], request=same) for k in range(4)]
    given += [no_answer("i4", "timeout"), answer("i5", [C], request=other), answer("i6", [A], request=other)]
    run = score_run(run_folder(tmp_path / "run", items, given))
    assert kinds(run) == {"others found": 4, "timeout": 1, "misread": 1, "missing": 1}  # i6 is right all the same
    assert [each.id for each in worst(run, 3)] == ["i0", "i5", "i4"]
    assert [each.id for each in worst(run, 4)][:2] == ["i0", "i3"]  # another condition before more of the same
    assert len(worst(run, 99)) == 6 and worst(run, 0) == []
    assert [each.id for each in failures(run)] == ["i0", "i1", "i2", "i3", "i4", "i5", "i7"]
    told = report_data([run])["sections"][0]["worst"]
    assert {each["id"]: each["understood"] for each in told}["i5"] == "detect all planes"
    assert {each["id"]: each["answer"] for each in told}["i0"] == "1 object: 0 right, 1 wrong, 1 missed"


def test_the_worst_of_each_whole_system_are_shown_not_of_its_ablations(items: Path, tmp_path: Path) -> None:
    dirs = [
        a_run(tmp_path / "boxes", items, 0, how={"oracle": ("boxes",)}),
        a_run(tmp_path / "one", items, 0),
        a_run(tmp_path / "two", items, 0),
    ]
    shown = report_data(gathered(dirs), most_worst=5)["sections"][0]["worst"]
    assert [each["run"] for each in shown] == ["one"] * 3 + ["two"] * 2
    assert [each["run"] for each in shown[0]["others"]] == ["boxes", "two"]


@pytest.mark.parametrize("task", FIELD_TASKS)
def test_every_task_of_the_field_has_a_page(task: Any, tmp_path: Path) -> None:
    image = Image(path="x.png", size_wh=(100, 100), family="f")
    pixels = painted("x", A).regions[0].rle
    fields: dict[str, dict[str, Any]] = {
        "REC": {"objects": make_item("i", [A]).objects},
        "RES": {"rle": pixels},
        "GCG": {"answers": ("a plane",), "phrases": ("a plane",), "masks": (pixels,)},
        "VQA": {"answers": ("yes",), "type": "presence"},
        "CAPTION": {"answers": ("a plane", "one plane stands there")},
        "SCENE": {"answers": ("airport",), "options": ("airport", "harbor")},
    }
    right = {"VQA": "yes", "SCENE": "Airport", "CAPTION": "a plane", "GCG": "a plane"}
    found = [FieldItem(id=f"q{k}", task=task, image=image, text="what is there?", **fields[task]) for k in range(3)]
    items = items_file(tmp_path, found)
    seen = painted("q0", A, said=right.get(task, ""))
    seen = seen.model_copy(update={"regions": (seen.regions[0].model_copy(update={"label": "a plane"}),)})
    given = [seen, painted("q1", C, said="something else"), no_answer("q2", "timeout")]
    folder = run_folder(tmp_path / "run", items, given)
    assert main(["bench", "score", str(folder), "--by", "tags"]) == 0
    write_report([folder], tmp_path / "report")
    section = json.loads((tmp_path / "report" / "report.json").read_text())["sections"][0]
    assert section["runs"][0]["statuses"] == {"answered": 2, "timeout": 1}
    row = section["tracks"][0]["metrics"][0]
    assert 0 < row["runs"][0]["value"] < (10 if row["name"] == "CIDEr" else 1)
    assert {each["id"]: each["kind"] for each in section["worst"]}["q2"] == "timeout" and len(section["worst"]) == 2
    assert Page((tmp_path / "report" / "report.html").read_text()).text.count("what is there?") >= 1


# ---- published figures ----------------------------------------------------------------------------------------


def test_published_figures_stand_beside_ours_and_are_marked(tmp_path: Path) -> None:
    image = Image(path="x.png", size_wh=(100, 100), family="f")
    truth = make_item("i", [A]).objects[0]
    item = FieldItem(id="i", task="REC", image=image, text="the plane", objects=(truth,))
    items = items_file(tmp_path, [item], sources={"DIOR-RSVG": "not stated"})
    content = report_data([score_run(run_folder(tmp_path / "run", items, [answer("i", [A])]))])
    assert content["sections"][0]["published"]["ours"] == [{"Acc@0.5": 1.0}]
    markdown, page = markdown_report(content, {}), Page(html_report(content, {})).text
    assert "| run (measured here) | 100.0 |" in markdown
    assert "| *GeoGround: published, not measured here* | 77.73 |" in markdown
    assert "GeoGround: published, not measured here 77.73" in page.replace("here77", "here 77")


def test_published_figures_are_of_the_same_task_and_dataset() -> None:
    assert {row.dataset for row in published("RES", ["RRSIS-D"])} == {"RRSIS-D"}
    assert published("REC", ["RRSIS-D"]) == [] and published("CREC", ["DIOR-RSVG"]) == []
    assert all(0 < value < 100 for row in PUBLISHED for value in row.figures.values())
