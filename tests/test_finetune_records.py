"""Records that a model is taught with: which parts go together, and that their words are those of inference."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from surveyor.core.errors import UsageError
from surveyor.finetune.records.record import (
    TASKS,
    Instruction,
    Marked,
    Picture,
    asking_of,
    check_reads_back,
    with_messages,
)

PICTURE = Picture(path="a.png", size_wh=(200, 100))
CORNERS = Marked(kind="obb", points=((20, 10), (60, 10), (60, 30), (20, 30)))
BOX = Marked(kind="box", points=((20, 10), (60, 30)), keypoints=((40, 20),))
BARE = Marked(kind="box", points=((20, 10), (60, 30)))
RING = Marked(kind="polygon", points=((20, 10), (60, 10), (40, 40)))
PARTS: dict[str, dict[str, Any]] = {
    "det": {"phrase": "plane", "regions": (CORNERS, CORNERS)},
    "rec": {"phrase": "the plane left of the hangar", "regions": (CORNERS,)},
    "res": {"phrase": "plane", "regions": (BOX,)},
    "rcd": {"phrase": "building", "regions": (RING,), "pictures": (PICTURE, PICTURE)},
    "region": {"regions": (CORNERS,), "reply": "a plane"},
    "caption": {"reply": "An airport."},
    "vqa": {"phrase": "Is there a plane?", "reply": "yes"},
    "count": {"phrase": "plane", "reply": "2"},
    "scene": {"reply": "airport", "choices": ("airport", "harbor")},
    "geoloc": {"reply": "[Paris, (48.86, 2.35)]"},
    "pal": {"phrase": "plane", "regions": (CORNERS,), "given": (BARE,), "asked": "obb"},
    "gcg": {"reply": "<p>Two ships</p>, <p>a pier</p>.", "regions": (CORNERS,) * 3, "grounded": (2, 1), "asked": "obb"},
    "ggl": {"regions": (BARE,), "given": (CORNERS,), "asked": "box", "pictures": (), "grid_wh": (200, 200)},
}


def record(task: str, **changes: Any) -> Instruction:
    return Instruction(**{"id": "1", "task": task, "pictures": (PICTURE,), "family": "f", **PARTS[task], **changes})


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_written_as_it_is_asked_and_read_back(task: str) -> None:
    made = with_messages(record(task))
    asked, reply = (message.content for message in made.messages)
    images = "<image>" * len(made.pictures) + "\n" if made.pictures else ""
    assert asked == images + asking_of(made).text
    check_reads_back([made])
    read = asking_of(made).read(reply)
    read = [each for some in read.regions for each in some] if task == "gcg" else read
    assert (len(read) == len(made.regions)) if made.regions and task != "region" else read is not None
    assert Instruction.model_validate_json(made.model_dump_json()) == made


def test_nothing_is_an_answer() -> None:
    assert with_messages(record("det", regions=())).messages[1].content == "none"


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("det", {"phrase": ""}),
        ("det", {"reply": "two planes"}),
        ("vqa", {"reply": ""}),
        ("caption", {"phrase": "what is it"}),
        ("region", {"regions": (CORNERS, CORNERS)}),
        ("rcd", {"pictures": (PICTURE,)}),
        ("det", {"pictures": (PICTURE, PICTURE)}),
        ("det", {"pictures": ()}),
        ("det", {"asked": "obb"}),
        ("pal", {"phrase": ""}),
        ("pal", {"given": ()}),
        ("pal", {"given": (BARE, BARE)}),
        ("pal", {"asked": None}),
        ("pal", {"grid_wh": (9, 9)}),
        ("ggl", {"pictures": (PICTURE,)}),
        ("ggl", {"grid_wh": None}),
        ("gcg", {"asked": None}),
        ("gcg", {"grounded": ()}),
        ("gcg", {"grounded": (3, 0)}),
        ("gcg", {"grounded": (1, 1)}),
        ("gcg", {"grounded": (2, 1, 1), "regions": (CORNERS,) * 4}),
        ("gcg", {"reply": "<p>Two ships</p> [1], <p>a pier</p>."}),
        ("gcg", {"reply": "<p>Two ships</p>, <p> </p>."}),
        ("caption", {"grounded": (1,), "regions": (CORNERS,)}),
    ],
)
def test_parts_that_do_not_go_together_are_refused(task: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record(task, **changes)


def test_a_reply_that_cannot_be_read_names_its_record() -> None:
    with pytest.raises(UsageError, match="'1' cannot be read back"):
        check_reads_back([with_messages(record("count", reply="several"))])
    with pytest.raises(UsageError, match="no messages"):
        check_reads_back([record("count")])
