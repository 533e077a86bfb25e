"""What a run asks, and who answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import surveyor
from counting import RIVERS, asked, models, small_scene
from surveyor import NeedsAnswer, UsageError, ask, resume, runs
from surveyor.app.cli import main
from surveyor.core.questions import Question
from surveyor.core.scene import Scene

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scene() -> Scene:
    return small_scene()


# ---- questions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "kept", "note"),
    [
        ("all", ["ship-1", "ship-2", "ship-3"], "any of them counts"),
        ("largest", ["ship-3"], "take the largest for 'the river': river-2 of 2"),
        ("nearest", ["ship-1", "ship-2"], "river-1 of 2"),
    ],
)
def test_policies_for_the_river_when_there_are_two(policy: Any, kept: list[str], note: str, scene: Scene) -> None:
    near = "ships within 20 m of the river"
    answer = ask(scene, near, models=models(), on_ambiguous=policy)
    assert [c.region.id for c in answer.regions] == kept
    assert any(note in each for each in answer.notes), answer.notes


def test_one_river_is_no_question(scene: Scene) -> None:
    asked_for: list[Question] = []
    answer = ask(
        scene, "ships near the plane", models=models(), on_ambiguous="ask", answer=lambda q: asked_for.append(q) or ""
    )  # type: ignore[func-returns-value]
    assert not asked_for and answer.failure is None


def test_error_policy_names_them(scene: Scene) -> None:
    with pytest.raises(UsageError, match="'the river' could be any of 2: river-1, river-2"):
        ask(scene, RIVERS, models=models(), on_ambiguous="error")
    with pytest.raises(UsageError, match="expected one of: all, largest"):
        ask(scene, RIVERS, models=models(), on_ambiguous="some")  # type: ignore[arg-type]


def test_a_callback_answers(scene: Scene) -> None:
    questions = []

    def answer(question: Question) -> str:
        questions.append(question)
        return "river-2"

    found = ask(scene, "ships within 20 m of the river", models=models(), on_ambiguous="ask", answer=answer)
    assert [q.options for q in questions] == [("river-1", "river-2")]
    assert [c.region.id for c in found.regions] == ["ship-3"]
    assert [c.region.id for value in found.references for c in value.kept] == ["river-2"]
    with pytest.raises(UsageError, match="'river-9' is none of the options"):
        ask(scene, RIVERS, models=models(), on_ambiguous="ask", answer=lambda _question: "river-9")


def test_a_run_waits_for_its_answer(scene: Scene) -> None:
    made, events = models(), []
    with pytest.raises(UsageError, match="nobody could answer"):
        ask(scene, RIVERS, models=made, on_ambiguous="ask")
    query = "ships within 20 m of the river"
    with pytest.raises(NeedsAnswer) as wait:
        ask(scene, query, models=made, on_ambiguous="ask", run_id="w", on_event=events.append)
    assert wait.value.run_id == "w" and wait.value.question.options == ("river-1", "river-2")
    assert events[-1].kind == "asked" and "which one" in str(events[-1])
    (record,) = runs()
    assert (record.status, record.question) == ("waiting", wait.value.question.to_dict())
    with pytest.raises(UsageError, match="pixels in memory"):
        resume("w", models=made, answer="river-2")
    with pytest.raises(UsageError, match="'river-7' is none"):
        resume("w", models=made, image=scene, answer="river-7")
    with pytest.raises(NeedsAnswer):
        resume("w", models=made, image=scene)
    found = resume("w", models=made, image=scene, answer="river-2")
    assert [c.region.id for c in found.regions] == ["ship-3"] and sorted(asked(made)) == ["river", "ship"]
    assert runs()[0].status == "done" and resume("w", models=made, image=scene).text == found.text
    with pytest.raises(UsageError, match="has asked nothing"):
        resume("w", models=made, image=scene, answer="river-1")


def test_two_questions_one_after_the_other(scene: Scene) -> None:
    query = "ships within 20 m of the river and planes left of the ship"
    made = models()
    told: list[str] = []
    with pytest.raises(NeedsAnswer) as wait:
        ask(scene, query, models=made, on_ambiguous="ask", run_id="two")
    for _ in range(2):
        told.append(wait.value.question.step)
        try:
            answer = resume("two", models=made, image=scene, answer=wait.value.question.options[0])
        except NeedsAnswer as next_one:
            wait.value.question = next_one.question
    assert len(set(told)) == 2 and answer.failure is None


def test_confirming_expensive_steps(scene: Scene) -> None:
    big = Scene.from_array(np.zeros((1200, 2100, 3), np.uint8), name="big")
    questions: list[str] = []

    def no(question: Question) -> str:
        questions.append(question.text)
        return "no"

    made = models()
    answer = ask(big, "how many ships are there?", models=made, confirm_tiles=4, answer=no)
    assert questions == ["'detect all ships' looks at about 6 tiles of the image; shall it be done?"]
    assert asked(made) == [] and answer.failure == "detect all ships: the answer was not to do it"
    assert ask(big, "ships", models=made, confirm_tiles=6, answer=no).failure is None, "6 is not above the bound"
    with pytest.raises(NeedsAnswer):
        ask(big, "planes", models=made, confirm_tiles=1, run_id="big")
    assert resume("big", models=made, image=big, answer="yes").count == 1


def test_questions_on_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    drawn = surveyor.draw_scene("harbour", seed=3)
    cv2.imwrite(str(tmp_path / "a.png"), drawn.image_rgb[..., ::-1])
    (tmp_path / "a.json").write_text(json.dumps(drawn.to_coco("a.png")))
    oracle = f"grounder=oracle:{tmp_path}/a.json"
    words = ["ask", str(tmp_path / "a.png"), "ships within 100 px of the building", "--models", oracle]
    assert main([*words, "--on-ambiguous", "ask", "--run-id", "q"]) == 3
    out, err = capfd.readouterr()
    assert out == "" and "which one is meant?" in err and "surveyor resume q --answer ANSWER" in err
    assert main(["runs"]) == 0
    out, err = capfd.readouterr()
    assert "waiting" in out and "ships within 100 px" in out and "surveyor resume RUN" in err
    assert main(["resume", "q", "--answer", "the red one"]) == 2
    option = runs()[0].question["options"][0]  # type: ignore[index]
    assert main(["resume", "q", "--answer", option]) == 0
    assert main(["runs", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])[0]["status"] == "done"
    assert main([*words, "--on-ambiguous", "error"]) == 2
    assert "could be any of 10" in capfd.readouterr().err
