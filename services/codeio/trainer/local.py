"""All steps of a run on this machine, one after another, as the launcher has them on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from codeio.runtime.errors import UsageError
from codeio.trainer.launch import Node, launch
from codeio.trainer.lock import run_alone, step_alone
from codeio.trainer.trained import outcome_of_trained
from codeio.training_run.outcomes import Outcome, Reason
from codeio.training_run.spec import EVALUATE_BEFORE, STAGES, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.places import Places


def run_step(
    run: TrainingRun, step: str, places: Places, *, node: Node, say: Callable[[str], None]
) -> Outcome:
    """Do one step of a run: a stage, or an evaluation. What is done is not done again.

    Raises:
        UsageError: the run has no such step.
        RunError: it cannot be done, for whatever reason.
    """
    if step not in steps_of(run.spec):
        raise UsageError(f"the run has no step {step}: {', '.join(steps_of(run.spec))}")
    if step in STAGES[run.spec.recipe]:
        # Before any process meets others: a pod in the place of one that was lost at the very
        # end would wait for those that are done.
        if trained := outcome_of_trained(run, step, places):
            return trained
        processes = run.spec.workers.processes
        say(f"{step}: starts {processes} process{'es' if processes > 1 else ''}")
        ended = launch(run, step, node=node, volumes=places.volumes)
        ended.check()
        return ended.outcome
    return _evaluate(run, step, places, say)


def train_locally(
    run: TrainingRun, places: Places, *, say: Callable[[str], None]
) -> dict[str, Any]:
    """Do what is left of a run's steps, with the processes of one node.

    Returns:
        Figures of all of it.

    Raises:
        RunError: a step cannot be done, or another process is at it.
    """
    with run_alone(places.folder):
        return _all_steps(run, places, say)


def _all_steps(run: TrainingRun, places: Places, say: Callable[[str], None]) -> dict[str, Any]:
    nodes = run.spec.workers.nodes
    if nodes > 1:
        say(f"the {nodes} nodes are for a cluster: here the processes of one train")
    if run.spec.workers.env_from:
        say(
            "the Secrets of workers.envFrom are a cluster's: here variables are those of this shell"
        )
    figures: dict[str, Any] = {"stages": {}, "steps": 0, "tokens": 0}
    for step in steps_of(run.spec):
        outcome = run_step(run, step, places, node=Node(), say=say)
        if outcome.reason != Reason.COMPLETED:
            continue
        details = outcome.details
        if "stage" in details:
            figures["stages"][step] = details
            figures["steps"] += details["step"]
            figures["tokens"] += details["tokens"]
            say(f"{step}: done, {details['step']:,} steps, last loss {_loss(details['loss'])}")
        else:
            figures[step] = details
    return {**figures, "out": str(places.last_model)}


def _evaluate(run: TrainingRun, step: str, places: Places, say: Callable[[str], None]) -> Outcome:
    from codeio.evaluation import evaluate_run  # noqa: PLC0415  (slow)
    from codeio.trainer.failures import failure_of  # noqa: PLC0415
    from codeio.trainer.stopping import Stop, ToldToStop  # noqa: PLC0415

    when: Literal["before", "after"] = "before" if step == EVALUATE_BEFORE else "after"
    try:
        with Stop().listening(), step_alone(places.folder):
            return evaluate_run(run, places, when=when, say=say)
    except (Exception, ToldToStop) as error:
        raise failure_of(error, folder=places.folder) from error


def _loss(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
