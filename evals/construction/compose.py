"""Whole selections from single conditions: alone, negated, joined, ranked (FORMATS.md 7.3 G, S, O).

What is proposed here already tells the objects apart by the verdicts of its parts; whether it may become an item is
decided by `surveyor.evals.construction.admit`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from ...core.conditions import And, Condition, Group, Node, Not, Or, Pick, Position, Relation, Selection, walk
from ...tools.findings import FALSE, TRUE, UNKNOWN
from .atoms import MAKERS, PICKS, Atom, hops_of
from .close_calls import is_unsayable
from .sites import Site

_PAIRS = 60  # joined pairs looked at for one class of a view
_RANKED = 8  # ranks among some of a class, likewise
_RAREST, _AGAIN = 8, 3  # the kinds that are wanted most are tried several times
LEAST_TOLD_APART = 3
"""Objects of a class from which on conditions tell them apart: an answer and two distractors."""
_IN_CONTEXT = (Group,)  # what looks at the candidates still open: only told alone


@dataclass(frozen=True, eq=False)
class Known:
    """A condition that is true of some judged objects and false of others.

    Attributes:
        kind: as in `MAKERS`.
        condition: what is asked.
        codes: of the judged objects; what is unknown may still be settled by another condition.
        doubtful: of the objects of the class that are not judged: all must come out false in the end.
    """

    kind: str
    condition: Condition
    codes: np.ndarray
    doubtful: np.ndarray

    @cached_property
    def denied(self) -> Known:
        """The opposite."""
        return Known(self.kind, Not(condition=self.condition), 2 - self.codes, 2 - self.doubtful)

    @property
    def is_clear(self) -> bool:
        """Whether it may be asked alone."""
        return not (self.codes == UNKNOWN).any() and not self.doubtful.any()


@dataclass(frozen=True)
class Proposal:
    """A selection that might become an item.

    Attributes:
        selection: what is asked for.
        kinds: of its conditions, as in `MAKERS`.
        form: "class", "one", "not", "and", "and not", "or", "pick", "pick of some".
    """

    selection: Selection
    kinds: tuple[str, ...]
    form: str

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """For tables: kinds, ways of joining, hops, number of conditions, places."""
        joined = {"not": ["G:not"], "and": ["G:and"], "and not": ["G:and", "G:not"], "or": ["G:or"]}.get(self.form, [])
        joined = ["G:and"] if self.form == "pick of some" else joined
        hops = max(0, hops_of(self.selection))
        tags = [*self.kinds, *joined, f"hops:{hops}", f"atoms:{len(self.kinds)}"]
        tags += [f"place:{each.frame} {each.place}" for each in walk(self.selection) if isinstance(each, Position)]
        return tuple(dict.fromkeys(tags))


def known_conditions(
    site: Site, rng: random.Random, kinds: Sequence[str] = tuple(MAKERS)
) -> tuple[list[Known], list[tuple[str, Pick]]]:
    """Conditions of these kinds (those wanted most first) that split the judged objects, and ranks to be tried."""
    found: dict[Condition, Known | None] = {}
    picks: dict[Pick, str] = {}
    for place, kind in enumerate(kinds):
        for _ in range(_AGAIN if place < _RAREST else 1):
            atom: Atom | None = MAKERS[kind](site, rng)
            if atom is None:
                break
            if is_unsayable(atom, (site.name,)):
                continue
            if isinstance(atom, Pick):
                picks[atom] = kind
            elif atom not in found:
                found[atom] = _known(site, kind, atom)
    return [one for one in found.values() if one is not None], [(kind, pick) for pick, kind in picks.items()]


def _known(site: Site, kind: str, condition: Condition) -> Known | None:
    """What is known of a condition where all objects of the scene are seen; None where it is of no use."""
    everyone, judged = site.everyone
    codes = site.view.everything.codes(everyone, condition)
    own = codes[judged]
    return Known(kind, condition, own, codes[~judged]) if {FALSE, TRUE} <= set(own.tolist()) else None


def proposals(site: Site, rng: random.Random, kinds: Sequence[str] = tuple(MAKERS)) -> Iterator[Proposal]:
    """Proposals of some kinds for one class of a view, in a fixed order for a seed."""
    yield Proposal(Selection(phrases=(site.name,)), (), "class")
    if site.size < LEAST_TOLD_APART:
        return
    known, picks = known_conditions(site, rng, kinds)
    for one in known:
        if one.is_clear:
            yield _of(site, one.condition, [one.kind], "one")
        if not _looks_odd_denied(one.condition) and one.denied.is_clear:
            yield _of(site, Not(condition=one.condition), [one.kind], "not")
    for kind, pick in picks:
        if _is_clear(site, pick):
            yield Proposal(Selection(phrases=(site.name,), picks=(pick,)), (kind,), "pick")
    plain = [one for one in known if not isinstance(one.condition, _IN_CONTEXT)]
    yield from _joined(site, plain, kinds, rng)
    yield from _picked_of_some(site, plain, [each for each in picks if each[0] in PICKS], rng)


def _is_clear(site: Site, pick: Pick, of: Known | None = None) -> bool:
    """Whether a rank among all, or among those of a condition, is that of as many objects as it says, none in doubt."""
    everyone, judged = site.everyone
    status = None
    if of is not None:
        status = np.empty(len(everyone), dtype=np.int8)
        status[judged], status[~judged] = of.codes, of.doubtful
    codes = site.view.everything.codes(everyone, pick, status)
    chosen = [region.id for region, code in zip(everyone.regions, codes.tolist(), strict=True) if code != FALSE]
    sure = int((codes == TRUE).sum()) == len(chosen) == pick.count
    return sure and not any(site.view.by_id[name].doubt for name in chosen)


def _joined(site: Site, known: list[Known], kinds: Sequence[str], rng: random.Random) -> Iterator[Proposal]:
    pairs = [(a, b) for n, a in enumerate(known) for b in known[n + 1 :] if a.kind != b.kind or a.kind[0] == "R"]
    rng.shuffle(pairs)
    ranks = {kind: place for place, kind in reversed(list(enumerate(kinds)))}
    pairs.sort(key=lambda pair: min(ranks[pair[0].kind], ranks[pair[1].kind]))
    for a, b in pairs[:_PAIRS]:
        if says_too_much(a.condition, b.condition):
            continue
        first, second = (b, a) if _is_word(b.condition) and not _is_word(a.condition) else (a, b)
        if _together(first, second):
            yield _all_of(site, [first, second], "and")
            third = rng.choice(known)
            fits = third not in (first, second) and not _is_word(third.condition)
            fits = fits and not any(says_too_much(one.condition, third.condition) for one in (first, second))
            if fits and _together(first, second, third):
                yield _all_of(site, [first, second, third], "and")
        if not _looks_odd_denied(second.condition) and _together(first, second.denied):
            yield _all_of(site, [first, second.denied], "and not")
        if _together(first.denied, second.denied):  # either: not (neither)
            either = Or(conditions=(first.condition, second.condition))
            odd = _goes_with_either(first.condition, second.condition)
            if not odd and _excludes(np.maximum(first.doubtful, second.doubtful)):
                yield _of(site, either, [first.kind, second.kind], "or")


def says_too_much(one: Condition, other: Condition) -> bool:
    """Whether nobody would ask both at once.

    A place and its refinement; two relations to the same thing; a place that also tells what the other relates to
    ("larger than the ship in the top left corner and in the top left corner").
    """
    if isinstance(one, Position) and isinstance(other, Position):
        return "edge" not in (one.frame, other.frame)
    if any(isinstance(a, Position) and a in _places_within(b) for a, b in ((one, other), (other, one))):
        return True
    references = [getattr(each, "reference", None) for each in (one, other)]
    return references[0] is not None and references[0] == references[1]


def _places_within(condition: Condition) -> list[Position]:
    """The places that a condition names besides itself, those of its references."""
    return [each for each in walk(condition) if isinstance(each, Position) and each is not condition]


def _goes_with_either(one: Condition, other: Condition) -> bool:
    """Whether "or" and a place could go on with the reference: "near the ship in the top half or in the left half"."""
    return any(isinstance(a, Position) and _places_within(b) for a, b in ((one, other), (other, one)))


def _together(*parts: Known) -> bool:
    """Whether something satisfies all parts, nothing perhaps, none in doubt does, and each part matters."""
    every = reduce(np.minimum, [part.codes for part in parts])
    if UNKNOWN in every or TRUE not in every:
        return False
    if not _excludes(reduce(np.minimum, [part.doubtful for part in parts])) and not _all_denied(parts):
        return False
    fewer = (reduce(np.minimum, [part.codes for part in parts if part is not left]) for left in parts)
    return all(bool(((rest == TRUE) & (every == FALSE)).any()) for rest in fewer)


def _all_denied(parts: Sequence[Known]) -> bool:
    return all(isinstance(part.condition, Not) for part in parts)


def _excludes(doubtful: np.ndarray) -> bool:
    return not doubtful.any()


def _all_of(site: Site, parts: list[Known], form: str) -> Proposal:
    where = And(conditions=tuple(part.condition for part in parts))
    return _of(site, where, [part.kind for part in parts], form)


def _picked_of_some(
    site: Site, known: list[Known], picks: list[tuple[str, Pick]], rng: random.Random
) -> Iterator[Proposal]:
    pairs = [
        (one, kind, pick)
        for one in known
        for kind, pick in picks
        if kind != "O"
        and one.is_clear
        and (one.codes == TRUE).sum() > pick.count
        and (pick.by != "distance" or _is_word(one.condition))
    ]  # "below the road and nearest to the river" could be a rank among all: only "small ... nearest to the river"
    rng.shuffle(pairs)
    for one, kind, pick in pairs[:_RANKED]:
        if _is_clear(site, pick, one):
            asked = Selection(phrases=(site.name,), where=one.condition, picks=(pick,))
            yield Proposal(asked, (one.kind, kind), "pick of some")


def _of(site: Site, where: Condition, kinds: list[str], form: str) -> Proposal:
    return Proposal(Selection(phrases=(site.name,), where=where), tuple(kinds), form)


def _is_word(condition: Node) -> bool:
    """Whether it is said before the noun."""
    return getattr(condition, "kind", "") in ("size", "shape", "orientation", "colour")


def _looks_odd_denied(condition: Condition) -> bool:
    """What nobody says: "not more than 50 m from" is an amount, "not further left than" a riddle."""
    if isinstance(condition, Relation):
        odd = condition.relation in ("beyond", "further", "between", "same_side", "other_side", "surrounded")
        return odd or condition.amount is not None
    return getattr(condition, "kind", "") in ("compare", "aspect", "compare_with", "group", "size", "not")
