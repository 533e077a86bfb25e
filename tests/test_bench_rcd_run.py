"""RCD items answered: a change detector as a grounder, oracles, baselines, what goes wrong, planted errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from surveyor.agent.parser import parse
from surveyor.core.changes import changed_thing
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.protocols import MaskPrompt
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.bench.changes import KeptMasks, held_box
from surveyor.evals.bench.items import Header, Image, Item, Made, Truth, read_items, write_items
from surveyor.evals.bench.predict import How, predict
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.bench.runner import run
from surveyor.evals.bench.store import read_predictions
from surveyor.evals.construction.rcd_builder import build_rcd
from surveyor.evals.construction.rcd_synth import synth_pairs
from surveyor.evals.datasets import levir, pairs
from surveyor.evals.scores.contrast import score_contrast
from surveyor.evals.scores.rcd import score_rcd
from surveyor.tools.models.fakes import FakeChangeDetector, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

judge_module, pick_module = (import_module(f"surveyor.tools.{name}") for name in ("judge", "pick"))
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "change"
ORACLE = How(oracle=("parser", "boxes"))
SIZE = (200, 100)
BOXES = {"b1": (10, 10, 40, 40), "b2": (60, 60, 80, 90), "b3": (150, 20, 190, 70), "r1": (0, 92, 200, 98)}


def mask_of(*names: str) -> Mask:
    pixels = np.zeros(SIZE[::-1], dtype=bool)
    for name in names:
        x0, y0, x1, y1 = BOXES[name]
        pixels[y0:y1, x0:x1] = True
    pixels[20:30, 20:30] = False  # b1 has a hole: a box filled in would be wrong
    return Mask.from_array(pixels)


def region(name: str, *, label: str | None = None, masked: bool = True) -> Region:
    box = np.array(BOXES[name], dtype=float)
    told = label or ("building" if name[0] == "b" else "road")
    return Region(name, told, box_to_corners(box), box, mask=mask_of(name) if masked else None)


def truth(name: str) -> Truth:
    label = "changed building" if name[0] == "b" else "changed road"
    return Truth(id=name, label=label, hbb=BOXES[name], rle=mask_of(name).to_rle())


def item(expression: str, right: tuple[str, ...] = (), id: str = "i", **fields: Any) -> Item:
    image = Image(path="a.png", size_wh=SIZE, family="f")
    parts = {"after": image.model_copy(update={"path": "b.png"}), "image": image,
             "objects": tuple(truth(name) for name in BOXES)} | fields  # fmt: skip
    return Item(
        id=id, task="RCD", expression=expression, request=parse(parts.pop("request", expression)),
        answer_ids=right, answer_rle=mask_of(*right).to_rle() if right else None,
        universe_ids=("b1", "b2", "b3"), made=Made(version=1, seed=0), **parts,
    )  # fmt: skip


def models(**fakes: Any) -> Models:
    never = {"failure": AssertionError("asked")}
    made = {"grounder": FakeGrounder(**never), "segmenter": FakeSegmenter(**never)}  # type: ignore[arg-type]
    return Models(**(made | {"change": FakeChangeDetector([region(name) for name in BOXES])} | fakes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((100, 200, 3), ord(name[0]), np.uint8))
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((50, 200, 3), np.uint8))
    return tmp_path


def pixels_of(found: Prediction) -> Mask:
    assert found.status == "answered", found.said
    return Mask.from_array(np.zeros(SIZE[::-1])) if found.mask_rle is None else Mask.from_rle(found.mask_rle)


# ---- a detector as a grounder ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "thing"),
    [
        ("changed buildings", "building"), ("the changed building", "building"), ("changed oil tanks", "oil tank"),
        ("changed areas", "change"), ("changed region", "change"), ("changed parts", "change"), ("change", "change"),
        ("changes", "change"), ("buildings", None), ("unchanged buildings", None), ("exchanged area", None),
    ],
)  # fmt: skip
def test_what_has_changed(phrase: str, thing: str | None) -> None:
    assert changed_thing(phrase) == thing


def scenes(*sizes: tuple[int, int]) -> list[Scene]:
    return [Scene.from_array(np.zeros((h, w, 3), np.uint8), name=f"s{n}") for n, (w, h) in enumerate(sizes)]


def test_kept_masks_are_those_of_the_prompts() -> None:
    (before,) = scenes(SIZE)
    prompts = [MaskPrompt(region("b2").box_px, coarse=coarse) for coarse in (mask_of("b1", "b3"), None)]
    masks = [result.mask for result in KeptMasks().segment(before, prompts)]
    assert masks[0] == mask_of("b1", "b3")
    assert masks[1].area_px == 20 * 30, "no pixels are known: filled in"
    assert KeptMasks().segment(before, []) == ()


# ---- one item -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("segment all changed buildings", ("b1", "b2", "b3")),
        ("outline the changed buildings in the left half", ("b1", "b2")),
        ("segment the largest changed building", ("b3",)),
        ("segment the changed building nearest to the changed road", ("b2",)),
        ("segment the changed buildings that are not next to the changed road", ("b1", "b3")),
        ("segment the changed roads", ("r1",)),
        ("segment the changed buildings in the bottom right corner", ()),
        ("find the changed buildings in the left half", ("b1", "b2")),
    ],
)
@pytest.mark.parametrize(
    "how", [How(), ORACLE, How(oracle=("parser",)), How(oracle=("boxes",))], ids=lambda how: how.mode
)
def test_expressions_are_answered_with_pixels_and_regions(
    folder: Path, expression: str, right: tuple[str, ...], how: How
) -> None:
    found = predict(item(expression, right), models(), how, root=folder)
    assert pixels_of(found) == mask_of(*right), found.said
    assert [Mask.from_rle(each.rle).area_px for each in found.regions if each.rle] == [
        mask_of(name).area_px for name in right
    ]
    assert {each.label for each in found.regions} <= {"changed building", "changed road"}
    assert (found.mask_rle is None) == (not right)


def test_any_change_is_asked_for_as_such(folder: Path) -> None:
    detector = FakeChangeDetector([region(name, label="change") for name in BOXES])
    found = predict(item("segment all changed areas in the right half"), models(change=detector), How(), root=folder)
    assert pixels_of(found) == mask_of("b3")
    assert detector.calls == [("a.png", "b.png", "change")]


def test_what_speaks_of_no_change_is_asked_of_the_later_image(folder: Path) -> None:
    looks = FakeGrounder([region("b2", masked=False)])
    asked = item("segment all buildings", request="changed buildings")
    found = predict(asked, models(grounder=looks, segmenter=FakeSegmenter()), How(), root=folder)
    assert [each.label for each in found.regions] == ["building"]
    assert {call[0] for call in looks.calls} == {"b.png"}


def test_what_only_the_grounder_knows_is_compared_as_ask_does(folder: Path) -> None:
    class OnceThere(FakeGrounder):
        def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
            return super().ground(scene, phrase) if scene.name == "b.png" else ()

    ship = region("b2", label="ship", masked=False)
    asked = item("segment all changed ships", request="changed buildings")
    came = predict(asked, models(grounder=OnceThere([ship]), segmenter=FakeSegmenter()), How(), root=folder)
    assert [each.label for each in came.regions] == ["changed ship"]
    assert pixels_of(came).area_px == 20 * 30
    stayed = predict(asked, models(grounder=FakeGrounder([ship]), segmenter=FakeSegmenter()), How(), root=folder)
    assert (stayed.status, stayed.mask_rle) == ("answered", None)


def test_a_type_that_the_detector_does_not_know_is_refused(folder: Path) -> None:
    found = predict(item("segment all changed ships"), models(), How(), root=folder)
    assert found.status == "refused" and "ship" in found.said


@pytest.mark.parametrize(
    ("baseline", "right"),
    [
        ("region-blind", ("b1", "b2", "b3")), ("whole-class", ("b1", "b2", "b3")), ("no-condition", ("b1", "b2", "b3")),
        ("centre", ("b2",)), ("largest", ("b3",)), ("no-change", ()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("oracle", [(), ("boxes",)])
def test_baselines(folder: Path, baseline: Any, right: tuple[str, ...], oracle: Any) -> None:
    one = item("segment the changed buildings in the top left corner", ("b1",))
    assert pixels_of(predict(one, models(), How(baseline=baseline, oracle=oracle), root=folder)) == mask_of(*right)


def test_no_change_looks_at_nothing(tmp_path: Path) -> None:
    one = item("segment all changed buildings", ("b1",))
    found = predict(one, models(change=None), How(baseline="no-change"), root=tmp_path)
    assert (found.status, found.mask_rle, found.regions) == ("answered", None, ())


def test_what_one_pair_gave_is_not_taken_for_another(folder: Path) -> None:
    """The same earlier image with another later one, results kept from run to run."""
    calls: list[str] = []

    class Looks(FakeChangeDetector):
        version = "1"

        def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
            calls.append(after.name)
            return () if before.name == after.name else super().changes(before, after, phrase)

    one = item("segment all changed buildings", ("b1", "b2", "b3"))
    twice = one.model_copy(update={"after": one.image})
    looks = models(change=Looks([region(name) for name in BOXES]))
    answers = [predict(each, looks, How(), root=folder, cache=True) for each in (one, twice, one)]
    assert [found.mask_rle is None for found in answers] == [False, True, False]
    assert calls == ["b.png", "b.png"], "of one and the same image nothing is asked"


@pytest.mark.parametrize("how", [How(), ORACLE, How(baseline="region-blind")], ids=lambda how: how.mode)
@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(None, "has no later image", id="none"),
        pytest.param(Image(path="nowhere.png", size_wh=SIZE, family="f"), "nowhere.png", id="missing"),
        pytest.param(Image(path="small.png", size_wh=SIZE, family="f"), "200 x 50 px", id="file of another size"),
        pytest.param(Image(path="small.png", size_wh=(200, 50), family="f"), "differ in size", id="another size"),
    ],
)
def test_a_broken_pair_fails_that_item(folder: Path, how: How, after: Image | None, told: str) -> None:
    one = item("segment all changed buildings", ("b1", "b2", "b3"), after=after)
    found = predict(one, models(), how, root=folder)
    assert (found.status, found.mask_rle) == ("failed", None) and told in found.said


# ---- runs -----------------------------------------------------------------------------------------------------


def written(folder: Path, *items: Item) -> Path:
    header = Header(task="RCD", command="by hand", seed=0, sources={"hand": "none"}, admitted=len(items))
    write_items(folder / "items.jsonl", header, items)
    return folder / "items.jsonl"


@pytest.mark.parametrize("how", [How(), How(oracle=("parser",)), How(baseline="largest")], ids=lambda how: how.mode)
def test_without_a_change_detector_no_run_begins(folder: Path, how: How) -> None:
    path = written(folder, item("segment all changed buildings"))
    with pytest.raises(UsageError, match="need a change detector and the models have none"):
        run(path, folder / "out", models=models(change=None), how=how)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("how", "task", "told"),
    [
        (How(baseline="no-change"), "CREC", "'no-change' is for RCD items"),
        (How(baseline="region-blind"), "CRES", "use 'whole-class'"),
        (How(oracle=("masks",)), "RCD", "come with their pixels"),
    ],
)
def test_ways_that_do_not_fit(how: How, task: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        how.check(task)


def test_one_broken_pair_costs_no_other(folder: Path) -> None:
    gone = Image(path="nowhere.png", size_wh=SIZE, family="f")
    items = [item("segment all changed buildings", ("b1", "b2", "b3"), id=f"i{n}") for n in range(3)]
    items[1] = items[1].model_copy(update={"after": gone})
    done = run(written(folder, *items), folder / "out", models=models())
    assert done.statuses == {"answered": 2, "failed": 1}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rcd")
    records = synth_pairs(30, seed=60, size_wh=(320, 320), root=folder)
    write_items(folder / "items.jsonl", *build_rcd(records, n=80, seed=5, root=str(folder)))
    return folder


def scored(suite: Path, how: How, out: Path, given: Models | None = None) -> tuple[dict[str, Any], Any]:
    path = suite / "items.jsonl"
    run(path, out, models=given or models(change=None), how=how)
    items = list(read_items(path))
    table = score_rcd(items, read_predictions(out))
    return table.values(), score_contrast(items, table).values()


@pytest.mark.parametrize("oracle", [("boxes", "parser"), ("boxes",)])
def test_the_oracle_scores_100_percent(suite: Path, tmp_path: Path, oracle: Any) -> None:
    values, contrast = scored(suite, How(oracle=oracle), tmp_path / "out")
    for name in ("F1_1", "IoU_1", "F1_1_inside", "giou", "component_f1@0.5", "n_acc", "t_acc", "answered"):
        assert values[name] == pytest.approx(1.0), name
    assert contrast["contrast"] == 1.0 and contrast["pairs"] >= 5


def test_baselines_score_less(suite: Path, tmp_path: Path) -> None:
    """The phrase matters: all change of the type, wherever it is, is a bad answer."""
    items = list(read_items(suite / "items.jsonl"))
    zero = sum(each.is_zero_match for each in items) / len(items)
    blind, contrast = scored(suite, How(baseline="region-blind", oracle=("boxes",)), tmp_path / "blind")
    assert blind["F1_1"] < 0.75 and blind["recall_1"] == pytest.approx(1.0) and blind["F1_1"] < blind["F1_1_inside"] < 1
    assert contrast["contrast"] < 0.7
    none, contrast = scored(suite, How(baseline="no-change"), tmp_path / "none")
    assert none["F1_1"] == 0 and none["giou"] == pytest.approx(zero) and none["n_acc"] == 1 and none["t_acc"] == 0
    assert contrast["contrast"] == 0
    for name in ("largest", "centre"):
        assert scored(suite, How(baseline=name, oracle=("boxes",)), tmp_path / name)[0]["giou"] < 0.7  # type: ignore[arg-type]


def test_a_perfect_detector_scores_100_percent_through_the_whole_agent(suite: Path, tmp_path: Path) -> None:
    """Every part from the words to the mask but the detector's own eyes."""
    path, types = suite / "items.jsonl", ("building", "road", "change")
    predictions = []
    for each in read_items(path):
        found = [
            Region(truth.id, truth.label.removeprefix("changed ").replace("area", "change"),
                   np.array(truth.obb), np.array(truth.hbb), mask=Mask.from_rle(truth.rle))  # type: ignore[arg-type]
            for truth in each.objects
        ]  # fmt: skip
        detector = FakeChangeDetector(found)
        detector.changes = partial(_of_type, found, types)  # type: ignore[method-assign]
        detector.knows = lambda: types  # type: ignore[method-assign]
        predictions.append(predict(each, models(change=detector), How(), root=suite))
    values = score_rcd(read_items(path), predictions).values()
    assert values["giou"] == pytest.approx(1.0), [each.said for each in predictions if each.status != "answered"]


