"""What every image token of a tiny Qwen2-VL is taught beside the replies: the class and corners of what it shows.

A reply says a few dozen tokens about an image; from these alone the vision tower learns almost nothing in a day on a
CPU. The heads here see each image token twice: where the tower hands it on ("tower"; corners relative to the token,
which the tower can know), and inside the language model ("reader"; corners as the numbers of the image, through the
model's own number embeddings, so that a reply only has to copy them; and the token's own row and column, which the
tower cannot know, since its positions are relative). They exist in training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...core.rotated_iou import rotated_iou_matrix
from ...synth import SynthObject
from .scenes import LABELS, Listed, Seen, corners_of
from .tiny import CELL, STEPS

COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "red", "white", "yellow")
NOTHING = len(LABELS)
MOST_CELLS = 64
"""Tokens along a side of an image at most."""
NONE = -100  # target that is not asked for


@dataclass(frozen=True, eq=False)
class Cells:
    """Targets of one image's tokens, row by row.

    Attributes:
        label: (N,) index into `LABELS`, NOTHING, or NONE for things that are not listed.
        centre: (N,) 1 where a listed thing has its centre, else 0; NONE for things that are not listed.
        colour: (N,) index into `COLOURS`; NONE where there is no thing or no colour.
        changed: (N,) 1 where a thing appeared or disappeared, 0 elsewhere; NONE for scenes.
        corners: (N, 8) px relative to the token's middle, in tokens; 0 where there is no thing.
        numbers: (N, 8) the same on the grid of replies, 0 to STEPS; NONE where there is no thing.
        place: (N, 2) row and column of the token.
    """

    label: np.ndarray
    centre: np.ndarray
    colour: np.ndarray
    changed: np.ndarray
    corners: np.ndarray
    numbers: np.ndarray
    place: np.ndarray


def cells_of(seen: Seen, date: int, listed: Listed) -> Cells:
    """The targets of one image of a scene whose sides are multiples of `CELL`.

    A token belongs to the smallest thing that covers its middle; one in which a listed thing has its centre belongs to
    that (of several the largest).
    """
    width, height = seen.size_wh
    columns, rows = width // CELL, height // CELL
    middles = np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), axis=-1).reshape(-1, 2) * CELL
    owner, centre = np.full(len(middles), -1), np.zeros(len(middles), np.int64)
    things = sorted(seen.things[date], key=lambda thing: -thing.area_px)
    for index, thing in enumerate(things):
        owner[_inside(middles, corners_of(thing))] = index
    for index in reversed(range(len(things))):  # the largest last
        x, y = corners_of(things[index]).mean(axis=0)
        at = min(int(y // CELL), rows - 1) * columns + min(int(x // CELL), columns - 1)
        if _told(things[index], listed):
            owner[at], centre[at] = index, 1
        elif not centre[at]:
            owner[at] = index
    changed = np.full(len(middles), NONE)
    if len(seen.images) == 2:
        told = {thing.id for thing in seen.changed}
        changed = np.array([int(at >= 0 and things[at].id in told) for at in owner])
    label, colour = np.full(len(middles), NOTHING), np.full(len(middles), NONE)
    corners, numbers = np.zeros((len(middles), 8), np.float32), np.full((len(middles), 8), NONE)
    for at in np.flatnonzero(owner >= 0).tolist():
        thing = things[owner[at]]
        if not _told(thing, listed):
            label[at] = centre[at] = NONE
            continue
        box = corners_of(thing)
        label[at] = LABELS.index(thing.label)
        colour[at] = COLOURS.index(thing.colour) if thing.colour in COLOURS else NONE
        corners[at] = ((box - middles[at]) / CELL).ravel()
        numbers[at] = np.clip(np.floor(box / seen.size_wh * STEPS + 0.5), 0, STEPS).ravel()
    place = np.stack([np.arange(len(middles)) // columns, np.arange(len(middles)) % columns], axis=1)
    return Cells(label, centre, colour, changed, corners, numbers, place)


def _told(thing: SynthObject, listed: Listed) -> bool:
    """Whether it is listed, and of a class that the heads know."""
    return listed.holds(thing) and thing.label in LABELS


def _inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which points lie in a convex quadrilateral."""
    along = np.roll(corners, -1, axis=0) - corners
    to = points[:, None] - corners[None]
    side = along[None, :, 0] * to[..., 1] - along[None, :, 1] * to[..., 0]
    return np.asarray((side >= 0).all(axis=1) | (side <= 0).all(axis=1))


def stacked(cells: Sequence[Cells]) -> dict[str, torch.Tensor]:
    """The targets of several images, one after the other."""
    names = ("label", "centre", "colour", "changed", "corners", "numbers", "place")
    return {name: torch.from_numpy(np.concatenate([getattr(each, name) for each in cells])) for name in names}


