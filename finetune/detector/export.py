"""Exports averaged weights to ONNX and checks that onnxruntime agrees with torch.

    python -m surveyor.finetune.detector.export runs/detector/ema.pt tools/models/compact/weights/detector.onnx

The file keeps its weights as float16 (cast back to float32 when it is loaded), half the size of float32. The ONNX
holds the network only: decoding, tiling and merging are numpy in `tools/models/compact/detector.py`. To train on from
the exported state, keep `ema.pt` and pass it as `init=runs/detector/ema.pt` to train_detector.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper

from .model import CLASSES, STRIDES, DetectorNet


def halve(model: onnx.ModelProto, least: int = 256) -> onnx.ModelProto:
    """Stores float32 initialisers as float16 followed by a cast (folded away when the file is loaded)."""
    graph, casts, kept = model.graph, [], []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < least:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(array.astype(np.float16), f"{tensor.name}_half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return model


def export(checkpoint: Path, target: Path) -> None:
    saved = torch.load(checkpoint, map_location="cpu")
    net = DetectorNet(saved["config"]["width"], saved["config"]["depth"])
    net.load_state_dict(saved["model"])
    net.eval()
    example = torch.rand(1, 3, 384, 512) * 255
    target.parent.mkdir(parents=True, exist_ok=True)
    free = {"image": {0: "batch", 2: "height", 3: "width"}} | {
        n: {0: "batch", 1: "places"} for n in ("logits", "boxes")
    }
    torch.onnx.export(
        net,
        (example,),
        str(target),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["logits", "boxes"],
        dynamic_axes=free,
    )
    model = halve(onnx.load(str(target)))
    facts = {"classes": ",".join(CLASSES), "strides": ",".join(map(str, STRIDES)), "step": str(saved["step"])}
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))

    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for height, width in ((384, 512), (256, 640)):
        image = torch.rand(2, 3, height, width) * 255
        with torch.no_grad():
            want = [t.numpy() for t in net(image)]
        got = session.run(None, {"image": image.numpy()})
        gap = [float(np.abs(a - b).max()) for a, b in zip(want, got, strict=True)]
        print(f"{height}x{width}: largest difference to torch: logits {gap[0]:.4f}, boxes {gap[1]:.4f}")
        if max(gap) > 0.1:
            raise SystemExit("the exported network disagrees with torch")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, step {saved['step']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m surveyor.finetune.detector.export CHECKPOINT TARGET.onnx")
    export(Path(sys.argv[1]), Path(sys.argv[2]))
