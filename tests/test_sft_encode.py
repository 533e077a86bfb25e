"""What is learnt is what is asked at inference: tokens, pixels, positions; and the loss is on replies alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from qwen2vl_checkpoints import FAMILIES, checkpoints, local, made_talkative, one_thread  # noqa: F401
from sft_records import drawn, records
from surveyor.core.errors import UsageError
from surveyor.core.scene import Scene
from surveyor.finetune.records.record import Instruction, Marked, Message, Picture, asking_of, with_messages
from surveyor.finetune.sft.config import checked
from surveyor.tools.models.pointing import Looking, PointingModel
from surveyor.tools.models.prompting import Prompt, Reply
from surveyor.tools.models.qwen2vl.engine import Engine, engine_at
from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings

pytestmark = local
Folders = Callable[[str], Path]
MOST = 168 * 112


def reader_of(base: Path, **more: Any) -> Any:
    from surveyor.finetune.sft.encode import open_reader

    return open_reader(checked({"base": str(base), "out": "o", "train": "t", "max_pixels": MOST} | more))


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, checkpoints: Folders) -> Path:  # noqa: F811
    return checkpoints(request.param)


@pytest.fixture(scope="module")
def reader(base: Path) -> Any:
    return reader_of(base)


@pytest.fixture
def given(tmp_path: Path) -> list[Instruction]:
    return records(tmp_path, ["a"])


def heard(base: Path, ask: Callable[[PointingModel], object]) -> Prompt:
    """The prompt that a model at inference is given."""
    engine = engine_at(f"{base}?device=cpu&dialect=native&max_pixels={MOST}")

    class Ear:
        """Hears what is asked."""

        tasks, at_once, version, most_pixels, seen_size = engine.tasks, 1, "", engine.most_pixels, engine.seen_size
        prompts: list[Prompt]

        def ask(self, prompts: list[Prompt], *, temperature: float = 0.0) -> list[Reply]:
            self.prompts = list(prompts)
            return [Reply("none") for _ in prompts]

    ear = Ear()
    ask(PointingModel(ear, "", Looking(views="whole")))  # type: ignore[arg-type]
    return ear.prompts[0]


@pytest.mark.parametrize("size", [(168, 112), (100, 333), (700, 500)])
def test_training_sees_what_inference_sees(base: Path, reader: Any, size: tuple[int, int], tmp_path: Path) -> None:
    import torch
    from surveyor.finetune.sft.encode import encoded

    one, two = drawn(tmp_path, "a.png", size), drawn(tmp_path, "b.png", size)
    before, after = (Scene.open(tmp_path / name) for name in ("a.png", "b.png"))
    engine = engine_at(f"{base}?device=cpu&dialect=native&max_pixels={MOST}")
    plain: dict[str, Any] = {"family": "f", "pictures": (one,)}
    cases = [
        (Instruction(id="1", task="det", phrase="plane", **plain), lambda m: m.ground(before, "plane")),
        (Instruction(id="2", task="vqa", phrase="Is it day?", reply="yes", **plain),
         lambda m: m.answer(before, "Is it day?")),
        (Instruction(id="3", task="rcd", phrase="house", family="f", pictures=(one, two)),
         lambda m: m.changes(before, after, "house")),
    ]  # fmt: skip
    for record, ask in cases:
        ids, inputs = engine.encoded(heard(base, ask))
        learnt = encoded(with_messages(record), tmp_path, reader)
        assert learnt.ids[: len(ids)] == ids and set(learnt.labels[: len(ids)]) == {-100}, record.task
        assert torch.equal(learnt.inputs["pixel_values"], inputs["pixel_values"].cpu()), record.task
        assert torch.equal(learnt.inputs["image_grid_thw"], inputs["image_grid_thw"].cpu())


def test_labels_are_the_replies_of_the_chat_template(reader: Any, given: list[Instruction], tmp_path: Path) -> None:
    """Against the template of the family, for every task, and for a conversation of two turns."""
    from surveyor.finetune.sft.encode import encoded, turns_of

    talk = given[0].model_copy(
        update={"messages": (*given[0].messages, Message(role="user", content="How many?"),
                             Message(role="assistant", content="1"))}
    )  # fmt: skip
    tokenizer = reader.loaded.tokenizer
    for record in (*given, talk):
        learnt = encoded(record, tmp_path, reader)
        messages: list[dict[str, Any]] = []
        for place, (asked, reply) in enumerate(turns_of(record)):
            content = [{"type": "image"} for _ in record.pictures] if not place else []
            messages.append({"role": "user", "content": [*content, {"type": "text", "text": asked}]})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": reply}]})
        text = tokenizer.apply_chat_template(messages, chat_template=reader.loaded.template, tokenize=False)
        for grid in learnt.inputs.get("image_grid_thw", ()):
            text = text.replace("<|image_pad|>", "@" * (int(grid.prod()) // 4), 1)
        whole = tokenizer(text.replace("@", "<|image_pad|>"), add_special_tokens=False)["input_ids"]
        newline = tokenizer("\n", add_special_tokens=False)["input_ids"]
        assert [*learnt.ids, *newline] == whole, record.task
        spans = "".join("R" if label != -100 else "." for label in learnt.labels).strip(".").replace(".", " ").split()
        said = [tokenizer.decode([t for t in learnt.labels if t != -100])]
        assert said == ["".join(f"{reply}<|im_end|>" for _, reply in turns_of(record))]
        assert len(spans) == len(turns_of(record)) and learnt.labels[-1] == learnt.ids[-1]
        assert all(label in (-100, token) for label, token in zip(learnt.labels, learnt.ids, strict=True))


def test_tokens_are_counted_without_opening_an_image(reader: Any, given: list[Instruction], tmp_path: Path) -> None:
    from surveyor.finetune.sft.encode import encoded, measured

    for record in given:
        learnt = encoded(record, tmp_path, reader)
        assert measured(record, reader) == (len(learnt.ids), sum(label != -100 for label in learnt.labels))


def test_a_crop_is_cut_on_reading(reader: Any, tmp_path: Path) -> None:
    import torch
    from surveyor.finetune.sft.encode import encoded

    drawn(tmp_path, "large.png", (400, 300))
    pixels = cv2.imread(str(tmp_path / "large.png"))
    cv2.imwrite(str(tmp_path / "cut.png"), pixels[40:152, 100:268])
    both = []
    for picture in (Picture(path="large.png", size_wh=(168, 112), crop_xyxy=(100, 40, 268, 152)),
                    Picture(path="cut.png", size_wh=(168, 112))):  # fmt: skip
        record = Instruction(id="1", task="caption", reply="A field.", family="f", pictures=(picture,))
        both.append(encoded(with_messages(record), tmp_path, reader).inputs["pixel_values"])
    assert torch.equal(*both)


def test_positions_and_padding_are_those_of_inference(base: Path, given: list[Instruction], tmp_path: Path) -> None:
    """In one batch of two, one and no pictures each row has the next token's probability that it has alone."""
    import torch
    from surveyor.finetune.sft.encode import Collator, Reader, encoded, prompt_of

    engine = made_talkative(
        Engine(Checkpoint(str(base)), Settings(device="cpu", dialect="native", max_pixels=MOST, guided=False))
    )
    reader = Reader(engine.checkpoint, engine.settings, engine.loaded)
    chosen = [record for record in given if record.task in ("rcd", "ggl", "det")]
    rows = [encoded(record, tmp_path, reader) for record in chosen]
    batch = Collator(reader)(rows)
    labels = batch.pop("labels")
    model = engine.loaded.base
    with torch.inference_mode():
        logits = model(**batch).logits.float().log_softmax(-1)
    places = batch["logits_to_keep"].tolist()
    for place, (record, row) in enumerate(zip(chosen, rows, strict=True)):
        first = row.labels.index(next(label for label in row.labels if label != -100))
        asked = prompt_of(record, tmp_path, reader)
        (reply,) = engine.ask([Prompt(asked.pictures, asking_of(record).capped(1))])
        best = logits[place, places.index(first - 1)].max()
        assert reply.logprobs is not None and float(best) == pytest.approx(reply.logprobs[0], abs=2e-4), record.task
    assert int((labels != -100).sum()) == sum(label != -100 for row in rows for label in row.labels)


