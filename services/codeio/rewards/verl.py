"""A reward function for verl, over the data set format `verl`.

    reward.custom_reward_function.path=pkg://codeio.rewards.verl
    reward.custom_reward_function.name=compute_score

`compute_scores` is for reward managers that score a batch at a time, which is faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.rewards.scoring import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    verifier: str = "",
    **others: Any,
) -> float:
    """Return 1 when the solution is right, 0 when it is not.

    `ground_truth` has no say: of an input prediction it is one of many right answers.
    `verifier` is an address, given as one of verl's `reward_kwargs`.

    Raises:
        ClientError: the solution could not be judged.
        ValueError: the row is none of a codeio data set.
    """
    del ground_truth, others
    [reward] = score([_info(data_source, extra_info)], [solution_str], verifier=verifier)
    return reward


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any] | None = None,
    extra_infos: Sequence[Mapping[str, Any] | None] = (),
    *,
    verifier: str = "",
    **others: Any,
) -> list[float]:
    """Do as `compute_score`, for a batch.

    Raises:
        ClientError: a solution could not be judged.
        ValueError: a row is none of a codeio data set.
    """
    del ground_truths, others
    infos = [_info(*row) for row in zip(data_sources, extra_infos, strict=True)]
    return score(infos, solution_strs, verifier=verifier)


def _info(data_source: str, extra_info: Mapping[str, Any] | None) -> str:
    info = (extra_info or {}).get("verification_info")
    if not info:
        raise ValueError(
            f"a row of {data_source!r} has no extra_info.verification_info; only rows of "
            "`codeio export --format verl` can be scored"
        )
    return str(info)
