"""The checkpoint of a run as a folder that ships with the package: half the bytes, with a card.

    python -m surveyor.finetune.scratch.export RUN FOLDER [--config YAML] [--photos JSON] [key=value ...]

RUN is the `out` of `finetune.scratch.train`; FOLDER is made anew, whole or not at all. To ship it:
`... export RUN tools/models/nano/weights`. Weights are rounded to float16 and computed in float32 as before; both
checkpoints are asked the same drawn questions, and the card says how many replies are the same. Figures come from
RUN/scores.json and RUN/log.jsonl, and from RUN/photos.json where `finetune.scratch.beside` left one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ... import __version__
from ...core.errors import SurveyorError, UsageError
from ...tools.models.folder import QWEN_VL, check_folder
from ...tools.models.nano.model import ABOUT
from ...tools.models.qwen2vl.engine import Engine
from ...tools.models.qwen2vl.settings import Checkpoint, Settings
from .recipe import Config, drawing_of, files_of, read_config
from .scenes import LABELS, Listed, drawn
from .scores import asked, cases_of

COPIED = (
    "chat_template.json", "config.json", "generation_config.json", "preprocessor_config.json", "surveyor.json",
    "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip
WEIGHTS = "model.safetensors"
CARD = "card.md"
COMPARED = 3  # scenes and pairs whose questions both checkpoints are asked
BY_HEART = 50  # scenes up to which a run is told to have learnt them by heart
_TASKS = {"det": "oriented boxes of a class", "seg": "upright boxes with key points", "change": "changes of a pair", "region": "region captions"}  # fmt: skip  # noqa: E501


def export(run: str | Path, folder: str | Path, config: str | Path | None = None, photos: str | Path | None = None, changes: Sequence[str] = ()) -> Path:  # fmt: skip  # noqa: E501
    """The folder, which `grounder=nano` or `grounder=qwen2vl:FOLDER` loads.

    Args:
        run: `out` of a training run.
        folder: replaced where it is there.
        config: the run's YAML; default RUN/config.yaml.
        changes: `key=value` put over the YAML, as the run was given.
        photos: figures on photos; default RUN/photos.json, where it is there.

    Raises:
        UsageError: a part of the run is missing, weights too large for float16, or the result would not load.
    """
    run, folder = Path(run), Path(folder)
    named = Path(config) if config else run / "config.yaml"
    _text(named)
    recipe = read_config(named, changes)
    scores: Config = json.loads(_text(run / "scores.json"))
    lines = _text(run / "log.jsonl").splitlines()
    beside = Path(photos) if photos else run / "photos.json"
    told = json.loads(_text(beside)) if photos or beside.is_file() else None
    fresh = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name in COPIED:
        (fresh / name).write_text(_text(run / "checkpoint" / name), "utf-8")
    halve(run / "checkpoint" / WEIGHTS, fresh / WEIGHTS)
    (fresh / ABOUT).write_text(json.dumps({"about": about(recipe), "knows": sorted(LABELS)}, indent=1) + "\n", "utf-8")
    same, of = same_replies(run / "checkpoint", fresh, recipe)
    (fresh / CARD).write_text(card(recipe, scores, json.loads(lines[-1]), fresh, (same, of), told), "utf-8")
    check_folder(fresh).demand(*QWEN_VL)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)
    return folder


def halve(source: Path, to: Path) -> None:
    """Writes weights as float16.

    Raises:
        UsageError: a weight that float16 cannot hold.
    """
    if not source.is_file():
        raise UsageError(f"there is no {str(source)!r}; expected the folder of a run of finetune.scratch.train")
    weights = load_file(source)
    halved = {name: value.half().contiguous() for name, value in weights.items()}
    wrong = [name for name, value in halved.items() if not bool(torch.isfinite(value).all())]
    if wrong:
        raise UsageError(f"{wrong[0]!r} of {str(source)!r} holds values that are too large for float16, or none at all")
    save_file(halved, to, metadata={"format": "pt"})
    to.chmod(0o644)  # as every other file that ships


def same_replies(one: Path, other: Path, recipe: Config) -> tuple[int, int]:
    """How many of some drawn questions, of all tasks, both checkpoints answer with the same text, and how many."""
    what = replace(drawing_of({**recipe["data"], **recipe["held_out"]}), scenes=COMPARED, pairs=COMPARED, drawers=1)
    with tempfile.TemporaryDirectory() as cache:
        scenes, pairs = drawn(what, Path(cache))
    cases = cases_of(scenes, pairs, Listed(**recipe["listed"]), tuple(_TASKS))
    settings = Settings(device="cpu", dtype="float32", batch=16, max_tokens=120)
    first, second = ([text for _, text in asked(Engine(Checkpoint(str(each)), settings), cases)] for each in (one, other))  # fmt: skip  # noqa: E501
    return sum(a == b for a, b in zip(first, second, strict=True)), len(cases)


def about(recipe: Config) -> str:
    """One sentence: what it is and is not."""
    if recipe.get("records"):
        return (
            "nano is a small Qwen2-VL trained from scratch on drawn scenes and photos: see its card for what it finds"
        )
    scenes = int(recipe["data"]["scenes"])
    if scenes <= BY_HEART:
        return (
            f"nano is a demonstration: a tiny Qwen2-VL, trained from scratch, that knows {scenes} drawn scenes by "
            "heart; on any other picture what it finds is of no use"
        )
    return (
        "nano is a demonstration: a tiny Qwen2-VL trained from scratch on drawn scenes; on photographs what it finds "
        "is of no use"
    )


def card(
    recipe: Config, scores: Config, last: Config, folder: Path, same: tuple[int, int], photos: Config | None
) -> str:
    """The model card."""
    whole = sum(stage["steps"] for stage in recipe["stages"])
    report = check_folder(folder)
    side, what = int(recipe["model"]["max_pixels"] ** 0.5), about(recipe)
    unfinished = (
        f" **The run was not at its end: {last['step']:,} of {whole:,} steps.**" if last["step"] < whole else ""
    )
    parts = [
        "# Model card: nano",
        f"{what[0].upper()}{what[1:]}.{unfinished} It shows the whole way without a download: prompts, grammar, "
        "decoding, reading, change and captions are those of a Qwen2-VL of any size.",
        f"**Network.** `Qwen2VLForConditionalGeneration`, {(report.parameters or 0) / 1e6:.1f} M parameters, one token "
        f"for each number 0-1000, images of at most {side} x {side} px. Float16 on disk "
        f"({report.size_bytes / 1e6:.1f} MB), computed in float32 on the CPU: {same[0]} of {same[1]} replies to drawn "
        "questions are the same as with the float32 weights.",
        '**Use.** `--models grounder=nano,describer=nano,change=nano`; needs `pip install "surveyor[qwen]"`. With '
        "settings of your own: `--models 'grounder=qwen2vl:FOLDER?...'` with this folder.",
        f"**Classes.** {', '.join(sorted(LABELS))}.",
        _training(recipe, last),
        "## Measured",
        _measured(scores),
        f"On photos: {_photos(photos)}",
        "## Terms",
        _terms(recipe),
        f"Written by `python -m surveyor.finetune.scratch.export`, surveyor {__version__}.",
    ]
    return "\n\n".join(parts) + "\n"


def _training(recipe: Config, last: Config) -> str:
    data = recipe["data"]
    names = [each.name for each in files_of(recipe.get("records"))]
    return (
        f"**Training.** {last['step']:,} steps in {last['s'] / 3600:.1f} h ({recipe.get('device', 'cpu')}, "
        f"{recipe.get('precision', 'fp32')}), on {data['scenes']:,} drawn scenes and {data['pairs']:,} drawn pairs of "
        f"{data['side']} px{' and the records ' if names else ''}{', '.join(names)}. Recipe: "
        f"`finetune/scratch/train.py` (docs/nano.md has the commands); seed {recipe['seed']}, drawn scenes from seed "
        f"{data['seed']:,} on, held-out ones from {recipe['held_out']['seed']:,} on."
    )


def _measured(scores: Config) -> str:
    about = f"after {scores['step']:,} steps, greedy replies held to the grammar (`evals.scores`)"
    found = []
    if "trained" in scores:
        found += [f"Scenes and pairs that it was **trained on**, {about}.", _table(scores["trained"])]
    other = f"Drawn scenes and pairs of **other** seeds, {about}; nothing was chosen by them."
    return "\n\n".join([*found, other, _table(scores.get("held_out", {}))])


def _table(held: Config) -> str:
    lines = ["| task | questions | figures | unreadable |", "|---|---|---|---|"]
    for task, words in _TASKS.items():
        figures = dict(held.get(task, {}))
        items, unreadable = figures.pop("items", None), figures.pop("unreadable", None)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if value is not None)
        row = (f"{items:.0f}", shown, f"{unreadable:.0f}") if items is not None else ("", "not measured", "")
        lines.append(f"| {words} | {' | '.join(row)} |")
    tower = {name: value for name, value in held.get("tower", {}).items() if value is not None}
    if tower:
        lines += ["", "Its vision tower alone, with heads that only training has: " + ", ".join(f"{name} {value:.3f}" for name, value in tower.items()) + "."]  # fmt: skip  # noqa: E501
    return "\n".join(lines)


def _photos(told: Config | None) -> str:
    if told is None:
        return "not measured (`python -m surveyor.finetune.scratch.beside`)."
    lines = [
        f"{told['images']} images of {told['data']}, {told['objects']} objects (`{told['command']}`).", "",
        "| | F1@0.5, upright | precision | recall | F1@0.5, oriented |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for spec, figures in told["models"].items():
        names = ("f1@0.5", "precision@0.5", "recall@0.5", "oriented f1@0.5")
        lines.append(f"| `{spec}` | " + " | ".join("" if figures[n] is None else f"{figures[n]:.3f}" for n in names) + " |")  # fmt: skip  # noqa: E501
    return "\n".join(lines)


def _terms(recipe: Config) -> str:
    if recipe.get("records"):
        return "The code is Apache-2.0. The photos' terms hold for the weights too: see the licences in the records' meta files."  # fmt: skip  # noqa: E501
    return "Apache-2.0, as the package: every image that it saw was drawn by `surveyor.synth`."


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot read {str(path)!r}: {error.strerror or error}; expected the folder of a run of "
            "finetune.scratch.train (a run older than config.yaml takes --config)"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m surveyor.finetune.scratch.export", description=(__doc__ or "").splitlines()[0])  # fmt: skip  # noqa: E501
    parser.add_argument("run", type=Path, help="out of a training run")
    parser.add_argument("folder", type=Path, help="what is written; replaced where it is there")
    parser.add_argument("--config", type=Path, help="the run's YAML; default RUN/config.yaml")
    parser.add_argument("--photos", type=Path, help="figures on photos; default RUN/photos.json")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="over the YAML, as the run was given")
    told: Any = parser.parse_args(arguments)
    try:
        folder = export(told.run, told.folder, told.config, told.photos, told.changes)
    except SurveyorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB; try it: surveyor models check 'grounder=qwen2vl:{folder}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
