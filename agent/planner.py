"""From a request to a plan: one step per condition, in the words of the condition parser (GeoRSMLLM III-B).

"detect all planes on the east bank of the river" becomes "detect all planes" and "detect all rivers" (independent, so
they run side by side) and then "select those on the east side of the river".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..core.conditions import (
    And,
    Condition,
    CountTest,
    Node,
    Not,
    Or,
    Output,
    Pick,
    Relation,
    Request,
    Selection,
    conjuncts,
)
from ..core.inflection import plural
from ..core.plan import Plan, Step
from ..core.wording import selecting, words

AT_LEAST_ONE = CountTest(op=">=", n=1)


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
    draft = _Draft()
    outputs = tuple(draft.output(output) for output in request.outputs)
    plan = Plan(query=query, steps=tuple(draft.steps), outputs=outputs)
    plan.levels()
    return plan


class _Draft:
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
            return self._add("compare", "compare", inputs, {"op": output.op}, words(output))
        if output.verb == "exists":
            test = output.test or AT_LEAST_ONE
            return self._add("check", "check", {"candidates": found}, {"test": _data(test)}, _checking(output, test))
        things = _names(output.target.phrases, one=_is_one(output.target))
        args: dict[str, Any] = {}
        instruction = f"{output.verb} the {things}"
        if output.verb == "measure":
            args = {"attribute": output.attribute} | ({"unit": output.unit} if output.unit else {})
            unit = f" in {output.unit}" if output.unit else ""
            instruction = f"measure the {output.attribute} of the {things}{unit}"
        return self._add(output.verb, output.verb, {"candidates": found}, args, instruction)

    def selection(self, selection: Selection) -> str:
        """Adds the chain ground -> select per condition -> pick per pick; returns the id of its last step."""
        names = [plural(phrase) for phrase in selection.phrases]
        found = self._add(
            "ground",
            "find_" + "_and_".join(names),
            {},
            {"phrases": list(selection.phrases)},
            f"detect all {' and '.join(names)}",
        )
        for condition in conjuncts(selection.where):
            inputs = {"candidates": found, **self._references(condition)}
            found = self._add("select", "select", inputs, {"condition": _data(condition)}, selecting(condition))
        for pick in selection.picks:
            inputs = {"candidates": found, **self._references(pick)}
            found = self._add("pick", "pick", inputs, {"pick": _data(pick)}, selecting(pick))
        return found

    def _references(self, condition: Condition) -> dict[str, str]:
        return {words(reference): self.selection(reference) for reference in references(condition)}

    def _add(self, tool: str, name: str, inputs: dict[str, str], args: dict[str, Any], instruction: str) -> str:
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


def _is_one(selection: Selection) -> bool:
    """Whether the words ask for a single thing."""
    return (selection.picks[-1].count if selection.picks else selection.expected) == 1


def _names(phrases: tuple[str, ...], *, one: bool, joint: str = " and ") -> str:
    return joint.join(phrase if one else plural(phrase) for phrase in phrases)


def references(condition: Condition) -> Iterator[Selection]:
    """The sets that a condition needs besides its candidates, those of its parts included, in reading order."""
    match condition:
        case Relation() | Pick():
            second = condition.second if isinstance(condition, Relation) else None
            yield from (found for found in (condition.reference, second) if found is not None)
        case And() | Or():
            for part in condition.conditions:
                yield from references(part)
        case Not():
            yield from references(condition.condition)


def _data(node: Node) -> dict[str, Any]:
    """A node as JSON without what is not set."""
    return _without_empty(node.model_dump(mode="json", exclude_none=True))


def _without_empty(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_empty(value) for key, value in data.items() if value != []}
    return [_without_empty(value) for value in data] if isinstance(data, list) else data
