"""Runs: cached results, budgets, cancelling, questions, resuming, events."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import surveyor
from scenes_by_hand import box
from surveyor import NeedsAnswer, UsageError, ask, resume, run, runs, stream
from surveyor.agent.graph_call import forget
from surveyor.agent.store_runs import RunRecord, Runs, runs_place
from surveyor.app.cli import main
from surveyor.core.budget import charge
from surveyor.core.errors import ModelOutputError
from surveyor.core.progress import report
from surveyor.core.questions import Question
from surveyor.core.retries import previous_fault
from surveyor.core.scene import Scene
from surveyor.core.trace import Trace
from surveyor.tools.bands import STRICT
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

ROOT = Path(__file__).resolve().parents[1]
THINGS = (
    box("ship-1", 0, 0, 40, 10, "ship"),
    box("ship-2", 100, 0, 160, 20, "ship"),
    box("ship-3", 300, 200, 320, 210, "ship"),
    box("river-1", 0, 30, 400, 60, "river"),
    box("river-2", 0, 220, 280, 300, "river"),
    box("plane-1", 300, 300, 340, 330, "plane"),
)


class Counting(FakeGrounder):
    """Finds THINGS, counts its calls, and tells a version, so that its results are kept."""

    def __init__(self, version: str | None = "1", **more: Any) -> None:
        super().__init__(THINGS, **more)
        if version is not None:
            self.version = version

    @property
    def asked(self) -> list[str]:
        return [str(call[1]) for call in self.calls]


def models(version: str | None = "1", **more: Any) -> Models:
    segmenter = FakeSegmenter()
    segmenter.version = "boxes"  # type: ignore[attr-defined]
    return Models(Counting(version, **more), segmenter)


def asked(made: Models) -> list[str]:
    assert isinstance(made.grounder, Counting)
    return made.grounder.asked


@pytest.fixture
def scene() -> Scene:
    return Scene.from_array(np.arange(400 * 400 * 3, dtype=np.uint8).reshape(400, 400, 3), gsd_m=0.5, name="here")


def cached(answer: surveyor.Answer) -> dict[str, bool]:
    return {o.step: o.cached for o in answer.observations}


# ---- results of earlier runs -------------------------------------------------------------------------------------


def test_editing_one_condition_runs_only_what_depends_on_it(scene: Scene) -> None:
    made = models()
    first = ask(scene, "segment the ships longer than 10 m near the river", models=made)
    assert sorted(asked(made)) == ["river", "ship"] and not any(cached(first).values())
    same = ask(scene, "segment the ships longer than 10 m near the river", models=made)
    assert all(cached(same).values()) and same.text == first.text and len(asked(made)) == 2
    assert same.regions[0].region.mask is not None
    edited = ask(scene, "segment the ships longer than 10 m near the plane", models=made)
    assert asked(made)[2:] == ["plane"]
    assert cached(edited) == {
        "find_ships": True, "select_1": True, "find_planes": False, "select_2": False, "segment_1": False,
    }  # fmt: skip


QUERY = "how many ships are longer than 10 m?"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: (s, {"models": models("2")}), id="another-model-version"),
        pytest.param(lambda s: (Scene.from_array(s.read() + 1, gsd_m=0.5, name="here"), {}), id="other-pixels"),
        pytest.param(lambda s: (s, {"cache": False}), id="no-cache"),
    ],
)
def test_what_looks_again(change: Callable[[Scene], tuple[Scene, dict[str, Any]]], scene: Scene) -> None:
    ask(scene, QUERY, models=models())
    other, more = change(scene)
    made = more.pop("models", models())
    answer = ask(other, QUERY, models=made, **more)
    assert asked(made) == ["ship"] and not cached(answer)["find_ships"]


@pytest.mark.parametrize("more", [{"gsd": 0.7}, {"bands": STRICT}], ids=["gsd", "bands"])
def test_scale_and_bands_count(more: dict[str, Any], scene: Scene) -> None:
    ask(scene, QUERY, models=models())
    assert not cached(ask(scene, QUERY, models=models(), **more))["select_1"]


def test_a_model_without_a_version_is_always_asked(scene: Scene) -> None:
    made = models(None)
    for _ in range(2):
        answer = ask(scene, QUERY, models=made)
    assert asked(made) == ["ship", "ship"]
    assert cached(answer) == {"find_ships": False, "select_1": True, "count_1": True}, "what was found is the same"


def test_bands_of_the_file_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (40, 40, 3), dtype=np.uint8))
    made = models()
    for bands in (None, (3, 2, 1), None):
        ask(Scene.open(tmp_path / "a.png", bands=bands), "ships", models=made)
    assert asked(made) == ["ship", "ship"]


def test_a_damaged_store_is_made_again(scene: Scene) -> None:
    made = models()
    first = ask(scene, QUERY, models=made)
    for path in Path(os.environ["SURVEYOR_CACHE"]).glob("*/??/*"):
        path.write_bytes(path.read_bytes()[:-4])
    surveyor.agent.store._store.cache_clear()  # type: ignore[attr-defined]
    again = ask(scene, QUERY, models=made)
    assert again.text == first.text and asked(made) == ["ship", "ship"]
    assert all(cached(ask(scene, QUERY, models=made)).values())


# ---- budgets and cancelling --------------------------------------------------------------------------------------


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


# ---- tries -------------------------------------------------------------------------------------------------------


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


# ---- questions ---------------------------------------------------------------------------------------------------

RIVERS = "ships near the river"


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


# ---- events ------------------------------------------------------------------------------------------------------


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


# ---- resuming ----------------------------------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((400, 400, 3), 9, np.uint8))
    return tmp_path / "photo.png"


def test_a_plan_is_kept_too(photo: Path) -> None:
    plan = surveyor.plan(QUERY)
    first = run(plan, photo, gsd=0.5, models=models(), run_id="p", out=photo.parent / "out")
    shutil.rmtree(photo.parent / "out")
    again = resume("p", models=models())
    assert again.text == first.text and (photo.parent / "out" / "trace.json").exists()
    assert again.trace.run_id == "p" and again.scene.gsd_m == 0.5


def test_what_cannot_be_resumed(photo: Path) -> None:
    ask(photo, "ships", models=models(), run_id="one")
    with pytest.raises(UsageError, match="there is a run 'one' already"):
        ask(photo, "ships", models=models(), run_id="one")
    with pytest.raises(UsageError, match=r"there is no run .two..*the last ones are: one"):
        resume("two")
    with pytest.raises(UsageError, match="given its models as objects"):
        resume("one")
    with pytest.raises(UsageError, match="must be letters"):
        ask(photo, "ships", models=models(), run_id="../up")
    cv2.imwrite(str(photo), np.zeros((400, 400, 3), np.uint8))
    with pytest.raises(UsageError, match="has changed since"):
        resume("one", models=models())


def test_one_process_at_a_time(photo: Path) -> None:
    ask(photo, "ships", models=models(), run_id="one")
    kept = Runs(runs_place())
    with kept.at_work("one"):
        assert kept.is_at_work("one")
        with pytest.raises(UsageError, match="still at work"):
            resume("one", models=models())
    assert not kept.is_at_work("one") and resume("one", models=models()).count == 3


def test_results_that_are_gone_are_made_again(photo: Path) -> None:
    made = models()
    first = ask(photo, RIVERS, models=made, run_id="gone", max_model_calls=1)
    assert first.failure and len(asked(made)) == 1
    shutil.rmtree(os.environ["SURVEYOR_CACHE"])
    surveyor.agent.store._store.cache_clear()  # type: ignore[attr-defined]
    assert resume("gone", models=made).failure is None
    assert len(asked(made)) == 3, "the first one again, and the other"


@pytest.mark.parametrize("cache", [False, True])
def test_runs_are_kept_without_a_cache(cache: bool, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CACHE", "off")
    made = models()
    ask(photo, RIVERS, models=made, run_id="x", max_model_calls=1, cache=cache)
    assert resume("x", models=made).failure is None and len(asked(made)) == 2


def test_a_failed_run_tries_again(photo: Path) -> None:
    from surveyor.core.errors import ToolFailed

    grounder = Counting(failure=ToolFailed("the server is down"), failures=1)
    made = Models(grounder, FakeSegmenter())
    assert ask(photo, "ships", models=made, run_id="f").failure == "detect all ships: the server is down"
    assert runs()[0].status == "failed"
    assert resume("f", models=made).count == 3


def test_old_runs_go(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runs.too_old, "__defaults__", (2,))
    for number in range(4):
        ask(photo, "ships", models=models(), run_id=f"r{number}")
    assert [record.run_id for record in runs()] == ["r3", "r2", "r1"]
    forget(Runs(runs_place()), "r2")
    assert [record.run_id for record in runs()] == ["r3", "r1"]


def test_state_of_a_checkpoint_holds_names_and_digests_only(photo: Path) -> None:
    from surveyor.agent.graph_checkpoints import checkpoints

    ask(photo, "segment the ships near the river", models=models(), run_id="s")
    with checkpoints(runs_place()) as saver:
        state = saver.get_tuple({"configurable": {"thread_id": "s"}}).checkpoint["channel_values"]
    assert set(state["records"]) == set(state["statuses"]) == {"find_ships", "find_rivers", "select_1", "segment_1"}
    assert all(len(digest) == 64 for digest in state["records"].values())
    assert len(json.dumps({key: state[key] for key in ("records", "statuses")})) < 1000


def test_traces_of_version_1_are_read(scene: Scene) -> None:
    data = json.loads(ask(scene, "ships", models=models()).trace.to_json())
    old = {key: value for key, value in data.items() if key not in ("run_id", "parsing")} | {"version": 1}
    old["observations"] = [{k: v for k, v in o.items() if k not in ("faults", "cached")} for o in old["observations"]]
    assert Trace.from_json(json.dumps(old)).observations[0].cached is False
    with pytest.raises(UsageError, match="schema version 99"):
        Trace.from_json(json.dumps({**old, "version": 99}))


# ---- kill -9 -----------------------------------------------------------------------------------------------------


def kill(folder: Path, moments: int, seed: int, place: str = "") -> list[dict[str, Any]]:
    """What tests/killed_runs.py tells of each moment."""
    program = [sys.executable, str(ROOT / "tests/killed_runs.py"), str(folder / "k"), str(moments), str(seed)]
    done = subprocess.run([*program, *([place] if place else [])], capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_killed(told: list[dict[str, Any]], moments: int) -> None:
    assert len(told) == moments
    for one in told:
        assert one["same"] and one["failure"] is None, one
        assert one["calls_after"] <= one["calls_needed"], "a step that was done is not done again"
    assert any(one["killed"] for one in told)


def test_killed_runs_go_on_as_if_nothing_was(tmp_path: Path) -> None:
    check_killed(kill(tmp_path, 8, seed=1), 8)


@pytest.mark.slow
def test_killed_at_fifty_moments(tmp_path: Path) -> None:
    check_killed(kill(tmp_path, 50, seed=2), 50)


# ---- PostgreSQL --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database server of its own."""
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    pytest.importorskip("langgraph.checkpoint.postgres", reason="needs the extra 'postgres'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    folder = tmp_path_factory.mktemp("pg")
    if not found[-1].is_file():
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    folder.chmod(0o777)
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    tools = found[-1].parent

    def call(*words: str) -> None:
        done = subprocess.run([*as_user, *words], capture_output=True, text=True, cwd=folder, timeout=120)
        if done.returncode:
            pytest.skip(f"PostgreSQL does not start here: {done.stderr[-200:]}")

    data, sockets = folder / "data", f"-k {folder} -c listen_addresses='' -c fsync=off"
    call(str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "surveyor")
    call(str(tools / "pg_ctl"), "-D", str(data), "-o", sockets, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://surveyor@/postgres?host={folder}"
    finally:
        call(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


def test_runs_in_postgres(postgres: str, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_RUNS", postgres)
    made = models()
    answer = ask(photo, RIVERS, models=made, run_id="pg-1", max_model_calls=1)
    assert answer.failure and runs()[0].status == "stopped"
    assert resume("pg-1", models=made).failure is None and len(asked(made)) == 2
    with pytest.raises(NeedsAnswer):
        ask(photo, RIVERS, models=made, run_id="pg-2", on_ambiguous="ask")
    assert resume("pg-2", models=made, answer="river-1").failure is None
    assert [(r.run_id, r.status) for r in runs()] == [("pg-2", "done"), ("pg-1", "done")]
    forget(Runs(runs_place()), "pg-1")
    assert [r.run_id for r in runs()] == ["pg-2"]


def test_killed_runs_in_postgres(postgres: str, tmp_path: Path) -> None:
    check_killed(kill(tmp_path, 3, seed=3, place=postgres), 3)


def test_postgres_that_is_not_there(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    monkeypatch.setenv("SURVEYOR_RUNS", "postgresql://me:secret@127.0.0.1:1/none")
    with pytest.raises(UsageError, match="cannot be reached") as told:
        ask(scene, "ships", models=models(), run_id="x")
    assert "secret" not in str(told.value)
    assert Runs(runs_place()).shown_place == "postgresql://me:***@127.0.0.1:1/none"


# ---- LangGraph's own tools ---------------------------------------------------------------------------------------


def test_langgraph_json_names_a_graph_that_compiles_and_runs(photo: Path) -> None:
    import importlib

    named = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["surveyor"]
    module, _, name = named.partition(":")
    make_graph = getattr(importlib.import_module(module), name)
    assert "find_planes" in make_graph({}).nodes
    drawn = surveyor.draw_scene("harbour", seed=3)
    cv2.imwrite(str(photo), drawn.image_rgb[..., ::-1])
    photo.with_suffix(".json").write_text(json.dumps(drawn.to_coco("photo.png")))
    spec = f"grounder=oracle:{photo.with_suffix('.json')}"
    graph = make_graph({"configurable": {"query": "how many ships are there?", "models": spec}})
    state = graph.invoke({"image": str(photo)})
    assert state["answer"] == {"count_1": ask(photo, "how many ships are there?", models=spec).text}
    with pytest.raises(UsageError, match="lacks the image"):
        graph.invoke({})


def test_records_keep_their_form(tmp_path: Path) -> None:
    kept = Runs(tmp_path / "a" / "runs.sqlite")
    record = RunRecord("a", "waiting", "ships", "p.png", 1.0, 2.0, {"x": [1]}, {"s": "y"}, {"step": "s"}, "said ü")
    kept.add(record)
    assert kept.get("a") == record and kept.all(limit=1) == [record]
    assert kept.change("a", status="done") == replace(record, status="done", changed=kept.get("a").changed)
    with pytest.raises(UsageError, match="cannot be used"):
        Runs(tmp_path / "a" / "runs.sqlite" / "below").all()
