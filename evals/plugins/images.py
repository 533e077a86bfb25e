"""The images of items as files, for harnesses that take files: the very pixels that an item was made for."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ...core.errors import UsageError
from ..bench.items import Image, Item, images_root, read_header, read_items
from ..bench.predict import open_image
from .asking import TASKS


def conditional_items(items_path: str | Path, limit: int | None = None) -> tuple[str, list[Item]]:
    """The task of an items file, and its items.

    Args:
        items_path: made by `surveyor bench build`.
        limit: only the file's first items.

    Raises:
        UsageError: a damaged file, items of a task that is not asked in other harnesses, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit!r}, expected 1 or more; leave it out for all items")
    task = read_header(items_path).task
    if task not in TASKS:
        raise UsageError(f"{str(items_path)!r} holds {task} items; other harnesses are given {', '.join(TASKS)}")
    items = list(islice(read_items(items_path), limit))
    if not items:
        raise UsageError(f"{str(items_path)!r} holds no items")
    return task, items


def images_of(item: Item) -> tuple[Image, ...]:
    """What is looked at: one image, and for RCD the later one behind it."""
    return (item.image,) if item.after is None else (item.image, item.after)


def data_root(items_path: str | Path, data: str | Path | None, items: Iterable[Item]) -> Path:
    """The folder that the images' paths are relative to: `data`, else the items' own folder, else the working one.

    Raises:
        UsageError: none of the images is there.
    """
    paths = sorted({image.path for item in items for image in images_of(item)})
    return images_root(data, items_path, paths).resolve()


def picture_file(image: Image, root: str | Path, folder: str | Path) -> Path:
    """A PNG of what the item looks at (the crop, not the whole file), made where it is not there yet.

    Args:
        image: of an item.
        root: folder that the image's path is relative to.
        folder: gets the file; it must exist.

    Returns:
        Its path; equal images have one file.

    Raises:
        UsageError: no such image, or one of another size than the item was made for.
        OSError: the file cannot be written.
    """
    source = Path(root) / image.path
    try:
        stat = source.stat()
    except OSError:
        raise UsageError(f"there is no image {str(source)!r}; give the folder that the items' paths are relative to") from None  # fmt: skip  # noqa: E501
    named = f"{image.path} {image.crop_xyxy} {image.size_wh} {stat.st_size} {stat.st_mtime_ns}"
    path = Path(folder) / f"{source.stem[:60]}-{hashlib.sha256(named.encode()).hexdigest()[:16]}.png"
    if path.is_file():
        return path
    pixels = open_image(image, root).read((0, 0, *image.size_wh))
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    if not done:
        raise OSError(f"cannot make a PNG of {str(source)!r}")
    handle, beside = tempfile.mkstemp(dir=folder, suffix=".part")  # whole or not at all, also for two at once
    with os.fdopen(handle, "wb") as file:
        file.write(data.tobytes())
    Path(beside).replace(path)
    return path
