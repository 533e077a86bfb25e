"""The scores of a run folder: its settings, the items that it was to answer, and a table a track."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ... import __version__
from ...core.errors import UsageError
from ..bench.items import AnyItem, Header, read_header, read_items
from ..bench.predictions import Prediction
from ..bench.store import PREDICTIONS_FILE, About, Settings, read_predictions, read_run
from ..bench.writing import write_whole
from ..scores.bootstrap import DRAWS, intervals
from ..scores.contrast import score_contrast
from ..scores.crec import score_crec
from ..scores.cres import score_cres
from ..scores.parsed import score_parsed
from ..scores.rcd import score_rcd
from ..scores.scored import ANSWERED, MISSING, Scored
from .report_words import group_of, headlines, shortened

SCORES_FORMAT = 1
SCORES_FILE = "scores.json"
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(\.\d+)?")
_SCORERS: dict[str, tuple[str, Callable[..., Scored]]] = {
    "CREC": ("boxes", score_crec),
    "CRES": ("masks", score_cres),
    "RCD": ("change", score_rcd),
}
"""Task -> its first track and what scores it."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run with its scores.

    Attributes:
        folders: of the run; several where its shards are scored together.
        name: for people: the folder's own name.
        settings: of the run; of the first shard where there are several.
        about: likewise.
        items_path: the items file, checked by its digest.
        root: folder of the images.
        header: of the items file.
        items: those that the run was to answer, in the order of the file.
        predictions: id -> answer.
        tables: track ("boxes", "oriented boxes", "masks", "change", those of the field's tasks) -> scores.
        contrast: of twins; None where no pair was asked.
        parsed: of the parser; None where no expression was read.
        missing: how many items have no prediction yet; they count as wrong.
        notes: what a reader must know first: an unfinished run, shards that are not here.
    """

    folders: tuple[Path, ...]
    name: str
    settings: Settings
    about: About
    items_path: Path
    root: Path
    header: Header
    items: tuple[AnyItem, ...]
    predictions: Mapping[str, Prediction]
    tables: Mapping[str, Scored]
    contrast: Scored | None = None
    parsed: Scored | None = None
    missing: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def main(self) -> Scored:
        """The table of the first track."""
        return next(iter(self.tables.values()))

    @property
    def statuses(self) -> dict[str, int]:
        """Status -> how many items; as the scorer sees them ("no mask") where its first table has all items."""
        if len(self.main.ids) == len(self.items):
            return self.main.counts()
        given = (self.predictions.get(item.id) for item in self.items)
        return dict(sorted(Counter(MISSING if each is None else each.status for each in given).items()))

    @property
    def seconds(self) -> float:
        """Seconds of all answers together."""
        return sum(each.seconds for each in self.predictions.values())


def score_run(
    out_dir: str | Path | Sequence[str | Path],
    items: str | Path | Sequence[str | Path] = (),
    *,
    data: str | Path | None = None,
) -> Run:
    """Scores what a run has answered so far.

    Args:
        out_dir: folder of `surveyor bench run`, or the folders of the shards of one run.
        items: where the items file is now; of several, the one with the run's digest. None given: where it was.
        data: folder of the images, where they have moved.

    Returns:
        The run. An item without a prediction has the status "missing" and counts as wrong.

    Raises:
        UsageError: no run there, a damaged file, an items file that is not the one that was asked, or folders that are
            not shards of one run.

    Example:
        >>> import tempfile
        >>> from surveyor.evals.construction.builder import build
        >>> from surveyor.evals.bench.items import write_items
        >>> from surveyor.evals.bench.predict import How
        >>> from surveyor.evals.bench.runner import run
        >>> from surveyor.evals.construction.synth_source import synth_records
        >>> folder = Path(tempfile.mkdtemp())
        >>> records = synth_records(2, seed=0, size_wh=(512, 512), root=folder)
        >>> write_items(folder / "items.jsonl", *build(records, task="CREC", n=4, seed=0))
        >>> _ = run(folder / "items.jsonl", folder / "run", how=How(oracle=("parser", "boxes")))
        >>> score_run(folder / "run").tables["boxes"].values()["f1_macro@0.5"]
        1.0
    """
    folders = tuple(Path(each) for each in _listed(out_dir))
    if not folders:
        raise UsageError("no run is given; expected the folder of a surveyor bench run")
    runs = [read_run(folder) for folder in folders]
    settings, about = runs[0].settings, runs[0].about
    _check_parts(folders, [run.settings for run in runs])
    path = _items_path(settings, about, folders[0], _listed(items))
    header, everything = _read(path, settings.items)
    parts = sorted({run.settings.shard[0] for run in runs})
    wanted = _wanted(everything, settings.limit, parts, settings.shard[1])
    if not wanted:
        raise UsageError(f"{str(folders[0])!r} was asked no items: {str(path)!r} has {len(everything):,}, of which its limit and shard leave none")  # fmt: skip  # noqa: E501
    predictions = {each.id: each for folder in folders if (folder / PREDICTIONS_FILE).exists() for each in read_predictions(folder)}  # fmt: skip  # noqa: E501
    missing = sum(item.id not in predictions for item in wanted)
    tables = _tables(about.task, wanted, list(predictions.values()))
    asked: Any = wanted
    contrast = parsed = None
    if about.task in _SCORERS:
        contrast = _if_any(score_contrast(asked, next(iter(tables.values()))), "pairs")
        if settings.how.reads:
            parsed = _if_any(score_parsed(asked, predictions.values()), "items")
    return Run(
        folders=folders,
        name=_name(folders, settings),
        settings=settings,
        about=about,
        items_path=path,
        root=Path(about.root if data is None else data),
        header=header,
        items=wanted,
        predictions=predictions,
        tables=tables,
        contrast=contrast,
        parsed=parsed,
        missing=missing,
        notes=_notes(missing, len(wanted), parts, settings.shard[1]),
    )


def write_scores(run: Run, found: dict[str, Any]) -> None:
    """Writes what `scores` found as `scores.json` into each folder of the run, as a whole or not at all."""
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    for folder in run.folders:
        write_whole(folder / SCORES_FILE, [text.encode()])


def scores(run: Run, *, draws: int = DRAWS) -> dict[str, Any]:
    """A run's scores as plain data: figures are shares of 1, None where not defined; limits are 95 % intervals."""
    return {
        "format": SCORES_FORMAT,
        "surveyor": __version__,
        "name": run.name,
        "task": run.about.task,
        "mode": run.settings.how.mode,
        "settings": run.settings.model_dump(mode="json"),
        "items_file": str(run.items_path),
        "items": len(run.items),
        "families": len({item.image.family for item in run.items}),
        "finished": not run.missing,
        "missing": run.missing,
        "notes": list(run.notes),
        "seconds": round(run.seconds, 3),
        "statuses": run.statuses,
        "reasons": reasons(run),
        "tracks": {
            name: {"items": len(table.ids), "metrics": _figures(table, draws)} for name, table in run.tables.items()
        },
        "contrast": None if run.contrast is None else _figures(run.contrast, draws),
        "parser": None if run.parsed is None else _figures(run.parsed, draws),
        "tags": [_tag_figures(run, each) for each in tags_of(run.items)],
    }


def reasons(run: Run) -> list[dict[str, Any]]:
    """Why items have no answer, most frequent first: "status", "reason", "items" (how many), "first" (an id).

    Reasons that differ only in numbers and in what stands in quotes are one; the words are those of the first item.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in run.items:
        given = run.predictions.get(item.id)
        if given is None or given.status == ANSWERED:
            continue
        line = next((line.strip() for line in given.said.splitlines() if line.strip()), "no reason was kept")
        told = {"status": given.status, "reason": shortened(line), "items": 0, "first": item.id}
        found.setdefault((given.status, _VARYING.sub("…", line)), told)["items"] += 1
    return sorted(found.values(), key=lambda each: -each["items"])


# ---- tags -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tagged:
    """The items of one tag.

    Attributes:
        group: "condition", or the part before the tag's colon: "answers", "hops", "class".
        tag: as in the items.
        ids: of the items.
    """

    group: str
    tag: str
    ids: frozenset[str]


def tags_of(items: Sequence[AnyItem]) -> list[Tagged]:
    """Every tag with its items: conditions first, then group by group, in the order of their names."""
    ids: dict[str, set[str]] = {}
    for item in items:
        for tag in item.tags:
            ids.setdefault(tag, set()).add(item.id)
    order = {"condition": 0, "answers": 1, "hops": 2, "atoms": 3, "class": 4}
    tagged = [Tagged(group_of(tag), tag, frozenset(found)) for tag, found in ids.items()]
    return sorted(tagged, key=lambda each: (order.get(each.group, 9), each.group, _natural(each.tag)))


def _natural(tag: str) -> list[tuple[int, int, str]]:
    """A key that puts "R2" before "R10" and "2-5" before "6-20"."""
    parts = "".join(c if c.isdigit() else f" {c} " for c in tag).split()
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _tag_figures(run: Run, tagged: Tagged) -> dict[str, Any]:
    tracks = {}
    for name, table in run.tables.items():
        values = table.only(tagged.ids).values()
        tracks[name] = {metric: values[metric] for metric in headlines(name, list(values))}
    return {"group": tagged.group, "tag": tagged.tag, "items": len(tagged.ids), "tracks": tracks}


# ---- reading --------------------------------------------------------------------------------------------------


def scorer_of(task: str) -> Callable[..., Scored]:
    """What scores items of one of our own tasks: (items, predictions) -> table; CREC's takes `oriented=`, too.

    Raises:
        UsageError: another task; the field's have several tables, see `field_scores.score_field`.

    Example:
        >>> scorer_of("CRES")([], []).ids
        ()
    """
    if task not in _SCORERS:
        raise UsageError(f"items of task {task!r} have no scorer of their own; expected {', '.join(_SCORERS)}")
    return _SCORERS[task][1]


def _tables(task: str, items: Sequence[Any], predictions: Sequence[Prediction]) -> dict[str, Scored]:
    if task not in _SCORERS:
        from .field_scores import score_field

        return dict(score_field(items, predictions))
    track, score = _SCORERS[task]
    tables = {track: score(items, predictions)}
    if task == "CREC" and any(each.obb is not None for item in items for each in item.objects):
        tables["oriented boxes"] = score(items, predictions, oriented=True)
    return tables


def _figures(table: Scored, draws: int) -> dict[str, Any]:
    return {
        name: {"value": found.value, "low": found.low, "high": found.high}
        for name, found in intervals(table, draws=draws).items()
    }


def _if_any(table: Scored, column: str) -> Scored | None:
    return table if table.sums[column] else None


def _items_path(settings: Settings, about: About, folder: Path, given: Sequence[str | Path]) -> Path:
    """The file with the run's digest: among those given, else where it was, else beside the run."""
    was = Path(about.items)
    places = [Path(each) for each in given] or [was, folder / was.name, folder.parent / was.name]
    there = [place for place in places if place.is_file()]
    for place in there:
        if digest_of(place) == settings.items:
            return place
    if not there:
        lost = " and ".join(repr(str(each)) for each in (given or (was,)))
        raise UsageError(f"the items that {str(folder)!r} was asked are not at {lost}; say where they are with --items FILE")  # fmt: skip  # noqa: E501
    raise UsageError(
        f"{str(there[0])!r} is not what {str(folder)!r} was asked: its digest is {digest_of(there[0])[:12]}, that of "
        f"the run {settings.items[:12]}. The file was changed or built again: give the one that was asked with --items "
        "FILE, or run these items in a new folder"
    )


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as `run.json` holds it."""
    stat = path.stat()
    return _digest(path.resolve(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4)
def _read(path: Path, _digest: str) -> tuple[Header, tuple[AnyItem, ...]]:
    """The items of a file; runs of one file share them."""
    return read_header(path), tuple(read_items(path))


def _wanted(items: Sequence[AnyItem], limit: int | None, parts: Sequence[int], of: int) -> tuple[AnyItem, ...]:
    """The items that the shards of a run answer, as the runner counts them."""
    return tuple(item for number, item in enumerate(items[:limit]) if number % of + 1 in parts)


def _check_parts(folders: Sequence[Path], settings: Sequence[Settings]) -> None:
    """Raises UsageError where folders are not different shards of one run."""
    first = settings[0]
    for folder, other in zip(folders[1:], settings[1:], strict=True):
        same = other.model_copy(update={"shard": first.shard})
        differences = first.differences(same)
        if first.shard[1] != other.shard[1]:
            differences.append(f"shard: of {first.shard[1]}, now of {other.shard[1]}")
        if differences:
            raise UsageError(
                f"{str(folders[0])!r} and {str(folder)!r} are not shards of one run: {'; '.join(differences)}. "
                "To put runs side by side use surveyor bench report"
            )
    for part, n in Counter(each.shard for each in settings).items():
        if n > 1:
            raise UsageError(f"{n} of the folders are shard {part[0]}/{part[1]}; give each shard once")


def _name(folders: Sequence[Path], settings: Settings) -> str:
    names = [folder.resolve().name for folder in folders]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more of {settings.shard[1]} shards"


def _notes(missing: int, wanted: int, parts: Sequence[int], of: int) -> tuple[str, ...]:
    notes = []
    if missing:
        notes.append(f"UNFINISHED: {missing:,} of {wanted:,} items have no answer yet and count as wrong; the same bench run goes on")  # fmt: skip  # noqa: E501
    lacking = [str(k) for k in range(1, of + 1) if k not in parts]
    if lacking:
        notes.append(f"PART OF A RUN: shard{'s' if len(lacking) > 1 else ''} {', '.join(lacking)} of {of} not given")
    return tuple(notes)


def _listed(given: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [given] if isinstance(given, str | Path) else list(given)
