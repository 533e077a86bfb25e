"""What metrics, tags and statuses are called where people read them, and which of them are shown first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEADLINES: dict[str, tuple[str, ...]] = {
    "boxes": (
        "f1_macro@0.5", "f1_micro@0.5", "set_acc@0.5", "single_acc@0.5", "acc@0.5", "acc@0.7", "mean_iou", "cum_iou",
        "n_acc", "t_acc", "answered",
    ),
    "oriented boxes": (
        "f1_macro@0.5", "f1_micro@0.5", "set_acc@0.5", "single_acc@0.5", "acc@0.5", "acc@0.7", "mean_iou",
    ),
    "masks": (
        "AP50", "miou", "oiou", "giou", "ciou", "p@0.5", "p@0.7", "p@0.9", "giou_targets", "recall_masks", "n_acc",
        "t_acc", "answered",
    ),
    "change": ("F1_1", "IoU_1", "F1_1_inside", "giou", "component_f1@0.5", "n_acc", "t_acc", "answered"),
    "questions": ("strict OA", "strict AA", "substring OA", "substring AA", "to_judge", "answered"),
    "scenes": ("accuracy", "class_mean", "known", "answered"),
}  # fmt: skip
"""Track -> the metrics of its first table, of all tasks that have a track of this name."""

METRIC_WORDS = {
    "f1_macro@0.5": "F1, mean over items",
    "f1_micro@0.5": "F1, pooled objects",
    "set_acc@0.5": "all found, nothing else",
    "single_acc@0.5": "one right object: the first box hits it",
    "n_acc": "nothing is right: none answered",
    "t_acc": "something is right: something answered",
    "answered": "readable answer",
    "giou": "IoU, mean over items",
    "ciou": "IoU of summed pixels",
    "miou": "IoU, mean over items",
    "oiou": "IoU of summed pixels",
    "acc@0.5": "IoU of 0.5 or more",
    "acc@0.7": "IoU of 0.7 or more",
    "mean_iou": "IoU, mean over items",
    "cum_iou": "IoU of summed areas",
    "strict OA": "right, all questions",
    "strict AA": "right, mean of the types",
    "substring OA": "truth in the answer, all questions",
    "substring AA": "truth in the answer, mean of the types",
    "to_judge": "left open by the substring rule",
    "accuracy": "right class",
    "class_mean": "right class, mean of the classes",
    "known": "answer is a class of the set",
    "giou_targets": "IoU, mean where something is right",
    "p@0.5": "IoU of 0.5 or more",
    "p@0.7": "IoU of 0.7 or more",
    "p@0.9": "IoU of 0.9 or more",
    "F1_1": "F1 of changed pixels",
    "IoU_1": "IoU of changed pixels",
    "F1_1_inside": "F1 inside the asked region",
    "component_f1@0.5": "F1 of changed parts",
    "CIDEr": "CIDEr-D, 0 to 10",
    "extra_boxes": "boxes too many, an expression",
    "contrast": "both twins right",
    "one_right": "just one twin right",
    "exact": "tree as meant",
    "dropped": "a condition was dropped",
    "understood": "understood at all",
}

TAG_WORDS = {
    "C": "plain class",
    "A1": "large, small",
    "A2": "elongated, square",
    "A3": "orientation",
    "A5:measure": "metres",
    "P1": "cells of the image",
    "P4": "boxes in numbers",
    "N:if": "if there are so many",
    "P2": "halves, quadrants",
    "P3": "edges",
    "R1": "left of, above",
    "R1:further": "further left than",
    "R2": "nearest, farthest",
    "R3": "within a distance",
    "R3:near": "near",
    "R4": "inside, containing, overlapping",
    "R5": "next to",
    "R6": "between",
    "R7": "in a row",
    "R8": "surrounded",
    "R9:side": "sides of a long thing",
    "R10:turned": "parallel, perpendicular",
    "R11:compared": "compared with another",
    "S": "superlatives",
    "O": "ordinals",
    "N": "groups",
    "N:amount": "numbers of things",
    "G:not": "not",
    "G:and": "and",
    "G:or": "or",
    "Z:class": "none is right: absent class",
    "Z:same image twice": "none is right: the same image twice",
}

_TELLING: dict[str, tuple[str, ...]] = {
    "boxes": ("f1_macro@0.5", "set_acc@0.5", "acc@0.5", "mean_iou"),
    "oriented boxes": ("f1_macro@0.5", "set_acc@0.5", "acc@0.5", "mean_iou"),
    "masks": ("miou", "giou", "p@0.5"),
    "change": ("giou", "F1_1"),  # where nothing is right, F1_1 is 0 whatever was answered
    "questions": ("strict OA",),
    "scenes": ("accuracy",),
}
"""Track -> what is split and shown by tag."""
_MOST_TELLING = 2
_ITEM_SCORES = ("f1@0.5", "iou", "right", "strict", "rouge")
_NO_SHARES = ("items", "pairs", "CIDEr", "extra_boxes")
_MOST_HEADLINES = 10
_MOST_REASONS = 6
FEW = 5
"""Figures of fewer items are shown as such: they say little."""
_ROUNDING = 1e-9
_DIGEST = re.compile(r"[0-9a-f]{32,}")
_CODE = re.compile(r"[A-Z]\d*(:.*)?")


def headlines(track: str, metrics: Sequence[str]) -> tuple[str, ...]:
    """The metrics of a track that are shown first; of an unknown track its first ten.

    Example:
        >>> headlines("boxes", ["items", "answered", "acc_plus_one@0.5", "acc@0.5"])
        ('acc@0.5', 'answered')
    """
    known = [name for name in HEADLINES.get(track, ()) if name in metrics]
    return tuple(known or [name for name in metrics if name not in ("items", "pairs")][:_MOST_HEADLINES])


def telling(track: str, metrics: Sequence[str]) -> tuple[str, ...]:
    """The one or two metrics of a track that are split and shown for each tag, the main one first."""
    known = [name for name in _TELLING.get(track, ()) if name in metrics]
    return tuple(known or headlines(track, metrics))[:_MOST_TELLING]


def item_column(columns: Iterable[str]) -> str | None:
    """The column of a table that is an item's own score, 0 to 1; None where it has none that is known."""
    return next((name for name in _ITEM_SCORES if name in columns), None)


