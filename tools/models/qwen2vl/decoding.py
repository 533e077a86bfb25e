"""Greedy decoding of a batch behind prefixes that were read before, each row held to its own grammar.

transformers' `generate` keeps the rotary offset of the last images on the model (`rope_deltas`), so questions about
different images could not share a batch or be answered in turn; here every position is given explicitly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.budget import check
from ....core.errors import UsageError
from .prefixes import Prefix, batch_cache

if TYPE_CHECKING:
    import torch

    from ..guidance import Guided


@dataclass(eq=False)
class Row:
    """One reply while it is written.

    Attributes:
        prefix: what stands before the question.
        question: token ids of the question and of the beginning of the reply's turn.
        limit: most tokens of the reply.
        guide: holds it to a grammar; None leaves it free.
        tokens: the reply's tokens so far, without the one that ends it.
        logprobs: natural logarithm of the model's own probability of each of them; NaN for one that the grammar left
            no choice about, so that the model was not asked.
        ended: the model ended the reply itself.
    """

    prefix: Prefix
    question: Sequence[int]
    limit: int
    guide: Guided | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False

    @property
    def forced(self) -> bool:
        """Whether the grammar was made to end it, because the tokens were used up."""
        return self.guide is not None and self.guide.forced


def decode(
    model: Any, rows: Sequence[Row], ends: frozenset[int], pad: int, *, temperature: float = 0.0, seed: int = 0
) -> None:
    """Fills the rows with their replies.

    Args:
        model: a transformers causal model with rotary positions of three axes.
        rows: at least one.
        ends: tokens that end a reply.
        pad: a token for padding.
        temperature: 0 takes the likeliest token, above 0 draws one.
        seed: for drawing.

    Raises:
        UsageError: the model gives numbers that are not finite.
        Cancelled, BudgetExceeded: the run stops here.
    """
    import torch

    device = model.device
    draw = torch.Generator(device=device).manual_seed(seed) if temperature > 0 else None
    with torch.inference_mode():
        cache, real = batch_cache([row.prefix for row in rows], model.config.get_text_config())
        ids, asked, positions = _questions(rows, pad, device)
        real = torch.cat([real, asked], dim=1)
        alive = list(range(len(rows)))
        following = torch.tensor([row.prefix.following + len(row.question) for row in rows], device=device)
        is_padded = not bool(real.all())
        while alive:
            check()
            out = model(
                input_ids=ids, position_ids=positions, attention_mask=real if is_padded else None,
                past_key_values=cache, use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            chosen = _choose(out.logits[:, -1].float(), [rows[index] for index in alive], temperature, draw)
            going = [place for place, index in enumerate(alive) if _take(rows[index], *chosen[place], ends)]
            if not going:
                return
            if len(going) < len(alive):
                keep = torch.tensor(going, device=device)
                cache.batch_select_indices(keep)
                real, following = real[keep], following[keep]
                alive = [alive[place] for place in going]
                is_padded = not bool(real.all())
            fresh = 1 + (_skip(rows[alive[0]]) if len(alive) == 1 else 0)
            if rows[alive[0]].ended:
                return
            ids = torch.tensor([rows[index].tokens[-fresh:] for index in alive], device=device)
            positions = (following[:, None] + torch.arange(fresh, device=device))[None].expand(3, -1, -1)
            following = following + fresh
            real = torch.cat([real, real.new_ones(len(alive), fresh)], dim=1)


def _questions(
    rows: Sequence[Row], pad: int, device: Any
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Token ids (rows, longest) padded on the left, which of them are real, and positions (3, rows, longest)."""
    import torch

    longest = max(len(row.question) for row in rows)
    ids = np.full((len(rows), longest), pad, dtype=np.int64)
    real = np.zeros((len(rows), longest), dtype=np.int64)
    positions = np.zeros((3, len(rows), longest), dtype=np.int64)
    for number, row in enumerate(rows):
        start = longest - len(row.question)
        ids[number, start:] = row.question
        real[number, start:] = 1
        positions[:, number, start:] = row.prefix.following + np.arange(len(row.question))
    return tuple(torch.from_numpy(part).to(device) for part in (ids, real, positions))


def _choose(
    logits: torch.Tensor, rows: Sequence[Row], temperature: float, draw: Any
) -> list[tuple[int, float]]:  # fmt: skip
    """The next token of each row and its log-probability; logits are (rows, vocabulary), written over."""
    import torch

    total = torch.logsumexp(logits, dim=-1)
    if not bool(torch.isfinite(total).all()):
        raise UsageError(
            "the model's numbers are not finite: its weights are damaged, or too large for this dtype; run surveyor "
            "models check, copy the checkpoint again, or use dtype=bfloat16 or float32"
        )
    own = logits.clone()
    for place, row in enumerate(rows):
        if row.guide is not None:
            row.guide.apply(logits[place])
    if temperature > 0:
        tokens = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=draw)[:, 0]
    else:
        tokens = logits.argmax(dim=-1)
    logprobs = own.gather(1, tokens[:, None])[:, 0] - total
    return list(zip(tokens.tolist(), logprobs.tolist(), strict=True))


def _take(row: Row, token: int, logprob: float, ends: frozenset[int]) -> bool:
    """Adds a token to the row; whether the row goes on."""
    if row.guide is not None:
        row.guide.consume(token)
    if token in ends:
        row.ended = True
        return False
    row.tokens.append(token)
    row.logprobs.append(logprob)
    row.ended = row.guide is not None and row.guide.is_done and row.guide.is_complete
    return not row.ended and len(row.tokens) < row.limit


def _skip(row: Row) -> int:
    """Adds the tokens that the grammar leaves no choice about; how many. The model reads them with its next step."""
    count = 0
    for token in row.guide.forced_tokens() if row.guide is not None else ():
        if row.ended or len(row.tokens) == row.limit:
            break
        count += 1
        _take(row, token, float("nan"), frozenset())
    return count
