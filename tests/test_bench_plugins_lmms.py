"""An export as lmms-eval takes it: found by its TaskManager, asked of a model, its figures those of our scorers."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from plugin_items import SIZE, mini_set, replies
from surveyor.evals.plugins.asking import question, read_reply
from surveyor.evals.plugins.lmms import metrics_of
from surveyor.evals.plugins.lmms_export import export_lmms
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.cres import score_cres
from surveyor.evals.scores.rcd import score_rcd

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_spec("lmms_eval") is None, reason="not installed: lmms-eval (the extra 'lmms')"),
    pytest.mark.filterwarnings("ignore"),  # of lmms-eval and what it imports
]
SCORERS = {"CREC": score_crec, "CRES": score_cres, "RCD": score_rcd}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of data sets of its own; no network."""
    monkeypatch.setenv("LMMS_EVAL_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def speaking(said: dict[str, str]) -> Any:
    """A model of lmms-eval that answers questions (by their words) and looks at the images."""
    from lmms_eval.api.model import lmms

    class Speaking(lmms):
        is_simple = True

        def generate_until(self, requests: list[Any]) -> list[str]:
            replies = []
            for request in requests:
                context, options, doc_to_visual, doc_id, task, split = request.args
                shown = doc_to_visual(self.task_dict[task][split][doc_id])
                assert [image.size for image in shown] == [SIZE] * (2 if task == "surveyor_rcd" else 1)
                assert options["until"] == []
                replies.append(said[context])
            return replies

        def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
            raise NotImplementedError

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            raise NotImplementedError

    return Speaking()


@pytest.mark.parametrize(
    ("task", "dialect"), [("CREC", "native"), ("CREC", "qwen3-vl"), ("CRES", "native"), ("RCD", "native")]
)
def test_figures_equal_those_of_our_scorer(task: Any, dialect: str, tmp_path: Path) -> None:
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    folder, items = mini_set(task)
    name = export_lmms(folder / "items.jsonl", tmp_path / "tasks/one", dialect=dialect).name
    (tmp_path / "tasks/one").rename(tmp_path / "tasks/moved")
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    assert manager.all_tasks == [name]
    said = replies(items, dialect, seed=1)
    by_question = {question(item, dialect): said[item.id] for item in items}
    done = simple_evaluate(
        model=speaking(by_question), tasks=[name], task_manager=manager, batch_size=1, log_samples=True
    )
    answered = [read_reply(by_question[question(item, dialect)], item, dialect) for item in items]
    whole = SCORERS[task](items, answered)
    assert whole.counts().get("unreadable")
    found = done["results"][name]
    for metric in metrics_of(task):
        figure, wanted = found[f"{metric},none"], whole.values()[metric]
        assert figure == wanted or (wanted is None and math.isnan(figure)), metric
    assert len(done["samples"][name]) == len(items)
