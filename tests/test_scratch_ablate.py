"""The ablation of further tasks: equal starts and steps, finished runs kept, a table of all seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from qwen2vl_checkpoints import MISSING, one_thread  # noqa: F401
from surveyor.core.errors import UsageError
from test_train_scratch_qwen2vl import CONFIG, SMALL

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
ABLATION = CONFIG.with_name("tiny_qwen2vl_ablation.yaml")


def test_arms_begin_alike_and_finished_runs_are_kept(tmp_path: Path) -> None:
    from surveyor.finetune.scratch.ablate import read_ablation, run_arm, table
    from surveyor.finetune.scratch.train import train

    torch = pytest.importorskip("torch", reason="torch is not installed")
    base = yaml.safe_load(CONFIG.read_text()) | SMALL
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(base))
    shared = {"cache": str(tmp_path / "drawn")}
    start = train({**base, **shared, "out": str(tmp_path / "start"), "mix": {"det": 1}})
    begun = {name: value.clone() for name, value in start.model.state_dict().items()}
    told = {
        "config": "tiny.yaml", "start": str(tmp_path / "start"), "out": str(tmp_path / "out"), **shared,
        "seeds": [1], "stages": [{"steps": 2, "batch": 2, "lr": 0.0}], "mix": {"det": 1, "region": 1, "change": 1},
        "arms": {"without": {}, "cyclic": {"refer": 5}}, "measured": {"rows": 2, "seed": 3},
    }  # fmt: skip
    (tmp_path / "ablation.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    read = read_ablation(tmp_path / "ablation.yaml", ["seeds=[1, 2]"])
    runs = [run_arm(read, arm, seed) for seed in read["seeds"] for arm in read["arms"]]
    for arm in told["arms"]:  # a rate of 0: whatever is shown, what they began with is what they end with
        state = torch.load(tmp_path / "out" / f"{arm}-1" / "last.pt", weights_only=True)
        assert state["step"] == 2
        assert all(torch.equal(state["model"][name], value) for name, value in begun.items())
    assert runs[0]["forced"] == runs[1]["forced"] and runs[0]["forced"]["det"]["numbers"] > 0
    logged = [json.loads(line) for arm in told["arms"] for line in (tmp_path / "out" / f"{arm}-1" / "log.jsonl").read_text().splitlines()]  # fmt: skip  # noqa: E501
    assert logged[1]["loss"] != logged[3]["loss"]  # but they were shown other things
    made = table(runs)
    assert "| figure, held out | without | cyclic |" in made and "numbers of boxes, nats" in made
    place = tmp_path / "out" / "without-1" / "figures.json"
    place.write_text(json.dumps({**runs[0], "seed": 77}))
    assert run_arm(read, "without", 1)["seed"] == 77  # read, not made again


def test_a_table_tells_mean_and_range_and_leaves_out_what_is_not_there() -> None:
    from surveyor.finetune.scratch.ablate import table

    runs = [
        {"arm": arm, "held_out": {"det": {"f1@0.5": f1}}, "forced": {}}
        for arm, f1 in [("a", 0.2), ("a", 0.4), ("b", None)]
    ]
    lines = table(runs).splitlines()
    assert (
        next(line for line in lines if line.startswith("| boxes F1@0.5"))
        == "| boxes F1@0.5 | 0.300 (0.200 to 0.400) |  |"
    )


def test_the_committed_file_fits_the_recipe() -> None:
    from surveyor.finetune.scratch.ablate import read_ablation
    from surveyor.finetune.scratch.shown import MAKERS
    from surveyor.finetune.scratch.train import read_config

    told = read_ablation(ABLATION)
    config = read_config(told["config"])
    assert {"start", "cache", "stages", "out", "seed", "mix"} <= set(config)
    assert all(set(told["mix"]) | set(arm) <= set(MAKERS) for arm in told["arms"].values())
    with pytest.raises(UsageError, match="unknown key 'sedes'"):
        read_ablation(ABLATION, ["sedes=[1]"])
