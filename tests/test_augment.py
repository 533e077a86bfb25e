"""Records over changed pictures: what they say afterwards is what the condition executor finds there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan
from surveyor.agent.run import run
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.core.geometry import min_area_rect
from surveyor.core.masks import Mask
from surveyor.core.scene import Scene
from surveyor.finetune.augment.augment import Ways, augmented
from surveyor.finetune.augment.images import (
    is_class,
    recoloured_record,
    tiles_of,
    tilted_record,
    turned_record,
)
from surveyor.finetune.augment.marks import LeftOut
from surveyor.finetune.augment.paste import Donors, pasted
from surveyor.finetune.augment.pictures import Pictures
from surveyor.finetune.augment.turning import NAMES, Turn
from surveyor.finetune.records.files import Provenance, read_meta, read_records, write_records
from surveyor.finetune.records.points import as_xy, clockwise
from surveyor.finetune.records.record import Instruction, Marked, Picture, check_reads_back, with_messages
from surveyor.synth import draw_scene
from surveyor.tools.models.spec import load_models

OBB = Marked(kind="obb", points=((20, 10), (60, 10), (60, 30), (20, 30)), label="plane")
SLANTED = Marked(kind="obb", points=((50, 40), (70, 60), (60, 70), (40, 50)), label="plane")


def masked(size_wh: tuple[int, int], ring: np.ndarray, **more: Any) -> Marked:
    """A box with a key point and the pixels of a ring."""
    mask = Mask.from_polygon(ring, size_wh[::-1])
    box = mask.box_px
    assert box is not None
    point = (float(box[::2].mean() // 1 + 0.5), float(box[1::2].mean() // 1 + 0.5))
    return Marked(kind="box", points=as_xy(box.reshape(2, 2)), keypoints=(point,), rle=mask.to_rle(), **more)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Pictures of three images in a folder."""
    rng = np.random.default_rng(0)
    for name, size in (("a", (200, 100)), ("b", (200, 100)), ("c", (300, 260))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    return Pictures(tmp_path, tmp_path / "out.jsonl")


def record(task: str = "det", **parts: Any) -> Instruction:
    base: dict[str, Any] = {"id": "1", "task": task, "family": "f", "split": "train", "phrase": "plane"}
    base |= {"pictures": (Picture(path="a.png", size_wh=(200, 100)),)}
    base |= {"regions": (OBB, SLANTED)} if task == "det" else {}
    return with_messages(Instruction(**(base | parts)))


# ---- turned: held against the condition executor

ASKED = {
    ("airport", 2): (
        "planes left of the terminal", "the second plane from the left", "planes in the top half",
        "planes on the north side of the runway", "planes longer than 30 m", "the leftmost plane",
        "planes above and to the left of the terminal",
    ),
    ("harbour", 3): ("the largest ship on the left", "ships in the bottom right quadrant", "the topmost ship"),
    ("river", 1): (
        "houses on the east bank of the river", "trees further up than the river", "vertical buildings",
        "buildings north-west of the river", "buildings in the top left corner",
    ),
    ("tank farm", 4): ("tanks above and to the left of the largest tank", "tanks below the largest tank"),
}  # fmt: skip


def answered(folder: Path, coco: dict[str, Any], size_wh: tuple[int, int], gsd_m: float, query: str) -> list[Any]:
    """The regions that the executor keeps, found by the oracle."""
    path = folder / "scene.json"
    path.write_text(json.dumps(coco), encoding="utf-8")
    scene = Scene.from_array(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), gsd_m=gsd_m, name="scene")
    answer = run(make_plan(parse(query)), scene, models=load_models(f"grounder=oracle:{path}"))
    return sorted((each.region for each in answer.regions), key=lambda region: region.id)


def turned_coco(coco: dict[str, Any], turn: Turn, size_wh: tuple[int, int]) -> dict[str, Any]:
    found = []
    for each in coco["annotations"]:
        ring = turn.points(np.array(each["segmentation"][0]).reshape(-1, 2), size_wh)
        (x0, y0), (x1, y1) = ring.min(axis=0).tolist(), ring.max(axis=0).tolist()
        found.append(each | {"segmentation": [ring.ravel().tolist()], "bbox": [x0, y0, x1 - x0, y1 - y0]})
    width, height = turn.size(size_wh)
    images = [each | {"width": width, "height": height} for each in coco["images"]]
    return coco | {"annotations": found, "images": images}


