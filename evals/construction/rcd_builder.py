"""Builds RCD items, referring change detection, from pairs with change masks (FORMATS.md section 8).

The truth is a condition tree over the changed parts of a pair, admitted by the rules of CREC and CRES, and the pixels
of the parts that it is true of. Everything random comes from the seed and the record's name: the same call gives the
same bytes. What may be asked is in `rcd_asked`, how it is judged in `rcd_views`, what an object is in `rcd_components`.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ... import __version__
from ...core.conditions import Selection, walk
from ...core.errors import UsageError
from ...core.progress import note, report
from ..bench.changes import held_box
from ..bench.items import Header, Item
from ..datasets.levir import is_conflict
from ..datasets.record import Record, Tally
from ..scores.rcd import NONE_BELOW_PX
from .admit import Rejected, Verdicts, admitted, admitted_empty
from .balance import Quotas
from .builder import MOST_PER_WINDOW
from .close_calls import close_call
from .compose import Proposal
from .contested import contested
from .phrasing import request_for, spoken_name
from .provided import KIND as N_IF
from .provided import SHARE, with_test
from .rcd_asked import BOX, asked_of, is_cut_rank, places_of
from .rcd_components import is_tiny_rest, touches_border
from .rcd_drafts import Draft, drafted, numbered, with_same_image
from .rcd_views import ChangeView, change_views
from .referents import referents_of
from .sites import Site
from .twins import pick_count, twins
from .usable import Part, part_of, told

ZERO_SHARE = 0.25
UNCHANGED, SAME_TWICE = "Z:unchanged", "Z:same image twice"
_MOST_OF_ZEROS = {UNCHANGED: 0.4, SAME_TWICE: 0.2}
"""Shares of the items without answer that pairs without change, and images put beside themselves, may have."""
_MOST_PLAIN = 0.15  # of all items: nothing but the type of change is asked for
_TRIES = 12  # proposals looked at closely, a view and turn


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A proposal with what its place in the queue hangs on.

    Attributes:
        proposal: what may be asked.
        kinds: of its conditions; "C" where there are none.
        places: tags of the places it names.
        names_another: it tells things by change of another type.
    """

    proposal: Proposal
    kinds: tuple[str, ...]
    places: tuple[str, ...]
    names_another: bool

    @classmethod
    def of(cls, proposal: Proposal) -> _Waiting:
        named = {phrase for each in walk(proposal.selection) if isinstance(each, Selection) for phrase in each.phrases}
        return cls(proposal, proposal.kinds or ("C",), tuple(_places(proposal.tags)), len(named) > 1)


