"""Conversations about two dates, and the command line's --after."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.sessions import Sessions
from surveyor.app.cli import main
from surveyor.core.errors import SurveyorError, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.regions import Change, Region
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeChangeDetector, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

SIDE = 160


def region(label: str, x: float, size: float, change: Change | None = None) -> Region:
    box = np.array([x, 20, x + size, 20 + size])
    return Region("", label, box_to_corners(box), box, 0.9, change=change)


def picture(mark: int) -> np.ndarray:
    coarse = np.random.default_rng(4).integers(0, 255, (20, 20, 3), np.uint8)
    image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    image[120 : 120 + mark, 120:130] = 255
    return image


def scenes(count: int) -> list[Scene]:
    return [Scene.from_array(picture(4 * n), name=f"date{n}.png", gsd_m=0.5) for n in range(count)]


MODELS = Models(
    FakeGrounder((region("ship", 50, 10),)),
    FakeSegmenter(),
    change=FakeChangeDetector(
        (
            region("change", 10, 20, Change("new", 0.0, 1.0, "built")),
            region("change", 60, 30, Change("gone", 1.0, 0.0, "cleared")),
            region("change", 110, 10, Change("new", 0.0, 1.0, "built")),
        )
    ),
)


def talk(count: int = 2) -> surveyor.Conversation:
    return surveyor.Conversation(scenes(count), models=MODELS)


def dates(reply: surveyor.agent.chat.Reply) -> tuple[int | None, int]:  # type: ignore[name-defined]
    assert reply.turn is not None
    return reply.turn.before, reply.turn.image


@pytest.mark.parametrize(
    "line", ["compare these two", "what changed?", "what changed between the two images?", "compare both images"]
)
def test_of_two_images_the_first_is_the_earlier_date(line: str) -> None:
    reply = talk().say(line)
    assert dates(reply) == (1, 2) and reply.understood == "detect all changes"
    assert reply.answer is not None and reply.answer.pair is not None


def test_one_goes_on_from_changes_as_from_anything() -> None:
    chat = talk()
    chat.say("compare these two")
    assert [c.region.id for c in chat.say("of those, the two largest").answer.regions] == ["change-1", "change-2"]
    new = chat.say("which of them are new?")
    assert [c.region.id for c in new.answer.regions] == ["change-1"] and dates(new) == (1, 2)
    assert "change-2" in chat.say("why not change-2?").text
    assert chat.say("are they all new?").answer.verdict is True
    chat.say("the two largest changes")
    assert chat.say("are they new?").answer.verdict is False
    assert chat.say("how many changes are gone?").answer.count == 1
    assert dates(chat.say("how many ships are there?")) == (None, 2)


def test_which_images_are_compared_can_be_said() -> None:
    chat = talk(3)
    assert dates(chat.say("what changed between image 1 and image 3?")) == (1, 3)
    assert dates(chat.say("of those, the largest")) == (1, 3), "a follow-up stays with its dates"
    assert dates(chat.say("what changed from image 2 to 3?")) == (2, 3)
    assert dates(chat.say("what is new in image 2?")) == (1, 2)


@pytest.mark.parametrize(
    ("count", "line", "says"),
    [
        (1, "what changed?", "needs two images"),
        (3, "what changed?", "between which images"),
        (2, "what changed between image 1 and image 7?", "no such image"),
        (2, "what changed between image 2 and image 2?", "with itself"),
    ],
)
def test_images_that_are_not_there_are_told(count: int, line: str, says: str) -> None:
    with pytest.raises(SurveyorError, match=says):
        talk(count).say(line)


def test_several_images_still_mean_each_of_them_without_a_change() -> None:
    reply = talk().say("how many ships are there in both images?")
    assert reply.kind == "answers" and len(reply.parts) == 2


def test_a_kept_conversation_knows_its_dates(tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        path = tmp_path / f"date{number}.png"
        cv2.imwrite(str(path), picture(4 * number))
        paths.append(path)
    store = Sessions(tmp_path / "home")
    chat = surveyor.Conversation(paths, models=MODELS, session="pair", sessions=store)
    chat.say("compare these two")
    chat.save(tmp_path / "swipe.html")
    again = surveyor.Conversation(models=MODELS, session="pair", sessions=store)
    assert again.turn().before == 1
    assert dates(again.say("of those, the new ones")) == (1, 2)
    assert "<svg" in (tmp_path / "swipe.html").read_text("utf-8")
    with pytest.raises(UsageError, match="map coordinates"):
        again.save(tmp_path / "x.tif")


# ---- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    names = []
    for number in range(3):
        names.append(f"date{number}.png")
        image = picture(0)
        image[20 : 20 + 30 * number, 100:140] = (40, 40, 200)
        cv2.imwrite(names[-1], image)
    return names


def test_ask_after(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = ["ask", files[0], "what changed?", "--after", files[2], "--models", "change=cva", "--out", "out"]
    assert main([*line, "--no-cache", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["count"] == 1 and told["before"]["name"] == files[0] and told["regions"][0]["change"]
    names = {path.name for path in Path("out").iterdir()}
    assert {"overlay.png", "swipe.html", "changes.png", "regions.geojson", "trace.json"} <= names


def test_several_afters_make_a_series(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = ["ask", files[0], "what changed?", "--after", files[1], "--after", files[2], "--models", "change=cva"]
    assert main([*line, "--no-cache", "--json", "--out", "series"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["undirected"] for row in told["rows"]] == [1, 1]
    assert Path("series/index.html").exists() and len(list(Path("series").glob("*_date*"))) == 2


def test_a_later_image_that_is_not_there(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", files[0], "what changed?", "--after", "nowhere.png", "--models", "change=cva"]) == 2
    assert "nowhere.png" in capsys.readouterr().err


def test_a_change_of_one_image_says_what_to_give(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", files[0], "which buildings are new?", "--no-cache"]) == 2
    assert "--after" in capsys.readouterr().err


def test_a_plan_is_run_on_two_dates(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.yaml").write_text(surveyor.plan("how much has changed?").to_yaml())
    assert main(["run", "plan.yaml", files[0], "--after", files[2], "--models", "change=cva", "--no-cache"]) == 0
    assert "px2" in capsys.readouterr().out
