"""The waterfall: shares sum to the gap, what is missing is named; which runs stand together."""

from __future__ import annotations

import shlex
from itertools import combinations
from pathlib import Path

import pytest
from bench_runs import items_file, run_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import answer, make_item, painted, square
from surveyor.core.errors import UsageError
from surveyor.evals.report.report import report_data
from surveyor.evals.report.report_html import html_report
from surveyor.evals.report.report_markdown import markdown_report
from surveyor.evals.report.report_waterfall import is_ablation, order_of, unused_runs, waterfalls, why_not
from surveyor.evals.report.scoring import Run, score_run
from surveyor.evals.report.waterfall import PLAYERS, average_shares, waterfall

ORDER = ("parser", "boxes", "masks")
EVERY = [frozenset(parts) for k in range(4) for parts in combinations(ORDER, k)]
A, B = square(0), square(30)

figures = st.dictionaries(st.sampled_from(EVERY[1:]), st.floats(0, 1, allow_nan=False), max_size=len(EVERY)).flatmap(
    lambda found: st.floats(0, 1, allow_nan=False).map(lambda full: {frozenset[str](): full} | found)
)


# ---- the pure part --------------------------------------------------------------------------------------------


def test_a_worked_example() -> None:
    """Full 0.5; with the parser 0.6; with parser and boxes 0.8; with all 0.95.

    In order: parser 0.1, boxes 0.2, masks 0.15, left 0.05: together 0.5 = 1 - 0.5.
    """
    steps = {"": 0.5, "p": 0.6, "pb": 0.8, "pbm": 0.95}
    runs = {frozenset(part for part in ORDER if part[0] in key): value for key, value in steps.items()}
    found = waterfall(runs, ORDER)
    assert [share.parts for share in found.shares] == [("parser",), ("boxes",), ("masks",), ()]
    assert [share.value for share in found.shares] == pytest.approx([0.1, 0.2, 0.15, 0.05])
    assert found.average is None and found.unsplit == () and found.alone == pytest.approx({"parser": 0.1})
    assert found.missing == (("boxes",), ("masks",), ("parser", "masks"), ("boxes", "masks"))


def test_the_average_over_orders_by_hand() -> None:
    """Two parts. parser first: 0.1 then boxes 0.4; boxes first: 0.2 then parser 0.3. Means: parser 0.2, boxes 0.3."""
    runs = {
        frozenset(): 0.3,
        frozenset({"parser"}): 0.4,
        frozenset({"boxes"}): 0.5,
        frozenset({"parser", "boxes"}): 0.8,
    }
    assert average_shares(runs, ("parser", "boxes")) == pytest.approx({"parser": 0.2, "boxes": 0.3})


def test_a_missing_step_joins_its_neighbours_and_a_missing_end_stays_in_what_is_left() -> None:
    runs = {frozenset[str](): 0.2, frozenset({"parser", "boxes"}): 0.7}
    found = waterfall(runs, ORDER)
    assert [(share.parts, share.value) for share in found.shares] == [
        (("parser", "boxes"), pytest.approx(0.5)),
        ((), pytest.approx(0.3)),
    ]
    assert found.unsplit == ("masks",) and found.rest.start == 0.7
    assert found.missing[:2] == (("parser",), ORDER)


def test_a_part_that_costs_points_has_a_negative_share() -> None:
    found = waterfall({frozenset(): 0.5, frozenset({"parser"}): 0.4}, ("parser",))
    assert [share.value for share in found.shares] == pytest.approx([-0.1, 0.6])


def test_nothing_is_split_without_a_full_run() -> None:
    with pytest.raises(UsageError, match="there is no full run"):
        waterfall({frozenset({"parser"}): 1.0}, ORDER)


@settings(deadline=None)
@given(figures)
def test_the_shares_sum_to_the_gap(runs: dict[frozenset[str], float]) -> None:
    found = waterfall(runs, ORDER)
    gap = 1 - runs[frozenset()]
    assert sum(share.value for share in found.shares) == pytest.approx(gap, abs=1e-12)
    assert [part for share in found.shares for part in share.parts] + list(found.unsplit) == list(ORDER)
    assert {frozenset(parts) for parts in found.missing} == set(EVERY) - set(runs)
    if found.average is not None:
        assert sum(found.average.values()) + found.rest.value == pytest.approx(gap, abs=1e-12)


