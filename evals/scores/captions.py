"""Caption metrics: BLEU-1 to -4, ROUGE_L and CIDEr-D as pycocoevalcap counts them, and METEOR 1.5 through it.

The first three are written out here and need nothing; they agree with pycocoevalcap (commit ad63453, after cocoapi's
coco-caption) to rounding on the same tokens. The tokens are where figures differ: papers use Stanford's PTBTokenizer,
which needs Java; `plain_tokens` is close to it on plain captions and needs nothing. METEOR needs Java too.

Sources: BLEU, Papineni et al. 2002 (corpus level, closest reference length); ROUGE_L, Lin 2004 (beta 1.2, best
precision and best recall over the references taken apart); CIDEr-D, Vedantam et al. 2015 (clipped counts, Gaussian
penalty with sigma 6, times 10). Kept as they are: CIDEr-D's length is counted in bigrams, its document frequencies come
from the references that are scored (figures of subsets are not comparable; one image alone scores 0), an empty answer
scores 0.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import MissingDependency, UsageError
from .scored import ANSWERED, Row, Scored, Sums, ratio, scored

ORDERS = 4
_BETA = 1.2
_SIGMA = 6.0
_SMALL, _TINY = 1e-9, 1e-15
_METEOR_STAGES = (1.0, 0.6, 0.8, 0.6)  # exact, stem, synonym, paraphrase
_METEOR_ALPHA, _METEOR_BETA, _METEOR_GAMMA, _METEOR_DELTA = 0.85, 0.2, 0.6, 0.75
_METEOR = tuple(f"meteor_{part}" for part in ("hits", "all", "right_hits", "right_all", "chunks", "matched"))
_COMMAND = "pip install pycocoevalcap"
Gram = tuple[str, ...]
Tokenise = Callable[[Sequence[str]], list[list[str]]]
"""Texts -> the words of each."""


@dataclass(frozen=True)
class Captioned:
    """One image.

    Attributes:
        id: unique.
        family: leakage family.
        references: right captions; at least one. Doubled ones stay, as in the literature (RSICD).
        found: the caption answered; None where there is no answer.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    references: Sequence[str]
    found: str | None
    status: str = ANSWERED


def plain_tokens(texts: Sequence[str]) -> list[list[str]]:
    """Lower-case words; punctuation is dropped, hyphens and digits' points stay, "isn't" is "is n't", "it's" "it 's".

    Example:
        >>> plain_tokens(["Two well-kept courts; there aren't any cars (3.5 m)."])
        [['two', 'well-kept', 'courts', 'there', 'are', "n't", 'any', 'cars', '3.5', 'm']]
    """
    found = []
    for text in texts:
        spaced = re.sub(r"(?<=\w)(n't|'(?:s|re|ve|ll|d|m))\b", r" \1", text.lower())
        found.append(re.findall(r"n't(?!\w)|'(?:s|re|ve|ll|d|m)(?!\w)|\w+(?:[-.,]\w+)*", spaced))
    return found


def ptb_tokens(texts: Sequence[str]) -> list[list[str]]:
    """The tokens that papers use: Stanford's PTBTokenizer through pycocoevalcap, in one run of Java.

    Raises:
        MissingDependency: no Java on the PATH, or no pycocoevalcap.
    """
    _check_java("the Penn Treebank tokenizer")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    named = {i: [{"caption": text}] for i, text in enumerate(texts)}
    found = PTBTokenizer().tokenize(named) if named else {}
    return [found[i][0].split() for i in range(len(texts))]


