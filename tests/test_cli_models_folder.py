"""What is wrong with a checkpoint's folder is told without torch, all at once; folders here are written by hand."""

from __future__ import annotations

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.tools.models.folder import check_adapter, check_folder
from surveyor.tools.models.safetensors_file import BITS, Tensor, read_tensors

ADDED = ["<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
TENSORS = {
    "model.embed_tokens.weight": (32, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.1.self_attn.q_proj.weight": (8, 8),
    "visual.blocks.0.attn.qkv.weight": (24, 8),
}
MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]


def safetensors(shapes: dict[str, tuple[int, ...]], dtype: str = "BF16") -> bytes:
    """A file of zeros in the safetensors format."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = Tensor(shape, dtype).count * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    """A folder in the layout of Qwen2-VL in two shards, with everything a loader looks for."""
    folder = tmp_path / "tiny-qwen"
    folder.mkdir()
    config = {"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", "vocab_size": 32}
    config |= {"hidden_size": 8, "num_hidden_layers": 2, "image_token_id": 31, "vision_start_token_id": 29}
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", {"patch_size": 14})
    write_json(folder / "tokenizer.json", {"added_tokens": [{"id": 28 + n, "content": t} for n, t in enumerate(ADDED)]})
    write_json(folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    names = list(TENSORS)
    shards = {"model-00001-of-00002.safetensors": names[:2], "model-00002-of-00002.safetensors": names[2:]}
    for shard, held in shards.items():
        (folder / shard).write_bytes(safetensors({name: TENSORS[name] for name in held}))
    places = {name: shard for shard, held in shards.items() for name in held}
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": places})
    return folder


def adapter(folder: Path, shapes: dict[str, tuple[int, ...]], base: str | None = "Qwen/Qwen2-VL-2B-Instruct") -> Path:
    folder.mkdir()
    write_json(
        folder / "adapter_config.json", {"peft_type": "LORA"} | ({"base_model_name_or_path": base} if base else {})
    )
    (folder / "adapter_model.safetensors").write_bytes(safetensors(shapes, "F32"))
    return folder


LORA = "base_model.model.model.language_model.layers.1.self_attn.q_proj.lora_"


class TestWhole:
    def test_a_whole_folder(self, qwen: Path) -> None:
        report = check_folder(qwen)
        assert (report.kind, report.architecture, report.faults) == ("qwen2_vl", "Qwen2VLForConditionalGeneration", ())
        assert report.parameters == 32 * 8 + 64 + 64 + 24 * 8 and report.types == {"bfloat16": 576}
        assert (
            report.size_bytes == sum(f.stat().st_size for f in qwen.glob("*.safetensors")) and len(report.weights) == 2
        )
        assert report.demand("qwen2_vl") is report

    def test_slow_tokenizer_and_one_file(self, qwen: Path) -> None:
        for file in (*qwen.glob("model*"), qwen / "tokenizer.json"):
            file.unlink()
        (qwen / "model.safetensors").write_bytes(safetensors(TENSORS))
        write_json(qwen / "vocab.json", {})
        (qwen / "merges.txt").touch()
        told = {str(28 + n): {"content": token} for n, token in enumerate(ADDED)}
        write_json(qwen / "tokenizer_config.json", {"added_tokens_decoder": told})
        write_json(qwen / "chat_template.json", {"chat_template": "x"})
        assert check_folder(qwen).faults == ()

    def test_a_file_that_the_index_does_not_list_is_not_counted(self, qwen: Path) -> None:
        (qwen / "consolidated.safetensors").write_bytes(b"no safetensors")
        assert check_folder(qwen).faults == () and len(check_folder(qwen).weights) == 2

    def test_native_sam2(self, tmp_path: Path) -> None:
        file = tmp_path / "sam2.1_hiera_tiny.pt"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", b"x" * 100)
        assert check_folder(file).kind == check_folder(tmp_path).kind == "sam2-native"
        assert check_folder(file).parameters is None and not check_folder(file).faults
        file.write_bytes(file.read_bytes()[:-30])
        assert "cut off" in check_folder(file).faults[0]

    def test_sam2_needs_its_processor_and_no_tokenizer(self, tmp_path: Path) -> None:
        write_json(tmp_path / "config.json", {"model_type": "sam2_video", "architectures": ["Sam2VideoModel"]})
        (tmp_path / "model.safetensors").write_bytes(safetensors({"vision_encoder.w": (3,)}, "F32"))
        assert check_folder(tmp_path).faults == ("preprocessor_config.json is missing",)
        write_json(tmp_path / "processor_config.json", {})
        assert check_folder(tmp_path).faults == ()


def _edit(file: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        change(content)
        write_json(folder / file, content)

    return damage


def _cut(file: str, size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:size]) and None


SHARD = "model-00002-of-00002.safetensors"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "shard-missing": (lambda f: (f / SHARD).unlink(), f"1 of 2 files of weights are missing: {SHARD}"),
    "shard-cut": (_cut(SHARD, -10), "is cut off: 10 of"),
    "shard-cut-in-header": (_cut(SHARD, 60), "is cut off inside its header (60 bytes)"),
    "shard-empty": (_cut(SHARD, 0), f"{SHARD} is empty"),
    "shard-longer": (
        lambda f: (f / SHARD).write_bytes((f / SHARD).read_bytes() + b"xyz"),
        "3 bytes follow its last tensor",
    ),
    "shard-html": (lambda f: (f / SHARD).write_text("<!DOCTYPE html><html>" * 9), "is a page of HTML"),
    "shard-pointer": (
        lambda f: (f / SHARD).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 4\n"),
        "is a Git LFS pointer of 63 bytes, not the file; run: git lfs pull",
    ),
    "shard-of-another-model": (
        lambda f: (f / SHARD).write_bytes(safetensors({"lm_head.weight": (2,)})),
        "is not the file that the index describes: it lacks model.layers.1",
    ),
    "index-missing": (lambda f: (f / "model.safetensors.index.json").unlink(), "index.json is missing"),
    "index-damaged": (_cut("model.safetensors.index.json", 20), "index.json is damaged"),
    "index-without-map": (_edit("model.safetensors.index.json", dict.clear), "has no weight_map"),
    "no-weights": (lambda f: [file.unlink() for file in f.glob("model*")], "model.safetensors is missing"),
    "other-weights": (
        lambda f: [*(file.unlink() for file in f.glob("model*")), (f / "pytorch_model.bin").touch()],
        "there are no safetensors files, only pytorch_model.bin",
    ),
    "config-empty": (_cut("config.json", 0), "config.json is empty"),
    "config-without-type": (_edit("config.json", lambda c: c.pop("model_type")), "names no model_type"),
    "text-tokenizer": (
        _edit("tokenizer.json", lambda c: c["added_tokens"].pop()),
        "the tokenizer has no <|image_pad|>: it is that of a text model",
    ),
    "tokenizer-of-another": (
        _edit("tokenizer.json", lambda c: c["added_tokens"][3].update(id=30)),
        "<|image_pad|> has the id 30 in the tokenizer, 31 in config.json",
    ),
    "tokenizer-missing": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "tokenizer-cut": (_cut("tokenizer.json", 30), "tokenizer.json is damaged"),
    "tokens-damaged": (_edit("tokenizer.json", lambda c: c.update(added_tokens=[1])), "added tokens is damaged"),
    "processor-missing": (lambda f: (f / "preprocessor_config.json").unlink(), "preprocessor_config.json is missing"),
    "no-template": (_edit("tokenizer_config.json", dict.clear), "there is no chat_template"),
    "config-of-another-size": (
        _edit("config.json", lambda c: c.update(hidden_size=16)),
        "the weights have an embedding of [32, 8], config.json tells [32, 16]",
    ),
    "layers-missing": (
        _edit("config.json", lambda c: c.update(num_hidden_layers=28)),
        "the weights hold 2 layers, config.json tells 28",
    ),
}


class TestDamaged:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_each_damage_is_told(self, name: str, qwen: Path) -> None:
        damage, says = DAMAGES[name]
        damage(qwen)
        faults = check_folder(qwen).faults
        assert any(says in fault for fault in faults), faults
        with pytest.raises(UsageError, match="cannot be loaded"):
            check_folder(qwen).demand("qwen2_vl")

    def test_all_faults_at_once(self, qwen: Path) -> None:
        for name in ("shard-cut", "text-tokenizer", "processor-missing", "no-template"):
            DAMAGES[name][0](qwen)
        with pytest.raises(UsageError) as caught:
            check_folder(qwen).demand()
        assert all(DAMAGES[name][1] in str(caught.value) for name in ("shard-cut", "text-tokenizer", "no-template"))
        assert len(check_folder(qwen).faults) == 4

    def test_interrupted_download(self, qwen: Path) -> None:
        place = qwen / ".cache" / "huggingface" / "download"
        place.mkdir(parents=True)
        (place / "abc.incomplete").touch()
        assert not check_folder(qwen).faults  # a second one has finished what was left then
        (qwen / SHARD).unlink()
        assert "a download was interrupted here (1 unfinished)" in check_folder(qwen).faults[1]

    def test_wrong_places(self, qwen: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no checkpoint at .*tiny-qwem'.*did you mean '.*tiny-qwen'\?"):
            check_folder(tmp_path / "tiny-qwem")
        with pytest.raises(UsageError, match=r"holds no config.json.*did you mean '.*tiny-qwen'\?"):
            check_folder(tmp_path)
        with pytest.raises(UsageError, match=r"is a file; expected the folder that it is in, '.*tiny-qwen'"):
            check_folder(qwen / "config.json")
        (tmp_path / "alone.safetensors").touch()
        with pytest.raises(UsageError, match=r"is a file; expected the folder of a checkpoint"):
            check_folder(tmp_path / "alone.safetensors")
        (tmp_path / "nothing").mkdir()
        with pytest.raises(UsageError, match="it is empty"):
            check_folder(tmp_path / "nothing")

    def test_the_hubs_cache_points_at_its_snapshot(self, qwen: Path, tmp_path: Path) -> None:
        cache = tmp_path / "models--Qwen--Tiny"
        shutil.copytree(qwen, cache / "snapshots" / "abc")
        with pytest.raises(UsageError, match=r"did you mean '.*snapshots/abc'"):
            check_folder(cache)

    def test_another_kind_is_refused(self, qwen: Path) -> None:
        with pytest.raises(UsageError, match="it holds a 'qwen2_vl' model, expected sam2 or sam2_video"):
            check_folder(qwen).demand("sam2", "sam2_video")


class TestAdapter:
    def test_fits(self, qwen: Path, tmp_path: Path) -> None:
        held = check_folder(adapter(tmp_path / "lora", {f"{LORA}A.weight": (4, 8), f"{LORA}B.weight": (8, 4)}))
        assert held.kind == "adapter" and held.base == "Qwen/Qwen2-VL-2B-Instruct" and held.parameters == 64
        check_adapter(held.demand("adapter"), check_folder(qwen))

    @pytest.mark.parametrize(
        ("name", "shape", "says"),
        [
            pytest.param(f"{LORA}A.weight", (4, 16), "the model has [8, 8] there", id="wider"),
            pytest.param(
                LORA.replace("s.1.", "s.27.") + "B.weight", (8, 4), "the model has no such layer", id="deeper"
            ),
            pytest.param("base_model.model.score.weight", (2, 8), "no matrix of it belongs", id="nothing-in-common"),
        ],
    )
    def test_of_another_model(self, name: str, shape: tuple[int, ...], says: str, qwen: Path, tmp_path: Path) -> None:
        held = check_folder(adapter(tmp_path / "lora", {name: shape}))
        with pytest.raises(UsageError) as caught:
            check_adapter(held, check_folder(qwen))
        assert "was made for another model (Qwen/Qwen2-VL-2B-Instruct)" in str(caught.value) and says in str(
            caught.value
        )

    def test_the_towers_are_kept_apart(self, qwen: Path, tmp_path: Path) -> None:
        name = "base_model.model.model.visual.blocks.0.attn.qkv.lora_B.weight"
        check_adapter(check_folder(adapter(tmp_path / "lora", {name: (24, 4)})), check_folder(qwen))

    def test_damaged(self, tmp_path: Path) -> None:
        folder = adapter(tmp_path / "lora", {f"{LORA}A.weight": (4, 8)}, base=None)
        (folder / "adapter_model.safetensors").unlink()
        assert check_folder(folder).faults == (
            "adapter_config.json has no base_model_name_or_path",
            "adapter_model.safetensors is missing",
        )

    def test_in_place_of_a_model(self, tmp_path: Path) -> None:
        held = check_folder(adapter(tmp_path / "lora", {f"{LORA}A.weight": (4, 8)}))
        with pytest.raises(UsageError, match=r"it holds an adapter \(of 'Qwen/.*'\); write MODEL\+ADAPTER, expected"):
            held.demand("qwen2_vl")


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: name != "__metadata__")
shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
calm = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestSafetensors:
    @calm
    @given(held=st.dictionaries(names, shapes, min_size=1, max_size=6), dtype=st.sampled_from(["F32", "BF16", "I8"]))
    def test_what_was_written_is_read(self, held: dict[str, tuple[int, ...]], dtype: str, tmp_path: Path) -> None:
        file = tmp_path / "x.safetensors"
        file.write_bytes(safetensors(held, dtype))
        assert read_tensors(file) == {name: Tensor(shape, dtype) for name, shape in held.items()}

    @calm
    @given(cut=st.integers(0, 10_000), held=st.dictionaries(names, shapes, min_size=1, max_size=4))
    def test_no_part_of_a_file_passes_for_the_whole(
        self, cut: int, held: dict[str, tuple[int, ...]], tmp_path: Path
    ) -> None:
        content = safetensors(held)
        file = tmp_path / "x.safetensors"
        file.write_bytes(content[: cut % len(content)])
        with pytest.raises(UsageError, match=r"x\.safetensors"):
            read_tensors(file)

    @calm
    @given(data=st.data())
    def test_any_bytes_give_tensors_or_a_usage_error(self, data: st.DataObject, tmp_path: Path) -> None:
        content = bytearray(safetensors({"a": (2, 2), "b": (3,)}))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file = tmp_path / "x.safetensors"
        file.write_bytes(bytes(content))
        try:
            held = read_tensors(file)
        except UsageError:
            return
        assert sum(tensor.count * BITS[tensor.dtype] // 8 for tensor in held.values()) == 14

    @pytest.mark.parametrize(
        "header",
        [
            "[]", "{}", '{"__metadata__": {}}', '{"a": 1}',
            '{"a": {"dtype": "F99", "shape": [0], "data_offsets": [0, 0]}}',
            '{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}',
            '{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}',
            '{"a": {"dtype": "F32", "shape": 3, "data_offsets": [0, 12]}}',
            '{"a": {"dtype": ["F32"], "shape": [], "data_offsets": [0, 4]}}',
            '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
            "[" * 100_000,
        ],
    )  # fmt: skip
    def test_odd_headers(self, header: str, tmp_path: Path) -> None:
        file = tmp_path / "x.safetensors"
        file.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(8))
        with pytest.raises(UsageError):
            read_tensors(file)


@pytest.mark.torch
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("family", ["qwen2-vl", "qwen2.5-vl", "qwen3-vl"])
def test_what_transformers_writes_is_whole(family: str, tmp_path: Path) -> None:
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl
    from transformers import AutoModelForImageTextToText

    folder = make_qwen2vl(tmp_path / "tiny", family=family, size="tiny")
    report = check_folder(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert report.faults == () and report.types == {"float32": report.parameters}
    assert report.architecture == type(model).__name__ and report.kind == model.config.model_type
    assert report.parameters == sum(value.numel() for value in model.parameters())
