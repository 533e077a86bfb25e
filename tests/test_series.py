"""A place at several dates: pairs in a row, a table over time, files, and errors that name the pair."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import surveyor
from affine import Affine
from rich.console import Console
from surveyor.agent.saved import explain_saved
from surveyor.agent.series import INDEX, VECTORS, Series, ask_series, row_of, series_geojson, told
from surveyor.agent.series_page import index_html
from surveyor.app.answer_table import print_series
from surveyor.app.cli import main
from surveyor.core.errors import QueryError, UsageError
from surveyor.core.regions import Change, Region
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeChangeDetector, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

from tests.pair_answers import boxed
from tests.raster_files import write_raster
from tests.test_pair_output import GRID, TEXTURE, parsed

QUERY = "which buildings are new or gone?"
STEPS = {
    "a": [boxed("building-1", (10, 20, 30, 40), Change("new", 0.1, 0.9, "built"), label="building", score=0.9)],
    "b": [
        boxed("building-1", (10, 20, 30, 40), Change("gone"), label="building"),
        boxed("building-2", (60, 20, 70, 30), Change("new"), label="building"),
        boxed("building-3", (80, 20, 90, 30), Change("new"), label="building"),
    ],
    "c": [],
}


class ByDate(FakeChangeDetector):
    """Finds other changes from each date on."""

    def knows(self) -> tuple[str, ...]:
        return ("building",)

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        return tuple(replace(region, source="fake") for region in STEPS[Path(before.name).stem])


def models() -> Models:
    return Models(FakeGrounder([boxed("road-1", (0, 0, 120, 10))]), FakeSegmenter(), change=ByDate())


def dates(folder: Path, names: str = "abcd", **crs: Any) -> list[Path]:
    paths = []
    for number, name in enumerate(names):
        rgb = np.clip(TEXTURE.astype(int) + 5 * number, 1, 255).astype(np.uint8)
        paths.append(write_raster(folder / f"{name}.tif", np.ascontiguousarray(rgb.transpose(2, 0, 1)), **crs))
    return paths


def asked(images: list[Any], **more: Any) -> Series:
    return ask_series(images, QUERY, **{"models": models(), "cache": False, "align": False, **more})


def test_consecutive_pairs_make_a_table_over_time(tmp_path: Path) -> None:
    series = asked(dates(tmp_path), gsd=0.5)
    assert [(r.start, r.end, r.new, r.gone, r.altered, r.undirected, r.regions) for r in series.rows] == [
        ("a", "b", 1, 0, 0, 0, 1),
        ("b", "c", 2, 1, 0, 0, 3),
        ("c", "d", 0, 0, 0, 0, 0),
    ]
    # 20 x 20 px of 0.25 m2 = 100 m2; twice 10 x 10 px = 50 m2
    assert [(r.new_m2, r.gone_m2) for r in series.rows] == [(100, 0), (50, 100), (0, 0)]
    assert series.text == "a to b: 1 new (100 m²)\nb to c: 2 new (50 m²), 1 gone (100 m²)\nc to d: no change"
    assert repr(series) == "Series(3 pairs from 'a' to 'd')"
    record = json.loads(json.dumps(series.to_dict(), allow_nan=False))
    assert record["rows"][1]["from"] == "b" and record["rows"][1]["image_to"] == "c.tif"
    assert len(record["pairs"]) == 3 and record["pairs"][0]["before"]["name"] == "a.tif"


def test_without_a_scale_areas_are_not_known(tmp_path: Path) -> None:
    series = asked(dates(tmp_path, "ab"))
    assert (series.rows[0].new_m2, series.rows[0].gone_m2) == (None, None) and series.text == "a to b: 1 new"


def test_dates_of_the_metadata_name_rows_and_folders(tmp_path: Path) -> None:
    paths = dates(tmp_path, "abc", transform=GRID, crs="EPSG:32633")
    for path, date in zip(paths, ("2019:07:01 10:00:00", "2020:05:02 00:00:00"), strict=False):
        with rasterio.open(path, "r+") as file:
            file.update_tags(TIFFTAG_DATETIME=date)
    series = asked(paths, out=tmp_path / "out")
    assert [row.folder for row in series.rows] == ["1_2019-07-01_2020-05-02", "2_2020-05-02_c"]
    assert [(row.date_from, row.date_to) for row in series.rows] == [
        ("2019-07-01T10:00:00", "2020-05-02"), ("2020-05-02", None),
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1_2019-07-01_2020-05-02", "2_2020-05-02_c", INDEX, VECTORS,
    ]  # fmt: skip
    for row in series.rows:
        assert row.folder is not None
        names = {path.name for path in (tmp_path / "out" / row.folder).iterdir()}
        assert {"overlay.png", "swipe.html", "regions.gpkg", "changes.tif", "trace.json"} <= names


def test_the_index_links_what_is_there(tmp_path: Path) -> None:
    asked(dates(tmp_path, "abc"), out=tmp_path / "out", gsd=0.5)
    found = parsed((tmp_path / "out" / INDEX).read_text(encoding="utf-8"))
    links = [attrs["href"] for attrs in found.all("a")] + [attrs["src"] for attrs in found.all("img")]
    assert len(links) == 2 + 2 + 1 + 2 and all((tmp_path / "out" / str(link)).is_file() for link in links)
    assert "100" in found.text and "1" in found.text and "a to b" in found.text


def test_names_are_escaped_and_safe_as_folders(tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>/../ü'
    scenes = [Scene.from_array(TEXTURE + n, name=name) for n, name in ((0, "a"), (1, evil))]
    series = asked(scenes, out=tmp_path / "out")
    page = index_html(replace(series, query=evil))
    assert not parsed(page).all("script") and evil in "".join(parsed(page).text)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == [series.rows[0].folder]
    assert series.rows[0].folder is not None and set(series.rows[0].folder) <= set("1_abcdefghijklmnopqrstuvwxyz-.()")


def test_series_geojson_has_what_is_in_the_answers(tmp_path: Path) -> None:
    series = asked(dates(tmp_path, "abc", transform=GRID, crs="EPSG:32633"), out=tmp_path / "out")
    data = json.loads((tmp_path / "out" / VECTORS).read_text())
    assert [feature["id"] for feature in data["features"]] == [
        "1/changed_building-1", "2/changed_building-1", "2/changed_building-2", "2/changed_building-3",
    ]  # fmt: skip
    first = data["features"][0]["properties"]
    assert (first["pair"], first["from"], first["to"], first["direction"]) == (1, "a", "b", "new")
    assert "coordinate_frame" not in data and "coordinate_frame" not in first
    assert 14 < data["features"][0]["geometry"]["coordinates"][0][0][0] < 16, "longitude"
    plain = asked([Scene.from_array(TEXTURE + n, name=name) for n, name in enumerate("ab")])
    alone = json.loads(series_geojson(plain))
    assert alone["coordinate_frame"].endswith("of the later image")
    mixed = replace(series, answers=(*series.answers, *plain.answers), rows=(*series.rows, *plain.rows))
    both = json.loads(series_geojson(mixed))
    assert both["coordinate_frame"].startswith("some features")
    frames = [feature["properties"]["coordinate_frame"] is None for feature in both["features"]]
    assert frames == [True] * 4 + [False]


@pytest.mark.parametrize("images", [[], ["a.tif"], "a.tif"], ids=str)
def test_fewer_than_two_images_are_no_series(images: Any) -> None:
    with pytest.raises(UsageError, match="needs two or more images, the earliest first"):
        ask_series(images, QUERY)


def test_an_error_names_the_pair_and_keeps_what_was_written(tmp_path: Path) -> None:
    small = Scene.from_array(TEXTURE[:50], name="small.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / INDEX).write_text("of an earlier run")
    with pytest.raises(UsageError, match=r"^pair 2 of 2 \(b\.tif to small\.png\): .*no georeference") as caught:
        asked([*dates(tmp_path, "ab"), small], out=tmp_path / "out")
    assert isinstance(caught.value.__cause__, UsageError)
    assert (tmp_path / "out" / "1_a_b" / "trace.json").exists()
    assert not (tmp_path / "out" / INDEX).exists(), "nothing of an earlier run may pass for this one"


def test_a_missing_file_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.tif"):
        asked([*dates(tmp_path, "ab"), tmp_path / "nowhere.tif"], out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_words_that_are_not_understood_are_no_pairs_fault(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"^(?!pair)"):
        ask_series(dates(tmp_path, "ab"), "qwertz the flurb of", models=models(), cache=False)


def test_runs_are_named_and_progress_tells_the_pair(tmp_path: Path) -> None:
    seen: list[str] = []
    series = asked(dates(tmp_path, "abc"), run_id="roofs", progress=lambda what, _done, _total: seen.append(what))
    assert [answer.trace.run_id for answer in series.answers] == ["roofs-1", "roofs-2"]
    assert seen[0].startswith("pair 1 of 2: ") and seen[-1].startswith("pair 2 of 2: ")


def test_a_failed_pair_has_no_counts(tmp_path: Path) -> None:
    series = asked(dates(tmp_path, "abc"))
    row = row_of(replace(series.answers[1], failure="the run's time was used up"), "b", "c")
    assert (row.new, row.gone, row.regions, row.new_m2) == (None, None, None, None)
    assert told(row) == "failed: the run's time was used up"
    broken = replace(series, rows=(series.rows[0], row))
    assert "failed: the run&#x27;s time was used up" in index_html(broken)
    text = io.StringIO()
    print_series(broken.to_dict(), Console(file=text, width=100))
    assert next(line for line in text.getvalue().splitlines() if line.startswith("b")).split()[2:5] == ["-"] * 3


def test_the_terminal_shows_the_table(tmp_path: Path) -> None:
    text = io.StringIO()
    print_series(asked(dates(tmp_path), gsd=0.5).to_dict(), Console(file=text, width=100))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert lines[0] == ["from", "to", "new", "gone", "altered", "new", "m2", "gone", "m2", "unknown"]
    assert ["b", "c", "2", "1", "0", "50", "100", "0", "%"] in lines


def test_an_unchanged_series_and_the_same_file_twice(tmp_path: Path) -> None:
    first = dates(tmp_path, "c")[0]
    series = asked([first, first])
    assert series.text == "c to c: no change" and series.rows[0].regions == 0
    assert any("very same pixels" in note for note in series.answers[0].notes)


def test_a_written_pair_is_explained_in_python_and_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(dates(tmp_path, "abc"), out=tmp_path / "out", gsd=0.5)
    place = tmp_path / "out" / "2_b_c"
    explanation = explain_saved(place)
    assert [row.region.id for row in explanation.rows] == [f"changed_building-{n}" for n in (1, 2, 3)]
    assert explanation.rows[0].region.change == Change("gone")
    assert "new or gone" in explanation.text
    assert cv2.imread(str(explanation.draw(tmp_path / "why.png"))) is not None
    assert main(["explain", str(place), "changed_building-2"]) == 0
    told_of = capsys.readouterr().out
    assert "changed_building-2 (changed" in told_of and "  changed: new\n" in told_of


def test_answers_of_pairs_explain_themselves() -> None:
    scenes = [Scene.from_array(TEXTURE + n, name=name, gsd_m=0.5) for n, name in enumerate("bc")]
    answer = surveyor.ask(
        scenes[0], "how many buildings are new?", after=scenes[1], models=models(), cache=False, align=False
    )
    assert answer.count == 2 and len(answer.explain().rows) == 3
    assert [c.region.change and c.region.change.direction for c in answer.rejected] == ["gone"]


def test_metres_come_from_the_later_image(tmp_path: Path) -> None:
    paths = dates(tmp_path, "a", transform=GRID, crs="EPSG:32633")
    coarse = Affine(1, 0, 500_000, 0, -1, 5_400_000)
    half = cv2.resize(TEXTURE, (60, 40), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    paths.append(write_raster(tmp_path / "z.tif", np.ascontiguousarray(half), transform=coarse, crs="EPSG:32633"))
    series = asked(paths)
    assert series.rows[0].new_m2 == 400  # 20 x 20 px of the later grid, a metre each
