"""Who may not do what it has to is told so in a sentence; who may just that does all."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from codeio.collect import Collector
from codeio.pipeline import working as working_module
from codeio.pipeline.broker.dead_letters import dead_letters
from codeio.pipeline.broker.snapshot import take_snapshot
from codeio.pipeline.broker.status import stage_statuses
from codeio.pipeline.broker.submit import submit
from codeio.pipeline.working import working
from codeio.runtime.errors import UsageError
from codeio.runtime.kafka import KafkaLog, connection
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.log import LogError
from codeio.runtime.settings import load_settings
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, RAW_FILES, SAMPLES
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import DeadLetter, Program, RawFile, Sample
from tests.kafka.copier import Copy
from tests.kafka.secured import ADMIN, Right, SecuredBroker, secured_broker
from tests.runtime.stages import FAST, Executor, Normalizer, loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from codeio.runtime.settings import KafkaSettings, Settings
    from codeio.runtime.stage import Stage

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredBroker]:
    with secured_broker() as broker:
        apply_topics(broker.settings(ADMIN))
        yield broker


@pytest.fixture
def user() -> str:
    return f"u{uuid.uuid4().hex[:8]}"


def topic(operation: str, *names: str) -> list[Right]:
    return [Right(operation, "topic", f"codeio.{name}") for name in names]


def service_rights(stage: str) -> list[Right]:
    """Return what the page says that a service needs."""
    flow = FLOWS[stage]
    return [
        *(Right("READ", "topic", one.name) for one in flow.consumes),
        *(Right("WRITE", "topic", one.name) for one in flow.produces),
        *topic("WRITE", "rejections", "dead-letters"),
        Right("READ", "group", f"codeio.{stage}"),
        Right("WRITE", "transactional_id", "codeio.*"),
    ]


SUBMIT = [
    *topic("WRITE", "raw-files", "rejections"),
    Right("WRITE", "transactional_id", "codeio.append*"),
]
LOOK = [Right("READ", "topic", "codeio.*"), Right("READ", "group", "codeio.*")]
APPLY = [
    Right(operation, "topic", "codeio.*") for operation in ("CREATE", "ALTER_CONFIGS", "ALTER")
]


def without(rights: list[Right]) -> list[pytest.ParameterSet]:
    return [
        pytest.param(
            right, [one for one in rights if one != right], id=str(right).replace(" ", "-")
        )
        for right in rights
    ]


def told(right: Right) -> str:
    """Return what the sentence about a missing right holds: the right, and on what."""
    if right.kind == "topic" and not right.name.endswith("*"):
        return rf"{right.name.replace('.', '[.]')}\b.*right"
    thing = {"topic": "topic", "group": "group", "transactional_id": "transactional id"}[right.kind]
    return rf"{right.operation} right on .*{thing}|topic codeio[.].* has no right on it"


async def serve_until(
    stage: str,
    settings: KafkaSettings,
    body: Callable[[], Awaitable[None]],
    handler: Stage | None = None,
) -> None:
    """Run a stage as `codeio serve` does, with a handler that is at hand."""
    chosen = handler or Copy()
    whole = load_settings().model_copy(update={"kafka": settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            working_module,
            "build_worker",
            lambda name, log, *_: Worker(chosen, log, flow=FLOWS[name], settings=FAST),
        )
        async with (
            KafkaLog(settings) as log,
            working([stage], log, whole, None),  # type: ignore[arg-type]
        ):
            await body()


class Breaking(Copy):
    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        raise ValueError(file.file_id)
        yield Program()


async def never() -> None:
    await asyncio.Event().wait()


async def put_files(broker: SecuredBroker, count: int) -> None:
    async with KafkaLog(broker.settings(ADMIN)) as log:
        await log.append(
            [RAW_FILES.encode(RawFile(file_id=uuid.uuid4().hex)) for _ in range(count)]
        )


async def test_a_wrong_password_is_told(
    broker: SecuredBroker, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a busy broker to refuse.
    monkeypatch.setattr(connection, "BOOTSTRAP_SECONDS", 5.0)
    broker.user(user, [])
    settings = broker.settings(user, password="wrong")
    with pytest.raises(UsageError, match=r"authentication failed.*credentials"):
        await KafkaLog(settings).__aenter__()
    with pytest.raises(UsageError, match=r"authentication failed.*credentials"):
        apply_topics(settings)


@pytest.mark.parametrize(("right", "rights"), without(service_rights("normalizer")))
async def test_a_service_tells_the_right_that_it_misses(
    broker: SecuredBroker, user: str, right: Right, rights: list[Right]
) -> None:
    broker.user(user, rights)
    with pytest.raises((UsageError, LogError), match=told(right)) as raised:
        async with asyncio.timeout(20):
            await serve_until("normalizer", broker.settings(user), never)
    assert user in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("right", "rights"), without(SUBMIT))
async def test_submit_tells_the_right_that_it_misses(
    broker: SecuredBroker, user: str, tmp_path: Path, right: Right, rights: list[Right]
) -> None:
    broker.user(user, rights)
    (tmp_path / "a.py").write_text("x = 1\n")
    collector = Collector(load_settings().collect, limit=None)
    with pytest.raises((UsageError, LogError), match=told(right)) as raised:
        async with asyncio.timeout(20):
            await submit([str(tmp_path)], collector, broker.settings(user))
    assert user in str(raised.value)


def looks(settings: Settings, folder: Path) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the commands that only look."""

    async def status() -> object:
        async with KafkaLog(settings.kafka) as log:
            return await stage_statuses(log)

    async def letters() -> object:
        async with KafkaLog(settings.kafka) as log:
            return [letter async for letter in dead_letters(log)]

    async def snapshot() -> object:
        return await take_snapshot(settings, str(folder), formats=["messages"], command="")

    return {"status": status, "dead letters": letters, "snapshot": snapshot}