@dataclass(eq=False)
class _Window:
    """One view with what has been asked of it."""

    view: ChangeView
    rng: random.Random
    number: int = 0
    used: set[Selection] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, list[_Waiting]] = field(default_factory=dict)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The types of change that can be asked for: those the data tells, whether or not there is any."""
        names = {label: name for label in self.view.classes if (name := spoken_name(label)) is not None}
        here = {label: name for label, name in names.items() if label in self.view.labels}
        referents = tuple(referents_of(self.view, here, self.rng))
        return tuple(Site(self.view, name, (label,), referents, here) for label, name in names.items())

    def proposals_of(self, site: Site) -> list[_Waiting]:
        """What may still be asked about a type of change."""
        if site.name not in self.waiting:
            self.waiting[site.name] = [_Waiting.of(proposal) for proposal in asked_of(site, self.rng)]
        return self.waiting[site.name]


def build_rcd(
    records: Iterable[Record],
    *,
    n: int,
    seed: int,
    part: Part | None = None,
    root: str | None = None,
    command: str | None = None,
    zero_share: float = ZERO_SHARE,
) -> tuple[Header, list[Item]]:
    """Items of referring change detection.

    Args:
        records: pairs with masks of what changed; others are left out and counted, as are pairs whose captions say
            otherwise than their mask.
        n: how many items; fewer come back where the pairs do not give as many (the header says so).
        seed: of everything random.
        part: only the families of one side of the fixed split; None for all.
        root: folder that image paths become relative to.
        command: how this was called, for the header.
        zero_share: share of the items that have no answer, as far as the pairs allow.

    Returns:
        The header (with the reasons of all rejections) and the items in order.

    Raises:
        UsageError: n below 1, or no usable record at all, or no item that could be made of them.

    Example:
        >>> from surveyor.evals.construction.rcd_synth import synth_pairs
        >>> header, items = build_rcd(synth_pairs(2, seed=0, size_wh=(256, 256)), n=4, seed=0)
        >>> header.task, header.admitted == len(items)
        ('RCD', True)
    """
    if n < 1 or not 0 <= zero_share < 1:
        raise UsageError(f"n is {n!r} and zero_share {zero_share!r}; expected at least 1 item and a share below 1")
    tally: Tally = Counter()
    used = [record for record in records if _is_usable(record, part, tally)]
    if not used:
        why = told(tally) or "there are none"
        raise UsageError(f"no record can be used: {why}; give pairs before/after with masks of what changed")
    random.Random(f"{seed}|order").shuffle(used)
    drafts = _Making(n, seed, zero_share, Quotas(n, 1), tally).run(_windows(used, seed, root, tally))
    items = numbered(drafts, seed)
    if not items:
        many = f"{len(used)} pair{'s' if len(used) > 1 else ''}"
        raise UsageError(f"no item could be built of {many}: {told(tally) or 'nothing changed'}; give more pairs")
    if len(items) < n:
        note(f"The pairs gave {len(items)} of {n} items; more pairs would give more.")
    header = Header(
        task="RCD",
        command=command or f"build_rcd(n={n}, seed={seed}, part={part!r}, zero_share={zero_share})",
        seed=seed,
        sources=dict(sorted((record.source.name, record.source.licence) for record in used)),
        admitted=len(items),
        rejected=dict(sorted(tally.items())),
        surveyor=__version__,
    )
    return header, items


def _windows(records: Iterable[Record], seed: int, root: str | None, tally: Tally) -> Iterator[_Window]:
    """The windows of the records, made as they are asked for: a few hundred items need few of ten thousand pairs."""
    for record in records:
        for view in change_views(record, seed=seed, root=root, tally=tally):
            name = f"{seed}|{record.source.name}|{record.id}|{view.image.crop_xyxy}|{view.classes}"
            yield _Window(view, random.Random(name))


def _is_usable(record: Record, part: Part | None, tally: Tally) -> bool:
    reason = ""
    if record.after is None:
        reason = "record: not a pair"
    elif not record.is_exhaustive or not record.changed:
        reason = "record: no mask of what changed"
    elif record.size_wh is None:
        reason = "record: size not known"
    elif part is not None and part_of(record.family) != part:
        return False
    elif is_conflict(record):
        reason = "record: captions and mask differ"
    if reason:
        tally[reason] += 1
    return not reason


@dataclass(eq=False)
class _Making:
    """One build: what it wants and how far it is."""

    n: int
    seed: int
    zero_share: float
    quotas: Quotas
    tally: Tally
    drafts: list[Draft] = field(default_factory=list)
    zeros: int = 0

    def run(self, windows: Iterable[_Window]) -> list[Draft]:
        """Turns over all windows until there are enough items or nothing is left to try."""
        seen: list[_Window] = []
        turn: Iterable[_Window] = windows
        tried = 1
        while tried and len(self.drafts) < self.n:
            tried = 0
            for window in turn:
                if turn is windows:
                    seen.append(window)
                if window.number < MOST_PER_WINDOW:
                    tried += self._one(window)
                    report("items", len(self.drafts), self.n)
                if len(self.drafts) >= self.n:
                    break
            turn = seen
        return self.drafts

    def _one(self, window: _Window) -> int:
        """Admits at most one item, perhaps with its twin, of a window; returns how many proposals it looked at."""
        if not window.view.objects:
            return self._unchanged(window)
        sites = [site for site in window.sites if site.labels[0] in window.view.labels]
        tried = 0
        for site in sorted(sites, key=lambda site: self.quotas.labels[site.name]):
            waiting = window.proposals_of(site)
            waiting.sort(key=lambda each: self._score(window, site, each))
            for each in waiting[:_TRIES]:
                waiting.remove(each)
                tried += 1
                try:
                    self._admit(window, site, each.proposal)
                except Rejected as reason:
                    self.tally[str(reason)] += 1
                    continue
                return tried
        return tried

    def _score(self, window: _Window, site: Site, each: _Waiting) -> float:
        """How much there is of this already; what is told by change of another type is wanted most."""
        again = sum(window.kinds[kind] for kind in each.kinds) * self.n / 20
        another = self.n / 10 if each.names_another else 0
        return again - another + self.quotas.score(site.name, each.kinds, each.proposal.form, each.places)

    # ---- items with an answer --------------------------------------------------------------------------------

    def _admit(self, window: _Window, site: Site, proposal: Proposal) -> None:
        view, selection = window.view, proposal.selection
        if selection in window.used:
            raise Rejected("asked already")
        verdicts = admitted(view, selection)
        if (doubt := contested(view, selection, view.certain.selection(selection))) is not None:
            raise Rejected(doubt)
        if is_cut_rank(selection) and any(touches_border(view.by_id[name]) for name in verdicts.answers):
            raise Rejected("the smallest is cut by the border")
        if all(is_tiny_rest(view.by_id[name]) for name in verdicts.answers):
            raise Rejected("a tiny rest at the border")
        if _area_px(view, verdicts.answers, selection) < NONE_BELOW_PX:
            raise Rejected("fewer pixels than count as an answer")
        kinds = proposal.kinds or ("C",)
        f1 = _f1_of_all(view, verdicts, selection)
        if proposal.form == "class":
            if self.quotas.tags["C"] >= math.ceil(_MOST_PLAIN * self.n):
                raise Rejected("enough items that ask for all change")
        elif not self.quotas.allows_easy(kinds, f1):
            raise Rejected("naming all change of the type is nearly right")
        if (count := pick_count(selection)) is not None and count != len(verdicts.answers):
            raise Rejected("fewer than the words promise")
        is_one = len(verdicts.answers) == 1 and not selection.picks and _is_one(view, verdicts.answers[0])
        if is_one and window.rng.random() < 0.7:
            selection = selection.model_copy(update={"expected": 1})
        asked = replace(proposal, selection=selection)
        draft = self._tested(window, site, asked, verdicts)
        if draft is None:
            draft = drafted(site, asked, verdicts, window.rng)
            draft = replace(draft, twin=self._twin(window, site, draft))
        self.drafts.append(draft)
        self._count(window, proposal, draft, f1)

    def _tested(self, window: _Window, site: Site, asked: Proposal, verdicts: Verdicts) -> Draft | None:
        """The question with a test of how many there are, and its twin of which the test fails; None for neither."""
        if len(asked.kinds) > 1 or BOX in asked.kinds:  # what is said beside the test is simple, and of whole things
            return None
        is_wanted = 2 * (self.quotas.tags[N_IF] + 1) <= SHARE * (len(self.drafts) + 2) and self._wants("Z:count", 2)
        if not is_wanted or window.number + 2 > MOST_PER_WINDOW:
            return None
        try:
            holds, fails, none = with_test(window.view, asked.selection, verdicts.answers, window.rng)
            kinds = (*asked.kinds, N_IF)
            twin = drafted(site, replace(asked, selection=fails, kinds=kinds), none, window.rng, "Z:count")
            draft = drafted(site, replace(asked, selection=holds, kinds=kinds), verdicts, window.rng)
        except Rejected as reason:
            self.tally[str(reason)] += 1
            return None
        self.quotas.tags[N_IF] += 1
        return replace(draft, twin=twin)

    def _count(self, window: _Window, proposal: Proposal, draft: Draft, f1: float) -> None:
        window.used.update((proposal.selection, draft.proposal.selection))
        window.kinds.update(proposal.kinds or ("C",))
        window.number += 1
        label = draft.proposal.selection.phrases[0]
        self.quotas.add(label, proposal.kinds or ("C",), proposal.form, _places(draft.tags), f1)
        if draft.twin is not None:
            self._zero(window, draft.twin)

    # ---- items without answer --------------------------------------------------------------------------------

    def _zero(self, window: _Window, draft: Draft) -> None:
        self.drafts.append(draft)
        self.zeros += 1
        window.number += 1
        window.used.add(draft.proposal.selection)
        self.quotas.tags[draft.tags[0]] += 1

    def _wants(self, kind: str, more: int) -> bool:
        """Whether an item without answer may follow, `more` items being added at once."""
        after = len(self.drafts) + more
        has_room = self.quotas.tags[kind] < math.ceil(_MOST_OF_ZEROS.get(kind, 1.0) * self.zero_share * after)
        return after <= self.n and self.zeros < self.zero_share * after and has_room

    def _twin(self, window: _Window, site: Site, draft: Draft) -> Draft | None:
        """A question that differs from a good one in one condition, or in the later image, and has no answer."""
        if window.number + 2 > MOST_PER_WINDOW:
            return None
        found = [*self._twins(window, site, draft), (SAME_TWICE, draft.proposal)]
        found = [each for each in found if self._wants(each[0], 2)]
        for kind, proposal in sorted(found, key=lambda each: self.quotas.tags[each[0]])[:_TRIES]:
            if proposal.selection in window.used:
                continue
            try:
                if kind == SAME_TWICE:
                    return with_same_image(draft, kind)
                verdicts = _empty(window.view, proposal.selection)
                return drafted(site, proposal, verdicts, window.rng, kind)
            except Rejected as reason:
                self.tally[str(reason)] += 1
        return None

    def _twins(self, window: _Window, site: Site, draft: Draft) -> Iterator[tuple[str, Proposal]]:
        asked = draft.proposal
        absent = tuple(each.name for each in window.sites if each.labels[0] not in window.view.labels)
        if asked.form == "class":
            for proposal in places_of(site, window.rng):
                yield "Z:position", proposal
        for kind, selection in twins(site, asked.selection, absent, window.rng):
            yield kind, replace(asked, selection=selection)

    def _unchanged(self, window: _Window) -> int:
        """Asks about a pair without change, where that is wanted now; as `_one`."""
        if not self._wants(UNCHANGED, 1):
            return 0
        site = window.rng.choice(window.sites)
        plain = Proposal(Selection(phrases=(site.name,)), (), "class")
        proposal = next(each for each in (plain, *places_of(site, window.rng)) if each.selection not in window.used)
        try:
            verdicts = _empty(window.view, proposal.selection)
            self._zero(window, drafted(site, proposal, verdicts, window.rng, UNCHANGED))
        except Rejected as reason:
            window.used.add(proposal.selection)
            self.tally[str(reason)] += 1
        return 1


def _empty(view: ChangeView, selection: Selection) -> Verdicts:
    """As `admitted_empty`; rejected, too, where people would not agree that nothing is right."""
    verdicts = admitted_empty(view, selection)
    if (doubt := close_call(view, selection, view.certain.selection(selection))) is not None:
        raise Rejected(f"twin: {doubt}")
    return verdicts


def _area_px(view: ChangeView, names: Iterable[str], selection: Selection | None = None) -> int:
    """Pixels of some things; of those in the box that a selection asks about, where it names one."""
    masks = [mask for name in names if (mask := view.by_id[name].mask) is not None]
    box = None if selection is None else held_box(request_for("CRES", selection))
    if box is not None:
        masks = [mask.clipped(box.to_px(view.image.size_wh)) for mask in masks]
    return sum(mask.area_px for mask in masks)


def _is_one(view: ChangeView, name: str) -> bool:
    """Whether a thing is one in every reading, so that "the changed building" cannot be taken for several."""
    return all(sum(name in shares for shares in reading.shares.values()) <= 1 for reading in view.readings)


def _f1_of_all(view: ChangeView, verdicts: Verdicts, selection: Selection) -> float:
    """The F1, by pixels, of an answer that names all change of the type: 2 p / (1 + p) for the share p."""
    every = _area_px(view, (*verdicts.universe, *verdicts.ignored))
    share = _area_px(view, verdicts.answers, selection) / max(1, every)
    return 2 * share / (1 + share)


def _places(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag.startswith("place:")]
