"""What each service is made of, a module for each, and what it offers by gRPC.

A module imports what its service needs and nothing of another's. It has
`stage(settings, workshop, own_tasks=...)`, unless it is no stage, and
`offer(settings, pool, workshop)`, which returns what the server carries: `pool`
need not be started yet, and `workshop` is called when the first call comes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from codeio.runtime.grpc_server import Service

if TYPE_CHECKING:
    from collections.abc import Callable


def carried(contract: Any, name: str, add: Callable[..., None], servicer: Any) -> Service:
    """Return a service as the server carries it: `add` adds what `contract` calls `name`."""
    full_name = contract.DESCRIPTOR.services_by_name[name].full_name
    return Service(name=full_name, add=partial(add, servicer))
