"""Questions that hang on a number: "if there are more than five planes, segment all of them" (FORMATS.md 7.3 N and 8).

Where the test holds it takes nothing away, so they come in pairs that differ in the number alone: the test holds in
one, and in the other it fails and nothing is right. Who ignores the test is wrong in half of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ...core.conditions import Comparison, Condition, CountTest, Provided, Request, Selection, all_of, conjuncts
from ...core.wording import words
from .admit import Rejected, Verdicts, admitted_empty, judged
from .phrasing import Wordings, means, spoken, wordings
from .views import View

KIND = "N:if"
SHARE = 0.08
"""Of all items: a question and its twin each count."""
_LEAST, _MOST = 2, 12  # things that a person counts at a glance
_OPS: tuple[Comparison, ...] = (">=", ">")


def with_test(
    view: View, selection: Selection, answers: Sequence[str], rng: random.Random
) -> tuple[Selection, Selection, Verdicts]:
    """A question of which something is right, with a test that holds and with one that fails; the latter's verdicts.

    The test is of how many there are of the class asked for.

    Args:
        view: what is seen.
        selection: an admitted question. answers: ids that are right.

    Raises:
        Rejected: too few or too many to be counted, or the number is in doubt.
    """
    counted = Selection(phrases=selection.phrases)
    number = len(view.certain.selection(counted, is_head=False).kept)
    if not _LEAST <= number <= _MOST:
        raise Rejected("a number that nobody counts")
    op = rng.choice(_OPS)
    least = 2 if op == ">=" else 1
    holds = CountTest(op=op, n=rng.randint(least, number - (op == ">")))
    fails = CountTest(op=op, n=number + rng.randint(1, 3) + (op == ">="))
    asked = [_joined(selection, Provided(reference=counted, test=test)) for test in (holds, fails)]
    if set(judged(view, asked[0]).kept) != set(answers):
        raise Rejected("a number in doubt")
    return asked[0], asked[1], admitted_empty(view, asked[1])


def _joined(selection: Selection, test: Condition) -> Selection:
    return selection.model_copy(update={"where": all_of((*conjuncts(selection.where), test))})


def provision_of(selection: Selection) -> Provided | None:
    """The test of a question that hangs on a number; None of others."""
    return next((part for part in conjuncts(selection.where) if isinstance(part, Provided)), None)


def conditional_wordings(request: Request, rng: random.Random) -> Wordings | None:
    """As `wordings`, of a request with a test: before or behind what is asked. None where there are fewer than two."""
    output = request.outputs[0]
    test = provision_of(output.target)
    assert test is not None
    where = all_of(part for part in conjuncts(output.target.where) if part != test)
    bare = output.target.model_copy(update={"where": where})
    said = wordings(Request(outputs=(output.model_copy(update={"target": bare}),)), rng)
    if said is None:
        return None
    there_are = spoken(words(test)).removeprefix("provided ")
    verb = "segment" if output.verb == "segment" else "detect"
    texts = [text for text in (said.expression, *said.paraphrases) if not text.endswith("?")]
    found = [f"if {there_are}, {verb} all of them"] if bare == test.reference else []
    found += [text for each in texts for text in (f"if {there_are}, {each}", f"{each} if {there_are}")]
    kept = [text for text in found if means(text, request)]
    if len(kept) < 2:
        return None
    first, *others = rng.sample(kept, len(kept))
    return replace(said, expression=first, paraphrases=tuple(others[:2]), template=f"if ...: {said.template}")
