"""docs/dialects.md: its examples are what the dialects write, every dialect is in its tables, its bounds are tested."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from surveyor.core.codec import Pointed, dialect
from surveyor.core.dialects import STOCK
from test_dialects_round_trips import ORIENTED, UPRIGHT

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/dialects.md").read_text(encoding="utf-8")
NAMES = ["native", *(each.name for each in STOCK)]
SIZE = (1000, 1000)


def ship() -> Pointed:
    turn = math.radians(-30)
    along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return Pointed("obb", np.array([[500, 400] + s * 150 * along + t * 50 * across for s, t in signs]), label="ship")


def test_one_box_in_all_dialects() -> None:
    block = re.search(r"^## One box.*?^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    shown = dict(line.split(maxsplit=1) for line in block[1].splitlines())
    assert shown == {name: dialect(name).encode([ship()], SIZE) for name in NAMES}
    for name, text in shown.items():
        (item,) = dialect(name).decode(text, SIZE)
        assert np.abs(item.points_px.mean(axis=0) - [500, 400]).max() <= 10


def test_the_mask_that_is_shown() -> None:
    (text,) = re.findall(r"^<seg>.*</seg>$", PAGE, re.MULTILINE)
    (item,) = dialect("geoground").decode(text, (40, 40))
    assert item.kind == "mask" and item.mask is not None and item.mask.area_px == 600


def rows(title: str) -> list[list[str]]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]


@pytest.mark.parametrize("title", ["What the numbers mean", "What each can say, and how finely"])
def test_every_dialect_is_in_the_tables(title: str) -> None:
    named = {name for row in rows(title) for name in re.findall(r"`([^`]+)`", row[0])}
    named |= {"geoground-16", "geoground-24"} if "-24" in named else set()
    named |= (
        {"geoground-16", "geoground-24", "geoground-le90"} if any("(all)" in row[0] for row in rows(title)) else set()
    )
    assert named - {"-24"} == set(NAMES)


def test_the_bounds_are_those_that_are_tested() -> None:
    for names, upright, oriented, cannot in rows("What each can say, and how finely"):
        for name in re.findall(r"`([^`]+)`", names):
            assert (oriented == "-") == (name not in ORIENTED)
            assert ("oriented boxes" in cannot) == (name not in ORIENTED)
            if name in UPRIGHT:
                assert upright.startswith("half a step" if UPRIGHT[name][1] == 0.5 else "one step")
            if name in ORIENTED:
                steps, of_step, of_turn = ORIENTED[name]
                share = {"s/2": 0.5, "s": 1.0}.get(oriented.split(" + ")[0])
                share = float(re.match(r"[\d.]+", oriented)[0]) if share is None else share  # type: ignore[index]
                assert share == pytest.approx(of_step / (100 if name == "fit-rs" else 1))
                turn = re.search(r"R x ([\d.]+) degree", oriented)
                assert (float(turn[1]) if turn else 0) == of_turn
                assert steps in (100, 1000, 10_000)
