"""swipe.html: before and after on each other with a handle between them, outlines over both, and a list of regions.

One file with everything in it: both images as JPEG, outlines as SVG, nothing is fetched. Without JavaScript the
buttons before and after, the outlines, the list and, with a mouse, the handle's corner still work. All text is escaped.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from ..core.masks import Mask
from ..core.pair import ScenePair
from ..core.regions import Candidate, Region
from ..core.scene import Scene
from .answer import regions_json
from .change_words import area_text, captions, kind_of, legend
from .overlay import reference_candidates
from .swipe_style import PAGE
from .vectors import outline_shape, polygons_of

if TYPE_CHECKING:
    from .answer import Answer

LONGEST_PX = 2000
"""Longest side of the images in the page; they are never enlarged."""
LARGEST_BYTES = 1_500_000
"""Largest JPEG; busier images get a lower quality, then fewer pixels."""
MOST_LISTED = 1000
"""Regions that are drawn and listed, those in the answer first; the others are counted."""
_VEIL_PX = 400
_GROUPS = {True: "in", None: "unsure", False: "out"}


def swipe_html(answer: Answer) -> str:
    """The page.

    Args:
        answer: one with a `pair`.

    Raises:
        UsageError: a file is gone or damaged by now.
    """
    pair = answer.pair
    assert pair is not None
    wanted = page_size_wh(pair.after.size_wh)
    everyone = (*answer.regions, *answer.rejected)
    listed = everyone[:MOST_LISTED]
    told = [_told(c, facts) for c, facts in zip(listed, regions_json(listed, answer.scene), strict=True)]
    (first, first_name), (second, second_name) = captions(pair)
    parts = {
        "TITLE": _text(answer.query or answer.text),
        "QUERY": _text(answer.query or ""),
        "ANSWER": _text(answer.text),
        "WIDTH": str(wanted[0]),
        "HEIGHT": str(wanted[1]),
        "STROKE": f"{wanted[0] / 900:.3f}",  # the script does better
        "BEFORE": jpeg_uri(pair.before, wanted),
        "AFTER": jpeg_uri(pair.after, wanted),
        "BEFORE_TOLD": _text(f"{first} {first_name}".strip()),
        "AFTER_TOLD": _text(f"{second} {second_name}".strip()),
        "SHAPES": _shapes(answer, listed, told, wanted),
        "LEGEND": _legend(answer),
        "NOTES": _notes(answer),
        "LIST": _list(listed, told, len(everyone) - len(listed)),
    }
    return re.sub("@([A-Z_]+)@", lambda found: parts[found[1]], PAGE)


def page_size_wh(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size of the images in the page.

    Example:
        >>> page_size_wh((256, 256)), page_size_wh((10_000, 5_000))
        ((256, 256), (2000, 1000))
    """
    scale = min(1.0, LONGEST_PX / max(size_wh))
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def jpeg_uri(scene: Scene, wanted: tuple[int, int]) -> str:
    """The whole scene as the data URI of a JPEG of at most `LARGEST_BYTES` (one of 200 px may be more)."""
    image: NDArray[np.uint8] = scene.read(out_size_wh=wanted) if wanted != scene.size_wh else scene.read()
    quality = 85
    while True:
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if data.size <= LARGEST_BYTES or (quality <= 60 and max(image.shape) < 200):
            break
        if quality > 60:
            quality -= 12
        else:
            image = np.asarray(cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def _text(words: str) -> str:
    return html.escape(words, quote=True)


# ---- outlines -----------------------------------------------------------------------------------------------------


def _shapes(answer: Answer, listed: Sequence[Candidate], told: Sequence[str], wanted: tuple[int, int]) -> str:
    """The groups of the SVG, in px of the page's images: unknown ground, referred to, rejected, undecided, answer."""
    assert answer.pair is not None
    scale = np.array(wanted) / np.array(answer.pair.after.size_wh)
    parts = [f'<path class="veil" d="{_veil(answer.pair, wanted)}"/>']
    for candidate in reference_candidates(answer)[:MOST_LISTED]:
        parts.append(_shape("", candidate.region, "reference", f"{candidate.region.id}: referred to", scale))
    order = {False: 0, None: 1, True: 2}
    for place in sorted(range(len(listed)), key=lambda place: (order[listed[place].status], -place)):
        candidate = listed[place]
        title = f"{candidate.region.id}: {told[place]}"
        parts.append(_shape(f"r{place + 1}", candidate.region, _classes(candidate), title, scale))
    return "\n".join(parts)


def _shape(key: str, region: Region, classes: str, title: str, scale: NDArray[np.float64]) -> str:
    drawn = shapely.transform(outline_shape(region), lambda xy: xy * scale)
    path = _path(polygons_of(drawn.simplify(0.4)) or polygons_of(drawn))
    x0, y0, x1, y1 = drawn.bounds
    box = f"{x0:.1f} {y0:.1f} {x1:.1f} {y1:.1f}"
    named = f' id="{key}" data-box="{box}"' if key else ""
    return f'<g{named} class="{classes}"><title>{_text(title)}</title><path d="{path}"/></g>'


def _path(polygons: Sequence[shapely.Polygon]) -> str:
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shapely.get_coordinates(ring)[:-1].tolist()) + "Z"
        for ring in rings
    )


