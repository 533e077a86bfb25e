"""The two libraries that run SAM-2, behind two calls: `encode` an image once, `decode` prompts on it.

Images are resized and normalised here, so transformers' engine needs no torchvision; prompts come in the frame of the
encoder's input (see `cues.place`). Not safe to call from two threads at once; the segmenter holds a lock.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ....core.errors import MissingDependency, UsageError
from .checkpoint import COMMAND_HUB, COMMAND_NATIVE, HubFolder, NativeFile, read_json

if TYPE_CHECKING:
    import torch

DEFAULT_SIZE = 1024
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MODES = {2: "bilinear", 3: "bicubic"}  # PIL's numbers
_STABILITY = {  # build_sam2's: where the one mask is not stable, the best of three is taken
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


@dataclass(frozen=True, eq=False)
class Batch:
    """Prompts of one kind in the encoder's frame.

    Attributes:
        boxes: (N, 4) float32 or None.
        points: (N, K, 2) float32, K may be 0.
        labels: (N, K) int64.
        coarse: (N, m, m) float32 logits or None; m is a quarter of the encoder's side.
    """

    boxes: np.ndarray | None
    points: np.ndarray
    labels: np.ndarray
    coarse: np.ndarray | None


class Engine(Protocol):
    """A loaded model. `size` is the side of its square input in px."""

    size: int

    def encode(self, pixels: np.ndarray) -> Any:
        """What the model keeps of an image (h, w, 3) uint8 of any size."""
        ...

    def decode(self, features: Any, batch: Batch, many: bool) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, C, m, m) float32 and predicted IoU (N, C); C is 3 where `many`, else 1."""
        ...


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become the encoder's input.

    Attributes:
        size: side of the square input.
        mean, std: of each channel, 0-1.
        scale: from 0-255 to 0-1.
        mode: of the resizing.
        in_bytes: resize whole grey levels (transformers) or fractions of them (the sam2 package).
    """

    size: int
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    scale: float = 1 / 255
    mode: str = "bilinear"
    in_bytes: bool = True

    def to_tensor(self, pixels: np.ndarray, device: torch.device) -> torch.Tensor:
        """(1, 3, size, size) float32 on the device."""
        import torch
        from torch.nn.functional import interpolate

        image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        image = image if self.in_bytes else image.float()
        if pixels.shape[:2] != (self.size, self.size):
            image = interpolate(image, (self.size, self.size), mode=self.mode, align_corners=False, antialias=True)
        image = image.to(device).float()
        mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (image * self.scale - mean) / std


class HubEngine:
    """transformers' `Sam2Model`. Prompts are encoded in float32 whatever the dtype: bfloat16 counts in pixels."""

    def __init__(self, source: HubFolder, device: str | None, dtype: str | None) -> None:
        self.preprocessing = preprocessing_of(source)
        self.size = self.preprocessing.size
        try:
            import torch
            from transformers import Sam2Model
        except ImportError:
            raise MissingDependency("SAM-2 (segmenter=sam2:FOLDER)", COMMAND_HUB) from None
        self.device, self.dtype = device_and_dtype(device, dtype)
        try:
            with _quietly():
                model, told = Sam2Model.from_pretrained(
                    source.folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
                )
        except Exception as error:  # the library lets through whatever json, safetensors and torch raise
            raise _not_loaded(source.folder, error) from None
        _check_keys(source.folder, told["missing_keys"], [])
        self.model = model.to(self.device, self.dtype).eval()
        for part in (model.prompt_encoder, model.shared_image_embedding):
            part.float()

    def encode(self, pixels: np.ndarray) -> list[torch.Tensor]:
        import torch

        with torch.inference_mode():
            image = self.preprocessing.to_tensor(pixels, self.device).to(self.dtype)
            return list(self.model.get_image_embeddings(image))

    def decode(self, features: list[torch.Tensor], batch: Batch, many: bool) -> tuple[np.ndarray, np.ndarray]:
        import torch

        with torch.inference_mode():
            points, labels, boxes, coarse = _tensors(batch, self.device)
            count = len(points)
            sparse, dense = self.model.prompt_encoder(
                input_points=points[:, None] if points.shape[1] else None,
                input_labels=labels[:, None] if points.shape[1] else None,
                input_boxes=None if boxes is None else boxes[:, None],
                input_masks=coarse,
            )
            places = self.model.get_image_wide_positional_embeddings()
            # each prompt is an image of its own to the decoder: only so can every prompt have its own rough mask
            logits, quality, _, _ = self.model.mask_decoder(
                image_embeddings=features[-1].expand(count, -1, -1, -1),
                image_positional_embeddings=places.to(self.dtype).expand(count, -1, -1, -1),
                sparse_prompt_embeddings=sparse.to(self.dtype),
                dense_prompt_embeddings=dense.to(self.dtype).expand(count, -1, -1, -1),
                multimask_output=many,
                high_resolution_features=[level.expand(count, -1, -1, -1) for level in features[:-1]],
            )
            return _array(logits[:, 0]), _array(quality[:, 0])


