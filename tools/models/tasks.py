"""The tasks of the set-of-points format: what is put to a model, what its reply may be, and how the reply is read.

GeoRSMLLM section III-A: one text format for detection (`[det]`, four corners), segmentation (`[seg]`, box and key
points for SAM-2), change (`[change]`, closed polygons over two images), captions of images and regions, questions,
classes of scenes, counts and geolocalisation; section III-B: sub-instructions that carry the regions of the answer
before them (`[select]`). Captions whose phrases point (`[gcg]`) are GLaMM's and GeoPixel's, in the same format. A model
of ours is spoken to with the task's tag, a stock checkpoint in plain words and its own dialect.

Local and remote models both use this: `pointing.PointingModel` makes a grounder, describer and change detector of
anything that answers `pointing.Prompt`s. Every point here is in pixels of the image as the model sees it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ...core.codec import Dialect, Pointed, dialect
from ...core.errors import ModelOutputError, UsageError
from ...core.frames import SizeWH
from ...core.protocols import Place
from ...prompts import load
from .grammars import choice_grammar, count_grammar, grounded_grammar, place_grammar, regions_grammar, subset_grammar
from .grounded import GroundedText, read_grounded

Read = TypeVar("Read")
FREE = ("region", "caption", "vqa")
"""Tasks whose replies are words, which may be cut short."""
_STYLE = {"native": "", "qwen2-vl": "_tokens", "qwen2.5-vl": "_json", "qwen3-vl": "_json"}
_KINDS = {"box": "upright box", "obb": "oriented box", "keypoints": "upright box with key points", "polygon": "outline"}
_MORE_WAYS = {"det": 3, "seg": 3, "change": 3, "region": 3, "refine": 2, "convert": 2, "count": 2, "gcg": 2}
"""How many numbered prompts there are beside a task's own: `det_1.md`, `det_2.md`, ..."""
_REGION_TOKENS, _TEXT_TOKENS, _SHORT_TOKENS = 2048, 256, 64
_PLACE = re.compile(
    r"\[?\s*(?P<city>[^\[\]()\s,.][^\[\]()\n]{0,79}?)\s*,?\s*\(\s*(?P<lat>-?[0-9]{1,3}(?:\.[0-9]{1,9})?)\s*,\s*"
    r"(?P<lon>-?[0-9]{1,3}(?:\.[0-9]{1,9})?)\s*\)\s*\]?\.?"
)


@dataclass(frozen=True, eq=False)
class Asking(Generic[Read]):
    """One thing to ask of a model.

    Attributes:
        task: "det", "seg", ...; adapters are chosen by it.
        text: the instruction, to be put behind the image or images.
        grammar: lark text (llguidance) of the replies that can be read; None for free text.
        read: the reply's text -> its meaning; raises ModelOutputError and nothing else.
        max_tokens: most tokens of a reply.
        lenient: reads a reply that was not held to the grammar: words may stand round what is asked for.
    """

    task: str
    text: str
    grammar: str | None
    read: Callable[[str], Read]
    max_tokens: int
    lenient: Callable[[str], Read]

    def capped(self, max_tokens: int | None) -> Asking[Read]:
        """The same with another bound on the reply's length; None changes nothing."""
        return self if max_tokens is None else replace(self, max_tokens=max_tokens)


