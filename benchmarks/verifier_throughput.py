"""Answers a second that the verifier judges by gRPC: one by one, and by the stream.

Starts `codeio serve verifier` and a client in a process of its own, which share
the processors that the benchmark is given (`taskset -c 0,1` for two), and judges
output predictions, three of four of them right, with a rationale of some 1,200
characters before each:

- in process: the judge called in this process, without any service (the baseline
  of what is possible on one processor);
- unary: `verify` by 1, 16 and 256 callers at once;
- stream: `verify_many` by 1, 4 and 16 callers at once, each with 512 answers a call;
  as asyncio and, for one caller, from a thread.

Prints answers a second and the latency of a call, p50 and p99, as the median over
the repeats, and the best stream beside its target of 3,000 answers a second.

    python benchmarks/verifier_throughput.py [--quick] [--repeats N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from codeio.client import Answer, AsyncVerifierClient, VerifierClient
from codeio.runtime.settings import LimitsSettings, VerifierSettings
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Turn, Verdict
from codeio.verifier.judge import Judge
from executor_load import Spread, closed_loop, describe_machine, percentile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

CODEIO = Path(sys.executable).with_name("codeio")
START_SECONDS = 120
TARGET = 3000
CALLERS_UNARY = (1, 16, 256)
CALLERS_STREAM = (1, 4, 16)
PER_CALL = 512
SENTENCES = (
    "The function goes through the list and keeps a running total of what it has seen. ",
    "After step {n}, the total is {n} and the list of kept values is [{n}, {m}]. ",
    "Since {n} is not larger than {m}, the condition `total + value <= limit` is true. ",
    "Next, the value {m} is looked at; it is skipped, because the limit would be exceeded. ",
)


def answers(count: int) -> list[Answer]:
    """Return answers as models give them; every fourth is wrong."""
    draw = random.Random(0)
    return [_answer(draw, number) for number in range(count)]


def _answer(draw: random.Random, number: int) -> Answer:
    truth = {"kept": [draw.randrange(100) for _ in range(8)], "total": draw.randrange(10**6)}
    said = truth if number % 4 else {**truth, "total": -1}
    text = ""
    while len(text) < 1200:
        text += draw.choice(SENTENCES).format(n=draw.randrange(100), m=draw.randrange(100))
    response = f"{text}\n\n```json\n{json.dumps({'output': said})}\n```"
    return Answer(response, output_json=json.dumps(truth))


async def in_process(asked: Sequence[Answer]) -> float:
    """Return how long the stage's judge takes by itself."""

    class NoSandbox:
        async def execute(self, request: object) -> object:
            raise AssertionError(request)

    judge = Judge(NoSandbox(), settings=VerifierSettings(), limits=LimitsSettings())
    tasks = [
        (
            PredictionTask(
                direction=Direction.DIRECTION_OUTPUT_PREDICTION,
                pair=IoPair(output_json=answer.output_json),
            ),
            Turn(response=answer.response),
        )
        for answer in asked
    ]
    started = time.perf_counter()
    verdicts = [(await judge.judge(*each)).verdict for each in tasks]
    seconds = time.perf_counter() - started
    check([verdict == Verdict.VERDICT_CORRECT for verdict in verdicts])
    return seconds


def check(right: Sequence[bool]) -> None:
    """End the benchmark when a verdict is not what it must be: its time would mean nothing."""
    if list(right) != [number % 4 != 0 for number in range(len(right))]:
        raise SystemExit("a verdict of the benchmark is wrong")


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Start a server on a free port and stop it in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = f"127.0.0.1:{port}"
    with tempfile.TemporaryFile() as told:
        server = subprocess.Popen(
            (CODEIO, "serve", "verifier", "--port", str(port)),
            env={**os.environ, "CODEIO_SANDBOX__WORKERS": "1", "CODEIO_SANDBOX__RESERVED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            with grpc.insecure_channel(target) as channel:
                try:
                    grpc.channel_ready_future(channel).result(timeout=START_SECONDS)
                except grpc.FutureTimeoutError:
                    told.seek(0)
                    raise SystemExit(f"the server did not come up: {told.read()!r}") from None
            yield target
        finally:
            server.terminate()
            server.wait()


async def measured(
    figures: dict[str, list[list[float]]],
    name: str,
    callers: int,
    call: Callable[[int], Awaitable[int]],
    *,
    calls: int,
) -> None:
    """Make the calls, so many at once; note answers a second and the latencies."""
    latencies: list[float] = []
    judged = 0

    async def timed(number: int) -> None:
        nonlocal judged
        started = time.perf_counter()
        count = await call(number)
        judged += count
        latencies.append(time.perf_counter() - started)

    seconds = await closed_loop(range(calls), timed, at_once=callers)
    row = [judged / seconds, *(1000 * percentile(latencies, share) for share in (0.5, 0.99))]
    figures.setdefault(name, []).append(row)


async def measure(target: str, options: argparse.Namespace) -> dict[str, list[list[float]]]:
    figures: dict[str, list[list[float]]] = {}
    asked = answers(PER_CALL)
    async with AsyncVerifierClient(target) as client:

        async def one(number: int) -> int:
            place = number % len(asked)
            judged = await client.verify(asked[place])
            if (judged.verdict == "correct") != (place % 4 != 0):
                raise SystemExit("a verdict of the benchmark is wrong")
            return 1

        async def many(_: int) -> int:
            judged = await client.verify_many(asked)
            check([each.verdict == "correct" for each in judged])
            return len(judged)

        await many(0)  # until the server accepts
        for _ in range(options.repeats):
            seconds = await in_process(asked * 4)
            figures.setdefault("in process", []).append([4 * len(asked) / seconds, 0, 0])
            for callers in CALLERS_UNARY:
                calls = max(options.answers // 4, callers)
                await measured(figures, f"unary, {callers:>3} callers", callers, one, calls=calls)
            for callers in CALLERS_STREAM:
                calls = max(options.answers // PER_CALL, callers)
                name = f"stream, {callers:>2} callers"
                await measured(figures, name, callers, many, calls=calls)
            await measured(
                figures,
                "stream, one thread",
                1,
                Thread(target, asked),
                calls=max(options.answers // PER_CALL, 1),
            )
    return figures


class Thread:
    """A caller that uses no asyncio."""

    def __init__(self, target: str, asked: Sequence[Answer]) -> None:
        self._client = VerifierClient(target)
        self._asked = asked

    async def __call__(self, _: int) -> int:
        return await asyncio.to_thread(self._judge)

    def _judge(self) -> int:
        judged = self._client.verify_many(self._asked)
        check([each.verdict == "correct" for each in judged])
        return len(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--answers", type=int, default=8192, help="answers of each figure")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.answers = 1, 1024
    describe_machine()
    with served() as target:
        figures = asyncio.run(measure(target, options))
    print(f"median (min–max) of {options.repeats} repeats")
    print(f"  {'':<24} {'answers/s':>24} {'p50, ms':>24} {'p99, ms':>24}")
    for name, rows in figures.items():
        rate, p50, p99 = (Spread(tuple(column)) for column in zip(*rows, strict=True))
        latency = f"{p50:,.1f} {p99:,.1f}" if p50.median else ""
        print(f"  {name:<24} {rate:,.0f}  {latency}")
    streams = [rows for name, rows in figures.items() if name.startswith("stream")]
    best = max(Spread(tuple(row[0] for row in rows)).median for rows in streams)
    met = "met" if best >= TARGET else "missed"
    print(f"best stream: {best:,.0f} answers/s (target at least {TARGET:,}: {met})")


if __name__ == "__main__":
    main()
