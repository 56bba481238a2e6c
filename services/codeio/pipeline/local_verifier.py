"""A verifier of this process alone, for what needs one on one machine."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeio.pipeline.stages import parts_of
from codeio.pipeline.workshop import open_workshop
from codeio.runtime.grpc_server import GrpcServer
from codeio.runtime.settings import ServerSettings
from codeio.training_run.environment import VERIFIER_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeio.runtime.settings import Settings


@contextmanager
def local_verifier(settings: Settings, *, say: Callable[[str], None]) -> Iterator[str]:
    """Serve a verifier on a free port of the loopback, in a thread, and give its address.

    Raises:
        UsageError: the sandbox cannot be had on this machine.
    """
    ready: Future[str] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def serve() -> None:
        try:
            loop.run_until_complete(_serve(settings, say, ready, stop))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            loop.close()

    # Not a daemon: its sandboxes are to be ended in order.
    thread = threading.Thread(target=serve, name="verifier")
    thread.start()
    try:
        yield ready.result()
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def verifier_in_environment(settings: Settings, *, say: Callable[[str], None]) -> Iterator[None]:
    """Serve a verifier for the time of the body, and name it in the environment.

    Raises:
        UsageError: see `local_verifier`.
    """
    with local_verifier(settings, say=say) as address:
        os.environ[VERIFIER_ADDRESS] = address
        try:
            yield
        finally:
            del os.environ[VERIFIER_ADDRESS]


async def _serve(
    settings: Settings, say: Callable[[str], None], ready: Future[str], stop: asyncio.Event
) -> None:
    from codeio.executor.sandbox import make_pool  # noqa: PLC0415  (not every command's)

    # Whoever asks is in this process and waits: there is nobody else to be kept from the sandboxes.
    pool = make_pool(settings, say=say)
    offer = parts_of("verifier").offer(settings, pool, None)
    server = GrpcServer([offer], settings=ServerSettings(host="127.0.0.1", port=0))
    async with open_workshop(settings, pool, stages=()), server, server.accepting():
        ready.set_result(server.address)
        await stop.wait()
