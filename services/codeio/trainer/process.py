"""The program that each process of a stage runs: `python -m codeio.trainer.process STAGE`.

The launcher hands it the run and its places by environment variables, and reads from a file how
it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from codeio.trainer.stopping import Stop
from codeio.trainer.word import Ended, Word
from codeio.training_run.environment import RUN
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import ExitCode
from codeio.training_run.places import Places

if TYPE_CHECKING:
    from codeio.training_run.spec import StageName

VOLUMES = "CODEIO_TRAINING_VOLUMES"
"""Environment variable: JSON of folders that stand for volumes."""

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG


def main() -> int:
    """Run one stage; return the exit code."""
    # A launcher that is killed could not stop its processes any more.
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGTERM)
    stage = cast("StageName", sys.argv[1])
    run = parse_manifest(json.loads(os.environ[RUN]), source="the training run")
    volumes = json.loads(os.environ.get(VOLUMES, "{}"))
    places = Places(run=run, volumes={name: Path(each) for name, each in volumes.items()})
    word, stop = Word.of_environment(stage), Stop()
    with ExitStack() as until_told:
        try:
            from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

            from codeio.trainer.stage import run_stage  # noqa: PLC0415  (slow, and may fail)

            disable_progress_bar()  # type: ignore[no-untyped-call]
            until_told.enter_context(stop.listening())
            ended = Ended(ExitCode.DONE, run_stage(run, stage, places, stop=stop, word=word))
        except BaseException as error:  # noqa: BLE001  (whatever it is must be told)
            until_told.enter_context(stop.deferred())
            from codeio.trainer.failures import failure_of  # noqa: PLC0415

            failure = failure_of(error)
            if failure.exit_code is ExitCode.FAILED:
                traceback.print_exc()
            ended = Ended.by(failure, stage)
        else:
            until_told.enter_context(stop.deferred())
        word.ended(ended)
    return ended.code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of a collective that failed would keep the interpreter from ending.
    os._exit(code)
