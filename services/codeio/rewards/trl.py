"""A reward function for TRL's trainers.

    from codeio.rewards.trl import reward_func
    GRPOTrainer(..., reward_funcs=reward_func, train_dataset=load_dataset("out/dataset/verl"))

Any format of `codeio export` with a prompt does; `verl` has each task once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.rewards.messages import reply_text
from codeio.rewards.scoring import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def reward_func(
    prompts: Sequence[Any],
    completions: Sequence[str | Sequence[Mapping[str, Any]]],
    verification_info: Sequence[str | None] | None = None,
    **columns: Any,
) -> list[float | None]:
    """Return 1 for each completion that is right, 0 for one that is not.

    Completions are texts or chats. A row without `verification_info`, of another
    data set in the mixture, has no reward: None, which TRL leaves out.

    Raises:
        ClientError: an answer could not be judged.
    """
    del prompts, columns
    if verification_info is None:
        raise ValueError(
            "the data set has no column verification_info; train on one that codeio exported"
        )
    rows = [
        (number, info, reply_text(completion))
        for number, (info, completion) in enumerate(
            zip(verification_info, completions, strict=True)
        )
        if info
    ]
    rewards: list[float | None] = [None] * len(completions)
    scores = score([info for _, info, _ in rows], [text for _, _, text in rows])
    for (number, _, _), reward in zip(rows, scores, strict=True):
        rewards[number] = reward
    return rewards
