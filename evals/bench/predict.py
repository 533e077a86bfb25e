"""One item put to the agent, or to a part of it with the rest answered by the item's own truth."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ...agent.answer import Answer
from ...agent.class_names import adopt_class_names
from ...agent.parsers import ParserName, parse_request
from ...agent.planner import make_plan
from ...agent.run import run as run_plan
from ...core.budget import Budget, Meter, metering
from ...core.conditions import Node, Request
from ...core.errors import (
    BudgetExceeded,
    Cancelled,
    MissingDependency,
    ModelOutputError,
    QueryError,
    SurveyorError,
    ToolFailed,
    UsageError,
)
from ...core.geometry import box_to_corners
from ...core.regions import Region
from ...core.scene import Scene
from ...tools.bands import CRISP, STRICT
from ...tools.models.spec import Models
from .baselines import RCD_ONLY, Baseline, chosen, class_request
from .changes import NO_DETECTOR, as_pair, held_inside, union_of
from .items import Image, Item
from .oracles import with_oracles
from .predictions import Predicted, Prediction

Oracle = Literal["parser", "boxes", "masks"]
BUG = "not expected"
"""First words of what is said of an error that is nobody's but the program's."""
WARM_S = 1800.0


class How(Node):
    """What answers the items; part of a run's settings.

    Attributes:
        oracle: parts whose answer is the item's truth: "parser" (its request is run), "boxes" (its objects are found
            as labelled; for RCD the changed parts, with their pixels), "masks" (its masks are given). None: the
            expression goes through the whole agent, which finds changed things by the change detector.
        baseline: an answer that looks at no condition, see `baselines`; None for the agent.
        parser: what reads the expression, as in `surveyor.ask`.
        bands: how borderline geometry is judged; `crisp` as `surveyor.ask` does.
        timeout_s: seconds an item may take, reading the image included; None for no bound. A later answer counts as
            none, however good it is.
        through: what is asked with the expressions of the field's tasks: the "grounder" itself, as the field does, or
            the whole "agent"; see `field_predict`.
    """

    oracle: tuple[Oracle, ...] = ()
    baseline: Baseline | None = None
    parser: ParserName = "auto"
    bands: Literal["crisp", "strict"] = "crisp"
    timeout_s: float | None = Field(default=None, gt=0)
    through: Literal["grounder", "agent"] = "grounder"

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("oracle"), list | tuple | set | frozenset):
            return {**data, "oracle": tuple(sorted(set(data["oracle"])))}
        return data

    @property
    def reads(self) -> bool:
        """Whether the expression is parsed."""
        return self.baseline is None and "parser" not in self.oracle

    @property
    def mode(self) -> str:
        """In words: "full", "oracle boxes and parser", "baseline largest, oracle boxes"."""
        oracle = f"oracle {' and '.join(self.oracle)}" if self.oracle else ""
        baseline = f"baseline {self.baseline}" if self.baseline else ""
        agent = "through the agent" if self.through == "agent" else ""
        return ", ".join(filter(None, (baseline, oracle, agent))) or "full"

    def check(self, task: str, models: Models | None = None) -> None:
        """Raises UsageError where items of a task cannot be answered in this way, or not with these models."""
        if self.baseline in RCD_ONLY and task != "RCD":
            instead = "; use 'whole-class'" if self.baseline == "region-blind" else ""
            raise UsageError(f"the baseline {self.baseline!r} is for RCD items, these are {task}{instead}")
        if self.baseline is not None and "parser" in self.oracle:
            raise UsageError(f"the baseline {self.baseline!r} reads no words; leave 'parser' out of --oracle")
        if task == "CREC" and "masks" in self.oracle:
            raise UsageError("CREC items have no oracle 'masks': they ask for boxes; leave it out of --oracle")
        if task != "RCD":
            return
        if "masks" in self.oracle:
            raise UsageError("RCD items have no oracle 'masks': the changed parts of 'boxes' come with their pixels")
        if models is not None and "change" in self.rcd_roles and models.change is None:
            raise UsageError(NO_DETECTOR)

    @property
    def rcd_roles(self) -> tuple[str, ...]:
        """The models that RCD items are put to, as in `Models`."""
        if self.baseline == "no-change":
            return ()
        asked = () if "boxes" in self.oracle else ("change",)
        return (*asked, "chat") if self.reads and self.parser != "grammar" else asked


def predict(
    item: Item,
    models: Models,
    how: How,
    *,
    root: str | Path = ".",
    cancel: threading.Event | None = None,
    cache: bool = False,
) -> Prediction:
    """The answer to one item; what goes wrong becomes its status.

    Args:
        item: of any task that `how` can answer.
        models: what is asked where no oracle answers.
        how: see `How`.
        root: folder that the image's path is relative to.
        cancel: set it to stop.
        cache: whether results of earlier runs are used and kept, as in `surveyor.ask`.

    Raises:
        Cancelled: `cancel` was set.
        MissingDependency: a package is missing, so that no item could be answered.
        UsageError: items of this task cannot be answered in this way, or there is no change detector for RCD.
    """
    how.check(item.task, models)
    cancel = cancel or threading.Event()
    return settled(_Asked(item, with_oracles(models, item, how.oracle), how, Path(root), cancel, cache), how, cancel)


OPTIONS = {name: f"--{name.removesuffix('_s')}" for name in How.model_fields}
"""Field of `How` -> option of the command line."""


def how_of(given: Mapping[str, Any]) -> How:
    """A `How` of what a user gave, by its fields. Raises UsageError that names the options.

    Example:
        >>> how_of({"timeout_s": -1})
        Traceback (most recent call last):
        surveyor.core.errors.UsageError: --timeout is -1, expected greater than 0
    """
    try:
        return How.model_validate(dict(given))
    except ValidationError as error:
        faults = [
            f"{OPTIONS[str(fault['loc'][0])]} is {fault['input']!r}, expected "
            f"{fault['msg'].removeprefix('Input should be ')}"
            for fault in error.errors()
        ]
        raise UsageError("; ".join(faults)) from None


class Asked(Protocol):
    """One item, of any type, on its way to its answer.

    Attributes:
        understood: the tree that was read from its words, as JSON; None where none was.
    """

    understood: dict[str, Any] | None

    @property
    def id(self) -> str:
        """The item's id."""
        ...

    def answered(self) -> Prediction:
        """The answer; raises whatever goes wrong."""
        ...


