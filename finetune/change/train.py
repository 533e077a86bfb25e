"""Trains the compact change detector. Every choice is in the YAML named on the command line.

    python -m surveyor.finetune.change.train finetune/configs/change.yaml [key=value ...]

Writes `last.pt` (all that a resumed run needs), `ema.pt` (averaged weights, for export) and `log.jsonl` to `out`.
Batch i depends on (seed, i) alone, so a resumed run continues the same sequence.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...core.errors import UsageError
from ..recipe import read_recipe
from .compose import Crop, composed, crop_of, same_place
from .data import UNKNOWN, PairSample, cut_buildings, cut_other_things, draw_pairs, read_pairs, read_tiles
from .model import ChangeNet, change_loss

Config = dict[str, Any]


class Training:
    """A run: networks, data, optimiser.

    Args:
        config: see `configs/change.yaml`.
    """

    def __init__(self, config: Config) -> None:
        self.config, self.out = config, Path(config["out"])
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config["seed"])
        torch.set_num_threads(config["threads"])
        cv2.setNumThreads(0)
        root = Path(config["data"])
        pairs = read_pairs(root)
        self.dev = [each for each in pairs if each.name in config["dev"]]
        if len(self.dev) != len(config["dev"]):
            raise UsageError(f"dev names {config['dev']!r}, of which {[each.name for each in self.dev]!r} are there")
        self.real = {
            source: [each for each in pairs if each.source == source and each.name not in config["dev"]]
            for source in ("fotbcd", "levir", "xbd")
        }
        self.drawn = draw_pairs(config["drawn"], config["seed"] + 1)
        dated = [each for source in ("fotbcd", "levir") for each in self.real[source]]
        self.tiles = read_tiles(root, dated)
        self.built = [tile for tile in self.tiles if (tile.built == 1).any()]
        self.patches, self.others = cut_buildings(self.tiles), cut_other_things(root)
        self.net, self.average = (ChangeNet(config["width"], config["dropout"]) for _ in range(2))
        if config["init"]:
            self.net.load_detector(config["init"])
        self.net = self.net.to(memory_format=torch.channels_last)
        self.average.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config["lr"])
        self.step, self.seconds = 0, 0.0
        if (self.out / "last.pt").is_file():
            self._resume()

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        for encoder in (True, False):
            parts = [p for name, p in self.net.named_parameters() if name.startswith("backbone") == encoder]
            peak = self.config["encoder_lr"] if encoder else self.config["lr"]
            for decays, some in ((True, [p for p in parts if p.ndim > 1]), (False, [p for p in parts if p.ndim <= 1])):
                groups.append(
                    {"params": some, "weight_decay": self.config["weight_decay"] if decays else 0.0, "peak": peak}
                )
        return groups

    def crop(self, seed: Sequence[int]) -> Crop:
        """One crop, of a kind drawn by `shares`."""
        rng, side = np.random.default_rng(list(seed)), self.config["side"]
        shares = self.config["shares"]
        kind = str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
        if kind == "composed":
            tiles = self.built if self.built and rng.random() < self.config["labelled"] else self.tiles
            return composed(tiles[int(rng.integers(len(tiles)))], self.patches, self.others, side, rng)
        pairs = self.drawn if kind == "drawn" else self.real[str(rng.choice([n for n in self.real if self.real[n]]))] if kind == "same" else self.real[kind]  # fmt: skip  # noqa: E501
        pair = pairs[int(rng.integers(len(pairs)))]
        return same_place(pair, side, rng) if kind == "same" else crop_of(pair, side, rng)

    def advance(self) -> dict[str, float]:
        """One step; what it was like."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * self.rate()
        crops = [self.crop((self.config["seed"], self.step, number)) for number in range(self.config["batch"])]
        images, changed, built = stacked(crops)
        torch.manual_seed(self.config["seed"] * 1_000_003 + self.step)  # dropout's
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config["bf16"]):
            logits = self.net(images[:, 0], images[:, 1])
        loss, parts = change_loss(logits.float(), changed, built)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config["clip"])
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        keep = min(self.config["ema"], (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for a, b in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        return parts | {"loss": float(loss.detach()), "norm": float(norm)}

    def rate(self) -> float:
        """Warm-up, then cosine to 2 % of the peak."""
        done = self.step / self.config["steps"]
        return float(min(1.0, (self.step + 1) / self.config["warmup"]) * (0.02 + 0.49 * (1 + math.cos(math.pi * done))))

    def evaluate(self) -> dict[str, float]:
        """F1 of changed pixels on the development pairs together, and by source."""
        self.average.eval()
        counts: dict[str, np.ndarray] = {}
        for pair in self.dev:
            found = predicted(self.average, pair, self.config["dev_gsd_m"]) > 0.5
            known, right = pair.changed != UNKNOWN, pair.changed == 1
            here = np.array([(found & right & known).sum(), (found & ~right & known).sum(), (~found & right).sum()])
            for name in ("all", pair.source):
                counts[name] = counts.get(name, np.zeros(3)) + here
        return {name: round(float(2 * n[0] / max(1, 2 * n[0] + n[1] + n[2])), 4) for name, n in counts.items()}

    def save(self) -> None:
        """`last.pt` and `ema.pt`, each written whole and renamed."""
        state = {"model": self.net.state_dict(), "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict()}  # fmt: skip  # noqa: E501
        for name, told in (
            ("last", state | {"step": self.step, "seconds": self.seconds, "config": self.config}),
            ("ema", {"model": self.average.state_dict(), "step": self.step, "config": self.config}),
        ):
            torch.save(told, self.out / f"{name}.tmp")
            (self.out / f"{name}.tmp").replace(self.out / f"{name}.pt")

    def _resume(self) -> None:
        saved = torch.load(self.out / "last.pt", map_location="cpu")
        self.net.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.seconds = saved["step"], saved["seconds"]


def stacked(crops: Sequence[Crop]) -> tuple[Tensor, Tensor, Tensor]:
    """Images (N, 2, 3, S, S) float32, changed (N, S, S), built (N, 2, S, S) uint8."""
    images = torch.from_numpy(np.stack([crop.images for crop in crops])).permute(0, 1, 4, 2, 3).float()
    return (
        images,
        torch.from_numpy(np.stack([crop.changed for crop in crops])),
        torch.from_numpy(np.stack([crop.built for crop in crops])),
    )


def predicted(net: ChangeNet, pair: PairSample, gsd_m: float) -> np.ndarray:
    """(H, W) probability of change of a whole pair, seen at a ground sample distance (never enlarged)."""
    height, width = pair.changed.shape
    scale = min(1.0, pair.gsd_m / gsd_m)
    size = tuple(max(32, round(side * scale / 32) * 32) for side in (width, height))
    shown = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in pair.images]
    given = [torch.from_numpy(each).permute(2, 0, 1)[None].float() for each in shown]
    with torch.inference_mode():
        sure = torch.sigmoid(net(*given)[0, 0]).float().numpy()
    return np.asarray(cv2.resize(sure, (width, height), interpolation=cv2.INTER_LINEAR))


def train(config: Config) -> Training:
    """Runs a configuration to its end, from where it was left."""
    run = Training(config)
    sums: dict[str, float] = {}
    count, tick = 0, time.time()
    with (run.out / "log.jsonl").open("a", encoding="utf-8") as log:
        while run.step < config["steps"]:
            run.net.train()
            for name, value in run.advance().items():
                sums[name] = sums.get(name, 0.0) + value
            count += 1
            is_last = run.step == config["steps"]
            if run.step % config["log_every"] == 0 or is_last:
                spent = time.time() - tick
                run.seconds += spent
                line: Config = {"step": run.step, "s": round(run.seconds), "s_step": round(spent / count, 3)}
                line |= {name: round(value / count, 4) for name, value in sums.items()}
                if run.step % config["eval_every"] == 0 or is_last:
                    line["dev"] = run.evaluate()
                print(json.dumps(line), file=log, flush=True)
                print(line, flush=True)
                sums, count, tick = {}, 0, time.time()
            if run.step % config["save_every"] == 0 or is_last:
                run.save()
    return run


def main() -> None:
    """The command."""
    train(read_recipe(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    main()
