"""A conversation from Python, from a pipe and on a terminal; visual prompts; pictures in the terminal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.chat import Conversation
from surveyor.agent.chat_commands import COMMANDS, respond
from surveyor.agent.sessions import Sessions
from surveyor.app import screen
from surveyor.app.cli import main
from surveyor.app.inline_picture import picture_text, protocol_of
from surveyor.core.boxes import box_of, box_phrase
from surveyor.core.errors import QueryError, UsageError
from surveyor.synth import draw_scene
from surveyor.tools.models.oracle import OracleGrounder, OracleSegmenter
from surveyor.tools.models.spec import Models

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with airport.png and its annotation."""
    folder = tmp_path_factory.mktemp("drawn")
    scene = draw_scene("airport", seed=7, size_wh=(400, 400))
    cv2.imwrite(str(folder / "airport.png"), scene.image_rgb[..., ::-1])
    (folder / "airport.json").write_text(json.dumps(scene.to_coco("airport.png")))
    return folder


@pytest.fixture
def models(drawn: Path) -> Models:
    annotation = str(drawn / "airport.json")
    return Models(OracleGrounder(annotation), OracleSegmenter(annotation))


@pytest.fixture
def talk(drawn: Path, models: Models) -> Conversation:
    return Conversation(drawn / "airport.png", models=models, gsd=0.5)


def ids(talk: Conversation, line: str) -> list[str]:
    answer = talk.say(line).answer
    assert answer is not None
    return [candidate.region.id for candidate in answer.regions]


# ---- answers are those of the request that was meant -------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "alone"),
    [
        (("planes", "of those, the longer than 12 m"), "planes longer than 12 m"),
        (("planes", "of those, the two longest"), "the two longest planes"),
        (("planes longer than 12 m", "the largest of them"), "the largest plane longer than 12 m"),
        (("planes", "in the left half", "only the white ones"), "white planes in the left half"),
        (("vehicles", "the same for planes"), "planes"),
        (("planes near the runway", "what about the vehicles?"), "vehicles near the runway"),
        (("planes", "except the largest"), "planes except the largest"),
        (("planes", "vehicles near them"), "vehicles near planes"),
        (("planes", "vehicles", "undo", "the largest of them"), "the largest plane"),
    ],
)
def test_follow_ups_answer_like_the_whole_request(
    talk: Conversation, drawn: Path, models: Models, lines: tuple[str, ...], alone: str
) -> None:
    for line in lines[:-1]:
        talk.say(line)
    whole = surveyor.ask(drawn / "airport.png", alone, models=models, gsd=0.5)
    assert ids(talk, lines[-1]) == [candidate.region.id for candidate in whole.regions]


def test_regions_are_named_by_id_and_by_place_in_the_list(talk: Conversation) -> None:
    planes = ids(talk, "planes")
    assert ids(talk, f"segment {planes[2]}") == [planes[2]]
    ids(talk, "planes")
    assert ids(talk, "segment the third one") == [planes[2]]
    assert ids(talk, "planes") == planes and ids(talk, "the first two") == planes[:2]
    near = ids(talk, f"the plane nearest to {planes[0]}")
    assert len(near) == 1 and near[0] in planes[1:]


def test_why_and_why_not(talk: Conversation) -> None:
    ids(talk, "planes longer than 12 m")
    turn = talk.turn()
    assert turn.kept and turn.others
    kept = talk.say(f"why {turn.kept[0]}?")
    assert kept.kind == "why" and "is in the answer" in kept.text and "longer than 12 m" in kept.text
    dropped = talk.say(f"why not {turn.others[0]}?").text
    assert turn.others[0] in dropped and "longer than 12 m" in dropped and "is in the answer" not in dropped
    place = len(turn.kept) + 1
    nth = {1: "1st", 2: "2nd", 3: "3rd"}.get(place, f"{place}th")
    assert talk.say(f"why not the {nth} one?").text == dropped
    assert len(talk.turns) == 1, "explanations are no turns"


def test_boxes(talk: Conversation) -> None:
    planes = talk.say("planes").answer
    assert planes is not None
    region = planes.regions[0].region
    x0, y0, x1, y1 = (float(value) for value in region.box_px)
    box = f"[{x0 - 1:.1f}, {y0 - 1:.1f}, {x1 + 1:.1f}, {y1 + 1:.1f}]"
    assert region.id in ids(talk, f"what is at {box}?")
    assert region.id in ids(talk, f"planes in {box}")
    near = ids(talk, f"planes near {box}")
    assert region.id in near
    outlined = talk.say(f"segment {box}").answer
    assert outlined is not None and [c.region.source for c in outlined.regions] == ["given"]
    with pytest.raises(UsageError, match="outside the image"):
        talk.say("planes near [4000, 4000, 5000, 5000]")


