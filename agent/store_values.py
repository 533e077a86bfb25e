"""Values of steps as JSON, exactly: what is read back equals what was written, bit for bit.

A set of candidates is written in two parts, its regions and its verdicts, because the steps of a chain share the
regions: the store then holds them once. Masks are COCO run-length encodings. JSON has no NaN or infinity; they are
written as text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..core.masks import Mask
from ..core.regions import Candidate, CandidateSet, Change, Region, Verification
from ..tools.values import Count, Measurement, Measurements, Text, Truth, Value

VALUES_VERSION = 3
"""Goes up when the form below changes; values of another version are not read but made again."""


def regions_to_json(regions: Sequence[Region]) -> list[dict[str, Any]]:
    """The regions as JSON types; coordinates in full-scene px, unrounded."""
    return [_region_to_json(region) for region in regions]


def regions_from_json(data: Sequence[dict[str, Any]]) -> tuple[Region, ...]:
    """What `regions_to_json` was given."""
    return tuple(_region_from_json(item) for item in data)


def value_to_json(value: Value) -> dict[str, Any]:
    """A step's value as JSON types; a set of candidates without its regions (see `regions_to_json`).

    Raises:
        UsageError: something that is no value of a step.

    Example:
        >>> value_to_json(Count(3, undecided=1))
        {'kind': 'count', 'n': 3, 'undecided': 1}
    """
    if isinstance(value, CandidateSet):
        return {"kind": "set", "candidates": [_judgement_to_json(candidate) for candidate in value]}
    if isinstance(value, Count):
        return {"kind": "count", "n": value.n, "undecided": value.undecided}
    if isinstance(value, Truth):
        return {"kind": "truth", "verdict": value.verdict, "reason": value.reason}
    if isinstance(value, Measurements):
        overall = None if value.overall is None else _row(value.overall)
        rows = [_row(item) for item in value.items]
        return {"kind": "measurements", "items": rows, "summary": value.summary, "overall": overall}
    if isinstance(value, Text):
        return {"kind": "text", "text": value.text}
    raise UsageError(f"a step's value is a set of candidates, a number, a verdict or text, not {type(value).__name__}")


def value_from_json(data: dict[str, Any], regions: Sequence[Region] = ()) -> Value:
    """What `value_to_json` was given.

    Args:
        data: the JSON object.
        regions: the regions of a set of candidates, in its order.

    Raises:
        KeyError, ValueError, TypeError: the data is not of this form.
    """
    match data["kind"]:
        case "set":
            pairs = zip(regions, data["candidates"], strict=True)
            return CandidateSet(tuple(_candidate(region, judgement) for region, judgement in pairs))
        case "count":
            return Count(data["n"], data["undecided"])
        case "truth":
            return Truth(data["verdict"], data["reason"])
        case "measurements":
            overall = None if data["overall"] is None else _measurement(data["overall"])
            return Measurements(tuple(map(_measurement, data["items"])), data["summary"], overall)
        case "text":
            return Text(data["text"])
    raise ValueError(f"no value is of the kind {data['kind']!r}")


def _judgement_to_json(candidate: Candidate) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {
        "verdicts": list(candidate.verdicts.items()),
        "reasons": list(candidate.reasons.items()),
        "borderline": sorted(candidate.borderline),
    }
    seen = candidate.verified
    if seen is not None:
        parts["verified"] = [seen.verdict, seen.reason, _number(seen.confidence)]
    return {name: part for name, part in parts.items() if part}


def _candidate(region: Region, data: dict[str, Any]) -> Candidate:
    seen = data.get("verified")
    return Candidate(
        region,
        dict(data.get("verdicts", ())),
        dict(data.get("reasons", ())),
        frozenset(data.get("borderline", ())),
        None if seen is None else Verification(seen[0], seen[1], _float(seen[2])),
    )


def _region_to_json(region: Region) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": region.id,
        "label": region.label,
        "corners": region.corners_px.ravel().tolist(),
        "box": region.box_px.tolist(),
        "source": region.source,
    }
    if region.score is not None:
        data["score"] = _number(float(region.score))
    if region.polygon_px is not None:
        data["polygon"] = region.polygon_px.ravel().tolist()
    if region.keypoints_px is not None:
        data["keypoints"] = region.keypoints_px.ravel().tolist()
    if region.mask is not None:
        data["mask"] = region.mask.to_rle()
    if region.change is not None:
        told = region.change
        data["change"] = [told.direction, _number(told.before), _number(told.after), told.reason]
    return data


def _region_from_json(data: dict[str, Any]) -> Region:
    polygon, keypoints, mask = data.get("polygon"), data.get("keypoints"), data.get("mask")
    told = data.get("change")
    return Region(
        data["id"],
        data["label"],
        _points(data["corners"]),
        np.array(data["box"], dtype=np.float64),
        score=_float(data.get("score")),
        polygon_px=None if polygon is None else _points(polygon),
        keypoints_px=None if keypoints is None else _points(keypoints),
        mask=None if mask is None else Mask.from_rle(mask),
        source=data["source"],
        change=None if told is None else Change(told[0], _float(told[1]), _float(told[2]), told[3]),
    )


def _row(item: Measurement) -> list[Any]:
    return [item.region_id, item.attribute, _number(item.value), item.unit, item.to]


def _measurement(row: Sequence[Any]) -> Measurement:
    region_id, attribute, value, unit, to = row
    return Measurement(region_id, attribute, _float(value), unit, to)


def _points(flat: list[float]) -> np.ndarray:
    return np.array(flat, dtype=np.float64).reshape(-1, 2)


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(float(value))


def _float(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value
