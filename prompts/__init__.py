"""Text for language models: one file a prompt, loaded by name, filled in with values, told apart by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from ..core.errors import UsageError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """A text with places to fill in, written $name ("$$" is a dollar sign)."""

    name: str
    text: str

    def values(self) -> tuple[str, ...]:
        """The names of the places, in order of the text."""
        return tuple(Template(self.text).get_identifiers())

    def render(self, **values: str) -> str:
        """The text with every place filled in.

        Raises:
            UsageError: a value is missing, or there is no place for it.

        Example:
            >>> Prompt("greeting", "Good $time!").render(time="morning")
            'Good morning!'
        """
        wanted = set(self.values())
        if wanted != set(values):
            raise UsageError(f"the prompt {self.name!r} needs the values {sorted(wanted)}, not {sorted(values)}")
        return Template(self.text).substitute(values)

    def digest(self) -> str:
        """The first 16 hex digits of the text's SHA-256, for the trace."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@cache
def load(name: str) -> Prompt:
    """The prompt of that name.

    Raises:
        UsageError: there is none; lists those there are.

    Example:
        >>> load("parse_again").values()
        ('fault',)
    """
    path = _FOLDER / f"{name}.md"
    if path.parent != _FOLDER or not path.is_file():
        known = ", ".join(sorted(file.stem for file in _FOLDER.glob("*.md")))
        raise UsageError(f"there is no prompt {name!r}; expected one of: {known}")
    return Prompt(name, path.read_text(encoding="utf-8").strip())
