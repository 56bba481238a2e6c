"""Tokens a second and model FLOPs utilisation of the trainer, beside TRL's SFTTrainer.

Trains models with random weights, of 135M parameters (the shape of SmolLM2) and of about 1B (that
of a Llama), in bfloat16 on one GPU, on samples of 256 to 1,024 tokens of which the last half is
learnt; the same samples for both. Rates are medians over steps after a warm-up, of real tokens:
padding is none. MFU = (6N + 12·L·d·s) FLOPs a token × tokens a second ÷ the peak of the device
(989 TFLOP/s for an H100 or H200), with s the length of the sample that a token is in, on average.

- ours, as it comes: packed rows, autocast, nothing computed again;
- ours, compiled;
- ours, with activation checkpointing, as TRL has it by default;
- SFTTrainer with its defaults but bf16, and no reports: batches of 8, padded. Where trl is not
  installed, it says so.

Without a GPU it prints our tokens a second at 135M, for what that is worth.

    python benchmarks/trainer_throughput.py [--steps N] [--tokens-per-device N]
"""

from __future__ import annotations

import argparse
import gc
import itertools
import statistics
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributed import HashStore  # type: ignore[attr-defined]
from transformers import LlamaConfig, LlamaForCausalLM

from codeio.trainer.attention import NAME
from codeio.trainer.data import MicroBatch
from codeio.trainer.group import COMPILED_DEADLINE, Group
from codeio.trainer.model import Learner
from codeio.trainer.optimiser import adamw, clip
from codeio.trainer.parallel import spread
from codeio.trainer.throughput import Work, peak_of
from codeio.training_run.recipes import Stage
from codeio.training_run.spec import Execution
from executor_load import describe_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = 49152
WARM_UP = 3
SHORTEST, LONGEST = 256, 1024
TRL_BATCH = 8
SHAPES: dict[str, dict[str, int]] = {
    "135M": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "1B": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
STAGE = Stage(
    name="reasoning",
    sources=(),
    learning_rate=1e-5,
    final_learning_rate=1e-5,
    schedule="Constant",
    warmup_steps=0,
    batch_size=1,
    steps=1,
    max_length=LONGEST,
    long_samples="Drop",
    loss="Answers",
    weight_decay=0.0,
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-8,
    gradient_clipping=1.0,
)


@dataclass(frozen=True)
class Speed:
    """Tokens and seconds of each step after the warm-up."""

    tokens: list[int]
    seconds: list[float]

    @property
    def rate(self) -> float:
        pairs = zip(self.tokens, self.seconds, strict=True)
        return statistics.median(tokens / seconds for tokens, seconds in pairs)


def make_model(shape: str, attention: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        attn_implementation=attention,
        **SHAPES[shape],
    )
    return LlamaForCausalLM(config)


def samples(count: int) -> list[np.ndarray]:
    drawn = np.random.default_rng(0)
    lengths = drawn.integers(SHORTEST, LONGEST + 1, count)
    return [drawn.integers(3, VOCABULARY, length) for length in lengths]


def rows(limit: int) -> Iterator[MicroBatch]:
    """Yield rows of at most so many tokens, without end."""
    while True:
        part: list[np.ndarray] = []
        for sample in samples(1000):
            if sum(map(len, part)) + len(sample) > limit and part:
                yield pack(part)
                part = []
            part.append(sample)


def pack(part: list[np.ndarray]) -> MicroBatch:
    labels = []
    for ids in part:
        shifted = np.append(ids[1:], -100)
        shifted[: len(ids) // 2] = -100
        labels.append(shifted)
    ends = np.cumsum([len(ids) for ids in part])
    return MicroBatch(
        samples=tuple(range(len(part))),
        input_ids=np.concatenate(part),
        position_ids=np.concatenate([np.arange(len(ids)) for ids in part]),
        labels=np.concatenate(labels),
        boundaries=np.concatenate([[0], ends]).astype(np.int32),
    )


def settle(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def ours(shape: str, device: torch.device, steps: int, limit: int, **execution: Any) -> Speed:
    group = Group(rank=0, world=1, device=device, store=HashStore())
    with group.joined() as joined, joined.within(COMPILED_DEADLINE):
        settings = Execution.model_validate({"tokens_per_device": limit, **execution})
        narrow = settings.precision == "BFloat16"
        learner = Learner(
            make_model(shape, NAME), dtype=torch.bfloat16 if narrow else torch.float32
        )
        parallel = spread(learner, settings, group)
        optimiser = adamw(learner, STAGE, device=device)
        tokens, seconds = [], []
        packed = rows(limit)
        for _ in range(WARM_UP + steps):
            row = next(packed)
            begun = settle(device)
            parallel.backward(row, share=1 / len(row.labels), last=True)
            clip(learner, largest=1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            tokens.append(len(row.input_ids))
            seconds.append(settle(device) - begun)
    return Speed(tokens[WARM_UP:], seconds[WARM_UP:])


def trl(shape: str, device: torch.device, steps: int) -> Speed:
    """Train with SFTTrainer on the same samples.

    Raises:
        ImportError: it is not installed.
    """
    from datasets import Dataset  # noqa: PLC0415
    from tokenizers import Tokenizer, models  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>")),
        pad_token="<pad>",
        eos_token="</s>",
    )
    data = [
        {
            "input_ids": ids.tolist(),
            "completion_mask": [int(place >= len(ids) // 2) for place in range(len(ids))],
        }
        for ids in samples(TRL_BATCH * (WARM_UP + steps))
    ]
    tokens: list[int] = []
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=make_model(shape, "sdpa"),
            args=SFTConfig(
                output_dir=folder,
                bf16=True,
                max_steps=WARM_UP + steps,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
            ),
            train_dataset=Dataset.from_list(data),
            processing_class=tokenizer,
        )
        step = trainer.training_step

        def timed(model: Any, inputs: dict[str, Any], *more: Any, **others: Any) -> Any:
            ends.append(settle(device))  # of the step before, its optimiser's work included
            mask = inputs.get("attention_mask")
            tokens.append(int(inputs["input_ids"].numel() if mask is None else mask.sum()))
            return step(model, inputs, *more, **others)

        trainer.training_step = timed
        trainer.train()
        ends.append(settle(device))
    seconds = [after - before for before, after in itertools.pairwise(ends)]
    return Speed(tokens[WARM_UP:], seconds[WARM_UP:])


def report(name: str, speed: Speed, work: Work, device: torch.device) -> None:
    lengths = np.array([len(each) for each in samples(1000)], dtype=np.float64)
    length = float((lengths**2).sum() / lengths.sum())
    peak = peak_of(device)
    used = "" if peak is None else f"   MFU {work.flops(length) * speed.rate / peak:6.1%}"
    memory = ""
    if device.type == "cuda":
        memory = f"   {torch.cuda.max_memory_allocated(device) / 2**30:5.1f} GiB"
    print(f"{name:44} {speed.rate:12,.0f} tokens/s{used}{memory}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tokens-per-device", type=int, default=16384)
    arguments = parser.parse_args()
    describe_machine()
    if not torch.cuda.is_available():
        work = Work(make_model("135M", "sdpa"))
        # In 32 bits: not every processor has instructions for bfloat16.
        cpu = torch.device("cpu")
        speed = ours("135M", cpu, min(arguments.steps, 3), LONGEST, precision="Float32")
        report(f"135M, ours, CPU, 32 bits, rows of {LONGEST:,} tokens", speed, work, cpu)
        print("no GPU was measured: there is none here")
        return
    device = torch.device("cuda", 0)
    print(torch.cuda.get_device_name(device))
    ways: tuple[tuple[str, dict[str, Any]], ...] = (
        ("ours", {}),
        ("ours, compiled", {"compile": True}),
        ("ours, activation checkpointing", {"activation_checkpointing": True}),
        ("ours, FSDP's mixed precision, compiled", {"compile": True, "parallelism": "FSDP"}),
    )
    for shape in SHAPES:
        work = Work(make_model(shape, "sdpa"))
        for name, execution in ways:
            fresh(device)
            speed = ours(shape, device, arguments.steps, arguments.tokens_per_device, **execution)
            report(f"{shape}, {name}", speed, work, device)
        fresh(device)
        try:
            report(f"{shape}, SFTTrainer", trl(shape, device, arguments.steps), work, device)
        except ImportError as error:
            print(f"{shape}, SFTTrainer was not measured: {error}")


def fresh(device: torch.device) -> None:
    """Give back what the measurement before held."""
    gc.collect()
    torch._dynamo.reset()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)


if __name__ == "__main__":
    main()
