"""Damaged JSON: each value of a small valid tree replaced by another kind of value gives records or a UsageError."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import test_datasets_change as change
import test_datasets_masks as masks
import test_datasets_texts as texts
from surveyor.core.errors import UsageError
from surveyor.evals.datasets import captions, geopixeld, isaid, levir, rrsisd, thinkgeo, xbd
from surveyor.evals.datasets.record import Record

JUNK = (None, 1, 2.5, "x", [], {}, [None], True)
Place = tuple[Any, ...]
Tree = Callable[[Path], Path]
Read = Callable[[Path], Iterator[Record]]


def isaid_tree(root: Path) -> Path:
    return masks.isaid_coco(root / "val")


def geopixeld_tree(root: Path) -> Path:
    return masks.geopixeld_entry(root / "train").parent


def mci_tree(root: Path) -> Path:
    return change.mci_tree(root, change.mask())


def xbd_tree(root: Path) -> Path:
    square = change.feature("a", change.SQUARE)
    return change.xbd_tree(root, [square], [change.feature("a", change.SQUARE, "destroyed")], [square])


def split_only_tree(root: Path) -> Path:
    return texts.rsvqa_lr(root, master=False, full=True)


def thinkgeo_tree(root: Path) -> Path:
    return texts.bench(root, texts.task())


CASES: dict[str, tuple[Tree, Read]] = {
    "rrsisd": (masks.rrsisd_tree, rrsisd.read),
    "isaid": (isaid_tree, isaid.read),
    "geopixeld": (geopixeld_tree, geopixeld.read),
    "levir-mci": (mci_tree, levir.read_mci),
    "xbd": (xbd_tree, xbd.read),
    "rsvqa": (texts.rsvqa_lr, texts.RSVQA["rsvqa-lr"].read),
    "rsvqa, split files only": (split_only_tree, texts.RSVQA["rsvqa-lr"].read),
    "captions": (texts.karpathy, captions.READERS[0].read),
    "thinkgeo": (thinkgeo_tree, thinkgeo.read),
}


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a value, of lists the first two entries."""
    yield here
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, entry in inside:
        yield from places(entry, (*here, key))


def replaced(value: Any, place: Place, by: Any) -> Any:
    if not place:
        return by
    whole = copy.deepcopy(value)
    part = whole
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = by
    return whole


@pytest.mark.parametrize("name", CASES)
def test_any_wrong_value_is_read_or_refused_with_the_files_name(name: str, tmp_path: Path) -> None:
    make, read = CASES[name]
    root = make(tmp_path)
    assert list(read(root))
    refused = 0
    for path in sorted([*root.rglob("*.json"), *root.rglob("*.p")]):
        data = path.read_bytes()
        whole = pickle.loads(data) if path.suffix == ".p" else json.loads(data)
        for place in places(whole):
            for junk in JUNK:
                broken = replaced(whole, place, junk)
                path.write_bytes(pickle.dumps(broken) if path.suffix == ".p" else json.dumps(broken).encode())
                try:
                    list(read(root))
                except UsageError as error:
                    refused += 1
                    assert str(root) in str(error), (place, junk)
        path.write_bytes(data)
    assert refused > 20
