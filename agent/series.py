"""More than two dates: consecutive pairs, each answered by itself, and a table of what came and went over time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import QueryError, UsageError
from ..core.pair import taken_of
from ..core.scene import Scene
from .answer import regions_json
from .change_words import area_text, date_text, share_text, tally
from .output import check_output_dir, write_text, write_whole
from .run import ask, open_scene
from .series_page import index_html
from .vectors import geojson_of

if TYPE_CHECKING:
    from ..core.progress import Listener
    from .answer import Answer
    from .run import ImageLike

INDEX, VECTORS = "index.html", "series.geojson"
_LONGEST_NAME = 40


@dataclass(frozen=True)
class SeriesRow:
    """What one pair of dates shows.

    Counts and areas are of regions in the answer; None where the run failed, so that nothing is known.

    Args:
        start, end: the date of each image by its metadata, else its name.
        date_from, date_to: ISO 8601; None where the metadata does not tell.
        image_from, image_to: names of the images.
        new, gone, altered, undirected: how many; `undirected` changed in a way that is not known.
        regions: how many are in the answer, with those of which nobody says that they changed.
        new_m2, gone_m2: sums of areas; None where the scale is not known.
        unknown: share (0..1) of the ground that cannot be compared.
        folder: of its files within the series' folder; None where none was asked for.
        failure: why the run failed; None when it did not.
    """

    start: str
    end: str
    date_from: str | None
    date_to: str | None
    image_from: str
    image_to: str
    new: int | None
    gone: int | None
    altered: int | None
    undirected: int | None
    regions: int | None
    new_m2: float | None
    gone_m2: float | None
    unknown: float
    folder: str | None = None
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; start and end as "from" and "to"."""
        rest = {name: value for name, value in vars(self).items() if name not in ("start", "end")}
        return {"from": self.start, "to": self.end, **rest}


