"""Words of two dates, and what is read off tokens before the grammar: where names begin, where clauses end."""

from __future__ import annotations

from collections.abc import Sequence

from .reserved import ADJECTIVES, RESERVED
from .tokens import Token
from .verbs import EVERYTHING
from .vocabulary import SUPERLATIVES

_NEW = "appeared built constructed erected added arrived emerged"
_GONE = "disappeared vanished demolished removed destroyed departed razed missing gone lost"
_ALTERED = "altered modified rebuilt extended enlarged replaced"
_CHANGED = "changed different"
VERBS_OF_CHANGE = {
    word: meant
    for meant, told in (("new", _NEW), ("gone", _GONE), ("altered", _ALTERED), ("changed", _CHANGED))
    for word in told.split()
}
SPEAKING = frozenset(VERBS_OF_CHANGE) | set(
    "new gone change changes changed compare identical happened differs".split()
)
SINGLE = "image picture photo scene date frame".split()
SETS = ("all", "any", "a", "an", "the", "these", "those", "some", "every", "no", "both")
TELLING = tuple("me us show find detect segment outline highlight mark map list count describe".split())
_UNNAMED = (*EVERYTHING, "earlier", *"zero thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())
_RANKED = frozenset(phrase.split()[0] for phrase in SUPERLATIVES.entries)


def texts_of(tokens: Sequence[Token]) -> list[str]:
    """What the tokens say."""
    return [token.text for token in tokens]


def put(tokens: list[Token], at: int, length: int, said: str) -> list[Token]:
    """The tokens with `length` of them replaced by words, which take their place."""
    span = tokens[at : at + max(1, length)] or tokens[-1:]
    words = [Token(word, span[0].start, span[-1].stop, "word") for word in said.split()]
    return [*tokens[:at], *words, *tokens[at + length :]]


def find(tokens: Sequence[Token], phrase: str, at: int = 0) -> int | None:
    """Where the phrase stands, from a place on."""
    wanted, texts = phrase.split(), texts_of(tokens)
    return next((i for i in range(at, len(texts) - len(wanted) + 1) if texts[i : i + len(wanted)] == wanted), None)


def is_name(tokens: Sequence[Token], at: int) -> bool:
    """Whether the word there is none of the grammar's, nor tells a change."""
    return tokens[at].kind == "word" and not any(tokens[at].text in each for each in (RESERVED, SPEAKING, _UNNAMED))


def name_start(tokens: Sequence[Token], stop: int) -> int:
    """Where the name that ends at a place begins; the place itself where none does."""
    while stop and (last := tokens[stop - 1]).kind == "word" and last.text not in RESERVED and last.text != "compare":
        stop -= 1
    return stop


def only_name(tokens: Sequence[Token]) -> int | None:
    """Where the only name in a sentence begins, commas left out; None for none or several."""
    rest = [token for token in tokens if token.text != ","]
    starts = [at for at in range(len(rest)) if is_name(rest, at) and not (at and is_name(rest, at - 1))]
    return starts[0] if len(starts) == 1 else None


def ends(rest: list[str]) -> bool:
    """Whether no noun follows: "between the two" is not "between the two rivers", nor "... the two largest halls"."""
    if not rest or not rest[0].isalpha():
        return True
    return rest[0] in RESERVED and not any(rest[0] in table for table in (VERBS_OF_CHANGE, ADJECTIVES.entries, _RANKED))
