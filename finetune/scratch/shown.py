"""What a tiny Qwen2-VL is asked about drawn scenes, and the replies: the texts are those of inference.

A `Shown` is one prompt's images with several questions about them, so that images are read once a step. Questions come
from `tools/models/tasks` and replies from `core/codec`. Objects are listed by the image token in which their centre
lies, row by row: a causal model that has read the tokens in that order can know which comes next.

Each task is a function; `MAKERS` names them, and the YAML of a training run gives them weights. `refer` is half of
cyclic referring (caption -> boxes; the other half is `region`, box -> caption), `pal` is GeoGround's prompt-assisted
learning (sparse -> dense, with the image), `ggl` its geometry-guided learning (dense -> sparse, without one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from PIL import Image

from ...core.codec import Pointed
from ...core.errors import UsageError
from ...core.frames import SizeWH
from ...core.geometry import farthest_points_in_polygon
from ...core.regions import Region
from ...core.scene import Scene
from ...synth import SynthObject
from ...tools.models.pointing import PointingModel, picture
from ...tools.models.prompting import Prompt, Reply
from ...tools.models.sizes import smart_resize
from ...tools.models.tasks import Asking, Tasks
from ...tools.models.views import View
from .scenes import LABELS, Listed, Seen, corners_of, size_px
from .tiny import CELL

if TYPE_CHECKING:
    from .photos import Photo

TASKS = Tasks("native")
KEYPOINTS = 3
TOLERANCE = 0.05  # of a thing's size, by which its outline is made simpler, at least 1.5 px
_ABSENT = 0.3  # share of questions about what is not there


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked and the reply that is right.

    Attributes:
        task: name in `MAKERS`.
        asking: the instruction, with grammar and reader.
        reply: text.
        right: the things that the reply lists; empty where it lists none.
    """

    task: str
    asking: Asking[Any]
    reply: str
    right: tuple[SynthObject, ...] = ()


@dataclass(frozen=True, eq=False)
class Shown:
    """Images as the model is shown them, and questions about them.

    Attributes:
        images: (H, W, 3) uint8 of the sizes that the model sees; none for questions about text alone.
        questions: at least one.
        seen: the scene that the images show whole, for dense targets; None for crops and text alone.
    """

    images: tuple[np.ndarray, ...]
    questions: tuple[Question, ...]
    seen: Seen | None = None


Maker = Callable[[Seen, Listed, np.random.Generator], "Question | Shown | None"]


def in_order(things: Sequence[SynthObject]) -> list[SynthObject]:
    """By the image token that holds the centre, row by row."""

    return sorted(things, key=lambda thing: token_of(corners_of(thing).mean(axis=0)))


