"""Who gets a slot: whoever waits longest, interactive jobs first, reserved ones for them alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.backends import GvisorBackend
from codeio.executor.sandbox.guests import LocalGuest
from codeio.executor.sandbox.slots import Slots
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Priority
from tests.executor.jobs import pool_of, works
from tests.executor.witness import Witness

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool

BATCH, INTERACTIVE = Priority.PRIORITY_BATCH, Priority.PRIORITY_INTERACTIVE


async def settle() -> None:
    """Let everybody go on who can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Line:
    """Jobs that say when they have a slot, and keep it until they are told."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self, name: str, priority: Priority = BATCH) -> None:
        self.ends[name] = asyncio.Event()

        async def job() -> None:
            async with self.slots.lend(priority):
                self.begun.append(name)
                await self.ends[name].wait()

        self.tasks[name] = asyncio.create_task(job())
        await settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settle()


async def test_whoever_waits_longest_is_next_even_if_the_one_before_comes_again() -> None:
    slots = Slots(shared=1, reserved=0)
    turns: list[str] = []

    async def keep_coming(name: str) -> None:
        for _ in range(3):
            async with slots.lend(BATCH):
                turns.append(name)
                await settle()

    await asyncio.gather(*(keep_coming(name) for name in "abc"))
    assert turns == list("abcabcabc")


async def test_interactive_jobs_go_before_batch_jobs_that_came_before_them() -> None:
    line = Line(Slots(shared=1, reserved=0))
    await line.join("first")
    await line.join("batch")
    await line.join("urgent", INTERACTIVE)
    await line.end("first")
    await line.end("urgent")
    assert line.begun == ["first", "urgent", "batch"]
    await line.end("batch")


async def test_reserved_slots_are_for_interactive_jobs_alone() -> None:
    line = Line(Slots(shared=1, reserved=1))
    for name in ("one", "two"):
        await line.join(name)
    assert line.begun == ["one"]
    await line.join("urgent", INTERACTIVE)
    assert line.begun == ["one", "urgent"]
    await line.end("urgent")
    assert line.begun == ["one", "urgent"]
    await line.end("one")
    assert line.begun == ["one", "urgent", "two"]
    await line.end("two")


async def test_interactive_jobs_may_have_shared_slots_too() -> None:
    line = Line(Slots(shared=1, reserved=1))
    for name in ("one", "two"):
        await line.join(name, INTERACTIVE)
    assert line.begun == ["one", "two"]


async def test_who_gives_up_waiting_leaves_the_slot_to_others() -> None:
    slots = Slots(shared=1, reserved=0)
    line = Line(slots)
    for name in ("first", "leaving", "last"):
        await line.join(name)
    line.tasks["leaving"].cancel()
    # At the very moment at which it was to be its turn.
    line.ends["first"].set()
    await settle()
    assert line.begun == ["first", "last"]
    await line.end("last")
    async with asyncio.timeout(5):
        assert len(await slots.close()) == 1


async def test_all_shared_slots_are_lent_together_once_they_are_idle() -> None:
    slots = Slots(shared=2, reserved=1)
    line = Line(slots)
    await line.join("busy")
    alone = asyncio.Event()

    async def job() -> None:
        async with slots.lend_all():
            alone.set()
            assert line.begun == ["busy", "urgent"]

    task = asyncio.create_task(job())
    await settle()
    await line.join("urgent", INTERACTIVE)
    assert not alone.is_set()
    await line.end("busy")
    await task
    await line.end("urgent")


@pytest.mark.parametrize("worn", [{"jobs_per_guest": 2}, {"guest_memory_bytes": 1}])
async def test_guests_are_replaced_by_count_and_by_memory(
    sandbox: Pool, worn: dict[str, int]
) -> None:
    witness = Witness(sandbox._backend)
    async with pool_of(witness, **worn) as pool:
        for _ in range(5 if "jobs_per_guest" in worn else 101):
            assert await works(pool)
    assert len(witness.guests) == (3 if "jobs_per_guest" in worn else 2)
    assert not any(guest.usable for guest in witness.guests)


async def test_a_guest_knows_its_memory(sandbox: Pool) -> None:
    witness = Witness(sandbox._backend)
    async with pool_of(witness) as pool:
        assert await works(pool)
        [guest] = witness.guests
        assert isinstance(guest, LocalGuest)
        # An interpreter, its pristine memory and gVisor itself.
        assert 20 << 20 < guest.memory_bytes() < 400 << 20


async def test_all_guests_are_there_before_they_are_wanted_and_batch_ones_are_nice(
    sandbox: Pool,
) -> None:
    assert isinstance(sandbox._backend, GvisorBackend)
    witness = Witness(sandbox._backend)
    async with pool_of(witness, workers=1, reserved=1) as pool:
        await pool.start_all()
        assert sorted(witness.niceness) == [0, 19]


async def test_a_job_that_is_cancelled_while_its_guest_starts_leaves_the_guest_to_the_next() -> (
    None
):
    settings = load_settings(flags={"sandbox": {"workers": 2}})
    async with make_pool(settings, say=lambda _: None) as pool:
        # Both slots; the second has no guest yet.
        jobs = [asyncio.create_task(works(pool)) for _ in range(2)]
        await asyncio.sleep(0)
        jobs[1].cancel()
        assert await jobs[0]
        with pytest.raises(asyncio.CancelledError):
            await jobs[1]
        assert all(await asyncio.gather(*(works(pool) for _ in range(4))))
        assert len([slot for slot in pool._slots.all if slot.starting]) == 2
