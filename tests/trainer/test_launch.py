"""How the processes of a stage are started, stopped and judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch.distributed as dist
import yaml
from typer.testing import CliRunner

from codeio.cli import app
from codeio.trainer import launch as launching
from codeio.trainer.launch import Node, launch
from codeio.training_run.manifest import TrainingRun, parse_manifest
from codeio.training_run.outcomes import ExitCode, Outcome, Reason, RunError
from codeio.training_run.spec import TrainingRunSpec
from tests.trainer.test_stage import losses, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.trainer.word import Ended

CODEIO = str(Path(sys.executable).with_name("codeio"))
TELLING = """
import json, os, pathlib, time
def tell(code, reason, at):
    told = {"code": code, "at": at, "outcome": {"reason": reason, "message": reason, "details": {}}}
    rank = os.environ["RANK"]
    (results / f"{rank}.json").write_text(json.dumps(told))
def await_the_other():  # whom the launcher ends as soon as this one has ended
    until = time.monotonic() + 60
    while not (results / f"{1 - rank}.json").exists() and time.monotonic() < until:
        time.sleep(0.01)
results = pathlib.Path(os.environ["CODEIO_TRAINING_RESULTS"])
rank = int(os.environ["RANK"])
"""


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    described = manifest(tmp_path / "none", tmp_path, workers={"processesPerNode": 2})
    return parse_manifest(described, source="test")


def ended_of(
    run: TrainingRun, program: str, monkeypatch: pytest.MonkeyPatch, *, node: Node | None = None
) -> Ended:
    """Launch two processes of a program that needs no torch, as if they were those of a node."""
    monkeypatch.setattr(launching, "PROGRAM", ("-c", TELLING + program))
    configuration = launching._configuration
    monkeypatch.setattr(
        launching,
        "_configuration",
        lambda spec, node, results: configuration(spec, Node(), results),  # the others are lost
    )
    return launch(run, "reasoning", node=node or Node(), volumes={})


def test_an_error_counts_more_than_what_it_does_to_the_others(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
tell(75, "Disrupted", 1.0) if rank == 0 else tell(2, "SampleTooLong", 2.0)
await_the_other()
os._exit(75 if rank == 0 else 2)
"""
    ended = ended_of(run, program, monkeypatch)
    assert (ended.code, ended.outcome.reason) == (ExitCode.USER_ERROR, Reason.SAMPLE_TOO_LONG)
    with pytest.raises(RunError, match="SampleTooLong"):
        ended.check()


def test_the_first_process_speaks_for_those_that_are_done(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ended_of(run, 'tell(0, "Completed", rank)', monkeypatch)
    assert (ended.code, ended.outcome.reason) == (ExitCode.DONE, Reason.COMPLETED)
    ended.check()


def test_a_run_sets_its_processes_variables_before_the_environment_does_and_that_before_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**workers: Any) -> dict[str, str]:
        described = manifest(tmp_path / "none", tmp_path, workers=workers)
        run = parse_manifest(described, source="test")
        program = """
seen = {"reason": "InternalError", "message": json.dumps(dict(os.environ)), "details": {}}
path = pathlib.Path(os.environ["CODEIO_TRAINING_RESULTS"], "0.json")
path.write_text(json.dumps({"code": 0, "at": 1, "outcome": seen}))
"""
        seen: dict[str, str] = json.loads(ended_of(run, program, monkeypatch).outcome.message)
        assert json.loads(seen["CODEIO_TRAINING_RUN"])["spec"]["workers"] == workers
        return seen

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert told(cpu="1")["OMP_NUM_THREADS"] == "1"
    assert told(cpu="1")["TORCH_CPP_LOG_LEVEL"] == "ERROR"  # or DDP warns of how it is used
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/ours")
    assert told(cpu="1")["OMP_NUM_THREADS"] == "7"
    theirs = {"OMP_NUM_THREADS": "3", "TORCHINDUCTOR_CACHE_DIR": "/theirs"}
    assert told(env=theirs).items() >= theirs.items()


