"""Starts the processes of this machine or pod by torch's elastic agent and tells how they ended.

The agent is what torchrun is made of. It never starts a process anew: a pod that ends is started
again by its Job, and then all pods go on from the last checkpoint together.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.runtime.signals import answered
from codeio.trainer.allowance import cores
from codeio.trainer.word import RESULTS, Ended, any_met, endings, has_met
from codeio.training_run.environment import COORDINATOR, RUN
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.spec import StageName, TrainingRunSpec

COORDINATOR_PORT = 29500

PROGRAM = ("-m", "codeio.trainer.process")
"""What the interpreter runs in each process, with the stage behind it."""

_MEETING_SECONDS = 1800
"""How long the first pods wait for the last: images of many GB are pulled on the way."""
_ANSWER_SECONDS = 10
_SAVING_SECONDS = 900
"""How long processes have to save when they are told to stop; a pod's own grace may be shorter."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """This machine or pod among those that train together."""

    number: int = 0
    count: int = 1
    coordinator: str | None = None
    """Where the first one is; None: there is but this."""

    @classmethod
    def of_pod(cls, spec: TrainingRunSpec) -> Node:
        """Return what the Job tells a pod by its environment."""
        return cls(
            number=int(os.environ.get("JOB_COMPLETION_INDEX", "0")),
            count=spec.workers.nodes,
            coordinator=os.environ.get(COORDINATOR) if spec.workers.nodes > 1 else None,
        )


def launch(run: TrainingRun, stage: StageName, *, node: Node, volumes: Mapping[str, Path]) -> Ended:
    """Run the processes of a stage on this node; return when all have ended."""
    from torch.distributed.elastic.multiprocessing import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    from torch.distributed.launcher.api import launch_agent  # noqa: PLC0415

    from codeio.trainer import process  # noqa: PLC0415
    from codeio.trainer.failures import failure_of, out_of_memory  # noqa: PLC0415

    for name in ("torch.distributed", "torch.distributed.elastic"):
        logger = logging.getLogger(name)
        # What it says is said better below; and some modules set levels of their own.
        logger.setLevel(logging.CRITICAL)
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    with tempfile.TemporaryDirectory(prefix="codeio-training-") as results:
        environment = {
            **{name: os.environ.get(name) or value for name, value in _defaults(run.spec).items()},
            **run.spec.workers.env,
            # What was not set stays so: of cores, what was not asked for is no bound.
            RUN: run.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True),
            process.VOLUMES: json.dumps({name: str(each) for name, each in volumes.items()}),
            RESULTS: results,
        }
        kills, begun = _kills_for_memory(), time.monotonic()
        killed: RunError | None = None
        with _environment(environment), _signals(SignalException):
            try:
                launch_agent(
                    _configuration(run.spec, node, results),
                    sys.executable,
                    [*PROGRAM, stage],
                )
            except SignalException as error:
                killed = _told_to_stop(error.sigval)
            except ChildFailedError as error:
                rank, first = error.get_first_failure()
                if first.exitcode == -signal.SIGKILL and _kills_for_memory() > kills:
                    killed = out_of_memory(f"the kernel killed process {rank}")
                elif first.exitcode == -signal.SIGABRT and node.count > 1:
                    killed = _aborted(rank, met=has_met(Path(results), rank))
                elif first.exitcode < 0:
                    name = signal.Signals(-first.exitcode).name
                    killed = RunError(
                        Reason.INTERNAL_ERROR,
                        f"process {rank} was ended by {name}: start it again to go on from the"
                        " last checkpoint",
                        exit_code=ExitCode.FAILED,
                    )
            except Exception as error:  # noqa: BLE001  (the meeting of the nodes failed)
                killed = failure_of(error)
                late = time.monotonic() - begun >= _MEETING_SECONDS
                if late and killed.exit_code is ExitCode.DISRUPTED and not any_met(Path(results)):
                    killed = _never_met(node)
        return _judge(Path(results), killed, stage)


