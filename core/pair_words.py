"""What was done to a pair, in plain words."""

from __future__ import annotations

from .alignment import Alignment
from .pair_light import Light
from .pair_metadata import read_head
from .scene import Scene

_TOLD_STEP = 4.0
_TOLD_SHARE = 0.001
_FEW_AGREE = 0.35


def head_notes(before: Scene, after: Scene) -> list[str]:
    """Of the files' heads: bands and depths that differ, and dates that say the two are swapped."""
    if before.path is None or after.path is None:
        return []
    first, second = read_head(before.path), read_head(after.path)
    notes = []
    if (first.bands, first.dtype) != (second.bands, second.dtype):
        notes.append(f"before has {first.kind}, after {second.kind}; both are shown as 8-bit RGB")
    if first.taken and second.taken and first.taken > second.taken:
        notes.append(
            f"by their metadata before is of {first.taken:%Y-%m-%d} ({first.tag}) and after of "
            f"{second.taken:%Y-%m-%d} ({second.tag}): are the two swapped? They are compared as given"
        )
    return notes


def alignment_note(found: Alignment, size_wh: tuple[int, int], negligible_px: float) -> str:
    """What co-registration found and did."""
    if not found.textured:
        return "there is too little to see for aligning the two: taken as they lie"
    if not found.matched:
        return (
            f"the two do not look alike where their coordinates lay them (quality {found.quality:.2f}): compared as "
            "they lie; check that both show the same place"
        )
    if found.agreement is None:
        return "too much differs for measuring how the two lie on each other: taken as they lie"
    centre, far = found.moved_px(size_wh)
    told = f"quality {found.quality:.2f}, {found.agreement:.0%} of the windows agree"
    if far < negligible_px:
        return f"the two lie within {negligible_px:g} px of each other ({told})"
    turned = f" and turned by {abs(found.turn_deg):.2f} degrees" if abs(found.turn_deg) >= 0.02 else ""
    doubt = "" if found.agreement >= _FEW_AGREE else "; relief or the angle of view moves parts differently"
    return f"before was shifted by {centre:.1f} px{turned} to lie on after ({told}{doubt})"


def light_note(light: Light) -> list[str]:
    """The difference in light, where it is worth telling."""
    if light.mean_step < _TOLD_STEP:
        return []
    parts = zip(("red", "green", "blue"), light.gain, light.offset, strict=True)
    told = ", ".join(f"{name} x {gain:.2f} {offset:+.0f}" for name, gain, offset in parts)
    return [f"the dates differ in light: models see before matched to after ({told})"]


def unknown_note(unknown: dict[str, float]) -> list[str]:
    """How much of the ground cannot be compared, and why."""
    total = sum(unknown.values())
    if total < _TOLD_SHARE:
        return []
    why = ", ".join(f"{reason} {share:.1%}" for reason, share in unknown.items() if share >= _TOLD_SHARE)
    return [f"{total:.1%} of the ground is unknown: {why}"]
