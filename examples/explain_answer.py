"""Asks a question of a drawn scene from its true annotation, and says why each plane is in the answer or not.

    python examples/explain_answer.py

With the truth instead of a detector, what you see is the reasoning alone. Leave `models` out for the embedded models.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import surveyor


def main() -> None:
    """Draws, asks, explains."""
    scene = surveyor.draw_scene("airport", seed=7, size_wh=(640, 640))
    with tempfile.TemporaryDirectory() as folder:
        photo, truth = Path(folder) / "scene.png", Path(folder) / "scene.json"
        cv2.imwrite(str(photo), scene.image_rgb[..., ::-1])
        truth.write_text(json.dumps(scene.to_coco(photo.name)), encoding="utf-8")
        query = "planes longer than 30 m in the northern half"
        answer = surveyor.ask(photo, query, models=f"grounder=oracle:{truth}", gsd=scene.gsd_m)
    print(answer.text)
    for candidate in (*answer.regions, *answer.rejected):
        print(surveyor.explain(answer, candidate.region.id))


if __name__ == "__main__":
    main()
