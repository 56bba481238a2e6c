"""What the commands share: their options, and how they begin and end."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from codeio.runtime.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from codeio.collect import Collector
    from codeio.runtime.settings import Settings

T = TypeVar("T")

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


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra that brings a module which is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this command needs {error.name}; run `pip install 'codeio[{name}]'`"
        ) from error


def command_line() -> str:
    return shlex.join(["codeio", *sys.argv[1:]])


def settings_of(config: Path | None, **flags: Any) -> Settings:
    from codeio.runtime.settings import load_settings

    given: dict[str, Any] = {}
    for name, flag in flags.items():
        if isinstance(flag, dict):
            given[name] = {key: value for key, value in flag.items() if value is not None}
        elif flag is not None:
            given[name] = flag
    return load_settings(config, given)


def named(option: str, form: str, given: list[str] | None) -> Iterator[tuple[str, str]]:
    """Yield what an option of the form NAME=VALUE was given.

    Raises:
        UsageError: one is of another form.
    """
    for each in given or ():
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} takes {form}, not {each}")
        yield name, value


def collector_of(settings: Settings, limit: int | None) -> Collector:
    from codeio.collect import Collector

    return Collector(settings.collect, limit=limit)


def wait_for(work: Coroutine[Any, Any, T], settings: Settings | None = None) -> T:
    """Run it to its end; log as the settings of a service say."""
    from codeio.runtime.telemetry import configure_logs

    if settings:
        told = settings.telemetry
        configure_logs(style=told.log_format, level=told.log_level)
    else:
        configure_logs()
    return asyncio.run(work)


@contextmanager
def going_on_with(kept: object) -> Iterator[None]:
    """Say of work that is interrupted what the same command would go on with."""
    try:
        yield
    except Interrupted as interruption:
        raise Interrupted(f"interrupted; the same command goes on with {kept}") from interruption


def summarise(figures: dict[str, Any], *, as_json: bool) -> None:
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
    say(", ".join(words) + place)


def say(line: str) -> None:
    typer.echo(line, err=True)
