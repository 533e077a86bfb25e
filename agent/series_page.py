"""index.html of a series: what came and went from date to date, with the picture of each pair and a way to its page."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from .change_words import KINDS, share_text

if TYPE_CHECKING:
    from .answer import Answer
    from .series import Series, SeriesRow

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e22; --soft: #5f656e; --line: #d5d8dd; --ground: #fff; --link: #1f5fbf }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #a0a6b0; --line: #3b4048; --ground: #17191d;
  --link: #7fb0ff } }
body { margin: 0 auto; padding: 16px; max-width: 1200px; font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--ground) }
h1 { font-size: 20px; margin: 0 0 8px; overflow-wrap: anywhere } h2 { font-size: 16px; margin: 24px 0 4px }
a { color: var(--link) } .soft { color: var(--soft) } .wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption { text-align: left; color: var(--soft) }
th, td { padding: 4px 14px 4px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, td.words { text-align: left }
i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; border: 1px solid #0006 }
img { max-width: 100%; height: auto; border-radius: 4px; display: block; margin-top: 4px }
"""
_WORDS = {"new": "new", "gone": "gone", "altered": "altered", "undirected": "direction unknown"}


def index_html(series: Series) -> str:
    """The page. Pictures and pages of the pairs are linked by their folders; nothing else is loaded.

    Args:
        series: one that was written to a folder.
    """
    kinds = [kind for kind in KINDS if kind.name in ("new", "gone", "altered") or _any(series, kind.name)]
    heads = "".join(f'<th><i style="background: rgb{kind.rgb}"></i>{_WORDS[kind.name]}</th>' for kind in kinds)
    metric = any(row.new_m2 is not None for row in series.rows)
    areas = "<th>new, m²</th><th>gone, m²</th>" if metric else ""
    rows = "".join(_row(row, [kind.name for kind in kinds], metric) for row in series.rows)
    parts = "".join(_part(number, row, answer.text) for number, (row, answer) in enumerate(_pairs(series), 1))
    title = html.escape(series.query)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="surveyor">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<div class="wide"><table>
<thead><tr><th>from, to</th>{heads}{areas}<th>unknown</th></tr></thead>
<tbody>{rows}</tbody>
</table></div>
<p class="soft"><a href="series.geojson">series.geojson</a> has all regions; unknown is ground that cannot be
compared.</p>
{parts}
</body>
</html>
"""


def _pairs(series: Series) -> list[tuple[SeriesRow, Answer]]:
    return list(zip(series.rows, series.answers, strict=True))


def _any(series: Series, name: str) -> bool:
    return any(getattr(row, name) for row in series.rows)


def _row(row: SeriesRow, kinds: list[str], metric: bool) -> str:
    dates = f"<td>{_linked(row, html.escape(f'{row.start} to {row.end}'))}</td>"
    if row.failure is not None:
        width = len(kinds) + 2 * metric + 1
        return f'<tr>{dates}<td class="words" colspan="{width}">failed: {html.escape(row.failure)}</td></tr>'
    cells = [str(getattr(row, name)) for name in kinds]
    cells += [_area(row.new_m2), _area(row.gone_m2)] if metric else []
    return f"<tr>{dates}{''.join(f'<td>{cell}</td>' for cell in (*cells, share_text(row.unknown)))}</tr>"


def _area(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _linked(row: SeriesRow, words: str) -> str:
    return words if row.folder is None else f'<a href="{quote(row.folder)}/swipe.html">{words}</a>'


def _part(number: int, row: SeriesRow, text: str) -> str:
    """A pair: its dates, its answer and its picture."""
    dates = html.escape(f"{number}. {row.start} to {row.end}")
    files = html.escape(f"{row.image_from} to {row.image_to}")
    picture = ""
    if row.folder is not None:
        source = f"{quote(row.folder)}/overlay.png"
        picture = _linked(row, f'<img src="{source}" loading="lazy" alt="{dates}">')
    return f'<h2>{dates}</h2><div>{html.escape(text)} <span class="soft">{files}</span></div>{picture}'