@pytest.mark.parametrize(
    ("kind", "seed", "query"), [(*scene, query) for scene, found in ASKED.items() for query in found]
)
def test_a_turned_record_says_what_the_executor_finds(tmp_path: Path, kind: str, seed: int, query: str) -> None:
    drawn = draw_scene(kind, seed)
    coco, size, gsd = drawn.to_coco("scene.png"), drawn.size_wh, drawn.gsd_m
    here = answered(tmp_path, coco, size, gsd, query)
    cv2.imwrite(str(tmp_path / "scene.png"), np.zeros((size[1], size[0], 3), np.uint8))
    pictures = Pictures(tmp_path, tmp_path / "out.jsonl")
    regions = tuple(Marked(kind="obb", points=as_xy(each.corners_px)) for each in here)
    one = record("rec", phrase=query, regions=regions, pictures=(Picture(path="scene.png", size_wh=size),))
    for name in NAMES:
        turn = Turn(name)
        made = turned_record(one, turn, pictures)
        there = answered(tmp_path, turned_coco(coco, turn, size), turn.size(size), gsd, made.phrase)
        assert [each.id for each in there] == [each.id for each in here], (query, made.phrase)
        told = [shapely.Polygon(each.points) for each in made.regions]
        found = [shapely.Polygon(min_area_rect(each.corners_px)) for each in there]
        assert len(told) == len(found)
        for shape in found:
            assert max(shape.intersection(each).area / shape.union(each).area for each in told) > 0.98
        check_reads_back([made])


def test_the_queries_find_something(tmp_path: Path) -> None:
    found = []
    for scene, queries in ASKED.items():
        drawn = draw_scene(*scene)
        found += [
            answered(tmp_path, drawn.to_coco("scene.png"), drawn.size_wh, drawn.gsd_m, query) for query in queries
        ]
    assert sum(bool(each) for each in found) > 0.7 * len(found)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_masks_points_and_words_turn_together(pictures: Pictures, name: Any) -> None:
    ring = np.array([[20, 10], [70, 20], [50, 60], [30, 50]], dtype=float)
    region = masked((200, 100), ring)
    one = record("res", phrase="plane in the top left corner", regions=(region,))
    turn, before = Turn(name), pictures.read(one.pictures[0])
    made = turned_record(one, turn, pictures)
    after = pictures.read(made.pictures[0])
    assert made.pictures[0].size_wh == turn.size((200, 100)) and made.made[-1] == f"turn {name}"
    assert region.rle is not None and made.regions[0].rle is not None
    old, new = Mask.from_rle(region.rle).to_array(), Mask.from_rle(made.regions[0].rle).to_array()
    assert sorted(before[old].tolist()) == sorted(after[new].tolist())  # the same pixels are masked
    (x, y), (u, v) = region.keypoints[0], made.regions[0].keypoints[0]
    assert (before[int(y), int(x)] == after[int(v), int(u)]).all()
    box = np.array(made.regions[0].points)
    assert Mask.from_rle(made.regions[0].rle).box_px.tolist() == box.ravel().tolist()  # type: ignore[union-attr]
    assert made.phrase == {
        "left-right": "plane in the top right corner", "up-down": "plane in the bottom left corner",
        "quarter": "plane in the top right corner", "half": "plane in the bottom right corner",
        "three-quarters": "plane in the bottom left corner", "transpose": "plane in the top left corner",
        "anti-transpose": "plane in the bottom right corner",
    }[name]  # fmt: skip


def test_a_turn_there_and_back_is_the_record(pictures: Pictures) -> None:
    hole = ((30.0, 30.0), (40.0, 30.0), (40.0, 40.0))
    ring = Marked(kind="polygon", points=as_xy(clockwise(np.array([[10, 10], [90, 20], [60, 80.5]]))), holes=(hole,))
    pair = (Picture(path="a.png", size_wh=(200, 100)), Picture(path="b.png", size_wh=(200, 100)))
    one = record("rcd", phrase="building on the left", regions=(ring,), pictures=pair)
    there = turned_record(one, Turn("quarter"), pictures)
    assert there.phrase == "building on the top" and len({each.path for each in there.pictures}) == 2
    back = turned_record(there, Turn("three-quarters"), pictures)
    assert back.regions == one.regions and back.phrase == one.phrase and back.pictures[0].size_wh == (200, 100)
    assert (pictures.read(back.pictures[0]) == pictures.read(one.pictures[0])).all()


