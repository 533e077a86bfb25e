"""The files of an answer: overlay.png, regions.geojson, regions.gpkg (georeferenced scenes) and trace.json.

An answer about two dates also has swipe.html and the map of changes: changes.tif (georeferenced scenes) or changes.png.

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
from .change_map import write_geotiff, write_png
from .drawing import Picture
from .overlay import draw_overlay, picture_size_wh
from .pair_overlay import draw_pair_overlay
from .swipe_page import swipe_html
from .vectors import geojson_text, is_georeferenced, write_geopackage

if TYPE_CHECKING:
    from .answer import Answer

NAMES = ("overlay.png", "regions.geojson", "regions.gpkg", "trace.json")
PAIR_NAMES = (
    "overlay.png", "swipe.html", "regions.geojson", "regions.gpkg", "changes.tif", "changes.png", "trace.json",
)  # fmt: skip
"""Those of an answer about two dates; one of the two maps of changes is written."""


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
        The files written, in the order of `PAIR_NAMES`.

    Raises:
        UsageError: the folder cannot be made or written to.
        OSError: writing failed (a full disk); what is there is whole.
    """
    check_output_dir(out_dir)
    writers: dict[str, Callable[[Path], None]] = {
        "overlay.png": lambda path: _write_picture(path, draw_answer(answer, scene)),
        "swipe.html": lambda path: write_text(path, swipe_html(answer)),
        "regions.geojson": lambda path: write_text(path, geojson_text(answer, scene)),
        "regions.gpkg": lambda path: write_geopackage(path, answer, scene),
        "changes.tif": lambda path: write_geotiff(path, answer),
        "changes.png": lambda path: write_png(path, answer),
        "trace.json": lambda path: write_text(path, _trace_text(answer)),
    }
    wanted = set(NAMES if answer.pair is None else PAIR_NAMES)
    wanted -= {"changes.png"} if is_georeferenced(scene) else {"regions.gpkg", "changes.tif"}
    for name in PAIR_NAMES:  # nothing of an earlier run may pass for part of this one
        (out_dir / name).unlink(missing_ok=True)
    for name, writer in writers.items():
        if name in wanted:
            write_whole(out_dir / name, writer)
    return written(out_dir)


def written(out_dir: Path) -> tuple[Path, ...]:
    """The answer's files that are in the folder."""
    return tuple(out_dir / name for name in PAIR_NAMES if (out_dir / name).exists())


def write_whole(path: Path, writer: Callable[[Path], None]) -> None:
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


def write_text(path: Path, text: str) -> None:
    """Fills the file with text, as UTF-8."""
    path.write_text(text, encoding="utf-8")


def draw_answer(answer: Answer, scene: Scene) -> Picture:
    """The overlay, BGR: of the scene, or before | after | change for two dates."""
    if answer.pair is not None:
        return draw_pair_overlay(answer)
    width, height = scene.size_wh
    wanted = picture_size_wh((width, height))
    image = scene.read(out_size_wh=wanted) if wanted[0] < width else scene.read()
    return draw_overlay(answer, np.asarray(image, dtype=np.uint8), (width, height))


def _write_picture(path: Path, picture: Picture) -> None:
    fine, data = cv2.imencode(".png", picture)
    if not fine:
        raise OSError(None, "the picture could not be encoded as PNG", str(path))
    path.write_bytes(data.tobytes())
