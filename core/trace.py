"""What happened in a run, as plain data on disk: an observation per step, schema-versioned."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import UsageError
from .plan import Plan, describe_faults

TRACE_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Observation(_Record):
    """What one step left behind.

    Args:
        status: `done` with a result; `empty`: looked and found nothing; `failed`: see `failure`; `skipped`: not run,
            because of `because` (an earlier set was empty, or an input failed).
        emptied_by: the condition's words, when this step removed the last candidate.
        result: JSON of the result (see `Answer.to_dict` for regions), None when there is none.
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
    seconds: float = 0.0


class SceneRecord(_Record):
    """Which pixels were looked at."""

    name: str
    path: str | None = None
    size_wh: tuple[int, int]
    gsd_m: float | None = None
    crs: str | None = None
    digest: str | None = None


class Trace(_Record):
    """A whole run: enough to audit the answer and to run it again."""

    version: int = TRACE_VERSION
    surveyor: str
    query: str | None
    request: dict[str, Any] | None = None
    scene: SceneRecord
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
        """Reads a trace. Raises UsageError on damaged text or another schema version."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"the trace is not readable JSON: {error}") from None
        version = data.get("version") if isinstance(data, dict) else None
        if version != TRACE_VERSION:
            raise UsageError(f"the trace has schema version {version!r}; this program reads {TRACE_VERSION}")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise UsageError("the trace has faults: " + describe_faults(error)) from None
