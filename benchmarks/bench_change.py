"""Change detectors on pairs that nothing was trained or tuned on, on drawn pairs, on unchanged ones; and seconds.

    python benchmarks/bench_change.py held-out --data ../shared/data [--models compact compare cva none all]
    python benchmarks/bench_change.py development --data ../shared/data       # the pairs that limits were chosen by
    python benchmarks/bench_change.py drawn --pairs 24 [--thing building]     # new seeds; a third unchanged
    python benchmarks/bench_change.py time --side 1024                        # one drawn pair, warm
    python benchmarks/bench_change.py time --files BEFORE.tif AFTER.tif       # and the memory it took

Each pair goes through `open_pair`; one that is refused is taken as it lies (`align=False`), which is counted. F1, IoU,
precision and recall are over the pixels of all pairs together, against the buildings that came or went; what cannot be
compared is left out. Components: parts of the answer and of the truth that overlap by IoU 0.5 or more. N-acc: share of
unchanged pairs without any region in the answer. Intervals: 95 %, by drawing pairs.

Unchanged are (relit) each date of each held-out pair, paired with itself in other light, shifted by up to 2 px, blurred
and noisy; and (still) those quarters of held-out pairs, 256 px and up, in which nothing is labelled as changed.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.pair import ScenePair, open_pair
from surveyor.core.protocols import ChangeDetector
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.datasets.held_out import is_held_out
from surveyor.evals.scores.bootstrap import intervals
from surveyor.evals.scores.components import least_area_px, parts_of, shared_px
from surveyor.evals.scores.matching import best_pairs
from surveyor.evals.scores.pixels import packed
from surveyor.evals.scores.scored import Row, Scored, Sums, ratio, scored
from surveyor.synth import draw_pair
from surveyor.tools.models.spec import load_models

GSD_M = {"fotbcd": 0.2, "levir": 0.5, "dsifn": None, "xbd": 0.5}
DEVELOPMENT = ("val_25", "val_142")
MODELS = ("compact", "compare", "cva", "none", "all")
KINDS = ("housing", "mixed", "housing", "harbour", "housing", "airport")
COLUMNS = (
    "tp", "fp", "fn", "hit", "told", "true", "still", "quiet", "directed", "right", "pairs", "refused", "unmatched",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Labelled:
    """A pair and what changed in it; `came` tells where things appeared, for drawn pairs."""

    name: str
    before: Scene
    after: Scene
    changed: np.ndarray
    came: np.ndarray | None = None


class Nothing:
    """Says that nothing changed."""

    name = "none"

    def knows(self) -> None:
        """Any phrase."""

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """None."""
        return ()


class Everything(Nothing):
    """Says that all of the image changed."""

    name = "all"

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """One region."""
        height, width = after.shape_hw
        box = np.array([0, 0, width, height], dtype=np.float64)
        mask = Mask.from_array(np.ones((height, width)))
        return (Region("all", phrase, box_to_corners(box), box, mask=mask),)


# ---- pairs


def real_pairs(data: Path, sources: Sequence[str], names: Sequence[str] | None = None) -> Iterator[Labelled]:
    """Held-out pairs of some sources, or those of the names given."""
    for source in sources:
        folder = data / "change" / source
        for path in sorted((folder / "A").glob("*.png")):
            if path.stem in names if names is not None else is_held_out(source, path.stem):
                label = np.asarray(cv2.imread(str(folder / "label" / path.name), cv2.IMREAD_GRAYSCALE)) > 127
                first, second = (scene_of(_rgb(folder / date / path.name), GSD_M[source], path.stem) for date in "AB")
                yield Labelled(f"{source} {path.stem}", first, second, label)


def relit_pairs(pairs: Iterable[Labelled]) -> Iterator[Labelled]:
    """Each date of each pair, with itself in other light."""
    for pair in pairs:
        for which, scene in (("before", pair.before), ("after", pair.after)):
            other = scene_of(relit(scene.read(), np.random.default_rng(len(pair.name))), scene.gsd_m, which)
            yield Labelled(f"{pair.name} {which}", scene, other, np.zeros_like(pair.changed))


def still_parts(pairs: Iterable[Labelled]) -> Iterator[Labelled]:
    """Quarters (whole pairs of 256 px) in which nothing is labelled as changed."""
    for pair in pairs:
        height, width = pair.changed.shape
        side = max(256, height // 2)
        for y in range(0, height, side):
            for x in range(0, width, side):
                here = (slice(y, y + side), slice(x, x + side))
                if not pair.changed[here].any():
                    first, second = (scene_of(each.read()[here], each.gsd_m, "part") for each in (pair.before, pair.after))  # fmt: skip  # noqa: E501
                    yield Labelled(f"{pair.name} {x} {y}", first, second, pair.changed[here])


def drawn_pairs(count: int, thing: str) -> Iterator[Labelled]:
    """Drawn pairs of seeds that no recipe uses; every third has no change at all."""
    for number in range(count):
        gsd = (0.2, 0.3, 0.4, 0.5)[number % 4]
        pair = draw_pair(
            KINDS[number % len(KINDS)], 7_000_000 + number, (512, 512), gsd, 0 if number % 3 == 2 else None
        )
        first, second = (scene_of(each.image_rgb, gsd, f"drawn {number}") for each in (pair.before, pair.after))
        came = np.zeros((512, 512), bool)
        for region in pair.change.regions:
            if region.label == thing and region.type == "appeared":
                came |= pair.after.mask(region.thing)
        yield Labelled(f"drawn {number}", first, second, pair.change.mask(label=thing), came)


def relit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image on another day: gain and offset a band, a shift of up to 2 px, blur, noise."""
    lit = image * rng.uniform(0.75, 1.25, 3) + rng.uniform(-25, 25)
    move = np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
    moved = cv2.warpAffine(lit, move, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    soft = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.4, 1.0)))
    return np.clip(soft + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def scene_of(rgb: np.ndarray, gsd_m: float | None, name: str) -> Scene:
    """A scene in memory."""
    return Scene.from_array(np.ascontiguousarray(rgb), gsd_m=gsd_m, name=name)


def _rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(cv2.imread(str(path)))[..., ::-1])


