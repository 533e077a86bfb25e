"""Runs that are kept: resumed after anything, in SQLite and PostgreSQL, and in LangGraph's own tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import surveyor
from counting import QUERY, RIVERS, Counting, asked, models, small_scene
from surveyor import NeedsAnswer, UsageError, ask, resume, run, runs
from surveyor.agent.graph_call import forget
from surveyor.agent.store_runs import RunRecord, Runs, runs_place
from surveyor.core.scene import Scene
from surveyor.core.trace import Trace
from surveyor.tools.models.fakes import FakeSegmenter
from surveyor.tools.models.spec import Models

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scene() -> Scene:
    return small_scene()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((400, 400, 3), 9, np.uint8))
    return tmp_path / "photo.png"


# ---- resuming -------------------------------------------------------------------------------------------------------


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


# ---- kill -9 --------------------------------------------------------------------------------------------------------


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


# ---- PostgreSQL -----------------------------------------------------------------------------------------------------


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


# ---- LangGraph's own tools ------------------------------------------------------------------------------------------


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
