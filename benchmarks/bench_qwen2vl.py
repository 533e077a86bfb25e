"""The bars of the local Qwen2-VL engine, on random weights: speed does not depend on what was learnt.

    MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184 OMP_NUM_THREADS=1 \\
        python benchmarks/bench_qwen2vl.py [--sizes tiny 300m] [--keep FOLDER]

CPU seconds of one thread, minima of paired runs. "gemv" multiplies every weight matrix that a token needs by one
vector, the least that decoding can do on this machine. Replies are made as long as asked for on both sides. Memory is
measured in a process of its own for each size.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from surveyor.core.codec import Pointed
from surveyor.core.errors import ModelOutputError
from surveyor.core.scene import Scene
from surveyor.finetune.scratch.qwen2vl import make_qwen2vl
from surveyor.tools.models.guidance import Guide, Guided
from surveyor.tools.models.prompting import Picture, Prompt, meaning
from surveyor.tools.models.qwen2vl.adapter import Qwen2VL
from surveyor.tools.models.qwen2vl.engine import Engine
from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings
from surveyor.tools.models.tasks import Asking

TOKENS = {"tiny": 96, "300m": 24}
SIDE_PX = {"tiny": 784, "300m": 448}
ENDLESS = r"""
start: obj ("\n" obj){500,}
obj: "[" pt "," pt "," pt "," pt "]"
pt: "(" NUM "," NUM ")"
NUM: /1000|[1-9][0-9]{0,2}|0/
"""
SCENE_PX = 4000


def in_turns(sides: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Least CPU seconds of each side, run in turns so that a neighbour slows all of them; one round to warm up."""
    best = [float("inf")] * len(sides)
    gc.disable()
    for _ in range(repeats + 1):
        for i, side in enumerate(sides):
            start = time.process_time()
            side()
            best[i] = min(best[i], time.process_time() - start)
    gc.enable()
    return best


def asking(text: str, tokens: int, grammar: str | None = None) -> Asking[str]:
    """Something to ask whose reply is as long as may be."""
    return Asking("vqa", text, grammar, str, tokens, str)


