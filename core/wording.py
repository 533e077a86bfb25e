"""The canonical English of every node of the condition tree.

The words serve as verdict keys, as sub-instructions, as names of reference sets and as what is shown to people. They
are unambiguous: `surveyor.agent.parser.parse(words(request)) == request` (property test). Brackets stand where plain
English would leave open which noun a condition belongs to.
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from .changes import date_word
from .conditions import (
    Among,
    And,
    Aspect,
    Changed,
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    Comparison,
    Condition,
    CountTest,
    Group,
    InBox,
    Node,
    Not,
    Or,
    Orientation,
    Output,
    Pick,
    Position,
    Provided,
    Quantity,
    Relation,
    Request,
    Selection,
    Shape,
    SizeWord,
    all_of,
    conjuncts,
)
from .inflection import cardinal, is_plural, ordinal, plural
from .wording_tables import (
    AMOUNTS,
    CELLS,
    COMPARATIVES,
    EQUATIVES,
    FROM,
    FURTHER,
    IMAGE_CENTRE,
    MORE_THAN,
    PLAIN_RELATIONS,
    SIDES,
    SIMPLE_COMPARISONS,
    SUMMARIES,
    SUPERLATIVES,
    SURFACES,
    TOWARD,
)

_Adjective = SizeWord | Shape | Orientation | Colour | Changed
_JUXTAPOSED = (Among, Compare, Aspect, CompareWith, Relation, Position, InBox, Group, Provided)


def words(node: Node) -> str:
    """The canonical English of a node: "longer than 40 m", "planes near the river", "detect all planes".

    Args:
        node: any node of the tree in `surveyor.core.conditions`.

    Example:
        >>> from surveyor.core.conditions import Colour, Selection
        >>> words(Selection(phrases=("storage tank",), where=Colour(word="white")))
        'white storage tanks'
    """
    match node:
        case Request():
            return "; ".join(words(output) for output in node.outputs)
        case Output():
            return _output(node)
        case Selection():
            return _selection(node)
        case CountTest():
            return f"{AMOUNTS[node.op]} {cardinal(node.n)}"
        case Quantity():
            return f"{_number(node.value)} {node.unit}"
        case Pick():
            return f"the {_rank(node)}"
        case _:
            return _condition(node)  # type: ignore[arg-type]


def selecting(condition: Condition) -> str:
    """The sub-instruction that applies a condition (GeoRSMLLM III-B): "select those on the east side of the river"."""
    if isinstance(condition, Pick):
        return f"select {words(condition)}"
    if isinstance(condition, Provided):
        return f"go on {words(condition)}"
    if isinstance(condition, Or):
        classes = [
            found.phrase for part in condition.conditions for found in conjuncts(part) if isinstance(found, ClassIs)
        ]
        union = Selection(phrases=tuple(classes), where=condition) if classes else None
        if union is not None and _branches(union):
            return f"select the {words(union)}"
    return f"select those {_clause(condition, many=True).strip()}"


def _number(value: float) -> str:
    """The shortest exact decimal, without exponent: 40.0 -> "40"."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# ---- conditions ----------------------------------------------------------------------------------------------


def _condition(node: Condition, level: int = 0) -> str:
    """Words of a condition; `level` is 0 where "or" may stand bare, 1 where "and" may, 2 where neither may."""
    match node:
        case And():
            text = " and ".join(_condition(part, 2) for part in node.conditions)
            return f"({text})" if level > 1 else text
        case Or():
            parts = [_condition(part, 1) for part in node.conditions]
            parts[:-1] = [
                f"({text})" if _has_bare_not(part) else text
                for text, part in zip(parts[:-1], node.conditions[:-1], strict=True)
            ]
            text = " or ".join(parts)
            return f"({text})" if level > 0 else text
        case Not():
            inner = node.condition
            if isinstance(inner, Pick):
                return f"not {words(inner)}"
            text = _condition(inner, 2)
            amount = isinstance(inner, Relation) and inner.relation == "beyond"  # "not more than 5 m" is an amount
            amount = amount or (isinstance(inner, CompareWith) and not text.startswith(tuple(COMPARATIVES.values())))
            return f"not ({text})" if amount or isinstance(inner, Not) else f"not {text}"
        case Pick():
            return f"among {words(node)}"
        case _:
            return _atom(node)


