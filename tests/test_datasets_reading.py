"""What readers of datasets share: files with errors that name the place, loose JSON, torch files, leakage families."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.evals.datasets import families, loose_json, reading
from surveyor.evals.datasets.pickles import read_torch_file

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


# ---- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        pytest.param("a.json", None, "cannot read", id="missing"),
        pytest.param("a.json", b'{"a": 1,\n "b": }', "line 2, column 7", id="not JSON"),
        pytest.param("a.json", b"\xff\xfe", "byte 0", id="not text"),
        pytest.param("a.json", b"3", "outermost value is 3", id="a number"),
        pytest.param("a.jsonl", b'{"a": 1}\n\n{"a": \n', "line 3", id="bad line"),
        pytest.param("a.jsonl", b'{"a": 1}\n[1]', r"line 2: \[1\] is no object", id="line of another kind"),
        pytest.param("a.jsonl", b"[\n{}]", "one JSON array", id="array for lines"),
        pytest.param("a.xml", b"<a>\n<b></a>", "line 2", id="not XML"),
    ],
)
def test_damaged_files_are_told_with_the_place(tmp_path: Path, name: str, content: bytes | None, place: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=place) as error:
        if name.endswith("jsonl"):
            list(reading.read_jsonl(path, "some lines"))
        else:
            (reading.read_xml if name.endswith("xml") else reading.read_json)(path, "some content")
    assert name in str(error.value) and "expected" in str(error.value)


def test_jsonl_is_read_as_it_is_consumed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('\ufeff{"a": 1}\n\nbroken')
    lines = reading.read_jsonl(path, "lines")
    assert next(lines) == (1, {"a": 1})
    with pytest.raises(UsageError, match="line 3"):
        next(lines)


def test_walks_are_sorted_by_path_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.xml", "a/z.xml", "a.xml", "A.XML", ".hidden.xml", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    walk = os.walk

    def backwards(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for parent, folders, names in walk(top):
            folders.sort(reverse=True)
            yield parent, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    found = [
        path.relative_to(tmp_path).as_posix() for path in reading.sorted_files(tmp_path, (".xml",), "x", deep=True)
    ]
    assert found == ["A.XML", "a.xml", "a/z.xml", "b.xml"]
    assert [path.name for path in reading.sorted_files(tmp_path, (".xml",), "x")] == ["A.XML", "a.xml", "b.xml"]
    with pytest.raises(UsageError, match=r"no \.png file; expected pictures"):
        reading.sorted_files(tmp_path, (".png",), "pictures")
    with pytest.raises(UsageError, match=r"'nothing'.*is no folder"):
        reading.sorted_files(Path("nothing"), (".png",), "pictures")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="does not exist; expected the folder of X with: a; b"):
        reading.root_folder(tmp_path / "none", "X", ("a", "b"))
    with pytest.raises(UsageError, match="is a file"):
        reading.root_folder(tmp_path / "file", "X", ("a",))
    with pytest.raises(UsageError, match=r"lacks 'images' \(or 'imgs'\)"):
        reading.existing(tmp_path, ("images", "imgs"), "X")
    with pytest.raises(UsageError, match="no split 'dev'; it has train, val"):
        reading.checked_split("dev", ("train", "val"), "X")
    with pytest.raises(UsageError, match=r"line 3: 'k' is True"):
        reading.field_of({"k": True}, "k", int, Path("f"), "line 3")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_image_size_is_that_of_the_scene(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    cv2.imwrite(str(path), np.zeros((7, 13, 3), np.uint8))
    assert reading.image_size(path) == (13, 7)
    with pytest.raises(UsageError, match="none"):
        reading.image_size(tmp_path / f"none{suffix}")


def test_counts_only_where_a_tally_is_kept() -> None:
    tally: Counter[str] = Counter()
    reading.leave_out(None, "x")
    reading.leave_out(tally, "x")
    reading.leave_out(tally, "x", 2)
    assert tally == {"x": 3}


# ---- loose JSON -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_loose_reading_of_strict_json_is_strict_reading(value: Any) -> None:
    text = json.dumps(value)
    assert loose_json.loads(text) == value
    assert loose_json.loads(f"// a note\n[{text} ,]") == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,2,]", [1, 2]),
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
        ('{"a": "x, ]", b: 1, // c: 2,\n}', {"a": "x, ]", "b": 1}),
        ("[.5, 5., +1, -.5e2]", [0.5, 5.0, 1, -50.0]),
        ('{"a": "two\nlines", /* [ */ "b": [],}', {"a": "two\nlines", "b": []}),
        ('["isn\\\'t"]', ["isn't"]),
        ('{"url": "http://x, }"}', {"url": "http://x, }"}),
    ],
)
def test_loose_json(text: str, value: Any) -> None:
    assert loose_json.loads(text) == value


@pytest.mark.parametrize("text", ["", "{", "[1 2]", "{'a': }", "'open", "nothing", "{a b: 1}"])
def test_what_is_no_json_stays_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=r"a\.json.*line"):
        loose_json.read_loose_json(tmp_path / "a.json", "an object")


def test_lines_are_counted_through_comments(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{ // one\n/* two\nthree */\n'a': }")
    with pytest.raises(UsageError, match="line 4"):
        loose_json.read_loose_json(tmp_path / "a.json", "an object")


@given(st.text(alphabet="{}[]'\"\\,:/*ab1.+- \n"))
def test_any_text_is_a_value_or_a_json_error(text: str) -> None:
    with contextlib.suppress(json.JSONDecodeError):
        loose_json.loads(text)


# ---- torch files ------------------------------------------------------------------------------------------------


def torch_zip(path: Path, value: Any) -> None:
    """What `torch.save` writes for plain values."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value, protocol=2))
        archive.writestr("archive/version", "3\n")