def _of_type(found: list[Region], types: tuple[str, ...], _before: Scene, _after: Scene, phrase: str) -> Any:
    assert phrase in types
    return tuple(each for each in found if each.label == phrase)


# ---- planted errors -------------------------------------------------------------------------------------------


def _swapped(original: Callable[..., Any], case: Any, condition: Any) -> Any:
    words = {"left": "right", "right": "left"}
    place = " ".join(words.get(word, word) for word in condition.place.split())
    return original(case, condition.model_copy(update={"place": place}))


def _upside_down(original: Callable[..., Any], case: Any, condition: Any) -> Any:
    words = {"top": "bottom", "bottom": "top"}
    place = " ".join(words.get(word, word) for word in condition.place.split())
    return original(case, condition.model_copy(update={"place": place}))


def _halves_for_cells(original: Callable[..., Any], case: Any, condition: Any) -> Any:
    if condition.frame == "quadrant":
        condition = condition.model_copy(update={"frame": "cell"})
    return original(case, condition)


def _reversed(original: Callable[..., Any], case: Any, pick: Any) -> Any:
    return original(case, pick.model_copy(update={"order": {"min": "max", "max": "min"}[pick.order]}))


def _one_more(original: Callable[..., Any], case: Any, pick: Any) -> Any:
    return original(case, pick.model_copy(update={"count": pick.count + 1}))


