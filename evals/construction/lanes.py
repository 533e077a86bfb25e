"""A large build in lanes, each of images of its own: processes can make them side by side.

How many lanes there are depends on the number of items alone, not on the number of processes: the same call gives the
same bytes on any machine. Each lane keeps balance for itself, so all of them together are balanced.
"""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from ...core.errors import ToolFailed
from ...core.progress import report
from ..bench.items import Item
from ..datasets.record import Record, Tally

LEAST = 250
"""Items of a lane: enough of them for balance."""
Made = tuple[list[Item], Tally]
Make = Callable[[Sequence[Record], int, int, int], Made]
"""Makes up to so many items of some images, counted from 0, and counts reasons of rejections.

The last two numbers are for progress: how many items there are before these, and of how many in all.
"""


@contextmanager
def without_collector() -> Iterator[None]:
    """Leaves out the search for cyclic garbage, which goes over all annotations again and again and finds hardly any.

    It took a quarter of the time of a build, and half of what handing images to other processes takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():  # what was made is no garbage: else the next object sets off a search of all
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def in_lanes(make: Make, records: Sequence[Record], n: int, *, seed: int, workers: int = 1) -> tuple[list[Item], Tally]:
    """Items of all lanes, numbered through.

    Where the images of one lane do not give its share, those that gave theirs are asked for more.

    Args:
        make: makes the items of one lane; with several workers it must be picklable.
        records: usable images.
        n: how many items. seed: of the build. workers: processes; 1 stays in this one.

    Raises:
        ToolFailed: a process ended before its time (memory ran out).
    """
    lanes = _dealt(records, max(1, n // LEAST), seed)
    wanted = _shares(n, len(lanes))
    made: list[Made | None] = [None] * len(lanes)
    with _processes(min(workers, len(lanes))) as pool:
        while open_ := [place for place, found in enumerate(made) if found is None]:
            _run(pool, make, lanes, wanted, open_, made)
            found = [len(items) for items, _ in filter(None, made)]
            full = [place for place, number in enumerate(found) if number == wanted[place]]
            if n > sum(found) and full and len(full) < len(lanes):
                for place, more in zip(full, _shares(n - sum(found), len(full)), strict=True):
                    if more:
                        wanted[place], made[place] = wanted[place] + more, None
    tally: Tally = sum((counted for _, counted in filter(None, made)), Tally())
    return numbered_through([items for items, _ in filter(None, made)]), tally


def numbered_through(parts: Sequence[Sequence[Item]]) -> list[Item]:
    """The items of several parts, each of which counts from 0, as one list with ids that count on.

    Example:
        >>> numbered_through([[], []])
        []
    """
    found: list[Item] = []
    for part in parts:
        first = len(found)
        if not first:
            found += part
            continue
        for item in part:
            twin = None if item.twin is None else _later(item.twin, first)
            found.append(item.model_copy(update={"id": _later(item.id, first), "twin": twin}))
    return found


def _later(name: str, first: int) -> str:
    """An id with another number: "crec-0-00012" -> "crec-0-00262"."""
    stem, number = name.rsplit("-", 1)
    return f"{stem}-{int(number) + first:05d}"


def _dealt(records: Sequence[Record], lanes: int, seed: int) -> list[list[Record]]:
    """The images dealt out at random, each lane's in their order; no lane without one."""
    order = list(range(len(records)))
    if lanes > 1:
        random.Random(f"{seed}|lanes").shuffle(order)
    dealt = [sorted(order[lane::lanes]) for lane in range(lanes)]
    return [[records[place] for place in places] for places in dealt if places]


def _shares(n: int, parts: int) -> list[int]:
    return [n // parts + (place < n % parts) for place in range(parts)]


@contextmanager
def _processes(workers: int) -> Iterator[Executor | None]:
    """A pool of fresh processes (a copy of this one could hang where libraries hold threads); None for one worker."""
    if workers <= 1:
        yield None
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(
    pool: Executor | None,
    make: Make,
    lanes: Sequence[Sequence[Record]],
    wanted: Sequence[int],
    open_: Sequence[int],
    made: list[Made | None],
) -> None:
    """Makes the items of some lanes."""
    if pool is None:
        for place in open_:
            before = sum(len(found[0]) for found in made if found is not None)
            made[place] = make(lanes[place], wanted[place], before, sum(wanted))
        return
    futures: dict[Future[Made], int] = {}
    for place in open_:
        with without_collector():
            packed = pickle.dumps(lanes[place], pickle.HIGHEST_PROTOCOL)
        futures[pool.submit(_unpacked, make, packed, wanted[place])] = place
    try:
        for future in as_completed(futures):
            made[futures[future]] = future.result()
            report("items", sum(len(found[0]) for found in made if found is not None), sum(wanted))
    except BrokenProcessPool as error:
        raise ToolFailed(
            "a process that built items ended before its time, mostly for want of memory; give fewer --workers"
        ) from error


@without_collector()
def _unpacked(make: Make, packed: bytes, n: int) -> Made:
    """What a process makes of the images it was handed."""
    return make(pickle.loads(packed), n, 0, n)
