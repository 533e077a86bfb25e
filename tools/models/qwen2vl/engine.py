"""A Qwen vision-language checkpoint that answers: images and instructions in, texts with token probabilities out."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ....core.budget import charge, check
from ....core.errors import UsageError
from ....core.frames import SizeWH
from ....core.progress import note
from ..prompting import OutOfMemory, Picture, Prompt, Reply
from ..sizes import smart_resize
from ..tasks import Asking, Tasks
from .decoding import Row, decode
from .loading import Loaded, declared_dialect, load_shared
from .prefixes import Prefix, Prefixes, layers_of
from .settings import Checkpoint, Settings, checkpoint_and_settings

MOST_PIXELS = 28 * 28 * 1280  # 1,280 image tokens of Qwen2-VL: what its own processor is published with
_PLACE = "@@instruction@@"


class Engine:
    """One checkpoint with its adapters. Loads on first use; one batch at a time, whatever the number of threads.

    Args:
        checkpoint: which weights.
        settings: how they are loaded and asked.

    Raises:
        UsageError: nothing is there, or it is no Qwen vision-language model.
    """

    def __init__(self, checkpoint: Checkpoint, settings: Settings) -> None:
        self.checkpoint, self.settings = checkpoint, settings
        self.tasks = Tasks(declared_dialect(checkpoint, settings))
        self.written_tokens, self.writing_s = 0, 0.0
        self._lock = threading.RLock()
        self._loaded: Loaded | None = None
        self._prefixes = Prefixes(settings.prefix_mb * 1_000_000)
        self._heads: dict[int, tuple[list[int], str]] = {}
        self._batch = settings.batch

    # ---- what it is

    @cached_property
    def version(self) -> str | None:
        """A digest of the weights' files, the adapters' and the settings.

        None for a name on the hub without a commit (40 hexadecimal digits): what it stands for may change.
        """
        is_here = Path(self.checkpoint.source).is_dir()
        if not is_here and not re.fullmatch(r"[0-9a-f]{40}", self.checkpoint.revision or ""):
            return None
        return hashlib.sha256(f"{self.checkpoint.stamp} {self.settings}".encode()).hexdigest()

    @property
    def loaded(self) -> Loaded:
        """The weights, loaded now if they were not."""
        with self._lock:
            if self._loaded is None:
                self._loaded = load_shared(self.checkpoint, self.settings)
            return self._loaded

    @property
    def factor(self) -> int:
        """Sides of images are multiples of this, px: patch size times merge size."""
        return int(self.loaded.images.patch_size) * int(self.loaded.images.merge_size)

    @property
    def pixel_bounds(self) -> tuple[int, int]:
        """Least and most pixels of an image as the model sees it."""
        size, settings = self.loaded.images.size, self.settings
        least = settings.min_pixels or int(size["shortest_edge"])
        most = settings.max_pixels or min(int(size["longest_edge"]), MOST_PIXELS)
        if not self.factor**2 <= most or least > most:
            raise UsageError(
                f"min_pixels {least} and max_pixels {most} exclude each other; one patch has {self.factor**2}"
            )
        return least, most

    @property
    def most_pixels(self) -> int:
        """Most pixels of an image as the model sees it."""
        return self.pixel_bounds[1]

    @property
    def at_once(self) -> int:
        """Prompts answered in one batch."""
        return self._batch

    def seen_size(self, size_wh: SizeWH, shrink: float = 1.0) -> tuple[int, int]:
        """At which size in px the model sees an image of that size.

        Args:
            size_wh: width and height in px.
            shrink: share of the pixel budget that may be used (smaller views after memory ran out).
        """
        least, most = self.pixel_bounds
        most = max(self.factor**2, int(most * shrink))
        return smart_resize((int(size_wh[0]), int(size_wh[1])), self.factor, min(least, most), most)

    # ---- answering

    def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
        """One reply a prompt, in order. Charges the tokens to the run.

        Raises:
            OutOfMemory: not even one prompt fits; smaller pictures may.
            MissingDependency, UsageError: the weights cannot be loaded.
            Cancelled, BudgetExceeded: the run stops here.
        """
        replies: dict[int, Reply] = {}
        by_adapter: dict[str, list[int]] = {}
        for index, prompt in enumerate(prompts):
            by_adapter.setdefault(self._adapter(prompt.asking.task), []).append(index)
        with self.loaded.lock:
            for adapter, indices in by_adapter.items():
                self._switch(adapter)
                place = 0
                while place < len(indices):
                    part = indices[place : place + self._batch]
                    try:
                        answered = self._batch_of([prompts[index] for index in part], adapter, temperature)
                    except Exception as error:
                        if not _is_out_of_memory(error):
                            raise
                        self._make_room(error)
                        continue
                    replies.update(zip(part, answered, strict=True))
                    place += len(part)
        return [replies[index] for index in range(len(prompts))]

    def _make_room(self, error: Exception) -> None:
        """Forgets images and halves the batch; raises OutOfMemory when neither is left."""
        had = len(self._prefixes)
        self._prefixes.clear()
        _free_cache()
        if self._batch > 1:
            self._batch = max(1, self._batch // 2)
            note(f"memory ran out: the model answers {self._batch} at a time from now on")
        elif not had:
            raise OutOfMemory(f"{self.checkpoint.source!r} has no memory left: {error}") from error

    def _adapter(self, task: str) -> str:
        names = self.loaded.adapters
        return names.get(task, names.get("", ""))

    def _switch(self, adapter: str) -> None:
        """Makes an adapter the active one; "" switches all of them off."""
        if not self.loaded.adapters:
            return
        model = self.loaded.model
        if adapter:
            model.base_model.enable_adapter_layers()
            model.set_adapter(adapter)
        else:
            model.base_model.disable_adapter_layers()

    def _batch_of(self, prompts: Sequence[Prompt], adapter: str, temperature: float) -> list[Reply]:
        loaded, tokenizer = self.loaded, self.loaded.tokenizer
        rows = []
        for prompt in prompts:
            check()
            prefix = self._prefix(prompt.pictures, adapter)
            tail = self._head(len(prompt.pictures))[1]
            question = tokenizer(prompt.asking.text + tail, add_special_tokens=False)["input_ids"]
            asking = prompt.asking.capped(self.settings.max_tokens or None)
            rows.append(Row(prefix, question, asking.max_tokens, self._guide(asking)))
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        started = time.perf_counter()
        decode(loaded.base, rows, self._ends, int(pad), temperature=temperature)
        written = sum(len(row.tokens) + row.ended for row in rows)
        self.writing_s += time.perf_counter() - started
        self.written_tokens += written
        charge(tokens=written + sum(row.prefix.length + len(row.question) for row in rows))
        return [self._reply(row) for row in rows]

    def _guide(self, asking: Asking[Any]) -> Any:
        if asking.grammar is None or not self.settings.guided:
            return None
        from ..guidance import Guide, Guided

        return Guided(Guide.of(self.loaded.tokenizer, self._ends), asking.grammar, budget=asking.max_tokens)

    def _reply(self, row: Row) -> Reply:
        tokenizer = self.loaded.tokenizer
        text = tokenizer.decode(row.tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        pieces = [tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False) for token in row.tokens]  # fmt: skip  # noqa: E501
        stops = np.cumsum([len(piece) for piece in pieces], dtype=np.int64) if "".join(pieces) == text else None
        logprobs = np.array(row.logprobs, dtype=np.float64)
        return Reply(text, row.ended, row.forced, row.guide is not None, logprobs, stops)

    @cached_property
    def _ends(self) -> frozenset[int]:
        told = self.loaded.base.generation_config.eos_token_id
        listed = told if isinstance(told, list) else [told]
        return frozenset(int(token) for token in (*listed, self.loaded.tokenizer.eos_token_id) if token is not None)

    # ---- reading images

    def _head(self, pictures: int) -> tuple[list[int], str]:
        """Token ids of the prompt up to the last picture, one token a picture, and the text behind the instruction."""
        if pictures not in self._heads:
            content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": _PLACE}]
            tokenizer = self.loaded.tokenizer
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], chat_template=self.loaded.template, tokenize=False,
                add_generation_prompt=True,
            )  # fmt: skip
            head, found, tail = text.partition(_PLACE)
            if not found or (not head.endswith("<|vision_end|>") and pictures):
                raise UsageError(f"the chat template of {self.checkpoint.source!r} does not put images before the text")
            self._heads[pictures] = (tokenizer(head, add_special_tokens=False)["input_ids"], tail)
        return self._heads[pictures]

    def _prefix(self, pictures: Sequence[Picture], adapter: str) -> Prefix:
        key = (adapter, *((picture.key, picture.size_wh) for picture in pictures))
        found = self._prefixes.get(key)
        if found is None:
            found = self._read(pictures)
            self._prefixes.put(key, found)
        return found

    def encoded(self, prompt: Prompt) -> tuple[list[int], dict[str, Any]]:
        """A prompt as the model reads it, for training: its token ids up to the reply, and the images' tensors.

        Returns:
            Token ids (one an image patch of the language model), and `pixel_values` and `image_grid_thw`.
        """
        ids, inputs = self._encoded_head(prompt.pictures)
        tail = self._head(len(prompt.pictures))[1]
        return [*ids, *self.loaded.tokenizer(prompt.asking.text + tail, add_special_tokens=False)["input_ids"]], inputs

    def _encoded_head(self, pictures: Sequence[Picture]) -> tuple[list[int], dict[str, Any]]:
        ids: list[int] = list(self._head(len(pictures))[0])
        if not pictures:
            return ids, {}
        inputs = self._pixels(pictures)
        counts = inputs["image_grid_thw"].prod(1) // int(self.loaded.images.merge_size) ** 2
        return _expanded(ids, self._image_token, counts.tolist()), inputs

    def _read(self, pictures: Sequence[Picture]) -> Prefix:
        """What the model makes of the pictures: the keys and values of the prompt up to the last one."""
        import torch
        from transformers import DynamicCache

        model = self.loaded.base
        ids, inputs = self._encoded_head(pictures)
        tokens = torch.tensor([ids], device=model.device)
        with torch.inference_mode():
            if pictures:
                kinds = (tokens == self._image_token).int()
                positions, _ = model.model.get_rope_index(
                    tokens, mm_token_type_ids=kinds, image_grid_thw=inputs["image_grid_thw"]
                )
            else:
                positions = torch.arange(len(ids), device=model.device)[None, None].expand(3, 1, -1)
            cache = DynamicCache(config=model.config.get_text_config())
            model(
                input_ids=tokens,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **inputs,
            )
        return Prefix(layers_of(cache), len(ids), int(positions.max()) + 1)

    def _pixels(self, pictures: Sequence[Picture]) -> dict[str, Any]:
        """The processor's patches of the pictures, at exactly their sizes."""
        from PIL import Image

        images = []
        for picture in pictures:
            pixels = picture.read()
            image = Image.fromarray(pixels)
            if image.size != picture.size_wh:
                image = image.resize(picture.size_wh, Image.Resampling.BICUBIC)
            images.append(image)
        patches = self.loaded.images(images=images, do_resize=False, return_tensors="pt")
        model = self.loaded.base
        return {
            "pixel_values": patches["pixel_values"].to(model.device, model.dtype),
            "image_grid_thw": patches["image_grid_thw"].to(model.device),
        }

    @property
    def _image_token(self) -> int:
        return int(self.loaded.base.config.image_token_id)


_engines: WeakValueDictionary[tuple[object, ...], Engine] = WeakValueDictionary()
_engines_lock = threading.Lock()


def engine_at(argument: str) -> Engine:
    """The engine of a spec's argument. Roles that name the same weights and settings share one while it is in use."""
    checkpoint, settings = checkpoint_and_settings(argument)
    key = (checkpoint.stamp, settings)
    with _engines_lock:
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = Engine(checkpoint, settings)
        return engine


def _expanded(ids: list[int], image_token: int, counts: Sequence[int]) -> list[int]:
    """Each picture's one token repeated as often as the picture has tokens."""
    left = iter(counts)
    return [token for each in ids for token in ([each] * next(left) if each == image_token else [each])]


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in said or "out of memory" in said)
    )


def _free_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
