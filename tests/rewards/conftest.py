"""A data set, and a verifier that judges answers to it, named by the environment."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from codeio.dataset import export
from codeio.pipeline.services.verifier import service
from codeio.runtime.settings import DatasetSettings, load_settings
from codeio.v1.execution_pb2 import CallResult, Outcome
from codeio.verifier.service import VerifierServicer
from tests.dataset.factory import INPUT, OUTPUT, sample
from tests.servers import FakeSandbox, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeio.v1.execution_pb2 import Call

# `datasets` reads these when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"


async def _run(call: Call) -> CallResult:
    """Do as the programs of the factory's samples, as their pairs have it."""
    output = json.loads(call.input_json)["values"][0] + 10**20
    return CallResult(outcome=Outcome.OUTCOME_OK, output_json=str(output))


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of a verifier in a loop of its own: what trainers call is not asynchronous."""
    ready, told = threading.Event(), []

    async def serve() -> None:
        servicer = VerifierServicer(FakeSandbox(_run), slots=2, settings=load_settings())
        async with serving(servicer, service=service) as server:
            stop = asyncio.Event()
            told.extend([server.address, asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    assert ready.wait(30)
    where, loop, stop = told
    yield where
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.fixture
def verifier(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CODEIO_VERIFIER_ADDRESS", address)
    return address


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of both directions, one split."""
    out = tmp_path_factory.mktemp("rewards") / "dataset"
    samples = [
        sample(number, pair=number, direction=direction)
        for number in range(12)
        for direction in (OUTPUT, INPUT)
    ]
    settings = DatasetSettings(splits=(0.7, 0.15, 0.15))
    export(samples, out, settings=settings, formats=["verl", "codeio"])
    return out


def right_answer(info: str) -> str:
    """Return a response that is right."""
    task = json.loads(info)
    if task["direction"] == "DIRECTION_OUTPUT_PREDICTION":
        return f'So the answer is\n\n```json\n{{"output": {task["output_json"]}}}\n```'
    return f'```json\n{{"input": {task["input_json"]}}}\n```'