def score_captions(
    captioned: Iterable[Captioned], *, tokenise: Tokenise = plain_tokens, meteor: bool = False
) -> Scored:
    """The caption scores of a run.

    Args:
        captioned: one an image.
        tokenise: `plain_tokens`, or `ptb_tokens` for figures to compare with papers.
        meteor: METEOR 1.5 too (Java).

    Returns:
        `BLEU-1` ... `BLEU-4` of the whole set (0 to 1), `ROUGE_L`, `CIDEr` (mean of the images; identical captions
        give 10), `METEOR` if asked for, `answered`, `items`. No answer counts as an empty caption. Intervals hold the
        document frequencies of CIDEr fixed.

    Raises:
        UsageError: two images of one id, or one without references.
        MissingDependency: METEOR or the tokenizer without Java or pycocoevalcap.
    """
    images = sorted(captioned, key=lambda each: each.id)
    for each in images:
        if isinstance(each.references, str) or not len(each.references):
            raise UsageError(f"image {each.id!r} has the references {each.references!r}; expected a list with at least one")  # fmt: skip  # noqa: E501
    given = [each.found is not None and each.status == ANSWERED for each in images]
    said = tokenise([each.found or "" if ok else "" for each, ok in zip(images, given, strict=True)])
    flat = tokenise([text for each in images for text in each.references])
    ends = np.cumsum([len(each.references) for each in images])
    right = [flat[end - len(each.references) : end] for each, end in zip(images, ends, strict=True)]
    ciders = cider_d(said, right)
    meteors = _meteor(said, right) if meteor and images else [dict[str, float]() for _ in images]
    rows = []
    for i, each in enumerate(images):
        adds = _bleu_counts(said[i], right[i]) | {"items": 1.0, "answered": float(given[i])}
        adds |= {"rouge": rouge_l(said[i], right[i]), "cider": ciders[i]} | meteors[i]
        status = "unreadable" if not given[i] and each.status == ANSWERED else each.status
        rows.append(Row(each.id, each.family, status, adds))
    grams = [f"{part}{n}" for part in ("guessed", "correct") for n in range(1, ORDERS + 1)]
    columns = ["items", "answered", "length", "reference_length", "rouge", "cider", *grams, *_METEOR]
    return scored(rows, columns, lambda sums: _metrics(sums, meteor))


def _bleu_counts(said: list[str], references: list[list[str]]) -> dict[str, float]:
    """What one caption adds to corpus BLEU."""
    length = len(said)
    closest = min((abs(len(each) - length), len(each)) for each in references)[1]
    adds = {"length": float(length), "reference_length": float(closest)}
    most: Counter[Gram] = Counter()
    for each in references:
        most |= _grams(each)
    correct = [0] * ORDERS
    for gram, count in _grams(said).items():
        correct[len(gram) - 1] += min(count, most[gram])
    for n in range(1, ORDERS + 1):
        adds |= {f"guessed{n}": float(max(0, length - n + 1)), f"correct{n}": float(correct[n - 1])}
    return adds


