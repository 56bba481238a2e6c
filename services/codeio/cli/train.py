"""`codeio train`: a training run on this machine, or one step of it in a pod."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from codeio.cli.common import Json, extra, named, say, summarise
from codeio.cli.evaluate import verifier_for
from codeio.runtime.errors import Interrupted, UsageError
from codeio.runtime.signals import answered
from codeio.training_run.environment import RUN

app = typer.Typer()


@app.command("train")
def train(
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="RUN.yaml", help="A TrainingRun.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Train on this machine, without a cluster.")
    ] = False,
    volume: Annotated[
        list[str] | None,
        typer.Option("--volume", metavar="NAME=FOLDER", help="A folder that stands for a volume."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="STEP", help=f"One step of the run in ${RUN}: in pods."),
    ] = None,
    json: Json = False,
) -> None:
    """Train a model by the same file that a cluster takes; what was done before is not done again.

    Example: codeio train -f trainingrun.yaml --local --volume data=./snapshots
    """
    if stage is not None:
        _in_pod(stage)
    elif file is None:
        raise UsageError("name a TrainingRun: codeio train -f RUN.yaml --local")
    elif not local:
        raise UsageError(
            f"to train on a cluster, run `kubectl apply -f {file}`; to train on this machine, add"
            " --local"
        )
    else:
        _on_this_machine(file, volume or [], as_json=json)


def _on_this_machine(file: Path, volumes: list[str], *, as_json: bool) -> None:
    with extra("evaluation"):
        from codeio.trainer.local import train_locally
        from codeio.training_run.manifest import read_manifest
        from codeio.training_run.outcomes import ExitCode, RunError
        from codeio.training_run.places import Places

        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"cannot read {file}: it is no UTF-8 text") from error
        run = read_manifest(text, source=str(file))
        places = Places(run=run, volumes=_folders(volumes))
        try:
            with verifier_for(run):
                figures = train_locally(run, places, say=say)
        except RunError as error:
            if error.exit_code is ExitCode.DISRUPTED:
                raise Interrupted(str(error)) from error
            say(f"codeio: {error}")
            raise typer.Exit(error.exit_code) from error
        summarise(figures, as_json=as_json)


def _in_pod(step: str) -> None:
    with answered([signal.SIGTERM], _stop):
        _do(step)


def _stop(*_: object) -> None:
    """End a pod that is told to stop before it listens.

    The first process of a container is not ended by a signal that it does not handle; and to
    import what trains takes long.
    """
    from codeio.training_run.outcomes import ExitCode

    say("codeio: told to stop: start it again to go on")
    os._exit(ExitCode.DISRUPTED)


def _do(step: str) -> None:
    with extra("evaluation" if step.startswith("evaluate-") else "trainer"):
        from codeio.trainer.launch import Node
        from codeio.trainer.local import run_step
        from codeio.training_run.manifest import read_manifest
        from codeio.training_run.outcomes import Outcome, Reason, RunError, leave_word
        from codeio.training_run.places import Places

        try:
            run = read_manifest(os.environ.get(RUN, ""), source=f"${RUN}")
            node = Node.of_pod(run.spec)
            outcome = run_step(run, step, Places(run=run), node=node, say=say)
        except RunError as error:
            leave_word(Outcome(error.reason, str(error), {"stage": step}))
            say(f"codeio: {error}")
            raise typer.Exit(error.exit_code) from error
        except UsageError as error:
            leave_word(Outcome(Reason.INVALID_SPEC, str(error), {"stage": step}))
            raise
        leave_word(outcome)
        say(outcome.message)


def _folders(volumes: list[str]) -> dict[str, Path]:
    folders = {}
    for name, folder in named("--volume", "NAME=FOLDER", volumes):
        if not Path(folder).is_dir():
            raise UsageError(f"there is no folder {folder} for the volume {name}")
        folders[name] = Path(folder).absolute()
    return folders
