"""What a SAM-2 checkpoint is, told from its files before torch is imported."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....core.errors import MissingDependency, UsageError

COMMAND_HUB = 'pip install "surveyor[sam2-hf]"'
COMMAND_NATIVE = 'pip install "surveyor[sam2]"'
HUB_TYPES = ("sam2", "sam2_video")  # the published image and video checkpoints hold the same image model
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?")
_LARGE, _SMALL = "model.safetensors", "model.safetensors.index.json"
_CONFIG_OF = {
    f"sam2{dot}_hiera_{long}": f"configs/sam2{dot}/sam2{dot}_hiera_{short}.yaml"
    for dot in ("", ".1")
    for long, short in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}
"""Name of an official checkpoint file -> its config in the sam2 package."""


@dataclass(frozen=True)
class HubFolder:
    """A folder in the layout of the model hub: config.json and safetensors, for transformers' `Sam2Model`."""

    folder: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class HubName:
    """A model on the hub; `revision` is a branch, tag or commit, None for the main one."""

    name: str
    revision: str | None


@dataclass(frozen=True)
class NativeFile:
    """A checkpoint of the `sam2` package. `config` is a file, or a name inside the package ("configs/...")."""

    file: Path
    config: str


Source = HubFolder | HubName | NativeFile


def source_of(text: str, config: str | None) -> Source:
    """What `text` names: a folder, a .pt file, or a name on the hub.

    Args:
        text: path, or NAME[@REVISION] with a slash in it.
        config: for a .pt file: the config's name in the sam2 package or a YAML file; None to take it from an official
            file name.

    Raises:
        UsageError: nothing is there, something is missing or cut off, or it is another kind of model.
    """
    path = Path(text).expanduser()
    if path.suffix in (".pt", ".pth"):
        return _native(path, config)
    if config is not None:
        raise UsageError(f"config={config!r} belongs to a .pt file of the sam2 package, but the checkpoint is {text!r}")
    if text and path.is_dir():
        return checked_folder(path)
    if text and path.exists():
        raise UsageError(f"{text!r} is no SAM-2 checkpoint; expected a .pt file, a folder with config.json, or a name")
    if text.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(text):
        raise UsageError(
            f"there is no SAM-2 checkpoint at {text!r}; expected a folder with config.json and safetensors, "
            "a .pt file, or a name on the model hub such as facebook/sam2.1-hiera-tiny"
        )
    name, _, revision = text.partition("@")
    return HubName(name, revision or None)


def checked_folder(folder: Path) -> HubFolder:
    """The folder's files, none of them missing or cut off.

    Raises:
        UsageError: what is wrong with it.
    """
    config = folder / "config.json"
    if not config.is_file():
        found = sorted(folder.glob("*.pt"))
        hint = f"; name the file: {str(found[0])!r}" if found else "; expected the files of a model of the hub"
        raise UsageError(f"the folder {str(folder)!r} has no config.json{hint}")
    kind = read_json(config).get("model_type")
    if kind not in HUB_TYPES:
        raise UsageError(f"{str(config)!r} is of a model of type {kind!r}, expected {' or '.join(HUB_TYPES)}")
    index, single = folder / _SMALL, folder / _LARGE
    shards: tuple[Path, ...] = (single,)
    if single.is_file():
        pass
    elif index.is_file():
        named = read_json(index).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise UsageError(f"{str(index)!r} names no weights; copy the checkpoint again")
        shards = tuple(folder / str(name) for name in sorted(set(named.values())))
    else:
        raise UsageError(f"the folder {str(folder)!r} has no {_LARGE}; copy the checkpoint's weights too")
    for shard in shards:
        _check_safetensors(shard)
    extras = (folder / name for name in ("preprocessor_config.json", "processor_config.json"))
    return HubFolder(folder, (config, *(file for file in extras if file.is_file()), *shards))


def fetched(source: HubName) -> HubFolder:
    """The files of a model on the hub, from the local cache or downloaded.

    Raises:
        MissingDependency: huggingface-hub is not installed.
        UsageError: the hub has no such model, or cannot be reached and the files are not in the cache.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingDependency("SAM-2 from the model hub", COMMAND_HUB) from None
    try:
        folder = snapshot_download(source.name, revision=source.revision, allow_patterns=["*.json", "*.safetensors"])
    except Exception as error:  # its errors have no common base below Exception
        if not isinstance(error, OSError | ValueError | RuntimeError):
            raise
        raise UsageError(
            f"{source.name!r} cannot be fetched from the model hub ({' '.join(str(error).split())[:200]}); where there "
            "is no network copy config.json, preprocessor_config.json and model.safetensors into a folder and name that"
        ) from None
    return checked_folder(Path(folder))


def digest_of(source: HubFolder | NativeFile, config_text: str = "") -> str:
    """SHA-256 over the files of a checkpoint and their names; `config_text` is a config that is none of the files."""
    files = source.files if isinstance(source, HubFolder) else (source.file,)
    total = hashlib.sha256(config_text.encode())
    for path in files:
        with path.open("rb") as file:
            total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises UsageError where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error}); copy the checkpoint again") from None
    if not isinstance(data, dict):
        raise UsageError(f"{str(path)!r} holds no JSON object; copy the checkpoint again")
    return data


def _native(path: Path, config: str | None) -> NativeFile:
    if not path.is_file():
        raise UsageError(f"there is no SAM-2 checkpoint file {str(path)!r}; expected a .pt file of the sam2 package")
    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        raise UsageError(f"{str(path)!r} is no torch checkpoint (it does not start as a zip file); copy it again")
    config = config or _CONFIG_OF.get(path.stem)
    if config is None:
        raise UsageError(
            f"{str(path)!r} is no official file name, so its config must be given: "
            f"{path.name}?config=configs/sam2.1/sam2.1_hiera_t.yaml (a name in the sam2 package, or a YAML file)"
        )
    if not config.startswith("configs/") and not Path(config).expanduser().is_file():
        raise UsageError(f"there is no config file {config!r}; expected a YAML file or a name in the sam2 package")
    return NativeFile(path, config)


def _check_safetensors(path: Path) -> None:
    """Raises UsageError for a file that is missing, a pointer, cut off or garbled, from its head and size alone."""
    if not path.is_file():
        raise UsageError(f"the checkpoint is not complete: {str(path)!r} is missing; copy or download it again")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        head = int.from_bytes(start, "little")
        raw = file.read(head) if 0 < head <= min(size, 100_000_000) else b""
    if raw[:1] != b"{" or len(raw) != head:
        what = "a Git LFS pointer" if start == b"version " else "damaged"
        raise UsageError(f"{str(path)!r} is {what}, no safetensors file; copy or download it again")
    try:
        entries = {key: value for key, value in json.loads(raw).items() if key != "__metadata__"}
        end = max(entry["data_offsets"][1] for entry in entries.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{str(path)!r} is damaged: its list of weights cannot be read; copy it again") from None
    if 8 + head + end != size:
        raise UsageError(f"{str(path)!r} has {size} bytes, expected {8 + head + end}; copy or download it again")
