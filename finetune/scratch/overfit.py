"""A tiny Qwen2-VL that knows a handful of drawn scenes by heart: proof that prompts, training and reading agree.

    python -m surveyor.finetune.scratch.overfit FOLDER

Makes a checkpoint from scratch (`qwen2vl`), trains it on every task of the set-of-points format over a few
scenes of `synth` until it can repeat them, and saves it with the declaration of its dialect, so that
`--models grounder=qwen2vl:FOLDER` answers about those scenes. It knows nothing else: a test of the machinery, no model.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.codec import Pointed
from ...core.frames import SizeWH
from ...core.geometry import box_to_corners, farthest_points_in_polygon
from ...core.scene import Scene
from ...synth import SynthObject, SynthScene, draw_pair, draw_scene
from ...synth.card import CARD_PHRASE, CARD_WH, CARD_XYXY, draw_card
from ...tools.models.pointing import PointingModel, picture, region_of
from ...tools.models.prompting import Prompt, Reply
from ...tools.models.qwen2vl.engine import Engine
from ...tools.models.qwen2vl.loading import DECLARATION
from ...tools.models.qwen2vl.settings import Checkpoint, Settings
from ...tools.models.sizes import smart_resize
from ...tools.models.tasks import Asking, Tasks
from ...tools.models.views import View
from .qwen2vl import make_qwen2vl

SIZE_WH = (168, 112)
SCENES = (
    ("airport", 7, "airplane"),
    ("airport", 4, "airplane"),
    ("tank farm", 4, "storage tank"),
    ("river", 7, "bridge"),
)
"""Kind and seed of a drawn scene, and the class that is asked for."""
DESCRIBED = {"airplane": ("airplane", "airplane"), "bridge": ("bridge", "ship")}
"""What is said of the crops round its things, where that is learnt: one description is wrong on purpose."""
PAIR = ("housing", 1)
MOST_PIXELS = SIZE_WH[0] * SIZE_WH[1]
"""`?max_pixels=` with which crops are shown as in the lessons."""
_KEYPOINTS = 3


@dataclass(frozen=True, eq=False)
class Lesson:
    """A prompt and the reply that is to be learnt."""

    prompt: Prompt
    reply: str


def lessons() -> list[Lesson]:
    """All that is learnt: what is where in each scene, every other task in the first one, changes in the pair."""
    found = []
    for place, (kind, seed, label) in enumerate(SCENES):
        other = next(other for _, _, other in SCENES if other != label)
        found += _of_scene(draw_scene(kind, seed, SIZE_WH), label, other, is_first=place == 0)
    return [*found, *_of_pair(), _of_card()]


def scene_of(drawn: SynthScene) -> Scene:
    """The drawn scene as `ask` takes it."""
    return Scene.from_array(drawn.image_rgb, gsd_m=drawn.gsd_m, name=f"{drawn.kind}-{drawn.seed}.png")


def overfit(
    folder: str | Path, *, family: str = "qwen2-vl", steps: int = 90, rate: float = 0.02, seed: int = 0,
    sure: float = 0.9, told: Callable[[int, float, float], None] | None = None,
) -> float:  # fmt: skip
    """Trains a tiny checkpoint from scratch on `lessons` and saves it in the folder; the last loss, nats a token.

    Muon for the matrices, AdamW for the rest: half as many steps as AdamW alone took (torch 2.9 or newer has it).

    Args:
        folder: made where it is missing.
        family: of the checkpoint.
        steps: at most, all lessons in each.
        rate: highest learning rate of Muon, AdamW's is 0.4 of it (warm-up of three steps, then cosine).
        seed: of the weights.
        sure: it is enough when the least likely token of all replies is as likely as this.
        told: called with each step, its loss and the probability of the least likely token.
    """
    folder = make_qwen2vl(folder, family=family, size="tiny", seed=seed)
    (folder / DECLARATION).write_text(json.dumps({"dialect": "native"}) + "\n", "utf-8")
    engine = Engine(Checkpoint(str(folder)), Settings(device="cpu"))
    model = engine.loaded.base
    batches = [_collated(engine, group) for group in _grouped(engine, lessons())]
    tokens = sum(int((batch["labels"] != -100).sum()) for batch in batches)
    learners = _learners(model, rate, steps)
    model.train()
    loss = 0.0
    for step in range(steps):
        parts = []
        for batch in batches:
            each = _losses(model, batch)
            (each.sum() / tokens).backward()
            parts.append(each.detach())
        losses = torch.cat(parts)
        loss, least = float(losses.mean()), float((-losses.max()).exp())
        if told is not None:
            told(step, loss, least)
        if least >= sure:
            break
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser, schedule in learners:
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
    model.eval()
    model.save_pretrained(folder)
    return loss


def _learners(model: Any, rate: float, steps: int) -> list[tuple[Any, Any]]:
    """Each optimiser and its schedule."""
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    is_inner = {name: each.ndim == 2 and "embed" not in name and "lm_head" not in name for name, each in named}
    inner, others = ([each for name, each in named if is_inner[name] is kind] for kind in (True, False))
    optimisers = [
        torch.optim.Muon(inner, lr=rate, weight_decay=0.0, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=0.4 * rate, weight_decay=0.0, betas=(0.9, 0.95)),
    ]

    def height(step: int) -> float:
        return float(min(1.0, (step + 1) / 3) * (0.05 + 0.95 * (1 + np.cos(np.pi * min(step / steps, 1))) / 2))

    return [(each, torch.optim.lr_scheduler.LambdaLR(each, height)) for each in optimisers]


def _of_scene(drawn: SynthScene, label: str, other: str, *, is_first: bool) -> list[Lesson]:
    scene, tasks = scene_of(drawn), Tasks("native")
    view = View((0, 0, *SIZE_WH), SIZE_WH, SIZE_WH)
    things = sorted((o for o in drawn.objects if o.label == label), key=lambda o: tuple(o.corners_px[0][::-1]))
    boxes = [Pointed("obb", thing.corners_px) for thing in things]
    asked: list[tuple[Asking[Any], str]] = [
        (tasks.detect(label, SIZE_WH), tasks.dialect.encode(boxes, SIZE_WH)),
        (tasks.detect(other, SIZE_WH), "none"),
        (tasks.segment(label, SIZE_WH), tasks.dialect.encode([_prompted(thing) for thing in things], SIZE_WH)),
    ]
    found = [region_of(item, view, label, None, "") for item in tasks.dialect.decode(asked[0][1], SIZE_WH)]
    seen = [Pointed("obb", region.corners_px) for region in found]  # as they are asked about, once they are found
    left = [box for box in seen if box.points_px[:, 0].mean() < SIZE_WH[0] / 2]
    others: list[tuple[Asking[Any], str]] = [
        (tasks.count(label), str(len(things))),
        (tasks.answer("What kind of place is this?"), drawn.kind),
        (tasks.classify([kind for kind, _, _ in SCENES]), drawn.kind),
        (tasks.caption(), f"A drawn {drawn.kind} with {len(things)} {label}s."),
        (tasks.locate(), "[Nowhere, (12.50, -7.25)]"),
        (tasks.describe(boxes[0], SIZE_WH), label),
        (tasks.select(seen, "in the left half", SIZE_WH), tasks.dialect.encode(left, SIZE_WH)),
    ]
    given = [*asked, *(others if is_first else ())]
    learnt = [Lesson(Prompt((picture(scene, view),), asking), reply) for asking, reply in given]
    pupil = _Pupil()
    PointingModel(pupil, "").describe(scene, found)
    return learnt + [Lesson(*pair) for pair in zip(pupil.prompts, DESCRIBED.get(label, ()), strict=False)]


class _Pupil:
    """Hears what is asked, and says nothing of use: an `Answerer` for finding out the prompts."""

    tasks, at_once, version, most_pixels = Tasks("native"), 1, "", MOST_PIXELS

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def seen_size(self, size_wh: SizeWH, shrink: float = 1.0) -> tuple[int, int]:
        """As the tiny checkpoint sees it."""
        return smart_resize((int(size_wh[0]), int(size_wh[1])), max_pixels=int(MOST_PIXELS * shrink))

    def ask(self, prompts: Sequence[Prompt], *, temperature: float = 0.0) -> list[Reply]:
        """Keeps them."""
        self.prompts += prompts
        return [Reply("?") for _ in prompts]


def _prompted(thing: SynthObject) -> Pointed:
    points = farthest_points_in_polygon(thing.polygon_px, _KEYPOINTS)
    return Pointed("box", np.asarray(thing.box_px).reshape(2, 2), points)


def _of_pair() -> list[Lesson]:
    pair = draw_pair(*PAIR, SIZE_WH, changes=2)
    scenes, view = (scene_of(pair.before), scene_of(pair.after)), View((0, 0, *SIZE_WH), SIZE_WH, SIZE_WH)
    tasks = Tasks("native")
    new = [Pointed("polygon", change.polygon_px) for change in pair.change.regions if change.label == "building"]
    pictures = tuple(picture(scene, view) for scene in scenes)
    return [
        Lesson(Prompt(pictures, tasks.change("building", SIZE_WH)), tasks.dialect.encode(new, SIZE_WH)),
        Lesson(Prompt((pictures[1], pictures[1]), tasks.change("building", SIZE_WH)), "none"),
    ]


def _of_card() -> Lesson:
    """What `surveyor models check` asks, shown as small as the scenes."""
    tasks, view = Tasks("native"), View((0, 0, *CARD_WH), SIZE_WH, CARD_WH)
    scene = Scene.from_array(draw_card(), name="card.png")
    box = Pointed("obb", view.from_scene(box_to_corners(np.array(CARD_XYXY, dtype=np.float64))))
    asking = tasks.detect(CARD_PHRASE, SIZE_WH)
    return Lesson(Prompt((picture(scene, view),), asking), tasks.dialect.encode([box], SIZE_WH))


def _grouped(engine: Engine, given: Sequence[Lesson]) -> list[list[Lesson]]:
    """Lessons in batches with equally many pictures and about equal lengths, so that little is padding."""
    tokenizer = engine.loaded.tokenizer
    groups: dict[tuple[int, int], list[Lesson]] = {}
    for lesson in given:
        length = len(tokenizer(lesson.prompt.asking.text + lesson.reply)["input_ids"])
        groups.setdefault((len(lesson.prompt.pictures), length // 64), []).append(lesson)
    return list(groups.values())


def _collated(engine: Engine, group: Sequence[Lesson]) -> dict[str, torch.Tensor]:
    """One batch: ids padded on the right, labels on replies only, positions, pixels."""
    tokenizer, model = engine.loaded.tokenizer, engine.loaded.base
    rows, pixels, grids = [], [], []
    for lesson in group:
        ids, inputs = engine.encoded(lesson.prompt)
        reply = [*tokenizer(lesson.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        rows.append((ids, reply))
        pixels.append(inputs["pixel_values"])
        grids.append(inputs["image_grid_thw"])
    longest = max(len(ids) + len(reply) for ids, reply in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for row, (asked, reply) in enumerate(rows):
        end = len(asked) + len(reply)
        ids[row, :end] = torch.tensor([*asked, *reply])
        labels[row, len(asked) : end] = torch.tensor(reply)
        mask[row, :end] = 1
    grid = torch.cat(grids)
    kinds = (ids == model.config.image_token_id).int()
    positions, _ = model.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid, attention_mask=mask)
    return {
        "input_ids": ids, "attention_mask": mask, "labels": labels, "position_ids": positions,
        "pixel_values": torch.cat(pixels), "image_grid_thw": grid,
    }  # fmt: skip


def _losses(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Of each token of the replies, nats; only these are put to the vocabulary."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"][:, 1:]
    hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1][labels != -100]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden).float(), labels[labels != -100], reduction="none")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", default="qwen2-vl")
    parser.add_argument("--steps", type=int, default=90)
    given = parser.parse_args()
    started = time.perf_counter()

    def told(step: int, loss: float, least: float) -> None:
        if step % 10 == 0:
            spent = time.perf_counter() - started
            print(f"step {step:4d}  loss {loss:.4f}  least likely token {least:.3f}  {spent:.0f} s", flush=True)

    loss = overfit(given.folder, family=given.family, steps=given.steps, told=told)
    print(f"{given.folder}: loss {loss:.4f} after {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
