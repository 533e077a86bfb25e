"""What the result of a step is made from, as a key: scene, tool and its program, arguments, inputs, models, bands."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core.plan import Step
from ..core.scene import Scene
from ..tools.registry import Context, Tool
from .store import digest_of

MODELS_OF: Mapping[str, tuple[str, ...]] = {
    "ground": ("grounder",),
    "segment": ("segmenter",),
    "describe": (),
    "select": (),
    "pick": (),
    "measure": (),
    "distance": (),
    "count": (),
    "given": (),
    "verify": ("describer",),
    "judge": ("grounder",),
    "answer": ("grounder",),
    "caption": ("grounder",),
    "classify": ("grounder",),
    "locate": ("grounder",),
    "difference": (),
    "check": (),
    "compare": (),
    "choose": (),
}
"""Which models each of our tools asks; one that is not listed is taken to ask all of them."""

TILE_PX = 1024


def key_of(tool: Tool, args: Mapping[str, Any], inputs: Mapping[str, str], context: Context) -> str | None:
    """The key under which a step's result is found again.

    Args:
        tool: the tool; one that is not surveyor's own has no key, since nobody can tell when its program changed.
        args: its arguments, plain data.
        inputs: digests of its inputs' values, by name.
        context: the scene, the models and the ambiguity bands.

    Returns:
        64 hexadecimal digits, or None when a model that the tool asks does not tell its version.
    """
    if getattr(tool, "origin", None) != "surveyor":
        return None
    models = {}
    for role in MODELS_OF.get(tool.name, _roles(context)):
        model = getattr(context, role, None)
        version = getattr(model, "version", None)
        if model is not None and version is None:
            return None
        models[role] = None if model is None else [model.name, str(version)]
    return digest_of(
        {
            "program": program_digest(),
            "scene": scene_key(context.scene),
            "bands": asdict(context.bands) if is_dataclass(context.bands) else repr(context.bands),
            "tool": tool.name,
            "args": dict(args),
            "inputs": dict(inputs),
            "models": models,
        }
    )


def scene_key(scene: Scene) -> list[Any]:
    """All of a scene that a tool can read, as JSON types. The name counts: the oracle finds annotation by it."""
    ground = [repr(part) for part in (scene.gsd_xy_m, scene.crs, scene.transform)]
    holes = getattr(scene._source, "mask", None) if scene.path is None else None
    hidden = None if holes is None else hashlib.sha256(np.packbits(holes).tobytes()).hexdigest()
    return [scene.digest, scene.name, list(scene.size_wh), ground, scene.bands, hidden]


def tiles_of(step: Step, context: Context) -> int:
    """About how many tiles of 1,024 px a step makes a model look at; 0 for one that looks at none."""
    if step.tool != "ground":
        return 0
    width, height = context.scene.size_wh
    return math.ceil(width / TILE_PX) * math.ceil(height / TILE_PX)


@cache
def program_digest() -> str:
    """A name for the code that results depend on: the files of core/ and tools/, so that no edit is overlooked."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for room in ("core", "tools"):
        for path in sorted((root / room).rglob("*.py")):
            total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _roles(context: Context) -> tuple[str, ...]:
    return tuple(field.name for field in fields(context) if field.name not in ("scene", "bands"))
