"""Words that point at regions and at earlier sets, replaced by stand-in nouns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ..core.conditions import Output, Relation, Request, Selection
from ..core.errors import QueryError
from ..core.inflection import plural
from .followup_edits import of_class
from .followup_mentions import Known, Regions, Setting, StandIns, mention_patterns, mentioned
from .followup_patterns import DESCRIBE, WHAT_AT, WHAT_IS
from .followup_text import Patched


def take_regions(patched: Patched, setting: Setting, stand_ins: StandIns) -> tuple[Patched, Known | None]:
    """The text with its mentions of regions as stand-ins, several in a row as one set; a turn that they are of.

    Raises:
        QueryError: no such region, or regions of different images.
    """
    if not setting.turns:
        return patched, None
    single = mention_patterns(setting)
    plain = re.sub(r"\(\?P<\w+>", "(?:", single.pattern)
    row = re.compile(rf"(?:{plain})(?:\s*(?:,\s*and|,\s*or|,|\band\b|\bor\b|&)\s*(?:{plain}))*", re.IGNORECASE)
    turns: list[Known] = []

    def put(match: re.Match[str]) -> str:
        inner = patched.cut(match.start(), match.end())
        found = [mentioned(each, inner, setting) for each in single.finditer(inner.text)]
        turns.extend(regions.turn for regions in found)
        if len({turn.image for turn in turns}) > 1:
            raise inner.refused("these regions are of different images; ask for those of one image")
        ids = tuple(dict.fromkeys(name for regions in found for name in regions.ids))
        labels = {name: label for regions in found for name, label in regions.turn.labels.items()}
        together = Known(turns[-1].number, turns[-1].image, turns[-1].request, labels=labels)
        noun = stand_ins.noun(Regions(ids, together).selection(), match[0].strip())
        return f"the {plural(noun) if len(ids) > 1 else noun}"

    replaced = patched.sub(row, put)
    return replaced, turns[-1] if turns else None


def take_demonstratives(
    patched: Patched, setting: Setting, noun: str, parsed: Callable[[Patched], object]
) -> tuple[Patched, Known | None]:
    """The text with "those planes" as the stand-in noun for the latest set of planes, and the turn of that set.

    Args:
        parsed: the grammar; tells whether "those" stands before a noun.

    Raises:
        QueryError: nothing of that name was asked for.
    """
    for turn in reversed(setting.turns):
        phrases = [phrase for target in turn.sets for phrase in target.phrases]
        for form in dict.fromkeys(form for phrase in phrases for form in (plural(phrase), phrase)):
            match = re.search(
                rf"\b(?:those|these|that|this)((?:\s+[\w-]+){{0,3}}?)\s+{re.escape(form)}\b",
                patched.text,
                re.IGNORECASE,
            )
            single = match is not None and match[0].lower().startswith(("that", "this"))
            if match is not None and not (single and match[1].strip()):
                if single and len(turn.ids) != 1:
                    which = "that answer holds nothing"
                    if turn.ids:
                        where = "" if turn.image == setting.current else f" in image {turn.image}"
                        which = f"say 'those {plural(form)}{where}', or e.g. '{turn.ids[0]}{where}'"
                    told = f"{match[0]!r} could be any of {len(turn.ids)}; {which}"
                    raise patched.refused(told, match.start(), match.end())
                told = f"the{match[1]} {noun if single else plural(noun)}"
                return patched.replaced(match.start(), match.end(), told), _of_form(turn, form)
    match = re.search(r"\b(?:those|these)\b(?!\s*(?:$|[,?.!]|of\b))", patched.text, re.IGNORECASE)
    before = "" if match is None else patched.text[: match.start()]
    if not setting.turns or match is None or re.search(r"(?:than|except|but|not)\s+$", before, re.IGNORECASE):
        return patched, None
    instead = patched.replaced(match.start(), match.end(), "the")
    try:
        parsed(instead)
    except QueryError:
        return patched, None
    raise patched.refused(
        f"{match[0]!r} points at nothing that was asked for before; for all in the image say {instead.text!r}",
        match.start(),
        match.end(),
    )


def _of_form(turn: Known, form: str) -> Known:
    """The turn as one about those of its regions that a noun names: "those ships" after "planes and ships"."""
    named = [
        of_class(target, phrase)
        for target in turn.sets
        for phrase in target.phrases
        if form in (phrase, plural(phrase))
    ]
    if (named[0],) == turn.sets:
        return turn
    ids = tuple(name for name in turn.ids if turn.labels.get(name) in named[0].phrases)
    return replace(turn, about=named[0], about_ids=ids)


def after_lead(patched: Patched, lead: re.Match[str], setting: Setting) -> tuple[Patched, Known]:
    """What comes after "of those," or "of those planes,", and the turn that is meant.

    Raises:
        QueryError: nothing was answered yet, or nothing of that name.
    """
    if not setting.turns:
        said = lead[0].strip(" ,")
        raise patched.refused(
            f"{said!r} refers to an answer, and nothing was answered yet; name the thing", 0, lead.end()
        )
    rest = patched.cut(lead.end())
    if not lead["noun"]:
        return rest, setting.turns[-1]
    noun = lead["noun"].strip().lower()
    for turn in reversed(setting.turns):
        if any(noun in (plural(p), p) for target in turn.sets for p in target.phrases):
            return rest, _of_form(turn, noun)
    raise patched.refused(f"no {noun} were asked for before", lead.start("noun") + 1, lead.end("noun"))


def visual_request(patched: Patched, stand_ins: StandIns) -> Request | None:
    """ "what is at [box]", "what is plane-3", "describe [box]", on stand-ins; None for anything else."""
    match = WHAT_AT.fullmatch(patched.text) or WHAT_IS.fullmatch(patched.text) or DESCRIBE.fullmatch(patched.text)
    noun = match["noun"].split()[-1] if match else ""
    if match is None or noun not in stand_ins.meanings:
        return None
    target = Selection(phrases=(noun,), expected=1)
    is_box, at = stand_ins.meanings[noun].where is None, match.re is WHAT_AT
    if not is_box and not at:
        return Request(outputs=(Output(verb="describe", target=target),))
    inside = at and match["where"].lower() in ("in", "inside", "within")
    objects = Selection(
        phrases=("object",), where=Relation(relation="inside" if inside else "overlaps", reference=target)
    )
    return Request(outputs=(Output(verb="describe" if match.re is DESCRIBE else "detect", target=objects),))