# ---- scores


def opened(pair: Labelled) -> tuple[ScenePair, bool]:
    """The pair prepared, and whether it was refused at first."""
    try:
        return open_pair(pair.before, pair.after), False
    except UsageError:
        return open_pair(pair.before, pair.after, align=False), True


def row(pair: Labelled, given: ScenePair, unmatched: bool, detector: ChangeDetector, thing: str) -> Row:
    """What one pair adds to the sums."""
    refused = False
    try:
        regions = detector.changes(given.levelled, given.levelled_after, thing)
    except (UnknownPhrase, UsageError):
        regions, refused = (), True
    known = given.valid()
    found = np.zeros_like(pair.changed)
    for region in regions:
        mask = region.mask or Mask.from_polygon(region.outline_px, pair.changed.shape)
        found |= mask.to_array()
    found, truth = found & known, pair.changed & known
    least = least_area_px(given.after.size_wh)
    answer, right = (parts_of(packed(Mask.from_array(each).to_rle()), least) for each in (found, truth))
    shared = shared_px(right, answer)
    overlap = shared / np.maximum(1, right.area_px[:, None] + answer.area_px[None] - shared)
    rows, columns = best_pairs(overlap, (0.5,)) if overlap.size else (np.zeros(0, int), np.zeros(0, int))
    adds = {
        "tp": (found & truth).sum(), "fp": (found & ~truth).sum(), "fn": (truth & ~found).sum(),
        "hit": (overlap[rows, columns] >= 0.5).sum(), "told": len(answer.area_px), "true": len(right.area_px),
        "still": not pair.changed.any(), "quiet": not pair.changed.any() and not regions and not refused,
        "pairs": 1, "refused": refused, "unmatched": unmatched, **_directions(pair, regions),
    }  # fmt: skip
    return Row(pair.name, pair.name.split()[1], "answered", {name: float(value) for name, value in adds.items()})


def _directions(pair: Labelled, regions: Sequence[Region]) -> dict[str, int]:
    """Regions that are real changes and were given a direction, and how many of them the right one."""
    directed = right = 0
    for region in regions:
        mask = None if region.mask is None else region.mask.to_array()
        told = None if region.change is None else region.change.direction
        if pair.came is None or mask is None or told is None or (mask & pair.changed).sum() < 0.5 * mask.sum():
            continue
        directed += 1
        right += told == ("new" if (mask & pair.came).sum() * 2 > (mask & pair.changed).sum() else "gone")
    return {"directed": directed, "right": right}


def metrics(sums: Sums) -> dict[str, np.ndarray]:
    """F1, IoU, precision and recall of pixels, F1 of components, N-acc, directions right."""
    tp, fp, fn = sums["tp"], sums["fp"], sums["fn"]
    return {
        "F1_1": ratio(2 * tp, 2 * tp + fp + fn), "IoU_1": ratio(tp, tp + fp + fn), "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn), "component F1": ratio(2 * sums["hit"], sums["told"] + sums["true"]),
        "N-acc": ratio(sums["quiet"], sums["still"]), "direction": ratio(sums["right"], sums["directed"]),
    }  # fmt: skip


