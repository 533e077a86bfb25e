"""A window while items are built: the classes that can be asked for, what has been proposed of them and admitted."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ...core.conditions import Selection
from ..bench.execute import labels_of
from .close_calls import BOUNDLESS
from .compose import Proposal, proposals
from .drafts import Draft
from .phrasing import spoken_name
from .referents import referents_of
from .sites import Site
from .views import View

_KINDS, _ROUNDS = 18, 4  # kinds of conditions tried at once for a class, and how often
_CROWDED = 100  # objects of a class from which on nobody could check an answer
BROADER = ("vehicle", "ship", "aircraft")
"""Words for several classes whose kinds a source annotates all, if it annotates any; not so for "sports field"."""


@dataclass(eq=False)
class Window:
    """One view with what has been proposed and admitted of it."""

    view: View
    rng: random.Random
    broader: Sequence[str] = BROADER
    drafts: list[Draft] = field(default_factory=list)
    number: int = 0
    used: set[Selection] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, list[Proposal]] = field(default_factory=dict)
    rounds: Counter[str] = field(default_factory=Counter)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The classes that can be asked for, each with what its objects can be told by."""
        view = self.view
        names = {
            label: name
            for label in view.labels
            if (name := spoken_name(label)) and name not in BOUNDLESS and self._is_alone(label, name)
        }
        referents = tuple(referents_of(view, names, self.rng))
        found: list[Site] = []
        heads: list[tuple[str, tuple[str, ...]]] = [(name, (label,)) for label, name in names.items()]
        heads += [(phrase, labels) for phrase in self.broader if len(labels := self._present(phrase)) > 1]
        for name, labels in heads:
            site = Site(view, name, labels, referents, names)
            if 2 <= site.size <= _CROWDED:
                found.append(site)
        return tuple(found)

    def _present(self, phrase: str) -> tuple[str, ...]:
        return tuple(label for label in labels_of(phrase, self.view.certain.classes) if label in self.view.labels)

    def _is_alone(self, label: str, name: str) -> bool:
        """Whether the name stands for this class and no other of the scene."""
        return self._present(name) == (label,)

    def proposals_of(self, site: Site, kinds: Sequence[str]) -> list[Proposal]:
        """What may still be asked about a class; of the kinds given first when all has been tried."""
        if not self.waiting.get(site.name) and self.rounds[site.name] < _ROUNDS:
            start = self.rounds[site.name] * _KINDS
            chosen = (list(kinds) * 2)[start % len(kinds) :][:_KINDS]
            self.rounds[site.name] += 1
            self.waiting[site.name] = list(proposals(site, self.rng, chosen))
        return self.waiting.get(site.name, [])


def company(windows: Sequence[Window]) -> dict[str, set[str]]:
    """Label -> the labels that are seen together with it in some window."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for window in windows:
        for label in window.view.labels:
            found[label].update(window.view.labels)
    return found
