"""Turns the shipped ONNX detector back into a torch checkpoint, to train on from it.

    python -m surveyor.finetune.detector.restore DETECTOR.onnx runs/shipped.pt ../shared/data
    python -m surveyor.finetune.detector.train finetune/configs/detector.yaml init=runs/shipped.pt out=runs/more

The export folds each BatchNorm into the convolution before it, which cannot be trained well. Here every BatchNorm is
laid open again: its statistics are measured on training crops and its scale and shift are set so that the network
computes what the file computes. Both are compared at the end.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from .augment import CropSet
from .data import read_nwpu
from .model import DetectorNet

Layer = tuple[nn.Conv2d, nn.BatchNorm2d | None]


def folded_convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Weight and bias (None without one) of the file's convolutions in the order in which they run."""
    graph = onnx.load(str(path)).graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].astype(np.float32)
    return [
        (values[n.input[1]], values[n.input[2]] if len(n.input) > 2 else None)
        for n in graph.node
        if n.op_type == "Conv"
    ]


def layers_in_order(net: DetectorNet) -> list[Layer]:
    """The convolutions of one forward pass and the BatchNorm that follows each, found by watching one."""
    order: list[Layer] = []
    hooks = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda m, i, o: order.append((m, None))))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(lambda m, i, o: order.append((order.pop()[0], m))))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return order


def load_folded(net: DetectorNet, folded: list[tuple[np.ndarray, np.ndarray | None]]) -> None:
    """Copies the file's weights in; each BatchNorm becomes the scale and shift that the folding left.

    A convolution that several levels share keeps the first level's weight; the other levels' BatchNorms hold the ratio.
    """
    layers = layers_in_order(net)
    if len(layers) != len(folded):
        raise SystemExit(f"the file has {len(folded)} convolutions, the network {len(layers)}: not the same network")
    seen: set[int] = set()
    for (conv, norm), (weight, bias) in zip(layers, folded, strict=True):
        w = torch.from_numpy(weight.copy())
        if w.shape != conv.weight.shape:
            raise SystemExit(f"weight {tuple(w.shape)} does not fit {tuple(conv.weight.shape)}: not the same network")
        ratio = torch.ones(len(w))
        if id(conv) in seen:
            base = conv.weight.data.flatten(1)
            ratio = (w.flatten(1) * base).sum(1) / base.pow(2).sum(1).clamp(min=1e-12)
        else:
            conv.weight.data.copy_(w)
            seen.add(id(conv))
        shift = torch.zeros(len(w)) if bias is None else torch.from_numpy(bias.copy())
        if norm is None:
            if conv.bias is not None:
                conv.bias.data.copy_(shift)
            continue
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.data.copy_(ratio)
        norm.bias.data.copy_(shift)


def lay_open(net: DetectorNet, images: Tensor) -> None:
    """Measures what enters each BatchNorm and rewrites it with these statistics; its function stays the same."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        x = inputs[0].double()
        sums.setdefault(module, []).append(torch.stack([x.mean((0, 2, 3)), x.pow(2).mean((0, 2, 3))]))

    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [m.register_forward_hook(watch) for m in norms]
    with torch.no_grad():
        for chunk in images.split(8):
            net.eval()(chunk)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, square = torch.stack(sums[norm]).mean(0)
        var = (square - mean**2).clamp(min=1e-6)
        scale, shift = norm.weight.data.double(), norm.bias.data.double()
        norm.weight.data.copy_(scale * (var + norm.eps).sqrt())
        norm.bias.data.copy_(shift + scale * mean)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)


def training_crops(data: Path, count: int = 64) -> Tensor:
    """(count, 3, 384, 384) float crops as in training, from NWPU's training images."""
    crops = CropSet(read_nwpu(data, "train"), 384, 16, 3, {"nwpu": 1.0}, count // 16 + 1, 1.0)
    return torch.from_numpy(np.stack([crops[i]["image"] for i in range(count)])).float()


def restore(source: Path, images: Tensor, width: int = 96, depth: int = 2) -> DetectorNet:
    """The network that computes what the ONNX file computes, with BatchNorms that can be trained.

    Args:
        images: (N, 3, H, W) RGB 0-255 like those of training; their statistics go into the BatchNorms.

    Raises:
        SystemExit: the file is another network, or the result disagrees with it.
    """
    net = DetectorNet(width, depth)
    load_folded(net, folded_convolutions(source))
    lay_open(net, images)
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        got = [t.numpy() for t in net.eval()(images[:4])]
    want = session.run(None, {"image": images[:4].numpy()})
    gap = [float(np.abs(a - b).max()) for a, b in zip(want, got, strict=True)]
    print(f"largest difference to the file: logits {gap[0]:.4f}, boxes {gap[1]:.4f}")
    if max(gap) > 0.1:
        raise SystemExit("the restored network disagrees with the file")
    return net


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: python -m surveyor.finetune.detector.restore MODEL.onnx CHECKPOINT.pt DATA_FOLDER")
    onnx_file, checkpoint, data = (Path(a) for a in sys.argv[1:])
    restored = restore(onnx_file, training_crops(data))
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": restored.state_dict(), "step": 0, "config": {"width": 96, "depth": 2}}, checkpoint)
