"""Images that nothing is trained or tuned on, by name, so that recipes and suites agree."""

from __future__ import annotations

CHANGE_HELD_OUT = {
    "levir": ("test_121", "test_2", "test_77", "test_7", "val_27"),
    "fotbcd": ("test_114", "test_654", "test_692", "test_95"),
    "dsifn": ("7_4", "8_3"),
    "xbd": ("hurricane-harvey_00000006",),
}
"""Pairs of `change/`, by source; the others may be trained on."""


def is_held_out(source: str, name: str) -> bool:
    """Whether a pair of `change/` is kept apart, by its name or that of the scene that it was cut from.

    Example:
        >>> is_held_out("levir", "test_121_0768_0256"), is_held_out("levir", "train_36_0512_0512")
        (True, False)
    """
    return any(is_of(name, each) for each in CHANGE_HELD_OUT[source])


def is_of(name: str, scene: str) -> bool:
    """Whether a pair is a scene's, or was cut from it ("test_121_0768_0256" from "test_121")."""
    return name == scene or name.startswith(f"{scene}_")
