"""Inputs to try first, with what they give: generated ones, recorded ones, and made-up ones."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.runs import Run, run_program
from codeio.runtime import values
from codeio.runtime.records import GENERATOR
from codeio.runtime.trace import OUTPUT_ONLY
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox
    from codeio.runtime.trace import Source
    from codeio.v1.records_pb2 import Program

_GENERATED = 10
_RECORDED = 10
_KEPT_PROGRAMS = 256
_MAX_BYTES = 1024


class Trials:
    """Gives runs of programs on inputs of the described form.

    The runs of the last few programs are kept, as the tasks of one program come one
    after another; they depend on the program alone.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: OrderedDict[str, list[Run]] = OrderedDict()

    async def runs(self, program: Program, *, source: Source) -> list[Run]:
        """Return runs on distinct inputs that returned something; their traces are empty."""
        key = program.program_id or program.code
        if key not in self._known:
            texts = [*await self._generated(program), *program.seed_inputs[:_RECORDED]]
            texts = [text for text in dict.fromkeys(texts) if len(text) <= _MAX_BYTES]
            runs = await run_program(
                self._sandbox, program, texts, source=source, trace_steps=OUTPUT_ONLY
            )
            self._known[key] = [run for run in runs if run.returned]
            if len(self._known) > _KEPT_PROGRAMS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    async def _generated(self, program: Program) -> list[str]:
        if not program.input_generator:
            return []
        response = await self._sandbox.execute(
            ExecuteRequest(
                code=program.input_generator,
                entry_point=GENERATOR,
                calls=[Call(seed=number) for number in range(_GENERATED)],
            )
        )
        return [
            result.output_json
            for result in response.results
            if result.outcome == Outcome.OUTCOME_OK
        ]


def invented_inputs(input_json: str, *, seed: str, count: int) -> list[str]:
    """Make up inputs of the form of a known one, for programs of which no others are known."""
    rng = random.Random(seed)  # noqa: S311  (variety, not secrecy)
    known = values.loads(input_json)
    made = [values.dumps(_invented(known, rng)) for _ in range(count)]
    return [text for text in dict.fromkeys(made) if text != input_json]


def _invented(value: Any, rng: random.Random) -> Any:
    """Return a value of the same form with a content of its own."""
    match value:
        case bool():
            return rng.random() < 0.5
        case int():
            return rng.randint(1, 9) if abs(value) < 10 else rng.randint(2, 4 * abs(value) // 3)
        case float():
            return round(rng.uniform(0, 2 * abs(value) or 1), 2)
        case str() if value:
            return "".join(
                rng.choice(value) for _ in range(rng.randint(1, min(12, len(value) + 2)))
            )
        case list() if value:
            size = rng.randint(1, min(8, len(value) + 2))
            return [_invented(rng.choice(value), rng) for _ in range(size)]
        case dict():
            return {key: _invented(item, rng) for key, item in value.items()}
        case _:
            return value
