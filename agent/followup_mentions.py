"""What a conversation knows, and the words that point into it: regions, boxes and images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..core.boxes import box_phrase
from ..core.conditions import Among, Request, Selection
from .followup_edits import distinct_targets, is_single
from .followup_text import Patched

NUMBERS = {
    word: n for n, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)
}
ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), start=1
    )
}
NTH = rf"(?:{'|'.join(ORDINALS)}|last|\d{{1,3}}(?:st|nd|rd|th))"
AMOUNT = rf"(?:{'|'.join(NUMBERS)}|\d{{1,3}})"
_FLOAT = r"-?\d{1,9}(?:\.\d{1,9})?"
_FOUR = rf"({_FLOAT})[,\s]+({_FLOAT})[,\s]+({_FLOAT})[,\s]+({_FLOAT})"
_BOX = re.compile(
    rf"(?:\b(?:the\s+)?(?:box|area|region|rectangle|window)\s*)?[\[(]\s*{_FOUR}\s*[\])](?:\s*box\b)?"
    rf"|\b(?:the\s+)?box\s*{_FOUR}(?![\d.,]*\d)",
    re.IGNORECASE,
)
BOX_FORM = "a box is four numbers, x0, y0, x1, y1 in pixels: [100, 200, 300, 400]"


@dataclass(frozen=True)
class Known:
    """An answered turn, as far as later ones can refer to it.

    Args:
        number: of the turn.
        image: number of the image it looked at, from 1.
        request: what was asked of it.
        kept: ids in the answer, in the order shown.
        others: ids that were looked at and are not in the answer, in the order shown.
        labels: id -> class of every region that was seen, those referred to included.
        edits: number of the turn it builds on.
        about: the set that is talked about since, where it is not what the request asks for.
        about_ids: ids of that set, as far as they are known.
    """

    number: int
    image: int
    request: Request
    kept: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    edits: int | None = None
    about: Selection | None = None
    about_ids: tuple[str, ...] = ()

    @property
    def sets(self) -> tuple[Selection, ...]:
        """What is talked about since: the sets that "those" could mean."""
        return distinct_targets(self.request) if self.about is None else (self.about,)

    @property
    def ids(self) -> tuple[str, ...]:
        """The regions that are talked about since."""
        return self.kept if self.about is None else self.about_ids

    @property
    def listed(self) -> tuple[str, ...]:
        """All regions in the order shown, those that are talked about first."""
        return tuple(dict.fromkeys((*self.ids, *self.kept, *self.others)))

    @property
    def points(self) -> bool:
        """Whether it was about regions that the line pointed at."""
        return all(isinstance(each.where, Among) and not each.picks for each in self.sets)

    @property
    def lists(self) -> bool:
        """Whether it shows a list that "the third one" can count through."""
        return not self.points and not all(is_single(each) for each in self.sets)

    @property
    def is_question(self) -> bool:
        """Whether it asked for a number or a yes or no, rather than for regions."""
        return self.request.outputs[0].verb in ("count", "measure", "exists", "compare")


@dataclass(frozen=True)
class Setting:
    """What a follow-up is read against.

    Args:
        images: names of the images, in order.
        current: number of the image that new requests are about, from 1; 0 without images.
        turns: oldest first, without those undone.
    """

    images: tuple[str, ...] = ()
    current: int = 1
    turns: tuple[Known, ...] = ()

    @property
    def listing(self) -> Known:
        """The turn whose list "the third one" counts through: the last that was not about one thing."""
        return next((turn for turn in reversed(self.turns) if turn.lists), self.turns[-1])

    def region(self, name: str) -> tuple[str, Known] | None:
        """The id as it is spelt, and the latest turn that saw it."""
        for turn in reversed(self.turns):
            for known in turn.labels:
                if known.lower() == name.lower():
                    return known, turn
        return None


@dataclass(frozen=True)
class Regions:
    """Regions that the words point at, and the turn that they are of."""

    ids: tuple[str, ...]
    turn: Known

    def selection(self) -> Selection:
        """The set of them."""
        classes = tuple(dict.fromkeys(self.turn.labels[name].replace("_", " ") for name in self.ids))
        return Selection(phrases=classes, where=Among(ids=self.ids), expected=len(self.ids))


class StandIns:
    """Nouns that stand for sets of the conversation while the grammar reads the rest.

    Args:
        text: none of the nouns occurs in it.
    """

    def __init__(self, text: str) -> None:
        self._stem = next(stem for stem in ("zorp", "drund", "quib", "blarn" * 300) if stem not in text.lower())
        self.meanings: dict[str, Selection] = {}
        self.shown: dict[str, str] = {}

    @property
    def earlier(self) -> str:
        """The noun, in the singular, for what was answered before."""
        return self._stem

    def noun(self, meaning: Selection, shown: str) -> str:
        """A new noun (singular) for a set; `shown` are the words it replaces, for messages."""
        name = self._stem + "bcdfghjkmnprtvw"[len(self.meanings) % 15] * (1 + len(self.meanings) // 15) + "a"
        self.meanings[name] = meaning
        self.shown[name] = shown
        return name

    def in_words(self, message: str) -> str:
        """A message of the grammar with the user's words for the nouns."""
        for name in sorted(self.shown, key=len, reverse=True):
            message = re.sub(rf"\b(?:the )?{name}s?\b", self.shown[name].replace("\\", r"\\"), message)
        return re.sub(rf"\b(?:the )?{self._stem}(s?)\b", lambda m: "those" if m[1] else "it", message)


