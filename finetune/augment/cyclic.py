"""Cyclic referring: what names a region and what the region is called are taught both ways (GeoRSMLLM section III-C).

"The outputs of REC, RES, and RCD tasks can serve as inputs for the region captioning task with only slight
modifications to the prompts, and vice versa." A referring record over one region gives the region's caption; a caption
gives a referring record. One phrase must mean one region of its image: a caption that fits a second one is not turned
round, nor one that a model, if asked, does not lead back to its region.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ...core import inflection, lexicon
from ...core.codec import Pointed
from ...core.errors import ModelOutputError, UnknownPhrase
from ...core.geometry import box_to_corners, min_area_rect
from ...core.masks import Mask
from ...core.protocols import Describer, Grounder
from ...core.regions import Region
from ...core.scene import Scene
from ...tools.models.tasks import ways
from ..records.points import as_xy
from ..records.record import Instruction, Marked, Picture, asking_of
from .images import changed
from .marks import LeftOut

REFERRING = ("det", "rec", "res", "rcd")
LEAST_READ_BACK = 0.5
"""IoU of a region with what its text says of it, below which the text does not tell the region."""
SAME, SAME_BOX = 0.5, 0.7
"""IoU from which on two regions of one phrase are one thing told twice; in two kinds, that of their upright boxes."""
_ARTICLE = re.compile(r"^(?:the|an?|this|that|one)\s+", re.IGNORECASE)
_UNIQUE = re.compile(
    r"\b(?:\w+est|\w+most|most|least|first|second|third|\w+th|last|only|of|left|right|above|below|near|next|between|"
    r"at|in|on|by|with|from|closest|north\w*|south\w*|east\w*|west\w*|top|bottom|upper|lower|middle|center|centre)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;]\s+\S|\b(?:is|are|was|were|has|have|there|it|they)\b", re.IGNORECASE)
MOST_WORDS = 30


@dataclass
class Phrases:
    """Which regions of each image a phrase names, in any record: what tells whether a caption is ambiguous."""

    named: dict[tuple[Picture, ...], dict[str, list[Marked]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    several: set[tuple[tuple[Picture, ...], str]] = field(default_factory=set)

    @classmethod
    def of(cls, records: Iterable[Instruction]) -> Phrases:
        """Of all records of a file."""
        found = cls()
        for record in records:
            found.add(record)
        return found

    def add(self, record: Instruction) -> None:
        """Notes what a record names."""
        if record.task == "count" and record.reply != "1":
            self.several.add((record.pictures, key_of(record.phrase)))
        if record.task not in (*REFERRING, "region"):
            return
        key = key_of(record.reply if record.task == "region" else record.phrase)
        known = self.named[record.pictures][key]
        for region in record.regions:
            if len(known) < 2 and not any(_is_same(region, each) for each in known):  # two are enough
                known.append(region.model_copy(update={"rle": None}))

    def is_ambiguous(self, record: Instruction, words: str) -> bool:
        """Whether the words name more than one region of the record's image."""
        key = key_of(words)
        return (record.pictures, key) in self.several or len(self.named[record.pictures][key]) > 1


def key_of(words: str) -> str:
    """Words as they are compared: normalised, synonyms of a class as one.

    Example:
        >>> key_of("The Aeroplanes."), key_of("a plane")
        ('airplane', 'airplane')
    """
    name = lexicon.normalise(words.strip().rstrip(".!")) if words.strip() else ""
    return lexicon.concept(name) or name


@dataclass(frozen=True)
class RoundTrip:
    """Models that a caption must survive: the region is described, the description grounded, and lies where it did.

    Args:
        grounder: finds the caption.
        describer: captions the region; without one the record's own words are grounded.
        least_iou: of the found region nearest to the record's.
    """

    grounder: Grounder
    describer: Describer | None = None
    least_iou: float = 0.5

    def leads_back(self, scene: Scene, region: Marked, caption: str) -> bool:
        """Whether the models agree with the record."""
        corners = min_area_rect(_ring(region))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        if self.describer is not None:
            asked = Region("", caption, corners, box, None, None, None, None, "record")
            caption = self.describer.describe(scene, [asked])[0].text
        try:
            found = self.grounder.ground(scene, caption)
        except (UnknownPhrase, ModelOutputError):
            return False
        shape = shape_of(region)
        return any(iou(shape, shapely.Polygon(each.corners_px)) >= self.least_iou for each in found)


def cycled(record: Instruction, phrases: Phrases, seed: int, trip: RoundTrip | None = None, scene: Scene | None = None) -> Iterator[Instruction]:  # fmt: skip  # noqa: E501
    """The records that a record gives when it is turned round: one, or two from a caption with key points.

    Args:
        record: `det`, `rec`, `res`, `rcd` of one region, or `region`.
        phrases: of all records of the same images.
        seed: of the wording.
        trip: models that must lead the caption back; None for the text alone.
        scene: the record's picture, for `trip`.

    Raises:
        LeftOut: another task, no or several regions, an ambiguous caption, one that is no phrase, a region that its
            text does not tell, or models that disagree.
    """
    if record.task not in (*REFERRING, "region"):
        raise LeftOut(f"'{record.task}' names no region")
    if not record.regions:
        raise LeftOut("a phrase that names nothing")
    if len(record.regions) > 1:
        raise LeftOut("one phrase for several regions")
    words = record.reply if record.task == "region" else record.phrase
    if not any(letter.isalpha() for letter in words) or _ARTICLE.fullmatch(f"{words.strip().rstrip('.!')} "):
        raise LeftOut("a caption that is no phrase")
    if phrases.is_ambiguous(record, words):
        raise LeftOut("ambiguous: two regions of the image with one phrase")
    rng = np.random.default_rng([seed, *f"{record.id}".encode()])
    made = list(_captioned(record, rng) if record.task != "region" else _referred(record, rng))
    for each in made:
        _check_reads_back(each)
    if len(record.pictures) == 2 or trip is None or scene is None:
        yield from made
        return
    if not trip.leads_back(scene, record.regions[0], words):
        raise LeftOut(f"models do not lead back to the region (IoU below {trip.least_iou:g})")
    yield from made


