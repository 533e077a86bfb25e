"""Kept conversations: they come back, two processes do no harm to each other, kill -9 loses no answered turn."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from surveyor.agent.chat import Conversation
from surveyor.agent.session_export import export, session_json
from surveyor.agent.sessions import Session, SessionMoved, Sessions, checked_name
from surveyor.app.cli import main
from surveyor.core.errors import UsageError
from surveyor.core.trace import Trace
from surveyor.synth import draw_scene


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.png, b.png and scenes.json, the annotation of both."""
    folder = tmp_path_factory.mktemp("drawn")
    scenes = {name: draw_scene("airport", seed=seed, size_wh=(256, 256)) for name, seed in (("a.png", 7), ("b.png", 8))}
    for name, scene in scenes.items():
        cv2.imwrite(str(folder / name), scene.image_rgb[..., ::-1])
    first, second = (scene.to_coco(name) for name, scene in scenes.items())
    names = {entry["id"]: entry["name"] for entry in second["categories"]}
    categories = {entry["name"]: entry["id"] for entry in first["categories"]}
    for name in names.values():
        if name not in categories:
            categories[name] = max(categories.values()) + 1
            first["categories"].append({"id": categories[name], "name": name})
    for image in second["images"]:
        image["id"] += 1000
    for number, annotation in enumerate(second["annotations"], start=100_000):
        annotation |= {
            "id": number, "image_id": annotation["image_id"] + 1000,
            "category_id": categories[names[annotation["category_id"]]],
        }  # fmt: skip
    merged = {**first, "images": first["images"] + second["images"]}
    merged["annotations"] = first["annotations"] + second["annotations"]
    (folder / "scenes.json").write_text(json.dumps(merged))
    return folder


def models(folder: Path) -> str:
    return f"grounder=oracle:{folder}/scenes.json,segmenter=oracle:{folder}/scenes.json"


def conversation(folder: Path, name: str | None = "one", *images: str) -> Conversation:
    return Conversation([folder / image for image in images], session=name, models=models(folder))


# ---- what comes back ---------------------------------------------------------------------------------------------


def test_a_conversation_goes_on_where_it_stood(drawn: Path) -> None:
    first = conversation(drawn, "one", "a.png", "b.png")
    planes = first.say("planes")
    longest = first.say("of those, the longest")
    again = conversation(drawn)
    assert [turn.text for turn in again.turns] == ["planes", "of those, the longest"]
    assert again.turns == first.turns and again.images == first.images and again.current == 1
    assert again.say("why?").text.startswith(longest.text), "explained from the trace, nothing is run"
    assert again.say("how many are there?").answer is not None
    assert again.say("and in the other image?").turn.image == 2  # type: ignore[union-attr]
    assert len(planes.answer.regions) > 1  # type: ignore[union-attr]
    trace = Trace.from_json((again.turns[0].folder / "trace.json").read_text())  # type: ignore[operator]
    assert trace.answer is not None and trace.answer["answer"] == planes.text


def test_undo_lasts(drawn: Path) -> None:
    first = conversation(drawn, "one", "a.png")
    first.say("planes")
    first.say("only the largest")
    assert first.say("undo").kind == "undone"
    again = conversation(drawn)
    assert [turn.text for turn in again.turns] == ["planes"]
    assert [turn.undone for turn in again.history] == [False, True]
    again.say("of those, the longest")
    assert [turn.number for turn in conversation(drawn).turns] == [1, 3]


def test_an_error_leaves_nothing(drawn: Path) -> None:
    talk = conversation(drawn, "one", "a.png")
    talk.say("planes")
    before = Sessions().load("one")
    for line in ("frobnicated planes near", "of those, the lngest", "unicorns", "in image 9", "describe plane-999"):
        with pytest.raises(UsageError):
            talk.say(line)
    assert Sessions().load("one") == before
    assert len(list((Sessions().home / "sessions" / "one").iterdir())) == 1


def test_no_session_is_left_by_a_conversation_without_turns(drawn: Path) -> None:
    conversation(drawn, "one", "a.png")
    assert Sessions().names() == ()


