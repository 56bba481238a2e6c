"""What is known of a kind of resource: listed once, then watched."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from codeio.trainer_launcher.api import ApiError, Expired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codeio.trainer_launcher.api import Api, Kind, Resource

RUN_LABEL = "codeio.dev/training-run"
"""Names the run that a child belongs to."""

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 30.0

_logger = structlog.get_logger()


class Cache:
    """All resources of a kind in a namespace, by name, and those of each run.

    It is behind the API server by what is on its way. What we write is noted at
    once, so that we do not act on what was before it; nothing older replaces it.
    """

    def __init__(
        self, api: Api, kind: Kind, *, changed: Callable[[Resource], None], selector: str = ""
    ) -> None:
        """`changed` is called with each resource that comes, changes or goes."""
        self._api = api
        self._kind = kind
        self._selector = selector
        self._changed = changed
        self._resources: dict[str, Resource] = {}
        self._of_run: dict[str, set[str]] = {}
        self._seen = "0"
        """Version up to which changes have come in."""
        self.synced = asyncio.Event()
        """Set once all have been listed."""

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def __len__(self) -> int:
        return len(self._resources)

    def get(self, name: str) -> Resource | None:
        return self._resources.get(name)

    def of_run(self, run: str) -> list[Resource]:
        """Return the resources that are labelled as the run's, by name."""
        return [self._resources[name] for name in sorted(self._of_run.get(run, ()))]

    def note(self, resource: Resource) -> None:
        """Take in what the API server answered to something that we wrote."""
        metadata = resource["metadata"]
        if metadata["name"] in self._resources or _is_newer(
            metadata["resourceVersion"], self._seen
        ):
            self._put(resource)
        # Else it has been deleted since.

    def forget(self, resource: Resource) -> None:
        """Take in that a resource is gone; another of its name may be there already."""
        name = resource["metadata"]["name"]
        known = self._resources.get(name)
        if known is not None and known["metadata"]["uid"] == resource["metadata"]["uid"]:
            self._drop(name)

    async def run(self) -> None:
        """List, watch, and list anew where a watch cannot go on; for ever."""
        wait = _FIRST_WAIT
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                async for newer in self._watch(version):
                    version = self._seen = newer
                    wait = _FIRST_WAIT
            except Expired as error:
                _logger.info("a watch is too old", kind=self._kind.plural, why=str(error))
                version = ""
            except ApiError as error:
                _logger.warning("cannot watch", kind=self._kind.plural, why=str(error))
                # Whatever it is, a list tells what was missed.
                version = ""
            # Whoever ends watches at once is not to be asked at once.
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _list(self) -> str:
        resources, version = await self._api.list(self._kind, selector=self._selector)
        listed = {resource["metadata"]["name"] for resource in resources}
        for name in self._resources.keys() - listed:
            gone = self._resources[name]
            if not _is_newer(gone["metadata"]["resourceVersion"], version):
                self._drop(name)
                self._changed(gone)
        for resource in resources:
            # Items of a list do not say what they are.
            self._take(resource)
        self._seen = version
        self.synced.set()
        return version

    async def _watch(self, version: str) -> AsyncIterator[str]:
        changes = self._api.watch(self._kind, version=version, selector=self._selector)
        async with aclosing(changes):
            async for kind, resource in changes:
                if kind == "DELETED":
                    self.forget(resource)
                    self._changed(resource)
                elif kind != "BOOKMARK":
                    self._take(resource)
                yield resource["metadata"]["resourceVersion"]

    def _take(self, resource: Resource) -> None:
        if self._put(resource):
            self._changed(resource)

    def _put(self, resource: Resource) -> bool:
        """Keep a resource, unless it is known as newer; return whether it was kept."""
        metadata = resource["metadata"]
        known = self._resources.get(metadata["name"])
        if known is not None and not _is_newer(
            metadata["resourceVersion"], known["metadata"]["resourceVersion"]
        ):
            return False
        # They are as large as the rest, and nobody looks at them.
        metadata.pop("managedFields", None)
        self._resources[metadata["name"]] = resource
        run = metadata.get("labels", {}).get(RUN_LABEL)
        if run is not None:
            self._of_run.setdefault(run, set()).add(metadata["name"])
        return True

    def _drop(self, name: str) -> None:
        gone = self._resources.pop(name)
        run = gone["metadata"].get("labels", {}).get(RUN_LABEL)
        if run is not None:
            names = self._of_run[run]
            names.discard(name)
            if not names:
                del self._of_run[run]


def _is_newer(version: str, than: str) -> bool:
    """Compare two versions, which are decimal numbers that may be compared within a kind."""
    return int(version) > int(than)
