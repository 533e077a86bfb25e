"""Phrases against class lists: spelling, number, synonyms, narrower and broader words, and the error."""

from __future__ import annotations

import time

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


@pytest.mark.parametrize(
    ("phrase", "adjective", "trouble"),
    [
        ("damaged building", "damaged", ""),
        ("flooded oil tanks", "flooded", ""),
        ("old damaged storage tanks", "old damaged", ""),  # though "oil storage tank" is spelt nearly so
        ("tenis court", "", "tenis"),  # courts are known, and "tenis" is no adjective of theirs
        ("red tenis court", "", ""),  # two words differ from "tennis court"
        ("oil tnks", "", "tnks"),
        ("airplnes", "", "airplnes"),
        ("damaged dog", "", ""),
        ("building damaged", "", "damaged"),
    ],
)
def test_the_words_in_trouble(phrase: str, adjective: str, trouble: str) -> None:
    with pytest.raises(UnknownPhrase) as caught:
        resolve(phrase, COMPACT)
    error = caught.value
    assert (error.adjective, error.trouble) == (adjective, trouble)
    assert ("cannot tell which are" in str(error)) is bool(adjective)
    assert not (adjective and "Did you mean" in str(error))


def test_what_an_adjective_error_says() -> None:
    with pytest.raises(UnknownPhrase) as caught:
        resolve("damaged building", ("building", "river"))
    assert str(caught.value) == (
        "the grounder knows 'building', but cannot tell which are 'damaged'; ask for what shows: size, place, colour, "
        "neighbours. It knows: building, river."
    )


@pytest.mark.parametrize(
    ("query", "phrase", "marked"),
    [
        ("planes near the damaged buildings", "damaged building", "damaged"),
        ("count the Tenis courts", "tenis court", "Tenis"),
        ("all damaged ferries", "damaged ferry", "damaged"),  # the phrase itself, in the singular, does not stand there
        ("sheepdogs and dogs", "dog", "dog"),  # not the end of another word
        ("all the hounds", "dog", ""),
        ("ships near the building worth most", "building worth", "worth"),
    ],
)
def test_the_words_in_trouble_are_marked_where_they_stand(query: str, phrase: str, marked: str) -> None:
    with pytest.raises(UnknownPhrase) as caught:
        resolve(phrase, ("building", "tennis court", "ship"))
    caught.value.place_in(query)
    assert "".join(query[start:stop] for start, stop in caught.value.spans) == marked
    assert caught.value.query == query
    if phrase == "dog" and marked:
        assert caught.value.spans == ((14, 17),)
        assert caught.value.pointer() == f"{query}\n              ^^^"


def test_a_phrase_of_many_strange_words_is_told_at_once() -> None:
    phrase = " ".join(f"q{letter}zx" for letter in "abcdefghijklmnopqrst")
    start = time.process_time()
    with pytest.raises(UnknownPhrase):
        resolve(phrase, COMPACT)
    assert time.process_time() - start < 1.0


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
