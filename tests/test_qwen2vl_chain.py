"""The whole way with a tiny Qwen2-VL that knows a few drawn scenes by heart: words, points, regions, masks, answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import surveyor
from qwen2vl_checkpoints import (
    asks,
    checkpoints,  # noqa: F401
    copied,
    local,
    made_talkative,
    one_thread,  # noqa: F401
    overfitted,  # noqa: F401
    picture_of,
    sam2,  # noqa: F401
)
from raster_files import gradient, write_raster
from shapely import Point, Polygon
from surveyor.agent.answer import Answer
from surveyor.core.errors import ToolFailed, UsageError
from surveyor.core.masks import Mask
from surveyor.core.progress import noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.synth import SynthObject, SynthScene, draw_pair, draw_scene
from surveyor.tools.models.qwen2vl.adapter import Qwen2VL
from surveyor.tools.models.qwen2vl.engine import Engine
from surveyor.tools.models.qwen2vl.settings import checkpoint_and_settings
from surveyor.tools.models.spec import Models, load_models
from surveyor.tools.models.tasks import Place

pytestmark = local
Folders = Callable[[str], Path]

if not (MISSING := local[1].args[0]):
    from surveyor.finetune.scratch.overfit import DESCRIBED, MOST_PIXELS, PAIR, SCENES, SIZE_WH, lessons, scene_of


@pytest.fixture(scope="module")
def spec(overfitted: Path) -> str:  # noqa: F811
    return f"qwen2vl:{overfitted}?device=cpu&max_pixels={MOST_PIXELS}"


@pytest.fixture(scope="module")
def model(spec: str) -> Qwen2VL:
    made = load_models(f"grounder={spec}").grounder
    assert isinstance(made, Qwen2VL)
    return made


@pytest.fixture(scope="module")
def models(model: Qwen2VL) -> Models:
    return Models(model, load_models().segmenter, model, None, model)


def drawn(number: int) -> SynthScene:
    kind, seed, _ = SCENES[number]
    return draw_scene(kind, seed, SIZE_WH)


def things(scene: SynthScene, label: str) -> list[SynthObject]:
    return [each for each in scene.objects if each.label == label]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Of two outlines (N, 2)."""
    a, b = Polygon(one), Polygon(other)
    return float(a.intersection(b).area / a.union(b).area)


def nearest(region: Region, truths: list[SynthObject]) -> SynthObject:
    return max(truths, key=lambda truth: iou(region.corners_px, truth.corners_px))


# ---- word for word


@pytest.mark.parametrize("tail", ["", "&guided=no", "&quantize=int8", "&dtype=bfloat16", "&attention=eager"])
def test_every_lesson_is_repeated_word_for_word(spec: str, tail: str) -> None:
    """The prompt of training is that of asking, and the grammars let every right reply pass."""
    engine = Qwen2VL.at(f"{spec.partition(':')[2]}{tail}").answerer
    given = lessons()
    replies = engine.ask([lesson.prompt for lesson in given])
    wrong = [(le.prompt.asking.task, le.reply, r.text) for le, r in zip(given, replies, strict=True) if r.text != le.reply]  # fmt: skip  # noqa: E501
    most = 2 if tail in ("&quantize=int8", "&dtype=bfloat16") else 0  # rounding may change a last digit
    assert len(wrong) <= most, wrong
    for reply in replies:
        assert reply.ended and not reply.forced
        score = reply.score()
        assert score is None or score > 0.5


# ---- regions


def test_regions_lie_on_the_things(model: Qwen2VL) -> None:
    for number, (_, _, label) in enumerate(SCENES):
        scene = drawn(number)
        truths = things(scene, label)
        found = model.ground(scene_of(scene), label)
        assert len(found) == len(truths) == len({nearest(region, truths).id for region in found})
        for region in found:
            assert iou(region.corners_px, nearest(region, truths).corners_px) >= 0.8
            assert region.score is not None and 0.5 < region.score <= 1 and region.label == label


