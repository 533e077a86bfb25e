"""What a conversation knows, and the words that point into it: regions, boxes and images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..core.boxes import box_phrase
from ..core.conditions import Among, Request, Selection
from ..core.errors import QueryError
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
_NTH = rf"(?:{'|'.join(ORDINALS)}|last|\d{{1,3}}(?:st|nd|rd|th))"
_AMOUNT = rf"(?:{'|'.join(NUMBERS)}|\d{{1,3}})"
IMAGE_NOUN = r"(?:image|picture|photo|photograph|scene|file)"
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
    """

    number: int
    image: int
    request: Request
    kept: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


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
        classes = tuple(dict.fromkeys(self.turn.labels[name] for name in self.ids))
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
    nouns = "|".join(_noun_forms(setting.turns[-1])) if setting.turns else ""
    one = "one|region|result|object" + (f"|{nouns}" if nouns else "")
    ones = "ones|regions|results|objects" + (f"|{nouns}" if nouns else "")
    known = "|".join(re.escape(name) for name in reversed(ids)) or r"(?!)"
    end = r"(?=\s*(?:$|[?.!,;]|and\b|or\b|not\b|in the answer\b))"
    return re.compile(
        rf"(?:\bthe\s+)?(?:\b(?:region|object|candidate)\s+)?['\"]?(?<![\w-])(?P<id>{known})(?![\w-])['\"]?"
        rf"|(?:\bthe\s+)?(?:\b(?:region|candidate)\s+(?:number\s+|no\.?\s*|#\s*)?|\bnumber\s+|#\s*)(?P<number>\d{{1,6}})\b"
        rf"|\bthe\s+(?P<nth>{_NTH})\s+(?:{one})\b(?!\s+(?:from|counted|in\b|of\b))"
        rf"|\bthe\s+(?P<bare>{_NTH}){end}"
        rf"|\bthe\s+(?P<end>first|last)\s+(?P<count>{_AMOUNT})(?:\s+(?:{ones})\b(?!\s+(?:from|in\b|of\b))|{end})",
        re.IGNORECASE,
    )


def _noun_forms(turn: Known) -> Iterator[str]:
    from ..core.inflection import plural

    phrases = dict.fromkeys(phrase for output in turn.request.outputs for phrase in output.target.phrases)
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
    last = setting.turns[-1]
    if match["id"]:
        found = setting.region(match["id"])
        assert found is not None  # the pattern is made of known ids
        return Regions((found[0],), found[1])
    if match["number"]:
        return Regions((_numbered(match, patched, last),), last)
    listed = last.kept + last.others if whole_list else last.kept
    count = _amount(match["count"]) if match["count"] else 1
    word = (match["end"] or match["nth"] or match["bare"]).lower()
    first = len(listed) - count if word == "last" else _ordinal(word) - 1
    if first < 0 or first + count > len(listed):
        have = f"{len(listed)} {'region is' if len(listed) == 1 else 'regions are'} in the last answer"
        raise patched.refused(f"{match[0].strip()!r} is not there: {have}", match.start(), match.end())
    return Regions(listed[first : first + count], last)


def _ordinal(word: str) -> int:
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


# ---- images ------------------------------------------------------------------------------------------------------


_SEVERAL_IMAGES = re.compile(
    rf"\b(?:both|all|every|each|the\s+two|the\s+other)\s+(?:of\s+)?(?:the\s+)?(?:{IMAGE_NOUN}s|(?<=every ){IMAGE_NOUN}"
    rf"|(?<=each ){IMAGE_NOUN})\b",
    re.IGNORECASE,
)


def take_image(patched: Patched, setting: Setting) -> tuple[Patched, int | None, bool]:
    """The text without the mention of an image, its number, and whether a preposition stood before it.

    Raises:
        QueryError: no such image, or "the other one" of several.
    """
    if several := _SEVERAL_IMAGES.search(patched.text):
        raise patched.refused(
            "one image at a time; ask of one and then 'and in image 2?'", several.start(), several.end()
        )
    match = _image_pattern(setting.images).search(patched.text) if setting.images else None
    if match is None:
        return patched, None, False
    number = _image_number(match, patched, setting)
    return patched.replaced(match.start(), match.end(), " ").stripped(), number, match["prep"] is not None


def _image_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    free = [name for name in names if re.search(r"[.\d]", name)]  # others could be the name of a thing
    exact, plain = (
        "|".join(re.escape(name) for name in sorted(some, key=len, reverse=True)) or r"(?!)"
        for some in (free, [name for name in names if name not in free])
    )
    return re.compile(
        rf"(?<!\w)(?:(?P<prep>in|on|for|from|of|at)\s+)?(?:"
        rf"(?:the\s+)?{IMAGE_NOUN}\s+(?:number\s+|no\.?\s*|#\s*)?(?P<number>\d{{1,4}}|{'|'.join(NUMBERS)})"
        rf"|the\s+(?P<word>other|next|previous|{_NTH})\s+{IMAGE_NOUN}"
        rf"|(?:the\s+)?(?:{IMAGE_NOUN}\s+)?['\"]?(?P<name>{exact})['\"]?"
        rf"|(?:the\s+)?{IMAGE_NOUN}\s+['\"]?(?P<plain>{plain})['\"]?"
        rf")(?!\w)",
        re.IGNORECASE,
    )


def _image_number(match: re.Match[str], patched: Patched, setting: Setting) -> int:
    count = len(setting.images)
    listed = ", ".join(f"{n} {name}" for n, name in enumerate(setting.images, start=1))
    called = match["name"] or match["plain"]
    if called:
        fitting = [n for n, name in enumerate(setting.images, 1) if name.lower() == called.lower()]
        if len(fitting) > 1:
            raise _image_error(f"several images are called {called!r}; give its number: {listed}", match, patched)
        return fitting[0]
    word = (match["number"] or match["word"]).lower()
    if word == "other":
        if count != 2:
            raise _image_error(f"which other image? There {'is' if count == 1 else 'are'} {listed}", match, patched)
        return 3 - setting.current
    steps = {"next": setting.current + 1, "previous": setting.current - 1, "last": count}
    number = steps[word] if word in steps else NUMBERS[word] if word in NUMBERS else _ordinal(word)
    if not 1 <= number <= count:
        raise _image_error(f"there is no such image; there {'is' if count == 1 else 'are'} {listed}", match, patched)
    return number


def _image_error(message: str, match: re.Match[str], patched: Patched) -> QueryError:
    return patched.refused(message, match.start(), match.end())
