"""`surveyor models pull`: against a small hub of our own on this machine, and against each error of huggingface_hub."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from surveyor.app.cli import main
from surveyor.core.errors import MissingDependency, ToolFailed, UsageError
from surveyor.core.progress import listening
from surveyor.tools.models import hub
from surveyor.tools.models.hub import (
    HubDown,
    NotPulled,
    by_hand,
    check_folder,
    locate,
    needed_files,
    pull,
    spec_for,
)
from test_cli_models_folder import TENSORS, qwen, safetensors  # noqa: F401

ID = "Qwen/Qwen2-VL-2B-Instruct"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
with_hub = [
    pytest.mark.torch,  # the package comes with transformers
    pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="not installed: huggingface_hub"),
]


class TestWords:
    @pytest.mark.parametrize(
        ("held", "needed"),
        [
            pytest.param([], [], id="nothing"),
            pytest.param(["README.md", ".gitattributes", "LICENSE", "a.png"], [], id="no-model"),
            pytest.param(
                ["config.json", "model.safetensors", "pytorch_model.bin", "model.onnx", "onnx/model.onnx", "q4.gguf"],
                ["config.json", "model.safetensors"],
                id="one-form-of-the-weights",
            ),
            pytest.param(
                ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin.index.json"],
                ["model-00001-of-00002.safetensors", "model.safetensors.index.json"],
                id="their-index-only",
            ),
            pytest.param(
                ["config.json", "sam2.1_hiera_t.yaml", "sam2.1_hiera_tiny.pt", "pytorch_model.bin"],
                ["config.json", "sam2.1_hiera_tiny.pt"],
                id="pt",
            ),
            pytest.param(["config.json", "pytorch_model.bin", "training_args.bin", "optimizer.pt"],
                         ["config.json", "pytorch_model.bin"], id="bin"),
            pytest.param(["chat_template.jinja", "merges.txt", "spiece.model", "tokenizer.json"],
                         ["chat_template.jinja", "merges.txt", "spiece.model", "tokenizer.json"], id="words"),
        ],
    )  # fmt: skip
    def test_needed_files(self, held: list[str], needed: list[str]) -> None:
        assert needed_files(held) == needed

    def test_by_hand_tells_files_place_and_spec(self) -> None:
        steps = "\n".join(by_hand(ID, "v1").lines())
        for word in ("config.json", "preprocessor_config.json", "tokenizer_config.json", "chat_template", "0000X-of"):
            assert word in steps
        assert f"pull {ID} --revision v1 --to models/Qwen2-VL-2B-Instruct" in steps
        assert steps.endswith("surveyor models check grounder=qwen2vl:models/Qwen2-VL-2B-Instruct")
        sam = "\n".join(by_hand("facebook/sam2.1-hiera-tiny", None, "here").lines())
        assert ".pt" in sam and "segmenter=sam2:here" in sam and "tokenizer" not in sam
        assert spec_for("llama", "x") == "chat=hf:x" and spec_for("adapter", "x") == "grounder=qwen2vl:MODEL+x"


def test_without_huggingface_hub(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependency, match=r'pip install "surveyor\[qwen\]"'):
        pull(ID)
    assert main(["models", "pull", ID]) == 2 and "surveyor[qwen]" in capfd.readouterr().err
    with pytest.raises(UsageError, match=f"surveyor models pull {ID}"):
        locate(ID)


def test_locate_takes_what_is_here(qwen: Path, tmp_path: Path) -> None:  # noqa: F811
    assert locate(str(qwen)) == qwen
    with pytest.raises(UsageError, match="has no revision 'v1'"):
        locate(str(qwen), "v1")
    for source in ("./no/where", "models/nothing", "a/b/c", "/nowhere/at/all"):
        with pytest.raises(UsageError, match="there is no checkpoint at"):
            locate(source)


@pytest.mark.parametrize(
    "id", ["nonsense", "x.y", "", "a/b/c", "../x", "a--b/c", "x y", "-x", "a/..", "./none", "a/b@"]
)
def test_what_is_no_name_is_refused_before_anything_is_asked(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match="is no name on the hub; expected OWNER/NAME"):
        pull(id)


def test_what_a_wrong_name_may_mean(qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    with pytest.raises(UsageError, match=f"is no name on the hub; write: surveyor models pull {ID} --revision main$"):
        pull(f"{ID}@main")
    monkeypatch.chdir(tmp_path)
    for folder in ("./tiny-qwen", "tiny-qwen", str(qwen)):
        with pytest.raises(UsageError, match=f"try it: surveyor models check grounder=qwen2vl:{folder}$"):
            pull(folder)
    (tmp_path / "letters").mkdir()
    with pytest.raises(UsageError, match=r"is on this machine, and 'letters' holds no config.json"):
        pull("./letters")


def test_names_of_files_are_no_names_on_the_hub() -> None:
    for file in ("nofile.pt", "models/nofile.pt", "Owner/x.safetensors", "/no/where.pth"):
        with pytest.raises(UsageError, match=f"there is no file '{file}'") as caught:
            locate(file)
        assert "pull" not in str(caught.value)
    with pytest.raises(UsageError, match="there is no folder 'name'; expected a folder") as caught:
        locate("name")
    assert "pull" not in str(caught.value)


# ---- a hub of our own
class Hub:
    """What huggingface_hub asks of a hub, of one repository; `trouble` makes it misbehave."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.trouble = ""
        self.asked: list[tuple[str, str, str | None]] = []
        self.cuts: list[int] = []
        self.cut_file = ""  # only this one is cut; "" is any

    def info(self, blobs: bool) -> dict[str, Any]:
        told = [{"rfilename": name} | ({"size": len(data)} if blobs else {}) for name, data in self.files.items()]
        return {"id": ID, "sha": COMMIT, "private": False, "downloads": 0, "tags": [], "siblings": told}

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
        ]


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[tuple[Hub, str]]:
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            hub.asked.append((self.command, path, self.headers.get("Range")))
            if hub.trouble == "html":
                return self.answer(200, b"<html>log in to the network</html>", Content_Type="text/html")
            if hub.trouble.isdigit():
                return self.answer(int(hub.trouble), b"")
            if hub.trouble:
                status = 403 if hub.trouble == "GatedRepo" else 404
                return self.answer(status, b"{}", X_Error_Code=hub.trouble)
            if path.startswith(f"/api/models/{ID}/tree/"):
                return self.answer(200, json.dumps(hub.tree()).encode(), Content_Type="application/json")
            if path.startswith(f"/api/models/{ID}"):
                body = json.dumps(hub.info("blobs" in query)).encode()
                return self.answer(200, body, Content_Type="application/json")
            data = hub.files.get(path.removeprefix(f"/{ID}/resolve/{COMMIT}/"))
            if data is None:
                return self.answer(404, b"", X_Error_Code="RepoNotFound")
            return self.file(data)

        do_HEAD = do_GET

        def file(self, data: bytes) -> None:
            tag = f'"{hashlib.sha1(data).hexdigest()}"'
            asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
            rest = data[int(asked[1]) :] if asked else data
            may_cut = self.command == "GET" and self.path.split("?")[0].endswith(hub.cut_file)
            if may_cut and hub.cuts and len(rest) > hub.cuts[0]:
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest[: hub.cuts.pop(0)])
                self.close_connection = True
                return
            more = {"Content_Range": f"bytes {len(data) - len(rest)}-{len(data) - 1}/{len(data)}"} if asked else {}
            self.answer(206 if asked else 200, rest, ETag=tag, X_Repo_Commit=COMMIT, **more)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def command(url: str, home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`surveyor models pull …` in a process of its own, as the hub's address is read when its package loads."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    settings = {"HF_ENDPOINT": url, "HF_HOME": str(home), "COLUMNS": "500", "NO_PROXY": "*", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "surveyor.app.cli", "models", "pull", *arguments],
        env=clean | settings | env, capture_output=True, text=True, timeout=120, cwd=home.parent,
    )  # fmt: skip


