"""The answer to one request: text, regions with a verdict per condition, and everything needed to audit it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core.conditions import Verdict
from ..core.plan import Plan, Step
from ..core.regions import Candidate, CandidateSet, Change
from ..core.scene import Scene
from ..core.trace import Observation, Trace
from ..tools.measure import Sizes, sizes_of
from ..tools.registry import TOOLS
from ..tools.values import Count, Measurement, Measurements, Truth, Value
from .graph import Results
from .summary import measurement_json

if TYPE_CHECKING:
    from ..core.pair import ScenePair
    from .explanation import Explanation


@dataclass(frozen=True)
class Part:
    """The answer to one output of the request.

    Args:
        step: the plan's step whose result this is.
        text: one or two sentences.
        candidates: the set the result was computed from (for a comparison of two sets: both).
        value: the step's value; None when it failed or was not run.
    """

    step: Step
    text: str
    candidates: CandidateSet
    value: Value | None


@dataclass(frozen=True, repr=False)
class Answer:
    """What `surveyor.ask` returns.

    `regions` are those for which every condition is true; `rejected` are all others that were looked at, those
    with an unknown verdict first, then near misses. `to_dict` is the object that `surveyor ask --json` prints.
    A question about two dates keeps them in `pair`; `scene` is then the later one, in whose pixels everything is told.
    """

    query: str | None
    text: str
    parts: tuple[Part, ...]
    plan: Plan
    observations: tuple[Observation, ...]
    trace: Trace
    scene: Scene
    notes: tuple[str, ...] = ()
    references: tuple[CandidateSet, ...] = ()
    failure: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    pair: ScenePair | None = None

    @property
    def regions(self) -> tuple[Candidate, ...]:
        """Candidates in the answer, each once, in order of the parts."""
        return _unique(c for part in self.parts for c in part.candidates.kept)

    @cached_property
    def rejected(self) -> tuple[Candidate, ...]:
        """Candidates that were looked at and are not in the answer.

        Undecided ones first, then near misses, nearest first, then others by how many conditions reject them and by
        how much the first does: the order of the table, of explanations, and of the ranks that a conversation counts.
        """
        from .explaining import in_order

        answered = {c.region.id for c in self.regions}
        others = _unique(
            c
            for part in self.parts
            for c in (*part.candidates.undecided, *part.candidates.rejected)
            if c.region.id not in answered
        )
        order = in_order(regions_json(others, self.scene), self.plan, self.trace.scene)
        return tuple(others[place] for place in order)

    @property
    def count(self) -> int:
        """The number asked for, or how many regions are in the answer."""
        counts = [part.value.n for part in self.parts if isinstance(part.value, Count)]
        return counts[0] if counts else len(self.regions)

    @property
    def values(self) -> tuple[Measurement, ...]:
        """The measurements asked for."""
        return tuple(m for part in self.parts if isinstance(part.value, Measurements) for m in part.value.items)

    @property
    def verdict(self) -> Verdict:
        """The answer to a yes/no question; None when it is unknown or none was asked."""
        truths = [part.value.verdict for part in self.parts if isinstance(part.value, Truth)]
        return truths[0] if truths else None

    def __repr__(self) -> str:
        """Short, for a terminal; `print(answer.text)`, `answer.regions` and `answer.to_dict()` tell more."""
        text = self.text if len(self.text) <= 80 else f"{self.text[:77]}..."
        return f"Answer({text!r}, {len(self.regions)} regions, {len(self.rejected)} rejected)"

    def _repr_html_(self) -> str:
        """For notebooks: text, picture and a table of candidates by conditions; nothing is loaded from elsewhere."""
        from .notebook import answer_html

        return answer_html(self)

    def explain(self, region_id: str | None = None) -> Explanation:
        """Why the answer is what it is: candidates by conditions with values, near misses, what was unknown.

        Args:
            region_id: of one candidate, to be told about that alone.

        Raises:
            UsageError: no candidate has that id.

        Example:
            >>> import surveyor
            >>> scene = surveyor.draw_scene("harbour", seed=3)
            >>> answer = surveyor.ask(scene.image_rgb, "ships longer than 40 px")
            >>> answer.explain().columns[0].condition
            'longer than 40 px'
        """
        from .explaining import explanation_of

        sets = (*(part.candidates for part in self.parts), *self.references)
        regions = {c.region.id: c.region for candidates in sets for c in candidates}
        regions |= {c.region.id: c.region for c in (*self.regions, *self.rejected)}  # these have the masks
        explanation = explanation_of(
            self.to_dict(),
            self.plan,
            self.observations,
            self.trace.scene,
            regions=regions,
            open_scene=lambda: self.scene,
        )
        return explanation if region_id is None else explanation.of(region_id)

    @property
    def referred(self) -> tuple[Candidate, ...]:
        """What the conditions referred to (the river of "on the east bank of the river"), each once."""
        return _unique(c for candidates in self.references for c in candidates.kept)

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON types: pixels of the full scene; lengths null where the scene has no metres."""
        truths = [part.value for part in self.parts if isinstance(part.value, Truth)]
        return {
            "query": self.query,
            "answer": self.text,
            "count": self.count,
            "verdict": self.verdict,
            "yes_no": bool(truths),
            "reason": truths[0].reason if truths else None,
            "values": [measurement_json(item) for item in self.values],
            "regions": regions_json(self.regions, self.scene),
            "rejected": regions_json(self.rejected, self.scene),
            "references": regions_json(self.referred, self.scene),
            "notes": list(self.notes),
            "plan": self.plan.model_dump(mode="json"),
            "failure": self.failure,
            "scene": self.trace.scene.model_dump(mode="json"),
            **({} if self.trace.before is None else {"before": self.trace.before.model_dump(mode="json")}),
            "models": self.trace.models,
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
        }


