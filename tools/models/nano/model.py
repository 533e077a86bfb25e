"""The shipped Qwen2-VL as grounder, describer and change detector: shows the whole way, without a download."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ....core.errors import MissingDependency, UsageError
from ....core.lexicon import resolve
from ....core.progress import note
from ....core.protocols import Description
from ....core.regions import Region
from ..qwen2vl.adapter import Qwen2VL
from ..qwen2vl.engine import engine_at
from ..qwen2vl.settings import COMMAND

if TYPE_CHECKING:
    from ....core.scene import Scene

WEIGHTS = Path(__file__).parent / "weights"
ABOUT = "nano.json"
"""Beside the weights: {"about": what they are, "knows": [the classes that they were taught]}."""
MOST_TOKENS = 400
"""Of a reply: on pictures unlike those that it was taught with it may list objects for ever."""
_NEEDS = ("torch", "transformers", "llguidance")


class Nano(Qwen2VL):
    """A Qwen2-VL of a few million parameters, trained from scratch; see the card beside its weights.

    Unlike a large one it knows only the classes that it was taught. What it is stands in the notes of every answer.

    Args:
        folder: what `finetune.scratch.export` wrote; None for the shipped one.

    Raises:
        MissingDependency: a package of the qwen extra is missing.
        UsageError: the folder holds no such weights.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or WEIGHTS
        if any(find_spec(name) is None for name in _NEEDS):
            raise MissingDependency("the nano model", COMMAND)
        try:
            told = json.loads((folder / ABOUT).read_text("utf-8"))
            self.about, self._knows = str(told["about"]), tuple(map(str, told["knows"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{str(folder)!r} holds no nano model ({error}); train one with runs/nano.sh or "
                "python -m surveyor.finetune.scratch.train, and write it there with "
                "python -m surveyor.finetune.scratch.export RUN FOLDER"
            ) from None
        super().__init__(engine_at(f"{folder}?max_tokens={MOST_TOKENS}"), "nano")

    def knows(self) -> tuple[str, ...]:  # type: ignore[override]  # a closed list where others take any phrase
        """The classes that it was taught."""
        return self._knows

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The classes that the phrase stands for. Raises UnknownPhrase when there are none."""
        from ..spec import open_vocabulary_advice

        return resolve(phrase, self.knows(), advice=open_vocabulary_advice())

    def ground_all(self, scene: Scene, phrases: Sequence[str]) -> list[tuple[Region, ...]]:
        """The regions of each phrase's classes. See `PointingModel.ground_all`.

        Raises:
            UnknownPhrase: a class that it was not taught.
        """
        note(self.about)
        classes = {phrase: self.resolve(phrase) for phrase in phrases}
        asked = list(dict.fromkeys(label for labels in classes.values() for label in labels))
        found = dict(zip(asked, super().ground_all(scene, asked), strict=True))
        return [tuple(region for label in classes[phrase] for region in found[label]) for phrase in phrases]

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """A phrase for each region. See `PointingModel.describe`."""
        note(self.about)
        return super().describe(scene, regions)

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """What changed. See `PointingModel.changes`."""
        note(self.about)
        return super().changes(before, after, phrase)

    def check_report(self) -> dict[str, str]:
        """What was loaded, for `surveyor models check`, and what it is."""
        return {**super().check_report(), "checkpoint": self.answerer.checkpoint.source, "what it is": self.about}
