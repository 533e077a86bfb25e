"""Boxes or masks of one's own as grounded conversations: descriptions whose phrases have masks (GeoPixel section 4).

A picture is described in four steps: the scene as a whole; its large objects one by one, marked with numbers and told
to the model with class and place; the others in groups by place; then all is joined to one text whose phrases keep
their masks. Each step asks a model where one is given, reads its reply strictly, and else follows rules that need none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from ...core.errors import ModelOutputError, UsageError
from ...core.geometry import corners_to_box
from ...core.regions import Region
from ...core.scene import Scene
from ...evals.datasets.record import Tally
from ...prompts import load
from .models import Helpers, Question, answers, rewritten
from .places import CELLS, SCATTERED, grouped, place_of
from .reading import (
    Refused,
    looks_like,
    marked_in,
    read_glance,
    read_group,
    read_objects,
    read_scene,
    read_unified,
)
from .set_of_marks import Mark, place_marks, shown
from .views import Item, View
from .words import (
    Phrase,
    counted,
    group_sentence,
    one_sentence,
    row_sentence,
    scene_words,
    tagged,
    unmarked,
)

_OF_CROWD = 0.1  # share of a class that is large, below which the class is a crowd
PROMPTS = ("scene", "objects", "object", "group", "unify", "again")
"""Names of the prompts, without "annotate_"."""


@dataclass(frozen=True)
class Choice:
    """Which objects are described by themselves.

    Args:
        least_area: share of the picture that an object takes up at least; less is too small for a marker.
        most: objects of one picture, the largest first; a class with more of them is told in groups.
        per_question: marked objects that one question asks about.
        seed: of the wording of sentences by rule.

    Raises:
        UsageError: a value that means nothing; all faults at once.
    """

    least_area: float = 0.0015
    most: int = 8
    per_question: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        faults = []
        if not 0 <= self.least_area < 1:
            faults.append(f"the least area is {self.least_area!r}, expected a share of the picture: 0 to less than 1")
        if not 0 <= self.most <= 99 or self.per_question < 1:
            faults.append(f"{self.most!r} objects, {self.per_question!r} a question; expected 0 to 99, and 1 or more")
        if faults:
            raise UsageError("; ".join(faults))


@dataclass(frozen=True)
class Told:
    """One sentence and its phrases.

    Attributes:
        text: phrases with their numbers: "The tennis court-3 lies on the right."
        phrases: in it.
        by: "rules", or what said it.
    """

    text: str
    phrases: tuple[Phrase, ...] = ()
    by: str = "rules"


@dataclass(frozen=True, eq=False)
class Annotated:
    """A described picture.

    Attributes:
        text: tagged: "... <p> tennis court-3 </p> [SEG] ...".
        plain: without tags and numbers.
        phrases: in the order of the text.
        objects: item -> its sentence without number; of those described by themselves.
        marks: as drawn.
        by: step ("scene", "objects", "groups", "text") -> who said it.
    """

    text: str
    plain: str
    phrases: tuple[Phrase, ...]
    objects: dict[int, str]
    marks: tuple[Mark, ...]
    by: dict[str, str]


def annotate(view: View, pixels: np.ndarray, helpers: Helpers, choice: Choice, tally: Tally) -> Annotated:
    """The picture's description; what models said in vain is counted.

    Args:
        view: what is annotated on it; at least one object.
        pixels: (H, W, 3) uint8 RGB of what is shown.
        helpers: the models.
        choice: which objects are described by themselves.
        tally: reason -> count.
    """
    chance = Random(f"{choice.seed}/{view.stem}")
    masks = [item.mask for item in view.items]
    marks = place_marks(chosen(view, choice), masks, view.size_wh)
    scene = Scene.from_array(pixels, gsd_m=view.gsd_m, name=view.stem)
    marked = Scene.from_array(shown(pixels, marks), name=f"{view.stem} marked") if marks else scene
    groups = _groups(view, {mark.index for mark in marks})
    names = {mark.index: Phrase(number, view.items[mark.index].label, (mark.index,)) for number, mark in enumerate(marks, 1)}  # fmt: skip  # noqa: E501
    said = _ask(scene, marked, view, marks, groups, helpers, choice, tally)
    told_scene = Told(said.scene or scene_words(view.items), by=_who(helpers, said.scene))
    one_by_one = {
        mark.index: _one(view, names[mark.index], said.objects.get(mark.index), helpers, chance) for mark in marks
    }
    if helpers.describer is not None and marks:
        one_by_one |= _glanced(scene, view, names, helpers, tally)
    several = [
        _group(group, number, said.groups.get(place), helpers, chance)
        for place, (number, group) in enumerate(enumerate(groups, len(marks) + 1))
    ]
    told = [told_scene, *_rows(view, names, one_by_one), *several]
    phrases = [phrase for each in told for phrase in each.phrases]
    joined = " ".join(each.text for each in told)
    text, by = _unified(joined, phrases, helpers, tally)
    final, ordered = tagged(text, phrases)
    return Annotated(
        text=final,
        plain=unmarked(text, phrases),
        phrases=tuple(ordered),
        objects={index: unmarked(each.text, each.phrases) for index, each in one_by_one.items()},
        marks=tuple(marks),
        by={
            "scene": told_scene.by,
            "objects": _whose([each.by for each in one_by_one.values()]),
            "groups": _whose([each.by for each in several]),
            "text": by,
        },
    )


def chosen(view: View, choice: Choice) -> list[int]:
    """Indices of the objects that are described by themselves, the largest first.

    Those that are large enough and whole. A class with more such objects than `most`, or with few of them among many
    smaller ones, is a crowd and told in groups.
    """
    width, height = view.size_wh
    least = choice.least_area * width * height
    large = [index for index, item in enumerate(view.items) if item.is_whole and item.mask.area_px >= least]
    crowds = Counter(view.items[index].label for index in large)
    numbers = Counter(item.label for item in view.items)
    large = [
        index
        for index in large
        if crowds[label := view.items[index].label] <= choice.most and crowds[label] >= _OF_CROWD * numbers[label]
    ]
    return sorted(large, key=lambda index: (-view.items[index].mask.area_px, index))[: choice.most]


# ---- groups -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    label: str
    kind: str  # "smaller", "other" or "": beside those of its class that are described by themselves
    place: str
    members: tuple[int, ...]

    @property
    def name(self) -> str:
        is_one = len(self.members) == 1  # "another ship", not "an other ship"
        return counted(self.label, len(self.members), "" if is_one and self.kind == "other" else self.kind)


def _groups(view: View, alone: set[int]) -> list[_Group]:
    """What is not described by itself, by class and place; the largest classes first."""
    rest: dict[str, list[int]] = {}
    for index, item in enumerate(view.items):
        if index not in alone:
            rest.setdefault(item.label, []).append(index)
    found = []
    for label, members in sorted(rest.items(), key=lambda each: (-len(each[1]), each[0])):
        kind = _kind([view.items[i] for i in members], [view.items[i] for i in alone if view.items[i].label == label])
        groups = grouped([view.items[index].mask for index in members])
        for place, group in enumerate(groups):
            is_more = not kind and place and not any(group.place in row for row in CELLS)
            mine = "other" if is_more else kind  # a quarter may hold a cell that was told before
            found.append(_Group(label, mine, group.place, tuple(members[index] for index in group.members)))
    return found


def _kind(rest: Sequence[Item], alone: Sequence[Item]) -> str:
    if not alone:
        return ""
    whole = [item.mask.area_px for item in rest if item.is_whole]
    smaller = len(whole) == len(rest) and max(whole) < min(item.mask.area_px for item in alone)
    return "smaller" if smaller else "other"


# ---- asking -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Said:
    scene: str | None
    objects: dict[int, str]  # index of the item -> sentence
    groups: dict[int, str]  # place in the list of groups -> sentence


def _ask(
    scene: Scene,
    marked: Scene,
    view: View,
    marks: Sequence[Mark],
    groups: Sequence[_Group],
    helpers: Helpers,
    choice: Choice,
    tally: Tally,
) -> _Said:
    """All questions about one picture together, so that a model that answers several at once may do so."""
    if helpers.seer is None:
        return _Said(None, {}, {})
    parts = [marks[start : start + choice.per_question] for start in range(0, len(marks), choice.per_question)]
    large = [place for place, group in enumerate(groups) if len(group.members) > 1]
    questions = [Question(scene, load("annotate_scene").render(), read_scene)]
    questions += [_about_objects(marked, view, part, marks) for part in parts]
    questions += [_about_group(scene, groups[place]) for place in large]
    found = answers(helpers.seer, questions, helpers.tries, tally)
    by_number = {number: said for each in found[1 : 1 + len(parts)] if each for number, said in each.items()}
    objects = {mark.index: by_number[mark.number] for mark in marks if mark.number in by_number}
    replies = dict(zip(large, found[1 + len(parts) :], strict=True))
    return _Said(found[0], objects, {place: said for place, said in replies.items() if said is not None})


def _about_objects(marked: Scene, view: View, part: Sequence[Mark], marks: Sequence[Mark]) -> Question:
    asked = {mark.number: view.items[mark.index].label for mark in part}
    line, drawn = load("annotate_object"), [mark.number for mark in marks]
    lines = [
        line.render(number=str(mark.number), category=asked[mark.number], place=place_of(view.items[mark.index].mask))
        for mark in part
    ]
    text = load("annotate_objects").render(objects="\n".join(lines))
    return Question(marked, text, lambda reply: read_objects(reply, asked, drawn))


def _about_group(scene: Scene, group: _Group) -> Question:
    count, label = len(group.members), group.label
    opening = group.name[:1].upper() + group.name[1:]
    text = load("annotate_group").render(count=group.name, place=group.place, opening=opening)
    return Question(scene, text, lambda reply: read_group(reply, label, count))


def _who(helpers: Helpers, said: str | None) -> str:
    return helpers.seer.name if said is not None and helpers.seer is not None else "rules"


def _whose(names: Sequence[str]) -> str:
    return ", ".join(sorted(set(names))) or "nobody"


# ---- sentences --------------------------------------------------------------------------------------------------


def _one(view: View, phrase: Phrase, said: str | None, helpers: Helpers, chance: Random) -> Told:
    item, (index,) = view.items[phrase.members[0]], phrase.members
    words = one_sentence(phrase.marked, item, place_of(item.mask), view.gsd_m, chance)
    if said is None:
        return Told(words, (phrase,))
    text, found = marked_in(said, item.label, phrase.number, (index,))
    return Told(text, (found,), _who(helpers, said))


def _glanced(scene: Scene, view: View, names: dict[int, Phrase], helpers: Helpers, tally: Tally) -> dict[int, Told]:
    """What a describer says of each object, where it says more than the class."""
    describer = helpers.describer
    assert describer is not None
    regions = [_region(view.items[index], f"object-{phrase.number}") for index, phrase in names.items()]
    try:
        descriptions = describer.describe(scene, regions)
    except ModelOutputError:
        tally["done without: the reply cannot be read"] += len(regions)
        return {}
    found = {}
    for (index, phrase), description in zip(names.items(), descriptions, strict=True):
        item = view.items[index]
        if description.names is not None:  # it can only name one of its classes
            if description.label is not None and description.label != item.label and item.label in description.names:
                tally["object: the describer names another class"] += 1
            continue
        try:
            glance = read_glance(description.text, item.label)
        except Refused as error:
            tally[f"done without: {error.reason}"] += 1
            continue
        if glance is not None:
            text = looks_like(phrase.marked, glance, item.label, place_of(item.mask))
            found[index] = Told(text, (phrase,), describer.name)
    return found


def _region(item: Item, id: str) -> Region:
    return Region(id, item.label, item.corners_px, corners_to_box(item.corners_px), mask=item.mask)


def _rows(view: View, names: dict[int, Phrase], told: dict[int, Told]) -> list[Told]:
    """The sentences about single objects; those by rule on one class in one place become one."""
    rows: dict[tuple[str, str], list[int]] = {}
    for index, each in told.items():
        if each.by == "rules":
            rows.setdefault((view.items[index].label, place_of(view.items[index].mask)), []).append(index)
    found, done = [], set()
    for index, each in told.items():
        key = (view.items[index].label, place_of(view.items[index].mask))
        row = rows.get(key, []) if each.by == "rules" else []
        if len(row) < 2:
            found.append(each)
        elif key not in done:
            done.add(key)
            phrases = tuple(names[member] for member in row)
            found.append(Told(row_sentence([phrase.marked for phrase in phrases], key[1]), phrases))
    return found


def _group(group: _Group, number: int, said: str | None, helpers: Helpers, chance: Random) -> Told:
    phrase = Phrase(number, group.name, group.members)
    if said is None:
        words = group_sentence(phrase.marked, len(group.members), group.place, chance, is_other=group.kind == "other")
        return Told(words, (phrase,))
    text, found = marked_in(said, group.label, number, group.members)
    if group.place != SCATTERED and not _tells_place(text, group.place):
        text = f"{group.place[:1].upper()}{group.place[1:]}, {text[:1].lower()}{text[1:]}"
    return Told(text, (found,), _who(helpers, said))


def _tells_place(text: str, place: str) -> bool:
    wanted = [word for word in place.split() if word not in ("in", "the", "at", "on", "quarter", "half")]
    return all(word in text.lower() for word in wanted)


def _unified(joined: str, phrases: Sequence[Phrase], helpers: Helpers, tally: Tally) -> tuple[str, str]:
    """The text as a language model rewrites it, or as it is; and who wrote it."""
    if helpers.chat is None:
        return joined, "rules"
    asked = load("annotate_unify").render(text=joined, phrases=", ".join(f'"{phrase.marked}"' for phrase in phrases))
    text = rewritten(helpers.chat, asked, lambda reply: read_unified(reply, phrases, joined), helpers.tries, tally)
    return (joined, "rules") if text is None else (text, helpers.chat.name)
