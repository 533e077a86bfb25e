"""The segmenter: which window for which prompt, one encode a window, prompts in batches, masks back in the scene."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.errors import ToolFailed, UsageError
from ....core.masks import Mask
from ....core.progress import note, report
from ....core.protocols import MaskPrompt, MaskResult
from ..options import check_names, flag_of, number_of, split_options
from .checkpoint import HubName, NativeFile, digest_of, fetched, source_of
from .cues import Cue, Placed, cue_of, place
from .engines import Batch, Engine, HubEngine, NativeEngine, config_text
from .upscale import enlarged
from .windows import Window, window_for

if TYPE_CHECKING:
    from ....core.scene import Scene

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Sam2Options:
    """Settings of a SAM-2 segmenter; written behind the checkpoint as `?key=value&key=value`.

    Attributes:
        device: "cpu", "cuda", "cuda:1"; None for a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16"; None for bfloat16 on a GPU, float32 on the CPU.
        batch: prompts decoded at once; halved, and said, where memory runs out.
        cache: encoded windows that are kept (16 MB each in float32 at 1024 px).
        window: side in scene px of the windows that a larger scene is seen through; None for the encoder's side.
            Half of it shows everything twice as large: better for small objects, four times the work.
        multimask: take the best of three masks by predicted IoU; None only where the prompt is a single point.
        keypoints: points put into a turned box that comes without any.

    Example:
        >>> options = Sam2Options.of({"window": "512", "multimask": "true"})
        >>> options.window, options.multimask, options.batch
        (512, True, 16)
    """

    device: str | None = None
    dtype: str | None = None
    batch: int = 16
    cache: int = 8
    window: int | None = None
    multimask: bool | None = None
    keypoints: int = 3

    @classmethod
    def of(cls, given: dict[str, str]) -> Sam2Options:
        """Read from the settings of a spec. Raises UsageError for one that there is not, or a value that is not one."""
        check_names(given, [field.name for field in fields(cls)] + ["config"], "sam2")
        device, dtype = given.get("device"), given.get("dtype")
        if device is not None and device != "cpu" and device.partition(":")[0] != "cuda":
            raise UsageError(f"the setting device={device!r} is no device; expected cpu, cuda or cuda:1")
        if device is not None and ":" in device and not device.partition(":")[2].isdigit():
            raise UsageError(f"the setting device={device!r} is no device; expected cpu, cuda or cuda:1")
        if dtype is not None and dtype not in DTYPES:
            raise UsageError(f"the setting dtype={dtype!r} is no type; expected one of: {', '.join(DTYPES)}")
        return cls(
            device,
            dtype,
            number_of(given, "batch", cls.batch),
            number_of(given, "cache", cls.cache, least=0),
            number_of(given, "window", 0, least=64) or None,
            flag_of(given, "multimask", False) if "multimask" in given else None,
            number_of(given, "keypoints", cls.keypoints, least=0),
        )


class Sam2Segmenter:
    """Turns boxes, oriented boxes, points and rough masks into masks. Thread-safe; the weights load on first use.

    Args:
        checkpoint: a folder in the hub's layout, NAME[@REVISION] on the hub (both: transformers' `Sam2Model`), or a
            .pt file (the `sam2` package).
        options: see `Sam2Options`.
        config: of a .pt file that has no official name.

    Raises:
        UsageError: files that are missing, cut off or of another model.
    """

    def __init__(self, checkpoint: str, options: Sam2Options | None = None, config: str | None = None) -> None:
        self.name = f"sam2:{checkpoint}"
        self.options = options or Sam2Options()
        self._source = source_of(checkpoint, config)
        self._batch = self.options.batch
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    @classmethod
    def at(cls, argument: str) -> Sam2Segmenter:
        """The segmenter of `sam2:CHECKPOINT[?key=value&...]`; the keys are those of `Sam2Options`, and `config`.

        Raises:
            UsageError: a checkpoint or a setting that will not do.
        """
        checkpoint, given = split_options(argument)
        return cls(checkpoint, Sam2Options.of(given), given.get("config"))

    @cached_property
    def version(self) -> str:
        """SHA-256 of the weights, their configuration, and the settings that change masks.

        Raises:
            UsageError, MissingDependency: a model of the hub that cannot be fetched; a package's config without it.
        """
        source = self._files()
        config = config_text(source) if isinstance(source, NativeFile) else ""
        settings = [
            (name, getattr(self.options, name)) for name in ("device", "dtype", "window", "multimask", "keypoints")
        ]
        return hashlib.sha256(f"{digest_of(source, config)} {settings}".encode()).hexdigest()

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One result per prompt, in order; the score is SAM-2's own estimate of the mask's IoU.

        A prompt outside the scene gets an empty mask without a score. Each prompt is seen in a window that shows it
        whole (see `windows`); how many are asked together changes nothing.

        Raises:
            UsageError: a prompt that is none (see `cues.cue_of`), or a checkpoint that cannot be loaded.
            MissingDependency: the library of the checkpoint is not installed.
            ToolFailed: memory does not suffice for one prompt, or the numbers overflow in float16.
        """
        cues = [cue_of(prompt, index, scene.size_wh, self.options.keypoints) for index, prompt in enumerate(prompts)]
        empty = Mask.from_array(np.zeros((0, 0)), shape_hw=scene.shape_hw)
        results = [MaskResult(empty)] * len(prompts)
        if all(cue is None for cue in cues):
            return tuple(results)
        engine = self._loaded()
        side = self.options.window or engine.size
        groups: dict[Window, list[Cue]] = {}
        for cue in (cue for cue in cues if cue is not None):
            groups.setdefault(window_for(cue.need, scene.size_wh, side), []).append(cue)
        done = 0
        report("segmenting", 0, total := sum(len(members) for members in groups.values()))
        for window, members in groups.items():
            for cue, result in self._in_window(engine, scene, window, members):
                results[cue.index] = result
                done += 1
                report("segmenting", done, total)
        return tuple(results)

    def _in_window(
        self, engine: Engine, scene: Scene, window: Window, cues: Sequence[Cue]
    ) -> Iterator[tuple[Cue, MaskResult]]:
        features = self._features(engine, scene, window)
        kinds: dict[tuple[object, ...], list[Placed]] = {}
        for placed in (place(cue, window, engine.size) for cue in cues):
            many = placed.is_unclear if self.options.multimask is None else self.options.multimask
            kinds.setdefault((*placed.kind, many), []).append(placed)
        for kind, members in kinds.items():
            start = 0
            while start < len(members):
                part = members[start : start + self._batch]
                try:
                    with self._lock:
                        logits, quality = engine.decode(features, _batch(part), bool(kind[-1]))
                except RuntimeError as error:
                    self._take_less(error, len(part))
                    continue
                for placed, logit, score in zip(part, logits, quality, strict=True):
                    yield placed.cue, _result(logit, score, window, scene.shape_hw)
                start += len(part)

    def _features(self, engine: Engine, scene: Scene, window: Window) -> Any:
        """The window as the encoder sees it, from the cache where it is there."""
        key = (scene.digest, scene.bands, window)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            # twice the encoder's input is read at most: the library shrinks better than a file's nearest overview
            size_wh = tuple(min(window[i + 2] - window[i], 2 * engine.size) for i in (0, 1))
            pixels = scene.read(window, (size_wh[0], size_wh[1]))
            try:
                features = engine.encode(pixels)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                self._kept.clear()
                _free()
                note("memory ran out: SAM-2's kept images were dropped")
                try:
                    features = engine.encode(pixels)
                except RuntimeError as again:
                    raise _too_little(again, "one image") from None
            self._kept[key] = features
            while len(self._kept) > self.options.cache:
                self._kept.popitem(last=False)
            return features

    def _take_less(self, error: RuntimeError, count: int) -> None:
        """Half the batch after memory ran out; any other error is handed on."""
        if count == 1 or not _is_out_of_memory(error):
            raise _too_little(error, "one prompt") from None
        _free()
        self._batch = max(1, count // 2)
        note(f"memory ran out: SAM-2 takes {self._batch} prompts at once instead of {count}")

    def _files(self) -> Any:
        with self._lock:
            if isinstance(self._source, HubName):
                self._source = fetched(self._source)
            return self._source

    def _loaded(self) -> Engine:
        with self._lock:
            if self._engine is None:
                source = self._files()
                kind = NativeEngine if isinstance(source, NativeFile) else HubEngine
                self._engine = kind(source, self.options.device, self.options.dtype)
            return self._engine


def _batch(part: Sequence[Placed]) -> Batch:
    boxes = [placed.box for placed in part if placed.box is not None]
    coarse = [placed.coarse for placed in part if placed.coarse is not None]
    return Batch(
        np.stack(boxes) if boxes else None,
        np.stack([placed.points for placed in part]),
        np.stack([placed.labels for placed in part]),
        np.stack(coarse) if coarse else None,
    )


def _result(logits: np.ndarray, quality: np.ndarray, window: Window, shape_hw: tuple[int, int]) -> MaskResult:
    """The mask of the best of (C, m, m) logits."""
    if not np.isfinite(quality).all() or np.isnan(logits).any():
        raise ToolFailed("SAM-2's numbers overflowed; use dtype=bfloat16 or dtype=float32")
    best = int(quality.argmax())
    pixels, (x, y) = enlarged(logits[best], (window[2] - window[0], window[3] - window[1]))
    mask = Mask.from_array(pixels, (window[0] + x, window[1] + y), shape_hw)
    return MaskResult(mask, float(np.clip(quality[best], 0, 1)))


def _is_out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _too_little(error: RuntimeError, what: str) -> Exception:
    if not _is_out_of_memory(error):
        return error
    return ToolFailed(f"memory does not suffice for {what} with SAM-2; use a smaller checkpoint, or device=cpu")


def _free() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
