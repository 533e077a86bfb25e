"""Exports: what the files hold, and that each trainer's own reader loads them (where it is installed)."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.finetune.records.exports import TARGETS, export
from surveyor.finetune.records.files import Provenance, read_records, write_records
from surveyor.finetune.records.record import Instruction, Marked, Picture, with_messages

RING = Marked(kind="polygon", points=((2, 2), (12, 2), (12, 8)))
CORNERS = Marked(kind="obb", points=((2, 2), (12, 2), (12, 8), (2, 8)))
ASKED = "[change] Outline every building that changed between the first image and the second."


def library(name: str) -> Any:
    """The trainer's module; the test is skipped, with the reason, where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported: {error}")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A crop, a pair, a whole image, and a record without a picture; the images differ in colour."""
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:50] = (0, 0, 255)  # red in OpenCV's order
    for name, colour in (("a.png", pixels), ("b.jpg", np.full_like(pixels, 90)), ("c.png", np.full_like(pixels, 200))):
        cv2.imwrite(str(images / name), colour)
    whole = {name: Picture(path=name, size_wh=(60, 40)) for name in ("a.png", "b.jpg", "c.png")}
    crop = Picture(path="a.png", size_wh=(30, 20), crop_xyxy=(20, 10, 50, 30))
    pair, box = (whole["b.jpg"], whole["c.png"]), Marked(kind="box", points=((2, 2), (12, 8)))
    told = {"given": (CORNERS,), "regions": (box,), "asked": "box", "grid_wh": (100, 100)}
    made = [
        Instruction(id="1", task="det", pictures=(crop,), phrase="ship", regions=(CORNERS,), family="a"),
        Instruction(id="2", task="rcd", pictures=pair, phrase="building", regions=(RING,), family="b"),
        Instruction(id="3", task="vqa", pictures=pair[:1], phrase="Eine Straße?", reply="ja", family="b"),
        Instruction.model_validate({"id": "4", "task": "ggl", "family": "b", **told}),
    ]
    path = tmp_path / "train.jsonl"
    write_records(path, map(with_messages, made), Provenance("by hand", images=images))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("to", ["ms-swift", "llama-factory"])
def test_messages_and_images(to: str, records: Path, tmp_path: Path) -> None:
    done = export([records], to, tmp_path / "out", image_format="png")
    crop, pair, whole, bare = rows(done.files[0])
    assert (done.records, done.written) == (4, 1)
    assert pair["messages"] == [
        {"role": "user", "content": f"<image><image>\n{ASKED}"},
        {"role": "assistant", "content": "[(33,50),(200,50),(200,200),(33,50)]"},
    ]
    assert pair["images"] == [str(tmp_path / "images" / name) for name in ("b.jpg", "c.png")]  # where they lie
    assert whole["messages"][0]["content"] == "<image>\n[vqa] Eine Straße?" and bare["images"] == []
    for row in (crop, pair, whole, bare):
        assert row["messages"][0]["content"].count("<image>") == len(row["images"])
    assert Path(crop["images"][0]).parent == tmp_path / "out/images"
    shown = cv2.imread(crop["images"][0])
    assert shown.shape == (20, 30, 3) and (shown == (0, 0, 255)).all()


def test_trl_has_prompt_and_completion_without_places_of_images(records: Path, tmp_path: Path) -> None:
    _, pair, _, _ = rows(export([records], "trl", tmp_path / "out").files[0])
    assert pair["prompt"] == [{"role": "user", "content": ASKED}]
    assert [turn["role"] for turn in pair["completion"]] == ["assistant"] and len(pair["images"]) == 2