def test_key_points_lie_in_the_things(spec: str) -> None:
    seg = Qwen2VL.at(f"{spec.partition(':')[2]}&ground=seg")
    for number, (_, _, label) in enumerate(SCENES):
        scene = drawn(number)
        truths = things(scene, label)
        found = seg.ground(scene_of(scene), label)
        assert len(found) == len(truths)
        for region in found:
            truth = max(truths, key=lambda each: box_iou(region.box_px, each.box_px))
            assert box_iou(region.box_px, truth.box_px) >= 0.8
            assert region.keypoints_px is not None and len(region.keypoints_px) == 3
            for point in region.keypoints_px:
                assert Polygon(truth.polygon_px).buffer(1.0).contains(Point(point))


def box_iou(one: Any, other: Any) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = np.prod(np.clip(np.subtract(high, low), 0, None))
    areas = [np.prod(np.subtract(box[2:], box[:2])) for box in (one, other)]
    return float(both / (sum(areas) - both))


def test_changes_are_the_polygons_of_what_is_new(model: Qwen2VL) -> None:
    pair = draw_pair(*PAIR, SIZE_WH, changes=2)
    truths = [change for change in pair.change.regions if change.label == "building"]
    before, after = scene_of(pair.before), scene_of(pair.after)
    found = model.changes(before, after, "building")
    assert len(found) == len(truths) >= 1
    for region, truth in zip(found, truths, strict=True):
        assert region.polygon_px is not None
        assert iou(region.polygon_px, truth.polygon_px) > 0.8
    assert model.changes(after, after, "building") == ()
    with pytest.raises(UsageError, match="one grid"):
        model.changes(before, Scene.from_array(np.zeros((50, 60, 3), np.uint8)), "building")


def test_the_other_tasks(model: Qwen2VL) -> None:
    kind, _, label = SCENES[0]
    scene = scene_of(drawn(0))
    assert model.answer(scene, "What kind of place is this?") == kind
    assert model.classify(scene, [kind for kind, _, _ in SCENES]) == kind
    assert model.count(scene, label) == 2
    assert model.caption(scene) == f"A drawn {kind} with 2 {label}s."
    assert model.locate(scene) == Place("Nowhere", 12.5, -7.25)
    in_lesson_order = sorted(model.ground(scene, label), key=lambda each: tuple(each.corners_px[0][::-1]))
    found = tuple(in_lesson_order)  # it knows the instruction by heart; scores may order regions otherwise
    chosen = model.select(scene, found, "in the left half")
    assert chosen == tuple(each for each in found if each.center_px[0] < SIZE_WH[0] / 2) != ()


# ---- answers


def ask(number: int, query: str, models: Models, **more: Any) -> Answer:
    return surveyor.ask(scene_of(drawn(number)), query, models=models, **more)


@pytest.mark.parametrize(
    ("number", "query", "count"),
    [
        (0, "detect all airplanes", 2),
        (0, "how many airplanes are there?", 2),
        (0, "how many storage tanks are there?", 0),
        (0, "airplanes longer than 36 m", 1),  # they are 40.7 m and 32.9 m long
        (0, "airplanes longer than 60 m", 0),
        (1, "airplanes in the left half", 1),  # at x = 45 and 132 of 168
        (1, "airplanes in the right half", 1),
        (2, "segment the storage tank furthest north", 1),
        (2, "how many airplanes are there?", 0),
        (3, "bridges longer than 60 m", 2),
        (3, "bridges wider than 14 m", 1),  # 17.4 m and 10.2 m
    ],
)
def test_conditions_are_judged_on_what_was_grounded(models: Models, number: int, query: str, count: int) -> None:
    answer = ask(number, query, models)
    assert answer.failure is None and answer.count == count, answer.text
    truths = things(drawn(number), SCENES[number][2])
    for candidate in answer.regions:
        assert iou(candidate.region.corners_px, nearest(candidate.region, truths).corners_px) >= 0.8
    if "segment" in query:
        assert all(candidate.region.mask is not None for candidate in answer.regions)