def _turned(original: Callable[..., Any], case: Any, condition: Any) -> Any:
    if condition.direction is not None:
        words = {"left": "right", "right": "left", "above": "below", "below": "above"}
        direction = " ".join(words[word] for word in condition.direction.split())
        condition = condition.model_copy(update={"direction": direction})
    return original(case, condition)


def _twice_as_far(original: Callable[..., Any], case: Any, condition: Any) -> Any:
    if condition.distance is not None:
        quantity = condition.distance.model_copy(update={"value": 3 * condition.distance.value})
        condition = condition.model_copy(update={"distance": quantity})
    return original(case, condition)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("judge_position", _swapped), ("judge_position", _upside_down), ("judge_position", _halves_for_cells),
        ("judge_pick", _reversed), ("judge_pick", _one_more), ("judge_relation", _turned),
        ("judge_relation", _twice_as_far),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_a_planted_error_drops_the_score(suite: Path, name: str, error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(read_items(suite / "items.jsonl"))
    for module in (judge_module, pick_module, import_module("surveyor.tools.choose")):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, partial(error, getattr(module, name)))
    predictions = [predict(each, models(change=None), ORACLE, root=suite) for each in items]
    values = score_rcd(items, predictions).values()
    assert values["giou"] is not None and values["giou"] < 1


