"""What users may write into values, and what they are told when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from deploy.helm import generate

from codeio.runtime.settings import Settings
from tests.deploy.chart import CHART, Refused, render, run_helm

SCHEMA = yaml.safe_load((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def refusal(*options: str, values: dict[str, Any] | None = None) -> str:
    with pytest.raises(Refused) as refused:
        render(None, *options, values=values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("executor.replicas=many", "'/executor/replicas': got string, want integer"),
        ("executor.replicas=-1", "'/executor/replicas': minimum: got -1, want 0"),
        ("executor.replics=2", "'/executor': additional properties 'replics' not allowed"),
        ("exekutor.replicas=2", "additional properties 'exekutor' not allowed"),
        ("executor.slots=0", "'/executor/slots': minimum: got 0, want 1"),
        ("normalizer.mode=magic", "'/normalizer/mode': value must be one of 'static', 'teacher'"),
        ("kafka.bootstrapServers=broker", "'/kafka/bootstrapServers': 'broker' does not match"),
        ("kafka.securityProtocol=TLS", "'/kafka/securityProtocol': value must be one of"),
        ("kafka.embedded.enabled=maybe", "'/kafka/embedded/enabled': got string, want boolean"),
        ("kafka.embedded.storage.size=big", "'/kafka/embedded/storage/size': 'big' does not"),
        ("kafka.embedded.external.nodePort=80", "nodePort': minimum: got 80, want 30,000"),
        ("kafka.existingSecret=pass word", "'/kafka/existingSecret': 'pass word' does not match"),
        ("teacher.baseUrl=vllm:8000", "'/teacher/baseUrl': 'vllm:8000' does not match"),
        ("teacher.endpoints.a.model=m", "'/teacher/endpoints/a': missing property 'baseUrl'"),
        ("sandbox.runtimeClassName=", "'/sandbox/runtimeClassName': '' does not match"),
        ("config.exekutor.x=1", "'/config': additional properties 'exekutor' not allowed"),
        ("image.tag=7", "'/image/tag': got number, want string"),
        ("snapshot.url=bucket", "'/snapshot/url': 'bucket' does not match"),
        ("snapshot.formats[0]=csv", "'/snapshot/formats/0': value must be one of"),
        ("submit.unknownLicence=ask", "'/submit/unknownLicence': value must be one of"),
        ("metrics.serviceMonitor.interval=often", "'/metrics/serviceMonitor/interval'"),
        ("pods.tolerations=all", "'/pods/tolerations': got string, want array"),
        ("verifier.callers.a.selector=x", "'/verifier/callers/a': additional properties"),
        ("executor.env.A-B=1", "'/executor/env': additional properties 'A-B' not allowed"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(value: str, told: str) -> None:
    assert told in refusal("--set", value)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            "kafka.embedded.enabled=true,kafka.bootstrapServers=a:1",
            "name two brokers: leave one of them out",
        ),
        (
            "autoscaling.keda.enabled=true,autoscaling.hpa.enabled=true,kafka.bootstrapServers=a:1",
            "would scale the same pods: enable one of them",
        ),
        ("autoscaling.keda.enabled=true", "no broker is named: set kafka.bootstrapServers"),
        ("submit.enabled=true", "work on a broker, and none is named"),
        ("snapshot.enabled=true", "work on a broker, and none is named"),
        ("kafka.embedded.enabled=true,submit.enabled=true", "needs submit.sources"),
        (
            "kafka.bootstrapServers=a:1,submit.enabled=true,submit.sources.a=x,"
            "submit.existingClaim=c,submit.existingConfigMap=m",
            "are both mounted at /sources",
        ),
        ("kafka.topics.strimzi.enabled=true", "needs kafka.topics.strimzi.cluster"),
        (
            "kafka.embedded.enabled=true,kafka.securityProtocol=SSL",
            "securityProtocol must be PLAINTEXT",
        ),
        (
            "kafka.embedded.enabled=true,kafka.embedded.external.enabled=true",
            "needs a host that clients reach",
        ),
        (
            "kafka.bootstrapServers=a:1,kafka.securityProtocol=SASL_SSL",
            "SASL_SSL needs kafka.username and kafka.existingSecret",
        ),
        ("kafka.topics.adminUsername=root", "needs kafka.topics.adminExistingSecret"),
        ("teacher.baseUrl=http://x/v1", "needs teacher.model"),
        (
            "teacher.baseUrl=http://x/v1,teacher.model=m,teacher.endpoints.a.baseUrl=http://y/v1",
            "both say who is asked",
        ),
        ("normalizer.mode=teacher", "asks a language model: set teacher.baseUrl"),
        ("server.tls.clientCa=true", "needs server.tls.existingSecret"),
        (
            "trainerLauncher.enabled=true,trainerLauncher.verifier.tokenExistingSecret=t",
            "trainerLauncher.verifier.tls.existingSecret: a token is sent over TLS alone",
        ),
        (
            "trainerLauncher.enabled=true,trainerLauncher.verifier.tls.clientCertificate=true",
            "needs trainerLauncher.verifier.tls.existingSecret, which has tls.crt and tls.key",
        ),
        (
            "trainerLauncher.enabled=true,trainerLauncher.verifier.tls.existingSecret=c",
            "is for a verifier with TLS: set server.tls.existingSecret, or leave it out",
        ),
        (
            "trainerLauncher.enabled=true,server.tls.existingSecret=s",
            "with server.tls the verifier is called over TLS: set trainerLauncher.verifier.tls",
        ),
        (
            "trainerLauncher.enabled=true,server.tls.existingSecret=s,server.tls.clientCa=true,"
            "trainerLauncher.verifier.tls.existingSecret=c",
            "set trainerLauncher.verifier.tls.clientCertificate",
        ),
        (
            "trainerLauncher.enabled=true,server.tls.existingSecret=s,"
            "server.tokens.existingSecret=t,trainerLauncher.verifier.tls.existingSecret=c",
            "the verifier wants a token: set trainerLauncher.verifier.tokenExistingSecret",
        ),
        (
            "trainerLauncher.config.trainer_launcher.verifier_token_secret=t",
            "trainerLauncher.config.trainer_launcher.verifier_token_secret cannot be set",
        ),
        ("gateway.enabled=true", "this version has no gateway"),
        (
            "config.sandbox.backend=process",
            "config.sandbox.backend cannot be set: values has a place",
        ),
        ("executor.config.sandbox.Backend=process", "executor.config.sandbox.Backend cannot be"),
        ("executor.env.CODEIO_SANDBOX__BACKEND=process", "executor.env.CODEIO_SANDBOX__BACKEND"),
        ("executor.env.codeio_sandbox__backend=process", "executor.env.codeio_sandbox__backend"),
        ("config.teacher.api_key=secret", "config.teacher.api_key cannot be set: values has"),
        ("config.kafka.prefix=a.", "config.kafka.prefix cannot be set: values has a place"),
        ("cotGenerator.config.teacher.base_url=http://x", "cotGenerator.config.teacher.base_url"),
        ("kafka.topics.adminExistingSecret=s", "is the password of kafka.topics.adminUsername"),
        ("kafka.tls.clientCertificate=true", "clientCertificate needs kafka.tls.existingSecret"),
        ("teacher.endpoints.a.baseUrl=http://y/v1", "teacher.endpoints.a needs a model"),
        (
            "teacher.endpoints.a.baseUrl=http://y/v1,teacher.model=m,teacher.existingSecret=s",
            "with teacher.endpoints each has an existingSecret of its own",
        ),
        (
            "kafka.bootstrapServers=a:1,kafka.prefix=A_,kafka.topics.strimzi.enabled=true,"
            "kafka.topics.strimzi.cluster=c",
            "a KafkaTopic would be called A_codeio.attempts",
        ),
        (
            "autoscaling.keda.enabled=true,kafka.bootstrapServers=a:1,kafka.partitions=50",
            "executor.autoscaling.lag must be above kafka.partitions (50)",
        ),
        (
            "autoscaling.hpa.enabled=true,executor.autoscaling.minReplicas=9",
            "executor.autoscaling.minReplicas is above its maxReplicas",
        ),
        (
            "autoscaling.hpa.enabled=true,executor.autoscaling.maxReplicas=50",
            "hold 210 guests, (slots + 1) times autoscaling.maxReplicas each",
        ),
        ("executor.replicas=4", "hold 21 guests"),
    ],
)
def test_values_that_contradict_each_other_are_told_in_a_sentence(values: str, told: str) -> None:
    message = refusal("--set", values)
    assert told in message
    sentence = message.splitlines()
    assert any(told in line for line in sentence)


def test_a_release_whose_services_could_have_no_name_is_refused() -> None:
    with pytest.raises(Refused, match="its name begins with a letter, unlike 123"):
        run_helm("template", "123", str(CHART))


def test_each_key_is_described_and_in_the_schema() -> None:
    described = {path for path, _, _ in generate.described_values()}

    def leaves(values: Any, path: tuple[str, ...] = ()) -> set[str]:
        if path[-1:] == ("resources",) or not (isinstance(values, dict) and values):
            return {".".join(path)}
        return set().union(*(leaves(each, (*path, key)) for key, each in values.items()))

    maps = {path for path in described if path.endswith(".labels")}
    undescribed = {leaf for leaf in leaves(DEFAULTS) if leaf not in described}
    assert {leaf for leaf in undescribed if leaf.rpartition(".")[0] not in maps} == set()


def test_generated_files_are_up_to_date() -> None:
    assert (CHART / "README.md").read_text() == generate.readme()
    assert (CHART / "files" / "topics.yaml").read_text() == generate.topics()
    assert (CHART / "files" / "trainingrun.yaml").read_text() == generate.training_run()


def test_the_schema_knows_the_sections_of_settings() -> None:
    sections = SCHEMA["$defs"]["config"]["properties"].keys()
    assert set(sections) == set(Settings.model_fields)


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = Settings()
    assert DEFAULTS["kafka"]["partitions"] == settings.kafka.partitions
    assert DEFAULTS["kafka"]["replicas"] == settings.kafka.replicas
    assert DEFAULTS["kafka"]["saslMechanism"] == settings.kafka.sasl_mechanism
    assert DEFAULTS["normalizer"]["mode"] == settings.normalizer.mode
