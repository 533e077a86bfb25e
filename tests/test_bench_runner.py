"""The benchmark runner: one item, its statuses, oracles and baselines; files, resume, shards, workers, command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killed_bench import comparable, make_items
from surveyor.agent.parser import parse
from surveyor.app.cli import main
from surveyor.core.budget import check
from surveyor.core.errors import Cancelled, MissingDependency, ModelOutputError, ToolFailed, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.progress import note
from surveyor.core.protocols import MaskPrompt
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.bench import runner as runner_module
from surveyor.evals.bench import workers as workers_module
from surveyor.evals.bench.field_predict import check_field
from surveyor.evals.bench.items import (
    Header,
    Image,
    Item,
    Made,
    Truth,
    images_root,
    read_header,
    read_items,
    write_items,
)
from surveyor.evals.bench.oracles import ItemGrounder, ItemSegmenter
from surveyor.evals.bench.predict import BUG, How, open_image, predict, predicted
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.bench.runner import Standing, run
from surveyor.evals.bench.store import About, Predictions, Settings, read_predictions, read_run
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.cres import score_cres
from surveyor.tools.models.fakes import FakeChangeDetector, FakeChatModel, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import DEFAULTS, Models

ROOT = Path(__file__).resolve().parents[1]
HOW = How(oracle=("boxes", "parser"))
BOXES = {"p1": (10, 10, 30, 20), "p2": (60, 45, 100, 70), "p3": (150, 20, 170, 40), "s1": (10, 80, 20, 90)}
SIZE = (200, 100)


def truth(name: str, *, mask: bool = False) -> Truth:
    box = tuple(float(v) for v in BOXES[name])
    filled = Mask.from_polygon(box_to_corners(np.array(box)), (100, 200))
    small = Mask.from_array(filled.crop[:, :3], filled.offset_xy, (100, 200))  # not the whole box
    return Truth(id=name, label="plane" if name[0] == "p" else "ship", hbb=box, rle=small.to_rle() if mask else None)  # type: ignore[arg-type]


def item(
    expression: str = "detect all planes in the left half",
    right: Sequence[str] = ("p1", "p2"),
    *,
    id: str = "one",
    path: str = "photo.png",
    request: str | None = None,
    crop: tuple[int, int, int, int] | None = None,
    **fields: Any,
) -> Item:
    task = "CRES" if expression.startswith("segment") else "CREC"
    return Item(
        id=id, task=fields.pop("task", task),
        image=Image(path=path, size_wh=SIZE if crop is None else (crop[2] - crop[0], crop[3] - crop[1]),
                    crop_xyxy=crop, family="f", gsd_m=fields.pop("gsd_m", None)),
        expression=expression, request=parse(request or expression),
        objects=fields.pop("objects", tuple(truth(name, mask=task == "CRES") for name in BOXES)),
        answer_ids=tuple(right), universe_ids=("p1", "p2", "p3"), made=Made(version=1, seed=0), **fields,
    )  # fmt: skip


def put(path: Path, items: Sequence[Item], task: Any = "CREC") -> None:
    """Writes an items file."""
    header = Header(task=task, command="by hand", seed=0, sources={"hand": "none"}, admitted=len(items))
    write_items(path, header, items)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the picture `photo.png`, 200 x 100 px, whose red channel is the column."""
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    pixels[..., 2] = np.arange(200)
    cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    return tmp_path


def regions(*names: str) -> tuple[Region, ...]:
    return tuple(
        Region(name, "plane" if name[0] == "p" else "ship", box_to_corners(np.array(BOXES[name], float)), BOXES[name])
        for name in names
    )


def models(**fakes: Any) -> Models:
    return Models(**{"grounder": FakeGrounder(regions(*BOXES)), "segmenter": FakeSegmenter()} | fakes)


def boxes(prediction: Prediction) -> set[tuple[float, ...]]:
    return {each.hbb for each in prediction.regions}


def of(*names: str) -> set[tuple[float, ...]]:
    return {tuple(float(v) for v in BOXES[name]) for name in names}


# ---- one item -------------------------------------------------------------------------------------------------


def test_the_whole_agent_answers_and_tells_what_it_understood(folder: Path) -> None:
    found = predict(item(request="detect all ships"), models(), How(), root=folder)
    assert (found.status, boxes(found)) == ("answered", of("p1", "p2"))
    assert found.request == parse("detect all planes in the left half").model_dump(mode="json")
    assert found.seconds > 0 and "2" in found.said
    assert {each.label for each in found.regions} == {"plane"} and found.regions[0].score is None


def test_oracle_parser_runs_the_items_request_and_not_the_words(folder: Path) -> None:
    one = item("gibberish of no meaning", request="detect all planes in the right half")
    found = predict(one, models(), How(oracle=("parser",)), root=folder)
    assert (boxes(found), found.request) == (of("p3"), None)
    assert predict(one, models(), How(), root=folder).status == "refused"


def test_oracle_boxes_ask_no_grounder(folder: Path) -> None:
    broken = models(grounder=FakeGrounder(failure=AssertionError("asked")))
    found = predict(item(), broken, How(oracle=("boxes",)), root=folder)
    assert boxes(found) == of("p1", "p2")


def test_oracle_boxes_find_nothing_of_a_class_that_is_not_there(folder: Path) -> None:
    found = predict(item("detect all bridges", ()), models(), How(oracle=("boxes",)), root=folder)
    assert (found.status, found.regions) == ("answered", ())
    closed = predict(item("detect all bridges", ()), models(), How(), root=folder)
    assert closed.status == "refused", "a grounder with a list of classes that lacks it"


def test_oracle_boxes_are_as_labelled(folder: Path) -> None:
    turned = Truth(id="t", label="plane", hbb=(10, 10, 30, 30), obb=((20, 10), (30, 20), (20, 30), (10, 20)))
    found = predict(item(objects=(turned, truth("p3"))), models(), HOW, root=folder)
    assert [(each.hbb, each.obb) for each in found.regions] == [(turned.hbb, turned.obb)]


