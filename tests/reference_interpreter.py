"""What a plan means, in a few lines: the steps one after the other, no graph library, no threads, no store."""

from __future__ import annotations

from surveyor.core.errors import ModelOutputError, ToolFailed
from surveyor.core.plan import Plan
from surveyor.core.regions import CandidateSet
from surveyor.tools.registry import Context, tool_named
from surveyor.tools.values import Value

FILTERS = ("select", "pick", "segment", "choose")


def interpret(plan: Plan, context: Context) -> tuple[dict[str, Value], dict[str, str]]:
    """(values, statuses) of the steps by id. A step without one of its inputs is skipped; a filter of nothing, too."""
    values: dict[str, Value] = {}
    statuses: dict[str, str] = {}
    for step in (step for level in plan.levels() for step in level):
        if any(source not in values for source in step.inputs.values()):
            statuses[step.id] = "skipped"
            continue
        inputs = {name: values[source] for name, source in step.inputs.items()}
        before = inputs.get("candidates")
        if step.tool in FILTERS and isinstance(before, CandidateSet) and not before.open:
            values[step.id], statuses[step.id] = before, "skipped"
            continue
        try:
            value = tool_named(step.tool).call(context, inputs, step.args)
        except (ToolFailed, ModelOutputError):
            statuses[step.id] = "failed"
            continue
        values[step.id] = value
        statuses[step.id] = "empty" if isinstance(value, CandidateSet) and not value.open else "done"
    return values, statuses
