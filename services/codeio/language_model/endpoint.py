"""One OpenAI-compatible endpoint: a question in, a reply or a named failure out."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient

from codeio.language_model import completions
from codeio.language_model.chat import ContextTooLong
from codeio.language_model.completions import (
    FILTERED,
    REFUSALS,
    RequestRefused,
    TooSlow,
    empty_reply,
    read_completion,
    reasoning_of,
    refusal_kind,
    request_body,
    request_parameters,
)
from codeio.runtime.errors import Overloaded, Stopped, TransientError
from codeio.runtime.settings import public_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from codeio.language_model.chat import Question, Reply
    from codeio.runtime.settings import EndpointSettings, TeacherSettings

_CONNECT_SECONDS = 10.0
_MOST_RETRY_AFTER = 600.0
_DETAIL_CHARS = 300

# Statuses that ask to come again later, without a fault of the request or of the answer.
_BUSY = frozenset({429, 503, 529})
_NO_CREDIT = re.compile(r"insufficient_quota|billing_(?!details)\w+|insufficient_credit")
# What is said of a question with a status that else speaks of the key.
_MODERATED = re.compile(r"flagged|moderation|content policy|safety", re.IGNORECASE)


class Endpoint:
    """Asks one endpoint; see `runtime.errors` for what its failures mean.

    It tries once: whoever calls it knows when to try again.
    """

    def __init__(self, endpoint: EndpointSettings, *, settings: TeacherSettings) -> None:
        self.url = public_url(endpoint.base_url)
        self.weight = endpoint.weight
        self._settings = settings
        self._model = endpoint.model or settings.model
        self._parameters = request_parameters(settings)
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=_key_of(endpoint),
            max_retries=0,
            timeout=httpx2.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS),
            default_headers=settings.headers,
            # Of the two transports that the client offers, the one whose cost of a call does
            # not grow with the connections that are open.
            http_client=DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=2 * settings.max_in_flight)
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def complete(self, question: Question) -> Reply:
        """Ask once.

        Raises:
            ContextTooLong: the question does not fit.
            RequestRefused: this request is not taken, or none like it.
            Overloaded: the endpoint has too much to do.
            TransientError: it failed, or could not be reached.
            Stopped: the key or the model is wrong, or the account has no credit.
        """
        try:
            if self._settings.stream:
                return await self._streamed(question)
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await self._whole(question)
        except openai.APIStatusError as error:
            named = self._named(error)
            if named is None:
                return empty_reply(FILTERED)
            raise named from error
        except (TimeoutError, openai.APIConnectionError, httpx2.TransportError) as error:
            raise self._unreached(error) from error
        except (openai.APIError, ValueError) as error:
            raise TransientError(f"{self.url} gave a malformed answer: {_cut(error)}") from error

    async def _whole(self, question: Question) -> Reply:
        # As text: to validate the messages on their way out, and the answer on its way in,
        # takes the client as long as all the rest.
        response = await self._client.post(
            "/chat/completions", body=self._body(question), cast_to=httpx2.Response
        )
        return read_completion(response.json(), self._settings)

    async def _streamed(self, question: Question) -> Reply:
        """Put a reply together from its pieces."""
        content: list[str] = []
        reasoning: list[str] = []
        choice: dict[str, Any] = {}
        usage: Any = None
        stream = await self._client.chat.completions.create(
            model=self._model,
            messages=self._body(question)["messages"],
            extra_body=self._parameters,
            stream=True,
            stream_options={"include_usage": True},
        )
        seconds = self._settings.timeout_seconds
        # Comments that keep a connection alive are no answer.
        async with stream, asyncio.timeout(seconds) as limit:
            async for chunk in stream:
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
                usage = chunk.usage or usage
                for piece in chunk.choices:
                    fields = piece.delta.to_dict()
                    content.append(str(fields.get("content") or fields.get("refusal") or ""))
                    reasoning.append(reasoning_of(fields))
                    if fields.get("refusal"):
                        choice["refused"] = True
                    choice["finish_reason"] = piece.finish_reason or choice.get("finish_reason")
        if not choice.get("finish_reason"):
            raise TransientError(f"{self.url} broke off in the middle of an answer")
        text = "".join(content)
        message = {"content": text, "reasoning": "".join(reasoning)}
        if choice.pop("refused", False):
            message = {"refusal": text}
        fields = {"choices": [{**choice, "message": message}]}
        fields["usage"] = usage.to_dict() if usage else {}
        return read_completion(fields, self._settings)

    def _unreached(self, error: Exception) -> TransientError:
        cause = error.__cause__ or error
        timeouts = (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException)
        # A connection that is refused comes as one whose time was up.
        if isinstance(error, timeouts) and not isinstance(cause, httpx2.ConnectTimeout):
            return TooSlow(f"{self.url} gave no answer in {self._settings.timeout_seconds:g} s")
        return TransientError(f"{self.url} cannot be reached: {_cut(cause)}")

    def _body(self, question: Question) -> dict[str, Any]:
        return request_body(question, model=self._model, parameters=self._parameters)

    def _named(self, error: openai.APIStatusError) -> Exception | None:
        """Return what a status means; nothing where the answer was filtered."""
        said = _message(error)
        told = f"({error.status_code}: {said})"
        if error.status_code == 402 or (
            error.status_code in (400, 429) and _NO_CREDIT.search(f"{error.code} {error.type}")
        ):
            return Stopped(f"the account at {self.url} has no credit left {told}; add some")
        if error.status_code == 403 and _MODERATED.search(said):
            return RequestRefused(f"{self.url} refuses the request {told}")
        if error.status_code in (401, 403):
            return Stopped(
                f"{self.url} does not take the key {told}; set CODEIO_TEACHER__API_KEY, or "
                "teacher.api_key_file to a file that holds it"
            )
        if error.status_code == 404:
            return Stopped(
                f"{self.url} has no model {self._model!r} {told}; check teacher.model, and that "
                "teacher.base_url ends as the endpoint's own examples do, mostly in /v1"
            )
        if error.status_code in _BUSY:
            return Overloaded(f"{self.url} is busy {told}", retry_after=_retry_after(error))
        if error.status_code in REFUSALS:
            match refusal_kind(error.status_code, code=error.code or "", message=said):
                case completions.FILTERED:
                    return None
                case completions.TOO_LONG:
                    return ContextTooLong(said)
                case _:
                    return RequestRefused(f"{self.url} refuses the request {told}")
        return TransientError(f"{self.url} failed {told}", retry_after=_retry_after(error))


def _key_of(endpoint: EndpointSettings) -> str | Callable[[], Awaitable[str]]:
    path = endpoint.api_key_file
    if path is None:
        # Not empty, or the client would send whatever OPENAI_API_KEY holds.
        return endpoint.api_key or "none"

    async def read() -> str:
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Stopped(f"cannot read the key in {path}: {error}; mend the file") from error

    return read


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or body
    return _cut(body or error.message)


def _cut(what: object) -> str:
    text = " ".join(str(what).split()) or type(what).__name__
    return text if len(text) <= _DETAIL_CHARS else f"{text[:_DETAIL_CHARS]}…"


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Return the seconds that the endpoint asks to be left alone for."""
    headers = error.response.headers
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            return min(max(float(headers[name]) * scale, 0.0), _MOST_RETRY_AFTER)
    with suppress(KeyError, ValueError):
        until = parsedate_to_datetime(headers["retry-after"]) - datetime.now(UTC)
        return min(max(until.total_seconds(), 0.0), _MOST_RETRY_AFTER)
    return None