class NativeEngine:
    """The `sam2` package. Keeps no current image, unlike its own predictor, so any input size and order will do."""

    def __init__(self, source: NativeFile, device: str | None, dtype: str | None) -> None:
        try:
            import torch
            import torchvision  # noqa: F401 - sam2 imports it late
            from hydra.utils import instantiate
            from omegaconf import OmegaConf
            from sam2.modeling.sam2_base import SAM2Base
        except ImportError:
            raise MissingDependency("SAM-2 from a .pt file (segmenter=sam2:FILE.pt)", COMMAND_NATIVE) from None
        self.device, self.dtype = device_and_dtype(device, dtype)
        try:
            config = OmegaConf.create(config_text(source))
            OmegaConf.update(config, "model.sam_mask_decoder_extra_args", _STABILITY, force_add=True)
            config.model.compile_image_encoder = False
            _check_targets(OmegaConf.to_container(config.model, resolve=True), source.config)
            with _quietly():
                model = instantiate(config.model, _recursive_=True)
        except UsageError:
            raise
        except Exception as error:  # hydra, omegaconf and yaml have no common base below Exception
            raise UsageError(f"the config {source.config!r} cannot be used: {_short(error)}") from None
        if not isinstance(model, SAM2Base) or not model.use_high_res_features_in_sam:
            raise UsageError(
                f"the config {source.config!r} is of {type(model).__name__}, expected an image model of SAM-2"
            )
        try:
            weights = torch.load(source.file, map_location="cpu", weights_only=True)["model"]
        except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise _not_loaded(source.file, error) from None
        try:
            missing, unexpected = model.load_state_dict(weights, strict=False)
        except (RuntimeError, AttributeError, TypeError) as error:
            raise _not_loaded(source.file, error, f"; does the config {source.config!r} belong to it?") from None
        _check_keys(source.file, missing, unexpected, f"; does the config {source.config!r} belong to it?")
        self.size = int(model.image_size)
        self.preprocessing = Preprocessing(self.size, in_bytes=False)
        self.model = model.to(self.device, self.dtype).eval()
        model.sam_prompt_encoder.float()

    def encode(self, pixels: np.ndarray) -> list[torch.Tensor]:
        import torch

        with torch.inference_mode():
            image = self.preprocessing.to_tensor(pixels, self.device).to(self.dtype)
            _, levels, _, sizes = self.model._prepare_backbone_features(self.model.forward_image(image))
            if self.model.directly_add_no_mem_embed:
                levels[-1] = levels[-1] + self.model.no_mem_embed
            maps = [level.permute(1, 2, 0).view(1, -1, *size) for level, size in zip(levels, sizes, strict=True)]
            return [level.to(self.dtype) for level in maps]  # its neck adds up in float32

    def decode(self, features: list[torch.Tensor], batch: Batch, many: bool) -> tuple[np.ndarray, np.ndarray]:
        import torch

        with torch.inference_mode():
            points, labels, boxes, coarse = _tensors(batch, self.device)
            if boxes is not None:  # as the package's predictor does: a box is two points of kinds 2 and 3
                points = torch.cat([boxes.view(-1, 2, 2), points], dim=1)
                labels = torch.cat([torch.tensor([[2, 3]], device=self.device).expand(len(boxes), 2), labels], dim=1)
            encoder = self.model.sam_prompt_encoder
            sparse, dense = encoder(points=(points, labels), boxes=None, masks=coarse)
            logits, quality, _, _ = self.model.sam_mask_decoder(
                image_embeddings=features[-1],
                image_pe=encoder.get_dense_pe().to(self.dtype),
                sparse_prompt_embeddings=sparse.to(self.dtype),
                dense_prompt_embeddings=dense.to(self.dtype),
                multimask_output=many,
                repeat_image=True,
                high_res_features=features[:-1],
            )
            return _array(logits), _array(quality)


