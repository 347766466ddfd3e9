"""Which scores stand in PostgreSQL? It only reads: the commands write."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import psycopg

from .errors import RefusedError, TroubleError

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Stored:
    """Of one batch."""

    rows: int
    players: int


class ScoreStore(dg.ConfigurableResource):
    """Raises TroubleError while PostgreSQL is away."""

    database_url: str

    def stored(self, batch_id: str) -> Stored:
        with self._connection() as connection:
            rows, players = connection.execute(
                "SELECT count(*), count(DISTINCT (player_id, as_of))"
                " FROM batch_scores WHERE batch_id = %s",
                [batch_id],
            ).fetchone()
        return Stored(rows, players)

    def published_rows(self, slot: str, batch_id: str) -> int:
        """How many rows whoever reads this slot sees of that batch."""
        with self._connection() as connection:
            [rows] = connection.execute(
                "SELECT count(*) FROM published_scores WHERE slot = %s AND batch_id = %s",
                [slot, batch_id],
            ).fetchone()
        return rows

    def published_weeks(self) -> dict[str, str]:
        """The newest published week of every market that has one."""
        with self._connection() as connection:
            slots = connection.execute(
                "SELECT slot FROM published_batches WHERE slot LIKE 'weekly/%'"
            ).fetchall()
        newest: dict[str, str] = {}
        for [slot] in slots:
            _, market, week = slot.split("/")
            newest[market] = max(week, newest.get(market, ""))
        return newest

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self.database_url, connect_timeout=CONNECT_SECONDS) as connection:
                yield connection
        except psycopg.errors.UndefinedTable as error:
            raise RefusedError(
                "PostgreSQL has no tables of batches yet: npm run score makes them"
            ) from error
        except psycopg.OperationalError as error:
            raise TroubleError(f"PostgreSQL does not answer: {error}") from error
