"""The words of the builder as typed nodes: directions, amounts with units, conditions and sets in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar, cast

from pydantic import ValidationError

from ..core.conditions import (
    Comparison,
    Condition,
    CountTest,
    Direction,
    Node,
    Pick,
    Quantity,
    Selection,
    all_of,
    conjuncts,
)
from ..core.errors import QueryError, UsageError
from ..core.inflection import plural, singular
from ..core.plan import describe_faults
from ..core.wording import words
from ..core.wording_tables import FROM, SUPERLATIVES
from .builder_values import positive, shown, whole, word_of
from .parser import parse
from .parsing.checks import exclude_each_other
from .parsing.tokens import Token, tokenize
from .parsing.vocabulary import AMOUNTS, ATTRIBUTES, PLACES, UNITS, UPRIGHT

N = TypeVar("N", bound=Node)
OPS: tuple[Comparison, ...] = (">", ">=", "<", "<=", "==")
_STAND_IN = "object"  # the noun that a condition in words is read after
_OWN_NOUN = re.compile(rf"\b{_STAND_IN}s?\b", re.IGNORECASE)
_COPULA = re.compile(r"\s*(?:that|which|who)?\s*\b(?:are|is)\b\s+", re.IGNORECASE)
_EACH_OTHER = re.compile(r"\b(?:each other|one another)\b", re.IGNORECASE)
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


def checked(kind: type[N], **fields: Any) -> N:
    """A node of that kind. Raises UsageError that lists every fault, in the caller's words."""
    try:
        return kind(**fields)
    except ValidationError as error:
        parts = describe_faults(error) if any(fault["loc"] for fault in error.errors()) else ""
        whole = [fault["msg"].removeprefix("Value error, ") for fault in error.errors() if not fault["loc"]]
        raise UsageError("; ".join([*whole, *([parts] if parts else [])])) from None


def direction(text: str) -> Direction:
    """The direction that a word names: "east", "right", "NE", "upper left", "above".

    Example:
        >>> direction("east"), direction("north-west")
        ('right', 'above left')
    """
    tokens = _tokens(text)
    for table in (PLACES, UPRIGHT):
        found = table.match(tokens, 0)
        if found is not None and found[1] == len(tokens):
            return found[0]
    raise UsageError(f"a direction is a word such as 'east', 'north-west', 'left' or 'above', not {shown(text)}")


def _tokens(text: Any) -> list[Token]:
    """The tokens of words; none for what is no text, or has no letter."""
    return tokenize(text) if isinstance(text, str) and any(map(str.isalpha, text)) else []


def quantity(amount: str | float | Quantity, unit: str | None = None) -> Quantity:
    """An amount with its unit, from "40 m", (40, "m"), "2.5 ha" or a `Quantity`.

    Example:
        >>> quantity("1,200 square feet")
        Quantity(value=1200.0, unit='ft2')
    """
    if isinstance(amount, Quantity):
        return amount
    if isinstance(amount, str):
        found = re.fullmatch(r"\s*(\d+(?:,\d{3})*(?:\.\d+)?)\s*([^\d\s].*?)?\s*", amount)
        if found is None or (found[2] and unit):
            raise UsageError(f"an amount is a number and a unit, such as '40 m' or '2.5 ha', not {amount!r}")
        amount, unit = float(found[1].replace(",", "")), found[2] or unit
    value = positive(amount, "an amount", "'40 m' or '2.5 ha'", zero=True)
    if unit is None:
        raise UsageError(f"{value:g} of what? Say '{value:g} m' or '{value:g} px'")
    tokens = _tokens(unit)
    known = UNITS.match(tokens, 0)
    if known is None or known[1] != len(tokens):
        raise UsageError(f"{shown(unit)} is no unit; units are: {', '.join(dict.fromkeys(UNITS.entries.values()))}")
    return checked(Quantity, value=value, unit=known[0])


def comparison(text: str) -> Comparison:
    """A comparison, from ">=", "at least", "more than" and the like.

    Example:
        >>> comparison("at least"), comparison("=")
        ('>=', '==')
    """
    signs = {"=": "==", "≥": ">=", "≤": "<="} | {op: op for op in OPS}
    if isinstance(text, str) and text.strip() in signs:
        return cast(Comparison, signs[text.strip()])
    tokens = _tokens(text)
    found = AMOUNTS.match(tokens, 0)
    if found is None or found[1] != len(tokens):
        raise UsageError(f"a comparison is one of {', '.join(OPS)} or words such as 'at least', not {shown(text)}")
    return found[0]


