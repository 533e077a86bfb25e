"""From a request to a plan: one step per condition, in the words of the condition parser (GeoRSMLLM III-B).

"detect all planes on the east bank of the river" becomes "detect all planes" and "detect all rivers" (independent, so
they run side by side) and then "select those on the east side of the river".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..core.boxes import Box, box_of
from ..core.conditions import (
    Condition,
    CountTest,
    Node,
    Not,
    Output,
    Pick,
    Provided,
    Request,
    Selection,
    children,
    conjuncts,
)
from ..core.errors import UsageError
from ..core.inflection import plural
from ..core.plan import Plan, Step
from ..core.wording import selecting, words
from ..core.wording_tables import SUMMARIES

AT_LEAST_ONE = CountTest(op=">=", n=1)
NONE = CountTest(op="==", n=0)


def make_plan(request: Request, query: str | None = None) -> Plan:
    """The steps that answer a request; equal steps are shared.

    Args:
        request: what the condition parser returned.
        query: the words it came from, kept in the plan.

    Returns:
        A plan whose `outputs` name one step per output of the request, in order.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> [step.instruction for step in make_plan(parse("planes longer than 40 m")).steps]
        ['detect all planes', 'select those longer than 40 m']
    """
    draft = Draft()
    outputs = tuple(draft.output(output) for output in request.outputs)
    plan = Plan(query=query, steps=tuple(draft.steps), outputs=outputs)
    plan.levels()
    return plan


class Draft:
    """The steps so far, and which of them already do what is asked for."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.known: dict[str, str] = {}

    def output(self, output: Output) -> str:
        """Adds the steps of one output; returns the id of the last."""
        found = self.selection(output.target)
        if output.verb == "detect":
            return found
        if output.verb == "compare" and output.other is not None:
            inputs = {"a": found, "b": self.selection(output.other)}
            if output.op is None:
                names = [words(output.target), words(output.other)]
                return self.add("difference", "difference", inputs, {"names": names}, words(output))
            way: dict[str, Any] = {"op": output.op} | ({} if output.factor == 1 else {"factor": output.factor})
            return self.add("compare", "compare", inputs, way, words(output))
        if output.verb == "exists":
            test = output.test or AT_LEAST_ONE
            asked = [words(condition) for condition in asked_of(output)]
            wanted: dict[str, Any] = {"test": _data(test)} | ({"asked": asked} if asked else {})
            return self.add("check", "check", {"candidates": found}, wanted, _checking(output, test))
        things = _names(output.target.phrases, one=_is_one(output.target))
        if output.verb == "measure":
            return self._measure(output, found, things)
        if output.per is not None:
            instruction = f"count the {output.per}s of {_names(output.target.phrases, one=False)}"
            return self.add("count", "count", {"candidates": found}, {"per": output.per}, instruction)
        return self.add(output.verb, output.verb, {"candidates": found}, {}, f"{output.verb} the {things}")

    def _measure(self, output: Output, found: str, things: str) -> str:
        """The step that measures each region of a set, or the set as a whole; by its masks where it has some."""
        masks = [step.id for step in self.steps if step.tool == "segment" and step.inputs.get("candidates") == found]
        found = masks[0] if masks else found
        summary = {"summary": output.summary} if output.summary else {}
        told = f"{SUMMARIES[output.summary]} " if output.summary else ""
        unit = f" in {output.unit}" if output.unit else ""
        args: dict[str, Any] = ({"unit": output.unit} if output.unit else {}) | summary
        if output.reference is not None:
            inputs = {"candidates": found, "reference": self.selection(output.reference)}
            instruction = f"measure the {told}distance of the {things} to {words(output.reference)}{unit}"
            return self.add("distance", "distance", inputs, args, instruction)
        instruction = f"measure the {told}{output.attribute} of the {things}{unit}"
        return self.add(
            "measure", "measure", {"candidates": found}, {"attribute": output.attribute} | args, instruction
        )

    def selection(self, selection: Selection) -> str:
        """Adds the chain ground -> select per condition -> pick per pick; returns the id of its last step."""
        found = self.found(selection.phrases)
        for condition in conjuncts(selection.where):
            inputs = {"candidates": found, **self._references(condition)}
            found = self.add("select", "select", inputs, {"condition": _data(condition)}, selecting(condition))
        for pick in selection.picks:
            inputs = {"candidates": found, **self._references(pick)}
            found = self.add("pick", "pick", inputs, {"pick": _data(pick)}, selecting(pick))
        return found

    def found(self, phrases: tuple[str, ...]) -> str:
        """Adds the step that finds what the phrases name (a subclass may know a tool for it); returns its id."""
        boxes = [box_of(phrase) for phrase in phrases]
        if any(boxes):
            return self._given(phrases, boxes)
        names = [plural(phrase) for phrase in phrases]
        instruction = f"detect all {' and '.join(names)}"
        return self.add("ground", "find_" + "_and_".join(names), {}, {"phrases": list(phrases)}, instruction)

    def _given(self, phrases: tuple[str, ...], boxes: list[Box | None]) -> str:
        """The step that takes boxes that a person points at, numbered through the plan."""
        known = [box for box in boxes if box is not None]
        if len(known) < len(boxes):
            both = " and ".join(phrases)
            raise UsageError(f"ask for boxes and for things by themselves, not for {both!r} in one set")
        taken = sum(len(step.args["boxes"]) for step in self.steps if step.tool == "given")
        told = {phrase: list(box) for phrase, box in zip(phrases, known, strict=True)}
        for step in self.steps:
            if step.tool == "given" and list(step.args["boxes"].values()) == list(told.values()):
                return step.id
        args = {"boxes": {f"box-{taken + n}": box for n, box in enumerate(told.values(), start=1)}}
        return self.add("given", "given", {}, args, f"take the {' and the '.join(told)}")

    def _references(self, condition: Condition) -> dict[str, str]:
        return {words(reference): self.selection(reference) for reference in references(condition)}

    def add(self, tool: str, name: str, inputs: dict[str, str], args: dict[str, Any], instruction: str) -> str:
        """Adds a step unless an equal one is there; returns its id."""
        key = json.dumps([tool, inputs, args], sort_keys=True)
        if key not in self.known:
            step_id = self._free_id(name, numbered=tool != "ground")
            self.known[key] = step_id
            self.steps.append(Step(id=step_id, tool=tool, inputs=inputs, args=args, instruction=instruction))
        return self.known[key]

    def _free_id(self, name: str, numbered: bool) -> str:
        stem = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60]
        taken = {step.id for step in self.steps}
        number = 1
        while (candidate := f"{stem}_{number}" if numbered or number > 1 else stem) in taken:
            number += 1
        return candidate


