"""A server that misbehaves as it is told, alone or in front of a real one: for tests of whatever speaks HTTP.

with serving([busy(retry_after=1), said("yes")]) as server:
    ...ask server.url...
assert len(server.seen) == 2
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    Args:
        status: of HTTP; 0 closes the connection without a word.
        body: bytes, or data to be sent as JSON.
        headers: further ones.
        delay_s: before it says anything.
        cut_after: closes the connection after so many bytes of the body, though more were announced.
        drip_s: pause between single bytes of the body.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    drip_s: float = 0.0

    @property
    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


FORWARD = Answer(-1)
"""Hands the request on to the real server."""


def said(text: str, *, logprobs: Any = None, delay_s: float = 0.0, cut_after: int | None = None, **more: Any) -> Answer:
    """A chat completion with this text."""
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if logprobs is not None:
        choice["logprobs"] = logprobs
    return Answer(body={"choices": [choice], **more}, delay_s=delay_s, cut_after=cut_after)


def busy(retry_after: str | None = None, status: int = 429) -> Answer:
    """ "Too many requests", with the time to wait where one is given."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(status, {"error": {"message": "slow down"}}, headers)


@dataclass
class FaultServer:
    """A running server, and what it was sent.

    Attributes:
        url: up to and with "/v1".
        seen: of each POST: the body's fields with "path" and "key" (the Authorization header).
        looks: how often GET /v1/models was asked.
        health: the status of that, `models` the body.
        at_once: most POSTs under way at one time.
        hung_up: how many clients closed the connection while they waited.
    """

    url: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    health: int = 200
    models: Any = field(default_factory=lambda: {"data": []})
    at_once: int = 0
    hung_up: int = 0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)


Script = Sequence[Answer] | Callable[[dict[str, Any], int], Answer]


@contextmanager
def serving(
    script: Script, upstream: str | None = None, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[FaultServer]:
    """A server that gives these answers in turn, the last one again and again; or what a function says.

    Args:
        script: answers, or `(what was sent, its number from 0) -> Answer`.
        upstream: base address of the real server that `FORWARD` hands on to.
        port: 0 for any.
        tls: speaks https with this certificate.
    """
    server = FaultServer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.looks += 1
            if upstream is not None and server.health == 200:
                self._answer(self._forwarded(None))
            else:
                self._answer(Answer(server.health, server.models))

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            sent = {"path": self.path, "key": self.headers.get("Authorization"), **json.loads(data)}
            with server._lock:
                number = len(server.seen)
                server.seen.append(sent)
                server._under_way += 1
                server.at_once = max(server.at_once, server._under_way)
            try:
                answer = script(sent, number) if callable(script) else script[min(number, len(script) - 1)]
                if answer is FORWARD:
                    answer = self._forwarded(data)
                gone = self._waited(answer.delay_s)
            finally:
                with server._lock:
                    server._under_way -= 1
            if not gone:
                self._answer(answer)

        def _forwarded(self, data: bytes | None) -> Answer:
            request = urllib.request.Request(
                f"{str(upstream).removesuffix('/v1')}{self.path}", data, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=120) as reply:
                    return Answer(reply.status, reply.read())
            except urllib.error.HTTPError as error:
                with error:
                    return Answer(error.code, error.read())

        def _answer(self, answer: Answer) -> None:
            if answer.status:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.payload)))
                with suppress(ConnectionError):
                    self.end_headers()
                    self._send(answer)
            if not answer.status or answer.cut_after is not None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

        def _send(self, answer: Answer) -> None:
            payload = answer.payload[: answer.cut_after]
            if not answer.drip_s:
                self.wfile.write(payload)
                return
            for place in range(len(payload)):
                self.wfile.write(payload[place : place + 1])
                if self._waited(answer.drip_s):
                    return

        def _waited(self, seconds: float) -> bool:
            """Waits; true when the client hung up meanwhile."""
            over = time.monotonic() + seconds
            while (left := over - time.monotonic()) > 0:
                self.connection.settimeout(min(0.005, left))
                try:  # TLS knows no peeking, but nothing comes after a request anyway
                    if not self.connection.recv(1, 0 if tls else socket.MSG_PEEK):
                        server.hung_up += 1
                        return True
                except TimeoutError:
                    continue
                except OSError:
                    server.hung_up += 1
                    return True
                finally:
                    self.connection.settimeout(None)
            return False

        def log_message(self, *_args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        allow_reuse_address = True
        daemon_threads = False  # so that what they count is counted when the server has ended
        request_queue_size = 64

        def handle_error(self, *_args: Any) -> None:
            pass

    running = Quiet(("127.0.0.1", port), Handler)
    if tls is not None:
        running.socket = tls.wrap_socket(running.socket, server_side=True)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{running.server_port}/v1"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
