"""Programs that a scripted endpoint can see through, so that it is right or wrong as it is told."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.language_model.scripted import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.language_model.scripted import Asked

_CODE = """\
def main_solution(n):
    total = {offset}
    for i in range(n):
        if i % {step} == 0:
            total += i * {factor}
    return {{"name": "program {number}", "total": total}}
"""
_GENERATOR = "def generate_inputs(rng):\n    return {'n': rng.randint(1, 40)}\n"
_NUMBERS = re.compile(r"total = (\d+)\n.*?i % (\d+) == 0.*?i \* (\d+)\n.*?program (\d+)", re.DOTALL)


def write_programs(path: Path, count: int) -> None:
    """Write rows of programs that somebody normalised already."""
    with path.open("w") as file:
        for number in range(count):
            code = _CODE.format(
                offset=7 * number + 1, step=number % 5 + 2, factor=number % 9 + 3, number=number
            )
            row = {
                "code_sample": code,
                "input_generator": _GENERATOR,
                "input_output_spec": "Input: `n` (int). Output: an object.",
                "task_description": f"Sum up multiples, the {number}th way.",
            }
            file.write(json.dumps(row) + "\n")


def knows(text: str) -> bool:
    """Tell whether a conversation is about one of the programs written here."""
    return _NUMBERS.search(text) is not None


def right_answer(text: str) -> str:
    """Return the answer to the first question of a conversation."""
    found = _NUMBERS.search(text)
    assert found, text
    offset, step, factor, number = map(int, found.groups())
    values = {n: offset + sum(i * factor for i in range(n) if i % step == 0) for n in range(60)}
    if given := re.search(r'\{"n": ?(\d+)\}', text):
        output = {"name": f"program {number}", "total": values[int(given[1])]}
        return json.dumps({"output": output})
    wanted = int(re.findall(r'"total": ?(\d+)', text)[-1])
    return json.dumps({"input": {"n": next(n for n, v in values.items() if v == wanted)}})


async def right_at_last(asked: Asked) -> Answer:
    """Answer wrongly at first, and rightly when told so."""
    first = asked.body["messages"][0]["content"]
    answer = right_answer(first)
    if len(asked.body["messages"]) == 1:
        answer = '{"output": 0}' if '"output": <' in first else '{"input": {"n": 59}}'
    return Answer(f"I think it through.\n\n```json\n{answer}\n```")
