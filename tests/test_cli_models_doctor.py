"""`surveyor doctor`: which packages it asks for, and which extras it lists."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from surveyor.app import cli_doctor

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OLD = ["numpy>=1.26", 'torch>=2.6; extra == "sam2"', 'pytest; extra == "dev"', 'a-b[c]<2,>=1; extra == "with-hyphen"']


def extras() -> set[str]:
    return {check.what.removeprefix("extra ") for check in cli_doctor._extras()}


def test_every_extra_of_the_clone_is_listed_though_it_came_after_the_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: OLD)
    assert extras() == {*PROJECT["optional-dependencies"]} - {"dev"} >= {"sam2", "sam2-hf", "serve"}


def test_what_is_needed_is_read_from_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: OLD)
    needed = [name for name, extra in cli_doctor._requirements() if extra is None]
    assert {"numpy", "rasterio", "rich"} <= {*needed} and len(needed) == len({*needed})


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[project",
        '[project]\nname = "another"\ndependencies = []',
        '[project]\nname = "surveyor"',
        "project = 3",
    ],
)
def test_elsewhere_what_pip_wrote_down_counts(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content, encoding="utf-8")
    monkeypatch.setattr(cli_doctor, "CLONE", tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda _: OLD)
    assert cli_doctor._requirements() == [
        ("numpy", None), ("torch", "sam2"), ("pytest", "dev"), ("a-b", "with-hyphen")
    ]  # fmt: skip
    assert extras() == {"sam2", "with-hyphen"}


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    monkeypatch.setattr(metadata, "requires", absent)
    assert cli_doctor._packages().found == "surveyor itself is not installed"
