"""Loading a Qwen vision-language checkpoint with its tokenizer, image settings and adapters.

The image processor and the tokenizer are loaded on their own: `AutoProcessor` would also load a video processor, which
needs torchvision.
"""

from __future__ import annotations

import io
import json
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ....core.codec import dialect
from ....core.errors import MissingDependency, SurveyorError, UsageError
from ..folder import ADAPTER, QWEN_VL, check_adapter, check_folder
from .settings import COMMAND, Checkpoint, Settings

FAMILIES = {
    "qwen2_vl": "qwen2-vl",
    "qwen2_5_vl": "qwen2.5-vl",
    "qwen3_vl": "qwen3-vl",
    "qwen3_vl_moe": "qwen3-vl",
}
"""model_type of config.json -> the dialect that the stock checkpoints of the family write."""
DECLARATION = "surveyor.json"
"""Beside weights or an adapter trained on this project's format: {"dialect": "native"}."""
_RENAMED = {r"^visual\.": "model.visual.", r"^model\.(?!language_model\.|visual\.)": "model.language_model."}
"""Layers as adapters made before transformers 4.52 name them -> their names now."""
_quiet = threading.RLock()  # what _quietly changes belongs to the process
_NEEDED = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A checkpoint in memory.

    Attributes:
        model: the transformers (or peft) model, in evaluation mode.
        tokenizer: the fast tokenizer.
        images: the image processor (PIL, no torchvision).
        template: the chat template's text.
        family: as in `FAMILIES`.
        adapters: task -> name of the adapter in the peft model; "" for all other tasks.
        lock: held while the model answers: which adapter is active is a state of the model.
    """

    model: Any
    tokenizer: Any
    images: Any
    template: str
    family: str
    adapters: dict[str, str]
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def base(self) -> Any:
        """The transformers model below the adapters."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model


def declared_dialect(checkpoint: Checkpoint, settings: Settings) -> str:
    """How the checkpoint writes coordinates: by the settings, else its declaration, else its family.

    Raises:
        UsageError: the settings, an adapter and the weights declare different ones, or nothing is declared.
    """
    if settings.dialect:
        return settings.dialect
    folders = [*checkpoint.adapters.values(), checkpoint.source]
    declared = {folder: said for folder in folders if (said := _declaration(Path(folder)))}
    adapters = {declared.get(folder, "") for folder in checkpoint.adapters.values()}
    if len(adapters) > 1:
        raise UsageError(
            f"the adapters {', '.join(checkpoint.adapters.values())} write coordinates in different ways "
            f"({', '.join(sorted(name or 'not declared' for name in adapters))}); say which: ?dialect=native"
        )
    if declared:
        return next(iter(declared.values()))
    return FAMILIES[_model_type(checkpoint)]


_shared: WeakValueDictionary[tuple[object, ...], Loaded] = WeakValueDictionary()
_sharing = threading.RLock()


def load_shared(checkpoint: Checkpoint, settings: Settings) -> Loaded:
    """As `load`; those who ask for the same files in the same form get one model, while somebody uses it."""
    key = (checkpoint.stamp, *settings.loading)
    with _sharing:
        found = _shared.get(key)
        if found is None:
            found = _shared[key] = load(checkpoint, settings)
        return found


def load(checkpoint: Checkpoint, settings: Settings) -> Loaded:
    """The checkpoint in memory.

    Raises:
        MissingDependency: a package is missing.
        UsageError: no such checkpoint, a damaged or incomplete one, another architecture, a tokenizer without the
            vision tokens, an adapter for another model, no such device, or no room for it there.
    """
    _check_folders(checkpoint)
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
    except ImportError:
        raise MissingDependency("a Qwen2-VL model", COMMAND) from None
    family = FAMILIES[_model_type(checkpoint)]
    where = {"revision": checkpoint.revision} if checkpoint.revision else {}
    how = _how(settings, torch)
    name = checkpoint.source
    with _explained(f"the checkpoint {name!r} cannot be loaded"), _quietly():
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
        images = AutoImageProcessor.from_pretrained(name, backend="pil", **where)
        model, told = AutoModelForImageTextToText.from_pretrained(
            name, output_loading_info=True, ignore_mismatched_sizes=True, **where, **how
        )  # weights that do not fit are told below, by name
    _check_complete(name, told, tokenizer)
    model.eval()
    adapters: dict[str, str] = {}
    if checkpoint.adapters:
        model, adapters = _with_adapters(model, checkpoint, settings)
    if settings.quantize == "int8" and "quantization_config" not in how:
        _int8_on_cpu(model, torch)
    return Loaded(model, tokenizer, images, chat_template(name, tokenizer, where), family, adapters)


