"""Files of records: what is written is read, damage has a name and a place, and nothing half-written is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from surveyor.core.errors import UsageError
from surveyor.finetune.records.files import Provenance, images_folder, meta_path, read_meta, read_records, write_records
from surveyor.finetune.records.record import Instruction, Picture, with_messages


def caption(id: str, **changes: str) -> Instruction:
    picture = Picture(path=f"{id}.png", size_wh=(9, 9))
    made = {"reply": "A bay.", "family": f"f{id}", "source": "ours", "licence": "CC0", **changes}
    return with_messages(Instruction(id=id, task="caption", pictures=(picture,), **made))


def test_no_records_is_a_file_too(tmp_path: Path) -> None:
    meta = write_records(tmp_path / "none.jsonl", [], Provenance("by hand"))
    assert meta.records == 0
    assert list(read_records(tmp_path / "none.jsonl")) == []


def test_what_is_written_is_read_and_told_of(tmp_path: Path) -> None:
    path, images = tmp_path / "out" / "a.jsonl", tmp_path / "images"
    records = [caption("1"), caption("2", reply="Un été\u2028à “Nîmes”.")]
    dropped = {"box without area": 3}
    meta = write_records(path, records, Provenance("by hand", 7, images, dropped, ("abc",)))
    assert list(read_records(path)) == records
    assert read_meta(path) == meta
    assert (meta.records, meta.tasks, meta.families, meta.seed) == (2, {"caption": 2}, 2, 7)
    assert (meta.licences, meta.dropped, meta.before) == ({"ours": "CC0"}, dropped, ("abc",))
    assert meta.images == "../images"
    assert images_folder(path).resolve() == images
    assert images_folder(path, tmp_path) == tmp_path
    assert [json.loads(line)["id"] for line in path.read_bytes().split(b"\n") if line] == ["1", "2"]
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.jsonl", "a.meta.json"]


def test_the_same_records_are_the_same_bytes(tmp_path: Path) -> None:
    first, again = (tmp_path / name / "a.jsonl" for name in ("one", "two"))
    for path in (first, again):
        write_records(path, [caption("1"), caption("2")], Provenance("by hand"))
    assert first.read_bytes() == again.read_bytes()
    assert meta_path(first).read_bytes() == meta_path(again).read_bytes()


def test_without_a_file_beside_them_images_lie_by_the_records(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_records(path, [caption("1")], Provenance("by hand"))
    meta_path(path).unlink()
    assert read_meta(path) is None
    assert images_folder(path) == tmp_path


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_records(path, [caption("1")], Provenance("by hand"))
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}

    def broken() -> Iterator[Instruction]:
        yield caption("2")
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="disk"):
        write_records(path, broken(), Provenance("by hand"))
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2.*JSON"),
        ('{"id": "2"}', r"line 2, task: Field required \(and \d more\)"),
        (caption("2").model_dump_json().replace('"reply":"A bay."', '"reply":""'), "line 2.*reply in words"),
        ("[1]", "line 2"),
    ],
    ids=["cut", "lacks", "unfit", "no object"],
)
def test_damage_names_the_file_and_the_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(caption("1").model_dump_json() + "\n" + line + "\n")
    records = read_records(path)
    assert next(records).id == "1"
    with pytest.raises(UsageError, match=rf"a\.jsonl' is damaged at {told}"):
        next(records)


def test_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        next(read_records(tmp_path / "absent.jsonl"))
    with pytest.raises(UsageError, match=r"ends in \.jsonl"):
        write_records(tmp_path / "a.json", [], Provenance("by hand"))
    with pytest.raises(UsageError, match="'1' has no messages"):
        write_records(tmp_path / "a.jsonl", [caption("1").model_copy(update={"messages": ()})], Provenance("by hand"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.meta.json").write_text('{"schema_version": "x"}')
    with pytest.raises(UsageError, match="damaged at schema_version"):
        read_meta(tmp_path / "a.jsonl")


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    meta = write_records(path, [caption("1")], Provenance("by hand"))
    meta_path(path).write_text(meta.model_copy(update={"schema_version": 99}).model_dump_json())
    with pytest.raises(UsageError, match="schema 99"):
        images_folder(path)
