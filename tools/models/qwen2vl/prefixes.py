"""What a model has read of images, kept so that the next question about them does not read them again.

A prefix is the start of the prompt up to the last image: its keys and values in every layer. Prefixes of several images
are put side by side for a batch (padded on the left), and nothing of a question is ever written into them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Prefix:
    """The start of a prompt, read by the model.

    Attributes:
        layers: (keys, values) of each layer, each (1, heads, length, head size).
        length: in tokens.
        following: the rotary position of the next token (image tokens share positions, so it is below `length`).
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    length: int
    following: int

    @property
    def bytes(self) -> int:
        """Memory of the tensors."""
        return sum(part.numel() * part.element_size() for layer in self.layers for part in layer)


class Prefixes:
    """The prefixes used last, up to a number of bytes. Thread-safe.

    Args:
        limit_bytes: 0 keeps none. One that is larger by itself is not kept.

    Attributes:
        hits: how often one was there.
        misses: how often one had to be read.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[Hashable, Prefix] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def get(self, key: Hashable) -> Prefix | None:
        """The prefix of that key, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self._kept.move_to_end(key)
            self.hits += 1
            return found

    def put(self, key: Hashable, prefix: Prefix) -> None:
        """Keeps it; the ones used longest ago make room."""
        with self._lock:
            self._kept.pop(key, None)
            if prefix.bytes <= self._limit:
                self._kept[key] = prefix
            while sum(each.bytes for each in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Gives the memory back."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


def batch_cache(prefixes: Sequence[Prefix], config: Any) -> tuple[Any, torch.Tensor]:
    """A cache that holds the prefixes as rows of a batch, and which of its places are real: (rows, longest) of 0 and 1.

    The prefixes themselves are never written to: the cache grows by making new tensors.
    """
    import torch
    from transformers import DynamicCache

    longest = max(prefix.length for prefix in prefixes)
    cache = DynamicCache(config=config)
    for number in range(len(prefixes[0].layers)):
        parts = [_padded(prefix.layers[number], longest) for prefix in prefixes]
        cache.update(torch.cat([keys for keys, _ in parts]), torch.cat([values for _, values in parts]), number)
    device = prefixes[0].layers[0][0].device
    real = torch.zeros(len(prefixes), longest, dtype=torch.long, device=device)
    for row, prefix in enumerate(prefixes):
        real[row, longest - prefix.length :] = 1
    return cache, real


def _padded(layer: tuple[torch.Tensor, torch.Tensor], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    missing = length - layer[0].shape[2]
    if missing == 0:
        return layer
    return torch.nn.functional.pad(layer[0], (0, 0, missing, 0)), torch.nn.functional.pad(layer[1], (0, 0, missing, 0))


def layers_of(cache: Any) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """(keys, values) of each layer of a cache."""
    return tuple((layer.keys, layer.values) for layer in cache.layers)
