"""All readers of datasets, told apart by name."""

from __future__ import annotations

import inspect
from pathlib import Path

import cv2
import numpy as np
import pytest
from surveyor.core.errors import UsageError
from surveyor.core.geometry import min_area_rect
from surveyor.evals.datasets import reading
from surveyor.evals.datasets.registry import READERS, reader_named


def test_names_are_unique_and_lead_to_their_readers() -> None:
    assert len({reader.name for reader in READERS}) == len(READERS) >= 30
    for reader in READERS:
        assert reader_named(reader.name) is reader
        assert reader.about and reader.layout and reader.source.name and reader.source.licence
        parameters = inspect.signature(reader.read).parameters
        assert {"split", "tally", *reader.options} <= set(parameters), reader.name
    with pytest.raises(UsageError, match="no dataset reader 'dotta'; expected one of: dota"):
        reader_named("dotta")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_an_empty_folder_is_told(reader: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        list(reader.read(tmp_path))  # type: ignore[attr-defined]
    assert str(tmp_path) in str(caught.value)


def test_sizes_are_read_from_headers_and_again_when_a_file_changes(tmp_path: Path) -> None:
    for suffix in (".jpg", ".png", ".tif"):
        path = tmp_path / f"image{suffix}"
        cv2.imwrite(str(path), np.zeros((40, 70, 3), np.uint8))
        assert reading.image_size(path) == (70, 40)
    import os

    cv2.imwrite(str(tmp_path / "image.jpg"), np.zeros((30, 20, 3), np.uint8))
    os.utime(tmp_path / "image.jpg", ns=(1, 1))
    assert reading.image_size(tmp_path / "image.jpg") == (20, 30)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "image.jpg").read_bytes()[:30])
    with pytest.raises(UsageError):
        reading.image_size(tmp_path / "cut.jpg")


def test_points_that_numbers_hardly_tell_apart_have_a_rectangle() -> None:
    rectangle = min_area_rect(np.array([[0.0, 0.0], [1e-230, 1e-230], [0.0, 1e-231]]))
    assert np.isfinite(rectangle).all() and np.ptp(rectangle) < 1e-200
