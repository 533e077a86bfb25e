"""`surveyor models` and its check: the commands, the request to each role, and the test of coordinates."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.app import models_check
from surveyor.app.cli import main
from surveyor.app.models_check import memory_bytes
from surveyor.app.models_pull import count_in_words, size_in_words
from surveyor.app.models_smoke import SIZE_WH, Reporting, try_model, verify_boxes
from surveyor.core.budget import charge
from surveyor.core.errors import MissingDependency, ModelOutputError, ToolFailed, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.progress import note
from surveyor.core.protocols import Description
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models import spec
from surveyor.tools.models.checkpoint_names import by_hand
from surveyor.tools.models.fakes import FakeChangeDetector, FakeChatModel, FakeDescriber, FakeGrounder, FakeSegmenter
from test_cli_models_folder import SHARD, adapter, qwen  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
Capture = pytest.CaptureFixture[str]
RED = np.array([280.0, 35, 420, 119])  # of the drawn card
TO_GRID = np.tile(1000 / np.array(SIZE_WH), 2)


def region(box: np.ndarray, label: str = "red rectangle") -> Region:
    return Region(f"{label}-1", label, box_to_corners(box), box, None, source="test")


class Vlm(FakeGrounder):
    """A grounder of any phrase that writes numbers of one convention while it declares another."""

    def __init__(self, writes: str, declares: str, box: np.ndarray = RED, **more: str) -> None:
        super().__init__(open_vocabulary=True)
        self._report = {"coordinates": f"{declares} of the picture", "class": "Vlm", "dtype": "bfloat16"} | more
        numbers = box * TO_GRID if writes == "0-1000" else box
        self._box = numbers / TO_GRID if declares == "0-1000" else numbers
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def check_report(self) -> dict[str, str]:
        assert self.loads == 1 and self.calls, "asked before the model was"
        return self._report

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        self._called(scene.name, phrase)
        charge(calls=1, tokens=100)
        return (region(self._box, phrase),) if phrase == "red rectangle" else ()


def declared(text: str | None) -> Callable[[], str | None]:
    return lambda: text


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen on which no line is broken."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Adds a backend for the length of a test."""

    def add(role: str, name: str, make: Callable[[str], Any], argument: str | None = "DIR") -> None:
        others = tuple(old for old in spec.BACKENDS if (old.role, old.name) != (role, name))
        monkeypatch.setattr(spec, "BACKENDS", (*others, spec.Backend(role, name, argument, "a test's", make)))

    return add


class TestCommands:
    def test_list_is_what_it_does_without_a_command(self, capfd: Capture) -> None:
        told = []
        for words in (["models"], ["models", "list"]):
            assert main(words) == 0
            told.append(capfd.readouterr().out)
        assert told[0] == told[1] and "grounder=compact" in told[0]

    def test_tools_with_and_without_the_word(self, tmp_path: Path, capfd: Capture) -> None:
        file = tmp_path / "mine.py"
        file.write_text(
            "import surveyor\n\n@surveyor.tool\ndef widen(set: surveyor.CandidateSet) -> surveyor.CandidateSet:\n"
            '    """Makes them wider."""\n    return set\n'
        )
        told = []
        for words in (["models", "--tools", str(file)], ["models", "list", "--tools", str(file)]):
            assert main(words) == 0, capfd.readouterr().err
            told.append(capfd.readouterr().out)
        assert told[0] == told[1] and "widen" in told[0] and "ground" in told[0]

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            pytest.param(["pul", "x"], "there is no command 'pul'; expected: list, pull ID, or check SPEC", id="typo"),
            pytest.param(["mine.py"], "'mine.py' holds tools; list them with --tools", id="file-alone"),
            pytest.param(["--tolls"], "--tolls", id="option"),
            pytest.param(["pull"], "ID", id="no-id"),
            pytest.param(["check"], "SPEC", id="no-spec"),
            pytest.param(["check", ""], "'' names no model", id="empty-spec"),
            pytest.param(["check", "compact"], "'compact' names no model", id="no-role"),
            pytest.param(["check", "grounder=magic"], "there is no grounder backend 'magic'", id="no-backend"),
            pytest.param(["check", "grounder=compact,grounder=compact"], "is given twice", id="twice"),
        ],
    )
    def test_usage_errors(self, words: list[str], says: str, capfd: Capture) -> None:
        assert main(["models", *words]) == 2
        assert says in capfd.readouterr().err

    @pytest.mark.parametrize("words", [["--help"], ["pull", "-h"], ["check", "--help"], ["list", "-h"]])
    def test_help_teaches_by_example(self, words: list[str], capfd: Capture) -> None:
        assert main(["models", *words]) == 0
        out = capfd.readouterr().out
        assert "surveyor models" in out and re.search("Examples?", out)

    @pytest.mark.parametrize("example", ["grounder=compact", "grounder=compact,segmenter=compact"])
    def test_the_examples_of_help_run(self, example: str, capfd: Capture) -> None:
        assert main(["models", "--help"]) == main(["models", "check", "--help"]) == 0
        assert f"check {example}" in " ".join(capfd.readouterr().out.split())
        assert main(["models", "check", example]) == 0
        out = capfd.readouterr().out
        assert "CompactGrounder" in out and "verified: " in out and "memory" in out


