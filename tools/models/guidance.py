"""Replies held to a grammar, token by token (llguidance), that end within a budget of tokens.

`Guided` is one reply in the making: which tokens may follow, which must. `GrammarProcessor` does it for the rows of a
batch, as a logits processor of transformers or one call at a time. Both need the tokenizer's `Guide`, made once.

A model may list objects for ever. With a budget, the last tokens ("reserve") are spent on ending: the end itself where
the grammar allows it, else quotes that close, closing brackets, what begins with a comma, anything else, and the digits
that finish a number; and of these only tokens after which the reply can still be ended in what is left, which is
tried on copies of the parser. A reply that the model would have gone on with is `forced`: it fits the grammar, but may
lack objects, and a forced "none" does not say that there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ModelOutputError, UsageError
from .guide import Grammar, Guide, bits, ids_of

if TYPE_CHECKING:
    import torch

_SPARSE = 64  # words of a mask up to which its bits are written one by one


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
                self._words[:] = self.guide.end_mask
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
            ids = ids_of(where, words[where])
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
