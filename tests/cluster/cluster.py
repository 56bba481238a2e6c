"""kubectl and Helm against the cluster of KUBECONFIG, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.deploy.chart import CHART, run_helm

if TYPE_CHECKING:
    from collections.abc import Callable

TAG = os.environ.get("CODEIO_TEST_TAG", "0.1.0")
REGISTRY = os.environ.get("CODEIO_TEST_REGISTRY", "docker.io/library")
KAFKA_IMAGE = os.environ.get("CODEIO_TEST_KAFKA_IMAGE", "")
SECOND_TAG = os.environ.get("CODEIO_TEST_SECOND_TAG", "")
"""The same images under another tag, for an upgrade; unset: the upgrade changes settings alone."""

T = TypeVar("T")

MINUTES = 60.0
_LOOK_SECONDS = 1.0


class KubectlError(Exception):
    """kubectl's own words."""


def kubectl(*arguments: str, stdin: str | bytes | None = None, timeout: float = 300) -> str:
    """Run kubectl and return what it prints.

    Raises:
        KubectlError: it ended with an error.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        ["kubectl", *arguments], input=data, capture_output=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise KubectlError(done.stderr.decode().strip())
    return done.stdout.decode(errors="replace")


def eventually(look: Callable[[], T | None], *, within: float, what: str) -> T:
    """Look until something is found, and return it; the cluster tells in its own time."""
    deadline = time.monotonic() + within
    while True:
        try:
            if found := look():
                return found
            last: object = found
        except (KubectlError, AssertionError) as error:
            last = error
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what} ({last})"
        time.sleep(_LOOK_SECONDS)


@dataclass
class Release:
    """A namespace that takes restricted pods alone, and a release of the chart in it."""

    namespace: str
    values: dict[str, Any] = field(default_factory=dict)

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return kubectl("--namespace", self.namespace, *arguments, **options)

    def get(self, *what: str) -> list[dict[str, Any]]:
        items = json.loads(self.kubectl("get", *what, "--output", "json"))
        return list(items.get("items", [items]))

    def helm(self, command: str, *options: str, values: dict[str, Any] | None = None) -> str:
        """Install or upgrade it, by the trial's values, ours and these."""
        self.values = merged(self.values, values or {})
        images: dict[str, Any] = {
            "global": {"imageRegistry": REGISTRY},
            "image": {"tag": TAG, "pullPolicy": "IfNotPresent"},
        }
        if KAFKA_IMAGE:
            repository, _, tag = KAFKA_IMAGE.rpartition(":")
            images["kafka"] = {"embedded": {"image": {"repository": repository, "tag": tag}}}
        trial = str(CHART / "ci" / "trial-values.yaml")
        return run_helm(
            command, "codeio", str(CHART), "--namespace", self.namespace,
            "--values", trial, "--values", "-", *options,
            values=merged(images, self.values),
        )  # fmt: skip

    def wait_ready(self, within: float = 4 * MINUTES) -> None:
        """Return when every workload has all of its replicas ready, as it is now."""

        def ready() -> bool:
            waiting = []
            for each in self.get("statefulsets,deployments"):
                status, wanted = each["status"], each["spec"]["replicas"]
                current = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
                updated = status.get("updatedReplicas", 0) == wanted
                if not (current and updated and status.get("readyReplicas", 0) == wanted):
                    waiting.append(each["metadata"]["name"])
            assert not waiting, waiting
            return True

        eventually(ready, within=within, what="all replicas ready")

    def wait_job(self, name: str, within: float = 5 * MINUTES) -> str:
        """Return the log of a Job that is done."""

        def done() -> bool:
            [job] = self.get("job", name)
            assert not job["status"].get("failed", 0) > 3, self.log(f"job/{name}")
            return bool(job["status"].get("succeeded", 0))

        eventually(done, within=within, what=f"job {name} done")
        return self.log(f"job/{name}")

    def log(self, what: str) -> str:
        return self.kubectl("logs", what, "--tail", "200")

    def exec(self, pod: str, *command: str, **options: Any) -> str:
        return self.kubectl("exec", "--stdin", pod, "--", *command, **options)

    def pods(self, component: str = "") -> list[dict[str, Any]]:
        selector = "app.kubernetes.io/instance=codeio"
        if component:
            selector += f",app.kubernetes.io/component={component}"
        return self.get("pods", "--selector", selector)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "--filename", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    def status(self) -> dict[str, dict[str, Any]]:
        """Return what `codeio status` says, by stage."""
        told = self.exec("codeio-executor-0", "codeio", "status", "--json", timeout=60)
        return dict(json.loads(told.strip().splitlines()[-1]))

    def run_python(self, pod: str, program: str, *arguments: str, **options: Any) -> str:
        """Run a program in a pod that is there."""
        return self.exec(pod, "python", "-", *arguments, stdin=program, **options)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value
    return result


def plain_pod(
    name: str, *command: str, volumes: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a restricted pod with the image of the command line, under no policy of the chart."""
    volumes = volumes or []
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    "image": f"{REGISTRY}/codeio-cli:{TAG}",
                    "command": list(command),
                    "volumeMounts": mounts,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "volumes": volumes,
            **more,
        },
    }


HERE = Path(__file__).parent
