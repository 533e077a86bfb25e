"""Planted errors in the rules must change the answers of some item of a small suite: else the suite tests nothing.

Each mutant is one wrong rule (a direction turned round, a limit moved, a length taken for a width). A mutant is killed
when an item, evaluated as `surveyor ask` does (crisp limits), has other answers than it was built with.

Benchmarks hold no item that hangs on a limit at which eyes differ, so by theirs only errors in rules are counted; how
many moved limits they notice is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from surveyor.evals.bench import execute
from surveyor.evals.bench.execute import Executor, Frame, Regions, region_of
from surveyor.evals.bench.items import Item
from surveyor.evals.construction import builder, contested
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.synth_source import synth_records
from surveyor.tools import (
    judge_among,
    judge_attribute,
    judge_group,
    judge_position,
    judge_relation,
    judge_same_side,
    judge_side,
    pairs,
    rows,
)
from surveyor.tools.bands import CRISP, STRICT, Band, Bands
from surveyor.tools.layout import Layout

judge, pick = (import_module(f"surveyor.tools.{name}") for name in ("judge", "pick"))  # their functions hide them
SUITE_ITEMS, SCENES, SEEDS = 6000, 1120, tuple(range(20))
BROADER = ("court", "sports field")  # drawn scenes annotate all kinds of them
LEAST_KILLED = 0.95
Patch = tuple[Any, str, Any]


@lru_cache(maxsize=2)
def suite(agreed: bool = False) -> tuple[tuple[Item, Regions], ...]:
    """Items of drawn scenes, also those close to a limit, which test the limits and which people would contest.

    Args:
        agreed: only such as the benchmarks have.
    """
    items = []
    let = [] if agreed else [(module, "close_call", lambda *_: None) for module in (contested, builder)]
    with planted(let):
        for seed in SEEDS:
            records = synth_records(SCENES // len(SEEDS), seed=500 + 100 * seed, size_wh=(800, 600))
            items += build(records, task="CREC", n=SUITE_ITEMS // len(SEEDS), seed=seed, broader=BROADER)[1]
    return tuple((item, Regions.of(region_of(each) for each in item.objects)) for item in items)


def killers(bands: Bands = CRISP, *, agreed: bool = False) -> str | None:
    """The first item whose answers are other than they were; None where all stay. What scores ignore does not count."""
    for item, regions in suite(agreed):
        selection = item.request.outputs[0].target
        found = Executor(Frame(item.image.size_wh, item.image.gsd_m), regions, bands=bands).selection(selection)
        if set(found.kept) - set(item.ignored_ids) != set(item.answer_ids):
            return item.expression
    return None


@contextmanager
def planted(patches: list[Patch]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for owner, name, value in patches:
            patched.setattr(owner, name, value)
        yield


# ---- limits ---------------------------------------------------------------------------------------------------


def moved_limits() -> Iterator[tuple[str, Bands]]:
    """Crisp limits that lie beyond the gap of doubt, by as much as the gap is wide, on either side."""
    for field in fields(STRICT):
        limit = getattr(STRICT, field.name)
        if not isinstance(limit, Band):
            continue
        gap = limit.true - limit.false
        for side, value in (("true", limit.true + gap), ("false", limit.false - gap)):
            if field.name in ("horizontal", "diagonal", "parallel", "bearing") and value < 1.0:
                value = 1.0
            if field.name in ("inside", "overlaps", "axis_overlap", "bank"):  # shares
                value = min(max(value, 0.001), 0.999)
            yield f"{field.name} beyond {side}", replace(CRISP, **{field.name: Band(value, value, limit.rising)})
    yield "size words by other quantiles", replace(CRISP, large_quantiles=(0.3, 0.3), small_quantiles=(0.7, 0.7))
    yield "groups reach twice as far", replace(CRISP, group_reach=3.0)
    yield "groups reach half as far", replace(CRISP, group_reach=0.75)
    yield "adjacent reaches further", replace(CRISP, adjacent=(1.0, 1.0))
    yield "adjacent only when touching", replace(CRISP, adjacent=(0.0, 0.0), adjacent_px=0.0)


# ---- rules ----------------------------------------------------------------------------------------------------


def _wrapped(function: Callable[..., Any], change: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: change(function, *args, **kwargs)


def _turned(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The opposite verdicts."""
    found = function(*args, **kwargs)
    return replace(found, codes=(2 - found.codes).astype(np.int8))