def _has_bare_not(node: Condition) -> bool:
    """Whether a "not" would reach over a following "or"."""
    return isinstance(node, Not) or (isinstance(node, And) and any(isinstance(part, Not) for part in node.conditions))


def _atom(
    node: ClassIs
    | Among
    | Compare
    | Aspect
    | CompareWith
    | _Adjective
    | Position
    | InBox
    | Relation
    | Group
    | Provided,
) -> str:
    match node:
        case ClassIs():
            return f"of type {node.phrase}"
        case Among():
            return f"called {' or '.join(node.ids)}"
        case SizeWord() | Shape() | Orientation() | Colour() | Changed():
            return node.word
        case Compare():
            return _compare(node)
        case Aspect():
            return f"with an aspect ratio of {_amount(node.op)} {_number(node.ratio)}"
        case CompareWith():
            return _compare_with(node)
        case Group():
            return _group(node)
        case Provided():
            return f"provided {_there_are(node.test, node.reference)}"
        case Position():
            return _position(node)
        case InBox():
            return f"in the box {list(node.xyxy)}" + (" px" if node.unit == "px" else "")
        case Relation():
            return _relation(node)
        case _:
            assert_never(node)


def _compare(node: Compare) -> str:
    quantity = words(node.quantity)
    if (node.attribute, node.op) in SIMPLE_COMPARISONS:
        return SIMPLE_COMPARISONS[node.attribute, node.op].format(quantity)
    amount = _amount(node.op)
    if node.attribute == "length":
        return f"{amount} {quantity} long"
    if node.attribute == "width":
        return f"{amount} {quantity} wide"
    return f"with {'an' if node.attribute == 'area' else 'a'} {node.attribute} of {amount} {quantity}"


def _amount(op: Comparison) -> str:
    return "less than" if op == "<" else AMOUNTS[op]


def _compare_with(node: CompareWith) -> str:
    if node.quantifier == "mean":
        reference = f"the average of {_reference(node.reference, 'any')}"
    else:
        reference = _reference(node.reference, node.quantifier)
    single = (node.reference.picks[-1].count if node.reference.picks else node.reference.expected) == 1
    if node.quantifier == "any" and not single:
        reference = f"at least one of {reference}"
    if node.factor == 1 and (node.attribute, node.op) in COMPARATIVES:
        return f"{COMPARATIVES[node.attribute, node.op]} {reference}"
    times = "" if node.factor == 1 else f"{_number(node.factor)} times "
    return f"{_amount(node.op)} {times}{EQUATIVES[node.attribute]} {reference}"


def _group(node: Group) -> str:
    if node.which is not None:
        return f"in the {node.which} {node.form}"
    return f"in a {node.form}" + ("" if node.test is None else f" of {words(node.test)}")


def _there_are(test: CountTest, selection: Selection) -> str:
    """ "there are more than five planes", "there is exactly one plane"."""
    return f"there {'is' if test.n == 1 else 'are'} {_counted(test, selection)}"


def _counted(test: CountTest, selection: Selection) -> str:
    """ "at least two planes", "exactly one ship", "at least two of the three largest ships"."""
    text = _selection(selection, joint=" or ") if _is_plain_union(selection) else _selection(selection)
    if selection.expected is not None or selection.picks:
        chained = len(selection.picks) > 1 and selection.picks[-1].by == "distance"
        return f"{words(test)} of ({text})" if chained or _is_open_ended(text) else f"{words(test)} of {text}"
    if test.n == 1 and not _branches(selection):
        text = _one(selection)
    return (
        f"{words(test)} ({text})"
        if _is_open_ended(text) and not _is_plain_union(selection)
        else f"{words(test)} {text}"
    )


