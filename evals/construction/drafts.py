"""CREC and CRES questions on their way to items: how they are said, and what an item stores of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...agent.planner import make_plan
from ...core.conditions import Selection, walk
from ..bench.execute import labels_of
from ..bench.items import Item, Made, Truth
from .admit import Rejected, Verdicts
from .phrasing import Wordings, is_read_alike, request_for, spoken, wordings
from .provided import conditional_wordings, provision_of
from .sites import Site
from .views import View

VERSION = 4


@dataclass(frozen=True, eq=False)
class Draft:
    """An item without its number."""

    view: View
    site: Site
    selection: Selection
    verdicts: Verdicts
    said: Wordings
    tags: tuple[str, ...]
    twin: Draft | None = None
    is_twin: bool = False


def said_of(task: str, site: Site, selection: Selection, rng: random.Random) -> Wordings:
    """Wordings of a selection. Raises Rejected where none means just that."""
    view = site.view
    shown = dict.fromkeys((*_classes_of(view, selection), *site.labels))
    for each in walk(selection):
        phrases = each.phrases if isinstance(each, Selection) else ()
        for phrase in phrases:
            found = set(labels_of(phrase, tuple(shown)))
            if found != set(labels_of(phrase, view.certain.classes)) & set(view.labels):
                raise Rejected("a class means another among fewer classes")
    request = request_for(task, selection)
    if not is_read_alike(request, view.certain.classes, tuple(shown)):
        raise Rejected("a class name that reads as a size")
    said = wordings(request, rng) if provision_of(selection) is None else conditional_wordings(request, rng)
    if said is None:
        raise Rejected("no wording that is read back as it is meant")
    return said


def _classes_of(view: View, selection: Selection) -> list[str]:
    """The labels of the view that a selection speaks of, in the view's order."""
    phrases = [phrase for each in walk(selection) if isinstance(each, Selection) for phrase in each.phrases]
    named = {label for phrase in phrases for label in labels_of(phrase, view.certain.classes)}
    return [label for label in view.labels if label in named]


def numbered(drafts: Sequence[Draft], task: str, seed: int) -> list[Item]:
    names = {id(draft): f"{task.lower()}-{seed}-{number:05d}" for number, draft in enumerate(drafts)}
    items: list[Item] = []
    partner = {id(draft.twin): names[id(draft)] for draft in drafts if draft.twin is not None}
    for draft in drafts:
        twin = names.get(id(draft.twin)) if draft.twin is not None else partner.get(id(draft))
        items.append(_item(draft, names[id(draft)], twin, task, seed))
    return items


def _item(draft: Draft, name: str, twin: str | None, task: str, seed: int) -> Item:
    view, verdicts = draft.view, draft.verdicts
    request = request_for(task, draft.selection)
    shown = {*_classes_of(view, draft.selection), *draft.site.labels}  # of a twin also what its positive asks for
    objects: list[Truth] = [seen.truth for seen in view.objects if seen.label in shown]
    wrong = len(verdicts.universe) - len(verdicts.answers)
    return Item(
        id=name,
        task=task,  # type: ignore[arg-type]
        image=view.image,
        expression=draft.said.expression,
        paraphrases=draft.said.paraphrases,
        request=request,
        sub_instructions=tuple(spoken(step.instruction) for step in make_plan(request).steps),
        objects=tuple(objects),
        answer_ids=verdicts.answers,
        universe_ids=verdicts.universe,
        ignored_ids=verdicts.ignored,
        tags=draft.tags,
        twin=twin,
        distractors={"same_class": wrong, "near_misses": verdicts.near_misses}
        | {f"without: {words}": count for words, count in verdicts.removed.items()},
        made=Made(version=VERSION, seed=seed, template=draft.said.template),
    )
