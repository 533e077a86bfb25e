"""The last request asked of something else: "and the ships?", "what about the red ones?", "also the ships"."""

from __future__ import annotations

from dataclasses import replace

from ..core.conditions import Among, CountTest, Output, Pick, Request, Selection, conjuncts
from ..core.errors import QueryError, UsageError
from ..core.inflection import plural
from ..core.wording import words
from .followup_checks import Check, check_of
from .followup_completed import completed, measured_instead, reference_of, relation_completed, with_reference
from .followup_edits import is_single, joined, put_into, replaced, swapped, widened
from .followup_kinds import kept_beside, kind_of
from .followup_meanings import Ask
from .followup_mentions import Known, Setting, StandIns, take_boxes
from .followup_patterns import (
    ALSO,
    AND,
    IS_IT_THE,
    MANY,
    OTHER_END,
    SAME_FOR,
    THEIRS,
    TO_THEM,
    TOO,
    WHAT_ABOUT,
    WHICH_ONES,
)
from .followup_pointing import take_regions
from .followup_readings import begins_request, places_on, readings_on, with_ones
from .followup_sets import complement
from .followup_text import Patched, refused
from .parsing.noun import conjunction


class Swaps:
    """The part of a reader that asks the last request of something else."""

    text: str
    setting: Setting
    stand_ins: StandIns
    noun: str
    last: Known | None
    pointed: Known | None

    def parsed(self, patched: Patched) -> Request:
        """The grammar's reading."""
        raise NotImplementedError

    def asked(self, request: Request, image: int | None, turn: Known | None, about: Selection | None = None) -> Ask:
        """The request on the image it is about."""
        raise NotImplementedError

    def base(self, patched: Patched, turn: Known, image: int | None) -> Selection:
        """The one set of a turn. Raises QueryError when there are several, or it is of an image out of use."""
        found = self.one_set(patched, turn)
        self.check_image(turn, image)
        return found

    def one_set(self, patched: Patched, turn: Known) -> Selection:
        """The one set of a turn. Raises QueryError when there are several."""
        if len(turn.sets) > 1:
            listed = " or ".join(repr(words(each)) for each in turn.sets)
            raise patched.refused(f"this could be about {listed}; name the thing")
        return turn.sets[0]

    def check_image(self, turn: Known, image: int | None) -> None:
        """Raises QueryError when a line refers to an image that is out of use and names none."""
        if image is None and turn.image != self.setting.current:
            old, new = (f"image {n} ({self.setting.images[n - 1]})" for n in (turn.image, self.setting.current))
            raise refused(
                f"this refers to {old}, and {new} is in use; add 'in image {turn.image}' or "
                f"'in image {self.setting.current}'",
                self.text,
            )

    def where(self, turn: Known, image: int | None) -> str:
        """What a line about a turn has to add where it names no image and that of the turn is not in use."""
        return "" if image is not None or turn.image == self.setting.current else f" in image {turn.image}"

    def asks_of_regions(self) -> bool:
        """Whether the last request can be asked of another region ("and plane-4?") just as well."""
        if self.last is None:
            return False
        verb = self.last.request.outputs[0].verb
        return self.last.points or verb in ("measure", "describe") or self.last.about is not None

    # ---- which ones?

    def which_ones(self, patched: Patched, image: int | None) -> Ask | None:
        """ "which ones?", "which ones are not?", said after a yes or no or a number."""
        match = WHICH_ONES.fullmatch(patched.text)
        if match is None or self.last is None:
            return None
        check = check_of(self.last.request, self.last.about)
        if check is None:
            target = self.base(patched, self.last, image)
            if match["not"] and (others := complement(self.last, self.setting)) is not None:
                target = others
        elif match["are"] or match["not"]:
            target = check.those(holds=not match["not"])
        else:  # those for which the answer was "no", if it was
            target = check.those(holds=not (check.every and self.last.kept))
        return self.asked(Request(outputs=(Output(verb="detect", target=target),)), image, self.last)

    # ---- is it the largest?

    def is_it_the(self, patched: Patched, image: int | None) -> Ask | None:
        """ "is it the largest?", "is ship-3 the second from the left?": of the set that it was listed in."""
        match = IS_IT_THE.fullmatch(patched.text)
        if match is None or self.last is None:
            return None
        who = match["who"].lower().removeprefix("the ").strip()
        known = self.stand_ins.meanings.get(who.removesuffix("s")) or self.stand_ins.meanings.get(who)
        if known is not None and isinstance(known.where, Among):
            ids, turn = known.where.ids, self.pointed or self.last
        elif who.startswith(("it", "this", "that", "they", "those", "these")) and self.last.ids:
            ids, turn = self.last.ids, self.last
            if len(ids) > 1 and not who.startswith(("they", "those", "these")):
                return None
        else:
            return None
        rest = patched.cut(match.start("rank"), match.end("rank"))
        try:
            ranked = self._named(rest)
        except QueryError:
            return None
        if self.noun not in ranked.phrases or not ranked.picks or ranked.where is not None:
            return None
        return self._ranked(ids, self._own(ranked, self.last.sets[0]).picks, turn, image)

    def _ranked(self, ids: tuple[str, ...], ranks: tuple[Pick, ...], turn: Known, image: int | None) -> Ask:
        """Whether regions are those at certain ranks of the set that they were listed in, else of their class."""
        listing = self.setting.listing
        inside = len(listing.sets) == 1 and set(ids) <= {*listing.ids, *listing.listed} and listing.image == turn.image
        whole = widened(listing.sets[0]) if inside else Selection(phrases=tuple(turn.labels[name] for name in ids[:1]))
        parts = [*conjuncts(whole.where), *whole.picks, *ranks, Among(ids=ids)]
        target = Selection(phrases=whole.phrases, where=conjunction(parts))
        test = None if len(ids) == 1 else CountTest(op="==", n=len(ids))
        about = Selection(phrases=whole.phrases, where=Among(ids=ids), expected=len(ids))
        request = Request(outputs=(Output(verb="exists", target=target, test=test),))
        return self.asked(request, image, turn, about)

    def _ranked_swapped(self, turn: Known, new: Selection, image: int | None) -> Ask | None:
        """ "is it the largest?", then "and the longest?" or "and plane-4?"; None behind any other question."""
        (output, *more), about = turn.request.outputs, turn.about
        if more or output.verb != "exists" or about is None or not isinstance(about.where, Among):
            return None
        parts = conjuncts(output.target.where)
        ranks = tuple(part for part in parts if isinstance(part, Pick))
        if not ranks or parts[-1] != about.where:
            return None
        if self.noun in new.phrases and new.where is None and new.picks:
            return self._ranked(about.where.ids, self._own(new, about).picks, turn, image)
        meant = self.stand_ins.meanings.get(new.phrases[0])
        if meant is None or not isinstance(meant.where, Among):
            return None
        return self._ranked(meant.where.ids, ranks[-1:], turn, image)

    # ---- another set, another condition

    def swap(self, patched: Patched, image: int | None) -> Ask | None:
        """ "the same for ships", "what about the red ones?", "and the ships?", "and in the bottom half?"."""
        match = SAME_FOR.fullmatch(patched.text) or WHAT_ABOUT.fullmatch(patched.text) or AND.fullmatch(patched.text)
        if match is None or (match.re is AND and (self.last is None or begins_request(match["rest"]))):
            return None
        if match.re is AND and THEIRS.search(match["rest"]):
            return None
        if self.last is None:
            raise patched.refused("nothing was asked yet that could be asked of others; ask for something first")
        quiet = match.re is AND and not match["asks"]
        if quiet and (not self.last.is_question or len(self.last.sets) > 1):
            return None
        self.one_set(patched, self.last)
        rest = patched.cut(match.start("rest"), match.end("rest")).stripped(" ,;?!.")
        rest = rest.sub(TOO, "").stripped()
        found = self._measured_or_related(rest, image)
        if found is not None:
            return found
        try:
            new = self._named(rest, self.where(self.last, image))
        except QueryError:
            if quiet:
                return None
            raise
        if quiet and self.noun in new.phrases:
            return None  # a further condition, unless it cannot hold together with those before
        return self._swapped(patched, image, self.last, new)

    def _measured_or_related(self, rest: Patched, image: int | None) -> Ask | None:
        """ "and the width?", "and from the quay?", "and of the tanks?" behind a measure or a relation; else None."""
        assert self.last is not None
        turn = self.last
        measured = measured_instead(rest, turn, self.noun, self.parsed)
        if measured is not None:
            return self.asked(measured, image, turn, turn.about)
        end = OTHER_END.fullmatch(rest.text)
        if end is None:
            return None
        new = self._named(rest.cut(end.start("what"), end.end("what")))
        if self.noun in new.phrases:
            return None
        outputs = turn.request.outputs
        if len(outputs) == 1 and outputs[0].reference is not None and not rest.text.lower().startswith("of"):
            far = outputs[0].model_copy(update={"reference": put_into(new, self.stand_ins.meanings)})
            return self.asked(Request(outputs=(far,)), image, turn, turn.about)
        reference = reference_of(turn.request)
        if outputs[0].verb == "measure" or reference is None:
            return self._swapped(rest, image, turn, new) if outputs[0].verb == "measure" else None
        new = put_into(new, self.stand_ins.meanings)
        about = None if turn.about is None else with_reference(turn.about, reference, new)
        return self.asked(with_reference(turn.request, reference, new), image, turn, about)

    def replaced_instead(self, patched: Patched, image: int | None) -> Ask | None:
        """ "and in the bottom half" behind a question about the top half: the place is replaced; else None."""
        match = AND.fullmatch(patched.text)
        if match is None or self.last is None or not self.last.is_question:
            return None
        rest = patched.cut(match.start("rest"), match.end("rest")).stripped(" ,;?!.")
        return self._swapped(patched, image, self.last, self._named(rest))

    def _named(self, rest: Patched, where: str = "") -> Selection:
        """The noun phrase behind "what about", with regions where the last request was about such."""
        rest = take_boxes(rest, self.stand_ins)
        if self.asks_of_regions():
            rest, self.pointed = take_regions(rest, self.setting, self.stand_ins)
        rest = with_ones(rest.sub(MANY, plural(self.noun)), self.noun)
        instead: list[Patched] = []
        if self.last is not None:
            rest = completed(rest, self.last, self.stand_ins)
            instead = relation_completed(rest, self.last, self.stand_ins)
        for candidate in (*instead, rest, *places_on(rest, self.noun), *readings_on(rest, self.noun)):
            try:
                request = self.parsed(candidate)
            except QueryError:
                continue
            if len(request.outputs) == 1 and request.outputs[0].verb == "detect":
                return request.outputs[0].target
        request = self.parsed(rest)
        raise rest.refused(
            f"{words(request)!r} is a request of its own; name a thing, as in 'the same for ships{where}'"
        )

    def _swapped(self, patched: Patched, image: int | None, turn: Known, new: Selection) -> Ask:
        """The request of a turn with its set, or conditions of it, replaced."""
        check = check_of(turn.request, turn.about)
        if check is not None:
            asked = self._check_swapped(check, new)
            return self.asked(asked.request(), image, turn, asked.subject)
        ranked = self._ranked_swapped(turn, new, image)
        if ranked is not None:
            return ranked
        base = self.base(patched, turn, image)
        target = self._instead(base, new)
        return self.asked(swapped(turn.request, base, target), image, turn)

    def _instead(self, base: Selection, new: Selection) -> Selection:
        meanings = {**self.stand_ins.meanings, self.noun: base}
        if self.noun in new.phrases:
            return replaced(base, self._own(new, base), base.phrases)
        if new.phrases[0] in self.stand_ins.meanings:
            return put_into(new, meanings)
        return replaced(base, put_into(new, meanings), new.phrases)

    def _own(self, new: Selection, base: Selection) -> Selection:
        """What is said of the noun, with the sets that its conditions refer to."""
        meanings = {**self.stand_ins.meanings, self.noun: base}
        where = None if new.where is None else put_into(new.where, meanings)
        picks = tuple(put_into(pick, meanings) for pick in new.picks)
        return new.model_copy(update={"where": where, "picks": picks})

    def _check_swapped(self, check: Check, new: Selection) -> Check:
        if self.noun not in new.phrases:
            subject = self._instead(check.subject, new)
            single = is_single(subject)
            return replace(check, subject=subject, every=not single and (check.every or is_single(check.subject)))
        new = self._own(new, check.subject)
        where = new.where
        kinds = {kind_of(condition) for condition in conjuncts(where)}
        if kinds & {kind_of(condition) for condition in conjuncts(check.asked)}:
            before = Selection(phrases=new.phrases, where=check.asked)
            beside = kept_beside(before, conjuncts(where), refuse=False)
            asked = conjunction([*beside, *conjuncts(where)])
            assert asked is not None
            return replace(check, asked=asked)
        if where is None or kinds & {kind_of(condition) for condition in conjuncts(check.subject.where)}:
            return replace(check, subject=replaced(check.subject, new, check.subject.phrases))
        return replace(check, asked=where)

    # ---- more of it

    def more(self, patched: Patched) -> tuple[Patched, bool]:
        """The text without "also", "add", "too", and whether it says so of a thing."""
        lead, tail = ALSO.match(patched.text), TOO.search(patched.text)
        if self.last is None or (lead is None and tail is None):
            return patched, False
        rest = patched.cut(lead.end()) if lead else patched
        rest = rest.sub(TOO, "").sub(TO_THEM, "").stripped(" \t\n,;")
        if begins_request(rest.text):
            return rest, False
        return rest, True

    def added(self, patched: Patched, image: int | None) -> Ask | None:
        """ "also the ships", "and the ships too": what was asked for, and these besides; None for a condition."""
        assert self.last is not None
        and_ = AND.fullmatch(patched.text) or WHAT_ABOUT.fullmatch(patched.text)
        rest = patched.cut(and_.start("rest"), and_.end("rest")) if and_ else patched
        rest = take_boxes(rest.stripped(" ,;?!."), self.stand_ins)
        rest, self.pointed = take_regions(rest, self.setting, self.stand_ins)
        rest = with_ones(rest.sub(MANY, plural(self.noun)), self.noun)
        try:
            request = self.parsed(rest)
        except QueryError:
            return None
        new, turn = request.outputs[0].target, self.last
        if len(request.outputs) != 1 or request.outputs[0].verb != "detect":
            return None
        check = check_of(turn.request, turn.about)
        if check is not None:
            return self._swapped(patched, image, turn, new)
        base = self.base(patched, turn, image)
        meanings = {**self.stand_ins.meanings, self.noun: base}
        new = self._instead(base, new) if self.noun in new.phrases else put_into(new, meanings)
        both = joined(base, new)
        before = turn.request.outputs
        if both is not None and len(before) == 1 and before[0].verb in ("detect", "segment"):
            return self.asked(swapped(turn.request, base, both), image, turn)
        if before[-1].other is not None:
            raise UsageError(f"{words(turn.request)!r} compares two sets, to which none can be added; ask anew")
        request = Request(outputs=(*before, before[-1].model_copy(update={"target": new})))
        return self.asked(request, image, turn, both)