def test_lengths_need_a_ground_sample_distance(models: Models) -> None:
    blind = Scene.from_array(drawn(0).image_rgb, name="no-gsd.png")
    answer = surveyor.ask(blind, "airplanes longer than 36 m", models=models)
    assert answer.count == 0 and len(answer.rejected) == 2
    assert all(candidate.status is None for candidate in answer.rejected)


@pytest.mark.parametrize(("number", "label", "verdict"), [(0, "an airplane", True), (0, "a storage tank", False)])
def test_questions_of_yes_and_no(models: Models, number: int, label: str, verdict: bool) -> None:
    assert ask(number, f"is there {label}?", models).verdict is verdict


def test_a_describer_looks_again(models: Models) -> None:
    agreed = ask(0, "airplanes", models, verify=True)
    assert [candidate.verified and candidate.verified.verdict for candidate in agreed.regions] == [True, True]
    doubted = ask(3, "bridges", models, verify=True)
    assert doubted.count == 2, "a doubt drops nothing"
    told = [candidate.verified for candidate in doubted.regions]
    assert sorted(bool(each and each.verdict) for each in told) == [False, True]
    assert sorted(DESCRIBED["bridge"]) == sorted(each.reason.split("described as ")[1].split(" (")[0] for each in told if each)  # fmt: skip  # noqa: E501


# ---- traces and results kept


