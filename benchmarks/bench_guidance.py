"""The bar of constrained generation: a token held to a grammar against a free one, same model, minima of paired runs.

    OMP_NUM_THREADS=1 python benchmarks/bench_guidance.py [--sizes tiny 300m] [--tokens 64] [--repeats 5]

Both sides are transformers' greedy `generate` of exactly as many tokens (the end is kept away by `min_new_tokens`) of a
random checkpoint made by `surveyor.finetune.scratch.qwen2vl`, in CPU time of one thread. "+ budget" brings the reply to
its end within the tokens, which costs more at the last ones. The rows below the bar say what a step of the grammar
costs without a model. `--keep` is where checkpoints are kept for the next time (300m takes 0.9 GB).
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from surveyor.finetune.scratch.qwen2vl import make_qwen2vl
from surveyor.tools.models.guidance import GrammarProcessor, Guide, Guided, bits
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.utils import logging

POINTS = r"""
start: "none" | obj ("\n" obj)*
obj: "[" pt "," pt "," pt "," pt "]"
pt: "(" NUM "," NUM ")"
NUM: /1000|[1-9][0-9]{0,2}|0/
"""
ENDLESS = POINTS.replace('"none" | ', "")
TEXT = r"start: /[^\n]{1,4000}/"
BAR = 1.15
PROMPT = "<|im_start|>user\n[det] Find every plane in the image.<|im_end|>\n<|im_start|>assistant\n"


def in_turns(sides: Sequence[Callable[[], Any]], repeats: int) -> list[float]:
    """Least CPU seconds of each side, run in turns so that a neighbour slows all of them."""
    best = [float("inf")] * len(sides)
    gc.disable()
    for _ in range(repeats + 1):  # the first is to warm up
        for i, side in enumerate(sides):
            start = time.process_time()
            side()
            best[i] = min(best[i], time.process_time() - start)
    gc.enable()
    return best


def generate(model: Any, inputs: Any, tokens: int, processor: Callable[[], Any] | None, *, end: bool = False) -> Any:
    """One reply of that many tokens (fewer where it may end)."""
    bounds = {} if end else {"min_new_tokens": tokens}
    out = model.generate(
        **inputs, max_new_tokens=tokens, do_sample=False, temperature=None, top_p=None, top_k=None, **bounds,
        logits_processor=[processor()] if processor else None,
    )  # fmt: skip
    if not end and out.shape[1] != inputs["input_ids"].shape[1] + tokens:
        raise SystemExit(f"{out.shape[1] - inputs['input_ids'].shape[1]} tokens were written, not {tokens}")
    return out


def whole(size: str, folder: Path, tokens: int, repeats: int, rows: int) -> None:
    """The bar on one model."""
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    model.generation_config.repetition_penalty = None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    guide = Guide.of(tokenizer)
    inputs = tokenizer([PROMPT] * rows, return_tensors="pt")
    length = inputs["input_ids"].shape[1]
    held = partial(GrammarProcessor, guide, prompt_length=length, rows=rows)
    sides = [
        partial(generate, model, inputs, tokens, None),
        partial(generate, model, inputs, tokens, partial(held, ENDLESS)),
        partial(generate, model, inputs, tokens, partial(held, TEXT)),
        partial(generate, model, inputs, tokens, partial(held, ENDLESS, budget=tokens), end=True),
    ]
    with torch.inference_mode():
        out = sides[3]()
        free, points, text, ended = in_turns(sides, repeats)
    written = int((out[:, length:] != tokenizer.pad_token_id).sum(dim=1).max())
    name = f"{size}, {rows} row{'s' * (rows > 1)}"
    for what, took, count in (("points", points, tokens), ("text", text, tokens), ("points + budget", ended, written)):
        ratio = (took / count) / (free / tokens)
        verdict = ("holds" if ratio <= BAR else "MISSED") if what != "points + budget" else ""
        each = f"{free / tokens * 1e3:>9.2f} {took / count * 1e3:>9.2f} {ratio:>7.3f}x"
        print(f"{name:<14} {what:<18} {each} <= {BAR}x {verdict:<6} {count} tokens, vocabulary {guide.vocabulary}")


def alone(size: str, folder: Path, steps: int = 600) -> None:
    """What a step costs without a model, and how many tokens need none."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    guide, letter = Guide.of(tokenizer), int(tokenizer.convert_tokens_to_ids("a"))
    rng, scores = np.random.default_rng(0), torch.zeros(guide.vocabulary)
    for what, grammar in (("points", ENDLESS), ("text", TEXT)):
        reply, took, forced = Guided(guide, grammar), [], 0
        for _ in range(steps):
            start = time.perf_counter()
            forced += bool(reply.forced_tokens())
            reply.apply(scores)
            middle = time.perf_counter()
            some = bits(reply.mask()) if what == "points" else np.array([letter])
            token = int(rng.choice(some[~np.isin(some, guide.ends)]))
            begin = time.perf_counter()
            reply.consume(token)
            took.append(middle - start + time.perf_counter() - begin)
            scores.zero_()
        print(
            f"{size:<14} {what:<18} median {np.median(took) * 1e6:6.0f} us a step, mean {np.mean(took) * 1e6:6.0f}; "
            f"{forced / steps:.0%} of the steps had no choice"
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["tiny", "300m"])
    parser.add_argument("--rows", nargs="+", type=int, default=[1])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as made:
        folders = {size: (args.keep or Path(made)) / size for size in args.sizes}
        for size, folder in folders.items():
            if not (folder / "config.json").is_file():
                make_qwen2vl(folder, size=size)
        print(f"{'model':<14} {'held to':<18} {'free ms':>9} {'held ms':>9} {'ratio':>8} a token")
        for size, folder in folders.items():
            for rows in args.rows:
                whole(size, folder, args.tokens, args.repeats, rows)
        print("\nthe grammar alone")
        for size, folder in folders.items():
            alone(size, folder)


if __name__ == "__main__":
    main()
