"""A run, what the launcher would do for it, and a cluster on which that is done step by step."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from codeio.trainer_launcher.conditions import STANDINGS
from codeio.trainer_launcher.reconcile import Observed, Plan, reconcile
from codeio.trainer_launcher.standing import read_status
from tests.trainer_launcher.conftest import NOW, SETTINGS, SPEC
from tests.trainer_launcher.fake import FakeCluster

RUN = "demo"
STEPS = ["evaluate-before", "reasoning", "evaluate-after"]
_FOREGROUND = {"propagationPolicy": "Foreground"}


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
    run = cluster.run(RUN)
    if plan.status is not None and plan.status != read_status(run):
        deeds.append(lambda: write_status(cluster, plan))
    if plan.create is not None:
        assert plan.create["metadata"]["name"] not in cluster.names("jobs")
        deeds.append(lambda: cluster.store("jobs", plan.create))  # type: ignore[arg-type]
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
