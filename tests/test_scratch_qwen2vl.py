"""Random checkpoints of the Qwen-VL families: made here, loaded as those of the hub are."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.core.errors import UsageError

NEEDED = ("torch", "transformers", "tokenizers", "PIL")
MISSING = [name for name in NEEDED if find_spec(name) is None]
HAS_VIDEO = find_spec("torchvision") is not None
FAMILIES = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
# Ids of Qwen/Qwen2-VL-2B-Instruct's tokenizer_config.json begin at 151643 and stand in this order.
SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
).split()


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    return make_qwen2vl(tmp_path_factory.mktemp("made") / request.param, family=request.param)


@pytest.fixture(scope="module")
def parts(folder: Path) -> tuple[Any, Any, Any]:
    """(model, image processor, tokenizer)"""
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return AutoModelForImageTextToText.from_pretrained(folder).eval(), images, AutoTokenizer.from_pretrained(folder)


def asked(parts: tuple[Any, Any, Any], sizes_wh: list[tuple[int, int]]) -> dict[str, Any]:
    """What a model is given for images of these sizes and a question, made with the parts alone."""
    import torch

    _, images, tokenizer = parts
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for w, h in sizes_wh]
    content = [*({"type": "image"} for _ in pixels), {"type": "text", "text": "[det] plane"}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    seen = images(images=pixels, return_tensors="pt")
    pieces = text.split("<|image_pad|>")
    counts = (seen["image_grid_thw"].prod(dim=1) // 4).tolist()
    text = pieces[0] + "".join("<|image_pad|>" * count + piece for count, piece in zip(counts, pieces[1:], strict=True))
    ids = tokenizer(text, return_tensors="pt")
    kinds = (ids["input_ids"] == tokenizer.convert_tokens_to_ids("<|image_pad|>")).to(torch.int64)
    return {**ids, **seen, "mm_token_type_ids": kinds}


class TestCheckpoint:
    def test_files_are_those_of_the_hub(self, folder: Path) -> None:
        names = {path.name for path in folder.iterdir()}
        expected = {
            "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
            "vocab.json", "merges.txt", "preprocessor_config.json", "chat_template.json",
        }  # fmt: skip
        extra = {"video_preprocessor_config.json"} if folder.name == "qwen3-vl" else set()
        assert names == expected | extra
        kinds = {"qwen2-vl": "qwen2_vl", "qwen2.5-vl": "qwen2_5_vl", "qwen3-vl": "qwen3_vl"}
        assert json.loads((folder / "config.json").read_text())["model_type"] == kinds[folder.name]

    def test_size_vocabulary_and_rotary_sections(self, parts: tuple[Any, Any, Any]) -> None:
        model, images, tokenizer = parts
        assert 1e6 < sum(weights.numel() for weights in model.parameters()) < 4e6
        text = model.config.text_config
        rows = model.get_input_embeddings().weight.shape[0]
        assert 1000 < len(tokenizer) < rows == text.vocab_size < 2000
        assert sum(text.rope_parameters["mrope_section"]) * 2 == text.hidden_size // text.num_attention_heads
        assert model.config.vision_config.depth == 2
        assert images.patch_size == (16 if "qwen3" in model.config.model_type else 14) and images.merge_size == 2
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight

    @pytest.mark.parametrize("sizes_wh", [[(56, 56)], [(200, 330)], [(29, 31), (300, 40)], [(1, 100)]], ids=str)
    def test_it_answers_about_images_and_counts_their_tokens(
        self, parts: tuple[Any, Any, Any], sizes_wh: list[tuple[int, int]]
    ) -> None:
        import torch

        model, images, _ = parts
        inputs = asked(parts, sizes_wh)
        grids = inputs["image_grid_thw"].tolist()
        for (width, height), (time, rows, columns) in zip(sizes_wh, grids, strict=True):
            assert time == 1 and rows % 2 == columns % 2 == 0
            assert rows * columns == images.get_number_of_image_patches(height, width)
        count = int((inputs["input_ids"] == model.config.image_token_id).sum())
        assert count == sum(t * h * w // 4 for t, h, w in grids)
        assert inputs["pixel_values"].shape[0] == 4 * count
        with torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)
            told = model(**inputs).logits
            inputs["pixel_values"] = inputs["pixel_values"] + 1
            other = model(**inputs).logits
        assert out.shape[1] == inputs["input_ids"].shape[1] + 4
        assert torch.isfinite(told).all() and not torch.allclose(told[:, -1], other[:, -1])

    @pytest.mark.skipif(not HAS_VIDEO, reason="not installed: torchvision (AutoProcessor loads a video processor)")
    @pytest.mark.full
    def test_auto_processor_makes_the_same_input(self, folder: Path, parts: tuple[Any, Any, Any]) -> None:
        from PIL import Image
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(folder)
        pixels = np.random.default_rng(0).integers(0, 255, (330, 200, 3), dtype=np.uint8)
        content = [{"type": "image", "image": Image.fromarray(pixels)}, {"type": "text", "text": "[det] plane"}]
        made = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        own = asked(parts, [(200, 330)])
        assert made["input_ids"].tolist() == own["input_ids"].tolist()
        assert made["image_grid_thw"].tolist() == own["image_grid_thw"].tolist()


class TestTokenizer:
    def test_special_tokens_stand_in_the_hubs_order(self, parts: tuple[Any, Any, Any]) -> None:
        model, _, tokenizer = parts
        ids = tokenizer.convert_tokens_to_ids(SPECIAL)
        assert ids == list(range(ids[0], ids[0] + len(SPECIAL))) and set(ids) <= set(tokenizer.all_special_ids)
        assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
        ends = model.generation_config.eos_token_id
        assert ends == tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
        later = {"qwen2_vl": None, "qwen2_5_vl": "<tool_call>", "qwen3_vl": "</think>"}[model.config.model_type]
        if later:
            assert tokenizer.tokenize(f"a{later}b")[1] == later and later not in tokenizer.all_special_tokens

    @pytest.mark.parametrize(
        "text", ["", "[(12,345),(1000,7)]\n[(0,0)", "Müller 東京 🛰\t\r\n", "a  b   c", "x<|im_end|>y"]
    )
    def test_text_comes_back(self, parts: tuple[Any, Any, Any], text: str) -> None:
        tokenizer = parts[2]
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text

    def test_every_digit_is_a_token(self, parts: tuple[Any, Any, Any]) -> None:
        tokenizer = parts[2]
        assert [t for t in tokenizer.tokenize("[(12,345),(1000,7)]") if any(c.isdigit() for c in t)] == list(
            "1234510007"
        )
        assert not [t for t in tokenizer.get_vocab() if len(t) > 1 and any(c in "0123456789" for c in t)]

    def test_chat_template(self, parts: tuple[Any, Any, Any]) -> None:
        model, _, tokenizer = parts
        messages = [
            {"role": "user", "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "which?"}]},
            {"role": "assistant", "content": "none"},
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        own = (
            ""
            if model.config.model_type == "qwen3_vl"
            else "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        )
        picture = "<|vision_start|><|image_pad|><|vision_end|>"
        assert text == (
            f"{own}<|im_start|>user\n{picture}{picture}which?<|im_end|>\n<|im_start|>assistant\nnone<|im_end|>\n"
        )
        said = tokenizer.apply_chat_template(
            [{"role": "system", "content": "S"}], tokenize=False, add_generation_prompt=True
        )
        assert said == "<|im_start|>system\nS<|im_end|>\n<|im_start|>assistant\n"

    def test_a_large_one_has_the_size_asked_for(self) -> None:
        from surveyor.finetune.scratch.qwen2vl import make_tokenizer

        tokenizer = make_tokenizer("qwen2-vl", 9000)
        assert tokenizer.get_vocab_size(with_added_tokens=False) == 9000
        assert tokenizer.token_to_id("<|endoftext|>") == 9000
        text = "Find every plane: [(12,345)] Müller"
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_seed_same_files_in_another_process(tmp_path: Path) -> None:
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    first = digests(make_qwen2vl(tmp_path / "a", seed=3))
    command = [sys.executable, "-m", "surveyor.finetune.scratch.qwen2vl", str(tmp_path / "b"), "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env={"PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr
    assert "MB of weights" in done.stdout
    assert digests(tmp_path / "b") == first
    other = digests(make_qwen2vl(tmp_path / "a", seed=4))
    assert {name for name in other if other[name] != first[name]} == {"model.safetensors"}


@pytest.mark.parametrize("wrong", [{"family": "qwen"}, {"size": "7b"}], ids=str)
def test_unknown_family_or_size(tmp_path: Path, wrong: dict[str, str]) -> None:
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    with pytest.raises(UsageError, match=r"there is no (family|size) '(qwen|7b)'; expected one of: "):
        make_qwen2vl(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()