@pytest.mark.parametrize(
    ("kills", "code", "reason"),
    [((3, 3), ExitCode.FAILED, "InternalError"), ((3, 4), ExitCode.OUT_OF_MEMORY, "OutOfMemory")],
)
def test_a_killed_process_had_too_little_memory_if_the_kernel_says_so(
    kills: tuple[int, int],
    code: ExitCode,
    reason: str,
    run: TrainingRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter(kills)
    monkeypatch.setattr(launching, "_kills_for_memory", lambda: next(counts))
    program = """
import signal
os.kill(os.getpid(), signal.SIGKILL) if rank == 0 else signal.pause()
"""
    ended = ended_of(run, program, monkeypatch)
    assert (ended.code, ended.outcome.reason) == (code, reason)


@pytest.mark.parametrize(
    ("nodes", "met", "code", "said"),
    [
        (2, True, ExitCode.DISRUPTED, "another process of the run went away"),
        (2, False, ExitCode.FAILED, "NCCL_SOCKET_IFNAME"),
        (1, True, ExitCode.FAILED, "was ended by SIGABRT"),
    ],
)
def test_torch_aborts_who_waits_for_a_pod_that_is_lost(
    nodes: int,
    met: bool,
    code: ExitCode,
    said: str,
    *,
    run: TrainingRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = f"""
import resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if {met}:
    pathlib.Path(os.environ["CODEIO_TRAINING_RESULTS"], f"{{rank}}.met").touch()
os.abort() if rank == 0 else signal.pause()
"""
    ended = ended_of(run, program, monkeypatch, node=Node(count=nodes))
    assert ended.code is code
    assert said in ended.outcome.message


@pytest.mark.parametrize(
    ("number", "first_waits", "code"),
    [
        (0, False, ExitCode.FAILED),
        (2, False, ExitCode.FAILED),
        (2, True, ExitCode.DISRUPTED),
    ],
)
def test_pods_that_never_meet_fail_and_count_once(
    number: int,
    code: ExitCode,
    *,
    first_waits: bool,
    run: TrainingRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network that is closed stays closed; as disruptions they would come again for ever."""
    monkeypatch.setattr(launching, "_MEETING_SECONDS", 2)
    first = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    port = first.port
    if not first_waits:
        del first
    monkeypatch.setattr(launching, "COORDINATOR_PORT", port)
    node = Node(number=number, count=3, coordinator="127.0.0.1")
    ended = launch(run, "reasoning", node=node, volumes={})
    assert ended.code is code
    assert ended.outcome.message.startswith(
        f"the 3 pods of the run have not met at 127.0.0.1:{port} within 0.0333333 minutes: see"
    )


def test_who_is_told_to_stop_tells_its_processes_and_waits_for_them(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = """
import signal
def save(*_):
    tell(75, "Disrupted", 1.0)
    os._exit(75)
signal.signal(signal.SIGTERM, save)
if rank == 0:
    os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""
    before = signal.getsignal(signal.SIGTERM)
    ended = ended_of(run, program, monkeypatch)
    assert (ended.code, ended.outcome.message) == (ExitCode.DISRUPTED, "Disrupted")
    assert signal.getsignal(signal.SIGTERM) is before
    assert [each.message for each in caplog.records if each.levelname != "INFO"] == []


def test_a_pods_place_comes_from_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(nodes: int) -> TrainingRunSpec:
        described = manifest(tmp_path, tmp_path)["spec"]
        described["workers"] = {"nodes": nodes}
        described["checkpoints"] |= {"volume": "runs"}
        return TrainingRunSpec.model_validate(described)

    monkeypatch.setenv("JOB_COMPLETION_INDEX", "2")
    monkeypatch.setenv("CODEIO_TRAINING_COORDINATOR", "run-0.run")
    assert Node.of_pod(spec(4)) == Node(number=2, count=4, coordinator="run-0.run")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert Node.of_pod(spec(1)) == Node()


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr
    yield from process.stderr


def test_a_run_on_this_machine_is_stopped_and_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    described = manifest(
        tiny_model,
        tmp_path,
        workers={"processesPerNode": 2},
        execution={"parallelism": "FSDP", "tokensPerDevice": 128},
    )
    described["spec"]["hyperparameters"]["steps"] = 100
    described["spec"]["checkpoints"]["everySteps"] = 1000
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(described), encoding="utf-8")
    command = [CODEIO, "train", "-f", str(file), "--local", "--json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in lines_of(process):
            said.append(line)
            if "step 1 of 100" in line:
                process.terminate()
    assert process.returncode == 130, "".join(said)
    assert "which is saved: start it again to go on" in said[-1]
    done = max(losses(tmp_path))
    assert done < 100
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    assert f"reasoning: goes on after step {done}" in again.stderr
    figures = json.loads(again.stdout)
    assert figures["steps"] == 100
    assert figures["out"] == str(tmp_path / "runs/tiny/models/reasoning")
    assert list(losses(tmp_path)) == list(range(1, 101))


def test_a_pod_leaves_word_of_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = manifest(tmp_path / "none", tmp_path)
    log = tmp_path / "termination-log"
    monkeypatch.setenv("CODEIO_TRAINING_RUN", json.dumps(described))
    monkeypatch.setenv("CODEIO_TERMINATION_LOG", str(log))
    ended = CliRunner().invoke(app, ["train", "--stage", "reasoning"])
    assert ended.exit_code == ExitCode.USER_ERROR
    word = Outcome.from_json(log.read_text(encoding="utf-8"))
    assert word
    assert word.reason == Reason.MODEL_NOT_FOUND
    assert str(tmp_path / "none") in word.message


def test_a_pod_that_is_told_to_stop_while_it_starts_does_so(tmp_path: Path) -> None:
    described = manifest(tmp_path / "none", tmp_path)
    torch = tmp_path / "instead/torch"
    torch.mkdir(parents=True)
    program = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n"
    (torch / "__init__.py").write_text(program, encoding="utf-8")
    ended = subprocess.run(
        [CODEIO, "train", "--stage", "reasoning"],
        env={
            **os.environ,
            "PYTHONPATH": str(torch.parent),
            "CODEIO_TRAINING_RUN": json.dumps(described),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (ended.returncode, ended.stderr.splitlines()) == (
        ExitCode.DISRUPTED,
        ["reasoning: starts 1 process", "codeio: told to stop: start it again to go on"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "codeio train -f RUN.yaml --local"),
        (["train", "-f", "run.yaml"], "kubectl apply -f run.yaml"),
        (["train", "-f", "none.yaml", "--local"], "cannot read none.yaml"),
        (["train", "--stage", "reasoning"], "must hold one TrainingRun"),
    ],
)
def test_wrong_use_is_answered_with_what_to_do(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODEIO_TRAINING_RUN", raising=False)
    ended: Any = CliRunner().invoke(app, arguments)
    assert message in str(ended.exception)