def test_oracle_masks_fit_the_boxes_that_were_found(folder: Path) -> None:
    near = replace(regions("p1")[0], box_px=np.array([11.0, 10, 31, 20]), corners_px=box_to_corners(np.array([11.0, 10, 31, 20])))  # fmt: skip  # noqa: E501
    wrong = replace(regions("p2")[0], id="w", box_px=np.array([0.0, 60, 8, 64]), corners_px=box_to_corners(np.array([0.0, 60, 8, 64])))  # fmt: skip  # noqa: E501
    one = item("segment all planes in the left half")
    found = predict(one, models(grounder=FakeGrounder((near, wrong))), How(oracle=("masks",)), root=folder)
    assert found.regions[0].rle == truth("p1", mask=True).rle
    assert found.regions[1].rle is not None and Mask.from_rle(found.regions[1].rle).area_px == 32, "filled in"


def test_oracle_boxes_alone_leave_the_masks_to_the_segmenter(folder: Path) -> None:
    found = predict(item("segment all planes in the left half"), models(), How(oracle=("boxes",)), root=folder)
    rles = [each.rle for each in found.regions if each.rle is not None]
    assert [Mask.from_rle(rle).area_px for rle in rles] == [20 * 10, 40 * 25], "the fake fills boxes in"
    known = item(objects=tuple(truth(name, mask=True) for name in BOXES))
    assert predict(known, models(), How(oracle=("boxes",)), root=folder).regions[0].rle is None, "boxes are asked for"


def test_crec_asks_no_segmenter(folder: Path) -> None:
    fakes = models()
    assert predict(item(), fakes, How(), root=folder).regions[0].rle is None
    assert fakes.segmenter.call_count == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        pytest.param("whole-class", of("p1", "p2", "p3"), id="whole class"),
        pytest.param("no-condition", of("p1", "p2", "p3"), id="no condition"),
        pytest.param("centre", of("p2"), id="nearest to the centre (100, 50)"),
        pytest.param("largest", of("p2"), id="largest: 40 x 25"),
    ],
)
@pytest.mark.parametrize("oracle", [(), ("boxes",)])
def test_baselines(folder: Path, baseline: Any, expected: set[Any], oracle: Any) -> None:
    one = item("detect all planes in the right half", ("p3",))
    assert boxes(predict(one, models(), How(baseline=baseline, oracle=oracle), root=folder)) == expected


def test_baselines_of_nothing_and_of_equals(folder: Path) -> None:
    none = models(grounder=FakeGrounder((), ["plane"]))
    for name in ("whole-class", "centre", "largest"):
        assert predict(item(), none, How(baseline=name), root=folder).regions == ()
    same = [Truth(id=f"p{x}", label="plane", hbb=(x, 0, x + 10, 10)) for x in (20, 60)]
    for name in ("largest", "centre"):
        tie = item(objects=tuple(same) if name == "largest" else (same[0], Truth(id="q", label="plane", hbb=(170, 0, 180, 10))))  # fmt: skip  # noqa: E501
        found = predict(tie, models(), How(baseline=name, oracle=("boxes",)), root=folder)
        assert [each.hbb for each in found.regions] == [same[0].hbb], "one, the first"


def test_models_without_a_change_detector_cannot_answer_what_changed() -> None:
    with pytest.raises(UsageError, match="need a change detector"):
        How().check("RCD", models())


@pytest.mark.parametrize(
    ("task", "how", "match"),
    [
        pytest.param("RCD", How(oracle=("masks",)), "no oracle 'masks'", id="RCD oracle"),
        pytest.param("CREC", How(baseline="region-blind"), "for RCD items", id="region-blind boxes"),
        pytest.param("CREC", How(oracle=("boxes", "masks")), "no oracle 'masks'.*boxes", id="masks of boxes"),
        pytest.param("CREC", How(oracle=("parser",), baseline="largest"), "reads no words", id="what a baseline reads"),
    ],
)
def test_what_cannot_be_answered_is_told_at_once(folder: Path, task: Any, how: How, match: str) -> None:
    put(folder / "items.jsonl", [item(task=task)], task)
    with pytest.raises(UsageError, match=match):
        run(folder / "items.jsonl", folder / "out", how=how)
    assert not (folder / "out").exists()


def test_the_fields_oracle_and_the_agent_are_not_asked_for_at_once() -> None:
    how = How(oracle=("boxes",), through="agent")
    with pytest.raises(UsageError, match="takes the place of the agent"):
        check_field("RES", how, models())
    check_field("RES", How(oracle=("boxes",)), models())
    check_field("RES", How(through="agent"), models())


class Waiting(FakeGrounder):
    """A grounder that takes its time and looks at the clock meanwhile."""

    def ground(self, scene: Any, phrase: str) -> Any:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.01)
            check()
        return ()


NO_BOX = ModelOutputError("no box in the reply", raw="I see a plane.")


