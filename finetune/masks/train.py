"""Trains the promptable mask network. Read it top to bottom; every choice is in the YAML named on the command line.

    python -m surveyor.finetune.masks.train finetune/configs/masks.yaml [key=value ...]

Writes `last.pt` (all that a resumed run needs), `ema.pt` (averaged weights, for export) and `log.jsonl` to `out`.
Batch i depends on (seed, i) alone, so a resumed run continues the same sequence.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from ..recipe import read_recipe
from .data import (
    Example,
    PromptKind,
    neighbours,
    plain_example,
    read_described,
    read_drawn,
    read_mask_outlines,
    read_nwpu_outlines,
    sampling_weights,
    training_example,
)
from .model import MaskNet, hard_iou, mask_loss

# ---- configuration
config = read_recipe(sys.argv[1], sys.argv[2:])
out = Path(config["out"])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(config["seed"])
torch.set_num_threads(config["threads"])
cv2.setNumThreads(0)

# ---- data
root = Path(config["data"])
train, dev = read_nwpu_outlines(root)
train += read_mask_outlines(root) + read_described(root) + read_drawn(config["synth_scenes"], config["seed"])
near = neighbours(train)
chances = sampling_weights(train, config["shares"])
print(f"{len(train)} training objects, {len(dev)} development objects", flush=True)


def stack(examples: list[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    crops = torch.from_numpy(np.stack([e.crop for e in examples])).permute(0, 3, 1, 2).float()
    prompts = torch.from_numpy(np.stack([e.prompt for e in examples]))
    targets = torch.from_numpy(np.stack([e.target for e in examples]))
    return crops.contiguous(memory_format=torch.channels_last), prompts, targets


def batch(index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng((config["seed"], index))
    chosen = rng.choice(len(train), config["batch"], p=chances)
    return stack([training_example(train[i], rng, near[i]) for i in chosen])


KINDS = {"box": PromptKind(oriented=False), "oriented": PromptKind(oriented=True)}
checks = {name: [plain_example(o, kind, np.random.default_rng(i)) for i, o in enumerate(dev)] for name, kind in KINDS.items()}  # fmt: skip  # noqa: E501


# ---- model, optimiser, average
net = MaskNet()
net.load_imagenet()
net = net.to(memory_format=torch.channels_last)
average = MaskNet()
average.load_state_dict(net.state_dict())
groups: list[dict] = []
for encoder in (True, False):
    parts = [(n, p) for n, p in net.named_parameters() if n.startswith(("_conv_stem", "_bn0", "_blocks")) == encoder]
    peak = config["encoder_lr"] if encoder else config["lr"]
    groups.append({"params": [p for _, p in parts if p.ndim > 1], "weight_decay": config["weight_decay"], "peak": peak})
    groups.append({"params": [p for _, p in parts if p.ndim <= 1], "weight_decay": 0.0, "peak": peak})
optimiser = torch.optim.AdamW(groups, lr=config["lr"])
step, seconds = 0, 0.0
if (out / "last.pt").exists():
    saved = torch.load(out / "last.pt", map_location="cpu")
    net.load_state_dict(saved["model"])
    average.load_state_dict(saved["average"])
    peaks = [g["peak"] for g in optimiser.param_groups]
    optimiser.load_state_dict(saved["optimiser"])
    for group, peak in zip(optimiser.param_groups, peaks, strict=True):
        group["peak"] = peak
    step, seconds = saved["step"], saved["seconds"]
    print(f"resumed at step {step}", flush=True)


def save() -> None:
    state = {"model": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"step": step, "seconds": seconds, "config": config}, out / "last.tmp")
    (out / "last.tmp").replace(out / "last.pt")
    torch.save({"model": average.state_dict(), "step": step, "config": config}, out / "ema.tmp")
    (out / "ema.tmp").replace(out / "ema.pt")


def progress() -> float:
    """Share of the schedule that is done, by steps or by time, whichever is further."""
    spent = seconds + time.time() - tick
    return max(step / config["steps"], spent / 60 / config["minutes"] if config["minutes"] else 0.0)


def rate() -> float:
    """Warm-up, then cosine to 2 % of the peak."""
    return min(1.0, (step + 1) / config["warmup"]) * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, progress()))))


def evaluate() -> dict[str, float]:
    """Mean IoU on the development objects, in crops, for each kind of prompt."""
    average.eval()
    result = {}
    for name, examples in checks.items():
        ious = []
        for start in range(0, len(examples), 32):
            crops, prompts, targets = stack(examples[start : start + 32])
            with torch.no_grad():
                ious.append(hard_iou(average(crops, prompts)[0], targets))
        result[name] = round(float(torch.cat(ious).mean()), 4)
    return result


# ---- training
log = (out / "log.jsonl").open("a")
net.train()
sums: dict[str, float] = {}
tick = time.time()
while progress() < 1:
    for g in optimiser.param_groups:
        g["lr"] = g["peak"] * rate()
    crops, prompts, targets = batch(step)
    with torch.autocast("cpu", torch.bfloat16, enabled=config["bf16"]):
        logits, quality = net(crops, prompts)
    loss, parts_of_loss = mask_loss(logits.float(), quality.float(), targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), config["clip"])
    if torch.isfinite(norm):
        optimiser.step()
    step += 1
    keep = min(config["ema"], (1 + step) / (10 + step))
    with torch.no_grad():
        for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
    for k, v in (parts_of_loss | {"loss": float(loss.detach()), "norm": float(norm)}).items():
        sums[k] = sums.get(k, 0.0) + v
    if step % 20 == 0:
        spent = time.time() - tick
        seconds += spent
        line: dict = {"step": step, "s": round(seconds), "s_step": round(spent / 20, 3)}
        line |= {k: round(v / 20, 4) for k, v in sums.items()}
        if step % config["eval_every"] == 0:
            line |= {"dev": evaluate()}
        print(json.dumps(line), file=log, flush=True)
        print(line, flush=True)
        sums, tick = {}, time.time()
    if step % config["save_every"] == 0:
        save()
save()
print("done", evaluate(), flush=True)
