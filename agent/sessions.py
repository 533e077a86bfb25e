"""Conversations on disk: a row a turn in SQLite (WAL), the files of each answer in a folder of its own.

A turn is one transaction, made after its files are whole; so it is there completely or not at all, whenever the process
dies. Every change raises the session's version and must name the version it builds on: of two processes that talk in
one session the slower is told (`SessionMoved`) and reads what is new.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ..core.conditions import Request, Selection
from ..core.errors import UsageError

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE sessions (name TEXT PRIMARY KEY, version INTEGER NOT NULL, current INTEGER NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL) STRICT;
CREATE TABLE images (session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, number INTEGER NOT NULL,
    name TEXT NOT NULL, path TEXT NOT NULL, gsd REAL, digest TEXT NOT NULL, PRIMARY KEY (session, number)) STRICT;
CREATE TABLE turns (session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, number INTEGER NOT NULL,
    text TEXT NOT NULL, image INTEGER NOT NULL, edits INTEGER, request TEXT NOT NULL, answer TEXT NOT NULL,
    found TEXT NOT NULL, folder TEXT NOT NULL, created TEXT NOT NULL, undone INTEGER NOT NULL,
    PRIMARY KEY (session, number)) STRICT;
"""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WAIT_S = 20.0


class SessionMoved(UsageError):
    """Another process added to the session meanwhile; nothing of the own line was kept. Reload and say it again."""


@dataclass(frozen=True)
class ImageRecord:
    """An image of a session: where it lies, and the digest by which a changed file is told."""

    name: str
    path: str
    gsd_m: float | None
    digest: str


@dataclass(frozen=True)
class Turn:
    """A question with its answer.

    Args:
        number: from 1; those undone keep theirs.
        text: what was said.
        image: number of the image it looked at.
        request: what it was understood to be.
        edits: number of the turn it builds on.
        answer: the answer's sentence.
        kept, others: ids in the answer, and those looked at besides, in the order shown.
        about, about_ids: the set that is talked about since, where it is not what the request asks for (a yes/no
            question leaves the one that it was asked of), and its ids as far as they are known.
        chosen: what was meant by words that fit several things: "the river" -> "river-2".
        before: number of the image that shows the earlier date; None where one image was looked at.
        line: number of the first turn that its line made; one said of several images makes one for each.
        labels: id -> class of all regions seen, those referred to included.
        notes: what a careful reader should know.
        folder: where its files lie; None when the conversation is not kept.
        created: UTC, ISO 8601.
    """

    number: int
    text: str
    image: int
    request: Request
    edits: int | None
    answer: str
    kept: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    created: str = ""
    undone: bool = False
    about: Selection | None = None
    about_ids: tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Session:
    """What is kept of a conversation. `version` counts its changes."""

    name: str
    version: int = 0
    current: int = 1
    images: tuple[ImageRecord, ...] = ()
    turns: tuple[Turn, ...] = ()
    created: str = ""
    updated: str = ""


def data_home() -> Path:
    """Where conversations are kept: $SURVEYOR_HOME, else the user's data folder."""
    given = os.environ.get("SURVEYOR_HOME", "").strip()
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("surveyor", appauthor=False)


