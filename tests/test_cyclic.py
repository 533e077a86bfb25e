"""Cyclic referring: what names a region becomes its caption and back, and what is ambiguous stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import UnknownPhrase
from surveyor.core.protocols import Description
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.finetune.augment.cyclic import Phrases, RoundTrip, cycled, key_of
from surveyor.finetune.augment.marks import LeftOut
from surveyor.finetune.records.record import Instruction, Marked, Picture, check_reads_back, with_messages

PICTURE = Picture(path="a.png", size_wh=(1000, 500))
OBB = Marked(kind="obb", points=((200, 100), (600, 100), (600, 300), (200, 300)))
FAR = Marked(kind="obb", points=((700, 400), (800, 400), (800, 450), (700, 450)))
BOX = Marked(kind="box", points=((200, 100), (600, 300)), keypoints=((400, 200),))
RING = Marked(kind="polygon", points=((200, 100), (600, 100), (400, 400)))


def record(task: str = "rec", **parts: Any) -> Instruction:
    base: dict[str, Any] = {"id": "1", "task": task, "family": "f", "pictures": (PICTURE,)}
    base |= {"regions": (OBB,)} | ({} if task == "region" else {"phrase": "the largest pond"})
    return with_messages(Instruction(**(base | parts)))


def turned_round(*records: Instruction, seed: int = 0, **more: Any) -> list[Instruction]:
    """What the first gives beside the others."""
    return list(cycled(records[0], Phrases.of(records), seed, **more))


def test_the_papers_example() -> None:
    (made,) = turned_round(record())
    assert made.task == "region" and made.reply.rstrip(".").lower() in ("the largest pond", "largest pond")
    assert "[(200,200),(600,200),(600,600),(200,600)]" in made.messages[0].content
    assert made.made == ("cyclic rec to region",) and made.id == "1~cyclic-rec-to-region"
    check_reads_back([made])


@pytest.mark.parametrize(
    ("task", "parts"),
    [
        ("det", {}),
        ("rec", {}),
        ("res", {"regions": (BOX,)}),
        ("rcd", {"regions": (RING,), "pictures": (PICTURE, PICTURE), "phrase": "building"}),
    ],
)
def test_there_and_back_again(task: str, parts: dict[str, Any]) -> None:
    (caption,) = turned_round(record(task, **parts))
    assert caption.task == "region" and len(caption.pictures) == (2 if task == "rcd" else 1)
    back = turned_round(caption)
    assert {each.task for each in back} == ({"rcd"} if task == "rcd" else {"rec"})
    assert key_of(back[0].phrase) == key_of(record(task, **parts).phrase)
    assert back[0].regions[0].kind == ("polygon" if task == "rcd" else "obb")
    check_reads_back(back)


def test_a_caption_with_key_points_asks_for_both() -> None:
    made = turned_round(record("region", regions=(BOX,), reply="A white roof."))
    assert [each.task for each in made] == ["rec", "res"] and {each.phrase for each in made} == {"white roof"}
    assert made[1].regions == (BOX,)
    check_reads_back(made)


def test_words_and_ways_to_ask_vary_with_the_seed() -> None:
    made = [turned_round(record(), seed=seed)[0] for seed in range(40)]
    assert len({each.reply for each in made}) == 3 and len({each.wording for each in made}) == 4
    assert made[7] == turned_round(record(), seed=7)[0]
    assert all(each.messages[0].content.startswith("<image>\n[region] ") for each in made)


@pytest.mark.parametrize(
    ("phrase", "captions"),
    [
        ("planes", {"airplane"}),
        ("the largest planes", {"largest airplane"}),
        ("oil tank", {"storage tank"}),
    ],
)
def test_captions_keep_their_meaning(phrase: str, captions: set[str]) -> None:
    made = {key_of(turned_round(record(phrase=phrase), seed=seed)[0].reply) for seed in range(9)}
    assert made == captions or made == {key_of(phrase)}
    assert not any("a planes" in turned_round(record(phrase=phrase), seed=s)[0].reply.lower() for s in range(9))


AMBIGUOUS = [
    record(id="2", regions=(FAR,)),
    record(id="2", phrase="The Largest  Ponds", regions=(FAR,)),
    record("det", id="2", phrase="largest pond", regions=(OBB, FAR)),
    record("region", id="2", reply="The largest pond.", regions=(FAR,)),
    record("count", id="2", phrase="largest pond", regions=(), reply="2"),
]


@pytest.mark.parametrize("other", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_one_phrase_for_two_regions_is_not_turned_round(other: Instruction) -> None:
    with pytest.raises(LeftOut, match="ambiguous"):
        turned_round(record(), other)
    with pytest.raises(LeftOut, match="ambiguous"):
        turned_round(record("region", reply="a largest pond"), other)


def test_synonyms_are_one_phrase() -> None:
    with pytest.raises(LeftOut, match="ambiguous"):
        turned_round(record(phrase="plane"), record(id="2", phrase="aeroplanes", regions=(FAR,)))


@pytest.mark.parametrize(
    "other",
    [
        record(id="2", regions=(FAR,), pictures=(Picture(path="b.png", size_wh=(1000, 500)),)),
        record("res", id="2", regions=(BOX,)),
        record(id="2", phrase="the smallest pond", regions=(FAR,)),
        record("count", id="2", phrase="largest pond", regions=(), reply="1"),
    ],
)
def test_what_is_no_ambiguity(other: Instruction) -> None:
    assert turned_round(record(), other)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (record(regions=()), "names nothing"),
        (record(regions=(OBB, FAR)), "several regions"),
        (record("vqa", regions=(), reply="yes"), "names no region"),
        (record("region", reply="It is a pond. It is large."), "no phrase"),
        (record("region", reply="word " * 40), "no phrase"),
        (record("region", reply="The."), "no phrase"),
        (record(regions=(Marked(kind="obb", points=((1, 1), (1.4, 1), (1.4, 1.1), (1, 1.1))),)), "rounded"),
    ],
)
def test_what_is_left_out_says_why(one: Instruction, reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        turned_round(one)


def test_a_slanted_thing_told_in_two_kinds_is_one() -> None:
    slanted = Marked(kind="obb", points=((200, 100), (420, 320), (400, 340), (180, 120)))
    upright = Marked(kind="box", points=((180, 100), (420, 340)), keypoints=((300, 220),))
    assert turned_round(record(regions=(slanted,)), record("res", id="2", regions=(upright,)))


# ---- models

SCENE = Scene.from_array(np.zeros((500, 1000, 3), np.uint8))


class Models:
    """Finds one box for one phrase and describes everything in the same words."""

    name = "test"

    def __init__(self, found: Marked, caption: str = "pond") -> None:
        self.found, self.caption, self.asked = found, caption, ""

    def knows(self) -> None:
        return None

    def resolve(self, phrase: str) -> tuple[str, ...]:
        return (phrase,)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        self.asked = phrase
        if phrase == "nothing":
            raise UnknownPhrase("nothing", ())
        corners = np.array(self.found.points, dtype=float)
        return (Region("1", phrase, corners, np.concatenate([corners.min(axis=0), corners.max(axis=0)])),)

    def describe(self, scene: Scene, regions: Any) -> tuple[Description, ...]:
        assert len(regions) == 1
        return (Description(self.caption),)


def test_models_must_lead_back() -> None:
    near = Marked(kind="obb", points=((220, 110), (600, 110), (600, 300), (220, 300)))
    agree = Models(near)
    assert turned_round(record(), trip=RoundTrip(agree), scene=SCENE) and agree.asked == "the largest pond"
    assert turned_round(record(), trip=RoundTrip(agree, agree), scene=SCENE) and agree.asked == "pond"
    for trip in (
        RoundTrip(Models(FAR)),
        RoundTrip(Models(near), None, 0.99),
        RoundTrip(Models(near), Models(near, "nothing")),
    ):
        with pytest.raises(LeftOut, match="do not lead back"):
            turned_round(record(), trip=trip, scene=SCENE)


@given(st.text(min_size=1))
def test_any_caption_gives_records_or_a_reason(text: str) -> None:
    try:
        made = turned_round(record("region", reply=text))
    except LeftOut:
        return
    check_reads_back(made)
