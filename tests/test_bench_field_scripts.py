"""The scripts of `runs/`: each is run on a tiny copy of its dataset, and what it calls is called for real.

The script itself runs in bash with a program that notes its words; then those words are given to the command line in
this process. So building, answering and scoring are real, without a new Python for each step. The model that is asked
in words is a server here that looks at nothing. `-m slow` runs scripts with the installed program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import test_datasets_chats as chats
import test_datasets_expressions as expressions
import test_datasets_masks as masks
import test_datasets_texts as texts
from fault_server import Answer, FaultServer, said, serving
from surveyor.app.cli import main
from surveyor.core.codec import Pointed, dialect
from surveyor.evals.bench.items import read_items
from surveyor.evals.bench.store import read_predictions
from surveyor.evals.construction.rcd_synth import synth_pairs
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.datasets.record import Record, Thing

RUNS = Path(__file__).resolve().parents[1] / "runs"
SCRIPTS = sorted(path.stem for path in RUNS.glob("*.sh") if path.stem not in ("_run", "nano"))
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="the scripts need bash")


# ---- tiny datasets ----------------------------------------------------------------------------------------------


def pictures(root: Path, size_wh: tuple[int, int] = (64, 64), *more: str) -> Path:
    """Real pictures in the place of empty files, and those named."""
    empty = [path for path in root.rglob("*") if path.suffix in (".jpg", ".png", ".tif") and not path.stat().st_size]
    for number, path in enumerate([*sorted(empty), *(root / name for name in more)]):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (*size_wh[::-1], 3), dtype=np.uint8)
        assert cv2.imwrite(str(path), pixels)
    return root


def dior_rsvg(root: Path) -> Path:
    expressions.rsvg_tree(root)
    return pictures(root, (800, 801), *(f"JPEGImages/{number}.jpg" for number in ("00001", "00010")))


def rsvg(root: Path) -> Path:
    expressions.write(root / "images/a.jpg")
    expressions.pth(root / "rsvg_test.pth", [("a.jpg", [1, 2, 50, 60], "the tower"), ("a.jpg", [9, 9, 20, 20], "it")])
    return pictures(root)


def vrsbench(root: Path) -> Path:
    name = "P0003_0002.png"
    question = {"image_id": name, "question": "Rural?", "ground_truth": "yes", "question_id": 0, "type": "image"}
    caption = {"image_id": name, "question": "Describe", "ground_truth": "A plane.", "question_id": 4}
    for end, rows in (("referring", [expressions.EVAL]), ("vqa", [question]), ("Cap", [caption])):
        texts.dump(root / f"VRSBench_EVAL_{end}.json", rows)
    return pictures(root, (512, 512), f"Images_val/{name}")


def geochat_bench(root: Path) -> Path:
    chats.lines(root / "referring.jsonl", chats.REFER)
    chats.lines(root / "lrben.jsonl", {"question_id": 1, "image_id": "5", "question": "Any road?", "ground_truth": "yes"})  # fmt: skip  # noqa: E501
    chats.lines(root / "UCmerced.jsonl", {"question_id": "forest/forest01"}, {"question_id": "beach/beach02"})
    chats.lines(root / "aid.jsonl", {"question_id": "Airport/airport_1"}, {"question_id": "BareLand/bareland_1"})
    names = ("P0003_0002", "5", "forest/forest01", "beach/beach02", "Airport/airport_1", "BareLand/bareland_1")
    return pictures(root, (64, 64), *(f"images/{name}.png" for name in names))


def fit_rs(root: Path) -> Path:
    bench = root / "FIT-RSFG-Bench"
    chats.lines(bench / "test_FITRS_image_caption_eval.jsonl", chats.fit("Describe", "A plane."))
    chats.lines(bench / "test_FITRS_imageclassify_eval.jsonl", chats.fit("Classify", "harbor"), chats.fit("Classify", "farm", image="0013__1.png"))  # fmt: skip  # noqa: E501
    chats.lines(bench / "test_FITRS_vqa_eval.jsonl", chats.fit("Any ship?", "yes"))
    ask = {"question_id": 9, "image": chats.NAME, "category": "exist", "text": "Which? A. x B. y", "ground_truth": "A"}
    chats.lines(root / "FIT-RSRC_Questions_2k.jsonl", ask, ask | {"ground_truth": "B"})
    return pictures(root, (512, 512), *(f"imgv2_split_512_100_vaild/{name}" for name in (chats.NAME, "0013__1.png")))


def rsvqa_hr(root: Path) -> Path:
    texts.dump(root / "USGSquestions.json", {"questions": texts.QUESTIONS})
    texts.dump(root / "USGSanswers.json", {"answers": texts.ANSWERS})
    for part, members in (("test", {0, 1}), ("test_phili", {4})):
        texts.dump(
            root / f"USGS_split_{part}_questions.json", {"questions": texts.split_rows(texts.QUESTIONS, members)}
        )
    return pictures(root, (64, 64), "Data/5.tif", "Data/9.tif")


def geopixeld(root: Path) -> Path:
    masks.geopixeld_entry(root / "test")
    return root


def loveda(root: Path) -> Path:
    masks.picture(root / "Val/Urban/images_png/1.png", 64, 64)
    labels = np.full((64, 64), 4)
    labels[:, :20], labels[:5] = 2, 0
    masks.write(root / "Val/Urban/masks_png/1.png", labels)
    return root


def deepglobe(root: Path) -> Path:
    masks.picture(root / "land/train/7_sat.jpg", 64, 64)
    colours = np.zeros((64, 64, 3))
    colours[:, :30, 2] = 255  # water
    masks.write(root / "land/train/7_mask.png", colours)
    masks.picture(root / "road/train/8_sat.jpg", 64, 64)
    masks.write(root / "road/train/8_mask.png", np.where(np.arange(64) < 9, 255, 0) * np.ones((64, 1)))
    return root


def scenes(*names: str) -> Callable[[Path], Path]:
    return lambda root: pictures(root, (64, 64), *names)


def written(root: Path, name: str, image: Path | None) -> None:
    """A copy of a drawn picture under a dataset's name."""
    assert image is not None
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(image, path)


