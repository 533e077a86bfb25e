"""What people see: the verdict table, carets under words in trouble, errors on one line, progress."""

from __future__ import annotations

import io
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from surveyor.app import answer_table, exits, progress_bar, screen
from surveyor.core.errors import MissingDependency, ModelOutputError, QueryError, ToolFailed, UsageError


def console(width: int = 80, encoding: str = "utf-8", **kwargs: Any) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, width=width, highlight=False, **kwargs)


def text_of(of: Console) -> str:
    of.file.flush()
    return of.file.buffer.getvalue().decode(of.file.encoding)  # type: ignore[attr-defined]


def region(id_: str, verdicts: dict[str, bool | None], status: str, **more: Any) -> dict[str, Any]:
    sizes = {"length_px": 60.0, "width_px": 20.0, "length_m": None, "width_m": None}
    return {
        "id": id_, "label": id_.split("-")[0], "score": 0.9, "verdicts": verdicts, "status": status, **sizes, **more
    }  # fmt: skip


ANSWER = {
    "answer": "Found 1 plane north of the river and longer than 40 m: airplane-1.",
    "notes": ["the river has two branches"],
    "regions": [region("airplane-1", {"north of the river": True, "longer than 40 m": True}, "kept", length_m=45.12,
                       width_m=40.0)],
    "rejected": [
        region("airplane-2", {"north of the river": True, "longer than 40 m": None}, "undecided", score=None),
        region("airplane-3", {"north of the river": False}, "rejected", borderline=["north of the river"]),
    ],
}  # fmt: skip


def shown(answer: dict[str, Any], at: Console | None = None, **kwargs: Any) -> str:
    at = at or console()
    answer_table.print_answer(answer, at, **kwargs)
    return text_of(at)


def test_answer_comes_first_then_conditions_then_candidates() -> None:
    lines = shown(ANSWER).splitlines()
    assert lines[0] == ANSWER["answer"]
    assert lines[1] == "note: the river has two branches"
    condition = next(line for line in lines if line.startswith("A"))
    assert condition.split() == ["A", "north", "of", "the", "river", "2", "✓", "1", "✗"]
    rows = {line.split()[0]: line.split() for line in lines if line.startswith("airplane-")}
    assert rows["airplane-1"] == ["airplane-1", "airplane", "0.90", "45.1", "×", "40.0", "m", "✓", "✓"]
    assert rows["airplane-2"] == ["airplane-2", "airplane", "60", "×", "20", "px", "✓", "?"], "no score shows as none"
    assert rows["airplane-3"][-1] == "✗~·", "never asked differs from unknown; ~ is a close call"


def test_plain_signs_where_the_terminal_has_no_others() -> None:
    text = shown(ANSWER, console(encoding="ascii"))
    assert text.isascii()
    row = next(line for line in text.splitlines() if line.startswith("airplane-3"))
    assert row.split()[-2:][-1] == "n~."


def test_no_line_is_wider_than_the_terminal() -> None:
    words = "on the far side of a river that has quite a long name and also quite a number of bends in it"
    verdicts = {f"{words} {n}": True for n in range(9)}
    many = {**ANSWER, "regions": [region("ground_track_field-1234", verdicts, "kept")], "rejected": []}
    lines = shown(many).splitlines()
    assert max(len(line) for line in lines[1:]) <= 80
    assert next(line for line in lines if line.startswith("ground_track_field-1234")).split()[-9:] == ["✓"] * 9


def test_many_candidates_are_counted_not_listed() -> None:
    rejected = [region(f"ship-{n}", {"large": False}, "rejected") for n in range(100)]
    text = shown({**ANSWER, "rejected": rejected}, most_rows=5)
    assert sum(line.startswith(("ship-", "airplane-")) for line in text.splitlines()) == 5
    assert "and 96 rejected not shown" in text


def test_the_condition_that_left_none_is_marked() -> None:
    text = shown({**ANSWER, "regions": []}, emptied_by=["select those longer than 40 m"])
    marked = [line for line in text.splitlines() if "none left" in line]
    assert len(marked) == 1 and "longer than 40 m" in marked[0]


def test_nothing_found_prints_the_sentence_only() -> None:
    assert shown({"answer": "Found no ships.", "regions": [], "rejected": []}) == "Found no ships.\n"


