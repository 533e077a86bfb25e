"""What the page of `surveyor bench inspect` says of an item, and its condition tree as indented words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ...core.conditions import And, Node, Not, Or, Output, Pick, Request, Selection, children, conjuncts
from ...core.inflection import plural
from ...core.wording import words
from ..bench.items import AnyItem, FieldItem
from ..bench.predictions import Prediction
from .item_roles import compared
from .scoring import scorer_of

_ASKED = {
    "CAPTION": "(describe the image)",
    "GCG": "(describe the image and show what is spoken of)",
    "SCENE": "(which class is the scene of?)",
}
_MOST_REGIONS = 12


def tree_lines(node: Node, depth: int = 0) -> Iterator[tuple[int, str]]:
    """A condition tree as indented words: (depth, words) line by line.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> for depth, text in tree_lines(parse("detect the two largest ships near the longest bridge")):
        ...     print("  " * depth + text)
        detect
          ships
            near the longest bridge
              bridges
                then the longest
            then the two largest
    """
    match node:
        case Request():
            for output in node.outputs:
                yield from tree_lines(output, depth)
        case Output():
            yield depth, node.verb
            for child in children(node):
                yield from tree_lines(child, depth + 1)
        case Selection():
            named = " or ".join(plural(phrase) for phrase in node.phrases)
            yield depth, named + (f", {node.expected} expected" if node.expected else "")
            for condition in conjuncts(node.where):
                yield from tree_lines(condition, depth + 1)
            for pick in node.picks:
                yield depth + 1, f"then {words(pick)}"
                yield from _references(pick, depth + 2)
        case And() | Or() | Not():
            yield depth, {"and": "all of", "or": "any of", "not": "not"}[node.kind]
            for child in children(node):
                yield from tree_lines(child, depth + 1)
        case Pick():
            yield depth, f"among {words(node)}"
            yield from _references(node, depth + 1)
        case _:
            yield depth, words(node)
            yield from _references(node, depth + 1)


def _references(node: Node, depth: int) -> Iterator[tuple[int, str]]:
    """The selections below a condition that have conditions of their own."""
    for child in children(node):
        if isinstance(child, Selection) and (child.where is not None or child.picks):
            yield from tree_lines(child, depth)


def entry(
    item: AnyItem,
    by_id: Mapping[str, AnyItem],
    *,
    picture: str,
    prediction: Prediction | None = None,
    of_run: bool = False,
) -> dict[str, Any]:
    """What the page says of an item, as plain data.

    Args:
        item: the item.
        by_id: all items, for the twin's words.
        picture: address of its picture.
        prediction: the run's answer; None with `of_run` is one that the run has not given yet.
        of_run: whether a run is shown.
    """
    told: dict[str, Any] = {
        "id": item.id,
        "picture": picture,
        "expression": asked(item),
        "paraphrases": [],
        "tree": [],
        "steps": [],
        "texts": [],
        "tags": list(item.tags),
        "twin": None,
        "distractors": [],
        "provenance": _provenance(item),
        "run": _told(item, prediction) if of_run else None,
    }
    if isinstance(item, FieldItem):
        right, none = item.objects, "what is marked" if item.rle or item.masks else "a text"
        told["texts"] = [*item.answers, *item.phrases]
        told["steps"] = [f"one of: {', '.join(item.options)}"] if item.options else []
    else:
        right, none = item.answers, "nothing is right" if item.is_zero_match else "the shaded pixels"
        told["paraphrases"] = list(item.paraphrases)
        told["tree"] = [list(line) for line in tree_lines(item.request)]
        told["steps"] = list(item.sub_instructions)
        told["distractors"] = [[name.replace("_", " "), str(count)] for name, count in item.distractors.items()]
        if item.twin is not None:
            other = by_id.get(item.twin)
            told["twin"] = {"id": item.twin, "expression": "" if other is None else asked(other)}
    return told | {"answers": [[each.id, each.label, _box(each.hbb)] for each in right], "none": none}


def asked(item: AnyItem) -> str:
    """What an item asks, in words; those of the task where the item has none of its own."""
    return (item.text or _ASKED.get(item.task, item.task)) if isinstance(item, FieldItem) else item.expression


def _box(box: Collection[float]) -> str:
    return " ".join(f"{value:.0f}" for value in box)


def _provenance(item: AnyItem) -> list[list[str]]:
    image = item.image
    rows = [["image", image.path]]
    rows += [["later image", item.after.path]] if item.after else []
    rows += [["crop", _box(image.crop_xyxy)]] if image.crop_xyxy else []
    rows.append(["size", f"{image.size_wh[0]} x {image.size_wh[1]} px"])
    rows += [["ground sample distance", f"{image.gsd_m:g} m"]] if image.gsd_m else []
    rows += [["source", image.source], ["family", image.family]]
    if isinstance(item, FieldItem):
        return rows + [[name, str(value)] for name in ("split", "type", "group") if (value := getattr(item, name))]
    judged, ignored = len(item.universe_ids), len(item.ignored_ids)
    told = [f"{len(item.objects)} known", f"{judged} of the class that is asked for"]
    told += [f"{ignored} {'counts' if ignored == 1 else 'count'} neither way"] if ignored else []
    rows += [
        ["objects", ", ".join(told)],
        ["built by", f"version {item.made.version} of the builder, with seed {item.made.seed}"],
    ]
    wording = re.sub(r"\{\d\}", "…", item.made.template)
    return rows + ([["wording", wording]] if wording.strip("…") else [])


def _told(item: AnyItem, given: Prediction | None) -> dict[str, Any]:
    """What became of an item in a run."""
    if given is None:
        return {"state": "missing", "right": False, "told": "not answered yet", "lines": [], "tree": [], "said": ""}
    is_right = _is_right(item, given)
    state = {True: "right", False: "wrong", None: "answered"}[is_right]
    told = state if given.status == "answered" else f"no answer: {given.status}"
    found = compared(item, given)
    lines = [["time", f"{given.seconds:.2f} s"]]
    if given.status == "answered" and item.task in ("CREC", "REC"):
        told += f": {len(found.hits)} found, {len(found.false)} found wrongly, {len(found.missed)} missed"
    if given.status == "answered" and not given.regions and given.mask_rle is None:
        told += " (it answered: none)"
    for region in given.regions[:_MOST_REGIONS]:
        score = "" if region.score is None else f", score {region.score:.2f}"
        lines.append([region.label or "region", f"{_box(region.hbb)}{score}"])
    if len(given.regions) > _MOST_REGIONS:
        lines.append(["", f"and {len(given.regions) - _MOST_REGIONS} more"])
    return {
        "state": state if given.status == "answered" else given.status,
        "right": is_right is not False,
        "told": told,
        "lines": lines,
        "tree": _understood(item, given),
        "said": given.said,
    }


def _is_right(item: AnyItem, given: Prediction) -> bool | None:
    """Whether the answer is right; None for texts and single masks, which are scored by degrees."""
    if isinstance(item, FieldItem):
        return bool(compared(item, given).hits) if item.task == "REC" else None if given.status == "answered" else False
    return bool(scorer_of(item.task)([item], [given]).item(item.id)["right"])


def _understood(item: AnyItem, given: Prediction) -> list[list[Any]]:
    """The tree that was understood, where it is another one than the item's."""
    if given.request is None:
        return []
    try:
        request = Request.model_validate(given.request)
    except ValidationError:
        return [[0, "a tree that cannot be read"]]
    if isinstance(item, FieldItem) or request != item.request:
        return [list(line) for line in tree_lines(request)]
    return []