def _one(selection: Selection) -> str:
    """The selection in the singular, without article: "plane near the river"."""
    text = _selection(selection.model_copy(update={"expected": 1}), joint=" or ")
    return text.removeprefix("the ").removeprefix("one ")


def _position(node: Position) -> str:
    if node.frame == "edge":
        return "at the edge of the image" if node.place == "any" else f"at the {node.place} edge"
    if node.frame == "cell":
        return f"in the {CELLS[node.place]}" if node.place in CELLS else f"in the {node.place} corner"
    return f"in the {node.place} {node.frame}"


def _relation(node: Relation) -> str:
    if node.reference is None:
        return "in a row"
    if node.relation == "between":
        first = _reference(node.reference, "any")
        plain = node.reference.where is None and len(node.reference.picks) < 2
        if node.second is not None and not plain and not first.startswith("("):
            first = f"({first})"  # else the second thing could join a reference inside the first
        return f"between {first}" if node.second is None else f"between {first} and {_reference(node.second, 'any')}"
    if node.relation in ("same_side", "other_side"):
        return _seen_from(node, node.reference)
    target = (
        _reference(node.reference, node.quantifier) if node.amount is None else _counted(node.amount, node.reference)
    )
    if node.relation == "beyond":
        start = "more than" if node.distance is None else f"more than {words(node.distance)}"
        if node.amount is not None:
            return f"{start} from {target}"
        if node.quantifier == "all":
            return f"{start} from {_reference(node.reference, 'any')}"
        return f"{start} from at least one of {target}"
    if node.relation == "within" and node.distance is not None:
        return f"within {words(node.distance)} of {target}"
    if node.direction is not None:
        if node.relation == "side":
            return f"on the {SIDES[node.direction]} side of {target}"
        return f"{(TOWARD if node.relation == 'toward' else FURTHER)[node.direction]} {target}"
    flat = node.relation == "inside" and all(name.split()[-1] in SURFACES for name in node.reference.phrases)
    return f"{'on' if flat else PLAIN_RELATIONS[node.relation]} {target}"


def _seen_from(node: Relation, reference: Selection) -> str:
    """ "on the same side of the river as the church", "on the other side of the river from the church"."""
    side, joint = ("same", "as") if node.relation == "same_side" else ("other", "from")
    target = _reference(reference, node.quantifier)
    plain = reference.where is None and not reference.picks
    target = target if plain or target.startswith("(") else f"({target})"
    viewpoint = IMAGE_CENTRE if node.second is None else _reference(node.second, "any")
    return f"on the {side} side of {target} {joint} {viewpoint}"


def _reference(selection: Selection, quantifier: str) -> str:
    """A selection after a preposition, in brackets where what follows could be taken for a part of it."""
    if quantifier == "all":
        text = _selection(selection)
        text = "both" + text[len("the two") :] if text.startswith("the two ") and not selection.picks else f"all {text}"
    elif _is_plain_union(selection):
        text = _selection(selection, joint=" or ")
        return text if selection.expected is None else f"({text})"
    else:
        text = _selection(selection)
    chained = len(selection.picks) > 1 and selection.picks[-1].by == "distance"
    return f"({text})" if chained or _is_open_ended(text) else text


def _is_plain_union(selection: Selection) -> bool:
    return len(selection.phrases) > 1 and selection.where is None and not selection.picks


def _is_open_ended(text: str) -> bool:
    """Whether "and", "or", "that", "provided" or a comma stands outside of brackets."""
    depth = 0
    for word in text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split():
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("and", "or", "that", "provided", ","):
            return True
    return False


# ---- selections ----------------------------------------------------------------------------------------------


