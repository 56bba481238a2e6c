"""The recipe and its stages, over files on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeio import __version__
from codeio.cli.common import (
    Config,
    Ground,
    Json,
    Limit,
    Normalizer,
    OutFile,
    RecordFile,
    Sandbox,
    Seed,
    Sources,
    Teacher,
    UnknownLicence,
    collector_of,
    command_line,
    extra,
    going_on_with,
    say,
    settings_of,
    summarise,
    wait_for,
)
from codeio.runtime.errors import CodeioError, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.pipeline.over_files import Counts
    from codeio.runtime.records import Record
    from codeio.runtime.settings import Settings
    from codeio.runtime.topics import Topic

app = typer.Typer()


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

    settings = settings_of(
        config,
        seed=seed,
        teacher={"kind": teacher, "ground": ground},
        normalizer={"mode": normalizer},
        sandbox={"backend": sandbox},
        collect={"unknown_licence": unknown_licence},
    )
    recipe = Recipe(
        sources=tuple(sources), out=out, settings=settings, limit=limit, command=command_line()
    )
    with going_on_with(out):
        report = wait_for(run_recipe(recipe, say=say))
    if not as_json:
        from rich.console import Console

        Console(stderr=True).print(terminal_summary(report))
    figures = report.to_json()
    keys = ("raw_files", "files_with_program", "programs", "pairs", "samples", "samples_correct")
    summarise(
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

    collector = collector_of(
        settings_of(config, collect={"unknown_licence": unknown_licence}), limit
    )
    collector.check(sources)
    counts = write_collected((record for _, record in collector.collect(sources)), out)
    summarise(counts.to_json(), as_json=as_json)


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

    settings = settings_of(
        config, seed=seed, normalizer={"mode": normalizer}, sandbox={"backend": sandbox}
    )
    records = raw_files_of(file, collector_of(settings, limit))
    counts = _run_stage("normalizer", records, {PROGRAMS: out}, settings)
    summarise(counts.to_json(), as_json=as_json)


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
    settings = settings_of(config, seed=seed, sandbox={"backend": sandbox})
    counts = _run_stage("executor", records_of(file, PROGRAMS), outputs, settings)
    summarise(counts.to_json(), as_json=as_json)


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

    settings = settings_of(
        config, teacher={"kind": teacher, "ground": ground}, sandbox={"backend": sandbox}
    )
    counts = _run_stage("cot-generator", records_of(file, TASKS), {ATTEMPTS: out}, settings)
    summarise(counts.to_json(), as_json=as_json)


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

    settings = settings_of(config, sandbox={"backend": sandbox})
    counts = _run_stage("verifier", records_of(file, ATTEMPTS), {SAMPLES: out}, settings)
    summarise(counts.to_json(), as_json=as_json)


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
    with extra("dataset"):
        from codeio.dataset import Provenance
        from codeio.dataset import export as export_dataset
        from codeio.runtime.jsonl import read_records
        from codeio.v1.records_pb2 import Sample

    settings = settings_of(config, seed=seed)
    summary = export_dataset(
        read_records(file, Sample),
        out,
        settings=settings.dataset,
        formats=formats or (),
        seed=settings.seed,
        provenance=Provenance(
            command=command_line(),
            settings=settings.told(),
            codeio_version=__version__,
        ),
    )
    figures = summary.to_json()
    keys = ("samples_read", "samples", "samples_correct", "programs", "rows")
    summarise({key: figures[key] for key in keys}, as_json=as_json)


@app.command()
def setup(config: Config = None) -> None:
    """Get what the sandbox needs: gVisor's runsc and the packages for the guest.

    Example: codeio setup
    """
    with extra("executor"):
        from codeio.executor.sandbox.guest_environment import build_guest_environment
        from codeio.executor.sandbox.runsc import install_runsc

    home = settings_of(config).sandbox.home
    install_runsc(home, say=say)
    build_guest_environment(home, say=say)


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
    with extra("cot-generator"):
        from codeio.language_model.batch import add_results_of

    counts = wait_for(add_results_of(file, settings_of(config).teacher))
    summarise(dict(counts), as_json=as_json)


def _run_stage(
    stage: str, records: Iterator[Record], outputs: dict[Topic, str], settings: Settings
) -> Counts:
    from codeio.pipeline.over_files import stage_over_file

    return wait_for(stage_over_file(stage, records, outputs=outputs, settings=settings, say=say))