def a_picture(engine: Engine, side: int, seed: int = 0) -> Picture:
    """Noise of about side x side px."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    return Picture(str(seed), engine.seen_size((side, side)), lambda: pixels)


def gemv(engine: Engine) -> Callable[[], None]:
    """Every matrix of the language model and its head times one vector."""
    text = engine.loaded.base.model.language_model
    matrices = [part.weight for part in text.layers.modules() if isinstance(part, torch.nn.Linear)]
    matrices.append(engine.loaded.base.lm_head.weight)
    vectors = {matrix.shape[1]: torch.randn(1, matrix.shape[1], dtype=matrix.dtype) for matrix in matrices}

    def run() -> None:
        with torch.inference_mode():
            for matrix in matrices:
                torch.nn.functional.linear(vectors[matrix.shape[1]], matrix)

    return run


def speeds(folder: Path, size: str, repeats: int) -> list[tuple[str, str, str, bool | None]]:
    """Rows: what, measured, bar, held."""
    tokens = TOKENS[size]
    warm = Engine(Checkpoint(str(folder)), Settings(device="cpu", batch=1))
    vars(warm)["_ends"] = frozenset()  # replies never end by themselves: all are equally long
    cold = Engine(Checkpoint(str(folder)), Settings(device="cpu", batch=1, prefix_mb=0))
    vars(cold).update(_loaded=warm.loaded, _ends=frozenset())
    guide = Guide.of(warm.loaded.tokenizer)
    vars(warm)["_guide"] = lambda one: Guided(guide, one.grammar) if one.grammar else None
    image = a_picture(warm, SIDE_PX[size])
    free = [Prompt((image,), asking("[vqa] What?", count)) for count in (4, 4 + tokens)]
    held = [Prompt((image,), asking("[vqa] What?", count, ENDLESS)) for count in (4, 4 + tokens)]
    stepwise = _without_skipping(warm)
    base, full, few, many, skipping, floor = in_turns(
        [
            *(lambda p=p: warm.ask([p]) for p in free),
            *(lambda p=p: stepwise([p]) for p in held),
            lambda: warm.ask([held[1]]),
            gemv(warm),
        ],
        repeats,
    )
    token, guided = (full - base) / tokens, (many - few) / tokens
    skipped = (skipping - few) / tokens
    rows: list[tuple[str, str, str, bool | None]] = [
        ("a token, decoding", f"{token * 1e3:.2f} ms", "", None),
        ("gemv over a token's weights", f"{floor * 1e3:.2f} ms = {floor / token:.0%}", ">= 50 %", floor / token >= 0.5),
        (
            "a token held to a grammar",
            f"{guided * 1e3:.2f} ms = {guided / token:.2f}x",
            "<= 1.15x",
            guided <= 1.15 * token,
        ),
        ("the same, forced tokens skipped", f"{skipped * 1e3:.2f} ms = {skipped / token:.2f}x", "", None),
    ]
    questions = [Prompt((image,), asking(f"[vqa] How many things of kind {n} are there?", 8)) for n in range(4)]

    def four(engine: Engine) -> Callable[[], None]:
        def run() -> None:
            engine._prefixes.clear()
            for question in questions:
                engine.ask([question])

        return run

    ours, theirs = in_turns([four(warm), four(cold)], max(1, repeats - 2))
    tokens_of_image = image.size_wh[0] * image.size_wh[1] // warm.factor**2
    measured = f"{ours:.2f} s against {theirs:.2f} s cold = {theirs / ours:.2f}x"
    rows.append((f"4 questions on one image ({tokens_of_image} tokens)", measured, ">= 2x", theirs >= 2 * ours))
    return rows


def _without_skipping(engine: Engine) -> Callable[[list[Prompt]], Any]:
    """`engine.ask` with every token chosen by the model, so that both sides do equally many steps."""
    from surveyor.tools.models.qwen2vl import decoding

    def ask(prompts: list[Prompt]) -> Any:
        own = vars(decoding)["_skip"]
        vars(decoding)["_skip"] = lambda _row: 0
        try:
            return engine.ask(prompts)
        finally:
            vars(decoding)["_skip"] = own

    return ask


def readable(folder: Path, wanted: int) -> tuple[int, int, int]:
    """How many replies were asked for, could be read, and had to be closed, over all tasks with a grammar, drawn."""
    asked = read = closed = 0
    for name in ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl"):
        engine = Engine(Checkpoint(str(folder)), Settings(device="cpu", batch=8, dialect=name))
        image = a_picture(engine, 112)
        wh, tasks = image.size_wh, engine.tasks
        boxes = [Pointed("box", np.array([[n, n], [n + 20.0, n + 30.0]])) for n in range(5)]
        kinds: list[Asking[Any]] = [
            tasks.detect("plane", wh), tasks.segment("ship", wh), tasks.change("building", wh), tasks.count("tank"),
            tasks.select(boxes, "small", wh), tasks.classify(["harbour", "airport", "farm"]), tasks.locate(),
        ]  # fmt: skip
        each = -(-wanted // (4 * len(kinds)))
        for kind in kinds:
            limit = max(kind.max_tokens // 16, 64)
            replies = engine.ask([Prompt((image,), kind.capped(limit))] * each, temperature=1.0)
            asked += len(replies)
            closed += sum(reply.forced for reply in replies)
            for reply in replies:
                try:
                    meaning(kind, reply)
                    read += 1
                except ModelOutputError as error:
                    print(f"unreadable: {kind.task} {name} {error} {reply.text!r}")
    return asked, read, closed


def memory(folder: Path) -> None:
    """Prints MB after loading and at most while a large scene is grounded; for a process of its own."""
    model = Qwen2VL.at(f"{folder}?device=cpu&max_tokens=24")
    _ = model.answerer.loaded
    small = np.random.default_rng(0).integers(0, 255, (SCENE_PX // 8, SCENE_PX // 8, 3), dtype=np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    with tempfile.TemporaryDirectory() as place:
        import cv2

        path = Path(place) / "scene.tif"
        cv2.imwrite(str(path), cv2.resize(small, (SCENE_PX, SCENE_PX)))
        del small
        scene = Scene.open(path)
        views = model.views(scene.size_wh)
        limited = len(views) if "tiny" in folder.name else 2
        vars(model)["views"] = lambda size_wh: views[:limited]
        model.ground(scene, "plane")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{before:.0f} {after:.0f} {limited} {len(views)}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["tiny", "300m"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--replies", type=int, default=2000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory_of:
        memory(given.memory_of)
        return
    with tempfile.TemporaryDirectory() as place:
        for size in given.sizes:
            folder = (given.keep or Path(place)) / f"qwen2vl-{size}"
            if not (folder / "config.json").is_file():
                make_qwen2vl(folder, size=size)
            rows = speeds(folder, size, given.repeats)
            done = subprocess.run(
                [sys.executable, __file__, "--memory-of", str(folder)], capture_output=True, text=True, check=True
            )
            before, after, shown, views = (int(word) for word in done.stdout.split())
            measured = f"{before} MB loaded, {after - before} MB more"
            what = f"memory, {SCENE_PX} px scene ({shown} of {views} views)"
            rows.append((what, measured, "<= 1,000 MB", after - before <= 1000))
            if size == "tiny":
                asked, read, closed = readable(folder, given.replies)
                done_by = f"{read} of {asked} ({closed} closed when their tokens were used up)"
                rows.append(("replies of all tasks and dialects that can be read", done_by, "100 %", read == asked))
            print(f"\n{size}")
            for what, measured, bar, held in rows:
                mark = "" if held is None else "held" if held else "MISSED"
                print(f"  {what:50} {measured:52} {bar:12} {mark}")


if __name__ == "__main__":
    main()