def drawn(root: Path, n: int = 4) -> list[Record]:
    return list(synth_records(n, seed=1, size_wh=(512, 512), root=root / "drawn"))


def of(record: Record, names: dict[str, str]) -> Iterator[tuple[Thing, str]]:
    """The things of classes that a dataset has, with its names."""
    return ((thing, names[thing.label]) for thing in record.things if thing.label in names)


SAME = ("ship", "storage tank", "tennis court", "basketball court", "ground track field", "harbor", "bridge")


def dota(root: Path) -> Path:
    names = {name: name.replace(" ", "-") for name in SAME} | {"airplane": "plane", "vehicle": "small-vehicle"}
    for number, record in enumerate(drawn(root)):
        written(root, f"val/images/P{number:04}.png", record.image)
        rows = [
            " ".join(f"{v:.2f}" for v in thing.corners_px.ravel()) + f" {name} 0"
            for thing, name in of(record, names)
            if thing.corners_px is not None
        ]
        texts_of = "\n".join(["imagesource:drawn", f"gsd:{record.gsd_m}", *rows])
        expressions.write(root / f"val/labelTxt/P{number:04}.txt", texts_of)
    return root


def dior_r(root: Path) -> Path:
    ends = [f"{axis}_{corner}" for corner in ("left_top", "right_top", "right_bottom", "left_bottom") for axis in "xy"]
    names = {name: name.replace(" ", "") for name in SAME} | {"airplane": "airplane", "vehicle": "vehicle"}
    for number, record in enumerate(drawn(root)):
        written(root, f"JPEGImages-test/{11726 + number}.png", record.image)
        objects = "".join(
            f"<object><name>{name}</name><robndbox>"
            + "".join(f"<{end}>{value}</{end}>" for end, value in zip(ends, thing.corners_px.ravel(), strict=True))
            + "</robndbox></object>"
            for thing, name in of(record, names)
            if thing.corners_px is not None
        )
        size = "<size><width>512</width><height>512</height></size>"
        expressions.write(
            root / f"Annotations/Oriented Bounding Boxes/{11726 + number}.xml",
            f"<annotation>{size}{objects}</annotation>",
        )
    expressions.write(root / "ImageSets/Main/test.txt", "\n".join(str(11726 + n) for n in range(4)))
    return root


