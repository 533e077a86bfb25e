"""Looking at items: pictures with known colours at known pixels, the choice of items, the page, what goes wrong."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.agent.drawing import INK
from surveyor.agent.parser import parse
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.evals.bench.items import FieldItem, Header, Image, Item, Made, Truth, write_items
from surveyor.evals.bench.predict import How
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.bench.runner import run as run_items
from surveyor.evals.report import pictures
from surveyor.evals.report.inspecting import ITEMS_A_SHEET, choose, contact_sheet, inspect
from surveyor.evals.report.inspecting_page import page_html
from surveyor.evals.report.inspecting_words import entry, tree_lines
from surveyor.evals.report.item_roles import compared, roles
from surveyor.evals.report.labels import best_place
from surveyor.evals.report.pictures import (
    FALSE,
    HIT,
    IGNORED,
    MISSED,
    REFERENCE,
    RIGHT,
    WRONG,
    item_picture,
)
from surveyor.evals.report.view import TINT, View
from surveyor.evals.scores.crec import score_crec

W, H = 200, 100
SIDE = 1200
"""Pictures are six times as large as the scene, so that lines are some pixels wide."""
BOXES = {"p1": (10, 10, 30, 20), "p2": (60, 45, 100, 70), "p3": (150, 20, 170, 40), "p4": (120, 80, 130, 90),
         "s1": (10, 80, 20, 90)}  # fmt: skip
GREY = 128


def truth(name: str, *, mask: bool = False) -> Truth:
    box = tuple(float(v) for v in BOXES[name])
    pixels = Mask.from_polygon(box_to_corners(np.array(box)), (H, W))
    return Truth(id=name, label="plane" if name[0] == "p" else "ship", hbb=box, rle=pixels.to_rle() if mask else None)  # type: ignore[arg-type]


def item(
    expression: str = "detect all planes near the ship", *, id: str = "one", task: Any = "CREC", **more: Any
) -> Item:
    given: dict[str, Any] = {
        "id": id, "task": task, "image": Image(path="photo.png", size_wh=(W, H), family="f", source="hand"),
        "expression": expression, "request": parse("detect all planes near the ship"),
        "objects": tuple(truth(name, mask=task == "CRES") for name in BOXES), "answer_ids": ("p1",),
        "universe_ids": ("p1", "p2", "p3"), "ignored_ids": ("p4",), "tags": ("R3:near", "hops:1"),
        "made": Made(version=1, seed=0),
    }  # fmt: skip
    return Item(**given | more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the grey picture `photo.png`, 200 x 100 px."""
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((H, W, 3), GREY, dtype=np.uint8))
    return tmp_path


def rgb(colour: Sequence[int]) -> tuple[int, ...]:
    return tuple(colour)[::-1]


def far(pixel: Any, colour: Sequence[int]) -> float:
    """How far a pixel is from a colour, both RGB."""
    return float(np.abs(np.asarray(pixel, dtype=float) - np.array(colour, dtype=float)).max())


