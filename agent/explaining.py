"""Makes an `Explanation` from an answer's record: `Answer.to_dict`, or the same read back from a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.conditions import (
    Colour,
    Compare,
    Node,
    Not,
    Orientation,
    Pick,
    Relation,
    SizeWord,
    walk,
)
from ..core.plan import Plan, Step
from ..core.regions import Change, Region
from ..core.trace import Observation, SceneRecord
from ..core.wording import words
from ..tools.registry import PickArguments, SelectArguments
from .explanation import Cell, Column, Explanation, Row, SecondLook, StepLine, Word, letter
from .readings import OPPOSITE, Reading, deciding_gsd, reading_of, short_reason

if TYPE_CHECKING:
    from ..core.scene import Scene

_WORDS: dict[object, Word] = {True: "yes", False: "no", None: "unknown"}


def explanation_of(
    record: Mapping[str, Any],
    plan: Plan,
    observations: Sequence[Observation],
    scene: SceneRecord,
    *,
    regions: Mapping[str, Region] | None = None,
    open_scene: Callable[[], Scene] | None = None,
) -> Explanation:
    """The explanation of an answer.

    Args:
        record: as `Answer.to_dict` gives it, or `Trace.answer`.
        plan: the plan that was run.
        observations: what its steps left.
        scene: which image it was; size and ground sample distance count.
        regions: the answer's regions by id, where they are at hand with their masks; else the record's.
        open_scene: opens the scene when a picture is drawn.
    """
    conditions = conditions_of(plan)
    candidates = [*record["regions"], *record["rejected"]]
    order = _asked(candidates, conditions)
    emptied = _emptying(plan, observations)
    rows = [_row(each, order, conditions, scene, regions or {}) for each in candidates]
    return Explanation(
        query=record["query"],
        answer=record["answer"],
        steps=tuple(_step_line(step, observation) for step, observation in zip(plan.steps, observations, strict=True)),
        columns=tuple(
            _column(index, name, conditions.get(name), candidates, emptied, scene) for index, name in enumerate(order)
        ),
        rows=tuple(sorted(rows, key=_order)),
        references=tuple(_region(each, regions or {}) for each in record.get("references", ())),
        notes=tuple(record["notes"]),
        scene=open_scene,
    )


def in_order(candidates: Sequence[Mapping[str, Any]], plan: Plan, scene: SceneRecord) -> list[int]:
    """Places of the candidates in the order in which they are shown, everywhere.

    Args:
        candidates: as `agent.answer.regions_json` gives them.
    """
    conditions = conditions_of(plan)
    order = _asked(candidates, conditions)
    rows = [_row(each, order, conditions, scene, {}) for each in candidates]
    return sorted(range(len(rows)), key=lambda place: _order(rows[place]))


def _asked(candidates: Sequence[Mapping[str, Any]], conditions: Mapping[str, Node]) -> list[str]:
    """The conditions that any of the candidates was asked, in the plan's order, then what tools of the user's asked."""
    asked = list(dict.fromkeys(name for each in candidates for name in each["verdicts"]))
    return [name for name in conditions if name in asked] + [name for name in asked if name not in conditions]


def conditions_of(plan: Plan) -> dict[str, Node]:
    """The conditions of the plan's selections and picks by their words, which are the keys of verdicts."""
    found: dict[str, Node] = {}
    for step in plan.steps:
        node = _condition_of(step)
        if node is not None:
            found.setdefault(words(node), node)
    return found


def _condition_of(step: Step) -> Node | None:
    if step.tool == "select":
        return SelectArguments.model_validate(step.args).condition
    if step.tool == "pick":
        return PickArguments.model_validate(step.args).pick
    return None


def _emptying(plan: Plan, observations: Sequence[Observation]) -> set[str]:
    """The words of the conditions after which no candidate was left."""
    emptied = {o.step for o in observations if o.emptied_by}
    nodes = [_condition_of(step) for step in plan.steps if step.id in emptied]
    return {words(node) for node in nodes if node is not None}


# ---- steps --------------------------------------------------------------------------------------------------------


def _step_line(step: Step, observation: Observation) -> StepLine:
    return StepLine(
        step=step.id,
        instruction=observation.instruction or step.instruction or step.id,
        outcome=_outcome(step, observation),
        emptied=bool(observation.emptied_by),
    )


def _outcome(step: Step, observation: Observation) -> str:
    if observation.status == "failed":
        return f"failed: {observation.failure}"
    if observation.status == "skipped":
        return f"not run: {observation.because}"
    found = observation.result.get("candidates") if isinstance(observation.result, dict) else None
    if found is None:
        return observation.summary
    if step.tool == "ground":
        return f"{len(found)} found" if found else "nothing found"
    if step.tool == "verify":
        return f"{len(found)} described again"
    kept = sum(all(verdict is True for verdict in each["verdicts"].values()) for each in found)
    unsure = sum(False not in each["verdicts"].values() and None in each["verdicts"].values() for each in found)
    told = f"{kept} of {len(found)} left"
    return told + (f" and {unsure} undecided" if unsure else "")


# ---- candidates ---------------------------------------------------------------------------------------------------


def _row(
    each: Mapping[str, Any],
    order: Sequence[str],
    conditions: Mapping[str, Node],
    scene: SceneRecord,
    regions: Mapping[str, Region],
) -> Row:
    cells = tuple(_cell(index, name, conditions.get(name), each, scene) for index, name in enumerate(order))
    seen = each.get("verified")
    second = None if seen is None else SecondLook(_WORDS[seen["verdict"]], seen["reason"], each.get("confidence"))
    return Row(_region(each, regions), each["status"], size_text(each), cells, second)


