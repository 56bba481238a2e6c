"""Every setting of every stage, in one place.

Read from environment variables `CODEIO_<SECTION>__<NAME>`, from a YAML file
(`--config`), and from flags, later ones above earlier ones: flags win over the
file, the file over the environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from codeio.runtime.errors import UsageError
from codeio.runtime.sizes import MAX_CALL_BYTES, MAX_FILE_BYTES
from codeio.runtime.values import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE
from codeio.runtime.yaml_reading import read_yaml


def user_folder(variable: str, *, otherwise: str) -> Path:
    """Return `codeio` in one of the user's folders, by the XDG rules."""
    named = os.environ.get(variable, "")
    # A relative path is to be ignored, say the rules.
    return (Path(named) if named.startswith("/") else Path.home() / otherwise) / "codeio"


def default_home() -> Path:
    """Return `codeio` in the user's cache folder."""
    return user_folder("XDG_CACHE_HOME", otherwise=".cache")


def public_url(url: str) -> str:
    """Return an address as it may be shown: no user, no password, no parameters."""
    scheme, separator, rest = url.partition("://")
    authority, stroke, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{stroke}{path}"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


PromptFormat = Literal[
    "query+code/rationale",
    "query/rationale",
    "code/rationale",
    "query+code/code",
    "query/code",
    "code/code",
    "query+code/code+rationale",
    "query/code+rationale",
    "code/code+rationale",
]
"""What a prompt shows, and behind the stroke what the response holds."""


class LimitsSettings(Section):
    """What one call of a program may use and give (paper, section 2.1)."""

    cpu_seconds: float = Field(5.0, gt=0, description="Processor time of one call.")
    wall_factor: float = Field(6.0, ge=1, description="Wall time of one call, over cpu_seconds.")
    margin: float = Field(0.2, ge=0, lt=1, description="A pair this close to the limit is dropped.")
    load_cpu_seconds: float = Field(10.0, gt=0, description="Processor time to load a program.")
    memory_bytes: int = Field(1 << 30, gt=0, description="Address space over the interpreter's.")
    output_bytes: int = Field(1 << 20, gt=0, description="Of prints and of a result.")
    scratch_bytes: int = Field(16 << 20, gt=0, description="All files of a job together.")
    processes: int = Field(16, gt=0, description="Threads of a job; more processes it gets none.")
    container_items: int = Field(20, gt=0, description="A container must hold fewer items.")
    string_chars: int = Field(100, gt=0, description="A string must be shorter.")
    value_bytes: int = Field(1024, gt=0, description="JSON text of one input or output.")


class SandboxSettings(Section):
    """Where untrusted code runs."""

    backend: Literal["gvisor", "remote", "process"] = Field(
        "gvisor", description="remote: in sandbox pods, by their address."
    )
    address: str = Field("", description="HOST:PORT of the sandbox pods, all of them by one name.")
    port: int = Field(50052, ge=0, le=65535, description="Where a sandbox pod serves.")
    workers: int = Field(0, ge=0, description="Jobs at a time; 0: as many as there are cores.")
    reserved: int = Field(
        1, ge=0, description="Jobs more at a time when served, if they are interactive."
    )
    jobs_per_guest: int = Field(10_000, gt=0, description="Jobs until a sandbox is replaced.")
    guest_memory_bytes: int = Field(
        2 << 30, gt=0, description="Memory of a sandbox between jobs, above which it is replaced."
    )
    home: Path = Field(
        default_factory=default_home,
        description="What is fetched and built once: runsc, the guest's packages, sources.",
    )


class CollectSettings(Section):
    """What counts as usable source code."""

    max_bytes: int = Field(MAX_FILE_BYTES, gt=0, le=MAX_FILE_BYTES)
    unknown_licence: Literal["keep", "refuse", "auto"] = Field(
        "auto", description="auto: kept for local sources, refused for pypi: and git+."
    )
    licences: tuple[str, ...] = Field(
        (
            "0BSD",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "BSL-1.0",
            "CC0-1.0",
            "ISC",
            "MIT",
            "MIT-0",
            "PSF-2.0",
            "Python-2.0",
            "Unlicense",
            "Zlib",
        ),
        description="SPDX identifiers that are allowed.",
    )
    benchmarks: tuple[Path, ...] = Field(
        (), description="Files whose 13-grams must not occur in what is collected."
    )


