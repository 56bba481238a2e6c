"""The rewards called by the trainers themselves, where they are installed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tests.rewards.conftest import right_answer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours


def library(name: str, *, reason: str) -> Any:
    return pytest.importorskip(
        name, reason=f"{name} is not installed: {reason}", exc_type=ImportError
    )


def test_trl_trains_on_it(verifier: str, exported: Path, tmp_path: Path) -> None:
    trl = library("trl", reason="pip install trl")
    tokenizers = library("tokenizers", reason="comes with trl")
    transformers = library("transformers", reason="comes with trl")
    datasets = library("datasets", reason="comes with trl")
    from codeio.rewards.trl import reward_func

    words = {text: number for number, text in enumerate(["<pad>", "<eos>", "<unk>", *"abc{}: "])}
    model = tokenizers.models.WordLevel(words, unk_token="<unk>")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(model),
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        chat_template="{% for m in messages %}{{ m.content }}{% endfor %}",
    )
    small = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=0,
        eos_token_id=1,
    )
    seen: list[list[float | None]] = []

    def watched(**given: Any) -> list[float | None]:
        infos = given["verification_info"]
        assert all(len(infos) == len(given[name]) for name in ("prompts", "completions"))
        # What this model says is wrong; every other one is made right.
        for number, completion in enumerate(given["completions"]):
            if number % 2:
                completion[-1]["content"] = right_answer(infos[number])
        seen.append(reward_func(**given))
        return seen[-1]

    rows = datasets.load_dataset(
        "parquet", data_files=str(exported / "verl" / "train.parquet"), cache_dir=str(tmp_path)
    )
    trainer = trl.GRPOTrainer(
        model=transformers.LlamaForCausalLM(small),
        reward_funcs=watched,
        args=trl.GRPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=4,
            use_cpu=True,
            bf16=False,
            report_to=[],
            save_strategy="no",
        ),
        train_dataset=rows["train"],
        processing_class=tokenizer,
    )
    trainer.train()
    assert seen
    assert all(rewards == [0.0, 1.0] * (len(rewards) // 2) for rewards in seen)


@pytest.mark.parametrize("kind", ["naive", "batch"])
def test_verl_scores_with_it(verifier: str, exported: Path, kind: str) -> None:
    library("verl", reason="pip install verl")
    library("ray", reason="comes with verl")
    omegaconf = library("omegaconf", reason="comes with verl")
    torch = library("torch", reason="comes with verl")
    import numpy as np
    from verl import DataProto
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.workers.reward_manager import get_reward_manager_cls

    name = "compute_scores" if kind == "batch" else "compute_score"
    config = omegaconf.OmegaConf.create(
        {
            "reward": {
                "custom_reward_function": {
                    "path": "pkg://codeio.rewards.verl",
                    "name": name,
                    "reward_kwargs": {"verifier": verifier},
                }
            }
        }
    )
    rows = pq.read_table(exported / "verl" / "train.parquet").to_pylist()[:4]
    texts = [
        right_answer(row["verification_info"]) if number % 2 else "no"
        for number, row in enumerate(rows)
    ]

    class Tokenizer:
        """Every response is one token: its number."""

        def decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
            return texts[int(tokens[0])]

    data = DataProto.from_dict(
        tensors={
            "prompts": torch.zeros((len(rows), 1), dtype=torch.long),
            "responses": torch.arange(len(rows)).reshape(-1, 1),
            "attention_mask": torch.ones((len(rows), 2), dtype=torch.long),
        },
        non_tensors={
            column: np.array([row[column] for row in rows], dtype=object)
            for column in ("data_source", "reward_model", "extra_info")
        },
    )
    manager = get_reward_manager_cls(kind)(
        tokenizer=Tokenizer(), num_examine=0, compute_score=get_custom_reward_fn(config)
    )
    assert manager(data).flatten().tolist() == [float(number % 2) for number in range(len(rows))]


async def test_the_verifiers_library_loads_it_as_an_environment(
    verifier: str, exported: Path
) -> None:
    vf = library("verifiers", reason="pip install 'verifiers<0.2'")
    if not hasattr(vf, "SingleTurnEnv"):
        pytest.skip("this verifiers has tasksets in place of environments; see the next test")
    environment = vf.load_environment("codeio.rewards.verifiers", data=str(exported))
    rows = environment.get_dataset().to_list()
    for row, said, reward in (
        (rows[0], right_answer(row_info(rows[0])), 1.0),
        (rows[1], "no", 0.0),
    ):
        assert row["prompt"][-1]["role"] == "user"
        state = vf.State(
            input={**row, "example_id": 0, "task": "codeio"},
            completion=[{"role": "assistant", "content": said}],
            timing=vf.RolloutTiming() if hasattr(vf, "RolloutTiming") else None,
        )
        await environment.rubric.score_rollout(state)
        assert state["reward"] == reward


def row_info(row: dict[str, Any]) -> str:
    info: str = row["info"]["verification_info"]
    return info


def test_the_verifiers_library_runs_it_as_a_taskset(verifier: str, exported: Path) -> None:
    library("verifiers", reason="pip install 'verifiers>=0.4'")
    vf = library("verifiers.v1", reason="this verifiers has no tasksets")
    if not hasattr(vf, "TaskData"):
        pytest.skip("this verifiers has no tasksets; see the test before")
    from codeio.rewards.verifiers_v1 import CodeioTaskset, CodeioTasksetConfig

    taskset = CodeioTaskset(CodeioTasksetConfig(id="codeio_taskset", data=str(exported)))
    tasks = list(taskset)
    assert len(tasks) == len(pq.read_table(exported / "verl" / "train.parquet"))
    right = right_answer(tasks[0].data.verification_info)

    class Trace:
        last_reply = right

    assert asyncio.run(tasks[0].correct(Trace())) == 1.0
    Trace.last_reply = "no"
    assert asyncio.run(tasks[0].correct(Trace())) == 0.0
