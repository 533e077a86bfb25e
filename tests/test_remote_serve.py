"""A real server, `transformers serve`, with a tiny Qwen2-VL, behind a proxy that misbehaves.

The checkpoint is trained here for some seconds on what the client really sends, until it knows a few answers by heart:
two scenes with different answers, so the answers show that the image arrived.
"""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_server import FORWARD, Answer, FaultServer, busy, said, serving
from surveyor.core.errors import ModelOutputError, ToolFailed, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.progress import noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models.remote.adapter import RemoteModel
from surveyor.tools.models.remote.chat import RemoteChat

pytestmark = pytest.mark.full

SIZE_WH = (112, 84)
PLANE, SHIP = (10, 10, 40, 30), (70, 50, 100, 70)
ANSWERS = {
    "plane": "[(89,119),(357,119),(357,357),(89,357)]",
    "ship": "[(625,595),(893,595),(893,833),(625,833)]",
    "plane told": "a white plane",
    "ship told": "a long ship",
    "change": "[(625,595),(893,595),(893,833),(625,833),(625,595)]",
    "chat": "yes",
}
QUESTION = [{"role": "user", "content": "Say yes."}]


def scene_of(*boxes: tuple[int, int, int, int]) -> Scene:
    pixels = np.full((SIZE_WH[1], SIZE_WH[0], 3), 60, np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 250
    return Scene.from_array(pixels)


def region_of(box: tuple[int, int, int, int]) -> Region:
    return Region("thing-1", "thing", box_to_corners(np.array(box)), np.array(box, float))


def ask_everything(address: str) -> dict[str, Any]:
    """What each kind of model says, by the keys of ANSWERS."""
    model = RemoteModel.at(f"{address}?max_pixels=40000")  # small crops for the describer: quick to learn
    return {
        "plane": model.ground(scene_of(PLANE), "thing"),
        "ship": model.ground(scene_of(SHIP), "thing"),
        "plane told": model.describe(scene_of(PLANE), [region_of(PLANE)])[0].text,
        "ship told": model.describe(scene_of(SHIP), [region_of(SHIP)])[0].text,
        "change": model.changes(scene_of(PLANE), scene_of(PLANE, SHIP), "thing"),
        "chat": RemoteChat.at(address).complete(QUESTION),
    }


def check_everything(found: dict[str, Any]) -> None:
    for key, box in (("plane", PLANE), ("ship", SHIP), ("change", SHIP)):
        (region,) = found[key]
        np.testing.assert_allclose(region.box_px, box, atol=0.1)
    assert found["change"][0].polygon_px is not None
    assert [found[key] for key in ("plane told", "ship told", "chat")] == ["a white plane", "a long ship", "yes"]


@pytest.fixture(scope="module")
def requests() -> list[dict[str, Any]]:
    """What the client sends, in the order of ANSWERS."""
    with serving(lambda _sent, number: said(list(ANSWERS.values())[number])) as server:
        check_everything(ask_everything(f"m@{server.url}"))
        return server.seen


@pytest.fixture(scope="module")
def checkpoint(requests: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL that knows the ANSWERS to these requests."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision", reason="transformers serve needs torchvision")
    transformers = pytest.importorskip("transformers")
    from PIL import Image
    from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

    folder = make_qwen2vl(tmp_path_factory.mktemp("serve") / "tiny")
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder).train()
    batches = []
    for sent, answer in zip(requests, ANSWERS.values(), strict=True):
        content = sent["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        images = [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in urls] or None
        turns = [{"role": "user", "content": [part if part["type"] == "text" else {"type": "image"} for part in parts]}]
        prompt = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        whole = processor(text=[f"{prompt}{answer}<|im_end|>"], images=images, return_tensors="pt")
        asked = processor(text=[prompt], images=images, return_tensors="pt")["input_ids"].shape[1]
        labels = whole["input_ids"].clone()
        labels[:, :asked] = -100
        batches.append((whole, labels))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    for _ in range(300):
        optimizer.zero_grad()
        worst = 0.0
        for whole, labels in batches:
            loss = model(**whole, labels=labels).loss
            loss.backward()
            worst = max(worst, loss.item())
        if worst < 0.01:
            break
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert worst < 0.01, "the tiny model did not learn its answers"
    model.eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[str]:
    """The base address of a running `transformers serve`."""
    command = Path(sys.executable).parent / "transformers"
    if not command.exists():
        pytest.skip("there is no `transformers` command beside this Python")
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    log = checkpoint / "serve.log"
    arguments = ["serve", str(checkpoint), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log.open("wb") as out:
        process = subprocess.Popen([command, *arguments, "--dtype", "float32"], stdout=out, stderr=out,
                                   env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        over = time.monotonic() + 120
        while not healthy(port):
            if process.poll() is not None or time.monotonic() > over:
                text = log.read_text(errors="replace")
                if re.search(r"pip install|ImportError|ModuleNotFoundError", text):
                    pytest.skip("transformers serve lacks a package; pip install 'transformers[serving]'")
                pytest.fail(f"transformers serve does not come up:\n{text[-3000:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def test_every_kind_of_model_answers(server: str, checkpoint: Path) -> None:
    notes: list[str] = []
    with noting(notes):
        found = ask_everything(f"{checkpoint}@{server}")
    check_everything(found)
    assert found["plane"][0].score is None, "transformers serve gives no log-probabilities"
    assert len(notes) == 1 and "structured_outputs" in notes[0] and "only checked" in notes[0]


@pytest.mark.parametrize(
    "fault",
    [
        busy("0"), busy("1"), Answer(500, b"<html>oh</html>"), Answer(0), Answer(503), said("never", cut_after=30),
        Answer(body=b"<html>Welcome</html>"), Answer(body=b'{"choices": ['), said("no regions, sorry"), said(""),
    ],
    ids=["429", "429 wait", "500", "cut", "503", "cut body", "html", "half", "prose", "empty"],
)  # fmt: skip
def test_a_fault_on_the_way_is_got_over(server: str, checkpoint: Path, fault: Answer) -> None:
    def script(_sent: dict[str, Any], number: int) -> Answer:
        return fault if number == 0 else FORWARD

    with serving(script, upstream=server) as proxy:
        found = RemoteModel.at(f"{checkpoint}@{proxy.url}?guided=no").ground(scene_of(SHIP), "thing")
    np.testing.assert_allclose(found[0].box_px, SHIP, atol=0.1)
    assert len(proxy.seen) == 2


def test_two_servers_of_which_one_fails_every_other_time(server: str, checkpoint: Path) -> None:
    def script(_sent: dict[str, Any], number: int) -> Answer:
        return FORWARD if number % 2 else Answer(500)

    with serving(script, upstream=server) as bad, serving([FORWARD], upstream=server) as good:
        check_everything(ask_everything(f"{checkpoint}@{bad.url},{good.url}"))
    assert good.seen


def test_faults_that_stay_are_told(server: str, checkpoint: Path) -> None:
    def told(script: list[Answer]) -> FaultServer:
        with serving(script, upstream=server) as proxy:
            RemoteModel.at(f"{checkpoint}@{proxy.url}?tries=2&retries=1").ground(scene_of(SHIP), "thing")
        return proxy

    with pytest.raises(ToolFailed, match="failed 2 times, at last with 500"):
        told([Answer(500)])
    with pytest.raises(ModelOutputError, match="sent no JSON"):
        told([Answer(body=b"<html>Welcome</html>")])
    with pytest.raises(UsageError, match="set SURVEYOR_CHAT_API_KEY"):
        told([Answer(401)])


def test_a_pinned_server_is_reported_as_up(server: str, checkpoint: Path) -> None:
    report = RemoteModel.at(f"{checkpoint}@{server}").check_report()
    assert report["server 1"] == f"{server} is up; does not list its models (500)"


def test_a_wrong_name_is_told(server: str) -> None:
    with pytest.raises(UsageError, match=r"refuses the request .*pinned"):
        RemoteModel.at(f"another/model@{server}").ground(scene_of(SHIP), "thing")


def test_a_server_that_cannot_keep_grounding_tokens_says_so(server: str, checkpoint: Path) -> None:
    address = f"{checkpoint}@{server}?dialect=qwen2-vl&max_tokens=30&retries=0"
    grounder = RemoteModel.at(address)
    for _ in range(2):
        notes: list[str] = []
        with noting(notes), pytest.raises(ModelOutputError):
            grounder.ground(scene_of(SHIP), "thing")
    assert any("skip_special_tokens" in note and "tokens that stand round boxes" in note for note in notes)


def test_a_server_that_goes_away_is_a_failure(server: str, checkpoint: Path) -> None:
    with serving([FORWARD], upstream=server) as proxy:
        grounder = RemoteModel.at(f"{checkpoint}@{proxy.url}?tries=2")
        assert grounder.ground(scene_of(SHIP), "thing")
    with pytest.raises(ToolFailed, match="cannot be reached any more"):
        grounder.ground(scene_of(SHIP), "thing")