def coco(records: list[Record], names: dict[str, str], file_names: list[str]) -> dict[str, Any]:
    kinds = sorted(set(names.values()))
    rows = []
    for image, record in enumerate(records):
        for thing, name in of(record, names):
            ring = thing.polygon_px if thing.polygon_px is not None else thing.corners_px
            assert ring is not None
            x0, y0, x1, y1 = thing.box_px.tolist()
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": image,
                    "category_id": kinds.index(name) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "segmentation": [ring.ravel().tolist()],
                }
            )
    images = [{"id": n, "file_name": name, "width": 512, "height": 512} for n, name in enumerate(file_names)]
    return {"images": images, "annotations": rows, "categories": [{"id": k + 1, "name": n} for k, n in enumerate(kinds)]}  # fmt: skip  # noqa: E501


def isaid(root: Path) -> Path:
    records = drawn(root)
    files = [f"P{number:04}.png" for number in range(len(records))]
    for name, record in zip(files, records, strict=True):
        written(root, f"val/images/{name}", record.image)
    names = {name: name.replace(" ", "_") for name in SAME} | {"airplane": "plane", "vehicle": "Small_Vehicle"}
    texts.dump(root / "val/instancesonly_filtered_val.json", coco(records, names, files))
    return root


def nwpu_vhr10(root: Path) -> Path:
    records = drawn(root)
    files = [f"{number:03}.jpg" for number in range(1, len(records) + 1)]
    for name, record in zip(files, records, strict=True):
        path = root / "positive image set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.imread(str(record.image)))
    names = {name: name for name in (*SAME, "airplane", "vehicle")} | {"ship": "ships"}
    texts.dump(root / "annotations.json", coco(records, names, files))
    return pictures(root, (300, 200), "negative image set/001.jpg")


def pairs_of(root: Path, n: int = 3) -> list[Record]:
    return list(synth_pairs(n, seed=2, size_wh=(256, 256), root=root / "drawn"))


def levir_cd(root: Path) -> Path:
    for number, record in enumerate(pairs_of(root, 2), start=1):
        written(root, f"test/A/test_{number}.png", record.image)
        written(root, f"test/B/test_{number}.png", record.after)
        masks.write(root / f"test/label/test_{number}.png", record.changed["building"].to_array() * 255)
    return root


def levir_mci(root: Path) -> Path:
    entries = []
    for number, record in enumerate(pairs_of(root), start=1):
        name = f"test_{number:06}.png"
        written(root, f"images/test/A/{name}", record.image)
        written(root, f"images/test/B/{name}", record.after)
        label = record.changed["building"].to_array() * 255
        if "road" in record.changed:
            label = np.where((label == 0) & record.changed["road"].to_array(), 128, label)
        masks.write(root / f"images/test/label/{name}", np.stack([label] * 3, axis=-1))
        sentences = [{"raw": "a house was built", "tokens": ["a"], "imgid": number, "sentid": 0}]
        flag = int(label.any())
        entries.append({"filename": name, "filepath": "test", "split": "test", "changeflag": flag, "sentences": sentences})  # fmt: skip  # noqa: E501
    texts.dump(root / "LevirCCcaptions.json", {"images": entries})
    return root


def xbd(root: Path) -> Path:
    for number, record in enumerate(pairs_of(root)):
        stem = f"quake_{number:08}"
        for end, image in (("pre", record.image), ("post", record.after)):
            written(root, f"test/images/{stem}_{end}_disaster.png", image)
        damage = record.changed["building"].to_array() * 4
        masks.write(root / f"test/masks/{stem}_pre_disaster.png", (damage > 0) * 1)
        masks.write(root / f"test/masks/{stem}_post_disaster.png", damage)
    return root


# ---- what each script makes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A script's tiny dataset, whether it is asked in words, and run -> tracks that are scored."""

    tree: Callable[[Path], Path]
    runs: dict[str, set[str]]
    words: bool = True
    refused: bool = False


