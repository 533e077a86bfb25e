"""Drawn scenes: the same seed gives the same bytes, and the annotation is exactly what was drawn."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from surveyor.core.errors import UsageError
from surveyor.core.geometry import min_area_rect
from surveyor.synth import AREA_LABELS, KINDS, OBJECT_LABELS, SynthScene, draw_pair, draw_scene, raster
from surveyor.synth.__main__ import main
from surveyor.synth.draw import lay
from surveyor.synth.look import draw_look
from surveyor.synth.scene import SynthObject, derive_relations

NWPU = (
    "airplane",
    "ship",
    "storage tank",
    "baseball diamond",
    "tennis court",
    "basketball court",
    "ground track field",
    "harbor",
    "bridge",
    "vehicle",
)
ON_STRUCTURES = {"bridge", "harbor"}  # what may carry vehicles or touch ships


@pytest.fixture(scope="module")
def scenes() -> dict[str, SynthScene]:
    return {kind: draw_scene(kind, 5, (384, 320)) for kind in KINDS}


def box(id: str, label: str, x0: float, y0: float, x1: float, y1: float) -> SynthObject:
    return SynthObject(id, label, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float), None, 1.0)


# --- determinism ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_scene(kind: str, scenes: dict[str, SynthScene]) -> None:
    again = draw_scene(kind, 5, (384, 320))
    assert again.image_rgb.tobytes() == scenes[kind].image_rgb.tobytes()
    assert json.dumps(again.to_coco()) == json.dumps(scenes[kind].to_coco())


def test_other_seed_other_scene(scenes: dict[str, SynthScene]) -> None:
    assert draw_scene("river", 6, (384, 320)).image_rgb.tobytes() != scenes["river"].image_rgb.tobytes()


# --- the picture ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_picture_has_the_asked_size_and_contrast(kind: str, scenes: dict[str, SynthScene]) -> None:
    image = scenes[kind].image_rgb
    assert image.shape == (320, 384, 3)
    assert image.dtype == np.uint8
    assert 8 < image.std() < 90
    assert 35 < image.mean() < 220


def test_asked_gsd_is_kept_and_sizes_follow_it() -> None:
    fine, coarse = (draw_scene("tank farm", 2, gsd_m=g) for g in (0.5, 1.0))
    assert (fine.gsd_m, coarse.gsd_m) == (0.5, 1.0)
    car = {
        s.gsd_m: np.median([v.area_px for v in s.labelled("vehicle") if v.visible_fraction == 1])
        for s in (fine, coarse)
    }
    assert car[0.5] / car[1.0] == pytest.approx(4, rel=0.6)


# --- the annotation -------------------------------------------------------------------------------------------------
def test_first_ten_labels_are_those_of_nwpu_vhr10() -> None:
    assert OBJECT_LABELS[:10] == NWPU


@pytest.mark.parametrize("kind", KINDS)
def test_outlines_are_simple_and_inside_the_image(kind: str, scenes: dict[str, SynthScene]) -> None:
    scene = scenes[kind]
    assert scene.objects
    assert scene.areas
    for thing in (*scene.objects, *scene.areas):
        assert thing.label in (OBJECT_LABELS if thing in scene.objects else AREA_LABELS)
        assert thing.shape.is_valid, thing.id
        assert thing.polygon_px.min() >= 0
        assert (thing.polygon_px <= scene.size_wh).all()
        assert 0 < thing.visible_fraction <= 1
        touches_border = thing.polygon_px.min() == 0 or (thing.polygon_px.max(axis=0) == scene.size_wh).any()
        if thing.visible_fraction < 1 and thing in scene.objects:
            assert touches_border, thing.id


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_start_with_the_label(kind: str, scenes: dict[str, SynthScene]) -> None:
    things = (*scenes[kind].objects, *scenes[kind].areas)
    assert len({t.id for t in things}) == len(things)
    assert all(t.id.rsplit(" ", 1)[0] == t.label for t in things)


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_exact(kind: str, scenes: dict[str, SynthScene]) -> None:
    for thing in (*scenes[kind].objects, *scenes[kind].areas):
        np.testing.assert_array_equal(thing.corners_px, min_area_rect(thing.polygon_px))
        np.testing.assert_allclose(thing.box_px, thing.shape.bounds)
        _, (long, wide), _ = cv2.minAreaRect(thing.polygon_px.astype(np.float32))
        assert cv2.contourArea(thing.corners_px.astype(np.float32)) == pytest.approx(long * wide, rel=2e-3, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_do_not_overlap(kind: str, scenes: dict[str, SynthScene]) -> None:
    things = [o for o in scenes[kind].objects if o.label not in ON_STRUCTURES]
    tree = shapely.STRtree([t.shape for t in things])
    for i, thing in enumerate(things):
        for j in tree.query(thing.shape, predicate="intersects"):
            assert i == j or thing.shape.intersection(things[j].shape).area < 1e-6, (thing.id, things[j].id)


@pytest.mark.parametrize("label", sorted(ON_STRUCTURES))
def test_structures_do_not_overlap_each_other(label: str, scenes: dict[str, SynthScene]) -> None:
    for scene in scenes.values():
        for a, b in combinations(scene.labelled(label), 2):
            assert a.shape.intersection(b.shape).area < 1e-6


def test_every_nwpu_label_is_drawn_by_some_kind() -> None:
    drawn = {o.label for kind in KINDS for seed in range(4) for o in draw_scene(kind, seed).objects}
    assert set(NWPU) <= drawn


def test_colour_names_agree_with_the_pixels() -> None:
    """White vehicles are lighter than black ones on the same picture."""
    scene = draw_scene("airport", 3)
    light = {}
    for name in ("white", "black"):
        masks = [scene.mask(v) for v in scene.labelled("vehicle") if v.colour == name]
        light[name] = np.mean([scene.image_rgb[m].mean() for m in masks if m.any()])
    assert light["white"] > light["black"] + 40


def test_storage_tank_outline_is_a_circle() -> None:
    for tank in draw_scene("tank farm", 4).labelled("storage tank"):
        if tank.visible_fraction == 1:
            width, height = tank.box_px[2:] - tank.box_px[:2]
            assert width == pytest.approx(height, rel=0.01)
            assert tank.area_px == pytest.approx(math.pi / 4 * width * height, rel=0.01)


# --- masks ----------------------------------------------------------------------------------------------------------
def test_raster_by_hand() -> None:
    """A 3 x 2 box from (1, 1): pixels whose centres lie in [1, 4) x [1, 3), so columns 1-3 and rows 1-2."""
    mask = raster(np.array([(1, 1), (4, 1), (4, 3), (1, 3)], float), (5, 6))
    assert np.argwhere(mask).tolist() == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]


def test_raster_shares_no_pixel_across_an_edge_on_pixel_centres() -> None:
    left, right = ([(x, 0), (x + 2, 0), (x + 2, 4), (x, 4)] for x in (0.5, 2.5))
    a, b = (raster(np.array(p, float), (4, 6)) for p in (left, right))
    assert not (a & b).any()
    assert (a | b).sum() == 16


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 25)), min_size=3, max_size=9))
def test_raster_is_the_centre_in_polygon_rule(points: list[tuple[float, float]]) -> None:
    hull = shapely.MultiPoint(points).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 0.1:
        return
    mask = raster(np.array(hull.exterior.coords[:-1]), (20, 20))
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(20) + 0.5)
    sure_in = shapely.contains_xy(hull.buffer(-1e-9), x, y)
    sure_out = ~shapely.contains_xy(hull.buffer(1e-9), x, y)
    assert mask[sure_in].all()
    assert not mask[sure_out].any()


@pytest.mark.parametrize("kind", KINDS)
def test_mask_area_agrees_with_the_outline(kind: str, scenes: dict[str, SynthScene]) -> None:
    scene = scenes[kind]
    for thing in (*scene.objects, *scene.areas):
        mask = scene.mask(thing)
        assert abs(int(mask.sum()) - thing.area_px) <= 0.5 * thing.shape.length + 1, thing.id
        if mask.any():
            rows, cols = np.nonzero(mask)
            assert cols.min() + 0.5 >= thing.box_px[0]
            assert rows.max() + 0.5 <= thing.box_px[3]


# --- relations ------------------------------------------------------------------------------------------------------
def test_relations_by_hand() -> None:
    """A river down the middle, a plane east of it, a car on the road west of it."""
    river, road = box("river 1", "river", 40, 0, 60, 100), box("road 1", "road", 0, 40, 30, 50)
    plane, car = box("airplane 1", "airplane", 80, 20, 90, 30), box("vehicle 1", "vehicle", 10, 42, 14, 44)
    facts = {str(r) for r in derive_relations((plane, car), (river, road))}
    assert facts == {
        "airplane 1 is on the east side of river 1",
        "vehicle 1 is on the west side of river 1",
        "vehicle 1 is on road 1",
        "airplane 1 is nearest to vehicle 1",
        "vehicle 1 is nearest to airplane 1",
    }
    (gap,) = {round(r.value_px, 6) for r in derive_relations((plane, car), ()) if r.value_px is not None}
    assert gap == pytest.approx(math.hypot(80 - 14, 42 - 30), abs=1e-6)


def test_relations_of_a_scene_never_contradict(scenes: dict[str, SynthScene]) -> None:
    for scene in scenes.values():
        facts = {(r.subject, r.predicate, r.target) for r in scene.relations}
        for subject, predicate, target in facts:
            for a, b in (("east", "west"), ("north", "south")):
                if predicate == f"on the {a} side of":
                    assert (subject, f"on the {b} side of", target) not in facts
                    assert (subject, "on", target) not in facts


def test_bridge_lies_over_the_river_and_carries_its_traffic() -> None:
    scene = draw_scene("river", 2)
    for bridge in scene.labelled("bridge"):
        assert any(bridge.shape.intersects(r.shape) for r in scene.labelled("river"))
    assert any(r.predicate == "on" and r.target.startswith("bridge") for r in scene.relations)


def test_ships_float() -> None:
    scene = draw_scene("harbour", 3)
    assert scene.labelled("ship")
    dry = shapely.union_all([q.shape for q in scene.labelled("road")])
    assert all(not s.shape.intersects(dry) for s in scene.labelled("ship"))


def test_get_finds_by_id_or_says_what_ids_look_like(scenes: dict[str, SynthScene]) -> None:
    scene = scenes["river"]
    assert scene.get("river 1").label == "river"
    with pytest.raises(UsageError, match="'nothing 9'"):
        scene.get("nothing 9")


# --- pairs ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_change_is_the_difference_of_the_object_sets(kind: str) -> None:
    pair = draw_pair(kind, 11, (320, 320))
    before, after = ({t.id: t for t in (*s.objects, *s.areas)} for s in (pair.before, pair.after))
    assert {c.thing.id for c in pair.change.regions if c.type == "appeared"} == after.keys() - before.keys()
    assert {c.thing.id for c in pair.change.regions if c.type == "disappeared"} == before.keys() - after.keys()
    for type, there in (("appeared", after), ("disappeared", before)):
        expected = np.zeros((320, 320), bool)
        for change in pair.change.regions:
            if change.type == type:
                expected |= pair.after.mask(there[change.thing.id])
        np.testing.assert_array_equal(pair.change.mask(type), expected)
    for id in before.keys() & after.keys():
        np.testing.assert_array_equal(before[id].polygon_px, after[id].polygon_px)


def test_unchanged_pair_differs_only_in_light() -> None:
    pair = draw_pair("housing", 4, (256, 256), changes=0)
    assert not pair.change.regions
    assert not pair.change.mask().any()
    assert [o.id for o in pair.before.objects] == [o.id for o in pair.after.objects]
    assert pair.before.image_rgb.tobytes() != pair.after.image_rgb.tobytes()


@pytest.mark.parametrize(
    ("kind", "label"), [("tank farm", "storage tank"), ("airport", "airplane"), ("harbour", "ship")]
)
def test_hiding_a_thing_changes_its_pixels_and_none_far_from_it(kind: str, label: str) -> None:
    """With one look, the two pictures differ on the thing, its shadow and wake, and (JPEG blocks) 16 px around them."""
    site, light = lay(kind, 3, (512, 512), None)
    look = draw_look(light)
    item = next(i for i in site.items if i.label == label and i.parts[0].visible_fraction == 1)
    full, without = site.draw(look), site.draw(look, {item.id})
    differs = (full != without).any(axis=2)
    mask = raster(item.parts[0].polygon_px, (512, 512))
    assert differs[mask].mean() > 0.7
    reach = np.sqrt(item.parts[0].area_px) * 9 + 60
    rows, cols = np.nonzero(differs)
    middle = item.parts[0].polygon_px.mean(axis=0)
    assert np.hypot(cols - middle[0], rows - middle[1]).max() < reach


def test_change_mask_by_label_is_a_part_of_the_whole() -> None:
    pair = draw_pair("harbour", 6)
    whole = pair.change.mask()
    parts = [pair.change.mask(label=label) for label in {c.label for c in pair.change.regions}]
    np.testing.assert_array_equal(np.logical_or.reduce(parts), whole)


# --- files and bad input --------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)  # pycocotools on numpy 2
def test_coco_masks_agree_with_ours(scenes: dict[str, SynthScene]) -> None:
    scene = scenes["harbour"]
    record = scene.to_coco("x.png")
    names = {c["id"]: c["name"] for c in record["categories"]}
    assert record["images"][0]["gsd_m"] == scene.gsd_m
    for note, thing in zip(record["annotations"], (*scene.objects, *scene.areas), strict=True):
        assert names[note["category_id"]] == thing.label
        assert note["name"] == thing.id
        rle = coco_mask.merge(coco_mask.frPyObjects(note["segmentation"], 320, 384))
        theirs, ours = coco_mask.decode(rle).astype(bool), scene.mask(thing)
        assert (
            theirs ^ ours
        ).sum() <= 1.2 * thing.shape.length + 4  # COCO's rasteriser rounds outlines to its own grid


def test_module_writes_scene_and_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["--kind", "river", "--seed", "3", "--size", "128", "96", "--out", str(out)]) == 0
    assert cv2.imread(str(out / "scene.png")).shape == (96, 128, 3)
    record = json.loads((out / "scene.json").read_text())
    assert record["images"][0]["file_name"] == "scene.png"
    assert main(["--kind", "housing", "--size", "128", "128", "--pair", "--out", str(out)]) == 0
    assert {p.name for p in out.iterdir()} >= {"before.png", "after.json", "change.png", "change.json"}
    assert capsys.readouterr().err == ""


def test_written_picture_is_the_drawn_one(tmp_path: Path) -> None:
    main(["--kind", "sports", "--seed", "2", "--size", "128", "128", "--out", str(tmp_path)])
    read = cv2.imread(str(tmp_path / "scene.png"))[..., ::-1]
    np.testing.assert_array_equal(read, draw_scene("sports", 2, (128, 128)).image_rgb)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "moon"}, "'moon'"),
        ({"seed": -1}, "-1"),
        ({"seed": 1.5}, "1.5"),
        ({"size_wh": (10, 512)}, "10"),
        ({"size_wh": (512, 10**6)}, "1000000"),
        ({"gsd_m": 0.0}, "0.0"),
        ({"gsd_m": float("nan")}, "nan"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        draw_scene(**({"kind": "river", "seed": 0} | arguments))


def test_bad_command_line_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kind", "moon", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "file").write_text("")
    assert main(["--kind", "river", "--out", str(tmp_path / "file")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size_wh", "gsd_m"), [((64, 64), None), ((700, 90), None), ((96, 96), 0.05), ((96, 96), 5.0)])
def test_odd_sizes_draw(kind: str, size_wh: tuple[int, int], gsd_m: float | None) -> None:
    scene = draw_scene(kind, 1, size_wh, gsd_m)
    assert scene.size_wh == size_wh


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_any_seed_gives_a_sound_scene(kind: str, seed: int) -> None:
    scene = draw_scene(kind, seed, (256, 256))
    for thing in (*scene.objects, *scene.areas):
        assert thing.shape.is_valid, thing.id
        assert thing.polygon_px.min() >= 0
        assert thing.polygon_px.max() <= 256