def preprocessing_of(source: HubFolder) -> Preprocessing:
    """How the checkpoint in a folder wants its images; what it does not say is as SAM-2 was published.

    Raises:
        UsageError: a setting that cannot be kept.
    """
    config = read_json(source.folder / "config.json")
    sizes = config.get("prompt_encoder_config") or {}
    size = int(sizes.get("image_size", DEFAULT_SIZE))
    said: dict[str, Any] = {}
    for file in source.files:
        if file.name == "processor_config.json":
            said = read_json(file).get("image_processor") or said
        elif file.name == "preprocessor_config.json":
            said = said or read_json(file)
    wanted = said.get("size", {"height": size, "width": size})
    if not isinstance(wanted, dict) or {wanted.get("height"), wanted.get("width")} != {size}:
        raise UsageError(
            f"{str(source.folder)!r} prepares images as {wanted!r}, but its model takes {size} x {size} px"
        )
    resample = said.get("resample", 2)
    if resample not in _MODES:
        raise UsageError(
            f"{str(source.folder)!r} resizes with resample={resample!r}, expected 2 (bilinear) or 3 (bicubic)"
        )
    mean = tuple(said.get("image_mean") or MEAN) if said.get("do_normalize", True) else (0.0, 0.0, 0.0)
    std = tuple(said.get("image_std") or STD) if said.get("do_normalize", True) else (1.0, 1.0, 1.0)
    scale = float(said.get("rescale_factor") or 1 / 255) if said.get("do_rescale", True) else 1.0
    return Preprocessing(size, mean, std, scale, _MODES[resample])


def config_text(source: NativeFile) -> str:
    """The YAML of a native checkpoint's config, from a file or the sam2 package.

    Raises:
        MissingDependency: it is in the package, which is not installed.
        UsageError: the package has no such config.
    """
    if not source.config.startswith("configs/"):
        return Path(source.config).expanduser().read_text(encoding="utf-8")
    found = find_spec("sam2")
    if found is None or not found.submodule_search_locations:
        raise MissingDependency("SAM-2 from a .pt file (segmenter=sam2:FILE.pt)", COMMAND_NATIVE)
    root = Path(found.submodule_search_locations[0])
    path = root / source.config
    if not path.is_file():
        known = sorted(file.relative_to(root).as_posix() for file in root.glob("configs/sam2*/*hiera_*.yaml"))
        listed = ", ".join(name for name in known if "training" not in name)
        raise UsageError(f"the sam2 package has no config {source.config!r}; it has: {listed}")
    return path.read_text(encoding="utf-8")


def device_and_dtype(device: str | None, dtype: str | None) -> tuple[torch.device, torch.dtype]:
    """Where to compute, and in what; a GPU and bfloat16 where there is one, else the CPU in float32.

    Raises:
        UsageError: no such device here, or float16 on the CPU.
    """
    import torch

    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if place.type == "cuda" and (not torch.cuda.is_available() or (place.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise UsageError(f"device={device!r} is not there: torch sees {count} CUDA devices; use device=cpu")
    if place.type == "cpu" and dtype == "float16":
        raise UsageError("dtype='float16' is for GPUs; use float32 on the CPU (bfloat16 works, but is slower)")
    return place, getattr(torch, dtype or ("bfloat16" if place.type == "cuda" else "float32"))


def _tensors(batch: Batch, device: torch.device) -> tuple[Any, Any, Any, Any]:
    import torch

    arrays = (batch.points, batch.labels, batch.boxes, None if batch.coarse is None else batch.coarse[:, None])
    points, labels, boxes, coarse = (None if a is None else torch.from_numpy(a).to(device) for a in arrays)
    return points, labels, boxes, coarse


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.float().cpu().numpy())


def _check_targets(node: Any, config: str) -> None:
    """Raises UsageError for a config that would call anything but parts of SAM-2: a YAML file may name any function."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if target is not None and not str(target).startswith(("sam2.modeling.", "sam2.sam2_video_predictor.")):
            raise UsageError(f"the config {config!r} calls {target!r}, expected parts of sam2.modeling only")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check_targets(child, config)


def _check_keys(place: Path, missing: Any, unexpected: Any, hint: str = "") -> None:
    for what, keys in (("lacks weights that the model needs", missing), ("has weights unknown to it", unexpected)):
        if keys:
            shown = ", ".join(sorted(keys)[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise UsageError(f"the SAM-2 checkpoint {str(place)!r} {what}: {shown}{hint or '; copy it again'}")


def _not_loaded(place: Path, error: Exception, hint: str = "") -> UsageError:
    return UsageError(f"the SAM-2 checkpoint {str(place)!r} cannot be loaded: {_short(error)}{hint}")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the progress bars and reports of loading, and without the libraries' warnings to each other."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
