"""Ablation of further tasks (cyclic referring, PAL, GGL) on a tiny Qwen2-VL: equal starts, equal steps, several seeds.

    python -m surveyor.finetune.scratch.ablate finetune/configs/tiny_qwen2vl_ablation.yaml [key=value ...]

Each arm and seed is a run of its own in `out`; one that is finished is read, one that was killed goes on. Prints a
table of the held-out figures, mean and range over the seeds, and writes it to `out/table.md`. Beside the scores of
greedy replies stand figures under teacher forcing, which tell differences long before an F1 does: how many nats a
reply's numbers cost, and how many grid steps the likeliest number is off.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..recipe import read_recipe
from .shown import Source
from .train import Config, Training, read_config, train

FIGURES = {
    "boxes F1@0.25": ("held_out", "det", "f1@0.25"),
    "boxes F1@0.5": ("held_out", "det", "f1@0.5"),
    "box + key points F1@0.25": ("held_out", "seg", "f1@0.25"),
    "box + key points F1@0.5": ("held_out", "seg", "f1@0.5"),
    "changed pixels F1": ("held_out", "change", "F1_1"),
    "captions right": ("held_out", "region", "exact"),
    "numbers of boxes, nats": ("forced", "det", "numbers"),
    "numbers of boxes, grid steps off": ("forced", "det", "off"),
    "numbers of changes, nats": ("forced", "change", "numbers"),
    "words of captions, nats": ("forced", "region", "words"),
}
"""What the table tells -> where it lies in a run's figures."""


def read_ablation(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The YAML with `key=value` put over it.

    Raises:
        UsageError: an unknown key.
    """
    told = read_recipe(path, overrides)
    told["config"] = str(Path(path).parent / told["config"])
    return told


def run_arm(told: Config, arm: str, seed: int) -> dict[str, Any]:
    """Figures of one arm and seed: those of a finished run are read, else it is trained from where it stands."""
    out = Path(told["out"]) / f"{arm}-{seed}"
    figures = out / "figures.json"
    if figures.is_file():
        found: dict[str, Any] = json.loads(figures.read_text("utf-8"))
        return found
    config = read_config(told["config"]) | {name: told[name] for name in ("start", "cache", "stages")}
    mix = {**told["mix"], **told["arms"][arm]}
    steps = sum(stage["steps"] for stage in told["stages"])
    run = train({**config, "out": str(out), "seed": seed, "mix": mix, "eval_every": steps})
    scored = json.loads((out / "scores.json").read_text("utf-8"))
    found = {"arm": arm, "seed": seed, "held_out": scored["held_out"], "forced": forced(run, told["mix"], **told["measured"])}  # fmt: skip  # noqa: E501
    figures.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return found


def forced(run: Training, mix: Mapping[str, float], rows: int, seed: int) -> dict[str, dict[str, float]]:
    """Task -> mean of `scratch.batches.ReplyLoss`'s figures over held-out rows, replies read as they should be."""
    scenes, pairs = run.held_out
    run.replies.soften(0)
    found: dict[str, dict[str, float]] = {}
    for task in mix:
        source = Source(scenes, pairs, {task: 1.0}, run.listed, questions=1, turns=False)
        sums: dict[str, float] = {}
        for number in range(rows):
            batch = run.collator([source.row((seed, number))])
            with torch.inference_mode():
                for name, value in run.losses(batch).items():
                    sums[name] = sums.get(name, 0.0) + float(value)
        found[task] = {name: sums[name] / rows for name in ("numbers", "off", "words") if name in sums}
    return found


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row a figure, a column an arm; mean over the seeds (least to greatest)."""
    arms = list(dict.fromkeys(run["arm"] for run in runs))
    lines = ["| figure, held out | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    for name, (kind, task, figure) in FIGURES.items():
        cells = []
        for arm in arms:
            values = [run[kind].get(task, {}).get(figure) for run in runs if run["arm"] == arm]
            known = [value for value in values if value is not None]
            mean = sum(known) / len(known) if known else None
            cells.append("" if mean is None else f"{mean:.3f} ({min(known):.3f} to {max(known):.3f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    told = read_ablation(sys.argv[1], sys.argv[2:])
    runs = [run_arm(told, arm, seed) for seed in told["seeds"] for arm in told["arms"]]
    made = table(runs)
    (Path(told["out"]) / "table.md").write_text(made, "utf-8")
    print(made)


if __name__ == "__main__":
    main()
