"""The benchmarks as a task of inspect_ai: `inspect eval surveyor/surveyor_bench -T items=items.jsonl --model none`.

Who answers is the solver: surveyor's agent, or with `--solver generate` (or any other of inspect_ai) the model that
inspect_ai is given. The question holds the images and says how boxes are to be written, so that any model can answer
it; the agent is given the item and passes the question over. The figures are those of `evals.scores`.

inspect_ai loads this module by its entry point; nothing else here imports it.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...agent.store import cache_folder
from ...core.errors import MissingDependency, UsageError
from ...core.plan import describe_faults
from ...tools.models.spec import Models, load_models
from ..bench.items import Item
from ..bench.predict import How, predict
from ..bench.predictions import Prediction
from ..report.report_words import group_of
from ..scores.contrast import score_contrast
from ..scores.scored import Row, Scored
from .asking import DIALECT, check_dialect, question, read_reply, truth_of
from .images import conditional_items, data_root, images_of, picture_file
from .itemwise import item_mean, own_scores, score_item, table

try:
    import anyio
    from inspect_ai import Task, task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ContentImage, ContentText, ModelOutput
    from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
    from inspect_ai.solver import Generate, Solver, TaskState, solver
    from inspect_ai.util import concurrency
except ImportError as error:
    raise MissingDependency("The task for inspect_ai", "pip install 'surveyor[inspect]'") from error

PREDICTION = "surveyor_prediction"
"""Key of a sample's store that holds the prediction of a solver that makes one."""

_NO_MODEL = ("none", "mockllm")
_TAG_GROUPS = ("condition", "answers", "hops")
_REASONS = {"unreadable": "invalid_response_format", "refused": "refusal", "missing": "no_response"}

Listed = str | Sequence[str] | None
"""A text with commas, which inspect_ai's command line turns into a list."""


@task
def surveyor_bench(
    items: str,
    data: str | None = None,
    models: Listed = None,
    oracle: Listed = None,
    baseline: str | None = None,
    parser: str = "auto",
    bands: str = "crisp",
    timeout: float | None = None,
    workers: int = 1,
    limit: int | None = None,
    dialect: str = DIALECT,
    oriented: bool = False,
) -> Task:
    """A conditional benchmark (CREC, CRES or RCD), answered by surveyor's agent unless another solver is given.

    Args:
        items: file made by `surveyor bench build`.
        data: folder that the images' paths are relative to; else the items' own folder, else the working one.
        models: the agent's, as in `surveyor bench run --models`.
        oracle: what the agent is told of the truth, by commas: parser, boxes, masks.
        baseline: answers instead of the agent, see `surveyor bench run --baseline`.
        parser: what reads the expression.
        bands: how the agent judges borderline geometry, crisp or strict.
        timeout: seconds an item may take the agent.
        workers: items that the agent answers at once.
        limit: only the file's first items.
        dialect: how other models are asked to write coordinates: native, qwen2-vl or qwen3-vl.
        oriented: compare oriented boxes (CREC).

    Raises:
        UsageError: a damaged file, no image found, an unknown dialect, model or oracle.
    """
    name, found = conditional_items(items, limit)
    check_dialect(dialect)
    root = data_root(items, data, found)
    folder = _pictures()
    how = _how(oracle, baseline, parser, bands, timeout)
    how.check(name)
    return Task(
        dataset=MemoryDataset([_sample(item, root, folder, dialect) for item in found], name=Path(items).stem),
        solver=surveyor_agent(models, oracle, baseline, parser, bands, timeout, workers),
        scorer=item_scores(oriented),
        metadata={"task": name, "items": len(found), "dialect": dialect, "oriented": oriented},
    )


def _sample(item: Item, root: Path, folder: Path, dialect: str) -> Sample:
    shown = [ContentImage(image=str(picture_file(image, root, folder))) for image in images_of(item)]
    asked = ContentText(text=question(item, dialect))
    return Sample(
        id=item.id,
        input=[ChatMessageUser(content=[*shown, asked])],
        target=json.dumps(truth_of(item)),
        metadata={
            "item": item.model_dump(mode="json", exclude_none=True),
            "root": str(root),
            "dialect": dialect,
        },
    )


def _pictures() -> Path:
    """Where images are kept as files: they must outlive the run, since a log that is tried again names them."""
    kept = cache_folder()
    if kept is None:
        return Path(tempfile.mkdtemp(prefix="surveyor-pictures-"))
    folder = kept / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---- who answers ----------------------------------------------------------------------------------------------


@solver
def surveyor_agent(
    models: Listed = None,
    oracle: Listed = None,
    baseline: str | None = None,
    parser: str = "auto",
    bands: str = "crisp",
    timeout: float | None = None,
    workers: int = 1,
) -> Solver:
    """surveyor's agent; what goes wrong with an item becomes its status. See `surveyor_bench` for the arguments."""
    if workers < 1:
        raise UsageError(f"workers is {workers!r}, expected 1 or more")
    how = _how(oracle, baseline, parser, bands, timeout)
    loaded = load_models(_text(models))

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.model.api not in _NO_MODEL:
            raise UsageError(
                f"surveyor's agent does not ask {str(state.model)!r}: give the agent's models with -T models=... and "
                "run with --model none; to put the questions to that model take --solver generate"
            )
        item = Item.model_validate(state.metadata["item"])
        async with concurrency("surveyor", workers):
            found = await _in_thread(item, loaded, how, state.metadata["root"])
        state.store.set(PREDICTION, found.model_dump(mode="json", exclude_none=True))
        said = found.said or found.status
        state.output = ModelOutput.from_content("surveyor", said)
        state.messages.append(ChatMessageAssistant(content=said, model="surveyor"))
        return state

    return solve


