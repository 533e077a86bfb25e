"""The nano Qwen2-VL: photos beside drawn scenes, batches from workers, export, `grounder=nano`, and the one command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from qwen2vl_checkpoints import ALLOCATOR, local, one_thread  # noqa: F401
from surveyor.core.errors import MissingDependency, UnknownPhrase, UsageError
from surveyor.core.progress import noting
from surveyor.core.scene import Scene
from surveyor.finetune.records.record import Instruction, Marked, Picture
from surveyor.synth import draw_scene
from surveyor.tools.models.folder import check_folder
from surveyor.tools.models.nano import model as nano
from surveyor.tools.models.spec import describe_backends, load_models
from test_train_scratch_qwen2vl import CONFIG, SIDE, SMALL

ROOT = Path(__file__).parents[1]
BASH = shutil.which("bash")
CLASSES = ("airplane", "ship", "vehicle", "building", "harbor")


def marked(test: Any) -> Any:
    """With the marks of what needs torch."""
    for mark in local:
        test = mark(test)
    return test


def record(id: str, task: str = "det", **told: Any) -> Instruction:
    return Instruction(**{"id": id, "task": task, "phrase": "ship", "family": id, "source": "sea", **told})


def box(x0: float, y0: float, x1: float, y1: float) -> Marked:
    return Marked(kind="obb", points=((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def saved(path: Path, rgb: np.ndarray) -> None:
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def written(path: Path, *records: Instruction) -> Path:
    path.write_text("".join(each.model_dump_json() + "\n" for each in records))
    return path


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    """Records of a photo of 300 x 200 px that is grey but for a red ship at 200-240, 20-60, seen in a square crop."""
    pixels = np.full((200, 300, 3), 90, np.uint8)
    pixels[20:60, 200:240] = (250, 10, 10)
    saved(tmp_path / "sea.png", pixels)
    crop = Picture(path="sea.png", size_wh=(150, 150), crop_xyxy=(150, 0, 300, 150))
    ship = box(50, 20, 90, 60)
    records = [
        record("det", pictures=(crop,), regions=(ship,)),
        *(record(f"no {name}", pictures=(crop,), phrase=name) for name in CLASSES if name != "ship"),
        record("count", "count", pictures=(crop,), reply="1"),
        record("pair", "rcd", pictures=(crop, crop), source="pairs", regions=(box(9, 100, 20, 110), box(9, 5, 20, 9))),
        record("one class", pictures=(Picture(path="sea.png", size_wh=(300, 200)),), source="few"),
        record("text", "ggl", given=(ship,), regions=(Marked(kind="box", points=((50, 20), (90, 60))),), asked="box",
               grid_wh=(150, 150)),
    ]  # fmt: skip
    return written(tmp_path / "records.jsonl", *records)


@marked
class TestPhotos:
    def test_records_of_one_picture_stand_together(self, sea: Path) -> None:
        from surveyor.finetune.scratch.photos import read_photos

        photos = read_photos(sea, 120 * 120)
        assert [len(photo.records) for photo in photos] == [6, 1, 1, 1]
        assert [photo.is_dense for photo in photos] == [True, False, False, False]  # pairs; one class; no picture
        assert [photo.size_wh for photo in photos] == [(112, 112), (112, 112), (140, 84), (28, 28)]

    def test_the_reply_points_at_the_ship_however_the_photo_is_turned(self, sea: Path) -> None:
        from surveyor.finetune.scratch.dense import NOTHING, cells_of
        from surveyor.finetune.scratch.photos import read_photos
        from surveyor.finetune.scratch.scenes import LABELS, Listed

        photo = read_photos(sea, 120 * 120)[0]
        turns = set()
        for seed in range(40):
            row = photo.row(np.random.default_rng(seed), questions=6)
            red = (row.images[0][..., 0] > 150) & (row.images[0][..., 1] < 110)
            at = np.argwhere(red)[:, ::-1]
            question = next(each for each in row.questions if each.asking.text.endswith("Detect every ship."))
            (found,) = question.asking.read(question.reply)
            assert np.abs(found.points_px.min(axis=0) - at.min(axis=0)).max() <= 2
            assert np.abs(found.points_px.max(axis=0) - at.max(axis=0) - 1).max() <= 2
            assert row.seen is not None and row.images[0].shape == (112, 112, 3)
            cells = cells_of(row.seen, 0, Listed(least_px=10))
            ship, middle = LABELS.index("ship"), (at.mean(axis=0) // 28).astype(int)
            assert cells.label[middle[1] * 4 + middle[0]] == ship and set(cells.label) == {ship, NOTHING}
            is_turned = "/" in row.seen.id
            turns.add(row.seen.id)
            texts = [each.asking.text for each in row.questions]
            assert len(set(texts)) == len(texts) == (5 if is_turned else 6)  # a count is not asked of turned ones
        assert len(turns) > 4

    def test_rows_depend_on_the_seed_alone_and_are_limited(self, sea: Path) -> None:
        from surveyor.finetune.scratch.photos import read_photos

        photo = read_photos(sea, 120 * 120)[0]
        one, other = (photo.row(np.random.default_rng(3), questions=2) for _ in range(2))
        assert [each.reply for each in one.questions] == [each.reply for each in other.questions]
        assert (one.images[0] == other.images[0]).all() and len(one.questions) == 2
        plain = photo.row(np.random.default_rng(3), turns=False)
        assert plain.images[0][60, 5].tolist() == [90, 90, 90]  # neither turned nor in other light

    def test_pairs_list_their_changes_by_token_and_text_needs_no_picture(self, sea: Path) -> None:
        from surveyor.finetune.scratch.photos import read_photos

        _, pair, _, text = read_photos(sea, 120 * 120)
        row = pair.row(np.random.default_rng(0))
        (question,) = row.questions
        assert len(row.images) == 2 and row.seen is None
        tops = [found.points_px[:, 1].min() for found in question.asking.read(question.reply)]
        assert tops[0] < 10 < 90 < tops[1]
        assert text.row(np.random.default_rng(0)).images == ()

    def test_a_picture_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.photos import read_photos

        path = written(tmp_path / "a.jsonl", record("1", pictures=(Picture(path="b.png", size_wh=(9, 9)),)))
        with pytest.raises(UsageError, match=r"b\.png.*record '1'"):
            read_photos(path, 120 * 120)
        (tmp_path / "b.png").write_bytes(b"no picture")
        with pytest.raises(UsageError, match=r"b\.png.*cannot be read"):
            read_photos(path, 120 * 120)[0].row(np.random.default_rng(0))


@marked
class TestFeed:
    @pytest.mark.parametrize("workers", [0, 1, 3])
    def test_any_number_of_workers_gives_the_same_in_the_same_order(self, workers: int) -> None:
        import torch
        from surveyor.finetune.scratch.feed import fed

        def make(step: int) -> list[dict[str, Any]]:
            time.sleep(0.02 * (step % 3))  # some are late
            return [{"x": torch.tensor([step, number])} for number in range(1 + step % 2)]

        found = [[part["x"].tolist() for part in parts] for parts in fed(make, 4, 11, workers)]
        assert found == [[[step, number] for number in range(1 + step % 2)] for step in range(4, 11)]


# ---- runs


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of eight steps on drawn scenes and one photo."""
    folder = tmp_path_factory.mktemp("nano")
    scene = draw_scene("harbour", 3, (200, 200), 0.5)
    saved(folder / "a.png", scene.image_rgb)
    picture = Picture(path="a.png", size_wh=(200, 200))
    records = [record(name, phrase=name, pictures=(picture,), regions=(box(10, 10, 90, 60),)) for name in CLASSES]
    written(folder / "records.jsonl", *records)
    mix = {**SMALL["mix"], "records": 5}
    recipe = yaml.safe_load(CONFIG.read_text()) | SMALL | {"mix": mix, "records": [str(folder / "records.jsonl")]}
    (folder / "config.yaml").write_text(yaml.safe_dump(recipe | {"cache": str(folder / "drawn")}))
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def run(config: Path) -> Path:
    """`out` of a whole run."""
    from surveyor.finetune.scratch.train import read_config, train

    out = config.parent / "run"
    train(read_config(config, [f"out={out}", "eval_every=8", "eval_most=1"]))
    return out


