"""Exports the averaged mask network to ONNX and checks that onnxruntime agrees with torch.

    python -m surveyor.finetune.masks.export runs/masks/ema.pt tools/models/compact/weights/masks.onnx

The file keeps its weights as float16 (cast back to float32 when it is loaded). The ONNX holds the network only: crops
and masks of the scene are made in `tools/models/compact/mask_crops.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from ...tools.models.compact.mask_crops import SIZE
from ..detector.export import halve
from .model import PROMPT_CHANNELS, MaskNet

NAMES = ("image", "prompt", "logits", "quality")


def export(checkpoint: Path, target: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    net = MaskNet()
    net.load_state_dict(saved["model"])
    net.eval()
    example = (torch.rand(2, 3, SIZE, SIZE) * 255, torch.rand(2, PROMPT_CHANNELS, SIZE, SIZE))
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net, example, str(target), dynamo=False, opset_version=17, input_names=list(NAMES[:2]),
        output_names=list(NAMES[2:]), dynamic_axes={name: {0: "batch"} for name in NAMES},
    )  # fmt: skip
    model = halve(onnx.load(str(target)))
    model.metadata_props.add(key="step", value=str(saved["step"]))
    onnx.checker.check_model(model)
    onnx.save(model, str(target))

    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        inputs = (torch.rand(batch, 3, SIZE, SIZE) * 255, torch.rand(batch, PROMPT_CHANNELS, SIZE, SIZE))
        with torch.no_grad():
            want = [t.sigmoid().numpy() for t in net(*inputs)]
        got = session.run(None, {"image": inputs[0].numpy(), "prompt": inputs[1].numpy()})
        gap = [float(np.abs(a - 1 / (1 + np.exp(-b))).max()) for a, b in zip(want, got, strict=True)]
        print(f"batch of {batch}: largest difference to torch: probability {gap[0]:.4f}, quality {gap[1]:.4f}")
        if max(gap) > 0.05:
            raise SystemExit("the exported network disagrees with torch")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, step {saved['step']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.masks.export CHECKPOINT TARGET.onnx")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