def torch_legacy(path: Path, value: Any) -> None:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value, [])
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))


VALUE = [("1.png", [1, 2.5, 3, 4], "a café", np.array([[1.0, 2.0]]), np.float32(0.5), b"\xff\x00")]


@pytest.mark.parametrize("write", [torch_zip, torch_legacy, lambda p, v: p.write_bytes(pickle.dumps(v))])
def test_torch_files_are_read_without_torch(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "x.pth"
    write(path, VALUE)
    ((name, box, text, array, number, data),) = read_torch_file(path, "rows")
    assert (name, box, text, number, data) == ("1.png", [1, 2.5, 3, 4], "a café", 0.5, b"\xff\x00")
    assert array.tolist() == [[1.0, 2.0]]


class Runs:
    """A value whose pickle runs code when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("never_made",)


@pytest.mark.parametrize("write", [torch_zip, torch_legacy, lambda p, v: p.write_bytes(pickle.dumps(v))])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.pth", [Runs()])
    with pytest.raises(UsageError, match=r"x\.pth.*names (posix|nt)\.mkdir.*as JSON"):
        read_torch_file(tmp_path / "x.pth", "rows")
    assert not (tmp_path / "never_made").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"\x80\x02]q\x00(K\x01", b"hello"])
def test_damaged_torch_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.pth.*expected rows"):
        read_torch_file(tmp_path / "x.pth", "rows")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(UsageError, match=r"data\.pkl"):
        read_torch_file(tmp_path / "y.pth", "rows")


@pytest.mark.torch
@pytest.mark.parametrize("is_zip", [True, False])
def test_files_of_torch_itself(tmp_path: Path, is_zip: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    grid = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensors = [grid, grid.T, grid[:, 1], torch.tensor([1, 2]), torch.tensor(7)] if is_zip else []
    rows = [("1.png", [1, 2, 3, 4], "text")]
    torch.save([*rows, tensors], tmp_path / "x.pth", _use_new_zipfile_serialization=is_zip)
    *found, arrays = read_torch_file(tmp_path / "x.pth", "rows")
    assert found == rows
    assert [array.tolist() for array in arrays] == [tensor.tolist() for tensor in tensors]


# ---- leakage families -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("P0706.png", "dota:P0706"),
        ("P0224_0_800_0_800", "dota:P0224"),
        ("P1419_0005.png", "dota:P1419"),
        ("sub/P0003__1__0___0.png", "dota:P0003"),
        ("P10001.png", "dota:P10001"),
        ("00914_0003.png", "dior:00914"),
        ("00011.jpg", "dior:00011"),
        ("train_2956_0001.png", "fair1m:2956"),
        ("Picture1.png", "vrsbench:Picture1"),
        ("000914.jpg", "vrsbench:000914"),
        ("v1.5_scene", "vrsbench:v1.5_scene"),
    ],
)
def test_families_of_patches(name: str, family: str) -> None:
    assert families.mixed_family(name, "vrsbench") == family


@pytest.mark.skipif(not (SHARED / "scenes_misc").is_dir(), reason="the shared data is not here")
def test_families_of_real_names() -> None:
    names = {path.name.removeprefix("geochat_") for path in (SHARED / "scenes_misc").glob("geochat_*")}
    found = {families.mixed_family(name, "geochat") for name in names}
    assert {"fair1m:2956", "dior:04133", "geochat:church_183"} <= found
    sizes = {p.name: reading.image_size(p) for p in (SHARED / "scenes_misc").glob("geochat_*")}
    assert sizes["geochat_train_2956_0001.png"] == (600, 600)  # the side that GeoChat gives its FAST images
    assert sizes["geochat_04133.png"] == (800, 800)  # and SIOR
