"""What is said of two dates: "which houses were demolished between these two images?", "what changed?".

People say a change with verbs ("disappeared", "has been built"), in questions of their own ("what is different?") and
with words that only tell that there are two images. Before the grammar reads them, such tokens are written in the one
form it knows: "new", "gone", "altered" and "changed" as adjectives, "changes" as a noun, "the earlier river". Each
token keeps its place in the query. What becomes of such conditions behind the grammar: `changed_classes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...core import lexicon
from ...core.inflection import plural
from .change_vocabulary import (
    SETS,
    SINGLE,
    SPEAKING,
    TELLING,
    VERBS_OF_CHANGE,
    ends,
    find,
    is_name,
    name_start,
    put,
    texts_of,
)
from .images import SEVERAL, of_dates, without_images
from .reserved import ADJECTIVES, NOUN_TAILS, RESERVED
from .tokens import Token

_ONE_WORD = (
    ("newly built", "new"), ("newly constructed", "new"), ("newly added", "new"), ("newly erected", "new"),
    ("recently built", "new"), ("recently constructed", "new"), ("recently added", "new"), ("newly appeared", "new"),
    ("recently demolished", "gone"), ("recently removed", "gone"), ("torn down", "gone"), ("pulled down", "gone"),
    ("knocked down", "gone"), ("taken down", "gone"), ("put up", "new"), ("brand new", "new"),
    ("no longer there", "gone"), ("no longer present", "gone"), ("no longer visible", "gone"),
    ("no longer standing", "gone"), ("not there any more", "gone"), ("not there anymore", "gone"),
)  # fmt: skip
_DID = {word: f"{word.removesuffix('e')}ed" for word in "appear disappear vanish arrive depart emerge change".split()}
_NO_LONGER = ("no longer exist", "no longer exists", "do not exist any more", "do not exist anymore")
_BETWEEN = ("be", "been", "being", "got", "since", "newly", "recently")
_HELPERS = ("is", "are", "was", "were", "has", "have", "had", *_BETWEEN)
_PRONOUNS = ("that", "which", "who")
_COMPARED = {
    "these",
    "two",
    "the",
    "both",
    "them",
    "this",
    "pair",
    "with",
    "to",
    "image",
    "images",
    "pictures",
    "photos",
}
_QUESTIONS = {
    "detect all changes": (
        "what changed", "what has changed", "what have changed", "what was changed", "what is changed", "what changes",
        "what is different", "what differs", "what are the changes", "what is the change", "what altered",
        "what changes are there", "what changes happened", "what happened", "where are the changes",
        "what changes can be seen", "what changes do you see", "spot the changes", "spot the change",
    ),
    "detect all new changes": (
        "what is new", "what appeared", "what has appeared", "what was built", "what has been built", "what was added",
        "what has been added", "what was constructed", "what has been constructed", "what arrived", "what has arrived",
    ),
    "detect all gone changes": (
        "what is gone", "what is missing", "what disappeared", "what has disappeared", "what vanished", "what was lost",
        "what has vanished", "what was demolished", "what has been demolished", "what was removed", "what departed",
        "what has been removed", "what was destroyed", "what has been destroyed",
    ),
    "are there any changes": (  # "did anything change" has become "did anything changed" (`_DID`)
        "did anything changed", "has anything changed", "is anything different", "did something changed",
        "is there a change", "has something changed", "is there any change", "are there changes", "anything changed",
        "any changes", "are they different", "are different",
    ),
    "are there no changes": ("are they the same", "are the same", "are they identical", "are identical"),
    "measure the total area of all changes": ("how much changed", "how much has changed", "how much is different"),
}  # fmt: skip
_WHOLE = sorted(((q.split(), said) for said, some in _QUESTIONS.items() for q in some), key=lambda each: -len(each[0]))
_TRIGGERS = {"new", "gone", "change", "changes", "changed", "compare", "same", "identical", "differs", "happened"} | {
    *VERBS_OF_CHANGE, *SINGLE, "differences", "difference", "alterations", "modifications", "longer", "any", "down",
    "former", "previous", "up",
}  # fmt: skip
_ANYWHERE = ("areas", "area", "places", "parts", "regions", "things", "spots")
_STOPS = (".", "?", "!", ";")
_BEFORE_QUESTIONS = ("and", ",", ":", "then", "also")
_ASKING = tuple("could can would will you please kindly i we want to like let us".split())


def in_one_form(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with what is said of two dates in the grammar's words, sentence by sentence; others as they are."""
    if _TRIGGERS.isdisjoint(texts_of(tokens)):
        return list(tokens)
    sentences = _sentences(_with_word(list(tokens)))
    dated = any(_speaks_of_change(of_dates(without_images(each))) for each in sentences)  # "new" of "the new image"
    found: list[Token] = []
    for at, sentence in enumerate(sentences):
        shown = any(token.text in SEVERAL for each in sentences[:at] for token in each)
        found += _sentence_in_one_form(sentence, dated=dated, alone=len(sentences) == 1, shown=shown)
    return found


