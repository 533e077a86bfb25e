"""Exports the averaged mask network to ONNX and checks that onnxruntime agrees with torch.

    python -m surveyor.finetune.masks.export runs/masks/ema.pt tools/models/compact/weights/masks.onnx

The file keeps its weights as float16 (cast back to float32 when it is loaded). The ONNX holds the network only: crops
and masks of the scene are made in `tools/models/compact/mask_crops.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ...tools.models.compact.mask_crops import SIZE
from ..onnx_file import check_onnx, sigmoid, write_onnx
from .model import PROMPT_CHANNELS, MaskNet

INPUTS, OUTPUTS = ("image", "prompt"), ("logits", "quality")


def export(checkpoint: Path, target: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    net = MaskNet()
    net.load_state_dict(saved["model"])
    net.eval()
    write_onnx(
        net, _prompted(2), target, inputs=INPUTS, outputs=OUTPUTS,
        free={name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)}, facts={"step": str(saved["step"])},
    )  # fmt: skip
    trials = [_prompted(1), _prompted(5)]
    check_onnx(net, target, trials, inputs=INPUTS, outputs=OUTPUTS, most=0.05, seen_as=sigmoid)


def _prompted(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(batch, 3, SIZE, SIZE) * 255, torch.rand(batch, PROMPT_CHANNELS, SIZE, SIZE)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.masks.export CHECKPOINT TARGET.onnx")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
