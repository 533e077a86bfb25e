"""Loading of Qwen-VL checkpoints and adapters: what is wrong is told in a line, and nothing is random in silence."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qwen2vl_checkpoints import (
    FAMILIES,
    asks,
    checkpoints,  # noqa: F401
    copied,
    local,
    made_talkative,
    make_adapter,
    one_thread,  # noqa: F401
    picture_of,
)
from surveyor.core.errors import MissingDependency, UsageError
from surveyor.tools.models.qwen2vl.engine import Engine
from surveyor.tools.models.qwen2vl.loading import DECLARATION, load
from surveyor.tools.models.qwen2vl.loading import FAMILIES as DIALECTS
from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings, checkpoint_and_settings
from surveyor.tools.models.spec import load_models

pytestmark = local
Folders = Callable[[str], Path]
PICTURE = picture_of(1, (112, 84))


@pytest.fixture
def model(checkpoints: Folders, tmp_path: Path) -> Path:  # noqa: F811
    """A checkpoint to damage."""
    return copied(checkpoints("qwen2-vl"), tmp_path / "model")


@pytest.fixture(scope="module")
def talkative(checkpoints: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A checkpoint whose greedy replies differ by image and question; not to be changed."""
    folder = copied(checkpoints("qwen2-vl"), tmp_path_factory.mktemp("talkative") / "model")
    made_talkative(engine_of(f"{folder}?device=cpu")).loaded.base.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapters(talkative: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("adapters")
    return tuple(make_adapter(place / name, talkative, seed=seed) for seed, name in enumerate("ab"))  # type: ignore[return-value]


def engine_of(argument: str) -> Engine:
    return Engine(*checkpoint_and_settings(argument))


def refused(folder: Path | str, tail: str = "?device=cpu") -> str:
    """What is said when it is loaded: one line that can be acted on."""
    with pytest.raises(UsageError) as caught:
        _ = engine_of(f"{folder}{tail}").loaded
    said = str(caught.value)
    assert "\n" not in said and len(said) < 1200
    return said


def edit_json(file: Path, change: Callable[[Any], Any]) -> None:
    data = json.loads(file.read_text("utf-8"))
    changed = change(data)
    file.write_text(json.dumps(data if changed is None else changed), "utf-8")


# ---- checkpoints that are not right


def test_nothing_there(tmp_path: Path) -> None:
    for name in (tmp_path / "none", f"{tmp_path}/none/at-all", "./no-such-folder"):
        with pytest.raises(UsageError, match="there is no checkpoint folder"):
            engine_of(str(name))
    assert "holds no config.json" in refused_at_once(tmp_path) or "no config.json" in refused_at_once(tmp_path)
    (tmp_path / "file.safetensors").write_bytes(b"x")
    with pytest.raises(UsageError, match="expected a folder"):
        engine_of(str(tmp_path / "file.safetensors"))


def refused_at_once(argument: object) -> str:
    """Without loading anything."""
    with pytest.raises(UsageError) as caught:
        engine_of(str(argument))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_architecture_is_told_before_anything_is_loaded(model: Path) -> None:
    edit_json(model / "config.json", lambda data: data.update(model_type="llama"))
    said = refused_at_once(model)
    assert "'llama' model" in said and "qwen2_vl" in said
    edit_json(model / "config.json", lambda data: data.pop("model_type") and None)
    assert "expected one of: qwen2_vl" in refused_at_once(model)
    (model / "config.json").write_text('{"model_type": "qwen2')
    assert "cannot be read" in refused_at_once(model)
    (model / "config.json").write_text("[1]")
    assert "cannot be read" in refused_at_once(model)
    assert "expected one of: qwen2_vl" not in refused(model, "?device=cpu&dialect=native"), "also with a dialect"


def shard(folder: Path) -> list[Path]:
    """The weights in two files with an index."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, held in parts.items():
        save_file({name: weights[name] for name in held}, folder / part, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: part for part, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return [folder / part for part in parts]


def test_half_downloaded(model: Path) -> None:
    parts = shard(model)
    assert engine_of(f"{model}?device=cpu").loaded.family == "qwen2-vl"
    parts[1].rename(model / "away")
    said = refused(model)
    assert "model-00002-of-00002.safetensors" in said and "missing" in said
    (model / "away").rename(parts[1])
    parts[1].write_bytes(parts[1].read_bytes()[:-1000])
    assert parts[1].name in refused(model)


def cut(file: Path, at: int) -> None:
    file.write_bytes(file.read_bytes()[:at])


def test_weights_damaged(model: Path) -> None:
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100], b"", b"\xff" * 64 + whole[64:], b"version https://git-lfs"):
        weights.write_bytes(damaged)
        assert "model.safetensors" in refused(model)
    weights.unlink()
    assert "model.safetensors" in refused(model) and "missing" in refused(model)


def without(folder: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    assert weights.pop(name) is not None
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.mlp.down_proj.weight",
        "model.norm.weight",
        "visual.blocks.0.attn.qkv.weight",
        "visual.merger.mlp.0.bias",
        "model.embed_tokens.weight",
    ],
)
def test_weights_that_are_missing_are_not_made_up(model: Path, name: str) -> None:
    from safetensors import safe_open

    with safe_open(model / "model.safetensors", "pt") as file:
        keys = list(file.keys())
    (key,) = [key for key in keys if key.replace("language_model.", "").replace("model.visual", "visual") == name]
    without(model, key)
    said = refused(model)
    assert "incomplete" in said or "hold" in said, said


def test_weights_of_another_shape(model: Path) -> None:
    edit_json(model / "config.json", lambda data: data["text_config"].update(intermediate_size=200))
    said = refused(model)
    assert "of another shape" in said and "down_proj" in said, said


def test_tokenizers_that_are_not_right(checkpoints: Folders, tmp_path: Path) -> None:  # noqa: F811
    def fresh(name: str) -> Path:
        return copied(checkpoints("qwen2-vl"), tmp_path / name)

    missing = fresh("missing")
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (missing / name).unlink()
    assert "tokenizer.json is missing" in refused(missing)
    damaged = fresh("damaged")
    cut(damaged / "tokenizer.json", 5000)
    assert "tokenizer.json is damaged" in refused(damaged)
    blind = fresh("blind")
    lacking = ("<|vision_start|>", "<|vision_end|>")

    def blinded(data: Any) -> None:
        data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in lacking]

    edit_json(blind / "tokenizer.json", blinded)
    assert "has no <|vision_start|>, <|vision_end|>" in refused(blind)
    other = fresh("other")
    edit_json(other / "config.json", lambda data: data.update(image_token_id=3))
    assert "of different models" in refused(other)


def test_templates_that_are_not_right(model: Path) -> None:
    template = json.loads((model / "chat_template.json").read_text())["chat_template"]
    edit_json(model / "tokenizer_config.json", lambda data: data.pop("chat_template") and None)
    assert engine_of(f"{model}?device=cpu").loaded.template == template, "older checkpoints have a file"
    (model / "chat_template.json").unlink()
    assert "chat_template" in refused(model)
    (model / "chat_template.jinja").write_text(template)
    assert engine_of(f"{model}?device=cpu").loaded.template == template
    (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    engine = engine_of(f"{model}?device=cpu")
    with pytest.raises(UsageError, match="chat template"):
        engine.ask([asks("?", PICTURE)])


def test_an_image_processor_that_is_not_right(model: Path) -> None:
    cut(model / "preprocessor_config.json", 40)
    assert "preprocessor_config.json is damaged" in refused(model)
    (model / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json is missing" in refused(model)


def test_devices_and_packages_that_are_not_there(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "there is no CUDA device here; use device=cpu" in refused(model, "?device=cuda:1")
    assert "is no device" in refused(model, "?device=banana")
    for package, setting in (("bitsandbytes", "quantize=4bit"), ("flash_attn", "attention=flash_attention_2")):
        if find_spec(package) is None:
            with pytest.raises(MissingDependency, match=f"{setting}.*pip install {package.replace('_', '-')}"):
                _ = engine_of(f"{model}?device=cpu&{setting}").loaded
    with pytest.raises(UsageError, match="dtype is 'int4'"):
        engine_of(f"{model}?dtype=int4")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_missing_packages_are_told_with_the_command(
    model: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:  # fmt: skip
    engine = engine_of(f"{model}?device=cpu")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=r'pip install "surveyor\[qwen\]"'):
        _ = engine.loaded


def test_no_room_for_the_weights(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    for error in (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), MemoryError()):

        def fail(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", fail)
        assert "not enough memory" in refused(model) and "quantize=4bit" in refused(model)


def test_a_hub_name_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    def fail(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'\nto load the files")

    monkeypatch.setattr(AutoConfig, "from_pretrained", fail)
    said = refused_at_once("some/model@main")
    assert "'some/model'" in said and "hub" in said


def test_a_failed_load_leaves_nothing_behind(model: Path) -> None:
    """The weights are copied again, and the same engine loads them; standard error is still the same."""
    before = sys.stderr
    engine = engine_of(f"{model}?device=cpu")
    whole = (model / "model.safetensors").read_bytes()
    cut(model / "model.safetensors", 1000)
    for _ in range(2):
        with pytest.raises(UsageError):
            _ = engine.loaded
    (model / "model.safetensors").write_bytes(whole)
    assert engine.loaded.family == "qwen2-vl" and sys.stderr is before


def test_loading_on_threads_leaves_standard_error_alone(checkpoints: Folders) -> None:  # noqa: F811
    before = sys.stderr
    arguments = [f"{checkpoints(family)}?device=cpu" for family in FAMILIES] * 2
    with ThreadPoolExecutor(6) as pool:
        families = [engine.loaded.family for engine in pool.map(loaded_engine, arguments)]
    assert families == [*FAMILIES] * 2 and sys.stderr is before


def loaded_engine(argument: str) -> Engine:
    engine = engine_of(argument)
    _ = engine.loaded
    return engine


# ---- dialects


@pytest.mark.parametrize("family", FAMILIES)
def test_dialects_are_declared(family: str, checkpoints: Folders, tmp_path: Path) -> None:  # noqa: F811
    folder = checkpoints(family)
    assert engine_of(str(folder)).tasks.name == family
    assert engine_of(f"{folder}?dialect=native").tasks.name == "native"
    declared = copied(folder, tmp_path / "declared")
    (declared / DECLARATION).write_text('{"dialect": "native"}')
    assert engine_of(str(declared)).tasks.name == "native"
    assert engine_of(f"{declared}?dialect=qwen3-vl").tasks.name == "qwen3-vl", "options go before"
    assert set(DIALECTS.values()) == set(FAMILIES)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"dialect": "klingon"}', '{"dialect": 3}', "\xff"])
def test_declarations_that_cannot_be_read(model: Path, text: str) -> None:
    (model / DECLARATION).write_text(text, "latin-1")
    said = refused_at_once(model)
    assert "dialect" in said
    assert engine_of(f"{model}?dialect=native").tasks.name == "native", "a way out"


# ---- adapters


def texts(engine: Engine, *tasks: str) -> list[str]:
    return [engine.ask([asks("What is it?", PICTURE, task=task)])[0].text for task in tasks]


def test_adapters_are_chosen_by_task(talkative: Path, adapters: tuple[Path, Path]) -> None:
    a, b = adapters
    base = engine_of(f"{talkative}?device=cpu")
    ((plain, same),) = [texts(base, "det", "vqa")]
    assert plain == same
    ((with_a, _), (with_b, _)) = (texts(engine_of(f"{talkative}+{each}?device=cpu"), "det", "vqa") for each in (a, b))
    assert len({plain, with_a, with_b}) == 3
    only = engine_of(f"{talkative}+det={a}?device=cpu")
    both = engine_of(f"{talkative}+det={a}+count={b}?device=cpu")
    rest = engine_of(f"{talkative}+{a}+vqa={b}?device=cpu")
    for _ in range(2):  # there and back; the image is in the cache the second time
        assert texts(only, "det", "vqa", "det", "count") == [with_a, plain, with_a, plain]
        assert texts(both, "det", "vqa", "count", "det") == [with_a, plain, with_b, with_a]
        assert texts(rest, "det", "vqa", "count") == [with_a, with_b, with_a]
    mixed = both.ask([asks("What is it?", PICTURE, task=task) for task in ("count", "det", "vqa", "det", "count")])
    assert [reply.text for reply in mixed] == [with_b, with_a, plain, with_a, with_b], "a batch for each, in order"
    assert (both._prefixes.misses, len(both._prefixes)) == (3, 3), "an image is read once with each adapter"


@pytest.mark.parametrize("targets", [("q_proj", "v_proj", "up_proj"), ("qkv", "fc1", "o_proj")], ids=["text", "vision"])
def test_merged_is_as_unmerged(talkative: Path, tmp_path: Path, targets: tuple[str, ...]) -> None:
    adapter = make_adapter(tmp_path / "adapter", talkative, targets=targets)
    apart, merged = (engine_of(f"{talkative}+{adapter}?device=cpu{tail}") for tail in ("", "&merge=true"))
    assert apart.loaded.adapters == {"": "all"} and merged.loaded.adapters == {}
    prompts = [asks("What is it?", PICTURE), asks("Why?", picture_of(2, (84, 140)), PICTURE), asks("Who?")]
    for one, other in zip(apart.ask(prompts), merged.ask(prompts), strict=True):
        assert one.text == other.text
        assert one.logprobs is not None and other.logprobs is not None
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=2e-3)
    assert texts(engine_of(f"{talkative}?device=cpu"), "vqa") != [apart.ask(prompts)[0].text]


def test_two_adapters_are_not_merged(talkative: Path, adapters: tuple[Path, Path]) -> None:
    a, b = adapters
    assert "takes one adapter" in refused(f"{talkative}+det={a}+vqa={b}", "?device=cpu&merge=true")


def test_an_adapter_of_one_task_is_not_merged_for_all(talkative: Path, adapters: tuple[Path, Path]) -> None:
    assert "for all tasks, +DIR" in refused(f"{talkative}+det={adapters[0]}", "?device=cpu&merge=true")


def rewritten(folder: Path, rename: Callable[[str], str]) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "adapter_model.safetensors"
    save_file({rename(name): weight for name, weight in load_file(file).items()}, file, {"format": "pt"})


def test_adapters_with_the_names_of_older_libraries(talkative: Path, tmp_path: Path) -> None:
    """transformers before 4.52 had the text layers in `model.layers` and the vision tower in `visual`."""
    adapter = make_adapter(tmp_path / "adapter", talkative, targets=("q_proj", "qkv"))
    expected = texts(engine_of(f"{talkative}+{adapter}?device=cpu"), "vqa")
    assert expected != texts(engine_of(f"{talkative}?device=cpu"), "vqa")
    old = copied(adapter, tmp_path / "old")
    rewritten(old, lambda name: name.replace("model.language_model.", "model.").replace("model.model.visual.", "model.visual."))  # fmt: skip  # noqa: E501
    assert (old / "adapter_model.safetensors").read_bytes() != (adapter / "adapter_model.safetensors").read_bytes()
    assert texts(engine_of(f"{talkative}+{old}?device=cpu"), "vqa") == expected
    assert texts(engine_of(f"{talkative}+det={adapter}+vqa={old}?device=cpu"), "vqa") == expected


def test_adapters_that_are_not_right(talkative: Path, adapters: tuple[Path, Path], tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        return copied(adapters[0], tmp_path / name)

    bare = fresh("bare")
    (bare / "adapter_config.json").unlink()
    assert "adapter" in refused(f"{talkative}+{bare}") and str(bare) in refused(f"{talkative}+{bare}")
    empty = fresh("empty")
    (empty / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors is missing" in refused(f"{talkative}+{empty}")
    damaged = fresh("damaged")
    cut(damaged / "adapter_model.safetensors", 2000)
    assert "adapter_model.safetensors" in refused(f"{talkative}+{damaged}")
    garbled = fresh("garbled")
    cut(garbled / "adapter_config.json", 30)
    assert "adapter_config.json is damaged" in refused(f"{talkative}+{garbled}")
    with pytest.raises(UsageError, match="there is no adapter folder"):
        engine_of(f"{talkative}+{tmp_path}/none")
    elsewhere = fresh("elsewhere")
    rewritten(elsewhere, lambda name: name.replace("layers.0.", "layers.40."))
    assert "made for another model" in refused(f"{talkative}+{elsewhere}")
    half = fresh("half")
    (name,) = [n for n in tensor_names(half) if "layers.2" in n and "down_proj.lora_B" in n]
    rewritten_without(half, name)
    assert "made for another model" in refused(f"{talkative}+{half}")
    edit_json(half / "adapter_config.json", lambda data: data.update(peft_type="NO_SUCH"))
    assert "adapter" in refused(f"{talkative}+{half}")


def tensor_names(folder: Path) -> list[str]:
    data = (folder / "adapter_model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return [name for name in json.loads(data[8 : 8 + length]) if name != "__metadata__"]


def rewritten_without(folder: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    del weights[name]
    save_file(weights, file, {"format": "pt"})


def test_an_adapter_of_another_base(checkpoints: Folders, adapters: tuple[Path, Path], tmp_path: Path) -> None:  # noqa: F811
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    larger = make_qwen2vl(tmp_path / "small", size="small")  # twice as wide, twice as deep
    said = refused(f"{larger}+{adapters[0]}")
    assert "made for another model" in said and str(adapters[0]) in said
    shallow = copied(checkpoints("qwen2-vl"), tmp_path / "shallow")
    other = make_adapter(tmp_path / "other", larger)
    assert "made for another model" in refused(f"{shallow}+{other}")


def test_adapters_that_disagree_about_the_dialect(talkative: Path, adapters: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = (copied(each, tmp_path / name) for each, name in zip(adapters, "ab", strict=True))
    (a / DECLARATION).write_text('{"dialect": "native"}')
    assert engine_of(f"{talkative}+{a}").tasks.name == "native", "an adapter's declaration goes before the family"
    said = refused_at_once(f"{talkative}+det={a}+vqa={b}")
    assert "native" in said and "not declared" in said and "?dialect=native" in said
    assert engine_of(f"{talkative}+det={a}+vqa={b}?dialect=native").tasks.name == "native"
    (b / DECLARATION).write_text('{"dialect": "native"}')
    assert engine_of(f"{talkative}+det={a}+vqa={b}").tasks.name == "native"


def test_the_version_follows_the_adapter(talkative: Path, adapters: tuple[Path, Path], tmp_path: Path) -> None:
    own = copied(adapters[0], tmp_path / "own")
    versions = [engine_of(f"{talkative}{tail}").version for tail in ("", f"+{own}", f"+det={own}", f"+{adapters[1]}")]
    shutil.copy(adapters[1] / "adapter_model.safetensors", own)
    versions.append(engine_of(f"{talkative}+{own}").version)
    assert len(set(versions)) == 5


# ---- less memory


def next_token(engine: Engine) -> np.ndarray:
    """(vocabulary,) log-probabilities of the first token of a reply."""
    import torch

    ids, inputs = engine.encoded(asks("What is it?", PICTURE))
    tokens = torch.tensor([ids])
    base = engine.loaded.base
    with torch.inference_mode():
        out = base(tokens, mm_token_type_ids=(tokens == base.config.image_token_id).int(), **inputs)
    return np.asarray(torch.log_softmax(out.logits[0, -1].float(), -1))


@pytest.mark.parametrize("merge", ["", "&merge=true"])
def test_int8_on_the_cpu_computes_about_the_same(
    talkative: Path, adapters: tuple[Path, Path], merge: str
) -> None:  # fmt: skip
    """With an adapter, too, which stays as it is."""
    whole, small = (
        [next_token(engine_of(f"{talkative}{adapter}?device=cpu{tail}")) for adapter in ("", f"+{adapters[0]}")]
        for tail in (merge, f"{merge}&quantize=int8")
    )
    apart = np.corrcoef(whole[0], whole[1])[0, 1]
    for one, other in zip(whole, small, strict=True):
        assert not np.allclose(one, other, atol=1e-3), "nothing was quantised"
        assert np.corrcoef(one, other)[0, 1] > max(0.9, apart + 0.1)


def test_int8_on_the_cpu_takes_no_other_numbers(model: Path) -> None:
    assert "leave dtype out" in refused(model, "?device=cpu&quantize=int8&dtype=bfloat16")


def test_int8_on_the_cpu_of_a_machine_with_a_gpu(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loaded = load(Checkpoint(str(model)), Settings(device="cpu", quantize="int8"))
    assert any("quantized" in type(module).__module__ for module in loaded.model.modules())


def test_layers_spread_by_accelerate(talkative: Path) -> None:
    if find_spec("accelerate") is None:
        pytest.skip("not installed: accelerate")
    expected = texts(engine_of(f"{talkative}?device=cpu"), "vqa")
    assert texts(engine_of(f"{talkative}?device=cpu&device_map=auto"), "vqa") == expected


# ---- the door


@pytest.mark.parametrize("role", ["grounder", "describer", "change"])
def test_specs_name_every_role(model: Path, role: str) -> None:
    made = getattr(load_models(f"{role}=qwen2vl:{model}?device=cpu"), role)
    assert made.name == f"qwen2vl:{model}" and made.answerer._loaded is None, "weights load on first use"
    with pytest.raises(UsageError, match="lacks its"):
        load_models(f"{role}=qwen2vl")
    with pytest.raises(UsageError, match="has no setting 'colour'"):
        load_models(f"{role}=qwen2vl:{model}?colour=red")


def test_one_spec_shares_weights_between_roles(model: Path) -> None:
    models = load_models(f"grounder=qwen2vl:{model}?device=cpu,describer=qwen2vl:{model}?device=cpu")
    assert models.grounder.answerer is models.describer.answerer  # type: ignore[attr-defined, union-attr]


def test_adapter_of_another_family_is_refused_even_where_shapes_fit(
    checkpoints: Callable[[str], Path],  # noqa: F811
    tmp_path: Path,
) -> None:
    from surveyor.tools.models.qwen2vl.loading import _check_family

    config = tmp_path / "adapter_config.json"
    for named in (str(checkpoints("qwen2-vl")), "Qwen/Qwen2-VL-7B-Instruct"):
        config.write_text(json.dumps({"base_model_name_or_path": named}))
        _check_family(str(tmp_path), "base", "qwen2_vl")
        with pytest.raises(UsageError, match="a qwen2_vl model, and 'base' is a qwen3_vl one"):
            _check_family(str(tmp_path), "base", "qwen3_vl")
    config.write_text(json.dumps({"base_model_name_or_path": "somebody/model"}))
    _check_family(str(tmp_path), "base", "qwen3_vl")


def test_weights_that_are_not_numbers_are_told(checkpoints: Callable[[str], Path]) -> None:  # noqa: F811
    import torch
    from qwen2vl_checkpoints import asks, picture_of
    from surveyor.tools.models.qwen2vl.engine import Engine
    from surveyor.tools.models.qwen2vl.loading import load
    from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings

    engine = Engine(Checkpoint(str(checkpoints("qwen2-vl"))), Settings(device="cpu"))
    engine._loaded = load(engine.checkpoint, engine.settings)
    with torch.no_grad():
        engine.loaded.base.model.language_model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")
    with pytest.raises(UsageError, match="not finite: its weights are damaged"):
        engine.ask([asks("What is it?", picture_of(1, (56, 56)))])


def test_declaration_of_an_unknown_dialect_names_the_file(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:  # noqa: F811
    from surveyor.tools.models.qwen2vl.loading import declared_dialect
    from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings

    folder = shutil.copytree(checkpoints("qwen2-vl"), tmp_path / "copy")
    (folder / "surveyor.json").write_text('{"dialect": "nativ"}')
    with pytest.raises(UsageError, match=r"surveyor.json' declares what is not known: unknown dialect 'nativ'"):
        declared_dialect(Checkpoint(str(folder)), Settings())