@dataclass(frozen=True, repr=False)
class Series:
    """What `ask_series` returns: an answer a pair of consecutive dates, and a row for each."""

    query: str
    answers: tuple[Answer, ...]
    rows: tuple[SeriesRow, ...]

    @property
    def text(self) -> str:
        """A line a pair: "2019-07-01 to 2020-05-02: 3 new (420 m²), 1 gone (80 m²)"."""
        return "\n".join(f"{row.start} to {row.end}: {told(row)}" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Rows and answers as JSON types."""
        return {
            "query": self.query,
            "answer": self.text,
            "rows": [row.to_dict() for row in self.rows],
            "pairs": [answer.to_dict() for answer in self.answers],
        }

    def __repr__(self) -> str:
        return f"Series({len(self.answers)} pairs from {self.rows[0].start!r} to {self.rows[-1].end!r})"


def ask_series(
    images: Sequence[ImageLike],
    query: str,
    *,
    gsd: float | None = None,
    out: str | Path | None = None,
    run_id: str | None = None,
    progress: Listener | None = None,
    **as_ask: Any,
) -> Series:
    """The answers to one request about a place at several dates: first to second, second to third, and so on.

    Args:
        images: two or more, the earliest first, each as in `ask`. They are never sorted; a pair whose metadata says
            that it is the wrong way round has a note.
        query: the request in English, e.g. "which buildings are new?".
        gsd: ground sample distance of every image, metres per pixel.
        out: folder for index.html, series.geojson and a folder a pair ("1_2019-07-01_2020-05-02") with its own files.
        run_id: name under which runs are kept; each pair adds its number ("roofs-1").
        progress: called as progress("pair 1 of 3: what", done, total).
        as_ask: other arguments of `surveyor.ask`; budgets count for each pair.

    Raises:
        UsageError: fewer than two images, or input that can't be used; names the pair. What was written is whole.
        QueryError: the request was not understood.

    Example:
        >>> from surveyor.agent.series import ask_series
        >>> dates = ["2019.tif", "2021.tif", "2024.tif"]
        >>> series = ask_series(dates, "which buildings are new?", models="change=compact")  # doctest: +SKIP
        >>> [(row.start, row.end, row.new, row.new_m2) for row in series.rows]  # doctest: +SKIP
        [('2019-07-01', '2021-05-02', 3, 412.5), ('2021-05-02', '2024-06-11', 0, 0.0)]
    """
    if isinstance(images, str | Path | Scene) or len(images) < 2:
        raise UsageError(f"a series needs two or more images, the earliest first, not {images!r}")
    folder = None if out is None else Path(out)
    if folder is not None:
        check_output_dir(folder)
        for name in (INDEX, VECTORS):  # of an earlier run
            (folder / name).unlink(missing_ok=True)
    scenes = [open_scene(image, gsd) for image in images]
    answers, rows = [], []
    for number, (before, after) in enumerate(pairwise(scenes), 1):
        which = f"pair {number} of {len(scenes) - 1}"
        start, end = _name_of(before), _name_of(after)
        own = None if folder is None else folder / f"{number}_{_safe(start)}_{_safe(end)}"
        try:
            answer = ask(
                before, query, after=after, out=own, run_id=None if run_id is None else f"{run_id}-{number}",
                progress=_prefixed(progress, which), **as_ask,
            )  # fmt: skip
        except QueryError:  # of the words, whichever the pair
            raise
        except UsageError as error:
            raise UsageError(f"{which} ({before.name} to {after.name}): {error}") from error
        answers.append(answer)
        rows.append(row_of(answer, start, end, None if own is None else own.name))
    series = Series(query, tuple(answers), tuple(rows))
    if folder is not None:
        write_whole(folder / VECTORS, lambda path: write_text(path, series_geojson(series)))
        write_whole(folder / INDEX, lambda path: write_text(path, index_html(series)))
    return series


def row_of(answer: Answer, start: str, end: str, folder: str | None = None) -> SeriesRow:
    """The row of an answer about two dates."""
    pair = answer.pair
    assert pair is not None
    known = answer.failure is None
    counts = tally(c.region for c in answer.regions)
    first, second = pair.taken
    return SeriesRow(
        start=start,
        end=end,
        date_from=date_text(first),
        date_to=date_text(second),
        image_from=pair.given.name,
        image_to=pair.after.name,
        **{name: counts.get(name, 0) if known else None for name in ("new", "gone", "altered", "undirected")},
        regions=len(answer.regions) if known else None,
        new_m2=_area_m2(answer, "new") if known else None,
        gone_m2=_area_m2(answer, "gone") if known else None,
        unknown=pair.unknown_share,
        folder=folder,
        failure=answer.failure,
    )


def _area_m2(answer: Answer, direction: str) -> float | None:
    """Sum of the areas that changed so; None where the scale is not known."""
    if answer.scene.gsd_m is None:
        return None
    chosen = [c for c in answer.regions if c.region.change is not None and c.region.change.direction == direction]
    return round(sum(each["area_m2"] for each in regions_json(chosen, answer.scene)), 3)


def told(row: SeriesRow) -> str:
    """A row in words: "3 new (420 m²), 1 gone (80 m²), 4.2 % unknown"."""
    if row.failure is not None:
        return f"failed: {row.failure}"
    areas = {"new": row.new_m2, "gone": row.gone_m2}
    parts = []
    for name, words in (("new", "new"), ("gone", "gone"), ("altered", "altered"), ("undirected", "changed")):
        n, size = getattr(row, name), areas.get(name)
        if n:
            parts.append(f"{n} {words}" + ("" if size is None else f" ({area_text(size, 0)})"))
    assert row.regions is not None
    others = row.regions - sum(getattr(row, name) for name in ("new", "gone", "altered", "undirected"))
    parts += [f"{others} in the answer"] if others else []
    parts = parts or ["no change"]
    return ", ".join([*parts, *([f"{share_text(row.unknown)} unknown"] if row.unknown >= 0.001 else [])])


def series_geojson(series: Series) -> str:
    """A feature collection of what is in the answers, with the pair's number, "from" and "to" in the properties.

    Longitude and latitude for georeferenced images. Others give pixels of their later image (`image_after`); then the
    member "coordinate_frame" says so, as does the property of that name where only some of the pairs do.
    """
    collection: dict[str, Any] = {"type": "FeatureCollection", "query": series.query, "answer": series.text}
    features = []
    frames = set()
    for number, (answer, row) in enumerate(zip(series.answers, series.rows, strict=True), 1):
        found = geojson_of(answer, answer.scene)
        frame = found.get("coordinate_frame")
        frames.add(frame)
        for feature in found["features"]:
            if feature["properties"]["status"] == "kept":
                told_of = {"pair": number, "from": row.start, "to": row.end, "coordinate_frame": frame}
                properties = {**feature["properties"], **told_of}
                features.append({**feature, "id": f"{number}/{feature['id']}", "properties": properties})
    if len(frames) == 1:
        for feature in features:
            del feature["properties"]["coordinate_frame"]
    if frames != {None}:
        mixed = "" if None not in frames else "some features, as their properties tell: "
        collection["coordinate_frame"] = mixed + next(frame for frame in frames if frame) + ", of the later image"
    collection["features"] = features
    return json.dumps(collection, ensure_ascii=False, allow_nan=False) + "\n"


def _name_of(scene: Scene) -> str:
    """The date of a scene by its metadata, else its name without a file's ending."""
    taken = taken_of(scene)
    return Path(scene.name).stem if taken is None else taken.date().isoformat()


def _safe(name: str) -> str:
    """A name as part of a folder's name, on every system."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII)[:_LONGEST_NAME].strip(".-") or "image"


def _prefixed(progress: Listener | None, which: str) -> Listener | None:
    if progress is None:
        return None
    return lambda what, done, total: progress(f"{which}: {what}", done, total)