@pytest.mark.parametrize("command", ["status", "dead letters", "snapshot"])
@pytest.mark.parametrize("described", [True, False], ids=["described", "unseen"])
async def test_commands_that_look_do_not_take_what_is_hidden_for_empty(
    broker: SecuredBroker, user: str, tmp_path: Path, command: str, described: bool
) -> None:
    await put_files(broker, 1)
    async with KafkaLog(broker.settings(ADMIN)) as log:
        await log.append([SAMPLES.encode(Sample(sample_id="s"))])
    seen = [replace(LOOK[0], operation="DESCRIBE")] if described else []
    broker.user(user, [*seen, LOOK[1]])
    settings = load_settings().model_copy(update={"kafka": broker.settings(user)})
    if command == "dead letters" and described:
        async with KafkaLog(broker.settings(ADMIN)) as log:
            await log.append([DEAD_LETTERS.encode(DeadLetter(topic="t"))])
    with pytest.raises((LogError, UsageError), match=rf"{user} has no .*right") as raised:
        async with asyncio.timeout(20):
            await looks(settings, tmp_path)[command]()
    assert "codeio." in str(raised.value)


async def test_status_tells_that_it_may_not_see_groups(
    broker: SecuredBroker, user: str, tmp_path: Path
) -> None:
    broker.user(user, [LOOK[0]])
    settings = load_settings().model_copy(update={"kafka": broker.settings(user)})
    with pytest.raises(LogError, match=rf"{user} has no READ right on the groups"):
        await looks(settings, tmp_path)["status"]()


@pytest.mark.parametrize(("right", "rights"), without(APPLY))
def test_applying_topics_tells_the_right_that_it_misses(
    broker: SecuredBroker, user: str, right: Right, rights: list[Right]
) -> None:
    prefix = f"{user}."
    mine = [replace(one, name=f"{prefix}*") for one in rights]
    wanted = broker.settings(user, prefix=prefix, partitions=2)
    if right.operation == "ALTER_CONFIGS":
        apply_topics(broker.settings(ADMIN, prefix=prefix, partitions=2))
    broker.user(user, mine)
    # They bring others with them, which are missed first.
    brings = {"ALTER": "DESCRIBE", "ALTER_CONFIGS": "DESCRIBE_CONFIGS"}
    lacking = brings.get(right.operation, right.operation)
    with pytest.raises(UsageError, match=rf"{user} has no {lacking} right on topic"):
        apply_topics(wanted)