def _check_folders(checkpoint: Checkpoint) -> None:
    """Raises UsageError for what can be told from the files alone: all faults at once, before minutes of loading."""
    base = check_folder(checkpoint.source).demand(*QWEN_VL) if Path(checkpoint.source).is_dir() else None
    for folder in checkpoint.adapters.values():
        adapter = check_folder(folder).demand(ADAPTER)
        if base is not None:
            check_adapter(adapter, base)


def _model_type(checkpoint: Checkpoint) -> str:
    place = Path(checkpoint.source)
    if place.is_dir():
        path = place / "config.json"
        if not path.is_file():
            raise UsageError(f"{checkpoint.source!r} is no checkpoint: it has no config.json")
        try:
            kind = json.loads(path.read_text("utf-8")).get("model_type")
        except (ValueError, AttributeError, OSError) as error:
            raise UsageError(f"{str(path)!r} cannot be read ({error}); copy it again") from None
    else:
        try:
            from transformers import AutoConfig
        except ImportError:
            raise MissingDependency("a Qwen2-VL model", COMMAND) from None
        with (
            _explained(f"there is no checkpoint {checkpoint.source!r} here, nor can it be had from the hub"),
            _quietly(),
        ):
            kind = AutoConfig.from_pretrained(checkpoint.source, revision=checkpoint.revision).model_type
    if kind not in FAMILIES:
        raise UsageError(f"{checkpoint.source!r} is a {kind!r} model; expected one of: {', '.join(FAMILIES)}")
    return str(kind)


def _declaration(folder: Path) -> str:
    path = folder / DECLARATION
    if not path.is_file():
        return ""
    try:
        name = str(json.loads(path.read_text("utf-8"))["dialect"])
    except (ValueError, KeyError, TypeError, OSError):
        raise UsageError(f"{str(path)!r} cannot be read; expected {{'dialect': NAME}}") from None
    try:
        dialect(name)
    except UsageError as error:
        raise UsageError(f"{str(path)!r} declares what is not known: {error}") from None
    return name


def _how(settings: Settings, torch: Any) -> dict[str, Any]:
    """Arguments of from_pretrained for device, number type, attention and quantisation."""
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device={device}: there is no CUDA device here; use device=cpu")
    try:
        torch.device(device)
    except RuntimeError:
        raise UsageError(f"device={device!r} is no device; expected cpu, cuda or cuda:1") from None
    dtype = settings.dtype
    if settings.quantize == "int8" and device == "cpu" and dtype not in ("auto", "float32"):
        raise UsageError(f"quantize=int8 on the CPU computes in float32, not in {dtype}; leave dtype out")
    if dtype == "auto":
        has_bf16 = device.startswith("cuda") and torch.cuda.is_bf16_supported()
        dtype = "bfloat16" if has_bf16 else "float16" if device.startswith("cuda") else "float32"
    how: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if settings.attention == "flash_attention_2" and find_spec("flash_attn") is None:
        raise MissingDependency("attention=flash_attention_2", "pip install flash-attn")
    if settings.attention != "auto":
        how["attn_implementation"] = settings.attention
    if settings.device_map:
        how["device_map"] = settings.device_map
    elif device != "cpu":
        how["device_map"] = {"": device}
    on_gpu = device != "cpu"
    if settings.quantize == "4bit" or (settings.quantize == "int8" and on_gpu):
        how["quantization_config"] = _bitsandbytes(settings.quantize, how["dtype"])
    return how


def _bitsandbytes(kind: str, dtype: Any) -> Any:
    if find_spec("bitsandbytes") is None:
        raise MissingDependency(f"quantize={kind}", "pip install bitsandbytes")
    from transformers import BitsAndBytesConfig

    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, bnb_4bit_use_double_quant=True
    )


def _int8_on_cpu(model: Any, torch: Any) -> None:
    """Linear layers of the language model in int8 (dynamic quantisation); the vision tower and adapters stay."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    language = base.model.language_model
    names = {
        name for name, module in language.named_modules() if isinstance(module, torch.nn.Linear) and "lora_" not in name
    }
    with _quietly():
        torch.ao.quantization.quantize_dynamic(language, names, dtype=torch.qint8, inplace=True)


def _with_adapters(model: Any, checkpoint: Checkpoint, settings: Settings) -> tuple[Any, dict[str, str]]:
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingDependency("an adapter", COMMAND) from None
    if settings.merge and list(checkpoint.adapters) != [""]:
        raise UsageError(
            "merge=true takes one adapter for all tasks, +DIR; those of single tasks, +TASK=DIR, are switched and "
            "cannot be merged"
        )
    names: dict[str, str] = {}
    for task, folder in checkpoint.adapters.items():
        name = task or "all"
        _check_family(folder, checkpoint.source, model.config.model_type)
        with _explained(f"the adapter {folder!r} does not fit {checkpoint.source!r}"), _quietly():
            if names:
                model.load_adapter(folder, adapter_name=name, key_mapping=_RENAMED)
            else:
                model = PeftModel.from_pretrained(model, folder, adapter_name=name, key_mapping=_RENAMED)
        _check_adapter(folder, model, name)
        names[task] = name
    if settings.merge:
        with _quietly():
            return model.merge_and_unload().eval(), {}
    return model.eval(), names


def _check_family(folder: str, base: str, family: str) -> None:
    """Raises UsageError where the adapter's own base is here and of another family: shapes alone may fit."""
    named = _json_of(Path(folder) / "adapter_config.json").get("base_model_name_or_path")
    kind = _json_of(Path(str(named)) / "config.json").get("model_type")
    kind = kind or next((kind for kind, mark in FAMILIES.items() if mark in str(named).lower()), None)
    if kind is not None and kind.removesuffix("_moe") != family.removesuffix("_moe"):
        raise UsageError(
            f"the adapter {folder!r} was made for another model: its adapter_config.json names {named!r}, a {kind} "
            f"model, and {base!r} is a {family} one; give the base model that it names"
        )


