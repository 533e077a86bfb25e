"""Whole benchmarks in one call: items built, put to the models and to every ablation of them, scored, reported.

`mini` needs no download: scenes and pairs are drawn. `shared` looks for folders of real images with human annotation
and uses those it finds. What is in a suite is data: see `Part`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import cast

from ..core.errors import UsageError
from ..core.progress import listening, note, noting
from .bench.items import Header, Item, Task, write_items
from .bench.predict import How, Oracle
from .bench.runner import run
from .construction.builder import build
from .construction.rcd_builder import build_rcd
from .construction.rcd_synth import synth_pairs
from .construction.sources import sized
from .construction.synth_source import synth_records
from .datasets.held_out import is_held_out, is_of
from .datasets.nwpu import SOURCE as NWPU
from .datasets.record import Record
from .datasets.registry import reader_named
from .report.waterfall import PLAYERS

Progress = Callable[[str, int, int], None]
Records = Callable[[Path], Iterator[Record]]
"""Folder of the suite's images -> records."""
SEED = 20
_BASELINES = {
    "CREC": ("whole-class", "centre", "largest"),
    "CRES": ("whole-class", "centre", "largest"),
    "RCD": ("region-blind", "no-change"),
}
DRAWN = (
    "airplane",
    "ship",
    "storage tank",
    "baseball diamond",
    "tennis court",
    "basketball court",
    "ground track field",
    "harbor",
    "bridge",
    "vehicle",
    "building",
)
"""Classes of the drawn scenes that the mini suite asks for: those of the built-in detector."""
LABELLED_IN_PART = {
    "040.jpg": ("airplane",),
    "145.jpg": ("basketball court",),
    "149.jpg": ("basketball court",),
    "177.jpg": ("baseball diamond", "bridge", "storage tank"),
    "274.jpg": ("harbor",),
    "277.jpg": ("harbor",),
    "316.jpg": ("storage tank",),
    "469.jpg": ("basketball court",),
    "494.jpg": ("baseball diamond",),
    "506.jpg": ("ship",),
    "513.jpg": ("ship",),
    "515.jpg": ("airplane",),
    "517.jpg": ("ship",),
}
"""Images of NWPU val that show more of these classes than are labelled; of vehicles many do, so none are asked for."""
CHANGED_UNLABELLED = ("test_121", "test_77", "test_95")
"""Pairs kept apart in which people found a changed building without a label; no items are made of them."""


@dataclass(frozen=True)
class Part:
    """One items file of a suite.

    Attributes:
        name: of its files.
        task: "CREC", "CRES" or "RCD".
        n: how many items are asked for.
        records: what they are built from.
        needs: folders or files, relative to the data, without which the part is left out; () for drawn ones.
        about: where the images come from, for people.
        is_seen: whether models look at the images; without, only what reasons about the truth is run.
    """

    name: str
    task: Task
    n: int
    records: Records
    needs: tuple[str, ...] = ()
    about: str = ""
    is_seen: bool = True


@dataclass(frozen=True)
class Did:
    """What became of one part.

    Attributes:
        part: the part.
        header: of its items.
        folders: mode -> folder of its run.
    """

    part: Part
    header: Header
    folders: dict[str, Path] = field(default_factory=dict)


def modes(task: Task, *, is_seen: bool = True) -> tuple[How, ...]:
    """The full run first, then every set of oracles, then the baselines: what the report's waterfall needs.

    Args:
        task: of the items.
        is_seen: without, only those in which no model looks at an image.

    Example:
        >>> [how.mode for how in modes("CREC")][:4]
        ['full', 'oracle parser', 'oracle boxes', 'oracle boxes and parser']
        >>> [how.mode for how in modes("CRES", is_seen=False)]
        ['oracle boxes and masks', 'oracle boxes and masks and parser']
    """
    parts = cast(tuple[Oracle, ...], PLAYERS[task])
    sets = [chosen for size in range(len(parts) + 1) for chosen in combinations(parts, size)]
    if not is_seen:
        return tuple(How(oracle=chosen) for chosen in sets if {"boxes", "masks"} & set(parts) <= set(chosen))
    found = [How(oracle=chosen) for chosen in sets]
    return (*found, *(How(baseline=name) for name in _BASELINES[task]))  # type: ignore[arg-type]


