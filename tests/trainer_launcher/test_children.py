"""Jobs, Services and pods: valid, restricted, and made of what the user asked for."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest

from codeio.trainer_launcher.children import job_of, service_of
from codeio.trainer_launcher.pod import manifest
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.spec import TrainingRunSpec, steps_of
from tests.trainer_launcher.conftest import SETTINGS, SPEC

LARGE = {
    "model": {"path": "big", "volume": "models"},
    "data": {
        "reasoning": [{"path": "snapshot", "volume": "data"}],
        "instruction": [{"path": "chats", "volume": "data"}, {"path": "more", "volume": "work"}],
    },
    "recipe": "TwoStage",
    "workers": {
        "nodes": 8,
        "gpusPerNode": 8,
        "env": {"NCCL_DEBUG": "INFO", "CODEIO_TRAINING_RUN": "mine"},
        "nodeSelector": {"pool": "gpus"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "priorityClassName": "high",
        "memory": "64Gi",
        "sharedMemory": "16Gi",
    },
    "checkpoints": {"path": "runs", "volume": "work"},
    "evaluation": {"suites": ["gsm8k"], "volume": "suites"},
    "deadlineSeconds": 1000,
}
RUNS = {"small": SPEC, "large": LARGE}


def run_of(spec: dict[str, Any], name: str = "demo") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "runs", "uid": "1"}, "spec": spec}


def job(spec: dict[str, Any], step: str, name: str = "demo") -> dict[str, Any]:
    run = run_of(spec, name)
    read = parse_manifest(manifest(run), source="test").spec
    return job_of(run, read, step, settings=SETTINGS, seconds_left=read.deadline_seconds)


def variables(made: dict[str, Any]) -> dict[str, str]:
    [container] = made["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("spec", RUNS.values(), ids=RUNS)
def test_children_are_valid_and_their_pods_restricted(spec: dict[str, Any]) -> None:
    run = run_of(spec)
    for step in steps_of(parse_manifest(manifest(run), source="test").spec):
        made = job(spec, step)
        kubernetes_validate.validate(made, "1.35", strict=True)
        service = service_of(run, step, settings=SETTINGS)
        kubernetes_validate.validate(service, "1.35", strict=True)
        pod = made["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert pod["automountServiceAccountToken"] is False
        # The longest host name is one that DNS takes, for the longest name of a run.
        assert len(f"{'x' * 40}-{step}-1023") <= 63


def test_pods_meet_by_the_name_of_the_first_one() -> None:
    made = job(LARGE, "reasoning")
    service = service_of(run_of(LARGE), "reasoning", settings=SETTINGS)
    pod = made["spec"]["template"]
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (8, 8)
    assert pod["spec"]["subdomain"] == service["metadata"]["name"] == made["metadata"]["name"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    # Without an address of its own, and of this step's pods alone: names of pods are told by it.
    assert service["spec"]["clusterIP"] == "None"
    selector = {"codeio.dev/training-run": "demo", "codeio.dev/step": "reasoning"}
    assert service["spec"]["selector"] == selector
    assert selector.items() <= pod["metadata"]["labels"].items()
    assert variables(made)["CODEIO_TRAINING_COORDINATOR"] == "demo-reasoning-0.demo-reasoning"
    assert job(LARGE, "evaluate-after")["spec"]["completions"] == 1


def test_a_claim_is_mounted_once_and_written_only_for_checkpoints() -> None:
    [container] = job(LARGE, "reasoning")["spec"]["template"]["spec"]["containers"]
    mounted = {each["mountPath"]: each.get("readOnly") for each in container["volumeMounts"]}
    assert mounted == {
        "/dev/shm": None, "/tmp": None, "/volumes/data": True, "/volumes/models": True,
        "/volumes/suites": True, "/volumes/work": False,
    }  # fmt: skip


def test_the_pod_is_given_the_manifest_and_the_users_environment_beside_it() -> None:
    given = variables(job(LARGE, "reasoning"))
    told = json.loads(given["CODEIO_TRAINING_RUN"])["spec"]
    # What it may keep busy of a node's cores a pod can learn in no other way.
    assert told == LARGE | {"workers": LARGE["workers"] | {"cpu": "2"}}
    assert given["NCCL_DEBUG"] == "INFO"
    assert given["HOME"] == "/tmp"


def test_secrets_are_named_and_what_a_pod_is_told_stands_above_them() -> None:
    sources = [{"secretRef": {"name": "hub"}}, {"secretRef": {"name": "tracking"}}]
    spec = SPEC | {"workers": {"env": {"A": "1"}, "envFrom": sources}}
    made = job(spec, "reasoning")
    kubernetes_validate.validate(made, "1.35", strict=True)
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == sources
    assert {"A", "CODEIO_TRAINING_RUN", "HOME"} <= variables(made).keys()
    others = spec | {"workers": {"env": {"A": "1"}, "envFrom": sources[:1]}}
    annotations = made["metadata"]["annotations"]
    assert job(others, "reasoning")["metadata"]["annotations"] != annotations


def test_what_is_fetched_from_the_hub_is_there_for_the_next_pod() -> None:
    checkpoints = {"path": "/of/runs", "volume": "work"}
    given = variables(job(SPEC | {"checkpoints": checkpoints}, "reasoning"))
    assert given["HF_HOME"] == "/volumes/work/of/runs/.huggingface"
    mine = SPEC | {"workers": {"env": {"HF_HOME": "/tmp/mine"}}}
    assert variables(job(mine, "reasoning"))["HF_HOME"] == "/tmp/mine"
    nowhere = SPEC | {"checkpoints": {"path": "/tmp/runs"}}
    assert "HF_HOME" not in variables(job(nowhere, "reasoning"))


def test_defaults_that_the_api_server_fills_in_change_no_child() -> None:
    """Those of a field that a new definition has would else restart all runs that it finds."""
    read = TrainingRunSpec.model_validate(LARGE)
    written_out = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written_out["execution"]["precision"] == "BFloat16"
    for step in steps_of(read):
        assert job(written_out, step) == job(LARGE, step)
    changed = LARGE | {"execution": {"precision": "Float32"}}
    others = job(changed, "reasoning")["metadata"]["annotations"]
    assert others != job(LARGE, "reasoning")["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("nodes", "gpus", "execution", "expected"),
    [
        (1, 0, {}, None),
        (1, 1, {}, "1"),
        (1, 6, {}, "1"),
        (1, 8, {}, "2"),
        (1, 8, {"precision": "Float32"}, "3"),
        (1, 8, {"parallelism": "DDP"}, "1"),
        (8, 8, {}, "8"),
    ],
)
def test_who_measures_asks_for_the_gpus_that_the_weights_may_need(
    nodes: int, gpus: int, execution: dict[str, str], expected: str | None
) -> None:
    workers = {"nodes": nodes, "gpusPerNode": gpus}
    spec = LARGE | {"workers": workers, "execution": execution}
    for step, asked in (("reasoning", str(gpus) if gpus else None), ("evaluate-after", expected)):
        [container] = job(spec, step)["spec"]["template"]["spec"]["containers"]
        for part in container["resources"].values():
            assert part.get("nvidia.com/gpu") == asked


def test_a_pod_is_placed_and_sized_as_its_user_asks() -> None:
    workers = {
        "gpusPerNode": 4,
        "gpuResource": "amd.com/gpu",
        "cpu": "8",
        "memory": "64Gi",
        "nodeSelector": {"pool": "gpus"},
        "tolerations": [{"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "high",
        "image": "registry.example/mine:1",
    }
    pod = job(LARGE | {"workers": workers}, "reasoning")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == workers["nodeSelector"]
    assert pod["tolerations"] == workers["tolerations"]
    assert pod["priorityClassName"] == "high"
    [container] = pod["containers"]
    assert container["image"] == "registry.example/mine:1"
    # More processors than that may be used, where nobody else does.
    assert container["resources"] == {
        "requests": {"cpu": "8", "memory": "64Gi", "amd.com/gpu": "4"},
        "limits": {"memory": "64Gi", "amd.com/gpu": "4"},
    }
    # For each node its pod: nodes that are too few do not keep the run from starting.
    [spread] = job(LARGE, "reasoning")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"


def test_a_pod_is_pulled_known_and_stopped_as_the_settings_say() -> None:
    settings = SETTINGS.model_copy(
        update={
            "image_pull_policy": "Always",
            "image_pull_secrets": ("pull",),
            "service_account": "trainer",
            "grace_seconds": 77,
            "labels": {"example.com/team": "training", "codeio.dev/step": "another"},
        }
    )
    run = run_of(SPEC)
    spec = parse_manifest(manifest(run), source="test").spec
    made = job_of(run, spec, "reasoning", settings=settings, seconds_left=None)
    template = made["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert container["image"] == SETTINGS.image
    assert container["imagePullPolicy"] == "Always"
    assert template["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert template["spec"]["serviceAccountName"] == "trainer"
    assert template["spec"]["terminationGracePeriodSeconds"] == 77
    # Of one that is killed the end of its log is all that there is to tell.
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    for labels in (made["metadata"]["labels"], template["metadata"]["labels"]):
        assert labels["example.com/team"] == "training"
        # By which the run's pods are found: not for the settings to say.
        assert labels["codeio.dev/step"] == "reasoning"


def test_which_failures_are_tried_again() -> None:
    spec = job(LARGE, "reasoning")["spec"]
    rules = spec["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailJob", "Ignore"]
    assert rules[1]["onExitCodes"]["values"] == [2, 3]
    assert rules[2]["onExitCodes"]["values"] == [75, 143]
    assert spec["backoffLimit"] == 10
    # One that is told to stop still writes its checkpoint: the next one waits for its end.
    assert spec["podReplacementPolicy"] == "Failed"
