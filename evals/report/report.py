"""The report over runs: what was asked, the runs side by side, what they lack and where, as one piece of plain data.

Runs of one items file make a section. The first run of a section is what the others are compared with. Markdown, HTML
and JSON are written from the same data, so that they cannot disagree.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from ... import __version__
from ...core.errors import SurveyorError, UsageError
from ...core.progress import report as told_progress
from ..bench.store import read_run
from ..scores.bootstrap import DRAWS, Difference, Interval, differences, intervals
from ..scores.scored import Scored
from .published import NONE_PUBLISHED, OURS, published
from .report_waterfall import unused_runs, waterfalls
from .report_words import METRIC_WORDS, headlines, item_column, tag_words, telling, version_words
from .report_worst import kinds, told, worst
from .scoring import Run, reasons, score_run, tags_of

REPORT_FORMAT = 1
WORST = 12
PICTURES = "pictures"
REPORT_FILE = "report.json"
_JPEG_QUALITY = 85
_PICTURE_PX = 480
_PICTURE_NAME = re.compile(r"\d{2,}-[A-Za-z0-9._-]+\.jpg")
Json = dict[str, Any]


@dataclass(frozen=True)
class Reported:
    """What `write_report` wrote.

    Attributes:
        files: report.html, report.md, report.json.
        pictures: how many were drawn.
        left_out: why a picture was not, once each.
        notes: what a reader must know of the runs: unfinished ones.
    """

    files: tuple[Path, ...]
    pictures: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def write_report(
    dirs: Sequence[str | Path],
    out: str | Path,
    *,
    items: Sequence[str | Path] = (),
    data: str | Path | None = None,
    most_worst: int = WORST,
    command: str = "",
    draws: int = DRAWS,
) -> Reported:
    """Writes report.html (one file with all its pictures), report.md (with pictures/) and report.json.

    Args:
        dirs: folders of runs; shards of one run are put together, runs of other items get a section of their own.
        out: folder; made where it is not there. Files of an earlier report in it are replaced.
        items: where the items files are now, for those that were moved.
        data: folder of the images, where they have moved.
        most_worst: failures to show of each section.
        command: for the report.
        draws: of the bootstrap.

    Raises:
        UsageError: as `score_run`; or no run.
    """
    from .report_html import html_report
    from .report_markdown import markdown_report

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file; give a folder for the report")
    if most_worst < 0:
        raise UsageError(f"worst is {most_worst!r}, expected 0 or more")
    runs = gathered(dirs, items, data)
    content = report_data(runs, most_worst=most_worst, command=command, draws=draws)
    pictures, left_out = _pictures(content, runs)
    content["pictures_left_out"] = left_out
    folder.mkdir(parents=True, exist_ok=True)
    _write_pictures(folder, pictures)
    inline = {name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" for name, data in pictures.items()}
    files = {
        "report.html": html_report(content, inline),
        "report.md": markdown_report(content, {name: f"{PICTURES}/{name}" for name in pictures}),
        REPORT_FILE: json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    notes = tuple(f"{run.name}: {note}" for run in runs for note in run.notes)
    return Reported(tuple(folder / name for name in files), len(pictures), tuple(left_out), notes)


def gathered(dirs: Sequence[str | Path], items: Sequence[str | Path] = (), data: str | Path | None = None) -> list[Run]:
    """The scored runs in these folders, in their order; folders of the shards of one run are one run."""
    if not dirs:
        raise UsageError("no run is given; expected folders of surveyor bench run")
    groups: dict[str, list[Path]] = {}
    seen: set[Path] = set()
    for each in map(Path, dirs):
        if each.resolve() in seen:
            raise UsageError(f"{str(each)!r} is given twice; give each run once")
        seen.add(each.resolve())
        settings = read_run(each).settings
        whole = settings.model_copy(update={"shard": (1, settings.shard[1])}).model_dump_json()
        groups.setdefault(whole if settings.shard[1] > 1 else str(each.resolve()), []).append(each)
    found = []
    for i, folders in enumerate(groups.values()):
        told_progress("runs scored", i, len(groups))
        found.append(score_run(folders, items, data=data))
    told_progress("runs scored", len(groups), len(groups))
    return found


def report_data(runs: Sequence[Run], *, most_worst: int = WORST, command: str = "", draws: int = DRAWS) -> Json:
    """The whole report as plain data; figures are shares of 1, limits are 95 % intervals."""
    sections: dict[str, list[Run]] = {}
    for run in runs:
        sections.setdefault(run.settings.items, []).append(run)
    return {
        "format": REPORT_FORMAT,
        "surveyor": __version__,
        "command": command,
        "sections": [_section(group, most_worst, draws) for group in sections.values()],
        "pictures_left_out": [],
    }


# ---- one section ----------------------------------------------------------------------------------------------


def _section(runs: Sequence[Run], most_worst: int, draws: int) -> Json:
    first = runs[0]
    names = unique_names(runs)
    tracks = list(dict.fromkeys(track for run in runs for track in run.tables))
    figures = [{name: intervals(table, draws=draws) for name, table in run.tables.items()} for run in runs]
    return {
        "title": f"{first.header.task}: {first.items_path.name}",
        "task": first.header.task,
        "items": {
            "file": str(first.items_path),
            "digest": first.settings.items,
            "header": first.header.model_dump(mode="json"),
        },
        "runs": [_about(run, name) for run, name in zip(runs, names, strict=True)],
        "tracks": [_track(runs, track, [each.get(track, {}) for each in figures], draws) for track in tracks],
        "parser": _rows([run.parsed for run in runs], ("exact", "dropped", "understood", "items"), draws),
        "twins": _rows([run.contrast for run in runs], ("contrast", "one_right", "pairs"), draws),
        "failures": _failure_kinds(runs),
        "reasons": [{"run": name, **each} for run, name in zip(runs, names, strict=True) for each in reasons(run)],
        "waterfalls": waterfalls(runs, names, draws=draws),
        "unused": unused_runs(runs, names),
        "worst": _worst(runs, names, most_worst),
        "published": _published(first, runs),
    }


def unique_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run that no other has: that of its folder, with the folder above it where that is needed."""
    names = [run.name for run in runs]
    twice = {name for name in names if names.count(name) > 1}
    names = [f"{run.folders[0].resolve().parent.name}/{name}" if name in twice else name for run, name in zip(runs, names, strict=True)]  # fmt: skip  # noqa: E501
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, start=1)]


