"""What the graph adds over calling the same tools by hand, in ms a step, with stub tools that cost nothing.

    python benchmarks/bench_agent.py

Bar (docs/results.md): at most 5 ms a step.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from surveyor.agent.graph import execute
from surveyor.core.geometry import box_to_corners
from surveyor.core.plan import Plan, Step
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.tools.registry import Context

REPEATS = 7


class Stub:
    """Hands on its input; a grounding gives 20 regions."""

    name = "stub"
    found = CandidateSet(
        tuple(
            Candidate(Region(f"plane-{k}", "plane", box_to_corners(np.array(box)), np.array(box)))
            for k, box in enumerate([(10.0 * k, 0.0, 10.0 * k + 9, 4.0) for k in range(20)])
        )
    )

    def checked(self, inputs: Any, args: Any) -> None:
        """Nothing to check."""

    def call(self, context: Any, inputs: dict[str, CandidateSet], args: Any) -> CandidateSet:
        """The first input, or the 20 regions."""
        return next(iter(inputs.values()), self.found)


def chain(length: int) -> Plan:
    """A grounding and a chain of selections."""
    rows = [Step(id="s0", tool="ground")]
    rows += [Step(id=f"s{k}", tool="select", inputs={"candidates": f"s{k - 1}"}) for k in range(1, length)]
    return Plan(steps=tuple(rows), outputs=(f"s{length - 1}",))


def main() -> None:
    """Prints the table."""
    context = Context(scene=Scene.from_array(np.zeros((8, 8, 3), np.uint8)), grounder=None, segmenter=None)  # type: ignore[arg-type]
    stub = Stub()
    print(f"{'steps':>6} {'by hand ms/step':>16} {'graph ms/step':>14} {'added':>7}")
    for length in (3, 8, 30):
        plan = chain(length)
        by_hand, by_graph = [], []
        for _ in range(REPEATS):
            start = time.perf_counter()
            values: dict[str, CandidateSet] = {}
            for step in plan.steps:
                values[step.id] = stub.call(context, {k: values[s] for k, s in step.inputs.items()}, step.args)
            by_hand.append(time.perf_counter() - start)
            start = time.perf_counter()
            execute(plan, context, tools=lambda _: stub)  # type: ignore[arg-type,return-value]
            by_graph.append(time.perf_counter() - start)
        hand, graph = min(by_hand) / length * 1e3, min(by_graph) / length * 1e3
        print(f"{length:>6} {hand:>16.4f} {graph:>14.3f} {graph - hand:>7.3f}")


if __name__ == "__main__":
    main()
