"""Two dates as one scene: "changed building" is what a change detector finds, "earlier river" is of the earlier image.

So the plan of a request about one image runs as it is on a pair: what was found is narrowed by place, relation, size
and rank in the later image's pixels, and keeps the pixels that the detector gave it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.changes import ANY_CHANGE, changed_thing, earlier_thing
from ..core.errors import UnknownPhrase
from ..core.lexicon import normalise, resolve
from ..core.masks import Mask
from ..core.progress import note
from ..core.protocols import ChangeDetector, Grounder, MaskPrompt, MaskResult, Segmenter
from ..core.regions import Change, Region

if TYPE_CHECKING:
    from ..core.pair import ScenePair
    from ..core.scene import Scene

_LEAST_SEEN = 0.5
"""A change is told where both dates show at least this share of its pixels; the rest is unknown."""


class PairGrounder:
    """A grounder over two dates.

    "changed X" and "change" are found by a change detector; what it does not know by name, but the grounder does, by
    comparing what the grounder finds at both dates. "earlier X" is what the grounder finds in the earlier image, and
    any other phrase what it finds in the later one. Changes that lie where one date shows nothing (no data, clouds) are
    left out, and counted in a note.

    Args:
        detector: finds changes.
        comparison: finds changes of whatever the grounder knows (`models.compare`).
        grounder: finds things in one image.
        pair: both dates on one grid, prepared.
    """

    finds_changes = True

    def __init__(
        self, detector: ChangeDetector, comparison: ChangeDetector, grounder: Grounder, pair: ScenePair
    ) -> None:
        self.name = grounder.name
        self._lock = threading.Lock()  # sibling steps ask on threads of their own
        self._found: dict[str, tuple[Region, ...]] = {}
        self._detector, self._comparison, self._grounder, self._pair = detector, comparison, grounder, pair

    @property
    def version(self) -> str | None:
        """Of all models asked, with the earlier scene; None where one of them tells none."""
        versions = [getattr(each, "version", None) for each in (self._detector, self._comparison, self._grounder)]
        if None in versions:
            return None
        told = [*map(str, versions), self._detector.name, self._pair.before.digest, str(self._pair.unknown)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def knows(self) -> tuple[str, ...] | None:
        """As the grounder: the names of things in one image."""
        return self._grounder.knows()

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The classes a phrase stands for; a change is a class of its own. Raises UnknownPhrase."""
        changed, earlier = changed_thing(phrase), earlier_thing(phrase)
        if changed is not None:
            if changed != ANY_CHANGE and self._names(changed) is None:
                self._of_grounder(phrase, changed)
            return (normalise(phrase),)
        if earlier is not None:
            return tuple(f"earlier {name}" for name in self._of_grounder(phrase, earlier))
        return self._grounder.resolve(phrase)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """What the phrase names, best first, in the later image's pixels. Raises as the models do."""
        changed, earlier = changed_thing(phrase), earlier_thing(phrase)
        if changed is None and earlier is None:
            return self._grounder.ground(scene, phrase)
        self.resolve(phrase)
        with self._lock:
            if phrase not in self._found:
                self._found[phrase] = self._changes(phrase, changed) if changed else self._earlier(str(earlier))
        return self._found[phrase]

    def _names(self, thing: str) -> tuple[str, ...] | None:
        """The names by which the detector is asked for a thing; None where it does not know it."""
        known = self._detector.knows()
        if known is None:
            return (thing,)
        try:
            return resolve(thing, known)
        except UnknownPhrase:
            return None

    def _of_grounder(self, phrase: str, thing: str) -> tuple[str, ...]:
        try:
            return self._grounder.resolve(thing)
        except UnknownPhrase as error:
            known = tuple(dict.fromkeys((*(self._detector.knows() or ()), *error.known)))
            advice = "For changes of any kind: --models change=cva." if changed_thing(phrase) else ""
            raise UnknownPhrase(phrase, known, hint=advice) from None

    def _changes(self, phrase: str, thing: str) -> tuple[Region, ...]:
        if self._pair.identical:
            return ()
        dates = (self._pair.levelled, self._pair.levelled_after)
        names = self._names(thing)
        if thing == ANY_CHANGE and self._detector.knows() is not None:
            found = self._any_change(dates)
        elif names is not None:
            found = [region for name in names for region in self._detector.changes(*dates, name)]
        else:
            note(f"{self._detector.name} knows no changed {thing}: what {self.name} finds at both dates was compared")
            found = list(self._comparison.changes(self._pair.before, self._pair.after, thing))
        label = normalise(phrase)
        return self._seen([replace(r, id="", label=label, change=r.change or Change()) for r in found])

    def _any_change(self, dates: tuple[Scene, Scene]) -> list[Region]:
        """What the detector knows, and beside it what the grounder finds at one date only."""
        known = self._detector.knows() or ()
        found = [region for name in known for region in self._detector.changes(*dates, name)]
        others = tuple(name for name in self._grounder.knows() or () if name not in known)
        for name in others:
            found += self._comparison.changes(self._pair.before, self._pair.after, name)
        things = ", ".join((*known, *others))
        note(
            f"changes were looked for in: {things}; other changes (fields, water, roads) only --models change=cva sees"
        )
        return found

    def _seen(self, regions: list[Region]) -> tuple[Region, ...]:
        """Those that both dates show, each with its pixels (its outline filled where it has none)."""
        kept, hidden = [], 0
        for region in regions:
            region = with_pixels(region, self._pair.after.shape_hw)
            if self._share_seen(region) >= _LEAST_SEEN:
                kept.append(region)
            else:
                hidden += 1
        if hidden:
            told = "1 change lies" if hidden == 1 else f"{hidden} changes lie"
            note(f"{told} where one date shows nothing (no data or clouds): unknown, left out")
        return tuple(kept)

    def _share_seen(self, region: Region) -> float:
        if region.mask is None or (box := region.mask.box_px) is None:
            return 0.0
        return float(self._pair.valid(tuple(box))[region.mask.crop].mean())

    def _earlier(self, thing: str) -> tuple[Region, ...]:
        found = self._grounder.ground(self._pair.before, thing)
        return tuple(
            replace(region, id=f"earlier-{region.id}" if region.id else "", label=f"earlier {region.label}")
            for region in found
        )

    def date_of(self, label: str) -> Scene:
        """The scene in which things of a class were found."""
        return self._pair.after if earlier_thing(label) is None else self._pair.before


