"""The records in a broker: topics, submitting, status, dead letters, snapshots."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeio.cli.common import (
    Config,
    Json,
    Limit,
    Seed,
    Sources,
    UnknownLicence,
    collector_of,
    command_line,
    extra,
    say,
    settings_of,
    summarise,
    wait_for,
)
from codeio.runtime.errors import CodeioError, UsageError

if TYPE_CHECKING:
    from codeio.runtime.settings import Settings

app = typer.Typer()
topics_app = typer.Typer(
    help="The topics on the broker.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(topics_app, name="topics")
letters_app = typer.Typer(
    help="Records that broke a stage.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(letters_app, name="dead-letters")

Stage = Annotated[str | None, typer.Option("--stage", help="Only those that broke this stage.")]


@topics_app.command("apply")
def topics_apply(config: Config = None, as_json: Json = False) -> None:
    """Make the topics that are missing, and mend those that differ from what is declared.

    Example: codeio topics apply
    """
    with extra("kafka"):
        from codeio.runtime.kafka.topics import apply_topics

    settings = settings_of(config).kafka
    applied = apply_topics(settings)
    for what, names in (("created", applied.created), ("changed", applied.changed)):
        for name in names:
            say(f"{what} {settings.prefix}{name}")
    summarise(
        {
            "created": len(applied.created),
            "changed": len(applied.changed),
            "kept": len(applied.kept),
        },
        as_json=as_json,
    )


@app.command()
def submit(
    sources: Sources,
    limit: Limit = None,
    unknown_licence: UnknownLicence = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put the files of sources before the services.

    Example: codeio submit pypi:algorithms stdlib --limit 200
    """
    with extra("collect"):
        from codeio.pipeline.broker.submit import submit as submit_sources
        from codeio.runtime.spans import exporting_spans

    settings = settings_of(config, collect={"unknown_licence": unknown_licence})
    with exporting_spans("submit"):
        submitted = wait_for(
            submit_sources(sources, collector_of(settings, limit), settings.kafka), settings
        )
    if as_json:
        summarise(submitted.to_json(), as_json=True)
        return
    refused = sum(submitted.rejections.values())
    summarise({"raw_files": submitted.raw_files, "rejections": refused}, as_json=False)


@app.command()
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Until interrupted.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what waits before each stage, and what each has read, written and refused.

    Example: codeio status --watch
    """
    with extra("kafka"):
        from rich.console import Console  # comes with typer

        from codeio.pipeline.broker import status as shown
        from codeio.runtime.kafka import KafkaLog

    async def look(settings: Settings) -> list[shown.StageStatus]:
        async with KafkaLog(settings.kafka) as log:
            if watch:
                with suppress(asyncio.CancelledError):
                    await shown.watch(log)
            return await shown.stage_statuses(log)

    statuses = wait_for(look(settings_of(config)))
    if as_json:
        summarise({one.stage: one.to_json() for one in statuses}, as_json=True)
    else:
        Console(stderr=True).print(shown.table(statuses))


@letters_app.command("list")
def letters_list(stage: Stage = None, config: Config = None, as_json: Json = False) -> None:
    """List the records that broke a stage, the oldest first.

    Example: codeio dead-letters list --stage executor
    """
    with extra("kafka"):
        from codeio.pipeline.broker.dead_letters import dead_letters
        from codeio.runtime.kafka import KafkaLog
        from codeio.runtime.records import record_id

    async def show(settings: Settings) -> int:
        count = 0
        async with KafkaLog(settings.kafka) as log:
            async for letter in dead_letters(log, stage=stage):
                error = letter.error.partition("\n")[0]
                cells = (record_id(letter), letter.stage, error)
                typer.echo("\t".join(_printable(cell) for cell in cells))
                count += 1
        return count

    summarise({"dead_letters": wait_for(show(settings_of(config)))}, as_json=as_json)


def _printable(text: str) -> str:
    """Return the text for a line of a terminal, which takes some characters for commands."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


@letters_app.command("show")
def letters_show(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    config: Config = None,
) -> None:
    """Show one record that broke a stage, as JSON, with its bytes in base64.

    Example: codeio dead-letters show codeio.programs/3/17
    """
    with extra("kafka"):
        from google.protobuf.json_format import MessageToJson

        from codeio.pipeline.broker.dead_letters import find
        from codeio.runtime.kafka import KafkaLog

    async def show(settings: Settings) -> None:
        async with KafkaLog(settings.kafka) as log:
            letter = await find(log, wanted)
        typer.echo(MessageToJson(letter, preserving_proto_field_name=True))

    wait_for(show(settings_of(config)))


@letters_app.command("replay")
def letters_replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    stage: Stage = None,
    every: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put records back to where they were read, byte for byte: those named, or all of a stage.

    Example: codeio dead-letters replay --stage executor
    """
    with extra("kafka"):
        from codeio.pipeline.broker.dead_letters import replay
        from codeio.runtime.kafka import KafkaLog

    if not (ids or stage or every):
        raise UsageError("name the dead letters to replay, or a --stage, or give --all")

    async def put_back(settings: Settings) -> tuple[int, int]:
        async with KafkaLog(settings.kafka) as log:
            return await replay(log, ids=ids or (), stage=stage)

    replayed, lost = wait_for(put_back(settings_of(config)))
    summarise({"replayed": replayed, "not_replayed": lost}, as_json=as_json)
    if lost:
        raise CodeioError(
            f"{lost} cannot be replayed: too large to be kept whole, or from no topic of codeio's"
        )


@app.command()
def snapshot(
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="A folder or an fsspec URL.")],
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="As of `export`; repeatable.")
    ] = None,
    seed: Seed = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write the samples that are there as a data set; again, it reads only what is new.

    Example: codeio snapshot --out s3://bucket/data
    """
    with extra("dataset"):
        from codeio.pipeline.broker.snapshot import take_snapshot

    settings = settings_of(config, seed=seed)
    taken = wait_for(take_snapshot(settings, out, formats=formats or (), command=command_line()))
    figures: dict[str, Any] = taken.dataset.to_json()
    keys = ("samples", "samples_correct", "programs", "rows")
    summarise(
        {"new_samples": taken.new, "unreadable": taken.unreadable}
        | {key: figures[key] for key in keys}
        | {"out": out},
        as_json=as_json,
    )
