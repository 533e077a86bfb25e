"""Kills benchmark runs with SIGKILL at random moments, takes them up again, and compares with a run left alone.

    python tests/killed_bench.py FOLDER MOMENTS SEED

Prints a JSON line a moment. A program of its own, so that each run is a forked process that nothing else lives in.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surveyor.evals.bench import store
from surveyor.evals.bench.items import write_items
from surveyor.evals.bench.predict import How
from surveyor.evals.bench.runner import Standing, program_digest, run
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.synth_source import synth_records

HOW = How(oracle=("parser", "boxes"))
ITEMS = 12


def make_items(folder: Path, n: int = ITEMS, *, scenes: int = 8, seed: int = 40) -> Path:
    """Items on drawn scenes, with their images beside them."""
    records = list(synth_records(scenes, seed=seed, size_wh=(512, 512), root=folder))
    header, items = build(records, task="CREC", n=n, seed=1, root=str(folder))
    assert len(items) == n, f"{len(items)} items were built"
    write_items(folder / "items.jsonl", header, items)
    return folder / "items.jsonl"


def comparable(out_dir: Path) -> dict[str, Any]:
    """Item -> all that was predicted but the time it took."""
    found = [each.model_dump(mode="json", exclude={"seconds"}) for each in store.read_predictions(out_dir)]
    assert len({each["id"] for each in found}) == len(found)
    return {each["id"]: each for each in found}


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """A child that does the work, and the pipe it tells its progress to."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            work(write)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    return child, read


def told(read: int) -> int:
    """How many answers the child has told of in all."""
    text = b""
    while piece := os.read(read, 65536):
        text += piece
    os.close(read)
    return int(text.split()[-1]) if text.split() else 0


def answering(items: Path, out: Path, workers: int, cut: tuple[int, float] | None) -> Callable[[int], None]:
    """A run; it dies in the middle of writing the line of the given number where one is given."""

    def work(pipe: int) -> None:
        if cut is not None:
            die_while_writing(*cut)

        def listener(standing: Standing) -> None:
            os.write(pipe, f"{standing.done}\n".encode())

        run(items, out, how=HOW, workers=workers, progress=listener)

    return work


def die_while_writing(number: int, share: float) -> None:
    """From now on the line of this number is cut at a share of its length, and the process is killed."""
    add = store.Predictions.add
    written = 0

    def dying(self: store.Predictions, prediction: Any) -> bool:
        nonlocal written
        written += 1
        if written < number:
            return add(self, prediction)
        line = prediction.model_dump_json(exclude_defaults=True).encode() + b"\n"
        self._file.write(line[: int(share * len(line))])
        os.kill(os.getpid(), signal.SIGKILL)
        return False

    store.Predictions.add = dying  # type: ignore[method-assign]


def one(items: Path, out: Path, chance: random.Random, whole_s: float) -> dict[str, Any]:
    """A run that is killed once or twice on its way."""
    kills, halves, kept_all, tellings = 0, 0, True, []
    for _ in range(chance.choice((1, 1, 2))):
        cut = (chance.randint(1, ITEMS), chance.random()) if chance.random() < 0.5 else None
        child, read = forked(answering(items, out, chance.choice((1, 2)), cut))
        if cut is None:
            time.sleep(chance.uniform(0.0, whole_s))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        place = out / store.PREDICTIONS_FILE
        before = place.read_bytes() if place.exists() else b""
        halves += not before.endswith(b"\n") and before != b""
        tellings.append(before[: before.rfind(b"\n") + 1])
        kept_all &= tellings[-1].count(b"\n") >= told(read)
    child, read = forked(answering(items, out, 2, None))
    _, status = os.waitpid(child, 0)
    os.close(read)
    after = (out / store.PREDICTIONS_FILE).read_bytes()
    return {
        "exit": status,
        "kills": kills,
        "halves": halves,
        "kept_all": kept_all and all(after.startswith(each) for each in tellings),
        "done_before": tellings[-1].count(b"\n"),
    }


def main() -> None:
    root, moments, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    root.mkdir(parents=True)
    items = make_items(root)
    import langgraph.graph
    import langgraph.types  # noqa: F401  # loaded once, so that forked runs spend their time on items

    program_digest()
    chance = random.Random(seed)
    started = time.monotonic()
    child, read = forked(answering(items, root / "alone", 2, None))
    assert os.waitpid(child, 0)[1] == 0, "the run that is left alone failed"
    whole_s = time.monotonic() - started
    os.close(read)
    expected = comparable(root / "alone")
    for number in range(moments):
        found = one(items, root / f"killed-{number}", chance, whole_s)
        same = comparable(root / f"killed-{number}") == expected
        print(json.dumps({**found, "same": same, "items": len(expected)}), flush=True)


if __name__ == "__main__":
    main()