def at(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The pixel at a place of the scene."""
    return picture[round(y * SIDE / W), round(x * SIDE / W)]


def has(picture: np.ndarray, colour: Sequence[int], box: Sequence[float], margin: float = 4) -> bool:
    """Whether a colour is on the outline of a box of the scene."""
    x0, y0, x1, y1 = (round(v * SIDE / W) for v in np.add(box, (-margin, -margin, margin, margin)))
    part = picture[max(0, y0) : y1, max(0, x0) : x1].astype(int)
    return bool((np.abs(part - rgb(colour)).max(axis=2) <= 6).any())


def boxes(*names: str, shift: float = 0.0, masks: bool = False) -> tuple[Predicted, ...]:
    return tuple(
        Predicted(hbb=tuple(v + shift for v in truth(name).hbb), rle=truth(name, mask=True).rle if masks else None)  # type: ignore[arg-type]
        for name in names
    )


# ---- pictures -------------------------------------------------------------------------------------------------


def test_each_part_has_its_colour_where_it_is(folder: Path) -> None:
    picture = item_picture(item(), folder, side_px=SIDE)
    assert picture.dtype == np.uint8 and picture.shape[1] == SIDE and picture.shape[0] > SIDE * H // W
    assert far(at(picture, 10, 15), rgb(RIGHT)) <= 6
    for name, colour in (("p2", WRONG), ("p3", WRONG), ("s1", REFERENCE)):
        assert far(at(picture, BOXES[name][0], np.mean(BOXES[name][1::2])), rgb(colour)) <= 6, name
    assert has(picture, IGNORED, BOXES["p4"]) and not has(picture, WRONG, BOXES["p4"])
    assert far(at(picture, 80, 60), (GREY,) * 3) <= 1  # inside of a wrong one
    assert not has(picture, WRONG, BOXES["p1"]) and not has(picture, RIGHT, BOXES["p2"])


def test_right_lines_are_thicker_than_wrong_ones(folder: Path) -> None:
    picture = item_picture(item(), folder, side_px=SIDE).astype(int)
    scale = SIDE / W

    def width(name: str, colour: Sequence[int]) -> int:
        x0, y0, _, y1 = BOXES[name]
        row = picture[round((y0 + y1) / 2 * scale), round((x0 - 5) * scale) : round((x0 + 5) * scale)]
        return int((np.abs(row - rgb(colour)).max(axis=1) <= 40).sum())

    assert width("p1", RIGHT) > width("p2", WRONG) > 1  # and both grow with the picture


def test_the_legend_names_what_is_drawn_and_nothing_else(folder: Path) -> None:
    def legend(picture: np.ndarray) -> np.ndarray:
        return picture[SIDE * H // W :].reshape(-1, 3).astype(int)

    def shows(picture: np.ndarray, colour: Sequence[int]) -> bool:
        swatch = 0.35 * np.array(rgb(colour)) + 0.65 * np.array(rgb(INK))  # its inside
        return bool((np.abs(legend(picture) - swatch).max(axis=1) <= 2).any())

    with_all = item_picture(item(), folder, side_px=SIDE)
    assert all(shows(with_all, colour) for colour in (RIGHT, WRONG, REFERENCE))
    assert not any(shows(with_all, colour) for colour in (HIT, FALSE, MISSED))
    none = item_picture(item(answer_ids=(), universe_ids=(), ignored_ids=(), objects=()), folder, side_px=SIDE)
    assert not any(shows(none, colour) for colour in (RIGHT, WRONG, REFERENCE))
    answered = item_picture(item(), folder, Prediction(id="one", regions=boxes("p1", "p2")), side_px=SIDE)
    assert shows(answered, HIT) and shows(answered, FALSE) and not shows(answered, MISSED)
    failed = item_picture(item(), folder, Prediction(id="one", status="failed"), side_px=SIDE)
    assert shows(failed, MISSED) and not shows(failed, FALSE)


def test_hits_false_ones_and_misses_have_colours_of_their_own(folder: Path) -> None:
    both = item(answer_ids=("p1", "p2"))
    picture = item_picture(both, folder, Prediction(id="one", regions=boxes("p1", "p3")), side_px=SIDE)
    assert has(picture, HIT, BOXES["p1"]) and not has(picture, FALSE, BOXES["p1"])
    assert has(picture, FALSE, BOXES["p3"]) and not has(picture, HIT, BOXES["p3"])
    assert has(picture, MISSED, BOXES["p2"]) and not has(picture, RIGHT, BOXES["p2"])


def test_masks_are_shaded_and_compared_by_pixels(folder: Path) -> None:
    asked = item(task="CRES", answer_ids=("p2",))
    inside = at(item_picture(asked, folder, side_px=SIDE), 80, 60)
    mixed = np.round(GREY * (1 - TINT) + np.array(rgb(RIGHT)) * TINT)
    assert far(inside, mixed) <= 2
    half = Mask.from_polygon(box_to_corners(np.array((60.0, 45, 80, 80))), (H, W)).to_rle()
    answered = Prediction(id="one", regions=(Predicted(hbb=(60, 45, 80, 80), rle=half),))
    picture = item_picture(asked, folder, answered, side_px=SIDE)
    for (x, y), colour in (((70, 57), HIT), ((70, 75), FALSE), ((90, 57), MISSED)):
        assert far(at(picture, x, y), np.round(GREY / 2 + np.array(rgb(colour)) / 2)) <= 2, (x, y)


def test_what_a_relation_singles_out_in_its_own_class_is_framed(folder: Path) -> None:
    asked = item(request=parse("detect the plane nearest to the rightmost plane"), answer_ids=("p2",))
    parts = roles(asked)
    assert parts.right == ("p2",) and parts.referred == ("p3",) and "p3" in parts.wrong and parts.beside == ("s1",)
    picture = item_picture(asked, folder, side_px=SIDE)
    assert has(picture, REFERENCE, BOXES["p3"], margin=6) and not has(picture, REFERENCE, BOXES["p2"], margin=6)


def test_the_label_of_what_is_referred_to_hides_no_answer(folder: Path) -> None:
    """The reference fills the image, so that its label has no place outside of it; answers are in three corners."""
    whole = truth("s1").model_copy(update={"hbb": (0.0, 0.0, float(W), float(H))})
    corners = {"p1": (3.0, 3.0, 60.0, 30.0), "p2": (140.0, 3.0, 197.0, 30.0), "p3": (3.0, 70.0, 60.0, 97.0)}
    planes = [truth(name).model_copy(update={"hbb": box}) for name, box in corners.items()]
    asked = item("detect all planes near the ship", objects=(*planes, whole), answer_ids=tuple(corners), ignored_ids=())
    bare = item_picture(asked.model_copy(update={"request": parse("detect all planes")}), folder, side_px=480)
    picture = item_picture(asked, folder, side_px=480)
    plate = np.round(0.22 * GREY + 0.78 * np.array(rgb(INK)))
    assert (np.abs(picture[: 480 * H // W] - plate).max(axis=2) <= 2).sum() > 200  # it has its label
    for x0, y0, x1, y1 in (np.array(box) * 480 / W for box in corners.values()):
        part = np.s_[int(y0) + 1 : int(y1) - 1, int(x0) + 1 : int(x1) - 1]
        assert (picture[part] == bare[part]).all()


def test_labels_stand_over_the_box_that_they_name() -> None:
    """Beside its box a label would be a pixel closer, and stand nearer to something else."""
    free = np.zeros((100, 100))
    x0, _, x1, y1 = best_place((80, 50, 98, 70), (30, 10), free, free) or (0, 0, 0, 0)
    assert (x0, x1) == (70, 100) and y1 <= 48


@settings(deadline=None)
@given(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(1, 20), st.integers(1, 20)), max_size=4),
)
def test_a_label_is_free_of_answers_wherever_a_place_is(
    box: tuple[int, int, int, int], answers: list[tuple[int, int, int, int]]
) -> None:
    hidden, taken = np.zeros((100, 100)), np.zeros((100, 100))
    for x, y, w, h in answers:
        hidden[y : y + h, x : x + w] = 100
    place = best_place((box[0], box[1], box[0] + box[2], box[1] + box[3]), (20, 10), hidden, taken)
    assert place is not None
    x0, y0, x1, y1 = place
    assert 0 <= x0 < x1 <= 100 and 0 <= y0 < y1 <= 100 and (x1 - x0, y1 - y0) == (20, 10)
    assert not hidden[y0:y1, x0:x1].any()  # four answers of 20 px leave room in 100


def test_a_label_goes_nowhere_where_all_is_taken_or_too_small() -> None:
    free, full = np.zeros((30, 30)), np.ones((30, 30))
    assert best_place((5, 5, 9, 9), (10, 8), free, full) is None
    assert best_place((5, 5, 9, 9), (31, 8), free, free) is None
    assert best_place((0, 0, 30, 30), (30, 30), full, free) == (0, 0, 30, 30)  # everything is hidden: still one


def test_every_part_of_a_class_is_no_reference_in_it() -> None:
    assert roles(item(request=parse("detect planes near a plane"))).referred == ()


def pair(folder: Path, **more: Any) -> Item:
    cv2.imwrite(str(folder / "later.png"), np.full((H, W, 3), GREY, dtype=np.uint8))
    rles = {name: truth(name, mask=True).rle for name in BOXES}
    left = Mask.from_polygon(box_to_corners(np.array((0.0, 0, 110, H))), (H, W)).to_rle()
    return item("segment the changed buildings in the left half", task="RCD", objects=(truth("p3", mask=True),),
                after=Image(path="later.png", size_wh=(W, H), family="f"), answer_ids=(), universe_ids=(),
                ignored_ids=(), request=parse("segment the changed buildings in the left half"),
                answer_rle=rles["p2"], asked_rle=left, **more)  # fmt: skip


def test_change_is_shown_on_both_scenes_and_shaded_on_the_later_one(folder: Path) -> None:
    picture = item_picture(pair(folder), folder, side_px=SIDE)
    assert picture.shape[1] == 2 * SIDE + 4
    before, after = picture[:, :SIDE], picture[:, SIDE + 4 :]
    assert far(at(before, 80, 60), (GREY,) * 3) <= 1
    assert far(at(after, 80, 60), np.round(GREY * (1 - TINT) + np.array(rgb(RIGHT)) * TINT)) <= 2
    for view in (before, after):
        assert has(view, RIGHT, BOXES["p2"]) and has(view, WRONG, BOXES["p3"])
        assert far(at(view, 110, 20), rgb(REFERENCE)) <= 6


@pytest.mark.parametrize(("names", "told"), [(("p3",), "1 other change"), (("p3", "p4"), "2 other changes")])
def test_other_changes_are_counted_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], told: str
) -> None:
    said: list[str] = []
    strip = pictures.legend_strip
    monkeypatch.setattr(
        pictures,
        "legend_strip",
        lambda entries, *rest: [said.extend(each[1] for each in entries), strip(entries, *rest)][1],
    )
    changed = pair(folder).model_copy(update={"objects": tuple(truth(name, mask=True) for name in names)})
    item_picture(changed, folder, side_px=SIDE)
    assert told in said


def test_the_earlier_scene_is_on_the_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pair(folder)
    cv2.imwrite(str(folder / "later.png"), np.full((H, W, 3), 90, dtype=np.uint8))
    names: list[tuple[str, int]] = []
    monkeypatch.setattr(View, "name", lambda view, text: names.append((text, int(at(view.picture, 5, 50)[0]))))
    picture = item_picture(asked, folder, side_px=SIDE)
    assert names == [("before", GREY), ("after", 90)]
    assert at(picture, 5, 50)[0] == GREY and at(picture[:, SIDE + 4 :], 5, 50)[0] == 90


def test_the_names_of_both_scenes_stand_where_nothing_is_right(folder: Path) -> None:
    corner = Mask.from_polygon(box_to_corners(np.array((0.0, 0, 60, 40))), (H, W)).to_rle()
    asked = pair(folder).model_copy(update={"answer_rle": corner, "asked_rle": None})
    picture = item_picture(asked, folder, side_px=480)
    dark = (picture[: 480 * H // W].max(axis=2) < 60).astype(int)
    for left in (0, 484):
        assert dark[6:90, left + 20 : left + 120].sum() == 0  # within the outline of what is right
        assert dark[:30, left + 400 : left + 480].sum() > 200


def test_changed_pixels_found_and_missed(folder: Path) -> None:
    given = Prediction(id="one", mask_rle=truth("p3", mask=True).rle)
    after = item_picture(pair(folder), folder, given, side_px=SIDE)[:, SIDE + 4 :]
    dim = GREY * (1 - pictures._DIM) + np.array(rgb(INK)) * pictures._DIM  # it is not asked for there
    assert far(at(after, 190, 80), np.round(dim)) <= 2
    assert far(at(after, 160, 30), np.round(dim / 2 + np.array(rgb(FALSE)) / 2)) <= 2
    assert far(at(after, 80, 60), np.round(GREY / 2 + np.array(rgb(MISSED)) / 2)) <= 2


NOT_FOUR = ((float("nan"), 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0))
SMALL = Mask.from_array(np.ones((3, 3), bool)).to_rle()


@pytest.mark.parametrize(
    "regions",
    [
        pytest.param((Predicted(hbb=(float("nan"), 0, 5, 5)),), id="not-a-number"),
        pytest.param((Predicted(hbb=(float("inf"), 0, 5, 5), obb=NOT_FOUR),), id="infinite"),
        pytest.param((Predicted(hbb=(30, 20, 10, 10)),), id="turned-round"),
        pytest.param((Predicted(hbb=(-500, -500, 900, 900)),), id="beyond-the-scene"),
        pytest.param((Predicted(hbb=(0, 0, 5, 5), rle=SMALL),), id="mask-of-another-size"),
        pytest.param(boxes("p1") * 150, id="more-than-count"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("task", ["CREC", "CRES"])
def test_odd_answers_are_drawn(folder: Path, regions: tuple[Predicted, ...], task: str) -> None:
    asked = item(task=task)
    plain = item_picture(asked, folder, side_px=SIDE)
    drawn = item_picture(asked, folder, Prediction(id="one", regions=regions), side_px=SIDE)
    assert drawn.shape[1] == plain.shape[1]
    assert far(at(drawn, 190, 95), (GREY,) * 3) <= 1


FIELD = {"image": Image(path="photo.png", size_wh=(W, H), family="f"), "text": "the plane"}


def test_items_of_the_field_are_drawn_with_what_they_have(folder: Path) -> None:
    words = item_picture(FieldItem(id="v", task="VQA", answers=("yes",), **FIELD), folder, side_px=SIDE)
    assert (words[: SIDE * H // W] == GREY).all()
    box = FieldItem(id="r", task="REC", objects=(truth("p1"),), **FIELD)
    assert has(item_picture(box, folder, side_px=SIDE), RIGHT, BOXES["p1"])
    found = item_picture(box, folder, Prediction(id="r", regions=boxes("p2", "p1")), side_px=SIDE)
    assert has(found, FALSE, BOXES["p2"]) and has(found, MISSED, BOXES["p1"])  # only the first box counts
    assert not has(found, HIT, BOXES["p1"])
    pixels = FieldItem(id="s", task="RES", rle=truth("p2", mask=True).rle, **FIELD)
    assert at(item_picture(pixels, folder, side_px=SIDE), 80, 60)[1] > GREY
    spoken = FieldItem(id="g", task="GCG", phrases=("a plane",), masks=(truth("p2", mask=True).rle,), **FIELD)  # type: ignore[arg-type]
    assert has(item_picture(spoken, folder, side_px=SIDE), RIGHT, BOXES["p2"])


@pytest.mark.parametrize("side", [0, 95, 4097, -3])
def test_sides_out_of_bounds(folder: Path, side: int) -> None:
    with pytest.raises(UsageError, match=f"side_px is {side}.*96 to 4096"):
        item_picture(item(), folder, side_px=side)


def test_an_image_of_another_size_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="200 x 100 px, the item was made for 50 x 50"):
        item_picture(item(image=Image(path="photo.png", size_wh=(50, 50), family="f")), folder)


_MACHADO = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("sight", _MACHADO)
def test_colours_differ_for_every_sight(sight: str) -> None:
    def lab(colour: Sequence[int]) -> np.ndarray:
        share = np.array(rgb(colour)) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(_MACHADO[sight]) @ linear, 0, 1)
        white = np.array([0.9505, 1, 1.089])
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen / white
        root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])

    colours = [RIGHT, WRONG, REFERENCE, HIT, FALSE, MISSED]
    assert min(np.linalg.norm(lab(a) - lab(b)) for a, b in combinations(colours, 2)) >= 29.5


@pytest.mark.parametrize(("lower", "hits"), [(30.0, 1), (30.1, 0)], ids=["iou-0.5", "below"])
def test_half_is_a_hit(lower: float, hits: int) -> None:
    answered = Prediction(id="one", regions=(Predicted(hbb=(10, 10, 30, lower)),))  # p1 is 20 x 10 px
    assert len(compared(item(), answered).hits) == hits


_names = st.sampled_from(list(BOXES))


@settings(deadline=None)
@given(st.lists(st.tuples(_names, st.integers(-12, 12)), max_size=6), st.sets(_names, max_size=3), st.booleans())
def test_found_and_missed_are_what_the_score_counts(
    drawn: list[tuple[str, int]], right: set[str], failed: bool
) -> None:
    asked = item(answer_ids=tuple(sorted(right)), ignored_ids=tuple(n for n in ("p4", "p3") if n not in right))
    regions = tuple(region for name, shift in drawn for region in boxes(name, shift=shift))
    answered = Prediction(id="one", regions=regions, status="failed" if failed else "answered")
    found, scored = compared(asked, answered), score_crec([asked], [answered]).item("one")
    assert len(found.missed) == scored["fn@0.5"]
    if not failed:
        assert (len(found.hits), len(found.false)) == (scored["tp@0.5"], scored["fp@0.5"])
        assert sorted((*found.hits, *found.false, *found.uncounted)) == list(range(len(regions)))


# ---- which items ----------------------------------------------------------------------------------------------


def many(counts: dict[str, int]) -> list[Item]:
    """Items of kinds: {"R2": 3} has three of R2."""
    return [
        item(id=f"{kind}-{n}", tags=(kind, "hops:1", "answers:1"))
        for kind, count in counts.items() for n in range(count)
    ]  # fmt: skip


def test_a_choice_is_spread_over_kinds() -> None:
    chosen = choose(many({"C": 500, "R2": 5, "O": 1, "S": 40}), n=12)
    counts = Counter(each.tags[0] for each in chosen)
    assert counts["O"] == 1 and counts.total() == 12
    assert max(counts.values()) - min(counts[kind] for kind in ("C", "R2", "S")) <= 1


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["C", "R2", "O", "S", "Z:class"]), st.integers(1, 7), min_size=1),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_a_choice_is_the_same_again_and_in_the_order_of_the_file(counts: dict[str, int], n: int, seed: int) -> None:
    items = many(counts)
    chosen = choose(items, n=n, seed=seed)
    assert chosen == choose(items, n=n, seed=seed)
    assert len(chosen) == min(n, len(items)) and chosen == [each for each in items if each in chosen]
    assert n < len(counts) or {each.tags[0] for each in chosen} == set(counts)


def test_seeds_choose_differently() -> None:
    items = many({"C": 200})
    assert len({tuple(each.id for each in choose(items, n=5, seed=seed)) for seed in range(5)}) == 5


def test_a_kind_is_a_tag_or_the_beginning_of_one() -> None:
    items = [*many({"R3": 2, "R3:near": 3}), item(id="x", tags=("G:not", "R5"))]
    assert [each.id for each in choose(items, kind="R3")] == ["R3-0", "R3-1"]
    assert [each.id for each in choose(items, kind="G")] == ["x"]
    assert [each.id for each in choose(items, kind="R5")] == ["x"]


def test_named_items_come_in_the_order_named() -> None:
    items = many({"C": 5})
    assert [each.id for each in choose(items, n=1, ids=("C-3", "C-1", "C-3"))] == ["C-3", "C-1"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"ids": ("C-9",)}, r"no item 'C-9' among 5; did you mean C-"),
        ({"ids": ("entirely other",)}, r"no item 'entirely other'.*called like 'C-0'"),
        ({"kind": "answers:2"}, r"no item has the tag 'answers:2'; did you mean answers:1"),
        ({"kind": "xyz"}, r"no item has the tag 'xyz'; those there are, with how many items: C \(5\)"),
        ({"n": 0}, "n is 0, expected 1 or more"),
    ],
)
def test_what_cannot_be_chosen(choice: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        choose(many({"C": 5}), **choice)


def test_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(UsageError, match="holds no items"):
        choose([])


# ---- the page -------------------------------------------------------------------------------------------------

EVIL = "</script><img src=x onerror=alert(1)> & \"quoted\" \u2028 'x' @DATA@ @TITLE@"


def data_of(page: str) -> dict[str, Any]:
    text = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(text) == 1
    found: dict[str, Any] = json.loads(text[0])
    return found


def test_nothing_an_item_says_becomes_part_of_the_page() -> None:
    asked = item(EVIL, id=EVIL, tags=(EVIL,), paraphrases=(EVIL,))
    page = page_html({"title": EVIL, "facts": [[EVIL, EVIL]]}, [entry(asked, {}, picture="p.jpg")])
    assert "<img src=x" not in page and page.count("</script>") == 2 and "\u2028" not in page.partition("<noscript>")[2]
    assert f"<title>{html.escape(EVIL)}</title>" in page
    found = data_of(page)
    assert found["items"][0]["expression"] == EVIL and found["about"]["title"] == EVIL


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = page_html({"title": "t"}, [])
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page.replace("\n", " "))
    assert "innerHTML" not in page and "document.write" not in page and "eval(" not in page


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_of_the_page_is_readable(tmp_path: Path) -> None:
    script = re.findall(r"<script>(.*?)</script>", page_html({"title": "t"}, []), re.DOTALL)[0]
    (tmp_path / "page.js").write_text(script, encoding="utf-8")
    done = subprocess.run(["node", "--check", tmp_path / "page.js"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    named = set(re.findall(r'\bby\("(\w+)"\)', script))
    assert named and all(f'id="{name}"' in page_html({"title": "t"}, []) for name in named)


def test_a_tree_is_told_in_indented_words() -> None:
    request = parse("detect the two largest planes that are not near the ship or in the left half")
    lines = list(tree_lines(request))
    assert lines[0] == (0, "detect") and lines[1] == (1, "planes")
    assert (2, "then the two largest") in lines
    assert [depth for depth, _ in lines] == [0, 1, 2, 3, 4, 4, 2]
    text = " ".join(words for _, words in lines)
    assert "not" in text and "near the ship" in text and "in the left half" in text


def test_an_entry_tells_the_twin_and_where_the_item_comes_from() -> None:
    first, second = item(id="a", twin="b"), item("detect all ships", id="b", twin="a")
    told = entry(first, {"b": second}, picture="p.jpg")
    assert told["twin"] == {"id": "b", "expression": "detect all ships"}
    assert ["image", "photo.png"] in told["provenance"] and ["source", "hand"] in told["provenance"]
    assert told["answers"] == [["p1", "plane", "10 10 30 20"]] and told["run"] is None
    assert entry(item(answer_ids=()), {}, picture="")["none"] == "nothing is right"


@pytest.mark.parametrize(
    ("template", "wording"),
    [("{0}", []), ("", []), ("show me {1}", [["wording", "show me …"]]), ("whole pair", [["wording", "whole pair"]])],
)
def test_an_entry_says_in_words_how_it_was_made(template: str, wording: list[list[str]]) -> None:
    told = entry(item(made=Made(version=2, seed=7, template=template)), {}, picture="")["provenance"]
    assert ["built by", "version 2 of the builder, with seed 7"] in told
    assert ["objects", "5 known, 3 of the class that is asked for, 1 counts neither way"] in told
    assert [row for row in told if row[0] == "wording"] == wording
    assert not any("{" in value for _, value in told)


@pytest.mark.parametrize(
    ("answered", "state", "told"),
    [
        (None, "missing", "not answered yet"),
        (Prediction(id="one", regions=boxes("p1")), "right", "right: 1 found, 0 found wrongly, 0 missed"),
        (Prediction(id="one", regions=boxes("p2")), "wrong", "wrong: 0 found, 1 found wrongly, 1 missed"),
        (Prediction(id="one"), "wrong", "(it answered: none)"),
        (Prediction(id="one", status="timeout"), "timeout", "no answer: timeout"),
    ],
)
def test_an_entry_tells_what_became_of_it(answered: Prediction | None, state: str, told: str) -> None:
    found = entry(item(), {}, picture="", prediction=answered, of_run=True)["run"]
    assert found["state"] == state and told in found["told"] and found["right"] == (state == "right")


def test_an_entry_tells_what_was_understood_otherwise() -> None:
    def tree(expression: str) -> Any:
        answered = Prediction(id="one", request=parse(expression).model_dump(mode="json"))
        return entry(item(), {}, picture="", prediction=answered, of_run=True)["run"]["tree"]

    assert tree("detect all planes near the ship") == []
    assert [1, "ships"] in tree("detect all ships")
    odd = Prediction(id="one", request={"outputs": 3})
    assert entry(item(), {}, picture="", prediction=odd, of_run=True)["run"]["tree"] == [
        [0, "a tree that cannot be read"]
    ]


# ---- the folder -----------------------------------------------------------------------------------------------


def written(folder: Path, items: Sequence[Any], task: Any = "CREC") -> Path:
    path = folder / "items.jsonl"
    write_items(
        path, Header(task=task, command="by hand", seed=0, sources={"hand": "none"}, admitted=len(items)), items
    )
    return path


def test_a_folder_has_a_sheet_a_page_and_a_picture_for_each(folder: Path) -> None:
    items = [item(id=f"i/{n}") for n in range(5)]
    done = inspect(written(folder, items), folder / "look", n=3)
    assert len(done.shown) == 3 and done.total == 5 and done.missing == ()
    entries = data_of((folder / "look/index.html").read_text(encoding="utf-8"))["items"]
    assert [each["id"] for each in entries] == list(done.shown)
    for each in entries:
        assert cv2.imread(str(folder / "look" / each["picture"])).shape[1] == 800
    sheet = cv2.imread(str(folder / "look/contact.png"))
    assert sheet.shape[1] == 2 * (480 + 12) + 12


def test_earlier_pictures_go_and_other_files_stay(folder: Path) -> None:
    path = written(folder, [item(id=f"i{n}") for n in range(4)])
    inspect(path, folder / "look", n=4)
    (folder / "look/pictures/mine.jpg").touch()
    (folder / "look/audit.json").touch()
    inspect(path, folder / "look", n=1)
    assert len(list((folder / "look/pictures").glob("0*.jpg"))) == 1
    assert (folder / "look/pictures/mine.jpg").exists() and (folder / "look/audit.json").exists()


def test_another_page_is_not_written_over(folder: Path) -> None:
    (folder / "index.html").write_text("<p>mine</p>")
    with pytest.raises(UsageError, match="another page"):
        inspect(written(folder, [item()]), folder)
    assert (folder / "index.html").read_text() == "<p>mine</p>"
    (folder / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        inspect(written(folder, [item()]), folder / "file")


def test_an_item_that_cannot_be_drawn_says_why_and_the_rest_is_drawn(folder: Path) -> None:
    gone = item(id="gone", image=Image(path="gone.png", size_wh=(W, H), family="f"))
    done = inspect(written(folder, [item(), gone]), folder / "look")
    assert done.missing == ("gone",) and len(done.shown) == 2
    assert (folder / "look/pictures/0002-gone.jpg").exists()


def test_no_image_at_all(folder: Path) -> None:
    gone = item(image=Image(path="gone.png", size_wh=(W, H), family="f"))
    path = written(folder, [gone])
    with pytest.raises(UsageError, match=r"none of the items' images.*'gone.png'.*--data"):
        inspect(path, folder / "look")
    with pytest.raises(UsageError, match="none of the items' images is in '/nowhere'"):
        inspect(path, folder / "look", root="/nowhere")
    assert not (folder / "look").exists()


def test_many_items_make_several_sheets(folder: Path) -> None:
    assert contact_sheet([np.zeros((30, 40, 3), np.uint8)] * 9).shape == (3 * 42 + 12, 3 * 52 + 12, 3)
    assert contact_sheet([np.zeros((30, 640, 3), np.uint8)] * 9).shape[1] == 3 * 652 + 12
    path = written(folder, [item(id=f"i{n}") for n in range(ITEMS_A_SHEET + 1)])
    done = inspect(path, folder / "look", n=ITEMS_A_SHEET + 1)
    assert [sheet.name for sheet in done.sheets] == ["contact.png", "contact-2.png"]
    inspect(path, folder / "look", n=2)
    assert not (folder / "look/contact-2.png").exists()


def test_pairs_and_items_of_the_field_get_pages(folder: Path) -> None:
    inspect(written(folder, [pair(folder)], "RCD"), folder / "pairs")
    assert cv2.imread(str(folder / "pairs/pictures/0001-one.jpg")).shape[1] == 2 * 600 + 4
    inspect(written(folder, [FieldItem(id="v", task="VQA", answers=("yes",), **FIELD)], "VQA"), folder / "field")
    told = data_of((folder / "field/index.html").read_text(encoding="utf-8"))["items"][0]
    assert told["expression"] == "the plane" and told["texts"] == ["yes"] and told["answers"] == []


def test_a_run_is_shown_with_its_items_and_with_no_others(folder: Path) -> None:
    path = written(folder, [item(id="a"), item(id="b")])
    run_items(path, folder / "run", how=How(baseline="whole-class", oracle=("boxes",)), root=folder, limit=1)
    inspect(path, folder / "look", run=folder / "run")
    about, entries = data_of((folder / "look/index.html").read_text(encoding="utf-8")).values()
    assert [each["run"]["state"] for each in entries] == ["wrong", "missing"]
    assert ["run", "run"] in about["facts"]
    (folder / "other").mkdir()
    other = written(folder / "other", [item(id="c")])
    with pytest.raises(UsageError, match="answered other items"):
        inspect(other, folder / "look", run=folder / "run")
    with pytest.raises(UsageError, match="is no run"):
        inspect(path, folder / "look", run=folder)


def test_the_command_writes_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder, [item(id="a"), item(id="b", tags=("S",))])
    assert main(["bench", "inspect", str(path), "--kind", "S", "--out", str(folder / "look")]) == 0
    assert "1 of 2 items; open" in capsys.readouterr().err
    assert main(["bench", "inspect", str(path), "--id", "b", "--id", "a", "--out", str(folder / "look")]) == 0
    assert [each["id"] for each in data_of((folder / "look/index.html").read_text())["items"]] == ["b", "a"]
    assert main(["bench", "inspect", str(path), "--id", "c", "--out", str(folder / "look")]) == 2
    assert "no item 'c'" in capsys.readouterr().err


def test_paths_and_ids_that_look_like_markup_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "[/b] items"
    here.mkdir(parents=True)
    cv2.imwrite(str(here / "photo.png"), np.full((H, W, 3), GREY, dtype=np.uint8))
    gone = item(id="[/i]", image=Image(path="gone.png", size_wh=(W, H), family="f"))
    write_items(
        here / "items.jsonl",
        Header(task="CREC", command="by hand", seed=0, sources={"hand": "none"}, admitted=2),
        [item(), gone],
    )
    assert main(["bench", "inspect", str(here / "items.jsonl"), "--out", str(here / "[/u]look")]) == 0
    told = capsys.readouterr().err
    assert str(here / "[/u]look" / "index.html") in told and "their pages say why: [/i]" in told