# ---- real pairs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["levir", "dsifn", "fotbcd"])
def test_the_oracle_scores_100_percent_on_real_pairs(name: str, tmp_path: Path) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip("needs ../shared/data/change")
    folder = SHARED / name
    records = levir.read_cd(folder) if name == "levir" else pairs.read(folder)
    header, items = build_rcd(records, n=40, seed=2, root=str(SHARED))
    write_items(tmp_path / "items.jsonl", header, items)
    run(tmp_path / "items.jsonl", tmp_path / "out", models=models(change=None), how=ORACLE, root=SHARED)
    values = score_rcd(items, read_predictions(tmp_path / "out")).values()
    for figure in ("F1_1", "giou", "component_f1@0.5", "n_acc", "t_acc"):
        assert values[figure] == pytest.approx(1.0), figure


# ---- boxes in numbers -----------------------------------------------------------------------------------------------

HALF = "segment the changed buildings in the box [0, 0, 150, 1000]"  # the left 30 px: b1 is at 10..40


def left_30_px(mask: Mask) -> Mask:
    pixels = mask.to_array()
    pixels[:, 30:] = False
    return Mask.from_array(pixels)


@pytest.mark.parametrize("oracle", [(), ("parser",), ("boxes",), ("boxes", "parser")])
@pytest.mark.parametrize("bands", ["crisp", "strict"])
def test_a_box_in_numbers_cuts_what_changed(folder: Path, oracle: tuple[Any, ...], bands: Any) -> None:
    found = predict(item(HALF, ("b1",)), models(), How(oracle=oracle, parser="grammar", bands=bands), root=folder)
    assert pixels_of(found) == left_30_px(mask_of("b1"))
    (kept,) = found.regions
    assert kept.hbb == (10, 10, 30, 40)
    if "parser" not in oracle:
        assert found.request == parse(HALF).model_dump(mode="json")  # as it was said, box and all


