"""Which weights of a Qwen vision-language model learn, and what memory that takes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...core.errors import MissingDependency
from ...tools.models.qwen2vl.loading import Loaded, load
from ...tools.models.qwen2vl.settings import Checkpoint, Settings
from .config import SftConfig

COMMAND = 'pip install "surveyor[qwen]"'
_VISION = r"model\.visual\.blocks\..*\.(qkv|proj|fc1|fc2|gate_proj|up_proj|down_proj|linear_fc1|linear_fc2)"
_MERGER = r"model\.visual\.(merger|deepstack_merger_list\.\d+)\.(mlp\.[02]|linear_fc[12])"
_ADAM = 2  # numbers that AdamW keeps a weight
_KEPT_HIDDEN, _KEPT_MLP = 12, 4  # numbers a token that one block keeps for the way back, in hidden sizes and MLP sizes


def is_sharded() -> bool:
    """Whether accelerate launched this under FSDP, which shards weights and takes them in one number type only."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true", "yes")


def load_for_training(config: SftConfig) -> Loaded:
    """The base on the CPU with its learning parts prepared; new weights are drawn from `config.seed`.

    Raises:
        UsageError: see `loading.load`.
        MissingDependency: no peft.
    """
    half = config.precision == "bf16" and config.method == "lora" and not is_sharded()
    settings = Settings(
        dtype="bfloat16" if half else "float32", device="cpu", attention=config.attention, dialect=config.dialect
    )
    loaded = load(Checkpoint.of(config.base), settings)
    return replace(loaded, model=prepared(loaded.model, config))


def prepared(model: Any, config: SftConfig) -> Any:
    """The model with what is to learn: adapters added, or parts thawed and the others frozen."""
    if config.method == "full":
        for name, weight in model.named_parameters():
            weight.requires_grad_(getattr(config, part_of(name)) == "train")
        return model
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise MissingDependency("LoRA", COMMAND) from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        lora = LoraConfig(
            r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, bias="none",
            target_modules=targets(config), task_type="CAUSAL_LM",
        )  # fmt: skip
        return get_peft_model(model, lora)


def targets(config: SftConfig) -> str:
    """A regular expression of the linear layers that get an adapter, by their full names."""
    parts = {"language": rf"model\.language_model\..*\.({'|'.join(config.layers)})", "vision": _VISION}
    parts["merger"] = _MERGER
    return "|".join(f"({pattern})" for part, pattern in parts.items() if getattr(config, part) == "train")


def part_of(name: str) -> str:
    """ "language", "vision" or "merger": where a weight of a Qwen vision-language model belongs.

    Example:
        >>> part_of("model.visual.merger.mlp.0.weight"), part_of("lm_head.weight")
        ('merger', 'language')
    """
    if ".merger" in name or ".deepstack_merger_list" in name:
        return "merger"
    return "vision" if name.startswith("model.visual.") else "language"


# ---- memory


@dataclass(frozen=True)
class Memory:
    """An estimate for one GPU without sharding, bytes.

    Attributes:
        weights: all of them. learning: masters, gradients and AdamW's numbers of those that learn.
        activations: of the largest batch. logits: of its replies.
    """

    weights: float
    learning: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.learning + self.activations + self.logits


def counted(model: Any) -> tuple[int, int]:
    """Weights in all, and those that learn."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)


def outline(own: Any, config: SftConfig) -> Any:
    """The model of a transformers configuration, prepared, without its numbers: for counting."""
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return prepared(AutoModelForImageTextToText.from_config(own), config)


def memory(own: Any, sizes: tuple[int, int], config: SftConfig, longest: Mapping[str, int]) -> Memory:
    """What a run takes, as the sum of what is kept; transformers' and CUDA's own buffers come on top.

    Args:
        own: the transformers configuration.
        sizes: see `counted`.
        config: the run's.
        longest: "tokens" and "replied" of the largest batch.
    """
    text, vision = own.get_text_config(), own.vision_config
    every, learning = sizes
    half = config.precision == "bf16"
    kept = 2 if half and config.method == "lora" else 4
    extra = (4 if config.method == "lora" else 0) + 4 + 4 * _ADAM + (2 if half and config.method == "full" else 0)
    number = 2 if half else 4
    block = _KEPT_HIDDEN * text.hidden_size + _KEPT_MLP * text.intermediate_size
    layers = text.num_hidden_layers
    a_token = layers * text.hidden_size + block if config.checkpointing else layers * block
    wide = getattr(vision, "embed_dim", None) or vision.hidden_size
    patches = int(vision.spatial_merge_size) ** 2
    through_vision = config.vision == "train"
    seen = (vision.depth if through_vision else 1) * 12 * wide * patches
    if through_vision and config.checkpointing:
        seen = (vision.depth + 12) * wide * patches
    return Memory(
        weights=every * kept if config.method == "full" else (every - learning) * kept,
        learning=learning * extra,
        activations=number * longest["tokens"] * (a_token + seen),
        logits=longest["replied"] * text.vocab_size * (number + 8.0),
    )