def _about(run: Run, name: str) -> Json:
    settings = run.settings
    return {
        "name": name,
        "folders": [str(folder) for folder in run.folders],
        "mode": settings.how.mode,
        "models": settings.models,
        "versions": {role: version_words(version) for role, version in settings.versions.items()},
        "parser": settings.how.parser if settings.how.reads else None,
        "bands": settings.how.bands,
        "timeout_s": settings.how.timeout_s,
        "limit": settings.limit,
        "surveyor": settings.surveyor,
        "program": settings.program,
        "items": len(run.items),
        "families": len({item.image.family for item in run.items}),
        "missing": run.missing,
        "finished": not run.missing,
        "notes": list(run.notes),
        "statuses": run.statuses,
        "seconds": round(run.seconds, 3),
    }


def _track(runs: Sequence[Run], track: str, figures: Sequence[Mapping[str, Interval]], draws: int) -> Json:
    metrics = list(dict.fromkeys(name for each in figures for name in each))
    head = headlines(track, metrics)
    return {
        "name": track,
        "headlines": list(head),
        "metrics": [
            {"name": name, "words": METRIC_WORDS.get(name, ""), "runs": [_interval(each.get(name)) for each in figures]}
            for name in [*head, *(name for name in metrics if name not in head)]
        ],
        "differences": [_difference(runs[0], run, track, draws) for run in runs[1:]],
        "tags": _tags(runs, track, telling(track, metrics)),
    }


def _interval(found: Interval | None) -> Json | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}


def _difference(first: Run, other: Run, track: str, draws: int) -> Json | None:
    """How far the other run is ahead of the first, on the items of both; None where they share none."""
    if track not in first.tables or track not in other.tables:
        return None
    one, two = shared(first.tables[track], other.tables[track])
    if not one.ids:
        return None
    found = differences(two, one, draws=draws)
    return {"shared": len(one.ids), "metrics": {name: _difference_data(each) for name, each in found.items()}}


def _difference_data(found: Difference) -> Json:
    return {"value": found.value, "low": found.low, "high": found.high, "ahead": found.ahead, "clear": found.is_clear}


def shared(first: Scored, second: Scored) -> tuple[Scored, Scored]:
    """Both tables with the items that both have."""
    if first.ids == second.ids:
        return first, second
    both = set(first.ids) & set(second.ids)
    return first.only(both), second.only(both)


def _tags(runs: Sequence[Run], track: str, metrics: Sequence[str]) -> list[Json]:
    everything = {item.id: item for run in runs for item in run.items}
    rows = []
    for each in tags_of(list(everything.values())):
        tables = [run.tables[track].only(each.ids) if track in run.tables else None for run in runs]
        values = [table.values() if table is not None and table.ids else {} for table in tables]
        rows.append(
            {
                "group": each.group,
                "tag": each.tag,
                "words": tag_words(each.tag),
                "items": [0 if table is None else len(table.ids) for table in tables],
                "values": {name: [found.get(name) for found in values] for name in metrics},
            }
        )
    return rows


