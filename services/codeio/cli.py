"""The command line. Each command imports what it needs when it is called.

So the base installation, which has the contract alone, can say which extra a
command wants, and `--help` is quick.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from codeio import __version__
from codeio.runtime.errors import CodeioError, Interrupted, Stopped, UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from codeio.collect import Collector
    from codeio.pipeline.over_files import Counts
    from codeio.runtime.records import Record
    from codeio.runtime.settings import Settings
    from codeio.runtime.topics import Topic

T = TypeVar("T")

app = typer.Typer(
    name="codeio",
    help="Turn real code into verified reasoning data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="A file, a folder, JSONL or Parquet, git+URL, pypi:NAME[==VERSION], hf:NAME, stdlib, "
        "or an fsspec URL such as s3://bucket/path.",
    ),
]
RecordFile = Annotated[str, typer.Argument(metavar="F", help="Records to read; - for stdin.")]
OutFile = Annotated[str, typer.Option("--out", metavar="G", help="Where to; - for stdout.")]
Config = Annotated[Path | None, typer.Option("--config", help="A YAML file of settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all that is random.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Look at so many files or rows at most.")
]
Sandbox = Annotated[
    str | None,
    typer.Option(
        "--sandbox",
        help="gvisor; remote, in pods; or process, which runs the code as you, unprotected.",
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option("--teacher", help="trace; or openai, a model behind CODEIO_TEACHER__BASE_URL."),
]
Normalizer = Annotated[
    str | None,
    typer.Option(
        "--normalizer",
        help="static; teacher, a model; static+teacher, which asks it for what static cannot use.",
    ),
]
Ground = Annotated[
    str | None,
    typer.Option(
        "--ground",
        help="trace: the model rewrites the traced rationale, kept if its statements hold; none.",
    ),
]
UnknownLicence = Annotated[
    str | None,
    typer.Option("--unknown-licence", help="keep or refuse files whose licence is not known."),
]


@app.command()
def run(  # noqa: PLR0913, PLR0917
    sources: Sources,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The run's folder.")],
    teacher: Teacher = None,
    ground: Ground = None,
    normalizer: Normalizer = None,
    sandbox: Sandbox = None,
    seed: Seed = None,
    limit: Limit = None,
    unknown_licence: UnknownLicence = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run the whole recipe; called again after an interruption, it goes on.

    Example: codeio run pypi:algorithms stdlib --out out --limit 200
    """
    from codeio.pipeline.recipe import Recipe, run_recipe
    from codeio.report import terminal_summary

    settings = _settings(
        config,
        seed=seed,
        teacher={"kind": teacher, "ground": ground},
        normalizer={"mode": normalizer},
        sandbox={"backend": sandbox},
        collect={"unknown_licence": unknown_licence},
    )
    recipe = Recipe(
        sources=tuple(sources), out=out, settings=settings, limit=limit, command=_command_line()
    )
    try:
        report = _wait_for(run_recipe(recipe, say=_say))
    except Interrupted as interruption:
        raise Interrupted(f"interrupted; the same command goes on with {out}") from interruption
    if not as_json:
        from rich.console import Console

        Console(stderr=True).print(terminal_summary(report))
    figures = report.to_json()
    keys = ("raw_files", "files_with_program", "programs", "pairs", "samples", "samples_correct")
    _summarise(
        {key: figures[key] for key in keys}
        | {"dead_letters": report.dead_letters, "out": str(out)},
        as_json=as_json,
    )
    if report.stopped:
        raise Stopped(report.stopped)
    if report.dead_letters:
        raise CodeioError(
            f"{report.dead_letters} records broke a stage; they are kept in {out / 'log.sqlite'}"
        )


