"""Tools that users add: a typed function with a docstring becomes a `Tool` that plans can name.

The decorator checks the function and marks it; nothing is registered anywhere. A run knows the tools it is given
(`tools=[...]`), surveyor's own, and those that installed packages offer (see `surveyor.tools.toolbox`).
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints, overload

from pydantic import Field, PydanticUserError, TypeAdapter, ValidationError, create_model

from ..core.errors import SurveyorError, ToolFailed, UsageError
from ..core.plan import describe_faults
from ..core.regions import CandidateSet
from .registry import TOOLS, Arguments, Context, Inputs, Tool
from .values import Count, Measurements, Text, Truth, Value

F = TypeVar("F", bound=Callable[..., Value])
ToolLike = Tool | Callable[..., Value]
Kind = Literal["CandidateSet", "Count", "Truth", "Measurements", "Text"]

MARK = "__surveyor_tool__"
_GIVES: dict[Any, Kind] = {
    CandidateSet: "CandidateSet",
    Count: "Count",
    Truth: "Truth",
    Measurements: "Measurements",
    Text: "Text",
}
_RULES = "see docs/scripting.md, 'Your own tool'"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ARGUMENT = re.compile(r"(\w+)(?: \([^)]*\))?:\s*(.*)")


@overload
def tool(function: F) -> F: ...
@overload
def tool(*, name: str) -> Callable[[F], F]: ...
def tool(function: F | None = None, *, name: str | None = None) -> F | Callable[[F], F]:
    """Marks a typed function as a tool; the function comes back unchanged and can be called and tested as before.

    Args:
        function: takes candidate sets (each becomes an input of the step), at most one `Scene`, and literals of JSON
            types (they become arguments, checked by pydantic); gives a `CandidateSet`, `Count`, `Truth`,
            `Measurements` or `Text`. Its docstring is its help; lines under "Args:" describe the arguments.
        name: what plans call it; the function's own name when not given.

    Raises:
        UsageError: lists everything that is wrong with the function.

    Example:
        >>> from surveyor.tools import Count
        >>> @tool
        ... def seats(planes: CandidateSet, each: int = 180) -> Count:
        ...     '''Counts the seats of the kept planes.'''
        ...     return Count(len(planes.kept) * each)
        >>> seats(CandidateSet())
        Count(n=0, undecided=0)
        >>> tool_of(seats).doc
        'Counts the seats of the kept planes.'
    """
    if function is None:
        return lambda later: tool_marked(later, name)
    return tool_marked(function, name)


def tool_marked(function: F, name: str | None) -> F:
    """The function with its `Tool` attached. Raises UsageError listing every fault."""
    setattr(function, MARK, _made(function, name))
    return function


def tool_of(function: ToolLike) -> Tool:
    """The `Tool` of a function (decorated or not), or the tool itself. Raises UsageError listing every fault."""
    if isinstance(function, Tool):
        return function
    marked = getattr(function, MARK, None)
    return marked if isinstance(marked, Tool) else _made(function, None)


def _made(function: Callable[..., Value], name: str | None) -> Tool:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise UsageError(f"a tool is a function with typed parameters and a docstring, not {function!r}; {_RULES}")
    called = name or function.__name__
    faults = _faults_of_name(called)
    doc = inspect.getdoc(function) or ""
    if not doc:
        faults.append("it has no docstring: say in one sentence what it does")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        faults.append("it is asynchronous or a generator; a tool returns its value")
    hints, trouble = _hints(function)
    faults += trouble
    sets, scenes, contexts, literals = _sorted_parameters(function, hints, faults)
    gives = _GIVES.get(hints.get("return"))
    if gives is None and not trouble:
        wanted = ", ".join(_GIVES.values())
        faults.append(f"it must say that it returns one of {wanted}, not {_shown(hints.get('return'))}")
    args = None if faults else _arguments(called, doc, literals, faults)
    if faults or args is None or gives is None:
        raise UsageError(f"the function {called!r} cannot be a tool: {'; '.join(faults)} ({_RULES})")
    return Tool(
        name=called,
        inputs=tuple(sets),
        args=args,
        run=_runner(function, called, sets, scenes, contexts, list(literals)),
        doc=_first_sentence(doc),
        gives=gives,
        about=doc,
        origin=_origin(function),
    )


# ---- checking a function -------------------------------------------------------------------------------------


def _faults_of_name(name: str) -> list[str]:
    if not _NAME.fullmatch(name):
        return [f"the name {name!r} must be letters, digits and '_', and begin with a letter"]
    if name in {own.name for own in TOOLS}:
        return [f"{name!r} is one of surveyor's own tools; choose another name"]
    return []


def _hints(function: Callable[..., Value]) -> tuple[dict[str, Any], list[str]]:
    try:
        return get_type_hints(function, include_extras=True), []
    except Exception as error:  # an annotation can fail in any way when it is evaluated
        return {}, [f"its annotations cannot be read: {error}"]


def _sorted_parameters(
    function: Callable[..., Value], hints: dict[str, Any], faults: list[str]
) -> tuple[list[str], list[str], list[str], dict[str, tuple[Any, Any]]]:
    """Names of the parameters that take sets, the scene and the context; annotation and default of the others."""
    from ..core.scene import Scene

    sets: list[str] = []
    scenes: list[str] = []
    contexts: list[str] = []
    literals: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        given = parameter.default is not parameter.empty
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            faults.append(f"the parameter {str(parameter)!r} must be an ordinary one with a name of its own")
        elif hint is None:
            if hints or parameter.annotation is parameter.empty:
                faults.append(f"the parameter {name!r} has no type")
        elif hint in (CandidateSet, Scene, Context):
            {CandidateSet: sets, Scene: scenes, Context: contexts}[hint].append(name)
            if given:
                faults.append(f"the parameter {name!r} takes no default: a plan always names it")
        elif name.startswith("_") or hasattr(Arguments, name):
            faults.append(f"the parameter {name!r} needs another name: pydantic uses this one")
        else:
            literals[name] = (hint, parameter.default if given else ...)
    for kind, names in (("Scene", scenes), ("Context", contexts)):
        if len(names) > 1:
            faults.append(f"it takes {kind} more than once: {', '.join(names)}")
    return sets, scenes, contexts, literals


def _arguments(name: str, doc: str, literals: dict[str, tuple[Any, Any]], faults: list[str]) -> type[Arguments] | None:
    """The pydantic model of the literals; None, with the reasons in `faults`, where a plan could not hold one."""
    described = _described(doc)
    fields: dict[str, Any] = {}
    for argument, (hint, default) in literals.items():
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint)
            adapter.json_schema()
            if default is not ...:
                adapter.validate_python(default)
        except ValidationError as error:
            faults.append(f"the default of {argument!r} does not fit its type: {describe_faults(error)}")
        except (PydanticUserError, TypeError, NameError) as error:
            reason = str(error).splitlines()[0]
            faults.append(f"the parameter {argument!r} is {_shown(hint)}, which a plan cannot hold as text: {reason}")
        fields[argument] = (hint, Field(default, description=described.get(argument)))
    if faults:
        return None
    title = "".join(part.capitalize() for part in re.split(r"[_-]", name))
    made: type[Arguments] = create_model(
        f"{title}Arguments", __base__=Arguments, __doc__=_first_sentence(doc), **fields
    )
    return made


def _shown(hint: Any) -> str:
    return "nothing" if hint is None or hint is type(None) else getattr(hint, "__name__", str(hint))


# ---- reading the docstring -----------------------------------------------------------------------------------


def _first_sentence(doc: str) -> str:
    paragraph = " ".join(doc.split("\n\n")[0].split())
    found = re.match(r".*?[.!?](?=\s|$)", paragraph)
    return found.group() if found else paragraph


def _described(doc: str) -> dict[str, str]:
    """What the lines under "Args:" say of each argument (Google style)."""
    found: dict[str, str] = {}
    _, _, section = doc.partition("\nArgs:\n")
    name = ""
    for line in section.splitlines():
        if line and not line[0].isspace():
            break
        text = line.strip()
        start = _ARGUMENT.fullmatch(text) if len(line) - len(line.lstrip()) <= 4 else None
        if start:
            name, text = start[1], start[2]
            found[name] = text
        elif name and text:
            found[name] = f"{found[name]} {text}".strip()
    return found


def _origin(function: Callable[..., Value]) -> str:
    """Where the function is from, with a digest of its source, for the trace: "my_tools.isolated 1f2e3d4c"."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = "" if code is None else repr((code.co_code, code.co_consts, code.co_names))
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return f"{function.__module__}.{function.__qualname__} {digest}"


