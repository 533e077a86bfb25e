"""`surveyor data` as a user meets it: convert (killed and run again), stats, show, split, export."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_trees import tree_of
from surveyor.app.cli import main
from surveyor.finetune.records.files import read_meta, read_records

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
here_only = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
Capture = pytest.CaptureFixture[str]


def large_tree(root: Path, images: int, objects: int) -> Path:
    """DOTA's layout; boxes in rows, so that windows cut some."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "labelTxt").mkdir()
    for number in range(images):
        lines = []
        for x, y in rng.integers(0, 1180, (objects, 2)).tolist():
            lines.append(f"{x} {y} {x + 18} {y} {x + 18} {y + 9} {x} {y + 9} {rng.choice(['ship', 'plane'])} 0")
        (root / f"labelTxt/P{number:04}.txt").write_text("\n".join(lines))
        cv2.imwrite(str(root / f"images/P{number:04}.png"), np.zeros((1200, 1200), np.uint8))
    return root


def test_convert_tells_counts_and_reasons(tmp_path: Path, capsys: Capture) -> None:
    root, out = tree_of("dota", tmp_path / "DOTA"), tmp_path / "out/dota.jsonl"
    given = ["data", "convert", "dota", str(root), "--out", str(out), "--split", "train", "--difficult", "drop"]
    assert main([*given, "--negatives", "0", "-o", "version=1.5"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 records (count 1, det 1) of 1 families" in " ".join(told.err.split())
    assert "det: object marked as difficult" in told.err
    meta = read_meta(out)
    assert meta is not None and meta.images == "../DOTA" and meta.command.startswith("surveyor")
    assert [record.source for record in read_records(out)] == ["DOTA v1.5"] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dotta", "."], "no dataset 'dotta'"),
        (["dota", "absent"], "'absent' does not exist"),
        (["dota", ".", "-o", "version"], "expected KEY=VALUE"),
        (["dota", ".", "--holes", "keep"], "expected drop or outer"),
    ],
)
def test_convert_faults(words: list[str], told: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "convert", *words, "--out", str(tmp_path / "a.jsonl")]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_is_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    root = large_tree(tmp_path / "tree", 3, 60)
    found = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert (
            main(["data", "convert", "dota", str(root), "--out", str(tmp_path / f"{name}.jsonl"), "--seed", seed]) == 0
        )
        found.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert found[0] == found[1] != found[2]


def test_killed_in_the_middle_and_run_again_gives_the_same_file(tmp_path: Path) -> None:
    root, out, whole = large_tree(tmp_path / "tree", 40, 150), tmp_path / "a.jsonl", tmp_path / "whole.jsonl"
    command = [sys.executable, "-m", "surveyor.app.cli", "data", "convert", "dota", str(root), "--out", str(out)]
    part = out.with_name("a.jsonl.part")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}) as running:
        for _ in range(6000):
            if (part.exists() and part.stat().st_size > 100_000) or running.poll() is not None:
                break
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL, "it was over before it could be killed"
    assert part.exists() and not out.exists()
    assert main(["data", "convert", "dota", str(root), "--out", str(out)]) == 0
    assert main(["data", "convert", "dota", str(root), "--out", str(whole)]) == 0
    assert out.read_bytes() == whole.read_bytes() and not part.exists()


