"""Yes/no questions in a conversation: the set one is asked of stays what is talked about, whatever the answer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..core.conditions import Condition, CountTest, Not, Output, Request, Selection, conjuncts
from ..core.errors import QueryError
from .parsing.noun import conjunction

_NONE = CountTest(op="==", n=0)


@dataclass(frozen=True)
class Check:
    """ "Are the planes red?" as its two halves.

    Args:
        subject: the set it is asked of.
        asked: what is asked of each.
        every: whether all must satisfy it, else one is enough.
    """

    subject: Selection
    asked: Condition
    every: bool

    def request(self) -> Request:
        """The question in the form that the grammar gives it."""
        condition = Not(condition=self.asked) if self.every else self.asked
        where = conjunction([*conjuncts(self.subject.where), *self.subject.picks, condition])
        target = Selection(phrases=self.subject.phrases, where=where)
        return Request(outputs=(Output(verb="exists", target=target, test=_NONE if self.every else None),))

    def those(self, *, holds: bool) -> Selection:
        """Those of the subject that satisfy what was asked, or those that do not."""
        condition = self.asked if holds else Not(condition=self.asked)
        parts = [*conjuncts(self.subject.where), *self.subject.picks, condition]
        return Selection(phrases=self.subject.phrases, where=conjunction(parts))


def check_of(request: Request, subject: Selection | None) -> Check | None:
    """A request as a question asked of a subject; None for anything else."""
    if subject is None or len(request.outputs) != 1 or request.outputs[0].verb != "exists":
        return None
    output = request.outputs[0]
    parts = list(conjuncts(output.target.where))
    asked = conjunction(parts[len(conjuncts(subject.where)) + len(subject.picks) :])
    if output.target.picks or asked is None or output.test not in (None, _NONE):
        return None
    if output.test is None:
        check = Check(subject, asked, every=False)
    elif isinstance(asked, Not):
        check = Check(subject, asked.condition, every=True)
    else:
        return None
    return check if check.request() == request else None


def subject_of(text: str, request: Request, parse: Callable[[str], Request]) -> Selection | None:
    """The set that a yes/no question is asked of, where it is not what the question looks for.

    "Are the planes red?" looks for planes that are not red, and is asked of the planes. The grammar tells: it is what
    "them" stands for behind the question.
    """
    if not any(output.verb == "exists" for output in request.outputs):
        return None
    try:
        counted = parse(f"{text.rstrip(' ?!.')}; count them")
    except QueryError:
        return None
    if counted.outputs[:-1] != request.outputs:
        return None
    subject = counted.outputs[-1].target
    return None if len(request.outputs) == 1 and subject == request.outputs[0].target else subject
