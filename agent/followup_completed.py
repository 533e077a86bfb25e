"""Lines that leave out what the last request named: "which is the closest?", "and within 200 m?"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from ..core.conditions import Node, Not, Output, Pick, Relation, Request, Selection, conjuncts, walk
from ..core.errors import QueryError
from ..core.inflection import plural
from ..core.wording import words
from .followup_checks import check_of
from .followup_edits import is_single
from .followup_mentions import Known, StandIns
from .followup_patterns import COMPARATIVE, ELLIPTIC, HOW_FAR, NEAREST
from .followup_text import Patched

N = TypeVar("N", bound=Node)
_SUPERLATIVES = {"bigger": "biggest", "larger": "largest", "smaller": "smallest", "longer": "longest",
                 "shorter": "shortest", "wider": "widest", "narrower": "narrowest"}  # fmt: skip

_OF_THE_TWO = re.compile(r"\bof\s+the\s+two\b(?=\s+(?:is|are)\b|[\s?!.]*$)", re.IGNORECASE)


def reference_of(request: Request) -> Selection | None:
    """The one set that a request relates its own to; None where there are none or several."""
    found = [node.reference for node in walk(request) if isinstance(node, Output | Pick | Relation)]
    named = list(dict.fromkeys(each for each in found if each is not None))
    return named[0] if len(named) == 1 else None


def completed(patched: Patched, turn: Known, stand_ins: StandIns) -> Patched:
    """The text with what it is nearest to or how far from, and "the longer" of two as "the longest".

    Raises:
        QueryError: nothing was named that it could be nearest to.
    """
    if len(turn.ids) == 2:
        patched = patched.sub(_OF_THE_TWO, "of them").sub(
            COMPARATIVE, lambda match: f"the {_SUPERLATIVES[match['word'].lower()]}"
        )
    far, near = HOW_FAR.fullmatch(patched.text), NEAREST.search(patched.text)
    if far is None and near is None:
        return patched
    reference = reference_of(turn.request)
    if near is None:
        if far is None or reference is None:
            return patched
        whose = patched.text[far.start("whose") : far.end("whose")]
        return patched.replaced(0, len(patched.text), f"how far is {whose} from {_noun(reference, stand_ins)}")
    word = near["word"].lower()
    joint = "to" if word in ("closest", "nearest") else "from"
    if reference is None:
        hint = f"{word} {joint} what? Say e.g. 'the plane {word} {joint} the bridge'"
        raise patched.refused(hint, near.start("word"), near.end("word"))
    return patched.replaced(near.end("word"), len(patched.text), f" {joint} {_noun(reference, stand_ins)}")


def relation_completed(rest: Patched, turn: Known, stand_ins: StandIns) -> list[Patched]:
    """What "within 200 m" could be, said of what the last request named there; the nearest first."""
    if len(turn.sets) != 1 or ELLIPTIC.fullmatch(rest.text) is None:
        return []
    check = check_of(turn.request, turn.about)
    parts = [*conjuncts(turn.sets[0].where), *(() if check is None else conjuncts(check.asked))]
    inner = [part.condition if isinstance(part, Not) else part for part in parts]
    named = [part.reference for part in inner if isinstance(part, Relation) and part.reference is not None]
    if len(named) != 1:
        return []
    noun, many = _noun(named[0], stand_ins), plural(stand_ins.earlier)
    return [
        rest.replaced(len(rest.text), len(rest.text), f"{joint} {noun}").replaced(0, 0, f"the {many} ")
        for joint in (" of", " from", "")
    ]


def _noun(selection: Selection, stand_ins: StandIns) -> str:
    noun = stand_ins.noun(selection, words(selection))
    return f"the {noun if is_single(selection) else plural(noun)}"


def measured_instead(rest: Patched, turn: Known, noun: str, parse: Callable[[Patched], Request]) -> Request | None:
    """ "and the width?" behind a measurement: another attribute of the same; None for anything else."""
    if any(output.verb != "measure" for output in turn.request.outputs):
        return None
    at = len(rest.text)
    try:
        request = parse(rest.replaced(at, at, f" of the {plural(noun)}").replaced(0, 0, "measure "))
    except QueryError:
        return None
    (new, *more) = request.outputs
    if more or new.verb != "measure" or new.target != Selection(phrases=(noun,)):
        return None
    if not re.match(r"(?:the\s+|their\s+|its\s+)?(?:[a-z]+\s+){0,2}[a-z]+$", rest.text, re.IGNORECASE):
        return None
    changed = {"attribute": new.attribute, "unit": new.unit, "reference": None}
    return Request(
        outputs=tuple(
            output.model_copy(update={**changed, "summary": new.summary or output.summary})
            for output in turn.request.outputs
        )
    )


def with_reference(node: N, old: Selection, new: Selection) -> N:
    """The tree related to another set."""
    changes: dict[str, object] = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        if name == "reference" and value == old:
            changes[name] = new
        elif isinstance(value, Node):
            changes[name] = with_reference(value, old, new)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[name] = tuple(with_reference(item, old, new) for item in value)
    return node.model_copy(update=changes) if changes else node
