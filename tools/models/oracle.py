"""Models that answer from human annotation: COCO instances or DOTA labelTxt, for the image of that name.

With them reasoning is tested apart from perception. Sources: COCO "data format: object detection" (bbox xywh, polygons
or RLE); DOTA_devkit (8 corner values, class, difficult flag; header lines `imagesource:` and `gsd:`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import UsageError
from ...core.geometry import box_iou_matrix, canonical_corners, corners_to_box, min_area_rect, polygon_area
from ...core.lexicon import resolve
from ...core.masks import Mask
from ...core.protocols import MaskPrompt, MaskResult
from ...core.regions import FloatArray, Region
from ...core.rotated_iou import rotated_iou_matrix

if TYPE_CHECKING:
    from ...core.scene import Scene

_LEAST_OVERLAP = 0.5  # IoU of a prompt with an annotated object below which the oracle has no mask for it


@dataclass(frozen=True, eq=False)
class Annotated:
    """One annotated object: its region, and all rings of its outline (several when it is in parts)."""

    region: Region
    rings: tuple[FloatArray, ...]


@dataclass(frozen=True)
class Annotations:
    """What one annotation file or folder says.

    Attributes:
        labels: the class names, in the order of the file.
        images: image name -> its objects.
        gsd_m: image name -> ground sample distance, where a DOTA header gives it.
        by_stem: image names carry no extension (DOTA).
    """

    path: Path
    labels: tuple[str, ...]
    images: Mapping[str, tuple[Annotated, ...]]
    gsd_m: Mapping[str, float]
    by_stem: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, or of the names and contents of a folder's files."""
        files = sorted(self.path.glob("*.txt")) if self.path.is_dir() else [self.path]
        total = hashlib.sha256()
        for file in files:
            total.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()

    def image_name(self, name: str) -> str:
        """The annotated image that goes with a scene's name. Raises UsageError when there is none, or several."""
        wanted = Path(name)
        exact = [key for key in self.images if key == name or Path(key).name == wanted.name]
        found = exact or [key for key in self.images if (key if self.by_stem else Path(key).stem) == wanted.stem]
        if len(found) == 1:
            return found[0]
        listed = f"{len(self.images)} image{'s' if len(self.images) != 1 else ''}"
        if found:
            raise UsageError(f"{str(self.path)!r} lists {len(found)} images called {name!r}: {', '.join(found[:5])}")
        sample = ", ".join(sorted(self.images)[:3])
        raise UsageError(
            f"{str(self.path)!r} has no annotation for an image called {name!r}; it lists {listed}"
            + (f" ({sample}{', ...' if len(self.images) > 3 else ''})" if sample else "")
            + "; use the image's original file name, or give the file that annotates it"
        )

    def objects(self, name: str) -> tuple[Annotated, ...]:
        """The objects of a scene, in the order of the file."""
        return self.images[self.image_name(name)]


def read_annotations(path: str | Path) -> Annotations:
    """The content of a COCO instances file (.json), a DOTA labelTxt file (.txt) or a folder of those.

    Args:
        path: an existing file or folder; read once and kept while it does not change.

    Raises:
        UsageError: missing, damaged or of another kind; says which file and what was expected.
    """
    path = Path(path)
    try:
        if path.is_dir():
            stamp = max((p.stat().st_mtime_ns for p in path.glob("*.txt")), default=0)
        else:
            stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"cannot read the annotations {str(path)!r}: {error.strerror or error}") from None
    return _read(path, stamp)


@lru_cache(maxsize=8)
def _read(path: Path, _stamp: int) -> Annotations:
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        if not files:
            raise UsageError(f"the folder {str(path)!r} holds no .txt file; expected DOTA labelTxt files")
        return _dota(path, files)
    return _coco(path) if path.suffix.lower() == ".json" else _dota(path, [path])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the annotations {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{str(path)!r} is not a text file; expected COCO instances (.json) or DOTA labelTxt (.txt)"
        ) from None


# ---- COCO -----------------------------------------------------------------------------------------------------


def _coco(path: Path) -> Annotations:
    expected = "expected COCO instances: an object with the lists 'images', 'annotations' and 'categories'"
    try:
        data = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{str(path)!r} is damaged or no JSON ({error}); {expected}") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in keys):
        raise UsageError(f"{str(path)!r} is not an annotation file; {expected}")
    objects: dict[Any, list[Annotated]] = {}
    entry: Any = None
    try:
        names = {}
        for entry in data["categories"]:
            names[entry["id"]] = str(entry["name"])
        files = {}
        for entry in data["images"]:
            files[entry["id"]] = str(entry["file_name"])
            objects[entry["id"]] = []
        for entry in data["annotations"]:
            if not int(entry.get("iscrowd") or 0):
                objects[entry["image_id"]].append(_coco_object(entry, names[entry["category_id"]], path.name))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"{str(path)!r} is damaged at {_short(entry)} ({what}); {expected}") from None
    labels = tuple(dict.fromkeys(names.values()))
    return Annotations(path, labels, {files[key]: tuple(found) for key, found in objects.items()}, {})


def _coco_object(entry: Mapping[str, Any], label: str, source: str) -> Annotated:
    rings = rings_of(entry.get("segmentation"))
    box = np.asarray(entry["bbox"], dtype=np.float64).reshape(4) if entry.get("bbox") else None
    if box is not None:
        box = np.concatenate([box[:2], box[:2] + box[2:]])
    if rings:
        points = np.concatenate(rings)
        corners = min_area_rect(points)
        box = corners_to_box(points) if box is None else box
    elif box is not None:
        corners = canonical_corners(box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2))
    else:
        raise ValueError("neither a bbox nor a segmentation")
    outline = max(rings, key=polygon_area) if rings else None
    region = Region(f"{label}-{entry['id']}", label, corners, box, None, outline, source=f"oracle:{source}")
    return Annotated(region, rings or (corners,))


