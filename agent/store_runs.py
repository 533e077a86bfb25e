"""The list of runs: what each was asked, how far it came, and all that is needed to take it up again.

A table `surveyor_runs` beside LangGraph's checkpoints: in a SQLite file, or in PostgreSQL by URL. What a run found is
not here but in the store (`agent.store`), under the digests that its checkpoint names.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

from ..core.errors import MissingDependency, UsageError

RUNS_VERSION = 1
KEPT = 500
"""How many runs that ended are kept; of more, the oldest go when a run is added."""

Status = Literal["running", "done", "failed", "stopped", "waiting"]


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Args:
        run_id: its name.
        status: `running`, `done`, `failed`, `stopped` (by Ctrl-C or a budget) or `waiting` for an answer.
        query: what was asked; "" for a plan without a query.
        image: path of the image; "" for pixels in memory.
        made, changed: seconds since 1970.
        call: what `resume` needs, as JSON types.
        answers: by step.
        question: the one that waits, as JSON types; None when there is none.
        said: the answer, or what went wrong.
    """

    run_id: str
    status: Status
    query: str
    image: str
    made: float
    changed: float
    call: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    question: dict[str, Any] | None = None
    said: str = ""


class Runs:
    """The runs of a database. Each call opens and closes a connection of its own: any number of processes may work.

    Args:
        place: path of a SQLite file, or a PostgreSQL URL.

    Example:
        >>> runs = Runs("runs.sqlite")
        >>> runs.add(RunRecord("a", "running", "planes", "photo.jpg", 0.0, 0.0))
        >>> runs.change("a", status="done", said="Found 3 planes.").said
        'Found 3 planes.'
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        self.is_postgres = is_postgres(self.place)
        self._ready = False

    def add(self, record: RunRecord) -> None:
        """Notes a new run. Raises UsageError when the name is taken or cannot be one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", record.run_id):
            raise UsageError(f"the run's name {record.run_id!r} must be letters, digits, '.', '_' and '-', at most 100")
        if self.knows(record.run_id):
            raise UsageError(
                f"there is a run {record.run_id!r} already; go on with it (surveyor resume {record.run_id}), "
                "or choose another name"
            )
        with self._cursor() as cursor:
            sql = self._sql("INSERT INTO surveyor_runs (run_id, status, made, changed, record) VALUES (?, ?, ?, ?, ?)")
            cursor.execute(sql, (record.run_id, record.status, record.made, record.changed, _to_json(record)))

    def change(self, run_id: str, **changes: Any) -> RunRecord:
        """The run with some fields changed; notes the time."""
        record = replace(self.get(run_id), changed=time.time(), **changes)
        with self._cursor() as cursor:
            sql = self._sql("UPDATE surveyor_runs SET status = ?, changed = ?, record = ? WHERE run_id = ?")
            cursor.execute(sql, (record.status, record.changed, _to_json(record), run_id))
        return record

    def get(self, run_id: str) -> RunRecord:
        """The run of that name. Raises UsageError when there is none."""
        with self._cursor() as cursor:
            cursor.execute(self._sql("SELECT record FROM surveyor_runs WHERE run_id = ?"), (run_id,))
            row = cursor.fetchone()
        if row is None:
            last = ", ".join(record.run_id for record in self.all(limit=3))
            known = f"the last ones are: {last}" if last else "none was kept yet"
            raise UsageError(f"there is no run {run_id!r} in {self.shown_place}; {known} (see: surveyor runs)")
        return _from_json(row[0])

    def all(self, limit: int | None = None) -> list[RunRecord]:
        """The runs, newest first."""
        with self._cursor() as cursor:
            more = "" if limit is None else f" LIMIT {int(limit)}"
            cursor.execute(f"SELECT record FROM surveyor_runs ORDER BY made DESC, run_id DESC{more}")
            return [_from_json(row[0]) for row in cursor.fetchall()]

    def remove(self, run_id: str) -> None:
        """Forgets a run (its checkpoints are LangGraph's, see `graph_call.forget`). Raises UsageError for none."""
        self.get(run_id)
        with self._cursor() as cursor:
            cursor.execute(self._sql("DELETE FROM surveyor_runs WHERE run_id = ?"), (run_id,))
        (self._locks() / run_id).unlink(missing_ok=True)

    def too_old(self, keep: int = KEPT) -> list[str]:
        """Names of the runs that are done, beyond the newest `keep` of them."""
        with self._cursor() as cursor:
            ended = "status IN ('done', 'failed')"
            cursor.execute(f"SELECT run_id FROM surveyor_runs WHERE {ended} ORDER BY made DESC, run_id DESC")
            return [row[0] for row in cursor.fetchall()[keep:]]

    def knows(self, run_id: str) -> bool:
        """Whether there is a run of that name."""
        with self._cursor() as cursor:
            cursor.execute(self._sql("SELECT 1 FROM surveyor_runs WHERE run_id = ?"), (run_id,))
            return cursor.fetchone() is not None

    def check(self) -> None:
        """Raises UsageError or MissingDependency when runs cannot be kept here."""
        with self._cursor():
            pass

    @property
    def shown_place(self) -> str:
        """The place without a password."""
        return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", self.place)

    # ---- at work

    @contextmanager
    def at_work(self, run_id: str) -> Iterator[None]:
        """Keeps others on this machine from the run while the block lasts; a process that dies lets go of it.

        Raises:
            UsageError: another process is at it.
        """
        file = self._locked(run_id)
        if file is None:
            raise UsageError(f"the run {run_id!r} is still at work in another process; wait for it, or stop it first")
        try:
            yield
        finally:
            file.close()

    def is_at_work(self, run_id: str) -> bool:
        """Whether a process on this machine is at the run."""
        file = self._locked(run_id)
        if file is not None:
            file.close()
        return file is None

    def _locked(self, run_id: str) -> IO[bytes] | None:
        """The run's lock file, locked; None when another holds it."""
        folder = self._locks()
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / run_id).open("ab")
        try:
            import fcntl
        except ImportError:  # Windows: two processes on one run are the user's care
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return file

    def _locks(self) -> Path:
        return _state_folder() / "locks" if self.is_postgres else Path(f"{self.place}.locks")

    # ---- database

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with closing(self._connect()) as connection, connection, closing(connection.cursor()) as cursor:
            if not self._ready:
                _make_table(cursor)
                self._ready = True
            yield cursor

    def _connect(self) -> Any:
        return connect_postgres(self.place) if self.is_postgres else connect_sqlite(self.place)

    def _sql(self, text: str) -> str:
        return text.replace("?", "%s") if self.is_postgres else text