def _cell(index: int, name: str, condition: Node | None, each: Mapping[str, Any], scene: SceneRecord) -> Cell:
    if name not in each["verdicts"]:
        return Cell(letter(index), name, "not asked")
    verdict, reason = _WORDS[each["verdicts"][name]], each["reasons"].get(name, "")
    reading = reading_of(condition, each, reason, scene.size_wh)
    value, would = short_reason(reason) if reading is None or reading.measure == "rank" else reading.short, ""
    if verdict == "unknown" and needs_gsd(condition, scene):
        value, would = _without_gsd(condition, each)
    return Cell(letter(index), name, verdict, reading, reason, name in each["borderline"], would, value)


def _without_gsd(condition: Node | None, each: Mapping[str, Any]) -> tuple[str, str]:
    """What is known of a comparison in metres without metres: the pixels, and the scale that would make it hold."""
    if isinstance(condition, Not) and isinstance(inner := condition.condition, Compare) and inner.op != "==":
        condition = inner.model_copy(update={"op": OPPOSITE[inner.op]})
    gsd = deciding_gsd(condition, each)
    if gsd is None:
        return "", ""
    assert isinstance(condition, Compare)
    pixels = Reading(condition.attribute, each[f"{condition.attribute}_px"], "px", condition.op, 0.0).short
    return pixels, f"from --gsd {gsd:.2g} on" if condition.op in (">", ">=") else f"up to --gsd {gsd:.2g}"


def _region(each: Mapping[str, Any], regions: Mapping[str, Region]) -> Region:
    known = regions.get(each["id"])
    if known is not None:
        return known
    polygon = each.get("polygon_px")
    return Region(
        each["id"],
        each["label"],
        np.asarray(each["corners_px"], dtype=float),
        np.asarray(each["box_px"], dtype=float),
        each["score"],
        None if polygon is None else np.asarray(polygon, dtype=float),
        source=each.get("source", ""),
        change=None if each.get("change") is None else Change(**each["change"]),
    )


def _order(row: Row) -> tuple[float, ...]:
    """In the answer, undecided, near misses, others; by how many conditions reject it, then by how much the first."""
    failed = [cell for cell in row.cells if cell.verdict == "no"]
    share = failed[0].reading.share_off if failed and failed[0].reading is not None else 1e9 * bool(failed)
    rank = 2 if row.near_miss is not None else {"kept": 0, "undecided": 1, "rejected": 3}[row.status]
    return rank, len(failed), share


def size_text(region: Mapping[str, Any], times: str = "×") -> str:
    """Length x width in metres where known, else in pixels.

    >>> size_text({"length_m": 41.234, "width_m": 9.5, "length_px": 137.0, "width_px": 32.0}, "x")
    '41.2 x 9.5 m'
    >>> size_text({"length_m": None, "width_m": None, "length_px": 137.0, "width_px": 32.0}, "x")
    '137 x 32 px'
    """
    if region.get("length_m") is not None and region.get("width_m") is not None:
        return f"{region['length_m']:.1f} {times} {region['width_m']:.1f} m"
    return f"{region['length_px']:.0f} {times} {region['width_px']:.0f} px"


# ---- conditions ---------------------------------------------------------------------------------------------------


def _column(
    index: int,
    name: str,
    condition: Node | None,
    candidates: Sequence[Mapping[str, Any]],
    emptied: set[str],
    scene: SceneRecord,
) -> Column:
    verdicts = [each["verdicts"][name] for each in candidates if name in each["verdicts"]]
    unknown = verdicts.count(None)
    reasons = [each["reasons"].get(name, "") for each in candidates if each["verdicts"].get(name, 0) is None]
    return Column(
        letter(index),
        name,
        verdicts.count(True),
        verdicts.count(False),
        unknown,
        name in emptied,
        remedy_of(condition, scene, next(iter(reasons), "")) if unknown else "",
    )


def remedy_of(condition: Node | None, scene: SceneRecord | Scene, reason: str) -> str:
    """What would make an unknown verdict known."""
    nodes = () if condition is None else tuple(walk(condition))
    if needs_gsd(condition, scene):
        return "give --gsd, the metres that a pixel covers on the ground"
    if any(isinstance(node, SizeWord) for node in nodes):
        return "ask with a measure ('longer than 30 m'): size words compare with others of the class in the image"
    if any(isinstance(node, Orientation) for node in nodes):
        return "ask for longer things; sides that are nearly equal give no direction"
    if any(isinstance(node, Colour) for node in nodes):
        return "a sharper image: too few pixels to tell a colour by"
    if any(isinstance(node, Pick) for node in nodes):
        return "decide the conditions before it, or ask for more of them ('the two largest'): ranks are tied or open"
    if any(isinstance(node, Relation) and node.reference is not None for node in nodes):
        return "decide the conditions on what it refers to: that is itself undecided, or too close to call"
    return f"too close to call: {reason}" if reason else "too close to call"


def needs_gsd(condition: Node | None, scene: SceneRecord | Scene) -> bool:
    if condition is None or scene.gsd_m is not None:
        return False
    for node in walk(condition):
        if isinstance(node, Compare) and node.quantity.is_metric:
            return True
        if isinstance(node, Relation) and node.distance is not None and node.distance.is_metric:
            return True
    return False
