"""What a run of `surveyor train sft` is made of: one flat YAML file, every key checked before anything is loaded."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...core.codec import dialect
from ...core.errors import UsageError
from ...core.plan import describe_faults
from ..records.record import TASKS

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear layers of a block of the language model."""
Part = Literal["train", "frozen"]
Reporter = Literal["tensorboard", "mlflow", "wandb"]
FREE_TO_CHANGE = ("log_every", "save_every", "keep", "workers", "report_to")
"""Keys that a run that goes on may change: they decide neither weights nor the order of the data."""


class SftConfig(BaseModel):
    """Settings of a fine-tuning run. Paths count from the folder where the command is run.

    Attributes:
        base: checkpoint folder or hub name[@revision]; no adapter.
        out: folder of the run. A run that stopped goes on there.
        train, val: files of instruction records; `val` is never trained on, and shares no family with `train`.
        images: folder that relative paths of pictures count from; None: what is told beside the records.
        allow_splits: published splits to train on, though they are meant for validation or tests.
        dialect: how coordinates are written; "native" takes the records' messages as they are.
        task_weights: task -> how often each of its records is seen an epoch; 1 where not named, 0 leaves a task out.
        epochs, steps: how long; `steps` wins where both are given.
        seed: of new weights, dropout and the order of the data.
        global_batch: records a step, over all GPUs. batch: records a GPU at once; the rest is accumulated.
        group_by_length: records of about equal length share a batch.
        max_length: longest record in tokens, image tokens included; longer ones are left out and counted.
        min_pixels, max_pixels: of an image as the model sees it; 0 as `--models qwen2vl:` does.
        method: "lora" or "full". rank, alpha, dropout, layers: of LoRA in the language model.
        language, vision, merger: which parts learn: by LoRA where that is the method, else all weights.
        lr, schedule, warmup, weight_decay, beta2, clip: AdamW and its schedule; `warmup` below 1 is a share of steps.
        precision: "bf16" (autocast; weights that learn are float32) or "fp32".
        checkpointing: activations are computed twice to save memory.
        attention: "auto" is sdpa; "flash_attention_2" needs flash-attn.
        device: "auto" takes a GPU when there is one. threads: of the CPU, 0 leaves it to torch.
        workers: processes that read images; 0 reads them in between.
        log_every, eval_every, save_every: in steps; `eval_every` 0 only at the end. keep: checkpoints on disk.
        eval_records: how many of `val` are answered and scored at a time, the same ones each time, tasks in turn.
        eval_batch, eval_max_tokens, eval_guided: as `batch`, `max_tokens`, `guided` of `--models qwen2vl:`.
        best: "score" (mean of the tasks' headline figures) or "loss": which checkpoint is kept as the result.
        report_to: "tensorboard", "mlflow", "wandb", where installed; metrics.jsonl is always written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(min_length=1)
    out: str = Field(min_length=1)
    train: tuple[str, ...] = Field(min_length=1)
    val: tuple[str, ...] = ()
    images: str | None = None
    allow_splits: tuple[str, ...] = ()
    dialect: str = "native"
    task_weights: dict[str, float] = {}
    epochs: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    steps: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    global_batch: int = Field(default=16, ge=1)
    batch: int = Field(default=1, ge=1)
    group_by_length: bool = True
    max_length: int = Field(default=4096, ge=16)
    min_pixels: int = Field(default=0, ge=0)
    max_pixels: int = Field(default=0, ge=0)
    method: Literal["lora", "full"] = "lora"
    rank: int = Field(default=64, ge=1)
    alpha: float = Field(default=128, gt=0, allow_inf_nan=False)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    layers: tuple[str, ...] = LAYERS
    language: Part = "train"
    vision: Part = "frozen"
    merger: Part = "frozen"
    lr: float = Field(default=2e-4, gt=0, allow_inf_nan=False)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    beta2: float = Field(default=0.999, gt=0, lt=1)
    clip: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    precision: Literal["bf16", "fp32"] = "bf16"
    checkpointing: bool = True
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    device: Literal["auto", "cpu"] = "auto"
    threads: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    log_every: int = Field(default=1, ge=1)
    eval_every: int = Field(default=0, ge=0)
    save_every: int = Field(default=100, ge=1)
    keep: int = Field(default=2, ge=1)
    eval_records: int = Field(default=64, ge=1)
    eval_batch: int = Field(default=4, ge=1)
    eval_max_tokens: int = Field(default=0, ge=0)
    eval_guided: bool = True
    best: Literal["score", "loss"] = "score"
    report_to: tuple[Reporter, ...] = ()

    @field_validator("train", "val", "report_to", "allow_splits", "layers", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("dialect")
    @classmethod
    def _known_dialect(cls, value: str) -> str:
        dialect(value)
        return value

    @field_validator("task_weights")
    @classmethod
    def _known_tasks(cls, value: dict[str, float]) -> dict[str, float]:
        strange = [task for task in value if task not in TASKS]
        if strange:
            raise ValueError(f"there is no task {strange[0]!r}; expected some of: {', '.join(TASKS)}")
        wrong = [task for task, weight in value.items() if not 0 <= weight < 1000]
        if wrong:
            raise ValueError(f"the weight of {wrong[0]!r} is {value[wrong[0]]!r}; expected 0 to 1000")
        return value

    @field_validator("layers")
    @classmethod
    def _known_layers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [layer for layer in value if layer not in LAYERS]
        if strange or not value:
            raise ValueError(f"expected some of: {', '.join(LAYERS)}")
        return value

    @model_validator(mode="after")
    def _keys_fit(self) -> SftConfig:
        faults = []
        if "+" in self.base:
            faults.append(f"base: {self.base!r} names an adapter; give the checkpoint alone")
        if self.global_batch % self.batch:
            faults.append(f"global_batch: {self.global_batch} is no multiple of batch, {self.batch}")
        if self.max_pixels and self.min_pixels > self.max_pixels:
            faults.append(f"min_pixels: {self.min_pixels} is above max_pixels, {self.max_pixels}")
        if self.warmup >= 1 and self.warmup != int(self.warmup):
            faults.append(f"warmup: {self.warmup} is neither a share below 1 nor a whole number of steps")
        if "frozen" == self.language == self.vision == self.merger:
            faults.append("language: nothing would learn; set language, vision or merger to train")
        for key in ("save_every", "eval_every"):  # a mean over steps from before and after a break cannot be logged
            if getattr(self, key) % self.log_every:
                faults.append(f"{key}: {getattr(self, key)} is no multiple of log_every, {self.log_every}")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def fixed(self) -> dict[str, Any]:
        """What decides weights and the order of the data, as JSON: a run can only go on where this stays as it was."""
        return {key: value for key, value in self.model_dump(mode="json").items() if key not in FREE_TO_CHANGE}


def load_config(path: str | Path, changes: Sequence[str] = ()) -> SftConfig:
    """The settings in a YAML file.

    Args:
        path: of the file.
        changes: `key=value` each, which win; values are YAML.

    Raises:
        UsageError: no such file, no YAML, or keys and values that are wrong: all of them, by name.
    """
    try:
        read = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(read, Mapping):
        raise UsageError(f"{str(path)!r} holds {type(read).__name__}; expected keys and values, such as 'base: FOLDER'")
    given = {str(key): value for key, value in read.items()}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"{change!r} is no key=value, such as lr=1e-4")
        given[key.strip()] = _number(yaml.safe_load(value)) if value.strip() else None
    return checked({key: _number(value) for key, value in given.items()}, str(path))


def checked(given: Mapping[str, Any], where: str = "the settings") -> SftConfig:
    """The settings of these keys and values. Raises UsageError with all that is wrong."""
    strange = [key for key in given if key not in SftConfig.model_fields]
    told = []
    for key in strange:
        near = difflib.get_close_matches(key, SftConfig.model_fields, n=1)
        told.append(f"there is no key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    try:
        config = SftConfig.model_validate({key: value for key, value in given.items() if key not in strange})
    except ValidationError as error:
        told.append(describe_faults(error).replace("top level: Value error, ", ""))
    if told:
        keys = f" The keys are: {', '.join(SftConfig.model_fields)}." if strange else ""
        raise UsageError(f"{where}: {'; '.join(told)}.{keys}")
    return config


def written(config: SftConfig) -> str:
    """The settings as YAML, every key."""
    return yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False, allow_unicode=True)


def _number(value: object) -> object:
    """YAML 1.1 reads 2e-4 as text: a number is meant."""
    if isinstance(value, str) and value[:1] in "0123456789+-.":
        try:
            return float(value)
        except ValueError:
            return value
    return value


REPORTERS: tuple[str, ...] = get_args(Reporter)