CASES = {
    "aid": Case(scenes("AID/BareLand/b_1.jpg", "AID/Airport/a_1.jpg"), {"scene": {"scenes"}}),
    "deepglobe": Case(deepglobe, {"land": {"masks"}, "road": {"masks"}}),
    "dior_r": Case(dior_r, {"crec": {"boxes", "oriented boxes"}}, words=False),
    "dior_rsvg": Case(dior_rsvg, {"rec": {"boxes"}}),
    "dota": Case(dota, {"crec": {"boxes", "oriented boxes"}}, words=False),
    "fit_rs": Case(
        fit_rs,
        {"caption": {"captions"}, "scene": {"scenes"}, "vqa": {"questions"}, "choice": {"questions", "circular"}},
    ),
    "geochat_bench": Case(
        geochat_bench, {"rec": {"boxes", "oriented boxes"}, "vqa": {"questions"}, "scene": {"scenes"}}
    ),
    "geopixeld": Case(geopixeld, {}, refused=True),
    "isaid": Case(isaid, {"cres": {"masks"}}, words=False),
    "levir_cd": Case(levir_cd, {"change": {"change"}}, words=False),
    "levir_mci": Case(levir_mci, {"rcd": {"change"}, "change": {"change"}}, words=False),
    "loveda": Case(loveda, {"res": {"masks"}}),
    "nwpu_vhr10": Case(nwpu_vhr10, {"crec": {"boxes", "oriented boxes"}, "cres": {"masks"}}, words=False),
    "refsegrs": Case(masks.refsegrs_tree, {"res": {"masks"}}),
    "resisc45": Case(
        scenes("NWPU-RESISC45/airplane/airplane_001.jpg", "NWPU-RESISC45/sea_ice/sea_ice_001.jpg"),
        {"scene": {"scenes"}},
    ),
    "rrsis_d": Case(masks.rrsisd_tree, {"res": {"masks", "consistency"}, "rec": {"boxes"}}),
    "rsicd": Case(lambda root: pictures(texts.karpathy(root)), {"caption": {"captions"}}),
    "rsvg": Case(rsvg, {"rec": {"boxes"}}),
    "rsvqa_hr": Case(rsvqa_hr, {"test": {"questions"}, "test_phili": {"questions"}}),
    "rsvqa_lr": Case(lambda root: pictures(texts.rsvqa_lr(root)), {"vqa": {"questions"}}),
    "sydney_captions": Case(lambda root: pictures(texts.karpathy(root)), {"caption": {"captions"}}),
    "thinkgeo": Case(lambda root: texts.bench(root, texts.task()), {}, words=False),
    "uc_merced": Case(
        scenes("UCMerced_LandUse/Images/forest/forest01.tif", "UCMerced_LandUse/Images/beach/beach02.tif"),
        {"scene": {"scenes"}},
    ),
    "ucm_captions": Case(lambda root: pictures(texts.karpathy(root)), {"caption": {"captions"}}),
    "vrsbench": Case(
        vrsbench, {"rec": {"boxes", "oriented boxes"}, "vqa": {"questions"}, "caption": {"captions"}}
    ),
    "xbd": Case(xbd, {"rcd": {"change"}}, words=False),
}  # fmt: skip


def reply(sent: dict[str, Any], _number: int) -> Answer:
    """Says a box, yes, the first class or "a plane", as it is asked."""
    (text,) = [part["text"] for part in sent["messages"][-1]["content"] if part["type"] == "text"]
    if text.startswith("[cls]"):
        return said(text.split(": ", 1)[1].split(",")[0].rstrip("?"))
    if text.startswith("[det]"):
        box = Pointed("obb", np.array([[0.0, 0], [500, 0], [500, 500], [0, 500]]))
        return said(dialect("native").encode([box], (1000, 1000)))
    return said("yes" if text.startswith("[vqa]") else "a plane")


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(reply) as running:
        yield running