def run_suite(
    name: str,
    out: str | Path,
    *,
    data: str | Path | None = None,
    models: str | None = None,
    only: Sequence[str] = (),
    limit: int | None = None,
    workers: int = 1,
    cache: bool = True,
    progress: Progress | None = None,
) -> list[Did]:
    """Builds, runs and keeps a suite in a folder; goes on where an earlier call stopped.

    Args:
        name: "mini" or "shared".
        out: gets `items/`, `runs/PART/MODE/` and, for drawn parts, `images/`.
        data: folder of the real images; needed for "shared".
        models: as in `surveyor.ask`.
        only: names of parts; () for all.
        limit: at most so many items of each part.
        workers: threads.
        cache: whether the runs share what the models found (and with earlier runs); without it each ablation looks
            at every image anew.
        progress: called with what is being done, how many items of it are done, and of how many.

    Returns:
        The parts that were run, in order.

    Raises:
        UsageError: no such suite or part, no data, or another program's items in the folder.
    """
    parts = _chosen(name, only)
    folder = Path(out)
    place = _place(name, folder, data)
    done: list[Did] = []
    for part in parts:
        missing = [need for need in part.needs if not (place / need).exists()]
        if missing:
            note(f"{part.name} is left out: there is no {missing[0]!r} in {str(place)!r}")
            continue
        told: list[str] = []
        with _telling(progress, f"{part.name}: building"), noting(told):
            items_path, header = _items(part, folder, place, limit)
        for text in told:
            note(f"{part.name}: {text}")
        did = Did(part, header)
        for how in modes(part.task, is_seen=part.is_seen):
            where = folder / "runs" / part.name / how.mode.replace(", ", "_").replace(" ", "-")
            with _telling(progress, f"{part.name}: {how.mode}"):
                run(items_path, where, models=models, how=how, root=place, workers=workers, cache=cache)
            did.folders[how.mode] = where
        done.append(did)
    if not done:
        needed = sorted({need for part in parts for need in part.needs})
        raise UsageError(f"nothing of the suite {name!r} is in {str(place)!r}; expected {', '.join(needed)}")
    return done


@contextmanager
def _telling(progress: Progress | None, what: str) -> Iterator[None]:
    """Hands on how many items are done, and nothing of what goes on inside one."""

    def listener(counted: str, done: int, total: int) -> None:
        if progress is not None and counted == "items":
            progress(what, done, total)

    with listening(listener):
        yield


def _chosen(name: str, only: Sequence[str]) -> list[Part]:
    if name not in SUITES:
        raise UsageError(f"there is no suite {name!r}; expected one of: {', '.join(SUITES)}")
    known = [part.name for part in SUITES[name]]
    for wanted in only:
        if wanted not in known:
            raise UsageError(f"the suite {name!r} has no part {wanted!r}; it has {', '.join(known)}")
    return [part for part in SUITES[name] if not only or part.name in only]


def _place(name: str, out: Path, data: str | Path | None) -> Path:
    """The folder of the images."""
    if name == "mini":
        if data is not None:
            raise UsageError("the suite 'mini' draws its images; leave out --data")
        return out / "images"
    if data is None:
        raise UsageError("the suite 'shared' needs the folder of the real images; give --data DIR")
    if not Path(data).is_dir():
        raise UsageError(f"there is no folder {str(data)!r}; --data is the folder with nwpu_vhr10/, change/, ...")
    return Path(data)