class DenseHeads(nn.Module):
    """Heads on image tokens, in training only.

    Args:
        hidden: of the language model, which is that of the image tokens too.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU())
        self.tower_out = nn.Linear(hidden, NOTHING + 2 + len(COLOURS) + 8)
        self.reader = nn.LayerNorm(hidden)
        self.reader_out = nn.Linear(hidden, NOTHING + 3 + len(COLOURS))
        self.reader_numbers = nn.Linear(hidden, 8 * hidden)
        self.reader_place = nn.Linear(hidden, 2 * MOST_CELLS)

    def tower_losses(self, tokens: torch.Tensor, target: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Losses of the tower's tokens (N, hidden)."""
        label, centre, colour, corners = self.tower_parts(tokens)
        found = _common(label, centre, colour, target)
        is_thing = target["numbers"][:, 0] != NONE
        gap = nn.functional.smooth_l1_loss(corners, target["corners"], beta=0.2, reduction="none").mean(dim=1)
        found["corners"] = _mean(gap * (1 + 2 * (target["centre"] == 1)), is_thing)
        return found

    def tower_parts(self, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Logits of class, centre and colour, and corners relative to the token, of the tower's tokens."""
        out = self.tower_out(self.tower(tokens))
        label, centre, colour, corners = out.split([NOTHING + 1, 1, len(COLOURS), 8], dim=1)
        return label, centre[:, 0], colour, corners

    def reader_losses(
        self,
        early: torch.Tensor,
        states: torch.Tensor,
        target: dict[str, torch.Tensor],
        numbers: torch.Tensor,
        soft: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Losses of the language model's image tokens.

        Args:
            early: (N, hidden) after a layer that is to know where the token lies.
            states: (N, hidden) after a layer that is to know what it shows.
            target: of the same tokens.
            numbers: (STEPS + 1, hidden) the model's number embeddings.
            soft: (STEPS + 1, STEPS + 1) what a right number is worth for each.
        """
        states = self.reader(states)
        label, centre, changed, colour = self.reader_out(states).split([NOTHING + 1, 1, 1, len(COLOURS)], dim=1)
        found = _common(label, centre[:, 0], colour, target)
        place = self.reader_place(early).view(-1, MOST_CELLS)
        found["place"] = nn.functional.cross_entropy(place, target["place"].flatten())
        known = target["changed"] != NONE
        told = nn.functional.binary_cross_entropy_with_logits(
            changed[:, 0], target["changed"].clamp_min(0).float(), reduction="none"
        )
        found["changed"] = _mean(told * (1 + 3 * (target["changed"] == 1)), known)
        at = (target["numbers"][:, 0] != NONE).nonzero()[:, 0]
        if len(at):
            logits = self.reader_numbers(states[at]).view(len(at), 8, -1) @ numbers.T
            right = soft[target["numbers"][at]]
            found["numbers"] = -(right * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
        return found


def _common(
    label: torch.Tensor, centre: torch.Tensor, colour: torch.Tensor, target: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    told = nn.functional.binary_cross_entropy_with_logits(
        centre, target["centre"].clamp_min(0).float(), reduction="none"
    )
    return {
        "label": _mean(nn.functional.cross_entropy(label, target["label"], reduction="none"), target["label"] != NONE),
        "centre": _mean(told * (1 + 2 * (target["centre"] == 1)), target["centre"] != NONE),
        "colour": _mean(
            nn.functional.cross_entropy(colour, target["colour"], reduction="none"), target["colour"] != NONE
        ),
    }


def _mean(each: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    return (each * counts).sum() / counts.sum().clamp_min(1)


def tower_finds(parts: Sequence[torch.Tensor], middles: np.ndarray, least: float = 0.5) -> list[tuple[int, np.ndarray]]:
    """What the tower's tokens of one image say is there: class and corners in px, overlapping ones once."""
    label, centre, _, corners = (part.detach().float().cpu().numpy() for part in parts)
    sure = 1 / (1 + np.exp(-centre))
    found: list[tuple[int, np.ndarray]] = []
    for at in np.argsort(-sure):
        if sure[at] < least:
            break
        box, kind = corners[at].reshape(4, 2) * CELL + middles[at], int(label[at, :NOTHING].argmax())
        same = [other for of, other in found if of == kind]
        if not same or rotated_iou_matrix(box[None].astype(np.float64), np.stack(same)).max() < 0.4:
            found.append((kind, box.astype(np.float64)))
    return found


def middles_of(size_wh: tuple[int, int]) -> np.ndarray:
    """(N, 2) px: the middles of an image's tokens, row by row."""
    columns, rows = size_wh[0] // CELL, size_wh[1] // CELL
    return np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), axis=-1).reshape(-1, 2) * CELL


def soft_numbers(width: float) -> torch.Tensor:
    """(STEPS + 1, STEPS + 1) rows that sum to 1: a bell of that standard deviation in grid steps round each number."""
    steps = torch.arange(STEPS + 1, dtype=torch.float32)
    if width <= 0:
        return torch.eye(STEPS + 1)
    bell = torch.exp(-0.5 * ((steps[:, None] - steps[None]) / width) ** 2)
    return bell / bell.sum(dim=1, keepdim=True)


def things_of(seen: Seen, listed: Listed, date: int = -1) -> list[SynthObject]:
    """The listed things of an image."""
    return [thing for thing in seen.things[date] if listed.holds(thing)]


def inside(model: Any, layer: int, name: str, store: dict[str, torch.Tensor]) -> Any:
    """A hook that keeps the language model's states after a layer, from 1; call `.remove()` on it."""

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        store[name] = output[0] if isinstance(output, tuple) else output

    return model.model.language_model.layers[layer - 1].register_forward_hook(keep)
