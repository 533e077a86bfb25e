"""Sentences about regions that are asked for by their ids, and notes that tell their image."""

from __future__ import annotations

import numpy as np
import pytest
from surveyor.agent.chat import Conversation
from surveyor.core.errors import QueryError
from surveyor.core.scene import Scene
from test_explain_words import models, picture

TALK = [
    ("the second one", "Found plane-2."),
    ("is it the largest?", "No: plane-2 is not the largest plane; plane-1 is (300 m2)."),
    ("is it red?", "Yes: plane-2 is red."),
    ("is it white?", "No: plane-2 is not white; it is red."),
    ("is it longer than 25 m?", "No: plane-2 is not longer than 25 m; it is 19 m long."),
    ("is it within 5 m of the tank?", "No: plane-2 is not within 5 m of the tank; it is 11.2 m away."),
    ("is it not red?", "No: plane-2 is red."),
    ("is it red and near a building?", "No: plane-2 is not near buildings."),
    ("is plane-1 white and near a building?", "Yes: plane-1 is white and near buildings."),
    ("is plane-1 the largest?", "Yes: plane-1 is the largest plane."),
    ("is plane-3 the longest?", "No: plane-3 is not the longest plane; plane-1 is (30 m)."),
    ("are plane-1 and plane-4 the two largest?", "Yes: plane-1 and plane-4 are the two largest planes."),
    ("are plane-1 and plane-3 the two largest?",
     "No: plane-3 is not among the two largest planes, which are plane-1 and plane-4."),
    ("plane-2 and plane-3", "Found plane-2, plane-3."),
    ("are they white?", "No: plane-2 is not white."),
    ("are they black?", "No: neither plane-2 nor plane-3 is black."),
    ("are they longer than 5 m?", "Yes: plane-2 and plane-3 are longer than 5 m."),
    ("are any of them black?", "No: neither plane-2 nor plane-3 is black."),
    ("are any of them red?", "Yes: 1 red plane among plane-2 and plane-3: plane-2."),
    ("how many of plane-2 and plane-3 are red?", "1 red plane among plane-2 and plane-3."),
    ("planes within 20 m of plane-3", "Found 1 plane within 20 m of plane-3: plane-1."),
]  # fmt: skip


ONLY = [
    ("is the tank white?", "Yes: tank-1, the only tank, is white."),
    ("is any plane longer than 25 m red?",
     "No: no planes longer than 25 m and red; the only plane that is longer than 25 m, plane-1, is white."),
    ("is the tank red?", "No: tank-1, the only tank, is not red; it is white."),
    ("are there red tanks?", "No: tank-1, the only tank, is not red; it is white."),
    ("are all tanks red?", "No: tank-1, the only tank, is not red; it is white."),
    ("are all tanks not white?", "No: tank-1, the only tank, is white."),
    ("are all planes longer than 25 m red?",
     "No: plane-1, the only plane that is longer than 25 m, is not red; it is white."),
    ("is the tank shorter than 2 m?", "No: tank-1, the only tank, is not shorter than 2 m; it is 5 m long."),
    ("are all planes within 16 m of each other?",
     "No: 2 of 4 planes are not within 16 m of other planes: plane-2, plane-4."),
    ("how far is plane-3 from the tank?", "The distance from plane-3 to tank-1 is 30.41 m."),
]  # fmt: skip


@pytest.mark.parametrize(("line", "text"), ONLY)
def test_the_only_one_and_those_related_to_each_other(chat: Conversation, line: str, text: str) -> None:
    chat.say("planes")
    assert chat.say(line).text == text


def test_several_are_related_to_each_other(chat: Conversation) -> None:
    chat.say("the two largest planes")  # 33.5 m apart
    assert chat.say("are they within 45 m of each other?").text == (
        "Yes: the two largest planes are within 45 m of each other."
    )
    assert chat.say("are they within 9 m of each other?").text == (
        "No: the two largest planes are not within 9 m of another of them: plane-1, plane-4."
    )


def test_it_of_an_empty_answer_is_refused_plainly(chat: Conversation) -> None:
    chat.say("black planes")
    with pytest.raises(QueryError, match="'it' stands for nothing: the last answer holds nothing; name the thing"):
        chat.say("is it bigger than the tank?")


@pytest.fixture
def chat() -> Conversation:
    return Conversation(picture(), models=models(), gsd=0.5)


def test_regions_go_by_their_ids(chat: Conversation) -> None:
    chat.say("planes")
    said = [(line, chat.say(line).text) for line, _ in TALK]
    assert said == TALK


def test_without_metres_the_largest_is_told_in_pixels() -> None:
    chat = Conversation(picture(), models=models())
    chat.say("planes")
    assert chat.say("is plane-3 the largest?").text == "No: plane-3 is not the largest plane; plane-1 is (1,200 px2)."
    assert chat.say("is plane-3 longer than 9 m?").text == (
        "Unknown: whether plane-3 is longer than 9 m cannot be told."
    )


def test_notes_over_several_images_tell_which() -> None:
    white = np.full((100, 200, 3), 255, np.uint8)
    chat = Conversation([picture(), white], models=models())
    assert chat.say("planes longer than 20 m in both images").notes == (
        "image 1, image 2: 'longer than 20 m' needs the size of a pixel on the ground, which the image doesn't tell: "
        "give --gsd",
    )
    chat = Conversation([Scene.from_array(picture(), gsd_m=0.5), Scene.from_array(white)], models=models())
    assert chat.say("planes longer than 20 m in both images").notes == (
        "image 1: 2 close calls (borderline): plane-2, plane-4",
        "image 2: 'longer than 20 m' needs the size of a pixel on the ground, which the image doesn't tell: give --gsd",
    )
