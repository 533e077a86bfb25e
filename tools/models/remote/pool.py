"""Several servers of one model behind one client: who is asked, how often, and when one is left out.

- The server with the fewest requests in flight is asked. Among equals the one that an image is assigned to (a hash of
  its digest), so that questions on one image meet the same prefix cache; else the one that has rested longest.
- A server that fails is left out for a while, longer each time, and looked at (GET /v1/models) before it is used again.
  One that is busy (429, or a Retry-After) is left alone for as long as it asks.
- A failed request goes to another server at once where there is one; else after a pause drawn from 0 to a limit that
  doubles each time ("full jitter": many clients don't come back in step).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from ....core.budget import charge, check
from ....core.errors import ModelOutputError, ToolFailed, UsageError
from .address import Address, key_for, key_variable
from .transport import MAX_REPLY_BYTES, Answered, Cut, Slow, TooLong, Trouble, Unreachable, fetch

_LOOK_S = 0.05
_BUSY = (408, 425, 429)
_NO_LIST = (
    404,
    405,
    500,
    501,
)  # of GET /models by servers that serve: transformers serve, pinned to a folder, says 500
_FOR_EVER = (501, 505)  # of the 500s: it will not learn it meanwhile


@dataclass(frozen=True)
class Patience:
    """How long and how often.

    Args:
        timeout_s: for one reply.
        tries: how often one server that is busy or fails is asked in all; each further server adds one.
        pause_s: upper limit of the first pause between tries; doubles each time.
        longest_pause_s: of any pause; a server that asks for a longer one (Retry-After) is given up.
        rest_s: how long a failed server is left out at first; doubles with each failure, up to `longest_rest_s`.
        longest_rest_s: see `rest_s`.
        health_s: for the look at a server that has failed before.

    Raises:
        UsageError: a number that is out of range.
    """

    timeout_s: float = 120.0
    tries: int = 3
    pause_s: float = 1.0
    longest_pause_s: float = 30.0
    rest_s: float = 2.0
    longest_rest_s: float = 120.0
    health_s: float = 3.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < float("inf") or (name in ("timeout_s", "tries", "health_s") and not value):
                raise UsageError(f"{name} is {value!r}, expected a finite number above 0")


@dataclass(eq=False)
class Server:
    """One server as the pool sees it.

    Attributes:
        url: base address.
        in_flight: requests under way.
        last_used: number of the last request it got.
        away_until: `time.monotonic()` before which it is left out while there are others.
        asked_until: `time.monotonic()` before which it asked to be left alone.
        failures: one after another.
        answered: it has sent a reply before.
    """

    url: str
    in_flight: int = 0
    last_used: int = 0
    away_until: float = 0.0
    asked_until: float = 0.0
    failures: int = 0
    answered: bool = False


class Pool:
    """Sends requests to the servers of an address. Any number of threads may ask.

    Args:
        address: the model and its servers.
        patience: timeouts, tries and pauses.
        concurrency: most requests under way at once, over all servers.
        draw: random number from 0 to 1 for the pauses.
    """

    def __init__(
        self,
        address: Address,
        patience: Patience | None = None,
        *,
        concurrency: int = 8,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"concurrency is {concurrency!r}, expected a whole number above 0")
        self.address, self.patience, self.concurrency = address, patience or Patience(), concurrency
        self.servers = tuple(Server(url) for url in address.urls)
        self._draw = draw
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(concurrency)
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return f"Pool({self.address.name!r})"

    def ask(self, body: dict[str, Any], affinity: str = "") -> Any:
        """The JSON that one of the servers replies to a chat completion.

        Args:
            body: of the request.
            affinity: what should meet the same server again, e.g. an image's digest; "" for nothing.

        Raises:
            Answered: a server refuses the request as it is (400, 422); for the caller to ask for less.
            UsageError: a server wants a key or refuses it or the model's name, or there is no server.
            ToolFailed: the servers stay busy, fail, or take too long.
            ModelOutputError: what came is no JSON, too long, or was cut off.
            Cancelled, BudgetExceeded: the run stops here.
        """
        data = json.dumps(body).encode()
        tried: list[Server] = []
        most = self.patience.tries + len(self.servers) - 1
        with self._place():
            for attempt in itertools.count(1):
                self._pause(tried)
                with self._taken(affinity, tried) as server:
                    charge(calls=1)
                    try:
                        text = self._fetch(server, "chat/completions", data, self.patience.timeout_s)
                        self._went_well(server)
                        return self._json(server, text)
                    except Trouble as trouble:
                        again = self._judged(server, trouble)
                        tried.append(server)
                        if not again or attempt >= most or self._hopeless(trouble, tried):
                            self._give_up(server, trouble, attempt)
        raise AssertionError("unreachable: the last try returns or raises")

    def states(self) -> dict[str, str]:
        """What each server says now when it is asked for its models: "server 1" -> address and words for people."""
        return {f"server {n}": f"{one.url} {self._state(one)}" for n, one in enumerate(self.servers, 1)}

    def _state(self, server: Server) -> str:
        try:
            data = json.loads(self._fetch(server, "models", None, self.patience.health_s))
            names = [str(entry["id"]) for entry in data["data"]]
        except Answered as answer:
            if answer.status in _NO_LIST:
                return f"is up; does not list its models ({answer.status})"
            return f"answers {answer.status} when it is asked for its models: {answer.said}"
        except Trouble as trouble:
            return f"does not answer: {str(trouble) or type(trouble).__name__}"
        except (ValueError, KeyError, TypeError, RecursionError):
            return "answers, but does not list its models"
        if self.address.model in names:
            return "answers and has the model"
        return f"answers, but lists other models: {', '.join(names[:5]) or 'none'}"

    # ---- who is asked

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the `concurrency` requests."""
        while not self._places.acquire(timeout=_LOOK_S):
            check()
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def _taken(self, affinity: str, tried: list[Server]) -> Iterator[Server]:
        """The server to ask, counted as busy with it inside the block."""
        looked: list[Server] = []
        while True:
            with self._lock:
                server = self._choice(affinity, [*tried, *looked])
                server.in_flight += 1
                server.last_used = next(self._numbers)
                doubtful = server.failures > 0 and len(self.servers) > 1 and server not in (*tried, *looked)
                if doubtful:  # others leave it alone until this look is over
                    server.away_until = max(server.away_until, time.monotonic() + self.patience.health_s)
            try:
                if doubtful and not self._is_up(server):
                    looked.append(server)
                    self._failed(server)
                    continue
                yield server
                return
            finally:
                with self._lock:
                    server.in_flight -= 1

    def _choice(self, affinity: str, tried: list[Server]) -> Server:
        now = time.monotonic()
        ready = [one for one in self.servers if one.away_until <= now]
        fresh = [one for one in ready if one not in tried]
        unseen = [one for one in self.servers if one not in tried]
        some = fresh or ready or unseen or list(self.servers)
        least = min(one.in_flight for one in some)
        equals = [one for one in some if one.in_flight == least]
        if affinity:
            return max(equals, key=lambda one: hashlib.sha256(f"{affinity} {one.url}".encode()).digest())
        return min(equals, key=lambda one: one.last_used)

    def _is_up(self, server: Server) -> bool:
        """Whether it answers at all: with a refused key too, but not that it, or what is behind it, is unavailable."""
        try:
            self._fetch(server, "models", None, self.patience.health_s)
        except Answered as answer:
            if answer.status in (502, 503, 504):  # transformers serve says 500 here, and serves
                return False
        except TooLong:
            pass
        except Trouble:
            return False
        with self._lock:
            server.away_until, server.failures = 0.0, 0
        return True

    def _fetch(self, server: Server, path: str, data: bytes | None, timeout_s: float) -> str:
        return fetch(f"{server.url}/{path}", data, key=key_for(server.url), timeout_s=timeout_s)

    # ---- what became of it

    def _went_well(self, server: Server) -> None:
        with self._lock:
            server.failures, server.away_until, server.answered = 0, 0.0, True

    def _judged(self, server: Server, trouble: Trouble) -> bool:
        """Notes what went wrong; whether asking again may help."""
        if isinstance(trouble, TooLong):
            return False
        if isinstance(trouble, Answered):
            busy = trouble.status in _BUSY
            if not busy and (trouble.status < 500 or trouble.status in _FOR_EVER):
                return False
            if busy or trouble.retry_after_s is not None:
                with self._lock:
                    server.asked_until = time.monotonic() + (trouble.retry_after_s or 0.0)
                    server.away_until, server.answered = server.asked_until, True
                return True
        self._failed(server)
        return True

    def _failed(self, server: Server) -> None:
        with self._lock:
            rest = min(self.patience.longest_rest_s, self.patience.rest_s * 2**server.failures)
            server.failures = min(server.failures + 1, 30)
            server.away_until = time.monotonic() + rest

    def _hopeless(self, trouble: Trouble, tried: list[Server]) -> bool:
        """No further server is left to try, and waiting would not mend this."""
        if set(tried) != set(self.servers):
            return False
        if isinstance(trouble, Slow):
            return True  # a whole timeout was spent on each
        if isinstance(trouble, Unreachable):
            return not any(one.answered for one in self.servers)
        return self._asked_wait() > self.patience.longest_pause_s

    def _asked_wait(self) -> float:
        """Seconds until the first server lets itself be asked again."""
        return max(0.0, min(one.asked_until for one in self.servers) - time.monotonic())

    def _pause(self, tried: list[Server]) -> None:
        """Waits where no further server is left to try, or all have asked to be left alone for a while."""
        now = time.monotonic()
        if any(one not in tried and one.away_until <= now for one in self.servers):
            return
        asked = self._asked_wait()
        if not tried and (not asked or asked > self.patience.longest_pause_s):
            return
        rounds = max(0, tried.count(tried[-1]) - 1) if tried else 0
        limit = min(self.patience.longest_pause_s, self.patience.pause_s * 2**rounds)
        over = now + asked + self._draw() * limit
        while (left := over - time.monotonic()) > 0:
            check()
            time.sleep(min(_LOOK_S, left))
        check()

    def _give_up(self, server: Server, trouble: Trouble, attempts: int) -> NoReturn:
        called = f"openai:{self.address.model}@{server.url}"
        if isinstance(trouble, Answered):
            self._refused(server, called, trouble, attempts)
        if isinstance(trouble, TooLong):
            raise ModelOutputError(f"{called} sent more than {MAX_REPLY_BYTES} bytes", trouble.partial) from None
        if isinstance(trouble, Slow):
            raise ToolFailed(f"{called} gave no reply within {self.patience.timeout_s:g} s") from None
        if isinstance(trouble, Unreachable):
            if not any(one.answered for one in self.servers):
                many = len(self.servers) > 1
                where = " or ".join(repr(one.url) for one in self.servers)
                asked = "check that one of them is running" if many else "check that it is running"
                raise UsageError(f"there is no server at {where}: {trouble}; {asked}") from None
            raise ToolFailed(f"{called} cannot be reached any more: {trouble}") from None
        partial = trouble.partial if isinstance(trouble, Cut) else ""
        if partial:
            raise ModelOutputError(f"{called} broke off its reply: {trouble}", partial[:2000]) from None
        raise ToolFailed(f"{called} broke off: {trouble}") from None

    def _refused(self, server: Server, called: str, answer: Answered, attempts: int) -> NoReturn:
        status, said = answer.status, answer.said
        if status in (401, 403):
            variable, sent = key_variable(server.url), bool(key_for(server.url))
            what = "refuses the key" if sent else "wants a key, and none is set"
            how = f"set {variable} in the environment{' to one that it takes' if sent else ''}"
            raise UsageError(f"{called} {what} ({status}: {said}); {how}") from None
        if status == 404:
            raise UsageError(
                f"{called} is not there ({status}: {said}); check the model's name and the /v1 address"
            ) from None
        if status == 413:
            raise UsageError(f"{called} finds the request too large ({said}); set a smaller max_pixels") from None
        if status in (400, 422):
            raise answer
        if (status >= 500 and status not in _FOR_EVER) or status in _BUSY:
            times = f"{attempts} time{'s' if attempts != 1 else ''}"
            wait = f"; it asks to be left alone for {answer.retry_after_s:g} s" if answer.retry_after_s else ""
            raise ToolFailed(f"{called} failed {times}, at last with {status}: {said}{wait}") from None
        raise UsageError(f"{called} refuses the request ({status}: {said})") from None

    def _json(self, server: Server, text: str) -> Any:
        with suppress(ValueError, RecursionError):
            return json.loads(text)
        called = f"openai:{self.address.model}@{server.url}"
        raise ModelOutputError(f"{called} sent no JSON; check that this is the address of its /v1", text[:2000])
