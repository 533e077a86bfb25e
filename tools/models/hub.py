"""Checkpoints from the Hugging Face hub: fetching them, and finding them again.

Weights are taken as safetensors; other forms of the same weights are left where they are. Where the hub cannot be
reached, the error names the files to copy by hand, where to put them, and what to write afterwards.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ...core.errors import MissingDependency, SurveyorError, ToolFailed, UsageError
from ...core.progress import report
from .checkpoint_names import FILES, WEIGHTS, ByHand, by_hand, check_id, is_id, needed_files, spec_for
from .folder import ADAPTER, QWEN_VL, SAM2, SAM2_NATIVE, FolderReport, check_adapter, check_folder

__all__ = [
    "ADAPTER",
    "QWEN_VL",
    "SAM2",
    "SAM2_NATIVE",
    "ByHand",
    "FolderReport",
    "HubDown",
    "Listing",
    "NotPulled",
    "Pulled",
    "by_hand",
    "check_adapter",
    "check_folder",
    "locate",
    "needed_files",
    "pull",
    "spec_for",
]
COMMAND = 'pip install "surveyor[qwen]"'
MARKER = ".surveyor-pull.json"
"""Says in a folder of `pull(to=...)` which model it is, so that the folder is not taken for another one."""


class NotPulled(UsageError):
    """The hub does not give the files to this call; `by_hand` tells how to come by them otherwise.

    `offline`: the caller's own setting forbids to ask it.
    """

    def __init__(self, message: str, by_hand: ByHand, *, offline: bool = False) -> None:
        super().__init__(f"{message}; {by_hand.in_one_line()}")
        self.reason, self.by_hand, self.offline = message, by_hand, offline


class HubDown(ToolFailed):
    """The hub did not answer, or the connection broke; as `NotPulled`, but trying again may help."""

    def __init__(self, message: str, by_hand: ByHand) -> None:
        super().__init__(f"{message}; {by_hand.in_one_line()}")
        self.reason, self.by_hand = message, by_hand


@dataclass(frozen=True)
class Listing:
    """What a repository holds: file -> bytes (None where the hub does not tell)."""

    commit: str
    files: dict[str, int | None]


@dataclass(frozen=True)
class Pulled:
    """A checkpoint that is on this machine.

    Attributes:
        folder: where it is.
        files: those that were asked for.
        commit: which state of the repository; "" when the hub was not asked.
        report: what the folder holds, its faults included.
        note: what the reader should know ("the hub cannot be reached: ..."); "" when all is as usual.
    """

    folder: Path
    files: tuple[str, ...]
    commit: str
    report: FolderReport
    note: str = ""


def pull(id: str, *, revision: str | None = None, to: str | Path | None = None) -> Pulled:
    """The model `id`, fetched from the hub; files that are here and whole are not fetched again.

    A connection that breaks is taken up again some times, in the middle of a file. A second call begins a file that
    was not finished from its start (so does huggingface_hub 2).

    Progress is reported to `core.progress`. With the variable HF_HUB_OFFLINE=1, or where the hub cannot be reached, a
    copy of an earlier pull is given, and `note` says so. In a folder `to` that is one only if the file `MARKER` in it
    names this model.

    Args:
        id: name on the hub, "Qwen/Qwen2-VL-2B-Instruct".
        revision: branch, tag or commit; None for "main".
        to: the folder to write to; None for the hub's own cache, where the model is found by its id.

    Raises:
        MissingDependency: huggingface_hub is not installed.
        NotPulled (UsageError): no such model or revision, no access to it, or no connection is wanted.
        UsageError: the id is none, there is too little room, or `to` holds other things.
        HubDown (ToolFailed): the hub did not answer, or broke off.
    """
    check_id(id)
    hub = _hub()
    folder = None if to is None else Path(to).expanduser()
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(to)!r} is a file; give --to a folder")
    help_ = by_hand(id, revision, None if to is None else str(to))
    try:
        listing = _listing(hub, id, revision)
    except Exception as error:
        return _earlier_copy(hub, id, revision, folder, _trouble(hub, error, help_))
    files = needed_files(listing.files)
    if not any(name.endswith(ends) for ends in WEIGHTS for name in files):
        raise UsageError(_nothing_to_load(id, listing.files))
    total = sum(listing.files[name] or 0 for name in files)
    _check_room(hub, id, folder, files, total)
    try:
        if folder is not None and _marked(folder).get("commit") != listing.commit:
            (folder / MARKER).unlink(missing_ok=True)  # a pull that breaks off leaves parts of two states
        path = _fetch(hub, id, revision, folder, files, total)
        if folder is not None:
            told = {"id": id, "revision": revision, "commit": listing.commit}
            (folder / MARKER).write_text(json.dumps(told), encoding="utf-8")
    except Exception as error:
        raise _trouble(hub, error, by_hand(id, revision, help_.folder, files)) from error
    return Pulled(path, tuple(files), listing.commit, check_folder(_loadable(path, files)))


def locate(source: str, revision: str | None = None) -> Path:
    """Where a checkpoint lies: the folder (or file) `source`, or the hub's cached copy of the model of that name.

    Nothing is fetched.

    Raises:
        UsageError: it is not on this machine; the message says how to bring it.
    """
    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise UsageError(
                f"{source!r} is a folder of this machine, which has no revision {revision!r}; leave it out"
            )
        return path
    if path.suffix in FILES:
        raise UsageError(f"there is no file {source!r}; expected the path of a .pt file of SAM-2, or of a folder")
    if not is_id(source, owner=False) or source.startswith("models/"):
        check_folder(path)  # tells that it is not there, and what is near
    revised = f" --revision {revision}" if revision else ""
    advice = f"there is no folder {source!r}; if it is a name on the hub: surveyor models pull {source}{revised}"
    if not is_id(source):
        advice = f"there is no folder {source!r}; expected a folder with config.json, or OWNER/NAME on the hub"
    try:
        hub = _hub()
    except MissingDependency:
        raise UsageError(advice) from None
    found = _cached(hub, source, revision)
    if found is None:
        raise UsageError(advice)
    return found


# ---- asking the hub
def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingDependency("fetching models from the hub", COMMAND) from None
    return huggingface_hub


def _listing(hub: ModuleType, id: str, revision: str | None) -> Listing:
    info = hub.HfApi().model_info(id, revision=revision, files_metadata=True, timeout=20)
    return Listing(info.sha or "", {item.rfilename: item.size for item in info.siblings or ()})


def _fetch(hub: ModuleType, id: str, revision: str | None, folder: Path | None, files: list[str], total: int) -> Path:
    """Downloads on a thread of its own, so that Ctrl-C (told to the main thread only) ends it between two pieces."""
    stop = threading.Event()
    outcome: list[Any] = []
    context = copy_context()

    def tell(done: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        context.copy().run(report, f"fetching {id}, MB", min(done, total) // 1_000_000, max(total // 1_000_000, 1))

    def work() -> None:
        talk = logging.getLogger("huggingface_hub")
        level = talk.level
        talk.setLevel(logging.ERROR)  # it tells each of its retries
        try:
            outcome.append(
                hub.snapshot_download(
                    id, revision=revision, local_dir=folder, allow_patterns=files, tqdm_class=_bars(tell)
                )
            )
        except BaseException as error:
            outcome.append(error)
        finally:
            talk.setLevel(level)

    thread = threading.Thread(target=work, name="surveyor-pull", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        stop.set()
        thread.join(10)
        raise
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return Path(outcome[0])


def _bars(tell: Callable[[int], None]) -> type:
    """A class of progress bars for huggingface_hub that shows nothing and tells the bytes that are there."""
    from tqdm.std import tqdm

    lock = threading.Lock()
    most = 0

    class Quiet(tqdm):  # type: ignore[misc, unused-ignore]
        monitor_interval = 0

        def __init__(self, *args: Any, **settings: Any) -> None:
            settings.pop("name", None)
            self._bytes = settings.get("unit") == "B"
            super().__init__(*args, **settings)

        def display(self, *_args: Any, **_settings: Any) -> bool:
            return True

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal most
            self.n += n or 0
            if self._bytes:
                with lock:
                    most = max(most, int(self.n))
                    done = most
                tell(done)
            return None

        def close(self) -> None:
            self.disable = True

    return Quiet


def _earlier_copy(
    hub: ModuleType, id: str, revision: str | None, folder: Path | None, trouble: SurveyorError
) -> Pulled:
    """What an earlier pull left. Raises `trouble` where that is nothing, or where the hub refused."""
    if not isinstance(trouble, HubDown) and not getattr(trouble, "offline", False):
        raise trouble
    path = _cached(hub, id, revision) if folder is None else folder
    if path is None:
        raise trouble
    try:
        held = check_folder(path).demand()
    except UsageError:
        raise trouble from None
    reason = getattr(trouble, "reason", str(trouble))
    state = ""
    if folder is not None:
        told = _marked(folder)
        if told.get("id") != id or not (revision is None or revision in (told.get("revision"), told.get("commit"))):
            raise _of_another(trouble, folder, held, told) from None
        state = f" (revision {told['revision']})" if told.get("revision") else ""
    return Pulled(path, tuple(sorted(held.weights)), "", held, f"{reason}; this is the copy that is here{state}")


def _marked(folder: Path) -> dict[str, str | None]:
    """What `MARKER` tells: id, revision (None for the main one), commit; {} where it is not there or damaged."""
    try:
        told = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _of_another(trouble: SurveyorError, folder: Path, held: FolderReport, told: dict[str, str | None]) -> SurveyorError:
    """The same trouble, with what the folder holds instead and how that is used."""
    if not isinstance(trouble, (NotPulled, HubDown)):
        return trouble
    which = "nothing in it says of which name"
    if told.get("id"):
        which = f"pulled as {told['id']}" + (f" --revision {told['revision']}" if told.get("revision") else "")
    use = f"to use that, write {spec_for(held.kind, str(held.path))}"
    reason = f"{trouble.reason}; {str(folder)!r} holds a whole {held.kind!r} model ({which}): {use}"
    if isinstance(trouble, NotPulled):
        return NotPulled(reason, trouble.by_hand, offline=trouble.offline)
    return HubDown(reason, trouble.by_hand)


def _cached(hub: ModuleType, id: str, revision: str | None) -> Path | None:
    """The folder of the hub's cache that holds the model; None where there is none."""
    try:
        return Path(hub.snapshot_download(id, revision=revision, local_files_only=True))
    except (OSError, ValueError) as error:  # of files that were not asked for, it is said that they are missing
        partial = getattr(error, "snapshot_path", None)
        return Path(partial) if partial else None


