"""Hand-written questions answered with the oracle models, so that only the reasoning is measured.

    python -m surveyor.evals.oracle_cases            # table by query form, then what went wrong
    python -m surveyor.evals.oracle_cases --form between --form side

Cases are data (`tests/data/oracle_cases.yaml`); docs/oracle_cases.md says how they were made and are read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from ..agent.answer import Answer
from ..agent.run import ask
from ..core import errors
from ..core.errors import QueryError, SurveyorError, UsageError
from ..core.plan import describe_faults
from ..tools.values import Count, Truth

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "data" / "oracle_cases.yaml"
DRAWN = ROOT / "tests" / "data" / "oracle_scenes"
SHARED = ROOT.parent / "shared"


class Case(BaseModel):
    """One question and the answer a person gives.

    Args:
        form: the query form it belongs to, for the table.
        scene: "009" (photograph 009.jpg of NWPU VHR-10), "P1888" (DOTA) or "drawn/river" (kept beside the cases).
        gsd: ground sample distance given with the question, metres per pixel.
        ids: annotation ids of the answer set, "38-43, 45"; "none" for the empty set.
        undecided: ids of those that must be left undecided, neither in the answer nor rejected.
        count: the number asked for.
        truth: yes, no or "unknown".
        values: measured value by id; null where it cannot be known. `unit` and relative `tolerance` go with it.
        text: words that the answer's text holds.
        error: name of the error class that the question must raise.
        why: a word on cases that are not obvious.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    form: str
    scene: str
    query: str
    gsd: PositiveFloat | None = None
    ids: str | int | None = None
    undecided: str | int | None = None
    count: int | None = None
    truth: bool | Literal["unknown"] | None = None
    values: dict[int, float | None] | None = None
    unit: str | None = None
    tolerance: PositiveFloat = 0.03
    text: tuple[str, ...] = ()
    error: Literal["QueryError", "UnknownPhrase"] | None = None
    why: str = ""

    @property
    def is_drawn(self) -> bool:
        """Whether the scene lies in the repository, beside the cases."""
        return self.scene.startswith("drawn/")

    def files(self, shared: Path = SHARED) -> tuple[Path, Path]:
        """The image and its annotation (COCO instances, or DOTA labelTxt)."""
        if self.is_drawn:
            name = self.scene.removeprefix("drawn/")
            return DRAWN / f"{name}.jpg", DRAWN / f"{name}.json"
        if self.scene.startswith("P"):
            folder = shared / "data" / "dota_devkit"
            return folder / "images" / f"{self.scene}.png", folder / "labelTxt" / f"{self.scene}.txt"
        folder = shared / "data" / "nwpu_vhr10"
        return folder / "images" / f"{self.scene}.jpg", folder / "val.json"


def read_cases(path: Path = CASES) -> tuple[Case, ...]:
    """The cases of a file, in its order. Raises UsageError that lists every faulty case."""
    faults, cases = [], []
    for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
        try:
            cases.append(Case.model_validate(entry))
        except ValidationError as error:
            faults.append(f"case {number}: {describe_faults(error)}")
    seen = [case.id for case in cases]
    faults += [f"the id {name!r} is used twice" for name in sorted({n for n in seen if seen.count(n) > 1})]
    if faults:
        raise UsageError(f"{path.name} has faults: " + "; ".join(faults))
    return tuple(cases)


def numbers(text: str | int) -> frozenset[int]:
    """The ids that a list stands for.

    Example:
        >>> sorted(numbers("38-40, 43")), sorted(numbers("none")), sorted(numbers(7))
        ([38, 39, 40, 43], [], [7])
    """
    found: set[int] = set()
    for part in [] if text == "none" else str(text).split(","):
        first, _, last = part.strip().partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def ask_case(case: Case, shared: Path = SHARED) -> Answer:
    """The agent's answer to a case, with oracle models. Raises what `ask` raises."""
    image, annotations = case.files(shared)
    models = f"grounder=oracle:{annotations},segmenter=oracle:{annotations}"
    return ask(image, case.query, models=models, gsd=case.gsd, cache=False)


def faults_of(case: Case, shared: Path = SHARED) -> tuple[str, ...]:
    """What is wrong with the agent's answer to a case; nothing when it is exact."""
    try:
        answer = ask_case(case, shared)
    except SurveyorError as error:
        if case.error and isinstance(error, getattr(errors, case.error)):
            return ()
        where = "".join(f" [{error.query[a:b]}]" for a, b in error.spans) if isinstance(error, QueryError) else ""
        return (f"{type(error).__name__}: {error}{where}",)
    if case.error:
        return (f"answered {answer.text!r} where {case.error} was expected",)
    return tuple(_faults(case, answer))