@dataclass(frozen=True)
class Tasks:
    """What to say to the models of one dialect.

    Args:
        name: "native" for models trained on this project's format; else that of a stock family.
        wording: which of the ways to ask, see `ways`; 0 is what models are asked with, others are for teaching them.

    Raises:
        UsageError: unknown dialect.

    Example:
        >>> asking = Tasks("native").detect("plane", (1008, 756))
        >>> asking.text
        '[det] Detect every plane.'
        >>> [pointed.kind for pointed in asking.read("[(0,0),(9,0),(9,9),(0,9)]")]
        ['obb']
    """

    name: str = "native"
    wording: int = 0

    def __post_init__(self) -> None:
        dialect(self.name)

    @property
    def dialect(self) -> Dialect:
        """How the models write coordinates."""
        return dialect(self.name)

    def detect(self, phrase: str, size_wh: SizeWH) -> Asking[list[Pointed]]:
        """Everything that the phrase names: oriented boxes, upright ones from stock models (`[det]`).

        Raises:
            UsageError: an empty phrase, here and wherever words are asked for.
        """
        kind = "obb" if "obb" in self.dialect.kinds else "box"
        return self._regions("det", kind, size_wh, _asked(phrase))

    def segment(self, phrase: str, size_wh: SizeWH) -> Asking[list[Pointed]]:
        """Upright boxes with key points for a mask model (`[seg]`); stock models give boxes alone."""
        if "obb" not in self.dialect.kinds:
            return replace(self.detect(phrase, size_wh), task="seg")
        return self._regions("seg", "keypoints", size_wh, _asked(phrase))

    def change(self, phrase: str, size_wh: SizeWH) -> Asking[list[Pointed]]:
        """What changed between two images, as closed polygons (`[change]`); stock models give boxes."""
        kind = "polygon" if "polygon" in self.dialect.kinds else "box"
        return self._regions("change", kind, size_wh, _asked(phrase))

    def refine(self, given: Sequence[Pointed], to_kind: str, phrase: str, size_wh: SizeWH) -> Asking[list[Pointed]]:
        """Given objects told more closely with the picture's help (`[refine]`): upright boxes as oriented ones, ...

        Prompt-assisted learning, GeoGround section 3.2. The reply holds one object for each, in their order.

        Args:
            given: boxes, oriented boxes; at least one.
            to_kind: "box", "obb", "keypoints" (a box with key points) or "polygon".
            phrase: what they are.
            size_wh: of the picture.

        Raises:
            UsageError: nothing given, no words, or a kind that the dialect cannot write.
        """
        text = self._told("refine", given, to_kind, size_wh, phrase=_asked(phrase))
        return self._one_each("refine", text, given, to_kind, size_wh)

    def convert(self, given: Sequence[Pointed], to_kind: str, size_wh: SizeWH) -> Asking[list[Pointed]]:
        """Given objects told more coarsely, by geometry alone and without a picture (`[convert]`).

        Geometry-guided learning, GeoGround section 3.2. Arguments, reply and errors as for `refine`; `size_wh` should
        be square, or a rectangle of the image is none on the grid.
        """
        text = self._told("convert", given, to_kind, size_wh)
        return self._one_each("convert", text, given, to_kind, size_wh)

    def select(self, regions: Sequence[Pointed], condition: str, size_wh: SizeWH) -> Asking[list[int]]:
        """Which of the regions satisfy a condition: indices into them (the chain of GeoRSMLLM section III-B).

        Raises:
            UsageError: no regions.
        """
        if not regions:
            raise UsageError("there are no regions to select from; ask only when the step before found some")
        bare = [replace(region, keypoints_px=None, label=None) for region in regions]
        lines = [self.dialect.encode([region], size_wh) for region in bare]
        text = self._prompt("select", points="\n".join(lines), condition=_asked(condition))
        known: dict[str, list[int]] = {}  # regions that the text cannot tell apart are chosen together
        for index, line in enumerate(lines):
            known.setdefault(line, []).append(index)

        def read(reply: str) -> list[int]:
            return _selected(reply, known)

        def lenient(reply: str) -> list[int]:
            objects = self.dialect.decode(reply, size_wh, strict=False)
            said = [self.dialect.encode([replace(each, keypoints_px=None, label=None)], size_wh) for each in objects]
            strange = next((line for line in said if line not in known), None)
            if strange is not None:
                raise ModelOutputError(f"{strange[:60]!r} is none of the given regions", reply)
            return sorted({index for line in said for index in known[line]})

        return Asking("select", text, subset_grammar(list(known)), read, _REGION_TOKENS, lenient)

    def describe(self, region: Pointed, size_wh: SizeWH, *, is_pair: bool = False) -> Asking[str]:
        """A phrase for what lies at a region (`[region]`, region captions); of a pair for what changed there."""
        points = self.dialect.encode([replace(region, keypoints_px=None, label=None)], size_wh)
        if is_pair:
            return replace(self._text("region_pair", _TEXT_TOKENS, points=points), task="region")
        return self._text("region", _TEXT_TOKENS, points=points)

    def caption(self) -> Asking[str]:
        """A description of the image (`[caption]`)."""
        return self._text("caption", _TEXT_TOKENS)

    def caption_grounded(self, kind: str, size_wh: SizeWH) -> Asking[GroundedText]:
        """A description of the image in which each thing that is named is pointed at (`[gcg]`).

        Args:
            kind: "obb", "keypoints" (boxes with key points, for a mask model), "box" or "polygon": of all it tells.
            size_wh: of the picture.

        Raises:
            UsageError: another kind, or a dialect other than ours: no stock family was taught such captions.
        """
        if kind not in _KINDS:
            raise UsageError(f"there is no kind {kind!r} to ask for, expected one of: {', '.join(_KINDS)}")
        if self.name != "native":
            raise UsageError(f"captions with points are written in the dialect 'native' alone, not in {self.name!r}")

        def read(reply: str, strict: bool = True) -> GroundedText:
            return read_grounded(reply, kind, self.dialect, size_wh, strict=strict)

        text = self._prompt("gcg", kind=_KINDS[kind])
        return Asking("gcg", text, grounded_grammar(kind), read, _REGION_TOKENS, lambda reply: read(reply, False))

    def answer(self, question: str) -> Asking[str]:
        """A short answer to a question in words (`[vqa]`). Raises UsageError for an empty question."""
        return self._text("vqa", _TEXT_TOKENS, question=_asked(question))

    def classify(self, classes: Sequence[str]) -> Asking[str]:
        """One of the classes of scenes (`[cls]`). Raises UsageError for fewer than two classes, or one without name."""
        names = tuple(dict.fromkeys(_plain(name) for name in classes))
        if len(names) < 2 or "" in names:
            raise UsageError(f"to classify takes at least two classes, each with a name, not {list(classes)!r}")
        loosely = {_bare(name).casefold(): name for name in reversed(names) if _bare(name)}

        def read(reply: str) -> str:
            said = next((said for said in (reply.strip(), _bare(reply)) if said in names), None)
            said = said or loosely.get(_bare(reply).casefold())
            if said is None:
                raise ModelOutputError(f"the reply is none of the classes {', '.join(names)}", reply)
            return said

        def lenient(reply: str) -> str:
            try:
                return read(reply)
            except ModelOutputError:
                return _class_among_words(reply, names)

        return Asking("cls", self._prompt("cls", classes=", ".join(names)), choice_grammar(names), read, _SHORT_TOKENS, lenient)  # fmt: skip  # noqa: E501

    def count(self, phrase: str) -> Asking[int]:
        """How many things the phrase names (`[count]`)."""
        return Asking("count", self._prompt("count", phrase=_asked(phrase)), count_grammar(), _number, 16, _number_among_words)  # fmt: skip  # noqa: E501

    def locate(self) -> Asking[Place]:
        """Where the image was taken: city, latitude, longitude (`[geoloc]`, GeoRSMLLM equation 5)."""
        return Asking("geoloc", self._prompt("geoloc"), place_grammar(), _place, _SHORT_TOKENS, _place_among_words)

    def _prompt(self, task: str, **values: str) -> str:
        style = _STYLE.get(self.name, "")
        if style and task not in ("det", "change"):
            style = "_plain"
        if not style and (way := self.wording % ways(task)):
            style = f"_{way}"
        return load(f"{task}{style}").render(**values)

    def _told(self, task: str, given: Sequence[Pointed], to_kind: str, size_wh: SizeWH, **values: str) -> str:
        """The instruction over given objects, without their labels and key points."""
        if to_kind not in _KINDS:
            raise UsageError(f"there is no kind {to_kind!r} to ask for, expected one of: {', '.join(_KINDS)}")
        if not given:
            raise UsageError("there are no regions to tell otherwise; ask only when there are some")
        needed = {*(each.kind for each in given), to_kind.replace("keypoints", "box")}
        if missing := sorted(needed.difference(self.dialect.kinds)):
            raise UsageError(f"the dialect {self.name!r} cannot write {', '.join(missing)}, only {', '.join(self.dialect.kinds)}")  # fmt: skip  # noqa: E501
        bare = [replace(each, keypoints_px=None, label=None) for each in given]
        points = "\n".join(self.dialect.encode([each], size_wh) for each in bare)
        return self._prompt(task, kind=_KINDS[to_kind], points=points, **values)

    def _one_each(self, task: str, text: str, given: Sequence[Pointed], to_kind: str, size_wh: SizeWH) -> Asking[list[Pointed]]:  # fmt: skip  # noqa: E501
        """Reads as many objects as were given, of the kind that was asked for."""
        of = "polygon" if to_kind == "polygon" else None

        def read(reply: str, strict: bool = True) -> list[Pointed]:
            found = self.dialect.decode(reply, size_wh, kind=of, strict=strict)
            if len(found) != len(given):
                raise ModelOutputError(f"the reply holds {len(found)} objects for {len(given)} given ones", reply)
            kinds = {"keypoints" if each.keypoints_px is not None else each.kind for each in found}
            if kinds != {to_kind}:
                raise ModelOutputError(
                    f"the reply holds {', '.join(sorted(kinds))} where {to_kind} was asked for", reply
                )
            return found

        grammar = regions_grammar(self.name, to_kind, "", size_wh, len(given))
        return Asking(task, text, grammar, read, _REGION_TOKENS, lambda reply: read(reply, False))

    def _regions(self, task: str, kind: str, size_wh: SizeWH, phrase: str) -> Asking[list[Pointed]]:
        text = self._prompt(task, phrase=phrase)
        of = "polygon" if kind == "polygon" else None

        def read(reply: str) -> list[Pointed]:
            return self.dialect.decode(reply, size_wh, kind=of)

        def lenient(reply: str) -> list[Pointed]:
            return self.dialect.decode(reply, size_wh, kind=of, strict=False)

        return Asking(task, text, regions_grammar(self.name, kind, phrase, size_wh), read, _REGION_TOKENS, lenient)

    def _text(self, task: str, max_tokens: int, **values: str) -> Asking[str]:
        return Asking(task, self._prompt(task, **values), None, _words, max_tokens, _words)


