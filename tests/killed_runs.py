"""Kills runs with SIGKILL at random moments, resumes them, and compares their traces with that of a run left alone.

    python tests/killed_runs.py FOLDER MOMENTS SEED [PLACE_OF_RUNS]

Prints a JSON line a moment. A program of its own, so that each run is a forked process that nothing else lives in.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import cv2
from surveyor import draw_scene
from surveyor.agent.graph_checkpoints import checkpoints
from surveyor.agent.run import ask, resume
from surveyor.tools.models.oracle import OracleGrounder, OracleSegmenter
from surveyor.tools.models.spec import Models

QUERY = (
    "count the ships near the largest building, segment the three largest ships in the left half "
    "and list the buildings within 300 px of the two largest cranes"
)
PAUSE_S = 0.03
"""How long each model call takes, so that kills hit inside calls and between them."""


class Slow:
    """A model that notes each call in a file and takes its time."""

    def __init__(self, model: Any, log: Path) -> None:
        self._model, self._log = model, log
        self.name, self.version = model.name, model.version
        self.knows = getattr(model, "knows", None)
        self.resolve = getattr(model, "resolve", None)

    def _note(self, what: str) -> None:
        with self._log.open("a") as file:
            file.write(f"{what}\n")
        time.sleep(PAUSE_S)

    def ground(self, scene: Any, phrase: str) -> Any:
        self._note(f"find {phrase}")
        return self._model.ground(scene, phrase)

    def segment(self, scene: Any, prompts: Any) -> Any:
        self._note("segment")
        return self._model.segment(scene, prompts)


def make_scene(folder: Path) -> tuple[Path, Path]:
    """An image and its annotation."""
    scene = draw_scene("harbour", seed=3)
    image, annotation = folder / "harbour.png", folder / "harbour.json"
    cv2.imwrite(str(image), scene.image_rgb[..., ::-1])
    annotation.write_text(json.dumps(scene.to_coco("harbour.png")))
    return image, annotation


def models(annotation: Path, log: Path) -> Models:
    """The oracle, slowed down."""
    return Models(Slow(OracleGrounder(annotation), log), Slow(OracleSegmenter(annotation), log))


def trace_of(answer: Any) -> str:
    """The trace without what may differ: seconds."""
    data = answer.trace.model_dump(mode="json")
    for observation in data["observations"]:
        observation["seconds"] = 0.0
    return json.dumps([data, answer.text, [r["polygon_px"] for r in answer.to_dict()["regions"]]], sort_keys=True)


def one(folder: Path, place: str, moment: tuple[int, float] | None) -> tuple[dict[str, Any], str]:
    """A run in a folder of its own, killed some seconds after its n-th event and resumed (None: left alone)."""
    os.environ["SURVEYOR_CACHE"], os.environ["SURVEYOR_RUNS"] = str(folder / "cache"), place
    image, annotation = make_scene(folder.parent)
    log = folder / "calls.txt"
    name = f"run-{folder.name}"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = models(annotation, log)
            ask(image, QUERY, models=told, run_id=name, on_event=lambda _event: os.write(writer, b"."))
        finally:
            os._exit(0)
    os.close(writer)
    events = 0
    while (moment is None or events < moment[0]) and os.read(reader, 1):
        events += 1
    if moment is not None:
        time.sleep(moment[1])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    before = log.read_text().split("\n") if log.exists() else []
    with checkpoints(place) as saver:
        kept = saver.get_tuple({"configurable": {"thread_id": name}})
        done = dict(kept.checkpoint["channel_values"].get("statuses", {})) if kept else {}
        for _, channel, value in (kept.pending_writes or ()) if kept else ():
            done |= value if channel == "statuses" else {}
    answer = resume(name, models=models(annotation, log))
    after = log.read_text().split("\n")[len(before) - 1 if before else 0 :]
    found = {o.step for o in answer.observations if o.tool in ("ground", "segment")}
    expected = len(found - set(done))
    told = {
        "killed": os.WIFSIGNALED(status),
        "events": events,
        "steps": len(answer.observations),
        "done_before": len(done),
        "calls_after": len([line for line in after if line]),
        "calls_needed": expected,
        "failure": answer.failure,
    }
    return told, trace_of(answer).replace(f'"{name}"', '"run"')


def warm() -> None:
    """Loads what a run loads, so that forked runs spend their time on steps."""
    import langgraph.graph
    import langgraph.types  # noqa: F401


def main() -> None:
    root, moments, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    place = sys.argv[4] if len(sys.argv) > 4 else ""
    chance = random.Random(seed)

    def folder(name: str) -> tuple[Path, str]:
        made = root / name
        made.mkdir(parents=True)
        return made, place or str(made / "runs.sqlite")

    warm()
    alone = root / "alone"
    alone.mkdir(parents=True)
    told, expected = one(alone, str(alone / "runs.sqlite"), None)
    whole = told["events"]
    for number in range(moments):
        moment = (chance.randint(1, whole), chance.uniform(0.0, 1.2 * PAUSE_S))
        told, trace = one(*folder(f"killed-{number}"), moment)
        print(json.dumps({**told, "same": trace == expected}), flush=True)


if __name__ == "__main__":
    main()
