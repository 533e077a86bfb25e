"""What a line of a conversation means: a new request, an edit of an earlier one, or a question about an answer.

Deterministic. The words that point into the conversation ("those", "plane-3", "[100, 200, 300, 400]", "in image 2")
give way to stand-in nouns, the condition parser reads the rest as it reads any request, and the sets they stand for are
put into the tree. So whatever can be asked of "planes" can be asked of "those". Forms without a noun ("only the
red", "longer than 50 m") are tried on the set of the last answer. What cannot be read is an error that shows the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..core.conditions import Among, Output, Request, Selection, walk
from ..core.errors import QueryError, UsageError
from ..core.wording import words
from .followup_edits import distinct_targets, phrases_in, put_in, replaced, swapped, uses, with_verb
from .followup_mentions import (
    Known,
    Setting,
    StandIns,
    mention_patterns,
    mentioned,
    refuse_unknown_id,
    take_boxes,
    take_image,
)
from .followup_patterns import (
    ABOUT,
    AGAIN,
    ALSO,
    AND,
    DESCRIBE_THAT,
    FATE,
    GOING,
    LIKE,
    MANY,
    OF_THOSE,
    ONE_OF,
    ONES,
    ONLY,
    OTHERS,
    SAME_FOR,
    SAYS_AGAIN,
    SINGLE,
    SMALL_TALK,
    UNDO,
    WHAT_ABOUT,
    WHAT_ELSE,
    WHY,
    WHY_ALL,
)
from .followup_pointing import after_lead, take_demonstratives, take_regions, visual_request
from .followup_readings import bare, begins_request, readings_on, with_ones, with_pronouns
from .followup_text import Patched, refused
from .parser import parse

Parse = Callable[[str], Request]


@dataclass(frozen=True)
class Ask:
    """A request to run on an image (its number). `edits` is the turn it builds on, None for an independent one."""

    request: Request
    image: int
    edits: int | None = None


@dataclass(frozen=True)
class Why:
    """Why these regions are in that turn's answer or not; no ids: why the answer is what it is."""

    turn: int
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Like:
    """What else is like this region of that turn."""

    turn: int
    id: str


@dataclass(frozen=True)
class Undo:
    """Forget the last answer."""


@dataclass(frozen=True)
class GoTo:
    """New requests are about this image from now on."""

    image: int


Meaning = Ask | Why | Like | Undo | GoTo

MAX_CHARS = 1000


def understand(text: str, setting: Setting, *, parse: Parse = parse) -> Meaning:
    """What a line means in a conversation.

    Args:
        text: what the user said.
        setting: images and answered turns.
        parse: the condition parser in use.

    Raises:
        QueryError: words that were not understood, with their place.

    Example:
        >>> planes = parse("planes")
        >>> setting = Setting(("a.jpg",), 1, (Known(1, 1, planes, kept=("plane-1", "plane-2")),))
        >>> words(understand("of those, the longer than 50 m", setting).request)
        'detect all planes longer than 50 m'
    """
    if not text.strip():
        raise refused("nothing was said; ask e.g. 'planes longer than 40 m'", text)
    if len(text) > MAX_CHARS:
        raise refused(f"the line has {len(text)} characters; at most {MAX_CHARS} are read. Split it into several", text)
    reader = _Reader(text, setting, parse)
    try:
        return reader.meaning()
    except QueryError as error:
        raise QueryError(reader.stand_ins.in_words(str(error)), text, error.spans) from None
    except UsageError as error:
        raise refused(reader.stand_ins.in_words(str(error)), text) from None


