"""overlay.png of two dates: before | after | change, each with its caption, and a legend with counts below.

Before shows outlines of what is gone by then, after of what is new, and both of what was altered or changed without a
known direction. Change shows the later image dimmed, all changes filled in their colours, ground that cannot be
compared hatched, and dashed what is not in the answer or only referred to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from ..core.geometry import corners_to_box
from ..core.pair import ScenePair
from ..core.regions import Candidate, Region
from ..core.scene import Scene
from .change_words import KINDS, captions, kind_of, legend, stands_at
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
from .overlay import (
    DASHES,
    HATCHED,
    KEPT,
    LONGEST_SIDE,
    QUIET,
    REFERENCE,
    REJECTED,
    SHORT_SIDE_WANTED,
    UNDECIDED,
    Entry,
    hatch,
    header_strip,
    is_crowded,
    legend_strip,
    reference_candidates,
    rings_px,
)

if TYPE_CHECKING:
    from .answer import Answer

PANEL_SIDE = LONGEST_SIDE // 2
"""Longest side of a panel where three stand side by side; stacked ones have `LONGEST_SIDE`."""
WIDE = 2.2
"""From this ratio of width to height on, panels are stacked."""
LEAST_CELL = 260
"""Width that a panel's caption needs; narrower panels stand in the middle of it."""
_SMALL, _CLEAR = 24, 5
"""In before and after, what is smaller (px) has its box drawn so far (px) around it."""
_DIMMED, _GREYED = 0.62, 0.8
_SWATCHES: dict[str, Colour] = {
    **{kind.name: kind.bgr for kind in KINDS},
    "plain": KEPT, "none": INK, "unsure": UNDECIDED, "out": REJECTED, "reference": REFERENCE, "veil": HATCHED,
}  # fmt: skip
_DASHES = {**DASHES, UNDECIDED: (2, 4.0), REFERENCE: (2, 4.0)}


def panels_of(size_wh: tuple[int, int]) -> tuple[Literal["beside", "stacked"], tuple[int, int]]:
    """How the three panels lie, and the size of each.

    Example:
        >>> panels_of((256, 256)), panels_of((10_000, 8_000)), panels_of((9_000, 3_000))
        (('beside', (1024, 1024)), ('beside', (1200, 960)), ('stacked', (2400, 800)))
    """
    width, height = size_wh
    stacked = width > WIDE * height
    longest, most = max(size_wh), LONGEST_SIDE if stacked else PANEL_SIDE
    scale = most / longest if longest > most else max(1, round(SHORT_SIDE_WANTED / longest))
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    return "stacked" if stacked else "beside", wanted


def draw_pair_overlay(answer: Answer) -> Picture:
    """The picture, BGR.

    Args:
        answer: one with a `pair`; its images are read at the size of the panels.

    Raises:
        UsageError: a file is gone or damaged by now.
    """
    pair = answer.pair
    assert pair is not None
    layout, wanted = panels_of(pair.after.size_wh)
    unit = max(wanted) / 1000
    scale = np.array(wanted) / np.array(pair.after.size_wh)
    before, after = (_shown(scene, wanted) for scene in (pair.before, pair.after))
    unknown = ~pair.valid(out_size_wh=wanted)
    change = _dimmed(after)
    hatch(change, unknown, period=max(6, round(9 * unit)))
    for panel, date in ((before, "before"), (after, "after")):
        _outline(panel, answer, date, scale, unit)
    left_out = _draw_changes(change, answer, scale, unit)
    cells = max(wanted[0], LEAST_CELL)
    total = cells if layout == "stacked" else 3 * cells
    size = int(np.clip(round(total / 125), 13, 26))
    gap = max(4, round(size / 2))
    named = _named_panels([before, after, change], pair, cells, size)
    body = _joined(named, layout, gap)
    header = header_strip(answer.query or "", answer.text, body.shape[1], size)
    gsd_m = None if pair.after.gsd_m is None else pair.after.gsd_m / float(scale[0])
    entries = _entries(answer, left_out)
    footer = legend_strip(entries, body.shape[1], size, gsd_m, bar_px=wanted[0] / 2, dashes=_DASHES)
    return np.vstack([header, body, footer])


def _shown(scene: Scene, wanted: tuple[int, int]) -> Picture:
    """The whole scene at the panel's size, BGR."""
    image = scene.read(out_size_wh=wanted) if wanted[0] < scene.size_wh[0] else scene.read()
    how = cv2.INTER_CUBIC if wanted[0] > image.shape[1] else cv2.INTER_AREA
    resized = np.asarray(cv2.resize(image, wanted, interpolation=how), dtype=np.uint8)
    return np.ascontiguousarray(resized[..., ::-1])


def _dimmed(picture: Picture) -> Picture:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, _GREYED * _DIMMED, picture, (1 - _GREYED) * _DIMMED, 0), dtype=np.uint8)


# ---- regions ------------------------------------------------------------------------------------------------------


def _colour(region: Region) -> Colour:
    kind = kind_of(region)
    return KEPT if kind is None else kind.bgr


def _outline(panel: Picture, answer: Answer, date: str, scale: Points, unit: float) -> None:
    """What the answer has at one date, in outline only, so that the pixels can be judged."""
    line = max(2, round(1.8 * unit))
    for candidate in answer.regions:
        if date in stands_at(candidate.region):
            for ring in _rings_around(candidate.region, scale):
                draw_outline(panel, ring, _colour(candidate.region), line)
    for candidate in reference_candidates(answer):
        if date in stands_at(candidate.region):
            _dash(panel, candidate.region, REFERENCE, scale, line, unit)


