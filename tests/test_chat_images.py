"""Conversations about several images, and what was meant by words that fit several things in one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from surveyor.agent.sessions import Sessions
from surveyor.core.errors import UsageError
from surveyor.core.questions import Question
from test_chat_talk import annotated, ids, said, talk


@pytest.fixture(scope="module")
def airports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return annotated(tmp_path_factory.mktemp("airports"), "airport", 7, 8)


# ---- several images ----------------------------------------------------------------------------------------------


def test_the_same_of_each_image(airports: list[Path], tmp_path: Path) -> None:
    for session in (None, "both"):
        chat = talk(*airports, session=session, sessions=Sessions(tmp_path))
        one = chat.say("how many planes are there?").text
        reply = chat.say("in both images")
        two = chat.say("and in the other image?").text
        assert reply.kind == "answers" and [part.turn.image for part in reply.parts] == [1, 2]  # type: ignore[union-attr]
        assert reply.text == f"image 1 (airport7.png): {one}\nimage 2 (airport8.png): {two}"
        assert reply.to_dict()["parts"][1]["text"] == two
        chat.undo()
        assert chat.current == 2 and chat.turn().text == "in both images"
        chat.undo()
        assert [turn.text for turn in chat.turns] == ["how many planes are there?"], "a line is undone whole"
        assert [part.text for part in chat.say("how many planes are there in all images?").parts] == [one, two]


def test_what_is_left_aside_is_told_once(airports: list[Path]) -> None:
    reply = talk(*airports).say("For my thesis, planes in both images")
    assert [note for note in reply.notes if "thesis" in note] == ["Not part of the request: 'For my thesis'."]
    assert all("Not part of the request: 'For my thesis'." in part.notes for part in reply.parts)


def test_they_are_those_of_the_list_whatever_their_class_is_called(airports: list[Path]) -> None:
    lines = ("planes", "is the first one white?", "are they in a row?")
    assert said(talk(*airports), *lines)[-1] == "check whether there are exactly zero planes that are not in a row"


def test_a_line_of_each_image_is_answered_whole_or_not_at_all(airports: list[Path], tmp_path: Path) -> None:
    paths = [Path(shutil.copy(path, tmp_path)) for path in (*airports, airports[0].with_name("scenes.json"))][:2]
    first = talk(*paths, session="one", sessions=Sessions(tmp_path / "kept"))
    first.say("planes")
    first.use_image(2)
    paths[1].unlink()
    chat = talk(paths[0], session="one", sessions=Sessions(tmp_path / "kept"))
    chat.use_image(2)
    with pytest.raises(UsageError):
        chat.say("planes in both images")
    assert [turn.text for turn in chat.turns] == ["planes"] and len(chat.history) == 2


def test_the_other_one_is_an_image_where_there_are_two(airports: list[Path]) -> None:
    chat = talk(*airports)
    assert said(chat, "planes", "the largest", "how long is it then?", "and in the other one?")[-1].startswith(
        "measure"
    )
    assert chat.current == 2 and chat.say("go back to the first image").kind == "image" and chat.current == 1
    assert chat.say("how many planes are there in the other one?").turn.image == 2  # type: ignore[union-attr]


# ---- which river? ------------------------------------------------------------------------------------------------


def test_what_was_meant_is_asked_once(airports: list[Path], tmp_path: Path) -> None:
    questions: list[Question] = []

    def answer(question: Question) -> str:
        questions.append(question)
        return question.options[-1]

    chat = talk(*airports, answer=answer, session="one", sessions=Sessions(tmp_path))
    first = ids(chat, "vehicles near the parking lot")
    assert len(questions) == 1 and len(questions[0].options) > 1
    meant = questions[0].options[-1]
    assert ids(chat, "vehicles near the parking lot") == first
    assert ids(chat, "segment the parking lot") == [meant]
    chat.say("planes above the parking lot")
    chat.say("how many vehicles are inside the parking lot?")
    assert len(questions) == 1, "it is not asked again"
    assert f"near {meant}:" in chat.answer_of(2).text
    again = talk(*airports, answer=answer, session="one", sessions=Sessions(tmp_path))
    assert ids(again, "vehicles near the parking lot") == first and len(questions) == 1, "nor later"
    assert f"called {meant}" in again.plan().to_yaml()
    again.say("vehicles near the parking lot in image 2")
    assert len(questions) == 2, "another image has others"


def test_an_undone_answer_is_asked_again(airports: list[Path]) -> None:
    questions: list[Question] = []

    def answer(question: Question) -> str:
        questions.append(question)
        return question.options[0]

    chat = talk(airports[0], answer=answer)
    chat.say("vehicles near the parking lot")
    chat.undo()
    chat.say("vehicles near the parking lot")
    assert len(questions) == 2
