"""Small SAM-2 checkpoints made from nothing: for tests, benchmarks, and as a start for training from scratch.

    python -m surveyor.finetune.scratch.sam2 FOLDER [--size 64] [--seed 0] [--steps 900]

`make_sam2_hub` writes the layout of the model hub (`Sam2Model.save_pretrained`), `make_sam2_native` a checkpoint and a
config of the `sam2` package, both of random weights. `train_on_boxes` teaches the first kind, in about a minute on one
core, to give the drawn shape that a box encloses: enough to tell right coordinates from wrong ones, no more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STRIDES = (4, 8, 16)  # of the three feature maps
_PLACES = 0.5  # scale of the random frequencies that places are encoded with; so small a model learns nothing at 1
_WARM = 0.55  # share of the steps in which the mask is the box: what a box means must be learnt before what a shape is


def make_sam2_hub(folder: str | Path, seed: int = 0, *, size: int = 128, width: int = 16, hidden: int = 64) -> Path:
    """The folder, with config.json, preprocessor_config.json and model.safetensors of a random `Sam2Model`.

    Args:
        folder: made where it is not there.
        seed: other weights for each.
        size: side of the encoder's square input in px, a multiple of 32.
        width: channels of the first stage; later stages have 2, 4 and 8 times as many. 96 is SAM-2's "tiny".
        hidden: channels of the decoder, a multiple of 32. SAM-2 has 256.
    """
    from transformers import Sam2Model

    torch.manual_seed(seed)
    model = Sam2Model(hub_config(size, width, hidden)).eval()
    for module in model.modules():  # transformers starts so small layers near 0, from where they hardly learn
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.reset_parameters()
    with torch.no_grad():  # one encoding of places, in two modules, as in the published checkpoints
        places = model.shared_image_embedding.positional_embedding.mul_(_PLACES)
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(places)
    return _saved(model, Path(folder), size)


def hub_config(size: int = 128, width: int = 16, hidden: int = 64):  # type: ignore[no-untyped-def]
    """A `Sam2Config` of that size; `hub_config(1024, 96, 256)` is SAM-2's "tiny"."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2MaskDecoderConfig, Sam2PromptEncoderConfig
    from transformers import Sam2VisionConfig as Vision

    is_small = width < 96
    heads = 2 if is_small else 8
    stages = {} if not is_small else {"blocks_per_stage": [1, 1, 2, 1], "global_attention_blocks": [3]}
    windows = {} if not is_small else {"window_size_per_stage": [8, 4, 4, 2]}
    channels = [width, 2 * width, 4 * width, 8 * width]
    backbone = Sam2HieraDetConfig(
        hidden_size=width, image_size=[size, size], embed_dim_per_stage=channels, **stages, **windows
    )
    vision = Vision(
        backbone_config=backbone, backbone_channel_list=channels[::-1], fpn_hidden_size=hidden,
        backbone_feature_sizes=[[size // stride] * 2 for stride in _STRIDES],
    )  # fmt: skip
    decoder = Sam2MaskDecoderConfig(
        hidden_size=hidden, mlp_dim=8 * hidden, iou_head_hidden_dim=hidden, num_attention_heads=heads
    )
    return Sam2Config(
        vision_config=vision,
        prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=hidden, image_size=size),
        mask_decoder_config=decoder,
    )


def make_sam2_native(
    folder: str | Path, seed: int = 0, *, size: int = 128, width: int = 16, hidden: int = 64, name: str = "tiny"
) -> Path:
    """NAME.pt, with NAME.yaml beside it: a random checkpoint of the `sam2` package and its config.

    Use it as `sam2:FOLDER/NAME.pt?config=FOLDER/NAME.yaml`. Sizes as in `make_sam2_hub`.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.yaml").write_text(_native_config(size, width, hidden), encoding="utf-8")
    torch.manual_seed(seed)
    model = instantiate(OmegaConf.load(place / f"{name}.yaml").model, _recursive_=True)
    torch.save({"model": model.state_dict()}, place / f"{name}.pt")
    return place / f"{name}.pt"


def train_on_boxes(
    folder: str | Path, *, steps: int = 900, scenes: int = 4, seed: int = 0, rate: float = 2e-3
) -> dict[str, float]:
    """Teaches the checkpoint in `folder` to give the bright shape that a box encloses, and writes it back.

    Args:
        folder: of `make_sam2_hub`.
        steps: of the optimiser.
        scenes: drawn images a step; each is asked for its four shapes.
        seed: of the drawing.
        rate: highest learning rate.

    Returns:
        "loss" of the last steps, "iou" (mean over 64 new shapes) and "least" (lowest of them).
    """
    from transformers import Sam2Model

    place = Path(folder)
    model = Sam2Model.from_pretrained(place).train()
    size = int(model.config.prompt_encoder_config.image_size)
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    losses: list[float] = []
    for step in range(steps):
        draw = boxes_on_noise(rng, 4 * scenes, size) if step < _WARM * steps else drawn(rng, scenes, size)
        loss = _loss(model, *draw, many=step % 4 == 3)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        pixels, boxes, masks = drawn(np.random.default_rng(seed + 10_000), 16, size)
        out = model(pixel_values=pixels, input_boxes=boxes, multimask_output=False)
        reached = _iou(out.pred_masks[:, :, 0] > 0, masks > 0.5).flatten()
    _saved(model, place, size)
    return {"loss": float(np.mean(losses[-20:])), "iou": float(reached.mean()), "least": float(reached.min())}


def boxes_on_noise(rng: np.random.Generator, count: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One image of noise, and boxes that are their own masks; shapes and conventions as in `drawn`."""
    pixels = torch.tensor(rng.normal(0, 1, (1, 3, size, size)), dtype=torch.float32)
    wh = rng.integers(size // 8, size // 2, (count, 2))
    xy = rng.integers(0, size - wh)
    boxes = torch.tensor(np.concatenate([xy, xy + wh], axis=1)[None] - 0.5, dtype=torch.float32)
    at = np.arange(size)
    across, down = ((at >= xy[:, i : i + 1]) & (at < (xy + wh)[:, i : i + 1]) for i in (0, 1))
    full = torch.tensor((down[:, :, None] & across[:, None, :])[None], dtype=torch.float32)
    return pixels, boxes, nn.functional.avg_pool2d(full, 4)


def drawn(
    rng: np.random.Generator, scenes: int, size: int, shapes: int = 4
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Dark noise with bright rectangles and ellipses.

    Returns:
        Pixels (B, 3, S, S) normalised; boxes (B, N, 4) px in SAM's own convention (whole numbers are centres of
        pixels); masks (B, N, S/4, S/4), shares of 4 x 4 px.
    """
    pixels, boxes, masks = [], [], []
    for _ in range(scenes):
        image = np.full((size, size, 3), rng.uniform(40, 120), np.float32)
        if rng.random() < 0.5:
            image[:: int(rng.integers(3, 12))] += rng.uniform(-15, 15)
        taken = np.zeros((size, size), np.uint8)
        for _ in range(shapes):
            box, mask = _shape(rng, size, taken)
            taken |= mask
            image[mask > 0] = rng.uniform(180, 250)
            boxes.append(box)
            masks.append(cv2.resize(mask.astype(np.float32), (size // 4, size // 4), interpolation=cv2.INTER_AREA))
        image += rng.normal(0, rng.uniform(1, 12), image.shape).astype(np.float32)
        pixels.append((np.clip(image, 0, 255) / 255 - MEAN) / STD)
    return (
        torch.tensor(np.stack(pixels).transpose(0, 3, 1, 2), dtype=torch.float32),
        torch.tensor(np.array(boxes).reshape(scenes, shapes, 4), dtype=torch.float32),
        torch.tensor(np.stack(masks).reshape(scenes, shapes, size // 4, size // 4)),
    )


def _shape(rng: np.random.Generator, size: int, taken: np.ndarray) -> tuple[Sequence[float], np.ndarray]:
    """One rectangle or ellipse, off the others where there is room: its box and its (S, S) mask."""
    for _ in range(50):
        w, h = (int(v) for v in rng.integers(size // 8, size // 2, 2))
        x, y = int(rng.integers(0, size - w)), int(rng.integers(0, size - h))
        mask = np.zeros((size, size), np.uint8)
        if rng.random() < 0.6:
            mask[y : y + h, x : x + w] = 1
        else:
            centre = (int(16 * (x + w / 2 - 0.5)), int(16 * (y + h / 2 - 0.5)))
            cv2.ellipse(mask, centre, (8 * w - 8, 8 * h - 8), 0, 0, 360, 1, -1, cv2.LINE_8, 4)
        if not (mask & taken).any():
            break
    return (x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5), mask


def _loss(  # type: ignore[no-untyped-def]
    model, pixels: torch.Tensor, boxes: torch.Tensor, masks: torch.Tensor, many: bool
) -> torch.Tensor:
    """Cross-entropy and dice of the mask, or of each of the three; and the error of the predicted IoU."""
    out = model(pixel_values=pixels, input_boxes=boxes, multimask_output=many)
    logits, target = out.pred_masks, masks[:, :, None].expand_as(out.pred_masks)
    weight = torch.tensor(4.0)  # most cells are outside
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    chance = logits.sigmoid()
    dice = 1 - (2 * (chance * target).sum((-2, -1)) + 1) / ((chance + target).sum((-2, -1)) + 1)
    found = _iou(logits > 0, target > 0.5)
    return 4 * entropy + dice.mean() + (out.iou_scores - found).square().mean()


def _iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a & b).sum((-2, -1)) / (a | b).sum((-2, -1)).clamp(min=1)


def _saved(model, folder: Path, size: int) -> Path:  # type: ignore[no-untyped-def]
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    settings = {
        "image_processor_type": "Sam2ImageProcessorFast", "processor_class": "Sam2Processor", "do_resize": True,
        "do_rescale": True, "do_normalize": True, "do_convert_rgb": True, "rescale_factor": 1 / 255, "resample": 2,
        "image_mean": list(MEAN), "image_std": list(STD), "size": {"height": size, "width": size},
        "mask_size": {"height": size // 4, "width": size // 4},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return folder


def _native_config(size: int, width: int, hidden: int) -> str:
    cells = size // _STRIDES[-1]
    attention = f"""
        _target_: sam2.modeling.sam.transformer.RoPEAttention
        rope_theta: 10000.0
        feat_sizes: [{cells}, {cells}]
        embedding_dim: {hidden}
        num_heads: 1
        downsample_rate: 1
        dropout: 0.1"""
    places = """
        _target_: sam2.modeling.position_encoding.PositionEmbeddingSine
        num_pos_feats: {}
        normalize: true
        scale: null
        temperature: 10000"""
    return f"""# @package _global_
# A small SAM-2 in the layout of the sam2 package's own configs/sam2.1/*.yaml.
model:
  _target_: sam2.modeling.sam2_base.SAM2Base
  image_encoder:
    _target_: sam2.modeling.backbones.image_encoder.ImageEncoder
    scalp: 1
    trunk:
      _target_: sam2.modeling.backbones.hieradet.Hiera
      embed_dim: {width}
      num_heads: 1
      stages: [1, 1, 2, 1]
      global_att_blocks: [3]
      window_spec: [8, 4, 4, 2]
      window_pos_embed_bkg_spatial_size: [7, 7]
    neck:
      _target_: sam2.modeling.backbones.image_encoder.FpnNeck
      position_encoding:{places.format(hidden)}
      d_model: {hidden}
      backbone_channel_list: [{8 * width}, {4 * width}, {2 * width}, {width}]
      fpn_top_down_levels: [2, 3]
      fpn_interp_model: nearest
  memory_attention:
    _target_: sam2.modeling.memory_attention.MemoryAttention
    d_model: {hidden}
    pos_enc_at_input: true
    layer:
      _target_: sam2.modeling.memory_attention.MemoryAttentionLayer
      activation: relu
      dim_feedforward: {2 * hidden}
      dropout: 0.1
      pos_enc_at_attn: false
      self_attention:{attention}
      d_model: {hidden}
      pos_enc_at_cross_attn_keys: true
      pos_enc_at_cross_attn_queries: false
      cross_attention:{attention}
        rope_k_repeat: True
        kv_in_dim: 16
    num_layers: 1
  memory_encoder:
    _target_: sam2.modeling.memory_encoder.MemoryEncoder
    out_dim: 16
    in_dim: {hidden}
    position_encoding:{places.format(16)}
    mask_downsampler:
      _target_: sam2.modeling.memory_encoder.MaskDownSampler
      embed_dim: {hidden}
      kernel_size: 3
      stride: 2
      padding: 1
    fuser:
      _target_: sam2.modeling.memory_encoder.Fuser
      layer:
        _target_: sam2.modeling.memory_encoder.CXBlock
        dim: {hidden}
        kernel_size: 7
        padding: 3
        layer_scale_init_value: 1e-6
        use_dwconv: True
      num_layers: 1
  num_maskmem: 7
  image_size: {size}
  sigmoid_scale_for_mem_enc: 20.0
  sigmoid_bias_for_mem_enc: -10.0
  use_mask_input_as_output_without_sam: true
  directly_add_no_mem_embed: true
  no_obj_embed_spatial: true
  use_high_res_features_in_sam: true
  multimask_output_in_sam: true
  iou_prediction_use_sigmoid: True
  use_obj_ptrs_in_encoder: true
  add_tpos_enc_to_obj_ptrs: true
  proj_tpos_enc_in_obj_ptrs: true
  use_signed_tpos_enc_to_obj_ptrs: true
  only_obj_ptrs_in_the_past_for_eval: true
  pred_obj_scores: true
  pred_obj_scores_mlp: true
  fixed_no_obj_ptr: true
  multimask_output_for_tracking: true
  use_multimask_token_for_obj_ptr: true
  multimask_min_pt_num: 0
  multimask_max_pt_num: 1
  use_mlp_for_obj_ptr_proj: true
  compile_image_encoder: False
"""


def main() -> None:
    """Makes a checkpoint in hub layout and trains it on drawn shapes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=900)
    given = parser.parse_args()
    make_sam2_hub(given.folder, given.seed, size=given.size)
    print(json.dumps(train_on_boxes(given.folder, steps=given.steps, seed=given.seed) if given.steps else {}))


if __name__ == "__main__":
    main()