def count_test(text: str | CountTest) -> CountTest:
    """A test of how many, from "more than 5", "at least two", ">= 3", "exactly 1", "no".

    Example:
        >>> count_test("at least two")
        CountTest(op='>=', n=2)
    """
    if isinstance(text, CountTest):
        return text
    spaced = re.sub(r"==", "=", text).strip() if isinstance(text, str) else ""
    test = None
    if spaced:
        try:
            test = parse(f"are there {spaced} {plural(_STAND_IN)}?").outputs[0].test
        except QueryError:
            test = None
    if test is None:
        raise UsageError(f"a test of how many is e.g. 'more than 5', 'at least two', '>= 3' or 'no', not {shown(text)}")
    return test


def rank(word: str, first: int = 1, count: int = 1, reference: Selection | None = None) -> Pick:
    """The ranks that a superlative or a side names: "largest", "leftmost", "left" (counted from the left).

    Example:
        >>> rank("left", first=3).by
        'x'
    """
    table = {name: key for key, name in SUPERLATIVES.items()} | {name: key for key, name in FROM.items()}
    plain = word.strip().lower() if isinstance(word, str) else word
    for lead in ("the ", "from the ", "from ") if isinstance(word, str) else ():
        plain = plain.removeprefix(lead)
    by, order = table[word_of(plain, sorted(table), "a rank")]
    first = whole(first, "the first rank", "nth(2, 'largest')")
    count = whole(count, "how many to take", "largest(2)")
    return checked(Pick, by=by, order=order, first=first, count=count, reference=reference)


# ---- words ---------------------------------------------------------------------------------------------------


def plain_name(text: str) -> str:
    """A name in the singular and lower case, such as a class of things has. Raises UsageError for what is no name.

    Example:
        >>> plain_name("Isolated_Planes")
        'isolated plane'
    """
    if not isinstance(text, str) or not any(char.isalpha() for char in text):
        raise UsageError(f"a class name is a word or two such as 'plane' or 'storage tank', not {shown(text)}")
    name = " ".join(text.lower().replace("_", " ").split())
    if name.split()[0] in ("the", "a", "an", "all", "every", "each", "both", "any", "some", "these", "those"):
        raise UsageError(_more_than_a_name(text))
    return singular(name)


def class_name(text: str) -> str:
    """A class name as the condition tree has it: lower case, in the singular.

    Raises:
        UsageError: empty, or more than a class name.

    Example:
        >>> class_name("Storage Tanks")
        'storage tank'
    """
    name = plain_name(text)
    try:
        found = parse(text.lower().replace("_", " ")).outputs[0].target
    except QueryError:
        return name
    adjectives = all(len(type(part).model_fields) == 2 and hasattr(part, "word") for part in conjuncts(found.where))
    if len(found.phrases) > 1 or found.picks or found.expected or not adjectives:
        raise UsageError(_more_than_a_name(text))
    return name


def _more_than_a_name(text: str) -> str:
    return f"{text!r} is more than a class name; say g.find({text!r}), or g.ground(...) and its conditions"


def set_in_words(text: str) -> Selection:
    """The set that a noun phrase names: "the river", "the two largest ships near the harbour".

    Raises:
        QueryError: words that are not understood.
        UsageError: it is no noun phrase but a question or several requests.

    Example:
        >>> set_in_words("the river").expected
        1
    """
    if not isinstance(text, str):
        raise UsageError(f"a set in words is a noun phrase such as 'the two largest ships', not {shown(text)}")
    outputs = parse(text).outputs
    if len(outputs) != 1 or outputs[0].verb != "detect":
        raise UsageError(f"a set in words is a noun phrase such as 'the two largest ships', not {text!r}")
    return outputs[0].target


def condition_in_words(text: str, phrases: tuple[str, ...]) -> tuple[Condition | None, tuple[Pick, ...]]:
    """What a condition in words means: a condition, or ranks ("nearest to the bridge"), or both.

    Args:
        text: a formula ("length > 40 m", "20 m < length <= 40 m") or what may follow "that are" in a query.
        phrases: the classes it is asked of, for "next to each other", "larger than average", "than the ones there".

    Raises:
        QueryError: words that are not understood, with their place in `text`.

    Example:
        >>> words(condition_in_words("length >= 40 m and red", ("plane",))[0])
        'at least 40 m long and red'
    """
    if not text.strip():
        raise UsageError("the condition is empty; say e.g. 'length > 40 m', 'red' or 'in the top half'")
    lead = f"the {_STAND_IN} that is "
    start = match.end() if (match := _COPULA.match(text)) else 0
    plain, places = _formulas_in_words(text, start)
    if plain.startswith("whose "):
        lead = f"the {_STAND_IN} "
    try:
        outputs = parse(lead + plain).outputs
    except QueryError as error:
        message = str(error).replace("'that is ", "'")
        raise QueryError(message, text, _moved(error.spans, len(lead), places, len(text))) from None
    target = outputs[0].target
    others = [name for output in outputs for name in output.target.phrases if name != _STAND_IN]
    if others or len(outputs) > 1 or outputs[0].verb != "detect" or not (target.where or target.picks):
        _refuse_other_nouns(text, others)
    if _OWN_NOUN.search(text) and not _EACH_OTHER.search(text):
        return target.where, target.picks
    own = _renamed(target, phrases)
    return own.where, own.picks


