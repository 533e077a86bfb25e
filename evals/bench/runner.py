"""Puts the items of a benchmark to the agent and keeps the answers; takes a run up where it stood."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import UsageError
from ...core.progress import report
from ...tools.models.spec import Models, load_models
from .field_predict import answer_item, check_field, field_roles, warm_up
from .items import FIELD_TASKS, AnyItem, FieldItem, images_root, read_header, read_items
from .predict import How, timed_out
from .predictions import Prediction
from .store import About, Predictions, Settings
from .workers import Threads

STATUSES = ("answered", "unreadable", "failed", "refused", "timeout")
FULL = How()


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        done: items with an answer, those of earlier calls too.
        total: items that the run answers.
        rate: items a second in this call; None before the first.
        left_s: seconds that the rest will take at that rate; None before the first.
        statuses: status -> how many.
    """

    done: int
    total: int
    rate: float | None
    left_s: float | None
    statuses: Mapping[str, int]


@dataclass(frozen=True)
class Ran:
    """What a call of `run` did.

    Attributes:
        done: items with an answer.
        total: items that the run answers.
        new: answered in this call.
        seconds: wall-clock time of this call.
        statuses: status -> how many, over all items.
    """

    done: int
    total: int
    new: int
    seconds: float
    statuses: Mapping[str, int] = field(default_factory=dict)


class Pool(Protocol):
    """What answers items side by side: threads here, actors on Ray."""

    def answers(self, items: Iterable[Any]) -> Generator[Prediction, None, None]:
        """The predictions, as they get ready."""
        ...

    def finished(self) -> Iterator[Prediction]:
        """What got ready after `answers` was left."""
        ...


def run(
    items_path: str | Path,
    out_dir: str | Path,
    *,
    models: str | Models | None = None,
    how: How = FULL,
    root: str | Path | None = None,
    workers: int = 1,
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
    retry: Collection[str] = (),
    ray: str | None = None,
    worker_gpus: float = 0.0,
    cache: bool = False,
    progress: Callable[[Standing], None] | None = None,
) -> Ran:
    """Answers the items of a file that have no answer in the folder yet.

    Args:
        items_path: made by `surveyor bench build`.
        out_dir: gets `run.json` and `predictions.jsonl`.
        models: as in `surveyor.ask`.
        how: what answers, and how long it may take.
        root: folder that the images' paths are relative to; None tries the items' folder, then the working one.
        workers: threads, or actors on Ray.
        limit: only the file's first items; shards are taken of those.
        shard: which part of how many, from 1: item number i (from 0) is in part i % n + 1.
        retry: statuses whose items are asked again; their old predictions go when the first new one comes.
        ray: "auto" or the address of a cluster; None answers on threads here.
        worker_gpus: GPUs that each actor holds.
        cache: whether results of earlier runs are used and kept, as in `surveyor.ask`.
        progress: called after each item, from this thread.

    Raises:
        UsageError: a damaged file, no image found, other settings than those the folder's run was begun with.
        MissingDependency: of the models, or Ray.
        KeyboardInterrupt: Ctrl-C; what was answered is kept.

    Example:
        >>> import tempfile
        >>> from surveyor.evals.construction.builder import build
        >>> from surveyor.evals.bench.items import write_items
        >>> from surveyor.evals.construction.synth_source import synth_records
        >>> folder = Path(tempfile.mkdtemp())
        >>> records = synth_records(3, seed=0, size_wh=(512, 512), root=folder)
        >>> write_items(folder / "items.jsonl", *build(records, task="CREC", n=4, seed=0))
        >>> how = How(oracle=("parser", "boxes"))
        >>> run(folder / "items.jsonl", folder / "run", how=how).statuses
        {'answered': 4}
    """
    started = time.monotonic()
    _check_numbers(workers, limit, shard, retry)
    if worker_gpus and ray is None:
        raise UsageError(f"--worker-gpus is {worker_gpus:g} without --ray; threads here share the models: leave it out")
    task = read_header(items_path).task
    how.check(task)
    wanted, images, pairs = _wanted(items_path, limit, shard)
    place = images_root(root, items_path, images)
    spec = None if isinstance(models, Models) else models
    loaded = models if isinstance(models, Models) else load_models(models)
    how.check(task, loaded)
    if task in FIELD_TASKS:
        check_field(task, how, loaded, pairs=pairs)
    elif how.through != "grounder":
        raise UsageError(f"{task} items always go through the agent; --through is for rec and res")
    settings = Settings(
        items=hashlib.sha256(Path(items_path).read_bytes()).hexdigest(),
        models="objects" if isinstance(models, Models) else spec or "",
        versions=_versions(loaded, how, task, pairs),
        how=how,
        limit=limit,
        shard=shard,
        program=program_digest(),
    )
    about = About(
        task=task,
        items=str(Path(items_path).resolve()),
        root=str(place.resolve()),
        wanted=len(wanted),
        started=time.time(),
    )
    with Predictions(out_dir, settings, about, retry) as kept:
        before = len(kept.done)
        _tell(progress, kept, len(wanted), before, started)
        if before < len(wanted):
            pool: Pool
            if ray is None:
                if models is not loaded and settings.versions:
                    warm_up(next(read_items(items_path)), loaded, how, root=place)
                    started = time.monotonic()
                pool = _threads(loaded, how, place, workers, cache)
            else:
                if isinstance(models, Models):
                    raise UsageError("Ray's workers load their models by a spec; give models as text")
                from .rays import Actors

                pool = Actors(ray, spec, how, place.resolve(), workers, worker_gpus, cache)
            waiting = (item for item in read_items(items_path) if item.id in wanted and item.id not in kept.done)
            _answer(pool, waiting, kept, lambda: _tell(progress, kept, len(wanted), before, started))
        seconds = time.monotonic() - started
        return Ran(len(kept.done), len(wanted), len(kept.done) - before, seconds, dict(kept.statuses))


