"""What comes out of answers about two dates: picture, page to swipe, vectors, map of changes, tables."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from surveyor.agent import change_map, change_words, output, overlay, pair_overlay, swipe_page, vectors
from surveyor.agent.answer import Answer
from surveyor.agent.drawing import Tag
from surveyor.agent.notebook import answer_html
from surveyor.app.answer_table import print_answer
from surveyor.core.masks import Mask
from surveyor.core.pair import open_pair
from surveyor.core.regions import Candidate, CandidateSet, Change, Region
from surveyor.core.scene import Scene
from surveyor.core.trace import Trace

from tests.pair_answers import answer_of, boxed, drawn, kept, masked, of_files
from tests.raster_files import write_raster

GRID = Affine(0.5, 0, 500_000, 0, -0.5, 5_400_000)
NEW, GONE = Change("new", 0.04, 0.93, "built: 4 % before, 93 % after"), Change("gone", 0.9, None)
ALTERED, OPEN = Change("altered"), Change()
RNG = np.random.default_rng(5)
TEXTURE = cv2.resize(RNG.integers(40, 216, (40, 60, 3), dtype=np.uint8), (120, 80), interpolation=cv2.INTER_CUBIC)


def plain_pair(before: np.ndarray = TEXTURE, after: np.ndarray | None = None, gsd_m: float | None = 0.5) -> Any:
    later = np.clip(before[..., :3].astype(int) + 9, 0, 255).astype(np.uint8) if after is None else after
    scenes = Scene.from_array(before, gsd_m=gsd_m, name="a.png"), Scene.from_array(later, gsd_m=gsd_m, name="b.png")
    return open_pair(*scenes, align=False)


def ringed() -> Mask:
    ring = np.zeros((80, 120), dtype=bool)
    ring[40:60, 60:90] = True
    ring[45:55, 70:80] = False
    return Mask.from_array(ring)


def two_parts() -> Mask:
    parts = np.zeros((80, 120), dtype=bool)
    parts[5:15, 100:110] = True
    parts[20:25, 100:116] = True
    return Mask.from_array(parts)


def candidates() -> tuple[Candidate, ...]:
    return (
        kept(boxed("building-1", (10, 20, 30, 25), NEW, score=0.75)),
        kept(masked("building-2", ringed(), GONE)),
        kept(masked("building-3", two_parts(), ALTERED)),
        kept(boxed("building-4", (40, 65, 50, 75), OPEN)),
        Candidate(boxed("building-5", (40, 5, 50, 15), NEW), {"new": None}),
        Candidate(boxed("building-6", (5, 60, 15, 75), GONE), {"new": False}),
    )


def geotiffs(folder: Path, **tags: Any) -> tuple[Path, Path]:
    """Two georeferenced dates; the earlier one's first 12 columns are nodata."""
    later = np.clip(TEXTURE.astype(int) + 9, 1, 255).astype(np.uint8)
    earlier = np.maximum(TEXTURE, 1)
    earlier[:, :12] = 0
    paths = folder / "a.tif", folder / "b.tif"
    for path, rgb in zip(paths, (earlier, later), strict=True):
        more = {"nodata": 0} if path is paths[0] else {}
        write_raster(path, np.ascontiguousarray(rgb.transpose(2, 0, 1)), transform=GRID, crs="EPSG:32633", **more)
    for path, date in zip(paths, tags.get("dates", ()), strict=False):
        with rasterio.open(path, "r+") as file:
            file.update_tags(TIFFTAG_DATETIME=date)
    return paths


def geo_answer(folder: Path, *found: Candidate, **more: Any) -> Answer:
    first, second = geotiffs(folder, **more)
    return answer_of(open_pair(first, second, align=False), *found)


# ---- words -------------------------------------------------------------------------------------------------------


