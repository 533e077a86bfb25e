"""What pictures, pages, tables and masks of two dates say alike: kinds of change, their colours, dates, unknown ground.

Red, green and blue of the four kinds are at least 36 apart (CIE 1976) for people with and without each of the three
colour blindnesses (simulated after Machado, Oliveira and Fernandes 2009), and lighter than a dimmed image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.changes import ANY_CHANGE, changed_thing, earlier_thing
from ..core.regions import Region
from .overlay import reference_candidates

if TYPE_CHECKING:
    from datetime import datetime

    from ..core.pair import ScenePair
    from .answer import Answer


@dataclass(frozen=True)
class Kind:
    """One kind of change.

    Args:
        name: "new", "gone", "altered" or "undirected".
        word: what tags and tables say: "changed" for one without a known direction.
        code: its value in a class map.
        rgb: its colour.
        dates: at which of "before" and "after" it stands, or may stand.
    """

    name: str
    word: str
    code: int
    rgb: tuple[int, int, int]
    dates: tuple[str, ...]

    @property
    def bgr(self) -> tuple[int, int, int]:
        """Its colour as OpenCV wants it."""
        red, green, blue = self.rgb
        return blue, green, red


KINDS = (
    Kind("new", "new", 1, (50, 153, 255), ("after",)),
    Kind("gone", "gone", 2, (242, 80, 0), ("before",)),
    Kind("altered", "altered", 3, (255, 255, 127), ("before", "after")),
    Kind("undirected", "changed", 4, (255, 170, 215), ("before", "after")),
)
UNKNOWN_CODE = 255
"""Value of ground that cannot be compared, in a class map."""
_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(region: Region) -> Kind | None:
    """How the region changed; None for a thing of one date, of which nobody said that it changed."""
    return None if region.change is None else _BY_NAME[region.change.direction or "undirected"]


def thing_of(label: str) -> str | None:
    """What changed: "building" of "changed building", "river" of "earlier river"; None for any change.

    Example:
        >>> [thing_of(label) for label in ("changed building", "change", "earlier river", "road")]
        ['building', None, 'river', 'road']
    """
    thing = changed_thing(label) or earlier_thing(label) or label
    return None if thing == ANY_CHANGE else thing


def stands_at(region: Region) -> tuple[str, ...]:
    """At which dates the region is shown: "before", "after" or both; by its change, else by its label's date."""
    kind = kind_of(region)
    if kind is not None:
        return kind.dates
    return ("before",) if earlier_thing(region.label) is not None else ("after",)


def tally(regions: Iterable[Region]) -> dict[str, int]:
    """How many changed how, by the kind's name, in the order of `KINDS`; kinds that do not occur are left out."""
    found = Counter(kind.name for kind in map(kind_of, regions) if kind is not None)
    return {kind.name: found[kind.name] for kind in KINDS if kind.name in found}


def date_text(taken: datetime | None) -> str | None:
    """The date in ISO 8601, with the time of day where one is known: "2020-08-31", "2020-08-31T10:22:11".

    Example:
        >>> from datetime import datetime
        >>> date_text(datetime(2020, 8, 31)), date_text(datetime(2020, 8, 31, 10, 22, 11)), date_text(None)
        ('2020-08-31', '2020-08-31T10:22:11', None)
    """
    if taken is None:
        return None
    return taken.isoformat() if taken.time().isoformat() != "00:00:00" else taken.date().isoformat()


def captions(pair: ScenePair) -> tuple[tuple[str, str], tuple[str, str]]:
    """(date, file's name) of before and after; the date is "" where the metadata does not tell."""
    first, second = ("" if taken is None else taken.date().isoformat() for taken in pair.taken)
    return (first, pair.given.name), (second, pair.after.name)


def legend(answer: Answer) -> list[tuple[str, str]]:
    """What stands in a picture of an answer about two dates, with counts: (what, words).

    `what` is a kind's name, or "plain" (in the answer, and no change), "none" (nothing is in it), "unsure" (undecided),
    "out" (rejected), "reference", "veil" (ground that cannot be compared).
    """
    assert answer.pair is not None
    counts = tally(c.region for c in answer.regions)
    entries = [
        (name, f"{n} {name if name != 'undirected' else 'changed, direction unknown'}") for name, n in counts.items()
    ]
    plain = len(answer.regions) - sum(counts.values())
    entries += [("plain", f"{plain} in the answer, as {'it stands' if plain == 1 else 'they stand'}")] * bool(plain)
    entries = entries or [("none", "no change in the answer")]
    undecided = sum(c.status is None for c in answer.rejected)
    rejected = sum(c.status is False for c in answer.rejected)
    names = ", ".join(dict.fromkeys(c.region.label for c in reference_candidates(answer)))
    entries += [("unsure", f"{undecided} undecided")] * bool(undecided)
    entries += [("out", f"{rejected} rejected")] * bool(rejected)
    entries += [("reference", f"referred to: {names}")] * bool(names)
    unknown = unknown_text(answer.pair)
    return entries + [("veil", unknown)] * bool(unknown)


def unknown_text(pair: ScenePair) -> str:
    """How much of the ground cannot be compared, and why: "4.2 % unknown: no data 3.1 %, clouds 1.1 %"; "" for none."""
    reasons = {reason: share for reason, share in pair.unknown.items() if share > 0}
    if not reasons:
        return ""
    told = ", ".join(f"{reason} {share_text(share)}" for reason, share in reasons.items())
    return f"{share_text(pair.unknown_share)} unknown: {told}"


def share_text(share: float) -> str:
    """A share in percent; one that rounds to nothing or to all says so.

    Example:
        >>> [share_text(share) for share in (0.0, 0.0001, 0.0421, 0.9999, 1.0)]
        ['0 %', 'below 0.1 %', '4.2 %', 'above 99.9 %', '100 %']
    """
    if 0 < share < 0.001:
        return "below 0.1 %"
    if 0.999 < share < 1:
        return "above 99.9 %"
    return f"{share * 100:.1f} %" if share not in (0, 1) else f"{share * 100:.0f} %"


def area_text(area_m2: float | None, area_px: float) -> str:
    """An area for people, in px where metres are not known.

    Example:
        >>> area_text(1234.5, 10), area_text(0.25, 1), area_text(None, 1234.0)
        ('1,234 m²', '0.25 m²', '1,234 px')
    """
    if area_m2 is None:
        return f"{area_px:,.0f} px"
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.2g} m²"
