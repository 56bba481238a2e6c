"""What probes and clients are told of a server's health.

| name            | serving means                            | who asks                       |
|-----------------|------------------------------------------|--------------------------------|
| `liveness`      | the process answers                      | a probe, which else restarts   |
| `readiness`     | all parts work, and work is accepted     | a probe, which else sends none |
| a service's, "" | the same                                 | clients that watch             |

`liveness` serves while the server starts and drains: to be busy is no failure.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

LIVENESS = "liveness"
READINESS = "readiness"


class Health:
    """The health of a server and of the parts that report theirs to it."""

    def __init__(self, services: Sequence[str]) -> None:
        self._of_use = (READINESS, "", *services)
        self._servicer = health.aio.HealthServicer()
        self._accepting = False
        self._working: dict[str, bool] = {}
        self._telling = asyncio.Lock()

    async def add_to(self, server: grpc.aio.Server) -> None:
        add_HealthServicer_to_server(self._servicer, server)
        await self._tell()

    async def report(self, part: str, *, ready: bool = True) -> None:
        """Say whether a part of the process works, in place of what was last said of it.

        For whatever works beside the servicers, such as a Kafka worker. One that
        has failed for good ends the process instead.
        """
        self._working[part] = ready
        await self._tell()

    @property
    def ready(self) -> bool:
        """Whether all parts work, and calls are taken."""
        return all(self._working.values()) and self._accepting

    async def accept(self, accepting: bool) -> None:
        """Say whether the server takes calls."""
        self._accepting = accepting
        await self._tell()

    async def _tell(self) -> None:
        # One at a time, so that the last word is the newest.
        async with self._telling:
            await self._servicer.set(LIVENESS, HealthCheckResponse.SERVING)
            ready = HealthCheckResponse.SERVING if self.ready else HealthCheckResponse.NOT_SERVING
            for name in self._of_use:
                await self._servicer.set(name, ready)
