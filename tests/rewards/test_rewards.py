"""The rewards as trainers call them, over the data sets that are exported."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from codeio.client import InvalidRequest, Unavailable
from codeio.rewards import scoring
from codeio.rewards.messages import reply_text
from codeio.rewards.trl import reward_func
from codeio.rewards.verl import compute_score, compute_scores
from tests.rewards.conftest import right_answer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def rows(exported: Path) -> list[dict[str, Any]]:
    found = pq.read_table(exported / "verl" / "train.parquet").to_pylist()
    assert {row["direction"] for row in found} == {
        "DIRECTION_OUTPUT_PREDICTION",
        "DIRECTION_INPUT_PREDICTION",
    }
    return list(found)


def completions(rows: list[dict[str, Any]]) -> list[str]:
    """Every other one is right."""
    return [
        right_answer(row["verification_info"]) if number % 2 else "I do not know."
        for number, row in enumerate(rows)
    ]


def test_trl_gets_a_reward_for_each_completion(verifier: str, rows: list[dict[str, Any]]) -> None:
    texts = completions(rows)
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "prompt"}
    prompts = [row["prompt"] for row in rows]
    expected = [float(number % 2) for number in range(len(rows))]
    chats = [[{"role": "assistant", "content": text}] for text in texts]
    for given in (texts, chats):
        rewards = reward_func(
            prompts=prompts,
            completions=given,
            completion_ids=[[1]] * len(rows),
            trainer_state=object(),
            **columns,
        )
        assert rewards == expected


def test_trl_gets_no_reward_for_rows_of_other_data_sets(
    verifier: str, rows: list[dict[str, Any]]
) -> None:
    info = rows[0]["verification_info"]
    infos = [None, info, ""]
    assert reward_func(["?"] * 3, [right_answer(info)] * 3, infos) == [None, 1.0, None]
    assert reward_func([], [], []) == []
    with pytest.raises(ValueError, match="no column verification_info"):
        reward_func(["?"], ["!"])


def test_verl_gets_a_score(verifier: str, rows: list[dict[str, Any]]) -> None:
    texts = completions(rows)
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        score = compute_score(
            data_source=row["data_source"],
            solution_str=text,
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info={**row["extra_info"], "num_turns": None, "rollout_reward_scores": {}},
            reward_router_address=None,
        )
        assert score == number % 2
    assert compute_scores(
        data_sources=[row["data_source"] for row in rows],
        solution_strs=texts,
        ground_truths=[None] * len(rows),
        extra_infos=[row["extra_info"] for row in rows],
    ) == [number % 2 for number in range(len(rows))]
    with pytest.raises(ValueError, match=r"a row of 'gsm8k' has no extra_info\.verification_info"):
        compute_score("gsm8k", "7", "7", {"index": 1})


def test_an_address_may_be_given_with_the_call(
    address: str, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEIO_VERIFIER_ADDRESS", "127.0.0.1:1")
    info = rows[0]["extra_info"]
    text = right_answer(info["verification_info"])
    assert compute_score("codeio", text, None, info, verifier=address) == 1.0


def test_a_verifier_that_cannot_be_reached_is_no_reward(
    rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("CODEIO_VERIFIER_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        compute_score("codeio", "7", None, rows[0]["extra_info"])
    with pytest.raises(InvalidRequest, match="verification_info is not that of"):
        scoring.score(["{}"], ["7"])


def test_the_environment_names_how_the_verifier_is_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(os.environ):
        if name.startswith("CODEIO_VERIFIER_"):
            monkeypatch.delenv(name)
    assert scoring.shared_client() is scoring.shared_client()
    assert scoring.shared_client()._target == "dns:///localhost:50051"
    monkeypatch.setenv("CODEIO_VERIFIER_ADDRESS", "verifier.codeio:1")
    monkeypatch.setenv("CODEIO_VERIFIER_TOKEN", "s3cret")
    with pytest.raises(InvalidRequest, match="unencrypted"):
        scoring.shared_client()
    monkeypatch.setenv("CODEIO_VERIFIER_CA_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(InvalidRequest, match=r"cannot read .*/ca.pem"):
        scoring.shared_client()


class Part:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("as it is", "as it is"),
        ([], ""),
        ([{"role": "user", "content": "?"}], ""),
        ([{"role": "assistant", "content": None, "tool_calls": []}], ""),
        (
            [
                {"role": "assistant", "content": "first"},
                {"role": "user", "content": "no"},
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "se"}, {"text": "cond"}],
                },
                {"role": "tool", "content": "7"},
            ],
            "second",
        ),
        ([Part(role="assistant", content=[Part(type="text", text="an object")])], "an object"),
    ],
)
def test_the_reply_is_what_the_assistant_said_last(completion: Any, text: str) -> None:
    assert reply_text(completion) == text