class PairSegmenter:
    """Masks over two dates: changes keep the pixels they were found with, things are segmented where they were found.

    Args:
        grounder: what found them.
        segmenter: asked for things of one date.
    """

    def __init__(self, grounder: PairGrounder, segmenter: Segmenter) -> None:
        self.name = segmenter.name
        self._grounder, self._segmenter = grounder, segmenter

    @property
    def version(self) -> str | None:
        """Of the segmenter, with the pair; None where it tells none."""
        own, pair = getattr(self._segmenter, "version", None), self._grounder.version
        return None if own is None or pair is None else f"{own} {pair}"

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One result per prompt, in order."""
        found: dict[int, MaskResult] = {}
        by_scene: dict[int, tuple[Scene, list[int]]] = {}
        for n, prompt in enumerate(prompts):
            if prompt.coarse is not None and changed_thing(prompt.label) is not None:
                found[n] = MaskResult(prompt.coarse)
                continue
            date = self._grounder.date_of(prompt.label)
            by_scene.setdefault(id(date), (date, []))[1].append(n)
        for date, numbers in by_scene.values():
            results = self._segmenter.segment(date, [prompts[n] for n in numbers])
            found |= dict(zip(numbers, results, strict=True))
        return tuple(found[n] for n in range(len(prompts)))


def with_pixels(region: Region, shape_hw: tuple[int, int]) -> Region:
    """The region with a mask: its own, else its outline filled in."""
    return region if region.mask is not None else replace(region, mask=Mask.from_polygon(region.outline_px, shape_hw))
