"""What a step's value looks like in the trace: a phrase for people and a small JSON record for machines."""

from __future__ import annotations

from typing import Any

from ..core.regions import CandidateSet
from ..tools.values import Count, Measurements, Text, Truth, Value


def summarize(value: Value) -> str:
    """One short phrase, e.g. "3 kept, 1 undecided, 8 rejected"."""
    if isinstance(value, CandidateSet):
        parts = [(len(value.kept), "kept"), (len(value.undecided), "undecided"), (len(value.rejected), "rejected")]
        return ", ".join(f"{n} {word}" for n, word in parts if n) or "none"
    if isinstance(value, Count):
        return f"{value.n}" + (f" and {value.undecided} undecided" if value.undecided else "")
    if isinstance(value, Truth):
        return f"{verdict_word(value.verdict)}: {value.reason}"
    if isinstance(value, Measurements):
        return f"{len(value.items)} measured"
    return value.text


def to_json(value: Value) -> dict[str, Any]:
    """The value as JSON types. Sets keep ids and verdicts only: the regions themselves stand in the answer."""
    if isinstance(value, CandidateSet):
        return {"candidates": [{"id": c.region.id, "verdicts": dict(c.verdicts)} for c in value]}
    if isinstance(value, Count):
        return {"count": value.n, "undecided": value.undecided}
    if isinstance(value, Truth):
        return {"verdict": value.verdict, "reason": value.reason}
    if isinstance(value, Measurements):
        found: dict[str, Any] = {"values": [measurement_json(item) for item in value.items]}
        if value.overall is not None:
            overall = measurement_json(value.overall)
            found["summary"] = {"of": value.summary} | {key: overall[key] for key in ("attribute", "value", "unit")}
        return found
    assert isinstance(value, Text)
    return {"text": value.text}


def measurement_json(item: Any) -> dict[str, Any]:
    """One measurement as JSON types; a distance with the region that it was measured to."""
    told = {"id": item.region_id, "attribute": item.attribute, "value": item.value, "unit": item.unit}
    return told | ({"to": item.to or None} if item.attribute == "distance" else {})


def verdict_word(verdict: bool | None) -> str:
    """ "yes", "no" or "unknown"."""
    return "unknown" if verdict is None else "yes" if verdict else "no"
