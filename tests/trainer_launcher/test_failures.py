"""What ends a run before it is done, and what is only a restart."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from codeio.trainer_launcher.events import events_between
from codeio.trainer_launcher.standing import read_status
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import MEASURED, SPEC
from tests.trainer_launcher.reconciling import (
    RUN,
    STEPS,
    carry_out,
    fail_first_pod,
    new,
    plan_of,
    settle,
    stages,
)

if TYPE_CHECKING:
    from tests.trainer_launcher.fake import FakeCluster


@pytest.mark.parametrize(
    ("code", "message", "how", "expected"),
    [
        (2, Outcome("ModelNotFound", "there is no model at smol").to_json(), {},
         ("ModelNotFound", "there is no model at smol")),
        (3, Outcome("OutOfMemory", "the GPU is full").to_json(), {},
         ("OutOfMemory", "the GPU is full")),
        (137, "", {"reason": "OOMKilled"}, ("OutOfMemory", "workers.memory")),
        (2, "no JSON", {}, ("InternalError", "exit code 2: no JSON")),
    ],
)  # fmt: skip
def test_what_would_fail_again_ends_the_run_with_its_reason(
    code: int, message: str, how: dict[str, str], expected: tuple[str, str]
) -> None:
    cluster = new(SPEC, workers={"nodes": 2, "memory": "1Gi"})
    settle(cluster)
    fail_first_pod(cluster, "demo-reasoning", code, message, **how)
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", expected[0])
    condition = cluster.run(RUN)["status"]["conditions"][0]
    assert expected[1] in condition["message"]
    job = cluster.kinds["jobs"]["demo-reasoning"]
    assert [each["type"] for each in job["status"]["conditions"]] == ["Failed"]
    # The log of the one that failed is still to be read; the other does not run on.
    assert [pod["status"]["phase"] for pod in cluster.pods_of("demo-reasoning")] == ["Failed"]


def test_too_many_restarts_tell_of_the_last_one() -> None:
    cluster = new(SPEC, maxRestarts=1)
    settle(cluster)
    fail_first_pod(cluster, "demo-reasoning", 1, Outcome("InternalError", "a bug").to_json())
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
    fail_first_pod(cluster, "demo-reasoning", 1, Outcome("InternalError", "the bug").to_json())
    cluster.finish_job("demo-reasoning", "Failed", "BackoffLimitExceeded")
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "TooManyRestarts")
    assert "the bug" in cluster.run(RUN)["status"]["conditions"][0]["message"]


def test_a_failed_run_stays_so_until_its_spec_changes_and_then_goes_on() -> None:
    cluster = new(SPEC, workers={"memory": "1Gi"})
    settle(cluster)
    fail_first_pod(cluster, "demo-reasoning", 137, reason="OOMKilled")
    settle(cluster)
    cluster.remove("jobs", "demo-reasoning")
    settle(cluster)
    assert cluster.names("jobs") == []
    assert cluster.standing(RUN) == ("Failed", "OutOfMemory")
    cluster.change_run(RUN, workers={"memory": "4Gi"})
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")


def test_a_pod_that_went_away_is_a_restart_and_is_told() -> None:
    cluster = new()
    settle(cluster)
    first = stages(cluster)["reasoning"]["pod"]
    before = read_status(cluster.run(RUN))
    fail_first_pod(cluster, "demo-reasoning", 75)
    carry_out(cluster, plan_of(cluster))
    assert cluster.standing(RUN) == ("Running", "Restarting")
    settle(cluster)
    assert stages(cluster)["reasoning"]["restarts"] == 1
    assert stages(cluster)["reasoning"]["pod"] != first
    told = events_between(before, read_status(cluster.run(RUN)))
    assert [event.reason for event in told] == ["Restarted"]


def test_a_spec_that_cannot_be_read_stops_nothing_that_runs() -> None:
    """As when a definition is newer than the launcher, and has a recipe that it does not know."""
    cluster = new()
    settle(cluster)
    pods = copy.deepcopy(cluster.pods_of("demo-reasoning"))
    cluster.change_run(RUN, recipe="ThreeStage")
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "UnreadableSpec")
    assert "spec.recipe" in cluster.run(RUN)["status"]["conditions"][0]["message"]
    assert cluster.pods_of("demo-reasoning") == pods
    cluster.complete("demo-reasoning")
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    cluster.change_run(RUN, recipe="OneStage")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


def read_by_a_newer_launcher(cluster: FakeCluster) -> None:
    """Have the launcher know the recipe that is asked for; the run's spec is not changed."""
    cluster.run(RUN)["spec"]["recipe"] = "OneStage"
    settle(cluster)