def _refuse_other_nouns(text: str, nouns: list[str]) -> NoReturn:
    """Raises QueryError for words that were taken for another thing to look for, or for another request."""
    place = text.lower().find(nouns[0].split()[0]) if nouns else -1
    shown = text[place:] if place >= 0 else text
    hint = "; for another set use a | b" if nouns else ""
    raise QueryError(
        f"a condition is e.g. 'length > 40 m', 'red' or 'near the river', not {shown!r}{hint}",
        text,
        [(max(place, 0), len(text))],
    )


def _formulas_in_words(text: str, start: int) -> tuple[str, list[int]]:
    """The text from `start` with formulas as the grammar has them ("whose length > 40 m"), and each letter's origin."""
    names = "|".join(sorted(map(re.escape, ATTRIBUTES.entries), key=len, reverse=True))
    amount = r"\d[\d.,]*\s*[A-Za-z]+[2²]?"
    sign = r"(?:>=|<=|==|[<>=≤≥])"
    pattern = re.compile(
        rf"(?P<low>{amount})\s*(?P<flip>{sign})\s*(?P<chained>{names})\b(?P<rest>\s*{sign})?"
        rf"|(?:^|(?<=[(,])|(?<=\band)|(?<=\bor)|(?<=\bbut)|(?<=\bnot))(?P<space>\s*)(?P<name>{names})\b(?=\s*\S)"
        r"|(?P<same>==)",
        re.IGNORECASE,
    )
    out: list[str] = []
    places: list[int] = []

    def put(piece: str, origin: int, moves: bool) -> None:
        out.append(piece)
        places.extend(origin + (k if moves else 0) for k in range(len(piece)))

    at = start
    body = text[start:]
    for found in pattern.finditer(body):
        begin = start + found.start()
        put(text[at:begin], at, True)
        if found["same"]:
            put("=", begin, False)
        elif found["name"]:
            put(f"{found['space']}whose ", begin, False)
            put(found["name"], start + found.start("name"), True)
        else:
            sign_out = _FLIPPED[found["flip"].replace("≤", "<=").replace("≥", ">=").replace("==", "=")]
            put(f"whose {found['chained'].lower()} {sign_out} ", begin, False)
            put(found["low"], start + found.start("low"), True)
            if found["rest"]:
                put(f" and whose {found['chained'].lower()} ", begin, False)
                put(found["rest"].strip().replace("==", "="), start + found.start("rest"), False)
        at = start + found.end()
    put(text[at:], at, True)
    return "".join(out), places


def _moved(spans: Iterable[tuple[int, int]], lead: int, places: list[int], size: int) -> list[tuple[int, int]]:
    """Spans of the sentence that was read as spans of the text as given; those outside of it are left out."""
    moved = []
    for start, stop in spans:
        inside = places[max(0, start - lead) : max(0, stop - lead)]
        if inside:
            moved.append((min(inside), min(size, max(inside) + 1)))
    return moved


def _renamed(node: N, phrases: tuple[str, ...]) -> N:
    """The tree with the stand-in noun replaced by the classes that are meant."""
    changes: dict[str, object] = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        if isinstance(value, Node):
            changes[name] = _renamed(value, phrases)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[name] = tuple(_renamed(item, phrases) for item in value)
        elif name == "phrases" and value == (_STAND_IN,):
            changes[name] = phrases
    return node.model_copy(update=changes)


# ---- joining -------------------------------------------------------------------------------------------------


def joined(conditions: Iterable[Condition | None]) -> Condition | None:
    """All of the conditions, flat and each once; None for none.

    Raises:
        UsageError: two of them can never both hold.
    """
    parts = tuple(dict.fromkeys(part for condition in conditions for part in conjuncts(condition)))
    for index, first in enumerate(parts):
        for second in parts[index + 1 :]:
            if exclude_each_other(first, second):
                raise UsageError(
                    f"nothing can be both {words(first)!r} and {words(second)!r}; use a union, or drop one"
                )
    return all_of(parts)
