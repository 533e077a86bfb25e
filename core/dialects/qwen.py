"""How stock Qwen vision-language checkpoints write boxes. Which one a checkpoint speaks is declared, never guessed.

- `qwen2-vl`: grounding tokens round two corners on a grid of 0-1000,
  `<|object_ref_start|>plane<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>`
  (Qwen2-VL's model card and technical report, section 2.2.2);
- `qwen2.5-vl`: JSON, `[{"bbox_2d": [x1, y1, x2, y2], "label": "plane"}]`, in whole pixels of the image as the model
  sees it (after `smart_resize`; Qwen2.5-VL technical report, "absolute coordinates");
- `qwen3-vl`: the same JSON on a grid of 0-1000 (Qwen3-VL cookbook, 2D grounding).

All write upright boxes only. An oriented box that is encoded becomes the upright box round it.

Stock models write JSON loosely. With strict=False these are read: words or code fences round it, several lists or
objects one after the other, single quotes, a comma before a closing bracket, "none" in words. An error, and never
fewer objects than were written: brackets that do not close (a reply that was cut off), points instead of boxes, an
object that holds a list of objects, an empty list beside objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..codec import Pointed, check_length, says_none
from ..errors import ModelOutputError, UsageError
from ..frames import Frame, SizeWH
from ..geometry import corners_to_box

Span = tuple[int, int]

_NUMBER = r"\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*"
_TOKENS = re.compile(
    r"(?:<\|object_ref_start\|>(?P<label>(?:[^<]|<(?!\|))*)<\|object_ref_end\|>)?\s*"
    rf"<\|box_start\|>\s*\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)\s*<\|box_end\|>",
    re.ASCII,
)
_PROSE = re.compile(r"[^\[\](){}<>]+")
_NONE = re.compile(r"none\.?", re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*", re.IGNORECASE)
_BRACKET = re.compile(r"[\[\]{}]")
_LOOSE = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*(?:"|\Z))|'(?P<quoted>[^'"\\\n]*)'|,(?=\s*[\]}])""", re.DOTALL)
_KEYS = ("bbox_2d", "bbox")
_SLACK = 0.1


@dataclass(frozen=True)
class QwenTokens:
    """Boxes between Qwen2-VL's own tokens, on an integer grid of `steps`."""

    name: str = "qwen2-vl"
    steps: int = 1000
    kinds: tuple[str, ...] = ("box",)

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return f"0-{self.steps} of the image's width and height"

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the upright boxes of the objects; "none" for an empty sequence.

        Example:
            >>> box = Pointed("box", np.array([[10, 20], [60, 70]]), label="plane")
            >>> QwenTokens().encode([box], (100, 100))[:48]
            '<|object_ref_start|>plane<|object_ref_end|><|box'
        """
        frame = Frame.grid(size_wh, self.steps)
        return "".join(self._encode_one(item, frame) for item in objects) if objects else "none"

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The boxes in the text, px of an image of that size. See `Dialect.decode`.

        Raises:
            ModelOutputError: neither boxes nor "none".
        """
        check_length(text)
        if _NONE.fullmatch(text.strip()) or (not strict and says_none(text)):
            return []
        frame, limit = Frame.grid(size_wh, self.steps), np.array([self.steps, self.steps], dtype=np.float64)
        objects, place, stop = [], len(text) - len(text.lstrip()), len(text.rstrip())
        while place < stop:
            found = _TOKENS.match(text, place)
            if found is None:
                words = None if strict and text[place] not in "\n ,;" else _PROSE.match(text, place)
                if words is None or (strict and words.group().strip(" \n,;")):
                    raise ModelOutputError(f"expected '<|box_start|>(x,y),(x,y)<|box_end|>' at {text[place : place + 40]!r}", text)  # fmt: skip  # noqa: E501
                place = words.end()
                continue
            numbers = [float(number) for number in found.groups()[-4:]]
            label = (found["label"] or "").strip() or None
            objects.append(_box(numbers, limit, frame, label, (place, found.end()), text))
            place = found.end()
        if not objects:
            raise ModelOutputError("the reply holds no box, expected '<|box_start|>(x,y),(x,y)<|box_end|>' or 'none'", text)  # fmt: skip  # noqa: E501
        return objects

    def _encode_one(self, item: Pointed, frame: Frame) -> str:
        x0, y0, x1, y1 = _whole(item, frame, np.array([self.steps, self.steps]))
        label = (item.label or "").replace("<|", "< |")  # a name never ends the place for names
        name = f"<|object_ref_start|>{label}<|object_ref_end|>" if label else ""
        return f"{name}<|box_start|>({x0},{y0}),({x1},{y1})<|box_end|>"