@pytest.mark.parametrize(
    ("fakes", "changes", "status", "said"),
    [
        pytest.param({}, {}, "answered", "", id="answered"),
        pytest.param({"grounder": FakeGrounder((), ["plane"])}, {}, "answered", "", id="an explicit none"),
        pytest.param({"grounder": FakeGrounder(regions("p1"), failure=NO_BOX)}, {}, "unreadable", "I see a plane.", id="unreadable"),  # noqa: E501
        pytest.param({"grounder": FakeGrounder(regions("p1"), failure=NO_BOX, failures=1)}, {}, "answered", "", id="readable at the second try"),  # noqa: E501
        pytest.param({"grounder": FakeGrounder(regions("p1"), failure=ToolFailed("no memory"))}, {}, "failed", "no memory", id="tool failed"),  # noqa: E501
        pytest.param({"grounder": FakeGrounder(regions("p1"), failure=RuntimeError("device"))}, {}, "failed", f"{BUG}: RuntimeError: device", id="bug"),  # noqa: E501
        pytest.param({}, {"path": "none.png"}, "failed", "none.png", id="no such image"),
        pytest.param({}, {"crop": (0, 0, 300, 100)}, "failed", "was made for 300 x 100 px", id="image too small"),
        pytest.param({}, {"expression": "detect all planes glorping the left half", "request": "all planes"}, "refused", "", id="words not understood"),  # noqa: E501
        pytest.param({}, {"expression": "detect all bridges"}, "refused", "bridge", id="class not known"),
        pytest.param({"grounder": Waiting(regions("p1"))}, {}, "timeout", "0.5 s", id="timeout in a model that looks at the clock"),  # noqa: E501
        pytest.param({"grounder": FakeGrounder(regions("p1"), delay_s=0.7)}, {}, "timeout", "0.5 s", id="right, but late"),  # noqa: E501
    ],
)  # fmt: skip
def test_every_status(folder: Path, fakes: Any, changes: Any, status: str, said: str) -> None:
    predict(item(), models(), How(), root=folder)  # what is imported at the first question is none of the time
    found = predict(item(**changes), models(**fakes), How(timeout_s=0.5 if "grounder" in fakes else None), root=folder)
    assert found.status == status, found.said
    assert said in found.said
    assert status == "answered" or not found.regions


def test_what_was_understood_is_kept_when_it_fails(folder: Path) -> None:
    broken = models(grounder=FakeGrounder(regions("p1"), failure=ToolFailed("x")))
    assert predict(item(), broken, How(), root=folder).request is not None


def test_missing_packages_and_cancelling_are_no_answers(folder: Path) -> None:
    lacking = models(grounder=FakeGrounder(regions("p1"), failure=MissingDependency("x", "pip install x")))
    with pytest.raises(MissingDependency):
        predict(item(), lacking, How(), root=folder)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        predict(item(), models(), How(), root=folder, cancel=cancel)


def test_an_item_sees_its_crop_and_its_own_ground_sample_distance(folder: Path) -> None:
    scene = open_image(item(crop=(150, 10, 190, 60), gsd_m=0.25).image, folder)
    assert (scene.size_wh, scene.gsd_m) == ((40, 50), 0.25)
    assert scene.read()[0, :, 0].tolist() == list(range(150, 190))
    assert scene.name != "photo.png", "annotation of the whole file must not be taken for the crop's"
    assert open_image(item().image, folder).name == "photo.png"
    with pytest.raises(UsageError, match="200 x 100 px"):
        open_image(item(crop=(-1, 0, 40, 50)).image, folder)


def test_an_image_that_was_replaced_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_pixel() -> list[int]:
        return open_image(item().image, ".").read()[0, 0].tolist()

    monkeypatch.chdir(folder)
    assert first_pixel() == [0, 0, 0]
    cv2.imwrite("photo.png", np.full((100, 200, 3), 7, dtype=np.uint8))
    assert first_pixel() == [7, 7, 7]
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")
    cv2.imwrite("photo.png", np.full((100, 200, 3), 9, dtype=np.uint8))
    assert first_pixel() == [9, 9, 9], "the same words, another folder"


def test_an_image_that_is_not_there_is_no_guess_at_another(folder: Path) -> None:
    found = predict(item(path="photos.png"), models(), HOW, root=folder)
    assert found.status == "failed" and "photos.png" in found.said and "did you mean" not in found.said


@pytest.mark.parametrize("oblique", [False, True])
def test_upright_boxes_have_no_oriented_one(oblique: bool) -> None:
    corners = np.array([[20.0, 10], [30, 20], [20, 30], [10, 20]])
    region = Region("a", "plane", corners, (10, 10, 30, 30)) if oblique else regions("p1")[0]
    assert (predicted(region).obb is not None) == oblique


def test_item_models_keep_the_doors(folder: Path) -> None:
    one = item("segment all planes")
    grounder, scene = ItemGrounder(one), open_image(one.image, folder)
    assert grounder.knows() == ("plane", "ship")
    assert [region.id for region in grounder.ground(scene, "vessels")] == ["s1"]
    assert [region.score for region in grounder.ground(scene, "airplanes")] == [None] * 3
    assert ItemSegmenter(one).segment(scene, []) == ()


@pytest.mark.parametrize(("oracle", "told"), [((), True), (("boxes",), False)])
def test_boxes_of_the_truth_tell_a_segmenter_nothing_else(folder: Path, oracle: Any, told: bool) -> None:
    """Points or an outline of the annotated mask would be the answer itself."""
    seen: list[MaskPrompt] = []

    class Watching(FakeSegmenter):
        def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]):  # type: ignore[no-untyped-def]
            seen.extend(prompts)
            return super().segment(scene, prompts)

    outlined = tuple(replace(each, polygon_px=each.corners_px) for each in regions(*BOXES))
    asked = models(grounder=FakeGrounder(outlined), segmenter=Watching())
    found = predict(item("segment all planes"), asked, How(oracle=oracle), root=folder)
    assert found.status == "answered" and len(seen) == 3
    assert all((each.coarse is not None) == told == bool(len(each.point_labels)) for each in seen)


