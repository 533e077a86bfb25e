"""Captions, VQA, parser and grounded captions: worked examples with their arithmetic, corner cases first."""

from __future__ import annotations

import math
import shutil
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import REQUEST, filled, make_item, no_answer
from surveyor.agent.parser import parse
from surveyor.core.errors import MissingDependency, UsageError
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.scores import captions
from surveyor.evals.scores.captions import Captioned, cider_d, plain_tokens, ptb_tokens, rouge_l, score_captions
from surveyor.evals.scores.gcg import Grounded, ap50, greedy_mean_iou, hits_fixed, hits_glamm, score_gcg, word_overlap
from surveyor.evals.scores.parsed import score_parsed
from surveyor.evals.scores.vqa import Questioned, score_circular, score_vqa

TEN = (0, 0, 10, 10)


class TestCaptions:
    def test_bleu_worked_example(self) -> None:
        """Said "a red car" (3), reference "a red truck here" (4). 1-grams 2 of 3, 2-grams 1 of 2, 3-grams 0 of 1.

        Brevity exp(1 - 4/3). BLEU-1 2/3, BLEU-2 sqrt(2/3 * 1/2), BLEU-3 0 but for the reference's tiny constants.
        """
        found = score_captions([Captioned("a", "f", ["A red truck here."], "A red car")]).values()
        short = math.exp(1 - 4 / 3)
        assert found["BLEU-1"] == pytest.approx(2 / 3 * short, abs=1e-6)
        assert found["BLEU-2"] == pytest.approx(math.sqrt(1 / 3) * short, abs=1e-6)
        assert found["BLEU-3"] == pytest.approx(0, abs=1e-4)

    def test_bleu_clips_and_takes_the_closest_length(self) -> None:
        """ "the the the" against "the cat" and "the dog sat down": clipped 1 of 3; closest length 2: no brevity."""
        found = score_captions([Captioned("a", "f", ["the cat", "the dog sat down"], "the the the")]).values()
        assert found["BLEU-1"] == pytest.approx(1 / 3)

    def test_bleu_is_of_the_whole_set(self) -> None:
        """1 of 1 and 0 of 3 words: 1/4, not the mean 1/2; lengths are equal."""
        two = [Captioned("a", "f", ["car"], "car"), Captioned("b", "f", ["x y z"], "u v w")]
        assert score_captions(two).values()["BLEU-1"] == pytest.approx(1 / 4)

    def test_rouge_takes_best_precision_and_recall_apart(self) -> None:
        """ "a b c d" with "a b": P 2/4, R 2/2; with "a x c d y z": P 3/4, R 3/6. Best .75 and 1."""
        beta = 1.2**2
        expected = (1 + beta) * 0.75 * 1 / (1 + beta * 0.75)
        assert rouge_l("a b c d".split(), ["a b".split(), "a x c d y z".split()]) == pytest.approx(expected)

    @pytest.mark.parametrize(("said", "right"), [("", "a"), ("a", ""), ("", "")])
    def test_rouge_of_nothing(self, said: str, right: str) -> None:
        assert rouge_l(said.split(), [right.split()]) == 0

    def test_cider_worked_example(self) -> None:
        """Two images, no word in common: each n-gram is in one of two, so idf is log 2 throughout and cancels.

        Said "a b" for "a b": 1- and 2-grams alike, none longer: (1 + 1 + 0 + 0) / 4 * 10 = 5.
        Said "c" for "c d": 1-grams cos 1/sqrt(2), 2-grams 0; bigrams 0 against 1: penalty exp(-1/72).
        """
        found = cider_d([["a", "b"], ["c"]], [[["a", "b"]], [["c", "d"]]])
        assert found == pytest.approx([5, 10 / 4 / math.sqrt(2) * math.exp(-1 / 72)])

    def test_cider_of_one_image_is_zero_and_of_identical_captions_ten(self) -> None:
        one = [Captioned("a", "f", ["a red car on a road"], "a red car on a road")]
        assert score_captions(one).values()["CIDEr"] == 0
        two = [*one, Captioned("b", "f", ["two planes near some hangars"], "two planes near some hangars")]
        assert score_captions(two).values()["CIDEr"] == pytest.approx(10)

    @pytest.mark.parametrize(("found", "status"), [(None, "failed"), ("a red car", "unreadable"), ("", "answered")])
    def test_no_answer_is_an_empty_caption(self, found: str | None, status: str) -> None:
        items = [Captioned("a", "f", ["a red car"], found, status), Captioned("b", "f", ["x y"], "x y")]
        run = score_captions(items)
        assert run.item("a")["rouge"] == run.item("a")["cider"] == run.item("a")["guessed1"] == 0
        assert run.values()["items"] == 2 and status in run.counts()

    def test_nothing_scored(self) -> None:
        assert set(score_captions([]).values().values()) == {None, 0.0}

    @pytest.mark.parametrize("references", [[], "a car"])
    def test_images_need_a_list_of_references(self, references: Any) -> None:
        with pytest.raises(UsageError, match="image 'a' has the references"):
            score_captions([Captioned("a", "f", references, "a")])

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("", []),
            ("A well-kept court.", ["a", "well-kept", "court"]),
            ("It isn't 3.5 m!", ["it", "is", "n't", "3.5", "m"]),
            ("the plane's wing; two (small) cars", ["the", "plane", "'s", "wing", "two", "small", "cars"]),
        ],
    )
    def test_plain_tokens(self, text: str, tokens: list[str]) -> None:
        assert plain_tokens([text]) == [tokens]

    def test_without_java_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: object())
        monkeypatch.setattr(captions.shutil, "which", lambda name: None)
        with pytest.raises(MissingDependency, match=r"METEOR 1\.5 runs in Java, and there is no java on the PATH"):
            score_captions([Captioned("a", "f", ["a"], "a")], meteor=True)
        with pytest.raises(MissingDependency, match="no java"):
            ptb_tokens(["a"])

    def test_without_pycocoevalcap_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingDependency, match="pip install pycocoevalcap"):
            score_captions([Captioned("a", "f", ["a"], "a")], meteor=True)


