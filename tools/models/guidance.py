"""Replies held to a grammar, token by token (llguidance), that end within a budget of tokens.

`Guide` is a tokenizer as llguidance sees it, made once. `Guided` is one reply in the making: which tokens may follow,
which must. `GrammarProcessor` does it for the rows of a batch, as a logits processor of transformers or one call at a
time. A grammar is a Lark text in llguidance's dialect, or a JSON schema (a dict; JSON without white space).

A model may list objects for ever. With a budget, the last tokens ("reserve") are spent on ending: the end itself where
the grammar allows it, else quotes that close, closing brackets, what begins with a comma, anything else, and the digits
that finish a number; and of these only tokens after which the reply can still be ended in what is left, which is
tried on copies of the parser. A reply that the model would have gone on with is `forced`: it fits the grammar, but may
lack objects, and a forced "none" does not say that there are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import MissingDependency, ModelOutputError, UsageError

if TYPE_CHECKING:
    import torch

COMMAND = 'pip install "surveyor[llm]"'
# The shape of JSON in training and in replies: no spaces, so that replies are short (and weak models don't emit
# white space for ever).
_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
_TRIED = 24  # tokens tried at a step of the reserve
_LONGEST_END = 512  # tokens of the longest ending looked for
_WALKED = 72  # tokens walked through a grammar to find its reserve
_MARGIN = 4  # of a reserve that was found so
_KEPT = 256  # grammars
_SPARSE = 64  # words of a mask up to which its bits are written one by one

Grammar = str | Mapping[str, Any]


class Guide:
    """A tokenizer as llguidance sees it; get one with `Guide.of`. May be shared by threads.

    Attributes:
        vocabulary: tokens of the tokenizer, added ones included; a model's embedding may have more rows.
        ends: the tokens that end a reply.
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
        """Those of the allowed tokens that are nearest to an end, (n,) ids; see the module's head for the order.

        Args:
            words: a mask.
            reverse: those that are farthest from one.
        """
        where = words.nonzero()[0]
        present = words[where]
        for kind in reversed(self._kinds) if reverse else self._kinds:
            found = present & kind[where]
            if found.any():
                return _ids(where, found)
        return where[:0]

    def tried(self, ids: np.ndarray) -> np.ndarray:
        """The ids, or where there are very many, the longest token for each first byte (so far as there is room)."""
        if ids.size <= _TRIED:
            return ids
        ids = ids[np.argsort(-self._lengths[ids], kind="stable")]
        return ids[np.sort(np.unique(self._first[ids], return_index=True)[1])][:_TRIED]

    def ending(self, matcher: Any, words: np.ndarray, left: int) -> np.ndarray:
        """Those of the allowed tokens that may follow when only `left` tokens are left, (n,) ids; see the head."""
        ends = bits(words & self._kinds[0])
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
    return _ids(where, words[where])


def _ids(where: np.ndarray, words: np.ndarray) -> np.ndarray:
    flat = np.unpackbits(words.view(np.uint8), bitorder="little").nonzero()[0]
    return where[flat >> 5] * 32 + (flat & 31)