def test_only_pixels_in_the_box_count_for_the_largest(folder: Path) -> None:
    query = "segment the largest changed building in the box [0, 0, 350, 1000]"  # b1 whole (800 px), 10 px of b2's 20
    assert pixels_of(predict(item(query), models(), How(parser="grammar"), root=folder)) == mask_of("b1")


def test_nothing_in_the_box_is_an_explicit_none(folder: Path) -> None:
    found = predict(item("outline all changed buildings in the box [450, 0, 700, 1000]"), models(),
                    How(parser="grammar"), root=folder)  # fmt: skip
    assert (found.status, found.regions, found.mask_rle) == ("answered", (), None)


def test_a_baseline_looks_at_no_box(folder: Path) -> None:
    found = predict(item(HALF, ("b1",)), models(), How(baseline="region-blind"), root=folder)
    assert pixels_of(found) == mask_of("b1", "b2", "b3")


@pytest.mark.parametrize(
    ("query", "is_held"),
    [
        (HALF, True),
        ("segment the two largest changed buildings in the box [0, 0, 500, 500]", True),
        ("segment the changed buildings in the box [0, 0, 500, 500] px that are large", True),
        ("segment the changed buildings outside the box [0, 0, 500, 500]", False),
        ("segment the changed buildings in the box [0, 0, 500, 500] or in the right half", False),
        ("segment the changed buildings in the box [0, 0, 500, 500] next to the changed road", False),
        ("segment the changed buildings", False),
        ("segment the changed buildings in the box [0, 0, 5, 5]; segment the changed roads", False),
        ("segment the changed buildings in the box [0, 0, 5, 5]; segment the changed roads in [0, 0, 5, 5]", True),
    ],
)
def test_which_requests_are_held_in_a_box(query: str, is_held: bool) -> None:
    assert (held_box(parse(query)) is not None) == is_held


def test_a_box_beyond_the_image_fails_with_its_numbers(folder: Path) -> None:
    query = "segment the changed buildings outside the box [200, 0, 300, 50] px"
    found = predict(item(query), models(), How(parser="grammar"), root=folder)
    assert found.status == "failed" and "outside the image of 200 x 100 px" in found.said
