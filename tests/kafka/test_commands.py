"""The commands of a broker: from sources to a data set, and what is told on the way."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING

import pytest
from s3fs import S3FileSystem

from codeio.collect import Collector
from codeio.pipeline.broker.snapshot import take_snapshot
from codeio.pipeline.broker.status import stage_statuses, watch
from codeio.pipeline.broker.submit import submit
from codeio.runtime.errors import UsageError
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.log import Entry, LogError
from codeio.runtime.settings import load_settings
from codeio.runtime.topics import RAW_FILES, SAMPLES
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program, Sample, Turn, Verdict
from tests.language_model.store.servers import S3
from tests.language_model.store.test_objects import use

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codeio.runtime.log import Partition
    from codeio.runtime.settings import Settings


@pytest.fixture
def settings(kafka: str) -> Settings:
    named = {
        "bootstrap_servers": kafka,
        "prefix": f"c{uuid.uuid4().hex[:8]}.",
        "replicas": 1,
        "partitions": 2,
    }
    return load_settings(flags={"kafka": named})


def sample(number: int) -> Sample:
    program = Program(
        program_id=f"p{number}", code=f"def main_solution(n):\n    return n + {number}"
    )
    task = PredictionTask(
        task_id=f"t{number}",
        program=program,
        pair=IoPair(input_json='{"n": 1}', output_json=str(number + 1)),
        direction=Direction.DIRECTION_OUTPUT_PREDICTION,
    )
    turn = Turn(prompt="What?", response="That.", verdict=Verdict.VERDICT_CORRECT)
    return Sample(
        sample_id=f"s{number:03}", task=task, turns=[turn], verdict=Verdict.VERDICT_CORRECT
    )


async def test_sources_are_submitted_and_waiting(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "files.jsonl"
    source.write_text("".join(json.dumps({"content": f"x = {n}\n"}) + "\n" for n in range(150)))
    collector = Collector(settings.collect, limit=None)
    with pytest.raises(UsageError, match="run `codeio topics apply`"):
        await submit([str(source)], collector, settings.kafka)
    apply_topics(settings.kafka)
    submitted = await submit([str(source)], collector, settings.kafka)
    async with KafkaLog(settings.kafka) as log:
        found = {message.key async for message in log.read(RAW_FILES.name)}
        normalizer, *others = await stage_statuses(log)
    assert submitted.to_json() == {"raw_files": 150, "rejections": {}}
    assert len(found) == 150
    assert (normalizer.stage, normalizer.lag) == ("normalizer", 150)
    assert not any(stage.lag for stage in others)


@pytest.mark.parametrize("place", ["folder", "url"])
async def test_a_snapshot_reads_what_is_new_and_leaves_out_what_is_no_sample(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    apply_topics(settings.kafka)
    folder = tmp_path / "data"
    out = str(folder) if place == "folder" else f"file://{folder}"
    take = partial(take_snapshot, settings, out, formats=["messages"], command="codeio snapshot")
    async with KafkaLog(settings.kafka) as log:
        await log.append([SAMPLES.encode(sample(n)) for n in range(20)])
        first = await take()
        twice = [SAMPLES.encode(sample(n)) for n in range(15, 30)]
        await log.append([*twice, Entry(SAMPLES.name, b"garbage", b"\xff\xff")])
        second = await take()
    assert (first.new, first.unreadable, first.dataset.samples_read) == (20, 0, 20)
    assert (second.new, second.unreadable, second.dataset.samples_read) == (10, 1, 30)
    written = {path.name for path in folder.iterdir()} - {"samples.sqlite"}
    assert written == {"samples.jsonl.zst", "dataset"}
    third = await take()
    assert (third.new, third.unreadable) == (0, 0)


async def test_a_snapshot_goes_to_s3(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    apply_topics(settings.kafka)
    folder = tmp_path / "data"
    with S3() as s3:
        use(s3.port, s3.secret_key, monkeypatch)
        S3FileSystem.clear_instance_cache()
        bucket = s3.make_bucket()
        take = partial(take_snapshot, settings, formats=["messages"], command="codeio snapshot")
        async with KafkaLog(settings.kafka) as log:
            await log.append([SAMPLES.encode(sample(n)) for n in range(20)])
            await take(f"s3://{bucket}/data")
            await log.append([SAMPLES.encode(sample(n)) for n in range(20, 30)])
            second = await take(f"s3://{bucket}/data")
        await take(str(folder))
        objects = s3.objects(bucket)
        use(s3.port, "a-wrong-secret", monkeypatch)
        S3FileSystem.clear_instance_cache()
        with pytest.raises(UsageError, match=f"cannot write s3://{bucket}/data: "):
            await take(f"s3://{bucket}/data")
    S3FileSystem.clear_instance_cache()
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    del files["samples.sqlite"]
    assert second.new == 10
    assert objects == {f"data/{name}": path.read_bytes() for name, path in files.items()}


async def test_a_snapshot_of_missing_topics_makes_no_folder(
    settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    with pytest.raises(UsageError, match=r"samples is missing.* run `codeio topics apply`"):
        await take_snapshot(settings, str(out), formats=[], command="codeio snapshot")
    assert not out.exists()


async def test_a_broker_that_is_away_is_told_below_the_table_until_it_is_back(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    apply_topics(settings.kafka)
    async with KafkaLog(settings.kafka) as log:
        tried: list[None] = []
        ends = log.ends

        async def away_at_first(topics: Sequence[str]) -> dict[Partition, int]:
            tried.append(None)
            if len(tried) == 1:
                logging.getLogger("kafka.client").warning("of no use to anybody")
                raise LogError("the broker failed: no node")
            return await ends(topics)

        monkeypatch.setattr(log, "ends", away_at_first)
        watching = asyncio.create_task(watch(log))
        shown = ""
        async with asyncio.timeout(30):
            while "yield" not in shown:
                await asyncio.sleep(0.05)
                shown += capsys.readouterr().err
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert "the broker failed: no node; trying again" in shown
    assert "of no use" not in shown