@pytest.mark.parametrize("lacking", ["ALTER", "ALTER_CONFIGS"])
def test_applying_topics_that_it_sees_tells_the_right_that_it_misses(
    broker: SecuredBroker, user: str, lacking: str
) -> None:
    prefix = f"{user}."
    apply_topics(broker.settings(ADMIN, prefix=prefix))
    if lacking == "ALTER_CONFIGS":
        name = f"{prefix}codeio.samples"
        spoilt = ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "1000"})
        broker.admin.alter_configs([spoilt])
    seeing = ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS")
    broker.user(user, [Right(one, "topic", f"{prefix}*") for one in seeing])
    wanted = broker.settings(user, prefix=prefix, partitions=2 if lacking == "ALTER" else 1)
    with pytest.raises(UsageError, match=rf"{user} has no {lacking} right on topic"):
        apply_topics(wanted)


async def test_with_the_rights_of_the_page_all_goes_from_submit_to_sample(
    broker: SecuredBroker, user: str, tmp_path: Path
) -> None:
    prefix = f"{user}."
    roles = {"apply": APPLY, "submit": SUBMIT, "look": LOOK}
    roles |= {stage: service_rights(stage) for stage in FLOWS}

    def settings(role: str) -> KafkaSettings:
        return broker.settings(f"{user}-{role}", prefix=prefix)

    for role, rights in roles.items():
        named = [replace(right, name=prefix + right.name) for right in rights]
        broker.user(f"{user}-{role}", named)
    apply_topics(settings("apply"))
    apply_topics(settings("apply"))
    source = tmp_path / "files"
    source.mkdir()
    for number in range(6):
        (source / f"{number}.py").write_text(f"x = {number}\n")
    whole = load_settings()
    collector = Collector(whole.collect, limit=None)
    assert (await submit([str(source)], collector, settings("submit"))).raw_files == 6
    looking = whole.model_copy(update={"kafka": settings("look")})
    stages: list[Stage] = [Normalizer(), Executor(), *loop()]
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        logs = [await stack.enter_async_context(KafkaLog(settings(stage.name))) for stage in stages]
        workers = [
            Worker(stage, log, concurrency=4, settings=FAST)
            for stage, log in zip(stages, logs, strict=True)
        ]
        for worker in workers:
            tasks.create_task(worker.run())
        look = looks(looking, tmp_path / "out")
        while any(status.lag for status in await look["status"]()):  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for worker in workers:
            worker.drain()
    taken = await look["snapshot"]()
    assert taken.new > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "right",
    [right for right in service_rights("normalizer") if right.name != "codeio.rejections"],
    ids=str,
)
async def test_a_right_that_is_taken_away_ends_a_service_with_a_sentence(
    broker: SecuredBroker, user: str, right: Right
) -> None:
    prefix = f"{user}."
    apply_topics(broker.settings(ADMIN, prefix=prefix))
    rights = [replace(one, name=prefix + one.name) for one in service_rights("normalizer")]
    broker.user(user, rights)
    mine = replace(right, name=prefix + right.name)

    async def take_away() -> None:
        async with KafkaLog(broker.settings(ADMIN, prefix=prefix)) as log:

            async def one_more() -> None:
                await log.append([RAW_FILES.encode(RawFile(file_id=uuid.uuid4().hex))])

            await one_more()
            while await log.unread("normalizer", [RAW_FILES.name]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            broker.revoke(user, mine)
            await one_more()
            await asyncio.Event().wait()

    handler = Breaking() if right.name == "codeio.dead-letters" else Copy()
    settings = broker.settings(user, prefix=prefix)
    serving = serve_until("normalizer", settings, take_away, handler)
    with pytest.raises(LogError, match=rf"{user} has no .*right") as raised:
        await asyncio.wait_for(serving, 30)
    assert right.operation in str(raised.value) or "has no right on it" in str(raised.value)
