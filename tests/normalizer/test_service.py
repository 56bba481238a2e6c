"""The normalizer behind gRPC, as its client sees it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from codeio.client import (
    AsyncNormalizerClient,
    InvalidRequest,
    NormalizerClient,
    Unavailable,
)
from codeio.normalizer import Normalizer
from codeio.normalizer.service import NormalizerServicer
from codeio.pipeline.services.normalizer import service
from codeio.runtime import errors
from codeio.runtime.records import file_id
from codeio.runtime.settings import load_settings
from codeio.v1.normalizer_service_pb2 import NormalizeRequest
from codeio.v1.normalizer_service_pb2_grpc import NormalizerServiceStub
from codeio.v1.records_pb2 import Program, RawFile, Rejection
from tests.servers import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from codeio.runtime.stage import Stage

CONTENT = '''
def running_total(values: list[int], limit: int) -> list[int]:
    """Return the running totals up to a limit.

    >>> running_total([1, 2, 3], 4)
    [1, 3]
    """
    total, kept = 0, []
    for value in values:
        total += value
        if total > limit:
            break
        kept.append(total)
    return kept
'''


class Told:
    """A stage that does as it is told."""

    name = "normalizer"

    def __init__(self, act: Callable[[RawFile], Awaitable[list[Any]]]) -> None:
        self._act = act
        self.seen: list[RawFile] = []

    async def handle(self, raw: RawFile) -> AsyncIterator[Any]:
        self.seen.append(raw)
        for record in await self._act(raw):
            if isinstance(record, Exception):
                raise record
            yield record


@asynccontextmanager
async def normalizer(stage: Stage, *, slots: int = 1, **flags: Any) -> AsyncIterator[str]:
    settings = load_settings(flags=flags)
    servicer = NormalizerServicer(lambda: stage, slots=slots, settings=settings)
    async with serving(servicer, service=service) as server:
        yield server.address


def giving(*records: Any) -> Told:
    async def act(_: RawFile) -> list[Any]:
        return list(records)

    return Told(act)


async def test_a_file_becomes_the_programs_that_the_stage_makes(sandbox: Any) -> None:
    settings = load_settings()
    stage = Normalizer(
        sandbox,
        settings=settings.normalizer,
        bar=settings.executor,
        limits=settings.limits,
        seed=settings.seed,
    )
    raw = RawFile(file_id=file_id(CONTENT), content=CONTENT, path="totals.py", licence="MIT")
    made = [record async for record in stage.handle(raw)]
    async with normalizer(stage) as address:
        async with AsyncNormalizerClient(address) as remote:
            response = await remote.normalize(raw)
            refused = await remote.normalize("import os\n")

        def by_text() -> Program:
            with NormalizerClient(address) as remote:
                return remote.normalize(CONTENT).programs[0]

        by_text_alone = await asyncio.to_thread(by_text)
    assert list(response.programs) == made
    assert made
    assert not response.rejections
    assert by_text_alone.program_id == made[0].program_id
    [rejection] = refused.rejections
    assert not refused.programs
    assert (rejection.stage, rejection.reason) == ("normalizer", "no_function")
    assert rejection.record_id == file_id("import os\n")


async def test_refusals_are_results_however_the_stage_says_them() -> None:
    program, rejection = Program(program_id="p"), Rejection(record_id="f", reason="impure:file")
    async with (
        normalizer(giving(program, rejection, errors.Rejected("no_decision", "flat"))) as address,
        AsyncNormalizerClient(address) as remote,
    ):
        response = await remote.normalize(RawFile(file_id="f", content="x", source="here"))
    assert list(response.programs) == [program]
    first, second = response.rejections
    assert first == rejection
    assert (second.record_id, second.reason, second.detail) == ("f", "no_decision", "flat")
    assert second.origin.source == "here"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (RawFile(), "the file is empty; give content or program"),
        ("x" * 101, "the file has 101 bytes, and the limit is 100"),
        ("é" * 51, "the file has 102 bytes"),
    ],
)
async def test_a_wrong_request_is_told_so(file: RawFile | str, told: str) -> None:
    stage = giving()
    async with (
        normalizer(stage, collect={"max_bytes": 100}) as address,
        AsyncNormalizerClient(address) as remote,
    ):
        with pytest.raises(InvalidRequest, match=told):
            await remote.normalize(file)
    assert stage.seen == []


async def test_a_program_that_somebody_made_needs_no_content() -> None:
    stage = giving()
    async with normalizer(stage) as address, AsyncNormalizerClient(address) as remote:
        await remote.normalize(RawFile(program=Program(code="x")))
    assert stage.seen[0].program.code == "x"


async def test_a_sandbox_that_fails_is_no_rejection() -> None:
    stage = giving(errors.TransientError("dead", retry_after=0.01))
    async with normalizer(stage) as address, AsyncNormalizerClient(address) as remote:
        with pytest.raises(Unavailable, match="dead"):
            await remote.normalize("x")
    assert len(stage.seen) == 5


async def test_the_line_is_bounded_and_a_caller_that_leaves_gives_its_place_back() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def act(raw: RawFile) -> list[Any]:
        if raw.content == "quick":
            return []
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with (
        normalizer(Told(act), normalizer={"waiting": 0}) as address,
        AsyncNormalizerClient(address) as remote,
        grpc.aio.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        held = asyncio.create_task(remote.normalize("slow"))
        await asyncio.wait_for(begun.wait(), 30)
        request = NormalizeRequest(file=RawFile(content="quick"))
        with pytest.raises(grpc.aio.AioRpcError, match="all 1 places are taken") as refused:
            await NormalizerServiceStub(channel).Normalize(request)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        held.cancel()
        await asyncio.wait_for(ended.wait(), 30)
        assert not (await remote.normalize("quick")).programs
