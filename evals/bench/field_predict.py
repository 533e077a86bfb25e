"""One item of the field's tasks put to the model that can answer it.

An expression goes to the grounder as it stands, as the field does it: the region with the best score is the answer, the
first where no scores are given; for RES its box goes on to the segmenter. With `through="agent"` the whole agent reads
the expression, so that conditions are judged by geometry. Questions, captions and classes of scenes are answered by the
grounder, or the describer, if it can be asked in words (`SceneReader`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...agent.class_names import adopt_class_names
from ...agent.parsers import parse_request
from ...core.budget import charge
from ...core.errors import ModelOutputError, UsageError
from ...core.geometry import box_to_corners
from ...core.masks import Mask
from ...core.protocols import SceneReader
from ...core.regions import Candidate, CandidateSet, Region
from ...core.scene import Scene
from ...tools.ground import ground
from ...tools.models.spec import Models
from ...tools.segment import segment
from ...tools.sight import answer, caption, classify
from .items import AnyItem, FieldItem, Truth
from .predict import WARM_S, How, by_agent, open_image, predict, predicted, settled, warm
from .predictions import Predicted, Prediction

_ASK = "--models grounder=qwen2vl:FOLDER or grounder=openai:MODEL@URL"
_ROLES = ("grounder", "describer")


@dataclass(frozen=True)
class GroundedCaption:
    """A description and the pixels of its phrases.

    Attributes:
        text: the description, without tags.
        phrases: in its order.
        masks: one a phrase.
    """

    text: str
    phrases: tuple[str, ...]
    masks: tuple[Mask, ...]


@runtime_checkable
class GroundedCaptioner(Protocol):
    """A model that describes a scene and shows what it speaks of (GCG). None comes with this version: give your own."""

    name: str

    def caption_grounded(self, scene: Scene) -> GroundedCaption:
        """The description with its masks. Raises ModelOutputError."""
        ...


@runtime_checkable
class ChangeCaptioner(Protocol):
    """A model that says what changed between two scenes. None comes with this version: give your own."""

    name: str

    def caption_change(self, before: Scene, after: Scene) -> str:
        """One sentence. Raises ModelOutputError."""
        ...


def answer_item(
    item: AnyItem,
    models: Models,
    how: How,
    *,
    root: str | Path = ".",
    cancel: threading.Event | None = None,
    cache: bool = False,
) -> Prediction:
    """The answer to an item of any task; arguments and errors as of `predict.predict`."""
    if not isinstance(item, FieldItem):
        return predict(item, models, how, root=root, cancel=cancel, cache=cache)
    cancel = cancel or threading.Event()
    return settled(_Asked(item, models, how, Path(root), cancel, cache), how, cancel)


def warm_up(item: AnyItem, models: Models, how: How, *, root: str | Path = ".") -> None:
    """As `predict.warm`, for an item of any task."""
    if not isinstance(item, FieldItem):
        warm(item, models, how, root=root)
    elif how.timeout_s is not None:
        answer_item(item, models, how.model_copy(update={"timeout_s": WARM_S}), root=root)


def check_field(task: str, how: How, models: Models, *, pairs: bool = False) -> None:
    """Raises UsageError where items of a task of the field cannot be answered so: before any is asked.

    Args:
        task: one of `FIELD_TASKS`.
        how: of the run.
        models: of the run.
        pairs: whether items show a scene before and after.
    """
    if how.baseline is not None:
        raise UsageError(f"the baseline {how.baseline!r} is for CREC, CRES and RCD items, these are {task}; leave it out")  # fmt: skip  # noqa: E501
    if how.oracle and (task, how.oracle) != ("RES", ("boxes",)):
        raise UsageError(f"{task} items have no oracle {', '.join(how.oracle)!r}; the only one is boxes, for RES")
    if how.through == "agent" and task not in ("REC", "RES"):
        raise UsageError(f"the agent answers expressions (REC, RES), these are {task}; leave --through out")
    if how.oracle and how.through == "agent":
        raise UsageError("the oracle 'boxes' takes the place of the agent; leave --through or --oracle out")
    if task == "GCG":
        captioner(models)
    elif task == "CAPTION" and pairs:
        change_captioner(models)
    elif task in ("VQA", "CAPTION", "SCENE"):
        reader(models)


def field_roles(task: str, how: How, models: Models, *, pairs: bool = False) -> list[str]:
    """The roles of the models that are asked."""
    if task in ("REC", "RES"):
        found = [] if "boxes" in how.oracle else ["grounder"]
        found += ["segmenter"] if task == "RES" else []
        return found + (["chat"] if how.through == "agent" and how.parser != "grammar" else [])
    if task == "CAPTION" and pairs:
        return ["change"]
    wanted = GroundedCaptioner if task == "GCG" else SceneReader
    return [role for role in _ROLES if isinstance(getattr(models, role), wanted)][:1]


def reader(models: Models) -> SceneReader:
    """The model that is asked in words: the grounder, else the describer. Raises UsageError where neither can be."""
    for role in _ROLES:
        if isinstance(found := getattr(models, role), SceneReader):
            return found
    raise UsageError(f"no model of this run can be asked in words ({_named(models)}); give one that can: {_ASK}")


def captioner(models: Models) -> GroundedCaptioner:
    """The model that writes grounded captions. Raises UsageError where there is none."""
    for role in _ROLES:
        if isinstance(found := getattr(models, role), GroundedCaptioner):
            return found
    raise UsageError(
        f"no model of this run writes captions with masks ({_named(models)}), and none comes with this version; from "
        "Python give run(models=Models(...)) a grounder or describer with the method caption_grounded(scene), see "
        "evals.bench.field_predict.GroundedCaptioner"
    )


def change_captioner(models: Models) -> ChangeCaptioner:
    """The model that describes changes. Raises UsageError where there is none."""
    if isinstance(models.change, ChangeCaptioner):
        return models.change
    raise UsageError(
        f"no model of this run describes what changed ({_named(models)}), and none comes with this version; from "
        "Python give run(models=Models(...)) a change detector with the method caption_change(before, after), see "
        "evals.bench.field_predict.ChangeCaptioner"
    )


def _named(models: Models) -> str:
    return ", ".join(f"{role} {name}" for role, name in models.names().items())


class _Asked:
    """One item on its way to its answer."""

    def __init__(
        self, item: FieldItem, models: Models, how: How, root: Path, cancel: threading.Event, cache: bool
    ) -> None:
        self.item, self.models, self.how, self.root = item, models, how, root
        self.cancel, self.cache = cancel, cache
        self.understood: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The item's id."""
        return self.item.id

    def answered(self) -> Prediction:
        """The answer; raises whatever goes wrong."""
        item = self.item
        scene = open_image(item.image, self.root)
        if item.task in ("REC", "RES"):
            return self._regions(scene)
        if item.task == "GCG":
            return self._grounded(scene)
        return Prediction(id=item.id, said=self._said(scene))

    def _said(self, scene: Scene) -> str:
        item = self.item
        if item.after is not None:
            later = open_image(item.after, self.root)
            charge(calls=1)
            return change_captioner(self.models).caption_change(scene, later)
        asked = reader(self.models)
        if item.task == "VQA":
            return answer(scene, item.text, reader=asked).text
        if item.task == "SCENE":
            return classify(scene, item.options, reader=asked).text
        return caption(scene, reader=asked).text

    def _grounded(self, scene: Scene) -> Prediction:
        charge(calls=1)
        found = captioner(self.models).caption_grounded(scene)
        if len(found.masks) != len(found.phrases):
            raise ModelOutputError(f"{len(found.phrases)} phrases came with {len(found.masks)} masks", found.text)
        regions = [_of_mask(mask, phrase) for phrase, mask in zip(found.phrases, found.masks, strict=True)]
        return Prediction(id=self.item.id, regions=tuple(regions), said=found.text)

    def _regions(self, scene: Scene) -> Prediction:
        """Regions, the one that is meant first; with masks for RES."""
        item, said = self.item, ""
        if "boxes" in self.how.oracle:
            found = tuple(_region(truth) for truth in item.objects)
            if not found:
                raise UsageError(f"the item {item.id!r} has no boxes; its truth are pixels: leave the oracle out")
        elif self.how.through == "agent":
            found, said = self._by_agent(scene)
        else:
            found = tuple(each.region for each in ground(scene, [item.text], grounder=self.models.grounder))
        found = _best_first(found)
        if item.task == "RES":
            chosen = found[:1] if is_one(item) else found
            wanted = CandidateSet(tuple(Candidate(region) for region in chosen))
            found = tuple(each.region for each in segment(scene, wanted, segmenter=self.models.segmenter))
        return Prediction(
            id=item.id, regions=tuple(predicted(region) for region in found), request=self.understood, said=said
        )

    def _by_agent(self, scene: Scene) -> tuple[tuple[Region, ...], str]:
        item, how = self.item, self.how
        words = f"detect {item.text}"  # masks are made of the chosen region alone, whichever way it is found
        request = adopt_class_names(
            parse_request(words, how.parser, self.models.chat).request, self.models.grounder.knows()
        )
        self.understood = request.model_dump(mode="json")
        found = by_agent(request, words, scene, self.models, how, cache=self.cache, cancel=self.cancel)
        return tuple(each.region for each in found.regions), found.text


def is_one(item: FieldItem) -> bool:
    """Whether one thing is asked for; else all pixels that the expression names (RefSegRS, maps of classes)."""
    return len(item.objects) == 1


def _best_first(found: Sequence[Region]) -> tuple[Region, ...]:
    """By score; as they came where scores are equal, or one is not given."""
    scores = [region.score for region in found if region.score is not None]
    if len(scores) < len(found):
        return tuple(found)
    return tuple(found[i] for i in sorted(range(len(found)), key=lambda i: -scores[i]))


def _region(truth: Truth) -> Region:
    box = np.array(truth.hbb)
    corners = box_to_corners(box) if truth.obb is None else np.array(truth.obb)
    return Region(truth.id, truth.label, corners, box, source="oracle:item")


def _of_mask(mask: Mask, phrase: str) -> Predicted:
    box = mask.box_px
    hbb = (0.0, 0.0, 0.0, 0.0) if box is None else tuple(box.tolist())
    return Predicted(hbb=hbb, rle=mask.to_rle(), label=phrase)
