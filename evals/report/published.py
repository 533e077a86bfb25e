"""Figures that papers print, to stand beside ours as reference rows: published, not measured here.

In per cent, on the test split of each benchmark, as the papers print them. None of them was reproduced; splits, prompts
and scripts differ (docs/metrics.md tells how). CREC, CRES and RCD have none: GeoRSMLLM names the tasks, no figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of a paper.

    Attributes:
        task: as in an items file: "REC", "RES", "GCG".
        dataset: as `Header.sources` calls it.
        note: what was measured, where the benchmark has several tables.
        model: as the paper calls it.
        figures: metric as the paper calls it -> per cent; CIDEr as printed.
    """

    task: str
    dataset: str
    note: str
    model: str
    figures: Mapping[str, float]

    @property
    def track(self) -> str:
        """Our table of the same rule; "" where any will do."""
        return self.note if self.note == "oriented boxes" else ""


def _res(p50: float, oiou: float, miou: float) -> dict[str, float]:
    return {"P@0.5": p50, "oIoU": oiou, "mIoU": miou}


def _gcg(cider: float, meteor: float, ap50: float, miou: float, recall: float) -> dict[str, float]:
    return {"CIDEr": cider, "METEOR": meteor, "AP50": ap50, "mIoU": miou, "recall": recall}


OURS = {
    "Acc@0.5": "acc@0.5",
    "Acc@0.7": "acc@0.7",
    "P@0.5": "p@0.5",
    "oIoU": "oiou",
    "mIoU": "miou",
    "CIDEr": "CIDEr",
    "METEOR": "METEOR",
    "AP50": "AP50",
    "recall": "recall_glamm",
}
"""Metric of a paper -> ours of the same rule."""

PUBLISHED = (
    Published("RES", "RRSIS-D", "", "RMSIN", _res(74.26, 77.79, 64.20)),
    Published("RES", "RRSIS-D", "", "GeoPixel, fine-tuned", _res(83.33, 84.90, 67.30)),
    Published("RES", "RRSIS-D", "", "GeoMag", _res(81.30, 82.67, 65.71)),
    Published("RES", "RRSIS-D", "", "Qwen2-VL boxes + SAM", {"P@0.5": 44.38, "mIoU": 41.30}),
    Published("RES", "RRSIS-D", "", "GeoGround (16) + SAM", {"P@0.5": 67.50, "mIoU": 60.50}),
    Published("RES", "RefSegRS", "", "GeoMag", _res(77.50, 80.27, 61.39)),
    Published("REC", "DIOR-RSVG", "", "Qwen2-VL", {"Acc@0.5": 44.25}),
    Published("REC", "DIOR-RSVG", "", "GeoGround", {"Acc@0.5": 77.73}),
    Published("REC", "DIOR-RSVG", "", "MGVLF", {"Acc@0.5": 76.78}),
    Published("REC", "VRSBench", "oriented boxes", "GeoChat", {"Acc@0.5": 24.3, "Acc@0.7": 8.6}),
    Published("REC", "VRSBench", "oriented boxes", "GeoPixel, fine-tuned", {"Acc@0.5": 58.00, "Acc@0.7": 28.42}),
    Published("GCG", "GeoPixelD", "", "GeoPixel", _gcg(21.6, 24.0, 19.0, 52.3, 38.8)),
    Published("GCG", "GeoPixelD", "CIDEr x10", "GeoMag", _gcg(23.5, 27.62, 20.76, 53.96, 40.21)),
    Published("GCG", "GeoPixelD", "", "CLV-Net", _gcg(24.5, 26.2, 21.8, 55.3, 41.9)),
)

NONE_PUBLISHED = {
    task: f"No figures are published for {task}: GeoRSMLLM (section II-C) names the task; no benchmark was released."
    for task in ("CREC", "CRES", "RCD")
}


def published(task: str, datasets: Iterable[str]) -> list[Published]:
    """The rows for a task on any of these datasets; () for a dataset that nobody's figures are kept of.

    Example:
        >>> [row.model for row in published("REC", ["DIOR-RSVG"])]
        ['Qwen2-VL', 'GeoGround', 'MGVLF']
    """
    keys = {_key(name) for name in datasets}
    return [row for row in PUBLISHED if row.task == task and any(key.startswith(_key(row.dataset)) for key in keys)]


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
