"""What a conversation holds: its images, its turns, and where both are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..core.errors import UsageError
from ..core.scene import Scene
from .answer import Answer
from .chat_turns import Reply
from .followup_mentions import Known, Setting
from .run import ImageLike, open_scene
from .sessions import ImageRecord, Session, SessionMoved, Sessions, Turn, checked_name


class Memory:
    """Images and turns, on disk where the conversation has a name; nothing here runs a request.

    Args:
        session: name under which it is kept; None keeps nothing.
        sessions: where conversations are kept.
    """

    def __init__(self, session: str | None, sessions: Sessions | None) -> None:
        self._kept_in = (sessions or Sessions()) if session is not None else None
        self._scenes: dict[int, Scene] = {}
        self._answers: dict[int, Answer] = {}
        self._session = Session(checked_name(session) if session is not None else "", current=0)
        if self._kept_in is not None and self._kept_in.version(self._session.name) is not None:
            self._session = self._kept_in.load(self._session.name)

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

    def undo(self) -> Reply:
        """Forgets the last answer. Raises UsageError when there is none."""
        self._check_unmoved()
        if not self.turns:
            raise UsageError("there is nothing to undo")
        last = self.turns[-1]
        same = [turn.number for turn in self.turns if turn.number == last.number or (turn.line or -1) == last.line]
        if self._kept_in is not None:
            self._session = self._moving(lambda store: store.mark_undone(self._session, *same))
        else:
            turns = tuple(replace(t, undone=True) if t.number in same else t for t in self._session.turns)
            self._session = replace(self._session, turns=turns)
        now_last = f"the last answer is now that to {self.turns[-1].text!r}" if self.turns else "nothing is left"
        return Reply("undone", f"undone: {last.text!r}; {now_last}", last)

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
            Known(
                turn.number, turn.image, turn.request, turn.kept, turn.others, turn.labels, turn.edits, turn.about,
                turn.about_ids,
            )
            for turn in self.turns
        )  # fmt: skip
        return Setting(tuple(image.name for image in self.images), self.current, turns)

    def _chosen(self, image: int) -> dict[str, str]:
        """What was said to be meant by words that fit several things in that image."""
        return {what: name for turn in self.turns if turn.image == image for what, name in turn.chosen.items()}

    def _keep(self, turn: Turn) -> None:
        if self._kept_in is None:
            self._session = replace(self._session, turns=(*self._session.turns, turn), current=turn.image)
        else:
            self._session = self._moving(lambda store: store.append(self._begun(store), turn))

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
