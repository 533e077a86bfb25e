"""What the documents say is true: code and commands in README and docs/usage.md run, links and names lead somewhere."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import cv2
import pytest
import typer
from surveyor.app.cli import app, main
from surveyor.synth import draw_pair, draw_scene

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "docs/usage.md", "docs/runs.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROOMS = ("core", "synth", "prompts", "tools", "agent", "evals", "app")
MODULES = sorted(
    ".".join(("surveyor", *path.relative_to(ROOT).with_suffix("").parts))
    for path in (ROOT / "__init__.py", *(p for room in ROOMS for p in (ROOT / room).rglob("*.py")))
    if ">>>" in path.read_text(encoding="utf-8")
)


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language in a document."""
    return [body for name, body in FENCE.findall((ROOT / document).read_text(encoding="utf-8")) if name == language]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a photo.jpg, as a reader would have."""
    monkeypatch.chdir(tmp_path)
    scene = draw_scene("airport", seed=7, size_wh=(512, 512))
    cv2.imwrite("photo.jpg", scene.image_rgb[..., ::-1])
    pair = draw_pair("housing", 5, (256, 256), 0.3, 5)
    for name, date in (("2019.tif", pair.before), ("2024.tif", pair.after)):
        cv2.imwrite(name, date.image_rgb[..., ::-1])
    return tmp_path


def run_command(line: str) -> int:
    """Runs `surveyor …` in this process; `> FILE` goes to that file."""
    words = shlex.split(line)
    if ">" in words:
        at = words.index(">")
        with Path(words[at + 1]).open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            return main(words[1:at])
    return main(words[1:])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_in_documents_runs(document: str, workplace: Path) -> None:
    found = blocks(document, "python")
    assert found
    names: dict[str, object] = {"__name__": "__main__"}
    for code in found:
        exec(compile(code, document, "exec"), names)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_documents_run(document: str, workplace: Path) -> None:
    lines = [line[2:] for block in blocks(document, "console") for line in block.splitlines() if line[:2] == "$ "]
    assert lines and all(line.startswith("surveyor ") for line in lines)
    for line in lines:
        command, _, code = line.partition("  # exit code ")
        assert run_command(command) == int(code or 0), line


def test_the_example_in_help_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    found = re.search(r"Example: (surveyor .*)$", text)
    assert found is not None and run_command(found[1]) == 0


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("draw_scene", ["out/scene.tif", "--kind", "river", "--size", "256x200"], "drew out/scene.tif (river"),
        ("draw_pair", ["out/a.tif", "out/b.tif", "--size", "256x200"], "drew out/a.tif and out/b.tif (housing"),
        ("explain_answer", [], "is in the answer"),
        ("edit_plan", ["photo.jpg", "0.5"], "detect all planes"),
    ],
)
def test_examples_run(
    name: str, arguments: list[str], says: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert says in capsys.readouterr().out


def test_every_example_is_run() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    scripting = {"custom_tool", "folder_table", "hand_edited_plan", "notebook"}  # tests/test_scripting_docs.py
    assert names - scripting == {"draw_pair", "draw_scene", "explain_answer", "edit_plan"}


@pytest.mark.parametrize("command", ["ask", "explain", "plan", "run", "resume", "runs", "models", "doctor"])
def test_usage_lists_every_option(command: str) -> None:
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    options = {name for parameter in parameters for name in parameter.opts if name.startswith("--")}
    usage = (ROOT / "docs/usage.md").read_text(encoding="utf-8")
    synopsis = re.search(rf"^    surveyor {command}\b.*(?:\n {{8,}}.*)*", usage, re.MULTILINE)
    assert synopsis is not None and options == set(re.findall(r"--[a-z-]+", synopsis[0]))


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"\bmake ([a-z]+)\b(?=[ `]| {2}|$)", code_in(page))}
    assert {"demo", "test"} <= named <= targets


def code_in(page: str) -> str:
    """Everything in a page that is set as code."""
    text = (ROOT / page).read_text(encoding="utf-8")
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*(body for _, body in FENCE.findall(text)), *re.findall(r"`([^`\n]+)`", text), *indented])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_extras_that_readme_names_exist() -> None:
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r"'\.\[([\w-]+)\]'", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == set(known)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__):
        runner.run(test, out=report.write)
    assert runner.failures == 0, report.getvalue()
