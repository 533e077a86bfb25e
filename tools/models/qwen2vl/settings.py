"""What can be set about a local vision-language model, and which checkpoint and adapters a spec names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ....core.codec import dialect
from ....core.errors import UsageError
from ..options import check_names, flag_of, number_of, split_options

COMMAND = 'pip install "surveyor[qwen]"'
TASKS = ("det", "seg", "change", "select", "region", "caption", "vqa", "cls", "count", "geoloc", "gcg")
_DTYPES = ("auto", "float32", "bfloat16", "float16")
_QUANTIZE = ("none", "int8", "4bit")
_ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2")
_GROUND = ("det", "seg")
_VIEWS = ("auto", "whole", "tiles", "adaptive")


@dataclass(frozen=True)
class Settings:
    """How a checkpoint is loaded and asked. As options of a spec: `qwen2vl:DIR?dtype=bfloat16&views=adaptive`.

    Args:
        dialect: how it writes coordinates; "" takes what the checkpoint declares (`surveyor.json` beside it, else
            its family's).
        dtype: "auto" is bfloat16 on a GPU that has it, float32 on the CPU.
        device: "cpu", "cuda", "cuda:1"; "auto" takes a GPU when there is one.
        device_map: "auto", "balanced", "sequential": spreads the layers over several GPUs (accelerate); "" does not.
        attention: "auto" is sdpa.
        quantize: "int8" or "4bit" weights; see docs/models.md for what that needs. "int8" on the CPU is dynamic
            quantisation of the language model, computed in float32.
        merge: the adapter for all tasks is added into the weights: faster, no switching between tasks.
        guided: replies are held to the task's grammar token by token.
        min_pixels: least pixels of an image as the model sees it; 0 takes the checkpoint's.
        max_pixels: most pixels of an image as the model sees it; 0 takes the checkpoint's, at most 1,003,520.
        max_tokens: of a reply; 0 takes the task's.
        batch: views or questions answered at once.
        prefix_mb: memory for images already read, in MB; 0 keeps none.
        ground: "det" asks for oriented boxes, "seg" for upright boxes with key points.
        views: how a large scene is shown: "whole", "tiles", "adaptive" (GeoPixel section 3.2), or "auto": whole where
            that shrinks it at most by half, else adaptive up to `most_views`, else tiles.
        most_views: tiles of an adaptive division.
        overlap: of neighbouring views, px as the model sees them.
        second_look: candidates smaller than this (px as the model sees them) are looked at again, enlarged; 0 never.
        retries: how often an unreadable reply is asked for again (warmer each time).
    """

    dialect: str = ""
    dtype: str = "auto"
    device: str = "auto"
    device_map: str = ""
    attention: str = "auto"
    quantize: str = "none"
    merge: bool = False
    guided: bool = True
    min_pixels: int = 0
    max_pixels: int = 0
    max_tokens: int = 0
    batch: int = 4
    prefix_mb: int = 512
    ground: str = "det"
    views: str = "auto"
    most_views: int = 9
    overlap: int = 112
    second_look: int = 0
    retries: int = 1

    def __post_init__(self) -> None:
        if self.dialect:
            dialect(self.dialect)
        allowed = {"dtype": _DTYPES, "quantize": _QUANTIZE, "attention": _ATTENTION, "ground": _GROUND, "views": _VIEWS}
        for name, words in allowed.items():
            if getattr(self, name) not in words:
                raise UsageError(f"the setting {name} is {getattr(self, name)!r}, expected one of: {', '.join(words)}")

    @classmethod
    def of(cls, options: dict[str, str]) -> Settings:
        """The settings of a spec's options. Raises UsageError for names or values that there are not."""
        check_names(options, [each.name for each in fields(cls)], "a Qwen2-VL model")
        given: dict[str, object] = {}
        for each in fields(cls):
            if each.name in options:
                given[each.name] = _value(options, each.name, getattr(cls(), each.name))
        return replace(cls(), **given)  # type: ignore[arg-type]

    @property
    def loading(self) -> tuple[object, ...]:
        """Those that say how weights lie in memory: equal ones share one model."""
        names = ("dtype", "device", "device_map", "attention", "quantize", "merge")
        return tuple(getattr(self, name) for name in names)


def _value(options: dict[str, str], name: str, default: object) -> object:
    if isinstance(default, bool):
        return flag_of(options, name, default)
    if isinstance(default, int):
        return number_of(options, name, default, 1 if name in ("batch", "most_views") else 0)
    return options[name]


@dataclass(frozen=True)
class Checkpoint:
    """Weights and adapters as a spec names them: `DIR_OR_HUB_ID[@REVISION][+ADAPTER_DIR][+TASK=ADAPTER_DIR]`.

    Attributes:
        source: a folder, or a name on the Hugging Face hub.
        revision: branch, tag or commit on the hub; None for the main one.
        adapters: task -> folder of a peft adapter; under "" the one for all other tasks.
    """

    source: str
    revision: str | None = None
    adapters: dict[str, str] = field(default_factory=dict)

    @property
    def stamp(self) -> str:
        """A digest of names, sizes and times of the files that are on this machine; changes when they do."""
        total = hashlib.sha256(repr((self.source, self.revision, sorted(self.adapters.items()))).encode())
        for folder in (self.source, *self.adapters.values()):
            for file in sorted(Path(folder).glob("*")) if Path(folder).is_dir() else ():
                if file.suffix in (".safetensors", ".json", ".bin", ".jinja"):
                    total.update(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
        return total.hexdigest()

    @classmethod
    def of(cls, text: str) -> Checkpoint:
        """What a spec's text names.

        Raises:
            UsageError: no name, an adapter given twice, or a path that is not there.

        Example:
            >>> Checkpoint.of("Qwen/Qwen2-VL-2B-Instruct@main").revision
            'main'
        """
        source, *others = _parts(text)
        place, revision = _found(source), ""
        if place is None:
            source, at, revision = source.partition("@")
            place = _found(source)
            if at and (not revision.strip() or place is not None or source.startswith((".", "/", "~"))):
                raise UsageError(f"{text!r}: only a hub name has revisions, NAME@REVISION; there is no such folder")
        if not source.strip():
            raise UsageError(f"{text!r} names no checkpoint; write DIR_OR_HUB_ID[@REVISION][+ADAPTER_DIR]")
        adapters = _adapters(text, others)
        if place is not None and place.is_dir():
            return cls(str(place), None, adapters)
        if place is not None or source.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
            raise UsageError(
                f"there is no checkpoint folder {source!r}; expected a folder with config.json, or a hub name"
            )
        return cls(source, revision or None, adapters)


def _adapters(text: str, parts: list[str]) -> dict[str, str]:
    adapters: dict[str, str] = {}
    for part in parts:
        task, folder = _task_and_folder(part)
        place = _found(folder)
        if place is None or not place.is_dir():
            raise UsageError(
                f"there is no adapter folder {folder!r}; expected +FOLDER with adapter_config.json in it, or "
                f"+TASK=FOLDER with one of the tasks {', '.join(TASKS)}"
            )
        if task in adapters:
            raise UsageError(f"{text!r} gives two adapters for {task or 'all tasks'}; give one")
        adapters[task] = str(place)
    return adapters


def _task_and_folder(part: str) -> tuple[str, str]:
    task, equals, folder = part.partition("=")
    return (task, folder) if equals and task in TASKS else ("", part)


def _parts(text: str) -> list[str]:
    """The text cut at each "+" that is not part of a folder's name: of names that are there, the longest is meant."""
    pieces = text.split("+")
    parts: list[str] = []
    while pieces:
        taken = 1
        for count in range(len(pieces), 1, -1):
            name = "+".join(pieces[:count])
            place = _found(_task_and_folder(name)[1] if parts else name)
            if place is not None and place.is_dir():
                taken = count
                break
        parts.append("+".join(pieces[:taken]))
        pieces = pieces[taken:]
    return parts


def _found(name: str) -> Path | None:
    """The folder or file of that name; None where nothing is."""
    try:
        place = Path(name).expanduser()
        return place if name.strip() and place.exists() else None
    except (OSError, RuntimeError, ValueError):  # longer than names can be, "~nobody", a null byte
        return None


def checkpoint_and_settings(argument: str) -> tuple[Checkpoint, Settings]:
    """Both parts of a backend's argument."""
    source, options = split_options(argument)
    return Checkpoint.of(source), Settings.of(options)
