"""Which class names a phrase stands for: spelling, plurals, synonyms, narrower and broader words.

No dataset's names are built in: a phrase is resolved against whatever list a grounder knows ("storage_tank",
"small-vehicle", "groundtrackfield", "Tennis court"), so case, underscores, hyphens and spaces do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache

from . import inflection
from .errors import UnknownPhrase

# A line: concept < broader concepts : other words for it; a second line of one concept adds words. All in the singular.
_TABLE = """
aircraft: flying machine
airplane < aircraft: plane, air plane
jet < airplane: jet plane, jet airplane
airliner < airplane: passenger plane, passenger aircraft, passenger jet, commercial plane
propeller plane < airplane: turboprop, light aircraft
cargo plane < airplane: cargo aircraft, transport plane
fighter < airplane: fighter jet, fighter plane, military aircraft, warplane, bomber
helicopter < aircraft: chopper
ship: boat, vessel, watercraft, water craft
sailboat < ship: sailing boat, sailing ship, yacht
motorboat < ship: motor boat, speedboat, speed boat
cargo ship < ship: container ship, freighter, cargo vessel
tanker ship < ship: oil tanker
fishing boat < ship: fishing vessel, trawler
ferry < ship: ferry boat
barge < ship: river barge
warship < ship: naval ship, naval vessel, navy ship
cruise ship < ship: ocean liner, cruise liner
storage tank: oil tank, fuel tank, tank, oil storage tank, gas tank, storage tank container, petrol tank
water tank < storage tank: water storage tank
silo < storage tank: grain silo
baseball diamond < sports field: baseball field, baseball court, baseball pitch, ball field, ball diamond, diamond
soccer field < sports field: soccer ball field, football field, football pitch, soccer pitch
track field < sports field: ground track field, ground track, running track, athletics track, athletic track, track
track field: track and field, athletics field, athletic field, athletics ground, track and field ground
tennis court < court
basketball court < court
badminton court < court
volleyball court < court
court < sports ground: sports court, playing court, ball court
sports field < sports ground: sport field, playing field, athletic ground
sports ground: sport ground, sports facility, sport facility, sports area, sports venue, playing area
golf course < sports ground: golf field, golf links
stadium: arena, sports stadium
harbor: port, seaport, dock, pier, jetty, quay, wharf, marina, quayside, berth, landing stage, boat dock, ship dock
bridge: road bridge, river bridge
overpass < bridge: flyover, viaduct
footbridge < bridge: foot bridge, pedestrian bridge
railway bridge < bridge: rail bridge, railroad bridge
vehicle: motor vehicle, road vehicle, automobile
small vehicle < vehicle: light vehicle
large vehicle < vehicle: heavy vehicle
car < small vehicle: passenger car, motor car, motorcar, sedan, hatchback, suv, taxi
van < small vehicle: minivan, pickup, pickup truck, minibus
truck < large vehicle: lorry, semi trailer, trailer truck, trailer, articulated lorry, dump truck, cargo truck
bus < large vehicle: autobus, school bus
building: roof, rooftop, edifice, built structure
house < building: home, dwelling, residence, detached house, residential building, bungalow, villa
hangar < building: aircraft hangar, airplane hangar
warehouse < building: depot, storehouse, storage building, shed
apartment building < building: apartment block, apartment house, block of flats, tower block, skyscraper, high rise
terminal < building: airport terminal, terminal building
factory < building: industrial building, factory building
tree: tree crown, tree canopy, crown
road: street, highway, motorway, roadway, avenue, lane, expressway, freeway, carriageway
runway: airstrip, landing strip, air strip, landing runway
taxiway: taxi way
apron: airport apron, aircraft apron, ramp
helipad: heliport, helicopter pad, landing pad
airport: airfield, aerodrome
water: water body, body of water, waterbody, water surface, waterway
river < water: stream, canal, creek
lake < water: pond, reservoir
sea < water: ocean, open sea, bay
swimming pool: pool
roundabout: traffic circle, rotary, road circle
crane: container crane, dock crane, harbor crane
container: shipping container
parking lot: car park, parking area, parking, parking place, carpark
wind turbine: windmill, wind mill
chimney: smokestack, smoke stack
dam: weir
train station: railway station, rail station
railway: railroad, rail track, railway track, railway line, train track
service area: expressway service area, rest area
toll station: expressway toll station, toll plaza, toll booth, toll gate
field: farmland, crop field, farm field, cropland
grass: lawn, meadow, grassland
solar panel: photovoltaic panel, pv panel, solar array
"""
_ANYTHING = {"object", "thing", "anything", "everything", "target", "item"}
_BRITISH = {"harbour": "harbor", "harbours": "harbors", "aeroplane": "airplane", "aeroplanes": "airplanes"}
_CLOSE = 0.75  # share of letters in common from which on a word may be another one misspelt
_DETERMINERS = {"the", "a", "an", "all", "any", "every", "each", "some"}


def plural(label: str, n: int = 2) -> str:
    """A class name as people write it, in the number that goes with `n` (the number itself is not included).

    Example:
        >>> plural("storage_tank", 3), plural("storage_tank", 1), plural("aircraft"), plural("ferry", 0)
        ('storage tanks', 'storage tank', 'aircraft', 'ferries')
    """
    words = inflection.singular(" ".join(re.findall(r"[^_\-\s]+", label)))
    return words if n == 1 else inflection.plural(words)


@lru_cache(maxsize=4096)
def normalise(phrase: str) -> str:
    """A phrase as the lexicon compares it: lower case, single spaces, no articles, American, head noun singular.

    Example:
        >>> normalise("the Oil-Tanks"), normalise("HARBOURS"), normalise("ground_track_field")
        ('oil tank', 'harbor', 'ground track field')
    """
    words = [_BRITISH.get(w, w) for w in re.findall(r"\w+", re.sub(r"['’]s\b|_", " ", phrase.lower()))]
    while len(words) > 1 and words[0] in _DETERMINERS:
        words.pop(0)
    return inflection.singular(" ".join(words))


def vocabulary() -> frozenset[str]:
    """Every phrase of the lexicon in its `normalise`d form; a grammar may use it to see where a noun phrase ends."""
    return frozenset(_words()) | _ANYTHING


def resolve(phrase: str, known: Sequence[str], *, advice: str = "") -> tuple[str, ...]:
    """The names in `known` that the phrase stands for, in the order of `known`.

    In turn: the name itself together with narrower names ("vehicle" finds "vehicle" and "small-vehicle"); names that
    mean the same ("oil tanks" finds "storage_tank") or something narrower ("court" finds tennis and basketball
    courts); failing those the nearest broader name ("trucks" finds "vehicle": see `is_broader`).

    Args:
        phrase: a noun phrase, singular or plural, without conditions.
        known: class names as the grounder spells them; may be empty.
        advice: last sentence of the error: what else the caller could use.

    Raises:
        UnknownPhrase: nothing in `known` fits; lists what is known and the nearest spelling.

    Example:
        >>> resolve("aircraft", ["plane", "ship", "helicopter"]), resolve("cars", ["ship", "vehicle"])
        (('plane', 'helicopter'), ('vehicle',))
    """
    found = _answering(phrase, known)
    if not found:
        meant, adjective = _suggestion(normalise(phrase), known), _adjective(phrase, known)
        if meant and any(get_close_matches(word, meant.split(), cutoff=_CLOSE) for word in adjective.split()):
            adjective = ""  # "tenis" of "tenis court" is no adjective
        meant = "" if adjective else meant
        hint = " ".join(filter(None, [f"Did you mean {meant!r}?" if meant else "", advice]))
        trouble = _misspelt(phrase, meant) if meant or adjective else _behind(phrase, known)
        raise UnknownPhrase(phrase, known, hint=hint, adjective=adjective, trouble=trouble)
    return found


def _answering(phrase: str, known: Sequence[str]) -> tuple[str, ...]:
    """As `resolve`; () where nothing fits."""
    wanted = normalise(phrase)
    if wanted in _ANYTHING and known:
        return tuple(known)
    same = {name for name in known if _key(name) == _key(wanted)}
    concept = _concept(wanted)
    meaning = {name: _concept(normalise(name)) for name in known}
    if concept is not None:
        narrower = _narrower(concept)
        if not same:
            same = {name for name, means in meaning.items() if means == concept}
        same |= {name for name, means in meaning.items() if means in narrower}
        for broader in _broader(concept) if not same else ():
            same = same or {name for name, means in meaning.items() if means == broader}
    return tuple(name for name in known if name in same)


def is_broader(phrase: str, name: str) -> bool:
    """Whether the class `name` takes in more than the phrase asks: "truck" answered with "vehicle".

    Example:
        >>> is_broader("trucks", "vehicle"), is_broader("oil tanks", "storage_tank")
        (True, False)
    """
    concept = _concept(normalise(phrase))
    return concept is not None and _concept(normalise(name)) in set(_broader(concept))


def concept(phrase: str) -> str | None:
    """The concept that a phrase names, None when the lexicon does not list it.

    Example:
        >>> concept("oil tanks"), concept("fuel tank"), concept("gizmos")
        ('storage tank', 'storage tank', None)
    """
    return _concept(normalise(phrase))


def _adjective(phrase: str, known: Sequence[str]) -> str:
    """The first words of a phrase whose rest is known: "damaged" of "damaged building"; "" when no rest is."""
    words = phrase.split()
    places = (place for place in range(1, len(words)) if _answering(" ".join(words[place:]), known))
    return " ".join(words[: next(places, 0)])


def _suggestion(wanted: str, known: Iterable[str]) -> str:
    """The nearest word that some known class answers to, else nothing."""
    names = {normalise(name) for name in known}
    concepts = {c for c in map(_concept, names) if c is not None}
    answered = names | {word for word, concept in _words().items() if concept in concepts}
    close = get_close_matches(wanted, sorted(answered), n=1, cutoff=_CLOSE)
    return close[0] if close else ""


def _misspelt(phrase: str, meant: str) -> str:
    """The word of a phrase that the word meant does not have, where it is one: "tenis" of "tenis court"."""
    strange = [word for word in phrase.split() if meant and normalise(word) not in meant.split()]
    return strange[0] if len(strange) == 1 else ""


def _behind(phrase: str, known: Sequence[str]) -> str:
    """The words of a phrase behind a name that is known: "worth" of "river worth"; "" when it begins with none."""
    words = phrase.split()
    places = (place for place in range(len(words) - 1, 0, -1) if _answering(" ".join(words[:place]), known))
    return " ".join(words[next(places, len(words)) :])


def _key(text: str) -> str:
    return normalise(text).replace(" ", "")


def _concept(normal: str) -> str | None:
    """The concept of a normalised phrase, spaces not counting ("groundtrackfield"); None when it is not listed."""
    return _compact().get(normal.replace(" ", ""))


def _rows() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    for line in _TABLE.strip().splitlines():
        left, _, right = line.partition(":")
        name, _, parents = left.partition("<")
        yield name.strip(), _listed(parents), _listed(right)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@cache
def _words() -> dict[str, str]:
    """Normalised phrase -> concept."""
    return {normalise(word): name for name, _, words in _rows() for word in (name, *words)}


@cache
def _compact() -> dict[str, str]:
    return {word.replace(" ", ""): concept for word, concept in _words().items()}


@cache
def _parents() -> dict[str, tuple[str, ...]]:
    return {name: parents for name, parents, _ in reversed(list(_rows()))}


def _broader(concept: str) -> Iterator[str]:
    """Broader concepts, nearest first."""
    queue = list(_parents().get(concept, ()))
    while queue:
        parent = queue.pop(0)
        yield parent
        queue += _parents().get(parent, ())


@cache
def _narrower(concept: str) -> frozenset[str]:
    """Concepts strictly below this one."""
    return frozenset(name for name in _parents() if concept in set(_broader(name)))
