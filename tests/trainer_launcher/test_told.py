"""What a user is told of a run: conditions, events, and what it waits for."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from codeio.trainer_launcher.events import Event, event_resource, events_between
from codeio.trainer_launcher.observed import StepJob
from codeio.trainer_launcher.reconcile import Observed, Refusal, reconcile
from codeio.trainer_launcher.standing import read_status
from codeio.trainer_launcher.unmade import newest_note
from codeio.training_run.outcomes import Outcome
from codeio.training_run.status import Progress
from tests.trainer_launcher.conftest import MEASURED, NOW, SETTINGS, SPEC
from tests.trainer_launcher.fake import TIME
from tests.trainer_launcher.reconciling import (
    RUN,
    STEPS,
    fail_first_pod,
    new,
    plan_of,
    settle,
    write_status,
)

if TYPE_CHECKING:
    from tests.trainer_launcher.fake import FakeCluster


def test_events_tell_each_time_a_run_stands_otherwise() -> None:
    cluster = new(SPEC, workers={"memory": "1Gi"})

    def happened() -> list[tuple[str, str]]:
        before = read_status(cluster.run(RUN))
        settle(cluster)
        events = events_between(before, read_status(cluster.run(RUN)))
        return [(event.kind, event.reason) for event in events]

    assert happened() == [("Normal", "StepStarted")]
    cluster.change_run(RUN, suspend=True)
    assert happened() == [("Normal", "Suspended")]
    cluster.change_run(RUN, suspend=False)
    assert ("Normal", "Resumed") in happened()
    fail_first_pod(cluster, "demo-reasoning", 137, reason="OOMKilled")
    assert happened() == [("Warning", "OutOfMemory")]
    cluster.change_run(RUN, workers={"memory": "4Gi"})
    assert ("Normal", "Resumed") in happened()
    cluster.complete("demo-reasoning")
    assert happened() == [("Normal", "StepSucceeded"), ("Normal", "Succeeded")]
    assert happened() == []


def test_a_note_has_as_many_bytes_as_the_api_server_takes() -> None:
    run = new().run(RUN)
    for note in ("é" * 600, "a" + "é" * 600, "a" * 1024):
        kept = event_resource(run, Event("Failed", note), at=TIME)["note"]
        assert note.startswith(kept)
        assert 1023 <= len(kept.encode()) <= 1024


def test_progress_is_told_to_the_last_step() -> None:
    cluster = new(SPEC)
    settle(cluster)
    seen = Progress(stage="reasoning", step=116, steps=120, seconds_left=0.4, learning_rate=0.1)
    write_status(cluster, plan_of(cluster, progress=seen))
    details = {"stage": "reasoning", "step": 120, "tokens": 5000, "loss": 0.2512345}
    cluster.complete("demo-reasoning", Outcome("Completed", "done", details).to_json())
    settle(cluster)
    progress = read_status(cluster.run(RUN)).progress
    end = {"step": 120, "tokens": 5000, "loss": 0.2512, "seconds_left": 0.0}
    assert progress == seen.model_copy(update=end)


def test_what_was_measured_and_gained_is_told_after_its_jobs_are_gone() -> None:
    cluster = new(MEASURED)
    gain = [[42, 10, 70], [-3, -20, 10], [0, -1, 1]]
    scores = [
        [category, suite, 10, [100, 0, 300], [500, 200, 800], each]
        for category, each in zip(("symbolic", "logic", "scientific"), gain, strict=True)
        for suite in ("mean", "some")
    ]
    for step, details in zip(STEPS, ({}, {}, {"scores": scores}), strict=True):
        settle(cluster)
        said = f"{step}: 3 suites; not measured: bbh"
        cluster.complete(f"demo-{step}", Outcome("Completed", said, details).to_json())
    settle(cluster)
    told = copy.deepcopy(cluster.run(RUN)["status"])
    assert told["gain"] == "symbolic +4.2, logic -0.3, scientific +0.0"
    conditions = {each["type"]: each["message"] for each in told["conditions"]}
    assert conditions["Evaluated"] == "evaluate-after: 3 suites; not measured: bbh"
    assert conditions["Succeeded"] == f"gain in points: {told['gain']}"
    for step in STEPS:
        cluster.remove("jobs", f"demo-{step}")
    settle(cluster)
    assert cluster.run(RUN)["status"] == told
    # Of another evaluation it is not true.
    cluster.change_run(RUN, evaluation={"suites": ["math"]})
    settle(cluster)
    conditions = {each["type"]: each for each in cluster.run(RUN)["status"]["conditions"]}
    assert (conditions["Evaluated"]["status"], conditions["Evaluated"]["message"]) == ("False", "")


@pytest.mark.parametrize("there", [True, False])
def test_scores_and_gain_are_those_of_the_evaluation_that_is_asked_for(there: bool) -> None:
    cluster = gained()
    assert scored(cluster) == (["mean", "bbh"], "symbolic +4.2")
    if not there:
        for step in STEPS:
            cluster.remove("jobs", f"demo-{step}")
    cluster.change_run(RUN, evaluation={"suites": ["gsm8k", "math"]})
    settle(cluster)
    assert scored(cluster) == ([], None)
    missing = Outcome("EvaluationDataMissing", "no file").to_json()
    fail_first_pod(cluster, "demo-evaluate-before", 2, missing)
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "EvaluationDataMissing")
    assert scored(cluster) == ([], None)


def test_an_evaluation_without_scores_leaves_none_of_before() -> None:
    cluster = gained()
    cluster.change_run(RUN, evaluation={"suites": ["math"]})
    for step in ("evaluate-before", "evaluate-after"):
        settle(cluster)
        cluster.complete(f"demo-{step}", Outcome("Completed", "done", {"scores": []}).to_json())
    settle(cluster)
    assert (cluster.standing(RUN), scored(cluster)) == (("Succeeded", "Completed"), ([], None))


def test_scores_stay_when_the_job_that_told_them_goes_before_others() -> None:
    cluster = gained()
    cluster.remove("jobs", "demo-evaluate-after")
    settle(cluster)
    assert scored(cluster) == (["mean", "bbh"], "symbolic +4.2")


GAINED = [
    ["symbolic", suite, 10, [100, 0, 300], [500, 200, 800], [42, 10, 70]]
    for suite in ("mean", "bbh")
]


def gained() -> FakeCluster:
    """Return a run that has succeeded and whose last evaluation told of a gain."""
    cluster = new(MEASURED)
    before = {"scores": [["symbolic", "bbh", 10, [100, 0, 300], None, None]]}
    for step, told in zip(STEPS, (before, {}, {"scores": GAINED}), strict=True):
        settle(cluster)
        cluster.complete(f"demo-{step}", Outcome("Completed", "done", told).to_json())
    settle(cluster)
    return cluster


def scored(cluster: FakeCluster) -> tuple[list[str], str | None]:
    status = cluster.run(RUN)["status"]
    return [each["suite"] for each in status.get("scores", ())], status.get("gain")


def test_what_keeps_a_job_from_being_made_is_told() -> None:
    cluster = new()
    quota = Refusal("exceeded quota: gpus", final=False)
    plan = plan_of(cluster, refusal=quota)
    assert plan.status is not None
    assert plan.status.conditions[0].message == "exceeded quota: gpus"
    assert plan.create is not None
    plan = plan_of(cluster, refusal=Refusal("tolerations[0].effect: Unsupported", final=True))
    assert plan.status is not None
    assert plan.status.conditions[0].reason == "InvalidSpec"
    assert plan.create is None


def test_what_a_pod_waits_for_is_told() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    [pod] = cluster.pods_of("demo-evaluate-before")

    def told(**status: Any) -> str:
        changed = copy.deepcopy(pod) | {"spec": {"volumes": volumes}, "status": status}
        cluster._put("pods", changed | {"metadata": pod["metadata"]})
        plan = plan_of(cluster)
        assert plan.status is not None
        assert plan.status.conditions[0].reason == "Restarting"
        return plan.status.conditions[0].message

    secret = {"name": "evaluation-token", "items": [{"key": "token", "path": "token"}]}
    volumes = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "claim-0", "persistentVolumeClaim": {"claimName": "work"}},
        # The second one as a cluster's admission adds it.
        {"name": "verifier", "projected": {"sources": [{"secret": secret}, {"configMap": {}}]}},
    ]
    scheduled = {"type": "PodScheduled", "status": "True"}
    waiting = [
        {"name": "sidecar", "state": {"waiting": {"reason": "PodInitializing"}}},
        {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}},
    ]
    unmounted = {"type": "PodReadyToStartContainers", "status": "False"}
    assert told(phase="Pending", conditions=[unmounted, scheduled], containerStatuses=waiting) == (
        f"0 of 1 pods run; pod {pod['metadata']['name']} waits for what it mounts from namespace "
        "runs: claim work, Secret evaluation-token with token; make what is missing"
    )
    # With its volumes it waits for its image.
    ready = unmounted | {"status": "True"}
    plain = told(phase="Pending", conditions=[ready, scheduled], containerStatuses=waiting)
    assert plain == "0 of 1 pods run"
    pulled = {
        "name": "trainer",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
    }
    assert "ImagePullBackOff: no such image" in told(phase="Pending", containerStatuses=[pulled])
    # One that admission has put beside it, or before it, keeps it from beginning.
    sidecar = {
        "name": "istio-proxy",
        "state": {"waiting": {"reason": "ErrImagePull", "message": "no such proxy"}},
    }
    begins = {"name": "trainer", "state": {"waiting": {"reason": "PodInitializing"}}}
    for kind in ("containerStatuses", "initContainerStatuses"):
        pods_own: dict[str, Any] = {"containerStatuses": [begins]}
        pods_own[kind] = [sidecar, *pods_own.get(kind, ())]
        message = told(phase="Pending", **pods_own)
        assert message.endswith(": container istio-proxy: ErrImagePull: no such proxy")
    both = told(phase="Pending", containerStatuses=[sidecar, pulled])
    assert both.endswith(": ImagePullBackOff: no such image")
    unfit = {"type": "PodScheduled", "status": "False", "message": "no node has a GPU"}
    assert "no node has a GPU" in told(phase="Pending", conditions=[unfit])


def test_why_pods_are_not_made_is_told_while_they_are_not_there() -> None:
    cluster = new(SPEC, workers={"nodes": 2})
    settle(cluster)
    first, second = cluster.pods_of("demo-reasoning")
    note = "Error creating: exceeded quota: pods"

    def told() -> str:
        plan = plan_of(cluster, unmade=note)
        assert plan.status is not None
        return plan.status.conditions[0].message

    assert told() == ""
    cluster.remove("pods", second["metadata"]["name"])
    assert told() == f"1 of 2 pods run; {note}"
    cluster.remove("pods", first["metadata"]["name"])
    assert told() == f"0 of 2 pods run; {note}"


def test_the_newest_event_tells_unless_pods_were_made_since() -> None:
    def event(note: str, **at: Any) -> dict[str, Any]:
        return {"note": note, "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}} | at

    events = [
        event("new", deprecatedLastTimestamp="2026-01-01T00:00:09Z"),
        event("newest", series={"lastObservedTime": "2026-01-01T00:00:10.000001Z"}),
        event("old", eventTime=None),
    ]
    started = {"status": {"startTime": "2026-01-01T00:00:00Z"}}
    assert newest_note([], StepJob(started, [])) == ""
    assert newest_note(events, StepJob(started, [])) == "newest"
    assert newest_note(events[::2], StepJob(started, [])) == "new"

    def pod(at: str) -> dict[str, Any]:
        return {"metadata": {"creationTimestamp": at}}

    assert newest_note(events, StepJob(started, [pod("2026-01-01T00:00:10Z")])) == "newest"
    assert newest_note(events, StepJob(started, [pod("2026-01-01T00:00:11Z")])) == ""


def test_the_status_and_each_condition_say_of_which_spec_they_are() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    for generation in (2, 3):
        cluster.change_run(RUN, maxRestarts=generation)
        settle(cluster)
        assert cluster.run(RUN)["metadata"]["generation"] == generation
        status = cluster.run(RUN)["status"]
        assert status["observedGeneration"] == generation
        assert {each["observedGeneration"] for each in status["conditions"]} == {generation}


def test_a_condition_keeps_the_time_since_when_it_holds() -> None:
    cluster = new()
    settle(cluster)
    since = cluster.run(RUN)["status"]["conditions"][0]["lastTransitionTime"]
    seen = Observed(
        jobs=list(cluster.kinds["jobs"].values()), services=list(cluster.kinds["services"].values())
    )
    later = NOW + timedelta(hours=1)
    plan = reconcile(cluster.run(RUN), seen, settings=SETTINGS, now=later)
    assert plan.status is not None
    assert plan.status.conditions[0].reason == "Restarting"
    assert plan.status.conditions[0].last_transition_time == since
