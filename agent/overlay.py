"""overlay.png: the scene with the answer drawn on it, a strip with query and answer above, a legend below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from ..core.geometry import corners_to_box
from ..core.regions import Candidate, Region
from .drawing import (
    BOLD,
    INK,
    REGULAR,
    WHITE,
    Colour,
    Picture,
    Points,
    Tag,
    draw_dashed,
    draw_outline,
    fill_areas,
    place_tags,
    put_text,
    text_size_wh,
    wrap,
)

if TYPE_CHECKING:
    from .answer import Answer

Entry = tuple[Colour, str]

LONGEST_SIDE = 2400
"""Larger scenes are shown decimated to this many pixels."""
SHORT_SIDE_WANTED = 900
"""Smaller scenes are enlarged to about this, so that labels have room."""

MANY = 25
"""With more regions of one label in the answer, tags carry their numbers only."""

KEPT: Colour = (150, 235, 40)
UNDECIDED: Colour = (40, 175, 255)
REJECTED: Colour = (190, 190, 190)
REFERENCE: Colour = (245, 120, 200)
QUIET: Colour = (170, 170, 170)
NEAR: Colour = (90, 120, 255)
"""Rejected by one condition, and by little."""
OUT: Colour = (200, 195, 235)
"""Rejected by more, or by far, where near misses are told apart."""
DASHES: dict[Colour, tuple[int, float]] = {REJECTED: (1, 3.0), NEAR: (2, 5.0), OUT: (1, 1.5)}
"""Colours that are drawn as dashes: thickness and length in px in the legend."""
HATCHED: Colour = (150, 150, 151)
"""Stands for ground that is hatched."""


def picture_size_wh(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size at which a scene is drawn: at most `LONGEST_SIDE`, small ones enlarged by a whole number.

    >>> picture_size_wh((1000, 700)), picture_size_wh((256, 256)), picture_size_wh((10000, 5000))
    ((1000, 700), (1024, 1024), (2400, 1200))
    """
    longest = max(size_wh)
    scale = LONGEST_SIDE / longest if longest > LONGEST_SIDE else max(1, round(SHORT_SIDE_WANTED / longest))
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def draw_overlay(answer: Answer, image_rgb: NDArray[np.uint8], size_wh: tuple[int, int]) -> Picture:
    """The picture, BGR.

    Args:
        answer: what to draw.
        image_rgb: (h, w, 3) the whole scene, at any size.
        size_wh: the scene's own size, px: the frame of the regions.
    """
    wanted = picture_size_wh(size_wh)
    how = cv2.INTER_CUBIC if wanted[0] > image_rgb.shape[1] else cv2.INTER_AREA
    resized = np.asarray(cv2.resize(image_rgb, wanted, interpolation=how), dtype=np.uint8)
    picture = np.ascontiguousarray(resized[..., ::-1])
    scale = np.array([wanted[0] / size_wh[0], wanted[1] / size_wh[1]])
    unit = max(wanted) / 1000
    size = int(np.clip(round(13 * unit), 13, 22))
    left_out = _draw_regions(picture, answer, scale, unit, size)
    header = header_strip(answer.query or "", answer.text, picture.shape[1], size)
    gsd_m = answer.trace.scene.gsd_m
    footer = _footer(answer, picture.shape[1], size, None if gsd_m is None else gsd_m / float(scale[0]), left_out)
    return np.vstack([header, picture, footer])


def _draw_regions(picture: Picture, answer: Answer, scale: Points, unit: float, size: int) -> int:
    """Draws everything in the scene; returns how many labels had no room."""
    references = reference_candidates(answer)
    named = {c.region.id for c in references}
    rejected = [c for c in answer.rejected if c.status is False and c.region.id not in named]
    undecided = [c for c in answer.rejected if c.status is None]
    line = max(1, round(1.6 * unit))
    for candidate in rejected:
        ring = candidate.region.corners_px * scale
        draw_dashed(picture, ring, REJECTED, 1, dash=max(3.0, 4 * unit))
    groups = [(references, REFERENCE, 0.16), (undecided, UNDECIDED, 0.18), (answer.regions, KEPT, 0.30)]
    for candidates, colour, opacity in groups:
        if candidates:
            fill_areas(picture, ((rings_px(c.region, scale), colour) for c in candidates), opacity)
        for candidate in candidates:
            for ring in rings_px(candidate.region, scale):
                draw_outline(picture, ring, colour, line)
    values = {m.region_id: f"{m.value:.4g} {m.unit}" for m in answer.values if m.value is not None}
    crowded = is_crowded(answer)
    tags = [_tag(c.region, KEPT, scale, values.get(c.region.id, ""), crowded) for c in answer.regions]
    tags += [_tag(c.region, UNDECIDED, scale, "?", crowded) for c in undecided]
    tags += [_tag(c.region, REFERENCE, scale, "", False) for c in references]
    size -= 2 * crowded
    return place_tags(picture, tags, size)


