"""What must hold for any scene: flips, shifts, scalings, permutations, filters, Kleene's laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes_by_hand import RIVER, SHIP, scene
from surveyor.core.conditions import (
    And,
    Aspect,
    Compare,
    CompareWith,
    CountTest,
    Group,
    Node,
    Not,
    Or,
    Orientation,
    Pick,
    Position,
    Provided,
    Quantity,
    Relation,
    Shape,
    SizeWord,
    kleene_and,
    kleene_not,
    kleene_or,
    walk,
)
from surveyor.core.geometry import canonical_corners, corners_to_box
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.tools import CRISP, STRICT, count, judge, pick, select
from surveyor.tools.findings import status_codes

SIZE = 400
RELATIONS = ("near", "inside", "contains", "overlaps", "adjacent", "between", "surrounded")
RELATIONS += ("parallel", "perpendicular", "flanking")
DIRECTIONS = ("left", "right", "above", "below", "above left", "above right", "below left", "below right")
CASES = settings(max_examples=60, deadline=None)


@st.composite
def candidate_sets(draw, prefix="p", most=7):
    """Turned rectangles with whole-number corners, some of them undecided."""
    made = []
    for index in range(draw(st.integers(0, most))):
        x, y = draw(st.integers(40, SIZE - 40)), draw(st.integers(40, SIZE - 40))
        a, b = draw(st.sampled_from([(4, 0), (3, 1), (5, 2), (2, 2), (0, 4), (1, 4)]))
        along, across = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        u, v = along * np.array([a, b]), across * np.array([-b, a])
        corners = canonical_corners(np.array([x, y]) + np.array([u + v, u - v, -u - v, v - u]))
        label = draw(st.sampled_from(["plane", "ship"]))
        candidate = Candidate(Region(f"{prefix}{index}", label, corners, corners_to_box(corners)))
        made.append(candidate.judged("earlier", None) if draw(st.integers(0, 4)) == 0 else candidate)
    return CandidateSet(tuple(made))


OPS = st.sampled_from([">", ">=", "<", "<=", "=="])
NUMBERS = st.builds(CountTest, op=OPS, n=st.integers(0, 3))


def px(value):
    return Quantity(value=value, unit="px")


atoms = st.one_of(
    st.builds(
        Compare,
        attribute=st.sampled_from(["length", "width", "perimeter"]),
        op=st.sampled_from([">", "<="]),
        quantity=st.integers(1, 60).map(px),
    ),
    st.builds(SizeWord, word=st.sampled_from(["large", "small"])),
    st.builds(Shape, word=st.sampled_from(["elongated", "square"])),
    st.builds(Orientation, word=st.sampled_from(["horizontal", "vertical", "diagonal"])),
    st.builds(Aspect, op=OPS, ratio=st.sampled_from([1.0, 1.5, 2.0, 3.0])),
    st.builds(
        CompareWith,
        attribute=st.sampled_from(["length", "width", "area", "aspect"]),
        op=OPS,
        reference=st.just(SHIP),
        factor=st.sampled_from([0.5, 1.0, 2.0]),
        quantifier=st.sampled_from(["any", "all", "mean"]),
    ),
    st.builds(Group, form=st.sampled_from(["group", "row"]), test=NUMBERS),
    st.builds(Group, form=st.just("group"), which=st.sampled_from(["largest", "smallest"])),
    st.builds(Provided, reference=st.just(SHIP), test=NUMBERS),
    st.builds(
        Relation,
        relation=st.sampled_from(["near", "overlaps", "contains", "surrounded", "parallel"]),
        reference=st.just(SHIP),
        amount=NUMBERS,
    ),
    st.builds(
        Relation,
        relation=st.sampled_from(["same_side", "other_side"]),
        reference=st.just(SHIP),
        second=st.just(RIVER),
    ),
    st.builds(
        Relation,
        relation=st.sampled_from(RELATIONS),
        reference=st.just(SHIP),
        quantifier=st.sampled_from(["any", "all"]),
    ),
    st.builds(
        Relation,
        relation=st.sampled_from(["toward", "further", "side"]),
        reference=st.just(SHIP),
        direction=st.sampled_from(DIRECTIONS),
        quantifier=st.sampled_from(["any", "all"]),
    ),
    st.builds(
        Relation,
        relation=st.sampled_from(["within", "beyond"]),
        reference=st.just(SHIP),
        distance=st.integers(0, 150).map(px),
        quantifier=st.sampled_from(["any", "all"]),
    ),
    st.builds(
        Pick,
        by=st.sampled_from(["area", "length", "width", "aspect", "x", "y", "score"]),
        order=st.sampled_from(["max", "min"]),
        first=st.integers(1, 3),
        count=st.integers(1, 3),
    ),
    st.builds(
        Pick,
        by=st.just("distance"),
        order=st.sampled_from(["max", "min"]),
        count=st.integers(1, 2),
        reference=st.just(SHIP),
    ),
)
positions = st.one_of(
    st.builds(
        Position, frame=st.just("cell"), place=st.sampled_from(["top left", "top", "left", "center", "bottom right"])
    ),
    st.builds(Position, frame=st.just("half"), place=st.sampled_from(["left", "right", "top", "bottom"])),
    st.builds(Position, frame=st.just("quadrant"), place=st.sampled_from(["top left", "bottom right"])),
    st.builds(Position, frame=st.just("edge"), place=st.sampled_from(["left", "top", "any"])),
    st.builds(Relation, relation=st.sampled_from(["same_side", "other_side"]), reference=st.just(SHIP)),
    st.builds(
        Pick,
        by=st.just("centre"),
        order=st.sampled_from(["max", "min"]),
        first=st.integers(1, 3),
        count=st.integers(1, 3),
    ),
)
anywhere = st.one_of(atoms, positions)
conditions = st.recursive(
    anywhere,
    lambda inner: st.one_of(
        st.builds(And, conditions=st.tuples(inner, inner)),
        st.builds(Or, conditions=st.tuples(inner, inner)),
        st.builds(Not, condition=inner),
    ),
    max_leaves=4,
)
bands = st.sampled_from([CRISP, STRICT])


def codes(candidates, condition, ships, limits, on=None):
    return judge(
        on or scene(SIZE, SIZE), candidates, condition, {"ships": ships, "rivers": ships}, bands=limits
    ).codes.tolist()


def moved(candidates, change):
    """The set with every corner changed."""
    out = []
    for candidate in candidates:
        corners = canonical_corners(change(candidate.region.corners_px))
        region = Region(candidate.region.id, candidate.region.label, corners, corners_to_box(corners))
        out.append(Candidate(region, candidate.verdicts))
    return CandidateSet(tuple(out))


def flipped_words(node: Node, axis: int) -> Node:
    """The condition as it reads in the mirrored scene: left for right (axis 0) or top for bottom (axis 1)."""
    swap = ({"left": "right", "right": "left"}, {"top": "bottom", "bottom": "top", "above": "below", "below": "above"})[
        axis
    ]
    changes: dict[str, object] = {}
    for name in ("direction", "place"):
        if getattr(node, name, None):
            changes[name] = " ".join(swap.get(word, word) for word in getattr(node, name).split())
    if isinstance(node, Pick) and node.by == "xy"[axis]:
        changes["order"] = "min" if node.order == "max" else "max"
    if isinstance(node, And | Or):
        changes["conditions"] = tuple(flipped_words(part, axis) for part in node.conditions)
    if isinstance(node, Not):
        changes["condition"] = flipped_words(node.condition, axis)
    return node.model_copy(update=changes)


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), conditions, bands, st.sampled_from([0, 1]))
def test_a_mirrored_scene_gives_mirrored_answers(planes, ships, condition, limits, axis):
    def mirror(points):
        points = points.copy()
        points[:, axis] = SIZE - points[:, axis]
        return points

    seen = codes(moved(planes, mirror), flipped_words(condition, axis), moved(ships, mirror), limits)
    assert seen == codes(planes, condition, ships, limits)


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), atoms, bands, st.integers(-500, 500), st.integers(-500, 500))
def test_a_shift_changes_nothing_but_positions(planes, ships, condition, limits, dx, dy):
    def shift(points):
        return points + np.array([dx, dy])

    assert codes(moved(planes, shift), condition, moved(ships, shift), limits) == codes(
        planes, condition, ships, limits
    )


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), conditions, st.sampled_from([2, 4]))
def test_a_larger_picture_of_the_same_gives_the_same(planes, ships, condition, factor):
    def in_pixels(node):
        return (
            isinstance(node, Compare)
            or getattr(node, "distance", None) is not None
            or getattr(node, "relation", "") == "adjacent"
        )

    if any(in_pixels(node) for node in walk(condition)):
        return
    large = codes(
        moved(planes, lambda p: p * factor),
        condition,
        moved(ships, lambda p: p * factor),
        CRISP,
        scene(SIZE * factor, SIZE * factor),
    )
    assert large == codes(planes, condition, ships, CRISP)


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), conditions, bands, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(planes, ships, condition, limits, random):
    order, ship_order = list(range(len(planes))), list(ships)
    random.shuffle(order)
    random.shuffle(ship_order)
    shuffled = CandidateSet(tuple(planes.candidates[index] for index in order))
    there = codes(shuffled, condition, CandidateSet(tuple(ship_order)), limits)
    here = codes(planes, condition, ships, limits)
    assert there == [here[index] for index in order]


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), conditions)
def test_strict_is_careful_never_contrary_where_nothing_is_picked(planes, ships, condition):
    if any(isinstance(node, Pick | Group) for node in walk(condition)):
        return
    crisp, strict = codes(planes, condition, ships, CRISP), codes(planes, condition, ships, STRICT)
    assert all(careful in (1, bold) or bold == 1 for bold, careful in zip(crisp, strict, strict=True))


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), st.sampled_from(DIRECTIONS), bands)
def test_toward_and_further_are_antisymmetric_and_converse(planes, ships, direction, limits):
    words = {"left": "right", "right": "left", "above": "below", "below": "above"}
    back = " ".join(words[word] for word in direction.split())
    for relation in ("toward", "further"):
        there = Relation(relation=relation, reference=SHIP, direction=direction)
        here = Relation(relation=relation, reference=SHIP, direction=back)
        for plane in planes:
            for ship in ships:
                one, other = CandidateSet((Candidate(plane.region),)), CandidateSet((Candidate(ship.region),))
                forth = codes(one, there, other, limits)
                assert forth == codes(other, here, one, limits)
                assert not (forth == [2] and codes(other, there, one, limits) == [2])


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), st.lists(conditions, min_size=1, max_size=3))
def test_filters_never_add_and_counts_agree(planes, ships, chain):
    current = planes
    for condition in chain:
        after = select(scene(SIZE, SIZE), current, condition, {"ships": ships, "rivers": ships})
        assert [c.region.id for c in after] == [c.region.id for c in current]
        assert {c.region.id for c in after.kept} <= {c.region.id for c in current.kept}
        assert {c.region.id for c in after.open} <= {c.region.id for c in current.open}
        assert count(after).n == len(after.kept) and count(after).undecided == len(after.undecided)
        current = after


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), conditions, conditions)
def test_a_conjunction_is_a_chain_of_filters(planes, ships, first, second):
    references = {"ships": ships, "rivers": ships}
    on = scene(SIZE, SIZE)
    chained = select(on, select(on, planes, first, references), second, references)
    at_once = select(on, planes, And(conditions=(first, second)), references)
    assert status_codes(chained).tolist() == status_codes(at_once).tolist()


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), anywhere, anywhere, bands)
def test_kleene_laws(planes, ships, a, b, limits):
    if isinstance(a, Pick | Group) or isinstance(b, Pick | Group):
        return  # a pick or group looks at what earlier parts left open, so its place in a conjunction matters
    found = {
        name: judge(scene(SIZE, SIZE), planes, node, {"ships": ships, "rivers": ships}, bands=limits).verdicts
        for name, node in {
            "a": a,
            "b": b,
            "and": And(conditions=(a, b)),
            "or": Or(conditions=(a, b)),
            "not": Not(condition=a),
            "de morgan": Not(condition=Or(conditions=(Not(condition=a), Not(condition=b)))),
        }.items()
    }
    for index in range(len(planes)):
        x, y = found["a"][index], found["b"][index]
        assert found["and"][index] == kleene_and((x, y)) == found["de morgan"][index]
        assert found["or"][index] == kleene_or((x, y))
        assert found["not"][index] == kleene_not(x)


@CASES
@given(candidate_sets(most=8), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["area", "x", "length"]), bands)
def test_what_a_pick_says_is_right_whichever_way_the_undecided_turn_out(planes, first, number, by, limits):
    """For each way to decide the undecided ones: a true or false verdict of a member is its verdict in that world."""
    node = Pick(by=by, order="max", first=first, count=number)
    said = dict(zip([c.region.id for c in planes], codes(planes, node, CandidateSet(), limits), strict=True))
    doubtful = [c.region.id for c in planes if c.status is None][:4]
    settled = [c for c in planes if c.status is True]
    if len(doubtful) != len(planes.undecided):
        return
    for world in range(2 ** len(doubtful)):
        present = {name for bit, name in enumerate(doubtful) if world >> bit & 1}
        members = [Candidate(c.region) for c in planes if c in settled or c.region.id in present]
        there = codes(CandidateSet(tuple(members)), node, CandidateSet(), CRISP)
        for member, verdict in zip(members, there, strict=True):
            if verdict != 1 and said[member.region.id] != 1:
                assert verdict == said[member.region.id]


@CASES
@given(candidate_sets(), candidate_sets("ship-", 4), OPS, st.sampled_from([0.5, 1.0, 2.0]), bands)
def test_what_a_mean_says_is_right_whichever_way_the_undecided_turn_out(planes, ships, op, factor, limits):
    """For each way to decide the undecided members: a true or false verdict is the verdict in that world."""
    node = CompareWith(attribute="length", op=op, reference=SHIP, factor=factor, quantifier="mean")
    said = codes(planes, node, ships, limits)
    doubtful = [c for c in ships if c.status is None]
    for world in range(2 ** len(doubtful)):
        present = [c for bit, c in enumerate(doubtful) if world >> bit & 1]
        members = [Candidate(c.region) for c in ships if c.status is True or c in present]
        there = codes(planes, node, CandidateSet(tuple(members)), limits)
        assert all(one in (1, other) for one, other in zip(said, there, strict=True))


@pytest.mark.parametrize("limits", [CRISP, STRICT])
@CASES
@given(planes=candidate_sets(), ships=candidate_sets("ship-", 4), condition=conditions)
def test_reasons_can_be_given_for_every_verdict(limits, planes, ships, condition):
    found = judge(scene(SIZE, SIZE), planes, condition, {"ships": ships, "rivers": ships}, bands=limits)
    assert all(found.why(index) for index in range(len(planes)))
    assert RIVER.phrases == ("river",)


def test_pick_as_tool_equals_pick_as_condition():
    @CASES
    @given(candidate_sets(), st.integers(1, 3))
    def check(planes, first):
        node = Pick(by="area", order="max", first=first)
        assert (
            status_codes(pick(scene(), planes, node)).tolist() == status_codes(select(scene(), planes, node)).tolist()
        )

    check()