# ---- a file of items ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve items on drawn scenes."""
    return make_items(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def alone(bench: Path) -> dict[str, Any]:
    """What a run in one go predicts."""
    run(bench, bench.parent / "alone", how=HOW)
    return comparable(bench.parent / "alone")


def lines(out: Path) -> list[str]:
    return (out / "predictions.jsonl").read_text().splitlines()


def test_oracle_parser_and_boxes_are_right_in_all(bench: Path, alone: dict[str, Any]) -> None:
    items = list(read_items(bench))
    values = score_crec(items, read_predictions(bench.parent / "alone")).values()
    assert (values["set_acc@0.5"], values["f1_micro@0.75"], values["answered"]) == (1.0, 1.0, 1.0)


def test_oracles_are_right_in_all_of_cres(folder: Path) -> None:
    items = [
        item("segment all planes in the left half", ("p1", "p2")),
        item("segment all planes above the ship", ("p1", "p2", "p3"), id="two", request="segment all planes"),
    ]
    put(folder / "items.jsonl", items, "CRES")
    run(folder / "items.jsonl", folder / "out", how=How(oracle=("boxes", "masks", "parser")))
    values = score_cres(items, read_predictions(folder / "out")).values()
    assert (values["giou"], values["ciou"]) == (1.0, 1.0)


def test_baselines_are_worse_than_the_oracle(bench: Path, tmp_path: Path) -> None:
    run(bench, tmp_path, how=How(oracle=("boxes",), baseline="whole-class"))
    values = score_crec(read_items(bench), read_predictions(tmp_path)).values()
    assert values["set_acc@0.5"] is not None and values["set_acc@0.5"] < 0.5


def test_workers_give_the_same_as_one(bench: Path, alone: dict[str, Any], tmp_path: Path) -> None:
    ran = run(bench, tmp_path, how=HOW, workers=3)
    assert (ran.done, ran.total, ran.new, ran.statuses) == (12, 12, 12, {"answered": 12})
    assert comparable(tmp_path) == alone


@pytest.mark.parametrize("n", [2, 5, 12, 13])
def test_shards_partition(bench: Path, alone: dict[str, Any], tmp_path: Path, n: int) -> None:
    found: dict[str, Any] = {}
    for k in range(1, n + 1):
        run(bench, tmp_path / str(k), how=HOW, shard=(k, n))
        part = comparable(tmp_path / str(k))
        assert not found.keys() & part.keys() and 12 // n <= len(part) <= -(-12 // n)
        found |= part
    assert found == alone


def test_limit_takes_the_first_and_shards_divide_those(bench: Path, tmp_path: Path) -> None:
    first = [each.id for each in read_items(bench)][:5]
    for k in (1, 2):
        run(bench, tmp_path / str(k), how=HOW, limit=5, shard=(k, 2))
    assert sorted([*comparable(tmp_path / "1"), *comparable(tmp_path / "2")]) == sorted(first)
    assert read_run(tmp_path / "1").about.wanted == 3


def test_a_run_that_is_done_asks_nothing(bench: Path, tmp_path: Path) -> None:
    run(bench, tmp_path, how=HOW)
    before = (tmp_path / "predictions.jsonl").read_bytes()
    again = run(bench, tmp_path, how=HOW)
    assert (again.new, again.done) == (0, 12)
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, "all but the line break"])
def test_a_half_line_is_cut_off(bench: Path, alone: dict[str, Any], tmp_path: Path, share: Any) -> None:
    run(bench, tmp_path, how=HOW)
    path = tmp_path / "predictions.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    cut = len(whole[5]) - 1 if isinstance(share, str) else int(share * len(whole[5]))
    path.write_bytes(b"".join(whole[:5]) + whole[5][:cut])
    assert len(list(read_predictions(tmp_path))) == 5, "who scores an unfinished run reads whole lines"
    ran = run(bench, tmp_path, how=HOW)
    assert ran.new == 7
    assert path.read_bytes().startswith(b"".join(whole[:5]))
    assert comparable(tmp_path) == alone


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(lambda each: [each[0], each[0]], "line 2: a second answer", id="twice"),
        pytest.param(lambda each: [each[0], b'{"id": 3}\n'], "line 2", id="of another kind"),
        pytest.param(lambda each: [b"\0" * 20 + b"\n", each[0]], "line 1: no whole JSON object", id="zeros"),
    ],
)
def test_damaged_predictions_are_told(bench: Path, tmp_path: Path, change: Any, match: str) -> None:
    run(bench, tmp_path, how=HOW, limit=2)
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    damaged = path.read_bytes()
    with pytest.raises(UsageError, match=match):
        run(bench, tmp_path, how=HOW, limit=2)
    assert path.read_bytes() == damaged, "nothing is lost by looking"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"limit": 3}, "--limit: 2, now 3", id="limit"),
        pytest.param({"limit": None}, "limit: 2, now none", id="no limit"),
        pytest.param({"shard": (1, 2)}, "--shard: 1/1, now 1/2", id="shard"),
        pytest.param({"models": "segmenter=compact"}, "--models: none, now segmenter=compact", id="models"),
        pytest.param({"how": How(oracle=("boxes",))}, "--oracle: boxes,parser, now boxes", id="mode"),
        pytest.param({"how": How(oracle=("boxes",), baseline="largest")}, "--baseline: none, now largest", id="baseline"),  # noqa: E501
        pytest.param({"how": HOW.model_copy(update={"timeout_s": 9.0})}, "--timeout: none, now 9.0", id="timeout"),
        pytest.param({"how": HOW.model_copy(update={"bands": "strict"})}, "--bands: crisp, now strict", id="bands"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(bench: Path, tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    run(bench, tmp_path, how=HOW, limit=2)
    before = (tmp_path / "predictions.jsonl").read_bytes(), (tmp_path / "run.json").read_bytes()
    with pytest.raises(UsageError, match=match):
        run(bench, tmp_path, **{"how": HOW, "limit": 2} | changes)
    assert ((tmp_path / "predictions.jsonl").read_bytes(), (tmp_path / "run.json").read_bytes()) == before


def test_other_items_versions_and_programs_are_refused(
    bench: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "items.jsonl", [item()])
    grounder = FakeGrounder(regions("p1"))
    run(folder / "items.jsonl", folder / "out", models=models(grounder=grounder))
    put(folder / "items.jsonl", [item("detect all planes")])
    with pytest.raises(UsageError, match=r"begun with other settings: another items file\. Go on"):
        run(folder / "items.jsonl", folder / "out", models=models(grounder=grounder))
    put(folder / "items.jsonl", [item()])
    grounder.version = "2"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"version of the grounder: fake, now fake 2\. Go on"):
        run(folder / "items.jsonl", folder / "out", models=models(grounder=grounder))
    monkeypatch.setattr(runner_module, "program_digest", lambda: "edited")
    with pytest.raises(UsageError, match=r"a changed program \(code or prompts\)\. Go on"):
        run(folder / "items.jsonl", folder / "out", models=models())


def test_workers_paths_and_models_that_are_not_asked_may_differ(bench: Path, tmp_path: Path) -> None:
    run(bench, tmp_path / "a", how=HOW)
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(bench.read_bytes())
    assert run(moved, tmp_path / "a", how=HOW, root=bench.parent, workers=2).new == 0
    assert read_run(tmp_path / "a").settings.versions == {}, "nothing is asked of a model"


@pytest.mark.parametrize(
    ("how", "task", "roles"),
    [
        pytest.param(How(), "CREC", ["grounder", "chat"], id="full"),
        pytest.param(How(), "CRES", ["grounder", "segmenter", "chat"], id="full, masks"),
        pytest.param(How(parser="grammar"), "CREC", ["grounder"], id="by the grammar"),
        pytest.param(How(oracle=("parser",)), "CREC", ["grounder"], id="nothing is read"),
        pytest.param(How(oracle=("boxes", "masks")), "CRES", ["chat"], id="nothing is looked at"),
        pytest.param(How(baseline="largest"), "CRES", ["grounder", "segmenter"], id="baseline"),
        pytest.param(How(baseline="region-blind"), "RCD", ["change"], id="region-blind"),
        pytest.param(How(), "RCD", ["change", "chat"], id="RCD, full"),
        pytest.param(How(oracle=("boxes", "parser")), "RCD", [], id="RCD, oracles"),
        pytest.param(How(baseline="no-change"), "RCD", [], id="no change"),
    ],
)
def test_versions_of_the_models_that_are_asked_are_kept(how: How, task: str, roles: list[str]) -> None:
    every = models(chat=FakeChatModel(), change=FakeChangeDetector())
    assert list(runner_module._versions(every, how, task)) == roles


def test_what_went_wrong_can_be_asked_again(folder: Path) -> None:
    items = [item(id=f"i{n}", path="photo.png" if n % 2 else "later.png") for n in range(6)]
    put(folder / "items.jsonl", items)
    first = run(folder / "items.jsonl", folder / "out", how=HOW)
    assert first.statuses == {"failed": 3, "answered": 3}
    assert run(folder / "items.jsonl", folder / "out", how=HOW).new == 0, "only when asked for"
    (folder / "later.png").write_bytes((folder / "photo.png").read_bytes())
    again = run(folder / "items.jsonl", folder / "out", how=HOW, retry=("failed",))
    assert (again.new, again.statuses) == (3, {"answered": 6})
    assert len(lines(folder / "out")) == 6
    with pytest.raises(UsageError, match="no status 'wrong'"):
        run(folder / "items.jsonl", folder / "out", how=HOW, retry=("wrong",))


def test_nothing_is_lost_when_asking_again_does_not_begin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "items.jsonl", [item(id="a"), item(id="b", path="none.png"), item(id="c", path="none.png")])
    run(folder / "items.jsonl", folder / "out", how=HOW)
    before = (folder / "out/predictions.jsonl").read_bytes()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency):
        run(folder / "items.jsonl", folder / "out", how=HOW, retry=("failed",), ray="auto")
    assert (folder / "out/predictions.jsonl").read_bytes() == before

    def stop(standing: Standing) -> None:
        if standing.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder / "items.jsonl", folder / "out", how=HOW, retry=("failed",), progress=stop)
    assert [each.id for each in read_predictions(folder / "out")][:2] == ["a", "b"]
    assert run(folder / "items.jsonl", folder / "out", how=HOW).done == 3
    with pytest.raises(UsageError, match=r"answers are not thrown away.*another folder"):
        run(folder / "items.jsonl", folder / "out", how=HOW, retry=("answered",))


