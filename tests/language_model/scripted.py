"""An OpenAI-compatible server that does as a test tells it.

Run as a program it serves answers after a fixed time, to so many at once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    number: int
    """Of this request among all, from 0."""
    in_flight: int
    """Requests that were being answered when it came, without it."""

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass
class Answer:
    """What the server does with a request."""

    content: str = "yes"
    reasoning: str = ""
    finish_reason: str = "stop"
    refusal: str = ""
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent as it is, as the body of a 200."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is cut."""
    prompt_tokens: int = 10
    completion_tokens: int = 5

    def completion(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.refusal:
            message |= {"content": None, "refusal": self.refusal}
        return {
            "id": "chat",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": self.finish_reason, "message": message}],
            "usage": self.usage(),
        }

    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return json.dumps({"error": self.error} if self.error else self.completion()).encode()

    def chunks(self) -> bytes:
        pieces = [{"reasoning_content": piece} for piece in _pieces(self.reasoning)]
        pieces += [{"content": piece} for piece in _pieces(self.content)]
        deltas: list[dict[str, Any]] = [{"index": 0, "delta": piece} for piece in pieces]
        deltas.append({"index": 0, "delta": {}, "finish_reason": self.finish_reason})
        events: list[dict[str, Any]] = [{"choices": [delta]} for delta in deltas]
        events.append({"choices": [], "usage": self.usage()})
        head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
        text = "".join(f"data: {json.dumps(head | event)}\n\n" for event in events)
        return (text + "data: [DONE]\n\n").encode()


BUSY = Answer(status=429, error={"message": "too many requests", "code": "rate_limit"})


async def yes(_: Asked) -> Answer:
    return Answer()


class ScriptedServer:
    """Asks `script` what to do with each request, and counts them."""

    def __init__(self, script: Callable[[Asked], Awaitable[Answer]] = yes) -> None:
        self.script = script
        self.asked = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.answered: Counter[str] = Counter()
        """By the sha256 of the body: how often it was answered with a 200."""
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text)
        asked = Asked(body, request.headers, self.asked, self.in_flight)
        self.asked += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = await self.script(asked)
        finally:
            self.in_flight -= 1
        if answer.status == 200 and answer.raw is None and answer.cut_after is None:
            self.answered[hashlib.sha256(text.encode()).hexdigest()] += 1
        streamed = bool(body.get("stream")) and answer.status == 200
        data = answer.chunks() if streamed and answer.raw is None else answer.body()
        kind = "text/event-stream" if streamed else "application/json"
        headers = {"content-type": kind, **answer.headers}
        if answer.cut_after is None:
            return web.Response(status=answer.status, headers=headers, body=data)
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = None if streamed else len(data)
        await response.prepare(request)
        await response.write(data[: answer.cut_after])
        assert request.transport
        request.transport.abort()
        return response

    async def counts(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "asked": self.asked,
                "in_flight": self.in_flight,
                "answered": sum(self.answered.values()),
                "repeated": sum(count - 1 for count in self.answered.values()),
            }
        )

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback; the value is the base URL."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self.handle)
        app.router.add_get("/counts", self.counts)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        try:
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            yield self.url
        finally:
            await runner.cleanup()


def limited(*, seconds: float, most: int) -> Callable[[Asked], Awaitable[Answer]]:
    """Return a script that takes so long for each answer, and turns away who is one too many."""

    async def script(asked: Asked) -> Answer:
        if asked.in_flight >= most:
            return BUSY
        await asyncio.sleep(seconds)
        return Answer()

    return script


def _pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


async def _serve(port: int, seconds: float, most: int) -> None:
    async with ScriptedServer(limited(seconds=seconds, most=most)).serving(port) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--most", type=int, required=True)
    asyncio.run(_serve(**vars(parser.parse_args())))