def test_regions_stay_in_the_order_of_reading(pictures: Pictures) -> None:
    low = Marked(kind="obb", points=((120, 80), (140, 80), (140, 90), (120, 90)))
    made = turned_record(record(regions=(OBB, low)), Turn("up-down"), pictures)
    assert [each.points[0][1] for each in made.regions] == [10, 70]
    odd = turned_record(record(regions=(low, OBB)), Turn("up-down"), pictures)
    assert [each.points[0][1] for each in odd.regions] == [10, 70]  # as they stood: the low one first


def test_records_that_cannot_be_turned_say_why(pictures: Pictures) -> None:
    with pytest.raises(LeftOut, match="'clockwise'"):
        turned_record(record("vqa", phrase="Do they drive clockwise?", reply="yes"), Turn("half"), pictures)
    ggl = record(task="ggl", phrase="", pictures=(), grid_wh=(200, 200), given=(OBB,), regions=(
        Marked(kind="box", points=((20, 10), (60, 30))),), asked="box")  # fmt: skip
    with pytest.raises(LeftOut, match="without a picture"):
        turned_record(ggl, Turn("half"), pictures)
    place = record("geoloc", phrase="", reply="[West Palm Beach, (26.70, -80.04)]")
    assert turned_record(place, Turn("half"), pictures).reply == place.reply


# ---- tilted, recoloured


