"""What ends a run before it is done, and what is only a restart."""

from __future__ import annotations

import copy

import pytest

from codeio.trainer_launcher.events import events_between
from codeio.trainer_launcher.standing import read_status
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import SPEC
from tests.trainer_launcher.reconciling import (
    RUN,
    carry_out,
    fail_first_pod,
    new,
    plan_of,
    settle,
    stages,
)


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
    running = copy.deepcopy(cluster.run(RUN)["status"])
    cluster.change_run(RUN, recipe="ThreeStage")
    assert "spec.recipe" in plan_of(cluster).unread
    settle(cluster)
    assert cluster.run(RUN)["status"] == running
    assert [pod["status"]["phase"] for pod in cluster.pods_of("demo-reasoning")] == ["Running"]
    cluster.complete("demo-reasoning")
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "InvalidSpec")
    cluster.change_run(RUN, recipe="OneStage")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


def test_a_spec_that_the_api_server_should_have_refused_is_told_in_a_sentence() -> None:
    cluster = new({"model": {}, "data": {"reasoning": []}})
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "InvalidSpec")
    assert "spec.model" in cluster.run(RUN)["status"]["conditions"][0]["message"]
    assert cluster.names("jobs") == []
    cluster.change_run(RUN, **SPEC)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