def _checking(output: Output, test: CountTest) -> str:
    """ "check whether there are more than five planes"; of a set that was narrowed down: "... planes remain"."""
    amount = "no" if (test.op, test.n) == ("==", 0) else words(test)
    things = _names(output.target.phrases, one=test.n == 1, joint=" or ")
    if output.target.where is None and not output.target.picks:
        return f"check whether there {'is' if test.n == 1 else 'are'} {amount} {things}"
    return f"check whether {amount} {things} {'remains' if test.n == 1 else 'remain'}"


def asked_of(output: Output) -> tuple[Condition, ...]:
    """The conditions that a yes/no question is about, where the others make up a set that it takes for granted.

    "Are all ships white?" (no ship is not white) takes ships for granted, "is the largest ship white?" the largest one.
    "Are there white ships?" takes nothing for granted: ().
    """
    parts = [part for part in conjuncts(output.target.where) if not isinstance(part, Provided)]
    if output.target.picks or not parts:
        return ()
    if output.test == NONE:
        last = parts[-1]
        return (last,) if isinstance(last, Not) and not isinstance(last.condition, Pick) else ()
    picks = [place for place, part in enumerate(parts) if isinstance(part, Pick)]
    return tuple(parts[picks[-1] + 1 :]) if picks and output.test is None else ()


def _is_one(selection: Selection) -> bool:
    """Whether the words ask for a single thing."""
    return (selection.picks[-1].count if selection.picks else selection.expected) == 1


def _names(phrases: tuple[str, ...], *, one: bool, joint: str = " and ") -> str:
    return joint.join(phrase if one else plural(phrase) for phrase in phrases)


def references(condition: Node) -> Iterator[Selection]:
    """The sets that a condition needs besides its candidates, those of its parts included, in reading order."""
    for part in children(condition):
        if isinstance(part, Selection):
            yield part
        else:
            yield from references(part)


def _data(node: Node) -> dict[str, Any]:
    """A node as JSON without what is not set."""
    return _without_empty(node.model_dump(mode="json", exclude_none=True))


def _without_empty(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_empty(value) for key, value in data.items() if value != []}
    return [_without_empty(value) for value in data] if isinstance(data, list) else data
