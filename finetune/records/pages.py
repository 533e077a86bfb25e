"""Records as pictures that a person judges at a glance: what the *reply* says, read back and drawn over the picture.

Not the regions of the record are drawn but what a model would be taught: the reply's own text, read by what reads the
model's replies. A grid, an order of points or a window that is wrong shows at once.
"""

from __future__ import annotations

import base64
import html
import textwrap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np

from ...core.codec import Pointed
from ...core.errors import SurveyorError, UsageError
from ...core.scene import Scene
from .record import POINTING, Instruction, Picture, asking_of

SIDE_PX = 480
_TOLD, _ASKED, _POINT, _START = (64, 255, 90), (0, 170, 255), (255, 60, 200), (0, 230, 255)  # BGR
_DARK = (20, 20, 20)
_GAP_PX, _LINE_PX, _MOST_LINES, _COLUMNS, _LETTERS = 8, 16, 8, 4, 64
_PAPER = 245


def sampled(records: Iterable[Instruction], n: int, *, tasks: Collection[str] = (), seed: int = 0) -> list[Instruction]:
    """`n` of the records, equally many of each task as far as there are, in order of tasks; memory holds no more.

    Args:
        records: of any tasks.
        n: how many, at least 1.
        tasks: only these; all by default.
        seed: which.

    Raises:
        UsageError: n is below 1, or there is nothing to choose from.
    """
    if n < 1:
        raise UsageError(f"n is {n!r}, expected at least 1 record to show")
    kept: dict[str, list[Instruction]] = {}
    seen: dict[str, int] = {}
    chance = Random(seed)
    for record in records:
        if tasks and record.task not in tasks:
            continue
        mine, count = kept.setdefault(record.task, []), seen.get(record.task, 0)
        seen[record.task] = count + 1
        if len(mine) < n:
            mine.append(record)
        elif (place := chance.randrange(count + 1)) < n:
            mine[place] = record
    if not kept:
        raise UsageError(f"there are no records{f' of {chr(44).join(tasks)}' if tasks else ''} to show")
    shares = dict.fromkeys(kept, 0)
    while sum(shares.values()) < n and any(shares[task] < len(kept[task]) for task in kept):
        for task in kept:
            if sum(shares.values()) < n and shares[task] < len(kept[task]):
                shares[task] += 1
    return [record for task in sorted(kept) for record in kept[task][: shares[task]]]


