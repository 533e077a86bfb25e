"""Words of direction under the eight ways to turn a picture on its sides: "left of" becomes "right of" in a mirror.

What a picture's pixels do, its words have to do too: left and right, above and below, the compass, corners, halves and
cells, ordinals ("third from the left"), horizontal and vertical. Sizes, colours, shapes, "near", "between" and "in a
row" stay as they are. What nobody can turn safely is refused with its reason, never guessed: "clockwise", "facing",
"behind", "left" where it names no place, coordinates in the words, names such as "North Sea", other scripts than
Latin's. English only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ...core.errors import UsageError
from .turning_words import (
    ABBREVIATED,
    AFTER_A_SIDE,
    BEFORE_A_PLACE,
    FLOORS,
    IMAGES,
    KEPT,
    LETTERS,
    NO_SIDE_AFTER,
    NUMBERS,
    OPPOSED,
    PLACES,
    REFUSED,
    SCREEN,
    SIDEWAYS,
    SINGLE,
    TABLES,
    UNITS,
    UP_AND_DOWN,
    Vector,
)

Name = Literal["left-right", "up-down", "quarter", "half", "three-quarters", "transpose", "anti-transpose"]
NAMES: tuple[Name, ...] = get_args(Name)
_MATRICES: dict[Name, tuple[int, int, int, int]] = {
    "left-right": (-1, 0, 0, 1),
    "up-down": (1, 0, 0, -1),
    "quarter": (0, -1, 1, 0),
    "half": (-1, 0, 0, -1),
    "three-quarters": (0, 1, -1, 0),
    "transpose": (0, 1, 1, 0),
    "anti-transpose": (0, -1, -1, 0),
}
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,]\d+)*|\S")
_COORDINATES = re.compile(r"[\[(<{]\s*-?\d+(?:\.\d+)?\s*,|<\||\[\s*\(")


class Unturnable(UsageError):
    """Words that cannot be turned safely. `reason` says why in words that can be counted."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{text!r} cannot be turned: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Turn:
    """One way to turn a picture: mirrored, or by quarters clockwise on screen.

    Attributes:
        name: "left-right" and "up-down" mirror, "quarter" ("half", "three-quarters") turns clockwise by 90 (180, 270)
            degrees, "transpose" mirrors at the falling diagonal, "anti-transpose" at the rising one.

    Raises:
        UsageError: another name.
    """

    name: Name

    def __post_init__(self) -> None:
        if self.name not in _MATRICES:
            raise UsageError(f"the turn is {self.name!r}, expected one of: {', '.join(NAMES)}")

    @property
    def matrix(self) -> np.ndarray:
        """(2, 2) int, of directions: x right, y down."""
        return np.array(_MATRICES[self.name]).reshape(2, 2)

    @property
    def swaps_axes(self) -> bool:
        """Whether width becomes height."""
        return _MATRICES[self.name][0] == 0

    @property
    def mirrors(self) -> bool:
        """Whether letters come out mirrored."""
        a, b, c, d = _MATRICES[self.name]
        return a * d - b * c < 0

    def direction(self, vector: Vector) -> Vector:
        """Where something that lay in that direction lies afterwards."""
        a, b, c, d = _MATRICES[self.name]
        return a * vector[0] + b * vector[1], c * vector[0] + d * vector[1]

    def size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the turned picture."""
        return (size_wh[1], size_wh[0]) if self.swaps_axes else size_wh

    def points(self, points_px: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
        """(N, 2) px of the picture -> px of the turned one; exact for whole numbers and halves.

        Example:
            >>> Turn("quarter").points(np.array([[10.0, 0.0]]), (100, 50)).tolist()
            [[50.0, 10.0]]
        """
        middle, after = np.array(size_wh) / 2, np.array(self.size(size_wh)) / 2
        return (np.asarray(points_px, dtype=np.float64) - middle) @ self.matrix.T + after

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """(H, W, ...) -> the turned array, its own memory."""
        a, b, c, d = _MATRICES[self.name]
        turned = np.swapaxes(image, 0, 1) if self.swaps_axes else image
        across, down = (b, c) if self.swaps_axes else (a, d)
        return turned[:: down or 1, :: across or 1].copy()


def turned_words(text: str, turn: Turn) -> str:
    """The words that are true of the turned picture where these are true of the picture.

    Raises:
        Unturnable: nobody can tell; the reason names the word.

    Example:
        >>> turned_words("the third plane from the left, north-west of the tower", Turn("quarter"))
        'the third plane from the top, north-east of the tower'
        >>> turned_words("ships to the left of the largest pier", Turn("quarter"))
        'ships above the largest pier'
    """
    return _Reader(text, turn).turned()


def tells_directions(text: str) -> bool:
    """Whether the words say a direction or a place in the picture, or may do so."""
    if re.search(r"\b(?:edges?|borders?|corners?|boundar(?:y|ies)|margins?|rim|diagonal(?:ly)?|upright)\b", text, re.I):
        return True
    try:
        return any(turned_words(text, Turn(name)) != text for name in ("left-right", "quarter"))
    except Unturnable:
        return True


class _Reader:
    """Goes over the words once, from left to right."""

    def __init__(self, text: str, turn: Turn) -> None:
        self.text, self.turn = text, turn
        found = list(_TOKEN.finditer(text))
        self.words = [each.group() for each in found]
        self.low = [word.lower() for word in self.words]
        self.spans = [each.span() for each in found]
        self.at = 0
        self.written: list[str] = []
        self.stop = 0  # of what is written

    def turned(self) -> str:
        if _COORDINATES.search(self.text):
            self.refuse("coordinates in the words")
        if any(letter.isalpha() and ord(letter) > 0x24F for letter in self.text):
            self.refuse("words that are not English")
        while self.at < len(self.words):
            if not (self.kept() or self.amount() or self.of_side() or self.further() or self.diagonal() or self.one()):
                self.check_plain(self.at)
                self.put(1, self.words[self.at])
        return "".join(self.written) + self.text[self.stop :]

    # ---- small parts

    def refuse(self, reason: str) -> None:
        raise Unturnable(reason, self.text)

    def put(self, count: int, text: str) -> None:
        """Writes `text` in place of the next words, in their case, with what stood before them."""
        first, last = self.spans[self.at][0], self.spans[self.at + count - 1][1]
        word = self.words[self.at]
        if word.isupper() and len(word) > 1:
            text = text.upper()
        elif word[0].isupper():
            text = text[:1].upper() + text[1:]
        if self.ahead(-1) in ("a", "an") and text.lower() != word.lower():
            self.written[-1] = self.written[-1][0] + ("n" if text[0].lower() in "aeiou" else "")
        self.written += [self.text[self.stop : first], text]
        self.stop, self.at = last, self.at + count

    def ahead(self, offset: int = 0) -> str:
        """A word by its distance from the one at hand; "" beyond the ends."""
        index = self.at + offset
        return self.low[index] if 0 <= index < len(self.low) else ""

    def takes(self, *wanted: str | tuple[str, ...], at: int = 0) -> bool:
        return all(self.ahead(at + i) in ((w,) if isinstance(w, str) else w) for i, w in enumerate(wanted))

    def image_follows(self, at: int) -> bool:
        """ "of the image" at that distance."""
        return self.takes(("of", "in"), ("the", "this"), at=at) and self.ahead(at + 2) in IMAGES

    def vector(self, word: str) -> Vector:
        return self.turn.direction(OPPOSED[word] if word in OPPOSED else SINGLE[word][1])

    # ---- what is not a direction

    def kept(self) -> bool:
        for phrase in KEPT:
            is_side = phrase[0] == "right" and phrase[1] in AFTER_A_SIDE and self.ahead(-1) == "the"
            if self.takes(*phrase) and not is_side:  # "the second from the right in the harbour"
                first, last = self.spans[self.at][0], self.spans[self.at + len(phrase) - 1][1]
                self.put(len(phrase), self.text[first:last])
                return True
        return False

    def amount(self) -> bool:
        """ "above 40 m", "40 m or below", "below average": amounts."""
        if self.ahead() not in ("above", "below", "under"):
            return False
        after, before = self.ahead(1), self.ahead(-2)
        number = after[:1].isdigit() or after in NUMBERS
        trailing = self.ahead(-1) in ("or", "and") and (before[:1].isdigit() or before in UNITS)
        if number or trailing:
            self.put(1, self.words[self.at])
        return number or trailing

    def check_plain(self, index: int) -> None:
        """Refuses a word that says a direction nobody can turn."""
        word, own = self.low[index], self.words[index]
        if word in REFUSED or (len(word) == 1 and own in "NSEW"):
            self.refuse(f"the word {word!r}")
        if word in ("n", "s", "e", "w"):
            self.refuse(f"the letter {word!r}")
        if self.turn.mirrors and (word in LETTERS or (word in ("s", "z") and self.ahead(1) == "-")):
            self.refuse("letters in a mirror")
        if self.turn.swaps_axes and word in ("column", "columns"):
            self.refuse(f"the word {word!r}")

    # ---- directions of several words

    def of_side(self) -> bool:
        """ "to the left of X" and "above X": when width becomes height, one is said like the other."""
        if not self.turn.swaps_axes:
            return False
        led = 2 if self.takes(("to", "on", "at"), "the") else 0
        side, next_ = self.ahead(led), led + 1
        if self.takes("from", "the", at=-2):  # "second from the left of the largest three"
            return False
        if side in SIDEWAYS and self.takes("of", at=next_) and not self.image_follows(next_):
            if led == 0 and self.ahead(-1) in NO_SIDE_AFTER:
                self.refuse(f"'{side} of' after {self.ahead(-1)!r}")
            joined = self.takes("and", tuple(OPPOSED), at=next_ + 1)
            if joined:
                return self.both(side, self.ahead(next_ + 2), next_ + 3)
            self.put(next_ + 1, UP_AND_DOWN[self.vector(side)])
            return True
        if led and side in SIDEWAYS and self.takes("and", tuple(OPPOSED), at=next_):
            return self.both(side, self.ahead(next_ + 1), next_ + 2)
        if self.ahead() in OPPOSED:
            for between in (("and", "to", "the"), ("and",), ("to", "the"), ()):
                step = 1 + len(between)
                if self.takes(*between, SIDEWAYS, "of", at=1):
                    return self.both(self.ahead(step), self.ahead(), step + 2)
            if self.ahead(-1) == "the" or self.ahead(1) in ("", ".", ",", ";", "?", "!", ")", "and", "or"):
                self.refuse(f"{self.ahead()!r} without a thing")
            self.put(1, {(-1, 0): "left of", (1, 0): "right of"}[self.vector(self.ahead())])
            return True
        if side in ("top", "bottom") and self.takes("of", at=next_) and not self.image_follows(next_):
            self.refuse(f"'{side} of' a thing")
        return False

    def both(self, side: str, upright: str, count: int) -> bool:
        """ "above and to the left of"."""
        x, y = self.vector(side), self.vector(upright)
        vector = (x[0] + y[0], x[1] + y[1])
        self.put(count, f"to the {'upper' if vector[1] < 0 else 'lower'} {'left' if vector[0] < 0 else 'right'} of")
        return True

    def further(self) -> bool:
        """ "further left than", "further up than", "highest up"."""
        if self.takes(("highest",), "up") or self.takes(("lowest",), "down"):
            vector = self.turn.direction((0, -1) if self.ahead() == "highest" else (0, 1))
            words = {(0, -1): "highest up", (0, 1): "lowest down", (-1, 0): "furthest left", (1, 0): "furthest right"}
            self.put(2, words[vector])
            return True
        if self.ahead() not in ("further", "farther"):
            return False
        step = 3 if self.takes("to", "the", at=1) else 1
        word = self.ahead(step)
        if word in ("up", "down") or (word in SIDEWAYS and self.ahead(step + 1) != "of"):
            vector = (
                self.turn.direction((0, -1 if word == "up" else 1)) if word in ("up", "down") else self.vector(word)
            )
            if self.turn.swaps_axes or word in ("up", "down"):
                said = {(0, -1): "up", (0, 1): "down", (-1, 0): "left", (1, 0): "right"}[vector]
                self.put(step + 1, f"{self.ahead()} {said}")
                return True
        return False

    # ---- directions of one or two words

    def diagonal(self) -> bool:
        """ "upper left", "left-top", "north-west", with what joins the two kept."""
        step = 2 if self.ahead(1) == "-" else 1
        first, second = self.ahead(), self.ahead(step)
        tables = [SINGLE[word][0] if word in SINGLE else "" for word in (first, second)]
        if not all(tables) or not self.glued(step) or SINGLE[second][2] != SINGLE[first][2]:
            return False
        a, b = SINGLE[first][1], SINGLE[second][1]
        if a[0] * b[0] + a[1] * b[1] or (0 in a) != (0 in b):  # "north-south" is no diagonal
            return False
        if self.takes("from", "the", at=-2) and self.ahead(step + 1) == "of" and not self.image_follows(step + 1):
            return False
        if SINGLE[first][2] == "screen":
            self.check_place(step)
        a, b = self.turn.direction(a), self.turn.direction(b)
        upright_first = SINGLE[first][1][1] != 0
        if (a[1] != 0) != upright_first:
            a, b = b, a
        # the upright word's table ("top" or "upper") says how the upright one of the outcome is called
        name = tables[0] if upright_first else tables[1]
        joint = self.text[self.spans[self.at][1] : self.spans[self.at + step][0]]
        self.check_name(self.at)
        self.put(step + 1, f"{_said(name, a)}{joint}{_said(name, b)}")
        return True

    def glued(self, step: int) -> bool:
        """Whether only a space or hyphen stands between the word at hand and the one `step` further on."""
        if self.at + step >= len(self.words):
            return False
        return self.text[self.spans[self.at][1] : self.spans[self.at + step][0]].strip() in ("", "-")

    def one(self) -> bool:
        """One word."""
        word = self.ahead()
        if word in ABBREVIATED:
            self.put(
                1, {vector: short for short, vector in ABBREVIATED.items()}[self.turn.direction(ABBREVIATED[word])]
            )
            return True
        if word in ("horizontal", "horizontally", "vertical", "vertically"):
            swapped = {"horizontal": "vertical", "vertical": "horizontal"}[word.removesuffix("ly")]
            self.put(1, swapped + word[len(word.removesuffix("ly")) :] if self.turn.swaps_axes else word)
            return True
        if word in OPPOSED:  # of a turn that keeps the axes
            if self.ahead(-1) == "the" or self.turn.swaps_axes:
                self.refuse(f"{word!r} where it names no thing")
            self.put(1, UP_AND_DOWN[self.turn.direction(OPPOSED[word])])
            return True
        if word not in SINGLE:
            return False
        table, vector, kind = SINGLE[word]
        if kind == "screen" and table in ("screen", "upper"):
            self.check_place(0)
        self.check_name(self.at)
        after = self.turn.direction(vector)
        hand = 0
        if word in SIDEWAYS and self.ahead(1 + (self.ahead(1) == "-")) == "hand":
            hand = 1 + (self.ahead(1) == "-")
        if word in ("top", "bottom") and (self.ahead(1) in NUMBERS or self.ahead(1).isdigit()):
            self.refuse(f"'{word}' before a number")
        if self.turn.swaps_axes and self.ahead(1) in ("row", "rows"):
            self.refuse(f"'{word} {self.ahead(1)}'")
        if hand and after[0] == 0:  # there is no top hand
            self.put(1 + hand, _said(table, after))
        else:
            self.put(1, _said(table, after))
        return True

    def check_place(self, step: int) -> None:
        """Refuses a "left" that does not clearly name a place: "the two left out", "the right decision"."""
        before, after = self.ahead(-1), self.ahead(step + 1)
        if after in FLOORS:
            self.refuse(f"'{self.ahead(step)} {after}'")
        if after in PLACES or (after == "-" and self.ahead(step + 2) in PLACES):
            return
        if len(self.words) == step + 1 or before in BEFORE_A_PLACE or step:
            return
        if self.at == 0 and self.ahead(1) and self.ahead(1).isalpha():
            return
        if (before in ("and", "or") and self.ahead(-2) in SCREEN) or (
            after in ("and", "or") and self.ahead(2) in SCREEN
        ):
            return
        self.refuse(f"the word {self.ahead()!r} where it may be no place")

    def check_name(self, index: int) -> None:
        """Refuses "North Sea" and its like in the middle of a text."""
        own = self.words[index]
        after = self.words[index + 1] if index + 1 < len(self.words) else ""
        if SINGLE[own.lower()][2] == "compass" and own.istitle() and after.istitle() and after.lower() not in PLACES:
            self.refuse("a name with a direction in it")


def _said(table: str, vector: Vector) -> str:
    """A direction in the words of a table."""
    return TABLES[table][vector]
