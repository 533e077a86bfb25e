"""From words to a request, by the grammar or by a language model: `--parser auto|grammar|llm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..core.conditions import Request
from ..core.errors import QueryError, UsageError
from ..core.protocols import ChatModel
from ..core.trace import ParseRecord, ParseTry
from .coverage import Coverage
from .llm_parser import Attempt, ParseRefused, parse_with_model, prompt_for
from .parser import noted, read

ParserName = Literal["auto", "grammar", "llm"]
PARSERS: tuple[str, ...] = get_args(ParserName)


@dataclass(frozen=True)
class Parsed:
    """What a query means, and how that was found out.

    Args:
        parser: which one made the tree.
        attempts: replies of the language model, the last of them taken; empty for the grammar.
        coverage: for a language model's tree; None for the grammar's, which reads every word or refuses.
        refused: why the grammar did not take the query, when the language model was asked because of it.
        chat: the language model that was asked, None for the grammar.
        asides: what stood before the request and asks for nothing.
    """

    request: Request
    parser: Literal["grammar", "llm"]
    attempts: tuple[Attempt, ...] = ()
    coverage: Coverage | None = None
    refused: str | None = None
    chat: ChatModel | None = None
    asides: tuple[str, ...] = ()

    def record(self) -> ParseRecord:
        """What the trace keeps of it."""
        if self.chat is None:
            return ParseRecord(parser=self.parser, notes=noted(self.asides))
        prompt = prompt_for(self.chat)
        return ParseRecord(
            parser=self.parser,
            model=self.chat.name,
            prompt=prompt.name,
            prompt_digest=prompt.digest(),
            attempts=tuple(ParseTry(raw=one.raw, fault=one.fault, seconds=one.seconds) for one in self.attempts),
            respelt=() if self.coverage is None else self.coverage.respelt,
            grammar_refused=self.refused,
            notes=tuple(getattr(self.chat, "notes", ())),
        )


def parse_request(query: str, parser: str = "auto", chat: ChatModel | None = None) -> Parsed:
    """The meaning of a query.

    Args:
        query: English, at most 1,000 characters.
        parser: `grammar`; `llm`; or `auto`: the grammar when it understands every word, else the language model when
            there is one, else the grammar's error.
        chat: the language model; without one only the grammar can be used.

    Raises:
        QueryError: not understood; points at the words. `ParseRefused` when a language model was asked.
        UsageError: there is no such parser, or `llm` without a chat model.

    Example:
        >>> parse_request("planes longer than 40 m").parser
        'grammar'
    """
    if parser not in PARSERS:
        raise UsageError(f"there is no parser {parser!r}; expected one of: {', '.join(PARSERS)}")
    if parser == "llm":
        if chat is None:
            raise UsageError(
                "the parser 'llm' needs a language model; name one, e.g. --models chat=hf:FOLDER_OR_NAME or "
                "--models chat=openai:MODEL@http://localhost:8000/v1 (docs/parsers.md)"
            )
        return _by_model(query, chat, None)
    try:
        request, asides = read(query)
        return Parsed(request, "grammar", asides=asides)
    except QueryError as error:
        if parser == "grammar" or chat is None:
            raise
        return _after_grammar(query, chat, error)


def _by_model(query: str, chat: ChatModel, refused: str | None) -> Parsed:
    found = parse_with_model(query, chat)
    return Parsed(found.request, "llm", found.attempts, found.coverage, refused, chat)


def _after_grammar(query: str, chat: ChatModel, error: QueryError) -> Parsed:
    """The model's tree; when it has none either, both reasons, with the grammar's places if the model's has none."""
    try:
        return _by_model(query, chat, str(error))
    except ParseRefused as refusal:
        message = f"{error}. Then {refusal}"
        raise ParseRefused(message, query, refusal.spans or error.spans, refusal.attempts) from None
