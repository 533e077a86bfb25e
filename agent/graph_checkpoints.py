"""LangGraph's checkpoints of a run: in SQLite, or in PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..core.errors import MissingDependency
from .store_runs import connect_postgres, connect_sqlite, is_postgres


@contextmanager
def checkpoints(place: str) -> Iterator[Any]:
    """LangGraph's checkpointer for a place of runs, while the block lasts.

    Args:
        place: path of a SQLite file, or a PostgreSQL URL.

    Raises:
        MissingDependency: PostgreSQL without the extra "postgres".
        UsageError: the database cannot be opened.
    """
    if is_postgres(place):
        with closing(_postgres(place)) as connection:
            yield _postgres_saver(connection)
        return
    from langgraph.checkpoint.sqlite import SqliteSaver

    with closing(connect_sqlite(place)) as connection:
        yield SqliteSaver(connection)


def _postgres(url: str) -> Any:
    connection = connect_postgres(url, autocommit=True, prepare_threshold=0)
    from psycopg.rows import dict_row

    connection.row_factory = dict_row
    return connection


def _postgres_saver(connection: Any) -> Any:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
    except ImportError:
        raise MissingDependency("PostgreSQL for runs", "pip install 'surveyor[postgres]'") from None
    saver = PostgresSaver(connection)
    connection.execute("SELECT pg_advisory_lock(7368)")  # two first runs at once would both make the tables
    try:
        saver.setup()
    finally:
        connection.execute("SELECT pg_advisory_unlock(7368)")
    return saver
