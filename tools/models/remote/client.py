"""Chat completions of a pool of servers: what is asked for, what is left out when a server refuses it, what comes back.

Servers differ in what they take. Whatever goes beyond plain chat is a wish: a server that refuses one (400 or 422 whose
words name it) is asked without it from then on, and that is said aloud.

- a JSON schema: `response_format` json_schema, then json_object, then nothing;
- a grammar or regular expression: vLLM's `structured_outputs` (`guided_*` is gone since 0.12), then nothing;
- log-probabilities; special tokens kept in the text (`skip_special_tokens`, which vLLM takes);
- `temperature` 0, and `max_tokens` (newer hosted models want `max_completion_tokens`).
"""

from __future__ import annotations

import codecs
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.budget import charge
from ....core.errors import ModelOutputError, UsageError
from ....core.progress import note
from .pool import Pool
from .transport import Answered

_SCHEMA = r"response_format|json_schema|schema|grammar|structured|guided"
_OLD_NAME = r"max_tokens'? is not supported|use '?max_completion_tokens|unexpected.*max_tokens"
_WEAKER = "replies are only checked"


@dataclass(frozen=True)
class Guided:
    """What a reply must look like; one of the three.

    Args:
        schema: JSON schema.
        grammar: lark or GBNF text, as the server's backend reads it.
        regex: the whole reply.

    Raises:
        UsageError: none or several are given.
    """

    schema: Mapping[str, object] | None = None
    grammar: str | None = None
    regex: str | None = None

    def __post_init__(self) -> None:
        given = [name for name, value in vars(self).items() if value is not None]
        if len(given) != 1:
            raise UsageError(f"a reply is guided by {given or 'nothing'}, expected one of schema, grammar, regex")