def test_kinds_of_change_are_told_apart_by_every_eye() -> None:
    """CIE 1976 distance of any two colours, also with each colour blindness (Machado et al. 2009, table for 1.0)."""
    eyes = (
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    )
    rgb = np.array([kind.rgb for kind in change_words.KINDS]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for eye in eyes:
        seen = np.clip(linear @ np.array(eye).T, 0, 1)
        shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        lab = cv2.cvtColor(shown[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[~np.eye(4, dtype=bool)]
        assert apart.min() > 36


@pytest.mark.parametrize(
    ("label", "thing"),
    [("changed building", "building"), ("changed_building", "building"), ("change", None), ("earlier river", "river"),
     ("road", "road"), ("changed area", None)],
)  # fmt: skip
def test_what_changed(label: str, thing: str | None) -> None:
    assert change_words.thing_of(label) == thing


@pytest.mark.parametrize(
    ("region", "dates"),
    [
        (boxed("a-1", (0, 0, 1, 1), NEW), ("after",)),
        (boxed("a-1", (0, 0, 1, 1), GONE), ("before",)),
        (boxed("a-1", (0, 0, 1, 1), OPEN), ("before", "after")),
        (boxed("a-1", (0, 0, 1, 1), label="river"), ("after",)),
        (boxed("a-1", (0, 0, 1, 1), label="earlier river"), ("before",)),
    ],
)
def test_where_a_region_is_shown(region: Region, dates: tuple[str, ...]) -> None:
    assert change_words.stands_at(region) == dates


# ---- picture -----------------------------------------------------------------------------------------------------


def panels(picture: np.ndarray, answer: Answer) -> list[np.ndarray]:
    """The three panels of a picture whose panels lie side by side, found by their size."""
    assert answer.pair is not None
    layout, (width, height) = pair_overlay.panels_of(answer.pair.after.size_wh)
    assert layout == "beside"
    gap = (picture.shape[1] - 3 * width) // 2
    body = next(  # the caption above is dark, the panel below is not
        top
        for top in range(picture.shape[0] - height)
        if (picture[top : top + 3, : width // 2] > 60).all(axis=2).mean() == 1
    )
    return [picture[body : body + height, n * (width + gap) :][:, :width] for n in range(3)]


def grey_answer(*found: Candidate) -> Answer:
    grey = np.full((80, 80, 3), 128, dtype=np.uint8)
    return answer_of(plain_pair(grey, grey.copy()), *found)


def ink(panel: np.ndarray, kind: str) -> int:
    """How many pixels have the pure colour of a kind of change."""
    colour = next(k.bgr for k in change_words.KINDS if k.name == kind)
    return int((panel == np.array(colour)).all(axis=2).sum())


def test_each_date_shows_what_stands_there_and_change_shows_all() -> None:
    found = [
        kept(boxed(f"building-{n}", (10 + 15 * n, 30, 20 + 15 * n, 50), change))
        for n, change in enumerate((NEW, GONE, ALTERED, OPEN))
    ]
    answer = grey_answer(*found)
    before, after, change = panels(pair_overlay.draw_pair_overlay(answer), answer)
    shown = {
        name: [ink(panel, name) > 0 for panel in (before, after, change)]
        for name in ("new", "gone", "altered", "undirected")
    }
    assert shown == {
        "new": [False, True, True],
        "gone": [True, False, True],
        "altered": [True, True, True],
        "undirected": [True, True, True],
    }
    assert (before[5, 5] == 128).all() and (after[5, 5] == 128).all(), "both dates keep their light"
    assert (change[5, 5] < 100).all(), "change is dimmed"


def test_only_outlines_cover_the_dates_and_areas_are_tinted_in_change() -> None:
    answer = grey_answer(kept(boxed("building-1", (20, 20, 60, 60), NEW)))
    _, after, change = panels(pair_overlay.draw_pair_overlay(answer), answer)
    middle = after.shape[0] // 2
    assert (after[middle, middle] == 128).all()
    blue, green, red = change[middle, middle].astype(int)
    assert blue > green > red


def test_the_pixels_of_small_things_stay_free() -> None:
    answer = grey_answer(kept(boxed("vehicle-1", (40, 40, 41, 42), NEW)))
    _, after, _ = panels(pair_overlay.draw_pair_overlay(answer), answer)
    scale = after.shape[0] / 80
    thing = after[round(40 * scale) : round(42 * scale), round(40 * scale) : round(41 * scale)]
    assert ink(after, "new") > 50 and (thing == 128).all()


def test_things_of_one_date_are_drawn_at_their_date() -> None:
    answer = grey_answer(
        kept(boxed("river-1", (5, 5, 35, 35), label="earlier river")), kept(boxed("road-1", (45, 45, 75, 75)))
    )
    before, after, _ = panels(pair_overlay.draw_pair_overlay(answer), answer)
    half = before.shape[0] // 2
    green = np.array(overlay.KEPT)
    where = [[(part == green).all(axis=2).any() for part in (p[:half], p[half:])] for p in (before, after)]
    assert where == [[True, False], [False, True]]


def test_the_layout_stacks_only_very_wide_scenes() -> None:
    assert pair_overlay.panels_of((400, 900))[0] == "beside"
    assert pair_overlay.panels_of((1600, 900))[0] == "beside"
    assert pair_overlay.panels_of((3000, 1000)) == ("stacked", (2400, 800))
    assert pair_overlay.panels_of((100_000, 3)) == ("stacked", (2400, 1))
    assert pair_overlay.panels_of((3, 100_000)) == ("beside", (1, 1200))


@pytest.mark.parametrize("size_wh", [(2, 2), (3, 900), (900, 3), (40, 33)], ids=str)
@pytest.mark.parametrize("gsd_m", [None, 0.1])
def test_tiny_and_narrow_pairs_can_be_drawn_and_paged(size_wh: tuple[int, int], gsd_m: float | None) -> None:
    dark = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8)
    answer = answer_of(plain_pair(dark, dark + 1, gsd_m=gsd_m), kept(boxed("building-1", (0, 0, *size_wh), NEW)))
    picture = pair_overlay.draw_pair_overlay(answer)
    assert picture.shape[1] >= pair_overlay.LEAST_CELL and picture.dtype == np.uint8
    assert "building-1" in swipe_page.swipe_html(answer)


def test_a_huge_pair_is_decimated() -> None:
    class Watched(Scene):
        sizes: ClassVar[list[tuple[int, int] | None]] = []

        def read(self, window_xyxy: Any = None, out_size_wh: tuple[int, int] | None = None) -> np.ndarray:
            self.sizes.append(out_size_wh)
            return super().read(window_xyxy, out_size_wh)

    pair = plain_pair(np.zeros((1300, 1250, 3), np.uint8), np.ones((1300, 1250, 3), np.uint8))
    watched = replace(pair, before=Watched(pair.before._source, name="a"), after=Watched(pair.after._source, name="b"))
    pair_overlay.draw_pair_overlay(answer_of(watched))
    assert Watched.sizes == [(1154, 1200), (1154, 1200)]


def test_tags_tell_the_direction_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tag] = []
    monkeypatch.setattr(pair_overlay, "place_tags", lambda _picture, tags, _size: seen.extend(tags) or 0)
    found = [
        kept(boxed("building-1", (1, 1, 9, 9), NEW)), kept(boxed("changed building-2", (11, 1, 19, 9), OPEN)),
        kept(boxed("road-3", (11, 11, 19, 19))), Candidate(boxed("building-4", (21, 1, 29, 9), NEW), {"new": None}),
    ]  # fmt: skip
    reference = CandidateSet((Candidate(boxed("river-5", (30, 30, 60, 60))),))
    answer = replace(grey_answer(*found), references=(reference,))
    pair_overlay.draw_pair_overlay(answer)
    assert [tag.texts[0] for tag in seen] == [
        "building-1 new",
        "changed building-2",
        "road-3",
        "building-4 ?",
        "river-5",
    ]


def test_the_legend_counts_and_names_unknown_ground() -> None:
    holed = np.dstack([TEXTURE, np.full((80, 120), 255, np.uint8)])
    holed[:8, :, 3] = 0  # a tenth
    answer = answer_of(plain_pair(holed), *candidates())
    assert change_words.legend(answer) == [
        ("new", "1 new"), ("gone", "1 gone"), ("altered", "1 altered"),
        ("undirected", "1 changed, direction unknown"), ("unsure", "1 undecided"), ("out", "1 rejected"),
        ("veil", "10.0 % unknown: no data 10.0 %"),
    ]  # fmt: skip
    assert change_words.legend(answer_of(plain_pair())) == [("none", "no change in the answer")]


def test_one_unknown_pixel_is_hatched_and_named() -> None:
    grey = np.full((100, 100, 4), 128, dtype=np.uint8)
    grey[..., 3] = 255
    grey[50, 50, 3] = 0
    answer = answer_of(plain_pair(grey, grey[..., :3].copy()))
    picture = pair_overlay.draw_pair_overlay(answer)
    change = panels(picture, answer)[2]
    scale = change.shape[0] / 100
    hole = change[round(50 * scale) : round(51 * scale), round(50 * scale) : round(51 * scale)]
    beside = change[round(60 * scale) : round(61 * scale), round(60 * scale) : round(61 * scale)]
    assert not np.array_equal(hole, beside) and (beside == beside[0, 0]).all()
    assert ("veil", "below 0.1 % unknown: no data below 0.1 %") in change_words.legend(answer)


def test_the_same_file_twice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[tuple[Any, str]] = []
    real = pair_overlay.legend_strip
    monkeypatch.setattr(
        pair_overlay, "legend_strip", lambda given, *a, **k: entries.extend(given) or real(given, *a, **k)
    )
    pair_overlay.draw_pair_overlay(answer_of(plain_pair(TEXTURE, TEXTURE.copy())))
    assert [words for _, words in entries] == ["no change in the answer", "both dates have the same pixels"]


def test_captions_have_the_dates_of_the_metadata(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path, dates=("2019:07:01 10:00:00", "2024:05:02 00:00:00"))
    assert answer.pair is not None
    assert change_words.captions(answer.pair) == (("2019-07-01", "a.tif"), ("2024-05-02", "b.tif"))
    assert change_words.captions(plain_pair()) == (("", "a.png"), ("", "b.png"))
    assert [each and each.isoformat() for each in answer.pair.taken] == ["2019-07-01T10:00:00", "2024-05-02T00:00:00"]
    assert plain_pair().taken == (None, None)


# ---- page --------------------------------------------------------------------------------------------------------


class Checked(HTMLParser):
    """Tags that are opened and closed, all attributes, and text."""

    void = frozenset("meta input img link br hr".split())

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def parsed(page: str) -> Checked:
    found = Checked()
    found.feed(page)
    assert not found.open
    return found


EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&@AFTER@"


def test_nothing_that_is_named_reaches_the_page_unescaped() -> None:
    first, second = (Scene.from_array(TEXTURE + n, name=EVIL) for n in (0, 1))
    change = Change("new", reason=EVIL)
    region = boxed("building-1", (1, 1, 9, 9), change)
    evil = replace(region, id=EVIL, label=EVIL)
    reference = CandidateSet((Candidate(replace(boxed("river-1", (20, 20, 40, 40)), id=EVIL, label=EVIL)),))
    answer = answer_of(
        open_pair(first, second), kept(region), kept(evil), references=(reference,), query=EVIL, text=EVIL
    )
    page = swipe_page.swipe_html(replace(answer, notes=(EVIL,), failure=EVIL))
    found = parsed(page)
    assert len(found.all("script")) == 1 and len(found.all("img")) == 2
    assert not any(name.startswith("on") for _, attrs in found.tags for name in attrs)
    assert "".join(found.text).count(EVIL) >= 8, "told as it is, nothing is put in for @AFTER@"


def test_the_page_is_in_one_piece_and_loads_nothing() -> None:
    page = swipe_page.swipe_html(answer_of(plain_pair(TEXTURE, TEXTURE[::-1].copy()), *candidates()))
    found = parsed(page)
    sources = [attrs["src"] for tag, attrs in found.tags if "src" in attrs]
    assert len(sources) == 2 and all(source and source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not found.all("link") and "http" not in page and "@import" not in page and "url(#stripes)" in page
    assert all((attrs["href"] or "").startswith("#r") for attrs in found.all("a"))
    shown = [
        cv2.imdecode(np.frombuffer(base64.b64decode((s or "").split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
        for s in sources
    ]
    assert [image.shape for image in shown] == [(80, 120, 3)] * 2
    before, after = (np.abs(shown[1][..., ::-1].astype(int) - date).mean() for date in (TEXTURE, TEXTURE[::-1]))
    assert before < 16 < 30 < after, "the second image is before"


def test_every_region_has_an_outline_with_a_title_and_a_line_in_the_list() -> None:
    found = parsed(swipe_page.swipe_html(answer_of(plain_pair(), *candidates())))
    groups = {attrs["id"]: attrs for attrs in found.all("g") if "id" in attrs}
    assert {attrs["href"] for attrs in found.all("a")} == {f"#{key}" for key in groups}
    assert [groups[f"r{n}"]["class"] for n in range(1, 7)] == [
        "in new", "in gone", "in altered", "in undirected", "unsure new", "out gone",
    ]  # fmt: skip
    assert groups["r1"]["data-box"] == "10.0 20.0 30.0 25.0"
    text = "".join(found.text)
    assert "building-1: new, 25 m², score 0.75, built: 4 % before, 93 % after" in text
    assert "building-4: direction unknown, 25 m²" in text and "building-5: undecided, new" in text


def test_outlines_keep_holes_and_parts() -> None:
    found = parsed(swipe_page.swipe_html(answer_of(plain_pair(), *candidates())))
    paths = [attrs["d"] for attrs in found.all("path") if attrs.get("class") != "veil"]
    rings = [
        [[float(v) for v in point.split()] for point in ring.rstrip("Z").split("L")]
        for path in paths
        for ring in (path or "").split("M")[1:]
    ]
    assert len(paths) == 6 and len(rings) == 8
    assert sorted(shapely.Polygon(ring).area for ring in rings) == [80, 100, 100, 100, 100, 100, 150, 600]


def test_unknown_ground_is_veiled_in_the_page() -> None:
    holed = np.dstack([TEXTURE, np.full((80, 120), 255, np.uint8)])
    holed[:8, :, 3] = 0
    page = swipe_page.swipe_html(answer_of(plain_pair(holed)))
    assert re.search(r'class="veil" d="M(0.0 0.0|[^"]*L0.0 0.0)', page) and "10.0 % unknown: no data 10.0 %" in page
    assert 'class="veil" d=""' in swipe_page.swipe_html(answer_of(plain_pair()))


def test_the_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = RNG.integers(0, 255, (900, 3000, 3), dtype=np.uint8)
    monkeypatch.setattr(swipe_page, "LARGEST_BYTES", 300_000)
    monkeypatch.setattr(swipe_page, "MOST_LISTED", 3)
    page = swipe_page.swipe_html(answer_of(plain_pair(noise, noise[::-1].copy()), *candidates()))
    assert len(page) < 2 * 300_000 * 4 / 3 + 40_000
    found = parsed(page)
    assert len(found.all("a")) == 3 and "and 3 more in regions.geojson" in page
    assert found.all("svg")[0]["viewbox"] == "0 0 2000 600"


def test_no_region_at_all() -> None:
    page = swipe_page.swipe_html(answer_of(plain_pair()))
    assert "no region" in page and "no change in the answer" in page and not parsed(page).all("g")


# ---- vectors -----------------------------------------------------------------------------------------------------

OF_PAIRS = ("direction", "change_before", "change_after", "change_reason", "type", "date_before", "date_after",
            "image_before", "image_after")  # fmt: skip


def test_geojson_tells_the_change_and_both_dates(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path, *candidates(), dates=("2019:07:01 10:00:00",))
    data = json.loads(vectors.geojson_text(answer, answer.scene))
    told = [{name: feature["properties"][name] for name in OF_PAIRS} for feature in data["features"]]
    assert told[0] == {
        "direction": "new", "change_before": 0.04, "change_after": 0.93,
        "change_reason": "built: 4 % before, 93 % after", "type": "building",
        "date_before": "2019-07-01T10:00:00", "date_after": None, "image_before": "a.tif", "image_after": "b.tif",
    }  # fmt: skip
    assert [each["direction"] for each in told] == ["new", "gone", "altered", None, "new", "gone"]
    assert told[1]["change_reason"] is None and told[1]["change_after"] is None
    assert data["features"][0]["properties"]["area_m2"] == 25.0
    assert data["unknown"]["no data"] == pytest.approx(0.1, abs=0.02)
    holed, parts = data["features"][1]["geometry"], data["features"][2]["geometry"]
    assert len(holed["coordinates"]) == 2 and parts["type"] == "MultiPolygon" and len(parts["coordinates"]) == 2
    rings = [*holed["coordinates"], *(ring for polygon in parts["coordinates"] for ring in polygon)]
    assert all(ring[0] == ring[-1] for ring in rings)
    assert [shapely.LinearRing(ring).is_ccw for ring in rings] == [True, False, True, True], "RFC 7946 3.1.6"


def test_geopackage_has_the_same_in_the_later_crs(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path, *candidates())
    vectors.write_geopackage(tmp_path / "regions.gpkg", answer, answer.scene)
    meta, _, geometry, columns = pyogrio.raw.read(tmp_path / "regions.gpkg", layer="regions")
    table = dict(zip(meta["fields"], columns, strict=True))
    assert {*OF_PAIRS, "area_m2", "score"} <= set(table) and "32633" in meta["crs"]
    assert table["direction"].tolist() == ["new", "gone", "altered", None, "new", "gone"]
    assert table["change_before"][0] == 0.04 and np.isnan(table["change_after"][1])
    assert table["type"].tolist() == ["building"] * 6
    shapes = shapely.from_wkb(geometry)
    assert shapes[1].area == pytest.approx(500 * 0.25) and len(shapely.get_parts(shapes[2])) == 2


def test_a_thing_of_one_date_has_no_direction() -> None:
    answer = answer_of(plain_pair(), kept(boxed("river-1", (1, 1, 9, 9), label="earlier river")))
    told = vectors.properties(answer.regions[0], answer, answer.scene)
    assert told["direction"] is None and told["type"] == "river" and told["change_before"] is None


def test_one_image_has_none_of_it() -> None:
    answer = answer_of(plain_pair(), *candidates())
    told = vectors.properties(answer.regions[0], replace(answer, pair=None), answer.scene)
    assert not set(OF_PAIRS) & set(told)


# ---- map of changes ----------------------------------------------------------------------------------------------


def expected_map(unknown_columns: int = 0) -> np.ndarray:
    wanted = np.zeros((80, 120), dtype=np.uint8)
    wanted[:, :unknown_columns] = 255
    wanted[20:25, 10:30] = 1
    wanted[ringed().to_array()] = 2
    wanted[two_parts().to_array()] = 3
    wanted[65:75, 40:50] = 4
    return wanted


def test_the_map_of_a_plain_pair_is_grey_levels(tmp_path: Path) -> None:
    change_map.write_png(tmp_path / "changes.png", answer_of(plain_pair(), *candidates()))
    assert np.array_equal(cv2.imread(str(tmp_path / "changes.png"), cv2.IMREAD_UNCHANGED), expected_map())


def test_the_map_of_a_georeferenced_pair_is_a_geotiff(tmp_path: Path) -> None:
    change_map.write_geotiff(tmp_path / "changes.tif", geo_answer(tmp_path, *candidates()))
    with rasterio.open(tmp_path / "changes.tif") as file:
        assert file.crs.to_epsg() == 32633 and file.transform == GRID and file.nodata == 255
        assert np.array_equal(file.read(1), expected_map(12)), "a region wins over unknown ground"
        colours = file.colormap(1)
        assert colours[1][:3] == (50, 153, 255) and colours[0][:3] == (0, 0, 0)
        assert file.tags(1)["2"] == "gone" and file.tags(1)["255"] == "unknown"


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 1150), st.sampled_from((NEW, GONE, ALTERED, OPEN))), max_size=6
    )
)
def test_stripes_make_the_map_that_is_painted_at_once(found: list[tuple[int, int, Change]]) -> None:
    tall = plain_pair(np.zeros((1200, 100, 3), np.uint8), np.ones((1200, 100, 3), np.uint8))
    regions = [boxed(f"building-{n}", (x, y, x + 40, y + 50), each) for n, (x, y, each) in enumerate(found)]
    answer = answer_of(tall, *(kept(region) for region in regions))
    wanted = np.zeros((1200, 100), dtype=np.uint8)
    for x, y, each in reversed(found):
        wanted[y : y + 50, x : x + 40] = {"new": 1, "gone": 2, "altered": 3, None: 4}[each.direction]
    stripes = list(change_map.class_stripes(answer))
    assert [top for top, _ in stripes] == [0, 512, 1024]
    assert np.array_equal(np.vstack([stripe for _, stripe in stripes]), wanted)


def test_unknown_pixels_are_255_to_the_pixel() -> None:
    holed = np.dstack([TEXTURE, np.full((80, 120), 255, np.uint8)])
    holed[33, 44, 3] = 0
    ((_, stripe),) = change_map.class_stripes(answer_of(plain_pair(holed)))
    assert np.argwhere(stripe).tolist() == [[33, 44]] and stripe[33, 44] == 255


# ---- files, tables, explanations ---------------------------------------------------------------------------------


def test_the_files_of_a_plain_pair(tmp_path: Path) -> None:
    answer = answer_of(plain_pair(), *candidates())
    files = output.write_outputs(answer, answer.scene, tmp_path / "out")
    names = ["overlay.png", "swipe.html", "regions.geojson", "changes.png", "trace.json"]
    assert [file.name for file in files] == names
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(names), "no leftovers"


def test_the_files_of_a_georeferenced_pair_and_then_of_one_image(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path, *candidates())
    files = output.write_outputs(answer, answer.scene, tmp_path / "out")
    assert [file.name for file in files] == [name for name in output.PAIR_NAMES if name != "changes.png"]
    alone = output.write_outputs(replace(answer, pair=None), answer.scene, tmp_path / "out")
    assert [file.name for file in alone] == list(output.NAMES), "nothing of the pair is left"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(output.NAMES)


def test_nothing_found_still_gives_readable_files(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path)
    output.write_outputs(answer, answer.scene, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "regions.geojson").read_text())["features"] == []
    meta = pyogrio.read_info(tmp_path / "out" / "regions.gpkg", layer="regions")
    assert meta["features"] == 0 and "direction" in meta["fields"]
    with rasterio.open(tmp_path / "out" / "changes.tif") as file:
        assert set(np.unique(file.read(1))) == {0, 255}


def test_a_written_pair_is_explained(tmp_path: Path) -> None:
    answer = geo_answer(tmp_path, *candidates())
    output.write_outputs(answer, answer.scene, tmp_path / "out")
    trace = Trace.from_json((tmp_path / "out" / "trace.json").read_text())
    assert trace.before is not None and trace.before.name == "a.tif"
    assert trace.answer is not None and trace.answer["regions"][0]["change"]["direction"] == "new"


def test_the_table_in_a_terminal_has_a_column_for_the_change() -> None:
    found = (*candidates(), kept(boxed("road-7", (90, 1, 99, 9))))
    text = io.StringIO()
    print_answer(answer_of(plain_pair(), *found).to_dict(), Console(file=text, width=120, legacy_windows=False))
    lines = text.getvalue().splitlines()
    at = next(line for line in lines if line.startswith("id")).index("change")
    rows = [line for line in lines if re.match(r"(building|road)-\d", line)]
    assert [row[at:].split()[0] for row in rows[:4]] == ["new", "gone", "altered", "?"]
    assert rows[4].startswith("road-7") and rows[4][at : at + len("change")].strip() == ""


def test_the_table_of_one_image_has_no_such_column() -> None:
    text = io.StringIO()
    print_answer(
        answer_of(plain_pair(), kept(boxed("road-7", (90, 1, 99, 9)))).to_dict(), Console(file=text, width=120)
    )
    assert "change" not in text.getvalue().split("road-7")[0].splitlines()[-2]


def test_a_notebook_shows_the_pair_and_its_directions() -> None:
    page = answer_html(answer_of(plain_pair(), *candidates()))
    assert page.count("<img") == 1 and ">change</th>" in page
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    assert [row[2] for row in rows if row] == ["new", "gone", "altered", "?", "new", "gone"]


def test_a_drawn_pair_end_to_end(tmp_path: Path) -> None:
    answer = drawn("housing", 7, (320, 320), 0.5)
    files = output.write_outputs(answer, answer.scene, tmp_path)
    codes = cv2.imread(str(tmp_path / "changes.png"), cv2.IMREAD_UNCHANGED)
    counts = change_words.tally(c.region for c in answer.regions)
    assert set(counts) == {"new", "gone", "undirected"} and set(np.unique(codes)) == {0, 1, 2, 4}
    assert all(file.stat().st_size > 0 for file in files)


@pytest.mark.parametrize("name", ["fotbcd/val_104", "levir/train_36_0512_0512"])
def test_real_pairs_are_drawn(name: str) -> None:
    source, _, file = name.partition("/")
    folder = Path(__file__).parents[2] / "shared" / "data" / "change" / source
    if not folder.is_dir():
        pytest.skip(f"the pairs of {source} are not here")
    answer = of_files(folder / "A" / f"{file}.png", folder / "B" / f"{file}.png")
    picture = pair_overlay.draw_pair_overlay(answer)
    assert picture.shape[1] > 3 * 900 and "swipe" not in answer.text
    assert len(swipe_page.swipe_html(answer)) < 4_000_000
