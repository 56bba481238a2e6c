"""The client of the verifier: many answers in their order, whatever servers do meanwhile."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.client import (
    Answer,
    AsyncVerifierClient,
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    Judgement,
    Overloaded,
    Unavailable,
    VerifierClient,
)
from codeio.client.many import Many
from codeio.dataset.formats import verification_info
from codeio.pipeline.services.verifier import service
from codeio.runtime import errors
from codeio.runtime.settings import load_settings
from codeio.v1.verifier_service_pb2 import (
    VerifyResponse,
    VerifyResult,
    VerifyStreamResponse,
    VerifyStreamResult,
)
from codeio.verifier.service import VerifierServicer
from tests.dataset.factory import INPUT, sample
from tests.servers import FakeSandbox, listening, ok, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.grpc_server import GrpcServer

RIGHT = Answer('{"output": 7}', output_json="7")
WRONG = Answer('{"output": 8}', output_json="7")
EXECUTED = Answer('{"input": {"n": 1}}', predicts="input", output_json='{"n": 1}', code="x")


def servicer(sandbox: Any = None, *, slots: int = 2, **flags: Any) -> VerifierServicer:
    chosen = load_settings(flags={"verifier": flags})
    return VerifierServicer(sandbox or FakeSandbox(), slots=slots, settings=chosen)


@asynccontextmanager
async def verifier(sandbox: Any = None, **flags: Any) -> AsyncIterator[GrpcServer]:
    async with serving(servicer(sandbox, **flags), service=service) as server:
        yield server


async def test_an_answer_is_scored() -> None:
    async with verifier() as server, AsyncVerifierClient(server.address) as remote:
        assert await remote.verify(RIGHT) == Judgement("correct", 1.0, "7", "")
        wrong = await remote.verify(WRONG)
        unparsable = await remote.verify(Answer("hm", output_json="7"))
        alone = await remote.verify(Answer(answer_json="7", output_json="7"))
        executed = await remote.verify(EXECUTED)
    assert (wrong.verdict, wrong.reward, wrong.answer_json) == ("wrong", 0.0, "8")
    assert "8 is not what" in wrong.feedback
    assert (unparsable.verdict, unparsable.reward) == ("unparsable", 0.0)
    assert alone.reward == executed.reward == 1.0


async def test_judgements_come_in_the_order_of_the_answers() -> None:
    async def act(call: Any) -> Any:
        # Those that are executed come back later, and out of order.
        for _ in range(json.loads(call.input_json)["n"]):
            await asyncio.sleep(0)
        return await ok(call)

    def answer(number: int) -> Answer:
        if number % 3:
            return Answer(f'{{"output": {number}}}', output_json=str(number))
        text = json.dumps({"n": 700 - number})
        return Answer(f'{{"input": {text}}}', predicts="input", output_json=text, code="x")

    asked = [answer(number) for number in range(700)]
    async with verifier(FakeSandbox(act)) as server, AsyncVerifierClient(server.address) as remote:
        judged = await remote.verify_many(iter(asked))
        assert await remote.verify_many([]) == []
    assert {each.reward for each in judged} == {1.0}
    assert [json.loads(each.answer_json) for each in judged] == [
        number if number % 3 else {"n": 700 - number} for number in range(700)
    ]


async def test_threads_have_a_client_too() -> None:
    def work(address: str) -> None:
        with VerifierClient(address) as remote:
            assert remote.verify(RIGHT).reward == 1.0
            rewards = [each.reward for each in remote.verify_many([RIGHT, WRONG, EXECUTED] * 100)]
            assert rewards == [1.0, 0.0, 1.0] * 100
            with pytest.raises(InvalidRequest, match="answer 1: output_json is not JSON"):
                remote.verify_many([RIGHT, Answer("x", output_json="{")])

    async with verifier() as server:
        await asyncio.to_thread(work, server.address)


async def test_one_answer_that_cannot_be_judged_costs_no_other_its_judgement() -> None:
    asked = [
        RIGHT,
        Answer("x", output_json="{"),
        Answer(output_json="7"),
        Answer("x" * 2000, output_json="7"),
        WRONG,
    ]
    async with (
        verifier() as server,
        AsyncVerifierClient(server.address, max_message_bytes=1000) as remote,
    ):
        right, damaged, empty, large, wrong = await remote.judge_many(asked)
        with pytest.raises(InvalidRequest, match="answer 1: output_json is not JSON"):
            await remote.verify_many(asked)
        with pytest.raises(InvalidRequest, match="give a response"):
            await remote.verify(asked[2])
    assert isinstance(right, Judgement)
    assert isinstance(wrong, Judgement)
    assert (right.reward, wrong.reward) == (1.0, 0.0)
    for error, told in ((damaged, "not JSON"), (empty, "give a response"), (large, "2,0")):
        assert isinstance(error, InvalidRequest)
        assert told in str(error)


async def test_answers_that_met_a_failing_sandbox_are_sent_again_and_no_others() -> None:
    failures = [errors.TransientError("dead"), errors.Overloaded("full", retry_after=0.01)]

    async def act(call: Any) -> Any:
        if failures:
            raise failures.pop()
        return await ok(call)

    sandbox = FakeSandbox(act)
    async with verifier(sandbox) as server, AsyncVerifierClient(server.address) as remote:
        judged = await remote.verify_many([RIGHT, EXECUTED, EXECUTED, EXECUTED])
    assert [each.reward for each in judged] == [1.0] * 4
    assert len(sandbox.requests) == 5


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (errors.TransientError("dead", retry_after=0.01), Unavailable),
        (errors.Overloaded("full", retry_after=0.01), Overloaded),
    ],
)
async def test_tries_are_bounded(failure: Exception, kind: type[ClientError]) -> None:
    async def act(_: Any) -> Any:
        raise failure

    sandbox = FakeSandbox(act)
    async with verifier(sandbox) as server, AsyncVerifierClient(server.address) as remote:
        right, failed = await remote.judge_many([RIGHT, EXECUTED])
    assert isinstance(right, Judgement)
    assert isinstance(failed, kind)
    assert str(failure) in str(failed)
    assert len(sandbox.requests) == 5


async def test_what_a_stopping_server_leaves_unanswered_goes_to_another() -> None:
    release, running, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def act(call: Any) -> Any:
        running.set()
        await release.wait()
        return await ok(call)

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await stop.wait()

    first = servicer(FakeSandbox(act), slots=1, stream_window=1)
    async with (
        listening(first, service=service) as stopping,
        listening(servicer(), service=service) as other,
        AsyncVerifierClient(f"ipv4:{stopping.address},{other.address}") as remote,
    ):
        served = asyncio.create_task(serve(stopping))
        # More than one message, of which the window lets the server read the first alone.
        asked = [EXECUTED] + [RIGHT] * 200
        many = asyncio.create_task(remote.verify_many(asked))
        await asyncio.wait_for(running.wait(), 30)
        async with other.accepting():
            stop.set()
            await asyncio.sleep(0)
            release.set()
            judged = await asyncio.wait_for(many, 30)
        await served
    assert [each.reward for each in judged] == [1.0] * 201


async def test_a_deadline_ends_all_and_is_told() -> None:
    async def act(_: Any) -> Any:
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    async with verifier(sandbox) as server, AsyncVerifierClient(server.address) as remote:
        for call in (
            remote.verify(EXECUTED, timeout=0.2),
            remote.verify_many([EXECUTED], timeout=0.2),
        ):
            with pytest.raises(DeadlineExceeded, match=r"did not answer within 0.2 s"):
                await call
            await asyncio.wait_for(sandbox.idle.wait(), 30)


async def test_to_cancel_many_ends_what_runs() -> None:
    begun = asyncio.Event()

    async def act(_: Any) -> Any:
        begun.set()
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    async with verifier(sandbox) as server, AsyncVerifierClient(server.address) as remote:
        call = asyncio.create_task(remote.verify_many([EXECUTED]))
        await asyncio.wait_for(begun.wait(), 30)
        call.cancel()
        await asyncio.wait_for(sandbox.idle.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await call


def test_nobody_there_is_told_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with VerifierClient(f"127.0.0.1:{port}") as remote:
        for call in (lambda: remote.verify(RIGHT), lambda: remote.verify_many([RIGHT])):
            with pytest.raises(Unavailable, match=rf"127.0.0.1:{port} is not available: .*refused"):
                call()


def test_an_answer_is_made_of_a_row_of_a_data_set() -> None:
    row = verification_info(sample(direction=INPUT))
    answer = Answer.to(row, "so it is")
    info = json.loads(row)
    assert (answer.predicts, answer.response) == ("input", "so it is")
    assert (answer.code, answer.input_json) == (info["code"], info["input_json"])
    assert answer == Answer.to(info, "so it is")
    assert Answer.to(verification_info(sample()), "").predicts == "output"
    for damaged in ("{", "[]", "{}", {"direction": "DIRECTION_SIDEWAYS"}):
        with pytest.raises(InvalidRequest, match="verification_info is not that of"):
            Answer.to(damaged, "")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"predicts": "both"}, "choose output or input"),
        ({"answer_json": "7"}, "give a response, or"),
        ({"output_json": 7}, "cannot be sent"),
        ({"response": "\ud800"}, "cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_told_at_once(change: dict[str, Any], sentence: str) -> None:
    with (
        VerifierClient("127.0.0.1:1") as remote,
        pytest.raises(InvalidRequest, match=sentence),
    ):
        remote.verify(Answer(**{"response": "x", "output_json": "7"} | change))


@given(sizes=st.lists(st.integers(0, 3000), max_size=300), limit=st.integers(4000, 20_000))
def test_every_answer_is_packed_once_and_no_message_is_too_large(
    sizes: list[int], limit: int
) -> None:
    many = Many([Answer("x" * size, output_json="7") for size in sizes], max_message_bytes=limit)
    numbers = []
    for message in many.messages():
        assert message.ByteSize() <= limit
        assert len(message.items) <= 64
        numbers += [item.id for item in message.items]
        results = [
            VerifyStreamResult(id=item.id, result=VerifyResult(response=VerifyResponse()))
            for item in message.items
        ]
        many.take(VerifyStreamResponse(results=results))
        many.take(VerifyStreamResponse(results=results))  # twice makes no difference
    assert numbers == list(range(len(sizes)))
    assert not many.unanswered