Category = Literal[
    "algorithms",
    "logic_puzzles",
    "mathematics",
    "scientific_computation",
    "system_modelling",
    "other_reasoning",
    "non_reasoning",
]


class NormalizerSettings(Section):
    """From files to programs."""

    mode: Literal["static", "teacher", "static+teacher"] = Field(
        "static",
        description="static+teacher: the teacher gets only the files that the static one "
        "could not use.",
    )
    programs_per_file: int = Field(4, gt=0, description="More programs beat more pairs.")
    categories: tuple[Category, ...] = Field(
        (),
        description="Kinds of files to keep, by the teacher's word (paper, section 2.1); "
        "none named: it is not asked.",
    )
    completion_band: tuple[float, float] | None = Field(
        None,
        description="Keep files one of whose functions the teacher completes with a success in "
        "this band; the paper's is 0.1 to 0.9. Unset: it is not asked.",
    )
    completion_samples: int = Field(10, gt=0, description="Completions for the band.")
    waiting: int = Field(
        64, ge=0, description="Files by gRPC that may wait, beside as many as are looked at."
    )


class ExecutorSettings(Section):
    """From programs to pairs and tasks."""

    pairs_per_program: int = Field(10, gt=0, description="Pairs kept (paper, section 2.1).")
    tasks_per_program: int = Field(
        8,
        gt=0,
        description="Tasks made, half of them in each direction. The paper has 7.7 samples a "
        "program, and finds that more programs help more than more pairs.",
    )
    min_pairs: int = Field(5, gt=0, description="The quality bar: fewer are a rejection.")
    min_distinct_outputs: int = Field(2, gt=0, description="The quality bar of the outputs.")
    candidates: int = Field(30, gt=0, description="Inputs that the generator is asked for.")
    max_calls: int = Field(256, gt=0, description="Calls in one request by gRPC, at most.")
    waiting_batch: int = Field(
        256, ge=0, description="Batch requests that may wait, beside as many as can run."
    )
    waiting_interactive: int = Field(
        64, ge=0, description="Interactive requests that may wait, beside as many as can run."
    )


class EndpointSettings(Section):
    """One OpenAI-compatible endpoint of several."""

    base_url: str = Field(description="Such as http://127.0.0.1:8000/v1.")
    model: str = Field("", description="What the endpoint calls the model; empty: teacher.model.")
    api_key: str = Field("", repr=False)
    api_key_file: Path | None = Field(
        None, description="A file that holds it; read for every call."
    )
    weight: float = Field(1.0, gt=0, description="Share of the calls, beside the others' weights.")


