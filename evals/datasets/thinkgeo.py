"""ThinkGeo: tasks for agents with the calls and answers that are right (Shabbir et al. 2025).

`read_tasks` gives all that its scores need (calls, answers, questions for a judge); the reader gives image, request
and answer. What to know of the file (FORMATS 5): its keys are running numbers as text; arguments of a call come as an
object or as JSON text; `gt_answer` is an object of word groups, a list of reference texts, or nothing at all (tasks
whose result is a picture).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .families import mixed_family
from .reading import checked_split, damaged, existing, field_of, leave_out, read_json, root_folder, short
from .record import Reader, Record, Said, Source, Tally
from .rows import Row, rows_of

SOURCE = Source("ThinkGeo", "not stated", "Shabbir et al. 2025, ThinkGeo")
LAYOUT = ("ThinkGeoBench.json", "image/...")
_FILE = "an object with tasks under '0', '1', ...: {'tools', 'files', 'dialogs', 'gt_answer', 'evaluation'}"


@dataclass(frozen=True)
class Call:
    """One call of a tool that the reference solution makes."""

    tool: str
    arguments: Mapping[str, Any]
    result: str | None = None


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        id: as in the file.
        images: paths, in order.
        tools: names of the tools that may be used.
        request: what the user asks.
        calls: the reference solution's calls, in order.
        answer: its last words; None where it has none.
        whitelist: groups of words, of each of which one must occur in the answer.
        blacklist: words that must not occur.
        texts: reference answers, where similarity is scored.
        checks: questions for a judge.
    """

    id: str
    images: tuple[Path, ...]
    tools: tuple[str, ...]
    request: str
    calls: tuple[Call, ...]
    answer: str | None
    whitelist: tuple[tuple[str, ...], ...] = ()
    blacklist: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def scored_by(self) -> str:
        """ "words", "texts" or "picture": what the authors compare."""
        return "words" if self.whitelist else "texts" if self.texts else "picture"


def read_tasks(root: str | Path) -> Iterator[Task]:
    """All tasks, in the order of their numbers.

    Raises:
        UsageError: the file or an image is missing, or a task cannot be read; names the task.
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    path = existing(folder, ("ThinkGeoBench.json", "ThinkGeo_dataset/ThinkGeoBench.json"), SOURCE.name)
    content = read_json(path, _FILE, dict)
    for name in sorted(content, key=lambda key: (not key.isdecimal(), int(key) if key.isdecimal() else 0, key)):
        yield _task(name, content[name], path)


def read(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per task with one image or two, in the order of their numbers; see `Reader.read`.

    Two images are a pair before/after. The text's `type` tells how the authors score it: "words", "texts" or "picture".
    """
    checked_split(split, (), SOURCE.name)
    for task in read_tasks(root):
        if len(task.images) not in (1, 2):
            leave_out(tally, "task without image" if not task.images else "task with more than two images")
            continue
        said = Said("0", "dialog", task.request, answer=task.answer, type=task.scored_by)
        yield Record(
            id=task.id,
            image=task.images[0],
            size_wh=None,
            family=mixed_family(task.images[0].name, "thinkgeo"),
            source=SOURCE,
            after=task.images[1] if len(task.images) == 2 else None,
            said=(said,),
        )


def _task(name: str, entry: Any, path: Path) -> Task:
    where = f"task {name!r}"
    if not isinstance(entry, dict):
        raise damaged(path, f"it is {short(entry)}", "an object with 'files' and 'dialogs'", where)
    images = []
    for file in rows_of(entry, "files", path, where):
        if file.get("type") == "image":
            images.append(path.parent / field_of(file, "path", str, path, where))
            if not images[-1].is_file():
                raise damaged(path, f"{str(images[-1])!r} is missing", "the images of every task", where)
    dialogs = rows_of(entry, "dialogs", path, where)
    requests = [field_of(turn, "content", str, path, where) for turn in dialogs if turn.get("role") == "user"]
    if not requests:
        raise damaged(path, "nobody asks anything", "a turn with the role 'user'", where)
    last = dialogs[-1]
    answer = last.get("content") if last.get("role") == "assistant" and not last.get("tool_calls") else None
    whitelist, blacklist, texts = _right(entry.get("gt_answer"), path, where)
    return Task(
        id=name,
        images=tuple(images),
        tools=tuple(
            field_of(tool, "name", str, path, where) for tool in rows_of(entry, "tools", path, where, may_lack=True)
        ),
        request="\n".join(requests).strip(),
        calls=_calls(dialogs, path, where),
        answer=answer.strip() if isinstance(answer, str) and answer.strip() else None,
        whitelist=whitelist,
        blacklist=blacklist,
        texts=texts,
        checks=tuple(
            field_of(check, "question", str, path, where)
            for check in rows_of(entry, "evaluation", path, where, may_lack=True)
        ),
    )


def _calls(dialogs: list[Row], path: Path, where: str) -> tuple[Call, ...]:
    """The calls of all turns; the results that follow belong to them in order."""
    calls: list[Call] = []
    open_calls: list[int] = []
    for turn in dialogs:
        for call in rows_of(turn, "tool_calls", path, where, may_lack=True):
            function = field_of(call, "function", dict, path, where)
            arguments = function.get("arguments") or {}
            if isinstance(arguments, str):
                try:
                    arguments = json.loads(arguments)
                except json.JSONDecodeError as error:
                    what = f"arguments {short(arguments)} are not JSON ({error.msg})"
                    raise damaged(path, what, "an object", where) from None
            if not isinstance(arguments, dict):
                raise damaged(path, f"arguments are {short(arguments)}", "an object", where)
            open_calls.append(len(calls))
            calls.append(Call(field_of(function, "name", str, path, where), arguments))
        if turn.get("role") == "tool" and open_calls:
            index = open_calls.pop(0)
            content = turn.get("content")
            told = content if isinstance(content, str) or content is None else json.dumps(content, sort_keys=True)
            calls[index] = Call(calls[index].tool, calls[index].arguments, told)
    return tuple(calls)


def _right(value: Any, path: Path, where: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...], tuple[str, ...]]:
    """(whitelist, blacklist, texts) of `gt_answer`; all empty for null and {}."""
    if isinstance(value, list):
        return (), (), tuple(str(text) for text in value)
    if value is None or value == {}:
        return (), (), ()
    if not isinstance(value, dict):
        raise damaged(
            path, f"gt_answer is {short(value)}", "an object with 'whitelist', a list of texts or null", where
        )
    groups = value.get("whitelist") or []
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise damaged(path, f"whitelist is {short(groups)}", "a list of lists of words", where)
    banned = value.get("blacklist") or []
    if not isinstance(banned, list):
        raise damaged(path, f"blacklist is {short(banned)}", "a list of words or of lists of them", where)
    black = [word for group in banned for word in (group if isinstance(group, list) else [group])]
    return tuple(tuple(map(str, group)) for group in groups), tuple(map(str, black)), ()


READERS = (
    Reader(
        name="thinkgeo",
        about="436 tasks for agents with reference calls and answers",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
    ),
)
