"""Writes an items file as a task of lmms-eval: a folder for `--include_path` that can be moved and given away."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ...core.errors import UsageError
from ...core.progress import report
from ..bench.items import Item
from .asking import DIALECT, check_dialect, question, right_reply
from .images import conditional_items, data_root, images_of, picture_file
from .lmms import metrics_of

IMAGES = "images"
_MOST_TOKENS = 2048

_TASK = Template("""\
# Written by surveyor bench export lmms: $task items, answers in the dialect "$dialect".
#   lmms-eval --include_path FOLDER_OF_THIS_FILE --tasks $name --model ...
task: $name
dataset_path: json
dataset_kwargs:
  data_files:
    test: $items
test_split: test
output_type: generate_until
doc_to_visual: !function $module.doc_to_visual
doc_to_text: question
doc_to_target: target
process_results: !function $module.process_results
generation_kwargs:
  until: []  # boxes stand one a line: a blank line is no end
  max_new_tokens: $tokens
  temperature: 0
  do_sample: false
cluster_key: family
metric_list:
$metrics
metadata:
  version: 1.0
  made_of: $made_of
""")
_METRIC = Template("""\
  - metric: $metric
    aggregation: !function $module.$function
    higher_is_better: true""")
_FUNCTIONS = Template('''\
"""What lmms-eval calls; the work is done in surveyor, which must be installed beside it (pip install surveyor)."""

from pathlib import Path

from surveyor.evals.plugins import lmms

FOLDER = Path(__file__).resolve().parent
DIALECT = "$dialect"


def doc_to_visual(doc):
    return lmms.visuals(doc, FOLDER)


def process_results(doc, results):
    return lmms.processed(doc, results, DIALECT)


$aggregations
''')
_AGGREGATION = Template("""\
def $function(told):
    return lmms.aggregate(told, "$metric")""")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        name: of the task in lmms-eval.
        items: how many.
        images: how many files of images.
    """

    name: str
    items: int
    images: int


def export_lmms(
    items_path: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    dialect: str = DIALECT,
    name: str | None = None,
    limit: int | None = None,
) -> Exported:
    """Writes the task: NAME.yaml, NAME_functions.py, NAME.jsonl with the items, and images, which tasks may share.

    Args:
        items_path: made by `surveyor bench build`.
        out: folder, made where there is none; it may hold other tasks. An earlier export of the same items in the same
            dialect is replaced.
        data: folder that the images' paths are relative to; else the items' own folder, else the working one.
        dialect: how the model is asked to write coordinates.
        name: of the task; None for "surveyor_crec" and the like.
        limit: only the file's first items.

    Raises:
        UsageError: a damaged file, items of another task, no image found, an unknown dialect, a name that is none, or
            one that stands for other items there.
        OSError: the folder cannot be written.
    """
    check_dialect(dialect)
    task, items = conditional_items(items_path, limit)
    name = f"surveyor_{task.lower()}" if name is None else name
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise UsageError(f"the task's name is {name!r}, expected letters, digits, _ and -")
    root, folder = data_root(items_path, data, items), Path(out)
    lines, made_of = folder / f"{name}.jsonl", f"{hashlib.sha256(Path(items_path).read_bytes()).hexdigest()} {dialect}"
    if lines.exists() and lines.samefile(items_path):
        raise UsageError(f"{str(lines)!r} is the items file itself; give another folder or name")
    if lines.exists() and f"made_of: {made_of}" not in _text(folder / f"{name}.yaml"):
        raise UsageError(f"{str(folder)!r} holds a task {name!r} of other items, or in another dialect; give another folder or name")  # fmt: skip  # noqa: E501
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    written: set[str] = set()
    with lines.open("w", encoding="utf-8") as file:
        for number, item in enumerate(items, start=1):
            files = [picture_file(image, root, folder / IMAGES).name for image in images_of(item)]
            written.update(files)
            file.write(json.dumps(_line(item, files, dialect), ensure_ascii=False) + "\n")
            report("items", number, len(items))
    _write_task(folder, task, name, dialect, made_of)
    return Exported(name, len(items), len(written))


def _line(item: Item, files: Sequence[str], dialect: str) -> dict[str, object]:
    """A line of the data. The item is text, so that every line has the same columns."""
    return {
        "id": item.id,
        "question": question(item, dialect),
        "target": right_reply(item, dialect),
        "images": [f"{IMAGES}/{file}" for file in files],
        "family": item.image.family,
        "tags": ", ".join(item.tags),
        "item": item.model_dump_json(exclude_none=True),
    }


def _write_task(folder: Path, task: str, name: str, dialect: str, made_of: str) -> None:
    module = f"{name}_functions"
    metrics = [{"metric": each, "function": re.sub(r"\W", "_", each), "module": module} for each in metrics_of(task)]
    listed = "\n".join(_METRIC.substitute(each) for each in metrics)
    functions = "\n\n\n".join(_AGGREGATION.substitute(each) for each in metrics)
    told = {"task": task, "name": name, "dialect": dialect, "module": module, "made_of": made_of, "metrics": listed}
    (folder / f"{module}.py").write_text(_FUNCTIONS.substitute(dialect=dialect, aggregations=functions), "utf-8")
    (folder / f"{name}.yaml").write_text(_TASK.substitute(told, items=f"{name}.jsonl", tokens=_MOST_TOKENS), "utf-8")


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
