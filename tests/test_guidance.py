"""Replies held to grammars: every one fits, and ends within its budget."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import MissingDependency, ModelOutputError, UsageError
from surveyor.tools.models.guidance import GrammarProcessor, Guide, Guided, bits

NEEDED = ("torch", "transformers", "llguidance")
MISSING = [name for name in NEEDED if find_spec(name) is None]
local = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
_GRID = 'pt: "(" NUM "," NUM ")"\nNUM: /1000|[1-9][0-9]{0,2}|0/\n'
_NUM = r"(?:1000|[1-9][0-9]{0,2}|0)"
_PT = rf"\({_NUM},{_NUM}\)"
BOXES = 'start: "none" | obj ("\\n" obj)*\nobj: "[" pt "," pt "," pt "," pt "]"\n' + _GRID
BOX = rf"\[{_PT},{_PT},{_PT},{_PT}\]"
FITS_BOXES = rf"none|{BOX}(?:\n{BOX})*"
_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "bbox_2d": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
            "label": {"type": "string"},
        },
        "required": ["bbox_2d", "label"],
        "additionalProperties": False,
    },
}
GRAMMARS: dict[str, tuple[Any, str]] = {
    "boxes": (BOXES, FITS_BOXES),
    "polygons": (
        'start: "none" | obj ("\\n" obj)*\nobj: "[" pt "," pt ("," pt)+ "]"\n' + _GRID,
        rf"none|\[{_PT},{_PT}(?:,{_PT})+\](?:\n\[{_PT},{_PT}(?:,{_PT})+\])*",
    ),
    "key points": (
        'start: obj ("\\n" obj)*\nobj: "[" pt "," pt "] keypoints [" pt ("," pt){0,15} "]"\n' + _GRID,
        rf"(?:(?:^|\n)\[{_PT},{_PT}\] keypoints \[{_PT}(?:,{_PT}){{0,15}}\])+",
    ),
    "special tokens": (
        'start: "none" | obj+\nobj: <|box_start|> pt "," pt <|box_end|>\n' + _GRID,
        rf"none|(?:<\|box_start\|>{_PT},{_PT}<\|box_end\|>)+",
    ),
    "one of": ('start: "plane" | "ship" | "storage tank"', "plane|ship|storage tank"),
    "count": ("start: NUM\nNUM: /0|[1-9][0-9]{0,4}/", "0|[1-9][0-9]{0,4}"),
    "text": (r"start: /[^\n]{1,400}/", r"[^\n]{1,400}"),
    "schema": (_SCHEMA, r"\[(?:\{\"bbox_2d\":\[(?:-?\d+,){3}-?\d+\],\"label\":\".*\"\},?)*\]"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    return make_qwen2vl(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def guide(tokenizer: Any) -> Guide:
    return Guide.of(tokenizer)


def said(guide: Guide, tokens: list[int]) -> str:
    return guide.text([token for token in tokens if token not in guide.ends])


def drawn(guide: Guide, reply: Guided, rng: np.random.Generator, *, ends: float, skip: bool) -> str:
    """A reply drawn at random that seldom ends or takes "none"; `skip`: what must follow is not drawn."""
    early = [*guide.ends, *(i for i in range(guide.vocabulary) if guide.text([i]) in ("n", "no", "non", "none"))]
    while not reply.is_done:
        tokens = reply.forced_tokens() if skip else []
        if not tokens:
            allowed = bits(reply.mask())
            late = allowed[~np.isin(allowed, early)]
            tokens = [int(rng.choice(late if late.size and rng.random() > ends else allowed))]
        for token in tokens:
            reply.consume(token)
    return said(guide, reply.tokens)


class TestBudget:
    pytestmark = local

    @pytest.mark.parametrize("name", GRAMMARS)
    @given(seed=st.integers(0, 2**32 - 1), budget=st.integers(1, 150), skip=st.booleans())
    @settings(max_examples=30, deadline=None)
    def test_every_reply_fits_and_ends_within_its_budget(
        self, guide: Guide, name: str, seed: int, budget: int, skip: bool
    ) -> None:
        grammar, fits = GRAMMARS[name]
        least = guide.shortest(grammar)
        assert least is not None and 2 <= least <= 25
        if budget < least:
            with pytest.raises(UsageError, match=f"a budget of {budget} tokens is too small; the shortest reply takes"):
                Guided(guide, grammar, budget=budget)
            return
        reply = Guided(guide, grammar, budget=budget)
        text = drawn(guide, reply, np.random.default_rng(seed), ends=0.05, skip=skip)
        assert reply.is_complete and len(reply.tokens) <= budget
        assert re.fullmatch(fits, text), text
        if isinstance(grammar, dict):
            json.loads(text)

    @pytest.mark.parametrize(("budget", "text"), [(2, "none"), (3, "none")])
    def test_where_no_object_has_room_the_answer_is_forced_and_says_so(
        self, guide: Guide, budget: int, text: str
    ) -> None:
        import torch

        reply = Guided(guide, BOXES, budget=budget)
        wish = torch.zeros(guide.vocabulary)
        wish[bits(Guided(guide, BOXES).mask())[0]] = 9  # "["
        while not reply.is_done:
            reply.consume(int(reply.apply(wish.clone()).argmax()))
        assert said(guide, reply.tokens) == text and reply.forced

    def test_an_ending_of_the_model_itself_is_not_forced(self, guide: Guide) -> None:
        import torch

        for budget in (5, 40, None):
            reply = Guided(guide, BOXES, budget=budget)
            wish = torch.zeros(guide.vocabulary)
            for token, liked in [(guide.ends[0], 9), *((i, 5) for i in range(200) if guide.text([i]) in "none")]:
                wish[token] = liked
            while not reply.is_done:
                reply.consume(int(reply.apply(wish.clone()).argmax()))
            assert (said(guide, reply.tokens), reply.forced) == ("none", False)

    def test_numbers_are_finished_while_there_is_room(self, guide: Guide) -> None:
        import torch

        wish = torch.zeros(guide.vocabulary)
        for i in range(guide.vocabulary):
            wish[i] = {"[": 9.0, "[(": 9.5, "5": 5.0, "\n": 6.0, ")]\n": 6.0}.get(guide.text([i]), 0.0)
        texts = set()
        for budget in range(30, 60):
            reply = Guided(guide, BOXES, budget=budget)
            while not reply.is_done:
                reply.consume(int(reply.apply(wish.clone()).argmax()))
            assert reply.forced and len(reply.tokens) <= budget
            texts.add(said(guide, reply.tokens).split("\n")[0])
        assert "[(555,555),(555,555),(555,555),(555,555)]" in texts

    def test_a_mask_without_scores_takes_a_narrowed_step_for_forced(self, guide: Guide) -> None:
        reply = Guided(guide, BOXES, budget=2)
        reply.consume(int(bits(reply.mask())[0]))
        assert reply.forced


class TestGuided:
    pytestmark = local

    def test_what_is_allowed_is_what_can_be_continued(self, guide: Guide) -> None:
        """By hand: after "[(1" come a comma or a digit; "10000" and "05" can't be written."""
        reply = Guided(guide, BOXES)
        for letter, expected in zip(
            "[(100", ["[( [ n no none", "(", "0123456789", ",0123456789", ",0123456789"], strict=True
        ):
            texts = [guide.text([i]) for i in bits(reply.mask()).tolist()]
            known = expected.split() if " " in expected else list(expected)
            assert set(texts) <= set(known) and letter in texts
            reply.consume(next(i for i in bits(reply.mask()).tolist() if guide.text([i]) == letter))
        assert {guide.text([i]) for i in bits(reply.mask()).tolist()} == {",", "0"}

    def test_tokens_without_a_choice_need_no_model(self, guide: Guide) -> None:
        reply = Guided(guide, 'start: "yes, it is" | "no"')
        assert reply.forced_tokens() == []
        reply.consume(next(i for i in bits(reply.mask()).tolist() if guide.text([i]).startswith("y")))
        while not reply.is_done:
            tokens = reply.forced_tokens()
            assert tokens
            for token in tokens:
                reply.consume(token)
        assert guide.text(reply.tokens) == "yes, it is" and reply.is_complete and reply.forced_tokens() == []

    def test_a_token_that_does_not_fit_is_told_with_the_text(self, guide: Guide) -> None:
        reply = Guided(guide, BOXES)
        reply.consume(next(i for i in bits(reply.mask()).tolist() if guide.text([i]) == "["))
        with pytest.raises(ModelOutputError, match="does not fit") as caught:
            reply.consume(guide.ends[0])
        assert caught.value.raw == "["

    @pytest.mark.parametrize("bad", ["start: ( ", "start: nowhere", {"type": "nonsense"}])
    def test_unreadable_grammar(self, guide: Guide, bad: Any) -> None:
        with pytest.raises(UsageError, match="cannot be used to constrain replies"):
            Guided(guide, bad)

    def test_guide_is_made_once_for_its_ends(self, tokenizer: Any, guide: Guide) -> None:
        assert Guide.of(tokenizer) is guide
        both = Guide.of(tokenizer, [tokenizer.eos_token_id, tokenizer.pad_token_id])
        assert both is not guide and set(both.ends) == {tokenizer.eos_token_id, tokenizer.pad_token_id}
        with pytest.raises(UsageError, match="no token that ends"):
            Guide.of(tokenizer, [])

    @given(st.sets(st.integers(0, 319), max_size=60))
    def test_bits_are_those_set(self, ids: set[int]) -> None:
        flags = np.zeros(320, dtype=bool)
        flags[list(ids)] = True
        assert bits(np.packbits(flags, bitorder="little").view(np.int32)).tolist() == sorted(ids)


