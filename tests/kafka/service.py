"""One stage on a broker, in a process of its own, that may be told where to die.

`python -m tests.kafka.service STAGE CONFIG [STEP:COUNT]`: kills itself with
SIGKILL at that step of the so-manieth transaction.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from codeio.executor.sandbox import make_pool
from codeio.pipeline.working import working
from codeio.pipeline.workshop import open_workshop
from codeio.runtime.errors import CodeioError
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.settings import load_settings
from codeio.runtime.signals import stop_signals

AT_WORK = "at work\n"
DYING = "dying at step "
"""What a process says last, before the name of the step."""


async def serve(stage: str, config: Path, fatal: str) -> None:
    settings = load_settings(config)
    step, _, left = fatal.partition(":")
    count = int(left or 0)

    def at(reached: str) -> None:
        nonlocal count
        if reached == step:
            count -= 1
            if count == 0:
                _say(f"{DYING}{step}\n")
                os.kill(os.getpid(), signal.SIGKILL)

    async with (
        stop_signals() as stop,
        open_workshop(
            settings, make_pool(settings, say=lambda _: None), stages=[stage]
        ) as workshop,
        KafkaLog(settings.kafka, at=at) as log,
        working([stage], log, settings, workshop),
    ):
        _say(AT_WORK)
        await stop.wait()


def _say(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


def main() -> None:
    stage, config, fatal = [*sys.argv[1:], ""][:3]
    try:
        asyncio.run(serve(stage, Path(config), fatal))
    except CodeioError as error:
        sys.exit(f"{stage}: {error}")


if __name__ == "__main__":
    main()