class TeacherSettings(Section):
    """Who writes the rationales, and how a language model is asked."""

    kind: Literal["trace", "openai"] = Field(
        "trace", description="openai: a language model behind an OpenAI-compatible endpoint."
    )
    base_url: str = Field("", description="Such as http://127.0.0.1:8000/v1.")
    model: str = ""
    api_key: str = Field("", repr=False)
    api_key_file: Path | None = Field(
        None, description="A file that holds it; read for every call."
    )
    endpoints: tuple[EndpointSettings, ...] = Field(
        (), description="Several endpoints of one model, in place of base_url."
    )
    headers: dict[str, str] = Field({}, repr=False, description="More headers of every request.")
    body: dict[str, Any] = Field(
        {}, description="More fields of every request, such as reasoning_effort."
    )
    stream: bool = Field(False, description="Streamed replies keep slow connections alive.")
    temperature: float | None = Field(None, ge=0, description="Unless set, the endpoint's own.")
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, gt=0, description="Of a reply.")
    timeout_seconds: float = Field(600.0, gt=0, description="Of one call; streamed, of a pause.")
    max_in_flight: int = Field(256, gt=0, description="Calls at a time to one endpoint, at most.")
    requests_per_minute: int = Field(0, ge=0, description="To one endpoint; 0: no limit known.")
    tokens_per_minute: int = Field(0, ge=0, description="To one endpoint; 0: no limit known.")
    attempts: int = Field(6, gt=0, description="Tries of a call that fails by no fault of its own.")
    give_up_seconds: float = Field(
        120.0, gt=0, description="The run stops when for so long no endpoint answers."
    )
    budget_usd: float | None = Field(
        None,
        gt=0,
        description="The run stops before it costs more; it can go on with a larger one.",
    )
    prompt_usd_per_million: float = Field(0.0, ge=0, description="Price of tokens sent.")
    completion_usd_per_million: float = Field(0.0, ge=0, description="Price of tokens received.")
    store: str = Field(
        "",
        repr=False,
        description="Where paid responses are kept: a path of an SQLite file, postgresql://..., "
        "s3://... or another fsspec URL. Empty: responses.sqlite in the user's data folder.",
    )
    batch: Path | None = Field(
        None,
        description="Write what would be asked to this batch file, and ask nothing; "
        "`codeio responses add` takes the results in.",
    )
    prompt_format: PromptFormat = Field(
        "query+code/rationale", description="Parts of prompt and response (paper, section 4.3)."
    )
    ground: Literal["none", "trace"] = Field(
        "none",
        description="trace: the model rewrites the traced rationale; kept if its claims hold.",
    )
    samples_per_task: int = Field(1, gt=0)
    turns: int = Field(1, ge=0, description="Revisions after a wrong answer (paper: 1).")
    token_budget: int = Field(1200, gt=0, description="Length of a traced rationale in tokens.")
    trace_steps: int = Field(2000, gt=0, description="Steps after which a trace is cut.")
    waiting: int = Field(
        256, ge=0, description="Calls by gRPC that may wait, beside as many as are answered."
    )


class VerifierSettings(Section):
    """When an answer is right."""

    relative_tolerance: float = Field(RELATIVE_TOLERANCE, ge=0)
    absolute_tolerance: float = Field(ABSOLUTE_TOLERANCE, ge=0)
    check_claims: bool = True
    trace_steps: int = Field(
        2000, gt=0, description="At least teacher.trace_steps, or claims past it are refuted."
    )
    max_batch: int = Field(
        1024, gt=0, description="Answers in one request, or one message of a stream, by gRPC."
    )
    max_answer_bytes: int = Field(
        1 << 20,
        gt=0,
        description="Response and expected output of one request by gRPC; to read a hostile one "
        "takes two seconds a MiB, and nothing else is answered meanwhile.",
    )
    stream_window: int = Field(
        1024,
        gt=0,
        description="Unanswered requests of a stream, from which on no more of it is read.",
    )
    waiting: int = Field(
        256, ge=0, description="Predicted inputs by gRPC that may wait for a sandbox."
    )


class DatasetSettings(Section):
    """What becomes of the samples."""

    formats: tuple[str, ...] = (
        "messages",
        "prompt-completion",
        "joined",
        "sharegpt",
        "codeio",
        "verl",
    )
    splits: tuple[float, float, float] = Field(
        (0.9, 0.05, 0.05), description="Shares of train, validation and test, by program."
    )
    near_duplicate_threshold: float = Field(
        0.7, gt=0, le=1, description="Jaccard similarity of token 5-grams."
    )
    pass_rate: tuple[float, float] | None = Field(
        None,
        description="Keep tasks whose share of samples that were right at once is in this band.",
    )
    statements: Literal["any", "uncontradicted", "supported"] = Field(
        "any",
        description="Of the last rationale's statements about values a trace must have refuted "
        "none; or none, and confirmed one.",
    )


