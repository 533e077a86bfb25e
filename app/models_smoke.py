"""Small requests whose right answer is known, one for each role: pictures are drawn, and the truth with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from ..core.errors import ModelOutputError, ToolFailed, UnknownPhrase
from ..synth.card import CARD_PHRASE, CARD_XYXY, draw_card
from ..synth.card import CARD_WH as SIZE_WH

if TYPE_CHECKING:
    from ..core.scene import Scene

LEAST_IOU = 0.5
RELATIVE, ABSOLUTE = "0-1000", "absolute px"
_DECLARATIONS = {"0-1000": RELATIVE, "pixels of the resized image": ABSOLUTE, "absolute px": ABSOLUTE}
"""How a report's "coordinates" may begin (see `core.codec.Dialect.coordinates`)."""
KINDS = (
    ("airport", "airplane", 0),
    ("tank farm", "storage tank", 1),
    ("sports", "tennis court", 3),
    ("harbour", "ship", 3),
)
"""Kind of scene, what is asked for, seed: few and large things."""
_QUESTION = "Reply with one word: ready"


@runtime_checkable
class Reporting(Protocol):
    """A model that tells about itself; any model may, none has to.

    It may also have `load()`, which brings its weights into memory, so that loading is timed apart from asking.
    """

    def check_report(self) -> Mapping[str, str]:
        """What -> value, for people, after it was loaded and asked.

        Keys with a meaning: "coordinates" is `Dialect.coordinates` ("0-1000 of ...", "pixels of the resized image") and
        is put to the test. "class", "parameters", "dtype", "device", "dialect", "tokens/s" are shown in this order,
        any others after them.
        """
        ...


@dataclass(frozen=True)
class Finding:
    """One line of the outcome: "fine", "doubt" (it works, but this was not shown), or "bad" (the request failed)."""

    state: Literal["fine", "doubt", "bad"]
    what: str
    text: str


_ORACLE = Finding("doubt", "drawn image", "not asked: it answers for the images of its file only")


def try_model(role: str, model: Any, coordinates: Callable[[], str | None]) -> list[Finding]:
    """What came of the request for this role.

    Args:
        role: "grounder", "segmenter", "describer", "change" or "chat".
        model: the model of that role.
        coordinates: asked after the request: what the model declares its coordinates to be; None when it does not.

    Raises:
        UsageError, MissingDependency: the model cannot be loaded, or does not take this call.
    """
    if model.name.startswith("oracle:"):
        return [_ORACLE]
    try:
        if role == "grounder":
            return _try_grounder(model, coordinates)
        if role == "segmenter":
            return _try_segmenter(model)
        if role == "describer":
            return _try_describer(model)
        if role == "change":
            return _try_change(model, coordinates)
        reply = model.complete([{"role": "user", "content": _QUESTION}])
        return [Finding("fine" if reply.strip() else "bad", "reply", _quoted(reply) if reply.strip() else "empty")]
    except ModelOutputError as error:
        return [Finding("bad", "reply", f"unreadable: {_quoted(error.raw)} ({error})")]
    except ToolFailed as error:
        return [Finding("bad", "request", f"failed: {error}")]


# ---- boxes
def _try_grounder(model: Any, coordinates: Callable[[], str | None]) -> list[Finding]:
    asked, boxes_found = 0, False
    finding = Finding(
        "doubt", "drawn image", f"not asked: it knows none of {', '.join(label for _, label, _ in KINDS)}"
    )
    for phrase, scene, truth in _pictures(open_vocabulary=model.knows() is None):
        try:
            model.resolve(phrase)
        except UnknownPhrase:
            continue
        found = [region.box_px for region in model.ground(scene, phrase)]
        told = verify_boxes(found, truth, coordinates(), phrase)
        if told.state != "doubt" or found or not boxes_found:
            finding, boxes_found = told, bool(found)
        asked += 1
        if finding.state != "doubt" or asked == 2:
            break
    return [finding]


