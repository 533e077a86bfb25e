"""Trains the oriented-object detector. Read it top to bottom; every choice is in the YAML named on the command line.

    python -m surveyor.finetune.detector.train finetune/configs/detector.yaml [key=value ...]

Writes `last.pt` (all that a resumed run needs), `ema.pt` (averaged weights, for export) and `log.jsonl` to `out`.
Crop i depends on (seed, i) alone and the checkpoint holds the step, so a resumed run continues the same sequence.
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
from torch.utils.data import DataLoader, Subset

from ..recipe import read_recipe
from .augment import CropSet
from .data import training_samples
from .loss import detector_loss
from .model import DetectorNet, decode, locations

# ---- configuration
config = read_recipe(sys.argv[1], sys.argv[2:])
out = Path(config["out"])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(config["seed"])
torch.set_num_threads(config["threads"])
cv2.setNumThreads(0)

# ---- data
train, dev = training_samples(Path(config["data"]))
if config["synth_scenes"]:
    from .synth import synth_samples

    train += synth_samples(config["synth_scenes"], config["seed"])
crops = CropSet(train, config["size"], config["batch"], config["seed"], config["sources"], config["steps"], config["calm_from"], config["class_shares"], config["car_parks"])  # fmt: skip  # noqa: E501
(out / "dev.json").write_text(json.dumps([s.name for s in dev]))
print(f"{len(train)} training images, {len(dev)} development images", flush=True)


def collate(items: list[dict]) -> tuple[torch.Tensor, list[dict]]:
    images = torch.from_numpy(np.stack([i.pop("image") for i in items]))
    return images, [{k: torch.from_numpy(np.asarray(v)) for k, v in i.items()} for i in items]


# ---- model, optimiser, average
net = DetectorNet(config["width"], config["depth"])
net.load_imagenet()
if config["init"]:
    net.load_state_dict(torch.load(config["init"], map_location="cpu")["model"])
net.backbone.freeze(config["frozen_blocks"])
net = net.to(memory_format=torch.channels_last)
average = DetectorNet(config["width"], config["depth"])
average.load_state_dict(net.state_dict())
groups: list[dict] = []
for part, lr in ((net.backbone, config["backbone_lr"]), (net, config["lr"])):
    known = {id(p) for g in groups for p in g["params"]}
    fresh = [p for p in part.parameters() if id(p) not in known and p.requires_grad]
    groups.append({"params": [p for p in fresh if p.ndim > 1], "weight_decay": config["weight_decay"], "peak": lr})
    groups.append({"params": [p for p in fresh if p.ndim <= 1], "weight_decay": 0.0, "peak": lr})
optimiser = torch.optim.AdamW(groups, lr=config["lr"])
step, seconds = 0, 0.0
if (out / "last.pt").exists():
    saved = torch.load(out / "last.pt", map_location="cpu")
    net.load_state_dict(saved["model"])
    average.load_state_dict(saved["average"])
    optimiser.load_state_dict(saved["optimiser"])
    step, seconds = saved["step"], saved["seconds"]
    print(f"resumed at step {step}", flush=True)


def save() -> None:
    state = {"model": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds, "config": config}  # fmt: skip  # noqa: E501
    torch.save(state, out / "last.tmp")
    (out / "last.tmp").replace(out / "last.pt")
    torch.save({"model": average.state_dict(), "step": step, "config": config}, out / "ema.tmp")
    (out / "ema.tmp").replace(out / "ema.pt")


def rate(at: int) -> float:
    """Warm-up, then cosine to 2 % of the peak."""
    if at < config["warmup"]:
        return (at + 1) / config["warmup"]
    t = (at - config["warmup"]) / max(1, config["steps"] - config["warmup"])
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * t))


# ---- training
points, strides = locations(config["size"], config["size"])
rest = Subset(crops, range(step * config["batch"], len(crops)))
loader = DataLoader(rest, config["batch"], num_workers=1, prefetch_factor=4, collate_fn=collate)
log = (out / "log.jsonl").open("a")
net.train()
sums: dict[str, float] = {}
tick = time.time()
for images, targets in loader:
    for g in optimiser.param_groups:
        g["lr"] = g["peak"] * rate(step)
    with torch.autocast("cpu", torch.bfloat16, enabled=config["bf16"]):
        logits, raw = net(images.float().contiguous(memory_format=torch.channels_last))
    logits, raw = logits.float(), raw.float()
    loss, parts = detector_loss(logits, raw, decode(raw, points, strides), points, strides, targets)
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
    for k, v in (parts | {"loss": float(loss.detach()), "norm": float(norm)}).items():
        sums[k] = sums.get(k, 0.0) + v
    if step % 20 == 0:
        seconds += time.time() - tick
        line = {"step": step, "s": round(seconds), "s_step": round((time.time() - tick) / 20, 3)}
        line |= {k: round(v / 20, 4) for k, v in sums.items()}
        print(json.dumps(line), file=log, flush=True)
        print(line, flush=True)
        sums, tick = {}, time.time()
    if step % config["save_every"] == 0 or step == config["steps"]:
        save()
        if step % config["eval_every"] == 0:  # a copy to choose from on the development images
            torch.save({"model": average.state_dict(), "step": step, "config": config}, out / f"ema_{step:05d}.pt")
print("done", flush=True)
