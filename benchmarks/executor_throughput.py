"""Checks a second: ours beside a fresh process per check, without and with gVisor.

The programs are those of the parsed data set whose recorded calls, up to ten,
together take under 50 ms natively (measured first, each program in a child
process with a time limit); the heavy rest is reported beside them. A check is
one call of a program on one recorded input and the comparison with the
recorded output. Measured, two at a time each:

- A, the baseline: natively, a fresh Python with numpy for every check, no isolation;
- B: the same under `runsc do`;
- ours: the pool with two workers and a child per job, with (i) ten checks a job,
  (ii) one check a job, and (iii) verified pairs: ten inputs, run twice in the two
  replicas, the second time in reversed order; a pair counts once, and only when
  both runs agree.

All use the same interpreter and packages. Each round takes a slice of the
programs, drawn with a fixed seed, through all ways in turn; the ratios are
those of the medians over the rounds.

    python benchmarks/executor_throughput.py [--quick] [--rounds N] [--programs N] [DATA]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.executor.sandbox.job import interpreter_for
from codeio.executor.sandbox.runsc import find_runsc
from codeio.runtime import values
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from executor_load import (
    Spread,
    against,
    closed_loop,
    describe_machine,
    processor_seconds,
    warm_pool,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.executor.sandbox.pool import Pool

DATA = Path("../shared/data/pyedu_parsed.jsonl")
CALLS = 10
LIGHT_SECONDS = 0.05
LIMIT_SECONDS = 10
AT_ONCE = 2
INTERPRETERS = ("plain", "more of the library", "numpy", "heavy packages")

# Reads programs, a JSON text a line, and answers each with the seconds of its calls, or null.
NATIVE_TIMER = """
import json, os, signal, sys, time
import numpy

def timed(program, limit):
    answer, own = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            signal.alarm(limit)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            namespace = {}
            exec(program["code"], namespace)
            function = namespace[program["entry_point"]]
            started = time.perf_counter()
            for given in program["inputs"]:
                try:
                    function(**json.loads(given))
                except Exception:
                    pass
            os.write(own, b"%.6f" % (time.perf_counter() - started))
        finally:
            os._exit(0)
    os.close(own)
    _, status = os.waitpid(child, 0)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    told = os.read(answer, 100)
    os.close(answer)
    return float(told) if told else (float(limit) if os.WIFSIGNALED(status) else None)

limit, enough = int(sys.argv[1]), float(sys.argv[2])
for line in sys.stdin:
    program = json.loads(line)
    seconds = timed(program, limit)
    if seconds is not None and enough <= seconds < limit:
        # Once more, since the machine may have been busy with something else.
        seconds = min(seconds, timed(program, limit) or seconds)
    print(json.dumps(seconds), flush=True)
"""

# Makes one check; the exit status is 0 when the output is the recorded one, 1 when it is not.
NATIVE_CHECK = """
import json, os, sys
import numpy

check = json.load(sys.stdin)
sys.stdout = open(os.devnull, "w")
namespace = {}
try:
    exec(check["code"], namespace)
    output = namespace[check["entry_point"]](**json.loads(check["input"]))
    same = json.loads(json.dumps(output)) == check["output"]
except BaseException:
    os._exit(2)
