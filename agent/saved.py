"""Answers that were written to a folder: explained again from the trace, with the image found and checked."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import UsageError
from ..core.scene import Scene
from ..core.trace import SceneRecord, Trace
from .explaining import explanation_of
from .explanation import Explanation

TRACE = "trace.json"


def explain_saved(place: str | Path, region_id: str | None = None) -> Explanation:
    """The explanation of a run that was kept with `out=`.

    Args:
        place: the folder, or its trace.json.
        region_id: of one candidate, to be told about that alone.

    Raises:
        UsageError: there is no trace, it is damaged or holds no answer, or no candidate has that id. The image is
            opened only by `Explanation.draw`, which says where it is gone or has changed.
    """
    trace = read_trace(place)
    record = trace.answer
    if record is None:
        raise UsageError(f"the trace {str(place)!r} holds no answer: the run did not come to its end; run it again")
    try:
        explanation = explanation_of(
            {"query": trace.query, **record},
            trace.plan,
            trace.observations,
            trace.scene,
            open_scene=lambda: scene_of(trace.scene),
        )
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"the answer in {str(place)!r} is damaged ({type(error).__name__}: {error}); run it again"
        ) from None
    return explanation if region_id is None else explanation.of(region_id)


def read_trace(place: str | Path) -> Trace:
    """The trace of an output folder, or of the file itself. Raises UsageError when there is none or it is damaged."""
    path = Path(place)
    path = path / TRACE if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"there is no trace {str(path)!r}; name the folder that an answer was written to (ask ... --out DIR)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the trace {str(path)!r} cannot be read: {error}") from None
    return Trace.from_json(text)


def scene_of(record: SceneRecord) -> Scene:
    """The scene that a trace was made from, opened again.

    Raises:
        UsageError: it was not a file, is gone, or its content is another.
    """
    if record.path is None:
        raise UsageError(
            f"the image {record.name!r} was given as an array, not as a file, so it cannot be drawn on later"
        )
    if not Path(record.path).exists():
        raise UsageError(
            f"the image {record.path!r} is no longer there; put it back, or ask again with the image's new place"
        )
    scene = Scene.open(record.path, gsd_m=record.gsd_m)
    if record.digest is not None and scene.digest != record.digest:
        raise UsageError(
            f"the image {record.path!r} has changed since the answer was made (sha256 {scene.digest[:12]}… instead of "
            f"{record.digest[:12]}…); ask again"
        )
    return scene