def _items(part: Part, folder: Path, place: Path, limit: int | None) -> tuple[Path, Header]:
    """The items file, built anew; one that is there must be the same, since runs go on with it."""
    path = folder / "items" / f"{part.name}.jsonl"
    n = part.n if limit is None else min(limit, part.n)
    command = f"surveyor bench suite, part {part.name}, n {n}, seed {SEED}"
    header, items = _built(part, place, n, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    write_items(fresh, header, items)
    if path.is_file() and path.read_bytes() != fresh.read_bytes():
        fresh.unlink()
        raise UsageError(
            f"{str(path)!r} was built by another program, from other images or for another --limit; "
            "give another folder, or remove this one"
        )
    fresh.replace(path)
    return path, header


def _built(part: Part, place: Path, n: int, command: str) -> tuple[Header, list[Item]]:
    records, root = part.records(place), str(place.resolve())
    if part.task == "RCD":
        return build_rcd(records, n=n, seed=SEED, root=root, command=command)
    return build(records, task=part.task, n=n, seed=SEED, root=root, command=command)


# ---- the suites -----------------------------------------------------------------------------------------------


def _all_drawn(scenes: int, side: int) -> Records:
    return lambda place: synth_records(scenes, seed=SEED, size_wh=(side, side), root=place.resolve())


def _drawn(scenes: int, side: int) -> Records:
    """Drawn scenes with the classes of `DRAWN` alone, so that a closed list of classes is not most of the score."""

    def records(place: Path) -> Iterator[Record]:
        for record in synth_records(scenes, seed=SEED, size_wh=(side, side), root=place.resolve()):
            yield replace(record, things=tuple(each for each in record.things if each.label in DRAWN), classes=DRAWN)

    return records


def _drawn_pairs(pairs: int, side: int) -> Records:
    return lambda place: synth_pairs(pairs, seed=SEED, size_wh=(side, side), root=place.resolve())


def _read(reader: str, under: str, **options: str) -> Records:
    return lambda place: map(sized, reader_named(reader).read((place / under).resolve(), **options))


def nwpu_val(place: Path) -> Iterator[Record]:
    """NWPU VHR-10, val, without what people found to be labelled in part.

    Args:
        place: folder with `nwpu_vhr10/val.json` and its images.
    """
    for record in reader_named("coco").read((place / "nwpu_vhr10/val.json").resolve(), exhaustive="yes"):
        partly = {"vehicle", *LABELLED_IN_PART.get(record.image.name, ())}
        things = tuple(each for each in record.things if each.label not in partly)
        classes = tuple(name for name in record.classes if name not in partly)
        family = f"nwpu_vhr10:{record.image.stem}"
        yield replace(record, things=things, classes=classes, source=NWPU, family=family)


def _dota(place: Path) -> Iterator[Record]:
    """DOTA scenes without small vehicles, of which people found unlabelled ones."""
    for record in reader_named("dota").read((place / "dota_devkit").resolve()):
        things = tuple(each for each in record.things if each.label != "small vehicle")
        classes = tuple(name for name in record.classes if name != "small vehicle")
        yield sized(replace(record, things=things, classes=classes))


_PAIRS = {
    "levir": _read("pairs", "change/levir", classes="building"),
    "fotbcd": _read("pairs", "change/fotbcd", classes="building"),
    "dsifn": _read("pairs", "change/dsifn"),
    "xbd": _read("xbd", "change/xbd"),
}


def _held_out(*names: str) -> Records:
    """The pairs of these datasets of `change/` that are kept apart, where they are there."""

    def records(place: Path) -> Iterator[Record]:
        for name in names:
            if (place / "change" / name).is_dir():
                for record in _PAIRS[name](place):
                    unlabelled = any(is_of(record.id, each) for each in CHANGED_UNLABELLED)
                    if is_held_out(name, record.id) and not unlabelled:
                        yield record

    return records


SUITES: dict[str, tuple[Part, ...]] = {
    "mini": (
        Part("crec-drawn", "CREC", 40, _drawn(18, 512), about="drawn scenes"),
        Part("cres-drawn", "CRES", 30, _drawn(18, 512), about="drawn scenes"),
        Part("crec-drawn-rich", "CREC", 60, _all_drawn(18, 512), about="drawn scenes, all classes", is_seen=False),
        Part("rcd-drawn", "RCD", 30, _drawn_pairs(18, 384), about="drawn pairs"),
    ),
    "shared": (
        Part(
            "crec-nwpu",
            "CREC",
            200,
            nwpu_val,
            ("nwpu_vhr10/val.json",),
            "NWPU VHR-10, val",
        ),
        Part(
            "cres-nwpu",
            "CRES",
            200,
            nwpu_val,
            ("nwpu_vhr10/val.json",),
            "NWPU VHR-10, val",
        ),
        Part("crec-dota", "CREC", 40, _dota, ("dota_devkit",), "two DOTA scenes"),
        Part(
            "rcd-buildings",
            "RCD",
            60,
            _held_out("levir", "fotbcd"),
            ("change",),
            "LEVIR-CD, FOTBCD: pairs kept apart",
        ),
        Part(
            "rcd-loose",
            "RCD",
            40,
            _held_out("dsifn", "xbd"),
            ("change",),
            "DSIFN, xBD: pairs kept apart; people often see more, or other, change than is labelled",
        ),
    ),
}