def rouge_l(said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """F with beta 1.2 of the longest common subsequence; 0 for an empty caption.

    Example:
        >>> round(rouge_l("a red car".split(), ["a car".split()]), 4)  # LCS 2, P 2/3, R 1
        0.8299
    """
    shared = [_common(said, each) for each in references]
    precision = max(n / max(1, len(said)) for n in shared)
    recall = max(n / max(1, len(each)) for n, each in zip(shared, references, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        before = 0
        for j, other in enumerate(second, start=1):
            before, row[j] = row[j], before + 1 if word == other else max(row[j], row[j - 1])
    return row[-1]


def cider_d(said: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """CIDEr-D of each caption, document frequencies from all the references."""
    counted = [[_grams(each) for each in group] for group in references]
    frequency: Counter[Gram] = Counter()
    for group in counted:
        frequency.update({gram for each in group for gram in each})
    log_images = np.log(max(1, len(counted)))

    def vector(counts: Counter[Gram]) -> tuple[dict[Gram, float], list[float], int]:
        weights = {gram: n * (log_images - np.log(max(1, frequency[gram]))) for gram, n in counts.items()}
        norms = [0.0] * ORDERS
        for gram, weight in weights.items():
            norms[len(gram) - 1] += weight * weight
        return weights, [float(np.sqrt(norm)) for norm in norms], sum(n for gram, n in counts.items() if len(gram) == 2)

    found = []
    for words, group in zip(said, counted, strict=True):
        mine = vector(_grams(words))
        total = sum(_similarity(mine, vector(each)) for each in group)
        found.append(float(10.0 * total / ORDERS / len(group)))
    return found


def _similarity(
    said: tuple[dict[Gram, float], list[float], int], reference: tuple[dict[Gram, float], list[float], int]
) -> float:
    """Sum over the orders of the clipped cosine, with the length penalty."""
    (weights, norms, length), (others, other_norms, other_length) = said, reference
    dots = [0.0] * ORDERS
    for gram, weight in weights.items():
        other = others.get(gram, 0.0)
        dots[len(gram) - 1] += min(weight, other) * other
    cosines = (d / (a * b) if a and b else d for d, a, b in zip(dots, norms, other_norms, strict=True))
    return float(sum(cosines) * np.exp(-((length - other_length) ** 2) / (2 * _SIGMA**2)))


def _grams(words: Sequence[str]) -> Counter[Gram]:
    return Counter(tuple(words[i : i + n]) for n in range(1, ORDERS + 1) for i in range(len(words) - n + 1))


def _meteor(said: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[dict[str, float]]:
    """What each caption adds to METEOR of the whole set: the statistics of Java's METEOR 1.5, weighted."""
    _check_java("METEOR 1.5")
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        lines = [
            scorer._stat(" ".join(words), [" ".join(each) for each in group])
            for words, group in zip(said, references, strict=True)
        ]
    finally:
        scorer.meteor_p.stdout.close()
        scorer.meteor_p.stderr.close()
        del scorer  # ends the process
    return [_meteor_counts(np.array(line.split(), dtype=np.float64)) for line in lines]


def _meteor_counts(numbers: np.ndarray) -> dict[str, float]:
    """From one line: lengths and function words of both sides, four stages of matches, chunks, matches."""
    length, right_length, function, right_function = numbers[:4]
    stages = np.array(_METEOR_STAGES) @ numbers[4:20].reshape(4, 4)  # content words of both sides, then function words
    chunks, matched, right_matched = numbers[20:]
    whole = chunks == 1 and matched == length and right_matched == right_length
    return {
        "meteor_hits": _worth(stages[0], stages[2]),
        "meteor_all": _worth(length - function, function),
        "meteor_right_hits": _worth(stages[1], stages[3]),
        "meteor_right_all": _worth(right_length - right_function, right_function),
        "meteor_chunks": 0.0 if whole else float(chunks),  # what matches in one piece is not in pieces
        "meteor_matched": float(matched + right_matched) / 2,
    }


def _worth(content: float, function: float) -> float:
    return float(_METEOR_DELTA * content + (1 - _METEOR_DELTA) * function)


def meteor_from(sums: Sums) -> np.ndarray:
    """METEOR 1.5 (Denkowski and Lavie 2014, English, normalised) of summed statistics; 0 without a match."""
    precision = ratio(sums["meteor_hits"], sums["meteor_all"])
    recall = ratio(sums["meteor_right_hits"], sums["meteor_right_all"])
    mean = ratio(precision * recall, _METEOR_ALPHA * precision + (1 - _METEOR_ALPHA) * recall)
    pieces = ratio(sums["meteor_chunks"], sums["meteor_matched"])
    penalty = _METEOR_GAMMA * pieces**_METEOR_BETA
    return np.nan_to_num(mean * (1 - penalty))


def _check_java(what: str) -> None:
    if importlib.util.find_spec("pycocoevalcap") is None:
        raise MissingDependency(f"{what} (it also needs java on the PATH)", _COMMAND)
    if shutil.which("java") is None:
        raise MissingDependency(
            f"{what} runs in Java, and there is no java on the PATH. It", "apt-get install default-jre-headless"
        )


def _metrics(sums: Sums, meteor: bool) -> dict[str, np.ndarray]:
    items = sums["items"]
    found: dict[str, np.ndarray] = {}
    length, wanted = sums["length"] + _TINY, sums["reference_length"] + _SMALL
    with np.errstate(over="ignore"):
        brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
    product = np.ones_like(np.asarray(items, dtype=np.float64))
    for n in range(1, ORDERS + 1):
        product = product * (sums[f"correct{n}"] + _TINY) / (sums[f"guessed{n}"] + _SMALL)
        found[f"BLEU-{n}"] = np.where(np.asarray(items) > 0, product ** (1 / n) * brevity, np.nan)
    found["ROUGE_L"] = ratio(sums["rouge"], items)
    found["CIDEr"] = ratio(sums["cider"], items)
    if meteor:
        found["METEOR"] = np.where(np.asarray(items) > 0, meteor_from(sums), np.nan)
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
