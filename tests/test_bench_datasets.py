"""`surveyor bench datasets`: the list, a layout, what a copy holds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from surveyor.app.cli import main
from surveyor.evals.datasets.counting import count_records
from surveyor.evals.datasets.registry import READERS


def coco(folder: Path) -> Path:
    """Two images, one of them missing; three objects, one without area."""
    (folder / "images").mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((20, 30, 3), np.uint8))
    boxes = [(1, 1, [2, 2, 5, 5]), (1, 2, [9, 9, 4, 4]), (2, 1, [1, 1, 3, 3]), (2, 1, [1, 1, 0, 3])]
    content = {
        "images": [{"id": n, "file_name": name, "width": 30, "height": 20} for n, name in ((1, "a.png"), (2, "b.png"))],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "bbox": box}
            for n, (image, category, box) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "ship"}, {"id": 2, "name": "[/b]storage_tank"}],
    }
    path = folder / "val.json"
    path.write_text(json.dumps(content))
    return path


def test_every_reader_is_listed_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "datasets"]) == 0
    shown = capsys.readouterr().out
    assert all(reader.name in shown for reader in READERS)
    assert "academic use only" in shown


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_the_layout_of_each(reader: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "datasets", reader.name]) == 0  # type: ignore[attr-defined]
    shown = capsys.readouterr().out
    assert all(line in shown for line in reader.layout)  # type: ignore[attr-defined]
    assert all(f"  {name}: " in shown for name in reader.options)  # type: ignore[attr-defined]


def test_what_a_copy_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "datasets", f"coco:{coco(tmp_path)}?exhaustive=yes"]) == 0
    told = capsys.readouterr()
    assert "all: 2 records of 2 families, 2 labelled exhaustively; 1 without their image" in told.out
    assert "objects: 3 (ship 2, [/b]storage tank 1)" in told.out
    assert "1 left out: box without area" in told.err


def test_wrong_words_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "datasets", "cocoa"]) == 2
    assert "there is no dataset reader 'cocoa'; expected one of: dota" in capsys.readouterr().err
    assert main(["bench", "datasets", f"coco:{tmp_path / 'none'}"]) == 2
    assert main(["bench", "datasets", f"coco:{coco(tmp_path)}?exhaustiv=yes"]) == 2
    assert "exhaustiv" in capsys.readouterr().err


def test_no_records_are_no_splits() -> None:
    assert count_records([]) == {}
