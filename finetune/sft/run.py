"""Fine-tuning of Qwen2-VL, 2.5 and 3 on instruction records: LoRA or all weights, with transformers' Trainer.

    surveyor train sft finetune/configs/sft_tiny.yaml [key=value ...]

`Trainer` does the loop, mixed precision, distribution (DDP, FSDP, DeepSpeed through accelerate or torchrun) and the
checkpoints. Added here: batches by the code of inference (`encode`), an order of the data that is fixed beforehand
(`data.order`), replies scored by the project's scorers (`evaluate`), and a run that goes on exactly where it
was killed: weights, AdamW, schedule, random numbers and data. Records are not packed: rotary positions of three axes
begin anew with each conversation, and windows of vision tokens would have to be kept apart by masks that not every
attention has; batches of about equal length waste little (`--dry-run` tells how much).
"""

from __future__ import annotations

import json
import math
import shutil
import time
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from ...core.errors import MissingDependency, UsageError
from ...core.progress import report
from ...tools.models.qwen2vl.loading import Loaded
from ..records.record import Instruction
from .card import write_result
from .config import SftConfig, written
from .data import Lines, check_apart, chosen_in_turn, look_through, order, padding_share, steps_of
from .encode import Collator, Pupils, Reader, measured, open_reader, reply_loss
from .evaluate import Answered, ask, scores, write_replies
from .model import Memory, counted, is_sharded, load_for_training, memory, outline

METRICS, STATE, REPLIES = "metrics.jsonl", "run.json", "replies"
_STATE_OF_TRAINER = "trainer_state.json"  # written last: a checkpoint that has it is whole


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run before it begins.

    Attributes:
        reader: encodes records.
        train: what is learnt. val: held out; None without.
        drawn: (steps x global batch,) which record comes when.
        steps: in all.
    """

    reader: Reader
    train: Lines
    val: Lines | None
    drawn: Any
    steps: int


@dataclass(frozen=True)
class Forecast:
    """What a run would do, from `--dry-run`.

    Attributes:
        tasks: task -> records.
        left_out: reason -> records.
        tokens: of all records. replied: of their replies. longest: of the longest record.
        steps: in all. epochs: how often each record is seen, on average.
        padding: share of the tokens of all batches.
        weights: in all. learning: those that learn.
        memory: an estimate for one GPU.
        held_out: records of `val`.
    """

    tasks: dict[str, int]
    left_out: dict[str, int]
    tokens: int
    replied: int
    longest: int
    steps: int
    epochs: float
    padding: float
    weights: int
    learning: int
    memory: Memory
    held_out: int


@dataclass(frozen=True)
class Trained:
    """What came of a run: the folder of the result, the last step, the losses and scores of the end."""

    folder: Path
    steps: int
    metrics: dict[str, float]


def prepare(config: SftConfig) -> Prepared:
    """Checks and measures the records, and fixes their order. Reports progress.

    Raises:
        UsageError: a checkpoint, record or image that cannot be used, or families in both train and val.
    """
    reader = open_reader(config)

    def measure(record: Instruction) -> tuple[int, int]:
        return measured(record, reader)

    skipped = [task for task, weight in config.task_weights.items() if weight == 0]
    train = look_through(
        config.train, measure, images=config.images, most_tokens=config.max_length, training=True,
        allow_splits=config.allow_splits, skip_tasks=skipped,
    )  # fmt: skip
    val = None
    if config.val:
        val = look_through(config.val, measure, images=config.images, most_tokens=config.max_length, skip_tasks=skipped)
        check_apart(train, val)
    steps = steps_of(train, config.task_weights, config.epochs, config.steps, config.global_batch)
    drawn = order(
        train, config.task_weights, steps=steps, global_batch=config.global_batch, batch=config.batch,
        seed=config.seed, group=config.group_by_length,
    )  # fmt: skip
    return Prepared(reader, train, val, drawn, steps)


def forecast(config: SftConfig) -> Forecast:
    """What the run would do; loads no weights."""
    ready = prepare(config)
    train, own = ready.train, ready.reader.loaded.base.config
    sizes = counted(outline(own, config))
    batches = ready.drawn.reshape(-1, config.batch)
    longest = {"tokens": int(train.tokens[batches].max(axis=1).max()) * config.batch,
               "replied": int(train.replied[batches].sum(axis=1).max())}  # fmt: skip
    return Forecast(
        train.tasks(), train.left_out, int(train.tokens.sum()), int(train.replied.sum()), int(train.tokens.max()),
        ready.steps, len(ready.drawn) / len(train), padding_share(train, ready.drawn, config.batch), *sizes,
        memory(own, sizes, config, longest), 0 if ready.val is None else len(ready.val),
    )  # fmt: skip


def train(config: SftConfig) -> Trained:
    """Trains, or goes on with the run in `config.out`; reports progress.

    Raises:
        UsageError: see `prepare`; another run lies in `out`; several GPUs without a launcher; a loss that is no number.
        MissingDependency: a package is missing.
    """
    _check_packages(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    arguments = _arguments(config)
    ready = prepare(config)
    state = {"settings": config.fixed, "train": ready.train.digest, "val": ready.val.digest if ready.val else None}
    with arguments.main_process_first(local=False):
        last = _resumable(config, state, arguments.process_index == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the libraries speak of each other's futures
        loaded = load_for_training(config)
        trainer = SftTrainer(config, ready, loaded, arguments)
        outcome = trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.accelerator.wait_for_everyone()
    folder = Path(config.out)
    if arguments.process_index == 0:
        best = trainer.state.best_global_step if ready.val else None
        place = folder / f"checkpoint-{best or trainer.state.global_step}"
        folder = write_result(config, place, ready.reader, ready.train, ready.val, _scores_at(config, best))
    return Trained(folder, trainer.state.global_step, {**outcome.metrics, **trainer.last_scores})


class SftTrainer(Trainer):
    """The Trainer with the loss on replies, the fixed order, and scores of replies to held-out records."""

    def __init__(self, config: SftConfig, ready: Prepared, loaded: Loaded, arguments: TrainingArguments) -> None:
        self.run, self.ready, self.given = config, ready, loaded
        self.last_scores: dict[str, float] = {}
        always = arguments.world_size > 1 or config.language == "frozen"
        held = None
        self.asked: list[int] = []
        if ready.val is not None:
            self.asked = chosen_in_turn(ready.val, config.eval_records, config.seed)
            held = Pupils(ready.val, self.asked, ready.reader)
        super().__init__(
            model=loaded.model, args=arguments, data_collator=Collator(ready.reader, always_picture=always),
            train_dataset=Pupils(ready.train, ready.drawn, ready.reader), eval_dataset=held,
            compute_loss_func=reply_loss, callbacks=[_Told(config, ready.steps, len(ready.drawn) / len(ready.train))],
        )  # fmt: skip
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, *_: Any) -> Any:
        """One after the other: the order was fixed before."""
        return torch.utils.data.SequentialSampler(self.ready.drawn)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out records' loss and, where weights are whole on each process, the scores of replies."""
        metrics = super().evaluate(*args, **kwargs)
        assert self.ready.val is not None
        if not self.is_fsdp_enabled:
            answered = self._answers()
            found = {f"eval_{name}": value for name, value in scores(answered).items()}
            if self.is_world_process_zero():
                write_replies(Path(self.run.out) / REPLIES / f"step-{self.state.global_step:07d}.jsonl", answered)
            found["eval_best"] = found["eval_score"] - 1e-6 * metrics["eval_loss"]  # equal scores: the lower loss
            self.log(dict(found))
            metrics |= found
        self.last_scores = metrics
        return metrics

    def _answers(self) -> list[Answered]:
        """Replies to all held-out records; each process answers a part."""
        assert self.ready.val is not None
        own = self.ready.reader
        loaded = Loaded(self.model, own.loaded.tokenizer, own.loaded.images, own.loaded.template, self.given.family, {})
        reader = Reader(own.checkpoint, own.settings, loaded)
        self.model.eval()
        rank, world = self.args.process_index, self.args.world_size
        found = ask(self.ready.val, self.asked[rank::world], reader)
        if world > 1:
            from accelerate.utils import gather_object

            found = gather_object(found)
        return found