def _judge(results: Path, killed: RunError | None, stage: StageName) -> Ended:
    """Choose what to tell: what a process found wrong, before how one died, before all else."""
    ended = endings(results)
    failed = [each for each in ended if each.code is not ExitCode.DONE]
    for each in failed:
        if each.code is not ExitCode.DISRUPTED:
            return each
    if killed and killed.exit_code is not ExitCode.DISRUPTED:
        return Ended.by(killed, stage)
    if failed:
        return failed[0]
    if killed:
        return Ended.by(killed, stage)
    if ended:
        return ended[0]
    return Ended.by(
        RunError(
            Reason.INTERNAL_ERROR,
            "the processes ended without a word: the log may tell more",
            exit_code=ExitCode.FAILED,
        ),
        stage,
    )


def _aborted(rank: int, *, met: bool) -> RunError:
    """Return what SIGABRT means, by which torch ends who waits in vain for a process elsewhere."""
    from codeio.trainer.failures import cannot_meet, lost_peer  # noqa: PLC0415

    detail = f"torch aborted process {rank}"
    return lost_peer(detail) if met else cannot_meet(detail)


def _never_met(node: Node) -> RunError:
    """Return what it means to have waited in vain: a lost pod would have been made anew by then.

    It is one failure of the run, however many wait: where the first pod waits too, it counts there.
    """
    waits = node.number > 0 and _answers(node.coordinator or "")
    return RunError(
        Reason.DISRUPTED if waits else Reason.INTERNAL_ERROR,
        f"the {node.count} pods of the run have not met at {node.coordinator}:{COORDINATOR_PORT}"
        f" within {_MEETING_SECONDS / 60:g} minutes: see whether one of them waits for a node, for"
        " which queueName helps, and whether the network lets pods of the run reach one another",
        exit_code=ExitCode.DISRUPTED if waits else ExitCode.FAILED,
    )


def _answers(coordinator: str) -> bool:
    """Return whether the first pod waits for the others; one that only has an address may not."""
    try:
        with socket.create_connection((coordinator, COORDINATOR_PORT), _ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _told_to_stop(number: signal.Signals) -> RunError:
    return RunError(
        Reason.DISRUPTED,
        f"told to stop by {number.name}: start it again to go on",
        exit_code=ExitCode.DISRUPTED,
    )


def _configuration(spec: TrainingRunSpec, node: Node, results: str) -> Any:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs  # noqa: PLC0415
    from torch.distributed.launcher.api import LaunchConfig  # noqa: PLC0415

    alone = node.coordinator is None
    return LaunchConfig(
        min_nodes=node.count,
        max_nodes=node.count,
        nproc_per_node=spec.workers.processes,
        run_id="codeio",
        rdzv_backend="c10d" if alone else "static",
        rdzv_endpoint="localhost:0" if alone else f"{node.coordinator}:{COORDINATOR_PORT}",
        rdzv_configs={"timeout": _MEETING_SECONDS, "rank": node.number},
        local_addr="localhost" if alone else None,
        max_restarts=0,
        monitor_interval=0.1,
        shutdown_timeout=_SAVING_SECONDS,
        logs_specs=DefaultLogsSpecs(log_dir=results),
    )


def _defaults(spec: TrainingRunSpec) -> dict[str, str]:
    """Return variables of libraries that neither this process's environment nor the run names."""
    threads = max(1, cores(spec.workers) // spec.workers.processes)
    return {
        "OMP_NUM_THREADS": str(threads),
        # DDP warns in each process of a setting that `parallel` needs.
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        # Its own is named after the user, and in a pod there is none of that number.
        "TORCHINDUCTOR_CACHE_DIR": str(Path(tempfile.gettempdir(), "torchinductor")),
    }


def _kills_for_memory() -> int:
    """Return how often the kernel has killed for memory: in this container, or anywhere."""
    counters = (
        "/sys/fs/cgroup/memory.events",
        "/sys/fs/cgroup/memory/memory.oom_control",  # where control groups are of version 1
        "/proc/vmstat",
    )
    for path in counters:
        with suppress(OSError):
            for line in Path(path).read_text(encoding="utf-8").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _signals(error: type[Exception]) -> Iterator[None]:
    """Heed signals from the beginning, as the agent does once its processes run."""

    def raise_it(number: int, _: object) -> None:
        raise error(f"signal {number}", signal.Signals(number))

    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    with answered(heard, raise_it):
        yield
