"""A Qwen2-VL small enough to be trained from scratch on a CPU, with a token for each whole number from 0 to 1000.

What differs from `qwen2vl`, which copies the hub's layout for tests, and why:

- a coordinate is one token instead of up to four digits, so a reply is a third as long, and a slip costs a grid step
  instead of a hundred. Numbers begin as points on a smooth curve: 500 and 501 look alike from the first step;
- rotary frequencies for a grid of tens of tokens, not thousands (`rope_theta`): with the hub's base of 1e6 the height
  and width sections of a head of 32 turn by 0.25 rad at most over 8 tokens: too little to tell where a
  token lies;
- shapes come from YAML.

The checkpoint is a plain `Qwen2VLForConditionalGeneration`; `--models grounder=qwen2vl:FOLDER` loads it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from ...core.errors import UsageError
from ...tools.models.qwen2vl.loading import DECLARATION
from .qwen2vl import SPECIAL, _write, _write_generation, _write_tokenizer, make_tokenizer

STEPS = 1000
"""The grid of the native dialect: its numbers are 0 to STEPS."""
PATCH, MERGE = 14, 2
CELL = PATCH * MERGE
"""Side in px of what one image token shows."""
_DIGITS = r"|\p{N}|"


@dataclass(frozen=True)
class Shape:
    """Widths and depths of a tiny Qwen2-VL.

    Attributes:
        hidden, mlp, layers, heads, kv_heads: of the language model.
        vision, vision_layers, vision_heads: of the vision tower.
        words: of the tokenizer without numbers.
        rope_theta: base of the language model's rotary frequencies.
        max_pixels: of an image as the model sees it.
    """

    hidden: int = 192
    mlp: int = 512
    layers: int = 4
    heads: int = 6
    kv_heads: int = 6
    vision: int = 128
    vision_layers: int = 4
    vision_heads: int = 4
    words: int = 800
    rope_theta: float = 10.0
    max_pixels: int = 224 * 224

    def __post_init__(self) -> None:
        if self.hidden % self.heads or self.hidden // self.heads % 16:
            raise UsageError(
                f"hidden {self.hidden!r} over heads {self.heads!r} must give heads of a multiple of 16: "
                "the rotary sections share half of it as 1:1.5:1.5"
            )


def number_tokenizer(words: int = 800) -> Tokenizer:
    """The byte-level BPE of `make_tokenizer`, with one token for each whole number from 0 to 1000.

    Digits that stand together are one piece, and merges lead from any split of a number to the number; other numerals
    ("1024", "007") are read in several tokens.

    Example:
        >>> number_tokenizer().encode("[(1000,37),(5,0)]").tokens
        ['[(', '1000', ',', '37', '),(', '5', ',', '0', ')]']
    """
    bpe = make_tokenizer("qwen2-vl", words)
    data = json.loads(bpe.to_str())
    pattern = data["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    vocab: dict[str, int] = dict(data["model"]["vocab"])
    merges = [tuple(pair) for pair in data["model"]["merges"]]
    for number in range(10, STEPS + 1):
        text = str(number)
        vocab.setdefault(text, len(vocab))
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in vocab and right in vocab:
                merges.append((left, right))
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    made.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(pattern.replace(_DIGITS, r"|\p{N}{1,4}|")), behavior="isolated", invert=False)
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return made


def number_ids(tokenizer: Any) -> list[int]:
    """Token ids of 0 to 1000; of a `tokenizers` or a transformers tokenizer.

    Raises:
        UsageError: the tokenizer writes some number in several tokens.
    """
    vocab: dict[str, int] = tokenizer.get_vocab()
    missing = [number for number in range(STEPS + 1) if str(number) not in vocab]
    if missing:
        raise UsageError(f"the tokenizer has no token for {missing[0]!r}; make it with scratch_tiny.number_tokenizer")
    return [vocab[str(number)] for number in range(STEPS + 1)]


def make_tiny(folder: str | Path, shape: Shape | None = None, seed: int = 0) -> Path:
    """The folder, which now holds a tiny Qwen2-VL with random weights and smooth numbers, declared "native".

    Args:
        folder: made where it is missing.
        shape: widths and depths.
        seed: of the weights.
    """
    shape, folder = shape or Shape(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = number_tokenizer(shape.words)
    _write_tokenizer(folder, tokenizer, "qwen2-vl")
    settings = folder / "tokenizer_config.json"  # Qwen2Tokenizer would split numbers into digits again
    _write(settings, {**json.loads(settings.read_text("utf-8")), "tokenizer_class": "PreTrainedTokenizerFast"})
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    images = {
        "patch_size": PATCH, "temporal_patch_size": 2, "merge_size": MERGE, "image_mean": mean, "image_std": std,
        "min_pixels": 4 * CELL**2, "max_pixels": shape.max_pixels, "processor_class": "Qwen2VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessor",
    }  # fmt: skip
    _write(folder / "preprocessor_config.json", images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2VLForConditionalGeneration(_config(shape, tokenizer))
        _smooth(model, number_ids(tokenizer))
    model.save_pretrained(folder)
    _write_generation(folder, "qwen2-vl", tokenizer)
    _write(folder / DECLARATION, {"dialect": "native"})
    return folder


def _config(shape: Shape, tokenizer: Tokenizer) -> Qwen2VLConfig:
    count, half = tokenizer.get_vocab_size(), shape.hidden // shape.heads // 2
    sides = half * 3 // 8
    text: dict[str, Any] = {
        "vocab_size": (count // 64 + 1) * 64, "hidden_size": shape.hidden, "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "tie_word_embeddings": True,
        "initializer_range": 0.5 / math.sqrt(shape.hidden),
        "bos_token_id": tokenizer.token_to_id("<|endoftext|>"), "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "rope_parameters": {
            "rope_type": "default", "rope_theta": shape.rope_theta, "mrope_section": [half - 2 * sides, sides, sides],
        },
    }  # fmt: skip
    vision = {
        "depth": shape.vision_layers, "num_heads": shape.vision_heads, "in_channels": 3, "patch_size": PATCH,
        "spatial_merge_size": MERGE, "temporal_patch_size": 2, "embed_dim": shape.vision, "hidden_size": shape.hidden,
        "mlp_ratio": 4, "initializer_range": 0.5 / math.sqrt(shape.vision),
    }  # fmt: skip
    ids = {
        f"{name}_token_id": tokenizer.token_to_id(f"<|{token}|>")
        for name, token in (("image", "image_pad"), ("video", "video_pad"),
                            ("vision_start", "vision_start"), ("vision_end", "vision_end"))
    }  # fmt: skip
    return Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)


def _smooth(model: Any, numbers: list[int]) -> None:
    """Number embeddings on a smooth curve: random mixes of sines, wavelengths from 8 to 4000 grid steps."""
    weight = model.get_input_embeddings().weight
    hidden = weight.shape[1]
    with torch.no_grad():
        waves = torch.logspace(math.log10(8), math.log10(4000), hidden // 2)
        angles = torch.arange(len(numbers))[:, None] * (2 * math.pi / waves)
        curve = torch.cat([angles.sin(), angles.cos()], dim=1)
        mixed = curve @ torch.nn.init.orthogonal_(torch.empty(2 * (hidden // 2), hidden))
        weight[torch.tensor(numbers)] = mixed / mixed.std() * 2 * weight.std()
