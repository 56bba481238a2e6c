"""The store in PostgreSQL passes the contract and lives through a server that goes and comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from codeio.language_model.store.postgres import PostgresStore
from codeio.runtime.errors import Stopped, UsageError
from tests.language_model.store.servers import Line, PostgreSQL
from tests.language_model.store.store_contract import StoreContract, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def database(postgresql: PostgreSQL) -> Iterator[str]:
    name = postgresql.make_database()
    yield name
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def address(postgresql: PostgreSQL, database: str) -> str:
    return postgresql.url(database)


class TestPostgresStore(StoreContract):
    pass


async def test_many_open_a_new_database_at_once(address: str) -> None:
    async def open_and_put(i: int) -> None:
        async with PostgresStore(address) as store:
            await store.put(key_of(i), str(i))

    await asyncio.gather(*(open_and_put(i) for i in range(20)))
    async with PostgresStore(address) as store:
        assert [await store.get(key_of(i)) for i in range(20)] == [str(i) for i in range(20)]


async def test_a_restart_of_the_server_is_survived(
    address: str, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    run_once = PostgresStore._run_once

    async def counted(self: PostgresStore, *arguments: Any) -> Any:
        nonlocal tries
        tries += 1
        return await run_once(self, *arguments)

    async with PostgresStore(address) as store:
        await asyncio.gather(*(store.put(key_of(i), str(i)) for i in range(50)))
        postgresql.stop()
        postgresql.start()
        monkeypatch.setattr(PostgresStore, "_run_once", counted)
        assert await store.get(key_of(1)) == "1"
        # The first lost connection that is met has all of them replaced.
        assert tries == 2
        await store.put(key_of(50), "50")
        kept = await asyncio.gather(*(store.get(key_of(i)) for i in range(51)))
        assert kept == [str(i) for i in range(51)]


async def test_what_is_asked_while_the_server_is_away_is_done_when_it_is_back(
    database: str, postgresql: PostgreSQL
) -> None:
    async with (
        Line(postgresql.port) as line,
        PostgresStore(postgresql.url(database, port=line.port)) as store,
    ):
        await store.put(key_of(1), "one")
        await line.cut()
        asked = asyncio.gather(store.put(key_of(2), "two"), store.get(key_of(1)))
        await line.refused(2)
        assert not asked.done()
        line.mend()
        assert await asked == [None, "one"]
        assert await store.get(key_of(2)) == "two"


async def test_a_server_that_stays_away_stops_it_and_no_password_is_told(
    database: str, postgresql: PostgreSQL
) -> None:
    async with Line(postgresql.port) as line:
        url = postgresql.url(database, port=line.port)
        async with PostgresStore(url, patience_seconds=0.5) as store:
            await store.put(key_of(1), "one")
            await line.cut()
            with pytest.raises(Stopped, match=r"cannot be written: .*127") as putting:
                await store.put(key_of(2), "two")
            with pytest.raises(Stopped, match=r"cannot be read: .*127") as getting:
                await store.get(key_of(1))
        with pytest.raises(Stopped, match=r"cannot be reached: .*127") as opening:
            await PostgresStore(url, patience_seconds=0.5).__aenter__()
    for caught in (putting, getting, opening):
        told = str(caught.value)
        assert postgresql.password not in told
        assert told.startswith(
            f"the store of responses postgresql://127.0.0.1:{line.port}/{database} cannot be "
        )
        assert "\n" not in told


@pytest.mark.parametrize(
    ("user", "password", "database", "word"),
    [
        ("codeio", "wrong-password", "postgres", "password authentication failed"),
        ("nobody-here", "wrong-password", "postgres", "password authentication failed"),
        ("codeio", "", "nowhere", 'database "nowhere" does not exist'),
    ],
)
async def test_what_the_server_refuses_is_told_at_once(
    postgresql: PostgreSQL, user: str, password: str, database: str, word: str
) -> None:
    url = f"postgresql://{user}:{password or postgresql.password}@127.0.0.1:{postgresql.port}"
    with pytest.raises(UsageError, match=word) as caught:
        await PostgresStore(f"{url}/{database}").__aenter__()
    told = str(caught.value)
    assert "wrong-password" not in told
    assert postgresql.password not in told
    assert "CODEIO_TEACHER__STORE" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:se/cret@127.0.0.1/db",
        "postgresql://me:pass@se/cret@127.0.0.1/db",
        "postgresql://me:pass@se@127.0.0.1/db",
        "postgresql://me:pass?se@127.0.0.1/db",
        "postgresql://me:pass%zzse@127.0.0.1/db",
        "postgresql://me:se@127.0.0.1/db?nonsense=1",
    ],
)
async def test_an_address_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(UsageError, match=r"write postgresql://USER") as caught:
        await PostgresStore(url).__aenter__()
    assert "me:" not in str(caught.value)
    assert "se" not in str(caught.value).split()
    assert "127" not in str(caught.value)


async def test_a_password_of_any_characters_does(postgresql: PostgreSQL, database: str) -> None:
    postgresql.execute(f"CREATE ROLE odd_{database} LOGIN SUPERUSER PASSWORD 'a:b/c@d?e%f'")
    url = f"postgres://odd_{database}:a%3Ab%2Fc%40d%3Fe%25f@127.0.0.1:{postgresql.port}/{database}"
    async with PostgresStore(url) as store:
        await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) == "one"


async def test_another_table_of_that_name_is_refused(
    address: str, database: str, postgresql: PostgreSQL
) -> None:
    postgresql.execute("CREATE TABLE codeio_responses (recipe text)", database=database)
    with pytest.raises(UsageError, match='column "key" does not exist'):
        await PostgresStore(address).__aenter__()


async def test_a_role_that_may_not_make_tables_uses_one_that_is_there(
    address: str, database: str, postgresql: PostgreSQL
) -> None:
    role = f"modest_{database}"
    postgresql.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'modest'")
    modest = f"postgresql://{role}:modest@127.0.0.1:{postgresql.port}/{database}"
    with pytest.raises(UsageError, match="permission denied for schema public"):
        await PostgresStore(modest).__aenter__()
    async with PostgresStore(address):
        postgresql.execute(f"GRANT SELECT ON codeio_responses TO {role}", database=database)
    async with PostgresStore(modest) as store:
        with pytest.raises(Stopped, match="cannot be written: permission denied"):
            await store.put(key_of(1), "one")
        postgresql.execute(f"GRANT INSERT ON codeio_responses TO {role}", database=database)
        await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) == "one"
    postgresql.execute(f"DROP OWNED BY {role}; DROP ROLE {role}", database=database)


async def test_a_damaged_response_is_told(
    address: str, database: str, postgresql: PostgreSQL
) -> None:
    async with PostgresStore(address) as store:
        await store.put(key_of(1), "one")
        postgresql.execute("UPDATE codeio_responses SET packed = '\\x00'", database=database)
        with pytest.raises(Stopped, match=f"{key_of(1)} in postgresql://.* is damaged"):
            await store.get(key_of(1))
