"""Who may reach whom, by the policies that a scenario renders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.chart import SCENARIOS, render, rendered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.deploy.chart import Manifest

STAGES = ("normalizer", "executor", "cot-generator", "verifier")


def labels(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "codeio",
        "app.kubernetes.io/instance": "codeio",
        "app.kubernetes.io/component": component,
    }


def chosen(selector: dict[str, Any], of: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= of.items())


def rules(manifests: Iterable[Manifest], component: str, way: str) -> list[dict[str, Any]]:
    """Return the rules that let something through to or from pods of a component."""
    found = []
    for manifest in manifests:
        if manifest["kind"] == "NetworkPolicy":
            spec = manifest["spec"]
            if chosen(spec["podSelector"], labels(component)):
                assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
                found += spec.get(way, [])
    return found


def lets(rule: dict[str, Any], side: str, component: str, port: int) -> bool:
    ports = rule.get("ports")
    if ports is not None and not any(each["port"] == port for each in ports):
        return False
    peers = rule.get(side)
    return peers is None or any(
        "podSelector" in peer
        and "namespaceSelector" not in peer
        and chosen(peer["podSelector"], labels(component))
        for peer in peers
    )


def reaches(manifests: Iterable[Manifest], caller: str, callee: str, port: int) -> bool:
    manifests = list(manifests)
    out = any(lets(rule, "to", callee, port) for rule in rules(manifests, caller, "egress"))
    into = any(lets(rule, "from", caller, port) for rule in rules(manifests, callee, "ingress"))
    return out and into


WITH_POLICIES = [None, *(name for name in SCENARIOS if name != "plain-values.yaml")]


@pytest.mark.parametrize("scenario", WITH_POLICIES)
def test_a_sandbox_reaches_nobody(scenario: str | None) -> None:
    assert rules(rendered(scenario), "sandbox", "egress") == []


@pytest.mark.parametrize("scenario", WITH_POLICIES)
def test_only_those_that_run_programs_reach_a_sandbox(scenario: str | None) -> None:
    manifests = rendered(scenario)
    there = {m["metadata"]["labels"]["app.kubernetes.io/component"] for m in manifests}
    for component in (*STAGES, "trainer-launcher", "kafka", "submit", "snapshot", "test", "other"):
        expected = component in STAGES and component in there
        assert reaches(manifests, component, "sandbox", 50052) is expected, component


def test_pods_of_training_runs_reach_one_another_and_the_verifier() -> None:
    manifests = rendered("training-values.yaml")
    for port in (9090, 29500, 45123):
        assert reaches(manifests, "trainer", "trainer", port)
    assert reaches(manifests, "trainer-launcher", "trainer", 9090)
    assert not reaches(manifests, "trainer-launcher", "trainer", 29500)
    assert reaches(manifests, "trainer", "verifier", 50051)
    assert not reaches(manifests, "trainer-launcher", "verifier", 50051)
    for component in ("verifier", "sandbox", "test", "other"):
        assert not reaches(manifests, component, "trainer", 29500), component
    assert not reaches(manifests, "trainer", "trainer-launcher", 50051)
    assert not reaches(manifests, "trainer", "sandbox", 50052)


def test_the_launcher_alone_reaches_the_api_server() -> None:
    manifests = rendered("training-values.yaml")

    def asks(component: str) -> list[Any]:
        return [
            rule.get("to")
            for rule in rules(manifests, component, "egress")
            if any(each["port"] == 6443 for each in rule.get("ports", ()))
        ]

    assert asks("trainer-launcher") == [[{"ipBlock": {"cidr": "10.0.0.0/24"}}]]
    assert not any(asks(component) for component in ("trainer", "verifier", "sandbox", "test"))
    # Where nobody says where it is, it may be anywhere.
    found = rules(
        render(None, "--set", "trainerLauncher.enabled=true"), "trainer-launcher", "egress"
    )
    assert {"ports": [{"port": 443}, {"port": 6443}]} in found


def test_the_hub_is_reached_by_trainers_and_only_if_it_is_named() -> None:
    def hub(manifests: Iterable[Manifest], component: str) -> bool:
        return any("0.0.0.0/0" in str(rule) for rule in rules(manifests, component, "egress"))

    named = rendered("training-values.yaml")
    assert [each for each in ("trainer", "trainer-launcher", "verifier") if hub(named, each)] == [
        "trainer"
    ]
    unnamed = rules(render(None, "--set", "trainerLauncher.enabled=true"), "trainer", "egress")
    anywhere = [rule for rule in unnamed if "to" not in rule]
    assert [sorted({each["port"] for each in rule["ports"]}) for rule in anywhere] == [[53, 5353]]


def test_records_pass_by_the_broker_alone() -> None:
    manifests = rendered("endpoints-values.yaml")
    for caller in STAGES:
        assert reaches(manifests, caller, "kafka", 9092)
        for callee in STAGES:
            assert not reaches(manifests, caller, callee, 50051) or caller == "cot-generator"
    # Its teacher may be anywhere, but who is called decides as well.
    assert not any(reaches(manifests, "cot-generator", callee, 50051) for callee in STAGES)
    for caller in ("sandbox", "test", "other"):
        assert not reaches(manifests, caller, "kafka", 9092)
    for caller in ("topics", "submit", "snapshot"):
        assert reaches(manifests, caller, "kafka", 9092)
    for callee in STAGES:
        assert reaches(manifests, "test", callee, 50051)


def test_callers_come_in_by_grpc_and_by_nothing_else() -> None:
    manifests = rendered("production-values.yaml")
    outside = [
        rule
        for rule in rules(manifests, "verifier", "ingress")
        if any("namespaceSelector" in peer for peer in rule["from"])
    ]
    names = {
        (peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["port"])
        for rule in outside
        for peer in rule["from"]
        for port in rule["ports"]
    }
    assert names == {("training", 50051), ("monitoring", 9090), ("keda", 9090)}
    assert not any(
        "namespaceSelector" in peer and rule["ports"] == [{"port": 50051}]
        for rule in rules(manifests, "executor", "ingress")
        for peer in rule["from"]
    )


def test_only_those_that_ask_the_teacher_reach_it() -> None:
    manifests = rendered("production-values.yaml")

    def models(component: str) -> bool:
        return any(
            "models" in str(peer)
            for rule in rules(manifests, component, "egress")
            for peer in rule.get("to", ())
        )

    assert [stage for stage in STAGES if models(stage)] == ["normalizer", "cot-generator"]


def test_an_external_broker_is_reached_at_its_ports_alone() -> None:
    manifests = render(None, "--set", r"kafka.bootstrapServers=a:9093\,b:9094")
    found = [
        sorted(port["port"] for port in rule["ports"])
        for rule in rules(manifests, "executor", "egress")
        if "to" not in rule and all(port["port"] not in (53, 5353) for port in rule["ports"])
    ]
    assert found == [[9093, 9094]]
