"""Two dates as one scene: which model is asked of what, what is kept apart, what the answer says of directions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.run import ask, plan, resume, run
from surveyor.core.errors import QueryError, UnknownPhrase, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.pair import ScenePair, open_pair
from surveyor.core.regions import Change, Region
from surveyor.core.scene import Scene
from surveyor.synth import draw_pair
from surveyor.tools.changes import PairGrounder, PairSegmenter
from surveyor.tools.models.fakes import FakeChangeDetector, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

SIDE = 160
NEW, GONE, SOME = Change("new", 0.02, 0.95, "built"), Change("gone", 0.9, 0.1), Change()


def region(label: str, x: float, change: Change | None = None, size: float = 20) -> Region:
    box = np.array([x, 20, x + size, 20 + size])
    return Region("", label, box_to_corners(box), box, 0.9, change=change)


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (20, 20, 3), np.uint8)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def models(changes: Sequence[Region] = (), things: Sequence[Region] = ()) -> Models:
    grounder = FakeGrounder(tuple(things) or (region("ship", 0),))
    return Models(grounder, FakeSegmenter(), change=FakeChangeDetector(tuple(changes)))


CHANGES = (region("building", 10, NEW), region("building", 60, GONE), region("building", 110, SOME))
RIVER = region("river", 100, size=30)


def asked(query: str, changes: Sequence[Region] = CHANGES, things: Sequence[Region] = (RIVER,)) -> surveyor.Answer:
    after = picture()
    after[100:120, 100:120] = 255
    return ask(picture(), query, after=after, models=models(changes, things), cache=False, gsd=0.5)


def ids(answer: surveyor.Answer) -> list[str]:
    return [candidate.region.id for candidate in answer.regions]


def test_new_gone_and_undirected_are_told_apart() -> None:
    new, gone = asked("which buildings are new?"), asked("demolished buildings")
    assert ids(new) == ["changed_building-1"] and ids(gone) == ["changed_building-2"]
    unknown = [c.region.id for c in new.rejected if c.status is None]
    assert unknown == ["changed_building-3"], "nothing tells its direction, so it is neither new nor not new"
    assert new.regions[0].reasons["new"] == "new (built)"


def test_a_change_that_is_asked_for_needs_no_direction() -> None:
    assert asked("how many buildings changed?").count == 3


def test_conditions_apply_to_changes_as_to_anything() -> None:
    assert ids(asked("changed buildings overlapping the river")) == ["changed_building-3"]
    assert ids(asked("the leftmost changed building")) == ["changed_building-1"]
    assert asked("is any building gone?").verdict is True
    assert asked("are there new buildings right of the river?").verdict is not True
    area = asked("total area of the new buildings").values[0]
    assert area.unit == "m2" and area.value == pytest.approx(100)


def test_the_record_tells_both_dates_and_every_region_its_change() -> None:
    answer = asked("changed buildings")
    told = json.loads(json.dumps(answer.to_dict()))
    assert told["before"]["size_wh"] == [SIDE, SIDE] and told["scene"]["digest"] != told["before"]["digest"]
    assert told["regions"][0]["change"] == {"direction": "new", "before": 0.02, "after": 0.95, "reason": "built"}
    assert told["regions"][2]["change"]["direction"] is None
    assert answer.pair is not None and answer.explain().rows


def test_the_same_image_twice_has_not_changed_and_that_is_said() -> None:
    answer = ask(picture(), "changed buildings", after=picture(), models=models(CHANGES), cache=False)
    assert answer.regions == () and any("very same pixels" in note for note in answer.notes)


def test_one_image_is_not_enough_for_a_change() -> None:
    with pytest.raises(QueryError, match="--after"):
        ask(picture(), "which buildings are new?", models=models(CHANGES), cache=False)
    with pytest.raises(QueryError, match="two images"):
        ask(picture(), "ships in the earlier image", models=models(CHANGES), cache=False)


def test_a_question_about_no_change_is_answered_of_the_later_image_and_says_so() -> None:
    answer = asked("how many rivers are there?")
    assert answer.count == 1 and any("of the later image" in note for note in answer.notes)


def test_a_change_detector_is_needed() -> None:
    alone = Models(FakeGrounder((RIVER,)), FakeSegmenter())
    with pytest.raises(UsageError, match="change=compact"):
        ask(picture(), "changed buildings", after=picture(1), models=alone, cache=False, align=False)


def test_a_second_look_at_two_dates_is_refused() -> None:
    with pytest.raises(UsageError, match="verify"):
        ask(picture(), "changed buildings", after=picture(), models=models(CHANGES), cache=False, verify=True)


def test_unrelated_images_are_refused_and_taken_as_they_lie_on_demand() -> None:
    first, second = (np.array(draw_pair(kind, seed, (256, 256), 0.4, 0).before.image_rgb) for kind, seed in (("harbour", 3), ("housing", 9)))  # fmt: skip  # noqa: E501
    with pytest.raises(UsageError, match="do not show the same ground"):
        ask(first, "changed buildings", after=second, models=models(CHANGES), cache=False)
    answer = ask(first, "changed buildings", after=second, models=models(CHANGES), cache=False, align=False)
    assert len(answer.regions) == 3


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    cv2.imwrite(str(good), picture())
    bad.write_bytes(b"no image")
    for wrong in (tmp_path / "none.png", bad):
        for pair in ((good, wrong), (wrong, good)):
            with pytest.raises(UsageError, match=wrong.name):
                ask(pair[0], "changed buildings", after=pair[1], models=models(CHANGES), cache=False)


def test_different_sizes_without_georeference_are_explained() -> None:
    with pytest.raises(UsageError, match="160 x 160"):
        ask(picture(), "changed buildings", after=picture()[:, :100], models=models(CHANGES), cache=False)


def test_a_kept_run_goes_on_with_both_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_RUNS", str(tmp_path / "runs.db"))
    after = picture()
    after[100:120, 100:120] = 255
    for name, pixels in (("a.png", picture()), ("b.png", after)):
        cv2.imwrite(str(tmp_path / name), pixels)
    made = models(CHANGES, (RIVER,))
    answer = ask(tmp_path / "a.png", "new buildings", after=tmp_path / "b.png", models=made, run_id="pair", cache=False)
    again = resume("pair", models=made)
    assert ids(again) == ids(answer) and again.pair is not None and again.trace.before == answer.trace.before
    cv2.imwrite(str(tmp_path / "a.png"), picture(7))
    with pytest.raises(UsageError, match=r"earlier image .* has changed"):
        resume("pair", models=made)


def test_a_plan_asks_for_changes_like_for_any_class() -> None:
    steps = plan("segment the new buildings near the river").steps
    assert [step.tool for step in steps] == ["ground", "select", "ground", "select", "segment"]
    assert steps[0].instruction == "detect all changed buildings"
    after = picture()
    after[100:120, 100:120] = 255
    answer = run(plan("segment the new buildings"), picture(), after=after, models=models(CHANGES), cache=False)
    assert answer.regions[0].region.mask is not None and answer.regions[0].region.mask.area_px == 400


def test_scripted_changes() -> None:
    g = surveyor.Graph()
    g.answer(g.count(g.changes("building").changed("gone")))
    after = picture()
    after[100:120, 100:120] = 255
    assert g.run(picture(), after=after, models=models(CHANGES), cache=False).count == 1
    with pytest.raises(UsageError, match=r"g\.changes\('building'\)"):
        g.ground("building").changed("new")


# ---- which model is asked of what ---------------------------------------------------------------------------------


def pair(before: np.ndarray | None = None, after: np.ndarray | None = None) -> ScenePair:
    scenes = [Scene.from_array(picture() if each is None else each, gsd_m=0.5) for each in (before, after)]
    return open_pair(scenes[0], scenes[1], align=False)


class Knowing(FakeChangeDetector):
    """A change detector that knows buildings alone."""

    def knows(self) -> tuple[str, ...] | None:
        return ("building",)


Some = Sequence[Region]


def over(two: ScenePair, changes: Some, compared: Some, things: Some) -> PairGrounder:
    return PairGrounder(Knowing(tuple(changes)), FakeChangeDetector(tuple(compared)), FakeGrounder(tuple(things)), two)


def different() -> ScenePair:
    after = picture()
    after[0, 0] = 1
    return pair(after=after)


def test_what_the_detector_does_not_know_is_compared_date_by_date() -> None:
    grounder = over(different(), CHANGES[:1], (region("ship", 50, GONE),), (region("ship", 50),))
    assert [r.change.direction for r in grounder.ground(different().after, "changed ship") if r.change] == ["gone"]
    assert [r.label for r in grounder.ground(different().after, "changed buildings")] == ["changed building"]
    with pytest.raises(UnknownPhrase, match="change=cva"):
        grounder.resolve("changed volcano")


def test_any_change_is_all_that_both_can_find() -> None:
    grounder = over(different(), CHANGES[:2], (region("ship", 50, GONE),), (region("ship", 50),))
    found = grounder.ground(different().after, "changes")
    assert len(found) == 3 and {r.label for r in found} == {"change"}


def test_things_of_the_earlier_image_are_named_so_and_segmented_there() -> None:
    before, after = picture(), picture()
    after[0, 0] = 1
    two = pair(before, after)
    grounder = over(two, (), (), (region("ship", 50),))
    (found,) = grounder.ground(two.after, "earlier ship")
    assert found.label == "earlier ship" and found.id in ("", "earlier-ship-1")
    asked_of: list[str] = []

    class Watching(FakeSegmenter):
        def segment(self, scene: Scene, prompts):  # type: ignore[no-untyped-def]
            asked_of.append(scene.digest)
            return super().segment(scene, prompts)

    from surveyor.core.protocols import MaskPrompt

    later = region("ship", 80)
    prompts = [MaskPrompt(each.box_px, each.corners_px, label=each.label) for each in (found, later)]
    results = PairSegmenter(grounder, Watching()).segment(two.after, prompts)
    assert asked_of == [two.before.digest, two.after.digest] and len(results) == 2


def test_what_an_earlier_question_found_keeps_its_pixels_and_its_date(tmp_path: Path) -> None:
    """Results of earlier runs come from the store: then no model is asked but for masks of other things."""
    asked_of: list[str] = []

    class Detector(FakeChangeDetector):
        version = "1"

    class Things(FakeGrounder):
        version = "1"

    class Watching(FakeSegmenter):
        version = "1"

        def segment(self, scene: Scene, prompts):  # type: ignore[no-untyped-def]
            asked_of.append(scene.name)
            return super().segment(scene, prompts)

    half = np.zeros((SIDE, SIDE), bool)
    half[20:40, 60:70] = True
    odd = replace(CHANGES[1], mask=Mask.from_array(half))
    made = Models(Things((RIVER,)), Watching(), change=Detector((CHANGES[0], odd)))
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(first), picture())
    cv2.imwrite(str(second), picture(1))

    def masks(query: str) -> list[int]:
        answer = ask(first, query, after=second, models=made, cache=tmp_path / "kept", align=False)
        return [each.region.mask.area_px for each in answer.regions if each.region.mask is not None]

    assert masks("segment the changed buildings") == [400, 200]
    assert masks("segment the changed buildings at the top edge or in the top half") == [400, 200]
    assert masks("find the rivers in the earlier image") is not None and not asked_of
    assert masks("segment the rivers in the earlier image") == [900] and asked_of == ["a.png"]


def test_changes_where_one_date_shows_nothing_are_unknown_and_left_out() -> None:
    from surveyor.core.progress import noting

    before = np.dstack([picture(), np.full((SIDE, SIDE), 255, np.uint8)])
    before[:, :60, 3] = 0
    two = open_pair(_with_holes(before), Scene.from_array(picture(3)), align=False)
    grounder = over(two, CHANGES, (), ())
    notes: list[str] = []
    with noting(notes):
        found = grounder.ground(two.after, "changed building")
    assert [float(r.box_px[0]) for r in found] == [60.0, 110.0]
    assert any("1 change" in note and "unknown" in note for note in notes)


def _with_holes(rgba: np.ndarray) -> Scene:
    import tempfile

    path = Path(tempfile.mkdtemp()) / "holes.png"
    cv2.imwrite(str(path), rgba)
    return Scene.open(path)


def test_the_version_follows_every_part() -> None:
    class Versioned(Knowing):
        version = "1"

    class Seen(FakeGrounder):
        version = "1"

    def made(two: ScenePair) -> str | None:
        return PairGrounder(Versioned(()), Versioned(()), Seen((RIVER,)), two).version

    assert made(different()) == made(different()) is not None
    assert made(different()) != made(pair(before=picture(5), after=picture()))
    assert over(different(), (), (), (RIVER,)).version is None, "a model that tells no version"
