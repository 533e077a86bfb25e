"""The reasoning, apart from perception: hand-written questions over annotated images must be answered exactly."""

from __future__ import annotations

import pytest
from surveyor.core.errors import UsageError
from surveyor.evals.oracle_cases import SHARED, Case, faults_of, numbers, read_cases, table

CASES = read_cases()
FORMS = [
    "class",
    "segment",
    "union",
    "and",
    "or",
    "not",
    "except",
    "size",
    "no-gsd",
    "cell",
    "half",
    "quadrant",
    "edge",
    "direction",
    "further",
    "nearest",
    "farthest",
    "within",
    "beyond",
    "near",
    "inside",
    "adjacent",
    "between",
    "aligned",
    "side",
    "superlative",
    "ordinal",
    "orientation",
    "count",
    "count-test",
    "compare",
    "measure",
    "describe",
    "yes-no",
    "two-hop",
    "zero-match",
    "unknown-class",
    "unreadable",
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_answer_is_exact(case: Case) -> None:
    if not all(file.exists() for file in case.files()):
        pytest.skip(f"the photographs are not there: {SHARED}")
    assert faults_of(case) == ()


def test_every_query_form_is_covered() -> None:
    counts = {form: sum(case.form == form for case in CASES) for form in FORMS}
    assert {case.form for case in CASES} == set(FORMS)
    assert len(CASES) >= 150
    assert min(counts.values()) >= 2, counts


def test_every_case_expects_something() -> None:
    empty = [
        case.id
        for case in CASES
        if case.ids is case.undecided is case.count is case.truth is case.values is case.error is None
    ]
    assert empty == []


def test_numbers() -> None:
    assert numbers("3-5, 9") == {3, 4, 5, 9}
    assert numbers("none") == frozenset()
    assert numbers(7) == {7}


def test_faults_of_a_case_file_are_all_told(tmp_path) -> None:
    path = tmp_path / "cases.yaml"
    good = "{id: a, form: class, scene: drawn/river, query: ships, ids: 68}"
    path.write_text(f"- {good}\n- {good}\n- {{id: b, form: class, scene: drawn/river, query: ships, idz: 68}}\n")
    with pytest.raises(UsageError, match=r"case 3: idz.*'a' is used twice"):
        read_cases(path)


def test_table_counts_by_form() -> None:
    first, second, *_ = (case for case in CASES if case.form == "class")
    shown = table([(first, ()), (second, ("answer lacks [1]",))])
    assert "| class | 2 | 1 |" in shown
    assert shown.endswith("| **all** | **2** | **1** |")