def weights_of(out: Path) -> dict[str, Any]:
    import torch

    state = torch.load(out / "last.pt", weights_only=True)
    return state["model"] | state["heads"]


@marked
class TestTraining:
    def test_a_run_with_workers_that_is_killed_goes_on_to_the_same_weights(self, run: Path, config: Path) -> None:
        import torch
        from surveyor.finetune.scratch.train import read_config, train

        killed = config.parent / "killed"
        command = [sys.executable, "-m", "surveyor.finetune.scratch.train", str(config), f"out={killed}", "workers=2"]
        child = subprocess.Popen(command, env={**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 200
        while not (killed / "log.jsonl").is_file() or len((killed / "log.jsonl").read_text().splitlines()) < 5:
            assert child.poll() is None and time.monotonic() < deadline, "it ended before it was killed"
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert torch.load(killed / "last.pt", weights_only=True)["step"] < 8
        train(read_config(config, [f"out={killed}", "workers=1"]))
        one, other = weights_of(run), weights_of(killed)
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        assert yaml.safe_load((killed / "config.yaml").read_text())["workers"] == 1

    def test_photos_are_shown_in_both_stages(self, config: Path, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.train import Training, read_config

        training = Training(read_config(config, [f"out={tmp_path}"]))
        for stage in (0, 1):
            training.step = training.ends[stage] - 1
            training.enter(stage)
            rows = [row for step in range(12) for row in training.rows(step)]
            shown = [row for row in rows if row.seen is not None and row.seen.id.split("/")[0] in CLASSES]
            assert 0.1 < len(shown) / len(rows) < 0.8

    def test_a_batch_in_parts_holds_the_same_rows(self, config: Path, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.train import Training, read_config

        whole, parts = (Training(read_config(config, [f"out={tmp_path / str(n)}", f"accumulate={n}"])) for n in (1, 3))
        for training in (whole, parts):
            training.enter(1)
        (one,), several = whole.made(4), parts.made(4)
        assert len(several) == 3
        assert sum(len(part.get("image_grid_thw", ())) for part in several) == len(one["image_grid_thw"])
        count = [sum(int((part["labels"] != -100).sum()) for part in made) for made in ([one], several)]
        assert count[0] == count[1] > 0
        before = {name: value.clone() for name, value in parts.model.state_dict().items()}
        assert np.isfinite(parts.advance()["loss"])
        assert any(not bool((value == before[name]).all()) for name, value in parts.model.state_dict().items())

    def test_bf16_computes_in_bf16_and_keeps_weights_whole(self, run: Path, config: Path, tmp_path: Path) -> None:
        import torch
        from surveyor.finetune.scratch.train import read_config, train

        train(read_config(config, [f"out={tmp_path}", "precision=bf16"]))
        plain, half = weights_of(run), weights_of(tmp_path)
        assert all(
            value.dtype == plain[name].dtype and bool(torch.isfinite(value).all()) for name, value in half.items()
        )
        assert not all(torch.equal(plain[name], half[name]) for name in plain)
        first = [json.loads((out / "log.jsonl").read_text().splitlines()[0])["loss"] for out in (run, tmp_path)]
        assert first[0] != first[1] and abs(first[0] - first[1]) < 0.05 * first[0]

    @pytest.mark.parametrize("override", ["device=tpu", "precision=fp16"])
    def test_other_devices_and_precisions_are_refused(self, config: Path, override: str) -> None:
        from surveyor.finetune.scratch.train import read_config

        with pytest.raises(UsageError, match="expected one of"):
            read_config(config, [override])

    def test_a_gpu_that_is_not_there_is_told(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import torch
        from surveyor.finetune.scratch.recipe import device_of, read_config

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert device_of(read_config(config, ["device=auto"])).type == "cpu"
        with pytest.raises(UsageError, match="no GPU"):
            device_of(read_config(config, ["device=cuda"]))

    @pytest.mark.parametrize("name", ["nano_qwen2vl", "tiny_qwen2vl", "tiny_qwen2vl_overfit"])
    def test_the_recipes_can_be_read_and_nano_is_of_its_size(self, name: str) -> None:
        import torch
        from surveyor.finetune.scratch.recipe import read_config
        from surveyor.finetune.scratch.tiny import Shape, _config, number_tokenizer
        from transformers import Qwen2VLForConditionalGeneration

        recipe = read_config(ROOT / "finetune" / "configs" / f"{name}.yaml")
        shape = Shape(**recipe["model"])
        with torch.device("meta"):
            model = Qwen2VLForConditionalGeneration(_config(shape, number_tokenizer(shape.words)))
        count = sum(each.numel() for each in model.parameters()) / 1e6
        assert 10 < count < 40 if name.startswith("nano") else 1 < count < 3


# ---- what ships


@pytest.fixture(scope="module")
def shipped(run: Path) -> Path:
    from surveyor.finetune.scratch.export import export

    return export(run, run.parent / "shipped")


def scene() -> Scene:
    return Scene.from_array(draw_scene("harbour", 5, (SIDE, SIDE), 0.5).image_rgb, gsd_m=0.5, name="h.png")


@marked
class TestExport:
    def test_half_the_bytes_the_same_replies_and_a_card(self, run: Path, shipped: Path) -> None:
        whole, half = check_folder(run / "checkpoint"), check_folder(shipped)
        assert not half.faults and half.size_bytes < 0.55 * whole.size_bytes and half.parameters == whole.parameters
        card = (shipped / "card.md").read_text()
        scores = json.loads((run / "scores.json").read_text())["held_out"]
        assert f"f1@0.5 {scores['det']['f1@0.5']:.3f}" in card and "8 steps" in card and "not measured (`" in card
        same, of = card.split("computed in float32 on the CPU: ")[1].split(" replies")[0].split(" of ")
        assert int(of) > 10 and int(same) >= 0.5 * int(of)
        found = [load_models(f"grounder=qwen2vl:{at}?device=cpu&max_tokens=80").grounder for at in (run / "checkpoint", shipped)]  # fmt: skip  # noqa: E501
        assert len({found[0].name, found[1].name}) == 2

    def test_a_run_that_stopped_early_and_photos_are_told(self, run: Path, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.export import export

        recipe = yaml.safe_load((run / "config.yaml").read_text())
        recipe["stages"][1]["steps"] = 500
        (tmp_path / "longer.yaml").write_text(yaml.safe_dump({**recipe, "records": None}))
        figures = {"f1@0.5": 0.25, "precision@0.5": None, "recall@0.5": 0.5, "oriented f1@0.5": 0.125}
        told = {
            "data": "sea",
            "images": 3,
            "objects": 7,
            "command": "beside ...",
            "models": {"grounder=compact": figures},
        }
        (tmp_path / "photos.json").write_text(json.dumps(told))
        card = (export(run, tmp_path / "x", tmp_path / "longer.yaml", tmp_path / "photos.json") / "card.md").read_text()
        assert "not at its end: 8 of 503 steps" in card and "| `grounder=compact` | 0.250 |  | 0.500 | 0.125 |" in card
        assert "of no use" in card and "every image that it saw was drawn" in card

    def test_what_cannot_ship_leaves_the_old_folder(self, run: Path, shipped: Path, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file
        from surveyor.finetune.scratch.export import export, main

        broken = tmp_path / "broken"
        shutil.copytree(run, broken)
        path = broken / "checkpoint" / "model.safetensors"
        weights = load_file(path)
        name = next(iter(weights))
        save_file(weights | {name: torch.full_like(weights[name], 1e6)}, path, metadata={"format": "pt"})
        old = tmp_path / "old"
        shutil.copytree(shipped, old)
        with pytest.raises(UsageError, match="too large for float16"):
            export(broken, old)
        assert not check_folder(old).faults and (old / "card.md").is_file()
        (broken / "config.yaml").unlink()
        assert main([str(broken), str(old)]) == 2


@marked
class TestNano:
    @pytest.fixture(autouse=True)
    def weights(self, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nano, "WEIGHTS", shipped)

    def test_every_role_is_one_model_that_says_what_it_is(self, shipped: Path) -> None:
        models = load_models("grounder=nano,describer=nano,change=nano")
        assert models.names() == {"grounder": "nano", "describer": "nano", "change": "nano", "segmenter": "compact"}
        assert models.grounder.answerer is models.change.answerer  # type: ignore[attr-defined, union-attr]
        notes: list[str] = []
        with noting(notes):
            found = models.grounder.ground(scene(), "ships")
        plain = load_models(f"grounder=qwen2vl:{shipped}?max_tokens=400").grounder.ground(scene(), "ship")
        assert [each.box_px.tolist() for each in found] == [each.box_px.tolist() for each in plain]
        assert notes[0] == json.loads((shipped / "nano.json").read_text())["about"]
        for use in (lambda: models.describer.describe(scene(), found[:1]), lambda: models.change.changes(scene(), scene(), "ship")):  # type: ignore[union-attr]  # fmt: skip  # noqa: E501
            with noting(notes := []):
                use()
            assert notes and "nano" in notes[0]

    def test_it_knows_its_classes_alone(self) -> None:
        grounder = load_models("grounder=nano").grounder
        assert "storage tank" in (grounder.knows() or ()) and grounder.resolve("planes") == ("airplane",)
        with pytest.raises(UnknownPhrase):
            grounder.ground(scene(), "zebra")


class TestNanoWithout:
    def test_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nano, "find_spec", lambda name: None)
        with pytest.raises(MissingDependency, match=r"surveyor\[qwen\]"):
            load_models("grounder=nano")
        told = next(each for each in describe_backends() if each.usage == "grounder=nano")
        assert told.trouble is not None and "pip install" in told.trouble

    @pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
    def test_weights(self, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nano, "find_spec", lambda name: object())
        monkeypatch.setattr(nano, "WEIGHTS", tmp_path)
        if content is not None:
            (tmp_path / "nano.json").write_text(content)
        with pytest.raises(UsageError, match=r"finetune\.scratch\.export"):
            load_models("grounder=nano")

    def test_settings(self) -> None:
        with pytest.raises(UsageError, match="takes no argument"):
            load_models("grounder=nano:somewhere")

    @pytest.mark.skipif(not nano.WEIGHTS.is_dir(), reason="no weights are in the tree yet")
    def test_the_weights_in_the_tree_are_whole_small_and_have_a_card(self) -> None:
        report = check_folder(nano.WEIGHTS).demand("qwen2_vl")
        assert report.size_bytes < 10e6 and report.types.keys() == {"float16"}
        card = (nano.WEIGHTS / "card.md").read_text()
        assert "On photos" in card and "grounder=compact" in card


@marked
class TestShipped:
    """The weights in the tree, asked about every scene and pair that they are said to know."""

    def test_they_know_their_twelve_scenes_and_pairs(self, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.recipe import drawing_of, read_config
        from surveyor.finetune.scratch.scenes import Listed, drawn
        from surveyor.finetune.scratch.scores import asked, cases_of, scores
        from surveyor.tools.models.qwen2vl.engine import Engine
        from surveyor.tools.models.qwen2vl.settings import Checkpoint, Settings

        recipe = read_config(CONFIG.with_name("tiny_qwen2vl_overfit.yaml"))
        scenes, pairs = drawn(drawing_of(recipe["data"]), tmp_path)
        assert (len(scenes), len(pairs)) == (12, 12)
        engine = Engine(
            Checkpoint(str(nano.WEIGHTS)), Settings(device="cpu", dtype="float32", batch=16, max_tokens=400)
        )
        cases = cases_of(scenes, pairs, Listed(**recipe["listed"]), ["det", "seg", "change", "region"])
        found = scores(cases, asked(engine, cases))
        for task, figure in (("det", "f1@0.5"), ("seg", "f1@0.5"), ("change", "component_f1@0.5"), ("region", "exact")):
            assert (found[task][figure] or 0) >= 0.9, (task, found[task])

    def test_the_lists_of_models_and_the_check(self, capfd: pytest.CaptureFixture[str]) -> None:
        from surveyor.app.cli import main

        told = {each.usage: each for each in describe_backends()}
        for role in ("grounder", "describer", "change"):
            assert told[f"{role}=nano"].trouble is None and "demonstration" in told[f"{role}=nano"].about
        assert main(["models", "check", "grounder=nano"]) in (0, 1)  # it knows other scenes than the card of the check
        out = capfd.readouterr().out
        assert "Qwen2VLForConditionalGeneration" in out and "native" in out and "what it is" in out


# ---- photos: figures, and the one command


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nwpu_vhr10/ as the one command expects it: drawn scenes, 5 to learn from, 2 to score; pairs."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "nwpu_vhr10"
    (folder / "images").mkdir(parents=True)
    names = ("airplane", "ship", "vehicle", "storage tank", "building", "harbor")
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    for split, seeds in (("train", range(5)), ("val", range(50, 52))):
        images, annotations = [], []
        for seed in seeds:
            drawn = draw_scene(("harbour", "airport")[seed % 2], seed, (240, 200), 0.6)
            saved(folder / "images" / f"{seed}.png", drawn.image_rgb)
            images.append({"id": seed, "file_name": f"{seed}.png", "width": 240, "height": 200})
            for thing in drawn.objects:
                if thing.label in names and thing.area_px > 60:
                    x0, y0, x1, y1 = (float(side) for side in thing.box_px)
                    annotations.append({
                        "id": len(annotations) + 1, "image_id": seed, "category_id": names.index(thing.label) + 1,
                        "bbox": [x0, y0, x1 - x0, y1 - y0], "area": float(thing.area_px), "iscrowd": 0,
                        "segmentation": [thing.polygon_px.ravel().tolist()],
                    })  # fmt: skip
        told = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{split}.json").write_text(json.dumps(told))
    for part in ("A", "B", "label"):
        (root / "change" / "levir" / part).mkdir(parents=True)
        for name in ("train_1_0_0", "test_2_0_0"):
            pixels = np.zeros((96, 96) if part == "label" else (96, 96, 3), np.uint8)
            if part != "A":
                pixels[20:50, 30:70] = 255
            saved(root / "change" / "levir" / part / f"{name}.png", pixels)
    return root


@marked
class TestBeside:
    def test_the_truth_scores_one_and_nothing_scores_nothing(self, coco: Path, tmp_path: Path) -> None:
        from surveyor.finetune.scratch.beside import answers, figures, items_of, main

        data = coco / "nwpu_vhr10"
        out = tmp_path / "photos.json"
        spec = f"grounder=oracle:{data / 'val.json'}"
        assert main(["--data", str(data), "--out", str(out), spec]) == 0
        told = json.loads(out.read_text())
        assert told["models"][spec]["f1@0.5"] == told["models"][spec]["oriented f1@0.5"] == 1
        assert told["images"] == 2 and told["objects"] == len(
            json.loads((data / "val.json").read_text())["annotations"]
        )

        class Blind:
            def ground(self, scene: Scene, phrase: str) -> tuple[Any, ...]:
                if phrase == "ship":
                    raise UnknownPhrase("ship", ())
                return ()

        items = items_of(data / "val.json")
        found = figures(items, answers(Blind(), items, data / "images"))
        assert found["f1@0.5"] == found["recall@0.5"] == 0 and found["unreadable"] == 0

    def test_what_is_no_grounder_is_refused(self, coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from surveyor.finetune.scratch.beside import main

        assert main(["--data", str(coco / "nwpu_vhr10"), "compact"]) == 2
        assert "grounder=MODEL" in capsys.readouterr().err


@marked
@pytest.mark.skipif(BASH is None, reason="the script needs bash")
class TestTheOneCommand:
    def start(self, coco: Path, out: Path, **more: str) -> subprocess.CompletedProcess[str]:
        small = " ".join(f"model.{name}={value}" for name, value in SMALL["model"].items())  # type: ignore[attr-defined]
        settings = (
            f"{small} data.side={SIDE} data.scenes=7 data.pairs=7 data.drawers=1 held_out.scenes=2 held_out.pairs=2 "
            "stages.0.steps=2 stages.0.batch=3 stages.1.steps=2 stages.1.batch=3 stages.2.steps=1 stages.2.batch=3 "
            "device=cpu precision=fp32 workers=1 threads=1 place_layer=1 reader_layer=2 log_every=1 save_every=1 "
            "eval_every=100 eval_most=1"
        )
        env = {
            **os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1", "OUT": str(out), "SET": settings, "MOST": "1",
            "TOKENS": "30", "PYTHON": sys.executable, "SURVEYOR": f"{sys.executable} -m surveyor.app.cli", **more,
        }  # fmt: skip
        command = [str(BASH), str(ROOT / "runs" / "nano.sh"), str(coco)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)

    def test_from_data_to_a_folder_that_ships_and_again(self, coco: Path, tmp_path: Path) -> None:
        done = self.start(coco, tmp_path)
        assert done.returncode == 0, done.stderr
        told = {path.stem: path.read_text().splitlines() for path in (tmp_path / "records").glob("*.jsonl")}
        assert {"nwpu-448", "nwpu-896", "nwpu-896-pasted", "levir", "levir-turned"} == told.keys() and all(
            told.values()
        )
        families = {json.loads(line)["family"] for name in told if "levir" in name for line in told[name]}
        assert len(families) == 1 and "train_1" in families.pop()
        assert not [line for name in told for line in told[name] if '"images/5' in line]  # of val
        recipe = yaml.safe_load((tmp_path / "model" / "config.yaml").read_text())
        assert len(recipe["records"]) == 5
        card = (tmp_path / "nano" / "card.md").read_text()
        assert "5 steps" in card and "| `grounder=compact` |" in card and "nwpu-896-pasted.jsonl" in card
        assert not check_folder(tmp_path / "nano").faults
        before = {
            path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name in ("last.pt", "photos.json")
        }
        again = self.start(coco, tmp_path)
        assert again.returncode == 0 and "nwpu-448" not in again.stderr and "built-in detector" not in again.stderr
        assert before == {path: path.stat().st_mtime_ns for path in before} and len(before) == 2

    def test_without_data_it_says_what_it_wants(self, tmp_path: Path) -> None:
        done = self.start(tmp_path, tmp_path / "out")
        assert done.returncode == 2 and "train.json" in done.stderr and not (tmp_path / "out").exists()