def record_picture(record: Instruction, images: str | Path, *, side_px: int = SIDE_PX) -> np.ndarray:
    """The record's picture or pair with what its messages say drawn on it.

    Args:
        record: with messages.
        images: folder that the pictures' paths are relative to.
        side_px: longest side of each picture as drawn.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        UsageError: no such image, or it is not of the size that the record says.
        ModelOutputError: the reply cannot be read back.
    """
    told: list[Pointed] = []
    if record.task in POINTING:
        told = asking_of(record).read(record.messages[-1].content)
    elif record.task == "gcg":
        told = [each for some in asking_of(record).read(record.messages[-1].content).regions for each in some]
    asked = [region.pointed for region in (record.given or (record.regions if record.task == "region" else ()))]
    shown = [_pixels(picture, Path(images)) for picture in record.pictures]
    width, height = record.size_wh
    shown = shown or [np.full((height, width, 3), _PAPER, np.uint8)]
    scale = min(side_px / max(width, height), 4.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    parts = []
    for pixels in shown:
        canvas = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        for pointed in asked:
            _draw(canvas, pointed, scale, _ASKED)
        for pointed in told:
            _draw(canvas, pointed, scale, _TOLD)
        parts += [canvas, np.full((size[1], _GAP_PX, 3), 255, np.uint8)]
    return np.hstack(parts[:-1])


def write_page(records: Sequence[Instruction], images: str | Path, out: str | Path) -> list[str]:
    """Writes a page (.html, one file) or a sheet (.png) of the records; gives what could not be drawn and why.

    Raises:
        UsageError: another suffix.
    """
    out = Path(out)
    drawn: list[tuple[Instruction, np.ndarray | None]] = []
    faults = []
    for record in records:
        try:
            drawn.append((record, record_picture(record, images)))
        except SurveyorError as error:
            faults.append(f"{record.id}: {error}")
            drawn.append((record, None))
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".html":
        out.write_text(_page(drawn), encoding="utf-8")
    elif out.suffix == ".png":
        cv2.imwrite(str(out), _sheet(drawn))
    else:
        raise UsageError(f"a page is written to {str(out)!r}; expected a name that ends in .html or .png")
    return faults


# ---- pictures ---------------------------------------------------------------------------------------------------


def _pixels(picture: Picture, images: Path) -> np.ndarray:
    scene = Scene.open(images / picture.path)
    window = picture.crop_xyxy or (0, 0, *scene.size_wh)
    inside = 0 <= window[0] < window[2] <= scene.size_wh[0] and 0 <= window[1] < window[3] <= scene.size_wh[1]
    if not inside or (window[2] - window[0], window[3] - window[1]) != picture.size_wh:
        raise UsageError(
            f"the image {picture.path!r} has {scene.size_wh!r} px, but the record shows {window!r} of it as "
            f"{picture.size_wh!r} px; convert the data again"
        )
    return np.ascontiguousarray(scene.read(window)[..., ::-1])


def _draw(canvas: np.ndarray, pointed: Pointed, scale: float, colour: tuple[int, int, int]) -> None:
    points = np.asarray(pointed.points_px, dtype=np.float64)
    if pointed.kind == "box":
        (x0, y0), (x1, y1) = points
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    ring = np.round(points * scale * 8).astype(np.int32)
    for width, ink in ((3, _DARK), (1, colour)):
        cv2.polylines(canvas, [ring], True, ink, width, cv2.LINE_AA, shift=3)
    if pointed.kind != "box":  # where the text begins
        _dot(canvas, points[0] * scale, _START)
    for point in () if pointed.keypoints_px is None else pointed.keypoints_px:
        _dot(canvas, np.asarray(point) * scale, _POINT)


def _dot(canvas: np.ndarray, at: np.ndarray, colour: tuple[int, int, int]) -> None:
    place = (int(at[0] * 8), int(at[1] * 8))
    cv2.circle(canvas, place, 24, _DARK, -1, cv2.LINE_AA, shift=3)
    cv2.circle(canvas, place, 16, colour, -1, cv2.LINE_AA, shift=3)


# ---- pages ------------------------------------------------------------------------------------------------------

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Instruction records</title><style>
body{font:14px/1.45 system-ui,sans-serif;margin:1.5rem;background:#f6f6f4;color:#1b1b1b}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:1rem}
article{background:#fff;border:1px solid #ddd;border-radius:6px;padding:.8rem;overflow:hidden}
img{max-width:100%}h2{font-size:14px;margin:.4rem 0;word-break:break-all}
pre{white-space:pre-wrap;word-break:break-word;max-height:11rem;overflow:auto;background:#f2f2ef;padding:.5rem}
pre.a{background:#e8f4e8}small{color:#555}
</style><h1>Instruction records</h1>
<p>Green: what the reply says, read back from its text. Orange: what is asked about. Yellow dot: where a region's text
begins. Pink dots: key points.</p><main>
"""


def _page(drawn: Sequence[tuple[Instruction, np.ndarray | None]]) -> str:
    parts = [_HEAD]
    for record, picture in drawn:
        parts.append(f"<article><h2>{html.escape(record.task)} · {html.escape(record.id)}</h2>")
        if picture is None:
            parts.append("<p>could not be drawn</p>")
        else:
            data = base64.b64encode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()).decode()
            parts.append(f'<img alt="" src="data:image/jpeg;base64,{data}">')
        for message in record.messages:
            kind = "a" if message.role == "assistant" else "u"
            parts.append(f'<pre class="{kind}">{html.escape(message.content)}</pre>')
        facts = (record.family, record.split or "no split", record.source, record.licence, *record.made)
        parts.append(f"<small>{html.escape(' · '.join(filter(None, facts)))}</small></article>")
    return "\n".join([*parts, "</main></html>\n"])


def _sheet(drawn: Sequence[tuple[Instruction, np.ndarray | None]]) -> np.ndarray:
    """Tiles of equal width, row by row."""
    tiles = [_tile(record, picture) for record, picture in drawn]
    columns = min(_COLUMNS, len(tiles))
    rows = []
    for start in range(0, len(tiles), columns):
        row = tiles[start : start + columns]
        height = max(len(tile) for tile in row) + 2 * _GAP_PX
        sheet = np.full((height, columns * (SIDE_PX + _GAP_PX), 3), _PAPER, np.uint8)
        for index, tile in enumerate(row):
            x = index * (SIDE_PX + _GAP_PX)
            sheet[: len(tile), x : x + SIDE_PX] = tile
        rows.append(sheet)
    return np.vstack(rows)


def _tile(record: Instruction, picture: np.ndarray | None) -> np.ndarray:
    """The picture with the messages below it; letters that OpenCV lacks are written as question marks."""
    said = [record.messages[0].content.split("\n", 1)[-1], record.messages[-1].content] if record.messages else []
    lines = [line for text in said for piece in text.split("\n") for line in textwrap.wrap(piece, _LETTERS)]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"... ({len(lines) - _MOST_LINES + 1} more lines)"]
    shown = np.full((_LINE_PX, SIDE_PX, 3), _PAPER, np.uint8)
    if picture is not None:
        scale = min(SIDE_PX / picture.shape[1], SIDE_PX / picture.shape[0], 1.0)
        size = max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale))
        shown = np.full((size[1], SIDE_PX, 3), _PAPER, np.uint8)
        shown[:, : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    text = np.full((_LINE_PX * (len(lines) + 1), SIDE_PX, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines, start=1):
        plain = line.encode("ascii", "replace").decode()
        cv2.putText(text, plain, (4, number * _LINE_PX), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _DARK, 1, cv2.LINE_AA)
    return np.vstack([shown, text])
