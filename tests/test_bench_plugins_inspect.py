"""The benchmark as a task of inspect_ai: its figures are those of our scorers on the same answers."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from plugin_items import mini_set, replies
from surveyor.core.errors import UsageError
from surveyor.evals.bench.items import Item
from surveyor.evals.bench.predict import How, open_image, predict
from surveyor.evals.plugins.asking import question, read_reply, right_reply
from surveyor.evals.scores.contrast import score_contrast
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.cres import score_cres
from surveyor.evals.scores.rcd import score_rcd
from surveyor.evals.scores.scored import Scored
from surveyor.tools.models.spec import load_models

pytest.importorskip("inspect_ai", reason="the extra 'inspect' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

from inspect_ai import Task, eval, score  # noqa: E402
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log  # noqa: E402
from inspect_ai.model import (  # noqa: E402
    ChatMessage,
    ContentImage,
    Model,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.solver import generate  # noqa: E402
from surveyor.evals.plugins.inspect_tasks import item_scores, surveyor_agent, surveyor_bench  # noqa: E402

SCORERS: dict[str, Callable[..., Scored]] = {"CREC": score_crec, "CRES": score_cres, "RCD": score_rcd}
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _streams_are_left_behind() -> Iterator[None]:
    """inspect_ai leaves streams open; they go here, where that is no error."""
    yield
    gc.collect()


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for logs and for inspect_ai's own files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "logs"


def bench(task: Any, **options: Any) -> Task:
    """The task on a mini set."""
    return surveyor_bench(items=str(mini_set(task)[0] / "items.jsonl"), **options)


def run(task: Task, logs: Path, **options: Any) -> EvalLog:
    """The log of a run, read back from the disk, which must have gone well."""
    found = eval(task, **{"log_dir": str(logs), "display": "none", "model": None, "log_images": False, **options})[0]
    assert found.status == "success", found.error
    return found


def figures(log: EvalLog) -> dict[str, float]:
    """All metrics of a log by their names."""
    assert log.results is not None and len(log.results.scores) == 1
    return {name: each.value for name, each in log.results.scores[0].metrics.items()}


def speaking(said: dict[str, str], items: tuple[Item, ...], dialect: str = "native") -> Model:
    """A model that answers each question with its reply; it is asked for images too."""
    by_question = {question(item, dialect): item for item in items}

    def reply(messages: list[ChatMessage], *_: Any) -> ModelOutput:
        item = by_question[messages[-1].text]
        shown = [each for each in messages[-1].content if isinstance(each, ContentImage)]
        assert len(shown) == (2 if item.task == "RCD" else 1)
        output = ModelOutput.from_content("mockllm", said[item.id])
        output.usage = ModelUsage()
        return output

    return get_model("mockllm/model", custom_outputs=reply, memoize=False)


def same(log: EvalLog, whole: Scored) -> bool:
    """Whether the figures of a log are the scorer's, to the last bit, and none is lacking."""
    wanted = {name: value for name, value in whole.values().items() if value is not None}
    found = figures(log)
    return {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("task", "dialect"), [("CREC", "native"), ("CREC", "qwen3-vl"), ("CRES", "native"), ("RCD", "native")]
)
def test_a_model_has_the_figures_of_our_scorer(task: Any, dialect: str, logs: Path) -> None:
    _, items = mini_set(task)
    items = tuple({question(item, dialect): item for item in items}.values())  # the mock tells them by their words
    said = replies(items, dialect, seed=1)
    ours = bench(task, dialect=dialect)
    ours.dataset = ours.dataset.filter(lambda sample: sample.id in said)
    log = run(ours, logs, model=speaking(said, items, dialect), solver=generate())
    predictions = [read_reply(said[item.id], item, dialect) for item in items]
    whole = SCORERS[task](items, predictions)
    assert whole.counts().get("unreadable") and same(log, whole)
    assert figures(log)["status unreadable"] == whole.counts()["unreadable"]
    contrast = {name: value for name, value in score_contrast(items, whole).values().items() if value is not None}
    assert {name: figures(log)[name] for name in contrast} == contrast


def test_the_agent_has_the_figures_of_our_scorer(logs: Path) -> None:
    folder, items = mini_set("CRES")
    log = run(bench("CRES", baseline="largest", oracle=["boxes", "masks"], workers=2), logs)
    how = How(baseline="largest", oracle=("boxes", "masks"))
    predictions = [predict(item, load_models(), how, root=folder) for item in items]
    whole = score_cres(items, predictions)
    assert same(log, whole) and 0 < figures(log)["giou"] < 1
    main = {tag for item in items for tag in item.tags if re.match(r"[A-Z]|answers|hops", tag)}
    assert {name.removeprefix("giou ") for name in figures(log) if name.startswith("giou ")} == main
    tag = next(iter(main))
    assert figures(log)[f"giou {tag}"] == whole.only([item.id for item in items if tag in item.tags]).values()["giou"]


def test_told_everything_the_agent_is_right_and_says_so(logs: Path) -> None:
    log = run(bench("CREC", oracle="parser,boxes", limit=4), logs)
    assert figures(log)["set_acc@0.5"] == 1.0 and figures(log)["items"] == 4.0
    for sample in log.samples or []:
        found = (sample.scores or {})["item_scores"]
        truth = json.loads(str(sample.target))
        assert found.value == {"f1@0.5": 1.0, "set@0.5": 1.0}
        assert sorted(json.loads(found.answer or "")) == sorted(
            [pytest.approx(each["box_px"], abs=0.06) for each in truth["answers"]], key=lambda each: each.expected
        )
        assert sample.output.completion


