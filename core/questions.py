"""What a run may ask a person before it goes on, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import UsageError

YES, NO = "yes", "no"


@dataclass(frozen=True)
class Question:
    """A question with its possible answers.

    Args:
        step: the step that waits.
        kind: `which` of several things is meant, or `confirm` that something expensive shall be done.
        text: the question, e.g. "which one is 'the river'?".
        options: the answers, e.g. region ids or "yes" and "no".
    """

    step: str
    kind: Literal["which", "confirm"]
    text: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.text} ({', '.join(self.options)})"

    def checked(self, answer: object) -> str:
        """The answer, when it is one of the options. Raises UsageError otherwise."""
        if isinstance(answer, str) and answer.strip() in self.options:
            return answer.strip()
        raise UsageError(f"the answer {answer!r} is none of the options of {self.text!r}: {', '.join(self.options)}")

    def to_dict(self) -> dict[str, Any]:
        """The question as JSON types."""
        return {**asdict(self), "options": list(self.options)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Question:
        """What `to_dict` gave."""
        return cls(**{**data, "options": tuple(data["options"])})


Answerer = Callable[[Question], str]
"""Answers a question with one of its options; what answers it is a person, a policy or a test."""
