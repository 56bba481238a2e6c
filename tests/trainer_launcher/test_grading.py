"""A pod that evaluates reaches a verifier that wants TLS, a certificate and a token."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest

from codeio.evaluation.execution import check_verifier
from codeio.pipeline.services.verifier import service
from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_access import new_token
from codeio.runtime.settings import TrainerLauncherSettings, load_settings
from codeio.trainer_launcher.children import job_of
from codeio.trainer_launcher.pod import manifest
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import RunError
from codeio.verifier.service import VerifierServicer
from tests.runtime.certificates import AUTHORITY, Files, chain, server_certificate
from tests.servers import FakeSandbox, serving
from tests.trainer_launcher.conftest import MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET, ENTRY = new_token("evaluation", ["verifier"])


@pytest.fixture
def secrets() -> dict[str, dict[str, bytes]]:
    """Secrets of the namespace by name."""
    client = AUTHORITY.issue_cert("evaluation", common_name="evaluation")
    return {
        "token": {"token": SECRET.encode() + b"\n", "other": b"not for the pod"},
        "client": {
            "ca.crt": AUTHORITY.cert_pem.bytes(),
            "tls.crt": chain(client),
            "tls.key": client.private_key_pem.bytes(),
        },
    }


def settings_with(address: str = "verifier:50051", **given: Any) -> TrainerLauncherSettings:
    return TrainerLauncherSettings(image="trainer", verifier_address=address, **given)


ALL = {
    "verifier_token_secret": "token",
    "verifier_tls_secret": "client",
    "verifier_client_certificate": True,
}


def job(step: str, settings: TrainerLauncherSettings, **env: str) -> dict[str, Any]:
    run: dict[str, Any] = {
        "metadata": {"name": "demo", "namespace": "runs", "uid": "1"},
        "spec": MEASURED | {"workers": {"env": env}},
    }
    spec = parse_manifest(manifest(run), source="test").spec
    return job_of(run, spec, step, settings=settings, seconds_left=None)


def environment(made: dict[str, Any]) -> dict[str, str]:
    [container] = made["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.fixture
def started(
    secrets: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[dict[str, Any]], None]:
    """Does what a kubelet does: mounts what a Job's pod names, and sets its environment."""

    def start(made: dict[str, Any]) -> None:
        pod = made["spec"]["template"]["spec"]
        sources = {
            volume["name"]: volume["projected"]["sources"]
            for volume in pod["volumes"]
            if "projected" in volume
        }
        [container] = pod["containers"]
        for mount in container["volumeMounts"]:
            folder = tmp_path / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for source in sources.get(mount["name"], ()):
                held = secrets[source["secret"]["name"]]
                for item in source["secret"]["items"]:
                    (folder / item["path"]).write_bytes(held[item["key"]])
        for name, value in environment(made).items():
            if name.startswith("CODEIO_VERIFIER_"):
                inside = f"{tmp_path}{value}" if value.startswith("/") else value
                monkeypatch.setenv(name, inside)

    return start


async def test_an_evaluating_pod_calls_a_verifier_that_lets_in_few(
    started: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    files = Files(tmp_path / "server")
    files.folder.mkdir()
    files.hold(server_certificate("verifier"))
    files.trust(AUTHORITY)
    tokens = files.folder / "tokens.yaml"
    tokens.write_text(f"tokens:\n{ENTRY}")
    servicer = VerifierServicer(FakeSandbox(), slots=1, settings=load_settings())
    options = files.settings(client_ca=True) | {"tokens_file": tokens}
    async with serving(servicer, service=service, **options) as server:
        address = server.address
        # One that a user has put into the spec, in plain sight, does not get in the way.
        started(job("evaluate-before", settings_with(address, **ALL), CODEIO_VERIFIER_TOKEN="old"))
        await asyncio.to_thread(check_verifier)
        tokens.write_text("tokens: []")
        with pytest.raises(RunError, match="does not know the token"):
            await asyncio.to_thread(check_verifier)


def test_only_pods_that_evaluate_get_what_they_need_and_no_job_holds_it(
    secrets: dict[str, dict[str, bytes]],
) -> None:
    settings = settings_with(**ALL)
    for step in ("evaluate-before", "evaluate-after"):
        made = job(step, settings)
        kubernetes_validate.validate(made, "1.35", strict=True)
        [mounted] = [each for each in made["spec"]["template"]["spec"]["volumes"]
                     if "projected" in each]  # fmt: skip
        held = {
            source["secret"]["name"]: [item["key"] for item in source["secret"]["items"]]
            for source in mounted["projected"]["sources"]
        }
        assert held == {"token": ["token"], "client": ["ca.crt", "tls.crt", "tls.key"]}
        text = json.dumps(made)
        assert all(json.dumps(value.decode())[1:-1] not in text
                   for secret in secrets.values() for value in secret.values())  # fmt: skip
    training = job("reasoning", settings)
    assert not any(name.startswith("CODEIO_VERIFIER_") for name in environment(training))
    assert "projected" not in json.dumps(training)
    without_key = job("evaluate-before", settings_with(verifier_tls_secret="client"))
    assert "ca.crt" in json.dumps(without_key)
    assert "tls.key" not in json.dumps(without_key)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"verifier_token_secret": "t"}, "a token is sent over TLS alone"),
        ({"verifier_client_certificate": True}, "needs verifier_tls_secret"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_settings(flags={"trainer_launcher": given})
