"""Names of checkpoints: which files a model needs, how to bring them by hand, what to write for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import UsageError
from .folder import ADAPTER, QWEN_VL, SAM2, SAM2_NATIVE, check_folder

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
FILES = (".pt", ".pth", ".safetensors", ".gguf", ".bin", ".json")
"""How names of files of a checkpoint end, and names on the hub do not."""
_SMALL = (".json", ".txt", ".model", ".jinja")
WEIGHTS = ((".safetensors",), (".pt", ".pth"), (".bin",))
"""The first form that a repository has is taken."""
_NOT_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
_QWEN_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.json (or chat_template.jinja)",
    "model.safetensors.index.json and every model-0000X-of-0000N.safetensors (a small model: model.safetensors)",
)
_SAM2_FILES = (
    "config.json",
    "preprocessor_config.json",
    "model.safetensors (or, for the sam2 package, the .pt file alone)",
)
_OTHER_FILES = (
    "config.json",
    "every *.safetensors, with model.safetensors.index.json where there are several",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
)


def is_id(text: str, *, owner: bool = True) -> bool:
    """Whether that can be a model's name on the hub: OWNER/NAME; without `owner`, also a NAME of its early days."""
    named = text if owner or "/" in text else f"x/{text}"
    return _ID.fullmatch(named) is not None and "--" not in text and ".." not in text


def check_id(text: str) -> None:
    """Nothing, if `text` is OWNER/NAME.

    Raises:
        UsageError: it is not; the message says what to write for what it seems to be (a revision, a folder).

    Example:
        >>> check_id("Q/X@v1")
        Traceback (most recent call last):
        surveyor.core.errors.UsageError: 'Q/X@v1' is no name on the hub; write: surveyor models pull Q/X --revision v1
    """
    if is_id(text):
        return
    fault = f"{text!r} is no name on the hub"
    name, at, revision = text.partition("@")
    if at and revision and is_id(name):
        raise UsageError(f"{fault}; write: surveyor models pull {name} --revision {revision}")
    path = Path(text).expanduser()
    if text and path.exists():
        try:
            spec = spec_for(check_folder(path).kind, text)
        except UsageError as error:
            raise UsageError(f"{fault} but is on this machine, and {error}") from None
        raise UsageError(f"{fault} but is on this machine already; try it: surveyor models check {spec}")
    raise UsageError(f"{fault}; expected OWNER/NAME, for example Qwen/Qwen2-VL-2B-Instruct")


@dataclass(frozen=True)
class ByHand:
    """How to bring a checkpoint to a machine without a hub.

    Attributes:
        id: on the hub.
        files: what its folder needs.
        folder: where to put them.
        spec: what to write afterwards, `grounder=qwen2vl:FOLDER`.
    """

    id: str
    revision: str | None
    files: tuple[str, ...]
    folder: str
    spec: str

    def lines(self) -> tuple[str, ...]:
        """The steps, a line each."""
        revision = f" --revision {self.revision}" if self.revision else ""
        tree = f"https://huggingface.co/{self.id}/tree/{self.revision or 'main'}"
        return (
            f"On a machine with a connection: surveyor models pull {self.id}{revision} --to {self.folder}",
            f"or save from {tree} these files:",
            *(f"  {name}" for name in self.files),
            f"Copy them here as the folder {self.folder}/, then try them: surveyor models check {self.spec}",
        )

    def in_one_line(self) -> str:
        """The same, for an error's message."""
        files, page = ", ".join(self.files), f"https://huggingface.co/{self.id}"
        return f"copy by hand from {page}: {files}; put them in {self.folder}/ and write {self.spec}"


def by_hand(id: str, revision: str | None = None, folder: str | None = None, files: Sequence[str] = ()) -> ByHand:
    """How to bring the model `id` here without this machine's hub.

    Args:
        files: what its folder needs, where that is known; else a list for its kind of model, told by its name.

    Example:
        >>> by_hand("Qwen/Qwen2-VL-2B-Instruct").spec
        'grounder=qwen2vl:models/Qwen2-VL-2B-Instruct'
    """
    name = id.lower()
    kind = ""
    listed: tuple[str, ...] = _OTHER_FILES
    if "qwen" in name and "vl" in name:
        kind, listed = QWEN_VL[0], _QWEN_FILES
    elif re.search(r"sam-?2", name):
        kind, listed = SAM2[0], _SAM2_FILES
    place = folder or f"models/{id.rpartition('/')[2]}"
    return ByHand(id, revision, tuple(files) or listed, place, spec_for(kind, place))


def spec_for(kind: str, source: str) -> str:
    """What to write behind `--models` for a checkpoint of this kind (see `FolderReport.kind`).

    Example:
        >>> spec_for("sam2", "models/sam2.1-hiera-tiny")
        'segmenter=sam2:models/sam2.1-hiera-tiny'
    """
    if kind in QWEN_VL:
        return f"grounder=qwen2vl:{source}"
    if kind in (*SAM2, SAM2_NATIVE):
        return f"segmenter=sam2:{source}"
    if kind == ADAPTER:
        return f"grounder=qwen2vl:MODEL+{source}"
    return f"chat=hf:{source}"


def needed_files(names: Iterable[str]) -> list[str]:
    """The files of a repository that a model is loaded from, in order of name.

    Settings, tokenizer and weights of the folder itself; of the weights the safetensors, and only where there are none
    what there is instead. Nothing for other programs (ONNX, GGUF), no training state, no pictures or pages.

    Example:
        >>> needed_files(["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx"])
        ['config.json', 'model.safetensors']
    """
    own = sorted(name for name in names if "/" not in name and not name.startswith(".") and name not in _NOT_WEIGHTS)
    form = next((ends for ends in WEIGHTS if any(name.endswith(ends) for name in own)), ())
    small = [name for name in own if name.endswith(_SMALL)]
    if form == (".safetensors",):
        small = [name for name in small if not re.search(r"\.(bin|pt|h5|msgpack)\.index\.json$", name)]
    return sorted([*small, *(name for name in own if form and name.endswith(form))])
