"""Tools that ask a vision-language model about the scene, and conditions that only looking can judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import surveyor
from scenes_by_hand import box, scene
from surveyor.core.budget import Meter, metering
from surveyor.core.errors import UsageError
from surveyor.core.protocols import Place, SceneReader
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models
from surveyor.tools.sight import AT_ONCE, judge, reader_of

PLANES = [box(f"plane-{n}", 20 * n, 10, 20 * n + 15, 25) for n in range(5)]


@dataclass
class Reader:
    """Finds the planes it was given; says that those on odd places are damaged."""

    name: str = "reader"
    version: str = "1"
    asked: list[Any] = field(default_factory=list)

    def knows(self) -> None:
        return None

    def resolve(self, phrase: str) -> tuple[str, ...]:
        return (phrase,)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        return tuple(PLANES)

    def select(self, scene: Scene, regions: Sequence[Region], condition: str) -> tuple[Region, ...]:
        self.asked.append((condition, [region.id for region in regions]))
        return tuple(region for region in regions if int(region.id.split("-")[1]) % 2)

    def answer(self, scene: Scene, question: str) -> str:
        return f"{question} Yes."

    def caption(self, scene: Scene) -> str:
        return "An apron."

    def classify(self, scene: Scene, classes: Sequence[str]) -> str:
        return classes[-1]

    def locate(self, scene: Scene) -> Place:
        return Place("Munich", 48.137, 11.575)


def models(reader: Reader | None = None) -> Models:
    return Models(reader or Reader(), FakeSegmenter())


def test_judge_adds_a_column_and_asks_only_about_open_candidates() -> None:
    reader = Reader()
    first, *others = (Candidate(region) for region in PLANES)
    found = CandidateSet((first.judged("large", False), *others))
    with metering(Meter()) as meter:
        judged = judge(scene(), found, " still\n damaged ", reader=reader)
    assert reader.asked == [("still damaged", ["plane-1", "plane-2", "plane-3", "plane-4"])]
    assert [c.verdicts.get("still damaged") for c in judged] == [None, True, False, True, False]
    assert judged.candidates[1].reasons["still damaged"] == "as reader sees it"
    assert "still damaged" not in judged.candidates[0].verdicts and meter.calls == 1


def test_many_candidates_are_asked_about_in_parts() -> None:
    reader = Reader()
    many = CandidateSet(tuple(Candidate(box(f"plane-{n}", n, 0, n + 1, 1)) for n in range(AT_ONCE + 3)))
    assert len(judge(scene(), many, "damaged", reader=reader).kept) == len(many) // 2
    assert [len(ids) for _, ids in reader.asked] == [AT_ONCE, 3]
    assert judge(scene(), CandidateSet(), "damaged", reader=Reader()) == CandidateSet()


def test_a_condition_needs_words_and_a_reader() -> None:
    with pytest.raises(UsageError, match="condition in words"):
        judge(scene(), CandidateSet(), "  ", reader=Reader())
    with pytest.raises(UsageError, match="'fake' cannot be asked in words; use one that can"):
        reader_of(FakeGrounder())
    assert isinstance(Reader(), SceneReader)


def test_judging_is_a_step_of_a_graph() -> None:
    g = surveyor.Graph()
    damaged = g.use("judge", g.ground("plane"), condition="damaged", name="wreck")
    assert g.answer(g.count(damaged)).run(scene(), models=models(), cache=False).count == 2
    answer = g.answer(damaged.leftmost()).run(scene(), models=models(), cache=False)
    assert [candidate.region.id for candidate in answer.regions] == ["plane-1"]
    (step,) = [step for step in answer.trace.observations if step.tool == "judge"]
    assert step.status == "done"


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("answer", {"question": "Is it an airport?"}, "Is it an airport? Yes."),
        ("caption", {}, "An apron."),
        ("classify", {"classes": ["harbour", "airport"]}, "airport"),
        ("locate", {}, "Munich, 48.14, 11.57"),
    ],
)
def test_the_scene_as_a_whole(tool: str, arguments: dict[str, Any], said: str) -> None:
    g = surveyor.Graph()
    answer = g.answer(g.compute(tool, **arguments)).run(scene(), models=models(), cache=False)
    assert said in answer.text
    with pytest.raises(UsageError, match="cannot be asked in words"):
        g.run(scene(), cache=False)


def test_faults_of_arguments_are_told_when_the_graph_is_made() -> None:
    g = surveyor.Graph()
    for tool, arguments in (("classify", {"classes": ["one"]}), ("answer", {"question": ""}), ("answer", {})):
        with pytest.raises(UsageError):
            g.answer(g.compute(tool, **arguments)).plan()
