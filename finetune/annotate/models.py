"""Models that describe pictures for annotation: asked in free words, answers read strictly, asked again within a bound.

Whatever can be asked in words about a picture will do: `PointingModel`s (checkpoints here or servers) are asked with
the prompt as it is, other `SceneReader`s by `answer`. A `Describer` that takes no questions says a few words on each
object, without markers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ...core.errors import ModelOutputError, UsageError
from ...core.protocols import ChatModel, Describer, SceneReader
from ...core.scene import Scene
from ...evals.datasets.record import Tally
from ...prompts import load
from ...tools.models.pointing import PointingModel, picture
from ...tools.models.prompting import Prompt, meaning
from ...tools.models.spec import load_models
from ...tools.models.tasks import Asking
from ...tools.models.views import whole
from .reading import Refused

Meaning = TypeVar("Meaning")
TRIES = 3
"""How often a question is put before its answer is done without."""
_TOKENS = 400


class Seer(Protocol):
    """Answers questions about pictures in free words."""

    @property
    def name(self) -> str:
        """For traces."""
        ...

    def say(self, questions: Sequence[tuple[Scene, str]]) -> list[str]:
        """One text a question, in order."""
        ...


@dataclass(frozen=True)
class PointingSeer:
    """A model that answers prompts, asked in words of ours: several prompts at once where that is worth it."""

    model: PointingModel

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def say(self, questions: Sequence[tuple[Scene, str]]) -> list[str]:
        """One text a question, in order."""
        answerer, found = self.model.answerer, []
        prompts = [self._prompt(scene, text) for scene, text in questions]
        step = max(1, answerer.at_once)
        for start in range(0, len(prompts), step):
            part = prompts[start : start + step]
            for prompt, reply in zip(part, answerer.ask(part), strict=True):
                try:
                    found.append(meaning(prompt.asking, reply))
                except ModelOutputError:
                    found.append(reply.text)
        return found

    def _prompt(self, scene: Scene, text: str) -> Prompt:
        (view,) = whole(scene.size_wh, max(56 * 56, self.model.answerer.most_pixels))
        view = view.shown_at(self.model.answerer.seen_size(view.size_wh, 1.0))
        return Prompt((picture(scene, view),), Asking("vqa", text, None, _same, _TOKENS, _same))


@dataclass(frozen=True)
class ReadingSeer:
    """A scene reader, asked by its `answer`."""

    model: SceneReader

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def say(self, questions: Sequence[tuple[Scene, str]]) -> list[str]:
        """One text a question, in order."""
        found = []
        for scene, text in questions:
            try:
                found.append(self.model.answer(scene, text))
            except ModelOutputError as error:
                found.append(error.raw)
        return found


@dataclass(frozen=True)
class Helpers:
    """The models of one run; with none of them every text comes from rules.

    Attributes:
        seer: describes the scene, marked objects and groups.
        describer: says a few words on each object; asked where there is no seer.
        chat: rewrites the joined texts.
        tries: how often each is asked.
    """

    seer: Seer | None = None
    describer: Describer | None = None
    chat: ChatModel | None = None
    tries: int = TRIES

    def names(self) -> dict[str, str]:
        """Role -> model, with its version where it tells one."""
        found = {}
        for role in ("seer", "describer", "chat"):
            model: Any = getattr(self, role)
            if model is not None:
                inner = getattr(model, "model", model)
                version = getattr(inner, "version", None)
                found[role] = model.name if version is None else f"{model.name} {version}"
        return found

    @classmethod
    def of(cls, describer: str | None = None, chat: str | None = None, tries: int = TRIES) -> Helpers:
        """The models of specs: "qwen2vl:DIR", "openai:MODEL@URL", "compact" ...; "hf:DIR", "openai:MODEL@URL".

        Raises:
            UsageError: no such model, or less than one try.
        """
        if tries < 1:
            raise UsageError(f"each question is put {tries!r} times, expected once or more")
        spec = ",".join(f"{role}={name}" for role, name in (("describer", describer), ("chat", chat)) if name)
        if not spec:
            return cls(tries=tries)
        models = load_models(spec)
        looks: Any = models.describer if describer else None
        seer = seer_of(looks)
        return cls(seer, looks if seer is None else None, models.chat, tries)


def seer_of(model: Any) -> Seer | None:
    """What answers questions about pictures by this model; None where it takes none."""
    if isinstance(model, PointingModel):
        return PointingSeer(model)
    return ReadingSeer(model) if isinstance(model, SceneReader) else None


@dataclass(frozen=True)
class Question:
    """One question about a picture, and how its answer is read (raises Refused)."""

    scene: Scene
    text: str
    read: Callable[[str], Any]


def answers(seer: Seer, questions: Sequence[Question], tries: int, tally: Tally) -> list[Any]:
    """What each answer means; None for one that could not be used however often it was asked. Refusals are counted."""
    found: list[Any] = [None] * len(questions)
    waiting = {index: question.text for index, question in enumerate(questions)}
    for turn in range(tries):
        if not waiting:
            break
        said = seer.say([(questions[index].scene, text) for index, text in waiting.items()])
        still = {}
        for index, reply in zip(waiting, said, strict=True):
            try:
                found[index] = questions[index].read(reply)
            except Refused as error:
                tally[f"asked again: {error.reason}" if turn + 1 < tries else f"done without: {error.reason}"] += 1
                still[index] = load("annotate_again").render(question=questions[index].text, fault=str(error))
        waiting = still
    return found


def rewritten(chat: ChatModel, text: str, read: Callable[[str], Meaning], tries: int, tally: Tally) -> Meaning | None:
    """What a language model's reply means; None where no reply could be used. Refusals are counted."""
    asked = text
    for turn in range(tries):
        reason, fault = "the reply cannot be read", ""
        try:
            return read(chat.complete([{"role": "user", "content": asked}]))
        except Refused as error:
            reason, fault = error.reason, str(error)
        except ModelOutputError as error:
            fault = str(error)
        tally[f"asked again: {reason}" if turn + 1 < tries else f"not rewritten: {reason}"] += 1
        asked = load("annotate_again").render(question=text, fault=fault)
    return None


def _same(text: str) -> str:
    return text