# ---- regions -----------------------------------------------------------------------------------------------------


def mention_patterns(setting: Setting) -> re.Pattern[str]:
    """Matches one mention of a region: an id, "region 4", "the third one", "the first two"."""
    ids = sorted({name for turn in setting.turns for name in turn.labels if re.search(r"[^\W\d]", name)}, key=len)
    nouns = "|".join(noun_forms(setting.turns[-1])) if setting.turns else ""
    one = "one|region|result|object" + (f"|{nouns}" if nouns else "")
    ones = "ones|regions|results|objects" + (f"|{nouns}" if nouns else "")
    known = "|".join(re.escape(name) for name in reversed(ids)) or r"(?!)"
    end = r"(?=\s*(?:$|[?.!,;]|and\b|or\b|not\b|in the answer\b))"
    return re.compile(
        rf"(?:\bthe\s+)?(?:\b(?:region|object|candidate)\s+)?['\"]?(?<![\w-])(?P<id>{known})(?![\w-])['\"]?"
        rf"|(?:\bthe\s+)?(?:\b(?:region|candidate)\s+(?:number\s+|no\.?\s*|#\s*)?|\bnumber\s+|#\s*)(?P<number>\d{{1,6}})\b"
        rf"|\bthe\s+(?P<nth>{NTH})\s+(?:{one})\b(?!\s+(?:from|counted|in\b(?!\W*$)|of\b))"
        rf"|\bthe\s+(?P<bare>{NTH}){end}"
        rf"|\bthe\s+(?P<end>first|last)\s+(?P<count>{AMOUNT})(?:\s+(?:{ones})\b(?!\s+(?:from|in\b|of\b))|{end})",
        re.IGNORECASE,
    )


def noun_forms(turn: Known) -> Iterator[str]:
    """The classes that a turn is about, in the plural and in the singular, as patterns."""
    from ..core.inflection import plural

    phrases = dict.fromkeys(phrase for each in turn.sets for phrase in each.phrases)
    for phrase in phrases:
        yield re.escape(plural(phrase))
        yield re.escape(phrase)