@pytest.fixture
def served(qwen: Path) -> Iterator[tuple[Hub, str]]:  # noqa: F811
    files = {file.name: file.read_bytes() for file in qwen.iterdir()}
    files |= {"README.md": b"# read", "pytorch_model.bin": b"x" * 5000, "onnx/model.onnx": b"y" * 5000}
    with serving(files) as (hub_, url):
        yield hub_, url


class TestOwnHub:
    pytestmark = with_hub

    def test_into_a_folder_then_again_then_offline(self, served: tuple[Hub, str], tmp_path: Path) -> None:
        hub_, url = served
        home, to = tmp_path / "home", tmp_path / "to" / "tiny"
        done = command(url, home, ID, "--to", str(to))
        assert done.returncode == 0, done.stderr
        assert {f.name for f in to.iterdir() if f.name[0] != "."} == set(needed_files(hub_.files))
        assert all((to / name).read_bytes() == hub_.files[name] for name in needed_files(hub_.files))
        assert f"{ID} at {COMMIT[:12]}" in done.stdout and "qwen2_vl (Qwen2VLFor" in done.stdout
        assert f"surveyor models check grounder=qwen2vl:{to}" in done.stdout
        hub_.asked.clear()
        assert command(url, home, ID, "--to", str(to)).returncode == 0
        assert not [path for verb, path, _ in hub_.asked if verb == "GET" and "/resolve/" in path]
        offline = command(url, home, ID, "--to", str(to), HF_HUB_OFFLINE="1")
        assert offline.returncode == 0 and "note: the variable HF_HUB_OFFLINE=1" in offline.stderr

    def test_a_folder_of_another_model_is_not_passed_off(self, served: tuple[Hub, str], tmp_path: Path) -> None:
        hub_, url = served
        home, to = tmp_path / "home", tmp_path / "tiny"

        def offline(id: str, *more: str, folder: Path = to) -> subprocess.CompletedProcess[str]:
            return command("http://127.0.0.1:9", home, id, "--to", str(folder), *more, HF_HUB_OFFLINE="1")

        assert command(url, home, ID, "--to", str(to)).returncode == 0
        told = json.loads((to / hub.MARKER).read_text())
        assert told == {"id": ID, "revision": None, "commit": COMMIT}
        assert offline(ID).returncode == offline(ID, "--revision", COMMIT).returncode == 0
        for done, which in [
            (offline("Qwen/Qwen3-VL-2B-Instruct"), f"pulled as {ID}"),
            (offline(ID, "--revision", "v1"), f"pulled as {ID}"),
        ]:
            assert done.returncode == 2 and not done.stdout
            assert (
                f"HF_HUB_OFFLINE=1 forbids to ask the hub; '{to}' holds a whole 'qwen2_vl' model ({which})"
                in done.stderr
            )
            assert f"to use that, write grounder=qwen2vl:{to}" in done.stderr and "Copy them here" in done.stderr
        for damaged in ("", "[]", "null", '{"id": 3}', "{"):
            (to / hub.MARKER).write_text(damaged)
            assert hub._marked(to) == ({"id": 3} if "id" in damaged else {})
        unknown = command("http://127.0.0.1:9", home, ID, "--to", str(to))
        assert (
            unknown.returncode == 1 and "cannot be reached" in unknown.stderr and "a whole 'qwen2_vl'" in unknown.stderr
        )
        (to / hub.MARKER).write_text(json.dumps(told | {"commit": "of another state"}))
        (to / "model-00002-of-00002.safetensors").unlink()
        hub_.cuts = [0] * 1000
        broken = command(url, home, ID, "--to", str(to))
        assert broken.returncode == 1 and not (to / hub.MARKER).exists(), broken.stderr

    def test_into_the_cache_and_found_again(self, served: tuple[Hub, str], tmp_path: Path) -> None:
        _, url = served
        home = tmp_path / "home"
        none = command(url, home, ID, HF_HUB_OFFLINE="1")
        assert none.returncode == 2 and "error: the variable HF_HUB_OFFLINE=1 forbids" in none.stderr
        assert "preprocessor_config.json" in none.stderr and "grounder=qwen2vl:models/" in none.stderr
        done = command(url, home, ID)
        assert done.returncode == 0 and f"check grounder=qwen2vl:{ID}" in done.stdout, done.stderr
        again = command("http://127.0.0.1:9", home, ID)
        assert again.returncode == 0 and "cannot be reached: ConnectError" in again.stderr, again.stderr
        code = f"from surveyor.tools.models.hub import locate; print(locate({ID!r}))"
        found = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"HF_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "1"},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert found.stdout.strip().endswith(f"snapshots/{COMMIT}"), found.stderr

    def test_a_broken_connection(self, served: tuple[Hub, str], tmp_path: Path) -> None:
        hub_, url = served
        big, to = "model-00002-of-00002.safetensors", tmp_path / "tiny"
        hub_.files[big] = safetensors({name: TENSORS[name] for name in list(TENSORS)[2:]} | {"more": (12_000_000,)})
        hub_.cut_file = big  # files are fetched side by side
        hub_.cuts = [22_000_000, *[0] * 1000]  # huggingface_hub keeps pieces of 10 MB and tries some times
        cut = command(url, tmp_path / "home", ID, "--to", str(to))
        broke_off = "^failed: the hub .* broke off; run the same pull again"
        assert cut.returncode == 1 and re.search(broke_off, cut.stderr, re.MULTILINE), cut.stderr
        assert big in cut.stderr and not (to / big).exists()
        with pytest.raises(UsageError, match=f"1 of 2 files of weights are missing: {big}"):
            check_folder(to).demand()
        hub_.asked.clear()
        hub_.cuts = [22_000_000, 1000]
        done = command(url, tmp_path / "home", ID, "--to", str(to))
        assert done.returncode == 0 and (to / big).read_bytes() == hub_.files[big], done.stderr
        fetched = [
            (path.rpartition("/")[2], part) for verb, path, part in hub_.asked if verb == "GET" and "/res" in path
        ]
        assert fetched == [(big, None), (big, "bytes=20971520-"), (big, "bytes=20971520-")]

    @pytest.mark.parametrize(
        ("trouble", "code", "says"),
        [
            pytest.param("RepoNotFound", 2, "the hub has no model", id="no-such-model"),
            pytest.param("GatedRepo", 2, "is gated: ask for access on its page, then log in", id="gated"),
            pytest.param("RevisionNotFound", 2, "has no revision 'v9'", id="no-such-revision"),
            pytest.param("403", 2, "refuses to give", id="forbidden"),
            pytest.param("503", 1, "has a fault (status 503); try again later", id="hub-down"),
            pytest.param("html", 1, "does not answer as a hub does", id="captive-portal"),
        ],
    )
    def test_refusals(self, trouble: str, code: int, says: str, served: tuple[Hub, str], tmp_path: Path) -> None:
        hub_, url = served
        hub_.trouble = trouble
        done = command(url, tmp_path / "home", ID, "--revision", "v9")
        assert done.returncode == code and says in done.stderr, done.stderr
        assert "tokenizer_config.json" in done.stderr and "Copy them here as the folder" in done.stderr
        assert "Traceback" not in done.stderr and not done.stdout

    def test_a_hub_whose_model_is_not_whole(self, served: tuple[Hub, str], tmp_path: Path) -> None:
        hub_, url = served
        del hub_.files["tokenizer.json"]
        done = command(url, tmp_path / "home", ID)
        assert done.returncode == 1 and "what the hub holds is not whole: tokenizer.json is missing" in done.stderr


