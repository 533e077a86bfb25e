"""Looking at items: a contact sheet, and a page that one pages through (`surveyor bench inspect`)."""

from __future__ import annotations

import difflib
import hashlib
import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...agent.drawing import BOLD, INK, WHITE, Colour, Picture, put_text, wrap
from ...core.errors import UsageError
from ...core.progress import report
from ..bench.items import AnyItem, Header, images_root, read_header, read_items
from ..bench.predictions import Prediction
from ..bench.store import read_predictions, read_run
from .inspecting_page import MARK, page_html
from .inspecting_words import asked, entry
from .pictures import item_picture
from .view import SIDE_PX

PAGE_FILE, SHEET_FILE, PICTURES = "index.html", "contact.png", "pictures"
PAGE_SIDE_PX = 800
ITEMS_A_SHEET = 48
_ABOUT_TAGS = ("hops", "atoms", "answers", "class", "place")
_SOFT: Colour = (170, 166, 160)
_FINE: Colour = (255, 160, 215)
_BAD: Colour = (120, 130, 255)
_MOST_NAMED = 12


@dataclass(frozen=True)
class Inspected:
    """What was written.

    Attributes:
        folder: where it is.
        shown: ids, in order.
        total: how many items the file has.
        sheets: the contact sheets.
        missing: ids of items whose image could not be drawn.
    """

    folder: Path
    shown: tuple[str, ...]
    total: int
    sheets: tuple[Path, ...]
    missing: tuple[str, ...]


