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
from ..core.questions import Answerer
from ..core.scene import Scene
from ..core.trace import Observation
from ..core.wording import words
from ..tools.models.spec import Models, load_models
from .answer import Answer
from .chat_turns import Reply, names_regions, places_of, query_of, query_text, save_files, turn_of
from .class_names import adopt_class_names
from .explanation import Explanation
from .followup import Ask, GoTo, Like, Undo, Why, understand
from .followup_mentions import Known, Setting
from .likeness import Likeness, likeness
from .planner import make_plan
from .run import ImageLike, open_scene, run
from .saved import TRACE, explain_saved
from .sessions import ImageRecord, Session, SessionMoved, Sessions, Turn, checked_name


class Conversation:
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
        self._kept_in = (sessions or Sessions()) if session is not None else None
        self._scenes: dict[int, Scene] = {}
        self._answers: dict[int, Answer] = {}
        self._session = Session(checked_name(session) if session is not None else "", current=0)
        if self._kept_in is not None and self._kept_in.version(self._session.name) is not None:
            self._session = self._kept_in.load(self._session.name)
        many = [images] if isinstance(images, str | Path | Scene | np.ndarray) else list(images)
        first = [self.add_image(image, gsd=gsd) for image in many][:1]
        if first:
            self.use_image(first[0])

    # ---- what there is

    @property
    def name(self) -> str | None:
        """The session's name; None when the conversation is not kept."""
        return self._session.name or None

    @property
    def images(self) -> tuple[ImageRecord, ...]:
        """The images; their numbers start at 1."""
        return self._session.images

    @property
    def current(self) -> int:
        """Number of the image that new requests are about; 0 when there is none."""
        return self._session.current

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The answered turns, without those undone."""
        return tuple(turn for turn in self._session.turns if not turn.undone)

    @property
    def history(self) -> tuple[Turn, ...]:
        """All answered turns, those undone included."""
        return self._session.turns

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
        if isinstance(meaning, Undo):
            return self.undo()
        if isinstance(meaning, GoTo):
            self.use_image(meaning.image)
            return Reply("image", f"image {meaning.image}: {self.images[meaning.image - 1].name}")
        if isinstance(meaning, Why):
            return self._explained(meaning)
        if isinstance(meaning, Like):
            found = self._like(meaning)
            image = self.turn(meaning.turn).image
            return self._asked(text, found.request, image, None, found.notes)
        if not self.images:
            raise UsageError("there is no image yet; give one: surveyor chat photo.jpg, or /image photo.jpg")
        return self._asked(text, meaning.request, meaning.image, meaning.edits)

    def undo(self) -> Reply:
        """Forgets the last answer. Raises UsageError when there is none."""
        self._check_unmoved()
        if not self.turns:
            raise UsageError("there is nothing to undo")
        last = self.turns[-1]
        if self._kept_in is not None:
            self._session = self._moving(lambda store: store.mark_undone(self._session, last.number))
        else:
            turns = tuple(replace(t, undone=True) if t.number == last.number else t for t in self._session.turns)
            self._session = replace(self._session, turns=turns)
        now_last = f"the last answer is now that to {self.turns[-1].text!r}" if self.turns else "nothing is left"
        return Reply("undone", f"undone: {last.text!r}; {now_last}", last)

    def turn(self, number: int | None = None) -> Turn:
        """An answered turn, the last one by default. Raises UsageError."""
        if number is None:
            if not self.turns:
                raise UsageError("nothing was answered yet; ask for something first")
            return self.turns[-1]
        for turn in self.history:
            if turn.number == number:
                return turn
        raise UsageError(f"there is no turn {number}; there are {len(self.history)}")

    def plan(self, number: int | None = None) -> Plan:
        """The steps of a turn, the last one by default."""
        turn = self.turn(number)
        return make_plan(turn.request, query_of(turn))

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
            self._answers[turn.number] = self._run(turn.request, turn.image, query_of(turn), None)
        return self._answers[turn.number]

    # ---- images

    def add_image(self, image: ImageLike, *, gsd: float | None = None) -> int:
        """The number of an image, which is added unless it is there already (the same file, or the same pixels).

        Raises:
            UsageError: it cannot be read.
        """
        scene = open_scene(image, gsd if not isinstance(image, Scene) else None)
        if gsd is not None and scene.gsd_m is None:
            scene = scene.with_gsd(gsd)
        place = "" if scene.path is None else str(scene.path.resolve())
        if self._kept_in is not None and not place:
            raise UsageError("a conversation that is kept needs images that are files, not pixels in memory")
        record = ImageRecord(scene.name, place, scene.gsd_m, scene.digest)
        for number, known in enumerate(self.images, start=1):
            if known.digest == record.digest and (known.path == place or not place):
                if gsd is None or known.gsd_m == scene.gsd_m:
                    self._scenes.setdefault(number, scene)
                    return number
                raise UsageError(
                    f"{known.name!r} is in the session with {known.gsd_m} m a pixel, not {gsd}; begin another session"
                )
        images = (*self.images, record)
        self._set_images(images, self.current or 1)
        self._scenes[len(images)] = scene
        return len(images)

    def use_image(self, number: int) -> None:
        """Makes new requests about that image. Raises UsageError when there is no such image."""
        if not 1 <= number <= len(self.images):
            raise UsageError(f"there is no image {number}; there are {len(self.images)}")
        if number != self.current:
            self._set_images(self.images, number)

    def scene(self, number: int) -> Scene:
        """The open image of that number.

        Raises:
            UsageError: its file is gone or has changed since.
        """
        if number not in self._scenes:
            record = self.images[number - 1]
            scene = Scene.open(record.path)
            if scene.digest != record.digest:
                raise UsageError(
                    f"{record.path!r} has changed since it was talked about; add it as another image under a new name"
                )
            if record.gsd_m is not None and scene.gsd_m != record.gsd_m:
                scene = scene.with_gsd(record.gsd_m)
            self._scenes[number] = scene
        return self._scenes[number]

    # ---- inside

    def _setting(self) -> Setting:
        turns = tuple(
            Known(turn.number, turn.image, turn.request, turn.kept, turn.others, turn.labels) for turn in self.turns
        )
        return Setting(tuple(image.name for image in self.images), self.current, turns)

    def _understood(self, text: str) -> Ask | Why | Like | Undo | GoTo:
        """What a line means; a language model may read what the grammar does not, when it refers to nothing before."""
        try:
            return understand(text, self._setting())
        except QueryError as error:
            if self.turns or self.parser == "grammar" or self.models.chat is None:
                raise
            from .parsers import parse_request

            try:
                return Ask(parse_request(text, self.parser, self.models.chat).request, self.current)
            except QueryError as other:
                raise other from error

    def _asked(self, text: str, request: Request, image: int, edits: int | None, notes: tuple[str, ...] = ()) -> Reply:
        request = adopt_class_names(request, self.models.grounder.knows())
        number = len(self.history) + 1
        query = query_text(text, request, refers=edits is not None or bool(notes) or names_regions(request))
        folder = None if self._kept_in is None else self._kept_in.new_folder(self._session.name, number)
        try:
            answer = self._run(request, image, query, folder)
            self._check_regions(request, answer, image)
            turn = turn_of(number, text, image, request, edits, answer, notes, folder)
            if self._kept_in is None:
                self._session = replace(self._session, turns=(*self._session.turns, turn), current=image)
            else:
                self._session = self._moving(lambda store: store.append(self._begun(store), turn))
        except BaseException as error:
            if isinstance(error, UnknownPhrase):  # its place in the line, without what was written behind the line
                error.query, error.spans = text, places_of(error.phrase, text)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._answers[number] = answer
        picture = None if folder is None else folder / "overlay.png"
        return Reply("answer", turn.answer, turn, answer, picture, turn.notes, words(request))

    def _run(self, request: Request, image: int, query: str, folder: Path | None) -> Answer:
        return run(
            make_plan(request, query), self.scene(image), models=self.models, request=request, out=folder,
            watch=self.watch, progress=self.progress, max_seconds=self.max_seconds,
            answer=self.answer, on_ambiguous="all" if self.answer is None else "ask",
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
        whole = self.explanation(turn.number)
        focused = [whole.of(name) for name in meaning.ids] or [whole]
        return Reply("why", "\n".join(str(each).rstrip() for each in focused), turn)

    def _like(self, meaning: Like) -> Likeness:
        """The request for what is like a region, as it was found: an outline would make its colour another."""
        turn = self.turn(meaning.turn)
        target = Selection(phrases=(turn.labels[meaning.id],))
        found = self._run(Request(outputs=(Output(verb="detect", target=target),)), turn.image, turn.text, None)
        region = next((c.region for c in (*found.regions, *found.rejected) if c.region.id == meaning.id), None)
        if region is None:
            raise UsageError(
                f"{meaning.id!r} is no {turn.labels[meaning.id]} that was found, so nothing can be like it"
            )
        return likeness(self.scene(turn.image), region)

    def _begun(self, store: Sessions) -> Session:
        """The session on disk; made by its first turn, so that none is left empty."""
        return self._session if self._session.version else store.create(self._session)

    def _set_images(self, images: tuple[ImageRecord, ...], current: int) -> None:
        if self._kept_in is not None and self._session.version:
            self._session = self._moving(lambda store: store.set_images(self._session, images, current))
        else:
            self._session = replace(self._session, images=images, current=current)

    def _check_unmoved(self) -> None:
        """Raises SessionMoved, with the new turns in place, when another process changed the session."""
        if self._kept_in is None:
            return
        version = self._kept_in.version(self._session.name)
        if version != (self._session.version or None):
            self._reload()
            raise SessionMoved(f"another process talked in the session {self._session.name!r} meanwhile")

    def _moving(self, change: Callable[[Sessions], Session]) -> Session:
        assert self._kept_in is not None
        try:
            return change(self._kept_in)
        except SessionMoved:
            self._reload()
            raise

    def _reload(self) -> None:
        assert self._kept_in is not None
        before = self._session
        if self._kept_in.version(before.name) is None:
            self._session = Session(before.name, current=before.current, images=before.images)
            self._answers.clear()
            raise UsageError(f"the session {before.name!r} was deleted by another process; it begins anew")
        self._session = self._kept_in.load(before.name)
        if self._session.images != before.images:
            self._scenes.clear()
        known = {turn.number: turn.created for turn in before.turns}
        changed = [turn.number for turn in self._session.turns if known.get(turn.number) != turn.created]
        for number in changed:
            self._answers.pop(number, None)