def script(name: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {
        key: value
        for key, value in os.environ.items()
        if key not in ("MODELS", "OUT", "LIMIT", "SHARD", "ITEMS", "BUILD", "RUN", "VERSION")
    }
    command = [str(BASH), str(RUNS / f"{name}.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**clean, **env})


def calls(tmp_path: Path, name: str, data: Path, **env: str) -> list[list[str]]:
    """The words of each call of the program that a script makes."""
    noting, log = tmp_path / "noting", tmp_path / "log"
    noting.write_text(f"#!/bin/sh\nfor word; do printf '%s\\037' \"$word\"; done >>'{log}'\necho >>'{log}'\n")
    noting.chmod(0o755)
    done = script(name, str(data), SURVEYOR=str(noting), PYTHON=sys.executable, OUT=str(tmp_path / "out"), **env)
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split("\x1f")[:-1] for line in lines]


# ---- tests ------------------------------------------------------------------------------------------------------


def test_every_script_has_a_case_and_a_row_in_the_table() -> None:
    assert sorted(CASES) == SCRIPTS
    table = (RUNS / "README.md").read_text()
    assert [name for name in SCRIPTS if f"`{name}.sh`" not in table] == []


@pytest.mark.parametrize("name", ["_run", *SCRIPTS])
def test_scripts_can_be_read_by_bash(name: str) -> None:
    path = RUNS / f"{name}.sh"
    done = subprocess.run([str(BASH), "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, path.read_text().splitlines())) <= 120
    if name != "_run":
        assert os.access(path, os.X_OK) and f"usage: runs/{name}.sh DATA_DIR" in path.read_text()


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_builds_answers_and_scores(name: str, tmp_path: Path, server: FaultServer, capsys: Any) -> None:
    case = CASES[name]
    data = tmp_path / "the data"
    data.mkdir()
    case.tree(data)
    env = {"MODELS": f"grounder=openai:m@{server.url}?dialect=native"} if case.words else {}
    asked = calls(tmp_path, name, data, LIMIT="2", ITEMS="4", **env)
    out = tmp_path / "out"
    scored = []
    for words in asked:
        code = main(words)
        told = capsys.readouterr()
        if case.refused and words[1] != "build":
            assert code == 2, told.err
            if words[1] == "run":
                assert "caption_grounded" in told.err
            continue
        assert code == 0, (words, told.err)
        if words[1] == "score":
            folder = Path(words[2])
            run = folder.name.removesuffix("-first-2")
            scored.append(run)
            tracks = json.loads((folder / "scores.json").read_text())["tracks"]
            assert {re.sub(r" \(.*", "", track) for track in tracks} == case.runs[run]
            answers = list(read_predictions(folder))
            assert len(answers) == min(2, sum(1 for _ in read_items(out / f"{run}.jsonl")))
            assert {each.status for each in answers} == {"answered"}, answers
    assert scored == list(case.runs)


def test_thinkgeo_is_read_and_says_that_nothing_is_asked(tmp_path: Path) -> None:
    texts.bench(tmp_path, texts.task())
    done = script("thinkgeo", str(tmp_path), PYTHON=sys.executable)
    assert done.returncode == 0 and done.stdout.startswith("1 tasks can be read") and "not built" in done.stderr


def test_a_folder_that_is_not_there_and_no_folder(tmp_path: Path) -> None:
    done = script("dota", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "there is no folder" in done.stderr
    done = script("dota")
    assert done.returncode == 2 and "usage: runs/dota.sh DATA_DIR" in done.stderr and "shellcheck" not in done.stderr


def test_without_a_model_that_is_asked_in_words(tmp_path: Path) -> None:
    texts.rsvqa_lr(tmp_path)
    done = script("rsvqa_lr", str(tmp_path), SURVEYOR="false")
    assert done.returncode == 2 and "MODELS=grounder=qwen2vl:DIR" in done.stderr
    (tmp_path / "x").mkdir()
    vrsbench(tmp_path / "v")
    assert [words[1] for words in calls(tmp_path, "vrsbench", tmp_path / "v")] == ["build", "run", "score"], "REC alone"


def test_items_are_built_once_and_words_are_handed_on(tmp_path: Path) -> None:
    env = {"BUILD": "--seed 3", "RUN": "--through agent --workers 2", "MODELS": "grounder=oracle:a b.json"}
    build, run, score = calls(tmp_path, "dota", tmp_path, VERSION="1.5", **env)
    out = tmp_path / "out"
    assert build == ["bench", "build", "crec", "--source", f"dota:{tmp_path}?split=val&version=1.5", "--out",
                     str(out / "crec.jsonl"), "--n", "1000", "--seed", "3"]  # fmt: skip
    assert run == ["bench", "run", str(out / "crec.jsonl"), "--data", str(tmp_path), "--out", str(out / "crec"),
                   "--models", "grounder=oracle:a b.json", "--through", "agent", "--workers", "2"]  # fmt: skip
    assert score == ["bench", "score", str(out / "crec")]
    (out / "crec.jsonl").write_text("built\n")
    (tmp_path / "log").unlink()
    assert [words[1] for words in calls(tmp_path, "dota", tmp_path, VERSION="1.5", **env)] == ["run", "score"]


@pytest.mark.parametrize(
    "env", [{"VERSION": "1.5"}, {"ITEMS": "20"}, {"BUILD": "--seed 3"}, {"folder": "other"}], ids=str
)
def test_items_that_were_built_otherwise_are_not_taken(env: dict[str, str], tmp_path: Path) -> None:
    for name in ("data", "other"):
        (tmp_path / name).mkdir()
    calls(tmp_path, "dota", tmp_path / "data")
    items = tmp_path / "out/crec.jsonl"
    items.write_text("built\n")
    data = tmp_path / env.pop("folder", "data")
    done = script("dota", str(data), SURVEYOR="true", OUT=str(tmp_path / "out"), **env)
    assert done.returncode == 2 and f"{items} was built otherwise; give another OUT" in done.stderr
    assert "then: bench build crec" in done.stderr and "now:  bench build crec" in done.stderr
    items.unlink()
    done = script("dota", str(data), SURVEYOR="true", OUT=str(tmp_path / "out"), **env)
    assert done.returncode == 0, done.stderr
    items.write_text("built again\n")
    assert script("dota", str(data), SURVEYOR="true", OUT=str(tmp_path / "out"), **env).returncode == 0


def test_items_of_which_nobody_knows_how_they_were_built(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/crec.jsonl").write_text("built\n")
    done = script("dota", str(tmp_path), SURVEYOR="true", OUT=str(tmp_path / "out"))
    assert done.returncode == 2 and "then: not known" in done.stderr


def test_parts_have_folders_of_their_own_and_are_scored_together(tmp_path: Path) -> None:
    build, run = calls(tmp_path, "dota", tmp_path, SHARD="2/4", LIMIT="100")
    assert build[1] == "build" and run[run.index("--shard") + 1] == "2/4" and run[run.index("--limit") + 1] == "100"
    assert run[run.index("--out") + 1] == str(tmp_path / "out/crec-first-100-2-of-4")
    done = script("dota", str(tmp_path), SURVEYOR="true", OUT=str(tmp_path / "out"), SHARD="2/4")
    assert f"surveyor bench score {tmp_path}/out/crec-*-of-4" in done.stderr


def test_a_step_that_fails_ends_the_script(tmp_path: Path) -> None:
    failing = tmp_path / "failing"
    failing.write_text(f'#!/bin/sh\necho "$2" >>{tmp_path}/log\n[ "$2" != run ]\n')
    failing.chmod(0o755)
    done = script("nwpu_vhr10", str(tmp_path), SURVEYOR=str(failing), OUT=str(tmp_path / "out"))
    assert done.returncode != 0 and (tmp_path / "log").read_text().split() == ["build", "run"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dota", "isaid", "levir_cd", "nwpu_vhr10"])
def test_scripts_with_the_installed_program(name: str, tmp_path: Path) -> None:
    data = CASES[name].tree(tmp_path / "data")
    program = f"{sys.executable} -m surveyor.app.cli"
    done = script(name, str(data), SURVEYOR=program, OUT=str(tmp_path / "out"), LIMIT="2", ITEMS="4")
    assert done.returncode == 0, done.stderr
    for run in CASES[name].runs:
        assert len(list(read_predictions(tmp_path / "out" / f"{run}-first-2"))) == 2