@settings(deadline=None)
@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_parts_that_do_not_touch_have_the_same_share_in_every_order(gains: tuple[float, ...]) -> None:
    gain = dict(zip(ORDER, gains, strict=True))
    runs = {parts: sum(gain[part] for part in parts) / 4 for parts in EVERY}
    average = average_shares(runs, ORDER)
    assert average == pytest.approx({part: value / 4 for part, value in gain.items()}, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_the_average_does_not_know_the_order(values: list[float]) -> None:
    runs = dict(zip(EVERY, values, strict=True))
    first, second = average_shares(runs, ORDER), average_shares(runs, ORDER[::-1])
    assert first is not None and second is not None
    assert first == pytest.approx(second, abs=1e-12)


# ---- runs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def items(tmp_path: Path) -> Path:
    return items_file(tmp_path, [make_item("i0", [A], family="f0"), make_item("i1", [A, B], family="f1")])


def made(folder: Path, items: Path, right: int, **settings: object) -> Run:
    """A run that has the first `right` of both items right and finds nothing in the others."""
    boxes = {"i0": [A], "i1": [A, B]}
    given = [answer(id_, boxes[id_] if k < right else []) for k, id_ in enumerate(boxes)]
    return score_run(run_folder(folder, items, given, **settings))


def test_runs_of_one_system_make_a_waterfall(items: Path, tmp_path: Path) -> None:
    full = made(tmp_path / "full", items, 0, models="grounder=compact", versions={"grounder": "compact 1"})
    boxes = made(tmp_path / "boxes", items, 1, how={"oracle": ("boxes",)})
    both = made(tmp_path / "both", items, 2, how={"oracle": ("boxes", "parser")})
    found = waterfalls([full, boxes, both], ["full", "boxes", "both"])
    assert [each["metric"] for each in found] == ["f1_macro@0.5", "set_acc@0.5"]
    fall = found[0]
    assert [(each["parts"], each["value"]) for each in fall["shares"]] == [(["parser", "boxes"], 1.0), ([], 0.0)]
    assert fall["shares"][0]["low"] == fall["shares"][0]["high"] == 1.0  # every family gains it all
    assert fall["alone"] == {"boxes": 0.5} and fall["average"] is None
    assert [each["parts"] for each in fall["missing"]] == [["parser"]]
    words = shlex.split(fall["missing"][0]["command"])
    assert words[:4] == ["surveyor", "bench", "run", str(items)]
    assert words[words.index("--oracle") + 1] == "parser" and words[words.index("--models") + 1] == "grounder=compact"
    assert words[words.index("--data") + 1] == str(items.parent)


@pytest.mark.parametrize(
    ("settings", "is_one"),
    [
        ({"how": {"oracle": ("boxes",)}}, True),
        ({"how": {"oracle": ("boxes",)}, "models": "grounder=other"}, True),  # it asks no model
        ({"how": {"oracle": ("parser",)}, "models": "grounder=a,chat=x", "versions": {"grounder": "a 1"}}, True),
        ({"how": {"oracle": ("parser",)}, "models": "grounder=a", "versions": {"grounder": "a 2"}}, False),
        ({"how": {"oracle": ("parser",)}, "models": "", "versions": {"grounder": "a 1"}}, True),  # it is the default
        ({"how": {"oracle": ("parser",)}, "models": "grounder=./a", "versions": {"grounder": "a 1"}}, True),
        ({"how": {"oracle": ("boxes",), "parser": "grammar"}}, False),
        ({"how": {"oracle": ("boxes", "parser"), "parser": "grammar"}}, True),  # it reads nothing
        ({"how": {"oracle": ("boxes",), "bands": "strict"}}, False),
        ({"how": {"oracle": ("boxes",), "timeout_s": 3.0}}, False),
        ({"how": {"oracle": ("boxes",), "baseline": "largest"}}, False),
        ({"how": {"oracle": ("boxes",), "through": "agent"}}, False),
        ({"how": {"oracle": ("boxes",)}, "limit": 1}, False),
        ({"how": {"oracle": ("boxes",)}, "program": "another"}, True),
    ],
)
def test_what_is_an_ablation_of_a_run(items: Path, tmp_path: Path, settings: dict[str, object], is_one: bool) -> None:
    full = made(tmp_path / "full", items, 0, models="grounder=a", versions={"grounder": "a 1"})
    given = [answer("i0", [])] if "limit" in settings else [answer("i0", []), answer("i1", [])]
    other = score_run(run_folder(tmp_path / "other", items, given, **settings))
    assert is_ablation(full, other) is is_one


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("grounder=openai:m@http://a", ""),
        ("chat=openai:x@http://a,  grounder=openai:m@http://a", ""),
        ("grounder=openai:m@http://b", "its grounder is grounder=openai:m@http://b, that of the full run grounder="),
        ("", "its grounder is grounder=compact, that of the full run grounder=openai:m@http://a"),
    ],
)
def test_a_model_without_a_version_is_compared_by_what_was_written(
    items: Path, tmp_path: Path, models: str, why: str
) -> None:
    full = made(tmp_path / "full", items, 0, models="grounder=openai:m@http://a", versions={"grounder": "openai:m"})
    other = made(
        tmp_path / "other", items, 0, models=models, versions={"grounder": "openai:m"}, how={"oracle": ("parser",)}
    )
    told = why_not(full, other)
    assert told.startswith(why) if why else told == ""


