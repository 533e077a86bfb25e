"""Items answered on a Ray cluster: each actor holds the models and answers one item at a time.

The files are written by the process that was started, so they are the same as without Ray. An actor that is lost (its
process killed, its machine gone) is replaced and its item given to another; one that kills three is told as failed.
"""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import MissingDependency, SurveyorError, ToolFailed, UsageError
from ...core.progress import note
from .field_predict import answer_item, warm_up
from .items import AnyItem, item_from_json
from .predict import How, timed_out
from .predictions import Prediction
from .workers import GRACE_S

TRIES = 3
"""How often an item is given to an actor that then dies, and how often actors in a row may fail to start."""
_TICK_S = 0.5
_CONNECT_S = 10.0
_PATIENCE_S = 30.0


class Holder:
    """What an actor runs: the models, and one item at a time. Plain data in and out."""

    def __init__(self, spec: str | None, how: str, root: str, cache: bool) -> None:
        self._spec, self._how, self._root, self._cache = spec, How.model_validate_json(how), root, cache
        self._models: Any = None

    def ready(self, item: str) -> str:
        """JSON: {} when the models are there, else what is missing. The item is used to load their weights."""
        from ...tools.models.spec import load_models

        try:
            self._models = load_models(self._spec)
            warm_up(item_from_json(item), self._models, self._how, root=self._root)
        except SurveyorError as error:
            return _trouble(error)
        return "{}"

    def answer(self, item: str) -> str:
        """JSON: the prediction, or what is missing."""
        try:
            asked = item_from_json(item)
            return answer_item(asked, self._models, self._how, root=self._root, cache=self._cache).model_dump_json()
        except (MissingDependency, UsageError) as error:
            return _trouble(error)


@dataclass(eq=False)
class _Task:
    """What an actor is at: an item, or getting ready."""

    actor: Any
    item: AnyItem | None
    started: float