def _trouble(hub: ModuleType, error: Exception, help_: ByHand) -> SurveyorError:
    """What the hub's error means to the caller."""
    from huggingface_hub import errors

    id, revision = help_.id, help_.revision
    if isinstance(error, SurveyorError):
        return error
    if isinstance(error, errors.GatedRepoError):
        return NotPulled(f"{id!r} is gated: ask for access on its page, then log in (hf auth login)", help_)
    if isinstance(error, errors.RepositoryNotFoundError):
        return NotPulled(f"the hub has no model {id!r}, or it is private (then log in: hf auth login)", help_)
    if isinstance(error, errors.RevisionNotFoundError):
        return NotPulled(f"the model {id!r} has no revision {revision!r}; leave --revision out for the newest", help_)
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{id!r} is no name on the hub: {error}")
    if isinstance(error, errors.OfflineModeIsEnabled) or isinstance(error.__cause__, errors.OfflineModeIsEnabled):
        return NotPulled("the variable HF_HUB_OFFLINE=1 forbids to ask the hub", help_, offline=True)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return NotPulled(
            f"the hub refuses to give {id!r} (status {status}): is the token right? (hf auth login)", help_
        )
    if isinstance(error, (errors.HTTPError, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError)):
        return HubDown(_unreachable(hub, error, status), help_)
    if isinstance(error, OSError) and error.errno is not None:
        return ToolFailed(f"the files of {id!r} cannot be written: {error.strerror} ({error.filename or 'disk'})")
    if isinstance(error, (ValueError, OSError)):  # a page instead of an answer, a size that does not fit
        return HubDown(f"{hub.constants.ENDPOINT} does not answer as a hub does ({_short(error)})", help_)
    raise error