def _json_of(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is none (whoever needs it says so)."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _check_adapter(folder: str, model: Any, name: str) -> None:
    """Raises UsageError where the adapter's weights went nowhere, or part of them is missing."""
    from safetensors import safe_open

    path = Path(folder) / "adapter_model.safetensors"
    if not path.is_file():
        return
    with safe_open(str(path), framework="pt") as file:
        saved = {_name_now(key) for key in file.keys()}  # noqa: SIM118  (it is no dict)
    placed = {key.replace(f".{name}.", ".").replace(f".{name}", "") for key in model.state_dict() if f".{name}" in key}
    lost, empty = saved - placed, placed - saved
    if lost or empty:
        what = f"{sorted(lost or empty)[0]!r} {'has no place here' if lost else 'is missing'}"
        raise UsageError(
            f"the adapter {folder!r} was made for another model: {what}; give the base model that its "
            "adapter_config.json names"
        )


def _name_now(key: str) -> str:
    bare = key.removeprefix("base_model.model.")
    for old, new in _RENAMED.items():
        bare, count = re.subn(old, new, bare)
        if count:
            break
    return f"base_model.model.{bare}"


def _check_complete(name: str, told: dict[str, Any], tokenizer: Any) -> None:
    missing = sorted(told.get("missing_keys") or ())
    mismatched = sorted(key[0] if isinstance(key, tuple) else key for key in told.get("mismatched_keys") or ())
    if missing or mismatched:
        what = (missing or mismatched)[0]
        raise UsageError(
            f"the checkpoint {name!r} is incomplete: {len(missing) + len(mismatched)} weights are missing or of "
            f"another shape, such as {what!r}; copy it again"
        )
    known = tokenizer.get_vocab()
    lacking = [token for token in _NEEDED if token not in known]
    if lacking:
        raise UsageError(
            f"the tokenizer of {name!r} has no {', '.join(lacking)}: it is not that of a Qwen vision-language model"
        )


def chat_template(name: str, tokenizer: Any, where: dict[str, Any]) -> str:
    """The chat template of a checkpoint, which older ones keep in a file of the processor.

    Args:
        name: folder or hub name.
        tokenizer: of it; its own template is taken where that knows of images.
        where: {"revision": ...}, or nothing.

    Raises:
        UsageError: there is none for images.
    """
    if isinstance(tokenizer.chat_template, str) and "image" in tokenizer.chat_template:
        return tokenizer.chat_template
    from transformers.utils import cached_file

    for file in ("chat_template.jinja", "chat_template.json"):
        path = cached_file(name, file, _raise_exceptions_for_missing_entries=False, **where)
        if path is not None:
            text = Path(path).read_text("utf-8")
            return str(json.loads(text)["chat_template"]) if file.endswith(".json") else text
    raise UsageError(f"{name!r} has no chat template for images; copy chat_template.jinja or chat_template.json too")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Errors of the libraries, which all mean that the files are not right, in one line."""
    try:
        yield
    except SurveyorError:
        raise
    except ImportError as error:
        raise MissingDependency(f"{what}: {_first_line(error)}; it", COMMAND) from None
    except Exception as error:  # OSError, ValueError, RuntimeError, KeyError, SafetensorError, JSONDecodeError ...
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            raise UsageError(
                f"{what}: there is not enough memory ({_first_line(error)}); try dtype=bfloat16, quantize=4bit, "
                "device_map=auto over several GPUs, or device=cpu"
            ) from error
        raise UsageError(f"{what}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}" if text else type(error).__name__


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' progress bars and warnings to each other."""
    from transformers.utils import logging

    with _quiet, warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        before = logging.get_verbosity()
        logging.set_verbosity_error()
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.set_verbosity(before)