class TrainerLauncherSettings(Section):
    """How training runs are carried out on a cluster."""

    image: str = Field("", description="Of the trainer. Unset: no run is carried out.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    namespace: str = Field(
        "", description="Where the runs are. Unset: the pod's own, or that of the kubeconfig."
    )
    service_account: str = Field("default", description="Of the runs' pods, which get no token.")
    verifier_address: str = Field(
        "", description="HOST:PORT of the verifier, which grades answers by execution."
    )
    verifier_token_secret: str = Field(
        "", description="Secret that has, as `token`, a token for the verifier."
    )
    verifier_tls_secret: str = Field(
        "",
        description="Secret that has as `ca.crt` who signed the verifier's certificate. It and "
        "that of the token are in the runs' namespace, and are mounted in pods that evaluate.",
    )
    verifier_client_certificate: bool = Field(
        False, description="Whether that Secret has `tls.crt` and `tls.key` to be shown as well."
    )
    labels: dict[str, str] = Field({}, description="More labels of the runs' children.")
    grace_seconds: int = Field(
        600, ge=0, description="How long a pod that is to stop may take to save a checkpoint."
    )
    progress_seconds: float = Field(10.0, gt=0, description="How often pods are asked how far.")
    resync_seconds: float = Field(
        600.0, gt=0, description="How often all runs are looked at, whether or not one changed."
    )
    concurrency: int = Field(8, gt=0, description="Runs that are looked at at a time.")
    lease: str = Field(
        "codeio-trainer-launcher",
        description="Name of the Lease, whose holder alone carries out runs.",
    )
    lease_seconds: float = Field(
        15.0, gt=0, description="Silence after which the Lease goes to another replica."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.verifier_token_secret and not self.verifier_tls_secret:
            raise ValueError(
                "verifier_token_secret needs verifier_tls_secret: a token is sent over TLS alone"
            )
        if self.verifier_client_certificate and not self.verifier_tls_secret:
            raise ValueError("verifier_client_certificate needs verifier_tls_secret")
        return self


class WorkerSettings(Section):
    """How a stage is carried over a log."""

    attempts: int = Field(8, gt=0, description="Tries of a record that fails transiently.")
    first_wait_seconds: float = Field(
        0.5, ge=0, description="Wait before the second try; it doubles with each further one."
    )
    longest_wait_seconds: float = Field(
        60.0, ge=0, description="Longest wait, unless the other side asks for a longer one."
    )
    drain_seconds: float = Field(
        10.0, ge=0, description="How long a worker that stops waits for what it has begun."
    )


class ServerSettings(Section):
    """How a service is reached by gRPC."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen at. Whoever reaches it may run programs, so it is this "
        "machine alone; `0.0.0.0` or `::` in a pod, where a network policy says who reaches it.",
    )
    port: int = Field(50051, ge=0, le=65535, description="0: one that is free.")
    max_message_bytes: int = Field(
        MAX_CALL_BYTES, gt=0, le=256 << 20, description="Size of one request or answer."
    )
    drain_seconds: float = Field(
        25.0,
        ge=0,
        description="How long a server that stops waits for running calls; less than the pod's "
        "grace period of 30 s.",
    )
    connection_age_seconds: float = Field(
        300.0,
        gt=0,
        description="After this a client is asked to connect anew, and so finds new replicas; "
        "running calls end in peace.",
    )
    longest_call_seconds: float = Field(
        3600.0,
        gt=0,
        description="A call that takes longer is ended, whatever its own deadline; not a stream "
        "of requests, which lasts as long as its client likes.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file of the certificate and those between it and its authority; it and "
        "the other files are read anew when they change. Unset: no TLS.",
    )
    tls_key: Path | None = Field(None, description="PEM file of its private key, not encrypted.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file of authorities, one of which must have signed each client's."
    )
    tokens_file: Path | None = Field(
        None,
        description="YAML or JSON file of the tokens that may call (docs/security.md); read anew "
        "when it changes. Unset: whoever reaches the port may.",
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Answers health and nothing else, without TLS: for probes of Kubernetes.",
    )
    metrics_port: int = Field(
        9090, ge=0, le=65535, description="HTTP: /metrics, /livez and /readyz. 0: one that is free."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are of use only together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca is of use only with tls_certificate and tls_key")
        ports = [port for port in (self.port, self.health_port, self.metrics_port) if port]
        if len(set(ports)) < len(ports):
            raise ValueError("port, health_port and metrics_port are to differ")
        return self


class KafkaSettings(Section):
    """The broker that joins the services, and how they work with it."""

    bootstrap_servers: str = Field(
        "", description="HOST:PORT, several by commas. Unset: services answer gRPC alone."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = Field(None, description="Holds the password, in its place.")
    ca_file: FilePath | None = Field(None, description="PEM: who signed the broker's certificate.")
    certificate_file: FilePath | None = Field(None, description="PEM: ours, where the broker asks.")
    key_file: FilePath | None = None
    prefix: str = Field(
        "",
        pattern=r"^[a-zA-Z0-9._-]{0,100}$",
        description="Before all names of topics and groups, where installations share a broker.",
    )
    slot: str = Field(
        "",
        pattern=r"^[a-zA-Z0-9._-]{0,100}$",
        description="Name of this replica that stays over restarts, such as the pod's in a "
        "StatefulSet; two processes must never have the same. With it a restart goes on at once.",
    )
    partitions: int = Field(
        24, gt=0, description="Of each topic: more replicas of a service than this have no work."
    )
    replicas: int = Field(3, gt=0, description="Brokers that hold each partition.")
    session_seconds: float = Field(
        10.0, ge=1, description="Silence after which the partitions of a worker go to others."
    )
    transaction_seconds: float = Field(
        10.0, ge=1, description="After this the broker gives a transaction up."
    )


class TelemetrySettings(Section):
    """What a service tells of itself; traces are set up by OpenTelemetry's own variables."""

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["info", "warning", "error"] = Field(
        "warning",
        description="`info` tells of calls, retries and rejections too.",
    )


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(
        env_prefix="CODEIO_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    seed: int = 0
    limits: LimitsSettings = LimitsSettings()
    sandbox: SandboxSettings = SandboxSettings()
    collect: CollectSettings = CollectSettings()
    normalizer: NormalizerSettings = NormalizerSettings()
    executor: ExecutorSettings = ExecutorSettings()
    teacher: TeacherSettings = TeacherSettings()
    verifier: VerifierSettings = VerifierSettings()
    dataset: DatasetSettings = DatasetSettings()
    trainer_launcher: TrainerLauncherSettings = TrainerLauncherSettings()
    worker: WorkerSettings = WorkerSettings()
    server: ServerSettings = ServerSettings()
    kafka: KafkaSettings = KafkaSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    def told(self) -> dict[str, Any]:
        """Return the settings as plain data, to be shown and kept: without secrets."""
        teacher: dict[str, Any] = dict.fromkeys(("api_key", "headers", "store"), True)
        teacher["endpoints"] = {"__all__": {"api_key"}}
        # How records pass from stage to stage makes no difference to what comes out.
        told = self.model_dump(
            mode="json", exclude={"teacher": teacher, "kafka": True, "telemetry": True}
        )
        for endpoint in (told["teacher"], *told["teacher"]["endpoints"]):
            endpoint["base_url"] = public_url(endpoint["base_url"])
        return told


_SECTIONS = tuple(name for name in Settings.model_fields if name != "seed")


def load_settings(config: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Read the settings: environment, then file, then flags (nested dicts by section).

    Raises:
        UsageError: the file cannot be read, or a value is not what it must be.
    """
    values: dict[str, Any] = {}
    if config is not None:
        try:
            documents = read_yaml(config.read_text()) or [{}]
        except OSError as error:
            told = error.strerror or str(error)
            raise UsageError(f"cannot read the settings in {config}: {told}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            told = " ".join(str(error).split())
            raise UsageError(f"cannot read the settings in {config}: {told}") from error
        if len(documents) > 1 or not isinstance(documents[0], dict):
            raise UsageError(f"the settings in {config} are not a mapping of sections")
        values = documents[0]
    for key in values:
        if not isinstance(key, str):
            raise UsageError(f"setting {key} in {config} is no name of a section")
    _check_environment()
    try:
        return Settings(**_merge(values, flags or {}))
    except SettingsError as error:
        raise UsageError(f"{error}; lists and mappings in the environment are JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"setting {where}: {told}; mend it in {config or 'the environment or flags'}"
        ) from error


def _check_environment() -> None:
    """Find a section that is misspelt, which would be passed over in silence."""
    for name in os.environ:
        section, nested, _ = name.upper().removeprefix("CODEIO_").partition("__")
        if name.upper().startswith("CODEIO_") and nested and section.lower() not in _SECTIONS:
            raise UsageError(
                f"the environment has {name}, and there is no section {section.lower()} "
                f"of the settings; there are {', '.join(_SECTIONS)}"
            )


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged
