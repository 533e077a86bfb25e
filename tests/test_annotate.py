"""The annotation pipeline: pictures to grounded conversations, with models and without, on disk and back, killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_trees import tree_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from surveyor.app.cli import main
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.masks import Mask
from surveyor.core.protocols import Description
from surveyor.core.scene import Scene
from surveyor.evals.datasets import geopixeld
from surveyor.finetune.annotate.annotate import Choice, annotate, chosen
from surveyor.finetune.annotate.files import Outputs, annotate_files, parts_of
from surveyor.finetune.annotate.models import Helpers, seer_of
from surveyor.finetune.annotate.views import Item, View, Wanted, views_of
from surveyor.finetune.records.files import read_meta, read_records
from surveyor.finetune.records.record import check_reads_back
from surveyor.synth import draw_scene
from surveyor.synth.__main__ import write_scene
from surveyor.tools.models.fakes import FakeChatModel, FakeDescriber

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
here_only = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
Capture = pytest.CaptureFixture[str]
SIDE = 400


def item(label: str, x: float, y: float, width: float, height: float, *, whole: bool = True) -> Item:
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)
    return Item(label, Mask.from_polygon(corners, (SIDE, SIDE)), "outline", corners, whole)


COURTS = (item("tennis court", 20, 20, 60, 30), item("tennis court", 20, 80, 60, 30))
SHIP = item("ship", 300, 180, 80, 20)
CARS = tuple(item("car", 10 + 12 * n, 380, 6, 4) for n in range(20))
PIXELS = np.full((SIDE, SIDE, 3), 90, np.uint8)


def view_of(*items: Item, split: str | None = None) -> View:
    return View("P0007", Path("P0007.png"), (0, 0, SIDE, SIDE), items, "dota:P0007", "mine", "CC0", split)


class Talker:
    """A seer that answers by a function of the question, and remembers what it was shown."""

    name = "talker"

    def __init__(self, *replies: object) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Scene, str]] = []

    def say(self, questions: Sequence[tuple[Scene, str]]) -> list[str]:
        self.asked += questions
        return [self._reply(text) for _, text in questions]

    def _reply(self, text: str) -> str:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(text) if callable(reply) else str(reply)


def honest(text: str) -> str:
    """What a model that does as it is told would say."""
    if "marked objects" in text:
        lines = re.findall(r"^(\d+): the (.*?) (?:in|on|at) the", text, re.MULTILINE)
        return "\n".join(f"{number}: The {name} is well kept." for number, name in lines)
    if "as a group" in text:
        return re.search(r'Begin with "(.*?)"', text)[1] + " stand side by side."
    return "A quiet place by the water."


# ---- without any model -------------------------------------------------------------------------------------------


def test_by_rules_alone() -> None:
    tally: Counter[str] = Counter()
    made = annotate(view_of(*COURTS, SHIP, *CARS), PIXELS, Helpers(), Choice(), tally)
    assert made.text.startswith("This image, taken from above, shows about 20 cars, two tennis courts and a ship. ")
    assert "The <p> tennis court-1 </p> [SEG] and <p> tennis court-2 </p> [SEG] lie in the upper left." in made.text
    assert "ship-3 </p> [SEG]" in made.text and "it runs from left to right" in made.text
    assert [phrase.members for phrase in made.phrases][:3] == [(0,), (1,), (2,)]
    cars = [index for phrase in made.phrases[3:] for index in phrase.members]
    assert sorted(cars) == list(range(3, 23)), "every car is in one group"
    assert "-" not in made.plain and "<p>" not in made.plain
    assert made.by == {"scene": "rules", "objects": "rules", "groups": "rules", "text": "rules"} and not tally


def test_one_object_and_the_same_again() -> None:
    first, second = (annotate(view_of(SHIP), PIXELS, Helpers(), Choice(), Counter()) for _ in range(2))
    assert first.text == second.text and geopixeld.phrases(first.text) == ["ship-1"]
    texts = {annotate(view_of(SHIP), PIXELS, Helpers(), Choice(seed=seed), Counter()).text for seed in range(9)}
    assert len(texts) > 1


def test_who_is_described_alone() -> None:
    cut, tiny = item("ship", 0, 0, 50, 50, whole=False), item("ship", 100, 100, 5, 5)
    assert chosen(view_of(cut, tiny, SHIP), Choice()) == [2]
    crowd = [item("plane", 20 + 60 * (n % 6), 20 + 60 * (n // 6), 40, 40) for n in range(12)]
    assert chosen(view_of(*crowd), Choice()) == []  # a class with more than 8 is a crowd
    assert len(chosen(view_of(*crowd), Choice(most=12))) == 12
    assert chosen(view_of(SHIP, *(item("ship", 5 * n, 5, 3, 3) for n in range(20))), Choice()) == []  # 1 of 21
    assert chosen(view_of(*COURTS, SHIP), Choice(most=2)) == [0, 1]  # 1800 px each before 1600


def test_what_remains_of_a_class_is_told_as_such() -> None:
    small = [item("ship", 300 + 12 * n, 300, 6, 4) for n in range(3)]
    text = annotate(view_of(SHIP, *small), PIXELS, Helpers(), Choice(), Counter()).plain
    assert "hree smaller ships" in text
    text = annotate(
        view_of(SHIP, item("ship", 0, 300, 60, 60, whole=False)), PIXELS, Helpers(), Choice(), Counter()
    ).plain
    assert "There is another ship in the lower left." in text


@pytest.mark.parametrize("faulty", [{"least_area": 1.0}, {"least_area": -0.1}, {"most": 100}, {"per_question": 0}])
def test_choices_that_mean_nothing(faulty: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        Choice(**faulty)


# ---- with models -------------------------------------------------------------------------------------------------


def test_a_model_that_looks_is_told_number_class_and_place() -> None:
    seer, tally = Talker(honest), Counter()
    made = annotate(view_of(*COURTS, SHIP, *CARS), PIXELS, Helpers(seer), Choice(), tally)
    about = [text for _, text in seer.asked if "marked objects" in text]
    assert len(about) == 3 and "1: the tennis court in the upper left" in about[0]
    assert "3: the ship on the right" in about[2]
    shown = {scene.name: scene.size_wh for scene, _ in seer.asked}
    assert shown == {"P0007": (400, 400), "P0007 marked": (800, 800)}
    assert made.text.startswith("A quiet place by the water. The <p> tennis court-1 </p> [SEG] is well kept.")
    assert made.objects[2] == "The ship is well kept."
    assert "In the lower left, <p> nine cars-4 </p> [SEG] stand side by side." in made.text
    assert set(made.by.values()) == {"talker", "rules"} and made.by["text"] == "rules" and not tally


def test_several_objects_a_question() -> None:
    seer = Talker(honest)
    made = annotate(view_of(*COURTS, SHIP), PIXELS, Helpers(seer), Choice(per_question=2), Counter())
    assert sum("marked objects" in text for _, text in seer.asked) == 2
    assert made.text.count("is well kept") == 3


def test_a_number_that_was_not_asked_is_refused_asked_again_and_counted() -> None:
    liar = Talker("A harbour.", "2: The ship is red.", "1: The ship is red.")
    tally: Counter[str] = Counter()
    made = annotate(view_of(SHIP), PIXELS, Helpers(liar), Choice(), tally)
    assert tally == {"asked again: the reply tells of a number that was not asked for": 1}
    assert "(2)" in liar.asked[-1][1] and liar.asked[1][1] in liar.asked[-1][1]  # the fault, and the question again
    assert made.objects == {0: "The ship is red."}


def test_a_model_that_never_does_as_told_is_done_without() -> None:
    tally: Counter[str] = Counter()
    seer = Talker("I am sorry.")
    made = annotate(view_of(SHIP), PIXELS, Helpers(seer, tries=2), Choice(), tally)
    assert made.by["scene"] == made.by["objects"] == "rules" and len(seer.asked) == 4
    assert tally == {"asked again: the reply speaks of itself": 2, "done without: the reply speaks of itself": 2}


def test_a_describer_says_a_few_words_without_markers() -> None:
    describer = FakeDescriber(Description("a long grey ship at a pier"))
    tally: Counter[str] = Counter()
    made = annotate(view_of(SHIP), PIXELS, Helpers(describer=describer), Choice(), tally)
    assert "On the right there is a long grey <p> ship-1 </p> [SEG] at a pier." in made.text
    assert made.by["objects"] == "fake" and not tally
    failing = FakeDescriber(failure=ModelOutputError("no", raw=""))
    made = annotate(view_of(SHIP), PIXELS, Helpers(describer=failing), Choice(), tally)
    assert made.by["objects"] == "rules" and tally == {"done without: the reply cannot be read": 1}


def test_a_describer_with_classes_only_confirms() -> None:
    tally: Counter[str] = Counter()
    describer = FakeDescriber(Description("harbor", label="harbor", names=("ship", "harbor")))
    made = annotate(view_of(SHIP), PIXELS, Helpers(describer=describer), Choice(), tally)
    assert made.by["objects"] == "rules" and tally == {"object: the describer names another class": 1}


GOOD = "On the right, the ship-3 lies; in the upper left there are the tennis court-2 and the tennis court-1."


def test_a_paraphrase_keeps_phrases_and_masks_together() -> None:
    tally: Counter[str] = Counter()
    chat = FakeChatModel(["The tennis court-1 and the ship-3.", GOOD])
    made = annotate(view_of(*COURTS, SHIP), PIXELS, Helpers(chat=chat), Choice(), tally)
    assert geopixeld.phrases(made.text) == ["ship-3", "tennis court-2", "tennis court-1"]
    assert [phrase.members for phrase in made.phrases] == [(2,), (1,), (0,)]  # reordered with their masks
    assert made.by["text"] == "fake" and tally == {"asked again: the paraphrase does not keep the phrases": 1}
    assert "stands there 0 times" in str(chat.calls[1])


@pytest.mark.parametrize("failure", [None, ModelOutputError("cut off", raw="x")])
def test_the_text_stays_where_no_paraphrase_can_be_used(failure: Exception | None) -> None:
    tally: Counter[str] = Counter()
    chat = FakeChatModel(["Nothing."], failure=failure)
    plain = annotate(view_of(*COURTS, SHIP), PIXELS, Helpers(), Choice(), Counter())
    made = annotate(view_of(*COURTS, SHIP), PIXELS, Helpers(chat=chat), Choice(), tally)
    assert made.text == plain.text and made.by["text"] == "rules" and chat.call_count == 3
    assert sorted(tally.values()) == [1, 2] and any(reason.startswith("not rewritten: ") for reason in tally)


def test_helpers_of_specs() -> None:
    assert Helpers.of().names() == {}
    assert Helpers.of("compact").describer is not None and Helpers.of("compact").seer is None
    remote = Helpers.of("openai:m@http://localhost:1/v1", "openai:c@http://localhost:1/v1")
    assert remote.seer is not None and remote.chat is not None and set(remote.names()) == {"seer", "chat"}
    for faulty in ({"describer": "nothing"}, {"chat": "hf"}, {"tries": 0}):
        with pytest.raises(UsageError):
            Helpers.of(**faulty)


def test_pointing_models_are_asked_in_these_words() -> None:
    from surveyor.tools.models.pointing import PointingModel
    from surveyor.tools.models.prompting import Prompt, Reply
    from surveyor.tools.models.tasks import Tasks

    class Answers:
        """Two at once; every reply is cut short but the first."""

        tasks, at_once, version, most_pixels = Tasks("qwen2-vl"), 2, None, 300 * 300

        def __init__(self) -> None:
            self.asked: list[list[Prompt]] = []

        def seen_size(self, size_wh: Sequence[int], shrink: float = 1.0) -> tuple[int, int]:
            return tuple(int(n) // 28 * 28 for n in size_wh)

        def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
            self.asked.append(list(prompts))
            return [Reply("A bay.", ended=len(self.asked) == 1) for _ in prompts]

    answers = Answers()
    seer = seer_of(PointingModel(answers, "m"))
    assert seer is not None and seer.name == "m"
    scene = Scene.from_array(np.zeros((800, 800, 3), np.uint8))
    assert seer.say([(scene, f"Question {n}?") for n in range(3)]) == ["A bay.", "A bay.", "A bay. …"]
    assert [prompt.asking.text for batch in answers.asked for prompt in batch] == [f"Question {n}?" for n in range(3)]
    assert answers.asked[0][0].pictures[0].size_wh == (280, 280)


# ---- GeoPixelD's layout ------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.integers(0, 5))
def test_outlines_fill_to_exactly_the_same_pixels(pixels: np.ndarray, shift: int) -> None:
    mask = Mask.from_array(pixels, (shift, 2 * shift), (30, 30))
    assert geopixeld.fill_parts(parts_of(mask), (30, 30)) == mask


def test_holes_are_kept() -> None:
    ring = np.ones((40, 40), bool)
    ring[10:30, 10:30] = False
    ring[18:22, 18:22] = True  # an island in the hole
    mask = Mask.from_array(ring, (5, 5), (60, 60))
    assert geopixeld.fill_parts(parts_of(mask), (60, 60)) == mask
    assert len(parts_of(mask)) < 12


def coco_tree(folder: Path, kinds: Sequence[str] = ("airport", "harbour", "housing"), side: int = 512) -> list[Path]:
    folder.mkdir(parents=True)
    for number, kind in enumerate(kinds):
        write_scene(draw_scene(kind, seed=number, size_wh=(side, side)), folder, f"{kind}{number}")
    return sorted(folder.glob("*.json"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_our_own_reader_gives_phrases_and_masks_back(tmp_path: Path) -> None:
    for file in coco_tree(tmp_path / "scenes"):
        out = tmp_path / f"{file.stem}.jsonl"
        tally: Counter[str] = Counter()
        views = list(views_of(f"coco:{file}", Wanted(), tally))
        annotate_files(iter(views), Outputs(out), Helpers(), Choice(), "by test", tally)
        reasons: Counter[str] = Counter()
        (record,) = geopixeld.read(Outputs(out).tree, tally=reasons, text="tagged")
        entry = json.loads((Outputs(out).tree / f"train/{file.stem}.json").read_text())
        made = annotate(views[0], Scene.open(views[0].image).read(), Helpers(), Choice(), Counter())
        assert not reasons and record.said[0].text == made.text and len(record.things) == len(made.phrases) > 3
        for thing, phrase in zip(record.things, made.phrases, strict=True):
            masks = [views[0].items[index].mask for index in phrase.members]
            union = masks[0]
            for mask in masks[1:]:
                union = union.union(mask)
            assert thing.mask == union and thing.label == phrase.words.lower()
            assert thing.attributes["phrase"].lower() == phrase.marked.lower()
        assert sum(entry["counts"]) == len(views[0].items)
        assert entry["shapes"] == ["outline" if "outline" in s else s for s in entry["shapes"]]
        pixels = cv2.imread(str(Outputs(out).tree / f"train/{file.stem}.png"))
        assert np.array_equal(pixels, cv2.imread(str(file.with_suffix(".png"))))


def test_records_are_whole_and_read_back(tmp_path: Path) -> None:
    (file,) = coco_tree(tmp_path / "scenes", ["airport"])
    out = tmp_path / "a.jsonl"
    assert main(["data", "annotate", f"coco:{file}", "--out", str(out), "--pictures", str(tmp_path / "marks")]) == 0
    records = list(read_records(out))
    check_reads_back(records)
    tasks = Counter(record.task for record in records)
    assert tasks["caption"] == 1 and tasks["region"] >= 2
    assert all((tmp_path / record.pictures[0].path).is_file() for record in records)
    assert all("-" not in record.reply for record in records)
    marks = cv2.imread(str(tmp_path / "marks/airport0.png"))
    assert marks.shape == (800, 800, 3)
    told = json.loads((tmp_path / "a.geopixeld/annotate.json").read_text())
    assert told["pictures"] == 1 and told["said_by"]["text: rules"] == 1 and len(told["prompts"]) == 6
    (talk,) = json.loads((tmp_path / "a.geopixeld/GeoPixelD.json").read_text())
    assert talk["conversations"][0]["value"].startswith("<image>") and talk["conversations"][1]["from"] == "bot"
    assert talk["image"] == "data/GeoPixelD/train/airport0.png"
    assert main(["data", "stats", str(out), "--json"]) == 0


def test_what_is_not_for_training_does_not_become_so(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "P0007.png"), PIXELS)
    views = [
        View("P0007", tmp_path / "P0007.png", (0, 0, SIDE, SIDE), (SHIP,), "dota:P0007", split=split)
        for split in ("train", "val")
    ]
    annotate_files(iter(views), Outputs(tmp_path / "a.jsonl"), Helpers(), Choice(), "", Counter())
    found = {record.id: record.family for record in geopixeld.read(tmp_path / "a.geopixeld")}
    assert found == {"train/P0007": "dota:P0007", "test/P0007": "dota:P0007"}
    assert {record.split for record in read_records(tmp_path / "a.jsonl")} == {"train", "val"}
    twice = [views[1], View(**{**vars(views[1]), "split": "test"})]
    with pytest.raises(UsageError, match="two pictures would be written as 'test/P0007'"):
        annotate_files(iter(twice), Outputs(tmp_path / "b.jsonl"), Helpers(), Choice(), "", Counter())


def test_windows_of_one_image_stay_one_family_when_they_are_read_back(tmp_path: Path) -> None:
    coco_tree(tmp_path / "scenes", ["airport"], side=700)
    (file,) = (tmp_path / "scenes").glob("*.json")
    words = ["data", "annotate", f"coco:{file}", "--window", "400", "--overlap", "100", "--out", str(tmp_path / "a.jsonl")]  # fmt: skip  # noqa: E501
    assert main(words) == 0
    told = {record.family for record in read_records(tmp_path / "a.jsonl")}
    found = list(geopixeld.read(tmp_path / "a.geopixeld"))
    assert len(found) == 4 and {record.family for record in found} == told and len(told) == 1


def test_a_tree_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.geopixeld/train").mkdir(parents=True)
    (tmp_path / "a.geopixeld/train/mine.json").write_text("{}")
    with pytest.raises(UsageError, match="not written by this command"):
        annotate_files(iter([]), Outputs(tmp_path / "a.jsonl"), Helpers(), Choice(), "", Counter())
    assert (tmp_path / "a.geopixeld/train/mine.json").is_file()


# ---- what is given -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dota", "nwpu_vhr10", "isaid", "vrsbench", "geopixeld", "coco"])
def test_readers_of_boxes_and_masks(name: str, tmp_path: Path) -> None:
    root = tree_of(name, tmp_path / "tree")
    tally: Counter[str] = Counter()
    views = list(views_of(f"{name}:{root}", Wanted(), tally))
    assert views and all(view.items for view in views)
    for view in views:
        assert all(each.mask.shape_hw == view.size_wh[::-1] and each.mask.area_px for each in view.items)
        made = annotate(view, Scene.open(view.image).read(view.window), Helpers(), Choice(), tally)
        assert len(geopixeld.phrases(made.text)) == len(made.phrases)


def test_large_images_are_cut_as_isaid_cuts_them(tmp_path: Path) -> None:
    root = tmp_path / "DOTA"
    (root / "images").mkdir(parents=True)
    (root / "labelTxt").mkdir()
    (root / "labelTxt/P0001.txt").write_text("10 20 60 20 60 50 10 50 ship 0\n1150 20 1190 20 1190 60 1150 60 ship 0")
    cv2.imwrite(str(root / "images/P0001.png"), np.zeros((300, 1200, 3), np.uint8))
    views = list(views_of(f"dota:{root}", Wanted(), Counter()))
    assert [(view.stem, view.window) for view in views] == [
        ("P0001_0_300_0_800", (0, 0, 800, 300)),
        ("P0001_0_300_400_1200", (400, 0, 1200, 300)),
    ]
    assert views[1].items[0].mask.box_px.tolist() == [750, 20, 790, 60]
    assert [view.stem for view in views_of(f"dota:{root}", Wanted(window=1000), Counter())] == ["P0001"]


def test_records_of_a_converter_are_annotated_the_same(tmp_path: Path) -> None:
    (file,) = coco_tree(tmp_path / "scenes", ["harbour"])
    given = ["data", "convert", "coco", str(file), "--out", str(tmp_path / "r.jsonl"), "-o", "exhaustive=yes"]
    assert main([*given, "--tasks", "det", "--most", "500"]) == 0
    (direct,) = views_of(f"coco:{file}", Wanted(), Counter())
    tally: Counter[str] = Counter()
    (through,) = views_of(str(tmp_path / "r.jsonl"), Wanted(), tally)
    assert Counter(each.label for each in through.items) == Counter(each.label for each in direct.items)
    assert through.family == direct.family and through.image.is_file() and through.stem == direct.stem
    assert {each.shape for each in through.items} == {"oriented box"}
    texts = [record for record in read_records(tmp_path / "r.jsonl") if not record.regions]
    assert texts and not tally  # records of what is not there make no objects and no noise


@pytest.mark.parametrize("given", ["nothing", "dotta:.", "dota:", "dota:absent", "absent.jsonl"])
def test_faults_of_what_is_given(given: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "annotate", given, "--out", str(tmp_path / "a.jsonl")]) == 2
    assert "expected" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a.jsonl").exists()


def test_images_that_are_missing_or_of_another_size_are_counted(tmp_path: Path) -> None:
    root = tree_of("dota", tmp_path / "tree")
    for image in root.rglob("*.png"):
        image.unlink()
    tally: Counter[str] = Counter()
    assert list(views_of(f"dota:{root}", Wanted(), tally)) == [] and tally["image: not there"] == 1


# ---- killed ------------------------------------------------------------------------------------------------------


def test_a_run_that_stopped_asks_nothing_twice(tmp_path: Path) -> None:
    files = coco_tree(tmp_path / "scenes")
    views = [view for file in files for view in views_of(f"coco:{file}", Wanted(), Counter())]

    class Stops(Talker):
        """Stops at the third picture."""

        def say(self, questions: Sequence[tuple[Scene, str]]) -> list[str]:
            if questions[0][0].name == views[2].stem:
                raise KeyboardInterrupt
            return super().say(questions)

    out, whole = (
        Outputs(tmp_path / "a/a.jsonl", tmp_path / "a/marks"),
        Outputs(tmp_path / "b/a.jsonl", tmp_path / "b/marks"),
    )
    with pytest.raises(KeyboardInterrupt):
        annotate_files(iter(views), out, Helpers(Stops("1: x")), Choice(), "", Counter())
    assert out.journal.is_file() and not out.out.exists()
    with out.journal.open("ab") as file:
        file.write(b'{"key": "half a li')
    again, fresh = Talker("1: x"), Talker("1: x")
    before: list[bool] = []
    first, second = Counter(), Counter()
    annotate_files(iter(views), out, Helpers(again), Choice(), "", first, lambda _, was: before.append(was))
    annotate_files(iter(views), whole, Helpers(fresh), Choice(), "", second)
    assert before == [True, True, False] and 0 < len(again.asked) < len(fresh.asked)
    assert first == second and files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert not out.journal.exists()


def test_other_settings_use_nothing_of_before(tmp_path: Path) -> None:
    (file,) = coco_tree(tmp_path / "scenes", ["airport"])
    views = list(views_of(f"coco:{file}", Wanted(), Counter()))
    out = Outputs(tmp_path / "a.jsonl")

    def stopping(view: View, was_done: bool) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_files(iter(views), out, Helpers(), Choice(), "", Counter(), stopping)
    before: list[bool] = []
    annotate_files(iter(views), out, Helpers(), Choice(seed=1), "", Counter(), lambda _, was: before.append(was))
    assert before == [False]


def test_what_an_earlier_run_left_goes(tmp_path: Path) -> None:
    (file,) = coco_tree(tmp_path / "scenes", ["airport"])
    out = Outputs(tmp_path / "a.jsonl")
    views = list(views_of(f"coco:{file}", Wanted(window=300, overlap=100), Counter()))
    annotate_files(iter(views), out, Helpers(), Choice(), "", Counter())
    assert len(list(geopixeld.read(out.tree))) == len(views) > 1
    annotate_files(iter(views[:1]), out, Helpers(), Choice(), "", Counter())
    assert [record.id for record in geopixeld.read(out.tree)] == [f"train/{views[0].stem}"]
    assert len(list((out.tree / "train").iterdir())) == 2


def test_killed_in_the_middle_and_run_again_gives_the_same_files(tmp_path: Path) -> None:
    root = tmp_path / "DOTA"
    (root / "images").mkdir(parents=True)
    (root / "labelTxt").mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        lines = [
            f"{x} {y} {x + 30} {y} {x + 30} {y + 20} {x} {y + 20} ship 0"
            for x, y in rng.integers(0, 560, (30, 2)).tolist()
        ]
        (root / f"labelTxt/P{number:04}.txt").write_text("\n".join(lines))
        cv2.imwrite(str(root / f"images/P{number:04}.png"), rng.integers(0, 255, (600, 600, 3)).astype(np.uint8))
    given = ["data", "annotate", f"dota:{root}", "--out"]
    out, whole = tmp_path / "a/a.jsonl", tmp_path / "b/a.jsonl"
    command = [sys.executable, "-m", "surveyor.app.cli", *given, str(out)]
    journal = Outputs(out).journal
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}) as running:
        for _ in range(6000):
            if (journal.exists() and journal.read_bytes().count(b"\n") > 4) or running.poll() is not None:
                break
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL, "it was over before it could be killed"
    assert journal.exists() and not out.exists()
    assert main([*given, str(out)]) == 0 and main([*given, str(whole)]) == 0
    assert out.read_bytes() == whole.read_bytes() and not journal.exists()
    found, expected = files_of(Outputs(out).tree), files_of(Outputs(whole).tree)
    assert found.keys() == expected.keys()
    assert all(found[name] == expected[name] for name in found if name != "annotate.json")  # that names the command


# ---- real images -------------------------------------------------------------------------------------------------


@here_only
def test_real_boxes_round_trip(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    assert main(["data", "annotate", f"dota:{SHARED / 'dota_devkit'}", "--out", str(out)]) == 0
    reasons: Counter[str] = Counter()
    records = list(geopixeld.read(tmp_path / "a.geopixeld", tally=reasons))
    assert len(records) == 5 and not reasons
    assert {record.family for record in records} == {"dota:P0706", "dota:P1888"}
    assert sum(len(record.things) for record in records) > 20
    meta = read_meta(out)
    assert meta is not None and meta.tasks["caption"] == 5