# ---- what huggingface_hub raises
def _response(status: int) -> Any:
    http = pytest.importorskip("huggingface_hub.errors").Response
    import importlib

    request = importlib.import_module(http.__module__.split(".")[0]).Request("GET", "https://hub.test/api")
    return http(status, request=request)


def _raised(name: str, status: int = 404) -> Exception:
    from huggingface_hub import errors

    kind = getattr(errors, name)
    return kind("told", response=_response(status)) if issubclass(kind, errors.HfHubHTTPError) else kind("told")


class TestErrors:
    pytestmark = with_hub

    def fail(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        """The listing works, the fetching raises."""
        names = {"config.json": 10, "model.safetensors": 100}
        monkeypatch.setattr(hub, "_listing", lambda *_: hub.Listing(COMMIT, names))

        def fetch(*_: object, **__: object) -> str:
            raise error

        monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)

    @pytest.mark.parametrize(
        ("name", "status", "kind", "says"),
        [
            pytest.param("GatedRepoError", 403, NotPulled, "gated", id="gated"),
            pytest.param("RepositoryNotFoundError", 401, NotPulled, "no model", id="no-model"),
            pytest.param("RevisionNotFoundError", 404, NotPulled, "no revision", id="no-revision"),
            pytest.param("DisabledRepoError", 403, NotPulled, "refuses", id="disabled"),
            pytest.param("HfHubHTTPError", 401, NotPulled, "token", id="wrong-token"),
            pytest.param("HfHubHTTPError", 429, HubDown, "asks to wait", id="too-many"),
            pytest.param("HfHubHTTPError", 500, HubDown, "has a fault", id="broken"),
            pytest.param("LocalEntryNotFoundError", 0, HubDown, "cannot be reached", id="not-in-the-cache"),
            pytest.param("OfflineModeIsEnabled", 0, NotPulled, "HF_HUB_OFFLINE", id="offline"),
            pytest.param("FileMetadataError", 0, HubDown, "does not answer as a hub", id="no-metadata"),
        ],
    )
    def test_each_says_what_to_copy(
        self, name: str, status: int, kind: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail(monkeypatch, _raised(name, status))
        with pytest.raises(kind, match=says) as caught:
            pull(ID)
        assert "config.json, model.safetensors" in str(caught.value)  # the names that the hub listed
        assert "grounder=qwen2vl:models/Qwen2-VL-2B-Instruct" in str(caught.value)

    def test_a_full_disk_is_no_fault_of_the_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, OSError(28, "No space left on device", "/x"))
        with pytest.raises(ToolFailed, match=r"cannot be written: No space left on device \(/x\)"):
            pull(ID)

    def test_our_own_bugs_stay_bugs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, ZeroDivisionError("ours"))
        with pytest.raises(ZeroDivisionError):
            pull(ID)

    def test_too_little_room(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.fail(monkeypatch, AssertionError("not asked"))
        monkeypatch.setattr(hub, "_listing", lambda *_: hub.Listing(COMMIT, {"model.safetensors": 10**18}))
        with pytest.raises(UsageError, match=r"1000000000\.0 GB are to be fetched, .* has room for"):
            pull(ID, to=tmp_path / "new")

    def test_a_folder_with_other_things(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.fail(monkeypatch, AssertionError("not asked"))
        (tmp_path / "letters.txt").touch()
        with pytest.raises(UsageError, match=r"holds other files \(letters.txt\); give --to a new folder"):
            pull(ID, to=tmp_path)
        with pytest.raises(UsageError, match="is a file"):
            pull(ID, to=tmp_path / "letters.txt")

    @pytest.mark.parametrize("id", ["", "a/b/c", "../x", "a--b", "x y", "-x", "a/..", "https://huggingface.co/a/b"])
    def test_odd_names(self, id: str) -> None:
        with pytest.raises(UsageError, match="is no name on the hub"):
            pull(id)

    @pytest.mark.parametrize(
        ("files", "says"),
        [
            pytest.param(["q4.gguf", "q8.gguf"], "holds GGUF files only", id="gguf"),
            pytest.param(["README.md"], "holds no weights", id="none"),
        ],
    )
    def test_nothing_to_load(self, files: list[str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "_listing", lambda *_: hub.Listing(COMMIT, dict.fromkeys(files, 1)))
        with pytest.raises(UsageError, match=says):
            pull(ID)

    def test_progress_and_interruption(self, monkeypatch: pytest.MonkeyPatch, qwen: Path) -> None:  # noqa: F811
        total = 50_000_000
        monkeypatch.setattr(hub, "_listing", lambda *_: hub.Listing(COMMIT, {"model.safetensors": total}))
        told: list[tuple[str, int, int]] = []

        def fetch(*_: object, tqdm_class: Any, **__: object) -> str:
            files = tqdm_class(total=2, desc="Fetching 2 files")
            bar = tqdm_class(total=0, unit="B", unit_scale=True, desc="Reconstructing")
            bar.total = total
            for _ in range(5):
                bar.update(10_000_000)
            files.update(1)
            bar.refresh()
            bar.set_description("Reconstruction complete")
            assert bar.format_dict["n"] == total
            return str(qwen)

        monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
        with listening(lambda *part: told.append(part)):
            pulled = pull(ID)
        assert [done for _, done, _ in told] == [10, 20, 30, 40, 50] and {part[2] for part in told} == {50}
        assert pulled.folder == qwen and pulled.commit == COMMIT and not pulled.report.faults

        stopped = threading.Event()
        started = threading.Event()

        def endless(*_: object, tqdm_class: Any, **__: object) -> str:
            bar = tqdm_class(total=0, unit="B")
            try:
                while True:
                    bar.update(1)
                    started.set()
            finally:
                stopped.set()

        class Impatient(threading.Thread):
            """A thread that Ctrl-C is pressed on while it is waited for."""

            def join(self, timeout: float | None = None) -> None:
                if started.is_set() and not stopped.is_set() and timeout == 0.2:
                    raise KeyboardInterrupt
                super().join(timeout)

        monkeypatch.setattr("huggingface_hub.snapshot_download", endless)
        monkeypatch.setattr(hub, "threading", SimpleNamespace(**vars(threading) | {"Thread": Impatient}))
        with pytest.raises(KeyboardInterrupt):
            pull(ID)
        assert stopped.wait(5)
