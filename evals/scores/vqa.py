"""Accuracy of answers to questions, by type of question, under the rules of two benchmarks by name.

`strict` is RSVQA's rule as the vision-language papers apply it: strip, lower case, no full stop, then equal.
`substring` is VRSBench's (compute_metrics.ipynb): right when the truth occurs anywhere in the answer, else wrong for
yes, no and 0 to 99, else a language model judges. It takes "10" for "1" and "north" for "no": report it beside the
strict one, never instead. `AA` is the mean of the types' accuracies, `OA` the pooled one (RSVQA, train.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from .scene import mean_known
from .scored import ANSWERED, Row, Scored, Sums, ratio, scored

_PLAIN = {"yes", "no", *(str(n) for n in range(100))}
ROTATIONS = "rotations:"
"""Tag of an item whose question is asked in several orders of its options; how many there are stands behind it."""
Judge = Callable[[str, str, str], bool]
"""(question, truth, answer) -> whether the answer means the truth."""


@dataclass(frozen=True)
class Questioned:
    """One question.

    Attributes:
        id: unique.
        family: leakage family.
        type: of the question, as the dataset calls it.
        truth: the right answer.
        found: what was answered; None where there is no answer.
        question: for a judge.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    type: str
    truth: str
    found: str | None
    question: str = ""
    status: str = ANSWERED


def strict_key(text: str) -> str:
    """What the strict rule compares.

    Example:
        >>> strict_key(" Yes. ")
        'yes'
    """
    return text.strip().lower().replace(".", "").strip()


def is_substring_right(truth: str, found: str) -> bool | None:
    """VRSBench's verdict; None where its script asks a language model.

    Example:
        >>> is_substring_right("1", "10"), is_substring_right("2", "two"), is_substring_right("a harbour", "port")
        (True, False, None)
    """
    wanted, given = truth.lower(), found.lower()
    if wanted in given:
        return True
    return False if wanted in _PLAIN else None


def score_vqa(questions: Iterable[Questioned], judge: Judge | None = None) -> Scored:
    """The VQA scores of a run.

    Args:
        questions: one each.
        judge: decides what VRSBench's rule leaves open; without one that counts as wrong, and `to_judge` says how much.

    Returns:
        `strict OA`, `strict AA`, `strict TYPE`, and the same for `substring`; `to_judge` (share of questions that the
        substring rule leaves open), `answered`, `items`.

    Raises:
        UsageError: two questions of one id.
    """
    rows, types = [], dict[str, None]()
    for each in questions:
        types[each.type] = None
        given = each.found is not None and each.status == ANSWERED
        adds = {"items": 1.0, f"n {each.type}": 1.0, "answered": float(given)}
        if given and each.found is not None:
            strict = float(strict_key(each.found) == strict_key(each.truth))
            verdict = is_substring_right(each.truth, each.found)
            adds["to_judge"] = float(verdict is None)
            if verdict is None:
                verdict = judge is not None and judge(each.question, each.truth, each.found)
            adds |= {"strict": strict, f"strict {each.type}": strict}
            adds |= {"substring": float(verdict), f"substring {each.type}": float(verdict)}
        status = "unreadable" if not given and each.status == ANSWERED else each.status
        rows.append(Row(each.id, each.family, status, adds))
    names = sorted(types)
    columns = ["items", "answered", "to_judge", "strict", "substring"]
    columns += [f"{part} {name}" for name in names for part in ("n", "strict", "substring")]

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for rule in ("strict", "substring"):
            each = {f"{rule} {name}": ratio(sums[f"{rule} {name}"], sums[f"n {name}"]) for name in names}
            found[f"{rule} OA"] = ratio(sums[rule], sums["items"])
            found[f"{rule} AA"] = mean_known(list(each.values()))
            found |= each
        shares = {name: ratio(sums[name], sums["items"]) for name in ("to_judge", "answered")}
        return found | shares | {"items": np.asarray(sums["items"])}

    return scored(rows, columns, metrics)


def score_circular(questions: Iterable[Questioned], groups: dict[str, str]) -> Scored:
    """FIT-RSRC's CircularEval: a question counts as right when it is right in every rotation of its options.

    Its script skips answers without a letter, which can make a group smaller; here they are wrong.

    Args:
        questions: one a rotation; truth and answer are letters, strictly compared. All rotations of a question should
            be here: one that was asked in fewer is judged by those.
        groups: id of a rotation -> id of its question.

    Returns:
        `circular`, `items` (groups).
    """
    members: dict[str, list[Questioned]] = defaultdict(list)
    for each in questions:
        members[groups[each.id]].append(each)
    rows = []
    for name, parts in members.items():
        given = all(part.found is not None and part.status == ANSWERED for part in parts)
        right = given and all(strict_key(part.found or "") == strict_key(part.truth) for part in parts)
        status = ANSWERED if given else "unreadable"
        rows.append(Row(name, parts[0].family, status, {"items": 1.0, "right": float(right)}))
    return scored(
        rows,
        ("items", "right"),
        lambda sums: {"circular": ratio(sums["right"], sums["items"]), "items": np.asarray(sums["items"])},
    )
