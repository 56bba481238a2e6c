"""The same is planned for the same, and whatever happens on the way, a run comes to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from codeio.trainer_launcher.children import STEP_LABEL
from codeio.training_run.environment import RUN as RUN_VARIABLE
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import MEASURED, SPEC
from tests.trainer_launcher.fake import FakeCluster
from tests.trainer_launcher.reconciling import RUN, STEPS, carry_out, new, plan_of, settle, stages

if TYPE_CHECKING:
    from collections.abc import Callable


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
    cluster.change_run(RUN, workers={"memory": f"{cluster.version}Gi"})


def complete_what_runs(cluster: FakeCluster) -> None:
    for name, job in list(cluster.kinds.get("jobs", {}).items()):
        status = job.get("status", {})
        begun = "startTime" in status and not job["spec"]["suspend"]
        if begun and "completionTime" not in status:
            cluster.complete(name)


def measure_by(suite: str) -> Callable[[FakeCluster], None]:
    return lambda cluster: cluster.change_run(RUN, evaluation={"suites": [suite]})


def launcher_dies_after(deeds: int) -> Callable[[FakeCluster], None]:
    """Or the API server fails in the midst of it."""
    return lambda cluster: void(carry_out(cluster, plan_of(cluster), until=deeds))


def void(_: object) -> None:
    pass


EVENTS = st.sampled_from([
    kill_a_pod, lose_a_pod, forget_a_job, change_memory, complete_what_runs, FakeCluster.step,
    launcher_dies_after(0), launcher_dies_after(1), launcher_dies_after(2), launcher_dies_after(99),
    settle, measure_by("math"), measure_by("gsm8k"),
    lambda cluster: cluster.change_run(RUN, suspend=True),
    lambda cluster: cluster.change_run(RUN, suspend=False),
])  # fmt: skip


# Another evaluation begins the table anew and is taken back, or comes in the midst of the last one.
TO_AND_FRO = [
    *[settle, complete_what_runs] * 3, settle, measure_by("math"), settle, measure_by("gsm8k"),
]  # fmt: skip
AMID = [*[settle, complete_what_runs] * 2, settle, measure_by("math")]


def last_measured(cluster: FakeCluster) -> tuple[str, Any]:
    """Return the step and the evaluation of the pods that were the last to write the table."""
    jobs = {job["metadata"]["uid"]: job for _, _, kind, job in cluster.history if kind == "jobs"}
    measured = [
        job
        for _, change, kind, pod in cluster.history
        if (change, kind) == ("ADDED", "pods")
        and (job := jobs[pod["metadata"]["ownerReferences"][0]["uid"]])["metadata"]["labels"][
            STEP_LABEL
        ].startswith("evaluate")
    ]
    [container] = measured[-1]["spec"]["template"]["spec"]["containers"]
    [told] = [each["value"] for each in container["env"] if each["name"] == RUN_VARIABLE]
    step: str = measured[-1]["metadata"]["labels"][STEP_LABEL]
    return step, json.loads(told)["spec"]["evaluation"]


@settings(max_examples=150)
@example(happened=TO_AND_FRO)
@example(happened=AMID)
@given(happened=st.lists(EVENTS, max_size=25))
def test_whatever_happens_on_the_way_it_comes_to_the_same_end(
    happened: list[Callable[[FakeCluster], None]],
) -> None:
    cluster = new(MEASURED)
    for event in happened:
        event(cluster)
    cluster.change_run(RUN, suspend=False)
    # A model may be measured again, once its training has ended.
    for _ in [*STEPS, "evaluate-before"]:
        settle(cluster)
        for name, job in list(cluster.kinds["jobs"].items()):
            if "completionTime" not in job.get("status", {}):
                cluster.complete(name)
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    assert all(stage["state"] == "Succeeded" for stage in stages(cluster).values())
    assert last_measured(cluster) == ("evaluate-after", cluster.run(RUN)["spec"]["evaluation"])
    assert "activeSince" not in cluster.run(RUN)["status"]
    owners = {
        owner["uid"]
        for plural in ("jobs", "services")
        for child in cluster.kinds[plural].values()
        for owner in child["metadata"]["ownerReferences"]
    }
    assert owners == {cluster.run(RUN)["metadata"]["uid"]}
