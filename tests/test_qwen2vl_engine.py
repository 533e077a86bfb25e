"""The local Qwen-VL engine against transformers' own generation, and what it promises about caches, budgets, scores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qwen2vl_checkpoints import FAMILIES, asks, checkpoints, copied, local, made_talkative, one_thread, picture_of  # noqa: F401
from surveyor.core.budget import Budget, Meter, metering
from surveyor.core.codec import Pointed
from surveyor.core.errors import BudgetExceeded, Cancelled, ModelOutputError, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.tools.models.prompting import Picture, Prompt, Reply, meaning
from surveyor.tools.models.qwen2vl.engine import Engine, engine_at
from surveyor.tools.models.qwen2vl.prefixes import Prefix, Prefixes
from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings
from surveyor.tools.models.tasks import Tasks

pytestmark = local
Folders = Callable[[str], Path]
SETTINGS = Settings(device="cpu")
FORCING = 'start: "[(0,0),(9,0),(9,9),(0,9)]" tail\ntail: ("\\n[(" /[0-9]{1,3}/ ",7),(9,0),(9,9),(0,9)]")*'


@pytest.fixture(scope="module", params=FAMILIES)
def engine(request: pytest.FixtureRequest, checkpoints: Folders) -> Engine:  # noqa: F811
    return made_talkative(Engine(Checkpoint(str(checkpoints(request.param))), SETTINGS))


@pytest.fixture(scope="module")
def one(checkpoints: Folders) -> Engine:  # noqa: F811
    """Of the first family only."""
    return made_talkative(Engine(Checkpoint(str(checkpoints("qwen2-vl"))), SETTINGS))


def fresh(checkpoints: Folders, seed: int = 0, **settings: Any) -> Engine:  # noqa: F811
    engine = Engine(Checkpoint(str(checkpoints("qwen2-vl"))), replace(SETTINGS, **settings))
    return made_talkative(engine, seed)


def picture(engine: Engine, seed: int, wide: int = 4, high: int = 3) -> Picture:
    return picture_of(seed, (wide * engine.factor, high * engine.factor))


def prompts_for(engine: Engine) -> list[Prompt]:
    """Unequal lengths of all parts: an image, another shape, two images, none, the first image again."""
    first, second, third = picture(engine, 1), picture(engine, 2, 6, 2), picture(engine, 3, 3, 3)
    return [
        asks("What is it?", first),
        asks("Count all of the planes beside the long road in the north, please.", second),
        asks("x", first, third),
        asks("Is there nothing at all?"),
        asks("And what is this?", first),
    ]


def texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]


# ---- the same as transformers


def by_transformers(engine: Engine, prompt: Prompt) -> list[int]:
    """The greedy reply of `generate` to the chat template's text, with the image processor's own patches, no end."""
    import torch
    from PIL import Image
    from transformers import GenerationConfig

    loaded = engine.loaded
    tokenizer, model = loaded.tokenizer, loaded.base
    content = [*({"type": "image"} for _ in prompt.pictures), {"type": "text", "text": prompt.asking.text}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], chat_template=loaded.template, tokenize=False,
        add_generation_prompt=True,
    )  # fmt: skip
    inputs: dict[str, Any] = {}
    if prompt.pictures:
        images = [Image.fromarray(each.read()) for each in prompt.pictures]
        inputs = dict(loaded.images(images=images, return_tensors="pt"))
        for grid in inputs["image_grid_thw"]:
            count = int(grid.prod()) // loaded.images.merge_size**2
            text = text.replace("<|image_pad|>", "<|placeholder|>" * count, 1)
        text = text.replace("<|placeholder|>", "<|image_pad|>")
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    kinds = (ids == model.config.image_token_id).int()
    how = GenerationConfig(
        max_new_tokens=prompt.asking.max_tokens, do_sample=False, repetition_penalty=1.0,
        eos_token_id=model.generation_config.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds, generation_config=how, **inputs
    )
    new = out[0, ids.shape[1] :].tolist()
    return [token for token in new if token not in model.generation_config.eos_token_id]


def said_by_transformers(engine: Engine, prompt: Prompt) -> str:
    return str(engine.loaded.tokenizer.decode(by_transformers(engine, prompt)))


def test_a_batch_says_what_each_says_alone_and_what_transformers_says(engine: Engine) -> None:
    prompts = prompts_for(engine)
    together = texts(engine.ask(prompts))
    assert len(set(together)) == len(prompts), "replies that are all alike compare nothing"
    ids = [engine.loaded.tokenizer(text)["input_ids"] for text in together]
    assert max(len(set(each)) for each in ids) > 12
    assert [engine.ask([prompt])[0].text for prompt in prompts] == together
    assert [said_by_transformers(engine, prompt) for prompt in prompts] == together
    assert texts(engine.ask(prompts[::-1])) == together[::-1], "generate leaves its own positions on the model"


def test_more_prompts_than_a_batch(one: Engine) -> None:
    prompts = [asks(f"Question {number}?", picture(one, number % 3)) for number in range(11)]
    assert one.at_once < len(prompts)
    assert texts(one.ask(prompts)) == [one.ask([prompt])[0].text for prompt in prompts]
    assert one.ask([]) == []


def test_the_model_sees_what_its_processor_would_make(engine: Engine) -> None:
    """The size from `seen_size`, and about the same pixels (both shrink with bicubic interpolation)."""
    import torch
    from PIL import Image

    rng = np.random.default_rng(0)
    for size_wh in ((5, 5), (200, 170), (301, 97), (1200, 800), (30, 900)):
        pixels = rng.integers(100, 140, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
        pixels[: size_wh[1] // 2, : size_wh[0] // 2] = 255
        seen = engine.seen_size(size_wh)
        prompt = asks("?", Picture("", seen, lambda pixels=pixels: pixels))  # type: ignore[misc]
        ids, inputs = engine.encoded(prompt)
        own = engine.loaded.images(images=[Image.fromarray(pixels)], return_tensors="pt")
        assert inputs["image_grid_thw"].tolist() == own["image_grid_thw"].tolist(), size_wh
        torch.testing.assert_close(inputs["pixel_values"], own["pixel_values"], atol=0.12, rtol=0)
        assert ids.count(engine.loaded.base.config.image_token_id) == seen[0] * seen[1] // engine.factor**2


# ---- prefixes


def test_an_image_is_read_once(checkpoints: Folders) -> None:  # noqa: F811
    engine = fresh(checkpoints)
    reads = calls_of_vision(engine)
    image, other = picture(engine, 1), picture(engine, 2)
    cold = engine.ask([asks("One?", image)])[0].text
    for number in range(3):
        engine.ask([asks(f"Question {number}?", image)])
    assert engine.ask([asks("One?", image)])[0].text == cold
    assert (engine._prefixes.hits, engine._prefixes.misses, len(reads)) == (4, 1, 1)
    engine.ask([asks("One?", image), asks("Two?", image), asks("One?", other), asks("One?", image, other)])
    assert len(reads) == 3, "the second image, and both as a pair"
    smaller = replace(image, size_wh=(2 * engine.factor, 2 * engine.factor))
    assert engine.ask([asks("One?", smaller)])[0].text != cold, "the same pixels at another size are another prefix"
    assert len(reads) == 4


def calls_of_vision(engine: Engine) -> list[int]:
    """Grows by one with each call of the vision tower."""
    calls: list[int] = []
    engine.loaded.base.model.visual.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_without_room_nothing_is_kept_and_replies_stay(checkpoints: Folders, one: Engine) -> None:  # noqa: F811
    engine = fresh(checkpoints, prefix_mb=0)
    prompts = prompts_for(one)
    assert texts(engine.ask(prompts)) == texts(one.ask(prompts))
    assert len(engine._prefixes) == 0 and engine._prefixes.hits == 0


def prefix(floats: int) -> Prefix:
    import torch

    part = torch.zeros(1, 1, floats, 1)
    return Prefix(((part, part),), floats, floats)


def test_prefixes_used_longest_ago_make_room() -> None:
    kept = Prefixes(limit_bytes=3 * 80)  # room for three of ten floats, keys and values
    for name in "abc":
        kept.put(name, prefix(10))
    assert len(kept) == 3 and kept.get("a") is not None
    kept.put("d", prefix(10))
    assert kept.get("b") is None, "a was used after it"
    assert [kept.get(name) is not None for name in "acd"] == [True, True, True]
    assert (kept.hits, kept.misses) == (4, 1)
    kept.put("large", prefix(31))
    assert kept.get("large") is None and len(kept) == 3, "what does not fit by itself pushes nothing out"
    kept.put("half", prefix(20))
    assert len(kept) == 2, "two gave way"
    kept.put("half", prefix(10))
    assert len(kept) == 2, "written over"
    kept.clear()
    assert len(kept) == 0 and kept.get("half") is None


def test_prefixes_stay_within_their_memory(checkpoints: Folders) -> None:  # noqa: F811
    engine = fresh(checkpoints, prefix_mb=1)
    for number in range(12):
        engine.ask([asks("?", picture(engine, number, 8, 6), tokens=1)])
        assert sum(each.bytes for each in engine._prefixes._kept.values()) <= 1_000_000
    assert 1 <= len(engine._prefixes) < 12


# ---- replies held to grammars


def test_tokens_without_a_choice_are_not_asked_for(one: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from surveyor.tools.models.guidance import Guided

    prompts = [asks("Where?", picture(one, seed), tokens=70, grammar=FORCING) for seed in range(3)]
    calls: list[int] = []
    hook = one.loaded.base.model.language_model.register_forward_hook(lambda *_: calls.append(1))
    quick = [one.ask([prompt])[0] for prompt in prompts]
    few = len(calls)
    calls.clear()
    monkeypatch.setattr(Guided, "forced_tokens", lambda self: [])
    slow = [one.ask([prompt])[0] for prompt in prompts]
    hook.remove()
    assert texts(quick) == texts(slow) == texts(one.ask(prompts))
    assert any("\n" in text for text in texts(quick)), "one of them has a choice in it"
    assert few < len(calls) / 2
    for reply, plain in zip(quick, slow, strict=True):
        assert reply.logprobs is not None and plain.logprobs is not None
        told = ~np.isnan(reply.logprobs)
        assert 0 < told.sum() < len(told) and not np.isnan(plain.logprobs).any()
        np.testing.assert_allclose(reply.logprobs[told], plain.logprobs[told], atol=1e-4)


@pytest.mark.parametrize("dialect", ["native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl"])
def test_every_guided_reply_can_be_read(one: Engine, checkpoints: Folders, dialect: str) -> None:  # noqa: F811
    """Of a model that has learnt nothing; with few tokens, so that most replies are made to end."""
    tasks = Tasks(dialect)
    size = (4 * one.factor, 3 * one.factor)
    kind = "obb" if dialect == "native" else "box"
    corners = box_to_corners(np.array([10.0, 10, 40, 30])) if kind == "obb" else np.array([[10.0, 10], [40, 30]])
    regions = [Pointed(kind, corners + shift) for shift in (0, 20, 30)]  # type: ignore[arg-type]
    askings = [
        tasks.detect("plane", size), tasks.segment("plane", size), tasks.change("house", size), tasks.count("plane"),
        tasks.select(regions, "in the left half", size), tasks.classify(["airport", "harbour"]), tasks.locate(),
    ]  # fmt: skip
    read = 0
    for seed in range(3):
        shown = picture(one, seed)
        prompts = [
            Prompt((shown, shown) if asking.task == "change" else (shown,), asking.capped(min(90, asking.max_tokens)))
            for asking in askings
        ]
        for prompt, reply in zip(prompts, one.ask(prompts), strict=True):
            assert reply.guided and (reply.ended or reply.forced)
            meaning(prompt.asking, reply)
            read += 1
        if seed == 0:  # the grammars are needed: without them the model says nothing of the sort
            free = [one.ask([Prompt(each.pictures, replace(each.asking, grammar=None))])[0].text for each in prompts]
            assert all(not readable(asking.lenient, text) for asking, text in zip(askings, free, strict=True))
    assert read == 21


def readable(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ModelOutputError:
        return False
    return True


def test_without_guidance_a_reply_is_free(checkpoints: Folders, one: Engine) -> None:  # noqa: F811
    engine = fresh(checkpoints, guided=False)
    prompt = asks("Where?", picture(one, 1), grammar=FORCING)
    (reply,) = engine.ask([prompt])
    assert not reply.guided and not reply.forced and not reply.text.startswith("[(0,0)")
    assert one.ask([prompt])[0].text.startswith("[(0,0)")


# ---- scores


@pytest.mark.parametrize("grammar", [None, FORCING], ids=["free", "guided"])
def test_scores_are_the_models_own_probabilities(engine: Engine, grammar: str | None) -> None:
    """Read anew in one pass without any cache, mask or position of ours."""
    import torch

    prompts = [replace(each, asking=replace(each.asking, grammar=grammar, max_tokens=60 if grammar else 24)) for each in prompts_for(engine)]  # fmt: skip  # noqa: E501
    compared = 0
    for prompt, reply in zip(prompts, engine.ask(prompts), strict=True):
        ids, inputs = engine.encoded(prompt)
        new = written(engine, reply) if grammar else by_transformers(engine, prompt)
        assert reply.logprobs is not None and len(new) == len(reply.logprobs)
        if engine.loaded.base.config.image_token_id in new:
            continue  # transformers would look for one more image
        compared += 1
        tokens = torch.tensor([[*ids, *new]])
        kinds = (tokens == engine.loaded.base.config.image_token_id).int()
        with torch.inference_mode():
            logits = engine.loaded.base(tokens, mm_token_type_ids=kinds, **inputs).logits[0]
        own = torch.log_softmax(logits.float(), -1)[len(ids) - 1 : -1].gather(1, torch.tensor(new)[:, None])[:, 0]
        told = ~np.isnan(reply.logprobs)
        np.testing.assert_allclose(reply.logprobs[told], own.numpy()[told], atol=2e-3)
        assert reply.score() == pytest.approx(float(np.exp(own.numpy()[told].mean())), rel=2e-3)
    assert compared >= 3


def written(engine: Engine, reply: Reply) -> list[int]:
    """The tokens of a reply in ASCII, from where each of them ends."""
    assert reply.stops is not None
    starts = [0, *reply.stops[:-1]]
    pieces = [reply.text[start:stop] for start, stop in zip(starts, reply.stops, strict=True)]
    return [engine.loaded.tokenizer.convert_tokens_to_ids(piece.replace("\n", "Ċ")) for piece in pieces]


def test_the_score_of_a_part_is_that_of_its_tokens(one: Engine) -> None:
    (reply,) = one.ask([asks("Where?", picture(one, 1), tokens=70, grammar=FORCING)])
    assert reply.logprobs is not None and reply.stops is not None and reply.stops[-1] == len(reply.text)
    assert reply.score((0, len(reply.text))) == reply.score()
    second = reply.text.index("\n")
    inside = reply.logprobs[(reply.stops > second)]
    assert reply.score((second, len(reply.text))) == pytest.approx(np.exp(np.nanmean(inside)))


def test_scores_that_nobody_gave_are_none() -> None:
    probabilities = np.log(np.array([0.5, 0.25]))
    assert Reply("ab", logprobs=None).score() is None
    assert Reply("ab", logprobs=probabilities, stops=None).score((0, 1)) is None
    assert Reply("ab", logprobs=probabilities, stops=None).score() == pytest.approx(np.sqrt(0.125))
    assert Reply("ab", logprobs=np.full(2, np.nan), stops=np.array([1, 2])).score() is None
    mixed = Reply("ab", logprobs=np.array([np.nan, np.log(0.25)]), stops=np.array([1, 2]))
    assert mixed.score((0, 1)) is None and mixed.score((1, 2)) == pytest.approx(0.25)
    assert mixed.score() == pytest.approx(0.25)


# ---- ends


def test_a_reply_ends_at_any_of_the_models_ends(checkpoints: Folders, one: Engine) -> None:  # noqa: F811
    prompt = asks("What is it?", picture(one, 1))
    (before,) = one.ask([prompt])
    assert before.logprobs is not None and before.stops is not None and not before.ended
    tokens = by_transformers(one, prompt)
    place = next(i for i in range(5, 20) if tokens[i] not in tokens[:i])
    engine = fresh(checkpoints)
    engine.loaded.base.generation_config.eos_token_id = [tokens[place], engine.loaded.tokenizer.eos_token_id]
    (after,) = engine.ask([prompt])
    assert after.ended and after.text == before.text[: before.stops[place - 1]]
    assert after.logprobs is not None and len(after.logprobs) == place
    both = engine.ask([prompt, asks("Is there nothing at all?")])
    assert both[0].text == after.text and both[1].text == one.ask([asks("Is there nothing at all?")])[0].text


def test_tokens_are_bounded(one: Engine, checkpoints: Folders) -> None:  # noqa: F811
    image = picture(one, 1)
    (long,) = one.ask([asks("What is it?", image, tokens=20)])
    (short,) = one.ask([asks("What is it?", image, tokens=7)])
    assert long.text.startswith(short.text) and short.logprobs is not None
    assert len(short.logprobs) == 7 and not short.ended
    capped = fresh(checkpoints, max_tokens=7)
    assert capped.ask([asks("What is it?", image)])[0].text == short.text
    assert meaning(asks("What is it?", image).asking, short).endswith("…")
    listed = replace(asks("?").asking, task="det", grammar="start: /[a-z]+/")
    with pytest.raises(ModelOutputError, match="cut off") as caught:
        meaning(listed, short)
    assert caught.value.raw == short.text
    with pytest.raises(UsageError, match="budget of 3 tokens is too small"):
        one.ask([asks("Where?", image, tokens=3, grammar=FORCING)])
    assert one.ask([asks("What is it?", image, tokens=7)])[0].text == short.text, "nothing is left locked"


def test_a_warmer_reply_is_another_and_the_same_again(one: Engine) -> None:
    prompt = asks("What is it?", picture(one, 1))
    warm = texts(one.ask([prompt], temperature=0.7))
    assert warm != texts(one.ask([prompt])) and warm == texts(one.ask([prompt], temperature=0.7))
    assert one.ask([replace(prompt, asking=replace(prompt.asking, grammar=FORCING, max_tokens=70))], temperature=0.7)[0].text.startswith("[(0,0)")  # fmt: skip  # noqa: E501


# ---- runs that stop


def test_cancelling_stops_between_tokens(one: Engine) -> None:
    prompts = prompts_for(one)[:3]
    expected = texts(one.ask(prompts))
    cancel, steps = threading.Event(), []

    def step(*_: object) -> None:
        steps.append(1)
        if len(steps) == 5:
            cancel.set()

    hook = one.loaded.base.model.language_model.register_forward_hook(step)
    with metering(Meter(cancelled=cancel.is_set)), pytest.raises(Cancelled):
        one.ask(prompts)
    hook.remove()
    assert len(steps) == 5
    assert texts(one.ask(prompts)) == expected


def test_budgets_stop_a_run(one: Engine) -> None:
    prompt = asks("What is it?", picture(one, 1), tokens=10)
    ids, _ = one.encoded(prompt)
    meter = Meter()
    with metering(meter):
        one.ask([prompt])
    assert meter.tokens == len(ids) + 10
    with metering(Meter(Budget(max_tokens=len(ids) + 9))), pytest.raises(BudgetExceeded, match="tokens were used up"):
        one.ask([prompt])
    with metering(Meter(Budget(max_seconds=0))), pytest.raises(BudgetExceeded, match="time was used up"):
        one.ask([prompt])


# ---- threads, versions, sharing


def test_eight_threads_at_once_hear_what_one_hears(checkpoints: Folders, one: Engine) -> None:  # noqa: F811
    prompts = prompts_for(one) + [asks(f"Question {number}?", picture(one, number)) for number in range(3)]
    expected = [one.ask([prompt])[0].text for prompt in prompts]
    engine = fresh(checkpoints)
    start = threading.Barrier(8)

    def ask(number: int) -> list[str]:
        start.wait()
        turn = [*range(number, 8), *range(number)]
        answered = texts(engine.ask([prompts[index] for index in turn]))
        return [answered[turn.index(index)] for index in range(8)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [expected] * 8


def test_the_version_follows_weights_and_settings(checkpoints: Folders, tmp_path: Path) -> None:  # noqa: F811
    folder = copied(checkpoints("qwen2-vl"), tmp_path / "model")

    def version(**settings: Any) -> str:
        return Engine(Checkpoint(str(folder)), replace(SETTINGS, **settings)).version

    before = version()
    assert version() == before
    assert version(guided=False) != before and version(max_pixels=100_000) != before
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(1, 1))
    touched = version()
    assert touched != before
    (folder / "chat_template.json").write_text("{}")
    assert version() != touched


def test_roles_share_an_engine_while_somebody_holds_it(checkpoints: Folders) -> None:  # noqa: F811
    folder = checkpoints("qwen2-vl")
    first = engine_at(f"{folder}?device=cpu")
    assert engine_at(f"{folder}?device=cpu") is first
    assert engine_at(f"{folder}?device=cpu&guided=no") is not first


# ---- sizes of images


def test_sizes_keep_to_bounds(checkpoints: Folders) -> None:  # noqa: F811
    engine = fresh(checkpoints, min_pixels=30_000, max_pixels=60_000)
    for size in ((1, 1), (5000, 3000), (28, 28), (200, 3), (333, 217)):
        wide, high = engine.seen_size(size)
        assert wide % 28 == high % 28 == 0 and 30_000 <= wide * high <= 60_000, (size, wide, high)
    assert engine.most_pixels == 60_000
    wide, high = engine.seen_size((5000, 3000), 1 / 8)
    assert wide * high <= 7_500
    with pytest.raises(UsageError, match="exclude each other"):
        _ = fresh(checkpoints, min_pixels=100_000, max_pixels=50_000).pixel_bounds
    with pytest.raises(UsageError, match="one patch has 784"):
        _ = fresh(checkpoints, max_pixels=500).pixel_bounds


def test_low_precision_answers(checkpoints: Folders) -> None:  # noqa: F811
    import torch

    for settings in ({"dtype": "bfloat16"}, {"dtype": "float16"}, {"attention": "eager"}):
        engine = Engine(Checkpoint(str(checkpoints("qwen2-vl"))), replace(SETTINGS, **settings))  # type: ignore[arg-type]
        replies = engine.ask([asks("?", picture(engine, 1), tokens=40, grammar=FORCING), asks("What?", tokens=4)])
        assert replies[0].text.startswith("[(0,0)") and replies[1].text
        if "dtype" in settings:
            assert engine.loaded.base.dtype == getattr(torch, settings["dtype"])
