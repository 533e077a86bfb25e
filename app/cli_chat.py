"""`surveyor chat`: lines in, answers out; on a terminal with history, tables and pictures, else one answer a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_ask import Gsd, Models, Parser

if TYPE_CHECKING:
    from ..agent.chat import Conversation, Reply
    from ..core.questions import Question
    from ..core.trace import Observation

MOST_ROWS = 8
"""Candidates that the table under an answer lists; /why lists all."""


def chat(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]...", help="What to talk about.", show_default=False)
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the conversation under this name, or go on with it.")
    ] = None,
    parser: Parser = "auto",
    models: Models = None,
    gsd: Gsd = None,
    inline: Annotated[
        bool | None, typer.Option("--inline/--no-inline", help="Show pictures in the terminal. Default: where it can.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Talk about images: ask, then go on from the answer ("of those, the longest", "now segment them", "undo").

    On a terminal the conversation is kept and can be taken up again with --session. From a pipe each
    line is answered on a line, and the first that is not understood ends it.

    Example:  surveyor chat photo.jpg --session airport
    """
    from ..agent.chat import Conversation
    from ..agent.sessions import Sessions
    from .progress_bar import shown_progress

    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not json_
    if session is None and interactive:
        session = Sessions().free_name(Path(images[0]).stem if images else "session")
    conversation = Conversation(
        list(images or ()),
        session=session,
        models=models,
        gsd=gsd,
        parser=parser,
        answer=_asked if interactive else None,
    )
    if interactive:
        _Terminal(conversation, inline).talk()
        return
    with shown_progress() as listener:
        conversation.progress = listener
        _piped(conversation, as_json=json_)


# ---- from a pipe -------------------------------------------------------------------------------------------------


