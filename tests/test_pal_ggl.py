"""Prompt-assisted and geometry-guided records: what is told in one kind and asked for in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.codec import Pointed, dialect
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.geometry import corners_to_box, min_area_rect
from surveyor.core.masks import Mask
from surveyor.finetune.augment.marks import LeftOut
from surveyor.finetune.augment.pal import MOST_GIVEN, Tilts, assisted, guided, is_tilted
from surveyor.finetune.records.points import as_xy
from surveyor.finetune.records.record import Instruction, Marked, Picture, check_reads_back, with_messages
from surveyor.tools.models.tasks import Tasks

SIZE = (400, 200)
PICTURE = Picture(path="a.png", size_wh=SIZE)
SLANTED = Marked(kind="obb", points=((100, 40), (160, 100), (140, 120), (80, 60)), label="plane")
UPRIGHT = Marked(kind="obb", points=((200, 20), (240, 20), (240, 60), (200, 60)), label="plane")
RING = np.array([[20.0, 20], [120, 40], [100, 90], [40, 80]])
MASK = Mask.from_polygon(RING, SIZE[::-1])
BOX = Marked(kind="box", points=((20, 20), (120, 90)), keypoints=((60.5, 50.5),), rle=MASK.to_rle())
POINTED = Pointed("obb", np.array(SLANTED.points))


def record(task: str = "det", **parts: Any) -> Instruction:
    base: dict[str, Any] = {"id": "1", "task": task, "family": "f", "pictures": (PICTURE,), "source": "S"}
    return with_messages(Instruction(**(base | {"phrase": "plane", "regions": (SLANTED, UPRIGHT)} | parts)))


def made(way: Any, *records: Instruction, seed: int = 0) -> tuple[dict[str, list[Instruction]], list[str]]:
    """Kinds -> records, and the reasons, of the first record."""
    found: dict[str, list[Instruction]] = {}
    reasons = []
    for each in way(records[0], Tilts.of(records), seed):
        if isinstance(each, str):
            reasons.append(each)
        else:
            found.setdefault(" ".join(each.made[-1].split()[1:4]), []).append(each)
    return found, reasons


def test_an_upright_box_and_the_picture_give_the_oriented_one() -> None:
    found, reasons = made(assisted, record())
    assert set(found) == {"box to obb"} and len(reasons) == 3  # no masks
    (one,) = found["box to obb"]
    assert one.task == "pal" and one.pictures == (PICTURE,) and one.phrase == "plane"
    assert [each.points for each in one.given] == [((200, 20), (240, 60)), ((80, 40), (160, 120))]  # as they are read
    assert one.regions == (UPRIGHT, SLANTED)
    assert "[(500,100),(600,300)]\n[(200,200),(400,600)]" in one.messages[0].content
    assert one.messages[0].content.startswith("<image>\n[refine] ") and "oriented box" in one.messages[0].content
    assert one.messages[1].content.count("\n") == 1
    check_reads_back([one])


def test_a_mask_gives_outlines_and_key_points() -> None:
    found, reasons = made(assisted, record("res", regions=(BOX,)))
    assert set(found) == {"box to obb", "box to keypoints", "box to polygon", "obb to polygon"} and not reasons
    outline = shapely.Polygon(found["box to polygon"][0].regions[0].points)
    assert outline.intersection(shapely.Polygon(RING)).area / outline.union(shapely.Polygon(RING)).area > 0.95
    assert found["box to keypoints"][0].regions[0].keypoints == BOX.keypoints
    assert "keypoints" in found["box to keypoints"][0].messages[1].content
    assert "keypoints" not in found["box to keypoints"][0].messages[0].content
    for records in found.values():
        check_reads_back(records)
        assert all(each.rle is None for one in records for each in (*one.given, *one.regions))


def test_geometry_needs_no_picture() -> None:
    found, _ = made(guided, record())
    (one,) = found["obb to box"]
    assert one.pictures == () and one.grid_wh == (400, 400) and one.phrase == ""
    assert one.messages[0].content.startswith("[convert] ") and "<image>" not in one.messages[0].content
    check_reads_back([one])
    # equation 3: the text alone tells the answer
    codec = dialect("native")
    given = codec.decode(codec.encode([each.pointed for each in one.given], (400, 400)), (1000, 1000))
    answer = codec.decode(one.messages[1].content, (1000, 1000))
    for dense, sparse in zip(given, answer, strict=True):
        assert corners_to_box(dense.points_px).tolist() == sparse.points_px.ravel().tolist()


@given(st.integers(0, 10_000))
def test_what_geometry_guides_follows_from_the_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(rng.uniform(5, 195, (12, 2)))))[:-1]
    region = Marked(kind="polygon", points=as_xy(ring))
    pair = (PICTURE, PICTURE)
    found, _ = made(guided, record("rcd", regions=(region,), pictures=pair), record())
    codec = dialect("native")
    for kind, records in found.items():
        for one in records:
            text = codec.encode([each.pointed for each in one.given], (400, 400))
            assert text in one.messages[0].content
            of = "polygon" if kind.startswith("polygon") else None
            dense = codec.decode(text, (1000, 1000), kind=of)[0].points_px
            sparse = codec.decode(one.messages[1].content, (1000, 1000))[0].points_px
            if kind.endswith("box"):
                assert corners_to_box(dense).tolist() == sparse.ravel().tolist()
            else:
                a, b = shapely.Polygon(min_area_rect(dense)), shapely.Polygon(sparse)
                assert a.intersection(b).area / a.union(b).area > 0.93
    assert {"polygon to box", "obb to box"} <= set(found)


def test_a_source_of_upright_boxes_tells_no_orientation() -> None:
    found, reasons = made(assisted, record(regions=(UPRIGHT,)))
    assert not found and "box to obb: oriented boxes of a source that has upright ones alone" in reasons
    found, _ = made(assisted, record(regions=(UPRIGHT,)), record(id="2"))
    assert set(found) == {"box to obb"}
    found, _ = made(assisted, record(regions=(UPRIGHT,)), record(id="2", source="other"))
    assert not found
    assert is_tilted(SLANTED) and not is_tilted(UPRIGHT)


def test_many_regions_make_several_records() -> None:
    many = tuple(
        Marked(kind="obb", points=as_xy(np.add(SLANTED.points, (5 * k % 90, k)))) for k in range(2 * MOST_GIVEN + 1)
    )
    found, _ = made(assisted, record(regions=many))
    assert [len(each.given) for each in found["box to obb"]] == [MOST_GIVEN, MOST_GIVEN, 1]
    assert len({each.id for each in found["box to obb"]}) == 3
    kept = [each for one in found["box to obb"] for each in one.regions]
    assert sorted(each.points for each in kept) == sorted(each.points for each in many)
    check_reads_back(found["box to obb"])


def test_ways_to_ask_vary_with_the_seed() -> None:
    made_of = [made(assisted, record(), seed=seed)[0]["box to obb"][0] for seed in range(30)]
    assert {each.wording for each in made_of} == {0, 1, 2}
    assert made_of[3] == made(assisted, record(), seed=3)[0]["box to obb"][0]
    assert len({each.messages[0].content for each in made_of}) == 3


@pytest.mark.parametrize(
    ("way", "one", "reason"),
    [
        (assisted, record("count", regions=(), reply="2"), "'count'"),
        (assisted, record(regions=()), "nothing to tell"),
        (assisted, record("rcd", regions=(), pictures=(PICTURE, PICTURE)), "'rcd'"),
        (guided, record("caption", phrase="", regions=(), reply="A plane."), "'caption'"),
    ],
)
def test_what_gives_no_such_records(way: Any, one: Instruction, reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        list(way(one, Tilts(), 0))


# ---- what models are asked


def test_as_many_objects_as_were_given_of_the_kind_that_was_asked_for() -> None:
    asking = Tasks().refine([POINTED, POINTED], "box", "plane", SIZE)
    assert asking.task == "refine" and asking.grammar is not None and "{1}" in asking.grammar
    assert len(asking.read("[(1,1),(2,2)]\n[(3,3),(4,4)]")) == 2
    for reply in ("none", "[(1,1),(2,2)]", "[(1,1),(2,2)]\n[(0,0),(9,0),(9,9),(0,9)]", "", "[(1,1),(2,2)]" * 3):
        with pytest.raises(ModelOutputError) as caught:
            asking.read(reply)
        assert caught.value.raw == reply
    assert len(asking.lenient("They are [(1,1),(2,2)] and [(3,3),(4,4)].")) == 2
    assert "{" not in (Tasks().convert([POINTED], "polygon", SIZE).grammar or "").split("\n")[0]


def test_what_cannot_be_asked() -> None:
    for ask in (
        lambda: Tasks().refine([], "obb", "plane", SIZE),
        lambda: Tasks().refine([POINTED], "circle", "plane", SIZE),
        lambda: Tasks().refine([POINTED], "obb", " ", SIZE),
        lambda: Tasks("qwen2-vl").refine([Pointed("box", np.zeros((2, 2)))], "obb", "plane", SIZE),
        lambda: Tasks("qwen2.5-vl").convert([POINTED], "box", SIZE),
    ):
        with pytest.raises(UsageError):
            ask()
    labelled = Pointed("box", np.array([[1.0, 1], [9, 9]]), np.array([[4.0, 4]]), "secret")
    text = Tasks().refine([labelled], "polygon", "plane", SIZE).text
    assert "secret" not in text and "keypoints [" not in text


@pytest.mark.parametrize("kind", ["box", "obb", "keypoints", "polygon"])
def test_guided_replies_are_held_to_the_number_of_objects(kind: str) -> None:
    llguidance = pytest.importorskip("llguidance", reason="llguidance is not installed")
    grammar = Tasks().convert([POINTED] * 3, kind, SIZE).grammar
    assert grammar is not None
    is_error, messages = llguidance.LLMatcher.validate_grammar_with_warnings(llguidance.grammar_from("lark", grammar))
    assert not is_error, messages
