"""A language model that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from codeio.language_model import Question, Reply
from codeio.runtime.records import file_id
from codeio.v1.records_pb2 import RawFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.records import Record
    from codeio.runtime.stage import Stage


def said(content: str, *, finish_reason: str = "stop") -> Reply:
    return Reply(
        content=content,
        reasoning="",
        finish_reason=finish_reason,
        prompt_tokens=10,
        completion_tokens=20,
        cost_usd=0.0,
    )


@dataclass
class Scripted:
    """Gives the replies in order, by sample index where several are asked for at a time."""

    replies: Sequence[str | Reply] = ()
    asked: list[Question] = field(default_factory=list)
    name: str = "scripted"

    async def ask(self, question: Question, /) -> Reply:
        at = question.sample_index if question.purpose == "completion" else len(self.asked)
        self.asked.append(question)
        assert at < len(self.replies), f"asked too often: {question.messages[-1].content}"
        reply = self.replies[at]
        return said(reply) if isinstance(reply, str) else replace(reply)

    @property
    def purposes(self) -> list[str]:
        return [question.purpose for question in self.asked]


def raw(text: str) -> RawFile:
    return RawFile(file_id=file_id(text), content=text, source="test", path="file.py")


async def records(stage: Stage, text: str) -> list[Record]:
    return [record async for record in stage.handle(raw(text))]


CODE = """\
def main_solution(numbers, limit):
    total = 0
    for number in numbers:
        if number < limit:
            total += number * number
    return total
"""

GENERATOR = """\
import random


def generate_inputs(rng: random.Random) -> dict:
    return {"numbers": [rng.randint(0, 30) for _ in range(6)], "limit": rng.randint(5, 30)}
"""

PROBLEM = "Given numbers and a limit, add up the squares of the numbers below the limit."

DESCRIPTION = """\
Input:
  `numbers` (list[int]): the numbers
  `limit` (int): the limit, itself excluded
Output:
  `return` (int): the sum of the squares"""


def reply_of(
    *,
    problem: str = PROBLEM,
    description: str = DESCRIPTION,
    code: str = CODE,
    generator: str = GENERATOR,
) -> str:
    return (
        f"## Problem\n\n{problem}\n\n## Input and output\n\n{description}\n\n"
        f"## Code\n\n```python\n{code}```\n\n## Generator\n\n```python\n{generator}```\n"
    )