def _selection(node: Selection, joint: str = " and ") -> str:
    branches = _branches(node)
    if branches:
        return ", and ".join(_said_branches(branches))
    first = node.picks[0] if node.picks else None
    count = first.count if first else node.expected
    adjectives, rest = _split_adjectives(node.where)
    names = [of_date(phrase, adjectives) for phrase in node.phrases]
    mixed = len(set(map(date_word, names))) > 1
    if mixed:  # "changed ships and the buildings that are large": what stands before the first would hold for all
        adjectives, rest = [], node.where
    noun = joint.join(_one_of(names, at, mixed=mixed, many=count != 1) for at in range(len(names)))
    lead, suffix, trailer = _determiner(node), "", ""
    if first is not None and first.by == "distance":
        lead = "the " if first.count == 1 else f"the {cardinal(first.count)} "
        trailer = f"{_rank_order(first)}{_superlative(first)}"
    elif first is not None and first.first > 1 and (first.by, first.order) in FROM:
        lead = f"the {_ranks(first)} "
        suffix = f" from the {FROM[first.by, first.order]}"
    elif first is not None:
        lead = f"{words(first)} "
    text = lead + "".join(f"{adjective.word} " for adjective in adjectives) + noun + suffix
    text += _clause(rest, many=count != 1, level=1 if trailer else 0)
    if trailer:
        text += f"{' and' if rest is not None else ''} {trailer}"
    for pick in node.picks[1:]:
        text = f"the {_rank(pick, before_of=True)} of {text}"
    return text


def _one_of(names: list[str], at: int, *, mixed: bool, many: bool) -> str:
    """A name in a list; "changed" and "earlier" of the first hold for all that have no article."""
    word = date_word(names[0]) if at else ""
    name = names[at].removeprefix(f"{word} ") if word else names[at]
    article = "the " if at and mixed and not date_word(names[at]) else ""
    return article + (plural(name) if many else name)


def of_date(phrase: str, adjectives: list[_Adjective]) -> str:
    """ "building" for the "changed building" that is "new": the adjective says that it changed."""
    is_said = any(isinstance(each, Changed) for each in adjectives) and phrase.startswith("changed ")
    return phrase.removeprefix("changed ") if is_said else phrase


def _determiner(node: Selection) -> str:
    if node.expected is None:
        return ""
    told = node.expected == 1 and is_plural(node.phrases[0]) is False  # "the aircraft" may be several
    return "the " if told else f"the {cardinal(node.expected)} "


def _split_adjectives(where: Condition | None) -> tuple[list[_Adjective], Condition | None]:
    """The adjectives that can stand before the noun, and the condition that is left."""
    parts = list(where.conditions) if isinstance(where, And) else [] if where is None else [where]
    adjectives: list[_Adjective] = []
    while parts and isinstance(first := parts[0], _Adjective):
        adjectives.append(first)
        del parts[0]
    return adjectives, all_of(parts)


def _clause(condition: Condition | None, many: bool, level: int = 0) -> str:
    """The condition after its noun: " longer than 40 m", " that are not near the river"."""
    if condition is None:
        return ""
    text = _condition(condition, level)
    lead = condition
    while isinstance(lead, And | Or):
        lead = lead.conditions[0]
    settled = not many and isinstance(lead, Compare)  # a bare size would be taken for one of an outer noun
    if isinstance(lead, _JUXTAPOSED) and not text.startswith("(") and not settled:
        return f" {text}"
    return f" that {'are' if many else 'is'} {text}"


def _branches(node: Selection) -> list[Selection]:
    """The parts of a union whose classes have conditions of their own ("long planes, and ships"); else empty."""
    if not isinstance(node.where, Or) or node.picks or node.expected is not None:
        return []
    branches = []
    for part in node.where.conditions:
        inner = part.conditions if isinstance(part, And) else (part,)
        if not isinstance(inner[0], ClassIs) or any(isinstance(other, ClassIs) for other in inner[1:]):
            return []
        branches.append(Selection(phrases=(inner[0].phrase,), where=all_of(inner[1:])))
    fits = tuple(branch.phrases[0] for branch in branches) == node.phrases
    told = any(branch.where is not None for branch in branches[:-1])  # else what the last has behind it is for all
    told = told or (bool(branches) and _split_adjectives(branches[-1].where)[1] is None)
    return branches if fits and told else []