def test_two_processes_in_one_folder_are_refused(bench: Path, tmp_path: Path) -> None:
    run(bench, tmp_path, how=HOW, limit=1)
    held = read_run(tmp_path)
    with Predictions(tmp_path, held.settings, held.about), pytest.raises(UsageError, match="another process"):
        run(bench, tmp_path, how=HOW, limit=1)
    assert run(bench, tmp_path, how=HOW, limit=1).done == 1


def test_a_folder_that_is_no_run(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"without run\.json"):
        run(bench, tmp_path, how=HOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run(bench, tmp_path / "file", how=HOW)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        run(bench, tmp_path, how=HOW)
    with pytest.raises(UsageError, match="is no run"):
        read_run(tmp_path / "nowhere")


def test_no_image_at_all_is_told_before_anything_runs(folder: Path) -> None:
    put(folder / "items.jsonl", [item(path="gone/x.png")])
    with pytest.raises(UsageError, match=r"gone/x.png.*--data"):
        run(folder / "items.jsonl", folder / "out", how=HOW)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(lambda each: each[:4], "has 3 of 6 items", id="cut at the end of a line"),
        pytest.param(lambda each: each[:1], "has 0 of 6 items", id="the header alone"),
        pytest.param(lambda each: [*each[:-1], each[-1][:50]], "line 7: no whole JSON object", id="cut in a line"),
        pytest.param(lambda each: [*each, each[1].replace('"i0"', '"i9"')], "has 7 of 6 items", id="too many"),
        pytest.param(lambda each: [], "is empty", id="nothing"),
    ],
)
def test_items_that_are_not_all_there_are_not_asked(folder: Path, change: Any, match: str) -> None:
    path = folder / "items.jsonl"
    put(path, [item(id=f"i{n}") for n in range(6)])
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    with pytest.raises(UsageError, match=match):
        run(path, folder / "out", how=HOW)
    with pytest.raises(UsageError, match=match):
        list(read_items(path))
    assert not (folder / "out").exists()


