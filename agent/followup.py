"""What a line of a conversation means: a new request, an edit of an earlier one, or a question about an answer.

Deterministic. The words that point into the conversation ("those", "plane-3", "[100, 200, 300, 400]", "in image 2")
give way to stand-in nouns, the condition parser reads the rest as it reads any request, and the sets they stand for are
put into the tree. So whatever can be asked of "planes" can be asked of "those". Forms without a noun ("only the
red", "longer than 50 m") are tried on the set of the last answer. What cannot be read is an error that shows the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from ..core.conditions import Among, ClassIs, Condition, Output, Relation, Request, Selection, conjuncts, walk
from ..core.errors import QueryError, UsageError
from ..core.inflection import plural
from ..core.wording import words
from .followup_checks import check_of, subject_of
from .followup_completed import completed
from .followup_courtesy import courtesy, is_small_talk, without_courtesy
from .followup_dates import speaks_of_dates, take_dates
from .followup_edits import is_single, phrases_in, put_in, put_into, uses, widened, with_verb
from .followup_images import take_image, take_images
from .followup_meanings import Ask, Courtesy, GoTo, Like, Meaning, Undo, Why
from .followup_mentions import Known, Setting, StandIns, refuse_unknown_id, take_boxes
from .followup_patterns import (
    AGAIN,
    AND,
    AND_THE,
    BOTH,
    DESCRIBE_THAT,
    EXCEPT,
    GOING,
    HOW_FAR,
    HOW_MANY,
    MANY,
    OF_THOSE,
    ONE_OF,
    ONES,
    ONLY,
    ONLY_THE,
    SAYS_AGAIN,
    SINGLE,
    UNDO,
    WHAT_IS_IT,
    WHAT_IS_LEFT,
    WHAT_NEAR,
)
from .followup_pointing import after_lead, take_demonstratives, take_regions, visual_request
from .followup_readings import bare, begins_request, readings_on, with_pronouns
from .followup_sets import not_removed, take_others
from .followup_swaps import Swaps
from .followup_text import Patched, refused
from .followup_why import read_like, read_why
from .parser import noted, read
from .parsing.changed_classes import with_changed_classes
from .parsing.noun import conjunction, disjunction

Read = Callable[[str, Collection[str]], tuple[Request, tuple[str, ...]]]

__all__ = ["Ask", "Courtesy", "GoTo", "Like", "Meaning", "Undo", "Why", "understand"]

MAX_CHARS = 1000


def understand(text: str, setting: Setting, *, read: Read = read) -> Meaning:
    """What a line means in a conversation.

    Args:
        text: what the user said.
        setting: images and answered turns.
        read: the condition parser in use; gives the request, and what was said besides.

    Raises:
        QueryError: words that were not understood, with their place.

    Example:
        >>> planes, _ = read("planes")
        >>> setting = Setting(("a.jpg",), 1, (Known(1, 1, planes, kept=("plane-1", "plane-2")),))
        >>> words(understand("of those, the longer than 50 m", setting).request)
        'detect all planes longer than 50 m'
    """
    if not text.strip():
        raise refused("nothing was said; ask e.g. 'planes longer than 40 m'", text)
    if len(text) > MAX_CHARS:
        raise refused(f"the line has {len(text)} characters; at most {MAX_CHARS} are read. Split it into several", text)
    reader = _Reader(text, setting, read)
    try:
        meaning = reader.meaning()
    except QueryError as error:
        raise QueryError(reader.stand_ins.in_words(str(error)), text, error.spans) from None
    except UsageError as error:
        raise refused(reader.stand_ins.in_words(str(error)), text) from None
    return replace(meaning, notes=noted(reader.asides)) if isinstance(meaning, Ask) else meaning


class _Reader(Swaps):
    """One line on its way to a meaning."""

    def __init__(self, text: str, setting: Setting, read: Read) -> None:
        self.text = text
        self.setting = setting
        self.read = read
        self.asides: tuple[str, ...] = ()
        self.stand_ins = StandIns(text)
        self.noun = self.stand_ins.earlier
        self.last = setting.turns[-1] if setting.turns else None
        self.pointed: Known | None = None  # a turn whose regions the line names
        self.referred: Known | None = None  # the turn that "the others" are of

    # ---- forms, in the order they are tried ----

    def meaning(self) -> Meaning:
        if UNDO.fullmatch(self.text):
            return Undo()
        polite = courtesy(self.text)
        if polite is not None:
            return Courtesy(polite)
        patched = without_courtesy(Patched(self.text).stripped())
        if is_small_talk(patched.text):
            more = "" if self.last is None else " or 'undo'"
            raise patched.refused(f"this asks for nothing; say e.g. 'planes'{more}")
        why = read_why(patched, self.setting, self.noun, self.parsed, asks_again=self.asks_of_regions())
        found = why or read_like(patched, self.setting)
        if found is not None:
            return found
        patched, dates = take_dates(patched, self.setting)
        if dates is not None:
            return replace(self._read(patched, dates[1]), image=dates[1], before=dates[0])
        patched, several = (patched, ()) if speaks_of_dates(patched.text) else take_images(patched, self.setting)
        if several:
            return self._everywhere(patched, several)
        patched, image, preposition = self._image_named(patched)
        if image is not None and GOING.fullmatch(patched.text) and not (preposition and not patched.text):
            return GoTo(image)
        return self._read(patched, image)

    def _image_named(self, patched: Patched) -> tuple[Patched, int | None, bool]:
        """As `take_image`; "the first image" of a line about changes is the earlier date, not image 1."""
        rest, image, preposition = take_image(patched, self.setting)
        gone = set(patched.text.lower().split()) - set(rest.text.lower().split())
        if image is not None and speaks_of_dates(patched.text) and gone & {"first", "second", "last", "other"}:
            return patched, None, False
        return rest, image, preposition

    def _everywhere(self, patched: Patched, images: tuple[int, ...]) -> Ask:
        """The same of each of several images."""
        again = AGAIN.fullmatch(patched.text) is not None or GOING.fullmatch(patched.text) is not None
        if again and self.last is None:
            raise refused(
                "nothing was asked yet that could be asked of them; ask e.g. 'planes in both images'", self.text
            )
        ask = self._again(images[-1]) if again else self._read(patched, images[-1])
        source = self.pointed or self.last
        if source is not None:
            for image in images:
                self._check_ids(ask.request, source.image, image)
        return replace(ask, image=images[0], also_on=images[1:])

    def _read(self, patched: Patched, image: int | None) -> Ask:
        again = AGAIN.fullmatch(patched.text) is not None
        if again and (image is not None or (self.last is not None and SAYS_AGAIN.search(patched.text))):
            return self._again(image or self.setting.current)
        patched = not_removed(patched, self.setting)
        patched, self.referred = take_others(patched, self.setting, self.stand_ins)
        patched, more = self.more(patched)
        found = self.added(patched, image) if more else None
        return found or self.which_ones(patched, image) or self.swap(patched, image) or self._request(patched, image)

    def _again(self, image: int) -> Ask:
        """The last request once more, on that image."""
        if self.last is None:
            raise refused("nothing was asked yet that could be asked of it; ask for something first", self.text)
        self._check_ids(self.last.request, self.last.image, image)
        return Ask(self.last.request, image, self.last.number, self.last.about)

    def _request(self, patched: Patched, image: int | None) -> Ask:
        """A new request, or one about what was answered."""
        refuse_unknown_id(patched, self.setting)
        if self.last is not None and (found := ONE_OF.search(patched.text)):
            self.one_set(patched, self.last)
            where = self.where(self.last, image)
            some = [f"'{each}{where}'" for each in ("the largest of them", *self.last.ids[:1])]
            advice = f"which one of them? Say {' or '.join(some)}"
            raise patched.refused(advice, found.start(), found.end())
        counts, lists = HOW_MANY.fullmatch(patched.text), WHAT_IS_LEFT.fullmatch(patched.text)
        if self.last is not None and (counts or lists):
            target = self.base(patched, self._talked_of("those"), image)
            output = Output(verb="count" if counts else "detect", target=target)
            return self.asked(Request(outputs=(output,)), image, self.last)
        if self.last is not None and (it := WHAT_IS_IT.fullmatch(patched.text)):
            patched = patched.cut(it.start("it"), it.end("it")).replaced(0, 0, "describe ")
        patched = take_boxes(patched, self.stand_ins)
        patched, self.pointed = take_regions(patched, self.setting, self.stand_ins)
        if self.last is not None and HOW_FAR.fullmatch(patched.text):
            return self._followed_up(patched, image, self._talked_of(patched.text), None)
        near = WHAT_NEAR.fullmatch(patched.text)
        if near is not None:
            patched = patched.replaced(0, near.start("where"), "objects ")
        visual = visual_request(patched, self.stand_ins)
        if visual is not None:
            return self.asked(put_in(visual, self.stand_ins.meanings), image, None)
        lead = OF_THOSE.match(patched.text)
        if lead is not None:
            patched, turn = after_lead(patched, lead, self.setting)
            turn = turn if lead["noun"] else self._talked_of(lead[0])
            return self._followed_up(patched, image, turn, None)
        ranked = self.is_it_the(patched, image)
        if ranked is not None:
            return ranked
        patched, meant = take_demonstratives(patched, self.setting, self.noun, self.parsed)
        if meant is not None:
            return self._followed_up(patched, image, meant, None)
        if self.last is not None and DESCRIBE_THAT.fullmatch(patched.text):
            return self._followed_up(patched, image, self._talked_of(patched.text), None)
        try:
            request = self.parsed(patched)
        except QueryError as error:
            if self.last is None:
                raise self._nothing_before(patched, error) from None
            turn = self._talked_of(patched.text)
            return self._followed_up(patched, image, turn, error, only=ONLY.search(patched.text) is not None)
        if (kept := self._only_those(request, patched, image)) is not None:
            return kept
        if self.referred is not None and not begins_request(bare(patched).text):
            before = self.referred.request.outputs[0]
            request = Request(outputs=tuple(with_verb(output, before, keep=False) for output in request.outputs))
        request, about = self._settled(request, patched.text, self.stand_ins.meanings)
        return self.asked(request, image, self.referred, about)

    def _only_those(self, request: Request, patched: Patched, image: int | None) -> Ask | None:
        """ "only the planes" of planes and vehicles longer than 30 m: those planes; None for another class."""
        if self.last is None or len(request.outputs) != 1 or not ONLY_THE.match(patched.text):
            return None
        own, sets = request.outputs[0].target, self.last.sets
        if len(sets) != 1 or not set(own.phrases) <= set(sets[0].phrases) or sets[0] == own:
            return None
        base = self.base(patched, self.last, image)
        named: list[Condition] = [ClassIs(phrase=name) for name in own.phrases]
        apart = any(isinstance(node, ClassIs) for node in walk(base)) or bool(base.picks)
        one = [disjunction(named)] if apart and len(base.phrases) > len(own.phrases) else []
        base = base if apart else base.model_copy(update={"phrases": own.phrases})
        further = Selection(phrases=(self.noun,), where=conjunction([*one, *conjuncts(own.where)]), picks=own.picks)
        wanted = Request(outputs=(request.outputs[0].model_copy(update={"target": further}),))
        meanings = {**self.stand_ins.meanings, self.noun: base}
        settled, about = self._settled(wanted, patched.text, meanings)
        return self.asked(settled, image, self.last, about)

    def _talked_of(self, text: str) -> Known:
        """The turn whose set a line is about: "they" is not the one thing that was asked about last."""
        assert self.last is not None
        sets = self.last.sets
        plural_said = MANY.search(text) or ONES.search(text)
        if len(sets) != 1 or not is_single(sets[0]) or not plural_said or SINGLE.search(text):
            return self.last
        for turn in reversed(self.setting.turns[:-1]):
            many = len(turn.sets) == 1 and not is_single(turn.sets[0])
            alike = set(turn.sets[0].phrases) & set(sets[0].phrases) or set(turn.ids) & set(self.last.ids)
            if many and turn.image == self.last.image and alike:
                return turn
        return self.last

    def _nothing_before(self, patched: Patched, error: QueryError) -> QueryError:
        """The error of a first request; where it refers back, that there is nothing yet."""
        for pattern in (MANY, SINGLE, ONES):
            match = pattern.search(patched.text)
            if match and re.search(r"stands for nothing|'(?:those|these)'", str(error)):
                return patched.refused(
                    f"{match[0]!r} refers to an answer, and nothing was answered yet; name the thing",
                    match.start(), match.end(),
                )  # fmt: skip
        return error

    def _followed_up(
        self, patched: Patched, image: int | None, turn: Known, trouble: QueryError | None, *, only: bool = False
    ) -> Ask:
        """The first reading in which the set of the turn has its place; else the error that got furthest."""
        errors = [] if trouble is None else [trouble]
        found_one = turn.about is not None and len(turn.kept) == 1 and not (len(turn.ids) == 1 or is_single(turn.about))
        if found_one and SINGLE.search(patched.text):  # "are any of them red? describe it"
            turn = replace(turn, about=None)
        single = turn.about is not None and is_single(turn.about)
        removes = EXCEPT.match(bare(patched).text) is not None
        if removes and not turn.lists:  # "describe the second one", "remove it": from the list that it is in
            turn = self.setting.listing
        if SINGLE.search(patched.text) and MANY.search(patched.text):
            patched = self._told_apart(patched, turn)
        patched = completed(patched, turn, self.stand_ins)
        if (both := BOTH.search(patched.text)) and len(turn.ids) != 2:
            told = f"{both[0]!r} of what? The last answer holds {len(turn.ids)}; name the things"
            raise patched.refused(told, both.start(), both.end())
        where = self.where(turn, image)
        pointing = with_pronouns(patched, self.noun, turn.ids, single=single, where=where)
        for candidate in (pointing, *readings_on(pointing, self.noun)):
            try:
                request = self.parsed(candidate)
            except QueryError as error:
                errors.append(error)
                continue
            if not uses(request, self.noun):
                continue
            base = self.base(patched, turn, image)
            if any(output.target.phrases == (self.noun,) and output.target.picks for output in request.outputs):
                base = base if SINGLE.search(patched.text) else widened(base)
            base = widened(base) if removes else base
            if AND_THE.match(patched.text):  # "and the two smallest": of all, beside the two largest
                base = base.model_copy(update={"picks": ()})
            if not begins_request(bare(pointing).text) and len(turn.request.outputs) == 1:
                before = turn.request.outputs[0]
                keep = only or (turn.is_question and AND.fullmatch(patched.text) is not None)
                request = Request(outputs=tuple(with_verb(output, before, keep=keep) for output in request.outputs))
            meanings = {**self.stand_ins.meanings, self.noun: base}
            try:
                request, about = self._settled(request, candidate.text, meanings)
            except UsageError:
                instead = self.replaced_instead(patched, image)
                if instead is None:
                    raise
                return instead
            return self.asked(request, image, turn, about)
        if not errors:
            raise patched.refused("did not understand this about the last answer; say e.g. 'of those, the red ones'")
        raise max(errors, key=lambda error: error.spans[0][0] if error.spans else -1)

    def _told_apart(self, patched: Patched, turn: Known) -> Patched:
        """The text with "them" beside "it" as the other set: what "it" was related to, or the several before.

        Raises:
            QueryError: there is no one such set.
        """
        related = [
            node.reference
            for node in walk(turn.request)
            if isinstance(node, Relation) and node.reference is not None and not is_single(node.reference)
        ]
        earlier = [each.sets[0] for each in self.setting.turns if len(each.sets) == 1 and not is_single(each.sets[0])]
        found = related if len(related) == 1 else earlier[-1:]
        if not found or found[0] in turn.sets:
            match = MANY.search(patched.text)
            assert match is not None
            raise patched.refused(
                f"which are {match[0]!r} beside 'it'? Name one of the two", match.start(), match.end()
            )
        noun = self.stand_ins.noun(found[0], words(found[0]))
        return patched.sub(MANY, lambda _: f"the {plural(noun)}")

    # ---- results ----

    def _nouns(self) -> tuple[str, ...]:
        return (self.noun, *self.stand_ins.meanings)

    def parsed(self, patched: Patched) -> Request:
        """The grammar's reading. Raises QueryError with the places of the original."""
        try:
            request, asides = self.read(patched.text, self._nouns())
        except QueryError as error:
            spans = [patched.source(start, stop) for start, stop in error.spans if not patched.is_inserted(start, stop)]
            message = self.stand_ins.in_words(str(error))
            raise QueryError(message, self.text, [span for span in spans if span[0] < span[1]]) from None
        places = [(patched.text.find(aside), len(aside)) for aside in asides]
        sources = [patched.source(start, start + size) for start, size in places]
        self.asides = tuple(self.text[start:stop] for start, stop in sources)
        for phrase in phrases_in(request):
            if self.noun in phrase and phrase not in (self.noun, *self.stand_ins.meanings):  # read as part of a name
                shown = self.stand_ins.in_words(re.sub(rf"\b({self.noun}\w*)\b", r"the \1", phrase))
                raise QueryError(f"did not understand {shown!r}: a region, a box or 'those' stands alone", self.text)
        return request

    def _settled(self, request: Request, text: str, meanings: dict[str, Selection]) -> tuple[Request, Selection | None]:
        """A request with the sets in the place of stand-ins, and the set that is talked about after it."""
        subject = subject_of(text, request, lambda line: self.read(line, self._nouns())[0])
        check = check_of(request, subject)
        if check is None:
            return put_in(request, meanings), None if subject is None else put_into(subject, meanings)
        settled = replace(check, subject=put_into(check.subject, meanings), asked=put_into(check.asked, meanings))
        return put_in(settled.request(), meanings), settled.subject

    def asked(self, request: Request, image: int | None, turn: Known | None, about: Selection | None = None) -> Ask:
        """The request on the image it is about: the one named, else that of the turn or the regions it refers to."""
        request = with_changed_classes(request, self.text)
        source = turn or self.pointed
        if source is None:
            return Ask(request, image or self.setting.current, None, about)
        self.check_image(source, image)
        chosen = image or source.image
        self._check_ids(request, (self.pointed or source).image, chosen)
        return Ask(request, chosen, None if turn is None else turn.number, about)

    def _check_ids(self, request: Request, of: int, image: int) -> None:
        """Raises QueryError when regions of one image would be looked for in another."""
        ids = [name for node in walk(request) if isinstance(node, Among) for name in node.ids]
        if ids and of != image:
            raise refused(f"{', '.join(ids[:3])} are regions of image {of}, not of image {image}", self.text)
