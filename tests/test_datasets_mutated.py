"""Dataset files with values of the wrong kind: a reader reads, counts what it leaves out, or raises UsageError."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.core.errors import UsageError
from surveyor.evals.datasets.coco import read_coco
from surveyor.evals.datasets.fitrs import read_fitrs
from surveyor.evals.datasets.geochat import read_geochat, read_geochat_instruct
from surveyor.evals.datasets.record import Record
from surveyor.evals.datasets.rsvg import read_rsvg
from surveyor.evals.datasets.vrsbench import read_vrsbench, read_vrsbench_eval

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1e400,
    2.5,
    "",
    "x",
    "{<1><2><3><4>}",
    "{",
    [],
    [1],
    [[1, 2]],
    {},
    {"a": 1},
    10**30,
]
QUAD = [0.1, 0.1, 0.3, 0.1, 0.3, 0.2, 0.1, 0.2]
BOX = "{<12.5><30><4><10>|<57>}"
REFER = {"question_id": 1, "image_id": "P1_0", "question": "a", "type": "ref", "dataset": "SOTA"}

CASES: list[tuple[str, Callable[..., Iterator[Record]], str, Any]] = [
    (
        "coco",
        read_coco,
        "a.json",
        {
            "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
            "categories": [{"id": 1, "name": "ship"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [[0, 0, 4, 0, 4, 4]]}
            ],
        },
    ),
    ("rsvg", read_rsvg, "rsvg_test.json", [["a.jpg", [1, 2, 3, 4], "the ship", 1]]),
    (
        "vrsbench",
        read_vrsbench,
        "Annotations_val/P1_0.json",
        {
            "image": "P1_0.png",
            "caption": "c",
            "qa_pairs": [{"question": "q", "answer": "a", "type": "t"}],
            "objects": [{"obj_id": 0, "obj_cls": "ship", "obj_corner": QUAD, "referring_sentence": "s"}],
        },
    ),
    (
        "vrsbench eval",
        read_vrsbench_eval,
        "VRSBench_EVAL_referring.json",
        [
            {
                "image_id": "P1_0.png",
                "question": "q",
                "ground_truth": "{<1><2><3><4>}",
                "question_id": 0,
                "obj_corner": QUAD,
            },
            {"image_id": "P1_0.png", "question": "q", "ground_truth": "{<1><2><3><4>}", "question_id": 1},
        ],
    ),
    ("geochat", read_geochat, "referring.jsonl", [REFER | {"ground_truth": [[[1, 2], [5, 2], [5, 9]]]}]),
    ("geochat region", read_geochat, "region.jsonl", [REFER | {"question": "{<1><2><3><4>|<5>}", "ground_truth": "t"}]),
    ("geochat vqa", read_geochat, "lrben.jsonl", [{"question_id": 1, "image": "a.tif", "text": "q"}]),
    ("geochat scene", read_geochat, "aid.jsonl", [{"question_id": "Beach/b_1.jpg"}]),
    (
        "geochat instruct",
        read_geochat_instruct,
        "GeoChat_Instruct.json",
        [
            {"image": "P0001.png", "conversations": [{"value": "[refer] <p>x</p>"}, {"value": "{<1><2><3><4>|<5>}"}]},
        ],
    ),
    (
        "fitrs",
        read_fitrs,
        "test_region_caption.jsonl",
        [{"question_id": 1, "image": "1.png", "question": BOX, "ground_truth": "s"}],
    ),
    (
        "fitrs detection",
        read_fitrs,
        "detection.jsonl",
        [{"id": 1, "source": "STAR", "image": "1.png", "question": "q", "answer": BOX}],
    ),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside, itself not."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at that path; without the key where `new` is ... (Ellipsis)."""
    whole = inner = copy.deepcopy(value)
    for key in path[:-1]:
        inner = inner[key]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return whole


def text_of(name: str, value: Any) -> str:
    return "\n".join(map(json.dumps, value)) if name.endswith("jsonl") else json.dumps(value)


@pytest.mark.parametrize(("reader", "name", "content"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_any_value_at_any_place(
    tmp_path: Path, reader: Callable[..., Iterator[Record]], name: str, content: Any
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(name, content))
    tally: Counter[str] = Counter()
    untouched = list(reader(tmp_path, tally=tally))
    assert tally == {} and sum(len(record.things) + len(record.said) for record in untouched) > 0
    outcomes: Counter[str] = Counter()
    for place in places(content):
        for new in (..., *ODD):
            path.write_text(text_of(name, changed(content, place, new)))
            tally = Counter()
            try:
                records = list(reader(tmp_path, tally=tally))
            except UsageError as error:
                assert path.name in str(error)
                outcomes["error"] += 1
                continue
            outcomes["left out" if tally else "read"] += 1
            for record in records:
                check(record)
    assert outcomes["read"] and outcomes["error"] + outcomes["left out"]


def check(record: Record) -> None:
    """What every record promises: finite boxes with area, ids that are unique, and things that exist."""
    ids = [thing.id for thing in record.things]
    assert len(set(ids)) == len(ids)
    assert len({said.id for said in record.said}) == len(record.said)
    assert {id for said in record.said for id in said.things} <= set(ids)
    for thing in record.things:
        assert thing.box_px.dtype == np.float64 and np.isfinite(thing.box_px).all()
        assert (thing.box_px[2:] > thing.box_px[:2]).all()
    assert all(isinstance(text, str) for said in record.said for text in (said.text, said.answer or "", said.type))
    assert ":" in record.family and record.id
