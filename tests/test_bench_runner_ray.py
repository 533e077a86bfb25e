"""The benchmark runner on Ray: a local cluster of two workers, workers that are killed, hang, or lack a package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killed_bench import comparable, make_items
from surveyor.core.errors import MissingDependency, ToolFailed, UsageError
from surveyor.core.progress import noting
from surveyor.evals.bench import rays
from surveyor.evals.bench.items import read_items
from surveyor.evals.bench.predict import How
from surveyor.evals.bench.runner import Standing, run
from surveyor.evals.bench.store import read_predictions
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

HOW = How(oracle=("boxes", "parser"))


on_ray = pytest.mark.full
"""make test-full installs Ray."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve items on drawn scenes."""
    return make_items(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def alone(bench: Path) -> dict[str, Any]:
    """What a run on a thread predicts."""
    run(bench, bench.parent / "alone", how=HOW)
    return comparable(bench.parent / "alone")


def test_without_ray_the_command_is_told(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match=r"surveyor\[ray\]"):
        run(bench, tmp_path, how=HOW, ray="auto")


def test_models_as_objects_cannot_travel(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="by a spec"):
        run(bench, tmp_path, how=HOW, ray="auto", models=Models(FakeGrounder(), FakeSegmenter()))


@pytest.mark.parametrize(
    "address", ["nonsense", "host:", ":6379", "127.0.0.1:99999", "127.0.0.1:1", "ray://127.0.0.1:1"]
)
@on_ray
def test_an_address_without_a_cluster_is_told_at_once(bench: Path, tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    started = time.monotonic()
    with pytest.raises(UsageError, match="HOST:PORT"):
        run(bench, tmp_path, how=HOW, ray=address)
    assert time.monotonic() - started < 20


@on_ray
def test_auto_starts_a_cluster_from_the_command_line(bench: Path, alone: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    words = ["-m", "surveyor.app.cli", "bench", "run", str(bench), "--oracle", "parser,boxes", "--workers", "2"]
    words += ["--ray", "auto", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 items" in done.stderr
    assert comparable(tmp_path) == alone


@pytest.mark.parametrize("gpus", [-1.0, 1.5])
def test_gpus_that_mean_nothing(bench: Path, tmp_path: Path, gpus: float) -> None:
    with pytest.raises(UsageError, match=r"--worker-gpus is .*expected a whole number"):
        run(bench, tmp_path, how=HOW, ray="auto", worker_gpus=gpus)


# ---- with Ray -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A local cluster with room for three actors."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


def holders() -> list[int]:
    """Processes of this test's actors."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and is_mine(int(place.name)):
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if words.startswith(b"ray::Holder"):
                found.append(int(place.name))
    return found


def is_mine(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


@on_ray
def test_two_workers_write_the_same_files(cluster: Any, bench: Path, alone: dict[str, Any], tmp_path: Path) -> None:
    ran = run(bench, tmp_path, how=HOW, workers=2, ray="auto")
    assert (ran.new, ran.statuses) == (12, {"answered": 12})
    assert comparable(tmp_path) == alone
    assert run(bench, tmp_path, how=HOW).new == 0, "a run begun on Ray goes on without it"


@on_ray
def test_a_run_begun_on_threads_goes_on_on_ray(cluster: Any, bench: Path, alone: Any, tmp_path: Path) -> None:
    def stop(standing: Standing) -> None:
        if standing.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bench, tmp_path, how=HOW, progress=stop)
    assert run(bench, tmp_path, how=HOW, workers=2, ray="auto").new in (6, 7)
    assert comparable(tmp_path) == alone


@on_ray
def test_workers_that_are_killed_lose_and_double_nothing(
    cluster: Any, bench: Path, alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc").is_dir():
        pytest.skip("finds the workers in /proc")
    slow = type("Holder", (Slow,), {})
    monkeypatch.setattr(rays, "Holder", by_value(slow))
    killed: list[int] = []

    def kill(standing: Standing) -> None:
        if standing.done in (3, 7) and len(killed) < standing.done // 3:
            killed.append(holders()[0])
            os.kill(killed[-1], signal.SIGKILL)

    ran = run(bench, tmp_path, how=HOW, workers=2, ray="auto", progress=kill)
    assert len(killed) == 2
    assert ran.statuses == {"answered": 12}
    assert comparable(tmp_path) == alone


class Slow(rays.Holder):
    """So slow that a worker that is killed is at work."""

    def answer(self, item: str) -> str:
        time.sleep(0.3)
        return super().answer(item)


def by_value(made: type) -> type:
    """A class that workers get whole: they cannot import the tests."""
    import ray.cloudpickle as pickle

    pickle.register_pickle_by_value(sys.modules[__name__])
    return made


@on_ray
def test_an_item_that_kills_every_worker_is_told_as_failed(
    cluster: Any, bench: Path, alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = next(iter(read_items(bench))).id

    class Holder(rays.Holder):
        def answer(self, item: str) -> str:
            if f'"id":"{deadly}"' in item:
                os._exit(1)
            return rays.Holder.answer(self, item)

    monkeypatch.setattr(rays, "Holder", by_value(Holder))
    run(bench, tmp_path, how=HOW, workers=2, ray="auto", limit=4)
    found = {each.id: each for each in read_predictions(tmp_path)}
    assert found[deadly].status == "failed" and "lost 3 times" in found[deadly].said
    assert {key: each for key, each in comparable(tmp_path).items() if key != deadly} == {
        key: alone[key] for key in found if key != deadly
    }
    assert len(found) == 4


@on_ray
def test_what_hangs_on_a_worker_is_given_up(
    cluster: Any, bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = [each.id for each in read_items(bench)][1]
    monkeypatch.setattr(rays, "GRACE_S", 0.5)

    class Holder(rays.Holder):
        def answer(self, item: str) -> str:
            if f'"id":"{hanging}"' in item:
                time.sleep(600)
            return rays.Holder.answer(self, item)

    monkeypatch.setattr(rays, "Holder", by_value(Holder))
    how = HOW.model_copy(update={"timeout_s": 5.0})
    ran = run(bench, tmp_path, how=how, workers=2, ray="auto", limit=4)
    assert ran.statuses == {"answered": 3, "timeout": 1}
    assert {each.id for each in read_predictions(tmp_path) if each.status == "timeout"} == {hanging}


@on_ray
def test_a_worker_that_lacks_a_package_ends_the_run(
    cluster: Any, bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Holder(rays.Holder):
        def ready(self, item: str) -> str:
            return rays._trouble(MissingDependency("this model", "pip install it"))

    monkeypatch.setattr(rays, "Holder", by_value(Holder))
    with pytest.raises(MissingDependency, match="pip install it") as told:
        run(bench, tmp_path, how=HOW, workers=2, ray="auto")
    assert told.value.command == "pip install it"


@on_ray
def test_workers_that_never_start_end_the_run(
    cluster: Any, bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Holder(rays.Holder):
        def __init__(self, *_: Any) -> None:
            os._exit(1)

    monkeypatch.setattr(rays, "Holder", by_value(Holder))
    with pytest.raises(ToolFailed, match="do not start"):
        run(bench, tmp_path, how=HOW, workers=1, ray="auto")
    assert (tmp_path / "predictions.jsonl").read_text() == ""


@pytest.mark.parametrize("gpus", [0.5, 2.0])
@on_ray
def test_gpus_that_no_machine_has_are_not_waited_for(cluster: Any, bench: Path, tmp_path: Path, gpus: float) -> None:
    most = max(node["Resources"].get("GPU", 0.0) for node in cluster.nodes())
    if gpus <= most:
        pytest.skip(f"this machine has {most:g} GPUs")
    with pytest.raises(UsageError, match=f"--worker-gpus is {gpus:g}, but no machine"):
        run(bench, tmp_path, how=HOW, ray="auto", worker_gpus=gpus)


@on_ray
def test_workers_without_room_are_told_of_and_the_others_answer(
    cluster: Any, bench: Path, alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rays, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(rays, "Holder", by_value(type("Holder", (Slow,), {})))
    notes: list[str] = []
    with noting(notes):
        run(bench, tmp_path, how=HOW, workers=5, ray="auto")
    assert comparable(tmp_path) == alone
    assert len(notes) == 1 and "of 5 workers are not ready after 0 s" in notes[0]
    assert "1 CPU and 0 GPU each" in notes[0]