def regions_json(candidates: Sequence[Candidate], scene: Scene) -> list[dict[str, Any]]:
    """The regions as JSON types, with their sizes in px and, where the scene has them, metres."""
    measured = sizes_of(scene, [candidate.region for candidate in candidates])
    return [_region_json(candidate, size) for candidate, size in zip(candidates, measured, strict=True)]


def region_json(candidate: Candidate, scene: Scene) -> dict[str, Any]:
    """One region as `regions_json` gives it."""
    return regions_json([candidate], scene)[0]


def _region_json(candidate: Candidate, size: Sizes) -> dict[str, Any]:
    region = candidate.region

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(float(value), 3)

    seen = candidate.verified
    second: dict[str, Any] = {} if seen is None else {"verified": {"verdict": seen.verdict, "reason": seen.reason}}
    second |= {} if seen is None or seen.confidence is None else {"confidence": round(seen.confidence, 4)}
    return {
        "id": region.id,
        "label": region.label,
        "score": None if region.score is None else round(region.score, 4),
        **second,
        "corners_px": region.corners_px.round(2).tolist(),
        "box_px": region.box_px.round(2).tolist(),
        "polygon_px": None if region.polygon_px is None else region.polygon_px.round(2).tolist(),
        "area_px": rounded(size.area_px),
        "length_px": rounded(size.length_px),
        "width_px": rounded(size.width_px),
        "length_m": rounded(size.length_m),
        "width_m": rounded(size.width_m),
        "area_m2": rounded(size.area_m2),
        "verdicts": dict(candidate.verdicts),
        "reasons": dict(candidate.reasons),
        "borderline": sorted(candidate.borderline),
        "status": {True: "kept", False: "rejected", None: "undecided"}[candidate.status],
        "source": region.source,
        **({} if region.change is None else {"change": change_json(region.change)}),
    }


def change_json(change: Change) -> dict[str, Any]:
    """How a region differs between the dates, as JSON types."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(float(value), 4)

    return {
        "direction": change.direction,
        "before": rounded(change.before),
        "after": rounded(change.after),
        "reason": change.reason,
    }


def candidates_behind(step: Step, plan: Plan, results: Results) -> CandidateSet:
    """The candidates a step's result rests on: its own set, or those of the nearest set above it."""
    value = results.values.get(step.id)
    if isinstance(value, CandidateSet):
        return value
    sets = [candidates_behind(plan.step(step.inputs[name]), plan, results) for name in data_inputs(step)]
    return CandidateSet(_unique(c for each in sets for c in each))


_REFERRING = frozenset(tool.name for tool in TOOLS if tool.references)


def data_inputs(step: Step) -> tuple[str, ...]:
    """Names of the inputs that a step works on, not those that it refers to."""
    named = (name for name in step.inputs if step.tool not in _REFERRING or name == "candidates")
    return tuple(name for name in named if name != "reference")


def _unique(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Each region once: of several parts the best fate counts, with the verdicts of all parts that share it."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        before = found.get(candidate.region.id)
        found[candidate.region.id] = candidate if before is None else _joined(before, candidate)
    return tuple(found.values())


def _joined(first: Candidate, second: Candidate) -> Candidate:
    region = second.region if first.region.mask is None else first.region
    rank = {True: 2, None: 1, False: 0}
    if rank[first.status] != rank[second.status]:
        better = max(first, second, key=lambda candidate: rank[candidate.status])
        return replace(better, region=region)
    return Candidate(
        region,
        {**second.verdicts, **first.verdicts},
        {**second.reasons, **first.reasons},
        first.borderline | second.borderline,
    )
