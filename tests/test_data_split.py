"""Records divided by leakage family: nothing on two sides, published parts kept, leaks told by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.finetune.records.files import Provenance, images_folder, read_meta, read_records, write_records
from surveyor.finetune.records.record import Instruction, Picture, with_messages
from surveyor.finetune.records.split import SplitLeaks, leaks, side_of_family, split_records


def record(id: str, family: str, split: str | None = None, image: str = "") -> Instruction:
    picture = Picture(path=image or f"{id}.png", size_wh=(9, 9))
    made = Instruction(id=id, task="caption", pictures=(picture,), reply="A bay.", family=family, split=split)
    return with_messages(made)


def file(path: Path, records: Sequence[Instruction], images: Path | None = None) -> Path:
    write_records(path, records, Provenance("by hand", images=images))
    return path


def ids(path: Path) -> list[str]:
    return [record.id for record in read_records(path)]


def test_families_stay_together_and_everything_is_somewhere(tmp_path: Path) -> None:
    records = [record(f"{number}", f"f{number % 40}") for number in range(200)]
    source = file(tmp_path / "all.jsonl", records)
    written = split_records([source], tmp_path / "out", val=0.2, test=0.2, command="split")
    parts = [tmp_path / f"out/{side}.jsonl" for side in ("train", "val", "test")]
    assert sorted(written) == ["test", "train", "val"]
    assert sorted((id for part in parts for id in ids(part)), key=int) == [f"{number}" for number in range(200)]
    assert not leaks(parts)
    before, meta = read_meta(source), read_meta(parts[0])
    assert before is not None and meta is not None
    assert meta.before == (before.sha256,) and meta.command == "split"


@given(st.text(min_size=1), st.integers(), st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_side_is_a_matter_of_name_and_seed(family: str, seed: int, val: float, test: float) -> None:
    side = side_of_family(family, seed, val, test)
    assert side == side_of_family(family, seed, val, test)
    if side == "test":  # a larger share takes families in and gives none away
        assert side_of_family(family, seed, val, test + 0.1) == "test"


def test_two_datasets_of_one_ground_agree(tmp_path: Path) -> None:
    """DOTA and iSAID divided one after the other: no scene of one is on another side of the other."""
    one = file(tmp_path / "dota.jsonl", [record(f"d{n}", f"dota:P{n}") for n in range(50)])
    two = file(tmp_path / "isaid.jsonl", [record(f"i{n}", f"dota:P{n}") for n in range(49, -1, -1)])
    for path in (one, two):
        split_records([path], tmp_path / path.stem, val=0.2, test=0.2)
    assert not leaks([tmp_path / "dota/train.jsonl", tmp_path / "isaid/test.jsonl"])
    assert leaks([tmp_path / "dota/train.jsonl", tmp_path / "isaid/train.jsonl"])


def test_published_parts_are_kept(tmp_path: Path) -> None:
    records = [record(f"t{n}", f"t{n}", "train") for n in range(30)]
    records += [record(f"v{n}", f"v{n}", "tier3") for n in range(10)]
    records += [record(f"x{n}", f"x{n}", "test_phili") for n in range(10)]
    source = file(tmp_path / "all.jsonl", records)
    split_records([source], tmp_path / "out", val=0.3)
    assert ids(tmp_path / "out/test.jsonl") == [f"x{n}" for n in range(10)]
    val = ids(tmp_path / "out/val.jsonl")
    assert val and all(id[0] in "tv" for id in val)  # no val is published: train gives some
    split_records([source], tmp_path / "anew", val=0.3, test=0.3, ignore_published=True)
    assert {id[0] for id in ids(tmp_path / "anew/test.jsonl")} == {"t", "v", "x"}


def test_a_published_val_is_all_of_val(tmp_path: Path) -> None:
    records = [record(f"{part}{n}", f"{part}{n}", part) for part in ("train", "val") for n in range(10)]
    written = split_records([file(tmp_path / "all.jsonl", records)], tmp_path / "out", val=0.5, test=0)
    assert {side: meta.records for side, meta in written.items()} == {"train": 10, "val": 10}


def test_a_published_split_that_leaks_is_refused_or_the_family_keeps_one_side(tmp_path: Path) -> None:
    """DIOR-RSVG's official split: objects of one image on several sides."""
    records = [record("a1", "dior:1", "train"), record("a2", "dior:1", "test"), record("b", "dior:2", "train")]
    source = file(tmp_path / "all.jsonl", records)
    with pytest.raises(SplitLeaks, match="1 families on several sides: dior:1 in 'train' and 'test'"):
        split_records([source], tmp_path / "out", val=0)
    assert not (tmp_path / "out").exists()
    written = split_records([source], tmp_path / "out", val=0, leaking="drop")
    assert (ids(tmp_path / "out/train.jsonl"), ids(tmp_path / "out/test.jsonl")) == (["b"], ["a2"])
    assert written["test"].dropped == {"family that is published in several parts": 1}


def test_images_of_several_folders_have_one(tmp_path: Path) -> None:
    one = file(tmp_path / "one.jsonl", [record("a", "a")], tmp_path / "data/one")
    two = file(tmp_path / "two.jsonl", [record("b", "b")], tmp_path / "data/two")
    split_records([one, two], tmp_path / "out", val=0, test=0)
    path = tmp_path / "out/train.jsonl"
    found = [images_folder(path).resolve() / record.pictures[0].path for record in read_records(path)]
    assert found == [tmp_path / "data/one/a.png", tmp_path / "data/two/b.png"]


def test_the_same_image_under_two_families_is_told(tmp_path: Path) -> None:
    one = file(tmp_path / "one.jsonl", [record("a", "a", image="x.png")])
    two = file(tmp_path / "two.jsonl", [record("b", "b", image="./x.png")])
    found = leaks([one, two])
    assert not found.families and len(found.images) == 1 and "x.png" in str(found)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"val": 0.6, "test": 0.4}, "less than 1"), ({"val": -0.1}, "0 or more"), ({"leaking": "x"}, "refuse or drop"),
     ({"test": 1e-9}, "no family of 2 fell to 'test'")],
)  # fmt: skip
def test_faults(options: dict, told: str, tmp_path: Path) -> None:
    source = file(tmp_path / "all.jsonl", [record("a", "a"), record("b", "b")])
    with pytest.raises(UsageError, match=told):
        split_records([source], tmp_path / "out", **{"val": 0, **options})
    with pytest.raises(UsageError, match="two or more"):
        leaks([source])
    assert not (tmp_path / "out").exists()


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path / "all.jsonl", [record(f"{n}", f"f{n}") for n in range(60)])
    out = tmp_path / "out"
    assert main(["data", "split", str(source), "--out", str(out), "--val", "0.2", "--test", "0.2", "--seed", "3"]) == 0
    assert "train.jsonl" in capsys.readouterr().err
    parts = [str(out / f"{side}.jsonl") for side in ("train", "val", "test")]
    assert main(["data", "split", "--check", *parts]) == 0
    assert "no family and no image is in two of the 3 files" in capsys.readouterr().err
    assert main(["data", "split", "--check", *parts, str(source)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "60 families on several sides" in told and "55 more" in told
    assert main(["data", "split", str(source)]) == 2
    assert "give --out DIR, or --check" in capsys.readouterr().err