def _sentences(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens in sentences, each with the mark that ends it; never none."""
    found: list[list[Token]] = [[]]
    for at, token in enumerate(tokens):
        if token.text == "and" and found[-1] and found[-1][0].text in ("which", "how") and _asks_again(tokens, at + 1):
            token = replace(token, text="?", kind="symbol")
        if found[-1] and found[-1][-1].text in _STOPS and token.text not in _STOPS:
            found.append([])
        found[-1].append(token)
    return found


def _asks_again(tokens: Sequence[Token], at: int) -> bool:
    """Whether "which are" or "how many were" comes: "which ships are new and which are gone?"."""
    texts = texts_of(tokens[at : at + 3])
    verb = texts[1:2] if texts[:1] == ["which"] else texts[2:3] if texts[:2] == ["how", "many"] else []
    return bool(verb) and verb[0] in _HELPERS


def _sentence_in_one_form(tokens: list[Token], *, dated: bool, alone: bool, shown: bool) -> list[Token]:
    """A sentence in the grammar's words.

    Args:
        dated: whether this or another sentence speaks of a change, so that "the second image" is the one looked at.
        alone: whether there is no other; "compare these two images." before a question only leads to it.
        shown: whether a sentence before told of several images, which "between them" stands for.
    """
    if not _speaks_of_change(tokens):
        return of_dates(tokens, drop_later=dated, one_name=True)
    short = without_images(tokens, shown=shown)
    found = _of_former(of_dates(short, drop_later=dated))
    if not _speaks_of_change(found):
        return of_dates(short, drop_later=dated, one_name=True)
    places = len(short) == len(tokens) and _may_tell_places(found)
    return _asked(_named(_as_adjectives(_whole_questions(found, alone=alone), places=places)))


def _with_word(tokens: list[Token]) -> list[Token]:
    """Sayings of several words as one word."""
    for phrase, meant in (*_ONE_WORD, *((each, "are gone") for each in _NO_LONGER)):
        while (at := find(tokens, phrase)) is not None:
            tokens = put(tokens, at, len(phrase.split()), meant)
    for said in ("differences", "difference", "alterations", "modifications"):
        while (at := find(tokens, said)) is not None and not _is_of_numbers(tokens, at):
            tokens = put(tokens, at, 1, "changes" if said.endswith("s") else "change")
    if tokens and tokens[0].text == "did":  # "did any houses disappear?"
        for at, token in enumerate(tokens):
            if token.text in _DID and (token.text != "change" or ends(texts_of(tokens[at + 1 :]))):
                tokens = [*tokens[:at], replace(token, text=_DID[token.text]), *tokens[at + 1 :]]
    return _with_changes_of(tokens)


def _of_former(tokens: list[Token]) -> list[Token]:
    """ "new houses near the former river" as "... the earlier river"; where nothing changed, it is a name."""
    for at, token in enumerate(tokens[:-1]):
        if token.text in ("former", "previous") and is_name(tokens, at + 1):
            tokens = [*tokens[:at], replace(token, text="earlier"), *tokens[at + 1 :]]
    return tokens


def _with_changes_of(tokens: list[Token]) -> list[Token]:
    """ "building changes" as "changed buildings", of things that are known; a "change station" is none."""
    for at in [at for at, token in enumerate(tokens) if token.text in ("change", "changes")]:  # as many as before
        start = name_start(tokens, at)
        joined = start > 0 and tokens[start - 1].text in ("and", "or", ",")
        if start == at or not is_name(tokens, at - 1) or joined or not ends(texts_of(tokens[at + 1 :])):
            continue
        if lexicon.concept(" ".join(texts_of(tokens[start:at]))) is not None:
            many = tokens[at].text == "changes"
            last = replace(tokens[at - 1], text=plural(tokens[at - 1].text)) if many else tokens[at - 1]
            first = replace(tokens[start], text="changed", glued=False)
            tokens = [*tokens[:start], first, *tokens[start : at - 1], last, *tokens[at + 1 :]]
    return tokens


def _is_of_numbers(tokens: Sequence[Token], at: int) -> bool:
    """Whether "the difference between the number of ..." is meant."""
    after = texts_of(tokens[at + 1 : at + 5])
    return after[:1] in (["between"], ["in"]) and any(word in after for word in ("number", "numbers", "count"))


def _speaks_of_change(tokens: Sequence[Token]) -> bool:
    texts = texts_of(tokens)
    if not SPEAKING.isdisjoint(texts):
        return True
    return any(text == "same" and ends(texts[at + 1 :]) for at, text in enumerate(texts))  # not "of the same place"


def _whole_questions(tokens: list[Token], *, alone: bool) -> list[Token]:
    """Questions about the pair as a whole ("what is gone?", "... and what was built near the road?") as requests."""
    end = len(tokens)
    while end and tokens[end - 1].text in _STOPS:
        end -= 1
    body, stops = tokens[:end], tokens[end:]
    asked = next((at for at, token in enumerate(body) if token.text not in _ASKING), 0)
    if body[asked:] and body[asked].text == "compare":
        body = body[asked:]
        lead = next((at for at, token in enumerate(body) if at and token.text not in _COMPARED), len(body))
        if lead == len(body):
            return put(body, 0, lead, "detect all changes") if alone else tokens
        if body[lead].text not in _BEFORE_QUESTIONS:
            return tokens
        while lead < len(body) - 1 and body[lead].text in _BEFORE_QUESTIONS:
            lead += 1
        body = body[lead:]  # "compare the two images and tell me what is new"
    at = 0
    while at < len(body):
        told = at > 0 and body[at - 1].text in TELLING
        if told or not at or body[at - 1].text in _BEFORE_QUESTIONS:
            texts = texts_of(body[at:])
            for question, said in _WHOLE:
                length = len(question)
                if texts[:length] == question and (len(texts) == length or texts[length] in RESERVED):
                    said, more = _either(said, texts[length : length + 2])
                    body = put(body, at, length + more, said.removeprefix("detect ") if told else said)
                    break
        at += 1
    return [*body, *stops]


def _either(said: str, after: list[str]) -> tuple[str, int]:
    """The request with "or demolished" of "what was built or demolished?", and how many words that takes."""
    meant = VERBS_OF_CHANGE.get(after[1], after[1]) if len(after) == 2 and after[0] in ("and", "or") else ""
    one = next((word for word in ("new", "gone") if said == f"detect all {word} changes"), None)
    if one is None or meant not in ("new", "gone", "altered", "changed"):
        return said, 0
    return ("detect all changes" if meant == "changed" else f"detect all {one} or {meant} changes"), 2


def _noun_follows(tokens: list[Token], at: int) -> bool:
    """Whether a noun stands there, or adjectives and a noun ("white house")."""
    while (adjective := ADJECTIVES.match(tokens, at)) is not None:
        at += adjective[1]
    return at < len(tokens) and _may_be_noun(tokens[at])


def _may_be_noun(token: Token) -> bool:
    return token.kind == "word" and (token.text not in RESERVED or token.text in NOUN_TAILS)


def _may_tell_places(tokens: Sequence[Token]) -> bool:
    """Whether "built" may say nothing of a change: no other word does, and it is not asked what was done."""
    others = [token.text for token in tokens if token.text in SPEAKING and token.text != "built"]
    return not others and {"was", "were", "has", "have", "had", "did"}.isdisjoint(texts_of(tokens[:2]))


def _tells_place(tokens: Sequence[Token], at: int) -> bool:
    """Whether "built" only leads to a place ("houses built along the river"), as "standing" would."""
    if tokens[at].text != "built" or at + 1 == len(tokens) or not tokens[at + 1].text.isalpha():
        return False
    place = tokens[at + 1].text in RESERVED and tokens[at + 1].text not in ("and", "or", "since")
    return place and (not at or tokens[at - 1].text not in _HELPERS or tokens[at - 1].text in ("is", "are"))


def _as_adjectives(tokens: list[Token], *, places: bool) -> list[Token]:
    """Verbs of change as adjectives: "buildings that were demolished", "houses built", "the road changed".

    Args:
        places: whether "built along the river" is where things stand.
    """
    at = 0
    while at < len(tokens):
        meant = VERBS_OF_CHANGE.get(tokens[at].text)
        before = tokens[at - 1].text if at else ""
        if tokens[at].text == "new" and before in _BETWEEN:
            meant = "new"  # "have been newly built"
        follows = _noun_follows(tokens, at + 1)
        by = at + 1 < len(tokens) and tokens[at + 1].text == "by" and tokens[at].text != "built"  # "by the flood"
        if meant is None or by or (places and _tells_place(tokens, at)):
            at += 1
        elif follows and (before in ("have", "has") or (before == "which" and _begins(tokens, at - 1))):
            tokens, at = put(tokens, at, 1, meant), at + 1  # "have changed roofs", "which demolished houses"
        elif before in _HELPERS:
            tokens, at = _with_copula(tokens, at, meant)
        elif before in _PRONOUNS:
            tokens, at = put(tokens, at, 1, f"are {meant}"), at + 2
        elif follows or before in ("not", "and", "or", "", ",", "but", "(") or before in SETS:
            said = meant if follows or meant != "changed" else "are changed"  # "that are new or changed"
            tokens, at = put(tokens, at, 1, said), at + len(said.split())
        else:  # behind its noun: the verb of the question, or part of the noun phrase
            asks = tokens[0].text in ("which", "what", "how", "where") and "are" not in texts_of(tokens[:at])
            joined = "are" if asks else "that are"
            tokens, at = put(tokens, at, 1, f"{joined} {meant}"), at + 1 + len(joined.split())
    return tokens


def _begins(tokens: Sequence[Token], at: int) -> bool:
    """Whether a question begins there: nothing stands before it, or a verb."""
    return not at or tokens[at - 1].text in (*_BEFORE_QUESTIONS, *TELLING)


def _with_copula(tokens: list[Token], at: int, meant: str) -> tuple[list[Token], int]:
    """ "have recently been demolished" as "are gone"; the copula stays where it is when something stands between."""
    start = at
    while start and tokens[start - 1].text in _HELPERS:
        start -= 1
    helpers = texts_of(tokens[start:at])
    copula = "is" if {"is", "was", "has"} & set(helpers) else "are"
    if set(helpers) <= set(_BETWEEN):
        return put(tokens, start, at - start + 1, meant), start + 1  # "has any building been demolished"
    return put(tokens, start, at - start + 1, f"{copula} {meant}"), start + 2


def _named(tokens: list[Token]) -> list[Token]:
    """ "areas that are changed" as "changes", "areas that are new" as "changes that are new": an area is no class."""
    at = 0
    while at < len(tokens):
        after = texts_of(tokens[at + 1 : at + 4])
        named = at > 0 and is_name(tokens, at - 1)
        if tokens[at].text in _ANYWHERE and not named and after[:1] in (["are"], ["is"], ["that"]):
            copula = 2 if after[0] == "that" else 1
            said = copula + 1 if after[copula : copula + 1] == ["changed"] else 0
            tokens = [*tokens[:at], replace(tokens[at], text="changes"), *tokens[at + 1 + said :]]
        at += 1
    return tokens


def _asked(tokens: list[Token]) -> list[Token]:
    """ "have any houses gone" and "was the hall demolished" as "are" and "is"; "where were houses built" as which."""
    if tokens and tokens[0].text in ("has", "have", "was", "were", "did", "had"):
        copula = "is" if tokens[0].text in ("has", "was") else "are"
        tokens = [replace(tokens[0], text=copula, kind="word"), *tokens[1:]]
        while (at := find(tokens, "that are")) is not None and tokens[at + 2 : at + 3] and at > 1:
            tokens = [*tokens[:at], *tokens[at + 2 :]]  # "did any houses disappear(ed)"
    end = next((at for at, token in enumerate(tokens) if token.text in _STOPS), len(tokens))
    if tokens and tokens[0].text in ("is", "are") and end > 2 and tokens[end - 1].text == "changed":
        start = name_start(tokens, end - 1)
        if 0 < start < end - 1 and start <= 2:  # "has the river changed?"
            words = [replace(tokens[0], text=word, kind="word") for word in ("there", "any")]
            tokens = [tokens[0], *words, tokens[end - 1], *tokens[start : end - 1], *tokens[end:]]
    told = tokens[2:3] and tokens[2].text not in (*SETS, "new", "gone", "altered")  # "where are the new houses"
    if told and texts_of(tokens[:2]) in (["where", "were"], ["where", "are"], ["where", "have"], ["where", "was"]):
        tokens = [replace(tokens[0], text="which"), *tokens[2:]]
        last = next((at for at in range(len(tokens) - 1, 0, -1) if tokens[at].text in ("new", "gone", "altered")), None)
        if last is not None and tokens[last - 1].text not in ("is", "are"):
            tokens = put(tokens, last, 1, f"are {tokens[last].text}")
    return tokens


# ---- behind the grammar ------------------------------------------------------------------------------------------