def test_an_image_that_changed_or_went_is_told(drawn: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes((drawn / "a.png").read_bytes())
    Conversation([image], session="one", models=models(drawn)).say("planes")
    image.write_bytes((drawn / "b.png").read_bytes())
    again = conversation(drawn)
    with pytest.raises(UsageError, match="has changed since"):
        again.say("segment them")
    image.unlink()
    with pytest.raises(UsageError, match=r"a\.png"):
        conversation(drawn).say("segment them")
    assert again.why().text, "explained from the trace"


def test_names_that_no_session_can_have() -> None:
    for name in ("", "../x", "a/b", ".hidden", "x" * 65, "a b"):
        with pytest.raises(UsageError, match="cannot name a session"):
            checked_name(name)
    with pytest.raises(UsageError, match="no session 'nothing'; there are: none yet"):
        Sessions().load("nothing")


def test_a_file_of_a_later_program_or_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "sessions.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    with pytest.raises(UsageError, match="cannot be used"):
        Sessions(tmp_path).names()
    (tmp_path / "sessions.sqlite").unlink()
    with sqlite3.connect(tmp_path / "sessions.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(UsageError, match="later version"):
        Sessions(tmp_path).names()


# ---- two at once -------------------------------------------------------------------------------------------------


def test_the_second_of_two_is_told_and_sees_what_is_new(drawn: Path) -> None:
    first = conversation(drawn, "one", "a.png")
    first.say("planes")
    second = conversation(drawn)
    first.say("only the largest")
    with pytest.raises(SessionMoved, match="another process talked"):
        second.say("how many are there?")
    assert [turn.text for turn in second.turns] == ["planes", "only the largest"]
    assert second.say("how many are there?").answer is not None
    with pytest.raises(SessionMoved):
        first.undo()
    assert first.turns == second.turns


def test_a_change_while_the_answer_was_made_is_noticed_too(drawn: Path) -> None:
    first = conversation(drawn, "one", "a.png")
    first.say("planes")
    second = conversation(drawn)
    second.watch = lambda _: second.watch and first.say("count them") and setattr(second, "watch", None)
    with pytest.raises(SessionMoved):
        second.say("segment them")
    assert [turn.text for turn in second.turns] == ["planes", "count them"]
    assert len(list((Sessions().home / "sessions" / "one").iterdir())) == 2, (
        "files of the turn that was not kept are gone"
    )


def test_two_may_begin_the_same_name_but_one_is_kept(drawn: Path) -> None:
    first, second = (conversation(drawn, "one", "a.png") for _ in range(2))
    first.say("planes")
    with pytest.raises(SessionMoved):
        second.say("vehicles")
    assert [turn.text for turn in second.turns] == ["planes"]


def test_a_deleted_session_is_told(drawn: Path) -> None:
    talk = conversation(drawn, "one", "a.png")
    talk.say("planes")
    Sessions().delete("one")
    with pytest.raises(UsageError, match="was deleted by another process"):
        talk.say("segment them")
    assert talk.turns == () and talk.say("planes").answer is not None


def test_many_processes_in_one_session_lose_and_double_nothing(drawn: Path) -> None:
    conversation(drawn, "one", "a.png").say("planes")
    code = (
        "import sys\nfrom dataclasses import replace\nfrom surveyor.agent.sessions import Sessions, SessionMoved\n"
        "store, told = Sessions(), 0\nfor n in range(20):\n"
        "    while True:\n        session = store.load('one')\n        last = session.turns[-1]\n"
        "        turn = replace(last, number=last.number + 1, text=f'{sys.argv[1]} {n}')\n"
        "        try:\n            store.append(session, turn)\n            break\n"
        "        except SessionMoved:\n            told += 1\nprint(told)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE) for name in "xyz"]
    assert all(process.communicate(timeout=120)[0].strip().isdigit() and process.returncode == 0 for process in running)
    turns = Sessions().load("one").turns
    assert [turn.number for turn in turns] == list(range(1, 62))
    said = [turn.text for turn in turns[1:]]
    assert sorted(said) == sorted(f"{name} {n}" for name in "xyz" for n in range(20))
    assert all([t for t in said if t[0] == name] == [f"{name} {n}" for n in range(20)] for name in "xyz")


# ---- kill -9 -----------------------------------------------------------------------------------------------------

LINES = [
    "planes",
    "of those, the two longest",
    "how many are there?",
    "undo",
    "vehicles",
    "only the white ones",
    "count them",
]


# A process that has everything imported, and forks for each "name seconds" a chat whose replies go to a file: so a kill
# costs no start of the interpreter. No thread runs in it before it forks.
NURSERY = """
import io, os, sys
import surveyor.agent.chat_commands, surveyor.app.cli_chat, surveyor.agent.graph, langgraph.graph
from surveyor.app.cli import main
lines, image, models = sys.argv[1:]
for request in sys.stdin:
    name = request.strip()
    child = os.fork()
    if child == 0:
        sys.stdin, sys.stdout = io.StringIO(lines), open(f"{name}.out", "w", encoding="utf-8")
        sys.stderr = open(os.devnull, "w")
        main(["chat", image, "--session", name, "--models", models, "--json"])
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


def killed_after(nursery: subprocess.Popen[str], folder: Path, name: str, replies: int, seconds: float) -> list[str]:
    """The replies that a chat had told when it was killed: that long after it told so many."""
    assert nursery.stdin is not None and nursery.stdout is not None
    nursery.stdin.write(f"{name}\n")
    nursery.stdin.flush()
    child, told = int(nursery.stdout.readline()), folder / f"{name}.out"
    patience = time.monotonic() + 120
    while not told.exists() or told.read_bytes().count(b"\n") < replies:
        assert time.monotonic() < patience, "no reply came"
        time.sleep(0.005)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert nursery.stdout.readline() == "dead\n"
    return told.read_text(encoding="utf-8").split("\n")[:-1]  # the last may be cut


def check_kept(drawn: Path, name: str, told: list[str]) -> None:
    """Everything that was told is there, whole, and the conversation goes on."""
    replies = [json.loads(line) for line in told]
    answers = [reply for reply in replies if reply["kind"] == "answer"]
    talk = conversation(drawn, name, "a.png")
    kept = talk.history
    assert len(kept) >= len(answers) >= 1
    assert [turn.number for turn in kept] == list(range(1, len(kept) + 1))
    for reply, turn in zip(answers, kept, strict=False):
        assert (reply["turn"], reply["text"]) == (turn.number, turn.answer)
    undone = {reply["turn"] for reply in replies if reply["kind"] == "undone"}
    assert undone <= {turn.number for turn in kept if turn.undone}
    for turn in kept:
        assert turn.folder is not None
        trace = Trace.from_json((turn.folder / "trace.json").read_text())
        assert trace.answer is not None and trace.answer["answer"] == turn.answer
        assert cv2.imread(str(turn.folder / "overlay.png")) is not None
    with sqlite3.connect(Sessions().home / "sessions.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert talk.say("planes").turn.number == len(kept) + 1  # type: ignore[union-attr]


def check_moments(drawn: Path, folder: Path, moments: int, seed: int) -> None:
    chosen = random.Random(seed)
    call = [sys.executable, "-c", NURSERY, "\n".join(LINES * 9), str(drawn / "a.png"), models(drawn)]
    pipe = subprocess.PIPE
    with subprocess.Popen(call, stdin=pipe, stdout=pipe, text=True, cwd=folder) as nursery:
        for n in range(moments):
            told = killed_after(nursery, folder, f"s{n}", chosen.randint(1, 7), chosen.uniform(0.0, 0.4))
            check_kept(drawn, f"s{n}", told)
    assert len(Sessions().names()) == moments


def test_kill_9_loses_no_answered_turn(drawn: Path, tmp_path: Path) -> None:
    check_moments(drawn, tmp_path, 10, seed=1)


@pytest.mark.slow
def test_kill_9_at_fifty_moments(drawn: Path, tmp_path: Path) -> None:
    check_moments(drawn, tmp_path, 50, seed=2)


# ---- export and the command line ---------------------------------------------------------------------------------


def test_export_is_whole(drawn: Path, tmp_path: Path) -> None:
    talk = conversation(drawn, "one", "a.png", "b.png")
    for line in ("planes", "of those, the longest", "undo", "in the other image"):
        talk.say(line)
    session = Sessions().load("one")
    written = export(session, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "session.json").read_text())
    assert told == session_json(session) and len(told["turns"]) == 3 and len(written) == 5
    text = (tmp_path / "out" / "session.md").read_text()
    assert "## 2. of those, the longest (undone)" in text and "Read as: detect the longest plane" in text
    pictures = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 3 and all((tmp_path / "out" / each).exists() for each in pictures)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="name another folder"):
        export(session, blocked)


def test_sessions_commands(drawn: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions"]) == 0
    assert capfd.readouterr().out == "no session is kept yet\n"
    conversation(drawn, "one", "a.png").say("planes")
    assert main(["sessions", "list"]) == 0
    assert capfd.readouterr().out.startswith("one  1 turn  ")
    assert main(["sessions", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["images"] == ["a.png"]
    assert main(["sessions", "show", "one"]) == 0
    assert "1. planes\n   Found " in capfd.readouterr().out
    assert main(["sessions", "export", "one", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "session.md").exists()
    assert main(["sessions", "delete", "one", "two"]) == 2 and Sessions().names() == ("one",)
    assert main(["sessions", "delete", "one"]) == 0 and Sessions().names() == ()
    assert not (Sessions().home / "sessions" / "one").exists()


def test_the_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SURVEYOR_HOME", str(tmp_path / "elsewhere"))
    assert Sessions().home == tmp_path / "elsewhere"
    monkeypatch.delenv("SURVEYOR_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Sessions().home == tmp_path / "data" / "surveyor" or sys.platform != "linux"
    assert Session("x").version == 0 and os.environ.get("SURVEYOR_HOME") is None
