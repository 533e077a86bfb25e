"""Exports averaged weights to ONNX and checks that onnxruntime agrees with torch.

    python -m surveyor.finetune.detector.export runs/detector/ema.pt tools/models/compact/weights/detector.onnx

The file keeps its weights as float16 (cast back to float32 when it is loaded), half the size of float32. The ONNX
holds the network only: decoding, tiling and merging are numpy in `tools/models/compact/detector.py`. To train on from
the exported state, keep `ema.pt` and pass it as `init=runs/detector/ema.pt` to train_detector.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ..onnx_file import check_onnx, write_onnx
from .model import CLASSES, STRIDES, DetectorNet

INPUTS, OUTPUTS = ("image",), ("logits", "boxes")


def export(checkpoint: Path, target: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    net = DetectorNet(saved["config"]["width"], saved["config"]["depth"])
    net.load_state_dict(saved["model"])
    net.eval()
    free = {"image": {0: "batch", 2: "height", 3: "width"}} | {name: {0: "batch", 1: "places"} for name in OUTPUTS}
    facts = {"classes": ",".join(CLASSES), "strides": ",".join(map(str, STRIDES)), "step": str(saved["step"])}
    write_onnx(net, _image(1, 384, 512), target, inputs=INPUTS, outputs=OUTPUTS, free=free, facts=facts)
    check_onnx(net, target, [_image(2, 384, 512), _image(2, 256, 640)], inputs=INPUTS, outputs=OUTPUTS, most=0.1)


def _image(batch: int, height: int, width: int) -> tuple[torch.Tensor]:
    return (torch.rand(batch, 3, height, width) * 255,)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.detector.export CHECKPOINT TARGET.onnx")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
