"""Cyclic referring at run time: a describer says what each found region is, and that is held against what was asked.

After GeoRSMLLM's cyclic referring (section III-C: a region is described, and the description must lead back to it).
The describer is not told what the region was found as. Its verdict is a column of its own: it drops no region.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.budget import charge
from ..core.conditions import Verdict
from ..core.errors import ToolFailed, UnknownPhrase
from ..core.lexicon import is_broader, normalise, resolve, vocabulary
from ..core.protocols import Describer, Description
from ..core.regions import Candidate, CandidateSet, Region, Verification

if TYPE_CHECKING:
    from ..core.scene import Scene

UNTOLD_SURENESS = 0.5
"""How sure a describer that gives no number is taken to be of what it says."""


def verify(scene: Scene, candidates: CandidateSet, phrases: Sequence[str], *, describer: Describer) -> CandidateSet:
    """The candidates, each with what the describer says of it.

    Yes: described as what was asked for. No: described as something else, or as nothing of a list that has what was
    asked for; the confidence, which is the grounder's score, is then multiplied by 1 - how sure the describer is (a
    half where it gives no number). Unknown: the describer's classes lack what was asked for, or its words name nothing
    that can be held against it.

    Args:
        scene: what was looked at.
        candidates: may be empty; all are described, rejected ones too.
        phrases: what was asked for; a region counts as what the phrases that its label goes with name.
        describer: the model to ask.

    Raises:
        ToolFailed: the describer gave another number of descriptions than it was asked for.
        ModelOutputError: its reply could not be read.
    """
    if not len(candidates):
        return candidates
    charge(calls=1)
    regions = tuple(candidate.region for candidate in candidates)
    described = describer.describe(scene, regions)
    if len(described) != len(regions):
        raise ToolFailed(
            f"the describer {describer.name!r} gave {len(described)} descriptions of {len(regions)} regions"
        )
    pairs = zip(candidates, described, strict=True)
    return CandidateSet(tuple(verified(candidate, said, phrases) for candidate, said in pairs))


def verified(candidate: Candidate, said: Description, phrases: Sequence[str]) -> Candidate:
    """The candidate with the verdict on one description of it; see `verify`."""
    region = candidate.region
    verdict = agrees(said, asked_of(region, phrases))
    score = region.score
    if verdict is False and score is not None:
        score *= 1.0 - (UNTOLD_SURENESS if said.score is None else said.score)
    told = f" ({said.score:.2f})" if said.score is not None else ""
    return replace(candidate, verified=Verification(verdict, f"described as {said.text}{told}", score))


def asked_of(region: Region, phrases: Sequence[str]) -> tuple[str, ...]:
    """The names that a description of the region may lead back to: its label, and the phrases that take it in.

    Example:
        >>> from surveyor.core.geometry import box_to_corners
        >>> car = Region("v-1", "vehicle", box_to_corners([0, 0, 4, 2]), [0, 0, 4, 2])
        >>> asked_of(car, ["cars", "ships"])
        ('vehicle', 'cars')
    """
    return tuple(dict.fromkeys([region.label, *(phrase for phrase in phrases if _names(phrase, region.label))]))


def agrees(said: Description, asked: Sequence[str]) -> Verdict:
    """Whether a description is of what was asked for; None where it cannot be told.

    Example:
        >>> agrees(Description("storage tank", "storage_tank", 0.8), ["plane"])
        False
        >>> agrees(Description("two oil tanks side by side"), ["storage tank"])
        True
        >>> agrees(Description("a bright spot"), ["plane"]) is None
        True
    """
    if said.label is not None:
        return any(_names(name, said.label) or is_broader(name, said.label) for name in asked)
    if said.names is not None:
        return False if any(_names(name, each) for name in asked for each in said.names) else None
    named = list(_named(said.text))
    if any(_names(name, each) or is_broader(name, each) for name in asked for each in named):
        return True
    return False if named else None


def _names(phrase: str, label: str) -> bool:
    """Whether the phrase stands for the class name."""
    try:
        return bool(resolve(phrase, (label,)))
    except UnknownPhrase:
        return False


def _named(text: str) -> list[str]:
    """The things of the lexicon that free words name, longest first wherever several overlap."""
    words = re.findall(r"\w+", text.lower())
    known, found, start = vocabulary(), [], 0
    while start < len(words):
        for stop in range(min(len(words), start + 4), start, -1):
            phrase = normalise(" ".join(words[start:stop]))
            if phrase in known:
                found.append(phrase)
                start = stop - 1
                break
        start += 1
    return found
