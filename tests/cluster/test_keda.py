"""KEDA makes more of a stage when records wait before it, and fewer when none do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.cluster import MINUTES, KubectlError, eventually, kubectl

if TYPE_CHECKING:
    from tests.cluster.cluster import Release


def test_a_stage_grows_with_its_lag_and_shrinks(empty: Release) -> None:
    try:
        kubectl("get", "crd", "scaledobjects.keda.sh")
    except KubectlError:
        pytest.skip("no KEDA on this cluster")
    bounds = {"minReplicas": 1, "maxReplicas": 2, "lag": 10}
    scaling = {"enabled": True, "pollingInterval": 3, "cooldownSeconds": 10}
    files = {f"f{number}.py": _file(number) for number in range(200)}
    empty.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "files"},
            "data": files,
        }
    )
    empty.helm(
        "install",
        values={
            "autoscaling": {"keda": scaling},
            "executor": {"autoscaling": bounds},
            "normalizer": {"autoscaling": {**bounds, "maxReplicas": 1}},
            "cotGenerator": {"autoscaling": {**bounds, "maxReplicas": 1}},
            "verifier": {"autoscaling": {**bounds, "maxReplicas": 1}},
            "sandbox": {"guests": 15, "autoscaling": {"minReplicas": 1, "maxReplicas": 1}},
            "snapshot": {"enabled": False},
        },
    )
    empty.wait_ready()
    for each in empty.get("scaledobjects"):
        _understood(empty, each["metadata"]["name"])
    empty.helm(
        "upgrade",
        values={
            "submit": {
                "enabled": True, "existingConfigMap": "files", "sources": {"files": "/sources"},
            }
        },
    )  # fmt: skip

    def replicas() -> int:
        [stage] = empty.get("statefulset", "codeio-executor")
        return int(stage["spec"]["replicas"])

    eventually(lambda: replicas() == 2, within=5 * MINUTES, what="a second executor")
    eventually(lambda: replicas() == 1, within=15 * MINUTES, what="one executor again")


def _understood(release: Release, name: str) -> None:
    def ready() -> bool:
        [told] = release.get("scaledobject", name)
        conditions = told.get("status", {}).get("conditions", [])
        return {each["type"]: each["status"] for each in conditions}.get("Ready") == "True"

    eventually(ready, within=MINUTES, what=f"KEDA understands {name}")


def _file(number: int) -> str:
    return f'''
def step_{number}(n: int) -> int:
    """Sum up multiples.

    >>> step_{number}(3)
    {number + 3 * (number + 2)}
    """
    total = {number}
    for i in range(n):
        total += i * {number + 2}
    return total
'''