def ways(task: str) -> int:
    """How many ways there are to ask a task of a model of ours: its prompt, and those numbered after it."""
    return 1 + _MORE_WAYS.get(task, 0)


def _plain(text: str) -> str:
    """A user's words on one line, without control characters and what a tokenizer would take for control tokens."""
    printed = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    return " ".join(printed.replace("<|", "< |").split())


def _asked(text: str) -> str:
    words = _plain(text)
    if not words:
        raise UsageError(f"the words to ask with are {text!r}; ask something")
    return words


def _words(reply: str) -> str:
    said = " ".join(reply.split())
    if not said:
        raise ModelOutputError("the reply is empty, expected words", reply)
    return said


def _number(reply: str) -> int:
    text = reply.strip().rstrip(".")
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise ModelOutputError("the reply is no number", reply)
    return int(text)


def _number_among_words(reply: str) -> int:
    """The number of a sentence that holds exactly one."""
    found = re.findall(r"(?<![\w.,-])[0-9]{1,9}(?!\w|[.,][0-9])", reply)
    if len(found) != 1:
        raise ModelOutputError(f"the reply holds {len(found)} numbers, expected one", reply)
    return int(found[0])


def _place(reply: str) -> Place:
    found = _PLACE.fullmatch(" ".join(reply.split()))
    if found is None:
        raise ModelOutputError("expected '[city, (latitude, longitude)]'", reply)
    latitude, longitude = float(found["lat"]), float(found["lon"])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ModelOutputError(f"({latitude:g}, {longitude:g}) is no latitude and longitude in degrees", reply)
    return Place(found["city"].strip(), latitude, longitude)