def _said_branches(branches: list[Selection]) -> list[str]:
    """The parts of a union; where adjectives of the first or conditions of the last would be taken for all, the
    adjectives of the others stand behind their nouns."""
    parts = [_split_adjectives(branch.where) for branch in branches]
    settled = any(rest is not None for _, rest in parts[:-1])
    settled = settled or (parts[-1][1] is None and any(adjectives for adjectives, _ in parts[1:]))
    texts = []
    for branch, (adjectives, rest) in zip(branches, parts, strict=True):
        if settled or branch is branches[-1] or not adjectives or rest is not None:
            texts.append(_selection(branch))
        else:
            texts.append(f"{plural(branch.phrases[0])} that are {' and '.join(each.word for each in adjectives)}")
        spreads = date_word(texts[0]) or (settled and parts[0][0] and branch is not branches[-1])
        if texts[1:] and spreads and not date_word(texts[-1]) and not adjectives:
            texts[-1] = f"the {texts[-1]}"  # else what stands before the first would hold for these, too
    return texts


# ---- ranks ---------------------------------------------------------------------------------------------------


def _superlative(pick: Pick, before_of: bool = False) -> str:
    text = SUPERLATIVES[pick.by, pick.order]
    if pick.reference is not None:
        reference = _reference(pick.reference, "any")
        if before_of and pick.reference.where is not None and not reference.startswith("("):
            reference = f"({reference})"  # else "planes in the top left corner of the ..."
        text += f" {'to' if pick.order == 'min' else 'from'} {reference}"
    return text


def _ranks(pick: Pick) -> str:
    if pick.count == 1:
        return ordinal(pick.first)
    return f"{ordinal(pick.first)} to {ordinal(pick.first + pick.count - 1)}"


def _rank_order(pick: Pick) -> str:
    return "" if pick.first == 1 else f"{_ranks(pick)} "


def _rank(pick: Pick, before_of: bool = False) -> str:
    """The rank without article: "largest", "two largest", "second largest", "second from the left"."""
    if pick.first > 1 and (pick.by, pick.order) in FROM:
        return f"{_ranks(pick)} from the {FROM[pick.by, pick.order]}"
    number = f"{cardinal(pick.count)} " if pick.first == 1 and pick.count > 1 else ""
    return f"{number}{_rank_order(pick)}{_superlative(pick, before_of)}"


# ---- outputs -------------------------------------------------------------------------------------------------


def _output(node: Output) -> str:
    target = _selection(node.target)
    bracketed = node.verb == "compare" or node.attribute == "distance"
    target = f"({target})" if bracketed and _is_open_ended(target) else target
    definite = target.startswith("the ")
    everything = target if definite else f"all {target}"
    if node.verb == "measure":
        unit = f" in {node.unit}" if node.unit else ""
        summary = f"{SUMMARIES[node.summary]} " if node.summary else ""
        to = f" to {_reference(node.reference, 'any')}" if node.reference is not None else ""
        return f"measure the {summary}{node.attribute} of {everything}{to}{unit}"
    if node.per is not None:
        return f"count the {node.per}s among {everything}"
    if node.verb == "exists":
        if node.test is not None:
            one = node.test.n == 1 and not node.target.picks and not _branches(node.target)
            asked = _one(node.target) if one else target
            return f"check whether there {'is' if one else 'are'} {words(node.test)} {asked}"
        return f"check whether there {'is' if definite else 'are any'} {target}"
    if node.verb == "compare" and node.other is not None:
        other = _selection(node.other)
        other = f"({other})" if _is_open_ended(other) else other
        if node.op is None:
            return f"compare the number of {target} with the number of {other}"
        if node.factor != 1:
            return (
                f"check whether there are {AMOUNTS[node.op]} {_number(node.factor)} times as many {target} as {other}"
            )
        return f"check whether there are {MORE_THAN[node.op].format(target, other)}"
    return f"{node.verb} {everything}"
