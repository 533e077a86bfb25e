"""When two condition trees mean the same by their form: the canonical tree that the parser benchmark compares.

What is levelled, and nothing else:

- class phrases: to the lexicon's concept ("oil tanks", "fuel tank" -> "storage tank"), else singular American words;
  "object", "thing", "everything" are one; the order of phrases does not count;
- conjuncts and disjuncts: flattened, each once, in any order;
- "not": pushed inward (De Morgan). A negated measure turns its sign round ("not longer than 40 m" = "at most 40 m"),
  a negated "within d of any" is "beyond d of all", and the like;
- numbers: metric quantities in metres and square metres; "more than 4" = "at least 5", "exactly 0" = "at most 0";
  "at least one" is what a relation and a yes/no question ask anyway;
- a comparison of two sets reads the same from both ends ("fewer cars than planes" = "more planes than cars");
- both ends of "between" count alike;
- `expected` ("the plane": 1) is left out: it is a promise of the wording that is checked, never a condition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..core import lexicon
from ..core.conditions import (
    And,
    Aspect,
    ClassIs,
    Compare,
    CompareWith,
    Condition,
    CountTest,
    Group,
    Node,
    Not,
    Or,
    Output,
    Quantity,
    Relation,
    Request,
    Selection,
)

Tree = dict[str, Any]
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", None: None}
_FAR = {"within": "beyond", "beyond": "within"}
_OTHER = {"any": "all", "all": "any"}
_ANYTHING = {"object", "thing", "item", "anything", "everything"}
_AT_LEAST_ONE = {"op": ">=", "n": 1}


def canonical(request: Request) -> Tree:
    """The canonical tree as plain data; two requests that mean the same by their form have equal ones.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> canonical(parse("red oil tanks that are not longer than 40 m")) == canonical(
        ...     parse("storage tanks at most 40 m long and red"))
        True
    """
    return {"outputs": [_output(output) for output in request.outputs]}


def condition_count(tree: Tree) -> int:
    """How many conditions a canonical tree holds: those on regions, picks, tests of how many and summaries."""
    return sum(_holds(node) for node in _nodes(tree))


def _holds(node: Tree) -> int:
    own = node.get("kind") not in (None, "and", "or", "not")
    asked = ("test", "amount", "summary", "per") if "verb" not in node else ("test", "summary", "unit", "per")
    return own + sum(node.get(name) is not None for name in asked)


def _nodes(value: Any) -> Iterator[Tree]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(item)


def phrase_key(phrase: str) -> str:
    """The concept that a phrase stands for, or its normalised words."""
    normal = lexicon.normalise(phrase)
    return "object" if normal in _ANYTHING else lexicon.concept(phrase) or normal


def _output(output: Output) -> Tree:
    tree = _fields(output)
    if output.verb == "exists" and tree.get("test") == _AT_LEAST_ONE:
        del tree["test"]
    if output.verb == "compare" and (output.op in ("<", "<=") or (output.op == "==" and _swap(tree))):
        tree["target"], tree["other"] = tree["other"], tree["target"]
        tree["op"] = _TURNED[output.op]
        if output.factor != 1:
            tree["factor"] = round(1 / output.factor, 6)
    return tree


def _swap(tree: Tree) -> bool:
    return _key(tree["target"]) > _key(tree["other"])


def _fields(node: Node) -> Tree:
    """A node's fields that differ from their defaults, each in canonical form."""
    tree: Tree = {}
    for name, field in type(node).model_fields.items():
        value = getattr(node, name)
        if name == "kind" or field.is_required() or value != field.default:
            tree[name] = _value(value)
    return tree


def _value(value: Any) -> Any:
    match value:
        case Selection():
            return _selection(value)
        case Quantity():
            metric = ("m2" if value.is_area else "m") if value.is_metric else value.unit
            return {"value": round(value.base_value, 6), "unit": metric}
        case CountTest():
            return _count_test(value)
        case Node():
            return _condition(value, False)  # type: ignore[arg-type]
        case tuple():
            return [_value(item) for item in value]
        case float():
            return round(value, 6)
        case _:
            return value


def _count_test(test: CountTest) -> Tree:
    if test.op == ">":
        return {"op": ">=", "n": test.n + 1}
    if test.op == "<":
        return {"op": "<=", "n": max(test.n - 1, 0)}
    return {"op": "<=" if test.op == "==" and test.n == 0 else test.op, "n": test.n}


def _selection(selection: Selection) -> Tree:
    tree: Tree = {"phrases": sorted({phrase_key(phrase) for phrase in selection.phrases})}
    if selection.where is not None:
        tree["where"] = _condition(selection.where, False)
    if selection.picks:
        tree["picks"] = [_value(pick) for pick in selection.picks]
    return tree


def _condition(node: Condition, negated: bool) -> Tree:
    match node:
        case Not():
            return _condition(node.condition, not negated)
        case And() | Or():
            kind = "and" if isinstance(node, And) != negated else "or"
            return _joined(kind, [_condition(part, negated) for part in node.conditions])
        case ClassIs():
            tree: Tree = {"kind": "class", "phrase": phrase_key(node.phrase)}
        case _:
            tree = _fields(node)
    _level(node, tree)
    return _denied(node, tree) if negated else tree


def _joined(kind: str, parts: list[Tree]) -> Tree:
    flat = [inner for part in parts for inner in (part["conditions"] if part.get("kind") == kind else [part])]
    unique = {_key(part): part for part in flat}
    if len(unique) == 1:
        return flat[0]
    return {"kind": kind, "conditions": [unique[key] for key in sorted(unique)]}


def _level(node: Condition, tree: Tree) -> None:
    """What says nothing is left out, and what has no order gets one."""
    if isinstance(node, Relation):
        if tree.get("amount") == _AT_LEAST_ONE:
            del tree["amount"]
        if node.relation == "between" and node.second is not None:
            tree["reference"], tree["second"] = sorted((tree["reference"], tree["second"]), key=_key)
    elif isinstance(node, Group) and node.form == "group" and tree.get("test") == {"op": ">=", "n": 2}:
        del tree["test"]  # a group is two or more


def _denied(node: Condition, tree: Tree) -> Tree:
    """The tree of "not this": turned round where that is a condition of its own, else wrapped."""
    if isinstance(node, Compare | Aspect | CompareWith) and node.op in _OPPOSITE:
        turned = tree | {"op": _OPPOSITE[node.op]}
        return _requantified(node, turned) if isinstance(node, CompareWith) else turned
    if isinstance(node, Relation) and node.relation in _FAR and node.amount is None:
        return _requantified(node, tree | {"relation": _FAR[node.relation]})
    return {"kind": "not", "condition": tree}


def _requantified(node: Relation | CompareWith, tree: Tree) -> Tree:
    if node.quantifier == "mean":
        return tree
    tree = {name: value for name, value in tree.items() if name != "quantifier"}
    return tree if _OTHER[node.quantifier] == "any" else tree | {"quantifier": "all"}


def _key(tree: Tree) -> str:
    return json.dumps(tree, sort_keys=True)
