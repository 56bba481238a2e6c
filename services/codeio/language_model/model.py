"""A language model behind endpoints and a response store: no answer is paid for twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from codeio.language_model.answers import Answers
from codeio.language_model.batch import BatchModel
from codeio.language_model.scheduler import Scheduler
from codeio.language_model.store.opening import open_store
from codeio.language_model.tally import Tally
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import EndpointSettings, public_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.language_model.chat import Question, Reply
    from codeio.language_model.store import ResponseStore
    from codeio.runtime.settings import TeacherSettings

# A paid answer is worth a while of waiting to whoever stops a run.
_FINISH_SECONDS = 30.0
# Enough to keep the store busy; the first of many questions shall not wait for the last.
_LOOKED_UP_AT_A_TIME = 64


class StoredModel:
    """Asks the store first, and the endpoints for what is not there."""

    def __init__(
        self, store: ResponseStore, scheduler: Scheduler, *, settings: TeacherSettings, tally: Tally
    ) -> None:
        self._answers = Answers(store, settings=settings, tally=tally)
        self.name = self._answers.name
        self.tally = tally
        self._scheduler = scheduler
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._looking_up = asyncio.Semaphore(_LOOKED_UP_AT_A_TIME)

    @property
    def state(self) -> str:
        """How many calls are on their way, in words."""
        return f"{self._scheduler.in_flight:,} of {self._scheduler.limit:,} calls in flight"

    async def ask(self, question: Question) -> Reply:
        """Answer from the store or from an endpoint; see `LanguageModel`."""
        key = self._answers.key(question)
        # Who asks the same meanwhile finds the answer in the store.
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            async with self._looking_up:
                if (kept := await self._answers.kept(key, question)) is not None:
                    return kept
            return await self._scheduler.call(
                question,
                key=key,
                keep=partial(self._answers.keep, key, question),
            )

    async def finish(self) -> None:
        """Wait a while for the answers that are on their way: they are paid for."""
        await self._scheduler.finish(_FINISH_SECONDS)


def check_model(settings: TeacherSettings) -> None:
    """Refuse settings without an endpoint or a model.

    Raises:
        UsageError: one of them is missing.
    """
    if not settings.model:
        raise UsageError(
            "no model is named; set CODEIO_TEACHER__MODEL to a name that the endpoint knows"
        )
    if not (settings.base_url or settings.endpoints or settings.batch):
        raise UsageError(
            "no endpoint is named; set CODEIO_TEACHER__BASE_URL, such as http://127.0.0.1:8000/v1"
        )
    if settings.base_url and settings.endpoints:
        raise UsageError("teacher.base_url and teacher.endpoints are both set; take one away")
    for endpoint in _endpoints(settings):
        if not endpoint.base_url.startswith(("http://", "https://")):
            raise UsageError(
                f"teacher.base_url is {endpoint.base_url!r}; it must begin with http:// or https://"
            )
        if "@" in endpoint.base_url.partition("://")[2].partition("/")[0]:
            raise UsageError(
                f"teacher.base_url {public_url(endpoint.base_url)} holds a user or a password; "
                "give a key by CODEIO_TEACHER__API_KEY or teacher.api_key_file"
            )


@asynccontextmanager
async def open_model(settings: TeacherSettings) -> AsyncIterator[StoredModel | BatchModel]:
    """Open the response store and connect to the endpoints.

    Raises:
        UsageError: the settings are not fit, or the store cannot be used.
    """
    # Its client takes a second to import, which runs without a model need not wait for.
    from codeio.language_model.endpoint import Endpoint  # noqa: PLC0415

    check_model(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store))
        tally = Tally()
        if settings.batch:
            yield stack.enter_context(
                BatchModel(settings.batch, store, settings=settings, tally=tally)
            )
            return
        endpoints = [
            await stack.enter_async_context(Endpoint(endpoint, settings=settings))
            for endpoint in _endpoints(settings)
        ]
        scheduler = Scheduler(endpoints, settings=settings, tally=tally)
        model = StoredModel(store, scheduler, settings=settings, tally=tally)
        try:
            yield model
        finally:
            await model.finish()


def _endpoints(settings: TeacherSettings) -> tuple[EndpointSettings, ...]:
    if settings.endpoints or not settings.base_url:
        return settings.endpoints
    return (
        EndpointSettings(
            base_url=settings.base_url,
            api_key=settings.api_key,
            api_key_file=settings.api_key_file,
        ),
    )