class TestCheck:
    def test_every_compact_role_is_right(self, capfd: Capture) -> None:
        assert main(["models", "check", "grounder=compact, segmenter=compact, describer=compact"]) == 0
        out = capfd.readouterr().out
        assert out.count("✓") == 3 and "load and request" in out

    def test_a_model_that_reports(self, backend: Callable[..., None], capfd: Capture) -> None:
        told = {"tokens/s": "41.5", "dialect": "qwen2-vl", "attention": "sdpa"}
        backend("grounder", "test", lambda _: Vlm("0-1000", "0-1000", **told))
        assert main(["models", "check", "grounder=test:x"]) == 0
        out = capfd.readouterr().out
        rows = [line.split()[0] for line in out.splitlines()[1:] if line.strip()]
        order = ["class", "dtype", "dialect", "coordinates", "load", "request", "memory", "tokens/s", "attention", "✓"]
        assert rows == order
        assert "0-1000 of the picture (declared)" in out and "41.5" in out
        assert "verified: 1 of 1 boxes lie on a drawn red rectangle (IoU 1.00)" in out

    def test_tokens_are_counted_where_the_model_tells_no_speed(
        self, backend: Callable[..., None], capfd: Capture
    ) -> None:
        backend("grounder", "test", lambda _: Vlm("0-1000", "0-1000"))
        assert main(["models", "check", "grounder=test:x"]) == 0
        assert "100 read and written" in capfd.readouterr().out

    def test_a_lie_about_coordinates_fails(self, backend: Callable[..., None], capfd: Capture) -> None:
        backend("grounder", "test", lambda _: Vlm("absolute px", "0-1000"))
        assert main(["models", "check", "grounder=test:x"]) == 1
        out = capfd.readouterr().out
        assert "✗" in out and "contradicted: the boxes fit better as absolute px (1 of 1 against 0)" in out

    def test_one_failure_among_several_still_shows_all(self, backend: Callable[..., None], capfd: Capture) -> None:
        backend("chat", "test", lambda _: FakeChatModel([""]))
        assert main(["models", "check", "chat=test:x,grounder=compact"]) == 1
        out = capfd.readouterr().out
        assert "empty" in out and "verified" in out

    @pytest.mark.parametrize(
        ("error", "code", "says"),
        [
            pytest.param(ModelOutputError("no box", "bla bla"), 1, "unreadable: 'bla bla' (no box)", id="unreadable"),
            pytest.param(ToolFailed("server down"), 1, "failed: server down", id="tool"),
            pytest.param(UsageError("bad weights"), 2, "error: bad weights", id="usage"),
            pytest.param(MissingDependency("x", "pip install y"), 2, "pip install y", id="missing"),
            pytest.param(RuntimeError("ours"), 1, "a bug in surveyor: RuntimeError: ours", id="bug"),
        ],
    )
    def test_exit_codes(
        self, error: Exception, code: int, says: str, backend: Callable[..., None], capfd: Capture
    ) -> None:
        backend("grounder", "test", lambda _: FakeGrounder(open_vocabulary=True, failure=error))
        assert main(["models", "check", "grounder=test:x"]) == code
        told = capfd.readouterr()
        assert says in told.out + told.err

    @pytest.mark.parametrize(
        ("error", "code", "says"),
        [
            pytest.param(UsageError("status 401: is the key right?"), 2, "is the key right?", id="usage"),
            pytest.param(MissingDependency("x", "pip install y"), 2, "pip install y", id="missing"),
            pytest.param(OSError(5, "Input/output error"), 1, "Input/output error", id="system"),
            pytest.param(MemoryError(), 1, "out of memory", id="memory"),
            pytest.param(ModelOutputError("no box", "bla"), 1, "unreadable: 'bla'", id="unreadable"),
        ],
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_one_that_cannot_be_checked_stops_no_other(
        self, error: Exception, code: int, says: str, first: bool, backend: Callable[..., None], capfd: Capture
    ) -> None:
        backend("grounder", "test", lambda _: FakeGrounder(open_vocabulary=True, failure=error))
        backend("chat", "test", lambda _: FakeChatModel([""]))
        parts = ["grounder=test:x", "segmenter=compact", "chat=test:y"]
        assert main(["models", "check", ",".join(parts if first else parts[::-1])]) == code
        told = capfd.readouterr()
        assert all(part in told.out for part in parts) and says in told.out
        assert "the mask of a drawn airplane is right" in told.out and "empty" in told.out
        stopped = "1 of 3 models could not be checked: grounder" in told.err
        assert stopped == (not isinstance(error, ModelOutputError))

    def test_a_bad_checkpoint_stops_no_other_and_is_not_loaded(
        self, tmp_path: Path, backend: Callable[..., None], capfd: Capture
    ) -> None:
        made: list[str] = []
        backend("grounder", "qwen2vl", made.append)
        words = f"grounder=qwen2vl:{tmp_path / 'none'},describer=magic,segmenter=compact"
        assert main(["models", "check", words]) == 2 and not made
        told = capfd.readouterr()
        assert "there is no checkpoint folder" in told.out and "no describer backend 'magic'" in told.out
        assert "the mask of a drawn airplane is right" in told.out
        assert "2 of 3 models could not be checked: grounder, describer" in told.err

    def test_notes_of_loading_are_shown(self, backend: Callable[..., None], capfd: Capture) -> None:
        class Noting(FakeSegmenter):
            def load(self) -> None:
                note("no GPU: the CPU is used")

        backend("segmenter", "test", lambda _: Noting())
        assert main(["models", "check", "segmenter=test:x"]) == 0
        assert "no GPU: the CPU is used" in capfd.readouterr().out

    def test_the_oracle_is_not_asked_of_what_it_cannot_know(self, tmp_path: Path, capfd: Capture) -> None:
        file = tmp_path / "P1.txt"
        file.write_text("0 0 10 0 10 10 0 10 ship 0\n")
        assert main(["models", "check", f"grounder=oracle:{file},segmenter=oracle:{file},describer=oracle:{file}"]) == 0
        assert capfd.readouterr().out.count("not asked: it answers for the images of its file only") == 3


class TestCheckpoint:
    def test_files_are_looked_at_before_anything_is_loaded(
        self,
        qwen: Path,  # noqa: F811
        tmp_path: Path,
        backend: Callable[..., None],
        capfd: Capture,
    ) -> None:
        made: list[str] = []

        def make(argument: str) -> Vlm:
            made.append(argument)
            return Vlm("absolute px", "absolute px")

        backend("grounder", "qwen2vl", make)
        name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"
        lora = adapter(tmp_path / "lora", {name: (4, 8)})
        good = f"{qwen}+{lora}?dtype=float32"
        assert main(["models", "check", f"grounder=qwen2vl:{good}"]) == 0 and made == [good]
        out = " ".join(capfd.readouterr().out.split())
        assert "qwen2_vl (Qwen2VLForConditionalGeneration), 2 files, 1.6 kB, 576 parameters, bfloat16" in out
        assert "32 parameters" in out
        wide = adapter(tmp_path / "wide", {name: (4, 80)})
        (tmp_path / "sam").mkdir()
        (tmp_path / "sam" / "config.json").write_text('{"model_type": "sam2"}')
        for bad, says in [
            (f"{qwen}+{wide}", "was made for another model"),
            (f"{lora}", "write MODEL+ADAPTER"),
            (f"{tmp_path / 'sam'}", "it holds a 'sam2' model, expected qwen2_vl"),
            (f"{tmp_path / 'none'}", "there is no checkpoint folder"),
            ("Owner/Name@v1", "surveyor models pull Owner/Name --revision v1"),
            (f"{qwen / SHARD}", f"is a file; expected the folder that it is in, '{qwen}'"),
            (f"{qwen}+{lora / 'adapter_model.safetensors'}", "is a file; expected the folder that it is in"),
        ]:
            assert main(["models", "check", f"grounder=qwen2vl:{bad}"]) == 2
            assert says in capfd.readouterr().err
        assert main(["models", "check", "segmenter=sam2:nofile.pt"]) == 2
        err = capfd.readouterr().err
        assert "there is no file 'nofile.pt'" in err and "pull" not in err
        (qwen / SHARD).unlink()
        assert main(["models", "check", f"grounder=qwen2vl:{qwen}"]) == 2
        assert f"1 of 2 files of weights are missing: {SHARD}" in capfd.readouterr().err
        assert made == [good]


class TestVerify:
    @pytest.mark.parametrize("writes", ["0-1000", "absolute px"])
    @pytest.mark.parametrize("declares", ["0-1000", "absolute px"])
    def test_the_card_tells_conventions_apart(self, writes: str, declares: str) -> None:
        model = Vlm(writes, declares)
        model.load()
        (finding,) = try_model("grounder", model, lambda: model.check_report()["coordinates"])
        assert (finding.state == "fine") == (writes == declares) and (finding.state == "bad") == (writes != declares)
        assert ("fit better as " + writes in finding.text) == (writes != declares)

    @settings(max_examples=200, deadline=None)
    @given(
        left=st.floats(0, 400), top=st.floats(0, 200), width=st.floats(20, 200), height=st.floats(20, 200),
        declares=st.sampled_from(["0-1000", "absolute px"]),
    )  # fmt: skip
    def test_a_true_declaration_is_never_contradicted(
        self, left: float, top: float, width: float, height: float, declares: str
    ) -> None:
        box = np.array([left, top, left + width, top + height])
        assert verify_boxes([box], box[None], declares).state == "fine"

    @pytest.mark.parametrize("declares", ["0-1000", "absolute px"])
    def test_swapped_axes(self, declares: str) -> None:
        scale = TO_GRID if declares == "0-1000" else 1.0
        box = (RED * scale)[[1, 0, 3, 2]] / scale
        finding = verify_boxes([box], RED[None], declares)
        assert finding.state == "bad" and f"fit better as {declares}, y before x" in finding.text

    def test_nothing_found_is_not_verified(self) -> None:
        finding = verify_boxes([], RED[None], "0-1000", "plane")
        assert (finding.state, finding.what) == ("doubt", "coordinates")
        assert finding.text == "not verified: the model found no plane where 1 are drawn"

    def test_boxes_elsewhere_are_not_verified(self) -> None:
        finding = verify_boxes([np.array([600.0, 400, 660, 440])], RED[None], "0-1000", "plane")
        assert finding.state == "doubt" and "none of 1 boxes lies on a drawn plane (best IoU 0.00)" in finding.text

    @staticmethod
    def flood(count: int) -> list[np.ndarray]:
        """Boxes of 30 px side by side that lie on nothing drawn on the card, under any reading."""
        return [np.array([x, y, x + 30.0, y + 30]) for y in range(150, 450, 30) for x in range(0, 670, 30)][:count]

    @pytest.mark.parametrize(
        ("hits", "misses", "state"),
        [(1, 0, "fine"), (1, 1, "fine"), (1, 2, "doubt"), (1, 174, "doubt"), (2, 3, "doubt"), (0, 3, "doubt")],
    )
    def test_half_of_the_boxes_must_lie_on_the_one_thing(self, hits: int, misses: int, state: str) -> None:
        finding = verify_boxes([RED] * hits + self.flood(misses), RED[None], "0-1000", "red rectangle")
        assert finding.state == state, finding
        if hits and state == "doubt":
            assert finding.text == f"not verified: {hits + misses} boxes, {hits} of them on a drawn red rectangle"

    @pytest.mark.parametrize(("misses", "state"), [(0, "bad"), (1, "bad"), (2, "doubt"), (174, "doubt")])
    def test_half_of_the_boxes_must_contradict(self, misses: int, state: str) -> None:
        elsewhere = self.flood(misses)
        finding = verify_boxes([RED * TO_GRID, *elsewhere], RED[None], "absolute px")
        assert finding.state == state, finding

    @pytest.mark.parametrize(
        ("covered", "repeated", "misses", "state"),
        [(4, 1, 0, "fine"), (2, 1, 2, "fine"), (2, 1, 3, "doubt"), (1, 1, 0, "doubt"), (1, 9, 0, "doubt")],
    )
    def test_half_of_several_things_must_be_found(self, covered: int, repeated: int, misses: int, state: str) -> None:
        drawn = np.array([[20.0 + 100 * n, 20, 90 + 100 * n, 60] for n in range(4)])
        found = [*drawn[:covered]] * repeated + self.flood(misses)
        finding = verify_boxes(found, drawn, None, "plane")
        assert finding.state == state, finding
        if state == "doubt":
            on = f"{len(found)} boxes, {covered * repeated} of them on a drawn plane; {covered} of 4 drawn were found"
            assert on in finding.text

    def test_a_flood_is_told_though_the_second_picture_shows_nothing(self) -> None:
        class Flooding(Vlm):
            def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
                boxes = [RED, *TestVerify.flood(174)] if phrase == "red rectangle" else []
                return tuple(region(box, phrase) for box in boxes)

        (finding,) = try_model("grounder", Flooding("0-1000", "0-1000"), declared("0-1000"))
        assert finding.state == "doubt" and "175 boxes, 1 of them on a drawn red rectangle" in finding.text

    def test_without_a_declaration_there_is_no_other_reading(self) -> None:
        assert verify_boxes([RED * TO_GRID], RED[None], None).state == "doubt"
        assert verify_boxes([RED], RED[None], None).state == "fine"

    def test_a_second_picture_is_tried_where_the_first_shows_nothing(self) -> None:
        model = FakeGrounder(open_vocabulary=True)
        (finding,) = try_model("grounder", model, declared("0-1000"))
        assert model.call_count == 2 and finding.state == "doubt" and "found no airplane" in finding.text

    def test_a_closed_list_is_asked_for_what_it_knows(self) -> None:
        model = FakeGrounder(labels=["tennis court"])
        (finding,) = try_model("grounder", model, declared(None))
        assert [phrase for _, phrase in model.calls] == ["tennis court"] and "found no tennis court" in finding.text
        (finding,) = try_model("grounder", FakeGrounder(labels=["windmill"]), declared(None))
        assert finding.state == "doubt" and "it knows none of airplane" in finding.text


class TestOtherRoles:
    def test_segmenter(self) -> None:
        (right,) = try_model("segmenter", FakeSegmenter(0.7), declared(None))
        assert "it says 0.70" in right.text
        moved = FakeSegmenter()
        moved.segment = lambda scene, prompts: FakeSegmenter().segment(  # type: ignore[method-assign]
            scene, [type(prompts[0])(np.array([600.0, 400, 610, 410]))]
        )
        (wrong,) = try_model("segmenter", moved, declared(None))
        assert wrong.state == "doubt" and "IoU 0.00" in wrong.text

    @pytest.mark.parametrize(
        ("said", "state"), [("A white airplane on an apron.", "fine"), ("a swimming pool", "doubt")]
    )
    def test_describer(self, said: str, state: str) -> None:
        (finding,) = try_model("describer", FakeDescriber(Description(said)), declared(None))
        assert finding.state == state and said in finding.text

    def test_chat(self) -> None:
        (finding,) = try_model("chat", FakeChatModel(["ready\n" * 100]), declared(None))
        assert finding.state == "fine" and len(finding.text) < 130 and "\n" not in finding.text

    def test_change_detector(self) -> None:
        (finding,) = try_model("change", FakeChangeDetector(), declared(None))
        assert finding.state == "doubt" and "not asked: the grounder does not know 'airplane'" in finding.text
        far = Region("airplane-1", "airplane", box_to_corners(RED), RED, None, source="test")
        (finding,) = try_model("change", FakeChangeDetector([far]), declared(None))
        assert finding.state == "doubt" and "none of 1 boxes lies on a drawn changed airplane" in finding.text

    def test_who_reports(self) -> None:
        assert isinstance(Vlm("0-1000", "0-1000"), Reporting) and not isinstance(FakeSegmenter(), Reporting)


def test_memory_is_told() -> None:
    told = memory_bytes()
    assert told is not None and 10e6 < told[0] <= told[1]


def test_gpu_memory_is_asked_of_torch_only_where_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert models_check.gpu_bytes() is None

    class Cuda:
        is_available = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        memory_allocated = staticmethod(lambda number: 10 + number)

    monkeypatch.setitem(sys.modules, "torch", type("torch", (), {"cuda": Cuda}))
    assert models_check.gpu_bytes() == 21


@pytest.mark.parametrize(
    ("count", "size", "words"),
    [(0, "0.0 kB", "0"), (999, "1.0 kB", "999"), (10**6, "1.0 MB", "1.0 M"), (2.21e9, "2.21 GB", "2.21 B")],
)
def test_sizes_in_words(count: float, size: str, words: str) -> None:
    assert size_in_words(count) == size and count_in_words(int(count)) == words


class TestDocument:
    TEXT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")

    def test_commands_and_code_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
        monkeypatch.chdir(tmp_path)
        lines = re.findall(r"^\$ surveyor (.*)$", self.TEXT, re.MULTILINE)
        assert lines and all(main(shlex.split(line)) == 0 for line in lines)
        (code,) = re.findall(r"^```python\n(.*?)^```", self.TEXT, re.MULTILINE | re.DOTALL)
        exec(code, {})
        assert "there is no checkpoint at 'models/Qwen2-VL-2B-Instruct'" in capfd.readouterr().out

    def test_every_error_of_the_table_is_one_of_the_program(self) -> None:
        table = self.TEXT[self.TEXT.index("## Troubleshooting") :]
        said = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
        files = [ROOT / "core/errors.py", *(ROOT / "tools/models").glob("*.py"), *(ROOT / "app").glob("models_*.py")]
        source = "".join(file.read_text(encoding="utf-8") for file in files)
        assert len(said) > 15 and [text for text in said if text not in source] == []

    def test_every_kind_of_folder_is_shown(self) -> None:
        for id in ("Qwen/Qwen2-VL-2B-Instruct", "facebook/sam2.1-hiera-tiny"):
            for name in by_hand(id).files:
                assert name.split(" ")[0] in self.TEXT


MISSING = [name for name in ("torch", "transformers", "llguidance", "accelerate", "peft") if find_spec(name) is None]


@pytest.mark.torch
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
class TestRealCheckpoints:
    """Random weights: they load and answer, and what they answer is not taken for more than it is."""

    @pytest.mark.parametrize(
        ("family", "coordinates"),
        [("qwen2-vl", "0-1000 of the image's width and height"), ("qwen2.5-vl", "pixels of the resized image")],
    )
    def test_qwen(
        self, family: str, coordinates: str, tmp_path: Path, backend: Callable[..., None], capfd: Capture
    ) -> None:
        from surveyor.finetune.scratch.qwen2vl import make_qwen2vl
        from surveyor.tools.models.qwen2vl.adapter import Qwen2VL

        backend("grounder", "qwen2vl", Qwen2VL.at)
        folder = make_qwen2vl(tmp_path / "tiny", family=family, size="tiny")
        code = main(["models", "check", f"grounder=qwen2vl:{folder}"])
        out = capfd.readouterr().out
        assert f"{coordinates} (declared)" in out and "ForConditionalGeneration" in out and "tokens/s" in out
        assert "verified: " in out and code == int("✗" in out)

    def test_sam2(self, tmp_path: Path, backend: Callable[..., None], capfd: Capture) -> None:
        from surveyor.finetune.scratch.sam2 import make_sam2_hub
        from surveyor.tools.models.sam2.segmenter import Sam2Segmenter

        backend("segmenter", "sam2", Sam2Segmenter.at)
        folder = make_sam2_hub(tmp_path / "tiny")
        assert main(["models", "check", f"segmenter=sam2:{folder}"]) == 0
        out = capfd.readouterr().out
        assert "sam2 (Sam2Model), 1 file" in out and "not verified: its mask of a drawn airplane is not that" in out
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        assert main(["models", "check", f"segmenter=sam2:{folder}"]) == 2
        assert "is cut off: 100 of" in capfd.readouterr().err
