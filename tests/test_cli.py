"""The command line as people use it: answers on stdout, talk on stderr, exit codes, and no traceback for bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from surveyor.app import cli_doctor, screen
from surveyor.app.cli import main
from surveyor.core.plan import Plan
from surveyor.core.trace import Trace
from surveyor.synth import draw_scene

KEYS = {"query", "answer", "count", "values", "regions", "rejected", "plan", "failure", "timings"}
REGION_KEYS = {
    "id", "label", "score", "corners_px", "box_px", "polygon_px", "area_px", "length_px", "length_m", "area_m2",
    "verdicts",
}  # fmt: skip


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with airport.png and airport.json, its true annotation."""
    folder = tmp_path_factory.mktemp("drawn")
    scene = draw_scene("airport", seed=7, size_wh=(512, 512))
    cv2.imwrite(str(folder / "airport.png"), scene.image_rgb[..., ::-1])
    (folder / "airport.json").write_text(json.dumps(scene.to_coco("airport.png")))
    return folder


@pytest.fixture(autouse=True)
def in_drawn(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("COLUMNS", "80")
    screen.talk.cache_clear()


ORACLE = ("--models", "grounder=oracle:airport.json,segmenter=oracle:airport.json")


def ask(query: str, *more: str, image: str = "airport.png") -> int:
    return main(["ask", image, query, *ORACLE, *more])


def told(capfd: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """stdout as it is, stderr in lines."""
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return out, err.splitlines()


# ---- answers -----------------------------------------------------------------------------------------------------


def test_answer_then_table_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert ask("planes in the northern half longer than 30 m", "--gsd", "1") == 0
    out, err = told(capfd)
    assert out.startswith("Found ") and err == []
    assert "A  in the top half" in out or "A  in the northern half" in out
    _, table = out.split("\n\n", 1)
    assert "✓" in table and "✗" in table and max(map(len, table.splitlines())) <= 80


def test_json_is_one_object_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    assert ask("planes longer than 30 m", "--json") == 0
    out, _ = told(capfd)
    assert out.count("\n") == 1
    answer = json.loads(out)
    assert set(answer) >= KEYS
    assert answer["regions"] == [] and answer["rejected"], "without metres nothing can be longer than 30 m, or shorter"
    for region in answer["rejected"]:
        assert set(region) >= REGION_KEYS
        assert list(region["verdicts"].values()) == [None] and region["length_m"] is None
        assert np.shape(region["corners_px"]) == (4, 2) and np.shape(region["box_px"]) == (4,)


def test_nothing_matched_is_exit_code_0(capfd: pytest.CaptureFixture[str]) -> None:
    assert ask("planes longer than 3 km", "--gsd", "1") == 0
    out, _ = told(capfd)
    assert "none left after this" in out


def test_out_gets_the_files(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ask("segment the two largest planes", "--out", str(tmp_path / "out")) == 0
    _, err = told(capfd)
    assert err == [f"wrote overlay.png, regions.geojson, trace.json in {tmp_path / 'out'}/"]
    trace = Trace.from_json((tmp_path / "out" / "trace.json").read_text())
    assert trace.query == "segment the two largest planes" and trace.answer is not None
    assert cv2.imread(str(tmp_path / "out" / "overlay.png")) is not None
    features = json.loads((tmp_path / "out" / "regions.geojson").read_text())["features"]
    assert sum(feature["properties"]["status"] == "kept" for feature in features) == 2


def test_python_and_command_line_give_the_same_object(capfd: pytest.CaptureFixture[str]) -> None:
    import surveyor

    query = "the largest plane"
    assert ask(query, "--json", "--gsd", "1") == 0
    printed = json.loads(told(capfd)[0])
    returned = surveyor.ask("airport.png", query, models=ORACLE[1], gsd=1).to_dict()
    assert {**printed, "timings": {}} == {**json.loads(json.dumps(returned)), "timings": {}}


# ---- plans -------------------------------------------------------------------------------------------------------


def test_plan_shows_numbered_sub_instructions(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "detect all planes on the east bank of the river"]) == 0
    lines = told(capfd)[0].splitlines()
    assert lines[0] == "1. detect all planes"
    assert lines[-1].startswith("3. select those on the east") and lines[-1].endswith("(from 1, 2)")


def test_plan_yaml_runs_again(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "planes longer than 30 m", "--yaml"]) == 0
    text = told(capfd)[0]
    file = tmp_path / "plan.yaml"
    file.write_text(text.replace("value: 30.0", "value: 1.0"))
    assert Plan.from_yaml(text).query == "planes longer than 30 m"
    assert main(["run", str(file), "airport.png", *ORACLE, "--gsd", "1", "--json"]) == 0
    answer = json.loads(told(capfd)[0])
    assert answer["count"] > 0 and answer["rejected"] == []


def test_plan_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "planes", "--json"]) == 0
    assert Plan.model_validate(json.loads(told(capfd)[0])).steps[0].instruction == "detect all planes"


