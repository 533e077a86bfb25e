"""What to do when a reference speaks of one thing ("the river") and several are found: a policy, as steps of the plan.

So that a choice is seen in the plan and in the trace, kept in the cache and the same after a resume, it is a step
between the reference and those that refer to it. The default "all" adds none: any of them counts, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args

from ..core.conditions import Pick, Selection, walk
from ..core.errors import UsageError
from ..core.plan import Plan, Step
from ..core.wording import words
from ..tools.registry import PickArguments, SelectArguments
from .explain_chain import selection_of

OnAmbiguous = Literal["all", "largest", "nearest", "ask", "error"]


def with_choices(plan: Plan, policy: OnAmbiguous) -> Plan:
    """The plan with a step for each reference to one thing, by the policy.

    Args:
        policy: `all` counts any of them; `largest` takes the largest; `nearest` the one nearest to the things that are
            asked for; `ask` asks; `error` refuses.

    Raises:
        UsageError: no such policy.
    """
    if policy not in get_args(OnAmbiguous):
        raise UsageError(f"on_ambiguous is {policy!r}, expected one of: {', '.join(get_args(OnAmbiguous))}")
    if policy == "all":
        return plan
    draft = _Draft(plan)
    for step in plan.steps:
        inputs = dict(step.inputs)
        for selection in _single_references(step):
            name = words(selection)
            if name in inputs:
                inputs[name] = draft.choice(selection, inputs[name], step, policy)
        draft.steps.append(step.model_copy(update={"inputs": inputs}))
    return plan.model_copy(update={"steps": tuple(draft.steps)})


class _Draft:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps: list[Step] = []
        self._known: dict[tuple[str, ...], str] = {}

    def choice(self, selection: Selection, source: str, step: Step, policy: OnAmbiguous) -> str:
        """The id of the step that chooses among the regions of `source`; made when it isn't there yet."""
        what = words(selection)
        beside = step.inputs["candidates"] if policy == "nearest" else ""
        key = (what, source, beside)
        if key not in self._known:
            self._known[key] = self._free_id(f"choose_{what.removeprefix('the ')}")
            self.steps.append(self._made(self._known[key], what, source, beside, policy))
        return self._known[key]

    def _made(self, step_id: str, what: str, source: str, beside: str, policy: OnAmbiguous) -> Step:
        inputs = {"candidates": source}
        if policy in ("ask", "error"):
            args: dict[str, Any] = {"what": what, "otherwise": policy}
            return Step(id=step_id, tool="choose", inputs=inputs, args=args, instruction=f"choose the one meant by {what!r}")  # fmt: skip  # noqa: E501
        pick, instruction = Pick(by="area", order="max"), f"take the largest for {what!r}"
        if policy == "nearest":
            others = selection_of(self.plan.step(beside), self.plan)
            if others is None:  # a chain without plain wording: its first step has one
                others = Selection(phrases=("region",))
            pick = Pick(by="distance", order="min", reference=others)
            inputs[words(others)] = beside
            instruction = f"take the nearest to {words(others)} for {what!r}"
        data = pick.model_dump(mode="json", exclude_defaults=True) | {"kind": "pick"}
        return Step(id=step_id, tool="pick", inputs=inputs, args={"pick": data}, instruction=instruction)

    def _free_id(self, name: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:60]
        taken = {step.id for step in (*self.plan.steps, *self.steps)} | set(self._known.values())
        number, step_id = 1, stem
        while step_id in taken:
            number += 1
            step_id = f"{stem}_{number}"
        return step_id


def _single_references(step: Step) -> Iterator[Selection]:
    """The references of a step's condition that promise one thing and do not say themselves which."""
    if step.tool == "select":
        node: Any = SelectArguments.model_validate(step.args).condition
    elif step.tool == "pick":
        node = PickArguments.model_validate(step.args).pick
    else:
        return
    for inner in walk(node):
        if isinstance(inner, Selection) and inner.expected == 1 and not inner.picks:
            yield inner