class TestProcessor:
    pytestmark = local

    @pytest.fixture(scope="class")
    def model(self, folder: Path) -> Any:
        from transformers import AutoModelForImageTextToText

        return AutoModelForImageTextToText.from_pretrained(folder).eval()

    @pytest.mark.parametrize(("temperature", "budget"), [(0.3, 64), (1.0, 20), (3.0, 2), (30.0, 45)])
    def test_two_hundred_replies_of_a_random_model(
        self, model: Any, tokenizer: Any, guide: Guide, temperature: float, budget: int
    ) -> None:
        import torch

        prompts = [f"<|im_start|>user\nFind the planes{'!' * i}<|im_end|>\n" for i in range(5)]
        inputs = tokenizer(prompts * 10, padding=True, return_tensors="pt")
        length = inputs["input_ids"].shape[1]
        held = GrammarProcessor(guide, BOXES, prompt_length=length, rows=50, budget=budget)
        torch.manual_seed(int(temperature * 10))
        out = model.generate(
            **inputs, max_new_tokens=budget, do_sample=True, temperature=temperature, top_k=0, top_p=1.0,
            logits_processor=[held],
        )  # fmt: skip
        for row, forced, guided in zip(out[:, length:].tolist(), held.forced, held.rows, strict=True):
            # transformers doesn't show the last token to the processor
            whole = row[: row.index(guide.ends[0])] if guide.ends[0] in row else row
            assert guide.ends[0] in row and re.fullmatch(FITS_BOXES, guide.text(whole)), guide.text(row)
            assert len(guided.tokens) <= budget and isinstance(forced, bool)
        texts = {guide.text(row) for row in out[:, length:].tolist()}
        assert len(texts) > 10 or temperature < 1 or budget == 2

    def test_rows_have_grammars_of_their_own_and_end_on_their_own(
        self, model: Any, tokenizer: Any, guide: Guide
    ) -> None:
        grammars = ['start: "none"', BOXES.replace('"none" | ', ""), 'start: "yes" | "no"', _SCHEMA]
        inputs = tokenizer(["a", "a longer prompt", "b", "c"], padding=True, return_tensors="pt")
        length = inputs["input_ids"].shape[1]
        held = GrammarProcessor(guide, grammars, prompt_length=length, budget=60)
        out = model.generate(**inputs, max_new_tokens=60, do_sample=False, logits_processor=[held])
        texts = [said(guide, [t for t in row if t != tokenizer.pad_token_id]) for row in out[:, length:].tolist()]
        assert texts[0] == "none" and texts[2] in ("yes", "no")
        assert re.fullmatch(rf"{BOX}(\n{BOX})*", texts[1])
        assert isinstance(json.loads(texts[3]), list)
        assert len({len(row.tokens) for row in held.rows}) > 1

    @pytest.mark.parametrize("kind", ["float32", "bfloat16", "grad"])
    def test_scores_are_barred_alike_in_every_form(self, guide: Guide, kind: str) -> None:
        """Against the mask bit by bit; the embedding has 50 rows more than the tokenizer has tokens."""
        import torch

        for grammar in (BOXES, GRAMMARS["text"][0]):
            held = GrammarProcessor(guide, grammar, rows=2)
            scores = torch.zeros(
                2, guide.vocabulary + 50, dtype=torch.bfloat16 if kind == "bfloat16" else torch.float32
            )
            if kind == "grad":
                scores = (scores.requires_grad_() * 1).requires_grad_()
            left = held(torch.zeros(2, 0, dtype=torch.long), scores)
            for row in left:
                assert torch.isfinite(row).nonzero()[:, 0].tolist() == bits(held.mask(0)).tolist()

    def test_a_model_smaller_than_its_tokenizer_is_told(self, guide: Guide) -> None:
        import torch

        held = GrammarProcessor(guide, GRAMMARS["text"][0])
        with pytest.raises(UsageError, match="don't belong together"):
            held(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, 300))

    def test_a_row_begins_again_with_another_grammar(self, guide: Guide) -> None:
        held = GrammarProcessor(guide, ['start: "no"', BOXES], budget=30)
        for row, grammar in ((0, 'start: "no"'), (0, 'start: "yes"')):
            held.reset(row, grammar)
            while not held.is_done(row):
                for token in held.forced_tokens(row) or bits(held.mask(row))[:1].tolist():
                    held.consume(row, token)
            assert guide.text(held.rows[row].tokens) == grammar.split('"')[1]
        assert not held.is_done(1)


@pytest.mark.skipif("llguidance" not in MISSING, reason="llguidance is installed")
def test_missing_packages_are_told_with_the_command() -> None:
    with pytest.raises(MissingDependency, match=r'pip install "surveyor\[llm\]"'):
        Guide(None, [1])