class _Told(TrainerCallback):
    """Metrics to a file, progress to whoever listens, a checkpoint with each evaluation; an end to NaN."""

    def __init__(self, config: SftConfig, steps: int, epochs: float) -> None:
        self.config, self.steps, self.epochs = config, steps, epochs
        self.file = Path(config.out) / METRICS
        self.started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Takes out what a killed run had told of steps that come again."""
        if state.is_world_process_zero and self.file.exists():
            kept = [line for line in self.file.read_text("utf-8").splitlines() if _step_of(line) <= state.global_step]
            fresh = self.file.with_suffix(".part")
            fresh.write_text("".join(f"{line}\n" for line in kept), "utf-8")
            fresh.replace(self.file)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One line."""
        told = {key: value for key, value in (logs or {}).items() if key != "epoch"}
        loss = told.get("loss")
        if state.is_world_process_zero:
            epoch = round(self.epochs * state.global_step / self.steps, 4)
            line = {"step": state.global_step, "epoch": epoch, **told, "s": round(time.monotonic() - self.started, 1)}
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if loss is not None and not math.isfinite(loss):
            raise UsageError(
                f"the loss at step {state.global_step} is {loss}; begin anew with a lower lr, a longer warmup or "
                "precision: fp32"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Progress."""
        report("training", state.global_step, self.steps)
        if state.global_step == self.steps:
            control.should_save = True
            control.should_evaluate = bool(self.config.val)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What was scored is kept, so that the best can be."""
        control.should_save = True


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf  # cut off when the run was killed


# ---- settings of the Trainer


def _arguments(config: SftConfig) -> TrainingArguments:
    on_gpu = config.device == "auto" and torch.cuda.is_available()
    best = None
    if config.val:
        best = "eval_best" if config.best == "score" else "eval_loss"
    if is_sharded() and best == "eval_best":
        raise UsageError("best: score needs whole weights on each process, and FSDP shards them; set best: loss")
    arguments = TrainingArguments(
        output_dir=config.out, num_train_epochs=1, per_device_train_batch_size=config.batch,
        per_device_eval_batch_size=config.batch, gradient_accumulation_steps=1, learning_rate=config.lr,
        lr_scheduler_type=config.schedule, warmup_steps=config.warmup, weight_decay=config.weight_decay,
        adam_beta2=config.beta2, max_grad_norm=config.clip, optim="adamw_torch", seed=config.seed,
        bf16=config.precision == "bf16", use_cpu=not on_gpu, **_twice(config),
        logging_steps=config.log_every, logging_nan_inf_filter=False, disable_tqdm=True,
        eval_strategy="steps" if config.val and config.eval_every else "no", eval_steps=config.eval_every or None,
        save_strategy="steps", save_steps=config.save_every, save_total_limit=config.keep,
        metric_for_best_model=best, greater_is_better=best == "eval_best", report_to=list(config.report_to) or "none",
        remove_unused_columns=False, label_names=["labels"],
        dataloader_num_workers=config.workers, dataloader_pin_memory=on_gpu, ddp_find_unused_parameters=False,
    )  # fmt: skip
    if arguments.n_gpu > 1:
        raise UsageError(
            f"{arguments.n_gpu} GPUs are seen and nobody divides the work; start one process a GPU (torchrun "
            f"--nproc-per-node {arguments.n_gpu} -m surveyor.app.cli train sft ...), or set CUDA_VISIBLE_DEVICES=0"
        )
    at_once = config.batch * arguments.world_size
    if config.global_batch % at_once:
        raise UsageError(
            f"global_batch {config.global_batch} is no multiple of batch {config.batch} x {arguments.world_size} "
            "processes; change one of them"
        )
    arguments.gradient_accumulation_steps = config.global_batch // at_once
    return arguments


def _twice(config: SftConfig) -> dict[str, Any]:
    """The arguments for computing activations twice, as transformers before and since 5.23 call them."""
    has_new_name = "activation_checkpointing" in TrainingArguments.__dataclass_fields__
    name = "activation_checkpointing" if has_new_name else "gradient_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}} if config.checkpointing else {}


def _check_packages(config: SftConfig) -> None:
    for name in ("accelerate", *(("peft",) if config.method == "lora" else ()), *config.report_to):
        if find_spec(name) is None and not (name == "tensorboard" and find_spec("tensorboardX")):
            raise MissingDependency(f"report_to: {name}" if name in config.report_to else "training", f"pip install {name}")  # fmt: skip  # noqa: E501


# ---- going on


def _resumable(config: SftConfig, state: dict[str, Any], is_first: bool) -> Path | None:
    """The last whole checkpoint in `out`; None where a run begins. What was half written is taken away."""
    out = Path(config.out)
    known = out / STATE
    if known.exists():
        _check_same(json.loads(known.read_text("utf-8")), state, out)
    elif is_first:
        if any(out.glob("checkpoint-*")):
            raise UsageError(f"{str(out)!r} holds checkpoints of something else; give another out")
        out.mkdir(parents=True, exist_ok=True)
        (out / METRICS).unlink(missing_ok=True)
        fresh = known.with_suffix(".part")
        fresh.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n", "utf-8")
        fresh.replace(known)
    if is_first:
        (out / "config.yaml").write_text(written(config), "utf-8")
    whole = {}
    for folder in out.glob("checkpoint-*"):
        step = folder.name.removeprefix("checkpoint-")
        if step.isdigit() and _is_whole(folder):
            whole[int(step)] = folder
        elif is_first:
            shutil.rmtree(folder, ignore_errors=True)
    return whole[max(whole)] if whole else None


def _is_whole(folder: Path) -> bool:
    try:
        told = json.loads((folder / _STATE_OF_TRAINER).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(f"checkpoint-{told.get('global_step')}" == folder.name)


def _check_same(before: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    was, given = before["settings"], now["settings"]
    changed = [f"{key} was {was.get(key)!r}, is {given.get(key)!r}" for key in given if was.get(key) != given[key]]
    changed += [f"the records of {key} have changed" for key in ("train", "val") if before[key] != now[key]]
    if changed:
        raise UsageError(
            f"{str(out)!r} holds a run with other settings ({'; '.join(changed[:4])}); give another out to begin anew, "
            "or put them back to go on"
        )


def _scores_at(config: SftConfig, step: int | None) -> dict[str, Any]:
    """What metrics.jsonl tells of the evaluation at a step."""
    if step is None:
        return {}
    lines = (Path(config.out) / METRICS).read_text("utf-8").splitlines()
    found: dict[str, Any] = {}
    for line in map(json.loads, lines):
        if line["step"] == step:
            found |= {key: value for key, value in line.items() if key.startswith("eval_") and "_per_second" not in key}
    return {key: value for key, value in found.items() if key not in ("eval_runtime", "eval_model_preparation_time")}
