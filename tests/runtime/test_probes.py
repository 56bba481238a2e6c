"""/livez and /readyz say what the server's health is, and notice a loop that hangs."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from codeio.runtime import probes
from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_health import Health
from codeio.runtime.probes import probed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def status(address: str, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


@asynccontextmanager
async def answering(host: str = "127.0.0.1") -> AsyncIterator[tuple[Health, str]]:
    health = Health(["codeio.v1.Any"])
    async with probed(health, host=host, port=0) as address:
        yield health, address


async def ask(address: str) -> tuple[int, int]:
    alive = await asyncio.to_thread(status, address, "livez")
    return alive, await asyncio.to_thread(status, address, "readyz")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_one_is_ready_once_calls_are_taken_and_all_parts_work(host: str) -> None:
    async with answering(host) as (health, address):
        assert await ask(address) == (200, 503)
        await health.report("broker", ready=False)
        await health.accept(True)
        assert await ask(address) == (200, 503)
        await health.report("broker")
        assert await ask(address) == (200, 200)
        await health.report("broker", ready=False)
        assert await ask(address) == (200, 503)


async def test_a_loop_that_hangs_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_ANSWER_SECONDS", 0.2)
    async with answering() as (_, address):
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(status(address, "livez")))
        asking.start()
        asking.join(20)  # and so hold the loop
        assert found == [503]
        assert await asyncio.to_thread(status, address, "livez") == 200


async def test_what_is_there_is_told() -> None:
    async with answering() as (_, address):
        assert await asyncio.to_thread(status, address, "") == 404
        assert await asyncio.to_thread(status, address, "metrics") == 200


async def test_a_port_in_use_is_told() -> None:
    async with answering() as (health, address):
        port = int(address.rpartition(":")[2])
        with pytest.raises(UsageError, match=r"another by server\.metrics_port"):
            async with probed(health, host="127.0.0.1", port=port):
                pass
