"""What is said of two dates: "which houses were demolished between these two images?", "what changed?".

People say a change with verbs ("disappeared", "has been built"), in questions of their own ("what is different?") and
with words that only tell that there are two images. Before the grammar reads them, such tokens are written in the one
form it knows: "new", "gone", "altered" and "changed" as adjectives, "changes" as a noun, "the earlier river". Each
token keeps its place in the query. What becomes of such conditions behind the grammar: `changed_classes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .reserved import ADJECTIVES, NOUN_TAILS, RESERVED
from .tokens import Token
from .vocabulary import SUPERLATIVES

_NEW = "appeared built constructed erected added arrived emerged"
_GONE = "disappeared vanished demolished removed destroyed departed razed missing gone lost"
_ALTERED = "altered modified rebuilt extended enlarged replaced"
_CHANGED = "changed different"
VERBS_OF_CHANGE = {
    word: meant
    for meant, told in (("new", _NEW), ("gone", _GONE), ("altered", _ALTERED), ("changed", _CHANGED))
    for word in told.split()
}
_ACTIVE = frozenset("appeared arrived emerged disappeared vanished departed changed".split())
_ONE_WORD = (
    ("newly built", "new"), ("newly constructed", "new"), ("newly added", "new"), ("newly erected", "new"),
    ("recently built", "new"), ("recently constructed", "new"), ("recently added", "new"), ("newly appeared", "new"),
    ("recently demolished", "gone"), ("recently removed", "gone"), ("torn down", "gone"), ("pulled down", "gone"),
    ("knocked down", "gone"), ("taken down", "gone"), ("put up", "new"), ("brand new", "new"),
    ("no longer there", "gone"), ("no longer present", "gone"), ("no longer visible", "gone"),
    ("no longer standing", "gone"), ("not there any more", "gone"), ("not there anymore", "gone"),
)  # fmt: skip
_NO_LONGER = ("no longer exist", "no longer exists", "do not exist any more", "do not exist anymore")
_BETWEEN = ("be", "been", "being", "got", "since", "newly", "recently")
_HELPERS = ("is", "are", "was", "were", "has", "have", "had", *_BETWEEN)
_PRONOUNS = ("that", "which", "who")
_SINGLE = "image picture photo scene date frame".split()
_SEVERAL = [f"{word}s" for word in (*_SINGLE, "year", "acquisition")]
_OF_BOTH = ("these", "the", "those", "both", "this", "my", "two", "2", "given", "of")
_SINCE = [said.split() for said in ("since", "compared to", "compared with", "relative to", "from", "between")]
_MEANTIME = [
    said.split()
    for said in (
        "between before and after", "from before to after", "before and after", "in the meantime", "since then",
        "over time", "between them", "between the two", "between these two", "between both",
    )
]  # fmt: skip
_EARLIER = "earlier first before old older previous former initial pre".split()
_LATER = "later second after new newer latest recent current last post".split()
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
    "are there any changes": (
        "did anything change", "has anything changed", "is anything different", "did something change",
        "is there a change", "has something changed", "is there any change", "are there changes", "anything changed",
        "any changes", "are they different", "are different",
    ),
    "are there no changes": ("are they the same", "are the same", "are they identical", "are identical"),
    "measure the total area of all changes": ("how much changed", "how much has changed", "how much is different"),
}  # fmt: skip
_WHOLE = sorted(((q.split(), said) for said, some in _QUESTIONS.items() for q in some), key=lambda each: -len(each[0]))
_TRIGGERS = {"new", "gone", "change", "changes", "changed", "compare", "same", "identical", "differs", "happened"} | {
    *VERBS_OF_CHANGE, *_SINGLE, "differences", "difference", "alterations", "modifications", "longer", "any", "down",
    "up",
}  # fmt: skip
_ANYWHERE = ("areas", "area", "places", "parts", "regions", "things", "spots")
_RANKED = frozenset(phrase.split()[0] for phrase in SUPERLATIVES.entries)
_STOPS = (".", "?", "!", ";")
_BEFORE_QUESTIONS = ("and", ",", ":", "then", "also")
_TELLING = tuple("me us show find detect segment outline highlight mark map list count describe".split())
_SETS = ("all", "any", "a", "an", "the", "these", "those", "some", "every", "no", "both")


def in_one_form(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with what is said of two dates in the grammar's words, sentence by sentence; others as they are."""
    if _TRIGGERS.isdisjoint(_texts(tokens)):
        return list(tokens)
    sentences = _sentences(_with_word(list(tokens)))
    dated = any(_speaks_of_change(_of_dates(_without_images(each))) for each in sentences)  # "new" of "the new image"
    return [
        token for each in sentences for token in _sentence_in_one_form(each, dated=dated, alone=len(sentences) == 1)
    ]


