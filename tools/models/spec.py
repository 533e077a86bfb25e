"""Which model plays which role: `--models grounder=compact,segmenter=compact` and what each backend is and knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...core.errors import SurveyorError, UsageError
from ...core.protocols import ChangeDetector, ChatModel, Describer, Grounder, Segmenter

EXAMPLE = "grounder=compact,segmenter=compact"


@dataclass(frozen=True)
class Models:
    """The models of one run. Their weights load on first use. The describer is asked only where a run verifies."""

    grounder: Grounder
    segmenter: Segmenter
    describer: Describer | None = None
    chat: ChatModel | None = None
    change: ChangeDetector | None = None

    def names(self) -> dict[str, str]:
        """Role -> name of the model, for the trace."""
        made = {role: getattr(self, role) for role in vars(self)}
        return {role: model.name for role, model in made.items() if model is not None}


@dataclass(frozen=True)
class Backend:
    """One way to play a role.

    Attributes:
        argument: what is written behind the colon ("FILE"), None when nothing is.
        about: one line for people.
        make: builds it from the argument, or from the run's grounder and segmenter.
        open_vocabulary: it takes any phrase.
        of_others: it is made of the run's grounder and segmenter.
    """

    role: str
    name: str
    argument: str | None
    about: str
    make: Callable[..., Any]
    open_vocabulary: bool = False
    of_others: bool = False

    @property
    def usage(self) -> str:
        """As written in a spec: "grounder=oracle:FILE"."""
        return f"{self.role}={self.name}" + (f":{self.argument}" if self.argument else "")


@dataclass(frozen=True)
class BackendReport:
    """What `surveyor models` shows of a backend.

    Attributes:
        knows: class names; None when they depend on the argument, or there is no such list.
        trouble: why it cannot be used here; None when it can.
    """

    usage: str
    role: str
    about: str
    knows: tuple[str, ...] | None
    trouble: str | None
    is_default: bool


def _compact_grounder(_argument: str) -> Grounder:
    from .compact.detector import CompactGrounder

    return CompactGrounder()


def _compact_segmenter(_argument: str) -> Segmenter:
    from .compact.segmenter import CompactSegmenter

    return CompactSegmenter()


def _compact_describer(_argument: str) -> Describer:
    from .compact.describer import CompactDescriber

    return CompactDescriber()


def _oracle_describer(argument: str) -> Describer:
    from .oracle_describer import OracleDescriber

    return OracleDescriber(argument)


def _oracle_grounder(argument: str) -> Grounder:
    from .oracle import OracleGrounder

    return OracleGrounder(argument)


def _oracle_segmenter(argument: str) -> Segmenter:
    from .oracle import OracleSegmenter

    return OracleSegmenter(argument)


def _qwen(argument: str) -> Any:
    from .qwen2vl.adapter import Qwen2VL

    return Qwen2VL.at(argument)


def _nano(_argument: str) -> Any:
    from .nano.model import Nano

    return Nano()


def _sam2(argument: str) -> Segmenter:
    from .sam2 import sam2_segmenter

    return sam2_segmenter(argument)


def _remote(argument: str) -> Any:
    from .remote.adapter import RemoteModel

    return RemoteModel.at(argument)


def _change_vectors(_argument: str) -> ChangeDetector:
    from .change_vectors import ChangeVectors

    return ChangeVectors()


def _compact_change(_argument: str) -> ChangeDetector:
    from .compact.change import CompactChange

    return CompactChange()


def _comparison(grounder: Grounder, segmenter: Segmenter) -> ChangeDetector:
    from .compare import Comparison

    return Comparison(grounder, segmenter)


def _local_chat(argument: str) -> ChatModel:
    from .chat_hf import LocalChat

    return LocalChat(argument)


def _remote_chat(argument: str) -> ChatModel:
    from .remote.chat import RemoteChat

    return RemoteChat.at(argument)


_COMPARED = "things of the run's grounder at both dates, matched one to one: what came, went or was altered"
_FILE = "COCO instances or DOTA labelTxt"
_SERVER = "MODEL@URL[,URL]"
_NANO = "shipped demonstration: a tiny Qwen2-VL taught with drawn scenes, of no use on photos"
_CHECKPOINT = "DIR_OR_NAME[@REVISION][+ADAPTER]"
BACKENDS: tuple[Backend, ...] = (
    Backend("grounder", "compact", None, "built-in oriented-object detector", _compact_grounder),
    Backend("grounder", "oracle", "FILE", f"answers from human annotation ({_FILE})", _oracle_grounder),
    Backend("grounder", "qwen2vl", _CHECKPOINT, "Qwen2-VL, 2.5 or 3, stock or trained on sets of points", _qwen, True),
    Backend("grounder", "openai", _SERVER, "vision model behind servers that speak OpenAI's chat", _remote, True),
    Backend("grounder", "nano", None, _NANO, _nano),
    Backend("segmenter", "compact", None, "built-in mask model, prompted by boxes and points", _compact_segmenter),
    Backend("segmenter", "oracle", "FILE", f"answers from annotated outlines ({_FILE})", _oracle_segmenter),
    Backend("segmenter", "sam2", "CHECKPOINT", "SAM-2, prompted by boxes, points and coarse masks", _sam2),
    Backend("describer", "compact", None, "looks again with the built-in detector, for --verify", _compact_describer),
    Backend("describer", "oracle", "FILE", f"names what is annotated there, for --verify ({_FILE})", _oracle_describer),
    Backend("describer", "qwen2vl", _CHECKPOINT, "Qwen2-VL, 2.5 or 3: a phrase for each region, for --verify", _qwen),
    Backend("describer", "openai", _SERVER, "vision model behind servers, for --verify", _remote),
    Backend("describer", "nano", None, _NANO, _nano),
    Backend("change", "compact", None, "built-in siamese network: buildings that came or went", _compact_change),
    Backend("change", "compare", None, _COMPARED, _comparison, of_others=True),
    Backend("change", "cva", None, "change vector analysis, the classical reference: sees any change", _change_vectors),
    Backend("change", "qwen2vl", _CHECKPOINT, "Qwen2-VL, 2.5 or 3: polygons of what changed between two images", _qwen),
    Backend("change", "openai", _SERVER, "vision model behind servers: what changed between two images", _remote),
    Backend("change", "nano", None, _NANO, _nano),
    Backend("chat", "hf", "PATH_OR_NAME", "local language model: folder, GGUF file or Hugging Face name", _local_chat),
    Backend("chat", "openai", _SERVER, "OpenAI-compatible servers: vLLM, llama.cpp, Ollama, hosted", _remote_chat),
)
DEFAULTS = {"grounder": "compact", "segmenter": "compact", "describer": "compact", "change": "compact"}


_held: Models | None = None
"""The models made last: large ones share weights that are in memory, so asking again does not load them again."""


def load_models(spec: str | None = None) -> Models:
    """The models that a spec names; a role it leaves out gets the built-in one.

    Args:
        spec: comma list of role=backend or role=backend:argument, e.g. "grounder=oracle:val.json"; None or "" for
            the built-in models.

    Raises:
        UsageError: an unknown role or backend, a role given twice, an argument missing or too many, or an argument
            that the backend refuses (a missing annotation file).

    Example:
        >>> load_models("grounder=compact").segmenter.name
        'compact'
    """
    chosen = {role: (name, "") for role, name in DEFAULTS.items()} | _parse(spec or "")
    backends = {role: _backend(role, name) for role, (name, _) in chosen.items()}
    made = {role: each.make(chosen[role][1]) for role, each in backends.items() if not each.of_others}
    for role, each in backends.items():
        if each.of_others:
            made[role] = each.make(made["grounder"], made["segmenter"])
    global _held
    _held = Models(**made)
    return _held


def describe_backends() -> tuple[BackendReport, ...]:
    """Every backend there is, in order of role: what it is, what it knows, and whether it works here."""
    return tuple(_report(backend) for backend in BACKENDS)


def open_vocabulary_advice() -> str:
    """What to use for a phrase that a closed list of classes does not have; only names backends that exist."""
    usages = [b.usage for b in BACKENDS if b.role == "grounder" and b.open_vocabulary]
    if usages:
        return f"For any other phrase use an open-vocabulary grounder: --models {' or '.join(usages)}."
    return (
        "No open-vocabulary grounder comes with this version; to answer from your own annotation use "
        "--models grounder=oracle:FILE."
    )


def _parse(spec: str) -> dict[str, tuple[str, str]]:
    """Role -> (backend, argument). Commas inside an argument are kept: an entry starts with `word=`."""
    chosen: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip() for part in re.split(r",\s*(?=\w+\s*=)|,\s*$", spec.strip()) if part)):
        role, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not role or not value:
            raise UsageError(f"{entry!r} names no model; expected role=backend, for example {EXAMPLE}")
        roles = tuple(dict.fromkeys(backend.role for backend in BACKENDS))
        if role not in roles:
            raise UsageError(f"there is no role {role!r}; expected one of: {', '.join(roles)}")
        if role in chosen:
            raise UsageError(f"the role {role!r} is given twice in {spec!r}; give it once")
        name, colon, argument = value.partition(":")
        backend = _backend(role, name)
        if backend.argument and not argument:
            raise UsageError(f"{entry!r} lacks its {backend.argument}; write {backend.usage}")
        if colon and not backend.argument:
            raise UsageError(f"the backend {name!r} takes no argument, but {entry!r} has {argument!r}; write {backend.usage}")  # fmt: skip  # noqa: E501
        chosen[role] = (name, argument)
    return chosen


def _backend(role: str, name: str) -> Backend:
    for backend in BACKENDS:
        if (backend.role, backend.name) == (role, name):
            return backend
    usages = ", ".join(b.usage for b in BACKENDS if b.role == role)
    raise UsageError(f"there is no {role} backend {name!r}; expected one of: {usages}")


def _report(backend: Backend) -> BackendReport:
    knows: tuple[str, ...] | None = None
    trouble: str | None = None
    if backend.argument is None and not backend.of_others:
        try:
            model = backend.make("")
            knows = model.knows() if backend.role in ("grounder", "change") else None
        except (SurveyorError, ImportError) as error:
            trouble = str(error)
    return BackendReport(
        backend.usage, backend.role, backend.about, knows, trouble, DEFAULTS.get(backend.role) == backend.name
    )
