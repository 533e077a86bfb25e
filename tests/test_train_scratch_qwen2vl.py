"""Training a tiny Qwen2-VL from scratch: numbers as tokens, packed questions, dense targets, scores, exact resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from qwen2vl_checkpoints import ALLOCATOR, MISSING, one_thread  # noqa: F401
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.synth import raster

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
CONFIG = Path(__file__).parents[1] / "finetune" / "configs" / "tiny_qwen2vl.yaml"
SIDE = 112
SMALL = {
    "model": {"hidden": 64, "mlp": 96, "layers": 2, "heads": 2, "kv_heads": 2, "vision": 32, "vision_layers": 1,
              "vision_heads": 1, "words": 400, "rope_theta": 10.0, "max_pixels": SIDE * SIDE},
    "data": {"side": SIDE, "scenes": 14, "pairs": 7, "seed": 5, "drawers": 1},
    "held_out": {"scenes": 4, "pairs": 2, "seed": 900},
    "mix": {"det": 1, "seg": 1, "change": 1, "region": 1, "refer": 1, "pal": 1, "ggl": 1, "count": 1},
    "stages": [{"steps": 3, "batch": 3, "lr": 0.01, "tower_only": True}, {"steps": 5, "batch": 4, "lr": 0.01}],
    "place_layer": 1, "reader_layer": 2, "log_every": 1, "save_every": 2, "eval_every": 0, "eval_most": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    from surveyor.finetune.scratch.scenes import Drawing, drawn

    return drawn(Drawing(side=SIDE, scenes=14, pairs=7, seed=5), tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from surveyor.finetune.scratch.tiny import Shape, make_tiny
    from surveyor.tools.models.qwen2vl.engine import Engine
    from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings

    folder = make_tiny(tmp_path_factory.mktemp("tiny"), Shape(**SMALL["model"]))  # type: ignore[arg-type]
    return Engine(Checkpoint(str(folder)), Settings(device="cpu"))


class TestNumbers:
    def test_each_number_is_one_token_and_any_text_comes_back(self) -> None:
        from surveyor.finetune.scratch.tiny import number_ids, number_tokenizer

        tokenizer = number_tokenizer(400)
        assert len(set(number_ids(tokenizer))) == 1001
        for number in range(1001):
            assert tokenizer.encode(f"({number},").tokens == ["(", str(number), ","]

        @settings(max_examples=60, deadline=None)
        @given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40))
        def round_trip(text: str) -> None:
            import unicodedata

            text = unicodedata.normalize("NFC", text)
            assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text

        round_trip()

    def test_the_checkpoint_keeps_them_and_replies_are_held_to_the_grammar(self, engine: Any) -> None:
        from surveyor.tools.models.guidance import Guide, Guided

        tokenizer = engine.loaded.tokenizer
        reply = "[(0,7),(1000,37),(537,999),(10,100)]\n[(5,6),(7,8),(9,10),(11,12)]"
        ids = tokenizer(reply, add_special_tokens=False)["input_ids"]
        assert len([token for token in tokenizer.convert_ids_to_tokens(ids) if token.isdigit()]) == 16
        guide = Guide.of(tokenizer, engine._ends)
        asking = engine.tasks.detect("ship", (SIDE, SIDE))
        row = Guided(guide, asking.grammar, budget=200)
        for token in ids:
            row.consume(token)
        assert row.is_complete and engine.tasks.name == "native"
        with pytest.raises(ModelOutputError):
            Guided(guide, asking.grammar, budget=200).consume(tokenizer("7", add_special_tokens=False)["input_ids"][0])

    def test_numbers_begin_on_a_smooth_curve(self, engine: Any) -> None:
        import torch
        from surveyor.finetune.scratch.tiny import number_ids

        rows = engine.loaded.base.get_input_embeddings().weight[number_ids(engine.loaded.tokenizer)].detach()
        near = torch.nn.functional.cosine_similarity(rows[500], rows[501], dim=0)
        far = torch.nn.functional.cosine_similarity(rows[500], rows[600], dim=0)
        assert near > 0.8 > 0.6 > far

    def test_another_tokenizer_is_refused(self) -> None:
        from surveyor.finetune.scratch.qwen2vl import make_tokenizer
        from surveyor.finetune.scratch.tiny import number_ids

        with pytest.raises(UsageError, match="number_tokenizer"):
            number_ids(make_tokenizer("qwen2-vl", 400))


class TestScenes:
    @pytest.mark.parametrize("turn", range(8))
    def test_outlines_turn_with_the_pixels(self, drawings: tuple[list[Any], list[Any]], turn: int) -> None:
        from surveyor.finetune.scratch.scenes import turned

        seen = next(each for each in drawings[1] if any(len(side) for side in each.things))
        shape = (SIDE, SIDE)
        painted = [sum((raster(t.polygon_px, shape) for t in side), np.zeros(shape)) for side in seen.things]
        pictures = tuple(np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) for mask in painted)
        after = turned(replace(seen, images=pictures), turn)
        for image, side in zip(after.images, after.things, strict=True):
            again = sum((raster(t.polygon_px, shape) for t in side), np.zeros(shape))
            assert (again != image[..., 0]).mean() < 0.002  # centres exactly on an edge may change sides

    def test_no_other_turns(self, drawings: tuple[list[Any], list[Any]]) -> None:
        from surveyor.finetune.scratch.scenes import turned

        with pytest.raises(ValueError, match="0 to 7"):
            turned(drawings[0][0], 8)

    def test_drawn_again_they_are_the_same_and_come_from_the_cache(self, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.scenes import Drawing, drawn

        what = Drawing(side=SIDE, scenes=2, pairs=1, seed=3)
        first, again = drawn(what, tmp_path / "a"), drawn(what, tmp_path / "b")
        assert all((one.images[0] == other.images[0]).all() for one, other in zip(first[0], again[0], strict=True))
        (path,) = (tmp_path / "a").iterdir()
        before = path.stat().st_mtime_ns
        assert len(drawn(what, tmp_path / "a")[1]) == 1 and path.stat().st_mtime_ns == before


class TestRecords:
    def test_replies_read_as_what_is_right(self, drawings: tuple[list[Any], list[Any]]) -> None:
        from surveyor.finetune.scratch.shown import Source

        mix = dict.fromkeys(("det", "seg", "change", "region", "count", "refer"), 1.0)
        source = Source(*drawings, mix)
        rows = [source.row((0, step)) for step in range(60)]
        asked = Counter(question.task for row in rows for question in row.questions)
        assert set(asked) == set(mix)
        for row in rows:
            assert len({question.asking.text for question in row.questions}) == len(row.questions)
            for question in row.questions:
                answer = question.asking.read(question.reply)
                if question.task in ("det", "refer", "change", "seg"):
                    assert len(answer) == len(question.right)
                elif question.task == "count":
                    assert answer == len(question.right)

    def test_rows_depend_on_their_seed_alone(self, drawings: tuple[list[Any], list[Any]]) -> None:
        from surveyor.finetune.scratch.shown import Source

        one, other = (Source(*drawings, {"det": 1, "change": 1}) for _ in range(2))
        one.row((9, 9))
        first, second = one.row((1, 2)), other.row((1, 2))
        assert [q.reply for q in first.questions] == [q.reply for q in second.questions]
        assert (first.images[0] == second.images[0]).all()

    def test_a_thing_listed_first_lies_in_an_earlier_token(self, drawings: tuple[list[Any], list[Any]]) -> None:
        from surveyor.finetune.scratch.scenes import Listed, corners_of
        from surveyor.finetune.scratch.shown import asked_labels

        several = [things for seen in drawings[0] for things in asked_labels(seen.things[0], Listed()).values()]
        assert max(map(len, several)) > 1
        for things in several:
            cells = [tuple(corners_of(thing).mean(axis=0)[::-1] // 28) for thing in things]
            assert cells == sorted(cells)

    @pytest.mark.parametrize("mix", [{}, {"det": 0}, {"det": -1, "seg": 2}, {"boxes": 1}, {"records": 1}], ids=str)
    def test_mixes_of_nothing_are_refused(self, drawings: tuple[list[Any], list[Any]], mix: dict[str, float]) -> None:
        from surveyor.finetune.scratch.shown import Source

        with pytest.raises(UsageError, match="mix"):
            Source(*drawings, mix)


class TestBatches:
    def test_patches_are_those_of_the_processor(self, engine: Any, drawings: tuple[list[Any], list[Any]]) -> None:
        import torch
        from surveyor.finetune.scratch.batches import Collator
        from surveyor.finetune.scratch.scenes import Listed

        images = [drawings[0][0].images[0], drawings[0][1].images[0][:56, :84]]
        own = Collator(engine, Listed()).patches(images)
        theirs = engine.loaded.images(images=images, do_resize=False, return_tensors="pt")
        assert torch.equal(own["image_grid_thw"], theirs["image_grid_thw"])
        assert torch.allclose(own["pixel_values"], theirs["pixel_values"], atol=1e-5)

    def test_packed_questions_are_read_as_alone_and_as_at_inference(
        self, engine: Any, drawings: tuple[list[Any], list[Any]]
    ) -> None:
        import torch
        from surveyor.finetune.scratch.batches import Collator, _packed
        from surveyor.finetune.scratch.scenes import Listed
        from surveyor.finetune.scratch.shown import Source, prompt_of

        collate, model = Collator(engine, Listed()), engine.loaded.base
        source = Source(*drawings, {"det": 1, "seg": 1, "change": 0.5, "ggl": 0.2}, questions=4)
        by_length = sorted((source.row((7, number)) for number in range(16)), key=lambda row: len(collate._row(row)[0]))
        seeing = [row for row in by_length if row.images]
        rows = [seeing[-1], seeing[0], next(row for row in by_length if not row.images)]
        packed = _packed([len(collate._row(row)[0]) for row in rows])
        assert len(packed) < 3 and len(rows[0].questions) > 1  # several share a row
        rows = [rows[at] for row in packed for at in row]

        def replies_of(batch: dict[str, Any]) -> torch.Tensor:
            names = ("input_ids", "position_ids", "attention_mask", "pixel_values", "image_grid_thw")
            with torch.inference_mode():
                logits = model(**{name: batch[name] for name in names if name in batch}, use_cache=False).logits
            return logits[:, :-1][batch["labels"][:, 1:] != -100]

        together = replies_of(collate(rows))
        alone = [replies_of(collate([replace(row, questions=(q,))])) for row in rows for q in row.questions]
        assert torch.allclose(together, torch.cat(alone), atol=1e-4)
        row = next(row for row in rows if row.images)
        ids, _ = engine.encoded(prompt_of(row, row.questions[0]))
        batch = collate([replace(row, questions=row.questions[:1])])
        first = int((batch["labels"][0] != -100).nonzero()[0])
        assert batch["input_ids"][0, :first].tolist() == ids
        kinds = (batch["input_ids"] == model.config.image_token_id).int()
        places, _ = model.model.get_rope_index(
            batch["input_ids"], mm_token_type_ids=kinds, image_grid_thw=batch["image_grid_thw"]
        )
        assert torch.equal(places, batch["position_ids"])

    def test_noise_changes_numbers_of_replies_alone(self, engine: Any, drawings: tuple[list[Any], list[Any]]) -> None:
        from surveyor.finetune.scratch.batches import Collator
        from surveyor.finetune.scratch.scenes import Listed
        from surveyor.finetune.scratch.shown import Source

        collate = Collator(engine, Listed(), noise=3.0)
        source = Source(*drawings, {"det": 1, "region": 1})
        rows = [source.row((8, number)) for number in range(8)]
        plain, noisy, again = collate(rows), collate(rows, (1, 2)), collate(rows, (1, 2))
        assert (noisy["input_ids"] == again["input_ids"]).all() and (noisy["labels"] == plain["labels"]).all()
        tokens = engine.loaded.tokenizer.convert_ids_to_tokens
        changed = noisy["input_ids"] != plain["input_ids"]
        before, after = (tokens(batch["input_ids"][changed].tolist()) for batch in (plain, noisy))
        shifts = [abs(int(one) - int(other)) for one, other in zip(before, after, strict=True)]
        assert (plain["labels"][changed] != -100).all() and 1 <= np.median(shifts) <= 4 and len(shifts) > 20

    def test_a_number_nearly_right_costs_little_and_hard_labels_are_cross_entropy(self, engine: Any) -> None:
        import torch
        from surveyor.finetune.scratch.batches import ReplyLoss
        from surveyor.finetune.scratch.dense import soft_numbers
        from surveyor.finetune.scratch.tiny import number_ids

        tokenizer, rows = engine.loaded.tokenizer, engine.loaded.base.config.get_text_config().vocab_size
        ids = number_ids(tokenizer)
        labels = torch.tensor([ids[500], ids[0], tokenizer.eos_token_id])
        logits = torch.randn(3, rows, generator=torch.Generator().manual_seed(0))
        hard = ReplyLoss(tokenizer, rows)(logits, labels)["loss"]
        assert torch.isclose(hard, torch.nn.functional.cross_entropy(logits, labels))
        assert torch.allclose(soft_numbers(5).sum(dim=1), torch.ones(1001))
        soft = ReplyLoss(tokenizer, rows)
        soft.soften(5)
        near, far = (torch.nn.functional.one_hot(torch.tensor([ids[at]]), rows) * 9.0 for at in (503, 900))
        assert soft(near, labels[:1])["loss"] < soft(far, labels[:1])["loss"] - 0.2
        assert soft(near, labels[:1])["off"] == 3


class TestDense:
    def test_targets_by_hand(self) -> None:
        from surveyor.core.geometry import box_to_corners
        from surveyor.finetune.scratch.dense import COLOURS, NONE, NOTHING, cells_of
        from surveyor.finetune.scratch.scenes import LABELS, Listed, Seen
        from surveyor.synth import SynthObject

        ship = SynthObject("ship 1", "ship", box_to_corners(np.array([5.0, 30, 51, 54])), "red", 1.0)
        car = SynthObject("vehicle 1", "vehicle", box_to_corners(np.array([60.0, 2, 70, 7])), None, 1.0)
        seen = Seen("a", (np.zeros((56, 84, 3), np.uint8),), ((ship, car),), (), 1.0)
        cells = cells_of(seen, 0, Listed(least_px=16))
        label = LABELS.index("ship")
        # 3 x 2 tokens; the ship covers the middles of the lower left two and has its centre, (28, 42), in the second;
        # the car is too small to be listed and takes the upper right token out of the question
        assert cells.label.tolist() == [NOTHING, NOTHING, NONE, label, label, NOTHING]
        assert cells.centre.tolist() == [0, 0, NONE, 0, 1, 0]
        assert cells.colour.tolist() == [NONE] * 3 + [COLOURS.index("red")] * 2 + [NONE]
        assert cells.changed.tolist() == [NONE] * 6
        middle = np.array([42.0, 42])
        assert np.allclose(cells.corners[4].reshape(4, 2) * 28 + middle, [[5, 30], [51, 30], [51, 54], [5, 54]])
        assert cells.numbers[4].tolist() == [60, 536, 607, 536, 607, 964, 60, 964]
        assert (cells.numbers[0] == NONE).all()

    def test_perfect_tokens_give_the_things_back(self, drawings: tuple[list[Any], list[Any]]) -> None:
        import torch
        from surveyor.finetune.scratch.dense import NOTHING, cells_of, middles_of, things_of, tower_finds
        from surveyor.finetune.scratch.scenes import LABELS, Listed, corners_of

        seen = max(drawings[0], key=lambda each: len(things_of(each, Listed())))
        cells = cells_of(seen, 0, Listed())
        parts = (
            torch.nn.functional.one_hot(torch.tensor(np.maximum(cells.label, 0)), NOTHING + 1).float(),
            torch.tensor(np.where(cells.centre == 1, 5.0, -5.0)), torch.zeros(1), torch.tensor(cells.corners),
        )  # fmt: skip
        finds = tower_finds(parts, middles_of(seen.size_wh))
        right = [(LABELS.index(t.label), corners_of(t)) for t in things_of(seen, Listed())]
        assert len(finds) == len(right) > 1
        for kind, corners in right:
            assert any(kind == other and np.abs(corners - box).max() < 0.01 for other, box in finds)


class TestScores:
    def test_right_answers_score_one_wrong_and_unreadable_ones_less(
        self, drawings: tuple[list[Any], list[Any]]
    ) -> None:
        from surveyor.finetune.scratch.scenes import Listed
        from surveyor.finetune.scratch.scores import cases_of, scores

        cases = cases_of(*drawings, Listed(), ("det", "seg", "change", "region"))
        right = [(case.question.asking.read(case.question.reply), "") for case in cases]
        found = scores(cases, right)
        assert found["det"]["f1@0.5"] == found["seg"]["f1@0.5"] == found["region"]["exact"] == 1
        assert found["change"]["component_f1@0.5"] == found["det"]["n_acc"] == found["change"]["n_acc"] == 1
        assert found["change"]["F1_1"] > 0.95 and found["seg"]["keypoints_inside"] > 0.95
        nothing = scores(cases, [([] if case.question.task != "region" else "?", "") for case in cases])
        assert nothing["det"]["f1@0.5"] == 0 and nothing["det"]["n_acc"] == 1 and nothing["region"]["exact"] == 0
        broken = scores(cases, [(None, "?")] * len(cases))
        assert broken["det"]["unreadable"] == broken["det"]["items"] and broken["det"]["n_acc"] == 0


# ---- runs


def _started(config: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "surveyor.finetune.scratch.train", str(config), *more]
    env = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)


def _lines(out: Path) -> Iterator[dict[str, Any]]:
    for line in (out / "log.jsonl").read_text().splitlines():
        told = json.loads(line)
        yield {name: value for name, value in told.items() if name not in ("s", "s_step", "data_s")}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    whole = yaml.safe_load(CONFIG.read_text())
    whole |= {**SMALL, "cache": str(folder / "drawn")}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


class TestRuns:
    def test_a_killed_run_goes_on_to_the_same_weights(self, config: Path) -> None:
        import torch
        from surveyor.finetune.scratch.train import read_config, train

        whole, killed = config.parent / "whole", config.parent / "killed"
        train(read_config(config, [f"out={whole}"]))
        run = _started(config, f"out={killed}")
        deadline = time.monotonic() + 200
        while not (killed / "log.jsonl").is_file() or len((killed / "log.jsonl").read_text().splitlines()) < 5:
            assert run.poll() is None and time.monotonic() < deadline, "it ended before it was killed"
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert torch.load(killed / "last.pt", weights_only=True)["step"] < 8
        train(read_config(config, [f"out={killed}"]))
        one, other = (torch.load(out / "last.pt", weights_only=True) for out in (whole, killed))
        for part in ("model", "heads"):
            assert one[part].keys() == other[part].keys()
            assert all(torch.equal(one[part][name], other[part][name]) for name in one[part])
        assert list(_lines(whole)) == list(_lines(killed)) and len(list(_lines(whole))) == 8
        self._check_checkpoint(whole)

    def _check_checkpoint(self, out: Path) -> None:
        """It is a plain Qwen2-VL, without the heads, and answers."""
        from safetensors import safe_open
        from surveyor.finetune.scratch.scenes import Drawing, drawn
        from surveyor.finetune.scratch.shown import scene_of
        from surveyor.tools.models.spec import load_models

        with safe_open(out / "checkpoint" / "model.safetensors", "pt") as file:
            assert not [name for name in file.keys() if "heads" in name or "reader" in name]  # noqa: SIM118
        seen = drawn(Drawing(side=SIDE, scenes=1, pairs=0, seed=5), out / "one")[0][0]
        models = load_models(f"grounder=qwen2vl:{out / 'checkpoint'}?device=cpu&max_tokens=60")
        assert isinstance(models.grounder.ground(scene_of(seen), "ship"), tuple)

    @pytest.mark.parametrize("override", ["stepz=3", "model.heads.x=1", "stages.0.rate=1"])
    def test_settings_that_there_are_not_are_refused(self, config: Path, override: str) -> None:
        from surveyor.finetune.scratch.train import read_config

        with pytest.raises(UsageError, match="expected"):
            read_config(config, [override])

    def test_settings_are_put_over_the_files(self, config: Path) -> None:
        from surveyor.finetune.scratch.train import read_config

        told = read_config(config, ["seed=4", "mix.refer=0.5", "stages.1.steps=7"])
        assert (told["seed"], told["mix"]["refer"], told["stages"][1]["steps"]) == (4, 0.5, 7)
