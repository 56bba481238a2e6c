"""What is to be done for a run: the same for the same, nothing when it is done, in any order."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.trainer_launcher.conditions import STANDINGS
from codeio.trainer_launcher.events import events_between
from codeio.trainer_launcher.reconcile import Observed, Plan, Refusal, reconcile
from codeio.trainer_launcher.standing import read_status
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import MEASURED, NOW, SETTINGS, SPEC
from tests.trainer_launcher.fake import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = "demo"
_FOREGROUND = {"propagationPolicy": "Foreground"}
STEPS = ["evaluate-before", "reasoning", "evaluate-after"]


def plan_of(cluster: FakeCluster, **observed: Any) -> Plan:
    seen = Observed(
        jobs=list(cluster.kinds.get("jobs", {}).values()),
        pods=list(cluster.kinds.get("pods", {}).values()),
        services=list(cluster.kinds.get("services", {}).values()),
        **observed,
    )
    return reconcile(copy.deepcopy(cluster.run(RUN)), seen, settings=SETTINGS, now=NOW)


def carry_out(cluster: FakeCluster, plan: Plan, *, until: int = 99) -> bool:
    """Do what a plan says, or the first few things of it; return whether there was anything."""
    deeds: list[Any] = []
    deeds += [
        lambda job=job: cluster._delete(None, "jobs", job["metadata"]["name"], _FOREGROUND)
        for job in plan.delete
    ]  # type: ignore[arg-type, misc]
    deeds += [lambda job=job, patch=patch: merge(cluster, job, patch) for job, patch in plan.patch]  # type: ignore[misc]
    deeds += [lambda service=service: cluster.store("services", service) for service in plan.apply]  # type: ignore[misc]
    if plan.create is not None:
        assert plan.create["metadata"]["name"] not in cluster.names("jobs")
        deeds.append(lambda: cluster.store("jobs", plan.create))  # type: ignore[arg-type]
    run = cluster.run(RUN)
    if plan.status is not None and plan.status != read_status(run):
        deeds.append(lambda: write_status(cluster, plan))
    for deed in deeds[:until]:
        deed()
    return bool(deeds)


def merge(cluster: FakeCluster, job: Any, patch: Any) -> None:
    known = copy.deepcopy(cluster.kinds["jobs"][job["metadata"]["name"]])
    for key, value in patch["spec"].items():
        if value is None:
            known["spec"].pop(key, None)
        else:
            known["spec"][key] = value
    cluster._put("jobs", known)


def write_status(cluster: FakeCluster, plan: Plan) -> None:
    assert plan.status is not None
    status = plan.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    cluster._put("trainingruns", {**cluster.run(RUN), "status": status})


def settle(cluster: FakeCluster) -> None:
    """Have launcher and controller do all that they would without news from outside."""
    for _ in range(30):
        before = cluster.version
        while carry_out(cluster, plan_of(cluster)):
            check_conditions(cluster)
        cluster.step()
        if cluster.version == before:
            return
    pytest.fail("it does not come to rest")


def check_conditions(cluster: FakeCluster) -> None:
    conditions = cluster.run(RUN)["status"]["conditions"]
    true = [each["type"] for each in conditions if each["status"] == "True"]
    assert [each for each in true if each in STANDINGS] == [conditions[0]["type"]]


def new(spec: dict[str, Any] = SPEC, **fields: Any) -> FakeCluster:
    cluster = FakeCluster()
    cluster.add_run(RUN, copy.deepcopy(spec) | fields)
    return cluster


def stages(cluster: FakeCluster) -> dict[str, Any]:
    return {stage["name"]: stage for stage in cluster.run(RUN)["status"]["stages"]}


def fail_first_pod(
    cluster: FakeCluster, job: str, code: int, message: str = "", **how: str
) -> None:
    pod = next(pod for pod in cluster.pods_of(job) if pod["status"]["phase"] == "Running")
    cluster.end_pod(pod["metadata"]["name"], code, message, **how)


def test_steps_follow_one_another_and_the_status_tells_of_each() -> None:
    cluster = new(MEASURED)
    for number, step in enumerate(STEPS):
        settle(cluster)
        assert cluster.names("jobs") == sorted(f"demo-{each}" for each in STEPS[: number + 1])
        assert cluster.names("services") == cluster.names("jobs")
        told = [stages(cluster)[each]["state"] for each in STEPS]
        assert told == ["Succeeded"] * number + ["Running"] + ["Waiting"] * (2 - number)
        doing = "Training" if step == "reasoning" else "Evaluating"
        assert cluster.standing(RUN) == ("Running", doing)
        outcome = Outcome("Completed", "done", {"loss": 0.5, "tokens": 99, "scores": []})
        cluster.complete(f"demo-{step}", outcome.to_json())
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    status = cluster.run(RUN)["status"]
    assert (stages(cluster)["reasoning"]["loss"], stages(cluster)["reasoning"]["tokens"]) == (
        0.5,
        99,
    )
    assert status["checkpoint"] == "runs/demo/models/reasoning"
    told_parts = {each["type"]: each["status"] for each in status["conditions"]}
    assert told_parts == {
        "Succeeded": "True", "Running": "False", "DataPrepared": "True", "Evaluated": "True",
    }  # fmt: skip


def test_a_step_of_several_pods_is_told_of_by_the_first() -> None:
    cluster = new(SPEC, workers={"nodes": 2, "memory": "1Gi"})
    settle(cluster)
    first, second = cluster.pods_of("demo-reasoning")
    outcomes = (Outcome("Completed", "done", {"loss": loss}).to_json() for loss in (0.5, 9.0))
    for pod, outcome in zip((first, second), outcomes, strict=True):
        cluster.end_pod(pod["metadata"]["name"], 0, outcome)
    cluster.finish_job("demo-reasoning", "Complete", "")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    assert stages(cluster)["reasoning"]["loss"] == 0.5
    assert stages(cluster)["reasoning"]["pod"] == first["metadata"]["name"]


@settings(deadline=None)
@given(spec=st.sampled_from([SPEC, MEASURED, SPEC | {"suspend": True}]), times=st.integers(2, 5))
def test_the_same_is_planned_for_the_same_however_often(spec: Any, times: int) -> None:
    cluster = new(spec)
    assert len({repr(plan_of(cluster)) for _ in range(times)}) == 1
    while carry_out(cluster, plan_of(cluster)):
        pass
    version = cluster.version
    assert not carry_out(cluster, plan_of(cluster))
    assert cluster.version == version


def running(cluster: FakeCluster) -> list[str]:
    pods = cluster.kinds.get("pods", {})
    return [name for name, pod in pods.items() if pod["status"]["phase"] == "Running"]


def kill_a_pod(cluster: FakeCluster) -> None:
    for name in running(cluster)[:1]:
        cluster.end_pod(name, 75, Outcome("Disrupted", "told to stop").to_json())


def lose_a_pod(cluster: FakeCluster) -> None:
    for name in running(cluster)[:1]:
        cluster.remove("pods", name)


def forget_a_job(cluster: FakeCluster) -> None:
    for name in cluster.names("jobs")[:1]:
        cluster.remove("jobs", name)


def change_memory(cluster: FakeCluster) -> None:
    cluster.change_run(RUN, workers={"memory": f"{cluster.version}Mi"})


def complete_what_runs(cluster: FakeCluster) -> None:
    for name, job in list(cluster.kinds.get("jobs", {}).items()):
        status = job.get("status", {})
        begun = "startTime" in status and not job["spec"]["suspend"]
        if begun and "completionTime" not in status:
            cluster.complete(name)


def launcher_dies_after(deeds: int) -> Callable[[FakeCluster], None]:
    """Or the API server fails in the midst of it."""
    return lambda cluster: void(carry_out(cluster, plan_of(cluster), until=deeds))


def void(_: object) -> None:
    pass


EVENTS = st.sampled_from([
    kill_a_pod, lose_a_pod, forget_a_job, change_memory, complete_what_runs, FakeCluster.step,
    launcher_dies_after(0), launcher_dies_after(1), launcher_dies_after(2), launcher_dies_after(99),
    lambda cluster: cluster.change_run(RUN, suspend=True),
    lambda cluster: cluster.change_run(RUN, suspend=False),
])  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(happened=st.lists(EVENTS, max_size=25))
def test_whatever_happens_on_the_way_it_comes_to_the_same_end(
    happened: list[Callable[[FakeCluster], None]],
) -> None:
    cluster = new(MEASURED)
    for event in happened:
        event(cluster)
    cluster.change_run(RUN, suspend=False)
    for _ in STEPS:
        settle(cluster)
        for name, job in list(cluster.kinds["jobs"].items()):
            if "completionTime" not in job.get("status", {}):
                cluster.complete(name)
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    assert all(stage["state"] == "Succeeded" for stage in stages(cluster).values())
    assert "activeSince" not in cluster.run(RUN)["status"]
    owners = {
        owner["uid"]
        for plural in ("jobs", "services")
        for child in cluster.kinds[plural].values()
        for owner in child["metadata"]["ownerReferences"]
    }
    assert owners == {cluster.run(RUN)["metadata"]["uid"]}


def test_suspension_is_the_flag_of_the_job_and_goes_on_in_the_same_job() -> None:
    cluster = new()
    settle(cluster)
    uid = cluster.kinds["jobs"]["demo-reasoning"]["metadata"]["uid"]
    cluster.change_run(RUN, suspend=True)
    carry_out(cluster, plan_of(cluster))
    assert cluster.standing(RUN) == ("Suspended", "Suspending")
    settle(cluster)
    assert cluster.standing(RUN) == ("Suspended", "Suspended")
    assert cluster.kinds["jobs"]["demo-reasoning"]["spec"]["suspend"] is True
    assert cluster.pods_of("demo-reasoning") == []
    cluster.change_run(RUN, suspend=False)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
    assert cluster.kinds["jobs"]["demo-reasoning"]["metadata"]["uid"] == uid
    assert stages(cluster)["reasoning"]["restarts"] == 0


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


def test_what_a_step_is_made_of_makes_it_anew_and_nothing_else_does() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    cluster.complete("demo-evaluate-before")
    settle(cluster)
    first, training = (cluster.kinds["jobs"][f"demo-{step}"] for step in STEPS[:2])
    # A training step does not depend on how it is measured, nor on how long it may take.
    cluster.change_run(RUN, evaluation={"suites": ["math"]}, deadlineSeconds=1000, maxRestarts=3)
    settle(cluster)
    patched = cluster.kinds["jobs"]["demo-reasoning"]
    assert patched["metadata"]["uid"] == training["metadata"]["uid"]
    assert patched["spec"]["activeDeadlineSeconds"] == 1000
    assert patched["spec"]["backoffLimit"] == 3
    cluster.change_run(RUN, workers={"memory": "16Gi"})
    settle(cluster)
    anew = cluster.kinds["jobs"]["demo-reasoning"]
    assert anew["metadata"]["uid"] != training["metadata"]["uid"]
    # What is done stays done.
    assert (
        cluster.kinds["jobs"]["demo-evaluate-before"]["metadata"]["uid"]
        == (first["metadata"]["uid"])
    )


def test_a_step_that_is_no_longer_asked_for_ends_and_the_next_begins() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    assert cluster.names("jobs") == ["demo-evaluate-before"]
    cluster.change_run(RUN, evaluation=None)
    settle(cluster)
    assert cluster.names("jobs") == ["demo-reasoning"]
    assert cluster.standing(RUN) == ("Running", "Training")


def test_a_new_release_of_the_launcher_does_not_restart_what_runs() -> None:
    cluster = new()
    settle(cluster)
    later = SETTINGS.model_copy(update={"image": "codeio-trainer:next", "grace_seconds": 1})
    seen = Observed(
        jobs=list(cluster.kinds["jobs"].values()),
        pods=list(cluster.kinds["pods"].values()),
        services=list(cluster.kinds["services"].values()),
    )
    plan = reconcile(cluster.run(RUN), seen, settings=later, now=NOW)
    assert (plan.delete, plan.patch, plan.create) == ((), (), None)


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


def test_a_deadline_counts_the_time_of_all_pods_but_not_that_of_suspension() -> None:
    cluster = new(SPEC, deadlineSeconds=1000)
    settle(cluster)
    assert cluster.kinds["jobs"]["demo-reasoning"]["spec"]["activeDeadlineSeconds"] == 1000
    cluster.change_run(RUN, suspend=True)
    carry_out(cluster, plan_of(cluster))
    settle(cluster)
    # Ten minutes after its pods began.
    assert cluster.run(RUN)["status"]["activeSeconds"] == 600
    settle(cluster)
    cluster.change_run(RUN, suspend=False)
    settle(cluster)
    assert cluster.kinds["jobs"]["demo-reasoning"]["spec"]["activeDeadlineSeconds"] == 400
    for pod in cluster.pods_of("demo-reasoning"):
        cluster.remove("pods", pod["metadata"]["name"])
    cluster.finish_job("demo-reasoning", "Failed", "DeadlineExceeded")
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "DeadlineExceeded")
    cluster.change_run(RUN, deadlineSeconds=2000)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")


def test_a_cancelled_run_ends_for_good_and_keeps_its_job() -> None:
    cluster = new()
    settle(cluster)
    cluster.change_run(RUN, cancel=True)
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "Cancelled")
    assert cluster.names("jobs") == ["demo-reasoning"]
    cluster.change_run(RUN, workers={"memory": "9Gi"})
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "Cancelled")


def test_a_run_that_has_succeeded_cannot_be_suspended_or_cancelled() -> None:
    cluster = new()
    settle(cluster)
    cluster.complete("demo-reasoning")
    settle(cluster)
    cluster.change_run(RUN, suspend=True, cancel=True)
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


def test_the_flag_of_a_queued_job_is_kueues() -> None:
    cluster = new(SPEC, queueName="gpus")
    settle(cluster)
    job = cluster.kinds["jobs"]["demo-reasoning"]
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert cluster.standing(RUN) == ("Suspended", "Queued")
    merge(cluster, job, {"spec": {"suspend": False}})
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
    merge(cluster, job, {"spec": {"suspend": True}})
    assert plan_of(cluster).patch == ()
    settle(cluster)
    assert cluster.standing(RUN) == ("Suspended", "Queued")
    # Suspended by its user it takes no place in the queue.
    cluster.change_run(RUN, suspend=True)
    settle(cluster)
    assert cluster.names("jobs") == []
    assert cluster.standing(RUN) == ("Suspended", "Suspended")


def test_a_spec_that_the_api_server_should_have_refused_is_told_in_a_sentence() -> None:
    cluster = new({"model": {}, "data": {"reasoning": []}})
    settle(cluster)
    assert cluster.standing(RUN) == ("Failed", "InvalidSpec")
    assert "spec.model" in cluster.run(RUN)["status"]["conditions"][0]["message"]
    assert cluster.names("jobs") == []
    cluster.change_run(RUN, **SPEC)
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")


def test_nothing_is_made_for_a_run_that_is_being_deleted() -> None:
    cluster = new()
    cluster.run(RUN)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert plan_of(cluster) == Plan()


def test_children_of_an_earlier_run_of_the_name_are_not_taken_for_its_own() -> None:
    cluster = new()
    settle(cluster)
    job = copy.deepcopy(cluster.kinds["jobs"]["demo-reasoning"])
    cluster.complete("demo-reasoning")
    old = copy.deepcopy(cluster.kinds["jobs"]["demo-reasoning"])
    service = copy.deepcopy(cluster.kinds["services"]["demo-reasoning"])
    cluster.remove("trainingruns", RUN)
    cluster.add_run(RUN, copy.deepcopy(SPEC))
    seen = Observed(jobs=[old, job], services=[service])
    plan = reconcile(cluster.run(RUN), seen, settings=SETTINGS, now=NOW)
    assert plan.create is not None
    # The Service of before goes with its run.
    assert [each["metadata"]["name"] for each in plan.apply] == ["demo-reasoning"]
    assert plan.status is not None
    assert plan.status.stages[0].state == "Running"


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


def test_a_step_that_is_done_is_not_done_again_when_its_job_is_gone() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    cluster.complete("demo-evaluate-before")
    settle(cluster)
    cluster.remove("jobs", "demo-evaluate-before")
    settle(cluster)
    assert cluster.names("jobs") == ["demo-reasoning"]
    assert stages(cluster)["evaluate-before"]["state"] == "Succeeded"


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
    waiting = [{"state": {"waiting": {"reason": "ContainerCreating"}}}]
    unmounted = {"type": "PodReadyToStartContainers", "status": "False"}
    assert told(phase="Pending", conditions=[unmounted, scheduled], containerStatuses=waiting) == (
        f"0 of 1 pods run; pod {pod['metadata']['name']} waits for what it mounts from namespace "
        "runs: claim work, Secret evaluation-token with token; make what is missing"
    )
    # With its volumes it waits for its image.
    ready = unmounted | {"status": "True"}
    plain = told(phase="Pending", conditions=[ready, scheduled], containerStatuses=waiting)
    assert plain == "0 of 1 pods run"
    pulled = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    assert "ImagePullBackOff: no such image" in told(phase="Pending", containerStatuses=[pulled])
    unfit = {"type": "PodScheduled", "status": "False", "message": "no node has a GPU"}
    assert "no node has a GPU" in told(phase="Pending", conditions=[unfit])