def test_tilting_keeps_the_shape_and_loses_nothing(pictures: Pictures) -> None:
    made = tilted_record(record(), 10.0, pictures)
    width, height = made.pictures[0].size_wh
    assert width > 200 and height > 100
    for before, after in zip(record().regions, made.regions, strict=True):
        assert shapely.Polygon(after.points).area == pytest.approx(shapely.Polygon(before.points).area, rel=1e-3)
        inside = np.array(after.points)
        assert (inside >= 0).all() and (inside <= (width, height)).all()
    region = masked((200, 100), np.array([[20, 10], [70, 20], [50, 60], [30, 50]], dtype=float))
    made = tilted_record(record("res", regions=(region,)), -7.0, pictures)
    box, point = np.array(made.regions[0].points), np.array(made.regions[0].keypoints[0])
    assert (point > box[0]).all() and (point < box[1]).all() and made.regions[0].rle is None


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"phrase": "the left plane"}, "direction"),
        ({"phrase": "planes at the edge"}, "direction"),
        ({"phrase": "horizontal planes"}, "direction"),
        ({"regions": (Marked(kind="box", points=((1, 1), (9, 9))),)}, "upright box"),
    ],
)
def test_what_cannot_be_tilted(pictures: Pictures, parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        tilted_record(record(**parts), 5.0, pictures)


def test_colours_keep_words_of_colour_true(pictures: Pictures) -> None:
    made = recoloured_record(record(), (7,), pictures)
    assert made.regions == record().regions and made.pictures != record().pictures
    for phrase in ("white planes", "the grey roof", "dark ships", "the ship in the shadow", "a colourful house"):
        with pytest.raises(LeftOut, match="colour"):
            recoloured_record(record(phrase=phrase), (7,), pictures)


# ---- tiles


def test_tiles_cover_and_share_what_is_shown() -> None:
    at = [(5.0, 5.0), (150.0, 150.0), (205.0, 40.0)]
    regions = tuple(
        Marked(kind="obb", points=((x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)), label="plane") for x, y in at
    )
    picture = Picture(path="c.png", size_wh=(300, 260), crop_xyxy=(10, 20, 310, 280))
    made = list(tiles_of(record(regions=regions, pictures=(picture,)), 160, 20))
    records = [each for each in made if isinstance(each, Instruction)]
    assert made and all(each.pictures[0].crop_xyxy is not None for each in records)
    for each in records:
        x0, y0, x1, y1 = each.pictures[0].crop_xyxy  # type: ignore[misc]
        assert each.pictures[0].size_wh == (x1 - x0, y1 - y0) and x0 >= 10 and y0 >= 20
        for region in each.regions:  # back in the picture's px each is one of those that were there
            corner = (region.points[0][0] + x0 - 10, region.points[0][1] + y0 - 20)
            assert any(abs(corner[0] - x) < 7 and abs(corner[1] - y) < 4 for x, y in at)
        check_reads_back([each])
    assert sum(len(each.regions) for each in records) >= 3


def test_a_tile_that_shows_half_of_an_object_is_left_out() -> None:
    half = Marked(kind="obb", points=((90, 10), (110, 10), (110, 20), (90, 20)), label="plane")
    made = list(tiles_of(record(regions=(half,)), 100, 0))
    assert [each for each in made if isinstance(each, str)] == [
        "a tile's edge cuts an object so that it is in doubt"
    ] * 2
    most = Marked(kind="obb", points=((82, 10), (102, 10), (102, 20), (82, 20)), label="plane")
    left, right = list(tiles_of(record(regions=(most,)), 100, 0))
    assert isinstance(left, Instruction) and left.regions[0].points[1] == (100, 10)  # clipped
    assert right == "a tile's edge cuts an object so that it is in doubt"  # a tenth of it
    sliver = Marked(kind="obb", points=((80.5, 10), (100.5, 10), (100.5, 20), (80.5, 20)), label="plane")
    left, right = list(tiles_of(record(regions=(sliver,)), 100, 0))
    assert isinstance(right, Instruction) and right.regions == () and right.messages[1].content == "none"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"task": "rec", "phrase": "the largest plane", "regions": (OBB,)}, "'rec'"),
        ({"task": "count", "reply": "3"}, "'count'"),
        ({"phrase": "planes near the hangar", "regions": (OBB,)}, "words"),
        ({"pictures": (Picture(path="a.png", size_wh=(90, 90)),), "regions": ()}, "no larger"),
    ],
)
def test_what_a_part_may_make_wrong_is_not_cut(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        list(tiles_of(record(**({"task": "det"} | parts)), 100, 0))


def test_which_words_are_a_class() -> None:
    assert is_class("planes", record()) and is_class(
        "gizmo", record(regions=(OBB.model_copy(update={"label": "gizmo"}),))
    )
    assert not is_class("plane near the hangar", record()) and not is_class("gizmo", record())


# ---- pasted


def two_pictures() -> list[Instruction]:
    other = (Picture(path="b.png", size_wh=(200, 100)),)
    return [
        record(id="a-plane", regions=(OBB,)),
        record("count", id="a-planes", reply="1"),
        record(id="a-ship", phrase="ship", regions=()),
        record(id="a-aircraft", phrase="aircraft", regions=(OBB,)),
        record("caption", id="a-caption", phrase="", reply="A plane."),
        record("rec", id="a-rec", phrase="the largest plane", regions=(OBB,)),
        record(id="b-plane", pictures=other, regions=(SLANTED,)),
    ]


def test_pasted_objects_are_found_and_counted(pictures: Pictures) -> None:
    records = two_pictures()
    donors = Donors.of(records, 0)
    here = [each for each in records if each.id.startswith("a-")]
    made = list(pasted(here, donors, 3, pictures))
    told = {each.task + each.phrase: each for each in made if isinstance(each, Instruction)}
    assert set(told) == {"detplane", "countplane", "detship"}
    new = [each for each in told["detplane"].regions if each not in here[0].regions]
    assert new and told["countplane"].reply == str(1 + len(new)) and told["detship"].regions == ()
    assert len([each for each in made if isinstance(each, str)]) == 3  # aircraft, caption, rec
    assert len({each.pictures for each in told.values()}) == 1
    before, after = pictures.read(here[0].pictures[0]), pictures.read(told["detplane"].pictures[0])
    differs = (before != after).any(axis=2)
    old = Mask.from_polygon(np.array(OBB.points), (100, 200)).to_array()
    assert differs.any() and not (differs & old).any()  # what was there is still seen
    for region in new:
        assert differs[Mask.from_polygon(np.array(region.points), (100, 200)).to_array()].mean() > 0.7
        assert not shapely.Polygon(region.points).intersects(shapely.Polygon(OBB.points))
    check_reads_back(told.values())
    assert list(pasted(here, donors, 3, pictures)) == made


def test_nothing_is_pasted_across_splits(pictures: Pictures) -> None:
    records = two_pictures()
    donors = Donors.of([each.model_copy(update={"split": "val"}) for each in records[-1:]], 0)
    with pytest.raises(LeftOut, match="no detection of a class"):
        list(pasted(records[:1], donors, 0, pictures))
    with pytest.raises(LeftOut, match="divide"):
        list(pasted([records[0].model_copy(update={"split": None})], donors, 0, pictures))


# ---- files


def made_file(tmp_path: Path, records: list[Instruction], **ways: Any) -> tuple[bytes, Counter[str]]:
    source, out = tmp_path / "in.jsonl", tmp_path / "new" / "out.jsonl"
    write_records(source, records, Provenance("test"))
    left_out: Counter[str] = Counter()
    chosen = Ways(**ways)
    write_records(
        out, augmented(source, chosen, Pictures(tmp_path, out), left_out), Provenance("test", dropped=left_out)
    )
    return out.read_bytes(), left_out


def test_a_file_is_made_alike_twice_and_its_pictures_are_found(tmp_path: Path, pictures: Pictures) -> None:
    every = {
        "flip": True,
        "rotate": True,
        "tilt": 9.0,
        "colours": True,
        "paste": True,
        "cyclic": True,
        "pal": True,
        "ggl": True,
    }
    first, left_out = made_file(tmp_path, two_pictures(), **every, seed=4)
    again, _ = made_file(tmp_path, two_pictures(), **every, seed=4)
    other, _ = made_file(tmp_path, two_pictures(), **every, seed=5)
    assert first == again and first != other and left_out
    records = list(read_records(tmp_path / "new" / "out.jsonl"))
    assert len({each.id for each in records}) == len(records)
    check_reads_back(records)
    for each in records:
        for picture in each.pictures:
            image = cv2.imread(str(tmp_path / "new" / picture.path))
            assert image.shape[1::-1] == picture.size_wh
        assert each.family == "f" and (each.made or each.id.count("~") == 0)
    alone, _ = made_file(tmp_path, two_pictures(), flip=True, keep=False)
    assert all(b"turn " in line for line in alone.splitlines())


def test_records_of_one_picture_that_stand_apart_are_not_pasted(tmp_path: Path, pictures: Pictures) -> None:
    records = two_pictures()
    apart = [records[0], records[-1], records[1]]
    _, left_out = made_file(tmp_path, apart, paste=True)
    assert left_out["paste: records of one picture stand apart in the file"] == 2


@pytest.mark.parametrize(
    "ways", [{}, {"tilt": 50.0}, {"tile": 30}, {"tile": 100, "overlap": 60}, {"flip": True, "seed": -1}]
)
def test_ways_that_make_nothing_are_refused(ways: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Ways(**ways)


def test_a_picture_of_another_size_is_an_error(pictures: Pictures) -> None:
    wrong = record(pictures=(Picture(path="a.png", size_wh=(90, 90)),), regions=())
    with pytest.raises(UsageError, match="200 x 100 px and the record tells 90 x 90"):
        turned_record(wrong, Turn("half"), pictures)


def test_the_command(tmp_path: Path, pictures: Pictures, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "more.jsonl"
    write_records(source, two_pictures(), Provenance("test"))
    words = ["data", "augment", str(source), "--out", str(out)]
    assert main([*words, "--flip", "--paste", "--cyclic", "--only-new", "--seed", "2"]) == 0
    told = capsys.readouterr()
    assert "left out" in told.err and "beside pasted objects" in told.err
    made = list(read_records(out))
    assert made and all(each.made for each in made) and (tmp_path / "more.images").is_dir()
    meta = read_meta(out)
    assert meta is not None and meta.seed == 2 and meta.before == (read_meta(source).sha256,)  # type: ignore[union-attr]
    assert sum(meta.dropped.values()) > 0 and meta.images == "."
    assert main(words) == 2
    assert "no way to augment" in capsys.readouterr().err
    assert main([*words[:3], "--out", str(source), "--flip"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert main([*words, "--cyclic", "--iou", "0"]) == 2
    assert main([*words, "--flip", "--check", "grounder=compact"]) == 2
    assert list(read_records(out)) == made  # what was there stays


def test_models_check_captions_from_the_command(tmp_path: Path, pictures: Pictures) -> None:
    one = record("rec", phrase="plane", regions=(OBB,))
    source, out = tmp_path / "in.jsonl", tmp_path / "more.jsonl"
    write_records(source, [one], Provenance("test"))
    box = [20.0, 10.0, 40.0, 20.0]
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 200, "height": 100}],
        "categories": [{"id": 1, "name": "plane"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box}],
    }
    for shift, count in ((0.0, 1), (70.0, 0)):
        coco["annotations"][0]["bbox"] = [box[0] + shift, *box[1:]]  # type: ignore[index]
        (tmp_path / "found.json").write_text(json.dumps(coco), encoding="utf-8")
        check = f"grounder=oracle:{tmp_path / 'found.json'}"
        words = ["data", "augment", str(source), "--out", str(out), "--cyclic", "--only-new", "--check", check]
        assert main(words) == 0
        assert len(list(read_records(out))) == count
