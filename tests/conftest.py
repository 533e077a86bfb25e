"""What every test gets: folders of its own for cached results and for runs, so that no test meets another's.

Generated examples are the same in every run, so that a run fails for what was changed alone; new ones are looked for
with `pytest --hypothesis-profile explore`.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def _own_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(autouse=True)
def own_folders(_own_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SURVEYOR_CACHE, SURVEYOR_RUNS and SURVEYOR_HOME lead to places that nothing is in yet."""
    number = next(_numbers)
    monkeypatch.setenv("SURVEYOR_CACHE", str(_own_root / f"cache-{number}"))
    monkeypatch.setenv("SURVEYOR_RUNS", str(_own_root / f"runs-{number}.sqlite"))
    monkeypatch.setenv("SURVEYOR_HOME", str(_own_root / f"home-{number}"))
