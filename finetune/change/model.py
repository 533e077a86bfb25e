"""The compact change detector: one encoder for both dates, what differs between their features, three masks.

EfficientNet-Lite0 (the detector's, which knows buildings from above), a top-down decoder to stride 4 shared by both
dates, a head for "building" on each date and one for "changed" on what both say. Siamese differences: Daudt et al.
2018 (FC-Siam-diff); buildings of each date beside the change, so that what is new can be told from what is gone:
Change-Agent's and xBD's two-branch baselines.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..detector.model import Backbone, Separable
from .data import UNKNOWN

TAPS = {2: 24, 4: 40, 10: 112, 15: 320}
"""Block of the backbone -> channels, at strides 4, 8, 16, 32."""
STRIDE = 4


class ChangeNet(nn.Module):
    """Two of RGB in 0..255 (N, 3, H, W), sides multiples of 32 -> logits (N, 3, H, W): changed, built before, after.

    Args:
        width: of the decoder.
        dropout: share of the decoder's channels left out in training, before the heads.
    """

    def __init__(self, width: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout2d(dropout)
        self.backbone = Backbone()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)) for c in TAPS.values()
        )
        self.smooth = nn.ModuleList(Separable(width) for _ in TAPS)
        self.built = nn.Sequential(Separable(width), nn.Conv2d(width, 1, 1))
        self.mix = nn.Sequential(nn.Conv2d(2 * width + 2, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.changed = nn.Sequential(Separable(width), Separable(width), nn.Conv2d(width, 1, 1))
        nn.init.constant_(self.changed[-1].bias, -3.0)
        nn.init.constant_(self.built[-1].bias, -1.5)

    def features(self, image: Tensor) -> Tensor:
        """(N, width, H / 4, W / 4) of one date."""
        x = self.backbone.act(self.backbone._bn0(self.backbone._conv_stem((image - 127.0) / 128.0)))
        taps = []
        for number, block in enumerate(self.backbone._blocks):
            x = block(x)
            if number in TAPS:
                taps.append(x)
        fused = None
        for lateral, smooth, tap in zip(reversed(self.lateral), reversed(self.smooth), reversed(taps), strict=True):
            here = lateral(tap)
            fused = smooth(here if fused is None else here + F.interpolate(fused, scale_factor=2.0, mode="nearest"))
        assert fused is not None
        return fused

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        first, second = self.drop(self.features(torch.cat([before, after]))).chunk(2)
        built = [self.built(each) for each in (first, second)]
        gap = (first - second).abs()
        both = torch.maximum(first, second)
        sure = [torch.sigmoid(each) for each in built]
        differs = torch.cat([(sure[0] - sure[1]).abs(), sure[0] * sure[1]], 1)
        changed = self.changed(self.mix(torch.cat([gap, both, differs], 1)))
        return F.interpolate(torch.cat([changed, *built], 1), scale_factor=float(STRIDE), mode="bilinear")

    def load_detector(self, path: str | Path) -> None:
        """Takes the backbone of a detector's checkpoint (`detector.train`, `detector.restore`)."""
        state = torch.load(path, map_location="cpu")["model"]
        own = {name.removeprefix("backbone."): value for name, value in state.items() if name.startswith("backbone.")}
        self.backbone.load_state_dict(own)


def change_loss(logits: Tensor, changed: Tensor, built: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy and dice of the change, cross-entropy of the buildings, over what is known.

    Pairs whose buildings nobody drew teach them all the same: where a building came or went, one date and one only has
    it; elsewhere both dates agree ("either").

    Args:
        logits: (N, 3, H, W).
        changed: (N, H, W) uint8 with UNKNOWN.
        built: (N, 2, H, W) likewise.

    Returns:
        The loss and its parts.
    """
    told, target = changed != UNKNOWN, (changed == 1).float()
    each = F.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="none")
    entropy = (each * told).sum() / told.sum().clamp(min=1)
    sure = torch.sigmoid(logits[:, 0]) * told
    dice = 1 - (2 * (sure * target).sum() + 1) / (sure.sum() + (target * told).sum() + 1)
    known, wanted = built != UNKNOWN, (built == 1).float()
    shape = F.binary_cross_entropy_with_logits(logits[:, 1:], wanted, reduction="none")
    shapes = (shape * known).sum() / known.sum().clamp(min=1)
    first, second = torch.sigmoid(logits[:, 1:]).unbind(1)
    either = (first * (1 - second) + second * (1 - first)).clamp(1e-4, 1 - 1e-4)
    agreed = (-torch.where(changed == 1, either.log(), (1 - either).log()) * told).sum() / told.sum().clamp(min=1)
    parts = {"changed": entropy, "dice": dice, "built": shapes, "either": agreed}
    loss = entropy + 0.5 * dice + 0.5 * shapes + 0.3 * agreed
    return loss, {name: float(value.detach()) for name, value in parts.items()}
