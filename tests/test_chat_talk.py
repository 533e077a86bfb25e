"""Whole conversations on drawn scenes, answered from their true annotation: what is talked about stays so."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import cv2
import pytest
from surveyor.agent.chat import Conversation
from surveyor.agent.chat_commands import respond
from surveyor.agent.sessions import Sessions
from surveyor.app import screen
from surveyor.app.cli import main
from surveyor.core.errors import QueryError
from surveyor.core.wording import words
from surveyor.synth import draw_scene

GSD = 0.8


def annotated(folder: Path, kind: str, *seeds: int) -> list[Path]:
    """Scenes as files, with one annotation of all, scenes.json."""
    whole: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": []}
    names: dict[str, int] = {}
    paths = []
    for seed in seeds:
        scene = draw_scene(kind, seed=seed, size_wh=(1000, 640) if kind == "harbour" else (512, 512))
        path = folder / f"{kind}{seed}.png"
        cv2.imwrite(str(path), scene.image_rgb[..., ::-1])
        coco = scene.to_coco(path.name)
        labels = {each["id"]: each["name"] for each in coco["categories"]}
        for name in labels.values():
            names.setdefault(name, len(names) + 1)
        whole["images"].append({**coco["images"][0], "id": seed})
        for each in coco["annotations"]:
            number, category = len(whole["annotations"]) + 1, names[labels[each["category_id"]]]
            whole["annotations"].append({**each, "id": number, "image_id": seed, "category_id": category})
        paths.append(path)
    whole["categories"] = [{"id": number, "name": name} for name, number in names.items()]
    (folder / "scenes.json").write_text(json.dumps(whole))
    return paths


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return annotated(tmp_path_factory.mktemp("harbour"), "harbour", 7)[0]


def talk(*images: Path, **options: object) -> Conversation:
    models = f"grounder=oracle:{images[0].parent}/scenes.json,segmenter=oracle:{images[0].parent}/scenes.json"
    return Conversation(list(images), models=models, gsd=GSD, **options)  # type: ignore[arg-type]


def said(chat: Conversation, *lines: str) -> list[str]:
    """What each line was understood to ask for."""
    return [words(turn.request) for turn in (chat.say(line).turn for line in lines) if turn is not None]


def ids(chat: Conversation, line: str) -> list[str]:
    answer = chat.say(line).answer
    assert answer is not None
    return [candidate.region.id for candidate in answer.regions]


# ---- a yes/no question leaves the set that is talked about -------------------------------------------------------

CHAINS = [
    (
        ("ships", "are they blue?", "how many are there?"),
        ("detect all ships", "check whether there are exactly zero ships that are not blue", "count all ships"),
    ),
    (
        ("ships", "which one is the largest?", "is it in the top half?", "are they red or blue?"),
        (
            "detect all ships",
            "detect the largest ship",
            "check whether there are any ships that are among the largest and in the top half",
            "check whether there are exactly zero ships that are not (red or blue)",
        ),
    ),
    (
        ("the largest ship", "is it red or white?", "is it white?", "how long is it?"),
        (
            "detect the largest ship",
            "check whether there are any ships that are among the largest and (red or white)",
            "check whether there are any ships that are among the largest and white",
            "measure the length of the largest ship",
        ),
    ),
    (
        ("ships", "are they all white?", "are any of them red?", "are they red?", "how many are there?"),
        (
            "detect all ships",
            "check whether there are exactly zero ships that are not white",
            "check whether there are any red ships",
            "check whether there are exactly zero ships that are not red",
            "count all ships",
        ),
    ),
    (("are there any ships?", "where are they?"), ("check whether there are any ships", "detect all ships")),
    (
        ("are there any red ships?", "how long are they?"),
        ("check whether there are any red ships", "measure the length of all red ships"),
    ),
    (
        ("is the largest ship near a building?", "segment it"),
        ("check whether there are any ships that are among the largest and near buildings", "segment the largest ship"),
    ),
    (
        ("ships", "is the largest of them near a building?", "how long is it?"),
        (
            None,
            "check whether there are any ships that are among the largest and near buildings",
            "measure the length of the largest ship",
        ),
    ),
    (("are all ships red? count them", "segment them"), (None, "segment all ships")),
    # a condition or a class in the place of what was asked
    (
        ("ships", "are they blue?", "and red?", "and the vehicles?"),
        (
            "detect all ships",
            "check whether there are exactly zero ships that are not blue",
            "check whether there are exactly zero ships that are not red",
            "check whether there are exactly zero vehicles that are not red",
        ),
    ),
    (
        ("ships", "is ship-9 red?", "and ship-12?", "how long is it?"),
        (
            "detect all ships",
            "check whether there are any ships called ship-9 and red",
            "check whether there are any ships called ship-12 and red",
            "measure the length of the ship called ship-12",
        ),
    ),
    # what the last request named is left out
    (
        ("which ship is nearest to the cranes?", "how far away is it?", "and from the quay?"),
        (
            "detect the ship nearest to cranes",
            "measure the distance of the ship nearest to cranes to cranes",
            "measure the distance of the ship nearest to cranes to the quay",
        ),
    ),
    (
        ("how many ships are within 50 m of a crane?", "and of a building?", "which ones are they?"),
        (None, "count all ships within 50 m of buildings", "detect all ships within 50 m of buildings"),
    ),
    (
        ("the average length of the ships", "and the width?", "and of the cranes?"),
        (None, "measure the average width of all ships", "measure the average width of all cranes"),
    ),
    (("the two largest ships", "which is longer?"), (None, "detect the longest of the two largest ships")),
    (("the two largest ships", "which of the two is wider?"), (None, "detect the widest of the two largest ships")),
    # which ones
    (
        ("ships", "are all longer than 90 m?", "which ones?"),
        (None, None, "detect all ships that are not longer than 90 m"),
    ),
    (("ships", "are all longer than 100 m?", "which ones are?"), (None, None, "detect all ships longer than 100 m")),
    (("ships", "are any of them red?", "which ones?"), (None, None, "detect all red ships")),
    (("ships", "are any of them red?", "describe it"), (None, None, "describe the red ship")),
    (("how many ships are red?", "which ones aren't?"), (None, "detect all ships that are not red")),
    # they, after one thing was asked about
    (("ships", "which is the largest?", "which is the smallest?"), (None, None, "detect the smallest ship")),
    # it and them
    (
        ("is the largest ship near the cranes?", "how far is it from them?"),
        (None, "measure the distance of the largest ship to cranes"),
    ),
    (
        ("ships", "the largest", "how far is it from them?"),
        (None, None, "measure the distance of the largest ship to ships"),
    ),
    (("ships", "describe ship-12", "how many of them are red?"), (None, None, "count all red ships")),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "understood"), CHAINS, ids=[" / ".join(lines) for lines, _ in CHAINS])
def test_what_is_talked_about(harbour: Path, lines: tuple[str, ...], understood: tuple[str | None, ...]) -> None:
    chat = talk(harbour)
    for line, meant in zip(lines, said(chat, *lines), strict=True):
        expected = understood[lines.index(line)]
        assert expected is None or meant == expected, line


def test_answers_after_a_yes_or_no(harbour: Path) -> None:
    chat = talk(harbour)
    ships = ids(chat, "ships")
    assert chat.say("are they blue?").answer.verdict is False  # type: ignore[union-attr]
    assert chat.say("how many are there?").answer.count == len(ships) == 7  # type: ignore[union-attr]
    (largest,) = ids(chat, "the largest of them")
    assert chat.say("is it in the top half?").answer.verdict is False  # type: ignore[union-attr]
    assert chat.turn().about_ids == (largest,) and ids(chat, "segment it") == [largest]
    chat.say("is the largest ship near a building?")
    assert chat.turn().about_ids == (largest,), "told by the verdicts where no turn before has the set"
    assert largest in chat.say("why not?").text


def test_is_it_the_largest(harbour: Path) -> None:
    chat = talk(harbour)
    said(chat, "ships", "which is the second largest?")
    second = chat.turn().kept[0]
    assert chat.say("is it the largest?").answer.verdict is False  # type: ignore[union-attr]
    assert chat.turn().about_ids == (second,)
    (largest,) = ids(chat, "the largest ship")
    assert chat.say("is it the smallest?").answer.verdict is False  # type: ignore[union-attr]
    assert chat.say("and the largest?").answer.verdict is True  # type: ignore[union-attr]
    assert chat.say(f"and {second}?").answer.verdict is False  # type: ignore[union-attr]
    assert chat.say(f"is {largest} the largest?").answer.verdict is True  # type: ignore[union-attr]
    assert chat.say(f"is {second} the second largest?").answer.verdict is True  # type: ignore[union-attr]


def test_what_is_talked_about_is_kept(harbour: Path, tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    said(talk(harbour, session="one", sessions=sessions), "the largest ship", "is it white?")
    again = talk(harbour, session="one", sessions=sessions)
    assert said(again, "how long is it?") == ["measure the length of the largest ship"]


# ---- conditions in the place of others ---------------------------------------------------------------------------

REPLACED = [
    ("how many ships are in the top half?", "and in the bottom half?", "count all ships in the bottom half"),
    ("how many ships are in the top half?", "and in the bottom half", "count all ships in the bottom half"),
    ("how many ships are in the top half?", "what about the bottom half?", "count all ships in the bottom half"),
    ("how many ships are in the top half?", "what about the left?", "count all ships in the left half"),
    ("how many ships are there?", "and in the bottom half?", "count all ships in the bottom half"),
    ("ships longer than 100 m", "and longer than 120 m?", "detect all ships longer than 120 m"),
    ("ships longer than 100 m", "what about shorter than 100 m?", "detect all ships shorter than 100 m"),
    ("ships longer than 50 m and shorter than 140 m", "and longer than 100 m?",
     "detect all ships shorter than 140 m and longer than 100 m"),
    ("ships near the quay", "and near the cranes?", "detect all ships near cranes"),
    ("ships near the quay", "what about within 50 m of the quay?", "detect all ships within 50 m of the quay"),
    ("ships within 50 m of a crane", "and within 100 m?", "detect all ships within 100 m of cranes"),
    ("ships on the east side of the quay", "and on the west side?", "detect all ships on the west side of the quay"),
    ("red ships in the left half", "and white ones?", "detect all ships in the left half and white"),
    ("red or white ships", "and blue?", "detect all blue ships"),
    ("the largest ship", "and the smallest?", "detect the smallest ship"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "then", "meant"), REPLACED, ids=[f"{a} / {b}" for a, b, _ in REPLACED])
def test_a_condition_takes_the_place_of_one_of_its_kind(harbour: Path, first: str, then: str, meant: str) -> None:
    assert said(talk(harbour), first, then)[-1] == meant


def test_a_condition_that_takes_the_place_of_none_is_not_guessed(harbour: Path) -> None:
    chat = talk(harbour)
    chat.say("how many red ships are there?")
    with pytest.raises(QueryError, match="says nothing of that kind") as error:
        chat.say("and in the top half?")
    assert "'of those, the ones in the top half'" in str(error.value) and "'ships in the top half'" in str(error.value)
    assert len(chat.turns) == 1


# ---- put in, taken out, the others -------------------------------------------------------------------------------


def test_put_in_and_taken_out(harbour: Path) -> None:
    chat = talk(harbour)
    ships = ids(chat, "ships")
    assert ids(chat, "remove the second one") == [ships[0], *ships[2:]]
    assert ids(chat, "without the second one") == [ships[0], *ships[3:]]
    assert ids(chat, "the others") == [ships[2]], "of what it was taken from"
    assert ids(chat, "ships") == ships
    cranes = ids(talk(harbour), "cranes")
    assert sorted(ids(chat, "also the cranes")) == sorted(ships + cranes)
    assert ids(chat, "segment those ships") == ships
    assert chat.say("how many ships are there?").text == "7 ships."
    assert chat.say("and the cranes too").text == f"7 ships. {len(cranes)} cranes."
    assert sorted(ids(chat, "segment them")) == sorted(ships + cranes)


def test_one_thing_is_taken_out_of_the_list_it_is_in(harbour: Path) -> None:
    chat = talk(harbour)
    ships = ids(chat, "ships")
    chat.say("describe the second one")
    chat.say("is it red?")
    assert ids(chat, "remove it") == [ships[0], *ships[2:]]
    (largest,) = ids(talk(harbour), "the largest ship")
    alone = talk(harbour)
    alone.say("the largest ship")
    assert ids(alone, "without it") == [name for name in ships if name != largest]
    assert words(chat.say("what is ship-9?").turn.request) == "describe the ship called ship-9"  # type: ignore[union-attr]
    assert words(chat.say("what is it?").turn.request) == "describe the ship called ship-9"  # type: ignore[union-attr]


def test_the_others(harbour: Path) -> None:
    chat = talk(harbour)
    ships, long = ids(chat, "ships"), ids(chat, "ships longer than 100 m")
    assert 0 < len(long) < len(ships)
    assert ids(chat, "the others") == [name for name in ships if name not in long]
    chat.say("ships near the quay")
    two = ids(chat, "the two largest")
    assert sorted(ids(chat, "segment the rest")) == sorted(set(ships) - set(two))
    two = ids(chat, "the two largest ships longer than 50 m")
    assert sorted(ids(chat, "the others")) == sorted(set(ships) - set(two)), "a superlative behind a condition"
    chat.say("ships")
    with pytest.raises(QueryError, match="there are no others: nothing was left out of 'ships'"):
        chat.say("the others")


def test_the_third_one_is_counted_in_the_list(harbour: Path) -> None:
    chat = talk(harbour)
    ships = ids(chat, "ships")
    for line, at in (("describe the second one", 1), ("describe the third one", 2), ("how long is the first one?", 0),
                     ("and the second one?", 1)):  # fmt: skip
        assert ids(chat, line) == [ships[at]], line


def test_why_it_is_not_what_nobody_asked_for(harbour: Path) -> None:
    chat = talk(harbour)
    ships = ids(chat, "ships")
    (largest,) = ids(talk(harbour), "the largest ship")
    other = next(name for name in ships if name != largest)
    told = chat.say(f"why is {other} not the largest?").text
    assert other in told and "the largest: rank" in told and len(chat.turns) == 1
    assert "is in the answer" in chat.say(f"why is {largest} the largest?").text
    assert "white" in chat.say(f"why is {other} not white?").text


def test_nearest_to_what_was_named(harbour: Path) -> None:
    chat = talk(harbour)
    lines = ("ships", "how far are they from the cranes?", "which one is the closest?", "and the farthest?")
    assert said(chat, *lines)[2:] == ["detect the ship nearest to cranes", "detect the ship farthest from cranes"]
    chat.say("ships")
    with pytest.raises(QueryError, match="closest to what"):
        chat.say("which one is closest?")
    with pytest.raises(QueryError, match="The last answer holds 7"):
        chat.say("segment both")


def test_one_image_tells_how_to_add_another(harbour: Path) -> None:
    chat = talk(harbour)
    chat.say("ships")
    for line in ("and in the other image?", "in both images", "in image 2"):
        with pytest.raises(QueryError, match="'/image FILE'"):
            chat.say(line)


# ---- politeness --------------------------------------------------------------------------------------------------


def test_politeness_is_no_error(
    harbour: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(harbour.parent)
    screen.talk.cache_clear()
    lines = "hello\nships\nthanks!\nok\ngreat, how many are there?\nThank you very much.\nbye\nvehicles\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    code = main(["chat", harbour.name, "--models", "grounder=oracle:scenes.json"])
    out = capfd.readouterr().out.splitlines()
    assert code == 0 and len(out) == 6 and out[2] == "You are welcome." and out[4] == "7 ships."
    chat = talk(harbour)
    for line in ("bye", "quit", "Exit.", "goodbye", "thanks, bye!", "/quit"):
        assert respond(chat, line) is None
    assert chat.turns == ()


# ---- what is no part of a request --------------------------------------------------------------------------------


def test_what_is_left_aside_is_told_and_kept(harbour: Path, tmp_path: Path) -> None:
    chat = talk(harbour, session="thesis", sessions=Sessions(tmp_path))
    assert chat.say("For my thesis, how many ships are there?").notes == ("Not part of the request: 'For my thesis'.",)
    assert chat.turn().notes == ("Not part of the request: 'For my thesis'.",)
    reply = chat.say("I am writing about these ships. how many of them are longer than 50 m?")
    assert reply.notes[0] == "Not part of the request: 'I am writing about these ships'."
    assert words(chat.turn().request) == "count all ships longer than 50 m"
    assert reply.to_dict()["notes"] == list(reply.notes)
    assert not any(note.startswith("Not part") for note in chat.say("which ones?").notes)


def test_only_a_class_keeps_what_was_asked_of_the_set(harbour: Path) -> None:
    lines = ("ships and cranes", "those longer than 20 m", "only the ships", "only ships in the left half")
    assert said(talk(harbour), *lines)[-2:] == [
        "detect all ships longer than 20 m",
        "detect all ships longer than 20 m and in the left half",
    ]
    assert said(talk(harbour), "ships longer than 20 m", "only the cranes")[-1] == "detect all cranes"


def test_and_the_smallest_is_beside_the_largest(harbour: Path) -> None:
    assert said(talk(harbour), "the two largest ships", "and the two smallest")[-1] == "detect the two smallest ships"
    assert said(talk(harbour), "the three largest ships", "of those, the smallest")[-1] != "detect the smallest ship"
