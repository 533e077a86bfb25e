"""docs/chat.md: the conversation in it is had again, its code runs, its commands exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
from surveyor.agent.chat import Conversation
from surveyor.agent.chat_commands import COMMANDS, respond
from surveyor.core.errors import QueryError
from surveyor.synth import draw_scene

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "chat.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [body for name, body in FENCE.findall(TEXT) if name == language]


def had(conversation: Conversation, lines: list[str]) -> str:
    """The conversation as the document shows it."""
    told = []
    for line in lines:
        try:
            reply = respond(conversation, line)
            told.append(f"> {line}\n{'' if reply is None else reply.text.rstrip()}\n")
        except QueryError as error:
            told.append(f"> {line}\nerror: {error}\n  {error.pointer().replace(chr(10), chr(10) + '  ')}\n")
    return "\n".join(told)


def test_the_conversation_is_as_written(tmp_path: Path) -> None:
    scene = draw_scene("mixed", seed=7, size_wh=(1000, 640))
    cv2.imwrite(str(tmp_path / "scene.png"), scene.image_rgb[..., ::-1])
    (tmp_path / "scene.json").write_text(json.dumps(scene.to_coco("scene.png")))
    models = f"grounder=oracle:{tmp_path}/scene.json,segmenter=oracle:{tmp_path}/scene.json"
    (written,) = blocks("text")
    lines = [line[2:] for line in written.splitlines() if line.startswith("> ")]
    assert len(lines) > 10
    assert had(Conversation(tmp_path / "scene.png", models=models, gsd=scene.gsd_m), lines) == written


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for code in blocks("python"):
        exec(compile(code, "docs/chat.md", "exec"), {"__name__": "__main__"})
    assert "^^^^^^" in capsys.readouterr().out and (tmp_path / "answer.png").exists()


def test_every_command_is_told() -> None:
    assert set(re.findall(r"`/(\w+)", TEXT)) == {*COMMANDS, "quit"}