# ---- running it ----------------------------------------------------------------------------------------------


def _runner(
    function: Callable[..., Value], name: str, sets: list[str], scenes: list[str], contexts: list[str], rest: list[str]
) -> Callable[[Context, Inputs, Any], Value]:
    def run(context: Context, inputs: Inputs, args: Any) -> Value:
        values: dict[str, Any] = {key: inputs[key] for key in sets}
        values |= {key: getattr(args, key) for key in rest}
        values |= dict.fromkeys(scenes, context.scene) | dict.fromkeys(contexts, context)
        try:
            value = function(**values)
        except SurveyorError:
            raise
        except Exception as error:  # a fault of the user's function: its step fails, the run goes on
            raise ToolFailed(f"the tool {name!r} raised {type(error).__name__}: {error}{_place(error)}") from error
        return _checked_value(value, name, function)

    return run


def _checked_value(value: Any, name: str, function: Callable[..., Value]) -> Value:
    promised = get_type_hints(function)["return"]
    if not isinstance(value, promised):
        raise ToolFailed(f"the tool {name!r} gave {type(value).__name__}, and promised {promised.__name__}")
    if isinstance(value, CandidateSet):
        ids = [candidate.region.id for candidate in value]
        twice = sorted({key for key in ids if ids.count(key) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            raise ToolFailed(f"the tool {name!r} gave several regions the same id: {', '.join(map(repr, twice))}")
    assert isinstance(value, CandidateSet | Count | Truth | Measurements | Text)
    return value


def _place(error: Exception) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return "" if last is None else f" ({Path(last.tb_frame.f_code.co_filename).name}, line {last.tb_lineno})"
