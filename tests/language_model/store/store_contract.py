"""What every store of responses must do: the same suite runs on each, with real servers.

A subclass gives an `address` fixture: what `open_store` takes. It names a
store that is empty before each test.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from codeio.language_model.store.opening import open_store
from codeio.runtime.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.language_model.store import ResponseStore


def key_of(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def store_at(address: str) -> ResponseStore:
    return open_store(address)


def putter(address: str, own: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that puts; see `putter.py`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.language_model.store.putter", address, own, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class StoreContract:
    """The suite."""

    @pytest.fixture
    async def store(self, address: str) -> AsyncIterator[ResponseStore]:
        async with store_at(address) as store:
            yield store

    async def test_what_was_never_put_is_none(self, store: ResponseStore) -> None:
        assert await store.get(key_of("unknown")) is None

    async def test_what_was_put_comes_back(self, store: ResponseStore) -> None:
        await store.put(key_of(1), '{"content": "one"}')
        assert await store.get(key_of(1)) == '{"content": "one"}'
        assert await store.get(key_of(2)) is None

    async def test_a_store_is_opened_anew_with_what_it_held(self, address: str) -> None:
        async with store_at(address) as store:
            await store.put(key_of(1), "one")
        async with store_at(address) as store:
            assert await store.get(key_of(1)) == "one"

    async def test_two_stores_of_one_process_see_each_other_at_once(self, address: str) -> None:
        async with store_at(address) as one, store_at(address) as other:
            assert await other.get(key_of(1)) is None
            await one.put(key_of(1), "one")
            assert await other.get(key_of(1)) == "one"
            await other.put(key_of(1), "two")
            assert await one.get(key_of(1)) == "one"
        # And one of them may go before the other.
        async with store_at(address) as one, AsyncExitStack() as stack:
            await one.put(key_of(2), "two")
            other = await stack.enter_async_context(store_at(address))
            assert await other.get(key_of(2)) == "two"
            await stack.aclose()
            await one.put(key_of(3), "three")
            assert await one.get(key_of(3)) == "three"

    async def test_the_first_text_under_a_key_stays(self, store: ResponseStore) -> None:
        await store.put(key_of(1), "first")
        await store.put(key_of(1), "second")
        assert await store.get(key_of(1)) == "first"

    async def test_of_many_at_once_under_one_key_one_stays(self, store: ResponseStore) -> None:
        await asyncio.gather(*(store.put(key_of(1), f"text {i}") for i in range(20)))
        kept = await store.get(key_of(1))
        assert kept in {f"text {i}" for i in range(20)}
        await store.put(key_of(1), "late")
        assert await store.get(key_of(1)) == kept

    async def test_two_hundred_puts_at_once(self, store: ResponseStore) -> None:
        texts = {key_of(i): f"text {i} " * i for i in range(200)}
        await asyncio.gather(*(store.put(key, text) for key, text in texts.items()))
        kept = await asyncio.gather(*(store.get(key) for key in texts))
        assert kept == list(texts.values())

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\0",
            "Grüße, 你好, 🎉\r\n\t\x7f\ufeff\u2028",
            "half a pair \ud83d, the other \ude00, both \ud83d\ude00",
            "x" * (1 << 20),
            "".join(chr(32 + i * 7919 % 50_000) for i in range(1 << 18)),
        ],
        ids=["empty", "nul", "unicode", "surrogates", "megabyte", "varied"],
    )
    async def test_any_text_comes_back_as_it_was(self, store: ResponseStore, text: str) -> None:
        await store.put(key_of(1), text)
        assert await store.get(key_of(1)) == text

    @pytest.mark.parametrize("key", ["", "../" * 20, "A" * 64, "0" * 63, "0" * 64 + "\n"])
    async def test_what_is_no_key_is_refused_and_harms_nobody(
        self, store: ResponseStore, key: str
    ) -> None:
        with pytest.raises(ValueError, match="cannot be the key"):
            await store.put(key, "text")
        with pytest.raises(ValueError, match="cannot be the key"):
            await store.get(key)
        await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) == "one"

    async def test_who_stops_waiting_harms_nobody(self, store: ResponseStore) -> None:
        puts = [asyncio.create_task(store.put(key_of(i), f"text {i}")) for i in range(50)]
        gets = [asyncio.create_task(store.get(key_of(i))) for i in range(50)]
        # Some have not begun, some are on their way, at whatever they are just doing.
        for number, task in enumerate([*puts[::2], *gets[::2]]):
            if number % 3:
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*puts[::2], *gets[::2], return_exceptions=True)
        await asyncio.gather(*puts[1::2], *gets[1::2])
        for i in range(1, 50, 2):
            assert await store.get(key_of(i)) == f"text {i}"
        for i in range(0, 50, 2):
            assert await store.get(key_of(i)) in {None, f"text {i}"}
            await store.put(key_of(i), f"text {i}")
            assert await store.get(key_of(i)) == f"text {i}"

    async def test_two_processes_put_the_same_and_others_at_once(self, address: str) -> None:
        """Both open the store, a new one, at the same time too."""
        both = [putter(address, own, "100") for own in ("a", "b")]
        for process in both:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate()[0] for process in both] == ["200\n", "200\n"]
        assert [process.returncode for process in both] == [0, 0]
        async with store_at(address) as store:
            for i in range(100):
                for own in ("a", "b"):
                    assert await store.get(key_of(f"{own} {i}")) == f"{own} {i}"
                kept = await store.get(key_of(f"both {i}"))
                assert kept in {f"a put {i}", f"b put {i}"}

    async def test_a_closed_store_takes_nothing_more(self, address: str) -> None:
        async with store_at(address) as store:
            await store.put(key_of(1), "one")
        with pytest.raises(Stopped, match="closed"):
            await store.put(key_of(2), "two")
        with pytest.raises(Stopped, match="closed"):
            await store.get(key_of(1))