@pytest.mark.parametrize(("index", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ")])
def test_condition_letters(index: int, name: str) -> None:
    assert answer_table.letter(index) == name


# ---- carets ------------------------------------------------------------------------------------------------------


def test_carets_stand_below_the_words() -> None:
    text = screen.query_with_carets("planes near the frobnicator", [(16, 27)], 80).plain
    assert text.split("\n") == ["  planes near the frobnicator", " " * 18 + "^" * 11]


def test_wide_characters_take_two_columns() -> None:
    assert screen.query_with_carets("飛行機 planes", [(0, 3)], 80).plain.split("\n")[1] == "  ^^^^^^"


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=300), st.data())
def test_carets_fit_any_query(query: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(query) - 1))
    stop = data.draw(st.integers(start, len(query)))
    lines = screen.query_with_carets(query, [(start, stop)], 60).plain.split("\n")
    assert len(lines) == 2 and len(lines[0]) <= 62 and "\t" not in lines[0]


# ---- errors ------------------------------------------------------------------------------------------------------

CASES = [
    pytest.param(UsageError("bad\ninput"), 2, "error: bad input", id="usage, on one line"),
    pytest.param(QueryError("not understood", "two frobs", [(4, 9)]), 2, "error: not understood", id="query"),
    pytest.param(MissingDependency("qwen", "pip install '.[qwen]'"), 2, "pip install '.[qwen]'", id="extra missing"),
    pytest.param(ModelOutputError("unreadable", raw="{"), 1, "failed: unreadable", id="model text"),
    pytest.param(ToolFailed("no luck"), 1, "failed: no luck", id="tool"),
    pytest.param(
        OSError(28, "No space left on device", "out/overlay.png"), 1, "No space left on device", id="disk full"
    ),
    pytest.param(MemoryError(), 1, "out of memory", id="memory"),
    pytest.param(KeyboardInterrupt(), 130, "interrupted", id="Ctrl-C"),
    pytest.param(typer.BadParameter("no number"), 2, "error: Invalid value: no number", id="option parser"),
    pytest.param(ZeroDivisionError("division by zero"), 1, "a bug in surveyor: ZeroDivisionError", id="bug"),
]


@pytest.mark.parametrize(("error", "code", "says"), CASES)
def test_each_error_is_one_line_and_a_code(
    error: BaseException, code: int, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    screen.talk.cache_clear()
    assert exits.exit_code_for(error) == code
    out, err = capfd.readouterr()
    assert out == "" and says in err and "Traceback" not in err
    assert len(err.splitlines()) == (3 if isinstance(error, QueryError) else 1)


def test_debug_shows_the_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    screen.talk.cache_clear()
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        assert exits.exit_code_for(error, debug=True) == 1
    assert "Traceback" in capfd.readouterr().err


# ---- progress ----------------------------------------------------------------------------------------------------


def test_quick_work_shows_nothing() -> None:
    at = console()
    with progress_bar.shown_progress(at) as listener:
        listener("tiles", 1, 2)
    assert text_of(at) == ""


def test_long_work_shows_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bar, "QUIET_S", 0.0)
    at = console()
    with progress_bar.shown_progress(at) as listener:
        for done in range(100):
            listener("looking for planes", done, 100)
    assert text_of(at) == "looking for planes: 0 of 100\n"


def test_bars_on_a_terminal_are_cleaned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bar, "QUIET_S", 0.0)
    at = console(force_terminal=True)
    with progress_bar.shown_progress(at) as listener:
        listener("looking for planes", 3, 100)
    assert "looking for planes" in text_of(at) and "3/100" in text_of(at)


def test_after_an_interrupt_whoever_reports_next_stops() -> None:
    with pytest.raises(KeyboardInterrupt), progress_bar.shown_progress(console()) as listener:
        kept = listener
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        kept("tiles", 1, 2)


def test_a_rate_is_told_only_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    asked: list[float] = []

    def told(seconds: float) -> str:
        asked.append(seconds)
        return f"7 images [{7 / seconds:.1f}/s]"

    at = console()
    with progress_bar.shown_rate("converting", at) as tell:
        tell(told)  # at once: no second has passed, so no rate is asked for
        now[0] += progress_bar.LINE_EVERY_S / 2
        tell(told)
        now[0] += progress_bar.LINE_EVERY_S / 2
        tell(told)
        tell(told)
    assert asked == [10.0]
    assert text_of(at) == "converting: 7 images [0.7/s]\n", "brackets are no markup"


def test_a_rate_on_a_terminal_goes_when_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    at = console(force_terminal=True)
    with pytest.raises(RuntimeError), progress_bar.shown_rate("annotating", at) as tell:
        now[0] += 1
        tell(lambda seconds: f"{seconds:.0f} s")
        raise RuntimeError
    assert "\x1b[?25h" in text_of(at), "the cursor is back after a failure"