def test_what_else_is_like_it_is_compared_in_the_open(talk: Conversation) -> None:
    planes = ids(talk, "planes")
    reply = talk.say(f"what else is like {planes[0]}?")
    assert reply.answer is not None and planes[0] not in [c.region.id for c in reply.answer.regions]
    assert reply.notes[0].startswith(f"compared with {planes[0]}: class airplane, length ")
    own = next(c.region for c in talk.answer_of(1).regions if c.region.id == planes[0])
    for candidate in reply.answer.regions:
        sizes = [surveyor_length(region.corners_px) for region in (own, candidate.region)]
        assert 1 / 1.27 <= sizes[1] / sizes[0] <= 1.27


def surveyor_length(corners: np.ndarray) -> float:
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    return float(sides.max())


def test_scenes_stay_open_and_models_loaded(talk: Conversation) -> None:
    first = talk.scene(1)
    talk.say("planes")
    assert talk.scene(1) is first and talk.say("of those, the longest").answer.scene is first  # type: ignore[union-attr]


def test_arrays_can_be_talked_about_but_not_kept(models: Models) -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    chat = Conversation([pixels], models=models)
    assert chat.name is None and chat.images[0].name == "array" and chat.add_image(pixels) == 1
    with pytest.raises(UsageError, match="need"):
        Conversation([pixels], session="one", models=models)


def test_errors_point_at_the_words(talk: Conversation) -> None:
    talk.say("planes")
    for line, at in (
        ("of those, the lngest", "lngest"),
        ("planes near the runway wich", "runway wich"),
        ("what about the unicorns?", "unicorn"),
    ):
        with pytest.raises(QueryError) as error:
            talk.say(line)
        assert at in [line[a:b] for a, b in error.value.spans]
    with pytest.raises(UsageError, match="no image yet"):
        Conversation().say("planes")


# ---- commands ----------------------------------------------------------------------------------------------------


def test_every_command_answers(talk: Conversation, tmp_path: Path) -> None:
    talk.say("planes longer than 12 m")
    for line in ("/plan", "/why", "/show", "/turns", "/images", "/sessions", "/help", "/"):
        reply = respond(talk, line)
        assert reply is not None and reply.text
    assert "select those longer than 12 m" in respond(talk, "/plan").text  # type: ignore[union-attr]
    for name in ("a.png", "a.geojson", "a.json", "a.yaml", "folder"):
        respond(talk, f"/save {tmp_path / name}")
        assert (tmp_path / name).exists()
    again = surveyor.run(tmp_path / "a.yaml", talk.scene(1), models=talk.models)
    assert again.text == talk.turn().answer
    assert respond(talk, "/undo").kind == "undone" and talk.turns == ()  # type: ignore[union-attr]
    assert respond(talk, "/quit") is None
    assert {"plan", "why", "save", "show", "images", "sessions", "help", "undo"} <= set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/pln", "did you mean '/plan'"),
        ("/xyzzy", "'/help' lists them"),
        ("/plan 9", "there is no turn 9"),
        ("/plan one", "takes one number"),
        ("/save", "say where to"),
        ("/save a.docx", "no kind of file"),
        ("/images 4", "there is no image 4"),
        ("/image gone.png", "gone.png"),
        ("/why plane-99", "plane-99"),
        ("/undo now", "takes nothing"),
    ],
)
def test_wrong_commands_are_told(talk: Conversation, line: str, says: str) -> None:
    talk.say("planes")
    with pytest.raises(UsageError, match=says):
        respond(talk, line)


# ---- from a pipe -------------------------------------------------------------------------------------------------


@pytest.fixture
def piped(drawn: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture):  # type: ignore[no-untyped-def]
    """Runs `surveyor chat airport.png …` with lines on stdin; gives exit code, stdout lines, stderr."""
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("COLUMNS", "100")
    screen.talk.cache_clear()
    oracle = "grounder=oracle:airport.json,segmenter=oracle:airport.json"

    def run(lines: str, *more: str, images: tuple[str, ...] = ("airport.png",)) -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        code = main(["chat", *images, "--models", oracle, *more])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out.splitlines(), err

    return run