def _make_table(cursor: Any) -> None:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS surveyor_runs (run_id VARCHAR(100) PRIMARY KEY, status VARCHAR(20) NOT NULL, "
        "made DOUBLE PRECISION NOT NULL, changed DOUBLE PRECISION NOT NULL, record TEXT NOT NULL)"
    )


def connect_sqlite(path: str) -> Any:
    """A connection to a SQLite file that several processes write to. Raises UsageError when it cannot be opened."""
    import sqlite3

    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False, timeout=60.0)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # safe when a process dies; power loss may cost the last run
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"the file of runs {path!r} cannot be used: {error} (see SURVEYOR_RUNS)") from None
    return connection


def connect_postgres(url: str, **more: Any) -> Any:
    """A connection to PostgreSQL. Raises MissingDependency or, when it cannot be reached, UsageError."""
    try:
        import psycopg
    except ImportError:
        raise MissingDependency("PostgreSQL for runs", "pip install 'surveyor[postgres]'") from None
    try:
        return psycopg.connect(url, **more)
    except psycopg.OperationalError as error:
        shown = " ".join(str(error).split())
        raise UsageError(f"the database of runs cannot be reached: {shown} (see SURVEYOR_RUNS)") from None


def is_postgres(place: str) -> bool:
    """Whether a place is a PostgreSQL URL."""
    return place.startswith(("postgresql://", "postgres://"))


def runs_place() -> str:
    """Where runs are kept: $SURVEYOR_RUNS (a SQLite file or a PostgreSQL URL), else in the user's state folder."""
    given = os.environ.get("SURVEYOR_RUNS", "").strip()
    if not given:
        return str(_state_folder() / "runs.sqlite")
    return given if is_postgres(given) else str(Path(given).expanduser())


def new_run_id() -> str:
    """A name that sorts by time: "20260131-142530-9f3a1c"."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def _state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("surveyor", appauthor=False)


def _to_json(record: RunRecord) -> str:
    return json.dumps({"version": RUNS_VERSION, **vars(record)}, ensure_ascii=True, allow_nan=False)


def _from_json(text: str) -> RunRecord:
    data = json.loads(text)
    version = data.pop("version", None)
    if version != RUNS_VERSION:
        raise UsageError(f"the list of runs has schema version {version!r}; this program reads {RUNS_VERSION}")
    return RunRecord(**data)
