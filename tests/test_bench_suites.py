"""Whole benchmarks in one call: the mini suite as a user runs it, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.core.progress import noting
from surveyor.evals.bench.items import read_header, read_items
from surveyor.evals.datasets.held_out import CHANGE_HELD_OUT
from surveyor.evals.report.scoring import score_run
from surveyor.evals.suites import CHANGED_UNLABELLED, DRAWN, SUITES, modes, run_suite
from surveyor.tools.models.spec import load_models

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite") / "mini"
    assert main(["bench", "suite", "mini", "--out", str(folder), "--no-cache"]) == 0
    return folder


def figures(folder: Path, part: str, mode: str) -> dict[str, float | None]:
    run = score_run(folder / "runs" / part / mode)
    return next(iter(run.tables.values())).values()


@pytest.mark.parametrize(
    ("part", "mode", "metrics"),
    [
        ("crec-drawn", "oracle-boxes-and-parser", ("f1_macro@0.75", "set_acc@0.75", "n_acc", "t_acc")),
        ("crec-drawn", "oracle-boxes", ("f1_macro@0.75", "set_acc@0.75")),
        ("crec-drawn-rich", "oracle-boxes-and-parser", ("f1_macro@0.75", "set_acc@0.75", "n_acc")),
        ("cres-drawn", "oracle-boxes-and-masks-and-parser", ("giou", "ciou", "n_acc")),
        ("rcd-drawn", "oracle-boxes-and-parser", ("F1_1", "giou", "n_acc", "component_f1@0.5")),
    ],
)
def test_with_the_truth_for_every_part_the_mini_suite_scores_100(
    mini: Path, part: str, mode: str, metrics: tuple[str, ...]
) -> None:
    found = figures(mini, part, mode)
    assert {name: found[name] for name in metrics} == pytest.approx(dict.fromkeys(metrics, 1.0), abs=1e-5)


@pytest.mark.parametrize(
    ("part", "metric", "weak"),
    [
        ("crec-drawn", "f1_macro@0.5", ("baseline-whole-class", "baseline-centre", "baseline-largest")),
        ("cres-drawn", "giou", ("baseline-whole-class", "baseline-centre", "baseline-largest")),
        ("rcd-drawn", "F1_1", ("baseline-region-blind", "baseline-no-change")),
    ],
)
def test_the_models_lie_between_the_baselines_and_the_truth(
    mini: Path, part: str, metric: str, weak: tuple[str, ...]
) -> None:
    full = figures(mini, part, "full")[metric]
    best = figures(mini, part, "oracle-boxes")[metric]
    assert full is not None and best is not None
    for mode in weak:
        low = figures(mini, part, mode)[metric]
        assert low is not None and low < full < best


def test_every_item_is_answered_in_every_mode(mini: Path) -> None:
    for part in SUITES["mini"]:
        wanted = [item.id for item in read_items(mini / "items" / f"{part.name}.jsonl")]
        folders = sorted(path for path in (mini / "runs" / part.name).iterdir() if path.is_dir())
        assert len(wanted) > 20 and len(folders) == len(modes(part.task, is_seen=part.is_seen))
        for folder in folders:
            run = score_run(folder)
            assert run.missing == 0 and len(run.predictions) == len(wanted), folder


def test_the_report_is_there_with_its_waterfall_and_pictures(mini: Path) -> None:
    content = json.loads((mini / "report" / "report.json").read_text())
    assert len(content["sections"]) == len(SUITES["mini"])
    text = (mini / "report" / "report.md").read_text()
    assert "Where the errors are" in text and "left: reasoning" in text
    assert "data:image/jpeg" in (mini / "report" / "report.html").read_text()


def test_the_same_call_goes_on_and_changes_nothing(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in sorted(mini.rglob("*.jsonl"))}
    assert main(["bench", "suite", "mini", "--out", str(mini), "--only", "crec-drawn"]) == 0
    assert {path: path.read_bytes() for path in sorted(mini.rglob("*.jsonl"))} == before
    shown = capsys.readouterr().out
    assert "crec-drawn: CREC on drawn scenes" in shown and "oracle boxes and parser" in shown


def test_items_of_another_build_are_not_mixed_with_these(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini / "items", tmp_path / "items")
    with pytest.raises(UsageError, match=r"crec-drawn.jsonl' was built by another program.*give another folder"):
        run_suite("mini", tmp_path, only=["crec-drawn"], limit=5)
    assert read_header(tmp_path / "items" / "crec-drawn.jsonl").admitted > 5  # untouched


def test_drawn_parts_ask_for_what_the_built_in_detector_knows() -> None:
    known = {name.replace("_", " ") for name in load_models().grounder.knows() or ()}
    assert set(DRAWN) <= known


def test_what_is_refused(tmp_path: Path) -> None:
    for name, options, told in [
        ("maxi", {}, "no suite 'maxi'; expected one of: mini, shared"),
        ("mini", {"only": ["x"]}, "has no part 'x'; it has crec-drawn"),
        ("mini", {"data": tmp_path}, "draws its images; leave out --data"),
        ("shared", {}, "give --data DIR"),
        ("shared", {"data": tmp_path / "none"}, "there is no folder"),
        ("shared", {"data": tmp_path}, "nothing of the suite 'shared' is in .*expected change, dota_devkit"),
    ]:
        with pytest.raises(UsageError, match=told):
            run_suite(name, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert main(["bench", "suite", "maxi", "--out", str(tmp_path)]) == 2


@pytest.mark.skipif(not (SHARED / "change").is_dir(), reason=f"needs real pairs in {SHARED / 'change'}")
def test_pairs_kept_apart_are_those_and_no_others(tmp_path: Path) -> None:
    parts = [part for part in SUITES["shared"] if part.task == "RCD"]
    names = [record.image.stem.removesuffix("_pre_disaster") for part in parts for record in part.records(SHARED)]
    every = {each for names_ in CHANGE_HELD_OUT.values() for each in names_}
    assert set(CHANGED_UNLABELLED) < every and len(names) == len(every) - len(CHANGED_UNLABELLED)
    for kept in every - set(CHANGED_UNLABELLED):
        assert sum(name == kept or name.startswith(f"{kept}_") for name in names) == 1, kept
    left = {source: len(set(kept) - set(CHANGED_UNLABELLED)) for source, kept in CHANGE_HELD_OUT.items()}
    assert left["fotbcd"] >= 3 and left["levir"] >= 2 and left["dsifn"] >= 2 and left["xbd"] >= 1


@pytest.mark.skipif(not (SHARED / "dota_devkit").is_dir(), reason=f"needs real scenes in {SHARED / 'dota_devkit'}")
def test_on_real_scenes_the_truth_scores_100_and_missing_parts_are_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "dota_devkit").symlink_to(SHARED / "dota_devkit")
    notes: list[str] = []
    with noting(notes):
        (did,) = run_suite("shared", tmp_path / "out", data=data, limit=6)
    assert did.part.name == "crec-dota" and did.header.admitted > 0
    assert any("crec-nwpu is left out" in note for note in notes)
    assert figures(tmp_path / "out", "crec-dota", "oracle-boxes-and-parser")["set_acc@0.5"] == 1.0


def test_colours_are_asked_for_where_the_call_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = f"synth:{tmp_path / 's'}?scenes=10", tmp_path / "items.jsonl"
    assert main(["bench", "build", "cres", "--source", source, "--n", "40", "--colours", "--out", str(out)]) == 0
    assert any("A4" in item.tags for item in read_items(out))
    assert "--colours" in read_header(out).command
    plain = tmp_path / "plain.jsonl"
    assert main(["bench", "build", "cres", "--source", source, "--n", "40", "--out", str(plain)]) == 0
    assert not any("A4" in item.tags for item in read_items(plain))
    assert main(["bench", "build", "crec", "--source", source, "--colours", "--out", str(tmp_path / "x.jsonl")]) == 2
    assert "ask for cres" in capsys.readouterr().err
