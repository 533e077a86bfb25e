"""The settings of a recipe: its YAML, with `key=value` of the command line put over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import UsageError


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's settings.

    Args:
        path: a YAML file of one mapping.
        overrides: "key=value" each, the value in YAML.

    Raises:
        UsageError: no such file, or a key that the file has not.
    """
    try:
        config: dict[str, Any] = yaml.safe_load(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no recipe {str(path)!r}; see finetune/configs") from None
    for item in overrides:
        key, _, value = item.partition("=")
        if key not in config:
            raise UsageError(f"unknown key {key!r}; expected one of {', '.join(sorted(config))}")
        config[key] = yaml.safe_load(value)
    return config