class Guided:
    """One reply that is held to a grammar.

    Args:
        guide: of the tokenizer.
        grammar: Lark text or JSON schema.
        budget: the most tokens of the reply, its end included; None for no bound.
        reserve: with how many tokens left the reply is brought to its end. None takes enough for one more object
            and a few; with too small a one the reply may not end in the budget.

    Attributes:
        forced: whether the ending was forced.
        tokens: the reply so far.

    Raises:
        UsageError: the grammar cannot be read, or its shortest reply is longer than the budget.

    Example (a decode loop):
        >>> # while not reply.is_done:
        >>> #     for token in reply.forced_tokens() or [int(reply.apply(scores()).argmax())]:
        >>> #         reply.consume(token)
    """

    def __init__(
        self, guide: Guide, grammar: Grammar, *, budget: int | None = None, reserve: int | None = None
    ) -> None:
        self.guide, self._budget = guide, budget
        self._matcher, enough = guide.parser(grammar)
        self._reserve = enough if reserve is None else reserve
        if budget is not None and budget <= self._reserve:
            least = guide.shortest(grammar)
            if least is not None and least > budget:
                raise UsageError(f"a budget of {budget!r} tokens is too small; the shortest reply takes {least}")
        self.tokens: list[int] = []
        self.forced = False
        self._words, self._kept = guide.words(), guide.words()
        self._known = self._narrowed = self._taken = self._ended = False

    @property
    def left(self) -> int | None:
        """Tokens that may still follow; None: any number."""
        return None if self._budget is None else self._budget - len(self.tokens)

    @property
    def is_done(self) -> bool:
        """Whether nothing can follow: the reply was ended, or is complete and only its end could follow."""
        return self._ended or self.left == 0 or bool(self._matcher.is_stopped())

    @property
    def is_complete(self) -> bool:
        """Whether the tokens so far are a whole reply."""
        return self._ended or bool(self._matcher.is_stopped()) or bool(self._matcher.is_accepting())

    def mask(self) -> np.ndarray:
        """The tokens that may follow: (words,) int32, token i is bit i % 32 of word i // 32. Good until `consume`.

        Raises:
            ModelOutputError: llguidance gave up (a grammar that is too ambiguous).
        """
        if not self._known:
            if self.is_done:
                self._words[:] = self.guide._kinds[0]
            else:
                self.guide.fill(self._matcher, self._words)
                if self._matcher.is_error():
                    self._fail()
            self._known, self._narrowed = True, False
            if self._in_reserve() and not self.is_done:
                self._narrow()
            self._taken = self._narrowed  # perhaps the model's own choice: `apply` knows better
        return self._kept if self._narrowed else self._words

    def apply(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores with every token that may not follow at minus infinity, in place; shape (rows of embedding,).

        With it, unlike with `mask`, `forced` tells whether the model's own first choice was taken from it.
        """
        self._hold(_values(scores))
        return scores

    def _hold(self, values: Any) -> None:
        words = self.mask()
        if values.shape[-1] < self.guide.vocabulary and bits(words)[-1] >= values.shape[-1]:
            raise UsageError(
                f"the model knows {values.shape[-1]} tokens, its tokenizer {self.guide.vocabulary}: "
                "they don't belong together"
            )
        if self._narrowed:
            copy = values.copy() if isinstance(values, np.ndarray) else values.clone()
            _leave(copy, self._words)
            first = int(copy.argmax())
            self._taken = not (words[first // 32] >> (first % 32)) & 1
        _leave(values, words)

    def consume(self, token: int) -> None:
        """Adds a token to the reply; after its end nothing is added.

        Raises:
            ModelOutputError: the token may not follow.
        """
        if self._ended or self.left == 0:
            return
        if self._taken:
            self.forced = True
        if token in self.guide.ends and (self._matcher.is_stopped() or self._matcher.is_accepting()):
            self._ended = True
        elif not self._matcher.consume_token(token):
            self._fail(token)
        self.tokens.append(token)
        self._known = self._narrowed = self._taken = False

    def forced_tokens(self) -> list[int]:
        """The tokens that must follow, which need no model to choose them; [] where there is a choice.

        They are to be consumed like chosen ones, and read by the model before it is asked again (all in one call).
        """
        if self.is_done:
            return []
        tokens = [int(token) for token in self._matcher.compute_ff_tokens()]
        if not tokens and self._in_reserve():
            ids = bits(self.mask())
            tokens = ids.tolist() if ids.size == 1 else []
        return tokens[: self.left]

    def _in_reserve(self) -> bool:
        return self.left is not None and self.left <= self._reserve

    def _narrow(self) -> None:
        ids = self.guide.ending(self._matcher, self._words, self.left or 0)
        self._kept[:] = 0
        np.bitwise_or.at(self._kept, ids // 32, (np.uint32(1) << (ids % 32).astype(np.uint32)).view(np.int32))
        self._narrowed = not np.array_equal(self._kept, self._words)

    def _fail(self, token: int | None = None) -> None:
        text = self.guide.text(self.tokens)
        if token is None:
            raise ModelOutputError(f"the grammar gave up: {self._matcher.get_error()}", text)
        raise ModelOutputError(f"the token {self.guide.text([token])!r} does not fit the grammar", text)


def _values(scores: torch.Tensor) -> Any:
    """The scores as a numpy array on the same memory where that can be: numpy's small steps are quicker."""
    import torch

    plain = scores.device.type == "cpu" and scores.dtype == torch.float32 and not scores.requires_grad
    return scores.numpy() if plain else scores


def _leave(values: Any, words: np.ndarray) -> None:
    """Sets all but the tokens in the mask to minus infinity, in a numpy array or a tensor of one dimension."""
    known = min(values.shape[-1], words.size * 32)
    if isinstance(values, np.ndarray):
        where = words.nonzero()[0]
        if where.size <= _SPARSE:
            ids = _ids(where, words[where])
            kept = values[ids]
            values.fill(-np.inf)
            values[ids] = kept
            return
        values[known:] = -np.inf
        barred = np.unpackbits((~words).view(np.uint8), bitorder="little", count=known).view(np.bool_)
        np.copyto(values[:known], -np.inf, where=barred)
        return
    import torch

    packed = torch.from_numpy(~words).to(values.device)
    flags = (packed[:, None] >> torch.arange(32, dtype=torch.int32, device=values.device)) & 1
    values[known:] = -torch.inf
    values[:known].masked_fill_(flags.bool().flatten()[:known], -torch.inf)


class GrammarProcessor:
    """A logits processor of transformers that holds each row of a batch to its grammar (no beam search).

    Args:
        guide: of the tokenizer.
        grammars: one for all rows, or one a row.
        prompt_length: tokens of `input_ids` that are the prompt, padding included; the same for all rows.
        rows: how many rows there are, where one grammar is given.
        budget, reserve: as of `Guided`, for each row. Give `max_new_tokens` as the budget.

    Raises:
        UsageError: as `Guided`.
    """

    def __init__(
        self,
        guide: Guide,
        grammars: Grammar | Sequence[Grammar],
        *,
        prompt_length: int = 0,
        rows: int = 1,
        budget: int | None = None,
        reserve: int | None = None,
    ) -> None:
        each = [grammars] * rows if isinstance(grammars, str | Mapping) else list(grammars)
        self._guide, self._reserve, self._budget = guide, reserve, budget
        self.rows = [Guided(guide, grammar, budget=budget, reserve=reserve) for grammar in each]
        self._read = prompt_length

    @property
    def forced(self) -> list[bool]:
        """For each row whether its ending was forced, so that the reply may lack something."""
        return [row.forced for row in self.rows]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores with every token that does not fit at minus infinity, in place.

        Args:
            input_ids: (rows, length), prompts and what was written since; rows that have ended may be padded.
            scores: (rows, rows of embedding).
        """
        written = input_ids[:, self._read :].tolist()
        values = _values(scores)
        for number, (row, new) in enumerate(zip(self.rows, written, strict=True)):
            for token in new:
                row.consume(token)
            if not row._ended:
                row._hold(values[number])
        self._read = int(input_ids.shape[1])
        return scores

    def reset(self, row: int, grammar: Grammar, *, budget: int | None = None) -> None:
        """Begins a new reply in a row (for the calls below: `__call__` takes all rows to begin at once)."""
        self.rows[row] = Guided(self._guide, grammar, budget=budget or self._budget, reserve=self._reserve)

    def mask(self, row: int) -> np.ndarray:
        """As `Guided.mask`."""
        return self.rows[row].mask()

    def consume(self, row: int, token: int) -> None:
        """As `Guided.consume`."""
        self.rows[row].consume(token)

    def forced_tokens(self, row: int) -> list[int]:
        """As `Guided.forced_tokens`."""
        return self.rows[row].forced_tokens()

    def is_done(self, row: int) -> bool:
        """As `Guided.is_done`."""
        return self.rows[row].is_done
