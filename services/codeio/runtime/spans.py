"""One trace for a record, from submit to sample: W3C trace context in the headers of messages.

Without an endpoint for traces (`OTEL_EXPORTER_OTLP_ENDPOINT`) no span is made,
and the context that a message came with goes on to what follows from it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from codeio.runtime.records import record_id
from codeio.v1.records_pb2 import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from codeio.runtime.log import Entry, Message
    from codeio.runtime.policy import Retry
    from codeio.runtime.records import Record
    from codeio.v1.records_pb2 import DeadLetter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_context = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("codeio")
_UNTRACED = nullcontext(trace.INVALID_SPAN)


@contextmanager
def exporting_spans(service: str) -> Iterator[None]:
    """Send the spans of this process to the endpoint that the environment names, if it does."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        yield
        return
    # They take a second to import.
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: f"codeio-{service}"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(trace_exporter.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


@contextmanager
def submitting(record: Record) -> Iterator[None]:
    """Begin the trace of a record."""
    with _tracer.start_as_current_span("submit", kind=SpanKind.PRODUCER) as span:
        span.set_attribute("codeio.record_id", record_id(record))
        yield


def handling(stage: str, message: Message) -> AbstractContextManager[trace.Span]:
    """Go on with the trace of a message for one try of a stage."""
    # A span that is not made still takes a third of the time that a record does.
    if message.headers.keys().isdisjoint(_context.fields) and _exports_nothing():
        return _UNTRACED
    return _tracer.start_as_current_span(
        stage,
        context=_context.extract(_text(message.headers)),
        kind=SpanKind.CONSUMER,
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": message.partition.topic,
            "messaging.destination.partition.id": str(message.partition.number),
            "messaging.kafka.offset": message.offset,
        },
    )


def _exports_nothing() -> bool:
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def answering(method: str, metadata: Mapping[str, str]) -> Iterator[None]:
    """Go on with the trace of a caller by gRPC."""
    with _tracer.start_as_current_span(
        method, context=_context.extract(metadata), kind=SpanKind.SERVER
    ):
        yield


def note(span: trace.Span, verdict: Retry | Rejection | DeadLetter, error: Exception) -> None:
    """Say in a span what became of an error: a rejection is a result like others."""
    if isinstance(verdict, Rejection):
        span.set_attribute("codeio.rejected", verdict.reason)
        return
    span.record_exception(error)
    span.set_status(StatusCode.ERROR, type(verdict).__name__)


def with_context(entry: Entry) -> Entry:
    """Return the entry as part of the current trace."""
    headers: dict[str, str] = {}
    _context.inject(headers)
    if not headers:
        return entry
    return replace(
        entry, headers={**entry.headers, **{name: text.encode() for name, text in headers.items()}}
    )


def _text(headers: Mapping[str, bytes]) -> dict[str, str]:
    return {
        name: headers[name].decode(errors="replace") for name in _context.fields & headers.keys()
    }
