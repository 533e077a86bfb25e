"""The picture of an explanation: what is in the answer, undecided, nearly in it and out of it, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..core.errors import UsageError
from ..core.geometry import corners_to_box
from ..core.regions import Region
from .drawing import INK, Colour, Picture, Points, Tag, draw_dashed, draw_outline, fill_areas, place_tags, text_size_wh
from .overlay import KEPT, NEAR, OUT, REFERENCE, UNDECIDED, header_strip, legend_strip, picture_size_wh, rings_px

if TYPE_CHECKING:
    from .explanation import Cell, Explanation, Row

MOST_COVERED = 0.12
"""Share of the picture that tags with whole sentences may cover."""
MOST_LEGEND = 6
"""Conditions named in the legend."""


def write_why_picture(explanation: Explanation, path: Path) -> Path:
    """Draws the explanation and writes it; see `Explanation.draw`."""
    picture = draw_why(explanation)
    try:
        fine, data = cv2.imencode(path.suffix or ".png", picture)
    except cv2.error:
        fine = False
    if not fine:
        raise UsageError(f"no picture can be written as {path.suffix!r}; name a file that ends in .png or .jpg")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise UsageError(f"the picture {str(path)!r} cannot be written: {error.strerror or error}") from None
    return path


def draw_why(explanation: Explanation) -> Picture:
    """The picture, BGR. Raises UsageError when the scene is not there."""
    if explanation.scene is None:
        raise UsageError(
            "this explanation knows no image to draw on; explain an answer or the folder it was written to"
        )
    scene = explanation.scene()
    wanted = picture_size_wh(scene.size_wh)
    image = scene.read(out_size_wh=wanted) if wanted[0] < scene.size_wh[0] else scene.read()
    how = cv2.INTER_CUBIC if wanted[0] > image.shape[1] else cv2.INTER_AREA
    resized = np.asarray(cv2.resize(image, wanted, interpolation=how), dtype=np.uint8)
    picture = np.ascontiguousarray(resized[..., ::-1])
    scale = np.array([wanted[0] / scene.size_wh[0], wanted[1] / scene.size_wh[1]])
    unit = max(wanted) / 1000
    size = int(np.clip(round(13 * unit), 13, 22))
    left_out = _draw_rows(picture, explanation, scale, unit, size)
    header = header_strip(_title(explanation), explanation.answer, picture.shape[1], size)
    gsd_m = None if scene.gsd_m is None else scene.gsd_m / float(scale[0])
    return np.vstack([header, picture, legend_strip(_legend(explanation, left_out), picture.shape[1], size, gsd_m)])


def _title(explanation: Explanation) -> str:
    query = explanation.query or ""
    return f"{query} · why {explanation.focus}?" if explanation.focus else f"{query} · why?".strip(" ·")


def _draw_rows(picture: Picture, explanation: Explanation, scale: Points, unit: float, size: int) -> int:
    """Draws all regions and their tags; returns how many tags had no room."""
    groups = _groups(explanation.rows)
    line = max(1, round(1.6 * unit))
    for colour, opacity in ((REFERENCE, 0.16), (UNDECIDED, 0.18), (KEPT, 0.30)):
        chosen = explanation.references if colour == REFERENCE else [row.region for row in groups[colour]]
        if chosen:
            fill_areas(picture, ((rings_px(region, scale), colour) for region in chosen), opacity)
        for region in chosen:
            for ring in rings_px(region, scale):
                draw_outline(picture, ring, colour, line)
    for row in groups[OUT]:
        draw_dashed(picture, row.region.corners_px * scale, OUT, max(1, line - 1), dash=max(3.0, 3 * unit))
    for row in groups[NEAR]:
        draw_dashed(picture, row.region.corners_px * scale, NEAR, line, dash=max(5.0, 7 * unit))
    if explanation.focus is not None:
        row = explanation.row(explanation.focus)
        draw_outline(picture, row.region.corners_px * scale, colour_of(row), line + 2)
    return place_tags(picture, _thinned(_tags(explanation, groups, scale), picture, size), size)


def _thinned(tags: list[Tag], picture: Picture, size: int) -> list[Tag]:
    """The tags; all in their short forms (a letter, which the legend tells) where the full ones would cover much."""
    wide = [text_size_wh(tag.texts[0], size) for tag in tags]
    if sum(width * height for width, height in wide) <= MOST_COVERED * picture.shape[0] * picture.shape[1]:
        return tags
    return [replace(tag, texts=tag.texts[-2:]) if len(tag.texts) > 2 else tag for tag in tags]


def _groups(rows: Sequence[Row]) -> dict[Colour, list[Row]]:
    groups: dict[Colour, list[Row]] = {KEPT: [], UNDECIDED: [], NEAR: [], OUT: []}
    for row in rows:
        groups[colour_of(row)].append(row)
    return groups


def colour_of(row: Row) -> Colour:
    """The colour of a candidate by its fate."""
    if row.status == "rejected":
        return OUT if row.near_miss is None else NEAR
    return KEPT if row.status == "kept" else UNDECIDED


def _tags(explanation: Explanation, groups: dict[Colour, list[Row]], scale: Points) -> list[Tag]:
    """Tags, the most telling first: the one asked about, near misses, undecided, in the answer, referred to, out."""
    focus = explanation.focus
    rows = [row for colour in (NEAR, UNDECIDED, KEPT, OUT) for row in groups[colour]]
    if focus is not None:
        first = explanation.row(focus)
        tags = [_tag(first.region, colour_of(first), scale, _focus_texts(first))]
        rest = [row for row in rows if row.region.id != focus]
        tags += [_tag(row.region, colour_of(row), scale, (_number(row.region.id),)) for row in rest]
    else:
        tags = [_tag(row.region, colour_of(row), scale, tag_texts(row)) for row in rows if row not in groups[OUT]]
    tags += [_tag(region, REFERENCE, scale, (region.id, _number(region.id))) for region in explanation.references]
    if focus is None:
        tags += [_tag(row.region, OUT, scale, tag_texts(row)) for row in groups[OUT]]
    return tags


def tag_texts(row: Row) -> tuple[str, ...]:
    """What a candidate's tag says, fullest form first: its id with the deciding condition, down to the number alone."""
    number, cell = _number(row.region.id), row.deciding
    doubt = " (second look: no)" if row.second_look is not None and row.second_look.verdict == "no" else ""
    if cell is None:
        return tuple(dict.fromkeys((f"{row.region.id}{doubt}", f"{number}{doubt}" if doubt else row.region.id, number)))
    told, short = _deciding_text(cell), f"{cell.letter}{'?' if cell.verdict == 'unknown' else ''} {cell.value}".strip()
    return (f"{row.region.id}: {told}{doubt}", f"{number}: {told}", f"{number}: {short}", f"{number}: {cell.letter}")