def reference_candidates(answer: Answer) -> list[Candidate]:
    """What the relations referred to (the river of "on the east bank of the river"), without what is in the answer."""
    answered = {c.region.id for c in answer.regions}
    found = {c.region.id: c for candidates in answer.references for c in candidates.kept}
    return [c for key, c in found.items() if key not in answered]


def rings_px(region: Region, scale: Points) -> list[Points]:
    """The region's rings in the picture: of its mask where it has one, else its polygon or oriented box."""
    if region.mask is not None and region.mask.area_px:
        polygons = region.mask.to_polygons()
        return [shapely.get_coordinates(ring)[:-1] * scale for p in polygons for ring in (p.exterior, *p.interiors)]
    return [region.outline_px * scale]


def is_crowded(answer: Answer) -> bool:
    """Whether tags carry numbers only: many regions in the answer, all of one label."""
    return len(answer.regions) > MANY and len({c.region.label for c in answer.regions}) == 1


def _tag(region: Region, colour: Colour, scale: Points, extra: str, crowded: bool) -> Tag:
    box = corners_to_box(region.outline_px * scale)
    short = region.id.rpartition("-")[2]
    full = f"{region.id} {extra}".strip()
    texts = (f"{short} {extra}".strip(), short) if crowded else (full, region.id, short)
    return Tag(tuple(dict.fromkeys(texts)), colour, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def header_strip(query: str, text: str, width: int, size: int) -> Picture:
    """Query, small, and answer, large."""
    pad = size
    lines = [(line, size, REGULAR, QUIET) for line in wrap(query, width - 2 * pad, size, most_lines=2)] if query else []
    large = round(size * 1.35)
    lines += [(line, large, BOLD, WHITE) for line in wrap(text, width - 2 * pad, large, BOLD, most_lines=3)]
    height = pad + sum(round(s * 1.5) for _, s, _, _ in lines) + pad // 2
    strip = np.full((height, width, 3), INK, dtype=np.uint8)
    y = 0.75 * pad
    for line, letters, weight, colour in lines:
        put_text(strip, line, (pad, y), letters, colour, weight)
        y += letters * 1.5
    return strip


def _footer(answer: Answer, width: int, size: int, gsd_m: float | None, left_out: int) -> Picture:
    return legend_strip(_entries(answer, left_out), width, size, gsd_m)


def _entries(answer: Answer, left_out: int) -> list[Entry]:
    references = reference_candidates(answer)
    undecided = sum(c.status is None for c in answer.rejected)
    rejected = sum(c.status is False for c in answer.rejected)
    names = ", ".join(dict.fromkeys(c.region.label for c in references))
    first = answer.regions[0].region.id if answer.regions else ""
    key = f" ({first.rpartition('-')[2]} = {first})" if is_crowded(answer) else ""
    entries = [(KEPT, f"{len(answer.regions)} in the answer{key}")]
    entries += [(UNDECIDED, f"{undecided} undecided")] if undecided else []
    entries += [(REJECTED, f"{rejected} rejected")] if rejected else []
    entries += [(REFERENCE, f"referred to: {names}")] if names else []
    entries += [(INK, f"{left_out} label{'s' * (left_out > 1)} left out")] if left_out else []
    return entries


def hatch(picture: Picture, where: NDArray[np.bool_], period: int) -> None:
    """Veils part of a picture with grey and light stripes, with a light rim.

    Args:
        picture: (h, w, 3), changed in place.
        where: (h, w) which pixels.
        period: px from stripe to stripe, along a row.
    """
    if not where.any():
        return
    rows, columns = (np.arange(side) for side in where.shape)
    striped = where & ((rows[:, None] + columns) % period < max(1, period // 4))
    rim = where & ~cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    picture[where] = picture[where] // 2 + 35
    picture[striped | rim] = 165


def legend_strip(
    entries: Sequence[Entry],
    width: int,
    size: int,
    gsd_m: float | None,
    *,
    bar_px: float | None = None,
    dashes: Mapping[Colour, tuple[int, float]] = DASHES,
) -> Picture:
    """Legend on the left, scale bar on the right (on a line of its own where it has no room).

    Args:
        entries: colour and words; `INK` has no swatch, `HATCHED` a hatched one.
        gsd_m: metres a picture pixel covers; None for no scale bar.
        bar_px: longest scale bar; a fifth of the width if that is less.
        dashes: which colours are drawn as dashes, of what thickness and length.
    """
    pad = size
    rows = _rows(entries, width - 2 * pad, size)
    bar = None if gsd_m is None else scale_bar(gsd_m, min(width / 5, bar_px or width))
    used = sum(_entry_width(entry, size) for entry in rows[-1])
    bar_width = 0 if bar is None else bar[1] + 2 * size + text_size_wh(bar[0], size)[0]
    own_row = bar is not None and used + bar_width + 2 * pad > width
    step = round(1.7 * size)
    strip = np.full(((len(rows) + own_row) * step + size // 2, width, 3), INK, dtype=np.uint8)
    for index, row in enumerate(rows):
        _draw_entries(strip, row, (pad, index * step + size // 2), size, dashes)
    if bar is not None:
        _draw_bar(strip, bar, (width - pad, strip.shape[0] - step + size // 4), size)
    return strip


def scale_bar(gsd_m: float, most_px: float) -> tuple[str, int]:
    """(what it says, length in px) of a scale bar: the longest of 1, 2, 5 times a power of ten that fits.

    >>> scale_bar(0.5, 250)
    ('100 m', 200)
    >>> scale_bar(10.0, 250)
    ('2 km', 200)
    """
    most_m = most_px * gsd_m
    power = 10.0 ** np.floor(np.log10(most_m))
    metres = max(step * power for step in (1, 2, 5) if step * power <= most_m)
    name = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m" if metres >= 1 else f"{metres * 100:g} cm"
    return name, round(metres / gsd_m)


def _entry_width(entry: Entry, size: int) -> int:
    swatch = 0 if entry[0] == INK else size + 6
    return swatch + text_size_wh(entry[1], size)[0] + round(1.6 * size)


def _rows(entries: Sequence[Entry], width: int, size: int) -> list[list[Entry]]:
    rows: list[list[Entry]] = [[]]
    room = width
    for entry in entries:
        needed = _entry_width(entry, size)
        if rows[-1] and needed > room:
            rows.append([])
            room = width
        rows[-1].append(entry)
        room -= needed
    return rows


def _draw_entries(
    strip: Picture,
    entries: Sequence[Entry],
    xy: tuple[int, int],
    size: int,
    dashes: Mapping[Colour, tuple[int, float]],
) -> None:
    x, y = xy
    for colour, words in entries:
        swatch = np.array([[x, y + 2], [x + size, y + 2], [x + size, y + size], [x, y + size]], dtype=np.float64)
        if colour in dashes:
            thickness, dash = dashes[colour]
            draw_dashed(strip, swatch, colour, thickness, dash=dash)
        elif colour == HATCHED:
            box = strip[y + 2 : y + size, x : x + size]
            hatch(box, np.ones(box.shape[:2], dtype=bool), period=max(4, size // 3))
        elif colour != INK:
            fill_areas(strip, [([swatch], colour)], 0.35)
            draw_outline(strip, swatch, colour, 1, halo=False)
        put_text(strip, words, (x if colour == INK else x + size + 6, y), size, WHITE)
        x += _entry_width((colour, words), size)


def _draw_bar(strip: Picture, bar: tuple[str, int], right_top: tuple[int, int], size: int) -> None:
    words, length = bar
    right, top = right_top
    left = right - length
    put_text(strip, words, (left - 8 - text_size_wh(words, size)[0], top), size, WHITE)
    y, tick = top + round(0.65 * size), max(3, size // 3)
    for start, stop in (
        ((left, y), (right, y)),
        ((left, y - tick), (left, y + tick)),
        ((right, y - tick), (right, y + tick)),
    ):
        cv2.line(strip, start, stop, WHITE, 2, cv2.LINE_AA)
