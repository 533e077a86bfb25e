"""Exports averaged weights to ONNX and checks that onnxruntime agrees with torch.

    python -m surveyor.finetune.change.export runs/change/ema.pt tools/models/compact/weights/change.onnx

The file keeps its weights as float16 (cast back to float32 when it is loaded). The ONNX holds the network only:
tiles and regions are made in `tools/models/compact/change.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ..onnx_file import check_onnx, sigmoid, write_onnx
from .model import ChangeNet

INPUTS, OUTPUTS = ("before", "after"), ("logits",)


def export(checkpoint: Path, target: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    net = ChangeNet(saved["config"]["width"])
    net.load_state_dict(saved["model"])
    net.eval()
    axes = {0: "batch", 2: "height", 3: "width"}
    write_onnx(
        net, _pair(1, 192, 256), target, inputs=INPUTS, outputs=OUTPUTS,
        free=dict.fromkeys((*INPUTS, *OUTPUTS), axes), facts={"step": str(saved["step"])},
    )  # fmt: skip
    trials = [_pair(1, 192, 256), _pair(2, 320, 128)]
    check_onnx(net, target, trials, inputs=INPUTS, outputs=OUTPUTS, most=0.02, seen_as=sigmoid)


def _pair(batch: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (batch, 3, height, width)
    return torch.rand(shape) * 255, torch.rand(shape) * 255


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.change.export CHECKPOINT TARGET.onnx")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
