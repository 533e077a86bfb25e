"""Trains a small Qwen2-VL from scratch on drawn scenes and photos. Every choice is in the YAML on the command line.

    python -m surveyor.finetune.scratch.train finetune/configs/tiny_qwen2vl.yaml [key=value ...] [a.b=value ...]

Stages one after the other: the vision tower alone with dense heads (`dense`), then everything with replies.
Step i depends on (seed, i) alone, so a run that was killed and is started again continues the same sequence to the same
weights (fp32 on the CPU, same machine, same threads, any number of workers). Writes to `out`:

- `config.yaml`: the settings, as they were when it was started last;
- `last.pt`: all that a resumed run needs;
- `checkpoint/`: the model, for `--models grounder=qwen2vl:OUT/checkpoint`; the heads are left out;
- `log.jsonl`: a line every `log_every` steps, held-out figures every `eval_every`;
- `scores.json`: what the last evaluation found.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from ...core.errors import SurveyorError
from ...core.progress import listening
from ...evals.scores.crec import Prediction
from ...tools.models.qwen2vl.engine import Engine
from ...tools.models.qwen2vl.settings import Checkpoint, Settings
from .batches import NO_LABEL, Batch, Collator, ReplyLoss
from .dense import DenseHeads, inside, middles_of, tower_finds
from .feed import fed
from .photos import read_photos
from .recipe import Config, device_of, drawing_of, files_of, read_config, seen_alone
from .scenes import LABELS, Listed, Seen, drawn
from .scores import Case, asked, box_scores, cases_of, item_of, predicted, scores
from .shown import Shown, Source
from .tiny import Shape, make_tiny

MOST_TOKENS = 400
"""Of a reply in evaluation: one that has learnt little lists objects for ever."""
NOISE = 1_000_000
"""Set apart from the seeds of rows."""


class Training:
    """A run: model, heads, data and optimisers of the stage that it is in.

    Args:
        config: see `configs/tiny_qwen2vl.yaml`.
    """

    def __init__(self, config: Config) -> None:
        self.config, self.out = config, Path(config["out"])
        self.out.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(config["threads"])
        torch.manual_seed(config["seed"])
        self.folder = self.out / "checkpoint"
        if not (self.out / "last.pt").is_file():
            make_tiny(self.folder, Shape(**config["model"]), config["seed"])
        (self.out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        self.device = device_of(config)
        self.asking = Settings(device=self.device.type, dtype="float32", batch=16, max_tokens=MOST_TOKENS)
        engine = Engine(Checkpoint(str(self.folder)), self.asking)
        self.model = engine.loaded.base
        self.listed = Listed(**config["listed"])
        self.collator = Collator(engine, self.listed, config["noise"])
        cache = Path(config["cache"])
        self.scenes, self.pairs = drawn(drawing_of(config["data"]), cache)
        self.held_out = drawn(drawing_of({**config["data"], **config["held_out"]}), cache)
        text = self.model.config.get_text_config()
        self.heads = DenseHeads(text.hidden_size).to(self.device)
        self.replies = ReplyLoss(self.collator.tokenizer, text.vocab_size, config["structure"]).to(self.device)
        self.states: dict[str, torch.Tensor] = {}
        for name in ("place", "reader"):
            inside(self.model, config[f"{name}_layer"], name, self.states)
        self.ends = np.cumsum([stage["steps"] for stage in config["stages"]]).tolist()
        self.step, self.seconds, self.stage = 0, 0.0, -1
        self.learners: list[torch.optim.Optimizer] = []
        self.photos = read_photos(files_of(config["records"]), config["model"]["max_pixels"])
        if config["start"] and not (self.out / "last.pt").is_file():
            self._load(Path(config["start"]) / "last.pt", strict=False)
        self._resume()

    # ---- stages

    def enter(self, stage: int) -> None:
        """Optimisers and data of a stage."""
        self.stage, config = stage, {**self.config, **self.config["stages"][stage]}
        tower_only, count = config.get("tower_only", False), config.get("scenes")
        self.batch, self.accumulate = config["batch"], config["accumulate"]
        self.weights = (config.get("dense", 1.0), config.get("reader", 1.0))
        self.tower_only = tower_only
        self.replies.soften(config["soft"])
        trained = [*self.model.model.visual.named_parameters(prefix="visual")] if tower_only else [*self.model.named_parameters()]  # fmt: skip  # noqa: E501
        if config.get("freeze_tower"):
            trained = [(name, each) for name, each in trained if "visual" not in name]
        trained += self.heads.named_parameters(prefix="heads")
        self.learners = _learners(trained, config["lr"], config.get("adam_share", 0.4), config.get("tower_share", 1.0))
        photos = [photo for photo in self.photos if photo.is_dense] if tower_only else self.photos
        mix = seen_alone(config["mix"], bool(photos)) if tower_only else config["mix"]
        self.source = Source(
            self.scenes[:count], self.pairs[:count], mix, self.listed, turns=config["turns"], records=photos,
            questions=1 if tower_only else config["questions"],
        )  # fmt: skip
        self.fed = fed(self.made, self.step, self.ends[stage], config["workers"], self.device.type == "cuda")

    def rate(self) -> float:
        """Of the stage's peak: warm-up, then cosine to 3 %."""
        stage = self.config["stages"][self.stage]
        done = self.step - (self.ends[self.stage] - stage["steps"])
        rising = min(1.0, (done + 1) / stage.get("warmup", 50))
        return float(rising * (0.03 + 0.485 * (1 + math.cos(math.pi * done / stage["steps"]))))

    # ---- a step

    def rows(self, step: int) -> list[Shown]:
        """What is shown in a step."""
        return [self.source.row((self.config["seed"], step, number)) for number in range(self.batch)]

    def made(self, step: int) -> list[Batch]:
        """The batches of a step, one for each of `accumulate`."""
        rows, seed = self.rows(step), (self.config["seed"], step, NOISE)
        parts = [rows[part :: self.accumulate] for part in range(self.accumulate)]
        return [self.collator.packed(some, (*seed, part) if part else seed) for part, some in enumerate(parts) if some]

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """All losses of a batch; "loss" is to be minimised."""
        model, found = self.model.model, dict[str, torch.Tensor]()
        total = torch.zeros((), device=self.device)
        target = {name.removeprefix("dense_"): value for name, value in batch.items() if name.startswith("dense_")}
        tokens = None
        if "pixel_values" in batch:
            tokens = torch.cat(model.get_image_features(batch["pixel_values"], batch["image_grid_thw"]).pooler_output)
        if target and tokens is not None and self.weights[0]:
            told = self.heads.tower_losses(tokens[target["at"]], target)
            total = total + self.weights[0] * sum(told.values())
            found |= {f"tower_{name}": value for name, value in told.items()}
        if not self.tower_only:
            ids, labels = batch["input_ids"], batch["labels"][:, 1:]
            embedded, is_image = model.language_model.embed_tokens(ids), ids == self.model.config.image_token_id
            if tokens is not None:
                embedded = embedded.masked_scatter(is_image[..., None], tokens.to(embedded.dtype))
            self.states.clear()
            states = model.language_model(
                inputs_embeds=embedded, position_ids=batch["position_ids"], attention_mask=batch["attention_mask"],
                use_cache=False,
            ).last_hidden_state  # fmt: skip
            if target and self.weights[1]:
                numbers = model.language_model.embed_tokens(self.replies.ids)
                place, of = (self.states[name][is_image][target["at"]] for name in ("place", "reader"))
                told = self.heads.reader_losses(place, of, target, numbers, self.replies.soft)
                total = total + self.weights[1] * sum(told.values())
                found |= {f"reader_{name}": value for name, value in told.items()}
            counted = labels != NO_LABEL
            told = self.replies(self.model.lm_head(states[:, :-1][counted]), labels[counted])
            total = total + told.pop("loss")
            found |= told
        return {"loss": total, **found}

    def advance(self) -> dict[str, float]:
        """One step; what it was like."""
        stage = next(number for number, end in enumerate(self.ends) if self.step < end)
        if stage != self.stage:
            self.enter(stage)
        rate = self.rate()
        for learner in self.learners:
            for group in learner.param_groups:
                group["lr"] = group["peak"] * rate
        started = time.perf_counter()
        batches = next(self.fed)
        data_s = time.perf_counter() - started
        told: dict[str, float] = {}
        for part in batches:
            batch = {name: value.to(self.device, non_blocking=True) for name, value in part.items()}
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config["precision"] == "bf16"):
                losses = self.losses(self.collator.opened(batch))
            (losses["loss"] / len(batches)).backward()
            for name, value in losses.items():
                told[name] = told.get(name, 0.0) + float(value.detach()) / len(batches)
        trained = [each for learner in self.learners for group in learner.param_groups for each in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.config["clip"])
        if torch.isfinite(norm):
            for learner in self.learners:
                learner.step()
        self.model.zero_grad(set_to_none=True)
        self.heads.zero_grad(set_to_none=True)
        self.step += 1
        return {"norm": float(norm), "data_s": data_s, **told}

    # ---- keeping

    def save(self) -> None:
        """`last.pt` and the checkpoint, each written whole and renamed."""
        state = {
            "model": self.model.state_dict(), "heads": self.heads.state_dict(), "stage": self.stage,
            "learners": [each.state_dict() for each in self.learners], "step": self.step, "seconds": self.seconds,
        }  # fmt: skip
        torch.save(state, self.out / "last.tmp")
        (self.out / "last.tmp").replace(self.out / "last.pt")
        self.model.save_pretrained(self.folder)

    def _load(self, path: Path, strict: bool = True) -> Config:
        """The weights of a run; layers and heads that it had not begin anew, where that is not strict."""
        state: Config = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"], strict=strict)
        self.heads.load_state_dict(state["heads"], strict=strict)
        return state

    def _resume(self) -> None:
        if not (self.out / "last.pt").is_file():
            return
        state = self._load(self.out / "last.pt")
        self.step, self.seconds = state["step"], state["seconds"]
        if self.step < self.ends[-1]:
            self.enter(state["stage"])
            for learner, kept in zip(self.learners, state["learners"], strict=True):
                learner.load_state_dict(kept)
        log = self.out / "log.jsonl"
        if log.is_file():  # what the killed run said of steps that are done again
            lines = log.read_text("utf-8").splitlines(keepends=True)
            log.write_text("".join(line for line in lines if _step_of(line) <= self.step), "utf-8")

    # ---- figures

    def evaluate(self, which: str = "held_out", most: int | None = None) -> dict[str, Any]:
        """Scores of the checkpoint as it was saved last, and what the tower's own tokens find.

        Args:
            which: "held_out", or "trained" for the first scenes that it learns from.
            most: scenes and pairs at most.
        """
        scenes, pairs = self.held_out if which == "held_out" else (self.scenes, self.pairs)
        tasks = [] if self.tower_only else ["det", "seg", "change", "region"]
        found: dict[str, Any] = {"tower": self._tower(scenes[:most])}
        if tasks:
            engine = Engine(Checkpoint(str(self.folder)), self.asking)
            cases = cases_of(scenes[:most], pairs[:most], self.listed, tasks)
            with listening(_told):
                found |= scores(cases, asked(engine, cases))
        return found

    def _tower(self, scenes: Sequence[Seen]) -> dict[str, float | None]:
        items, predictions = [], []
        cases = cases_of(scenes, [], self.listed, ["det"])
        by_scene: dict[str, list[Case]] = {}
        for case in cases:
            by_scene.setdefault(case.seen.id, []).append(case)
        for group in by_scene.values():
            seen = group[0].seen
            with torch.inference_mode():
                inputs = self.collator.patches(seen.images[-1:], self.device)
                tokens = self.model.model.get_image_features(**inputs).pooler_output[0]
                finds = tower_finds(self.heads.tower_parts(tokens), middles_of(seen.size_wh))
            for case in group:
                items.append(item_of(case))
                label = LABELS.index(case.id.rpartition("/")[2])
                regions = tuple(predicted(corners) for kind, corners in finds if kind == label)
                predictions.append(Prediction(id=case.id, regions=regions))
        return box_scores(items, predictions, oriented=True)


