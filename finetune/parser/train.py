"""Teaches a small instruct model to write trees of conditions (peft LoRA). Read it top to bottom.

    python -m surveyor.finetune.parser.train finetune/configs/parser.yaml base=MODEL [key=value ...]

Measures exact trees on held-out wordings before and after, and writes to `out` the adapter (for `chat=hf:OUT`),
`log.jsonl`, and `measured.jsonl` with every reply. Batch i depends on (seed, i) alone.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from ...core.conditions import Request
from ...core.errors import MissingDependency, ModelOutputError
from ...core.tree_text import read_tree, tree_json, tree_schema
from ...prompts import load
from ...tools.models.chat_hf import LocalChat, load_causal
from ..recipe import read_recipe
from .data import Sample, sample

# ---- configuration
config = read_recipe(sys.argv[1], sys.argv[2:])
out = Path(config["out"])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(config["seed"])
torch.set_num_threads(config["threads"])
system = load(config["prompt"]).render()


def messages(query: str) -> list[dict[str, str]]:
    """As `surveyor.agent.llm_parser` asks."""
    return [{"role": "system", "content": system}, {"role": "user", "content": f"Request: {query}\nTree:"}]


# ---- data
held_rng = random.Random(config["measure_seed"])
held = [sample(held_rng, "held") for _ in range(config["measure"])]


def batch(index: int) -> list[Sample]:
    rng = random.Random(config["seed"] * 1_000_003 + index)
    return [sample(rng, "train") for _ in range(config["batch"])]


def encoded(samples: list[Sample]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(batch, length) ids, attention mask, and labels that count the trees' tokens alone."""
    rows: list[tuple[list[int], int]] = []
    for one in samples:
        asked = tokenizer.apply_chat_template(
            messages(one.query), add_generation_prompt=True, tokenize=False, return_dict=False
        )
        front = tokenizer(asked, add_special_tokens=False)["input_ids"]
        tree = tokenizer(tree_json(one.request), add_special_tokens=False)["input_ids"]
        rows.append((front + tree + [tokenizer.eos_token_id], len(front)))
    length = max(len(ids) for ids, _ in rows)
    ids_ = torch.full((len(rows), length), tokenizer.eos_token_id)
    mask = torch.zeros_like(ids_)
    labels = torch.full_like(ids_, -100)
    for row, (ids, start) in enumerate(rows):
        ids_[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
        labels[row, start : len(ids)] = torch.tensor(ids[start:])
    return ids_, mask, labels


def loss_on_trees(ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the trees' tokens; the wide output layer is applied to their places alone."""
    inner = model.get_base_model()
    hidden = inner.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
    counted = labels[:, 1:] != -100
    logits = inner.lm_head(hidden[counted]).float()
    return torch.nn.functional.cross_entropy(logits, labels[:, 1:][counted])


def measured(name: str) -> float:
    """The share of held-out requests whose tree is exactly right, replies held to the schema; keeps each reply."""
    chat = LocalChat.of(model.eval(), tokenizer, name=name, max_tokens=config["reply_tokens"])
    right = 0
    with (out / "measured.jsonl").open("a") as log:
        for start in range(0, len(held), config["measure_batch"]):
            part = held[start : start + config["measure_batch"]]
            for one, text in zip(
                part, chat.complete_all([messages(o.query) for o in part], tree_schema()), strict=True
            ):
                try:
                    request: Request | None = read_tree(text)
                except ModelOutputError:
                    request = None
                right += request == one.request
                line = {"when": name, "query": one.query, "gold": tree_json(one.request), "reply": text}
                log.write(json.dumps(line | {"right": request == one.request}) + "\n")
            log.flush()
    return right / len(held)


# ---- model
try:
    model, tokenizer = load_causal(str(config["base"]))
except MissingDependency as missing:
    raise SystemExit(str(missing)) from None
lora = LoraConfig(r=config["rank"], lora_alpha=2 * config["rank"], target_modules="all-linear", task_type="CAUSAL_LM")
model = get_peft_model(model, lora)
device = next(model.parameters()).device
trained = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(trained, lr=config["lr"], weight_decay=0.0)
(out / "measured.jsonl").unlink(missing_ok=True)
before = measured("before")
print(f"before: exact trees {before:.3f} of {len(held)} held-out wordings", flush=True)

# ---- training
model.train()
started = time.monotonic()
log_file = (out / "log.jsonl").open("w")
for step in range(config["steps"]):
    gone = (time.monotonic() - started) / 60
    progress = step / config["steps"]
    if config["minutes"]:
        progress = max(progress, gone / config["minutes"])
        if gone >= config["minutes"]:
            break
    rate = (
        config["lr"] * min(1.0, (step + 1) / config["warmup"]) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
    )
    for group in optimiser.param_groups:
        group["lr"] = rate
    ids_, mask, labels = (tensor.to(device) for tensor in encoded(batch(step)))
    with torch.autocast(device.type, torch.bfloat16, enabled=config["bf16"]):
        loss = loss_on_trees(ids_, mask, labels)
    loss.backward()
    now = float(loss.detach())
    torch.nn.utils.clip_grad_norm_(trained, config["clip"])
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    log_file.write(json.dumps({"step": step, "loss": round(now, 4), "minutes": round(gone, 2)}) + "\n")
    log_file.flush()
    if step % 20 == 0:
        print(f"step {step} loss {now:.3f} {gone:.1f} min", flush=True)
log_file.close()

# ---- after
base = Path(config["base"])  # transformers forgets the name of a GGUF file and keeps its folder
model.peft_config["default"].base_model_name_or_path = str(base.resolve() if base.exists() else base)
model.save_pretrained(out, save_embedding_layers=False)
(out / "surveyor.json").write_text(json.dumps({"prompt": config["prompt"]}) + "\n")
after = measured("after")
result = {"before": before, "after": after, "requests": len(held), "steps": step + 1, "config": config}
(out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
print(f"after: exact trees {after:.3f} of {len(held)} held-out wordings (before: {before:.3f})", flush=True)
