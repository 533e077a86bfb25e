"""Questions about an answer: why a region is in it or not, and what else is like one."""

from __future__ import annotations

from collections.abc import Callable

from ..core.conditions import Output, Request, Selection, walk
from ..core.errors import QueryError
from .followup_edits import narrowed, widened
from .followup_meanings import Like, Why
from .followup_mentions import Known, Setting, mention_patterns, mentioned, refuse_unknown_id
from .followup_patterns import ABOUT, AND, FATE, LIKE, MANY, NEGATED, SINGLE, WHAT_ELSE, WHY, WHY_ALL
from .followup_readings import readings_on
from .followup_text import Patched

NounPhrase = Callable[[Patched], Selection]


def read_why(
    patched: Patched, setting: Setting, noun: str, parse: Callable[[Patched], Request], *, asks_again: bool = False
) -> Why | None:
    """ "why plane-4?", "why not the third one?", "why is it not the largest?", "what about plane-4?", "why?".

    Args:
        patched: the line.
        setting: what it is read against.
        noun: stands for the set that is talked about while a condition behind "why is it not" is read.
        parse: the grammar.
        asks_again: "what about plane-4?" asks the last request of it, and not why it is in the answer.

    Raises:
        QueryError: it asks why, and it is not clear of what.
    """
    match = WHY.fullmatch(patched.text)
    about = match or ABOUT.fullmatch(patched.text) or AND.fullmatch(patched.text)
    if about is None:
        return None
    rest = patched.cut(about.start(1))
    if about.re is AND and not about["asks"]:
        return None
    last = setting.turns[-1] if setting.turns else None
    if match is None and (last is None or asks_again or not is_mention(rest, setting)):
        return None
    if last is None:
        raise patched.refused("nothing was answered yet, so there is nothing to explain; ask for something first")
    refuse_unknown_id(rest, setting)
    if match is not None and WHY_ALL.fullmatch(rest.text):
        one = len(last.ids) == 1 and (SINGLE.search(rest.text) or last.about is not None)
        return Why(last.number, last.ids if one else ())
    mention = mention_patterns(setting).search(rest.text)
    if mention is not None:
        found = mentioned(mention, rest, setting, whole_list=True)
        ids, turn = found.ids, found.turn
        parts = (rest.cut(0, mention.start()).stripped(), rest.cut(mention.end()).stripped())
    else:
        pronoun = SINGLE.search(rest.text) if len(last.ids) == 1 else MANY.search(rest.text) if last.ids else None
        if pronoun is None or not (len(last.ids) == 1 or last.about is None):
            some = (*last.ids, *last.others, "plane-4")[0]
            raise patched.refused(f"why which one? Say 'why {some}?', or '/why' for the whole answer")
        ids, turn = last.ids, last
        parts = (rest.cut(0, pronoun.start()).stripped(), rest.cut(pronoun.end()).stripped())
    for part in parts:
        if part.text and not FATE.fullmatch(part.text):
            return _why_not(part, ids, turn, setting, noun, parse)
    return Why(turn.number, ids)


def _why_not(
    part: Patched, ids: tuple[str, ...], turn: Known, setting: Setting, noun: str, parse: Callable[[Patched], Request]
) -> Why:
    """Why regions do (not) satisfy a condition: by the latest answer that asked for it, else by asking for it now."""
    lead = NEGATED.match(part.text)
    said = (part.cut(lead.end()) if lead else part).stripped(" ,?!.")
    further = None
    for candidate in readings_on(said, noun):
        try:
            request = parse(candidate)
        except QueryError:
            continue
        target = request.outputs[0].target
        if len(request.outputs) == 1 and request.outputs[0].verb == "detect" and target.phrases == (noun,):
            further = target
            break
    if further is None or (further.where is None and not further.picks):
        raise part.refused(f"did not understand {part.text!r} here; say 'why {ids[0]}?'")
    wanted = {*further.picks, *([] if further.where is None else [further.where])}
    for known in reversed(setting.turns):
        if set(ids) <= set(known.labels) and wanted <= set(walk(known.request)):
            return Why(known.number, ids)
    talked = turn.sets[0]
    inside = len(turn.sets) == 1 and set(ids) <= set(turn.ids)
    base = widened(talked) if inside else Selection(phrases=tuple(dict.fromkeys(turn.labels[name] for name in ids)))
    request = Request(outputs=(Output(verb="detect", target=narrowed(base, further)),))
    return Why(turn.number, ids, request)


def is_mention(patched: Patched, setting: Setting) -> bool:
    """Whether the text is one mention of a region."""
    if not setting.turns:
        return False
    return mention_patterns(setting).fullmatch(patched.stripped(" \t\n,?!.").text) is not None


def read_like(patched: Patched, setting: Setting) -> Like | None:
    """ "what else is like plane-3?", "what else like this?".

    Raises:
        QueryError: it asks what is like something, and it is not clear like what.
    """
    match = LIKE.fullmatch(patched.text) or WHAT_ELSE.fullmatch(patched.text)
    if match is None:
        return None
    rest = patched.cut(match.start("rest"), match.end("rest"))
    if not setting.turns:
        raise patched.refused("nothing was answered yet, so there is nothing to compare with; ask for something")
    last = setting.turns[-1]
    refuse_unknown_id(rest, setting)
    some = last.ids[0] if last.ids else next(iter(last.labels), "")
    told = f"say 'what else is like {some}?'" if some else "the last answer holds nothing; ask for something first"
    if not rest.text or SINGLE.fullmatch(rest.text) or MANY.fullmatch(rest.text):
        if len(last.ids) != 1:
            listed = ", ".join(last.ids[:4]) or "nothing"
            raise patched.refused(f"like which one? The last answer holds {listed}; {told}")
        return Like(last.number, last.ids[0])
    mention = mention_patterns(setting).fullmatch(rest.text)
    if mention is None:
        raise rest.refused(f"like which region? {told[0].upper()}{told[1:]}, with the id of a region")
    found = mentioned(mention, rest, setting)
    if len(found.ids) > 1:
        raise rest.refused(f"like which of them? {told[0].upper()}{told[1:]}")
    return Like(found.turn.number, found.ids[0])
