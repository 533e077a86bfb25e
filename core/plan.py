"""The plan: a graph of steps as plain data, which a person can read, edit (YAML) and run again."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from .conditions import Node
from .errors import UsageError

PLAN_VERSION = 1


class Step(Node):
    """One call of one tool.

    Args:
        id: name of the step, used by other steps' inputs.
        tool: name of the tool, see `surveyor models --tools` or `surveyor.tools.TOOLS`.
        inputs: parameter name -> id of the step whose result is passed.
        args: parameter name -> literal value (JSON types).
        instruction: the sub-instruction in words (GeoRSMLLM III-B), e.g. "detect all planes".
    """

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    tool: str = Field(min_length=1)
    inputs: dict[str, str] = Field(default_factory=dict)
    args: dict[str, Any] = Field(default_factory=dict)
    instruction: str = ""


class Plan(Node):
    """Steps in any order; `outputs` names the steps whose results are the answer, in order of the request.

    `notes` say what a careful reader of the request should know, such as words that are no part of it.
    """

    version: int = PLAN_VERSION
    query: str | None = None
    steps: tuple[Step, ...] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _without_empty_notes(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return data if self.notes else {name: value for name, value in data.items() if name != "notes"}

    def __repr__(self) -> str:
        """Short, for a terminal; `to_yaml` tells all."""
        steps = f"{len(self.steps)} step{'' if len(self.steps) == 1 else 's'}"
        return f"Plan({self.query!r}, {steps}, outputs={list(self.outputs)})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """For notebooks: a table of the steps."""
        from .plan_views import steps_html

        return steps_html(self)

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError when there is none."""
        return {step.id: step for step in self.steps}[step_id]

    def levels(self) -> tuple[tuple[Step, ...], ...]:
        """Steps in groups: each depends on earlier groups only. Raises UsageError listing every structural fault."""
        faults = self._faults()
        waiting = {step.id: step for step in self.steps}
        levels: list[tuple[Step, ...]] = []
        done: set[str] = set()
        while waiting and not faults:
            ready = tuple(step for step in waiting.values() if set(step.inputs.values()) <= done)
            if not ready:
                faults.append(f"the steps {sorted(waiting)} wait for each other in a circle")
                break
            levels.append(ready)
            done |= {step.id for step in ready}
            waiting = {key: step for key, step in waiting.items() if key not in done}
        if faults:
            raise UsageError("the plan cannot run: " + "; ".join(faults))
        return tuple(levels)

    def _faults(self) -> list[str]:
        ids = [step.id for step in self.steps]
        faults = [f"two steps are called {key!r}" for key in sorted({key for key in ids if ids.count(key) > 1})]
        for step in self.steps:
            faults += [
                f"step {step.id!r} takes {name!r} from {source!r}, which is no step of the plan"
                for name, source in step.inputs.items()
                if source not in ids
            ]
        faults += [f"the output {key!r} is no step of the plan" for key in self.outputs if key not in ids]
        if self.version != PLAN_VERSION:
            faults.append(f"it has version {self.version}, this program reads version {PLAN_VERSION}")
        return faults

    def to_yaml(self) -> str:
        """The plan as YAML, in field order, ready to edit."""
        data = self.model_dump(mode="json", exclude_defaults=False)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)

    @classmethod
    def from_yaml(cls, text: str) -> Plan:
        """Reads YAML or JSON. Raises UsageError that lists every fault."""
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"the plan is not readable YAML: {' '.join(str(error).split())}") from None
        if not isinstance(data, dict):
            raise UsageError(f"a plan is a mapping with 'steps' and 'outputs', not {type(data).__name__}")
        try:
            plan = cls.model_validate(data)
        except ValidationError as error:
            raise UsageError("the plan has faults: " + describe_faults(error)) from None
        plan.levels()
        return plan


def describe_faults(error: ValidationError) -> str:
    """All faults of a pydantic validation on one line: where, what, and the value seen."""
    parts = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"]) or "top level"
        shown = repr(fault["input"])
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        parts.append(f"{place}: {fault['msg']} (got {shown})")
    return "; ".join(parts)