async def _in_thread(item: Item, models: Models, how: How, root: str) -> Prediction:
    """The prediction, made on a thread; when inspect_ai gives the sample up, the agent stops at its next step."""
    cancel = threading.Event()

    def work() -> Prediction:
        return predict(item, models, how, root=root, cancel=cancel)

    try:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    finally:
        cancel.set()


def _how(oracle: Listed, baseline: str | None, parser: str, bands: str, timeout: float | None) -> How:
    parts = [part.strip() for part in (_text(oracle) or "").split(",") if part.strip()]
    given = {"oracle": parts, "baseline": baseline, "parser": parser, "bands": bands, "timeout_s": timeout}
    try:
        return How.model_validate(given)
    except ValidationError as error:
        raise UsageError(describe_faults(error)) from None


def _text(given: Listed) -> str | None:
    return given if given is None or isinstance(given, str) else ",".join(map(str, given))


# ---- scores ---------------------------------------------------------------------------------------------------


@metric(scores="unreduced")
def figures() -> Metric:
    """All figures of the task's scorer; over several epochs each reply counts as an item."""

    def of(scores: list[SampleScore]) -> Value:
        run = _table(scores)
        return {} if run is None else _defined(run.values())

    return of


@metric(scores="unreduced")
def by_tag() -> Metric:
    """The mean of the items' own scores for each kind of condition, number of answers and number of hops."""

    def of(scores: list[SampleScore]) -> Value:
        run = _table(scores)
        if run is None:
            return {}
        main = item_mean(_task(scores))
        tagged: dict[str, list[str]] = {}
        for id, each in _numbered(scores):
            for tag in (tag for tag in _item(each).get("tags", ()) if group_of(tag) in _TAG_GROUPS):
                tagged.setdefault(tag, []).append(id)
        return _defined({f"{main} {tag}": run.only(tagged[tag]).values()[main] for tag in sorted(tagged)})

    return of


@metric(scores="unreduced")
def twins() -> Metric:
    """Share of contrast pairs with both right."""

    def of(scores: list[SampleScore]) -> Value:
        run = _table(scores)
        return {} if run is None else _defined(score_contrast(_twinned(scores), run).values())

    return of


@metric(scores="unreduced")
def statuses() -> Metric:
    """How many replies have each status; all but "answered" are wrong."""

    def of(scores: list[SampleScore]) -> Value:
        counted = Counter(_told(each)["status"] for each in scores)
        return {f"status {name}": float(n) for name, n in sorted(counted.items())}

    return of


@scorer(metrics=[figures(), twins(), statuses(), by_tag()])
def item_scores(oriented: bool = False) -> Scorer:
    """What each item adds to the sums of its task's scorer.

    A solver that made a prediction is taken at its word; of any other the last reply is read in the dialect that was
    asked for, and one that cannot be read is wrong.
    """

    async def score(state: TaskState, target: Target) -> Score:
        item = Item.model_validate(state.metadata["item"])
        found = _prediction(state, item)
        row = score_item(item, found, oriented=oriented)
        said = "" if found is None else found.said
        return Score(
            value=own_scores(row, item.task),
            answer=_answer(found),
            explanation=said or None,
            reason=_REASONS.get(row.status),
            metadata={"status": row.status, "adds": dict(row.adds)},
        )

    return score


def _prediction(state: TaskState, item: Item) -> Prediction | None:
    kept = state.store.get(PREDICTION)
    if kept is not None:
        return Prediction.model_validate(kept)
    if not state.output.choices:
        return None
    return read_reply(state.output.completion, item, state.metadata["dialect"])


def _answer(found: Prediction | None) -> str:
    if found is None or found.status != "answered":
        return "missing" if found is None else found.status
    boxes = [[round(float(v), 1) for v in region.hbb] for region in found.regions]
    return json.dumps(boxes) if boxes or found.mask_rle is None else "a mask"


def _item(one: SampleScore) -> dict[str, Any]:
    return dict((one.sample_metadata or {})["item"])


def _told(one: SampleScore) -> dict[str, Any]:
    return one.score.metadata or {}


def _task(scores: Sequence[SampleScore]) -> str:
    return str(_item(scores[0])["task"])


def _numbered(scores: Sequence[SampleScore]) -> Iterator[tuple[str, SampleScore]]:
    """Each score under an id of its own: replies to an item in later epochs are "ID (2)" and so on."""
    seen: Counter[str] = Counter()
    for each in scores:
        id = str(each.sample_id)
        seen[id] += 1
        yield (id if seen[id] == 1 else f"{id} ({seen[id]})"), each


def _table(scores: Sequence[SampleScore]) -> Scored | None:
    """The scorer's table of these samples; None without any."""
    if not scores:
        return None
    rows = []
    for id, each in _numbered(scores):
        told = _told(each)
        rows.append(Row(id, _item(each)["image"]["family"], told["status"], told["adds"]))
    return table(_task(scores), rows)


def _twinned(scores: Sequence[SampleScore]) -> list[Item]:
    """The items under the ids of `_numbered`; twins of one epoch belong together."""
    items = []
    for id, each in _numbered(scores):
        item = Item.model_validate(_item(each))
        twin = None if item.twin is None else item.twin + id.removeprefix(item.id)
        items.append(item.model_copy(update={"id": id, "twin": twin}))
    return items


def _defined(values: dict[str, float | None]) -> dict[str, str | int | float | bool | None]:
    """The figures that there are: nothing for 0/0."""
    return {name: float(value) for name, value in values.items() if value is not None}
