"""What a builder holds as plain data, and how it becomes the steps of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import Field, ValidationError

from ..core.conditions import Node, Output, Request, Selection
from ..core.errors import UsageError
from ..core.plan import describe_faults
from ..core.wording import words
from ..tools.registry import Tool
from .builder_values import shown, some_text
from .class_names import adopt_class_names
from .planner import Draft

GRAPH_VERSION = 1


class Call(Node):
    """A step of a tool of one's own: its inputs are selections, its arguments plain data."""

    tool: str
    inputs: dict[str, Selection] = Field(default_factory=dict)
    args: dict[str, Any] = Field(default_factory=dict)
    instruction: str = ""


class GraphRecord(Node):
    """A builder as plain data: an output is one of the condition tree, or the name of a call."""

    version: int = GRAPH_VERSION
    calls: dict[str, Call] = Field(default_factory=dict)
    outputs: tuple[Output | str, ...] = ()

    def to_yaml(self) -> str:
        """The record as YAML, without what is empty."""
        data = _without_empty(self.model_dump(mode="json", exclude_none=True))
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)

    @classmethod
    def from_yaml(cls, text: str) -> GraphRecord:
        """Reads what `to_yaml` wrote. Raises UsageError that lists every fault."""
        try:
            data = yaml.safe_load(some_text(text, "a graph", "outputs: ..."))
        except yaml.YAMLError as error:
            raise UsageError(f"the graph is not readable YAML: {' '.join(str(error).split())}") from None
        if not isinstance(data, dict):
            raise UsageError(f"the graph has faults: it is no mapping as to_yaml writes it, but {shown(data)}")
        if "steps" in data:
            raise UsageError(
                "this is a plan, not a graph; read it by surveyor.Plan.from_yaml and run it by surveyor.run"
            )
        try:
            record = cls.model_validate(data)
        except ValidationError as error:
            raise UsageError("the graph has faults: " + describe_faults(error)) from None
        if record.version != GRAPH_VERSION:
            raise UsageError(f"the graph has version {record.version}, this program reads version {GRAPH_VERSION}")
        missing = [output for output in record.outputs if isinstance(output, str) and output not in record.calls]
        if missing or not record.outputs:
            raise UsageError(f"the graph has no call {missing[0]!r}" if missing else "the graph asks for nothing")
        return record


class CallingDraft(Draft):
    """A draft that knows the calls of the user's own tools, and the grounder's class names."""

    def __init__(self, calls: Mapping[str, Call], classes: tuple[str, ...] | None) -> None:
        super().__init__()
        self.calls = calls
        self.classes = classes

    def asked(self, output: Output | str) -> str:
        """Adds the steps of an output; returns the id of the last."""
        if isinstance(output, str):
            return self.called(output)
        return self.output(adopt_class_names(Request(outputs=(output,)), self.classes).outputs[0])

    def found(self, phrases: tuple[str, ...]) -> str:
        return self.called(phrases[0]) if phrases[0] in self.calls else super().found(phrases)

    def called(self, name: str) -> str:
        """Adds the step of a call and those of its inputs; returns its id."""
        call = self.calls[name]
        inputs = {}
        for key, selection in call.inputs.items():
            output = Output(verb="detect", target=selection)
            inputs[key] = self.selection(adopt_class_names(Request(outputs=(output,)), self.classes).outputs[0].target)
        return self.add(call.tool, call.tool, inputs, call.args, call.instruction)


def instruction_of(tool: Tool, inputs: Mapping[str, Selection], args: Mapping[str, Any]) -> str:
    """ "use isolated on all planes, with gap_m 30"."""
    sets = [words(selection) for selection in inputs.values()]
    shown = [text if text.startswith("the ") else f"all {text}" for text in sets]
    on = f" on {' and '.join(shown)}" if shown else ""
    literals = ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in args.items()
    )
    return f"use {tool.name}{on}{f', with {literals}' if literals else ''}"


def _without_empty(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_empty(value) for key, value in data.items() if value not in ([], {})}
    return [_without_empty(value) for value in data] if isinstance(data, list) else data
