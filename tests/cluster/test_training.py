"""Training runs on a cluster: carried out, disturbed, suspended, refused, failed and deleted.

They share a volume with a tiny model and a few hundred chats, and a launcher of two replicas. The
disturbed runs are the undisturbed one under other names, so their losses must be the same.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

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
from tests.cluster.conftest import namespace
from tests.deploy.chart import run_helm
from tests.evaluation.conftest import local_file

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAINER = os.environ.get("CODEIO_TEST_TRAINER", f"{REGISTRY}/codeio-trainer-cpu:{TAG}")
"""Image of the trainer for machines without GPUs."""

STEPS = int(os.environ.get("CODEIO_TEST_STEPS", "120"))
CRD = "trainingruns.codeio.dev"
VOLUME = {"name": "training", "persistentVolumeClaim": {"claimName": "training"}}
LAUNCHER = "app.kubernetes.io/component=trainer-launcher"

# Of the processes of a pod that trains: one, so that the others find it gone.
_KILL = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if "codeio.trainer.process" in (folder / "cmdline").read_bytes().decode().split("\\0"):
        os.kill(int(folder.name), signal.SIGKILL)
        print("killed", folder.name)
"""

_undisturbed: list[float] = []


@pytest.fixture(scope="module")
def training(a_cluster: None) -> Iterator[Release]:
    """The launcher alone, and a volume with what it takes to train."""
    for made in namespace("training"):
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "training"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "2Gi"}},
            },
        }
        hand = plain_pod("hand", "sleep", "infinity", volumes=[VOLUME])
        hand["spec"]["containers"][0]["image"] = TRAINER
        made.apply(claim, hand)
        made.kubectl("wait", "pod/hand", "--for", "condition=Ready", "--timeout", "300s")
        program = (HERE / "tiny.py").read_text()
        made.run_python("hand", program, "/training", timeout=5 * MINUTES)
        off = {"enabled": False}
        made.values = {
            **dict.fromkeys(("normalizer", "executor", "cotGenerator", "verifier"), off),
            "kafka": {"embedded": off},
            "snapshot": off,
            "crds": {"enabled": True, "keep": False},
            "trainerLauncher": {
                "enabled": True,
                "replicas": 2,
                "trainer": {"image": TRAINER},
                "config": {"trainer_launcher": {"progress_seconds": 1, "grace_seconds": 60}},
            },
        }
        try:
            made.helm("install")
            made.wait_ready()
            yield made
        finally:
            if "CODEIO_TEST_KEEP" not in os.environ:
                run_helm("uninstall", "codeio", "--namespace", made.namespace, "--wait")
                # With it go all runs.
                kubectl("delete", "crd", CRD, "--ignore-not-found", timeout=3 * MINUTES)


def run_of(name: str, **spec: Any) -> dict[str, Any]:
    """Return a run of two pods, small enough for two processors."""
    least: dict[str, Any] = {
        "model": {"volume": "training", "path": "models/tiny"},
        "data": {"reasoning": [{"volume": "training", "path": "data/chats.jsonl"}]},
        "hyperparameters": {
            "steps": STEPS,
            "batchSize": 32,
            "maxLength": 256,
            "learningRate": 0.002,
        },
        "execution": {"precision": "Float32", "tokensPerDevice": 512},
        "workers": {
            "nodes": 2,
            "cpu": "100m",
            "memory": "2Gi",
            "sharedMemory": "64Mi",
            "env": {"OMP_NUM_THREADS": "1"},
        },
        "checkpoints": {"volume": "training", "path": "runs", "everySteps": 10},
    }
    return {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": least | spec,
    }


def apply(release: Release, run: dict[str, Any]) -> str:
    """Apply a run as a user does, from a file of YAML."""
    return release.kubectl("apply", "--filename", "-", stdin=yaml.safe_dump(run))


def status(release: Release, name: str) -> dict[str, Any]:
    [run] = release.get("trainingrun", name)
    return dict(run.get("status", {}))


def state(release: Release, name: str) -> dict[str, Any]:
    """Return the condition by which a run stands."""
    conditions = status(release, name).get("conditions", [])
    return next((each for each in conditions if each["status"] == "True"), {"type": ""})


def ended(release: Release, name: str, within: float = 8 * MINUTES) -> dict[str, Any]:
    """Return the condition of a run once it has ended."""

    def over() -> dict[str, Any] | None:
        now = state(release, name)
        assert now["type"] in ("Succeeded", "Failed"), status(release, name)
        return now

    return eventually(over, within=within, what=f"{name} has ended")


