"""Where servers are, and whose key they get: `MODEL@URL[,URL...][?setting=value&...]`.

Keys come from the environment alone: `OPENAI_API_KEY` goes to api.openai.com and nowhere else, any other server gets
`SURVEYOR_CHAT_API_KEY`. They never stand in an address, so a model's name and the trace are free of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import urlsplit

from ....core.errors import UsageError
from ..options import split_options

_KEY = re.compile(r"[!-~]+")  # printable ASCII without spaces: all that a header can carry safely
_NAME = re.compile(r"[A-Za-z_-]{1,20}")  # what a setting's name, mistyped, looks like; few keys do
_OF_KEYS = re.compile(r"key|token|secret|passw|auth|bearer|credential|signature", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A model and the servers that have it.

    Args:
        model: as the servers call it.
        urls: base addresses, up to and with "/v1"; every one serves the same model.
        options: the settings behind the "?".

    Raises:
        UsageError: an address that is none, is given twice, or holds a user name, password or query.
    """

    model: str
    urls: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        urls = tuple(_checked(url) for url in self.urls)
        if not urls:
            raise UsageError("no address of a server was given; expected e.g. http://localhost:8000/v1")
        twice = [url for url in urls if urls.count(url) > 1]
        if twice:
            raise UsageError(f"the server {twice[0]!r} is given twice; give it once")
        object.__setattr__(self, "urls", urls)

    @property
    def name(self) -> str:
        """As in the spec.

        Example:
            >>> Address("m", ("http://localhost:8000/v1/",), {"dialect": "native"}).name
            'openai:m@http://localhost:8000/v1?dialect=native'
        """
        settings = "&".join(f"{key}={value}" for key, value in self.options.items())
        return f"openai:{self.model}@{','.join(self.urls)}" + (f"?{settings}" if settings else "")


def read_address(argument: str, role: str, settings: Iterable[str]) -> Address:
    """The model, servers and settings of a spec's argument.

    Args:
        argument: "MODEL@URL[,URL...][?setting=value&...]".
        role: for the messages, which propose it: one of a spec, "chat" or "grounder".
        settings: names that may stand behind the "?".

    Raises:
        UsageError: no "@http://..." or "@https://..." in it, a bad address, an unknown setting.

    Example:
        >>> read_address("qwen@http://a/v1,http://b/v1?concurrency=4", "grounder", ["concurrency"]).urls
        ('http://a/v1', 'http://b/v1')
    """
    known = tuple(settings)
    head, _, tail = argument.strip().partition("?")
    _refuse_unknown(_shown(head), tail, known)
    source, options = split_options(argument.strip())
    match = re.fullmatch(r"(?P<model>.+?)@(?P<urls>https?://\S+)", source)
    if match is None:
        example = "qwen3:8b@http://localhost:11434/v1" if role == "chat" else "MODEL@http://localhost:8000/v1"
        raise UsageError(
            f"{_shown(source)!r} is no MODEL@URL with http:// or https://; write e.g. {role}=openai:{example}"
        )
    return Address(match["model"], tuple(match["urls"].split(",")), options)


def _refuse_unknown(shown: str, tail: str, known: tuple[str, ...]) -> None:
    """Raises UsageError for a setting that there is not; what may be a key is not shown: values, and odd names."""
    entries = [entry.partition("=") for entry in tail.split("&") if entry]
    unknown = [(name.strip(), equals) for name, equals, _ in entries if name.strip() not in known]
    for name, equals in unknown:
        typed = get_close_matches(name, known, 1, 0.8)  # max_token holds "token"
        if not _NAME.fullmatch(name) or ((_OF_KEYS.search(name) or not equals) and not typed):
            raise UsageError(
                f"the address of the model {shown!r} holds a query that looks like a key; give a key in the "
                f"environment as SURVEYOR_CHAT_API_KEY, it must not stand in a trace (settings are: {', '.join(known)})"
            )
    if unknown:
        raise UsageError(f"there is no setting {unknown[0][0]!r} of the model {shown!r}; there are: {', '.join(known)}")


def key_variable(url: str) -> str:
    """The name of the environment variable that holds the key for this server."""
    return "OPENAI_API_KEY" if urlsplit(url).hostname == "api.openai.com" else "SURVEYOR_CHAT_API_KEY"


def key_for(url: str) -> str:
    """The key for this server, "" where none is set.

    Raises:
        UsageError: it holds a character that no header can carry; the message does not show it.
    """
    variable = key_variable(url)
    key = os.environ.get(variable, "").strip()
    if key and not _KEY.fullmatch(key):
        raise UsageError(f"{variable} in the environment holds a space, a control or a foreign character; set it anew")
    return key


def without_key(text: str, key: str) -> str:
    """The text with the key blacked out, should a server repeat it. Keys below 8 characters are words, not secrets.

    Example:
        >>> without_key("wrong key sk-12345678", "sk-12345678")
        'wrong key [key]'
    """
    return text.replace(key, "[key]") if len(key) >= 8 else text


def _checked(url: str) -> str:
    url = url.strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        fits = False
    if not fits:
        raise UsageError(f"{_shown(url)!r} is no address of a server; expected e.g. http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "the address of the model holds a user name, password or query; give a key in the environment as "
            "SURVEYOR_CHAT_API_KEY, it must not stand in a trace"
        )
    return url.rstrip("/")


def _shown(text: str) -> str:
    """The text without what may be a password."""
    return re.sub(r"(//|@)[^/@\s]*@", r"\1***@", text)
