"""Which tools a run knows: surveyor's own, those given to it, and those of installed packages.

A choice that keeps runs apart: there is no global list to add to. `tools=[...]` holds for the call (or the `Graph`) it
is given to. A package offers tools to everyone who installs it by an entry point of the group `surveyor.tools`, whose
name is the tool's; it is loaded only when a plan names it or the tools are listed, so a broken one hurts nobody else.
"""

from __future__ import annotations

import difflib
import runpy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..core.plan import Plan
from .custom import MARK, ToolLike, tool_of
from .registry import TOOLS, Tool

GROUP = "surveyor.tools"


@dataclass(frozen=True)
class Toolbox:
    """The tools of one run; calling it with a name gives the tool.

    Args:
        given: the caller's own tools, see `Toolbox.of`.

    Example:
        >>> Toolbox.of()("count").doc
        'Counts those that are kept.'
    """

    given: tuple[Tool, ...] = ()

    @classmethod
    def of(cls, tools: Iterable[ToolLike] = ()) -> Toolbox:
        """The toolbox with these functions (or tools) besides surveyor's own.

        Raises:
            UsageError: a function cannot be a tool, or two tools have the same name.
        """
        given: list[Tool] = []
        for each in tools:
            found = tool_of(each)
            taken = next((other for other in (*TOOLS, *given) if other.name == found.name), None)
            if taken is not None and taken != found:
                raise UsageError(
                    f"two tools are called {found.name!r}: {taken.origin} and {found.origin}; "
                    "name one otherwise: @surveyor.tool(name='...')"
                )
            if taken is None:
                given.append(found)
        return cls(tuple(given))

    def __call__(self, name: str) -> Tool:
        """The tool of that name. Raises UsageError that lists the names when there is none."""
        for tool in (*TOOLS, *self.given):
            if tool.name == name:
                return tool
        for entry in entry_points(group=GROUP, name=name):
            return _loaded(entry)
        names = [tool.name for tool in (*TOOLS, *self.given)] + sorted(entry_points(group=GROUP).names)
        near = difflib.get_close_matches(name, names, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise UsageError(
            f"there is no tool {name!r}{meant}; the tools are: {', '.join(names)}. "
            "Tools of your own are given by tools=[...], see docs/scripting.md"
        )

    def __iter__(self) -> Iterator[Tool]:
        """All tools that can be used: surveyor's own first, then those given, then those of installed packages."""
        yield from TOOLS
        yield from self.given
        named = {tool.name for tool in (*TOOLS, *self.given)}
        for name, tool in installed_tools().items():
            if isinstance(tool, Tool) and name not in named:
                yield tool

    def used_by(self, plan: Plan) -> dict[str, str]:
        """For the trace: the tools of a plan that are not surveyor's own, with where they come from."""
        named = dict.fromkeys(step.tool for step in plan.steps)
        own = {tool.name for tool in TOOLS}
        return {f"tool {name}": self(name).origin for name in named if name not in own}


def installed_tools() -> dict[str, Tool | str]:
    """What installed packages offer by the entry point group `surveyor.tools`: a tool, or why it cannot be used."""
    found: dict[str, Tool | str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found[entry.name] = _loaded(entry)
        except UsageError as error:
            found[entry.name] = str(error)
    return found


def _loaded(entry: EntryPoint) -> Tool:
    if any(own.name == entry.name for own in TOOLS):
        raise UsageError(f"the installed tool {entry.name!r} ({entry.value}) has the name of one of surveyor's own")
    try:
        function = entry.load()
    except Exception as error:  # code of another package: whatever it raises at import
        raise UsageError(
            f"the installed tool {entry.name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    tool = tool_of(function)
    if tool.name != entry.name:
        raise UsageError(
            f"the entry point {entry.name!r} ({entry.value}) holds the tool {tool.name!r}; name both alike"
        )
    return tool


def tools_of_file(path: str | Path) -> tuple[Tool, ...]:
    """The functions of a Python file that are decorated with `surveyor.tool`, in order. The file is run.

    Raises:
        UsageError: it cannot be read or run, or has no tool.
    """
    try:
        values: Mapping[str, Any] = runpy.run_path(str(path), run_name="surveyor_tools")
    except UsageError:
        raise
    except Exception as error:  # the user's code: whatever it raises
        raise UsageError(f"the tools of {str(path)!r} cannot be loaded: {type(error).__name__}: {error}") from error
    found = [value for value in values.values() if isinstance(getattr(value, MARK, None), Tool)]
    if not found:
        raise UsageError(f"{str(path)!r} has no tool; put @surveyor.tool above a function (docs/scripting.md)")
    return Toolbox.of(found).given


# ---- telling others about them -----------------------------------------------------------------------------------


def tool_schemas(tools: Iterable[Tool] = TOOLS) -> list[dict[str, Any]]:
    """The tools as plain data, for a model or another program: name, what it does, inputs, JSON schema of arguments.

    Example:
        >>> [entry["name"] for entry in tool_schemas()][:1]
        ['ground']
    """
    return [
        {
            "name": tool.name,
            "description": tool.doc,
            "inputs": list(tool.inputs),
            "takes_references": tool.references,
            "gives": tool.gives,
            "arguments": tool.args.model_json_schema(),
        }
        for tool in tools
    ]


def tools_text(tools: Iterable[Tool] = TOOLS) -> str:
    """The tools in words for a prompt, one a line, arguments below.

    Example:
        >>> print(tools_text(Toolbox.of()).splitlines()[0])
        ground(phrases) -> CandidateSet: Finds everything that the phrases name.
    """
    lines = []
    for tool in tools:
        more = ["references by their words"] if tool.references else []
        takes = ", ".join([*tool.inputs, *more, *tool.args.model_fields])
        lines.append(f"{tool.name}({takes}) -> {tool.gives}: {tool.doc}")
        for name, field in tool.args.model_fields.items():
            if field.description:
                default = "" if field.is_required() else f" (default {field.default!r})"
                lines.append(f"  {name}: {field.description}{default}")
    return "\n".join(lines)