def settled(asked: Asked, how: How, cancel: threading.Event) -> Prediction:
    """The prediction of an item, whatever happens on the way: errors become statuses, a late answer none.

    Raises:
        Cancelled: `cancel` was set.
        MissingDependency: a package is missing, so that no item could be answered.
    """
    started = time.perf_counter()
    try:
        with metering(Meter(Budget(how.timeout_s), cancel.is_set)):
            found = asked.answered()
    except (Cancelled, MissingDependency):
        raise
    except Exception as error:  # one item must not cost the others; what it was stays in the prediction
        status, said = status_of(error)
        found = Prediction(id=asked.id, status=status, request=asked.understood, said=said)
    if cancel.is_set():
        raise Cancelled("the run was cancelled")
    seconds = round(time.perf_counter() - started, 4)
    if how.timeout_s is not None and seconds > how.timeout_s:
        found = timed_out(asked.id, how, asked.understood)
    return found.model_copy(update={"seconds": seconds})


def timed_out(item_id: str, how: How, understood: dict[str, Any] | None = None) -> Prediction:
    """What stands for an answer that came too late, or not at all."""
    limit_s = how.timeout_s or 0.0
    said = f"no answer within {limit_s:g} s"
    return Prediction(id=item_id, status="timeout", request=understood, said=said, seconds=limit_s)


def warm(item: Item, models: Models, how: How, *, root: str | Path = ".") -> None:
    """Answers an item for nothing where there is a timeout, so that no item pays for the loading of weights."""
    if how.timeout_s is not None:
        predict(item, models, how.model_copy(update={"timeout_s": WARM_S}), root=root)


class _Asked:
    """One item on its way to its answer."""

    def __init__(self, item: Item, models: Models, how: How, root: Path, cancel: threading.Event, cache: bool) -> None:
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
        if self.how.baseline == "no-change":
            return Prediction(id=item.id)
        scene = open_image(item.image, self.root)
        if item.task == "RCD":
            scene = self._open_pair(scene)
        request, models = self._request(), self.models
        if item.task == "RCD":
            models, request = held_inside(models, request, scene.size_wh)
        answer = by_agent(request, item.expression, scene, models, self.how, cache=self.cache, cancel=self.cancel)
        regions = chosen([c.region for c in answer.regions], self.how.baseline or "", scene.size_wh)
        changed = union_of(regions, scene.shape_hw) if item.task == "RCD" else None
        return Prediction(
            id=item.id,
            regions=tuple(predicted(region) for region in regions),
            mask_rle=changed.to_rle() if changed is not None and changed.area_px else None,
            request=self.understood,
            said=answer.text,
        )

    def _open_pair(self, before: Scene) -> Scene:
        """Opens the later image, too, and has the models look at both dates; the scene that they answer in."""
        item = self.item
        if item.after is None:
            raise UsageError(f"the item {item.id!r} has no later image")
        after = open_image(item.after, self.root)
        if before.size_wh != after.size_wh:
            raise UsageError(f"the images of {item.id!r} differ in size: {before.size_wh!r} and {after.size_wh!r}")
        if "boxes" in self.how.oracle:
            return before
        self.models, scene = as_pair(self.models, before, after)
        return scene

    def _request(self) -> Request:
        if self.how.baseline is not None:
            return class_request(self.item)
        if not self.how.reads:
            return self.item.request
        read = parse_request(self.item.expression, self.how.parser, self.models.chat)
        request = adopt_class_names(read.request, self.models.grounder.knows())
        self.understood = request.model_dump(mode="json")
        return request


