"""Records as tensors, by the code that encodes prompts at inference: what is learnt is what will be asked.

A record's first instruction goes through `Engine.encoded`, pictures through the views and sizes of `PointingModel`.
Labels are the replies' tokens and the token that ends each; all others are -100, which the loss leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import UsageError
from ...core.scene import Scene
from ...tools.models.pointing import picture as shown
from ...tools.models.prompting import Picture as Pixels
from ...tools.models.prompting import Prompt
from ...tools.models.qwen2vl.engine import Engine
from ...tools.models.qwen2vl.loading import FAMILIES, Loaded, chat_template
from ...tools.models.qwen2vl.settings import Checkpoint, Settings
from ...tools.models.tasks import Asking
from ...tools.models.views import View, whole
from ..records.record import IMAGE, Instruction, Marked, Picture, with_messages
from .config import SftConfig
from .data import Lines

IGNORED = -100
END = "<|im_end|>"
LEAST = 56 * 56  # as `PointingModel` bounds a view from below
_CONTROL = ("<|im_start|>", END, "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
            "<|video_pad|>")  # fmt: skip


class Reader(Engine):
    """An engine over a model that is given: one in training, or none where only prompts are to be encoded."""

    def __init__(self, checkpoint: Checkpoint, settings: Settings, loaded: Loaded) -> None:
        super().__init__(checkpoint, settings)
        self._given = loaded

    @property
    def loaded(self) -> Loaded:
        """What was given."""
        return self._given


class _NoWeights:
    """Stands where prompts are encoded without a model."""

    def __init__(self, config: Any) -> None:
        self.config, self.dtype, self.device = config, torch.float32, torch.device("cpu")


def settings_of(config: SftConfig) -> Settings:
    """How the model is asked while it learns: as at inference."""
    return Settings(
        dialect=config.dialect, guided=config.eval_guided, min_pixels=config.min_pixels, max_pixels=config.max_pixels,
        max_tokens=config.eval_max_tokens, batch=config.eval_batch, attention=config.attention,
    )  # fmt: skip


def open_reader(config: SftConfig) -> Reader:
    """What encodes records: tokenizer, image processor and chat template of the base; no weights.

    Raises:
        UsageError: no such checkpoint, or one of another family.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

    checkpoint = Checkpoint.of(config.base)
    name, where = checkpoint.source, {"revision": checkpoint.revision} if checkpoint.revision else {}
    try:
        own = AutoConfig.from_pretrained(name, **where)
        if own.model_type not in FAMILIES:
            raise UsageError(f"base: {name!r} is a {own.model_type!r} model; expected one of: {', '.join(FAMILIES)}")
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
        images = AutoImageProcessor.from_pretrained(name, backend="pil", **where)
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        line = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise UsageError(f"base: {name!r} cannot be read: {line}") from None
    template = chat_template(name, tokenizer, where)
    loaded = Loaded(_NoWeights(own), tokenizer, images, template, FAMILIES[own.model_type], {})
    return Reader(checkpoint, settings_of(config), loaded)


@dataclass(frozen=True, eq=False)
class Encoded:
    """One record as the model learns it.

    Attributes:
        ids: tokens of the conversation, one an image patch of the language model.
        labels: the same where a reply is written, else `IGNORED`.
        inputs: `pixel_values` (patches, values) and `image_grid_thw` (pictures, 3); empty without pictures.
    """

    ids: list[int]
    labels: list[int]
    inputs: dict[str, torch.Tensor]


# ---- one record


def turns_of(record: Instruction) -> list[tuple[str, str]]:
    """Instruction and reply of each turn; the mark of the pictures is taken off the first.

    Raises:
        UsageError: roles out of turn, pictures not at the beginning, or text that a tokenizer takes for control tokens.
    """
    said = record.messages
    if not said or len(said) % 2 or any(m.role != ("user", "assistant")[i % 2] for i, m in enumerate(said)):
        raise UsageError(f"the messages of {record.id!r} do not take turns; expected user, assistant, ...")
    head = IMAGE * len(record.pictures) + "\n" * bool(record.pictures)
    texts = [message.content for message in said]
    if not texts[0].startswith(head) or IMAGE in texts[0][len(head) :]:
        raise UsageError(
            f"the first message of {record.id!r} does not begin with {head!r} for its {len(record.pictures)} pictures"
        )
    texts[0] = texts[0][len(head) :]
    for text in texts:
        control = next((token for token in _CONTROL if token in text), None)
        if control is not None:
            raise UsageError(f"a message of {record.id!r} holds {control!r}, which would end or begin a turn")
    return list(zip(texts[::2], texts[1::2], strict=True))


