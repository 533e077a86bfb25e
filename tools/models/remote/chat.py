"""Language models behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or hosted.

What is sent is the text of the messages and the schema; never an image, a file name or a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ....core.errors import ModelOutputError
from ..options import number_of
from .address import Address, read_address
from .client import Client, Guided
from .pool import Patience, Pool

SETTINGS = ("concurrency", "timeout", "tries", "max_tokens")


@dataclass
class RemoteChat:
    """A chat model on a server that speaks OpenAI's chat completions, or on several such servers.

    Args:
        model: as the server calls it.
        url: base address, up to and with "/v1"; several with commas between.
        timeout_s: how long one reply may take.
        tries: how often a busy or failing server is asked in all, with growing pauses.
        max_tokens: of a reply.
        pause_s: upper limit of the first pause between tries; doubles each time.
        concurrency: most requests under way at once.

    Example:
        >>> RemoteChat("qwen3:8b", "http://localhost:11434/v1").name
        'openai:qwen3:8b@http://localhost:11434/v1'
    """

    model: str
    url: str
    timeout_s: float = 120.0
    tries: int = 3
    max_tokens: int = 1500
    pause_s: float = 1.0
    concurrency: int = 8
    notes: list[str] = field(default_factory=list)
    name: str = field(init=False)
    """As in the spec; holds no key."""
    every_field: ClassVar[bool] = True
    """Schemas must require each field: OpenAI's strict structured outputs refuse others."""

    def __post_init__(self) -> None:
        address = Address(self.model, tuple(self.url.split(",")))
        patience = Patience(timeout_s=self.timeout_s, tries=self.tries, pause_s=self.pause_s)
        self.url, self.name = ",".join(address.urls), address.name
        pool = Pool(address, patience, concurrency=self.concurrency)
        self._client = Client(pool, self.max_tokens, self.notes.append)

    @classmethod
    def at(cls, argument: str) -> RemoteChat:
        """The model of a spec's "MODEL@URL[,URL...][?setting=value&...]".

        Raises:
            UsageError: no "@http://..." or "@https://..." in it, or an unknown setting.
        """
        address = read_address(argument, "chat", SETTINGS)
        options = dict(address.options)
        return cls(
            address.model,
            ",".join(address.urls),
            timeout_s=number_of(options, "timeout", 120),
            tries=number_of(options, "tries", 3),
            max_tokens=number_of(options, "max_tokens", 1500),
            concurrency=number_of(options, "concurrency", 8),
        )

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The reply's text, by the server's structured outputs where a schema is given and the server has them.

        A server that refuses a schema is asked for plain JSON, then for text, from then on; `notes` says so.

        Raises:
            UsageError: the server refuses the key or the model's name, or there is no server.
            ToolFailed: the server stays busy, fails, or takes too long.
            ModelOutputError: the server's reply holds no text, or the text was cut off.
        """
        reply = self._client.reply(messages, None if schema is None else Guided(schema=schema))
        if not reply.ended:
            raise ModelOutputError(f"the reply was cut off after {self.max_tokens} tokens", reply.text)
        return reply.text

    def check_report(self) -> dict[str, str]:
        """Which servers answer, for `surveyor models check`."""
        return self._client.pool.states()
