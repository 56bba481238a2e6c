"""What a process of a stage tells: people, in the log, and its launcher, by files in a folder.

FOLDER/
    RANK.json    how it ended
    RANK.met     that it has met the others: what went wrong later is no matter of settings
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from codeio.runtime.atomic import write_atomically
from codeio.training_run.outcomes import ExitCode, Outcome, Reason, RunError

RESULTS = "CODEIO_TRAINING_RESULTS"
"""Environment variable that names the folder."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, or all of a stage's."""

    code: ExitCode
    outcome: Outcome

    @classmethod
    def by(cls, error: RunError, stage: str) -> Ended:
        """Return how a stage's process ends that fails."""
        return cls(error.exit_code, Outcome(error.reason, str(error), {"stage": stage}))

    def check(self) -> None:
        """Raise what they ended with, unless they are done.

        Raises:
            RunError: they are not.
        """
        if self.code is not ExitCode.DONE:
            raise RunError(Reason(self.outcome.reason), self.outcome.message, exit_code=self.code)


@dataclass(frozen=True)
class Word:
    """What one process tells."""

    folder: Path
    rank: int
    stage: str

    @classmethod
    def of_environment(cls, stage: str) -> Word:
        return cls(Path(os.environ[RESULTS]), int(os.environ["RANK"]), stage)

    def say(self, line: str) -> None:
        """Say a line to whoever reads the log."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def met(self) -> None:
        """Tell that the first collective has worked."""
        _met(self.folder, self.rank).touch()

    def ended(self, ended: Ended) -> None:
        """Tell how this process ends."""
        outcome = json.loads(ended.outcome.to_json())
        told = {"code": int(ended.code), "at": time.time(), "outcome": outcome}
        write_atomically(self.folder / f"{self.rank}.json", json.dumps(told).encode())

    def die(self, error: RunError) -> NoReturn:
        """Tell why, and end, whatever the other threads of this process wait for."""
        self.ended(Ended.by(error, self.stage))
        self.say(f"{self.stage}: {error}")
        os._exit(error.exit_code)


def has_met(folder: Path, rank: int) -> bool:
    """Return whether a process has met the others."""
    return _met(folder, rank).exists()


def any_met(folder: Path) -> bool:
    """Return whether any process has met the others."""
    return any(folder.glob("*.met"))


def endings(folder: Path) -> list[Ended]:
    """Return how processes ended that could tell, the first one first."""
    told = [json.loads(each.read_text(encoding="utf-8")) for each in folder.glob("*.json")]
    told.sort(key=lambda each: each["at"])
    return [Ended(ExitCode(each["code"]), Outcome(**each["outcome"])) for each in told]


def _met(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.met"