def _veil(pair: ScenePair, wanted: tuple[int, int]) -> str:
    """The path of unknown ground, coarse."""
    shrink = min(1.0, _VEIL_PX / max(wanted))
    size = max(1, round(wanted[0] * shrink)), max(1, round(wanted[1] * shrink))
    unknown = Mask.from_array(~pair.valid(out_size_wh=size))
    scale = np.array(wanted) / np.array(size)
    shapes = [shapely.transform(polygon, lambda xy: xy * scale) for polygon in unknown.to_polygons()]
    return _path(shapes)


def _classes(candidate: Candidate) -> str:
    kind = kind_of(candidate.region)
    return f"{_GROUPS[candidate.status]} {'plain' if kind is None else kind.name}"


# ---- words --------------------------------------------------------------------------------------------------------


def _told(candidate: Candidate, facts: Mapping[str, Any]) -> str:
    """ "new, 123 m², score 0.83, built: 4 % before, 93 % after"."""
    region, kind = candidate.region, kind_of(candidate.region)
    parts = [] if candidate.status is True else ["undecided" if candidate.status is None else "rejected"]
    if kind is not None:
        parts.append("direction unknown" if kind.name == "undirected" else kind.word)
    parts.append(area_text(facts["area_m2"], facts["area_px"]))
    parts += [] if region.score is None else [f"score {region.score:.2f}"]
    parts += [region.change.reason] if region.change is not None and region.change.reason else []
    return ", ".join(parts)


def _list(listed: Sequence[Candidate], told: Sequence[str], hidden: int) -> str:
    """One line a region; those in the answer first."""
    if not listed:
        return "<p>no region</p>"
    lines = [
        f'<li class="{_classes(each)}"><a href="#r{number}"><i class="{_classes(each)}"></i>'
        f"<b>{_text(each.region.id)}</b> {_text(words)}</a></li>"
        for number, (each, words) in enumerate(zip(listed, told, strict=True), 1)
    ]
    more = f"<p>and {hidden} more in regions.geojson</p>" if hidden else ""
    return f'<ol id="list">{"".join(lines)}</ol>{more}'


def _legend(answer: Answer) -> str:
    return "".join(f'<li><i class="{name}"></i>{_text(words)}</li>' for name, words in legend(answer))


def _notes(answer: Answer) -> str:
    assert answer.pair is not None
    notes = dict.fromkeys((*answer.notes, *answer.pair.notes))
    if answer.failure:
        notes[f"failed: {answer.failure}"] = None
    lines = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return f"<details open><summary>notes</summary><ul>{lines}</ul></details>" if lines else ""
