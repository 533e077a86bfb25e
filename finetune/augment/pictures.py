"""The pixels behind records: read as a record shows them, new ones written as PNG under the digest of their pixels."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.scene import Scene
from ..records.record import Picture

_KEPT = 4
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class Pictures:
    """Reads the pictures of records and writes new ones.

    Args:
        images: folder that the relative paths of the records start from.
        out: the file of new records; their pictures' paths are told from its folder. New pictures are written beside
            it, to a folder of its name and ".images", which is made with the first.
    """

    def __init__(self, images: Path, out: Path) -> None:
        self.images, self.base = images, out.parent
        self.folder = out.with_name(f"{out.name.removesuffix('.jsonl')}.images")
        self.written = 0
        self._read: dict[Picture, np.ndarray] = {}
        self._made: dict[object, Picture] = {}

    def read(self, picture: Picture) -> np.ndarray:
        """(H, W, 3) uint8 RGB of what a rebased or a new picture shows; not to be changed in place.

        Raises:
            UsageError: no such image, damaged, or of another size than the record tells.
        """
        if picture not in self._read:
            scene = Scene.open(self.base / picture.path)
            window = picture.crop_xyxy or (0, 0, *scene.size_wh)
            if (window[2] - window[0], window[3] - window[1]) != tuple(picture.size_wh):
                raise UsageError(
                    f"{picture.path!r} shows {window[2] - window[0]} x {window[3] - window[1]} px and the record tells "
                    f"{picture.size_wh[0]} x {picture.size_wh[1]}; convert the records again from these images"
                )
            if len(self._read) >= _KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[picture] = scene.read(window)
        return self._read[picture]

    def rebased(self, picture: Picture) -> Picture:
        """The same picture, its path told from the folder of the new records."""
        if Path(picture.path).is_absolute():
            return picture
        path = os.path.relpath((self.images / picture.path).resolve(), self.base.resolve())
        return picture.model_copy(update={"path": Path(path).as_posix()})

    def make(self, key: object, pixels: np.ndarray | None) -> Picture | None:
        """The new picture of that key; pixels are needed the first time (None asks whether it is known)."""
        if key not in self._made and pixels is not None:
            self._made[key] = self.write(pixels)
        return self._made.get(key)

    def write(self, pixels: np.ndarray) -> Picture:
        """Writes (H, W, 3) uint8 RGB losslessly; pixels that were written before are not written again."""
        digest = hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:20]
        path = self.folder / f"{digest}.png"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _FAST)[1].tobytes()
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
            self.written += 1
        told = Path(os.path.relpath(path.resolve(), self.base.resolve())).as_posix()
        return Picture(path=told, size_wh=(pixels.shape[1], pixels.shape[0]))
