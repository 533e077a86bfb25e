"""One step of a run: inputs, what earlier runs know of it, the tool's call, tries, questions. No graph library here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.budget import check
from ..core.errors import Ambiguous, BudgetExceeded, Cancelled, ModelOutputError, ToolFailed
from ..core.plan import Plan, Step
from ..core.progress import noting
from ..core.questions import YES, Question
from ..core.regions import CandidateSet
from ..core.retries import retrying
from ..core.trace import Observation
from ..tools.registry import Context, Tool
from ..tools.values import Value
from .graph_keys import key_of, tiles_of
from .store import Made, Store
from .summary import summarize, to_json

ATTEMPTS = 2
"""How often a step whose model text could not be read is tried in all."""

FILTERS = frozenset({"select", "pick", "segment", "choose", "judge"})
"""Tools that are not run when no candidate is left: they hand the set on as it is."""


class Stopped(Exception):
    """The run ends here: cancelled, or its budget is used up. What was done is kept; the step can be done later."""


class Lost(Exception):
    """A result that the run's checkpoint names is no longer in the store; the run starts again (with what is there)."""


@dataclass
class Results:
    """What the steps of one run left: observations for the trace, values for the steps that follow.

    Attributes:
        digests: of the values, where the run has a store.
        stopped: why the run ended before its end; None when it did not.
        trouble: why results could not be written to the store; None when all went well.
    """

    values: dict[str, Value] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    trouble: str | None = None

    def in_order(self, plan: Plan) -> tuple[Observation, ...]:
        """Observations in the plan's order; a step never reached is told as skipped."""
        return tuple(
            self.observations.get(
                step.id,
                Observation(
                    step=step.id,
                    tool=step.tool,
                    instruction=step.instruction,
                    status="skipped",
                    because=self.stopped or "the run stopped before it",
                ),
            )
            for step in plan.steps
        )


