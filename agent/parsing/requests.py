"""Requests: imperatives and questions around the noun phrases."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ...core.conditions import (
    Output,
    Request,
    Selection,
    conjuncts,
)
from .checks import find_contradiction, of_another_kind
from .noun import NounPhrase, conjunction
from .preamble import skip_preamble
from .refusals import refuse_happenings, refuse_years
from .relations import group_condition
from .reserved import ADJECTIVES
from .sentences import LEAVE_OUT, OF_THEM, SentenceReader
from .verbs import OPENINGS, VERBS, WHOLE_IMAGE
from .vocabulary import ATTRIBUTES, STANDING

_CAN_YOU = [
    f"{can} {who} {see}".split()
    for can in ("can", "do", "could")
    for who in ("you", "we", "i")
    for see in ("see", "count", "find", "spot")
]
_ORDERLY = ("first", "firstly", "second", "secondly", "third", "thirdly", "finally", "lastly", "afterwards")
Verb = Literal["detect", "segment", "count", "measure", "describe", "exists", "compare"]
_ENDS = (";", ".", "?", "!", ",")
_TO_BE = tuple(
    f"{must} be" for must in ("should", "must", "have to", "has to", "need to", "needs to", "ought to", "shall")
)
_DONE: dict[Verb, tuple[str, ...]] = {
    "detect": ("marked", "highlighted", "found", "shown", "located", "identified", "detected", "listed", "mapped"),
    "segment": ("segmented", "outlined", "masked", "delineated", "traced"),
    "count": ("counted", "tallied"),
    "describe": ("described",),
}
_TRAILING = (
    "parked here", "moored here", "standing here", "located", "situated", "positioned", "found", "placed", "lie",
    "stand", "sit", "visible", "present", "seen",
    "shown", "there", "are there", "is there", "exist", "for me", "in total", "altogether",
    "only", "either", "nothing else", "that is all", "that is it", "in degrees", "thanks", "thank you", "thx", "cheers",
    "together", "are", "is",
)  # fmt: skip


class RequestReader(SentenceReader):
    """Reads whole requests; what was said before them and asks for nothing stands in `asides`."""

    asides: tuple[str, ...] = ()

    def request(self) -> Request:
        """All outputs that the query asks for.

        Raises:
            QueryError: words that are not understood, or conditions that exclude each other.
        """
        outputs: list[Output] = []
        self._separators()
        self.asides = skip_preamble(self)
        self._drop_yes_no()
        refuse_years(self)
        refuse_happenings(self)
        while not self.ended:
            self.subject, self.grouped, self.referred = None, None, None
            found: list[Output] = []
            left_out = self.sees("not the", "not those") or self.sees(*LEAVE_OUT)
            if outputs and left_out and self.take("not", *LEAVE_OUT):
                outputs = self._without(outputs)
            elif outputs and (narrowed := self._narrowing(outputs)):
                outputs = narrowed
            else:
                self.each_at = []
                found = self.only_if(self._output())
                self._refuse_number_for_each(found)
            outputs += found
            self._remember(found or outputs)
            if self.ended:
                break
            back = self.at
            if not self._separators():
                self.refuse_word("a condition, 'and' or the end of the query")
            if self.ended:
                self._refuse_open_end()
            elif not self.begins_request() and not (self.text(-1) == "then" and self.reference_ahead()):
                self.at = back
                self.skip(",", ";", "and")
                self.refuse_word("a condition or another request")
        if not outputs:
            self.at = 0
            self.refuse_word("what to look for, e.g. 'planes near the river'")
        for output in outputs:
            for selection in (output.target, output.other):
                if selection is not None:
                    find_contradiction(self, selection)
        return Request(outputs=tuple(outputs))

    def _remember(self, outputs: list[Output]) -> None:
        """Keeps what "it", "them" and "their" look back to: one set, or several that only "their" can take."""
        named = [found for output in outputs for found in (output.target, output.other) if found is not None]
        self.mentioned = (self.subject,) if self.subject is not None else tuple(dict.fromkeys(named))
        self.antecedent = self.mentioned[0] if len(self.mentioned) == 1 else None

    def _refuse_open_end(self) -> None:
        """Refuses a query whose last word promises more."""
        last = max(place for place, token in enumerate(self.tokens) if token.kind != "symbol")
        if self.tokens[last].text in ("and", "then", "also"):
            self.refuse(
                f"the query ends too early after {self.tokens[last].text!r}: expected a condition or another request",
                last,
            )

    def _separators(self) -> bool:
        start = self.at
        while self.take(
            *_ENDS,
            "and then",
            "then",
            "and also",
            "and",
            "thanks",
            "thank you very much",
            "thank you",
            "for me",
            "thx",
            "cheers",
        ):
            pass
        return self.at > start

    def begins_request(self) -> bool:
        """Whether a new request comes next: a verb, a question word, or anything after a full stop."""
        if self.sees("not the", "not those", *LEAVE_OUT, *OF_THEM, "only those", "only the ones", "keep"):
            return True
        starts = ("how", "which", "what", "where", "is", "are", "does", "do", "check", "can", "could", "would", "tell")
        return (
            self.peek_from(VERBS) is not None
            or self.peek_from(OPENINGS) is not None
            or self._orderly()
            or self.text() in starts
            or (self.text() in ("the", "their", "its") and ATTRIBUTES.match(self.tokens, self.at + 1) is not None)
            or self.text(-1) in (";", ".", "?", "!")
        )

    def _orderly(self) -> bool:
        """Whether "first" or "finally" comes next and tells the order of requests, rather than a rank."""
        after = self.text(1)
        return self.text() in _ORDERLY and (
            after in (",", "the", "all", "every") or VERBS.match(self.tokens, self.at + 1) is not None
        )

    # ---- forms ----

    def _output(self) -> list[Output]:
        if self._orderly():
            self.at += 1
            self.skip(",", "of", "all")
        start = self.at
        for form in (
            self._whether,
            self._exists,
            self._numbers,
            self._numbers_compared,
            self._more_numerous,
            self._measure,
            self._whole_image,
            self._how_many,
            self._look,
            self._which_way,
            self._more_of,
            self._which,
            self._is_it,
            self._among_these,
            self._verb,
        ):
            self.at = start
            found = form()
            if found:
                self._trailing()
                return found
        self.at = start
        if self.take("where") and self.reference_ahead():  # "(I need to know) where the ships are"
            targets = self.target()
            if self.take("are", "is", "lie", "lies", "stand", "stands"):
                return self._outputs("detect", targets)
        self.at = start
        if self.take_from(OPENINGS) is not None:
            self.skip(",")
            if self.ended:
                self.refuse_word("a request, e.g. 'find the planes'")
            return self._output()
        led = self._led_by_place()
        if led:
            return led
        asked = self.yes_no or (self.text() in ("any", "anything", "anyone") and self.tokens[-1].text == "?")
        counted = self._count_behind()
        targets = self.target()
        passive = self._to_be_done()
        found = self._outputs("count" if counted else "exists" if asked else passive or "detect", targets)
        self._trailing()
        return found

    def _to_be_done(self) -> Verb | None:
        """ "(the tanks) should be marked", "have to be counted"; None where no such words come."""
        start = self.at
        if self.take(*_TO_BE) or self.text() in ("marked", "outlined", "segmented", "counted", "highlighted"):
            for verb, participles in _DONE.items():
                if self.take(*participles):
                    return verb
        self.at = start
        return None

    def _count_behind(self) -> bool:
        """ "plane count": takes the word away when it ends the query."""
        for place in range(self.at + 1, min(len(self.tokens), self.at + 6)):
            ends = place + 1 == len(self.tokens) or self.tokens[place + 1].text in ("for", "in", "on", "at", *_ENDS)
            if self.tokens[place].text in ("count", "counts") and ends:
                behind = self.tokens[place + 1 :]
                if behind and behind[0].text == "for":
                    behind = [replace(behind[0], text="in"), *behind[1:]]
                self.tokens = [*self.tokens[:place], *behind]
                return True
            if not self.may_name(place - self.at):
                return False
        return False

    def _trailing(self) -> None:
        while True:
            back = self.at
            if self.skip_image() or self.take(", nothing else", ", nothing more", "and nothing else"):
                continue
            if not self.take(*_TRAILING) or not (
                self.ended or self.text() in (*_ENDS, "in", "on") or self.sees(*_TRAILING)
            ):
                self.at = back
                return

    def _outputs(self, verb: Verb, targets: list[Selection]) -> list[Output]:
        if verb == "measure":
            return [
                Output(verb=verb, target=target, attribute="length", unit=self._unit("length")) for target in targets
            ]
        per = self.grouped if verb == "count" else None
        return [_per_group(Output(verb=verb, target=target, per=per)) for target in targets]

    def _verb(self) -> list[Output]:
        opening, found = OPENINGS.match(self.tokens, self.at), VERBS.match(self.tokens, self.at)
        verb = self.take_from(VERBS)
        if verb is None or (opening is not None and found is not None and opening[1] > found[1]):
            return []
        verbs = [verb]
        while True:
            back = self.at
            more = self.take_from(VERBS) if self.take(", and", "and", ",") else None
            if more is None:
                self.at = back
                break
            verbs.append(more)
        self.take("for", "out") if self.text(1) else None
        if self._question_ahead():
            return self._output()
        where = self.take("where") is not None
        if self.ended:
            self.refuse_word(f"what to {self.text(-1) if len(verbs) == 1 else verbs[-1]}, e.g. 'planes'")
        if verb == "count" and self.take("the groups among", "the rows among"):
            self.grouped = "group" if self.text(-2) == "groups" else "row"
            grouped, targets = self.grouped, self.target()
            return [Output(verb="count", target=target, per=grouped) for target in targets]
        self.take("a", "the")
        counted = verb == "detect" and self._count_behind()
        self.at -= self.text(-1) in ("a", "the")
        verbs = ["count"] if counted else verbs
        targets = self.target()
        if where:
            self.take("are", "is")
        if self.take("as polygons", "as masks", "as outlines", "as segments", "with masks", "outlined", "segmented"):
            verbs = ["segment" if each == "detect" else each for each in verbs]
        if self.take("counted"):
            verbs = ["count" if each == "detect" else each for each in verbs]
        self.take("as boxes", "as bounding boxes", "marked", "highlighted", "shown", "marked up", "circled")
        return [output for each in verbs for output in self._outputs(each, targets)]  # type: ignore[arg-type]

    def _question_ahead(self) -> bool:
        return self.sees(
            "how many", "which", "whether", "if", "how long", "how wide", "how large", "how big", "is there"
        )

    def _how_many(self) -> list[Output]:
        if not self.take("how many"):
            return []
        if self.antecedent is not None and self.take("there are", "are there"):
            return [Output(verb="count", target=self.antecedent)]
        if self.antecedent is not None and (found := self._of_those()):
            return found
        self.take("of")
        for place in range(self.at + 1, min(len(self.tokens), self.at + 8)):
            if [token.text for token in self.tokens[place : place + 3]] in _CAN_YOU:
                self.tokens = [*self.tokens[:place], *self.tokens[place + 3 :]]
                break
        targets = self._with_predicate()
        return [_per_group(Output(verb="count", target=target, per=self.grouped)) for target in targets]

    def _of_those(self) -> list[Output]:
        """ "(how many) are in the top half", "of them are white", of the set named before; [] when a noun follows."""
        start = self.at
        self.take("of them", "of these", "of those", "ones", "them")
        back = self.at
        if self.antecedent is None or not (back > start or self.sees("are", "is", "have", "lie", "touch", "contain")):
            return []
        head = NounPhrase(start, phrases=self.antecedent.phrases, plural=True)
        condition, ranks, _ = self._predicate([head])
        if condition is None and not ranks:
            self.at = start
            return []
        named = self.antecedent.model_copy(update={"expected": None})
        base = of_another_kind(named, conjuncts(condition))  # "how many are new? How many are gone?"
        return [Output(verb="count", target=self._narrowed(base, condition, ranks, [head]))]

    def _whole_image(self) -> list[Output]:
        """ "describe the scene", "what is in this image", "what can you see": a description of all objects."""
        start = self.at
        asked = self.take_from(WHOLE_IMAGE)
        described = asked is None and self.take_from(VERBS) == "describe"
        if described and self.take("everything", "all", "all objects", "what you see", "what is in", "what there is"):
            self.skip_image()
            described = self.ended or self.text() in _ENDS
        elif described:
            described = self.skip_image() or (self.antecedent is None and self.take("it") is not None)
        if asked is None and not described:
            return []
        place = None
        if asked and asked != "complete":
            self.take_from(STANDING)
            place = self.position() or self.distance() or self.relation()
            if place is None and not self.skip_image() and asked == "needs a place":
                self.at = start
                return []
        self._trailing()
        if not (self.ended or self.text() in (*_ENDS, "and")):
            self.at = start
            return []
        return [Output(verb="describe", target=Selection(phrases=("object",), where=place))]

    def _which_way(self) -> list[Output]:
        """ "in which direction does the runway run", "how much area does the car park cover"."""
        if self.take("in which direction", "in what direction", "which direction", "which way", "what direction"):
            if not self.take("does", "do", "is", "are"):
                return []
            self._without_verb("run", "point", "lie", "go", "oriented", "aligned", "extend", "orientated")
            targets = self.target()
            self.take(", in degrees", "in degrees")
            return [Output(verb="measure", target=target, attribute="orientation") for target in targets]
        if self.take("how much area", "how much space", "how much ground", "how much land"):
            if not self.take("does", "do", "is", "are"):
                return []
            self._without_verb("cover", "occupy", "have")
            targets = self.target()
            unit = self._unit("area")
            return [Output(verb="measure", target=target, attribute="area", unit=unit) for target in targets]
        return []

    def _without_verb(self, *verbs: str) -> None:
        """Takes the verb out of "(does) the runway run": what stands before it is the thing asked about."""
        for place in range(len(self.tokens) - 1, self.at, -1):
            if self.tokens[place].text in verbs:
                self.tokens = [*self.tokens[:place], *self.tokens[place + 1 :]]
                return

    def _more_of(self) -> list[Output]:
        """ "more ships than tanks?"."""
        return self._compared_sets(self.at) if self.at == 0 and self.sees("more", "fewer", "as many") else []

    def _ranked_of_those(self) -> Selection:
        """ "(which) has the largest area" of the set named before."""
        rank = self.having_rank()
        if rank is None or self.antecedent is None:
            self.refuse_word("e.g. 'has the largest area'")
        return self.antecedent.model_copy(update={"picks": (*self.antecedent.picks, rank.pick), "expected": None})

    def _look(self) -> list[Output]:
        """ "what does the largest ship look like"."""
        if not self.take("what does", "what do") or not self.reference_ahead():
            return []
        targets = self.target()
        return self._outputs("describe", targets) if self.take("look like") else []

    def _which(self) -> list[Output]:
        if self.take("which is", "which are", "which one is", "which ones are", "what is", "what are"):
            following = self.reference_ahead() or (self.antecedent is not None and self.sees("the"))
            if not following and self.antecedent is not None and self.peek_from(ADJECTIVES) is not None:
                self.at -= 1  # "which are gone"
                head = NounPhrase(self.at, phrases=self.antecedent.phrases, plural=True)
                condition, ranks, _ = self._predicate([head])
                base = of_another_kind(self.antecedent, conjuncts(condition))
                return self._outputs("detect", [self._narrowed(base, condition, ranks, [head])])
            return self._outputs("detect", self.target()) if following else []
        if self.antecedent is not None and self.take("which has", "which one has", "which have"):
            self.at -= 1
            return self._outputs("detect", [self._ranked_of_those()])
        if self.take("which of", "what of") or (self.take("which", "what") and self.noun_follows()):
            return self._outputs("detect", self._with_predicate())
        if self.text(-1) == "which" and (self.whole_number() or self.sees("one")):
            self.at -= 1
            return self._outputs("detect", self._with_predicate())
        return []


def _per_group(output: Output) -> Output:
    """Groups are counted of the whole set: that each stands in some group needs no condition of its own."""
    any_group = None if output.per is None else group_condition(output.per, None, None)
    parts = [part for part in conjuncts(output.target.where) if part != any_group]
    return output.model_copy(update={"target": output.target.model_copy(update={"where": conjunction(parts)})})
