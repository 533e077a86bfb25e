"""What a checkpoint's folder holds and what is wrong with it, in a second and without torch.

Loading a half-copied model fails after minutes, with a message about tensors. `check_folder` reads the small files and
the headers of the weights, and tells everything that is wrong at once.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .safetensors_file import Tensor, is_lfs_pointer, numbers_by_type, read_tensors

QWEN_VL = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
"""Values of `model_type` in config.json."""
SAM2 = ("sam2", "sam2_video")
ADAPTER = "adapter"
SAM2_NATIVE = "sam2-native"
"""A .pt file of the `sam2` package; its config is named apart."""
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"model-(\d{5})-of-(\d{5})\.safetensors")
_LAYER = re.compile(r"(?<![a-z_])(layers|blocks)\.(\d+)\.(.+)")
_SHOWN = 5


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found.

    Attributes:
        path: the folder, or the file of a native SAM-2 checkpoint.
        kind: `model_type` of config.json ("qwen2_vl"), "adapter", "sam2-native", or "" when it cannot be told.
        architecture: class name in config.json; "" when it names none.
        weights: name -> bytes of each file of weights.
        tensors: name -> shape and type, from the headers; empty where they cannot be read without torch.
        faults: each thing that keeps it from loading, in words; empty when all is well.
        base: for an adapter, the name of the model that it was trained on.
    """

    path: Path
    kind: str
    architecture: str = ""
    weights: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    base: str | None = None

    @property
    def size_bytes(self) -> int:
        """Of all weights."""
        return sum(self.weights.values())

    @property
    def parameters(self) -> int | None:
        """How many numbers the weights hold, tied ones once; None where the headers cannot be read."""
        return sum(tensor.count for tensor in self.tensors.values()) or None

    @property
    def types(self) -> dict[str, int]:
        """Type ("bfloat16") -> how many of the numbers are of it."""
        return numbers_by_type(self.tensors.values())

    def demand(self, *kinds: str) -> FolderReport:
        """The report itself, if nothing is wrong.

        Args:
            kinds: what it may be; any kind when left out.

        Raises:
            UsageError: all faults, or that it is another kind of model.
        """
        wrong = list(self.faults)
        if kinds and self.kind and self.kind not in kinds:
            wrong.insert(0, f"it holds {_called(self)}, expected {' or '.join(kinds)}")
        if wrong:
            raise UsageError(f"{str(self.path)!r} cannot be loaded: {'; '.join(wrong)}")
        return self


