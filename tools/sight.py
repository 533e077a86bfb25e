"""What a vision-language model is asked about a scene as a whole, and conditions that only looking can judge.

Geometry judges sizes, places and relations exactly (`tools.select`). Whether a building is damaged or a field is being
harvested cannot be measured: `judge` puts the regions found so far into the instruction as points and asks which of
them satisfy the condition (the chain of GeoRSMLLM section III-B).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.budget import charge
from ..core.errors import UsageError
from ..core.protocols import SceneReader
from ..core.regions import CandidateSet
from .values import Text

if TYPE_CHECKING:
    from ..core.scene import Scene

AT_ONCE = 40
"""Regions in one instruction: more make it long and the model lose count."""


def reader_of(model: object) -> SceneReader:
    """The model, which must be one that reads scenes.

    Raises:
        UsageError: it only finds or describes regions.
    """
    if isinstance(model, SceneReader):
        return model
    name = getattr(model, "name", type(model).__name__)
    raise UsageError(
        f"the grounder {name!r} cannot be asked in words; use one that can: --models grounder=qwen2vl:FOLDER or "
        "grounder=openai:MODEL@URL"
    )


def judge(scene: Scene, candidates: CandidateSet, condition: str, *, reader: SceneReader) -> CandidateSet:
    """The candidates, those still open with a verdict of the model on a condition in words.

    Args:
        scene: what is looked at.
        candidates: rejected ones are not asked about.
        condition: as it would stand behind "those that are": "damaged", "under construction".
        reader: the model.

    Raises:
        UsageError: no words.
        ModelOutputError: the reply could not be read.
    """
    words = " ".join(condition.split())
    if not words:
        raise UsageError("judge needs a condition in words, such as 'damaged'")
    open_ids = [candidate.region.id for candidate in candidates if candidate.status is not False]
    chosen: set[str] = set()
    by_id = {candidate.region.id: candidate.region for candidate in candidates}
    for start in range(0, len(open_ids), AT_ONCE):
        charge(calls=1)
        part = tuple(by_id[each] for each in open_ids[start : start + AT_ONCE])
        chosen |= {region.id for region in reader.select(scene, part, words)}
    asked = set(open_ids)
    return CandidateSet(
        tuple(
            candidate.judged(words, candidate.region.id in chosen, f"as {reader.name} sees it")
            if candidate.region.id in asked
            else candidate
            for candidate in candidates
        )
    )


def answer(scene: Scene, question: str, *, reader: SceneReader) -> Text:
    """The model's short answer to a question about the scene. Nothing of it is checked.

    Raises:
        UsageError: an empty question.
        ModelOutputError: the reply could not be read.
    """
    charge(calls=1)
    return Text(reader.answer(scene, question))


def caption(scene: Scene, *, reader: SceneReader) -> Text:
    """The model's description of the scene."""
    charge(calls=1)
    return Text(reader.caption(scene))


def classify(scene: Scene, classes: Sequence[str], *, reader: SceneReader) -> Text:
    """Which of the classes the scene shows, as the model sees it.

    Raises:
        UsageError: fewer than two classes.
    """
    charge(calls=1)
    return Text(reader.classify(scene, classes))


def locate(scene: Scene, *, reader: SceneReader) -> Text:
    """Where on Earth the model believes the scene to be: "Munich, 48.14, 11.58" (degrees north and east)."""
    charge(calls=1)
    place = reader.locate(scene)
    return Text(f"{place.city}, {place.latitude:.2f}, {place.longitude:.2f}")