def test_what_goes_wrong_with_an_item_is_its_status(logs: Path, tmp_path: Path) -> None:
    """An image that is lost after the task was made: that item fails, the others are answered."""
    folder, items = mini_set("CREC")
    for image in folder.glob("*.png"):
        (tmp_path / image.name).write_bytes(image.read_bytes())
    task = bench("CREC", oracle=["parser", "boxes"], data=str(tmp_path))
    lost = items[0].image.path
    (tmp_path / lost).unlink()
    open_image.__globals__["_opened"].cache_clear()
    log = run(task, logs)
    failed = sum(item.image.path == lost for item in items)
    assert figures(log)["status failed"] == failed and figures(log)["items"] == len(items) > failed
    assert figures(log)["answered"] == pytest.approx(1 - failed / len(items))


def test_replies_of_every_epoch_count(logs: Path) -> None:
    _, items = mini_set("CREC")
    log = run(bench("CREC", oracle="boxes", baseline="whole-class"), logs, epochs=3)
    how = How(baseline="whole-class", oracle=("boxes",))
    whole = score_crec(items, [predict(item, load_models(), how, root=mini_set("CREC")[0]) for item in items])
    found = figures(log)
    assert found["items"] == 3 * len(items)
    pairs = score_contrast(items, whole).values()
    assert found["pairs"] == 3 * (pairs["pairs"] or 0) and found["contrast"] == pairs["contrast"]
    for name in ("f1_macro@0.5", "recall_micro@0.5", "n_acc"):
        assert found[name] == pytest.approx(whole.values()[name])


def test_a_log_can_be_scored_again(logs: Path) -> None:
    _, items = mini_set("CREC")
    said = {item.id: right_reply(item) for item in items}
    log = run(bench("CREC"), logs, model=speaking(said, items), solver=generate())
    again = score(log, item_scores(oriented=True), action="overwrite", display="none")
    predictions = [read_reply(said[item.id], item) for item in items]
    upright, whole = score_crec(items, predictions), score_crec(items, predictions, oriented=True)
    assert same(log, upright) and same(again, whole) and upright.values() != whole.values()


def test_a_model_that_fails_costs_its_items_alone(logs: Path) -> None:
    _, items = mini_set("CREC")
    said = {item.id: right_reply(item) for item in items[1:]}  # the mock has no reply to the first: KeyError
    options = {"fail_on_error": False, "score_on_error": True, "log_level": "critical"}
    log = run(bench("CREC"), logs, model=speaking(said, items), solver=generate(), **options)
    whole = score_crec(items, [read_reply(said[item.id], item) for item in items[1:]])
    assert figures(log)["status missing"] == 1.0 and same(log, whole)


def test_images_are_the_pixels_of_the_items() -> None:
    folder, items = mini_set("CREC")
    for item, sample in zip(items, bench("CREC").dataset, strict=True):
        assert not isinstance(sample.input, str)
        shown = [each for each in sample.input[0].content if isinstance(each, ContentImage)]
        pixels = cv2.imread(shown[0].image)[..., ::-1]
        assert np.array_equal(pixels, open_image(item.image, folder).read((0, 0, *item.image.size_wh)))
        assert (sample.metadata or {})["item"]["id"] == sample.id == item.id


def test_the_agent_does_not_pass_for_another_model(logs: Path) -> None:
    class Named:
        """A state of a sample that a real model was given for."""

        class model:
            api = "openai"

    with pytest.raises(UsageError, match="--model none"):
        surveyor_agent()(Named(), None).send(None)  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"items": "nowhere.jsonl"}, "cannot read the items"),
        ({"oracle": "eyes"}, "oracle"),
        ({"baseline": "region-blind"}, "region-blind"),
        ({"models": ["grounder=nothing", "chat=none"]}, "nothing"),
        ({"dialect": "qwen2.5-vl"}, "resized"),
        ({"workers": 0}, "workers is 0"),
        ({"limit": 0}, "limit is 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_tasks_that_are_refused(options: dict[str, Any], says: str) -> None:
    given = {"items": str(mini_set("CREC")[0] / "items.jsonl"), **options}
    with pytest.raises(UsageError, match=says):
        surveyor_bench(**given)


def test_inspect_ai_finds_the_task_by_its_name(logs: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("entry-points", {})
    if "inspect_ai" not in declared:
        pytest.skip("pyproject.toml declares no entry point for inspect_ai")
    items = str(mini_set("CREC")[0] / "items.jsonl")
    command = [Path(sys.executable).with_name("inspect"), "eval", "surveyor/surveyor_bench", "--model", "none"]
    options = [
        "-T",
        f"items={items}",
        "-T",
        "oracle=parser,boxes",
        "--limit",
        "1",
        "--log-dir",
        logs,
        "--display",
        "none",
    ]
    done = subprocess.run(
        [*command, *options, "--log-dir", logs], capture_output=True, text=True, cwd=logs.parent
    )  # as a user runs it
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = list_eval_logs(str(logs))
    found = read_eval_log(log)
    assert found.status == "success" and found.eval.task == "surveyor/surveyor_bench"
