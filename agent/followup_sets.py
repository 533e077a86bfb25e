"""Sets that are told by the last answer: the others, and those that are left when some are taken out."""

from __future__ import annotations

import re

from ..core.conditions import Among, Selection
from ..core.wording import words
from .followup_edits import others_of
from .followup_mentions import Known, Setting, StandIns, noun_forms
from .followup_patterns import EXCEPT, REMOVE, SINGLE
from .followup_readings import bare
from .followup_text import Patched


def not_removed(patched: Patched, setting: Setting) -> Patched:
    """ "leave out the second one" as "without the second one", and "it" there as the region."""
    match = REMOVE.fullmatch(patched.text)
    if match is not None:
        if not setting.turns:
            raise patched.refused(
                "this takes something out of an answer, and nothing was answered yet; ask e.g. 'planes except the "
                "largest'"
            )
        group = "what" if match["what"] else "before"
        patched = patched.cut(match.start(group), match.end(group)).replaced(0, 0, "without ")
    if setting.turns and len(setting.turns[-1].ids) == 1 and EXCEPT.match(bare(patched).text):
        patched = patched.sub(SINGLE, setting.turns[-1].ids[0])
    return patched


def take_others(patched: Patched, setting: Setting, stand_ins: StandIns) -> tuple[Patched, Known | None]:
    """The text with "the others", "the rest", "the other planes" as a stand-in noun, and the turn that it refers to.

    Raises:
        QueryError: nothing was answered yet, several sets were, or nothing is left.
    """
    last = setting.turns[-1] if setting.turns else None
    nouns = "|".join(["ones?", *(noun_forms(last) if last is not None else ())])
    match = re.search(
        rf"\b(?:all\s+)?the\s+(?:(?:rest|others|remainder)(?:\s+of\s+(?:them|those|these))?"
        rf"|(?:remaining|other)\s+(?:{nouns}))\b(?!\s+of)",
        patched.text,
        re.IGNORECASE,
    )
    if match is None:
        return patched, None
    if last is None:
        raise patched.refused(
            f"{match[0]!r} refers to an answer, and nothing was answered yet; name the thing",
            match.start(),
            match.end(),
        )
    if len(last.sets) > 1:
        listed = " or ".join(repr(words(each)) for each in last.sets)
        raise patched.refused(f"the others than {listed}? Name the thing", match.start(), match.end())
    found = complement(last, setting)
    if found is None:
        advice = f"there are no others: nothing was left out of {words(last.sets[0])!r}"
        raise patched.refused(advice, match.start(), match.end())
    noun = stand_ins.noun(found, match[0])
    return patched.replaced(match.start(), match.end(), f"the {noun}s"), last


def complement(last: Known, setting: Setting) -> Selection | None:
    """What the set that the last one was narrowed from has besides; without one, all of its class."""
    (part,) = last.sets
    by_number = {turn.number: turn for turn in setting.turns}
    turn, whole_ids = last, last.listed
    while turn.edits in by_number:
        turn = by_number[turn.edits]
        if len(turn.sets) != 1 or turn.image != last.image:
            break
        found = others_of(part, turn.sets[0])
        if found is not None:
            return found
        if turn.sets[0] != part and turn.sets[0].phrases == part.phrases and set(last.ids) < set(turn.ids):
            whole_ids = turn.ids
            break
    found = others_of(part, Selection(phrases=part.phrases))
    if found is not None and whole_ids == last.listed:
        return found
    if part.where is None and not part.picks:
        return None
    left = tuple(name for name in whole_ids if name not in last.ids and last.labels.get(name) is not None)
    return Selection(phrases=part.phrases, where=Among(ids=left), expected=len(left)) if left else None