@dataclass
class Job:
    """One run in the making: all that performing a step needs.

    Args:
        tools: the tool of each step, by the step's id.
        store: where values go; None keeps them in memory only.
        look_up: whether results of earlier runs are taken.
        ask: answers questions of steps; may raise to let the run wait.
        answers: given before, by step.
        confirm_tiles: groundings on more tiles than this are asked about first; None never asks.
        mark: tells the run's own results from those of other runs; "" for a run that is not kept.
    """

    plan: Plan
    context: Context
    tools: Mapping[str, Tool]
    store: Store | None = None
    look_up: bool = True
    ask: Callable[[Question], str] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    confirm_tiles: int | None = None
    mark: str = ""
    started: Callable[[Step], None] | None = None
    results: Results = field(default_factory=Results)

    def perform(self, step: Step) -> Observation:
        """Does one step and leaves its value and observation in `results`.

        Raises:
            Stopped: cancelled, or the budget is used up.
            UsageError: the tool found its input unusable.
        """
        try:
            observation = self._perform(step)
        except (Cancelled, BudgetExceeded) as error:
            self.results.stopped = self.results.stopped or str(error)
            raise Stopped(str(error)) from None
        self.results.observations[step.id] = observation
        return observation

    def record_of(self, step: Step) -> str:
        """Writes what a step left to the store; returns the digest of that. "" without a store."""
        if self.store is None:
            return ""
        observation = self.results.observations[step.id]
        value = self.results.digests.get(step.id)
        data = observation.model_dump(mode="json", exclude_defaults=True, exclude={"result"})
        return self.store.put_json({"observation": data, "value": value})

    def adopt(self, records: Mapping[str, str]) -> None:
        """Takes over what steps left in an earlier process. Raises Lost when it is no longer there."""
        for step_id, record in records.items():
            if step_id in self.results.observations or self.store is None:
                continue
            data = self.store.json(record)
            if data is None:
                raise Lost(step_id)
            observation = Observation.model_validate(data["observation"])
            if data["value"] is not None:
                value = self.store.value(data["value"])
                if value is None:
                    raise Lost(step_id)
                self.results.values[step_id] = value
                self.results.digests[step_id] = data["value"]
                if observation.status != "skipped":
                    observation = observation.model_copy(update={"result": to_json(value)})
            self.results.observations[step_id] = observation

    def _perform(self, step: Step) -> Observation:
        inputs: dict[str, Value] = {}
        for name, source in step.inputs.items():
            if source not in self.results.values:
                return _observed(step, "skipped", because=f"step {source!r} left no result")
            inputs[name] = self.results.values[source]
        check()
        before = inputs.get("candidates")
        if step.tool in FILTERS and isinstance(before, CandidateSet) and not before.open:
            self.results.values[step.id] = before
            if self.store is not None:
                self.results.digests[step.id] = self.results.digests[step.inputs["candidates"]]
            return _observed(step, "skipped", because=self._emptied_by(step) or "no candidate was left")
        if self.started is not None:
            self.started(step)
        args = {**step.args, "answer": self.answers[step.id]} if self._is_answered(step) else step.args
        key = self._key(step, args)
        found = self._made_before(key)
        if found is not None:
            made, value = found
            self.results.values[step.id], self.results.digests[step.id] = value, made.value
            theirs = made.run != self.mark or not made.run
            return _told(step, value, before, made.seconds, made.faults, made.notes, cached=theirs)
        if not self._may_run(step):
            return _observed(step, "skipped", because="the answer was not to do it")
        return self._run(step, inputs, args, key)

    def _run(self, step: Step, inputs: Mapping[str, Value], args: Mapping[str, Any], key: str | None) -> Observation:
        """Calls the tool. Unreadable model text is asked for again; an ambiguity is asked about."""
        started = time.perf_counter()
        faults: list[str] = []
        told: list[str] = []
        while True:
            try:
                with retrying(faults[-1] if faults else None), noting(told):
                    value = self.tools[step.id].call(self.context, inputs, args)
                break
            except Ambiguous as doubt:
                answer = self._answer(Question(step.id, "which", str(doubt), doubt.options))
                args = {**args, "answer": answer}
                key = self._key(step, args)
                started = time.perf_counter()
            except ModelOutputError as error:
                faults.append(str(error))
                if len(faults) >= ATTEMPTS:
                    seconds = time.perf_counter() - started
                    earlier = tuple(faults[:-1])
                    return _observed(
                        step, "failed", failure=str(error), raw=error.raw, faults=earlier, notes=tuple(told),
                        seconds=seconds,
                    )  # fmt: skip
            except ToolFailed as error:
                seconds = time.perf_counter() - started
                return _observed(
                    step, "failed", failure=str(error), faults=tuple(faults), notes=tuple(told), seconds=seconds
                )
        seconds = time.perf_counter() - started
        self.results.values[step.id] = value
        if self.store is not None:
            self.results.digests[step.id] = self.store.put_value(value)
            if key is not None:
                made = Made(self.results.digests[step.id], seconds, tuple(faults), self.mark, tuple(told))
                self.store.remember(key, made)
        return _told(step, value, inputs.get("candidates"), seconds, tuple(faults), tuple(told))

    # ---- earlier results

    def _key(self, step: Step, args: Mapping[str, Any]) -> str | None:
        """What the step's result is made from; None when that cannot be told, so that it is never looked up."""
        if self.store is None:
            return None
        inputs = {name: self.results.digests[source] for name, source in step.inputs.items()}
        return key_of(self.tools[step.id], args, inputs, self.context)

    def _made_before(self, key: str | None) -> tuple[Made, Value] | None:
        if self.store is None or key is None:
            return None
        made = self.store.look_up(key)
        if made is None or not (self.look_up or (self.mark and made.run == self.mark)):
            return None
        value = self.store.value(made.value)
        return None if value is None else (made, value)

    # ---- questions

    def _is_answered(self, step: Step) -> bool:
        return step.tool == "choose" and step.id in self.answers

    def _may_run(self, step: Step) -> bool:
        """Whether an expensive step shall be done; asks when it is one."""
        tiles = tiles_of(step, self.context) if self.confirm_tiles is not None else 0
        if self.confirm_tiles is None or tiles <= self.confirm_tiles:
            return True
        name = step.instruction or step.id
        text = f"{name!r} looks at about {tiles:,} tiles of the image; shall it be done?"
        return self._answer(Question(step.id, "confirm", text, (YES, "no"))) == YES

    def _answer(self, question: Question) -> str:
        given = self.answers.get(question.step)
        if given is None:
            if self.ask is None:
                raise ToolFailed(f"nobody is there to answer: {question}")
            given = self.ask(question)
        self.answers[question.step] = question.checked(given)
        return self.answers[question.step]

    def _emptied_by(self, step: Step) -> str | None:
        """Why the set that reaches a step is empty: the words of the step that emptied it, or that found nothing."""
        observation = self.results.observations[step.inputs["candidates"]]
        if observation.status == "skipped":
            return observation.because
        if observation.emptied_by:
            return f"no candidate was left after {observation.emptied_by!r}"
        return f"{observation.instruction!r} found nothing"


def _observed(step: Step, status: Any, **more: Any) -> Observation:
    return Observation(step=step.id, tool=step.tool, instruction=step.instruction, status=status, **more)


def _told(
    step: Step, value: Value, before: Value | None, seconds: float, faults: tuple[str, ...], notes: tuple[str, ...],
    *, cached: bool = False,
) -> Observation:  # fmt: skip
    """The observation of a step that has a value."""
    gone = isinstance(value, CandidateSet) and not value.open
    emptied = step.instruction if gone and isinstance(before, CandidateSet) and before.open else None
    return _observed(
        step,
        "empty" if gone else "done",
        summary=summarize(value),
        result=to_json(value),
        emptied_by=emptied,
        faults=faults,
        notes=notes,
        cached=cached,
        seconds=seconds,
    )