def _sentences(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens in sentences, each with the mark that ends it; never none."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if found[-1] and found[-1][-1].text in _STOPS and token.text not in _STOPS:
            found.append([])
        found[-1].append(token)
    return found


def _sentence_in_one_form(tokens: list[Token], *, dated: bool, alone: bool) -> list[Token]:
    """A sentence in the grammar's words.

    Args:
        dated: whether this or another sentence speaks of a change, so that "the second image" is the one looked at.
        alone: whether there is no other; "compare these two images." before a question only leads to it.
    """
    if not _speaks_of_change(tokens):
        return _of_dates(tokens, drop_later=dated)
    found = _of_dates(_without_images(tokens), drop_later=dated)
    if not _speaks_of_change(found):
        return found
    return _asked(_named(_as_adjectives(_whole_questions(found, alone=alone))))


def _texts(tokens: Sequence[Token]) -> list[str]:
    return [token.text for token in tokens]


def _put(tokens: list[Token], at: int, length: int, said: str) -> list[Token]:
    """The tokens with `length` of them replaced by words, which take their place."""
    span = tokens[at : at + max(1, length)] or tokens[-1:]
    words = [Token(word, span[0].start, span[-1].stop, "word") for word in said.split()]
    return [*tokens[:at], *words, *tokens[at + length :]]


def _find(tokens: Sequence[Token], phrase: str, at: int = 0) -> int | None:
    """Where the phrase stands, from a place on."""
    wanted, texts = phrase.split(), _texts(tokens)
    return next((i for i in range(at, len(texts) - len(wanted) + 1) if texts[i : i + len(wanted)] == wanted), None)


def _with_word(tokens: list[Token]) -> list[Token]:
    """Sayings of several words as one word."""
    for phrase, meant in (*_ONE_WORD, *((each, "are gone") for each in _NO_LONGER)):
        while (at := _find(tokens, phrase)) is not None:
            tokens = _put(tokens, at, len(phrase.split()), meant)
    for said in ("differences", "difference", "alterations", "modifications"):
        while (at := _find(tokens, said)) is not None and not _is_of_numbers(tokens, at):
            tokens = _put(tokens, at, 1, "changes" if said.endswith("s") else "change")
    return tokens


def _is_of_numbers(tokens: Sequence[Token], at: int) -> bool:
    """Whether "the difference between the number of ..." is meant."""
    after = _texts(tokens[at + 1 : at + 5])
    return after[:1] in (["between"], ["in"]) and any(word in after for word in ("number", "numbers", "count"))


def _speaks_of_change(tokens: Sequence[Token]) -> bool:
    texts = _texts(tokens)
    if not {"new", "gone", "change", "changes", "changed", "compare", "identical", *VERBS_OF_CHANGE}.isdisjoint(texts):
        return True
    return any(text == "same" and _ends(texts[at + 1 :]) for at, text in enumerate(texts))  # not "of the same place"


def _without_images(tokens: list[Token]) -> list[Token]:
    """Without words that only tell that there are two images: "between these two images", "since the first one"."""
    at = 0
    while at < len(tokens):
        length = _pair_length(_texts(tokens[at:]))
        if length:
            tokens = [*tokens[:at], *tokens[at + length :]]
        else:
            at += 1
    return tokens


def _pair_length(texts: list[str]) -> int:
    """How many words from here on only tell that there are two images; 0 for none."""
    within = texts[0] in ("between", "across", "in", "over", "from", "within")
    at = int(within)
    while texts[at : at + 1] and texts[at] in _OF_BOTH:
        at += 1
    if texts[at : at + 1] and texts[at] in _SEVERAL and (within or {"two", "2", "both", "these"} & set(texts[:at])):
        return at + 1
    for lead in _SINCE:
        length = len(lead)
        one = _one_image(texts[length:], _EARLIER) if texts[:length] == lead else 0
        if not one:
            continue
        length += one
        if texts[length : length + 1] in (["to"], ["and"]):
            other = _one_image(texts[length + 1 :], _LATER)
            length += 1 + other if other and _ends(texts[length + 1 + other :]) else 0
            return length if _ends(texts[length:]) else 0
        return length if _ends(texts[length:]) and lead not in (["from"], ["between"]) else 0
    return next((len(said) for said in _MEANTIME if texts[: len(said)] == said and _ends(texts[len(said) :])), 0)


def _ends(rest: list[str]) -> bool:
    """Whether no noun follows: "between the two" is not "between the two rivers", nor "... the two largest halls"."""
    if not rest or not rest[0].isalpha():
        return True
    return rest[0] in RESERVED and not any(rest[0] in table for table in (VERBS_OF_CHANGE, ADJECTIVES.entries, _RANKED))


def _one_image(texts: list[str], which: Sequence[str]) -> int:
    """The length of "the first image", "the earlier one", "the first"; 0 where no such words come."""
    at = int(texts[:1] in (["the"], ["that"], ["this"], ["my"]))
    if not texts[at : at + 1] or texts[at] not in which:
        return 0
    return at + 1 + (texts[at + 1 : at + 2] != [] and texts[at + 1] in ("one", *_SINGLE))


def _of_dates(tokens: list[Token], *, drop_later: bool = True) -> list[Token]:
    """ "the river in the first image" as "the earlier river"; "in the second image" falls away: it is looked at.

    Args:
        drop_later: without, the second image stays, to be refused: where no change is spoken of, it may be any image.
    """
    at = 0
    while at < len(tokens):
        texts = _texts(tokens[at:])
        earlier, later = (_one_image(texts[1:], which) for which in (_EARLIER, _LATER))
        named = bool(earlier or later) and texts[earlier or later] in _SINGLE
        if texts[0] not in ("in", "on", "at", "of", "from") or not named or (later and not drop_later):
            at += 1
            continue
        start = _noun_before(tokens, at)
        if start is None and earlier:
            at += 1
            continue
        stop = at + 1 + (earlier or later)
        stop += (
            not at and tokens[stop : stop + 1] != [] and tokens[stop].text == ","
        )  # "in the second image, which ..."
        tokens = [*tokens[:at], *tokens[stop:]]
        if earlier and start is not None:
            tokens = [*tokens[:start], replace(tokens[start], text="earlier"), *tokens[start:]]
            for past, present in (("were there", "are there"), ("was there", "is there")):
                if (found := _find(tokens, past)) is not None:
                    tokens = [*tokens[:found], replace(tokens[found], text=present.split()[0]), *tokens[found + 1 :]]
    return tokens


def _noun_before(tokens: Sequence[Token], at: int) -> int | None:
    """Where the name that ends before a place begins ("is", "are" and "there" may stand between); None for none."""
    while at and tokens[at - 1].text in ("is", "are", "there", "that", "which", "was", "were", "visible"):
        at -= 1
    start = _name_start(tokens, at)
    if start == at:
        return None
    first = start
    while first and tokens[first - 1].text in ("and", "or", ",") and _name_start(tokens, first - 1) < first - 1:
        first = _name_start(tokens, first - 1)
    head = first - (first > 0 and tokens[first - 1].text in _SETS)
    leads = not head or tokens[head - 1].text in _TELLING
    return first if leads else start  # "find planes and ships in the first image": both are


def _name_start(tokens: Sequence[Token], stop: int) -> int:
    """Where the name that ends at a place begins; the place itself where none does."""
    while stop and tokens[stop - 1].kind == "word" and tokens[stop - 1].text not in RESERVED:
        stop -= 1
    return stop


def _whole_questions(tokens: list[Token], *, alone: bool) -> list[Token]:
    """Questions about the pair as a whole ("what is gone?", "... and what was built near the road?") as requests."""
    end = len(tokens)
    while end and tokens[end - 1].text in _STOPS:
        end -= 1
    body, stops = tokens[:end], tokens[end:]
    if body[:1] and body[0].text == "compare":
        lead = next((at for at, token in enumerate(body) if at and token.text not in _COMPARED), len(body))
        if lead == len(body):
            return _put(body, 0, lead, "detect all changes") if alone else tokens
        if body[lead].text not in _BEFORE_QUESTIONS:
            return tokens
        while lead < len(body) - 1 and body[lead].text in _BEFORE_QUESTIONS:
            lead += 1
        body = body[lead:]  # "compare the two images and tell me what is new"
    at = 0
    while at < len(body):
        told = at > 0 and body[at - 1].text in _TELLING
        if told or not at or body[at - 1].text in _BEFORE_QUESTIONS:
            texts = _texts(body[at:])
            for question, said in _WHOLE:
                length = len(question)
                if texts[:length] == question and (len(texts) == length or texts[length] in RESERVED):
                    body = _put(body, at, length, said.removeprefix("detect ") if told else said)
                    break
        at += 1
    return [*body, *stops]


def _may_be_noun(token: Token) -> bool:
    return token.kind == "word" and (token.text not in RESERVED or token.text in NOUN_TAILS)


def _tells_place(tokens: Sequence[Token], at: int) -> bool:
    """Whether "built" only leads to a place ("houses built along the river"), as "standing" would."""
    if tokens[at].text != "built" or at + 1 == len(tokens) or not tokens[at + 1].text.isalpha():
        return False
    place = tokens[at + 1].text in RESERVED and tokens[at + 1].text not in ("and", "or", "since")
    return place and (not at or tokens[at - 1].text not in _HELPERS or tokens[at - 1].text in ("is", "are"))


def _as_adjectives(tokens: list[Token]) -> list[Token]:
    """Verbs of change as adjectives: "buildings that were demolished", "houses built", "the road changed"."""
    at = 0
    while at < len(tokens):
        meant = VERBS_OF_CHANGE.get(tokens[at].text)
        before = tokens[at - 1].text if at else ""
        follows = at + 1 < len(tokens) and _may_be_noun(tokens[at + 1])
        if meant is None or _tells_place(tokens, at):
            at += 1
        elif before in _HELPERS:
            tokens, at = _with_copula(tokens, at, meant)
        elif before in _PRONOUNS:
            tokens, at = _put(tokens, at, 1, f"are {meant}"), at + 2
        elif follows or before in ("not", "and", "or", "", ",", "but", "(") or before in _SETS:
            said = meant if follows or meant != "changed" else "are changed"  # "that are new or changed"
            tokens, at = _put(tokens, at, 1, said), at + len(said.split())
        else:  # behind its noun: the verb of the question, or part of the noun phrase
            asks = tokens[0].text in ("which", "what", "how", "where") and "are" not in _texts(tokens[:at])
            joined = "are" if asks else "that are"
            tokens, at = _put(tokens, at, 1, f"{joined} {meant}"), at + 1 + len(joined.split())
    return tokens


def _with_copula(tokens: list[Token], at: int, meant: str) -> tuple[list[Token], int]:
    """ "have recently been demolished" as "are gone"; the copula stays where it is when something stands between."""
    start = at
    while start and tokens[start - 1].text in _HELPERS:
        start -= 1
    helpers = _texts(tokens[start:at])
    copula = "is" if {"is", "was", "has"} & set(helpers) else "are"
    if set(helpers) <= set(_BETWEEN):
        return _put(tokens, start, at - start + 1, meant), start + 1  # "has any building been demolished"
    return _put(tokens, start, at - start + 1, f"{copula} {meant}"), start + 2


def _named(tokens: list[Token]) -> list[Token]:
    """ "areas that are changed" as "changes", "areas that are new" as "changes that are new": an area is no class."""
    at = 0
    while at < len(tokens):
        after = _texts(tokens[at + 1 : at + 4])
        if tokens[at].text in _ANYWHERE and after[:1] in (["are"], ["is"], ["that"]):
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
        while (at := _find(tokens, "that are")) is not None and tokens[at + 2 : at + 3] and at > 1:
            tokens = [*tokens[:at], *tokens[at + 2 :]]  # "did any houses disappear(ed)"
    if _texts(tokens[:2]) in (["where", "were"], ["where", "are"], ["where", "have"], ["where", "was"]):
        tokens = [replace(tokens[0], text="which"), *tokens[2:]]
        last = next((at for at in range(len(tokens) - 1, 0, -1) if tokens[at].text in ("new", "gone", "altered")), None)
        if last is not None and tokens[last - 1].text not in ("is", "are"):
            tokens = _put(tokens, last, 1, f"are {tokens[last].text}")
    return tokens


# ---- behind the grammar ------------------------------------------------------------------------------------------
