"""How full the scheduler keeps an endpoint of fixed latency and limited concurrency.

Beside it, in the same run: the same client, called by `asyncio.gather` with a
semaphore that is told the limit beforehand; the scheduler has to find it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.language_model.chat import Message, Question
from codeio.language_model.endpoint import Endpoint
from codeio.language_model.model import StoredModel
from codeio.language_model.scheduler import Scheduler
from codeio.language_model.store.sqlite import SqliteStore
from codeio.language_model.tally import Tally
from codeio.runtime.settings import EndpointSettings, TeacherSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SERVER = Path(__file__).parents[1] / "tests/language_model/scripted.py"
SECONDS = {1: 0.25, 32: 1.0, 256: 2.0}
"""Latency by concurrency: what a client of one core can keep up with, and the server beside it."""


@contextmanager
def server(*, seconds: float, most: int) -> Iterator[str]:
    command = [sys.executable, SERVER, "--seconds", str(seconds), "--most", str(most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def question(number: int) -> Question:
    text = f"What does the program number {number} return?\n" + "x = x + 1\n" * 100
    return Question((Message("user", text),))


async def measure(ask: Callable[[Question], Awaitable[object]], count: int) -> tuple[float, float]:
    """Ask so many questions at once; return calls per second, and CPU seconds of this process."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(ask(question(number)) for number in range(count)))
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / seconds, cpu


async def plain(url: str, most: int, count: int) -> tuple[float, float]:
    settings = TeacherSettings(base_url=url, model="scripted")
    semaphore = asyncio.Semaphore(most)
    async with Endpoint(EndpointSettings(base_url=url), settings=settings) as endpoint:

        async def ask(asked: Question) -> object:
            async with semaphore:
                return await endpoint.complete(asked)

        return await measure(ask, count)


async def scheduled(url: str, count: int, store: Path) -> tuple[float, float]:
    settings = TeacherSettings(base_url=url, model="scripted")
    tally = Tally()
    async with (
        SqliteStore(store) as opened,
        Endpoint(EndpointSettings(base_url=url), settings=settings) as endpoint,
    ):
        scheduler = Scheduler([endpoint], settings=settings, tally=tally)
        model = StoredModel(opened, scheduler, settings=settings, tally=tally)
        found = await measure(model.ask, count)
        await scheduler.finish(1.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--filled", type=int, default=40, help="Times that the endpoint is filled.")
    chosen = parser.parse_args()
    print("             ------- calls/s -------   ---- share of ideal ----   CPU s per 1,000 calls")
    print(" at a time   ideal   plain      ours   plain       ours           plain      ours")
    for most, seconds in SECONDS.items():
        ideal, count = most / seconds, max(most, 4) * chosen.filled
        rows = []
        for _ in range(chosen.rounds):
            with server(seconds=seconds, most=most) as url:
                theirs = asyncio.run(plain(url, most, count))
            store = Path(f"/tmp/codeio-benchmark-{time.time_ns()}.sqlite")
            with server(seconds=seconds, most=most) as url:
                try:
                    ours = asyncio.run(scheduled(url, count, store))
                finally:
                    for path in store.parent.glob(f"{store.name}*"):
                        path.unlink()
            rows.append((theirs, ours))
        plain_rate = statistics.median(row[0][0] for row in rows)
        our_rate = statistics.median(row[1][0] for row in rows)
        shares = [row[1][0] / ideal for row in rows]
        cpu = [statistics.median(row[side][1] * 1000 / count for row in rows) for side in (0, 1)]
        print(
            f"{most:10} {ideal:7.1f} {plain_rate:7.1f} {our_rate:9.1f}"
            f"   {plain_rate / ideal:5.1%} {our_rate / ideal:10.1%}"
            f" ({min(shares):.0%}-{max(shares):.0%})"
            f"   {cpu[0]:8.2f}  {cpu[1]:8.2f}"
        )
    print("target: ours at 95 % of ideal or more at each")


if __name__ == "__main__":
    main()
