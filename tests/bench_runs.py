"""Folders of runs from a few items and predictions, for tests of scores and reports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from surveyor.evals.bench.items import Header, write_items
from surveyor.evals.bench.predict import How
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.bench.store import About, RunFile, Settings


def items_file(folder: Path, items: Sequence[Any], name: str = "items.jsonl", **header: Any) -> Path:
    """Writes an items file and the picture `x.png` that items of score_items lie on."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"task": items[0].task if items else "CREC", "command": "by hand", "seed": 3, "sources": {"hand": "CC0"}}
    write_items(folder / name, Header(**(fields | {"admitted": len(items)} | header)), items)
    cv2.imwrite(str(folder / "x.png"), np.full((100, 100, 3), 90, dtype=np.uint8))
    return folder / name


def run_folder(folder: Path, items: Path, predictions: Sequence[Prediction], **settings: Any) -> Path:
    """Writes run.json and predictions.jsonl as the runner does."""
    folder.mkdir(parents=True)
    how = How(**settings.pop("how", {}))
    digest = hashlib.sha256(items.read_bytes()).hexdigest()
    fields: dict[str, Any] = {"items": digest, "models": "", "versions": {}, "how": how} | settings
    task = items.read_text(encoding="utf-8").split('"task": "', 1)[1].split('"', 1)[0]
    about = About(task=task, items=str(items), root=str(items.parent), wanted=len(predictions), started=0.0)
    text = RunFile(settings=Settings(**fields), about=about).model_dump_json(indent=1)
    (folder / "run.json").write_text(text, encoding="utf-8")
    lines = [each.model_dump_json(exclude_defaults=True) + "\n" for each in predictions]
    (folder / "predictions.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
