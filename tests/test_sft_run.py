"""Runs of `surveyor train sft` on tiny checkpoints: what they learn, leave and say, and going on after kill -9."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qwen2vl_checkpoints import ALLOCATOR, FAMILIES, checkpoints, copied, local, one_thread  # noqa: F401
from sft_records import drawn, settings, written
from surveyor.core.errors import MissingDependency, UsageError
from surveyor.core.scene import Scene
from surveyor.finetune.records.record import Instruction, Marked, with_messages
from surveyor.finetune.sft.config import load_config

pytestmark = local
Folders = Callable[[str], Path]
HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parent / "finetune" / "configs"


def trained(path: Path, *changes: str) -> Any:
    from surveyor.finetune.sft.run import train

    return train(load_config(path, changes))


def told(out: Path, key: str = "loss") -> dict[int, float]:
    """Step -> what metrics.jsonl says."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    return {line["step"]: line[key] for line in lines if key in line}


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def base(checkpoints: Folders) -> Path:  # noqa: F811
    return checkpoints("qwen2-vl")


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of eight steps that nothing disturbed; its settings are beside it."""
    folder = tmp_path_factory.mktemp("sft")
    trained(settings(folder, base, steps=8, eval_every=4, save_every=2, keep=3, dropout=0.2, merger="train"))
    return folder


def test_what_a_run_leaves(whole: Path, base: Path) -> None:
    run = whole / "run"
    assert sorted(told(run)) == list(range(1, 9)) and all(loss > 0 for loss in told(run).values())
    assert sorted(told(run, "eval_score")) == sorted(told(run, "eval_loss")) == [4, 8]
    adapter = run / "adapter"
    assert json.loads((adapter / "surveyor.json").read_text()) == {"dialect": "native"}
    card = (adapter / "README.md").read_text()
    for part in (str(base), "CC0-1.0", "| squares |", "33 | 3 |", "score", "## Limits", "rank: 4", "qwen2vl:"):
        assert part in card, part
    best = min(told(run, "eval_best"), key=lambda step: -told(run, "eval_best")[step])
    assert (run / f"checkpoint-{best}").is_dir() and f"checkpoint-{best}" in card
    lines = [json.loads(line) for line in (run / "replies" / "step-0000008.jsonl").read_text().splitlines()]
    assert len(lines) == 4 and {"id", "asked", "right", "said", "status"} <= set(lines[0])


def test_the_result_answers_at_once(whole: Path, base: Path) -> None:
    from surveyor.tools.models.qwen2vl.adapter import Qwen2VL

    model = Qwen2VL.at(f"{base}+{whole / 'run' / 'adapter'}?device=cpu&max_tokens=40")
    assert model.answerer.tasks.name == "native" and model.check_report()["adapters"] == "all other tasks"
    scene = Scene.open(whole / "data" / "a.png")
    assert isinstance(model.ground(scene, "square"), tuple)


def test_killed_with_signal_9_it_goes_on_as_if_nothing_had_been(whole: Path, base: Path) -> None:
    """Same losses, scores and weights, bit for bit, though the file of metrics and a checkpoint were half written."""
    import torch

    shutil.copytree(whole / "data", whole / "again" / "data")
    path = settings(whole / "again", base, steps=8, eval_every=4, save_every=2, keep=3, dropout=0.2, merger="train")
    out = whole / "again" / "run"
    environment = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, str(HERE / "killed_sft.py"), str(path)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 300
        while not (out / "metrics.jsonl").exists() or max(told(out), default=0) < 5:
            assert child.poll() is None and time.monotonic() < until, child.stderr and child.stderr.read()
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert child.returncode == -signal.SIGKILL and not (out / "adapter").exists()
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    shutil.copytree(out / "checkpoint-4", out / "checkpoint-8")
    (out / "checkpoint-8" / "trainer_state.json").unlink()
    trained(path)
    run = whole / "run"
    for key in ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_score", "eval_best"):
        assert told(out, key) == told(run, key), key
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    for folder in ("adapter", "checkpoint-8"):
        ours, theirs = weights(out / folder), weights(run / folder)
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finished_run_makes_its_result_again_and_trains_no_more(whole: Path) -> None:
    before = (whole / "run" / "metrics.jsonl").read_text()
    shutil.rmtree(whole / "run" / "adapter")
    assert trained(whole / "run.yaml").steps == 8
    assert (whole / "run" / "adapter" / "README.md").exists() and told(whole / "run") == told_in(before)


def told_in(text: str) -> dict[int, float]:
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def test_a_run_goes_on_with_its_own_settings_and_records_only(whole: Path, base: Path) -> None:
    with pytest.raises(UsageError, match=r"holds a run with other settings \(lr was 0.01, is 0.5\)"):
        trained(whole / "run.yaml", "lr=0.5")
    train = whole / "data" / "train.jsonl"
    text = train.read_text()
    try:
        train.write_text("\n".join(text.splitlines()[:-1]) + "\n")
        with pytest.raises(UsageError, match="the records of train have changed"):
            trained(whole / "run.yaml")
    finally:
        train.write_text(text)


def test_one_scene_is_learnt_by_heart(base: Path, tmp_path: Path) -> None:
    """All weights of a random base learn to repeat a record that they see often, and the score says so."""
    picture = drawn(tmp_path / "data", "a.png")
    box = Marked(kind="obb", points=((40, 20), (80, 20), (80, 60), (40, 60)))
    common: dict[str, Any] = {"task": "det", "pictures": (picture,), "phrase": "plane", "regions": (box,)}
    for name, split in (("train", "train"), ("val", "val")):
        record = Instruction(id=name, family=name, split=split, source="s", licence="l", **common)
        written(tmp_path / "data" / f"{name}.jsonl", [with_messages(record)])
    path = settings(
        tmp_path, base, method="full", steps=80, global_batch=1, batch=1, lr=0.003, eval_max_tokens=60, save_every=80
    )  # fmt: skip
    done = trained(path)
    losses = told(tmp_path / "run")
    assert losses[80] < 0.1 < 3 < losses[1]
    assert done.metrics["eval_det_f1"] == done.metrics["eval_score"] == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_and_part_learns(family: str, checkpoints: Folders, tmp_path: Path) -> None:  # noqa: F811
    """All three parts change where they are to learn, and only then; bf16 with activations computed twice."""
    path = settings(
        tmp_path, checkpoints(family), steps=2, vision="train", merger="train", precision="bf16", val=[], save_every=2
    )
    done = trained(path)
    learnt = weights(done.folder)
    for part in ("language_model", "visual.blocks", "visual.merger"):
        changed = [bool(value.any()) for name, value in learnt.items() if part in name and "lora_B" in name]
        assert changed and all(changed), part
    assert not any("visual.patch_embed" in name or "embed_tokens" in name for name in learnt)
    shutil.rmtree(done.folder.parent)
    frozen = trained(path, "vision=frozen", "merger=frozen", "layers=[q_proj]")
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in weights(frozen.folder)} == {"q_proj"}


def test_the_projector_alone_learns_and_records_without_pictures_do_no_harm(base: Path, tmp_path: Path) -> None:
    none = dict.fromkeys(("det", "rec", "res", "rcd", "region", "vqa", "count", "scene", "geoloc"), 0)
    path = settings(
        tmp_path, base, language="frozen", merger="train", task_weights=none, val=[], batch=1, steps=4
    )  # fmt: skip
    learnt = weights(trained(path).folder)
    assert learnt and all("visual.merger" in name for name in learnt)
    assert len(told(tmp_path / "run")) == 4


def test_all_weights_can_be_trained_and_the_folder_is_a_checkpoint(base: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from surveyor.tools.models.qwen2vl.engine import engine_at

    done = trained(settings(tmp_path, base, method="full", steps=2, lr=0.001, eval_records=2))
    assert done.folder.name == "model"
    before, after = load_file(base / "model.safetensors"), load_file(done.folder / "model.safetensors")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if "visual" in name}  # the tower and the merger were frozen
    engine = engine_at(f"{done.folder}?device=cpu")
    assert engine.tasks.name == "native" and engine.pixel_bounds == engine_at(f"{base}?device=cpu").pixel_bounds
    assert "transformers" in (done.folder / "README.md").read_text().splitlines()[4]


def test_two_processes_learn_what_one_learns(base: Path, tmp_path: Path) -> None:
    """Over gloo; with steps in which one of them has no picture, and the vision tower learning."""
    one = settings(tmp_path, base, steps=4, batch=1, vision="train", dropout=0, eval_records=5, save_every=4)
    trained(one)
    two = tmp_path / "two.yaml"
    two.write_text(json.dumps(json.loads(one.read_text()) | {"out": str(tmp_path / "two")}))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command = [*command, "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", str(HERE / "killed_sft.py")]
    environment = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(two)], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert told(tmp_path / "two") == pytest.approx(told(tmp_path / "run"), rel=1e-3)
    assert told(tmp_path / "two", "eval_items") == {4: 5.0} == told(tmp_path / "run", "eval_items")
    assert told(tmp_path / "two", "eval_score") == pytest.approx(told(tmp_path / "run", "eval_score"), abs=0.2)


def test_the_forecast_counts_what_a_run_would_do(base: Path, tmp_path: Path) -> None:
    from surveyor.finetune.sft.run import forecast

    path = settings(tmp_path, base, steps=None, epochs=2, task_weights={"vqa": 0, "det": 2})
    found = forecast(load_config(path))
    assert found.tasks["det"] == 3 and "vqa" not in found.tasks and found.left_out == {"task with weight 0": 3}
    assert found.steps == -(-2 * (3 * 11 - 3 + 3) // 4) and found.held_out == 20
    assert not (tmp_path / "run").exists() and 0 < found.padding < 0.3
    shapes = weights(trained(path, "steps=1", "eval_records=1").folder)
    assert found.learning == sum(value.numel() for value in shapes.values())


def test_the_command_line(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from surveyor.app.cli import main

    path = settings(tmp_path, base, steps=1, eval_records=1, save_every=1)
    assert main(["train", "sft", str(path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("33: det 3", "padding", "1 (0.12 epochs)", "learn", "memory"))
    assert main(["train", "sft", str(path), "lr=0.02"]) == 0
    told_by = capsys.readouterr()
    assert told_by.out.strip() == str(tmp_path / "run" / "adapter") and "eval score" in told_by.err
    assert main(["train", "sft", str(path), "lrr=0.02"]) == 2
    assert "did you mean 'lr'" in capsys.readouterr().err


def test_only_the_first_process_prints(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from surveyor.app.cli import main

    monkeypatch.setenv("RANK", "1")
    assert main(["train", "sft", str(settings(tmp_path, base)), "--dry-run"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_tiny_config_fits_the_example(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two commands in its head, and what it would do; 60 steps of it take a minute."""
    from surveyor.finetune.records.files import read_records
    from surveyor.finetune.records.record import check_reads_back
    from surveyor.finetune.sft import example as sft_example
    from surveyor.finetune.sft.run import forecast

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sft_example", "runs/sft_tiny_data", "--scenes", "8"])
    sft_example.main()
    check_reads_back(read_records("runs/sft_tiny_data/train.jsonl"))
    shutil.copytree(base, "runs/sft_tiny_base")
    found = forecast(load_config(CONFIGS / "sft_tiny.yaml"))
    assert found.steps == 60 and {"det", "res", "rcd", "region", "count"} == {*found.tasks}
    assert found.learning == found.weights