def _answer(pool: Pool, items: Iterable[AnyItem], kept: Predictions, told: Callable[[], None]) -> None:
    answers = pool.answers(items)
    try:
        for prediction in answers:
            kept.add(prediction)
            told()
    except BaseException:  # Ctrl-C, a full disk, a missing package: what is ready is kept, then it goes on as it was
        answers.close()
        for prediction in pool.finished():
            kept.add(prediction)
        raise


def _threads(models: Models, how: How, root: Path, workers: int, cache: bool) -> Threads:
    def work(item: AnyItem, cancel: threading.Event) -> Prediction:
        return answer_item(item, models, how, root=root, cancel=cancel, cache=cache)

    return Threads(work, workers, lambda item: timed_out(item.id, how), how.timeout_s)


def _tell(
    progress: Callable[[Standing], None] | None, kept: Predictions, total: int, before: int, started: float
) -> None:
    done = len(kept.done)
    report("items", done, total)
    if progress is not None:
        new, seconds = done - before, max(time.monotonic() - started, 1e-6)
        rate = new / seconds if new else None
        progress(Standing(done, total, rate, None if rate is None else (total - done) / rate, dict(kept.statuses)))


@once
def program_digest() -> str:
    """A name for the code that answers depend on, so that no run mixes those of two programs."""
    root = Path(__file__).resolve().parents[2]
    total = hashlib.sha256()
    for room in ("core", "prompts", "tools", "agent", "evals/bench"):
        for path in sorted(each for each in (root / room).rglob("*") if each.suffix in (".py", ".md", ".txt")):
            total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


# ---- what is asked for ----------------------------------------------------------------------------------------


def _check_numbers(workers: int, limit: int | None, shard: tuple[int, int], retry: Collection[str]) -> None:
    if workers < 1:
        raise UsageError(f"workers is {workers!r}, expected 1 or more")
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit!r}, expected 1 or more; leave it out for all items")
    if not 1 <= shard[0] <= shard[1]:
        raise UsageError(f"there is no shard {shard[0]}/{shard[1]}; expected 1/{max(shard[1], 1)} to {max(shard[1], 1)}/{max(shard[1], 1)}")  # fmt: skip  # noqa: E501
    for status in retry:
        if status not in STATUSES:
            raise UsageError(f"there is no status {status!r}; expected one of: {', '.join(STATUSES[1:])}")
        if status == STATUSES[0]:
            raise UsageError(f"answers are not thrown away to ask again ({status!r}); give another folder")


def _wanted(
    items_path: str | Path, limit: int | None, shard: tuple[int, int]
) -> tuple[set[str], tuple[str, ...], bool]:
    """Ids of the items that the run answers, the paths of their images, and whether the field's are pairs.

    The whole file is checked.
    """
    wanted: set[str] = set()
    images: dict[str, None] = {}
    pairs = False
    for number, item in enumerate(read_items(items_path)):
        if (limit is None or number < limit) and number % shard[1] == shard[0] - 1:
            wanted.add(item.id)
            images[item.image.path] = None
            pairs |= isinstance(item, FieldItem) and item.after is not None
    return wanted, tuple(images), pairs


def _versions(models: Models, how: How, task: str, pairs: bool = False) -> dict[str, str]:
    """Role -> name and version, of those that will be asked."""
    if task in FIELD_TASKS:
        roles = field_roles(task, how, models, pairs=pairs)
    elif task == "RCD":
        roles = list(how.rcd_roles)
    else:
        roles = [] if "boxes" in how.oracle else ["grounder"]
        roles += [] if "masks" in how.oracle or task == "CREC" else ["segmenter"]
        roles += ["chat"] if how.reads and how.parser != "grammar" else []
    asked = {role: getattr(models, role) for role in roles if getattr(models, role) is not None}
    return {role: f"{model.name} {getattr(model, 'version', None) or ''}".strip() for role, model in asked.items()}
