"""The verifier behind gRPC: verdicts as the stage gives them, alone, in batches and streams."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.pipeline.services.verifier import service
from codeio.runtime import errors, values
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import CallResult, Priority
from codeio.v1.records_pb2 import Verdict
from codeio.v1.verifier_service_pb2 import (
    VerifyBatchRequest,
    VerifyRequest,
    VerifyResult,
    VerifyStreamItem,
    VerifyStreamRequest,
)
from codeio.v1.verifier_service_pb2_grpc import VerifierServiceStub
from codeio.verifier.service import VerifierServicer
from tests.servers import FakeSandbox, listening, ok, serving
from tests.verifier.attempts import INPUT, OUTPUT, SQUARE, attempt, sample_of, verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.grpc_server import GrpcServer

INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]


@asynccontextmanager
async def calling(server: GrpcServer) -> AsyncIterator[Any]:
    options = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        yield VerifierServiceStub(channel)


@asynccontextmanager
async def served(
    sandbox: Any = None, *, slots: int = 1, server: Any = None, **flags: Any
) -> AsyncIterator[Any]:
    """A stub of a verifier that is served, without retries."""
    chosen = load_settings(flags={"verifier": flags, "server": server or {}})
    servicer = VerifierServicer(sandbox or FakeSandbox(), slots=slots, settings=chosen)
    async with (
        serving(servicer, service=service, **(server or {})) as running,
        calling(running) as stub,
    ):
        yield stub


def output(response: str = '{"output": 7}', truth: str = "7", **fields: Any) -> VerifyRequest:
    return VerifyRequest(
        **{"direction": OUTPUT, "output_json": truth, "response": response} | fields
    )


def input_(response: str = '{"input": {"n": 12}}', **fields: Any) -> VerifyRequest:
    asked = {
        "direction": INPUT,
        "output_json": '{"square": 144}',
        "response": response,
        "code": SQUARE.code,
        "entry_point": SQUARE.entry_point,
    }
    return VerifyRequest(**asked | fields)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 30)
    return caught.value


async def streamed(stub: Any, *messages: list[VerifyRequest]) -> dict[int, VerifyResult]:
    """Return the result of every request of a stream, by its number."""
    number, packed = 0, []
    for message in messages:
        items = [VerifyStreamItem(id=number + i, request=each) for i, each in enumerate(message)]
        packed.append(VerifyStreamRequest(items=items))
        number += len(message)
    results: dict[int, VerifyResult] = {}
    async for answer in stub.VerifyStream(iter(packed)):
        assert answer.results
        for result in answer.results:
            assert result.id not in results
            results[result.id] = result.result
    return results


@pytest.mark.parametrize(
    ("request_", "verdict", "answer", "said"),
    [
        (output(), Verdict.VERDICT_CORRECT, "7", ""),
        (output('so {"output": 8}'), Verdict.VERDICT_WRONG, "8", "8 is not what the program"),
        (output("no idea"), Verdict.VERDICT_UNPARSABLE, "", "No final answer"),
        (output(""), Verdict.VERDICT_UNPARSABLE, "", "incomplete"),
        (output('{"output": 7.00001}', "7.0"), Verdict.VERDICT_CORRECT, "7.00001", ""),
        (output('{"output": true}', "1"), Verdict.VERDICT_WRONG, "true", "true is not what"),
        (
            VerifyRequest(direction=OUTPUT, output_json="[1]", answer_json="[1]"),
            Verdict.VERDICT_CORRECT,
            "[1]",
            "",
        ),
        # The key may be the value's own.
        (
            output('{"output": 1, "more": 2}', '{"output": 1, "more": 2}'),
            Verdict.VERDICT_CORRECT,
            '{"output": 1, "more": 2}',
            "",
        ),
    ],
)
async def test_an_answer_is_judged_without_a_sandbox(
    request_: VerifyRequest, verdict: Verdict, answer: str, said: str
) -> None:
    sandbox = FakeSandbox()
    async with served(sandbox) as stub:
        alone = await stub.Verify(request_)
        batch = await stub.VerifyBatch(VerifyBatchRequest(requests=[request_]))
        stream = await streamed(stub, [request_])
    assert (alone.verdict, alone.answer_json) == (verdict, answer)
    assert alone.reward == (1.0 if verdict == Verdict.VERDICT_CORRECT else 0.0)
    assert said in alone.feedback
    assert bool(alone.feedback) == (verdict != Verdict.VERDICT_CORRECT)
    assert [batch.results[0].response, stream[0].response] == [alone, alone]
    assert sandbox.requests == []


async def test_a_predicted_input_is_executed_in_a_real_sandbox(sandbox: Any) -> None:
    fails = "def main_solution(n):\n    return 1 // n\n"
    asked = {
        Verdict.VERDICT_CORRECT: input_('{"input": {"n": -12}}'),
        Verdict.VERDICT_WRONG: input_('{"input": {"n": 3}}'),
        Verdict.VERDICT_UNPARSABLE: input_("n = 12, I would say"),
        Verdict.VERDICT_FAILED: input_('{"input": {"n": 0}}', code=fails),
    }
    async with served(sandbox, slots=2) as stub:
        alone = [await stub.Verify(each) for each in asked.values()]
        batch = await stub.VerifyBatch(VerifyBatchRequest(requests=asked.values()))
        stream = await streamed(stub, list(asked.values()))
    assert [each.verdict for each in alone] == list(asked)
    assert [each.response for each in batch.results] == alone
    assert [stream[number].response for number in range(len(asked))] == alone
    correct, wrong, unparsable, failed = alone
    assert (correct.reward, correct.answer_json) == (1.0, '{"n": -12}')
    assert 'returns {"square": 9} instead' in wrong.feedback
    assert "144" not in wrong.feedback
    assert unparsable.answer_json == ""
    assert "ZeroDivisionError" in failed.feedback


async def test_an_execution_is_interactive() -> None:
    sandbox = FakeSandbox()
    async with served(sandbox) as stub:
        await stub.Verify(input_())
        await stub.VerifyBatch(VerifyBatchRequest(requests=[input_()]))
        await streamed(stub, [input_()])
    assert [each.priority for each in sandbox.requests] == [Priority.PRIORITY_INTERACTIVE] * 3


# As models write, and as they should not.
RESPONSES = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "I think ", '{"output": ', "```json\n", "The output is ", "<answer>"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=4,
        ).map(json.dumps),
        st.sampled_from(["", "}", "\n```", ".", " or 8", "</answer>"]),
    ),
).filter(lambda text: text.isprintable() or "\n" in text)
TRUTHS = st.sampled_from(["7", "[]", "0.1", '"a"', "true", "null", '{"a": [1, 2]}'])


@given(pairs=st.lists(st.tuples(RESPONSES, TRUTHS), min_size=1, max_size=8))
async def test_a_verdict_is_the_stages_own(pairs: list[tuple[str, str]]) -> None:
    async with served() as stub:
        results = await streamed(stub, [output(*pair) for pair in pairs])
    for number, (response, truth) in enumerate(pairs):
        sample = await sample_of(verifier(), attempt(OUTPUT, response, output_json=truth))
        judged = results[number].response
        assert judged.verdict == sample.verdict
        assert judged.feedback == sample.turns[0].feedback
        if judged.answer_json:
            values.loads(judged.answer_json)


@given(said=st.integers(), truths=st.lists(st.integers(), min_size=2, max_size=2))
async def test_feedback_does_not_depend_on_the_truth(said: int, truths: list[int]) -> None:
    async with served() as stub:
        results = await streamed(
            stub, [output(f'{{"output": {said}}}', str(truth)) for truth in truths]
        )
    told = {each.response.feedback for each in results.values() if each.response.reward == 0}
    assert len(told) <= 1


WRONG = {
    "there is no answer": VerifyRequest(direction=OUTPUT, output_json="7"),
    "there is no direction 0": output(direction=0),
    "there is no direction 9": output(direction=9),
    "output_json is not JSON": output(truth="{"),
    "output_json is not JSON: nested": output(truth="[" * 10**5),
    "code is empty": input_(code=""),
    "entry_point is empty": input_(entry_point=""),
}


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (output("x" * 101), "response has 101 bytes, and the limit is 100"),
        (output("é" * 51), "response has 102 bytes"),
        (output(truth="[" + "1," * 50 + "1]"), "output_json has 103 bytes"),
        (
            VerifyRequest(direction=OUTPUT, output_json="7", answer_json=" " * 101),
            "answer_json has 101 bytes",
        ),
    ],
)
async def test_an_answer_that_would_take_long_to_read_is_refused(
    request_: VerifyRequest, sentence: str
) -> None:
    async with served(max_answer_bytes=100) as stub:
        failed = await failure(stub.Verify(request_))
        assert (await stub.Verify(output("x" * 100))).verdict == Verdict.VERDICT_UNPARSABLE
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (failed.details() or "").startswith(sentence)


@pytest.mark.parametrize("sentence", WRONG)
async def test_a_wrong_request_is_told_so_and_fails_no_other(sentence: str) -> None:
    sandbox = FakeSandbox()
    many = [output(), WRONG[sentence], output("8")]
    async with served(sandbox) as stub:
        alone = await failure(stub.Verify(WRONG[sentence]))
        batch = await stub.VerifyBatch(VerifyBatchRequest(requests=many))
        stream = await streamed(stub, many)
    assert (alone.code().value[0], alone.details()) == (INVALID, batch.results[1].error.message)
    assert (alone.details() or "").startswith(sentence)
    for results in (batch.results, stream):
        assert results[0].response.verdict == Verdict.VERDICT_CORRECT
        assert results[1].error.code == INVALID
        assert results[2].response.verdict == Verdict.VERDICT_WRONG
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (errors.TransientError("dead"), UNAVAILABLE, "dead"),
        (errors.Overloaded("full", retry_after=2.5), EXHAUSTED, "full"),
        (KeyError("a secret"), grpc.StatusCode.INTERNAL.value[0], "logged as"),
        (asyncio.CancelledError(), UNAVAILABLE, "ended"),
    ],
)
async def test_an_execution_that_fails_is_an_error_of_its_own(
    error: BaseException, code: int, told: str
) -> None:
    async def act(_: Any) -> CallResult:
        raise error

    many = [input_(), output()]
    async with served(FakeSandbox(act)) as stub:
        alone = await failure(stub.Verify(input_()))
        batch = await stub.VerifyBatch(VerifyBatchRequest(requests=many))
        stream = await streamed(stub, many)
    assert alone.code().value[0] == code
    for failed, fine in (batch.results, (stream[0], stream[1])):
        assert failed.error.code == code
        assert told in failed.error.message
        assert "secret" not in failed.error.message
        assert failed.error.retry_after_seconds == (getattr(error, "retry_after", None) or 0)
        assert fine.response.reward == 1.0


async def test_the_line_for_sandboxes_is_bounded() -> None:
    release, running = asyncio.Event(), asyncio.Semaphore(0)

    async def act(call: Any) -> CallResult:
        running.release()
        await release.wait()
        return await ok(call)

    async with served(FakeSandbox(act), waiting=1) as stub:
        held = [asyncio.ensure_future(stub.Verify(input_())) for _ in range(2)]
        for _ in held:
            await asyncio.wait_for(running.acquire(), 30)
        failed = await failure(stub.Verify(input_()))
        assert failed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(failed.trailing_metadata() or ())["grpc-retry-pushback-ms"]) > 0
        stream = await streamed(stub, [input_(), output()])
        assert (stream[0].error.code, stream[1].response.reward) == (EXHAUSTED, 1.0)
        assert stream[0].error.retry_after_seconds > 0
        # What needs no sandbox does not wait for one.
        assert (await stub.Verify(output())).reward == 1.0
        release.set()
        await asyncio.gather(*held)


async def test_a_batch_or_message_of_too_many_is_refused() -> None:
    async with served(max_batch=2) as stub:
        batch = await failure(stub.VerifyBatch(VerifyBatchRequest(requests=[output()] * 3)))
        stream = await failure(streamed(stub, [output()] * 3))
        assert (await stub.VerifyBatch(VerifyBatchRequest())).results == []
        assert await streamed(stub) == {}
        assert len(await streamed(stub, [output()] * 2, [output()] * 2, [])) == 4
    for failed in (batch, stream):
        assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert failed.details() == (
            "the message has 3 requests, and the limit is 2; split it into several"
        )


async def test_many_results_are_split_over_messages_that_can_be_sent() -> None:
    text = json.dumps("x" * 60_000)
    # Its text form is longer than what was sent.
    long = "[" + "1," * 1_200_000 + "1]"
    limits = {"max_message_bytes": 3_000_000}
    async with served(server=limits, max_answer_bytes=3_000_000) as stub:
        results = await streamed(stub, *[[output(f'{{"output": {text}}}', text)] * 20] * 6)
        lost, fine = (await streamed(stub, [output(long), output()])).values()
    assert {result.response.reward for result in results.values()} == {1.0}
    assert len(results) == 120
    assert lost.error.code == grpc.StatusCode.OUT_OF_RANGE.value[0]
    assert fine.response.reward == 1.0


async def test_results_come_as_they_are_ready() -> None:
    release = asyncio.Event()

    async def act(call: Any) -> CallResult:
        await release.wait()
        return await ok(call)

    async with served(FakeSandbox(act)) as stub:
        call = stub.VerifyStream()
        items = [VerifyStreamItem(id=5, request=input_()), VerifyStreamItem(id=7, request=output())]
        await call.write(VerifyStreamRequest(items=items))
        assert [result.id for result in (await call.read()).results] == [7]
        await call.write(VerifyStreamRequest(items=[VerifyStreamItem(id=1, request=output())]))
        assert [result.id for result in (await call.read()).results] == [1]
        release.set()
        assert [result.id for result in (await call.read()).results] == [5]
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF


async def test_a_caller_who_does_not_read_is_not_read_further() -> None:
    """Else what it sends would fill memory."""
    begun, full = 0, asyncio.Event()

    async def act(call: Any) -> CallResult:
        nonlocal begun
        begun += 1
        if begun == 8:
            full.set()
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    big = input_("x" * 100_000 + '{"input": {"n": 12}}')
    async with served(sandbox, slots=1000, stream_window=8) as stub:
        call = stub.VerifyStream()
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await call.write(
                    VerifyStreamRequest(items=[VerifyStreamItem(id=sent, request=big)])
                )
                sent += 1

        sending = asyncio.create_task(send())
        async with asyncio.timeout(30):
            await full.wait()
            # Until nothing moves any more: gRPC's windows, which it widens as it likes, are
            # full. A server that reads on is never still and runs into the time limit.
            while True:
                before = sent
                done, _ = await asyncio.wait({sending}, timeout=0.5)
                assert not done
                if sent == before:
                    break
        assert begun == 8
        sending.cancel()
        call.cancel()
        await asyncio.wait_for(sandbox.idle.wait(), 30)


async def test_executions_of_a_stream_do_not_exceed_the_sandboxes() -> None:
    running, most = 0, 0

    async def act(call: Any) -> CallResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return await ok(call)

    async with served(FakeSandbox(act), slots=3, waiting=0) as stub:
        results = await streamed(stub, [input_()] * 50)
    # So that they never meet a full line of their own making.
    assert most == 3
    assert {each.WhichOneof("result") for each in results.values()} == {"response"}


@pytest.mark.parametrize("by", ["cancel", "deadline"])
@pytest.mark.parametrize("method", ["Verify", "VerifyBatch", "VerifyStream"])
async def test_a_caller_that_leaves_ends_what_runs_for_it(by: str, method: str) -> None:
    begun = asyncio.Event()

    async def act(_: Any) -> CallResult:
        begun.set()
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    async with served(sandbox, waiting=0) as stub:
        timeout = 0.3 if by == "deadline" else None
        call: Any
        match method:
            case "Verify":
                call = stub.Verify(input_(), timeout=timeout)
            case "VerifyBatch":
                asked = VerifyBatchRequest(requests=[input_(), output()])
                call = stub.VerifyBatch(asked, timeout=timeout)
            case _:
                call = stub.VerifyStream(timeout=timeout)
                item = VerifyStreamItem(request=input_())
                await call.write(VerifyStreamRequest(items=[item]))
        await asyncio.wait_for(begun.wait(), 30)
        if by == "cancel":
            call.cancel()
        await asyncio.wait_for(sandbox.idle.wait(), 30)
        assert (await stub.Verify(output())).reward == 1.0


async def test_a_server_that_stops_answers_what_it_has_read_and_ends_the_stream() -> None:
    release, running, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def act(call: Any) -> CallResult:
        running.set()
        await release.wait()
        return await ok(call)

    servicer = VerifierServicer(FakeSandbox(act), slots=1, settings=load_settings())

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await stop.wait()

    async with listening(servicer, service=service) as server, calling(server) as stub:
        served = asyncio.create_task(serve(server))
        call, idle = stub.VerifyStream(wait_for_ready=True), stub.VerifyStream(wait_for_ready=True)
        for each, asked in ((call, input_()), (idle, output())):
            item = VerifyStreamItem(id=3, request=asked)
            await each.write(VerifyStreamRequest(items=[item]))
        await asyncio.wait_for(running.wait(), 30)
        assert [result.id for result in (await idle.read()).results] == [3]
        stop.set()
        # One that has nothing to wait for ends at once.
        assert (await failure(idle.read())).code() == grpc.StatusCode.UNAVAILABLE
        release.set()
        assert [result.id for result in (await call.read()).results] == [3]
        failed = await failure(call.read())
        assert failed.code() == grpc.StatusCode.UNAVAILABLE
        assert failed.details() == "the server is stopping"
        await served


async def test_what_is_not_the_message_ends_the_stream_with_a_status() -> None:
    async with served(server={"max_message_bytes": 1000}) as stub:
        failed = await failure(streamed(stub, [output("x" * 1000)]))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "bytes, and the limit is 1,000" in (failed.details() or "")
