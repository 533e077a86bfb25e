"""Which regions of two sets stand in a relation, as a graph: for overviews, scene graphs and region prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..core.conditions import Quantity
from ..core.errors import UsageError
from ..core.regions import CandidateSet
from . import pairs as rules
from .bands import CRISP, Bands
from .findings import TRUE
from .layout import Layout, gsd_xy_m
from .pairs import Pairs

if TYPE_CHECKING:
    import networkx as nx

    from ..core.scene import Scene

LocalRelation = Literal["near", "adjacent", "inside", "contains", "overlaps", "within"]
_COMPASS = ("right", "below right", "below", "below left", "left", "above left", "above", "above right")
_Rule = Callable[[Layout, Layout], Pairs]


def relate(
    scene: Scene,
    subjects: CandidateSet,
    objects: CandidateSet,
    relations: Sequence[LocalRelation] = ("near", "adjacent", "inside", "contains", "overlaps"),
    *,
    within: Quantity | None = None,
    bands: Bands = CRISP,
) -> nx.MultiDiGraph:
    """The graph of local relations from the open subjects to the open objects.

    Only pairs that come near each other are looked at (STRtree), so the cost grows with the number of edges.

    Args:
        scene: its ground sample distance serves metric distances.
        subjects, objects: may be the same set; nothing relates to itself.
        relations: which to look for.
        within: the distance of the relation "within", needed for it only.
        bands: limits of the rules.

    Returns:
        Nodes are region ids with `label`; edges, keyed by relation, lead from subject to object and carry `verdict`
        (True, or None inside the ambiguity band), `value` (px or m for distances, else a share of area) and `direction`
        (of the subject as seen from the object, by their centres).

    Raises:
        UsageError: an unknown relation; "within" without a distance, or in metres without ground sample distance.
    """
    import networkx as nx

    left, right = (Layout([c.region for c in part.open]) for part in (subjects, objects))
    graph = nx.MultiDiGraph()
    for region in (*left.regions, *right.regions):
        graph.add_node(region.id, label=region.label)
    for relation in relations:
        rule, scale = _rule(scene, relation, within, bands)
        found = rule(left.scaled(scale), right.scaled(scale))
        found = found.only(found.codes > 0)
        shifts = left.centers[found.rows] - right.centers[found.columns]
        compass = np.round(np.degrees(np.arctan2(shifts[:, 1], shifts[:, 0])) / 45.0).astype(int) % 8
        for row, column, code, value, place in zip(
            found.rows.tolist(),
            found.columns.tolist(),
            found.codes.tolist(),
            found.values.tolist(),
            compass.tolist(),
            strict=True,
        ):
            subject, target = left.regions[row].id, right.regions[column].id
            if subject != target:
                verdict = True if code == TRUE else None
                graph.add_edge(subject, target, key=relation, verdict=verdict, value=value, direction=_COMPASS[place])
    return graph


def _rule(scene: Scene, relation: str, within: Quantity | None, bands: Bands) -> tuple[_Rule, tuple[float, float]]:
    plain: Mapping[str, Callable[..., Pairs]] = {
        "near": rules.near_pairs,
        "adjacent": rules.adjacent_pairs,
        "inside": rules.inside_pairs,
        "contains": rules.containing_pairs,
        "overlaps": rules.overlapping_pairs,
    }
    if relation in plain:
        return partial(plain[relation], bands=bands), (1.0, 1.0)
    if relation != "within":
        raise UsageError(f"{relation!r} is no local relation; these are: {', '.join((*plain, 'within'))}")
    if within is None or within.is_area:
        raise UsageError(f"the relation 'within' needs a distance such as Quantity(value=50, unit='m'), not {within!r}")
    scale = gsd_xy_m(scene) if within.is_metric else (1.0, 1.0)
    if scale is None:
        raise UsageError(f"within {within.value:g} {within.unit} needs the ground sample distance; give it as gsd_m")
    return partial(rules.within_pairs, distance=within.base_value, bands=bands), scale