def test_the_loss_is_the_mean_over_reply_tokens(reader: Any, base: Path, given: list[Instruction], tmp_path: Path) -> None:  # fmt: skip  # noqa: E501
    """By hand from all logits; a spare row with a picture changes nothing."""
    import torch
    from surveyor.finetune.sft.encode import Collator, encoded, reply_loss

    model = Engine(Checkpoint(str(base)), Settings(device="cpu")).loaded.base
    rows = [encoded(record, tmp_path, reader) for record in given if record.task in ("ggl",)] * 2
    rows[1] = type(rows[1])(rows[1].ids[:-3], rows[1].labels[:-3], {})
    found = []
    for always in (False, True):
        batch = Collator(reader, always_picture=always)(rows)
        assert ("pixel_values" in batch) == always and len(batch["input_ids"]) == 2 + always
        labels = batch.pop("labels")
        with torch.inference_mode():
            found.append(float(reply_loss(model(**batch), labels)))
    total, count = 0.0, 0
    for row in rows:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([row.ids])).logits[0].float().log_softmax(-1)
        for place in range(1, len(row.ids)):
            if row.labels[place] != -100:
                total, count = total - float(logits[place - 1, row.ids[place]]), count + 1
    assert found == pytest.approx([total / count] * 2, abs=1e-4)