def _unreachable(hub: ModuleType, error: Exception, status: int | None) -> str:
    if status is not None:
        what = "asks to wait" if status == 429 else "has a fault"
        return f"the hub {hub.constants.ENDPOINT} {what} (status {status}); try again later"
    if "Protocol" in type(error).__name__ or "Read" in type(error).__name__:
        again = "run the same pull again, files that are whole are kept"
        return f"the hub {hub.constants.ENDPOINT} broke off; {again} ({_short(error)})"
    certificate = " (set SSL_CERT_FILE to your network's certificates)" if "CERTIFICATE" in str(error).upper() else ""
    return f"the hub {hub.constants.ENDPOINT} cannot be reached: {_short(error)}{certificate}"


def _check_room(hub: ModuleType, id: str, folder: Path | None, files: list[str], total: int) -> None:
    """Raises UsageError where `folder` holds other things, or where what is missing does not fit on the disk."""
    if folder is not None and folder.is_dir():
        mine = {*files, "README.md", "LICENSE"}
        others = sorted(entry.name for entry in folder.iterdir() if entry.name not in mine and entry.name[0] != ".")
        if others:
            raise UsageError(f"{str(folder)!r} holds other files ({', '.join(others[:3])}); give --to a new folder")
    cache = Path(hub.constants.HF_HUB_CACHE) / f"models--{id.replace('/', '--')}"
    target = place = folder if folder is not None else cache
    there = target if folder is not None else cache / "blobs"
    total -= sum(file.stat().st_size for file in there.rglob("*") if file.is_file())
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if total > free:
        raise UsageError(f"{total / 1e9:.1f} GB are to be fetched, {str(place)!r} has room for {free / 1e9:.1f} GB")


def _nothing_to_load(id: str, files: Iterable[str]) -> str:
    ggufs = sorted(name for name in files if name.endswith(".gguf"))
    if ggufs:
        return (
            f"{id!r} holds GGUF files only; fetch the one you want ({', '.join(ggufs[:3])}) with "
            f"`hf download {id} FILE`, then write chat=hf:FILE"
        )
    return f"{id!r} holds no weights that can be loaded here (safetensors); its files: {', '.join(sorted(files)[:8])}"


def _loadable(path: Path, files: list[str]) -> Path:
    """The folder, or the .pt file in it where that is all there is."""
    natives = [name for name in files if name.endswith((".pt", ".pth"))]
    return path / natives[0] if len(natives) == 1 and "config.json" not in files else path


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
