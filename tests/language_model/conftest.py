"""A model that asks a scripted server, with a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from codeio.language_model.chat import Message, Question
from codeio.language_model.model import StoredModel, open_model
from codeio.runtime.settings import TeacherSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.language_model.scripted import ScriptedServer

Asking: TypeAlias = Callable[..., AbstractAsyncContextManager[StoredModel]]


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    """Return a function that serves scripted servers and opens a model which asks them."""

    @asynccontextmanager
    async def open_(*servers: ScriptedServer, **settings: Any) -> AsyncIterator[StoredModel]:
        async with AsyncExitStack() as stack:
            urls = [await stack.enter_async_context(server.serving()) for server in servers]
            given: dict[str, Any] = {
                "model": "scripted",
                "store": str(tmp_path / "responses.sqlite"),
                "give_up_seconds": 1.0,
            }
            if len(urls) == 1:
                given["base_url"] = urls[0]
            else:
                given["endpoints"] = [{"base_url": url} for url in urls]
            model = await stack.enter_async_context(
                open_model(TeacherSettings.model_validate(given | settings))
            )
            assert isinstance(model, StoredModel)
            yield model

    return open_


def question(text: str = "What is it?", **more: Any) -> Question:
    return Question((Message("user", text),), **more)
