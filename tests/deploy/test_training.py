"""What the chart has for training runs: definition, rights and settings; and the examples."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from codeio.runtime.settings import load_settings
from codeio.trainer_launcher import api
from codeio.training_run.manifest import GROUP, KIND, PLURAL, VERSION, read_manifest
from codeio.training_run.spec import STAGES
from codeio.training_run.status import TrainingRunStatus
from tests.deploy.chart import ROOT, one, pods, render, rendered, variables
from tests.training_run.api_server import defaulted, faults

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = "training-values.yaml"
EXAMPLES = sorted((ROOT / "deploy" / "examples").glob("*.yaml"))
SECURITY_DOC = (ROOT / "docs" / "security.md").read_text().partition("### Its rights")[2]
TRAINING_DOC = (ROOT / "docs" / "training.md").read_text()


def definition() -> dict[str, Any]:
    return one(rendered(SCENARIO), "CustomResourceDefinition", f"{PLURAL}.{GROUP}")


def schema() -> dict[str, Any]:
    [version] = definition()["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def test_the_definition_is_of_what_the_launcher_reads() -> None:
    spec = definition()["spec"]
    [version] = spec["versions"]
    assert (spec["group"], spec["names"]["kind"], spec["names"]["plural"]) == (GROUP, KIND, PLURAL)
    assert (version["name"], version["subresources"]) == (VERSION, {"status": {}})
    assert spec["names"]["shortNames"] == ["trun"]


def test_columns_show_what_is_there() -> None:
    [version] = definition()["spec"]["versions"]
    columns = {each["name"]: each for each in version["additionalPrinterColumns"]}
    assert list(columns) == [
        "State", "Stage", "Step", "Of", "Loss", "Tokens/s", "Left", "Gain", "Age",
        "Reason", "Message",
    ]  # fmt: skip
    for column in columns.values():
        path = re.sub(r"\[\?\(.*?\)\]", ".[]", column["jsonPath"]).strip(".").split(".")
        within = schema()
        for part in path:
            if path[0] == "metadata":
                break  # the API server's own
            within = within["items"] if part == "[]" else within["properties"][part]
        else:
            assert within["type"] in ("string", "integer", "number"), column


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken_by_both(path: Path) -> None:
    text = path.read_text()
    run = read_manifest(text, source=path.name)
    filled = defaulted(schema(), yaml.safe_load(text))
    assert faults(schema()["properties"]["spec"], filled["spec"]) == []
    # Each says what it is for and what it needs.
    assert re.match(r"# .*\n#", text)
    assert "# Needs: " in text
    assert run.spec.recipe in STAGES


def test_examples_go_from_a_processor_to_64_gpus() -> None:
    gpus = []
    for path in EXAMPLES:
        workers = read_manifest(path.read_text(), source=path.name).spec.workers
        gpus.append(workers.nodes * workers.gpus_per_node)
        assert path.stem in TRAINING_DOC
    assert {0, 1, 8, 64} <= set(gpus)


def test_a_launcher_alone_has_no_sandbox() -> None:
    off = {"enabled": False}
    stages = dict.fromkeys(("normalizer", "executor", "cotGenerator", "verifier"), off)
    for scaling in ({}, {"autoscaling": {"hpa": {"enabled": True}}}):
        release = render(SCENARIO, values=stages | scaling)
        names = {manifest["metadata"]["name"] for manifest in release}
        assert "codeio-trainer-launcher" in names
        assert "codeio-sandbox" not in names
    assert one(rendered(SCENARIO), "Deployment", "codeio-sandbox")


def test_the_launcher_may_do_what_it_does_and_no_more() -> None:
    rules = one(rendered(SCENARIO), "Role", "codeio-trainer-launcher")["rules"]
    may = {
        (group, resource): " ".join(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert may == _RIGHTS
    for (_, resource), verbs in _RIGHTS.items():
        row = next(line for line in SECURITY_DOC.splitlines() if f"`{resource}`" in line)
        assert row.endswith(f"| {verbs.replace(' ', ', ')} |"), resource
    [subject] = one(rendered(SCENARIO), "RoleBinding", "codeio-trainer-launcher")["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", "codeio-trainer-launcher")
    bound = [m for m in rendered(SCENARIO) if m["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    assert len(bound) == 1


_RIGHTS = {
    (api.RUNS.group, api.RUNS.plural): "get list watch create patch",
    (api.RUNS.group, f"{api.RUNS.plural}/status"): "update",
    # Where `blockOwnerDeletion` is guarded.
    (api.RUNS.group, f"{api.RUNS.plural}/finalizers"): "update",
    (api.JOBS.group, api.JOBS.plural): "list watch create patch delete",
    # An apply creates what is not there.
    (api.SERVICES.group, api.SERVICES.plural): "list watch create patch",
    (api.PODS.group, api.PODS.plural): "list watch",
    (api.EVENTS.group, api.EVENTS.plural): "list create",
    (api.LEASES.group, api.LEASES.plural): "get create update",
}


def test_rights_and_tokens_come_with_the_launcher_alone() -> None:
    kinds = {m["kind"] for m in rendered("trial-values.yaml")}
    assert not {"Role", "RoleBinding", "ClusterRole"} & kinds
    account = one(rendered(SCENARIO), "ServiceAccount", "codeio-trainer")
    assert account["automountServiceAccountToken"] is False
    mounted = [
        name
        for name, spec in pods(rendered(SCENARIO))
        if spec["automountServiceAccountToken"] is not False
    ]
    assert mounted == ["codeio-trainer-launcher"]


def test_the_launcher_is_told_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"global": {"imageRegistry": "registry.example/team", "imagePullSecrets": ["pull"]}}
    for name, value in variables(render(SCENARIO, values=values), "trainer-launcher").items():
        monkeypatch.setenv(name, value)
    told = load_settings().trainer_launcher
    assert told.namespace == "demo"
    assert told.image == "registry.example/team/codeio-trainer:0.1.0"
    assert told.image_pull_secrets == ("pull",)
    assert told.service_account == "codeio-trainer"
    assert told.verifier_address == "codeio-verifier.demo.svc:50051"
    assert told.labels["app.kubernetes.io/component"] == "trainer"
    assert told.labels["app.kubernetes.io/instance"] == "codeio"
    assert told.labels["example.com/team"] == "training"


def test_the_launcher_is_told_which_secrets_let_pods_evaluate_and_holds_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {
        "server": {
            "tls": {"existingSecret": "server", "clientCa": True},
            "tokens": {"existingSecret": "tokens"},
        },
        "trainerLauncher": {
            "verifier": {
                "tokenExistingSecret": "token",
                "tls": {"existingSecret": "client", "clientCertificate": True},
            }
        },
    }
    manifests = render(SCENARIO, values=values)
    for name, value in variables(manifests, "trainer-launcher").items():
        monkeypatch.setenv(name, value)
    told = load_settings().trainer_launcher
    assert (told.verifier_token_secret, told.verifier_tls_secret) == ("token", "client")
    assert told.verifier_client_certificate is True
    launcher = json.dumps(one(manifests, "Deployment", "codeio-trainer-launcher"))
    assert '"client"' not in launcher
    assert '"token"' not in launcher
    # Without a verifier of the release there is none to be called as the server's values say.
    alone = values | {"verifier": {"enabled": False}, "trainerLauncher": {}}
    assert render(SCENARIO, values=alone)


def test_a_trainers_image_is_named_in_full_where_another_is_wanted() -> None:
    image = "registry.example/trainer@sha256:" + "0" * 64
    given = ("--set", f"trainerLauncher.trainer.image={image}")
    told = variables(render(SCENARIO, *given), "trainer-launcher")
    assert told["CODEIO_TRAINER_LAUNCHER__IMAGE"] == image
    without = variables(render(SCENARIO, "--set", "verifier.enabled=false"), "trainer-launcher")
    assert "CODEIO_TRAINER_LAUNCHER__VERIFIER_ADDRESS" not in without


def test_labels_that_the_chart_needs_are_kept() -> None:
    label = r"trainerLauncher.trainer.labels.app\.kubernetes\.io/component=mine"
    told = variables(render(SCENARIO, "--set", label), "trainer-launcher")
    labels = json.loads(told["CODEIO_TRAINER_LAUNCHER__LABELS"])
    assert labels["app.kubernetes.io/component"] == "trainer"


def test_the_doc_tells_of_each_field_and_each_condition() -> None:
    def fields(within: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, each in within.get("properties", {}).items():
            here = f"{path}.{name}" if path else name
            inner = each.get("items", each)
            if "properties" in inner and name not in _TOLD_ONCE:
                found += fields(inner, here)
            else:
                found.append(here)
        return found

    for field in fields(schema()["properties"]["spec"], ""):
        name = field.rpartition(".")[2]
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", TRAINING_DOC), field
    from codeio.training_run.outcomes import ExitCode, Reason  # noqa: PLC0415

    for reason in Reason:
        assert f"`{reason}`" in TRAINING_DOC, reason
    for code in ExitCode:
        assert re.search(rf"^\| {int(code)} \|", TRAINING_DOC, re.MULTILINE), code
    kinds = TrainingRunStatus.model_json_schema()["$defs"]["Condition"]["properties"]["type"]
    for kind in kinds["enum"]:
        assert f"`{kind}`" in TRAINING_DOC, kind


# Its fields are told of in one place.
_TOLD_ONCE = ("stages",)
