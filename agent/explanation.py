"""Why an answer came out as it did: every candidate against every condition, with values; as text, data and picture.

`Answer.explain` and `agent.saved.explain_saved` make it; both read the same record, so they say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import UsageError
from ..core.regions import Region
from .readings import Reading

if TYPE_CHECKING:
    from ..core.scene import Scene

Word = Literal["yes", "no", "unknown", "not asked"]
Status = Literal["kept", "undecided", "rejected"]
FATES = {"kept": "in the answer", "undecided": "undecided", "rejected": "not in the answer"}


@dataclass(frozen=True)
class Cell:
    """One condition on one candidate.

    Args:
        letter: of the condition, as in the table.
        condition: its words; also the key of the candidate's verdict.
        verdict: "not asked" where no candidate was left to ask.
        reading: the number it hangs on, where there is a single one.
        reason: what the verdict rests on.
        close: a close call: unknown under the strict bands.
        would_hold: for an unknown verdict, what would make it true ("from --gsd 0.5 on"); "" where it cannot be told.
        value: what was measured, in short: "38.2 m"; "" where nothing is.
    """

    letter: str
    condition: str
    verdict: Word
    reading: Reading | None = None
    reason: str = ""
    close: bool = False
    would_hold: str = ""
    value: str = ""

    @property
    def text(self) -> str:
        """Condition, value and verdict: "length 38.2 m > 40 m: no"."""
        if self.reading is not None:
            return f"{self.reading.text}: {self.verdict}"
        return f"{self.condition}: {self.verdict}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class SecondLook:
    """What `--verify` found: whether the region is what was asked for, and what it was described as."""

    verdict: Word
    reason: str
    confidence: float | None


@dataclass(frozen=True)
class Row:
    """One candidate."""

    region: Region
    status: Status
    size: str
    cells: tuple[Cell, ...]
    second_look: SecondLook | None = None

    @property
    def near_miss(self) -> Cell | None:
        """The one condition that rejects it, where it misses that by little or is a close call; else None."""
        failed = [cell for cell in self.cells if cell.verdict == "no"]
        if self.status != "rejected" or len(failed) != 1:
            return None
        cell = failed[0]
        return cell if cell.close or (cell.reading is not None and cell.reading.is_near) else None

    @property
    def deciding(self) -> Cell | None:
        """The first condition that rejects it or, for an undecided one, that is unknown; None for one in the answer."""
        wanted = {"rejected": "no", "undecided": "unknown"}.get(self.status)
        return next((cell for cell in self.cells if cell.verdict == wanted), None)


@dataclass(frozen=True)
class Column:
    """One condition over all candidates.

    Args:
        emptied: no candidate was left after it.
        remedy: what would make its unknown verdicts known; "" where none is unknown.
    """

    letter: str
    condition: str
    yes: int
    no: int
    unknown: int
    emptied: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class StepLine:
    """One step of the plan and what it left."""

    step: str
    instruction: str
    outcome: str
    emptied: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why the answer is what it is.

    `str()` of it, or `text`, is for reading; `to_dict` for programs; `draw` writes a picture.

    Args:
        query: the request; None for a plan without one.
        answer: what was answered.
        steps: the steps in the plan's order.
        columns: the conditions, in order of asking.
        rows: the candidates: those in the answer, then undecided ones, then rejected ones, near misses by how little
            they miss first.
        references: regions that conditions refer to.
        notes: what a careful reader should know.
        focus: id of the one region that is explained; None for all.
        scene: opens the scene for `draw`.
    """

    query: str | None
    answer: str
    steps: tuple[StepLine, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    references: tuple[Region, ...] = ()
    notes: tuple[str, ...] = ()
    focus: str | None = None
    scene: Callable[[], Scene] | None = field(default=None, repr=False, compare=False)

    @property
    def emptied_by(self) -> tuple[str, ...]:
        """The conditions or steps after which no candidate was left."""
        words = [column.condition for column in self.columns if column.emptied]
        return tuple(words or [step.instruction for step in self.steps if step.emptied])

    @property
    def near_misses(self) -> tuple[Row, ...]:
        """Candidates that one condition rejects, those that miss by least first, then those without a number."""
        return tuple(row for row in self.rows if row.near_miss is not None)

    def row(self, region_id: str) -> Row:
        """The candidate of that id.

        Raises:
            UsageError: it is none of the candidates.
        """
        for row in self.rows:
            if row.region.id == region_id:
                return row
        if any(region.id == region_id for region in self.references):
            raise UsageError(f"{region_id!r} is no candidate: conditions refer to it; explain one of the candidates")
        ids = ", ".join(row.region.id for row in self.rows[:6])
        more = f"; the regions are {ids}{', …' if len(self.rows) > 6 else ''}" if ids else "; no region was found"
        raise UsageError(f"no region {region_id!r} was looked at{more}")

    def of(self, region_id: str) -> Explanation:
        """The same about one region. Raises UsageError when it is none of the candidates."""
        return replace(self, focus=self.row(region_id).region.id)

    @property
    def text(self) -> str:
        """For reading: steps, conditions, candidates, near misses, unknowns; or all about the one region."""
        from .explanation_text import all_text, region_text

        return all_text(self) if self.focus is None else region_text(self, self.row(self.focus))

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; of one region when there is a focus."""
        rows = self.rows if self.focus is None else (self.row(self.focus),)
        return {
            "query": self.query,
            "answer": self.answer,
            "region": self.focus,
            "emptied_by": list(self.emptied_by),
            "steps": [vars(step) for step in self.steps],
            "conditions": [vars(column) for column in self.columns],
            "candidates": [_row_json(row) for row in rows],
            "near_misses": [row.region.id for row in self.near_misses],
            "references": [region.id for region in self.references],
            "notes": list(self.notes),
        }

    def draw(self, path: str | Path) -> Path:
        """Writes the picture: what is in the answer, undecided, nearly in it and out of it, with the reasons.

        Args:
            path: a file; its ending (.png, .jpg) tells the format.

        Returns:
            The path.

        Raises:
            UsageError: the image is gone or has changed since, or the path cannot be written.
        """
        from .why_picture import write_why_picture

        return write_why_picture(self, Path(path))


def _row_json(row: Row) -> dict[str, Any]:
    near, deciding, second = row.near_miss, row.deciding, row.second_look
    return {
        "id": row.region.id,
        "label": row.region.label,
        "score": None if row.region.score is None else round(float(row.region.score), 4),
        "status": row.status,
        "size": row.size,
        "near_miss": None if near is None else near.letter,
        "decided_by": None if deciding is None else deciding.letter,
        "verified": None if second is None else vars(second),
        "conditions": [
            {
                "letter": cell.letter,
                "condition": cell.condition,
                "verdict": cell.verdict,
                "value": cell.value,
                "reading": None if cell.reading is None else cell.reading.to_dict(),
                "text": cell.text,
                "reason": cell.reason,
                "close": cell.close,
                "would_hold": cell.would_hold,
            }
            for cell in row.cells
        ],
    }


def letter(index: int) -> str:
    """Name of the condition of that index from 0: A to Z, then AA, AB, …

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    head, tail = divmod(index, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + tail)
