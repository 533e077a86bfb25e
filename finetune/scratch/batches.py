"""Several questions about the same images, as one forward pass of a Qwen2-VL, and the losses of the replies.

What is shown stands once and then each question with its reply. Positions begin anew at each question and the
mask hides the questions from each other, so that every one is read as if it stood behind the images alone, as at
inference; a test holds that. Labels stand on replies only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from .dense import Cells, cells_of, soft_numbers, stacked
from .scenes import Listed
from .shown import Shown
from .tiny import MERGE, PATCH, number_ids

Batch = dict[str, torch.Tensor]
_PLACE = "@@question@@"
NO_LABEL = -100
WILD = 0.02
"""Share of a reply's numbers that are read as any other, where there is noise."""


class Collator:
    """Rows to tensors.

    Args:
        engine: `tools.models.qwen2vl.engine.Engine` of the checkpoint that is trained.
        listed: which things dense targets are made for.
        noise: standard deviation of the noise in numbers, grid steps.
    """

    def __init__(self, engine: Any, listed: Listed, noise: float = 0.0) -> None:
        loaded = engine.loaded
        self.tokenizer, self.listed, self.noise = loaded.tokenizer, listed, noise
        self._template, self._config = loaded.template, loaded.base.config
        self._mean, self._std = (torch.tensor(each, dtype=torch.float32) for each in (loaded.images.image_mean, loaded.images.image_std))  # fmt: skip  # noqa: E501
        self._numbers = torch.tensor(number_ids(self.tokenizer))
        self._values = torch.full((int(self._config.get_text_config().vocab_size),), -1)
        self._values[self._numbers] = torch.arange(len(self._numbers))
        self._heads: dict[tuple[int, ...], tuple[list[int], np.ndarray, str]] = {}

    def patches(self, images: Sequence[np.ndarray], device: Any = "cpu") -> Batch:
        """`pixel_values` and `image_grid_thw` as the checkpoint's image processor makes them.

        Args:
            images: (H, W, 3) uint8, sides multiples of 28 px.
            device: where they are to lie.
        """
        held = {name: value.to(device) for name, value in _held(images).items()}
        return self.opened(held)

    def opened(self, batch: Batch) -> Batch:
        """The batch with `pixels` made to `pixel_values`, where `pixels` lie: a tenth of the bytes has to get there."""
        if "pixels" not in batch:
            return batch
        values, start, pixels = [], 0, batch["pixels"]
        mean, std = (each.to(pixels.device) for each in (self._mean, self._std))
        for rows, columns in batch["image_grid_thw"][:, 1:].tolist():
            count = rows * columns * PATCH * PATCH * 3
            image = (pixels[start : start + count].view(-1, 3).float() / 255 - mean) / std
            split = image.view(rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH, 3)
            flat = split.permute(0, 3, 1, 4, 6, 2, 5)  # cells, patches in a cell, channel, y, x
            twice = flat.reshape(rows * columns, 3, 1, PATCH * PATCH).expand(-1, -1, 2, -1)  # two equal dates
            values.append(twice.reshape(rows * columns, -1))
            start += count
        kept = {name: value for name, value in batch.items() if name != "pixels"}
        return {**kept, "pixel_values": torch.cat(values)}

    def __call__(self, shown: Sequence[Shown], seed: Sequence[int] | None = None) -> Batch:
        """One batch, ready for the model: `packed`, then `opened`."""
        return self.opened(self.packed(shown, seed))

    def packed(self, shown: Sequence[Shown], seed: Sequence[int] | None = None) -> Batch:
        """One batch, before images are made to patches; several short rows share one, hidden from each other.

        Args:
            shown: what is put together.
            seed: of the noise in the numbers that replies are read with (see `noisy`); None for none.

        Returns:
            `input_ids`, `labels` (rows, length), `position_ids` (3, rows, length), `attention_mask` (rows, 1, length,
            length) bool; `pixels` (all images' uint8 in one) and `image_grid_thw` where there are images; `dense_*`:
            the targets of `dense` with `dense_at`, the tokens among all image tokens that they are of.
        """
        parts = [self._row(each) for each in shown]
        rows = _packed([len(part[0]) for part in parts])
        longest = max(sum(len(parts[at][0]) for at in row) for row in rows)
        ids = torch.full((len(rows), longest), int(self.tokenizer.pad_token_id))
        labels = torch.full((len(rows), longest), NO_LABEL)
        places = torch.zeros((3, len(rows), longest), dtype=torch.long)
        branch, document = (torch.full((len(rows), longest), -1) for _ in range(2))
        for number, row in enumerate(rows):
            start = 0
            for at in row:
                own, told, place, of = parts[at]
                here = slice(start, start + len(own))
                ids[number, here], labels[number, here] = torch.tensor(own), torch.tensor(told)
                places[:, number, here], branch[number, here] = torch.from_numpy(place), torch.tensor(of)
                document[number, here] = at
                start += len(own)
        seen = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
        seen &= document[:, :, None] == document[:, None, :]
        batch = {
            "input_ids": ids if seed is None else self.noisy(ids, labels, np.random.default_rng(list(seed))),
            "labels": labels, "position_ids": places,
            "attention_mask": (seen & torch.ones(longest, longest, dtype=torch.bool).tril())[:, None],
        }  # fmt: skip
        in_order = [shown[at] for row in rows for at in row]
        images = [image for each in in_order for image in each.images]
        return batch | (_held(images) | self.dense(in_order) if images else {})

    def noisy(self, ids: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """The ids with the numbers of replies a little off, as a model's own are when it goes on from them.

        Without it a model that has few scenes reads off the exact number before which number comes next, and loses its
        place at the first that it writes one step off.
        """
        value = self._values[ids]
        where = ((labels != NO_LABEL) & (value >= 0)).nonzero(as_tuple=True)
        shift = np.rint(rng.normal(0, self.noise, len(where[0]))).astype(np.int64)
        off = (value[where] + torch.from_numpy(shift)).clamp(0, len(self._numbers) - 1)
        wild = torch.from_numpy(rng.random(len(where[0])) < WILD)
        off[wild] = torch.from_numpy(rng.integers(0, len(self._numbers), int(wild.sum())))
        ids = ids.clone()
        ids[where] = self._numbers[off]
        return ids

    def dense(self, shown: Sequence[Shown]) -> Batch:
        """The dense targets of those that show scenes whole."""
        cells: list[Cells] = []
        at, start = [], 0
        for each in shown:
            for date, image in enumerate(each.images):
                count = image.shape[0] * image.shape[1] // (PATCH * MERGE) ** 2
                if each.seen is not None:
                    cells.append(cells_of(each.seen, date, self.listed))
                    at.append(torch.arange(start, start + count))
                start += count
        if not cells:
            return {}
        return {f"dense_{name}": value for name, value in stacked(cells).items()} | {"dense_at": torch.cat(at)}

    def _row(self, row: Shown) -> tuple[list[int], list[int], np.ndarray, list[int]]:
        """Token ids, labels, positions (3, length) and the branch of each: 0 for what all questions see."""
        head, place, tail = self._head(tuple(side for image in row.images for side in image.shape[:2]))
        following = int(place.max()) + 1
        ids, labels, branch, places = list(head), [NO_LABEL] * len(head), [0] * len(head), [place]
        for number, question in enumerate(row.questions, start=1):
            asked = self.tokenizer(question.asking.text + tail, add_special_tokens=False)["input_ids"]
            reply = [*self.tokenizer(question.reply, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]  # fmt: skip  # noqa: E501
            count = len(asked) + len(reply)
            ids += [*asked, *reply]
            labels += [NO_LABEL] * len(asked) + reply
            branch += [number] * count
            places.append(np.tile(following + np.arange(count), (3, 1)))
        return ids, labels, np.concatenate(places, axis=1), branch

    def _head(self, sides: tuple[int, ...]) -> tuple[list[int], np.ndarray, str]:
        """Ids and positions up to the last image, and the text behind a question; sides are H, W, H, W ..."""
        if sides not in self._heads:
            content = [*({"type": "image"} for _ in sides[::2]), {"type": "text", "text": _PLACE}]
            text = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], chat_template=self._template, tokenize=False,
                add_generation_prompt=True,
            )  # fmt: skip
            head, _, tail = text.partition(_PLACE)
            ids: list[int] = []
            places: list[np.ndarray] = []
            following, left = 0, list(zip(sides[::2], sides[1::2], strict=True))
            for token in self.tokenizer(head, add_special_tokens=False)["input_ids"]:
                rows, columns = (1, 1)
                if token == self._config.image_token_id:
                    rows, columns = (side // (PATCH * MERGE) for side in left.pop(0))
                grid = np.stack([np.zeros((rows, columns), np.int64), *np.indices((rows, columns))]).reshape(3, -1)
                ids += [token] * (rows * columns)
                places.append(grid + following)
                following += max(rows, columns)
            self._heads[sides] = (ids, np.concatenate(places, axis=1), tail)
        return self._heads[sides]


def _held(images: Sequence[np.ndarray]) -> Batch:
    grids = [[1, image.shape[0] // PATCH, image.shape[1] // PATCH] for image in images]
    pixels = np.concatenate([image.ravel() for image in images])
    return {"pixels": torch.from_numpy(pixels), "image_grid_thw": torch.tensor(grids)}


def _packed(lengths: Sequence[int]) -> list[list[int]]:
    """Indices by row: the longest alone, shorter ones together where they fit into as much (first fit, decreasing)."""
    rows: list[tuple[int, list[int]]] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        for number, (used, row) in enumerate(rows):
            if used + lengths[at] <= lengths[rows[0][1][0]]:
                rows[number] = (used + lengths[at], [*row, at])
                break
        else:
            rows.append((lengths[at], [at]))
    return [row for _, row in rows]


class ReplyLoss(nn.Module):
    """Cross-entropy of replies; a number that is nearly right is nearly as good.

    Args:
        tokenizer: with a token for each number.
        structure: weight of tokens that are no numbers.
    """

    ids: torch.Tensor
    value: torch.Tensor
    soft: torch.Tensor

    def __init__(self, tokenizer: Any, rows: int, structure: float = 1.0) -> None:
        super().__init__()
        ids = torch.tensor(number_ids(tokenizer))
        value = torch.full((rows,), -1)
        value[ids] = torch.arange(len(ids))
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("value", value, persistent=False)
        self.register_buffer("soft", soft_numbers(0), persistent=False)
        self.structure = structure

    def soften(self, width: float) -> None:
        """From now on a number's label is a bell of that standard deviation, in grid steps; 0 is the number alone."""
        self.soft = soft_numbers(width)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Losses of reply tokens: logits (N, vocabulary), labels (N,).

        Returns:
            `loss`, to be minimised; and, for looking at: `words` and `numbers` (nats a token), `off` (mean grid steps
            between the likeliest number and the right one), `sure` (probability of the least likely word token).
        """
        logs = logits.float().log_softmax(dim=-1)
        value = self.value[labels]
        is_number = value >= 0
        words = -logs[~is_number].gather(1, labels[~is_number, None])[:, 0]
        total, found = self.structure * words.sum(), dict[str, torch.Tensor]()
        if len(words):
            found = {"words": words.mean(), "sure": (-words.detach().max()).exp()}
        if bool(is_number.any()):
            of = logs[is_number][:, self.ids]
            numbers = -(self.soft[value[is_number]] * of).sum(dim=1)
            found |= {"numbers": numbers.mean(), "off": (of.argmax(dim=1) - value[is_number]).abs().float().mean()}
            total = total + numbers.sum()
        return {"loss": total / len(labels), **found}