os._exit(not same)
"""


@dataclass(frozen=True)
class ParsedProgram:
    """A program of the data set and its recorded pairs."""

    code: str
    entry_point: str
    inputs: tuple[str, ...]
    outputs: tuple[Any, ...]

    @property
    def interpreter(self) -> str:
        return INTERPRETERS[interpreter_for(self.request(())) >> 2]

    def request(self, indexes: Sequence[int], *, replica: int = 0) -> ExecuteRequest:
        return ExecuteRequest(
            code=self.code,
            entry_point=self.entry_point,
            calls=[Call(input_json=self.inputs[i]) for i in indexes],
            replica=replica,
        )


@dataclass(frozen=True)
class Rate:
    """What one way did in one round."""

    done: int
    """Checks, or pairs that held."""
    seconds: float
    jobs: int = 0
    processor_seconds: float = 0.0
    tried: int = 0
    agreeing: int = 0
    """Of those tried: checks with the recorded output, pairs that held."""


def parsed_programs(path: Path) -> list[ParsedProgram]:
    programs = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        pairs = row["ios"][:CALLS]
        programs.append(
            ParsedProgram(
                code=row["refcode"],
                entry_point=row["funcname"],
                inputs=tuple(json.dumps(pair["input"]) for pair in pairs),
                outputs=tuple(pair["output"] for pair in pairs),
            )
        )
    return programs


def native_variables(environment: GuestEnvironment, folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(environment.prefix),
        "OPENBLAS_NUM_THREADS": "1",
    }


def native_seconds(
    programs: Sequence[ParsedProgram], environment: GuestEnvironment, folder: Path
) -> list[float | None]:
    """Return what the calls of each program take together; None when it does not even load."""
    asked = "".join(
        json.dumps({"code": p.code, "entry_point": p.entry_point, "inputs": p.inputs}) + "\n"
        for p in programs
    )
    answer = subprocess.run(
        [
            environment.python,
            "-s",
            "-S",
            "-c",
            NATIVE_TIMER,
            str(LIMIT_SECONDS),
            str(LIGHT_SECONDS),
        ],
        input=asked,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=native_variables(environment, folder),
        cwd=folder,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


class ProcessPerCheck:
    """The baselines: each check in a fresh process, `AT_ONCE` of them side by side."""

    def __init__(
        self, prefix: Sequence[str | Path], environment: GuestEnvironment, folder: Path
    ) -> None:
        self._command = [*prefix, environment.python, "-s", "-S", "-c", NATIVE_CHECK]
        self._variables = native_variables(environment, folder)
        self._folder = folder

    async def __call__(self, programs: Sequence[ParsedProgram], indexes: Sequence[int]) -> Rate:
        def measure() -> Rate:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                started = time.perf_counter()
                right = list(threads.map(self._check, programs, indexes))
                seconds = time.perf_counter() - started
            return Rate(done=len(right), seconds=seconds, tried=len(right), agreeing=sum(right))

        return await asyncio.to_thread(measure)

    def _check(self, program: ParsedProgram, index: int) -> bool:
        check = {
            "code": program.code,
            "entry_point": program.entry_point,
            "input": program.inputs[index],
            "output": program.outputs[index],
        }
        try:
            done = subprocess.run(
                self._command,
                input=json.dumps(check).encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._variables,
                cwd=self._folder,
                timeout=LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        if done.returncode not in (0, 1, 2):
            told = done.stderr.decode(errors="replace")[-500:]
            raise SystemExit(f"a check of the baseline could not be made: {told}")
        return done.returncode == 0


class Ours:
    """The three ways to use the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def many_a_job(self, programs: Sequence[ParsedProgram], _: Sequence[int]) -> Rate:
        return await self._checks([(p, range(len(p.inputs))) for p in programs])

    async def one_a_job(self, programs: Sequence[ParsedProgram], indexes: Sequence[int]) -> Rate:
        return await self._checks([(p, [i]) for p, i in zip(programs, indexes, strict=True)])

    async def pairs(self, programs: Sequence[ParsedProgram], _: Sequence[int]) -> Rate:
        verified = 0

        async def do(program: ParsedProgram) -> None:
            nonlocal verified
            order = range(len(program.inputs))
            first = await self._pool.execute(program.request(order))
            second = await self._pool.execute(program.request(order[::-1], replica=1))
            verified += sum(map(same_value, first.results, reversed(second.results)))

        rate = await self._measure(programs, do)
        return Rate(
            done=verified,
            seconds=rate.seconds,
            jobs=2 * rate.jobs,
            processor_seconds=rate.processor_seconds,
            tried=sum(len(program.inputs) for program in programs),
            agreeing=verified,
        )

    async def _checks(self, jobs: Sequence[tuple[ParsedProgram, Sequence[int]]]) -> Rate:
        right = 0

        async def do(job: tuple[ParsedProgram, Sequence[int]]) -> None:
            nonlocal right
            program, indexes = job
            response = await self._pool.execute(program.request(indexes))
            for i, result in zip(indexes, response.results, strict=True):
                right += is_recorded(result, program.outputs[i])

        rate = await self._measure(jobs, do)
        checks = sum(len(indexes) for _, indexes in jobs)
        return Rate(
            done=checks,
            seconds=rate.seconds,
            jobs=rate.jobs,
            processor_seconds=rate.processor_seconds,
            tried=checks,
            agreeing=right,
        )

    async def _measure(self, items: Sequence[Any], do: Callable[[Any], Awaitable[object]]) -> Rate:
        before = processor_seconds()
        # Some more than there are workers, so that each finds a job waiting.
        seconds = await closed_loop(items, do, at_once=2 * AT_ONCE)
        used = processor_seconds() - before
        return Rate(done=0, seconds=seconds, jobs=len(items), processor_seconds=used)


def is_recorded(result: CallResult, output: Any) -> bool:
    return result.outcome == Outcome.OUTCOME_OK and values.equal(
        values.loads(result.output_json), output
    )


def same_value(first: CallResult, second: CallResult) -> bool:
    both_fine = first.outcome == second.outcome == Outcome.OUTCOME_OK
    return both_fine and first.output_json == second.output_json


