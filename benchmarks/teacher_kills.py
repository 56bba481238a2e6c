"""kill -9, again and again, in a run that asks a language model; beside a run that nobody touches.

Counts at a scripted endpoint what was asked: no more than an untouched run asks
and, for each kill, what was on its way then; and nothing whose answer was stored.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.language_model.scripted import Answer, Asked, ScriptedServer
from tests.pipeline.oracle import right_at_last, write_programs
from tests.pipeline.test_language_model import Runs, key_of, stored_keys
from tests.pipeline.test_run import contents

_IN_FLIGHT = 32


async def main(kills: int, programs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="codeio-benchmark-") as folder:
        runs = Runs(Path(folder), tasks=8)
        write_programs(runs.folder / "programs.jsonl", programs)
        untouched = ScriptedServer(right_at_last)
        async with untouched.serving() as url:
            started = time.monotonic()
            done = await runs.run(url, "whole", store=runs.folder / "whole.sqlite")
            assert done.code == 0, done.stderr
            print(f"untouched: {untouched.asked:,} asked, {time.monotonic() - started:.0f} s")
        stored: set[str] = set()
        asked_again, lost = 0, 0
        goal = reached = None

        async def script(asked: Asked) -> Answer:
            nonlocal asked_again
            asked_again += key_of(asked) in stored
            await asyncio.sleep(0.05)
            if reached and asked.number >= goal:
                reached.set()
            return await right_at_last(asked)

        server = ScriptedServer(script)
        command = ("run", "programs.jsonl", "--out", "killed", "--teacher", "openai")
        async with server.serving() as url:
            for number in range(kills):
                goal, reached = untouched.asked * (number + 1) // (kills + 1), asyncio.Event()
                before, known = server.asked, len(stored)
                process = await runs.start(*command, url=url, max_in_flight=_IN_FLIGHT)
                await reached.wait()
                process.kill()
                await process.communicate()
                store = runs.folder / "responses.sqlite"
                stored = stored_keys(store)
                lost += (server.asked - before) - (len(stored) - known)
            reached = None
            done = await runs.run(url, "killed")
            assert done.code == 0, done.stderr
        same = contents(runs.folder / "killed") == contents(runs.folder / "whole")
        more = server.asked - untouched.asked
        print(f"killed {kills} times: {server.asked:,} asked, {more} more than untouched")
        print(f"  on their way at the kills, by the store: {lost} (at most {_IN_FLIGHT} a kill)")
        print(f"  asked although the answer was stored: {asked_again} (target 0)")
        print(f"  records and data set the same, byte for byte: {'yes' if same else 'NO'}")
        met = same and not asked_again and more <= lost <= kills * _IN_FLIGHT
        print(f"target: at most what was on its way, nothing twice, the same data set: "
              f"{'met' if met else 'MISSED'}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--programs", type=int, default=125, help="Sixteen requests each.")
    asyncio.run(main(**vars(parser.parse_args())))
