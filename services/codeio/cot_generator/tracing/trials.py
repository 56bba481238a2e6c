"""Inputs to try first: what the program's generator makes, what its source recorded, or made up."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Program

_GENERATOR = "generate_inputs"
_GENERATED = 8
_KEPT_PROGRAMS = 256
_MAX_BYTES = 1024


class Trials:
    """Gives trial inputs of programs.

    What a generator made is kept for the last few programs, as the tasks of one
    program come one after another; it depends on the program alone.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._made: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    async def inputs(
        self, program: Program, *, known: str, seed: str, count: int
    ) -> list[dict[str, Any]]:
        """Return distinct inputs of the program's form, none of them the known one."""
        rng = random.Random(seed)  # noqa: S311  (variety, not secrecy)
        texts = [*await self._generated(program), *program.seed_inputs]
        rng.shuffle(texts)
        arguments = values.loads(known)
        texts += [values.dumps(invented(arguments, rng)) for _ in range(count)]
        found: list[dict[str, Any]] = []
        for text in dict.fromkeys(texts):
            try:
                trial = values.loads(text)
            except ValueError:
                continue
            if (
                isinstance(trial, dict)
                and len(text) <= _MAX_BYTES
                and not values.equal(trial, arguments)
                and trial not in found
            ):
                found.append(trial)
        return found[:count]

    async def _generated(self, program: Program) -> tuple[str, ...]:
        if not program.input_generator:
            return ()
        key = program.program_id or program.code
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        response = await self._sandbox.execute(
            ExecuteRequest(
                code=program.input_generator,
                entry_point=_GENERATOR,
                calls=[Call(seed=number) for number in range(_GENERATED)],
            )
        )
        made = tuple(
            result.output_json
            for result in response.results
            if result.outcome == Outcome.OUTCOME_OK
        )
        self._made[key] = made
        if len(self._made) > _KEPT_PROGRAMS:
            self._made.popitem(last=False)
        return made


def invented(value: Any, rng: random.Random) -> Any:
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
            return [invented(rng.choice(value), rng) for _ in range(size)]
        case dict():
            return {key: invented(item, rng) for key, item in value.items()}
        case _:
            return value
