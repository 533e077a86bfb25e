"""A language model as condition parser (GeoRSMLLM III-B): asked for a tree, checked, asked again, at last refused.

A tree is taken only when it is valid, fits together, and accounts for every word of the query without adding to it
(`surveyor.agent.coverage`). What is wrong is named to the model, a bounded number of times.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..core.conditions import ClassIs, Node, Or, Request, Selection, children, conjuncts, walk
from ..core.errors import ModelOutputError, QueryError
from ..core.protocols import ChatModel
from ..core.tree_text import read_tree, tree_schema
from ..core.wording import words
from ..prompts import Prompt, load
from .coverage import Coverage, coverage, names_nothing
from .parsing.checks import exclude_each_other
from .parsing.tokens import tokenize

MAX_ATTEMPTS = 3
MAX_DEPTH = 8
"""Of conditions inside each other, as for the grammar."""
_SHOWN = 300


@dataclass(frozen=True)
class Attempt:
    """One reply of the model.

    Args:
        raw: the text as it came.
        fault: why the tree was not taken; None for the one that was.
    """

    raw: str
    fault: str | None
    seconds: float


class ParseRefused(QueryError):
    """No reply of the language model could be taken; `attempts` holds each with its text and its fault."""

    def __init__(
        self, message: str, query: str, spans: tuple[tuple[int, int], ...], attempts: tuple[Attempt, ...]
    ) -> None:
        super().__init__(message, query, spans)
        self.attempts = attempts

    @property
    def raw(self) -> str:
        """The last reply."""
        return self.attempts[-1].raw


@dataclass(frozen=True)
class LlmParse:
    """A tree that a model wrote and that was taken."""

    request: Request
    attempts: tuple[Attempt, ...]
    coverage: Coverage


def prompt_for(chat: ChatModel) -> Prompt:
    """The prompt that a model is asked with: its own (`chat.prompt`, for a tuned one), else "parse_request"."""
    return load(getattr(chat, "prompt", None) or "parse_request")


def parse_with_model(query: str, chat: ChatModel, *, max_attempts: int = MAX_ATTEMPTS) -> LlmParse:
    """The meaning of a request in the words of a language model's tree.

    Args:
        query: English, at most 1,000 characters; sent to the model as it is.
        chat: any chat model. Its errors (a server that cannot be reached) go through.
        max_attempts: how often it is asked in all.

    Raises:
        QueryError: the query is empty, too long or not in English; the model is not asked.
        ParseRefused: no reply could be taken within the bound.
    """
    tokenize(query)
    schema = tree_schema(every_field=bool(getattr(chat, "every_field", False)))
    messages = [
        {"role": "system", "content": prompt_for(chat).render()},
        {"role": "user", "content": f"Request: {query}\nTree:"},
    ]
    attempts: list[Attempt] = []
    spans: tuple[tuple[int, int], ...] = ()
    for _ in range(max_attempts):
        started = time.perf_counter()
        try:
            raw = chat.complete(messages, schema)
        except ModelOutputError as error:  # cut off, or no text: what came is kept
            attempts.append(Attempt(error.raw, str(error), time.perf_counter() - started))
            spans, messages = (), _asked_again(messages, error.raw, str(error))
            continue
        seconds = time.perf_counter() - started
        request, found, fault = _checked(raw, query)
        attempts.append(Attempt(raw, fault, seconds))
        if request is not None and found is not None and fault is None:
            return LlmParse(request, tuple(attempts), found)
        spans = found.uncovered if found is not None else ()
        messages = _asked_again(messages, raw, fault or "")
    raise _refusal(query, chat.name, attempts, spans)


def _asked_again(messages: list[dict[str, str]], raw: str, fault: str) -> list[dict[str, str]]:
    """The question, the last reply alone, and what is wrong with it: earlier replies would only be repeated."""
    said = {"role": "assistant", "content": raw}
    return [*messages[:2], said, {"role": "user", "content": load("parse_again").render(fault=fault)}]


def _checked(raw: str, query: str) -> tuple[Request | None, Coverage | None, str | None]:
    """The tree, its coverage and what is wrong with it, each as far as it could be told."""
    try:
        request = read_tree(raw)
    except ModelOutputError as error:
        return None, None, str(error)
    faults = tree_faults(request)
    if faults:
        return request, None, "; ".join(faults)
    found = coverage(query, request)
    return request, found, None if found.complete else _left_out(found, request)


def _left_out(found: Coverage, request: Request) -> str:
    parts = []
    if found.uncovered:
        parts.append(f"nothing in it says {' or '.join(map(repr, found.missing()))} of the request")
    if found.unsaid:
        parts.append(f"the request does not say {' or '.join(map(repr, found.unsaid))}")
    return f"{'; '.join(parts)} (it means: {words(request)})"


def tree_faults(request: Request) -> list[str]:
    """What is wrong with a valid tree: conditions that exclude each other, a union with a branch open, too deep."""
    faults = []
    if _depth(request) > MAX_DEPTH:
        faults.append(f"the conditions are nested more than {MAX_DEPTH} deep")
    if len(set(request.outputs)) < len(request.outputs):
        faults.append("the same output stands in it twice")
    for node in walk(request):
        phrases = node.phrases if isinstance(node, Selection) else (node.phrase,) if isinstance(node, ClassIs) else ()
        faults += [f"{phrase!r} names no kind of thing" for phrase in phrases if names_nothing(phrase)]
        if isinstance(node, Selection):
            parts = conjuncts(node.where)
            faults += [
                f"nothing can be both {words(first)!r} and {words(second)!r}"
                for index, first in enumerate(parts)
                for second in parts[index + 1 :]
                if exclude_each_other(first, second)
            ]
            faults += _union_faults(node)
    return faults


def _union_faults(selection: Selection) -> list[str]:
    """In "long planes, and ships" every branch of the "or" names a class, and the phrases are those classes."""
    faults = []
    for part in conjuncts(selection.where):
        if isinstance(part, ClassIs) and len(selection.phrases) > 1:
            faults.append(f"of {', '.join(selection.phrases)} only {part.phrase!r} can fit; name only that phrase")
        if not isinstance(part, Or):
            continue
        named = [{one.phrase for one in conjuncts(branch) if isinstance(one, ClassIs)} for branch in part.conditions]
        if not any(named):
            continue
        if not all(named):
            faults.append("one branch of the 'or' names a class and another does not; name a class in each")
        elif set().union(*named) != set(selection.phrases):
            faults.append(
                f"the phrases are {', '.join(selection.phrases)}, but the branches of the 'or' name "
                f"{', '.join(sorted(set().union(*named)))}; they must be the same"
            )
    return faults


def _depth(node: Node) -> int:
    """How many selections stand inside each other."""
    below = max((_depth(child) for child in children(node)), default=0)
    return below + isinstance(node, Selection)


def _refusal(query: str, model: str, attempts: list[Attempt], spans: tuple[tuple[int, int], ...]) -> ParseRefused:
    times = "once" if len(attempts) == 1 else f"{len(attempts)} times"
    raw = " ".join(attempts[-1].raw.split())
    shown = raw if len(raw) <= _SHOWN else raw[: _SHOWN - 1] + "…"
    return ParseRefused(
        f"the language model {model!r} was asked {times} and gave no tree that can be used: {attempts[-1].fault}. "
        f"Its last reply: {shown!r}. Say it in other words, or use a larger model (--models chat=...)",
        query,
        spans,
        tuple(attempts),
    )