def _place_among_words(reply: str) -> Place:
    """The place of a reply that holds exactly one in brackets, or is one."""
    found = re.findall(r"\[[^\[\]]{1,200}\]", reply)
    if len(found) > 1:
        raise ModelOutputError(f"the reply holds {len(found)} places, expected one", reply)
    try:
        return _place(found[0] if found else reply)
    except ModelOutputError as error:
        raise ModelOutputError(str(error), reply) from None


def _bare(text: str) -> str:
    """A name without what stands round it in replies."""
    return " ".join(text.split()).strip(" .\"'`*")


def _class_among_words(reply: str, names: Sequence[str]) -> str:
    """The class that a sentence names, if it names one and denies none; of nested names the longest counts."""
    longest_first = sorted(names, key=len, reverse=True)
    anywhere = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first), re.IGNORECASE)
    said = {found.casefold() for found in anywhere.findall(" ".join(reply.split()))}
    meant = [name for name in names if name.casefold() in said]
    if len(meant) != 1 or re.search(r"\b(?:not?|nor|neither|never|none|cannot)\b|n't\b", reply, re.IGNORECASE):
        raise ModelOutputError(f"the reply does not name one of the classes {', '.join(names)}", reply)
    return meant[0]


def _selected(reply: str, known: dict[str, list[int]]) -> list[int]:
    """The indices of the regions that a reply repeats; it may hold nothing else."""
    body = reply.strip()
    if body.rstrip(".").casefold() == "none" or body == "[]":
        return []
    chosen: set[int] = set()
    longest_first = sorted(known, key=len, reverse=True)
    while body:
        line = next((line for line in longest_first if body.startswith(line)), None)
        if line is None:
            raise ModelOutputError(f"expected some of the given regions, or 'none', at {body[:40]!r}", reply)
        chosen.update(known[line])
        body = body[len(line) :].lstrip("\n ,;")
    if not chosen:
        raise ModelOutputError("the reply is empty, expected some of the given regions, or 'none'", reply)
    return sorted(chosen)
