"""Superlatives and ordinals before a noun: "the two largest planes", "the largest of the three leftmost planes"."""

from __future__ import annotations

from ...core.conditions import Pick, Selection
from .modifiers import ModifierReader
from .noun import NounPhrase, Rank
from .vocabulary import ATTRIBUTES, OF_TWO, SUPERLATIVES
from .vocabulary import Rank as RankKind

_PENDING = Selection(
    phrases=("?",)
)  # "the nearest plane": the reference is still to come  # "the nearest plane": the reference is still to come


class RankedPhraseReader(ModifierReader):
    """Reads the ranks of noun phrases."""

    def core_ahead(self) -> NounPhrase:
        """The noun phrase ahead without what follows its noun; nothing is read."""
        raise NotImplementedError

    def _rank_before(self, phrase: NounPhrase) -> tuple[int, int] | None:
        """Reads ranks before the noun; returns an ordinal that still needs "from the left"."""
        back = self.at
        ranks = self.ranks()
        kind = self.take_from(SUPERLATIVES) or (self._of_two() if ranks is None else None)
        if kind is None:
            if ranks is not None:
                phrase.has_determiner = True
                phrase.number = None
            return ranks
        if ranks is not None and ranks[0] == 0:
            self.refuse("say which end: 'the largest' or 'the smallest'", back, self.at)
        number = phrase.number if phrase.number is not None else self.take_from_number()
        first, count = ranks or (1, number or 1)
        reference = _PENDING if kind[0] == "distance" else None
        pick = Pick(by=kind[0], order=kind[1], first=first, count=count, reference=reference)
        phrase.ranks.append(Rank(pick, ranks is not None or number is not None))
        phrase.has_determiner = True
        self._other_ranks(phrase)
        return None

    def _of_two(self) -> RankKind | None:
        """ "(the) larger (of the two planes)"."""
        kind = self.take_from(OF_TWO)
        if kind is None or self.sees("of both", "of the two", "of these two", "of those two", "of the 2", "of two"):
            return kind
        self.at -= 1
        return None

    def _other_ranks(self, phrase: NounPhrase) -> None:
        """ "(the largest) and the smallest (plane)"."""
        while True:
            back = self.at
            self.take(", and the", "and the", ", and", "and", ", the", ",")
            ranks = self.ranks() if self.at > back else None
            kind = self.take_from(SUPERLATIVES) if self.at > back else None
            if kind is None or kind[0] == "distance" or self.opened:
                self.at = back
                return
            first, count = ranks or (1, 1)
            phrase.others.append(Rank(Pick(by=kind[0], order=kind[1], first=first or 1, count=count), True))

    def _picked_from(self, phrase: NounPhrase) -> NounPhrase:
        """ "the largest of the three left-most planes"."""
        self.take("of all the", "of all", "of")
        if self.antecedent is not None and self.take("them", "these", "those"):
            phrase.base = self.antecedent
        else:
            phrase.base = self.selection_of(self._bare_list())
            pick = phrase.ranks[0].pick
            if phrase.base.expected is not None and pick.first + pick.count - 1 > phrase.base.expected:
                only = phrase.base.expected
                wanted = pick.first + pick.count - 1
                self.refuse(f"there can be no {wanted} of {only}; the words name {only} in all", phrase.start, self.at)
        phrase.plural = phrase.ranks[0].pick.count > 1
        return phrase

    def _bare_list(self) -> list[NounPhrase]:
        """ "planes and ships" after "the largest of": only nouns without a determiner of their own go on."""
        phrases = [self.noun_phrase(nested=bool(self.opened))]
        while True:
            back = self.at
            if (
                not self.take(", and", ",", "and", "or")
                or not self.reference_ahead()
                or self.core_ahead().has_determiner
            ):
                self.at = back
                return phrases
            phrases.append(self.noun_phrase(nested=bool(self.opened)))

    def _nearest_of(self, phrase: NounPhrase) -> NounPhrase:
        """ "the nearest to the bridge [of the planes]"."""
        self.pending_distance(phrase, required=True)
        if self.sees("of"):
            return self._picked_from(phrase)
        if self.antecedent is None:
            self.refuse_word("a noun, e.g. 'the plane nearest to the bridge'")
        phrase.base = self.antecedent
        return phrase

    def pending_distance(self, phrase: NounPhrase, *, required: bool) -> None:
        """Reads "to the bridge" for "the nearest plane to the bridge"."""
        rank = phrase.ranks[0] if phrase.ranks else None
        if rank is None or rank.pick.reference != _PENDING:
            return
        if self.text() in ("to", "from", "away"):
            self.opened.append(phrase)
            pick = self.distance_pick(rank.pick.order, (rank.pick.first, rank.pick.count), None)
            self.opened.pop()
            if pick is not None:
                phrase.ranks[0] = Rank(pick, rank.counted)
                return
        if required:
            word = "nearest to" if rank.pick.order == "min" else "farthest from"
            self.refuse(f"{word} what? Say 'the plane {word} the bridge'", phrase.start, self.at)

    def _rank_by(self, phrase: NounPhrase) -> None:
        """ "(the top ten buildings) by area"."""
        start = self.at
        attribute = self.take_from(ATTRIBUTES) if self.take("by", "in", "in terms of") else None
        if attribute in ("length", "width", "area"):
            phrase.ranks.append(Rank(Pick(by=attribute, order="max", count=phrase.number or 1), True))
            return
        self.at = start
        if phrase.top:
            self.refuse("the top ones by what? Say 'the ten largest planes'", phrase.start, self.at)

    def _rank_from_side(self, phrase: NounPhrase, ranks: tuple[int, int]) -> None:
        pick = self.rank_side(ranks)
        if pick is None:
            noun = phrase.phrases[0] if phrase.phrases else "plane"
            self.refuse(
                f"counted from where? Say 'the second {noun} from the left' or 'the second largest {noun}'",
                phrase.start,
                self.at,
            )
        phrase.ranks.append(Rank(pick, True))
