"""What judging reads (`Case`) and gives (`Findings`). Verdicts are int8 codes: 0 false, 1 unknown, 2 true.

With these codes Kleene's "and" is the minimum, "or" the maximum and "not" is 2 - code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.conditions import Selection, Verdict
from ..core.regions import Candidate, CandidateSet
from .bands import Bands
from .layout import Layout, gsd_xy_m
from .references import reference_set

FALSE, UNKNOWN, TRUE = 0, 1, 2
_VERDICTS: tuple[Verdict, ...] = (False, None, True)


@dataclass(frozen=True, eq=False)
class Findings:
    """Verdicts of one condition on N candidates.

    Args:
        codes: (N,) int8.
        why: index -> the reason in a few words, e.g. "62.3 m long"; made only when asked for.
    """

    codes: np.ndarray
    why: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts in order."""
        return tuple(_VERDICTS[code] for code in self.codes.tolist())


@dataclass(frozen=True, eq=False)
class Members:
    """The regions of a reference: those kept for certain (code 2) and those undecided (code 1)."""

    layout: Layout
    codes: np.ndarray

    def own_index(self, layout: Layout) -> np.ndarray:
        """(N,) for each region of `layout` its place among the members, -1 where it is none."""
        places = {region.id: index for index, region in enumerate(self.layout.regions)}
        return np.array([places.get(region.id, -1) for region in layout.regions], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Case:
    """Everything a rule may look at.

    Args:
        scene: `core.scene.Scene`.
        layout: all candidates' regions.
        status: (N,) codes of their status before this condition.
        references: candidate sets by the words of their selections.
    """

    scene: Any
    layout: Layout
    status: np.ndarray
    references: Mapping[str, CandidateSet]
    bands: Bands

    @classmethod
    def of(cls, scene: object, candidates: CandidateSet, references: Mapping[str, CandidateSet], bands: Bands) -> Case:
        """The case of a candidate set."""
        return cls(scene, Layout([c.region for c in candidates]), status_codes(candidates), references, bands)

    def narrowed(self, status: np.ndarray) -> Case:
        """The case with another status per candidate."""
        return replace(self, status=status)

    @property
    def gsd_xy_m(self) -> tuple[float, float] | None:
        """Metres per pixel across and down, None when unknown."""
        return gsd_xy_m(self.scene)

    @property
    def size_wh(self) -> np.ndarray:
        """(2,) width and height of the scene in px."""
        return np.asarray(self.scene.size_wh, dtype=np.float64)

    def members(self, reference: Selection) -> Members:
        """The open candidates of a reference. Raises UsageError when it was not given."""
        chosen = reference_set(reference, self.references).open
        codes = np.array([TRUE if c.status else UNKNOWN for c in chosen], dtype=np.int8)
        return Members(Layout([c.region for c in chosen]), codes)

    def all(self, code: int, reason: str) -> Findings:
        """The same verdict and reason for every candidate."""
        return Findings(np.full(len(self.layout), code, dtype=np.int8), lambda _index: reason)


def with_verdicts(candidates: CandidateSet, condition: str, found: Findings, strict: Findings) -> tuple[Candidate, ...]:
    """Each candidate with its verdict under the condition's words, the reason, and whether it is a close call."""
    return tuple(
        candidate.judged(condition, verdict, found.why(index), borderline=verdict is not None and careful is None)
        for index, (candidate, verdict, careful) in enumerate(
            zip(candidates, found.verdicts, strict.verdicts, strict=True)
        )
    )


def status_codes(candidates: CandidateSet) -> np.ndarray:
    """(N,) int8 codes of the candidates' status."""
    return np.array([_VERDICTS.index(c.status) for c in candidates], dtype=np.int8)
