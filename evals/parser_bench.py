"""Measures how well requests in people's own words are read: python -m surveyor.evals.parser_bench

    python -m surveyor.evals.parser_bench                            # the dev split, by the grammar
    python -m surveyor.evals.parser_bench --split test --out r.json  # not to be looked at while improving a parser
    python -m surveyor.evals.parser_bench --parser auto --models chat=hf:FOLDER

Each request has a gold tree, or words that a refusal must name (`evals/parser_requests.py`). A request is *understood*
when a tree comes back. Its tree is exact when it equals a gold tree after levelling (`evals/parser_canonical.py`); its
answer is exact when, besides, other trees give the same regions, numbers and verdicts as a gold tree on every drawn
scene, asked of the oracle grounder. A condition is *dropped* when the tree holds fewer than any gold tree, or was made
for a request that had to be refused and holds none of the words in trouble. Intervals: Wilson, 95 %.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from ..agent.parsers import PARSERS, parse_request
from ..core.errors import SurveyorError, UsageError
from ..core.protocols import ChatModel
from ..tools.models.spec import load_models
from .parser_answers import gallery
from .parser_requests import SPLITS, Item, read_requests
from .parser_scores import RIGHT, Result, score

SCENES = 3
WARM, PASSES = 2, 5


@dataclass(frozen=True)
class Cost:
    """What reading costs: milliseconds (median over the requests, 95th percentile, worst) and bytes kept a pass."""

    median_ms: float
    p95_ms: float
    worst_ms: float
    bytes_kept_per_pass: float


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) when nothing was tried.

    Example:
        >>> tuple(round(bound, 3) for bound in wilson(9, 10))
        (0.596, 0.982)
    """
    if not n:
        return 0.0, 1.0
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def cost(items: Sequence[Item], passes: int = PASSES) -> Cost:
    """What the grammar costs: each request is read several times in one process.

    Args:
        passes: over all requests while memory is watched; growth is that of the second half of them, since the first
            passes fill caches.
    """
    times: list[list[float]] = [[] for _ in items]
    for _ in range(WARM + PASSES):
        for item, own in zip(items, times, strict=True):
            started = time.perf_counter()
            _read(item)
            own.append((time.perf_counter() - started) * 1000)
    each = [median(own[WARM:]) for own in times]
    gc.collect()
    tracemalloc.start()
    try:
        kept = []
        for _ in range(WARM + passes):
            for item in items:
                _read(item)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    half = len(kept) // 2
    growth = (kept[-1] - kept[half - 1]) / (len(kept) - half)
    return Cost(median(each), quantiles(each, n=20)[-1], max(each), growth)


def _read(item: Item) -> None:
    with suppress(UsageError):
        parse_request(item.query, "grammar")


def measure(
    items: Sequence[Item], parser: str = "grammar", chat: ChatModel | None = None, scenes: int = SCENES
) -> list[Result]:
    """The result of every request, in order.

    Args:
        scenes: drawn scenes of each kind on which differing trees are compared.
    """
    with gallery(scenes) as drawn:
        return [score(item, drawn, parser, chat) for item in items]