class _Reader:
    """One line on its way to a meaning."""

    def __init__(self, text: str, setting: Setting, parse: Parse) -> None:
        self.text = text
        self.setting = setting
        self.parse = parse
        self.stand_ins = StandIns(text)
        self.noun = self.stand_ins.earlier
        self.last = setting.turns[-1] if setting.turns else None
        self.pointed: Known | None = None  # a turn whose regions the line names

    # ---- forms, in the order they are tried ----

    def meaning(self) -> Meaning:
        if UNDO.fullmatch(self.text):
            return Undo()
        patched = Patched(self.text).stripped()
        if SMALL_TALK.fullmatch(patched.text):
            raise patched.refused("this asks for nothing; say e.g. 'planes', 'of those, the longest' or 'undo'")
        found = self._why(patched) or self._like(patched)
        if found is not None:
            return found
        patched, image, preposition = take_image(patched, self.setting)
        if image is not None and GOING.fullmatch(patched.text) and not (preposition and not patched.text):
            return GoTo(image)
        again = AGAIN.fullmatch(patched.text) is not None
        if again and (image is not None or (self.last is not None and SAYS_AGAIN.search(patched.text))):
            return self._again(image or self.setting.current)
        return self._swap(patched, image) or self._request(patched, image)

    def _why(self, patched: Patched) -> Why | None:
        """ "why plane-4?", "why not the third one?", "what about plane-4?", "why?"."""
        match = WHY.fullmatch(patched.text)
        about = match or ABOUT.fullmatch(patched.text)
        if about is None:
            return None
        rest = patched.cut(about.start(1))
        if match is None and not self._is_mention(rest):
            return None
        if self.last is None:
            raise patched.refused("nothing was answered yet, so there is nothing to explain; ask for something first")
        refuse_unknown_id(rest, self.setting)
        if match is not None and WHY_ALL.fullmatch(rest.text):
            one = SINGLE.search(rest.text) and len(self.last.kept) == 1
            return Why(self.last.number, self.last.kept if one else ())
        mention = mention_patterns(self.setting).search(rest.text)
        if mention is None:
            raise patched.refused("why which one? Say 'why plane-4?', 'why not the third one?' or 'why region 4?'")
        found = mentioned(mention, rest, self.setting, whole_list=True)
        for part in (rest.cut(0, mention.start()).stripped(), rest.cut(mention.end()).stripped()):
            if part.text and not FATE.fullmatch(part.text):
                raise part.refused(f"did not understand {part.text!r} here; say 'why {found.ids[0]}?'")
        return Why(found.turn.number, found.ids)

    def _is_mention(self, patched: Patched) -> bool:
        pattern = mention_patterns(self.setting)
        return self.last is not None and pattern.fullmatch(patched.stripped(" \t\n,?!.").text) is not None

    def _like(self, patched: Patched) -> Like | None:
        """ "what else is like plane-3?", "what else like this?"."""
        match = LIKE.fullmatch(patched.text) or WHAT_ELSE.fullmatch(patched.text)
        if match is None:
            return None
        rest = patched.cut(match.start("rest"), match.end("rest"))
        if self.last is None:
            raise patched.refused("nothing was answered yet, so there is nothing to compare with; ask for something")
        refuse_unknown_id(rest, self.setting)
        if not rest.text or SINGLE.fullmatch(rest.text) or MANY.fullmatch(rest.text):
            if len(self.last.kept) != 1:
                some = ", ".join(self.last.kept[:4]) or "nothing"
                raise patched.refused(
                    f"like which one? The last answer holds {some}; say 'what else is like …' with an id"
                )
            return Like(self.last.number, self.last.kept[0])
        mention = mention_patterns(self.setting).fullmatch(rest.text)
        if mention is None:
            raise rest.refused("like which region? Say 'what else is like plane-3?', with the id of a region")
        found = mentioned(mention, rest, self.setting)
        if len(found.ids) > 1:
            raise rest.refused("like which of them? Say one")
        return Like(found.turn.number, found.ids[0])

    def _again(self, image: int) -> Ask:
        """The last request once more, on that image."""
        if self.last is None:
            raise refused("nothing was asked yet that could be asked of it; ask for something first", self.text)
        self._check_ids(self.last.request, self.last.image, image)
        return Ask(self.last.request, image, self.last.number)

    def _swap(self, patched: Patched, image: int | None) -> Ask | None:
        """ "the same for ships", "what about the red ones?", "and the ships?"."""
        match = SAME_FOR.fullmatch(patched.text) or WHAT_ABOUT.fullmatch(patched.text) or AND.fullmatch(patched.text)
        if match is None or (match.re is AND and (self.last is None or begins_request(match["rest"]))):
            return None
        if self.last is None:
            raise patched.refused("nothing was asked yet that could be asked of others; ask for something first")
        rest = take_boxes(patched.cut(match.start("rest"), match.end("rest")).stripped(" ,;?!."), self.stand_ins)
        base = self._base(patched, self.last)
        new = self._noun_phrase(with_ones(rest, self.noun))
        if self.noun in new.phrases:
            target = replaced(base, new, base.phrases)
        else:
            alone = Request(outputs=(Output(verb="detect", target=new),))
            settled = put_in(alone, {**self.stand_ins.meanings, self.noun: base}).outputs[0].target
            target = replaced(base, settled, new.phrases)
        return self._asked(swapped(self.last.request, base, target), image, self.last)

    def _noun_phrase(self, patched: Patched) -> Selection:
        for candidate in (patched, *readings_on(patched, self.noun)):
            try:
                request = self._parsed(candidate)
            except QueryError:
                continue
            if len(request.outputs) == 1 and request.outputs[0].verb == "detect":
                return request.outputs[0].target
        request = self._parsed(patched)
        raise patched.refused(f"{words(request)!r} is a request of its own; name a thing, as in 'the same for ships'")

    def _request(self, patched: Patched, image: int | None) -> Ask:
        """A new request, or one about what was answered."""
        refuse_unknown_id(patched, self.setting)
        also = ALSO.match(patched.text)
        if self.last is not None and also is not None and not begins_request(patched.text[also.end() :]):
            advice = "adding to a set is not understood; ask for both at once: 'planes and ships'"
            raise patched.refused(advice, 0, also.end())
        for form, advice in (
            (OTHERS, "which others? Say what they are, e.g. 'planes except the largest'"),
            (ONE_OF, "which one of them? Say 'the first one', 'the largest of them' or an id"),
        ):
            if self.last is not None and (found := form.search(patched.text)):
                raise patched.refused(advice, found.start(), found.end())
        patched = take_boxes(patched, self.stand_ins)
        patched, self.pointed = take_regions(patched, self.setting, self.stand_ins)
        visual = visual_request(patched, self.stand_ins)
        if visual is not None:
            return self._asked(put_in(visual, self.stand_ins.meanings), image, None)
        lead = OF_THOSE.match(patched.text)
        if lead is not None:
            patched, turn = after_lead(patched, lead, self.setting)
            return self._followed_up(patched, image, turn, None)
        patched, meant = take_demonstratives(patched, self.setting, self.noun, self._parsed)
        if meant is not None:
            return self._followed_up(patched, image, meant, None)
        if self.last is not None and DESCRIBE_THAT.fullmatch(patched.text):
            return self._followed_up(patched, image, self.last, None)
        try:
            return self._asked(put_in(self._parsed(patched), self.stand_ins.meanings), image, None)
        except QueryError as error:
            if self.last is None:
                raise self._nothing_before(patched, error) from None
            return self._followed_up(patched, image, self.last, error, only=ONLY.search(patched.text) is not None)

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
        pointing = with_pronouns(patched, self.noun, turn.kept)
        for candidate in (pointing, *readings_on(pointing, self.noun)):
            try:
                request = self._parsed(candidate)
            except QueryError as error:
                errors.append(error)
                continue
            if not uses(request, self.noun):
                continue
            base = self._base(patched, turn)
            if not begins_request(bare(pointing).text) and len(turn.request.outputs) == 1:
                before = turn.request.outputs[0]
                request = Request(outputs=tuple(with_verb(output, before, keep=only) for output in request.outputs))
            return self._asked(put_in(request, {**self.stand_ins.meanings, self.noun: base}), image, turn)
        if not errors:
            raise patched.refused("did not understand this about the last answer; say e.g. 'of those, the red ones'")
        raise max(errors, key=lambda error: error.spans[0][0] if error.spans else -1)

    # ---- results ----

    def _parsed(self, patched: Patched) -> Request:
        """The grammar's reading. Raises QueryError with the places of the original."""
        try:
            request = self.parse(patched.text)
        except QueryError as error:
            spans = [patched.source(start, stop) for start, stop in error.spans if not patched.is_inserted(start, stop)]
            message = self.stand_ins.in_words(str(error))
            raise QueryError(message, self.text, [span for span in spans if span[0] < span[1]]) from None
        for phrase in phrases_in(request):
            if self.noun in phrase and phrase not in (self.noun, *self.stand_ins.meanings):  # read as part of a name
                shown = self.stand_ins.in_words(re.sub(rf"\b({self.noun}\w*)\b", r"the \1", phrase))
                raise QueryError(f"did not understand {shown!r}: a region, a box or 'those' stands alone", self.text)
        return request

    def _base(self, patched: Patched, turn: Known) -> Selection:
        """The one set of a turn. Raises QueryError when there are several."""
        found = distinct_targets(turn.request)
        if len(found) > 1:
            listed = " or ".join(repr(words(each)) for each in found)
            raise patched.refused(f"this could be about {listed}; name the thing")
        return found[0]

    def _asked(self, request: Request, image: int | None, turn: Known | None) -> Ask:
        """The request on the image it is about: the one named, else that of the turn or the regions it refers to."""
        about = turn or self.pointed
        if about is None:
            return Ask(request, image or self.setting.current)
        if image is None and about.image != self.setting.current:
            old, new = (f"image {n} ({self.setting.images[n - 1]})" for n in (about.image, self.setting.current))
            raise refused(
                f"this refers to {old}, and {new} is in use; add 'in image {about.image}' or "
                f"'in image {self.setting.current}'",
                self.text,
            )
        chosen = image or about.image
        self._check_ids(request, (self.pointed or about).image, chosen)
        return Ask(request, chosen, None if turn is None else turn.number)

    def _check_ids(self, request: Request, of: int, image: int) -> None:
        """Raises QueryError when regions of one image would be looked for in another."""
        ids = [name for node in walk(request) if isinstance(node, Among) for name in node.ids]
        if ids and of != image:
            raise refused(f"{', '.join(ids[:3])} are regions of image {of}, not of image {image}", self.text)
