"""Which part of the data set a program belongs to.

By a hash of the program's id, so that a program stays in its split however
many others come or go, and all that is made of it goes with it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

SPLITS = ("train", "validation", "test")


def split_of(program_id: str, *, shares: Sequence[float], seed: int) -> str:
    """Return the split of a program; `shares` go by the order of `SPLITS`."""
    digest = hashlib.blake2b(f"{seed}/{program_id}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64 * sum(shares)
    for split, share in zip(SPLITS, shares, strict=True):
        if point < share:
            return split
        point -= share
    # Rounding can leave a remainder at the very end.
    return next(s for s, share in reversed(list(zip(SPLITS, shares, strict=True))) if share > 0)


def check_shares(shares: Sequence[float]) -> None:
    """Refuse shares that cannot be.

    Raises:
        UsageError: a share is negative, or none is above zero.
    """
    if min(shares) < 0 or sum(shares) <= 0:
        raise UsageError(
            f"the shares of the splits are {', '.join(map(str, shares))}; "
            "give three that are not negative and not all zero, such as 0.9, 0.05, 0.05"
        )
