"""`surveyor bench score`: the tables of a run folder, by hand-worked items; and which folders are refused."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from bench_runs import items_file, run_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import REQUEST, answer, make_item, no_answer, painted, square
from surveyor.agent.parser import parse
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.evals.bench.items import FieldItem, Image
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.report.report import report_data
from surveyor.evals.report.report_html import html_report
from surveyor.evals.report.report_markdown import markdown_report
from surveyor.evals.report.report_words import figure, group_of, headlines, limits, ranged, reason_lines, tag_words
from surveyor.evals.report.scoring import reasons, score_run, scorer_of, scores, tags_of

Capture = pytest.CaptureFixture[str]
A, B, C = square(0), square(30), square(60)
UNDERSTOOD = REQUEST.model_dump(mode="json")
OTHER = parse("all planes").model_dump(mode="json")


def four_items() -> list[object]:
    """Two with objects, one of them with a twin that has none, and one with two objects."""
    return [
        make_item("i0", [A], others=[B], tags=("P1", "hops:0"), family="f0", twin="i1"),
        make_item("i1", [], others=[B], tags=("Z:place", "hops:0"), family="f0", twin="i0"),
        make_item("i2", [A, B], tags=("R2", "hops:1"), family="f1"),
        make_item("i3", [A], tags=("R10:turned", "hops:1"), family="f2"),
    ]


@pytest.fixture
def items(tmp_path: Path) -> Path:
    return items_file(tmp_path / "data", four_items())


def full_run(folder: Path, items: Path, **settings: object) -> Path:
    """i0 right, i1 a correct rejection, i2 one of two found, i3 unreadable: F1 1, 1, 2/3, 0; sets right 1, 1, 0, 0."""
    given = [
        answer("i0", [A], request=UNDERSTOOD),
        answer("i1", [], request=UNDERSTOOD),
        answer("i2", [A], request=OTHER),
        no_answer("i3"),
    ]
    return run_folder(folder, items, given, **settings)


# ---- figures --------------------------------------------------------------------------------------------------


def test_the_tables_of_a_run_are_those_worked_by_hand(items: Path, tmp_path: Path) -> None:
    run = score_run(full_run(tmp_path / "run", items))
    values = run.tables["boxes"].values()
    assert list(run.tables) == ["boxes"]  # no oriented box anywhere, so no such track
    assert values["f1_macro@0.5"] == pytest.approx((1 + 1 + 2 / 3 + 0) / 4)
    assert values["set_acc@0.5"] == 0.5
    assert values["n_acc"] == 1.0 and values["answered"] == 0.75
    assert run.contrast is not None and run.contrast.values() == {"contrast": 1.0, "one_right": 0.0, "pairs": 1.0}
    # i0 and i1 as meant, i2 another tree, i3 nothing understood
    assert run.parsed is not None and run.parsed.values()["exact"] == 0.5
    assert run.statuses == {"answered": 3, "unreadable": 1}
    assert run.missing == 0 and run.notes == ()


def test_oriented_boxes_are_a_track_where_some_item_has_them(tmp_path: Path) -> None:
    item = make_item("i0", [A])
    turned = item.objects[0].model_copy(update={"obb": ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))})
    items = items_file(tmp_path, [item.model_copy(update={"objects": (turned,)})])
    run = score_run(run_folder(tmp_path / "run", items, [answer("i0", [A])]))
    assert run.tables["oriented boxes"].values()["set_acc@0.5"] == 1.0


def test_the_oracle_parser_reads_nothing_so_nothing_is_said_of_it(items: Path, tmp_path: Path) -> None:
    given = [answer(f"i{k}", []) for k in range(4)]
    assert score_run(run_folder(tmp_path / "run", items, given, how={"oracle": ("parser",)})).parsed is None


def test_masks_and_changed_pixels_have_tables_of_their_own(tmp_path: Path) -> None:
    masks = items_file(tmp_path, [make_item("i0", [A], task="CRES")], "masks.jsonl")
    run = score_run(run_folder(tmp_path / "masks", masks, [painted("i0", A)]))
    assert run.tables["masks"].values()["giou"] == 1.0 and run.contrast is None
    pixels = painted("i0", A).regions[0].rle
    change = items_file(tmp_path, [make_item("i0", task="RCD", answer_rle=pixels)], "change.jsonl")
    run = score_run(run_folder(tmp_path / "change", change, [Prediction(id="i0", mask_rle=pixels)]))
    assert run.tables["change"].values()["giou"] == 1.0


def test_tasks_of_the_field_are_scored_by_their_own_scorer(tmp_path: Path) -> None:
    image = Image(path="x.png", size_wh=(100, 100), family="f")
    item = FieldItem(id="q", task="VQA", image=image, text="Any ship?", answers=("yes",), type="presence")
    items = items_file(tmp_path, [item])
    run = score_run(run_folder(tmp_path / "run", items, [Prediction(id="q", said="No.")]))
    assert run.tables["questions"].values()["strict OA"] == 0.0
    assert run.contrast is None and run.parsed is None


def test_each_of_our_tasks_has_one_scorer_and_others_none() -> None:
    assert scorer_of("CREC")([make_item("i0", [A])], [answer("i0", [A])]).values()["set_acc@0.5"] == 1.0
    assert scorer_of("RCD") is not scorer_of("CRES")
    with pytest.raises(UsageError, match="items of task 'VQA' have no scorer of their own; expected CREC, CRES, RCD"):
        scorer_of("VQA")


def test_a_run_of_part_of_the_items_is_scored_on_that_part(items: Path, tmp_path: Path) -> None:
    given = [answer("i0", [A]), answer("i1", [])]
    run = score_run(run_folder(tmp_path / "run", items, given, limit=2))
    assert [item.id for item in run.items] == ["i0", "i1"] and not run.missing
    assert run.tables["boxes"].values()["set_acc@0.5"] == 1.0


# ---- unfinished -----------------------------------------------------------------------------------------------


def test_an_unfinished_run_counts_what_is_missing_as_wrong_and_says_so_loudly(
    items: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = run_folder(tmp_path / "run", items, [answer("i0", [A])])
    with (folder / "predictions.jsonl").open("a") as file:
        file.write('{"id": "i1", "regio')  # killed in the middle of a line
    run = score_run(folder)
    assert run.missing == 3 and run.statuses == {"answered": 1, "missing": 3}
    assert run.tables["boxes"].values()["set_acc@0.5"] == 0.25
    assert main(["bench", "score", str(folder)]) == 0
    assert "UNFINISHED: 3 of 4 items have no answer yet and count as wrong" in capsys.readouterr().out
    assert main(["bench", "score", str(folder), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["finished"] is False and "UNFINISHED" in told.err


def test_a_run_without_any_answer_has_every_item_missing(items: Path, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", items, [])
    (folder / "predictions.jsonl").unlink()  # stopped before the first line
    run = score_run(folder)
    assert run.missing == 4 and run.tables["boxes"].values()["f1_macro@0.5"] == 0.0


def test_a_run_that_was_to_answer_nothing_is_refused(items: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"was asked no items: .* has 4, of which its limit and shard leave none"):
        score_run(run_folder(tmp_path / "run", items, [], limit=1, shard=(2, 2)))


# ---- the items file -------------------------------------------------------------------------------------------


def test_a_changed_items_file_is_refused_and_the_right_one_is_taken(items: Path, tmp_path: Path) -> None:
    folder = full_run(tmp_path / "run", items)
    moved = tmp_path / "moved.jsonl"
    items.rename(moved)
    with pytest.raises(UsageError, match=r"are not at .*say where they are with --items FILE"):
        score_run(folder)
    assert score_run(folder, moved).items_path == moved
    items_file(items.parent, four_items()[:2])
    with pytest.raises(UsageError, match=r"is not what .*run' was asked: its digest is .*--items FILE, or run these"):
        score_run(folder)
    assert len(score_run(folder, [items, moved]).items) == 4  # of several the one with the digest


def test_items_beside_a_folder_that_was_copied_are_found(items: Path, tmp_path: Path) -> None:
    folder = full_run(tmp_path / "elsewhere" / "run", items)
    items.rename(tmp_path / "elsewhere" / "items.jsonl")
    assert score_run(folder).items_path == tmp_path / "elsewhere" / "items.jsonl"


def test_what_is_no_run_is_said(tmp_path: Path, capsys: Capture) -> None:
    assert main(["bench", "score", str(tmp_path)]) == 2
    assert "is no run: run.json cannot be read" in capsys.readouterr().err


# ---- shards ---------------------------------------------------------------------------------------------------


def test_shards_of_one_run_are_scored_together(items: Path, tmp_path: Path) -> None:
    one = run_folder(tmp_path / "p1", items, [answer("i0", [A]), answer("i2", [A, B])], shard=(1, 2))
    two = run_folder(tmp_path / "p2", items, [answer("i1", []), answer("i3", [A])], shard=(2, 2))
    run = score_run([two, one])
    assert run.tables["boxes"].values()["set_acc@0.5"] == 1.0 and len(run.items) == 4 and run.notes == ()
    part = score_run(one)
    assert [item.id for item in part.items] == ["i0", "i2"]
    assert part.notes == ("PART OF A RUN: shard 2 of 2 not given",)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shard": (1, 2)}, "2 of the folders are shard 1/2; give each shard once"),
        ({"shard": (2, 3)}, "are not shards of one run: shard: of 2, now of 3"),
        ({"shard": (2, 2), "limit": 3}, "are not shards of one run: --limit: none, now 3. .*surveyor bench report"),
        ({"shard": (2, 2), "how": {"oracle": ("boxes",)}}, "not shards of one run: --oracle: none, now"),
    ],
)
def test_other_folders_are_not_scored_together(
    items: Path, tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    one = run_folder(tmp_path / "p1", items, [], shard=(1, 2))
    two = run_folder(tmp_path / "p2", items, [], **settings)
    with pytest.raises(UsageError, match=said):
        score_run([one, two])


# ---- what is printed and written ------------------------------------------------------------------------------


def test_scores_are_printed_and_kept(items: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = full_run(tmp_path / "run", items, versions={"grounder": f"compact {'ab' * 32} None"})
    assert main(["bench", "score", str(folder), "--by", "tags"]) == 0
    told = capsys.readouterr().out
    assert "run: CREC, full (grounder compact ababababab); 4 items on 3 families of images" in told
    assert "3 answered, 1 unreadable" in told
    assert "boxes by condition" in told and "boxes by hops" in told and "cells of the image" in told
    assert told.index("R2 ") < told.index("R10:turned") < told.index("boxes by hops")
    kept = json.loads((folder / "scores.json").read_text())
    assert kept == json.loads(json.dumps(scores(score_run(folder))))
    macro = kept["tracks"]["boxes"]["metrics"]["f1_macro@0.5"]
    assert macro["value"] == pytest.approx(2 / 3) and macro["low"] < 2 / 3 < macro["high"]
    by_tag = {row["tag"]: row for row in kept["tags"]}
    assert by_tag["hops:0"]["items"] == 2 and by_tag["hops:0"]["tracks"]["boxes"]["set_acc@0.5"] == 1.0


def test_scores_are_shown_where_they_cannot_be_kept(items: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = full_run(tmp_path / "run", items)
    (folder / "scores.json.new").mkdir()  # stands for a folder that one may only read
    assert main(["bench", "score", str(folder)]) == 0
    told = capsys.readouterr()
    assert "f1_macro@0.5" in told.out and "scores.json is not written" in told.err


def test_why_items_have_no_answer_is_told_with_counts(items: Path, tmp_path: Path, capsys: Capture) -> None:
    given = [
        Prediction(id="i0", status="failed", said="there is no image 'a b/1.png' at 10.5 m\nand more"),
        Prediction(id="i1", status="refused", said="  \n'near' lacks what it is near to: [/b] is no thing"),
        Prediction(id="i2", status="failed", said="there is no image 'c.png' at 7 m"),
        no_answer("i3").model_copy(update={"said": ""}),
    ]
    folder = run_folder(tmp_path / "run", items, given)
    assert reasons(score_run(folder)) == [
        {"status": "failed", "reason": "there is no image 'a b/1.png' at 10.5 m", "items": 2, "first": "i0"},
        {
            "status": "refused",
            "reason": "'near' lacks what it is near to: [/b] is no thing",
            "items": 1,
            "first": "i1",
        },
        {"status": "unreadable", "reason": "no reason was kept", "items": 1, "first": "i3"},
    ]
    assert main(["bench", "score", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "2 failed: there is no image 'a b/1.png' at 10.5 m (first: i0)" in told
    assert "1 refused: 'near' lacks what it is near to: [/b] is no thing (i1)" in told
    content = report_data([score_run(folder)])
    for page in (unescape(html_report(content, {})), markdown_report(content, {})):
        assert "2 failed: there is no image 'a b/1.png' at 10.5 m (first: i0)" in page


def test_many_reasons_are_cut_and_counted() -> None:
    found = [{"status": "failed", "reason": "ab"[i % 2] * i, "items": 9 - i, "first": "x"} for i in range(1, 9)]
    assert reason_lines(found)[-1] == "3 more for 2 other reasons" and len(reason_lines(found)) == 7
    assert reason_lines([]) == []


def test_figures_of_few_items_are_marked(tmp_path: Path, capsys: Capture) -> None:
    made = [make_item(f"i{k}", [A], tags=("P1", *(["R2"] if k < 4 else [])), family=f"f{k}") for k in range(5)]
    items = items_file(tmp_path, made)
    folder = run_folder(tmp_path / "run", items, [answer(f"i{k}", [A]) for k in range(5)])
    assert main(["bench", "score", str(folder), "--by", "tags"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"R2 +4 † +100", told) and re.search(r"P1 +5 +100", told)
    assert "† fewer than 5 items: such a figure says little" in told
    content = report_data([score_run(folder)])
    markdown, page = markdown_report(content, {}), html_report(content, {})
    assert "| 4 † |" in markdown and "| 5 |" in markdown and "† fewer than 5 items" in markdown
    assert page.count("<tr class='few'>") == 1 and "grey: fewer than 5 items" in page
    assert "tr.few td" in page


def test_no_word_of_few_items_where_there_are_enough(tmp_path: Path, capsys: Capture) -> None:
    items = items_file(tmp_path, [make_item(f"i{k}", [A], tags=("P1",)) for k in range(5)])
    folder = run_folder(tmp_path / "run", items, [])
    assert main(["bench", "score", str(folder), "--by", "tags"]) == 0
    assert "†" not in capsys.readouterr().out
    content = report_data([score_run(folder)])
    assert "†" not in markdown_report(content, {}) and "fewer than 5" not in html_report(content, {})


def test_what_looks_like_markup_is_printed_as_it_is(tmp_path: Path, capsys: Capture) -> None:
    item = make_item("i0", [A], tags=("[/b]:x", "Z:[/b]", "[/b]"), family="f0")
    items = items_file(tmp_path / "[/b] data", [item])
    folder = run_folder(tmp_path / "[/b] run", items, [answer("i0", [A])])
    (folder / "scores.json.new").mkdir()
    assert main(["bench", "score", str(folder), "--by", "tags"]) == 0
    told = capsys.readouterr()
    assert "; 1 item on 1 image" in told.out and "boxes by [/b]" in told.out and "wrong [/b]" in told.out
    assert "[/b] run/scores.json.new" in told.err


def test_an_unknown_table_is_refused(items: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["bench", "score", str(full_run(tmp_path / "run", items)), "--by", "colour"]) == 2
    assert "--by is 'colour', expected tags" in capsys.readouterr().err


def test_tags_come_in_the_order_of_their_numbers() -> None:
    items = [make_item("a", tags=("hops:1", "R10:turned", "R2", "answers:6-20", "answers:2-5", "unique", "class:ship"))]
    found = [(each.group, each.tag) for each in tags_of(items)]
    assert found == [
        ("condition", "R2"), ("condition", "R10:turned"), ("answers", "answers:2-5"), ("answers", "answers:6-20"),
        ("hops", "hops:1"), ("class", "class:ship"), ("tag", "unique"),
    ]  # fmt: skip


def test_words_of_figures() -> None:
    assert figure(-0.0001, signed=True) == "0.0" and figure(-0.0001) == "0.0" and figure(3.0, "items") == "3"
    assert ranged(None) == "–" and ranged({"value": None, "low": None, "high": None}) == "–"
    assert limits(-0.02, 0.01) == "-2.0 to 1.0"
    assert headlines("boxes", ["acc@0.5", "items"]) == ("acc@0.5",)
    assert headlines("new", ["x", "pairs", "y", "items"]) == ("x", "y")
    assert group_of("place:cell top left") == "place" and tag_words("G:not") == "not"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["i0", "i1", "i2", "i3"]), unique=True))
def test_every_item_stays_in_the_denominator(tmp_path_factory: pytest.TempPathFactory, answered: list[str]) -> None:
    folder = tmp_path_factory.mktemp("runs")
    items = items_file(folder, four_items())
    run = score_run(run_folder(folder / "run", items, [answer(id_, [C]) for id_ in answered]))
    assert run.tables["boxes"].values()["items"] == 4 and sum(run.statuses.values()) == 4
    assert run.missing == 4 - len(answered)
