"""A process that puts: `python -m tests.language_model.store.putter ADDRESS OWN COUNT [die]`.

It says `ready`, waits for a line, opens the store, puts so many texts under
keys of its own and as many under keys that all such processes use, all at
once, and prints how many it put.

With `die` it puts under keys of its own for ever, prints each number when its
put has returned, and kills itself when as many have as the count says.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
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


async def put_until_dead(address: str, own: str, count: int) -> None:
    numbers = itertools.count()
    returned = itertools.count(1)

    async def one_by_one() -> None:
        for i in numbers:
            await store.put(key_of(f"{own} {i}"), f"{own} {i} " * 100)
            print(i, flush=True)  # noqa: T201
            if next(returned) == count:
                os.kill(os.getpid(), signal.SIGKILL)

    async with store_at(address) as store:
        await asyncio.gather(*(one_by_one() for _ in range(16)))


if __name__ == "__main__":
    address, own, count, *die = sys.argv[1:]
    asyncio.run((put_until_dead if die else put_at_once)(address, own, int(count)))