def in_dialect(record: Instruction, reader: Reader) -> Instruction:
    """The record with messages in the reader's dialect, its points in px of the pictures as the model sees them.

    In the native dialect it stays as it is: its messages may be worded in other ways, and a grid of 1000 does not ask
    for the size.
    """
    if reader.tasks.name == "native":
        return record
    return with_messages(as_seen(record, reader), reader.tasks.name)


def as_seen(record: Instruction, reader: Reader) -> Instruction:
    """The record with pictures and points at the size at which the model sees them; messages are not touched."""
    if not record.pictures:
        return record
    pictures = tuple(each.model_copy(update={"size_wh": seen_size(each, reader)}) for each in record.pictures)
    scale = np.array(pictures[-1].size_wh) / np.array(record.size_wh)
    moved = {name: tuple(_scaled(each, scale) for each in getattr(record, name)) for name in ("regions", "given")}
    return record.model_copy(update={"pictures": pictures, **moved})


def _scaled(marked: Marked, scale: np.ndarray) -> Marked:
    def of(points: Any) -> tuple[tuple[float, float], ...]:
        return tuple((float(x * scale[0]), float(y * scale[1])) for x, y in points)

    moved = {"points": of(marked.points), "keypoints": of(marked.keypoints), "rle": None}
    return marked.model_copy(update={**moved, "holes": tuple(of(ring) for ring in marked.holes)})


def seen_size(picture: Picture, reader: Reader) -> tuple[int, int]:
    """At which size in px the model sees a picture: as a grounder shows it a whole scene of that size."""
    view = whole(picture.size_wh, max(LEAST, reader.most_pixels))[0]
    return reader.seen_size(view.size_wh)


def pixels_of(picture: Picture, folder: Path, reader: Reader) -> Pixels:
    """The picture as the model is shown it.

    Raises:
        UsageError: no image, a damaged one, or one of another size than the record says.
    """
    scene = Scene.open(folder / picture.path)
    window = picture.crop_xyxy or (0, 0, *scene.size_wh)
    size = (window[2] - window[0], window[3] - window[1])
    if size != tuple(picture.size_wh) or window[2] > scene.size_wh[0] or window[3] > scene.size_wh[1]:
        raise UsageError(
            f"the record says {picture.size_wh[0]} x {picture.size_wh[1]} px (crop {picture.crop_xyxy}), and "
            f"{str(folder / picture.path)!r} has {scene.size_wh[0]} x {scene.size_wh[1]}; convert the data again"
        )
    return shown(scene, View(window, seen_size(picture, reader), scene.size_wh))


def prompt_of(record: Instruction, folder: Path, reader: Reader) -> Prompt:
    """What the model is asked first; the words are those of the record's messages."""
    text = turns_of(in_dialect(record, reader))[0][0]
    pictures = tuple(pixels_of(each, folder, reader) for each in record.pictures)
    return Prompt(pictures, Asking(record.task, text, None, str, 0, str))


def encoded(record: Instruction, folder: Path, reader: Reader) -> Encoded:
    """The record as the model learns it. Raises UsageError as `pixels_of` and `turns_of`."""
    prompt = prompt_of(record, folder, reader)
    ids, inputs = reader.encoded(prompt)
    ids, labels = _with_replies(list(ids), turns_of(in_dialect(record, reader)), reader)
    return Encoded(ids, labels, inputs)


