"""One request to one server, over the standard library. What goes wrong is a `Trouble`, for the pool to judge.

The caller waits in its own thread and looks every few hundredths of a second whether the run was cancelled; then, and
when the time is over, the connection is cut, so that the server stops generating. Redirects are refused (they would
carry the key and the image somewhere else), replies are bounded, proxies of the environment are used as urllib does.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from ....core.budget import check
from .address import without_key

MAX_REPLY_BYTES = 4_000_000
CONNECT_S = 10.0
_LOOK_S = 0.05  # between two looks whether the run was cancelled
_CHUNK = 1 << 16


class Trouble(Exception):
    """What went wrong with one request."""


class Answered(Trouble):
    """A status other than 200.

    Args:
        status: of HTTP.
        said: the server's own words on one short line.
        retry_after_s: how long it asks to be left alone; None when it does not say.
    """

    def __init__(self, status: int, said: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status}: {said}")
        self.status, self.said, self.retry_after_s = status, said, retry_after_s


class Unreachable(Trouble):
    """No connection was made."""


class Slow(Trouble):
    """No whole reply in time."""


class Cut(Trouble):
    """The connection ended early; `partial` is what had come of the reply."""

    def __init__(self, why: str, partial: str = "") -> None:
        super().__init__(why)
        self.partial = partial


class TooLong(Trouble):
    """The reply passes the bound; `partial` is its beginning."""

    def __init__(self, partial: str) -> None:
        super().__init__("too long")
        self.partial = partial


def fetch(url: str, body: bytes | None = None, *, key: str = "", timeout_s: float, limit: int = MAX_REPLY_BYTES) -> str:
    """The text that the server sends back: POST where there is a body, else GET.

    Args:
        url: whole address.
        body: JSON.
        key: sent as a bearer token; blacked out of whatever comes back.
        timeout_s: for the whole exchange; at most `CONNECT_S` of it for the connection.
        limit: bytes of the reply.

    Raises:
        Trouble: one of its kinds.
        Cancelled, BudgetExceeded: the run stops here; the connection is cut.
    """
    exchange = _Exchange(url, body, key, timeout_s, limit)
    worker = threading.Thread(target=exchange.run, name="surveyor-request", daemon=True)
    over = time.monotonic() + timeout_s
    worker.start()
    try:
        while not exchange.done.wait(min(_LOOK_S, timeout_s)):
            check()
            if time.monotonic() > over:
                raise Slow("no whole reply in time")
    finally:
        exchange.abort()
    if exchange.failure is not None:
        raise exchange.failure.with_traceback(None)  # its frames hold the key
    return exchange.text


class _Exchange:
    """A request under way in a thread of its own."""

    def __init__(self, url: str, body: bytes | None, key: str, timeout_s: float, limit: int) -> None:
        self._url, self._body, self._key, self._timeout_s, self._limit = url, body, key, timeout_s, limit
        self._sockets: list[socket.socket] = []
        self._received = bytearray()
        self.done = threading.Event()
        self.text = ""
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.text = self._exchange()
        except BaseException as error:  # handed over to the thread that waits
            self.failure = error
        finally:
            self.done.set()

    def abort(self) -> None:
        """Cuts the connection where it is still open."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _exchange(self) -> str:
        try:
            with self._open() as response:
                self._read(response)
        except HTTPError as error:
            raise self._answered(error) from None
        except URLError as error:
            raise self._unsent(error.reason) from None
        except TimeoutError:
            raise Slow("no whole reply in time") from None
        except (HTTPException, OSError) as error:
            raise Cut(f"{type(error).__name__} {error}".rstrip(), self._so_far()) from None
        return self._so_far()

    def _open(self) -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = Request(self._url, self._body, headers, method="GET" if self._body is None else "POST")
        opener = build_opener(_NoRedirect, _Http(self._sockets.append), _Https(self._sockets.append))
        response: HTTPResponse = opener.open(request, timeout=self._timeout_s)
        return response

    def _read(self, response: HTTPResponse) -> None:
        expected = response.length
        while expected is None or len(self._received) < expected:
            chunk = response.read1(_CHUNK)
            if not chunk:
                break
            self._received += chunk
            if len(self._received) > self._limit:
                raise TooLong(self._so_far()[:2000])
        if expected is not None and len(self._received) < expected:
            raise Cut(f"{len(self._received)} of {expected} bytes came", self._so_far())

    def _so_far(self) -> str:
        return without_key(self._received.decode("utf-8", "replace"), self._key)

    def _answered(self, error: HTTPError) -> Answered:
        try:
            text = error.read(4000).decode("utf-8", "replace")
        except (OSError, HTTPException):
            text = ""
        error.close()
        line = " ".join(without_key(_words(text), self._key).split())
        said = (line if len(line) <= 200 else line[:199] + "…") or without_key(str(error.reason), self._key)
        return Answered(error.code, said, _seconds(error.headers.get("Retry-After")))

    def _unsent(self, reason: str | BaseException) -> Trouble:
        if not self._sockets:
            return Unreachable(f"no connection within {CONNECT_S:g} s" if isinstance(reason, TimeoutError) else reason)
        if isinstance(reason, TimeoutError):
            return Slow("no whole reply in time")
        return Cut(f"{type(reason).__name__} {reason}".rstrip())


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class _Watched(HTTPConnection):
    """A connection that is made within `CONNECT_S` and tells its socket."""

    told: Callable[[socket.socket], None]

    def connect(self) -> None:
        whole = self.timeout
        self.timeout = min(whole or CONNECT_S, CONNECT_S)
        super().connect()
        self.sock.settimeout(whole)
        self.told(self.sock)


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def __init__(self, told: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._told = told

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._made, req)

    def _made(self, host: str, **settings: Any) -> HTTPConnection:
        connection = _Watched(host, **settings)
        connection.told = self._told
        return connection


class _Https(HTTPSHandler):
    def __init__(self, told: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._told = told

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._made, req)

    def _made(self, host: str, **settings: Any) -> HTTPConnection:
        connection = _WatchedTls(host, **settings)
        connection.told = self._told
        return connection


def _words(text: str) -> str:
    """What an error's body says: the message in its JSON, else the text."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return re.sub(r"<[^<>]*>", " ", text) if text.lstrip().startswith("<") else text
    for name in ("error", "message", "detail"):
        if isinstance(data, dict) and name in data:
            data = data[name]
    return data if isinstance(data, str) else json.dumps(data)


def _seconds(header: str | None) -> float | None:
    """The seconds of a Retry-After: a number or a date (RFC 9110 section 10.2.3); None for anything else."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
