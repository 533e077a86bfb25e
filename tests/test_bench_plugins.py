"""Benchmarks in other harnesses, without the harnesses: questions, replies, scores item by item, the export."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin_items import SIZE, UNREADABLE, mini_set, predictions, replies
from score_items import answer, make_item
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.evals.bench.items import FieldItem, Header, Image, Item, write_items
from surveyor.evals.bench.predict import open_image
from surveyor.evals.plugins import lmms
from surveyor.evals.plugins.asking import check_dialect, question, read_reply, right_reply, truth_of
from surveyor.evals.plugins.images import conditional_items, data_root, picture_file
from surveyor.evals.plugins.itemwise import main_metrics, own_scores, score_item, table
from surveyor.evals.plugins.lmms_export import export_lmms
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.cres import score_cres
from surveyor.evals.scores.rcd import score_rcd
from surveyor.evals.scores.scored import Scored

TASKS = ("CREC", "CRES", "RCD")
DIALECTS = ("native", "qwen2-vl", "qwen3-vl")
SCORERS = {"CREC": score_crec, "CRES": score_cres, "RCD": score_rcd}
CREC_ITEM = make_item("one", [(10, 20, 30, 60)], size_wh=(200, 100))
CRES_ITEM = make_item("one", [(10, 20, 30, 60)], task="CRES", size_wh=(200, 100))


# ---- questions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("task", TASKS)
def test_question_says_what_is_asked_and_what_numbers_mean(task: str, name: str) -> None:
    item = mini_set(task)[1][0]  # type: ignore[arg-type]
    text = question(item, name)
    assert f'"{item.expression}"' in text
    assert "from 0 to 1000" in text and "left edge (0)" in text and "top edge (0)" in text
    assert f"answer {'[]' if name == 'qwen3-vl' else 'none'}." in text
    assert ("Both images" in text) == (task == "RCD")
    assert ("closed polygon" in text) == (task != "CREC" and name == "native")


def test_the_form_that_a_question_shows_is_the_one_that_is_read() -> None:
    """The example in each question, with numbers for its letters, is one object for the reader."""
    shown = {
        "native": "[(1,2),(300,400)]",
        "qwen2-vl": "<|object_ref_start|>name<|object_ref_end|><|box_start|>(1,2),(300,400)<|box_end|>",
        "qwen3-vl": '{"bbox_2d": [1, 2, 300, 400], "label": "name"}',
    }
    for name, example in shown.items():
        letters = example.replace("300", "x2").replace("400", "y2").replace("1", "x1", 1)
        letters = letters.replace(" 2", " y1", 1) if name == "qwen3-vl" else letters.replace(",2", ",y1", 1)
        assert letters in question(CREC_ITEM, name)
        assert read_reply(example, CREC_ITEM, name).regions[0].hbb == pytest.approx((0.2, 0.2, 60, 40))


def test_expression_is_put_in_as_it_is() -> None:
    item = CREC_ITEM.model_copy(update={"expression": "ships for $asked\nor ${x} at 100%"})
    assert '"ships for $asked or ${x} at 100%"' in question(item)


@pytest.mark.parametrize(
    ("name", "says"),
    [("qwen2.5-vl", "pixels of the image as the model has resized it"), ("klingon", "unknown dialect 'klingon'")],
)
def test_dialects_without_a_question_are_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_dialect(name)
    with pytest.raises(UsageError, match=says):
        question(CREC_ITEM, name)


def test_truth_for_people() -> None:
    assert truth_of(CREC_ITEM)["answers"] == [{"label": "plane", "box_px": [10.0, 20.0, 30.0, 60.0]}]
    assert [truth_of(each)["changed_px"] for each in mini_set("RCD")[1][:3]] == [50 * 60, 900 + 60 * 80, 0]
    assert json.dumps([truth_of(each) for task in TASKS for each in mini_set(task)[1]])  # type: ignore[arg-type]


# ---- replies --------------------------------------------------------------------------------------------------

REPLIES = [
    ("", "native", None),
    ("   \n", "native", None),
    (UNREADABLE, "native", None),
    ("none", "native", []),
    ("None.", "native", []),
    ("[]", "qwen3-vl", []),
    ("[(500,500),(1000,1000)]", "native", [(100, 50, 200, 100)]),
    ("Sure! [(0,0),(500,500)]\n\n[(500,500),(1000,1000)]", "native", [(0, 0, 100, 50), (100, 50, 200, 100)]),
    ("[(1000,1000),(500,500)]", "native", [(100, 50, 200, 100)]),
    ("[(0,0),(1050,1000)]", "native", [(0, 0, 200, 100)]),
    ("[(0,0),(1920,1080)]", "native", None),
    ("[(0,0),(500,500)", "native", None),
    ("[0, 0, 500, 500]", "native", None),
    ('```json\n[{"bbox_2d": [0, 0, 500, 500], "label": "x"}]\n```', "qwen3-vl", [(0, 0, 100, 50)]),
    ('[{"bbox_2d": [0, 0, 500, 500]}, {"bbox_2d": [0, 0', "qwen3-vl", None),
    ("[(0,0),(500,500)]", "qwen3-vl", None),
    ("<|box_start|>(0,0),(500,500)<|box_end|>", "qwen2-vl", [(0, 0, 100, 50)]),
    ("none", "qwen2-vl", []),
]


@pytest.mark.parametrize(("reply", "name", "boxes"), REPLIES, ids=[f"{n}-{r[:20]!r}" for r, n, _ in REPLIES])
def test_replies(reply: str, name: str, boxes: list[Any] | None) -> None:
    found = read_reply(reply, CREC_ITEM, name)
    if boxes is None:
        assert (found.status, found.regions) == ("unreadable", ()) and reply in found.said
    else:
        assert found.status == "answered" and len(found.regions) == len(boxes)
        for region, box in zip(found.regions, boxes, strict=True):
            assert region.hbb == pytest.approx(box) and region.score is None and region.rle is None


def test_an_oriented_box_keeps_its_corners() -> None:
    found = read_reply("[(500,0),(1000,500),(500,1000),(0,500)]", CREC_ITEM).regions[0]
    assert found.hbb[1::2] == (0.0, 100.0) and found.obb is not None


@pytest.mark.parametrize(
    ("reply", "area"),
    [
        ("[(0,0),(500,0),(500,500),(0,0)]", 2500),
        ("[(0,0),(500,0),(500,500)]", 2500),
        ("[(0,0),(500,0),(500,500),(0,500)]", 5000),
        ("[(0,0),(500,500)]", 5000),
    ],
    ids=["closed outline", "open outline", "four corners", "box filled in"],
)
def test_masks_are_filled_in(reply: str, area: int) -> None:
    row = score_item(CRES_ITEM, read_reply(reply, CRES_ITEM))
    assert row.status == "answered" and row.adds["union"] == area + 800 - row.adds["inter"]


@settings(max_examples=200, deadline=None)
@given(st.text() | st.from_regex(r"[\[(]*\(\d{1,4},\d{1,4}\)[\])., \n\w]*", fullmatch=True), st.sampled_from(DIALECTS))
def test_any_text_is_an_answer_or_unreadable(text: str, name: str) -> None:
    for item in (CREC_ITEM, CRES_ITEM):
        found = read_reply(text, item, name)
        assert found.status in ("answered", "unreadable") and (found.status == "answered" or not found.regions)
        assert all((region.rle is None) == (item.task == "CREC") for region in found.regions)
        assert score_item(item, found).status == found.status


@pytest.mark.parametrize("name", DIALECTS)
def test_the_right_reply_scores_as_right(name: str) -> None:
    _, items = mini_set("CREC")
    values = table(
        "CREC", [score_item(item, read_reply(right_reply(item, name), item, name)) for item in items]
    ).values()
    assert values["set_acc@0.5"] == values["n_acc"] == values["answered"] == 1.0
    assert any(item.is_zero_match for item in items)


@pytest.mark.parametrize(("task", "metric"), [("CRES", "giou"), ("RCD", "IoU_1")])
def test_right_outlines_score_nearly_right(task: Any, metric: str) -> None:
    rows = [score_item(item, read_reply(right_reply(item), item)) for item in mini_set(task)[1]]
    values = table(task, rows).values()
    assert values["n_acc"] == 1.0 and values[metric] is not None and values[metric] > 0.93  # a grid of 0-1000, no holes


# ---- scores item by item --------------------------------------------------------------------------------------


@pytest.mark.parametrize("oriented", [False, True], ids=["upright", "oriented"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("task", TASKS)
def test_figures_equal_those_of_the_scorer(task: Any, seed: int, oriented: bool) -> None:
    if oriented and task != "CREC":
        return
    _, items = mini_set(task)
    found = predictions(items, seed)
    options = {"oriented": True} if oriented else {}
    whole: Scored = SCORERS[task](items, found, **options)  # type: ignore[operator]
    by_id = {each.id: each for each in found}
    rows = [score_item(item, by_id.get(item.id), oriented=oriented) for item in items]
    random.Random(seed).shuffle(rows)
    assert len(whole.counts()) > 1  # not all of them are answered
    assert table(task, rows).values() == whole.values() and table(task, rows).counts() == whole.counts()


def test_oriented_boxes_are_compared_as_such() -> None:
    """A square on its corner in the square round it: IoU 1/2 in area, 1 of the upright boxes."""
    diamond = ((50.0, 0.0), (100.0, 50.0), (50.0, 100.0), (0.0, 50.0))
    item = make_item("one", [(0, 0, 100, 100)])
    truth = item.objects[0].model_copy(update={"obb": diamond})
    item = item.model_copy(update={"objects": (truth,)})
    given_ = answer("one", [(0, 0, 100, 100)])
    assert score_item(item, given_).adds["set@0.75"] == 1.0
    assert score_item(item, given_, oriented=True).adds["set@0.75"] == 0.0


def test_no_prediction_is_wrong_and_counted() -> None:
    row = score_item(CREC_ITEM, None)
    assert (
        row.status == "missing" and row.adds["fn@0.5"] == 1.0 and own_scores(row, "CREC") == {"f1@0.5": 0, "set@0.5": 0}
    )


def test_predictions_for_others_and_other_tasks_are_refused() -> None:
    with pytest.raises(UsageError, match="for no item"):
        score_item(CREC_ITEM, answer("two"))
    field = FieldItem(id="v", task="VQA", image=CREC_ITEM.image, text="how many?")
    with pytest.raises(UsageError, match="'VQA'"):
        score_item(field, None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'VQA'"):
        main_metrics("VQA")
    with pytest.raises(UsageError, match="each once"):
        table("CREC", [score_item(CREC_ITEM, None)] * 2)


@pytest.mark.parametrize("task", TASKS)
def test_main_metrics_are_figures(task: str) -> None:
    values = table(task, []).values()
    assert set(lmms.metrics_of(task)) <= set(values) and len(set(lmms.metrics_of(task))) == len(lmms.metrics_of(task))
    assert own_scores(score_item(mini_set(task)[1][0], None), task)  # type: ignore[arg-type]


# ---- lmms-eval ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("task", TASKS)
def test_aggregates_equal_the_figures_of_the_scorer(task: Any, name: str, seed: int) -> None:
    _, items = mini_set(task)
    said = replies(items, name, seed)
    told = [lmms.processed({"item": item.model_dump_json(exclude_none=True)}, [said[item.id]], name) for item in items]
    told = json.loads(json.dumps(told))  # as the harness logs and gathers them
    whole = SCORERS[task](items, [read_reply(said[item.id], item, name) for item in items]).values()
    for metric in lmms.metrics_of(task):
        figure = lmms.aggregate([each[metric] for each in told], metric)
        assert figure == whole[metric] or (np.isnan(figure) and whole[metric] is None)
    means = {metric for metric in lmms.metrics_of(task) if "score" in told[0][metric]}
    assert means == ({"f1_macro@0.5", "set_acc@0.5"} if task == "CREC" else {"giou"})
    for mean in means:
        assert np.mean([each[mean]["score"] for each in told]) == pytest.approx(whole[mean])


def test_nothing_to_aggregate_is_no_figure() -> None:
    assert np.isnan(lmms.aggregate([], "n_acc"))
    told = lmms.processed({"item": CREC_ITEM.model_dump_json()}, ["none"], "native")
    assert np.isnan(lmms.aggregate([told["n_acc"]], "n_acc"))  # no item without right objects


@pytest.mark.parametrize("replies_", [[], [None], [["none"]]], ids=["none", "null", "list"])
def test_a_reply_that_is_no_text_is_missing(replies_: list[Any]) -> None:
    told = lmms.processed({"item": CREC_ITEM.model_dump_json()}, replies_, "native")
    assert told["answered"]["status"] == "missing" and lmms.aggregate([told["answered"]], "answered") == 0.0


class _Loader(yaml.SafeLoader):
    """Reads `!function NAME` as the name."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def exported(task: Any, out: Path, **options: Any) -> tuple[dict[str, Any], Any, list[dict[str, Any]]]:
    """An export's YAML, functions and lines."""
    folder, _ = mini_set(task)
    done = export_lmms(folder / "items.jsonl", out, **options)
    config = yaml.load((out / f"{done.name}.yaml").read_text(), _Loader)
    lines = [json.loads(line) for line in (out / f"{done.name}.jsonl").read_text().splitlines()]
    return config, functions(out, done.name), lines


