"""One release through its life: installed, at work, disturbed, gone and back again.

The tests build on one another, in their order.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.cluster.cluster import (
    MINUTES,
    SECOND_TAG,
    TAG,
    KubectlError,
    Release,
    eventually,
    kubectl,
)
from tests.cluster.conftest import FILES, reading
from tests.deploy.chart import run_helm

if TYPE_CHECKING:
    from collections.abc import Callable

COMPONENTS = ("normalizer", "executor", "cot-generator", "verifier", "sandbox", "kafka")
_REACH = """
import socket, sys
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print("reached", target)
    except OSError as error:
        print("not", target, error)
"""
_HOSTILE = """
import socket
def main_solution(targets):
    reached = []
    for host, port in targets:
        try:
            socket.create_connection((host, port), timeout=1).close()
            reached.append([host, port])
        except Exception:
            pass
    try:
        reached.append(socket.gethostbyname("kubernetes.default.svc"))
    except Exception:
        pass
    return {"reached": reached}
"""
_CALL_EXECUTOR = """
import json, sys
from codeio.client import ExecutorClient
code, target, inputs = sys.argv[1:]
with ExecutorClient(target) as executor:
    for result in executor.execute(code, [json.loads(inputs)]):
        print(result.outcome, result.output_json or result.error_message)
"""
_quiet: dict[str, str] = {}
_begun: list[float] = []


def test_it_comes_up_and_gives_samples(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    _begun.append(started)
    release.helm("install")
    release.wait_ready()
    ready = time.monotonic() - started
    eventually(
        lambda: release.status()["verifier"]["written"], within=5 * MINUTES, what="a first sample"
    )
    first = time.monotonic() - started
    with capsys.disabled():
        print(f"\ninstall to all ready {ready:.0f} s, to the first sample {first:.0f} s")
    for pod in release.pods():
        if pod["status"]["phase"] == "Running":
            assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "codeio"


def test_sandboxes_are_in_gvisor(release: Release) -> None:
    [pod, *_] = release.pods("sandbox")
    name = pod["metadata"]["name"]
    assert "Starting gVisor" in release.exec(name, "dmesg")
    assert "Starting gVisor" not in release.exec("codeio-executor-0", "cat", "/proc/version")


def test_a_sandbox_reaches_nobody(release: Release) -> None:
    """Neither the pod, nor a hostile program in it: only its result goes out."""
    [sandbox, *_] = release.pods("sandbox")
    address = {pod["metadata"]["name"]: pod["status"].get("podIP", "") for pod in release.pods()}
    [api] = json.loads(kubectl("get", "service", "kubernetes", "--output", "json"))["spec"][
        "clusterIPs"
    ]
    dns = json.loads(kubectl("get", "services", "--namespace", "kube-system", "--output", "json"))
    targets = [
        f"{api}:443",
        *(f"{each['spec']['clusterIP']}:53" for each in dns["items"]),
        f"{address['codeio-kafka-0']}:9092",
        *(f"{address[f'codeio-{stage}-0']}:50051" for stage in COMPONENTS[:4]),
        *(f"{address[f'codeio-{stage}-0']}:9090" for stage in COMPONENTS[:4]),
    ]
    told = release.run_python(sandbox["metadata"]["name"], _REACH, *targets, timeout=120)
    assert told.count("not ") == len(targets), told

    split = [target.rpartition(":")[::2] for target in targets]
    inputs = json.dumps({"targets": [[host, int(port)] for host, port in split]})
    # As the chart's own test calls it; the hand is no pod of the release, and is not let in.
    own = f"codeio-executor.{release.namespace}.svc:50051"
    with pytest.raises(KubectlError):
        release.run_python("hand", _CALL_EXECUTOR, _HOSTILE, own, inputs, timeout=240)
    told = release.run_python(
        "codeio-executor-0", _CALL_EXECUTOR, _HOSTILE, "127.0.0.1:50051", inputs, timeout=120
    )
    assert '{"reached":[]}' in told.replace(" ", ""), told


def test_helm_test_passes(release: Release) -> None:
    told = run_helm("test", "codeio", "--namespace", release.namespace, "--timeout", "3m")
    assert "Phase:          Succeeded" in told or "Succeeded" in told, told


def test_real_files_become_a_data_set(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    done = worked_off(release)
    seconds = time.monotonic() - _begun[0]
    samples = done["verifier"]["written"]
    assert done["normalizer"]["read"] > 0.6 * FILES, done
    assert samples > FILES
    with capsys.disabled():
        rates = ", ".join(f"{stage} {done[stage]['read'] / seconds:.1f}" for stage in done)
        print(f"\n{FILES} files: {json.dumps(done)}")
        print(f"records a second over {seconds:.0f} s, the installation included: {rates}")
        print(f"memory at work, MiB: {json.dumps(memory(release))}")
    _quiet.update(snapshot(release))
    assert _quiet["samples.jsonl.zst"]
    assert any(name.startswith("dataset/") for name in _quiet)


def test_nothing_is_lost_or_repeated_whatever_goes(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    """An upgrade, a rollback, every pod deleted and evicted, amid the work."""
    assert _quiet, "there is no quiet run to compare with"
    clear(release)
    restarted = {"kafka": {"prefix": "disturbed."}}
    release.helm("upgrade", values=restarted)
    revision = int(json.loads(
        run_helm("status", "codeio", "--namespace", release.namespace, "--output", "json")
    )["version"])  # fmt: skip
    tag = {"image": {"tag": SECOND_TAG or TAG}}
    config = {"config": {"telemetry": {"log_level": "info"}}}
    disturbances: list[tuple[str, Callable[[], object]]] = [
        ("upgrade", lambda: release.helm("upgrade", values={**tag, **config})),
        ("rollback", lambda: run_helm(
            "rollback", "codeio", str(revision), "--namespace", release.namespace)),
        *((f"delete {each}", lambda each=each: delete_one(release, each)) for each in COMPONENTS),
        ("evict all", lambda: evict_all(release)),
    ]  # fmt: skip
    random.Random(7).shuffle(disturbances)
    # A rollback is to something, and a drain is last, when all the rest has been gone through.
    disturbances.sort(key=lambda each: (each[0] == "rollback", each[0] == "evict all"))
    amid = []
    for number, (name, disturb) in enumerate(disturbances):
        reached = progressed(release, of=len(disturbances) + 2, number=number)
        amid.append(f"{name} at {reached}")
        disturb()
        release.wait_ready()
    unfinished = release.status()
    assert any(stage["lag"] for stage in unfinished.values()), f"too few files: {amid}"
    done = worked_off(release)
    with capsys.disabled():
        print(f"\ndisturbed amid the work: {', '.join(amid)}\n{json.dumps(done)}")
    assert snapshot(release) == _quiet
    assert sum(stage["dead"] for stage in done.values()) == 0


def test_nothing_stays_and_what_is_kept_is_found_again(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    run_helm("uninstall", "codeio", "--namespace", release.namespace, "--wait", "--timeout", "3m")
    kinds = kubectl("api-resources", "--verbs=list", "--namespaced", "--output", "name").split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "packagemanifests"))]
    selector = ("--selector", "app.kubernetes.io/part-of=codeio", "--output", "name")

    def left() -> set[str]:
        return set(release.kubectl("get", ",".join(kinds), *selector).split())

    claims = {
        "persistentvolumeclaim/codeio-snapshot",
        "persistentvolumeclaim/data-codeio-kafka-0",
        "persistentvolumeclaim/responses-codeio-cot-generator-0",
    }
    eventually(lambda: left() <= claims, within=MINUTES, what="all of the release is gone")
    kept = {f"persistentvolumeclaim/{each['metadata']['name']}" for each in release.get("pvc")}
    assert claims <= kept
    clear(release)
    release.helm("install", values={"submit": {"enabled": False}})
    release.wait_ready()
    assert all(stage["lag"] == 0 for stage in release.status().values())
    with capsys.disabled():
        print(f"\nmemory at rest, MiB: {json.dumps(memory(release))}")
    assert snapshot(release) == _quiet


def worked_off(release: Release, within: float = 40 * MINUTES) -> dict[str, dict[str, int]]:
    """Return what the stages have done, once nothing waits before any and all was submitted."""
    [job] = [
        each
        for each in release.get("jobs", "--selector", "app.kubernetes.io/component=submit")
        if not each["metadata"].get("deletionTimestamp")
    ][-1:]
    release.wait_job(job["metadata"]["name"])
    before: dict[str, dict[str, int]] = {}

    def quiet() -> dict[str, dict[str, int]] | None:
        nonlocal before
        now = release.status()
        same, before = now == before, now
        idle = not any(stage["lag"] for stage in now.values())
        return now if idle and same and now["normalizer"]["read"] else None

    return eventually(quiet, within=within, what="all is worked off")


def progressed(release: Release, *, of: int, number: int) -> str:
    """Wait until another share of the files has been read; return how far that is."""

    def far() -> str:
        with suppress(KubectlError):
            read = release.status()["normalizer"]["read"]
            if read * of >= FILES * 0.6 * number:
                return str(read)
        return ""

    return eventually(far, within=10 * MINUTES, what=f"part {number} of {of} is done")


def delete_one(release: Release, component: str) -> None:
    pod = random.Random(component).choice(release.pods(component))
    release.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")


def evict_all(release: Release) -> None:
    """Do as `kubectl drain` does with the node's pods, with the budgets in force."""
    for pod in release.pods():
        if pod["metadata"].get("ownerReferences", [{}])[0].get("kind") == "Job":
            continue
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{release.namespace}/pods/{name}/eviction"
        eviction = json.dumps(
            {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name, "namespace": release.namespace},
            }
        )

        def evict(path: str = path, eviction: str = eviction) -> bool:
            kubectl("create", "--raw", path, "--filename", "-", stdin=eviction)
            return True

        # Refused while another of its kind is not back yet.
        eventually(evict, within=3 * MINUTES, what=f"the budget lets {name} go")


