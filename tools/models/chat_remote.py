"""Language models behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or hosted.

What is sent is the text of the messages and the schema; never an image, a file name or a result. The key of a hosted
server comes from the environment alone: `OPENAI_API_KEY` goes to api.openai.com and nowhere else, any other server
gets `SURVEYOR_CHAT_API_KEY`.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, ClassVar, Literal, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ...core.budget import charge
from ...core.errors import ModelOutputError, ToolFailed, UsageError

_TRY_LATER = (429, 500, 502, 503, 504)
_SCHEMA_WORDS = re.compile(r"response_format|json_schema|schema|grammar|structured|guided", re.IGNORECASE)
_FORMATS: tuple[Literal["json_schema", "json_object", "text"], ...] = ("json_schema", "json_object", "text")
MAX_REPLY_BYTES = 4_000_000


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key and the text somewhere else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


@dataclass
class RemoteChat:
    """A chat model on a server that speaks OpenAI's chat completions.

    Args:
        model: as the server calls it.
        url: base address, up to and with "/v1".
        timeout_s: how long one reply may take.
        tries: how often a busy or failing server is asked in all, with growing pauses.
        max_tokens: of a reply.
        pause_s: first pause between tries; doubles each time.

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
    notes: list[str] = field(default_factory=list)
    name: str = field(init=False)
    """As in the spec; holds no key."""
    every_field: ClassVar[bool] = True
    """Schemas must require each field: OpenAI's strict structured outputs refuse others."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{self.url!r} is no address of a server; expected e.g. http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise UsageError(
                "the address of the language model holds a user name, password or query; give a key in the "
                "environment as SURVEYOR_CHAT_API_KEY, it must not stand in a trace"
            )
        self.url = self.url.rstrip("/")
        self.name = f"openai:{self.model}@{self.url}"
        self._format = 0
        self._lock = threading.Lock()
        self._opener = build_opener(_NoRedirect)

    @classmethod
    def at(cls, argument: str) -> RemoteChat:
        """The model of a spec's "MODEL@URL".

        Raises:
            UsageError: no "@http://..." or "@https://..." in it.
        """
        match = re.fullmatch(r"(?P<model>.+?)@(?P<url>https?://\S+)", argument.strip())
        if match is None:
            raise UsageError(f"{argument!r} is no MODEL@URL; write e.g. chat=openai:qwen3:8b@http://localhost:11434/v1")
        return cls(match["model"], match["url"])

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The reply's text, by the server's structured outputs where a schema is given and the server has them.

        A server that refuses a schema is asked for plain JSON, then for text, from then on; `notes` says so.

        Raises:
            UsageError: the server refuses the key or the model's name, or there is no server.
            ToolFailed: the server stays busy, fails, or takes too long.
            ModelOutputError: the server's reply holds no text, or the text was cut off.
        """
        while True:
            kind = _FORMATS[self._format] if schema is not None else "text"
            try:
                return self._text(self._ask(self._body(messages, schema, kind)))
            except _SchemaRefused as refusal:
                self._step_down(kind, str(refusal))

    def _body(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None, kind: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        if kind == "json_schema":
            described = {"name": "request", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        elif kind == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def _step_down(self, kind: str, why: str) -> None:
        """From then on the next weaker form is asked for."""
        with self._lock:
            if _FORMATS[self._format] == kind:
                self._format += 1
                self.notes.append(f"the server does not take response_format {kind} ({why}): replies are only checked")

    def _ask(self, body: dict[str, Any]) -> Any:
        """The server's JSON; tries again while it is busy."""
        for attempt in range(1, self.tries + 1):
            charge(calls=1)
            try:
                return self._post(body)
            except HTTPError as error:
                status, said = error.code, _said(error)
                if status in (400, 422) and "response_format" in body and _SCHEMA_WORDS.search(said):
                    raise _SchemaRefused(said) from None
                if status not in _TRY_LATER or attempt == self.tries:
                    self._refused(status, said)
            except TimeoutError:
                raise ToolFailed(f"{self.name} gave no reply within {self.timeout_s:g} s") from None
            except URLError as error:
                if isinstance(error.reason, TimeoutError):
                    raise ToolFailed(f"{self.name} gave no reply within {self.timeout_s:g} s") from None
                raise UsageError(f"there is no server at {self.url!r}: {error.reason}; is it running?") from None
            except (HTTPException, ConnectionError) as error:
                if attempt == self.tries:
                    raise ToolFailed(f"{self.name} broke off: {type(error).__name__} {error}".rstrip()) from None
            time.sleep(self.pause_s * 2 ** (attempt - 1))
        raise AssertionError("unreachable: the last try returns or raises")

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = _key(self.url)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers, method="POST")
        response: HTTPResponse
        with self._opener.open(request, timeout=self.timeout_s) as response:
            data = response.read(MAX_REPLY_BYTES + 1)
        text = data.decode("utf-8", "replace")
        if len(data) > MAX_REPLY_BYTES:
            raise ModelOutputError(f"{self.name} sent more than {MAX_REPLY_BYTES} bytes", text[:2000])
        try:
            return json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            raise ModelOutputError(f"{self.name} sent no JSON; is this the address of its /v1?", text[:2000]) from None

    def _refused(self, status: int, said: str) -> NoReturn:
        if status in (401, 403):
            variable = _variable(self.url)
            raise UsageError(f"{self.name} refuses the key ({status}: {said}); set {variable} in the environment")
        if status == 404:
            raise UsageError(f"{self.name} is not there ({status}: {said}); check the model's name and the /v1 address")
        if status in _TRY_LATER:
            raise ToolFailed(f"{self.name} failed {self.tries} times, at last with {status}: {said}")
        raise UsageError(f"{self.name} refuses the request ({status}: {said})")

    def _text(self, reply: Any) -> str:
        try:
            choice = reply["choices"][0]
            message = choice["message"]
            text = message.get("content")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ModelOutputError(f"{self.name} sent no choices[0].message", json.dumps(reply)[:2000]) from None
        usage = reply.get("usage")
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        charge(tokens=used if isinstance(used, int) else 0)
        if not isinstance(text, str) or not text.strip():
            raise ModelOutputError(
                f"{self.name} sent no text: {message.get('refusal') or 'empty'}", json.dumps(reply)[:2000]
            )
        if choice.get("finish_reason") == "length":
            raise ModelOutputError(f"the reply was cut off after {self.max_tokens} tokens", text)
        return text


class _SchemaRefused(Exception):
    """The server does not take this response_format."""


def _variable(url: str) -> str:
    return "OPENAI_API_KEY" if urlsplit(url).hostname == "api.openai.com" else "SURVEYOR_CHAT_API_KEY"


def _key(url: str) -> str:
    return os.environ.get(_variable(url), "").strip()


def _said(error: HTTPError) -> str:
    """The server's own words on one short line."""
    try:
        text = error.read(4000).decode("utf-8", "replace")
    except (OSError, HTTPException):
        text = ""
    try:
        data = json.loads(text)
        told = data.get("error", data) if isinstance(data, dict) else data
        told = told.get("message", told) if isinstance(told, dict) else told
        text = told if isinstance(told, str) else json.dumps(told)
    except (json.JSONDecodeError, RecursionError):
        pass
    line = " ".join(text.split())
    return (line if len(line) <= 200 else line[:199] + "…") or error.reason