def mentioned(match: re.Match[str], patched: Patched, setting: Setting, *, whole_list: bool = False) -> Regions:
    """The regions that a match of `mention_patterns` points at.

    Args:
        whole_list: "the third one" counts through the whole list as shown, not only through the answer.

    Raises:
        QueryError: nothing was answered yet, or there is no such region.
    """
    if not setting.turns:
        raise patched.refused(
            f"{match[0].strip()!r} points at an answer, and nothing was answered yet", match.start(), match.end()
        )
    last = setting.listing
    if whole_list and not setting.turns[-1].points:
        last = setting.turns[-1]
    if match["id"]:
        found = setting.region(match["id"])
        assert found is not None  # the pattern is made of known ids
        return Regions((found[0],), found[1])
    if match["number"]:
        return Regions((_numbered(match, patched, last),), last)
    listed = last.listed if whole_list else last.ids
    count = _amount(match["count"]) if match["count"] else 1
    word = (match["end"] or match["nth"] or match["bare"]).lower()
    first = len(listed) - count if word == "last" else ordinal(word) - 1
    if first < 0 or first + count > len(listed):
        have = f"{len(listed)} {'region is' if len(listed) == 1 else 'regions are'} in the last answer"
        raise patched.refused(f"{match[0].strip()!r} is not there: {have}", match.start(), match.end())
    return Regions(listed[first : first + count], last)


def ordinal(word: str) -> int:
    """3 for "third" and "3rd"."""
    return ORDINALS.get(word) or int(re.sub(r"\D", "", word))


def _amount(word: str) -> int:
    return NUMBERS.get(word.lower()) or int(word)


def _numbered(match: re.Match[str], patched: Patched, last: Known) -> str:
    """The region whose id ends in the number."""
    number = int(match["number"])
    fitting = [name for name in last.labels if re.fullmatch(rf"(?:.*\D)?0*{number}", name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        among, hint = ", ".join(map(repr, fitting[:6])), "say which"
        raise patched.refused(f"{match[0].strip()!r} could be {among}; {hint}", match.start(), match.end())
    some = ", ".join(repr(name) for name in list(last.labels)[:6]) or "no regions"
    raise patched.refused(
        f"there is no {match[0].strip()!r} in the last answer; there are {some}"
        + (" …" if len(last.labels) > 6 else ""),
        match.start(),
        match.end(),
    )


_LIKE_AN_ID = re.compile(r"(?<![\w-])([a-z][a-z_ -]{0,40}?)-(\d{1,6})(?![\w-])", re.IGNORECASE)


def refuse_unknown_id(patched: Patched, setting: Setting) -> None:
    """Raises QueryError for "plane-44" when there are planes, but not that one."""
    stems = {re.sub(r"-?\d+$", "", name).lower() for turn in setting.turns for name in turn.labels}
    for match in _LIKE_AN_ID.finditer(patched.text):
        stem = match[1].lower().split(" ")[-1]
        name = f"{stem}-{match[2]}"
        if stem in stems and setting.region(name) is None:
            known = [n for turn in setting.turns[::-1] for n in turn.labels if n.lower().startswith(f"{stem}-")]
            some = ", ".join(list(dict.fromkeys(known))[:6])
            start = match.end() - len(name)
            raise patched.refused(f"there is no {name!r} in the answers so far; there are {some}", start, match.end())


# ---- boxes -------------------------------------------------------------------------------------------------------


def take_boxes(patched: Patched, stand_ins: StandIns) -> Patched:
    """The text with each box replaced by a stand-in noun.

    Raises:
        QueryError: brackets that hold no box, or a box without area.
    """

    def put(match: re.Match[str]) -> str:
        x0, y0, x1, y1 = (float(text) for text in match.groups() if text is not None)
        if not (x0 < x1 and y0 < y1):
            raise patched.refused(
                f"the box {match[0].strip()!r} has no area: {BOX_FORM}, x0 < x1 and y0 < y1", match.start(), match.end()
            )
        phrase = box_phrase((x0, y0, x1, y1))
        if box_of_area(phrase) <= 0:
            raise patched.refused(f"the box {match[0].strip()!r} is thinner than 0.1 px", match.start(), match.end())
        return f"the {stand_ins.noun(Selection(phrases=(phrase,), expected=1), match[0].strip())}"

    found = patched.sub(_BOX, put)
    at = found.text.find("[")
    if at >= 0:
        close = found.text.find("]", at)
        raise found.refused(f"these brackets hold no box; {BOX_FORM}", at, close + 1 if close > at else None)
    return found


def box_of_area(phrase: str) -> float:
    """The area of a box phrase in px; 0 for one that rounding left without any."""
    from ..core.boxes import box_of

    box = box_of(phrase)
    return 0.0 if box is None else max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
