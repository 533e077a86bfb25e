"""Small Qwen2-VL, Qwen2.5-VL and Qwen3-VL checkpoints with random weights, laid out as on the hub.

    python -m surveyor.finetune.scratch.qwen2vl FOLDER [--family qwen2-vl] [--size tiny] [--seed 0]

For tests, for benchmarks, and as the beginning of training from scratch: `AutoModelForImageTextToText` and
`AutoProcessor` load them like the real ones (the latter needs torchvision, for videos; without it `AutoImageProcessor`
with backend="pil" and `AutoTokenizer` do). The tokenizer is a byte-level BPE trained here on a small corpus, with
Qwen's way of splitting (every digit alone), its special tokens and its chat template; its ids are its own.
The same family, size and seed give the same files.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.utils import logging

from ...core.errors import UsageError

Family = Literal["qwen2-vl", "qwen2.5-vl", "qwen3-vl"]
Size = Literal["tiny", "small", "300m"]

# Of the hub's tokenizer_config.json, in the order of their ids; the later ones are plain words, not special.
SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
).split()
_LATER: dict[str, list[str]] = {"qwen2-vl": []}
_LATER["qwen2.5-vl"] = (
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>"
).split()
_LATER["qwen3-vl"] = [*_LATER["qwen2.5-vl"], "<tool_response>", "</tool_response>", "<think>", "</think>"]
# transformers.models.qwen2.tokenization_qwen2.PRETOKENIZE_REGEX
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PART = (
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set seen.images = seen.images + 1 %}{% if add_vision_id %}Picture {{ seen.images }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set seen.videos = seen.videos + 1 %}{% if add_vision_id %}Video {{ seen.videos }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
)
_TEMPLATE = (
    "{% set seen = namespace(images=0, videos=0) %}{% for message in messages %}@SYSTEM@"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for content in message['content'] %}" + _PART + "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SYSTEM = (  # Qwen3-VL says none of its own
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)
_CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])


@dataclass(frozen=True)
class _Shape:
    """Widths and depths; `head` is the text model's head size, `words` the BPE's size, `rows` the embedding's."""

    hidden: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    vision: int
    vision_layers: int
    vision_heads: int
    words: int
    rows: int | None  # None: the next multiple of 64 above the tokenizer's
    max_tokens: int  # of an image
    dtype: torch.dtype = torch.float32


_SHAPES: dict[str, _Shape] = {
    "tiny": _Shape(128, 384, 4, 4, 2, 32, 64, 2, 4, 1200, None, 1024),
    "small": _Shape(256, 768, 8, 4, 2, 64, 128, 4, 4, 2000, None, 2048),
    # hidden size and MLP of Qwen2-VL-2B, fewer layers; the hub's vocabulary and its padding
    "300m": _Shape(1536, 8960, 3, 12, 2, 128, 1280, 1, 16, 151_643, 151_936, 16_384, torch.bfloat16),
}


