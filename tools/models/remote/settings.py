"""What can be set about a vision model behind servers: `openai:MODEL@URL?dialect=qwen2.5-vl&max_pixels=1003520`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from ....core.codec import dialect
from ....core.errors import UsageError
from ..options import flag_of, number_of
from .images import FACTORS, LEAST, MAX_BYTES, Sizes

_VIEWS = ("auto", "whole", "tiles", "adaptive")
_GROUND = ("det", "seg")


@dataclass(frozen=True)
class Settings:
    """How a vision model is asked.

    Args:
        dialect: how it writes coordinates; declared, never guessed: "native" (models trained on this project's format),
            "qwen2-vl", "qwen2.5-vl", "qwen3-vl".
        min_pixels: least pixels of an image as it is sent; 0 takes what the dialect's family declares.
        max_pixels: most pixels of an image as it is sent; must lie within what the server's processor takes.
        max_bytes: of an image in a request (a data URL).
        max_tokens: of a reply; 0 takes the task's.
        concurrency: most requests under way at once, over all servers.
        timeout: seconds for one reply.
        tries: how often a busy or failing server is asked.
        retries: how often an unreadable reply is asked for again (warmer each time).
        guided: replies are held to the task's grammar where a server can do that.
        logprobs: asks for log-probabilities, which the scores are made from.
        ground: "det" asks for oriented boxes, "seg" for upright boxes with key points.
        views: how a large scene is shown: "whole", "tiles", "adaptive" (GeoPixel section 3.2), or "auto"; see
            `pointing.Looking`.
        most_views: tiles of an adaptive division.
        overlap: of neighbouring views, px as they are sent.
        second_look: finds smaller than this (px as sent) are looked at again, enlarged; 0 never.

    Raises:
        UsageError: a value that is out of range.
    """

    dialect: str = "native"
    min_pixels: int = 0
    max_pixels: int = 28 * 28 * 1280
    max_bytes: int = MAX_BYTES
    max_tokens: int = 0
    concurrency: int = 8
    timeout: int = 120
    tries: int = 3
    retries: int = 2
    guided: bool = True
    logprobs: bool = True
    ground: str = "det"
    views: str = "auto"
    most_views: int = 9
    overlap: int = 112
    second_look: int = 0

    def __post_init__(self) -> None:
        dialect(self.dialect)
        for name, words in (("views", _VIEWS), ("ground", _GROUND)):
            if getattr(self, name) not in words:
                raise UsageError(f"the setting {name} is {getattr(self, name)!r}, expected one of: {', '.join(words)}")
        _ = self.sizes

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Settings:
        """The settings of a spec's options. Raises UsageError for values that there are not."""
        given: dict[str, object] = {}
        texts = dict(options)
        for each in fields(cls):
            default = getattr(cls, each.name)
            if each.name not in texts:
                continue
            if isinstance(default, bool):
                given[each.name] = flag_of(texts, each.name, default)
            elif isinstance(default, int):
                given[each.name] = number_of(
                    texts, each.name, default, 0 if default == 0 or each.name in _FROM_0 else 1
                )
            else:
                given[each.name] = texts[each.name]
        return cls(**given)  # type: ignore[arg-type]

    @property
    def sizes(self) -> Sizes:
        """At which sizes images are sent."""
        return Sizes(FACTORS.get(self.dialect), self.min_pixels or LEAST.get(self.dialect, 1), self.max_pixels)


_FROM_0 = ("retries", "overlap")
SETTINGS = tuple(each.name for each in fields(Settings))
