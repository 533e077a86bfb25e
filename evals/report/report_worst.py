"""The items that a run does worst on, spread over the ways in which answers go wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ...core.conditions import Request
from ...core.wording import words
from ..scores.scored import ANSWERED, MISSING, Scored
from .report_words import item_column, shortened
from .scoring import Run

MOST_SAID = 400
_RIGHT = ("set@0.5", "right", "acc@0.5", "p@0.5", "strict")
_AT_LEAST = {"iou": 0.5, "rouge": 0.2}
_IN_WORDS = ("VQA", "CAPTION", "SCENE", "GCG")


@dataclass(frozen=True)
class Failure:
    """An item that a run has wrong.

    Attributes:
        id: of the item.
        kind: how it went wrong: a status, "misread", "nothing found", "too much", ...
        score: of the item, 0 to 1; None where the scorer knows none.
    """

    id: str
    kind: str
    score: float | None


def failures(run: Run, track: str | None = None) -> list[Failure]:
    """Every item that a run has wrong, in the order of the file; kinds as in `kind_of`."""
    name = track or next(iter(run.tables))
    table = run.tables[name]
    at = {id_: i for i, id_ in enumerate(table.ids)}
    column = item_column(table.columns)
    right = _right(table)
    misread = _misread(run)
    found = []
    for item in run.items:
        i = at.get(item.id)
        if i is None or right[i]:
            continue
        adds = {key: float(values[i]) for key, values in table.columns.items()}
        kind = kind_of(table.statuses[i], adds, is_misread=item.id in misread)
        found.append(Failure(item.id, kind, adds[column] if column else None))
    return found


def _right(table: Scored) -> list[bool]:
    """Whether each item counts as right: by its own verdict, else from an IoU of 0.5 or a ROUGE_L of 0.2 on."""
    name = next((name for name in _RIGHT if name in table.columns), None)
    if name is not None:
        return [value >= 1.0 for value in table.columns[name].tolist()]
    for name, least in _AT_LEAST.items():
        if name in table.columns:
            return [value >= least for value in table.columns[name].tolist()]
    return [status == ANSWERED for status in table.statuses]


def _misread(run: Run) -> set[str]:
    """Ids of the items that were understood as something else."""
    if run.parsed is None:
        return set()
    exact, read = (run.parsed.columns[name].tolist() for name in ("exact", "items"))
    return {id_ for id_, same, judged in zip(run.parsed.ids, exact, read, strict=True) if judged and not same}


def kind_of(status: str, adds: Mapping[str, float], *, is_misread: bool = False) -> str:
    """How a wrong answer is wrong, from what its item adds to the sums.

    Example:
        >>> kind_of("answered", {"targets": 1, "tp@0.5": 1, "fp@0.5": 2, "fn@0.5": 0})
        'too much'
        >>> kind_of("timeout", {})
        'timeout'
    """
    if status != ANSWERED:
        return "nothing found" if status == "none" else status
    if is_misread:
        return "misread"
    if adds.get("zeros"):
        return "found where nothing is right"
    if "tp@0.5" in adds:
        hits, extra, missed = (adds[f"{name}@0.5"] for name in ("tp", "fp", "fn"))
        if not hits and not extra:
            return "nothing found"
        if not hits:
            return "others found"
        return "too much and too little" if extra and missed else "too much" if extra else "too little"
    if adds.get("targets") and not adds.get("target_answered"):
        return "nothing found"
    if "rouge" in adds:
        return "other words"
    if "iou" in adds:
        return "IoU below 0.5" if adds["iou"] > 0 else "another place"
    return "wrong"


def kinds(run: Run, track: str | None = None) -> dict[str, int]:
    """Kind of failure -> how many items, most first."""
    return dict(Counter(each.kind for each in failures(run, track)).most_common())


def worst(run: Run, most: int) -> list[Failure]:
    """At most so many failures: kinds take turns, each with its lowest scores and its least shown conditions first."""
    if most < 1:
        return []
    tags = {item.id: item.tags for item in run.items}
    queues: dict[str, list[Failure]] = defaultdict(list)
    for each in failures(run):
        if each.kind != MISSING:
            queues[each.kind].append(each)
    order = sorted(queues, key=lambda kind: (-len(queues[kind]), kind))
    turns = [_by_turns(queues[kind], tags) for kind in order]
    chosen: list[Failure] = []
    while turns and len(chosen) < most:
        for turn in list(turns):
            following = next(turn, None)
            if following is None:
                turns.remove(turn)
            elif len(chosen) < most:
                chosen.append(following)
    return sorted(chosen, key=lambda each: (order.index(each.kind), each.score or 0.0, each.id))


def _by_turns(found: Sequence[Failure], tags: Mapping[str, Sequence[str]]) -> Iterator[Failure]:
    """The lowest scores first; of equal scores those whose conditions were shown least."""
    shown: Counter[str] = Counter()
    left = list(found)
    while left:
        best = min(left, key=lambda each: (each.score or 0.0, sum(shown[tag] for tag in tags[each.id]), each.id))
        left.remove(best)
        shown.update(tags[best.id])
        yield best


# ---- in words -------------------------------------------------------------------------------------------------


def told(run: Run, failure: Failure) -> dict[str, Any]:
    """What a reader sees of a failure: question, truth, answer, what was understood and said."""
    item = next(each for each in run.items if each.id == failure.id)
    prediction = run.predictions.get(failure.id)
    answered = prediction is not None and prediction.status == ANSWERED
    return {
        "id": item.id,
        "kind": failure.kind,
        "score": failure.score,
        "asked": getattr(item, "expression", None) or getattr(item, "text", "") or "(no words)",
        "truth": _truth(run, item),
        "answer": _answer(run, item, prediction),
        "understood": None if prediction is None else _understood(item, prediction.request),
        "said": ""
        if prediction is None or (answered and item.task in _IN_WORDS)
        else shortened(prediction.said, MOST_SAID),
        "status": MISSING if prediction is None else prediction.status,
        "image": item.image.path,
        "tags": list(item.tags),
        "is_pair": item.after is not None,
    }


def _truth(run: Run, item: Any) -> str:
    if item.task == "RCD":
        adds = run.main.item(item.id)
        return _pixels(adds["tp"] + adds["fn"])
    if item.task in ("CREC", "CRES"):
        return _objects(len(item.answer_ids), f" of {len(item.universe_ids)}")
    if getattr(item, "answers", ()):
        return shortened("; ".join(item.answers), MOST_SAID)
    return _objects(len(item.objects), "") if item.objects else "pixels"


def _answer(run: Run, item: Any, prediction: Any) -> str:
    if prediction is None or prediction.status != ANSWERED:
        return "none"
    adds = run.main.item(item.id)
    if item.task == "RCD":
        return _pixels(adds["tp"] + adds["fp"])
    if item.task in _IN_WORDS:
        return shortened(prediction.said, MOST_SAID) or "no words"
    told = _objects(len(prediction.regions), "")
    if "tp@0.5" in adds and prediction.regions:
        hits, extra, missed = (int(adds[f"{name}@0.5"]) for name in ("tp", "fp", "fn"))
        told += f": {hits} right, {extra} wrong, {missed} missed"
    return told


def _pixels(n: float) -> str:
    return f"{n:,.0f} px of change" if n else "no change"


def _objects(n: int, of: str) -> str:
    return f"none{of}" if n == 0 else f"{n}{of} object{'' if n == 1 and not of else 's'}"


def _understood(item: Any, request: Mapping[str, Any] | None) -> str | None:
    """What was understood, in words, where that is another tree than the truth."""
    if request is None or getattr(item, "request", None) is None:
        return None
    try:
        tree = Request.model_validate(request)
    except ValidationError:
        return "(a tree that cannot be read)"
    return None if tree == item.request else words(tree)
