"""The launcher at work on a cluster that loses connections, refuses, and is behind."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from codeio.trainer_launcher import leader
from codeio.trainer_launcher.api import JOBS, RUNS, SERVICES, Api, ApiError
from codeio.trainer_launcher.cache import Cache
from codeio.trainer_launcher.leader import Lease
from codeio.trainer_launcher.queue import Queue
from codeio.trainer_launcher.unmade import UnmadePods
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import MEASURED, SETTINGS, SPEC, launching, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.trainer_launcher.fake import FakeCluster

    Client = Callable[[], Api]


def answering(cluster: FakeCluster, verb: str, plural: str, code: int) -> list[int | None]:
    """Have one kind of call answered with a code; the list takes another, or none, later on."""
    answer: list[int | None] = [code]
    cluster.fail = lambda *call: answer[0] if call == (verb, plural) else None
    return answer


async def test_a_run_goes_from_apply_to_succeeded(cluster: FakeCluster, client: Client) -> None:
    def told() -> list[tuple[str, str]]:
        return [(reason, note.split()[0]) for reason, note in cluster.events()]

    async with launching(client):
        cluster.add_run("demo", copy.deepcopy(MEASURED))
        for step in ("evaluate-before", "reasoning", "evaluate-after"):
            job = f"demo-{step}"
            await until(lambda job=job: job in cluster.names("jobs"))
            cluster.start_job(job)
            await until(lambda step=step: ("StepStarted", step) in told())
            scores = [["mathematical", "gsm8k", 10, [100, 0, 300], [500, 200, 800], None]]
            cluster.complete(job, Outcome("Completed", "done", {"scores": scores}).to_json())
        await until(lambda: ("Succeeded", "all") in told())
    assert cluster.standing("demo") == ("Succeeded", "Completed")
    [score] = cluster.run("demo")["status"]["scores"]
    assert (score["suite"], score["after"]["value"]) == ("gsm8k", 0.5)
    reasons = [reason for reason, _ in told()]
    assert reasons.count("StepStarted") == reasons.count("StepSucceeded") == 3


async def test_a_run_that_is_deleted_leaves_nothing(cluster: FakeCluster, client: Client) -> None:
    async with launching(client) as launcher:
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.names("jobs"))
        cluster.start_job("demo-reasoning")
        cluster.remove("trainingruns", "demo")
        await until(lambda: len(launcher.runs) == 0 and launcher.queue.idle)
        assert [cluster.names(each) for each in ("jobs", "pods", "services")] == [[], [], []]


async def test_when_nothing_changes_nothing_is_written(
    cluster: FakeCluster, client: Client
) -> None:
    settings = SETTINGS.model_copy(update={"resync_seconds": 0.02})
    async with launching(client, settings) as launcher:
        cluster.add_run("demo", copy.deepcopy(SPEC) | {"suspend": True})
        await until(lambda: cluster.standing("demo"))
        cluster.step()
        await until(lambda: cluster.standing("demo") == ("Suspended", "Suspended"))
        await until(lambda: cluster.events() and launcher.queue.idle)
        version, calls = cluster.version, cluster.calls.total()
        looks: list[str] = []
        look = launcher._look

        async def counted(name: str) -> bool:
            looks.append(name)
            return await look(name)

        launcher._look = counted  # type: ignore[method-assign]
        await until(lambda: len(looks) > 5)
        assert (cluster.version, cluster.calls.total()) == (version, calls)


async def test_faults_of_the_api_server_delay_and_do_no_more(
    cluster: FakeCluster, client: Client
) -> None:
    chance = random.Random(7)

    def fail(verb: str, plural: str) -> int | None:
        return chance.choice([500, 503, 429, 409, 0]) if chance.random() < 0.25 else None

    cluster.fail = fail
    for number in range(10):
        cluster.add_run(f"run-{number}", copy.deepcopy(SPEC))
    async with launching(client):
        for number in range(10):
            job = f"run-{number}-reasoning"
            await until(lambda job=job: job in cluster.names("jobs"))
            cluster.break_watches()
            cluster.start_job(job)
            cluster.oldest = cluster.version
            cluster.complete(job)
        done = ("Succeeded", "Completed")
        await until(
            lambda: all(cluster.standing(f"run-{each}") == done for each in range(10)), seconds=60
        )
    assert len(cluster.names("jobs")) == 10


async def test_a_launcher_that_begins_anew_goes_on(cluster: FakeCluster, client: Client) -> None:
    cluster.add_run("demo", copy.deepcopy(MEASURED))
    async with launching(client):
        await until(lambda: cluster.names("jobs"))
    cluster.start_job("demo-evaluate-before")
    cluster.complete("demo-evaluate-before")
    async with launching(client):
        await until(lambda: "demo-reasoning" in cluster.names("jobs"))
    assert cluster.calls["POST jobs"] == 2


@pytest.mark.parametrize("code", [503, 422])
async def test_no_job_is_made_before_the_status_says_that_its_step_is_to_be_done(
    code: int, cluster: FakeCluster, client: Client
) -> None:
    answer = answering(cluster, "PUT", "trainingruns", code)
    async with launching(client):
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.calls["PUT trainingruns"] > 1)
        assert cluster.names("jobs") == []
        answer[0] = None
        await until(lambda: cluster.names("jobs") == ["demo-reasoning"])


async def test_a_refused_job_is_told_and_made_once_it_may_be(
    cluster: FakeCluster, client: Client
) -> None:
    quota = answering(cluster, "POST", "jobs", 403)
    async with launching(client):
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("demo") == ("Running", "Starting"))
        await until(lambda: told(cluster) == "as the test wants it")
        quota[0] = None
        await until(lambda: cluster.names("jobs") == ["demo-reasoning"])
        quota[0] = 422
        cluster.add_run("wrong", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("wrong") == ("Failed", "InvalidSpec"))
        quota[0] = None
        cluster.change_run("wrong", maxRestarts=1)
        await until(lambda: "wrong-reasoning" in cluster.names("jobs"))


async def test_what_is_refused_of_a_service_is_told(cluster: FakeCluster, client: Client) -> None:
    answer = answering(cluster, "PATCH", "services", 403)
    async with launching(client):
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("demo") == ("Running", "Starting"))
        await until(lambda: told(cluster) == "as the test wants it")
        answer[0] = 422
        cluster.add_run("wrong", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("wrong") == ("Failed", "InvalidSpec"))
        assert told(cluster, "wrong") == "as the test wants it"
        answer[0] = None
        await until(lambda: "demo-reasoning" in cluster.names("jobs"))


async def test_what_is_refused_of_a_change_is_told_and_stops_nothing(
    cluster: FakeCluster, client: Client
) -> None:
    answer = answering(cluster, "PATCH", "jobs", 422)
    async with launching(client) as launcher:
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.names("jobs"))
        cluster.start_job("demo-reasoning")
        await until(lambda: cluster.standing("demo") == ("Running", "Training"))
        cluster.change_run("demo", maxRestarts=3)
        await until(lambda: told(cluster) == "as the test wants it")
        assert cluster.standing("demo") == ("Running", "Training")
        for _ in range(3):
            launcher.queue.add("demo")
            await until(lambda: launcher.queue.idle)
        # Once, whatever has it looked at again.
        assert cluster.calls["PATCH jobs"] == 1
        answer[0] = None
        cluster.change_run("demo", maxRestarts=4)
        await until(lambda: told(cluster) == "")
        assert cluster.kinds["jobs"]["demo-reasoning"]["spec"]["backoffLimit"] == 4


async def test_a_refusal_is_none_of_another_run_of_the_same_name(
    cluster: FakeCluster, client: Client
) -> None:
    answer = answering(cluster, "POST", "jobs", 422)
    async with launching(client):
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("demo") == ("Failed", "InvalidSpec"))
        answer[0] = None
        # In one breath, so that no look sees that there was none.
        cluster.remove("trainingruns", "demo")
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.names("jobs") == ["demo-reasoning"])


async def test_events_of_a_job_are_asked_for_only_where_it_lacks_pods(
    cluster: FakeCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnmadePods.__init__, "__kwdefaults__", {"seconds": 0.02})
    async with launching(client) as launcher:
        cluster.add_run("demo", copy.deepcopy(SPEC))
        await until(lambda: cluster.names("jobs"))
        cluster.start_job("demo-reasoning")
        await until(lambda: cluster.standing("demo") == ("Running", "Training"))
        await until(lambda: launcher.queue.idle)
        asked = cluster.calls["GET events"]
        await asyncio.sleep(0.1)
        assert cluster.calls["GET events"] == asked
        job = cluster.kinds["jobs"]["demo-reasoning"]["metadata"]
        for uid, note in (("another", "of another"), (job["uid"], "exceeded quota: pods")):
            store_event(cluster, uid, note)
        [pod] = cluster.pods_of("demo-reasoning")
        cluster.remove("pods", pod["metadata"]["name"])
        await until(lambda: told(cluster) == "0 of 1 pods run; exceeded quota: pods")
        # Without the right to list them it goes on as before.
        cluster.fail = lambda verb, plural: 403 if plural == "events" else None
        asked = cluster.calls["GET events"]
        await until(lambda: cluster.calls["GET events"] > asked + 1)
        cluster.start_job("demo-reasoning")
        await until(lambda: told(cluster) == "")


async def test_events_of_all_jobs_are_asked_for_at_once_and_none_ends_the_launcher(
    cluster: FakeCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnmadePods.__init__, "__kwdefaults__", {"seconds": 0.05})
    names = [f"run-{number}" for number in range(20)]
    training = ("Running", "Training")
    for name in names:
        cluster.add_run(name, copy.deepcopy(SPEC))
    async with launching(client) as launcher:
        await until(lambda: len(cluster.names("jobs")) == len(names))
        for name in names:
            cluster.start_job(f"{name}-reasoning")
        await until(lambda: all(cluster.standing(name) == training for name in names))
        for name in names:
            uid = cluster.kinds["jobs"][f"{name}-reasoning"]["metadata"]["uid"]
            store_event(cluster, uid, f"no pod for {name}")
            # A time that cannot be read, as the first run has it.
            broken = {"eventTime": "yesterday"} if name == names[0] else {}
            cluster.kinds["events"][uid] |= broken
            [pod] = cluster.pods_of(f"{name}-reasoning")
            cluster.remove("pods", pod["metadata"]["name"])
        for name in names[1:]:
            await until(lambda name=name: told(cluster, name).endswith(f"no pod for {name}"))
        # Of a list that was cut off the rest is gone by now.
        cluster.fail = lambda verb, plural: 410 if plural == "events" else None
        asked = cluster.calls["GET events"]
        began = time.monotonic()
        await until(lambda: cluster.calls["GET events"] >= asked + 3)
        assert time.monotonic() - began > 0.1
        cluster.start_job("run-1-reasoning")
        await until(lambda: told(cluster, "run-1") == "" and launcher.queue.idle)


def store_event(cluster: FakeCluster, uid: str, note: str) -> None:
    """Have it be said of a Job that its pods cannot be made."""
    event = {"reason": "FailedCreate", "note": note, "regarding": {"kind": "Job", "uid": uid}}
    cluster.store("events", {"metadata": {"name": uid}} | event)


def told(cluster: FakeCluster, run: str = "demo") -> str:
    message: str = cluster.run(run)["status"]["conditions"][0]["message"]
    return message


async def test_a_name_that_no_service_can_have_is_told(
    cluster: FakeCluster, client: Client
) -> None:
    """Of a run that was made before names were held to it."""
    async with client() as api:
        service = {"metadata": {"name": "7b-stage1-reasoning"}}
        with pytest.raises(ApiError, match="must start with a letter"):
            await api.apply(SERVICES, service)
    async with launching(client):
        cluster.add_run("7b-stage1", copy.deepcopy(SPEC))
        await until(lambda: cluster.standing("7b-stage1") == ("Failed", "UnreadableSpec"))
    message = cluster.run("7b-stage1")["status"]["conditions"][0]["message"]
    assert "begins with a letter" in message


async def test_progress_is_asked_of_the_first_pod(cluster: FakeCluster, client: Client) -> None:
    answers: list[dict[str, Any]] = [
        {"stage": "reasoning", "step": 3, "steps": 9, "loss": 1.5, "tokensPerSecond": 80.0}
    ]

    async def progress(request: web.Request) -> web.Response:
        return web.json_response(answers[-1])

    app = web.Application()
    app.router.add_get("/progress", progress)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]

    def told() -> dict[str, Any]:
        found: dict[str, Any] = cluster.run("demo").get("status", {}).get("progress", {})
        return found

    try:
        async with launching(client, metrics_port=port):
            cluster.add_run("demo", copy.deepcopy(SPEC))
            await until(lambda: cluster.names("jobs"))
            cluster.start_job("demo-reasoning")
            await until(lambda: told().get("step") == 3)
            answers.append({"stage": "reasoning", "step": 4, "steps": 9, "loss": float("nan")})
            await until(lambda: told().get("step") == 4)
            assert "loss" not in told()
            answers.append({"nonsense": 1})
            cluster.complete("demo-reasoning")
            await until(lambda: cluster.standing("demo") == ("Succeeded", "Completed"))
            assert told()["step"] == 4
    finally:
        await runner.cleanup()


async def test_a_cache_is_not_taken_back_by_what_is_older(
    cluster: FakeCluster, client: Client
) -> None:
    async with client() as api:
        cache = Cache(api, RUNS, changed=lambda run: None)
        old = copy.deepcopy(cluster.add_run("demo", {"model": {}}))
        task = asyncio.create_task(cache.run())
        await cache.synced.wait()
        cluster.change_run("demo", seed=1)
        await until(lambda: (cache.get("demo") or {"spec": {}})["spec"].get("seed") == 1)
        cache.note(old)
        assert (cache.get("demo") or old)["spec"]["seed"] == 1
        cluster.remove("trainingruns", "demo")
        await until(lambda: cache.get("demo") is None)
        # Such as the answer to a write, which came after the news that it was deleted.
        cache.note(old)
        assert cache.get("demo") is None
        # While the watch is down something goes, and the versions of then are forgotten.
        cluster.add_run("other", {"model": {}})
        await until(lambda: cache.get("other"))
        cluster.fail = lambda verb, plural: 503
        cluster.break_watches()
        cluster.remove("trainingruns", "other")
        cluster.oldest = cluster.version
        cluster.fail = lambda verb, plural: None
        await until(lambda: cache.get("other") is None)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_name_is_looked_at_by_one_at_a_time_and_again_for_what_came_meanwhile() -> None:
    queue = Queue(first_wait=0.001)
    queue.add("a")
    queue.add("a")
    assert len(queue) == 1
    async with queue.next() as name:
        queue.add(name)
        assert len(queue) == 0
    async with queue.next() as name:
        assert name == "a"
        queue.failed(name)
    assert not queue.idle
    async with asyncio.timeout(5), queue.next() as name:
        queue.succeeded(name)
    assert queue.idle


def lease(api: Api, identity: str, seconds: float = 1.0) -> Lease:
    return Lease(api, "launcher", identity=identity, seconds=seconds)


async def test_one_replica_works_at_a_time_and_the_next_one_begins_at_once(
    cluster: FakeCluster, client: Client
) -> None:
    at_work: set[str] = set()
    most = 0

    async def hold(name: str) -> None:
        async def work() -> None:
            nonlocal most
            at_work.add(name)
            most = max(most, len(at_work))
            try:
                await asyncio.Event().wait()
            finally:
                at_work.discard(name)

        async with client() as api:
            await lease(api, name).hold(work)

    tasks = {name: asyncio.create_task(hold(name)) for name in ("a", "b", "c")}
    for left in (2, 1, 0):
        await until(lambda: at_work)
        [leading] = at_work
        tasks[leading].cancel()
        with suppress(asyncio.CancelledError):
            await tasks.pop(leading)
        assert len(tasks) == left
    assert most == 1
    assert cluster.kinds["leases"]["launcher"]["spec"]["holderIdentity"] == ""


async def test_a_lease_is_left_to_its_holder_until_that_is_silent_for_its_time(
    cluster: FakeCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(leader, "monotonic", lambda: clock[0])
    async with client() as api:
        first, second = lease(api, "a", seconds=15), lease(api, "b", seconds=15)
        assert await first._try() is True
        for _ in range(3):
            assert await second._try() is False
            clock[0] += 14
            # However long it has held it: it is not silent.
            assert await first._try() is True
            assert await second._try() is False
        clock[0] += 14
        assert await second._try() is False
        clock[0] += 2
        assert await second._try() is True
        assert await first._try() is False
    spec = cluster.kinds["leases"]["launcher"]["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 1)


async def test_a_leader_that_cannot_renew_ends_its_work(
    cluster: FakeCluster, client: Client
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with client() as api:
        task = asyncio.create_task(lease(api, "a", seconds=0.3).hold(work))
        await began.wait()
        cluster.fail = lambda verb, plural: 503
        async with asyncio.timeout(5):
            await ended.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_job_is_deleted_after_its_pods_and_no_other_in_its_place(
    cluster: FakeCluster, client: Client
) -> None:
    job = {"metadata": {"name": "demo-reasoning"}, "spec": {}}
    async with client() as api:
        old = copy.deepcopy(cluster.store("jobs", job))
        # Until its pods are gone it is there, so that none is made beside them.
        assert "deletionTimestamp" in (await api.delete(JOBS, old))["metadata"]
        assert cluster.names("jobs") == ["demo-reasoning"]
        cluster.remove("jobs", "demo-reasoning")
        cluster.store("jobs", job)
        with pytest.raises(ApiError) as refused:
            await api.delete(JOBS, old)
        assert refused.value.code == 409
        assert "deletionTimestamp" not in (await api.get(JOBS, "demo-reasoning"))["metadata"]


async def test_no_answer_is_an_error_that_says_so(client: Client) -> None:
    from kubernetes.aio.client import Configuration  # noqa: PLC0415

    async with Api(Configuration(host="http://127.0.0.1:9"), namespace="runs") as api:
        with pytest.raises(ApiError, match="does not answer"):
            await api.get(RUNS, "demo")