def check_folder(path: str | Path) -> FolderReport:
    """What a checkpoint's folder (or a .pt file of SAM-2) holds, and all that is wrong with it.

    Nothing is loaded; the time is that of reading config.json, tokenizer.json and the headers of the weights.

    Args:
        path: folder in hub layout, a peft adapter's folder, or a .pt file.

    Raises:
        UsageError: there is no such folder or file, or nothing in it is a model's.

    Example:
        >>> check_folder("nowhere/at-all")
        Traceback (most recent call last):
        surveyor.core.errors.UsageError: there is no checkpoint at 'nowhere/at-all'; expected a folder with config.json
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UsageError(f"there is no checkpoint at {str(path)!r}; expected a folder with config.json{_nearby(path)}")
    if path.is_file():
        return _check_file(path)
    faults: list[str] = []
    if (path / "adapter_config.json").exists() and not (path / "config.json").exists():
        return _check_adapter_folder(path, faults)
    if not (path / "config.json").exists():
        natives = sorted(path.glob("*.pt"))
        if len(natives) == 1:
            return _check_file(natives[0])
        raise UsageError(f"{str(path)!r} holds no config.json, so it is no checkpoint's folder{_instead(path)}")
    config = _read_json(path / "config.json", faults)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if isinstance(config, dict) and not isinstance(kind, str):
        faults.append("config.json names no model_type")
    config = config if isinstance(config, dict) else {}
    kind = kind if isinstance(kind, str) else ""
    weights, tensors = _check_weights(path, faults)
    if kind in QWEN_VL:
        whole = not faults  # or the same fault would be told twice
        faults += [*_qwen_faults(path, config), *(_fit_faults(config, tensors) if whole else ())]
    elif kind in SAM2:
        faults += _processor_faults(path)
    faults += _interrupted(path) if faults else []
    names = config.get("architectures")
    architecture = str(names[0]) if isinstance(names, list) and names else ""
    return FolderReport(path, kind, architecture, weights, tensors, tuple(dict.fromkeys(faults)))


def check_adapter(adapter: FolderReport, base: FolderReport) -> None:
    """Nothing, if the adapter's matrices fit the model's.

    Compared by the names that follow "layers." or "blocks.", as what stands before them differs between versions of
    transformers.

    Raises:
        UsageError: the adapter was made for another model, or there is nothing in it that the model has.
    """
    rows = {_key(name): tensor.shape for name, tensor in base.tensors.items() if len(tensor.shape) == 2}
    misfits: list[str] = []
    fitting = 0
    for name, tensor in adapter.tensors.items():
        side = re.search(r"\.lora_([AB])(\.\w+)?\.weight$", name)
        if side is None or len(tensor.shape) != 2:
            continue
        key = _key(f"{name[: side.start()]}.weight")
        mine, theirs = tensor.shape[1 if side[1] == "A" else 0], rows.get(key)
        if theirs is not None and theirs[1 if side[1] == "A" else 0] == mine:
            fitting += 1
        elif theirs is not None or _LAYER.search(key):
            there = "has no such layer" if theirs is None else f"has {list(theirs)} there"
            misfits.append(f"{name} is {list(tensor.shape)}, the model {there}")
    if misfits or not fitting:
        what = _listed(misfits) if misfits else "no matrix of it belongs to a layer of the model"
        raise UsageError(
            f"the adapter {str(adapter.path)!r} was made for another model ({adapter.base or 'it does not say which'}) "
            f"than {str(base.path)!r}: {what}"
        )


# ---- kinds of folders
def _check_file(path: Path) -> FolderReport:
    settings = ("config.json", "adapter_config.json")
    if any((path.parent / name).exists() for name in settings) and path.suffix not in {".pt", ".pth", ".gguf"}:
        raise UsageError(f"{str(path)!r} is a file; expected the folder that it is in, {str(path.parent)!r}")
    if path.suffix not in {".pt", ".pth"}:
        raise UsageError(f"{str(path)!r} is a file; expected the folder of a checkpoint, or a .pt file of SAM-2")
    size, faults = path.stat().st_size, []
    if is_lfs_pointer(path):
        faults.append(f"{path.name} is a Git LFS pointer of {size} bytes, not the file; run: git lfs pull")
    elif not zipfile.is_zipfile(path):
        faults.append(f"{path.name} is cut off or no checkpoint of PyTorch ({size:,} bytes)")
    return FolderReport(path, SAM2_NATIVE, weights={path.name: size}, faults=tuple(faults))


def _check_adapter_folder(path: Path, faults: list[str]) -> FolderReport:
    config = _read_json(path / "adapter_config.json", faults)
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if isinstance(config, dict) and not isinstance(base, str):
        faults.append("adapter_config.json has no base_model_name_or_path")
    file = path / "adapter_model.safetensors"
    weights: dict[str, int] = {}
    tensors: dict[str, Tensor] = {}
    if file.exists():
        weights[file.name] = file.stat().st_size
        tensors = _tensors_of(file, faults)
    else:
        faults.append("adapter_model.safetensors is missing")
    return FolderReport(path, ADAPTER, "", weights, tensors, tuple(faults), base if isinstance(base, str) else None)


# ---- weights
def _check_weights(path: Path, faults: list[str]) -> tuple[dict[str, int], dict[str, Tensor]]:
    files = {file.name: file for file in sorted(path.glob("*.safetensors")) if file.name != "adapter_model.safetensors"}
    listed = _listed_shards(path, files, faults)
    if not files and not listed:
        faults.append(_no_weights(path))
    missing = [name for name in listed if name not in files]
    if missing:
        faults.append(f"{len(missing)} of {len(listed)} files of weights are missing: {_listed(missing)}")
    tensors: dict[str, Tensor] = {}
    weights: dict[str, int] = {}
    for name, file in files.items():
        if listed and name not in listed:
            continue  # transformers reads what the index lists
        weights[name] = file.stat().st_size
        held = _tensors_of(file, faults)
        absent = [tensor for tensor, shard in listed.get(name, {}).items() if shard == name and tensor not in held]
        if held and absent:
            faults.append(f"{name} is not the file that the index describes: it lacks {_listed(absent)}")
        tensors |= held
    return weights, tensors


def _listed_shards(path: Path, files: Collection[str], faults: list[str]) -> dict[str, dict[str, str]]:
    """File -> {tensor: file} as the index tells; {} for a single file of weights."""
    if "model.safetensors" in files:
        return {}
    if not (path / INDEX).exists():
        shards = {match[1]: match for match in map(_SHARD.fullmatch, files) if match}
        if not shards:
            return {}
        faults.append(f"{INDEX} is missing")
        total = max(int(match[2]) for match in shards.values())
        return {f"model-{n:05d}-of-{total:05d}.safetensors": {} for n in range(1, total + 1)}
    index = _read_json(path / INDEX, faults)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        if index is not None:
            faults.append(f"{INDEX} has no weight_map")
        return {}
    listed: dict[str, dict[str, str]] = {}
    for tensor, name in places.items():
        listed.setdefault(name, {})[tensor] = name
    return dict(sorted(listed.items()))


def _tensors_of(file: Path, faults: list[str]) -> dict[str, Tensor]:
    try:
        return read_tensors(file)
    except UsageError as error:
        faults.append(str(error))
    except OSError as error:
        faults.append(f"{file.name} cannot be read: {error.strerror or error}")
    return {}


def _no_weights(path: Path) -> str:
    others = sorted(file.name for end in ("*.bin", "*.pt", "*.pth", "*.gguf") for file in path.glob(end))
    if others:
        return f"there are no safetensors files, only {_listed(others)}; take the model's safetensors files"
    return "model.safetensors is missing (or its parts model-0000X-of-0000N.safetensors)"


def _interrupted(path: Path) -> list[str]:
    """What a killed download of huggingface_hub leaves in a folder, beside files that are whole after a second one."""
    left = sorted((path / ".cache" / "huggingface" / "download").glob("**/*.incomplete"))
    return [f"a download was interrupted here ({len(left)} unfinished); run the same pull again"] if left else []


# ---- Qwen-VL
def _qwen_faults(path: Path, config: dict[str, Any]) -> list[str]:
    faults: list[str] = _processor_faults(path)
    known = _known_tokens(path, faults)
    settings = _read_json(path / "tokenizer_config.json", faults) if (path / "tokenizer_config.json").exists() else {}
    templates = ("chat_template.jinja", "chat_template.json")
    told = isinstance(settings, dict) and bool(settings.get("chat_template"))
    if not told and not any((path / name).exists() for name in templates):
        faults.append("there is no chat_template.jinja or chat_template.json")
    if known is None:
        return faults
    lacking = [token for token in VISION_TOKENS if token not in known]
    if lacking:
        faults.append(f"the tokenizer has no {', '.join(lacking)}: it is that of a text model")
        return faults
    for key, token in (("image_token_id", "<|image_pad|>"), ("vision_start_token_id", "<|vision_start|>")):
        if config.get(key) is not None and config[key] != known[token]:
            faults.append(
                f"{token} has the id {known[token]} in the tokenizer, {config[key]} in config.json ({key}): "
                "they are of different models"
            )
    return faults


def _processor_faults(path: Path) -> list[str]:
    faults: list[str] = []
    names = [name for name in ("preprocessor_config.json", "processor_config.json") if (path / name).exists()]
    for name in names:
        _read_json(path / name, faults)
    return faults if names else ["preprocessor_config.json is missing"]


def _known_tokens(path: Path, faults: list[str]) -> dict[str, int] | None:
    """Added token -> id; None where the tokenizer cannot be read, which is a fault of its own."""
    if (path / "tokenizer.json").exists():
        content = _read_json(path / "tokenizer.json", faults)
        entries = content.get("added_tokens") if isinstance(content, dict) else None
    elif all((path / name).exists() for name in ("vocab.json", "merges.txt", "tokenizer_config.json")):
        content = _read_json(path / "tokenizer_config.json", faults)
        decoder = content.get("added_tokens_decoder") if isinstance(content, dict) else None
        entries = [{"id": id, **entry} for id, entry in decoder.items()] if isinstance(decoder, dict) else None
    else:
        faults.append("tokenizer.json is missing")
        return None
    if content is None:
        return None
    try:
        return {str(entry["content"]): int(entry["id"]) for entry in entries or ()}
    except (KeyError, TypeError, ValueError):
        faults.append("the tokenizer's list of added tokens is damaged")
        return None


# ---- do config.json and weights belong together
def _fit_faults(config: dict[str, Any], tensors: dict[str, Tensor]) -> list[str]:
    """Rows of the embedding and number of layers of the text model against config.json."""
    nested = config.get("text_config")
    text = nested if isinstance(nested, dict) else config
    faults = []
    rows, width, layers = text.get("vocab_size"), text.get("hidden_size"), text.get("num_hidden_layers")
    shapes = [tensor.shape for name, tensor in tensors.items() if name.endswith("embed_tokens.weight")]
    if shapes and isinstance(rows, int) and isinstance(width, int) and (rows, width) not in shapes:
        faults.append(f"the weights have an embedding of {list(shapes[0])}, config.json tells [{rows}, {width}]")
    found = {int(match[1]) for name in tensors if (match := re.search(r"(?<![a-z_])layers\.(\d+)\.", name))}
    if shapes and found and isinstance(layers, int) and found != set(range(layers)):
        faults.append(f"the weights hold {len(found)} layers, config.json tells {layers}")
    return faults


# ---- words and small things
def _key(name: str) -> str:
    """A tensor's name from its last "layers.N." or "blocks.N." on, with the tower it stands in."""
    place = _LAYER.search(name)
    tower = "visual" if "visual" in name or "vision" in name else "text"
    return f"{tower} {place[0]}" if place else name.removeprefix("base_model.model.")