def _rows(tables: Sequence[Scored | None], names: Sequence[str], draws: int) -> list[Json]:
    """One row a metric with a figure a run; no rows where no run has any."""
    if not any(tables):
        return []
    found = [None if table is None else intervals(table, draws=draws) for table in tables]
    return [
        {
            "name": name,
            "words": METRIC_WORDS.get(name, ""),
            "runs": [None if each is None else _interval(each[name]) for each in found],
        }
        for name in names
    ]


def _failure_kinds(runs: Sequence[Run]) -> list[Json]:
    counts = [kinds(run) for run in runs]
    names = sorted({name for each in counts for name in each}, key=lambda name: (-sum(each.get(name, 0) for each in counts), name))  # fmt: skip  # noqa: E501
    return [{"kind": name, "runs": [each.get(name, 0) for each in counts]} for name in names]


def _worst(runs: Sequence[Run], names: Sequence[str], most: int) -> list[Json]:
    """Failures of the runs that stand for a whole system; without any, of the first run."""
    systems = [i for i, run in enumerate(runs) if run.settings.how.mode == "full"] or [0]
    found = []
    for place, i in enumerate(systems):
        share = most // len(systems) + (place < most % len(systems))
        for failure in worst(runs[i], share):
            others = [
                {"run": name, "score": _item_score(run, failure.id)}
                for j, (run, name) in enumerate(zip(runs, names, strict=True))
                if j != i
            ]
            found.append({"run": names[i], "place": i, **told(runs[i], failure), "others": others})
    return found


def _item_score(run: Run, id_: str) -> float | None:
    column = item_column(run.main.columns)
    return run.main.item(id_)[column] if column is not None and id_ in run.main.ids else None


def _published(first: Run, runs: Sequence[Run]) -> Json:
    rows = published(first.header.task, first.header.sources)
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    note = NONE_PUBLISHED.get(first.header.task, "")
    if not rows and not note:
        note = f"No published figures are kept for {first.header.task} on {', '.join(first.header.sources)}."
    return {
        "note": note,
        "metrics": names,
        "rows": [{"model": row.model, "note": row.note, "figures": dict(row.figures)} for row in rows],
        "ours": [_ours(run, names, rows[0].track) for run in runs] if rows else [],
    }


def _ours(run: Run, names: Sequence[str], track: str) -> dict[str, float | None]:
    """The run's figures under the papers' names; of the track that the papers' table is of, where they say which."""
    tables = [run.tables[track]] if track in run.tables else [] if track else list(reversed(list(run.tables.values())))
    values = {name: value for table in tables for name, value in table.values().items()}
    return {name: values.get(OURS.get(name, "")) for name in names}


# ---- pictures -------------------------------------------------------------------------------------------------


def _pictures(content: Json, runs: Sequence[Run]) -> tuple[dict[str, bytes], list[str]]:
    """File name -> JPEG, and why some were left out; each failure is told the name of its picture."""
    by_digest: dict[str, list[Run]] = {}
    for run in runs:
        by_digest.setdefault(run.settings.items, []).append(run)
    waiting = [(section, each) for section in content["sections"] for each in section["worst"]]
    drawn: dict[str, bytes] = {}
    left_out: dict[str, int] = {}
    for number, (section, failure) in enumerate(waiting, start=1):
        told_progress("pictures", number, len(waiting))
        run = by_digest[section["items"]["digest"]][failure["place"]]
        try:
            found = _picture(run, failure["id"])
        except (SurveyorError, OSError) as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
            failure["picture"] = None
            continue
        name = f"{number:02d}-{re.sub(r'[^A-Za-z0-9._-]', '_', failure['id'])[:60]}.jpg"
        drawn[name] = found
        failure["picture"] = name
    return drawn, [f"{n} picture{'' if n == 1 else 's'} left out: {reason}" for reason, n in left_out.items()]


def _picture(run: Run, id_: str) -> bytes:
    from .pictures import item_picture

    item = next(each for each in run.items if each.id == id_)
    pixels = item_picture(item, run.root, run.predictions.get(id_), side_px=_PICTURE_PX)
    done, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise UsageError(f"the picture of {id_!r} cannot be written as JPEG")
    return coded.tobytes()


def _write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Writes them below the report's folder; those that an earlier report there names go, and nothing else."""
    place = folder / PICTURES
    for name in _named_earlier(folder / REPORT_FILE):
        (place / name).unlink(missing_ok=True)
    if pictures:
        place.mkdir(exist_ok=True)
    for name, content in pictures.items():
        (place / name).write_bytes(content)


def _named_earlier(report_file: Path) -> set[str]:
    """The pictures of the report that is there; () where there is none, or it is something else."""
    try:
        content = json.loads(report_file.read_text(encoding="utf-8"))
        failures = [each for section in content["sections"] for each in section["worst"]]
        names = {each.get("picture") for each in failures}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in names if isinstance(name, str) and _PICTURE_NAME.fullmatch(name)}