def test_llama_factory_is_told_of_every_file(records: Path, tmp_path: Path) -> None:
    other = tmp_path / "val.jsonl"
    write_records(other, read_records(records), Provenance("by hand", images=tmp_path / "images"))
    export([records, other], "llama-factory", tmp_path / "out")
    info = json.loads((tmp_path / "out/dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in info.items()} == {"train": "train.jsonl", "val": "val.jsonl"}


def test_odd_files_are_written_anew_and_a_second_export_writes_none(tmp_path: Path) -> None:
    """16 bits, EXIF that turns, TIFF: libraries differ on them. `--copy` writes the others, too."""
    deep, turned, plain = tmp_path / "deep.png", tmp_path / "turned.jpg", tmp_path / "plain.png"
    cv2.imwrite(str(deep), np.full((8, 10), 40000, np.uint16))
    cv2.imwrite(str(plain), np.full((8, 10, 3), 9, np.uint8))
    data = cv2.imencode(".jpg", np.zeros((8, 10, 3), np.uint8))[1].tobytes()
    exif = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    )
    turned.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    sizes = {"deep.png": (10, 8), "turned.jpg": (8, 10), "plain.png": (10, 8)}
    made = [
        Instruction(id=name, task="caption", pictures=(Picture(path=name, size_wh=size),), reply="x", family=name)
        for name, size in sizes.items()
    ]
    path = tmp_path / "a.jsonl"
    write_records(path, map(with_messages, made), Provenance("by hand"))
    done = export([path], "ms-swift", tmp_path / "out")
    assert done.written == 2
    found = [cv2.imread(row["images"][0], cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION) for row in rows(done.files[0])]  # fmt: skip  # noqa: E501
    assert [(image.shape[1], image.shape[0]) for image in found] == list(sizes.values())
    assert {image.dtype for image in found} == {np.dtype(np.uint8)}
    assert export([path], "ms-swift", tmp_path / "out").written == 0
    assert export([path], "ms-swift", tmp_path / "other", copy=True).written == 3


def test_faults(records: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no export to 'axolotl'; expected one of: ms-swift, llama-factory, trl"):
        export([records], "axolotl", tmp_path / "out")
    with pytest.raises(UsageError, match="expected jpg or png"):
        export([records], "trl", tmp_path / "out", image_format="webp")
    with pytest.raises(UsageError, match="two of the files have one name"):
        export([records, records], "trl", tmp_path / "out")
    with pytest.raises(UsageError, match="replaced by its own export"):
        export([records], "trl", tmp_path)
    (tmp_path / "images/c.png").unlink()
    with pytest.raises(UsageError, match=r"c\.png' is not there"):
        export([records], "trl", tmp_path / "out")
    assert not (tmp_path / "out/train.jsonl").exists()


def test_on_the_command_line(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for to in TARGETS:
        assert main(["data", "export", str(records), "--to", to, "--out", str(tmp_path / to)]) == 0
        assert "4 records, 1 new images" in capsys.readouterr().err


# ---- the trainers' own readers ----------------------------------------------------------------------------------

foreign = pytest.mark.filterwarnings("ignore")  # their warnings are theirs


@foreign
def test_trl_reads_it(records: Path, tmp_path: Path) -> None:
    datasets, data_utils = library("datasets"), library("trl.data_utils")
    library("PIL")
    done = export([records], "trl", tmp_path / "out")
    read = datasets.load_dataset(
        "json", data_files=str(done.files[0]), split="train", cache_dir=str(tmp_path / "cache")
    )
    read = read.cast_column("images", datasets.List(datasets.Image()))
    assert len(read) == 4
    row = read[0]
    assert row["images"][0].size == (30, 20)
    asked = data_utils.prepare_multimodal_messages(row["prompt"] + row["completion"], images=row["images"])
    assert [part["type"] for part in asked[0]["content"]] == ["image", "text"]
    assert data_utils.is_conversational(row)
    assert [len(each["images"]) for each in read] == [1, 2, 1, 0]


@foreign
def test_ms_swift_reads_it(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    swift = library("swift.dataset")
    done = export([records], "ms-swift", tmp_path / "out")
    read, _ = swift.load_dataset([str(done.files[0])], strict=True, load_from_cache_file=False)
    assert len(read) == 4
    assert [len(row["images"] or ()) for row in read] == [1, 2, 1, 0]
    assert [turn["role"] for turn in read[1]["messages"]] == ["user", "assistant"]
    assert read[1]["messages"][0]["content"] == f"<image><image>\n{ASKED}"


@foreign
def test_llama_factory_reads_it(records: Path, tmp_path: Path) -> None:
    parser, loader = library("llamafactory.data.parser"), library("llamafactory.data.loader")
    export([records], "llama-factory", tmp_path / "out")
    (attributes,) = parser.get_dataset_list(["train"], str(tmp_path / "out"))
    data = SimpleNamespace(
        dataset_dir=str(tmp_path / "out"), media_dir=str(tmp_path / "out"), streaming=False, max_samples=None,
        preprocessing_num_workers=None, overwrite_cache=True, interleave_probs=None,
    )  # fmt: skip
    model = SimpleNamespace(cache_dir=str(tmp_path / "cache"), hf_hub_token=None, trust_remote_code=False)
    training = SimpleNamespace(local_process_index=0, dataloader_num_workers=0)
    read = loader._load_single_dataset(attributes, model, data, training)
    assert len(read) == 4
    assert [len(row["_images"] or ()) for row in read] == [1, 2, 1, 0]
    pair = read[1]
    assert pair["_prompt"] == [{"content": f"<image><image>\n{ASKED}", "role": "user"}]
    assert [turn["role"] for turn in pair["_response"]] == ["assistant"]
    assert all(Path(image).is_file() for image in pair["_images"])
