"""Builds CREC and CRES items from annotated images (FORMATS.md section 7).

Windows of the images are gone through in turn, up to three items a turn, until there are enough: what is asked for is
what there are fewest of so far. Everything random comes from the seed and the record's name: the same call gives the
same bytes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from ... import __version__
from ...core.conditions import Selection
from ...core.errors import UsageError
from ...core.progress import note, report
from ..bench.execute import labels_of
from ..bench.items import Header, Item
from ..datasets.record import Record, Tally
from .admit import Rejected, Verdicts, admitted, admitted_empty
from .atoms import DERIVED, MAKERS
from .balance import Quotas, bucket
from .close_calls import close_call
from .compose import LEAST_TOLD_APART, Proposal
from .contested import contested
from .crops import views_of
from .drafts import Draft, numbered, said_of
from .lanes import in_lanes, without_collector
from .phrasing import spoken_name
from .provided import KIND as N_IF
from .provided import SHARE, with_test
from .sites import Site
from .twins import pick_count, twins
from .usable import Part, told, usable
from .usable import part_of as part_of
from .views import View
from .window import BROADER, Window, company

MOST_PER_WINDOW = 6
ZERO_SHARE = 0.175
_MOST_ZERO_KIND = 0.3  # of the zero-match items, one way of being wrong
_TRIES = 16  # proposals looked at closely, a window and turn
_IN_VAIN = 1.0  # of a turn that brought an item: what one counts that brought none of a class
_AT_ONCE = 3  # items a window and turn
_PATIENCE = 4  # turns over all windows without an item


def build(
    records: Iterable[Record],
    *,
    task: Literal["CREC", "CRES"],
    n: int,
    seed: int,
    part: Part | None = None,
    root: str | None = None,
    command: str | None = None,
    zero_share: float = ZERO_SHARE,
    broader: Sequence[str] = BROADER,
    colours: bool = False,
    workers: int = 1,
) -> tuple[Header, list[Item]]:
    """Items from annotated images.

    Args:
        records: single images with exhaustive labels and known size; others are left out and counted. CRES needs masks
            or outlines (corners of boxes are none).
        task: "CREC" (boxes) or "CRES" (masks).
        n: how many items; fewer come back where the images do not give as many (the header says so).
        seed: of everything random.
        part: only the families of one side of the fixed split; None for all.
        root: folder that image paths become relative to.
        command: how this was called, for the header.
        zero_share: share of the items that have no answer.
        broader: words for several classes at once ("vehicle"); only such whose every kind the sources annotate.
        colours: CRES: whether to ask for colours (A4), read from the pixels of the images, which must be there.
        workers: processes that share a build of 500 items and more; the items are the same for any number. A script
            that asks for more than one starts under `if __name__ == "__main__":`.

    Returns:
        The header (with the reasons of all rejections) and the items in order.

    Raises:
        UsageError: n or workers below 1, no usable record at all, or no item that could be made of them.
        ToolFailed: a process ended before its time.

    Example:
        >>> from surveyor.evals.construction.synth_source import synth_records
        >>> header, items = build(synth_records(2, seed=0, size_wh=(512, 512)), task="CREC", n=4, seed=0)
        >>> header.admitted == len(items)
        True
    """
    if colours and task != "CRES":
        raise UsageError("colours are read in the masks of objects, which CREC items have not; expected task='CRES'")
    if n < 1 or not 0 <= zero_share < 1:
        raise UsageError(f"n is {n!r} and zero_share {zero_share!r}; expected at least 1 item and a share below 1")
    if workers < 1:
        raise UsageError(f"workers is {workers!r}; expected the number of processes, 1 or more")
    tally: Tally = Counter()
    used = usable(records, task, part, tally)
    make = partial(_lane, task=task, seed=seed, root=root, zero_share=zero_share, broader=broader, colours=colours)
    items, rejected = in_lanes(make, used, n, seed=seed, workers=workers)
    tally.update(rejected)
    if not items:
        many = f"{len(used)} image{'s' if len(used) > 1 else ''}"
        raise UsageError(f"no item could be built of {many}: {told(tally) or 'they show no class that can be asked for'}; give more images, or such with more objects")  # fmt: skip  # noqa: E501
    if len(items) < n:
        note(f"The images gave {len(items)} of {n} items; more images or other classes would give more.")
    more = ", colours=True" if colours else ""
    call = f"build(task={task!r}, n={n}, seed={seed}, part={part!r}, zero_share={zero_share}{more})"
    header = Header(
        task=task,
        command=command or call,
        seed=seed,
        sources={record.source.name: record.source.licence for record in used},
        admitted=len(items),
        rejected=dict(sorted(tally.items())),
        surveyor=__version__,
    )
    return header, items


@without_collector()
def _lane(
    records: Sequence[Record],
    n: int,
    before: int,
    total: int,
    *,
    task: Literal["CREC", "CRES"],
    seed: int,
    root: str | None,
    zero_share: float,
    broader: Sequence[str],
    colours: bool,
) -> tuple[list[Item], Tally]:
    """Items of some usable images, in balance, and why others were rejected (`surveyor.evals.construction.lanes`)."""
    tally: Tally = Counter()
    windows = [
        Window(
            view, random.Random(f"{seed}|{view.record.source.name}|{view.record.id}|{view.image.crop_xyxy}"), broader
        )
        for record in records
        for view in views_of(record, seed=seed, masks=task == "CRES", root=root, tally=tally, colours=colours)
    ]
    classes = {label for window in windows for label in window.view.labels}
    kinds = tuple(kind for kind in MAKERS if colours or kind not in DERIVED)
    quotas = Quotas(n, len(classes))
    made = _Making(task, n, seed, zero_share, quotas, tally, company(windows), kinds, (before, total))
    return numbered(made.run(windows), task, seed), tally


@dataclass(eq=False)
class _Making:
    """One build: what it wants and how far it is."""

    task: str
    n: int
    seed: int
    zero_share: float
    quotas: Quotas
    tally: Tally
    company: dict[str, set[str]]
    kinds: tuple[str, ...]
    progress: tuple[int, int]
    drafts: list[Draft] = field(default_factory=list)
    zeros: int = 0
    barren: Counter[str] = field(default_factory=Counter)

    def run(self, windows: Sequence[Window]) -> list[Draft]:
        """Turns over all windows until there are enough items or several turns bring none."""
        order = list(windows)
        others, total = self.progress
        random.Random(f"{self.seed}|order").shuffle(order)
        barren = 0
        while len(self.drafts) < self.n and barren < _PATIENCE:
            before = len(self.drafts)
            for window in order:
                if len(self.drafts) >= self.n:
                    break
                self._turn(window)
                report("items", others + len(self.drafts), total)
            barren = barren + 1 if len(self.drafts) == before else 0
        return self.drafts[: self.n]

    def _turn(self, window: Window) -> None:
        """Admits some items of a window, the later ones of the class of the first, about which all is known then."""
        sites: Sequence[Site] = window.sites
        for _ in range(_AT_ONCE):
            if window.number >= MOST_PER_WINDOW or len(self.drafts) >= self.n:
                return
            site = self._one(window, sites)
            if site is None:
                return
            sites = (site,)

    def _one(self, window: Window, sites: Sequence[Site]) -> Site | None:
        """Admits at most one item, perhaps with its twin, of one of these classes of a window; tells of which."""
        for site in sorted(sites, key=lambda site: self._site_score(window, site))[:3]:
            if not self.quotas.allows(_label(site), ()):
                self.tally["class is at its cap"] += 1
                continue
            if self._some(window, site):
                return site
            self.barren[_label(site)] += 1
        return None

    def _some(self, window: Window, site: Site) -> bool:
        """Whether one of the proposals for a class, those wanted most first, is admitted."""
        waiting = window.proposals_of(site, self._rarest())
        waiting.sort(key=lambda each: self._score(window, site, each))
        for proposal in waiting[:_TRIES]:
            waiting.remove(proposal)
            kinds = proposal.kinds or ("C",)
            if proposal.selection in window.used or not self.quotas.allows(_label(site), kinds):
                continue
            try:
                self._admit(window, site, proposal)
            except Rejected as reason:
                self.tally[str(reason)] += 1
                continue
            return True
        return False

    def _site_score(self, window: Window, site: Site) -> float:
        """How much there is of a class already, or was asked in vain; one with proposals at hand costs less."""
        plenty = 0 if site.size >= LEAST_TOLD_APART else self.n / 10
        turns = self.quotas.labels[_label(site)] + _IN_VAIN * self.barren[_label(site)]
        return turns + plenty - (3 if window.waiting.get(site.name) else 0)

    def _rarest(self) -> list[str]:
        """The kinds of conditions, those with fewest items first."""
        return sorted(self.kinds, key=lambda kind: self.quotas.tags[kind])

    def _score(self, window: Window, site: Site, proposal: Proposal) -> float:
        again = sum(window.kinds[kind] for kind in proposal.kinds) * self.n / 20
        kinds = proposal.kinds or ("C",)
        return self.quotas.score(_label(site), kinds, proposal.form, _places(proposal.tags)) + again

    def _admit(self, window: Window, site: Site, proposal: Proposal) -> None:
        selection, view = proposal.selection, window.view
        verdicts = admitted(view, selection)
        kinds = proposal.kinds or ("C",)
        if (tested := self._tested(window, site, proposal, verdicts)) is not None:
            self._keep(window, proposal, tested, (*kinds, N_IF))
            return
        if proposal.form == "class":
            twin = self._twin(window, site, proposal, selection, must=True)
        elif not self.quotas.allows_easy(kinds, verdicts.f1_of_all):
            raise Rejected("naming the whole class is nearly right")
        if (
            len(verdicts.answers) == 1
            and not selection.picks
            and proposal.form != "class"
            and window.rng.random() < 0.7
        ):
            selection = selection.model_copy(update={"expected": 1})
        if (count := pick_count(selection)) is not None and count != len(verdicts.answers):
            raise Rejected("fewer than the words promise")
        if (doubt := contested(view, selection, view.certain.selection(selection))) is not None:
            raise Rejected(doubt)
        said = said_of(self.task, site, selection, window.rng)
        if proposal.form != "class":
            twin = self._twin(window, site, proposal, selection, must=False)
        extent = "all" if len(verdicts.answers) == len(verdicts.universe) else bucket(len(verdicts.answers))
        tags = (*kinds, *proposal.tags, bucket(len(verdicts.answers)), *(("answers:all",) if extent == "all" else ()))
        draft = Draft(view, site, selection, verdicts, said, (*_unique(tags), f"class:{_label(site)}"), twin)
        self._keep(window, proposal, draft, kinds)

    def _tested(self, window: Window, site: Site, proposal: Proposal, verdicts: Verdicts) -> Draft | None:
        """The question with a test of how many there are, and its twin of which the test fails; None for neither."""
        room = window.number + 2 <= MOST_PER_WINDOW and len(self.drafts) + 2 <= self.n
        wanted = 2 * (self.quotas.tags[N_IF] + 1) <= SHARE * (len(self.drafts) + 2)
        wanted = wanted and self.zeros < self.zero_share * (len(self.drafts) + 2)
        if not (room and wanted) or len(proposal.kinds) > 1 or proposal.selection.picks:
            return None
        view = window.view
        try:
            if (doubt := contested(view, proposal.selection, view.certain.selection(proposal.selection))) is not None:
                raise Rejected(doubt)
            holds, fails, none = with_test(view, proposal.selection, verdicts.answers, window.rng)
            said = [said_of(self.task, site, each, window.rng) for each in (holds, fails)]
        except Rejected as reason:
            self.tally[str(reason)] += 1
            return None
        self.quotas.tags["Z:count"] += 1
        own = replace(proposal, selection=holds, kinds=(*proposal.kinds, N_IF))
        known = (*(("C",) if proposal.form == "class" else ()), *own.kinds, *own.tags, f"class:{_label(site)}")
        tags = ("Z:count", *known, "answers:0")
        twin = Draft(view, site, fails, none, said[1], _unique(tags), is_twin=True)
        every = ("answers:all",) if len(verdicts.answers) == len(verdicts.universe) else ()
        tags = (*known, bucket(len(verdicts.answers)), *every)
        return Draft(view, site, holds, verdicts, said[0], _unique(tags), twin)

    def _keep(self, window: Window, proposal: Proposal, draft: Draft, kinds: Sequence[str]) -> None:
        self.drafts.append(draft)
        window.used.add(proposal.selection)
        window.kinds.update(kinds)
        window.number += 1
        f1 = draft.verdicts.f1_of_all
        self.quotas.add(_label(draft.site), kinds, proposal.form, _places(draft.tags), f1)
        if draft.twin is not None:
            self.drafts.append(draft.twin)
            self.zeros += 1
            window.number += 1
            window.used.add(draft.twin.selection)
            self.quotas.add(_label(draft.site), kinds if proposal.form == "class" else (), proposal.form, (), 0.0)

    def _twin(
        self, window: Window, site: Site, proposal: Proposal, selection: Selection, *, must: bool
    ) -> Draft | None:
        """A zero-match twin, where one is wanted and the window has room for it.

        Raises:
            Rejected: one is needed and there is none.
        """
        room = window.number + 2 <= MOST_PER_WINDOW and len(self.drafts) + 2 <= self.n
        wanted = self.zeros < self.zero_share * (len(self.drafts) + 2)
        if room and wanted:
            absent = self._absent(window.view, site)
            found = list(twins(site, selection, absent, window.rng))
            ranked = sorted(enumerate(found), key=lambda each: (self.quotas.tags[each[1][0]], each[0]))
            common = {kind for kind, _ in found if self.quotas.tags[kind] > _MOST_ZERO_KIND * self.zeros + 1}
            for _, (kind, other) in ranked[:6]:
                if kind in common and not must:
                    continue
                try:
                    verdicts = admitted_empty(window.view, other)
                    self._check_limits(window.view, other)
                    said = said_of(self.task, site, other, window.rng)
                except Rejected as reason:
                    self.tally[str(reason)] += 1
                    continue
                self.quotas.tags[kind] += 1
                own = replace(proposal, selection=other).tags  # places and hops are those of the twin
                tags = _unique((kind, *own, "answers:0", f"class:{_label(site)}"))
                return Draft(window.view, site, other, verdicts, said, tags, is_twin=True)
        if must:
            raise Rejected("a plain class without a twin")
        return None

    def _check_limits(self, view: View, selection: Selection) -> None:
        """Raises Rejected where people would not agree that nothing is right."""
        if (doubt := close_call(view, selection, view.certain.selection(selection))) is not None:
            raise Rejected(f"twin: {doubt}")

    def _absent(self, view: View, site: Site) -> tuple[str, ...]:
        """Names of classes that the view has none of, though other views with the same class do."""
        seen = set(view.labels)
        near: set[str] = set().union(*(self.company.get(label, set()) for label in site.labels))
        known = [label for label in view.classes if label in near and label not in seen]
        names = [name for label in known if (name := spoken_name(label)) is not None]
        return tuple(
            name
            for name in names  # nor what another class is called too: "no harbors" where there is a quay
            if not set(labels_of(name, view.certain.classes)) & seen and not labels_of(name, view.labels)
        )


def _places(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag.startswith("place:")]


def _label(site: Site) -> str:
    return site.labels[0] if len(site.labels) == 1 else site.name


def _unique(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))
