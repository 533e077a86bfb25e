"""Plans with a second look: a `verify` step behind each grounding, which asks a describer what was found there."""

from __future__ import annotations

from ..core.inflection import plural
from ..core.plan import Plan, Step


def with_verification(plan: Plan) -> Plan:
    """The plan with a `verify` step behind every `ground` step that has none; whoever took the grounding's result takes
    the verified one.

    Example:
        >>> from surveyor import plan
        >>> [step.instruction for step in with_verification(plan("count the planes")).steps]
        ['detect all planes', 'describe each again and check that it is one of the planes', 'count the planes']
    """
    verified = {step.inputs.get("candidates") for step in plan.steps if step.tool == "verify"}
    moved: dict[str, str] = {}
    steps: list[Step] = []
    taken = {step.id for step in plan.steps}
    for step in plan.steps:
        steps.append(step)
        if step.tool == "ground" and step.id not in verified:
            second = _second_look(step, taken)
            taken.add(second.id)
            moved[step.id] = second.id
            steps.append(second)
    added = set(moved.values())
    return plan.model_copy(
        update={
            "steps": tuple(step if step.id in added else _taking(step, moved) for step in steps),
            "outputs": tuple(moved.get(name, name) for name in plan.outputs),
        }
    )


def _second_look(step: Step, taken: set[str]) -> Step:
    stem = "verify_" + step.id.removeprefix("find_")
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    phrases = list(step.args.get("phrases", ()))
    things = " or ".join(plural(str(phrase)) for phrase in phrases)
    return Step(
        id=name,
        tool="verify",
        inputs={"candidates": step.id},
        args={"phrases": phrases},
        instruction=f"describe each again and check that it is one of the {things}",
    )


def _taking(step: Step, moved: dict[str, str]) -> Step:
    inputs = {name: moved.get(source, source) for name, source in step.inputs.items()}
    return step if inputs == dict(step.inputs) else step.model_copy(update={"inputs": inputs})
