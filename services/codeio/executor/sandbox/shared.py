"""Lets requests for the same program share a child process.

A child costs more than most calls do, and the tasks of one program come
together. Only for programs whose calls are known not to affect one another,
as the executor has found of those that it lets pass, and for inputs that
nobody made up to make them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from codeio.v1.execution_pb2 import ExecuteRequest, ExecuteResponse, Outcome

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox

# All that a child is told but the calls.
_Key: TypeAlias = bytes
_MAX_CALLS = 24
# The call ended by itself, and the next one found the process as it was.
_CLEAN = frozenset(
    {
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_RAISED,
        Outcome.OUTCOME_NOT_JSON,
        Outcome.OUTCOME_TOO_LARGE,
    }
)


class SharedProcesses:
    """A `runtime.stage.Sandbox` that joins requests which wait at the same time."""

    def __init__(self, sandbox: Sandbox, *, slots: int) -> None:
        """Join requests while all of `slots` jobs at a time are running."""
        self._sandbox = sandbox
        self._slots = asyncio.Semaphore(slots)
        self._gathering: dict[_Key, _Group] = {}

    async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
        """Make the calls of a program; see `runtime.stage.Sandbox`."""
        key = _key(request)
        group = self._gathering.get(key)
        if group is None or len(group.request.calls) + len(request.calls) > _MAX_CALLS:
            group = self._gathering[key] = _Group(request)
            group.task = asyncio.create_task(self._run(key, group))
        place = group.join(request)
        response = await asyncio.shield(group.task)
        mine = response.results[place : place + len(request.calls)]
        if all(result.outcome in _CLEAN for result in mine):
            return ExecuteResponse(results=mine)
        # One of the calls took the others down with it, or was slowed down by them.
        return await self._sandbox.execute(request)

    async def _run(self, key: _Key, group: _Group) -> ExecuteResponse:
        async with self._slots:
            if self._gathering.get(key) is group:
                del self._gathering[key]
            return await self._sandbox.execute(group.request)


class _Group:
    """Requests for one program that wait for a slot."""

    task: asyncio.Task[ExecuteResponse]

    def __init__(self, first: ExecuteRequest) -> None:
        self.request = ExecuteRequest()
        self.request.CopyFrom(first)
        del self.request.calls[:]

    def join(self, request: ExecuteRequest) -> int:
        """Add the calls; return the index of the first one."""
        place = len(self.request.calls)
        self.request.calls.extend(request.calls)
        return place


def _key(request: ExecuteRequest) -> _Key:
    told = ExecuteRequest()
    told.CopyFrom(request)
    del told.calls[:]
    return told.SerializeToString(deterministic=True)
