"""SAM-2 against the libraries' own ways: the `sam2` package, and transformers' processor. Both need torchvision."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.core.errors import UsageError
from surveyor.core.masks import Mask
from surveyor.core.protocols import MaskPrompt, MaskResult, Segmenter
from surveyor.core.scene import Scene
from surveyor.tools.models.sam2 import Sam2Segmenter, sam2_segmenter
from surveyor.tools.models.sam2.checkpoint import _CONFIG_OF, NativeFile
from surveyor.tools.models.sam2.engines import config_text

MISSING = [name for name in ("torch", "torchvision", "transformers", "sam2") if find_spec(name) is None]
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
SIZE = 128
DIAMOND = np.array([[50.0, 10], [90, 50], [50, 90], [10, 50]])
BOXES = np.array([[20.0, 15, 60, 35], [40, 20, 110, 80], [0, 0, 120, 90]])
POINTS = np.array([[[40.0, 25], [65, 40]], [[50, 50], [100, 70]], [[10, 10], [60, 60]]])
LABELS = (1, 0)


def noise(width: int, height: int, seed: int = 0) -> Scene:
    """Smooth noise, as photographs are: sharp noise would make any difference of resizing a large one."""
    import cv2

    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 255, (height // 4 + 1, width // 4 + 1, 3)).astype(np.uint8)
    return Scene.from_array(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))


def prompts() -> list[MaskPrompt]:
    found = [MaskPrompt(box) for box in BOXES]
    found += [MaskPrompt(box, None, points, LABELS) for box, points in zip(BOXES, POINTS, strict=True)]
    found.append(MaskPrompt(np.array([40.0, 25, 40, 25])))
    found.append(MaskPrompt(BOXES[0], coarse=Mask.from_array(np.ones((9, 30)), (22, 18), (90, 120))))
    found.append(MaskPrompt(np.array([10.0, 10, 90, 90]), DIAMOND))
    found.append(MaskPrompt(np.array([500.0, 500, 520, 520])))
    return found


def as_the_library_counts(xy: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Our edges of pixels (..., 2 k) as the coordinates that the libraries scale, and then shift by half a pixel."""
    wh = np.array(size_wh * (xy.shape[-1] // 2), dtype=np.float64)
    return (xy * SIZE / wh - 0.5) * wh / SIZE


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from surveyor.finetune.scratch.sam2 import make_sam2_native

    return make_sam2_native(tmp_path_factory.mktemp("native"), seed=1, size=SIZE)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from surveyor.finetune.scratch.sam2 import make_sam2_hub

    return make_sam2_hub(tmp_path_factory.mktemp("hub"), seed=1, size=SIZE)


def argument(native: Path, more: str = "") -> str:
    return f"{native}?config={native.with_suffix('.yaml')}&device=cpu{more}"


def close(one: tuple[MaskResult, ...], other: tuple[MaskResult, ...], iou: float = 0.995) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.mask.iou(b.mask) >= iou or a.mask.area_px == b.mask.area_px == 0
        assert a.score == pytest.approx(b.score, abs=2e-3)


# ---- the sam2 package


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_native_gives_one_mask_a_prompt_whatever_the_order(native: Path, dtype: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    segmenter, scene = sam2_segmenter(argument(native, f"&dtype={dtype}")), noise(120, 90)
    assert isinstance(segmenter, Segmenter)
    results = segmenter.segment(scene, prompts())
    assert all(result.mask.shape_hw == (90, 120) for result in results)
    assert all(result.score is not None and result.mask.area_px for result in results[:-1])
    assert results[-1].mask.area_px == 0
    close(results, segmenter.segment(scene, prompts()[::-1])[::-1], 0.98)
    with ThreadPoolExecutor(3) as pool:
        for again in pool.map(lambda _: segmenter.segment(scene, prompts()), range(3)):
            assert [r.mask for r in again] == [r.mask for r in results]


@pytest.mark.parametrize("size_wh", [(SIZE, SIZE), (120, 90), (200, 150)])
def test_native_is_as_the_packages_own_predictor(native: Path, size_wh: tuple[int, int]) -> None:
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    segmenter = Sam2Segmenter.at(argument(native, "&window=256"))
    predictor = SAM2ImagePredictor(segmenter._loaded().model)  # type: ignore[attr-defined]
    predictor._bb_feat_sizes = [(SIZE // stride, SIZE // stride) for stride in (4, 8, 16)]  # it knows 1024 px only
    scene = noise(*size_wh)
    predictor.set_image(scene.read())
    asked = [MaskPrompt(box, None, points, LABELS) for box, points in zip(BOXES, POINTS, strict=True)]
    for result, prompt in zip(segmenter.segment(scene, asked), asked, strict=True):
        masks, scores, _ = predictor.predict(
            point_coords=as_the_library_counts(prompt.points_px, size_wh),  # type: ignore[arg-type]
            point_labels=np.array(LABELS),
            box=as_the_library_counts(prompt.box_px, size_wh),
            multimask_output=False,
        )
        theirs = Mask.from_array(masks[0])
        assert theirs.area_px > 50
        assert result.mask.iou(theirs) >= 0.995
        assert result.score == pytest.approx(float(scores[0]), abs=1e-3)
    (single,) = segmenter.segment(scene, [MaskPrompt(np.array([40.0, 25, 40, 25]))])
    where = as_the_library_counts(np.array([[40.0, 25]]), size_wh)
    masks, scores, _ = predictor.predict(point_coords=where, point_labels=np.ones(1), multimask_output=True)
    assert single.mask.iou(Mask.from_array(masks[scores.argmax()])) >= 0.995
    assert single.score == pytest.approx(float(scores.max()), abs=1e-3)


def test_both_libraries_give_the_same_masks_from_the_same_weights(native: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from surveyor.finetune.scratch.sam2 import hub_config, make_sam2_hub

    make_sam2_hub(tmp_path, size=SIZE)
    config = hub_config(SIZE, 16, 64)
    for name, value in {"mlp_dim": 2048, "iou_head_hidden_dim": 256, "num_attention_heads": 8}.items():
        setattr(config.mask_decoder_config, name, value)  # which the package does not let choose
    config.architectures = ["Sam2Model"]
    config.save_pretrained(tmp_path)
    weights = renamed(torch.load(native, weights_only=True)["model"])
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    scene = noise(SIZE, SIZE)  # no resizing, which they round differently
    asked = [prompt for prompt in prompts() if prompt.coarse is None]
    asked.append(MaskPrompt(BOXES[0], coarse=Mask.from_array(np.ones((9, 30)), (22, 18), (SIZE, SIZE))))
    one = sam2_segmenter(f"{tmp_path}?device=cpu").segment(scene, asked)
    close(one, sam2_segmenter(argument(native)).segment(scene, asked))
    assert sum(result.mask.area_px > 100 for result in one) >= 8


RENAMED = [
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
    (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
    (r"(_mlps\.\d|_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head)\.layers\.1\.", r"\1.layers.0."),
    (r"(_mlps\.\d|_head)\.layers\.2\.", r"\1.proj_out."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^sam_prompt_encoder\.pe_layer\.\w+$", "prompt_encoder.shared_embedding.positional_embedding"),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^no_mem_embed$", "no_memory_embedding"),
]
VIDEO_ONLY = ("memory_", "maskmem_", "mask_downsample", "obj_ptr", "no_obj", "no_mem_pos")


def renamed(weights: dict[str, Any]) -> dict[str, Any]:
    """The package's weights under transformers' names, without those for video."""
    import torch

    found: dict[str, Any] = {}
    for key, value in weights.items():
        if key.startswith(VIDEO_ONLY):
            continue
        for pattern, name in RENAMED:
            key = re.sub(pattern, name, key)
        found[key] = value.clone()
    points = [found.pop(f"prompt_encoder.point_embeddings.{i}.weight") for i in range(4)]
    found["prompt_encoder.point_embed.weight"] = torch.cat(points)
    found["shared_image_embedding.positional_embedding"] = found[
        "prompt_encoder.shared_embedding.positional_embedding"
    ].clone()
    return found


def test_native_version_follows_the_config(native: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(native.with_suffix(".yaml").read_text() + "# another\n")
    one = Sam2Segmenter.at(argument(native)).version
    assert one == Sam2Segmenter.at(argument(native, "&batch=2")).version
    assert one != Sam2Segmenter.at(f"{native}?config={other}&device=cpu").version


def test_official_file_names_have_their_config_in_the_package(tmp_path: Path) -> None:
    assert len(_CONFIG_OF) == 8
    for config in _CONFIG_OF.values():
        assert "image_size: 1024" in config_text(NativeFile(tmp_path, config))


def test_bad_native_checkpoints_are_told(native: Path, tmp_path: Path) -> None:
    import torch

    yaml = native.with_suffix(".yaml").read_text()
    cut = tmp_path / "cut.pt"
    cut.write_bytes(native.read_bytes()[:20_000])
    bare, less = tmp_path / "bare.pt", tmp_path / "less.pt"
    torch.save({"weights": {}}, bare)
    weights = torch.load(native, weights_only=True)["model"]
    torch.save({"model": {key: value for key, value in weights.items() if "conv_s" not in key}}, less)
    torch.save({"model": [1, 2]}, tmp_path / "list.pt")
    (tmp_path / "good.yaml").write_text(yaml)
    (tmp_path / "wider.yaml").write_text(yaml.replace("spatial_size: [7, 7]", "spatial_size: [9, 9]"))
    (tmp_path / "deeper.yaml").write_text(yaml.replace("stages: [1, 1, 2, 1]", "stages: [1, 1, 3, 1]"))
    (tmp_path / "evil.yaml").write_text("model:\n  _target_: os.system\n  command: 'exit 1'\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "part.yaml").write_text("model:\n  _target_: sam2.modeling.position_encoding.PositionEmbeddingSine\n")
    cases = [
        (cut, "good.yaml", "cannot be loaded"),
        (bare, "good.yaml", "cannot be loaded: KeyError"),
        (tmp_path / "list.pt", "good.yaml", "cannot be loaded"),
        (less, "good.yaml", "lacks weights that the model needs: sam_mask_decoder.conv_s0.bias.*and 1 more; does"),
        (native, "wider.yaml", "does the config .*wider.yaml' belong to it"),
        (native, "deeper.yaml", "does the config .*deeper.yaml' belong to it"),
        (native, "evil.yaml", "calls 'os.system', expected parts of sam2.modeling only"),
        (native, "list.yaml", "cannot be used"),
        (native, "part.yaml", "cannot be used|expected an image model of SAM-2"),
    ]
    for file, config, message in cases:
        with pytest.raises(UsageError, match=message):
            sam2_segmenter(f"{file}?config={tmp_path / config}&device=cpu").segment(noise(60, 60), prompts()[:1])
    with pytest.raises(UsageError, match=r"has no config 'configs/nothing.yaml'; it has: .*sam2.1_hiera_t.yaml"):
        sam2_segmenter(f"{native}?config=configs/nothing.yaml&device=cpu").segment(noise(60, 60), prompts()[:1])


# ---- transformers' own processor


@pytest.mark.parametrize("size_wh", [(SIZE, SIZE), (120, 90), (300, 200), (60, 50), (257, 131)])
def test_images_are_prepared_as_by_the_processor(hub: Path, size_wh: tuple[int, int]) -> None:
    import torch
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(hub)
    pixels = noise(*size_wh).read()
    theirs = processor(pixels, return_tensors="pt")["pixel_values"]
    ours = (
        Sam2Segmenter.at(f"{hub}?device=cpu")
        ._loaded()
        .preprocessing.to_tensor(  # type: ignore[attr-defined]
            pixels, torch.device("cpu")
        )
    )
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-5


@pytest.mark.parametrize("size_wh", [(SIZE, SIZE), (120, 90), (200, 150)])
def test_masks_are_those_of_the_librarys_own_path(hub: Path, size_wh: tuple[int, int]) -> None:
    import torch
    from transformers import Sam2Model, Sam2Processor

    processor, model = Sam2Processor.from_pretrained(hub), Sam2Model.from_pretrained(hub).eval()
    scene = noise(*size_wh)
    segmenter = sam2_segmenter(f"{hub}?device=cpu&window=256")
    boxes = as_the_library_counts(BOXES, size_wh)[None].tolist()
    points = as_the_library_counts(POINTS, size_wh)[None].tolist()
    for with_points in (False, True):
        more = {"input_points": points, "input_labels": [[list(LABELS)] * 3]} if with_points else {}
        inputs = processor(images=scene.read(), input_boxes=boxes, **more, return_tensors="pt")
        with torch.inference_mode():
            out = model(**inputs, multimask_output=False)
        (theirs,) = processor.post_process_masks(out.pred_masks, inputs["original_sizes"])
        asked = [
            MaskPrompt(box, None, point, LABELS) if with_points else MaskPrompt(box)
            for box, point in zip(BOXES, POINTS, strict=True)
        ]
        for i, result in enumerate(segmenter.segment(scene, asked)):
            mask = Mask.from_array(theirs[i, 0].numpy())
            assert result.mask.iou(mask) >= 0.999 or mask.area_px == result.mask.area_px == 0
            assert result.score == pytest.approx(float(out.iou_scores[0, i, 0]), abs=2e-3)
