"""Phrases against class lists: spelling, number, synonyms, narrower and broader words, and the error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core import lexicon
from surveyor.core.errors import UnknownPhrase
from surveyor.core.lexicon import is_broader, normalise, plural, resolve, vocabulary

NWPU = (
    "airplane", "ship", "storage_tank", "baseball_diamond", "tennis_court", "basketball_court", "ground_track_field",
    "harbor", "bridge", "vehicle",
)  # fmt: skip
COMPACT = (*NWPU, "building", "tree_crown", "runway")
DOTA = (
    "plane", "baseball-diamond", "bridge", "ground-track-field", "small-vehicle", "large-vehicle", "ship",
    "tennis-court", "basketball-court", "storage-tank", "soccer-ball-field", "roundabout", "harbor", "swimming-pool",
    "helicopter", "container-crane", "airport", "helipad",
)  # fmt: skip
DIOR = (
    "airplane",
    "baseballfield",
    "groundtrackfield",
    "storagetank",
    "Expressway-toll-station",
    "windmill",
    "overpass",
)
SYNTH = ("storage tank", "river", "road", "runway", "building", "quay", "airplane", "tree")

CASES = [
    ("airplanes", NWPU, ["airplane"]),
    ("the planes", NWPU, ["airplane"]),
    ("aircraft", NWPU, ["airplane"]),
    ("Aeroplanes", NWPU, ["airplane"]),
    ("jets", NWPU, ["airplane"]),
    ("boats", NWPU, ["ship"]),
    ("vessels", NWPU, ["ship"]),
    ("oil tanks", NWPU, ["storage_tank"]),
    ("STORAGE-TANKS", NWPU, ["storage_tank"]),
    ("baseball fields", NWPU, ["baseball_diamond"]),
    ("athletics tracks", NWPU, ["ground_track_field"]),
    ("running track", NWPU, ["ground_track_field"]),
    ("harbours", NWPU, ["harbor"]),
    *((word, NWPU, ["harbor"]) for word in ("quays", "docks", "pier", "jetties", "wharves", "ports")),
    ("cars", NWPU, ["vehicle"]),
    ("trucks", NWPU, ["vehicle"]),
    ("buses", NWPU, ["vehicle"]),
    ("vehicles", NWPU, ["vehicle"]),
    ("courts", NWPU, ["tennis_court", "basketball_court"]),
    ("sports fields", NWPU, ["baseball_diamond", "ground_track_field"]),
    ("sports grounds", NWPU, ["baseball_diamond", "tennis_court", "basketball_court", "ground_track_field"]),
    ("objects", NWPU, list(NWPU)),
    ("houses", COMPACT, ["building"]),
    ("rooftops", COMPACT, ["building"]),
    ("trees", COMPACT, ["tree_crown"]),
    ("airstrip", COMPACT, ["runway"]),
    ("vehicles", DOTA, ["small-vehicle", "large-vehicle"]),
    ("cars", DOTA, ["small-vehicle"]),
    ("lorries", DOTA, ["large-vehicle"]),
    ("aircraft", DOTA, ["plane", "helicopter"]),
    ("airplanes", DOTA, ["plane"]),
    ("football pitches", DOTA, ["soccer-ball-field"]),
    ("traffic circles", DOTA, ["roundabout"]),
    ("ground track field", DIOR, ["groundtrackfield"]),
    ("oil tank", DIOR, ["storagetank"]),
    ("toll stations", DIOR, ["Expressway-toll-station"]),
    ("bridges", DIOR, ["overpass"]),
    ("streets", SYNTH, ["road"]),
    ("stream", SYNTH, ["river"]),
    ("water", SYNTH, ["river"]),
    ("docks", SYNTH, ["quay"]),
    ("boats", ("ship", "boat"), ["boat"]),
    ("vessels", ("ship", "boat"), ["ship", "boat"]),
    ("vehicles", ("vehicle", "car", "ship"), ["vehicle", "car"]),
    ("cars", ("vehicle", "small vehicle"), ["small vehicle"]),
]


@pytest.mark.parametrize(("phrase", "known", "expected"), CASES, ids=[f"{c[0]}-{len(c[1])}" for c in CASES])
def test_phrase_finds_classes(phrase: str, known: tuple[str, ...], expected: list[str]) -> None:
    assert list(resolve(phrase, known)) == expected


@pytest.mark.parametrize("phrase", ["dog", "badminton courts", "river", "", "???", "飞机", "x" * 5000])
def test_unknown_phrase_lists_what_is_known(phrase: str) -> None:
    with pytest.raises(UnknownPhrase) as caught:
        resolve(phrase, NWPU, advice="Try the other one.")
    assert caught.value.known == NWPU
    assert "storage_tank" in str(caught.value)
    assert str(caught.value).endswith("Try the other one.")


@pytest.mark.parametrize(
    ("typo", "meant"), [("airplnes", "airplane"), ("tenis courts", "tennis court"), ("oil tnks", "oil tank")]
)
def test_a_misspelling_gets_the_nearest_word(typo: str, meant: str) -> None:
    with pytest.raises(UnknownPhrase, match=f"Did you mean '{meant}'"):
        resolve(typo, NWPU)


def test_nothing_known_is_an_error_not_an_empty_answer() -> None:
    with pytest.raises(UnknownPhrase):
        resolve("objects", ())


def test_a_broader_class_is_recognised_as_such() -> None:
    assert is_broader("trucks", "vehicle")
    assert not is_broader("oil tanks", "storage_tank")
    assert not is_broader("vehicles", "small-vehicle")


@pytest.mark.parametrize(
    ("label", "one", "many"),
    [
        ("storage_tank", "storage tank", "storage tanks"),
        ("small-vehicle", "small vehicle", "small vehicles"),
        ("ships", "ship", "ships"),
        ("aircraft", "aircraft", "aircraft"),
        ("ferry", "ferry", "ferries"),
        ("bus", "bus", "buses"),
    ],
)
def test_plural_goes_with_the_number(label: str, one: str, many: str) -> None:
    assert (plural(label, 0), plural(label, 1), plural(label, 2)) == (many, one, many)


def test_table_is_consistent() -> None:
    rows = list(lexicon._rows())
    names = {name for name, _, _ in rows}
    words = [normalise(word) for _, _, words in rows for word in words] + sorted(names)
    assert sorted(words) == sorted(set(words)), "a word stands for two concepts"
    assert all(parent in names for _, parents, _ in rows for parent in parents)
    assert all(name not in set(lexicon._broader(name)) for name in names), "a concept is broader than itself"


@given(st.sampled_from(sorted(vocabulary())), st.sampled_from([str, str.upper, str.title]), st.sampled_from(" _-"))
@settings(deadline=None, max_examples=60)
def test_case_number_and_separators_do_not_count(word: str, case: object, joint: str) -> None:
    spelled = case(plural(word).replace(" ", joint))  # type: ignore[operator]
    assert resolve(spelled, [word]) == (word,)
    assert resolve(word, [spelled]) == (spelled,)


@given(st.text(max_size=30), st.lists(st.text(max_size=12), max_size=4))
@settings(deadline=None, max_examples=100)
def test_any_text_gives_known_names_or_unknown_phrase(phrase: str, known: list[str]) -> None:
    try:
        found = resolve(phrase, known)
    except UnknownPhrase:
        return
    assert found
    assert set(found) <= set(known)