def table(title: str, runs: dict[str, Scored]) -> None:
    """Prints one line a model."""
    first = next(iter(runs.values()))
    sums = first.sums
    print(f"\n{title}: {sums['pairs']:.0f} pairs, {sums['still']:.0f} unchanged, {sums['unmatched']:.0f} refused by open_pair")  # fmt: skip  # noqa: E501
    for name, run in runs.items():
        told = []
        for metric, each in intervals(run).items():
            if each.value is not None and (metric != "N-acc" or run.sums["still"]):
                span = "" if each.low is None else f" ({100 * each.low:.0f}-{100 * (each.high or 0):.0f})"
                told.append(f"{metric} {100 * each.value:.1f}{span}")
        refusals = f"; {run.sums['refused']:.0f} refused by the model" if run.sums["refused"] else ""
        print(f"  {name:8s} {', '.join(told) or 'nothing defined'}{refusals}", flush=True)


def compare(title: str, pairs: Iterable[Labelled], models: Sequence[str], thing: str = "building") -> dict[str, Scored]:
    """Runs and prints all models on some pairs."""
    rows: dict[str, list[Row]] = {name: [] for name in models}
    made = {name: detector_of(name) for name in models}
    for pair in pairs:
        given, unmatched = opened(pair)
        for name, detector in made.items():
            rows[name].append(row(pair, given, unmatched, detector, thing))
    runs = {name: scored(each, COLUMNS, metrics) for name, each in rows.items()}
    table(title, runs)
    return runs


def detector_of(name: str) -> ChangeDetector:
    """A change detector by its name here."""
    if name in ("none", "all"):
        return Nothing() if name == "none" else Everything()
    detector = load_models(f"change={name}").change
    assert detector is not None
    return detector


# ---- seconds


def timed(before: Path | Scene, after: Path | Scene, name: str, warm: bool) -> None:
    """Prints seconds of preparing a pair and of looking at it, and the largest memory of the process."""
    detector = detector_of(name)
    for turn in range(3 if warm else 1):
        clock, spent = time.perf_counter(), time.process_time()
        pair = open_pair(before, after)
        opening, cpu = time.perf_counter() - clock, time.process_time() - spent
        regions = detector.changes(pair.levelled, pair.levelled_after, "building")
        total, all_cpu = time.perf_counter() - clock, time.process_time() - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name} run {turn + 1}: open_pair {opening:.2f} s ({cpu:.2f} of processors), with changes {total:.2f} s ({all_cpu:.2f}); {len(regions)} regions; peak {peak:.0f} MB", flush=True)  # fmt: skip  # noqa: E501


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("held-out", "development", "drawn", "time"))
    parser.add_argument("--data", type=Path, help="folder with change/")
    parser.add_argument(
        "--models", nargs="+", default=list(MODELS), help="change detectors; none and all are baselines"
    )
    parser.add_argument("--pairs", type=int, default=24, help="drawn pairs (default: 24)")
    parser.add_argument("--thing", default="building", help="what drawn pairs are asked for (default: building)")
    parser.add_argument("--side", type=int, default=1024, help="px of the pair that is timed (default: 1024)")
    parser.add_argument("--files", type=Path, nargs=2, help="pair that is timed instead")
    told = parser.parse_args()
    if told.what == "drawn":
        compare(f"drawn, {told.thing}", drawn_pairs(told.pairs, told.thing), told.models, told.thing)
    elif told.what == "time":
        drawn = draw_pair("housing", 1, (told.side, told.side), 0.3)
        scenes = [scene_of(each.image_rgb, 0.3, "drawn") for each in (drawn.before, drawn.after)]
        first, second = told.files or scenes
        for name in told.models:
            timed(first, second, name, warm=not told.files)
    elif told.what == "development":
        pairs = list(real_pairs(told.data, ["fotbcd"], DEVELOPMENT))
        compare("development", pairs, told.models)
        compare("development, relit", relit_pairs(pairs), told.models)
        compare("development, still parts", still_parts(pairs), told.models)
    else:
        for sources in (["fotbcd", "levir"], ["fotbcd"], ["levir"], ["dsifn"]):
            compare(f"held out, {' + '.join(sources)}", real_pairs(told.data, sources), told.models)
        pairs = list(real_pairs(told.data, ["fotbcd", "levir"]))
        compare("held out, relit", relit_pairs(pairs), told.models)
        compare("held out, still parts", still_parts(pairs), told.models)


if __name__ == "__main__":
    main()