class Actors:
    """Answers items on actors of a cluster.

    Args:
        address: "auto" for the cluster that this machine belongs to, or a local one where there is none; else an
            address ("ray://head:10001", "head:6379").
        spec: models, as text.
        how: what answers.
        root: folder of the images, the same on every machine.
        workers: actors; those that find no place wait for one.
        gpus: GPUs that each holds.
        cache: as in `predict`.

    Raises:
        MissingDependency: Ray is not installed.
        UsageError: no cluster at that address, or none of its machines has so many GPUs.
    """

    def __init__(
        self, address: str, spec: str | None, how: How, root: Path, workers: int, gpus: float = 0.0, cache: bool = False
    ) -> None:
        if gpus < 0 or (gpus > 1 and gpus % 1):
            raise UsageError(f"--worker-gpus is {gpus!r}, expected a whole number, or a share of one GPU such as 0.5")
        try:
            import ray
        except ImportError:
            raise MissingDependency("--ray", 'pip install "surveyor[ray]"') from None
        self._ray, self._how, self._workers = ray, how, workers
        self._own = _connect(ray, address, workers)
        try:
            _check_gpus(ray, gpus)
        except UsageError:
            self._leave()
            raise
        self._gpus, self._patient = gpus, True
        self._made_of = (spec, how.model_dump_json(), str(root), cache)
        self._actor_class = ray.remote(num_cpus=1, num_gpus=gpus)(Holder)
        self._tasks: dict[Any, _Task] = {}
        self._again: deque[AnyItem] = deque()
        self._lost: dict[str, int] = {}
        self._failed_starts = 0
        self._first: str | None = None
        self._waiting: Iterator[AnyItem] = iter(())
        self._limit_s = None if how.timeout_s is None else how.timeout_s + GRACE_S

    def answers(self, items: Iterable[AnyItem]) -> Generator[Prediction, None, None]:
        """The predictions of all items, as they get ready. An item is read when an actor is free for it.

        Raises:
            MissingDependency: an actor lacks a package.
            ToolFailed: actors do not start.
        """
        self._waiting = iter(items)
        try:
            begun = time.monotonic()
            for _ in range(self._workers):
                self._start()
            while self._tasks and (self._again or any(task.item for task in self._tasks.values()) or self._peek()):
                ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=_TICK_S)
                for reference in ready:
                    yield from self._ended(reference)
                yield from self._given_up()
                if self._patient and time.monotonic() - begun > _PATIENCE_S:
                    self._tell_pending()
        finally:
            self._stop()

    def finished(self) -> Iterator[Prediction]:
        """Nothing: actors are gone when `answers` is left."""
        return iter(())

    def _peek(self) -> bool:
        """Whether there is an item more; it is put first."""
        item = next(self._waiting, None)
        if item is not None:
            self._again.append(item)
        return item is not None

    def _start(self) -> None:
        if self._first is None:
            if not self._peek():
                return
            self._first = self._again[0].model_dump_json()
        actor = self._actor_class.remote(*self._made_of)
        self._tasks[actor.ready.remote(self._first)] = _Task(actor, None, time.monotonic())

    def _give(self, actor: Any) -> None:
        """Gives the actor the next item; where there is none it is let go."""
        if not self._again and not self._peek():
            self._ray.kill(actor)
            return
        item = self._again.popleft()
        self._tasks[actor.answer.remote(item.model_dump_json())] = _Task(actor, item, time.monotonic())

    def _ended(self, reference: Any) -> Iterator[Prediction]:
        task = self._tasks.pop(reference)
        try:
            text = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            yield from self._gone(task, error)
            return
        data = json.loads(text)
        _check(data)
        if task.item is None:
            self._failed_starts = 0
        self._give(task.actor)
        if task.item is not None:
            yield Prediction.model_validate(data)

    def _gone(self, task: _Task, error: Exception) -> Iterator[Prediction]:
        """Another actor takes the place of a lost one; its item is tried again, a few times."""
        if task.item is None:
            self._failed_starts += 1
            if self._failed_starts >= TRIES:
                raise ToolFailed(f"Ray's workers do not start: {_line(error)}") from None
            self._start()
            return
        self._kill(task.actor)
        self._start()
        self._lost[task.item.id] = self._lost.get(task.item.id, 0) + 1
        if self._lost[task.item.id] < TRIES:
            self._again.append(task.item)
            return
        said = f"the worker that was asked was lost {TRIES} times: {_line(error)}"
        yield Prediction(id=task.item.id, status="failed", said=said)

    def _given_up(self) -> Iterator[Prediction]:
        """Answers for what hangs; its actor is killed and replaced."""
        if self._limit_s is None:
            return
        now = time.monotonic()
        for reference, task in list(self._tasks.items()):
            if task.item is not None and now - task.started > self._limit_s:
                del self._tasks[reference]
                self._kill(task.actor)
                self._start()
                yield timed_out(task.item.id, self._how)

    def _tell_pending(self) -> None:
        """Says once that workers are waited for."""
        self._patient = False
        pending = sum(task.item is None for task in self._tasks.values())
        if pending:
            free = self._ray.available_resources()
            note(
                f"{pending} of {self._workers} workers are not ready after {_PATIENCE_S:g} s: they load models, or "
                f"wait for room on the Ray cluster (1 CPU and {self._gpus:g} GPU each; "
                f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU are free)"
            )

    def _kill(self, actor: Any) -> None:
        self._ray.kill(actor)

    def _stop(self) -> None:
        for task in self._tasks.values():
            self._kill(task.actor)
        self._tasks.clear()
        self._leave()

    def _leave(self) -> None:
        if self._own:
            self._ray.shutdown()


def _connect(ray: Any, address: str, workers: int) -> bool:
    """Joins a cluster, or starts a local one; whether it is this process that must leave it."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if address != "auto":
        _check_address(address)
    try:
        ray.init(address=address, **quiet)
        return True
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address != "auto":
            raise UsageError(f"no Ray cluster answers at {address!r}: {_line(error)}") from None
    ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
    return True


def _check_gpus(ray: Any, gpus: float) -> None:
    """Raises UsageError where no machine of the cluster has so many: its workers would be waited for without end."""
    most = max((node["Resources"].get("GPU", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
    if gpus > most:
        there = f"its machines have {most:g} at most" if most else "it has none"
        raise UsageError(
            f"--worker-gpus is {gpus:g}, but no machine of the Ray cluster has so many GPUs: {there}; give a smaller "
            "number, or leave it out to answer on CPUs"
        )


def _check_address(address: str) -> None:
    """Raises UsageError where nothing listens: Ray itself would try for minutes."""
    expected = "expected 'auto' (starts a cluster here where there is none), HOST:PORT or ray://HOST:PORT"
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"the address of the Ray cluster is {address!r}; {expected}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise UsageError(f"nothing listens at {address!r} ({error.strerror or error}); {expected}") from None


def _trouble(error: SurveyorError) -> str:
    """An error as plain data: exceptions with arguments of their own do not travel."""
    command = error.command if isinstance(error, MissingDependency) else ""
    return json.dumps({"trouble": str(error), "command": command})


def _check(data: dict[str, Any]) -> None:
    """Raises what `_trouble` wrote down."""
    if "trouble" not in data:
        return
    if not data["command"]:
        raise UsageError(data["trouble"])
    missing = MissingDependency("a worker", data["command"])
    missing.args = (data["trouble"],)
    raise missing


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