def _rings_around(region: Region, scale: Points) -> list[Points]:
    """The region's rings; round a small one a box that leaves its pixels free."""
    x0, y0, x1, y1 = corners_to_box(region.outline_px * scale)
    if max(x1 - x0, y1 - y0) >= _SMALL:
        return rings_px(region, scale)
    low, high = np.array([x0, y0]) - _CLEAR, np.array([x1, y1]) + _CLEAR
    return [np.array([low, [high[0], low[1]], high, [low[0], high[1]]])]


def _draw_changes(panel: Picture, answer: Answer, scale: Points, unit: float) -> int:
    """Everything, on the dimmed image; returns how many labels had no room."""
    references = reference_candidates(answer)
    named = {c.region.id for c in references}
    undecided = [c for c in answer.rejected if c.status is None]
    line = max(2, round(1.8 * unit))
    for candidate in answer.rejected:
        if candidate.status is False and candidate.region.id not in named:
            draw_dashed(panel, candidate.region.corners_px * scale, REJECTED, 1, dash=max(3.0, 4 * unit))
    for candidate in references:
        _dash(panel, candidate.region, REFERENCE, scale, line, unit)
    for candidate in undecided:
        _dash(panel, candidate.region, UNDECIDED, scale, line, unit)
    if answer.regions:
        fill_areas(panel, ((rings_px(c.region, scale), _colour(c.region)) for c in answer.regions), 0.45)
    for candidate in answer.regions:
        for ring in rings_px(candidate.region, scale):
            draw_outline(panel, ring, _colour(candidate.region), line)
    size = int(np.clip(round(17 * unit), 13, 22)) - 2 * is_crowded(answer)
    return place_tags(panel, _tags(answer, undecided, references, scale), size)


def _dash(panel: Picture, region: Region, colour: Colour, scale: Points, line: int, unit: float) -> None:
    for ring in rings_px(region, scale):
        draw_dashed(panel, ring, colour, line, dash=max(5.0, 8 * unit))


def _tags(answer: Answer, undecided: Sequence[Candidate], references: Sequence[Candidate], scale: Points) -> list[Tag]:
    values = {m.region_id: f"{m.value:.4g} {m.unit}" for m in answer.values if m.value is not None}
    crowded = is_crowded(answer)
    tags = []
    for candidate in answer.regions:
        region, kind = candidate.region, kind_of(candidate.region)
        value, word = values.get(region.id, ""), "" if kind is None else kind.word
        word = "" if region.id.startswith(word) else word  # "changed building-3"
        number = region.id.rpartition("-")[2]
        full = (f"{region.id} {word} {value}", f"{region.id} {word}", f"{number} {word}", number)
        tags.append(_tag(region, _colour(region), (f"{number} {value}", number) if crowded else full, scale))
    tags += [_tag(c.region, UNDECIDED, (f"{c.region.id} ?", f"{_number(c)} ?"), scale) for c in undecided]
    return tags + [_tag(c.region, REFERENCE, (c.region.id, _number(c)), scale) for c in references]


def _number(candidate: Candidate) -> str:
    return candidate.region.id.rpartition("-")[2]


def _tag(region: Region, colour: Colour, texts: Sequence[str], scale: Points) -> Tag:
    box = corners_to_box(region.outline_px * scale)
    told = tuple(dict.fromkeys(" ".join(text.split()) for text in texts))
    return Tag(told, colour, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))


# ---- frame --------------------------------------------------------------------------------------------------------


def _named_panels(panels: Sequence[Picture], pair: ScenePair, width: int, size: int) -> list[Picture]:
    """Each panel below its caption, all of one width."""
    dated = captions(pair)
    told = [("before", *dated[0]), ("after", *dated[1]), ("change", "", "on the later image, dimmed")]
    return [
        np.vstack([_caption(words, width, size), _centred(panel, width)])
        for panel, words in zip(panels, told, strict=True)
    ]


def _caption(words: tuple[str, str, str], width: int, size: int) -> Picture:
    """ "before 2019-07-01 · file.tif", cut to the width."""
    strip = np.full((round(1.7 * size), width, 3), INK, dtype=np.uint8)
    x = 2
    head, date, name = words
    for text, weight, colour in ((head, BOLD, WHITE), (date, BOLD, WHITE), (name, REGULAR, QUIET)):
        room = width - x - 4
        if text and room > 2 * size:
            shown = wrap(text, room, size, weight, most_lines=1)[0]
            put_text(strip, shown, (x, size * 0.25), size, colour, weight)
            x += text_size_wh(shown, size, weight)[0] + round(0.7 * size)
    return strip


def _centred(panel: Picture, width: int) -> Picture:
    spare = width - panel.shape[1]
    left = spare // 2
    return np.asarray(cv2.copyMakeBorder(panel, 0, 0, left, spare - left, cv2.BORDER_CONSTANT, value=INK), np.uint8)


def _joined(panels: Sequence[Picture], layout: str, gap: int) -> Picture:
    axis = 0 if layout == "stacked" else 1
    rows, columns = panels[0].shape[:2]
    space = np.full((gap, columns, 3) if axis == 0 else (rows, gap, 3), INK, dtype=np.uint8)
    first, *others = panels
    return np.concatenate([first, *(part for panel in others for part in (space, panel))], axis=axis)


def _entries(answer: Answer, left_out: int) -> list[Entry]:
    assert answer.pair is not None
    entries = [(_SWATCHES[name], words) for name, words in legend(answer)]
    if is_crowded(answer):
        first = answer.regions[0].region.id
        entries.insert(1, (INK, f"{first.rpartition('-')[2]} = {first}"))
    entries += [(INK, "both dates have the same pixels")] if answer.pair.identical else []
    return entries + ([(INK, f"{left_out} label{'s' * (left_out > 1)} left out")] if left_out else [])
