"""Networks as ONNX files: weights kept as float16, checked against torch before anybody uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn


def write_onnx(
    net: nn.Module,
    example: tuple[Tensor, ...],
    target: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]],
    facts: Mapping[str, str],
) -> None:
    """Writes a network, its weights halved, with facts as metadata.

    Args:
        net: in evaluation mode.
        example: what it is traced with.
        target: the ONNX file; its folder is made.
        inputs: names, in the network's order.
        outputs: likewise.
        free: input or output -> axes whose length may differ, with a name each.
        facts: metadata, text by text.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net, example, str(target), dynamo=False, opset_version=17, input_names=list(inputs),
        output_names=list(outputs), dynamic_axes={name: dict(axes) for name, axes in free.items()},
    )  # fmt: skip
    model = halve(onnx.load(str(target)))
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


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


def check_onnx(
    net: nn.Module,
    target: Path,
    trials: Sequence[tuple[Tensor, ...]],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    most: float,
    seen_as: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    """Compares what onnxruntime and torch give, and says how far they lie apart.

    Args:
        net: what was exported.
        target: the file.
        trials: inputs to compare on.
        inputs: their names.
        outputs: names, for what is printed.
        most: the largest difference allowed.
        seen_as: applied to both before they are compared, such as a sigmoid.

    Raises:
        SystemExit: they differ by more.
    """
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for given in trials:
        with torch.no_grad():
            told = net(*given)
        want = [each.numpy() for each in (told if isinstance(told, tuple | list) else [told])]
        got = session.run(None, {name: each.numpy() for name, each in zip(inputs, given, strict=True)})
        gaps = [float(np.abs(seen_as(a) - seen_as(b)).max()) for a, b in zip(want, got, strict=True)]
        shown = ", ".join(f"{name} {gap:.4f}" for name, gap in zip(outputs, gaps, strict=True))
        print(f"{' x '.join(map(str, given[0].shape))}: largest difference to torch: {shown}")
        if max(gaps) > most:
            raise SystemExit("the exported network disagrees with torch")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logits as probabilities."""
    return np.asarray(1 / (1 + np.exp(-logits)))