@pytest.mark.parametrize("name", ["zero2", "fsdp"])
def test_the_launchers_settings_are_read_by_accelerate(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    path = CONFIGS / f"accelerate_{name}.yaml"
    read = load_config_from_file(str(path))
    assert read.distributed_type.value == {"zero2": "DEEPSPEED", "fsdp": "FSDP"}[name]
    assert path.name in path.read_text().splitlines()[0]


def test_under_fsdp_only_the_loss_can_choose(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="set best: loss"):
        trained(settings(tmp_path, base))


def test_a_loss_that_is_no_number_ends_the_run(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the loss at step \d+ is (nan|inf).*lower lr"):
        trained(settings(tmp_path, base, lr=1e30, clip=0, steps=8, val=[], warmup=0))


def test_an_image_that_is_damaged_is_told_with_its_line(base: Path, tmp_path: Path) -> None:
    path = settings(tmp_path, base, val=[])
    image = tmp_path / "data" / "b.png"
    image.write_bytes(image.read_bytes()[:60])
    with pytest.raises(UsageError, match=r"train.jsonl' line 1[2-9]|train.jsonl' line 2[0-2]"):
        trained(path, "steps=12")


def test_packages_that_are_missing_are_told_first(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from surveyor.finetune.sft import run as sft

    monkeypatch.setattr(sft, "find_spec", lambda name: None if name in ("mlflow", "tensorboardX") else object())
    with pytest.raises(MissingDependency, match="pip install mlflow"):
        trained(settings(tmp_path, base, report_to="mlflow"))


def test_batches_that_do_not_divide_and_gpus_without_a_launcher(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surveyor.finetune.sft import run as sft

    monkeypatch.setattr(sft.TrainingArguments, "n_gpu", 2)
    with pytest.raises(UsageError, match=r"2 GPUs are seen.*torchrun"):
        trained(settings(tmp_path, base))
    monkeypatch.undo()
    monkeypatch.setattr(sft.TrainingArguments, "world_size", 3)
    with pytest.raises(UsageError, match="no multiple of batch 2 x 3"):
        trained(settings(tmp_path, base))