def _piped(conversation: Conversation, *, as_json: bool) -> None:
    """Answers each line of stdin; the first error ends it, since later lines may refer to what was not answered."""
    from ..agent.chat_commands import respond
    from ..core.errors import SurveyorError
    from .screen import talk

    for number, line in enumerate(_lines(), start=1):
        try:
            reply = respond(conversation, line)
        except SurveyorError:
            talk().print(f"line {number}:", style="dim", end=" ")
            raise
        if reply is None:
            return
        if as_json:
            sys.stdout.write(json.dumps(reply.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        else:
            text = reply.text if reply.kind in ("why", "told") else " ".join(reply.text.split())
            sys.stdout.write(text + "\n")
            for note in reply.notes:
                talk().print(f"note: {note}", style="dim", markup=False, soft_wrap=True)
        sys.stdout.flush()
        for part in reply.parts or (reply,):
            if part.answer is not None and part.answer.failure and part.kind == "answer":
                from .exits import RUN_FAILED

                talk().print(f"failed: {part.answer.failure}", style="bold red", markup=False, soft_wrap=True)
                raise typer.Exit(RUN_FAILED)


def _lines() -> Iterator[str]:
    """The lines of stdin that say something; "#" and a space begin a remark."""
    from ..core.errors import UsageError

    try:
        for line in sys.stdin:
            if line.strip() and not line.startswith("# ") and line.strip() != "#":
                yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"the input is not UTF-8 text: {error}") from None


# ---- on a terminal -----------------------------------------------------------------------------------------------


class _Terminal:
    """The loop of a person at a terminal."""

    def __init__(self, conversation: Conversation, inline: bool | None) -> None:
        from .inline_picture import protocol_of

        self.conversation = conversation
        self.protocol = None if inline is False else protocol_of() or ("kitty" if inline else None)

    def talk(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory

        from ..agent.chat_commands import COMMANDS
        from ..agent.sessions import data_home

        data_home().mkdir(parents=True, exist_ok=True)
        prompt: PromptSession[str] = PromptSession(
            history=FileHistory(str(data_home() / "history")),
            auto_suggest=AutoSuggestFromHistory(),
            completer=WordCompleter([f"/{name}" for name in (*COMMANDS, "quit")], sentence=True),
            bottom_toolbar=self._status,
        )
        self._greet()
        while True:
            try:
                line = prompt.prompt("> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            if line.strip() and not self._answered(line):
                break
        self._leave()

    def _greet(self) -> None:
        from .screen import talk

        turns = len(self.conversation.turns)
        told = f"Going on with {self.conversation.name}, {turns} turns." if turns else ""
        talk().print(
            f"{told} Ask away; /help lists what can be said, Ctrl-D leaves.".strip(), style="dim", markup=False
        )
        for turn in self.conversation.turns[-3:]:
            talk().print(f"  {turn.text}\n    {turn.answer}", style="dim", markup=False, soft_wrap=True)

    def _leave(self) -> None:
        from .screen import talk

        if self.conversation.turns:
            again = f"surveyor chat --session {self.conversation.name}"
            talk().print(f"kept; go on with: {again}", style="dim", markup=False, soft_wrap=True)

    def _status(self) -> str:
        images, current = self.conversation.images, self.conversation.current
        image = f"image {current} of {len(images)}: {images[current - 1].name}" if images else "no image: /image FILE"
        return f" {self.conversation.name} · {image} · turn {len(self.conversation.history) + 1}"

    def _answered(self, line: str) -> bool:
        """Answers one line; False for "bye" and /quit. Errors are told and the conversation goes on."""
        from ..agent.chat_commands import respond
        from ..agent.sessions import SessionMoved
        from .exits import exit_code_for
        from .progress_bar import shown_progress
        from .screen import talk

        before = {turn.number for turn in self.conversation.history}
        try:
            with shown_progress() as listener:
                self.conversation.progress, self.conversation.watch = listener, _step_done
                reply = respond(self.conversation, line)
            if reply is None:
                return False
            self._show(reply)
        except SessionMoved as moved:
            talk().print(f"{moved}; nothing of this line was kept. New:", style="yellow", markup=False)
            for turn in self.conversation.history:
                if turn.number not in before:
                    talk().print(f"  {turn.number}. {turn.text}\n     {turn.answer}", markup=False, soft_wrap=True)
            talk().print("Say it again if it still fits.", style="yellow")
        except (Exception, KeyboardInterrupt) as error:
            exit_code_for(error)
        return True

    def _show(self, reply: Reply) -> None:
        from .answer_table import print_answer
        from .inline_picture import picture_text
        from .screen import data, talk

        for part in reply.parts:
            self._show(part)
        if reply.parts:
            return
        if reply.kind != "answer" or reply.answer is None or reply.turn is None:
            data().print(reply.text, markup=False, soft_wrap=True)
            return
        many = len(self.conversation.images) > 1
        where = f"[image {reply.turn.image}: {self.conversation.images[reply.turn.image - 1].name}] " if many else ""
        if reply.turn.edits is not None or where:
            read = f"{where}{reply.understood if reply.turn.edits is not None else ''}".strip()
            talk().print(read, style="dim", markup=False, soft_wrap=True)
        told = {**reply.answer.to_dict(), "notes": list(reply.notes)}
        emptied = [o.emptied_by for o in reply.answer.observations if o.emptied_by]
        print_answer(told, data(), emptied_by=emptied, most_rows=MOST_ROWS)
        if reply.answer.failure:
            talk().print(f"failed: {reply.answer.failure}", style="bold red", markup=False, soft_wrap=True)
        if reply.picture is not None:
            if self.protocol is not None and sys.stdout.isatty():
                sys.stdout.write(picture_text(reply.picture, self.protocol))
                sys.stdout.flush()
            talk().print(f"picture: {reply.picture}", style="dim", markup=False, soft_wrap=True)


def _step_done(observation: Observation) -> None:
    from .screen import talk

    told = observation.summary or observation.because or observation.failure or observation.status
    talk().print(f"  {observation.instruction or observation.step}: {told}", style="dim", markup=False, soft_wrap=True)


def _asked(question: Question) -> str:
    """Asks the person at the terminal until the answer is one of the options."""
    from ..core.errors import UsageError
    from .screen import talk

    while True:
        talk().print(str(question), style="yellow", markup=False, soft_wrap=True)
        try:
            return question.checked(input("? "))
        except UsageError as error:
            talk().print(str(error), style="red", markup=False, soft_wrap=True)
        except EOFError:
            raise KeyboardInterrupt from None