def make_qwen2vl(folder: str | Path, *, family: str = "qwen2-vl", size: str = "tiny", seed: int = 0) -> Path:
    """The folder, which now holds a checkpoint of the family with random weights.

    Args:
        folder: made where it is missing; files of the same names are written over.
        family: "qwen2-vl", "qwen2.5-vl" or "qwen3-vl".
        size: "tiny" (1.2-1.5 M parameters), "small" (about 10 M) or "300m" (450 M, bfloat16, 151,936 rows in the
            embedding, several shards).
        seed: of the weights.

    Raises:
        UsageError: there is no such family or size.
    """
    if family not in get_args(Family):
        raise UsageError(f"there is no family {family!r}; expected one of: {', '.join(get_args(Family))}")
    if size not in _SHAPES:
        raise UsageError(f"there is no size {size!r}; expected one of: {', '.join(_SHAPES)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shape = _SHAPES[size]
    tokenizer = make_tokenizer(family, shape.words)
    _write_tokenizer(folder, tokenizer, family)
    _write_processor(folder, family, shape)
    model = _model(family, shape, tokenizer, seed)
    logging.disable_progress_bar()
    for old in folder.glob("model*.safetensors*"):  # of another size
        old.unlink()
    model.save_pretrained(folder, max_shard_size="300MB")
    _write_generation(folder, family, tokenizer)
    return folder


# ---- tokenizer
def make_tokenizer(family: str = "qwen2-vl", words: int = 1200) -> Tokenizer:
    """A byte-level BPE with `words` tokens (fewer where the corpus gives no more), then the family's special ones.

    Above the few thousand that the corpus gives, made-up words fill it to exactly `words`: such a tokenizer is as
    large as the real one, for timings, and reads and writes any text, in more tokens than the real one.
    """
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(words, 4000),
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    bpe.train_from_iterator(_corpus(), trainer)
    if words > 4000:
        bpe.model = _filled(bpe, words)
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    bpe.add_tokens([AddedToken(token, special=False, normalized=False) for token in _LATER[family]])
    return bpe


def _filled(bpe: Tokenizer, words: int) -> models.BPE:
    """The same merges and as many made-up ones as are missing: two known pieces of letters make a longer one."""
    data = json.loads(bpe.to_str())["model"]
    vocab: dict[str, int] = data["vocab"]
    merges = [tuple(merge) for merge in data["merges"]]
    rng = random.Random(0)
    ends = [token for token in vocab if token.isascii() and token.isalpha()]
    starts = [*ends, *(token for token in vocab if token[0] == "Ġ" and token[1:].isalpha() and token.isprintable())]
    while len(vocab) < words:
        pair = (rng.choice(starts), rng.choice(ends))
        made = "".join(pair)
        if made not in vocab and len(made) <= 12:
            vocab[made] = len(vocab)
            merges.append(pair)
            starts.append(made)
            if made.isascii():
                ends.append(made)
    return models.BPE(vocab=vocab, merges=merges)


_TEXTS = Path(__file__).with_name("corpus.json")
"""Prompts as they once were: one that is added or changed must not change the checkpoints that tests stand on."""


def _corpus() -> list[str]:
    """Prompts, drawn sets of points in every dialect, class names, and answers: some 200 kB."""
    rng = random.Random(0)
    texts = json.loads(_TEXTS.read_text("utf-8")) * 3
    for name in _CLASSES * 40:
        many = rng.choice(["s", ""])
        words = (
            rng.choice(_QUESTIONS).format(name + many),
            rng.choice(_ANSWERS).format(name + many, rng.randint(0, 99)),
        )
        texts.extend([*words, rng.choice(_POINTS)(rng, name)])
    return texts


def _numbers(rng: random.Random, count: int) -> list[int]:
    return [rng.randint(0, 1000) for _ in range(count)]


def _ring(rng: random.Random, points: int) -> str:
    return "[" + ",".join(f"({x},{y})" for x, y in zip(_numbers(rng, points), _numbers(rng, points), strict=True)) + "]"


_POINTS = (
    lambda rng, name: "\n".join(_ring(rng, 4) for _ in range(rng.randint(1, 5))),
    lambda rng, name: f"{_ring(rng, 2)} keypoints {_ring(rng, 3)}\n{_ring(rng, 2)} keypoints {_ring(rng, 2)}",
    lambda rng, name: f"{_ring(rng, 7)}\n{_ring(rng, 5)}",
    lambda rng, name: "({},{}),({},{})".format(*_numbers(rng, 4)),
    lambda rng, name: json.dumps([{"bbox_2d": _numbers(rng, 4), "label": name}]),
    lambda rng, name: '```json\n[\n\t{{"bbox_2d": [{}, {}, {}, {}], "label": "{}"}}\n]\n```'.format(
        *_numbers(rng, 4), name
    ),
    lambda rng, name: "none",
)
_QUESTIONS = (
    "[det] Find every {0} in the image. Give each as four corners, clockwise, starting at the top-most.",
    "[seg] Outline the {0} in the image: a box and key points inside it.",
    "[change] Which {0} have changed between the first and the second image? Give closed polygons.",
    "[count] How many {0} are there? [vqa] Is there a {0} in the image?",
    "[caption] Describe the image. Describe the region of the {0} in the image in one sentence.",
    "[cls] Which class is it: {0} or something else? [geoloc] city, latitude, longitude [select] Of these regions,",
    "left of the {0}, right of, above, below, near, inside, between; larger than, smaller than, longer than 40 m",
)
_ANSWERS = (
    "There are {1} {0} in the image.", "{1}", "yes", "no", "{0}", "The image shows {1} {0} beside a road and a field.",
    "Munich, 48.{1}, 11.5", "The red {0} near the large white building has been built.",
)  # fmt: skip
_CLASSES = (
    "plane ship storage tank baseball diamond tennis court basketball court ground track field harbor bridge large "
    "vehicle small vehicle helicopter roundabout soccer ball field swimming pool container crane airport helipad dam "
    "airplane car truck van bus boat building house road river lake forest tree field farmland stadium windmill "
    "chimney golf course overpass toll station train station vehicle parking lot solar panel"
).split()


def _write_tokenizer(folder: Path, tokenizer: Tokenizer, family: str) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))  # vocab.json, merges.txt
    template = _TEMPLATE.replace("@SYSTEM@", "" if family == "qwen3-vl" else _SYSTEM)
    added = {
        str(number): {
            "content": token.content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": token.special,
        }
        for number, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }  # fmt: skip
    config = {
        "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": SPECIAL[1:],
        "bos_token": None, "chat_template": template, "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 32768, "pad_token": "<|endoftext|>",
        "padding_side": "left", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip
    _write(folder / "tokenizer_config.json", config)
    _write(folder / "chat_template.json", {"chat_template": template})


# ---- images
def _write_processor(folder: Path, family: str, shape: _Shape) -> None:
    patch = 16 if family == "qwen3-vl" else 14
    mean, std = ([0.5] * 3, [0.5] * 3) if family == "qwen3-vl" else _CLIP
    least, most = 4 * (2 * patch) ** 2, shape.max_tokens * (2 * patch) ** 2
    config: dict[str, Any] = {
        "patch_size": patch, "temporal_patch_size": 2, "merge_size": 2, "image_mean": mean, "image_std": std,
    }  # fmt: skip
    if family == "qwen3-vl":
        size = {"shortest_edge": least, "longest_edge": most}
        config |= {"size": size, "processor_class": "Qwen3VLProcessor"}
        _write(folder / "video_preprocessor_config.json", {**config, "video_processor_type": "Qwen3VLVideoProcessor"})
    else:
        config |= {"min_pixels": least, "max_pixels": most}
        config["processor_class"] = "Qwen2VLProcessor" if family == "qwen2-vl" else "Qwen2_5_VLProcessor"
    _write(folder / "preprocessor_config.json", {**config, "image_processor_type": "Qwen2VLImageProcessor"})


# ---- model
def _model(family: str, shape: _Shape, tokenizer: Tokenizer, seed: int) -> torch.nn.Module:
    from transformers import AutoModelForImageTextToText

    config = _config(family, shape, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=shape.dtype)
    return model.eval()


def _config(family: str, shape: _Shape, tokenizer: Tokenizer) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3VLConfig

    count = tokenizer.get_vocab_size()
    text: dict[str, Any] = {
        "vocab_size": shape.rows or (count // 64 + 1) * 64, "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True, "bos_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": _sections(shape.head, family)},
    }  # fmt: skip
    vision: dict[str, Any] = {
        "depth": shape.vision_layers, "num_heads": shape.vision_heads, "in_channels": 3,
        "patch_size": 16 if family == "qwen3-vl" else 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
    }  # fmt: skip
    ids = {
        f"{name}_token_id": tokenizer.token_to_id(f"<|{token}|>")
        for name, token in (("image", "image_pad"), ("video", "video_pad"),
                            ("vision_start", "vision_start"), ("vision_end", "vision_end"))
    }  # fmt: skip
    if family == "qwen2-vl":
        vision |= {"embed_dim": shape.vision, "hidden_size": shape.hidden, "mlp_ratio": 4}
        return Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
    vision |= {"hidden_size": shape.vision, "out_hidden_size": shape.hidden, "intermediate_size": shape.vision * 5 // 2}
    if family == "qwen2.5-vl":
        vision |= {"window_size": 112, "fullatt_block_indexes": [shape.vision_layers - 1], "tokens_per_second": 2}
        return Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
    text["head_dim"] = shape.head
    text["rope_parameters"] |= {"mrope_interleaved": True, "rope_theta": 5e6}
    vision |= {
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": list(range(max(1, shape.vision_layers - 1))),
    }
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)


def _sections(head: int, family: str) -> list[int]:
    """How half a head's frequencies are shared by time, height and width: 16:24:24 of 64 (Qwen3: 24:20:20)."""
    half = head // 2
    sides = half * (20 if family == "qwen3-vl" else 24) // 64
    return [half - 2 * sides, sides, sides]


def _write_generation(folder: Path, family: str, tokenizer: Tokenizer) -> None:
    """As the family's own: all of them sample, and Qwen2.5-VL punishes repeated tokens (bad for coordinates)."""
    end, pad = (tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>"))
    own: dict[str, dict[str, Any]] = {
        "qwen2-vl": {"temperature": 0.01, "top_p": 0.001, "top_k": 1},
        "qwen2.5-vl": {"temperature": 1e-06, "repetition_penalty": 1.05},
        "qwen3-vl": {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
    }
    ids = {"bos_token_id": pad, "pad_token_id": pad, "eos_token_id": [end, pad], "do_sample": True}
    _write(folder / "generation_config.json", {**ids, **own[family]})


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=get_args(Family), default="qwen2-vl")
    parser.add_argument("--size", choices=list(_SHAPES), default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    folder = make_qwen2vl(**vars(parser.parse_args()))
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    print(f"{folder}: {weights / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()
