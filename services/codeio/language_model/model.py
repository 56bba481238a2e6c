"""A language model behind endpoints and a response store: no answer is paid for twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from codeio.language_model.batch import BatchModel
from codeio.language_model.chat import Reply, model_name, question_key
from codeio.language_model.endpoint import Endpoint, request_parameters
from codeio.language_model.scheduler import Scheduler
from codeio.language_model.store.opening import default_store, open_store
from codeio.language_model.tally import Tally
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import EndpointSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.language_model.chat import Question
    from codeio.language_model.store import ResponseStore
    from codeio.runtime.settings import TeacherSettings

# A paid answer is worth a while of waiting to whoever stops a run.
_FINISH_SECONDS = 60.0


class StoredModel:
    """Asks the store first, and the endpoints for what is not there."""

    def __init__(
        self, store: ResponseStore, scheduler: Scheduler, *, settings: TeacherSettings, tally: Tally
    ) -> None:
        self._model = settings.model
        self._parameters = request_parameters(settings)
        self.name = model_name(self._model, self._parameters)
        self.tally = tally
        self.scheduler = scheduler
        self._store = store
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def state(self) -> str:
        """How many calls are on their way, in words."""
        return f"{self.scheduler.in_flight:,} of {self.scheduler.limit:,} calls in flight"

    async def ask(self, question: Question) -> Reply:
        """Answer from the store or from an endpoint; see `LanguageModel`."""
        key = question_key(question, model=self._model, parameters=self._parameters)
        # Who asks the same meanwhile finds the answer in the store.
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            text = await self._store.get(key)
            if text is not None:
                reply = Reply.from_json(text)
                self.tally.count(question, reply, stored=True)
                return reply

            async def keep(reply: Reply) -> None:
                self.tally.count(question, reply, stored=False)
                await self._store.put(key, reply.to_json())

            return await self.scheduler.call(question, keep)


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
    for endpoint in _endpoints(settings):
        if not endpoint.base_url.startswith(("http://", "https://")):
            raise UsageError(
                f"teacher.base_url is {endpoint.base_url!r}; it must begin with http:// or https://"
            )


@asynccontextmanager
async def open_model(settings: TeacherSettings) -> AsyncIterator[StoredModel | BatchModel]:
    """Open the response store and connect to the endpoints.

    Raises:
        UsageError: the settings are not fit, or the store cannot be used.
    """
    check_model(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store, default=default_store()))
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
        try:
            yield StoredModel(store, scheduler, settings=settings, tally=tally)
        finally:
            await scheduler.finish(_FINISH_SECONDS)


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
