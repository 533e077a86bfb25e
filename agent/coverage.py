"""Whether a tree accounts for every word of its query, and says nothing that the query does not.

The tree is put into its canonical words (`surveyor.core.wording.words`); query and words are both read for what they
mention (colours, numbers, names, places, relations ...) with the same table. A mention in the query that has no like
in the tree is uncovered: a condition was ignored. A mention in the tree that the query does not have was made up.

What this cannot see: to which noun a condition was attached, and which of two conditions a "not" is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.conditions import (
    And,
    Compare,
    Condition,
    CountTest,
    Not,
    Or,
    Output,
    Provided,
    Relation,
    Request,
    Selection,
    conjuncts,
    walk,
)
from ..core.wording import words
from .coverage_asking import asked, asking_tokens
from .coverage_reading import Mention, mentions, respelt, tokens_of
from .coverage_reference import lost_references
from .coverage_words import ANY_VERB, EVERY, Meanings, is_strict

# Loose meanings that a query must speak of, but for those that it may leave to be understood.
_MUST_BE_SAID = (
    ("op:", {"op:=="}),
    ("unit:", set[str]()),
    ("attr:", {"attr:length", "attr:area"}),
    ("sum:", set[str]()),
)
_SAID = frozenset("near adjacent inside overlaps contains between surrounded edge centre any_of".split())
_EVERYTHING = {"class:object"}  # what "what is in the top half?" asks of, without a word for it


@dataclass(frozen=True)
class Coverage:
    """What a tree leaves out of its query, and adds to it.

    Args:
        uncovered: (start, stop) offsets into the query of words that nothing in the tree accounts for.
        unsaid: words of the tree that nothing in the query speaks of.
        respelt: misspelt words of the query and what they were taken for.
    """

    query: str
    uncovered: tuple[tuple[int, int], ...] = ()
    unsaid: tuple[str, ...] = ()
    respelt: tuple[tuple[str, str], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is left out and nothing added."""
        return not self.uncovered and not self.unsaid

    def missing(self) -> tuple[str, ...]:
        """The uncovered words, in order."""
        return tuple(self.query[start:stop] for start, stop in self.uncovered)


def coverage(query: str, request: Request) -> Coverage:
    """What the tree leaves out of the query, and adds to it.

    Args:
        query: as the person wrote it.
        request: the tree that was made of it, by whatever parser.

    Raises:
        QueryError: the query is empty, too long or not in English.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> coverage("red planes longer than 40 m", parse("planes longer than 40 m")).missing()
        ('red',)
    """
    canonical = words(request)
    told = [mention for mention in mentions(tokens_of(canonical)) if not mention.is_verb]
    tokens, changed = respelt(asking_tokens(query), canonical)
    wanted = asked(tokens)
    supply = Counter(_supplied(request, told))
    uncovered = {(mention.start, mention.stop) for mention in _unmatched(wanted, supply)}
    uncovered |= set(lost_references(request, tokens, wanted))
    heard = {meaning for mention in wanted for meaning in _heard(mention)}
    heard |= {"every"} if any(token.text in EVERY for token in tokens) else set()
    if {"word:new", "word:gone", "word:altered"} & heard:
        heard.add("word:changed")  # "new or gone buildings" are said as changed buildings that are new or gone
    unsaid: list[str] = [output.verb for output in request.outputs if not _is_asked(output, heard)]
    unsaid += [mention.text for mention in told if _is_made_up(mention, heard)]
    return Coverage(query, tuple(sorted(uncovered)), tuple(dict.fromkeys(unsaid)), tuple(changed))


def _supplied(request: Request, told: list[Mention]) -> list[str]:
    """Every meaning of the tree, as often as it has it."""
    found: list[str] = []
    for before, mention in zip([None, *told], told, strict=False):
        denied = before is not None and "not" in before.alternatives[0]  # "not within 20 m" is no "near"
        found += _first(mention) - ({"near"} if denied and mention.text == "within" else set())
    found += [f"verb:{output.verb}" for output in request.outputs]
    return found + list(_built(request))


def _built(request: Request) -> Iterator[str]:
    """What the tree has that its canonical words do not say in one word; all of it loose."""
    verbs = [output.verb for output in request.outputs]
    measured = [output.attribute for output in request.outputs if output.verb == "measure"]
    if "compare" in verbs or len(set(measured)) < len(measured):
        yield "comparing"
    if "compare" in verbs:
        yield "numbers"
    if "count" in verbs:
        yield "counting"
    if len(verbs) > 1:
        yield "two"
    if sum(isinstance(node, Provided) for node in walk(request)) > 1:
        yield "otherwise"
    for node in walk(request):
        if isinstance(node, Selection) and len(node.phrases) > 1:
            yield from ("or", "two")
        elif isinstance(node, And):
            yield "two"
        elif isinstance(node, CountTest):
            yield f"amount:{node.op}:{node.n}"
        elif isinstance(node, Compare):
            yield f"amount:{node.op}:{node.quantity.value:g}"
        elif isinstance(node, Relation) and node.distance is not None:
            yield "bound"
            yield f"amount:{'>' if node.relation == 'beyond' else '<='}:{node.distance.value:g}"
            yield f"{node.relation}:{node.distance.value:g}"
        if isinstance(node, And | Or) and _is_one_or_the_other(node):
            yield "xor"


