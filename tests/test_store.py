"""The store of results: exact round trips, damage, bounded size, several processes at once."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.agent.store import Made, Store, cache_folder, digest_of, open_store
from surveyor.agent.store_values import regions_from_json, regions_to_json, value_from_json, value_to_json
from surveyor.core.errors import UsageError
from surveyor.core.masks import Mask
from surveyor.core.regions import Candidate, CandidateSet, Region, Verification
from surveyor.tools.values import Count, Measurement, Measurements, Text, Truth, Value

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
texts = st.text(max_size=12)
verdicts = st.sampled_from([True, False, None])


def points(least: int, most: int) -> st.SearchStrategy[np.ndarray]:
    row = st.tuples(numbers, numbers)
    return st.lists(row, min_size=least, max_size=most).map(lambda rows: np.array(rows, dtype=float).reshape(-1, 2))


@st.composite
def regions(draw: st.DrawFn) -> Region:
    x0, x1 = sorted([draw(numbers), draw(numbers)])
    y0, y1 = sorted([draw(numbers), draw(numbers)])
    pixels = draw(st.lists(st.booleans(), min_size=12, max_size=12))
    return Region(
        draw(texts),
        draw(texts),
        draw(points(4, 4)),
        np.array([x0, y0, x1, y1]),
        score=draw(st.none() | st.floats(0, 1)),
        polygon_px=draw(st.none() | points(0, 6)),
        keypoints_px=draw(st.none() | points(0, 3)),
        mask=draw(st.none() | st.just(Mask.from_array(np.array(pixels).reshape(3, 4), (1, 2), (7, 9)))),
        source=draw(texts),
    )


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    asked = draw(st.dictionaries(texts, verdicts, max_size=3))
    reasons = draw(st.dictionaries(texts, texts, max_size=3))
    seen = draw(st.none() | st.builds(Verification, verdicts, texts, st.none() | st.floats(0, 1)))
    return Candidate(draw(regions()), asked, reasons, frozenset(draw(st.sets(texts, max_size=2))), seen)


measurements = st.builds(
    Measurement, texts, st.sampled_from(["length", "area"]), st.none() | st.floats(allow_nan=False), texts
)
values: st.SearchStrategy[Value] = st.one_of(
    st.lists(candidates(), max_size=4).map(lambda found: CandidateSet(tuple(found))),
    st.builds(Count, st.integers(0, 10**6), st.integers(0, 9)),
    st.builds(Truth, verdicts, texts),
    st.builds(
        Measurements,
        st.lists(measurements, max_size=4).map(tuple),
        st.sampled_from([None, "total", "mean"]),
        st.none() | measurements,
    ),
    st.builds(Text, texts),
)


def same(first: object, second: object) -> bool:
    """Equality that looks into arrays, and tells -0.0 from 0.0."""
    if isinstance(first, np.ndarray):
        return isinstance(second, np.ndarray) and first.shape == second.shape and first.tobytes() == second.tobytes()
    if isinstance(first, CandidateSet):
        return isinstance(second, CandidateSet) and all(map(same, first.candidates, second.candidates))
    if isinstance(first, Candidate | Region):
        fields = dataclasses.fields(first)
        return type(first) is type(second) and all(
            same(getattr(first, f.name), getattr(second, f.name)) for f in fields
        )
    if hasattr(first, "items") and not isinstance(first, Measurements):
        return list(first.items()) == list(second.items())  # type: ignore[attr-defined]
    return first == second


@settings(max_examples=150, deadline=None)
@given(values)
def test_values_survive_json_exactly(value: Value) -> None:
    found = [c.region for c in value] if isinstance(value, CandidateSet) else []
    text = json.dumps([value_to_json(value), regions_to_json(found)], allow_nan=False)
    data, region_data = json.loads(text)
    assert same(value, value_from_json(data, regions_from_json(region_data)))


def test_every_field_of_a_value_is_written() -> None:
    """A field added to one of these must be added to agent/store_values.py (and VALUES_VERSION raised)."""
    assert {f.name for f in dataclasses.fields(Region)} == {
        "id", "label", "corners_px", "box_px", "score", "polygon_px", "mask", "keypoints_px", "source", "change",
    }  # fmt: skip
    names = {
        kind: [f.name for f in dataclasses.fields(kind)]
        for kind in (Candidate, Verification, Count, Truth, Measurement, Text)
    }
    assert names == {
        Candidate: ["region", "verdicts", "reasons", "borderline", "verified"],
        Verification: ["verdict", "reason", "confidence"],
        Count: ["n", "undecided"],
        Truth: ["verdict", "reason"],
        Measurement: ["region_id", "attribute", "value", "unit", "to"],
        Text: ["text"],
    }
    assert [f.name for f in dataclasses.fields(Measurements)] == ["items", "summary", "overall"]


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_store_gives_back_what_was_put(value: Value, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    digest = Store(folder).put_value(value)
    found = Store(folder).value(digest)
    assert found is not None and same(value, found)
    assert Store(folder).put_value(found) == digest


def a_set(n: int = 3) -> CandidateSet:
    box = np.array([0.0, 0, 9, 4])
    corners = np.array([[0.0, 0], [9, 0], [9, 4], [0, 4]])
    return CandidateSet(tuple(Candidate(Region(f"plane-{k}", "plane", corners + k, box + k)) for k in range(n)))


def test_a_chain_holds_its_regions_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    found = a_set(200)
    store.put_value(found)
    before, _ = store.size()
    store.put_value(CandidateSet(tuple(c.judged("long", True) for c in found)))
    after, files = store.size()
    assert files == 3 and after - before < before / 2
    reader = Store(tmp_path)
    one, two = (
        reader.value(store.put_value(v)) for v in (found, CandidateSet(tuple(c.judged("long", True) for c in found)))
    )
    assert isinstance(one, CandidateSet) and isinstance(two, CandidateSet)
    assert all(a.region is b.region for a, b in zip(one, two, strict=True))


def test_found_tells_the_value(tmp_path: Path) -> None:
    store, key = Store(tmp_path), digest_of({"tool": "count", "n": 1})
    assert store.look_up(key) is None
    made = Made(store.put_value(Count(2)), 0.25, ("no number in it",), "run-1")
    store.remember(key, made)
    assert Store(tmp_path).look_up(key) == made


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "text", "swap"])
def test_damaged_files_are_removed_and_made_again(harm: str, tmp_path: Path) -> None:
    key = digest_of({"a": 1})
    store = Store(tmp_path)
    digest = store.put_value(Text("words"))
    store.remember(key, Made(digest))
    other = store.put_value(Text("others"))
    for path in (*tmp_path.glob("objects/??/*"), *tmp_path.glob("found/??/*")):
        body = path.read_bytes()
        swapped = next(tmp_path.glob(f"objects/??/{other}")).read_bytes()
        path.write_bytes(
            {
                "cut": body[:-3],
                "flip": body[:80] + bytes([body[80] ^ 1]) + body[81:],
                "empty": b"",
                "text": b"hello\nworld",
                "swap": swapped if path.name == digest else body[::-1],
            }[harm]
        )
    fresh = Store(tmp_path)
    assert fresh.value(digest) is None and fresh.look_up(key) is None
    assert fresh.put_value(Text("words")) == digest
    assert fresh.value(digest) == Text("words")


def test_oldest_goes_first_when_the_bound_is_reached(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=20_000)
    rng = np.random.default_rng(0)
    digests = [store.put_value(Text(rng.bytes(600).hex())) for _ in range(60)]
    now = time.time()
    for age, digest in enumerate(reversed(digests)):
        os.utime(tmp_path / "objects" / digest[:2] / digest, (now - age, now - age))
    assert store.value(digests[0]) is not None, "using it makes it young"
    store.trim()
    assert store.size()[0] <= 20_000
    assert store.value(digests[0]) is not None and store.value(digests[-1]) is not None
    assert store.value(digests[1]) is None


def test_a_folder_that_cannot_be_written_is_told_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file")
    digest = store.put_value(Count(1))
    assert store.trouble is not None and "file" in store.trouble
    assert store.value(digest) is None
    store.trim()


def _work(folder: str, seed: int, out: multiprocessing.Queue[int]) -> None:
    rng, good = np.random.default_rng(seed), 0
    store = Store(folder, max_bytes=30_000)
    for _ in range(120):
        n = int(rng.integers(0, 25))
        digest = store.put_value(a_set(n))
        store.remember(digest_of({"n": n}), Made(digest))
        made = store.look_up(digest_of({"n": n}))
        value = None if made is None else Store(folder).value(made.value)
        assert value is None or (isinstance(value, CandidateSet) and len(value) == n)
        good += value is not None
        if n == 3:
            (Path(folder) / "swept").unlink(missing_ok=True)
            store.trim()
    out.put(good)


def test_two_processes_share_one_store(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    out = spawn.Queue()
    workers = [spawn.Process(target=_work, args=(str(tmp_path), seed, out)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert min(out.get(timeout=5) for _ in workers) > 100
    assert not list(tmp_path.glob("*/??/.new-*"))


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert open_store(False) is None
    store = open_store(True)
    assert store is not None and open_store(True) is store and open_store(store) is store
    monkeypatch.setenv("SURVEYOR_CACHE", "off")
    assert cache_folder() is None and open_store(True) is None
    monkeypatch.delenv("SURVEYOR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = cache_folder()
    assert folder is not None and folder.name == "surveyor"
    monkeypatch.setenv("SURVEYOR_CACHE_MB", "lots")
    with pytest.raises(UsageError, match="'lots'"):
        open_store(True)