def _learners(
    named: Sequence[tuple[str, torch.nn.Parameter]], rate: float, adam_share: float, tower_share: float
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for embeddings, biases and norms; each with the tower's as a group of its own."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, each in {id(each): (name, each) for name, each in named}.values():
        is_inner = each.ndim == 2 and "embed" not in name and "lm_head" not in name
        groups.setdefault((is_inner, "visual" in name), []).append(each)

    def of(inner: bool) -> list[dict[str, Any]]:
        shares = {True: tower_share, False: 1.0}
        peak = rate if inner else adam_share * rate
        return [
            {"params": groups[inner, tower], "lr": peak * share, "peak": peak * share}
            for tower, share in shares.items()
            if (inner, tower) in groups
        ]

    return [
        torch.optim.Muon(of(True), lr=rate, weight_decay=0.01, ns_steps=5, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(of(False), lr=adam_share * rate, weight_decay=0.0, betas=(0.9, 0.95)),
    ]


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):
        return sys.maxsize  # half a line of a killed run


def _told(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what} {done}/{total} ", end="", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{int(seconds % 60):02d}"


def train(config: Config) -> Training:
    """Runs a configuration to its end, from where it was left."""
    run = Training(config)
    total, sums, count, tick = run.ends[-1], dict[str, float](), 0, time.time()
    log = (run.out / "log.jsonl").open("a", encoding="utf-8")
    while run.step < total:
        told = run.advance()
        count += 1
        for name, value in told.items():
            sums[name] = sums.get(name, 0.0) + value
        is_last = run.step == total
        if run.step % config["log_every"] == 0 or is_last:
            spent = time.time() - tick
            run.seconds += spent
            line: Config = {"step": run.step, "stage": run.stage, "s": round(run.seconds, 1), "s_step": round(spent / count, 3)}  # fmt: skip  # noqa: E501
            line |= {name: round(value / count, 4) for name, value in sums.items()}
            line["rate"] = round(run.rate() if run.step < run.ends[run.stage] else 0.0, 4)
            if config["eval_every"] and (run.step in run.ends[:-1] or run.step % config["eval_every"] == 0 or is_last):
                run.save()
                line["held_out"] = run.evaluate("held_out", None if is_last else config["eval_most"])
                if config["eval_trained"]:
                    line["trained"] = run.evaluate("trained", config["eval_trained"])
                (run.out / "scores.json").write_text(json.dumps(line, indent=2) + "\n", "utf-8")
            print(json.dumps(line), file=log, flush=True)
            left = _clock((total - run.step) * spent / count)
            print(f"{run.step}/{total} stage {run.stage} loss {line['loss']:.3f} {line['s_step']:.2f} s a step, {left} left", json.dumps({k: line[k] for k in ("held_out", "trained") if k in line}), flush=True)  # fmt: skip  # noqa: E501
            sums, count, tick = {}, 0, time.time()
        if run.step % config["save_every"] == 0 or is_last:
            run.save()
    return run


def main() -> None:
    """The command."""
    try:
        train(read_config(sys.argv[1], sys.argv[2:]))
    except SurveyorError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
