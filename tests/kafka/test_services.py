"""`codeio serve all`: gRPC, the topics, metrics, probes, traces and logs of one process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import urllib.request
import uuid
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from prometheus_client.parser import text_string_to_metric_families

from codeio.client import Answer, VerifierClient
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.log import Entry
from codeio.runtime.settings import KafkaSettings
from codeio.runtime.topics import FLOWS, PROGRAMS, SAMPLES
from tests.kafka.chaos import drained
from tests.language_model.scripted import ScriptedServer
from tests.pipeline.conftest import COMMAND
from tests.pipeline.oracle import right_at_last, write_programs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROGRAM_COUNT = 3
STAGES = list(FLOWS)


class Collector(TraceServiceServicer):  # type: ignore[misc]  # it has no types
    """Takes spans, as a collector of OpenTelemetry does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    async def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return ExportTraceServiceResponse()

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[str]:
        server = grpc.aio.server()
        add_TraceServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        yield f"http://127.0.0.1:{port}"
        await server.stop(0)


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def metrics_of(text: str) -> dict[str, dict[str, float]]:
    """Return the value of each sample, by the value of its only label."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if len(sample.labels) < 2:
                found[sample.name]["".join(sample.labels.values())] = sample.value
    return found


@asynccontextmanager
async def serving(
    environment: dict[str, str],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.Task[bytes], str, str]]:
    """A process of all services that is ready, what it says then, where it has gRPC and HTTP."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", "all", "--port", "0", "--metrics-port", "0",
        env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr
    try:
        ready, said_before = None, ""
        while not ready:  # on a busy machine the log may have something to say before
            line = (await process.stderr.readline()).decode()
            assert line, said_before
            said_before += line
            told = json.loads(line)["event"] if line.startswith("{") else line.strip()
            ready = re.fullmatch(
                r"serving all on (\S+), metrics and probes on (\S+), records.*", told
            )
        said = asyncio.create_task(process.stderr.read())
        yield process, said, ready[1], ready[2]
    finally:
        if process.returncode is None:
            process.kill()


async def run(environment: dict[str, str], *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        COMMAND, *command, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return err.decode()


@pytest.mark.timeout(900)
async def test_a_record_is_followed_from_submit_to_sample(kafka: str, tmp_path: Path) -> None:
    named = KafkaSettings(
        bootstrap_servers=kafka, prefix=f"s{uuid.uuid4().hex[:8]}.", replicas=1, partitions=2
    )
    apply_topics(named)
    write_programs(tmp_path / "programs.jsonl", PROGRAM_COUNT)
    collector, teacher = Collector(), ScriptedServer(right_at_last)
    async with collector.collecting() as endpoint, teacher.serving() as url:
        environment = os.environ | {
            "CODEIO_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "CODEIO_KAFKA__PREFIX": named.prefix,
            "CODEIO_KAFKA__PARTITIONS": "2",
            "CODEIO_EXECUTOR__PAIRS_PER_PROGRAM": "2",
            "CODEIO_EXECUTOR__TASKS_PER_PROGRAM": "4",
            "CODEIO_EXECUTOR__MIN_PAIRS": "2",
            "CODEIO_TEACHER__KIND": "openai",
            "CODEIO_TEACHER__MODEL": "scripted",
            "CODEIO_TEACHER__BASE_URL": url,
            "CODEIO_TEACHER__STORE": str(tmp_path / "responses.sqlite"),
            "CODEIO_TELEMETRY__LOG_FORMAT": "json",
            "CODEIO_TELEMETRY__LOG_LEVEL": "info",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        }
        async with (
            serving(environment) as (process, saying, address, http),
            KafkaLog(named) as log,
        ):
            await run(environment, "submit", str(tmp_path / "programs.jsonl"))
            await log.append([Entry(PROGRAMS.name, b"broken", b"\xff")])
            await drained(log)
            samples = [message async for message in log.read(SAMPLES.name)]
            probes = [
                await asyncio.to_thread(fetch, f"http://{http}/{p}") for p in ("livez", "readyz")
            ]
            with VerifierClient(address) as verifier:
                right = Answer('{"output": 3}', output_json="3")
                judged = await asyncio.to_thread(lambda: list(verifier.verify_many([right])))
            _, metrics = await asyncio.to_thread(fetch, f"http://{http}/metrics")
            process.send_signal(signal.SIGTERM)
            said = (await saying).decode()
            assert await process.wait() == 0, said

    assert probes == [(200, "ok\n"), (200, "ok\n")]
    assert [each.reward for each in judged] == [1.0]

    # One trace for each file, which begins with its submission and ends with its samples.
    assert len(samples) == 4 * PROGRAM_COUNT
    traces = Counter(message.headers["traceparent"].split(b"-")[1].decode() for message in samples)
    assert set(traces.values()) == {4}
    for trace in traces:
        spans = [span for span in collector.spans if span.trace_id.hex() == trace]
        names = Counter(span.name for span in spans)
        # The first answer to each of the four tasks is wrong.
        assert names == {
            "submit": 1, "normalizer": 1, "executor": 1, "cot-generator": 8, "verifier": 8,
        }  # fmt: skip
        known = {span.span_id for span in spans}
        roots = [span.name for span in spans if span.parent_span_id not in known]
        assert roots == ["submit"]
    calls = [span for span in collector.spans if "VerifierService" in span.name]
    assert len(calls) == 1

    counted = metrics_of(metrics)
    read = counted["codeio_records_read_total"]
    assert read == {
        "normalizer": PROGRAM_COUNT, "executor": PROGRAM_COUNT + 1,
        "cot-generator": 8 * PROGRAM_COUNT, "verifier": 8 * PROGRAM_COUNT,
    }  # fmt: skip
    assert counted["codeio_records_dead_total"]["executor"] == 1
    assert counted["codeio_handler_seconds_count"] == read
    assert counted["codeio_sandbox_slots"][""] > counted["codeio_sandbox_slots_busy"][""] == 0
    for gauge, value in (("lag_records", 0), ("records_in_flight", 0), ("group_joined", 1)):
        assert counted[f"codeio_{gauge}"] == dict.fromkeys(STAGES, value)
    assert set(counted["codeio_transactions_total"]) == set(STAGES)
    assert counted["codeio_sandbox_starts_total"]["first"] >= 2
    assert counted["codeio_model_questions_total"] == {"answered": teacher.asked}
    assert counted["codeio_model_tokens_total"]["completion"] > 0
    assert 'codeio_grpc_seconds_count{code="OK",method="/codeio.v1.VerifierService/' in metrics

    lines = [json.loads(line) for line in said.splitlines()]
    [dead] = [line for line in lines if line["event"] == "dead letter"]
    assert (dead["stage"], dead["topic"], dead["level"]) == ("executor", PROGRAMS.name, "warning")
    assert dead["timestamp"]


async def test_one_without_a_broker_says_so() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CODEIO_")}
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", "all", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert (process.returncode, len(err.splitlines())) == (2, 1)
    assert b"set CODEIO_KAFKA__BOOTSTRAP_SERVERS" in err
