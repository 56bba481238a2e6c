"""Has a model answer the questions of a suite, by lm-evaluation-harness.

The harness builds prompts, batches, generates and scores. It is given the
questions that were chosen and nothing else, and each row is prepared once: GPQA
puts its choices in a random order each time that it is asked for its rows.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import random
import warnings
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from codeio.evaluation.results import NO_TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lm_eval.api.model import LM

    from codeio.evaluation.answers import Resuming
    from codeio.evaluation.rows import Question
    from codeio.evaluation.suites import Part, Suite


@dataclass(frozen=True)
class Answer:
    """What a model said to a question."""

    id: str
    response: str
    """The text; of a choice, the number of the likeliest continuation."""
    target: str
    score: float
    """From 0 to 1, as the harness has it; 0 where it is graded by execution afterwards."""
    fits: bool = True
    """Whether the prompt left room for an answer: see `Fitting`."""


def ask(
    lm: LM | Resuming,
    suite: Suite,
    questions: Sequence[Question],
    *,
    max_new_tokens: int,
    seed: int,
) -> list[Answer]:
    """Return the model's answers to questions of a suite, in their order.

    Generation is greedy; `max_new_tokens` takes the place of the task's own limit.
    """
    by_part: dict[Part, list[Question]] = {}
    for question in questions:
        by_part.setdefault(question.part, []).append(question)
    answers: dict[str, Answer] = {}
    with quiet():
        for asked in by_part.values():
            for answer in _ask_part(lm, suite, asked, max_new_tokens=max_new_tokens, seed=seed):
                answers[answer.id] = answer
    return [answers[question.id] for question in questions]


def template_of(lm: LM | Resuming, suite: Suite) -> str:
    """Return a digest of the chat template that a suite's questions are put in, if there is one."""
    template = getattr(getattr(lm, "tokenizer", None), "chat_template", None)
    if not (suite.chat and template):
        return NO_TEMPLATE
    return hashlib.sha256(json.dumps(template).encode()).hexdigest()[:12]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars, warnings and hints from the user for a while."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # warns of forks otherwise
    names = ("lm_eval", "transformers", "datasets", "math_verify", "huggingface_hub")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    # Progress bars go where standard error is when they are made; logs have theirs already.
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _ask_part(
    lm: LM | Resuming, suite: Suite, asked: Sequence[Question], *, max_new_tokens: int, seed: int
) -> Iterator[Answer]:
    from lm_eval.evaluator import evaluate  # noqa: PLC0415  (slow)

    task = _task(suite, asked, max_new_tokens=max_new_tokens, seed=seed)
    name = task.task_name
    result = evaluate(
        lm=lm,
        task_dict={"tasks": {name: task}, "groups": {}},
        bootstrap_iters=0,
        apply_chat_template=template_of(lm, suite) != NO_TEMPLATE,
        fewshot_as_multiturn=True,
    )
    if result is None:
        raise RuntimeError("the harness gave no result; it must run in one process")
    for sample in result["samples"][name]:
        if sample["filter"] == suite.filter:
            yield Answer(
                id=asked[sample["doc_id"]].id,
                response=_said(sample["resps"]),
                target=str(sample["target"]),
                score=0.0 if suite.grading == "execution" else float(sample[suite.metric]),
                fits=_fits(lm, sample["arguments"]),
            )


def _task(suite: Suite, asked: Sequence[Question], *, max_new_tokens: int, seed: int) -> Any:
    """Return a task of the harness about these questions."""
    from datasets import Dataset, DatasetDict  # noqa: PLC0415

    # Other columns may be of several kinds, which a table cannot hold.
    columns = {*suite.columns, *suite.optional}
    rows = Dataset.from_list(
        [
            {name: value for name, value in question.row.items() if name in columns}
            for question in asked
        ]
    )
    splits = ("train", "validation", "test", "dev")
    changes = {
        "task": asked[0].part.task,
        # In every split: the task asks about one, and its examples, if any, are its own.
        "custom_dataset": lambda **_: DatasetDict(dict.fromkeys(splits, rows)),
        "fewshot_split": None,
        **suite.options,
    }
    random.seed(seed)
    loaded = _tasks_in(suite.folder).load([{"group": "measured", "task": [changes]}])
    (task,) = loaded["tasks"].values()
    if task.config.process_docs is not None:
        random.seed(seed)
        prepared = task.eval_docs
        task.dataset = DatasetDict(dict.fromkeys(splits, prepared))
        task.set_config("process_docs", None)
    if task.get_config("num_fewshot") is None:
        task.set_config("num_fewshot", 0)
    if task.OUTPUT_TYPE == "generate_until":
        limits = {"max_gen_toks": max_new_tokens, "do_sample": False}
        task.set_config("generation_kwargs", limits, update=True)
    task.set_fewshot_seed(seed)
    return task


@cache
def _tasks_in(folder: Path) -> Any:
    """Return what loads tasks of a folder, all of which is read for it."""
    from lm_eval.tasks import TaskManager  # noqa: PLC0415

    return TaskManager(include_defaults=False, include_path=str(folder))


def _fits(lm: LM | Resuming, requests: Sequence[tuple[Any, ...]]) -> bool:
    fits = getattr(lm, "fits", None)
    if fits is None:
        return True
    return all(fits(prompt) for prompt, how in requests if isinstance(how, dict))


def _said(responses: list[list[Any]]) -> str:
    first = responses[0][0]
    if isinstance(first, str):
        return first
    likelihoods = [each[0][0] for each in responses]
    return str(likelihoods.index(max(likelihoods)))