def _faults(case: Case, answer: Answer) -> Iterator[str]:
    if answer.failure is not None:
        yield f"failed: {answer.failure}"
    if case.ids is not None:
        yield from _set_faults("answer", case.ids, [c.region.id for c in answer.regions])
    if case.undecided is not None:
        undecided = [c.region.id for c in answer.rejected if c.status is None]
        yield from _set_faults("undecided", case.undecided, undecided)
    if case.count is not None:
        counts = [part.value.n for part in answer.parts if isinstance(part.value, Count)]
        if counts != [case.count]:
            yield f"counted {counts or 'nothing'}, expected {case.count}"
    if case.truth is not None:
        truths = [part.value.verdict for part in answer.parts if isinstance(part.value, Truth)]
        expected = None if case.truth == "unknown" else case.truth
        if truths != [expected]:
            yield f"said {truths or 'neither yes nor no'}, expected {expected}"
    if case.values is not None:
        yield from _value_faults(case, answer)
    if case.form == "segment" and any(c.region.mask is None for c in answer.regions):
        yield "a region has no mask"
    yield from (f"the answer does not say {word!r}: {answer.text!r}" for word in case.text if word not in answer.text)


def _set_faults(name: str, expected: str | int, region_ids: Sequence[str]) -> Iterator[str]:
    got, wanted = {int(item.rsplit("-", 1)[1]) for item in region_ids}, numbers(expected)
    if wanted - got:
        yield f"{name} lacks {sorted(wanted - got)}"
    if got - wanted:
        yield f"{name} has {sorted(got - wanted)} too many"


def _value_faults(case: Case, answer: Answer) -> Iterator[str]:
    got = {int(item.region_id.rsplit("-", 1)[1]): item for item in answer.values}
    if set(got) != set(case.values or {}):
        yield f"measured {sorted(got)}, expected {sorted(case.values or {})}"
        return
    for number, wanted in (case.values or {}).items():
        item = got[number]
        if item.unit != case.unit:
            yield f"{number} is measured in {item.unit!r}, expected {case.unit!r}"
        if wanted is None or item.value is None:
            if item.value is not wanted:
                yield f"{number} measures {item.value}, expected {wanted}"
        elif abs(item.value - wanted) > case.tolerance * wanted:
            yield f"{number} measures {item.value:g} {item.unit}, expected {wanted:g}"


def table(results: Sequence[tuple[Case, tuple[str, ...]]]) -> str:
    """A Markdown table: per query form the number of cases and how many were answered exactly."""
    lines = ["| query form | cases | exact |", "|---|---:|---:|"]
    for form in dict.fromkeys(case.form for case, _ in results):
        faults = [bad for case, bad in results if case.form == form]
        lines.append(f"| {form} | {len(faults)} | {sum(not bad for bad in faults)} |")
    lines.append(f"| **all** | **{len(results)}** | **{sum(not bad for _, bad in results)}** |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table to stdout and each inexact case to stderr; 0 when all are exact, else 1, 2 on usage errors."""
    parser = argparse.ArgumentParser(prog="python -m surveyor.evals.oracle_cases", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=Path, default=CASES, help="YAML file of cases")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/nwpu_vhr10 and data/dota_devkit")
    parser.add_argument("--form", action="append", help="only this query form; may be repeated")
    options = parser.parse_args(arguments)
    try:
        cases = [case for case in read_cases(options.cases) if not options.form or case.form in options.form]
    except (OSError, UsageError) as error:
        print(error, file=sys.stderr)
        return 2
    present = [case for case in cases if all(file.exists() for file in case.files(options.shared))]
    if len(present) < len(cases):
        missing = len(cases) - len(present)
        print(f"{missing} cases are left out: no images in {str(options.shared)!r}", file=sys.stderr)
    results = [(case, faults_of(case, options.shared)) for case in present]
    print(table(results))
    for case, bad in results:
        if bad:
            print(f"{case.id} ({case.scene}, {case.query!r}): {'; '.join(bad)}", file=sys.stderr)
    return int(any(bad for _, bad in results))


if __name__ == "__main__":
    sys.exit(main())