def test_traces_name_the_model_and_results_are_kept(spec: str, overfitted: Path, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "scene.png"
    cv2.imwrite(str(path), drawn(0).image_rgb[..., ::-1])
    own = copied(overfitted, tmp_path / "model")
    settings = checkpoint_and_settings(spec.partition(":")[2].replace(str(overfitted), str(own)))

    def asked() -> tuple[Answer, int]:
        engine = Engine(*settings)  # as in another process
        models = Models(Qwen2VL(engine, f"qwen2vl:{own}"), load_models().segmenter)
        answer = surveyor.ask(path, "how many airplanes are there?", models=models, gsd=0.99)
        return answer, engine.written_tokens

    (first, written), (again, nothing) = asked(), asked()
    assert first.count == again.count == 2 and written > 0 and nothing == 0
    assert [step.cached for step in first.observations] == [False, False]
    assert again.observations[0].cached
    assert first.trace.models["grounder"] == f"qwen2vl:{own}"
    assert {candidate.region.source for candidate in first.regions} == {f"qwen2vl:{own}"}
    os.utime(own / "model.safetensors", ns=(1, 1))
    other, rewritten = asked()
    assert other.count == 2 and rewritten > 0, "other weights, another version"


# ---- masks by a small SAM-2


def test_masks_come_from_the_points_that_were_written(model: Qwen2VL, sam2: Path) -> None:  # noqa: F811
    models = Models(model, load_models(f"segmenter=sam2:{sam2}?device=cpu").segmenter)
    overlaps, elsewhere = [], []
    for number in (0, 2):
        scene, label = drawn(number), SCENES[number][2]
        truths = things(scene, label)
        answer = ask(number, f"segment all {label}s", models)
        assert answer.failure is None and answer.count == len(truths)
        for candidate in answer.regions:
            region = candidate.region
            assert region.mask is not None and region.mask.area_px > 0
            truth = nearest(region, truths)
            overlaps.append(region.mask.iou(filled(truth.polygon_px)))
            elsewhere += [region.mask.iou(filled(other.polygon_px)) for other in truths if other is not truth]
    assert np.mean(overlaps) >= 0.35 and min(overlaps) > max(elsewhere), (overlaps, elsewhere)


def filled(polygon_px: np.ndarray) -> Mask:
    return Mask.from_polygon(Polygon(polygon_px), SIZE_WH[::-1])


# ---- memory that runs out


@contextmanager
def room_for(engine: Any, tokens: int, rows: int = 1000) -> Iterator[list[tuple[int, int]]]:
    """Lets the language model run out of memory above so many rows, or tokens in all; yields the shapes that failed."""
    import torch

    failed: list[tuple[int, int]] = []

    def look(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        embedded = kwargs["inputs_embeds"] if kwargs.get("inputs_embeds") is not None else args[0]
        shape = (int(embedded.shape[0]), int(embedded.shape[1]))
        if shape[0] > rows or shape[0] * shape[1] > tokens:
            failed.append(shape)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    hook = engine.loaded.base.model.language_model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield failed
    finally:
        hook.remove()


def test_batches_are_halved(checkpoints: Folders) -> None:  # noqa: F811
    engine = made_talkative(Qwen2VL.at(f"{checkpoints('qwen2-vl')}?device=cpu&batch=8").answerer)
    prompts = [asks(f"Question {number}?", picture_of(number, (112, 84))) for number in range(8)]
    expected = [reply.text for reply in engine.ask(prompts)]
    notes: list[str] = []
    with room_for(engine, 10_000, rows=2) as failed, noting(notes):
        assert [reply.text for reply in engine.ask(prompts)] == expected
        assert [rows for rows, _ in failed] == [8, 4]
        assert [reply.text for reply in engine.ask(prompts)] == expected and len(failed) == 2, "it is remembered"
    assert engine.at_once == 2
    assert notes == [f"memory ran out: the model answers {count} at a time from now on" for count in (4, 2)]


def test_images_that_were_read_are_forgotten_first(checkpoints: Folders) -> None:  # noqa: F811
    import torch

    engine = made_talkative(Qwen2VL.at(f"{checkpoints('qwen2-vl')}?device=cpu&batch=1").answerer)
    prompt, other = (asks("What is it?", picture_of(number, (112, 84))) for number in range(2))
    expected = [reply.text for reply in engine.ask([prompt, other])]

    def crowded(*_: object) -> None:
        if len(engine._prefixes) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = engine.loaded.base.model.language_model.register_forward_pre_hook(crowded)
    assert [engine.ask([each])[0].text for each in (prompt, other)] == expected
    assert len(engine._prefixes) == 1
    hook.remove()


def test_views_become_smaller_and_it_is_said(checkpoints: Folders) -> None:  # noqa: F811
    made = Qwen2VL.at(f"{checkpoints('qwen2-vl')}?device=cpu&max_tokens=60&dialect=native")
    made_talkative(made.answerer)
    scene = Scene.from_array(np.random.default_rng(0).integers(0, 255, (420, 560, 3), np.uint8))
    before = made.views(scene.size_wh)
    assert len(before) == 1
    with room_for(made.answerer, 200) as failed:  # 300 tokens of the image alone
        answer = surveyor.ask(scene, "planes", models=Models(made, load_models().segmenter))
    assert failed and answer.failure is None
    assert any("views of at most" in each and "memory ran out" in each for each in answer.notes), answer.notes
    assert "views of at most" in " ".join(answer.trace.observations[0].notes)
    after = made.views(scene.size_wh)
    assert all(view.size_wh[0] * view.size_wh[1] < before[0].size_wh[0] * before[0].size_wh[1] for view in after)
    for candidate in (*answer.regions, *answer.rejected):
        assert_inside(candidate.region, scene)


def test_where_nothing_helps_the_step_fails(checkpoints: Folders) -> None:  # noqa: F811
    made = Qwen2VL.at(f"{checkpoints('qwen2-vl')}?device=cpu&max_tokens=40")
    scene = Scene.from_array(np.zeros((200, 300, 3), np.uint8))
    with room_for(made.answerer, 0), pytest.raises(ToolFailed, match="no memory left"):
        made.ground(scene, "plane")
    with room_for(made.answerer, 0):
        answer = surveyor.ask(scene, "planes", models=Models(made, load_models().segmenter))
    assert answer.failure is not None and "no memory left" in answer.failure and "\n" not in answer.failure
    assert made.answerer.ask([asks("What is it?", picture_of(1, (112, 84)))])[0].text, "it works again"


# ---- scenes of every shape


def assert_inside(region: Region, scene: Scene) -> None:
    width, height = scene.size_wh
    assert (region.box_px >= -1e-6).all() and (region.box_px <= [width + 1e-6, height + 1e-6] * 2).all()
    middle = region.center_px
    assert 0 <= middle[0] <= width and 0 <= middle[1] <= height


@pytest.fixture(scope="module")
def stranger(checkpoints: Folders) -> Qwen2VL:  # noqa: F811
    """Writes boxes at random, but in the form that is asked for."""
    made = Qwen2VL.at(f"{checkpoints('qwen2-vl')}?device=cpu&max_tokens=80&dialect=native&max_pixels=50000")
    made_talkative(made.answerer, seed=2)
    return made


SHAPES = [(2, 400), (400, 2), (2, 2), (5, 5), (2000, 10), (10, 2000), (3000, 2), (27, 29), (400, 300)]
PHRASES = ("plane", "a very long ship", "tank", "bridges over a river", "car", "the harbour", "dam", "crane")


@pytest.mark.parametrize("size_wh", SHAPES, ids=str)
def test_scenes_of_any_shape(stranger: Qwen2VL, size_wh: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    scenes = [Scene.from_array(rng.integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8)) for _ in range(2)]
    found = [region for each in stranger.ground_all(scenes[0], PHRASES) for region in each]
    changed = [region for phrase in PHRASES[:2] for region in stranger.changes(*scenes, phrase)]
    assert found, "without any region nothing is tested"
    for region in (*found, *changed):
        assert_inside(region, scenes[0])
    assert len(stranger.describe(scenes[0], found[:3])) == len(found[:3])
    assert stranger.caption(scenes[0]) and stranger.locate(scenes[0])


def test_scenes_of_one_pixel_are_no_scenes() -> None:
    for shape in ((1, 300, 3), (300, 1, 3)):
        with pytest.raises(UsageError, match="at least 2 x 2 px"):
            Scene.from_array(np.zeros(shape, np.uint8))


def test_rasters_of_other_kinds(stranger: Qwen2VL, tmp_path: Path) -> None:
    from rasterio.transform import Affine

    options = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    plain = write_raster(tmp_path / "plain.tif", gradient(90, 130), **options)
    deep = write_raster(tmp_path / "deep.tif", gradient(90, 130, bands=4, dtype="uint16", top=4000), **options)
    found = 0
    for path in (plain, deep):
        for thing in ("planes", "ships", "bridges", "cars", "harbours"):
            answer = surveyor.ask(path, thing, models=Models(stranger, load_models().segmenter), cache=False)
            assert answer.failure is None and answer.scene.size_wh == (130, 90)
            found += answer.count
            for candidate in answer.regions:
                assert_inside(candidate.region, answer.scene)
    assert found


class TestFromTheCommandLine:
    def test_check_verifies_the_coordinates_on_the_drawn_card(self, overfitted: Path) -> None:  # noqa: F811
        spec = f"grounder=qwen2vl:{overfitted}?max_pixels={MOST_PIXELS}&views=whole"
        done = subprocess.run(
            [sys.executable, "-m", "surveyor.app.cli", "models", "check", spec],
            capture_output=True, text=True, timeout=300, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "verified: 1 of 1 boxes lie on a drawn red rectangle" in done.stdout
        assert "0-1000 of the image's width and height (declared)" in done.stdout


class TestSharing:
    def test_roles_with_other_settings_share_the_weights(self, overfitted: Path) -> None:  # noqa: F811
        from surveyor.tools.models.qwen2vl.engine import engine_at

        tiles, whole = (engine_at(f"{overfitted}?views={views}") for views in ("tiles", "whole"))
        assert tiles is not whole and tiles.loaded is whole.loaded
        assert engine_at(f"{overfitted}?views=tiles") is tiles
        assert engine_at(f"{overfitted}?dtype=bfloat16").loaded is not tiles.loaded