@app.command()
def collect(  # noqa: PLR0913, PLR0917
    sources: Sources,
    out: OutFile,
    limit: Limit = None,
    unknown_licence: UnknownLicence = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read sources and write raw files.

    Example: codeio collect ~/src pypi:sortedcontainers --out raw.jsonl.zst
    """
    from codeio.pipeline.over_files import write_collected

    collector = _collector(_settings(config, collect={"unknown_licence": unknown_licence}), limit)
    collector.check(sources)
    counts = write_collected((record for _, record in collector.collect(sources)), out)
    _summarise(counts.to_json(), as_json=as_json)


@app.command()
def normalize(  # noqa: PLR0913, PLR0917
    file: Annotated[str, typer.Argument(metavar="F", help="Raw files, or a SOURCE; - for stdin.")],
    out: OutFile,
    normalizer: Normalizer = None,
    sandbox: Sandbox = None,
    seed: Seed = None,
    limit: Limit = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make programs with JSON inputs and outputs of raw files.

    Example: codeio normalize raw.jsonl.zst --out programs.jsonl.zst
    """
    from codeio.pipeline.over_files import raw_files_of
    from codeio.runtime.topics import PROGRAMS

    settings = _settings(
        config, seed=seed, normalizer={"mode": normalizer}, sandbox={"backend": sandbox}
    )
    records = raw_files_of(file, _collector(settings, limit))
    counts = _run_stage("normalizer", records, {PROGRAMS: out}, settings)
    _summarise(counts.to_json(), as_json=as_json)


@app.command()
def execute(  # noqa: PLR0913, PLR0917
    file: RecordFile,
    out: OutFile,
    tasks: Annotated[
        str | None, typer.Option("--tasks", metavar="T", help="Where prediction tasks go.")
    ] = None,
    sandbox: Sandbox = None,
    seed: Seed = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Execute programs and keep the input/output pairs that reproduce.

    Example: codeio execute programs.jsonl.zst --out executions.jsonl.zst --tasks tasks.jsonl.zst
    """
    from codeio.pipeline.over_files import records_of
    from codeio.runtime.topics import EXECUTIONS, PROGRAMS, TASKS

    outputs = {EXECUTIONS: out} | ({TASKS: tasks} if tasks else {})
    settings = _settings(config, seed=seed, sandbox={"backend": sandbox})
    counts = _run_stage("executor", records_of(file, PROGRAMS), outputs, settings)
    _summarise(counts.to_json(), as_json=as_json)


@app.command()
def generate(  # noqa: PLR0913, PLR0917
    file: RecordFile,
    out: OutFile,
    teacher: Teacher = None,
    ground: Ground = None,
    sandbox: Sandbox = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Let a teacher write a rationale and an answer for each task.

    Example: codeio generate tasks.jsonl.zst --out attempts.jsonl.zst --teacher trace
    """
    from codeio.pipeline.over_files import records_of
    from codeio.runtime.topics import ATTEMPTS, TASKS

    settings = _settings(
        config, teacher={"kind": teacher, "ground": ground}, sandbox={"backend": sandbox}
    )
    counts = _run_stage("cot-generator", records_of(file, TASKS), {ATTEMPTS: out}, settings)
    _summarise(counts.to_json(), as_json=as_json)


@app.command()
def verify(
    file: RecordFile,
    out: OutFile,
    sandbox: Sandbox = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Judge attempts by execution: one sample for each, in their order.

    Example: codeio verify attempts.jsonl.zst --out samples.jsonl.zst
    """
    from codeio.pipeline.over_files import records_of
    from codeio.runtime.topics import ATTEMPTS, SAMPLES

    settings = _settings(config, sandbox={"backend": sandbox})
    counts = _run_stage("verifier", records_of(file, ATTEMPTS), {SAMPLES: out}, settings)
    _summarise(counts.to_json(), as_json=as_json)


@app.command()
def export(  # noqa: PLR0913, PLR0917
    file: RecordFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set's folder.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="messages, prompt-completion, joined, sharegpt, codeio or verl; repeatable.",
        ),
    ] = None,
    seed: Seed = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write samples as a data set.

    Example: codeio export samples.jsonl.zst --out dataset --format messages --format verl
    """
    with _extra("dataset"):
        from codeio.dataset import Provenance
        from codeio.dataset import export as export_dataset
        from codeio.runtime.jsonl import read_records
        from codeio.v1.records_pb2 import Sample

    settings = _settings(config, seed=seed)
    summary = export_dataset(
        read_records(file, Sample),
        out,
        settings=settings.dataset,
        formats=formats or (),
        seed=settings.seed,
        provenance=Provenance(
            command=_command_line(),
            settings=settings.told(),
            codeio_version=__version__,
        ),
    )
    figures = summary.to_json()
    keys = ("samples_read", "samples", "samples_correct", "programs", "rows")
    _summarise({key: figures[key] for key in keys}, as_json=as_json)


@app.command()
def setup(config: Config = None) -> None:
    """Get what the sandbox needs: gVisor's runsc and the packages for the guest.

    Example: codeio setup
    """
    with _extra("executor"):
        from codeio.executor.sandbox.guest_environment import build_guest_environment
        from codeio.executor.sandbox.runsc import install_runsc

    home = _settings(config).sandbox.home
    install_runsc(home, say=_say)
    build_guest_environment(home, say=_say)


responses_app = typer.Typer(
    help="The store of a language model's responses.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(responses_app, name="responses")


@responses_app.command("add")
def responses_add(
    file: Annotated[str, typer.Argument(metavar="RESULTS", help="The file; - for stdin.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take the results of a batch file in, so that the next run finds them.

    Example: codeio responses add results.jsonl
    """
    with _extra("cot-generator"):
        from codeio.language_model.batch import add_results_of

    counts = _wait_for(add_results_of(file, _settings(config).teacher))
    _summarise(dict(counts), as_json=as_json)


serve_app = typer.Typer(
    help="Serve a stage to other services by gRPC.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(serve_app, name="serve")


@serve_app.command("executor")
def serve_executor(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="0: one that is free.")] = None,
    sandbox: Sandbox = None,
    config: Config = None,
) -> None:
    """Execute the programs of other services, until a signal; a second one does not wait.

    Example: codeio serve executor --port 50051
    """
    with _extra("executor"):
        from codeio.pipeline import serving

        settings = _settings(
            config, sandbox={"backend": sandbox}, server={"host": host, "port": port}
        )
        _wait_for(serving.serve_executor(settings, say=_say))


@serve_app.command("sandbox")
def serve_sandbox(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="0: one that is free.")] = None,
    config: Config = None,
) -> None:
    """Run the programs of executors elsewhere; only inside gVisor, where nothing else is.

    Example: codeio serve sandbox --host 0.0.0.0
    """
    with _extra("executor"):
        from codeio.pipeline import serving

        settings = _settings(config, server={"host": host}, sandbox={"port": port})
        _wait_for(serving.serve_sandbox(settings, say=_say))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeio {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; its errors are sentences and exit codes (0, 1, 2, 130)."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        with _extra("local"):
            app()
    except UsageError as error:
        _fail(error, 2)
    except Interrupted as error:
        _fail(error, 130)
    except CodeioError as error:
        _fail(error, 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _interrupt(*_: object) -> None:
    # Not KeyboardInterrupt, of which the command line library makes exit code 1.
    raise Interrupted("interrupted")


def _fail(error: Exception, code: int) -> None:
    _say(f"codeio: {error}")
    sys.exit(code)


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Name the extra that brings a module which is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this command needs {error.name}; run `pip install 'codeio[{name}]'`"
        ) from error


def _command_line() -> str:
    return shlex.join(["codeio", *sys.argv[1:]])


def _settings(config: Path | None, **flags: Any) -> Settings:
    from codeio.runtime.settings import load_settings

    given: dict[str, Any] = {}
    for name, flag in flags.items():
        if isinstance(flag, dict):
            given[name] = {key: value for key, value in flag.items() if value is not None}
        elif flag is not None:
            given[name] = flag
    return load_settings(config, given)


def _collector(settings: Settings, limit: int | None) -> Collector:
    from codeio.collect import Collector

    return Collector(settings.collect, limit=limit)


def _run_stage(
    stage: str, records: Iterator[Record], outputs: dict[Topic, str], settings: Settings
) -> Counts:
    from codeio.pipeline.over_files import stage_over_file

    return _wait_for(stage_over_file(stage, records, outputs=outputs, settings=settings, say=_say))


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    from codeio.runtime.telemetry import configure_logs

    configure_logs()
    return asyncio.run(work)


def _summarise(figures: dict[str, Any], *, as_json: bool) -> None:
    """Print the last line: on standard error, or as JSON on standard output."""
    if as_json:
        typer.echo(json.dumps(figures))
        return
    words = [
        f"{value:,} {key.replace('_', ' ')}"
        for key, value in figures.items()
        if isinstance(value, int)
    ]
    place = f" in {figures['out']}" if "out" in figures else ""
    _say(", ".join(words) + place)


def _say(line: str) -> None:
    typer.echo(line, err=True)