def functions(out: Path, name: str) -> Any:
    """The task's functions as lmms-eval loads them."""
    spec = importlib.util.spec_from_file_location(f"{name}_functions", out / f"{name}_functions.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("task", TASKS)
def test_export(task: Any, tmp_path: Path) -> None:
    config, found, lines = exported(task, tmp_path / "out")
    _, items = mini_set(task)
    assert [line["id"] for line in lines] == [item.id for item in items]
    assert config["task"] == f"surveyor_{task.lower()}" and config["generation_kwargs"]["until"] == []
    assert config["dataset_kwargs"]["data_files"] == {
        "test": f"{config['task']}.jsonl"
    }  # beside the YAML, so it can be moved
    assert config["doc_to_text"] in lines[0] and config["doc_to_target"] in lines[0]
    assert config["cluster_key"] in found.process_results(lines[0], ["none"])["answered"]
    assert [each["metric"] for each in config["metric_list"]] == list(lmms.metrics_of(task))
    told = [found.process_results(line, [line["target"]]) for line in lines]
    for each in config["metric_list"]:
        module, _, function = each["aggregation"].partition(".")
        figure = getattr(found, function)([one[each["metric"]] for one in told])
        assert module == f"{config['task']}_functions" and (
            np.isnan(figure) or figure > (0.99 if task == "CREC" else 0.4)
        ), each["metric"]
    for line, item in zip(lines, items, strict=True):
        assert len(line["images"]) == (2 if task == "RCD" else 1)
        for path, image in zip(line["images"], (item.image, item.after), strict=False):
            assert image is not None
            pixels = cv2.imread(str(tmp_path / "out" / path))[..., ::-1]
            assert (pixels == open_image(image, mini_set(task)[0]).read((0, 0, *image.size_wh))).all()
        assert not any(isinstance(value, dict) or value is None for value in line.values())  # equal columns


def test_an_export_can_be_moved_and_made_again(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="lmms-eval brings pillow; it is not installed here")
    exported("CREC", tmp_path / "a", limit=3)
    exported("CREC", tmp_path / "a", limit=2)
    (tmp_path / "a").rename(tmp_path / "b")
    lines = [json.loads(line) for line in (tmp_path / "b/surveyor_crec.jsonl").read_text().splitlines()]
    shown = functions(tmp_path / "b", "surveyor_crec").doc_to_visual(lines[0])
    assert len(lines) == 2 and [(image.size, image.mode) for image in shown] == [(SIZE, "RGB")]


def test_export_in_another_dialect_under_another_name(tmp_path: Path) -> None:
    config, found, lines = exported("CREC", tmp_path / "out", dialect="qwen3-vl", name="mine")
    assert config["task"] == "mine" and found.DIALECT == "qwen3-vl" and "bbox_2d" in lines[0]["question"]
    assert found.process_results(lines[0], [lines[0]["target"]])["set_acc@0.5"]["score"] == 1.0


def test_several_tasks_in_one_folder_leave_each_other_as_they_are(tmp_path: Path) -> None:
    made = [exported("CREC", tmp_path), exported("RCD", tmp_path), exported("CREC", tmp_path, name="mine", dialect="qwen3-vl")]  # fmt: skip  # noqa: E501
    for (config, _, lines), dialect in zip(made, ("native", "native", "qwen3-vl"), strict=True):
        name = config["task"]
        assert [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()] == lines
        told = functions(tmp_path, name).DIALECT
        assert told == dialect
        assert yaml.load((tmp_path / f"{name}.yaml").read_text(), _Loader) == config


def test_a_task_is_not_replaced_by_another_of_its_name(tmp_path: Path) -> None:
    exported("CREC", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for task, options in (("CRES", {"name": "surveyor_crec"}), ("CREC", {"dialect": "qwen3-vl"})):
        with pytest.raises(UsageError, match="holds a task 'surveyor_crec' of other items, or in another dialect"):
            exported(task, tmp_path, **options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "a b"}, "'a b'"),
        ({"name": ""}, "name is ''"),
        ({"dialect": "qwen2.5-vl"}, "resized"),
        ({"limit": 0}, "limit is 0"),
        ({"data": "nowhere"}, "none of the items' images"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_exports_that_are_refused(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        exported("CREC", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_items_file_is_not_written_over() -> None:
    folder, _ = mini_set("CREC")
    before = (folder / "items.jsonl").read_bytes()
    with pytest.raises(UsageError, match="another folder"):
        export_lmms(folder / "items.jsonl", folder, name="items")
    assert (folder / "items.jsonl").read_bytes() == before


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, items = mini_set("CREC")
    command = ["bench", "export", "lmms", str(folder / "items.jsonl"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().err
    images = len({item.image.path for item in items})
    assert images > 1 and f"{len(items)} items with {images} images" in told and "--tasks surveyor_crec" in told
    assert (
        main([*command[:2], "inspect", *command[3:]]) == 2 and "inspect_ai reads the items" in capsys.readouterr().err
    )


def test_a_folder_whose_name_looks_like_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a [b]x[" / "b]"
    assert main(["bench", "export", "lmms", str(mini_set("CREC")[0] / "items.jsonl"), "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert f"images in {out};" in told and f"--include_path '{out}' --tasks" in told


# ---- images ---------------------------------------------------------------------------------------------------


def test_a_crop_is_written_once_and_anew_when_the_image_changes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.bmp"), pixels)
    (tmp_path / "out").mkdir()
    image = Image(path="a.bmp", size_wh=(30, 20), crop_xyxy=(10, 5, 40, 25), family="a")
    first = picture_file(image, tmp_path, tmp_path / "out")
    assert (cv2.imread(str(first)) == pixels[5:25, 10:40]).all()
    assert picture_file(image, tmp_path, tmp_path / "out") == first
    other = picture_file(image.model_copy(update={"crop_xyxy": (0, 0, 30, 20)}), tmp_path, tmp_path / "out")
    cv2.imwrite(str(tmp_path / "a.bmp"), np.zeros((60, 80, 3), np.uint8))  # a file of the same size
    os.utime(tmp_path / "a.bmp", (1, 1))
    changed = picture_file(image, tmp_path, tmp_path / "out")
    assert len({first, other, changed}) == 3 == len(list((tmp_path / "out").iterdir()))
    with pytest.raises(UsageError, match="no image"):
        picture_file(image.model_copy(update={"path": "b.png"}), tmp_path, tmp_path / "out")


def test_where_images_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, items = mini_set("CREC")
    assert data_root(folder / "items.jsonl", None, items) == folder.resolve()
    monkeypatch.chdir(folder)
    assert data_root(tmp_path / "items.jsonl", None, items) == folder.resolve()
    monkeypatch.chdir(tmp_path)
    assert data_root(tmp_path / "items.jsonl", folder, items) == folder.resolve()
    with pytest.raises(UsageError, match="give their folder"):
        data_root(tmp_path / "items.jsonl", None, items)


def test_items_files(tmp_path: Path) -> None:
    folder, items = mini_set("CREC")
    assert conditional_items(folder / "items.jsonl", 2) == ("CREC", list(items[:2]))
    header = Header(task="CREC", command="", seed=0, sources={}, admitted=0)
    write_items(tmp_path / "empty.jsonl", header, [])
    with pytest.raises(UsageError, match="no items"):
        conditional_items(tmp_path / "empty.jsonl")
    field = FieldItem(id="v", task="VQA", image=CREC_ITEM.image, text="how many?")
    write_items(tmp_path / "field.jsonl", header.model_copy(update={"task": "VQA"}), [field])
    with pytest.raises(UsageError, match="holds VQA items"):
        conditional_items(tmp_path / "field.jsonl")


def test_without_inspect_ai_its_task_names_the_pip_command() -> None:
    code = (
        "import sys; sys.modules['inspect_ai'] = None\n"
        "from surveyor.core.errors import MissingDependency\n"
        "try:\n    import surveyor.evals.plugins.inspect_tasks\n"
        "except MissingDependency as error:\n    print(error.command)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("pip install 'surveyor[inspect]'", "")


def test_rcd_masks_are_the_changed_pixels() -> None:
    item: Item = mini_set("RCD")[1][0]
    found = read_reply("[(0,0),(500,0),(500,500),(0,0)]", item)
    whole = score_item(item, found)
    assert whole.adds["tp"] + whole.adds["fp"] == pytest.approx(SIZE[0] * SIZE[1] / 8, rel=0.01)