def test_items_are_written_as_a_whole_or_not_at_all(folder: Path) -> None:
    path = folder / "items.jsonl"
    put(path, [item()])
    before = path.read_bytes()

    def broken() -> Iterator[Item]:
        yield item(id="two")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_items(path, read_header(path), broken())
    assert path.read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["items.jsonl", "photo.png"], "nothing is left behind"


def test_where_images_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_, own, here = (tmp_path / name for name in ("run", "own", "here"))
    for place in (run_, own, here):
        place.mkdir()
    monkeypatch.chdir(here)

    def found(given: Path | None = None) -> Path:
        return images_root(given, own / "items.jsonl", ["gone.png", "a.png"], first=[run_]).resolve()

    with pytest.raises(UsageError, match=r"/run' and '.*/own' and '.*/here', such as 'gone\.png'.*--data"):
        found()
    for place in (here, own, run_):
        (place / "a.png").touch()
        assert found() == place, "each goes before the one that was found first"
    assert found(here) == here
    with pytest.raises(UsageError, match=r"is in '[^']*/none', such"):
        found(tmp_path / "none")


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"workers": 0}, "workers"),
        ({"limit": 0}, "limit"),
        ({"shard": (0, 4)}, "no shard 0/4; expected 1/4 to 4/4"),
        ({"shard": (5, 4)}, "no shard 5/4"),
        ({"shard": (1, 0)}, "no shard 1/0"),
        ({"worker_gpus": 1.0}, "--worker-gpus is 1 without --ray"),
    ],
)
def test_numbers_that_mean_nothing(bench: Path, tmp_path: Path, wrong: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        run(bench, tmp_path, how=HOW, **wrong)


def test_progress_has_rate_and_time_left(bench: Path, tmp_path: Path) -> None:
    told: list[Standing] = []
    run(bench, tmp_path, how=HOW, limit=4, progress=told.append)
    assert [each.done for each in told] == [0, 1, 2, 3, 4]
    assert told[0].rate is None and told[0].left_s is None
    assert all(each.rate and each.left_s is not None for each in told[1:])
    assert told[-1].left_s == 0 and told[-1].statuses == {"answered": 4}


# ---- what hangs, what stops -----------------------------------------------------------------------------------


def test_what_hangs_is_given_up_and_the_others_are_answered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "GRACE_S", 0.3)
    monkeypatch.setattr(workers_module, "_STOP_S", 0.1)
    free = threading.Event()

    class Hanging(FakeGrounder):
        def ground(self, scene: Any, phrase: str) -> Any:
            if phrase == "ship":
                free.wait(60)  # looks at no clock
            return super().ground(scene, phrase)

    items = [item("detect all ships" if n == 1 else "detect all planes", id=f"i{n}") for n in range(5)]
    put(folder / "items.jsonl", items)
    how, fakes = How(timeout_s=2.0), models(grounder=Hanging(regions(*BOXES)))
    try:
        ran = run(folder / "items.jsonl", folder / "out", models=fakes, how=how)
    finally:
        free.set()
    assert ran.statuses == {"answered": 4, "timeout": 1}
    assert [each.id for each in read_predictions(folder / "out") if each.status == "timeout"] == ["i1"]


def test_what_ends_after_it_was_given_up_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "GRACE_S", 0.0)

    def work(one: Item, cancel: threading.Event) -> Prediction:
        if one.id == "i0":
            assert cancel.wait(20)
            raise Cancelled("given up")
        time.sleep(0.1)
        return Prediction(id=one.id)

    pool = workers_module.Threads(work, 2, lambda one: Prediction(id=one.id, status="timeout"), timeout_s=0.25)
    found = [(each.id, each.status) for each in pool.answers(item(id=f"i{n}") for n in range(12))]
    assert sorted(found) == sorted((f"i{n}", "answered" if n else "timeout") for n in range(12))


def test_what_hangs_is_given_up_while_others_are_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "GRACE_S", 0.0)
    monkeypatch.setattr(workers_module, "_STOP_S", 0.1)
    free = threading.Event()

    def work(one: Item, cancel: threading.Event) -> Prediction:
        if one.id == "i0":
            free.wait(20)
        time.sleep(0.05)
        return Prediction(id=one.id)

    pool = workers_module.Threads(work, 2, lambda one: Prediction(id=one.id, status="timeout"), timeout_s=0.3)
    order = [each.status for each in pool.answers(item(id=f"i{n}") for n in range(30))]
    free.set()
    assert order.count("timeout") == 1 and order.index("timeout") < 15, "its worker is at work again"


def test_what_was_ready_in_time_is_no_timeout_where_the_caller_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "GRACE_S", 0.0)
    pool = workers_module.Threads(
        lambda one, cancel: Prediction(id=one.id), 2, lambda one: Prediction(id=one.id, status="timeout"), timeout_s=0.2
    )
    found = []
    for each in pool.answers(item(id=f"i{n}") for n in range(6)):
        found.append(each.status)
        time.sleep(0.3)
    assert found == ["answered"] * 6


def test_what_is_ready_at_ctrl_c_is_kept(bench: Path, tmp_path: Path) -> None:
    def stop(standing: Standing) -> None:
        if standing.done == 1:
            time.sleep(1.5)  # meanwhile the three others that were given out get ready
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bench, tmp_path, how=HOW, workers=2, progress=stop)
    assert 1 < len(lines(tmp_path)) <= 4


