"""The settings of a training run: what a YAML holds, what may be left out, and how `key=value` changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml

from ...core.errors import UsageError
from .scenes import Drawing

Config = dict[str, Any]
PLAIN: Config = {
    "device": "cpu", "precision": "fp32", "workers": 0, "accumulate": 1, "records": None, "soft": 0.0, "start": None,
}  # fmt: skip
"""Of settings that a file may leave out."""
STAGE = {
    "steps", "batch", "accumulate", "lr", "adam_share", "warmup", "tower_only", "dense", "reader", "questions", "mix",
    "scenes", "freeze_tower", "tower_share", "soft",
}  # fmt: skip
"""What a stage may set."""


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """The YAML's settings with `key=value` (`a.b=value`, `stages.0.steps=5`) put over them.

    Raises:
        UsageError: a key that the file has not, or a stage with an unknown setting.
    """
    config: Config = PLAIN | yaml.safe_load(Path(path).read_text("utf-8"))
    for item in overrides:
        key, _, value = item.partition("=")
        *above, last = key.split(".")
        place: Any = config
        for name in above:
            place = place[int(name)] if isinstance(place, list) else place.get(name)
        if not isinstance(place, dict) or (last not in place and not above):
            raise UsageError(f"unknown key {key!r}; expected one of {', '.join(sorted(config))}, or a.b of these")
        place[last] = yaml.safe_load(value)
    for number, stage in enumerate(config["stages"]):
        unknown = sorted(set(stage) - STAGE)
        if unknown:
            raise UsageError(f"stage {number} sets {unknown[0]!r}; expected some of: {', '.join(sorted(STAGE))}")
    for key, words in (("device", ("cpu", "cuda", "auto")), ("precision", ("fp32", "bf16"))):
        if config[key] not in words:
            raise UsageError(f"{key} is {config[key]!r}, expected one of: {', '.join(words)}")
    return config


def device_of(config: Config) -> torch.device:
    """Where a run computes; "auto" takes a GPU where there is one.

    Raises:
        UsageError: a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if config["device"] == "cuda" and not has_gpu:
        raise UsageError("device is 'cuda', but torch sees no GPU here; write device=cpu, or install a CUDA build of torch")  # fmt: skip  # noqa: E501
    return torch.device("cpu" if config["device"] == "cpu" or not has_gpu else "cuda")


def files_of(told: str | list[str] | None) -> list[Path]:
    """The files of a setting that names one, several or none."""
    return [Path(each) for each in ([told] if isinstance(told, str) else told or [])]


def seen_alone(mix: Mapping[str, float], has_photos: bool) -> dict[str, float]:
    """What is shown where nothing is asked: drawn scenes, and photos as often as the mix has them."""
    photos = mix.get("records", 0) if has_photos else 0
    return {"det": sum(mix.values()) - photos, "records": photos} if photos else {"det": 1.0}


def drawing_of(told: Config) -> Drawing:
    """What is drawn, of a recipe's `data` or `held_out`."""
    known = {each.name for each in fields(Drawing)}
    given: Config = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Drawing(**{name: value for name, value in given.items() if name in known})
