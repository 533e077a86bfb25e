"""What the vision models behind servers share: views shown in parallel, replies read and asked for again, regions made.

Each view is read, encoded and sent when its turn comes, so memory is that of the requests under way. Parallel requests
stop when one fails, when the run is cancelled or when its time is over.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from ....core.budget import Meter, metering
from ....core.codec import Pointed
from ....core.errors import ModelOutputError, UsageError
from ....core.geometry import box_to_corners, corners_to_box, min_area_rect
from ....core.progress import report
from ....core.regions import Region
from ..tasks import Asking, Tasks
from ..views import View
from .address import Address, read_address
from .client import Client, Guided, Reply
from .images import SentImage, fit_image
from .pool import Patience, Pool
from .settings import SETTINGS, Settings

if TYPE_CHECKING:
    import numpy as np

    from ....core.scene import Scene

Value = TypeVar("Value")
_WARMER = 0.3  # temperature added with each re-ask: the same question at 0 has the same reply


class Vision:
    """A vision model behind one or several servers.

    Args:
        address: the model and its servers.
        settings: how it is asked.
        patience: timeouts, tries and pauses; None for those of the settings.
    """

    def __init__(self, address: Address, settings: Settings | None = None, patience: Patience | None = None) -> None:
        self.settings = settings or Settings()
        self.name = address.name
        self.tasks = Tasks(self.settings.dialect)
        patience = patience or Patience(timeout_s=float(self.settings.timeout), tries=self.settings.tries)
        self._client = Client(Pool(address, patience, concurrency=self.settings.concurrency))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def shown(self, scene: Scene, view: View) -> tuple[SentImage, View]:
        """The view as it is sent, and the view at exactly that size."""

        def read(size_wh: tuple[int, int]) -> np.ndarray:
            return scene.read(view.window_xyxy, size_wh)

        sent = fit_image(read, view.size_wh, self.settings.sizes, self.settings.max_bytes)
        return sent, view.shown_at(sent.size_wh)

    def ask(self, images: Sequence[SentImage], asking: Asking[Value], schema: Mapping[str, object] | None = None) -> tuple[Value, Reply]:  # fmt: skip  # noqa: E501
        """What the model replies, read; asked again, warmer each time, while it cannot be read.

        Args:
            images: in the order in which the instruction speaks of them.
            asking: the instruction, and how its reply is read.
            schema: of replies that are JSON: more servers know schemas than grammars.

        Raises:
            ModelOutputError: the last reply cannot be read either; `raw` holds it.
            UsageError, ToolFailed, Cancelled, BudgetExceeded: see `Pool.ask`.
        """
        content = [*(image.part for image in images), {"type": "text", "text": asking.text}]
        affinity = hashlib.sha256(images[0].url.encode()).hexdigest() if images else ""
        for again in range(self.settings.reasks + 1):
            try:
                reply = self._client.reply(
                    [{"role": "user", "content": content}],
                    self._guided(asking, schema),
                    max_tokens=self.settings.max_tokens or asking.max_tokens,
                    logprobs=self.settings.logprobs,
                    special_tokens=self.settings.dialect == "qwen2-vl",
                    temperature=round(_WARMER * again, 3),
                    affinity=affinity,
                )
                return asking.lenient(reply.text), reply  # nobody can tell whether a server held it to the grammar
            except ModelOutputError:
                if again == self.settings.reasks:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _guided(self, asking: Asking[Value], schema: Mapping[str, object] | None) -> Guided | None:
        if not self.settings.guided:
            return None
        if schema is not None:
            return Guided(schema=schema)
        return None if asking.grammar is None else Guided(grammar=asking.grammar)

    def regions_schema(self, label: str) -> Mapping[str, object] | None:
        """The JSON schema of a reply with regions, in dialects that write JSON; else None."""
        if self.settings.dialect not in ("qwen2.5-vl", "qwen3-vl"):
            return None
        box = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 4, "maxItems": 4}
        entry = {
            "type": "object",
            "properties": {"bbox_2d": box, "label": {"type": "string", "enum": [label]}},
            "required": ["bbox_2d", "label"],
            "additionalProperties": False,
        }
        return {"type": "array", "items": entry}

    def regions(self, objects: Sequence[Pointed], reply: Reply, view: View, label: str) -> list[Region]:
        """What a reply points at, in full-scene px; ids are to be given by the caller."""
        return [
            region_of(pointed, view, label, None if pointed.span is None else reply.score(pointed.span), self.name)
            for pointed in objects
        ]

    def in_parallel(self, jobs: Sequence[Callable[[], Value]], what: str) -> list[Value]:
        """What the jobs give, in order, at most `concurrency` at a time. Progress is reported as `what`.

        Raises:
            Whatever a job raises first; the others are stopped.
        """
        report(what, 0, len(jobs))
        stop = threading.Event()
        with (
            metering(Meter(cancelled=stop.is_set)),
            ThreadPoolExecutor(min(self.settings.concurrency, max(1, len(jobs)))) as pool,
        ):
            futures = [pool.submit(copy_context().run, job) for job in jobs]
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    future.result()
                    report(what, done, len(jobs))
            except BaseException:
                stop.set()
                for future in futures:
                    future.cancel()
                raise
            return [future.result() for future in futures]


def vision_at(argument: str, role: str) -> tuple[Address, Settings]:
    """The model, servers and settings of a spec's "MODEL@URL[,URL...][?setting=value&...]".

    Raises:
        UsageError: no address, an unknown setting, a value out of range.

    Example:
        >>> vision_at("m@http://gpu1/v1,http://gpu2/v1?dialect=qwen3-vl", "grounder")[1].sizes.factor
        32
    """
    address = read_address(argument, role, SETTINGS)
    return address, Settings.of(address.options)


def region_of(pointed: Pointed, view: View, label: str, score: float | None, source: str) -> Region:
    """What a reply points at as a region in full-scene px.

    Args:
        pointed: px of the view.
        view: at the size at which it was sent.
        label: the phrase that was asked for; what the model calls it is not taken over.
        score: None where there is none.
        source: the model's name.
    """
    points = view.to_scene(pointed.points_px)
    keypoints = None if pointed.keypoints_px is None else view.to_scene(pointed.keypoints_px)
    box = corners_to_box(points)
    corners = box_to_corners(box) if pointed.kind == "box" else min_area_rect(points)
    polygon = points if pointed.kind == "polygon" else None
    return Region("", label, corners, box, score, polygon, None, keypoints, source)


def checked_phrase(phrase: str) -> str:
    """The phrase on one line. Raises UsageError for an empty one."""
    said = " ".join(phrase.split())
    if not said:
        raise UsageError("the phrase is empty; ask for something, such as 'plane'")
    return said