def _deciding_text(cell: Cell) -> str:
    """ "36.6 m, not longer than 40 m"; "longer than 40 m? (56 px)"."""
    if cell.verdict == "unknown":
        return f"{cell.condition}?" + (f" ({cell.value})" if cell.value else "")
    return f"{cell.value}, not {cell.condition}" if cell.value else f"not {cell.condition}"


def _focus_texts(row: Row) -> tuple[str, ...]:
    cells = "; ".join(
        f"{cell.condition}: {cell.value + ', ' if cell.value else ''}{cell.verdict}" for cell in row.cells
    )
    return (f"{row.region.id}: {cells}" if cells else row.region.id, *tag_texts(row))


def _tag(region: Region, colour: Colour, scale: Points, texts: Sequence[str]) -> Tag:
    box = corners_to_box(region.outline_px * scale)
    return Tag(tuple(dict.fromkeys(texts)), colour, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def _number(region_id: str) -> str:
    return region_id.rpartition("-")[2]


def _legend(explanation: Explanation, left_out: int) -> list[tuple[Colour, str]]:
    groups = _groups(explanation.rows)
    names = ", ".join(dict.fromkeys(region.label for region in explanation.references))
    entries: list[tuple[Colour, str]] = [(KEPT, f"{len(groups[KEPT])} in the answer")]
    entries += [(UNDECIDED, f"{len(groups[UNDECIDED])} undecided")] if groups[UNDECIDED] else []
    entries += [(NEAR, f"{len(groups[NEAR])} near misses")] if groups[NEAR] else []
    entries += [(OUT, f"{len(groups[OUT])} rejected")] if groups[OUT] else []
    entries += [(REFERENCE, f"referred to: {names}")] if names else []
    for column in explanation.columns[:MOST_LEGEND]:
        unknown = f" {column.unknown} ?" if column.unknown else ""
        emptied = ", none left" if column.emptied else ""
        entries.append((INK, f"{column.letter} {column.condition}: {column.yes} yes {column.no} no{unknown}{emptied}"))
    return entries + ([(INK, f"{left_out} label{'s' * (left_out > 1)} left out")] if left_out else [])