def measured(record: Instruction, reader: Reader) -> tuple[int, int]:
    """Tokens in all and of the replies, from the sizes that the record tells: no image is opened."""
    turns = turns_of(in_dialect(record, reader))
    first = Prompt((), Asking(record.task, turns[0][0], None, str, 0, str))
    ids, labels = _with_replies(list(reader.encoded(first)[0]), turns, reader)
    patches = [seen_size(each, reader) for each in record.pictures]
    around = 2 * len(patches)  # <|vision_start|> and <|vision_end|>
    count = len(ids) + around + sum(wide * high // reader.factor**2 for wide, high in patches)
    return count, sum(label != IGNORED for label in labels)


def _with_replies(ids: list[int], turns: Sequence[tuple[str, str]], reader: Reader) -> tuple[list[int], list[int]]:
    """The conversation's tokens and labels; `ids` are those up to the first reply."""
    tokenizer = reader.loaded.tokenizer
    end = tokenizer.convert_tokens_to_ids(END)
    labels = [IGNORED] * len(ids)
    for place, (asked, reply) in enumerate(turns):
        if place:
            text = f"\n<|im_start|>user\n{asked}{END}\n<|im_start|>assistant\n"
            more = tokenizer(text, add_special_tokens=False)["input_ids"]
            ids, labels = [*ids, *more], [*labels, *[IGNORED] * len(more)]
        said = [*tokenizer(reply, add_special_tokens=False)["input_ids"], end]
        ids, labels = [*ids, *said], [*labels, *said]
    return ids, labels


# ---- batches


class Pupils(torch.utils.data.Dataset[Encoded]):
    """The records of `lines` in a given order, encoded when they are asked for."""

    def __init__(self, lines: Lines, drawn: Sequence[int] | np.ndarray, reader: Reader) -> None:
        self.lines, self.drawn, self.reader = lines, drawn, reader

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, place: int) -> Encoded:
        index = int(self.drawn[place])
        record = self.lines.read(index)
        try:
            return encoded(record, self.lines.folder(index), self.reader)
        except UsageError as error:
            raise UsageError(f"{self.lines.where(index)}: {error}") from None


class Collator:
    """Encoded records -> one batch, padded on the right.

    `logits_to_keep` are the places before a label in any row: only these are put to the vocabulary, which for 150,000
    words and a thousand image tokens takes more memory than the rest.

    Args:
        reader: for padding and image tokens.
        always_picture: a batch without pictures gets a row with a grey one and nothing to learn. Over several
            processes each must call the vision tower in each step, or the others wait for it for ever; and where the
            language model is frozen a batch without it would have nothing that learns.
    """

    def __init__(self, reader: Reader, always_picture: bool = False) -> None:
        tokenizer = reader.loaded.tokenizer
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self._image = int(reader.loaded.base.config.image_token_id)
        self._spare = _grey(reader) if always_picture else None

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        """The batch; names are those of the model's forward."""
        if self._spare is not None and not any(row.inputs for row in rows):
            rows = [*rows, self._spare]
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), self._pad)
        labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row.ids)] = torch.tensor(row.ids)
            labels[place, : len(row.labels)] = torch.tensor(row.labels)
            mask[place, : len(row.ids)] = 1
        batch = {
            "input_ids": ids, "attention_mask": mask, "labels": labels, "logits_to_keep": before_labels(labels),
            "mm_token_type_ids": (ids == self._image).int(),
        }  # fmt: skip
        with_pictures = [row.inputs for row in rows if row.inputs]
        if with_pictures:
            batch |= {name: torch.cat([row[name] for row in with_pictures]) for name in with_pictures[0]}
        return batch


def before_labels(labels: torch.Tensor) -> torch.Tensor:
    """Places of (rows, length) labels, such that the next one is to be learnt in some row."""
    return (labels[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]


def reply_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross-entropy in nats, summed over the replies' tokens and divided by their number in all batches of the step."""
    targets = labels[:, before_labels(labels) + 1]
    kept = targets != IGNORED
    total = torch.nn.functional.cross_entropy(outputs.logits[kept].float(), targets[kept], reduction="sum")
    return total / (kept.sum() if num_items_in_batch is None else num_items_in_batch)


def _grey(reader: Reader) -> Encoded:
    size = (2 * reader.factor, 2 * reader.factor)
    pixels = np.full((size[1], size[0], 3), 128, dtype=np.uint8)
    ids, inputs = reader.encoded(Prompt((Pixels("grey", size, lambda: pixels),), Asking("", "", None, str, 0, str)))
    return Encoded(ids, [IGNORED] * len(ids), inputs)
