"""What each scenario renders: valid, restricted, without secrets, and able to be scheduled."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest
import yaml

from codeio.runtime.settings import load_settings
from tests.deploy.chart import (
    CHART,
    SCENARIOS,
    one,
    pods,
    render,
    rendered,
    run_helm,
    variables,
)

if TYPE_CHECKING:
    from tests.deploy.chart import Manifest

EVERY = [None, *SCENARIOS]
STAGES = ("normalizer", "executor", "cot-generator", "verifier")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_helm_finds_no_fault(scenario: str) -> None:
    run_helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / scenario))


def test_helm_finds_no_fault_in_the_defaults() -> None:
    run_helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize("version", ["1.30", "1.34", "1.37"])
@pytest.mark.parametrize("scenario", EVERY)
def test_kubernetes_takes_it(scenario: str | None, version: str) -> None:
    kinds = 0
    for manifest in rendered(scenario):
        group = manifest["apiVersion"].partition("/")[0]
        if "." in group and not group.endswith(".k8s.io"):
            continue  # of an operator, whose schema is its own
        kubernetes_validate.validate(manifest, version, strict=True)
        kinds += 1
    assert kinds > 10


@pytest.mark.parametrize("scenario", EVERY)
def test_pods_are_restricted(scenario: str | None) -> None:
    """As Pod Security's level of that name demands, and a read-only root beyond it."""
    seen = 0
    for name, spec in pods(rendered(scenario)):
        seen += 1
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            assert not spec.get(forbidden), name
        # One asks the API server.
        asks = name == "codeio-trainer-launcher"
        assert spec["automountServiceAccountToken"] is asks, name
        assert spec["enableServiceLinks"] is False, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert not any("hostPort" in port for port in container.get("ports", ())), name
        allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
        for volume in spec.get("volumes", ()):
            assert (volume.keys() - {"name"}) <= allowed, name
    assert seen >= 4


@pytest.mark.parametrize("scenario", EVERY)
def test_pods_ask_for_what_they_need_and_are_bounded(scenario: str | None) -> None:
    for name, spec in pods(rendered(scenario)):
        for container in spec["containers"]:
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), name
            assert "memory" in resources["limits"], name
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", name


@pytest.mark.parametrize("scenario", EVERY)
def test_no_secret_is_made_or_written(scenario: str | None) -> None:
    assert "Secret" not in {manifest["kind"] for manifest in rendered(scenario)}
    for name, spec in pods(rendered(scenario)):
        for container in spec["containers"]:
            for variable in container.get("env", ()):
                secret = re.search(r"PASSWORD$|API_KEY$|TOKEN$|SECRET", variable["name"])
                assert not secret or "valueFrom" in variable, name


