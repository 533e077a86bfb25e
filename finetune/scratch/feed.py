"""The batches of a run's steps, one after the other, made beforehand by worker processes where there are some.

What a step is shown depends on its number alone (see `shown.Source`), so any number of workers gives the same batches
in the same order, and a run that goes on in the middle gets those that it would have got.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from .batches import Batch

Make = Callable[[int], list[Batch]]
AHEAD = 3  # steps that each worker makes before they are asked for


class _Steps(Dataset):
    """Step number, from a first one on -> its batches."""

    def __init__(self, make: Make, first: int, end: int) -> None:
        self.make, self.first, self.end = make, first, end

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, index: int) -> list[Batch]:
        return self.make(self.first + index)


def fed(make: Make, first: int, end: int, workers: int = 0, pinned: bool = False) -> Iterator[list[Batch]]:
    """The batches of the steps `first` to `end` - 1.

    Args:
        make: of a step's number; with workers it runs in processes forked from this one, which share its memory.
        first, end: steps.
        workers: processes; 0 makes each batch when it is asked for.
        pinned: into memory from which a GPU copies while it computes.
    """
    if workers:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a tokenizer's threads do not live through a fork
    ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "fork"} if workers else {}
    generator = torch.Generator().manual_seed(0)  # else it would draw from torch's own
    return iter(
        DataLoader(
            _Steps(make, first, end), batch_size=None, num_workers=workers, pin_memory=pinned, generator=generator,
            **ahead,
        )
    )  # fmt: skip
