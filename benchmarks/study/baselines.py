"""Answers that need no model, and examples for the untouched one.

| baseline          | predicts an output                 | predicts an input                    |
|-------------------|------------------------------------|--------------------------------------|
| commonest         | the training answers' commonest    | every argument the commonest one of  |
|                   |                                    | the training inputs                  |
| copy              | the first argument                 | every argument the output            |
| commonest, oracle | the questions' commonest of that   | every argument one of the training   |
|                   | type                               | inputs' ten commonest, the best      |
| copy, oracle      | whichever argument is right        | every argument the output, a list of |
|                   |                                    | it, its text or its first item, the  |
|                   |                                    | best                                 |

An oracle is told what no one could know, so that no guessing of its kind does
better.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.study.plan import Direction
from benchmarks.study.questions import type_name

from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.study.questions import Example, Question

_COMMONEST = 10


@dataclass(frozen=True)
class Baseline:
    """A way to guess; a question is right if one of its guesses is."""

    name: str
    oracle: bool
    guesses: Callable[[Question], list[str]]


def trivial_baselines(pool: Sequence[Example], asked: Sequence[Question]) -> list[Baseline]:
    """Return the baselines, of the training examples and, for oracles, of the questions."""
    outputs = [e.answer_json for e in pool if e.question.direction is Direction.OUTPUT]
    inputs = [values.loads(e.answer_json) for e in pool if e.question.direction is Direction.INPUT]
    arguments = commonest((v for given in inputs for v in given.values()), _COMMONEST)
    by_type = _commonest_by_type(asked)

    def filled(question: Question, value: Any) -> str:
        return values.dumps(dict.fromkeys(question.parameters, value))

    def common(question: Question) -> list[str]:
        if question.direction is Direction.OUTPUT:
            return [values.dumps(each) for each in commonest(map(values.loads, outputs), 1)]
        return [filled(question, value) for value in arguments[:1]]

    def copied(question: Question) -> list[str]:
        if question.direction is Direction.OUTPUT:
            return [values.dumps(each) for each in _arguments(question)[:1]]
        return [filled(question, values.loads(question.output_json))]

    def common_oracle(question: Question) -> list[str]:
        if question.direction is Direction.OUTPUT:
            return [by_type[question.origin, type_name(values.loads(question.output_json))]]
        return [filled(question, value) for value in arguments]

    def copied_oracle(question: Question) -> list[str]:
        if question.direction is Direction.OUTPUT:
            return [values.dumps(each) for each in _arguments(question)]
        output = values.loads(question.output_json)
        first = [output[0]] if isinstance(output, list | str) and output else []
        return [filled(question, each) for each in (output, [output], question.output_json, *first)]

    return [
        Baseline("commonest answer", False, common),
        Baseline("copy of an argument", False, copied),
        Baseline("commonest answer, oracle", True, common_oracle),
        Baseline("copy of an argument, oracle", True, copied_oracle),
    ]


def commonest(found: Iterable[Any], count: int) -> list[Any]:
    """Return the JSON values that occur most, the commonest first."""
    counted = Counter(map(values.dumps, found))
    return [values.loads(text) for text, _ in sorted(counted.items(), key=_rank)[:count]]


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _arguments(question: Question) -> list[Any]:
    return list(values.loads(question.input_json).values())


def _commonest_by_type(asked: Sequence[Question]) -> dict[tuple[str, str], str]:
    outputs = [(q.origin, values.loads(q.output_json)) for q in asked]
    places = {(origin, type_name(value)) for origin, value in outputs}
    return {
        (origin, kind): values.dumps(
            commonest((v for o, v in outputs if (o, type_name(v)) == (origin, kind)), 1)[0]
        )
        for origin, kind in places
    }


def shots(pool: Sequence[Example], direction: Direction, *, count: int) -> list[Example]:
    """Return examples to show the untouched model: short ones, of different programs."""
    of_direction = [example for example in pool if example.question.direction is direction]
    by_length = sorted(of_direction, key=lambda e: len(e.question.code) + len(e.rationale))
    chosen: dict[str, Example] = {}
    # Not the shortest of all, which are trivial.
    for example in by_length[len(by_length) // 4 :]:
        if len(chosen) < count:
            chosen.setdefault(example.question.program_id, example)
    return list(chosen.values())