@pytest.mark.parametrize("scenario", EVERY)
def test_each_object_has_the_labels_and_a_name_of_its_own(scenario: str | None) -> None:
    names = Counter()  # type: ignore[var-annotated]
    for manifest in rendered(scenario):
        metadata = manifest["metadata"]
        names[manifest["kind"], metadata["name"]] += 1
        assert metadata["labels"]["app.kubernetes.io/instance"] == "codeio"
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "codeio"
        # A definition has no namespace, and topics are where their operator looks.
        if manifest["kind"] not in ("CustomResourceDefinition", "KafkaTopic"):
            assert metadata["namespace"] == "demo"
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize("scenario", EVERY)
def test_what_is_named_is_there(scenario: str | None) -> None:
    """Configurations, accounts and claims of the release's own; selectors that select its pods."""
    manifests = rendered(scenario)
    there = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    for name, spec in pods(manifests):
        account = spec.get("serviceAccountName")
        assert account is None or ("ServiceAccount", account) in there, name
        mounted = {mount["name"] for c in spec["containers"] for mount in c["volumeMounts"]}
        volumes = {volume["name"] for volume in spec["volumes"]}
        workload = next(
            m for m in manifests if m["metadata"]["name"] == name and m["kind"] in KINDS
        )
        claims = workload["spec"].get("volumeClaimTemplates", ())
        assert mounted == volumes | {claim["metadata"]["name"] for claim in claims}, name
        for container in spec["containers"]:
            for source in container.get("envFrom", ()):
                reference = source.get("configMapRef")
                assert not reference or ("ConfigMap", reference["name"]) in there, name
    labels = [m["spec"]["template"]["metadata"]["labels"] for m in manifests if m["kind"] in SETS]
    for manifest in manifests:
        if manifest["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = manifest["spec"]["selector"]
            wanted = wanted.get("matchLabels", wanted)
            chosen = [each for each in labels if wanted.items() <= each.items()]
            assert len(chosen) == 1, manifest["metadata"]["name"]


SETS = ("StatefulSet", "Deployment")
KINDS = (*SETS, "Job", "CronJob", "Pod")


@pytest.mark.parametrize("scenario", EVERY)
@pytest.mark.parametrize("service", [*STAGES, "trainer-launcher"])
def test_the_services_understand_their_settings(
    scenario: str | None, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ("ConfigMap", f"codeio-{service}") not in {
        (m["kind"], m["metadata"]["name"]) for m in rendered(scenario)
    }:
        pytest.skip("not installed in this scenario")
    for name, value in variables(rendered(scenario), service).items():
        # Files that are mounted are not on this machine.
        if not name.endswith(("CA_FILE", "CERTIFICATE_FILE", "KEY_FILE")):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    assert service == "trainer-launcher" or settings.sandbox.backend == "remote"
    assert settings.server.host == "0.0.0.0"
    assert settings.telemetry.log_format == "json"


def test_those_that_consume_have_names_that_stay() -> None:
    manifests = rendered("trial-values.yaml")
    for stage in STAGES:
        workload = one(manifests, "StatefulSet", f"codeio-{stage}")
        assert workload["spec"]["podManagementPolicy"] == "Parallel"
        [container] = workload["spec"]["template"]["spec"]["containers"]
        slot = {"fieldRef": {"fieldPath": "metadata.name"}}
        assert {"name": "CODEIO_KAFKA__SLOT", "valueFrom": slot} in container["env"]


def test_a_pod_has_the_time_that_its_end_may_take() -> None:
    settings = load_settings()
    spec = dict(pods(rendered("trial-values.yaml")))["codeio-executor"]
    sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Calls and records drain at once; then the last transaction is given its time.
    drains = max(settings.server.drain_seconds, settings.worker.drain_seconds)
    needed = sleep + drains + settings.kafka.transaction_seconds
    assert spec["terminationGracePeriodSeconds"] >= needed


def test_sandboxes_run_in_gvisor_and_know_nothing() -> None:
    for scenario in EVERY:
        spec = dict(pods(rendered(scenario)))["codeio-sandbox"]
        assert spec["runtimeClassName"] == "gvisor"
        [container] = spec["containers"]
        assert "envFrom" not in container
        assert {volume["name"] for volume in spec["volumes"]} == {"tmp"}
        assert not any("valueFrom" in variable for variable in container["env"])
        assert spec["dnsPolicy"] == "None"
    others = [spec for name, spec in pods(rendered(None)) if name != "codeio-sandbox"]
    assert all("runtimeClassName" not in spec for spec in others)


def test_a_change_of_settings_renews_the_pods_it_concerns() -> None:
    before = render("trial-values.yaml")
    after = render("trial-values.yaml", "--set", "executor.config.executor.pairs_per_program=7")

    def checksum(manifests: list[Manifest], name: str) -> str:
        template = one(manifests, "StatefulSet", name)["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/settings"])

    assert checksum(before, "codeio-executor") != checksum(after, "codeio-executor")
    assert checksum(before, "codeio-verifier") == checksum(after, "codeio-verifier")


def test_images_come_from_one_registry() -> None:
    given = ("--set", "global.imageRegistry=registry.example/team", "--set", "image.tag=v7")
    for _, spec in pods(render("trial-values.yaml", *given)):
        for container in spec["containers"]:
            assert container["image"].startswith("registry.example/team/")
    images = {c["image"] for _, spec in pods(render(None, *given)) for c in spec["containers"]}
    assert "registry.example/team/codeio-executor:v7" in images


def test_scaled_workloads_leave_their_replicas_to_the_scaler() -> None:
    for scenario in ("production-values.yaml", "grpc-only-values.yaml"):
        manifests = rendered(scenario)
        scaled = {
            m["spec"]["scaleTargetRef"]["name"]
            for m in manifests
            if m["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
        }
        assert "codeio-sandbox" in scaled
        assert "codeio-executor" in scaled
        for manifest in manifests:
            if manifest["kind"] in SETS and manifest["metadata"]["name"] in scaled:
                assert "replicas" not in manifest["spec"]


def test_keda_looks_at_the_groups_and_topics_that_the_stages_read() -> None:
    from codeio.runtime.topics import FLOWS  # noqa: PLC0415

    manifests = rendered("strimzi-values.yaml")
    asked = set()
    for stage, flow in FLOWS.items():
        triggers = one(manifests, "ScaledObject", f"codeio-{stage}")["spec"]["triggers"]
        kafka = [t["metadata"] for t in triggers if t["type"] == "kafka"]
        assert {t["topic"] for t in kafka} == {f"team-a.{topic.name}" for topic in flow.consumes}
        assert {t["consumerGroup"] for t in kafka} == {f"team-a.codeio.{stage}"}
        asked |= {(t["consumerGroup"], t["topic"]) for t in kafka}
    # Whatever waits anywhere is run in the sandboxes.
    sandbox = one(manifests, "ScaledObject", "codeio-sandbox")["spec"]["triggers"]
    kafka = [t["metadata"] for t in sandbox if t["type"] == "kafka"]
    assert {(t["consumerGroup"], t["topic"]) for t in kafka} == asked
    for name in ("codeio-sandbox", "codeio-executor"):
        triggers = one(manifests, "ScaledObject", name)["spec"]["triggers"]
        [slots] = [t["metadata"] for t in triggers if t["type"] == "metrics-api"]
        assert slots["valueLocation"] == "codeio_sandbox_slots_busy"


def test_strimzi_gets_the_topics_as_they_are_applied() -> None:
    from codeio.runtime.kafka.topics import topic_configs  # noqa: PLC0415
    from codeio.runtime.topics import TOPICS  # noqa: PLC0415

    declared = {
        m["spec"]["topicName"]: m["spec"]
        for m in rendered("strimzi-values.yaml")
        if m["kind"] == "KafkaTopic"
    }
    assert declared.keys() == {f"team-a.{name}" for name in TOPICS}
    for name, topic in TOPICS.items():
        spec = declared[f"team-a.{name}"]
        wanted = topic_configs(topic, replicas=3)
        assert {key: str(value) for key, value in spec["config"].items()} == wanted
    assert declared["team-a.codeio.dead-letters"]["partitions"] == 1
    assert "Job" not in {
        m["kind"] for m in rendered("strimzi-values.yaml") if "topics" in m["metadata"]["name"]
    }


def test_what_holds_data_stays_when_the_release_goes() -> None:
    manifests = [*rendered("production-values.yaml"), *rendered("strimzi-values.yaml")]
    keep = {"CustomResourceDefinition", "KafkaTopic", "PersistentVolumeClaim"}
    kept = [m for m in manifests if m["kind"] in keep]
    assert {m["kind"] for m in kept} == keep
    for manifest in kept:
        assert manifest["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    crd = render(None, "--set", "crds.enabled=true", "--set", "crds.keep=false")
    found = one(crd, "CustomResourceDefinition", "trainingruns.codeio.dev")
    assert "annotations" not in found["metadata"]


def test_the_job_of_sources_is_new_only_with_what_it_submits() -> None:
    def name(*options: str) -> str:
        [job] = [
            m["metadata"]["name"]
            for m in render("endpoints-values.yaml", *options)
            if m["kind"] == "Job" and "submit" in m["metadata"]["name"]
        ]
        return str(job)

    assert name() == name("--set", "image.tag=v2", "--set", "config.seed=4")
    assert name() != name("--set", "submit.sources.more=pypi:toolz")
    assert name() != name("--set", "kafka.prefix=b.")


def test_a_source_is_one_argument_whatever_is_in_it() -> None:
    source = "/sources/a b;$(c) --limit 1"
    values = {"submit": {"enabled": True, "sources": {"odd": source}}}
    manifests = render("trial-values.yaml", values=values)
    [spec] = [spec for name, spec in pods(manifests) if "-submit-" in name]
    assert spec["containers"][0]["args"] == ["submit", source]


def test_large_numbers_reach_the_settings_as_they_are() -> None:
    values = {
        "config": {"sandbox": {"guest_memory_bytes": 2147483648}},
        "executor": {"env": {"LARGE": 2147483648}},
    }
    manifests = render(None, values=values)
    told = variables(manifests, "executor")
    assert json.loads(told["CODEIO_SANDBOX__GUEST_MEMORY_BYTES"]) == 2147483648
    [container] = dict(pods(manifests))["codeio-executor"]["containers"]
    assert {"name": "LARGE", "value": "2147483648"} in container["env"]


def test_a_secret_cannot_change_what_the_chart_sets() -> None:
    [container] = dict(pods(rendered("production-values.yaml")))["codeio-cot-generator"][
        "containers"
    ]
    # The last one wins.
    assert [next(iter(source)) for source in container["envFrom"]] == ["secretRef", "configMapRef"]


def test_keda_gets_the_user_where_it_looks_for_it() -> None:
    manifests = rendered("production-values.yaml")
    [login] = [m for m in manifests if m["kind"] == "TriggerAuthentication"]
    [user] = login["spec"]["configMapTargetRef"]
    assert one(manifests, "ConfigMap", user["name"])["data"][user["key"]] == "codeio"
    assert {each["parameter"] for each in login["spec"]["secretTargetRef"]} == {"password", "ca"}
    for manifest in manifests:
        if manifest["kind"] == "ScaledObject":
            for trigger in manifest["spec"]["triggers"]:
                assert "username" not in trigger["metadata"]
                if trigger["type"] == "kafka":
                    assert trigger["authenticationRef"] == {"name": "codeio-kafka"}
                    assert trigger["metadata"]["sasl"] == "scram_sha512"


def test_helm_test_asks_those_that_are_there() -> None:
    command = dict(pods(rendered("grpc-only-values.yaml")))["codeio-test"]["containers"][0]
    assert command["command"][3:] == ["executor", "verifier"]


@pytest.mark.parametrize("name", ["a.b", "r" * 53])
def test_any_name_of_a_release_will_do(name: str) -> None:
    command = ["template", name, str(CHART), "--namespace", "demo"]
    text = run_helm(*command, "--values", str(CHART / "ci" / "trial-values.yaml"))
    for manifest in yaml.safe_load_all(text):
        kubernetes_validate.validate(manifest, "1.34", strict=True)
        if manifest["kind"] in ("Service", "StatefulSet"):
            assert "." not in manifest["metadata"]["name"]
        if manifest["kind"] in SETS:
            # Behind it comes a hash of ten digits and a dash, in a label of 63 characters.
            assert len(manifest["metadata"]["name"]) <= 52
