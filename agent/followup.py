"""What a line of a conversation means: a new request, an edit of an earlier one, or a question about an answer.

Deterministic. The words that point into the conversation ("those", "plane-3", "[100, 200, 300, 400]", "in image 2")
give way to stand-in nouns, the condition parser reads the rest as it reads any request, and the sets they stand for are
put into the tree. So whatever can be asked of "planes" can be asked of "those". Forms without a noun ("only the
red", "longer than 50 m") are tried on the set of the last answer. What cannot be read is an error that shows the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..core.conditions import Output, Relation, Request, Selection
from ..core.errors import QueryError, UsageError
from ..core.inflection import plural
from ..core.wording import words
from .followup_edits import distinct_targets, narrowed, put_in, replaced, swapped, uses, with_verb
from .followup_mentions import (
    IMAGE_NOUN,
    Known,
    Regions,
    Setting,
    StandIns,
    mention_patterns,
    mentioned,
    refuse_unknown_id,
    take_boxes,
    take_image,
)
from .followup_text import Patched, refused
from .parser import parse
from .parsing.tokens import tokenize
from .parsing.verbs import VERBS

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

_UNDO = re.compile(r"\s*(?:please\s+)?(?:undo|go\s+back|(?:undo|take\s+back)\s+(?:that|it|this|the\s+last(?:\s+(?:one|turn|answer|question|step))?)|take\s+(?:that|it)\s+back|forget\s+(?:that|it|the\s+last(?:\s+one)?))\s*[.!]*\s*", re.I)  # fmt: skip  # noqa: E501
_WHY = re.compile(r"\s*(?:and\s+|but\s+|so\s+)?(?:why|how\s+come|explain)\b(.*)", re.I | re.S)
_FATE = re.compile(r"(?:\s*(?:is|are|was|were|isn't|isn’t|aren't|wasn't|weren't|did\s+you|do\s+you|didn't\s+you|not|n't|it|they|also|in|the|answer|list|result|results|there|here|kept|keep|dropped|drop|rejected|reject|included|include|excluded|exclude|left|leave|out|missing|chosen|choose|selected|select|undecided|unknown|found|and|or|one|ones|,|\?|!|\.)(?!\w))+\s*", re.I)  # fmt: skip  # noqa: E501
_WHY_ALL = re.compile(r"[\s?!.]*(?:(?:is|are)\s+(?:there\s+)?)?(?:not|none|nothing|no|so\s+few|so\s+many|only\s+\w+|that|this|it|empty|unknown)?[\s?!.]*", re.I)  # fmt: skip  # noqa: E501
_LIKE = re.compile(r"\s*(?:and\s+|now\s+)?(?P<head>(?:what|which|who|find|show|list|is|are|there|anything|everything|something|all|any|else|other|others|more|things?|objects?|ones?|looks?|that|me|please|of|the|do|does|\s)+?)\b(?:just\s+)?(?:like|similar\s+to|resembl(?:es?|ing)|the\s+same\s+as)\s+(?P<rest>.+?)\s*[?.!]*\s*", re.I | re.S)  # fmt: skip  # noqa: E501
_GO = re.compile(rf"\s*(?:please\s+)?(?:now\s+)?(?:(?:switch|go|change|move|turn)(?:\s+over)?\s+to|use|take|open|look\s+at)?\s*(?=.*(?:{IMAGE_NOUN}|\.))", re.I)  # fmt: skip  # noqa: E501
_AGAIN = re.compile(r"\s*(?:(?:and|now|then|but|also|so|do|ask|run|try|please|ok)\b[\s,]*)*(?:(?:what|how)\s+about\s*)?(?:the\s+)?(?:same(?:\s+(?:thing|question|request|again))?|that|it|again|repeat(?:\s+that)?)?(?:\s+again)?[\s?.!,]*", re.I)  # fmt: skip  # noqa: E501
_SAME_FOR = re.compile(r"\s*(?:(?:and|now|then|do|ask|please|but)\s+)*(?:the\s+)?same(?:\s+(?:thing|question|request))?\s+(?:for|with|of|about|on)\s+(?P<rest>.+)", re.I | re.S)  # fmt: skip  # noqa: E501
_WHAT_ABOUT = re.compile(r"\s*(?:(?:and|but|so|now|ok|okay)[\s,]+)*(?:what|how)\s+about\s+(?P<rest>.+)", re.I | re.S)
_AND = re.compile(r"\s*and\s+(?P<rest>(?:the\s+|an?\s+)?[^?]+?)\s*\?\s*", re.I | re.S)
_OF_THOSE = re.compile(r"\s*(?:(?:and|now|then|but|so|ok|okay)[\s,]+)*(?:(?:only|just)\s+)?(?:out\s+of|of|among|amongst|from|in)\s+(?:(?:all\s+)?(?:of\s+)?(?:those|these|them)(?P<noun>\s+[\w -]{1,40}?)?|the\s+(?:last|earlier|previous)\s+(?:ones|answer|result|results))\s*,\s*", re.I)  # fmt: skip  # noqa: E501
_LEAD = re.compile(r"\s*(?:(?:and|now|then|but|so|no|ok|okay|well|yes|also|only|just|rather|instead)\b[\s,]*)+", re.I)
_ONLY = re.compile(r"\b(?:only|just)\b", re.I)
_ALSO = re.compile(r"\s*(?:and\s+|now\s+)?(?:also|add|plus)\b", re.I)
_WHAT_AT = re.compile(r"\s*what(?:\s+is|'s|’s|\s+are)?\s*(?:there\s+)?(?P<where>at|in|inside|within|under)\s+(?P<noun>the\s+\w+)[\s?.!]*", re.I)  # fmt: skip  # noqa: E501
_WHAT_IS = re.compile(r"\s*(?:what|who)(?:\s+is|'s|’s|\s+are)\s+(?P<noun>the\s+\w+)[\s?.!]*", re.I)
_DESCRIBE = re.compile(r"\s*(?:describe|tell\s+me\s+about)\s+(?P<noun>the\s+\w+)[\s?.!]*", re.I)
_MANY = re.compile(r"\b(?:them|those|these|they)\b", re.I)
_THEIR = re.compile(r"\b(their|its)\s+(?=\w)", re.I)
_SINGLE = re.compile(r"\b(?:it|(?:this|that)\s+(?:one|region|object)|(?:this|that)(?=\s*(?:$|[?.!,])))\b", re.I)
_ONES = re.compile(r"\bones\b", re.I)
_ONE = re.compile(r"(?<=\s)one\b(?!\s+(?:of\s+(?!the\s|them|those|these)|or\s+more|more))", re.I)
_BEFORE_ONE = re.compile(
    r"(?:\b(?:the|which|what|a|an|any|each|every|there|another|\d+(?:st|nd|rd|th)|second|third|fourth|fifth|last)|est|most|ed|"
    r"\b(?:red|orange|yellow|green|blue|purple|brown|white|gr[ea]y|black|large|small|big))\s$",
    re.I,
)
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
        self.last = setting.turns[-1] if setting.turns else None

    # ---- forms, in the order they are tried ----

    def meaning(self) -> Meaning:
        if _UNDO.fullmatch(self.text):
            return Undo()
        patched = Patched(self.text).stripped()
        found = self._why(patched) or self._like(patched)
        if found is not None:
            return found
        patched, image, preposition = take_image(patched, self.setting)
        if image is not None:
            go = _GO.match(self.text)
            bare = not patched.text or re.fullmatch(r"(?:now|then|please|\W)*", patched.text, re.I)
            if (bare and not preposition) or (go and re.fullmatch(r"(?:please\s+)?(?:now\s+)?(?:(?:switch|go|change|move|turn)(?:\s+over)?(?:\s+to)?|use|take|open|look(?:\s+at)?)\W*", patched.text, re.I)):  # fmt: skip  # noqa: E501
                return GoTo(image)
            if _AGAIN.fullmatch(patched.text):
                return self._again(patched, image)
        elif self.last is not None and re.search(r"\b(?:same|again|repeat)\b", patched.text, re.I) and _AGAIN.fullmatch(patched.text):  # fmt: skip  # noqa: E501
            return self._again(patched, self.setting.current)
        return self._swap(patched, image) or self._request(patched, image)

    def _why(self, patched: Patched) -> Why | None:
        match = _WHY.fullmatch(patched.text)
        about = match or re.fullmatch(r"\s*(?:and\s+)?(?:what|how)\s+about(.*)", patched.text, re.I | re.S)
        if about is None:
            return None
        rest = patched.cut(about.start(1))
        if match is None and not self._is_mention(rest):
            return None
        if self.last is None:
            raise patched.refused("nothing was answered yet, so there is nothing to explain; ask for something first")
        refuse_unknown_id(rest, self.setting)
        if match is not None and _WHY_ALL.fullmatch(rest.text):
            one = _SINGLE.search(rest.text) and len(self.last.kept) == 1
            return Why(self.last.number, self.last.kept if one else ())
        mention = mention_patterns(self.setting).search(rest.text)
        if mention is None:
            raise patched.refused("why which one? Say 'why plane-4?', 'why not the third one?' or 'why region 4?'")
        found = mentioned(mention, rest, self.setting, whole_list=True)
        for start, stop in ((0, mention.start()), (mention.end(), len(rest.text))):
            part = rest.text[start:stop]
            if part.strip() and not _FATE.fullmatch(part):
                raise (
                    rest.cut(start, stop)
                    .stripped()
                    .refused(f"did not understand {part.strip()!r} here; say 'why {found.ids[0]}?'")
                )
        return Why(found.turn.number, found.ids)

    def _is_mention(self, patched: Patched) -> bool:
        if self.last is None:
            return False
        return mention_patterns(self.setting).fullmatch(patched.stripped(" \t\n,?!.").text) is not None

    def _like(self, patched: Patched) -> Like | None:
        match = _LIKE.fullmatch(patched.text)
        if match is None and (match := re.fullmatch(r"\s*(?:what|anything)\s+else(?P<rest>)\s*\??\s*", patched.text, re.I)) is None:  # fmt: skip  # noqa: E501
            return None
        rest = patched.cut(match.start("rest"), match.end("rest"))
        if self.last is None:
            raise patched.refused(
                "nothing was answered yet, so there is nothing to compare with; ask for something first"
            )
        refuse_unknown_id(rest, self.setting)
        if not rest.text or re.fullmatch(r"(?:it|this|that|this\s+one|that\s+one|them|these|those)", rest.text, re.I):
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

    def _again(self, patched: Patched, image: int) -> Ask:
        """The last request once more, on that image."""
        if self.last is None:
            raise refused("nothing was asked yet that could be asked of it; ask for something first", self.text)
        self._check_ids(self.last.request, self.last.image, image)
        return Ask(self.last.request, image, self.last.number)

    def _swap(self, patched: Patched, image: int | None) -> Ask | None:
        """ "the same for ships", "what about the red ones?", "and the ships?"."""
        match = _SAME_FOR.fullmatch(patched.text) or _WHAT_ABOUT.fullmatch(patched.text) or _AND.fullmatch(patched.text)
        if match is None or (match.re is _AND and self._verb_ahead(match["rest"])):
            return None
        if self.last is None:
            if match.re is _AND:
                return None
            raise patched.refused("nothing was asked yet that could be asked of others; ask for something first")
        rest = self._with_ones(
            take_boxes(patched.cut(match.start("rest"), match.end("rest")).stripped(" ,;?!."), self.stand_ins)
        )
        base = self._base(patched)
        new = self._noun_phrase(rest)
        if self.stand_ins.earlier in new.phrases:
            target = replaced(base, new, base.phrases)
        else:
            target = replaced(base, self._settled(new), new.phrases)
        request = swapped(self.last.request, base, target)
        return self._asked(request, image, self.last)

    def _settled(self, selection: Selection) -> Selection:
        request = Request(outputs=(Output(verb="detect", target=selection),))
        return put_in(request, self._meanings(selection)).outputs[0].target

    def _noun_phrase(self, patched: Patched) -> Selection:
        for candidate in (patched, *self._on_earlier(patched)):
            try:
                request = self._parsed(candidate)
            except QueryError:
                continue
            if len(request.outputs) == 1 and request.outputs[0].verb == "detect":
                return request.outputs[0].target
        request = self._parsed(patched)
        raise patched.refused(f"{words(request)!r} is a request of its own; name a thing, as in 'the same for ships'")

    def _verb_ahead(self, text: str) -> bool:
        try:
            tokens = tokenize(text)
        except QueryError:
            return False
        first = tokens[0].text if tokens else ""
        return VERBS.match(tokens, 0) is not None or first in (
            "how", "which", "what", "where", "is", "are", "does", "do", "any", "why", "in"
        )  # fmt: skip

    def _request(self, patched: Patched, image: int | None) -> Ask:
        """A new request, or one about what was answered."""
        refuse_unknown_id(patched, self.setting)
        if (
            self.last is not None
            and (also := _ALSO.match(patched.text))
            and not self._verb_ahead(patched.text[also.end() :])
        ):
            raise patched.refused(
                "adding to a set is not understood; ask for both at once: 'planes and ships'", 0, also.end()
            )
        patched = take_boxes(patched, self.stand_ins)
        patched = self._with_regions(patched)
        visual = self._visual(patched)
        if visual is not None:
            return self._asked(put_in(visual, self.stand_ins.meanings), image, None)
        lead = _OF_THOSE.match(patched.text)
        trouble: QueryError | None = None
        if lead is None:
            patched, turn = self._with_demonstratives(patched)
            if turn is None:
                try:
                    return self._new(self._parsed(patched), image)
                except QueryError as error:
                    if self.last is None:
                        raise self._nothing_before(patched, error) from None
                    trouble = error
        else:
            patched, turn = self._after_lead(patched, lead)
        return self._followed_up(patched, image, turn or self.last, trouble, lead is not None)

    def _nothing_before(self, patched: Patched, error: QueryError) -> QueryError:
        """The error of a first request; where it refers back, that there is nothing yet."""
        for pattern in (_MANY, _SINGLE, _ONES):
            match = pattern.search(patched.text)
            if match and re.search(r"stands for nothing|'(?:those|these)'", str(error)):
                return patched.refused(
                    f"{match[0]!r} refers to an answer, and nothing was answered yet; name the thing",
                    match.start(), match.end(),
                )  # fmt: skip
        return error

    # ---- words that point back ----

    def _with_regions(self, patched: Patched) -> Patched:
        """Mentions of regions as stand-ins; several in a row become one set."""
        if self.last is None:
            return patched
        one = mention_patterns(self.setting).pattern
        plain = re.sub(r"\(\?P<\w+>", "(?:", one)
        row = re.compile(rf"(?:{plain})(?:\s*(?:,\s*and|,\s*or|,|\band\b|\bor\b|&)\s*(?:{plain}))*", re.IGNORECASE)
        single = re.compile(one, re.IGNORECASE)

        def put(match: re.Match[str]) -> str:
            inner = patched.cut(match.start(), match.end())
            found = [mentioned(each, inner, self.setting) for each in single.finditer(inner.text)]
            ids = tuple(dict.fromkeys(name for regions in found for name in regions.ids))
            if len({regions.turn.image for regions in found}) > 1:
                raise inner.refused("these regions are of different images; ask for those of one image")
            regions = Regions(ids, found[-1].turn)
            self.pointed = regions.turn
            joint = {**{k: v for r in found for k, v in r.turn.labels.items()}}
            meaning = Regions(ids, Known(regions.turn.number, regions.turn.image, regions.turn.request, labels=joint))
            noun = self.stand_ins.noun(meaning.selection(), match[0].strip())
            self.stand_ins.images[len(self.stand_ins.images)] = noun
            return f"the {plural(noun) if len(ids) > 1 else noun}"

        return patched.sub(row, put)

    pointed: Known | None = None

    def _with_demonstratives(self, patched: Patched) -> tuple[Patched, Known | None]:
        """ "those planes" as a stand-in for the latest set of planes; the turn it is of.

        Raises:
            QueryError: nothing of that name was asked for.
        """
        if self.last is None:
            return patched, None
        for turn in reversed(self.setting.turns):
            forms = [
                (form, phrase)
                for target in distinct_targets(turn.request)
                for phrase in target.phrases
                for form in (plural(phrase), phrase)
            ]
            for form, _ in dict.fromkeys(forms):
                pattern = re.compile(
                    rf"\b(?:those|these|that|this)((?:\s+(?:[\w-]+)){{0,3}}?)\s+{re.escape(form)}\b", re.IGNORECASE
                )
                match = pattern.search(patched.text)
                single = match and match[0].lower().startswith(("that", "this"))
                if not match or (single and match[1].strip()):
                    continue
                noun = self.stand_ins.earlier if single else plural(self.stand_ins.earlier)
                replaced_text = patched.replaced(match.start(), match.end(), f"the{match[1]} {noun}")
                return replaced_text, turn
        match = re.search(r"\b(?:those|these)\b(?!\s*(?:$|[,?.!]|of\b))", patched.text, re.I)
        if match and not re.search(r"(?:than|except|but|not)\s+$", patched.text[: match.start()], re.I):
            with_the = patched.replaced(match.start(), match.end(), "the")
            try:
                self._parsed(with_the)
            except QueryError:
                return patched, None
            raise patched.refused(
                f"{match[0]!r} points at nothing that was asked for before; say 'of those, …' for the last answer, "
                "or 'the …' for all in the image", match.start(), match.end(),
            )  # fmt: skip
        return patched, None

    def _after_lead(self, patched: Patched, lead: re.Match[str]) -> tuple[Patched, Known | None]:
        """What comes after "of those," or "of those planes,", and the turn that is meant."""
        turn = None
        if lead["noun"]:
            noun = lead["noun"].strip().lower()
            for turn in reversed(self.setting.turns):
                if any(noun in (plural(p), p) for t in distinct_targets(turn.request) for p in t.phrases):
                    break
            else:
                raise patched.refused(f"no {noun} were asked for before", lead.start("noun") + 1, lead.end("noun"))
        if self.last is None:
            raise patched.refused(f"{lead[0].strip(' ,')!r} refers to an answer, and nothing was answered yet; name the thing", 0, lead.end())  # fmt: skip  # noqa: E501
        return patched.cut(lead.end()), turn

    def _followed_up(
        self, patched: Patched, image: int | None, turn: Known | None, trouble: QueryError | None, led: bool
    ) -> Ask:
        """The first reading in which the set of the turn has its place; else the error that got furthest."""
        assert turn is not None
        errors = [] if trouble is None else [trouble]
        pointing = self._with_pronouns(patched, turn)
        for candidate in (pointing, *self._on_earlier(pointing)):
            try:
                request = self._parsed(candidate)
            except QueryError as error:
                errors.append(error)
                continue
            if not uses(request, self.stand_ins.earlier) or not self._reads_alone(request):
                continue
            base = self._base(patched, turn)
            if not self._verb_ahead(self._bare(pointing).text) and len(turn.request.outputs) == 1:
                kept = _ONLY.search(patched.text) is not None and not led
                before = turn.request.outputs[0]
                request = Request(outputs=tuple(with_verb(output, before, keep=kept) for output in request.outputs))
            meanings = {**self.stand_ins.meanings, self.stand_ins.earlier: base}
            return self._asked(put_in(request, meanings), image, turn)
        if not errors:
            raise patched.refused("did not understand this about the last answer; say e.g. 'of those, the red ones'")
        raise max(errors, key=lambda error: error.spans[0][0] if error.spans else -1)

    def _reads_alone(self, request: Request) -> bool:
        """Whether the stand-ins were read as nouns of their own, not as part of a longer name."""
        nouns = {self.stand_ins.earlier, *self.stand_ins.meanings}
        return not re.search(
            rf"{self.stand_ins.earlier}", re.sub(rf"'(?:{'|'.join(nouns)})'", "", str(_all_phrases(request)))
        )

    def _with_pronouns(self, patched: Patched, turn: Known) -> Patched:
        one, many = self.stand_ins.earlier, plural(self.stand_ins.earlier)

        def single(match: re.Match[str]) -> str:
            if len(turn.kept) != 1:
                some = ", ".join(turn.kept[:4]) + (" …" if len(turn.kept) > 4 else "")
                which = f"say 'them', or one of {some}" if turn.kept else "the last answer holds nothing"
                raise patched.refused(
                    f"{match[0]!r} could be any of {len(turn.kept)}; {which}", match.start(), match.end()
                )
            return f"the {one}"

        found = _attributes_turned(patched, one, many)
        found = found.sub(_MANY, lambda match: f"the {many}")
        if not re.search(r"\b(?:is|was)\s+it\s+true\b", found.text, re.I):
            found = found.sub(_SINGLE, single)
        return self._with_ones(found)

    def _with_ones(self, patched: Patched) -> Patched:
        one, many = self.stand_ins.earlier, plural(self.stand_ins.earlier)
        found = patched.sub(_ONES, many)
        return found.sub(_ONE, lambda m: (
            one if _BEFORE_ONE.search(m.string[: m.start()]) and not re.search(r"(?:than|least|most)\s$", m.string[: m.start()], re.I)  # noqa: E501
            else None
        )).sub(re.compile(rf"\bthere\s+{one}\b"), f"there a {one}")  # fmt: skip

    def _bare(self, patched: Patched) -> Patched:
        """Without "and", "now", "only" in front and the question mark behind."""
        lead = _LEAD.match(patched.text)
        return (patched.cut(lead.end()) if lead else patched).stripped(" \t\n,;:?.!")

    def _on_earlier(self, patched: Patched) -> Iterator[Patched]:
        """Readings of a text without a noun, on the set that came before."""
        many = plural(self.stand_ins.earlier)
        bare = self._bare(patched)
        text = bare.text.lower()
        yield bare
        if text.startswith("how many"):
            rest = text[len("how many") :].strip()
            if rest in ("", "are there", "there are", "are they", "are left", "remain"):
                yield bare.replaced(len("how many"), len(bare.text), f" {many} are there")
            yield bare.replaced(len("how many"), len("how many"), f" {many}")
            return
        if match := re.match(r"(?:which|what)(?=\s+(?:is|are|has|have|lies?|touch|touches)\b)", text):
            yield bare.replaced(match.end(), match.end(), f" of the {many}")
        if match := re.match(r"(?:(?:is|are)\s+)?(?:there\s+)?(?:any|some|all|none)\b(?:\s+of\s+the\s+\w+)?", text):
            yield bare.replaced(match.end(), match.end(), f" {many}")
            if not text.startswith(("is", "are")):
                yield bare.replaced(match.end(), match.end(), f" {many}").replaced(0, 0, "are there ")
        at = self._after_verb(bare)
        yield bare.replaced(len(bare.text), len(bare.text), f" of the {many}")
        article = re.match(r"(?:the\s+)?", bare.text[at:], re.I)
        body = at + (article.end() if article else 0)
        if match := re.match(
            r"(?:not|without|except(?:\s+for)?|but\s+not|excluding|all\s+but)\s+", bare.text[at:], re.I
        ):
            yield bare.replaced(at, at + match.end(), f"the {many} except ")
        for start in dict.fromkeys((at, body)):
            yield bare.replaced(at, start, f"the {many} ")
            yield bare.replaced(at, start, f"the {many} that are ")

    def _after_verb(self, patched: Patched) -> int:
        """The offset after the verb in front, 0 without one."""
        try:
            tokens = tokenize(patched.text)
        except QueryError:
            return 0
        found = VERBS.match(tokens, 0)
        if found is None:
            return 0
        end = tokens[found[1] - 1].stop
        return end + (len(patched.text[end:]) - len(patched.text[end:].lstrip()))

    # ---- visual prompts ----

    def _visual(self, patched: Patched) -> Request | None:
        """ "what is at [box]", "what is plane-3", "describe [box]"."""
        match = (
            _WHAT_AT.fullmatch(patched.text) or _WHAT_IS.fullmatch(patched.text) or _DESCRIBE.fullmatch(patched.text)
        )
        noun = match["noun"].split()[-1] if match else ""
        if match is None or noun not in self.stand_ins.meanings:
            return None
        target = Selection(phrases=(noun,), expected=1)
        is_box = self.stand_ins.meanings[noun].where is None
        at = match.re is _WHAT_AT
        if not is_box and not at:
            return Request(outputs=(Output(verb="describe", target=target),))
        inside = at and match["where"].lower() in ("in", "inside", "within")
        relation = Relation(relation="inside" if inside else "overlaps", reference=target)
        verb = "describe" if match.re is _DESCRIBE else "detect"
        return Request(outputs=(Output(verb=verb, target=Selection(phrases=("object",), where=relation)),))  # type: ignore[arg-type]

    # ---- results ----

    def _parsed(self, patched: Patched) -> Request:
        """The grammar's reading. Raises QueryError with the places of the original."""
        try:
            return self.parse(patched.text)
        except QueryError as error:
            spans = [patched.source(start, stop) for start, stop in error.spans if not patched.is_inserted(start, stop)]
            message = self.stand_ins.in_words(str(error))
            raise QueryError(message, self.text, [span for span in spans if span[0] < span[1]]) from None

    def _base(self, patched: Patched, turn: Known | None = None) -> Selection:
        """The one set of a turn. Raises QueryError when there are several."""
        turn = turn or self.last
        assert turn is not None
        found = distinct_targets(turn.request)
        if len(found) > 1:
            listed = " or ".join(repr(words(each)) for each in found)
            raise patched.refused(f"this could be about {listed}; name the thing")
        return found[0]

    def _meanings(self, node: Selection | Request) -> dict[str, Selection]:
        meanings = dict(self.stand_ins.meanings)
        if uses(node, self.stand_ins.earlier):
            meanings[self.stand_ins.earlier] = self._base(Patched(self.text))
        return meanings

    def _new(self, request: Request, image: int | None) -> Ask:
        if not self.stand_ins.meanings:
            return Ask(request, image or self.setting.current)
        return self._asked(put_in(request, self.stand_ins.meanings), image, None)

    def _asked(self, request: Request, image: int | None, turn: Known | None) -> Ask:
        """The request on the image it is about: the one named, else that of the turn or the regions it refers to."""
        about = turn or self.pointed
        if about is None:
            return Ask(request, image or self.setting.current)
        if image is None and about.image != self.setting.current:
            names = self.setting.images
            raise refused(
                f"this refers to image {about.image} ({names[about.image - 1]}), and image {self.setting.current} "
                f"({names[self.setting.current - 1]}) is in use; add 'in image {about.image}' or "
                f"'in image {self.setting.current}'", self.text,
            )  # fmt: skip
        chosen = image or about.image
        self._check_ids(request, (self.pointed or about).image, chosen)
        return Ask(request, chosen, None if turn is None else turn.number)

    def _check_ids(self, request: Request, of: int, image: int) -> None:
        """Raises UsageError when regions of one image would be looked for in another."""
        from ..core.conditions import Among, walk

        ids = [name for node in walk(request) if isinstance(node, Among) for name in node.ids]
        if ids and of != image:
            raise refused(f"{', '.join(ids[:3])} are regions of image {of}, not of image {image}", self.text)


def _all_phrases(request: Request) -> list[str]:
    from .followup_edits import _phrases

    return _phrases(request)


def _attributes_turned(patched: Patched, one: str, many: str) -> Patched:
    """ "their length" as "the length of those"."""
    pattern = re.compile(
        r"\b(?P<whose>their|its)\s+(?P<what>(?:(?:average|mean|median|total|combined|summed)\s+)?"
        r"(?:lengths?|widths?|areas?|sizes?|perimeters?|orientations?|aspect\s+ratios?))\b",
        re.IGNORECASE,
    )
    match = pattern.search(patched.text)
    if match is None:
        return patched
    end = f" of {'the ' + many if match['whose'].lower() == 'their' else 'the ' + one}"
    turned = patched.replaced(match.end("what"), match.end("what"), end)
    return turned.replaced(match.start("whose"), match.end("whose"), "the")


__all__ = ["Ask", "GoTo", "Like", "Meaning", "Undo", "Why", "narrowed", "understand"]
