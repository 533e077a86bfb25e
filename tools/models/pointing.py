"""Grounder, describer and change detector made of anything that answers instructions about images with sets of points.

What differs between a checkpoint on this machine and a server is how a prompt becomes a reply (`Answerer`). Everything
else is here: which views of a scene are shown, how replies become regions of the scene, what happens to a reply that is
unreadable (asked again) or cut short (the view is looked at in parts), and to a view that does not fit (made smaller).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...core.codec import Pointed
from ...core.errors import ModelOutputError, UsageError
from ...core.frames import SizeWH
from ...core.geometry import box_to_corners, corners_to_box, min_area_rect
from ...core.progress import note, report
from ...core.protocols import Description, Place
from ...core.regions import FloatArray, Region
from .merging import merge_seen
from .placing import with_pixels
from .prompting import Answerer, OutOfMemory, Picture, Prompt, Reply, meaning
from .second_look import second_look
from .tasks import Asking
from .views import Seen, View, adaptive, tiled, whole, zoomed

if TYPE_CHECKING:
    from ...core.scene import Scene

Read = TypeVar("Read")
WHOLE_SHRINK = 1.5  # a scene that is shown whole is made smaller by at most this, under views="auto"
WARMER = 0.7  # temperature at which an unreadable reply is asked for again
LEAST_SHRINK = 1 / 64  # of the pixel budget: below it a view shows nothing
CONTEXT = 3.0  # side of the crop that a describer is shown, in long sides of the region


@dataclass(frozen=True)
class Looking:
    """How scenes are looked at.

    Args:
        ground: "det" asks for oriented boxes, "seg" for upright boxes with key points.
        views: "whole", "tiles", "adaptive" (GeoPixel section 3.2), or "auto": whole where that makes a scene smaller by
            at most 1.5, else adaptive where its tiles show it no smaller than that, else tiles.
        most_views: tiles of an adaptive division.
        overlap: of neighbouring views, px as the model sees them.
        second_look: finds shown smaller than this, px, are looked at again, enlarged; 0 never.
        retries: how often an unreadable reply is asked for again.
    """

    ground: str = "det"
    views: str = "auto"
    most_views: int = 9
    overlap: int = 112
    second_look: int = 0
    retries: int = 1


class PointingModel:
    """Every task of the set-of-points format over scenes: `Grounder`, `Describer` and `ChangeDetector` in one.

    Args:
        answerer: what replies.
        name: for traces.
        looking: how scenes are looked at.
    """

    def __init__(self, answerer: Answerer, name: str, looking: Looking | None = None) -> None:
        self.answerer, self.name, self.looking = answerer, name, looking or Looking()
        self._shrink = 1.0

    @property
    def version(self) -> str | None:
        """A digest of weights and settings; None where nobody can tell when the weights change."""
        own = self.answerer.version
        return None if own is None else f"{own} {self.looking}"

    # ---- grounder

    def knows(self) -> None:
        """None: any phrase may be asked."""
        return

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The phrase itself."""
        return (phrase,)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """All regions that the phrase names, best first. See `Grounder.ground`.

        Raises:
            ModelOutputError: a reply could not be read, asked again or not.
            ToolFailed: there is no memory even for the smallest views.
        """
        return self.ground_all(scene, [phrase])[0]

    def ground_all(self, scene: Scene, phrases: Sequence[str]) -> list[tuple[Region, ...]]:
        """`ground` of several phrases: each view is read once for all of them."""
        asked = list(dict.fromkeys(phrases))
        seen = self._fitting(lambda: self._look(scene, self.views(scene.size_wh), asked))
        settled = {
            phrase: tuple(one.region for one in self._settled(scene, phrase, found))
            for phrase, found in zip(asked, seen, strict=True)
        }
        return [settled[phrase] for phrase in phrases]

    def views(self, size_wh: SizeWH) -> tuple[View, ...]:
        """The views of a scene of that size, at the sizes at which the model sees them."""
        width, height = int(size_wh[0]), int(size_wh[1])
        most = max(1, int(self.answerer.most_pixels * self._shrink))
        tile = max(56, int(math.sqrt(most)))
        overlap, policy = min(self.looking.overlap, tile // 4), self.looking.views
        as_whole = whole((width, height), max(most, 56 * 56))
        if policy == "whole" or (policy == "auto" and _shrinks_little(as_whole)):
            views = as_whole
        elif policy == "tiles":
            views = tiled((width, height), tile, overlap)
        else:
            views = adaptive((width, height), tile, self.looking.most_views, overlap_px=overlap)
            if policy == "auto" and not _shrinks_little(views):
                views = tiled((width, height), tile, overlap)
        return tuple(self._seen_as(view) for view in views)

    def _seen_as(self, view: View) -> View:
        return view.shown_at(self.answerer.seen_size(view.size_wh, self._shrink))

    def _look(
        self, scene: Scene, views: Sequence[View], phrases: Sequence[str], *, divide: bool = True
    ) -> list[list[Seen]]:
        """What each phrase names in each view; a view whose reply was cut short is looked at in parts, once."""
        asked = self._prompts(scene, views, phrases)
        found: dict[str, list[Seen]] = {phrase: [] for phrase in phrases}
        answers = self._answers([prompt for _, _, prompt in asked], "grounding")
        for (view, phrase, _), (objects, reply) in zip(asked, answers, strict=True):
            parts = _parts(view) if reply.forced and divide else ()
            if reply.forced:
                more = f"that view was looked at in {len(parts)} parts" if parts else "there may be more"
                note(f"a reply was cut short after {len(objects)} {phrase!r}: {more}")
            if parts:
                found[phrase] += self._look(scene, [self._seen_as(part) for part in parts], [phrase], divide=False)[0]
            else:
                found[phrase] += [Seen(self._region(item, view, phrase, reply), view) for item in objects]
        return [found[phrase] for phrase in phrases]

    def _prompts(self, scene: Scene, views: Sequence[View], phrases: Sequence[str]) -> list[tuple[View, str, Prompt]]:
        """What is asked about each view: all phrases of a view one after the other, so that it is read once."""
        tasks = self.answerer.tasks
        ask = tasks.segment if self.looking.ground == "seg" else tasks.detect
        shown = [(view, picture(scene, view)) for view in views]
        return [(view, phrase, Prompt((pixels,), ask(phrase, view.size_wh))) for view, pixels in shown for phrase in phrases]  # fmt: skip  # noqa: E501

    def _settled(self, scene: Scene, phrase: str, found: Sequence[Seen]) -> tuple[Seen, ...]:
        merged = merge_seen(found)
        if not self.looking.second_look or not merged:
            return merged

        def again(views: Sequence[View]) -> list[list[Region] | None]:
            return self._fitting(lambda: self._look_again(scene, [self._seen_as(view) for view in views], phrase))

        return second_look(merged, again, small_px=self.looking.second_look, long_px=self._crop_px).found

    def _look_again(self, scene: Scene, views: Sequence[View], phrase: str) -> list[list[Region] | None]:
        """What each crop shows; None where no reply could be read, so that the first finds stay as they were."""
        asked = self._prompts(scene, views, [phrase])
        answers = self._answers([prompt for _, _, prompt in asked], "looking again", spare=True)
        return [
            None if objects is None else [self._region(item, view, phrase, reply) for item in objects]
            for view, (objects, reply) in zip(views, answers, strict=True)
        ]

    def _region(self, item: Pointed, view: View, label: str, reply: Reply) -> Region:
        score = None if item.span is None else reply.score(item.span)
        return region_of(item, view, label, score, self.name)

    # ---- describer

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """A phrase for each region, seen in a crop round it. See `Describer.describe`."""

        def look() -> tuple[Description, ...]:
            prompts = [self._prompt_about(scene, region) for region in regions]
            return tuple(Description(text) for text, _ in self._answers(prompts, "describing"))

        return self._fitting(look)

    def _prompt_about(self, scene: Scene, region: Region) -> Prompt:
        tasks = self.answerer.tasks
        view = self._seen_as(zoomed(region.box_px, scene.size_wh, self._crop_px, CONTEXT))
        kind = "obb" if "obb" in tasks.dialect.kinds else "box"
        points = region.corners_px if kind == "obb" else region.box_px.reshape(2, 2)
        shown = np.clip(view.from_scene(points), 0, view.size_wh)
        return Prompt((picture(scene, view),), tasks.describe(Pointed(kind, shown), view.size_wh))

    @property
    def _crop_px(self) -> int:
        """Long side of a crop as it is shown: a quarter of the pixels that a view may have."""
        return max(56, int(math.sqrt(self.answerer.most_pixels * self._shrink) / 2))

    # ---- change detector

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Changed regions of two scenes that lie on each other, with polygons where the model gives them.

        Raises:
            UsageError: the scenes differ in size.
        """
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"{before.name!r} has {before.size_wh[0]} x {before.size_wh[1]} px and {after.name!r} "
                f"{after.size_wh[0]} x {after.size_wh[1]}; bring both to one grid first"
            )

        def look() -> list[Seen]:
            views = self.views(after.size_wh)
            prompts = [
                Prompt((picture(before, view), picture(after, view)), self.answerer.tasks.change(phrase, view.size_wh))
                for view in views
            ]
            found = []
            for view, (objects, reply) in zip(views, self._answers(prompts, "comparing"), strict=True):
                if reply.forced:
                    note(f"a reply was cut short after {len(objects)} changes: there may be more")
                found += [Seen(self._region(item, view, phrase, reply), view) for item in objects]
            return found

        return tuple(one.region for one in merge_seen(self._fitting(look)))

    # ---- the scene as a whole

    def answer(self, scene: Scene, question: str) -> str:
        """A short answer to a question about the scene."""
        return self._of_whole(scene, lambda _: self.answerer.tasks.answer(question))

    def caption(self, scene: Scene) -> str:
        """A description of the scene."""
        return self._of_whole(scene, lambda _: self.answerer.tasks.caption())

    def classify(self, scene: Scene, classes: Sequence[str]) -> str:
        """The class of the scene, one of those given."""
        return self._of_whole(scene, lambda _: self.answerer.tasks.classify(classes))

    def count(self, scene: Scene, phrase: str) -> int:
        """How many things the phrase names, as the model counts them."""
        return self._of_whole(scene, lambda _: self.answerer.tasks.count(phrase))

    def locate(self, scene: Scene) -> Place:
        """Where on Earth the model believes the scene to be."""
        return self._of_whole(scene, lambda _: self.answerer.tasks.locate())

    def select(self, scene: Scene, regions: Sequence[Region], condition: str) -> tuple[Region, ...]:
        """Those of the regions that satisfy a condition, as the model judges it (GeoRSMLLM section III-B).

        The regions of the answer before go into the instruction as points; exact geometry (`tools.select`) is the other
        way to judge a condition.
        """
        if not regions:
            return ()
        kind = "obb" if "obb" in self.answerer.tasks.dialect.kinds else "box"

        def asking(view: View) -> Asking[list[int]]:
            points = [view.from_scene(r.corners_px if kind == "obb" else r.box_px.reshape(2, 2)) for r in regions]
            return self.answerer.tasks.select([Pointed(kind, each) for each in points], condition, view.size_wh)

        chosen = self._of_whole(scene, asking)
        return tuple(regions[index] for index in chosen)

    def _of_whole(self, scene: Scene, asking: Callable[[View], Asking[Read]]) -> Read:
        def look() -> Read:
            most = max(56 * 56, int(self.answerer.most_pixels * self._shrink))
            view = self._seen_as(whole(scene.size_wh, most)[0])
            ((read, reply),) = self._answers([Prompt((picture(scene, view),), asking(view))], "answering")
            if reply.forced:  # what is missing from a selection would count as not selected
                raise ModelOutputError("the reply was cut short because its tokens were used up", reply.text)
            return read

        return self._fitting(look)

    # ---- asking

    def _answers(self, prompts: Sequence[Prompt], what: str, *, spare: bool = False) -> Iterator[tuple[Any, Reply]]:
        """What each reply means, and the reply; unreadable ones are asked for again, a little warmer.

        With `spare`, one that stays unreadable means None, which is noted; else it is an error.
        """
        total, step = len(prompts), max(1, self.answerer.at_once)
        for start in range(0, total, step):
            report(what, start, total)
            part = prompts[start : start + step]
            for prompt, reply in zip(part, self.answerer.ask(part), strict=True):
                try:
                    yield self._read(prompt, reply)
                except ModelOutputError as error:
                    if not spare:
                        raise
                    note(f"{what} was no use: {error}")
                    yield None, reply
        if total:
            report(what, total, total)

    def _read(self, prompt: Prompt, reply: Reply) -> tuple[Any, Reply]:
        tries = 0
        while True:
            try:
                return meaning(prompt.asking, reply), reply
            except ModelOutputError as error:
                if tries == self.looking.retries:
                    raise ModelOutputError(f"{self.name} gave no reply that can be read: {error}", error.raw) from None
                tries += 1
                (reply,) = self.answerer.ask([prompt], temperature=WARMER * tries)

    def _fitting(self, look: Callable[[], Read]) -> Read:
        """What `look` gives, with smaller and smaller views when memory runs out."""
        while True:
            try:
                return look()
            except OutOfMemory as error:
                if self._shrink / 2 < LEAST_SHRINK:
                    raise
                self._shrink /= 2
                most = int(self.answerer.most_pixels * self._shrink)
                note(f"{error.why}: views of at most {most} px from now on, so more of them")


def picture(scene: Scene, view: View) -> Picture:
    """A view of a scene; pixels are read when they are asked for, at most at twice the size they are shown."""

    def read() -> np.ndarray:
        limit = (2 * view.size_wh[0], 2 * view.size_wh[1])
        shown = tuple(min(own, most) for own, most in zip(view.window_wh, limit, strict=True))
        return scene.read(view.window_xyxy, (shown[0], shown[1]))

    return Picture(f"{scene.digest} {scene.bands} {view.window_xyxy}", view.size_wh, read)


def region_of(item: Pointed, view: View, label: str, score: float | None, source: str) -> Region:
    """A region of the scene from an object in pixels of a view.

    Four corners become the smallest rectangle round them, since a model's four points rarely form one. Something that
    is written as a point or a line gets the extent of one step of a 0-1000 grid, which is all that the text can tell.
    What is written as a mask has its pixels too.
    """
    points, is_flat = np.asarray(item.points_px, dtype=np.float64), False
    if item.kind != "box":
        rectangle, is_flat = _widened(min_area_rect(points), view)
        points = rectangle if is_flat else points
    low, high, step = points.min(axis=0), points.max(axis=0), np.array(view.size_wh) / 1000
    if ((high - low) < step).any():  # upright, inside the view
        is_flat, half = True, np.maximum(high - low, step) / 2
        middle = np.clip((low + high) / 2, half, np.maximum(half, view.size_wh - half))
        points = box_to_corners(np.concatenate([middle - half, middle + half]))
    inside = np.clip(view.to_scene(points), 0, view.scene_wh)
    box = corners_to_box(inside)
    corners: FloatArray = box_to_corners(box) if item.kind == "box" else min_area_rect(inside)
    polygon = inside if item.kind == "polygon" and not is_flat else None
    keypoints = None if item.keypoints_px is None else np.clip(view.to_scene(item.keypoints_px), 0, view.scene_wh)
    found = Region("", label, corners, box, score, polygon, None, keypoints, source)
    return found if item.mask is None else with_pixels(found, item.mask, view)


def _widened(rectangle: FloatArray, view: View) -> tuple[FloatArray, bool]:
    """A rectangle in view px at least a grid step wide, and whether it was narrower: a slanting line stays slanting."""
    along, across = rectangle[1] - rectangle[0], rectangle[2] - rectangle[1]
    if np.linalg.norm(along) < np.linalg.norm(across):
        along, across = across, along
    long, wide = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    step = math.sqrt(view.size_wh[0] * view.size_wh[1]) / 1000
    if long == 0 or wide >= step:
        return rectangle, False
    half, side = along / 2, np.array([-along[1], along[0]]) / long * step / 2
    middle = rectangle.mean(axis=0)
    return np.stack([middle - half - side, middle + half - side, middle + half + side, middle - half + side]), True


def _shrinks_little(views: Sequence[View]) -> bool:
    """Whether the views, or the tiles where there are some, show a scene at most `WHOLE_SHRINK` times smaller."""
    return min(views[0].frame.scale_xy) * WHOLE_SHRINK >= 1


def _parts(view: View) -> tuple[View, ...]:
    """Four overlapping parts of a view, each to be shown as large as the view was; none for a view already tiny."""
    x0, y0, x1, y1 = view.window_xyxy
    width, height = x1 - x0, y1 - y0
    if min(width, height) < 64:
        return ()
    wide, high = math.ceil(width * 0.58), math.ceil(height * 0.58)
    windows = [(x, y, x + wide, y + high) for y in (y0, y1 - high) for x in (x0, x1 - wide)]
    return tuple(replace(view, window_xyxy=window) for window in windows)