def _is_one_or_the_other(node: And | Or) -> bool:
    """Whether it is "A or B, and not both", or "A and not B, or B and not A"."""
    if len(node.conditions) != 2:
        return False
    first, second = node.conditions
    if isinstance(node, And):
        both = second.condition if isinstance(second, Not) else None
        return isinstance(first, Or) and isinstance(both, And) and set(first.conditions) == set(both.conditions)
    turned = {_turned(part) for part in conjuncts(first)}
    return len(turned) > 1 and turned == set(conjuncts(second))


def _turned(node: Condition) -> Condition:
    return node.condition if isinstance(node, Not) else Not(condition=node)


def _first(mention: Mention) -> Meanings:
    """What canonical words mean: all they may mean, but for a "not", which must be the first thing they mean."""
    first, *others = mention.alternatives
    return first if "not" in first else first.union(*(one for one in others if "not" not in one))


def _heard(mention: Mention) -> Meanings:
    """All that words of a query may mean; "at least" does not speak of a "not", though "not less than" is its like."""
    first, *others = mention.alternatives
    return first.union(*(one - {"not"} for one in others))


def _is_asked(output: Output, heard: set[str]) -> bool:
    """Whether some words ask for what this output gives; things are detected without being asked to."""
    if output.verb == "measure" and f"attr:{output.attribute}" in heard:
        return True
    if output.verb == "compare" and any(meaning.startswith("op:") for meaning in heard):
        return True
    like = {"compare": {"verb:exists", "verb:count"}}.get(output.verb, set())
    return output.verb == "detect" or bool(heard & {f"verb:{output.verb}", *like})


def _is_made_up(mention: Mention, heard: set[str]) -> bool:
    """Whether nothing in the query can have led to these words of the tree."""
    for kind, understood in _MUST_BE_SAID:
        each = [{meaning for meaning in one if meaning.startswith(kind)} - understood for one in mention.alternatives]
        if all(each) and not heard.intersection(set().union(*each)):
            return True
    first = mention.alternatives[0]
    if first & _SAID and not heard & first & _SAID:
        return True
    strict = {meaning for meaning in first if is_strict(meaning)} - _EVERYTHING
    turned = strict <= {"number:0", "not"} and heard & {"not", "every", "otherwise"}
    return bool(strict) and not heard & strict and not turned


def names_nothing(phrase: str) -> bool:
    """Whether a phrase holds only words of place, number or the like, so that it cannot name a class ("middle").

    Example:
        >>> names_nothing("right-hand side"), names_nothing("parking lot")
        (True, False)
    """
    meanings = {meaning for mention in mentions(tokens_of(phrase)) for one in mention.alternatives for meaning in one}
    return not any(meaning.startswith(("class:", "word:")) for meaning in meanings)


# ---- matching --------------------------------------------------------------------------------------------------


def _unmatched(asked: list[Mention], supply: Counter[str]) -> list[Mention]:
    """The mentions that cannot each have a meaning of their own (a maximum matching; loose meanings are shared)."""
    taken: dict[tuple[str, int], int] = {}

    def place(index: int, tried: set[tuple[str, int]]) -> bool:
        for wanted in asked[index].alternatives:
            strict = [meaning for meaning in _verbs_opened(wanted, supply) if is_strict(meaning)]
            if any(not supply[meaning] for meaning in wanted if not is_strict(meaning)):
                continue
            if len(wanted) == len(strict) == 0 or not any(is_strict(meaning) for meaning in wanted):
                return True
            if len([meaning for meaning in wanted if is_strict(meaning)]) > 1:
                if all(supply[meaning] for meaning in wanted):
                    return True
                continue
            for meaning in strict:
                for slot in ((meaning, n) for n in range(supply[meaning])):
                    if slot in tried:
                        continue
                    tried.add(slot)
                    if slot not in taken or place(taken[slot], tried):
                        taken[slot] = index
                        return True
        return False

    return [mention for index, mention in enumerate(asked) if not place(index, set())]


def _verbs_opened(wanted: Meanings, supply: Counter[str]) -> list[str]:
    """The meanings, "any verb" replaced by the verbs there are."""
    if ANY_VERB in wanted:
        return [meaning for meaning in supply if meaning.startswith("verb:")]
    if "verb:exists" in wanted:
        return ["verb:exists", "verb:compare"]
    return list(wanted)
