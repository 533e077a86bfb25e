"""What a run leaves: the adapter (or the whole model) with its declared dialect and a card that says what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import __version__
from ...core.errors import UsageError
from ...tools.models.folder import check_folder
from ...tools.models.qwen2vl.loading import DECLARATION
from .config import SftConfig, written
from .data import Lines
from .encode import Reader

ADAPTER, WHOLE = "adapter", "model"
_WEIGHTS = ("adapter_config.json", "adapter_model.safetensors")


def result_folder(config: SftConfig) -> Path:
    """Where the result of a run lies: `OUT/adapter`, or `OUT/model` where all weights were trained."""
    return Path(config.out) / (ADAPTER if config.method == "lora" else WHOLE)


def spec_of(config: SftConfig) -> str:
    """What stands behind `--models grounder=` to use the result."""
    place = result_folder(config).as_posix()
    source = f"{config.base}+{place}" if config.method == "lora" else place
    pixels = [f"{key}={value}" for key in ("min_pixels", "max_pixels") if (value := getattr(config, key))]
    return f"qwen2vl:{source}{'?' if pixels else ''}{'&'.join(pixels)}"


def write_result(
    config: SftConfig, checkpoint: Path, reader: Reader, train: Lines, val: Lines | None, scores: Mapping[str, Any]
) -> Path:
    """The folder of the result, made anew from a checkpoint of the run.

    Raises:
        UsageError: the checkpoint lacks something that loading needs.
    """
    folder = result_folder(config)
    fresh = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if config.method == "lora":
        files = [checkpoint / name for name in _WEIGHTS]
    else:
        files = [*checkpoint.glob("*.safetensors*"), *checkpoint.glob("*config.json")]
        _write_processor(fresh, reader)
    for file in files:
        shutil.copy2(file, fresh / file.name)
    (fresh / DECLARATION).write_text(json.dumps({"dialect": config.dialect}) + "\n", encoding="utf-8")
    (fresh / "README.md").write_text(card(config, checkpoint.name, train, val, scores), encoding="utf-8")
    faults = check_folder(str(fresh)).faults
    if faults:
        raise UsageError(f"{str(checkpoint)!r} makes no result that loads: {'; '.join(faults)}")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return folder


def _write_processor(folder: Path, reader: Reader) -> None:
    loaded = reader.loaded
    loaded.tokenizer.save_pretrained(folder)
    loaded.images.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(loaded.template, encoding="utf-8")


def card(config: SftConfig, checkpoint: str, train: Lines, val: Lines | None, scores: Mapping[str, Any]) -> str:
    """The model card, in Markdown with the hub's header."""
    kind = "LoRA adapter" if config.method == "lora" else "model"
    head = {"base_model": config.base, "pipeline_tag": "image-text-to-text", "license": "other"}
    head |= {"library_name": "peft"} if config.method == "lora" else {"library_name": "transformers"}
    yaml = "\n".join(f"{key}: {value}" for key, value in head.items())
    parts = [
        f"---\n{yaml}\ntags: [remote-sensing, visual-grounding]\n---",
        f"# {Path(config.out).name}: {kind} of {config.base}",
        f"Made with surveyor {__version__} (`surveyor train sft`), from `{checkpoint}` of the run. It writes "
        f"coordinates in the `{config.dialect}` dialect, as `{DECLARATION}` beside it declares.",
        f"    surveyor ask photo.jpg \"planes\" --models 'grounder={spec_of(config)}'",
        "## Data\n\nA licence is as its dataset's authors state it; those of the base and of the data decide how this "
        "may be used.",
        _table(train),
        "Records by task: " + ", ".join(f"{task} {count}" for task, count in train.tasks().items()) + _left(train),
        "## Scores\n\n" + _scores(scores, val),
        "## Limits\n\n" + _limits(config, train),
        f"## Settings\n\n```yaml\n{written(config)}```",
    ]
    return "\n\n".join(parts) + "\n"


def _table(lines: Lines) -> str:
    rows = ["| source | licence | records | families |", "|---|---|---:|---:|"]
    cells = [(name, told) for name, told in sorted(lines.sources.items())]
    return "\n".join([*rows, *(f"| {n} | {t.licence} | {t.records} | {t.families} |" for n, t in cells)])


def _left(lines: Lines) -> str:
    if not lines.left_out:
        return "."
    return ". Left out: " + ", ".join(f"{count} {reason}" for reason, count in lines.left_out.items()) + "."


def _scores(scores: Mapping[str, Any], val: Lines | None) -> str:
    told = {key: value for key, value in scores.items() if isinstance(value, float | int) and key != "eval_best"}
    if val is None or not told:
        return "None: there were no held-out records."
    asked = int(told.get("eval_items", 0))
    rows = ["| | |", "|---|---:|", *(f"| {key.removeprefix('eval_')} | {value:.4g} |" for key, value in told.items())]
    said = f"On {asked} of {len(val)} held-out records, which share no leakage family with the training records"
    if not asked:
        said = f"Loss on held-out records (of {len(val)}), which share no leakage family with the training records"
    return f"{said}; greedy decoding, as `surveyor` decodes at inference.\n\n" + "\n".join(rows)


def _limits(config: SftConfig, lines: Lines) -> str:
    absent = "It was taught the tasks above and the prompts of `surveyor` alone; other wordings may work less well."
    pixels = f"at most {config.max_pixels} px" if config.max_pixels else "the base's largest size"
    seen = f"It saw images of {pixels}: show them so (`?max_pixels=`), larger scenes in views."
    parts = [absent, seen, "Scores of its replies are token probabilities and are not calibrated."]
    if config.vision == "frozen":
        parts.append("The vision tower is the base's: what it cannot see from above was not learnt.")
    if len(lines.sources) == 1:
        parts.append("It has seen one dataset; on other sensors and resolutions expect less.")
    return "\n".join(f"- {part}" for part in parts)