def losses(release: Release, name: str) -> list[float]:
    """Return the loss of each step, as the trainer wrote it."""
    path = f"/training/runs/{name}/metrics/reasoning.jsonl"
    lines = release.exec("hand", "sh", "-c", f"cat {path} 2>/dev/null || true").splitlines()
    steps = [json.loads(line) for line in lines if line.endswith("}")]
    assert [each["step"] for each in steps] == list(range(1, len(steps) + 1))
    return [each["loss"] for each in steps]


def under_way(release: Release, name: str) -> int:
    """Return the step that a run has reached, once it has a checkpoint to go on from."""

    def far() -> int | None:
        assert state(release, name)["type"] != "Succeeded", "it was over too soon"
        step = len(losses(release, name))
        return step if step >= STEPS // 4 else None

    return eventually(far, within=5 * MINUTES, what=f"{name} is under way")


def pods_of(release: Release, name: str) -> list[dict[str, Any]]:
    return [
        pod
        for pod in release.pods("trainer")
        if any(each["name"].startswith(f"{name}-") for each in pod["metadata"]["ownerReferences"])
    ]


def test_two_pods_train_from_apply_to_succeeded(
    training: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    apply(training, run_of("undisturbed"))
    under_way(training, "undisturbed")
    pods = pods_of(training, "undisturbed")
    assert len(pods) == 2
    for pod in pods:
        mounts = pod["spec"]["containers"][0]["volumeMounts"]
        assert not any("serviceaccount" in mount["mountPath"] for mount in mounts)
    shown = training.kubectl("get", "trainingruns")
    assert "Running" in shown
    assert "reasoning" in shown
    assert ended(training, "undisturbed")["type"] == "Succeeded"
    took = time.monotonic() - started
    _undisturbed.extend(losses(training, "undisturbed"))
    assert len(_undisturbed) == STEPS
    assert _undisturbed[-1] < 0.8 * _undisturbed[0]
    told = status(training, "undisturbed")
    assert told["observedGeneration"] == 1
    assert told["progress"]["step"] == STEPS
    files = training.exec("hand", "ls", "/training/runs/undisturbed/models/reasoning").split()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    events = training.kubectl(
        "get", "events", "--field-selector", "involvedObject.kind=TrainingRun"
    )
    assert "undisturbed" in events
    with capsys.disabled():
        print(f"\n{STEPS} steps of two pods in {took:.0f} s\n{shown}")


@pytest.mark.parametrize("how", ["killed", "deleted"])
def test_one_that_loses_a_pod_goes_on_and_ends_the_same(
    training: Release, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _undisturbed, "there is no undisturbed run to compare with"
    apply(training, run_of(how))
    step = under_way(training, how)
    pod = pods_of(training, how)[-1]["metadata"]["name"]
    if how == "killed":
        assert "killed" in training.run_python(pod, _KILL)
    else:
        training.kubectl("delete", "pod", pod, "--force", "--grace-period", "0")
    assert ended(training, how)["type"] == "Succeeded"
    assert losses(training, how) == _undisturbed
    with capsys.disabled():
        [stage] = status(training, how)["stages"]
        print(f"\n{pod} was {how} at step {step}; restarts: {stage['restarts']}")


def test_it_is_suspended_and_resumed(training: Release) -> None:
    assert _undisturbed, "there is no undisturbed run to compare with"
    apply(training, run_of("paused"))
    under_way(training, "paused")
    apply(training, run_of("paused", suspend=True))

    def still() -> bool:
        return state(training, "paused")["type"] == "Suspended" and not [
            pod
            for pod in pods_of(training, "paused")
            if pod["status"]["phase"] in ("Pending", "Running")
        ]

    eventually(still, within=3 * MINUTES, what="it is suspended and its pods are gone")
    reached = len(losses(training, "paused"))
    assert reached < STEPS
    apply(training, run_of("paused"))
    assert ended(training, "paused")["type"] == "Succeeded"
    assert losses(training, "paused") == _undisturbed


def test_the_gain_is_told_by_category(
    training: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = local_file("gsm8k").read_text()
    training.exec("hand", "sh", "-c", "cat > /training/data/gsm8k.jsonl", stdin=rows)
    evaluation = {
        "suites": ["mathematical"],
        "files": {"gsm8k": "data/gsm8k.jsonl"},
        "volume": "training",
        "maxNewTokens": 16,
    }
    hyperparameters = {"steps": 20, "batchSize": 32, "maxLength": 256, "learningRate": 0.002}
    apply(training, run_of("measured", evaluation=evaluation, hyperparameters=hyperparameters))
    assert ended(training, "measured")["type"] == "Succeeded"
    told = status(training, "measured")
    conditions = {each["type"]: each["status"] for each in told["conditions"]}
    assert conditions["Evaluated"] == "True"
    [gsm8k] = [score for score in told["scores"] if score["suite"] == "gsm8k"]
    assert (gsm8k["category"], gsm8k["questions"]) == ("mathematical", 10)
    for figure in ("before", "after", "gain"):
        assert gsm8k[figure]["low"] <= gsm8k[figure]["value"] <= gsm8k[figure]["high"]
    folder = "/training/runs/measured"
    table = json.loads(training.exec("hand", "cat", f"{folder}/evaluation.json"))
    # The other suite of the category has no file, and the hub is out of reach.
    assert "math" in json.dumps(table["not_measured"])
    assert "<svg" in training.exec("hand", "cat", f"{folder}/evaluation.svg")
    with capsys.disabled():
        print("\n" + training.kubectl("get", "trainingruns"))


def test_one_that_is_deleted_leaves_nothing(training: Release) -> None:
    apply(training, run_of("gone"))
    under_way(training, "gone")
    training.kubectl("delete", "trainingrun", "gone", timeout=3 * MINUTES)

    def left() -> str:
        selector = ("--selector", "codeio.dev/training-run=gone", "--output", "name")
        return training.kubectl("get", "jobs,pods,services", *selector).strip()

    assert training.kubectl(
        "get", "jobs", "--selector", "codeio.dev/training-run=undisturbed", "--output", "name"
    ), "this selector finds nothing in any case"
    eventually(lambda: not left(), within=3 * MINUTES, what="its children are gone")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": {}}, "name or path must be given, and not both"),
        ({"recipe": "TwoStage"}, "the recipes TwoStage and Mixed need data.instruction"),
        ({"recipe": "ThreeStage"}, 'supported values: "TwoStage", "Mixed", "OneStage"'),
        ({"workers": {"nodes": 0}}, "spec.workers.nodes in body should be greater than or equal"),
        ({"workers": {"nodes": 2, "gpus": 8}}, 'unknown field "spec.workers.gpus"'),
        ({"checkpoints": {"path": "/runs"}}, "a run on a cluster needs checkpoints.volume"),
        ({"hyperparameters": {"steps": 1, "epochs": 1}}, "exclude one another"),
    ],
)
def test_a_wrong_spec_is_refused_when_it_is_applied(
    training: Release, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(KubectlError) as refused:
        apply(training, run_of("wrong", **change))
    assert told in str(refused.value)
    assert not training.kubectl("get", "trainingruns", "wrong", "--ignore-not-found")


def test_what_decides_the_result_cannot_be_changed(training: Release) -> None:
    apply(training, run_of("kept", suspend=True))
    with pytest.raises(KubectlError, match="seed cannot be changed: make another run"):
        apply(training, run_of("kept", suspend=True, seed=1))
    training.kubectl("delete", "trainingrun", "kept")
    with pytest.raises(KubectlError, match="at most 40 lower case letters"):
        apply(training, run_of("a" * 41))


def test_memory_that_does_not_suffice_is_told(training: Release) -> None:
    # Less than torch takes to be imported.
    small = {"nodes": 1, "cpu": "100m", "memory": "160Mi", "sharedMemory": "16Mi"}
    apply(training, run_of("small", workers=small))
    end = ended(training, "small")
    assert (end["type"], end["reason"]) == ("Failed", "OutOfMemory")
    assert end["message"]


def test_what_the_user_got_wrong_is_told_and_not_tried_again(training: Release) -> None:
    apply(training, run_of("missing", model={"volume": "training", "path": "models/none"}))
    end = ended(training, "missing")
    assert (end["type"], end["reason"]) == ("Failed", "ModelNotFound")
    assert "models/none" in end["message"]
    assert len(pods_of(training, "missing")) <= 2


def test_one_launcher_leads_and_another_takes_over(training: Release) -> None:
    def holder() -> str:
        [lease] = training.get("lease", "codeio-trainer-launcher")
        return str(lease["spec"]["holderIdentity"])

    def launchers() -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in training.get("pods", "--selector", LAUNCHER)
            if "deletionTimestamp" not in pod["metadata"]
        ]

    assert len(launchers()) == 2
    first = holder()
    [leader] = [pod for pod in launchers() if pod in first]
    training.kubectl("delete", "pod", leader, "--force", "--grace-period", "0")
    eventually(lambda: holder() != first, within=MINUTES, what="another leads")
    apply(training, run_of("after", workers={"nodes": 1, "cpu": "100m", "memory": "2Gi"}))
    assert ended(training, "after")["type"] == "Succeeded"