def _captioned(record: Instruction, rng: np.random.Generator) -> Iterator[Instruction]:
    """A region's caption from what names it."""
    bare = _ARTICLE.sub("", " ".join(record.phrase.split())).rstrip(".")
    bare = bare if _UNIQUE.search(bare) else inflection.singular(bare)
    article = "the" if _UNIQUE.search(bare) else ("an" if bare[0].lower() in "aeiou" else "a")
    reply = [bare, f"{article} {bare}", f"{article} {bare}"[0].upper() + f"{article} {bare}"[1:] + "."][rng.integers(3)]
    parts: dict[str, Any] = {
        "task": "region",
        "phrase": "",
        "reply": reply,
        "wording": int(rng.integers(ways("region"))),
    }
    region = record.regions[0].model_copy(update={"keypoints": ()})
    yield changed(record, f"cyclic {record.task} to region", regions=(region,), **parts)


def _referred(record: Instruction, rng: np.random.Generator) -> Iterator[Instruction]:
    """What finds a region from its caption: its oriented box, with key points also its box, over a pair its outline."""
    bare = _ARTICLE.sub("", " ".join(record.reply.split())).rstrip(".!")
    if len(bare.split()) > MOST_WORDS or _SENTENCE.search(bare):
        raise LeftOut("a caption that is no phrase")
    bare = bare if bare[1:2].isupper() else bare[0].lower() + bare[1:]
    region = record.regions[0]
    parts: dict[str, Any] = {"phrase": bare, "reply": ""}
    if len(record.pictures) == 2:
        if region.kind != "polygon":
            raise LeftOut("a change that is no outline")
        yield changed(record, "cyclic region to rcd", task="rcd", wording=int(rng.integers(ways("change"))), **parts)
        return
    corners = region.points if region.kind == "obb" else as_xy(_corners(region))
    is_upright = region.is_upright or (region.kind == "box" and region.rle is None)
    told = {"kind": "obb", "points": corners, "keypoints": (), "holes": (), "is_upright": is_upright}
    found = region.model_copy(update=told)
    wording = int(rng.integers(ways("det")))
    yield changed(record, "cyclic region to rec", task="rec", regions=(found,), wording=wording, **parts)
    if region.kind == "box" and region.keypoints:
        yield changed(record, "cyclic region to res", task="res", wording=int(rng.integers(ways("seg"))), **parts)


def _corners(region: Marked) -> np.ndarray:
    """The least rectangle round pixels or outline; of an upright box alone its corners."""
    if region.rle is not None and (polygons := Mask.from_rle(region.rle).to_polygons()):
        return min_area_rect(shapely.get_coordinates(shapely.MultiPolygon(polygons)))
    if region.kind == "box":
        return box_to_corners(np.array(region.points).ravel())
    return min_area_rect(np.array(region.points))


def _check_reads_back(record: Instruction) -> None:
    """The codec's round trip: the region that the text tells is the record's."""
    size = record.size_wh
    text = record.messages[0].content if record.task == "region" else record.messages[1].content
    if record.task == "region":
        from ...core.codec import dialect

        found = dialect("native").decode(text[text.index("[(") : text.rindex(")]") + 2], size)
    else:
        found = asking_of(record).read(text)
    said = shape_of_pointed(found[0]) if len(found) == 1 else shapely.Polygon()
    if iou(said, shape_of(record.regions[0])) < LEAST_READ_BACK:
        raise LeftOut("the text does not tell the region (rounded to its grid)")


# ---- shapes


def shape_of(region: Marked) -> BaseGeometry:
    """What a region covers, without its holes."""
    return shape_of_pointed(region.pointed)


def shape_of_pointed(pointed: Pointed) -> BaseGeometry:
    """What is pointed at as a shape."""
    points = pointed.points_px
    return shapely.box(*points.ravel()) if pointed.kind == "box" else shapely.make_valid(shapely.Polygon(points))


def iou(a: BaseGeometry, b: BaseGeometry) -> float:
    """Of two shapes; 0 where neither has an area."""
    union = a.union(b).area
    return a.intersection(b).area / union if union > 0 else 0.0


def _is_same(a: Marked, b: Marked) -> bool:
    """Whether two regions of one phrase are one thing: a slanted box and the upright one round it may be."""
    one, other = shape_of(a), shape_of(b)
    boxed = a.kind != b.kind and iou(shapely.box(*one.bounds), shapely.box(*other.bounds)) >= SAME_BOX
    return boxed or iou(one, other) >= SAME


def _ring(region: Marked) -> np.ndarray:
    return box_to_corners(np.array(region.points).ravel()) if region.kind == "box" else np.array(region.points)
