"""Deals the samples of a step out to the processes, in rows that take about as long each.

All processes work through the same number of rows, for with FSDP they compute together. So
first comes how many rows are needed, then the samples are put into them, the longest first,
each into the row that is shortest so far.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def deal(lengths: Sequence[int], *, world: int, limit: int) -> list[list[list[int]]]:
    """Return for each process its rows, each a list of places in `lengths`, in order.

    A row holds at most `limit` tokens, or one sample that is longer. Every process has the
    same number of rows, as few as this way of putting them finds; some may be empty.
    """
    # No more rows than samples, however long these are.
    number = min(-(-sum(lengths) // (world * limit)), -(-len(lengths) // world))
    longest_first = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    while (rows := _put(longest_first, lengths, rows=world * number, limit=limit)) is None:
        number += 1
    # Rows of about the same length are computed at the same time, and turn about each process
    # gets the longer ones.
    rows.sort(key=lambda row: (-sum(lengths[place] for place in row), row))
    dealt: list[list[list[int]]] = [[] for _ in range(world)]
    for turn in range(number):
        together = rows[turn * world : (turn + 1) * world]
        for rank, row in enumerate(together if turn % 2 == 0 else reversed(together)):
            dealt[rank].append(sorted(row))
    return dealt


def _put(
    longest_first: Sequence[int], lengths: Sequence[int], *, rows: int, limit: int
) -> list[list[int]] | None:
    """Put the samples into rows, or return None if that many do not hold them."""
    made: list[list[int]] = [[] for _ in range(rows)]
    shortest = [(0, row) for row in range(rows)]
    for place in longest_first:
        length, row = shortest[0]
        if made[row] and length + lengths[place] > limit:
            return None
        made[row].append(place)
        heapq.heapreplace(shortest, (length + lengths[place], row))
    return made