def test_a_missing_package_ends_the_run_and_keeps_what_was_done(folder: Path) -> None:
    class Lacking(FakeGrounder):
        def ground(self, scene: Any, phrase: str) -> Any:
            if self.call_count == 3:
                raise MissingDependency("this model", "pip install it")
            return super().ground(scene, phrase)

    put(folder / "items.jsonl", [item(id=f"i{n}") for n in range(6)])
    with pytest.raises(MissingDependency):
        run(folder / "items.jsonl", folder / "out", models=models(grounder=Lacking(regions("p1"))))
    assert len(lines(folder / "out")) == 3
    rest = FakeGrounder(regions("p1"))
    assert run(folder / "items.jsonl", folder / "out", models=models(grounder=rest)).new == 3
    assert rest.call_count == 3, "what was answered is not asked again"


def test_ctrl_c_keeps_what_is_done(bench: Path, alone: dict[str, Any], tmp_path: Path) -> None:
    def stop(standing: Standing) -> None:
        if standing.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bench, tmp_path, how=HOW, workers=2, progress=stop)
    assert 4 <= len(lines(tmp_path)) < 12
    run(bench, tmp_path, how=HOW)
    assert comparable(tmp_path) == alone


def test_models_load_before_the_clock_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading(FakeGrounder):
        def ground(self, scene: Any, phrase: str) -> Any:
            if not self.calls:
                time.sleep(1.2)
            return super().ground(scene, phrase)

    monkeypatch.setattr(runner_module, "load_models", lambda _: models(grounder=Loading(regions(*BOXES))))
    put(folder / "items.jsonl", [item(id="a"), item(id="b")])
    ran = run(folder / "items.jsonl", folder / "out", how=How(timeout_s=1.0))
    assert ran.statuses == {"answered": 2}


# ---- files: any answers, any cut ------------------------------------------------------------------------------

PREDICTIONS = st.builds(
    Prediction,
    id=st.text(min_size=1, max_size=5),
    status=st.sampled_from(["answered", "unreadable", "failed", "refused", "timeout"]),
    said=st.text(max_size=20),
)


@settings(deadline=None)  # files are synced: on a busy disk one example takes long
@given(st.lists(PREDICTIONS, unique_by=lambda each: each.id, max_size=6), st.integers(0, 10_000))
def test_a_file_cut_anywhere_goes_on_to_the_same(tmp_path_factory: Any, answers: list[Prediction], cut: int) -> None:
    out = tmp_path_factory.mktemp("cut")
    settings = Settings(items="x", models="", versions={}, how=HOW)
    about = About(task="CREC", items="x", root=".", wanted=len(answers), started=0.0)
    with Predictions(out, settings, about) as kept:
        assert all(kept.add(each) for each in answers)
        assert not any(kept.add(each) for each in answers), "never twice"
    path = out / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    with Predictions(out, settings, about) as kept:
        left = set(kept.done)
        assert left == {each.id for each in answers[: len(left)]}, "a beginning of what was written"
        for each in answers:
            kept.add(each)
    assert path.read_bytes() == whole
    assert list(read_predictions(out)) == answers


# ---- kill -9 --------------------------------------------------------------------------------------------------


def killed(folder: Path, moments: int, seed: int) -> Iterator[dict[str, Any]]:
    program = [sys.executable, str(ROOT / "tests/killed_bench.py"), str(folder / "k"), str(moments), str(seed)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    yield from (json.loads(line) for line in done.stdout.splitlines())


def check_killed(found: list[dict[str, Any]], moments: int) -> None:
    assert len(found) == moments
    for one in found:
        assert one["exit"] == 0 and one["same"] and one["kept_all"], one
    assert any(one["kills"] for one in found)


def test_killed_runs_go_on_as_if_nothing_was(tmp_path: Path) -> None:
    check_killed(list(killed(tmp_path, 4, seed=3)), 4)


@pytest.mark.slow
def test_killed_at_thirty_moments(tmp_path: Path) -> None:
    found = list(killed(tmp_path, 30, seed=1))
    check_killed(found, 30)
    assert any(one["halves"] for one in found) and any(0 < one["done_before"] < one["items"] for one in found)


# ---- the command line -----------------------------------------------------------------------------------------


def test_bench_run_on_the_command_line(bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "run", str(bench), "--oracle", "parser,boxes", "--out", str(tmp_path / "out"), "--shard", "2/3"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out == "" and "oracle boxes and parser: 4 of 4 items" in told.err.replace("\n", " ")
    assert main(words) == 0
    assert "nothing was left to do" in capsys.readouterr().err
    assert main([*words[:-1], "1/3"]) == 2
    assert "--shard: 2/3, now 1/3" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--shard", "half"], "expected K/N"),
        (["--oracle", "boxes,eyes"], "--oracle is 'eyes', expected 'parser', 'boxes' or 'masks'"),
        (["--baseline", "best"], "--baseline is 'best', expected 'whole-class'"),
        (["--parser", "me"], "--parser is 'me', expected 'auto', 'grammar' or 'llm'"),
        (["--bands", "soft"], "--bands is 'soft', expected 'crisp' or 'strict'"),
        (["--through", "air"], "--through is 'air', expected 'grounder' or 'agent'"),
        (["--timeout", "0"], "--timeout is 0.0, expected greater than 0"),
        (["--models", "grounder=oracle"], "lacks its"),
        (["--retry", "all"], "no status 'all'"),
    ],
)
def test_wrong_options(bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Any, match: str) -> None:
    assert main(["bench", "run", str(bench), "--out", str(tmp_path), *words]) == 2
    assert match in " ".join(capsys.readouterr().err.split())


def test_every_item_failed_is_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    put(folder / "items.jsonl", [item(path="broken.png")])
    assert main(["bench", "run", str(folder / "items.jsonl"), "--oracle", "boxes", "--out", str(folder / "out")]) == 1
    assert "1 failed" in capsys.readouterr().err