def test_stats(tmp_path: Path, capsys: Capture) -> None:
    root, out = tree_of("isaid", tmp_path / "tree"), tmp_path / "a.jsonl"
    assert main(["data", "convert", "isaid", str(root), "--out", str(out), "--negatives", "0.5"]) == 0
    capsys.readouterr()
    assert main(["data", "stats", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["records"] == 12 and told["families"] == 1 and told["images"] == 1
    assert told["tasks"]["det"] == {
        "records": 4, "none": 2, "regions": 2, "crops": 0, "phrases": 4,
        "points": {"mean": 4, "median": 4, "p95": 4, "most": 4},
        "reply_characters": {"mean": 19.5, "median": 4, "p95": 37, "most": 37},
    }  # fmt: skip
    assert told["tasks"]["count"]["none"] == 2 and told["kinds"] == {"obb": 2, "box with key points": 2}
    assert told["classes"] == {"ship": 2, "plane": 2} and told["sizes"] == {"small": 4}
    assert main(["data", "stats", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "12 records, 1 pictures, 1 families" in shown and "left out when it was made: 1 for 1 reason\n" in shown
    assert "regions points 95 % letters" in shown, "80 columns hold every name"
    assert main(["data", "stats", str(tmp_path / "b.jsonl")]) == 2


@pytest.mark.parametrize("name", ["levir-mci", "coco", "geochat_instruct"])
def test_show_draws_every_kind_of_record(name: str, tmp_path: Path, capsys: Capture) -> None:
    root, out = tree_of(name, tmp_path / "tree"), tmp_path / "a.jsonl"
    more = ["-o", "exhaustive=yes"] if name == "coco" else []
    assert main(["data", "convert", name, str(root), "--out", str(out), *more]) == 0
    for suffix in ("html", "png"):
        assert main(["data", "show", str(out), "--out", str(tmp_path / f"look.{suffix}")]) == 0
    told = capsys.readouterr().err
    assert "could not be drawn" not in told and "records; open" in told
    page = (tmp_path / "look.html").read_text(encoding="utf-8")
    assert page.count("<article>") == len(list(read_records(out))) == page.count("data:image/jpeg")
    assert cv2.imread(str(tmp_path / "look.png")).shape[1] > 400


def test_what_is_drawn_lies_where_the_reply_says(tmp_path: Path) -> None:
    from surveyor.finetune.records.pages import record_picture

    root, out = tree_of("dota", tmp_path / "tree"), tmp_path / "a.jsonl"
    assert main(["data", "convert", "dota", str(root), "--out", str(out), "--tasks", "det", "--negatives", "0"]) == 0
    plane = next(record for record in read_records(out) if record.phrase == "plane")
    cv2.imwrite(str(root / plane.pictures[0].path), np.zeros((512, 512, 3), np.uint8))
    drawn = record_picture(plane, root, side_px=512)
    rows, columns = np.nonzero((drawn[..., 1] > 120) & (drawn[..., 2] < 130))  # green, and not the yellow dot
    assert np.abs(np.array([columns.min(), rows.min(), columns.max(), rows.max()]) - (50, 50, 90, 70)).max() <= 1


def test_show_faults(tmp_path: Path, capsys: Capture) -> None:
    root, out = tree_of("rsvg", tmp_path / "tree"), tmp_path / "a.jsonl"
    assert main(["data", "convert", "rsvg", str(root), "--out", str(out)]) == 0
    for words, told in (
        (["--out", "look.pdf"], "ends in .html or .png"),
        (["--out", "look.png", "--task", "dett"], "no task 'dett'"),
        (["--out", "look.png", "--task", "rcd"], "no records of rcd"),
        (["--out", "look.png", "--n", "0"], "n is 0"),
    ):
        assert main(["data", "show", str(out), *words]) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    (root / "images/b.jpg").unlink()
    assert main(["data", "show", str(out), "--out", str(tmp_path / "look.html")]) == 0
    assert "could not be drawn: rsvg/test/b/rec/0" in capsys.readouterr().err


def test_geotiffs_tell_where_they_were_taken(tmp_path: Path) -> None:
    from affine import Affine
    from raster_files import write_raster

    def image(name: str, west: float, north: float) -> None:
        (tmp_path / "tif").mkdir(exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 255, (3, 100, 100), dtype=np.uint8)
        write_raster(tmp_path / "tif" / name, pixels, crs="EPSG:4326", transform=Affine(1e-4, 0, west, 0, -1e-4, north))

    image("a_2010.tif", 2.3451, 48.8601)
    image("a_2020.tif", 2.3501, 48.8601)  # half of the same ground
    image("b.tif", 13.4001, 52.5201)
    image("far.tif", -120.0, 0.0)
    write_raster(tmp_path / "tif/bare.tif", np.zeros((3, 9, 9), np.uint8))
    places = tmp_path / "places.csv"
    places.write_text("name,latitude,longitude\nParis,48.8566,2.3522\nBerlin,52.52,13.405\n")
    out = tmp_path / "a.jsonl"
    words = ["data", "convert", "geotiff", str(tmp_path / "tif"), "--out", str(out), "-o", f"places={places}"]
    assert main(words) == 0
    found = list(read_records(out))
    assert [(record.id, record.reply, record.family) for record in found] == [
        ("geotiff/a_2010/geoloc/place", "[Paris, (48.86, 2.35)]", "geotiff:a_2010"),  # centre 48.855 N 2.350 E
        ("geotiff/a_2020/geoloc/place", "[Paris, (48.86, 2.36)]", "geotiff:a_2010"),
        ("geotiff/b/geoloc/place", "[Berlin, (52.52, 13.41)]", "geotiff:b"),  # centre 52.515 N 13.405 E
    ]
    meta = read_meta(out)
    assert meta is not None
    assert meta.dropped == {"geoloc: no named place within 50 km": 1, "image: without georeference": 1}
    assert main([*words, "-o", "within_km=x"]) == 2
    other = tmp_path / "other.csv"
    other.write_text("name,latitude\nParis,48\n")
    assert main([*words[:-1], f"places={other}"]) == 2


@here_only
def test_real_photographs(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    words = ["data", "convert", "nwpu_vhr10", str(SHARED / "nwpu_vhr10"), "--split", "train", "-o", "exhaustive=all"]
    assert main([*words, "--tasks", "det", "--negatives", "0", "--out", str(out)]) == 0
    records = list(read_records(out))
    assert len({record.family for record in records}) == 519 or len(records) > 800
    assert all(region.kind == "obb" for record in records for region in record.regions)
    assert {record.split for record in records} == {"train"}


@here_only
def test_real_changes(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    held = [word for name in ("test_121", "test_2", "test_77", "test_7", "val_27") for word in ("--without", f"levir:{name}")]  # fmt: skip  # noqa: E501
    words = ["data", "convert", "pairs", str(SHARED / "change/levir"), "-o", "classes=building", *held]
    assert main([*words, "--out", str(out), "--window", "0"]) == 0
    records = list(read_records(out))
    assert {record.family for record in records} == {"levir:train_36", "levir:train_386"}
    assert {record.task for record in records} == {"rcd"} and any(record.regions for record in records)
