"""The resource by gRPC: the same that kubectl would read and write."""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from codeio.client import (
    AlreadyExists,
    AsyncTrainerLauncherClient,
    InvalidRequest,
    NotFound,
    Refused,
    Unavailable,
)
from codeio.pipeline.services.trainer_launcher import service
from codeio.runtime.settings import TrainerLauncherSettings
from codeio.trainer_launcher.service import TrainerLauncherServicer, find_cluster
from tests.servers import serving
from tests.trainer_launcher.conftest import SPEC, launching, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from codeio.trainer_launcher.api import Api
    from tests.trainer_launcher.fake import FakeCluster

    Client = Callable[[], Api]


@asynccontextmanager
async def served(find: Callable[[], Awaitable[Api]]) -> AsyncIterator[AsyncTrainerLauncherClient]:
    async with (
        serving(TrainerLauncherServicer(find), service=service) as server,
        AsyncTrainerLauncherClient(server.address) as remote,
    ):
        yield remote


@pytest.fixture
async def remote(client: Client) -> AsyncIterator[AsyncTrainerLauncherClient]:
    async def find() -> Api:
        return client()

    async with served(find) as made:
        yield made


async def test_to_make_a_run_again_is_no_error_unless_it_is_another(
    cluster: FakeCluster, remote: AsyncTrainerLauncherClient
) -> None:
    checked = await remote.create("demo", SPEC, dry_run=True)
    assert (checked.name, cluster.names("trainingruns")) == ("demo", [])
    made = await remote.create("demo", SPEC)
    assert cluster.run("demo")["spec"] == SPEC
    # With a default of a newer definition, which nobody asked for.
    cluster.change_run("demo", suspend=True, novelty="Auto")
    assert (await remote.create("demo", SPEC)).create_time == made.create_time
    with pytest.raises(AlreadyExists, match="choose another name"):
        await remote.create("demo", SPEC | {"seed": 1})


async def test_what_is_wrong_is_told_by_its_field(
    cluster: FakeCluster, remote: AsyncTrainerLauncherClient
) -> None:
    with pytest.raises(InvalidRequest, match=r"spec\.model: name or path must be given"):
        await remote.create("demo", SPEC | {"model": {}})
    with pytest.raises(InvalidRequest, match="no name of a run"):
        await remote.get("../pods/x")
    with pytest.raises(InvalidRequest, match="begins with a letter"):
        await remote.create("7b-stage1", SPEC)
    with pytest.raises(NotFound, match="demo"):
        await remote.get("demo")
    for code, expected in ((422, InvalidRequest), (403, Refused)):
        cluster.fail = lambda verb, plural, code=code: code
        with pytest.raises(expected, match="as the test wants it"):
            await remote.create("demo", SPEC)


async def test_runs_are_listed_page_by_page(
    cluster: FakeCluster, remote: AsyncTrainerLauncherClient
) -> None:
    for number in range(230):
        cluster.add_run(f"run-{number:03}", copy.deepcopy(SPEC))
    listed = [run.name async for run in remote.list()]
    assert listed == cluster.names("trainingruns")
    assert cluster.calls["GET trainingruns"] == 3


async def test_a_watch_shows_each_change_until_the_run_has_ended(
    cluster: FakeCluster, client: Client, remote: AsyncTrainerLauncherClient
) -> None:
    await remote.create("demo", SPEC)
    shown: list[Any] = []
    async with launching(client):
        async for run in remote.watch("demo"):
            shown.append(run)
            if len(shown) == 1:
                await until(lambda: cluster.names("jobs"))
                cluster.break_watches()
                cluster.start_job("demo-reasoning")
                cluster.complete("demo-reasoning")
    assert shown[-1].status.conditions[0].type == "Succeeded"
    assert len({run.SerializeToString() for run in shown}) == len(shown)
    async for run in remote.watch("demo"):
        assert run == shown[-1]


async def test_a_cancelled_run_ends_and_one_that_has_ended_stays(
    cluster: FakeCluster, client: Client, remote: AsyncTrainerLauncherClient
) -> None:
    await remote.create("demo", SPEC)
    async with launching(client):
        await until(lambda: cluster.names("jobs"))
        assert (await remote.cancel("demo")).spec.cancel
        await until(lambda: cluster.standing("demo") == ("Failed", "Cancelled"))
        cluster.add_run("done", copy.deepcopy(SPEC))
        await until(lambda: "done-reasoning" in cluster.names("jobs"))
        cluster.start_job("done-reasoning")
        cluster.complete("done-reasoning")
        await until(lambda: cluster.standing("done") == ("Succeeded", "Completed"))
        assert not (await remote.cancel("done")).spec.cancel


@pytest.mark.parametrize("image", ["", "codeio-trainer:test"])
async def test_without_a_cluster_every_call_says_so_in_one_sentence(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.aio.config import kube_config  # noqa: PLC0415

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.aio.config.KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere")
    find = partial(find_cluster, TrainerLauncherSettings(image=image))
    expected = "there is no cluster to run on" if image else "no image is named"
    async with served(find) as remote:
        with pytest.raises(Unavailable, match=expected):
            await remote.get("demo")
