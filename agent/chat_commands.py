"""Lines that begin with a slash: the same commands behind every door."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UsageError
from ..core.wording import words
from .chat import Conversation, Reply
from .followup_courtesy import is_goodbye
from .sessions import Sessions


@dataclass(frozen=True)
class Command:
    """One command: what it is given, what it does, and the function that does it."""

    usage: str
    about: str
    run: Callable[[Conversation, list[str]], Reply]


def respond(conversation: Conversation, line: str) -> Reply | None:
    """The reply to a line, be it a command ("/plan") or anything that can be said; None for "/quit" and "bye".

    Raises:
        UsageError: no such command, or what `Conversation.say` raises.

    Example:
        >>> import surveyor
        >>> chat = Conversation([surveyor.draw_scene("harbour", seed=3).image_rgb])
        >>> respond(chat, "/images").text
        '1 array (in use)  512 x 512 px'
    """
    text = line.strip()
    if not text.startswith("/"):
        return None if is_goodbye(text) else conversation.say(line)
    try:
        name, *rest = shlex.split(text[1:]) or [""]
    except ValueError:
        name, *rest = text[1:].split()
    if name in ("quit", "exit", "q"):
        return None
    if name in ("", "?"):
        name = "help"
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        meant = f"did you mean '/{near[0]}'?" if near else "'/help' lists them"
        raise UsageError(f"there is no command '/{name}'; {meant}")
    return COMMANDS[name].run(conversation, rest)


def help_text() -> str:
    """What can be said, with examples."""
    width = max(len(command.usage) for command in COMMANDS.values()) + 2
    lines = [f"  {command.usage:<{width}}{command.about}" for command in COMMANDS.values()]
    return f"{_TALK}\n\n" + "\n".join([*lines, f"  {'/quit':<{width}}leave (also Ctrl-D)"])


_TALK = """Ask anything that `surveyor ask` understands, then go on from the answer:
  planes longer than 30 m                       a new request
  of those, the two longest · only the red ones · how many are there? · now segment them
  what about the ships? · also the ships · the others · without the second one · undo
  and in image 2? · how many planes are there in both images?
  why plane-4? · why not the third one? · describe plane-3 · what else is like plane-3?
  what is at [100, 200, 300, 400]? · planes near [100, 200, 300, 400]"""


def _none(rest: list[str], name: str) -> None:
    if rest:
        raise UsageError(f"'/{name}' takes nothing, not {' '.join(rest)!r}")


def _number(rest: list[str], name: str) -> int | None:
    """The number of a turn or image that may follow a command."""
    if not rest:
        return None
    if len(rest) > 1 or not rest[0].isdecimal():
        raise UsageError(f"'/{name}' takes one number, not {' '.join(rest)!r}")
    return int(rest[0])


def _help(conversation: Conversation, rest: list[str]) -> Reply:
    return Reply("told", help_text())


def _plan(conversation: Conversation, rest: list[str]) -> Reply:
    turn = conversation.turn(_number(rest, "plan"))
    steps = conversation.plan(turn.number).steps
    lines = [f"{number}. {step.instruction}" for number, step in enumerate(steps, start=1)]
    return Reply("told", "\n".join([f"{turn.text!r} was read as: {words(turn.request)}", *lines]), turn)


def _why(conversation: Conversation, rest: list[str]) -> Reply:
    return conversation.why(" ".join(rest) or None)


def _save(conversation: Conversation, rest: list[str]) -> Reply:
    if len(rest) != 1:
        raise UsageError("say where to: '/save answer.png', .geojson, .gpkg, .json, .yaml, or a folder")
    path = conversation.save(Path(rest[0]).expanduser())
    return Reply("told", f"saved {path}", conversation.turn())


def _show(conversation: Conversation, rest: list[str]) -> Reply:
    turn = conversation.turn(_number(rest, "show"))
    picture = None if turn.folder is None else turn.folder / "overlay.png"
    answer = conversation.answer_of(turn.number)
    return Reply("answer", turn.answer, turn, answer, picture, turn.notes, words(turn.request))


def _turns(conversation: Conversation, rest: list[str]) -> Reply:
    _none(rest, "turns")
    many = len(conversation.images) > 1
    lines = [
        f"{turn.number}. {f'[image {turn.image}] ' if many else ''}{turn.text}{' (undone)' if turn.undone else ''}\n"
        f"   {turn.answer}"
        for turn in conversation.history
    ]
    return Reply("told", "\n".join(lines) or "nothing was answered yet")


def _images(conversation: Conversation, rest: list[str]) -> Reply:
    number = _number(rest, "images")
    if number is not None:
        conversation.use_image(number)
    lines = []
    for n, image in enumerate(conversation.images, start=1):
        used = " (in use)" if n == conversation.current else ""
        try:
            width, height = conversation.scene(n).size_wh
            size = f"{width} x {height} px" + (f", {image.gsd_m:g} m a pixel" if image.gsd_m is not None else "")
        except UsageError as error:
            size = f"not there: {error}"
        lines.append(f"{n} {image.name}{used}  {size}")
    return Reply("told", "\n".join(lines) or "there is no image; add one: /image photo.jpg")


def _image(conversation: Conversation, rest: list[str]) -> Reply:
    if not rest:
        raise UsageError("say which: '/image photo.jpg' adds a file and uses it")
    number = conversation.add_image(Path(" ".join(rest)).expanduser())
    conversation.use_image(number)
    return Reply("image", f"image {number}: {conversation.images[number - 1].name}")


def _undo(conversation: Conversation, rest: list[str]) -> Reply:
    _none(rest, "undo")
    return conversation.undo()


def _sessions(conversation: Conversation, rest: list[str]) -> Reply:
    _none(rest, "sessions")
    return Reply("told", sessions_text(Sessions()) + (f"\nthis is {conversation.name}" if conversation.name else ""))


def sessions_text(sessions: Sessions) -> str:
    """The sessions that are kept, a line each, latest first."""
    lines = []
    for name in sessions.names():
        session = sessions.load(name)
        images = ", ".join(image.name for image in session.images[:3]) + (" …" if len(session.images) > 3 else "")
        turns = f"{len(session.turns)} turn{'' if len(session.turns) == 1 else 's'}"
        lines.append((name, turns, session.updated[:16].replace("T", " "), images))
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
    rows = ["  ".join([*(part.ljust(w) for part, w in zip(line, widths, strict=False)), line[3]]) for line in lines]
    return "\n".join(rows) or "no session is kept yet"


COMMANDS: dict[str, Command] = {
    "plan": Command("/plan [TURN]", "the steps the last answer was made by", _plan),
    "why": Command("/why [ID]", "why a region is in the last answer or not; the whole answer without ID", _why),
    "show": Command("/show [TURN]", "an answer again, with its picture", _show),
    "save": Command(
        "/save FILE", "its picture (.png), regions (.geojson, .gpkg), trace (.json), plan (.yaml), or DIR", _save
    ),
    "turns": Command("/turns", "what was asked and answered", _turns),
    "images": Command("/images [N]", "the images; with a number: use that one", _images),
    "image": Command("/image FILE", "add an image and use it", _image),
    "undo": Command("/undo", "forget the last answer", _undo),
    "sessions": Command("/sessions", "the conversations that are kept", _sessions),
    "help": Command("/help", "this", _help),
}