def _pictures(open_vocabulary: bool) -> list[tuple[str, Scene, np.ndarray]]:
    """Phrase, picture, boxes of what it names (N, 4) in px; a plain card for models that take any phrase."""
    from ..core.scene import Scene
    from ..synth import draw_scene

    pictures = []
    if open_vocabulary:
        card = Scene.from_array(draw_card(), name="drawn card")
        pictures.append((CARD_PHRASE, card, np.array([CARD_XYXY], np.float64)))
    for kind, label, seed in KINDS:
        drawn = draw_scene(kind, seed, SIZE_WH)
        truth = np.stack([thing.box_px for thing in drawn.labelled(label)])
        pictures.append((label, Scene.from_array(drawn.image_rgb, gsd_m=drawn.gsd_m, name=f"drawn {kind}"), truth))
    return pictures


def verify_boxes(
    found: Sequence[np.ndarray], truth: np.ndarray, coordinates: str | None, phrase: str = "things"
) -> Finding:
    """Whether boxes lie where things were drawn, and if not, under which other reading of their numbers they would.

    One lucky box among many shows nothing: half of the boxes must lie on drawn things (`LEAST_IOU`), and where several
    things are drawn, half of these must have a box. The same is asked of another reading before it contradicts.

    Args:
        found: (4,) boxes x0, y0, x1, y1 in px of a picture of `SIZE_WH`, as read by the declared convention.
        truth: (N, 4) boxes of what was drawn.
        coordinates: the declared convention; None for a model that does not write numbers as text.
        phrase: what was asked for.

    Example:
        >>> drawn = np.array([[280.0, 35, 420, 119]])
        >>> verify_boxes([np.array([417.0, 78, 625, 266])], drawn, "absolute px").text
        'contradicted: the boxes fit better as 0-1000 (1 of 1 against 0)'
    """
    declared = next((_DECLARATIONS[head] for head in _DECLARATIONS if (coordinates or "").startswith(head)), None)
    what = "coordinates" if coordinates else "drawn image"
    if not len(found):
        return Finding("doubt", what, f"not verified: the model found no {phrase} where {len(truth)} are drawn")
    boxes = np.stack([np.asarray(box, np.float64) for box in found])
    fits = {name: Fit.of(read, truth) for name, read in _readings(boxes, declared).items()}
    own = fits[declared or "as given"]
    best = max(fits, key=lambda name: (fits[name].holds, fits[name].hits))
    if fits[best].holds and (fits[best].hits > own.hits or not own.holds):
        against = f"{fits[best].hits} of {len(boxes)} against {own.hits}"
        return Finding("bad", what, f"contradicted: the boxes fit better as {best} ({against})")
    if own.holds:
        return Finding("fine", what, f"verified: {own.hits} of {len(boxes)} boxes lie on a drawn {phrase} ({own.iou})")
    if not own.hits:
        text = f"not verified: none of {len(boxes)} boxes lies on a drawn {phrase} (best {own.iou})"
        return Finding("doubt", what, text)
    text = f"not verified: {len(boxes)} boxes, {own.hits} of them on a drawn {phrase}"
    if len(truth) > 1:
        text += f"; {own.covered} of {len(truth)} drawn were found"
    return Finding("doubt", what, text)


@dataclass(frozen=True)
class Fit:
    """How boxes lie on what was drawn: `hits` of `found` boxes lie on something, `covered` of `drawn` have a box."""

    found: int
    hits: int
    drawn: int
    covered: int
    best_iou: float
    mean_iou: float

    @classmethod
    def of(cls, boxes: np.ndarray, truth: np.ndarray) -> Fit:
        """Of (M, 4) boxes against (N, 4) drawn ones, neither empty; a box lies on a thing at `LEAST_IOU`."""
        from ..core.geometry import box_iou_matrix

        ious = box_iou_matrix(boxes, truth)
        best = ious.max(axis=1)
        hit = best >= LEAST_IOU
        covered = int((ious.max(axis=0) >= LEAST_IOU).sum())
        mean = float(best[hit].mean()) if hit.any() else 0.0
        return cls(len(boxes), int(hit.sum()), len(truth), covered, float(best.max()), mean)

    @property
    def holds(self) -> bool:
        """Whether that is more than luck: half of the boxes lie on things, and half of several things have a box."""
        return 2 * self.hits >= self.found and (self.drawn == 1 or 2 * self.covered >= self.drawn)

    @property
    def iou(self) -> str:
        """ "IoU 0.88": mean of the boxes that lie on things; where none does, of the nearest."""
        return f"IoU {self.mean_iou if self.hits else self.best_iou:.2f}"