def snapshot(release: Release) -> dict[str, str]:
    """Take one and return the sums of its files; its provenance tells when and is left out."""
    release.kubectl("delete", "job", "now", "--ignore-not-found")
    release.kubectl("create", "job", "now", "--from", "cronjob/codeio-snapshot")
    release.wait_job("now")
    reader = reading(release)
    try:
        told = release.exec(
            reader, "sh", "-c", "cd /data/dataset && find . -type f | xargs sha256sum"
        )
    finally:
        release.kubectl("delete", "pod", reader)
    sums = (line.split() for line in told.splitlines())
    return {
        name.removeprefix("./"): total
        for total, name in sums
        if not name.endswith((".sqlite", "README.md", ".json"))
    }


def clear(release: Release) -> None:
    """Empty the volume of snapshots: one is not written over another's."""
    reader = reading(release)
    release.exec(reader, "sh", "-c", "rm -rf /data/dataset")
    release.kubectl("delete", "pod", reader)


def memory(release: Release) -> dict[str, int]:
    """Return the working set of each pod, as the kubelet counts it, in MiB."""
    [node, *_] = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
    told = json.loads(kubectl("get", "--raw", path))
    return {
        pod["podRef"]["name"]: round(pod["memory"].get("workingSetBytes", 0) / 2**20)
        for pod in told["pods"]
        if pod["podRef"]["namespace"] == release.namespace and "memory" in pod
    }
