"""A question about two dates: the pair prepared, and the models that look at it as at one scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..core.changes import changed_thing, earlier_thing
from ..core.errors import QueryError, UnknownPhrase, UsageError
from ..core.pair import ScenePair, open_pair
from ..core.plan import Plan
from ..core.protocols import Grounder
from ..core.scene import Scene
from ..tools.changes import PairGrounder, PairSegmenter
from ..tools.models.compare import Comparison
from ..tools.models.spec import Models

if TYPE_CHECKING:
    from ..core.trace import SceneRecord


def over_pair(models: Models, before: Scene, after: Scene, *, align: bool = True) -> tuple[Models, ScenePair]:
    """The models that answer about two dates, and both dates on one grid.

    Raises:
        UsageError: there is no change detector, or the images cannot be compared (see `core.pair.open_pair`).
    """
    if models.change is None:
        raise UsageError("a question about two images needs a change detector; name one: --models change=compact")
    pair = open_pair(before, after, align=align)
    grounder = PairGrounder(models.change, Comparison(models.grounder, models.segmenter), models.grounder, pair)
    return replace(models, grounder=grounder, segmenter=PairSegmenter(grounder, models.segmenter)), pair


def phrases_of(plan: Plan) -> Iterator[str]:
    """What the steps of a plan look for."""
    for step in plan.steps:
        if step.tool == "ground":
            yield from map(str, step.args.get("phrases", ()))


def check_dates(plan: Plan, is_pair: bool, grounder: Grounder) -> tuple[str, ...]:
    """Notes on which date is asked about.

    Args:
        grounder: one that finds changes itself (`finds_changes`, as benchmarks have) or has them in its list of classes
            needs no pair.

    Raises:
        QueryError: a change is asked for and there is only one image.
    """
    if is_pair and any(step.tool == "verify" for step in plan.steps):
        raise UsageError("a second look (verify) is for one image; leave it out, or ask about the later image alone")
    asked = list(phrases_of(plan))
    of_two = [phrase for phrase in asked if changed_thing(phrase) is not None or earlier_thing(phrase) is not None]
    if of_two and not is_pair and not all(_finds(grounder, phrase) for phrase in of_two):
        raise QueryError(
            f"{of_two[0]!r} needs two images of one place: give the later one too, --after LATER (ask(..., after=...))",
            plan.query or "",
        )
    if is_pair and asked and not of_two:
        return (
            "the question asks for no change: it is answered of the later image (say 'changed', 'new' or 'gone', or "
            "'in the earlier image')",
        )
    return ()


def _finds(grounder: Grounder, phrase: str) -> bool:
    """Whether a grounder of one image finds what changed: an open vocabulary would only take the words for a thing."""
    if getattr(grounder, "finds_changes", False):
        return True
    try:
        return grounder.knows() is not None and bool(grounder.resolve(phrase))
    except UnknownPhrase:
        return False


def before_record(pair: ScenePair, record: SceneRecord) -> SceneRecord:
    """What the trace keeps of the earlier date: the image as it was given."""
    given = pair.given
    return record.model_copy(
        update={
            "name": given.name,
            "path": None if given.path is None else str(given.path),
            "size_wh": (int(given.size_wh[0]), int(given.size_wh[1])),
            "gsd_m": given.gsd_m,
            "crs": None if given.crs is None else str(given.crs),
            "digest": given.digest,
        }
    )


def saved_pair(pair: ScenePair | None) -> dict[str, Any] | None:
    """What a kept run needs to open the pair again, as JSON types; None for one image."""
    if pair is None:
        return None
    given = pair.given
    return {
        "path": "" if given.path is None else str(given.path.resolve()),
        "digest": given.digest,
        "bands": None if given.bands is None else list(given.bands),
        "gsd_xy_m": None if given.gsd_xy_m is None else list(given.gsd_xy_m),
        "aligned": pair.alignment is not None,
    }


def saved_before(saved: dict[str, Any], run_id: str) -> Scene:
    """The earlier scene of a kept run.

    Raises:
        UsageError: it was asked of pixels in memory, or the file has changed since.
    """
    if not saved["path"]:
        raise UsageError(f"the run {run_id!r} was asked of two images in memory, which are gone; ask again")
    scene = Scene.open(saved["path"], bands=saved["bands"])
    if scene.digest != saved["digest"]:
        raise UsageError(f"the earlier image of the run {run_id!r} has changed since ({saved['path']}); ask again")
    gsd = saved["gsd_xy_m"]
    return scene if gsd is None or scene.gsd_xy_m == tuple(gsd) else scene.with_gsd(gsd[0])