def _readings(boxes: np.ndarray, declared: str | None) -> dict[str, np.ndarray]:
    """Reading -> the boxes in px, if the numbers behind them were meant so; the declared reading first."""
    if declared is None:
        return {"as given": boxes}
    scale = np.tile(np.array(SIZE_WH) / 1000, 2)
    numbers = boxes / scale if declared == RELATIVE else boxes
    turned = numbers[:, [1, 0, 3, 2]]
    order = (declared, ABSOLUTE if declared == RELATIVE else RELATIVE)
    straight = {name: numbers * scale if name == RELATIVE else numbers for name in order}
    return straight | {f"{name}, y before x": turned * scale if name == RELATIVE else turned for name in order}


# ---- the other roles
def _airport() -> tuple[Any, Scene, Any]:
    """A drawn airport, the same as a scene, and its largest whole airplane."""
    from ..core.scene import Scene
    from ..synth import draw_scene

    drawn = draw_scene(KINDS[0][0], KINDS[0][2], SIZE_WH)
    scene = Scene.from_array(drawn.image_rgb, gsd_m=drawn.gsd_m, name="drawn airport")
    whole = [thing for thing in drawn.labelled("airplane") if thing.visible_fraction > 0.99]
    return drawn, scene, max(whole, key=lambda thing: thing.area_px)


def _try_segmenter(model: Any) -> list[Finding]:
    from ..core.masks import Mask
    from ..core.protocols import MaskPrompt

    drawn, scene, thing = _airport()
    (result,) = model.segment(scene, [MaskPrompt(thing.box_px, thing.corners_px)])
    iou = result.mask.iou(Mask.from_array(drawn.mask(thing)))
    own = "" if result.score is None else f", it says {result.score:.2f}"
    if iou >= LEAST_IOU:
        return [Finding("fine", "drawn image", f"the mask of a drawn airplane is right (IoU {iou:.2f}{own})")]
    return [
        Finding("doubt", "drawn image", f"not verified: its mask of a drawn airplane is not that (IoU {iou:.2f}{own})")
    ]


def _try_describer(model: Any) -> list[Finding]:
    from ..core.regions import Region

    _, scene, thing = _airport()
    region = Region("airplane-1", "airplane", thing.corners_px, thing.box_px, None, source="drawn")
    (said,) = model.describe(scene, [region])
    text = f"of a drawn airplane it says {_quoted(said.text)}"
    right = any(word in f"{said.label} {said.text}".lower() for word in ("plane", "aircraft", "jet"))
    return [Finding("fine" if right else "doubt", "drawn image", text if right else f"not verified: {text}")]


def _try_change(model: Any, coordinates: Callable[[], str | None]) -> list[Finding]:
    from ..core.scene import Scene
    from ..synth import draw_pair

    pair = draw_pair("airport", KINDS[0][2], SIZE_WH)
    before, after = (
        Scene.from_array(image, gsd_m=pair.before.gsd_m, name=f"drawn {when}")
        for image, when in ((pair.before.image_rgb, "before"), (pair.after.image_rgb, "after"))
    )
    label = KINDS[0][1]
    truth = np.stack([change.thing.box_px for change in pair.change.regions if change.label == label])
    try:
        found = [region.box_px for region in model.changes(before, after, label)]
    except UnknownPhrase as error:
        return [Finding("doubt", "drawn image", f"not asked: {error}")]
    return [verify_boxes(found, truth, coordinates(), f"changed {label}")]


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else f"{line[:117]}...")