@pytest.mark.parametrize("dialect", ["qwen2.5-vl", "qwen2-vl"])
def test_other_dialects_are_written_at_the_size_that_is_seen(
    dialect: str, checkpoints: Folders, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    from surveyor.finetune.sft.encode import in_dialect

    reader = reader_of(checkpoints("qwen2.5-vl"), dialect=dialect)
    picture = drawn(tmp_path, "a.png", (700, 500))
    box = Marked(kind="box", points=((70, 50), (350, 250)), label="plane")
    record = Instruction(id="1", task="det", phrase="plane", family="f", pictures=(picture,), regions=(box,))
    seen = in_dialect(with_messages(record), reader)
    wide, high = seen.pictures[0].size_wh
    assert wide * high <= MOST
    (read,) = reader.tasks.detect("plane", (wide, high)).read(seen.messages[1].content)
    error = np.abs(read.points_px / [wide, high] - [[0.1, 0.1], [0.5, 0.5]])
    assert error.max() < 0.6 / min(wide, high)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Detect.", "does not begin with"),
        ("<image><image>\nDetect.", "does not begin with"),
        ("<image>\nDetect<|im_end|>", "<|im_end|>"),
        ("<image>\n<|image_pad|>", "<|image_pad|>"),
    ],
)
def test_messages_that_would_break_a_turn_are_refused(content: str, says: str, given: list[Instruction]) -> None:
    from surveyor.finetune.sft.encode import turns_of

    asked = Message(role="user", content=content)
    with pytest.raises(UsageError, match=says.replace("|", r"\|")):
        turns_of(given[0].model_copy(update={"messages": (asked, given[0].messages[1])}))
    with pytest.raises(UsageError, match="do not take turns"):
        turns_of(given[0].model_copy(update={"messages": given[0].messages[:1]}))


def test_an_image_of_another_size_is_told(reader: Any, given: list[Instruction], tmp_path: Path) -> None:
    from surveyor.finetune.sft.encode import encoded

    drawn(tmp_path, "a.png", (60, 60))
    with pytest.raises(UsageError, match=r"168 x 112 px .* has 60 x 60"):
        encoded(given[0], tmp_path, reader)
    outside = Picture(path="a.png", size_wh=(30, 30), crop_xyxy=(40, 40, 70, 70))
    with pytest.raises(UsageError, match="has 60 x 60"):
        encoded(given[0].model_copy(update={"pictures": (outside,)}), tmp_path, reader)


def test_what_is_no_such_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint folder"):
        reader_of(tmp_path / "nothing")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UsageError, match="is a 'llama' model"):
        reader_of(tmp_path)
