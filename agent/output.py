"""The files of an answer: overlay.png, regions.geojson, regions.gpkg (georeferenced scenes) and trace.json.

Each is written under another name in the same folder, flushed to the disk and renamed when whole, trace.json last: a
file that is there is complete, and a folder with a trace.json holds a complete run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..core.errors import UsageError
from ..core.scene import Scene
from .overlay import draw_overlay, picture_size_wh
from .vectors import geojson_text, is_georeferenced, write_geopackage

if TYPE_CHECKING:
    from .answer import Answer

NAMES = ("overlay.png", "regions.geojson", "regions.gpkg", "trace.json")


def check_output_dir(out_dir: Path) -> None:
    """Makes the folder and tries to write there, so that trouble is told before any work is done.

    Raises:
        UsageError: it cannot be made or written to.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out_dir) as file:
            file.write(b"surveyor")
    except FileExistsError:
        raise UsageError(f"the output folder {str(out_dir)!r} is a file; name another folder") from None
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"the output folder {str(out_dir)!r} cannot be written to ({reason}); name another folder"
        ) from None


def write_outputs(answer: Answer, scene: Scene, out_dir: Path) -> tuple[Path, ...]:
    """Writes the answer's files; those of an earlier run in the folder are replaced.

    Returns:
        The files written, in the order of `NAMES`.

    Raises:
        UsageError: the folder cannot be made or written to.
        OSError: writing failed (a full disk); what is there is whole.
    """
    check_output_dir(out_dir)
    writers: dict[str, Callable[[Path], None]] = {
        "overlay.png": lambda path: _write_overlay(path, answer, scene),
        "regions.geojson": lambda path: _write_text(path, geojson_text(answer, scene)),
        "regions.gpkg": lambda path: write_geopackage(path, answer, scene),
        "trace.json": lambda path: _write_text(path, _trace_text(answer)),
    }
    if not is_georeferenced(scene):
        del writers["regions.gpkg"]
    for name in NAMES:  # nothing of an earlier run may pass for part of this one
        (out_dir / name).unlink(missing_ok=True)
    for name, writer in writers.items():
        _write_whole(out_dir / name, writer)
    return written(out_dir)


def written(out_dir: Path) -> tuple[Path, ...]:
    """The answer's files that are in the folder."""
    return tuple(out_dir / name for name in NAMES if (out_dir / name).exists())


def _write_whole(path: Path, writer: Callable[[Path], None]) -> None:
    """Lets `writer` fill a file beside `path` and gives it that name when it is whole and on the disk."""
    part = path.with_name(f".{path.stem}-{os.getpid()}.part{path.suffix}")
    try:
        writer(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"could not be written: {reason}", str(path)) from error
    finally:
        for rest in path.parent.glob(f"{part.name}*"):  # the database journals of a GeoPackage too
            rest.unlink(missing_ok=True)


def _trace_text(answer: Answer) -> str:
    """The trace with the answer in it, less what the trace says elsewhere."""
    told = {name: value for name, value in answer.to_dict().items() if name not in ("plan", "scene", "models")}
    return answer.trace.model_copy(update={"answer": told}).to_json() + "\n"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_overlay(path: Path, answer: Answer, scene: Scene) -> None:
    width, height = scene.size_wh
    wanted = picture_size_wh((width, height))
    image = scene.read(out_size_wh=wanted) if wanted[0] < width else scene.read()
    picture = draw_overlay(answer, np.asarray(image, dtype=np.uint8), (width, height))
    fine, data = cv2.imencode(".png", picture)
    if not fine:
        raise OSError(None, "the picture could not be encoded as PNG", str(path))
    path.write_bytes(data.tobytes())
