"""Budgets, cancelling, tries and events of runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
import surveyor
from counting import QUERY, Counting, asked, models, small_scene
from surveyor import UsageError, ask, resume, runs, stream
from surveyor.app.cli import main
from surveyor.core.budget import charge
from surveyor.core.errors import ModelOutputError
from surveyor.core.progress import report
from surveyor.core.retries import previous_fault
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeSegmenter
from surveyor.tools.models.spec import Models

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scene() -> Scene:
    return small_scene()


# ---- budgets and cancelling -----------------------------------------------------------------------------------------


def statuses(answer: surveyor.Answer) -> list[str]:
    return [o.status for o in answer.observations]


def test_model_calls_are_bounded_and_the_rest_can_follow(scene: Scene) -> None:
    made, query = models(), "segment the ships near the river"
    answer = ask(scene, query, models=made, max_model_calls=1, run_id="few")
    assert len(asked(made)) == 1
    assert answer.failure == "the run's 1 model call was used up"
    assert sorted(statuses(answer)) == ["done", "skipped", "skipped", "skipped"]
    assert [(r.run_id, r.status) for r in runs()] == [("few", "stopped")]
    whole = resume("few", models=made, image=scene)
    assert whole.failure is None and sorted(asked(made)) == ["river", "ship"]
    assert whole.text == ask(scene, query, models=models(), cache=False).text


def test_tokens_are_bounded(scene: Scene) -> None:
    class Wordy(Counting):
        def ground(self, scene: Scene, phrase: str) -> Any:
            found = super().ground(scene, phrase)
            charge(tokens=30)
            return found

    answer = ask(scene, QUERY, models=Models(Wordy(), FakeSegmenter()), max_tokens=20)
    assert answer.failure == "the run's 20 tokens were used up" and "done" not in statuses(answer)


def test_time_stops_a_step_at_work(scene: Scene) -> None:
    class Long(Counting):
        def ground(self, scene: Scene, phrase: str) -> Any:
            for tile in range(1000):
                time.sleep(0.01)
                report("detecting", tile, 1000)
            raise AssertionError("nobody stopped it")

    started = time.monotonic()
    answer = ask(scene, QUERY, models=Models(Long(), FakeSegmenter()), max_seconds=0.1)
    assert time.monotonic() - started < 5 and "time was used up" in (answer.failure or "")


@pytest.mark.parametrize("bound", ["max_seconds", "max_model_calls", "max_tokens"])
def test_a_bound_below_zero_is_refused(bound: str, scene: Scene) -> None:
    with pytest.raises(UsageError, match=f"{bound} is -1"):
        ask(scene, QUERY, models=models(), **{bound: -1})  # type: ignore[arg-type]


def test_cancelling_keeps_what_was_done(scene: Scene) -> None:
    stop, made = threading.Event(), models()
    answer = ask(scene, QUERY, models=made, cancel=stop, run_id="c", watch=lambda _observation: stop.set())
    assert answer.failure == "the run was cancelled" and statuses(answer) == ["done", "skipped", "skipped"]
    assert resume("c", models=made, image=scene).count == 2 and asked(made) == ["ship"]


SLOW = """
import sys, time, numpy as np
sys.path.insert(0, {tests!r})
import surveyor.tools.models.oracle as oracle
from surveyor.app.cli import main
from surveyor.core.progress import report
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
ground = oracle.OracleGrounder.ground
def slow(self, scene, phrase):
    if phrase == "building":
        print("started", flush=True)
        for tile in range(600):
            time.sleep(0.05); report("detecting", tile, 600)
    return ground(self, scene, phrase)
oracle.OracleGrounder.ground = slow
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_keeps_the_run_and_says_how_to_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    drawn = surveyor.draw_scene("harbour", seed=3)
    cv2.imwrite(str(tmp_path / "a.png"), drawn.image_rgb[..., ::-1])
    (tmp_path / "a.json").write_text(json.dumps(drawn.to_coco("a.png")))
    oracle = f"grounder=oracle:{tmp_path}/a.json,segmenter=oracle:{tmp_path}/a.json"
    words = ["ask", str(tmp_path / "a.png"), "count the ships near the building", "--models", oracle, "--run-id", "r1"]
    program = [sys.executable, "-c", SLOW.format(tests=str(ROOT / "tests")), *words]
    with subprocess.Popen(program, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert last == "interrupted: what was done is kept; go on with: surveyor resume r1"
    assert main(["runs"]) == 0
    assert "stopped" in capfd.readouterr().out
    assert main(["resume", "r1", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["failure"] is None and told["count"] == ask(tmp_path / "a.png", words[2], models=oracle).count
    assert main(["runs", "--delete", "r1"]) == 0 and runs() == []


# ---- tries ----------------------------------------------------------------------------------------------------------


def test_the_second_try_is_told_what_was_wrong(scene: Scene) -> None:
    told: list[str | None] = []

    class Mumbling(Counting):
        def ground(self, scene: Scene, phrase: str) -> Any:
            told.append(previous_fault())
            if len(told) == 1:
                raise ModelOutputError("no box in the reply", raw="hm")
            return super().ground(scene, phrase)

    answer = ask(scene, "ships", models=Models(Mumbling(), FakeSegmenter()))
    assert told == [None, "no box in the reply"] and previous_fault() is None
    assert answer.observations[0].faults == ("no box in the reply",)
    assert ask(scene, "ships", models=models()).observations[0].faults == ("no box in the reply",), "kept with it"


# ---- events ---------------------------------------------------------------------------------------------------------


def test_stream_tells_each_step_and_the_answer(scene: Scene) -> None:
    events = list(stream(scene, QUERY, models=models()))
    kinds = [event.kind for event in events]
    assert kinds == ["planned", *["started", "finished"] * 3, "answered"]
    assert [e.observation.step for e in events if e.observation] == ["find_ships", "select_1", "count_1"]
    assert events[-1].answer is not None and str(events[-1]) == events[-1].answer.text
    with pytest.raises(UsageError, match="frobnicate"):
        list(stream(scene, "ships that frobnicate", models=models()))


def test_leaving_a_stream_stops_the_run(scene: Scene) -> None:
    made = models()
    for event in stream(scene, "segment the ships near the river", models=made, run_id="left"):
        if event.kind == "finished":
            break
    assert runs()[0].status in ("stopped", "done")
    assert threading.active_count() < 5


def test_progress_of_long_steps_is_streamed(scene: Scene) -> None:
    class Tiled(Counting):
        def ground(self, scene: Scene, phrase: str) -> Any:
            for tile in (1, 2):
                report("detecting", tile, 2)
            return super().ground(scene, phrase)

    told = [str(e) for e in stream(scene, "ships", models=Models(Tiled(), FakeSegmenter())) if e.kind == "progress"]
    assert told == ["detecting: 1 of 2", "detecting: 2 of 2"]
