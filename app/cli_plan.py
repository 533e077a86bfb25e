"""`surveyor plan`: what would be done, step by step, without looking at any image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_ask import Models, Parser

if TYPE_CHECKING:
    from rich.text import Text

    from ..core.plan import Plan


def plan(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, in English.", show_default=False)],
    parser: Parser = "auto",
    models: Models = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print the plan as YAML, to edit and give to `run`.")] = False,
) -> None:
    """Show the steps a question is broken into: one condition each."""
    import json

    from ..agent.run import plan as make_plan
    from ..core.errors import UsageError
    from .screen import data, talk

    if json_ and yaml:
        raise UsageError("--json and --yaml exclude each other; choose one")
    made = make_plan(query, parser=parser, models=models)
    if json_:
        sys.stdout.write(json.dumps(made.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")
    elif yaml:
        sys.stdout.write(f"# Edit it, then: surveyor run THIS_FILE IMAGE\n{made.to_yaml()}")
    else:
        console = data()
        for line in numbered(made):
            console.print(line, soft_wrap=True)
        for note in made.notes:
            talk().print(f"note: {note}", style="dim", markup=False, soft_wrap=True)


def numbered(made: Plan) -> list[Text]:
    """One line a step, in an order in which they can run: "3. select those near the river  (from 1, 2)"."""
    from rich.text import Text

    steps = list(made.steps) if _in_order(made) else [step for level in made.levels() for step in level]
    number = {step.id: n for n, step in enumerate(steps, start=1)}
    width = len(str(len(steps)))
    lines = []
    for step in steps:
        sources = sorted({number[source] for source in step.inputs.values()})
        origin = f"  (from {', '.join(map(str, sources))})" if sources else ""
        line = Text(f"{number[step.id]:>{width}}. ", style="bold")
        line.append(step.instruction or f"{step.tool} {step.args or ''}".strip(), style="not bold")
        line.append(origin, style="not bold dim")
        lines.append(line)
    return lines


def _in_order(made: Plan) -> bool:
    """Whether the plan lists each step after those it takes its inputs from."""
    seen: set[str] = set()
    for step in made.steps:
        if not set(step.inputs.values()) <= seen:
            return False
        seen.add(step.id)
    return True