def by_agent(
    request: Request, words: str, scene: Scene, models: Models, how: How, *, cache: bool, cancel: threading.Event
) -> Answer:
    """What the agent answers to a request that was understood.

    Raises:
        ModelOutputError: a step that the answer needs failed of a text that could not be read.
        ToolFailed: it failed of something else.
    """
    answer = run_plan(
        make_plan(request, words),
        scene,
        models=models,
        request=request,
        bands=STRICT if how.bands == "strict" else CRISP,
        cache=cache,
        cancel=cancel,
    )
    if answer.failure is not None:
        texts = (seen.raw for seen in answer.observations if seen.status == "failed")
        raw = next((text for text in texts if text is not None), None)
        raise ToolFailed(answer.failure) if raw is None else ModelOutputError(answer.failure, raw)
    return answer


def status_of(error: Exception) -> tuple[Any, str]:
    """Status and words of an item that an error kept from its answer, by who must act."""
    if isinstance(error, BudgetExceeded):
        return "timeout", str(error)
    if isinstance(error, ModelOutputError):
        return "unreadable", f"{error}\n{error.raw}"
    if isinstance(error, QueryError):
        return "refused", str(error)
    if isinstance(error, SurveyorError | OSError):
        return "failed", str(error)
    place = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return "failed", f"{BUG}: {type(error).__name__}: {error}\n{place}"


def predicted(region: Region) -> Predicted:
    """A region of an answer as plain data; the oriented box only where it is not the upright one."""
    corners = region.corners_px
    upright = np.allclose(corners, box_to_corners(region.box_px), rtol=0, atol=1e-6)
    return Predicted(
        hbb=tuple(region.box_px.tolist()),
        obb=None if upright else tuple(tuple(point) for point in corners.tolist()),
        rle=None if region.mask is None else region.mask.to_rle(),
        score=region.score,
        label=region.label,
    )


def open_image(image: Image, root: str | Path) -> Scene:
    """The pixels that an item looks at, as a scene of their own, with the item's ground sample distance and no other.

    Raises:
        UsageError: no such image, or one of another size than the item was made for.
    """
    path = Path(root) / image.path
    try:
        state = path.stat()
    except OSError as error:
        raise UsageError(f"cannot read the image {str(path)!r}: {error.strerror or error}") from None
    which = (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)
    return _opened(path.absolute(), which, image.crop_xyxy, image.size_wh, image.gsd_m)


@lru_cache(maxsize=4)
def _opened(
    path: Path,
    which: tuple[int, ...],  # file: another one has other pixels
    crop: tuple[int, int, int, int] | None,
    size_wh: tuple[int, int],
    gsd_m: float | None,
) -> Scene:
    whole = Scene.open(path)
    window = (0, 0, *whole.size_wh) if crop is None else crop
    fits = window[0] >= 0 and window[1] >= 0 and window[2] <= whole.size_wh[0] and window[3] <= whole.size_wh[1]
    if not fits or (window[2] - window[0], window[3] - window[1]) != size_wh:
        wanted = f"{size_wh[0]} x {size_wh[1]} px" + (f" from {list(crop[:2])}" if crop else "")
        found = f"{whole.size_wh[0]} x {whole.size_wh[1]} px"
        raise UsageError(f"{str(path)!r} has {found}, the item was made for {wanted}; give the images it was built on")
    # a crop has a name of its own: annotation of the file would lie elsewhere in it
    name = path.name if crop is None else f"{path.stem}@{'-'.join(map(str, crop))}{path.suffix}"
    return Scene.from_array(whole.read(window), gsd_m=gsd_m, name=name)
