"""What the graph adds over calling the same tools by hand, in ms a step, with stub tools that cost nothing.

    python benchmarks/bench_agent.py

Bar (docs/results.md): at most 5 ms a step without a store. The store's cost is that of a step seen for the first time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from surveyor.agent.graph import Running, execute
from surveyor.agent.graph_checkpoints import checkpoints
from surveyor.agent.store import Store
from surveyor.core.geometry import box_to_corners
from surveyor.core.plan import Plan, Step
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.tools.registry import Context

REPEATS = 7


class Stub:
    """Hands on its input; a grounding gives 20 regions."""

    name = "ground"
    origin = "surveyor"
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


def seconds_of(plan: Plan, context: Context, stub: Stub, running: Callable[[int], Running]) -> float:
    """The fastest of a few runs by the graph, in seconds."""
    times = []
    for repeat in range(REPEATS):
        how = running(repeat)
        start = time.perf_counter()
        execute(plan, context, tools=lambda _: stub, running=how)  # type: ignore[arg-type,return-value]
        times.append(time.perf_counter() - start)
    return min(times)


def by_hand(plan: Plan, context: Context, stub: Stub) -> float:
    """The same tools called one after the other, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        values: dict[str, CandidateSet] = {}
        for step in plan.steps:
            values[step.id] = stub.call(context, {k: values[s] for k, s in step.inputs.items()}, step.args)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Prints the table: ms a step by hand, by the graph, with the store, with store and checkpoints."""
    context = Context(scene=Scene.from_array(np.zeros((8, 8, 3), np.uint8)), grounder=None, segmenter=None)  # type: ignore[arg-type]
    stub = Stub()
    print(
        f"{'steps':>6} {'by hand':>9} {'graph':>9} {'added':>9} {'and store':>10} {'and checkpoints':>16}   (ms a step)"
    )
    with tempfile.TemporaryDirectory() as folder, checkpoints(f"{folder}/runs.sqlite") as saver:
        for length in (3, 8, 30):
            plan = chain(length)
            hand = by_hand(plan, context, stub)

            def with_store(k: int, n: int = length) -> Running:
                return Running(store=Store(f"{folder}/{n}-{k}"))

            def with_checkpoints(k: int, n: int = length) -> Running:
                return Running(store=Store(f"{folder}/{n}+{k}"), saver=saver, run_id=f"{n}-{k}")

            graph = seconds_of(plan, context, stub, lambda _: Running())
            stored = seconds_of(plan, context, stub, with_store)
            kept = seconds_of(plan, context, stub, with_checkpoints)
            ms = [1e3 * seconds / length for seconds in (hand, graph, graph - hand, stored, kept)]
            print(f"{length:>6} {ms[0]:>9.4f} {ms[1]:>9.3f} {ms[2]:>9.3f} {ms[3]:>10.3f} {ms[4]:>16.3f}")


if __name__ == "__main__":
    main()