def checked_name(name: str) -> str:
    """The name of a session, if it can be one. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a session: letters, digits, '.', '_' and '-', at most 64, beginning with a letter "
            "or digit"
        )
    return name


class Sessions:
    """The conversations under one folder. Safe to use from several threads and processes.

    Args:
        home: the folder, `data_home()` when left out; made when something is first written.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self.home = data_home() if home is None else Path(home)

    # ---- reading

    def names(self) -> tuple[str, ...]:
        """All sessions, latest first."""
        if not self._file.exists():
            return ()
        with self._connection() as db:
            return tuple(row[0] for row in db.execute("SELECT name FROM sessions ORDER BY updated DESC, name"))

    def load(self, name: str) -> Session:
        """A session with all its turns. Raises UsageError when there is none of that name."""
        if self._file.exists():
            with self._connection() as db, _reading(db):
                row = db.execute("SELECT version, current, created, updated FROM sessions WHERE name = ?", (name,))
                if found := row.fetchone():
                    images = db.execute(
                        "SELECT name, path, gsd, digest FROM images WHERE session = ? ORDER BY number", (name,)
                    )
                    turns = db.execute(f"SELECT {_COLUMNS} FROM turns WHERE session = ? ORDER BY number", (name,))
                    return Session(
                        name, found[0], found[1], tuple(ImageRecord(*image) for image in images),
                        tuple(self._turn(name, turn) for turn in turns), found[2], found[3],
                    )  # fmt: skip
        known = ", ".join(self.names()[:8]) or "none yet"
        raise UsageError(f"there is no session {name!r}; there are: {known}")

    def version(self, name: str) -> int | None:
        """How often a session was changed; None when it is not there."""
        if not self._file.exists():
            return None
        with self._connection() as db:
            row = db.execute("SELECT version FROM sessions WHERE name = ?", (name,)).fetchone()
            return None if row is None else int(row[0])

    # ---- writing

    def create(self, session: Session) -> Session:
        """Keeps a session that has no turns yet.

        Raises:
            SessionMoved: there is one of that name.
        """
        checked_name(session.name)
        with self._connection() as db, _writing(db):
            now = _now()
            try:
                db.execute("INSERT INTO sessions VALUES (?, 1, ?, ?, ?)", (session.name, session.current, now, now))
            except sqlite3.IntegrityError:
                raise SessionMoved(f"another process began a session {session.name!r} meanwhile") from None
            self._put_images(db, session)
        return replace(session, version=1, created=now, updated=now)

    def free_name(self, stem: str) -> str:
        """A name that no session has: the stem with a number."""
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-_")[:40] or "session"
        taken = set(self.names())
        number = 1
        while f"{stem}-{number}" in taken:
            number += 1
        return f"{stem}-{number}"

    def new_folder(self, name: str, number: int) -> Path:
        """A folder for the files of a turn that is about to be made; nobody else has it."""
        folder = self.home / "sessions" / checked_name(name) / f"{number:04d}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise UsageError(f"{str(folder)!r} cannot be made ({error.strerror}); set SURVEYOR_HOME") from None
        return folder

    def append(self, session: Session, turn: Turn) -> Session:
        """The session with one more turn, on disk when this returns. Raises SessionMoved."""
        updated = replace(session, turns=(*session.turns, turn), current=turn.image)
        with self._changing(session, updated) as db:
            folder = "" if turn.folder is None else turn.folder.name
            what = (turn.number, turn.text, turn.image, turn.edits, turn.request.model_dump_json(), turn.answer)
            row = (session.name, *what, json.dumps(_found(turn)), folder, turn.created, int(turn.undone))
            db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return replace(updated, version=session.version + 1)

    def mark_undone(self, session: Session, *numbers: int) -> Session:
        """The session with these turns undone. Raises SessionMoved."""
        turns = tuple(replace(turn, undone=True) if turn.number in numbers else turn for turn in session.turns)
        with self._changing(session, session) as db:
            rows = [(session.name, number) for number in numbers]
            db.executemany("UPDATE turns SET undone = 1 WHERE session = ? AND number = ?", rows)
        return replace(session, turns=turns, version=session.version + 1)

    def set_images(self, session: Session, images: tuple[ImageRecord, ...], current: int) -> Session:
        """The session with more images, or another in use. Raises SessionMoved."""
        updated = replace(session, images=images, current=current)
        with self._changing(session, updated) as db:
            self._put_images(db, updated)
        return replace(updated, version=session.version + 1)

    def delete(self, name: str) -> None:
        """Forgets a session and removes its files. Raises UsageError when there is none of that name."""
        self.load(name)
        with self._connection() as db, _writing(db):
            db.execute("DELETE FROM sessions WHERE name = ?", (name,))
        shutil.rmtree(self.home / "sessions" / checked_name(name), ignore_errors=True)

    # ---- inside

    @property
    def _file(self) -> Path:
        return self.home / "sessions.sqlite"

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_WAIT_S, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                _prepare(db, self._file)
                yield db
        except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise UsageError(
                f"the sessions in {str(self._file)!r} cannot be used: {error}; set SURVEYOR_HOME to another folder"
            ) from None

    @contextmanager
    def _changing(self, before: Session, after: Session) -> Iterator[sqlite3.Connection]:
        """A transaction that fails with SessionMoved unless the session is still at the version it builds on."""
        with self._connection() as db, _writing(db):
            changed = db.execute(
                "UPDATE sessions SET version = version + 1, current = ?, updated = ? WHERE name = ? AND version = ?",
                (after.current, _now(), before.name, before.version),
            )
            if changed.rowcount != 1:
                raise SessionMoved(f"another process talked in the session {before.name!r} meanwhile")
            yield db

    @staticmethod
    def _put_images(db: sqlite3.Connection, session: Session) -> None:
        rows = [
            (session.name, number, image.name, image.path, image.gsd_m, image.digest)
            for number, image in enumerate(session.images, start=1)
        ]
        db.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _turn(self, name: str, row: tuple[object, ...]) -> Turn:
        number, text, image, edits, request, answer, found, folder, created, undone = row
        data = json.loads(str(found))
        place = self.home / "sessions" / name / str(folder) if folder else None
        return Turn(
            number=int(str(number)), text=str(text), image=int(str(image)),
            request=Request.model_validate_json(str(request)), edits=None if edits is None else int(str(edits)),
            answer=str(answer), kept=tuple(data["kept"]), others=tuple(data["others"]), labels=data["labels"],
            notes=tuple(data["notes"]), folder=place, created=str(created), undone=bool(undone),
            about=None if data.get("about") is None else Selection.model_validate(data["about"]),
            about_ids=tuple(data.get("about_ids", ())), chosen=data.get("chosen", {}), line=data.get("line"),
            before=data.get("before"),
        )  # fmt: skip


def _found(turn: Turn) -> dict[str, object]:
    """What a turn found, and what is talked about since, as JSON types."""
    about = None if turn.about is None else turn.about.model_dump(mode="json")
    return {
        "kept": turn.kept, "others": turn.others, "labels": dict(turn.labels), "notes": turn.notes,
        "about": about, "about_ids": turn.about_ids, "chosen": dict(turn.chosen), "line": turn.line,
        "before": turn.before,
    }  # fmt: skip


_COLUMNS = "number, text, image, edits, request, answer, found, folder, created, undone"


def _prepare(db: sqlite3.Connection, file: Path) -> None:
    """Makes the tables in a new file. Raises UsageError for a file of a later program."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == _SCHEMA_VERSION:
        return
    if version > _SCHEMA_VERSION:
        raise UsageError(f"{str(file)!r} was written by a later version of surveyor; update, or set SURVEYOR_HOME")
    with _writing(db):
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def _reading(db: sqlite3.Connection) -> Iterator[None]:
    """Several reads of one state."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


now = _now