def test_a_spec_that_cannot_be_read_keeps_its_job_in_the_queue() -> None:
    cluster = new(SPEC, queueName="gpus")
    settle(cluster)
    job = copy.deepcopy(cluster.kinds["jobs"]["demo-reasoning"])
    cluster.change_run(RUN, recipe="ThreeStage")
    settle(cluster)
    assert cluster.kinds["jobs"]["demo-reasoning"] == job
    assert cluster.standing(RUN) == ("Suspended", "UnreadableSpec")
    read_by_a_newer_launcher(cluster)
    assert cluster.kinds["jobs"]["demo-reasoning"] == job
    assert cluster.standing(RUN) == ("Suspended", "Queued")


def test_a_launcher_that_can_read_a_spec_takes_up_the_run() -> None:
    cluster = new(SPEC, recipe="ThreeStage")
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    read_by_a_newer_launcher(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")


@pytest.mark.parametrize("how", ["Succeeded", "OutOfMemory"])
def test_a_run_that_has_ended_stays_so_for_a_launcher_that_cannot_read_it(how: str) -> None:
    cluster = new()
    settle(cluster)
    if how == "Succeeded":
        cluster.complete("demo-reasoning")
    else:
        fail_first_pod(cluster, "demo-reasoning", 137, reason="OOMKilled")
    settle(cluster)
    status = copy.deepcopy(cluster.run(RUN)["status"])
    cluster.run(RUN)["spec"]["recipe"] = "ThreeStage"
    settle(cluster)
    assert cluster.run(RUN)["status"] == status


def test_a_run_that_cannot_be_read_can_be_suspended_and_cancelled() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    cluster.complete("demo-evaluate-before")
    settle(cluster)
    parts = [each["type"] for each in cluster.run(RUN)["status"]["conditions"]]
    cluster.change_run(RUN, recipe="ThreeStage", suspend=True)
    settle(cluster)
    assert cluster.standing(RUN) == ("Suspended", "UnreadableSpec")
    assert cluster.pods_of("demo-reasoning") == []
    assert set(parts) <= {each["type"] for each in cluster.run(RUN)["status"]["conditions"]}
    cluster.change_run(RUN, suspend=False)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "UnreadableSpec")
    assert len(cluster.pods_of("demo-reasoning")) == 1
    cluster.change_run(RUN, cancel=True)
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "Cancelled")
    assert cluster.pods_of("demo-reasoning") == []
    read_by_a_newer_launcher(cluster)
    assert cluster.standing(RUN) == ("Failed", "Cancelled")


def test_what_was_measured_before_it_could_not_be_read_is_compared_when_it_can() -> None:
    cluster = new(MEASURED)
    for step in STEPS:
        settle(cluster)
        cluster.complete(f"demo-{step}")
    settle(cluster)
    cluster.change_run(RUN, recipe="ThreeStage", evaluation={"suites": ["math"]})
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    read_by_a_newer_launcher(cluster)
    assert cluster.standing(RUN) == ("Running", "Evaluating")


def test_a_run_that_is_done_is_not_cancelled_because_it_cannot_be_read() -> None:
    cluster = new()
    settle(cluster)
    cluster.complete("demo-reasoning")
    settle(cluster)
    cluster.change_run(RUN, recipe="ThreeStage", cancel=True)
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    read_by_a_newer_launcher(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


@pytest.mark.parametrize(
    ("generation", "standing"),
    [("same", ("Failed", "InternalError")), ("changed", ("Running", "Training"))],
)
def test_a_failure_stands_unless_the_spec_was_changed_since(
    generation: str, standing: tuple[str, str]
) -> None:
    cluster = new(SPEC)
    settle(cluster)
    fail_first_pod(cluster, "demo-reasoning", 2, "no JSON")
    settle(cluster)
    if generation == "changed":
        cluster.change_run(RUN, recipe="ThreeStage", deadlineSeconds=1_000_000)
        settle(cluster)
        assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    read_by_a_newer_launcher(cluster)
    assert cluster.standing(RUN) == standing


def test_a_spec_that_the_api_server_should_have_refused_is_told_in_a_sentence() -> None:
    cluster = new({"model": {}, "data": {"reasoning": []}})
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "UnreadableSpec")
    assert "spec.model" in cluster.run(RUN)["status"]["conditions"][0]["message"]
    assert cluster.names("jobs") == []
    cluster.change_run(RUN, **SPEC)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
