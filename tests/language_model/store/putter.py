"""A process that puts: `python -m tests.language_model.store.putter ADDRESS OWN [COUNT]`.

With a count it says `ready`, waits for a line, opens the store, puts so many
texts under keys of its own and as many under keys that all such processes
use, all at once, and prints how many it put. Without one it puts for ever and
prints each number when its put has returned.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from tests.language_model.store.store_contract import key_of, store_at


async def put_at_once(address: str, own: str, count: int) -> None:
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    async with store_at(address) as store:
        texts = [(key_of(f"{own} {i}"), f"{own} {i}") for i in range(count)]
        texts += [(key_of(f"both {i}"), f"{own} put {i}") for i in range(count)]
        await asyncio.gather(*(store.put(key, text) for key, text in texts))
    print(len(texts))  # noqa: T201


async def put_for_ever(address: str, own: str) -> None:
    numbers = itertools.count()

    async def one_by_one() -> None:
        for i in numbers:
            await store.put(key_of(f"{own} {i}"), f"{own} {i} " * 100)
            print(i, flush=True)  # noqa: T201

    async with store_at(address) as store:
        await asyncio.gather(*(one_by_one() for _ in range(16)))


if __name__ == "__main__":
    address, own, *counts = sys.argv[1:]
    asyncio.run(put_at_once(address, own, int(counts[0])) if counts else put_for_ever(address, own))