async def measure(options: argparse.Namespace, folder: Path) -> None:
    settings = load_settings()
    runsc = find_runsc(settings.sandbox.home)
    programs = parsed_programs(options.data)
    async with warm_pool(AT_ONCE, replicas=(0, 1)) as (pool, environment):
        print(f"runsc {runsc.version} ({runsc.platform}), Python {environment.python_version}")
        if options.quick:
            programs = random.Random(0).sample(programs, min(12, len(programs)))
        seconds = await asyncio.to_thread(native_seconds, programs, environment, folder)
        timed = list(zip(programs, seconds, strict=True))
        light = [p for p, s in timed if s is not None and s < LIGHT_SECONDS]
        heavy = [(p, s) for p, s in timed if s is not None and s >= LIGHT_SECONDS]
        describe_set(timed, light)
        state = settings.sandbox.home / "state"
        do: list[str | Path] = [runsc.path, *runsc.flags, f"--root={state}", "do"]
        ours = Ours(pool)
        ways: dict[str, tuple[int, Callable[..., Awaitable[Rate]]]] = {
            "A": (options.checks, ProcessPerCheck([], environment, folder)),
            "i": (options.programs, ours.many_a_job),
            "B": (options.gvisor_checks, ProcessPerCheck(do, environment, folder)),
            "ii": (options.programs, ours.one_a_job),
            "iii": (options.programs, ours.pairs),
        }
        rates: dict[str, list[Rate]] = {name: [] for name in ways}
        draw = random.Random(options.seed)
        for number in range(options.rounds):
            part = draw.sample(light, min(options.programs, len(light)))
            indexes = [draw.randrange(len(p.inputs)) for p in part]
            # Every way comes first, second and so on in turn.
            names = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
            for name in names:
                size, way = ways[name]
                rates[name].append(await way(part[:size], indexes[:size]))
        report(rates)
        await report_heavy(heavy, ours)


def describe_set(
    timed: Sequence[tuple[ParsedProgram, float | None]], light: Sequence[ParsedProgram]
) -> None:
    unloaded = sum(s is None for _, s in timed)
    calls = sum(len(p.inputs) for p in light)
    interpreters = Counter(p.interpreter for p in light)
    told = ", ".join(f"{count} {name}" for name, count in sorted(interpreters.items()))
    print(
        f"{len(timed)} programs: {len(light)} take under {LIGHT_SECONDS * 1000:.0f} ms for "
        f"{calls:,} calls in all ({told}), {len(timed) - len(light) - unloaded} take longer, "
        f"{unloaded} do not load natively"
    )


def report(rates: dict[str, list[Rate]]) -> None:
    spreads = {
        name: Spread(tuple(r.done / r.seconds for r in each)) for name, each in rates.items()
    }
    names = {
        "A": "A: native, a process per check, checks/s",
        "B": "B: runsc do, a process per check, checks/s",
        "i": "ours (i): ten checks a job, checks/s",
        "ii": "ours (ii): one check a job, checks/s",
        "iii": "ours (iii): verified pairs, pairs/s",
    }
    targets = {"i": 40.0, "ii": 5.0, "iii": 20.0}
    print(f"\nmedian (min–max) of {len(rates['A'])} rounds, and its ratio to A's")
    for name, title in names.items():
        ratio = spreads[name].median / spreads["A"].median
        told = against(ratio, targets[name], at_least=True) if name in targets else f"{ratio:.2f}×"
        print(f"  {title:<44} {spreads[name]:,.1f}  {told}")
    print("\nprocessor time a job by the host's clock (this process and all below it), jobs/s")
    for name in targets:
        cost = Spread(tuple(1000 * r.processor_seconds / r.jobs for r in rates[name]))
        speed = Spread(tuple(r.jobs / r.seconds for r in rates[name]))
        print(f"  {names[name].partition(',')[0]:<44} {cost:.1f} ms, {speed:.1f} jobs/s")
    print("\nchecks whose output is the recorded one; pairs that both runs agree on")
    for name in names:
        tried = sum(r.tried for r in rates[name])
        print(f"  {name:<4} {sum(r.agreeing for r in rates[name]):,} of {tried:,}")


async def report_heavy(heavy: Sequence[tuple[ParsedProgram, float]], ours: Ours) -> None:
    """Run the programs that end by themselves once; what they take is mostly their own work."""
    ending = [(program, seconds) for program, seconds in heavy if seconds < LIMIT_SECONDS]
    print(
        f"\nthe heavy rest: {len(heavy)} programs, {len(heavy) - len(ending)} of them out of time"
    )
    if ending:
        rate = await ours.many_a_job([program for program, _ in ending], [])
        native = sum(seconds for _, seconds in ending)
        print(
            f"  {len(ending)} programs, {rate.done} checks, in {rate.seconds:.1f} s by the pool; "
            f"their calls alone natively, one after another: {native:.1f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=100, help="programs a round of ours")
    parser.add_argument("--checks", type=int, default=60, help="checks a round of A")
    parser.add_argument("--gvisor-checks", type=int, default=20, help="checks a round of B")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.data.exists():
        print(f"skipped: {options.data} is missing; name another file of parsed programs")
        return
    if options.quick:
        options.rounds, options.programs = 2, 6
        options.checks, options.gvisor_checks = 4, 2
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
