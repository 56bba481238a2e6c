"""Scores on their way from a pod to the status: small enough for its last message.

    [category, suite, questions, before, after, gain]

with each estimate as [value, low, high] in thousandths, or null. `Score` reads it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.training_run.status import Score

MEAN = "mean"
"""In a suite's place: the mean of a category's suites."""

_THOUSANDTHS = 1000


def pack_scores(scores: Sequence[Score], *, most_bytes: int = 3072) -> dict[str, Any]:
    """Return an outcome's details: `scores`, and how many had no room in `scores_left_out`.

    Those of categories go first, then suites in their order.
    """
    kept: set[int] = set()
    room = most_bytes - len('{"scores":[],"scores_left_out":999}')
    for number in sorted(range(len(scores)), key=lambda number: scores[number].suite != MEAN):
        size = len(json.dumps(_pack(scores[number]), separators=(",", ":"))) + 1
        if size <= room:
            room -= size
            kept.add(number)
    details: dict[str, Any] = {"scores": [_pack(scores[number]) for number in sorted(kept)]}
    if len(kept) < len(scores):
        details["scores_left_out"] = len(scores) - len(kept)
    return details


def gain_of(scores: Sequence[Score]) -> str:
    """Return the gain by category in points of percentage, such as `symbolic +4.2, logic -0.3`."""
    return ", ".join(
        f"{score.category} {100 * score.gain.value:+.1f}"
        for score in scores
        if score.suite == MEAN and score.gain is not None
    )


def _pack(score: Score) -> list[Any]:
    return [
        score.category,
        score.suite,
        score.questions,
        *(
            None
            if each is None
            else [round(_THOUSANDTHS * value) for value in (each.value, each.low, each.high)]
            for each in (score.before, score.after, score.gain)
        ),
    ]
