"""RCD questions on their way to items: how they are said, and what an item stores of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...agent.planner import make_plan
from ...core.conditions import Request, Selection, walk
from ...core.masks import Mask
from ..bench.changes import held_box
from ..bench.execute import labels_of
from ..bench.items import Image, Item, Made
from .admit import Rejected, Verdicts
from .balance import bucket
from .compose import Proposal
from .phrasing import Wordings, request_for, spoken, wordings
from .provided import conditional_wordings, provision_of
from .rcd_asked import asked_px
from .rcd_views import ChangeView
from .sites import Site

VERSION = 3
_NOTHING = Verdicts((), (), (), {}, 0)


@dataclass(frozen=True, eq=False)
class Draft:
    """An item without its number.

    Attributes:
        view: what is seen. after: the later image. proposal: what is asked. verdicts: of the view's objects.
        said: its wordings. tags: for tables, the first of a question without answer tells why.
        labels: of the objects that the item stores.
        twin: the question without answer that it is paired with.
    """

    view: ChangeView
    after: Image
    proposal: Proposal
    verdicts: Verdicts
    said: Wordings
    tags: tuple[str, ...]
    labels: tuple[str, ...]
    twin: Draft | None = None


def drafted(site: Site, proposal: Proposal, verdicts: Verdicts, rng: random.Random, kind: str | None = None) -> Draft:
    """A question about the view of a site, put into words; `kind` tells why nothing answers it.

    Raises:
        Rejected: no wording means just that.
    """
    view = site.view
    assert isinstance(view, ChangeView)
    request = _request(proposal.selection)
    said = wordings(request, rng) if provision_of(proposal.selection) is None else conditional_wordings(request, rng)
    if said is None:
        raise Rejected("no wording that is read back as it is meant")
    named = {phrase for each in walk(proposal.selection) if isinstance(each, Selection) for phrase in each.phrases}
    shown = {label for phrase in named for label in labels_of(phrase, view.classes)} | set(site.labels)
    number = len(verdicts.answers)
    every = ("answers:all",) if number and number == len(verdicts.universe) else ()
    head = labels_of(proposal.selection.phrases[0], view.classes)[0]
    kinds = (*(("C",) if proposal.form == "class" else ()), *proposal.kinds)
    tags = (*(() if kind is None else (kind,)), *kinds, *proposal.tags, bucket(number), *every)
    labels = tuple(label for label in view.classes if label in shown)
    return Draft(view, view.after, proposal, verdicts, said, tuple(dict.fromkeys((*tags, f"class:{head}"))), labels)


def with_same_image(draft: Draft, kind: str) -> Draft:
    """The same question where the earlier image stands for the later one, too; nothing answers it."""
    tags = [tag for tag in draft.tags if not tag.startswith("answers:")]
    return replace(
        draft, after=draft.view.image, verdicts=_NOTHING, tags=(kind, *tags, bucket(0)), labels=(), twin=None
    )


def _request(selection: Selection) -> Request:
    """Masks are asked for, as in CRES."""
    return request_for("CRES", selection)


def numbered(drafts: Sequence[Draft], seed: int) -> list[Item]:
    """The items in order; twins name each other."""
    names = {id(draft): f"rcd-{seed}-{number:05d}" for number, draft in enumerate(drafts)}
    partner = {id(draft.twin): names[id(draft)] for draft in drafts if draft.twin is not None}
    return [
        _item(
            draft,
            names[id(draft)],
            names[id(draft.twin)] if draft.twin is not None else partner.get(id(draft)),
            seed,
        )
        for draft in drafts
    ]


def _item(draft: Draft, name: str, twin: str | None, seed: int) -> Item:
    view, verdicts, selection = draft.view, draft.verdicts, draft.proposal.selection
    request = _request(selection)
    asked = asked_px(selection, view.image.size_wh)
    answer = Mask.from_array(np.zeros((0, 0)), shape_hw=view.image.size_wh[::-1])
    for each in verdicts.answers:
        mask = view.by_id[each].mask
        answer = answer if mask is None else answer.union(mask)
    box = held_box(request)
    answer = answer if box is None else answer.clipped(box.to_px(view.image.size_wh))
    wrong = len(verdicts.universe) - len(verdicts.answers)
    return Item(
        id=name,
        task="RCD",
        image=view.image,
        after=draft.after,
        expression=draft.said.expression,
        paraphrases=draft.said.paraphrases,
        request=request,
        sub_instructions=tuple(spoken(step.instruction) for step in make_plan(request).steps),
        objects=tuple(seen.truth for seen in view.objects if seen.label in draft.labels),
        answer_ids=verdicts.answers,
        universe_ids=verdicts.universe,
        ignored_ids=verdicts.ignored,
        asked_rle=None if asked is None else Mask.from_array(asked).to_rle(),
        answer_rle=answer.to_rle() if answer.area_px else None,
        tags=draft.tags,
        twin=twin,
        distractors={"same_class": wrong, "near_misses": verdicts.near_misses}
        | {f"without: {words}": count for words, count in verdicts.removed.items()},
        made=Made(version=VERSION, seed=seed, template=draft.said.template),
    )