def test_why_items_have_no_answer_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    items = [
        item(id="good"),
        item(id="broken", path="broken.png"),
        item("detect all planes glorping it", id="odd", request="all planes"),
    ]
    items += [item(id=f"gone{n}", path=f"gone{n}.png") for n in range(2)]
    put(folder / "items.jsonl", items)
    assert main(["bench", "run", str(folder / "items.jsonl"), "--out", str(folder / "out"), "--oracle", "boxes"]) == 0
    told = [line.strip() for line in capsys.readouterr().err.splitlines()]
    assert [line for line in told if line.startswith("2 failed: cannot read the image") and "first: gone0" in line]
    assert [line for line in told if line.startswith("1 failed: ") and line.endswith("(broken)")]
    assert [line for line in told if line.startswith("1 refused: ") and line.endswith("(odd)")]
    assert main(["bench", "run", str(folder / "items.jsonl"), "--out", str(folder / "out"), "--oracle", "boxes",
                 "--retry", "failed"]) == 0  # fmt: skip
    assert "2 failed: " in capsys.readouterr().err


def test_what_is_noted_on_the_way_is_said(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noting(workers_module.Threads):
        def answers(self, items: Any) -> Any:
            note("waiting for [/room]")
            return super().answers(items)

    monkeypatch.setattr(runner_module, "Threads", Noting)
    assert main(["bench", "run", str(bench), "--oracle", "parser,boxes", "--out", str(tmp_path), "--limit", "1"]) == 0
    assert "waiting for [/room]" in capsys.readouterr().err


def test_the_default_models_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "run", "--help"]) == 0
    told = "".join(each for each in capsys.readouterr().out if each.isalnum() or each in "=,:")
    assert all(f"{role}={name}" in told for role, name in DEFAULTS.items() if role != "describer")


def test_ctrl_c_on_the_command_line(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    items = make_items(tmp_path_factory.mktemp("many"), 30, scenes=16)  # many images: it has not ended when it is told
    words = ["-m", "surveyor.app.cli", "bench", "run", str(items), "--workers", "1", "--out", str(tmp_path)]
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what runs in the background may ignore it
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, preexec_fn=heeded)
    until = time.monotonic() + 60
    while time.monotonic() < until and not ((tmp_path / "predictions.jsonl").exists() and lines(tmp_path)):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    kept = lines(tmp_path)
    assert process.returncode == 130, told
    assert "the same command goes on" in told and "Traceback" not in told
    assert 1 <= len(kept) < 30
    assert main(words[2:]) == 0
    assert lines(tmp_path)[: len(kept)] == kept and len(lines(tmp_path)) == 30


def test_bench_build_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        words = ["build", "crec", "--source", f"synth:{tmp_path / 'drawn'}?scenes=6&side=512&seed=40", "--n", "6"]
        assert main(["bench", *words, "--seed", "1", "--out", str(tmp_path / f"{name}.jsonl")]) == 0
        assert f"their images are in {tmp_path / 'drawn'}" in capsys.readouterr().err
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    made = read_header(tmp_path / "a.jsonl")
    assert made.command.startswith("surveyor bench build crec --source synth:") and made.admitted == 6
    words = ["run", str(tmp_path / "a.jsonl"), "--data", str(tmp_path / "drawn"), "--oracle", "parser,boxes"]
    assert main(["bench", *words, "--out", str(tmp_path / "run")]) == 0
    assert len(lines(tmp_path / "run")) == 6


def building(out: Path, *more: str) -> int:
    drawn = f"synth:{out.parent / 'drawn'}?scenes=1&side=512&seed=40"
    return main(["bench", "build", "crec", "--source", drawn, "--n", "4", "--out", str(out), *more])


def test_an_items_file_is_not_replaced_by_other_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "items.jsonl"
    assert building(out) == 0
    first = out.read_bytes()
    assert building(out) == 0, "the same items"
    assert building(out, "--seed", "7") == 2
    assert "was built by another command" in (told := capsys.readouterr().err.replace("\n", " ")), told
    assert "--overwrite" in told and out.read_bytes() == first
    out.write_bytes(edited := first.replace(b'"family":"', b'"family":"x', 1))
    assert building(out) == 2, "same command, other content"
    assert "than this command builds now" in capsys.readouterr().err.replace("\n", " ")
    assert out.read_bytes() == edited
    assert building(out, "--seed", "7", "--overwrite") == 0
    assert read_header(out).seed == 7
    out.write_text("my notes\n")
    assert building(out) == 2 and out.read_text() == "my notes\n"
    assert building(tmp_path / "drawn") == 2
    assert "a folder; expected a file" in capsys.readouterr().err.replace("\n", " ")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["drawn", "items.jsonl"], "nothing is left behind"


def test_fewer_items_than_asked_for_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "items.jsonl"
    assert building(out, "--n", "400") == 0
    told, got = capsys.readouterr().err.replace("\n", " "), read_header(out).admitted
    assert got < 400
    assert f"{got} of 400 items in" in told and "more images" in told


def test_paths_that_look_like_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a [" / "bold] b"  # the path holds "[/bold]"
    folder.mkdir(parents=True)
    out = folder / "items.jsonl"
    assert building(out) == 0
    words = ["bench", "run", str(out), "--data", str(folder / "drawn"), "--oracle", "parser,boxes"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    assert capsys.readouterr().err.replace("\n", "").count("a [/bold] b") == 3


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["rcd", "--source", "dota:x"], "does not exist; expected the folder of DOTA"),
        (["boxes", "--source", "dota:x"], "expected one of: crec, cres, rcd"),
        (["crec", "--source", "dota"], "names no folder"),
        (["crec", "--source", "data:x"], "no dataset reader 'data'"),
        (["crec", "--source", "dota:x?colour=red"], "no setting 'colour'"),
        (["crec", "--source", "synth:x?scenes=none"], "no whole number"),
        (["crec", "--source", "dota:x", "--part", "all"], "expected dev or test"),
    ],
)
def test_wrong_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Any, match: str) -> None:
    assert main(["bench", "build", *words, "--out", str(tmp_path / "x.jsonl")]) == 2
    assert match in capsys.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()