def is_share(metric: str) -> bool:
    """Whether the figure is a part of 1, to be shown in per cent.

    Example:
        >>> is_share("giou"), is_share("CIDEr"), is_share("items")
        (True, False, False)
    """
    return metric not in _NO_SHARES


def figure(value: float | None, metric: str = "", *, signed: bool = False) -> str:
    """A figure as it is shown: per cent with one decimal; an en dash where it is not defined.

    Example:
        >>> figure(0.5), figure(None), figure(-0.25, signed=True), figure(1.234, "CIDEr")
        ('50.0', '–', '-25.0', '1.23')
    """
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if not is_share(metric):
        return f"{value:{sign}.2f}" if value != int(value) else f"{int(value):{sign},}"
    text = f"{100 * value:{sign}.1f}"
    return text.replace("+0.0", "0.0") if text == "+0.0" else text.replace("-0.0", "0.0") if text == "-0.0" else text


def ranged(found: Mapping[str, float | None] | None, metric: str = "") -> str:
    """A figure with its limits in brackets.

    Example:
        >>> ranged({"value": 0.5, "low": 0.25, "high": 0.625}), ranged({"value": 1.0, "low": None, "high": None})
        ('50.0 (25.0–62.5)', '100.0')
    """
    if found is None:
        return "–"
    text = figure(found["value"], metric)
    if found["low"] is None or found["high"] is None or found["value"] is None or metric in ("items", "pairs"):
        return text
    return f"{text} ({limits(found['low'], found['high'], metric)})"


def limits(low: float, high: float, metric: str = "", *, signed: bool = False) -> str:
    """An interval as it is shown; a limit of a difference that is nearly 0 keeps its sign.

    Example:
        >>> limits(0.25, 0.625), limits(-0.1, 0.2, signed=True), limits(-0.2, -0.0002, signed=True)
        ('25.0–62.5', '-10.0 to +20.0', '-20.0 to -0.02')
    """
    first, last = (_limit(each, metric, signed) for each in (low, high))
    return f"{first} to {last}" if signed or low < 0 else f"{first}–{last}"


def _limit(value: float, metric: str, signed: bool) -> str:
    text = figure(value, metric, signed=signed)
    return f"{100 * value:+.1g}" if signed and text == "0.0" and abs(value) > _ROUNDING else text


def shortened(words: str, most: int = 240) -> str:
    """Words on one line, cut where they are long.

    Example:
        >>> shortened("a\\n  b"), shortened("abcdef", 4)
        ('a b', 'abc…')
    """
    line = " ".join(words.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def reason_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why items have no answer, a line each: "2 failed: no such image (first: item-7)"; of many the first ones."""
    lines = [
        f"{each['items']:,} {each['status']}: {each['reason']} ({'first: ' * (each['items'] > 1)}{each['first']})"
        for each in found[:_MOST_REASONS]
    ]
    left = found[_MOST_REASONS:]
    return [*lines, f"{sum(each['items'] for each in left):,} more for {len(left):,} other reasons"] if left else lines


def group_of(tag: str) -> str:
    """Which table a tag belongs to: "condition" for the letters of the construction, else what is before the colon.

    Example:
        >>> group_of("R3:near"), group_of("hops:2"), group_of("unique")
        ('condition', 'hops', 'tag')
    """
    if _CODE.fullmatch(tag):
        return "condition"
    head, colon, _ = tag.partition(":")
    return head if colon else "tag"


def tag_words(tag: str) -> str:
    """What a tag means; "" where it says so itself.

    Example:
        >>> tag_words("P1"), tag_words("Z:place"), tag_words("hops:2")
        ('cells of the image', 'none is right: wrong place', '')
    """
    head, _, what = tag.partition(":")
    return TAG_WORDS.get(tag) or (f"none is right: wrong {what}" if head == "Z" and what else "")


def version_words(version: str) -> str:
    """A model's name and version for people: digests cut to their first ten digits.

    Example:
        >>> version_words("compact 6bcb5d711f274aebfae65b3742197d8cf7219bf0fe7e5024f0cace3c83678846 None")
        'compact 6bcb5d711f'
    """
    parts = [part[:10] if _DIGEST.fullmatch(part) else part for part in version.split() if part != "None"]
    return " ".join(parts)
