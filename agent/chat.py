"""A conversation about images: each line is an answer, an explanation or an error; doors only say and show.

The command line, a web page or any other door makes a `Conversation`, hands it lines and shows the replies. What a line
means is settled in `agent/followup.py`; how it is kept in `agent/sessions.py`; running it is `surveyor.run`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.conditions import Among, Output, Request, Selection, walk
from ..core.errors import QueryError, UnknownPhrase, UsageError
from ..core.plan import Plan
from ..core.progress import Listener
from ..core.questions import Answerer, Question
from ..core.scene import Scene
from ..core.trace import Observation
from ..core.wording import words
from ..tools.models.spec import Models, load_models
from .answer import Answer
from .chat_memory import Memory
from .chat_turns import (
    Reply,
    chosen_in,
    names_regions,
    notes_by_image,
    places_of,
    query_of,
    query_text,
    save_files,
    turn_of,
    with_chosen,
)
from .class_names import adopt_class_names
from .explanation import Explanation
from .followup import understand
from .followup_dates import is_of_dates
from .followup_meanings import Ask, Courtesy, GoTo, Like, Meaning, Undo, Why
from .likeness import Likeness, likeness
from .planner import make_plan
from .run import ImageLike, run
from .saved import TRACE, explain_saved
from .sessions import Sessions, Turn

_CIVIL = {
    "greeting": "Hello. Ask e.g. 'how many planes are there?'; '/help' lists what can be said.",
    "thanks": "You are welcome.",
    "fine": "Good. Ask on.",
}


class Conversation(Memory):
    """Questions about images, one after the other, that may refer to what was answered.

    Args:
        images: paths, open scenes or RGB arrays; more can be added.
        session: name under which it is kept and taken up again (see `Sessions`); None keeps nothing.
        models: backends by role, as in `surveyor.ask`.
        gsd: metres a pixel, for images whose file does not say.
        sessions: where conversations are kept.
        watch, progress: called as in `surveyor.ask`.
        answer: answers questions of a run ("two rivers: which one?"); without it any of them counts.
        max_seconds: of each answer.
        parser: "auto", "grammar" or "llm", for requests that refer to nothing before.

    Raises:
        UsageError: an image that cannot be read, or a name that no session can have.

    Example:
        >>> import surveyor
        >>> scene = surveyor.draw_scene("harbour", seed=3)
        >>> chat = surveyor.Conversation([scene.image_rgb])
        >>> ships = chat.say("ships").answer
        >>> longest = chat.say("of those, the longest").answer
        >>> longest.regions[0].region.id in [c.region.id for c in ships.regions]
        True
    """

    def __init__(
        self,
        images: ImageLike | Sequence[ImageLike] = (),
        *,
        session: str | None = None,
        models: str | Models | None = None,
        gsd: float | None = None,
        sessions: Sessions | None = None,
        watch: Callable[[Observation], None] | None = None,
        progress: Listener | None = None,
        answer: Answerer | None = None,
        max_seconds: float | None = None,
        parser: str = "auto",
    ) -> None:
        self.models = models if isinstance(models, Models) else load_models(models)
        self.watch, self.progress, self.answer = watch, progress, answer
        self.max_seconds, self.parser = max_seconds, parser
        super().__init__(session, sessions)
        many = [images] if isinstance(images, str | Path | Scene | np.ndarray) else list(images)
        first = [self.add_image(image, gsd=gsd) for image in many][:1]
        if first:
            self.use_image(first[0])

    # ---- talking

    def say(self, text: str) -> Reply:
        """The reply to one line.

        Raises:
            QueryError: the line was not understood; points at the words.
            SessionMoved: another process talked in the session; `turns` has what is new, nothing was kept.
            UsageError: no such image or region, or an image that cannot be read.
        """
        self._check_unmoved()
        meaning = self._understood(text)
        if isinstance(meaning, Courtesy):
            return Reply("told", _CIVIL[meaning.kind])
        if isinstance(meaning, Undo):
            return self.undo()
        if isinstance(meaning, GoTo):
            self.use_image(meaning.image)
            return Reply("image", f"image {meaning.image}: {self.images[meaning.image - 1].name}")
        if isinstance(meaning, Why):
            return self._explained(meaning)
        if isinstance(meaning, Like):
            found = self._like(meaning)
            return self._asked(text, Ask(found.request, self.turn(meaning.turn).image), notes=found.notes)
        if not self.images:
            raise UsageError("there is no image yet; give one: surveyor chat photo.jpg, or /image photo.jpg")
        return self._asked_of_each(text, meaning) if meaning.also_on else self._asked(text, meaning)

    def plan(self, number: int | None = None) -> Plan:
        """The steps of a turn, the last one by default."""
        turn = self.turn(number)
        return make_plan(with_chosen(turn.request, turn.chosen), query_of(turn))

    def why(self, region_id: str | None = None) -> Reply:
        """Why a region is in the last answer or not; without an id, why the answer is what it is."""
        turn = self.turn()
        return self._explained(Why(turn.number, () if region_id is None else (region_id,)))

    def explanation(self, number: int | None = None) -> Explanation:
        """Why the answer of a turn is what it is (the last one by default); of an earlier process, from its trace."""
        turn = self.turn(number)
        if turn.number not in self._answers and turn.folder is not None and (turn.folder / TRACE).exists():
            return explain_saved(turn.folder)
        return self.answer_of(turn.number).explain()

    def save(self, path: str | Path, number: int | None = None) -> Path:
        """Writes the files of an answer.

        Args:
            path: ends in .png (picture), .geojson, .gpkg, .json (trace) or .yaml (plan); else a folder for all of them.
            number: of the turn, the last one by default.

        Raises:
            UsageError: nothing was answered, or that file cannot be made of it.
            OSError: writing failed.
        """
        path, turn = Path(path), self.turn(number)
        if path.suffix.lower() in (".yaml", ".yml"):
            path.write_text(self.plan(turn.number).to_yaml(), encoding="utf-8")
        else:
            save_files(turn, path, lambda: self.answer_of(turn.number))
        return path

    def answer_of(self, number: int | None = None) -> Answer:
        """The whole answer of a turn; one of an earlier process is made again (from the cache where it is on)."""
        turn = self.turn(number)
        if turn.number not in self._answers:
            self._answers[turn.number] = self._run(turn.request, _images(turn), query_of(turn), None, dict(turn.chosen))
        return self._answers[turn.number]

    # ---- inside

    def _understood(self, text: str) -> Meaning:
        """What a line means; a language model may read what the grammar does not, when it refers to nothing before."""
        try:
            return understand(text, self._setting())
        except QueryError as error:
            if self.turns or self.parser == "grammar" or self.models.chat is None:
                raise
            from .parsers import parse_request

            try:
                read = parse_request(text, self.parser, self.models.chat)
                return Ask(read.request, self.current, notes=read.record().notes)
            except QueryError as other:
                raise other from error

    def _asked_of_each(self, text: str, meaning: Ask) -> Reply:
        """The replies for several images, in the order of their numbers; the image in use stays so."""
        line, replies, told_once = len(self.history) + 1, {}, meaning.notes
        try:
            for image in (meaning.image, *meaning.also_on):
                replies[image] = self._asked(text, replace(meaning, image=image), line=line)
        except BaseException:
            if replies:  # all of the line or nothing
                self.undo()
            raise
        parts = tuple(replies[image] for image in sorted(replies))
        told = [f"image {image} ({self.images[image - 1].name}): {replies[image].text}" for image in sorted(replies)]
        own = {
            f"image {image}": [note for note in replies[image].notes if note not in told_once]
            for image in sorted(replies)
        }
        notes = (*told_once, *notes_by_image(own))
        return Reply("answers", "\n".join(told), self.turn(), None, None, notes, parts[0].understood, parts)

    def _asked(self, text: str, meaning: Ask, *, notes: tuple[str, ...] = (), line: int | None = None) -> Reply:
        known = self.models.grounder.knows()
        request, image = adopt_class_names(meaning.request, known), meaning.image
        if meaning.about is not None:
            alone = Request(outputs=(Output(verb="detect", target=meaning.about),))
            meaning = replace(meaning, about=adopt_class_names(alone, known).outputs[0].target)
        number = len(self.history) + 1
        query = query_text(text, request, refers=meaning.edits is not None or bool(notes) or names_regions(request))
        folder = None if self._kept_in is None else self._kept_in.new_folder(self._session.name, number)
        before, image = self._dates(meaning, request)
        chosen = self._chosen(image)
        try:
            answer = self._run(request, (before, image), query, folder, chosen)
            self._check_regions(request, answer, image)
            earlier = next((turn for turn in self.turns if turn.number == meaning.edits and turn.image == image), None)
            told = (*meaning.notes, *notes)
            turn = turn_of(number, text, meaning, image, request, answer, told, folder, earlier, before)
            self._keep(replace(turn, chosen=chosen, line=line))
        except BaseException as error:
            if isinstance(error, UnknownPhrase):  # its place in the line, without what was written behind the line
                error.query, error.spans = text, places_of(error.phrase, text)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._answers[number] = answer
        picture = None if folder is None else folder / "overlay.png"
        return Reply("answer", turn.answer, turn, answer, picture, turn.notes, words(request))

    def _dates(self, meaning: Ask, request: Request) -> tuple[int | None, int]:
        """The images that a request is about: that of the earlier date (None where only one is looked at), the other.

        Raises:
            UsageError: a change is asked for and there is only one image, or it is not clear which two.
        """
        image = meaning.image
        if not is_of_dates(request):
            return None, image
        earlier = next((turn for turn in self.turns if turn.number == meaning.edits), None)
        before = meaning.before or (earlier.before if earlier is not None and earlier.image == image else None)
        if before is not None:
            return before, image
        if len(self.images) == 2:
            return 1, 2
        if image > 1:
            return image - 1, image
        if len(self.images) == 1:
            raise UsageError("a change needs two images of one place; add the later one with '/image FILE'")
        raise UsageError("between which images? Say e.g. 'what changed between image 1 and image 2?'")

    def _run(
        self, request: Request, images: tuple[int | None, int], query: str, folder: Path | None, chosen: dict[str, str]
    ) -> Answer:
        """The answer to a request.

        Args:
            images: number of the image of the earlier date, if there are two, and of the image that is asked about.
            chosen: what was said to be meant by "the river", which is not asked again; gets what is said this time.
        """
        request = with_chosen(request, chosen)

        def answer(question: Question) -> str:
            assert self.answer is not None
            given, what = self.answer(question), chosen_in(question, request)
            if what is not None:
                chosen[what] = question.checked(given)
            return given

        before, image = images
        first, after = (image, None) if before is None else (before, self.scene(image))
        return run(
            make_plan(request, query), self.scene(first), after=after, models=self.models, request=request, out=folder,
            watch=self.watch, progress=self.progress, max_seconds=self.max_seconds,
            answer=None if self.answer is None else answer, on_ambiguous="all" if self.answer is None else "ask",
        )  # fmt: skip

    def _check_regions(self, request: Request, answer: Answer, image: int) -> None:
        """Raises UsageError when the request names regions that were not seen: nothing else may pass for them."""
        wanted = {name for node in walk(request) if isinstance(node, Among) for name in node.ids}
        seen = {c.region.id for part in answer.parts for c in part.candidates}
        seen |= {c.region.id for found in answer.references for c in found}
        missing = sorted(wanted - seen)
        if missing:
            raise UsageError(f"there is no {', '.join(missing)} in image {image} ({self.images[image - 1].name})")

    def _explained(self, meaning: Why) -> Reply:
        turn = self.turn(meaning.turn)
        if meaning.request is None:
            whole = self.explanation(turn.number)
        else:
            whole = self._run(
                meaning.request, _images(turn), words(meaning.request), None, self._chosen(turn.image)
            ).explain()
        focused = [whole.of(name) for name in meaning.ids] or [whole]
        return Reply("why", "\n".join(str(each).rstrip() for each in focused), turn)

    def _like(self, meaning: Like) -> Likeness:
        """The request for what is like a region, as it was found: an outline would make its colour another."""
        turn = self.turn(meaning.turn)
        target = Selection(phrases=(turn.labels[meaning.id],))
        found = self._run(Request(outputs=(Output(verb="detect", target=target),)), _images(turn), turn.text, None, {})
        region = next((c.region for c in (*found.regions, *found.rejected) if c.region.id == meaning.id), None)
        if region is None:
            raise UsageError(
                f"{meaning.id!r} is no {turn.labels[meaning.id]} that was found, so nothing can be like it"
            )
        return likeness(self.scene(turn.image), region)


def _images(turn: Turn) -> tuple[int | None, int]:
    """The images that a turn looked at: that of the earlier date, if there are two, and the other."""
    return turn.before, turn.image
