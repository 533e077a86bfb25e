"""A small tree of each dataset that can be converted, from the fixtures of the readers' own tests, with real images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import test_datasets_boxes as boxes
import test_datasets_change as change
import test_datasets_chats as chats
import test_datasets_expressions as expressions
import test_datasets_masks as masks
import test_datasets_texts as texts
from surveyor.evals.datasets.registry import reader_named

SIDE_WH = (512, 512)
"""Of images whose annotation tells no size."""


def _dota(root: Path) -> None:
    lines = ["gsd:0.5", boxes.SHIP, "50 50 90 50 90 70 50 70 plane 1", "10 100 30 100 30 110 10 110 ship 0"]
    boxes.write(root / "train/labelTxt/P0706.txt", "\n".join(lines))


def _dior(root: Path) -> None:
    boxes.dior(root, "00002", f"<name>ship</name>{boxes.BOX}", f"<name>Train-Station</name>{boxes.BOX}")
    boxes.write(root / "JPEGImages-trainval/00002.jpg")


def _nwpu(root: Path) -> None:
    boxes.nwpu(root)
    boxes.write(root / "ground truth/001.txt", "(63,78),(130,173),1\n(10,20),(30,40),10\n")
    boxes.write(root / "ground truth/002.txt", "(1,1),(20,20),3")


def _coco(root: Path) -> None:
    one = {"bbox": [2, 1, 6, 8], "segmentation": [[2, 1, 8, 1, 8, 9, 5, 5, 2, 9]]}
    boxes.write(root / "val.json", boxes.coco(one, {"bbox": [10, 2, 4, 4], "category_id": 3}))


def _dior_rsvg(root: Path) -> None:
    expressions.rsvg_tree(root)


def _rsvg(root: Path) -> None:
    expressions.pth(root / "rsvg_test.pth", [("b.jpg", [1, 2, 5, 6], "  the  tower ", ("extra",))])


def _vrsbench(root: Path) -> None:
    expressions.vrs(root)


def _vrsbench_eval(root: Path) -> None:
    question = {"image_id": "P0003_0002.png", "question": "Rural?", "ground_truth": "urban", "question_id": 0}
    expressions.write(root / "VRSBench_EVAL_referring.json", json.dumps([expressions.EVAL]))
    expressions.write(root / "VRSBench_EVAL_vqa.json", json.dumps([question | {"type": "rural or urban"}]))


def _geochat(root: Path) -> None:
    entry = chats.REFER | {"question": "{<40><45><60><55>|<30>}", "ground_truth": "1 dump-truck at the center"}
    chats.lines(root / "referring.jsonl", chats.REFER)
    chats.lines(root / "region_captioning.jsonl", entry)
    chats.lines(root / "hrben.jsonl", {"question_id": 5, "image": "10659.tif", "text": "Is there water?"})
    chats.lines(root / "aid.jsonl", *({"question_id": f"{name}/{name}_1.jpg"} for name in ("BareLand", "Beach")))


def _geochat_instruct(root: Path) -> None:
    turns = (
        *("<image>\n[refer] where is <p>silver airplane</p> ?", "{<16><55><24><63>|<11>}"),
        *("[refer] where are <p>planes</p> ?", "{<8><82><16><90>|<69>}<delim>{<6><44><14><48>|<32>}"),
        *("[identify] the object in {<35><32><37><36>|<67>} is", "<p>1 dump-truck</p>"),
        *("[grounding] describe", "There are <p>two ships</p> {<50><50><60><60>|<52>} here"),
        *("What is it?", "A harbor {quoted}.", "Flooded?", "yes"),
    )
    chats.write(root / "GeoChat_Instruct.json", json.dumps([chats.talk("P0001_0001.png", *turns)]))


def _fitrs(root: Path) -> None:
    box = "{<12.50><30.10><4.20><1.10>|<57>}"
    bench = root / "FIT-RSFG/FIT-RSFG-Bench"
    chats.lines(bench / "test_FITRS_image_caption_eval.jsonl", chats.fit("Describe", "A harbor."))
    chats.lines(bench / "test_FITRS_region_caption_eval.jsonl", chats.fit(f"What is in {box}?", "a ship"))
    chats.lines(
        bench / "test_FITRS_imageclassify_eval.jsonl", chats.fit("Classify", "harbor"), chats.fit("Classify", "port")
    )
    chats.lines(bench / "test_FITRS_vqa_eval.jsonl", chats.fit("<image>\nHow many?", 2))
    chats.lines(
        bench / "test_FITRS_complex_comprehension_eval.jsonl", chats.fit(f"How do {box} and {box} relate?", "parallel")
    )


def _rrsisd(root: Path) -> None:
    masks.rrsisd_tree(root)


def _refsegrs(root: Path) -> None:
    masks.refsegrs_tree(root)


def _isaid(root: Path) -> None:
    masks.isaid_masks(root / "train/images")


def _geopixeld(root: Path) -> None:
    masks.geopixeld_entry(root / "train")


def _loveda(root: Path) -> None:
    masks.picture(root / "Val/Urban/images_png/10.png", 64, 48)
    values = np.repeat(np.repeat(np.array([[1, 2, 3, 4]] * 3), 16, axis=0), 16, axis=1)
    masks.write(root / "Val/Urban/masks_png/10.png", values)


def _deepglobe(root: Path) -> None:
    masks.picture(root / "train/77_sat.png", 64, 48).rename(root / "train/77_sat.jpg")
    row = np.repeat(np.array([(0, 255, 255), (0, 0, 255), (0, 0, 255), (0, 255, 0)]), 16, axis=0)
    masks.write(root / "train/77_mask.png", np.array([row] * 48))


def _deepglobe_road(root: Path) -> None:
    masks.picture(root / "train/5_sat.png", 64, 48).rename(root / "train/5_sat.jpg")
    masks.write(
        root / "train/5_mask.png", np.repeat((masks.block((48, 64), 0, 16, 64, 32) * 250)[..., None], 3, axis=2)
    )


def _levir_cd(root: Path) -> None:
    change.pair(root / "train", "train_1", change.mask())
    change.pair(root / "train", "train_2", change.mask(0))


def _levir_mci(root: Path) -> None:
    label = change.mask(128)
    label[4:, 2:] = 255
    change.mci_tree(root, label)


def _xbd(root: Path) -> None:
    before = [change.feature("b", change.SQUARE), change.feature("a", change.TALL)]
    change.xbd_tree(root, before, [change.feature("a", change.TALL, "destroyed"), change.feature("b", change.SQUARE, "no-damage")])  # fmt: skip  # noqa: E501


def _pairs(root: Path) -> None:
    change.pair(root, "scene_0000_0256", change.mask())


def _rsvqa_lr(root: Path) -> None:
    texts.rsvqa_lr(root)


def _rsvqa_hr(root: Path) -> None:
    texts.dump(root / "USGSquestions.json", {"questions": texts.QUESTIONS})
    texts.dump(root / "USGSanswers.json", {"answers": texts.ANSWERS})
    texts.dump(root / "USGS_split_test_questions.json", {"questions": texts.split_rows(texts.QUESTIONS, {0, 1})})
    texts.touch(root / "Data/5.tif")


def _karpathy(root: Path) -> None:
    texts.karpathy(root)


def _scenes(root: Path) -> None:
    texts.touch(root / "BareLand/bareland_1.jpg", root / "Airport/airport_10.jpg", root / "Airport/airport_11.jpg")


TREES: dict[str, Callable[[Path], None]] = {
    "dota": _dota, "dior": _dior, "nwpu_vhr10": _nwpu, "coco": _coco, "dior_rsvg": _dior_rsvg, "rsvg": _rsvg,
    "vrsbench": _vrsbench, "vrsbench_eval": _vrsbench_eval, "geochat": _geochat, "geochat_instruct": _geochat_instruct,
    "fitrs": _fitrs, "rrsisd": _rrsisd, "refsegrs": _refsegrs, "isaid": _isaid, "geopixeld": _geopixeld,
    "loveda": _loveda, "deepglobe": _deepglobe, "deepglobe-road": _deepglobe_road, "levir-cd": _levir_cd,
    "levir-mci": _levir_mci, "xbd": _xbd, "pairs": _pairs, "rsvqa-lr": _rsvqa_lr, "rsvqa-hr": _rsvqa_hr,
    "ucm-captions": _karpathy, "sydney-captions": _karpathy, "rsicd": _karpathy, "aid": _scenes, "resisc45": _scenes,
    "ucmerced": _scenes,
}  # fmt: skip
OPTIONS: dict[str, dict[str, str]] = {
    "nwpu_vhr10": {"exhaustive": "all"},
    "coco": {"exhaustive": "yes"},
    "pairs": {"classes": "building"},
}


def tree_of(name: str, root: Path) -> Path:
    """The dataset's tree in that folder, with every image in place."""
    root.mkdir(parents=True, exist_ok=True)
    TREES[name](root)
    for record in reader_named(name).read(root, **OPTIONS.get(name, {})):
        if not record.image.is_file() or not record.image.stat().st_size:
            width, height = record.size_wh or SIDE_WH
            record.image.parent.mkdir(parents=True, exist_ok=True)
            picture = np.random.default_rng(0).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
            large = cv2.resize(picture, (width, height))
            suffix = record.image.suffix if record.image.suffix else ".png"
            record.image.write_bytes(cv2.imencode(suffix, large)[1].tobytes())
    return root
