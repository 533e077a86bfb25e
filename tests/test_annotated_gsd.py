"""The ground sample distance in a DOTA annotation makes metres known where neither the image nor the user does."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.chat import Conversation
from surveyor.app.cli import main
from surveyor.core.errors import NeedsAnswer

DOTA = Path(__file__).resolve().parents[2] / "shared" / "data" / "dota_devkit"
NOTE = "ground sample distance 0.5 m from the annotation"
# 40 x 10 and 16 x 8 px; at 0.5 m a pixel 20 and 8 m long
LABELS = "imagesource:GoogleEarth\ngsd:0.5\n10 10 50 10 50 20 10 20 ship 0\n10 40 26 40 26 48 10 48 ship 0\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "P1.txt").write_text(LABELS)
    cv2.imwrite(str(tmp_path / "P1.png"), np.full((60, 80, 3), 90, np.uint8))
    return tmp_path / "P1.png"


def oracle(image: Path) -> str:
    return f"grounder=oracle:{image.with_suffix('.txt')}"


def kept(answer: surveyor.Answer) -> list[str]:
    return [candidate.region.id for candidate in answer.regions]


def test_metres_are_those_of_the_annotation(image: Path) -> None:
    answer = surveyor.ask(image, "ships longer than 10 m", models=oracle(image), cache=False)
    assert (kept(answer), answer.notes) == (["ship-3"], (NOTE,))
    assert answer.trace.scene.gsd_m == 0.5
    again = surveyor.run(answer.plan, image, models=oracle(image), cache=False)
    assert (kept(again), again.notes) == (["ship-3"], (NOTE,))


def test_what_the_user_gives_goes_before_it(image: Path) -> None:
    answer = surveyor.ask(image, "ships longer than 10 m", models=oracle(image), gsd=1.0, cache=False)
    assert (kept(answer), answer.notes) == (["ship-3", "ship-4"], ())


def test_without_a_header_metres_stay_unknown(image: Path) -> None:
    image.with_suffix(".txt").write_text(LABELS.replace("gsd:0.5", "gsd:null"))
    answer = surveyor.ask(image, "ships longer than 10 m", models=oracle(image), cache=False)
    assert kept(answer) == [] and NOTE not in answer.notes and "give --gsd" in " ".join(answer.notes)


def test_an_image_without_annotation_is_told_as_before(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = image.with_name("P2.png")
    image.rename(other)
    code = main(["ask", str(other), "ships", "--models", oracle(image), "--no-cache"])
    told = capsys.readouterr()
    assert code == 2 and "has no annotation for an image called 'P2.png'" in " ".join((told.out + told.err).split())


def test_a_run_that_is_taken_up_again_says_it_too(image: Path) -> None:
    with pytest.raises(NeedsAnswer):
        surveyor.ask(image, "ships longer than 10 m", models=oracle(image), run_id="scaled", confirm_tiles=0)
    answer = surveyor.resume("scaled", answer="yes")
    assert (kept(answer), answer.notes) == (["ship-3"], (NOTE,))


def test_in_a_conversation(image: Path) -> None:
    reply = Conversation(image, models=oracle(image)).say("ships longer than 10 m")
    assert (reply.text, reply.notes) == ("Found 1 ship that is longer than 10 m: ship-3.", (NOTE,))


@pytest.mark.skipif(not DOTA.is_dir(), reason="the DOTA images are not here")
def test_a_real_image(capsys: pytest.CaptureFixture[str]) -> None:
    image, labels = DOTA / "images" / "P1888.png", DOTA / "labelTxt" / "P1888.txt"
    call = ["ask", str(image), "vehicles longer than 10 m", "--models", f"grounder=oracle:{labels}", "--no-cache"]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "ground sample distance 0.266 m from the annotation" in told["notes"]
    assert told["regions"] and all(region["length_m"] > 10 for region in told["regions"])
    assert "undecided" not in {region["status"] for region in told["rejected"]}