@dataclass(frozen=True)
class QwenJson:
    """JSON lists of `bbox_2d` and `label`: px of the image that the model sees (steps None), or a grid of `steps`."""

    name: str
    steps: int | None
    kinds: tuple[str, ...] = ("box",)

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return "pixels of the resized image" if self.steps is None else f"0-{self.steps} of the image's width and height"  # fmt: skip  # noqa: E501

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the upright boxes of the objects.

        Args:
            objects: px of the image.
            size_wh: of the image as the model sees it (after its own resizing, where numbers are pixels).

        Example:
            >>> box = Pointed("box", np.array([[10, 20], [60, 70]]), label="plane")
            >>> QwenJson("qwen2.5-vl", None).encode([box], (100, 100))
            '[{"bbox_2d": [10, 20, 60, 70], "label": "plane"}]'
        """
        frame, limit = self._frame(size_wh), self._limit(size_wh)
        entries = []
        for item in objects:
            entry: dict[str, Any] = {"bbox_2d": _whole(item, frame, limit)}
            entries.append(entry | ({"label": item.label} if item.label else {}))
        return json.dumps(entries, ensure_ascii=False)

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The boxes in the text, px of an image of that size; a code fence may stand round the JSON.

        Raises:
            ModelOutputError: no such JSON (also when it was cut off), or numbers far outside the image.
        """
        check_length(text)
        if not strict and says_none(text):
            return []
        objects = []
        for entry, span in _entries(text, strict):
            numbers: Any = (
                next((entry[key] for key in _KEYS if key in entry), None) if isinstance(entry, dict) else entry
            )
            if not _is_box(numbers):
                raise ModelOutputError(f"expected {{'bbox_2d': [x1, y1, x2, y2]}}, found {text[slice(*span)][:80]}", text)  # fmt: skip  # noqa: E501
            label = entry.get("label") if isinstance(entry, dict) else None
            name = label.strip() or None if isinstance(label, str) else None
            objects.append(_box(numbers, self._limit(size_wh), self._frame(size_wh), name, span, text))
        return objects

    def _frame(self, size_wh: SizeWH) -> Frame:
        return Frame() if self.steps is None else Frame.grid(size_wh, self.steps)

    def _limit(self, size_wh: SizeWH) -> np.ndarray:
        return np.array(size_wh if self.steps is None else (self.steps, self.steps), dtype=np.float64)


def _entries(text: str, strict: bool) -> list[tuple[Any, Span]]:
    """Each object of the JSON with its place in the text."""
    entries: list[tuple[Any, Span]] = []
    empty = False
    for value, (start, stop), source in _strict_value(text) if strict else _loose_values(text):
        if isinstance(value, dict) or _is_box(value):
            entries.append((value, (start, stop)))
        elif isinstance(value, list):
            entries += _elements(value, start, source)
            empty = empty or not value
        else:
            raise ModelOutputError("the reply is JSON, but no list of {'bbox_2d': ...}", text)
    if empty and entries:
        raise ModelOutputError("the reply holds an empty list beside objects; expected one or the other", text)
    return entries


def _elements(values: list[Any], start: int, source: str) -> Iterator[tuple[Any, Span]]:
    place, read = start + 1, json.JSONDecoder()
    for _ in values:
        while source[place] in " \t\r\n,":
            place += 1
        entry, end = read.raw_decode(source, place)
        yield entry, (place, end)
        place = end


def _strict_value(text: str) -> Iterator[tuple[Any, Span, str]]:
    """The JSON that all of the text is, or all that a code fence holds."""
    start, stop = len(text) - len(text.lstrip()), len(text.rstrip())
    fence = _FENCE.match(text, start)
    if fence is not None:
        start = fence.end()
        inner = text[start:stop].removesuffix("```")
        stop = start + len(inner.rstrip())
    try:
        yield json.loads(text[start:stop]), (start, stop), text
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of thousands of digits
        raise _no_json(error, text) from None


def _loose_values(text: str) -> Iterator[tuple[Any, Span, str]]:
    """Every JSON list or object of the text, with what stands between them left out; at least one."""
    source, place, read, count = _LOOSE.sub(_tightened, text), 0, json.JSONDecoder(), 0
    while True:
        bracket = _BRACKET.search(source, place)
        if bracket is None:
            break
        start = bracket.start()
        try:
            value, place = read.raw_decode(source, start)
        except (ValueError, RecursionError) as error:
            raise _no_json(error, text) from None
        count += 1
        yield value, (start, place), source
    if not count:
        raise ModelOutputError("the reply holds no JSON; expected a list of {'bbox_2d': ...}", text)


def _tightened(found: re.Match[str]) -> str:
    """Loosely written JSON as JSON, character for character."""
    if found["text"] is not None:
        return found["text"]
    return " " if found["quoted"] is None else f'"{found["quoted"]}"'


def _no_json(error: Exception, text: str) -> ModelOutputError:
    return ModelOutputError(f"the reply is no JSON ({error}); expected a list of {{'bbox_2d': ...}}", text)


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e9 for n in value)
    )


def _whole(item: Pointed, frame: Frame, limit: np.ndarray) -> list[int]:
    """The upright box of an object in whole numbers of the text's frame: x0, y0, x1, y1."""
    points = frame.from_scene(np.asarray(item.points_px, dtype=np.float64))
    if not len(points) or not np.isfinite(points).all():
        raise UsageError("an object to encode has no points, or one that is not finite")
    rounded = np.clip(np.floor(points + 0.5), 0, limit)
    return [int(v) for v in (*rounded.min(axis=0), *rounded.max(axis=0))]


def _box(numbers: Sequence[float], limit: np.ndarray, frame: Frame, label: str | None, span: Span, raw: str) -> Pointed:
    points = np.array(numbers, dtype=np.float64).reshape(2, 2)
    slack = _SLACK * limit
    if not np.isfinite(points).all() or (points < -slack).any() or (points > limit + slack).any():
        raise ModelOutputError(
            f"the box {list(numbers)!r} is far outside 0-{limit[0]:g} by 0-{limit[1]:g}; "
            "does the checkpoint write its coordinates in another convention?", raw,
        )  # fmt: skip
    corners = corners_to_box(frame.to_scene(np.clip(points, 0, limit))).reshape(2, 2)
    return Pointed("box", corners, None, label, span)
