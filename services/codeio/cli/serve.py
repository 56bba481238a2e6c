"""`codeio serve`: the stages as services."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from codeio.cli.common import (
    Config,
    Ground,
    Normalizer,
    Sandbox,
    Seed,
    Teacher,
    extra,
    settings_of,
    wait_for,
)

serve_app = typer.Typer(
    help="Serve a stage by gRPC and, where a broker is named, on its topics.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


Host = Annotated[str | None, typer.Option("--host", help="Address to listen at.")]
Port = Annotated[int | None, typer.Option("--port", help="0: one that is free.")]
MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", help="HTTP of metrics and probes; 0: one that is free."),
]


@serve_app.command("normalizer")
def serve_normalizer(  # noqa: PLR0913, PLR0917
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    normalizer: Normalizer = None,
    sandbox: Sandbox = None,
    seed: Seed = None,
    config: Config = None,
) -> None:
    """Make programs of the files of other services.

    Example: codeio serve normalizer --port 50051
    """
    own = {"normalizer": {"mode": normalizer}, "seed": seed}
    _serve("normalizer", _server(host, port, metrics_port), sandbox=sandbox, config=config, **own)


@serve_app.command("executor")
def serve_executor(
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    sandbox: Sandbox = None,
    config: Config = None,
) -> None:
    """Execute the programs of other services, until a signal; a second one does not wait.

    Example: codeio serve executor --port 50051
    """
    _serve("executor", _server(host, port, metrics_port), sandbox=sandbox, config=config)


@serve_app.command("cot-generator")
def serve_cot_generator(  # noqa: PLR0913, PLR0917
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    teacher: Teacher = None,
    ground: Ground = None,
    sandbox: Sandbox = None,
    config: Config = None,
) -> None:
    """Have rationales written for the tasks of other services.

    Example: codeio serve cot-generator --teacher trace --port 50051
    """
    own = {"teacher": {"kind": teacher, "ground": ground}}
    _serve(
        "cot-generator", _server(host, port, metrics_port), sandbox=sandbox, config=config, **own
    )


@serve_app.command("verifier")
def serve_verifier(
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    sandbox: Sandbox = None,
    config: Config = None,
) -> None:
    """Judge the answers of other services' models: a reward for reinforcement learning.

    Example: codeio serve verifier --port 50051
    """
    _serve("verifier", _server(host, port, metrics_port), sandbox=sandbox, config=config)


@serve_app.command("trainer-launcher")
def serve_trainer_launcher(
    host: Host = None, port: Port = None, metrics_port: MetricsPort = None, config: Config = None
) -> None:
    """Carry out the TrainingRuns of a cluster, in a pod of it or by its kubeconfig.

    Example: CODEIO_TRAINER_LAUNCHER__IMAGE=codeio-trainer:0.1.0 codeio serve trainer-launcher
    """
    _serve("trainer-launcher", _server(host, port, metrics_port), config=config)


@serve_app.command("sandbox")
def serve_sandbox(
    host: Host = None, port: Port = None, metrics_port: MetricsPort = None, config: Config = None
) -> None:
    """Run the programs of executors elsewhere; only inside gVisor, where nothing else is.

    Example: codeio serve sandbox --host 0.0.0.0
    """
    with extra("executor"):
        from codeio.pipeline import serving
        from codeio.runtime.telemetry import saying

        settings = settings_of(
            config, server={"host": host, "metrics_port": metrics_port}, sandbox={"port": port}
        )
        wait_for(
            serving.serve_sandbox(settings, say=saying(settings.telemetry.log_format)), settings
        )


@serve_app.command("all")
def serve_all(  # noqa: PLR0913, PLR0917
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    teacher: Teacher = None,
    ground: Ground = None,
    normalizer: Normalizer = None,
    sandbox: Sandbox = None,
    seed: Seed = None,
    config: Config = None,
) -> None:
    """Serve all stages in one process, and carry them over a broker.

    Example: codeio serve all --teacher trace
    """
    own = {
        "teacher": {"kind": teacher, "ground": ground},
        "normalizer": {"mode": normalizer},
        "seed": seed,
    }
    _serve("all", _server(host, port, metrics_port), sandbox=sandbox, config=config, **own)


def _server(host: str | None, port: int | None, metrics_port: int | None) -> dict[str, Any]:
    return {"host": host, "port": port, "metrics_port": metrics_port}


def _serve(
    name: str,
    server: dict[str, Any],
    *,
    config: Path | None,
    sandbox: str | None = None,
    **flags: Any,
) -> None:
    with extra("local" if name == "all" else name):
        from codeio.pipeline import serving
        from codeio.runtime.spans import exporting_spans
        from codeio.runtime.telemetry import saying

        settings = settings_of(config, sandbox={"backend": sandbox}, server=server, **flags)
        with exporting_spans(name):
            wait_for(
                serving.serve(name, settings, say=saying(settings.telemetry.log_format)), settings
            )
