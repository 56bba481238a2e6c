"""Where paid responses are kept: content-addressed, durable, written before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType


class ResponseStore(Protocol):
    """Keeps texts by the keys of their questions. Open it with `async with`.

    Several processes may share one. What `put` has returned from is still
    there after a crash of the process, of the machine too where the storage
    keeps what it confirmed.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

    async def get(self, key: str, /) -> str | None:
        """Return the text under a key, or None.

        Raises:
            Stopped: the store cannot be read.
        """
        ...

    async def put(self, key: str, text: str, /) -> None:
        """Keep a text; the first one under a key stays.

        Raises:
            Stopped: the store cannot be written.
        """
        ...
