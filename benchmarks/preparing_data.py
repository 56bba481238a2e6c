"""How fast the trainer turns rows into samples, in one process and in several.

    python -m benchmarks.preparing_data TOKENIZER [--rows N] [--workers N...]

TOKENIZER is a folder as `save_pretrained` writes it. The rows are chats of two answers, about
as long as a rationale; each number of workers prepares them anew. Beside them stands the bare
tokenizer on the same texts, in one thread: what no preparation can beat in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path

from transformers import AutoTokenizer

from codeio.trainer.data import prepare
from codeio.trainer.data.masking import Renderer
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.places import Places
from codeio.training_run.recipes import stage_of

WORDS = Path(__file__).read_text().split()


def chats(number: int) -> list[dict[str, object]]:
    rng = random.Random(0)
    made = []
    for _ in range(number):
        said = [" ".join(rng.choices(WORDS, k=rng.randrange(40, 160))) for _ in range(4)]
        roles = ("user", "assistant") * 2
        made.append(
            {"messages": [{"role": r, "content": c} for r, c in zip(roles, said, strict=True)]}
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    rows = chats(options.rows)
    renderer = Renderer(tokenizer, loss="Answers")
    texts = [renderer.render(row["messages"]).text for row in rows]  # type: ignore[arg-type]
    start = time.perf_counter()
    encoded = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    report("the bare tokenizer", len(rows), sum(map(len, encoded)), time.perf_counter() - start)
    del encoded, texts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run = parse_manifest(
            {
                "apiVersion": "codeio.dev/v1alpha1",
                "kind": "TrainingRun",
                "metadata": {"name": "bench"},
                "spec": {
                    "model": {"path": options.tokenizer},
                    "data": {"reasoning": [{"path": str(path)}]},
                    "checkpoints": {"path": folder},
                },
            },
            source="bench",
        )
        for workers in options.workers:
            start = time.perf_counter()
            corpus = prepare(
                stage_of(run.spec, "reasoning"),
                tokenizer=tokenizer,
                folder=Path(folder) / f"data-{workers}",
                places=Places(run=run),
                seed=0,
                workers=workers,
            )
            summary, seconds = corpus.summary, time.perf_counter() - start
            report(f"prepare, workers={workers}", summary.samples, summary.tokens, seconds)
            start = time.perf_counter()
            for step in range(corpus.steps):
                corpus.batch(step, rank=0, world=1, tokens_per_device=8192)
            seconds = time.perf_counter() - start
            report("  reading its batches", summary.samples, summary.tokens, seconds)


def report(what: str, samples: int, tokens: int, seconds: float) -> None:
    print(
        f"{what:24} {samples / seconds:10,.0f} samples/s {tokens / seconds:13,.0f} tokens/s"
        f" {seconds:7.1f} s"
    )


if __name__ == "__main__":
    main()