def test_runs_that_a_waterfall_does_not_use_are_named_with_the_reason(items: Path, tmp_path: Path) -> None:
    full = made(tmp_path / "full", items, 0)
    fine = made(tmp_path / "fine", items, 1, how={"oracle": ("boxes",)})
    again = made(tmp_path / "again", items, 1, how={"oracle": ("boxes",)})
    hasty = made(tmp_path / "hasty", items, 0, how={"oracle": ("parser",), "timeout_s": 2.5})
    masks = made(tmp_path / "masks", items, 0, how={"oracle": ("masks",)})
    largest = made(tmp_path / "largest", items, 0, how={"baseline": "largest", "oracle": ("boxes",)})
    runs = [full, fine, again, hasty, masks, largest]
    names = [run.name for run in runs]
    assert unused_runs(runs, names) == [
        {"run": "again", "why": "fine has the same parts answered by the truth"},
        {"run": "hasty", "why": "it ran with --timeout 2.5, the full run with --timeout none"},
        {"run": "masks", "why": "CREC makes no use of --oracle masks"},
    ]
    (alone,) = unused_runs([fine], ["fine"])
    assert alone["why"].startswith("there is no full run of these items")
    other = made(tmp_path / "other", items, 0, versions={"grounder": "g 1"})
    assert unused_runs([full, other, fine], ["full", "other", "fine"]) == []
    content = report_data([full, hasty])
    told = "hasty is not part of the split: it ran with --timeout 2.5, the full run with --timeout none."
    assert told in html_report(content, {}) and told in markdown_report(content, {})


def test_a_part_out_of_turn_is_shown_with_what_it_earns_alone(items: Path, tmp_path: Path) -> None:
    """Without the parser's run boxes are no step; what they earn alone is told all the same."""
    content = report_data(
        [made(tmp_path / "full", items, 0), made(tmp_path / "boxes", items, 1, how={"oracle": ("boxes",)})]
    )
    assert "| boxes alone |  |  | 50.0 |  |" in markdown_report(content, {})
    page = html_report(content, {})
    assert "<td>boxes alone</td><td></td><td></td><td>50.0</td>" in page
    assert content["sections"][0]["unused"] == []
    both = made(tmp_path / "both", items, 2, how={"oracle": ("boxes", "parser")})
    parser = made(tmp_path / "parser", items, 0, how={"oracle": ("parser",)})
    whole = report_data([score_run(tmp_path / "full"), score_run(tmp_path / "boxes"), both, parser])
    assert "boxes alone" not in markdown_report(whole, {})  # boxes are a step, so it stands in the step's row


def test_two_parts_out_of_turn_are_named_as_not_used(tmp_path: Path) -> None:
    items = items_file(tmp_path, [make_item("i0", [A], task="CRES")])
    full, late, boxes = (
        score_run(run_folder(tmp_path / name, items, [painted("i0", A)], how={"oracle": parts}))
        for name, parts in (("full", ()), ("late", ("boxes", "masks")), ("boxes", ("boxes",)))
    )
    (told,) = unused_runs([full, late, boxes], ["full", "late", "boxes"])
    assert told["run"] == "late" and told["why"].startswith("the steps go parser, boxes, masks, and the average")


def test_the_split_of_the_documented_commands(items: Path, tmp_path: Path) -> None:
    """A full run with the built-in model written out, ablations without --models."""
    full = made(tmp_path / "full", items, 0, models="grounder=compact", versions={"grounder": "compact 1"})
    parser = made(tmp_path / "parser", items, 1, versions={"grounder": "compact 1"}, how={"oracle": ("parser",)})
    found = waterfalls([full, parser], ["full", "parser"])[0]
    assert found["runs"] == {"full": "full", "parser": "parser"}


def test_runs_of_other_programs_are_used_and_noted(items: Path, tmp_path: Path) -> None:
    full = made(tmp_path / "full", items, 0, program="a")
    boxes = made(tmp_path / "boxes", items, 1, program="b", how={"oracle": ("boxes",)})
    notes = waterfalls([full, boxes], ["full", "boxes"])[0]["notes"]
    assert notes == ["the runs were made by different states of the program"]


def test_without_a_full_run_there_is_no_waterfall(items: Path, tmp_path: Path) -> None:
    assert waterfalls([made(tmp_path / "boxes", items, 1, how={"oracle": ("boxes",)})], ["boxes"]) == []


def test_an_oracle_that_a_task_does_not_use_is_passed_over(items: Path, tmp_path: Path) -> None:
    full = made(tmp_path / "full", items, 0)
    masks = made(tmp_path / "masks", items, 0, how={"oracle": ("masks",)})  # CREC looks at no mask
    assert list(waterfalls([full, masks], ["full", "masks"])[0]["runs"]) == ["full"]


def test_the_order_of_parts(items: Path, tmp_path: Path) -> None:
    assert order_of("CRES", []) == PLAYERS["CRES"] == ("parser", "boxes", "masks")
    run = made(tmp_path / "run", items, 0, how={"oracle": ("boxes", "parser")})
    assert order_of("SOMETHING", [run]) == ("parser", "boxes") and order_of("VQA", []) == ()