def token_of(centre_xy: np.ndarray) -> tuple[float, ...]:
    """Where a centre, px, stands among the image tokens: row, column, and within the token y, x."""
    x, y = (float(each) for each in centre_xy)
    return (y // CELL, x // CELL, y, x)


def phrase_of(thing: SynthObject) -> str:
    """What is said of a thing: colour, where it has one, and class."""
    return f"{thing.colour} {thing.label}" if thing.colour else thing.label


def asked_labels(things: Sequence[SynthObject], listed: Listed) -> dict[str, list[SynthObject]]:
    """Class -> its listed things in order; classes with too many are left out, those that are not there are empty.

    A class of which only things are there that are not listed is left out too: "none" would be half true.
    """
    large = Counter(thing.label for thing in things if listed.holds(thing))
    there = {thing.label for thing in things}
    found = {label: large[label] for label in LABELS if label not in there or 0 < large[label] <= listed.most}
    return {label: in_order([each for each in things if each.label == label and listed.holds(each)]) for label in found}


def _boxes(things: Sequence[SynthObject]) -> list[Pointed]:
    return [Pointed("obb", corners_of(thing)) for thing in things]


def _upright(thing: SynthObject, keypoints: bool = False) -> Pointed:
    points = farthest_points_in_polygon(thing.polygon_px, KEYPOINTS) if keypoints else None
    return Pointed("box", np.asarray(thing.box_px).reshape(2, 2), points)


def outline_of(thing: SynthObject) -> np.ndarray:
    """(N, 2) px: the outline with few points, beginning at the top-most."""
    simple = shapely.Polygon(thing.polygon_px).simplify(max(1.5, TOLERANCE * size_px(thing)))
    ring = thing.polygon_px
    if isinstance(simple, shapely.Polygon) and len(simple.exterior.coords) > 3:
        ring = np.asarray(simple.exterior.coords)[:-1]
    if shapely.LinearRing(ring).is_ccw:  # in y-down px that is anticlockwise on screen for positive area
        ring = ring[::-1]
    return np.roll(ring, -int(np.lexsort((ring[:, 0], ring[:, 1]))[0]), axis=0)


def _chosen(seen: Seen, listed: Listed, rng: np.random.Generator) -> tuple[str, list[SynthObject]] | None:
    """A class and its things; mostly one that is there."""
    asked = asked_labels(seen.things[-1], listed)
    there = [label for label in asked if asked[label]]
    absent = [label for label in asked if not asked[label]]
    some = absent if not there or (absent and rng.random() < _ABSENT) else there
    if not some:
        return None
    label = some[int(rng.integers(len(some)))]
    return label, asked[label]


def detect(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """Oriented boxes of a class."""
    chosen = _chosen(seen, listed, rng)
    return None if chosen is None else detect_of(chosen[0], chosen[1], seen.size_wh)


def detect_of(phrase: str, things: Sequence[SynthObject], size_wh: SizeWH, task: str = "det") -> Question:
    """The question about a phrase and its reply."""
    return Question(task, TASKS.detect(phrase, size_wh), TASKS.dialect.encode(_boxes(things), size_wh), tuple(things))


def segment(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """Upright boxes with key points of a class."""
    chosen = _chosen(seen, listed, rng)
    return None if chosen is None else segment_of(chosen[0], chosen[1], seen.size_wh)


def segment_of(phrase: str, things: Sequence[SynthObject], size_wh: SizeWH) -> Question:
    """The question about a phrase and its reply."""
    reply = TASKS.dialect.encode([_upright(thing, keypoints=True) for thing in things], size_wh)
    return Question("seg", TASKS.segment(phrase, size_wh), reply, tuple(things))


def count(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """How many of a class."""
    chosen = _chosen(seen, listed, rng)
    return None if chosen is None else Question("count", TASKS.count(chosen[0]), str(len(chosen[1])), tuple(chosen[1]))


def refer(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """Boxes of a region caption's phrase: colour and class. Only where all of the class are listed."""
    asked = asked_labels(seen.things[-1], listed)
    phrases = sorted({phrase_of(thing) for things in asked.values() for thing in things if thing.colour})
    if not phrases:
        return None
    phrase = phrases[int(rng.integers(len(phrases)))]
    things = [thing for each in asked.values() for thing in each if phrase_of(thing) == phrase]
    return detect_of(phrase, in_order(things), seen.size_wh, "refer")


def assisted(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """PAL: a thing's upright box is given, the oriented one or the outline is asked for."""
    things = [thing for thing in seen.things[-1] if listed.holds(thing)]
    if not things:
        return None
    thing, size = things[int(rng.integers(len(things)))], seen.size_wh
    outlined = bool(rng.random() < 0.5)
    asking = TASKS.refine([_upright(thing)], "polygon" if outlined else "obb", thing.label, size)
    right = Pointed("polygon", outline_of(thing)) if outlined else _boxes([thing])[0]
    return Question("pal", asking, TASKS.dialect.encode([right], size))


def guided(seen: Seen, listed: Listed, rng: np.random.Generator) -> Shown | None:
    """GGL: an oriented box or outline is given without the image, its upright box is asked for."""
    things = [thing for thing in seen.things[-1] if listed.holds(thing)]
    if not things:
        return None
    thing, size = things[int(rng.integers(len(things)))], seen.size_wh
    dense = Pointed("polygon", outline_of(thing)) if rng.random() < 0.5 else _boxes([thing])[0]
    low, high = dense.points_px.min(axis=0), dense.points_px.max(axis=0)
    reply = TASKS.dialect.encode([Pointed("box", np.stack([low, high]))], size)
    return Shown((), (Question("ggl", TASKS.convert([dense], "box", size), reply),))


def change(seen: Seen, listed: Listed, rng: np.random.Generator) -> Question | None:
    """Closed polygons of what changed in a class; sometimes of one that did not change."""
    if len(seen.images) != 2:
        return None
    of = changed_labels(seen, listed)
    there = [label for label in of if of[label]]
    still = [label for label in of if not of[label]]
    some = still if not there or (still and rng.random() < _ABSENT) else there
    label = some[int(rng.integers(len(some)))]
    return change_of(label, of[label], seen.size_wh)


def changed_labels(seen: Seen, listed: Listed) -> dict[str, list[SynthObject]]:
    """Class -> its listed changes, for the classes that either date shows (or "building"), where all are listed."""
    small = {thing.label for thing in seen.changed if not listed.holds(thing)}
    labels = {thing.label for side in seen.things for thing in side} | {"building"}
    if not labels - small:
        return {"airplane": []}
    return {
        label: in_order([thing for thing in seen.changed if thing.label == label]) for label in sorted(labels - small)
    }


def change_of(phrase: str, things: Sequence[SynthObject], size_wh: SizeWH) -> Question:
    """The question about a phrase and its reply."""
    reply = TASKS.dialect.encode([Pointed("polygon", outline_of(thing)) for thing in things], size_wh)
    return Question("change", TASKS.change(phrase, size_wh), reply, tuple(things))


def region(seen: Seen, listed: Listed, rng: np.random.Generator) -> Shown | None:
    """What lies at a box, shown in the crop that a describer is shown."""
    things = [thing for thing in seen.things[-1] if listed.holds(thing)]
    return region_of(seen, things[int(rng.integers(len(things)))]) if things else None


def region_of(seen: Seen, thing: SynthObject) -> Shown:
    """The crop, the question and its reply."""
    pupil = Pupil(seen.size_wh[0] * seen.size_wh[1])
    corners = corners_of(thing)
    at = Region("", thing.label, np.clip(corners, 0, seen.size_wh), np.clip(thing.box_px, 0, seen.size_wh[0]))
    PointingModel(pupil, "").describe(scene_of(seen), [at])
    (prompt,) = pupil.prompts
    return Shown(_pixels(prompt), (Question("region", prompt.asking, phrase_of(thing), (thing,)),))


class Pupil:
    """Hears what is asked, and says nothing of use: an `Answerer` for finding out the prompts."""

    tasks, at_once, version = TASKS, 1, ""

    def __init__(self, most_pixels: int) -> None:
        self.most_pixels = most_pixels
        self.prompts: list[Prompt] = []

    def seen_size(self, size_wh: SizeWH, shrink: float = 1.0) -> tuple[int, int]:
        """As a tiny checkpoint sees it."""
        size = (int(size_wh[0]), int(size_wh[1]))
        return smart_resize(size, CELL, 4 * CELL**2, int(self.most_pixels * shrink))

    def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
        """Keeps them."""
        self.prompts += prompts
        return [Reply("?") for _ in prompts]


def scene_of(seen: Seen, date: int = -1) -> Scene:
    """A date of what was drawn as `ask` takes it."""
    return Scene.from_array(seen.images[date], gsd_m=seen.gsd_m, name=f"{seen.id}-{date}.png")


def prompt_of(shown: Shown, question: Question) -> Prompt:
    """The question as an engine is asked it."""
    views = [(View((0, 0, w, h), (w, h), (w, h)), image) for image in shown.images for h, w in [image.shape[:2]]]
    return Prompt(tuple(picture(Scene.from_array(image), view) for view, image in views), question.asking)


def _pixels(prompt: Prompt) -> tuple[np.ndarray, ...]:
    """The pictures at the sizes at which the model sees them, resized as its engine does."""
    images = [(Image.fromarray(each.read()), each.size_wh) for each in prompt.pictures]
    return tuple(
        np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BICUBIC))
        for image, size in images
    )


MAKERS: dict[str, Maker] = {
    "det": detect, "seg": segment, "count": count, "refer": refer, "pal": assisted, "ggl": guided, "change": change,
    "region": region,
}  # fmt: skip
LETTERS = 400
"""Of a row's replies together, where it has several: long rows make the others wait."""
_OF_PAIRS = ("change",)
_ALONE = ("change", "region", "ggl")


class Source:
    """Rows for training, chosen by weights: row i of a step depends on the seed, the step and i alone.

    Args:
        scenes, pairs: what is shown.
        mix: weight of each task of `MAKERS` (and "records") among the rows; tasks about whole scenes share rows.
        listed: which things are asked for.
        questions: about one scene.
        turns: whether scenes are turned, mirrored and lit otherwise.
        records: real pictures with what is asked about them, see `photos.read_photos`.

    Raises:
        UsageError: an unknown task, a negative weight, nothing to choose, or a task without anything to show.
    """

    def __init__(
        self, scenes: Sequence[Seen], pairs: Sequence[Seen], mix: Mapping[str, float], listed: Listed | None = None, *,
        questions: int = 3, turns: bool = True, records: Sequence[Photo] = (),
    ) -> None:  # fmt: skip
        from .scenes import lit, turned

        unknown = sorted(set(mix) - {*MAKERS, "records"})
        if unknown or min(mix.values(), default=0) < 0 or not sum(mix.values()):
            raise UsageError(f"the mix is {dict(mix)!r}; expected weights of: {', '.join([*MAKERS, 'records'])}")
        self.scenes, self.pairs, self.records = scenes, pairs, records
        self.listed, self._questions, self._turns = listed or Listed(), questions, turns
        self._names = [name for name in mix if mix[name] > 0]
        for name in self._names:
            if not (records if name == "records" else pairs if name in _OF_PAIRS else scenes):
                raise UsageError(f"the mix has {name!r}, but there is nothing to show for it")
        self._weights = np.array([mix[name] for name in self._names]) / sum(mix[name] for name in self._names)
        self._turned, self._lit = turned, lit

    def row(self, seed: Sequence[int]) -> Shown:
        """One row; the same seed gives the same."""
        rng = np.random.default_rng(list(seed))
        while True:
            name = str(rng.choice(self._names, p=self._weights))
            if name == "records":
                photo = self.records[int(rng.integers(len(self.records)))]
                return photo.row(rng, self._questions, self._turns)
            seen = self._seen(name, rng)
            made = MAKERS[name](seen, self.listed, rng)
            if isinstance(made, Shown):
                return made
            if made is not None:
                return Shown(seen.images, tuple(self._more(name, made, seen, rng)), seen)

    def _seen(self, name: str, rng: np.random.Generator) -> Seen:
        some = self.pairs if name in _OF_PAIRS else self.scenes
        seen = some[int(rng.integers(len(some)))]
        return self._lit(self._turned(seen, int(rng.integers(8))), rng) if self._turns else seen

    def _more(self, name: str, first: Question, seen: Seen, rng: np.random.Generator) -> list[Question]:
        """The first question and others of the mix that can be asked about the same images, no two alike."""
        found = {first.asking.text: first}
        shared = [each for each in self._names if each not in (*_ALONE, "records")] if name not in _ALONE else [name]
        if name not in shared or name in ("region", "ggl"):
            return [first]
        weights = np.array([self._weights[self._names.index(each)] for each in shared])
        letters = LETTERS - len(first.reply)
        for _ in range(self._questions - 1):
            task = str(rng.choice(shared, p=weights / weights.sum()))
            more = MAKERS[task](seen, self.listed, rng)
            if isinstance(more, Question) and more.asking.text not in found and len(more.reply) <= letters:
                found[more.asking.text] = more
                letters -= len(more.reply)
        return list(found.values())
