"""Servers as what answers prompts about images: pictures become data URLs, replies keep their log-probabilities."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from functools import partial
from typing import TypeVar

import cv2
import numpy as np

from ....core.budget import Meter, metering
from ....core.errors import ModelOutputError
from ....core.frames import SizeWH
from ....core.progress import note
from ..prompting import OutOfMemory, Picture, Prompt, Reply
from ..tasks import Asking, Tasks
from .address import Address
from .client import Client, Guided
from .images import SentImage, fit_image
from .pool import Patience, Pool
from .settings import Settings

Value = TypeVar("Value")
_ABSOLUTE = ("qwen2.5-vl",)  # these write pixels: the size at which an image is sent must be the one that was told


class RemoteAnswerer:
    """A vision model behind one or several servers. Any number of threads may ask.

    Args:
        address: the model and its servers.
        settings: how it is asked.
        patience: timeouts, tries and pauses; None for those of the settings.
    """

    def __init__(self, address: Address, settings: Settings | None = None, patience: Patience | None = None) -> None:
        self.settings = settings or Settings()
        self.tasks = Tasks(self.settings.dialect)
        patience = patience or Patience(timeout_s=float(self.settings.timeout), tries=self.settings.tries)
        self.pool = Pool(address, patience, concurrency=self.settings.concurrency)
        self._client = Client(self.pool)

    @property
    def at_once(self) -> int:
        """Several rounds of requests, so that a slow one holds up few others."""
        return 4 * self.settings.concurrency

    @property
    def version(self) -> None:
        """None, so that no result is kept for later runs: the weights behind a server's name may change."""
        return

    @property
    def most_pixels(self) -> int:
        """Most pixels of an image as it is sent."""
        return self.settings.max_pixels

    def seen_size(self, size_wh: SizeWH, shrink: float = 1.0) -> tuple[int, int]:
        """At which size in px an image of that size is sent, with a share of the pixels it may have."""
        most = max(1, int(self.settings.max_pixels * shrink))
        return self.settings.sizes.of((int(size_wh[0]), int(size_wh[1])), most)

    def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
        """One reply a prompt, in order, `concurrency` at a time; the first failure stops the others.

        Raises:
            ModelOutputError: a server sends no reply (HTML, half a JSON, no text), after `retries` more requests.
            OutOfMemory: an image fits its bytes only in fewer pixels, and the dialect writes pixels.
            UsageError, ToolFailed, Cancelled, BudgetExceeded: see `Pool.ask`.
        """
        return in_parallel([partial(self._one, prompt, temperature) for prompt in prompts], self.settings.concurrency)

    def _one(self, prompt: Prompt, temperature: float) -> Reply:
        content = [
            *(self._sent(picture).part for picture in prompt.pictures),
            {"type": "text", "text": prompt.asking.text},
        ]
        affinity = f"{prompt.pictures[0].key} {prompt.pictures[0].size_wh}" if prompt.pictures else ""
        for again in range(self.settings.retries + 1):
            try:
                reply = self._client.reply(
                    [{"role": "user", "content": content}],
                    self._guided(prompt.asking),
                    max_tokens=self.settings.max_tokens or prompt.asking.max_tokens,
                    logprobs=self.settings.logprobs,
                    special_tokens=self.settings.dialect == "qwen2-vl",
                    temperature=temperature,
                    affinity=affinity,
                )
            except ModelOutputError:
                if again == self.settings.retries:
                    raise
                continue
            logprobs, stops = reply.arrays()
            return Reply(reply.text, reply.ended, logprobs=logprobs, stops=stops)
        raise AssertionError("unreachable: the last try returns or raises")

    def _guided(self, asking: Asking[object]) -> Guided | None:
        if not self.settings.guided or asking.grammar is None:
            return None
        if asking.task in ("det", "seg", "change") and self.settings.dialect in ("qwen2.5-vl", "qwen3-vl"):
            return Guided(schema=_BOXES)  # more servers know schemas than grammars
        return Guided(grammar=asking.grammar)

    def _sent(self, picture: Picture) -> SentImage:
        pixels = picture.read()

        def read(size_wh: tuple[int, int]) -> np.ndarray:
            height, width = pixels.shape[:2]
            if (width, height) == size_wh:
                return pixels
            smaller = size_wh[0] <= width and size_wh[1] <= height
            return cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)

        sent = fit_image(read, picture.size_wh, self.settings.sizes, self.settings.max_bytes)
        if sent.size_wh != picture.size_wh:
            (width, height), most = picture.size_wh, self.settings.max_bytes
            if self.settings.dialect in _ABSOLUTE:
                what = f"an image of {width} x {height} px does not fit max_bytes={most}"
                raise OutOfMemory(f"{what}; allow more", what)
            note(f"images of {width} x {height} px were sent smaller, to fit max_bytes={most}")
        return sent


_BOX = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 4, "maxItems": 4}
_BOXES: Mapping[str, object] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"bbox_2d": _BOX, "label": {"type": "string"}},
        "required": ["bbox_2d", "label"],
        "additionalProperties": False,
    },
}


def in_parallel(jobs: Sequence[Callable[[], Value]], most: int) -> list[Value]:
    """What the jobs give, in order, at most `most` at a time.

    Raises:
        Whatever a job raises first; the others are stopped.
    """
    if not jobs:
        return []
    stop = threading.Event()
    with metering(Meter(cancelled=stop.is_set)), ThreadPoolExecutor(min(most, len(jobs))) as pool:
        futures = [pool.submit(copy_context().run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]