WORDS = st.lists(st.sampled_from("a red car cars plane road near two".split()), max_size=8).map(" ".join)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_captions_order_and_range(cases: list[tuple[str, list[str]]]) -> None:
    items = [Captioned(str(i), "f", right, said) for i, (said, right) in enumerate(cases)]
    found = score_captions(items).values()
    assert score_captions(items[::-1]).values() == found
    assert all(0 <= v <= (10 + 1e-9 if k == "CIDEr" else 1 + 1e-9) for k, v in found.items() if k != "items" and v)


def scorers() -> Any:
    return pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed: pip install pycocoevalcap")


def drawn_captions(seed: int, number: int) -> list[Captioned]:
    rng = np.random.default_rng(seed)
    words = "a the red car cars plane planes road house building near of many two there are is green trees".split()

    def sentence(least: int) -> str:
        return " ".join(rng.choice(words, rng.integers(least, 10)))

    drawn = [Captioned(f"{i:03}", "f", [sentence(1) for _ in range(3)], sentence(0)) for i in range(number)]
    return [*drawn, Captioned("999", "f", [text := sentence(3), sentence(1)], text)]


def for_reference(items: list[Captioned]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    said = {each.id: [" ".join(plain_tokens([each.found or ""])[0])] for each in items}
    return {each.id: [" ".join(t) for t in plain_tokens(each.references)] for each in items}, said


@pytest.mark.parametrize("seed", range(5))
def test_captions_agree_with_pycocoevalcap(seed: int) -> None:
    scorers()
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    items = drawn_captions(seed, 30)
    right, said = for_reference(items)
    found = score_captions(items).values()
    judge = BleuScorer(n=4)
    for id in right:
        judge += (said[id][0], right[id])
    bleus, _ = judge.compute_score(option="closest")
    assert [found[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx(bleus, abs=1e-12)
    assert found["ROUGE_L"] == pytest.approx(Rouge().compute_score(right, said)[0], abs=1e-12)
    assert found["CIDEr"] == pytest.approx(Cider().compute_score(right, said)[0], abs=1e-9)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the reference leaves its pipes open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_meteor_agrees_with_pycocoevalcap() -> None:
    """The figure of the set from summed statistics is the one that the Java program gives for the set."""
    scorers()
    if shutil.which("java") is None:
        pytest.skip("METEOR 1.5 needs java")
    from pycocoevalcap.meteor.meteor import Meteor

    for items in (drawn_captions(1, 20), [Captioned("a", "f", ["a red car"], "a red car")]):
        total, _ = Meteor().compute_score(*for_reference(items))
        assert score_captions(items, meteor=True).values()["METEOR"] == pytest.approx(total, abs=1e-9)
    empty = score_captions([Captioned("a", "f", ["a red car"], "")], meteor=True)
    assert empty.values()["METEOR"] == 0


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the reference leaves its pipe open
def test_ptb_tokens() -> None:
    scorers()
    if shutil.which("java") is None:
        pytest.skip("the Penn Treebank tokenizer needs java")
    assert ptb_tokens(["A well-kept court; it isn't red.", "two cars"]) == [
        ["a", "well-kept", "court", "it", "is", "n't", "red"],
        ["two", "cars"],
    ]
    assert ptb_tokens([]) == []


class TestVqa:
    def test_worked_example(self) -> None:
        """count: "10" for "1" (substring alone), "2" right; presence: "Yes." right, "northern" for "no", none.

        strict count 1/2, presence 1/3, OA 2/5, AA (1/2 + 1/3) / 2; substring 2/2, 2/3, OA 4/5.
        """
        run = score_vqa(
            [
                Questioned("a", "f", "count", "1", "10"),
                Questioned("b", "f", "count", "2", "2"),
                Questioned("c", "f", "presence", "yes", " Yes."),
                Questioned("d", "f", "presence", "no", "northern"),
                Questioned("e", "f", "presence", "no", None, status="timeout"),
            ]
        )
        found = run.values()
        assert (found["strict count"], found["strict presence"], found["strict OA"]) == (1 / 2, 1 / 3, 2 / 5)
        assert found["strict AA"] == pytest.approx((1 / 2 + 1 / 3) / 2)
        assert (found["substring count"], found["substring presence"], found["substring OA"]) == (1, 2 / 3, 4 / 5)
        assert run.counts() == {"answered": 4, "timeout": 1}

    def test_open_answers_go_to_the_judge_or_count_as_wrong(self) -> None:
        asked = [
            Questioned("a", "f", "what", "harbour", "a port", "what is it?"),
            Questioned("b", "f", "n", "2", "two"),
        ]
        alone = score_vqa(asked).values()
        assert (alone["substring OA"], alone["to_judge"]) == (0, 1 / 2)
        seen: list[tuple[str, str, str]] = []
        judged = score_vqa(asked, lambda *words: bool(seen.append(words)) or True).values()  # type: ignore[func-returns-value]
        assert (judged["substring OA"], judged["strict OA"]) == (1 / 2, 0) and seen == [
            ("what is it?", "harbour", "a port")
        ]

    def test_empty_answer_is_wrong(self) -> None:
        found = score_vqa([Questioned("a", "f", "t", "yes", "")]).values()
        assert (found["strict OA"], found["substring OA"], found["answered"]) == (0, 0, 1)

    def test_nothing(self) -> None:
        assert score_vqa([]).values()["strict AA"] is None

    def test_circular_needs_every_rotation(self) -> None:
        asked = [Questioned(f"{q}{i}", "f", "t", "A", "a." if q == "x" or i else None) for q in "xy" for i in range(2)]
        run = score_circular(asked, {each.id: each.id[0] for each in asked})
        assert run.values() == {"circular": 0.5, "items": 2} and run.counts() == {"answered": 1, "unreadable": 1}


class TestParsed:
    def said(self, id: str, text: str) -> Prediction:
        return Prediction(id=id, request=parse(text).model_dump(mode="json"))

    def test_worked_example(self) -> None:
        """a: other words for the same; b: another length; c: a condition lost; d: refused. 1 exact of 4, 1 dropped."""
        items = [make_item(name) for name in "abcd"]
        answers = [
            self.said("a", "airplanes that are not at most 40 m long"),
            self.said("b", "planes longer than 30 m"),
        ]
        run = score_parsed(items, [*answers, self.said("c", "planes"), no_answer("d", "refused")])
        assert run.values() == {"exact": 1 / 4, "dropped": 1 / 4, "understood": 3 / 4, "items": 4}
        assert run.counts() == {"answered": 3, "refused": 1}

    def test_oracle_parser_is_not_judged(self) -> None:
        run = score_parsed([make_item("a")], [Prediction(id="a")])
        assert run.values()["exact"] is None and run.counts() == {"truth used": 1}

    def test_tree_that_is_none_is_wrong(self) -> None:
        run = score_parsed([make_item("a")], [Prediction(id="a", request={"outputs": "all"})])
        assert run.values()["exact"] == 0 and run.counts() == {"unreadable": 1}

    def test_tree_of_a_run_that_failed_later_counts(self) -> None:
        tree = REQUEST.model_dump(mode="json")
        assert (
            score_parsed([make_item("a")], [Prediction(id="a", status="failed", request=tree)]).values()["exact"] == 1
        )

    def test_missing_prediction_is_wrong(self) -> None:
        run = score_parsed([make_item("a")], [])
        assert run.values()["exact"] == 0 and run.counts() == {"missing": 1}


def grounded(id: str, found: list[Any], phrases: list[str] | None = None, **fields: Any) -> Grounded:
    """An image with two right phrases, "red car" at TEN and "tree" at 50."""
    right = [filled(TEN), filled((50, 50, 60, 60))]
    return Grounded(id, id, (100, 100), ["red car", "tree"], right, phrases or [], found, **fields)


class TestGcg:
    def test_worked_example(self) -> None:
        """a: "red car" half found (.5, accepted), "bush" on the tree (1.0, other words): mean IoU .75.

        GLaMM takes the highest IoU first, meets the wrong words and stops: 0 of 2; mended: 1 of 2. b: no answer: 0.
        """
        first = grounded("a", [filled((0, 0, 10, 5)), filled((50, 50, 60, 60))], ["red car", "bush"])
        run = score_gcg([first, grounded("b", [], status="failed")], word_overlap)
        expected = {"miou": 0.75 / 2, "recall_glamm": 0, "recall": 1 / 4, "answered": 1 / 2, "items": 2}
        assert run.values() == pytest.approx(expected)

    def test_without_words_masks_alone_are_compared(self) -> None:
        found = score_gcg([grounded("a", [filled(TEN)], ["bush"])]).values()
        assert found["recall_masks"] == found["recall_masks_glamm"] == 1 / 2 and "recall" not in found

    def test_two_empty_masks(self) -> None:
        empty = Grounded("a", "f", (100, 100), ["x"], [filled()], ["x"], [filled()])
        found = score_gcg([empty], word_overlap).values()
        assert found["miou"] == 0  # 0/0 ends the pairing ...
        assert (found["recall_glamm"], found["recall"]) == (1, 0)  # ... but passes "iou < .5" of the script's recall

    def test_breaks_at_the_first_wrong_phrase(self) -> None:
        """FORMATS 6.5 c: three pairs, the best one has other words: 0 by GLaMM's loop, 2 mended."""
        iou, alike = np.diag([0.9, 0.8, 0.7]), np.diag([0.1, 1.0, 1.0])
        assert (hits_glamm(iou, alike), hits_fixed(iou, alike)) == (0, 2)

    def test_masks_without_phrases_lose_the_image(self) -> None:
        iou, alike = np.diag([0.8, 0.9]), np.ones((2, 1))
        assert (hits_glamm(iou, alike), hits_fixed(iou, alike)) == (0, 1)

    def test_threshold_is_reached_at_equality(self) -> None:
        assert hits_glamm(np.array([[0.5]]), np.array([[0.5]])) == hits_fixed(np.array([[0.5]]), np.array([[0.5]])) == 1

    @pytest.mark.parametrize("shape", [(0, 0), (2, 0), (0, 2)])
    def test_nothing_to_pair(self, shape: tuple[int, int]) -> None:
        assert (greedy_mean_iou(np.zeros(shape)), hits_glamm(np.zeros(shape), np.zeros(shape))) == (0, 0)

    def test_unreadable_mask_is_an_empty_one(self) -> None:
        run = score_gcg(
            [grounded("a", [{"size": [1, 1], "counts": "?"}, filled(TEN)], ["tree", "red car"])], word_overlap
        )
        assert run.values()["recall"] == 1 / 2

    def test_truth_with_unequal_numbers_is_the_callers_fault(self) -> None:
        with pytest.raises(UsageError, match="1 phrases and 0 masks"):
            score_gcg([Grounded("a", "f", (9, 9), ["x"], [])])

    def test_ap50_depends_on_the_order_of_the_answer(self) -> None:
        """Two right, one wrong. Last: precision 1 at every recall. First: 1/2, then 2/3: the envelope is 2/3."""
        right, wrong = [filled(TEN), filled((50, 50, 60, 60))], filled((80, 80, 90, 90))
        assert ap50([grounded("a", [*right, wrong])]) == pytest.approx(1)
        assert ap50([grounded("a", [wrong, *right])]) == pytest.approx(2 / 3)

    def test_ap50_of_nothing(self) -> None:
        assert ap50([]) is None
        assert ap50([grounded("a", [])]) == 0
        assert ap50([grounded("a", [filled(TEN)], status="failed")]) == 0

    def test_ap50_at_an_iou_of_half(self) -> None:
        found = [filled((0, 0, 10, 5)), filled((50, 50, 60, 60))]
        assert ap50([grounded("a", found)]) == pytest.approx(1)

    def test_ap50_agrees_with_a_direct_count(self) -> None:
        """Against precision at 101 recalls, counted by hand in the order of the images."""
        rng = np.random.default_rng(0)
        images, hits = [], []
        for i in range(12):
            marks = rng.random(3) < 0.5
            boxes = [TEN if k == 0 else (50, 50, 60, 60) if k == 1 else (80, 80, 85, 85) for k in range(3)]
            images.append(grounded(str(i), [filled(boxes[k]) for k in range(3) if marks[k]]))
            hits += [k < 2 for k in range(3) if marks[k]]
        right = np.cumsum(hits)
        precision, recall = right / np.arange(1, len(hits) + 1), right / 24
        at = [
            max((p for p, r in zip(precision, recall, strict=True) if r >= t - 1e-12), default=0)
            for t in np.linspace(0, 1, 101)
        ]
        assert ap50(images) == pytest.approx(float(np.mean(at)))

    @given(st.integers(0, 10_000))
    @settings(max_examples=100, deadline=None)
    def test_mended_recall_is_never_lower(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(0, 5, 2))
        iou, alike = rng.random(shape), rng.random(shape)
        assert hits_fixed(iou, alike) >= hits_glamm(iou, alike)
