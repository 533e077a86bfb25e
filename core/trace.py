"""What happened in a run, as plain data on disk: an observation per step, schema-versioned."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import UsageError
from .plan import Plan, describe_faults

TRACE_VERSION = 3
"""Version 3 added `before`; 2 `run_id`, and `faults` and `cached` of an observation. Earlier ones are still read."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Observation(_Record):
    """What one step left behind.

    Args:
        status: `done` with a result; `empty`: looked and found nothing; `failed`: see `failure`; `skipped`: not run,
            because of `because` (an earlier set was empty, or an input failed).
        emptied_by: the condition's words, when this step removed the last candidate.
        result: JSON of the result (see `Answer.to_dict` for regions), None when there is none.
        because: for `skipped`.
        faults: what was wrong in earlier tries, when the step was tried again (unreadable model text).
        notes: what models said aloud on the way (`core.progress.note`): "memory ran out: smaller views".
        cached: taken from the results of an earlier run; `seconds` is then what it took that run.
        seconds: wall-clock time of the tool call alone.
    """

    step: str
    tool: str
    instruction: str = ""
    status: Literal["done", "empty", "failed", "skipped"]
    summary: str = ""
    result: Any = None
    emptied_by: str | None = None
    failure: str | None = None
    because: str | None = None
    raw: str | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cached: bool = False
    seconds: float = 0.0


class SceneRecord(_Record):
    """Which pixels were looked at."""

    name: str
    path: str | None = None
    size_wh: tuple[int, int]
    gsd_m: float | None = None
    crs: str | None = None
    digest: str | None = None


class ParseTry(_Record):
    """One reply of a language model that was asked for a tree; `fault` is None for the one that was taken."""

    raw: str
    fault: str | None = None
    seconds: float = 0.0


class ParseRecord(_Record):
    """How the request was read.

    Args:
        model: the language model; None for the grammar, like all that follows.
        prompt_digest: of the prompt's text (`surveyor.prompts`).
        respelt: misspelt words of the query and what they were taken for.
        grammar_refused: why the grammar did not take the query before.
        notes: about the model, e.g. that its server does not constrain replies to a schema.
    """

    parser: Literal["grammar", "llm"]
    model: str | None = None
    prompt: str | None = None
    prompt_digest: str | None = None
    attempts: tuple[ParseTry, ...] = ()
    respelt: tuple[tuple[str, str], ...] = ()
    grammar_refused: str | None = None
    notes: tuple[str, ...] = ()


class Trace(_Record):
    """A whole run: enough to audit the answer and to run it again.

    Args:
        scene: in whose pixels regions are told; of two dates, the later one.
        before: the earlier date as it was given; None for one image.
    """

    version: int = TRACE_VERSION
    surveyor: str
    run_id: str | None = None
    query: str | None
    request: dict[str, Any] | None = None
    parsing: ParseRecord | None = None
    scene: SceneRecord
    before: SceneRecord | None = None
    models: dict[str, str]
    plan: Plan
    observations: tuple[Observation, ...]
    answer: dict[str, Any] | None = None
    failure: str | None = None

    def to_json(self) -> str:
        """The trace as indented JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Reads a trace of this schema version or an earlier one. Raises UsageError on damaged text."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"the trace is not readable JSON: {error}") from None
        version = data.get("version") if isinstance(data, dict) else None
        if version not in range(1, TRACE_VERSION + 1):
            raise UsageError(f"the trace has schema version {version!r}; this program reads 1 to {TRACE_VERSION}")
        try:
            return cls.model_validate({**data, "version": TRACE_VERSION})
        except ValidationError as error:
            raise UsageError("the trace has faults: " + describe_faults(error)) from None
