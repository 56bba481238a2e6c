"""What an endpoint answers, and what its failures are called."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from codeio.language_model.chat import ContextTooLong
from codeio.runtime.errors import Rejected, Stopped, TransientError, UsageError
from codeio.runtime.settings import Settings, TeacherSettings
from tests.language_model.conftest import question
from tests.language_model.scripted import Answer, Asked, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.language_model.conftest import Asking


def always(answer: Answer) -> Callable[[Asked], Awaitable[Answer]]:
    async def script(_: Asked) -> Answer:
        return answer

    return script


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_keeps_answer_reasoning_and_usage_apart(asking: Asking, stream: bool) -> None:
    script = always(Answer("It is 4.", reasoning="Two and two.", prompt_tokens=70))
    priced = {"prompt_usd_per_million": 1e6, "completion_usd_per_million": 2e6}
    async with asking(ScriptedServer(script), stream=stream, **priced) as model:
        reply = await model.ask(question())
    assert (reply.content, reply.reasoning) == ("It is 4.", "Two and two.")
    assert (reply.prompt_tokens, reply.completion_tokens) == (70, 5)
    assert reply.finish_reason == "stop"
    assert reply.cost_usd == pytest.approx(80)


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        ("<think>\nTwo and two.\n</think>\n\nIt is 4.", "Two and two.", "It is 4."),
        ("<think>Two and", "Two and", ""),
        # Some chat templates put the opening mark into the prompt.
        ("Two and two.\n</think>\n\nIt is 4.", "Two and two.", "It is 4."),
        ("Half a \ud800 pair", "", "Half a ? pair"),
        ("A <think> in the middle stays.</think>", "", "A <think> in the middle stays.</think>"),
    ],
)
async def test_thoughts_at_the_head_of_an_answer_are_reasoning(
    asking: Asking, text: str, reasoning: str, content: str
) -> None:
    async with asking(ScriptedServer(always(Answer(text)))) as model:
        reply = await model.ask(question())
    assert (reply.reasoning, reply.content) == (reasoning, content)


async def test_content_in_parts_is_put_together(asking: Asking) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Two and two."}]},
        {"type": "text", "text": "It is "},
        {"type": "text", "text": "4."},
    ]
    body = {"choices": [{"finish_reason": "stop", "message": {"content": parts}}], "usage": None}
    async with asking(ScriptedServer(always(Answer(raw=json.dumps(body).encode())))) as model:
        reply = await model.ask(question())
    assert (reply.reasoning, reply.content) == ("Two and two.", "It is 4.")


async def test_a_rate_limit_that_speaks_of_billing_is_a_rate_limit(asking: Asking) -> None:
    async def script(asked: Asked) -> Answer:
        said = "Rate limit reached. Visit the billing page to add a payment method."
        busy = Answer(status=429, error={"message": said, "code": "rate_limit_exceeded"})
        return Answer() if asked.number else busy

    async with asking(ScriptedServer(script), give_up_seconds=30) as model:
        assert (await model.ask(question())).content == "yes"


async def test_secrets_of_an_address_are_not_told(asking: Asking) -> None:
    with pytest.raises(UsageError) as refusal:
        async with asking(base_url="http://me:PASSWORD@127.0.0.1:1/v1"):
            pass
    assert "PASSWORD" not in str(refusal.value)
    told = Settings(teacher=TeacherSettings(base_url="http://127.0.0.1:1/v1?key=SECRET")).told()
    assert "SECRET" not in str(told)


async def test_the_request_has_what_the_settings_say(asking: Asking) -> None:
    seen: list[Asked] = []

    async def script(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer()

    more: dict[str, Any] = {
        "temperature": 0.5,
        "max_tokens": 99,
        "body": {"reasoning_effort": "low"},
        "headers": {"X-Team": "codeio"},
        "api_key": "secret",
    }
    async with asking(ScriptedServer(script), **more) as model:
        await model.ask(question("Why?"))
    [asked] = seen
    assert asked.body == {
        "model": "scripted",
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0.5,
        "max_tokens": 99,
        "reasoning_effort": "low",
    }
    assert asked.headers["X-Team"] == "codeio"
    assert asked.headers["Authorization"] == "Bearer secret"


async def test_the_key_is_read_from_a_file_and_anew_when_it_changes(
    asking: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of somebody else")
    keys: list[str] = []

    async def script(asked: Asked) -> Answer:
        keys.append(asked.headers["Authorization"])
        return Answer()

    path = tmp_path / "key"
    path.write_text("first\n")
    server = ScriptedServer(script)
    async with server.serving() as url:
        endpoint = [{"base_url": url, "api_key_file": path}]
        async with asking(endpoints=endpoint) as model:
            await model.ask(question("a"))
            path.write_text("second\n")
            await model.ask(question("b"))
    assert keys == ["Bearer first", "Bearer second"]


async def test_without_a_key_no_other_one_is_sent(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of somebody else")
    keys: list[str] = []

    async def script(asked: Asked) -> Answer:
        keys.append(asked.headers.get("Authorization", ""))
        return Answer()

    async with asking(ScriptedServer(script)) as model:
        await model.ask(question())
    assert "somebody" not in keys[0]


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(status=401, error={"message": "bad key"}), Stopped, "does not take the key"),
        (Answer(status=403, error={"message": "not yours"}), Stopped, "CODEIO_TEACHER__API_KEY"),
        (Answer(status=404, error={"message": "no such model"}), Stopped, "no model 'scripted'"),
        (
            Answer(status=429, error={"message": "quota", "code": "insufficient_quota"}),
            Stopped,
            "no credit left",
        ),
        (
            Answer(status=400, error={"message": "This model's maximum context length is 2048"}),
            ContextTooLong,
            "maximum context length",
        ),
        (
            Answer(status=400, error={"message": "the request exceeds the available context size"}),
            ContextTooLong,
            "available context size",
        ),
        (
            Answer(status=400, error={"message": "unknown field reasoning_effort"}),
            Stopped,
            "unknown field reasoning_effort.*check teacher.model, teacher.body",
        ),
        (
            Answer(
                status=400,
                error={
                    "message": "'max_tokens' is too large: 9999. This model's maximum context "
                    "length is 2048 tokens"
                },
            ),
            Stopped,
            "max_tokens.*check teacher.model, teacher.body",
        ),
        (Answer(status=500, error={"message": "oops"}), TransientError, "failed .500: oops"),
        (
            Answer(raw=b'{"error": {"message": "upstream died", "code": 502}}'),
            TransientError,
            "upstream died",
        ),
        (
            Answer(raw=b'{"choices": [{"finish_reason": "error", "message": {"content": ""}}]}'),
            TransientError,
            "an error in place of an answer",
        ),
        (Answer(raw=b"<html>not json</html>"), TransientError, "malformed"),
        (Answer(raw=b'{"choices": []}'), TransientError, "malformed"),
        (Answer(raw=b"[1, 2]"), TransientError, "malformed"),
        (Answer(raw=b'{"choices": [{"message": "hi"}]}'), TransientError, "malformed"),
        (Answer(raw=b""), TransientError, "malformed"),
        (Answer("x" * 5000, cut_after=100), TransientError, "cannot be reached"),
    ],
)
async def test_each_failure_has_its_name(
    asking: Asking, answer: Answer, kind: type[Exception], said: str
) -> None:
    async with asking(ScriptedServer(always(answer)), attempts=1) as model:
        with pytest.raises(kind, match=said):
            await model.ask(question())


async def test_a_stream_that_breaks_off_is_no_answer(asking: Asking) -> None:
    answers = [Answer("y" * 3000, cut_after=1200), Answer("whole")]

    async def script(asked: Asked) -> Answer:
        return answers[min(asked.number, 1)]

    async with asking(ScriptedServer(script), stream=True) as model:
        assert (await model.ask(question())).content == "whole"


async def test_a_slow_endpoint_is_not_waited_for_longer_than_is_set(asking: Asking) -> None:
    release = asyncio.Event()

    async def script(asked: Asked) -> Answer:
        if not asked.number:
            await release.wait()
        return Answer("at last")

    async with asking(ScriptedServer(script), timeout_seconds=0.2) as model:
        assert (await model.ask(question())).content == "at last"
        assert model.tally.failed == 1
        release.set()


@pytest.mark.parametrize(
    ("answer", "content", "finish_reason"),
    [
        (Answer("", finish_reason="stop"), "", "stop"),
        (Answer("It goes", finish_reason="length"), "It goes", "length"),
        (Answer(refusal="I will not."), "I will not.", "refusal"),
        (Answer(status=400, error={"code": "content_filter"}), "", "content_filter"),
    ],
)
async def test_empty_cut_and_refused_replies_are_replies(
    asking: Asking, answer: Answer, content: str, finish_reason: str
) -> None:
    async with asking(ScriptedServer(always(answer))) as model:
        reply = await model.ask(question())
    assert (reply.content, reply.finish_reason) == (content, finish_reason)


async def test_a_request_that_alone_is_refused_does_not_stop_the_others(asking: Asking) -> None:
    async def script(asked: Asked) -> Answer:
        if asked.prompt == "bad":
            return Answer(status=400, error={"message": "invalid character"})
        return Answer()

    async with asking(ScriptedServer(script)) as model:
        found = await asyncio.gather(
            *(model.ask(question(text)) for text in ("bad", "a", "b")), return_exceptions=True
        )
    assert isinstance(found[0], Rejected)
    assert found[0].reason == "refused_by_endpoint"
    assert not any(isinstance(reply, Exception) for reply in found[1:])
