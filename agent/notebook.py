"""An answer in a notebook: the picture and a table of candidates by conditions, in one piece of HTML.

Nothing is loaded from elsewhere: the picture is inside, as a JPEG of at most `LARGEST_BYTES`. All text is escaped.
"""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

import cv2

from ..core.errors import UsageError
from ..core.plan_views import table_html
from ..core.regions import Candidate
from .change_words import kind_of
from .output import draw_answer

if TYPE_CHECKING:
    from .answer import Answer

MOST_ROWS = 30
WIDEST_PX = 900
LARGEST_BYTES = 200_000
_SIGNS = {True: "✓", False: "✗", None: "?"}
_FATE = {True: "in the answer", None: "undecided", False: "rejected"}


def answer_html(answer: Answer) -> str:
    """The answer's text and notes, its picture, and a table with a verdict per candidate and condition.

    Example:
        >>> import surveyor
        >>> scene = surveyor.draw_scene("harbour", seed=3, size_wh=(256, 256))
        >>> text = answer_html(surveyor.ask(scene.image_rgb, "ships"))
        >>> text.count("<img"), "http" in text
        (1, False)
    """
    parts = [f"<p><b>{html.escape(answer.text)}</b></p>"]
    parts += [f"<p>note: {html.escape(note)}</p>" for note in answer.notes]
    if answer.failure:
        parts.append(f"<p>failed: {html.escape(answer.failure)}</p>")
    return f"<div>{''.join(parts)}{_picture(answer)}{_table(answer)}</div>"


def _picture(answer: Answer) -> str:
    try:
        data = picture_jpeg(answer)
    except (UsageError, OSError) as error:  # the file may be gone by now
        return f"<p>no picture: {html.escape(str(error))}</p>"
    text = base64.b64encode(data).decode("ascii")
    name = html.escape(answer.query or answer.scene.name, quote=True)
    return f'<img alt="{name}" style="max-width:100%" src="data:image/jpeg;base64,{text}">'


def picture_jpeg(answer: Answer) -> bytes:
    """The overlay as a JPEG of at most `WIDEST_PX` pixels a side and `LARGEST_BYTES`."""
    picture: Any = draw_answer(answer, answer.scene)
    side = WIDEST_PX
    while True:
        scale = side / max(picture.shape[:2])
        small = picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
        if data.size <= LARGEST_BYTES or side < 200:
            return data.tobytes()
        side = int(side * 0.8)


def _table(answer: Answer) -> str:
    everyone = [*answer.regions, *answer.rejected]
    if not everyone:
        return ""
    conditions = list(dict.fromkeys(name for candidate in everyone for name in candidate.verdicts))
    about_pair = answer.pair is not None
    rows = [_row(candidate, conditions, about_pair) for candidate in everyone[:MOST_ROWS]]
    hidden = len(everyone) - len(rows)
    more = f"<p>and {hidden} more, all of them in answer.regions and answer.rejected</p>" if hidden else ""
    return table_html(("region", "label", *(["change"] if about_pair else []), "score", *conditions, ""), rows) + more


def _row(candidate: Candidate, conditions: list[str], about_pair: bool) -> tuple[str, ...]:
    region = candidate.region
    score = "" if region.score is None else f"{region.score:.2f}"
    change = [_change(candidate)] if about_pair else []
    cells = [_cell(candidate, name) for name in conditions]
    return (region.id, region.label, *change, score, *cells, _FATE[candidate.status])


def _change(candidate: Candidate) -> str:
    """ "new", "gone", "altered", "?" for a change without a known direction, "" for a thing of one date."""
    kind = kind_of(candidate.region)
    return "" if kind is None else "?" if kind.name == "undirected" else kind.word


def _cell(candidate: Candidate, condition: str) -> str:
    """ "✗ 18.2 m long"; "~" marks a close call, "·" a condition that was not asked."""
    if condition not in candidate.verdicts:
        return "·"
    close = "~" if condition in candidate.borderline else ""
    return f"{_SIGNS[candidate.verdicts[condition]]}{close} {candidate.reasons.get(condition, '')}".strip()