def inspect(
    items_path: str | Path,
    out: str | Path,
    *,
    root: str | Path | None = None,
    n: int = 24,
    seed: int = 0,
    kind: str | None = None,
    ids: Sequence[str] = (),
    run: str | Path | None = None,
) -> Inspected:
    """Writes `contact.png`, `index.html` and the pictures into a folder.

    Args:
        items_path: the items file.
        out: the folder; made where it is not there. An earlier page of this kind in it is replaced.
        root: folder that the images' paths are relative to; None tries the run's, the items' folder, the working one.
        n: how many items.
        seed: which of them.
        kind: only items with this tag, see `choose`.
        ids: these items, in this order, whatever the other choices.
        run: folder of a run over the items: its answers are drawn, and what became of them is told.

    Raises:
        UsageError: no such file, id, tag or run; none of the images found; a folder that holds something else.
    """
    path, folder = Path(items_path), Path(out)
    header, items = read_header(path), list(read_items(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    answered = _answers(run, digest) if run is not None else {}
    chosen = choose(items, n=n, seed=seed, kind=kind, ids=ids)
    first = [] if run is None else [read_run(run).about.root]
    place = images_root(root, path, tuple(dict.fromkeys(item.image.path for item in chosen)), first=first)
    _make_room(folder)
    by_id = {item.id: item for item in items}
    entries: list[dict[str, Any]] = []
    cells: list[Picture] = []
    missing: list[str] = []
    for number, item in enumerate(chosen, start=1):
        given = answered.get(item.id)
        big, small = _pictures(item, place, given, missing)
        name = f"{PICTURES}/{number:04d}-{_file_name(item.id)}.jpg"
        _write(folder / name, big, [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111])
        entries.append(entry(item, by_id, picture=name, prediction=given, of_run=run is not None))
        cells.append(_cell(item, small, entries[-1]))
        report("drawing items", number, len(chosen))
    sheets = _write_sheets(folder, cells)
    about = _about(path, header, digest, len(chosen), len(items), run)
    (folder / PAGE_FILE).write_text(page_html(about, entries), encoding="utf-8")
    return Inspected(folder, tuple(item.id for item in chosen), len(items), sheets, tuple(missing))


def choose(
    items: Sequence[AnyItem], *, n: int = 24, seed: int = 0, kind: str | None = None, ids: Sequence[str] = ()
) -> list[AnyItem]:
    """Some of the items: those named, or random ones spread over the kinds.

    Each item goes to the rarest of its kinds (tags that tell its conditions); kinds take turns until there are `n`.

    Args:
        items: to choose from.
        n: how many; all where there are fewer.
        seed: the same gives the same.
        kind: only items with this tag, or, where nothing has it, with a tag that begins with it ("R3" for "R3:near").
        ids: these, in this order.

    Returns:
        In the order of `items`, but for `ids`.

    Raises:
        UsageError: no such id or tag, the nearest ones are named; no items; `n` below 1.
    """
    if not items:
        raise UsageError("the file holds no items; build some with surveyor bench build")
    if ids:
        return _named(items, ids)
    if n < 1:
        raise UsageError(f"n is {n!r}, expected 1 or more")
    of_kind = items if kind is None else _of_kind(items, kind)
    counts = Counter(tag for item in items for tag in _kinds(item))
    groups: dict[str, list[AnyItem]] = {}
    for item in of_kind:
        groups.setdefault(min(_kinds(item), key=lambda tag: (counts[tag], tag)), []).append(item)
    draw = random.Random(seed)
    for name in sorted(groups):
        draw.shuffle(groups[name])
    order = sorted(groups)
    draw.shuffle(order)
    taken: set[str] = set()
    turn = 0
    while len(taken) < min(n, len(of_kind)):
        for name in order:
            if turn < len(groups[name]) and len(taken) < n:
                taken.add(groups[name][turn].id)
        turn += 1
    return [item for item in of_kind if item.id in taken]


def _kinds(item: AnyItem) -> list[str]:
    return [tag for tag in item.tags if tag.partition(":")[0] not in _ABOUT_TAGS] or [""]


def _named(items: Sequence[AnyItem], ids: Sequence[str]) -> list[AnyItem]:
    by_id = {item.id: item for item in items}
    unknown = [each for each in ids if each not in by_id]
    if unknown:
        near = dict.fromkeys(close for each in unknown for close in difflib.get_close_matches(each, by_id, n=3))
        told = f"did you mean {', '.join(near)}" if near else f"they are called like {items[0].id!r}"
        raise UsageError(f"there is no item {', '.join(map(repr, unknown))} among {len(items):,}; {told}?")
    return [by_id[each] for each in dict.fromkeys(ids)]


def _of_kind(items: Sequence[AnyItem], kind: str) -> list[AnyItem]:
    found = [item for item in items if kind in item.tags]
    found = found or [item for item in items if any(tag.startswith(f"{kind}:") for tag in item.tags)]
    if found:
        return found
    counts = Counter(tag for item in items for tag in item.tags)
    near = difflib.get_close_matches(kind, counts, n=3)
    if near:
        raise UsageError(f"no item has the tag {kind!r}; did you mean {' or '.join(near)}?")
    kinds = Counter(tag for item in items for tag in _kinds(item) if tag).most_common(_MOST_NAMED)
    told = ", ".join(f"{tag} ({count:,})" for tag, count in kinds)
    raise UsageError(f"no item has the tag {kind!r}; those there are, with how many items: {told or 'none'}")


# ---- files ----------------------------------------------------------------------------------------------------


def _answers(run: str | Path, digest: str) -> dict[str, Prediction]:
    """Id -> answer of a run. Raises UsageError where it is a run over other items."""
    told = read_run(run)
    if told.settings.items != digest:
        raise UsageError(f"the run {str(run)!r} answered other items: {told.about.items!r}; give that file")
    return {each.id: each for each in read_predictions(run)}


def _make_room(folder: Path) -> None:
    """Makes the folder; an earlier page's pictures go. Raises UsageError where it holds something else."""
    page = folder / PAGE_FILE
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file; give a folder for the page")
    if page.exists() and f'content="{MARK}"' not in page.read_text(encoding="utf-8", errors="replace")[:1000]:
        raise UsageError(f"{str(page)!r} is another page; give another folder")
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {str(folder)!r} cannot be made: {error.strerror or error}") from None
    if page.exists():
        stale = [each for each in (folder / PICTURES).iterdir() if re.fullmatch(r"\d{4,}-.*\.jpg", each.name)]
        stale += [each for each in folder.iterdir() if re.fullmatch(r"contact(-\d+)?\.png", each.name)]
        for each in stale:
            each.unlink()


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:80]


def _write(path: Path, picture: Picture, options: Sequence[int] = ()) -> None:
    """Writes a BGR picture."""
    fine, data = cv2.imencode(path.suffix, picture, list(options))
    if not fine:
        raise RuntimeError(f"no picture could be made of {picture.shape!r}")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise UsageError(f"the picture {str(path)!r} cannot be written: {error.strerror or error}") from None


# ---- pictures -------------------------------------------------------------------------------------------------


def _pictures(item: AnyItem, place: Path, given: Prediction | None, missing: list[str]) -> tuple[Picture, Picture]:
    """The item for the page and for the contact sheet, BGR; an empty one that says why where it cannot be drawn."""
    sides = (PAGE_SIDE_PX, SIDE_PX) if item.after is None else (PAGE_SIDE_PX * 3 // 4, SIDE_PX * 2 // 3)
    try:
        big, small = (_bgr(item_picture(item, place, given, side_px=side)) for side in sides)
    except UsageError as error:
        missing.append(item.id)
        big, small = (_empty(str(error), side) for side in sides)
    return big, small


def _bgr(picture: NDArray[np.uint8]) -> Picture:
    return np.ascontiguousarray(picture[..., ::-1])


def _empty(why: str, side: int) -> Picture:
    picture = np.full((side * 2 // 3, side, 3), 60, dtype=np.uint8)
    for number, line in enumerate(wrap(why, side - 24, 12, most_lines=12)):
        put_text(picture, line, (12, 12 + 18 * number), 12, WHITE)
    return picture


def _cell(item: AnyItem, picture: Picture, told: Mapping[str, Any]) -> Picture:
    """A picture with the expression and what the item is under it."""
    width = picture.shape[1]
    lines: list[tuple[str, int, int, Colour]] = [
        (line, 15, BOLD, WHITE) for line in wrap(asked(item), width - 16, 15, BOLD, most_lines=6)
    ]
    small = f"{item.id}  {' '.join(tag for tag in item.tags if not tag.startswith(('hops', 'atoms', 'class')))}"
    lines += [(line, 12, 420, _SOFT) for line in wrap(small, width - 16, 12, most_lines=2)]
    if told.get("run"):
        colour = _FINE if told["run"]["right"] else _BAD
        lines += [(line, 12, BOLD, colour) for line in wrap(told["run"]["told"], width - 16, 12, BOLD, most_lines=2)]
    strip = np.full((16 + sum(round(size * 1.5) for _, size, _, _ in lines), width, 3), INK, dtype=np.uint8)
    y = 8.0
    for line, size, weight, colour in lines:
        put_text(strip, line, (8, y), size, colour, weight)
        y += size * 1.5
    return np.vstack([picture, strip])


def _write_sheets(folder: Path, cells: Sequence[Picture]) -> tuple[Path, ...]:
    """The contact sheets: contact.png, and contact-2.png and so on where there are many items."""
    sheets: list[Path] = []
    for start in range(0, len(cells), ITEMS_A_SHEET):
        name = SHEET_FILE if not sheets else f"contact-{len(sheets) + 1}.png"
        _write(folder / name, contact_sheet(cells[start : start + ITEMS_A_SHEET]))
        sheets.append(folder / name)
    return tuple(sheets)


def contact_sheet(cells: Sequence[Picture], *, gap: int = 12) -> Picture:
    """The pictures in rows of three or four, each row as high as its highest."""
    width = max(cell.shape[1] for cell in cells)
    columns = min(3 if width > SIDE_PX else 4, max(1, math.ceil(math.sqrt(len(cells)))))
    rows: list[Picture] = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        height = max(cell.shape[0] for cell in row)
        line = np.full((height + gap, columns * (width + gap) + gap, 3), 70, dtype=np.uint8)
        for place, cell in enumerate(row):
            x = gap + place * (width + gap)
            line[gap : gap + cell.shape[0], x : x + cell.shape[1]] = cell
        rows.append(line)
    rows.append(np.full((gap, rows[0].shape[1], 3), 70, dtype=np.uint8))
    return np.vstack(rows)


# ---- the page ------------------------------------------------------------------------------------------------


def _about(path: Path, header: Header, digest: str, shown: int, total: int, run: str | Path | None) -> dict[str, Any]:
    facts = [
        ["items", f"{shown:,} of {total:,} in {path.name}"],
        ["made by", header.command],
        ["sources", "; ".join(f"{name}: {licence}" for name, licence in header.sources.items())],
        ["not admitted", "; ".join(f"{count:,} {why}" for why, count in header.rejected.items())],
        ["program", header.surveyor],
    ]
    facts += [["run", Path(run).name]] if run is not None else []
    title = f"{header.task} items: {path.name}" + (f", run {Path(run).name}" if run is not None else "")
    return {
        "title": title,
        "facts": [fact for fact in facts if fact[1]],
        "file": path.name,
        "sha256": digest,
        "task": header.task,
    }