def summary(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """Name of a figure -> (hits, out of how many)."""
    understood = [r for r in results if r.understood]
    meant = [r for r in results if r.item.gold is not None]
    to_refuse = [r for r in results if r.item.gold is None]
    refused = [r for r in results if not r.understood]
    return {
        "requests with a meaning that were understood": (sum(r.understood for r in meant), len(meant)),
        "exact tree, of all understood": (sum(r.outcome == "exact tree" for r in understood), len(understood)),
        "exact answer, of all understood": (sum(r.outcome in RIGHT for r in understood), len(understood)),
        "refused, of those to be refused": (sum(not r.understood for r in to_refuse), len(to_refuse)),
        "refused and the right words named": (sum(r.outcome == "refused rightly" for r in to_refuse), len(to_refuse)),
        "refusals that mark words of the query": (sum(r.points for r in refused), len(refused)),
        "right tree, right answer or right refusal": (sum(r.is_right for r in results), len(results)),
        "answered with a condition dropped": (sum(r.dropped for r in results), len(results)),
    }


def table(results: Sequence[Result]) -> str:
    """Two Markdown tables: the figures with their intervals, and outcomes by kind of request."""
    lines = ["| figure | hits | n | share | 95 % interval |", "|---|---:|---:|---:|---|"]
    for name, (hits, n) in summary(results).items():
        low, high = wilson(hits, n)
        share = f"{hits / n:.3f}" if n else "-"
        lines.append(f"| {name} | {hits} | {n} | {share} | {low:.3f}-{high:.3f} |")
    lines += ["", "| kind | n | exact tree | same answer | refused rightly | not understood | wrong or answered |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for kind in [*dict.fromkeys(r.item.kinds[0] for r in results), "**all**"]:
        seen = Counter(r.outcome for r in results if kind in (r.item.kinds[0], "**all**"))
        missed = seen["not understood"] + seen["refused for other words"]
        lines.append(
            f"| {kind} | {seen.total()} | {seen['exact tree']} | {seen['same answer']} | {seen['refused rightly']} "
            f"| {missed} | {seen['wrong'] + seen['answered']} |"
        )
    return "\n".join(lines)


def report(results: Sequence[Result], spent: Cost | None, **about: Any) -> dict[str, Any]:
    """Everything as JSON types: what was measured and how, the figures, and every request that went amiss."""
    figures = {
        name: {"hits": hits, "n": n, "interval": wilson(hits, n)} for name, (hits, n) in summary(results).items()
    }
    return {
        **about,
        "commit": commit(),
        "figures": figures,
        "cost": None if spent is None else vars(spent),
        "amiss": [
            {"id": r.item.id, "query": r.item.query, "outcome": r.outcome, "dropped": r.dropped, "said": r.said}
            for r in results
            if not r.is_right
        ],
    }


def commit() -> str:
    """The commit of the source, with "+changes" when files differ from it; "unknown" outside a checkout."""
    try:
        root = Path(__file__).resolve().parents[1]
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    found = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    head, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m surveyor.evals.parser_bench",
        description=head.partition(":")[0] + ".",
        epilog=rest.strip("\n"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), default="dev", help="which requests (default: dev)")
    parser.add_argument("--parser", choices=PARSERS, default="grammar", help="which parser reads (default: grammar)")
    parser.add_argument("--models", help="where the parser's language model is: chat=hf:FOLDER, chat=openai:MODEL@URL")
    parser.add_argument("--kind", action="append", help="only this kind of request; may be repeated")
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"drawn scenes of each kind (default: {SCENES})")
    parser.add_argument(
        "--passes", type=int, default=PASSES, help=f"passes over which memory is watched (default: {PASSES})"
    )
    parser.add_argument("--out", type=Path, help="writes the report here as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables, then what went amiss; 0 when no condition was dropped, else 1; 2 on usage errors."""
    options = _options(arguments)
    splits = SPLITS if options.split == "all" else (options.split,)
    try:
        if options.scenes < 1 or options.passes < 1:
            raise UsageError(f"--scenes {options.scenes} and --passes {options.passes} must be at least 1")
        chat = load_models(options.models).chat if options.models else None
        items = [
            item
            for split in splits
            for item in read_requests(split)
            if not options.kind or set(options.kind) & set(item.kinds)
        ]
        if not items:
            raise UsageError(f"no request is of the kind {options.kind!r}")
        results = measure(items, options.parser, chat, options.scenes)
    except SurveyorError as error:
        print(error, file=sys.stderr)
        return 2
    spent = cost(items, options.passes) if options.parser == "grammar" and len(items) > 1 else None
    about = {"split": options.split, "parser": options.parser, "scenes": options.scenes, "requests": len(items)}
    found = report(results, spent, **about)
    print(f"parser {options.parser}, split {options.split}, commit {found['commit']}\n\n{table(results)}\n")
    if spent is not None:
        print(
            f"median {spent.median_ms:.2f} ms a request, 95 % below {spent.p95_ms:.2f}, worst {spent.worst_ms:.2f}; "
            f"{spent.bytes_kept_per_pass:.0f} bytes kept a pass over all of them"
        )
    for result in results:
        if not result.is_right:
            mark = "DROPPED " if result.dropped else ""
            print(f"{result.item.id} {mark}{result.outcome}: {result.item.query!r} -> {result.said}", file=sys.stderr)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(result.dropped for result in results))


if __name__ == "__main__":
    sys.exit(main())
