"""One release for all tests of a cluster, in a namespace of its own that goes at the end."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.cluster import (
    HERE,
    MINUTES,
    REGISTRY,
    TAG,
    KubectlError,
    Release,
    eventually,
    kubectl,
    plain_pod,
)
from tests.conftest import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = int(os.environ.get("CODEIO_TEST_FILES", "200"))
"""Real files that are submitted."""

SOURCES = {"name": "sources", "persistentVolumeClaim": {"claimName": "sources"}}
DATASET = {"name": "data", "persistentVolumeClaim": {"claimName": "codeio-snapshot"}}


@pytest.fixture(scope="session")
def a_cluster() -> None:
    """Skip where there is no cluster that may be used."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("no cluster: KUBECONFIG names none")
    try:
        kubectl("version", "--output", "json", timeout=20)
    except (OSError, KubectlError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"no cluster answers: {error}")


def namespace(name: str) -> Iterator[Release]:
    release = Release(f"codeio-{name}-{uuid.uuid4().hex[:6]}")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made: dict[str, Any] = {"name": release.namespace, "labels": labels}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": made}
    kubectl("apply", "--filename", "-", stdin=json.dumps(manifest))
    try:
        yield release
    finally:
        if "CODEIO_TEST_KEEP" not in os.environ:
            kubectl("delete", "namespace", release.namespace, timeout=5 * MINUTES)


@pytest.fixture
def empty(a_cluster: None) -> Iterator[Release]:
    """A namespace for one test, with no release in it yet."""
    yield from namespace("test")


@pytest.fixture(scope="session")
def release(a_cluster: None) -> Iterator[Release]:
    """The chart, installed with a broker of its own, a teacher that is wrong, and sources."""
    if not (DATA / "pyedu_raw_500.jsonl").exists():
        pytest.skip(f"no real files to submit: {DATA}/pyedu_raw_500.jsonl is missing")
    for made in namespace("release"):
        _volumes(made)
        _teacher(made)
        made.values = {
            "teacher": {
                "baseUrl": f"http://teacher.{made.namespace}.svc:8000/v1",
                "model": "scripted",
                "storage": {"size": "1Gi"},
            },
            "kafka": {"prefix": "quiet."},
            "submit": {
                "enabled": True,
                "existingClaim": "sources",
                "sources": {"files": "/sources/files.jsonl"},
            },
            # Never by the clock: the tests make Jobs of it.
            "snapshot": {"schedule": "0 0 31 2 *"},
        }
        yield made


def _volumes(release: Release) -> None:
    """Put real files on a volume, by a pod that stays."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "sources"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Mi"}},
        },
    }
    release.apply(claim, plain_pod("hand", "sleep", "infinity", volumes=[SOURCES]))
    release.kubectl("wait", "pod/hand", "--for", "condition=Ready", "--timeout", "120s")
    rows = (DATA / "pyedu_raw_500.jsonl").read_bytes().splitlines(keepends=True)[:FILES]
    release.exec("hand", "sh", "-c", "cat > /sources/files.jsonl", stdin=b"".join(rows))


def _teacher(release: Release) -> None:
    program = (HERE / "teacher.py").read_text()
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "teacher"},
        "data": {"teacher.py": program},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "teacher"},
        "spec": {"selector": {"app": "teacher"}, "ports": [{"port": 8000}]},
    }
    volumes = [{"name": "program", "configMap": {"name": "teacher"}}]
    pod = plain_pod("teacher", "python", "/program/teacher.py", "8000", volumes=volumes)
    release.apply(config, service, pod)


@pytest.fixture(scope="session", autouse=True)
def _images(a_cluster: None) -> None:
    print(f"\nimages {REGISTRY}/codeio-*:{TAG}, {FILES} files")


def reading(release: Release) -> str:
    """Return a pod in which the volume of snapshots is mounted, that waits to be looked at."""
    name = f"reader-{uuid.uuid4().hex[:6]}"
    release.apply(plain_pod(name, "sleep", "infinity", volumes=[DATASET]))
    eventually(
        lambda: release.kubectl(
            "wait", f"pod/{name}", "--for", "condition=Ready", "--timeout", "60s"
        ),
        within=2 * MINUTES,
        what=f"{name} is there",
    )
    return name