def rings_of(segmentation: Any) -> tuple[FloatArray, ...]:
    """Polygon rings of a COCO segmentation: list of flat lists, RLE, or (in some NWPU files) JSON text of either."""
    if isinstance(segmentation, str):
        segmentation = json.loads(segmentation)
    if not segmentation:
        return ()
    if isinstance(segmentation, dict):
        shapes = Mask.from_rle(segmentation).to_polygons()
        return tuple(np.asarray(shape.exterior.coords, dtype=np.float64)[:-1] for shape in shapes)
    if not isinstance(segmentation[0], list | str):
        segmentation = [segmentation]
    parts = [json.loads(part) if isinstance(part, str) else part for part in segmentation]
    rings = tuple(np.asarray(part, dtype=np.float64).reshape(-1, 2) for part in parts)
    if not all(np.isfinite(ring).all() for ring in rings):
        raise ValueError("a coordinate that is not finite")
    return tuple(ring for ring in rings if len(ring) >= 3)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


# ---- DOTA -----------------------------------------------------------------------------------------------------


def _dota(path: Path, files: Sequence[Path]) -> Annotations:
    images: dict[str, tuple[Annotated, ...]] = {}
    gsd: dict[str, float] = {}
    for file in files:
        found = []
        for number, line in enumerate(_text(file).splitlines(), start=1):
            words = line.split()
            key, colon, value = line.strip().partition(":")
            if colon and len(words) < 9:
                if key.lower() == "gsd" and (metres := positive_number(value)) is not None:
                    gsd[file.stem] = metres
            elif words:
                found.append(_dota_object(file, number, words))
        images[file.stem] = tuple(found)
    labels = tuple(dict.fromkeys(item.region.label for items in images.values() for item in items))
    return Annotations(path, labels, images, gsd, by_stem=True)


def positive_number(text: str) -> float | None:
    """The header's number; None for 'null', 'None' and anything else that is no positive number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _dota_object(file: Path, number: int, words: Sequence[str]) -> Annotated:
    try:
        quad = np.array([float(word) for word in words[:8]]).reshape(4, 2)
        if len(words) < 9 or not np.isfinite(quad).all():
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{str(file)!r} is damaged at line {number}: {_short(' '.join(words))}; expected DOTA labelTxt: "
            "x1 y1 x2 y2 x3 y3 x4 y4 class difficult"
        ) from None
    label = words[8]
    region = Region(
        f"{label}-{number}", label, min_area_rect(quad), corners_to_box(quad), None, quad, source=f"oracle:{file.name}"
    )
    return Annotated(region, (quad,))


# ---- the models -----------------------------------------------------------------------------------------------


class OracleGrounder:
    """A grounder that answers from human annotation of the scene's image.

    Ids hold the annotation's own id (COCO: "airplane-<annotation id>") or its line in the file ("ship-<line>", DOTA).
    Scores are None.

    Args:
        path: COCO instances (.json), a DOTA labelTxt file, or a folder of labelTxt files.

    Raises:
        UsageError: a missing or damaged file.
    """

    def __init__(self, path: str | Path) -> None:
        self._annotations = read_annotations(path)
        self.name = f"oracle:{path}"
        self.version = self._annotations.digest

    def knows(self) -> tuple[str, ...]:
        """The class names of the annotation file."""
        return self._annotations.labels

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The annotated classes that the phrase stands for. Raises UnknownPhrase when there are none."""
        return resolve(phrase, self.knows(), advice="These are the classes of the annotation file.")

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """The annotated regions of those classes, in the order of the file.

        Raises:
            UnknownPhrase: a class the file does not have.
            UsageError: the file has no image of the scene's name.
        """
        labels = set(self.resolve(phrase))
        return tuple(item.region for item in self._annotations.objects(scene.name) if item.region.label in labels)

    def gsd_m(self, scene: Scene) -> float | None:
        """Ground sample distance in a DOTA header; None when not given, or when the scene is not annotated."""
        try:
            return self._annotations.gsd_m.get(self._annotations.image_name(scene.name))
        except UsageError:  # `ground` tells it, where it is asked
            return None


class OracleSegmenter:
    """A segmenter that answers with the annotated outline that fits a prompt best.

    A prompt that overlaps no annotated object (IoU below 0.5) gets an empty mask.

    Args:
        path: as for `OracleGrounder`.
    """

    def __init__(self, path: str | Path) -> None:
        self._annotations = read_annotations(path)
        self.name = f"oracle:{path}"
        self.version = self._annotations.digest

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One result per prompt, in order; scores are None. Raises UsageError for a scene without annotation."""
        items = self._annotations.objects(scene.name)
        width, height = scene.size_wh
        results = []
        for prompt in prompts:
            item = _best_match(items, prompt)
            rings = [] if item is None else [Mask.from_polygon(ring, (height, width)) for ring in item.rings]
            mask = Mask.from_array(np.zeros((0, 0)), shape_hw=(height, width))
            for ring in rings:
                mask = mask.union(ring)
            results.append(MaskResult(mask))
        return tuple(results)


def _best_match(items: Sequence[Annotated], prompt: MaskPrompt) -> Annotated | None:
    if not items:
        return None
    if prompt.corners_px is None:
        iou = box_iou_matrix(prompt.box_px[None], np.stack([item.region.box_px for item in items]))[0]
    else:
        iou = rotated_iou_matrix(prompt.corners_px[None], np.stack([item.region.corners_px for item in items]))[0]
    best = int(np.argmax(iou))
    return items[best] if iou[best] >= _LEAST_OVERLAP else None
