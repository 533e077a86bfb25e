"""How fast CREC and CRES items are built from annotations in memory.

    python benchmarks/bench_build.py                 # both tasks, drawn scenes
    python benchmarks/bench_build.py --scenes 140 --items 400
    python benchmarks/bench_build.py --data ../shared/data --items 200     # NWPU VHR-10 val, as in the suite
    python benchmarks/bench_build.py --scenes 630 --items 2000 --workers 2 # shared by two processes

Drawing the scenes does not count. Times are by the clock, best of several runs, and with several workers include the
start of their processes; the first build of this process also loads the parser's tables and is left out. Aimed at: 50
admitted items a second on two cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Literal

from surveyor.evals.construction.builder import build
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.datasets.record import Record
from surveyor.evals.suites import nwpu_val

_TASKS: tuple[Literal["CREC", "CRES"], ...] = ("CREC", "CRES")


def rate(
    records: list[Record], task: Literal["CREC", "CRES"], items: int, runs: int, workers: int
) -> tuple[int, float]:
    """(items admitted, the best rate a second)."""
    best, number = 0.0, 0
    for seed in range(runs):
        start = time.perf_counter()
        number = build(records, task=task, n=items, seed=seed, workers=workers)[0].admitted
        best = max(best, number / (time.perf_counter() - start))
    return number, best


def main() -> int:
    """Prints a line a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=63)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--size", type=int, default=640, help="side of the scenes, px")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes; they share builds of 500 items and more")
    parser.add_argument("--data", type=Path, help="folder with nwpu_vhr10/val.json")
    given = parser.parse_args()
    if given.data is None:
        records = list(synth_records(given.scenes, seed=0, size_wh=(given.size, given.size)))
    else:
        records = list(nwpu_val(given.data))
    build(records[:3], task="CREC", n=4, seed=0)
    things = sum(len(record.things) for record in records)
    shown = f"scenes of {given.size} px" if given.data is None else "photographs"
    print(f"{len(records)} {shown}, {things} annotated objects")
    for task in _TASKS:
        number, best = rate(records, task, given.items, given.runs, given.workers)
        print(f"{task}: {number} items, {best:.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
