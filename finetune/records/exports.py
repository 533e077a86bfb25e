"""Records as other trainers read them: ms-swift, LLaMA-Factory and TRL.

What a record holds beside its messages stays behind; crops and files that these trainers would read otherwise (turned
by EXIF, 16 bits, GeoTIFF) are written as images of their own, everything else is pointed at where it lies. Paths are
absolute, as the three resolve relative ones from three different places.

- ms-swift: JSON lines with `messages` (`<image>` in the text) and `images`;
- LLaMA-Factory: the same as its "sharegpt" format, with `dataset_info.json` that says so;
- TRL: JSON lines with `prompt`, `completion` (so that the loss is on replies) and `images`; TRL puts the image places
  in front of the prompt itself. Cast the column: `dataset.cast_column("images", List(Image()))`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.progress import report
from ...core.scene import Scene
from .files import images_folder, read_meta, read_records
from .record import IMAGE, Instruction, Picture

TARGETS = ("ms-swift", "llama-factory", "trl")
FORMATS = ("jpg", "png")
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: the data files, one for each file of records.
        records: how many.
        written: images that were made.
    """

    files: tuple[Path, ...]
    records: int
    written: int


def export(
    paths: Sequence[str | Path], to: str, out: str | Path, *, image_format: str = "jpg", copy: bool = False
) -> Exported:
    """Writes records for another trainer.

    Args:
        paths: files of records; each becomes a file of that name (train.jsonl, val.jsonl).
        to: one of `TARGETS`.
        out: folder; it is made.
        image_format: of the images that are written: "jpg" (quality 95) or "png" (without loss, larger).
        copy: write every image into the folder, so that it can be moved to another machine with its paths replaced.

    Raises:
        UsageError: no such target or format, two files of one name, or an image that is not there.
    """
    if to not in TARGETS:
        raise UsageError(f"there is no export to {to!r}; expected one of: {', '.join(TARGETS)}")
    if image_format not in FORMATS:
        raise UsageError(f"images cannot be written as {image_format!r}; expected jpg or png")
    stems = [Path(path).stem for path in paths]
    if len(set(stems)) < len(stems):
        raise UsageError(f"two of the files have one name ({', '.join(stems)}); rename one")
    folder = Path(out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    images = _Images(folder / "images", image_format, copy)
    files, count = [], 0
    for path in paths:
        place = folder / f"{Path(path).stem}.jsonl"
        if place == Path(path).resolve():
            raise UsageError(f"{str(path)!r} would be replaced by its own export; give another folder")
        fresh = place.with_name(f"{place.name}.part")
        with fresh.open("w", encoding="utf-8") as file:
            for row in _rows(Path(path), to, images):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        fresh.replace(place)
        files.append(place)
    if to == "llama-factory":
        info = {file.stem: _dataset_info(file.name) for file in files}
        (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    return Exported(tuple(files), count, images.written)


def _rows(path: Path, to: str, images: _Images) -> Iterator[dict[str, Any]]:
    folder, meta = images_folder(path), read_meta(path)
    total = meta.records if meta else 0
    for number, record in enumerate(read_records(path), start=1):
        if not record.messages:
            raise UsageError(f"record {record.id!r} has no messages; write them with with_messages")
        yield _row(record, to, [images.place(picture, folder) for picture in record.pictures])
        if total and number % 100 == 0:
            report(f"export {path.name}", number, total)


def _row(record: Instruction, to: str, images: list[str]) -> dict[str, Any]:
    turns = [{"role": message.role, "content": message.content} for message in record.messages]
    if to == "trl":
        asked = [turn | {"content": turn["content"].replace(IMAGE, "").lstrip("\n")} for turn in turns[:-1]]
        return {"prompt": asked, "completion": turns[-1:], "images": images}
    return {"messages": turns, "images": images}


def _dataset_info(name: str) -> dict[str, Any]:
    """LLaMA-Factory's description of one file (its data/README.md, sharegpt format with OpenAI's names of roles)."""
    return {
        "file_name": name,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
    }


class _Images:
    """Pictures as files that any library reads the same."""

    def __init__(self, folder: Path, suffix: str, copy: bool) -> None:
        self.folder, self.suffix, self.copy = folder, suffix, copy
        self.written = 0

    def place(self, picture: Picture, images: Path) -> str:
        """The path of the picture; it is written where it has to be."""
        path = (images / picture.path).resolve()
        if not path.is_file():
            raise UsageError(f"the image {str(path)!r} is not there; name their folder by the file beside the records")
        if picture.crop_xyxy is None and not self.copy and _is_plain(path, path.stat().st_mtime_ns):
            return str(path)
        key = f"{path}/{picture.crop_xyxy}/{path.stat().st_mtime_ns}"
        name = f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.{self.suffix}"
        place = self.folder / name
        if not place.is_file():
            self._write(place, path, picture)
        return str(place)

    def _write(self, place: Path, path: Path, picture: Picture) -> None:
        scene = Scene.open(path)
        pixels = scene.read(picture.crop_xyxy or (0, 0, *scene.size_wh))
        if (pixels.shape[1], pixels.shape[0]) != picture.size_wh:
            raise UsageError(
                f"the image {str(path)!r} shows {pixels.shape[1]} x {pixels.shape[0]} px where its record says "
                f"{picture.size_wh!r}; convert the data again"
            )
        self.folder.mkdir(exist_ok=True)
        done, data = cv2.imencode(
            f".{self.suffix}", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        if not done:
            raise UsageError(f"the image {str(path)!r} cannot be written as {self.suffix}")
        fresh = place.with_name(f"{place.name}.part")
        fresh.write_bytes(data.tobytes())
        fresh.replace(place)
        self.written += 1


@lru_cache(maxsize=65536)
def _is_plain(path: Path, _stamp: int) -> bool:
    """Whether every library reads the file's pixels as `Scene` does: 8 bits, RGB or grey, not to be turned."""
    with path.open("rb") as file:
        head = file.read(65536)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return head[24] == 8 and head[25] in (0, 2) and b"eXIf" not in head
    return head[:2] == b"\xff\xd8" and b"Exif\x00\x00" not in head
