"""What stops a run and what has it go on: its user, its queue, its deadline."""

from __future__ import annotations

from tests.trainer_launcher.conftest import SPEC
from tests.trainer_launcher.reconciling import RUN, carry_out, merge, new, plan_of, settle, stages


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
    message = cluster.run(RUN)["status"]["conditions"][0]["message"]
    assert "since its pods were asked for, waiting for nodes included" in message
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
