"""Sentences about annotated objects without any model, and phrases that stay tied to their masks.

A phrase in a text is written with its object's number behind it, "tennis court-3", as in GeoPixelD ("text marking",
GeoPixel section 4.4); `tagged` turns that into "<p> tennis court-3 </p> [SEG]" once nothing is rewritten any more.
Nothing is said here that is not annotated: classes, numbers, places, lengths where the ground sample distance is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from ...core.errors import ModelOutputError
from ...core.inflection import cardinal, plural
from .places import MOSTLY, SCATTERED, half_of
from .views import Item

EXACT = 12
"""More objects are told as "about so many": nobody counts them at a glance."""
_ELONGATED = 2.5
_MOST_CLASSES = 6
_FEW = 4
_MASS = frozenset("water grass sand vegetation farmland woodland land rubble debris".split())


@dataclass(frozen=True)
class Phrase:
    """Words that stand for masks.

    Attributes:
        number: of the object or group in its text, from 1.
        words: without the number: "about 20 small vehicles".
        members: indices of the items that it stands for.
    """

    number: int
    words: str
    members: tuple[int, ...]

    @property
    def marked(self) -> str:
        """As it stands in a text.

        Example:
            >>> Phrase(3, "tennis court", (0,)).marked
            'tennis court-3'
        """
        return f"{self.words}-{self.number}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds it in a text, at the beginning of a sentence too."""
        return re.compile(rf"(?<![\w-]){re.escape(self.marked)}(?![\w-])", re.IGNORECASE)


def tagged(text: str, phrases: Sequence[Phrase]) -> tuple[str, list[Phrase]]:
    """The text with "<p> phrase-N </p> [SEG]" for each phrase, and the phrases in the order of the text.

    Raises:
        ModelOutputError: a phrase is missing or stands there twice, or numbers of phrases that there are not.

    Example:
        >>> tagged("On the right, a court-2 lies.", [Phrase(2, "court", (0,))])[0]
        'On the right, a <p> court-2 </p> [SEG] lies.'
    """
    found: list[tuple[int, int, Phrase]] = []
    for phrase in phrases:
        places = [match.span() for match in phrase.pattern.finditer(text)]
        if len(places) != 1:
            raise ModelOutputError(f"{phrase.marked!r} stands there {len(places)} times, expected once", text)
        found.append((*places[0], phrase))
    found.sort(key=lambda each: each[0])
    parts, last = [], 0
    for start, stop, phrase in found:
        if start < last:
            raise ModelOutputError(f"{phrase.marked!r} lies within another phrase", text)
        parts += [text[last:start], f"<p> {text[start:stop]} </p> [SEG]"]
        last = stop
    return "".join([*parts, text[last:]]), [phrase for _, _, phrase in found]


def unmarked(text: str, phrases: Sequence[Phrase]) -> str:
    """The text without the numbers behind its phrases.

    Example:
        >>> unmarked("The court-2 lies there.", [Phrase(2, "court", (0,))])
        'The court lies there.'
    """
    for phrase in phrases:
        text = phrase.pattern.sub(lambda match: match[0].rpartition("-")[0], text)
    return text


def counted(label: str, count: int, kind: str = "") -> str:
    """So many of a class.

    Example:
        >>> counted("ship", 1), counted("ship", 3, "smaller"), counted("bus", 43), counted("tree", 612)
        ('ship', 'three smaller ships', 'about 45 buses', 'about 600 trees')
    """
    name = f"{kind} {label}".strip()
    if count == 1:
        return name
    if count <= EXACT:
        return f"{cardinal(count)} {plural(name)}"
    return f"about {rounded(count)} {plural(name)}"


def rounded(count: int) -> int:
    """To 5, 10 or 50, by how many there are."""
    step = 5 if count < 50 else 10 if count < 200 else 50
    return (count + step // 2) // step * step


def a(words: str) -> str:
    """With its article: "an airplane", "a ship-3", "water-2".

    Example:
        >>> a("airplane"), a("unit-2"), a("water-2")
        ('an airplane', 'a unit-2', 'water-2')
    """
    if re.sub(r"-\d+$", "", words).split(" ")[-1] in _MASS:
        return words
    return f"{'an' if words[:1].lower() in tuple('aeiou') and not words.startswith('uni') else 'a'} {words}"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(words: str) -> str:
    """Begins with a capital and ends with a point."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def scene_words(items: Sequence[Item]) -> str:
    """What the whole picture shows: classes, how many of each, and where most of them lie."""
    numbers = Counter(item.label for item in items)
    most = sorted(numbers, key=lambda label: (-numbers[label], label))
    told = [a(label) if numbers[label] == 1 else counted(label, numbers[label]) for label in most[:_MOST_CLASSES]]
    if len(most) > _MOST_CLASSES:
        told.append("other objects")
    first = f"This image, taken from above, shows {listed(told)}."
    if len(items) < 3:
        return first
    half = half_of([item.mask for item in items], MOSTLY)
    return f"{first} {'They are spread over the image' if half is None else f'Most of them lie {half}'}."


def one_sentence(name: str, item: Item, place: str, gsd_m: float | None, chance: Random) -> str:
    """About one object by itself; `name` is how it is called in it ("tennis court-3")."""
    ways = (f"the {name} lies {place}", f"there is {a(name)} {place}", f"{place}, {a(name)} can be seen")
    more = _extent(item, gsd_m)
    return sentence(chance.choice(ways) + (f"; it {more}" if more else ""))


def row_sentence(names: Sequence[str], place: str) -> str:
    """About several objects of one class in one place."""
    return sentence(f"the {listed(names)} lie {place}")


def group_sentence(name: str, count: int, place: str, chance: Random, *, is_other: bool = False) -> str:
    """About a group; `name` holds the number ("about 20 small vehicles-4")."""
    if count == 1:
        return sentence(f"there is another {name} {place}" if is_other else f"there is also {a(name)} {place}")
    if place == SCATTERED and count < _FEW:
        return sentence(f"{name} lie in different parts of the image")
    if place == SCATTERED:
        return sentence(f"{name} are scattered {place}")
    return sentence(chance.choice((f"there are {name} {place}", f"{name} are {place}", f"{place} there are {name}")))


def _extent(item: Item, gsd_m: float | None) -> str:
    """How long it is and which way it runs, where that is worth telling."""
    sides = np.roll(item.corners_px, -1, axis=0) - item.corners_px
    lengths = np.linalg.norm(sides, axis=1)
    long = int(np.argmax(lengths[:2]))
    told = []
    if gsd_m is not None and item.shape != "box":
        metres = float(lengths[long]) * gsd_m
        told.append(f"is about {metres:.0f} m long" if metres < 100 else f"is about {round(metres, -1):.0f} m long")
    if lengths[long] >= _ELONGATED * max(1e-9, lengths[1 - long]):
        x, y = sides[long]
        eighth = round(float(np.degrees(np.arctan2(-y, x))) / 45) % 4
        told.append(
            "runs "
            + (
                "from left to right",
                "from the lower left to the upper right",
                "from top to bottom",
                "from the upper left to the lower right",
            )[eighth]
        )
    return " and ".join(told)
