"""`codeio dead-letters`: what broke a stage, and its replay once the stage is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from codeio.runtime.errors import UsageError
from codeio.runtime.log import Entry
from codeio.runtime.records import record_id
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, TOPICS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from codeio.runtime.log import Log
    from codeio.v1.records_pb2 import DeadLetter

REPLAYED_HEADER = "replayed"
"""Header of a replayed message: the id of the dead letter that it was."""


async def dead_letters(log: Log, *, stage: str | None = None) -> AsyncIterator[DeadLetter]:
    """Yield the dead letters, the oldest first; what is no dead letter is left out.

    Raises:
        UsageError: there is no such stage.
    """
    if stage is not None and stage not in FLOWS:
        raise UsageError(f"there is no stage {stage!r}; there are {', '.join(FLOWS)}")
    async for message in log.read(DEAD_LETTERS.name):
        try:
            letter = cast("DeadLetter", DEAD_LETTERS.decode(message))
        except ValueError:
            continue
        if stage in (None, letter.stage):
            yield letter


async def find(log: Log, wanted: str) -> DeadLetter:
    """Return the dead letter of an id.

    Raises:
        UsageError: there is none.
    """
    async for letter in dead_letters(log):
        if record_id(letter) == wanted:
            return letter
    raise UsageError(f"there is no dead letter {wanted}; `codeio dead-letters list` shows them")


async def replay(
    log: Log, *, ids: Collection[str] = (), stage: str | None = None
) -> tuple[int, int]:
    """Put dead letters back, byte for byte, to where they were read: those named, or all.

    One that was replayed before is not replayed again, unless it broke the stage again: then
    it is another dead letter. Returns how many were put back, and how many cannot be, since
    their bytes were too many to be kept, or they are from no topic of ours.

    Raises:
        UsageError: an id or the stage that is named is not there; nothing was put back.
    """
    letters = {record_id(letter): letter async for letter in dead_letters(log, stage=stage)}
    missing = set(ids) - letters.keys()
    if missing:
        raise UsageError(
            f"there is no dead letter {min(missing)}; `codeio dead-letters list` shows them"
        )
    wanted = {name: letter for name, letter in letters.items() if not ids or name in ids}
    for name in await _replayed(log, {letter.topic for letter in wanted.values()}):
        wanted.pop(name, None)
    lost = [name for name, letter in wanted.items() if letter.cut or letter.topic not in TOPICS]
    for name in lost:
        del wanted[name]
    await log.append(
        [
            Entry(
                letter.topic,
                letter.key,
                letter.value,
                {**letter.headers, REPLAYED_HEADER: name.encode()},
            )
            for name, letter in wanted.items()
        ]
    )
    return len(wanted), len(lost)


async def _replayed(log: Log, topics: Collection[str]) -> set[str]:
    """Return the ids of the dead letters that were put back into these topics."""
    return {
        message.headers[REPLAYED_HEADER].decode(errors="replace")
        for topic in topics & TOPICS.keys()
        async for message in log.read(topic)
        if REPLAYED_HEADER in message.headers
    }
