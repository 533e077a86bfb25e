"""Errors, split by who must act (docs/HOUSE.md, "Errors"). Anything else that escapes is a bug of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .questions import Question


class SurveyorError(Exception):
    """Base of every error this package raises on purpose."""


class UsageError(SurveyorError, ValueError):
    """The caller must change the input. The command line prints it on one line and exits with 2."""


class QueryError(UsageError):
    """A request that was not understood, with the place of the trouble.

    Args:
        message: one line: what is wrong and what to try.
        query: the text as given.
        spans: (start, stop) character offsets into `query` of the words that were not understood; may be empty.
    """

    def __init__(self, message: str, query: str, spans: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(message)
        self.query = query
        self.spans = tuple(spans)

    def pointer(self) -> str:
        """The query with a line of carets below the words in trouble; '' when no place is known."""
        if not self.spans:
            return ""
        line = [" "] * len(self.query)
        for start, stop in self.spans:
            line[start:stop] = "^" * (stop - start)
        return f"{self.query}\n{''.join(line).rstrip()}"


class UnknownPhrase(QueryError):
    """A phrase that the grounder in use doesn't know; `known` lists the class names that it does.

    `adjective` are the words in trouble where the rest of the phrase is known ("damaged" of "damaged building"),
    `trouble` the word that differs from a name that seems to be meant, or that follows one ("worth" of "river worth").
    """

    def __init__(
        self,
        phrase: str,
        known: Sequence[str],
        query: str = "",
        spans: Sequence[tuple[int, int]] = (),
        hint: str = "",
        adjective: str = "",
        trouble: str = "",
    ) -> None:
        self.phrase = phrase
        self.known = tuple(known)
        self.adjective, self.trouble = adjective, trouble
        message = f"the grounder does not know {phrase!r}; it knows: {', '.join(self.known)}."
        if adjective:
            rest = phrase[len(adjective) :].strip()
            message = (
                f"the grounder knows {rest!r}, but cannot tell which are {adjective!r}; ask for what shows: size, "
                f"place, colour, neighbours. It knows: {', '.join(self.known)}."
            )
        super().__init__(f"{message} {hint}".strip(), query, spans)

    def place_in(self, query: str) -> None:
        """Points at the words in trouble where the query has them."""
        trouble = self.adjective or self.trouble or self.phrase
        whole = re.search(rf"(?<!\w){re.escape(self.phrase)}", query, re.IGNORECASE)
        found = re.search(rf"(?<!\w){re.escape(trouble)}", whole[0] if whole else query, re.IGNORECASE)
        start = (whole.start() if whole else 0) + (found.start() if found else 0)
        self.query, self.spans = query, ((start, start + len(trouble)),) if found else ()


class MissingDependency(SurveyorError, ImportError):
    """An optional package is not installed; `command` is the pip command that brings it."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(f"{what} needs a package that is not installed; run: {command}")
        self.command = command


class ModelOutputError(SurveyorError):
    """A model's text that could not be read. Asked again within a bound, then recorded with its text."""

    def __init__(self, message: str, raw: str) -> None:
        super().__init__(message)
        self.raw = raw


class ToolFailed(SurveyorError):
    """A tool could not do its step. Becomes `Observation.failure`; the run goes on where it can."""


class BudgetExceeded(SurveyorError):
    """The run hit its bound (steps, time, money); the trace so far is kept."""


class Cancelled(SurveyorError):
    """The caller stopped the run; what was done until then is kept."""


class Ambiguous(SurveyorError):
    """The words mean one thing and several fit; the graph asks which one, the tool is called again with the answer."""

    def __init__(self, message: str, options: Sequence[str]) -> None:
        super().__init__(message)
        self.options = tuple(options)


class NeedsAnswer(SurveyorError):
    """The run waits for an answer; `surveyor.resume(run_id, answer=...)` takes it up again.

    Args:
        question: what is asked (`core.questions.Question`).
        run_id: the run that waits.
    """

    def __init__(self, question: Question, run_id: str) -> None:
        super().__init__(f"{question}; answer with: surveyor resume {run_id} --answer ANSWER")
        self.question = question
        self.run_id = run_id
