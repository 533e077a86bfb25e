"""Requests with their trees, drawn by chance and said in many ways: what a small model learns to be a parser from.

A tree is drawn first and then put into words, so that it is right by construction. Wordings come from
`configs/parser_wordings.yaml`, each part of a request in two families: `train`, and `held`, which training never sees.
Nothing here reads the requests of the benchmark.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from ...core.conditions import (
    And,
    Colour,
    Compare,
    Condition,
    Not,
    Output,
    Pick,
    Position,
    Quantity,
    Relation,
    Request,
    Selection,
    SizeWord,
)
from ...core.inflection import cardinal, ordinal, plural
from ...core.wording import words

Split = Literal["train", "held"]
WORDINGS = Path(__file__).parents[1] / "configs" / "parser_wordings.yaml"
THINGS = """plane,airliner,jet,helicopter,ship,fishing boat,ferry,storage tank,oil tank,car,truck,bus,house,building,
warehouse,tennis court,basketball court,soccer field,baseball diamond,swimming pool,container,crane,vehicle,tree,hangar,
field,solar panel,wind turbine,parking lot,bridge""".replace("\n", "").split(",")
PLACES = """river,road,runway,harbour,bridge,terminal,lake,railway,roundabout,stadium,hangar,parking lot,dam,pier,
storage tank,building,taxiway,helicopter""".replace("\n", "").split(",")
RELATIONS = ("near", "near", "adjacent", "inside", "overlaps", "toward", "toward", "side", "within", "beyond")
COLOURS = ["red", "orange", "yellow", "green", "blue", "white", "grey", "black", "brown"]
COMPASS = {"left": "west", "right": "east", "above": "north", "below": "south", "top": "north", "bottom": "south"}
CORNERS = ["top left", "top right", "bottom left", "bottom right"]
LENGTHS = {"m": ["m", "metres", "meters"], "ft": ["ft", "feet"], "px": ["px", "pixels"]}
AREAS = {"m2": ["m2", "square metres", "sq m"], "ha": ["ha", "hectares"]}


@dataclass(frozen=True)
class Sample:
    """A request in words, and its tree."""

    query: str
    request: Request


@cache
def _wordings() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(WORDINGS.read_text("utf-8"))
    return found


def sample(rng: random.Random, split: Split) -> Sample:
    """A request of that split.

    Args:
        rng: decides everything; the same state gives the same sample.
        split: `train`: seen wordings, now and then the canonical words; `held`: held-out wordings alone, wherever a
            part of a request has any.

    Example:
        >>> sample(random.Random(3), "train") == sample(random.Random(3), "train")
        True
    """
    writer = _Writer(rng, split)
    verbs = ["detect"] * 5 + ["segment", "segment", "count", "count", "exists", "describe", "measure"]
    output, text = writer.output(rng.choice(verbs))
    request = Request(outputs=(output,))
    if split == "train" and rng.random() < 0.15:
        text = words(request)
    return Sample(text, request)


class _Writer:
    """Draws parts of a tree together with their words."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng, self.split = rng, split

    def say(self, part: str, **values: str) -> str:
        """One wording of a part, with its places filled in; a wording that lacks a value's place is left as it is."""
        return self.rng.choice(_wordings()[part][self.split]).format(**values)

    def output(self, verb: str) -> tuple[Output, str]:
        """What is asked for."""
        attribute: Any = self.rng.choice(["length", "width", "area"]) if verb == "measure" else None
        target, noun = self.selection(can_pick=verb not in ("count", "exists"))
        part = f"measure {attribute}" if attribute else verb
        text = self.say(part, n=noun)
        for doubled in ("the all ", "all the ", "all all ", "any the ", "the the "):
            text = text.replace(doubled, "the " if "the" in doubled else "all ")
        return Output(verb=verb, target=target, attribute=attribute), text  # type: ignore[arg-type]

    def selection(self, can_pick: bool) -> tuple[Selection, str]:
        """A set of regions with up to three conditions and a superlative, and its noun phrase."""
        rng = self.rng
        phrase = rng.choice(THINGS)
        adjectives = [self.adjective() for _ in range(rng.choice([0, 0, 0, 1]))]
        clauses = [self.clause() for _ in range(rng.choice([0, 1, 1, 1, 2]))]
        clauses = clauses[:1] if len(clauses) > 1 and type(clauses[0][0]) is type(clauses[1][0]) else clauses
        conditions = [condition for condition, _ in (*adjectives, *clauses)]
        where = None if not conditions else conditions[0] if len(conditions) == 1 else And(conditions=tuple(conditions))
        front = "".join(f"{text} " for _, text in adjectives)
        tail = " and ".join(text for _, text in clauses)
        if can_pick and rng.random() < 0.3:
            pick, lead, one = self.pick()
            noun = f"{lead}{front}{phrase if one else plural(phrase)}"
            return Selection(phrases=(phrase,), where=where, picks=(pick,)), f"{noun} {tail}".strip()
        return Selection(phrases=(phrase,), where=where), f"{front}{plural(phrase)} {tail}".strip()

    def pick(self) -> tuple[Pick, str, bool]:
        """A superlative, the words before the noun, and whether one is meant."""
        by, order = self.rng.choice(
            [("area", "max"), ("area", "min"), ("length", "max"), ("length", "min"), ("x", "min"), ("x", "max"),
             ("y", "min"), ("y", "max")]
        )  # fmt: skip
        word = self.say(f"pick {by} {order}")
        shape = self.rng.random()
        if shape < 0.6:
            return Pick(by=by, order=order), f"the {word} ", True  # type: ignore[arg-type]
        number = self.rng.randint(2, 5)
        if shape < 0.8:
            return Pick(by=by, order=order, count=number), f"the {cardinal(number)} {word} ", False  # type: ignore[arg-type]
        return Pick(by=by, order=order, first=number), f"the {ordinal(number)} {word} ", True  # type: ignore[arg-type]

    def adjective(self) -> tuple[Condition, str]:
        """A word before the noun."""
        if self.rng.random() < 0.6:
            colour: Any = self.rng.choice(COLOURS)
            return Colour(word=colour), colour
        size: Any = self.rng.choice(["large", "small"])
        return SizeWord(word=size), self.say(f"size {size}")

    def clause(self) -> tuple[Condition, str]:
        """A condition behind the noun."""
        roll = self.rng.random()
        if roll < 0.1:
            inner, text = self.relation(("near", "adjacent", "inside", "overlaps"))
            return Not(condition=inner), self.say("not", x=text)
        if roll < 0.4:
            return self.compare()
        return self.position() if roll < 0.55 else self.relation()

    def quantity(self, units: dict[str, list[str]]) -> tuple[Quantity, str]:
        """A number with a unit."""
        unit: Any = self.rng.choice(list(units))
        value = self.rng.choice([self.rng.randint(2, 99), self.rng.randint(1, 40) * 10, self.rng.randint(1, 99) / 2])
        text = f"{value:g}"
        spaced = "" if len(unit) == 1 and self.rng.random() < 0.2 else " "
        return Quantity(value=value, unit=unit), f"{text}{spaced}{self.rng.choice(units[unit])}"

    def compare(self) -> tuple[Condition, str]:
        """A measured condition."""
        kinds = [part for part in _wordings() if part.split()[0] in ("length", "width", "area")]
        attribute, op = self.rng.choice(kinds).split()
        quantity, text = self.quantity(AREAS if attribute == "area" else LENGTHS)
        made = Compare(attribute=attribute, op=op, quantity=quantity)  # type: ignore[arg-type]
        return made, self.say(f"{attribute} {op}", q=text)

    def position(self) -> tuple[Condition, str]:
        """A place in the image."""
        frame: Any = self.rng.choice(["half", "half", "cell", "edge"])
        if frame == "edge":
            return Position(frame=frame, place="any"), self.say("edge")
        place: Any = self.rng.choice(["left", "right", "top", "bottom"] if frame == "half" else CORNERS)
        if frame == "cell":
            return Position(frame=frame, place=place), self.say("cell", side=place)
        return Position(frame=frame, place=place), self.say("half", side=place, compass=COMPASS[place])

    def relation(self, kinds: tuple[str, ...] = RELATIONS) -> tuple[Condition, str]:
        """A relation to something else."""
        kind: Any = self.rng.choice(kinds)
        phrase = self.rng.choice(PLACES)
        one = self.rng.random() < 0.75
        reference = Selection(phrases=(phrase,), expected=1 if one else None)
        told = f"the {phrase}" if one else plural(phrase)
        if kind in ("toward", "side"):
            way: Any = self.rng.choice(["left", "right", "above", "below"])
            side = {"left": "left", "right": "right", "above": "north", "below": "south"}[way]
            made = Relation(relation=kind, reference=reference, direction=way)
            return made, self.say(kind, side=side, compass=COMPASS[way], r=told)
        if kind in ("within", "beyond"):
            distance, text = self.quantity(LENGTHS)
            each: Any = "all" if kind == "beyond" else "any"
            made = Relation(relation=kind, reference=reference, distance=distance, quantifier=each)
            return made, self.say(kind, q=text, r=told)
        return Relation(relation=kind, reference=reference), self.say(kind, r=told)