def test_a_plan_tells_what_it_leaves_aside(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    query, note = "For my thesis, planes longer than 30 m", "Not part of the request: 'For my thesis'."
    assert main(["plan", query]) == 0
    lines, talked = told(capfd)
    assert lines.startswith("1. detect all planes") and "thesis" not in lines and f"note: {note}" in talked
    for option in ("--json", "--yaml"):
        assert main(["plan", query, option]) == 0
        text = told(capfd)[0]
        assert Plan.from_yaml(text).notes == (note,)
        (tmp_path / "plan.yaml").write_text(text)
        assert main(["run", str(tmp_path / "plan.yaml"), "airport.png", *ORACLE, "--gsd", "1", "--json"]) == 0
        assert json.loads(told(capfd)[0])["notes"][0] == note
    assert main(["plan", "planes", "--json"]) == 0
    assert "notes" not in json.loads(told(capfd)[0])


CIRCLE = """
steps:
- {id: a, tool: select, inputs: {candidates: b}, args: {condition: {kind: size, word: large}}}
- {id: b, tool: select, inputs: {candidates: a}, args: {condition: {kind: size, word: large}}}
outputs: [b]
"""
UNKNOWN_TOOL = "steps: [{id: a, tool: divine, args: {phrases: [plane]}}]\noutputs: [a]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(CIRCLE, "circle", id="circle"),
        pytest.param(UNKNOWN_TOOL, "'divine'", id="unknown tool"),
        pytest.param("steps: []\noutputs: []", "steps", id="no steps"),
        pytest.param("just words", "mapping", id="no mapping"),
        pytest.param("{", "YAML", id="no YAML"),
        pytest.param("steps: [{id: a, tool: count}]\noutputs: [a]", "candidates", id="input missing"),
    ],
)
def test_bad_plans(text: str, says: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    assert main(["run", str(tmp_path / "plan.yaml"), "airport.png", *ORACLE]) == 2
    out, err = told(capfd)
    assert out == "" and len(err) == 1 and says in err[0]


# ---- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param("planes that frobnicate the river", id="nonsense condition"),
        pytest.param("les avions au nord de la piste", id="French"),
        pytest.param("跑道以北的飞机", id="Chinese"),
        pytest.param("plane " * 833, id="5,000 characters"),
        pytest.param("unicorns near the runway", id="unknown class"),
        pytest.param("\x1b[31mplanes\x00", id="control characters"),
    ],
)
def test_bad_queries(query: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(query) == 2
    out, err = told(capfd)
    assert out == "" and err[0].startswith("error: ") and len(err) in (1, 3)
    if len(err) == 3:
        assert set(err[2]) <= {" ", "^"} and max(map(len, err[1:])) <= 80
    assert "\x1b" not in "".join(err[1:]) and "\x00" not in "".join(err)


@pytest.mark.parametrize("name", ["missing.png", "empty.png", "words.png", "cut.png", "."])
def test_bad_images(name: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.png").write_text("not a picture")
    whole = Path("airport.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 3])
    assert ask("planes", image=str(tmp_path / name)) == 2
    out, err = told(capfd)
    assert out == "" and len(err) == 1 and err[0].startswith("error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["ask"], id="nothing given"),
        pytest.param(["ask", "airport.png", "planes", "--gsd", "wide"], id="gsd no number"),
        pytest.param(["ask", "airport.png", "planes", *ORACLE, "--gsd", "-1"], id="gsd negative"),
        pytest.param(["ask", "airport.png", "planes", *ORACLE, "--gsd", "nan"], id="gsd nan"),
        pytest.param(["ask", "airport.png", "planes", "--models", "grounder=divination"], id="unknown backend"),
        pytest.param(["ask", "airport.png", "planes", "--models", "seer=compact"], id="unknown role"),
        pytest.param(["ask", "airport.png", "planes", "--models", "grounder=oracle:none.json"], id="no annotation"),
        pytest.param(["ask", "airport.png", "planes", "--loud"], id="unknown option"),
        pytest.param(["run", "none.yaml", "airport.png"], id="no plan"),
        pytest.param(["plan", "planes", "--json", "--yaml"], id="both formats"),
        pytest.param(["frobnicate"], id="unknown command"),
        pytest.param(["ask", "airport.png", "planes", *ORACLE, "--out", "airport.png"], id="out is a file"),
    ],
)
def test_bad_calls(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = told(capfd)
    assert out == "" and len(err) == 1 and err[0].startswith("error: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_output_folder(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert ask("planes", "--out", str(tmp_path)) == 2
    assert "cannot be written to (Permission denied)" in told(capfd)[1][0]


def test_disk_full(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", full)
    assert ask("planes", "--out", str(tmp_path / "out")) == 1
    out, err = told(capfd)
    assert out == "" and len(err) == 1
    assert err[0].endswith("overlay.png: could not be written: No space left on device")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bug_asks_for_a_report(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("surveyor.agent.run.make_plan", broken)
    assert main(["plan", "planes"]) == 1
    assert "--debug" in told(capfd)[1][0]
    assert main(["--debug", "plan", "planes"]) == 1
    assert "Traceback" in capfd.readouterr().err


# ---- signals and pipes -------------------------------------------------------------------------------------------

CLI = [sys.executable, "-m", "surveyor.app.cli"]


def test_a_reader_that_leaves_is_no_error() -> None:
    program = f"{' '.join(CLI)} plan 'planes longer than 3 m' --json"
    script = f"set -o pipefail; ({program}; echo code $? >&2) | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip() in ("code 141", "code 0"), "0 when it was quicker than `true`"


def test_ctrl_c_is_one_line_and_130(drawn: Path) -> None:
    code = (
        "import signal, sys, time, surveyor.agent.run as run\n"
        "from surveyor.app.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in jobs that a shell put aside
        "def slow(*a, **k):\n    print('started', flush=True)\n    time.sleep(60)\n"
        "run.ask = slow\n"
        "sys.exit(main(['ask', 'airport.png', 'planes']))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True, cwd=drawn) as process:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines() == ["interrupted: nothing more was written"]


# ---- the other commands ------------------------------------------------------------------------------------------


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    import surveyor

    assert main(["--version"]) == 0
    assert told(capfd)[0] == f"surveyor {surveyor.__version__}\n"


def test_no_command_shows_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "doctor" in told(capfd)[0]


def test_models_lists_backends_and_what_they_know(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = told(capfd)[0]
    assert "grounder=compact  (default)" in out and "grounder=oracle:FILE" in out
    assert "knows: airplane" in out
    told_of = [line for line in out.splitlines() if "cannot be used" in line]
    assert all("the nano model" in line for line in told_of)  # without the qwen extra


def test_models_lists_tools(capfd: pytest.CaptureFixture[str]) -> None:
    from surveyor.tools.registry import TOOLS

    assert main(["models", "--tools"]) == 0
    out = told(capfd)[0]
    assert all(tool.name in out for tool in TOOLS)


def test_doctor_is_content_here(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = told(capfd)[0]
    assert "All is ready." in out and "weights" in out


@pytest.mark.parametrize("name", ["_weights", "_packages", "_trial"])
def test_doctor_says_what_to_do(name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for check in ("_weights", "_packages", "_trial"):
        state = "bad" if check == name else "fine"
        monkeypatch.setattr(
            cli_doctor, check, lambda state=state: cli_doctor.Check(state, "x", "damaged", "do this" * (state == "bad"))
        )
    assert main(["doctor"]) == 1
    out = told(capfd)[0]
    assert "-> do this" in out and "1 thing to mend" in out
