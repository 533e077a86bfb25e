"""A tokenizer as llguidance sees it, and which of its tokens bring a reply to its end.

A grammar is a Lark text in llguidance's dialect, or a JSON schema (a dict; JSON without white space).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import MissingDependency, UsageError

COMMAND = 'pip install "surveyor[llm]"'
# The shape of JSON in training and in replies: no spaces, so that replies are short (and weak models don't emit
# white space for ever).
_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
_TRIED = 24  # tokens tried at a step of the reserve
_LONGEST_END = 512  # tokens of the longest ending looked for
_WALKED = 72  # tokens walked through a grammar to find its reserve
_MARGIN = 4  # of a reserve that was found so
_KEPT = 256  # grammars

Grammar = str | Mapping[str, Any]


class Guide:
    """A tokenizer as llguidance sees it; get one with `Guide.of`. May be shared by threads.

    Attributes:
        vocabulary: tokens of the tokenizer, added ones included; a model's embedding may have more rows.
        ends: the tokens that end a reply.
        end_mask: a mask of them alone.
    """

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        try:
            import llguidance
            import llguidance.hf as hf
        except ImportError:
            raise MissingDependency("replies held to a schema or grammar", COMMAND) from None
        if not ends:
            raise UsageError("the tokenizer has no token that ends a reply; name some with `ends`")
        self._matcher_of = llguidance.LLMatcher
        self._view = hf.from_tokenizer(tokenizer, eos_token=list(ends))
        self.vocabulary = int(self._view.vocab_size)
        self.ends = tuple(ends)
        self._fresh: dict[str, tuple[Any, int]] = {}
        self._classify()

    @classmethod
    def of(cls, tokenizer: Any, ends: Iterable[int] | None = None) -> Guide:
        """The guide of a fast Hugging Face tokenizer, made once for it (a second or two for 150,000 tokens).

        Args:
            ends: tokens that end a reply; None takes the tokenizer's own.

        Raises:
            MissingDependency: llguidance is not installed.
        """
        own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
        key = (len(tokenizer), tuple(sorted(set(own if ends is None else ends))))
        made: dict[Any, Guide] = tokenizer.__dict__.setdefault("_surveyor_guides", {})
        if key not in made:
            made[key] = cls(tokenizer, key[1])
        return made[key]

    def parser(self, grammar: Grammar) -> tuple[Any, int]:
        """(a new llguidance matcher at the beginning of a reply, the tokens to keep in reserve for ending one).

        Raises:
            UsageError: llguidance cannot read the grammar.
        """
        text = grammar if isinstance(grammar, str) else json.dumps(grammar)
        if text not in self._fresh:
            if isinstance(grammar, str):
                source = self._matcher_of.grammar_from_lark(text)
            else:
                source = self._matcher_of.grammar_from_json_schema(text, overrides=_COMPACT)
            matcher = self._matcher_of(self._view, source, log_level=0)
            if matcher.is_error():
                what = "grammar" if isinstance(grammar, str) else "schema"
                raise UsageError(f"the {what} cannot be used to constrain replies: {matcher.get_error()}")
            while len(self._fresh) >= _KEPT:
                self._fresh.pop(next(iter(self._fresh)), None)
            self._fresh[text] = (matcher, self._enough(matcher))
        fresh, reserve = self._fresh[text]
        return fresh.deep_copy(), reserve

    def shortest(self, grammar: Grammar) -> int | None:
        """Tokens of the shortest reply that was found, its end included; None if none was (within 512)."""
        matcher, _ = self.parser(grammar)
        if matcher.is_accepting():
            return 1
        lengths = [self._tail(start, _LONGEST_END) for start in self._starts(matcher)]
        return min((1 + length for length in lengths if length is not None), default=None)

    def text(self, tokens: Sequence[int]) -> str:
        """The tokens as text."""
        return str(self._view.decode_str(list(tokens)))

    def words(self) -> np.ndarray:
        """Room for a mask: (words,) int32, token i is bit i % 32 of word i // 32."""
        return np.zeros((self.vocabulary + 31) // 32, dtype=np.int32)

    def fill(self, matcher: Any, words: np.ndarray) -> None:
        """Writes the tokens that may follow into `words`."""
        matcher.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)

    def preferred(self, words: np.ndarray, *, reverse: bool = False) -> np.ndarray:
        """Those of the allowed tokens that are nearest to an end, (n,) ids; in the order of `guidance`.

        Args:
            words: a mask.
            reverse: those that are farthest from one.
        """
        where = words.nonzero()[0]
        present = words[where]
        for kind in reversed(self._kinds) if reverse else self._kinds:
            found = present & kind[where]
            if found.any():
                return ids_of(where, found)
        return where[:0]

    def tried(self, ids: np.ndarray) -> np.ndarray:
        """The ids, or where there are very many, the longest token for each first byte (so far as there is room)."""
        if ids.size <= _TRIED:
            return ids
        ids = ids[np.argsort(-self._lengths[ids], kind="stable")]
        return ids[np.sort(np.unique(self._first[ids], return_index=True)[1])][:_TRIED]

    def ending(self, matcher: Any, words: np.ndarray, left: int) -> np.ndarray:
        """Those of the allowed tokens that may follow when only `left` tokens are left, (n,) ids; see `guidance`."""
        ends = bits(words & self.end_mask)
        if ends.size:
            return ends
        liked = np.union1d(self.preferred(words), bits(words & self._digits))
        fit = [token for token in self.tried(liked) if self._after(matcher, token, left - 1) is not None]
        if fit:
            return np.asarray(fit)
        every = self.tried(bits(words))
        lengths = [(self._after(matcher, token, _LONGEST_END) or _LONGEST_END, i) for i, token in enumerate(every)]
        return every[[min(lengths)[1]]]

    def _enough(self, matcher: Any) -> int:
        """The longest of the shortest endings met on walks that put off the end as long as they can, and a margin."""
        starts, rng, words, most = self._starts(matcher), np.random.default_rng(0), self.words(), 1
        for walk in starts:
            for _ in range(max(_WALKED // len(starts), 4)):
                most = max(most, self._tail(walk.deep_copy(), _LONGEST_END) or 0)
                tokens = walk.compute_ff_tokens()
                if not tokens and not walk.is_stopped():
                    self.fill(walk, words)
                    tokens = [int(rng.choice(self.tried(self.preferred(words, reverse=True))))]
                if walk.is_stopped() or tokens[0] in self.ends or not walk.consume_tokens(tokens):
                    break
        return most + _MARGIN

    def _starts(self, matcher: Any) -> list[Any]:
        words = self.words()
        self.fill(matcher, words)
        starts = []
        for token in self.tried(bits(words)):
            start = matcher.deep_copy()
            if int(token) not in self.ends and start.consume_token(int(token)):
                starts.append(start)
        return starts

    def _after(self, matcher: Any, token: int, limit: int) -> int | None:
        copy = matcher.deep_copy()
        return self._tail(copy, limit) if copy.consume_token(int(token)) else None

    def _tail(self, matcher: Any, limit: int) -> int | None:
        """Tokens that end the reply, the end included, by taking the preferred ones; None: not within the limit.

        `matcher` is used up.
        """
        words, used = self.words(), 1
        while used <= limit:
            if matcher.is_stopped() or matcher.is_accepting():
                return None if matcher.is_error() else used
            tokens = matcher.compute_ff_tokens()
            if not tokens:
                self.fill(matcher, words)
                ids = self.preferred(words)
                if not ids.size:
                    return None
                tokens = [int(ids[self._lengths[ids].argmax()])]
            if not matcher.consume_tokens(tokens):
                return None
            used += len(tokens)
        return None

    def _classify(self) -> None:
        """Sorts the tokens into what ends, what closes, what goes on."""
        texts = [bytes(self._view.decode_bytes([i])) for i in range(self.vocabulary)]
        self._lengths = np.array([len(text) for text in texts])
        self._first = np.array([text[0] if text else 256 for text in texts])
        ends = set(self.ends)
        self._digits = self._packed(text.isdigit() and len(text) == 1 for text in texts)
        self._kinds = [
            self._packed(i in ends for i in range(self.vocabulary)),
            self._packed(b'"' in text and not text.strip(b'"]})') for text in texts),  # in a string, brackets are text
            self._packed(bool(text) and not text.strip(b"]})") for text in texts),
            self._packed(text[:1] == b"," for text in texts),
        ]
        self.end_mask = self._kinds[0]
        self._kinds.append(~np.bitwise_or.reduce(self._kinds))

    def _packed(self, members: Iterable[bool]) -> np.ndarray:
        flags = np.zeros((self.vocabulary + 31) // 32 * 32, dtype=bool)
        flags[: self.vocabulary] = list(members)
        return np.packbits(flags, bitorder="little").view(np.int32)


def bits(words: np.ndarray) -> np.ndarray:
    """The ids of the bits that are set in a mask, ascending.

    Example:
        >>> bits(np.array([5, 0, 1], dtype=np.int32)).tolist()
        [0, 2, 64]
    """
    where = words.nonzero()[0]
    return ids_of(where, words[where])


def ids_of(where: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The ids of the bits set in `words`, which stand at the places `where` of a mask."""
    flat = np.unpackbits(words.view(np.uint8), bitorder="little").nonzero()[0]
    return where[flat >> 5] * 32 + (flat & 31)
