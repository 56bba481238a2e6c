"""A teacher that fails on purpose, the same way each time it is asked the same."""

from __future__ import annotations

import enum
import hashlib


class Fault(enum.Enum):
    """What is wrong with an answer."""

    WRONG = "wrong"
    UNPARSABLE = "unparsable"
    CRASHING = "crashing"
    """An input on which the program raises."""


def share_of(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts and nothing else."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def fault_of(sample_id: str, turn: int, *, first_turns: float = 0.4) -> Fault | None:
    """Return what is wrong with the answer of a turn, from 0: first turns alone fail."""
    if turn > 0 or share_of("fails", sample_id) >= first_turns:
        return None
    faults = list(Fault)
    return faults[int(share_of("fault", sample_id) * len(faults))]
