"""`surveyor convert-boxes`: what is converted, what is told, and that nothing is dropped in silence."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.app.cli import main
from surveyor.core.codec import Pointed, dialect
from surveyor.core.dialects import STOCK
from surveyor.core.dialects.converting import converted
from surveyor.core.errors import ModelOutputError
from surveyor.core.masks import Mask

SIZE = (1000, 1000)
NAMES = ("native", *(each.name for each in STOCK))
QUAD = np.array([[500, 300], [600, 400], [400, 600], [300, 500]], dtype=float)
Told = pytest.CaptureFixture[str]


def run(*arguments: str | Path, capfd: Told) -> tuple[int, str, str]:
    code = main(["convert-boxes", *map(str, arguments)])
    out, err = capfd.readouterr()
    return code, out, " ".join(err.split())


# ---- one text


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_every_dialect_into_every_other(source: str, target: str) -> None:
    one, other = dialect(source), dialect(target)
    kind = "obb" if "obb" in one.kinds else "box"
    item = Pointed(kind, QUAD if kind == "obb" else np.array([[300.0, 300], [600, 600]]))
    done = converted(one.encode([item], SIZE), SIZE, one, other)
    (back,) = other.decode(done.text, SIZE)
    assert done.objects == 1
    low, high = back.points_px.min(axis=0), back.points_px.max(axis=0)
    assert np.abs([low - 300, high - 600]).max() <= 31
    turned = kind == "obb" and "obb" not in other.kinds
    assert dict(done.losses) == ({"oriented box became the upright box round it": 1} if turned else {})
    assert converted(one.encode([], SIZE), SIZE, one, other).text == other.encode([], SIZE)


def losses(text: str, source: str, target: str) -> dict[str, int]:
    return dict(converted(text, SIZE, dialect(source), dialect(target)).losses)


@pytest.mark.parametrize(
    ("text", "source", "target", "lost"),
    [
        ("[(0,0),(900,0),(0,900),(0,0)]", "native", "geochat", {"outline became the smallest rectangle round it": 1}),
        ("[(0,0),(900,0),(0,900),(0,0)]", "native", "qwen3-vl", {"outline became the upright box round it": 1}),
        ("[(0,0),(900,0),(0,900),(0,0)]", "native", "geoground", {"outline became the cells that it touches": 1}),
        ("[(0,0),(900,0),(0,900),(0,0)]", "native", "falcon", {}),
        ("[(0,0),(9,0),(9,4),(0,4)]", "native", "qwen3-vl", {}),  # upright already
        ("[(0,0),(900,900)] keypoints [(5,5)]", "native", "falcon", {"key points left out": 1}),
        ("<p>ship</p> {<1><1><20><20>|<90>}", "geochat", "native", {"name left out": 1}),
        ("<p>ship</p> {<1><1><20><20>|<90>}", "geochat", "qwen2-vl", {}),
        ("It is {<1><1><20><20>|<90>}.", "geochat", "native", {"words round the objects left out": 1}),
        ("[(5,5),(7,7)]", "native", "vrsbench", {"object too small for the grid: it has no area any more": 1}),
        ("<seg>1*2;1*2</seg>", "geoground", "native", {}),
        ("<seg>1*2;1,0</seg>", "geoground", "vrsbench-obb1", {"mask became the smallest rectangle round it": 1}),
        ("<seg>1*2;1,0</seg>", "geoground", "vrsbench", {"mask became the upright box round it": 1}),
        (
            "<seg>1*5;1,0,1,0,1;1*3,0,1;0*4,1;1,0*4</seg>", "geoground", "falcon",
            {"hole of a mask filled": 1, "further part of a mask became an object of its own": 1},
        ),
    ],
)  # fmt: skip
def test_what_is_lost_is_told(text: str, source: str, target: str, lost: dict[str, int]) -> None:
    assert losses(text, source, target) == lost


def test_words_are_an_error_where_that_is_asked() -> None:
    with pytest.raises(ModelOutputError):
        converted("It is {<1><1><20><20>|<90>}.", SIZE, dialect("geochat"), dialect("native"), strict=True)


def test_masks_keep_their_pixels_where_outlines_can_say_them() -> None:
    grid = "0*8;0*2,1*3,0*3;0*2,1*3,0*3;0*8;0*8;0*5,1*2,0*1;0*8;0*8"
    done = converted(f"<seg>{grid}</seg>", (1600, 800), dialect("geoground"), dialect("native"))
    rings = [item.points_px for item in dialect("native").decode(done.text, (1600, 800), kind="polygon")]
    (item,) = dialect("geoground").decode(f"<seg>{grid}</seg>", (1600, 800))
    assert Mask.from_polygon(rings, (800, 1600)) == item.mask


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.data())
def test_any_text_is_converted_or_refused(source: str, target: str, data: st.DataObject) -> None:
    pieces = [
        "{<1><2><30><40>|<50>}", "[(1,2),(3,4)]", "<box>[[1,2,3,4]]</box>", "<seg>0*2;0*1,1*1</seg>", "none", " ", "x",
        "<quad><1><2><3><2><3><4><1><4></quad>", '[{"bbox_2d": [1, 2, 3, 4]}]', "[(1,2),(3,2),(1,2),(1,2)]",
    ]  # fmt: skip
    text = data.draw(st.lists(st.sampled_from(pieces), max_size=5).map("".join))
    try:
        done = converted(text, (640, 480), dialect(source), dialect(target))
    except ModelOutputError:
        return
    again = dialect(target).decode(done.text, (640, 480))
    assert (len(again) == 0) == (done.objects == 0)


# ---- files


def test_plain_lines_to_stdout(tmp_path: Path, capfd: Told) -> None:
    file = tmp_path / "replies.txt"
    file.write_text("{<10><20><30><40>|<90>}{<1><1><3><3>|<90>}\nnone\nIt is {<10><20><30><40>|<90>}\n")
    code, out, err = run(file, "--from", "geochat", "--to", "native", "--size", "1000x1000", capfd=capfd)
    assert code == 0
    assert out.splitlines() == [
        "[(100,200),(300,200),(300,400),(100,400)] [(10,10),(30,10),(30,30),(10,30)]", "none",
        "[(100,200),(300,200),(300,400),(100,400)]",
    ]  # fmt: skip
    assert "3 objects in 3 texts: geochat -> native" in err and "1 x words round the objects left out" in err
    for line in out.splitlines():
        assert dialect("native").decode(line, SIZE) is not None


def test_records_keep_their_fields_and_their_own_sizes(tmp_path: Path, capfd: Told) -> None:
    file, new = tmp_path / "records.jsonl", tmp_path / "new.jsonl"
    records = [
        {"id": 1, "answer": "{<10><20><30><40>}", "size_wh": [1000, 500], "ü": [1]},
        {"id": 2, "answer": "{<10><20><30><40>}", "width": 200, "height": 100},
        {"id": 3, "answer": "{<10><20><30><40>}"},
    ]
    file.write_text("\n".join(map(json.dumps, records)) + "\n\n")
    options = ("--from", "vrsbench", "--to", "qwen2.5-vl", "--field", "answer", "--out", new)
    code, _, err = run(file, *options, capfd=capfd)
    assert code == 1 and "line 3" in err and "size" in err and not new.exists()
    code, out, _ = run(file, *options, "--size", "100x100", capfd=capfd)
    assert code == 0 and out == ""
    made = [json.loads(line) for line in new.read_text().splitlines()]
    assert [json.loads(each["answer"])[0]["bbox_2d"] for each in made] == [
        [100, 100, 300, 200], [20, 20, 60, 40], [10, 20, 30, 40],
    ]  # fmt: skip
    assert [{**each, "answer": ""} for each in made] == [{**each, "answer": ""} for each in records]


def test_unreadable_lines_fail_unless_they_are_to_be_left_out(tmp_path: Path, capfd: Told) -> None:
    file, new = tmp_path / "replies.txt", tmp_path / "new.txt"
    file.write_bytes(b"{<1><2><3><4>|<5>}\n" + b"{<1><2>\n\n\xff\xfe\n" + b"cut {\n" * 12 + b"none\n")
    new.write_text("what was there")
    options = ("--from", "geochat", "--to", "falcon", "--size", "100x100", "--out", new)
    code, out, err = run(file, *options, capfd=capfd)
    assert code == 1 and out == ""
    assert [int(n) for n in re.findall(r"line (\d+):", err)] == list(range(2, 12)) and "and 5 more" in err
    assert "15 of 17 lines" in err and "--skip-unreadable" in err
    assert new.read_text() == "what was there" and len(list(tmp_path.iterdir())) == 2
    code, _, err = run(file, *options, "--skip-unreadable", capfd=capfd)
    assert code == 0 and "15 unreadable lines left out" in err
    assert len(new.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1]", "no record"), ("{}", "'text'"), ('{"text": 5}', "'text'"), ("{bad", "line 1"),
        ('{"text": "none"', "line 1"),
        ('{"text": "none", "size_wh": [0, 5]}', "above 0"), ('{"text": "none", "width": 5}', "above 0"),
        ('{"text": "none", "size_wh": "5x5"}', "above 0"), ('{"text": "none"}', "--size"),
    ],
)  # fmt: skip
def test_records_that_are_none(line: str, says: str, tmp_path: Path, capfd: Told) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text(line + "\n")
    code, out, err = run(file, "--from", "geochat", "--to", "native", capfd=capfd)
    assert code == 1 and out == "" and says in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--from", "klingon", "--to", "native", "--size", "9x9"), "unknown dialect 'klingon', expected one of"),
        (("--from", "native", "--to", "klingon", "--size", "9x9"), "unknown dialect"),
        (("--from", "native", "--to", "geochat"), "--size WIDTHxHEIGHT"),
        (("--from", "native", "--to", "geochat", "--size", "9"), "'9', expected WIDTHxHEIGHT"),
        (("--from", "native", "--to", "geochat", "--size", "0x9"), "expected WIDTHxHEIGHT"),
        (("--to", "geochat"), "--from"),
    ],
)
def test_calls_that_must_change(options: tuple[str, ...], says: str, tmp_path: Path, capfd: Told) -> None:
    file = tmp_path / "a.txt"
    file.write_text("none\n")
    code, out, err = run(file, *options, capfd=capfd)
    assert code == 2 and out == "" and says in err


def test_a_file_that_is_not_there(tmp_path: Path, capfd: Told) -> None:
    code, _, err = run(tmp_path / "no.txt", "--from", "native", "--to", "geochat", "--size", "9x9", capfd=capfd)
    assert code == 1 and "No such file" in err


def test_the_examples_in_help_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Told) -> None:
    monkeypatch.chdir(tmp_path)
    Path("replies.txt").write_text("{<1><2><3><4>|<5>}\n")
    Path("records.jsonl").write_text('{"answer": "<rbox>({<50><50><9><9>|<5>})</rbox>", "size_wh": [512, 512]}\n')
    assert main(["convert-boxes", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    examples = re.findall(r"surveyor (convert-boxes \S+ --from .*?)(?= · |$)", text)
    assert len(examples) == 2
    for example in examples:
        assert main(shlex.split(example)) == 0, example
    assert all(name in text for name in NAMES)
