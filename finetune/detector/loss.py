"""Assignment and losses of the detector.

Task-aligned assignment (Feng et al. 2021, TOOD, section 3.2): a location is positive for an object when its class
score and its boxes agree best with it. Horizontal boxes learn by GIoU (Rezatofighi et al. 2019); oriented boxes by
ProbIoU (Llerena et al. 2021, section 3), which sees no angle for squares, and by a corner distance that is the least
over the four namings of the corners, so that the 4-fold ambiguity of near-squares costs nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TOP_K = 10
ALPHA, BETA = 0.5, 6.0


def giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of xyxy boxes that broadcast against each other."""
    wh = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    inter = wh[..., 0] * wh[..., 1]
    area_a = (a[..., 2] - a[..., 0]).clamp(min=0) * (a[..., 3] - a[..., 1]).clamp(min=0)
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area_a + area_b - inter + 1e-6
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull_area = hull[..., 0] * hull[..., 1] + 1e-6
    iou = inter / union
    return iou, iou - (hull_area - union) / hull_area


def prob_iou(a: Tensor, b: Tensor) -> Tensor:
    """1 - Hellinger distance of the Gaussians of oriented boxes (..., 6) that broadcast."""

    def covariance(o: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        u, v = o[..., 2] ** 2 / 12, o[..., 3] ** 2 / 12
        mean, half = (u + v) / 2, (u - v) / 2
        return mean + half * o[..., 4], mean - half * o[..., 4], half * o[..., 5]

    ax, ay, axy = covariance(a)
    bx, by, bxy = covariance(b)
    sx, sy, sxy = ax + bx, ay + by, axy + bxy
    dx, dy = a[..., 0] - b[..., 0], a[..., 1] - b[..., 1]
    det = (sx * sy - sxy**2).clamp(min=1e-6)
    t1 = 0.25 * (sx * dy**2 + sy * dx**2 - 2 * sxy * dx * dy) / det
    det_ab = ((ax * ay - axy**2).clamp(min=1e-6) * (bx * by - bxy**2).clamp(min=1e-6)).sqrt()
    t2 = 0.5 * torch.log(det / (4 * det_ab) + 1e-9)
    distance = (t1 + t2).clamp(1e-4, 50)
    return 1 - (1 - torch.exp(-distance) + 1e-6).sqrt()


def corners(o: Tensor) -> Tensor:
    """Corners (..., 4, 2) of oriented boxes (..., 6)."""
    angle = 0.5 * torch.atan2(o[..., 5], o[..., 4])
    along = torch.stack([angle.cos(), angle.sin()], -1) * o[..., 2:3] / 2
    across = torch.stack([-angle.sin(), angle.cos()], -1) * o[..., 3:4] / 2
    c = o[..., :2]
    return torch.stack([c - along - across, c + along - across, c + along + across, c - along + across], -2)


def corner_distance(pred: Tensor, true: Tensor) -> Tensor:
    """Mean corner distance over the four cyclic namings, least one, divided by the true box's mean side."""
    p, t = corners(pred), corners(true)
    shifts = torch.stack([(p - t.roll(k, -2)).abs().sum(-1).mean(-1) for k in range(4)], -1)
    return shifts.amin(-1) / (true[..., 2] * true[..., 3]).sqrt().clamp(min=2)


@torch.no_grad()
def assign(
    scores: Tensor, hbb: Tensor, obb: Tensor, points: Tensor, strides: Tensor, labels: Tensor, true_hbb: Tensor,
    true_obb: Tensor, has_obb: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Object index (A,) or -1, and soft class target (A,) for one image with M > 0 objects."""
    d = points[None] - true_obb[:, None, :2]
    angle = 0.5 * torch.atan2(true_obb[:, 5], true_obb[:, 4])[:, None]
    along = (d[..., 0] * angle.cos() + d[..., 1] * angle.sin()).abs()
    across = (d[..., 1] * angle.cos() - d[..., 0] * angle.sin()).abs()
    slack = strides[None] * 0.75  # objects thinner than a stride still own the locations beside their axis
    half = true_obb[:, None, 2:4] / 2
    inside = (along < torch.maximum(half[..., 0], slack)) & (across < torch.maximum(half[..., 1], slack))
    overlap, _ = giou(hbb[None], true_hbb[:, None])
    oriented = prob_iou(obb[None], true_obb[:, None])
    overlap = torch.where(has_obb[:, None], (overlap * oriented.clamp(min=0)).sqrt(), overlap) * inside
    metric = scores[:, labels].T.pow(ALPHA) * overlap.pow(BETA)
    # ties at zero (early in training) go to the nearest location
    metric = metric + inside * 1e-12 / (1 + d.pow(2).sum(-1))
    k = min(TOP_K, metric.shape[1])
    top, index = metric.topk(k, 1)
    chosen = torch.zeros_like(metric, dtype=torch.bool).scatter_(1, index, top > 0)
    claimed = torch.where(chosen, overlap + 1e-9, torch.zeros(()))
    best, owner = claimed.max(0)
    positive = best > 0
    owner = torch.where(positive, owner, -1)
    mine = F.one_hot(owner.clamp(min=0), len(labels)).T.bool() & positive
    metric = metric * mine
    peak = metric.amax(1, keepdim=True).clamp(min=1e-20)
    soft = (metric / peak * (overlap * mine).amax(1, keepdim=True)).amax(0)
    return owner, soft


def detector_loss(
    logits: Tensor, raw: Tensor, decoded: tuple[Tensor, Tensor], points: Tensor, strides: Tensor, targets: list[dict]
) -> tuple[Tensor, dict[str, float]]:
    """Total loss and its parts for a batch.

    Each target holds `labels` (M,), `hbb` (M, 4), `obb` (M, 6), `has_obb` (M,) bool, `ignore` (K, 4) xyxy and
    `class_mask` (C,): 1 where the source labels that class exhaustively.
    """
    hbb, obb = decoded
    n, a, c = logits.shape
    target = torch.zeros_like(logits)
    weight = torch.ones(n, a, c)
    pos: list[tuple[Tensor, ...]] = []
    for i, t in enumerate(targets):
        weight[i] *= t["class_mask"]
        if len(t["ignore"]):
            box = t["ignore"][:, None]
            hit = ((points[None] > box[..., :2]) & (points[None] < box[..., 2:])).all(-1).any(0)
            weight[i, hit] = 0
        if not len(t["labels"]):
            continue
        owner, soft = assign(
            logits[i].sigmoid(), hbb[i], obb[i], points, strides, t["labels"], t["hbb"], t["obb"], t["has_obb"]
        )
        where = torch.nonzero(owner >= 0)[:, 0]
        own = owner[where]
        target[i, where, t["labels"][own]] = soft[where]
        weight[i, where] = t["class_mask"]
        pos.append((hbb[i, where], obb[i, where], t["hbb"][own], t["obb"][own], t["has_obb"][own], soft[where], raw[i, where, 8:10]))  # fmt: skip  # noqa: E501
    norm = target.sum().clamp(min=1)
    # varifocal weighting (Zhang et al. 2021, eq. 2): negatives are down-weighted by their score, positives are not
    p = logits.detach().sigmoid()
    focal = torch.where(target > 0, torch.ones(()), 0.75 * p.pow(1.5) + 0.02 * p)
    loss_class = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight * focal).sum() / norm
    zero = logits.sum() * 0
    loss_hbb = loss_prob = loss_corner = loss_axis = zero
    if pos:
        ph, po, th, to, has, soft, axis = (torch.cat(x) for x in zip(*pos, strict=True))
        loss_hbb = ((1 - giou(ph, th)[1]) * soft).sum() / norm
        w = soft * has
        loss_prob = ((1 - prob_iou(po, to)) * w).sum() / norm
        loss_corner = (corner_distance(po, to).clamp(max=4) * w).sum() / norm
        elongation = (to[:, 2] - to[:, 3]) / (to[:, 2] + to[:, 3])
        turn = 1 - (po[:, 4:6] * to[:, 4:6]).sum(-1)
        length = axis.pow(2).sum(-1)
        loss_axis = ((turn * elongation + 0.05 * (length - 1).pow(2)) * w).sum() / norm
    total = loss_class + 2.0 * loss_hbb + 1.5 * loss_prob + 0.5 * loss_corner + 0.5 * loss_axis
    parts = {"class": loss_class, "hbb": loss_hbb, "prob": loss_prob, "corner": loss_corner, "axis": loss_axis}
    return total, {k: float(v.detach()) for k, v in parts.items()}
