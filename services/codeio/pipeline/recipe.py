"""`codeio run`: the whole recipe in one process, from sources to a verified data set.

The folder's log is the only state: what is committed there is never done
again, and every other file in the folder is made from it at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codeio import __version__
from codeio.collect import Collector
from codeio.dataset import Provenance, export
from codeio.executor.sandbox import make_pool
from codeio.pipeline.batching import stopped_when_all_wait
from codeio.pipeline.beside import beside
from codeio.pipeline.display import progress_display
from codeio.pipeline.out_folder import check_folder
from codeio.pipeline.stages import build_worker
from codeio.pipeline.workshop import Workshop, check_stages, open_workshop
from codeio.report import Report, summarise, write_report
from codeio.runtime.errors import Interrupted, Stopped, UsageError
from codeio.runtime.feed import STAGE as COLLECT
from codeio.runtime.feed import Feed
from codeio.runtime.jsonl import read_records, write_records
from codeio.runtime.local import LocalLog
from codeio.runtime.records import record_id
from codeio.runtime.runner import run_stages
from codeio.runtime.topics import (
    ATTEMPTS,
    DEAD_LETTERS,
    EXECUTIONS,
    FLOWS,
    PROGRAMS,
    RAW_FILES,
    REJECTIONS,
    SAMPLES,
    Topic,
)
from codeio.v1.records_pb2 import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from codeio.language_model.batch import BatchModel
    from codeio.language_model.model import StoredModel
    from codeio.runtime.settings import Settings
    from codeio.runtime.worker import Progress, Worker

LOG = "log.sqlite"
_PROJECTIONS = {
    "programs": PROGRAMS,
    "executions": EXECUTIONS,
    "samples": SAMPLES,
    "rejections": REJECTIONS,
}
_FINGERPRINT = "settings"
_TALLY = "teacher"
_SAVE_SECONDS = 1.0
# Another machine, or another endpoint of the model, may go on with a run: these change how
# fast it is and what it may cost, not what comes out.
_NOT_IN_FINGERPRINT = {
    "sandbox": ("workers", "home"),
    "normalizer": ("waiting",),
    "verifier": ("max_batch", "max_answer_bytes", "stream_window", "waiting"),
    "teacher": (
        "base_url",
        "endpoints",
        "api_key_file",
        "stream",
        "timeout_seconds",
        "max_in_flight",
        "requests_per_minute",
        "tokens_per_minute",
        "attempts",
        "give_up_seconds",
        "budget_usd",
        "prompt_usd_per_million",
        "completion_usd_per_million",
        "batch",
        "waiting",
    ),
}


@dataclass(frozen=True)
class Recipe:
    """What a run is asked to do."""

    sources: tuple[str, ...]
    out: Path
    settings: Settings
    limit: int | None
    command: str
    """The command line, for the data card."""


async def run_recipe(recipe: Recipe, *, say: Callable[[str], None]) -> Report:
    """Run the recipe, or go on with it.

    Where an endpoint or a budget is at its end, what was finished is exported, and
    the report says why the run `stopped`.

    Raises:
        UsageError: before anything is written, when it cannot be done as asked.
        Interrupted: by a signal; all that was finished is in the log.
    """
    settings = recipe.settings
    check_stages(settings)
    check_folder(recipe.out, mark=LOG, of="a run of codeio")
    cache = _source_cache(recipe)
    collector = Collector(settings.collect, limit=recipe.limit, cache=cache)
    collector.check(recipe.sources)
    async with open_workshop(settings, make_pool(settings, say=say)) as workshop:
        _make_folder(recipe.out)
        async with LocalLog(recipe.out / LOG) as log:
            await _claim(log, recipe)
            feed = Feed(log, lambda start: collector.collect(recipe.sources, skip=start))
            workers = _workers(log, settings, workshop)
            stopped = ""

            def progress() -> list[Progress]:
                return [feed.progress, *(worker.progress for worker in workers)]

            try:
                async with (
                    _counting(log, workshop.model),
                    stopped_when_all_wait(workshop.model, progress),
                    progress_display(progress, model=workshop.model),
                ):
                    finished = await run_stages(log, workers, feed=feed)
            except Stopped as error:
                stopped = str(error)
            else:
                if not finished:
                    raise Interrupted("interrupted")
            say("writing the records, the data set and the report")
            report = await _finish(recipe, log, workshop, feed, workers, stopped=stopped)
    if not stopped:
        shutil.rmtree(cache, ignore_errors=True)
    return report


@asynccontextmanager
async def _counting(log: LocalLog, model: StoredModel | BatchModel | None) -> AsyncIterator[None]:
    """Keep what asking the model took in the log, so that a run that goes on counts on."""
    if model is None:
        yield
        return
    tally = model.tally
    if noted := log.get_metadata(_TALLY):
        tally.restore(noted)

    async def save() -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await log.set_metadata(_TALLY, tally.to_metadata())

    try:
        async with beside(save()):
            yield
    finally:
        await model.finish()
        await log.set_metadata(_TALLY, tally.to_metadata())


def _workers(log: LocalLog, settings: Settings, workshop: Workshop) -> list[Worker]:
    return [build_worker(name, log, settings, workshop) for name in FLOWS]


async def _finish(  # noqa: PLR0913
    recipe: Recipe,
    log: LocalLog,
    workshop: Workshop,
    feed: Feed,
    workers: Sequence[Worker],
    *,
    stopped: str,
) -> Report:
    """Write everything that is made from the log."""
    out, settings = recipe.out, recipe.settings
    for name, topic in _PROJECTIONS.items():
        await _project(log, topic, out / f"{name}.jsonl.zst")
    told = settings.told()
    dataset = export(
        read_records(out / "samples.jsonl.zst", Sample),
        out / "dataset",
        settings=settings.dataset,
        seed=settings.seed,
        provenance=Provenance(
            command=recipe.command,
            settings=told,
            python_version=workshop.guest.python_version,
            lock_hash=workshop.guest.lock_hash,
            codeio_version=__version__,
        ),
    )
    seconds = {COLLECT: feed.progress.tally.seconds}
    seconds |= {worker.name: worker.progress.tally.seconds for worker in workers}
    report = summarise(
        out,
        raw_files=log.end(RAW_FILES.name) + feed.progress.tally.rejected,
        seconds=seconds,
        settings=told | {"sources": list(recipe.sources), "limit": recipe.limit},
        attempts=log.end(ATTEMPTS.name),
        dataset=dataset.to_json(),
        dead_letters=log.end(DEAD_LETTERS.name),
        teacher=workshop.model.tally.to_json() if workshop.model else {},
        stopped=stopped,
    )
    write_report(report, out)
    return report


async def _project(log: LocalLog, topic: Topic, path: Path) -> None:
    """Write the records of a topic to a file, each id once, in the order of the ids.

    The order in which parallel stages wrote them is chance; this is not.
    """
    places: dict[str, int] = {}
    async for message in log.read(topic.name):
        places.setdefault(record_id(topic.decode(message)), message.offset)
    with write_records(path) as write:
        for _, offset in sorted(places.items()):
            [message] = await log.fetch(topic.name, offset, offset + 1)
            write(topic.decode(message))


def _source_cache(recipe: Recipe) -> Path:
    """Return where fetched sources stay until the run is done, emptied for a new run.

    Not in the run's folder, which is made only when the sources are known to be fine.
    """
    run = hashlib.sha256(str(recipe.out.resolve()).encode()).hexdigest()[:16]
    cache = recipe.settings.sandbox.home / "sources" / run
    if not (recipe.out / LOG).exists():
        shutil.rmtree(cache, ignore_errors=True)
    return cache


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {out}: {error.strerror}; name another one by --out"
        ) from error


async def _claim(log: LocalLog, recipe: Recipe) -> None:
    """Note in a new log whose it is; refuse that of a run with other settings."""
    told = recipe.settings.told()
    for section, names in _NOT_IN_FINGERPRINT.items():
        for name in names:
            del told[section][name]
    mine = {
        **told,
        "sources": list(recipe.sources),
        "limit": recipe.limit,
        "version": __version__,
    }
    noted = log.get_metadata(_FINGERPRINT)
    if noted is None:
        await log.set_metadata(_FINGERPRINT, json.dumps(mine))
        return
    differing = _differences(json.loads(noted), mine)
    if differing:
        raise UsageError(
            f"{recipe.out} belongs to a run with other settings ({'; '.join(differing)}); "
            "name another folder by --out, or remove this one"
        )


def _differences(theirs: dict[str, Any], mine: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted(theirs.keys() | mine.keys()):
        left, right = theirs.get(key), mine.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            found += _differences(left, right, f"{prefix}{key}.")
        elif left != right:
            found.append(f"{prefix}{key} was {json.dumps(left)}, is {json.dumps(right)}")
    return found
