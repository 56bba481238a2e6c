"""The store in a table of a PostgreSQL database, which the pods of a cluster share."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, LiteralString, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from codeio.language_model.store.packing import check_key, pack, unpack
from codeio.language_model.store.remote import (
    PATIENCE_SECONDS,
    patiently,
    stopped,
    words_of,
)
from codeio.runtime.errors import Stopped, UsageError
from codeio.runtime.settings import public_url

if TYPE_CHECKING:
    from types import TracebackType

_CONNECTIONS = 16
_CREATING = 0x636F6465696F  # "codeio", the advisory lock of those who may make the table

# A refused connection has no SQLSTATE. Servers that say this do not think better of it.
_REFUSED = re.compile(r"password|authentication|pg_hba\.conf|does not exist")


class PostgresStore:
    """A `ResponseStore` in the table `codeio_responses`, which it makes where it is missing.

    A connection that is lost is made anew, and what was asked for is asked again.

    Raises, when opened:
        UsageError: the address is none, or the server refuses what it names.
        Stopped: no server answers.
    """

    def __init__(self, url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._url = url
        self._name = public_url(url)
        self._patience = patience_seconds
        self._closed = True

    async def __aenter__(self) -> Self:
        self._conninfo = self._parsed()
        try:
            await patiently(self._patience, may_pass=_may_pass)(self._prepare)
        except psycopg.Error as error:
            if _may_pass(error):
                raise stopped("reached", error, url=self._url) from error
            raise UsageError(
                f"cannot use {self._name} as a store of responses: "
                f"{words_of(error, url=self._url)}; check CODEIO_TEACHER__STORE and the server"
            ) from error
        self._pool = AsyncConnectionPool(
            self._conninfo,
            # A prepared statement would not survive a pooler between here and the server.
            kwargs={"autocommit": True, "prepare_threshold": None},
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=self._patience,
            open=False,
            name="responses",
        )
        await self._pool.open()
        self._closed = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._closed = True
        await self._pool.close()

    async def get(self, key: str, /) -> str | None:
        check_key(key)
        rows = await self._run("read", "SELECT packed FROM codeio_responses WHERE key = %s", (key,))
        return unpack(rows[0][0], key=key, where=self._name) if rows else None

    async def put(self, key: str, text: str, /) -> None:
        check_key(key)
        await self._run(
            "written",
            "INSERT INTO codeio_responses (key, packed) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (key, pack(text)),
        )

    async def _run(
        self, what: str, statement: LiteralString, values: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        """Run a statement that may be run twice, and return its rows."""
        if self._closed:
            raise Stopped(f"the store of responses {self._name} is closed")
        try:
            return await patiently(self._patience, may_pass=_may_pass)(
                self._run_once, statement, values
            )
        except PoolTimeout as error:
            raise stopped(what, await self._reason_of(error), url=self._url) from error
        except psycopg.Error as error:
            raise stopped(what, error, url=self._url) from error

    async def _run_once(
        self, statement: LiteralString, values: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement, values)
                return await cursor.fetchall() if cursor.description else []
        except PoolTimeout:
            raise
        except psycopg.OperationalError:
            # Where one connection is lost, the others in the pool may be too.
            await self._pool.check()
            raise

    def _parsed(self) -> str:
        """Return the address with time limits, where it has none of its own.

        Raises:
            UsageError: it is none. What libpq says then may quote the password.
        """
        limits: dict[str, str | int | None] = {
            "application_name": "codeio",
            "connect_timeout": max(2, round(self._patience)),
            "tcp_user_timeout": round(self._patience * 1000),
        }
        # Else a part of a password would be taken for the name of a host or a database.
        rest = self._url.partition("://")[2]
        if rest.count("@") == re.split("[/?]", rest, maxsplit=1)[0].count("@") <= 1:
            with suppress(psycopg.Error):
                given: dict[str, str | int | None] = conninfo_to_dict(self._url)
                return make_conninfo("", **limits | given)
        raise UsageError(
            "the PostgreSQL address in CODEIO_TEACHER__STORE cannot be read; write "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, a password's :, /, @, ? and % as "
            "%3A, %2F, %40, %3F and %25"
        )

    async def _prepare(self) -> None:
        """Make the table, unless it is there."""
        async with await psycopg.AsyncConnection.connect(self._conninfo) as connection:
            found = await connection.execute("SELECT to_regclass('codeio_responses')")
            if await found.fetchone() == (None,):
                # Of several processes at once all but one would fail without it.
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATING,))
                await connection.execute(
                    "CREATE TABLE IF NOT EXISTS codeio_responses "
                    "(key text PRIMARY KEY, packed bytea NOT NULL)"
                )
            # Fails on a table of another make.
            await connection.execute("SELECT key, packed FROM codeio_responses LIMIT 0")

    async def _reason_of(self, late: PoolTimeout) -> psycopg.Error:
        """Return why there is no connection, which the pool keeps to itself."""
        try:
            async with await psycopg.AsyncConnection.connect(self._conninfo):
                return late
        except psycopg.Error as error:
            return error


def _may_pass(error: BaseException) -> bool:
    return (
        isinstance(error, psycopg.OperationalError)
        and not isinstance(error, PoolClosed)
        and not _REFUSED.search(str(error))
    )