def _with_condition(**changes: Any) -> Callable[..., Any]:
    def change(function: Callable[..., Any], case: Any, condition: Any, *rest: Any) -> Any:
        made = {name: value(getattr(condition, name)) for name, value in changes.items()}
        return function(case, condition.model_copy(update=made), *rest)

    return change


def _property(name: str, made: Callable[[Layout], Any]) -> Patch:
    return (Layout, name, property(made))


def _vectors(**changes: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return dict(pairs.VECTORS) | {name.replace("_", " "): value for name, value in changes.items()}


_LEFT, _RIGHT, _UP, _DOWN = (pairs.VECTORS[name] for name in ("left", "right", "above", "below"))
_flip = {"max": "min", "min": "max"}
_centers = Layout.centers.func  # type: ignore[attr-defined]
_axes = Layout.axes.func  # type: ignore[attr-defined]
_areas = Layout.areas.func  # type: ignore[attr-defined]
_sizes = Layout.sizes.func  # type: ignore[attr-defined]
_aspects = Layout.aspects.func  # type: ignore[attr-defined]
_skeletons = Layout.skeletons.func  # type: ignore[attr-defined]
_lengths, _widths = Layout.lengths.fget, Layout.widths.fget  # type: ignore[attr-defined]


def _pick_patches(change: Callable[..., Any]) -> list[Patch]:
    both = _wrapped(pick.judge_pick, change)
    return [(execute, "judge_pick", both), (judge, "judge_pick", both)]


def _judged(name: str, change: Callable[..., Any]) -> list[Patch]:
    """A rule of `surveyor.tools.judge` that is wrapped."""
    return [(judge, name, _wrapped(getattr(judge, name), change))]


def _only(relation: str, change: Callable[..., Any]) -> list[Patch]:
    def changed(function: Callable[..., Any], case: Any, condition: Any) -> Any:
        return change(function, case, condition) if condition.relation == relation else function(case, condition)

    return _judged("judge_relation", changed)


def _as(relation: str) -> Callable[..., Any]:
    return _with_condition(relation=lambda _old: relation)


def _position_y_up(function: Callable[..., Any], case: Any, condition: Any) -> Any:
    swap = {"top": "bottom", "bottom": "top"}
    place = " ".join(swap.get(word, word) for word in condition.place.split())
    return function(case, condition.model_copy(update={"place": place}))


def _position_mirrored(function: Callable[..., Any], case: Any, condition: Any) -> Any:
    swap = {"left": "right", "right": "left"}
    place = " ".join(swap.get(word, word) for word in condition.place.split())
    return function(case, condition.model_copy(update={"place": place}))


def _bounds_of_quarters(condition: Any, size_wh: Any) -> Any:
    low, high = _bounds(condition, size_wh)
    shrink = {1 / 3: 0.25, 2 / 3: 0.75}
    return tuple(tuple(shrink.get(edge, edge) for edge in side) for side in (low, high))


_bounds = judge_position.place_bounds


def _distances_by_centres(a: Layout, b: Layout, reach: np.ndarray) -> Any:
    gaps = np.linalg.norm(a.centers[:, None] - b.centers[None], axis=-1)
    held = gaps <= reach[None]
    where = np.nonzero(held)
    return pairs.Pairs(where[0], where[1], np.full(len(where[0]), 2, dtype=np.int8), gaps[held])


def _away(function: Callable[..., Any], case: Any, members: Any) -> Any:
    low, high = function(case, members)
    return np.where(np.isfinite(low), -low, low), np.where(np.isfinite(high), -high, high)


def _dropped_last(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return [members[:-1] for members in function(*args, **kwargs)]


def _reversed_pairs(function: Callable[..., Any], a: Layout, b: Layout, **kwargs: Any) -> Any:
    found = function(b, a, **kwargs)
    return pairs.Pairs(found.columns, found.rows, found.codes, found.values)


def _more(test: Any) -> Any:
    return None if test is None else test.model_copy(update={"n": test.n + 1})


_OPS = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": ">"}

MUTANTS: dict[str, list[Patch]] = {
    "left is right": [(pairs, "VECTORS", _vectors(left=_RIGHT, right=_LEFT))],
    "above is below": [(pairs, "VECTORS", _vectors(above=_DOWN, below=_UP))],
    "upper left is lower left": [(pairs, "VECTORS", _vectors(above_left=pairs.VECTORS["below left"]))],
    "lower right is upper right": [(pairs, "VECTORS", _vectors(below_right=pairs.VECTORS["above right"]))],
    "a bearing seen from the other": [(pairs, "toward_pairs", _wrapped(pairs.toward_pairs, _reversed_pairs))],
    "further than, turned round": [(pairs, "further_pairs", _wrapped(pairs.further_pairs, _reversed_pairs))],
    "left of is further left than": _only("toward", _as("further")),
    "further left than is left of": _only("further", _as("toward")),
    "centres are first corners": [_property("centers", lambda self: self.corners[:, 0])],
    "centres half a length off": [_property("centers", lambda self: _centers(self) + _lengths(self)[:, None] / 2)],
    "lengths are widths": [_property("lengths", _widths)],
    "widths are lengths": [_property("widths", _lengths)],
    "areas are lengths": [_property("areas", _lengths)],
    "areas too large by scale": [_property("areas", lambda self: _areas(self) * np.linspace(1, 3, len(self)))],
    "long axes across": [_property("axes", lambda self: _axes(self)[:, ::-1] * [-1, 1])],
    "axes mirrored": [_property("axes", lambda self: _axes(self) * [-1, 1])],
    "aspects the other way": [_property("aspects", lambda self: 1 / np.maximum(_aspects(self), 1e-9))],
    "aspects always one": [_property("aspects", lambda self: np.ones(len(self)))],
    "sizes are lengths": [_property("sizes", _lengths)],
    "sizes are half": [_property("sizes", lambda self: _sizes(self) / 2)],
    "middle lines are centres": [_property("skeletons", lambda self: np.stack([self.centers, self.centers], axis=1))],
    "metres are pixels": [(Executor, "_case", lambda self, layout, status: _unscaled(self, layout, status))],
    "width and height swapped": [(judge_position, "judge_position", None)],
    "y goes up": _judged("judge_position", _position_y_up),
    "x goes left": _judged("judge_position", _position_mirrored),
    "cells are quarters": [(judge_position, "place_bounds", _bounds_of_quarters)],
    "edges by centres": [_property("boxes", lambda self: np.concatenate([self.centers, self.centers], axis=1))],
    "positions denied": _judged("judge_position", _turned),
    "distances between centres": [
        (pairs, "distance_pairs", _distances_by_centres),
        (judge_group, "distance_pairs", _distances_by_centres),
        (judge_among, "distance_pairs", _distances_by_centres),
    ],
    "within is beyond": _only("within", _as("beyond")),
    "beyond is within": _only("beyond", _as("within")),
    "distances in feet": _judged(
        "judge_relation",
        lambda function, case, condition: function(
            case,
            condition
            if condition.distance is None
            else condition.model_copy(
                update={"distance": condition.distance.model_copy(update={"value": condition.distance.value * 0.3048})}
            ),
        ),
    ),
    "near is adjacent": _only("near", _as("adjacent")),
    "inside is overlaps": _only("inside", _as("overlaps")),
    "overlaps is inside": _only("overlaps", _as("inside")),
    "contains is inside": _only("contains", _as("inside")),
    "inside is contains": _only("inside", _as("contains")),
    "adjacent is near": _only("adjacent", _as("near")),
    "parallel is perpendicular": _only("parallel", _as("perpendicular")),
    "perpendicular is parallel": _only("perpendicular", _as("parallel")),
    "same side is other side": _only("same_side", _as("other_side")),
    "other side is same side": _only("other_side", _as("same_side")),
    "the other bank": [
        (
            judge_relation,
            "side_pairs",
            _wrapped(
                judge_side.side_pairs,
                lambda function, a, b, direction, bands: function(
                    a, b, {"left": "right", "right": "left", "above": "below", "below": "above"}[direction], bands
                ),
            ),
        )
    ],
    "beside is not beside": _only("flanking", _turned),
    "not between": _only("between", _turned),
    "between by one only": [
        (judge_among, "_on_line", lambda centers, start, stop, bands: bands.between.codes(_share(centers, start, stop)))
    ],
    "a row of anything": _only("aligned", _turned),
    "rows with large gaps": [(rows, "_GAP_LENGTHS", 9.0), (rows, "_LONG_GAP_LENGTHS", 18.0)],
    "rows with small gaps": [(rows, "_GAP_LENGTHS", 1.05), (rows, "_LONG_GAP_LENGTHS", 1.05)],
    "rows lose their last": [
        (judge_group, "find_rows", _wrapped(rows.find_rows, _dropped_last)),
        (rows, "find_rows", _wrapped(rows.find_rows, _dropped_last)),
    ],
    "surrounded is near": _only("surrounded", _as("near")),
    "any is all": _judged("judge_relation", _with_condition(quantifier=lambda _old: "all")),
    "amounts off by one": _judged("judge_relation", _with_condition(amount=_more)),
    "longer is shorter": _judged("judge_comparison", _with_condition(op=_OPS.__getitem__)),
    "length is width": _judged(
        "judge_comparison", _with_condition(attribute=lambda old: "width" if old == "length" else old)
    ),
    "comparisons by thirds": [
        (judge_attribute, "compared", _wrapped(pairs.compared, lambda f, v, asked, op, b: f(v, asked * 1.33, op, b)))
    ],
    "aspect the other way round": _judged("judge_aspect", _with_condition(op=_OPS.__getitem__)),
    "longer than it, turned round": _judged("judge_compared", _with_condition(op=_OPS.__getitem__)),
    "factors forgotten": _judged("judge_compared", _with_condition(factor=lambda _old: 1.0)),
    "the mean is any": _judged("judge_compared", _with_condition(quantifier=lambda _old: "any")),
    "large is small": _judged(
        "judge_size", _with_condition(word=lambda old: {"large": "small", "small": "large"}[old])
    ),
    "square is elongated": _judged(
        "judge_shape", _with_condition(word=lambda old: {"square": "elongated", "elongated": "square"}[old])
    ),
    "horizontal is vertical": _judged(
        "judge_orientation",
        _with_condition(word=lambda old: {"horizontal": "vertical", "vertical": "horizontal"}.get(old, old)),
    ),
    "diagonal is horizontal": _judged(
        "judge_orientation", _with_condition(word=lambda old: "horizontal" if old == "diagonal" else old)
    ),
    "groups off by one": _judged("judge_group", _with_condition(test=_more)),
    "largest group is smallest": _judged(
        "judge_group",
        _with_condition(which=lambda old: {"largest": "smallest", "smallest": "largest"}.get(old, old)),
    ),
    "groups lose their last": [(judge_group, "find_groups", _wrapped(judge_group.find_groups, _dropped_last))],
    "ranks from the other end": _pick_patches(_with_condition(order=_flip.__getitem__)),
    "ranks off by one": _pick_patches(_with_condition(first=lambda old: old + 1)),
    "one too many taken": _pick_patches(_with_condition(count=lambda old: old + 1)),
    "only the first taken": _pick_patches(_with_condition(count=lambda _old: 1)),
    "x is y": _pick_patches(_with_condition(by=lambda old: {"x": "y", "y": "x"}.get(old, old))),
    "largest is longest": _pick_patches(_with_condition(by=lambda old: "length" if old == "area" else old)),
    "longest is widest": _pick_patches(_with_condition(by=lambda old: "width" if old == "length" else old)),
    "central is leftmost": _pick_patches(_with_condition(by=lambda old: "x" if old == "centre" else old)),
    "nearest is farthest": [(pick, "_distances", _wrapped(pick._distances, _away))],
    "ranks among all": [(execute.Executor, "codes", None)],
    "not is forgotten": [],
    "and is or": [],
    "or is and": [],
    "subclasses denied": [(judge, "_judge_class", _wrapped(judge._judge_class, _turned))],
    "on the reference counts as beside": [(judge_same_side, "_LONG", 1e9)],
}


def _share(centers: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    line = stop - start
    share = ((centers - start) * line).sum(axis=-1) / np.maximum((line**2).sum(axis=-1), 1e-9)
    return np.minimum(share, 1 - share)


def _unscaled(self: Executor, layout: Layout, status: np.ndarray) -> Any:
    return execute._Open(Frame(self.scene.size_wh, 1.0), layout, status, {}, self.bands, self)


def _special(name: str) -> list[Patch]:
    """Mutants of how conditions are put together."""
    original = judge.judge_case
    if name == "width and height swapped":
        return [
            (
                Executor,
                "_case",
                lambda self, layout, status: execute._Open(
                    Frame(self.scene.size_wh[::-1], self.scene.gsd_m), layout, status, {}, self.bands, self
                ),
            )
        ]
    if name == "ranks among all":
        plain = Executor.codes

        def codes(self: Executor, layout: Layout, condition: Any, status: np.ndarray | None = None) -> np.ndarray:
            return plain(self, layout, condition, None if condition.kind == "pick" else status)

        return [(Executor, "codes", codes)]

    def judged(case: Any, condition: Any) -> Any:
        if name == "not is forgotten" and condition.kind == "not":
            return original(case, condition.condition)
        if name == "or is and" and condition.kind == "or":
            parts = [original(case, part) for part in condition.conditions]
            return replace(parts[0], codes=np.minimum.reduce([part.codes for part in parts]))
        return original(case, condition)

    if name == "and is or":
        plain = Executor.selection

        def selection(self: Executor, chosen: Any, *, is_head: bool = True) -> Any:
            where = chosen.where
            if where is not None and where.kind == "and":
                from surveyor.core.conditions import Or

                chosen = chosen.model_copy(update={"where": Or(conditions=where.conditions)})
            return plain(self, chosen, is_head=is_head)

        return [(Executor, "selection", selection)]
    return [(judge, "judge_case", judged), (execute, "judge_case", judged)]


SPECIAL = ("width and height swapped", "ranks among all", "not is forgotten", "and is or", "or is and")


def all_mutants() -> Iterator[tuple[str, list[Patch], Bands]]:
    for name, patches in MUTANTS.items():
        yield name, _special(name) if name in SPECIAL else patches, CRISP
    for name, bands in moved_limits():
        yield name, [], bands


@pytest.mark.slow
def test_without_a_planted_error_all_answers_are_right() -> None:
    assert len(suite()) >= 0.9 * SUITE_ITEMS
    assert killers() is None


@pytest.mark.slow
@pytest.mark.parametrize("agreed", [False, True], ids=["all", "as in benchmarks"])
def test_planted_errors_change_answers(capsys: pytest.CaptureFixture[str], agreed: bool) -> None:
    noticed: dict[str, bool] = {}
    suite(agreed)
    for name, patches, bands in all_mutants():
        with planted(patches):
            try:
                killer = killers(bands, agreed=agreed)
            except Exception as error:
                killer = repr(error)
        noticed[name] = killer is not None
    rules, limits = [noticed[name] for name in MUTANTS], [noticed[name] for name, _ in moved_limits()]
    with capsys.disabled():
        print(f"\n{sum(noticed.values())} of {len(noticed)} planted errors noticed: ", end="")
        print(f"{sum(rules)} of {len(rules)} in rules, {sum(limits)} of {len(limits)} moved limits; not: ", end="")
        print(", ".join(name for name, found in noticed.items() if not found))
    assert len(noticed) == len(rules) + len(limits) >= 100
    judged = rules if agreed else [*noticed.values()]
    assert sum(judged) >= LEAST_KILLED * len(judged)
