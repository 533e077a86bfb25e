"""What every model behind a door must keep, whatever it is: one set of tests over all implementations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_server import said, serving
from qwen2vl_checkpoints import checkpoints, local, made_talkative, one_thread, sam2  # noqa: F401
from surveyor.core.errors import UnknownPhrase
from surveyor.core.geometry import box_to_corners, canonical_corners
from surveyor.core.protocols import (
    ChangeDetector,
    ChatModel,
    Describer,
    Description,
    Grounder,
    MaskPrompt,
    MaskResult,
    Segmenter,
)
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models import spec
from surveyor.tools.models.change_vectors import ChangeVectors
from surveyor.tools.models.compact.change import CompactChange
from surveyor.tools.models.compact.describer import CompactDescriber
from surveyor.tools.models.compact.detector import CompactGrounder
from surveyor.tools.models.compact.segmenter import CompactSegmenter
from surveyor.tools.models.compare import Comparison
from surveyor.tools.models.fakes import FakeChangeDetector, FakeChatModel, FakeDescriber, FakeGrounder, FakeSegmenter
from surveyor.tools.models.oracle import OracleGrounder, OracleSegmenter
from surveyor.tools.models.oracle_describer import OracleDescriber
from test_remote_vision import eyes, model_at, text_of

BOXES = {"airplane-1": (20, 15, 60, 35), "airplane-2": (70, 50, 90, 70), "storage_tank-3": (10, 50, 30, 70)}
SIZE_WH = (120, 90)


def regions() -> list[Region]:
    found = []
    for key, box in BOXES.items():
        xyxy = np.array(box, dtype=np.float64)
        found.append(Region(key, key.split("-")[0], box_to_corners(xyxy), xyxy))
    return found


@pytest.fixture(scope="module")
def scene() -> Scene:
    pixels = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.uint8)
    pixels[::7] = 100
    for x0, y0, x1, y1 in BOXES.values():
        pixels[y0:y1, x0:x1] = 230
    return Scene.from_array(pixels, name="scene.png")


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("oracle") / "scene.json"
    labels = sorted({key.split("-")[0] for key in BOXES})
    entries = []
    for key, (x0, y0, x1, y1) in BOXES.items():
        label, number = key.split("-")
        ring = [x0, y0, x1, y0, x1, y1, x0, y1]
        box = [x0, y0, x1 - x0, y1 - y0]
        category = labels.index(label) + 1
        entries.append({"id": int(number), "image_id": 1, "category_id": category, "bbox": box, "segmentation": [ring]})
    data = {
        "images": [{"id": 1, "file_name": "scene.png"}],
        "categories": [{"id": i + 1, "name": label} for i, label in enumerate(labels)],
        "annotations": entries,
    }
    path.write_text(json.dumps(data))
    return path


def qwen2vl(folder: Path) -> Any:
    """Writes whatever it likes, in the form that is asked for."""
    from surveyor.tools.models.qwen2vl.adapter import Qwen2VL

    made = Qwen2VL.at(f"{folder}?device=cpu&dialect=native&max_tokens=90&max_pixels=20000")
    made_talkative(made.answerer, seed=2)
    return made


GROUNDERS: dict[str, Callable[[Path], Grounder]] = {
    "fake": lambda _: FakeGrounder(regions()),
    "fake, open": lambda _: FakeGrounder(regions(), open_vocabulary=True),
    "oracle": OracleGrounder,
    "compact": lambda _: spec.load_models("grounder=compact").grounder,
}
SEGMENTERS: dict[str, Callable[[Path], Segmenter]] = {
    "fake": lambda _: FakeSegmenter(),
    "fake, scored": lambda _: FakeSegmenter(0.5),
    "oracle": OracleSegmenter,
    "compact": lambda _: CompactSegmenter(),
}


QWEN = pytest.param("qwen2vl", marks=local)
SAM2 = pytest.param("sam2", marks=local)
SAM2_PACKAGE = pytest.param("sam2 package", marks=[*local, pytest.mark.full])


@pytest.fixture(params=[*GROUNDERS, "remote", QWEN])
def grounder(request: pytest.FixtureRequest, annotations: Path) -> Iterator[Grounder]:
    if request.param == "remote":
        with serving(eyes("native")) as server:
            yield model_at(server.url, dialect="native")
    elif request.param == "qwen2vl":
        yield qwen2vl(request.getfixturevalue("checkpoints")("qwen2-vl"))
    else:
        yield GROUNDERS[request.param](annotations)


def segmenter_of(request: pytest.FixtureRequest, annotations: Path, name: str) -> Segmenter:
    if name == "sam2":
        return spec.load_models(f"segmenter=sam2:{request.getfixturevalue('sam2')}?device=cpu").segmenter
    if name == "sam2 package":
        pytest.importorskip("sam2")
        from surveyor.finetune.scratch.sam2 import make_sam2_native

        weights = make_sam2_native(request.getfixturevalue("tmp_path"))
        source = f"sam2:{weights}?config={weights.with_suffix('.yaml')}&device=cpu"
        return spec.load_models(f"segmenter={source}").segmenter
    return SEGMENTERS[name](annotations)


@pytest.fixture(params=[*SEGMENTERS, SAM2, SAM2_PACKAGE])
def segmenter(request: pytest.FixtureRequest, annotations: Path) -> Segmenter:
    return segmenter_of(request, annotations, request.param)


@pytest.fixture(params=[*SEGMENTERS, SAM2])
def trained_segmenter(request: pytest.FixtureRequest, annotations: Path) -> Segmenter:
    """Without those of random weights."""
    return segmenter_of(request, annotations, request.param)


def as_data(region: Region) -> tuple[object, ...]:
    return (region.id, region.label, region.score, region.corners_px.tolist(), region.box_px.tolist())


# ---- grounders


def test_grounder_names_itself_and_its_classes(grounder: Grounder) -> None:
    assert isinstance(grounder, Grounder)
    assert grounder.name
    known = grounder.knows()
    assert known is None or (len(set(known)) == len(known) > 0)
    for label in known or ("any thing at all",):
        assert label in grounder.resolve(label)


def test_grounder_refuses_what_it_does_not_know(grounder: Grounder, scene: Scene) -> None:
    known = grounder.knows()
    if known is None:
        return
    for call in (lambda: grounder.resolve("purple unicorns"), lambda: grounder.ground(scene, "purple unicorns")):
        with pytest.raises(UnknownPhrase) as caught:
            call()
        assert caught.value.known == known
        assert caught.value.phrase == "purple unicorns"


def test_grounder_finds_regions_of_the_classes_asked(grounder: Grounder, scene: Scene) -> None:
    for phrase in ("airplane", "storage_tank"):
        found = grounder.ground(scene, phrase)
        assert isinstance(found, tuple)
        assert {region.label for region in found} <= set(grounder.resolve(phrase))
        assert len({region.id for region in found}) == len(found)
        scores = [region.score for region in found if region.score is not None]
        assert scores == sorted(scores, reverse=True), "best first"
        for region in found:
            assert region.score is None or 0 <= region.score <= 1
            np.testing.assert_allclose(region.corners_px, canonical_corners(region.corners_px))
            assert region.source


def test_grounder_answers_the_same_from_many_threads(grounder: Grounder, scene: Scene) -> None:
    once = [as_data(region) for region in grounder.ground(scene, "airplane")]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: grounder.ground(scene, "airplane"), range(4)):
            assert [as_data(region) for region in found] == once


# ---- segmenters

PROMPTS = [
    MaskPrompt(np.array(box, dtype=np.float64), box_to_corners(np.array(box, dtype=np.float64)))
    for box in BOXES.values()
] + [
    MaskPrompt(np.array([20.0, 15, 60, 35]), None, np.array([[40.0, 25], [65, 40]]), (1, 0)),
    MaskPrompt(np.array([100.0, 70, 140, 100])),
    MaskPrompt(np.array([500.0, 500, 520, 520])),
]


def test_segmenter_gives_one_mask_a_prompt_in_order(segmenter: Segmenter, scene: Scene) -> None:
    assert isinstance(segmenter, Segmenter)
    assert segmenter.name
    assert segmenter.segment(scene, []) == ()
    results = segmenter.segment(scene, PROMPTS)
    assert len(results) == len(PROMPTS)
    for result in results:
        assert isinstance(result, MaskResult)
        assert result.mask.shape_hw == scene.shape_hw
        assert result.score is None or 0 <= result.score <= 1
    assert results[-1].mask.area_px == 0, "beyond the scene there is nothing"
    backwards = segmenter.segment(scene, PROMPTS[::-1])
    for one, other in zip(results, backwards[::-1], strict=True):
        assert one.mask.iou(other.mask) >= 0.999 or one.mask.area_px == other.mask.area_px == 0


def test_segmenter_finds_plain_rectangles(trained_segmenter: Segmenter, scene: Scene) -> None:
    for result, box in zip(trained_segmenter.segment(scene, PROMPTS[:3]), BOXES.values(), strict=True):
        found = result.mask.box_px
        assert found is not None
        overlap = np.minimum(found[2:], box[2:]) - np.maximum(found[:2], box[:2])
        assert overlap.prod() >= 0.7 * result.mask.area_px
        assert result.mask.area_px >= 0.6 * (box[2] - box[0]) * (box[3] - box[1])


def test_segmenter_answers_the_same_from_many_threads(segmenter: Segmenter, scene: Scene) -> None:
    once = segmenter.segment(scene, PROMPTS)
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: segmenter.segment(scene, PROMPTS), range(4)):
            assert [result.mask for result in results] == [result.mask for result in once]


DESCRIBERS: dict[str, Callable[[Path], Describer]] = {
    "fake": lambda _: FakeDescriber(lambda region: Description(region.label, region.label)),
    "oracle": OracleDescriber,
    "compact": lambda _: CompactDescriber(),
}


@pytest.fixture(params=[*DESCRIBERS, "remote", QWEN])
def describer(request: pytest.FixtureRequest, annotations: Path) -> Iterator[Describer]:
    if request.param == "remote":
        with serving(lambda sent, _number: said(f"shown at {text_of(sent)[-40:]}")) as server:
            yield model_at(server.url, dialect="native")
    elif request.param == "qwen2vl":
        yield qwen2vl(request.getfixturevalue("checkpoints")("qwen2-vl"))
    else:
        yield DESCRIBERS[request.param](annotations)


def test_describers_say_one_thing_a_region(describer: Describer, scene: Scene) -> None:
    assert isinstance(describer, Describer) and describer.name
    told = describer.describe(scene, regions())
    assert len(told) == len(regions()) and all(each.text for each in told)
    for each in told:
        assert each.label is None or each.names is None or each.label in each.names
        assert each.score is None or 0 <= each.score <= 1
    assert describer.describe(scene, ()) == ()
    assert describer.describe(scene, regions()[::-1]) == told[::-1]  # each on its own
    with ThreadPoolExecutor(3) as pool:
        assert all(again == told for again in pool.map(lambda _: describer.describe(scene, regions()), range(3)))


@pytest.fixture(params=["fake", "cva", "compact", "compare", "remote", QWEN])
def change_detector(request: pytest.FixtureRequest) -> Iterator[ChangeDetector]:
    if request.param == "remote":
        polygons = "[(100,100),(300,100),(300,400),(100,400),(100,100)]\n[(600,100),(700,100),(700,200),(600,100)]"
        with serving(lambda _sent, _number: said(polygons)) as server:
            yield model_at(server.url, dialect="native")
    elif request.param == "qwen2vl":
        yield qwen2vl(request.getfixturevalue("checkpoints")("qwen2-vl"))
    elif request.param == "cva":
        yield ChangeVectors()
    elif request.param == "compact":
        yield CompactChange()
    elif request.param == "compare":
        yield Comparison(CompactGrounder(), CompactSegmenter())
    else:
        yield FakeChangeDetector(regions())


def test_change_detectors_give_regions_of_the_later_scene(change_detector: ChangeDetector, scene: Scene) -> None:
    assert isinstance(change_detector, ChangeDetector) and change_detector.name
    known = change_detector.knows()
    assert known is None or len(set(known)) == len(known)
    before = Scene.from_array(np.full((*SIZE_WH[::-1], 3), 90, np.uint8), name="before.png")
    asked = "building" if known == ("building",) else "airplane"
    found = change_detector.changes(before, scene, asked)
    assert len({region.id for region in found}) == len(found)
    for region in found:
        assert (region.box_px >= 0).all() and (region.box_px <= [*SIZE_WH, *SIZE_WH]).all()
        assert region.score is None or 0 <= region.score <= 1
    with ThreadPoolExecutor(3) as pool:
        for again in pool.map(lambda _: change_detector.changes(before, scene, asked), range(3)):
            assert [as_data(region) for region in again] == [as_data(region) for region in found]


# ---- the other doors, and the doubles themselves


def test_the_other_doors_have_doubles(scene: Scene) -> None:
    changes = FakeChangeDetector(regions())
    assert isinstance(changes, ChangeDetector)
    assert [region.id for region in changes.changes(scene, scene, "planes")] == ["airplane-1", "airplane-2"]
    describer = FakeDescriber(lambda region: Description(region.id))
    assert isinstance(describer, Describer)
    assert describer.describe(scene, regions()[:1]) == (Description("airplane-1"),)
    chat = FakeChatModel(["one", "two"])
    assert isinstance(chat, ChatModel)
    assert [chat.complete([{"role": "user", "content": "?"}]) for _ in range(3)] == ["one", "two", "two"]
    assert chat.call_count == 3


def test_doubles_count_wait_and_fail_on_demand(scene: Scene) -> None:
    flaky = FakeGrounder(regions(), failure=RuntimeError("out of luck"), failures=2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of luck"):
            flaky.ground(scene, "planes")
    assert len(flaky.ground(scene, "planes")) == 2
    assert flaky.calls == [("scene.png", "planes")] * 3
    slow = FakeSegmenter(delay_s=0.05)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: slow.segment(scene, PROMPTS[:1]), range(3)))
    assert slow.call_count == 3
    assert slow.most_at_once >= 2