def test_one_answer_a_line(piped) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = piped("planes\n\n# a remark\nof those, the longest\nhow many are there?\n")
    assert code == 0 and len(out) == 3
    assert (
        out[0].startswith("Found ")
        and out[1].startswith("Found the longest plane")
        and out[2] == "1: the longest plane."
    )
    assert Sessions().names() == (), "nothing is kept without a name"


def test_the_first_error_ends_it_with_the_words(piped) -> None:  # type: ignore[no-untyped-def]
    code, out, err = piped("planes\nof those, the lngest\nhow many are there?\n")
    assert code == 2 and len(out) == 1
    assert "line 2:" in err and "did you mean 'longest'" in err and "^^^^^^" in err
    assert piped("segment them\n")[0] == 2 and piped("/pln\n")[0] == 2
    assert piped("planes\n", images=("gone.png",))[0] == 2


def test_json_is_an_object_a_line(piped) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = piped("planes\nwhy?\nundo\n", "--json", "--session", "one")
    assert code == 0
    replies = [json.loads(line) for line in out]
    assert [reply["kind"] for reply in replies] == ["answer", "why", "undone"]
    assert replies[0]["answer"]["count"] == len(replies[0]["answer"]["regions"])
    assert Path(replies[0]["picture"]).exists()
    code, out, _ = piped("planes\n", "--session", "one", images=())
    assert code == 0 and len(Sessions().load("one").turns) == 2


def test_quit_ends_it_and_no_lines_are_fine(piped) -> None:  # type: ignore[no-untyped-def]
    assert piped("planes\n/quit\nvehicles\n")[1][1:] == []
    assert piped("")[:2] == (0, [])


# ---- on a terminal -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal(drawn: Path) -> None:
    import os
    import pty
    import subprocess
    import threading

    leader, follower = pty.openpty()
    call = [sys.executable, "-c", "from surveyor.app.cli import main; raise SystemExit(main())", "chat", "airport.png",
            "--models", "grounder=oracle:airport.json"]  # fmt: skip
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        call, stdin=follower, stdout=follower, stderr=follower, cwd=drawn, env=environment, close_fds=True
    )
    os.close(follower)
    seen = bytearray()
    ready = threading.Event()

    def read() -> None:
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                return
            if not piece:
                return
            seen.extend(piece)
            if b"\x1b[6n" in piece:  # where is the cursor?
                os.write(leader, b"\x1b[1;1R")
            if b"Ask away" in seen:
                ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert ready.wait(120)
    for line in ("planes", "of those, the lngest", "of those, the longest", "/quit"):
        os.write(leader, line.encode() + b"\r")
    assert process.wait(120) == 0
    reader.join(10)
    os.close(leader)
    text = seen.decode(errors="replace")
    assert "Found " in text and "did you mean 'longest'" in text and "picture: " in text
    assert "surveyor chat --session airport-1" in text
    assert [turn.text for turn in Sessions().load("airport-1").turns] == ["planes", "of those, the longest"]
    assert "planes" in (Sessions().home / "history").read_text()


# ---- pictures in the terminal, boxes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, None),
        ({}, None),
    ],
)
def test_the_terminal_tells_how_it_shows_pictures(said: dict[str, str], protocol: str | None) -> None:
    assert protocol_of(said) == protocol


def test_pictures_are_written_as_the_protocols_ask(tmp_path: Path) -> None:
    pixels = np.zeros((14, 9, 3), np.uint8)
    pixels[:6, :, 2] = 255
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), pixels)
    assert picture_text(path, "iterm").startswith("\x1b]1337;File=inline=1")
    assert picture_text(path, "kitty").startswith("\x1b_Ga=T,f=100,m=0;")
    sixel = picture_text(path, "sixel")
    assert sixel.startswith('\x1bPq"1;1;9;14') and "#180;2;100;0;0" in sixel
    assert sixel.count("-") == 2 and "#180!9~" in sixel and "#0!9B" in sixel, "two rows of the last band are black"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (200, 1200, 3), np.uint8))
    assert picture_text(path, "kitty").count("\x1b_G") > 1
    assert picture_text(tmp_path / "gone.png", "kitty") == ""


def test_boxes_read_back() -> None:
    for box in ((0.0, 0.0, 1.0, 1.0), (100.5, 2.0, 300.0, 99999.9), (-3.0, -0.1, 5.0, 6.0)):
        assert box_of(box_phrase(box)) == box
    assert box_of("plane") is None and box_of("[1 2 3] box") is None
