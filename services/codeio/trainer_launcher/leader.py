"""One writer: the replica that holds a Lease carries out runs, the others wait.

The election that the library `kubernetes` brings waits without limit for a call
that hangs, while another replica takes over, and does not give the Lease back
when it ends, so that each rollout would be a pause. This one does neither.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from codeio.runtime.metrics import LAUNCHER_LEADER
from codeio.trainer_launcher.api import LEASES, ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codeio.trainer_launcher.api import Api, Resource

_logger = structlog.get_logger()


class Lease:
    """A Lease, held by at most one identity at a time."""

    def __init__(self, api: Api, name: str, *, identity: str, seconds: float) -> None:
        """`seconds`: of silence of its holder, after which others may take it."""
        self._api = api
        self._name = name
        self._identity = identity
        self._seconds = seconds
        self._seen = ""
        """Version of the Lease as it was last seen, and when that was: clocks of others count
        for nothing."""
        self._seen_at = 0.0

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work whenever the Lease is ours, for ever; work ends before others may begin it."""
        while True:
            while not await self._try():  # noqa: ASYNC110  (there is no event)
                await asyncio.sleep(self._seconds / 5)
            _logger.info("leading", lease=self._name, identity=self._identity)
            LAUNCHER_LEADER.set(1)
            task = asyncio.ensure_future(work())
            try:
                await self._keep(task)
            finally:
                LAUNCHER_LEADER.set(0)
                task.cancel()
                await asyncio.wait([task])
                await self._give_back()
            _logger.warning("no longer leading", lease=self._name)

    async def _keep(self, task: asyncio.Future[None]) -> None:
        """Renew the Lease until another has it, two thirds of its time are over, or work fails."""
        renewed = monotonic()
        while (left := renewed + self._seconds * 2 / 3 - monotonic()) > 0:
            began = monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    held = await self._try()
                    if held is False:
                        return
                    renewed = began if held else renewed
            await asyncio.wait([task], timeout=self._seconds / 5)
            if task.done():
                task.result()
                return

    async def _try(self) -> bool | None:
        """Take or renew the Lease if that may be; return whether it is ours, if that is known."""
        try:
            return await self._take()
        except ApiError as error:
            level = _logger.info if error.code == 409 else _logger.warning
            level("cannot have the lease", lease=self._name, why=str(error))
            return None

    async def _take(self) -> bool:
        try:
            lease = await self._api.get(LEASES, self._name)
        except ApiError as error:
            if error.code != 404 or error.no_such_kind:
                raise
            lease = _lease(self._name)
        spec = lease.setdefault("spec", {})
        metadata = lease["metadata"]
        if metadata.get("resourceVersion", "") != self._seen:
            self._seen, self._seen_at = metadata.get("resourceVersion", ""), monotonic()
        holder = spec.get("holderIdentity") or ""
        ours = holder == self._identity
        silent = monotonic() - self._seen_at
        if holder and not ours and silent < spec.get("leaseDurationSeconds", self._seconds):
            return False
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec["renewTime"] = now
        spec["leaseDurationSeconds"] = max(1, round(self._seconds))
        if not ours:
            spec["acquireTime"] = now
            spec["holderIdentity"] = self._identity
            spec["leaseTransitions"] = spec.get("leaseTransitions", 0) + bool(self._seen)
        known = "resourceVersion" in metadata
        # Of two who try, the API server refuses one: the version is what both have seen.
        write = self._api.replace if known else self._api.create
        written = await write(LEASES, lease)
        self._seen, self._seen_at = written["metadata"]["resourceVersion"], monotonic()
        return True

    async def _give_back(self) -> None:
        """Let the next one begin at once."""
        try:
            async with asyncio.timeout(self._seconds / 3):
                lease = await self._api.get(LEASES, self._name)
                if lease["spec"].get("holderIdentity") == self._identity:
                    lease["spec"]["holderIdentity"] = ""
                    lease["spec"]["leaseDurationSeconds"] = 1
                    await self._api.replace(LEASES, lease)
        except (ApiError, TimeoutError) as error:
            _logger.info("the lease runs out", lease=self._name, why=str(error))


def _lease(name: str) -> Resource:
    return {
        "apiVersion": LEASES.api_version,
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {},
    }
