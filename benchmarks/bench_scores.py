"""Time to score 10,000 items, task by task, with 95 % intervals from 1,000 draws.

    python benchmarks/bench_scores.py
    python benchmarks/bench_scores.py --items 2000 --side 1024

The items are drawn at random (250 of them, then repeated under other names): 512 x 512 px, 25 objects of which 0 to 8
are right and 3 are ignored, answers that are near misses of the right ones with some more; 3 % are unreadable. Three
items share a family. CREC is scored upright and
oriented, CRES and RCD from run-length encoded masks, RCD with its components, captions with three references each. The
time is the wall clock's of one process; items and predictions are in memory, except in the last row, which reads both
files. Held: at most 60 s a task.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from surveyor.agent.parser import parse
from surveyor.core.masks import Mask
from surveyor.evals.bench.items import Header, Image, Item, Made, Task, Truth, read_items
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.scores.bootstrap import intervals
from surveyor.evals.scores.captions import Captioned, score_captions
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.cres import score_cres
from surveyor.evals.scores.gcg import Grounded, ap50, score_gcg, word_overlap
from surveyor.evals.scores.parsed import score_parsed
from surveyor.evals.scores.rcd import score_rcd
from surveyor.evals.scores.res import Segmented, score_res
from surveyor.evals.scores.scored import Scored
from surveyor.evals.scores.vqa import Questioned, score_vqa

BAR_SECONDS = 60.0
DIFFERENT = 250
REQUEST = parse("planes longer than 40 m")
WORDS = "a the red car cars plane planes road house building near of many two there are is green trees".split()


def corners_of(center: np.ndarray, size: np.ndarray, angle: float) -> np.ndarray:
    """(4, 2) corners of an oriented box."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * size
    return half @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + center


def thing(quad: np.ndarray, side: int, with_mask: bool) -> dict[str, Any]:
    """Upright box, corners and mask of an oriented box."""
    rle = Mask.from_polygon(quad, (side, side)).to_rle() if with_mask else None
    hbb = (*quad.min(axis=0).tolist(), *quad.max(axis=0).tolist())
    return {"hbb": hbb, "obb": tuple(map(tuple, quad.tolist())), "rle": rle}