def _read_json(file: Path, faults: list[str]) -> Any:
    """The content; None, with a fault, where it is damaged."""
    try:
        if is_lfs_pointer(file):
            faults.append(f"{file.name} is a Git LFS pointer, not the file; run: git lfs pull")
            return None
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        whole = file.stat().st_size > 0
        faults.append(f"{file.name} is {'damaged: ' + str(error)[:80] if whole else 'empty'}")
    except OSError as error:
        faults.append(f"{file.name} cannot be read: {error.strerror or error}")
    return None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _called(report: FolderReport) -> str:
    if report.kind == ADAPTER:
        return f"an adapter (of {report.base!r}); write MODEL+ADAPTER"
    return f"a {report.kind!r} model"


def _nearby(path: Path) -> str:
    """Folders of about that name beside it."""
    import difflib

    try:
        there = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, there, 1, 0.8)
    return f"; did you mean {str(path.parent / close[0])!r}?" if close else ""


def _instead(path: Path) -> str:
    """Where the checkpoint may be meant to be: a folder below."""
    below = sorted({file.parent for end in ("*/config.json", "snapshots/*/config.json") for file in path.glob(end)})
    if below:
        return f"; did you mean {str(below[0])!r}?"
    return (
        "; it is empty" if not any(path.iterdir()) else f"; it holds {_listed(sorted(p.name for p in path.iterdir()))}"
    )
