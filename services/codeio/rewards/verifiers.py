"""An environment for the verifiers library before 0.4, over the data set format `verl`.

    vf.load_environment("codeio.rewards.verifiers", data="out/dataset")

From 0.4 on, see `codeio.rewards.verifiers_v1`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.rewards.messages import reply_text
from codeio.rewards.scoring import score

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


def load_environment(
    data: str | os.PathLike[str] = "out/dataset",
    *,
    verifier: str = "",
    split: str = "train",
    eval_split: str = "validation",
    **options: Any,
) -> Any:
    """Return an environment of one turn, over the folder that `codeio export` wrote.

    `options` go to the environment. The library makes a zero of an answer that
    could not be judged, and logs the error.

    Raises:
        ImportError: verifiers before 0.4, or datasets, is not installed.
    """
    import verifiers as vf  # noqa: PLC0415  (is not needed to import the rewards)
    from datasets import load_dataset  # noqa: PLC0415

    async def reward(completion: Any, info: Mapping[str, Any], **_: Any) -> float:
        response = reply_text(completion)
        judged = asyncio.to_thread(
            score, [info["verification_info"]], [response], verifier=verifier
        )
        return (await judged)[0]

    files = {name: str(Path(data) / "verl" / f"{name}.parquet") for name in (split, eval_split)}
    rows = load_dataset("parquet", data_files=files)
    rows = rows.map(_row, remove_columns=rows[split].column_names)
    return vf.SingleTurnEnv(
        dataset=rows[split],
        eval_dataset=rows[eval_split],
        rubric=vf.Rubric(funcs=[reward], weights=[1.0]),
        **options,
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompt": row["prompt"],
        "answer": row["reward_model"]["ground_truth"],
        "info": {"verification_info": row["verification_info"]},
    }