def draw(rng: np.random.Generator, task: Task, side: int) -> tuple[Item, Prediction]:
    """One item and its answer."""
    centers, sizes = rng.uniform(0, side, (25, 2)), rng.uniform(8, 60, (25, 2))
    angles, right = rng.uniform(0, np.pi, 25), int(rng.integers(0, 9))
    quads = [corners_of(*each) for each in zip(centers, sizes, angles, strict=True)]
    masked = task == "CRES"
    objects = tuple(Truth(id=str(i), label="plane", **thing(quad, side, masked)) for i, quad in enumerate(quads))
    ids = tuple(each.id for each in objects)
    near = [quad + rng.normal(0, 4, 2) for quad in (*quads[:right], *quads[20 : 20 + int(rng.integers(0, 5))])]
    union = Mask.from_array(np.zeros((side, side)))
    found = union
    if task == "RCD":
        for quad in quads[:right]:
            union = union.union(Mask.from_polygon(quad, (side, side)))
        for quad in near:
            found = found.union(Mask.from_polygon(quad, (side, side)))
    left_half = Mask.from_array(np.ones((side, side // 2)), shape_hw=(side, side))
    item = Item(
        id="0", task=task, image=Image(path="x.png", size_wh=(side, side), family="f"), expression="planes",
        request=REQUEST, objects=objects, answer_ids=ids[:right], universe_ids=ids[:22], ignored_ids=ids[22:],
        answer_rle=union.to_rle() if task == "RCD" else None, made=Made(version=1, seed=0),
        asked_rle=left_half.to_rle() if task == "RCD" else None,
    )  # fmt: skip
    regions = tuple(Predicted(**thing(quad, side, masked)) for quad in near) if task != "RCD" else ()
    answer = Prediction(
        id="0",
        regions=regions,
        mask_rle=found.to_rle() if task == "RCD" else None,
        request=REQUEST.model_dump(mode="json"),
    )
    return item, answer


def many(task: Task, number: int, side: int) -> tuple[list[Item], list[Prediction]]:
    """Items and predictions, `DIFFERENT` of them drawn, the others copies under other names."""
    rng = np.random.default_rng(0)
    drawn = [draw(rng, task, side) for _ in range(min(DIFFERENT, number))]
    items, answers = [], []
    for i in range(number):
        item, answer = drawn[i % len(drawn)]
        image = item.image.model_copy(update={"family": f"f{i // 3}"})
        items.append(item.model_copy(update={"id": f"{i:06}", "image": image}))
        spoilt = {"status": "unreadable", "regions": (), "mask_rle": None} if i % 33 == 0 else {}
        answers.append(answer.model_copy(update={"id": f"{i:06}", **spoilt}))
    return items, answers


def sentence(rng: np.random.Generator) -> str:
    """Eight to fifteen words."""
    return " ".join(rng.choice(WORDS, rng.integers(8, 16)))


def text_rows(number: int) -> dict[str, Callable[[], Scored]]:
    """Scorers of texts."""
    rng = np.random.default_rng(0)
    said = [Captioned(f"{i:06}", f"f{i // 3}", [sentence(rng) for _ in range(3)], sentence(rng)) for i in range(number)]
    kinds, truths = rng.choice(["count", "presence", "comp"], number), rng.choice(["yes", "no", "3"], number)
    asked = [Questioned(f"{i:06}", f"f{i // 3}", str(kinds[i]), str(truths[i]), "yes") for i in range(number)]
    return {"captions": lambda: score_captions(said), "VQA": lambda: score_vqa(asked)}


def files_row(items: list[Item], answers: list[Prediction], folder: Path) -> Callable[[], Scored]:
    """CREC from its two files."""
    header = Header(task="CREC", command="bench_scores", seed=0, sources={}, admitted=len(items))
    rows = [json.dumps({"header": header.model_dump(mode="json")}), *(item.model_dump_json() for item in items)]
    (folder / "items.jsonl").write_text("\n".join(rows), encoding="utf-8")
    lines = [answer.model_dump_json() for answer in answers]
    (folder / "predictions.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def run() -> Scored:
        with (folder / "predictions.jsonl").open(encoding="utf-8") as file:
            return score_crec(read_items(folder / "items.jsonl"), map(Prediction.model_validate_json, file))

    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=512, help="of the images, px")
    options = parser.parse_args()
    crec, cres, rcd = (many(task, options.items, options.side) for task in ("CREC", "CRES", "RCD"))
    size = (options.side, options.side)
    masks = [(a, b) for a, b in zip(rcd[0], rcd[1], strict=True) if a.answer_rle and b.mask_rle]
    segmented = [Segmented(a.id, a.image.family, a.answer_rle or {}, b.mask_rle) for a, b in masks]
    grounded = [
        Grounded(
            a.id, a.image.family, size, ["plane"] * len(a.answers), [each.rle or {} for each in a.answers],
            ["plane"] * len(b.regions), [each.rle or {} for each in b.regions], b.status,
        )
        for a, b in zip(*cres, strict=True)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        rows: dict[str, Callable[[], Scored]] = {
            "CREC, upright": lambda: score_crec(*crec),
            "CREC, oriented": lambda: score_crec(*crec, oriented=True),
            "CRES": lambda: score_cres(*cres),
            "RCD": lambda: score_rcd(*rcd),
            "parser": lambda: score_parsed(*crec),
            "RES": lambda: score_res(segmented),
            "GCG": lambda: score_gcg(grounded, word_overlap),
            **text_rows(options.items),
            "CREC, from files": files_row(*crec, Path(folder)),
        }
        slowest = 0.0
        print(f"| task | items | score s | of it processor s | intervals s | ms an item |\n{'|---' * 6}|")
        for name, run in rows.items():
            start, begun = time.perf_counter(), time.process_time()
            table = run()
            middle, busy = time.perf_counter(), time.process_time() - begun
            intervals(table)
            stop = time.perf_counter()
            slowest = max(slowest, stop - start)
            number = len(table.ids)
            each = 1000 * (stop - start) / number
            print(f"| {name} | {number} | {middle - start:.1f} | {busy:.1f} | {stop - middle:.1f} | {each:.2f} |")
    start = time.perf_counter()
    ap50(grounded)
    spent = time.perf_counter() - start
    print(f"| GCG's AP50 | {len(grounded)} | {spent:.1f} | | | {1000 * spent / len(grounded):.2f} |")
    slowest = max(slowest, spent)
    print(f"\nslowest {slowest:.1f} s; held: {BAR_SECONDS:.0f} s for 10,000 items")
    return int(slowest > BAR_SECONDS * options.items / 10_000)


if __name__ == "__main__":
    sys.exit(main())
