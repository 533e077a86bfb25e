"""Number in English: singular and plural of class names, numbers and ordinals in words.

Rules and a short list of irregular nouns; enough for names of things seen from above, where `singular(plural(x)) == x`.
"""

from __future__ import annotations

_IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "wharf": "wharves",
    "leaf": "leaves",
    "half": "halves",
    "loaf": "loaves",
    "shelf": "shelves",
    "wolf": "wolves",
    "calf": "calves",
    "bus": "buses",
    "minibus": "minibuses",
    "trolleybus": "trolleybuses",
    "gas": "gases",
    "lens": "lenses",
    "campus": "campuses",
    "foot": "feet",
    "mouse": "mice",
    "goose": "geese",
    "movie": "movies",
    "tie": "ties",
    "pie": "pies",
    "canoe": "canoes",
    "shoe": "shoes",
    "oboe": "oboes",
    "cache": "caches",
    "matrix": "matrices",
    "taxi": "taxis",
    "ski": "skis",
    "crisis": "crises",
    "oasis": "oases",
}
_SINGULARS = {plural: single for single, plural in _IRREGULAR.items()}
_INVARIANT = frozenset(
    [
        "aircraft",
        "spacecraft",
        "hovercraft",
        "watercraft",
        "sheep",
        "deer",
        "fish",
        "series",
        "species",
        "water",
        "grass",
        "sand",
        "vegetation",
        "farmland",
        "traffic",
        "debris",
        "machinery",
        "equipment",
        "woodland",
        "livestock",
        "land",
        "rubble",
    ]
)
_ES_ENDINGS = ("s", "x", "z", "ch", "sh")
_CARDINALS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ORDINALS = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]


def _head(phrase: str) -> tuple[str, str, str]:
    """What stands before the word that takes the ending, that word, what stands after ("body" in "body of water")."""
    cut = phrase.find(" of ")
    front, tail = (phrase, "") if cut < 0 else (phrase[:cut], phrase[cut:])
    start = max(front.rfind(" "), front.rfind("-")) + 1
    return front[:start], front[start:], tail


def _plural_word(word: str) -> str:
    if word in _INVARIANT or not word:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(_ES_ENDINGS):
        found = word + "es"
    elif word.endswith("y") and len(word) > 1 and word[-2] not in "aeiou":
        found = word[:-1] + "ies"
    else:
        found = word + "s"
    return found if word[-1].isalpha() and _singular_word(found) == word else word  # "t72", "ai": no plural to tell


def _singular_word(word: str) -> str:
    if word in _INVARIANT or word in _IRREGULAR:
        return word
    if word in _SINGULARS:
        return _SINGULARS[word]
    if len(word) < 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "zzes", "ches", "shes", "uses", "ises")) and not word.endswith(
        ("houses", "ouses", "axes", "rises", "ruises")
    ):
        return word[:-2]
    return word[:-1]


def plural(phrase: str) -> str:
    """The plural of a singular noun phrase: "storage tank" -> "storage tanks", "body of water" -> "bodies of water"."""
    before, word, after = _head(phrase)
    return before + _plural_word(word) + after


def singular(phrase: str) -> str:
    """The singular of a noun phrase in either number: "ferries" -> "ferry", "bus" -> "bus"."""
    before, word, after = _head(phrase)
    return before + _singular_word(word) + after


def is_plural(phrase: str) -> bool | None:
    """Whether the noun phrase stands in the plural; None when its form doesn't tell ("aircraft")."""
    word = _head(phrase)[1]
    if _singular_word(word) != word:
        return True
    return None if _plural_word(word) == word else False


def cardinal(n: int) -> str:
    """A whole number in words up to twelve, in digits beyond: 3 -> "three", 40 -> "40"."""
    return _CARDINALS[n] if 0 <= n < len(_CARDINALS) else str(n)


def ordinal(n: int) -> str:
    """A rank in words up to twelfth, beyond that like "22nd"."""
    if 0 <= n < len(_ORDINALS):
        return _ORDINALS[n]
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