@dataclass(frozen=True)
class Reply:
    """What the model wrote.

    Attributes:
        text: without the turn's end token.
        ended: the model ended it itself; False when the tokens were used up.
        tokens: (text, log-probability) of each token; None where the server gives none.
    """

    text: str
    ended: bool = True
    tokens: tuple[tuple[str, float], ...] | None = None

    def arrays(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(T,) the log-probability of each token, and (T,) how many characters of the text are written after it.

        The second is None when the tokens do not make up the text, both are where there are no tokens.

        Example:
            >>> [each.tolist() for each in Reply("(1,2)", True, (("a", -9.0), ("(1,", -0.1), ("2)", -0.3))).arrays()]
            [[-9.0, -0.1, -0.3], [0, 3, 5]]
        """
        if not self.tokens:
            return None, None
        logprobs = np.array([logprob for _, logprob in self.tokens], dtype=np.float64)
        start = "".join(text for text, _ in self.tokens).find(self.text)
        written = np.cumsum([len(text) for text, _ in self.tokens]) - start
        return logprobs, None if start < 0 else np.clip(written, 0, len(self.text))


@dataclass(frozen=True)
class _Wish:
    """A part of the request that a server may refuse.

    Args:
        name: unique; what a refusal is remembered by.
        words: what a refusal of it says.
        fields: of the body.
        instead: what is asked for once it is refused.
        loss: for people: what is lost with it.
    """

    name: str
    words: str
    fields: Mapping[str, Any]
    instead: _Wish | None
    loss: str


class Client:
    """Asks a pool of servers for replies. Any number of threads may ask.

    Args:
        pool: the servers.
        max_tokens: of a reply.
        tell: where to say what a server refuses, once each; None for the notes of the run, in every run.
    """

    def __init__(self, pool: Pool, max_tokens: int = 1500, tell: Callable[[str], None] | None = None) -> None:
        self.pool, self.max_tokens = pool, max_tokens
        self.name = pool.address.name
        self._tell = tell
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        guided: Guided | None = None,
        *,
        max_tokens: int | None = None,
        logprobs: bool = False,
        special_tokens: bool = False,
        temperature: float = 0.0,
        affinity: str = "",
    ) -> Reply:
        """The model's reply.

        Args:
            messages: as in OpenAI's chat completions; content may hold images.
            guided: what the reply must look like, where the server can see to it.
            max_tokens: of the reply; None for the client's.
            logprobs: ask for log-probabilities.
            special_tokens: keep tokens such as `<|box_start|>` in the text.
            temperature: 0 for the likeliest reply.
            affinity: see `Pool.ask`.

        Raises:
            UsageError, ToolFailed, Cancelled, BudgetExceeded: see `Pool.ask`.
            ModelOutputError: no text, or no JSON.
        """
        most = max_tokens or self.max_tokens
        wishes = _wishes(guided, logprobs, special_tokens, temperature, most)
        while True:
            asked = [wish for wish in map(self._left, wishes) if wish is not None]
            body: dict[str, Any] = {"model": self.pool.address.model, "messages": list(messages)}
            for wish in asked:
                body |= wish.fields
            try:
                return self._read(self.pool.ask(body, affinity))
            except Answered as answer:
                if not self._learn(asked, answer.said):
                    raise UsageError(f"{self.name} refuses the request ({answer.status}: {answer.said})") from None

    def _left(self, wish: _Wish | None) -> _Wish | None:
        """What of a wish has not been refused yet."""
        while wish is not None and wish.name in self._refused:
            if self._tell is None:
                note(self._refused[wish.name])
            wish = wish.instead
        return wish

    def _learn(self, asked: Sequence[_Wish], said: str) -> bool:
        """Remembers which wishes the server's words refuse; whether there were any."""
        named = [wish for wish in asked if wish.words and re.search(wish.words, said, re.IGNORECASE)]
        for wish in named:
            with self._lock:
                new = wish.name not in self._refused
                text = f"the server does not take {wish.name} ({said}): {wish.loss}"
                self._refused.setdefault(wish.name, text)
            if new and self._tell is not None:
                self._tell(text)
        return bool(named)

    def _read(self, data: Any) -> Reply:
        try:
            choice = data["choices"][0]
            message = choice["message"]
            text, refusal = message.get("content"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ModelOutputError(f"{self.name} sent no choices[0].message", json.dumps(data)[:2000]) from None
        usage = data.get("usage")
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        charge(tokens=used if isinstance(used, int) and used > 0 else 0)
        if not isinstance(text, str) or not text.strip():
            raise ModelOutputError(f"{self.name} sent no text: {refusal or 'empty'}", json.dumps(data)[:2000])
        ended = choice.get("finish_reason") != "length"
        return Reply(text.removesuffix("<|im_end|>"), ended, _tokens(choice.get("logprobs")))


def _wishes(
    guided: Guided | None, logprobs: bool, special_tokens: bool, temperature: float, max_tokens: int
) -> list[_Wish]:
    newer = _Wish("max_completion_tokens", "", {"max_completion_tokens": max_tokens}, None, "")
    wishes = [
        _Wish(
            "temperature", r"temperature", {"temperature": temperature}, None, "replies may differ from time to time"
        ),
        _Wish("max_tokens", _OLD_NAME, {"max_tokens": max_tokens}, newer, "max_completion_tokens is set instead"),
    ]
    if guided is not None:
        wishes.append(_guidance(guided))
    if logprobs:
        wishes.append(_Wish("logprobs", r"logprob", {"logprobs": True}, None, "there are no scores"))
    if special_tokens:
        fields = {"skip_special_tokens": False}
        loss = "it may leave out the tokens that stand round boxes"
        wishes.append(_Wish("skip_special_tokens", r"skip_special_tokens", fields, None, loss))
    return wishes


def _guidance(guided: Guided) -> _Wish:
    if guided.schema is None:
        kind, text = ("grammar", guided.grammar) if guided.grammar is not None else ("regex", guided.regex)
        words = rf"{_SCHEMA}|regex"
        return _Wish(f"structured_outputs {kind}", words, {"structured_outputs": {kind: text}}, None, _WEAKER)
    described = {"name": "request", "schema": guided.schema, "strict": True}
    whole = {"response_format": {"type": "json_schema", "json_schema": described}}
    plain = _Wish("response_format json_object", _SCHEMA, {"response_format": {"type": "json_object"}}, None, _WEAKER)
    if guided.schema.get("type") != "object" and "type" in guided.schema:  # json_object would forbid a list
        return _Wish("response_format json_schema", _SCHEMA, whole, None, _WEAKER)
    return _Wish("response_format json_schema", _SCHEMA, whole, plain, _WEAKER)


def _tokens(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    """The tokens of a choice's `logprobs`; None for anything but a whole list of them.

    A character of several bytes may be spread over tokens: it counts for the last of them.
    """
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content:
        return None
    found: list[tuple[str, float]] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for entry in content:
        text, value, raw = (entry.get(k) for k in ("token", "logprob", "bytes")) if isinstance(entry, dict) else (None,) * 3  # fmt: skip  # noqa: E501
        if not isinstance(text, str) or isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return None
        try:
            written = bytes(raw) if isinstance(raw, list) else text.encode()
        except (ValueError, TypeError):
            return None
        found.append((decoder.decode(written), float(value)))
    return tuple(found)
