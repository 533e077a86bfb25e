"""The rules of docs/HOUSE.md on who may import whom, read from the source, and how light `import surveyor` stays."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "synth", "prompts", "tools", "agent", "evals", "finetune", "app")

MAY_IMPORT = {
    "core": set(),
    "synth": {"core"},
    "prompts": {"core"},
    "tools": {"core", "synth", "prompts"},
    "agent": {"core", "synth", "prompts", "tools"},
    "evals": {"core", "synth", "prompts", "tools", "agent"},
    "finetune": {"core", "synth", "prompts", "tools.models", "evals.datasets", "evals.scores"},
    "app": {"core", "synth", "prompts", "tools", "agent", "evals", "finetune"},
}
HEAVY = {"torch", "torchvision", "transformers", "sam2", "onnxruntime"}
LIGHT_AT_IMPORT = ("torch", "transformers", "onnxruntime", "langgraph", "rasterio", "pyogrio", "typer", "rich")
CORE_MAY_USE = {
    "affine",
    "numpy",
    "shapely",
    "pydantic",
    "pydantic_core",
    "yaml",
    "cv2",
    "pycocotools",
    "rasterio",
    "pyproj",
}

FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
BY_NAME = {path.relative_to(ROOT).as_posix(): path for path in FILES}


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether it is of this package) for each import, in functions too; own names without `surveyor.`."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", False
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            module = ".".join((*base, *((node.module or "").split(".") if node.module else ())))
            yield from ((f"{module}.{alias.name}".strip("."), True) for alias in node.names)


def allowed(room: str, target: str) -> bool:
    """Whether a file of `room` may import `target`, a dotted name inside the package."""
    first = target.split(".")[0]
    if first not in ROOMS:  # the root's own names, such as __version__: anyone but core
        return room != "core"
    return first == room or any(target == rule or target.startswith(f"{rule}.") for rule in MAY_IMPORT[room])


@pytest.mark.parametrize("name", BY_NAME)
def test_rooms_import_only_what_they_may(name: str) -> None:
    room = name.split("/")[0]
    wrong = [target for target, own in imports_of(BY_NAME[name]) if own and not allowed(room, target)]
    assert not wrong, f"{name} may not import {wrong}"


@pytest.mark.parametrize("name", BY_NAME)
def test_imports_inside_the_package_are_relative(name: str) -> None:
    bare = {"surveyor", "tests", *ROOMS}
    wrong = [target for target, own in imports_of(BY_NAME[name]) if not own and target.split(".")[0] in bare]
    assert not wrong, f"{name} imports {wrong} by absolute name"


@pytest.mark.parametrize("name", BY_NAME)
def test_heavy_packages_stay_in_their_rooms(name: str) -> None:
    used = {target.split(".")[0] for target, own in imports_of(BY_NAME[name]) if not own}
    if not name.startswith(("tools/models/", "finetune/")):
        assert not used & HEAVY
    if not name.startswith("agent/graph"):
        assert "langgraph" not in used
    if name.startswith("core/"):
        assert used <= CORE_MAY_USE | set(sys.stdlib_module_names)


def test_the_rule_reader_sees_every_form(tmp_path: Path) -> None:
    lines = [
        "import torch.nn as nn",
        "from ..core.regions import Region",
        "from .. import __version__",
        "def f():\n    from ..agent import run",
    ]
    path = ROOT / "tools" / "never_written.py"
    copy = tmp_path / "x.py"
    copy.write_text("\n".join(lines))

    class Elsewhere(type(path)):  # type: ignore[misc]
        """The text of one path under the name of another."""

        def read_text(self, *args: object, **kwargs: object) -> str:
            return copy.read_text()

    found = dict(imports_of(Elsewhere(path)))
    assert found == {"torch.nn": False, "core.regions.Region": True, "__version__": True, "agent.run": True}
    assert not allowed("tools", "agent.run") and allowed("tools", "core.regions.Region")
    assert allowed("finetune", "tools.models.spec") and not allowed("finetune", "tools.ground")
    assert not allowed("core", "__version__") and not allowed("evals", "app.cli")


def test_import_surveyor_is_light() -> None:
    code = f"import sys, surveyor; surveyor.__version__; print([m for m in {LIGHT_AT_IMPORT} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_public_names_resolve() -> None:
    import surveyor

    for name in surveyor.__all__:
        assert getattr(surveyor, name) is not None
    assert set(surveyor.__all__) <= set(dir(surveyor))
    with pytest.raises(AttributeError, match="nothing_like_that"):
        _ = surveyor.nothing_like_that
