"""A taskset for the verifiers library from 0.4 on, over the data set format `verl`.

The library finds a taskset as a module of that name; one line makes it, such as
`codeio_taskset.py` with

    from codeio.rewards.verifiers_v1 import CodeioTaskset; __all__ = ["CodeioTaskset"]
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import verifiers.v1 as vf

from codeio.rewards.scoring import score

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CodeioTaskset"]


class CodeioData(vf.TaskData):
    """A question of the data set."""

    verification_info: str = ""


class CodeioTaskConfig(vf.TaskConfig):
    """How answers are judged."""

    verifier: str = ""
    """Address of the verifier, in place of that of the environment."""


class CodeioTask(vf.Task[CodeioData, vf.State, CodeioTaskConfig]):
    """A question whose answer the verifier judges."""

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        judged = asyncio.to_thread(
            score,
            [self.data.verification_info],
            [trace.last_reply],
            verifier=self.config.verifier,
        )
        return (await judged)[0]


class CodeioTasksetConfig(vf.TasksetConfig):
    """Which questions are asked."""

    data: str = "out/dataset"
    """The folder that `codeio export` wrote."""
    split: str = "train"
    task: CodeioTaskConfig = CodeioTaskConfig()


class CodeioTaskset(vf.Taskset[CodeioTask, CodeioTasksetConfig]):
    """The questions of a split."""

    def load(self) -> Iterator[CodeioTask]:
        file = Path(self.config.data) / "verl" / f"{self.config.split}.parquet"
        for row in pq.read_table(file).to_pylist():
            [question] = row["prompt"]
            yield CodeioTask(
                CodeioData(
                    id=row["task_id"],
                    prompt=question["content"],
                    verification_info=row["verification_info"],
                ),
                self.config.task,
            )
