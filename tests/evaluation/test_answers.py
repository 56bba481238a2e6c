"""Answers that outlive the process that asked for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codeio.evaluation.answers import Answers, Resuming

ROOT = Path(__file__).parents[2]
HEADER = {"suite": "gsm8k", "model": "m", "limit": None}
LENGTHS = (3, 9, 1, 7, 5, 9, 2)
LONGEST_FIRST = [[1, 5], [3, 4], [0, 6], [2]]


@dataclass(frozen=True)
class Request:
    """What the harness asks a model."""

    doc_id: int
    args: tuple[Any, ...]


REQUESTS = [
    Request(number, (f"{number}" * length, {"until": ["\n\n"]}))
    for number, length in enumerate(LENGTHS)
]


class Model:
    """Answers with ends of lines of all kinds; is killed when it is asked a second time, or not."""

    def __init__(self, *, killed: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.killed = killed

    def generate_until(self, requests: list[Request]) -> list[str]:
        if self.killed and self.batches:
            os.kill(os.getpid(), signal.SIGKILL)
        self.batches.append([each.doc_id for each in requests])
        return [f"{each.args[0]}\u2028\u0085\r\n'é\ud800" for each in requests]

    def loglikelihood(self, requests: list[Request]) -> list[tuple[float, bool]]:
        self.batches.append([each.doc_id for each in requests])
        return [(-len(each.args[1]) / 3, True) for each in requests]


def answered(
    file: Path, model: Model, *, header: dict[str, Any] = HEADER, batch_size: int = 2
) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the answers, and what was told of each batch."""
    told: list[tuple[int, int]] = []
    with Answers(file, header) as answers:
        lm: Any = model
        asking = Resuming(
            lm, answers, batch_size=batch_size, answered=lambda all_, new: told.append((all_, new))
        )
        requests: Any = REQUESTS
        return asking.generate_until(requests), told


def test_one_that_is_killed_loses_no_more_than_its_batch(tmp_path: Path) -> None:
    whole, told = answered(tmp_path / "whole", never := Model())
    assert never.batches == LONGEST_FIRST
    assert told == [(2, 2), (2, 2), (2, 2), (1, 1)]

    file = tmp_path / "killed"
    script = (
        "import sys; from pathlib import Path;"
        "from tests.evaluation.test_answers import Model, answered;"
        "answered(Path(sys.argv[1]), Model(killed=True))"
    )
    ended = subprocess.run([sys.executable, "-c", script, file], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL

    again, told = answered(file, model := Model())
    # The batches that are left are those that they would have been.
    assert model.batches == LONGEST_FIRST[1:]
    assert told == [(2, 0), (2, 2), (2, 2), (1, 1)]
    assert again == whole
    assert file.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("end", [b'{"half', b"\0" * 9 + b"\n", b'{"a": ["\xff"]}\n'])
def test_a_line_that_was_cut_off_or_is_damaged_is_asked_again(tmp_path: Path, end: bytes) -> None:
    file = tmp_path / "answers"
    whole, _ = answered(file, Model())
    written = file.read_bytes()
    file.write_bytes(b"".join(written.splitlines(keepends=True)[:3]) + end)
    again, _ = answered(file, model := Model())
    assert model.batches == LONGEST_FIRST[2:]
    assert again == whole
    assert file.read_bytes() == written


def test_answers_of_another_model_or_to_others_are_dropped(tmp_path: Path) -> None:
    answered(tmp_path / "answers", Model())
    answered(tmp_path / "answers", model := Model(), header=HEADER | {"model": "other"})
    assert model.batches == LONGEST_FIRST


def test_a_smaller_batch_goes_on_with_what_a_larger_one_left(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    answered(file, Model())
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    _, told = answered(file, model := Model(), batch_size=1)
    assert model.batches == [[3], [4], [0], [6], [2]]
    assert told[:3] == [(1, 0), (1, 0), (1, 1)]


def test_the_choices_of_a_question_are_asked_and_kept_together(tmp_path: Path) -> None:
    requests: Any = [
        Request(number, (f"{number}", choice)) for number in range(3) for choice in ("a", "bcd")
    ]
    found = []
    for model in (first := Model(), again := Model()):
        with Answers(tmp_path / "answers", HEADER) as answers:
            lm: Any = model
            asking = Resuming(lm, answers, batch_size=2, answered=lambda *_: None)
            found.append(asking.loglikelihood(requests))
    assert first.batches == [[0, 0, 1, 1], [2, 2]]
    assert again.batches == []
    assert found[0] == found[1] == [(-1 / 3, True), (-1.0, True)] * 3


def test_what_is_kept_is_plain_text_in_lines(tmp_path: Path) -> None:
    answered(tmp_path / "answers", Model())
    text = (tmp_path / "answers").read_text("ascii")
    assert text.splitlines() == text.split("\n")[:-1]
    assert json.loads(text.splitlines()[0]) == HEADER
