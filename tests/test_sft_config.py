"""Settings of `surveyor train sft`: every fault is told by the name of its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from surveyor.core.errors import UsageError
from surveyor.finetune.sft.config import SftConfig, checked, load_config, written

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "finetune" / "configs").glob("sft_*.yaml"))
LEAST = {"base": "models/b", "out": "runs/o", "train": ["t.jsonl"]}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configs_that_ship_are_right_and_begin_with_their_command(path: Path) -> None:
    config = load_config(path)
    head = path.read_text("utf-8").splitlines()[0]
    assert head.startswith("# ") and f"train sft finetune/configs/{path.name}" in head
    assert config.train and config.val


def test_configs_of_the_papers_hold_what_the_papers_say() -> None:
    told = {path.stem: load_config(path) for path in CONFIGS}
    ground, pixel = told["sft_geoground"], told["sft_geopixel"]
    # GeoGround section 4: AdamW, 2e-4, linear decay after warm-up of .03, LoRA rank 64, batch 128, 5 epochs
    assert (ground.lr, ground.schedule, ground.warmup, ground.rank) == (2e-4, "linear", 0.03, 64)
    assert (ground.global_batch, ground.epochs) == (128, 5)
    # GeoPixel section 5.1: 3e-4 after 100 steps, cosine, batch 20, 10 epochs, alpha 8, projector trained, tower fixed
    assert (pixel.lr, pixel.warmup, pixel.schedule, pixel.global_batch, pixel.epochs) == (3e-4, 100, "cosine", 20, 10)
    assert (pixel.alpha, pixel.vision, pixel.merger) == (8, "frozen", "train")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lerning_rate": 1e-4}, "there is no key 'lerning_rate'"),
        ({"warmpu": 0.1}, "did you mean 'warmup'?"),
        ({"lr": "fast"}, "lr: "),
        ({"lr": -1}, "lr: "),
        ({"lr": float("nan")}, "lr: "),
        ({"rank": 0}, "rank: "),
        ({"precision": "fp16"}, "precision: "),
        ({"train": []}, "train: "),
        ({"dialect": "klingon"}, "unknown dialect 'klingon'"),
        ({"task_weights": {"detect": 2}}, "there is no task 'detect'"),
        ({"task_weights": {"det": -1}}, "the weight of 'det' is -1"),
        ({"layers": ["q"]}, "layers: "),
        ({"global_batch": 5, "batch": 2}, "global_batch: 5 is no multiple of batch, 2"),
        ({"min_pixels": 5000, "max_pixels": 4000}, "min_pixels: 5000"),
        ({"warmup": 1.5}, "warmup: 1.5"),
        ({"language": "frozen"}, "nothing would learn"),
        ({"save_every": 15, "log_every": 10}, "save_every: 15 is no multiple of log_every"),
        ({"eval_every": 15, "log_every": 10, "save_every": 10}, "eval_every: 15 is no multiple of log_every"),
        ({"base": "models/b+adapter"}, "base: 'models/b+adapter' names an adapter"),
        ({"report_to": "paper"}, "report_to"),
    ],
)
def test_what_is_wrong_is_told_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as told:
        checked(LEAST | change)
    assert says in str(told.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UsageError) as told:
        checked(LEAST | {"lerning": 1, "rank": 0, "beta2": 2})
    assert all(part in str(told.value) for part in ("'lerning'", "rank: ", "beta2: "))


def test_changes_win_and_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(LEAST) + "lr: 2e-4\nsteps: 5\n")
    config = load_config(path, ["lr=3e-5", "steps=", "vision=train", "train=[a.jsonl,b.jsonl]"])
    assert (config.lr, config.steps, config.vision, config.train) == (3e-5, None, "train", ("a.jsonl", "b.jsonl"))
    assert load_config(path).lr == 2e-4
    with pytest.raises(UsageError, match="no key=value"):
        load_config(path, ["lr"])


@pytest.mark.parametrize(("text", "says"), [("[1, 2]", "holds list"), ("", "holds NoneType"), ("a: [", "is no YAML")])
def test_files_that_are_no_settings(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        load_config(path)
    with pytest.raises(UsageError, match="cannot read"):
        load_config(tmp_path / "nothing.yaml")


def test_what_is_written_reads_back() -> None:
    config = checked(LEAST | {"task_weights": {"det": 2}, "epochs": 0.5})
    assert SftConfig.model_validate(yaml.safe_load(written(config))) == config


def test_only_what_changes_nothing_may_change_when_a_run_goes_on() -> None:
    config = checked(LEAST)
    assert checked(LEAST | {"save_every": 7, "report_to": "mlflow", "workers": 3}).fixed == config.fixed
    for key, value in {"lr": 1e-3, "seed": 1, "batch": 2, "eval_every": 4, "dropout": 0.1}.items():
        assert checked(LEAST | {key: value}).fixed != config.fixed, key
